"""Photographs by number and by name: so many of each class, what that number is worth, classes by the files' names."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import cli, plots
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.photos import dataset as photos
from workshop.kit.plots import charts

_LISTED = 5  # pictures that were left out, on the screen


def by_name(found: photos.PhotoSet) -> photos.PhotoSet:
    """Returns the photographs by what their names begin with: "train/cats/Abyssinian_12.jpg" is an Abyssinian.

    A picture whose name is not of this form is left out, and so is a class that one of the parts has no picture of.

    Raises:
        WorkshopError: fewer than two classes are left.
    """
    pattern = re.compile(r"(?:.*/)?(.+)_\d+\.[^.]+")
    parts = [
        [match[1] if (match := pattern.fullmatch(name)) else "" for name in names]
        for names in (found.names_train, found.names_validation)
    ]
    classes = tuple(sorted((set(parts[0]) & set(parts[1])) - {""}))
    if len(classes) < 2:
        got = f"only {one_line(classes[0])}" if classes else "no class"
        raise WorkshopError(
            f"--by-name: got {got} with pictures in both parts, takes two or more: Abyssinian_12.jpg, Bengal_7.jpg"
        )
    rows, validation_rows = ([i for i, name in enumerate(part) if name in classes] for part in parts)
    names, validation_names = [found.names_train[i] for i in rows], [found.names_validation[i] for i in validation_rows]
    y, y_validation = (np.array([classes.index(name) for name in part if name in classes], np.int32) for part in parts)
    counts = np.bincount(y).tolist()
    print(f"By name   {one_line(', '.join(map('{} ({})'.format, classes, counts)))}")
    left_out = sorted({*found.names_train, *found.names_validation} - {*names, *validation_names})
    for name in left_out[:_LISTED]:
        print(f"Left out  {one_line(name)}: its name gives no class that both parts have")
    if len(left_out) > _LISTED:
        print(f"Left out  {len(left_out) - _LISTED:,} more")
    return dataclasses.replace(
        found, X_train=found.X_train[rows], y_train=y, names_train=names, classes=classes, y_validation=y_validation,
        X_validation=found.X_validation[validation_rows], names_validation=validation_names,
    )  # fmt: skip


def count_or_all(text: str) -> int | str:
    """Parses an element of `--pictures`."""
    return text if text == "all" else cli.whole_number(2)(text)


def sizes(wanted: Sequence[int | str], y: np.ndarray, classes: Sequence[str]) -> list[int | str]:
    """Returns the numbers of pictures of each class to compare at: those that every class has, and "all" at the end."""
    counts = np.bincount(y, minlength=len(classes))
    smallest = int(counts.argmin())
    kept: list[int | str] = []
    for count in sorted({one for one in wanted if isinstance(one, int)}):
        if count > counts[smallest]:
            print(f"Left out  {count} of each class: {one_line(classes[smallest])} has {counts[smallest]}")
        elif count * len(classes) < len(y) or "all" not in wanted:  # else it is the same as all
            kept.append(count)
    return [*kept, "all"] if "all" in wanted or not kept else kept


def choose(y: np.ndarray, count: int | str, seed: int) -> np.ndarray:
    """Returns the rows of so many pictures of each class, the first of a shuffle that the seed decides."""
    order = np.random.default_rng(seed).permutation(len(y))
    if count == "all":
        return order
    return np.concatenate([order[y[order] == label][:count] for label in np.unique(y)])


def draw_accuracy(table: Mapping[str, Mapping[float, float]], title: str) -> Any:
    """Returns a figure: for each method the validation accuracy by the number of pictures of each class."""
    figure, axes = plots.subplots(width=8)
    curves = {method: (list(found), list(found.values())) for method, found in table.items()}
    charts.draw_curves(axes, curves, x="pictures of each class", y="validation accuracy", title=title)
    for line, marker in zip(axes.lines, plots.MARKERS, strict=False):
        line.set(marker=marker, markersize=9)
    axes.legend(fontsize=13, frameon=False)  # anew, with the markers
    axes.set_xscale("log")
    ticks = sorted({count for found in table.values() for count in found})
    axes.set_xticks(ticks, [f"{count:g}" for count in ticks])
    axes.minorticks_off()
    return figure
