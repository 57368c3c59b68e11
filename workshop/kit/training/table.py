"""Fitting small tables, where `model.fit` spends nearly all of its time on itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from workshop.kit import device
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.training.batches import shuffled_batches
from workshop.kit.training.batching import digest, epoch_order

_STEPS_A_CALL = 500  # short enough that the progress bar moves and Ctrl-C answers; a step takes 0.2 ms


def fit_table(
    model: keras.Model,
    X: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    seed: int = 0,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | None = None,
    plain: bool = False,
) -> keras.callbacks.History:
    """Trains a compiled model as `model.fit` does, to the same bits, without the 30 ms that it costs an epoch.

    On TensorFlow many epochs are one compiled call. Callbacks hear of each epoch; those that look at the weights
    (`EarlyStopping`, any of your own) get one epoch a call, and so does `validation_data`.

    Args:
        model: built and compiled.
        X: inputs (rows, features).
        y: targets (rows, outputs).
        epochs, batch_size, validation_data, callbacks: as of `model.fit`.
        seed: with the number of the epoch it decides the order of the rows.
        verbose: 0 to show no progress (default: a bar; in a file or a pipe one line at its end).
        plain: whether to call `model.fit` itself, on the same batches.

    Returns:
        The history, as `model.fit` returns it; after a resume the epochs before it are included.
    """
    X, y = np.asarray(X), np.asarray(y)
    verbose = (1 if sys.stdout.isatty() else 2) if verbose is None else verbose
    is_plain = plain or keras.config.backend() != "tensorflow" or device.is_distributed()
    settings = {"X": digest(X), "y": digest(y), "batch_size": batch_size, "seed": seed}
    batches = shuffled_batches(X, y, batch_size, seed) if is_plain else SimpleNamespace(settings=settings)
    for callback in callbacks:
        if hasattr(callback, "follow"):  # `Resume` wants to know what the model is trained on
            callback.follow(batches)
    if is_plain:
        return model.fit(
            batches,
            shuffle=False,
            epochs=epochs,
            validation_data=validation_data,
            callbacks=[*callbacks],
            verbose=verbose,
        )
    history = keras.callbacks.History()
    listeners = keras.callbacks.CallbackList([history, *callbacks], model=model, epochs=epochs, steps=None, verbose=0)
    _make_metrics(model, X, y)
    model.stop_training = False
    listeners.on_train_begin()
    finished = model._initial_epoch or 0
    bar = keras.utils.Progbar(epochs, unit_name="epoch", verbose=verbose, interval=0.2)
    train: Callable[[np.ndarray], list[dict[str, float]]] | None = None
    while finished < epochs and not model.stop_training:
        if train is None:  # a checkpoint that is refused is refused before the compiler begins
            train = _compile(model, X, y, batch_size)
        count = 1 if validation_data is not None else _epochs_together(callbacks, finished, epochs, len(X), batch_size)
        logs = train(np.stack([epoch_order(len(X), seed, finished + i) for i in range(count)]))
        if validation_data is not None:
            model.reset_metrics()  # Keras before 3.11 goes on with the sums of the training
            measured = model.test_on_batch(*validation_data, return_dict=True)
            logs[0] |= {f"val_{name}": float(value) for name, value in measured.items()}
        listeners.set_params({**listeners.params, "last_of_call": finished + count - 1})
        for epoch, values in enumerate(logs, finished):
            listeners.on_epoch_begin(epoch)
            listeners.on_epoch_end(epoch, values)
        finished += count
        bar.stateful_metrics = set(logs[-1])  # each is shown as it is, not averaged over the epochs
        bar.update(finished, [*logs[-1].items()], finalize=finished == epochs)
    listeners.on_train_end()
    if finished < epochs:  # early stopping leaves the line of the bar unfinished
        bar.update(finished, finalize=True)
    return history


def _epochs_together(callbacks: Sequence[Any], finished: int, epochs: int, samples: int, batch_size: int) -> int:
    """Returns how many epochs the next call trains."""
    end = min(epochs, finished + max(1, _STEPS_A_CALL // -(-samples // batch_size)))
    for callback in callbacks:
        # `Resume` and `Snapshots` say at which epochs they look at the weights; nobody knows it of the others.
        looks_at = getattr(callback, "at", [finished + 1])
        end = min([end, *(epoch for epoch in looks_at if epoch > finished)])
    return end - finished


def _make_metrics(model: keras.Model, X: np.ndarray, y: np.ndarray) -> None:
    """Has the optimizer and the metrics make their variables, whose names the compiled loop must know."""
    model.optimizer.build(model.trainable_variables)
    first, targets = keras.ops.convert_to_tensor(X[:1]), keras.ops.convert_to_tensor(y[:1])
    model.compute_metrics(first, targets, model(first, training=False), None)
    model.reset_metrics()


def _compile(
    model: keras.Model, X: np.ndarray, y: np.ndarray, batch_size: int
) -> Callable[[np.ndarray], list[dict[str, float]]]:
    """Returns a function that trains epochs, of which it gets the orders of the rows, and returns their metrics."""
    tf = tensorflow
    names = list(model.get_metrics_result())
    inputs, targets = tf.constant(X), tf.constant(y)

    # The shapes are left open: a shorter last call, or another number of epochs, is not traced anew.
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def train(orders: Any) -> Any:
        epochs = tf.shape(orders)[0]
        values = tf.TensorArray(tf.float32, size=epochs, element_shape=[len(names)])
        for epoch in tf.range(epochs):
            for metric in model.metrics:
                metric.reset_state()
            order = orders[epoch]
            for start in tf.range(0, tf.size(order), batch_size):
                rows = order[start : start + batch_size]
                model.train_step((tf.gather(inputs, rows), tf.gather(targets, rows)))
            results = model.get_metrics_result()
            values = values.write(epoch, tf.stack([tf.cast(results[name], tf.float32) for name in names]))
        return values.stack()

    # Traced here, once: TensorFlow takes several models trained in one program for one function traced too often.
    traced = train.get_concrete_function()

    def train_epochs(orders: np.ndarray) -> list[dict[str, float]]:
        values = traced(tf.constant(orders)).numpy()
        return [dict(zip(names, map(float, row), strict=True)) for row in values]

    return train_epochs
