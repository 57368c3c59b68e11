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
from collections.abc import Sequence
from typing import Any

from workshop.kit import classifier, cli, data, device, plots, training
from workshop.kit.classifier import Settings
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


def train(
    kind: str, model: Any, images: data.ImageSet, arguments: argparse.Namespace, report: cli.Report
) -> training.History:
    """Compiles and fits one of the two networks."""
    optimizer, batch_size, epochs = classifier.choose_optimizer(
        arguments, SETTINGS[kind], BATCH_SIZE, len(images.X_train)
    )
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return training.fit(
        model,
        images.X_train,
        images.y_train,
        epochs=epochs,
        batch_size=batch_size,
        seed=arguments.seed,
        preprocess=data.scale_pixels,
        checkpoint=report.checkpoint(f"fashion_mnist_{kind}"),
        resume=arguments.resume,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    arguments = classifier.parse(__doc__, SETTINGS, BATCH_SIZE, (16, 32, 64), "128 dense, 96 cnn", argv)
    report = cli.Report("fashion_mnist", arguments)
    images = classifier.load_images("fashion_mnist", arguments, report)
    print(f"Engine    {device.prepare(arguments.seed)}")

    histories = {}
    for kind in arguments.kinds:
        # Each network starts from the seed, so the CNN is the same whether or not the dense one came first.
        keras.utils.set_random_seed(arguments.seed)
        if kind == "dense":
            model = build_dense(arguments.hidden_units or 128, arguments.activation)
        else:
            model = build_cnn(arguments.filters, arguments.hidden_units or 96, arguments.activation)
        report.section(f"{kind}: {model.count_params():,} weights")
        histories[kind] = train(kind, model, images, arguments, report)
        classifier.judge(
            "fashion_mnist", kind, model, histories[kind], images, SETTINGS[kind].expected, arguments, report
        )
    if not arguments.no_plots:
        figure = classifier.draw_losses(histories, "Learning the garments")
        report.saved(plots.save(figure, arguments.plots / "fashion_mnist-loss.png"))
    return report.finish(
        use=f"python -m apps.garment --model {report.last_model} YOUR-PICTURE.png",
        no_band=cli.why_no_band(arguments, images.is_standin),
    )


if __name__ == "__main__":
    cli.run(main)
