"""Every lesson in Keras, PyTorch and NumPy: what each reaches, how long it takes, and how far their answers differ.

    WORKSHOP_DATA=... python -m benchmarks.engines [LESSON ...]

Each lesson is run once, with its defaults, in each engine that has it. Every model that a run saved is then loaded by
all three engines, and asked the same: images of the test set, or a thousand rows from within the ranges of the model's
inputs. The difference is the largest between any two outputs. About fifteen minutes.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from workshop import LESSONS
from workshop.kit.data import images as image_data
from workshop.kit.photos import dataset as photos
from workshop.kit.saving.loaded import Bundle
from workshop.programs import engines

PACKAGES = {"keras": "workshop", "torch": "workshop.pytorch", "numpy": "workshop.scratch"}
# What a lesson promises; the others of its metrics tell more than a table can hold.
FIGURES = {
    "linear_regression": {"houses R2": "houses_train_r2_score", "scaled R2": "scaled_test_r2_score"},
    "tables": {
        "concrete RMSE": "concrete_network_test_root_mean_squared_error",
        "cars": "car_network_test_accuracy",
    },
    "logistic_regression": {"": "test_accuracy"},
    "admission": {"neuron": "neuron_train_accuracy", "network": "network_train_accuracy"},
    "xor": {"corners": "network_train_accuracy", "4 units": "hidden_4_test_accuracy"},
    "mnist": {"dense": "dense_test_accuracy", "CNN": "cnn_test_accuracy"},
    "fashion_mnist": {"dense": "dense_test_accuracy", "CNN": "cnn_test_accuracy"},
    "cats_vs_dogs": {"workshop's": "workshop_validation_accuracy", "small": "small_validation_accuracy"},
    "transfer_learning": {"fine-tuned": "finetuned_validation_accuracy", "scratch": "scratch_validation_accuracy"},
    "forecasting": {"RMSE": "lstm_test_root_mean_squared_error"},
    "text_generation": {"bits per character": "bits_test_log_loss"},
    "rnn": {"SimpleRNN": "simple_test_accuracy", "LSTM": "lstm_test_accuracy", "GRU": "gru_test_accuracy"},
    "autoencoder": {"error with 32 numbers": "deep_test_mean_squared_error", "PCA's": "pca_test_mean_squared_error"},
}

# Whose models take images, and which.
IMAGES = {"mnist": "mnist", "fashion_mnist": "fashion_mnist", "rnn": "mnist", "autoencoder": "mnist"}


def questions(model: Bundle) -> Any:
    """Returns inputs for a model, in their own units."""
    lesson = model.card["lesson"]
    if model.inputs[0].shape[2:] == (3,):
        return image_data.scale_pixels(photos.load_photos(None, model.inputs[0].shape[0]).X_validation)
    if lesson in IMAGES:
        images = image_data.scale_pixels(image_data.load_image_set(IMAGES[lesson]).X_test[:1000])
        return images.reshape(-1, *model.inputs[0].shape)
    random = np.random.default_rng(1)
    if model.inputs[0].shape:
        (one,) = model.inputs
        return np.floor(random.uniform(one.minimum, one.maximum, (1000, *one.shape)))
    columns = [
        random.choice(one.values, 1000) if one.values else random.uniform(one.minimum, one.maximum, 1000)
        for one in model.inputs
    ]
    if any(one.values for one in model.inputs):
        return [list(row) for row in zip(*columns, strict=True)]
    return np.array(columns, np.float32).T


def largest_difference(path: Path, lesson: str) -> float:
    """Returns how far the engines' outputs differ at most, relative to the largest output where that is above 1."""
    model = engines.load(path, [lesson], "all")
    model.predict(questions(model))
    answers = np.stack(list(model.model.answers.values()))  # type: ignore[attr-defined]
    return float(np.ptp(answers, axis=0).max() / max(1, np.abs(answers).max()))


def figures(lesson: str, metrics: dict[str, float]) -> str:
    """Returns what a run reached, in words."""
    said = []
    for name, metric in FIGURES.get(lesson, {}).items():
        value = f"{metrics[metric]:.2%}" if metric.endswith("accuracy") else f"{metrics[metric]:.3g}"
        said.append(f"{name} {value}".strip())
    return ", ".join(said)


def main() -> None:
    """Measures and prints."""
    mirrors = {lesson.name: lesson.mirrors for lesson in LESSONS if lesson.mirrors}
    names = list(mirrors)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help=f"of {', '.join(names)} (default: all)")
    lessons = parser.parse_args().lessons or names
    if unknown := set(lessons) - set(names):
        parser.error(f"no lesson {', '.join(unknown)}")
    print(measure.machine())
    rows = []
    for lesson in lessons:
        cells, difference = [], 0.0
        for engine, package in PACKAGES.items():
            if engine not in ("keras", *mirrors[lesson]):
                cells.append("")
                continue
            with tempfile.TemporaryDirectory() as folder:
                run = measure.run(["-m", f"{package}.{lesson}", "--json"], Path(folder))
                answer = json.loads(run.output.splitlines()[-1])
                cells.append(f"{figures(lesson, answer['metrics'])}; {run.seconds:.0f} s")
                for path in sorted(Path(folder, "models").glob("*.h5")):
                    difference = max(difference, largest_difference(path, lesson))
            print(f"{lesson}, {engine}: {cells[-1]}", flush=True)
        rows.append([f"`{lesson}`", *cells, f"{difference:.0e}"])
    print(measure.markdown(["lesson", "Keras", "PyTorch", "NumPy", "largest difference"], rows))


if __name__ == "__main__":
    main()
