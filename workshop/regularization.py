"""Overfitting, and what helps against it: penalties, dropout, a largest norm, more images, an earlier stop.

A network with more weights than it has images to learn from memorises them. You watch it happen: 784-36-10, with 28,630
weights, is trained on 1,000 digits until each is right, and still names every sixth new one wrongly. With all the
images the same network has no such gap. Then ten remedies, on the same 1,000 digits and with as many steps each:

- L2 and L1 add the squares, or the sizes, of the weights to the loss; max-norm shortens the weights of a unit to 5.
- Dropout leaves out units at random while it trains. A ring of noisy points, drawn, shows what it does.
- Early stopping restores the weights of the epoch with the lowest loss on images that it was not trained on.
- Fewer units: the memory is smaller.
- Augmentation turns, shears and stretches each image a little (affine), or bends it as the muscles of a hand do
  (elastic): a thousand digits become as many as one likes.

    python -m workshop.regularization                    # all of it; then look into the folder plots
    python -m workshop.regularization --full             # all images for 30 epochs, as a course has it
    python -m workshop.regularization --preset simard    # 784-800-10 on all images, distorted: 4 minutes
    python -m workshop.regularization --quick            # a first look

Expected: without a remedy a gap of about 18 points between training and test accuracy, and a test loss that is lowest
after some 20 epochs and rises then. In the mean of five seeds L2 and max-norm close a third of the gap, L1 and dropout
a fifth, affine distortions half, elastic ones all but 4 points; with max-norm and elastic distortions 92 % of the test
digits are right. Early stopping lowers the test loss, fewer units the training accuracy; neither names more digits.
About 50 s on two CPU cores. With `--full` the gap of all images is 2.4 to 2.7 points (three seeds in NumPy; a course
has 2.42). Simard's network reaches 98.4 % plain, 99.0 % with affine and 99.3 % with elastic distortions (run once;
published: 98.4, 98.9, 99.3).

Sources: Srivastava and others (2014), "Dropout: A Simple Way to Prevent Neural Networks from Overfitting"; Simard,
Steinkraus and Platt (2003), "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis".
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workshop.figures import regularization as figures
from workshop.kit import cli, device, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.saving.model import Model
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    from workshop.kit.training import Snapshots

SMALL_SET = 1_000  # images to train on
HELD_OUT = 1_000  # the images behind them, by whose loss early stopping chooses
UNITS = 36
START = 1.0  # standard deviation of the first weights: much for 784 inputs, and how the course begins
# The loss is Keras' binary cross-entropy, the mean over the ten outputs. The course sums them, with a rate of 0.3: ten
# times the loss takes a tenth of the rate.
OUTPUTS = 10
RATE = 0.3 * OUTPUTS
RECIPES = {
    "few images": Recipe(
        epochs=500, learning_rate=RATE, batch_size=10, optimizer="sgd", schedule=False, quick_epochs=20
    ),
    "all images": Recipe(epochs=5, learning_rate=RATE, batch_size=10, optimizer="sgd", schedule=False, quick_epochs=2),
    "a remedy": Recipe(epochs=100, learning_rate=RATE, batch_size=10, optimizer="sgd", schedule=False, quick_epochs=4),
    "the ring": Recipe(
        epochs=1000, learning_rate=0.01, batch_size=32, optimizer="adam", schedule=False, quick_epochs=50
    ),
}
FULL_EPOCHS = 30
LOOKS = 30  # epochs, at growing distances, after which the loss on the test images is measured
COPIES, QUICK_COPIES = 25, 2  # distorted images of each one
PATIENCE = 10
RING_POINTS, RING_TEST_POINTS = 200, 4_000
RING_NOISE = 0.35
RING_UNITS = 300
SIDE = 28


class Distortion(NamedTuple):
    """The largest changes to an image; each is drawn uniformly between minus and plus this value.

    Attributes:
        angle, shear: in radians.
        stretch: of the width and of the height, each for itself.
        elastic: the size of the random displacements before they are smoothed, in pixels.
        smoothness: standard deviation, in pixels, of the Gaussian that smooths them: neighbours move together.
    """

    angle: float
    shear: float
    stretch: float
    elastic: float = 0.0
    smoothness: float = 4.0


AFFINE = Distortion(angle=0.26, shear=0.26, stretch=0.15)
ELASTIC = Distortion(angle=0.13, shear=0.13, stretch=0.08, elastic=34.0)


class Remedy(NamedTuple):
    """One way to train a network on few images.

    Attributes:
        label: its name in the plot.
        more: what the table says behind it.
        units: of the hidden layer.
        l2, l1: what is added to the loss for each squared weight, and for the size of each weight.
        dropout: the share of hidden units that a step leaves out.
        max_norm: the largest length of the weights that lead into a unit; None for any.
        distortion: of the images, or None.
        stops_early: whether the weights of the best epoch on the held-out images are restored.
    """

    label: str
    more: str = ""
    units: int = UNITS
    l2: float = 0.0
    l1: float = 0.0
    dropout: float = 0.0
    max_norm: float | None = None
    distortion: Distortion | None = None
    stops_early: bool = False

    @property
    def title(self) -> str:
        """The name of its row in the table."""
        return f"{self.label}{self.more}"


NOTHING = Remedy("nothing")
REMEDIES = {
    "plain": NOTHING,
    "l2": Remedy("L2", ", 0.00003 for each squared weight", l2=3e-5),
    "l1": Remedy("L1", ", 0.00005 for the size of each weight", l1=5e-5),
    "dropout_20": Remedy("dropout 0.2", dropout=0.2),
    "dropout_50": Remedy("dropout 0.5", dropout=0.5),
    "max_norm": Remedy("max-norm 5", max_norm=5.0),
    "early_stopping": Remedy("early stopping", stops_early=True),
    "fewer_units": Remedy("12 hidden units", units=12),
    "affine": Remedy("affine distortions", distortion=AFFINE),
    "elastic": Remedy("elastic distortions", distortion=ELASTIC),
    "combined": Remedy("max-norm 5 and elastic", " distortions", max_norm=5.0, distortion=ELASTIC),
}


Predict = Callable[[np.ndarray], np.ndarray]  # of a trained network


class Result(NamedTuple):
    """The accuracies and the loss of a trained network, and the seconds that its training took."""

    train_accuracy: float
    test_accuracy: float
    test_loss: float
    seconds: float

    @property
    def gap(self) -> float:
        """The gap in accuracy, in percent, by which the new images are behind the old ones."""
        return 100 * (self.train_accuracy - self.test_accuracy)


class Digits(NamedTuple):
    """Images (samples, 784), from 0 to 1, and their digits as one-hot vectors (samples, 10)."""

    X: np.ndarray
    y: np.ndarray

    def first(self, count: int, start: int = 0) -> Digits:
        """Returns `count` of them, from the one of the number `start` on."""
        return Digits(self.X[start : start + count], self.y[start : start + count])


def to_digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    """Returns bytes (samples, 28, 28, 1) and class numbers (samples,) as a dense network takes them."""
    return Digits(scale_pixels(images).reshape(len(images), -1), np.eye(OUTPUTS, dtype=np.float32)[labels])


# --- The network and its remedies -------------------------------------------------------------------------------------


def build_network(remedy: Remedy = NOTHING) -> keras.Sequential:
    """Returns the network 784 -> 36 -> 10: a sigmoid says yes or no to each digit."""

    def dense(units: int) -> keras.layers.Layer:
        return keras.layers.Dense(
            units,
            activation="sigmoid",
            kernel_initializer=keras.initializers.RandomNormal(0.0, START),
            bias_initializer=keras.initializers.RandomNormal(0.0, START),
            kernel_regularizer=keras.regularizers.L1L2(remedy.l1, remedy.l2) if remedy.l1 or remedy.l2 else None,
            kernel_constraint=keras.constraints.MaxNorm(remedy.max_norm) if remedy.max_norm else None,
        )

    model = keras.Sequential([keras.Input((SIDE * SIDE,)), dense(remedy.units)], name="network")
    if remedy.dropout:
        model.add(keras.layers.Dropout(remedy.dropout))
    model.add(dense(OUTPUTS))
    return model


def compile_network(model: keras.Sequential, recipe: Recipe) -> None:
    """Compiles the network for ten questions of yes and no."""
    model.compile(
        optimizer=recipe.make_optimizer(),
        loss="binary_crossentropy",
        # With this loss "accuracy" would count the ten answers, nine of which are no; this takes the highest output.
        metrics=["categorical_accuracy"],
    )


def predict(model: keras.Sequential, X: np.ndarray) -> np.ndarray:
    """Returns the outputs at once: `model.predict` would be compiled anew for each of a dozen networks."""
    return keras.ops.convert_to_numpy(model(X, training=False))


def measure(predict: Predict, train: Digits, test: Digits, seconds: float) -> Result:
    """Returns how good a network is on the images that it was trained on, and on others."""
    on_train, on_test = predict(train.X), predict(test.X)
    return Result(accuracy(on_train, train.y), accuracy(on_test, test.y), cross_entropy(on_test, test.y), seconds)


def evaluate_snapshots(
    model: keras.Sequential | Model, predict: Predict, weights: Mapping[int, list[np.ndarray]], test: Digits
) -> dict[int, tuple[float, float]]:
    """Returns the cross-entropy and the accuracy on the test images with the weights after each of some epochs."""
    tests = {}
    for epoch, kept in weights.items():
        model.set_weights(kept)
        outputs = predict(test.X)
        tests[epoch] = cross_entropy(outputs, test.y), accuracy(outputs, test.y)
    return tests


def cross_entropy(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Returns the cross-entropy of ten questions of yes and no, summed over them, the mean of all samples."""
    p = np.clip(outputs, 1e-7, 1 - 1e-7)
    return float(-np.sum(targets * np.log(p) + (1 - targets) * np.log(1 - p), axis=1).mean())


