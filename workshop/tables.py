"""Any table with a number or a class to predict: the strength of concrete, and what a car is worth.

One recipe for two tables. A mix of concrete is eight numbers, and its strength in MPa is a number too; a car is six
properties in words, and what it is worth is one of four classes. Numbers are scaled to 0 to 1, words become columns of
0 and 1 (one-hot), and a network with two hidden layers is trained on them. A linear model of the same rows says what
the hidden layers are good for.

    python -m workshop.tables                         # both; then look into the folder plots
    python -m workshop.tables --table car             # one of them
    python -m workshop.tables --data YOUR.csv         # any CSV, as it is; the target in the last column
    python -m workshop.tables --data YOUR.csv --target price --drop name city     # or in another; columns to leave out
    python -m workshop.tables --data YOUR.csv --target-kind class  # where a number stands for a class
    python -m workshop.tables --quick                 # a first look: 20 epochs

The tables are UCI's concrete.csv and car.csv, in the folder that the environment variable WORKSHOP_DATA names. Without
them it trains on scikit-learn's diabetes and wine, and says so. Expected: concrete within 6 MPa (root mean squared
error on the test rows), where the linear model is off by about 11; at least 97 % of the test cars right, where the
linear model has about 91 %. About 20 s on two CPU cores. Then ask a saved model from Python, in the table's own words:

    from workshop.kit.saving import bundle
    car = bundle.load("models/car.h5", ["tables"])
    print(car.card["classes"], car.predict([["low", "low", "4", "4", "big", "high"]]))
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workshop.figures import tables as figures
from workshop.kit import cli, device, metrics, training
from workshop.kit.data import table_encoding
from workshop.kit.data import tables as table_data
from workshop.kit.data.table_encoding import Task
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    from sklearn.linear_model import LinearRegression, LogisticRegression

RECIPES = {
    "number": Recipe(epochs=200, learning_rate=0.005, batch_size=32, quick_epochs=20),
    "class": Recipe(epochs=80, learning_rate=0.005, batch_size=32, quick_epochs=20),
}
PATIENCE = 60  # epochs without a lower validation loss, before training stops
MAX_STEPS = 20_000  # a table of many thousand rows gets fewer epochs
STANDINS = {"concrete": "diabetes", "car": "wine"}
MIX = (
    "Cement",
    "Blast_Furnace_Slag",
    "Fly_Ash",
    "Water",
    "Superplasticizer",
    "Coarse_Aggregate",
    "Fine_Aggregate",
)
UNITS = dict.fromkeys(MIX, "kg/m3") | {"Age": "days", "Concrete_compressive_strength": "MPa"}
MAX_SHOWN = 20  # inputs on the screen
# Usual names of the column to predict.
TARGETS = {"y", "target", "label", "class", "output", "outcome", "diagnosis", "survived", "species"}


def build_network(columns: int, classes: int = 0, hidden_units: Sequence[int] = (128, 128)) -> keras.Sequential:
    """Returns the network: (columns,) -> 128 -> 128 -> one number, or the probabilities of the classes."""
    model = keras.Sequential([keras.Input((columns,))], name="network")
    for units in hidden_units:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(classes, activation="softmax") if classes else keras.layers.Dense(1))
    return model


def fit_linear(task: Task) -> LinearRegression | LogisticRegression:
    """Returns scikit-learn's linear model of the training rows: least squares, or for classes logistic regression."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    model = LogisticRegression(max_iter=2000) if task.classes else LinearRegression()
    return model.fit(task.X[task.train], task.y[task.train])


