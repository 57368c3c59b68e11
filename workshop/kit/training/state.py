"""The state of a training whose loop is written out, in an engine beside Keras: progress, history, resuming.

Keras has callbacks for these. In PyTorch and NumPy the loop is the lesson's own, and asks a `TrainingState` for epochs.
"""

from __future__ import annotations

import abc
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from workshop.kit import processes
from workshop.kit.saving.model import Model
from workshop.kit.training.checkpoint import Checkpoint, State, check_finite, part
from workshop.kit.training.recipe import Recipe

_STEPS_A_REPORT = 50
_SHORT_EPOCH = 100  # steps; the progress of longer ones is shown step by step


class TqdmBar:
    """A progress bar by tqdm: on a screen it moves, in a file or a pipe it is one line at its end."""

    def __init__(self, target: int, unit: str) -> None:
        from tqdm import tqdm

        self._is_shown = sys.stdout.isatty()
        self._bar = tqdm(total=target, unit=unit, file=sys.stdout, disable=not self._is_shown, dynamic_ncols=True)
        self._target, self._unit, self._started = target, unit, time.perf_counter()

    def update(self, at: int, metrics: Sequence[tuple[str, float]] = (), finalize: bool = False) -> None:
        """Moves the bar to `at` of its target and shows the metrics; `finalize` ends its line."""
        self._bar.n = at
        shown = ", ".join(f"{name}: {value:.4f}" for name, value in metrics)
        self._bar.set_postfix_str(shown, refresh=finalize)
        self._bar.update(0)
        if finalize:
            self._bar.close()
        if finalize and not self._is_shown:
            seconds = time.perf_counter() - self._started
            ending = f" - {shown}" if shown else ""
            print(f"{at}/{self._target} {self._unit}s in {seconds:.1f} s{ending}")


