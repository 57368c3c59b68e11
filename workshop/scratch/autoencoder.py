"""Autoencoders, in NumPy: the mirror of `workshop/autoencoder.py`.

The same images, parts, options, figures and files, without any library for neural networks.

    python -m workshop.scratch.autoencoder                    # all six parts; then look into the folder plots
    python -m workshop.scratch.autoencoder --part denoising   # one of them
    python -m workshop.scratch.autoencoder --quick            # a first look, in seconds

Expected, as with Keras, all six parts in about 45 s on one CPU core: the linear network's plane within 0.01 rad of
PCA's, a mean squared error of at most 0.006 with 32 numbers, noise of 0.5 more than halved, and an area under the ROC
curve of at least 0.99. The convolutional network learns from half as many images, in smaller steps.
"""

from collections.abc import Sequence
from typing import Any

from workshop import autoencoder as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.scratch.nn import training
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.pooling import UpSampling2D
from workshop.scratch.nn.reshaping import Flatten, Reshape

# A convolution takes longer here, so it learns from fewer images.
SETTINGS = lesson.SETTINGS | {
    "convolutional": lesson.SETTINGS["convolutional"]._replace(images=6000, batch_size=32, expected=0.02),
}


def build_dense(hidden_units: Sequence[int], code: int, activation: str, last: str) -> list[Layer]:
    """Returns 784 -> hidden units -> code -> hidden units -> 784; pictures (28, 28, 1) go in and come out."""
    return [
        Flatten(),
        *(Dense(units, activation) for units in hidden_units),
        Dense(code),
        *(Dense(units, activation) for units in reversed(hidden_units)),
        Dense(784, last),
        Reshape((28, 28, 1)),
    ]


def build_convolutional(filters: int, code: int) -> list[Layer]:
    """Returns 28x28 -> 14x14 -> 7x7 and back: strides make pictures smaller, repeated pixels make them larger."""
    return [
        Conv2D(filters, (3, 3), (2, 2), "same", "relu"),
        Conv2D(code, (3, 3), (2, 2), "same"),
        UpSampling2D(),
        Conv2D(filters, (3, 3), (1, 1), "same", "relu"),
        UpSampling2D(),
        Conv2D(1, (3, 3), (1, 1), "same", "sigmoid"),
    ]


def build(kind: str, seed: int) -> Network:
    """Returns one of the networks by its name in the lesson's `SETTINGS`."""
    layers = build_convolutional(*lesson.FILTERS) if kind == "convolutional" else build_dense(*lesson.DENSE[kind])
    return Network(layers, (28, 28, 1), seed)


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a network: see `training.fit`."""
    return training.fit(*arguments, loss="mean_squared_error", **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train), SETTINGS)


if __name__ == "__main__":
    cli.run(main)
