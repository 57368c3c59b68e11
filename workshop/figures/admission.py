"""The plots of the lesson `admission`: training losses, and decision boundaries over two features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts, contours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {"neuron": "One neuron: a line", "network": "8 and 4 hidden units: a curve"}


def losses(losses: Mapping[str, Sequence[float]]) -> Figure:
    """Returns the training losses, for each model one value an epoch."""
    curves = {kind: (np.arange(1, len(values) + 1), values) for kind, values in losses.items()}
    title = "Training loss of the neuron and of the network"
    return charts.losses(curves, y="training loss (cross-entropy)", title=title, logarithmic=False)


def boundaries(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    X: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str],
    classes: Sequence[str],
    example: tuple[float, float] | None = None,
) -> Figure:
    """Returns the decision boundaries of both models side by side.

    Args:
        models: by their kinds, from points (n, 2) in the units of X to the probability of class 1.
        X, y: the rows, (n, 2), and their classes (n,), 0 or 1.
        names: of the two features, units included.
        classes: of the two classes.
        example: a point that both models predict, drawn as a star.
    """
    panels = {TITLES[kind]: model for kind, model in models.items()}
    figure = contours.boundary_row(panels, X, y, "Decision boundaries", names=names, classes=classes)
    if example is not None:
        for panel in figure.axes[: len(panels)]:
            panel.plot(*example, "*", color=plots.BLACK, markersize=16, markeredgecolor="white")
            text = " and ".join(f"{points:g}" for points in example)
            panel.annotate(text, example, (0, -12), textcoords="offset points", ha="center", va="top", fontsize=12)
    return figure
