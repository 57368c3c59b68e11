"""Photos: how fast they come to the network, how much memory a large folder takes, and the workshop's own recipe.

    WORKSHOP_DATA=... python -m benchmarks.photographs input [--runs 5]     # against Keras' generator
    python -m benchmarks.photographs memory [--photos 2000 6000]            # peak memory of a lesson, by folder size
    python -m benchmarks.photographs recipe [--data PHOTOS] [--epochs 20]   # the small network against the preset

Each side of a comparison takes its turn in the same run. Without photos, drawings are used and named; the recipe is
measured on 2,000 + 1,000 drawings unless photos are given, and a pair takes five minutes.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from workshop import cats_vs_dogs
from workshop.kit import device, photo_classifier, training
from workshop.kit.data import synthetic_animals
from workshop.kit.lazy import tensorflow
from workshop.kit.photos import dataset as photos
from workshop.kit.photos.augmentation import Augmentation

SIZE = 150
BATCH = 32


def images_a_second(batches: Iterable[Any], images: int) -> float:
    """Returns how many images a second come out of batches."""
    started = time.perf_counter()
    seen = 0
    for inputs, _ in batches:
        seen += len(inputs)
        if seen >= images:
            break
    return seen / (time.perf_counter() - started)


def measure_input(runs: int, path: Path | None) -> None:
    """Prints images a second: the lesson's pipeline and ImageDataGenerator, augmented and unchanged."""
    found = photos.load_photos(path, SIZE)
    print(f"{found.source}, {SIZE}x{SIZE}, batches of {BATCH}")
    make = tensorflow.keras.preprocessing.image.ImageDataGenerator
    count = len(found.X_train)
    # The fast pipeline passes over the photos several times, so that its start counts as little as the generator's.
    rows_of_four_epochs = np.resize(np.arange(count), 4 * count)
    X, y = found.X_train[rows_of_four_epochs], found.y_train[rows_of_four_epochs]
    rows = []
    with photos.as_folder(found) as folder:
        for title, changes in (("augmented", Augmentation()), ("unchanged", None)):
            options = photo_classifier.generator_options(changes) if changes else {}
            generator = make(rescale=1 / 255, **options).flow_from_directory(
                folder / "train", target_size=(SIZE, SIZE), batch_size=BATCH, class_mode="binary"
            )
            batches = training.photo_batches(X, y, BATCH, 1, changes)
            pairs = []
            for run in range(runs + 1):
                of_keras = (generator[i] for i in range(len(generator)))
                pair = images_a_second(batches, len(X)), images_a_second(of_keras, count)
                pairs += [pair] if run else []  # the first turn sets up
            ratio = statistics.median(fast / keras_rate for fast, keras_rate in pairs)
            medians = [f"{statistics.median(values):,.0f}" for values in zip(*pairs, strict=True)]
            rows.append([title, *medians, f"{ratio:.1f}"])
    print(measure.markdown(["photos", "fast pipeline, 1/s", "ImageDataGenerator, 1/s", "ratio (median)"], rows))


def measure_memory(counts: list[int]) -> None:
    """Prints the peak memory of one epoch of the small network, for folders of so many photos."""
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_drawings(Path(folder) / "drawn", count)
            options = ["--data", "drawn", "--model", "small", "--epochs", "1", "--no-plots", "--json"]
            run = measure.run(["-m", "workshop.cats_vs_dogs", *options], Path(folder))
        rows.append([f"{count:,}", f"{run.megabytes:,.0f} MB", f"{run.seconds:.0f} s"])
        print(rows[-1], flush=True)
    print(measure.markdown(["training photos", "peak memory", "time"], rows))


