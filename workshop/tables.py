"""Any table with a number or a class to predict: the strength of concrete, and what a car is worth.

One recipe for two tables. A mix of concrete is eight numbers, and its strength in MPa is a number too; a car is six
properties in words, and what it is worth is one of four classes. Numbers are scaled to 0 to 1, words become columns of
0 and 1 (one-hot), and a network with two hidden layers learns the rest. A linear model of the same rows says what the
hidden layers are good for.

    python -m workshop.tables                         # both; then look into the folder plots
    python -m workshop.tables --table car             # one of them
    python -m workshop.tables --data YOUR.csv         # any CSV: a header line, the target in the last column
    python -m workshop.tables --data YOUR.csv --target class       # where a number stands for a class
    python -m workshop.tables --quick                 # a first look: 20 epochs

The tables are UCI's concrete.csv and car.csv, in the folder that the environment variable WORKSHOP_DATA names. Without
them it trains on scikit-learn's diabetes and wine, and says so. Expected: concrete within 6 MPa (root mean squared
error on the test rows), where the linear model is off by about 11; at least 97 % of the test cars right, where the
linear model has about 91 %. About 20 s on two CPU cores. Then ask a saved model from Python, in the table's own words:

    from pathlib import Path
    from workshop.kit import bundle
    car = bundle.load(Path("models/car.h5"), ["tables"])
    print(car.card["classes"], car.predict([["low", "low", "4", "4", "big", "high"]]))
"""

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import cli, device, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import table_encoding
from workshop.kit.data import tables as table_data
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.plots import charts
from workshop.kit.saving import bundle

EPOCHS = {"number": 200, "class": 80}
QUICK_EPOCHS, PATIENCE = 20, 60
MOST_STEPS = 20_000  # a table of many thousand rows is passed over less often
BATCH_SIZE = 32
LEARNING_RATE = 0.005
STANDINS = {"concrete": "diabetes", "car": "wine"}
OF_THE_MIX = (
    "Cement", "Blast_Furnace_Slag", "Fly_Ash", "Water", "Superplasticizer", "Coarse_Aggregate", "Fine_Aggregate",
)  # fmt: skip
UNITS = dict.fromkeys(OF_THE_MIX, "kg/m3") | {"Age": "days", "Concrete_compressive_strength": "MPa"}
MOST_SHOWN = 20  # inputs on the screen, classes in a picture


