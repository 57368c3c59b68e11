"""The rows of a table and the names of its columns, without titles, totals and footnotes around them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workshop.kit.data.dates import read_dates
from workshop.kit.data.table.numerals import is_missing, looks_like_a_number
from workshop.kit.data.table.splitting import BLANKS, Cells
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

_SAMPLE = 300  # rows tell a header line from a row
_MAX_BAD = 0.02  # of the rows: with a wrong number of cells
_ENOUGH_ROWS = 20  # to leave out one of them
_TOTALS = re.compile(
    r"(grand |sub-?)?totals?( general)?|sum|average|mean|summe|gesamt|insgesamt|durchschnitt|mittelwert|promedio|media"
    r"|suma|totale|totaal|moyenne|somme|итого|всего|合計|合计|总计|平均|합계",
    re.IGNORECASE,
)
_NAMELESS = re.compile(r"(unnamed: ?\d+(\.\d+|_level_\d+)?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """A table of texts.

    Attributes:
        names: of the columns, all different.
        rows: each with a cell for every column.
        lines: for each row the number of its line.
        notes: what is not plain, a sentence each.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...]


def short(text: str) -> str:
    """Returns a cell or a name, cut for a message: a file that is no table has cells of any length."""
    return text if len(text) <= 40 else f"{text[:40]}..."


def listed(names: Sequence[str], most: int = 10) -> str:
    """Returns some names for a message."""
    shown = ", ".join(short(name) for name in names[:most])
    return f"{shown}, ..." if len(names) > most else shown


def arrange(cells: Cells, path: FilePath) -> Layout:
    """Finds the names and the rows among the cells of a file.

    Raises:
        WorkshopError: there is one column only, or rows have other numbers of cells than there are names.
    """
    notes: list[str] = []
    rows, lines = _without_comments(cells, notes)
    width = Counter(map(_width, rows)).most_common(1)[0][0]
    longest = max(map(_width, rows))
    if longest < 2:
        raise WorkshopError(
            f"{path}, line {lines[0]}: has one column ({short(rows[0][0])}), takes features, then the target"
        )
    if width < 2:
        width = Counter(_width(row) for row in rows if _width(row) > 1).most_common(1)[0][0]
    first = next(i for i, row in enumerate(rows) if _fills(row, width))
    if _is_size(rows[first], len(rows) - first - 1, width):
        first += 1
    names = None
    if is_header(rows[first], rows[first + 1 :], width):
        names = rows[first]
    elif first and _width(rows[first - 1]) > 1 and not _is_size(rows[first - 1], len(rows) - first, width):
        names = _names_above(rows, lines, first, width, path)
        first -= 1
    if first:
        notes.append(f"{line_numbers(lines[:first])} above the table {_is_are(first)} left out")
    if names is None:
        body, numbers = rows[first:], lines[first:]
        notes.append(f"line {lines[first]} ({listed(rows[first], 4)}) is taken for a row, not for names of columns")
        names = [*(f"x{i + 1}" for i in range(width - 1)), "target"]
    else:
        names = names[: max(width, _width(names))]
        body, numbers = rows[first + 1 :], lines[first + 1 :]
        if all(looks_like_a_number(name) for name in names if name):
            notes.append(f"line {lines[first]} ({listed(names, 4)}) is taken for the names of the columns")
    body, numbers = _fit(body, numbers, names, path, lines[first], notes)
    body, numbers = _without_repeated(body, numbers, names, notes)
    body, numbers = _without_units_and_totals(body, numbers, notes)
    return _name_columns(names, body, numbers, notes)


def _is_size(row: Sequence[str], rows: int, width: int) -> bool:
    """Returns whether a line is the first of scikit-learn's and TensorFlow's tables: 150, 4, setosa, ...

    It has the number of rows, that of features, and the names of the classes.
    """
    return rows > 1 and len(row) > 2 and row[0] == str(rows) and row[1] == str(width - 1)


