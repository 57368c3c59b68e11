"""One neuron decides: tumours, the sigmoid and cross-entropy.

A line answers "how much"; a sigmoid behind it answers "how probable". You see what the sigmoid does, why its errors are
measured by cross-entropy and not by squares, and why a straight line with a cut at 0.5 is no classifier. Then one
neuron learns from 30 measurements of a tumour's cells whether it is malignant (569 real cases, Wolberg et al. 1993).

    python -m workshop.logistic_regression                      # all of it; then look into the folder plots
    python -m workshop.logistic_regression --data YOUR.csv      # numbers, then a target of two classes
    python -m workshop.logistic_regression --quick              # a first look: fewer epochs

Expected: at least 96 % of the test cases right, on the rows that are held out here. About 12 s on two CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.figures import logistic_regression as figures
from workshop.kit import cli, device, metrics, training
from workshop.kit.data import tables
from workshop.kit.files import FilePath
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler

RECIPES = {
    "neuron": Recipe(epochs=100, learning_rate=0.01, batch_size=32, optimizer="adam", schedule=False, quick_epochs=20)
}
THRESHOLD = 0.5
SATURATED_RATE = 0.15
SATURATED_STEPS = 300
STEPS_SHOWN = (0, 50, 100, 200, 299)
THROWS = (1, 0, 1, 0)  # of a coin: heads, tails, heads, tails
CLASSES = ("benign", "malignant")
SIGMOID_INPUTS = (-10.0, -8.0, -4.0, 0.0, 0.5, 1.0, 5.0)
# The label, 0 or 1, and the predicted probability of 1; in the last three the prediction is almost certain.
OUTCOMES = ((1, 0.7), (1, 0.1), (1, 1e-6), (0, 0.3), (0, 0.9), (1, 0.99999), (0, 0.00001), (0, 0.999999))

Classifier = tuple[Callable[[np.ndarray], np.ndarray], float]  # a function of a tumour's size; where it is 0.5


def sigmoid(z: np.ndarray | float) -> np.ndarray:
    """Returns 1 / (1 + e^-z): any number becomes a probability."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(z, np.float64))))


def cross_entropy(y: np.ndarray | float, p: np.ndarray | float) -> np.ndarray:
    """Returns -log of the probability that was predicted for the label: y is 0 or 1, p the probability of 1."""
    return np.asarray(-(y * np.log(p) + (1 - np.asarray(y)) * np.log(1 - np.asarray(p))))


def likelihood(theta: np.ndarray | float, throws: Sequence[int]) -> np.ndarray:
    """Returns the probability of exactly these throws (1 heads, 0 tails) of a coin that shows heads with theta."""
    heads = sum(throws)
    return np.asarray(np.power(theta, heads) * np.power(1 - np.asarray(theta), len(throws) - heads))


def descend_saturated(loss: str) -> list[float]:
    """Returns the output, step by step, of one neuron that starts far on the wrong side: w = b = 2, input 1, target 0.

    With squares the gradient holds sigmoid'(z), which is nearly 0 out there; with cross-entropy that factor cancels.
    """
    w = b = 2.0
    outputs = []
    for _ in range(SATURATED_STEPS):
        a = float(sigmoid(w * 1 + b))
        outputs.append(a)
        gradient = a if loss == "cross-entropy" else a * a * (1 - a)  # of 1/2 (a - 0)^2
        w -= SATURATED_RATE * gradient
        b -= SATURATED_RATE * gradient
    return outputs


