"""`python -m workshop convert`: a saved model of any Keras as the content of a file that Keras 3 loads by itself.

A model whose layers stand in a row is written without Keras, in a second; others are made by Keras, and what it wrote
is loaded back and compared.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import h5, keras_archive, keras_h5, safety
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.kit.saving.model import KerasModel

if TYPE_CHECKING:
    import keras
else:
    from workshop.kit.lazy import keras

ENDINGS = (".h5", ".hdf5", ".keras")


class Converted(NamedTuple):
    """A converted model.

    Attributes:
        content: the content of the new file.
        layers: the classes of its layers.
        shapes: the shape of a sample, or a list of those of several inputs.
        notes: what is no longer as it was, a line each.
    """

    content: bytes
    layers: list[str]
    shapes: object
    notes: list[str]


def convert(old: FilePath, new: FilePath, like: FilePath | None = None) -> Converted:
    """Returns what is to be written to `new`; raises as `workshop.__main__.convert` does."""
    new = Path(new)
    content = files.read_bytes(old)
    if keras_archive.is_archive(content):
        if like is not None:
            raise WorkshopError(f"{old} is a whole model, a .keras: takes a file of weights alone with --like")
        checked, _ = keras_archive.checked(content, old)
        return _by_keras(keras_h5.from_bytes(checked, old), new, [])
    if like is not None:
        pattern = files.read_bytes(like)
        root = safety.read_hdf5(content, old)
        if "layer_names" not in root.attributes and "model_weights" not in root.entries:
            return _by_keras(_with_weights_of_keras_3(content, old, pattern, like), new, [])
        saved = h5.read_saved(content, old, (pattern, like))
    else:
        saved = h5.read_saved(content, old)
    if new.suffix != ".keras":
        try:
            model = h5.from_saved(saved, old).separated()
        except UnknownLayerError:
            pass  # Keras knows more layers
        else:
            kinds = [layer.kind for layer in model.layers]
            return Converted(h5.to_bytes(model), kinds, model.input_shape, saved.notes)
    return _by_keras(keras_h5.from_saved(saved, old), new, saved.notes)


def _with_weights_of_keras_3(content: bytes, path: FilePath, pattern: bytes, like: FilePath) -> KerasModel:
    """Returns a model with the weights that Keras 3's `save_weights` wrote; its layers are those of another file."""
    model = keras_h5.from_bytes(pattern, like)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.weights.h5"
        copy.write_bytes(content)
        try:
            model.keras.load_weights(copy)
        except Exception as error:  # Keras raises whatever it meets
            raise WorkshopError(
                f"{path} does not hold the weights of the layers of {like}: {keras_h5.reason(error)}"
            ) from error
    return model


def _by_keras(model: KerasModel, new: Path, notes: list[str]) -> Converted:
    """Returns the model as Keras writes it, if Keras also reads that."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        copy = Path(folder) / f"model{new.suffix}"
        if new.suffix == ".keras":
            model.keras.save(copy)
        else:
            copy.write_bytes(model.to_h5())
        try:
            loaded = keras.models.load_model(copy, compile=False)
            same = all(map(np.array_equal, loaded.get_weights(), model.get_weights()))
            problem = "" if same else "other weights come back"
        except Exception as error:  # Keras raises whatever it meets
            problem = keras_h5.reason(error)
        if problem:
            hint = "" if new.suffix == ".keras" else "; give the new file the ending .keras"
            raise WorkshopError(
                f"Keras {keras.__version__} does not read its own {new.suffix} of this model ({problem}){hint}"
            )
        content = copy.read_bytes()
    shapes = [tuple(tensor.shape[1:]) for tensor in model.keras.inputs]
    kinds = [type(layer).__name__ for layer in model.keras.layers]
    return Converted(content, kinds, shapes[0] if len(shapes) == 1 else shapes, notes)
