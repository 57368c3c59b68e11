"""Two exam scores, admitted or not: a straight boundary against a curved one.

A neuron with a sigmoid draws a straight line between two classes. Here the true boundary is a curve, because a weak
exam is not made up for by a strong one: the neuron must leave some applicants on the wrong side, whatever its weights.
Two hidden layers, of 8 and of 4 relu units, bend the boundary until it fits.

    python -m workshop.admission                      # both; then look into the folder plots
    python -m workshop.admission --data YOUR.csv      # a table of numbers, the target, 0 or 1, last
    python -m workshop.admission --quick              # a first look: fewer epochs

Expected, on 100 applicants, all of whom are trained on: the neuron gets 0.89 to 0.92 of them right, the network 0.99
to 1.00. About 20 s on two CPU cores. What a model gets right of the rows it was trained on flatters it, so the network
is also trained five times on four fifths of the rows and asked about the rest (validation). Then ask:

    python -m apps.admission
"""

import argparse
import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from workshop.kit import cli, device, files, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import tables
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.plots import charts, contours
from workshop.kit.saving import bundle

EPOCHS, QUICK_EPOCHS = 1200, 100
BATCH_SIZE = 32
LEARNING_RATE = 0.2
FOLDS, QUICK_FOLDS = 5, 2
THRESHOLD = 0.5
COLUMNS = {"exam_1_points": ("exam 1", "points"), "exam_2_points": ("exam 2", "points")}  # of our own table


def build_neuron(features: int = 2) -> Any:
    """Returns one neuron: (features,) -> the probability of class 1. Its boundary is a straight line."""
    return keras.Sequential(
        [keras.layers.Input((features,)), keras.layers.Dense(1, activation="sigmoid")], name="neuron"
    )


