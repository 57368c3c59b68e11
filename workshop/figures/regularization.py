"""The plots of the lesson `regularization`: overfitting, what helps, distorted images, and dropout on a ring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import contours

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def overfitting(
    history: Mapping[str, Sequence[float]], tests: Mapping[int, tuple[float, float]], lowest: int
) -> Figure:
    """Returns a figure of losses and accuracies over the epochs, on the training images and on the test images.

    Args:
        history: "loss" and "accuracy" on the training images after each epoch.
        tests: the loss and the accuracy on the test images after some of the epochs.
        lowest: the epoch with the lowest loss on the test images.
    """
    figure, axes = plots.subplots(1, 2, width=6.4)
    left, right = axes[0]
    epochs = range(1, len(history["loss"]) + 1)
    looked_at = [*tests]
    for panel, name, values, title in (
        (left, "loss", [loss for loss, _ in tests.values()], "Loss"),
        (right, "accuracy", [share for _, share in tests.values()], "Accuracy"),
    ):
        panel.plot(epochs, history[name], color=plots.BLUE, label="training images")
        panel.plot(looked_at, values, "--", color=plots.VERMILION, label="test images")
        panel.set_xscale("log")
        panel.set(xlabel="epoch", ylabel="cross-entropy" if name == "loss" else "accuracy", title=title)
    left.axvline(lowest, color=plots.BLACK, linestyle=":", label=f"lowest test loss, epoch {lowest}")
    left.set_yscale("log")
    right.set_ylim(top=1.02)
    left.legend(fontsize=12)
    right.legend(fontsize=12, loc="lower right")
    return figure


def remedies(points: Mapping[str, tuple[float, float]]) -> Figure:
    """Returns a figure of the accuracies on training and test images, a row for each remedy; between them the gap."""
    figure, axes = plots.subplots(width=9, height=0.5 * len(points) + 1.6)
    rows = np.arange(len(points))[::-1]
    train, test = (100 * np.array([pair[i] for pair in points.values()]) for i in (0, 1))
    axes.hlines(rows, test, train, color=plots.SKY, linewidth=6, alpha=0.6, label="gap")
    axes.plot(train, rows, "o", color=plots.BLUE, markersize=9, label="training images")
    axes.plot(test, rows, "^", color=plots.VERMILION, markersize=10, label="test images")
    for row, on_train, on_test in zip(rows, train, test, strict=True):
        middle = (on_train + on_test) / 2, row
        gap = f"{on_train - on_test:.1f}"
        axes.annotate(gap, middle, xytext=(0, 7), textcoords="offset points", ha="center", fontsize=11)
    axes.set_yticks(rows, list(points), fontsize=12)
    axes.set(xlabel="accuracy in percent", title="The gap between training and test accuracy, in points")
    axes.grid(axis="y", visible=False)
    axes.set_ylim(-0.6, len(points) - 0.2)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=12)
    return figure


def distortions(affine: np.ndarray, elastic: np.ndarray) -> Figure:
    """Returns a figure of images, each with its distorted copies beside it.

    Args:
        affine, elastic: each image and its copies (rows, 1 + copies, 28, 28).
    """
    rows, columns = affine.shape[:2]
    figure, axes = plots.subplots(1, 2, width=6, height=6 * rows / columns + 0.6)
    for panel, grid, title in zip(axes[0], (affine, elastic), ("affine", "elastic, and a little affine"), strict=True):
        panel.imshow(grid.transpose(0, 2, 1, 3).reshape(rows * 28, columns * 28), cmap="gray_r", vmin=0, vmax=1)
        panel.axvline(27.5, color=plots.VERMILION, linewidth=3)
        panel.set(title=title, xticks=[], yticks=[], xlabel="the image, and copies of it")
        panel.grid(False)
    return figure


def ring(models: Mapping[str, Callable[[np.ndarray], np.ndarray]], X: np.ndarray, y: np.ndarray) -> Figure:
    """Returns a figure of the boundaries that networks draw around a ring.

    Args:
        models: by "plain" and "dropout" functions from points (n, 2) to probabilities (n, 2).
        X, y: the points (n, 2) that they were trained on, and their classes.
    """
    titles = {"plain": "without dropout", "dropout": "with dropout 0.5"}
    probabilities = {
        titles[name]: lambda points, predict=predict: predict(points)[:, 1] for name, predict in models.items()
    }
    return contours.boundary_row(
        probabilities, X, y, "A noisy ring: 2-300-2", classes=("inside", "the ring"), output="probability of the ring"
    )
