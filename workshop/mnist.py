"""Handwritten digits: a dense network against a convolutional one.

You build the two classic networks for MNIST, 70,000 digits of 28x28 pixels, and compare them. The dense network
(784-128-10) sees the image as a row of 784 numbers. The convolutional one (32-32-128) slides small filters over it, so
a stroke is the same stroke wherever it lies.

    python -m workshop.mnist                    # both; then look into the folder plots
    python -m workshop.mnist --model cnn        # one of them
    python -m workshop.mnist --quick            # a first look, in seconds

Expected, with the defaults on MNIST: dense at least 97.5 % of the test images right, CNN at least 99.0 %, both in
about 40 s on two CPU cores. Where the dense network of 1990 stood:

    python -m workshop.mnist --model dense --optimizer sgd --activation sigmoid --epochs 5     # 87 to 90 %

Without MNIST and without a network it trains on scikit-learn's 1,797 digits, and says so.
"""

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import bundle, cli, data, device, metrics, plots, training
from workshop.kit.lazy import keras


class Settings(NamedTuple):
    """How a network is trained unless the options say otherwise."""

    epochs: int
    learning_rate: float
    expected: float  # the lowest test accuracy that a default run reaches


SETTINGS = {"dense": Settings(5, 0.003, 0.975), "cnn": Settings(2, 0.005, 0.990)}
BATCH_SIZE = 64
FEW_IMAGES_EPOCHS = 20  # a quick run and a stand-in have under 2,000 training images: more passes, more steps


def build_dense(hidden_units: int = 128, activation: str = "relu") -> Any:
    """Returns the dense network: (28, 28, 1) -> 784 -> hidden_units -> 10 probabilities."""
    return keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(hidden_units, activation=activation),
            keras.layers.Dense(10, activation="softmax"),
        ],
        name="mnist_dense",
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
    return keras.Sequential(layers, name="mnist_cnn")


