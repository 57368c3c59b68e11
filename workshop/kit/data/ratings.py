"""Ratings of items by users: a table, read and checked, and its stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from workshop.kit.data import shared_folder, tables
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

RATINGS = "restaurant_ratings.csv"
MIN_RATINGS = 50
MAX_VALUES = 20
MAX_CELLS = 20_000_000


class Ratings(NamedTuple):
    """Ratings of items by users, one of each pair at most.

    Attributes:
        users, items: of each rating the number of its user and of its item (n,).
        grades: of each rating its place among the values (n,).
        values: the ratings that occur, ascending (levels,).
        names: of users and of items, for plots.
        source, place: the name of the table for reports, and its folder.
    """

    users: np.ndarray
    items: np.ndarray
    grades: np.ndarray
    values: np.ndarray
    names: tuple[str, str]
    source: str
    place: str = ""

    @property
    def counts(self) -> tuple[int, int]:
        """The numbers of users and of items."""
        return int(self.users.max()) + 1, int(self.items.max()) + 1

    def matrix(self) -> np.ndarray:
        """Returns the ratings (users, items), NaN where there is none."""
        cells = np.full(self.counts, np.nan)
        cells[self.users, self.items] = self.values[self.grades]
        return cells


def generated_ratings() -> Ratings:
    """Returns made-up ratings: 138 users of two tastes rate about 8 of 130 places each with 0, 1 or 2."""
    random = np.random.default_rng(0)
    source = f"generated ratings (stand-in for {RATINGS})"
    users, items = np.nonzero(random.random((138, 130)) < 0.065)
    kindness, quality = random.normal(1.2, 0.5, 138), random.normal(0, 0.35, 130)
    tastes = random.choice([-1, 1], 138)[users] * random.choice([-1, 1], 130)[items]
    liked = kindness[users] + quality[items] + 0.25 * tastes + random.normal(0, 0.4, len(users))
    return Ratings(users, items, np.clip(np.rint(liked), 0, 2).astype(int), np.arange(3.0), ("users", "places"), source)


def read_ratings(path: FilePath) -> Ratings:
    """Returns the ratings of a table, whose first three columns are the user, the item and the rating.

    Raises:
        WorkshopError: it is no such table, or too large a one.
    """
    path = Path(path)
    table = tables.read_table(path)
    where = f"{path}: "
    if len(table.names) < 3:
        raise WorkshopError(f"{where}has {len(table.names)} columns, takes three: user, item, rating")
    column = table.columns[2]
    if column.kind != "number":
        table.numbers([2])  # names the cell that is no number, and refuses it
    is_known = np.isfinite(column.values)
    if not is_known.all():
        print(f"Note      {np.count_nonzero(~is_known)} rows without a rating are left out")
    pairs = np.stack([table.texts(0), table.texts(1)], axis=1)[is_known]
    # Of ratings of the same item by the same user the last one counts.
    _, backwards = np.unique(pairs[::-1], axis=0, return_index=True)
    last = np.sort(len(pairs) - 1 - backwards)
    if len(last) < len(pairs):
        print(f"Note      {len(pairs) - len(last)} ratings came twice: the last one of a user for an item counts")
    users, items = (np.unique(pairs[last, i], return_inverse=True)[1] for i in (0, 1))
    values, grades = np.unique(column.values[is_known][last], return_inverse=True)
    if len(last) < MIN_RATINGS or not 2 <= len(values) <= MAX_VALUES:
        raise WorkshopError(
            f"{where}has {len(last)} ratings of {len(values)} different values, takes {MIN_RATINGS} or more of 2 to "
            f"{MAX_VALUES} values in the third column, {column.name}"
        )
    ratings = Ratings(
        users, items, grades, values.astype(float), (table.names[0], table.names[1]), table.source, str(path.parent)
    )
    if np.prod(ratings.counts) * len(values) > MAX_CELLS:
        raise WorkshopError(
            f"{where}has {ratings.counts[0]:,} users and {ratings.counts[1]:,} items, takes up to {MAX_CELLS:,} cells: "
            "keep the users or the items with the most ratings"
        )
    return ratings


def load_ratings(path: FilePath | None) -> Ratings:
    """Returns the ratings of a file, or of the shared data folder, or generated ones, announced."""
    path = path or shared_folder.shared_file(RATINGS)
    if path is not None:
        return read_ratings(path)
    print(f"Data      no {RATINGS} {shared_folder.searched()}: generated ratings instead")
    return generated_ratings()
