"""Contours over a plane: a classifier's probability over its two inputs, and the cost over a model's two weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.contour import ContourSet
    from matplotlib.figure import Figure


def draw_boundary(
    axes: Any,
    probability: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str] = ("x1", "x2"),
    classes: Sequence[str] = ("0", "1"),
    title: str = "",
    output: str = "",
    is_alone: bool = True,
) -> "ContourSet":
    """Draws a two-class model of two inputs: its probability as a shade, the boundary at 0.5, and the samples.

    Args:
        axes: the panel.
        probability: from points (n, 2), in the units of X, to the probability of class 1 (n,).
        X: samples (n, 2).
        y: their classes (n,), 0 or 1.
        names: of the two inputs, units included.
        classes: of the two classes.
        title: of the panel.
        output: what the shade shows, where it is not the probability of the second class.
        is_alone: whether the panel gets a colour bar and a legend of its own.

    Returns:
        The shade, for a colour bar.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.08 * (high - low)
    sides = [np.linspace(a, b, 200) for a, b in zip(low - margin, high + margin, strict=True)]
    grid = np.stack(np.meshgrid(*sides), axis=-1)
    values = np.asarray(probability(grid.reshape(-1, 2).astype(np.float32))).reshape(200, 200)
    values = np.clip(values, 0, 1)  # a linear output leaves the range
    shade = axes.contourf(*sides, values, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.5, vmin=0, vmax=1)
    axes.contour(*sides, values, levels=[0.5], colors=plots.BLACK, linewidths=2)
    # The colours of the samples are those of the map's two ends, darker; the shapes tell them apart as well.
    for value, colour, marker in ((0, "#7F3B08", "o"), (1, "#2D004B", "^")):
        axes.plot(*X[y == value].T, marker, color=colour, markersize=6, markeredgecolor="white", label=classes[value])
    axes.set(xlabel=names[0], ylabel=names[1], title=title)
    axes.grid(False)
    if is_alone:
        axes.figure.colorbar(shade, ax=axes, label=output or f"probability of {classes[1]}", ticks=[0, 0.5, 1])
        axes.legend(loc="upper right", frameon=True)
    return shade


def boundary_row(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    X: np.ndarray,
    y: np.ndarray,
    heading: str,
    *,
    names: Sequence[str] = ("x1", "x2"),
    classes: Sequence[str] = ("0", "1"),
    output: str = "",
) -> "Figure":
    """Returns a figure of several models' boundaries side by side, with one legend and one colour bar.

    Args:
        models: for each panel its title, and from points (n, 2) to the probability of class 1 (n,).
        X, y, names, classes, output: as `draw_boundary` takes them.
        heading: above all.
    """
    import matplotlib

    figure, axes = plots.subplots(1, len(models), width=4.4, height=4.8, sharey=True)
    panels = np.ravel(axes)
    with matplotlib.rc_context(plots.STYLE):
        for panel, (title, probability) in zip(panels, models.items(), strict=True):
            shade = draw_boundary(
                panel, probability, X, y, names=names, classes=classes, title=title, output=output, is_alone=False
            )
            panel.label_outer()
        label = output or f"probability of {classes[1]}"
        figure.colorbar(shade, ax=list(panels), label=label, ticks=[0, 0.5, 1], pad=0.01, fraction=0.1 / len(panels))
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        figure.suptitle(heading, fontsize=16)
    return figure
