"""Series in time: a table of dates and numbers, read and checked, and what stands in for one."""

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.kit import bundle, data
from workshop.kit.errors import WorkshopError

FEWEST_ROWS = 40
FEWEST_WINDOWS = 8  # to train on
MOST_ROWS = 100_000  # a lesson lasts about a minute
MOST_MISSING = 0.1  # of all rows; with more, what is learned is mostly the filling

SUNSPOTS = "sunspots_monthly.csv"
SUNSPOT_CYCLE = 132  # months: the sun has its spots in a cycle of about eleven years (Schwabe 1844)
WINDOW, HORIZON = 60, 12  # less for a short series
_SEASONS = {"month": 12, "quarter": 4, "week": 52, "day": 7, "working day": 5, "hour": 24}
_DATE = re.compile(r"(\d{4})(?:[-/](\d\d?)(?:[-/](\d\d?)(?:[ T](\d\d?):(\d\d)(?::00)?)?)?)?")
_DAY = 24 * 60  # minutes


@dataclass(frozen=True)
class Series:
    """Numbers at dates that are evenly apart, in the order of time.

    Attributes:
        name: what the numbers are ("Sunspots").
        source: what a run says that it used.
        dates: NumPy's datetime64 (rows,).
        values: float32 (rows,).
        step: what lies between two dates: "month", "working day", "10 minutes".
        season: after how many steps the series is expected to repeat itself; 0 where that is not known.
        is_standin: whether it is generated, for want of a real one.
    """

    name: str
    source: str
    dates: np.ndarray
    values: np.ndarray
    step: str
    season: int
    is_standin: bool = False

    def count(self, steps: int) -> str:
        """Returns so many steps in words: "12 months"; "3 x 10 minutes" where a step is such a number itself."""
        if self.step[0].isdigit():
            return f"{steps} x {self.step}"
        return f"{steps} {self.step}" + "s" * (steps != 1)


def find() -> Series:
    """Returns the sunspots of the folder in the environment variable WORKSHOP_DATA, or else a stand-in, announced.

    Raises:
        WorkshopError: the file is there, and is no series.
    """
    folder = os.environ.get("WORKSHOP_DATA")
    if folder and (Path(folder) / SUNSPOTS).is_file():
        return read(Path(folder) / SUNSPOTS, season=SUNSPOT_CYCLE)
    where = f"in WORKSHOP_DATA={folder}" if folder else "here (WORKSHOP_DATA names no folder)"
    print(f"Data      no {SUNSPOTS} {where}: using a generated series, a trend and a season, instead")
    return generate()


def generate(months: int = 720) -> Series:
    """Returns a stand-in: a trend, a season of a year that grows with it, and noise of which half stays for a month."""
    random = np.random.default_rng(0)
    time = np.arange(months)
    angle = 2 * np.pi * time / 12
    noise = random.normal(0, 4, months)
    for month in range(1, months):
        noise[month] += 0.5 * noise[month - 1]
    season = np.sin(angle) + 0.4 * np.sin(2 * angle + 1)
    values = 100 + 0.15 * time + (15 + 0.03 * time) * season + noise
    dates = np.datetime64("1960-01") + time
    source = f"trend and season (stand-in for sunspots, {months} rows)"
    return Series("value", source, dates, values.astype(np.float32), "month", 12, is_standin=True)


def read(path: Path, season: int | None = None) -> Series:
    """Reads a CSV file: a header line, then the date in the first column and a number in the last.

    Rows in another order are sorted, and a date that is missing gets the value before it, never one that comes later:
    a forecast must not know it. What was done is said in a line.

    Args:
        path: the file. A date is 1949, 1949-01, 1949-01-31 or 1949-01-31 10:00, and a slash does for a hyphen.
        season: how many steps it is; by default 12 for months, 7 for days and so on.

    Raises:
        WorkshopError: the file is no such table; the message names the line.
    """
    table = data.read_table(path, at_least=FEWEST_ROWS)
    name = table.names[-1]
    if len(table.names) > 2:
        print(f"Note      left out, as the numbers are in the last column ({name}): {', '.join(table.names[1:-1])}")
    values = table.numbers([len(table.names) - 1])[:, 0]
    cells = table.texts(0)
    dates = np.array([_date(path, line, cell) for line, cell in zip(table.lines, cells, strict=True)])
    order = np.argsort(dates, kind="stable")
    if np.any(order != np.arange(len(order))):
        print("Note      the rows are not in the order of time: they are sorted")
    dates, values, cells, lines = dates[order], values[order], cells[order], np.array(table.lines)[order]
    for later in np.flatnonzero(dates[1:] == dates[:-1])[:1] + 1:
        raise WorkshopError(f"{path}, lines {lines[later - 1]} and {lines[later]}: both are of {cells[later]}")
    units, ticks = _units(dates)
    distances, counts = np.unique(np.diff(ticks), return_counts=True)
    apart = int(distances[counts.argmax()])
    step = _step_name(units, apart)
    evenly = f"{step if step[0].isdigit() else f'one {step}'} apart"
    places = (ticks - ticks[0]) / apart
    for odd in np.flatnonzero(places != np.round(places))[:1]:
        raise WorkshopError(
            f"{path}, line {lines[odd]}: {cells[odd]} is off the dates before it, which are {evenly}: takes dates "
            f"that are evenly apart"
        )
    rows = int(places[-1]) + 1
    if missing := rows - len(values):
        before = cells[np.flatnonzero(np.diff(places) > 1)[0]]
        said = f"{missing} of {rows} dates, {evenly}, are missing, the first after {before}"
        if missing > MOST_MISSING * rows:
            raise WorkshopError(f"{path}: {said}: takes a series with at most {MOST_MISSING:.0%} missing")
        print(f"Note      {said}: each gets the value before it")
    # For each place the last value that is known by then.
    values = values[np.searchsorted(places, np.arange(rows), side="right") - 1]
    dates = _dates(dates[0], units, apart, rows)
    if rows > MOST_ROWS:
        print(f"Note      of {rows} rows the last {MOST_ROWS} are used")
        values, dates = values[-MOST_ROWS:], dates[-MOST_ROWS:]
    if values.min() == values.max():
        raise WorkshopError(f"{path}, column {name}: is {values[0]:g} in all rows, takes numbers that differ")
    return Series(name, table.source, dates, values, step, _SEASONS.get(step, 0) if season is None else season)


