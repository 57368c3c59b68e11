"""Handwritten digits: a dense network against a convolutional one.

You build the two classic networks for MNIST, 70,000 digits of 28x28 pixels, and compare them. The dense network
(784-128-10) sees the image as a row of 784 numbers. The convolutional one (32-32-128) slides small filters over it, so
a stroke is the same stroke wherever it lies.

    python -m workshop.mnist                    # both; then look into the folder plots
    python -m workshop.mnist --model cnn        # one of them
    python -m workshop.mnist --quick            # a first look, in seconds

Expected on MNIST: dense at least 97.5 % test accuracy, CNN at least 99.0 %, both in about 40 s on two CPU cores. Other
networks that courses build:

    python -m workshop.mnist --model dense --optimizer sgd --activation sigmoid --epochs 5     # 87 to 90 %
    python -m workshop.mnist --model dense --optimizer adam --hidden-units 50
    python -m workshop.mnist --model cnn --filters 8 16

Without MNIST and without a network it trains on scikit-learn's 1,797 digits, and says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from workshop.figures import mnist as figures
from workshop.kit import cli, device, image_classifier, training
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

RECIPES = {
    "dense": Recipe(5, 0.003, batch_size=64, quick_epochs=8, small_set_epochs=20, own_batch_size=32),
    "cnn": Recipe(2, 0.005, batch_size=64, quick_epochs=8, small_set_epochs=20, own_batch_size=32),
}


def build_dense(hidden_units: int = 128, activation: str = "relu") -> keras.Sequential:
    """Returns the dense network: (28, 28, 1) -> 784 -> hidden_units -> 10 probabilities."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(hidden_units, activation=activation),
            keras.layers.Dense(10, activation="softmax", dtype="float32"),
        ]
    )


def build_cnn(filters: Sequence[int] = (32, 32), hidden_units: int = 128, activation: str = "relu") -> keras.Sequential:
    """Returns the convolutional network: a 3x3 convolution and a 2x2 pooling for each of `filters`, then dense layers.

    With the defaults the shapes are 28x28x1 -> 26x26x32 -> 13x13x32 -> 11x11x32 -> 5x5x32 -> 800 -> 128 -> 10.
    """
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for count in filters:
        model.add(keras.layers.Conv2D(count, 3, activation=activation))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hidden_units, activation=activation))
    # In single precision whatever the others compute in: a probability of nearly 0 has few digits in 16 bits.
    model.add(keras.layers.Dense(10, activation="softmax", dtype="float32"))
    return model


def build(kind: str, arguments: argparse.Namespace) -> keras.Sequential:
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
    rows = [
        (str(probabilities[i]), str(labels[i]), f"{float(sparse[i]):.6f}", f"{float(one_hot[i]):.6f}")
        for i in range(len(labels))
    ]
    return format_table(["probabilities", "class", "sparse", "one-hot"], rows)


def layer_outputs(model: keras.Sequential, image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Returns the output of each layer but Flatten for one image, uint8 (28, 28, 1), with the layer's name."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.Flatten)]
    all_outputs = keras.Model(model.inputs[0], [layer.output for layer in layers])
    pixels = scale_pixels(image[None])
    outputs = [keras.ops.convert_to_numpy(output)[0] for output in all_outputs(pixels)]
    return [("image", pixels[0]), *((type(layer).__name__, out) for layer, out in zip(layers, outputs, strict=True))]


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    return image_classifier.parse(docstring, RECIPES, (32, 32), "128", argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("mnist", arguments)
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed, arguments.precision))
    report.section("Cross-entropy, from class numbers and from one-hot vectors")
    print(compare_cross_entropies())

    X_test = scale_pixels(images.X_test)
    curves = {}
    for kind in arguments.kinds:
        report.section(kind)
        recipe = RECIPES[kind].with_options(arguments, samples=len(images.X_train))
        batches = training.shuffled_batches(
            images.X_train, images.y_train, recipe.batch_size, arguments.seed, scale_pixels
        )
        with device.scope(arguments.seed):
            model = build(kind, arguments)
        model.summary()
        model.compile(
            optimizer=recipe.make_optimizer(),  # AdamW; its learning rate warms up, then falls along a cosine
            loss="sparse_categorical_crossentropy",  # the labels are class numbers, not one-hot vectors
            metrics=["accuracy"],
            steps_per_execution=device.steps_per_execution(),  # 32 steps in one call of TensorFlow: the same, quicker
        )
        losses = training.StepLosses()  # the loss within the epochs, for the plot
        history = model.fit(
            batches,
            epochs=recipe.epochs,
            shuffle=False,  # the batches come shuffled, each epoch anew
            callbacks=[
                *training.tensorboard(arguments.tensorboard, kind),
                losses,
                training.Resume(report.checkpoint(f"mnist_{kind}"), batches, keep=[losses]),
            ],
            verbose=report.verbose,
        )
        curves[kind] = losses.curve
        _, test_accuracy = model.evaluate(X_test, images.y_test, batch_size=1000, verbose=0)
        probabilities = model.predict(X_test, batch_size=1000, verbose=0)

        metrics = {"train_accuracy": history.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(X_test):,} test images right")
        report.result(metrics, model=kind if len(arguments.kinds) > 1 else "", band=kind)
        report.save(
            f"mnist_{kind}",
            model,
            inputs=[Input("image", shape=(28, 28, 1))],
            classes=images.classes,
            metrics=metrics,
        )
        shown = figures.classifier(kind, images.X_test, images.y_test, probabilities, images.classes)
        report.plots(f"mnist_{kind}", shown)
        outputs = layer_outputs(model, images.X_test[0])
        report.plot(f"mnist_{kind}-layers", figures.layers, kind, outputs, images.classes)
        if kind == "cnn":
            report.plot("mnist_cnn-filters", figures.filters, model.get_weights()[0])
    report.plot("mnist-loss", figures.losses, curves, title="Training loss on the digits")
    return report.finish(use=f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png")


if __name__ == "__main__":
    cli.run(main)
