"""What an engine gives to be trained by `fitting`: a `Run`, which takes steps on batches and knows its own state."""

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workshop.kit.training import batching
from workshop.kit.training.batching import digest as digest
from workshop.kit.training.progress_bar import TqdmBar


@dataclass
class Call:
    """What one call reports: metrics (segments, names), where each segment ends, and whether it ends an epoch."""

    values: np.ndarray
    passed: list[float]
    weights: list[float]
    ends_epoch: bool


class Run(abc.ABC):
    """The training of one model on one set of data by one engine.

    Attributes:
        engine: its name, as the models' cards have it.
        samples: how many there are to train on.
        names: of the metrics that a call reports, "loss" first.
        takes_epochs_together: whether one call may train many epochs of a small table.
    """

    engine: str
    samples: int
    names: list[str]
    takes_epochs_together = False

    @abc.abstractmethod
    def steps(self, orders: np.ndarray, batch_size: int) -> np.ndarray:
        """Takes the steps over the samples in these orders, int32 (segments, samples).

        Returns:
            The mean of each metric over each segment, (segments, names).
        """

    @abc.abstractmethod
    def evaluate(self, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Returns loss and metrics over all of (X, y), outside of training."""

    @abc.abstractmethod
    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights, copied."""

    @abc.abstractmethod
    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts weights in."""

    @abc.abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Returns all that the run depends on: weights, the optimizer's memory, random generators."""

    @abc.abstractmethod
    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Puts a state back; raises KeyError where a part is missing."""

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """Returns what must be the same in a run and in the run that resumes it, as JSON knows it."""

    def begin_epoch(self, epoch: int) -> None:  # noqa: B027, most runs take every epoch alike
        """Is told which epoch begins, from 0."""

    def bar(self, target: int, unit: str) -> Any:
        """Returns a progress bar with a method update(at, metrics, finalize)."""
        return TqdmBar(target, unit)

    def train(self, orders: Sequence[np.ndarray], batch_size: int) -> Iterator[Call]:
        """Trains the epochs that visit the samples in these orders; reports after every call."""
        if not batching.is_long(self.samples, batch_size):
            values = np.asarray(self.steps(np.stack(orders), batch_size))
            yield Call(values, [float(i + 1) for i in range(len(orders))], [1.0] * len(orders), True)
            return
        for rows in batching.batches(self.samples, batch_size * batching.STEPS_A_CALL_WITHIN_AN_EPOCH):
            part = orders[0][rows]
            end = rows.start + len(part)
            values = np.asarray(self.steps(part[None], batch_size))
            yield Call(values, [end / self.samples], [len(part) / self.samples], end == self.samples)