def _date(path: Path, line: int, text: str) -> np.datetime64:
    """Returns a cell as a date with minutes."""
    found = _DATE.fullmatch(text)
    if found:
        year, month, day, hour, minute = found.groups()
        try:
            moment = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0))
            return np.datetime64(moment, "m")
        except ValueError:
            pass  # the 30th of February
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    raise WorkshopError(f"{path}, line {line}: got {shown}, takes a date such as 1949, 1949-01 or 1949-01-31")


def _units(dates: np.ndarray) -> tuple[str, np.ndarray]:
    """Returns what the dates are best counted in, "month", "working day" or "minute", and each date as a number of it.

    Months are of different lengths, and a weekend is no gap where nothing is ever measured at one.
    """
    minutes = dates.astype(np.int64)
    months = dates.astype("datetime64[M]").astype(np.int64)
    if np.median(np.diff(minutes)) >= 28 * _DAY and np.diff(months).min() >= 1:
        return "month", months
    days = dates.astype("datetime64[D]")
    if np.all(minutes % _DAY == 0) and np.all(np.is_busday(days)) and np.median(np.diff(minutes)) == _DAY:
        return "working day", np.busday_count(days[0], days)
    return "minute", minutes


def _step_name(units: str, apart: int) -> str:
    """Returns what so many units are called."""
    names = {
        ("month", 3): "quarter", ("month", 12): "year",
        ("minute", 60): "hour", ("minute", _DAY): "day", ("minute", 7 * _DAY): "week",
    }  # fmt: skip
    if apart == 1:
        return units
    if units == "minute" and apart % _DAY == 0:
        return names.get((units, apart), f"{apart // _DAY} days")
    return names.get((units, apart), f"{apart} {units}s")


def _dates(first: np.datetime64, units: str, apart: int, rows: int) -> np.ndarray:
    """Returns all dates from the first one on, the missing ones too."""
    steps = apart * np.arange(rows)
    if units == "month":
        return first.astype("datetime64[M]") + steps
    if units == "working day":
        return np.asarray(np.busday_offset(first.astype("datetime64[D]"), steps))
    return first + steps


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
    """A series parted in the order of time, and its windows.

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
    scaler: Any

    def scaled(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the network gets: X (windows, window, 1), and y as changes since the window's last value.

        A change of 0 is the naive forecast: the network starts from it, and a trend that leaves the range of the
        training part takes the forecasts with it.
        """
        X, y = self.windows[part]
        changes = (y - X[:, -1:]) * self.scaler.scale_
        return self.scaler.transform(X.reshape(-1, 1)).reshape(*X.shape, 1), changes.astype(np.float32)


def prepare(found: Series, window: int | None, horizon: int | None, season: int | None) -> Task:
    """Parts a series 70:10:20 in the order of time, fits the scaler on the past, and makes the windows.

    A part has the windows whose targets lie in it. What such a window is forecast from may lie before, never after.

    Raises:
        WorkshopError: the series is too short for these numbers, or does not change while it is learned from.
    """
    from sklearn.preprocessing import MinMaxScaler

    rows = len(found.values)
    ends = {"train": 7 * rows // 10, "validation": 8 * rows // 10, "test": rows}
    window, horizon = window or min(WINDOW, rows // 6), horizon or min(HORIZON, rows // 10)
    season = found.season if season is None else season
    longest = ends["validation"] - ends["train"]
    if horizon > longest:
        raise WorkshopError(f"--horizon {horizon}: {found.source} has {longest} to validate on, takes 1 to {longest}")
    longest = ends["train"] - horizon - FEWEST_WINDOWS + 1
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


def forecast(model: bundle.Bundle, windows: np.ndarray) -> np.ndarray:
    """Returns what a saved model of the lesson `forecasting` expects to come next.

    Args:
        model: it answers with changes since the last value that it was given.
        windows: the last values of a series (window,), or several such windows (windows, window), in their own unit.

    Returns:
        (windows, horizon), in the same unit.

    Raises:
        WorkshopError: a window has another length than the model's, or a value is not finite.
    """
    takes = model.input_shape[0]
    given = np.atleast_2d(np.asarray(windows, np.float32))
    if given.ndim != 2 or given.shape[1] != takes:
        raise WorkshopError(f"got windows of shape {np.shape(windows)}, the model takes {takes} values a window")
    if not np.all(np.isfinite(given)):
        raise WorkshopError("got a window with a value that is not finite: takes finite numbers")
    return np.asarray(given[:, -1:] + model.predict(given))
