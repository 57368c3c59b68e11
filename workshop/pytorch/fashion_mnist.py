"""Garments, in PyTorch: the mirror of `workshop/fashion_mnist.py`.

The same images, options, figures and files; the networks are PyTorch's, and so are the steps: see `pytorch/training.py`
for the training loop, and `pytorch/mnist.py` for the order of the axes.

    python -m workshop.pytorch.fashion_mnist                    # both; then look into the folder plots
    python -m workshop.pytorch.fashion_mnist --model dense      # one of them

Expected, as with Keras: dense at least 88 % of the test images right, CNN at least 91.5 %, both within a minute on two
CPU cores.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from workshop import fashion_mnist as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, layers, layout, training
from workshop.pytorch.mnist import build_dense, train


def build_cnn(filters: Sequence[int] = (16, 32, 64), hidden_units: int = 96, activation: str = "relu") -> list[Any]:
    """Returns the convolutional network: 3x3 convolutions, all but the last padded; 2x2 poolings; dense."""
    modules = [layout.ChannelsFirst()]
    channels, size = 1, 28
    for i, count in enumerate(filters):
        is_last = i == len(filters) - 1
        padding = "valid" if is_last else "same"
        modules += [nn.Conv2d(channels, count, 3, padding=padding), layers.activation(activation)]
        size -= 2 * is_last
        if not (is_last and i):
            modules += [nn.MaxPool2d(2)]
            size //= 2
        channels = count
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
    if kind == "dense":
        modules = build_dense(arguments.hidden_units or 128, arguments.activation)
    else:
        modules = build_cnn(arguments.filters, arguments.hidden_units or 96, arguments.activation)
    return training.new_model(modules, (28, 28, 1))


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
