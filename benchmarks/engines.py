"""Every lesson in Keras, PyTorch and NumPy: what each reaches, how long it takes, and how far their answers differ.

    WORKSHOP_DATA=... python -m benchmarks.engines [--readme] [LESSON ...]

Each lesson is run once, with its defaults, in each engine that has it. Every model that a run saved is then loaded by
all three engines, and asked the same: images of the test set, or a thousand rows from within the ranges of the model's
inputs. The difference is the largest between any two outputs. About fifteen minutes.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import measure
from benchmarks.lessons import describe
from workshop import LESSONS
from workshop.kit.data import images as image_data
from workshop.kit.photos import dataset as photos
from workshop.kit.saving.loaded import Bundle
from workshop.programs import engines

PACKAGES = {"keras": "workshop", "torch": "workshop.pytorch", "numpy": "workshop.scratch"}
# Whose models take images, and which.
IMAGES = {
    "mnist": "mnist",
    "fashion_mnist": "fashion_mnist",
    "rnn": "mnist",
    "autoencoder": "mnist",
    "regularization": "mnist",
    "boltzmann": "mnist",
}


def questions(model: Bundle) -> np.ndarray | list[list[object]]:
    """Returns inputs for a model, in their own units."""
    lesson = model.card["lesson"]
    if model.inputs[0].shape[2:] == (3,):
        return image_data.scale_pixels(photos.load_photos(None, model.inputs[0].shape[0]).X_validation)
    if lesson in IMAGES:
        images = image_data.scale_pixels(image_data.load_image_set(IMAGES[lesson]).X_test[:1000])
        return images.reshape(-1, *model.inputs[0].shape)
    random = np.random.default_rng(1)
    if model.inputs[0].shape:
        (window,) = model.inputs
        return np.floor(random.uniform(window.minimum, window.maximum, (1000, *window.shape)))
    columns = [
        random.choice(column.values, 1000) if column.values else random.uniform(column.minimum, column.maximum, 1000)
        for column in model.inputs
    ]
    if any(column.values for column in model.inputs):
        return [list(row) for row in zip(*columns, strict=True)]
    return np.array(columns, np.float32).T


def largest_difference(path: Path, lesson: str) -> float:
    """Returns how far the engines' outputs differ at most, relative to the largest output where that is above 1."""
    model = engines.load(path, [lesson], "all")
    model.predict(questions(model))
    predictions = np.stack(list(model.model.predictions.values()))  # type: ignore[attr-defined]
    return float(np.ptp(predictions, axis=0).max() / max(1, np.abs(predictions).max()))


def main() -> None:
    """Measures and prints."""
    with_mirrors = {lesson.name: lesson for lesson in LESSONS if lesson.mirrors and lesson.trains}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    arguments = measure.parse(parser, list(with_mirrors))
    print(measure.machine())
    rows = []
    for lesson in arguments.lessons:
        cells, difference = [], 0.0
        for engine, package in PACKAGES.items():
            if engine not in ("keras", *with_mirrors[lesson].mirrors):
                cells.append("")
                continue
            with tempfile.TemporaryDirectory() as folder:
                run = measure.run(["-m", f"{package}.{lesson}", "--json"], Path(folder))
                answer = json.loads(run.output.splitlines()[-1])
                cells.append(f"{describe(with_mirrors[lesson], answer['metrics'])}; {run.seconds:.0f} s")
                for path in sorted(Path(folder, "models").glob("*.h5")):
                    difference = max(difference, largest_difference(path, lesson))
            print(f"{lesson}, {engine}: {cells[-1]}", flush=True)
        rows.append([f"`{lesson}`", *cells, f"{difference:.0e}"])
    table = measure.markdown(["lesson", "Keras", "PyTorch", "NumPy", "largest difference"], rows)
    print(table)
    if arguments.readme:
        measure.write_into_readme("engines", table)


if __name__ == "__main__":
    main()
