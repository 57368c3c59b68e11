"""A small network on small photographs, the same every time, and how it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import device, training
from workshop.kit.lazy import keras
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint

SIZE = 16
RANDOM = np.random.default_rng(2)
X = RANDOM.integers(0, 200, (30, SIZE, SIZE, 3)).astype(np.uint8)
Y = np.arange(30, dtype=np.float32)[:, None] % 2
X[Y[:, 0] == 1, 4:12, 4:12] += 55  # what there is to learn
CHECKPOINT = Path("run-checkpoint.npz")


def build(dropout: float = 0.3, normalises: bool = True, rate: float = 0.01) -> keras.Model:
    """The same small network with the same weights, every time."""
    with device.scope(7):
        model = keras.Sequential(
            [
                keras.layers.Input((SIZE, SIZE, 3)),
                keras.layers.Conv2D(4, 3, activation="relu"),
                *([keras.layers.BatchNormalization()] if normalises else []),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dropout(dropout),
                keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
            ]
        )
    optimizer = Recipe(1, rate, optimizer="adam", schedule=False).make_optimizer()
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def fit(model: Any, resume: bool = False, epochs: int = 4, batch_size: int = 8, **changes: Any) -> dict[str, Any]:
    """Trains on photos in the order of seed 3; returns the history."""
    batches = training.photo_batches(X, Y, batch_size, 3, **changes)
    callbacks = [training.Resume(Checkpoint(CHECKPOINT, resume), batches)]
    return model.fit(batches, epochs=epochs, shuffle=False, callbacks=callbacks, verbose=0).history
