"""Autoencoders, in PyTorch: the mirror of `workshop/autoencoder.py`.

The same images, parts, options, metrics, plots and files. PyTorch has the channels of an image first, and pads its
border in another way where a convolution skips pixels: `PadAsTensorFlow` does it as Keras does.

    python -m workshop.pytorch.autoencoder                    # all eight parts; then look into the folder plots
    python -m workshop.pytorch.autoencoder --part denoising   # one of them
    python -m workshop.pytorch.autoencoder --quick            # a first look, in seconds

Expected, as with Keras: the linear network's subspace within 0.01 rad of PCA's, a mean squared error of at most 0.006
with 32 numbers, noise of 0.5 more than halved, and an area under the ROC curve of at least 0.99, within a minute on two
CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import autoencoder as lesson
from workshop.figures import autoencoder as figures
from workshop.kit import cli
from workshop.kit.data.images import scale_pixels
from workshop.kit.report import Report
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches, as_tensor
from workshop.pytorch.kit.image_layers import PadAsTensorFlow
from workshop.pytorch.kit.layers import activation, initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState

if TYPE_CHECKING:
    from workshop.autoencoder import Curve


class DenseAutoencoder(nn.Module):
    """784 -> hidden units -> latent code -> hidden units -> 784; images (n, 1, 28, 28) go in and come out."""

    def __init__(
        self, hidden_units: Sequence[int], latent_units: int, hidden_activation: str, output_activation: str
    ) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten())
        inputs = 784
        for units in hidden_units:
            self.encoder.extend([nn.Linear(inputs, units), activation(hidden_activation)])
            inputs = units
        self.encoder.append(nn.Linear(inputs, latent_units))

        self.decoder = nn.Sequential()
        inputs = latent_units
        for units in reversed(hidden_units):
            self.decoder.extend([nn.Linear(inputs, units), activation(hidden_activation)])
            inputs = units
        self.decoder.extend([nn.Linear(inputs, 784), activation(output_activation)])

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the latent codes of images."""
        return self.encoder(x)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Returns the images that latent codes stand for."""
        return self.decoder(code).unflatten(1, (1, 28, 28))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the reconstructions of images."""
        return self.decode(self.encode(x))


class ConvolutionalAutoencoder(nn.Module):
    """28x28 -> 14x14 -> 7x7 and back: strides make images smaller, repeated pixels make them larger."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            # At these sizes Keras pads one row and one column, after the last; `padding=1` pads on both sides.
            PadAsTensorFlow(3, 2),
            nn.Conv2d(1, lesson.FILTERS, 3, stride=2),
            nn.SiLU(),
            PadAsTensorFlow(3, 2),
            nn.Conv2d(lesson.FILTERS, lesson.LATENT_CHANNELS, 3, stride=2),
        )
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv2d(lesson.LATENT_CHANNELS, lesson.FILTERS, 3, padding=1),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(lesson.FILTERS, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the latent codes of images, (n, channels, 7, 7)."""
        return self.encoder(x)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Returns the images that latent codes stand for."""
        return self.decoder(code)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the reconstructions of images."""
        return self.decode(self.encode(x))


Autoencoder = DenseAutoencoder | ConvolutionalAutoencoder


def build_numbers() -> tuple[nn.Linear, nn.Linear]:
    """Returns the two layers of 2 -> 1 -> 2 without activations and biases, with weights that are not trained."""
    encoder, decoder = nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        for layer, weights in zip((encoder, decoder), lesson.DIAGONAL, strict=True):
            layer.weight.copy_(torch.tensor(weights.T))  # PyTorch has the outputs first
    return encoder, decoder


def build(kind: str, seed: int) -> Autoencoder:
    """Returns one of the networks by its name in `lesson.RECIPES`; its weights are drawn as Keras draws them."""
    torch.manual_seed(seed)
    network = ConvolutionalAutoencoder() if kind == "convolutional" else DenseAutoencoder(*lesson.DENSE[kind])
    initialize_as_keras(network)
    return network.to(device.choose_device())


