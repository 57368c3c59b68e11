"""Row D2 of the curriculum, the lesson `forecasting`: sunspots, what stands in for them, and series of one's own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.engines import PACKAGES, assert_same_answers, assert_tells_the_same, module_of, one_thread
from helpers.lesson_runs import Run, start
from PIL import Image
from sklearn.metrics import root_mean_squared_error
from sklearn.preprocessing import MinMaxScaler

from workshop import forecasting
from workshop.kit.data import series
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.report import Report
from workshop.kit.saving import bundle
from workshop.programs import engines

LESSONS = ["forecasting"]
RMSE = "test_root_mean_squared_error"


def months(count: int, first: str = "1949-01") -> list[str]:
    return [str(date) for date in np.datetime64(first) + np.arange(count)]


def write(path: Path, dates: list[str], values: object, header: str = "Month,Passengers") -> Path:
    rows = [f"{date},{value}" for date, value in zip(dates, np.asarray(values).tolist(), strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def series_of(values: object, season: int = 12) -> series.Series:
    numbers = np.asarray(values, np.float32)
    return series.Series("x", "x.csv", np.datetime64("1949-01") + np.arange(len(numbers)), numbers, "month", season)


def passengers(rows: int = 100) -> np.ndarray:
    """Numbers like those of the airline: a trend, a season that grows with it, and some noise."""
    time = np.arange(rows)
    noise = np.random.default_rng(1).normal(0, 2, rows)
    return np.asarray((100 + 2 * time + (10 + 0.3 * time) * np.sin(2 * np.pi * time / 12) + noise).round(1))


SMALL = ("--window", "6", "--horizon", "3", "--epochs", "3")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A whole run on a short series."""
    folder = tmp_path_factory.mktemp("small")
    path = write(folder / "passengers.csv", months(100), passengers())
    return start(forecasting, folder, "--data", str(path), *SMALL)


# --- The real series --------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_lstm_beats_the_naive_forecast_of_sunspots(seed: int, room: Path) -> None:
    found = start(forecasting, room, "--seed", str(seed), "--no-plots")
    assert found.lines[0] == "Data      sunspots_monthly.csv (2820 rows)"
    assert any("60 months in, 12 months out; a season is 132 months" in line for line in found.lines)
    assert found.metrics[f"lstm_{RMSE}"] < 0.82 * found.metrics[f"naive_{RMSE}"]
    assert found.metrics[f"lstm_one_step_{RMSE}"] < found.metrics[f"naive_one_step_{RMSE}"]
    assert found.metrics[f"naive_{RMSE}"] == pytest.approx(31.92, abs=0.01)
    assert found.metrics[f"seasonal_naive_{RMSE}"] == pytest.approx(45.49, abs=0.01)
    assert found.metrics[f"linear_{RMSE}"] == pytest.approx(25.57, abs=0.01)
    assert "As expected for this lesson." in found.lines


@pytest.mark.real
def test_a_trend_that_leaves_the_range_of_the_training_part(room: Path, real_data: Path) -> None:
    path = real_data / "airline_passengers.csv"
    found = start(forecasting, room, "--data", str(path), "--epochs", "100", "--no-plots")
    past = found.load("forecasting").inputs[0]
    passengers = series.read(path)
    assert passengers.values[115:].min() > past.minimum and passengers.values[115:].max() > 1.5 * past.maximum
    # The season and the trend are worth more than either naive forecast.
    assert found.metrics[f"lstm_{RMSE}"] < 0.5 * found.metrics[f"naive_{RMSE}"]
    assert found.metrics[f"lstm_{RMSE}"] < found.metrics[f"seasonal_naive_{RMSE}"]
    assert any(line.startswith("12 months: linear model wins") for line in found.lines)


# --- No future leaks --------------------------------------------------------------------------------------------------


def test_what_comes_later_changes_neither_the_scaler_nor_the_windows_to_train_on() -> None:
    values = np.random.default_rng(0).normal(size=200)
    task = forecasting.prepare(series_of(values), 10, 4, None)
    end = task.ends["train"]
    assert end == 140
    changed = values.copy()
    changed[end:] = 1000 + np.arange(200 - end) ** 2
    other = forecasting.prepare(series_of(changed), 10, 4, None)
    assert (task.scaler.data_min_, task.scaler.data_max_) == (other.scaler.data_min_, other.scaler.data_max_)
    for one, theirs in zip(task.scaled("train"), other.scaled("train"), strict=True):
        np.testing.assert_array_equal(one, theirs)
    # The last value to train on does count: the test above can fail.
    changed[end - 1] = 500
    third = forecasting.prepare(series_of(changed), 10, 4, None)
    assert third.scaler.data_max_ == 500
    assert np.any(third.scaled("train")[1] != task.scaled("train")[1])


