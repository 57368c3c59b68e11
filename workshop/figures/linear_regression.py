"""The plots of the lesson `linear_regression`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _draw_losses(panel: Any, losses: Mapping[str, Sequence[float]], title: str) -> None:
    curves = {name: (range(1, len(values) + 1), values) for name, values in losses.items()}
    charts.draw_curves(panel, curves, y="mean squared error", title=title, logarithmic=True)


def line(
    paths: Mapping[int, Sequence[float]],
    x_values: np.ndarray,
    y_values: np.ndarray,
    weights: np.ndarray,
    losses: Sequence[float],
) -> Figure:
    """Returns descents on a parabola, points with the line through them, and the losses of its training.

    Args:
        paths: by their starts, the positions after every step.
        x_values, y_values: the points (n,).
        weights: the weight and the bias of the line.
        losses: in each epoch.
    """
    figure, ((left, middle, right),) = plots.subplots(1, 3)
    descents = {f"from {start}": (range(len(path)), path) for start, path in paths.items()}
    charts.draw_curves(left, descents, x="step", y="x", title="Descent on 2(x - 5)² + 3")
    charts.draw_line(middle, x_values, y_values, *weights, title="The line of the neuron")
    _draw_losses(right, {"neuron": losses}, "Training the neuron")
    return figure


def houses(
    x_values: np.ndarray,
    y_values: np.ndarray,
    losses: Sequence[float],
    cost: Callable[[np.ndarray], np.ndarray],
    path: np.ndarray,
    guesses: np.ndarray,
    best: np.ndarray,
    labels: tuple[str, str],
) -> Figure:
    """Returns a fitted line, lines of hand-chosen weights, the losses of a training, and its path on the contours.

    Args:
        x_values, y_values: the data, each (rows,).
        losses: in each epoch.
        cost: from a weight and a bias (..., 2) to the cost (...).
        path: the weights on the way (n, 2); the last ones are the line's.
        guesses: weights chosen by hand (m, 2).
        best: the weights of the normal equation (2,).
        labels: of the axes of the data.
    """
    figure, ((fitted, chosen), (trained, contours)) = plots.subplots(2, 2, width=7)
    charts.draw_line(fitted, x_values, y_values, *path[-1], x=labels[0], y=labels[1], title="The fitted line")
    ends = np.array([x_values.min(), x_values.max()])
    for guess, colour, dashes in zip(guesses, plots.COLOURS, ("-", "--", "-.", ":", (0, (5, 1))), strict=False):
        label = f"w = {guess[0]:g}, b = {guess[1]:g}: {cost(guess):.4f}"
        chosen.plot(ends, guess[0] * ends + guess[1], linestyle=dashes, color=colour, label=label)
    chosen.plot(ends, best[0] * ends + best[1], color=plots.BLACK, linewidth=3.5, label=f"smallest: {cost(best):.4f}")
    chosen.plot(x_values, y_values, "o", color=plots.BLACK, markersize=8, markeredgecolor="white")
    chosen.set(xlabel=labels[0], ylabel=labels[1], title="Weights chosen by hand, and their mean squared errors")
    chosen.legend(fontsize=12, frameon=True)
    trained.axhline(cost(best), color=plots.VERMILION, linestyle="--", label="normal equation")
    _draw_losses(trained, {"neuron": losses}, "Training the neuron")
    trained.set_xscale("log")
    _draw_cost(contours, cost, path, {"by hand": guesses, "normal equation": best[None]})
    return figure


def features(
    losses: Mapping[str, Sequence[float]], pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], label: str
) -> Figure:
    """Returns the losses of several neurons, and the predictions of the last one.

    Args:
        losses: in each epoch, by the names of the neurons; the last one's first loss says how high the panel is.
        pairs: true and predicted targets by the name of the rows, as `charts.draw_predictions` takes them.
        label: of the target.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    _draw_losses(left, losses, "Unscaled and scaled")
    # A loss that diverges leaves the panel at its top.
    first = list(losses.values())[-1][0]
    left.set(xscale="log", ylim=(None, 30 * max(first, 1e-9)))
    charts.draw_predictions(right, pairs, of=label, title="Predicted by the scaled neuron")
    return figure


def _draw_cost(
    axes: Any,
    cost: Callable[[np.ndarray], np.ndarray],
    path: np.ndarray,
    points: Mapping[str, np.ndarray],
) -> None:
    """Draws the cost of two weights (..., 2) as contours, the path (n, 2) of a training, and single points."""
    everything = np.concatenate([path, *points.values()])
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = np.maximum(0.15 * (high - low), 0.1)
    axes_values = [np.linspace(a, b, 100) for a, b in zip(low - margin, high + margin, strict=True)]
    heights = cost(np.stack(np.meshgrid(*axes_values), axis=-1))
    # Logarithmic steps: near its lowest point the cost is flat, and even steps would show nothing there.
    levels = np.geomspace(max(heights.min(), 1e-6 * heights.max()), heights.max(), 12)
    axes.contour(*axes_values, heights, levels=levels, cmap="Blues_r", linewidths=1.2)
    axes.plot(*path.T, ".-", color=plots.VERMILION, linewidth=2.2, markersize=8, label="training")
    axes.plot(*path[0], "o", color=plots.VERMILION, markersize=7)
    for (label, marks), colour, marker in zip(points.items(), (plots.BLACK, plots.PURPLE), "Ds", strict=True):
        axes.plot(*marks.T, marker, color=colour, markersize=9, markeredgecolor="white", label=label)
    axes.set(xlabel="weight w", ylabel="bias b", title="The cost")
    axes.grid(False)
    axes.legend(fontsize=12, frameon=True)
