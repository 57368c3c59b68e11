"""Handwritten digits, in NumPy: the mirror of `workshop/mnist.py`.

The same images, options, metrics, plots and files, without any library for neural networks. A convolution is one
product of matrices here: `nn/convolution.py` lays out every place's window as a row (im2col).

    python -m workshop.scratch.mnist                    # both; then look into the folder plots
    python -m workshop.scratch.mnist --model cnn        # one of them
    python -m workshop.scratch.mnist --quick            # a first look, in seconds

Expected on MNIST: dense at least 97.5 % test accuracy, CNN at least 98 % after the one epoch that fits into a minute on
two CPU cores; `--model cnn --epochs 2` gets what Keras gets, 99 %. `--preset course-dense` takes ten seconds here,
`--preset course-cnn` two to three minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workshop import mnist as lesson
from workshop.figures import mnist as figures
from workshop.kit import cli, image_classifier
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.report import Report
from workshop.kit.saving.model import Preprocess
from workshop.scratch.nn import device
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.losses import SparseCategoricalCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.pooling import MaxPooling2D
from workshop.scratch.nn.reshaping import Flatten
from workshop.scratch.nn.state import TrainingState

RECIPES = lesson.RECIPES | {"cnn": replace(lesson.RECIPES["cnn"], epochs=1)}


def build_dense(hidden_units: Sequence[int] = (128,), activation: str = "relu") -> list[Layer]:
    """Returns the dense network: (28, 28, 1) -> 784 -> each of `hidden_units` -> 10 probabilities."""
    return [Flatten(), *(Dense(units, activation) for units in hidden_units), Dense(10, "softmax")]


def build_cnn(
    filters: Sequence[int] = (32, 32),
    hidden_units: Sequence[int] = (128,),
    activation: str = "relu",
    padding: str = "valid",
) -> list[Layer]:
    """Returns the layers of the CNN: a 3x3 convolution and a 2x2 pooling for each of `filters`, then dense layers."""
    layers: list[Layer] = []
    for count in filters:
        layers += [Conv2D(count, 3, padding=padding, activation=activation), MaxPooling2D()]
    return [*layers, *build_dense(hidden_units, activation)]


def build(kind: str, arguments: argparse.Namespace) -> Network:
    """Returns one of the two networks, as the options want it."""
    hidden_units = arguments.hidden_units[kind]
    if kind == "dense":
        layers = build_dense(hidden_units, arguments.activation)
    else:
        layers = build_cnn(arguments.filters, hidden_units, arguments.activation, arguments.padding)
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
    report = Report("mnist", arguments, engine="numpy")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    if arguments.look is not None:
        return lesson.show_training_images(report, images)
    image_classifier.check_indices("--predict", arguments.predict, len(images.X_test), images.source)
    report.engine(device.prepare(arguments.precision))

    preprocess = image_classifier.unscaled_pixels if arguments.no_scaling else scale_pixels  # to 0..255 or 0..1
    curves = {}
    for kind in arguments.kinds:
        name = image_classifier.model_name("mnist", kind, arguments)
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
            lesson.show_predictions(report, name, images, probabilities)
    report.plot(
        f"{image_classifier.run_name('mnist', arguments)}-loss",
        figures.losses,
        curves,
        title="Training loss on the digits",
    )
    use = f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png"
    # The programs give the network pixels of 0 to 1.
    return report.finish(use="" if arguments.no_scaling else use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