def _width(row: Sequence[str]) -> int:
    """Returns the number of cells without blank ones at the end, as a trailing separator makes one."""
    width = len(row)
    while width and not row[width - 1]:
        width -= 1
    return width


def _fills(row: Sequence[str], width: int) -> bool:
    """Returns whether a row is as wide as the table, as the names and the rows are, and titles are not."""
    if _width(row) >= width:
        return True
    return len(row) >= width and sum(map(bool, row)) >= max(2, width / 2)


def _is_are(count: int) -> str:
    return "is" if count == 1 else "are"


def line_numbers(lines: Sequence[int]) -> str:
    """Returns "line 7", or "lines 7, 9, 12, ... (31)"."""
    if len(lines) == 1:
        return f"line {lines[0]}"
    shown = ", ".join(map(str, lines[:3]))
    return f"lines {shown}" if len(lines) <= 3 else f"lines {shown}, ... ({len(lines)} in all)"


def _without_comments(cells: Cells, notes: list[str]) -> tuple[list[list[str]], list[int]]:
    """Returns the rows without lines that begin with # and are no row of the table."""
    marked = [i for i, row in enumerate(cells.rows) if row[0].startswith("#")]
    if not marked:
        return cells.rows, cells.lines
    others = [_width(row) for i, row in enumerate(cells.rows) if i not in set(marked)]
    width = Counter(others).most_common(1)[0][0] if others else 0
    rows: list[list[str]] = []
    lines, left_out = [], []
    for line, row in zip(cells.lines, cells.rows, strict=True):
        kept = row
        if row[0].startswith("#"):
            if cells.separator == BLANKS and row[0] == "#" and len(row) == width + 1:
                kept = row[1:]
            elif others and _width(row) != width:
                left_out.append(line)
                continue
            elif not rows and len(row[0]) > 1:
                kept = [row[0].lstrip("# "), *row[1:]]
        rows.append(kept)
        lines.append(line)
    if left_out:
        notes.append(f"{line_numbers(left_out)}: comments are left out")
    return rows, lines


def is_header(row: Sequence[str], below: Sequence[Sequence[str]], width: int) -> bool:
    """Returns whether a row is that of the names, by what stands below it.

    A text above numbers is a name. A text that stands in its own column below is none. Numbers are names only where
    they count, 0, 1, 2, or are years.
    """
    sample = [other for other in below[:_SAMPLE] if list(other) != list(row)]
    if not sample:
        return not any(looks_like_a_number(cell) for cell in row)
    counts = _counts(row, sample)
    for_names, against = 0, 0
    for i, cell in enumerate(row[:width]):
        column = [other[i] for other in sample if i < len(other) and not is_missing(other[i])]
        if not column or is_missing(cell):
            continue
        are_numbers = sum(map(looks_like_a_number, column)) >= 0.9 * len(column) and cell not in column
        if looks_like_a_number(cell):
            against += not counts
        elif are_numbers or _are_dates(cell, column):
            return True
        elif cell in column:
            against += 1
        elif len(set(column)) <= len(column) / 3:
            for_names += 1  # a column of a few texts, of which it is none
    if counts:
        return for_names >= against
    if any(looks_like_a_number(cell) for cell in row):
        return False
    return against <= for_names


def _are_dates(cell: str, column: Sequence[str]) -> bool:
    """Returns whether dates stand under a cell that is none."""
    some = column[:30]
    digits = sum(any(letter.isdigit() for letter in text) for text in some)
    if digits < len(some) or any(letter.isdigit() for letter in cell) or len(some) < 2:
        return False
    return read_dates(some) is not None


