"""Garments, in NumPy: the mirror of `workshop/fashion_mnist.py`.

The same images, options, figures and files, without any library for neural networks: see `workshop/scratch`.

    python -m workshop.scratch.fashion_mnist                    # both; then look into the folder plots
    python -m workshop.scratch.fashion_mnist --model dense      # one of them

Expected on Fashion-MNIST: dense at least 88 % of the test images right, CNN at least 88 % after the one epoch that fits
into a minute on two CPU cores; `--model cnn --epochs 3` gets what Keras gets, 91.5 %.
"""

import argparse
from collections.abc import Sequence

from workshop import fashion_mnist as lesson
from workshop.kit import cli
from workshop.kit.classifier import Settings
from workshop.kit.engine import Engine
from workshop.scratch.mnist import build_dense, train
from workshop.scratch.nn import training
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.pooling import MaxPooling2D
from workshop.scratch.nn.reshaping import Flatten

SETTINGS = lesson.SETTINGS | {"cnn": Settings(1, 0.004, expected=0.88)}


def build_cnn(filters: Sequence[int] = (16, 32, 64), hidden_units: int = 96, activation: str = "relu") -> list[Layer]:
    """Returns the convolutional network: 3x3 convolutions, all but the last padded; 2x2 poolings; dense."""
    layers: list[Layer] = []
    for i, count in enumerate(filters):
        is_last = i == len(filters) - 1
        layers += [Conv2D(count, (3, 3), padding="valid" if is_last else "same", activation=activation)]
        layers += [] if is_last and i else [MaxPooling2D((2, 2), (2, 2))]
    return [*layers, Flatten(), Dense(hidden_units, activation), Dense(10, "softmax")]


def build(kind: str, arguments: argparse.Namespace, seed: int) -> Network:
    """Returns one of the two networks, as the options want it."""
    if kind == "dense":
        layers = build_dense(arguments.hidden_units or 128, arguments.activation)
    else:
        layers = build_cnn(arguments.filters, arguments.hidden_units or 96, arguments.activation)
    return Network(layers, (28, 28, 1), seed)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train), SETTINGS)


if __name__ == "__main__":
    cli.run(main)
