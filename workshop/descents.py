"""The last part of the lesson `linear_regression`: what a step is taken on, its size, when to stop, several outputs.

    python -m workshop.linear_regression --part descents      # this file alone; then look into the folder plots

These are the choices that every later lesson makes without a word, made here on a table of 156 houses:

1. A step can take all rows (batch descent), one (stochastic descent) or some (mini-batch descent). With the area as
   the only feature there are two weights, so that the three ways down can be drawn. `walk` writes the steps out.
2. Five learning rates are tried; the validation rows, which the descent never sees, choose among them. The test rows
   are asked once, about the chosen one: the smallest of five test errors would be too good to be true.
3. With rough prices, and as many columns as rows, a neuron learns the rows by heart: the training error still falls
   while the validation error turns up. Early stopping puts the weights of the best epoch back.
4. One Dense layer gives several outputs at once. Its neurons share the inputs, and nothing else.

Expected: in 40 epochs mini-batch and stochastic descent come close to the normal equation's weights, batch descent does
not; of the rates 0.3 is chosen, and 1 diverges; the weights kept are those of the best epoch, and the last ones are
worse; two outputs at once are what two neurons answer alone. About 12 s on two CPU cores.
"""

import time
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import descent_plots, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.data import tables
from workshop.kit.engine import Plan
from workshop.kit.training import batching
from workshop.kit.training.batching import batches
from workshop.linear_regression import solve_normal_equation, train_neuron, with_ones

RATE, EPOCHS, MINI_BATCH = 0.1, 40, 16  # of the three descents
RATES, RATE_EPOCHS = (0.001, 0.01, 0.1, 0.3, 1.0), 300
STOP_RATE, MOST_EPOCHS, PATIENCE = 0.2, 300, 40
FEW_ROWS, GUESSED_BY, CHANCE_COLUMNS, CHANCE_SIZE = 30, 500, 30, 0.3
OUTPUTS_RATE, OUTPUTS_EPOCHS = 0.2, 300


class Split(NamedTuple):
    """A table's rows in three parts, each of features (rows, features) and prices (rows,).

    Attributes:
        train: 60 %, which the descent sees.
        validation: 20 %, by which something is chosen: a rate, an epoch.
        test: 20 %, which say how good the chosen one is.
    """

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    def scaled(self, scaler: Any) -> "Split":
        """Returns the parts with features scaled by a scikit-learn scaler, which looks at the training rows alone."""
        scaler.fit(self.train[0])
        return Split(*((scaler.transform(X).astype(np.float32), y) for X, y in self))


def split_in_three(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """Splits rows by chance; the same seed splits them the same way."""
    from sklearn.model_selection import train_test_split

    X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=0.6, random_state=seed)
    X_validation, X_test, y_validation, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=seed)
    return Split((X_train, y_train), (X_validation, y_validation), (X_test, y_test))


