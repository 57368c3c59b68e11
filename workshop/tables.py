"""Any table with a number or a class to predict: the strength of concrete, and what a car is worth.

One recipe for two tables. A mix of concrete is eight numbers, and its strength in MPa is a number too; a car is six
properties in words, and what it is worth is one of four classes. Numbers are scaled to 0 to 1, words become columns of
0 and 1 (one-hot), and a network with two hidden layers learns the rest. A linear model of the same rows says what the
hidden layers are good for.

    python -m workshop.tables                         # both; then look into the folder plots
    python -m workshop.tables --table car             # one of them
    python -m workshop.tables --data YOUR.csv         # any CSV: a header line, the target in the last column
    python -m workshop.tables --data YOUR.csv --target class       # where a number stands for a class
    python -m workshop.tables --quick                 # a first look: a tenth of the epochs

The tables are UCI's concrete.csv and car.csv, in the folder that the environment variable WORKSHOP_DATA names. Without
them it trains on scikit-learn's diabetes and wine, and says so. Expected: concrete within 6 MPa (root mean squared
error on the test rows), where the linear model is off by about 11; 97 % of the test cars right, of which the linear
model gets some 90 %. About 20 s on two CPU cores. Then ask a saved model from Python, in the table's own words:

    from pathlib import Path
    from workshop.kit import bundle
    car = bundle.load(Path("models/car.h5"), ["tables"])
    print(car.card["classes"], car.predict([["low", "low", "4", "4", "big", "high"]]))
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import bundle, cli, data, device, files, metrics, plots, tabular, training
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras

EPOCHS, QUICK_EPOCHS, PATIENCE = 200, 20, 60
MOST_STEPS = 20_000  # a table of many thousand rows is passed over less often
BATCH_SIZE = 32
LEARNING_RATE = 0.005
STANDINS = {"concrete": "diabetes", "car": "wine"}
UNITS = dict.fromkeys(
    ("Cement", "Blast_Furnace_Slag", "Fly_Ash", "Water", "Superplasticizer", "Coarse_Aggregate", "Fine_Aggregate"),
    "kg/m3",
) | {"Age": "days", "Concrete_compressive_strength": "MPa"}  # of concrete.csv


class Task(NamedTuple):
    """A table made ready.

    X is what goes into a model (rows, columns), y what is to come out (rows,): numbers, or places in `classes`. `rows`
    are the numbers of the "train", "validation" and "test" rows. The scaler is of the columns of numbers alone.
    """

    name: str
    source: str
    X: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    rows: dict[str, np.ndarray]
    inputs: list[bundle.Input]
    target: bundle.Input
    scaler: Any


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


def prepare(name: str, table: data.Table, source: str, kind: str | None, seed: int) -> Task:
    """Parts the rows, scales the numbers and encodes the texts. What a column holds is learned from training rows."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    y, classes = tabular.read_target(table, kind)
    # The test rows have each class in its proportion, unless one is too rare to be parted.
    stratify = y if classes and np.bincount(y).min() >= tabular.ROWS_OF_A_CLASS else None
    others, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=seed, stratify=stratify)
    training_rows, validation = train_test_split(others, test_size=0.125, random_state=seed)

    features = range(len(table.names) - 1)
    numeric = [column for column in features if table.is_numeric(column)]
    numbers = table.numbers(numeric)
    scaler = MinMaxScaler().fit(numbers[training_rows]) if numeric else None
    inputs, encoded = [], []
    for column in features:
        title = table.names[column]
        if scaler and column in numeric:
            at = numeric.index(column)
            low, high = (float(f"{end[at]:.6g}") for end in (scaler.data_min_, scaler.data_max_))
            inputs.append(bundle.Input(title, UNITS.get(title, ""), low, high))
            encoded.append(scaler.transform(numbers)[:, [at]])
            continue
        texts = table.texts(column)
        values, every = np.unique(texts[training_rows]), np.unique(texts)
        if len(every) > len(texts) / 2:
            print(f"Note      {title} is left out: its {len(every)} different texts name the rows one by one")
            continue
        if len(every) > len(values):
            print(f"Note      {title}: no training row has {', '.join(set(every) - set(values))}, 0 in all its columns")
        inputs.append(bundle.Input(title, values=tuple(map(str, values))))
        encoded.append(texts[:, None] == values)
    if not inputs:
        raise WorkshopError(f"{table.path}: no column is left to predict {table.names[-1]} from, takes one or more")
    return Task(
        name, source, np.concatenate(encoded, axis=1).astype(np.float32), y, classes,
        {"train": training_rows, "validation": validation, "test": test}, inputs,
        bundle.Input(table.names[-1], UNITS.get(table.names[-1], "")), scaler,
    )  # fmt: skip


