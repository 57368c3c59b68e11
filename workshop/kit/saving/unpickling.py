"""Fitted scalers and pipelines, unpickled without running anything of the file.

A pickle is a program: it names classes and functions, calls them, and changes what they return. Here every name stands
for an object of our own that holds data alone, and no name that is not on the lists below stands for anything: neither
scikit-learn, joblib, pandas nor NumPy's functions are called.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import math
import operator
import pickle
import re
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import column_steps
from workshop.kit.saving.card import printable
from workshop.kit.saving.column_steps import FUNCTIONS, KINDS, Function
from workshop.kit.saving.scaler import MAX_COLUMNS, Step

if TYPE_CHECKING:
    import numpy as np

_MAX_SIZE = 16 * 2**20  # bytes, unpacked; ours have some hundred
_MAX_MEMORY = 128 * 2**20  # bytes, for unpacking; xz at its strongest needs 65 MB
_MAX_STEPS = 1000
_MAX_OPCODES = 2_000_000
_MAX_MADE = 64 * 2**20  # bytes of arrays and texts that are made of others, each as often as it is

# The modules that scikit-learn's releases since 0.18 have kept the classes of the steps in.
_STEP_MODULES = {
    "sklearn.compose._column_transformer": {"ColumnTransformer"},
    "sklearn.impute": {"SimpleImputer", "MissingIndicator"},
    "sklearn.impute._base": {"SimpleImputer", "MissingIndicator"},
    "sklearn.pipeline": {"Pipeline", "FeatureUnion"},
    "sklearn.preprocessing._encoders": {"OneHotEncoder", "OrdinalEncoder"},
    "sklearn.preprocessing._function_transformer": {"FunctionTransformer"},
    "sklearn.preprocessing._data": {
        *("MinMaxScaler", "MaxAbsScaler", "RobustScaler", "StandardScaler", "PowerTransformer", "Normalizer")
    },
}
_STEP_MODULES["sklearn.preprocessing.data"] = _STEP_MODULES["sklearn.preprocessing._data"]

_WRAPPERS = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"),  # joblib, as scikit-learn brought it until 0.22
}
_LISTS = {("sklearn.compose._column_transformer", "_RemainderColsList")}  # of scikit-learn 1.5 and 1.6

# Types that are a setting of a step: numbers that it makes, or columns that it was to select.
_TYPES = {
    "numpy": {
        *("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("bool_", "object_", "number", "floating", "integer", "str_"),
    },
    "builtins": {"float", "int", "bool", "str", "object"},
}
_TYPES["__builtin__"] = _TYPES["builtins"] | {"long", "unicode"}

# What a step holds besides, and nothing needs: how its columns were to be selected.
_IGNORED = {
    ("sklearn.compose._column_transformer", "make_column_selector"),
    ("pandas", "Index"),
    ("pandas", "StringDtype"),
    ("pandas", "CategoricalDtype"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
    ("pandas._libs.missing", "NA"),
    ("pandas._libs.missing", "NAType"),
    ("pandas.api.types", "CategoricalDtype"),
    ("pandas.arrays", "ArrowStringArray"),
    ("pandas.arrays", "StringArray"),
    ("pandas.core.arrays.string_", "StringArray"),
    ("pandas.core.arrays.string_", "StringDtype"),
    ("pandas.core.dtypes.dtypes", "CategoricalDtype"),
    ("pandas.core.indexes.base", "Index"),
    ("pyarrow.lib", "_restore_array"),
    ("pyarrow.lib", "py_buffer"),
    ("pyarrow.lib", "type_for_alias"),
}

# What people also save by joblib, and what to do with each.
_ENCODED = "texts are encoded in the table itself, or by a OneHotEncoder in one ColumnTransformer with the scaler"
_LABELS = "it turns the texts of one column, mostly the classes, into numbers; save the scaler of the inputs"
_ANOTHER_SCALER = "fit a MinMaxScaler, StandardScaler, RobustScaler or MaxAbsScaler"
_NO_SCALERS = {
    "LabelEncoder": _LABELS,
    "LabelBinarizer": _LABELS,
    "MultiLabelBinarizer": _LABELS,
    "DictVectorizer": _ENCODED,
    "TargetEncoder": _ENCODED,
    "QuantileTransformer": _ANOTHER_SCALER,
    "KernelCenterer": _ANOTHER_SCALER,
}
_ALONE = {
    "OneHotEncoder": _ENCODED,
    "OrdinalEncoder": _ENCODED,
    "SimpleImputer": "save the pipeline of it and the scaler",
    "MissingIndicator": "save the pipeline of it and the scaler",
    "FunctionTransformer": "save the pipeline of it and the scaler",
}
_OBJECTS = "it holds Python objects where a scaler has numbers"


@dataclass(frozen=True, eq=False)
class _Named:
    """A class or function that the file names.

    Attributes:
        name: the name, without its module.
        call: what the file may call it for.
        make: makes the object that has no attributes yet, of a class that the file may make objects of.
        value: what it is where it stands in a step's attributes.
    """

    name: str
    call: Callable[..., Any] | None = None
    make: Callable[[], Any] | None = None
    value: Any = None


class _Ignored:
    """Something that nothing needs."""


class _Dtype:
    """A type of numbers or texts, as the file describes it; it has what NumPy gives to its description, no flags."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248]|O8?|O4|U\d{1,6}|\?)", code):
            raise _RefusedError(_OBJECTS)
        self.code, self.order = code.lstrip("<>|="), ""

    def set_state(self, state: Any) -> None:
        """Takes the order of the bytes from the state, which may say nothing else."""
        flags = {"O": (-1, -1, 63), "U": (4 * int(self.code[1:] or 0) if self.code[0] == "U" else 0, 4, 8)}
        expected = (3, None, None, None, *flags.get(self.code[0], (-1, -1, 0)))
        if not (isinstance(state, tuple) and len(state) == 8 and state[1] in ("<", ">", "|", "=")):
            raise _RefusedError(_OBJECTS)
        if not all(type(a) is type(b) and a == b for a, b in zip(state[:1] + state[2:], expected, strict=True)):
            raise _RefusedError(_OBJECTS)
        self.order = state[1]

    @property
    def holds_objects(self) -> bool:
        """Whether it is the type of Python objects: texts, or what is missing among them."""
        return self.code[0] == "O"

    def made(self) -> np.dtype[Any]:
        """Returns NumPy's type."""
        import numpy as np

        return np.dtype("O" if self.holds_objects else ("" if self.order == "|" else self.order) + self.code)

    def array(self, content: Any, shape: Any, order: object) -> np.ndarray:
        """Returns the numbers or the texts in some bytes, in the machine's own order of bytes."""
        import numpy as np

        dtype = self.made()
        if isinstance(content, str):
            content = content.encode("latin1")  # the bytes of Python 2 are texts
        if self.holds_objects or not isinstance(content, bytes | bytearray) or not isinstance(shape, tuple):
            raise _RefusedError(_OBJECTS)
        if not all(type(length) is int and length >= 0 for length in shape) or order not in ("C", "F"):
            raise _RefusedError("its numbers claim to be larger than the file")
        if len(shape) > 3 or math.prod(shape) * dtype.itemsize != len(content) or dtype.itemsize == 0:
            raise _RefusedError("its numbers claim to be larger than the file")
        array = np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")
        return array.astype(dtype.newbyteorder("="))