def write_drawings(folder: Path, count: int) -> None:
    """Writes a folder of drawings: so many to train on, half as many to validate."""
    from PIL import Image

    for part, size in (("train", count), ("validation", count // 2)):
        X, y = synthetic_animals.draw_photos(min(200, size // 2), 320, 1)
        random = np.random.default_rng(size)
        for i in range(size):
            place = folder / part / synthetic_animals.CLASSES[y[i % len(X)]]
            place.mkdir(parents=True, exist_ok=True)
            # Each drawing is another one: what is in both parts would be left out.
            noise = random.integers(0, 20, (320, 320, 1), np.uint8)
            Image.fromarray(np.clip(X[i % len(X)] // 2 + noise, 0, 255)).save(place / f"{i}.jpg", quality=80)


def measure_recipe(path: Path | None, runs: int, epochs: int) -> None:
    """Trains the small network and the workshop's by its recipe, in turn; prints times, accuracies and their ratio."""
    device.prepare(1)
    rows, ratios = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if path is None:
            write_drawings(folder / "drawn", 2000)
        place = folder / "drawn" if path is None else path.resolve()
        found = photos.load_photos(place, SIZE)
        options = ["--data", str(place), "--model", "small", "--epochs", str(epochs), "--no-plots", "--json"]
        for _ in range(runs):
            ours = measure.run(["-m", "workshop.cats_vs_dogs", *options], folder)
            accuracy = json.loads(ours.output.splitlines()[-1])["metrics"]["validation_accuracy"]
            seconds, their_accuracy = train_as_taught(found)
            ratios.append(ours.seconds / seconds)
            pair = [f"{ours.seconds:.0f} s", f"{accuracy:.3f}", f"{seconds:.0f} s", f"{their_accuracy:.3f}"]
            rows.append([*pair, f"{ratios[-1]:.2f}"])
            print(rows[-1], flush=True)
    taught = "as taught (--preset workshop), fit alone"
    headings = [f"small, {epochs} epochs, whole process", "accuracy", taught, "accuracy", "ratio"]
    print(measure.markdown(headings, rows))
    print(f"median ratio {statistics.median(ratios):.2f} on {found.source}")


def train_as_taught(found: photos.PhotoSet) -> tuple[float, float]:
    """Trains as `cats_vs_dogs --preset workshop` does; returns the seconds of `fit` and the validation accuracy."""
    recipe, classes = cats_vs_dogs.TAUGHT, len(found.classes)
    with device.scope(1):
        model = cats_vs_dogs.build("workshop", SIZE, classes)
    model.compile(optimizer=recipe.make_optimizer(), loss=photo_classifier.loss(classes), metrics=["accuracy"])
    with photos.as_folder(found) as folder:
        train, validation = cats_vs_dogs.make_generators(folder, recipe, SIZE, classes, seed=1)
        started = time.perf_counter()
        model.fit(
            cats_vs_dogs.take_batches(train, recipe.epochs * recipe.steps_per_epoch, classes),
            steps_per_epoch=recipe.steps_per_epoch,
            epochs=recipe.epochs,
            shuffle=False,  # the generator shuffles
            validation_data=cats_vs_dogs.take_batches(validation, recipe.epochs * recipe.validation_steps, classes),
            validation_steps=recipe.validation_steps,
            verbose=0,
        )
        seconds = time.perf_counter() - started
        return seconds, model.evaluate(validation, verbose=0, return_dict=True)["accuracy"]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["input", "memory", "recipe"])
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default: 5)")
    parser.add_argument("--data", type=Path, help="photos (default: those in WORKSHOP_DATA; recipe: drawings)")
    parser.add_argument("--photos", type=int, nargs="+", default=[2000, 6000], help="folder sizes for memory")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of the small network (default: 20)")
    arguments = parser.parse_args()
    print(measure.machine())
    if arguments.what == "input":
        measure_input(arguments.runs, arguments.data)
    elif arguments.what == "memory":
        measure_memory(arguments.photos)
    else:
        measure_recipe(arguments.data, arguments.runs, arguments.epochs)


if __name__ == "__main__":
    main()
