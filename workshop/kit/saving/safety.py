"""Checks of untrusted models, before Keras reads a byte of the file: they reach nothing outside of it.

Untrusted scalers are read by `unpickling`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import hdf5
from workshop.kit.saving.card import printable as printable
from workshop.kit.saving.hdf5.checked_bytes import OutsideError, UnreadableError
from workshop.kit.saving.hdf5.objects import Group

# Layers that are code, or run another library's saved program.
_CODE_LAYERS = {
    "Lambda",
    "__lambda__",
    "TFOpLambda",
    "SlicingOpLambda",
    "TFSMLayer",
    "TorchModuleWrapper",
    "JaxLayer",
    "FlaxLayer",
}

# Keras' modules that define the parts of a model. Other modules of it fetch files, or switch the safe mode off.
_KERAS_MODULES = re.compile(
    r"builtins|keras|keras\.(src\.)?(activations|constraints|dtype_policies|initializers|layers|models|ops|quantizers|"
    r"random|regularizers)(\..*)?|(tf_)?keras\.(src\.)?engine\.(functional|sequential|training)"
)


def check_h5(content: bytes, path: FilePath) -> tuple[dict[str, Any], Group]:
    """Returns the configuration of the model in a `.h5`, and the file's root group.

    Refused is whatever could reach outside of the file: links, data kept in other files, sizes beyond the file, layers
    that hold Python code (Lambda), layers that are not Keras' own. Keras and the HDF5 library read the file only after.
    """
    refused = f"{path} is refused: "
    root = read_hdf5(content, path)
    text = root.attributes.get("model_config")
    if text is None:
        raise WorkshopError(
            f"{refused}it holds weights alone, no model: save it with model.save(), not save_weights(); or name a "
            f"model with the same layers: python -m workshop convert {path} NEW.h5 --like MODEL.h5"
        )
    return read_config(text, refused), root


def read_hdf5(content: bytes, path: FilePath) -> Group:
    """Returns the root group of an HDF5 file, of a `.h5` or of the weights in a `.keras`.

    Raises:
        WorkshopError: it is damaged, or reaches outside of itself.
    """
    try:
        return hdf5.read(content)
    except OutsideError as error:
        raise WorkshopError(f"{path} is refused: {printable(error)}") from error
    except UnreadableError as error:
        kind = ".keras" if Path(path).suffix == ".keras" else ".h5"
        raise WorkshopError(
            f"{path} is damaged, or not a {kind} file of Keras' ({printable(error)}): copy or train it again"
        ) from error


def read_config(text: str | bytes, refused: str, without: Sequence[str] = ()) -> dict[str, Any]:
    """Returns a model's configuration, which names nothing but parts of Keras' own models.

    Args:
        text: the configuration as JSON.
        refused: the beginning of the message.
        without: settings that are left out wherever they stand.

    Raises:
        WorkshopError: it holds code, would read a file, or names something else.
    """
    try:
        config = json.loads(text)
        if not isinstance(config, dict):
            raise TypeError("takes a JSON object")
        check_config(config, refused, without)
    except (ValueError, TypeError, RecursionError) as error:
        raise WorkshopError(f"{refused}its configuration cannot be read ({type(error).__name__})") from error
    return config


def check_config(config: Any, refused: str, without: Sequence[str] = ()) -> None:
    """Raises WorkshopError if a model's configuration holds code, would read a file, or names something else.

    The settings in `without` are left out of it.
    """
    pending = [config]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            for name in without:
                part.pop(name, None)
            pending += part.values()
            kind, module = part.get("class_name"), part.get("module")
            if kind in _CODE_LAYERS:
                raise WorkshopError(f"{refused}it holds a {kind} layer, Python code that loading would run")
            if isinstance(part.get("vocabulary"), str):
                raise WorkshopError(f"{refused}a layer of it would read the file {printable(part['vocabulary'])}")
            is_policy = module == "keras.mixed_precision" and kind in ("Policy", "PolicyV1")  # Keras 2's precision
            if module is not None and not is_policy and not _KERAS_MODULES.fullmatch(str(module)):
                raise WorkshopError(
                    f"{refused}it names {printable(module)}.{printable(kind)}, which is no part of a Keras model"
                )
            # Keras looks a name up below the module, so that one with a dot reaches into the modules left out above.
            for wanted in (kind, part.get("spec_name"), part.get("config") if kind == "function" else None):
                if isinstance(wanted, str) and not wanted.isidentifier():
                    raise WorkshopError(f"{refused}it names {printable(wanted)}, which is no part of a Keras model")
            custom = part.get("registered_name")
            if isinstance(custom, str) and ">" in custom:
                raise WorkshopError(f"{refused}it names {printable(custom)}, which is not Keras' own")
