"""The plots of the lesson on automatic differentiation: the tape as a graph, and the loss of a training by the tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of the steps v1 to v5 of z = x1 x2 + sin x1.
POSITIONS = ((0.0, 1.0), (0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (2.0, 0.5))


def graph(nodes: Sequence[tuple[str, float, float]], edges: Sequence[tuple[int, int, float]]) -> Figure:
    """Returns a figure of the tape: a box for each step, and at the arrows the gradients that flow back along them.

    Args:
        nodes: the five steps: operation, value and gradient.
        edges: the steps from which and to which a value flows, counted from 0, and the gradient that flows back.
    """
    figure, axes = plots.subplots(width=11, height=4.6)
    box_style = {"boxstyle": "round,pad=0.5", "facecolor": "#EAF3F9", "edgecolor": plots.BLUE, "linewidth": 2.2}
    boxes = []
    for i, ((name, value, gradient), position) in enumerate(zip(nodes, POSITIONS, strict=True), 1):
        text = f"v{i}: {name}\nvalue {value:.6g}\ngradient {gradient:.6g}"
        boxes.append(axes.text(*position, text, ha="center", va="center", fontsize=15, bbox=box_style))
    label_style = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    for source, target, gradient in edges:
        start, end = POSITIONS[source], POSITIONS[target]
        arrow_style = {
            "arrowstyle": "-|>",
            "color": plots.BLACK,
            "linewidth": 1.8,
            "mutation_scale": 22,
            "patchA": boxes[source].get_bbox_patch(),
            "patchB": boxes[target].get_bbox_patch(),
        }
        axes.annotate("", end, start, arrowprops=arrow_style, zorder=4)  # over the boxes
        x, y = np.average([start, end], axis=0, weights=[0.64, 0.36])
        label = f"{gradient:.6g}"
        axes.text(x, y, label, color=plots.VERMILION, fontsize=15, ha="center", va="center", bbox=label_style, zorder=5)
    axes.set(xlim=(-0.3, 2.3), ylim=(-0.35, 1.35))
    axes.set_title("Values flow along the arrows; gradients flow back (orange) and add up", fontsize=17)
    axes.axis("off")
    return figure


def loss(losses: Sequence[float]) -> Figure:
    """Returns a figure of the loss of each step of the training on XOR."""
    figure, axes = plots.subplots(width=8)
    curve = {"2-5-1 network": (np.arange(len(losses)), losses)}
    title = "XOR, trained with gradients from the tape"
    charts.draw_curves(axes, curve, x="step", y="mean squared error", title=title, logarithmic=True)
    return figure