def get_recipe(task: Task, arguments: argparse.Namespace) -> Recipe:
    """Returns how the network is trained on a table: a large one for fewer epochs."""
    recipe = RECIPES[task.kind].with_options(arguments, len(task.train))
    if arguments.epochs is None:
        steps = -(-len(task.train) // recipe.batch_size)
        recipe = replace(recipe, epochs=min(recipe.epochs, -(-MAX_STEPS // steps)))
    return recipe.for_samples(len(task.train))


def scale_targets(task: Task) -> tuple[np.ndarray, float, float]:
    """Returns the targets as a network is trained on them, (rows, outputs), and the mean and spread taken off.

    Strengths are about 36, prices may be millions: with mean 0 and spread 1 one learning rate suits both. Of classes
    this is what `keras.utils.to_categorical` returns: class 2 of four becomes 0, 0, 1, 0.
    """
    if task.classes:
        return np.eye(len(task.classes), dtype=np.float32)[task.y], 0.0, 1.0
    mean, spread = float(task.y[task.train].mean()), float(task.y[task.train].std()) or 1.0
    return ((task.y - mean) / spread)[:, None].astype(np.float32), mean, spread


def unscale_outputs(weights: Sequence[np.ndarray], mean: float, spread: float) -> list[np.ndarray]:
    """Returns the weights of a network whose last layer has taken mean and spread in.

    From then on the network predicts in the target's own unit.
    """
    *others, kernel, bias = weights
    return [*others, kernel * spread, bias * spread + mean]


def measure(task: Task, predicted: np.ndarray) -> dict[str, float]:
    """Returns how good predictions (rows,), numbers or classes, are on the training rows and on the test rows."""
    measured = {}
    for part, rows in (("train", task.train), ("test", task.test)):
        if task.classes:
            measured[f"{part}_accuracy"] = float(np.mean(task.y[rows] == predicted[rows]))
        else:
            measured |= metrics.regression(part, task.y[rows], predicted[rows])
    return measured


def describe_inputs(task: Task) -> str:
    """Returns a table of the inputs: what the training rows have, and what it becomes."""
    rows = []
    for column in task.inputs[:MAX_SHOWN]:
        if column.values:
            texts = textwrap.shorten(", ".join(column.values), 60, placeholder=" ...")
            rows.append((column.name, texts, f"0 or 1 in {len(column.values)} columns"))
        else:
            rows.append((column.name, f"{column.minimum:g} to {column.maximum:g} {column.unit}", "0 to 1"))
    return format_table(["input", "in the training rows", "encoded as"], rows)


def compare(task: Task, report: Report, outputs: np.ndarray, prefix: str) -> dict[str, np.ndarray]:
    """Prints and notes how good the network and a linear model are; returns what each predicts for all rows.

    Args:
        task: the table.
        report: of the run.
        outputs: of the network for all rows, (rows, outputs).
        prefix: of the metrics' names.
    """
    network = outputs.argmax(axis=1) if task.classes else outputs[:, 0]
    predicted = {"linear": fit_linear(task).predict(task.X), "network": network}
    measured = {kind: measure(task, values) for kind, values in predicted.items()}
    names = [name.replace("root_mean_squared_error", "RMSE").replace("_", " ") for name in measured["linear"]]
    print(format_table(["model", *names], [[kind, *values.values()] for kind, values in measured.items()]))
    for kind, values in measured.items():
        report.result(values, model=f"{prefix}{kind}", band=f"{task.name}_{kind}")
    return predicted


def save_and_plot(
    task: Task, report: Report, model: object, predicted: dict[str, np.ndarray], losses: Mapping[str, Sequence[float]]
) -> None:
    """Saves the network with its card, and plots how it was trained and what it predicts for the test rows."""
    report.save(
        task.name,
        model,
        is_standin=task.is_standin,
        data=task.source,
        inputs=task.inputs,
        metrics=measure(task, predicted["network"]),
        scaler=task.scaler,
        classes=task.classes,
        output=task.target.name,
        output_unit=task.target.unit,
    )
    measured = {kind: measure(task, values) for kind, values in predicted.items()}
    report.plot(f"tables-{task.title}-learning", figures.learning, task.title, losses, measured, task.target.unit)
    true, on_test = task.y[task.test], {kind: values[task.test] for kind, values in predicted.items()}
    if task.classes:
        name = f"tables-{task.title}-predictions"
        report.plot(name, figures.confusion, task.title, true, on_test["network"], task.classes)
    else:
        name = f"tables-{task.title}-predictions"
        report.plot(name, figures.predictions, task.title, true, on_test, task.target.label)


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(docstring, RECIPES, epochs="200 for a number, 80 for a class, fewer for a large table")
    cli.add_plain(parser)
    parser.add_argument("--table", choices=[*STANDINS, "both"], default="both", help="(default: both)")
    table_data.add_options(parser)
    parser.add_argument("--target-kind", choices=["number", "class"], help="how to treat the target of --data")
    arguments = cli.parse_lesson(parser, argv)
    if arguments.data and arguments.table != "both":
        parser.error(f"--table: got {arguments.table}, and --data {arguments.data}: takes one of them")
    if arguments.target_kind and not arguments.data:
        kind = arguments.target_kind
        parser.error(f"--target-kind: got {kind} without a table of your own: give --data FILE as well")
    return arguments


def read_own(arguments: argparse.Namespace, report: Report) -> Task:
    """Reads and prepares the table in the file that `--data` names."""
    target, kind = arguments.target, arguments.target_kind
    table = table_data.parse_table(arguments.data, at_least=table_encoding.MIN_ROWS)
    if target in ("number", "class") and target not in table.names and kind is None:
        print(f"Note      no column is called {target}: --target {target} is read as --target-kind {target}")
        target, kind = None, target
    table = table_data.choose_columns(table, target, arguments.drop)
    report.data(table.source)
    table_data.print_notes(table)
    usual = [name for name in table.names[:-1] if name.strip().lower() in TARGETS]
    if target is None and usual and table.names[-1].strip().lower() not in TARGETS:
        print(f"Note      the last column, {table.names[-1]}, is predicted: --target {usual[0]} predicts that one")
    task = table_encoding.prepare(table, arguments.seed, kind, units(table))
    return replace(task, name=table_encoding.check_name(arguments.data, arguments.models))


def units(table: table_data.Table) -> dict[str, str]:
    """Returns the units of the columns, by name, of UCI's table of concrete; of another table, none."""
    return UNITS if UNITS.keys() <= set(table.names) else {}


def load_tables(arguments: argparse.Namespace, report: Report) -> list[Task]:
    """Reads the tables that the options ask for, and prepares them."""
    if arguments.data:
        return [read_own(arguments, report)]
    names = STANDINS if arguments.table == "both" else [arguments.table]
    tasks = []
    for table in [table_encoding.find(name, STANDINS[name]) for name in names]:
        report.data(table.source, is_standin=bool(table.standin_for))
        tasks.append(table_encoding.prepare(table, arguments.seed, None, units(table)))
    return tasks


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Reads the tables, trains, compares, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("tables", arguments)
    tasks = load_tables(arguments, report)
    report.engine(device.prepare(arguments.seed))
    for task in tasks:
        report.section(f"{task.title}: {len(task.inputs)} inputs in {task.X.shape[1]} columns")
        print(describe_inputs(task))
        recipe = get_recipe(task, arguments)
        targets, mean, spread = scale_targets(task)
        with device.scope(arguments.seed):
            model = build_network(task.X.shape[1], len(task.classes))
        model.summary()
        model.compile(
            optimizer=recipe.make_optimizer(),
            loss="categorical_crossentropy" if task.classes else "mean_squared_error",
            metrics=["accuracy"] if task.classes else [],
        )
        # A network soon memorises a small table: the weights of the epoch with the lowest validation loss are kept.
        stopping = keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
        resume = training.Resume(report.checkpoint(f"tables-{task.name}"), keep=[stopping])
        # fit_table ends with the weights of model.fit, bit for bit (see --plain), without its overhead of 30 ms an
        # epoch: on a table this small an epoch takes about one.
        history = training.fit_table(
            model,
            task.X[task.train],
            targets[task.train],
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            seed=arguments.seed,
            validation_data=(task.X[task.validation], targets[task.validation]),
            callbacks=[*training.tensorboard(arguments.tensorboard, task.name), stopping, resume],
            plain=arguments.plain,
        )
        epochs = len(history.history["loss"])
        print(f"Kept the weights of epoch {stopping.best_epoch + 1} of {epochs}, the best on the validation rows")
        measured = model.evaluate(task.X[task.test], targets[task.test], return_dict=True, verbose=0)
        print("On the test rows: " + ", ".join(f"{name} {value:.4f}" for name, value in measured.items()))
        losses = {"training": history.history["loss"], "validation": history.history["val_loss"]}
        if not task.classes:
            model.set_weights(unscale_outputs(model.get_weights(), mean, spread))
            losses = {part: np.square(spread) * np.array(values) for part, values in losses.items()}

        outputs = model.predict(task.X, verbose=0)
        predicted = compare(task, report, outputs, f"{task.title}_" if len(tasks) > 1 else "")
        save_and_plot(task, report, model, predicted, losses)
    return report.finish(not_comparable="the table is your own" if arguments.data else "")


if __name__ == "__main__":
    cli.run(main)
