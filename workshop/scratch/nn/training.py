"""Training with the NumPy engine: its steps for `workshop.kit.training.loop`, which shows progress and resumes."""

import os
from typing import Any

import numpy as np
import threadpoolctl

from workshop.kit.engine import Plan
from workshop.kit.errors import WorkshopError
from workshop.kit.saving.model import Preprocess
from workshop.kit.training import batching, loop
from workshop.kit.training import run as training_run
from workshop.kit.training.history import History
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer

_BATCH = 128  # samples that are evaluated at a time


def prepare(seed: int, precision: str = "float32") -> str:
    """Readies NumPy; returns what the run uses, in words.

    There is nothing to seed: a network draws from a generator of its own. Products of matrices are computed by one
    core. The matrices of a batch are so small that a second one hardly helps; where another program takes it, the two
    wait for each other, and a step lasts ten times as long.

    Raises:
        WorkshopError: another precision than 32 bits is asked for; NumPy would be slower in 16.
    """
    if precision not in ("auto", "float32"):
        raise WorkshopError(f"--precision: got {precision}, the NumPy engine takes auto or float32")
    threadpoolctl.threadpool_limits(1, user_api="blas")
    return f"NumPy {np.__version__}, 1 of {os.cpu_count()} CPU cores"


def fit(
    network: Network,
    X: np.ndarray,
    y: np.ndarray,
    plan: Plan,
    seed: int,
    *,
    loss: str,
    preprocess: Preprocess | None = None,
    preprocess_targets: Preprocess | None = None,
    **options: Any,
) -> History:
    """Trains a network, with the options of `fitting.fit`.

    Args:
        network: with the weights to start from.
        X: inputs, samples first.
        y: targets, samples first.
        plan: how it is trained.
        seed: of the order of the samples.
        loss: one of `losses.LOSSES`.
        preprocess, preprocess_targets: applied to each batch of X, and of y.
        options: of `fitting.fit`.
    """
    run = NumpyRun(network, X, y, plan, loss, preprocess, preprocess_targets)
    return loop.fit(run, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


class NumpyRun(training_run.Run):
    """The training steps of one network on one set of data."""

    engine = "numpy"

    def __init__(
        self,
        network: Network,
        X: np.ndarray,
        y: np.ndarray,
        plan: Plan,
        loss: str,
        preprocess: Preprocess | None,
        preprocess_targets: Preprocess | None = None,
    ) -> None:
        self.samples = len(X)
        self.names = ["loss"] if loss == "mean_squared_error" else ["loss", "accuracy"]
        self._network, self._X, self._y, self._plan = network, X, y, plan
        self._loss = make_loss(loss)
        self._preprocess = preprocess or (lambda batch: batch)
        self._preprocess_targets = preprocess_targets or (lambda batch: batch)
        self._optimizer = make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)

    # A loss that grows without end is seen by `fitting.fit`, which says so in one line.
    @np.errstate(over="ignore", invalid="ignore")
    def steps(self, orders: np.ndarray, batch_size: int) -> np.ndarray:
        """Takes the steps over the samples in these orders; returns the metrics, (segments, names)."""
        segments = []
        for order in orders:
            sums = np.zeros(len(self.names))
            for rows in batching.batches(len(order), batch_size):
                batch = order[rows]
                inputs, targets = self._preprocess(self._X[batch]), self._preprocess_targets(self._y[batch])
                outputs = self._network.train_step(inputs, targets, self._loss, self._optimizer)
                sums += self._measure(outputs, targets) * len(batch)
            segments.append(sums / len(order))
        return np.stack(segments)

    def _measure(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Returns the metrics of the batch that went through the network last, by the order of `names`."""
        loss = self._network.measure(outputs, targets, self._loss)
        return np.array([loss, accuracy(outputs, targets)] if "accuracy" in self.names else [loss])

    def evaluate(self, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Returns loss and metrics over all of (X, y)."""
        sums = np.zeros(len(self.names))
        for rows in batching.batches(len(X), _BATCH):
            outputs = self._network.forward(self._preprocess(X[rows]))
            sums += self._measure(outputs, self._preprocess_targets(y[rows])) * len(outputs)
        return dict(zip(self.names, (sums / len(X)).tolist(), strict=True))

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights, copied."""
        return self._network.get_weights()

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts weights in."""
        self._network.set_weights(weights)

    def state(self) -> dict[str, np.ndarray]:
        """Returns weights, random generator and the optimizer's memory."""
        optimizer = {f"optimizer/{name}": array for name, array in self._optimizer.state().items()}
        return self._network.training_state() | optimizer

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Puts them back."""
        self._network.restore_training_state(state)
        prefix = "optimizer/"
        self._optimizer.restore(
            {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
        )

    def describe(self) -> dict[str, Any]:
        """Returns layers, loss, plan and data."""
        layers = [[type(layer).__name__, repr(layer.settings)] for layer in self._network.layers]
        described = {"layers": layers, "loss": type(self._loss).__name__, "plan": list(self._plan)}
        return described | {"X": training_run.digest(self._X), "y": training_run.digest(self._y)}


def accuracy(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Returns the share of samples, or of the steps of all sequences, whose class is right.

    Args:
        outputs: (samples, classes), or (samples, 1) the probability of class 1; (samples, steps, ...) for sequences.
        targets: numbers of classes (samples,) or (samples, steps), or in the shape of the outputs.
    """
    if outputs.shape[-1] == 1:
        return float(np.mean((outputs >= 0.5) == (targets.reshape(outputs.shape) >= 0.5)))
    classes = targets if targets.ndim < outputs.ndim else targets.argmax(axis=-1)
    return float(np.mean(outputs.argmax(axis=-1) == classes))
