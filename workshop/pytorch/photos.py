"""Photographs for PyTorch: changed at random on the way, and made ready while the network learns from the last ones.

The changes are drawn and made by `workshop/kit/augmentation.py`, so Keras and PyTorch learn from the same pictures.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from workshop.kit import data, fitting
from workshop.kit.augmentation import Augmentation
from workshop.kit.engine import Plan
from workshop.kit.fitting import History
from workshop.pytorch.kit import Arrays, TorchRun
from workshop.pytorch.model import TorchModel

_MOST_THREADS = 4  # each holds a batch of float32 in memory

Item = TypeVar("Item")
Made = TypeVar("Made")


def fit(
    model: TorchModel,
    X: np.ndarray,
    y: np.ndarray,
    plan: Plan,
    seed: int,
    *,
    loss: nn.Module,
    augmentation: Augmentation | None = None,
    **options: Any,
) -> History:
    """Trains a model on photographs; see `kit.fit`.

    Args:
        model: the network.
        X: pictures, uint8 (samples, size, size, 3), in memory or memory-mapped.
        y: targets, samples first: numbers of classes for nn.CrossEntropyLoss, else (samples, outputs).
        plan: how it is trained.
        seed: of the order of the pictures, which decides how they are changed.
        loss: nn.BCEWithLogitsLoss or nn.CrossEntropyLoss.
        augmentation: how the pictures are changed at random in every epoch, or not at all.
        options: of `fitting.fit`.
    """
    run = TorchRun(model, Photos(X, y, augmentation), plan, loss)
    return fitting.fit(run, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


class Photos(Arrays):
    """Pictures as bytes, and their targets. `batches` gives the pictures changed; an index gives them as they are.

    Args:
        X: uint8 (samples, size, size, 3), in memory or memory-mapped.
        y: numbers of classes (samples,), or targets (samples, outputs).
        augmentation: how the pictures are changed, or not at all.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, augmentation: Augmentation | None = None) -> None:
        super().__init__(X, y, data.scale_pixels)
        self._augmentation = augmentation

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yields the batches of an epoch that visits the pictures in this order, each changed by what is drawn for it.

        A DataLoader would make them ready in other processes, which take longer to start than a short run lasts.
        Threads are there at once, and Pillow and NumPy do their work outside of Python's lock.
        """
        # All is drawn before the first batch is made: what is drawn for a picture does not depend on the batches.
        drawn = self._augmentation.draw(order, self._X.shape[1]) if self._augmentation else ()

        def make(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
            return self._batch(order[rows], *(changes[rows] for changes in drawn))

        return made_ahead(make, fitting.batches(len(order), batch_size))

    def _batch(self, rows: np.ndarray, *changes: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = self._X[rows]
        if self._augmentation:
            pictures = self._augmentation.apply(pictures, *changes)
        return self.as_tensors(pictures, self._y[rows])

    def digests(self) -> dict[str, str]:
        """Returns what tells these pictures, and how they are changed, from others."""
        return super().digests() | {"augmentation": str(self._augmentation)}


def made_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yields what `make` makes of each item, in their order; threads make the next ones while the last one is used."""
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
