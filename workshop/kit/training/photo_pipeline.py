"""Training on photographs: batches changed at random on the way, prepared while the network learns from the last ones.

The pictures were decoded once (`photos`). `batches` is a pipeline of `tf.data`: take the rows, which may lie in a file
on the disk, map their places and colours in one operation each (`augmentation`), and keep the next batch ready.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.data import images as image_data
from workshop.kit.lazy import tensorflow
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.training import loop
from workshop.kit.training.history import History
from workshop.kit.training.keras_steps import KerasRun


def batches(
    X: np.ndarray,
    y: np.ndarray,
    order: np.ndarray,
    batch_size: int,
    augmentation: Augmentation | None,
    side: int | None = None,
) -> Any:
    """Returns a tf.data.Dataset of (pictures, targets): float32 (batch, side, side, 3) from 0 to 1, and y of the rows.

    Args:
        X: pictures, uint8 (samples, size, size, 3), in memory or memory-mapped.
        y: targets, samples first.
        order: the rows to visit, int32.
        batch_size: pictures a batch; the last one may be smaller.
        augmentation: how the pictures are changed, or not at all.
        side: of the changed pictures (default: that of X).
    """
    tf = tensorflow
    side = side or X.shape[1]

    def take(rows: np.ndarray, places: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pictures = X[rows]
        files.release_pages(X)
        return (pictures if augmentation is None else augmentation.apply(pictures, places, colours, side)), y[rows]

    def prepare(*parts: Any) -> tuple[Any, Any]:
        # It gives the same for the same rows. Had it a state, operations that must be reproducible would have batches
        # prepared one by one, and each only when the network waits for it.
        pictures, targets = tf.numpy_function(take, parts, (tf.uint8, tf.as_dtype(y.dtype)), stateful=False)
        pictures, targets = (
            tf.ensure_shape(pictures, (None, side, side, 3)),
            tf.ensure_shape(targets, (None, *y.shape[1:])),
        )
        return tf.cast(pictures, tf.float32) / 255, targets

    places, colours = (augmentation or Augmentation()).draw(order, X.shape[1], side)
    parts = tf.data.Dataset.from_tensor_slices((order, places, colours)).batch(batch_size)
    # Pillow works outside of Python's lock, so batches are prepared side by side.
    return parts.map(prepare, num_parallel_calls=os.cpu_count()).prefetch(tf.data.AUTOTUNE)


def fit(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    *,
    augmentation: Augmentation | None = None,
    sides: Sequence[int] | None = None,
    **options: Any,
) -> History:
    """Trains a compiled Keras model on photographs; see `training.fit`.

    Args:
        model: built and compiled.
        X: pictures, uint8 (samples, size, size, 3).
        y: targets, samples first.
        augmentation: how the pictures are changed at random in every epoch.
        sides: of the changed pictures in each epoch (default: that of X), for a network that takes pictures of any
            size.
        options: epochs, batch_size, seed and the others of `fitting.fit`.
    """
    return loop.fit(PhotoRun(model, X, y, augmentation, sides), **options)


class PhotoRun(KerasRun):
    """The training steps of one Keras model on photographs."""

    def __init__(
        self,
        model: Any,
        X: np.ndarray,
        y: np.ndarray,
        augmentation: Augmentation | None,
        sides: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model, X, y, image_data.scale_pixels)
        self.takes_epochs_together = False
        self._augmentation, self._sides, self._side = augmentation, sides, X.shape[1]

    def begin_epoch(self, epoch: int) -> None:
        """Takes the side of the pictures in the epoch that begins."""
        if self._sides is not None:
            self._side = self._sides[epoch]

    def steps(self, orders: np.ndarray, batch_size: int) -> np.ndarray:
        """Takes the steps over the pictures in these orders; returns the metrics, (segments, names)."""
        return np.stack(
            [
                self.fit_on(batches(self._X, self._y, order, batch_size, self._augmentation, self._side))
                for order in orders
            ]
        )

    def describe(self) -> dict[str, Any]:
        """Returns backend, optimizer, loss, layers, data, the changes to the pictures and their sides."""
        sides = [*self._sides] if self._sides is not None else None
        return super().describe() | {"augmentation": str(self._augmentation), "sides": sides}
