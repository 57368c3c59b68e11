"""An epoch of the MNIST networks in the NumPy engine and in PyTorch against Keras, side by side.

    WORKSHOP_DATA=... python -m benchmarks.numpy_engine [--runs 5] [--model dense|cnn]

All engines train the lesson's network on the same images with the lesson's optimizer at the same batch size, one epoch
each in turn, through the package's own training; the ratio is taken round by round. The first round, in which Keras
traces its loop, is left out. About six minutes.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace
from typing import Any

from benchmarks import measure
from workshop import mnist
from workshop.kit import device
from workshop.kit.data import images as image_data
from workshop.kit.engine import Plan
from workshop.pytorch import mnist as pytorch_mnist
from workshop.pytorch.kit import device as torch_device
from workshop.scratch import mnist as scratch_mnist
from workshop.scratch.nn import training

BATCH_SIZE = mnist.BATCH_SIZE
ENGINES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "Keras": (mnist.KERAS.build, mnist.train),
    "NumPy": (scratch_mnist.build, scratch_mnist.train),
    "PyTorch": (pytorch_mnist.build, pytorch_mnist.train),
}


def seconds_of_an_epoch(train: Callable[..., Any], model: Any, images: image_data.ImageSet) -> float:
    """Trains one epoch; returns the seconds."""
    plan = Plan("adam", None, 1, BATCH_SIZE)
    started = time.perf_counter()
    with redirect_stdout(StringIO()):
        train(model, images.X_train, images.y_train, plan, 1)
    return time.perf_counter() - started


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--model", choices=["dense", "cnn"], help="(default: both)")
    arguments = parser.parse_args()
    print(measure.machine())
    images = image_data.load_image_set("mnist")
    print(f"{images.source}, {len(images.X_train):,} images, batches of {BATCH_SIZE}")
    for prepare in (device.prepare, training.prepare, lambda seed: torch_device.prepare(seed)):
        print(prepare(1))
    rows = []
    for kind in [arguments.model] if arguments.model else ["dense", "cnn"]:
        options = SimpleNamespace(hidden_units=None, activation="relu", filters=[32, 32])
        models = {name: build(kind, options, 1) for name, (build, _) in ENGINES.items()}
        times: dict[str, list[float]] = {name: [] for name in ENGINES}
        for run in range(arguments.runs + 1):
            for name, (_, train) in ENGINES.items():
                seconds = seconds_of_an_epoch(train, models[name], images)
                if run:
                    times[name].append(seconds)
            print(kind, {name: round(found[-1], 2) for name, found in times.items() if found}, flush=True)
        for name in ("NumPy", "PyTorch"):
            ratios = [own / keras for own, keras in zip(times[name], times["Keras"], strict=True)]
            medians = [statistics.median(times[one]) for one in (name, "Keras")]
            rows.append(
                [f"{kind}, {name}", *(f"{median:.1f} s" for median in medians), f"{statistics.median(ratios):.2f}"]
            )
    print(measure.markdown(["network", "an epoch", "Keras' epoch", "ratio (median)"], rows))


if __name__ == "__main__":
    main()
