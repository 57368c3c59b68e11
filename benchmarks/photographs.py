"""Photographs: how fast they come to the network, how much memory a large folder takes, and the workshop's recipe.

    WORKSHOP_DATA=... python -m benchmarks.photographs input [--runs 5]     # against Keras' generator
    python -m benchmarks.photographs memory [--pictures 2000 6000]          # peak memory of a lesson, by folder size
    python -m benchmarks.photographs recipe --data PHOTOS [--epochs 20]     # the small network against the recipe

Each side of a comparison takes its turn in the same run. Without photographs, drawings are used and named.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from workshop import cats_vs_dogs
from workshop.kit import device, drawings, photo_classifier, photo_training, photos
from workshop.kit.lazy import tensorflow

SIZE, BATCH = 150, 32


def pictures_a_second(batches: Callable[[], Any], pictures: int) -> float:
    """Returns how many pictures a second come out of an iterable of batches, made anew."""
    started = time.perf_counter()
    seen = 0
    for inputs, _ in batches():
        seen += len(inputs)
        if seen >= pictures:
            break
    return seen / (time.perf_counter() - started)


def measure_input(runs: int, path: Path | None) -> None:
    """Prints pictures a second: the lesson's pipeline and ImageDataGenerator, changed at random and unchanged."""
    found = photos.load_photos(path, SIZE)
    print(f"{found.source}, {SIZE}x{SIZE}, batches of {BATCH}")
    augmentation = cats_vs_dogs.SETTINGS["small"].augmentation
    make = tensorflow.keras.preprocessing.image.ImageDataGenerator
    count = len(found.X_train)
    # The fast pipeline passes over the pictures several times, so that its start counts as little as the generator's.
    order = np.resize(np.random.default_rng(1).permutation(count), 4 * count).astype(np.int32)
    y = found.y_train
    rows = []
    with photos.as_folder(found) as folder:
        for title, changes in (("changed at random", augmentation), ("unchanged", None)):
            options = photo_classifier.for_generator(changes) if changes else {}
            generator = make(rescale=1 / 255, **options).flow_from_directory(
                folder / "train", target_size=(SIZE, SIZE), batch_size=BATCH, class_mode="binary"
            )

            def fast(changes: Any = changes) -> Any:
                return photo_training.batches(found.X_train, y, order, BATCH, changes)

            def of_keras(generator: Any = generator) -> Any:
                return (generator[i] for i in range(len(generator)))

            pairs = []
            for run in range(runs + 1):
                pair = pictures_a_second(fast, len(order)), pictures_a_second(of_keras, count)
                pairs += [pair] if run else []  # the first turn sets up
            ratio = statistics.median(one / other for one, other in pairs)
            medians = [f"{statistics.median(values):,.0f}" for values in zip(*pairs, strict=True)]
            rows.append([title, *medians, f"{ratio:.1f}"])
    print(measure.markdown(["pictures", "fast pipeline, 1/s", "ImageDataGenerator, 1/s", "ratio (median)"], rows))


def measure_memory(counts: list[int]) -> None:
    """Prints the peak memory of one epoch of the small network, for folders of so many pictures."""
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_drawings(Path(folder) / "drawn", count)
            options = ["--data", "drawn", "--model", "small", "--epochs", "1", "--no-plots", "--json"]
            run = measure.run(["-m", "workshop.cats_vs_dogs", *options], Path(folder))
        rows.append([f"{count:,}", f"{run.megabytes:,.0f} MB", f"{run.seconds:.0f} s"])
        print(rows[-1], flush=True)
    print(measure.markdown(["training pictures", "peak memory", "time"], rows))


def write_drawings(folder: Path, count: int) -> None:
    """Writes a folder of drawn photographs: so many to train on, half as many to validate."""
    from PIL import Image

    for part, size in (("train", count), ("validation", count // 2)):
        X, y = drawings.draw_photographs(min(200, size // 2), 320, 1)
        random = np.random.default_rng(size)
        for i in range(size):
            place = folder / part / drawings.CLASSES[y[i % len(X)]]
            place.mkdir(parents=True, exist_ok=True)
            # Each picture is another one: what is in both parts would be left out.
            noise = random.integers(0, 20, (320, 320, 1), np.uint8)
            Image.fromarray(np.clip(X[i % len(X)] // 2 + noise, 0, 255)).save(place / f"{i}.jpg", quality=80)


def measure_recipe(path: Path | None, epochs: int, steps: int, batch_size: int, recipe_epochs: int) -> None:
    """Trains the small network, then the workshop's as it is taught, and prints time and validation accuracy."""
    device.prepare(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        options = [*(["--data", str(path.resolve())] if path else []), "--model", "small", "--epochs", str(epochs)]
        run = measure.run(["-m", "workshop.cats_vs_dogs", *options, "--no-plots", "--json"], Path(folder))
    result = json.loads(run.output.splitlines()[-1])
    accuracy = result["metrics"]
    rows.append([f"small, {epochs} epochs, whole process", run.seconds, accuracy["validation_accuracy"]])
    print(rows[-1], flush=True)

    found = photos.load_photos(path, SIZE)
    make = tensorflow.keras.preprocessing.image.ImageDataGenerator
    model = cats_vs_dogs.build("workshop", SIZE, len(found.classes))
    plan = cats_vs_dogs.SETTINGS["workshop"].plan(
        len(found.X_train), batch_size, cats_vs_dogs.parse("", ["--no-plots", "--models", tempfile.mkdtemp()])
    )
    with photos.as_folder(found) as place:
        mode = "binary" if len(found.classes) == 2 else "sparse"
        train, validation = (
            make(rescale=1 / 255).flow_from_directory(
                place / part, target_size=(SIZE, SIZE), batch_size=batch_size, class_mode=mode, seed=1
            )
            for part in ("train", "validation")
        )
        cats_vs_dogs.compile_model(model, plan, 2 if mode == "binary" else 1)
        started = time.perf_counter()
        epochs_left, done = recipe_epochs, 0
        while epochs_left:
            # So many batches an epoch, whatever the size of the set: they go on where the last ones ended.
            batches = (train[(done + i) % len(train)] for i in range(steps))
            for inputs, targets in batches:
                model.train_on_batch(inputs, targets)
            done, epochs_left = done + steps, epochs_left - 1
        seconds = time.perf_counter() - started
        measured = model.evaluate(validation, verbose=0, return_dict=True)["accuracy"]
    rows.append([f"workshop's recipe, {recipe_epochs} epochs of {steps} batches of {batch_size}", seconds, measured])
    rows = [[name, f"{seconds:.0f} s", f"{accuracy:.3f}"] for name, seconds, accuracy in rows]
    print(measure.markdown(["network", "time", "validation accuracy"], rows))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["input", "memory", "recipe"])
    parser.add_argument("--runs", type=int, default=5, help="of each side (default: 5)")
    parser.add_argument("--data", type=Path, help="photographs (default: those in WORKSHOP_DATA)")
    parser.add_argument("--pictures", type=int, nargs="+", default=[2000, 6000], help="folder sizes for memory")
    parser.add_argument("--epochs", type=int, default=20, help="of the small network (default: 20)")
    arguments = parser.parse_args()
    print(measure.machine())
    if arguments.what == "input":
        measure_input(arguments.runs, arguments.data)
    elif arguments.what == "memory":
        measure_memory(arguments.pictures)
    else:
        measure_recipe(arguments.data, arguments.epochs, steps=8, batch_size=125, recipe_epochs=30)


if __name__ == "__main__":
    main()
