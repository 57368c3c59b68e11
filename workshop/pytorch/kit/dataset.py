"""Samples and targets in NumPy's arrays as a Dataset of PyTorch, and the order of its batches.

`photos.py` has the Dataset of photos, which are changed on their way.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from workshop.kit.saving.model import Preprocess
from workshop.kit.training import batching


class SeededBatches(Sampler[list[int]]):
    """The batches of each epoch, as lists of rows, in the order that the seed and the epoch decide: that of Keras.

    As the sampler of a `DataLoader(..., batch_size=None)` it asks the dataset for a whole batch at once, which is far
    quicker than one sample after another.

    Args:
        samples: how many there are.
        batch_size: samples per batch; the last one of an epoch may be smaller.
        seed: of the order.
    """

    def __init__(self, samples: int, batch_size: int, seed: int) -> None:
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Takes the order of this epoch, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = batching.epoch_order(self.samples, self.seed, self._epoch).tolist()
        for rows in batching.batches(self.samples, self.batch_size):
            yield order[rows]


class ArrayDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Samples and targets in NumPy's arrays, as PyTorch's networks take them: images with their channels first.

    Args:
        X: samples first, images channels last; bytes, or numbers.
        y: class numbers (samples,), or targets (samples, outputs).
        preprocess, preprocess_targets: applied to each batch of X, and of y.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        preprocess: Preprocess | None = None,
        preprocess_targets: Preprocess | None = None,
    ) -> None:
        self._X, self._y = X, y
        self._preprocess, self._preprocess_targets = preprocess, preprocess_targets

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the samples and the targets of a list of rows."""
        X, y = self._X[rows], self._y[rows]
        X = X if self._preprocess is None else self._preprocess(X)
        y = y if self._preprocess_targets is None else self._preprocess_targets(y)
        return as_tensor(X), as_tensor(y)

    def digests(self) -> dict[str, str]:
        """Returns what tells these samples from others."""
        return {"X": batching.digest(self._X), "y": batching.digest(self._y)}


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """Returns samples or targets as PyTorch takes them: images with their channels first, all others as they are.

    Tokens and class numbers become the 64-bit integers that an embedding and cross-entropy take, other numbers floats.
    """
    tensor = torch.from_numpy(np.asarray(array, np.int64 if array.dtype.kind in "iu" else np.float32))
    return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor
