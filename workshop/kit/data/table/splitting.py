"""The cells of a text: what separates them, and their quotation marks.

Python's csv module splits the lines, because it counts them: errors name the line of a cell.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

# Of two that split all lines alike the first is taken: a file of semicolons may have commas in every number.
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
BLANKS = " "  # stands for one blank or more
_SAMPLE = 400  # lines tell what separates the cells
_MAX_LINES_OF_A_CELL = 20  # more are a quotation mark that nobody closed
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'(?=\s|$)|\S+")


@dataclass(frozen=True)
class Cells:
    """The cells of a text.

    Attributes:
        rows: without lines that are blank; each cell is printable and without blanks around it.
        lines: for each row the number of its line.
        separator: what separates the cells.
        notes: what is not plain, a sentence each.
    """

    rows: list[list[str]]
    lines: list[int]
    separator: str
    notes: tuple[str, ...]


def split(text: str, path: FilePath) -> Cells:
    """Splits a text into cells.

    Raises:
        WorkshopError: a quotation mark is never closed, or there is no cell.
    """
    notes, skipped = [], 0
    named = re.match(r"\s*\"?sep=(.)\"?[;,\t|]*[ \t]*(?:\r\n|\r|\n)", text, re.IGNORECASE)
    if named:
        skipped = named[0].replace("\r\n", "\n").replace("\r", "\n").count("\n")
        text = text[named.end() :]
    sample = _first_lines(text)
    separator = named[1] if named and named[1] in SEPARATORS else _find_separator(sample)
    quote = "'" if _has_single_quotes(sample, separator) else '"'
    rows, lines = [], []
    for line, row in _rows(text, separator, quote, path, skipped):
        cells = [clean(cell) for cell in row]
        if any(cells):
            rows.append(cells)
            lines.append(line)
    if not rows:
        raise WorkshopError(f"{path} is empty: takes a header line, then rows with the target in the last column")
    rows, unwrapped = _unwrap(rows)
    separator = unwrapped or separator
    if separator != ",":
        notes.append(f"the cells are separated by {SEPARATORS.get(separator, 'blanks')}")
    if quote == "'":
        notes.append("the cells are in single quotation marks")
    if unwrapped:
        notes.append("whole lines are in quotation marks: they are split into cells")
    return Cells(rows, lines, separator, tuple(notes))


def clean(text: str) -> str:
    """Returns a cell without blanks around it, with plain blanks in it and nothing that cannot be printed."""
    if text.isprintable():
        return text.strip()
    return "".join(character for character in " ".join(text.split()) if character.isprintable()).strip()


def _first_lines(text: str) -> list[str]:
    lines = (line for line in io.StringIO(text, newline="") if line.strip())
    return [line for line, _ in zip(lines, range(_SAMPLE), strict=False)]


def _parse(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        return [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def _consistency(widths: Sequence[int]) -> float:
    """Returns the share of lines with the most frequent number of cells; 0 where that is one cell."""
    if not widths:
        return 0.0
    width, count = Counter(widths).most_common(1)[0]
    if width < 2:
        return 0.0
    # What does not split the first line, that of the names, most likely stands within the numbers.
    return count / len(widths) * (0.5 if widths[0] < 2 else 1.0)


def _find_separator(sample: Sequence[str]) -> str:
    """Returns what splits most lines into the same number of cells; a comma where nothing does."""
    scores = {}
    for separator in SEPARATORS:
        scores[separator] = _consistency([len(row) for row in _parse(sample, separator)])
    best = max(scores, key=lambda separator: round(scores[separator], 2))
    widths = [len(_TOKEN.findall(line)) for line in sample]
    by_blanks = _consistency(widths)
    if scores[best] < 0.5 and by_blanks >= 0.9:
        return BLANKS
    # UCI's auto-mpg has a tab before its last column, and rows of blanks before the others.
    if (
        best == "\t"
        and by_blanks >= 0.95
        and all("  " in line for line in sample)
        and widths[0] > sample[0].count("\t") + 1
    ):
        return BLANKS
    return best if scores[best] else ","


def _has_single_quotes(sample: Sequence[str], separator: str) -> bool:
    """Returns whether a good part of the cells stands in single quotation marks."""
    if separator == BLANKS or not any("'" in line for line in sample):
        return False
    cells = [cell.strip() for row in _parse(sample, separator) for cell in row]
    quoted = sum(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in cells)
    return quoted > 0.1 * len(cells)


def _rows(text: str, separator: str, quote: str, path: FilePath, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of each line and its cells."""
    if separator == BLANKS:
        for line, content in enumerate(io.StringIO(text, newline=None), start=skipped + 1):
            tokens = _TOKEN.findall(content)
            yield line, [token[1:-1] if token[:1] in "\"'" and token[-1:] == token[:1] else token for token in tokens]
        return
    # Strictly first: a quotation mark within a cell that begins with one is an error there, and a guess otherwise.
    for strict in (True, False):
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=separator, quotechar=quote, skipinitialspace=True, strict=strict
        )
        rows, last = [], 0
        try:
            for row in reader:
                if reader.line_num - last > _MAX_LINES_OF_A_CELL:
                    raise WorkshopError(
                        f"{path}, line {last + skipped + 1}: is not CSV (a quotation mark is closed only in line "
                        f"{reader.line_num + skipped}): close it or leave it out"
                    )
                last = reader.line_num
                rows.append((last + skipped, row))
        except csv.Error as error:
            if strict and "expected after" in str(error):
                continue
            is_open = "unexpected end of data" in str(error)
            reason = "a quotation mark is never closed" if is_open else str(error)
            raise WorkshopError(f"{path}, line {last + skipped + 1}: is not CSV ({reason})") from error
        yield from rows
        return


def _unwrap(rows: list[list[str]]) -> tuple[list[list[str]], str]:
    """Returns the cells of rows that are one cell each, which holds a whole line, and what separates those cells."""
    alone = [row[0] for row in rows if len(row) == 1 or not any(row[1:])]
    if len(alone) < len(rows):
        return rows, ""
    separator = _find_separator(alone)
    widths = Counter(len(row) for row in _parse(alone, separator)) if separator != BLANKS else Counter()
    if not widths or widths.most_common(1)[0][0] < 2 or widths.most_common(1)[0][1] < 0.9 * len(alone):
        return rows, ""
    parsed = [[clean(cell) for cell in row] for row in csv.reader(alone, delimiter=separator, skipinitialspace=True)]
    return (parsed, separator) if len(parsed) == len(rows) else (rows, "")
