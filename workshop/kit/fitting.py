"""Fitting, whichever engine takes the steps: the loop over epochs, the progress, early stopping, and resuming.

An engine gives a `Run`, which knows how to take steps on batches. `fit` decides the order of the samples from (seed,
epoch), keeps the loss of every epoch, shows the progress, and writes the state of the run to a checkpoint after every
call, from which `resume=True` goes on and ends with the weights that an uninterrupted run would have had.
"""

import abc
import hashlib
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError

# Steps in one call: short enough that the progress bar moves and Ctrl-C answers, long enough that the call itself
# costs nothing. A small table's step takes 0.2 ms, an image network's 10 ms.
_STEPS_A_CALL_OF_EPOCHS = 500
_STEPS_A_CALL_WITHIN_AN_EPOCH = 50
_SECONDS_BETWEEN_CHECKPOINTS = 0.5

Preprocess = Callable[[Any], Any]


@dataclass
class History:
    """What happened in a run.

    Attributes:
        epochs: for each metric ("loss", "accuracy", "val_loss") its value in every epoch.
        fine: the same at every report within the epochs (a curve of two epochs is not a line of two points).
        at: for each value in `fine`, the epochs passed by then, fractions included.
        snapshots: the weights after the epochs that were asked for; 0 is before training.
        best_epoch: the epoch whose weights were kept, with early stopping; else the last.
    """

    epochs: dict[str, list[float]] = field(default_factory=dict)
    fine: dict[str, list[float]] = field(default_factory=dict)
    at: list[float] = field(default_factory=list)
    snapshots: dict[int, list[np.ndarray]] = field(default_factory=dict)
    best_epoch: int = 0

    @property
    def finished(self) -> int:
        """Epochs done."""
        return len(self.epochs.get("loss", []))


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

    def bar(self, target: int, unit: str) -> Any:
        """Returns a progress bar with a method update(at, metrics, finalize)."""
        return TqdmBar(target, unit)

    def train(self, orders: Sequence[np.ndarray], batch_size: int) -> Iterator[Call]:
        """Trains the epochs that visit the samples in these orders; reports after every call."""
        if not is_long(self.samples, batch_size):
            values = np.asarray(self.steps(np.stack(orders), batch_size))
            yield Call(values, [float(i + 1) for i in range(len(orders))], [1.0] * len(orders), True)
            return
        for rows in batches(self.samples, batch_size * _STEPS_A_CALL_WITHIN_AN_EPOCH):
            part = orders[0][rows]
            end = rows.start + len(part)
            values = np.asarray(self.steps(part[None], batch_size))
            yield Call(values, [end / self.samples], [len(part) / self.samples], end == self.samples)