def test_the_targets_of_the_parts_do_not_overlap_and_come_in_the_order_of_time() -> None:
    task = forecasting.prepare(series_of(np.arange(100)), 5, 3, None)
    spans = {part: (int(y.min()), int(y.max())) for part, (_, y) in task.windows.items()}
    assert spans == {"train": (5, 69), "validation": (70, 79), "test": (80, 99)}
    for X, y in task.windows.values():
        np.testing.assert_array_equal(X, y[:, :1] - np.arange(5, 0, -1))
        np.testing.assert_array_equal(y, y[:, :1] + np.arange(3))


def test_a_forecast_knows_nothing_of_what_comes_after_its_window() -> None:
    values = np.random.default_rng(0).normal(size=200)
    changed = values.copy()
    changed[180:] = 1000
    tasks = [forecasting.prepare(series_of(numbers, season=4), 10, 6, None) for numbers in (values, changed)]
    known = 180 - 160 + 1  # forecasts that are made by then
    for make in (forecasting.forecast_naive, forecasting.forecast_seasonal, forecasting.forecast_linear):
        one, other = (make(task) for task in tasks)
        np.testing.assert_allclose(one[:known], other[:known], rtol=1e-6)
        assert np.all(np.any(one[known:] != other[known:], axis=1))
    np.testing.assert_array_equal(tasks[0].scaled("test")[0][:known], tasks[1].scaled("test")[0][:known])


@pytest.mark.usefixtures("comparable")
def test_the_test_part_changes_no_weight(small: Run, room: Path) -> None:
    values = passengers()
    values[80:] = values[80:][::-1] ** 2
    path = write(room / "passengers.csv", months(100), values)
    other = start(forecasting, room, "--data", str(path), "--no-plots", *SMALL)
    first, second = (run.load("forecasting") for run in (small, other))
    for one, theirs in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, theirs)
    scalers: list[Any] = [first.scaler, second.scaler]
    for scaler in scalers:
        assert (scaler.data_min_[0], scaler.data_max_[0]) == pytest.approx((min(passengers()[:70]), max(values[:70])))
    assert other.metrics[f"lstm_{RMSE}"] != small.metrics[f"lstm_{RMSE}"]
    assert "No expected band: the series is your own." in other.lines


# --- The forecasts ----------------------------------------------------------------------------------------------------


def test_windows_by_hand() -> None:
    X, y = forecasting.make_windows(np.arange(10), 0, 6, 3, 2)
    assert X.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert y.tolist() == [[3, 4], [4, 5]]
    X, y = forecasting.make_windows(np.arange(10), 6, 9, 3, 2)
    assert X.tolist() == [[3, 4, 5], [4, 5, 6]]
    assert y.tolist() == [[6, 7], [7, 8]]


@pytest.mark.parametrize("season", [2, 5, 7])
def test_the_seasonal_naive_forecast_knows_a_season_by_heart(season: int) -> None:
    task = forecasting.prepare(series_of(np.arange(120) % season, season), 10, 6, None)
    X, y = task.windows["test"]
    np.testing.assert_array_equal(forecasting.forecast_seasonal(task), y)
    np.testing.assert_array_equal(forecasting.forecast_naive(task), np.repeat(X[:, -1:], 6, axis=1))
    # One step too few, and it is wrong.
    other = forecasting.prepare(series_of(np.arange(120) % season, season), 10, 6, season + 1)
    assert forecasting.measure(other, forecasting.forecast_seasonal(other))[RMSE] > 0.5


def test_the_linear_model_follows_a_trend_and_a_season_out_of_the_range() -> None:
    time = np.arange(150)
    task = forecasting.prepare(series_of(5 * time + 20 * np.sin(2 * np.pi * time / 12)), 24, 6, None)
    assert task.windows["test"][1].min() > task.scaler.data_max_[0]
    assert forecasting.measure(task, forecasting.forecast_linear(task))[RMSE] < 0.01