def loss_surfaces() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Returns weights, biases and the two losses of one neuron on them, each (121, 121), for four points on a line.

    The right weights are large: squares leave plateaus on the way to them.
    """
    x, y = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    w, b = np.meshgrid(np.linspace(-8, 8, 121), np.linspace(-8, 8, 121))
    p = np.clip(sigmoid(w[..., None] * x + b[..., None]), 1e-12, 1 - 1e-12)
    return w, b, {"squares": np.mean((p - y) ** 2, axis=-1), "cross-entropy": np.mean(cross_entropy(y, p), axis=-1)}


def show_basics(report: Report) -> None:
    """Prints and draws the sigmoid, cross-entropy and likelihood."""
    report.section("The sigmoid")
    # Eight significant digits: of -10 eight decimals would leave four of them.
    rows: list[list[object]] = [
        [f"{z:g}", np.format_float_positional(float(sigmoid(z)), 8, fractional=False, trim="-")] for z in SIGMOID_INPUTS
    ]
    print(format_table(["z", "sigmoid(z)"], rows))
    report.section("Cross-entropy: the negative logarithm of the probability of the true class")
    rows = [[y, f"{p:g}", f"{cross_entropy(y, p):.5f}"] for y, p in OUTCOMES]
    print(format_table(["label", "probability of 1", "cross-entropy"], rows))
    print("It is near 0 for a confident, correct prediction and grows without limit for a confident, wrong one.")
    descents = {loss: descend_saturated(loss) for loss in ("squares", "cross-entropy")}
    report.section(f"A saturated neuron with the target 0: gradient descent, rate {SATURATED_RATE}")
    rows = [[step, *(f"{outputs[step]:.4f}" for outputs in descents.values())] for step in STEPS_SHOWN]
    print(format_table(["step", "squares", "cross-entropy"], rows))
    a = descents["squares"][0]
    print(f"The first gradient of 1/2 a^2 is a * a (1 - a) = {a * a * (1 - a):.4f}, that of cross-entropy a = {a:.4f}.")
    report.section("Maximum likelihood: heads, tails, heads, tails")
    rows = [[theta, f"{likelihood(theta, THROWS):.4f}"] for theta in (0.2, 0.5, 0.8)]
    print(format_table(["probability of heads", "likelihood of the throws"], rows))
    theta = np.linspace(0.01, 0.99, 99)
    report.plot(
        "logistic_regression-basics", figures.basics, theta, likelihood(theta, THROWS), descents, *loss_surfaces()
    )


def build_neuron(features: int) -> keras.Sequential:
    """Returns one neuron with a sigmoid: (features,) -> the probability of class 1."""
    return keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


class Cases(NamedTuple):
    """A table of numbers with two classes.

    Attributes:
        X, y: features (rows, features) and classes (rows,), 0 or 1.
        inputs: the features, each with its unit and its range.
        classes: the names of the two classes.
        source: the name of the table.
    """

    X: np.ndarray
    y: np.ndarray
    inputs: list[Input]
    classes: tuple[str, str]
    source: str


def load(path: FilePath | None, target: str | None = None, drop: Sequence[str] = ()) -> Cases:
    """Returns the tumours, or a table of one's own.

    Args:
        path: the table of one's own.
        target: its column to predict, by default the last.
        drop: its columns to leave out.

    Raises:
        WorkshopError: the file is no table of numbers whose target has two classes.
    """
    if path is not None:
        table = tables.read_numbers(path, at_least=8, target=target, drop=drop, has_classes=True)
        X, y = table.split_two_classes()
        table.check_classes(y, at_least=4)
        return Cases(X, y, tables.describe(table, range(len(table.names) - 1)), table.class_names(), table.source)

    from sklearn.datasets import load_breast_cancer

    tumours = load_breast_cancer()
    X, y = tumours.data.astype(np.float32), 1 - tumours.target  # scikit-learn has 1 for benign
    ranges = [(float(f"{column.min():.6g}"), float(f"{column.max():.6g}")) for column in X.T]
    inputs = [Input(str(name), "", *ends) for name, ends in zip(tumours.feature_names, ranges, strict=True)]
    return Cases(X, y.astype(np.float32), inputs, CLASSES, f"breast cancer, scikit-learn's ({len(X)} rows)")


def split(cases: Cases) -> list[np.ndarray]:
    """Returns X_train, X_test, y_train, y_test: three quarters of the rows to train on, one to test."""
    from sklearn.model_selection import train_test_split

    # The same rows are held out whatever the seed: results of two runs can be compared.
    return list(train_test_split(cases.X, cases.y, test_size=0.25, stratify=cases.y, random_state=1))


def with_a_large_tumour(sizes: np.ndarray, y: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns sizes (rows, 1) and classes (rows,) of tumours as they are, and with one very large tumour more."""
    large = 5 * sizes.max()
    return {
        "as measured": (sizes, y),
        "one large tumour added": (np.append(sizes, [[large]], axis=0), np.append(y, np.float32(1))),
    }


def line_and_neuron(
    sizes: np.ndarray, y: np.ndarray, weights: Sequence[np.ndarray], scaler: StandardScaler
) -> dict[str, Classifier]:
    """Returns two classifiers of tumours by their size: the least-squares line, and a trained neuron.

    Args:
        sizes, y: that both are fitted to, (rows, 1) and (rows,); the data's authors do not name the unit.
        weights: of the neuron, for sizes scaled by `scaler`: (1, 1) and (1,).
        scaler: fitted.

    Returns:
        For "line" and "neuron" its function of the size, and the size where it is 0.5.
    """
    slope, intercept = np.polyfit(sizes[:, 0], y, 1)
    weight, bias = float(weights[0][0, 0] / scaler.scale_[0]), float(weights[1][0])
    bias -= weight * float(scaler.mean_[0])
    return {
        "line": (lambda x: slope * x + intercept, float((THRESHOLD - intercept) / slope)),
        "neuron": (lambda x: sigmoid(weight * x + bias), -bias / weight),  # the sigmoid is 0.5 where its input is 0
    }


