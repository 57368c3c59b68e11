"""Time series: a table of dates and numbers, read and checked, and its stand-in."""

import contextlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit.data import shared_folder
from workshop.kit.data.dates import Dates, month_number, read_dates, read_times
from workshop.kit.data.table import decoding, numerals, splitting
from workshop.kit.data.table.layout import listed, short
from workshop.kit.data.table.numerals import Numbers
from workshop.kit.data.table.splitting import Cells
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath

MIN_ROWS = 40
MAX_ROWS = 100_000  # a lesson lasts about a minute
MAX_MISSING = 0.2  # of all rows; with more, a network would mostly learn the filled-in values

SUNSPOTS = "sunspots_monthly.csv"
SUNSPOT_CYCLE = 132  # months: the sun has its spots in a cycle of about eleven years (Schwabe 1844)
_SEASONS = {"month": 12, "quarter": 4, "week": 52, "day": 7, "hour": 24}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = 24 * 60 * 60  # seconds
_RARE = 0.25  # of the rows of the other weekdays: a weekday with fewer is one on which nothing is measured
_JITTER = 0.25  # of a step: how far a date may be off its place
_ROUND_STEPS = [60 * n for n in (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)] + [
    1,
    2,
    5,
    10,
    15,
    20,
    30,
]
_MAX_HEADER = 4  # lines
LARGEST = 1e30  # single precision holds numbers up to 3e38, and their squares occur in the training
_EXAMPLES = "a date such as 1949, 1949-01 or 1949-01-31"
_DATE_NAME = re.compile(
    r"date|datum|fecha|data|time|zeit|day|tag|month|monat|mois|year|jahr|año|anno|period|week|日期|时间"
)
_NAMES = {
    "year": "year yr jahr año ano anno année annee",
    "quarter": "quarter qtr quartal trimestre",
    "month": "month mon mo monat mes mês mois mese",
    "day": "day dy tag día dia jour giorno",
    "hour": "hour hr hrs stunde hora heure ora",
}
_PARTS = {name: part for part, names in _NAMES.items() for name in names.split()}


