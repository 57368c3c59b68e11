"""Figures of gradient descent: paths on a loss surface, the loss by steps, and an animation of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (plots.VERMILION, plots.BLUE)  # plain, with momentum


class Surface(NamedTuple):
    """A loss surface over two weights.

    Attributes:
        slopes, intercepts: the weights (m,), (n,) of the grid.
        heights: the loss above its minimum, (n, m).
        start, minimum: weights (2,).
    """

    slopes: np.ndarray
    intercepts: np.ndarray
    heights: np.ndarray
    start: np.ndarray
    minimum: np.ndarray


def draw_surface(axes: Axes, surface: Surface, title: str) -> None:
    """Draws the contours of the loss, its minimum and the start."""
    slopes, intercepts, heights, start, minimum = surface
    # Each contour is twice as high above the minimum as the one before: even steps would show nothing near it.
    axes.contour(slopes, intercepts, heights, 2.0 ** np.arange(12), colors="#999999", linewidths=1)
    axes.plot(*start, "s", color=plots.BLACK, markersize=8, label="start", zorder=4)
    axes.plot(*minimum, "*", color=plots.GREEN, markersize=17, markeredgecolor="white", label="minimum", zorder=4)
    axes.set(xlabel="slope", ylabel="intercept", title=title)
    axes.set(xlim=(slopes[0], slopes[-1]), ylim=(intercepts[0], intercepts[-1]))
    axes.grid(False)


def paths(
    surface: Surface, paths: Mapping[float, np.ndarray], diverging: Sequence[bool], colour: str, title: str
) -> Figure:
    """Returns a figure of one path on the loss surface for each learning rate.

    Args:
        surface: the same in all panels.
        paths: by six learning rates, the weights (steps + 1, 2).
        diverging: whether each of them diverges.
        colour: of the paths.
        title: of the figure.
    """
    figure, axes = plots.subplots(2, 3, width=4.3, height=3.9, sharex=True, sharey=True)
    for panel, (rate, path), diverges in zip(axes.flat, paths.items(), diverging, strict=True):
        draw_surface(panel, surface, f"rate {rate:g}: {'diverges' if diverges else 'descends'}")
        panel.title.set_color(plots.VERMILION if diverges else plots.BLACK)
        panel.plot(*path.T, ".-", color=colour, linewidth=1.8, markersize=7)
        panel.label_outer()
    axes[0, 0].legend(loc="upper right", frameon=True, fontsize=11)
    figure.suptitle(title, fontsize=16)
    return figure


class Factors(NamedTuple):
    """The convergence factors of one momentum: those from 1 up diverge.

    Attributes:
        limit: the learning rate from which on it diverges.
        rates, factors: a curve (n,), (n,).
        used_rates, used_factors: those of the paths.
    """

    limit: float
    rates: np.ndarray
    factors: np.ndarray
    used_rates: Sequence[float]
    used_factors: Sequence[float]


def losses(losses: Mapping[str, Mapping[float, np.ndarray]], factors: Mapping[str, Factors]) -> Figure:
    """Returns a figure: how the loss falls or rises with the steps and, in the last panel, what decides it.

    Args:
        losses: plain and with momentum, by the learning rate the loss above its minimum after each step (steps + 1,).
        factors: by the same names, the factors by which a step multiplies the distance to the minimum.
    """
    figure, axes = plots.subplots(1, 3, width=5.2, height=4.6)
    panels = axes.flat
    last = panels[2]
    for panel, (name, by_rate), colour in zip(panels, losses.items(), COLOURS, strict=False):
        for (rate, loss), shade, marker in zip(by_rate.items(), plots.COLOURS, plots.MARKERS, strict=False):
            panel.plot(loss, color=shade, marker=marker, markersize=7, markevery=5, label=f"rate {rate:g}")
        panel.set(xlabel="step", ylabel="E above its minimum", yscale="log", ylim=(1e-6, 1e10), title=name)
        limit, rates, curve, used_rates, used_factors = factors[name]
        last.plot(rates, curve, color=colour, label=f"{name}: 1 at rate {limit:.4f}")
        last.plot(used_rates, used_factors, "o", color=colour)
    panels[0].legend(fontsize=11, ncols=2, loc="upper left", frameon=True)
    last.axhline(1, color=plots.BLACK, linestyle="--", linewidth=1.5)
    last.set(xlabel="learning rate", ylabel="distance after a step / before", ylim=(0.45, 1.6))
    last.set_title("Above 1 it diverges")
    last.legend(fontsize=12, loc="lower left")
    return figure


def walk(
    surface: Surface,
    x: np.ndarray,
    y: np.ndarray,
    best_line: np.ndarray,
    rate: float,
    paths: Mapping[str, np.ndarray],
    lines: Mapping[str, np.ndarray],
    losses: Mapping[str, np.ndarray],
) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of two descents in it, as `animation.save` takes them.

    Each frame shows the iterates on the loss surface, and the lines through the points that these weights are.

    Args:
        surface: the loss surface.
        x, y: the points (n,).
        best_line: the line of the minimum (n,), at x.
        rate: the learning rate.
        paths: plain and with momentum, the weights (steps + 1, 2).
        lines: by the same names, the lines (steps + 1, n) of these weights at x.
        losses: by the same names, the loss (steps + 1,).
    """
    figure, axes = plots.subplots(1, 2, width=5.2, height=5.0)
    plane, points = axes.flat

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        draw_surface(plane, surface, "")
        points.plot(x, y, "o", color=plots.BLACK, markersize=9, label="the points", zorder=4)
        points.plot(x, best_line, ":", color=plots.GREEN, linewidth=3, label="minimum", zorder=4)
        points.set(xlabel="x", ylabel="y", xlim=(-0.2, 4.2), ylim=(-19, 19))
        moving = []
        # The first is drawn larger and wider, so that both are seen where they are at the same place.
        for (name, path), colour, size in zip(paths.items(), COLOURS, (16, 10), strict=True):
            (trail,) = plane.plot([], [], ".-", color=colour, linewidth=1.5, alpha=0.6)
            (iterate,) = plane.plot(
                [], [], "o", color=colour, markersize=size, markeredgecolor="white", label=name, zorder=5
            )
            (line,) = points.plot([], [], color=colour, linewidth=size / 3, label=name)
            moving.append((path, lines[name], trail, iterate, line))
        plane.legend(loc="upper right", fontsize=11, frameon=True)
        points.legend(loc="lower left", fontsize=11, frameon=True, ncols=2)
        last = len(moving[0][0]) - 1
        for step in range(last + 1):
            for path, heights, trail, iterate, line in moving:
                trail.set_data(*path[: step + 1].T)
                iterate.set_data(*path[[step]].T)
                line.set_data(x, heights[step])
            plane.set_title(f"Rate {rate:g}, step {step}", fontsize=15)
            plain, with_momentum = (loss[step] for loss in losses.values())
            points.set_title(f"E: {plain:.4g} plain, {with_momentum:.4g} with momentum")
            if step == 0:
                yield 1.5
            elif step == last:
                yield 3.5
            else:
                yield 0.7 if step <= 6 else 0.4

    return figure, frames()
