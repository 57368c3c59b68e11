"""Series in time: a table of dates and numbers, read and checked, and what stands in for one.

What a network learns from a series, its windows, is made of it in `windowing`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from workshop.kit.data import shared_folder, tables
from workshop.kit.errors import WorkshopError

FEWEST_ROWS = 40
MOST_ROWS = 100_000  # a lesson lasts about a minute
MOST_MISSING = 0.1  # of all rows; with more, what is learned is mostly the filling

SUNSPOTS = "sunspots_monthly.csv"
SUNSPOT_CYCLE = 132  # months: the sun has its spots in a cycle of about eleven years (Schwabe 1844)
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
    path = shared_folder.shared_file(SUNSPOTS)
    if path is not None:
        return read(path, season=SUNSPOT_CYCLE)
    print(
        f"Data      no {SUNSPOTS} {shared_folder.searched()}: using a generated series, a trend and a season, instead"
    )
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
    table = tables.read_table(path, at_least=FEWEST_ROWS)
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
