"""Tables: CSV files with the features first and the target last, read and checked.

Errors name the file, the line and the column. `images` does the same for sets of images.
"""

import collections
import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving.card import Input

# float32 holds 3e38, but a loss squares its inputs.
_MAX_NUMBER = 1e15


@dataclass(frozen=True)
class Table:
    """A CSV file: features first, the target last.

    Attributes:
        path: the file.
        names: the columns' names from the header line, the target's last.
        rows: the cells, stripped, as texts.
        lines: for each row the number of its line in the file, for messages.
        decimal_comma: whether the file's numbers have a decimal comma, as spreadsheets in many countries write them.
    """

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    decimal_comma: bool = False

    @property
    def source(self) -> str:
        """The name of the table for reports."""
        return f"{self.path.name} ({len(self.rows)} rows)"

    def is_numeric(self, column: int) -> bool:
        """Returns whether every cell of the column is a number."""
        return all(self._number(row[column]) is not None for row in self.rows)

    def texts(self, column: int) -> np.ndarray:
        """Returns a column as an array of texts (rows,)."""
        return np.array([row[column] for row in self.rows])

    def numbers(self, columns: Sequence[int] | None = None) -> np.ndarray:
        """Returns columns (all by default) as float32 (rows, columns).

        Raises:
            WorkshopError: a cell is not a finite number of a usable size; the message names the line and the column.
        """
        columns = range(len(self.names)) if columns is None else columns
        values = np.empty((len(self.rows), len(columns)), np.float32)
        for i, (line, row) in enumerate(zip(self.lines, self.rows, strict=True)):
            for j, column in enumerate(columns):
                number = self._number(row[column])
                if number is not None and abs(number) <= _MAX_NUMBER:
                    values[i, j] = number
                    continue
                got = f"{self.path}, line {line}, column {_short(self.names[column])}: got {_short(row[column])}"
                if number is None:
                    raise WorkshopError(f"{got}, takes a number")
                if not math.isfinite(number):
                    raise WorkshopError(f"{got}, takes a finite number: fix or leave out the row")
                raise WorkshopError(f"{got}, takes numbers up to {_MAX_NUMBER:g}: change the unit")
        return values

    def split_numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X (rows, features) and y (rows,), float32, of a table of numbers."""
        values = self.numbers()
        return values[:, :-1], values[:, -1]

    def split_two_classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X (rows, features) and y (rows,) of a table of numbers whose target is 0 or 1 and both occur."""
        X, y = self.split_numbers()
        for line, row, value in zip(self.lines, self.rows, y, strict=True):
            if value not in (0, 1):
                where = f"{self.path}, line {line}, column {_short(self.names[-1])}"
                raise WorkshopError(f"{where}: got {_short(row[-1])}, takes 0 or 1")
        self.check_classes(y)
        return X, y

    def check_classes(self, y: np.ndarray, at_least: int = 2) -> None:
        """Raises WorkshopError unless there are two classes, each with `at_least` rows to train and test on."""
        where = f"{self.path}, column {_short(self.names[-1])}"
        classes, counts = np.unique(y, return_counts=True)
        if len(classes) < 2:
            raise WorkshopError(f"{where}: all rows are of one class ({_short(str(classes[0]))}), takes two or more")
        if counts.min() < at_least:
            rarest = _short(str(classes[counts.argmin()]))
            raise WorkshopError(
                f"{where}: class {rarest} has {counts.min()} row, takes {at_least} or more of each class"
            )

    def check_columns(self, count: int, meaning: str) -> None:
        """Raises WorkshopError unless the table has `count` columns."""
        if len(self.names) != count:
            raise WorkshopError(
                f"{self.path}: has {len(self.names)} columns ({_listed(self.names)}), takes {count}: {meaning}"
            )

    def _number(self, text: str) -> float | None:
        if self.decimal_comma and text.count(",") == 1:
            text = text.replace(",", ".")
        # float() also takes "1_000", which no spreadsheet writes.
        if "_" in text:
            return None
        try:
            return float(text)
        except ValueError:
            return None


