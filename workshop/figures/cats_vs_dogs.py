"""The plots and the table of the lesson `cats_vs_dogs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import metrics, plots
from workshop.kit.plots import charts, images
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison(results: Mapping[str, tuple[int, float, float, float]]) -> str:
    """Returns a table: for each network its weights, seconds per epoch, and accuracies in training and after."""
    headings = ["network", "weights", "s per epoch", "training accuracy", "validation accuracy", "gap in points"]
    rows = [
        [
            kind,
            f"{weights:,}",
            f"{seconds:.2f}",
            f"{train:.1%}",
            f"{validation:.1%}",
            f"{100 * (train - validation):+.1f}",
        ]
        for kind, (weights, seconds, train, validation) in results.items()
    ]
    return format_table(headings, rows)


def accuracies(histories: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Returns the accuracies in training and on the validation photos, by the histories of the networks."""
    figure, axes = plots.subplots(width=8)
    curves = {}
    for kind, history in histories.items():
        for name, title in (("accuracy", "training"), ("val_accuracy", "validation")):
            curves[f"{kind}, {title}"] = np.arange(1, len(history[name]) + 1), history[name]
    charts.draw_curves(axes, curves, y="accuracy", title="Overfitting: accuracy in training and on new photos")
    return figure


def evaluation(
    kind: str, X: np.ndarray, y: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> Iterator[tuple[str, Figure]]:
    """Yields the most confident mistakes and, of three classes or more, the confusion matrix.

    Args:
        kind: the name of the network.
        X, y: the validation photos, (n, size, size, 3), and their classes (n,).
        probabilities: predicted for them, (n, classes).
        classes: their names.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = int(np.sum(predicted != y))
    if wrong:
        mistakes = metrics.most_confident_mistakes(y, probabilities, 12)
        captions = [
            f"{classes[y[i]]}, predicted\n{classes[predicted[i]]} {probabilities[i].max():.0%}" for i in mistakes
        ]
        heading = f"{kind}: the most confident mistakes, of {wrong} in {len(y):,}"
        yield "mistakes", images.image_grid(X[mistakes], captions, heading)
    if len(classes) > 2:
        matrix = metrics.confusion_matrix(y, predicted, len(classes))
        title = f"{kind}: validation accuracy {metrics.accuracy(y, probabilities):.1%}"
        yield "confusion", charts.confusion_matrix(matrix, classes, title)


def augmentation(photos: np.ndarray, augmented: np.ndarray, classes: Sequence[str]) -> Figure:
    """Returns photos, each followed by its augmented versions.

    Args:
        photos: (n, size, size, 3).
        augmented: (n, versions, size, size, 3).
        classes: of the photos.
    """
    shown = np.concatenate([photos[:, None], augmented], axis=1)
    captions = [caption for name in classes for caption in [name, *["augmented"] * augmented.shape[1]]]
    heading = "The same photos, as the network sees them"
    return images.image_grid(np.concatenate(shown), captions, heading, columns=shown.shape[1])
