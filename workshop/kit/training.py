"""Fitting a Keras model: many steps in one compiled call, a loss for every epoch, and resuming to the same bits.

`fit` does what `model.fit` does, on batches whose order is drawn from (seed, epoch). Two things differ. On TensorFlow
the loop over epochs and batches is compiled, so that a small table no longer pays tens of milliseconds of overhead an
epoch. And after every call the state of the run is written to a checkpoint, from which `resume=True` goes on and ends
with the weights that an uninterrupted run would have had.
"""

import hashlib
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, load, tensorflow

# Steps in one compiled call: short enough that the progress bar moves and Ctrl-C answers, long enough that the call
# itself costs nothing. A small table's step takes 0.2 ms, an image network's 10 ms.
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


def make_optimizer(name: str, learning_rate: float | None = None, steps: int | None = None) -> Any:
    """Returns a Keras optimizer by its name on the command line.

    Args:
        name: one of `cli.OPTIMIZERS`; "momentum" and "nesterov" are SGD with momentum 0.9.
        learning_rate: the constant rate or, with `steps`, the highest one; None for Keras' default, 0.01 for SGD and
            0.001 for the others.
        steps: the number of steps of the whole run; given, the rate warms up over the first tenth and then falls to
            zero along a cosine (Loshchilov and Hutter 2017, SGDR). A run of few epochs ends far better so.
    """
    rate: Any = learning_rate or (0.01 if name in {"sgd", "momentum", "nesterov"} else 0.001)
    if steps is not None:
        warmup = max(1, steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 25, max(1, steps - warmup), alpha=0.0, warmup_target=rate, warmup_steps=warmup
        )
    optimizers = keras.optimizers
    makers: dict[str, Callable[[], Any]] = {
        "sgd": lambda: optimizers.SGD(rate),
        "momentum": lambda: optimizers.SGD(rate, momentum=0.9),
        "nesterov": lambda: optimizers.SGD(rate, momentum=0.9, nesterov=True),
        "rmsprop": lambda: optimizers.RMSprop(rate),
        "adagrad": lambda: optimizers.Adagrad(rate),
        "adam": lambda: optimizers.Adam(rate),
        # A memory of 100 steps for the second moment, not 1,000: the runs here are some 2,000 steps long.
        "adamw": lambda: optimizers.AdamW(rate, weight_decay=0.01, beta_2=0.99),
        "nadam": lambda: optimizers.Nadam(rate),
    }
    return makers[name]()