def accuracy(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Returns the share of samples whose highest output is that of their class."""
    return float(np.mean(outputs.argmax(axis=1) == targets.argmax(axis=1)))


# --- Distorted images -------------------------------------------------------------------------------------------------


def distort(X: np.ndarray, distortion: Distortion, random: np.random.Generator) -> np.ndarray:
    """Returns images, each changed at random in its own way.

    For each pixel of the new image it is computed where in the old one it comes from: the affine map of its place,
    and a displacement. What lies between four pixels is their mean, weighted by nearness.

    Args:
        X: images (samples, 784), float32, the ink above 0.
        distortion: the largest changes.
        random: the random generator.
    """
    parts = [X[start : start + 500] for start in range(0, len(X), 500)]  # what fits into a processor's cache
    return np.concatenate([_distort(part.reshape(-1, SIDE, SIDE), distortion, random) for part in parts])


def _distort(images: np.ndarray, distortion: Distortion, random: np.random.Generator) -> np.ndarray:
    count, middle = len(images), np.float32((SIDE - 1) / 2)
    places = np.mgrid[:SIDE, :SIDE].reshape(2, -1).astype(np.float32) - middle
    source = _affine_maps(count, distortion, random) @ places + middle
    if distortion.elastic:
        source += _displacements(count, distortion, random)
    padded = np.zeros((count, SIDE + 2, SIDE + 2), np.float32)  # a rim without ink: nothing is taken from outside
    padded[:, 1:-1, 1:-1] = images
    row, column = np.clip(source + 1, 0, SIDE + 1 - 1e-3).swapaxes(0, 1)
    top, left = row.astype(np.int32), column.astype(np.int32)
    down, right = row - top, column - left
    pixels = padded.reshape(-1)
    at = np.arange(count, dtype=np.int32)[:, None] * (SIDE + 2) ** 2 + top * (SIDE + 2) + left
    upper = pixels[at] * (1 - right) + pixels[at + 1] * right
    lower = pixels[at + SIDE + 2] * (1 - right) + pixels[at + SIDE + 3] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)


def _affine_maps(count: int, distortion: Distortion, random: np.random.Generator) -> np.ndarray:
    """Draws matrices (count, 2, 2) of rows and columns, about the middle of the image."""
    sizes = np.array([[distortion.angle], [distortion.shear], [distortion.stretch], [distortion.stretch]])
    angle, shear, tall, wide = random.uniform(-1, 1, (4, count)) * sizes
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    slant = np.array([[1 + tall, 0 * shear], [shear, 1 + wide]]).transpose(2, 0, 1)
    return (turn @ slant).astype(np.float32)


def _displacements(count: int, distortion: Distortion, random: np.random.Generator) -> np.ndarray:
    """Draws smooth fields of displacements (count, 2, 784), in pixels.

    A Gaussian filter is a product with a matrix from each side: row i of it has the weights of the pixels around i.
    """
    distance = np.subtract.outer(np.arange(SIDE), np.arange(SIDE))
    weights = np.exp(-(distance**2) / (2 * distortion.smoothness**2))
    smooth = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    rough = random.random((count, 2, SIDE, SIDE), np.float32) * 2 - 1
    return distortion.elastic * (smooth @ rough @ smooth.T).reshape(count, 2, -1)


def shown_images(
    digits: Digits, remedy: Remedy, recipe: Recipe, arguments: argparse.Namespace
) -> tuple[Digits, Recipe]:
    """Returns the images that a network is trained on, and the recipe: of more images as many fewer epochs.

    With a distortion they are 25 distorted copies of each image, and not the image itself.
    """
    if remedy.distortion is None:
        return digits, recipe
    copies = QUICK_COPIES if arguments.quick else COPIES
    random = np.random.default_rng(arguments.seed)
    X = np.concatenate([distort(digits.X, remedy.distortion, random) for _ in range(copies)])
    return Digits(X, np.tile(digits.y, (copies, 1))), replace(recipe, epochs=max(1, recipe.epochs // copies))


# --- A noisy ring -----------------------------------------------------------------------------------------------------


def noisy_ring(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns points (count, 2), and 1 for those of a ring around the others, which are 0; noise mixes the two."""
    random = np.random.default_rng(seed)
    is_ring = np.arange(count) % 2
    angle = random.uniform(0, 2 * np.pi, count)
    radius = np.where(is_ring, 1.6, 0.8 * np.sqrt(random.random(count)))
    X = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    return (X + random.normal(0, RING_NOISE, X.shape)).astype(np.float32), is_ring


def rings(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns the points to train on, and many more to test with."""
    return noisy_ring(RING_POINTS, seed), noisy_ring(RING_TEST_POINTS, seed + 1)


def build_ring_network(dropout: float = 0.0) -> keras.Sequential:
    """Returns the network 2 -> 300 -> 2: far more than such a plane needs."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(RING_UNITS, activation="relu")], name="ring")
    if dropout:
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(2, activation="softmax"))
    return model


# --- Tables, shared with the mirrors ----------------------------------------------------------------------------------


def looks(epochs: int) -> list[int]:
    """Returns the epochs after which the test images are looked at: all at first, then at growing distances."""
    return sorted({round(epoch) for epoch in np.geomspace(1, epochs, LOOKS)} | {epochs})


def report_overfitting(
    report: Report, history: Mapping[str, Sequence[float]], tests: Mapping[int, tuple[float, float]]
) -> None:
    """Prints and plots how a network memorises few images.

    Args:
        report: of the run.
        history: "loss", summed over the outputs, and "accuracy" on the training images after each epoch.
        tests: the loss and the accuracy on the test images after some of the epochs.
    """
    rows = [
        [epoch, history["loss"][epoch - 1], loss, f"{history['accuracy'][epoch - 1]:.2%}", f"{right:.2%}"]
        for epoch, (loss, right) in tests.items()
    ]
    headings = ["epoch", "training loss", "test loss", "training accuracy", "test accuracy"]
    last = max(tests)
    lowest = min(tests, key=lambda epoch: tests[epoch][0])
    print(format_table(headings, [row for i, row in enumerate(rows) if i % 3 == 0 or row[0] in (lowest, last)]))
    wrong = [i for i, value in enumerate(history["accuracy"], 1) if value < 1]
    known = wrong[-1] + 1 if wrong else 1  # the first epoch since which none is wrong
    learned = (
        f"all training images are right from epoch {known} on" if known <= last else "not all training images are right"
    )
    rises = ", then rises" if lowest < last else ""
    print(f"The test loss is lowest after epoch {lowest}{rises}; {learned}.")
    metrics = {
        "train_log_loss": history["loss"][-1],
        "train_accuracy": history["accuracy"][-1],
        "test_accuracy": tests[last][1],
        "test_log_loss": tests[last][0],
    }
    report.result(metrics, model="few")
    report.result({"test_log_loss": tests[lowest][0]}, model="few_lowest")
    report.plot("regularization-overfitting", figures.overfitting, history, tests, lowest)


def report_all_images(report: Report, trained: Result) -> None:
    """Prints the gap of the same network, trained on all images."""
    few_gap = 100 * (report.metrics["few_train_accuracy"] - report.metrics["few_test_accuracy"])
    print(
        f"Training accuracy {trained.train_accuracy:.2%}, test accuracy {trained.test_accuracy:.2%}: a gap of "
        f"{trained.gap:.2f} points; with few images it was {few_gap:.2f}. It took {trained.seconds:.1f} s."
    )
    report.result({"train_accuracy": trained.train_accuracy, "test_accuracy": trained.test_accuracy}, model="all")


def report_remedies(report: Report, results: Mapping[str, Result]) -> None:
    """Prints and plots what each remedy does to the gap."""
    rows = [
        [
            REMEDIES[name].title,
            f"{result.train_accuracy:.2%}",
            f"{result.test_accuracy:.2%}",
            f"{result.gap:.1f} points",
            result.test_loss,
            f"{result.seconds:.1f}",
        ]
        for name, result in results.items()
    ]
    headings = ["remedy", "training accuracy", "test accuracy", "gap", "test loss", "seconds"]
    print(format_table(headings, rows))
    for name, result in results.items():
        measured = {"train_accuracy": result.train_accuracy, "test_accuracy": result.test_accuracy}
        report.result(measured, model=name)
    points = {REMEDIES[name].label: (result.train_accuracy, result.test_accuracy) for name, result in results.items()}
    report.plot("regularization-remedies", figures.remedies, points)


def report_ring(report: Report, models: Mapping[str, Any], train: Any, test: Any) -> None:
    """Prints and draws what two networks made of a noisy ring.

    Args:
        report: of the run.
        models: functions from points (n, 2) to probabilities (n, 2), by "plain" and "dropout".
        train, test: the points and their classes.
    """
    rows = []
    for name, predict in models.items():
        right = [float(np.mean(predict(X).argmax(axis=1) == y)) for X, y in (train, test)]
        rows.append([name, *(f"{share:.2%}" for share in right)])
        report.result({"train_accuracy": right[0], "test_accuracy": right[1]}, model=f"ring_{name}")
    print(format_table(["network", "training accuracy", "test accuracy"], rows))
    report.plot("regularization-ring", figures.ring, models, *train)


# --- The run ----------------------------------------------------------------------------------------------------------


def parse(
    docstring: str | None, argv: Sequence[str] | None, *, is_mirror: bool = False, has_jobs: bool = False
) -> argparse.Namespace:
    """Reads the options of the command line; the preset, a training of minutes, is Keras' alone."""
    parser = cli.lesson_parser(docstring, RECIPES, data="DIR")
    add = parser.add_argument
    add(
        "--full",
        action="store_true",
        help=f"train on all images for {FULL_EPOCHS} epochs, not {RECIPES['all images'].epochs}",
    )
    if not is_mirror:
        cli.add_plain(parser)
        add("--preset", choices=["simard"], help="784-800-10 on all images: plain, affine and elastic distortions")
    if has_jobs:
        text = "train in N processes (default: 2 where there are as many cores; 1 in a quick run)"
        add("--jobs", type=cli.whole_number(1), metavar="N", help=text)
    return cli.parse_lesson(parser, argv)


def fit_few(report: Report, digits: Digits) -> tuple[keras.Sequential, dict[str, list[float]], Snapshots]:
    """Trains the network on few images until it has memorised them; returns it, its history and earlier weights."""
    recipe = RECIPES["few images"].with_options(report.arguments, len(digits.X))
    with device.scope(report.arguments.seed):
        model = build_network()
    model.summary()
    compile_network(model, recipe)
    snapshots = training.Snapshots(looks(recipe.epochs))
    # fit_table ends with the weights of model.fit, bit for bit, without its overhead of 30 ms an epoch.
    history = training.fit_table(
        model,
        digits.X,
        digits.y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=report.arguments.seed,
        callbacks=[
            *training.tensorboard(report.arguments.tensorboard, "few"),
            snapshots,
            training.Resume(report.checkpoint("regularization-few"), keep=[snapshots]),
        ],
        plain=report.arguments.plain,
    ).history
    losses = [OUTPUTS * loss for loss in history["loss"]]
    return model, {"loss": losses, "accuracy": history["categorical_accuracy"]}, snapshots


def fit_remedy(
    report: Report, name: str, remedy: Remedy, recipe: Recipe, digits: Digits, held_out: Digits
) -> tuple[keras.Sequential, float]:
    """Trains a network with a remedy, in as many steps as without; returns it and the seconds that it took."""
    arguments = report.arguments
    started = time.perf_counter()
    shown, recipe = shown_images(digits, remedy, recipe, arguments)
    with device.scope(arguments.seed):
        model = build_network(remedy)
    compile_network(model, recipe)
    kept: list[keras.callbacks.Callback] = []
    if remedy.stops_early:
        kept.append(keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True))
    training.fit_table(
        model,
        shown.X,
        shown.y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=arguments.seed,
        validation_data=held_out if remedy.stops_early else None,
        callbacks=[
            *training.tensorboard(arguments.tensorboard, name),
            *kept,
            training.Resume(report.checkpoint(f"regularization-{name}"), keep=kept),
        ],
        plain=arguments.plain,
    )
    if remedy.stops_early:
        print(f"Kept the weights of epoch {kept[0].best_epoch + 1}, the best on {len(held_out.X):,} other images")
    return model, time.perf_counter() - started


