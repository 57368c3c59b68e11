"""The numbers of a column, as people write them: decimal signs, thousands, currencies, units, per cent.

`1.375` is one number or another, depending on what the point is for. The column itself tells, where one of its cells
can be read in one way only; else the other columns of the file do.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_NO_VALUE = (
    "na n/a n.a. n.a #n/a #na <na> nan -nan null (null) <null> nil none nat missing \\n ? - -- --- . .. ... * ** "
    "\N{EN DASH} \N{EM DASH} #value! #div/0! #ref! #name? #num! #null! 1.#ind -1.#ind 1.#qnan -1.#qnan"
)
MISSING = frozenset(["", *_NO_VALUE.split()])
_CURRENCY = (
    r"(?:US\$|R\$|A\$|C\$|S\$|HK\$|NT\$|MX\$|[$€£¥₹₽₩₺₴₦₱฿]|(?:USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|MXN|BRL|ARS|COP|CLP|PEN|CAD"
    r"|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|ZAR|KRW|IDR|Rs\.?|Rp\.?|RM|kr\.?|zł|Fr\.|S/\.?)(?![^\W\d_]))"
)
_LETTERS = r"[^\W\d_]"
_UNIT = rf"(?:[%‰°µ]|{_LETTERS})[^\d,;]{{0,14}}?[23]?"
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-])?\s*(?:(?P<currency>{_CURRENCY})\s*(?P<inner>[+-])?)?\s*"
    rf"(?P<body>(?:\d[\d.,' ]*|[.,]\d+)(?:[eE][+-]?\d{{1,3}})?)\s*(?P<unit>{_CURRENCY}|{_UNIT})?(?P<close>\))?",
)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_GROUPED = {
    ",": re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?"),  # also India's 1,23,456
    ".": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d*)?"),
}
_AMBIGUOUS = {",": re.compile(r"[1-9]\d{0,2},\d{3}"), ".": re.compile(r"[1-9]\d{0,2}\.\d{3}")}
_DECIMAL = {",": re.compile(r"\d*,\d+"), ".": re.compile(r"\d*\.\d+")}
_BLANK_GROUPS = re.compile(r"\d{1,3}(?:[ ']\d{3})+(?:[.,]\d*)?")
_FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "Mn": 1e6, "mn": 1e6}
_SIGNS = str.maketrans(
    {"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{ACUTE ACCENT}": "'"}
)
_SAMPLE = 1000  # cells of a column tell how its numbers are written
_GLANCE = 200  # cells tell that a column is one of texts
_MAX_LENGTH = 60  # characters of a number
MAX_NUMBER = 1e15  # single precision holds 3e38, but a loss squares its inputs
MAX_ODD = 0.1  # of the cells of a column of numbers


class Parts(NamedTuple):
    """A cell that may be a number, in parts.

    Attributes:
        body: the digits with their points and commas, "1.375,50".
        is_negative: whether a minus, or an accountant's brackets, stand around it.
        currency, unit: the signs before it and after it.
    """

    body: str
    is_negative: bool
    currency: str
    unit: str


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: float64 (rows,), NaN where a cell is missing or odd.
        odd: the indices of cells that are neither numbers nor missing.
        unit: the currency or the unit that was taken off.
        notes: how they were read, where that is not plain.
    """

    values: np.ndarray
    odd: np.ndarray
    unit: str = ""
    notes: tuple[str, ...] = ()


def is_missing(cell: str) -> bool:
    """Returns whether a cell says that there is no value."""
    return cell.lower() in MISSING


def is_plain(cell: str) -> bool:
    """Returns whether a cell is a number as programs write it."""
    return _PLAIN.fullmatch(cell) is not None


def looks_like_a_number(cell: str) -> bool:
    """Returns whether a cell is a number, with a currency perhaps, but without a unit in letters."""
    if is_plain(cell):
        return True
    parts = _take_apart(cell)
    return parts is not None and not parts.unit[:1].isalpha()


def _take_apart(cell: str) -> Parts | None:
    """Returns the parts of a cell that may be a number."""
    if len(cell) > _MAX_LENGTH:
        return None
    text = cell if cell.isascii() else unicodedata.normalize("NFKC", cell).translate(_SIGNS)
    match = _NUMBER.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    body = match["body"].strip()
    if " " in body or "'" in body:
        if not _BLANK_GROUPS.fullmatch(body):
            return None
        body = body.replace(" ", "").replace("'", "")
    # Accountants write -5 as (5), and some write the sign behind the currency.
    is_negative = (match["sign"] == "-") != (match["inner"] == "-") or bool(match["open"])
    return Parts(body, is_negative, match["currency"] or "", (match["unit"] or "").strip())


