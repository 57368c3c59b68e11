"""Forecasting: an LSTM reads five years of sunspots and forecasts the year after them.

A window of past months goes in, the next twelve months come out, all at once. An LSTM reads the window month by month
and remembers what matters. A forecast is only as good as the simplest one that it beats, so three stand beside it: "it
stays as it is" (naive), "as one season ago" (seasonal naive; the sun's cycle is about eleven years), and a linear model
of the same window. Neither the scaler nor the training sees the years that are forecast.

    python -m workshop.forecasting                      # sunspots; then look into the folder plots
    python -m workshop.forecasting --data YOUR.csv      # dates in one column, numbers in another: --column NAME
    python -m workshop.forecasting --data YOUR.csv --window 24 --horizon 6 --season 12
    python -m workshop.forecasting --quick              # a first look: a fifth of the training

The sunspots are sunspots_monthly.csv in the folder that the environment variable WORKSHOP_DATA names; without it a
series is generated, and the run says so. Expected: over all twelve months the LSTM is off by about 25 sunspots (root
mean squared error on the last fifth of the series), the naive forecast by 32, the linear model by 26. One month ahead
all are close together, and the linear model is the best. About 20 s on two CPU cores. Then, from Python:

    from workshop.forecasting import forecast
    from workshop.kit.saving import bundle
    model = bundle.load("models/forecasting.h5", ["forecasting"])
    print(forecast(model, [58.0, 62.6, 70.0] * 20))      # the last 60 values in, the next 12 out
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.figures import forecasting as figures
from workshop.kit import cli, device, training
from workshop.kit.data import series
from workshop.kit.data.series import Series
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.saving.loaded import Bundle
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    from sklearn.preprocessing import MinMaxScaler

UNITS = 32
WINDOW, HORIZON = 60, 12  # values in and out; fewer for a short series
MIN_WINDOWS = 8  # to train on
RECIPE = Recipe(epochs=13, learning_rate=0.005, batch_size=64)
WINDOWS_SEEN, QUICK_WINDOWS_SEEN = 25_000, 5_000  # in a training: a short series gets more epochs
MAX_EPOCHS = 200
PATIENCE = 60  # epochs without a lower validation loss, before training stops
ERROR = "root_mean_squared_error"
NAMES = {"naive": "naive", "seasonal_naive": "seasonal naive", "linear": "linear model", "lstm": "LSTM"}


def make_windows(values: np.ndarray, first: int, last: int, window: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns every forecast that can be made of the rows from `first` up to, but not including, `last`.

    Args:
        values: the whole series (rows,).
        first, last: all that is to be forecast lies between them; what it is forecast from may lie before.
        window: how many values a forecast is made from.
        horizon: how many values are forecast.

    Returns:
        X (forecasts, window), and y (forecasts, horizon) with the values that come right after.
    """
    start = max(first - window, 0)
    both = sliding_window_view(values[start:last], window + horizon)
    return both[:, :window], both[:, window:]