def fit_ring(report: Report, name: str, X: np.ndarray, y: np.ndarray) -> keras.Sequential:
    """Trains a network on the noisy ring, with dropout if that is its name."""
    recipe = RECIPES["the ring"].with_options(report.arguments, len(X))
    with device.scope(report.arguments.seed):
        model = build_ring_network(0.5 if name == "dropout" else 0.0)
    model.compile(optimizer=recipe.make_optimizer(), loss="categorical_crossentropy", metrics=["accuracy"])
    training.fit_table(
        model,
        X,
        np.eye(2, dtype=np.float32)[y],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=report.arguments.seed,
        callbacks=[
            *training.tensorboard(report.arguments.tensorboard, f"ring-{name}"),
            training.Resume(report.checkpoint(f"regularization-ring-{name}")),
        ],
        plain=report.arguments.plain,
    )
    return model


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("regularization", arguments)
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed))
    everything, test = to_digits(images.X_train, images.y_train), to_digits(images.X_test, images.y_test)
    if arguments.preset:
        return run_simard(report, everything, test)
    few, held_out = split_few(everything)

    report.section(f"Overfitting: {len(few.X):,} images, {UNITS} hidden units")
    model, history, snapshots = fit_few(report, few)
    loss, test_accuracy = model.evaluate(test.X, test.y, batch_size=1000, verbose=0)
    losses = f"loss {loss:.4f}, summed over the outputs {OUTPUTS * loss:.3f}"
    print(f"On the test images: {losses}, accuracy {test_accuracy:.2%}")
    tests = evaluate_snapshots(model, partial(predict, model), snapshots.weights, test)
    report_overfitting(report, history, tests)

    report.section(f"The same with all {len(everything.X):,} images")
    recipe = all_images_recipe(arguments, len(everything.X))
    with device.scope(arguments.seed):
        model = build_network()
    compile_network(model, recipe)
    started = time.perf_counter()
    training.fit_table(
        model,
        everything.X,
        everything.y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=arguments.seed,
        callbacks=[
            *training.tensorboard(arguments.tensorboard, "all"),
            training.Resume(report.checkpoint("regularization-all")),
        ],
        plain=arguments.plain,
    )
    seconds = time.perf_counter() - started
    report_all_images(report, measure(partial(predict, model), everything, test, seconds))

    report.section(f"Ten remedies, on the same {len(few.X):,} images")
    results = {}
    recipe = RECIPES["a remedy"].with_options(arguments, len(few.X))
    for name, remedy in REMEDIES.items():
        print(remedy.title)
        model, seconds = fit_remedy(report, name, remedy, recipe, few, held_out)
        results[name] = measure(partial(predict, model), few, test, seconds)
    report_remedies(report, results)
    save(report, model, results["combined"], images)
    report.plot("regularization-distortions", figures.distortions, *distorted_examples(few.X))

    report.section(f"Dropout at work: a noisy ring and a network of 2, {RING_UNITS} and 2 units")
    ring, ring_test = rings(arguments.seed)
    networks = {name: fit_ring(report, name, *ring) for name in ("plain", "dropout")}
    report_ring(report, {name: network.predict_on_batch for name, network in networks.items()}, ring, ring_test)
    return report.finish()


