"""The choices of every training: rows per step, learning rate, when to stop, several outputs.

These are the choices that every later lesson makes without comment, made here on a table of 156 houses, with the one
neuron of `linear_regression`:

1. A step can take all rows (batch descent), one (stochastic descent) or some (mini-batch descent). With the area as
   the only feature there are two weights, so that the three paths can be drawn. `descend` writes the steps out.
2. Five learning rates are tried; the validation rows, which the training never sees, choose among them. The test rows
   are used once, for the chosen one: the smallest of five test errors would be too good to be true.
3. With rough prices, and as many columns as rows, a neuron memorises the rows: the training error still falls while
   the validation error rises again. Early stopping restores the weights of the best epoch.
4. One Dense layer gives several outputs at once. Its neurons share the inputs, and nothing else.

    python -m workshop.training_choices              # all four; then look into the folder plots
    python -m workshop.training_choices --quick      # a first look: a tenth of the epochs

Expected: in 40 epochs mini-batch and stochastic descent come close to the normal equation's weights, batch descent does
not; of the rates 0.3 is chosen, and 1 diverges; the weights kept are those of the best epoch, and the last ones are
worse; two outputs at once are those of two separate neurons. About 15 s on two CPU cores.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import training_choices as figures
from workshop.kit import cli, device, metrics, training
from workshop.kit.data import tables
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.training import Recipe, batching
from workshop.linear_regression import build_neuron, flatten, solve_normal_equation, with_ones

DESCENT = Recipe(epochs=40, learning_rate=0.1, optimizer="sgd", schedule=False, quick_epochs=4)  # of the three descents
MINI_BATCH = 16
RATES = (0.001, 0.01, 0.1, 0.3, 1.0)
CANDIDATE = Recipe(epochs=300, optimizer="sgd", schedule=False, quick_epochs=30)  # of each learning rate
STOPPED = Recipe(epochs=300, learning_rate=0.2, optimizer="sgd", schedule=False, quick_epochs=30)
PATIENCE = 40
GUESSED_ROWS = 30  # houses whose prices were guessed
PRICE_ERROR = 500  # standard deviation of the guesses, in 1,000 pesos
RANDOM_COLUMNS = 30
RANDOM_SIZE = 0.3  # standard deviation of these columns; the real ones have 1
OUTPUTS = Recipe(epochs=300, learning_rate=0.2, optimizer="sgd", schedule=False, quick_epochs=30)


class Split(NamedTuple):
    """The rows of a table in three parts, each of features (rows, features) and prices (rows,).

    Attributes:
        train: 60 %, which the model is trained on.
        validation: 20 %, by which something is chosen: a rate, an epoch.
        test: 20 %, which say how good the chosen one is.
    """

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    def scaled(self, scaler: Any) -> Split:
        """Returns the parts with features scaled by a scikit-learn scaler, which is fitted on the training rows."""
        scaler.fit(self.train[0])
        return Split(*((scaler.transform(X).astype(np.float32), y) for X, y in self))


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        weights: of the neuron and, last, its bias (features + 1,); with several outputs (features + 1, outputs).
        history: the losses in each epoch, "loss" and, where there is validation data, "val_loss".
        snapshots: the weights after some of the epochs, in the same form.
        best_epoch: the epoch whose weights these are, counted from 1.
        loss: the mean squared error of these weights on the training rows.
    """

    weights: np.ndarray
    history: dict[str, list[float]]
    snapshots: dict[int, np.ndarray]
    best_epoch: int
    loss: float


def split_in_three(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """Splits rows 60:20:20 at random; the same seed splits them the same way."""
    from sklearn.model_selection import train_test_split

    X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=0.6, random_state=seed)
    X_validation, X_test, y_validation, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=seed)
    return Split((X_train, y_train), (X_validation, y_validation), (X_test, y_test))


def scale_to_ranges(split: Split) -> Split:
    """Returns the parts with features from 0 to 1, by the ranges of the training rows."""
    from sklearn.preprocessing import MinMaxScaler

    return split.scaled(MinMaxScaler())


