"""Text files of cells, as spreadsheets, instruments and offices export them, and their numbers."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workshop.kit.data.dates import month_number
from workshop.kit.errors import WorkshopError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MAX_FILE_SIZE = 300_000_000  # bytes
_SAMPLE = 200  # lines tell what separates the cells
_MISSING = {"", "na", "n/a", "#n/a", "#na", "nan", "nat", "null", "none", "nil", "nd", "<na>", "(null)", "missing"}
_SIGNS = re.compile(r"[?*.\u2013\u2014-]+|#\w+[!?]")  # "-", "...", "***", "#DIV/0!"
_CURRENCY = r"(?:US\$|R\$|[$€£¥₹₽₩₺]|USD|EUR|GBP|CHF|JPY|CNY|INR|Rs\.?|kr\.?)"
_UNIT = r"[^\W\d_]{1,8}[23²³]?(?:/[^\W\d_]{1,8}[23²³]?)?|[%‰]|°\s?\w?"
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-])?\s*{_CURRENCY}?\s*(?P<inner>[+-])?"
    rf"(?P<body>\d[\d\s'\u2019.,]*(?:[eE][+-]?\d{{1,3}})?|[.,]\d+)\s*(?P<unit>{_CURRENCY}|{_UNIT})?(?P<close>\))?"
)
_BLANKS = re.compile(r"(\d{1,3}(?:[\s'\u2019]\d{3})+)((?:[.,]\d+)?)")  # between thousands
_FACTORS = {"K": 1e3, "k": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9}
_MAX_UNITS = 3  # of a column of numbers; names such as 12A, 7C and 9F have more
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


@dataclass(frozen=True)
class Cells:
    """The rows of a text file, as texts without blanks around them.

    Attributes:
        rows: as long as the file has them; lines without a cell are left out.
        lines: their numbers in the file.
        delimiter: what separates the cells.
        notes: a sentence for each thing that is not plain.
    """

    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    notes: list[str]

    def decimal_sign(self) -> str | None:
        """Returns the decimal sign that the cells show beyond doubt, or None: 1,5 shows one, and 1,500 none."""
        step = max(1, len(self.rows) // _SAMPLE)
        sample = [cell for row in self.rows[::step] for cell in row]
        signs = {match[1] for cell in sample if (match := re.fullmatch(r"[+-]?\d+([.,])(?:\d{1,2}|\d{4,})", cell))}
        return signs.pop() if len(signs) == 1 else None


def decode(path: Path, content: bytes) -> tuple[str, str]:
    """Returns a text, and a sentence where it is no UTF-8: of UTF-16 with its mark, or of Windows' Western Europe.

    Raises:
        WorkshopError: it is no text.
    """
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            try:
                return content[2:].decode(encoding), "the file is read as UTF-16"
            except UnicodeDecodeError as error:
                raise WorkshopError(f"{path} is truncated or no text ({error.reason}): save it as UTF-8") from error
    if b"\0" in content:
        is_workbook = content.startswith(b"PK")
        advice = "is a workbook or an archive" if is_workbook else "is not a text file"
        raise WorkshopError(f"{path} {advice}: save the sheet as CSV")
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        if sum(byte < 32 and byte not in b"\t\n\r\f\x1a" for byte in content[:10_000]):
            raise WorkshopError(f"{path} is not a text file: save the sheet as CSV") from error
        return content.decode("cp1252", errors="replace"), "the file is no UTF-8: it is read as Windows-1252 (Latin-1)"


def read_cells(path: Path) -> Cells:
    """Reads a text file whose lines are cells, whatever separates them.

    Raises:
        WorkshopError: it is not there, no text or empty.
    """
    if path.is_dir():
        raise WorkshopError(f"{path} is a folder, takes a CSV file")
    try:
        if path.exists() and not path.is_file():
            raise WorkshopError(f"{path} is not a regular file, takes a CSV file")
        if path.stat().st_size > _MAX_FILE_SIZE:
            raise WorkshopError(f"{path} has {path.stat().st_size:,} bytes, takes at most {_MAX_FILE_SIZE:,}")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise WorkshopError(f"{path} is not there: give the path of a CSV file") from error
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
    text, note = decode(path, content)
    notes = [note] if note else []
    # Excel's own line, which says what separates the cells.
    named = re.match(r"\s*\"?sep=(.)\"?[ \t]*\r?\n", text, re.IGNORECASE)
    start = text[: named.end()].count("\n") if named else 0
    text = text[named.end() :] if named else text
    delimiter = named[1] if named and named[1] in DELIMITERS else _delimiter(text)
    if delimiter == " ":
        text = "\n".join("\t".join(line.split()) for line in text.splitlines())
        delimiter, notes = "\t", [*notes, "blanks separate the cells"]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, lines = [], []
    csv.field_size_limit(1_000_000)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                rows.append(cells)
                lines.append(reader.line_num + start)
    except csv.Error as error:
        raise WorkshopError(f"{path}, line {reader.line_num + start}: is not CSV ({error})") from error
    if not rows:
        raise WorkshopError(f"{path} is empty: takes a header line, then rows with the target in the last column")
    if delimiter in "\t|" and not named and "blanks separate the cells" not in notes:
        notes.append(f"the cells are separated by {DELIMITERS[delimiter]}")
    return Cells(rows, lines, delimiter, notes)


def _delimiter(text: str) -> str:
    """Returns what separates the cells: what gives most lines the same number of cells, more than one; or " "."""
    lines = [line for line in text[:200_000].splitlines() if line.strip()]
    step = max(1, len(lines) // _SAMPLE)
    sample, best, most = lines[::step], ",", (0.0, 0)
    for delimiter in DELIMITERS:
        try:
            counts = Counter(
                len(row) for row in csv.reader(sample, delimiter=delimiter, skipinitialspace=True) if len(row) > 1
            )
        except csv.Error:
            continue
        if counts:
            width, count = counts.most_common(1)[0]
            # A file of semicolons has commas as well, in its numbers.
            score = (round(count / len(sample), 1) + 0.2 * (delimiter in ";\t|"), width)
            if score > most:
                best, most = delimiter, score
    widths = Counter(len(line.split()) for line in sample)
    if not most[1] and widths and '"' not in text[:1000]:
        width, count = widths.most_common(1)[0]
        return " " if width > 1 and count > 0.9 * len(sample) else best
    return best


def is_missing(cell: str) -> bool:
    """Returns whether a cell says that there is no value."""
    return cell.lower() in _MISSING or bool(_SIGNS.fullmatch(cell))


def read_numbers(
    cells: Sequence[str], delimiter: str = ",", decimal_sign: str | None = None
) -> tuple[np.ndarray, list[int], str]:
    """Returns the numbers of a column: with currencies, units, thousands and either decimal sign.

    Args:
        cells: the column.
        delimiter: what separates the cells of the file.
        decimal_sign: of the whole file, where it is known: it decides what 1,500 is.

    Returns:
        The numbers, NaN for a missing one; the indices of cells that are neither; and how they were read, where that
        is not plain.
    """
    values, odd, units = np.full(len(cells), np.nan), [], Counter[str]()
    stripped = [None if is_missing(cell) else _strip(cell) for cell in cells]
    texts = [found[0] for found in stripped if found]
    units.update(found[1] for found in stripped if found and found[1])
    mark = _decimal_sign(texts, delimiter, decimal_sign)
    thousands = "." if mark == "," else ","
    for i, (cell, found) in enumerate(zip(cells, stripped, strict=True)):
        text, unit = found or ("", "")
        plain = text.replace(thousands, "").replace(mark, ".")
        if found and text.count(mark) < 2 and _PLAIN.fullmatch(plain) and not (unit and len(units) > _MAX_UNITS):
            values[i] = float(plain) * _FACTORS.get(unit, 1.0)
        elif not is_missing(cell):
            odd.append(i)
    notes = []
    if any(thousands in text for text in texts):
        notes.append(f"the {'points' if thousands == '.' else 'commas'} stand between thousands")
    if mark == "," and any("," in text for text in texts):
        notes.append("the decimal sign is a comma")
    for unit, _ in units.most_common(_MAX_UNITS if len(units) <= _MAX_UNITS else 0):
        notes.append(f"{unit} is read as {_FACTORS[unit]:,.0f}" if unit in _FACTORS else f"{unit} is left out")
    return values, odd, "; ".join(notes)


def _strip(cell: str) -> tuple[str, str] | None:
    """Returns a number without the blanks in it and the currency before it, and its unit; None where it is none."""
    if _PLAIN.fullmatch(cell):
        return cell, ""
    match = _NUMBER.fullmatch(cell.replace("\N{MINUS SIGN}", "-"))
    unit = (match["unit"] or "") if match else ""
    if not match or bool(match["open"]) != bool(match["close"]) or month_number(unit):
        return None
    # Accountants write -5 as (5), and some write the sign behind the currency.
    is_negative = (match["sign"] == "-") != bool(match["open"]) or match["inner"] == "-"
    text = match["body"].strip()
    if grouped := _BLANKS.fullmatch(text):
        text = re.sub(r"\D", "", grouped[1]) + grouped[2]
    return f"-{text}" if is_negative else text, unit


def _decimal_sign(texts: Sequence[str], delimiter: str, known: str | None) -> str:
    """Returns the decimal sign of a column, "." or ","."""
    both = [text for text in texts if "." in text and "," in text]
    if both:
        return "," if 2 * sum(text.rindex(",") > text.rindex(".") for text in both) > len(both) else "."
    for sign, other in ((",", "."), (".", ",")):
        signed = [text for text in texts if sign in text]
        if not signed:
            continue
        if any(text.count(sign) > 1 for text in signed):
            return other  # 1,234,567
        if not all(re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}\{sign}\d{{3}}", text) for text in signed):
            return sign
        # All are like 1,375. Beside 800 and 950 these are thousands.
        whole = [text.lstrip("+-") for text in texts if text.isdigit()]
        are_thousands = bool(whole) and max(map(len, whole)) <= 3
        if delimiter == ",":
            return sign if sign == "." else other
        return other if are_thousands or known == other else sign
    return "."
