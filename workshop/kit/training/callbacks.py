"""Callbacks for `model.fit` and `fit_table`: to resume a training, and to remember what happened within it.

This module imports Keras, as a callback has to; `workshop.kit.training` imports it when one of its names is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from workshop.kit import device
from workshop.kit.files import FilePath
from workshop.kit.lazy import load
from workshop.kit.training.checkpoint import Checkpoint, State, check_finite, part


class StepLosses(keras.callbacks.Callback):
    """The loss of every few steps: the curve of a training of two epochs is more than two points.

    Args:
        name: of the loss among those that the model reports.

    Attributes:
        curve: the epochs passed, fractions included, and the mean loss of the steps since the value before, as
            `plots.charts` draws them.
    """

    def __init__(self, name: str = "loss") -> None:
        super().__init__()
        self._name = name
        self.curve: tuple[list[float], list[float]] = ([], [])

    at = ()  # it looks at the weights after no epoch

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Begins to count the steps of an epoch."""
        self._epoch, self._steps, self._count, self._sum = epoch, 0, 0, 0.0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Takes the loss of the steps since the last call; Keras gives the mean since the epoch's beginning."""
        # `batch` is the last step of a call; before Keras 3.11 it was the first.
        steps = self._steps + self.model.steps_per_execution
        in_epoch = self.params["steps"] or steps
        steps = min(steps, in_epoch)  # the last call of an epoch may have fewer
        total = float((logs or {})[self._name]) * steps
        count, mean = steps - self._steps, (total - self._sum) / (steps - self._steps)
        epochs, values = self.curve
        if count < self._count / 2:  # the few steps at the end of an epoch say too little by themselves
            mean = (values.pop() * self._count + mean * count) / (self._count + count)
            epochs.pop()
        epochs.append(self._epoch + steps / in_epoch)
        values.append(mean)
        self._count = count
        self._steps, self._sum = steps, total

    def get_state(self) -> State:
        """Returns what a checkpoint keeps."""
        return State({}, {"epochs": self.curve[0], "values": self.curve[1]})

    def set_state(self, state: State) -> None:
        """Puts it back."""
        self.curve = state.notes["epochs"], state.notes["values"]


class Snapshots(keras.callbacks.Callback):
    """The weights after some of the epochs.

    Args:
        at: the epochs, counted from 1; 0 is before training.

    Attributes:
        weights: for each of these epochs `model.get_weights()`.
    """

    def __init__(self, at: Sequence[int]) -> None:
        super().__init__()
        self.at = set(at)
        self.weights: dict[int, list[np.ndarray]] = {}

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Keeps the weights before training."""
        if 0 in self.at:
            self.weights[0] = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keeps the weights after an epoch."""
        if epoch + 1 in self.at:
            self.weights[epoch + 1] = self.model.get_weights()

    def get_state(self) -> State:
        """Returns what a checkpoint keeps."""
        return State(
            {f"{epoch}/{i}": weight for epoch, weights in self.weights.items() for i, weight in enumerate(weights)}, {}
        )

    def set_state(self, state: State) -> None:
        """Puts it back."""
        self.weights = {}
        for name, weight in state.arrays.items():  # in the order of `get_state`
            self.weights.setdefault(int(name.partition("/")[0]), []).append(weight)


