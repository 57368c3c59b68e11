"""Autoencoders: networks that reproduce an image, though little of it fits through their middle.

An image of a digit is 784 numbers. The first half of the network, the encoder, makes a few numbers of them, the latent
code; the second half, the decoder, makes the image again. Nobody says what a digit is: to get one through so narrow a
layer the network has to find out by itself. Eight parts, all in one run unless you choose one:

    python -m workshop.autoencoder                           # all eight; then look into the folder plots
    python -m workshop.autoencoder --part denoising          # one of them
    python -m workshop.autoencoder --quick                   # a first look, in seconds

`numbers`: two numbers through one and back, by weights that you can follow with pencil and paper. `linear`: without
activations a network finds what principal component analysis (PCA) finds. `deep`: hidden layers leave a third of PCA's
error. `convolutional`: filters instead, and a code of small images. `denoising`: noisy digits go in and clean ones are
to come out. `anomaly`: a network reconstructs badly what it was not trained on, so garments are found among digits.
`missing`: pixels that were lost are filled in. `codes`: a code of two numbers is a map of the digits.

Expected on MNIST: the linear network's subspace within 0.01 rad of PCA's; a mean squared error of at most 0.006 with 32
numbers, where PCA has 0.017; of noise of 0.5 less than half of the error left; garments told from digits with an area
under the ROC curve of at least 0.99; missing pixels filled in with less than half of the mean digit's error. About 50 s
on two CPU cores. Then clean an image of your own:

    python -m apps.clean NOISY-DIGIT.png
"""

from __future__ import annotations

import argparse
import gc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.figures import autoencoder as figures
from workshop.kit import cli, device, metrics, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    import keras
    from sklearn.decomposition import PCA

    from workshop.kit.saving.model import Model

    Curve = tuple[Sequence[float], Sequence[float]]  # epochs passed, and the training loss then


class DenseLayers(NamedTuple):
    """The layers of a dense autoencoder: `hidden_units` before the latent code, the same backwards after it."""

    hidden_units: tuple[int, ...]
    latent_units: int
    activation: str
    output_activation: str


DENSE = {
    # The ninth variance of MNIST's PCA is clearly above the tenth: its subspace of nine dimensions is well defined.
    "linear": DenseLayers((), 9, "linear", "linear"),
    "deep": DenseLayers((256,), 32, "relu", "sigmoid"),
    "denoiser": DenseLayers((256,), 128, "relu", "sigmoid"),
    "codes": DenseLayers((256, 64), 2, "silu", "sigmoid"),  # smooth, as a map is to be
}
# Of the convolutional encoder.
FILTERS = 16
LATENT_CHANNELS = 4
RECIPES = {
    "linear": Recipe(epochs=400, learning_rate=0.01, batch_size=1000),  # all of its images in each step
    "deep": Recipe(epochs=4, learning_rate=0.01, batch_size=128),
    "convolutional": Recipe(epochs=2, learning_rate=0.01, batch_size=64),
    "denoiser": Recipe(epochs=2, learning_rate=0.005, batch_size=128),
    "codes": Recipe(epochs=2, learning_rate=0.007, batch_size=128),
}
LINEAR_IMAGES, CONVOLUTIONAL_IMAGES = 1000, 12_000  # that these train on, at most; the others train on all
SMALL_SET = 2000  # images; on fewer, a network trains for about this many steps, if its epochs make fewer:
MIN_STEPS, MIN_QUICK_STEPS = 400, 100
VALIDATION_IMAGES = 5000  # of the training images, at most a fifth
COMPONENTS = 32  # of the PCA that the networks are compared with
MAX_NOISE = 0.8  # standard deviation; ink is 1
NOISE_LEVELS = (0.25, 0.5, 0.75)
NOISE_REPORTED = 0.5
FALSE_ALARMS = 0.01  # the share of the validation digits that may be taken for anomalies
# Of the classifier of codes.
NEIGHBORS = 10
MAX_NEIGHBORS_IMAGES = 5000
# Of 2 -> 1 -> 2: the code is the length along the diagonal, the reconstruction the nearest point on it.
DIAGONAL = [np.full((2, 1), 1 / np.sqrt(2)), np.full((1, 2), 1 / np.sqrt(2))]
PAIRS = np.array([[3.0, 1.0], [1.0, 3.0], [2.0, 2.0], [1.0, -1.0]])  # to follow with pencil and paper
CLOUD_POINTS = 200
ALONG, ACROSS = 1.5, 0.4  # the cloud's standard deviations along the diagonal and across it
MISSING = 0.5  # the share of the pixels that is lost
FILLED_IMAGES = 500
FILL_STEPS = 10
PARTS = ("numbers", "linear", "deep", "convolutional", "denoising", "anomaly", "missing", "codes")