def split_few(everything: Digits) -> tuple[Digits, Digits]:
    """Returns the few images to train on, and those behind them; of a small set a half and a half."""
    count = min(SMALL_SET, len(everything.X) // 2)
    return everything.first(count), everything.first(HELD_OUT, start=count)


def all_images_recipe(arguments: argparse.Namespace, samples: int) -> Recipe:
    """Returns how the network is trained on all images."""
    recipe = RECIPES["all images"]
    return (replace(recipe, epochs=FULL_EPOCHS) if arguments.full else recipe).with_options(arguments, samples)


def distorted_examples(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns six images, each with six distorted copies of it: (6, 7, 28, 28), affine and elastic."""
    random = np.random.default_rng(0)

    def with_copies(distortion: Distortion) -> np.ndarray:
        copies = [X[:6], *(distort(X[:6], distortion, random) for _ in range(6))]
        return np.stack(copies, axis=1).reshape(6, 7, SIDE, SIDE)

    return with_copies(AFFINE), with_copies(ELASTIC)


def save(report: Report, model: Any, result: Result, images: ImageSet) -> None:
    """Saves the network with the best combination of remedies."""
    report.save(
        "regularization",
        model,
        inputs=[Input("image", shape=(SIDE * SIDE,))],
        classes=images.classes,
        metrics={"train_accuracy": result.train_accuracy, "test_accuracy": result.test_accuracy},
    )


# --- 784-800-10 on all images, as Simard and others (2003) ------------------------------------------------------------

SIMARD_UNITS = 800
SIMARD = {
    "plain": (8, None),
    "affine": (15, AFFINE),
    "elastic": (50, ELASTIC),
}
SIMARD_RECIPE = Recipe(epochs=8, learning_rate=0.1, batch_size=100, optimizer="nesterov")


def build_simard() -> keras.Sequential:
    """Returns the network 784 -> 800 -> 10."""
    return keras.Sequential(
        [
            keras.Input((SIDE * SIDE,)),
            keras.layers.Dense(SIMARD_UNITS, activation="relu", kernel_initializer="he_normal"),
            keras.layers.Dense(OUTPUTS, activation="softmax"),
        ],
        name="simard",
    )


def simard_runs(arguments: argparse.Namespace, samples: int) -> Iterator[tuple[str, Recipe, Distortion | None]]:
    """Yields the three trainings: their names, recipes and distortions."""
    for name, (epochs, distortion) in SIMARD.items():
        recipe = replace(SIMARD_RECIPE, epochs=epochs, quick_epochs=2)
        yield name, recipe.with_options(arguments, samples), distortion


def distorting(distortion: Distortion) -> Callable[[Any], Any]:
    """Returns what is done to each batch of images while the last one is trained on: each is distorted anew.

    The batch itself is the seed: in every epoch it holds other images, and a resumed training draws the same again.
    """

    def change(X: np.ndarray) -> np.ndarray:
        return distort(X, distortion, np.random.default_rng(zlib.crc32(X.tobytes())))

    def preprocess(X: Any) -> Any:
        changed = tensorflow.numpy_function(change, [X], "float32", stateful=False)
        return tensorflow.ensure_shape(changed, (None, SIDE * SIDE))

    return preprocess


def report_simard(report: Report, results: Mapping[str, Result]) -> None:
    """Prints the accuracies of the three trainings beside the published ones."""
    published = {"plain": "98.4 %", "affine": "98.9 %", "elastic": "99.3 %"}
    rows = [
        [name, f"{result.train_accuracy:.2%}", f"{result.test_accuracy:.2%}", published[name], f"{result.seconds:.0f}"]
        for name, result in results.items()
    ]
    print(format_table(["images", "training accuracy", "test accuracy", "published", "seconds"], rows))
    for name, result in results.items():
        report.result({"test_accuracy": result.test_accuracy}, model=f"simard_{name}")


def run_simard(report: Report, digits: Digits, test: Digits) -> dict[str, float]:
    """Trains 784-800-10 on all images, plain and distorted anew in every epoch; returns the metrics."""
    arguments = report.arguments
    results = {}
    for name, recipe, distortion in simard_runs(arguments, len(digits.X)):
        report.section(f"784-{SIMARD_UNITS}-10, {name}, {recipe.epochs} epochs")
        started = time.perf_counter()
        with device.scope(arguments.seed):
            model = build_simard()
        model.compile(
            optimizer=recipe.make_optimizer(),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
            steps_per_execution=device.steps_per_execution(),
        )
        preprocess = distorting(distortion) if distortion else None
        batches = training.shuffled_batches(digits.X, digits.y, recipe.batch_size, arguments.seed, preprocess)
        model.fit(
            batches,
            epochs=recipe.epochs,
            shuffle=False,  # the batches come shuffled, each epoch anew
            callbacks=[
                *training.tensorboard(arguments.tensorboard, f"simard-{name}"),
                training.Resume(report.checkpoint(f"regularization-simard-{name}"), batches),
            ],
            verbose=report.verbose,
        )
        results[name] = measure(partial(predict, model), digits, test, time.perf_counter() - started)
    report_simard(report, results)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