def train(kind: str, model: Any, images: data.ImageSet, arguments: argparse.Namespace, report: cli.Report) -> Any:
    """Compiles and fits one of the two networks; returns the history."""
    epochs = arguments.epochs or (SETTINGS[kind].epochs if len(images.X_train) > 2000 else FEW_IMAGES_EPOCHS)
    if arguments.optimizer is None:
        # Few epochs, each of them used: the rate warms up, and falls to zero along a cosine.
        batch_size = arguments.batch_size or BATCH_SIZE
        rate = arguments.learning_rate or SETTINGS[kind].learning_rate
        optimizer = training.make_optimizer("adamw", rate, steps=epochs * -(-len(images.X_train) // batch_size))
    else:
        # An optimizer of one's own choice runs as Keras runs it: constant rate, batches of 32.
        batch_size = arguments.batch_size or 32
        optimizer = training.make_optimizer(arguments.optimizer, arguments.learning_rate)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return training.fit(
        model,
        images.X_train,
        images.y_train,
        epochs=epochs,
        batch_size=batch_size,
        seed=arguments.seed,
        preprocess=data.scale_pixels,
        checkpoint=report.checkpoint(f"mnist_{kind}"),
        resume=arguments.resume,
    )


def compare_cross_entropies() -> str:
    """Returns a table: cross-entropy from class numbers equals cross-entropy from one-hot vectors."""
    probabilities = np.array([[0.04, 0.95, 0.01], [0.1, 0.8, 0.1]], np.float32)
    labels = np.array([1, 2])
    sparse = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    one_hot = keras.losses.categorical_crossentropy(keras.utils.to_categorical(labels, 3), probabilities)
    sparse, one_hot = keras.ops.convert_to_numpy(sparse), keras.ops.convert_to_numpy(one_hot)
    rows = [
        (str(p), str(label), f"{a:.8f}", f"{b:.8f}")
        for p, label, a, b in zip(probabilities, labels, sparse, one_hot, strict=True)
    ]
    return metrics.table(["probabilities", "class", "sparse", "one-hot"], rows)


def through_the_network(model: Any, image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Returns what each layer makes of one image (28, 28, 1): the layers' names and their outputs."""
    output = data.scale_pixels(image[None])
    stages = [("image", keras.ops.convert_to_numpy(output)[0])]
    for layer in model.layers:
        output = layer(output)
        if not isinstance(layer, keras.layers.Flatten):
            stages.append((type(layer).__name__, keras.ops.convert_to_numpy(output)[0]))
    return stages


def draw(
    kind: str, model: Any, images: data.ImageSet, probabilities: np.ndarray, arguments: argparse.Namespace
) -> list[Any]:
    """Draws the confusion matrix, the most confident mistakes, one image's way through the network, the filters."""
    predicted = probabilities.argmax(axis=1)
    accuracy = metrics.accuracy(images.y_test, probabilities)
    matrix = metrics.confusion_matrix(images.y_test, predicted, len(images.classes))
    mistakes = metrics.most_confident_mistakes(images.y_test, probabilities, 18)
    titles = [
        f"{images.classes[images.y_test[i]]} taken for {images.classes[predicted[i]]}\n{probabilities[i].max():.1%}"
        for i in mistakes
    ]
    figures = {
        "confusion": plots.confusion_matrix(matrix, images.classes, f"{kind}: {accuracy:.2%} of the test images right"),
        "mistakes": plots.image_grid(images.X_test[mistakes, ..., 0], titles, f"{kind}: the most confident mistakes"),
        "layers": plots.layer_by_layer(through_the_network(model, images.X_test[0]), f"One digit through the {kind}"),
    }
    if kind == "cnn":
        figures["filters"] = plots.filters(model.get_weights()[0], "What the first layer learned to look for")
    return [plots.save(figure, arguments.plots / f"mnist_{kind}-{name}.png") for name, figure in figures.items()]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        __doc__,
        epochs="5 dense, 2 CNN",
        batch_size="64",
        learning_rate="0.003 dense, 0.005 CNN, falling along a cosine",
        optimizer="adamw",
        data="DIR",
    )
    parser.add_argument("--model", choices=["dense", "cnn", "both"], default="both", help="(default: both)")
    parser.add_argument("--activation", choices=["relu", "sigmoid", "tanh"], default="relu", help="(default: relu)")
    parser.add_argument(
        "--hidden-units", type=cli.whole_number(1), default=128, metavar="N", help="of the dense layer (default: 128)"
    )
    parser.add_argument(
        "--filters", type=cli.whole_number(1), nargs="+", default=[32, 32], metavar="N",
        help="of the CNN's convolutions, one to three (default: 32 32)",
    )  # fmt: skip
    arguments = cli.parse_lesson(parser, argv)
    if len(arguments.filters) > 3:
        parser.error(f"--filters: got {len(arguments.filters)} numbers, an image of 28x28 takes one to three")
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    arguments = parse(argv)
    report = cli.Report("mnist", arguments)
    images = data.load_image_set("mnist", arguments.data)
    if arguments.quick:
        images = images.first(1000, 500)
    report.data(images.source, images.place)
    print(f"Engine    {device.prepare(arguments.seed)}")
    report.section("Cross-entropy, from class numbers and from one-hot vectors")
    print(compare_cross_entropies())

    kinds = ["dense", "cnn"] if arguments.model == "both" else [arguments.model]
    curves = {}
    for kind in kinds:
        # Each network starts from the seed, so the CNN is the same whether or not the dense one came first.
        keras.utils.set_random_seed(arguments.seed)
        if kind == "dense":
            model = build_dense(arguments.hidden_units, arguments.activation)
        else:
            model = build_cnn(arguments.filters, arguments.hidden_units, arguments.activation)
        report.section(f"{kind}: {model.count_params():,} weights")
        history = train(kind, model, images, arguments, report)
        curves[kind] = (history.at, history.fine["loss"])
        probabilities = training.predict(model, images.X_test, preprocess=data.scale_pixels)
        accuracy = metrics.accuracy(images.y_test, probabilities)
        print(f"{accuracy:.2%} of {len(images.X_test):,} test images right")
        prefix = f"{kind}_" if len(kinds) > 1 else ""
        report.result({f"{prefix}train_accuracy": history.epochs["accuracy"][-1], f"{prefix}test_accuracy": accuracy})
        report.expect(f"{prefix}test_accuracy", SETTINGS[kind].expected)
        name = bundle.name_for(f"mnist_{kind}", quick=arguments.quick, standin=images.is_standin)
        report.saved(
            *bundle.save(
                arguments.models, name, model, lesson="mnist", data=images.source, seed=arguments.seed,
                inputs=[bundle.Input("image", shape=(28, 28, 1))], classes=images.classes,
                metrics={"test_accuracy": accuracy},
            )
        )  # fmt: skip
        if not arguments.no_plots:
            report.saved(*draw(kind, model, images, probabilities, arguments))
    if not arguments.no_plots:
        figure, axes = plots.subplots(width=8)
        plots.draw_curves(axes, curves, y="training loss", title="Learning the digits", logarithmic=True)
        report.saved(plots.save(figure, arguments.plots / "mnist-loss.png"))
    model_file = arguments.models / f"{name}.h5"
    return report.finish(
        use=f"python -m apps.digit --model {model_file} YOUR-PICTURE.png",
        no_band=cli.why_no_band(arguments, images.is_standin),
    )


if __name__ == "__main__":
    cli.run(main)
