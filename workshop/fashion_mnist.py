"""Garments, the harder digits: the same two networks.

Fashion-MNIST has the form of MNIST, 70,000 grey images of 28x28 pixels in ten classes, but the classes are garments:
a shirt and a coat differ by a few pixels, and what is easy on digits no longer is. You train a dense network and a
CNN with one convolution more than the digits needed, and see in the confusion matrix where the doubts are.

    python -m workshop.fashion_mnist                    # both; then look into the folder plots
    python -m workshop.fashion_mnist --model dense      # one of them
    python -m workshop.fashion_mnist --quick            # a first look, in seconds

Expected, with the defaults on Fashion-MNIST: dense at least 88 % of the test images right, CNN at least 91.5 %, both
within a minute on two CPU cores. Then try what helped with the digits: `--filters 32 32`, `--activation tanh`,
`--optimizer sgd`, more `--epochs`.

Without Fashion-MNIST and without a network it trains on drawn garments, and says so.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import classifier, cli, device, training
from workshop.kit import report as reporting
from workshop.kit.classifier import Settings
from workshop.kit.data.images import scale_pixels
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.mnist import build_dense

SETTINGS = {"dense": Settings(5, 0.003, expected=0.88), "cnn": Settings(3, 0.004, expected=0.915)}
BATCH_SIZE = 64


def build_cnn(filters: Sequence[int] = (16, 32, 64), hidden_units: int = 96, activation: str = "relu") -> Any:
    """Returns the convolutional network: 3x3 convolutions, 2x2 poolings between them, then dense.

    With the defaults the shapes are 28x28x1 -> 28x28x16 -> 14x14x16 -> 14x14x32 -> 7x7x32 -> 5x5x64 -> 96 -> 10.
    Garments fill the whole image, so the first convolutions are padded: the hem at the border counts as well. Few
    filters come first, where the image is large and each of them costs most.
    """
    layers = [keras.layers.Input((28, 28, 1))]
    for i, count in enumerate(filters):
        is_last = i == len(filters) - 1
        padding = "valid" if is_last else "same"
        layers += [keras.layers.Conv2D(count, 3, padding=padding, activation=activation)]
        # The last convolution keeps all of its places: the dense layer decides what matters where.
        layers += [] if is_last and i else [keras.layers.MaxPooling2D()]
    layers += [
        keras.layers.Flatten(),
        keras.layers.Dense(hidden_units, activation=activation),
        keras.layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(layers)


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits one of the two networks on X, images as bytes, and y, numbers of classes.

    `options` are those of `training.fit`.
    """
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return training.fit(
        model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, preprocess=scale_pixels, **options
    )


def build(kind: str, arguments: argparse.Namespace) -> Any:
    """Returns one of the two networks, as the options want it."""
    if kind == "dense":
        return build_dense(arguments.hidden_units or 128, arguments.activation)
    return build_cnn(arguments.filters, arguments.hidden_units or 96, arguments.activation)


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def main(
    argv: Sequence[str] | None = None, engine: Engine = KERAS, settings: Mapping[str, Settings] = SETTINGS
) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    arguments = classifier.parse(engine.docstring, settings, BATCH_SIZE, (16, 32, 64), "128 dense, 96 cnn", argv)
    report = reporting.Report("fashion_mnist", arguments, engine)
    images = classifier.load_images(report)
    print(f"Engine    {engine.prepare(arguments.seed, arguments.precision)}")
    classifier.compare(images, settings, BATCH_SIZE, report, title="Learning the garments")
    return report.finish(
        use=f"python -m apps.garment --model {report.last_model} YOUR-PICTURE.png",
        no_band=reporting.why_no_band(arguments, images.is_standin),
    )


if __name__ == "__main__":
    cli.run(main)
