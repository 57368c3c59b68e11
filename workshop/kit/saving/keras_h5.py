"""Reading the `.h5` or the `.keras` of a saved model with Keras; `h5` reads the first without."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import keras_archive, safety
from workshop.kit.saving.card import printable
from workshop.kit.saving.model import KerasModel, Model

if TYPE_CHECKING:
    import keras
else:
    from workshop.kit.lazy import keras


def from_bytes(content: bytes, path: FilePath) -> Model:
    """Returns the model in a `.h5` or a `.keras` as Keras loads it.

    A `.h5` of Keras 2.3 or older, which Keras 3 no longer reads, is converted to Keras 3's configuration first.

    Raises:
        WorkshopError: Keras cannot load it.
    """
    try:
        return KerasModel(_load_with_keras(content))
    except WorkshopError as error:
        raise WorkshopError(f"{path} {error}") from error
    except Exception as error:  # Keras and h5py raise whatever the configuration leads them to
        from workshop.kit.saving import h5

        with contextlib.suppress(Exception):
            return KerasModel(_load_with_keras(h5.to_bytes(h5.from_bytes(content, path))))
        reason = printable(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        raise WorkshopError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason}") from error


def as_h5(content: bytes, path: FilePath) -> bytes:
    """Returns a saved model as a `.h5`, which all engines read: Keras loads a `.keras` and writes it anew."""
    return from_bytes(content, path).to_h5() if keras_archive.is_archive(content) else content


def _load_with_keras(content: bytes) -> keras.Model:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Keras warns of deprecated settings, which only who wrote the file could change.
        warnings.simplefilter("ignore")
        copy = Path(folder) / ("model.keras" if keras_archive.is_archive(content) else "model.h5")
        copy.write_bytes(content)
        if copy.suffix == ".h5":
            # The safe mode is no help here: before Keras 3.11.3 a .h5 was read without it. Our own reader has checked
            # the configuration; where the HDF5 library finds another one in the same bytes, that one is checked, too.
            import h5py

            with h5py.File(copy) as file:
                safety.read_config(file.attrs["model_config"], "is refused: ")
        model = keras.models.load_model(copy, compile=False, safe_mode=True)
    if not model.built:
        raise WorkshopError("holds a model that was never used, so it has no weights: train it, then save")
    return model
