"""The history of a run: the loss and the metrics of every epoch, and the weights that were kept on the way."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class History:
    """What happened in a run.

    Attributes:
        epochs: for each metric ("loss", "accuracy", "val_loss") its value in every epoch.
        fine: the same at every report within the epochs (a curve of two epochs is not a line of two points).
        at: for each value in `fine`, the epochs passed by then, fractions included.
        snapshots: the weights after the epochs that were asked for; 0 is before training.
        best_epoch: the epoch whose weights were kept, with early stopping; else the last.
    """

    epochs: dict[str, list[float]] = field(default_factory=dict)
    fine: dict[str, list[float]] = field(default_factory=dict)
    at: list[float] = field(default_factory=list)
    snapshots: dict[int, list[np.ndarray]] = field(default_factory=dict)
    best_epoch: int = 0

    @property
    def finished(self) -> int:
        """Epochs done."""
        return len(self.epochs.get("loss", []))