def epoch_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order in which an epoch visits the samples, int32 (samples,), drawn from (seed, epoch)."""
    return np.random.default_rng((seed, epoch)).permutation(samples).astype(np.int32)


def fit(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    preprocess: Preprocess | None = None,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    patience: int | None = None,
    snapshots: Sequence[int] = (),
    checkpoint: Path | None = None,
    resume: bool = False,
    may_diverge: bool = False,
    title: str = "",
) -> History:
    """Trains a compiled Keras model.

    Args:
        model: built and compiled.
        X: inputs, samples first.
        y: targets, samples first.
        epochs: passes over the data.
        batch_size: samples a step; the last batch of an epoch may be smaller.
        seed: with the number of the epoch it decides the order of the samples.
        preprocess: applied to each batch of X as it is used. Images stay bytes in memory this way, not float32.
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
    samples = len(X)
    best: list[np.ndarray] = []
    model.optimizer.build(model.trainable_variables)
    state = _Checkpoint(checkpoint, model, _fingerprint(model, X, y, epochs, batch_size, seed)) if checkpoint else None
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
        history.snapshots[0] = model.get_weights()
    run = _Run(model, X, y, preprocess)
    progress = _Progress(epochs, samples, batch_size, run.names)

    while history.finished < epochs and not _is_patience_spent(history, patience):
        first = history.finished
        orders = [
            epoch_order(samples, seed, first + i) for i in range(_epochs_together(run, first, epochs, batch_size))
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
            for name, value in evaluate(model, *validation_data, preprocess=preprocess).items():
                history.epochs.setdefault(f"val_{name}", []).append(value)
        if patience is not None and _best_epoch(history) == history.finished:
            best = model.get_weights()
        if history.finished in snapshots:
            history.snapshots[history.finished] = model.get_weights()
        if state:
            state.save(history, best, at_once=history.finished == epochs)
    progress.close(history)
    history.best_epoch = history.finished
    if best:
        history.best_epoch = _best_epoch(history)
        model.set_weights(best)
    return history


def evaluate(model: Any, X: np.ndarray, y: np.ndarray, *, preprocess: Preprocess | None = None) -> dict[str, float]:
    """Returns the loss and the metrics that the model was compiled with, over all of (X, y)."""
    results: list[dict[str, Any]] = []
    sizes: list[int] = []
    for rows in _batches(len(X), 1000):
        batch = X[rows] if preprocess is None else preprocess(X[rows])
        results.append(model.test_on_batch(batch, y[rows], return_dict=True))
        sizes.append(len(y[rows]))
    # Keras forgets the batches before at each call.
    return {name: float(np.average([one[name] for one in results], weights=sizes)) for name in results[0]}


def predict(model: Any, X: np.ndarray, *, preprocess: Preprocess | None = None) -> np.ndarray:
    """Returns the model's outputs for X, float32, samples first."""
    outputs = []
    for rows in _batches(len(X), 1000):
        batch = X[rows] if preprocess is None else preprocess(X[rows])
        outputs.append(np.asarray(keras.ops.convert_to_numpy(model(batch, training=False)), np.float32))
    return np.concatenate(outputs)


def _batches(samples: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, samples, size))


