"""An epoch of the MNIST networks in the NumPy engine and in PyTorch against Keras, side by side.

    WORKSHOP_DATA=... python -m benchmarks.numpy_engine [--runs 5] [--model dense|cnn]

All engines train the lesson's network on the same images with the same optimizer and batch size, one epoch each in
turn, as the lesson and its mirrors do it; the ratio is taken round by round. The first round, in which Keras traces its
step, is left out. About six minutes.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from torch.utils.data import DataLoader

from benchmarks import measure
from workshop import mnist
from workshop.kit import device, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.training import Recipe
from workshop.pytorch import mnist as pytorch_mnist
from workshop.pytorch.kit import device as torch_device
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState as TorchState
from workshop.scratch import mnist as scratch_mnist
from workshop.scratch.nn import device as numpy_device
from workshop.scratch.nn.state import TrainingState as NumpyState

RECIPE = Recipe(epochs=1, batch_size=64, optimizer="adam", schedule=False)


def keras_epoch(options: argparse.Namespace, kind: str, images: ImageSet) -> Callable[[], object]:
    """Returns a function that trains Keras' network for an epoch."""
    batches = training.shuffled_batches(images.X_train, images.y_train, RECIPE.batch_size, 1, scale_pixels)
    with device.scope(1):
        model = mnist.build(kind, options)
    model.compile(
        RECIPE.make_optimizer(), "sparse_categorical_crossentropy", steps_per_execution=device.steps_per_execution()
    )
    return lambda: model.fit(batches, epochs=1, shuffle=False, verbose=0)


def torch_epoch(options: argparse.Namespace, kind: str, images: ImageSet) -> Callable[[], object]:
    """Returns a function that trains PyTorch's network for an epoch."""
    network = pytorch_mnist.build(kind, options)
    model = TorchModel(network, (28, 28, 1), "softmax")
    samples = ArrayDataset(images.X_train, images.y_train, scale_pixels)
    loader = DataLoader(samples, sampler=SeededBatches(len(samples), RECIPE.batch_size, 1), batch_size=None)
    return lambda: pytorch_mnist.train(network, loader, TorchState(None, RECIPE, model, verbose=0))


def numpy_epoch(options: argparse.Namespace, kind: str, images: ImageSet) -> Callable[[], object]:
    """Returns a function that trains the NumPy engine's network for an epoch."""
    network = scratch_mnist.build(kind, options)
    return lambda: scratch_mnist.train(network, images.X_train, images.y_train, 1, NumpyState(None, RECIPE, verbose=0))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--model", choices=["dense", "cnn"], help="(default: both)")
    arguments = parser.parse_args()
    print(measure.machine())
    images = load_image_set("mnist")
    print(f"{images.source}, {len(images.X_train):,} images, batches of {RECIPE.batch_size}")
    for line in (device.prepare(1), numpy_device.prepare(), torch_device.prepare(1)):
        print(line)
    rows = []
    for kind in [arguments.model] if arguments.model else ["dense", "cnn"]:
        options = mnist.parse(None, ["--seed", "1"])
        engines = {"Keras": keras_epoch, "NumPy": numpy_epoch, "PyTorch": torch_epoch}
        epochs = {name: make(options, kind, images) for name, make in engines.items()}
        times: dict[str, list[float]] = {name: [] for name in engines}
        for run in range(arguments.runs + 1):
            for name, train in epochs.items():
                started = time.perf_counter()
                train()
                if run:
                    times[name].append(time.perf_counter() - started)
            print(kind, {name: round(seconds[-1], 2) for name, seconds in times.items() if seconds}, flush=True)
        for name in ("NumPy", "PyTorch"):
            ratios = [own / keras for own, keras in zip(times[name], times["Keras"], strict=True)]
            medians = [statistics.median(times[engine]) for engine in (name, "Keras")]
            rows.append(
                [f"{kind}, {name}", *(f"{median:.1f} s" for median in medians), f"{statistics.median(ratios):.2f}"]
            )
    print(measure.markdown(["network", "an epoch", "Keras' epoch", "ratio (median)"], rows))


if __name__ == "__main__":
    main()