class _Array:
    """An array that the file makes empty, and fills after."""

    array: Any = None

    def set_state(self, state: Any) -> None:
        """Takes the numbers or the texts from the state."""
        import numpy as np

        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _Dtype)):
            raise _RefusedError(_OBJECTS)
        _, shape, dtype, is_fortran, content = state
        if not dtype.holds_objects:
            self.array = dtype.array(content, shape, "F" if is_fortran else "C")
            return
        if type(content) is not list or not all(_is_cell(cell) for cell in content):
            raise _RefusedError(_OBJECTS)
        if not isinstance(shape, tuple) or len(shape) > 3 or not all(type(length) is int for length in shape):
            raise _RefusedError(_OBJECTS)
        if min(shape, default=0) < 0 or math.prod(shape) != len(content):
            raise _RefusedError("its numbers claim to be larger than the file")
        made = np.empty(len(content), object)
        made[:] = content
        self.array = made.reshape(shape, order="F" if is_fortran else "C")


class _Wrapper:
    """The place of an array in joblib's files: the numbers follow in the stream."""


class _List:
    """A list in a class of its own."""

    data: Any = ()


class _RefusedError(Exception):
    """The file is refused; the text says why."""


def _is_cell(cell: object) -> bool:
    import numpy as np

    return cell is None or type(cell) in (str, int, float, bool) or isinstance(cell, np.number | np.bool_ | np.str_)


