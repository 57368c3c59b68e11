"""What comes next: an LSTM reads five years of sunspots and forecasts the year after them.

A window of past months goes in, the next twelve months come out, all at once. An LSTM reads the window month by month
and remembers what matters. A forecast is only as good as the simplest one that it beats, so three stand beside it:
"it stays as it is" (naive), "as one season ago" (seasonal naive; the sun's cycle is about eleven years), and a linear
model of the same window. Nothing that is learned or scaled has seen the years that are forecast.

    python -m workshop.forecasting                      # sunspots; then look into the folder plots
    python -m workshop.forecasting --data YOUR.csv      # the date in the first column, a number in the last
    python -m workshop.forecasting --data YOUR.csv --window 24 --horizon 6 --season 12
    python -m workshop.forecasting --quick              # a first look: a fifth of the training

The sunspots are sunspots_monthly.csv in the folder that the environment variable WORKSHOP_DATA names; without it a
series is generated, and the run says so. Expected: over all twelve months the LSTM is off by about 25 sunspots (root
mean squared error on the last fifth of the series), the naive forecast by 32, the linear model by 26. One month ahead
all are close together, and the linear model is the best. About 20 s on two CPU cores. Then, from Python:

    from pathlib import Path
    from workshop.kit import bundle, windowing
    model = bundle.load(Path("models/forecasting.h5"), ["forecasting"])
    print(windowing.forecast(model, [58.0, 62.6, 70.0] * 20))      # the last 60 values in, the next 12 out
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import cli, device, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import series, windowing
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.plots import charts
from workshop.kit.saving import bundle

UNITS = 32
SEEN, QUICK_SEEN = 25_000, 5_000  # windows in a training, each as often as there are epochs
MOST_EPOCHS, PATIENCE = 200, 60
BATCH_SIZE = 64  # less for a short series
LEARNING_RATE = 0.005
ERROR = "root_mean_squared_error"
NAMES = {"naive": "naive", "seasonal_naive": "seasonal naive", "linear": "linear model", "lstm": "LSTM"}
COLOURS = dict(zip(NAMES, (plots.ORANGE, plots.PURPLE, plots.GREEN, plots.BLUE), strict=True))
DRAWN = 10  # forecasts of the whole horizon


def build_network(window: int, horizon: int, units: int = UNITS) -> Any:
    """Returns the network: (window, 1) -> an LSTM's last state, 32 numbers -> the changes up to each step ahead."""
    layers = [keras.layers.Input((window, 1)), keras.layers.LSTM(units), keras.layers.Dense(horizon)]
    return keras.Sequential(layers, name="network")


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits the network on X (windows, window, 1) and y (windows, horizon); options of `training.fit`."""
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)
    model.compile(optimizer=optimizer, loss="mean_squared_error")
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def plan_of(windows: int, arguments: argparse.Namespace) -> Plan:
    """Returns how the network is trained: a short series is passed over more often than a long one."""
    batch_size = arguments.batch_size or max(8, min(BATCH_SIZE, windows // 8))
    steps = -(-windows // batch_size)
    seen = QUICK_SEEN if arguments.quick else SEEN
    epochs = arguments.epochs or min(max(1, seen // windows), MOST_EPOCHS)
    if arguments.optimizer is None:
        return Plan("adamw", arguments.learning_rate or LEARNING_RATE, epochs, batch_size, epochs * steps)
    return Plan(arguments.optimizer, arguments.learning_rate, epochs, batch_size)


def learn_network(task: windowing.Task, report: reporting.Report) -> tuple[Any, training.History]:
    """Builds and trains the network; it then answers with changes in the unit of the series."""
    arguments, engine = report.arguments, report.engine
    model = engine.build(task.window, task.horizon, arguments.seed)
    X, y = task.scaled("train")
    history = engine.train(
        model, X, y, plan_of(len(X), arguments), arguments.seed, validation_data=task.scaled("validation"),
        patience=PATIENCE, checkpoint=report.checkpoint("forecasting"), resume=arguments.resume,
    )  # fmt: skip
    print(f"Kept the weights of epoch {history.best_epoch} of {history.finished}, the best on the validation part")
    *others, kernel, bias = model.get_weights()
    model.set_weights([*others, kernel / task.scaler.scale_, bias / task.scaler.scale_])
    return model, history


def forecast_naive(task: windowing.Task) -> np.ndarray:
    """Returns the forecasts (windows, horizon) for the test part that say: it stays as it is."""
    X, y = task.windows["test"]
    return np.broadcast_to(X[:, -1:], y.shape)


def forecast_seasonal(task: windowing.Task) -> np.ndarray:
    """Returns the forecasts for the test part that say: as one season ago, or two where the horizon is longer."""
    _, y = task.windows["test"]
    ahead = np.arange(task.horizon)
    seasons_back = task.season * (ahead // task.season + 1)
    return task.series.values[task.ends["validation"] + np.arange(len(y))[:, None] + ahead - seasons_back]


def forecast_linear(task: windowing.Task) -> np.ndarray:
    """Returns the forecasts for the test part of scikit-learn's least squares on the network's windows and targets."""
    from sklearn.linear_model import LinearRegression

    (X, y), (X_test, _) = task.scaled("train"), task.scaled("test")
    changes = LinearRegression().fit(X[..., 0], y).predict(X_test[..., 0]) / task.scaler.scale_
    return np.asarray(task.windows["test"][0][:, -1:] + changes)


def measure(task: windowing.Task, forecasts: np.ndarray) -> dict[str, float]:
    """Returns the errors on the test part, one step ahead and over all steps, in the unit of the series."""
    from sklearn.metrics import root_mean_squared_error

    _, y = task.windows["test"]
    return {
        f"one_step_test_{ERROR}": float(root_mean_squared_error(y[:, 0], forecasts[:, 0])),
        f"test_{ERROR}": float(root_mean_squared_error(y.ravel(), forecasts.ravel())),
    }


def errors_by_step(task: windowing.Task, forecasts: np.ndarray) -> np.ndarray:
    """Returns the root mean squared error on the test part for each number of steps ahead (horizon,)."""
    return np.asarray(np.sqrt(np.mean((forecasts - task.windows["test"][1]) ** 2, axis=0)))


def compare(task: windowing.Task, forecasts: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Prints the table of errors, and who wins; returns the errors of each forecast."""
    measured = {name: measure(task, found) for name, found in forecasts.items()}
    several = task.series.count(task.horizon)
    headings = [f"RMSE, {task.series.count(1)} ahead", f"over {several} ahead", f"in the last of the {task.horizon}"]
    rows = [
        [NAMES[name], *errors.values(), float(errors_by_step(task, forecasts[name])[-1])]
        for name, errors in measured.items()
    ]
    print(metrics.table([f"forecast of {task.series.name}", *headings], rows))
    for metric, when in ((f"one_step_test_{ERROR}", f"{task.series.count(1)} ahead"), (f"test_{ERROR}", several)):
        errors = {name: found[metric] for name, found in measured.items()}
        best = min(errors, key=lambda name: errors[name])
        share = 1 - errors["lstm"] / errors["naive"] if errors["naive"] else 0.0
        against = f"{abs(share):.0%} {'less' if share > 0 else 'more'} than the naive forecast's"
        print(f"{when}: {NAMES[best]} wins; the error of the LSTM is {against}")
    return measured


