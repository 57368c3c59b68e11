"""The order in which an epoch visits the samples, and the batches that it is taken in: the same in every engine."""

import hashlib
from collections.abc import Iterator

import numpy as np

from workshop.kit import files


def epoch_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order in which an epoch visits the samples, int32 (samples,), drawn from (seed, epoch)."""
    return np.random.default_rng((seed, epoch)).permutation(samples).astype(np.int32)


def batches(samples: int, size: int) -> Iterator[slice]:
    """Yields the rows of one batch after another; the last one may be smaller."""
    return (slice(start, start + size) for start in range(0, samples, size))


def digest(array: np.ndarray) -> str:
    """Returns the SHA-256 of an array's numbers, which tells training data from other training data."""
    sha256 = hashlib.sha256()
    for rows in batches(len(array), 1000):
        sha256.update(np.ascontiguousarray(array[rows]).data)
        files.release_pages(array)
    return sha256.hexdigest()