def _latin1_bytes(text: object, encoding: object) -> bytes:
    """Stands for `_codecs.encode`: bytes, written as the text that has them in Latin-1."""
    if not isinstance(text, str) or encoding != "latin1":
        raise TypeError("takes a text in Latin-1")
    return text.encode("latin1")


def _new_object(kind: object, base: object, state: object) -> object:
    """Stands for `copyreg._reconstructor`: an object of a class."""
    if not (isinstance(kind, _Named) and isinstance(base, _Named) and base.name == "object" and state is None):
        raise TypeError("takes a scaler")
    if kind.make is None:
        raise TypeError("takes a scaler")
    return kind.make()


def _new_array(kind: object, shape: object, code: object) -> _Array:
    """Stands for NumPy's `_reconstruct`: an empty array."""
    if not (isinstance(kind, _Named) and kind.name == "ndarray"):
        raise TypeError("takes NumPy's array")
    return _Array()


def _array_from_bytes(content: object, dtype: object, shape: object, order: object, *_: object) -> np.ndarray:
    """Stands for NumPy's `_frombuffer`: an array of the numbers in some bytes."""
    if not isinstance(dtype, _Dtype):
        raise TypeError("takes a type of numbers")
    return dtype.array(content, shape, order)


def _scalar(dtype: object, content: object = None) -> Any:
    """Stands for NumPy's `scalar`: one number, in its bytes."""
    if not isinstance(dtype, _Dtype):
        raise TypeError("takes a type of numbers")
    return dtype.array(content, (1,), "C")[0]


def _slice(*limits: object) -> slice:
    if not all(limit is None or type(limit) in (int, str) for limit in limits):
        raise TypeError("takes numbers or names")
    return slice(*limits)


def _bytearray(*arguments: Any) -> bytearray:
    """Stands for `bytearray`: the bytes of an array of numbers."""
    if len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] == "latin-1":
        return bytearray(arguments[0], "latin-1")
    if len(arguments) > 1 or not all(isinstance(content, bytes) for content in arguments):
        raise TypeError("takes bytes")
    return bytearray(*arguments)


def _new_index(kind: object, state: object) -> object:
    """Stands for pandas' `_new_Index`: the names of columns."""
    data = state.get("data") if type(state) is dict else None
    return data.array.tolist() if isinstance(data, _Array) and data.array is not None else _Ignored()


def _numpy_function(module: object, name: object) -> Function:
    if name not in FUNCTIONS:
        raise TypeError("takes a function of numbers")
    return Function(str(name))


_CALLED: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _latin1_bytes,
    ("copy_reg", "_reconstructor"): _new_object,
    ("copyreg", "_reconstructor"): _new_object,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _new_array,
    ("numpy._core.multiarray", "_reconstruct"): _new_array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _array_from_bytes,
    ("numpy._core.numeric", "_frombuffer"): _array_from_bytes,
    ("numpy.core", "_ufunc_reconstruct"): _numpy_function,
    ("numpy._core", "_ufunc_reconstruct"): _numpy_function,
    ("builtins", "slice"): _slice,
    ("__builtin__", "slice"): _slice,
    ("builtins", "bytearray"): _bytearray,
    ("__builtin__", "bytearray"): _bytearray,
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
}
_FUNCTION_MODULES = ("numpy", "numpy.core._multiarray_umath", "numpy._core._multiarray_umath")


