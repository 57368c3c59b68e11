"""A column of dates as people write them, read in one format for the whole column.

Years, months, quarters, weeks, days and moments; `2024-01-31`, `20240131`, `31.01.2024`, `1/31/24`, `Jan 31, 2024`,
`2024Q1`, `2024-W05`, seconds since 1970; with a zone or without.
"""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

FIRST_YEAR, LAST_YEAR = 1500, 2200  # a bare number outside is no year, unless its column says so
_ENOUGH = 0.8  # of the cells in one format make a column of dates
_SAMPLE, _LONG_SAMPLE = 400, 4000  # cells tell the format of a long column, and the order of day and month

_MONTHS = {
    1: "jan ene gen",
    2: "feb fev fév",
    3: "mar mär mrz",
    4: "apr abr avr",
    5: "may mai mag maj mei",
    6: "jun giu juin",
    7: "jul lug juil",
    8: "aug ago aoû aou",
    9: "sep set",
    10: "oct okt ott out",
    11: "nov",
    12: "dec dez dic déc",
}
_MONTH = {name: month for month, names in _MONTHS.items() for name in names.split()}
_TIME = re.compile(
    r"(\d{1,2})[:.h](\d\d)(?:[:.m](\d\d)s?(?:[.,]\d+)?)?\s*(?:([AaPp])\.?[Mm]\.?)?\s*"
    r"(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?|[A-Z]{3,4})?(?:\[.*\])?"
)
_ISO = re.compile(r"(\d{4})(?:[-/](\d\d?)(?:[-/](\d\d?))?)?[-/]?|(\d{4})\.\s?(\d\d?)\.\s?(\d\d?)\.?")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)?(?:\.0)?")
_PARTS = re.compile(r"(\d\d?)[-/. ]{1,2}(\d\d?)[-/. ]{1,2}(\d{4}|\d\d)")
_MONTH_YEAR = re.compile(r"(\d\d?)[-/ ](\d{4})")
_QUARTER = re.compile(r"(\d{4})[-/. :]{0,3}[QqTt]([1-4])|[QqTt]([1-4])[-/. :]{0,3}(\d{4})")
_NUMBERED_MONTH = re.compile(r"(\d{4})[-/. ]?[Mm](\d\d?)")
_WEEK = re.compile(r"(\d{4})[-/. ]?[Ww](\d\d?)(?:-?(\d))?")
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[., ]+", re.IGNORECASE)
_LETTERS = r"([^\W\d_]{3,12})\.?"
_NAMED = re.compile(rf"(\d\d?)(?:st|nd|rd|th|\.)?[-/. ]*{_LETTERS}[-/., ]*(\d{{4}}|'?\d\d)")
_NAMED_FIRST = re.compile(rf"{_LETTERS}[-/. ]*(\d\d?)(?:st|nd|rd|th)?(?:, ?|[-/. ]+)(\d{{4}})")
_NAMED_MONTH = re.compile(rf"{_LETTERS}[-/., ]*(\d{{4}}|'?\d\d)|(\d{{4}})[-/., ]*{_LETTERS}")
_NUMBER = re.compile(r"(\d+)(?:\.0*)?")
_CHINESE = str.maketrans({"年": "-", "月": "-", "日": " ", "년": "-", "월": "-", "일": " "})