class TrainingState(abc.ABC):
    """The progress of one training.

    Args:
        checkpoint: the file to go on from with `--resume`.
        recipe: with the number of epochs, and the batch size.
        patience: stop when the `val_loss` that the loop logs has not improved for so many epochs, and put the best
            weights back (early stopping).
        snapshots: the epochs, counted from 1, after which the weights are kept; 0 is before training.
        may_diverge: whether a loss that is no longer finite ends the training early, instead of being an error.

    Attributes:
        history: for each metric its mean in every epoch, as in Keras' History.
        curve: the epochs passed, fractions included, and the mean loss since the value before.
        weights: the weights that were kept, by their epochs, in Keras' order and layout.
        best_epoch: the epoch whose weights the network has in the end.
    """

    engine: str
    _model: Model  # set by the engine

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        recipe: Recipe,
        *,
        patience: int | None = None,
        snapshots: Sequence[int] = (),
        may_diverge: bool = False,
        verbose: int = 1,
    ) -> None:
        self.recipe = recipe
        self.history: dict[str, list[float]] = {}
        self.curve: tuple[list[float], list[float]] = ([], [])
        self.weights: dict[int, list[np.ndarray]] = {}
        self.best_epoch = 0
        self._checkpoint = checkpoint
        self._patience, self._snapshots = patience, set(snapshots)
        self._may_diverge, self._verbose = may_diverge, verbose
        self._best: list[np.ndarray] = []
        self._begin_epoch(0, None)

    @abc.abstractmethod
    def _capture(self) -> dict[str, np.ndarray]:
        """Returns all that the training depends on: weights, the optimizer's memory, random generators."""

    @abc.abstractmethod
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Puts it back; raises KeyError where a part is missing."""

    @property
    def finished(self) -> int:
        """Epochs done."""
        return len(self.history.get("loss", []))

    def _run(self, samples: int, settings: Mapping[str, Any]) -> Iterator[int]:
        """Yields the epochs that are still to be trained, from 0; keeps the state after each.

        Args:
            samples: in the training data.
            settings: what must be the same in a training and in the one that resumes it.
        """
        self._samples = samples
        epochs, steps = self.recipe.epochs, math.ceil(samples / self.recipe.batch_size)
        if self._checkpoint:
            recipe = {f"recipe_{name}": value for name, value in asdict(self.recipe).items()}
            self._checkpoint.begin({"engine": self.engine, **recipe, **settings}, self._put_back, epochs)
        if 0 in self._snapshots and not self.finished:
            self.weights[0] = self._model.get_weights()
        is_long = steps > _SHORT_EPOCH
        bar = None
        while self.finished < epochs and not self._patience_is_spent():
            epoch = self.finished
            if self._verbose and is_long:
                print(f"Epoch {epoch + 1}/{epochs}")
                bar = TqdmBar(steps, "step")
            elif self._verbose and bar is None:
                bar = TqdmBar(epochs, "epoch")
            self._begin_epoch(steps, bar if is_long else None)
            yield epoch
            self._end_epoch()
            if not math.isfinite(self.history["loss"][-1]) and self._may_diverge:
                break
            check_finite(self.history["loss"][-1], self.finished)
            if self._patience is not None and self._epoch_of_lowest_loss() == self.finished:
                self._best = self._model.get_weights()
            if self.finished in self._snapshots:
                self.weights[self.finished] = self._model.get_weights()
            if self._checkpoint:
                is_last = self.finished == epochs or self._patience_is_spent()
                self._checkpoint.save(self._state, at_once=is_last)
            if bar is not None:
                latest = [(name, values[-1]) for name, values in self.history.items()]
                at, last = (steps, steps) if is_long else (self.finished, epochs)
                bar.update(at, latest, finalize=at == last)
        if bar is not None and not is_long and self.finished < epochs:
            bar.update(self.finished, finalize=True)
        self.best_epoch = self.finished
        if self._best:
            self.best_epoch = self._epoch_of_lowest_loss()
            self._model.set_weights(self._best)

    def _begin_epoch(self, steps: int, bar: TqdmBar | None) -> None:
        self._steps, self._step, self._bar = steps, 0, bar
        self._sums: dict[str, Any] = {}
        self._validation: dict[str, float] = {}
        self._seen: float = 0
        self._seen_since: float = 0
        self._loss_since: Any = 0.0

    def log(self, samples: float, **metrics: Any) -> None:
        """Takes in the mean metrics of one step, "loss" among them, over so many samples."""
        self._step += 1
        if processes.count() > 1:
            samples = self._samples_of_step() / processes.count()
        self._seen += samples
        self._seen_since += samples
        for name, value in metrics.items():
            total = self._detach(value) * samples
            self._sums[name] = self._sums.get(name, 0.0) + total
            if name == "loss":
                self._loss_since += total
        if self._step % _STEPS_A_REPORT == 0 or self._step == self._steps:
            total, seen = processes.total([float(self._loss_since), self._seen_since])
            loss = total / seen
            self.curve[0].append(self.finished + self._step / self._steps)
            self.curve[1].append(loss)
            self._loss_since, self._seen_since = 0.0, 0
            if self._bar is not None and self._step < self._steps:
                self._bar.update(self._step, [(name, float(total) / self._seen) for name, total in self._sums.items()])

    def _samples_of_step(self) -> int:
        """Returns the size of the batch of this step, of which the process has seen a part."""
        size = self.recipe.batch_size
        return min(size, self._samples - (self._step - 1) * size)

    def log_validation(self, **metrics: float) -> None:
        """Takes in what was measured on the validation data after an epoch, reported as `val_loss` and so on."""
        self._validation = {f"val_{name}": float(value) for name, value in metrics.items()}

    @staticmethod
    def _detach(value: Any) -> Any:
        """Returns a metric without what an engine remembers of its making."""
        return value

    def _end_epoch(self) -> None:
        seen, *totals = processes.total([self._seen, *map(float, self._sums.values())])
        means = {name: total / seen for name, total in zip(self._sums, totals, strict=True)}
        for name, value in (means | self._validation).items():
            self.history.setdefault(name, []).append(value)

    def _epoch_of_lowest_loss(self) -> int:
        return int(np.argmin(self.history["val_loss"])) + 1

    def _patience_is_spent(self) -> bool:
        if self._patience is None or not self.finished:
            return False
        return self.finished - self._epoch_of_lowest_loss() >= self._patience

    def _state(self) -> State:
        arrays = {f"state/{name}": array for name, array in self._capture().items()}
        arrays |= {f"best/{i}": weight for i, weight in enumerate(self._best)}
        for epoch, weights in self.weights.items():
            arrays |= {f"weights/{epoch}/{i}": weight for i, weight in enumerate(weights)}
        return State(arrays, {"history": self.history, "curve": self.curve})

    def _put_back(self, state: State) -> int:
        history, curve = state.notes["history"], state.notes["curve"]
        self._restore(part(state.arrays, "state"))
        self._best = [*part(state.arrays, "best").values()]
        self.weights = {}
        for name, weight in part(state.arrays, "weights").items():  # in the order of `_state`
            self.weights.setdefault(int(name.partition("/")[0]), []).append(weight)
        self.history, self.curve = history, (curve[0], curve[1])
        return self.finished