@dataclass(frozen=True)
class Task:
    """A series split in the order of time, and its windows.

    Attributes:
        series: the whole of it.
        window, horizon: how many values go in, and how many come out.
        season: of the seasonal naive forecast, in steps; 0 for none.
        ends: where training, validation and test part end, as numbers of rows.
        windows: for each part, X (windows, window) and y (windows, horizon) in the unit of the series.
        scaler: scikit-learn's MinMaxScaler, fitted on the training part.
    """

    series: Series
    window: int
    horizon: int
    season: int
    ends: dict[str, int]
    windows: dict[str, tuple[np.ndarray, np.ndarray]]
    scaler: MinMaxScaler

    def scaled(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the network gets: X (windows, window, 1), and y as changes since the window's last value.

        A change of 0 is the naive forecast: the network starts from it, and a trend that leaves the range of the
        training part takes the forecasts with it.
        """
        X, y = self.windows[part]
        changes = (y - X[:, -1:]) * self.scaler.scale_
        return self.scaler.transform(X.reshape(-1, 1)).reshape(*X.shape, 1), changes.astype(np.float32)


def prepare(found: Series, window: int | None, horizon: int | None, season: int | None) -> Task:
    """Splits a series 70:10:20 in the order of time, fits the scaler on the past, and makes the windows.

    A part has the windows whose targets lie in it. What such a window is forecast from may lie before, never after.

    Raises:
        WorkshopError: the series is too short for these numbers, or does not change in the training part.
    """
    from sklearn.preprocessing import MinMaxScaler

    rows = len(found.values)
    ends = {"train": 7 * rows // 10, "validation": 8 * rows // 10, "test": rows}
    window, horizon = window or min(WINDOW, rows // 6), horizon or min(HORIZON, rows // 10)
    season = found.season if season is None else season
    longest = ends["validation"] - ends["train"]
    if horizon > longest:
        raise WorkshopError(f"--horizon {horizon}: {found.source} has {longest} to validate on, takes 1 to {longest}")
    longest = ends["train"] - horizon - MIN_WINDOWS + 1
    if window > longest:
        raise WorkshopError(f"--window {window}: {found.source} has {ends['train']} to train on, takes 1 to {longest}")
    if season > ends["validation"]:
        raise WorkshopError(f"--season {season}: {found.source} has {ends['validation']} before the test part")
    past = found.values[: ends["train"]]
    if past.min() == past.max():
        raise WorkshopError(f"{found.source}: the first {len(past)} are all {past[0]:g}, takes numbers that differ")
    windows, first = {}, 0
    for part, last in ends.items():
        windows[part] = make_windows(found.values, first, last, window, horizon)
        first = last
    return Task(found, window, horizon, season, ends, windows, MinMaxScaler().fit(past[:, None]))


def build_network(window: int, horizon: int, units: int = UNITS) -> keras.Sequential:
    """Returns the network: (window, 1) -> an LSTM's last state, 32 numbers -> the changes up to each step ahead."""
    return keras.Sequential(
        [keras.Input((window, 1)), keras.layers.LSTM(units), keras.layers.Dense(horizon)], name="network"
    )


def get_recipe(windows: int, arguments: argparse.Namespace) -> Recipe:
    """Returns how the network is trained on so many windows: those of a short series are seen more often."""
    seen = QUICK_WINDOWS_SEEN if arguments.quick else WINDOWS_SEEN
    epochs = min(max(1, seen // windows), MAX_EPOCHS)
    batch_size = max(8, min(RECIPE.batch_size, windows // 8))
    return replace(RECIPE, epochs=epochs, batch_size=batch_size).with_options(arguments, windows)


def unscale_outputs(weights: Sequence[np.ndarray], scale: np.ndarray) -> list[np.ndarray]:
    """Returns the weights of a network that predicts changes in the unit of the series, not scaled ones."""
    *others, kernel, bias = weights
    return [*others, kernel / scale, bias / scale]


def forecast_naive(task: Task) -> np.ndarray:
    """Returns the forecasts (windows, horizon) for the test part that say: it stays as it is."""
    X, y = task.windows["test"]
    return np.broadcast_to(X[:, -1:], y.shape)


def forecast_seasonal(task: Task) -> np.ndarray:
    """Returns the forecasts for the test part that say: as one season ago, or two where the horizon is longer."""
    _, y = task.windows["test"]
    ahead = np.arange(task.horizon)
    seasons_back = task.season * (ahead // task.season + 1)
    return task.series.values[task.ends["validation"] + np.arange(len(y))[:, None] + ahead - seasons_back]


def forecast_linear(task: Task) -> np.ndarray:
    """Returns the forecasts for the test part of scikit-learn's least squares on the network's windows and targets."""
    from sklearn.linear_model import LinearRegression

    (X, y), (X_test, _) = task.scaled("train"), task.scaled("test")
    changes = LinearRegression().fit(X[..., 0], y).predict(X_test[..., 0]) / task.scaler.scale_
    return np.asarray(task.windows["test"][0][:, -1:] + changes)


def measure(task: Task, forecasts: np.ndarray) -> dict[str, float]:
    """Returns the errors on the test part, one step ahead and over all steps, in the unit of the series."""
    from sklearn.metrics import root_mean_squared_error

    _, y = task.windows["test"]
    return {
        f"one_step_test_{ERROR}": float(root_mean_squared_error(y[:, 0], forecasts[:, 0])),
        f"test_{ERROR}": float(root_mean_squared_error(y.ravel(), forecasts.ravel())),
    }


def errors_by_step(task: Task, forecasts: np.ndarray) -> np.ndarray:
    """Returns the root mean squared error on the test part for each number of steps ahead (horizon,)."""
    return np.asarray(np.sqrt(np.mean((forecasts - task.windows["test"][1]) ** 2, axis=0)))


def baselines(task: Task) -> dict[str, np.ndarray]:
    """Returns the forecasts for the test part that an LSTM has to beat: naive, seasonal naive, linear model."""
    forecasts = {"naive": forecast_naive(task)}
    if task.season:
        forecasts["seasonal_naive"] = forecast_seasonal(task)
    return forecasts | {"linear": forecast_linear(task)}


def compare(task: Task, forecasts: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Prints the table of errors and which forecast is best; returns the errors of each."""
    measured = {name: measure(task, values) for name, values in forecasts.items()}
    several = task.series.count(task.horizon)
    headings = [f"RMSE, {task.series.count(1)} ahead", f"over {several} ahead", "at the last step"]
    rows = [
        [NAMES[name], *errors.values(), float(errors_by_step(task, forecasts[name])[-1])]
        for name, errors in measured.items()
    ]
    print(format_table([f"forecast of {task.series.name}", *headings], rows))
    for metric, when in ((f"one_step_test_{ERROR}", f"{task.series.count(1)} ahead"), (f"test_{ERROR}", several)):
        errors = {name: values[metric] for name, values in measured.items()}
        best = min(errors, key=lambda name: errors[name])
        share = 1 - errors["lstm"] / errors["naive"] if errors["naive"] else 0.0
        against = f"{abs(share):.0%} {'lower' if share > 0 else 'higher'} than the naive forecast's"
        print(f"{when}: {NAMES[best]} wins; the LSTM's error is {against}")
    return measured


def forecast(model: Bundle, windows: np.ndarray) -> np.ndarray:
    """Returns the forecasts of a saved model of this lesson.

    Args:
        model: it predicts changes since the last value that it was given.
        windows: the last values of a series (window,), or several such windows (windows, window), in their own unit.

    Returns:
        (windows, horizon), in the same unit.

    Raises:
        WorkshopError: a window has another length than the model's, or a value is not finite.
    """
    takes = model.input_shape[0]
    given = np.atleast_2d(np.asarray(windows, np.float32))
    if given.ndim != 2 or given.shape[1] != takes:
        raise WorkshopError(f"got windows of shape {np.shape(windows)}, the model takes {takes} values per window")
    if not np.all(np.isfinite(given)):
        raise WorkshopError("got a window with a value that is not finite: takes finite numbers")
    return np.asarray(given[:, -1:] + model.predict(given))


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring,
        {"network": RECIPE},
        epochs="13 for the sunspots, more for a shorter series",
        batch_size=f"{RECIPE.batch_size}, fewer for a short series",
    )
    add, number = parser.add_argument, cli.whole_number
    add("--window", type=number(1), metavar="N", help="values a forecast is made from (default: 60, or a 6th of all)")
    add("--horizon", type=number(1), metavar="N", help="values to forecast (default: 12, or a 10th of all)")
    column = "column to forecast (default: the last one of numbers)"
    add("--column", metavar="NAME", help=column)
    season = (
        "values in a season (default: 132 for the sunspots, else a year of months, quarters or weeks, a week of days)"
    )
    add("--season", type=number(2), metavar="N", help=season)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.column and not arguments.data:
        parser.error(f"--column {arguments.column}: takes --data FILE too, which has the column")
    return arguments


def load(arguments: argparse.Namespace, report: Report) -> Task:
    """Reads the series that the options ask for, splits it, and says how."""
    values = series.read(arguments.data, column=arguments.column) if arguments.data else series.find()
    task = prepare(values, arguments.window, arguments.horizon, arguments.season)
    report.data(values.source, is_standin=values.is_standin)
    return task


def describe(task: Task, report: Report) -> None:
    """Prints the lengths of window, horizon and season, and where the series is split."""
    values = task.series
    season = f"a season is {values.count(task.season)}" if task.season else "no season is known: --season N sets one"
    report.section(f"{values.name}: {values.count(task.window)} in, {values.count(task.horizon)} out; {season}")
    first, last = (values.dates[end] for end in (task.ends["train"], task.ends["validation"]))
    print(f"Training before {first}, validation before {last}, test from then on")


def save_and_plot(
    task: Task,
    report: Report,
    model: object,
    forecasts: dict[str, np.ndarray],
    losses: dict[str, list[float]],
) -> None:
    """Notes the errors, saves the network with its card, and plots forecasts, losses and errors."""
    measured = compare(task, forecasts)
    for name, errors in measured.items():
        report.result(errors, model=name)
    past = task.series.values[: task.ends["train"]]
    report.save(
        "forecasting",
        model,
        scaler=task.scaler,
        metrics=measured["lstm"],
        inputs=[Input(task.series.name, minimum=float(past.min()), maximum=float(past.max()), shape=(task.window,))],
        output=f"change of {task.series.name} since the last value, 1 to {task.series.count(task.horizon)} ahead",
    )
    test = slice(task.ends["validation"], task.ends["validation"] + len(forecasts["lstm"]) + task.horizon - 1)
    dates, values = task.series.dates[test], task.series.values[test]
    titles = task.series.count(1), task.series.count(task.horizon), task.window
    report.plot("forecasting-forecasts", figures.forecasts, dates, values, forecasts, task.series.name, titles)
    by_step = {name: errors_by_step(task, made) for name, made in forecasts.items()}
    report.plot("forecasting-errors", figures.errors, losses, by_step, task.series.name, task.series.step)


def why_not_comparable(arguments: argparse.Namespace) -> str:
    """Returns why a run is held against no expected band, or an empty text."""
    return "the series is your own" if arguments.data else cli.given(arguments, "window", "horizon")


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Reads the series, trains, forecasts, compares, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("forecasting", arguments)
    task = load(arguments, report)
    report.engine(device.prepare(arguments.seed))
    describe(task, report)

    X_train, y_train = task.scaled("train")
    X_test, _ = task.scaled("test")
    recipe = get_recipe(len(X_train), arguments)
    batches = training.shuffled_batches(X_train, y_train, recipe.batch_size, arguments.seed)
    with device.scope(arguments.seed):
        model = build_network(task.window, task.horizon)
    model.summary()
    model.compile(
        optimizer=recipe.make_optimizer(),
        loss="mean_squared_error",
        steps_per_execution=device.steps_per_execution(),
    )
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
    history = model.fit(
        batches,
        epochs=recipe.epochs,
        shuffle=False,  # the batches come shuffled, each epoch anew
        validation_data=task.scaled("validation"),
        validation_batch_size=1000,  # all of them in one batch, as below
        callbacks=[
            *training.tensorboard(arguments.tensorboard, "forecasting"),
            stopping,
            training.Resume(report.checkpoint("forecasting"), batches, keep=[stopping]),
        ],
        verbose=report.verbose,
    )
    epochs = len(history.history["loss"])
    print(f"Kept the weights of epoch {stopping.best_epoch + 1} of {epochs}, the best on the validation part")
    # The loss of the scaled changes; the errors in the series' own unit follow.
    model.evaluate(*task.scaled("test"), batch_size=1000, verbose=report.verbose)
    model.set_weights(unscale_outputs(model.get_weights(), task.scaler.scale_))

    forecasts = baselines(task)
    last_values = task.windows["test"][0][:, -1:]
    forecasts["lstm"] = last_values + model.predict(X_test, batch_size=1000, verbose=0)  # the network predicts changes
    losses = {"training": history.history["loss"], "validation": history.history["val_loss"]}
    save_and_plot(task, report, model, forecasts, losses)
    return report.finish(not_comparable=why_not_comparable(arguments))


if __name__ == "__main__":
    cli.run(main)