@dataclass(frozen=True)
class Dates:
    """A column read as dates.

    Attributes:
        moments: datetime64[s] as they stand in the cells, NaT where a cell is no date.
        offsets: of their zones to UTC, seconds; NaN where a cell names no zone.
        kind: of the format; "year", "digits" and "unix" are numbers that might as well be something else.
        note: how they were read, where that is not plain.
    """

    moments: np.ndarray
    offsets: np.ndarray
    kind: str
    note: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether the cells can hardly be anything else."""
        return self.kind not in {"year", "digits", "unix"}

    @property
    def share(self) -> float:
        """The share of the cells that are dates."""
        return float(np.mean(~np.isnat(self.moments))) if len(self.moments) else 0.0


def read_dates(cells: Sequence[str], name: str = "") -> Dates | None:
    """Returns a column as dates, or None where it is no column of dates.

    Args:
        cells: stripped of blanks.
        name: of the column; a column named "year" may hold any year.
    """
    kind = _kind(cells, name)
    if kind is None:
        return None
    moments, offsets = np.full(len(cells), "NaT", "datetime64[s]"), np.full(len(cells), np.nan)
    read, note = (_PARSERS[kind], "") if kind != "parts" else _order(cells)
    moment_of = functools.cache(functools.partial(_moment, read=read))  # a day may be in many cells, beside its times
    for i, cell in enumerate(cells):
        moment, offset = moment_of(cell)
        if moment is not None:
            moments[i] = np.datetime64(moment, "s")
            offsets[i] = np.nan if offset is None else offset
    dates = Dates(moments, offsets, kind, note)
    return dates if dates.share >= _ENOUGH else None


def read_times(cells: Sequence[str]) -> np.ndarray | None:
    """Returns a column of times of the day, 14:30, as timedelta64[s], or None where it is none."""
    times = np.full(len(cells), "NaT", "timedelta64[s]")
    for i, cell in enumerate(cells):
        match = _TIME.fullmatch(cell)
        seconds = _seconds(match) if match else None
        if seconds is not None:
            times[i] = np.timedelta64(seconds, "s")
    return times if len(cells) and np.mean(~np.isnat(times)) >= _ENOUGH else None


def month_number(text: str) -> int | None:
    """Returns the number of a month by its name in English, or in a language whose names begin alike; else None."""
    text = text.strip(" .").lower()
    return _MONTH.get(text[:4]) or _MONTH.get(text[:3]) if text[:1].isalpha() and len(text) <= 12 else None


# --- Formats ----------------------------------------------------------------------------------------------------------


def _kind(cells: Sequence[str], name: str) -> str | None:
    """Returns the format that fits most cells of a column, or None."""
    step = max(1, len(cells) // _SAMPLE)
    sample = [cell for cell in cells[::step] if cell]
    best, most = None, 0
    for kind, read in _PARSERS.items():
        fitting = sum(_moment(cell, read)[0] is not None for cell in sample)
        # Days and months may stand in either order.
        if kind == "parts":
            fitting = max(fitting, sum(_moment(cell, _month_first)[0] is not None for cell in sample))
        if fitting > most:
            best, most = kind, fitting
    if best is None or most < _ENOUGH * max(1, len(sample)):
        return None
    if best == "iso" and all(len(cell) <= 4 for cell in sample):
        best = "year"
    if best in {"year", "digits"} and not re.search(r"(?i)year|jahr|a[nñ]o|ann|date|datum|time", name):
        inside = [FIRST_YEAR <= int(cell[:4]) <= LAST_YEAR for cell in sample if cell[:4].isdigit()]
        if sum(inside) < _ENOUGH * len(sample):
            return None
    return best


def _moment(
    cell: str, read: Callable[[str], tuple[int, int, int] | datetime | None]
) -> tuple[datetime | None, int | None]:
    """Returns a cell as a moment, and its zone's offset in seconds; None for each that it has not."""
    cell = _WEEKDAY.sub("", cell.translate(_CHINESE).strip(), count=1) if cell[:1].isalpha() else cell
    cell = cell.translate(_CHINESE).strip() if not cell.isascii() else cell
    day, seconds, offset = cell, 0, None
    parts = re.match(r"(.*?\d)(?:[T,]\s*|\s+(?:at )?|:)(\d{1,2}[:.h]\d\d.*)", cell)
    if parts and (match := _TIME.fullmatch(parts[2])):
        day = parts[1]
        time = _seconds(match)
        if time is None:
            return None, None
        seconds, offset = time, _offset(match[5])
    try:
        value = read(day)
        if value is None:
            return None, None
        moment = value if isinstance(value, datetime) else datetime(*value)
        return moment + timedelta(seconds=seconds), offset
    except (ValueError, OverflowError):  # the 30th of February
        return None, None


