"""The state of a training in NumPy: which epoch it is in, what it measured, and how it goes on after a stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from workshop.kit.training import batching, state
from workshop.kit.training.checkpoint import part
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.sgd import Optimizer


class TrainingState(state.TrainingState):
    """The progress of one training; see `workshop.kit.training.state.TrainingState`.

    `for epoch in state.epochs(network, optimizer, X, y, seed)` goes on where a stopped training was, `state.batches()`
    has the rows of its batches, `state.log(len(rows), loss=loss)` shows and remembers what a step measured.
    """

    engine = "numpy"
    _model: Network

    def epochs(self, network: Network, optimizer: Optimizer, X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[int]:
        """Yields the epochs that are still to be trained, from 0.

        Args:
            network: whose parameters are trained.
            optimizer: of these.
            X, y: the training data, which `batches` gives the rows of.
            seed: of their order.
        """
        self._model, self._optimizer, self._seed = network, optimizer, seed
        layers = [[type(layer).__name__, repr(layer.settings)] for layer in network.layers]
        settings = {"layers": layers, "seed": seed, "X": batching.digest(X), "y": batching.digest(y)}
        # A loss that grows without end is seen after the epoch, which says so in one line.
        with np.errstate(over="ignore", invalid="ignore"):
            yield from self._run(len(X), settings)

    def batches(self) -> Iterator[np.ndarray]:
        """Yields the rows of one batch of this epoch after another, in the order that Keras takes them in."""
        order = batching.epoch_order(self._samples, self._seed, self.finished)
        for rows in batching.batches(self._samples, self.recipe.batch_size):
            yield order[rows]

    def _capture(self) -> dict[str, np.ndarray]:
        memory = {f"optimizer/{name}": array for name, array in self._optimizer.state().items()}
        return self._model.training_state() | memory

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._model.restore_training_state(arrays)
        self._optimizer.restore(part(arrays, "optimizer"))