def _named(module: str, name: str) -> _Named:
    """Returns what a name in the file stands for.

    Raises:
        _RefusedError: it is on no list.
    """
    key = module, name
    if name in _STEP_MODULES.get(module, ()):
        kind = KINDS[name]
        return _Named(name, make=lambda: object.__new__(kind))
    if key in _CALLED:
        return _Named(name, call=_CALLED[key])
    if key in _WRAPPERS:
        return _Named(name, make=_Wrapper)
    if key in _LISTS:
        return _Named(name, make=_List)
    if key == ("numpy", "ndarray"):
        return _Named(name)
    if name in _TYPES.get(module, ()):
        return _Named(name, value=_Ignored() if name in ("number", "floating", "integer") else name.rstrip("_"))
    if name in FUNCTIONS and module in _FUNCTION_MODULES:
        return _Named(name, value=Function(name))
    if key in _IGNORED:
        return _Named(name, call=lambda *_: _Ignored(), make=_Ignored)
    if name in _NO_SCALERS and module.startswith("sklearn."):
        raise _RefusedError(f"it is a {name}, no scaler of numbers: {_NO_SCALERS[name]}")
    what = "is no part of a scaler"
    if module.startswith("sklearn."):
        what = "is none of the steps that are read: use SimpleImputer, OneHotEncoder and a scaler such as MinMaxScaler"
    raise _RefusedError(f"it names {printable(module)}.{printable(name)}, which {what}; nothing of it was run")


class _Budget:
    """The bytes that a file may still make: it can name a text of a megabyte a million times."""

    def __init__(self) -> None:
        self.made, self.opcodes = _MAX_MADE, _MAX_OPCODES

    def spend(self, made: Any) -> Any:
        """Returns what was made, after counting its bytes."""
        size = getattr(made, "nbytes", 0) or (len(made) if isinstance(made, bytes | bytearray) else 8)
        self.made -= size
        if self.made < 0:
            raise _RefusedError(f"it makes more than {_MAX_MADE // 2**20} MB")
        return made


class _Counting(dict[int, Any]):
    """The functions of the opcodes; it counts how many are run."""

    def __init__(self, functions: Mapping[int, Any], budget: _Budget) -> None:
        super().__init__(functions)
        self._budget = budget

    def __getitem__(self, opcode: int) -> Any:
        self._budget.opcodes -= 1
        if self._budget.opcodes < 0:
            raise _RefusedError(f"it has more than {_MAX_OPCODES:,} instructions")
        return super().__getitem__(opcode)