def _seconds(match: re.Match[str]) -> int | None:
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if match[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (match[4] in "Pp")
    if hour > 24 or minute > 59 or second > 60:
        return None
    return 3600 * hour + 60 * minute + second


def _offset(zone: str | None) -> int | None:
    if zone in {"Z", "UTC", "GMT"}:
        return 0
    if zone is None or zone[0] not in "+-":
        return None
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (3600 * int(digits[:2]) + 60 * int(digits[2:]))


def _year(text: str) -> int:
    """Returns a year of four digits, or one of two: up to 68 of this century, as Python reads them."""
    year = int(text.strip("'"))
    return year if len(text.strip("'")) == 4 else year + (2000 if year < 69 else 1900)


def _iso(text: str) -> tuple[int, int, int] | None:
    match = _ISO.fullmatch(text)
    if not match:
        return None
    year, month, day = match.group(4, 5, 6) if match[4] else match.group(1, 2, 3)
    return int(year), int(month or 1), int(day or 1)


def _digits(text: str) -> tuple[int, int, int] | None:
    match = _COMPACT.fullmatch(text)
    return (int(match[1]), int(match[2]), int(match[3] or 1)) if match else None


def _day_first(text: str) -> tuple[int, int, int] | None:
    match = _PARTS.fullmatch(text)
    return (_year(match[3]), int(match[2]), int(match[1])) if match else None


def _month_first(text: str) -> tuple[int, int, int] | None:
    match = _PARTS.fullmatch(text)
    return (_year(match[3]), int(match[1]), int(match[2])) if match else None


def _month_year(text: str) -> tuple[int, int, int] | None:
    match = _MONTH_YEAR.fullmatch(text)
    return (int(match[2]), int(match[1]), 1) if match else None


def _quarter(text: str) -> tuple[int, int, int] | None:
    if match := _QUARTER.fullmatch(text):
        return int(match[1] or match[4]), 3 * int(match[2] or match[3]) - 2, 1
    match = _NUMBERED_MONTH.fullmatch(text)
    return (int(match[1]), int(match[2]), 1) if match else None


def _week(text: str) -> tuple[int, int, int] | None:
    match = _WEEK.fullmatch(text)
    if not match:
        return None
    day = date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
    return day.year, day.month, day.day


def _named(text: str) -> tuple[int, int, int] | None:
    if match := _NAMED.fullmatch(text):
        day, name, year = match[1], match[2], match[3]
    elif match := _NAMED_FIRST.fullmatch(text):
        name, day, year = match[1], match[2], match[3]
    elif match := _NAMED_MONTH.fullmatch(text):
        day, name, year = "1", match[1] or match[4], match[2] or match[3]
    else:
        return None
    month = month_number(name)
    return (_year(year), month, int(day)) if month else None


def _unix(text: str) -> datetime | None:
    """Returns seconds since 1970 as a moment, or thousandths, millionths, milliardths of a second."""
    match = _NUMBER.fullmatch(text)
    if not match or len(match[1]) < 9:
        return None
    number = int(match[1])
    while number >= 5e9:
        number //= 1000
        if number < 1e8:
            return None
    return datetime(1970, 1, 1) + timedelta(seconds=number)


# In the order in which they are tried: of two that fit as many cells the first counts.
_PARSERS: dict[str, Callable[[str], Any]] = {
    "iso": _iso,
    "digits": _digits,
    "parts": _day_first,
    "month and year": _month_year,
    "quarter": _quarter,
    "week": _week,
    "named": _named,
    "unix": _unix,
}
_PARSERS["year"] = _iso


def _order(cells: Sequence[str]) -> tuple[Callable[[str], tuple[int, int, int] | None], str]:
    """Returns the reader of dates such as 04/01/2021, the day first or the month first, and a note of which it is.

    A number above 12 decides. Where there is none, as on the first of each month, the order whose dates are more evenly
    apart does.
    """
    cells = cells[:: max(1, len(cells) // _LONG_SAMPLE)]
    orders = {"day, month, year": _day_first, "month, day, year": _month_first}
    scores = {}
    for title, read in orders.items():
        moments = [moment for cell in cells if (moment := _moment(cell, read)[0]) is not None]
        days = np.array(moments or [datetime(1970, 1, 1)], "datetime64[D]")
        steps = np.diff(days).astype(np.int64)
        months = np.diff(days.astype("datetime64[M]")).astype(np.int64)
        upward = max(np.mean(steps >= 0), np.mean(steps <= 0)) if len(steps) else 0.0
        scores[title] = (len(moments), upward, max(_most_frequent(steps), _most_frequent(months[months != 0])))
    title = max(scores, key=lambda title: scores[title])
    read = orders[title]
    other = orders[min(scores, key=lambda title: scores[title])]
    readable = [cell for cell in cells if _moment(cell, read)[0]]
    example = next((cell for cell in readable if not _moment(cell, other)[0]), readable[0] if readable else "")
    shown = f": {example} is {_moment(example, read)[0]:%Y-%m-%d}" if readable else ""
    return read, f"the dates are read as {title}{shown}"


def _most_frequent(steps: np.ndarray) -> int:
    return int(np.unique(steps, return_counts=True)[1].max()) if len(steps) else 0
