"""Photographs for PyTorch: the samples of `dataset.Arrays`, changed at random on their way to the network.

The changes are drawn and made by `workshop/kit/photos/augmentation.py`: Keras and PyTorch train on the same images.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from workshop.kit.data import images as image_data
from workshop.kit.engine import Plan
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.training import loop
from workshop.kit.training.history import History
from workshop.pytorch.kit.dataset import Arrays
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.training import TorchRun


def fit(
    model: TorchModel,
    X: np.ndarray,
    y: np.ndarray,
    plan: Plan,
    seed: int,
    *,
    loss: nn.Module,
    augmentation: Augmentation | None = None,
    sides: Sequence[int] | None = None,
    **options: Any,
) -> History:
    """Trains a model on photographs; see `training.fit`.

    Args:
        model: the network.
        X: pictures, uint8 (samples, size, size, 3), in memory or memory-mapped.
        y: targets, samples first: numbers of classes for nn.CrossEntropyLoss, else (samples, outputs).
        plan: how it is trained.
        seed: of the order of the pictures, which decides how they are changed.
        loss: nn.BCEWithLogitsLoss or nn.CrossEntropyLoss.
        augmentation: how the pictures are changed at random in every epoch, or not at all.
        sides: of the changed pictures in each epoch (default: that of X).
        options: of `fitting.fit`.
    """
    run = TorchRun(model, Photos(X, y, augmentation, sides), plan, loss)
    return loop.fit(run, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


class Photos(Arrays):
    """Pictures as bytes, and their targets. `batches` gives the pictures changed; an index gives them as they are.

    Args:
        X: uint8 (samples, size, size, 3), in memory or memory-mapped.
        y: numbers of classes (samples,), or targets (samples, outputs).
        augmentation: how the pictures are changed, or not at all.
        sides: of the changed pictures in each epoch (default: that of X).
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        augmentation: Augmentation | None = None,
        sides: Sequence[int] | None = None,
    ) -> None:
        super().__init__(X, y, image_data.scale_pixels)
        self._augmentation, self._sides, self._side = augmentation, sides, X.shape[1]

    def begin_epoch(self, epoch: int) -> None:
        """Takes the side of the pictures in the epoch that begins."""
        if self._sides is not None:
            self._side = self._sides[epoch]

    def batches(self, order: np.ndarray, batch_size: int) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        """Returns the batches of an epoch that visits the pictures in this order, each changed as it is drawn for it.

        Nothing is made ready ahead: the convolutions keep two cores busy, and an epoch with threads lasted as long.
        """
        if self._augmentation is None:
            return super().batches(order, batch_size)
        epoch = ChangedPhotos(self._X, self._y, order, self._augmentation, self._side)
        return epoch.batches(np.arange(len(order)), batch_size)

    def digests(self) -> dict[str, str]:
        """Returns what tells these pictures, and how they are changed, from others."""
        sides = [*self._sides] if self._sides is not None else None
        return super().digests() | {"augmentation": str(self._augmentation), "sides": str(sides)}


class ChangedPhotos(Arrays):
    """The pictures of one epoch in their order, each changed by what is drawn for it.

    All is drawn here, at once: so it does not depend on how the epoch is parted into batches.

    Args:
        X, y: as in `Photos`.
        order: the rows of X that the epoch visits, int32.
        augmentation: how the pictures are changed.
        side: of the changed pictures.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, order: np.ndarray, augmentation: Augmentation, side: int) -> None:
        super().__init__(X, y, image_data.scale_pixels)
        self._order, self._augmentation, self._side = order, augmentation, side
        self._places, self._colours = augmentation.draw(order, X.shape[1], side)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, at: Any) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self._order[at]
        pictures = self._augmentation.apply(self._X[rows], self._places[at], self._colours[at], self._side)
        return self.as_tensors(pictures, self._y[rows])
