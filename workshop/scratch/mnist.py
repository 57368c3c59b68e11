"""Handwritten digits, in NumPy: the mirror of `workshop/mnist.py`.

The same images, options, figures and files, without any library for neural networks. A convolution is one product of
matrices here: `convolution.py` lays out every place's window as a row (im2col).

    python -m workshop.scratch.mnist                    # both; then look into the folder plots
    python -m workshop.scratch.mnist --model cnn        # one of them
    python -m workshop.scratch.mnist --quick            # a first look, in seconds

Expected on MNIST: dense at least 97.5 % of the test images right, CNN at least 98 % after the one epoch that fits into
a minute on two CPU cores; `--model cnn --epochs 2` gets what Keras gets, 99 %.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from workshop import mnist as lesson
from workshop.kit import cli
from workshop.kit.classifier import Settings
from workshop.kit.data.images import scale_pixels
from workshop.kit.engine import Engine
from workshop.scratch.nn import training
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.pooling import MaxPooling2D
from workshop.scratch.nn.reshaping import Flatten

SETTINGS = lesson.SETTINGS | {"cnn": Settings(1, 0.005, expected=0.98)}


def build_dense(hidden_units: int = 128, activation: str = "relu") -> list[Layer]:
    """Returns the dense network: (28, 28, 1) -> 784 -> hidden_units -> 10 probabilities."""
    return [Flatten(), Dense(hidden_units, activation), Dense(10, "softmax")]


def build_cnn(filters: Sequence[int] = (32, 32), hidden_units: int = 128, activation: str = "relu") -> list[Layer]:
    """Returns the convolutional network: a 3x3 convolution and a 2x2 pooling for each of `filters`, then dense."""
    layers: list[Layer] = []
    for count in filters:
        layers += [Conv2D(count, (3, 3), activation=activation), MaxPooling2D((2, 2), (2, 2))]
    return [*layers, Flatten(), Dense(hidden_units, activation), Dense(10, "softmax")]


def build(kind: str, arguments: argparse.Namespace, seed: int) -> Network:
    """Returns one of the two networks, as the options want it."""
    hidden_units = arguments.hidden_units or 128
    if kind == "dense":
        layers = build_dense(hidden_units, arguments.activation)
    else:
        layers = build_cnn(arguments.filters, hidden_units, arguments.activation)
    return Network(layers, (28, 28, 1), seed)


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a network: see `training.fit`."""
    return training.fit(*arguments, loss="sparse_categorical_crossentropy", preprocess=scale_pixels, **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train), SETTINGS)


if __name__ == "__main__":
    cli.run(main)
