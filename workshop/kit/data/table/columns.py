"""The columns of a table: what each holds, and whether a model is told anything by it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workshop.kit.data.dates import read_dates, read_times
from workshop.kit.data.table import numerals
from workshop.kit.data.table.layout import short

MAX_TEXTS = 1000  # of a column: as many columns of 0 and 1
DAYS = "days since 1970-01-01"
_ENOUGH = 0.95  # of the cells make a column one of dates or of times
_GLANCE = 200
_DAY = 86_400  # seconds
_NAMES_OF_IDENTIFIERS = (
    "id ids uid uuid guid index idx no nr num number serial serialnumber sno srno slno rownumber rownames rowid row "
    "rowno key folio 编号 序号 番号"
)
_IDENTIFIERS = frozenset(_NAMES_OF_IDENTIFIERS.split())
_LAST_WORDS = {"id", "ids", "uid", "uuid", "guid", "no", "nr"}
_FIRST_WORDS = {"id", "serial"}


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table.

    Attributes:
        name: its name.
        kind: "number", "date", "time", "text", or "empty" where every cell is missing.
        values: float64 (rows,), NaN where a cell is missing: numbers, days since 1970, hours; of texts all NaN.
        texts: its cells (rows,).
        missing: where no value is given, (rows,).
        odd: the indices of cells that are none of their kind; they are missing, too.
        unit: the unit or currency of its cells.
        notes: how it was read, where that is not plain.
    """

    name: str
    kind: str
    values: np.ndarray
    texts: np.ndarray
    missing: np.ndarray
    odd: np.ndarray
    unit: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether it is, or has been made, one of numbers."""
        return self.kind in ("number", "date", "time")

    @property
    def present(self) -> np.ndarray:
        """The values that are there: numbers, or texts."""
        return self.values[~np.isnan(self.values)] if self.is_numeric else self.texts[~self.missing]


def read_columns(names: Sequence[str], rows: Sequence[Sequence[str]], separator: str, sign: str) -> list[Column]:
    """Returns the columns of a table of texts.

    Args:
        names: of the columns.
        rows: of cells.
        separator: what separates the cells of the file.
        sign: the decimal sign of the file's numbers, or nothing where it is not known.
    """
    cells = [[row[i] for row in rows] for i in range(len(names))]
    missing = [np.array([numerals.is_missing(cell) for cell in column], bool) for column in cells]
    return [
        _read_column(name, column, holes, separator, sign)
        for name, column, holes in zip(names, cells, missing, strict=True)
    ]


def _read_column(name: str, cells: Sequence[str], missing: np.ndarray, separator: str, sign: str) -> Column:
    texts = np.array(cells, dtype=object)
    unknown, none = np.full(len(cells), np.nan), np.array([], int)
    present = np.flatnonzero(~missing)
    if not len(present):
        return Column(name, "empty", unknown, texts, missing, none)
    numbers = numerals.read(cells, missing, separator, sign)
    glance = [cells[i] for i in present[:: max(1, len(present) // _GLANCE)]]
    if numbers is not None:
        # 20240131 is a day; the other numbers that a date could be are numbers, too.
        is_day = all(len(cell) == 8 and cell.isdecimal() for cell in glance)
        if not is_day or len(numbers.odd) or read_dates(glance, name) is None:
            holes = missing.copy()
            holes[numbers.odd] = True
            return Column(name, "number", numbers.values, texts, holes, numbers.odd, numbers.unit, numbers.notes)
    return _read_moments(name, texts, missing, glance) or Column(name, "text", unknown, texts, missing, none)


def _read_moments(name: str, texts: np.ndarray, missing: np.ndarray, glance: Sequence[str]) -> Column | None:
    """Returns a column of dates or of times of the day; None where it is neither."""
    if sum(any(letter.isdigit() for letter in cell) for cell in glance) < _ENOUGH * len(glance):
        return None
    present = np.flatnonzero(~missing)
    values = np.full(len(texts), np.nan)
    cells = [texts[i] for i in present]
    if read_dates(glance, name) is not None:
        dates = read_dates(cells, name)
        if dates is None or dates.share < _ENOUGH or dates.kind in ("year", "unix"):
            return None
        are_known = ~np.isnat(dates.moments)
        values[present[are_known]] = dates.moments[are_known].astype(np.int64) / _DAY
        example = cells[int(np.flatnonzero(are_known)[0])]
        day = str(dates.moments[are_known][0].astype("datetime64[D]"))
        kind, unit = "date", DAYS
        note = f"the dates are turned into {DAYS}" + (f"; {short(example)} is {day}" if example != day else "")
    elif read_times(glance) is not None:
        times = read_times(cells)
        if times is None:
            return None
        are_known = ~np.isnat(times)
        values[present[are_known]] = times[are_known].astype(np.int64) / 3600
        kind, unit = "time", "hours"
        note = "the times of the day are turned into hours"
    else:
        return None
    if np.mean(are_known) < _ENOUGH:
        return None
    holes, odd = missing.copy(), present[~are_known]
    holes[odd] = True
    return Column(name, kind, values, texts, holes, odd, unit, (note,))


def tells_nothing(column: Column) -> str:
    """Returns why a column tells a model nothing, in words that follow its name; nothing where it may."""
    present = column.present
    if not len(present):
        return "every cell is missing"
    different = len(np.unique(present)) if column.is_numeric else len(set(present))
    if different == 1 and (column.is_numeric or not column.missing.any()):
        return f"it is {short(str(column.texts[np.flatnonzero(~column.missing)[0]]))} in all rows"
    if is_identifier(column):
        return f"it is an identifier, {different} different values in {len(present)} rows"
    if column.is_numeric:
        return ""
    if different > len(present) / 2:
        return f"{different} different texts in {len(present)} rows tell nothing"
    if different > MAX_TEXTS:
        return f"{different} different texts are too many columns of 0 and 1"
    return ""


def is_identifier(column: Column) -> bool:
    """Returns whether a column only counts the rows or names them: by its name, and because most are different."""
    present = column.present
    if column.kind not in ("number", "text") or len(present) < 2:
        return False
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", column.name)
    words = [word for word in re.split(r"[\W_]+", spaced.lower()) if word]
    is_named = column.name == "#" or "".join(words) in _IDENTIFIERS
    if words and not is_named:
        is_named = words[-1] in _LAST_WORDS or words[0] in _FIRST_WORDS
    if not is_named or column.unit:
        return False
    if column.is_numeric and np.any(present != np.round(present)):
        return False
    # Some rows may stand there twice.
    return len(set(present.tolist())) > len(present) / 2


def frequent_words(column: Column, words: frozenset[str], at_least: int) -> list[str]:
    """Returns those of `words` that at least so many cells of a column are, as they stand there."""
    counts = Counter(str(cell) for cell in column.texts)
    return [text for text, count in counts.items() if text.lower() in words and count >= at_least]
