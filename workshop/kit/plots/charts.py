"""Charts of numbers: losses and other curves, a line through points, predictions, bars, and a confusion matrix.

Most draw into one panel of a figure that `plots.subplots` made, so that a lesson puts side by side what it likes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def losses(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, y: str = "training loss", title: str, logarithmic: bool = True
) -> "Figure":
    """Returns a figure of training losses: for each model the epochs passed and its loss then."""
    figure, axes = plots.subplots(width=8)
    draw_curves(axes, curves, y=y, title=title, logarithmic=logarithmic)
    return figure


def draw_curves(
    axes: Any,
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    x: str = "epoch",
    y: str = "loss",
    title: str = "",
    logarithmic: bool = False,
) -> None:
    """Draws named curves (x values, y values) into one panel."""
    for (label, (x_values, y_values)), colour in zip(curves.items(), plots.COLOURS, strict=False):
        marker = "o" if np.size(y_values) == 1 else None  # a single epoch makes no line
        axes.plot(x_values, y_values, color=colour, linewidth=2.2, marker=marker, markersize=9, label=label)
    # Curves that are nowhere above 0 have no logarithm to show.
    if logarithmic and any(np.any(np.asarray(values) > 0) for _, values in curves.values()):
        axes.set_yscale("log")
    if x == "epoch":
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.legend(fontsize=13, frameon=False)


def draw_line(
    axes: Any,
    x_values: np.ndarray,
    y_values: np.ndarray,
    weight: float,
    bias: float,
    *,
    x: str = "x",
    y: str = "y",
    title: str = "",
) -> None:
    """Draws points and the line weight * x + bias through them into one panel."""
    ends = np.array([x_values.min(), x_values.max()])
    equation = f"y = {weight:.3g} x {'-' if bias < 0 else '+'} {abs(bias):.3g}"
    axes.plot(ends, weight * ends + bias, color=plots.VERMILION, linewidth=2.2, label=equation)
    axes.plot(x_values, y_values, "o", color=plots.BLUE, markersize=8, markeredgecolor="white", label="data")
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.legend(fontsize=13, frameon=False)


def draw_predictions(
    axes: Any, pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], *, of: str = "y", title: str = ""
) -> None:
    """Draws predicted against true values: for each name in `pairs` the true ones (n,) and the predicted (n,)."""
    for (label, (true, predicted)), colour, marker in zip(pairs.items(), plots.COLOURS, plots.MARKERS, strict=False):
        axes.plot(true, predicted, marker, color=colour, markersize=7, markeredgecolor="white", label=label)
    everything = np.concatenate([np.ravel(values) for pair in pairs.values() for values in pair])
    ends = [everything.min(), everything.max()]
    axes.plot(ends, ends, "--", color=plots.BLACK, linewidth=1.5, label="predicted = true")
    axes.set(xlabel=f"true {of}", ylabel=f"predicted {of}", title=title)
    axes.legend(fontsize=13, frameon=False)


def draw_bars(
    axes: Any,
    bars: Mapping[str, Sequence[float]],
    groups: Sequence[str],
    *,
    value: str = "{:.3g}",
    y: str = "",
    title: str = "",
) -> None:
    """Draws bars side by side with their values, formatted by `value`, on top: for each name a bar in each group."""
    width = 0.8 / len(bars)
    for i, ((label, heights), colour) in enumerate(zip(bars.items(), plots.COLOURS, strict=False)):
        at = np.arange(len(groups)) + (i - (len(bars) - 1) / 2) * width
        drawn = axes.bar(at, heights, 0.92 * width, color=colour, label=label)
        axes.bar_label(drawn, fmt=value, fontsize=13, padding=2)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(ylabel=y, title=title)
    axes.margins(y=0.2)
    axes.set_axisbelow(True)
    axes.grid(axis="x", visible=False)
    axes.legend(fontsize=13, frameon=False, loc="upper center", ncols=len(bars))


def confusion_matrix(matrix: np.ndarray, classes: Sequence[str], title: str) -> "Figure":
    """Returns a figure of a confusion matrix: rows the true classes, columns the predicted ones."""
    size = max(5.0, 0.75 * len(classes) + 1.5)
    figure, axes = plots.subplots(width=size + 1, height=size)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*matrix.shape):
        if matrix[row, column]:
            colour = "white" if share[row, column] > 0.5 else plots.BLACK
            axes.text(column, row, f"{matrix[row, column]}", ha="center", va="center", color=colour, fontsize=10)
    ticks = range(len(classes))
    is_long = max(len(name) for name in classes) > 3
    axes.set_xticks(ticks, classes, rotation=45 if is_long else 0, ha="right" if is_long else "center")
    axes.set_yticks(ticks, classes)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    axes.grid(False)
    return figure
