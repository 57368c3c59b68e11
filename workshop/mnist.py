"""Handwritten digits: a dense network against a convolutional one.

You build the two classic networks for MNIST, 70,000 digits of 28x28 pixels, and compare them. The dense network
(784-128-10) sees the image as a row of 784 numbers. The convolutional one (32-32-128) slides small filters over it, so
a stroke is the same stroke wherever it lies.

    python -m workshop.mnist                    # both; then look into the folder plots
    python -m workshop.mnist --model cnn        # one of them
    python -m workshop.mnist --quick            # a first look, in seconds

Expected, with the defaults on MNIST: dense at least 97.5 % of the test images right, CNN at least 99.0 %, both in
about 40 s on two CPU cores. Other networks that courses build:

    python -m workshop.mnist --model dense --optimizer sgd --activation sigmoid --epochs 5     # 87 to 90 %
    python -m workshop.mnist --model dense --optimizer adam --hidden-units 50
    python -m workshop.mnist --model cnn --filters 8 16

Without MNIST and without a network it trains on scikit-learn's 1,797 digits, and says so.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import classifier, cli, device, metrics, training
from workshop.kit import report as reporting
from workshop.kit.classifier import Settings
from workshop.kit.data.images import scale_pixels
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras

SETTINGS = {"dense": Settings(5, 0.003, expected=0.975), "cnn": Settings(2, 0.005, expected=0.990)}
BATCH_SIZE = 64


def build_dense(hidden_units: int = 128, activation: str = "relu") -> Any:
    """Returns the dense network: (28, 28, 1) -> 784 -> hidden_units -> 10 probabilities."""
    return keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(hidden_units, activation=activation),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def build_cnn(filters: Sequence[int] = (32, 32), hidden_units: int = 128, activation: str = "relu") -> Any:
    """Returns the convolutional network: a 3x3 convolution and a 2x2 pooling for each of `filters`, then dense.

    With the defaults the shapes are 28x28x1 -> 26x26x32 -> 13x13x32 -> 11x11x32 -> 5x5x32 -> 800 -> 128 -> 10.
    """
    layers = [keras.layers.Input((28, 28, 1))]
    for count in filters:
        layers += [keras.layers.Conv2D(count, 3, activation=activation), keras.layers.MaxPooling2D()]
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
    # The labels are class numbers; one-hot vectors with "categorical_crossentropy" would give the same loss.
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return training.fit(
        model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, preprocess=scale_pixels, **options
    )


def build(kind: str, arguments: argparse.Namespace) -> Any:
    """Returns one of the two networks, as the options want it."""
    hidden_units = arguments.hidden_units or 128
    if kind == "dense":
        return build_dense(hidden_units, arguments.activation)
    return build_cnn(arguments.filters, hidden_units, arguments.activation)


def compare_cross_entropies() -> str:
    """Returns a table: cross-entropy from class numbers equals cross-entropy from one-hot vectors."""
    probabilities = np.array([[0.04, 0.95, 0.01], [0.1, 0.8, 0.1]], np.float32)
    labels = np.array([1, 2])
    sparse = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    one_hot = keras.losses.categorical_crossentropy(keras.utils.to_categorical(labels, 3), probabilities)
    columns = probabilities, labels, keras.ops.convert_to_numpy(sparse), keras.ops.convert_to_numpy(one_hot)
    rows = [(str(p), str(label), f"{a:.6f}", f"{b:.6f}") for p, label, a, b in zip(*columns, strict=True)]
    return metrics.table(["probabilities", "class", "sparse", "one-hot"], rows)


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def main(
    argv: Sequence[str] | None = None, engine: Engine = KERAS, settings: Mapping[str, Settings] = SETTINGS
) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    arguments = classifier.parse(engine.docstring, settings, BATCH_SIZE, (32, 32), "128", argv)
    report = reporting.Report("mnist", arguments, engine)
    images = classifier.load_images(report)
    print(f"Engine    {engine.prepare(arguments.seed, arguments.precision)}")
    if engine is KERAS:
        report.section("Cross-entropy, from class numbers and from one-hot vectors")
        print(compare_cross_entropies())
    classifier.compare(images, settings, BATCH_SIZE, report, title="Learning the digits")
    return report.finish(
        use=f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png",
        no_band=reporting.why_no_band(arguments, images.is_standin),
    )


if __name__ == "__main__":
    cli.run(main)