def draw(task: windowing.Task, history: training.History, forecasts: dict[str, np.ndarray], folder: Path) -> list[Path]:
    """Draws forecasts and truth of the test part; what was learned, and how the errors grow with the steps ahead."""
    several = task.series.count(task.horizon)
    begin, made = task.ends["validation"], len(forecasts["lstm"])
    dates, values = task.series.dates, task.series.values
    figure, axes = plots.subplots(2, 1, width=13, height=4.2)
    (above,), (below,) = axes
    shown = slice(begin, begin + made)
    above.plot(dates[shown], values[shown], color=plots.BLACK, linewidth=1.5, label="truth")
    above.plot(dates[shown], forecasts["lstm"][:, 0], color=plots.BLUE, linewidth=1.2, label="LSTM")
    title = f"The test part, {task.series.count(1)} ahead: each value from the {task.window} before it"
    above.set(title=title, ylabel=task.series.name)
    starts = np.arange(0, made, task.horizon)[-DRAWN:]
    shown = slice(begin + starts[0], begin + starts[-1] + task.horizon)
    below.plot(dates[shown], values[shown], color=plots.BLACK, linewidth=1.5, label="truth")
    for name in ("naive", "linear", "lstm"):
        for start in starts:
            at = dates[begin + start : begin + start + task.horizon]
            label = NAMES[name] if start == starts[0] else None
            below.plot(at, forecasts[name][start], ".-", color=COLOURS[name], linewidth=2.2, label=label)
    below.set(title=f"{several} ahead: a new forecast where the last one ends", xlabel="date", ylabel=task.series.name)
    for panel in (above, below):
        panel.legend(ncols=4, loc="upper left", frameon=True)
    paths = [plots.save(figure, folder / "forecasting-forecasts.png")]
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    epochs = range(1, history.finished + 1)
    losses = {"training": (epochs, history.epochs["loss"]), "validation": (epochs, history.epochs["val_loss"])}
    charts.draw_curves(left, losses, y="mean squared error, scaled", title="The LSTM learns", logarithmic=True)
    ahead = np.arange(1, task.horizon + 1)
    for (name, found), marker in zip(forecasts.items(), plots.MARKERS, strict=False):
        right.plot(ahead, errors_by_step(task, found), color=COLOURS[name], marker=marker, label=NAMES[name])
    right.set(xlabel=f"steps ahead (a step: {task.series.step})", ylabel=f"RMSE ({task.series.name})")
    right.set_title("Errors on the test part")
    right.set_ylim(bottom=0)
    right.legend()
    return [*paths, plots.save(figure, folder / "forecasting-errors.png")]


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring, epochs="13 for the sunspots, more for a shorter series", optimizer="adamw",
        batch_size=f"{BATCH_SIZE}, less for a short series", learning_rate=f"{LEARNING_RATE}, falling along a cosine",
    )  # fmt: skip
    add, number = parser.add_argument, cli.whole_number
    add("--window", type=number(1), metavar="N", help="values a forecast is made from (default: 60, or a 6th of all)")
    add("--horizon", type=number(1), metavar="N", help="values that are forecast (default: 12, or a 10th of all)")
    add("--season", type=number(2), metavar="N", help="values a season has (default: 132 for the sunspots, else a year "
        "of months, quarters or weeks, a week of days, a day of hours)")  # fmt: skip
    return cli.parse_lesson(parser, argv)


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build_network), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Reads the series, trains, forecasts, compares, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("forecasting", arguments, engine)
    found = series.read(arguments.data) if arguments.data else series.find()
    task = windowing.prepare(found, arguments.window, arguments.horizon, arguments.season)
    report.data(found.source)
    print(f"Engine    {engine.prepare(arguments.seed)}")
    first, last = (found.dates[end] for end in (task.ends["train"], task.ends["validation"]))
    season = f"a season is {found.count(task.season)}" if task.season else "no season is known: --season N sets one"
    report.section(f"{found.name}: {found.count(task.window)} in, {found.count(task.horizon)} out; {season}")
    print(f"Training before {first}, validation before {last}, test from then on")
    model, history = learn_network(task, report)
    X_test, _ = task.windows["test"]
    forecasts = {"naive": forecast_naive(task)}
    if task.season:
        forecasts["seasonal_naive"] = forecast_seasonal(task)
    forecasts["linear"] = forecast_linear(task)
    forecasts["lstm"] = X_test[:, -1:] + training.predict(model, task.scaled("test")[0])
    measured = compare(task, forecasts)
    for name, errors in measured.items():
        report.result({f"{name}_{metric}": value for metric, value in errors.items()})
    past = found.values[: task.ends["train"]]
    low, high = float(past.min()), float(past.max())
    report.saved(
        *bundle.save(
            arguments.models, bundle.name_for("forecasting", quick=arguments.quick, standin=found.is_standin), model,
            lesson="forecasting", data=found.source, seed=arguments.seed, scaler=task.scaler, metrics=measured["lstm"],
            inputs=[bundle.Input(found.name, minimum=low, maximum=high, shape=(task.window,))],
            output=f"change of {found.name} since the last value, 1 to {found.count(task.horizon)} ahead",
        )
    )  # fmt: skip
    if not arguments.no_plots:
        report.saved(*draw(task, history, forecasts, arguments.plots))
    report.expect(f"lstm_test_{ERROR}", highest=26)
    report.expect(f"lstm_one_step_test_{ERROR}", highest=20)
    no_band = reporting.why_no_band(arguments, found.is_standin) or "the series is your own" * bool(arguments.data)
    given = [name for name in ("window", "horizon") if getattr(arguments, name)]
    return report.finish(no_band=no_band or f"--{' and --'.join(given)} given" * bool(given))


if __name__ == "__main__":
    cli.run(main)
