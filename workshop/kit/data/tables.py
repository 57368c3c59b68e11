"""Tables: CSV files as people have them, read and checked, with the target in the last column.

Errors name the file, the line and the column; what is not plain is printed in a line. The steps are in the folder
`table`. `images` does the same for sets of images.
"""

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from workshop.kit import files
from workshop.kit.data.table import columns as kinds
from workshop.kit.data.table import decoding, layout, splitting
from workshop.kit.data.table.columns import Column
from workshop.kit.data.table.layout import listed, short
from workshop.kit.data.table.numerals import MAX_NUMBER, decimal_sign, looks_like_a_number
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving.card import Input

MAX_LISTED = 6  # columns or cells in a line
_POSITIVE = ({"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"m", "b"}, {"positive", "negative"})
_CLASSES = frozenset({"none", "na", "n/a", "nil", "-", "--", "*", ".", "missing"})  # words that may name one
_ROWS_OF_A_CLASS = 5
_IS_ONE = {"yes", "y", "true", "t", "m", "positive"}


@dataclass(frozen=True)
class Table:
    """A table of texts: features first, the target last.

    Attributes:
        path: the file.
        names: the columns' names from the header line, the target's last.
        rows: the cells, stripped, as texts.
        lines: for each row the number of its line in the file, for messages.
        separator: what separates the cells of the file.
        notes: what was not plain when it was read, a sentence each.
        standin_for: the name of the table that it stands in for, if any.
    """

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str = ","
    notes: tuple[str, ...] = field(default=(), compare=False)
    standin_for: str = ""

    @property
    def source(self) -> str:
        """The name of the table for reports."""
        standin = f"stand-in for {self.standin_for}, " if self.standin_for else ""
        return f"{self.path.name} ({standin}{len(self.rows)} rows)"

    @cached_property
    def decimal_sign(self) -> str:
        """The decimal sign of its numbers, "." or ","; nothing where no cell tells."""
        return decimal_sign(zip(*self.rows, strict=True), self.separator)

    @cached_property
    def columns(self) -> list[Column]:
        """The columns, each with its kind and its values."""
        return kinds.read_columns(self.names, self.rows, self.separator, self.decimal_sign)

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
        for j, i in enumerate(columns):
            column = self.columns[i]
            cells = column.values if column.kind == "number" else np.full(len(self.rows), np.nan)
            for row in np.flatnonzero(~(np.abs(cells) <= MAX_NUMBER))[:1]:
                self._refuse_cell(column, self._first_that_is_none(column) if column.kind != "number" else int(row))
            values[:, j] = cells
        return values

    def _first_that_is_none(self, column: Column) -> int:
        """Returns the row of the first cell that is no number, in a column that is none of numbers."""
        for row, text in enumerate(column.texts):
            if not column.missing[row] and not looks_like_a_number(str(text)):
                return row
        return 0

    def _refuse_cell(self, column: Column, row: int) -> None:
        """Raises WorkshopError for a cell that is no number, or too large a one."""
        text = str(column.texts[row])
        where = f"{self.path}, line {self.lines[row]}, column {short(column.name)}"
        if not text:
            raise WorkshopError(f"{where}: the cell is empty: fill it or leave out the row")
        if not np.isnan(column.values[row]):
            raise WorkshopError(f"{where}: got {short(text)}, takes numbers up to {MAX_NUMBER:g}: change the unit")
        raise WorkshopError(f"{where}: got {short(text)}, takes a number")

    def split_numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X (rows, features) and y (rows,), float32, of a table of numbers.

        Missing features are imputed, rows without a target left out; a line says so.
        """
        values = self.complete(has_classes=False).numbers()
        return values[:, :-1], values[:, -1]

    def split_two_classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X (rows, features) and y (rows,), 0 or 1, of a table of numbers whose target has two classes.

        Missing features are imputed, rows without a target left out; a line says so. Of other targets than 0 and 1,
        such as no and yes, a line says which is which.
        """
        table = self.complete(has_classes=True)
        classes, y = table.two_classes()
        if classes != ("0", "1"):
            print(f"Note      {table.names[-1]}: {short(classes[0])} is 0 and {short(classes[1])} is 1")
        X = table.numbers(range(len(table.names) - 1))
        table.check_classes(np.array(classes)[y.astype(int)])
        return X, y

    def two_classes(self) -> tuple[tuple[str, str], np.ndarray]:
        """Returns the names of the target's two classes, and y (rows,), float32: 0 for the first and 1 for the second.

        In order of the numbers or of the alphabet; but yes and true are 1, and so is M, malignant, beside B.

        Raises:
            WorkshopError: the target has not two classes.
        """
        column = self.columns[-1]
        where = f"{self.path}, column {short(self.names[-1])}"
        cells = column.values if column.is_numeric else column.texts.astype(str)
        distinct, first, y = np.unique(cells, return_index=True, return_inverse=True)
        names = [str(column.texts[i]) for i in first]
        if len(distinct) == 1:
            raise WorkshopError(f"{where}: all rows are of one class ({short(names[0])}), takes two or more")
        if len(distinct) > 2:
            row = int(first[2])
            raise WorkshopError(
                f"{self.path}, line {self.lines[row]}, column {short(self.names[-1])}: got {short(names[2])} beside "
                f"{short(names[0])} and {short(names[1])}, takes two classes, such as 0 and 1"
            )
        if column.is_numeric and set(distinct) == {0.0, 1.0}:
            names = ["0", "1"]
        if _are_reversed(names):
            names, y = names[::-1], 1 - y
        return (names[0], names[1]), y.astype(np.float32)

    def class_names(self) -> tuple[str, str]:
        """Returns the names of the target's two classes for a card: "y = no" and "y = yes"."""
        (first, second), _ = self.two_classes()
        return f"{self.names[-1]} = {first}", f"{self.names[-1]} = {second}"

    def check_classes(self, y: np.ndarray, at_least: int = 2) -> None:
        """Raises WorkshopError unless there are two classes, each with `at_least` rows to train and test on."""
        where = f"{self.path}, column {short(self.names[-1])}"
        classes, counts = np.unique(y, return_counts=True)
        if len(classes) < 2:
            raise WorkshopError(f"{where}: all rows are of one class ({short(str(classes[0]))}), takes two or more")
        if counts.min() < at_least:
            rarest = short(str(classes[counts.argmin()]))
            raise WorkshopError(
                f"{where}: class {rarest} has {counts.min()} row, takes {at_least} or more of each class"
            )

    def check_columns(self, count: int, meaning: str) -> None:
        """Raises WorkshopError unless the table has `count` columns."""
        if len(self.names) != count:
            raise WorkshopError(
                f"{self.path}: has {len(self.names)} columns ({listed(self.names)}), takes {count}: {meaning}"
            )

    def with_rows(self, kept: np.ndarray) -> "Table":
        """Returns the table with those rows alone, (rows,) of bool."""
        which = np.flatnonzero(kept)
        return replace(self, rows=tuple(self.rows[i] for i in which), lines=tuple(self.lines[i] for i in which))

    def with_columns(self, kept: Sequence[int]) -> "Table":
        """Returns the table with those columns alone, in that order."""
        names = tuple(self.names[i] for i in kept)
        return replace(self, names=names, rows=tuple(tuple(row[i] for i in kept) for row in self.rows))

    def missing_target(self) -> np.ndarray:
        """Returns which rows have no target, (rows,) of bool; prints which words are classes all the same.

        A disorder may be "None" as well as "Insomnia", and a test "-" as well as "+".
        """
        column = self.columns[-1]
        if column.kind != "text":
            return column.missing
        words = kinds.frequent_words(column, _CLASSES, max(_ROWS_OF_A_CLASS, len(self.rows) // 20))
        if not words:
            return column.missing
        print(f"Note      {column.name}: {listed(words)} is a class")
        return column.missing & ~np.isin(column.texts.astype(str), words)

    def with_target(self, missing: np.ndarray) -> "Table":
        """Returns the table without the rows whose target is `missing`, (rows,) of bool; a line names them."""
        if not missing.any():
            return self
        lines = [self.lines[i] for i in np.flatnonzero(missing)]
        count = "1 row is" if len(lines) == 1 else f"{len(lines)} rows are"
        print(f"Note      {self.names[-1]} is missing in {layout.line_numbers(lines)}: {count} left out")
        return self.with_rows(~missing)

    def complete(self, has_classes: bool) -> "Table":
        """Returns the table with plain cells: numbers as programs write them, and no missing ones.

        Dates become numbers, two texts 0 and 1, missing features the median of their column, and rows without a target
        are left out; identifiers are left out where other columns remain. A line says each. Columns of more texts stay
        as they are.

        Args:
            has_classes: whether the target's cells are names of classes, which stay as they are.
        """
        last = len(self.names) - 1
        table = self.with_target(self.missing_target() if has_classes else self.columns[last].missing)
        identifiers = [i for i, column in enumerate(table.columns[:last]) if kinds.is_identifier(column)]
        if len(identifiers) == last:
            identifiers = []  # nothing would be left
        kept = [i for i in range(len(table.names)) if i not in identifiers]
        for i in identifiers:
            print(f"Note      {table.names[i]} is left out: {kinds.tells_nothing(table.columns[i])}")
        plain: dict[int, list[str]] = {}
        imputed = []
        for i in kept:
            column = table.columns[i]
            values = column.values if column.is_numeric else _two_texts(column) if i < last else None
            if values is None or (i == last and has_classes):
                continue
            for note in column.notes:
                print(f"Note      {column.name}: {note}")
            missing = np.isnan(values)
            if missing.any():
                print_odd_cells(table, column)
                imputed.append(f"{column.name} {missing.sum()}")
                values = np.where(missing, np.nanmedian(values), values)
            if column.notes or missing.any() or not column.is_numeric or table.decimal_sign == ",":
                plain[i] = [f"{value:.15g}" for value in values]
        if imputed:
            print(f"Note      missing cells, taken for the median of their column: {listed(imputed, MAX_LISTED)}")
        if not identifiers and not plain:
            return table
        rows = (
            tuple(plain[i][number] if i in plain else row[i] for i in kept) for number, row in enumerate(table.rows)
        )
        return replace(table, names=tuple(table.names[i] for i in kept), rows=tuple(rows), separator=",")


def _are_reversed(names: Sequence[str]) -> bool:
    """Returns whether the first of two texts in their order is the one that says yes."""
    return {name.lower() for name in names} in _POSITIVE and names[0].lower() in _IS_ONE


def _two_texts(column: Column) -> np.ndarray | None:
    """Returns a column of two texts, no and yes, as 0 and 1, NaN where a cell is missing; prints which is which.

    None where it has more texts, or one of them is a number.
    """
    names = sorted({str(text) for text in column.present}) if column.kind == "text" else []
    if len(names) != 2 or any(map(looks_like_a_number, names)):
        return None
    if _are_reversed(names):
        names = names[::-1]
    print(f"Note      {column.name}: {short(names[0])} is 0 and {short(names[1])} is 1")
    return np.where(column.missing, np.nan, (column.texts == names[1]).astype(float))


def print_odd_cells(table: Table, column: Column) -> None:
    """Prints which cells of a column of numbers are none, and are taken for missing."""
    if not len(column.odd):
        return
    cells = list(dict.fromkeys(str(column.texts[i]) for i in column.odd))
    lines = layout.line_numbers([table.lines[i] for i in column.odd])
    kind = "date" if column.kind == "date" else "number"
    print(f"Note      {column.name}: {listed(cells, 3)} is no {kind} ({lines}): taken for a missing cell")


def read_table(path: FilePath, *, at_least: int = 2, target: str | None = None, drop: Sequence[str] = ()) -> Table:
    """Reads a CSV file as people have it; prints what is not plain in a line each.

    Commas, semicolons, tabs, bars or blanks separate the cells. UTF-8, UTF-16, Latin-1 and others are understood,
    decimal commas, thousands, currencies and units, a table without a header line or with a nameless index, titles
    above it and totals below. Missing cells are left to whoever takes the table's numbers.

    Args:
        path: the file.
        at_least: the smallest number of rows.
        target: the name of the column that is put last; the last one by default.
        drop: the names of columns that are left out.

    Raises:
        WorkshopError: it is not there or not such a file; the message names the line and, where it can, the column.
    """
    table = choose_columns(parse_table(path, at_least=at_least), target, drop)
    print_notes(table)
    return table


def print_notes(table: Table) -> None:
    """Prints what was not plain when a table was read."""
    for note in table.notes:
        print(f"Note      {note}")
    if table.decimal_sign == ",":
        print("Note      the numbers have a decimal comma")


def parse_table(path: FilePath, *, at_least: int = 2) -> Table:
    """Reads a CSV file as `read_table` does, without printing its notes."""
    path = Path(path)
    text, encoding = decoding.read(path)
    cells = splitting.split(text, path)
    arranged = layout.arrange(cells, path)
    notes = (*([f"the file is read as {encoding}, not as UTF-8"] if encoding else []), *cells.notes, *arranged.notes)
    table = Table(path, arranged.names, arranged.rows, arranged.lines, cells.separator, notes)
    if len(table.names) < 2:
        raise WorkshopError(f"{path}: has one column ({short(table.names[0])}), takes features, then the target")
    if len(table.rows) < at_least:
        raise WorkshopError(f"{path}: has {len(table.rows)} rows below the header, takes {at_least} or more")
    return table


def read_numbers(
    path: FilePath, *, at_least: int = 2, target: str | None = None, drop: Sequence[str] = (), has_classes: bool = False
) -> Table:
    """Reads a CSV file for a lesson that takes numbers; prints in a line each what is not plain.

    As `read_table`; then missing features are the median of their column, rows without a target are left out, and so
    are identifiers, where other columns remain.

    Args:
        path, at_least, target, drop: as of `read_table`.
        has_classes: whether the target is a class, whose cells may be texts.

    Raises:
        WorkshopError: as `read_table`; or a feature is a column of texts.
    """
    table = read_table(path, at_least=at_least, target=target, drop=drop).complete(has_classes)
    for column in table.columns[: len(table.names) - has_classes]:
        if column.kind == "empty":
            where = f"{table.path}, column {short(column.name)}"
            raise WorkshopError(f"{where}: every cell is missing: --drop leaves it out")
        if column.kind == "text":
            row = table._first_that_is_none(column)
            raise WorkshopError(
                f"{table.path}, line {table.lines[row]}, column {short(column.name)}: got "
                f"{short(str(column.texts[row]))}, takes a number: --drop leaves out a column, and python -m "
                f"workshop.tables takes texts"
            )
    if len(table.rows) < at_least:
        raise WorkshopError(f"{table.path}: has {len(table.rows)} rows with a target, takes {at_least} or more")
    return table


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options `--target` and `--drop` of a lesson that takes a table of one's own, with `--data`."""
    add = parser.add_argument
    add("--target", metavar="COLUMN", help="the column of --data to predict (default: the last)")
    add("--drop", nargs="+", default=[], metavar="COLUMN", help="columns of --data to leave out")


def choose_columns(table: Table, target: str | None, drop: Sequence[str]) -> Table:
    """Returns a table with the column named `target` as its last, and without those of `drop`.

    Raises:
        WorkshopError: there is no such column, or too few are left.
    """
    dropped = {find_column(table, name, "--drop") for name in drop}
    last = len(table.names) - 1 if target is None else find_column(table, target, "--target")
    if target is not None and last in dropped:
        raise WorkshopError(f"--drop: got {short(table.names[last])}, which is the target: takes other columns")
    kept = [i for i in range(len(table.names)) if i not in dropped and (target is None or i != last)]
    if len(kept) + (target is not None) < 2:
        raise WorkshopError(f"{table.path}: one column is left, takes features and the target")
    return table.with_columns([*kept, last] if target is not None else kept) if target or dropped else table


def find_column(table: Table, name: str, option: str) -> int:
    """Returns the index of a column by its name; case and blanks around it do not matter.

    Raises:
        WorkshopError: there is no such column.
    """
    if name in table.names:
        return table.names.index(name)
    wanted = splitting.clean(name).casefold()
    indices = [i for i, other in enumerate(table.names) if other.casefold() == wanted]
    if len(indices) == 1:
        return indices[0]
    near = difflib.get_close_matches(name, table.names, n=1)
    meant = f"; is {short(near[0])} meant?" if near else ""
    raise WorkshopError(f"{option}: got {short(name)}, {table.path} has {listed(table.names, 20)}{meant}")


def shipped_table(name: str) -> Path:
    """Returns the path of a table that ships with the package."""
    return files.shipped("datasets") / f"{name}.csv"


# A column named "area_m2" is an area in m2. Longer endings come first.
_UNITS = {"10_m2": "10 m2", "m2": "m2", "years": "years", "1000_pesos": "1,000 pesos", "10000_pesos": "10,000 pesos"}


def describe(table: Table, columns: Sequence[int] | None = None) -> list[Input]:
    """Returns columns of numbers (all by default) for a card: name, unit (by the name's ending) and range."""
    columns = range(len(table.names)) if columns is None else columns
    described = []
    for i, values in zip(columns, table.numbers(columns).T, strict=True):
        name = table.names[i]
        ending = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
        # Single precision holds 37.9 as 37.90000153.
        low, high = (float(f"{end:.6g}") for end in (values.min(), values.max()))
        title = name.removesuffix(f"_{ending}") if ending else name
        described.append(Input(title, _UNITS.get(ending, ""), low, high))
    return described
