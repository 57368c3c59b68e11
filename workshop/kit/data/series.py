"""Time series: a table of dates and numbers, read and checked, and its stand-in."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from workshop.kit.data import shared_folder, tables
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

MIN_ROWS = 40
MAX_ROWS = 100_000  # a lesson lasts about a minute
MAX_MISSING = 0.1  # of all rows; with more, a network would mostly learn the filled-in values

SUNSPOTS = "sunspots_monthly.csv"
SUNSPOT_CYCLE = 132  # months: the sun has its spots in a cycle of about eleven years (Schwabe 1844)
_SEASONS = {"month": 12, "quarter": 4, "week": 52, "day": 7, "working day": 5, "hour": 24}
_DATE = re.compile(r"(\d{4})(?:[-/](\d\d?)(?:[-/](\d\d?)(?:[ T](\d\d?):(\d\d)(?::00)?)?)?)?")
_DAY = 24 * 60  # minutes


@dataclass(frozen=True)
class Series:
    """Numbers at evenly spaced dates, in the order of time.

    Attributes:
        name: the name of the numbers ("Sunspots").
        source: the name of the data for reports.
        dates: NumPy's datetime64 (rows,).
        values: float32 (rows,).
        step: the time between two dates: "month", "working day", "10 minutes".
        season: the expected period in steps; 0 where it is not known.
        is_standin: whether it is a generated stand-in.
    """

    name: str
    source: str
    dates: np.ndarray
    values: np.ndarray
    step: str
    season: int
    is_standin: bool = False

    def count(self, steps: int) -> str:
        """Returns a number of steps in words: "12 months", or "3 x 10 minutes" where a step is itself a number."""
        if self.step[0].isdigit():
            return f"{steps} x {self.step}"
        return f"{steps} {self.step}" if steps == 1 else f"{steps} {self.step}s"


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


def read(path: FilePath, season: int | None = None) -> Series:
    """Reads a CSV file: a header line, then the date in the first column and a number in the last.

    Rows in another order are sorted, and a missing date gets the value before it, never a later one: a forecast must
    not know the future. Each of this is printed in a line.

    Args:
        path: the file. A date is 1949, 1949-01, 1949-01-31 or 1949-01-31 10:00, and a slash does for a hyphen.
        season: the period in steps; by default 12 for months, 7 for days and so on.

    Raises:
        WorkshopError: the file is no such table; the message names the line.
    """
    path = Path(path)
    table = tables.read_table(path, at_least=MIN_ROWS)
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
    spacing = int(distances[counts.argmax()])
    step = _step_name(units, spacing)
    evenly = f"{step if step[0].isdigit() else f'one {step}'} apart"
    positions = (ticks - ticks[0]) / spacing
    for odd in np.flatnonzero(positions != np.round(positions))[:1]:
        raise WorkshopError(
            f"{path}, line {lines[odd]}: {cells[odd]} is off the dates before it, which are {evenly}: takes dates "
            f"that are evenly apart"
        )
    rows = int(positions[-1]) + 1
    if missing := rows - len(values):
        before = cells[np.flatnonzero(np.diff(positions) > 1)[0]]
        message = f"{missing} of {rows} dates, {evenly}, are missing, the first after {before}"
        if missing > MAX_MISSING * rows:
            raise WorkshopError(f"{path}: {message}: takes a series with at most {MAX_MISSING:.0%} missing")
        print(f"Note      {message}: each gets the value before it")
    # For each date the last value that is known by then.
    values = values[np.searchsorted(positions, np.arange(rows), side="right") - 1]
    dates = _dates(dates[0], units, spacing, rows)
    if rows > MAX_ROWS:
        print(f"Note      of {rows} rows the last {MAX_ROWS} are used")
        values, dates = values[-MAX_ROWS:], dates[-MAX_ROWS:]
    if values.min() == values.max():
        raise WorkshopError(f"{path}, column {name}: is {values[0]:g} in all rows, takes numbers that differ")
    return Series(name, table.source, dates, values, step, _SEASONS.get(step, 0) if season is None else season)


def _date(path: Path, line: int, text: str) -> np.datetime64:
    """Returns a cell as a date with minutes."""
    match = _DATE.fullmatch(text)
    if match:
        year, month, day, hour, minute = match.groups()
        try:
            moment = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0))
            return np.datetime64(moment, "m")
        except ValueError:
            pass  # the 30th of February
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    raise WorkshopError(f"{path}, line {line}: got {shown}, takes a date such as 1949, 1949-01 or 1949-01-31")


def _units(dates: np.ndarray) -> tuple[str, np.ndarray]:
    """Returns the unit that suits the dates, "month", "working day" or "minute", and each date as a number of units.

    Months are of different lengths, and a weekend is no gap where nothing is measured at weekends.
    """
    minutes = dates.astype(np.int64)
    months = dates.astype("datetime64[M]").astype(np.int64)
    if np.median(np.diff(minutes)) >= 28 * _DAY and np.diff(months).min() >= 1:
        return "month", months
    days = dates.astype("datetime64[D]")
    if np.all(minutes % _DAY == 0) and np.all(np.is_busday(days)) and np.median(np.diff(minutes)) == _DAY:
        return "working day", np.busday_count(days[0], days)
    return "minute", minutes


def _step_name(units: str, spacing: int) -> str:
    """Returns the name of a step of so many units."""
    names = {
        ("month", 3): "quarter",
        ("month", 12): "year",
        ("minute", 60): "hour",
        ("minute", _DAY): "day",
        ("minute", 7 * _DAY): "week",
    }
    if spacing == 1:
        return units
    if units == "minute" and spacing % _DAY == 0:
        return names.get((units, spacing), f"{spacing // _DAY} days")
    return names.get((units, spacing), f"{spacing} {units}s")


def _dates(first: np.datetime64, units: str, spacing: int, rows: int) -> np.ndarray:
    """Returns all dates from the first one on, the missing ones too."""
    steps = spacing * np.arange(rows)
    if units == "month":
        return first.astype("datetime64[M]") + steps
    if units == "working day":
        return np.asarray(np.busday_offset(first.astype("datetime64[D]"), steps))
    return first + steps
