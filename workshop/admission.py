"""Two exam scores, admitted or not: a straight boundary against a curved one.

A neuron with a sigmoid draws a straight line between two classes. Here the true boundary is a curve, because a weak
exam is not made up for by a strong one: the neuron must leave some applicants on the wrong side, whatever its weights.
Two hidden layers, of 8 and of 4 relu units, bend the boundary until it fits.

    python -m workshop.admission                      # both; then look into the folder plots
    python -m workshop.admission --data YOUR.csv      # a table of numbers, the target, of two classes, last
    python -m workshop.admission --quick              # a first look: fewer epochs

Expected, on 100 applicants, all of whom are trained on: the neuron gets 0.89 to 0.92 of them right, the network 0.99
to 1.00. About 20 s on two CPU cores. The accuracy on rows that a model was trained on is too optimistic, so the network
is also trained five times on four fifths of the rows and evaluated on the rest (cross-validation). For the scores 38
and 75 both predict Sorry: the neuron with a probability of about 0.24 of Admitted, the network of 0. Then predict:

    python -m apps.admission
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.figures import admission as figures
from workshop.kit import cli, device, metrics, training
from workshop.kit.data import tables
from workshop.kit.files import FilePath
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    from sklearn.preprocessing import MinMaxScaler

RECIPE = Recipe(epochs=1200, learning_rate=0.2, batch_size=32, optimizer="sgd", schedule=False, quick_epochs=100)
RECIPES = {"neuron": RECIPE, "network": RECIPE}
FOLDS = 5
QUICK_FOLDS = 2
THRESHOLD = 0.5
EXAMPLE = (38.0, 75.0)  # points of an applicant who is strong in one exam and weak in the other
COLUMNS = {"exam_1_points": ("exam 1", "points"), "exam_2_points": ("exam 2", "points")}  # of our own table


def build_neuron(features: int = 2) -> keras.Sequential:
    """Returns one neuron: (features,) -> the probability of class 1. Its boundary is a straight line."""
    return keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name="neuron",
    )


def build_network(features: int = 2, hidden_units: Sequence[int] = (8, 4)) -> keras.Sequential:
    """Returns the network: (features,) -> 8 -> 4 -> the probability of class 1. Its boundary may bend."""
    return keras.Sequential(
        [
            keras.Input((features,)),
            *(keras.layers.Dense(units, activation="relu") for units in hidden_units),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name="network",
    )


def build(kind: str, features: int) -> keras.Sequential:
    """Returns one of the two models."""
    return build_neuron(features) if kind == "neuron" else build_network(features)


class Applicants(NamedTuple):
    """A table of numbers with two classes.

    Attributes:
        X, y: features (rows, features) and classes (rows,), 0 or 1.
        scaler: from the range of each feature to 0 to 1: the steps of gradient descent fit all of them.
        inputs: the features, each with its unit and its range.
        classes: the names of the two classes.
        source: the name of the table.
    """

    X: np.ndarray
    y: np.ndarray
    scaler: MinMaxScaler
    inputs: list[Input]
    classes: tuple[str, str]
    source: str


def load(path: FilePath | None, target: str | None = None, drop: Sequence[str] = ()) -> Applicants:
    """Returns the lesson's applicants, or a table of one's own.

    Args:
        path: the table of one's own.
        target: its column to predict, by default the last.
        drop: its columns to leave out.

    Raises:
        WorkshopError: the file is no table of numbers whose target has two classes.
    """
    from sklearn.preprocessing import MinMaxScaler

    path_or_shipped = path or tables.shipped_table("admission")
    table = tables.read_numbers(path_or_shipped, target=target, drop=drop, has_classes=True)
    X, y = table.split_two_classes()
    inputs = []
    for column, values in zip(table.names[:-1], X.T, strict=True):
        name, unit = COLUMNS.get(column, (column, ""))
        low, high = (float(f"{end:.6g}") for end in (values.min(), values.max()))  # 37.9, not float32's 37.90000153
        inputs.append(Input(name, unit, low, high))
    classes = ("Sorry", "Admitted") if path is None else table.class_names()
    return Applicants(X, y, MinMaxScaler().fit(X), inputs, classes, table.source)


class Fold(NamedTuple):
    """The rows of a table, split; features are scaled by the range of those to train on."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_validation: np.ndarray
    y_validation: np.ndarray


def cross_validation_folds(X: np.ndarray, y: np.ndarray, arguments: argparse.Namespace) -> list[Fold]:
    """Returns the rows X (rows, features) and y (rows,), split in several ways: each is validated on once."""
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import MinMaxScaler

    # Each fold needs a row of each class.
    count = min(QUICK_FOLDS if arguments.quick else FOLDS, int(np.bincount(y.astype(int)).min()))
    folds = []
    for train, validation in StratifiedKFold(count, shuffle=True, random_state=arguments.seed).split(X, y):
        scaler = MinMaxScaler().fit(X[train])  # one that had seen all rows would tell of those to validate on
        folds.append(Fold(scaler.transform(X[train]), y[train], scaler.transform(X[validation]), y[validation]))
    return folds


def fold_accuracy(fold: Fold, probabilities: np.ndarray) -> float:
    """Returns the accuracy of predicted probabilities (rows, 1) on a fold's validation rows."""
    return metrics.two_classes("validation", fold.y_validation, probabilities, THRESHOLD)["validation_accuracy"]


