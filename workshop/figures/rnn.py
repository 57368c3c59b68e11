"""The plots of the lesson `rnn`: the cells compared, predictions row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], accuracies: Mapping[str, float], title: str
) -> Figure:
    """Returns the training losses of the cells, and the share of the test images that each has wrong.

    Args:
        curves: for each cell the epochs passed and the loss then.
        accuracies: for each cell on the test images.
        title: of the figure.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.5)
    charts.draw_curves(left, curves, y="training loss (cross-entropy)", title="Training", logarithmic=True)
    wrong = [100 * (1 - accuracy) for accuracy in accuracies.values()]
    bars = right.bar(range(len(wrong)), wrong, 0.6, color=plots.COLOURS[: len(wrong)])
    right.bar_label(bars, [f"{share:.2f} %" for share in wrong], padding=3, fontsize=14)
    right.set_xticks(range(len(wrong)), list(accuracies))
    right.set(ylabel="test images wrong (%)", title="Test error")
    right.margins(x=0.3 if len(wrong) == 1 else 0.05, y=0.15)
    right.set_axisbelow(True)
    right.grid(axis="x", visible=False)
    figure.suptitle(title, fontsize=16)
    return figure


def predictions_by_row(
    images: np.ndarray, predictions: Mapping[str, np.ndarray], labels: np.ndarray, classes: Sequence[str]
) -> Figure:
    """Returns images as they are read from the top, and beside each row the probabilities predicted after it.

    Args:
        images: (samples, rows, columns).
        predictions: for each cell the probabilities after each row (samples, rows, classes).
        labels: the true classes (samples,).
        classes: their names.
    """
    figure, axes = plots.subplots(len(images), 1 + len(predictions), width=3.3, height=3.2, sharey=True)
    axes = np.reshape(axes, (len(images), 1 + len(predictions)))
    for i, (panels, image, label) in enumerate(zip(axes, images, labels, strict=True)):
        panels[0].imshow(image, cmap="gray_r", aspect="auto")
        panels[0].set(title=f"a {classes[label]}", ylabel="rows read", xlabel="pixel")
        for panel, (name, probabilities) in zip(panels[1:], predictions.items(), strict=True):
            shade = panel.imshow(probabilities[i], cmap="Blues", vmin=0, vmax=1, aspect="auto")
            panel.set(title=name, xlabel="class")
            panel.set_xticks(range(len(classes)), classes)
        for panel in panels:
            panel.grid(False)
    bar = figure.colorbar(shade, ax=list(axes.flat), ticks=[0, 0.5, 1], fraction=0.03, pad=0.01)
    bar.set_label("probability", size=14)
    figure.suptitle("Predicted probabilities after each row of a digit", fontsize=16)
    return figure