# --- The networks -----------------------------------------------------------------------------------------------------


def build_dense(
    hidden_units: Sequence[int], latent_units: int, activation: str, output_activation: str
) -> keras.Sequential:
    """Returns 784 -> hidden units -> latent code -> hidden units -> 784; images (28, 28, 1) go in and come out."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            *(keras.layers.Dense(units, activation=activation) for units in hidden_units),
            keras.layers.Dense(latent_units, name="code"),
            *(keras.layers.Dense(units, activation=activation) for units in reversed(hidden_units)),
            keras.layers.Dense(784, activation=output_activation),
            keras.layers.Reshape((28, 28, 1)),
        ]
    )


def build_numbers() -> keras.Sequential:
    """Returns 2 -> 1 -> 2 without activations and biases, with the weights `DIAGONAL`: it is not trained."""
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(1, use_bias=False, name="code"),
            keras.layers.Dense(2, use_bias=False),
        ]
    )
    model.set_weights(DIAGONAL)
    return model


def build_convolutional() -> keras.Sequential:
    """Returns 28x28 -> 14x14 -> 7x7 and back: strides make images smaller, repeated pixels make them larger.

    Most pixels are black, and the first steps teach just that. Filters with relu can all end below 0 there, where they
    have no slope and never learn again: two starts of fifteen painted every image black. silu has a slope there.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(FILTERS, 3, strides=2, padding="same", activation="silu"),
            keras.layers.Conv2D(LATENT_CHANNELS, 3, strides=2, padding="same", name="code"),
            keras.layers.UpSampling2D(),
            keras.layers.Conv2D(FILTERS, 3, padding="same", activation="silu"),
            keras.layers.UpSampling2D(),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def build(kind: str) -> keras.Sequential:
    """Returns one of the networks by its name in `RECIPES`."""
    return build_convolutional() if kind == "convolutional" else build_dense(*DENSE[kind])


def get_encoder(model: keras.Sequential) -> keras.Model:
    """Returns the first half of an autoencoder, which has images as inputs and their latent codes as outputs."""
    return keras.Model(model.inputs[0], model.get_layer("code").output)


# --- The data ---------------------------------------------------------------------------------------------------------