def build_network(columns: int, classes: int = 0, hidden_units: Sequence[int] = (128, 128)) -> Any:
    """Returns the network: (columns,) -> 128 -> 128 -> one number, or the probabilities of the classes."""
    return keras.Sequential(
        [
            keras.layers.Input((columns,)),
            *(keras.layers.Dense(units, activation="relu") for units in hidden_units),
            keras.layers.Dense(classes, activation="softmax") if classes else keras.layers.Dense(1),
        ],
        name="network",
    )


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits the network, with the options of `training.fit`.

    X is (rows, columns), y numbers (rows, 1) or, one-hot, classes (rows, classes).
    """
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)
    is_number = y.shape[1] == 1
    loss = "mean_squared_error" if is_number else "categorical_crossentropy"
    model.compile(optimizer=optimizer, loss=loss, metrics=[] if is_number else ["accuracy"])
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def plan_of(task: table_encoding.Task, arguments: argparse.Namespace) -> Plan:
    """Returns how the network is trained."""
    batch_size = arguments.batch_size or BATCH_SIZE
    steps = -(-len(task.train) // batch_size)
    epochs = arguments.epochs or min(QUICK_EPOCHS if arguments.quick else EPOCHS[task.kind], -(-MOST_STEPS // steps))
    if arguments.optimizer is None:
        return Plan("adamw", arguments.learning_rate or LEARNING_RATE, epochs, batch_size, epochs * steps)
    return Plan(arguments.optimizer, arguments.learning_rate, epochs, batch_size)


def learn_network(task: table_encoding.Task, report: reporting.Report) -> tuple[Any, dict[str, Any]]:
    """Builds and trains the network; returns it, and its losses on the training and on the validation rows."""
    arguments, engine = report.arguments, report.engine
    model = engine.build(task.X.shape[1], len(task.classes), arguments.seed)
    rows, unseen = task.train, task.validation
    mean, spread = 0.0, 1.0
    if task.classes:
        # What keras.utils.to_categorical makes of them: class 2 of four becomes 0, 0, 1, 0.
        targets = np.eye(len(task.classes), dtype=np.float32)[task.y]
    else:
        # Strengths are about 36, prices may be millions: with mean 0 and spread 1 one learning rate suits both.
        mean, spread = float(task.y[rows].mean()), float(task.y[rows].std()) or 1.0
        targets = ((task.y - mean) / spread)[:, None].astype(np.float32)
    # A small table is soon known by heart: the weights of the epoch with the lowest validation loss are kept.
    history = engine.train(
        model, task.X[rows], targets[rows], plan_of(task, arguments), arguments.seed,
        validation_data=(task.X[unseen], targets[unseen]), patience=PATIENCE,
        checkpoint=report.checkpoint(f"tables-{task.name}"), resume=arguments.resume,
    )  # fmt: skip
    print(f"Kept the weights of epoch {history.best_epoch} of {history.finished}, the best on the validation rows")
    if not task.classes:
        # The last layer takes mean and spread in: from now on the network answers in the target's own unit.
        *others, kernel, bias = model.get_weights()
        model.set_weights([*others, kernel * spread, bias * spread + mean])
    at = range(1, history.finished + 1)
    losses = {"training": history.epochs["loss"], "validation": history.epochs["val_loss"]}
    return model, {part: (at, np.array(values) * spread**2) for part, values in losses.items()}


def fit_linear(task: table_encoding.Task) -> Any:
    """Returns scikit-learn's linear model of the training rows: least squares, or for classes logistic regression."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    model = LogisticRegression(max_iter=2000) if task.classes else LinearRegression()
    return model.fit(task.X[task.train], task.y[task.train])


def measure(task: table_encoding.Task, predicted: np.ndarray) -> dict[str, float]:
    """Returns how good predictions (rows,), numbers or classes, are on the training rows and on the test rows."""
    measured = {}
    for part, rows in (("train", task.train), ("test", task.test)):
        true, answers = task.y[rows], predicted[rows]
        if task.classes:
            measured[f"{part}_accuracy"] = float(np.mean(true == answers))
        else:
            measured |= metrics.regression(part, true, answers)
    return measured


def draw(
    task: table_encoding.Task, curves: dict[str, Any], predicted: dict[str, np.ndarray], folder: Path
) -> list[Path]:
    """Draws the loss curves and the comparison with the linear model; and what is predicted for the test rows."""
    metric, label, loss, value = "accuracy", "share of rows right", "cross-entropy", "{:.1%}"
    if not task.classes:
        unit = task.target.unit
        loss, value = "mean squared error" + f" ({unit}²)" * bool(unit), "{:.3g}"
        metric, label = "root_mean_squared_error", "root mean squared error" + f" ({unit})" * bool(unit)
    measured = {kind: measure(task, answers) for kind, answers in predicted.items()}
    bars = {kind: [found[f"{part}_{metric}"] for part in ("train", "test")] for kind, found in measured.items()}
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    charts.draw_curves(left, curves, y=loss, title=f"{task.title}: the network learns", logarithmic=True)
    charts.draw_bars(
        right, bars, ("training rows", "test rows"), value=value, y=label, title="Linear model and network"
    )
    paths = [plots.save(figure, folder / f"tables-{task.title}-learning.png")]
    if task.classes:
        matrix = metrics.confusion_matrix(task.y[task.test], predicted["network"][task.test], len(task.classes))
        frequent = np.sort(np.argsort(-matrix.sum(axis=1), kind="stable")[:MOST_SHOWN])
        title = f"{task.title}: {measured['network']['test_accuracy']:.1%} of the test rows right"
        title += f"\n(the {MOST_SHOWN} most frequent classes)" * (len(frequent) < len(matrix))
        figure = charts.confusion_matrix(matrix[np.ix_(frequent, frequent)], [task.classes[i] for i in frequent], title)
    else:
        figure, axes = plots.subplots(width=8, height=6)
        pairs = {kind: (task.y[task.test], answers[task.test]) for kind, answers in predicted.items()}
        charts.draw_predictions(axes, pairs, of=task.target.label, title=f"{task.title}: the test rows")
    return [*paths, plots.save(figure, folder / f"tables-{task.title}-predictions.png")]


