"""Checks of untrusted files: a model reaches nothing outside of its file, a scaler holds nothing but numbers.

Both come before Keras or scikit-learn read a byte of the file.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import json
import lzma
import math
import pickle
import re
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import hdf5
from workshop.kit.saving import scaler as scalers
from workshop.kit.saving.card import printable as printable
from workshop.kit.saving.hdf5.checked_bytes import OutsideError, UnreadableError
from workshop.kit.saving.hdf5.objects import Group

if TYPE_CHECKING:
    import numpy as np

_MAX_SCALER_SIZE = 16 * 2**20  # bytes, unpacked; ours have some hundred
_MAX_MEMORY = 128 * 2**20  # bytes, for unpacking; xz at its strongest needs 65 MB
_MAX_COLUMNS = 100_000

# All names in a scikit-learn scaler saved by joblib. NumPy and joblib have functions that run code or open files, so
# "any name from these libraries" would not be safe.
_SCALER_CLASSES = {
    "sklearn.preprocessing._data": {"MinMaxScaler", "MaxAbsScaler", "RobustScaler", "StandardScaler"},
    "sklearn.preprocessing.data": {"MinMaxScaler", "MaxAbsScaler", "RobustScaler", "StandardScaler"},
    "joblib.numpy_pickle": {"NumpyArrayWrapper"},
    "sklearn.externals.joblib.numpy_pickle": {"NumpyArrayWrapper"},  # joblib, as scikit-learn brought it until 0.22
    "numpy": {"ndarray", "dtype", "float32", "float64", "int32", "int64"},
    "numpy.core.multiarray": {"scalar", "_reconstruct"},
    "numpy._core.multiarray": {"scalar", "_reconstruct"},
    "builtins": {"slice"},  # MinMaxScaler's feature range is a tuple; slices come with some releases
}

# What pickle's protocols name besides: up to 2 for bytes, up to 1 for an object that is made from its class, and from 5
# on for the numbers of an array. Functions of our own stand for them, which take nothing else.
_ENCODE = {("_codecs", "encode")}
_RECONSTRUCTOR = {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")}
_FROM_BUFFER = {("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer")}
_OBJECT = {("__builtin__", "object"), ("builtins", "object")}

# What people also save by joblib, and what to do with each.
_NO_SCALERS = {
    "LabelEncoder": "texts are encoded in the table itself, or by the lesson tables",
    "OneHotEncoder": "texts are encoded in the table itself, or by the lesson tables",
    "OrdinalEncoder": "texts are encoded in the table itself, or by the lesson tables",
    "DictVectorizer": "texts are encoded in the table itself, or by the lesson tables",
    "ColumnTransformer": "save its scaler by itself",
    "Pipeline": "save its scaler by itself",
    "PowerTransformer": "fit a MinMaxScaler, StandardScaler, RobustScaler or MaxAbsScaler",
    "QuantileTransformer": "fit a MinMaxScaler, StandardScaler, RobustScaler or MaxAbsScaler",
    "Normalizer": "fit a MinMaxScaler, StandardScaler, RobustScaler or MaxAbsScaler",
}

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
    r"random|regularizers)(\..*)?"
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
        raise WorkshopError(f"{refused}it holds weights alone, no model: save it with model.save(), not save_weights()")
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
        _check_config(config, refused, without)
    except (ValueError, TypeError, RecursionError) as error:
        raise WorkshopError(f"{refused}its configuration cannot be read ({type(error).__name__})") from error
    return config


def _check_config(config: Any, refused: str, without: Sequence[str]) -> None:
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
            if module is not None and not _KERAS_MODULES.fullmatch(str(module)):
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


def _latin1_bytes(text: object, encoding: object) -> bytes:
    """What `_codecs.encode` is for in a pickle: bytes, written as the text that has them in Latin-1."""
    if not isinstance(text, str) or encoding != "latin1":
        raise TypeError("takes a text in Latin-1")
    return text.encode("latin1")


def _array_from_bytes(content: object, dtype: object, shape: object, order: object, *_: object) -> np.ndarray:
    """What NumPy's `_frombuffer` is for in a pickle: an array of the numbers in some bytes."""
    import numpy as np

    if not (isinstance(content, (bytes, bytearray)) and isinstance(dtype, np.dtype) and dtype.kind in "biuf"):
        raise TypeError("takes the bytes of numbers")
    if not isinstance(shape, tuple) or order not in ("C", "F"):
        raise TypeError("takes a shape and an order")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")


def _unpack(content: bytes) -> bytes:
    """Returns the bytes in a file that joblib may have compressed; at most one more than `_MAX_SCALER_SIZE` of them."""
    if content.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            return stream.read(_MAX_SCALER_SIZE + 1)
    kinds: dict[bytes, Callable[[], Any]] = {
        b"\x78": zlib.decompressobj,  # a pickle begins with another byte
        b"BZh": bz2.BZ2Decompressor,
        # A file may ask for gigabytes of memory to be unpacked with.
        b"\xfd7zXZ\x00": functools.partial(lzma.LZMADecompressor, memlimit=_MAX_MEMORY),
        b"\x5d\x00": functools.partial(lzma.LZMADecompressor, memlimit=_MAX_MEMORY),  # the older format of the same
    }
    for beginning, kind in kinds.items():
        if content.startswith(beginning):
            decompressor = kind()
            unpacked = bytes(decompressor.decompress(content, _MAX_SCALER_SIZE + 1))
            if not decompressor.eof and len(unpacked) <= _MAX_SCALER_SIZE:
                raise EOFError("the file is cut off")
            return unpacked
    return content[: _MAX_SCALER_SIZE + 1]