def test_errors_by_hand() -> None:
    task = forecasting.prepare(series_of(np.arange(100)), 5, 3, None)
    # A line of slope 1: the naive forecast is off by 1, 2 and 3.
    naive = forecasting.forecast_naive(task)
    assert forecasting.errors_by_step(task, naive) == pytest.approx([1, 2, 3])
    measured = forecasting.measure(task, naive)
    assert measured == pytest.approx({f"one_step_{RMSE}": 1, RMSE: np.sqrt((1 + 4 + 9) / 3)})


def test_the_table_says_who_wins_and_whether_the_lstm_is_worse(capsys: pytest.CaptureFixture[str]) -> None:
    task = forecasting.prepare(series_of(np.arange(100)), 5, 2, None)
    _, y = task.windows["test"]
    off = {"naive": 2.0, "linear": 1.0, "lstm": 3.0}
    forecasting.compare(task, {name: y + by for name, by in off.items()})
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == [
        "1 month ahead: linear model wins; the LSTM's error is 50% higher than the naive forecast's",
        "2 months: linear model wins; the LSTM's error is 50% higher than the naive forecast's",
    ]
    assert said[-3].split() == ["LSTM", "3", "3", "3"]


def test_the_network_predicts_changes_in_the_unit_of_the_series(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(model: Any, batches: Any, **options: Any) -> SimpleNamespace:
        windows, changes = (np.concatenate(parts) for parts in zip(*batches.as_numpy_iterator(), strict=True))
        assert windows.shape[1:] == (6, 1) and windows.min() == 0 and 0.9 < windows.max() <= 1
        *others, kernel, _ = model.get_weights()
        model.set_weights([*others, 0 * kernel, changes.mean(axis=0)])  # the mean change, whatever the window
        stopping, _ = options["callbacks"]
        stopping.on_train_begin()
        return SimpleNamespace(history={"loss": [1.0], "val_loss": [1.0]})

    numbers = 500 + 3 * np.arange(100)
    options = ["--data", str(write(room / "x.csv", months(100), numbers)), "--models", "models", "--no-plots", *SMALL]
    monkeypatch.setattr(keras.Sequential, "fit", fit)
    found = forecasting.main(options)
    assert found[f"lstm_{RMSE}"] < 0.01 < found[f"naive_{RMSE}"]
    predicted = forecasting.forecast(bundle.load("models/forecasting.h5", LESSONS), np.arange(6) + 10)
    np.testing.assert_allclose(predicted, [[18, 21, 24]], atol=0.01)


# --- A whole run ------------------------------------------------------------------------------------------------------


def test_a_run_reports_four_forecasts_and_draws(small: Run) -> None:
    answer = small.answer
    kinds = ("naive", "seasonal_naive", "linear", "lstm")
    assert set(answer["metrics"]) == {f"{kind}_{steps}{RMSE}" for kind in kinds for steps in ("", "one_step_")}
    assert answer["data"] == "passengers.csv (100 rows)"
    assert "No expected band: --epochs given." in small.lines
    assert "Training before 1954-11, validation before 1955-09, test from then on" in small.lines
    assert {Path(file).name for file in answer["files"]} == {
        "forecasting.h5",
        "forecasting-scaler.gz",
        "forecasting.json",
        "forecasting-forecasts.png",
        "forecasting-errors.png",
    }
    for path in small.plots.iterdir():
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image.convert("L"))) > 100


