"""The order in which an epoch visits the samples, and the batches that it is taken in: the same in every engine."""

import hashlib
from collections.abc import Iterator

import numpy as np

from workshop.kit import files

# Steps in one call: short enough that the progress bar moves and Ctrl-C answers, long enough that the call itself
# costs nothing. A small table's step takes 0.2 ms, an image network's 10 ms.
STEPS_A_CALL_OF_EPOCHS = 500
STEPS_A_CALL_WITHIN_AN_EPOCH = 50


def epoch_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order in which an epoch visits the samples, int32 (samples,), drawn from (seed, epoch)."""
    return np.random.default_rng((seed, epoch)).permutation(samples).astype(np.int32)


def batches(samples: int, size: int) -> Iterator[slice]:
    """Yields the rows of one batch after another; the last one may be smaller."""
    return (slice(start, start + size) for start in range(0, samples, size))


def is_long(samples: int, batch_size: int) -> bool:
    """Whether an epoch has so many steps that it is reported, and shown, in parts."""
    return -(-samples // batch_size) > 2 * STEPS_A_CALL_WITHIN_AN_EPOCH


def digest(array: np.ndarray) -> str:
    """Returns the SHA-256 of an array's numbers, which tells training data from other training data."""
    found = hashlib.sha256()
    for rows in batches(len(array), 1000):
        found.update(np.ascontiguousarray(array[rows]).data)
        files.release_pages(array)
    return found.hexdigest()
