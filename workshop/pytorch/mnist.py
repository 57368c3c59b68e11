"""Handwritten digits, in PyTorch: the mirror of `workshop/mnist.py`.

The same images, options, figures and files; the networks are PyTorch's, and so are the steps: see `pytorch/training.py`
for the training loop. The images come channels last, as Keras has them; `ChannelsFirst` and `FlattenAsKeras` are the
two places where PyTorch's order of the axes matters. Each network ends in a softmax and is trained on its logits.

    python -m workshop.pytorch.mnist                    # both; then look into the folder plots
    python -m workshop.pytorch.mnist --model cnn        # one of them
    python -m workshop.pytorch.mnist --quick            # a first look, in seconds

Expected, as with Keras: dense at least 97.5 % of the test images right, CNN at least 99.0 %, both within a minute on
two CPU cores.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from workshop import mnist as lesson
from workshop.kit import cli
from workshop.kit.data import images as image_data
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, layers, layout, training


def build_dense(hidden_units: int = 128, activation: str = "relu") -> list[Any]:
    """Returns the dense network: (28, 28, 1) -> 784 -> hidden_units -> 10 probabilities."""
    return [
        nn.Flatten(),
        nn.Linear(784, hidden_units),
        layers.activation(activation),
        nn.Linear(hidden_units, 10),
        nn.Softmax(dim=1),
    ]


def build_cnn(filters: Sequence[int] = (32, 32), hidden_units: int = 128, activation: str = "relu") -> list[Any]:
    """Returns the convolutional network: a 3x3 convolution and a 2x2 pooling for each of `filters`, then dense."""
    modules = [layout.ChannelsFirst()]
    channels, size = 1, 28
    for count in filters:
        modules += [nn.Conv2d(channels, count, 3), layers.activation(activation), nn.MaxPool2d(2)]
        channels, size = count, (size - 2) // 2
    return [
        *modules,
        layout.FlattenAsKeras(),
        nn.Linear(size * size * channels, hidden_units),
        layers.activation(activation),
        nn.Linear(hidden_units, 10),
        nn.Softmax(dim=1),
    ]


def build(kind: str, arguments: argparse.Namespace, seed: int) -> Any:
    """Returns one of the two networks, as the options want it."""
    torch.manual_seed(seed)
    hidden_units = arguments.hidden_units or 128
    if kind == "dense":
        modules = build_dense(hidden_units, arguments.activation)
    else:
        modules = build_cnn(arguments.filters, hidden_units, arguments.activation)
    return training.new_model(modules, (28, 28, 1))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a network: see `training.fit`."""
    return training.fit(*arguments, loss=nn.CrossEntropyLoss(), preprocess=image_data.scale_pixels, **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