def test_the_saved_model_gives_the_forecasts_that_were_measured(small: Run) -> None:
    model = small.load("forecasting")
    assert model.scaler is not None
    assert (model.input_shape, model.model.output_shape, model.scaler.n_features_in_) == ((6, 1), (3,), 1)
    (described,) = model.inputs
    assert (described.name, described.shape) == ("Passengers", (6,))
    past = passengers()[:70].astype(np.float32)
    assert (described.minimum, described.maximum) == (past.min(), past.max())
    assert model.card["output"] == "change of Passengers since the last value, 1 to 3 months ahead"
    task = forecasting.prepare(series.read(small.folder / "passengers.csv"), 6, 3, None)
    X, y = task.windows["test"]
    answers = forecasting.forecast(model, X)
    assert answers.shape == y.shape == (18, 3)
    assert root_mean_squared_error(y.ravel(), answers.ravel()) == pytest.approx(small.metrics[f"lstm_{RMSE}"], rel=1e-5)
    first = root_mean_squared_error(y[:, 0], answers[:, 0])
    assert first == pytest.approx(small.metrics[f"lstm_one_step_{RMSE}"], rel=1e-5)
    assert model.card["metrics"][RMSE] == small.metrics[f"lstm_{RMSE}"]
    np.testing.assert_allclose(forecasting.forecast(model, X[4].tolist()), answers[4:5], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("comparable")
def test_the_mirror_does_the_same_and_every_engine_forecasts_with_both_models(small: Run, room: Path) -> None:
    with one_thread():
        options = ["--data", str(small.folder / "passengers.csv"), "--no-plots", *SMALL]
        run = start(module_of("torch", "forecasting"), room, *options)
    assert "\nEngine    PyTorch " in run.output
    assert "No expected band: the series is your own." in run.lines
    assert_tells_the_same(run, small)
    assert run.trainings == small.trainings
    measured = run.metrics
    assert measured.keys() == small.metrics.keys()
    for name, value in measured.items():
        # The same data and windows: what is learned without a network is the same to the last digit.
        assert (value == small.metrics[name]) == (not name.startswith("lstm")), name
    task = forecasting.prepare(series.read(small.folder / "passengers.csv"), 6, 3, None)
    X, _ = task.windows["test"]
    for folder, found in ((room, measured), (small.folder, small.metrics)):
        loaded = {package: engines.load(folder / "models" / "forecasting.h5", LESSONS, package) for package in PACKAGES}
        assert_same_answers({engine: forecasting.forecast(model, X) for engine, model in loaded.items()})
        forecasts = forecasting.forecast(loaded["torch"], X)
        assert forecasting.measure(task, forecasts)[RMSE] == pytest.approx(found[f"lstm_{RMSE}"], rel=1e-5)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ([1, 2, 3], r"got windows of shape \(3,\), the model takes 6 values per window"),
        (np.zeros((2, 6, 1)), r"got windows of shape \(2, 6, 1\)"),
        ([1, 2, 3, 4, 5, np.nan], "takes finite numbers"),
    ],
)
def test_windows_that_the_model_cannot_take(small: Run, window: object, message: str) -> None:
    with pytest.raises(WorkshopError, match=message):
        forecasting.forecast(small.load("forecasting"), np.asarray(window))


def test_a_scaler_that_does_not_fit_the_sequence_is_refused(room: Path) -> None:
    model = forecasting.build_network(6, 3, 2)
    for columns in (1, 2, 6):
        bundle.save(
            room,
            "odd",
            model,
            lesson="forecasting",
            data="none",
            seed=1,
            inputs=[bundle.Input("x", shape=(6,))],
            metrics={},
            scaler=MinMaxScaler().fit(np.eye(3, columns) + np.arange(3)[:, None]),
        )
        if columns == 1:
            assert bundle.load(room / "odd.h5", LESSONS).predict(np.ones((4, 6))).shape == (4, 3)
            continue
        with pytest.raises(WorkshopError, match=f"its scaler {columns} columns: they are not of one model"):
            bundle.load(room / "odd.h5", LESSONS)


# --- Reading a series -------------------------------------------------------------------------------------------------


