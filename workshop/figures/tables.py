"""The plots of the lesson `tables`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import metrics, plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CLASSES = 20  # in a confusion matrix


def learning(
    title: str, losses: Mapping[str, Sequence[float]], measured: Mapping[str, Mapping[str, float]], unit: str
) -> Figure:
    """Returns the losses of the network's training, and its metrics beside those of the linear model.

    Args:
        title: the table's name.
        losses: of each epoch, on the training and on the validation rows.
        measured: for each model its metrics on the training and on the test rows.
        unit: of the target, where it is a number.
    """
    if "train_accuracy" in measured["network"]:
        metric = label = "accuracy"
        loss = "cross-entropy"
        value = "{:.1%}"
    else:
        metric = "root_mean_squared_error"
        value = "{:.3g}"
        loss = f"mean squared error ({unit}²)" if unit else "mean squared error"
        label = f"root mean squared error ({unit})" if unit else "root mean squared error"
    curves = {part: (range(1, len(values) + 1), values) for part, values in losses.items()}
    bars = {kind: [values[f"{part}_{metric}"] for part in ("train", "test")] for kind, values in measured.items()}
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    charts.draw_curves(left, curves, y=loss, title=f"{title}: training the network", logarithmic=True)
    heading = "Linear model and network"
    charts.draw_bars(right, bars, ("training rows", "test rows"), value=value, y=label, title=heading)
    return figure


def confusion(title: str, true: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> Figure:
    """Returns the confusion matrix of the test rows, of the most frequent classes where there are many."""
    matrix = metrics.confusion_matrix(true, predicted, len(classes))
    frequent = np.sort(np.argsort(-matrix.sum(axis=1), kind="stable")[:MAX_CLASSES])
    heading = f"{title}: test accuracy {np.mean(true == predicted):.1%}"
    if len(frequent) < len(matrix):
        heading += f"\n(the {MAX_CLASSES} most frequent classes)"
    return charts.confusion_matrix(matrix[np.ix_(frequent, frequent)], [classes[i] for i in frequent], heading)


def predictions(title: str, true: np.ndarray, predicted: Mapping[str, np.ndarray], label: str) -> Figure:
    """Returns predicted against true numbers of the test rows, for each model; `label` has the target and its unit."""
    figure, axes = plots.subplots(width=8, height=6)
    pairs = {kind: (true, values) for kind, values in predicted.items()}
    charts.draw_predictions(axes, pairs, of=label, title=f"{title}: the test rows")
    return figure
