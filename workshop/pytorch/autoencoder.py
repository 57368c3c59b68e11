"""Autoencoders, in PyTorch: the mirror of `workshop/autoencoder.py`.

The same images, parts, options, figures and files; the networks are PyTorch's, and so are the steps: see
`pytorch/training.py` for the training loop. Pictures go in and come out channels last, as Keras has them. A dense
network flattens them, and `ReshapeAsKeras` makes images of its last row of numbers, channels first, as PyTorch has
them.

    python -m workshop.pytorch.autoencoder                    # all six parts; then look into the folder plots
    python -m workshop.pytorch.autoencoder --part denoising   # one of them
    python -m workshop.pytorch.autoencoder --quick            # a first look, in seconds

Expected, as with Keras: the linear network's plane within 0.01 rad of PCA's, a mean squared error of at most 0.006 with
32 numbers, noise of 0.5 more than halved, and an area under the ROC curve of at least 0.99, within a minute on two CPU
cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import autoencoder as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, image_layers, layers, layout, training


def build_dense(hidden_units: Sequence[int], code: int, activation: str, last: str) -> list[Any]:
    """Returns 784 -> hidden units -> code -> hidden units -> 784; pictures (28, 28, 1) go in and come out."""
    modules: list[Any] = [nn.Flatten()]
    numbers = 784
    for units in hidden_units:
        modules += [nn.Linear(numbers, units), layers.activation(activation)]
        numbers = units
    modules.append(nn.Linear(numbers, code))
    numbers = code
    for units in reversed(hidden_units):
        modules += [nn.Linear(numbers, units), layers.activation(activation)]
        numbers = units
    modules += [nn.Linear(numbers, 784), layers.activation(last)]
    return [*modules, layout.ReshapeAsKeras((28, 28, 1)), layout.ChannelsLast()]


def build_convolutional(filters: int, code: int) -> list[Any]:
    """Returns 28x28 -> 14x14 -> 7x7 and back: strides make pictures smaller, repeated pixels make them larger."""
    return [
        layout.ChannelsFirst(),
        # An even number of pixels with strides of two: Keras pads after the last row alone, `padding=1` on both sides.
        image_layers.PadAsTensorFlow(3, 2),
        nn.Conv2d(1, filters, 3, stride=2),
        nn.ReLU(),
        image_layers.PadAsTensorFlow(3, 2),
        nn.Conv2d(filters, code, 3, stride=2),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(code, filters, 3, padding=1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(filters, 1, 3, padding=1),
        nn.Sigmoid(),
        layout.ChannelsLast(),
    ]


def build(kind: str, seed: int) -> Any:
    """Returns one of the networks by its name in the lesson's `SETTINGS`."""
    torch.manual_seed(seed)
    if kind == "convolutional":
        return training.new_model(build_convolutional(*lesson.FILTERS), (28, 28, 1))
    return training.new_model(build_dense(*lesson.DENSE[kind]), (28, 28, 1))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a network: see `training.fit`."""
    return training.fit(*arguments, loss=nn.MSELoss(), **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