class Watch(keras.callbacks.Callback):
    """Something that is computed now and then while a model trains: samples for an animation.

    Args:
        look: returns an array.
        steps: after how many steps of the whole training it is called, in ascending order; 0 is before training. Where
            one call of TensorFlow makes several steps, it is called after the call that reaches the number.

    Attributes:
        steps: the steps that were done at each look.
        arrays: what it returned.
    """

    def __init__(self, look: Callable[[], np.ndarray], steps: Sequence[int]) -> None:
        super().__init__()
        self._look, self._wanted = look, tuple(steps)
        self.steps: list[int] = []
        self.arrays: list[np.ndarray] = []

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Looks before training."""
        self._look_at(0)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Begins to count the steps of an epoch."""
        self._before, self._steps = epoch * self.params["steps"], 0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Looks, if it is time to."""
        self._steps = min(self._steps + self.model.steps_per_execution, self.params["steps"])
        self._look_at(self._before + self._steps)

    def _look_at(self, step: int) -> None:
        last = self.steps[-1] if self.steps else -1
        if any(last < wanted <= step for wanted in self._wanted):
            self.steps.append(step)
            self.arrays.append(self._look())

    def get_state(self) -> State:
        """Returns what a checkpoint keeps."""
        return State({str(i): array for i, array in enumerate(self.arrays)}, {"steps": self.steps})

    def set_state(self, state: State) -> None:
        """Puts it back."""
        self.steps = state.notes["steps"]
        self.arrays = [state.arrays[str(i)] for i in range(len(self.steps))]


class Resume(keras.callbacks.Callback):
    """Writes the state of a training to a checkpoint, and goes on from it to the same bits; the last of the callbacks.

    `keras.callbacks.BackupAndRestore` does as much where the data comes in one order and no layer draws random numbers.
    Here the order of the batches, the seeds of Dropout, the history and other callbacks go on as well.
    A training whose loss is no longer finite ends with an error. A model may hold optimizers besides that of `compile`,
    as attributes, and report several losses: all count.

    Args:
        checkpoint: the file.
        batches: what the model is fitted on, if it comes from `shuffled_batches` or `photo_batches`.
        keep: other callbacks whose state is kept: `keras.callbacks.EarlyStopping`, `StepLosses`, `Snapshots`,
            `Watch`. They come before this one.
        may_diverge: whether a loss that is no longer finite ends the training early, instead of being an error.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        batches: Any = None,
        keep: Sequence[keras.callbacks.Callback] = (),
        may_diverge: bool = False,
    ) -> None:
        super().__init__()
        self._may_diverge = may_diverge
        self._checkpoint, self._batches, self._keep = checkpoint, batches, list(keep)
        self._history: dict[str, list[float]] = {}

    at = ()  # it looks at the weights whenever it is called, and needs no epoch in particular

    def follow(self, batches: Any) -> None:
        """Takes note of what the model is trained on."""
        self._batches = batches

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Puts the state back, if there is one to go on from."""
        with device.on_all_devices():
            self.model.optimizer.build(self.model.trainable_variables)
        self._build_metrics()
        self._history = {}
        settings = getattr(self._batches, "settings", {}) | describe(self.model) | {"epochs": self.params["epochs"]}
        finished = self._checkpoint.begin(settings, self._restore, self.params["epochs"])
        if finished:
            has_stopped = any(getattr(callback, "stopped_epoch", 0) for callback in self._keep)
            has_stopped |= not math.isfinite(self._last_loss())
            self.model._initial_epoch = self.params["epochs"] if has_stopped else finished
            self.model.history.history.update({name: [*values] for name, values in self._history.items()})

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Tells the batches which epoch begins."""
        if hasattr(self._batches, "epoch"):
            self._batches.epoch.assign(epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Takes in the metrics of an epoch and writes the state, at most twice a second."""
        for name, value in (logs or {}).items():
            self._history.setdefault(name, []).append(float(value))
        if self._may_diverge and not math.isfinite(self._last_loss()):
            self.model.stop_training = True
        else:
            check_finite(self._last_loss(), epoch + 1)
        if self.params.get("last_of_call", epoch) != epoch:
            return  # `fit_table` reports the epochs of one call after the last of them, whose weights the model has
        is_last = epoch + 1 == self.params["epochs"] or self.model.stop_training
        self._checkpoint.save(self._state, at_once=is_last)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Leaves a history of all epochs, and a model that a next `fit` begins from its first epoch."""
        self.model._initial_epoch = None
        self.model.history.epoch = list(range(self._finished()))

    def _finished(self) -> int:
        """Returns the number of epochs done."""
        return max(map(len, self._history.values()), default=0)

    def _last_loss(self) -> float:
        """Returns the loss of the last epoch; of several their sum, which is finite if all are."""
        if "loss" in self._history:
            return self._history["loss"][-1]
        losses = (name for name in self._history if name.endswith("_loss") and not name.startswith("val_"))
        return sum(self._history[name][-1] for name in losses)

    def _build_metrics(self) -> None:
        """Has the metrics make their variables: a first step that makes variables would be compiled twice."""
        spec = getattr(self._batches, "element_spec", None)
        if spec is None or keras.config.backend() != "tensorflow" or device.is_distributed():
            return
        if not hasattr(self.model, "output_shape"):
            return  # a class of its own, with a `train_step` and metrics of its own
        y, outputs = (
            keras.ops.zeros([1, *(size or 1 for size in shape[1:])], dtype)
            for shape, dtype in ((spec[1].shape, spec[1].dtype), (self.model.output_shape, self.model.compute_dtype))
        )
        self.model.compute_metrics(None, y, outputs, None)
        self.model.reset_metrics()

    def _state(self) -> State:
        arrays = {f"model/{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(self.model))}
        if keras.config.backend() == "torch":  # its Dropout draws from one generator for all
            arrays["generator"] = load("torch").get_rng_state().numpy()
        notes = []
        for i, callback in enumerate(self._keep):
            kept = _get_state(callback)
            arrays |= {f"callback/{i}/{name}": array for name, array in kept.arrays.items()}
            notes.append(kept.notes)
        return State(arrays, {"history": self._history, "callbacks": notes})

    def _restore(self, state: State) -> int:
        variables = _variables(self.model)
        values = [state.arrays[f"model/{i}"] for i in range(len(variables))]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        if "generator" in state.arrays:
            load("torch").set_rng_state(load("torch").from_numpy(state.arrays["generator"]))
        for i, (callback, notes) in enumerate(zip(self._keep, state.notes["callbacks"], strict=True)):
            _set_state(callback, State(part(state.arrays, f"callback/{i}"), notes))
        self._history = state.notes["history"]
        return self._finished()


def _variables(model: keras.Model) -> list[keras.Variable]:
    # Random generators (Dropout) are among them: Keras' own checkpoint leaves these out, and without them a resumed
    # training draws other numbers than the one that was never stopped.
    return [*model.variables, *(variable for optimizer in _optimizers(model) for variable in optimizer.variables)]


def _optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Returns the optimizers of a model: that of `compile`, and others that a class of its own holds."""
    return [value for value in vars(model).values() if isinstance(value, keras.optimizers.Optimizer)]


_STOPPING = ("wait", "stopped_epoch", "best", "best_epoch")


def _get_state(callback: keras.callbacks.Callback) -> State:
    if not isinstance(callback, keras.callbacks.EarlyStopping):
        return callback.get_state()
    best = enumerate(callback.best_weights or [])
    notes = {name: getattr(callback, name) for name in _STOPPING}
    notes["best"] = None if notes["best"] is None else float(notes["best"])
    return State({str(i): weight for i, weight in best}, notes)


def _set_state(callback: keras.callbacks.Callback, state: State) -> None:
    if not isinstance(callback, keras.callbacks.EarlyStopping):
        callback.set_state(state)
        return
    for name in _STOPPING:
        setattr(callback, name, state.notes[name])
    callback.best_weights = [state.arrays[str(i)] for i in range(len(state.arrays))] or None


def describe(model: keras.Model) -> dict[str, Any]:
    """Returns what tells the training of a compiled model from others: backend, optimizer, loss, layers, weights."""
    optimizers = [optimizer.get_config() for optimizer in _optimizers(model)]
    for config in optimizers:
        config.pop("name", None)
    optimizer = optimizers[0] if len(optimizers) == 1 else optimizers
    return {
        "engine": "keras",
        "backend": keras.config.backend(),
        "optimizer": json.dumps(optimizer, sort_keys=True, default=lambda value: getattr(value, "get_config", str)()),
        "loss": str(getattr(model.loss, "name", getattr(model.loss, "__name__", model.loss))),
        "layers": json.dumps([_describe(layer) for layer in model.layers], sort_keys=True, default=lambda _: ""),
        "weights": [[list(weight.shape), str(weight.dtype)] for weight in model.variables],
    }


def _describe(layer: keras.Layer) -> list[Any]:
    """Returns a layer's type and settings without the names, which count up with every model that a program builds."""

    def unnamed(value: Any) -> Any:
        if isinstance(value, dict):
            # A precision has nothing but a name ("float32"), which says what it is.
            return {key: unnamed(item) for key, item in value.items() if key != "name" or len(value) == 1}
        return [unnamed(item) for item in value] if isinstance(value, list | tuple) else value

    if hasattr(layer, "layers"):  # a model within the model
        return [type(layer).__name__, [_describe(inner) for inner in layer.layers]]
    try:
        return [type(layer).__name__, unnamed(layer.get_config())]
    except NotImplementedError:  # Keras raises it for a custom layer without `get_config`
        return [type(layer).__name__]


def tensorboard(folder: FilePath | None, name: str) -> list[keras.callbacks.Callback]:
    """Returns Keras' TensorBoard callback for the model `name`, or none where `--tensorboard` was not given."""
    return [keras.callbacks.TensorBoard(Path(folder) / name)] if folder else []
