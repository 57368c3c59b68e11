"""The plots of the lesson `recurrent_cells`: gradients by distance, clipping, one direction and both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gradients(norms: Mapping[str, np.ndarray], losses: Mapping[str, Sequence[float]]) -> Figure:
    """Returns a figure of the gradient's norm by distance, and of the losses of a training without and with clipping.

    Args:
        norms: for each cell the norm of the gradient by distance (steps,), 1 at the last step.
        losses: by the name of the training; a loss that is no longer finite ends its curve.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7.2, height=5)
    for (name, norm), colour, marker in zip(norms.items(), plots.COLOURS, plots.MARKERS, strict=False):
        left.plot(norm, color=colour, marker=marker, markevery=(12, 25), markersize=8, label=name)
    left.set_yscale("log")
    left.set(xlabel="steps back from the last one", ylabel="norm of the gradient (at the last step: 1)")
    left.set(title="Gradient norm by distance")
    left.legend(fontsize=12, frameon=False, loc="lower left")
    top = 1e4 * max(loss for values in losses.values() for loss in values if np.isfinite(loss))
    colours = (plots.VERMILION, plots.BLUE)
    for (name, values), colour, marker in zip(losses.items(), colours, ("X", "o"), strict=True):
        has_diverged = not np.isfinite(values[-1])
        right.plot(
            np.where(np.isfinite(values), values, top),
            color=colour,
            linestyle="--" if has_diverged else "-",
            marker=marker,
            markevery=1 if has_diverged else 10,
            markersize=9,
            label=f"{name}: not finite at step {len(values) - 1}" if has_diverged else name,
        )
    right.set_yscale("log")
    right.set(xlabel="training step", ylabel="loss (mean squared error)", title="SimpleRNN, relu, U = 1.1 I")
    right.legend(fontsize=12, frameon=False)
    return figure


def directions(losses: Mapping[str, Sequence[float]], limit: float) -> Figure:
    """Returns a figure of the losses of layers that predict at each step from what lies before and after it.

    Args:
        losses: by the name of the layer, one a training step.
        limit: the least that a layer for one direction can reach.
    """
    figure, axes = plots.subplots(width=8)
    curves = {name: (range(1, len(values) + 1), values) for name, values in losses.items()}
    title = "The mean of the numbers before and after each step"
    axes.axhline(limit, color="0.4", linestyle="--", label="lower bound, one direction")
    charts.draw_curves(axes, curves, x="training step", y="mean squared error", title=title, logarithmic=True)
    return figure