class _Unpickler(pickle._Unpickler):
    """Reads a pickle; it makes lists, dictionaries, texts, numbers, and the objects that `_named` allows."""

    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]

    def __init__(self, stream: io.BytesIO, size: int, budget: _Budget) -> None:
        super().__init__(stream, encoding="latin1")  # of the texts in a pickle of Python 2
        self._stream, self._size, self._budget = stream, size, budget
        self.dispatch = _Counting(type(self).dispatch, budget)  # type: ignore[misc]

    def find_class(self, module: str, name: str) -> _Named:
        return _named(module, name)

    def _reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Named) or type(arguments) is not tuple:
            raise pickle.UnpicklingError("takes a function")
        if function.call is None:
            raise _RefusedError(f"it calls {printable(function.name)}, which is no part of a scaler")
        self.append(self._budget.spend(function.call(*arguments)))

    def _new(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if not isinstance(kind, _Named) or type(arguments) is not tuple or arguments or kind.make is None:
            raise pickle.UnpicklingError("takes a class")
        self.append(kind.make())

    def _build(self) -> None:
        state = self.stack.pop()
        instance = self.stack[-1]
        if isinstance(instance, _Dtype | _Array):
            instance.set_state(state)
            self._budget.spend(getattr(instance, "array", None))
        elif isinstance(instance, _Wrapper):
            self.stack[-1] = self._array_in_stream(state)
        elif isinstance(instance, Step | _List) and type(state) is dict:
            values = _resolved(state, self._budget)
            if isinstance(instance, Step):
                instance.__setstate__(values)
            else:
                instance.data = values.get("data")
        elif not isinstance(instance, _Ignored):
            changed = instance.name if isinstance(instance, _Named) else type(instance).__name__
            raise _RefusedError(f"it would change {printable(changed)} itself")

    def _array_in_stream(self, state: Any) -> Any:
        """Returns the array that joblib writes right after its description."""
        dtype, shape = state["dtype"], state["shape"]
        if not isinstance(dtype, _Dtype) or getattr(state["subclass"], "name", "") != "ndarray":
            raise _RefusedError(_OBJECTS)
        if dtype.holds_objects:  # a pickle of its own
            return _Unpickler(self._stream, self._size, self._budget).load()
        if state.get("numpy_array_alignment_bytes") is not None:
            self._stream.read(self._stream.read(1)[0])
        if not (isinstance(shape, tuple) and all(type(length) is int and length >= 0 for length in shape)):
            raise _RefusedError("its numbers claim to be larger than the file")
        size = math.prod(shape) * dtype.made().itemsize
        if size > self._size:
            raise _RefusedError("its numbers claim to be larger than the file")
        return self._budget.spend(dtype.array(self._stream.read(size), shape, state["order"]))

    def _refuse(self) -> None:
        raise pickle.UnpicklingError("takes no such object")

    def _bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        if size > self._size:
            raise EOFError("the file is cut off")
        self.append(bytearray(self.read(size)))

    def _append(self) -> None:
        value = self.stack.pop()
        self._extend(self.stack[-1], [value])

    def _appends(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        self._extend(self.stack[-1], items)

    def _extend(self, target: Any, items: list[Any]) -> None:
        if type(target) is not list:
            raise pickle.UnpicklingError("takes a list")
        target += items

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update(self.stack[-1], [key, value])

    def _set_items(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        self._update(self.stack[-1], items)

    def _dict(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        made: dict[Any, Any] = {}
        self._update(made, items)
        self.append(made)

    def _update(self, target: Any, items: list[Any]) -> None:
        # A tuple of tuples of tuples may take for ever to be hashed.
        if type(target) is not dict or not all(_is_cell(key) for key in items[::2]):
            raise pickle.UnpicklingError("takes a dictionary of texts")
        target.update(zip(items[::2], items[1::2], strict=True))

    _own: ClassVar[dict[int, Any]] = {
        pickle.INST[0]: _refuse,
        pickle.OBJ[0]: _refuse,
        pickle.NEWOBJ_EX[0]: _refuse,
        pickle.PERSID[0]: _refuse,
        pickle.BINPERSID[0]: _refuse,
        pickle.EXT1[0]: _refuse,
        pickle.EXT2[0]: _refuse,
        pickle.EXT4[0]: _refuse,
        pickle.ADDITEMS[0]: _refuse,
        pickle.FROZENSET[0]: _refuse,
        pickle.NEXT_BUFFER[0]: _refuse,
        pickle.READONLY_BUFFER[0]: _refuse,
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _new,
        pickle.BUILD[0]: _build,
        pickle.BYTEARRAY8[0]: _bytearray8,
        pickle.APPEND[0]: _append,
        pickle.APPENDS[0]: _appends,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.DICT[0]: _dict,
    }
    dispatch = pickle._Unpickler.dispatch | _own


def _resolved(value: Any, budget: _Budget) -> Any:
    """Returns a value of a step's state with the arrays and types that the file has described."""
    budget.spend(value if type(value) in (str, int, float, bool) else None)
    if type(value) is list:
        return [_resolved(entry, budget) for entry in value]
    if type(value) is tuple:
        return tuple(_resolved(entry, budget) for entry in value)
    if type(value) is dict:
        return {key: _resolved(entry, budget) for key, entry in value.items()}
    if isinstance(value, _Array):
        if value.array is None:
            raise TypeError("an array without numbers")
        return value.array
    if isinstance(value, _Dtype):
        return value.made()
    if isinstance(value, _List):
        return value.data
    if isinstance(value, _Named):
        return _Ignored() if value.value is None else value.value
    return value


def _unpack(content: bytes) -> bytes:
    """Returns the bytes in a file that joblib may have compressed; at most one more than `_MAX_SIZE` of them."""
    if content.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            return stream.read(_MAX_SIZE + 1)
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
            unpacked = bytes(decompressor.decompress(content, _MAX_SIZE + 1))
            if not decompressor.eof and len(unpacked) <= _MAX_SIZE:
                raise EOFError("the file is cut off")
            return unpacked
    return content[: _MAX_SIZE + 1]


def load_scaler(content: bytes, path: FilePath) -> Step:
    """Returns the fitted scaler or pipeline in a file.

    Raises:
        WorkshopError: it is damaged, hostile, or holds something else.
    """
    scaler: Any = None
    try:
        unpacked = _unpack(content)
        if len(unpacked) > _MAX_SIZE:
            raise _RefusedError(f"unpacked it is larger than {_MAX_SIZE // 2**20} MB")
        with warnings.catch_warnings(action="ignore"):  # NumPy warns of the numbers in a corrupt scaler
            scaler = _Unpickler(io.BytesIO(unpacked), len(unpacked), _Budget()).load()
            if isinstance(scaler, Step):
                _check(scaler)
                return scaler
    except _RefusedError as error:
        raise WorkshopError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises anything
        if isinstance(scaler, Step) and not _is_fitted(scaler):
            raise WorkshopError(
                f"{path} is a {type(scaler).__name__} that is not fitted: fit it on the training data before it is "
                f"saved, or train it again"
            ) from error
        raise WorkshopError(
            f"{path} is damaged, or not a fitted scaler ({type(error).__name__}): train it again"
        ) from error
    kind = {"_Array": "array", "ndarray": "array"}.get(type(scaler).__name__, type(scaler).__name__.lstrip("_"))
    raise WorkshopError(
        f"{path} is no scaler, it holds one {kind}: save the fitted scaler itself, joblib.dump(scaler, FILE), or train "
        f"it again"
    )


def _check(scaler: Step) -> None:
    """Checks that the numbers of a scaler fit together: an error shows here, not when a program predicts."""
    import numpy as np

    name = type(scaler).__name__
    if name in _ALONE:
        raise _RefusedError(f"it is a {name} alone, no scaler of numbers: {_ALONE[name]}")
    for step in column_steps.list_steps(scaler, _MAX_STEPS):
        if "n_features_in_" in vars(step):
            step.n_features_in_ = operator.index(step.n_features_in_)
    columns = scaler.n_features_in_
    if not 1 <= columns <= MAX_COLUMNS:
        raise TypeError(f"it has {columns} columns")
    known = scaler.columns()
    if len(known) != columns or len(scaler.names) not in (0, columns):
        raise TypeError(f"it does not describe {columns} columns")
    row = [column.values[0] if column.values else 0.0 for column in known]
    cells = np.array([row], object if any(column.values for column in known) else np.float64)
    made = np.asarray(scaler.transform(cells), np.float64)
    if made.ndim != 2 or len(made) != 1 or not 1 <= made.shape[1] <= MAX_COLUMNS:
        raise TypeError(f"it makes {made.shape}")
    scaler.n_features_out_ = made.shape[1]


def _is_fitted(scaler: Step) -> bool:
    """Returns whether a scaler has attributes of those that fitting makes, whose names end in a low line."""
    try:
        steps = column_steps.list_steps(scaler, _MAX_STEPS)
    except Exception as error:  # a damaged pickle raises anything
        return not isinstance(error, AttributeError)
    return any(name.endswith("_") for step in steps for name in vars(step))