def load_digits(arguments: argparse.Namespace, report: Report) -> tuple[ImageSet, np.ndarray]:
    """Returns the digits, and the last of their training images, which are held out: the validation digits."""
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    n = len(images.X_train) - min(VALIDATION_IMAGES, len(images.X_train) // 5)
    return replace(images, X_train=images.X_train[:n], y_train=images.y_train[:n]), images.X_train[n:]


def load_garments(arguments: argparse.Namespace, report: Report) -> np.ndarray:
    """Returns the test images of Fashion-MNIST."""
    images = load_image_set("fashion_mnist", quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    return images.X_test


def add_noise(images: np.ndarray, level: float | np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns images (bytes) with noise: normal, of the standard deviation `level` (ink is 1), clipped to 0 and 255."""
    noisy = random.standard_normal(images.shape, np.float32)
    noisy *= np.asarray(255 * level, np.float32)
    noisy += images
    return np.rint(np.clip(noisy, 0, 255, out=noisy), out=noisy).astype(np.uint8)


def add_noise_of_all_levels(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns training images (bytes), each with noise of a level of its own from 0 to `MAX_NOISE`."""
    return add_noise(images, random.uniform(0, MAX_NOISE, (len(images), 1, 1, 1)), random)


def draw_cloud(seed: int) -> np.ndarray:
    """Returns `PAIRS` and behind them a cloud of points along the diagonal, float32 (n, 2)."""
    along, across = np.random.default_rng(seed).normal(0, [[ALONG], [ACROSS]], (2, CLOUD_POINTS))
    cloud = np.stack([along - across, along + across], axis=1) / np.sqrt(2)  # turned by 45 degrees
    return np.concatenate([PAIRS, cloud]).astype(np.float32)


# --- Principal component analysis, and the mathematics of the parts ---------------------------------------------------


def flatten_images(images: np.ndarray) -> np.ndarray:
    """Returns images as rows of numbers from 0 to 1, float32 (n, pixels)."""
    return scale_pixels(images).reshape(len(images), -1)


def fit_pca(images: np.ndarray, components: int = COMPONENTS) -> PCA:
    """Returns scikit-learn's principal component analysis of images."""
    from sklearn.decomposition import PCA

    # All that it needs to look at are the 784x784 covariances of the pixels.
    return PCA(components, svd_solver="covariance_eigh").fit(flatten_images(images))


def reconstruct_by_pca(pca: PCA, images: np.ndarray, components: int | None = None) -> np.ndarray:
    """Returns the reconstructions of images from their first components, or from all; ink is 1, some go below 0."""
    axes = pca.components_[:components]
    rows: np.ndarray = (flatten_images(images) - pca.mean_) @ axes.T @ axes + pca.mean_
    return rows.reshape(images.shape)


def reconstruction_errors(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Returns the mean squared error of each image: images as bytes, reconstructions from 0 to 1."""
    return np.square(scale_pixels(images) - reconstructions).mean(axis=(1, 2, 3))


def reconstruction_error(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Returns the mean squared error of all images."""
    return float(reconstruction_errors(images, reconstructions).mean())


def fill_missing(
    images: np.ndarray, is_missing: np.ndarray, mean: np.ndarray, reconstruct: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Returns images (numbers from 0 to 1) whose missing pixels are filled in with what the model reconstructs there.

    The mean image is the first guess. The reconstruction of the guess is better, that of the result better still,
    because the pixels that are known are put back each time. After some steps it changes no more: then the model
    reconstructs its own guess. That is why a hole of many pixels side by side is filled in badly: nothing known
    lies between them.
    """
    filled = np.where(is_missing, mean, images)
    for _ in range(FILL_STEPS):
        filled = np.where(is_missing, reconstruct(filled), images)
    return filled


def fold_mean(weights: Sequence[np.ndarray], mean: np.ndarray) -> list[np.ndarray]:
    """Returns the weights of a linear network for images, from those of one for images less their mean.

    decode(encode(x - mean)) + mean is a network of the same form: the mean goes into the biases.
    """
    encoder, code_bias, decoder, output_bias = weights
    return [encoder, code_bias - mean.ravel() @ encoder, decoder, output_bias + mean.ravel()]


# --- Training ---------------------------------------------------------------------------------------------------------


def choose_recipe(recipe: Recipe, arguments: argparse.Namespace, samples: int) -> Recipe:
    """Returns the recipe that the options ask for; on few images it has more epochs, so that it has steps enough."""
    recipe = recipe.with_options(arguments, samples)
    if arguments.epochs is None and samples < SMALL_SET:
        steps = MIN_QUICK_STEPS if arguments.quick else MIN_STEPS
        epochs = steps // math.ceil(samples / recipe.batch_size)
        recipe = replace(recipe, epochs=max(recipe.epochs, epochs)).for_samples(samples)
    return recipe


def train(
    kind: str, X: np.ndarray, y: np.ndarray, arguments: argparse.Namespace, report: Report
) -> tuple[keras.Sequential, Curve]:
    """Builds a network and trains it on images X (bytes) whose reconstructions are to be y; returns it and its loss."""
    recipe = choose_recipe(RECIPES[kind], arguments, len(X))
    # A tf.data.Dataset, its order drawn from the seed and the epoch.
    batches = training.shuffled_batches(
        X, y, recipe.batch_size, arguments.seed, preprocess=scale_pixels, preprocess_targets=scale_pixels
    )
    with device.scope(arguments.seed):  # keras.utils.set_random_seed: the initial weights
        model = build(kind)
    print(f"The network {kind}: {model.count_params():,} weights, {len(X):,} images")
    model.summary()
    model.compile(
        optimizer=recipe.make_optimizer(),  # default: AdamW(weight_decay=0.01, beta_2=0.99), warm-up, cosine decay
        loss="mean_squared_error",
        steps_per_execution=device.steps_per_execution(),  # 32 steps per call of TensorFlow: same result, sooner
    )
    losses = training.StepLosses()  # the loss within the epochs, for the plot
    model.fit(
        batches,
        epochs=recipe.epochs,
        shuffle=False,  # the batches come shuffled, each epoch anew
        callbacks=[
            *training.tensorboard(arguments.tensorboard, kind),
            losses,
            # For --resume, as keras.callbacks.BackupAndRestore; also restores `losses` and the order of `batches`.
            training.Resume(report.checkpoint(f"autoencoder_{kind}"), batches, keep=[losses]),
        ],
        verbose=report.verbose,
    )
    gc.collect()  # the pipeline's copies of the images, before the next network gets its own
    return model, losses.curve


def train_linear(X: np.ndarray, arguments: argparse.Namespace, report: Report) -> tuple[keras.Sequential, Curve]:
    """Trains the linear network on images X (bytes) less their mean; returns it, for images as they are."""
    recipe = choose_recipe(RECIPES["linear"], arguments, len(X))
    mean = scale_pixels(X).mean(axis=0)
    centered = scale_pixels(X) - mean
    with device.scope(arguments.seed):
        model = build("linear")
    print(f"The network linear: {model.count_params():,} weights, {len(X):,} images")
    model.summary()
    model.compile(optimizer=recipe.make_optimizer(), loss="mean_squared_error")
    # fit_table ends with the weights of model.fit, bit for bit (see --plain), without its overhead of 30 ms an epoch:
    # each of the 400 epochs here is a single step of some milliseconds.
    history = training.fit_table(
        model,
        centered,
        centered,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=arguments.seed,
        callbacks=[
            *training.tensorboard(arguments.tensorboard, "linear"),
            training.Resume(report.checkpoint("autoencoder_linear")),
        ],
        plain=arguments.plain,
    )
    model.set_weights(fold_mean(model.get_weights(), mean))
    losses = history.history["loss"]
    return model, (range(1, len(losses) + 1), losses)


# --- What the parts report, of whichever engine -----------------------------------------------------------------------


def show_numbers(points: np.ndarray, codes: np.ndarray, reconstructions: np.ndarray, report: Report) -> None:
    """Prints and draws what 2 -> 1 -> 2 makes of points, and compares its axis with that of PCA.

    Args:
        points: `PAIRS`, and a cloud behind them (n, 2).
        codes, reconstructions: the network's of all points (n, 1), (n, 2).
        report: takes the metrics and the plot.
    """
    from sklearn.decomposition import PCA

    n = len(PAIRS)
    rows = []
    for (x1, x2), (code,), (y1, y2) in zip(points[:n], codes, reconstructions, strict=False):
        rows.append([f"({x1:g}, {x2:g})", f"({x1:g} + {x2:g}) / sqrt 2 = {code:.4f}", f"({y1:.4f}, {y2:.4f})"])
    print("All four weights are 1 / sqrt 2: the code is the length along the diagonal.")
    print(format_table(["numbers", "code", "and back"], rows))
    by_hand = np.repeat(points.mean(axis=1, keepdims=True), 2, axis=1)  # the nearest point on the diagonal
    cloud, back = points[n:], reconstructions[n:]
    axis = PCA(1).fit(cloud).components_[0]
    angle = float(np.degrees(np.arccos(min(1.0, abs(float(axis @ DIAGONAL[0][:, 0]))))))
    error = float(np.square(cloud - back).mean())
    print(f"\nA cloud of {len(cloud)} points along the diagonal comes back with a mean squared error of {error:.4f}:")
    across = float(np.square(cloud @ [-1, 1]).mean() / 2)
    print(f"its mean square across the diagonal, {across:.4f}, is lost, shared by two numbers.")
    print(f"The first component of the cloud's PCA lies {angle:.1f} degrees from the diagonal.")
    report.result(
        {
            "numbers_test_max_error": float(np.abs(reconstructions - by_hand).max()),
            "numbers_test_mean_squared_error": error,
        }
    )
    report.plot("autoencoder-numbers", figures.numbers, cloud, back, axis)


def report_and_save(kind: str, model: keras.Model | Model, error: float, digits: ImageSet, report: Report) -> None:
    """Reports the mean squared error of a network on the test images, and saves it."""
    print(f"Mean squared error of the reconstructed test images: {error:.4f}")
    report.result({"test_mean_squared_error": error}, model=kind)
    report.save(
        kind if kind == "denoiser" else f"autoencoder_{kind}",
        model,
        data=digits.source,
        is_standin=digits.is_standin,
        inputs=[Input("image", shape=(28, 28, 1))],
        output="image",
        metrics={"test_mean_squared_error": error},
    )


def compare_subspaces(X: np.ndarray, decoder: np.ndarray, error: float, digits: ImageSet, report: Report) -> None:
    """Compares the subspace that the linear network found with that of PCA of the same images.

    Args:
        X: the images that it was trained on.
        decoder: the weights of its decoder (code, pixels), which span the subspace.
        error: its mean squared error on the test images.
        digits: with the test images.
        report: takes the metrics and the plot.
    """
    from scipy.linalg import subspace_angles

    pca = fit_pca(X, len(decoder))
    pca_error = reconstruction_error(digits.X_test, reconstruct_by_pca(pca, digits.X_test))
    report.result({"linear_pca_test_mean_squared_error": pca_error})
    excess = error / pca_error - 1
    angle = float(subspace_angles(decoder.T, pca.components_.T).max())
    print(f"Its {len(decoder)} dimensions and PCA's: largest angle {angle:.5f} rad, error {excess:+.2%}")
    report.result({"linear_angle_train_max_error": angle, "linear_excess_test_max_error": excess})
    rows = {"PCA": pca.components_.reshape(-1, 28, 28, 1), "linear network": decoder.reshape(-1, 28, 28, 1)}
    title = "Components that digits are sums of: other axes, the same subspace (purple +, orange -)"
    report.plot("autoencoder-linear", figures.image_rows, rows, title, has_signs=True)


def compare_with_pca(reconstructions: np.ndarray, pca: PCA, digits: ImageSet, report: Report) -> None:
    """Compares the reconstructions of the test images by the deep network with those by PCA of as many numbers."""
    by_pca = reconstruct_by_pca(pca, digits.X_test)
    error = reconstruction_error(digits.X_test, by_pca)
    print(f"Mean squared error of PCA with {COMPONENTS} numbers: {error:.4f}")
    report.result({"pca_test_mean_squared_error": error})
    rows = {"test images": digits.X_test, "PCA": by_pca, "deep network": reconstructions}
    report.plot("autoencoder-deep", figures.image_rows, rows, f"Digits, reconstructed from {COMPONENTS} numbers")


def show_codes(codes: np.ndarray, reconstructions: np.ndarray, digits: ImageSet, report: Report) -> None:
    """Draws test images, the channels of their latent codes (n, 7, 7, channels), and their reconstructions."""
    channels = {f"code, channel {i + 1}": codes[..., [i]] for i in range(codes.shape[-1])}
    rows = {"test images": digits.X_test, **channels, "convolutional network": reconstructions}
    title = "Digits, reconstructed from codes that are images of 7x7"
    report.plot("autoencoder-convolutional", figures.image_rows, rows, title)


def compare_with_noisy(
    noisy: Mapping[float, np.ndarray], cleaned: Mapping[float, np.ndarray], digits: ImageSet, report: Report
) -> None:
    """Compares the test images with noise of some levels, bytes, and their reconstructions, with the clean ones."""
    table = []
    rows = {"test images": digits.X_test}
    for level, images in noisy.items():
        before = reconstruction_error(digits.X_test, scale_pixels(images))
        after = reconstruction_error(digits.X_test, cleaned[level])
        table.append([level, before, after, f"{before / after:.1f}"])
        rows |= {f"noise {level:g}": images, f"noise {level:g}, cleaned": cleaned[level]}
        if level == NOISE_REPORTED:
            report.result({"noisy_test_mean_squared_error": before})
    print(format_table(["noise", "error before", "error after", "times smaller"], table))
    report.plot("autoencoder-denoising", figures.image_rows, rows, "Noisy digits, before and after cleaning")


def find_anomalies(images: Mapping[str, np.ndarray], reconstructions: Mapping[str, np.ndarray], report: Report) -> None:
    """Takes images with a large reconstruction error for anomalies; reports how well garments are told from digits.

    Args:
        images: "validation digits", which decide what is large, "test digits" and "garments", bytes.
        reconstructions: the deep network's of each.
        report: takes the metrics and the plots.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    errors = {name: reconstruction_errors(images[name], reconstructions[name]) for name in images}
    threshold = float(np.quantile(errors["validation digits"], 1 - FALSE_ALARMS))
    print(f"An anomaly has an error of {threshold:.4f} or more, as {FALSE_ALARMS:.0%} of the validation digits have")
    table = [[name, float(e.mean()), f"{np.mean(e >= threshold):.1%}"] for name, e in errors.items()]
    print(format_table(["", "mean error", "flagged as anomaly"], table))

    scores = np.concatenate([errors["test digits"], errors["garments"]])
    is_garment = np.repeat([0, 1], [len(errors["test digits"]), len(errors["garments"])])
    auc = float(roc_auc_score(is_garment, scores))
    measured = metrics.two_classes("anomaly_test", is_garment, scores, threshold)
    report.result({**measured, "anomaly_test_roc_auc": auc})
    false_positives, true_positives, _ = roc_curve(is_garment, scores)
    report.plot("autoencoder-anomalies", figures.anomalies, errors, threshold, (false_positives, true_positives), auc)
    rows = {"garments": images["garments"], "deep network": reconstructions["garments"]}
    title = "Garments, reconstructed by a network that was trained on digits"
    report.plot("autoencoder-garments", figures.image_rows, rows, title)


def compare_filled(
    reconstruct: Callable[[np.ndarray], np.ndarray], pca: PCA, digits: ImageSet, seed: int, report: Report
) -> None:
    """Fills in missing pixels of test images, by the deep network, by PCA and by the mean digit, and compares them.

    Args:
        reconstruct: the deep network's prediction, of numbers from 0 to 1 (n, 28, 28, 1).
        pca: of the training images.
        digits: with the test images.
        seed: of the places where pixels are lost.
        report: takes the metrics and the plot.
    """
    images = scale_pixels(digits.X_test[:FILLED_IMAGES])
    is_missing = np.random.default_rng(seed).random(images.shape) < MISSING
    mean = pca.mean_.reshape(28, 28, 1).astype(np.float32)

    def by_pca(X: np.ndarray) -> np.ndarray:
        return np.asarray(pca.inverse_transform(pca.transform(X.reshape(len(X), -1)))).reshape(X.shape)

    filled = {
        "the mean digit": np.where(is_missing, mean, images),
        "PCA": fill_missing(images, is_missing, mean, by_pca),
        "the deep network": fill_missing(images, is_missing, mean, reconstruct),
    }
    table = []
    for (name, X), metric in zip(filled.items(), ("missing_mean", "missing_pca", "missing"), strict=True):
        error = float(np.square(X - images)[is_missing].mean())
        table.append([name, error])
        report.result({f"{metric}_test_mean_squared_error": error})
    print(f"{MISSING:.0%} of the pixels of each of {len(images):,} test images are removed and filled in by:")
    print(format_table(["", "mean squared error of the missing pixels"], table))
    lost = np.where(is_missing, np.float32(0.5), images)
    rows = {"test images": images, "missing pixels grey": lost}
    rows |= {f"filled in by {name}": np.clip(X, 0, 1) for name, X in filled.items()}  # PCA goes below 0
    report.plot("autoencoder-missing", figures.image_rows, rows, "Missing pixels, filled in")


def compare_maps(test_codes: np.ndarray, train_codes: np.ndarray, pca: PCA, digits: ImageSet, report: Report) -> None:
    """Compares the network's codes of two numbers with PCA's: how often the nearest neighbours predict the class.

    Args:
        test_codes, train_codes: of the test images, and of the first training images (n, 2).
        pca: of the training images.
        digits: the images.
        report: takes the metrics and the plot.
    """
    from sklearn.neighbors import KNeighborsClassifier

    pca_error = reconstruction_error(digits.X_test, reconstruct_by_pca(pca, digits.X_test, 2))
    report.result({"codes_pca_test_mean_squared_error": pca_error})
    n = len(train_codes)
    by_pca = [pca.transform(flatten_images(images))[:, :2] for images in (digits.X_test, digits.X_train[:n])]
    codes = {"PCA": by_pca, "autoencoder": [test_codes, train_codes]}
    for name, (of_test, of_train) in codes.items():
        accuracy = KNeighborsClassifier(NEIGHBORS).fit(of_train, digits.y_train[:n]).score(of_test, digits.y_test)
        print(f"{name}: {accuracy:.1%} of the test images have the class of their nearest neighbours")
        report.result({"codes_pca_test_accuracy" if name == "PCA" else "codes_test_accuracy": accuracy})
    maps = {name: of_test for name, (of_test, _) in codes.items()}
    report.plot("autoencoder-codes", figures.latent_maps, maps, digits.y_test, digits.classes)


# --- The lesson -------------------------------------------------------------------------------------------------------


def parse(
    docstring: str | None, argv: Sequence[str] | None, recipes: Mapping[str, Recipe] = RECIPES
) -> argparse.Namespace:
    """Reads the options of the command line; `parts` are those to run."""
    parser = cli.lesson_parser(docstring, recipes, data="DIR")
    cli.add_plain(parser)
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all", help="(default: all)")
    arguments = cli.parse_lesson(parser, argv)
    arguments.parts = PARTS if arguments.part == "all" else (arguments.part,)
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the autoencoders; returns the metrics."""
    arguments = parse(__doc__, argv)
    parts = set(arguments.parts)
    report = Report("autoencoder", arguments)
    digits, X_validation = load_digits(arguments, report)
    if "anomaly" in parts:
        X_garments = load_garments(arguments, report)
    report.engine(device.prepare(arguments.seed))  # seeds, determinism, dtype policy

    X_train, X_test = digits.X_train, scale_pixels(digits.X_test)
    pca = fit_pca(X_train)  # which the networks are compared with
    curves: dict[str, Curve] = {}
    use = ""

    if "numbers" in parts:
        report.section("numbers")
        model = build_numbers()
        points = draw_cloud(arguments.seed)
        # Called, not `predict`: that is compiled first, which takes longer than one small batch.
        codes = keras.ops.convert_to_numpy(get_encoder(model)(points))
        reconstructions = keras.ops.convert_to_numpy(model(points))
        show_numbers(points, codes, reconstructions, report)

    if "linear" in parts:
        report.section("linear")
        X = X_train[:LINEAR_IMAGES]
        model, curves["linear"] = train_linear(X, arguments, report)
        error = model.evaluate(X_test, X_test, batch_size=1000, verbose=0)
        report_and_save("linear", model, error, digits, report)
        compare_subspaces(X, model.get_weights()[2], error, digits, report)

    if parts & {"deep", "anomaly", "missing"}:  # one network for three parts
        report.section("deep")
        deep, curves["deep"] = train("deep", X_train, X_train, arguments, report)
        error = deep.evaluate(X_test, X_test, batch_size=1000, verbose=0)
        report_and_save("deep", deep, error, digits, report)
        compare_with_pca(deep.predict(X_test, batch_size=1000, verbose=0), pca, digits, report)

    if "convolutional" in parts:
        report.section("convolutional")
        X = X_train[:CONVOLUTIONAL_IMAGES]
        model, curves["convolutional"] = train("convolutional", X, X, arguments, report)
        error = model.evaluate(X_test, X_test, batch_size=1000, verbose=0)
        report_and_save("convolutional", model, error, digits, report)
        codes = get_encoder(model).predict(X_test[:10], verbose=0)
        show_codes(codes, model.predict(X_test[:10], verbose=0), digits, report)

    if "denoising" in parts:
        report.section("denoising")
        random = np.random.default_rng(arguments.seed)
        X = add_noise_of_all_levels(X_train, random)
        model, curves["denoiser"] = train("denoiser", X, X_train, arguments, report)
        noisy = {level: add_noise(digits.X_test, level, random) for level in NOISE_LEVELS}
        error = model.evaluate(scale_pixels(noisy[NOISE_REPORTED]), X_test, batch_size=1000, verbose=0)
        report_and_save("denoiser", model, error, digits, report)
        use = f"python -m apps.clean --model {report.last_model} NOISY-DIGIT.png"
        cleaned = {level: model.predict(scale_pixels(X), batch_size=1000, verbose=0) for level, X in noisy.items()}
        compare_with_noisy(noisy, cleaned, digits, report)
        del X, cleaned  # 140 MB

    if "anomaly" in parts:
        report.section("anomaly")
        images = {"validation digits": X_validation, "test digits": digits.X_test, "garments": X_garments}
        reconstructions = {
            name: deep.predict(scale_pixels(X), batch_size=1000, verbose=0) for name, X in images.items()
        }
        find_anomalies(images, reconstructions, report)
        del reconstructions  # 80 MB

    if "missing" in parts:
        report.section("missing")
        compare_filled(lambda X: keras.ops.convert_to_numpy(deep(X)), pca, digits, arguments.seed, report)

    if "codes" in parts:
        report.section("codes")
        model, curves["codes"] = train("codes", X_train, X_train, arguments, report)
        error = model.evaluate(X_test, X_test, batch_size=1000, verbose=0)
        report_and_save("codes", model, error, digits, report)
        encoder = get_encoder(model)
        test_codes = encoder.predict(X_test, batch_size=1000, verbose=0)
        train_codes = encoder.predict(scale_pixels(X_train[:MAX_NEIGHBORS_IMAGES]), batch_size=1000, verbose=0)
        compare_maps(test_codes, train_codes, pca, digits, report)

    if curves:  # the part `numbers` trains nothing
        report.plot("autoencoder-loss", figures.losses, curves)
    return report.finish(use=use)


if __name__ == "__main__":
    cli.run(main)