def build_network(features: int = 2, hidden_units: Sequence[int] = (8, 4)) -> Any:
    """Returns the network: (features,) -> 8 -> 4 -> the probability of class 1. Its boundary may bend."""
    return keras.Sequential(
        [
            keras.layers.Input((features,)),
            *(keras.layers.Dense(units, activation="relu") for units in hidden_units),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name="network",
    )


MODELS: dict[str, Callable[..., Any]] = {"neuron": build_neuron, "network": build_network}


def build(kind: str, features: int) -> Any:
    """Returns one of the models."""
    return MODELS[kind](features)


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits a model on scaled X (rows, features) and y (rows, 1), with the options of `training.fit`."""
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Returns how both models are trained."""
    rate = arguments.learning_rate or (LEARNING_RATE if arguments.optimizer is None else None)
    epochs = arguments.epochs or (QUICK_EPOCHS if arguments.quick else EPOCHS)
    return Plan(arguments.optimizer or "sgd", rate, epochs, arguments.batch_size or BATCH_SIZE)


def cross_validate(kind: str, X: np.ndarray, y: np.ndarray, report: reporting.Report) -> list[float]:
    """Returns for each fold how much of it a model gets right that was trained on the other folds alone.

    X (rows, features) is not scaled: each model has a scaler of its own, which sees its own training rows only.
    """
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import MinMaxScaler

    arguments, engine = report.arguments, report.engine
    # Each fold needs a row of each class.
    folds = min(QUICK_FOLDS if arguments.quick else FOLDS, int(np.bincount(y.astype(int)).min()))
    scores = []
    for rows, held_back in StratifiedKFold(folds, shuffle=True, random_state=arguments.seed).split(X, y):
        scaler = MinMaxScaler().fit(X[rows])
        with redirect_stdout(io.StringIO()):  # five more progress bars tell nothing
            model = engine.build(kind, X.shape[1], arguments.seed)
            engine.train(model, scaler.transform(X[rows]), y[rows, None], plan_of(arguments), arguments.seed)
        probability = training.predict(model, scaler.transform(X[held_back]))
        scores.append(metrics.two_classes("validation", y[held_back], probability, THRESHOLD)["validation_accuracy"])
        print(f"fold {len(scores)} of {folds}: {scores[-1]:.2f} of its {len(held_back)} rows right")
    return scores


def describe(table: tables.Table, X: np.ndarray) -> list[bundle.Input]:
    """Returns the inputs for the card, each with the range of its column."""
    inputs = []
    for column, values in zip(table.names[:-1], X.T, strict=True):
        name, unit = COLUMNS.get(column, (column, ""))
        low, high = (float(f"{end:.6g}") for end in (values.min(), values.max()))  # 37.9, not float32's 37.90000153
        inputs.append(bundle.Input(name, unit, low, high))
    return inputs


def draw(
    models: dict[str, Any], histories: dict[str, Any], scaler: Any, X: np.ndarray, y: np.ndarray,
    inputs: list[bundle.Input], classes: Sequence[str], arguments: argparse.Namespace,
) -> list[Any]:  # fmt: skip
    """Draws the loss curves and, where there are two features, both boundaries over the rows."""
    figure, axes = plots.subplots(width=8)
    charts.draw_losses(
        axes, histories, y="training loss (cross-entropy)", title="Learning who is admitted", logarithmic=False
    )
    paths = [plots.save(figure, arguments.plots / "admission-loss.png")]
    if X.shape[1] != 2:
        print(f"Note      no picture of the boundary: it takes two features, the table has {X.shape[1]}")
        return paths

    def probability(model: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda points: training.predict(model, scaler.transform(points))

    names = [one.name + f" ({one.unit})" * bool(one.unit) for one in inputs]
    titles = {"neuron": "One neuron: a line", "network": "8 and 4 hidden units: a curve"}
    panels = {titles[kind]: probability(model) for kind, model in models.items()}
    figure = contours.boundary_row(panels, X, y, "Where the answer changes", names=names, classes=classes)
    return [*paths, plots.save(figure, arguments.plots / "admission-boundary.png")]


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring, epochs=f"{EPOCHS:,}", batch_size=str(BATCH_SIZE), learning_rate=str(LEARNING_RATE), optimizer="sgd"
    )
    return cli.parse_lesson(parser, argv)


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("admission", arguments, engine)
    table = tables.read_table(arguments.data or files.shipped("datasets") / "admission.csv")
    X, y = table.split_two_classes()
    report.data(table.source)
    print(f"Engine    {engine.prepare(arguments.seed)}")
    is_ours = arguments.data is None
    classes = ("Sorry", "Admitted") if is_ours else (f"{table.names[-1]} = 0", f"{table.names[-1]} = 1")
    inputs = describe(table, X)

    from sklearn.preprocessing import MinMaxScaler

    # From the range of each column to 0 to 1: the steps of gradient descent fit all of them.
    scaler = MinMaxScaler().fit(X)
    models, histories, rows = {}, {}, []
    for kind in MODELS:
        report.section(f"{kind}: trained on all {len(X)} rows")
        checkpoint = report.checkpoint(f"admission_{kind}")
        model = engine.build(kind, X.shape[1], arguments.seed)
        history = engine.train(
            model, scaler.transform(X), y[:, None], plan_of(arguments), arguments.seed, checkpoint=checkpoint,
            resume=arguments.resume,
        )  # fmt: skip
        models[kind], histories[kind] = model, history
        scores = metrics.two_classes("train", y, training.predict(model, scaler.transform(X)), THRESHOLD)
        report.result({f"{kind}_{name}": score for name, score in scores.items()})
        rows.append([kind, model.count_params(), *(f"{score:.3f}" for score in scores.values())])
    report.expect("neuron_train_accuracy", 0.89, 0.92)
    report.expect("network_train_accuracy", 0.99)
    report.section("Both, on the rows they were trained on")
    print(metrics.table(["model", "weights", "accuracy", "precision", "recall", "F1"], rows))

    report.section("network: trained on some rows, asked about the others")
    validation_accuracy = float(np.mean(cross_validate("network", X, y, report)))
    report.result({"network_validation_accuracy": validation_accuracy})

    name = bundle.name_for("admission", quick=arguments.quick)
    measured = {metric: report.metrics[f"network_{metric}"] for metric in ("train_accuracy", "validation_accuracy")}
    report.saved(
        *bundle.save(
            arguments.models, name, models["network"], lesson="admission", data=table.source, seed=arguments.seed,
            inputs=inputs, classes=classes, metrics=measured, scaler=scaler, threshold=THRESHOLD,
        )
    )  # fmt: skip
    if not arguments.no_plots:
        report.saved(*draw(models, histories, scaler, X, y, inputs, classes, arguments))
    return report.finish(
        use=f"python -m apps.admission --model {arguments.models / f'{name}.h5'}",
        no_band=reporting.why_no_band(arguments) if is_ours else "the table is your own",
    )


if __name__ == "__main__":
    cli.run(main)
