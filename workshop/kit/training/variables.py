"""All that a compiled model has learnt and its optimizer remembers, to keep in a checkpoint and to put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workshop.kit.lazy import keras

if TYPE_CHECKING:
    import numpy as np


class Variables:
    """The weights of compiled models and the memory of their optimizers.

    `model.fit` has callbacks for that; a lesson that calls `train_on_batch` keeps them itself.
    """

    def __init__(self, *models: keras.Model) -> None:
        for model in models:
            model.optimizer.build(model.trainable_variables)
        self._variables = [v for model in models for v in (*model.variables, *model.optimizer.variables)]

    def capture(self) -> dict[str, np.ndarray]:
        """Returns their values."""
        return {str(i): keras.ops.convert_to_numpy(variable) for i, variable in enumerate(self._variables)}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Puts values back."""
        for i, variable in enumerate(self._variables):
            variable.assign(arrays[str(i)])
