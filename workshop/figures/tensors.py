"""The plots of the lesson on tensors: how views read memory, how broadcasting stretches arrays, and the seconds."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_COLORS = ("#A6CBE3", "#F5CFA0", "#9FD8C4", "#E3C1D5")  # blue, orange, green, purple; pale, to be written on
UNUSED_COLOR = "#F2F2F2"


def memory(base: np.ndarray, views: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Returns a figure of views of a matrix: on the left the view, on the right the memory that it is read from.

    Arrows lead through the memory in the order in which the view is read, row by row.

    Args:
        base: a contiguous matrix of the numbers 0, 1, 2, ... in up to four rows; each row has its color.
        views: by their titles the views (rows, columns) and the addresses of their numbers, of the same shape. A copy
            has its own memory.
    """
    figure, axes = plots.subplots(len(views), 2, width=6.2, height=2.15, width_ratios=[1, 2.6])
    colors = np.repeat(ROW_COLORS[: len(base)], base.shape[1])
    longest = max(max(view.shape) for view, _ in views.values())
    for (left, right), (title, (view, addresses)) in zip(axes, views.items(), strict=True):
        is_view = np.shares_memory(view, base)
        stored = np.arange(base.size) if is_view else view.ravel()
        read = set()
        for (row, column), address in np.ndenumerate(addresses):
            number = view[row, column]
            _draw_cell(left, column, row, number, colors[number], is_stored=address not in read)
            read.add(address)
        for address, number in enumerate(stored):
            _draw_cell(right, address, 0, number, colors[number] if address in read else UNUSED_COLOR)
        _draw_reading_order(right, addresses.ravel())

        strides = tuple(int(stride) // view.itemsize for stride in view.strides)
        properties = ["contiguous" if view.flags.c_contiguous else "not contiguous"]
        if not is_view:
            properties.append("its own memory")
        left.set_title(title if len(title) < 20 else title.replace(", ", ",\n", 1), fontsize=13)
        right.set_title(f"strides {strides}: {', '.join(properties)}", fontsize=13, loc="left")
        left.set(xlim=(-0.6, longest - 0.4), ylim=(longest - 0.4, -0.6))
        right.set(xlim=(-0.7, base.size - 0.3), ylim=(1.9, -1.5))
        for panel in (left, right):
            panel.set_aspect("equal")
            panel.axis("off")
    figure.suptitle("One memory, many views: strides are the distances to the next row and column", fontsize=16)
    return figure


def broadcasting(sums: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray | str]]) -> Figure:
    """Returns a figure of sums of arrays of different shapes: stored numbers are solid, repeated ones dashed.

    Args:
        sums: by their titles two arrays of one or two axes, of up to four columns, and their sum or the error.
    """
    figure, axes = plots.subplots(len(sums), 1, width=9.5, height=2.3)
    for panel, (title, (first, second, total)) in zip(np.ravel(axes), sums.items(), strict=True):
        for x, array, color, sign in ((0, first, ROW_COLORS[0], "+"), (5.5, second, ROW_COLORS[1], "=")):
            stretched = np.atleast_2d(array) if isinstance(total, str) else np.broadcast_to(array, total.shape)
            rows, columns = np.atleast_2d(array).shape
            for (row, column), number in np.ndenumerate(stretched):
                is_stored = row < rows and column < columns
                _draw_cell(panel, x + column, row, number, color if is_stored else "white", is_stored)
            panel.text(x + 1, -0.95, f"{array.shape}", ha="center", fontsize=13)
            panel.text(x + 4, 0.5, sign, ha="center", va="center", fontsize=22)
        if isinstance(total, str):
            panel.text(10.6, 0.5, textwrap.fill(total, 24), va="center", color=plots.VERMILION, fontsize=13)
        else:
            for (row, column), number in np.ndenumerate(total):
                _draw_cell(panel, 11 + column, row, number, ROW_COLORS[2])
            panel.text(12, -0.95, f"{total.shape}", ha="center", fontsize=13)
        panel.set_title(title, loc="left")
        panel.set(xlim=(-0.7, 16), ylim=(1.6, -1.4))
        panel.set_aspect("equal")
        panel.axis("off")
    figure.suptitle("Broadcasting: an axis that is missing, or of length 1, is repeated", fontsize=15)
    return figure


def seconds(sizes: Sequence[int], measured: Mapping[str, Sequence[float]]) -> Figure:
    """Returns a figure of the seconds of Python's loops, solid, and of operations on arrays, dashed.

    Args:
        sizes: the numbers of numbers.
        measured: the seconds at each size by the names of the ways; those whose name begins with "cost" are drawn on
            the right, the others on the left.
    """
    figure, axes = plots.subplots(1, 2, width=6.4, height=4.8, sharey=True)
    costs = {name: values for name, values in measured.items() if name.startswith("cost")}
    squares = {name: values for name, values in measured.items() if name not in costs}
    titles = ("The square of each number", "The cost of a line")
    for panel, ways, title in zip(np.ravel(axes), (squares, costs), titles, strict=True):
        for (name, values), color, marker in zip(ways.items(), plots.COLOURS, plots.MARKERS, strict=False):
            uses_arrays = name == list(ways)[-1]
            line_style = "--" if uses_arrays else "-"
            panel.plot(sizes, np.multiply(values, 1000), line_style, marker=marker, color=color, label=name)
        panel.set(xscale="log", yscale="log", xlabel="n, how many numbers", ylabel="milliseconds", title=title)
        panel.legend(fontsize=13)
    figure.suptitle("The same numbers, computed with Python loops and with arrays", fontsize=16)
    return figure


def _draw_cell(panel: Axes, x: float, y: float, number: object, color: str, is_stored: bool = True) -> None:
    """Draws a square around (x, y), dashed and grey where the number in it is not stored."""
    from matplotlib.patches import Rectangle

    line_style = "-" if is_stored else (0, (3, 2))
    edge_color = plots.BLACK if is_stored else "#888888"
    text_color = plots.BLACK if is_stored else "#777777"
    panel.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor=edge_color, linestyle=line_style))
    panel.text(x, y, str(number), ha="center", va="center", color=text_color, fontsize=12)


def _draw_reading_order(panel: Axes, addresses: np.ndarray) -> None:
    """Draws arrows from address to address: blue forwards above, vermilion backwards below; the first has a circle."""
    from matplotlib.patches import FancyArrowPatch

    panel.plot(addresses[0], 0, "o", markersize=22, markerfacecolor="none", markeredgecolor=plots.BLACK)
    for start, end in pairwise(addresses):
        is_forward = end > start
        distance = abs(int(end) - int(start))
        bend = -2 * min(0.25 + 0.1 * distance, 1.0) / distance  # the height of an arc is half its bend
        height = -0.52 if is_forward else 0.52
        arrow = FancyArrowPatch(
            (start, height),
            (end, height),
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=11,
            linewidth=1.4,
            color=plots.BLUE if is_forward else plots.VERMILION,
            shrinkA=0,
            shrinkB=0,
        )
        panel.add_patch(arrow)
