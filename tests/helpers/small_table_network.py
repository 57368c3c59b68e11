"""A small network on a small table, the same every time, and how it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import training
from workshop.kit.lazy import keras
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint

CHECKPOINT = Path("run-checkpoint.npz")
RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(50, 3)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)
# Some wrong targets: a network that gets surer of itself gets worse on them.
VALIDATION = X[:20], np.where(np.arange(20)[:, None] % 5 == 0, 1 - Y[:20], Y[:20])


def recipe(optimizer: str = "adam", rate: float | None = None) -> Recipe:
    return Recipe(12, rate, optimizer=optimizer, schedule=False)


def build(
    dropout: float = 0.0, optimizer: str = "adam", activation: str = "tanh", rate: float | None = None
) -> keras.Model:
    """The same network with the same weights, every time."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(6, activation=activation)])
    if dropout:
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(recipe(optimizer, rate).make_optimizer(), "binary_crossentropy", metrics=["accuracy"])
    return model


def fit(model: Any, epochs: int = 12, **options: Any) -> keras.callbacks.History:
    settings: dict[str, Any] = {"epochs": epochs, "batch_size": 16, "seed": 5, "verbose": 0}
    return training.fit_table(model, X, Y, **settings | options)


def assert_same(model: Any, other: Any) -> None:
    """Bit for bit."""
    for weight, same in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def stopping() -> keras.callbacks.EarlyStopping:
    return keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)


def run(setting: str, model: Any, resume: bool = False) -> tuple[dict[str, list[float]], Any]:
    """Trains with a checkpoint and returns the history, and what the setting's callback kept."""
    kept: Any = {"early stopping": stopping, "snapshots": lambda: training.Snapshots([0, 1, 4, 9])}
    kept = kept.get(setting, training.StepLosses)()
    resuming = training.Resume(Checkpoint(CHECKPOINT, resume), keep=[kept])
    given: dict[str, Any] = {"callbacks": [kept, resuming], "plain": setting == "fit"}
    if setting == "early stopping":
        model.compile(recipe("adam", 0.05).make_optimizer(), "binary_crossentropy", metrics=["accuracy"])
        given |= {"validation_data": VALIDATION, "epochs": 60}
    history = fit(model, **given)
    assert history.epoch == list(range(len(history.history["loss"])))
    if setting == "early stopping":
        return history.history, (kept.best_epoch, kept.stopped_epoch)
    return history.history, kept.weights if setting == "snapshots" else kept.curve