def epoch_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order in which an epoch visits the samples, int32 (samples,), drawn from (seed, epoch)."""
    return np.random.default_rng((seed, epoch)).permutation(samples).astype(np.int32)


def batches(samples: int, size: int) -> Iterator[slice]:
    """Yields the rows of one batch after another; the last one may be smaller."""
    return (slice(start, start + size) for start in range(0, samples, size))


def is_long(samples: int, batch_size: int) -> bool:
    """Whether an epoch has so many steps that it is reported, and shown, in parts."""
    return -(-samples // batch_size) > 2 * _STEPS_A_CALL_WITHIN_AN_EPOCH


def fit(
    run: Run,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    patience: int | None = None,
    snapshots: Sequence[int] = (),
    checkpoint: Path | None = None,
    resume: bool = False,
    may_diverge: bool = False,
    title: str = "",
) -> History:
    """Trains.

    Args:
        run: of an engine, with the model and the data.
        epochs: passes over the data.
        batch_size: samples a step; the last batch of an epoch may be smaller.
        seed: with the number of the epoch it decides the order of the samples.
        validation_data: (X, y) measured after every epoch, reported as `val_loss` and so on.
        patience: stop when `val_loss` has not improved for so many epochs, and put the best weights back.
        snapshots: the epochs after which the weights are kept in the history.
        checkpoint: a file for the state of the run. The caller deletes it when the model is saved.
        resume: go on from the checkpoint, if there is one.
        may_diverge: a loss that is no longer finite ends the training early instead of being an error.
        title: printed before the progress.

    Returns:
        The history, the epochs before a resume included.

    Raises:
        WorkshopError: the loss is no longer finite; or the checkpoint is of another run or cannot be written.
    """
    history = History()
    best: list[np.ndarray] = []
    state = Checkpoint(checkpoint, run, epochs, batch_size, seed) if checkpoint else None
    if state and state.path.exists():
        if resume:
            best = state.load(history)
            print(f"Resumed   after epoch {history.finished} of {epochs} ({state.path})")
        else:
            print(
                f"Note      {state.path} is of a run that was stopped; --resume goes on with it, this run starts anew"
            )
    elif resume:
        print("Resume    found nothing to go on with: starting from the first epoch")
    if title and history.finished < epochs:
        print(title)
    if 0 in snapshots and not history.finished:
        history.snapshots[0] = run.get_weights()
    progress = Progress(run, epochs, batch_size)

    while history.finished < epochs and not _is_patience_spent(history, patience):
        first = history.finished
        orders = [
            epoch_order(run.samples, seed, first + i) for i in range(_epochs_together(run, first, epochs, batch_size))
        ]
        if validation_data is not None or any(first < epoch < first + len(orders) for epoch in snapshots):
            # Somebody looks after single epochs.
            orders = orders[:1]
        progress.begin(history)
        for call in run.train(orders, batch_size):
            progress.update(history, call)
        if not np.isfinite(history.epochs["loss"][-1]):
            if may_diverge:
                break
            raise WorkshopError(
                f"training diverged: the loss is {history.epochs['loss'][-1]} after epoch {history.finished}; take a "
                f"smaller --learning-rate, and scaled inputs. The model saved before is unchanged"
            )
        if validation_data is not None:
            for name, value in run.evaluate(*validation_data).items():
                history.epochs.setdefault(f"val_{name}", []).append(value)
        if patience is not None and _best_epoch(history) == history.finished:
            best = run.get_weights()
        if history.finished in snapshots:
            history.snapshots[history.finished] = run.get_weights()
        if state:
            state.save(history, best, at_once=history.finished == epochs)
    progress.close(history)
    history.best_epoch = history.finished
    if best:
        history.best_epoch = _best_epoch(history)
        run.set_weights(best)
    return history


def _epochs_together(run: Run, first: int, epochs: int, batch_size: int) -> int:
    """Returns how many epochs one call trains."""
    if not run.takes_epochs_together or is_long(run.samples, batch_size):
        return 1
    return min(epochs - first, max(1, _STEPS_A_CALL_OF_EPOCHS // -(-run.samples // batch_size)))


def _best_epoch(history: History) -> int:
    return int(np.argmin(history.epochs["val_loss"])) + 1


def _is_patience_spent(history: History, patience: int | None) -> bool:
    if patience is None or not history.finished:
        return False
    return history.finished - _best_epoch(history) >= patience


class TqdmBar:
    """A progress bar by tqdm: on a screen it moves, in a file or a pipe it is one line at its end."""

    def __init__(self, target: int, unit: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=target, unit=unit, file=sys.stdout, disable=not sys.stdout.isatty(), dynamic_ncols=True)
        self._target, self._unit, self._started = target, unit, time.perf_counter()

    def update(self, at: int, metrics: Sequence[tuple[str, float]] = (), finalize: bool = False) -> None:
        """Moves the bar to `at` of its target and shows the metrics; `finalize` ends its line."""
        self._bar.n = at
        shown = ", ".join(f"{name}: {value:.4f}" for name, value in metrics)
        self._bar.set_postfix_str(shown, refresh=finalize)
        self._bar.update(0)
        if finalize:
            self._bar.close()
        if finalize and self._bar.disable:
            seconds = time.perf_counter() - self._started
            print(f"{at}/{self._target} {self._unit}s in {seconds:.1f} s{' - ' * bool(shown)}{shown}")


class Progress:
    """The bar on the screen, and the history: both grow with every call."""

    def __init__(self, run: Run, epochs: int, batch_size: int) -> None:
        self._run, self._epochs, self._names = run, epochs, run.names
        self._steps = -(-run.samples // batch_size)
        self._by_step = is_long(run.samples, batch_size)
        self._bar: Any = None
        self._sums = np.zeros(len(run.names))

    def begin(self, history: History) -> None:
        """Shows a bar before there is anything to report, so that its clock is right."""
        if self._bar is None and self._by_step:
            print(f"Epoch {history.finished + 1}/{self._epochs}")
            self._bar = self._run.bar(self._steps, "step")
        elif self._bar is None:
            self._bar = self._run.bar(self._epochs, "epoch")

    def update(self, history: History, call: Call) -> None:
        """Takes in what a call reports."""
        before = history.finished
        for row, passed, weight in zip(call.values, call.passed, call.weights, strict=True):
            self._sums += row * weight
            history.at.append(before + passed)
            for name, value in zip(self._names, row, strict=True):
                history.fine.setdefault(name, []).append(float(value))
            if not call.ends_epoch and passed < 1:
                continue
            for name, value in zip(self._names, self._sums, strict=True):
                history.epochs.setdefault(name, []).append(float(value))
            self._sums[:] = 0
        latest = [(name, history.fine[name][-1]) for name in self._names]
        if self._by_step:
            at = self._steps if call.ends_epoch else round(call.passed[-1] * self._steps)
            if call.ends_epoch:
                latest = [(name, history.epochs[name][-1]) for name in self._names]
            self._bar.update(at, latest, finalize=call.ends_epoch)
            if call.ends_epoch:
                self._bar = None
        else:
            self._bar.update(history.finished, latest, finalize=history.finished == self._epochs)

    def close(self, history: History) -> None:
        """Ends the line of a bar that early stopping left unfinished."""
        if self._bar is not None and not self._by_step and history.finished < self._epochs:
            self._bar.update(history.finished, finalize=True)


class _Kept(NamedTuple):
    """What a checkpoint holds, once it was read."""

    state: dict[str, np.ndarray]
    best: list[np.ndarray]
    snapshots: dict[int, list[np.ndarray]]


class Checkpoint:
    """The state of a run in a .npz: what the engine needs to go on, the best weights so far, the history."""

    def __init__(self, path: Path, run: Run, epochs: int, batch_size: int, seed: int) -> None:
        self.path = path
        self._run = run
        settings = {"engine": run.engine, "epochs": epochs, "batch_size": batch_size, "seed": seed}
        self._fingerprint = json.dumps(settings | run.describe(), sort_keys=True)
        self._saved = -math.inf
        self._patience = 1.0  # how many times as long it waits where writing itself takes long: ten million weights

    def save(self, history: History, best: list[np.ndarray], at_once: bool = False) -> None:
        """Writes the state, unless the last one is so young that losing what came since costs nobody anything."""
        started = time.monotonic()
        if not at_once and started - self._saved < _SECONDS_BETWEEN_CHECKPOINTS * self._patience:
            return
        self._saved = started
        progress = {"run": self._fingerprint, "epochs": history.epochs, "fine": history.fine, "at": history.at}
        arrays = {"progress": np.frombuffer(json.dumps(progress).encode(), np.uint8)}
        arrays |= {f"state_{name}": array for name, array in self._run.state().items()}
        arrays |= {f"best_{i}": weight for i, weight in enumerate(best)}
        for epoch, weights in history.snapshots.items():
            arrays |= {f"snapshot_{epoch}_{i}": weight for i, weight in enumerate(weights)}
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        files.write_atomically(self.path, content.getvalue())
        self._patience = max(1.0, 40 * (time.monotonic() - started))

    def load(self, history: History) -> list[np.ndarray]:
        """Puts the state back; returns the best weights so far, with early stopping."""
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            progress = json.loads(arrays.pop("progress").tobytes())
            theirs, ours = json.loads(progress["run"]), json.loads(self._fingerprint)
            changed = ", ".join(name for name in ours if ours[name] != theirs.get(name))
            kept = _sorted(arrays)
            epochs, fine, at = progress["epochs"], progress["fine"], progress["at"]
            if not changed:
                self._run.restore(kept.state)
        except Exception as error:  # zipfile, NumPy and the engines raise whatever the damaged bytes lead them to
            raise WorkshopError(f"{self.path} is not a checkpoint: delete it and start without --resume") from error
        if changed:
            raise WorkshopError(
                f"{self.path} is of a run with other settings ({changed} differ): "
                f"give the same options, or start anew without --resume"
            )
        history.epochs, history.fine, history.at = epochs, fine, at
        history.snapshots = kept.snapshots
        return kept.best


def _sorted(arrays: dict[str, np.ndarray]) -> _Kept:
    """Parts the arrays of a checkpoint by what their names begin with."""
    state: dict[str, np.ndarray] = {}
    best: dict[int, np.ndarray] = {}
    snapshots: dict[int, dict[int, np.ndarray]] = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition("_")
        if kind == "state":
            state[rest] = array
        elif kind == "best":
            best[int(rest)] = array
        elif kind == "snapshot":
            epoch, number = rest.split("_")
            snapshots.setdefault(int(epoch), {})[int(number)] = array
    return _Kept(
        state,
        [best[i] for i in sorted(best)],
        {epoch: [weights[i] for i in sorted(weights)] for epoch, weights in snapshots.items()},
    )


def digest(array: np.ndarray) -> str:
    """Returns the SHA-256 of an array's numbers, for `Run.describe`."""
    found = hashlib.sha256()
    for rows in batches(len(array), 1000):
        found.update(np.ascontiguousarray(array[rows]).data)
        files.let_go(array)
    return found.hexdigest()
