"""Garments, in NumPy: the mirror of `workshop/fashion_mnist.py`.

The same images, options, metrics, plots and files, without any library for neural networks.

    python -m workshop.scratch.fashion_mnist                    # both; then look into the folder plots
    python -m workshop.scratch.fashion_mnist --model dense      # one of them

Expected on Fashion-MNIST: dense at least 88 % test accuracy, CNN at least 88 % after the one epoch that fits into a
minute on two CPU cores; `--model cnn --epochs 4` gets what Keras gets, 91.5 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workshop import fashion_mnist as lesson
from workshop.figures import fashion_mnist as figures
from workshop.kit import cli, image_classifier
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.report import Report
from workshop.kit.saving.model import Preprocess
from workshop.mnist import show_predictions, show_training_images
from workshop.scratch import mnist
from workshop.scratch.nn import device
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Layer
from workshop.scratch.nn.losses import SparseCategoricalCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.pooling import MaxPooling2D
from workshop.scratch.nn.state import TrainingState

RECIPES = lesson.RECIPES | {"cnn": replace(lesson.RECIPES["cnn"], epochs=1)}


def build_cnn(
    filters: Sequence[int] = (16, 32, 64), hidden_units: Sequence[int] = (96,), activation: str = "relu"
) -> list[Layer]:
    """Returns the convolutional network: 3x3 convolutions, all but the last padded; 2x2 poolings; dense layers."""
    layers: list[Layer] = []
    for i, count in enumerate(filters):
        is_last = i == len(filters) - 1
        layers.append(Conv2D(count, 3, padding="valid" if is_last else "same", activation=activation))
        if not is_last or i == 0:
            layers.append(MaxPooling2D())
    return [*layers, *mnist.build_dense(hidden_units, activation)]


def build(kind: str, arguments: argparse.Namespace) -> Network:
    """Returns one of the two networks, as the options want it."""
    if kind == "dense" or arguments.preset:
        return mnist.build(kind, arguments)  # the digits' network
    layers = build_cnn(arguments.filters, arguments.hidden_units[kind], arguments.activation)
    return Network(layers, (28, 28, 1), arguments.seed)


def train(
    network: Network,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    state: TrainingState,
    preprocess: Preprocess = scale_pixels,
) -> None:
    """The training loop, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = SparseCategoricalCrossentropy()
    recipe = state.recipe
    optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate, recipe.schedule_steps)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            inputs, targets = preprocess(X[rows]), y[rows]
            probabilities = network.forward(inputs, training=True)
            loss = network.compute_loss(probabilities, targets, criterion)
            network.backward(probabilities, targets, criterion)
            optimizer.apply(network.gradients, network.parameters)
            accuracy = np.mean(probabilities.argmax(axis=1) == targets)
            state.log(len(rows), loss=loss, accuracy=accuracy)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = lesson.parse(__doc__, argv, RECIPES)
    report = Report("fashion_mnist", arguments, engine="numpy")
    images = load_image_set("fashion_mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    if arguments.look is not None:
        return show_training_images(report, images)
    image_classifier.check_indices("--predict", arguments.predict, len(images.X_test), images.source)
    report.engine(device.prepare(arguments.precision))

    preprocess = image_classifier.unscaled_pixels if arguments.no_scaling else scale_pixels  # to 0..255 or 0..1
    curves = {}
    for kind in arguments.kinds:
        name = image_classifier.model_name("fashion_mnist", kind, arguments)
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[kind].with_options(arguments, samples=len(images.X_train))
        network = build(kind, arguments)
        report.section(f"{kind}: {network.count_params():,} weights")
        state = TrainingState(report.checkpoint(name), recipe)
        train(network, images.X_train, images.y_train, arguments.seed, state, preprocess)
        curves[kind] = state.curve

        probabilities = network.predict(images.X_test, preprocess=preprocess)
        test_accuracy = float(np.mean(probabilities.argmax(axis=1) == images.y_test))
        metrics = {"train_accuracy": state.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(images.X_test):,} test images classified correctly")
        report.result(metrics, model=kind, is_only=len(arguments.kinds) == 1)
        report.save(  # the .h5 that Keras would write, and a card (.json): inputs, classes, metrics, digests
            name,
            network,
            inputs=[image_classifier.image_input(arguments)],
            classes=images.classes,
            metrics=metrics,
        )
        report.plots(name, figures.evaluation(kind, images.X_test, images.y_test, probabilities, images.classes))
        pixels = preprocess(images.X_test[:1])
        outputs = [("image", pixels[0]), *((layer, output[0]) for layer, output in network.stages(pixels))]
        report.plot(f"{name}-layers", figures.layers, kind, outputs, images.classes)
        if kind == "cnn":
            report.plot(f"{name}-filters", figures.filters, network.get_weights()[0])
        elif not arguments.hidden_units[kind]:  # 784-10: each output has an image of weights
            report.plot(f"{name}-weights", figures.weight_images, network.get_weights()[0], images.classes)
        if arguments.predict:
            show_predictions(report, name, images, probabilities)
    report.plot(
        f"{image_classifier.run_name('fashion_mnist', arguments)}-loss",
        figures.losses,
        curves,
        title="Training loss on the garments",
    )
    use = f"python -m apps.garment --model {report.last_model} YOUR-PICTURE.png"
    # The programs give the network pixels of 0 to 1.
    return report.finish(use="" if arguments.no_scaling else use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
