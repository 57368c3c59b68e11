"""Samples of two classes for the lesson `perceptron`, and what is told of a training on them.

The pictures of the lines that part them are in `perceptron_plots`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workshop.kit.data import tables
from workshop.kit.errors import WorkshopError


def with_ones(X: np.ndarray) -> np.ndarray:
    """Returns X (rows, features) with a column of ones: the bias becomes the last weight, and w.x + b becomes w.x."""
    return np.column_stack([X, np.ones(len(X))])


class Samples(NamedTuple):
    """Samples of two classes.

    Attributes:
        X: (n, features + 1), with ones in the last column.
        y: their classes (n,), -1 or 1.
        names: of the features.
        classes: the names of the classes, that of -1 first.
        source: what a run says that it used.
    """

    X: np.ndarray
    y: np.ndarray
    names: Sequence[str]
    classes: Sequence[str]
    source: str


def on_grid(X: np.ndarray, parts: int = 2**16) -> np.ndarray:
    """Returns X rounded to multiples of 1 / parts, a power of 2.

    A computer adds such numbers exactly. Sums of others are rounded, and another order of the samples, or other shares
    of them, would change the last bits.
    """
    return np.round(X * parts) / parts


def scaled(X: np.ndarray) -> np.ndarray:
    """Returns columns of mean 0 and deviation 1, on the grid, and the ones."""
    deviation = X.std(axis=0)
    return with_ones(on_grid((X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1)))


def around_the_line(w: np.ndarray, count: int, margin: float, random: np.random.Generator) -> Samples:
    """Returns points, in turn from one side of the line w.x = 0 and from the other, none nearer to it than `margin`."""
    X = with_ones(on_grid(random.uniform((-12, -5), (8, 6), (50 * count, 2)), 64))
    distance = X @ w / np.linalg.norm(w[:2])
    sides = [X[side][: count // 2] for side in (distance < -margin, distance > margin)]
    X, y = np.stack(sides, 1).reshape(-1, 3), np.tile([-1.0, 1.0], count // 2)
    return Samples(X, y, ("x1", "x2"), ("-1", "1"), f"{count} points around a line")


def load_irises(random: np.random.Generator) -> Samples:
    """Returns 100 real flowers of two kinds that overlap: Anderson's irises, published by Fisher (1936).

    Both lengths are whole millimetres, above or below about their means.
    """
    from sklearn.datasets import load_iris

    found = load_iris()
    rows = random.permutation(np.flatnonzero(found.target > 0))
    X = np.round(10 * found.data[rows][:, 2:])
    middle = np.round(X.mean(axis=0))
    names = [f"petal {side} - {at:g}, mm" for side, at in zip(("length", "width"), middle, strict=True)]
    y = np.where(found.target[rows] == 2, 1.0, -1.0)
    return Samples(with_ones(X - middle), y, names, ("versicolor", "virginica"), f"Fisher's irises ({len(y)} flowers)")


def load_table(path: Path) -> Samples:
    """Returns the samples of a table of one's own: columns of numbers, which are scaled, then a class of two.

    Raises:
        WorkshopError: the file is no such table.
    """
    table = tables.read_table(path, at_least=4)
    *features, target = table.names
    if len(features) < 2:
        raise WorkshopError(f"{path}: has {len(table.names)} columns, takes two or more of numbers, then the class")
    texts = table.texts(len(features))
    table.check_classes(texts)
    # The class of the first row is -1: with weights 0 its answer is then a mistake, by scikit-learn's count as well.
    classes = list(dict.fromkeys(texts.tolist()))
    if len(classes) > 2:
        listed = ", ".join(name[:40] for name in classes[:3])
        raise WorkshopError(f"{path}, column {target}: has {len(classes)} classes ({listed}, ...), takes two")
    X = scaled(table.numbers(range(len(features))).astype(np.float64))
    y = np.where(texts == classes[0], -1.0, 1.0)
    return Samples(X, y, [f"{name}, scaled" for name in features], classes, table.source)


def load(path: Path | None, line: np.ndarray, count: int, margin: float, seed: int) -> list[Samples]:
    """Returns `count` points that `line` parts, then irises that no line parts; or else the one table in the file."""
    if path is not None:
        return [load_table(path)]
    random = np.random.default_rng(seed)
    return [around_the_line(line, count, margin, random), load_irises(random)]


class Training(NamedTuple):
    """How a training went.

    Attributes:
        weights: of the features, and the bias.
        epochs: passes over the samples, the last one, which had no mistake, included.
        updates: how often the weights changed.
        mistakes: in each epoch, as the samples came by.
        path: the weights after each epoch (epochs, weights).
    """

    weights: np.ndarray
    epochs: int
    updates: int
    mistakes: list[int]
    path: np.ndarray


def accuracy(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Returns the share of samples on the right side of the line."""
    return float(np.mean((X @ w >= 0) == (y > 0)))


def off_centre(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Returns how far the line is from the middle between the two classes' means."""
    middle = (X[y < 0].mean(axis=0) + X[y > 0].mean(axis=0)) / 2
    return float(abs(middle @ w) / np.linalg.norm(w[:-1]))


def find_cycle(path: np.ndarray) -> tuple[int, int] | None:
    """Returns the first epoch whose weights come back, and after how many epochs; None where all are different."""
    seen: dict[bytes, int] = {}
    for epoch, w in enumerate(path, 1):
        first = seen.setdefault(w.tobytes(), epoch)
        if first < epoch:
            return first, epoch - first
    return None


def as_text(w: np.ndarray) -> str:
    """Returns weights as a text."""
    return "(" + ", ".join(f"{weight:.6g}" for weight in w) + ")"