def train(
    kind: str,
    X: np.ndarray,
    y: np.ndarray,
    arguments: argparse.Namespace,
    report: Report,
    mean: float | np.ndarray = 0.0,
) -> tuple[Autoencoder, TorchModel, Curve]:
    """Builds a network and trains it on images X (bytes) whose reconstructions are to be y, both less their `mean`.

    Returns:
        The network, the same as a model of the workshop, and the epochs passed with the loss then.
    """

    def preprocess(images: np.ndarray) -> np.ndarray:
        return scale_pixels(images) - mean

    recipe = lesson.choose_recipe(lesson.RECIPES[kind], arguments, len(X))
    dataset = ArrayDataset(X, y, preprocess=preprocess, preprocess_targets=preprocess)
    batches = SeededBatches(len(dataset), recipe.batch_size, arguments.seed)
    loader = DataLoader(dataset, sampler=batches, batch_size=None)  # the sampler gives whole batches
    network = build(kind, arguments.seed)
    # The same network and weights as Keras and the .h5 have them: channels last.
    model = TorchModel(network, input_shape=(28, 28, 1))
    print(f"The network {kind}: {model.count_params():,} weights, {len(X):,} images")
    print(network)

    criterion = nn.MSELoss()
    # The recipe's: by default AdamW, warm-up and cosine decay; the constants are Keras'.
    optimizer, scheduler = optimizers.make(recipe, network.parameters())
    state = TrainingState(report.checkpoint(f"autoencoder_{kind}"), recipe, model)
    for _epoch in state.epochs(optimizer, scheduler, loader):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            scheduler.step()
            state.log(len(inputs), loss=loss)
    return network, model, state.curve


@torch.no_grad()
def encode(network: Autoencoder, X: np.ndarray) -> np.ndarray:
    """Returns the latent codes of images X (bytes), channels last."""
    network.eval()
    codes = network.encode(as_tensor(scale_pixels(X)).to(device.choose_device())).cpu().numpy()
    return np.moveaxis(codes, 1, -1)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the autoencoders; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    parts = set(arguments.parts)
    report = Report("autoencoder", arguments, engine="torch")
    digits, X_validation = lesson.load_digits(arguments, report)
    if "anomaly" in parts:
        X_garments = lesson.load_garments(arguments, report)
    report.engine(device.prepare(arguments.seed))

    X_train, X_test = digits.X_train, digits.X_test
    pca = lesson.fit_pca(X_train)
    curves: dict[str, Curve] = {}
    use = ""

    if "numbers" in parts:
        report.section("numbers")
        points = lesson.draw_cloud(arguments.seed)
        encoder, decoder = build_numbers()
        with torch.no_grad():
            codes = encoder(torch.tensor(points))
            lesson.show_numbers(points, codes.numpy(), decoder(codes).numpy(), report)

    if "linear" in parts:
        report.section("linear")
        X = X_train[: lesson.LINEAR_IMAGES]
        mean = scale_pixels(X).mean(axis=0)
        _, model, curves["linear"] = train("linear", X, X, arguments, report, mean)
        model.set_weights(lesson.fold_mean(model.get_weights(), mean))
        error = lesson.reconstruction_error(X_test, model.predict(X_test, preprocess=scale_pixels))
        lesson.report_and_save("linear", model, error, digits, report)
        lesson.compare_subspaces(X, model.get_weights()[2], error, digits, report)

    if parts & {"deep", "anomaly", "missing"}:
        report.section("deep")
        _, deep, curves["deep"] = train("deep", X_train, X_train, arguments, report)
        reconstructions = deep.predict(X_test, preprocess=scale_pixels)
        lesson.report_and_save("deep", deep, lesson.reconstruction_error(X_test, reconstructions), digits, report)
        lesson.compare_with_pca(reconstructions, pca, digits, report)

    if "convolutional" in parts:
        report.section("convolutional")
        X = X_train[: lesson.CONVOLUTIONAL_IMAGES]
        network, model, curves["convolutional"] = train("convolutional", X, X, arguments, report)
        reconstructions = model.predict(X_test, preprocess=scale_pixels)
        lesson.report_and_save(
            "convolutional", model, lesson.reconstruction_error(X_test, reconstructions), digits, report
        )
        lesson.show_codes(encode(network, X_test[:10]), reconstructions[:10], digits, report)

    if "denoising" in parts:
        report.section("denoising")
        random = np.random.default_rng(arguments.seed)
        X_noisy = lesson.add_noise_of_all_levels(X_train, random)
        _, model, curves["denoiser"] = train("denoiser", X_noisy, X_train, arguments, report)
        noisy = {level: lesson.add_noise(X_test, level, random) for level in lesson.NOISE_LEVELS}
        cleaned = {level: model.predict(X, preprocess=scale_pixels) for level, X in noisy.items()}
        error = lesson.reconstruction_error(X_test, cleaned[lesson.NOISE_REPORTED])
        lesson.report_and_save("denoiser", model, error, digits, report)
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
        network, model, curves["codes"] = train("codes", X_train, X_train, arguments, report)
        error = lesson.reconstruction_error(X_test, model.predict(X_test, preprocess=scale_pixels))
        lesson.report_and_save("codes", model, error, digits, report)
        train_codes = encode(network, X_train[: lesson.MAX_NEIGHBORS_IMAGES])
        lesson.compare_maps(encode(network, X_test), train_codes, pca, digits, report)

    if curves:  # the part `numbers` trains nothing
        report.plot("autoencoder-loss", figures.losses, curves)
    return report.finish(use=use)


if __name__ == "__main__":
    cli.run(main)
