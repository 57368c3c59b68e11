"""The plots of the lessons `mnist` and `fashion_mnist`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import metrics
from workshop.kit.plots import charts, images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {"dense": "Dense network", "cnn": "CNN"}


def losses(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str) -> Figure:
    """Returns the training losses: for each network the epochs passed and its loss then."""
    return charts.losses(curves, y="training loss (cross-entropy)", title=title)


def classifier(
    kind: str, X: np.ndarray, y: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> Iterator[tuple[str, Figure]]:
    """Yields the confusion matrix and the most confident mistakes on test images.

    Args:
        kind: the network, one of `TITLES`.
        X, y: the test images, (n, 28, 28, 1), and their classes (n,).
        probabilities: predicted for them, (n, classes).
        classes: their names.
    """
    predicted = probabilities.argmax(axis=1)
    accuracy = metrics.accuracy(y, probabilities)
    mistakes = metrics.most_confident_mistakes(y, probabilities, 18)
    if len(mistakes):
        between = " taken for " if max(map(len, classes)) < 3 else "\ntaken for "
        captions = [f"{classes[y[i]]}{between}{classes[predicted[i]]}\n{probabilities[i].max():.1%}" for i in mistakes]
        heading = f"{TITLES[kind]}: the most confident mistakes, of {int(np.sum(predicted != y))}"
        yield "mistakes", images.image_grid(X[mistakes, ..., 0], captions, heading)
    matrix = metrics.confusion_matrix(y, predicted, len(classes))
    title = f"{TITLES[kind]}: {accuracy:.2%} of the test images right"
    yield "confusion", charts.confusion_matrix(matrix, classes, title)


def layers(kind: str, outputs: Sequence[tuple[str, np.ndarray]], classes: Sequence[str]) -> Figure:
    """Returns one image on its way through the network: each layer's name and output."""
    return images.layer_by_layer(outputs, f"{TITLES[kind]}: one image, layer by layer", classes)


def filters(kernels: np.ndarray) -> Figure:
    """Returns the trained filters of the first convolution, (height, width, 1, filters)."""
    return images.filters(kernels, "The trained filters of the first layer")
