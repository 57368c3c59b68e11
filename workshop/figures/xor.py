"""The plots of the lesson `xor`: the boundaries of gates and of networks over the two inputs, and a training loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

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


def loss(losses: Sequence[float]) -> Figure:
    """Returns the training loss of the 2-3-1 network, one value an epoch."""
    curve = np.arange(1, len(losses) + 1), losses
    return charts.losses({"2-3-1 network": curve}, y="mean squared error", title="Training on the four corners")


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