def _epochs_together(run: "_Run", first: int, epochs: int, batch_size: int) -> int:
    """Returns how many epochs one call trains."""
    steps = -(-run.samples // batch_size)
    if not run.is_compiled or steps > 2 * _STEPS_A_CALL_WITHIN_AN_EPOCH:
        return 1
    return min(epochs - first, max(1, _STEPS_A_CALL_OF_EPOCHS // steps))


def _best_epoch(history: History) -> int:
    return int(np.argmin(history.epochs["val_loss"])) + 1


def _is_patience_spent(history: History, patience: int | None) -> bool:
    if patience is None or not history.finished:
        return False
    return history.finished - _best_epoch(history) >= patience


@dataclass
class _Call:
    """What one call reports: metrics (segments, names), where each segment ends, and whether it ends an epoch."""

    values: np.ndarray
    passed: list[float]
    weights: list[float]
    ends_epoch: bool


class _Run:
    """The training steps of one model on one set of data."""

    def __init__(self, model: Any, X: np.ndarray, y: np.ndarray, preprocess: Preprocess | None) -> None:
        self.samples = len(X)
        self.is_compiled = keras.config.backend() == "tensorflow"
        self._model, self._X, self._y = model, X, y
        self._preprocess = preprocess or (lambda batch: batch)
        # The metrics make their variables at their first use, and the compiled loop must know their names before it.
        first = keras.ops.convert_to_tensor(self._preprocess(X[:1]))
        model.compute_metrics(first, keras.ops.convert_to_tensor(y[:1]), model(first, training=False), None)
        model.reset_metrics()
        self.names = list(model.get_metrics_result())
        self._train = self._compile() if self.is_compiled else self._train_plainly

    def train(self, orders: Sequence[np.ndarray], batch_size: int) -> Iterator[_Call]:
        """Trains the epochs that visit the samples in these orders; reports after every call."""
        steps = -(-self.samples // batch_size)
        if steps <= 2 * _STEPS_A_CALL_WITHIN_AN_EPOCH:
            values = np.asarray(self._train(np.stack(orders), batch_size))
            yield _Call(values, [float(i + 1) for i in range(len(orders))], [1.0] * len(orders), True)
            return
        for rows in _batches(self.samples, batch_size * _STEPS_A_CALL_WITHIN_AN_EPOCH):
            part = orders[0][rows]
            end = rows.start + len(part)
            values = np.asarray(self._train(part[None], batch_size))
            yield _Call(values, [end / self.samples], [len(part) / self.samples], end == self.samples)

    def _compile(self) -> Callable[[np.ndarray, int], Any]:
        tf = tensorflow
        model, names, preprocess = self._model, self.names, self._preprocess
        X, y = tf.constant(self._X), tf.constant(self._y)

        # The shapes are left open: a shorter last call, or another number of epochs, is not traced anew.
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([], tf.int32)])
        def train(orders: Any, batch_size: Any) -> Any:
            segments = tf.shape(orders)[0]
            values = tf.TensorArray(tf.float32, size=segments, element_shape=[len(names)])
            for segment in tf.range(segments):
                for metric in model.metrics:
                    metric.reset_state()
                order = orders[segment]
                for start in tf.range(0, tf.size(order), batch_size):
                    rows = order[start : start + batch_size]
                    model.train_step((preprocess(tf.gather(X, rows)), tf.gather(y, rows)))
                results = model.get_metrics_result()
                values = values.write(segment, tf.stack([tf.cast(results[name], tf.float32) for name in names]))
            return values.stack()

        # Traced here, once: TensorFlow takes several models trained in one program for one function traced too often.
        traced = train.get_concrete_function()
        return lambda orders, batch_size: traced(tf.constant(orders), tf.constant(batch_size)).numpy()

    def _train_plainly(self, orders: np.ndarray, batch_size: int) -> np.ndarray:
        """The same steps, one call each: for the other backends of Keras."""
        values = []
        for order in orders:
            results, sizes = [], []
            for rows in _batches(len(order), batch_size):
                batch = self._preprocess(self._X[order[rows]])
                result = self._model.train_on_batch(batch, self._y[order[rows]], return_dict=True)
                results.append([float(result[name]) for name in self.names])
                sizes.append(len(order[rows]))
            values.append(np.average(results, axis=0, weights=sizes))  # Keras forgets the batches before at each call
        return np.array(values)


class _Progress:
    """The bar on the screen, and the history: both grow with every call."""

    def __init__(self, epochs: int, samples: int, batch_size: int, names: list[str]) -> None:
        self._epochs, self._names = epochs, names
        self._steps = -(-samples // batch_size)
        self._by_step = self._steps > 2 * _STEPS_A_CALL_WITHIN_AN_EPOCH
        # In a file or a pipe, one line for each bar, at its end.
        self._verbose = 1 if sys.stdout.isatty() else 2
        self._bar: Any = None
        self._sums = np.zeros(len(names))

    def begin(self, history: History) -> None:
        """Shows a bar before there is anything to report, so that its clock is right."""
        if self._bar is None and self._by_step:
            print(f"Epoch {history.finished + 1}/{self._epochs}")
            self._bar = self._new_bar(self._steps, "step")
        elif self._bar is None:
            self._bar = self._new_bar(self._epochs, "epoch")

    def update(self, history: History, call: _Call) -> None:
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

    def _new_bar(self, target: int, unit: str) -> Any:
        return keras.utils.Progbar(
            target, unit_name=unit, verbose=self._verbose, interval=0.2, stateful_metrics=self._names
        )


def _fingerprint(model: Any, X: np.ndarray, y: np.ndarray, epochs: int, batch_size: int, seed: int) -> str:
    """Returns what must be the same in a run and in the run that resumes it."""
    optimizer = model.optimizer.get_config()
    optimizer.pop("name", None)
    description = {
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "backend": keras.config.backend(),
        "optimizer": json.dumps(optimizer, sort_keys=True, default=lambda value: getattr(value, "get_config", str)()),
        "loss": str(getattr(model.loss, "name", getattr(model.loss, "__name__", model.loss))),
        "layers": json.dumps([_describe(layer) for layer in model.layers], sort_keys=True, default=lambda value: ""),
        "weights": [[list(weight.shape), str(weight.dtype)] for weight in model.variables],
        "X": hashlib.sha256(np.ascontiguousarray(X).data).hexdigest(),
        "y": hashlib.sha256(np.ascontiguousarray(y).data).hexdigest(),
    }
    return json.dumps(description, sort_keys=True)


def _describe(layer: Any) -> Any:
    """Returns a layer's type and settings without the names, which count up with every model that a program builds."""

    def unnamed(value: Any) -> Any:
        if isinstance(value, dict):
            # A precision has nothing but a name ("float32"), which says what it is.
            return {key: unnamed(one) for key, one in value.items() if key != "name" or len(value) == 1}
        return [unnamed(one) for one in value] if isinstance(value, list | tuple) else value

    if hasattr(layer, "layers"):  # a model within the model
        return [type(layer).__name__, [_describe(one) for one in layer.layers]]
    try:
        return [type(layer).__name__, unnamed(layer.get_config())]
    except NotImplementedError:  # a layer of one's own that does not describe itself
        return [type(layer).__name__]


class _Checkpoint:
    """The state of a run in a .npz: the model's variables (random generators included), the optimizer's, the history.

    Keras' own checkpoint leaves out the states of the random generators (Dropout), without which a resumed run draws
    other numbers than the run that was never stopped.
    """

    def __init__(self, path: Path, model: Any, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint
        self._variables = [*model.variables, *model.optimizer.variables]
        self._saved = -math.inf

    def save(self, history: History, best: list[np.ndarray], at_once: bool = False) -> None:
        """Writes the state, unless the last one is so young that losing what came since costs nobody anything."""
        if not at_once and time.monotonic() - self._saved < _SECONDS_BETWEEN_CHECKPOINTS:
            return
        self._saved = time.monotonic()
        progress = {"run": self._fingerprint, "epochs": history.epochs, "fine": history.fine, "at": history.at}
        arrays = {"progress": np.frombuffer(json.dumps(progress).encode(), np.uint8)}
        arrays |= {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(self._variables)}
        if keras.config.backend() == "torch":  # its Dropout draws from one generator for all
            arrays["generator"] = load("torch").get_rng_state().numpy()
        arrays |= {f"best_{i}": weight for i, weight in enumerate(best)}
        for epoch, weights in history.snapshots.items():
            arrays |= {f"snapshot_{epoch}_{i}": weight for i, weight in enumerate(weights)}
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        files.write_atomically(self.path, content.getvalue())

    def load(self, history: History) -> list[np.ndarray]:
        """Puts the state back; returns the best weights so far, with early stopping."""
        snapshots: dict[int, dict[int, np.ndarray]] = {}
        best: dict[int, np.ndarray] = {}
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            progress = json.loads(arrays.pop("progress").tobytes())
            theirs, ours = json.loads(progress["run"]), json.loads(self._fingerprint)
            changed = ", ".join(name for name in ours if ours[name] != theirs.get(name))
            variables = [] if changed else [arrays.pop(f"variable_{i}") for i in range(len(self._variables))]
            epochs, fine, at = progress["epochs"], progress["fine"], progress["at"]
            for name, array in arrays.items():
                kind, *numbers = name.split("_")
                if kind == "snapshot":
                    snapshots.setdefault(int(numbers[0]), {})[int(numbers[1])] = array
                elif kind == "best":
                    best[int(numbers[0])] = array
        except Exception as error:  # zipfile and NumPy raise whatever the damaged bytes lead them to
            raise WorkshopError(f"{self.path} is not a checkpoint: delete it and start without --resume") from error
        if changed:
            raise WorkshopError(
                f"{self.path} is of a run with other settings ({changed} differ): "
                f"give the same options, or start anew without --resume"
            )
        for variable, value in zip(self._variables, variables, strict=True):
            variable.assign(value)
        if "generator" in arrays:
            load("torch").set_rng_state(load("torch").from_numpy(arrays["generator"]))
        history.epochs, history.fine, history.at = epochs, fine, at
        history.snapshots = {epoch: [weights[i] for i in sorted(weights)] for epoch, weights in snapshots.items()}
        return [best[i] for i in sorted(best)]
