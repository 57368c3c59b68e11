"""The plots of the lesson `linear_regression`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts, contours

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
    """Returns a fitted line, the losses of its training, and its path on the contours of the cost.

    Args:
        x_values, y_values: the data, each (rows,).
        losses: in each epoch.
        cost: from a weight and a bias (..., 2) to the cost (...).
        path: the weights on the way (n, 2); the last ones are the line's.
        guesses: weights chosen by hand (m, 2).
        best: the weights of the normal equation (2,).
        labels: of the axes of the data.
    """
    figure, ((left, middle, right),) = plots.subplots(1, 3)
    charts.draw_line(left, x_values, y_values, *path[-1], x=labels[0], y=labels[1], title="The fitted line")
    middle.axhline(cost(best), color=plots.VERMILION, linestyle="--", label="normal equation")
    _draw_losses(middle, {"neuron": losses}, "Training the neuron")
    middle.set_xscale("log")
    points = {"by hand": guesses, "normal equation": best[None]}
    contours.draw_bowl(right, cost, {"training": path}, points, x="weight w", y="bias b", title="The cost")
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