@dataclass(frozen=True)
class Series:
    """Numbers at evenly spaced dates, in the order of time.

    Attributes:
        name: the name of the numbers ("Sunspots").
        source: the name of the data for reports.
        dates: NumPy's datetime64 (rows,); whole numbers where the rows have no dates.
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


def read(path: FilePath, season: int | None = None, column: str | None = None) -> Series:
    """Reads a CSV file: dates in one column and numbers in another.

    Rows in another order are sorted, and a missing date or number gets the value before it, never a later one: a
    forecast must not know the future. Each of this is printed in a line.

    Args:
        path: the file. The dates are as people write them: 1949, 1949-01, 31.01.1949, 1949Q1, 1949-01-31 10:00.
        season: the period in steps; by default 12 for months, 7 for days and so on.
        column: the name of the numbers; by default the last column of numbers.

    Raises:
        WorkshopError: the file is no such table; the message names the line.
    """
    path = Path(path)
    table = _read_table(path, column)
    source = f"{path.name} ({len(table.values)} rows)"
    if table.moments is None:
        _note("there is no column of dates: the rows are taken as evenly apart, in their order")
        values = _fill(table, np.arange(len(table.values)), len(table.values))
        return _checked(path, Series(table.name, source, np.arange(len(values)), values, "step", season or 0))
    table = _in_order(table)
    grid = _find_grid(table.moments)
    table = _without_rare_days(table, grid)
    positions = _positions(table, grid)
    rows = int(positions[-1]) + 1
    if missing := rows - len(positions):
        before = table.cells[np.flatnonzero(np.diff(positions) > 1)[0]]
        message = f"{missing} of {rows} dates, {grid.evenly}, are missing, the first after {before}"
        if missing > MAX_MISSING * rows:
            raise WorkshopError(f"{path}: {message}: takes a series with at most {MAX_MISSING:.0%} missing")
        _note(f"{message}: each gets the value before it")
    values = _fill(table, positions, rows)
    season = grid.season if season is None else season
    return _checked(path, Series(table.name, source, grid.dates(rows), values, grid.step, season))


def _note(text: str) -> None:
    print(f"Note      {one_line(text)}")


def _checked(path: Path, found: Series) -> Series:
    """Returns a series, the last rows of a very long one.

    Raises:
        WorkshopError: all its numbers are the same.
    """
    values, dates = found.values, found.dates
    if len(values) > MAX_ROWS:
        _note(f"of {len(values)} rows the last {MAX_ROWS} are used")
        values, dates = values[-MAX_ROWS:], dates[-MAX_ROWS:]
    if values.min() == values.max():
        raise WorkshopError(f"{path}, column {found.name}: is {values[0]:g} in all rows, takes numbers that differ")
    return replace(found, values=values, dates=dates)


def _fill(table: "_Table", positions: np.ndarray, rows: int) -> np.ndarray:
    """Returns the numbers of all rows, float32: for each the last one that is known by then."""
    known = ~np.isnan(table.values)
    if empty := int(np.sum(~known)):
        message = f"{empty} of {len(known)} cells of {table.name} are empty, the first in line {table.lines[~known][0]}"
        if empty > MAX_MISSING * len(known):
            raise WorkshopError(f"{table.path}: {message}: takes a series with at most {MAX_MISSING:.0%} missing")
        _note(f"{message}: each gets the value before it")
    places = np.searchsorted(positions[known], np.arange(rows), side="right") - 1
    return np.asarray(table.values[known][places], np.float32)


# --- The columns ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """The dates and the numbers of a file, row by row.

    Attributes:
        path: the file.
        name: of the numbers.
        moments: datetime64[s] (rows,), or None where there are no dates.
        offsets: of their zones, seconds (rows,); NaN for none.
        cells: the dates as they stand in the file.
        values: float64 (rows,), NaN for a missing one.
        lines: the rows' numbers in the file.
    """

    path: Path
    name: str
    moments: Any
    offsets: np.ndarray
    cells: np.ndarray
    values: np.ndarray
    lines: np.ndarray

    def rows(self, kept: np.ndarray) -> "_Table":
        """Returns some rows, by their indices or as a mask."""
        moments = None if self.moments is None else self.moments[kept]
        columns = self.offsets[kept], self.cells[kept], self.values[kept], self.lines[kept]
        return _Table(self.path, self.name, moments, *columns)


def _read_table(path: Path, column: str | None) -> _Table:
    """Reads a file and finds its dates and its numbers.

    Raises:
        WorkshopError: it is no table of a series.
    """
    sheet = _read_cells(path)
    rows, lines = _by_month(*_even_rows(path, sheet))
    columns = [list(cells) for cells in zip(*rows, strict=True)]
    dates, date_columns = _find_dates(columns)
    others = [i for i in range(len(columns)) if i not in date_columns]
    sign = numerals.decimal_sign([columns[i] for i in others], sheet.separator)

    def read_numbers(cells: Sequence[str]) -> Numbers:
        return _read_numbers(cells, sheet.separator, sign)

    def has_number(row: int, where: Sequence[int]) -> bool:
        return any(not np.isnan(read_numbers([rows[row][i]]).values[0]) for i in where)

    first, last = int(not has_number(0, others[-1:])), len(rows)
    if dates is not None:
        valid = np.flatnonzero(~np.isnat(dates.moments))
        last = int(valid[-1]) + 1
        # A line of numbers whose date alone cannot be read is no header.
        if valid[0] <= _MAX_HEADER and not any(has_number(row, others) for row in range(1, int(valid[0]))):
            first = int(valid[0])
    names = [cell or f"column {i + 1}" for i, cell in enumerate(rows[0])]
    if first == 0:
        names = [f"column {i + 1}" for i in range(len(columns))]
        _note(f"there is no header line: the columns are named {listed(names)}")
    elif first > 1:
        _note(f"the first {first} lines are headers: the names of the columns are in line {lines[0]}")
    if last < len(rows):
        _left_out(rows[last:], lines[last:], "have no date below the table")
    if last - first < MIN_ROWS:
        raise WorkshopError(f"{path}: has {last - first} rows below the header, takes {MIN_ROWS} or more")
    row_lines = np.array(lines[first:last])
    cells = np.array([" ".join(rows[row][i] for i in date_columns) for row in range(first, last)], dtype=object)
    if dates is None:
        _check_counter(path, names, columns, slice(first, last), row_lines)
        moments, offsets = None, np.full(last - first, np.nan)
    else:
        if dates.note:
            _note(dates.note)
        moments, offsets = dates.moments[first:last], dates.offsets[first:last]
        for row in np.flatnonzero(np.isnat(moments))[:1]:
            raise WorkshopError(f"{path}, line {row_lines[row]}: got {short(cells[row])}, takes {_EXAMPLES}")
    numbers = {i: read_numbers(columns[i][first:last]) for i in others}
    index = _choose_numbers(path, column, names, numbers, row_lines, columns, first)
    if notes := numbers[index].notes:
        _note(f"{names[index]}: {'; '.join(notes)}")
    return _Table(path, names[index], moments, offsets, cells, numbers[index].values, row_lines)


def _read_cells(path: Path) -> Cells:
    """Returns the cells of a file, and says what is not plain about it.

    Raises:
        WorkshopError: it is not there, or no text.
    """
    text, encoding = decoding.read(path)
    cells = splitting.split(text, path)
    if encoding:
        _note(f"the file is read as {encoding}, not as UTF-8")
    for note in cells.notes:
        _note(note)
    kept = [i for i, row in enumerate(cells.rows) if not row[0].startswith("#")] or list(range(len(cells.rows)))
    return replace(cells, rows=[cells.rows[i] for i in kept], lines=[cells.lines[i] for i in kept])


def _read_numbers(cells: Sequence[str], separator: str = ",", sign: str = "") -> Numbers:
    """Returns a column as numbers; where they are too few, each is missing and each other cell odd."""
    missing = np.array([numerals.is_missing(cell) or set(cell) == {"*"} for cell in cells])
    numbers = numerals.read(cells, missing, separator, sign)
    return numbers or Numbers(np.full(len(cells), np.nan), np.flatnonzero(~missing))


def _left_out(rows: Sequence[Sequence[str]], lines: Sequence[int], why: str) -> None:
    """Says that lines above or below the table are left out, and shows the first."""
    where = f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"
    _note(f"left out, as they {why}: {where} ({short(' '.join(rows[0]).strip())})")


def _even_rows(path: Path, sheet: Cells) -> tuple[list[list[str]], list[int]]:
    """Returns the rows of the table, all as long as most are, without titles above and remarks below."""
    rows, lines = [list(row) for row in sheet.rows], list(sheet.lines)
    width = Counter(map(len, rows)).most_common(1)[0][0]
    for row in rows:
        while len(row) > width and not row[-1]:
            row.pop()
    fitting = [i for i, row in enumerate(rows) if len(row) == width]
    first, last = fitting[0], fitting[-1] + 1
    # Where the rows begin with an index, its column may have no name.
    has_digits = any(character.isdigit() for cell in rows[first] for character in cell)
    if 0 < first <= _MAX_HEADER and len(rows[first - 1]) == width - 1 > 0 and has_digits:
        first -= 1
        rows[first].insert(0, "")
    if first:
        _left_out(rows[:first], lines[:first], "stand above the table")
    if last < len(rows):
        _left_out(rows[last:], lines[last:], "stand below the table")
    rows, lines = rows[first:last], lines[first:last]
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise WorkshopError(f"{path}, line {line}: has {len(row)} cells, the header line has {width}")
    return rows, lines


def _by_month(rows: list[list[str]], lines: list[int]) -> tuple[list[list[str]], list[int]]:
    """Returns a table with a row for each year and a column for each month as one with a row for each month."""
    months = [month_number(cell) for cell in rows[0]]
    start = next((i for i in range(1, len(months) - 11) if months[i : i + 12] == list(range(1, 13))), 0)
    if not start or not any(re.fullmatch(r"\d{4}", row[0]) for row in rows[1:]):
        return rows, lines
    _note("each row is a year, with a column for each month: the months are put below one another")
    others = [name for name in rows[0][start + 12 :] if name]
    if others:
        _note(f"left out, as they are no months: {listed(others)}")
    long, long_lines = [["month", "value"]], [lines[0]]
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if row[0] != rows[0][0]:  # some repeat the header line every few decades
            long += [[f"{row[0]}-{month:02d}", row[start + month - 1]] for month in range(1, 13)]
            long_lines += 12 * [line]
    return long, long_lines


def _find_dates(columns: list[list[str]]) -> tuple[Dates | None, list[int]]:
    """Returns the dates of a table and the columns that they stand in, or None."""
    names = [column[0].lower() for column in columns]
    date_columns = {i: dates for i, column in enumerate(columns) if (dates := read_dates(column, names[i])) is not None}
    for i, dates in date_columns.items():
        if dates.is_sure:
            return _with_times(dates, i, columns)
    parts = {_PARTS[name]: i for i, name in reversed(list(enumerate(names))) if name in _PARTS}
    if "year" in parts and parts.keys() & {"month", "quarter"}:
        dates = _from_parts(columns, parts)
        if dates is not None:
            return dates, sorted(parts.values())
    for i, dates in date_columns.items():
        known = dates.moments[~np.isnat(dates.moments)]
        steps = np.diff(known).astype(np.int64)
        if dates.kind == "year" and np.any(steps == 0):
            # The years in one column, the months in the next, whatever these are called.
            composed = _from_parts(columns, {"year": i, "month": i + 1}) if i + 1 < len(columns) else None
            if composed is not None:
                return composed, [i, i + 1]
        # A number may be something else than a date, unless its column says so or it rises from row to row.
        if _DATE_NAME.search(names[i]) or (i < 2 and (np.all(steps > 0) or np.all(steps < 0))):
            return _with_times(dates, i, columns)
    return None, []


def _with_times(dates: Dates, index: int, columns: list[list[str]]) -> tuple[Dates, list[int]]:
    """Returns dates with the times of the day that stand in another column, if there is one; and the columns."""
    known = dates.moments[~np.isnat(dates.moments)]
    if np.all(known == known.astype("datetime64[D]")):
        for i, column in enumerate(columns):
            times = read_times(column) if i != index else None
            if times is not None:
                note = f"the times of the day are in the column {column[0]}"
                note = f"{dates.note}; {note}" if dates.note else note
                return replace(dates, moments=dates.moments + times, note=note), [index, i]
    return dates, [index]


def _from_parts(columns: list[list[str]], parts: Mapping[str, int]) -> Dates | None:
    """Returns dates whose year and month, quarter, day or hour stand in columns of their own, or None."""
    moments = np.full(len(columns[0]), "NaT", "datetime64[s]")
    for row in range(len(moments)):
        cells = {part: columns[i][row] for part, i in parts.items()}
        numbers = {part: int(cell) for part, cell in cells.items() if cell.isascii() and cell.isdigit()}
        if "quarter" in numbers:
            numbers["month"] = 3 * numbers["quarter"] - 2
        month = numbers.get("month") or month_number(cells.get("month", ""))
        if month is None or not 0 < numbers.get("year", 0) < 10_000:
            continue
        text = f"{numbers['year']:04d}-{month:02d}-{numbers.get('day', 1):02d}T{numbers.get('hour', 0):02d}:00"
        with contextlib.suppress(ValueError):  # month 13
            moments[row] = np.datetime64(text, "s")
    dates = Dates(moments, np.full(len(moments), np.nan), "parts of dates")
    names = ", ".join(columns[i][0] for i in sorted(parts.values()))
    note = f"the parts of the dates are in columns of their own: {names}"
    return replace(dates, note=note) if dates.share >= 0.8 else None


def _check_counter(path: Path, names: list[str], columns: list[list[str]], rows: slice, lines: np.ndarray) -> None:
    """Raises WorkshopError unless a table without dates has numbers alone, with a counter before them at most."""
    counter = _read_numbers(columns[0][rows])
    are_numbers = not len(counter.odd)
    if len(columns) == 1:
        if are_numbers:
            return
        raise WorkshopError(f"{path}: has one column ({short(names[0])}), takes dates and numbers")
    if len(columns) == 2 and are_numbers and len(np.unique(np.diff(counter.values))) == 1:
        return
    if len(columns) == 2 and not are_numbers:
        row = counter.odd[0]
        raise WorkshopError(f"{path}, line {lines[row]}: got {short(columns[0][rows][row])}, takes {_EXAMPLES}")
    raise WorkshopError(f"{path}: none of the columns {listed(names)} has dates: takes {_EXAMPLES} in each row")


def _choose_numbers(
    path: Path,
    column: str | None,
    names: list[str],
    numbers: Mapping[int, Numbers],
    lines: np.ndarray,
    columns: list[list[str]],
    first: int,
) -> int:
    """Returns the index of the column of numbers, the one asked for or the last one; says which others are left out."""
    if not numbers:
        raise WorkshopError(f"{path}: has one column ({listed(names)}), takes dates and numbers")
    known = {i: read.values[~np.isnan(read.values)] for i, read in numbers.items()}
    usable = [i for i, read in numbers.items() if 10 * len(read.odd) <= len(read.values) <= 2 * len(known[i])]
    if column is not None:
        matches = [i for i in numbers if names[i] == column] or [
            i for i in numbers if names[i].lower() == column.strip().lower()
        ]
        if not matches:
            offered = listed([names[i] for i in usable])
            raise WorkshopError(f"--column {column}: {path} has no such column of numbers, takes one of {offered}")
        index = matches[0]
    else:
        changing = [i for i in usable if len(np.unique(known[i])) > 1]
        index = (changing or usable or list(numbers))[-1]
    odd = numbers[index].odd
    too_large = np.flatnonzero(np.abs(np.nan_to_num(numbers[index].values)) >= LARGEST)
    for row in np.append(odd, too_large)[:1]:
        cell = columns[index][first + row]
        wanted = (
            "a number"
            if row in odd and not re.search(r"inf|\d[eE]\d|\d{16}", cell.lower())
            else "a finite number, not above 1e30"
        )
        where = f"{path}, line {lines[row]}, column {short(names[index])}"
        raise WorkshopError(f"{where}: got {short(cell)}, takes {wanted}")
    if len(known[index]) < MIN_ROWS:
        count = len(known[index])
        raise WorkshopError(f"{path}: has {count} rows with a number in {names[index]}, takes {MIN_ROWS} or more")
    others = [names[i] for i in numbers if i != index]
    if others and column is None:
        is_last = index == len(names) - 1
        where = f"in the last column ({names[index]})" if is_last else f"in the column {names[index]}"
        advice = "; --column NAME takes another" if len(usable) > 1 else ""
        _note(f"left out, as the numbers are {where}: {listed(others)}{advice}")
    return index


# --- The dates --------------------------------------------------------------------------------------------------------


def _in_order(table: _Table) -> _Table:
    """Returns the rows in the order of time, one for each moment, from the first to the last number."""
    moments, path = table.moments, table.path
    zoned = ~np.isnan(table.offsets)
    gaps = np.diff(np.unique(moments)).astype(np.int64)
    if np.all(zoned) and len(np.unique(table.offsets)) > 1 and np.median(gaps) < _DAY / 2:
        _note("the zone of the dates changes: they are taken in UTC")
        moments = moments - table.offsets.astype("timedelta64[s]")
        gaps = np.diff(np.unique(moments)).astype(np.int64)
    order = np.argsort(moments, kind="stable")
    if np.any(order != np.arange(len(order))):
        _note("the rows are not in the order of time: they are sorted")
    table = replace(table, moments=moments).rows(order)
    moments, values = table.moments, table.values.copy()
    repeated = np.flatnonzero(moments[1:] == moments[:-1]) + 1
    for i in repeated[np.isnan(values[repeated])]:
        values[i] = values[i - 1]
    for i in repeated[np.isnan(values[repeated - 1])]:
        values[i - 1] = values[i]
    differing = [i for i in repeated if not np.isclose(values[i], values[i - 1], equal_nan=True)]
    is_hourly = len(gaps) > 0 and np.median(gaps) < _DAY / 2
    if len(differing) and not (is_hourly and all(map(_clocks_change, moments[differing]))):
        i = differing[0]
        more = f" ({len(differing)} dates occur more than once)" if len(differing) > 1 else ""
        raise WorkshopError(
            f"{path}, lines {table.lines[i - 1]} and {table.lines[i]}: both are of {table.cells[i]}, with "
            f"{values[i - 1]:g} and {values[i]:g}{more}: takes one row for each date"
        )
    if len(differing):
        cell = table.cells[differing[0]]
        _note(f"{cell} occurs twice, as where clocks are set back: the mean of both is taken")
        for i in differing:
            values[i - 1] = np.mean(values[i - 1 : i + 1])
    elif len(repeated):
        _note(f"{len(repeated)} rows are repeated, the first in line {table.lines[repeated[0]]}: each counts once")
    table = replace(table, values=values).rows(np.setdiff1d(np.arange(len(moments)), repeated))
    known = np.flatnonzero(~np.isnan(table.values))
    first, last = known[0], known[-1]
    if first > 0 or last < len(table.values) - 1:
        _note(f"the numbers begin with {table.cells[first]} and end with {table.cells[last]}: so does the series")
    return table.rows(np.arange(first, last + 1))


def _clocks_change(moment: np.datetime64) -> bool:
    """Returns whether clocks are set back at such a time: early on a Sunday in spring or autumn."""
    time: datetime = moment.astype(object)
    return time.weekday() == 6 and time.hour <= 3 and time.month in {3, 4, 9, 10, 11}


@dataclass(frozen=True)
class _Grid:
    """Evenly spaced moments.

    Attributes:
        first: the first of them.
        unit: "month", "working day" or "second": months are of different lengths, and a weekend is no gap where
            nothing is measured at weekends.
        spacing: units from one to the next.
        week: of working days, "1111100" for Monday to Friday.
    """

    first: np.datetime64
    unit: str
    spacing: int
    week: str = "1111111"

    @property
    def step(self) -> str:
        """The name of a step."""
        if self.unit != "second":
            names = {("month", 3): "quarter", ("month", 12): "year"}
            single = self.unit if self.spacing == 1 else f"{self.spacing} {self.unit}s"
            return names.get((self.unit, self.spacing), single)
        for name, seconds in (("week", 7 * _DAY), ("day", _DAY), ("hour", 3600), ("minute", 60), ("second", 1)):
            if self.spacing == seconds:
                return name
            if self.spacing % seconds == 0 and name != "week":
                return f"{self.spacing // seconds} {name}s"
        raise AssertionError

    @property
    def evenly(self) -> str:
        """The time between two moments, in words."""
        return f"{self.step if self.step[0].isdigit() else f'one {self.step}'} apart"

    @property
    def season(self) -> int:
        """The expected period in steps, or 0."""
        return self.week.count("1") if self.step == "working day" else _SEASONS.get(self.step, 0)

    def places(self, moments: np.ndarray) -> np.ndarray:
        """Returns how many steps moments are after the first; of whole numbers where they lie on the grid."""
        if self.unit == "month":
            units = (moments.astype("datetime64[M]") - self.first.astype("datetime64[M]")).astype(np.int64)
        elif self.unit == "working day":
            units = np.busday_count(
                self.first.astype("datetime64[D]"), moments.astype("datetime64[D]"), weekmask=self.week
            )
        else:
            units = (moments - self.first).astype(np.int64)
        return np.asarray(units / self.spacing)

    def dates(self, rows: int) -> np.ndarray:
        """Returns the first moments, no finer than they need be."""
        steps = self.spacing * np.arange(rows)
        if self.unit == "month":
            return np.asarray(self.first.astype("datetime64[M]") + steps)
        if self.unit == "working day":
            return np.asarray(np.busday_offset(self.first.astype("datetime64[D]"), steps, weekmask=self.week))
        moments = self.first + steps.astype("timedelta64[s]")
        if self.spacing % _DAY == 0:
            return np.asarray(moments.astype("datetime64[D]"))
        return np.asarray(moments if self.spacing % 60 else moments.astype("datetime64[m]"))


def _find_grid(moments: np.ndarray) -> _Grid:
    """Returns the grid that most moments lie on."""
    gaps = np.diff(moments).astype(np.int64)
    months = np.diff(moments.astype("datetime64[M]")).astype(np.int64)
    if np.median(gaps) >= 28 * _DAY and months.min() >= 1:
        return _Grid(moments[0], "month", _most_frequent(months))
    times = (moments - moments.astype("datetime64[D]")).astype(np.int64)
    if np.all(times == times[0]) and np.median(gaps) == _DAY:
        # 1970 began on a Thursday.
        counts = np.bincount((moments.astype("datetime64[D]").astype(np.int64) + 3) % 7, minlength=7)
        week = "".join("1" if count > _RARE * counts.max() else "0" for count in counts)
        if "0" in week:
            on_days = moments[np.is_busday(moments.astype("datetime64[D]"), weekmask=week)]
            return _Grid(on_days[0], "working day", 1, week)
    spacing = _most_frequent(gaps)
    if np.mean(gaps == spacing) < 0.9:  # the clock of an instrument: about every ten minutes
        near = min(_ROUND_STEPS, key=lambda step: abs(np.median(gaps) / step - 1))
        spacing = near if abs(np.median(gaps) / near - 1) < 0.05 else spacing
    return _Grid(moments[0], "second", spacing)


def _most_frequent(numbers: np.ndarray) -> int:
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[counts.argmax()])


def _without_rare_days(table: _Table, grid: _Grid) -> _Table:
    """Returns the rows without those on weekdays on which nothing else is measured."""
    if grid.unit != "working day":
        return table
    kept = np.is_busday(table.moments.astype("datetime64[D]"), weekmask=grid.week)
    if count := int(np.sum(~kept)):
        days = ", ".join(name for name, mark in zip(_WEEKDAYS, grid.week, strict=True) if mark == "1")
        rows = "1 row is" if count == 1 else f"{count} rows are"
        _note(f"{rows} left out, the first of {table.cells[~kept][0]}: the others are on {days}")
    return table.rows(kept)


def _positions(table: _Table, grid: _Grid) -> np.ndarray:
    """Returns the number of each row on the grid."""
    places = grid.places(table.moments)
    positions = np.round(places).astype(np.int64)
    off = np.abs(places - positions)
    is_odd = off > _JITTER
    is_odd[1:] |= np.diff(positions) < 1
    for odd in np.flatnonzero(is_odd)[:1]:
        raise WorkshopError(
            f"{table.path}, line {table.lines[odd]}: {table.cells[odd]} is off the dates before it, which are "
            f"{grid.evenly}: takes dates that are evenly apart"
        )
    if count := int(np.sum(off > 0.01)):
        _note(f"{count} dates are off their place, {grid.evenly}, by up to {off.max():.0%}: each is taken for it")
    return positions