def rmse(weights: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """Returns the root mean squared error, in the unit of y (rows,), of weights and, last, bias (features + 1,)."""
    return float(np.sqrt(np.mean((with_ones(X) @ weights - y) ** 2)))


def stack(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the kernel and the bias of a Dense layer as one array, the bias last; of one output, as one row."""
    kernel, bias = weights
    return flatten(weights) if kernel.shape[1] == 1 else np.vstack([kernel, bias])


def descend(
    X: np.ndarray, y: np.ndarray, start: np.ndarray, rate: float, batch_size: int, epochs: int, seed: int
) -> np.ndarray:
    """Returns the weights and, last, the bias of a neuron after every step down, (steps + 1, features + 1).

    On n rows with the features A, a column of ones behind them, and the targets y, the mean squared error of the
    weights w has the gradient 2/n A^T (A w - y). Taken over all rows it points straight up the cost; over some of them
    it does so on average.

    Args:
        X, y: features (rows, features) and targets (rows,).
        start: the weights and the bias before the first step.
        rate: the learning rate.
        batch_size: rows per step; the last batch of an epoch may be smaller.
        epochs: passes over all rows, each in another order.
        seed: of these orders, which are those that the engines take.
    """
    A, w = with_ones(X), start.astype(np.float64)
    path = [w]
    for epoch in range(epochs):
        order = batching.epoch_order(len(A), seed, epoch)
        for rows in batching.batches(len(A), batch_size):
            batch = order[rows]
            gradient = 2 / len(batch) * A[batch].T @ (A[batch] @ w - y[batch])
            w = w - rate * gradient
            path.append(w)
    return np.array(path)


def fit_neuron(
    name: str,
    X: np.ndarray,
    y: np.ndarray,
    recipe: Recipe,
    report: Report,
    *,
    snapshots: Iterable[int] = (),
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    start: list[np.ndarray] | None = None,
    may_diverge: bool = False,
) -> Trained:
    """Trains a neuron for each column of y.

    Args:
        name: of the training, on the screen and of its checkpoint.
        X, y: features (rows, features), and targets (rows,) or (rows, outputs).
        recipe: how it is trained.
        report: of the run.
        snapshots: the epochs after which the weights are kept; 0 is before training.
        validation: features and targets by whose loss the training is stopped early.
        start: the kernel and the bias to start from (default: drawn at random).
        may_diverge: whether a loss that grows without end is no error.
    """
    print(f"{name}, rate {recipe.rate:.2g}")
    targets = y.reshape(len(y), -1)
    with device.scope(report.arguments.seed):
        model = build_neuron(X.shape[1], targets.shape[1])
    if start is not None:
        model.set_weights(start)
    model.compile(optimizer=recipe.make_optimizer(), loss="mean_squared_error")
    kept: list[keras.callbacks.Callback] = [training.Snapshots([*snapshots])]
    if validation is not None:
        kept.append(keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True))
        validation = validation[0], validation[1].reshape(len(validation[1]), -1)
    checkpoint = report.checkpoint(f"training_choices-{name}")
    # fit_table ends with the weights of model.fit, bit for bit (see --plain), without its overhead of 30 ms an epoch.
    history = training.fit_table(
        model,
        X,
        targets,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=report.arguments.seed,
        validation_data=validation,
        callbacks=[
            *kept,
            *training.tensorboard(report.arguments.tensorboard, name),
            training.Resume(checkpoint, keep=kept, may_diverge=may_diverge),
        ],
        plain=report.arguments.plain,
    ).history
    best_epoch = kept[1].best_epoch + 1 if validation is not None else len(history["loss"])
    weights = {epoch: stack(values) for epoch, values in kept[0].weights.items()}
    # fit's loss of an epoch is a mean over its batches, while the weights change; this is that of the final weights.
    loss = model.evaluate(X, targets, batch_size=len(X), verbose=0)
    return Trained(stack(model.get_weights()), history, weights, best_epoch, loss)


# --- 1. Batch, mini-batch and stochastic descent ----------------------------------------------------------------------


def area_and_price(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Returns the areas of the training rows, scaled to 0 to 1, (rows, 1), and their prices (rows,)."""
    X, y = scale_to_ranges(split).train
    return X[:, :1], y


def descents(rows: int, quick: bool) -> dict[str, Recipe]:
    """Returns the recipes of the three descents, on so many rows."""
    recipe = DESCENT.for_run(quick)
    sizes = {"batch": rows, "mini-batch": MINI_BATCH, "stochastic": 1}
    return {name: replace(recipe, batch_size=size) for name, size in sizes.items()}


def report_descents(report: Report, X: np.ndarray, y: np.ndarray, trained: dict[str, Trained]) -> None:
    """Compares three descents, whose weights after every epoch were kept, with the steps written out by hand."""
    best = solve_normal_equation(X, y)
    rows: list[list[object]] = []
    paths, errors, difference = {}, {}, 0.0
    for name, recipe in descents(len(X), report.arguments.quick).items():
        neuron = trained[name]
        after_epochs = list(neuron.snapshots.values())
        started = time.perf_counter()
        paths[name] = descend(
            X, y, after_epochs[0], recipe.rate, recipe.batch_size, recipe.epochs, report.arguments.seed
        )
        seconds = time.perf_counter() - started
        errors[name] = [rmse(weights, X, y) for weights in after_epochs]
        distance = float(np.abs(neuron.weights - best).max())
        difference = max(difference, float(np.abs(neuron.weights - paths[name][-1]).max()))
        steps = len(paths[name]) - 1
        rows.append([name, recipe.batch_size, recipe.epochs, steps, f"{seconds:.4f}", errors[name][-1], distance])
        metric = name.replace("-", "_")
        report.result({f"{metric}_train_root_mean_squared_error": errors[name][-1]})
        # Batch descent, with the fewest steps, is not there yet. The others are near: on few rows each step is cheap
        # but inexact, and so at this rate they never come to rest.
        report.result({f"{metric}_weights_train_max_error": distance})
    lowest = rmse(best, X, y)
    rows.append(["least squares", "", "", "", "", lowest, ""])
    headings = ["descent", "rows per step", "epochs", "steps", "seconds by hand", "training RMSE", "distance from best"]
    print(format_table(headings, rows))
    print(f"The steps written out by hand end at the engine's weights: they differ by at most {difference:.1g}.")
    report.result({"by_hand_weights_train_max_error": difference})

    def cost(weights: np.ndarray) -> np.ndarray:
        """Returns the mean squared error, (...), of weights and biases (..., 2)."""
        return np.asarray(np.mean((weights @ with_ones(X).T - y) ** 2, axis=-1))

    report.plot("training_choices-descents", figures.descents, cost, paths, errors, best, lowest)


# --- 2. Which learning rate? ------------------------------------------------------------------------------------------


def candidates(rows: int, quick: bool) -> dict[float, Recipe]:
    """Returns the recipes that differ in their learning rates, by these; each step is on all rows."""
    return {rate: replace(CANDIDATE.for_run(quick), learning_rate=rate, batch_size=rows) for rate in RATES}


def report_rates(report: Report, split: Split, trained: dict[float, Trained]) -> None:
    """Chooses the learning rate with the smallest validation error, and measures its test error, once.

    `split` is scaled as the neurons were trained on it.
    """
    (_, y), validation_rows, (X_test, y_test) = split
    print(f"{len(y)} rows for training, {len(validation_rows[1])} for validation, {len(y_test)} held out for testing")
    errors: dict[float, float] = {}
    rows: list[list[object]] = []
    for rate, neuron in trained.items():
        losses = neuron.history["loss"]
        if losses[-1] <= losses[0]:
            errors[rate] = rmse(neuron.weights, *validation_rows)
            rows.append([f"{rate:g}", math.sqrt(neuron.loss), errors[rate], ""])
        else:  # also where it is no number any more
            rows.append([f"{rate:g}", "diverged", "", ""])
    chosen = min(errors, key=lambda rate: errors[rate])
    rows[list(trained).index(chosen)][-1] = "chosen"
    print(format_table(["learning rate", "training RMSE", "validation RMSE", ""], rows))
    measured = metrics.regression("test", y_test, with_ones(X_test) @ trained[chosen].weights)
    print(f"Test RMSE at the rate {chosen:g}: {measured['test_root_mean_squared_error']:.4g}")
    report.result({"validation_root_mean_squared_error": errors[chosen], **measured}, model="chosen_rate")
    losses_by_rate = {rate: neuron.history["loss"] for rate, neuron in trained.items()}
    report.plot("training_choices-rates", figures.learning_rates, losses_by_rate, errors, chosen)


# --- 3. When to stop --------------------------------------------------------------------------------------------------


def guessed_prices(split: Split, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns training rows with guessed prices and columns of random numbers, and validation rows with true prices."""
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(seed)

    def with_random_columns(X: np.ndarray) -> np.ndarray:
        # They vary less than the three real ones, whose weights descent therefore finds first.
        return np.column_stack([X, random.normal(0, RANDOM_SIZE, (len(X), RANDOM_COLUMNS))]).astype(np.float32)

    (X, y), (X_validation, y_validation), _ = split.scaled(StandardScaler())
    X, X_validation = with_random_columns(X[:GUESSED_ROWS]), with_random_columns(X_validation)
    # The prices to train on are off by some 500,000 pesos; those of the validation rows are the true ones.
    y = (y[:GUESSED_ROWS] + random.normal(0, PRICE_ERROR, GUESSED_ROWS)).astype(np.float32)
    return (X, y), (X_validation, y_validation)


def stopped_recipe(rows: int, quick: bool) -> Recipe:
    """Returns the recipe of the training that is stopped early."""
    return replace(STOPPED.for_run(quick), batch_size=rows)


def report_stopping(
    report: Report, train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], neuron: Trained
) -> None:
    """Compares the weights of the best epoch, of the last, and those that early stopping kept."""
    losses = neuron.history["loss"]
    best, last = neuron.snapshots[neuron.best_epoch], neuron.snapshots[len(losses)]
    lines = [("best", neuron.best_epoch, best), ("last", len(losses), last), ("kept", "", neuron.weights)]
    rows = [[name, epoch, rmse(weights, *train), rmse(weights, *validation)] for name, epoch, weights in lines]
    rows[-1][2] = math.sqrt(neuron.loss)  # as the engine measured it
    print(format_table(["weights", "after epoch", "training RMSE", "validation RMSE"], rows))
    errors = {name: rmse(weights, *validation) for name, _, weights in lines}
    report.result({"kept_validation_root_mean_squared_error": errors["kept"]})
    report.result({"best_epoch_validation_root_mean_squared_error": errors["best"]})
    report.result({"last_epoch_validation_root_mean_squared_error": errors["last"]})
    report.result({"kept_to_best_validation_max_error": abs(errors["kept"] - errors["best"])})
    # The last epoch's are worse, or there was nothing to stop.
    report.result({"last_to_kept_validation_max_error": errors["last"] - errors["kept"]})
    report.plot(
        "training_choices-early_stopping",
        figures.early_stopping,
        losses,
        neuron.history["val_loss"],
        neuron.best_epoch,
    )


# --- 4. Several outputs -----------------------------------------------------------------------------------------------


def two_outputs(table: tables.Table) -> tuple[np.ndarray, np.ndarray]:
    """Returns scaled features (rows, features), and price and price of a square metre (rows, 2), in 1,000 pesos."""
    from sklearn.preprocessing import MinMaxScaler

    X, price = table.split_numbers()
    targets = np.column_stack([price, price / X[:, 0]])
    return MinMaxScaler().fit_transform(X).astype(np.float32), targets


def outputs_recipe(rows: int, quick: bool, outputs: int) -> Recipe:
    """Returns the recipe of a layer of so many outputs.

    The loss is the mean over rows and outputs: of two outputs each has half, and the same steps take twice the rate.
    """
    return replace(OUTPUTS.for_run(quick), batch_size=rows, learning_rate=outputs * OUTPUTS.rate)


def report_outputs(report: Report, table: tables.Table, X: np.ndarray, together: np.ndarray, alone: np.ndarray) -> None:
    """Compares the weights of two outputs of one layer with those of two separate neurons, (features + 1, 2)."""
    names = [*(column.label for column in tables.describe(table)[:-1]), "bias"]
    rows = [[name, a[0], b[0], a[1], b[1]] for name, a, b in zip(names, together, alone, strict=True)]
    print(format_table(["weight of", "price: together", "alone", "price per m2: together", "alone"], rows))
    difference = float(np.abs(with_ones(X) @ (together - alone)).max())
    print(f"On all houses the predictions differ by at most {difference:.1g}, in 1,000 pesos.")
    report.result({"two_outputs_train_max_error": difference})


# --- The run ----------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line; epochs, batch sizes and rates are what is compared."""
    parser = cli.lesson_parser(docstring, data=None)
    cli.add_resume(parser)
    cli.add_plain(parser)
    return cli.parse_lesson(parser, argv)


def load(report: Report) -> tuple[tables.Table, Split]:
    """Reads the houses, and splits them."""
    table = tables.read_table(tables.shipped_table("housing"))
    report.data(table.source)
    return table, split_in_three(*table.split_numbers(), report.arguments.seed)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("training_choices", arguments)
    table, split = load(report)
    report.engine(device.prepare(arguments.seed))

    report.section("Batch, mini-batch and stochastic descent: the price from the area alone")
    X, y = area_and_price(split)
    trained = {}
    for name, recipe in descents(len(X), arguments.quick).items():
        trained[name] = fit_neuron(name, X, y, recipe, report, snapshots=range(recipe.epochs + 1))
    report_descents(report, X, y, trained)

    report.section("Which learning rate? The validation rows decide, the test rows are used once")
    scaled = scale_to_ranges(split)
    X, y = scaled.train
    by_rate = {}
    for number, (rate, recipe) in enumerate(candidates(len(X), arguments.quick).items(), 1):
        by_rate[rate] = fit_neuron(f"candidate-{number}", X, y, recipe, report, may_diverge=True)
    report_rates(report, scaled, by_rate)

    report.section(f"When to stop: {GUESSED_ROWS} houses with guessed prices, and {RANDOM_COLUMNS} random columns")
    train_set, validation_set = guessed_prices(split, arguments.seed)
    recipe = stopped_recipe(len(train_set[0]), arguments.quick)
    every_epoch = range(recipe.epochs + 1)
    neuron = fit_neuron("early_stopping", *train_set, recipe, report, snapshots=every_epoch, validation=validation_set)
    report_stopping(report, train_set, validation_set, neuron)

    report.section("Two outputs at once: the price of a house, and its price per square metre")
    X, targets = two_outputs(table)
    recipe = outputs_recipe(len(X), arguments.quick, outputs=2)
    together = fit_neuron("two_outputs", X, targets, recipe, report, snapshots=[0])
    alone = np.empty_like(together.weights)
    for i in (0, 1):
        *kernel, bias = together.snapshots[0][:, i]
        start = [np.array(kernel)[:, None], np.array([bias])]  # where the same neuron of the layer started
        recipe = outputs_recipe(len(X), arguments.quick, outputs=1)
        alone[:, i] = fit_neuron(f"output-{i + 1}", X, targets[:, i], recipe, report, start=start).weights
    report_outputs(report, table, X, together.weights, alone)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
