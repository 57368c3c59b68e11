"""Batches for `model.fit`: samples in an order that a seed and the number of the epoch decide, prepared on the way."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.kit import files, processes
from workshop.kit.lazy import tensorflow
from workshop.kit.saving.model import Preprocess
from workshop.kit.training.batching import digest, epoch_order

if TYPE_CHECKING:
    from workshop.kit.photos.augmentation import Augmentation


def shuffled_batches(
    X: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    seed: int,
    preprocess: Preprocess | None = None,
    preprocess_targets: Preprocess | None = None,
) -> tensorflow.data.Dataset:
    """Returns the training data as `model.fit` takes it: batches of (inputs, targets), each epoch in another order.

    `model.fit(X, y)` would shuffle as well, in an order that nobody can ask for again. Here epoch number e visits the
    samples in the order `epoch_order(len(X), seed, e)`, in every engine, so that a training can be resumed and
    repeated. The next batch is prepared while the model trains on the last one.

    Args:
        X: inputs, samples first; bytes or numbers.
        y: targets, samples first.
        batch_size: samples per batch; the last one of an epoch may be smaller.
        seed: of the order.
        preprocess: applied to each batch of X. Images stay bytes in memory this way, not float32.
        preprocess_targets: the same for y, where the targets are images too.

    Where several processes share the training, each gets its part of every batch. A last batch that cannot be divided
    into equal parts goes to each of them whole: the mean of the same gradients is that gradient. In the mean loss that
    Keras prints of the epoch, that batch then counts more than it should.

    Returns:
        A `tf.data.Dataset`. Its attribute `epoch` is the number of the epoch that begins next: it counts up by itself,
        and `Resume` sets it. Its `settings` tell this training data from others.
    """
    tf = tensorflow
    inputs, targets = tf.constant(X), tf.constant(y)
    processes.check_batch_size(batch_size)

    def take(rows: tensorflow.Tensor) -> tuple[tensorflow.Tensor, tensorflow.Tensor]:
        rows = _part(rows) if processes.count() > 1 else rows
        x, t = tf.gather(inputs, rows), tf.gather(targets, rows)
        return preprocess(x) if preprocess else x, preprocess_targets(t) if preprocess_targets else t

    batches, epoch = _epochs(len(X), batch_size, lambda e: (epoch_order(len(X), seed, e),), [("int32", ())])
    batches = batches.map(take, num_parallel_calls=os.cpu_count())
    return _described(batches, epoch, X, y, batch_size=batch_size, seed=seed)


def _part(rows: tensorflow.Tensor) -> tensorflow.Tensor:
    """Returns this process' part of a batch's rows, or all of them once for each device of the process."""
    tf = tensorflow
    size = tf.size(rows) // processes.count()
    return tf.cond(
        tf.size(rows) % processes.parts() == 0,
        lambda: rows[processes.index() * size : (processes.index() + 1) * size],
        lambda: tf.tile(rows, [processes.parts() // processes.count()]),
    )


def photo_batches(
    X: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    seed: int | None,
    augmentation: Augmentation | None = None,
    sizes: Sequence[int] | None = None,
) -> tensorflow.data.Dataset:
    """Returns the same for photos, which may lie in a file on the disk and are changed at random on their way.

    Args:
        X: photos, uint8 (samples, size, size, 3), in memory or memory-mapped.
        y: targets, samples first.
        batch_size: photos per batch; the last one of an epoch may be smaller.
        seed: of the order, which decides how each photo is changed. None leaves the photos in their order, for
            `evaluate` and `predict`.
        augmentation: the changes, or None to leave the photos as they are.
        sizes: the image size in each epoch, for a network that takes any size (default: that of X).

    Returns:
        As `shuffled_batches`; the inputs are float32 (batch, size, size, 3) from 0 to 1.
    """
    tf = tensorflow
    size = X.shape[1]

    def draw(epoch: int) -> tuple[np.ndarray, ...]:
        order = np.arange(len(X), dtype=np.int32) if seed is None else epoch_order(len(X), seed, epoch)
        new_size = size if sizes is None else sizes[min(epoch, len(sizes) - 1)]
        new_sizes = np.full(len(order), new_size, np.int32)
        if augmentation is None:
            return order, new_sizes, np.zeros((len(order), 2, 3), np.float32), np.zeros((len(order), 3, 4), np.float32)
        return order, new_sizes, *augmentation.draw(order, size, new_size)

    def read(
        rows: np.ndarray, new_sizes: np.ndarray, affine_matrices: np.ndarray, color_matrices: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        photos = X[rows]
        files.release_pages(X)
        if augmentation is not None:
            photos = augmentation.apply(photos, affine_matrices, color_matrices, int(new_sizes[0]))
        return photos, y[rows]

    def prepare(*drawn: tensorflow.Tensor) -> tuple[tensorflow.Tensor, tensorflow.Tensor]:
        # It gives the same for the same rows. Had it a state, operations that must be reproducible would have batches
        # prepared one by one, and each only when the network waits for it.
        photos, targets = tf.numpy_function(read, drawn, (tf.uint8, tf.as_dtype(y.dtype)), stateful=False)
        new_size = size if sizes is None else None
        photos = tf.ensure_shape(photos, (None, new_size, new_size, 3))
        return tf.cast(photos, tf.float32) / 255, tf.ensure_shape(targets, (None, *y.shape[1:]))

    drawn_arrays = [("int32", ()), ("int32", ()), ("float32", (2, 3)), ("float32", (3, 4))]
    batches, epoch = _epochs(len(X), batch_size, draw, drawn_arrays)
    # Pillow works outside of Python's lock, so batches are prepared side by side.
    batches = batches.map(prepare, num_parallel_calls=os.cpu_count())
    settings = {"augmentation": str(augmentation), "sizes": None if sizes is None else [*sizes]}
    return _described(batches, epoch, X, y, batch_size=batch_size, seed=seed, **settings)


class _Epoch:
    """The number of the epoch that begins next."""

    def __init__(self) -> None:
        self._number = 0

    def assign(self, number: int) -> None:
        """Lets another epoch begin next."""
        self._number = number

    def advance(self) -> int:
        """Returns the number of the epoch that begins now."""
        self._number += 1
        return self._number - 1


def _epochs(
    samples: int,
    batch_size: int,
    draw: Callable[[int], tuple[np.ndarray, ...]],
    arrays: Sequence[tuple[str, tuple[int, ...]]],
) -> tuple[tensorflow.data.Dataset, _Epoch]:
    """Returns a dataset that asks `draw(epoch)` for arrays, samples first, and cuts them into batches; and its epoch.

    `arrays` has their dtypes, and the shapes of one sample.
    """
    tf = tensorflow
    epoch = _Epoch()

    def begin(first: tensorflow.Tensor) -> tuple[tensorflow.Tensor, ...]:
        # A function without a state, as far as TensorFlow knows: see `photo_batches`.
        drawn = tf.numpy_function(
            lambda _: draw(epoch.advance()), [first], [kind for kind, _ in arrays], stateful=False
        )
        return tuple(tf.ensure_shape(array, (samples, *shape)) for array, (_, shape) in zip(drawn, arrays, strict=True))

    def in_rows(*drawn: tensorflow.Tensor) -> tensorflow.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(drawn)

    return tf.data.Dataset.range(1).map(begin).flat_map(in_rows).batch(batch_size), epoch


def _described(
    batches: tensorflow.data.Dataset, epoch: _Epoch, X: np.ndarray, y: np.ndarray, **settings: Any
) -> tensorflow.data.Dataset:
    """Returns the batches, the next of which is always ready, with what `Resume` wants to know of them."""
    tf = tensorflow
    steps = math.ceil(len(X) / settings["batch_size"])
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False  # at the end of each epoch its thread would be waited for: 50 ms
    batches = batches.with_options(options)
    batches.epoch = epoch
    batches.settings = {**settings, "X": digest(X), "y": digest(y)}
    return batches
