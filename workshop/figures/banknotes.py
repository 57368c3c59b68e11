"""The plots and tables of the lesson on banknotes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import metrics, plots
from workshop.kit.plots import charts, images
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workshop.kit.data.image_list import ListedImage


def listing(name: str, rows: Sequence[ListedImage], count: int) -> str:
    """Returns the first rows of a list of images as a table."""
    cells = [[row.line, row.part, row.path.name, row.label] for row in rows]
    return f"The first of {count:,} rows of {name}:\n{format_table(['line', 'type', 'file', 'class'], cells)}\n"


def counts(y: Mapping[str, np.ndarray], classes: Sequence[str]) -> str:
    """Returns how many notes of each value each part of the data has."""
    rows = [
        [f"{label}: {name}", *(int(np.sum(labels == label)) for labels in y.values())]
        for label, name in enumerate(classes)
    ]
    return format_table(["class: value", *y], rows)


def epochs(history: Mapping[str, Sequence[float]], best: int) -> str:
    """Returns the first epochs, the best one and the last one, with their losses and their validation accuracy."""
    count = len(history["loss"])
    shown = sorted({*range(1, min(3, count) + 1), *range(10, count, 10), best, count} & {*range(1, count + 1)})
    names = ("loss", "val_loss", "val_accuracy")
    rows = [
        [epoch, *(f"{history[name][epoch - 1]:.4f}" for name in names), "kept" if epoch == best else ""]
        for epoch in shown
    ]
    return format_table(["epoch", "loss", "validation loss", "validation accuracy", ""], rows)


def comparison(accuracies: Mapping[str, Mapping[str, float]]) -> str:
    """Returns a table of each network's accuracy on each part of the data."""
    parts = list(next(iter(accuracies.values())))
    rows = [[name, *(f"{by_part[part]:.1%}" for part in parts)] for name, by_part in accuracies.items()]
    return format_table(["accuracy", *parts], rows)


def confusion_table(matrix: np.ndarray, classes: Sequence[str]) -> str:
    """Returns a confusion matrix: rows the true classes, columns the predicted ones."""
    return format_table(["", *classes], [[name, *row.tolist()] for name, row in zip(classes, matrix, strict=True)])


def plates(prints: Sequence[np.ndarray]) -> Figure:
    """Returns a figure of the drawn plates, (height, width, 3)."""
    figure, axes = plots.subplots(2, 4, width=4.6, height=2.7)
    for panel in axes.flat:
        panel.axis("off")
    for panel, image in zip(axes.flat, prints, strict=False):
        panel.imshow(image)
    figure.suptitle("Seven values, drawn: the stand-in for banknotes")
    return figure


def notes(X: np.ndarray, y: np.ndarray, classes: Sequence[str], source: str) -> Figure:
    """Returns a figure of up to three training notes of each class, (n, size, size, 3)."""
    figure, axes = plots.subplots(3, len(classes), width=1.9, height=2.0)
    for label, name in enumerate(classes):
        axes[0, label].set_title(name, fontsize=16)
        chosen = X[y == label][:3]
        for row in range(3):
            axes[row, label].axis("off")
            if row < len(chosen):
                axes[row, label].imshow(chosen[row])
    figure.suptitle(f"Training notes: {source}", fontsize=16)
    return figure


def training(histories: Mapping[str, Mapping[str, Sequence[float]]], backbone: str) -> Figure:
    """Returns the losses and the validation accuracy of each network by epoch.

    Args:
        histories: "frozen" and "scratch", each with "loss", "val_loss" and "val_accuracy".
        backbone: the name of the frozen network.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7, height=5)
    names = {"frozen": f"{backbone}, frozen", "scratch": "small network, from scratch"}
    for (kind, history), colour in zip(histories.items(), plots.COLOURS, strict=False):
        epoch = np.arange(1, len(history["loss"]) + 1)
        left.plot(epoch, history["loss"], color=colour, linewidth=2.2, label=f"{kind}, training")
        left.plot(epoch, history["val_loss"], "--", color=colour, linewidth=2.2, label=f"{kind}, validation")
        right.plot(epoch, history["val_accuracy"], color=colour, linewidth=2.2, label=names[kind])
    left.set(xlabel="epoch", ylabel="loss (cross-entropy)", yscale="log", title="Loss")
    right.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1.05), title="Validation accuracy")
    for panel in (left, right):
        panel.legend(fontsize=13, frameon=False)
        panel.xaxis.get_major_locator().set_params(integer=True)
    return figure


def test(
    X: np.ndarray, y: np.ndarray, probabilities: np.ndarray, matrix: np.ndarray, classes: Sequence[str]
) -> Iterator[tuple[str, Figure]]:
    """Yields the confusion matrix on the test notes, and the notes that were named wrong.

    Args:
        X, y: the test notes, (n, size, size, 3), and their classes (n,).
        probabilities: predicted for them, (n, classes).
        matrix: rows the true classes, columns the predicted ones.
        classes: their names.
    """
    right = float(np.trace(matrix) / matrix.sum())
    yield "confusion", charts.confusion_matrix(matrix, classes, f"test accuracy {right:.1%} on {len(y):,} notes")
    predicted = probabilities.argmax(axis=1)
    wrong = int(np.sum(predicted != y))
    if wrong:
        chosen = metrics.most_confident_mistakes(y, probabilities, 8)
        captions = [
            f"{classes[y[i]]}, predicted\n{classes[predicted[i]]} ({probabilities[i].max():.0%})" for i in chosen
        ]
        heading = f"Misclassified: {wrong} of {len(y):,}, the most confident first"
        yield "mistakes", images.image_grid(X[chosen], captions, heading, columns=4)
