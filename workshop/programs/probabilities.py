"""Models that end in logits, as PyTorch's do and Keras' with `from_logits=True`, for programs that classify."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from workshop.kit.errors import one_line
from workshop.kit.saving.loaded import Bundle
from workshop.programs.engines import SideBySide

if TYPE_CHECKING:
    import numpy as np


class Probabilities:
    """A model whose outputs are logits; it predicts probabilities."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def predict(self, X: np.ndarray, **options: Any) -> np.ndarray:
        """Returns the softmax of the outputs for X or, of a single output, the sigmoid."""
        import numpy as np
        from scipy import special

        logits = np.asarray(self._model.predict(X, **options), np.float64)
        probabilities = special.expit(logits) if logits.shape[-1] == 1 else special.softmax(logits, axis=-1)
        return probabilities.astype(np.float32)


def take_probabilities(loaded: Bundle) -> Bundle:
    """Returns a model that predicts probabilities: where its last layer has no activation, with one, which is noted.

    It is the softmax or, of a single output, the sigmoid; every engine's outputs are treated alike.
    """
    if not loaded.ends_linearly:
        return loaded
    function = "sigmoid" if loaded.model.output_shape == (1,) else "softmax"
    print(
        f"note: the last layer of {one_line(loaded.path)} has no activation; the {function} of its outputs is taken",
        file=sys.stderr,
    )
    if isinstance(loaded.model, SideBySide):
        models: dict[str, Any] = {name: Probabilities(model) for name, model in loaded.model.models.items()}
        loaded.model.models = models
    else:
        loaded.model = Probabilities(loaded.model)
    return loaded