def _counts(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Returns whether the numbers of a row are the names that programs make up, 0, 1, 2, or years."""
    numbers = [(i, int(cell)) for i, cell in enumerate(row) if cell.isdecimal() and cell.isascii()]
    if not numbers or any(looks_like_a_number(cell) and not cell.isdecimal() for cell in row):
        return False
    if len(set(row)) < len(row):
        return False
    offsets = {number - i for i, number in numbers}
    are_years = all(1900 <= number <= 2100 for _, number in numbers)
    if not (offsets <= {0} or offsets <= {1} or (are_years and len(offsets) == 1)):
        return False
    if len(numbers) == len(row) == 2 and len(below[0]) == 2:
        # 0,1 above 1,3 is the first of two columns' points.
        return not (below[0][0].isdecimal() and int(below[0][0]) == numbers[0][1] + 1)
    # Below years stand values, not other years.
    return not (are_years and all(cell.isdecimal() and 1900 <= int(cell) <= 2100 for cell in below[0]))


def _names_above(
    rows: Sequence[Sequence[str]], lines: Sequence[int], first: int, width: int, path: FilePath
) -> list[str]:
    """Returns the names from a line that has one cell less than the rows, as R writes a table with its row names."""
    above, column = rows[first - 1], [row[0] for row in rows[first:] if row]
    are_names = column[0] and len(set(column)) == len(column)
    are_names = are_names and (_is_sequence(column) or not any(map(looks_like_a_number, column)))
    if _width(above) == width - 1 and are_names and not any(map(looks_like_a_number, above)):
        return ["", *above[: width - 1]]
    raise WorkshopError(
        f"{path}, line {lines[first]}: has {_width(rows[first])} cells, the header line has {_width(above)}"
    )


def _is_sequence(column: Sequence[str]) -> bool:
    """Returns whether cells are 0, 1, 2, ... or 1, 2, 3, ..."""
    if not all(cell.isdecimal() for cell in column):
        return False
    numbers = [int(cell) for cell in column]
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _fit(
    rows: Sequence[list[str]],
    lines: Sequence[int],
    names: Sequence[str],
    path: FilePath,
    header_line: int,
    notes: list[str],
) -> tuple[list[list[str]], list[int]]:
    """Returns the rows with a cell for each name; leaves out footnotes, and few rows of other lengths.

    Raises:
        WorkshopError: many rows have another number of cells.
    """
    width = len(names)
    end = len(rows)
    while end and width > 2 and sum(map(bool, rows[end - 1])) == 1 and _width(rows[end - 1]) == 1:
        end -= 1
    if end and end < len(rows):
        notes.append(f"{line_numbers(lines[end:])} below the table {_is_are(len(rows) - end)} left out")
    fitting, numbers, bad = [], [], []
    for line, row in zip(lines[:end], rows[:end], strict=True):
        if len(row) < width or _width(row) > width:
            bad.append((line, max(_width(row), min(len(row), width))))
            continue
        fitting.append(row[:width])
        numbers.append(line)
    if any(len(row) > width for row in rows[:end]) and not bad:
        notes.append("a separator ends the lines")
    if bad and (end < _ENOUGH_ROWS or len(bad) > max(1, _MAX_BAD * end)):
        line, count = bad[0]
        raise WorkshopError(f"{path}, line {line}: has {count} cells, the header line has {width}")
    if bad:
        notes.append(
            f"{line_numbers([line for line, _ in bad])} with another number of cells {_is_are(len(bad))} left out"
        )
    return fitting, numbers


def _without_repeated(
    rows: list[list[str]], lines: list[int], names: Sequence[str], notes: list[str]
) -> tuple[list[list[str]], list[int]]:
    """Returns the rows without the names, which stand once more among them where files were joined."""
    header = list(names)
    repeated = [line for line, row in zip(lines, rows, strict=True) if row == header]
    if not repeated:
        return rows, lines
    notes.append(f"{line_numbers(repeated)}: the names of the columns once more, left out")
    kept = [(line, row) for line, row in zip(lines, rows, strict=True) if row != header]
    return [row for _, row in kept], [line for line, _ in kept]


def _without_units_and_totals(
    rows: list[list[str]], lines: list[int], notes: list[str]
) -> tuple[list[list[str]], list[int]]:
    """Returns the rows without a line of units under the names, without totals, and without rows of missing cells."""
    if not rows:
        return rows, lines
    sample = rows[3:_SAMPLE]
    numeric = []
    for i in range(len(rows[0])):
        column = [row[i] for row in sample if not is_missing(row[i])]
        if len(column) >= 5 and sum(map(looks_like_a_number, column)) >= 0.9 * len(column):
            numeric.append(i)
    left_out: dict[str, list[int]] = {"units": [], "totals": [], "missing": []}
    start = 0
    while numeric and start < min(3, len(rows)) and len(rows) > 8:
        row = rows[start]
        if any(looks_like_a_number(row[i]) for i in numeric) or all(is_missing(row[i]) for i in numeric):
            break
        start += 1
    # A half empty line after such a one belongs to it, as below the names that yfinance writes.
    while start and numeric and start < min(3, len(rows)) and all(is_missing(rows[start][i]) for i in numeric):
        start += 1
    left_out["units"] = lines[:start]
    counts = [Counter(row[i].lower() for row in rows if _TOTALS.fullmatch(row[i])) for i in range(len(rows[0]))]
    kept = []
    for line, row in zip(lines[start:], rows[start:], strict=True):
        at = next((i for i, cell in enumerate(row) if cell), 0)
        is_total = _TOTALS.fullmatch(row[at]) and counts[at][row[at].lower()] <= max(1, 0.02 * len(rows))
        if is_total and (line in lines[-3:] or row[at].lower().endswith("total")):
            left_out["totals"].append(line)
        elif all(is_missing(cell) for cell in row):
            left_out["missing"].append(line)
        else:
            kept.append((line, row))
    for what, text in (
        ("units", "no numbers but more names or units"),
        ("totals", "totals"),
        ("missing", "every cell is missing"),
    ):
        if left_out[what]:
            notes.append(f"{line_numbers(left_out[what])} {_is_are(len(left_out[what]))} left out: {text}")
    return [row for _, row in kept], [line for line, _ in kept]


def _name_columns(names: Sequence[str], rows: list[list[str]], lines: list[int], notes: list[str]) -> Layout:
    """Gives every column a name of its own, and leaves out columns without a name: blank ones, and an index."""
    kept, own, made_up, blank = [], [], [], 0
    for i, name in enumerate(names):
        column = [row[i] for row in rows]
        if not _NAMELESS.fullmatch(name):
            kept.append(i)
            own.append(name)
            continue
        if not any(column):
            blank += 1
            continue
        given = name or f"column {i + 1}"
        are_dates = not all(cell.isdecimal() for cell in column[:200]) and read_dates(column[:200]) is not None
        if i == 0 and are_dates:
            given = "date"
        elif len(names) > 1 and (_is_sequence(column) or (i == 0 and len(set(column)) == len(column))):
            which = "the first column" if i == 0 else f"column {i + 1}"
            notes.append(f"{which} has no name: it is taken for an index and left out ({short(column[0])}, ...)")
            continue
        if not name or given == "date":
            made_up.append(given)
        kept.append(i)
        own.append(given)
    if blank:
        is_last = blank == 1 and not names[-1]
        notes.append("a separator ends the lines" if is_last else "columns without a name and a cell are left out")
    if made_up:
        notes.append(f"columns without a name are called {listed(made_up)}")
    unique: dict[str, None] = {}
    for name in own:
        number, new = 0, name
        while new in unique:
            number += 1
            new = f"{name}.{number}"
        if number:
            notes.append(f"two columns are named {short(name)}: the later one is called {short(new)}")
        unique[new] = None
    return Layout(tuple(unique), tuple(tuple(row[i] for i in kept) for row in rows), tuple(lines), tuple(notes))