def _short(text: str) -> str:
    """Returns a cell or a name, cut for a message: a file that is no table has cells of any length."""
    return text if len(text) <= 40 else f"{text[:40]}..."


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(_short(name) for name in names[:10])
    return f"{listed}, ..." if len(names) > 10 else listed


def read_table(path: FilePath, *, at_least: int = 2) -> Table:
    """Reads a CSV file: a header line, then rows with the target in the last column.

    Commas or semicolons separate the cells; with semicolons a decimal comma is understood. Blank lines are skipped.

    Args:
        path: the file.
        at_least: the smallest number of rows.

    Raises:
        WorkshopError: it is not there or not such a file; the message names the line and, where it can, the column.
    """
    path = Path(path)
    if path.is_dir():
        raise WorkshopError(f"{path} is a folder, takes a CSV file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise WorkshopError(f"{path} is not there: give the path of a CSV file") from error
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise WorkshopError(f"{path} is not UTF-8 text (byte {error.start}): save it as 'CSV UTF-8'") from error
    if "\0" in text:
        raise WorkshopError(f"{path} is not a text file: save the sheet as CSV")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    numbered: list[tuple[int, tuple[str, ...]]] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                numbered.append((reader.line_num, tuple(cell.strip() for cell in row)))
    except csv.Error as error:
        raise WorkshopError(f"{path}, line {reader.line_num}: is not CSV ({error})") from error
    if not numbered:
        raise WorkshopError(f"{path} is empty: takes a header line, then rows with the target in the last column")
    header_line, names = numbered[0]
    table = Table(
        path,
        names,
        tuple(cells for _, cells in numbered[1:]),
        tuple(line for line, _ in numbered[1:]),
        delimiter == ";",
    )
    if any(table._number(name) is not None for name in names):
        raise WorkshopError(f"{path}, line {header_line}: is {_listed(names)}; takes a header line with column names")
    if len(names) < 2:
        raise WorkshopError(
            f"{path}, line {header_line}: has one column ({_short(names[0])}), takes features, then the target"
        )
    if "" in names:
        raise WorkshopError(f"{path}, line {header_line}: column {names.index('') + 1} has no name")
    duplicate = next((name for name, count in collections.Counter(names).items() if count > 1), None)
    if duplicate is not None:
        raise WorkshopError(f"{path}, line {header_line}: two columns are named {_short(duplicate)}: rename one")
    for line, cells in zip(table.lines, table.rows, strict=True):
        if len(cells) != len(names):
            raise WorkshopError(f"{path}, line {line}: has {len(cells)} cells, the header line has {len(names)}")
        if "" in cells:
            where = f"{path}, line {line}, column {_short(names[cells.index('')])}"
            raise WorkshopError(f"{where}: the cell is empty: fill it or leave out the row")
    if len(table.rows) < at_least:
        raise WorkshopError(f"{path}: has {len(table.rows)} rows below the header, takes {at_least} or more")
    return table


def shipped_table(name: str) -> Path:
    """Returns the path of a table that ships with the package."""
    return files.shipped("datasets") / f"{name}.csv"


# A column named "area_m2" is an area in m2. Longer endings come first.
_UNITS = {"10_m2": "10 m2", "m2": "m2", "years": "years", "1000_pesos": "1,000 pesos", "10000_pesos": "10,000 pesos"}


def describe(table: Table) -> list[Input]:
    """Returns the columns of a table of numbers for a card: name, unit (by the name's ending) and range."""
    described = []
    for name, values in zip(table.names, table.numbers().T, strict=True):
        ending = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
        # Single precision holds 37.9 as 37.90000153.
        low, high = (float(f"{end:.6g}") for end in (values.min(), values.max()))
        title = name.removesuffix(f"_{ending}") if ending else name
        described.append(Input(title, _UNITS.get(ending, ""), low, high))
    return described