def rmse(weights: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """Returns the root mean squared error, in the unit of y (rows,), of weights and, last, bias (features + 1,)."""
    return float(np.sqrt(np.mean((with_ones(X) @ weights - y) ** 2)))


def flat(weights: list[np.ndarray]) -> np.ndarray:
    """Returns one neuron's weights and, last, its bias as one row (features + 1,)."""
    return np.concatenate(weights, axis=None)


def walk(
    X: np.ndarray, y: np.ndarray, start: np.ndarray, rate: float, batch_size: int, epochs: int, seed: int
) -> np.ndarray:
    """Returns the weights and, last, the bias of a neuron after every step down, (steps + 1, features + 1).

    On n rows with the features A, a column of ones behind them, and the targets y, the mean squared error of the
    weights w has the gradient 2/n A^T (A w - y). Taken over all rows it points straight up the bowl; over some of them
    it does so on average.

    Args:
        X, y: features (rows, features) and targets (rows,).
        start: the weights and the bias before the first step.
        rate: the learning rate.
        batch_size: rows a step; the last batch of an epoch may be smaller.
        epochs: passes over all rows, each in another order.
        seed: of these orders, which are those that the engines take.
    """
    A, w = with_ones(X), start.astype(np.float64)
    path = [w]
    for epoch in range(epochs):
        order = batching.epoch_order(len(A), seed, epoch)
        for rows in batches(len(A), batch_size):
            batch = order[rows]
            gradient = 2 / len(batch) * A[batch].T @ (A[batch] @ w - y[batch])
            w = w - rate * gradient
            path.append(w)
    return np.array(path)


def compare_descents(report: reporting.Report, split: Split) -> None:
    """Batch, mini-batch and stochastic descent: the same rows, rate, and number of epochs."""
    from sklearn.preprocessing import MinMaxScaler

    arguments = report.arguments
    report.section("Batch, mini-batch and stochastic descent: the price from the area alone")
    (X, y), epochs = split.scaled(MinMaxScaler()).train, EPOCHS // (10 if arguments.quick else 1)
    X = X[:, :1]
    best = solve_normal_equation(X, y)
    rows, paths, errors, apart = list[list[object]](), {}, {}, 0.0
    for name, batch_size in (("batch", len(X)), ("mini-batch", MINI_BATCH), ("stochastic", 1)):
        plan = Plan("sgd", RATE, epochs, batch_size)
        _, learned, history = train_neuron(name, X, y, report, plan=plan, snapshots=range(epochs + 1))
        after_epochs = [flat(weights) for weights in history.snapshots.values()]
        started = time.perf_counter()
        paths[name] = walk(X, y, after_epochs[0], RATE, batch_size, epochs, arguments.seed)
        seconds = time.perf_counter() - started
        errors[name] = [rmse(weights, X, y) for weights in after_epochs]
        away, apart = np.abs(learned - best).max(), max(apart, np.abs(learned - paths[name][-1]).max())
        rows.append([name, batch_size, epochs, len(paths[name]) - 1, f"{seconds:.4f}", errors[name][-1], away])
        metric = name.replace("-", "_")
        report.result({f"{metric}_train_root_mean_squared_error": errors[name][-1]})
        report.result({f"{metric}_weights_train_max_error": away})
    lowest = rmse(best, X, y)
    rows.append(["least squares", "", "", "", "", lowest, ""])
    headings = ["descent", "rows a step", "epochs", "steps", "seconds by hand", "training RMSE", "weights away by"]
    print(metrics.table(headings, rows))
    print(f"The steps written out by hand end where the engine's end: {apart:.1g} apart.")
    report.result({"by_hand_weights_train_max_error": apart})
    report.expect("by_hand_weights_train_max_error", highest=0.1)
    # Batch descent, with the fewest steps, is not there yet. The others are near: on few rows each step is cheap but
    # inexact, and so at this rate they never come to rest.
    report.expect("batch_weights_train_max_error", lowest=500)
    report.expect("mini_batch_weights_train_max_error", highest=250)
    report.expect("stochastic_weights_train_max_error", highest=500)
    if not arguments.no_plots:

        def cost(weights: np.ndarray) -> np.ndarray:
            """Returns the mean squared error, (...), of weights and biases (..., 2)."""
            return np.asarray(np.mean((weights @ with_ones(X).T - y) ** 2, axis=-1))

        figure = descent_plots.ways_down(cost, paths, errors, best, lowest)
        report.saved(plots.save(figure, arguments.plots / "linear_regression-descents.png"))


def choose_rate(report: reporting.Report, split: Split) -> None:
    """The learning rate with the smallest validation error, and the test error of that one."""
    from sklearn.preprocessing import MinMaxScaler

    arguments = report.arguments
    report.section("Which learning rate? The validation rows choose, the test rows are asked once")
    (X, y), validation_rows, (X_test, y_test) = split.scaled(MinMaxScaler())
    print(f"{len(y)} rows to learn from, {len(validation_rows[1])} to choose by, {len(y_test)} kept for the end")
    plan = Plan("sgd", None, RATE_EPOCHS // (10 if arguments.quick else 1), len(X))
    histories, learned, validation = {}, {}, {}
    rows = list[list[object]]()
    for number, rate in enumerate(RATES, 1):
        name, plan = f"candidate-{number}", plan._replace(learning_rate=rate)
        _, weights, histories[rate] = train_neuron(name, X, y, report, plan=plan, may_diverge=True)
        losses = histories[rate].epochs["loss"]
        if losses[-1] <= losses[0]:
            learned[rate], validation[rate] = weights, rmse(weights, *validation_rows)
            rows.append([f"{rate:g}", rmse(weights, X, y), validation[rate], ""])
        else:  # also where it is no number any more
            rows.append([f"{rate:g}", "diverged", "", ""])
    chosen = min(validation, key=lambda rate: validation[rate])
    rows[RATES.index(chosen)][-1] = "chosen"
    print(metrics.table(["learning rate", "training RMSE", "validation RMSE", ""], rows))
    measured = metrics.regression("test", y_test, with_ones(X_test) @ learned[chosen])
    print(f"Test RMSE at the rate {chosen:g}: {measured['test_root_mean_squared_error']:.4g}")
    report.result({"chosen_rate_validation_root_mean_squared_error": validation[chosen]})
    report.result({f"chosen_rate_{metric}": value for metric, value in measured.items()})
    report.expect("chosen_rate_test_r2_score", 0.90)
    if not arguments.no_plots:
        figure = descent_plots.learning_rates(histories, validation, chosen)
        report.saved(plots.save(figure, arguments.plots / "linear_regression-rates.png"))


def stop_early(report: reporting.Report, split: Split) -> None:
    """Few rows with rough prices, and columns that say nothing: early stopping keeps the weights of the best epoch."""
    from sklearn.preprocessing import StandardScaler

    arguments = report.arguments
    report.section(f"When to stop: {FEW_ROWS} houses with guessed prices, and {CHANCE_COLUMNS} columns of chance")
    random = np.random.default_rng(arguments.seed)

    def with_chance(X: np.ndarray) -> np.ndarray:
        # They vary less than the three real ones, which descent therefore learns first; then it turns to these.
        return np.column_stack([X, random.normal(0, CHANCE_SIZE, (len(X), CHANCE_COLUMNS))]).astype(np.float32)

    (X, y), (X_validation, y_validation), _ = split.scaled(StandardScaler())
    X, X_validation = with_chance(X[:FEW_ROWS]), with_chance(X_validation)
    # The prices to learn from are off by some 500,000 pesos; those of the validation rows are the true ones.
    y = (y[:FEW_ROWS] + random.normal(0, GUESSED_BY, FEW_ROWS)).astype(np.float32)
    epochs = MOST_EPOCHS // (10 if arguments.quick else 1)
    _, kept, history = train_neuron(
        "early_stopping", X, y, report, plan=Plan("sgd", STOP_RATE, epochs, len(X)), patience=PATIENCE,
        validation_data=(X_validation, y_validation[:, None]), snapshots=range(epochs + 1),
    )  # fmt: skip
    best, last = (flat(history.snapshots[epoch]) for epoch in (history.best_epoch, history.finished))
    lines = [("best", history.best_epoch, best), ("last", history.finished, last), ("kept", "", kept)]
    rows = [[name, epoch, rmse(w, X, y), rmse(w, X_validation, y_validation)] for name, epoch, w in lines]
    print(metrics.table(["weights", "after epoch", "training RMSE", "validation RMSE"], rows))
    for name, weights in (("kept", kept), ("best_epoch", best), ("last_epoch", last)):
        report.result({f"{name}_validation_root_mean_squared_error": rmse(weights, X_validation, y_validation)})
    report.expect("kept_validation_root_mean_squared_error", highest=rmse(best, X_validation, y_validation))
    report.expect("last_epoch_validation_root_mean_squared_error", lowest=1.05 * rmse(kept, X_validation, y_validation))
    if not arguments.no_plots:
        figure = descent_plots.early_stopping(history)
        report.saved(plots.save(figure, arguments.plots / "linear_regression-early_stopping.png"))


def give_two_outputs(report: reporting.Report, table: tables.Table) -> None:
    """One layer of two neurons, for the price and for the price of a square metre, against two models of one neuron."""
    from sklearn.preprocessing import MinMaxScaler

    report.section("Two outputs at once: the price of a house, and of a square metre of it")
    X, price = table.split_numbers()
    Y = np.column_stack([price, price / X[:, 0]])
    X = MinMaxScaler().fit_transform(X).astype(np.float32)
    # The loss is the mean over rows and outputs: of two outputs each has half, and the same steps take twice the rate.
    plan = Plan("sgd", 2 * OUTPUTS_RATE, OUTPUTS_EPOCHS // (10 if report.arguments.quick else 1), len(X))
    _, together, history = train_neuron("two_outputs", X, Y, report, plan=plan, snapshots=[0])
    plan, (kernel, bias) = plan._replace(learning_rate=OUTPUTS_RATE), history.snapshots[0]
    alone = np.empty_like(together)
    for i, name in enumerate(("output-1", "output-2")):
        start = [kernel[:, [i]], bias[[i]]]  # where the same neuron of the layer started
        _, alone[:, i], _ = train_neuron(name, X, Y[:, i], report, plan=plan, start=start)
    names = [*(one.label for one in tables.describe(table)[:-1]), "bias"]
    rows = [[name, a[0], b[0], a[1], b[1]] for name, a, b in zip(names, together, alone, strict=True)]
    print(metrics.table(["weight of", "price: together", "alone", "price of 1 m2: together", "alone"], rows))
    apart = np.abs(with_ones(X) @ (together - alone)).max()
    print(f"On all houses the answers agree to {apart:.1g}, in 1,000 pesos.")
    report.result({"two_outputs_train_max_error": apart})
    report.expect("two_outputs_train_max_error", highest=0.1)


def learn(report: reporting.Report, table: tables.Table) -> None:
    """All four."""
    split = split_in_three(*table.split_numbers(), report.arguments.seed)
    compare_descents(report, split)
    choose_rate(report, split)
    stop_early(report, split)
    give_two_outputs(report, table)
