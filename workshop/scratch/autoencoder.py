"""Autoencoders, in NumPy: the mirror of `workshop/autoencoder.py`.

The same images, parts, options, metrics, plots and files, without any library for neural networks.

    python -m workshop.scratch.autoencoder                    # all eight parts; then look into the folder plots
    python -m workshop.scratch.autoencoder --part denoising   # one of them
    python -m workshop.scratch.autoencoder --quick            # a first look, in seconds

Expected, as with Keras, all eight parts in about 45 s on one CPU core: the linear network's subspace within 0.01 rad of
PCA's, a mean squared error of at most 0.006 with 32 numbers, noise of 0.5 more than halved, and an area under the ROC
curve of at least 0.99. The convolutional network trains on half as many images, in batches half as large.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workshop import autoencoder as lesson
from workshop.figures import autoencoder as figures
from workshop.kit import cli
from workshop.kit.data.images import scale_pixels
from workshop.kit.report import Report
from workshop.scratch.nn import device
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.losses import MeanSquaredError
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.pooling import UpSampling2D
from workshop.scratch.nn.reshaping import Flatten, Reshape
from workshop.scratch.nn.state import TrainingState

if TYPE_CHECKING:
    from workshop.autoencoder import Curve

# A convolution takes longer here, so it is trained on half as many images, in batches half as large.
CONVOLUTIONAL_IMAGES = 6000
RECIPES = lesson.RECIPES | {"convolutional": replace(lesson.RECIPES["convolutional"], batch_size=32)}


def build_dense(
    hidden_units: Sequence[int], latent_units: int, activation: str, output_activation: str
) -> tuple[list[Layer], list[Layer]]:
    """Returns encoder and decoder: 784 -> hidden units -> latent code, and back."""
    encoder = [Flatten(), *(Dense(units, activation) for units in hidden_units), Dense(latent_units)]
    decoder = [
        *(Dense(units, activation) for units in reversed(hidden_units)),
        Dense(784, output_activation),
        Reshape((28, 28, 1)),
    ]
    return encoder, decoder


def build_convolutional() -> tuple[list[Layer], list[Layer]]:
    """Returns encoder and decoder: 28x28 -> 14x14 -> 7x7 by strides, and back by repeated pixels."""
    encoder: list[Layer] = [
        Conv2D(lesson.FILTERS, 3, strides=2, padding="same", activation="silu"),
        Conv2D(lesson.LATENT_CHANNELS, 3, strides=2, padding="same"),
    ]
    decoder: list[Layer] = [
        UpSampling2D(),
        Conv2D(lesson.FILTERS, 3, padding="same", activation="silu"),
        UpSampling2D(),
        Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    return encoder, decoder


def build_numbers() -> Network:
    """Returns 2 -> 1 -> 2 without activations and biases, with weights that are not trained."""
    network = Network([Dense(1, use_bias=False), Dense(2, use_bias=False)], (2,))
    network.set_weights(lesson.DIAGONAL)
    return network


def build(kind: str, seed: int) -> tuple[Network, list[Layer]]:
    """Returns one of the networks by its name in `RECIPES`, and the layers of its encoder."""
    encoder, decoder = build_convolutional() if kind == "convolutional" else build_dense(*lesson.DENSE[kind])
    return Network([*encoder, *decoder], (28, 28, 1), seed), encoder


def train(
    kind: str,
    X: np.ndarray,
    y: np.ndarray,
    arguments: argparse.Namespace,
    report: Report,
    mean: float | np.ndarray = 0.0,
) -> tuple[Network, list[Layer], Curve]:
    """Builds a network and trains it on images X (bytes) whose reconstructions are to be y, both less their `mean`.

    Returns:
        The network, the layers of its encoder, and the epochs passed with the loss then.
    """
    recipe = lesson.choose_recipe(RECIPES[kind], arguments, len(X))
    network, encoder = build(kind, arguments.seed)
    print(f"The network {kind}: {network.count_params():,} weights, {len(X):,} images")

    criterion = MeanSquaredError()
    optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate, recipe.schedule_steps)
    state = TrainingState(report.checkpoint(f"autoencoder_{kind}"), recipe)
    for _epoch in state.epochs(network, optimizer, X, y, arguments.seed):
        for rows in state.batches():
            inputs, targets = scale_pixels(X[rows]) - mean, scale_pixels(y[rows]) - mean
            outputs = network.forward(inputs, training=True)
            loss = network.compute_loss(outputs, targets, criterion)
            network.backward(outputs, targets, criterion)
            optimizer.apply(network.gradients, network.parameters)
            state.log(len(rows), loss=loss)
    return network, encoder, state.curve


def encode(encoder: Sequence[Layer], X: np.ndarray) -> np.ndarray:
    """Returns the latent codes of images X (bytes)."""
    codes = scale_pixels(X)
    for layer in encoder:
        codes = layer.forward(codes)
    return codes


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the autoencoders; returns the metrics."""
    arguments = lesson.parse(__doc__, argv, RECIPES)
    parts = set(arguments.parts)
    report = Report("autoencoder", arguments, engine="numpy")
    digits, X_validation = lesson.load_digits(arguments, report)
    if "anomaly" in parts:
        X_garments = lesson.load_garments(arguments, report)
    report.engine(device.prepare())

    X_train, X_test = digits.X_train, digits.X_test
    pca = lesson.fit_pca(X_train)
    curves: dict[str, Curve] = {}
    use = ""

    if "numbers" in parts:
        report.section("numbers")
        points = lesson.draw_cloud(arguments.seed)
        encoder, decoder = build_numbers().layers
        codes = encoder.forward(points)
        lesson.show_numbers(points, codes, decoder.forward(codes), report)

    if "linear" in parts:
        report.section("linear")
        X = X_train[: lesson.LINEAR_IMAGES]
        mean = scale_pixels(X).mean(axis=0)
        network, _, curves["linear"] = train("linear", X, X, arguments, report, mean)
        network.set_weights(lesson.fold_mean(network.get_weights(), mean))
        error = lesson.reconstruction_error(X_test, network.predict(X_test, preprocess=scale_pixels))
        lesson.report_and_save("linear", network, error, digits, report)
        lesson.compare_subspaces(X, network.get_weights()[2], error, digits, report)

    if parts & {"deep", "anomaly", "missing"}:
        report.section("deep")
        deep, _, curves["deep"] = train("deep", X_train, X_train, arguments, report)
        reconstructions = deep.predict(X_test, preprocess=scale_pixels)
        lesson.report_and_save("deep", deep, lesson.reconstruction_error(X_test, reconstructions), digits, report)
        lesson.compare_with_pca(reconstructions, pca, digits, report)

    if "convolutional" in parts:
        report.section("convolutional")
        X = X_train[:CONVOLUTIONAL_IMAGES]
        network, encoder_layers, curves["convolutional"] = train("convolutional", X, X, arguments, report)
        reconstructions = network.predict(X_test, preprocess=scale_pixels)
        lesson.report_and_save(
            "convolutional", network, lesson.reconstruction_error(X_test, reconstructions), digits, report
        )
        lesson.show_codes(encode(encoder_layers, X_test[:10]), reconstructions[:10], digits, report)

    if "denoising" in parts:
        report.section("denoising")
        random = np.random.default_rng(arguments.seed)
        X_noisy = lesson.add_noise_of_all_levels(X_train, random)
        network, _, curves["denoiser"] = train("denoiser", X_noisy, X_train, arguments, report)
        noisy = {level: lesson.add_noise(X_test, level, random) for level in lesson.NOISE_LEVELS}
        cleaned = {level: network.predict(X, preprocess=scale_pixels) for level, X in noisy.items()}
        error = lesson.reconstruction_error(X_test, cleaned[lesson.NOISE_REPORTED])
        lesson.report_and_save("denoiser", network, error, digits, report)
        use = f"python -m apps.clean --model {report.last_model} NOISY-DIGIT.png"
        lesson.compare_with_noisy(noisy, cleaned, digits, report)

    if "anomaly" in parts:
        report.section("anomaly")
        images = {"validation digits": X_validation, "test digits": X_test, "garments": X_garments}
        reconstructed = {name: deep.predict(X, preprocess=scale_pixels) for name, X in images.items()}
        lesson.find_anomalies(images, reconstructed, report)

    if "missing" in parts:
        report.section("missing")
        lesson.compare_filled(deep.predict, pca, digits, arguments.seed, report)

    if "codes" in parts:
        report.section("codes")
        network, encoder_layers, curves["codes"] = train("codes", X_train, X_train, arguments, report)
        error = lesson.reconstruction_error(X_test, network.predict(X_test, preprocess=scale_pixels))
        lesson.report_and_save("codes", network, error, digits, report)
        train_codes = encode(encoder_layers, X_train[: lesson.MAX_NEIGHBORS_IMAGES])
        lesson.compare_maps(encode(encoder_layers, X_test), train_codes, pca, digits, report)

    if curves:  # the part `numbers` trains nothing
        report.plot("autoencoder-loss", figures.losses, curves)
    return report.finish(use=use)


if __name__ == "__main__":
    cli.run(main)
