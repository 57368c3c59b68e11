"""The engine that loads a program's model: NumPy's, which is imported at once, unless it does not know a layer.

A `.keras` is loaded by Keras.

All engines read the same file and predict the same numbers; `--engine all` shows it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import bundle
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.kit.saving.loaded import Bundle
from workshop.kit.saving.model import Model

if TYPE_CHECKING:
    import numpy as np

ENGINES = ("numpy", "keras", "torch")
CHOICES = (*ENGINES, "all")


def _read_numpy(content: bytes, path: FilePath) -> Model:
    from workshop.kit.saving import h5, keras_h5
    from workshop.scratch.nn.network import Network

    return Network.from_architecture(h5.from_bytes(keras_h5.as_h5(content, path), path))


def _read_torch(content: bytes, path: FilePath) -> Model:
    from workshop.kit.lazy import load
    from workshop.kit.saving import keras_h5

    load("torch")  # an error of one line where it is not installed
    from workshop.pytorch.kit.model import TorchModel

    return TorchModel.from_bytes(keras_h5.as_h5(content, path), path)


def _read_keras(content: bytes, path: FilePath) -> Model:
    from workshop.kit.saving import keras_h5

    return keras_h5.from_bytes(content, path)


_READERS: dict[str, Callable[[bytes, FilePath], Model]] = {
    "numpy": _read_numpy,
    "keras": _read_keras,
    "torch": _read_torch,
}


class SideBySide:
    """The same model in all engines: it returns the first one's predictions, and keeps those of all."""

    engine = "all"

    def __init__(self, content: bytes, path: FilePath) -> None:
        from workshop.kit.saving import keras_h5

        content = keras_h5.as_h5(content, path)
        self.models = {name: _READERS[name](content, path) for name in ENGINES}
        self.predictions: dict[str, np.ndarray] = {}
        first = self.models[ENGINES[0]]
        self.input_shape, self.output_shape = first.input_shape, first.output_shape

    def predict(self, X: np.ndarray, **options: Any) -> np.ndarray:
        """Returns the outputs for X; `predictions` then has those of every engine."""
        self.predictions = {name: model.predict(X, **options) for name, model in self.models.items()}
        return self.predictions[ENGINES[0]]


def load(path: FilePath, lessons: Sequence[str], engine: str | None = None, scaler: FilePath | None = None) -> Bundle:
    """Loads a bundle, a bare `.h5` or a `.keras`, as `bundle.load` does.

    Args:
        path: the `.h5` or the `.keras`.
        lessons: the lessons whose models are accepted.
        engine: one of `CHOICES`; None for NumPy's or, if that does not know a layer, Keras, which is noted on stderr.
            A `.keras` is always loaded by Keras, and handed to the other engines as a `.h5`.
        scaler: the file of the scaler of a model without a card; None for the one beside it, if any.

    Raises:
        WorkshopError: the file is refused, or the chosen engine does not know a layer of the model.
    """
    if engine is None and Path(path).suffix == bundle.KERAS:
        engine = "keras"
    reader: Any = SideBySide if engine == "all" else _READERS[engine or "numpy"]
    try:
        return bundle.load(path, lessons, reader, scaler)
    except UnknownLayerError as error:
        if engine is not None:
            raise WorkshopError(f"{error}; --engine keras takes what Keras knows") from error
        print(f"note: the NumPy engine does not know this model, Keras loads it ({error})", file=sys.stderr)
        return bundle.load(path, lessons, scaler=scaler)


def show_side_by_side(model: Bundle, describe: Callable[[np.ndarray], str]) -> None:
    """Prints, for a model that `--engine all` loaded, the last predictions of each engine and their largest difference.

    Args:
        model: the bundle.
        describe: returns the outputs for one sample in the program's words.
    """
    if not isinstance(model.model, SideBySide):
        return
    import numpy as np

    predictions = model.model.predictions
    for name, outputs in predictions.items():
        print(f"  {name:6} {', '.join(describe(output) for output in outputs)}")
    stacked = np.stack(list(predictions.values()))
    print(f"  largest difference between the outputs: {np.ptp(stacked, axis=0).max():.1e}")