def learn(task: table_encoding.Task, report: reporting.Report, prefix: str) -> None:
    """Trains both models on one table; compares, saves and draws."""
    arguments = report.arguments
    report.section(f"{task.title}: {len(task.inputs)} inputs in {task.X.shape[1]} columns")
    rows = [
        (
            one.name,
            textwrap.shorten(", ".join(one.values), 60, placeholder=" ..."),
            f"0 or 1 in {len(one.values)} columns",
        )
        if one.values
        else (one.name, f"{one.minimum:g} to {one.maximum:g} {one.unit}", "0 to 1")
        for one in task.inputs[:MOST_SHOWN]
    ]
    print(metrics.table(["input", "in the training rows", "goes in as"], rows))
    model, curves = learn_network(task, report)
    answers = training.predict(model, task.X)
    predicted = {
        "linear": fit_linear(task).predict(task.X),
        "network": answers.argmax(axis=1) if task.classes else answers[:, 0],
    }
    measured = {kind: measure(task, found) for kind, found in predicted.items()}
    names = [name.replace("root_mean_squared_error", "RMSE").replace("_", " ") for name in measured["linear"]]
    print(metrics.table(["model", *names], [[kind, *found.values()] for kind, found in measured.items()]))
    for kind, found in measured.items():
        report.result({f"{prefix}{kind}_{metric}": value for metric, value in found.items()})
    name = bundle.name_for(task.name, quick=arguments.quick, standin=task.is_standin)
    report.saved(
        *bundle.save(
            arguments.models, name, model, lesson="tables", data=task.source, seed=arguments.seed, inputs=task.inputs,
            metrics=measured["network"], scaler=task.scaler, classes=task.classes, output=task.target.name,
            output_unit=task.target.unit,
        )
    )  # fmt: skip
    if not arguments.no_plots:
        report.saved(*draw(task, curves, predicted, arguments.plots))


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring, epochs="200 for a number, 80 for a class, fewer for a large table", batch_size=str(BATCH_SIZE),
        optimizer="adamw", learning_rate=f"{LEARNING_RATE}, falling along a cosine",
    )  # fmt: skip
    parser.add_argument("--table", choices=[*STANDINS, "both"], default="both", help="(default: both)")
    parser.add_argument("--target", choices=["number", "class"], help="what the last column of --data is taken for")
    arguments = cli.parse_lesson(parser, argv)
    if arguments.data and arguments.table != "both":
        parser.error(f"--table: got {arguments.table}, and --data {arguments.data}: takes one of them")
    if arguments.target and not arguments.data:
        parser.error(f"--target: got {arguments.target} without a table of your own, takes --data FILE beside it")
    return arguments


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build_network), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Reads the tables, trains, compares, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("tables", arguments, engine)
    if arguments.data:
        table_encoding.check_name(arguments.data, arguments.models)
        tables = [table_data.read_table(arguments.data, at_least=table_encoding.FEWEST_ROWS)]
    else:
        names = STANDINS if arguments.table == "both" else [arguments.table]
        tables = [table_encoding.find(name, STANDINS[name]) for name in names]
    tasks = []
    for table in tables:
        report.data(table.source)
        units = UNITS if UNITS.keys() <= set(table.names) else {}
        tasks.append(table_encoding.prepare(table, arguments.seed, arguments.target, units))
    print(f"Engine    {engine.prepare(arguments.seed)}")
    for task in tasks:
        prefix = f"{task.title}_" if len(tasks) > 1 else ""
        learn(task, report, prefix)
        if task.classes:
            report.expect(f"{prefix}network_test_accuracy", 0.97)
        else:
            report.expect(f"{prefix}network_test_root_mean_squared_error", highest=6)
    no_band = reporting.why_no_band(arguments, any(task.is_standin for task in tasks))
    return report.finish(no_band=no_band or "the table is your own" * bool(arguments.data))


if __name__ == "__main__":
    cli.run(main)