def show_classifiers(
    report: Report, sizes: np.ndarray, y: np.ndarray, classifiers: Mapping[str, Mapping[str, Classifier]]
) -> None:
    """Prints and draws how many malignant tumours are missed by classifiers that were fitted to different data.

    Args:
        report: of the run.
        sizes, y: of the tumours as measured, (rows, 1) and (rows,).
        classifiers: for each data set, by its title, what `line_and_neuron` returns.
    """
    rows = []
    for title, fitted in classifiers.items():
        for name, (_, cut) in fitted.items():
            missed = int(np.sum((sizes[:, 0] < cut) & (y == 1)))
            rows.append([title, name, f"{cut:.1f}", f"{missed} of {int(y.sum())}"])
    print(format_table(["data", "classifier", "cut at", "malignant missed"], rows))
    report.plot("logistic_regression-line", figures.line, sizes[:, 0], y, classifiers)


def train(
    model: keras.Sequential,
    X: np.ndarray,
    y: np.ndarray,
    arguments: argparse.Namespace,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.callbacks.History:
    """Compiles and fits a neuron on scaled X (rows, features) and y (rows,)."""
    recipe = RECIPES["neuron"].with_options(arguments, samples=len(X))
    model.compile(optimizer=recipe.make_optimizer(), loss="binary_crossentropy", metrics=["accuracy"])
    # fit_table ends with the weights of model.fit, bit for bit (see --plain), without its overhead of 30 ms an epoch:
    # the lesson trains for 300 epochs.
    return training.fit_table(
        model,
        X,
        y[:, None],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=arguments.seed,
        callbacks=callbacks,
        plain=arguments.plain,
    )


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(docstring, RECIPES)
    cli.add_plain(parser)
    tables.add_options(parser)
    return cli.parse_lesson(parser, argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Shows the tables, trains, compares, evaluates, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("logistic_regression", arguments)
    cases = load(arguments.data, arguments.target, arguments.drop)
    report.data(cases.source)
    report.engine(device.prepare(arguments.seed))
    show_basics(report)

    from sklearn.preprocessing import StandardScaler

    if arguments.data is None:
        report.section("A straight line as a classifier, and one very large tumour")
        sizes = cases.X[:, :1]
        scaler = StandardScaler().fit(sizes)
        classifiers = {}
        for title, (x, y) in with_a_large_tumour(sizes, cases.y).items():
            print(f"neuron, {title}")
            with device.scope(arguments.seed):
                model = build_neuron(1)
            train(model, scaler.transform(x), y, arguments)
            classifiers[title] = line_and_neuron(x, y, model.get_weights(), scaler)
        show_classifiers(report, sizes, cases.y, classifiers)

    report.section("One neuron, all features: three quarters of the rows to train on, one to test")
    X_train, X_test, y_train, y_test = split(cases)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    with device.scope(arguments.seed):
        model = build_neuron(X_train.shape[1])
    model.summary()
    callbacks = [
        *training.tensorboard(arguments.tensorboard, "neuron"),
        training.Resume(report.checkpoint("logistic_regression")),
    ]
    history = train(model, X_train, y_train, arguments, callbacks)

    loss, accuracy = model.evaluate(X_test, y_test[:, None], verbose=0)
    print(f"cross-entropy {loss:.4f} on the test rows, {accuracy:.1%} of them classified correctly")
    probabilities = model.predict(X_test, verbose=0)[:, 0]
    report.result(metrics.two_classes("train", y_train, model.predict(X_train, verbose=0), THRESHOLD))
    report.result(metrics.two_classes("test", y_test, probabilities, THRESHOLD))
    report.save(
        "logistic_regression",
        model,
        inputs=cases.inputs,
        classes=cases.classes,
        metrics=report.metrics,
        scaler=scaler,
        threshold=THRESHOLD,
    )
    report.plot("logistic_regression-confusion", figures.confusion, y_test, probabilities >= THRESHOLD, cases.classes)
    report.plot("logistic_regression-loss", figures.loss, history.history["loss"])
    return report.finish(not_comparable="" if arguments.data is None else "the table is your own")


if __name__ == "__main__":
    cli.run(main)
