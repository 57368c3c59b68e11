"""Fitting a Keras model: many steps in one compiled call, a loss for every epoch, and resuming to the same bits.

`fit` does what `model.fit` does, on batches whose order is drawn from (seed, epoch). Two things differ. On TensorFlow
the loop over epochs and batches is compiled, so that a small table no longer pays tens of milliseconds of overhead an
epoch. And the state of the run is written to a checkpoint, from which `resume=True` goes on: see `fitting`. The steps
are those of `keras_run`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from workshop.kit import device
from workshop.kit.lazy import keras
from workshop.kit.saving.model import Preprocess, as_model
from workshop.kit.training import loop
from workshop.kit.training.history import History as History  # lessons say training.History
from workshop.kit.training.keras_steps import KerasRun


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
    with device.on_all_devices():
        return makers[name]()


def fit(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    *,
    preprocess: Preprocess | None = None,
    preprocess_targets: Preprocess | None = None,
    **options: Any,
) -> History:
    """Trains a compiled Keras model.

    Args:
        model: built and compiled.
        X: inputs, samples first.
        y: targets, samples first.
        preprocess: applied to each batch of X as it is used. Images stay bytes in memory this way, not float32.
        preprocess_targets: the same for y, where the targets are images too.
        options: epochs, batch_size, seed and the others of `fitting.fit`.

    Returns:
        The history, the epochs before a resume included.

    Raises:
        WorkshopError: the loss is no longer finite; or the checkpoint is of another run or cannot be written.
    """
    return loop.fit(KerasRun(model, X, y, preprocess, preprocess_targets), **options)


def predict(model: Any, X: np.ndarray, *, preprocess: Preprocess | None = None) -> np.ndarray:
    """Returns the outputs of a model of any engine for X, float32, samples first."""
    return as_model(model).predict(X, preprocess=preprocess)
