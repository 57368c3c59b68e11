"""The finished rows of a table, in a file: a run that is killed goes on with those that are missing."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

Row = dict[str, str]  # of a table: the cells by the names of the columns, as they are in a CSV


class Rows:
    """The finished rows of a table, in a CSV file that each is appended to.

    A run that is killed loses the rows that were being trained, and no other.

    Args:
        path: of the file. What is in it is read; half a line at its end is left out.
        key: the columns that tell one row from another; they come first.

    Raises:
        WorkshopError: the file is another table.
    """

    def __init__(self, path: FilePath, key: Sequence[str]) -> None:
        self.path, self.key = Path(path), [*key]
        self.rows: list[Row] = []
        self._columns: list[str] = []  # of the file, where a line can be appended to it
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        with contextlib.suppress(UnicodeDecodeError):
            text, _, half = self.path.read_text("utf-8").rpartition("\n")
            columns, *lines = [*csv.reader(text.splitlines())] or [self.key]
            if columns[: len(self.key)] == self.key and all(len(cells) == len(columns) for cells in lines):
                self.rows = [{name: cell for name, cell in zip(columns, cells, strict=True) if cell} for cells in lines]
                self._columns = [] if half else columns
                return
        raise WorkshopError(
            f"{self.path} is no table of {', '.join(self.key)}, ... with as many cells in each line: "
            f"move it away, or take another --results"
        )

    def find(self, key: Mapping[str, str]) -> Row | None:
        """Returns the row with these cells, or None where it is not there yet."""
        return next((row for row in self.rows if all(row.get(name) == key[name] for name in self.key)), None)

    def append(self, row: Row) -> None:
        """Adds a row, and waits until it is on the disk."""
        self.rows.append(row)
        columns = [*dict.fromkeys([*self._columns, *(name for row in self.rows for name in row)])]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        if columns == self._columns:
            writer.writerow(row)
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
        else:  # the first row, one with another metric than those before it, or the one after half a line
            writer.writeheader()
            writer.writerows(self.rows)
            files.write_atomically(self.path, text.getvalue().encode())
            self._columns = columns
