"""The plots of the lessons `mnist` and `fashion_mnist`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import metrics, plots
from workshop.kit.plots import charts, images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {"dense": "Dense network", "cnn": "CNN"}


def first_images(X: np.ndarray, labels: Sequence[str], source: str) -> Figure:
    """Returns the first training images (n, 28, 28), ten in a row, each under its label; `source` names the data."""
    # In one panel: a hundred take seconds to lay out. Each image has 36x40 pixels of it, the upper ones for its label.
    rows = -(-len(X) // 10)
    page = np.zeros((40 * rows, 360), X.dtype)
    figure, axes = plots.subplots(width=13, height=1.45 * rows + 0.6)
    for i, (image, label) in enumerate(zip(X, labels, strict=True)):
        top, left = 40 * (i // 10), 36 * (i % 10)
        page[top + 10 : top + 38, left + 4 : left + 32] = image
        axes.text(left + 18, top + 5, label, ha="center", va="center", fontsize=12, in_layout=False)
    axes.imshow(page, cmap="gray_r")
    axes.axis("off")
    figure.suptitle(f"{source}: the first {len(X)} training images, each under its label")
    return figure


def pixel_table(image: np.ndarray) -> str:
    """Returns the pixels of an image (28, 28), bytes, as text: a line for each row."""
    return "\n".join(" ".join(f"{value:3d}" for value in row) for row in image)


def pixels(image: np.ndarray, title: str) -> Figure:
    """Returns an image (28, 28), bytes, with the number of each pixel written into it."""
    figure, axes = plots.subplots(width=13, height=13.4)
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    for row, column in np.ndindex(*image.shape):
        value = int(image[row, column])
        color = "white" if value > 127 else plots.BLACK
        axes.text(column, row, str(value), ha="center", va="center", color=color, fontsize=10, in_layout=False)
    axes.set(xlabel="column", ylabel="row", title=f"{title}: 0 is white, 255 black")
    axes.grid(False)
    return figure


def prediction(image: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """Returns an image (28, 28) beside the probabilities predicted for it (classes,)."""
    figure, axes = plots.subplots(1, 2, width=5.5, height=4.8)
    shown, chart = axes[0]
    shown.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    shown.axis("off")
    colors = [plots.SKY] * len(classes)
    colors[int(probabilities.argmax())] = plots.BLUE
    bars = chart.barh(range(len(classes)), probabilities, color=colors)
    chart.bar_label(bars, [f"{value:.4f}" for value in probabilities], padding=4, fontsize=12)
    chart.set_yticks(range(len(classes)), classes)
    chart.invert_yaxis()
    chart.set(xlabel="probability", ylabel="class", xlim=(0, 1.3), xticks=[0, 0.5, 1])
    chart.set_axisbelow(True)
    chart.grid(axis="y", visible=False)
    figure.suptitle(title)
    return figure


def weight_images(kernel: np.ndarray, classes: Sequence[str]) -> Figure:
    """Returns the weights of a network without a hidden layer, (784, classes), as an image for each class."""
    figure, axes = plots.subplots(2, len(classes) // 2, width=2.3, height=2.6)
    largest = float(np.abs(kernel).max())
    for panel, weights, name in zip(axes.flat, kernel.T, classes, strict=True):
        shown = panel.imshow(weights.reshape(28, 28), cmap="PuOr", vmin=-largest, vmax=largest)
        panel.set_title(name)
        panel.axis("off")
    figure.colorbar(shown, ax=axes, label="weight", shrink=0.8)
    figure.suptitle("Ten images of weights: ink on violet speaks for the class, ink on orange against it")
    return figure


def losses(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str) -> Figure:
    """Returns the training losses: for each network the epochs passed and its loss then."""
    return charts.losses(curves, y="training loss (cross-entropy)", title=title)


def evaluation(
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
    title = f"{TITLES[kind]}: test accuracy {accuracy:.2%}"
    yield "confusion", charts.confusion_matrix(matrix, classes, title)


def layers(kind: str, outputs: Sequence[tuple[str, np.ndarray]], classes: Sequence[str]) -> Figure:
    """Returns one image on its way through the network: each layer's name and output."""
    return images.layer_by_layer(outputs, f"{TITLES[kind]}: one image, layer by layer", classes)


def filters(kernels: np.ndarray) -> Figure:
    """Returns the trained filters of the first convolution, (height, width, 1, filters)."""
    return images.filters(kernels, "The trained filters of the first layer")