def decimal_sign(columns: Iterable[Sequence[str]], separator: str) -> str:
    """Returns the decimal sign of a file's numbers, "." or ","; or nothing where no cell tells.

    Args:
        columns: the cells of each column.
        separator: what separates the cells.
    """
    votes = Counter(_own_sign(_bodies(column)) for column in columns)
    del votes[""]
    if not votes:
        return ""
    return max(votes, key=lambda sign: (votes[sign], (sign == ",") == (separator == ";")))


def _bodies(cells: Sequence[str]) -> list[str]:
    """Returns the digits of the cells of a column that have a point or a comma."""
    step = max(1, len(cells) // _SAMPLE)
    bodies = []
    for cell in cells[::step]:
        if "." in cell or "," in cell:
            parts = _take_apart(cell)
            if parts is not None:
                # Digits more make it plain that 6,314E+00 is not six thousand.
                bodies.append(re.sub(r"[eE].*", "0000", parts.body))
    return bodies


def _own_sign(bodies: Sequence[str]) -> str:
    """Returns the decimal sign that a column's own cells have, or nothing where each may be read in two ways."""
    counts = {".": 0, ",": 0}
    for body in bodies:
        for sign, other in ((".", ","), (",", ".")):
            has_one = body.count(sign) == 1 and _DECIMAL[sign].fullmatch(body) and not _AMBIGUOUS[sign].fullmatch(body)
            is_grouped = _GROUPED[other].fullmatch(body) and (sign in body or body.count(other) > 1)
            counts[sign] += bool(has_one or is_grouped)
    if counts["."] == counts[","]:
        return ""
    return max(counts, key=lambda sign: counts[sign])


def _sign_of_column(cells: Sequence[str], separator: str, of_file: str) -> tuple[str, str]:
    """Returns the decimal sign of a column, and a note where another reading is possible."""
    bodies = _bodies(cells)
    if not bodies:
        return ".", ""
    own = _own_sign(bodies)
    if own:
        return own, ""
    grouped = [body for body in bodies if _AMBIGUOUS["."].fullmatch(body) or _AMBIGUOUS[","].fullmatch(body)]
    if not grouped:
        return ".", ""
    sign = "." if "." in grouped[0] else ","
    if any(sign not in body for body in grouped):
        return of_file or ".", ""
    other = "," if sign == "." else "."
    # Where 956 and 1.375 stand in one column, the latter is more than a thousand.
    whole = [float(cell) for cell in cells if cell.isdecimal()]
    decimals = [float(body.replace(",", ".")) for body in grouped]
    if whole and max(whole) < 1000 and np.median(whole) > 10 * np.median(decimals):
        return other, ""
    is_thousands = of_file == other if of_file else sign == "," and separator != ";"
    if is_thousands:
        return other, ""
    doubtful = separator == ";" or sign == ","
    reason = "as in the other columns" if of_file else "as no cell tells otherwise"
    note = f"{grouped[0]} is read as {decimals[0]:g}, not as thousands, {reason}" if doubtful else ""
    return sign, note


def _value(body: str, sign: str) -> float | None:
    """Returns the digits of a number as a number, or None where they are none."""
    text, letter, exponent = body.partition("e" if "e" in body else "E")
    other = "," if sign == "." else "."
    if other in text and _GROUPED[other].fullmatch(text):
        text = text.replace(other, "")
    elif other in text and _DECIMAL[other].fullmatch(text) and not _AMBIGUOUS[other].fullmatch(text):
        text = text.replace(other, ".")  # 1,5 among 2.5: there is no other way to read it
    if sign == ",":
        text = text.replace(",", ".")
    plain = f"{text}{letter}{exponent}"
    return float(plain) if _PLAIN.fullmatch(plain) else None


def read(cells: Sequence[str], missing: np.ndarray, separator: str, of_file: str) -> Numbers | None:
    """Returns a column as numbers, or None where too many of its cells are none.

    A column that is nearly all numbers is one of numbers, and its odd cells are missing ones.

    Args:
        cells: the column.
        missing: which cells are missing, (rows,).
        separator: what separates the cells of the file.
        of_file: the decimal sign of the file's other numbers, or nothing where it is not known.
    """
    present = np.flatnonzero(~missing)
    first = [cells[i] for i in present[:_GLANCE]]
    if 2 * sum(_take_apart(text) is not None for text in first) < len(first) or not first:
        return None
    texts = [cells[i] for i in present.tolist()]
    sign, note = _sign_of_column(texts, separator, of_file)
    values = np.full(len(cells), np.nan)
    if sign == ".":
        plain = _plain_values(texts)
        if plain is not None:
            values[present] = plain
            return Numbers(values, np.array([], int), notes=(note,) if note else ())
    parts = [_take_apart(text) for text in texts]
    if sum(part is not None for part in parts) < 0.5 * len(parts):
        return None
    unit, factors = _unit_of_column([part for part in parts if part is not None])
    odd = []
    for i, part in zip(present.tolist(), parts, strict=True):
        value = None
        if part is not None and (part.unit in factors or _same_unit(part.unit, unit) or not part.unit):
            value = _value(part.body, sign)
        if part is None or value is None or not abs(value) < 1e300:
            odd.append(i)
        else:
            values[i] = (-value if part.is_negative else value) * factors.get(part.unit, 1.0)
    if not _is_numeric(values, np.array(odd, int), cells):
        return None
    return Numbers(values, np.array(odd, int), unit, _notes(texts, parts, sign, note, unit, factors, values[present]))


def _plain_values(texts: Sequence[str]) -> np.ndarray | None:
    """Returns plain numbers at once, which most columns are; None where a cell is anything else."""
    if max(map(len, texts)) > _MAX_LENGTH:
        return None
    try:
        values = np.array(texts, dtype=str).astype(np.float64)
    except ValueError:
        return None
    # float() also takes 1_000 and infinity.
    if not np.isfinite(values).all() or any("_" in text for text in texts):
        return None
    return values


def _unit_of_column(parts: Sequence[Parts]) -> tuple[str, dict[str, float]]:
    """Returns the unit or currency of most cells, and factors where the units are thousands and millions."""
    units = Counter(part.unit for part in parts)
    currencies = Counter(part.currency for part in parts if part.currency)
    currency = currencies.most_common(1)[0][0] if currencies else ""
    named = [unit for unit in units if unit]
    # 565K and 1.2M are numbers of one kind; where all cells have M, it is a unit as any other.
    if named and all(unit in _FACTORS for unit in named) and (len(units) > 1 or named[0] in "kK"):
        return currency, {unit: _FACTORS[unit] for unit in named}
    most = max(named, key=lambda unit: units[unit], default="")
    if most and sum(units[unit] for unit in named if _same_unit(unit, most)) < 0.5 * len(parts):
        most = ""
    return most or currency, {}


def _same_unit(unit: str, other: str) -> bool:
    """Returns whether two units are one: "year" and "years"."""
    return bool(unit) and unit.lower().rstrip("s.") == other.lower().rstrip("s.")


def _is_numeric(values: np.ndarray, odd: np.ndarray, cells: Sequence[str]) -> bool:
    """Returns whether a column whose odd cells are these is one of numbers."""
    if not len(odd):
        return True
    numbers = values[~np.isnan(values)]
    texts = Counter(cells[i] for i in odd)
    share = len(odd) / (len(odd) + len(numbers))
    different = len(np.unique(numbers))
    if different <= 10 and min(texts.values()) >= 3:
        return False  # 0, 1, 2, 3 and "4+": a text is as good as a number here
    return share <= MAX_ODD or len(odd) == 1 or (share <= 0.5 and different > 20 and len(texts) <= 3)


def _notes(
    texts: Sequence[str],
    parts: Sequence[Parts | None],
    sign: str,
    note: str,
    unit: str,
    factors: dict[str, float],
    values: np.ndarray,
) -> tuple[str, ...]:
    """Returns an example of each way in which the numbers are not plain."""
    notes = [note] if note else []
    shown: set[str] = set()
    for text, part, value in zip(texts, parts, values, strict=True):
        if part is None or np.isnan(value):
            continue
        oddities = {
            "unit": bool(part.unit or part.currency),
            "groups": (sign == "." and "," in part.body) or (sign == "," and "." in part.body) or "'" in text,
            "brackets": "(" in text,
            "blanks": " " in text and not (part.unit or part.currency),
            "sign": part.is_negative and "-" not in text and "(" not in text,
        }
        new = {oddity for oddity, is_so in oddities.items() if is_so} - shown
        if new and not note.startswith(f"{text} "):
            shown |= new
            notes.append(f"{text} is read as {value:.15g}")
    return tuple(notes)