def train(
    model: keras.Sequential,
    X: np.ndarray,
    y: np.ndarray,
    arguments: argparse.Namespace,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | None = None,
) -> keras.callbacks.History:
    """Compiles and fits a model on scaled X (rows, features) and y (rows,)."""
    recipe = RECIPES[model.name].with_options(arguments, samples=len(X))
    model.compile(optimizer=recipe.make_optimizer(), loss="binary_crossentropy", metrics=["accuracy"])
    # fit_table ends with the weights of model.fit, bit for bit (see --plain), without its overhead of 30 ms an epoch:
    # the lesson trains for 8,400 epochs.
    return training.fit_table(
        model,
        X,
        y[:, None],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=arguments.seed,
        callbacks=callbacks,
        verbose=verbose,
        plain=arguments.plain,
    )


def print_example(applicants: Applicants, models: Mapping[str, Callable[[np.ndarray], np.ndarray]]) -> None:
    """Prints what both models predict for `EXAMPLE`.

    Args:
        applicants: the lesson's own.
        models: by their kinds, from scaled features (n, 2) to probabilities.
    """
    scaled = applicants.scaler.transform(np.array([EXAMPLE]))
    rows = []
    for kind, model in models.items():
        probability = float(model(scaled)[0, 0])
        rows.append([kind, f"{probability:.3f}", applicants.classes[int(probability >= THRESHOLD)]])
    scores = " and ".join(f"{points:g}" for points in EXAMPLE)
    inputs = " and ".join(f"{value:.3f}" for value in scaled[0])
    print(f"\n{scores} points, which the scaler makes {inputs}:")
    print(format_table(["model", f"probability of {applicants.classes[1]}", ""], rows))


def plot_boundaries(
    report: Report, applicants: Applicants, models: Mapping[str, Callable[[np.ndarray], np.ndarray]]
) -> None:
    """Draws the decision boundaries of both models over the rows, where there are two features.

    Args:
        report: of the run.
        applicants: the rows.
        models: by their kinds, from scaled features (n, 2) to probabilities.
    """

    def boundary(model: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda points: model(applicants.scaler.transform(points))

    features = len(applicants.inputs)
    if features == 2:
        names = [f"{column.name} ({column.unit})" if column.unit else column.name for column in applicants.inputs]
        report.plot(
            "admission-boundary",
            figures.boundaries,
            {kind: boundary(model) for kind, model in models.items()},
            applicants.X,
            applicants.y,
            names=names,
            classes=applicants.classes,
            example=EXAMPLE if report.arguments.data is None else None,
        )
    elif not report.arguments.no_plots:
        print(f"Note      no plot of the boundary: it needs two features, the table has {features}")


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(docstring, RECIPES)
    cli.add_plain(parser)
    tables.add_options(parser)
    return cli.parse_lesson(parser, argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, cross-validates, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("admission", arguments)
    applicants = load(arguments.data, arguments.target, arguments.drop)
    X, y = applicants.X, applicants.y
    report.data(applicants.source)
    report.engine(device.prepare(arguments.seed))

    X_scaled = applicants.scaler.transform(X)
    models, losses, rows = {}, {}, []
    for kind in RECIPES:
        report.section(f"{kind}: trained on all {len(X)} rows")
        with device.scope(arguments.seed):
            model = build(kind, X.shape[1])
        model.summary()
        callbacks = [
            *training.tensorboard(arguments.tensorboard, kind),
            training.Resume(report.checkpoint(f"admission_{kind}")),
        ]
        history = train(model, X_scaled, y, arguments, callbacks)
        models[kind], losses[kind] = model, history.history["loss"]
        loss, accuracy = model.evaluate(X_scaled, y[:, None], verbose=0)
        print(f"cross-entropy {loss:.4f}, {accuracy:.1%} of the rows classified correctly")
        probabilities = model.predict(X_scaled, verbose=0)
        scores = metrics.two_classes("train", y, probabilities, THRESHOLD)
        report.result(scores, model=kind)
        rows.append([kind, model.count_params(), *(f"{score:.3f}" for score in scores.values())])
    report.section("Both, on the rows they were trained on")
    print(format_table(["model", "weights", "accuracy", "precision", "recall", "F1"], rows))

    predictors = {kind: partial(model.predict, batch_size=10_000, verbose=0) for kind, model in models.items()}
    if arguments.data is None:
        print_example(applicants, predictors)

    report.section("network: trained on some rows, validated on the others")
    accuracies = []
    folds = cross_validation_folds(X, y, arguments)
    for number, fold in enumerate(folds, 1):
        with device.scope(arguments.seed):
            model = build_network(X.shape[1])
        train(model, fold.X_train, fold.y_train, arguments, verbose=0)
        # Called, not `predict`, which compiles itself first: it is quicker for one small batch.
        probabilities = keras.ops.convert_to_numpy(model(fold.X_validation))
        accuracies.append(fold_accuracy(fold, probabilities))
        print(f"fold {number} of {len(folds)}: accuracy {accuracies[-1]:.2f} on its {len(fold.y_validation)} rows")
    report.result({"validation_accuracy": float(np.mean(accuracies))}, model="network")

    report.save(
        "admission",
        models["network"],
        inputs=applicants.inputs,
        classes=applicants.classes,
        metrics={name: report.metrics[f"network_{name}"] for name in ("train_accuracy", "validation_accuracy")},
        scaler=applicants.scaler,
        threshold=THRESHOLD,
    )
    report.plot("admission-loss", figures.losses, losses)
    plot_boundaries(report, applicants, predictors)
    return report.finish(
        use=f"python -m apps.admission --model {report.last_model}",
        not_comparable="" if arguments.data is None else "the table is your own",
    )


if __name__ == "__main__":
    cli.run(main)