def train(task: Task, arguments: argparse.Namespace, report: cli.Report) -> tuple[Any, dict[str, Any]]:
    """Builds and fits the network; returns it, and its losses on the training and on the validation rows."""
    keras.utils.set_random_seed(arguments.seed)
    model = build_network(task.X.shape[1], len(task.classes))
    rows = task.rows["train"]
    mean, spread = 0.0, 1.0
    if task.classes:
        targets = keras.utils.to_categorical(task.y, len(task.classes))  # class 2 of four becomes 0, 0, 1, 0
    else:
        # Strengths are about 36, prices may be millions: with mean 0 and spread 1 one learning rate suits both.
        mean, spread = float(task.y[rows].mean()), float(task.y[rows].std()) or 1.0
        targets = ((task.y - mean) / spread)[:, None].astype(np.float32)
    batch_size = arguments.batch_size or BATCH_SIZE
    steps = -(-len(rows) // batch_size)
    epochs = arguments.epochs or min(QUICK_EPOCHS if arguments.quick else EPOCHS, -(-MOST_STEPS // steps))
    if arguments.optimizer is None:
        optimizer = training.make_optimizer("adamw", arguments.learning_rate or LEARNING_RATE, steps=epochs * steps)
    else:
        optimizer = training.make_optimizer(arguments.optimizer, arguments.learning_rate)
    loss = "categorical_crossentropy" if task.classes else "mean_squared_error"
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"] if task.classes else [])
    # A small table is soon known by heart: the weights of the epoch with the lowest validation loss are kept.
    unseen = task.rows["validation"]
    history = training.fit(
        model, task.X[rows], targets[rows], epochs=epochs, batch_size=batch_size, seed=arguments.seed,
        validation_data=(task.X[unseen], targets[unseen]), patience=PATIENCE,
        checkpoint=report.checkpoint(f"tables-{task.name}"), resume=arguments.resume,
    )  # fmt: skip
    print(f"Kept the weights of epoch {history.best_epoch} of {history.finished}, the best on the validation rows")
    if not task.classes:
        # The last layer takes mean and spread in: from now on the network answers in the target's own unit.
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([kernel * spread, bias * spread + mean])
    at = range(1, history.finished + 1)
    losses = {"training": history.epochs["loss"], "validation": history.epochs["val_loss"]}
    return model, {part: (at, np.array(values) * spread**2) for part, values in losses.items()}


def fit_linear(task: Task) -> Any:
    """Returns scikit-learn's linear model of the training rows: least squares, or for classes logistic regression."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    model = LogisticRegression(max_iter=2000) if task.classes else LinearRegression()
    return model.fit(task.X[task.rows["train"]], task.y[task.rows["train"]])


def measure(task: Task, predicted: np.ndarray) -> dict[str, float]:
    """Returns how good predictions (rows,), numbers or classes, are on the training rows and on the test rows."""
    measured = {}
    for part in ("train", "test"):
        true, answers = task.y[task.rows[part]], predicted[task.rows[part]]
        if task.classes:
            measured[f"{part}_accuracy"] = float(np.mean(true == answers))
        else:
            measured |= metrics.regression(part, true, answers)
    return measured


def draw(task: Task, curves: dict[str, Any], predicted: dict[str, np.ndarray], folder: Path) -> list[Path]:
    """Draws the loss curves and the comparison with the linear model; and what is predicted for the test rows."""
    metric, label, loss = "accuracy", "share of rows right", "cross-entropy"
    if not task.classes:
        metric, loss = "root_mean_squared_error", "mean squared error"
        label = bundle.Input(metric.replace("_", " "), task.target.unit).label
    measured = {kind: measure(task, answers) for kind, answers in predicted.items()}
    bars = {kind: [found[f"{part}_{metric}"] for part in ("train", "test")] for kind, found in measured.items()}
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    plots.draw_curves(left, curves, y=loss, title=f"{task.name}: the network learns", logarithmic=True)
    plots.draw_bars(right, bars, ("training rows", "test rows"), y=label, title="Linear model and network")
    paths = [plots.save(figure, folder / f"tables-{task.name}-learning.png")]
    test = task.rows["test"]
    if task.classes:
        matrix = metrics.confusion_matrix(task.y[test], predicted["network"][test], len(task.classes))
        title = f"{task.name}: {measured['network']['test_accuracy']:.1%} of the test rows right"
        figure = plots.confusion_matrix(matrix, task.classes, title)
    else:
        figure, axes = plots.subplots(width=8, height=6)
        pairs = {kind: (task.y[test], answers[test]) for kind, answers in predicted.items()}
        plots.draw_predictions(axes, pairs, of=task.target.label, title=f"{task.name}: the test rows")
    return [*paths, plots.save(figure, folder / f"tables-{task.name}-predictions.png")]


def learn(task: Task, arguments: argparse.Namespace, report: cli.Report, prefix: str) -> None:
    """Trains both models on one table; compares, saves and draws."""
    report.section(f"{task.name}: {len(task.inputs)} inputs, {task.X.shape[1]} columns")
    kinds = [", ".join(one.values) or f"{one.minimum:g} to {one.maximum:g} {one.unit}" for one in task.inputs]
    print(metrics.table(["input", "values"], [(one.name, kind) for one, kind in zip(task.inputs[:20], kinds)]))
    model, curves = train(task, arguments, report)
    answers = training.predict(model, task.X)
    predicted = {
        "linear": fit_linear(task).predict(task.X),
        "network": answers.argmax(axis=1) if task.classes else answers[:, 0],
    }
    measured = {kind: measure(task, found) for kind, found in predicted.items()}
    print(metrics.table(["model", *measured["linear"]], [[kind, *found.values()] for kind, found in measured.items()]))
    for kind, found in measured.items():
        report.result({f"{prefix}{kind}_{metric}": value for metric, value in found.items()})
    name = bundle.name_for(task.name, quick=arguments.quick, standin="stand-in" in task.source)
    report.saved(
        *bundle.save(
            arguments.models, name, model, lesson="tables", data=task.source, seed=arguments.seed, inputs=task.inputs,
            metrics=measured["network"], scaler=task.scaler, classes=task.classes, output=task.target.name,
            output_unit=task.target.unit,
        )
    )  # fmt: skip
    if not arguments.no_plots:
        report.saved(*draw(task, curves, predicted, arguments.plots))


def name_of(path: Path, models: Path) -> str:
    """Returns the name to save the model of one's own table under, the file's, unless it is another lesson's."""
    name = path.stem
    if not re.fullmatch(r"\w[\w-]*", name):
        raise WorkshopError(f"--data {path}: got the name {name}, takes letters, digits, _ and -: rename the file")
    for model in (models / f"{name}.h5", files.shipped("models") / f"{name}.h5"):
        try:
            bundle.inputs_of(model, ["tables"]) if model.exists() else None
        except WorkshopError as error:
            raise WorkshopError(f"--data {path}: rename the file, its model would replace another: {error}") from error
    return name