def load_scaler(content: bytes, path: FilePath) -> scalers.Scaler:
    """Returns the scaler in a file, unpickled only if every name in it is one of `_SCALER_CLASSES`."""
    import numpy as np
    from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

    refused = f"{path} is refused: "

    def new_object(kind: object, base: object, state: object) -> object:
        """What `copyreg._reconstructor` is for in a pickle: an object of a class, here of a scaler's or an array's."""
        if base is not object or state is not None:
            raise TypeError("takes a scaler")
        classes: tuple[type[object], ...] = (*scalers.KINDS.values(), NumpyArrayWrapper)
        for one in classes:
            if kind is one:
                return object.__new__(one)
        raise TypeError("takes a scaler")

    class Unpickler(NumpyUnpickler):
        dispatch = NumpyUnpickler.dispatch.copy()

        def find_class(self, module: str, name: str) -> Any:
            functions = ((_ENCODE, _latin1_bytes), (_RECONSTRUCTOR, new_object), (_FROM_BUFFER, _array_from_bytes))
            for names, function in functions:
                if (module, name) in names:
                    return function
            if (module, name) in _OBJECT:
                return object
            if name in _NO_SCALERS and module.startswith("sklearn."):
                raise WorkshopError(f"{refused}it is a {name}, no scaler of numbers: {_NO_SCALERS[name]}")
            if name not in _SCALER_CLASSES.get(module, ()):
                raise WorkshopError(
                    f"{refused}it names {printable(module)}.{printable(name)}, which is no part of a scaler; "
                    f"nothing of it was run"
                )
            # No class of scikit-learn's is instantiated or run: the numbers go into classes of our own.
            if name in scalers.KINDS:
                return scalers.KINDS[name]
            return NumpyArrayWrapper if name == "NumpyArrayWrapper" else super().find_class(module, name)

        def load_build(self) -> None:
            # The instance and its state, which may be any two objects that the stream has made so far.
            instance, state = self.stack[-2], self.stack[-1]
            changeable = (scalers.Scaler, NumpyArrayWrapper, np.ndarray, np.dtype)
            if not any(isinstance(instance, kind) for kind in changeable):
                changed = getattr(instance, "__name__", type(instance).__name__)
                raise WorkshopError(f"{refused}it would change {printable(changed)} itself")
            is_dtype = isinstance(instance, np.dtype)
            if is_dtype and instance.kind == "O" and state == (3, "|", None, None, None, -1, -1, 63):
                self.stack.pop()  # the type of Python objects as it always is: nothing to change
                return
            if is_dtype and not (
                # The state can turn a type of numbers into one of pointers, and hide that: NumPy would follow them.
                instance.kind in "biuf" and state[0] == 3 and state[2:] == (None, None, None, -1, -1, 0)
            ):
                raise WorkshopError(f"{refused}it holds Python objects where a scaler has numbers")
            if isinstance(instance, NumpyArrayWrapper):
                # An array is read from the stream right after this.
                if state["dtype"].kind == "O":
                    # The names of a data frame's columns: a pickle of its own, read as carefully as this one.
                    self.stack[-2:] = [unpickler(self.file_handle).load()]
                    return
                if state["dtype"].kind not in "biuf" or state["subclass"] is not np.ndarray:
                    raise WorkshopError(f"{refused}it holds Python objects where a scaler has numbers")
                if min(state["shape"], default=0) < 0 or (
                    math.prod(state["shape"]) * state["dtype"].itemsize > len(unpacked)
                ):
                    raise WorkshopError(f"{refused}its numbers claim to be larger than the file")
                state["allow_mmap"] = False
            if isinstance(instance, np.ndarray) and state[2].kind == "O" and all(isinstance(x, str) for x in state[4]):
                self.stack.pop()  # nothing needs the names, so the array stays empty
                return
            if isinstance(instance, np.ndarray) and state[2].kind not in "biuf":
                raise WorkshopError(f"{refused}it holds Python objects where a scaler has numbers")
            super().load_build()

        dispatch[pickle.BUILD[0]] = load_build

    def unpickler(stream: Any) -> Unpickler:
        made = Unpickler("", stream, ensure_native_byte_order=True)
        made.encoding = "latin1"  # of the texts in a pickle of Python 2
        return made

    try:
        unpacked = _unpack(content)
        if len(unpacked) > _MAX_SCALER_SIZE:
            raise WorkshopError(f"{refused}unpacked it is larger than {_MAX_SCALER_SIZE // 2**20} MB")
        with warnings.catch_warnings():
            # NumPy warns of its own old names, and of the numbers in a corrupt scaler.
            warnings.simplefilter("ignore")
            scaler = unpickler(io.BytesIO(unpacked)).load()
            if not isinstance(scaler, scalers.Scaler):
                raise TypeError("takes a scaler")
            # Its numbers must fit together: an error shows here, not when a program predicts.
            columns = scaler.n_features_in_
            if not 1 <= columns <= _MAX_COLUMNS or scaler.transform(np.zeros((1, columns))).shape != (1, columns):
                raise TypeError(f"it has {columns} columns")
    except WorkshopError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise WorkshopError(
            f"{path} is damaged, or not a fitted scaler ({type(error).__name__}): train it again"
        ) from error
    return scaler
