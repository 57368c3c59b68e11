"""Photos for PyTorch: a Dataset whose images are changed at random on their way to the network.

The changes are drawn and made by `workshop/kit/photos/augmentation.py`: Keras and PyTorch train on the same images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from workshop.kit import files
from workshop.kit.data.images import scale_pixels
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.training import batching
from workshop.pytorch.kit.dataset import as_tensor


class PhotoDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Photos and their targets, as a network takes them: channels first, from 0 to 1. An index is a list of rows.

    Nothing is prepared ahead: the convolutions keep two cores busy, and an epoch with workers lasted as long.

    Args:
        X: uint8 (samples, size, size, 3), in memory or memory-mapped.
        y: class numbers (samples,), or targets (samples, outputs).
        seed: of the order of the photos, which decides how each is changed.
        augmentation: the changes, or None to leave the photos as they are.
        sizes: the side of the images in each epoch, for a network that takes any size (default: that of X).
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        sizes: Sequence[int] | None = None,
    ) -> None:
        self._X, self._y, self._seed = X, y, seed
        self._augmentation, self._sizes = augmentation, sizes
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draws the changes of this epoch, counted from 0."""
        self._size = self._X.shape[1] if self._sizes is None else self._sizes[epoch]
        if self._augmentation is not None:
            order = batching.epoch_order(len(self), self._seed, epoch)
            drawn = self._augmentation.draw(order, self._X.shape[1], self._size)
            # They are drawn in the order of the epoch, and asked for by the rows of the photos.
            positions = np.argsort(order)
            self._affine_matrices, self._color_matrices = (matrices[positions] for matrices in drawn)

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the images and the targets of a list of rows."""
        photos = self._X[rows]
        files.release_pages(self._X)
        if self._augmentation is not None:
            matrices = self._affine_matrices[rows], self._color_matrices[rows]
            photos = self._augmentation.apply(photos, *matrices, self._size)
        return as_tensor(scale_pixels(photos)), as_tensor(self._y[rows])

    def digests(self) -> dict[str, str]:
        """Returns what tells these photos, and how they are changed, from others."""
        sizes = None if self._sizes is None else [*self._sizes]
        changes = {"augmentation": str(self._augmentation), "sizes": str(sizes)}
        return {"X": batching.digest(self._X), "y": batching.digest(self._y), **changes}
