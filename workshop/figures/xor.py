"""The plots of the lesson `xor`: boundaries of gates and networks over the two inputs, curves, and a training loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts, contours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Model = Callable[[np.ndarray], np.ndarray]  # from points (n, 2) to outputs (n,)


def gates(models: Mapping[str, Model], X: np.ndarray, y: np.ndarray) -> Figure:
    """Returns the boundaries of gates, by their titles, with the samples X (n, 2) and their classes y (n,)."""
    return contours.boundary_row(models, X, y, "Two lines and an AND", output="output of the gate")


def snapshots(models: Mapping[int, Model], X: np.ndarray, y: np.ndarray) -> Figure:
    """Returns the boundaries of one network during its training, by the number of epochs; 0 is before training."""
    panels = {f"after {epoch} epochs" if epoch else "before training": model for epoch, model in models.items()}
    heading = "The decision boundary during training"
    return contours.boundary_row(panels, X, y, heading, output="output of the network")


def loss(losses: Sequence[float], network: str, name: str) -> Figure:
    """Returns the training loss of a network such as "2-3-1", one value an epoch; `name` is that of the loss."""
    curve = np.arange(1, len(losses) + 1), losses
    return charts.losses({f"{network} network": curve}, y=name, title="Training on the corners")


def hidden_units(
    models: Mapping[str, Model], X: np.ndarray, y: np.ndarray, *, names: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Returns the boundaries of networks of several sizes, by their titles.

    Args:
        models: the networks.
        X, y: the training data, (n, 2) and (n,).
        names, classes: of the two features and of the two classes.
    """
    heading = "How many hidden units it takes"
    return contours.boundary_row(models, X, y, heading, names=names, classes=classes, output="output of the network")


def curves(x: np.ndarray, targets: Mapping[str, np.ndarray], outputs: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Returns shapes of one input, each in its panel with the networks that were trained on it.

    Args:
        x: the input (n,).
        targets: the shapes (n,) by their names.
        outputs: by the same names, for each network its output (n,).
    """
    figure, axes = plots.subplots(1, len(targets), width=7)
    for panel, (name, target) in zip(np.ravel(axes), targets.items(), strict=True):
        panel.plot(x, target, color=plots.BLACK, linewidth=6, alpha=0.25, label="target")
        charts.draw_curves(
            panel, {network: (x, line) for network, line in outputs[name].items()}, x="x", y="output", title=name
        )
    return figure


def circle(model: Model, X: np.ndarray, y: np.ndarray, radius: float) -> Figure:
    """Returns the boundary of a network beside the circle around (0, 0) that its training data (n, 2) came from."""
    figure, axes = plots.subplots(width=8, height=6)
    angle = np.linspace(0, 2 * np.pi, 200)
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), "--", color=plots.VERMILION, label="the circle")
    contours.draw_boundary(axes, model, X, y, classes=("outside", "inside"), title="A boundary out of six sigmoids")
    axes.set_aspect("equal")
    return figure


def one_against_all(models: Sequence[Model], X: np.ndarray, of_class: np.ndarray) -> Figure:
    """Returns the boundaries of several networks, each of which tells one class from all others.

    Args:
        models: from points (n, 2) to the probability of the model's class (n,).
        X: the training data (n, 2).
        of_class: whether each sample is of each class (n, classes), 1 or 0.
    """
    figure, axes = plots.subplots(1, len(models), width=6, height=5)
    for k, (panel, model) in enumerate(zip(np.ravel(axes), models, strict=True)):
        names = ("all others", f"class {k}")
        contours.draw_boundary(panel, model, X, of_class[:, k], classes=names, title=f"Class {k} against all others")
    figure.suptitle("One against all: the highest of three probabilities decides", fontsize=16)
    return figure