def test_without_the_sunspots_a_series_is_generated_and_said(
    room: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = series.find()
    assert (found.is_standin, found.source) == (True, "trend and season (stand-in for sunspots, 720 rows)")
    assert "no sunspots_monthly.csv here (WORKSHOP_DATA names no folder): using a gen" in capsys.readouterr().out
    np.testing.assert_array_equal(found.values, series.generate().values)
    monkeypatch.setenv("WORKSHOP_DATA", "nowhere")
    series.find()
    assert "in WORKSHOP_DATA=nowhere" in capsys.readouterr().out
    write(room / "sunspots_monthly.csv", months(60), passengers(60))
    monkeypatch.setenv("WORKSHOP_DATA", str(room))
    found = series.find()
    assert (found.is_standin, found.source, found.season) == (False, "sunspots_monthly.csv (60 rows)", 132)


def test_quoted_cells_and_windows_line_ends(room: Path) -> None:
    lines = ['"Month","Sunspots"', *(f'"{date}",{value}' for date, value in zip(months(50), range(50), strict=True))]
    (room / "quoted.csv").write_bytes("\r\n".join([*lines, "", ""]).encode())
    found = series.read(room / "quoted.csv")
    assert (found.name, found.step, found.season, found.source) == ("Sunspots", "month", 12, "quoted.csv (50 rows)")
    np.testing.assert_array_equal(found.values, np.arange(50, dtype=np.float32))
    assert (str(found.dates[0]), str(found.dates[-1])) == ("1949-01", "1953-02")


def every(unit: str, apart: int, first: str = "2020-01-31", count: int = 50) -> list[str]:
    return [str(date) for date in np.array(first, f"datetime64[{unit}]") + apart * np.arange(count)]


def working_days(count: int) -> list[str]:
    return [str(day) for day in np.busday_offset(np.datetime64("2020-01-31"), np.arange(count))]


@pytest.mark.parametrize(
    ("dates", "step", "season"),
    [
        (every("Y", 1, "1950"), "year", 0),
        (every("M", 1), "month", 12),
        (every("M", 3), "quarter", 4),
        (every("D", 1), "day", 7),
        (every("D", 7), "week", 52),
        (every("D", 30), "30 days", 0),
        (every("m", 60), "hour", 24),
        (every("m", 10), "10 minutes", 0),
        ([date.replace("T", " ") + ":00" for date in every("m", 60)], "hour", 24),
        ([date.replace("-", "/") for date in every("D", 1)], "day", 7),
        ([f"{1950 + i // 12}-{i % 12 + 1}" for i in range(50)], "month", 12),
        # The last day of each month; the first of each.
        ([str(date - 1) for date in np.array(every("M", 1), "datetime64[D]")], "month", 12),
        ([f"{date}-01" for date in every("M", 1)], "month", 12),
        (working_days(50), "working day", 5),
    ],
)
def test_how_far_dates_are_apart(
    room: Path, dates: list[str], step: str, season: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = series.read(write(room / "x.csv", [date.replace("T", " ") for date in dates], range(50)))
    assert (found.step, found.season, len(found.values)) == (step, season, 50)
    assert capsys.readouterr().out == ""
    assert len(np.unique(np.diff(found.dates))) == 1 or step in ("month", "working day")


def test_rows_in_any_order_are_sorted(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = np.random.default_rng(0).permutation(50)
    write(room / "x.csv", [months(50)[i] for i in order], order)
    np.testing.assert_array_equal(series.read(room / "x.csv").values, np.arange(50))
    assert "not in the order of time: they are sorted" in capsys.readouterr().out


def test_a_few_missing_dates_get_the_value_before_them(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = [i for i in range(60) if i not in (20, 21, 40)]
    write(room / "x.csv", [months(60)[i] for i in kept], kept)
    found = series.read(room / "x.csv")
    assert "3 of 60 dates, one month apart, are missing, the first after 1950-08: each gets" in capsys.readouterr().out
    expected = np.arange(60)
    expected[[20, 21, 40]] = 19, 19, 39
    np.testing.assert_array_equal(found.values, expected)
    assert str(found.dates[21]) == months(60)[21]


def test_holidays_are_missing_working_days(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = working_days(80)
    series.read(write(room / "x.csv", days[:40] + days[41:], range(79)))
    assert "1 of 80 dates, one working day apart, are missing" in capsys.readouterr().out


def test_other_columns_are_left_out_and_named(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["day,city,high,low", *(f"{day},Here,{i},{-i}" for i, day in enumerate(every("D", 1)))]
    (room / "x.csv").write_text("\n".join(lines), "utf-8")
    found = series.read(room / "x.csv")
    assert found.name == "low" and found.values[3] == -3
    assert "left out, as the numbers are in the last column (low): city, high" in capsys.readouterr().out


def test_a_very_long_series_is_cut(
    room: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MAX_ROWS", 45)
    found = series.read(write(room / "x.csv", months(50), range(50)))
    assert (len(found.values), len(found.dates), found.values[0]) == (45, 45, 5)
    assert "of 50 rows the last 45 are used" in capsys.readouterr().out


def with_cell(row: int, date: str | None = None, value: object = None) -> str:
    lines = [[date, str(i)] for i, date in enumerate(months(50))]
    lines[row] = [date or lines[row][0], str(lines[row][1] if value is None else value)]
    return "\n".join(["Month,Passengers", *(",".join(line) for line in lines)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty: takes a header line"),
        ("Month,Passengers\n", "has 0 rows below the header, takes 40 or more"),
        ("1949-01,112\n", "has 1 rows below the header, takes 40 or more"),
        ("\n".join(with_cell(0).splitlines()[:30]), "has 29 rows below the header, takes 40 or more"),
        ("\n".join(["Month", *months(50)]), "has one column"),
        (with_cell(9, value="many"), r"x\.csv, line 11, column Passengers: got many, takes a number"),
        (with_cell(9, value="1e999"), "line 11, column Passengers: got 1e999, takes a finite number"),
        (with_cell(9, value="-inf"), "line 11, column Passengers: got -inf, takes a finite number"),
        (with_cell(9, value="3,4"), "line 11: has 3 cells"),
        (with_cell(9, "1949-13"), r"x\.csv, line 11: got 1949-13, takes a date such as 1949, 1949-01 or 1949-01-31"),
        (with_cell(9, "30.02.2020"), "line 11: got 30.02.2020, takes a date"),
        (with_cell(9, "1950-02-30"), "line 11: got 1950-02-30, takes a date"),
        (with_cell(9, "0000"), "line 11: got 0000, takes a date"),
        (with_cell(9, "x" * 90), "line 11: got x{40}[.]{3}, takes a date"),
        (with_cell(9, "1949-09"), "lines 10 and 11: both are of 1949-09"),
        (with_cell(9, "1949-10-07 10:30"), None),  # within its month, where it belongs
        (
            with_cell(49, "9999-01"),
            "of 96601 dates, one month apart, are missing, the first after 1953-01: takes a ser",
        ),
        ("\n".join(with_cell(0, value=5).splitlines()[:1] + [f"{date},5" for date in months(50)]), "is 5 in all rows"),
    ],
)
def test_files_that_are_no_series(room: Path, content: str, message: str | None) -> None:
    (room / "x.csv").write_text(content, "utf-8")
    if message is None:
        assert len(series.read(room / "x.csv").values) == 50
        return
    with pytest.raises(WorkshopError, match=message):
        series.read(room / "x.csv")


def test_forty_rows_are_a_series(room: Path) -> None:
    assert len(series.read(write(room / "x.csv", months(40), range(40))).values) == 40
    with pytest.raises(WorkshopError, match="has 39 rows below the header, takes 40 or more"):
        series.read(write(room / "x.csv", months(39), range(39)))


def test_dates_that_are_not_evenly_apart(room: Path) -> None:
    days = every("D", 7)
    days[20] = str(np.datetime64(days[20]) + 2)
    with pytest.raises(WorkshopError, match=rf"line 22: {days[20]} is off the dates before it, .* one week apart"):
        series.read(write(room / "x.csv", days, range(50)))


@pytest.mark.parametrize(
    ("window", "horizon", "season", "message"),
    [
        (60, None, None, r"--window 60: x.csv has 70 to train on, takes 1 to 53"),
        (None, 11, None, r"--horizon 11: x.csv has 10 to validate on, takes 1 to 10"),
        (None, None, 81, r"--season 81: x.csv has 80 before the test part"),
    ],
)
def test_numbers_that_the_series_is_too_short_for(
    window: int | None, horizon: int | None, season: int | None, message: str
) -> None:
    with pytest.raises(WorkshopError, match=message):
        forecasting.prepare(series_of(np.arange(100)), window, horizon, season)


def test_the_longest_numbers_that_are_taken_work() -> None:
    task = forecasting.prepare(series_of(np.arange(100)), 53, 10, 80)
    assert [len(X) for X, _ in task.windows.values()] == [8, 1, 11]
    assert forecasting.forecast_seasonal(task).shape == (11, 10)
    shortest = forecasting.prepare(series_of(np.arange(40)), None, None, None)
    assert [len(X) for X, _ in shortest.windows.values()] == [19, 1, 5]


def test_the_options_tell_which_column_is_forecast_and_from_what(room: Path) -> None:
    rows = [f"{day},{i},{-i}" for i, day in enumerate(every("D", 1))]
    (room / "x.csv").write_text("\n".join(["day,high,low", *rows]), "utf-8")
    options = ["--column", "high", "--window", "7", "--horizon", "4", "--season", "5"]
    arguments = forecasting.parse(None, ["--data", "x.csv", *options])
    task = forecasting.load(arguments, Report("forecasting", arguments))
    assert (task.series.name, task.series.values[3]) == ("high", 3)
    assert (task.window, task.horizon, task.season) == (7, 4, 5)


def test_a_training_part_that_is_constant() -> None:
    with pytest.raises(WorkshopError, match=r"x.csv: the first 70 are all 3, takes numbers that differ"):
        forecasting.prepare(series_of([3] * 75 + list(range(25))), None, None, None)


@pytest.mark.parametrize("option", [("--window", "0"), ("--horizon", "-1"), ("--season", "1"), ("--window", "many")])
def test_options_out_of_range(option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        forecasting.main([*option])
    assert ended.value.code == 2
    assert f"{option[0]}: got {option[1]}, takes a whole number from" in capsys.readouterr().err
