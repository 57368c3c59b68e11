"""The plots of the lesson `logistic_regression`: likelihood and losses, a line beside a neuron, and the test result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import metrics, plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPES = {"squares": "plateaus, gradient nearly 0", "cross-entropy": "convex"}


def basics(
    theta: np.ndarray,
    likelihood: np.ndarray,
    descents: Mapping[str, Sequence[float]],
    w: np.ndarray,
    b: np.ndarray,
    surfaces: Mapping[str, np.ndarray],
) -> Figure:
    """Returns the likelihood of a coin, the outputs of a saturated neuron, and the loss surfaces of a neuron.

    Args:
        theta, likelihood: probabilities of heads, and the likelihood of the throws for each.
        descents: by the loss, the outputs step by step.
        w, b: grids of weights and of biases.
        surfaces: by the loss, its values on the grids.
    """
    figure, axes = plots.subplots(2, 2)
    curve = {"heads, tails, heads, tails": (theta, likelihood)}
    title = "Likelihood of a coin: largest at 0.5"
    charts.draw_curves(axes[0, 0], curve, x="probability of heads", y="likelihood", title=title)
    curves = {loss: (np.arange(len(outputs)), outputs) for loss, outputs in descents.items()}
    title = "A saturated neuron, target 0"
    charts.draw_curves(axes[0, 1], curves, x="step of gradient descent", y="output of the neuron", title=title)
    for panel, (name, loss) in zip(axes[1], surfaces.items(), strict=True):
        shade = panel.contourf(w, b, loss, levels=16, cmap="viridis")
        figure.colorbar(shade, ax=panel, label="loss")
        panel.grid(False)
        panel.set(xlabel="weight", ylabel="bias", title=f"{name}: {SHAPES[name]}")
    return figure


def line(
    sizes: np.ndarray,
    y: np.ndarray,
    classifiers: Mapping[str, Mapping[str, tuple[Callable[[np.ndarray], np.ndarray], float]]],
) -> Figure:
    """Returns a line and a neuron as classifiers, fitted to tumours as measured and to one large tumour added.

    Args:
        sizes, y: of the tumours as measured (n,), and 1 for malignant (n,).
        classifiers: for each data set, by its title, the line and the neuron: its function of the size, and the size
            from which a tumour is classified as malignant.
    """
    figure, axes = plots.subplots(1, 2, width=7)
    grid = np.linspace(sizes.min(), 1.3 * sizes.max(), 200)
    for panel, (title, fitted) in zip(axes[0], classifiers.items(), strict=True):
        panel.plot(sizes, y, "o", color=plots.BLACK, alpha=0.25, label="tumours")
        for (name, (predict, cut)), colour in zip(fitted.items(), (plots.VERMILION, plots.BLUE), strict=True):
            panel.plot(grid, predict(grid), color=colour, linewidth=2.2, label=f"{name}, cut at {cut:.1f}")
            panel.axvline(cut, color=colour, linestyle=":")
        panel.set(xlabel="mean radius", ylabel="malignant (1) or benign (0)", title=title, ylim=(-0.3, 1.3))
        panel.legend(loc="center right")
    return figure


def confusion(y: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> Figure:
    """Returns the confusion matrix of predicted classes (n,) on the test rows, of classes y (n,)."""
    matrix = metrics.confusion_matrix(y, predicted, 2)
    title = f"test accuracy {np.mean(y == predicted):.1%}"
    return charts.confusion_matrix(matrix, classes, title)


def loss(losses: Sequence[float]) -> Figure:
    """Returns the training loss of the neuron, one value an epoch."""
    curve = np.arange(1, len(losses) + 1), losses
    return charts.losses({"training": curve}, y="cross-entropy", title="Training loss of the neuron")
