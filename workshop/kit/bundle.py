"""A saved model: NAME.h5, NAME-scaler.gz where its inputs are scaled, and NAME.json, the card that describes both.

Saving. Three files cannot be renamed at once, so renaming the card is the commit: the new files are written and
flushed beside the old ones with the suffix `.new`, then the card takes its place, then the others. Whoever loads next
and finds a file with the suffix that matches the card finishes the renames, and removes what matches no card. A run
killed at any moment leaves the old bundle or the new one, whole.

Loading. A stranger's file never runs code: digests are compared first, links out of the HDF5 file and layers that
hold Python code are refused before Keras sees the file, and a scaler is unpickled only if all it names is on a short
list. Everything is read once into memory: what was checked is what is used.

Importing this module is quick: console programs read a card before they ask their first question, and NumPy comes
only with the model.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import logging
import math
import os
import pickle
import platform
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop import __version__
from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras

if TYPE_CHECKING:
    import numpy as np

FORMAT = 1  # of the card; a reader refuses a higher one
_NEW = ".new"
_LARGEST_SCALER = 16 * 2**20  # bytes, unpacked; ours have some hundred
_MOST_COLUMNS = 100_000

# All that a scikit-learn scaler saved by joblib names. NumPy and joblib have functions of their own that run code or
# open files, so "any name from these libraries" would not be safe.
_SCALER_CLASSES = {
    "sklearn.preprocessing._data": {"MinMaxScaler", "MaxAbsScaler", "RobustScaler", "StandardScaler"},
    "sklearn.preprocessing.data": {"MinMaxScaler", "MaxAbsScaler", "RobustScaler", "StandardScaler"},
    "joblib.numpy_pickle": {"NumpyArrayWrapper"},
    "numpy": {"ndarray", "dtype", "float32", "float64", "int32", "int64"},
    "numpy.core.multiarray": {"scalar", "_reconstruct"},
    "numpy._core.multiarray": {"scalar", "_reconstruct"},
    "builtins": {"slice"},  # MinMaxScaler's feature range is a tuple; slices come with some releases
}

# Layers that are code, or run another library's saved program.
_CODE_LAYERS = {
    "Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
}  # fmt: skip
# Where Keras keeps what a model is made of. Other parts of it fetch files, or switch the safe mode off.
_KERAS_MODULES = re.compile(
    r"builtins|keras|keras\.(src\.)?(activations|constraints|dtype_policies|initializers|layers|models|ops|quantizers|"
    r"random|regularizers)(\..*)?"
)


@dataclass(frozen=True)
class Input:
    """One input of a model, as the card names it.

    Attributes:
        name: what it is ("area").
        unit: its unit ("m2"), or nothing.
        minimum, maximum: the range of the training data, before scaling.
        values: for a column of texts, the texts, in the order of their one-hot columns.
        shape: for an image, its shape.
    """

    name: str
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 1.0
    values: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """Name and unit, as a figure shows them: "area (m2)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass
class Bundle:
    """A loaded model.

    Attributes:
        path: the `.h5`.
        model: the Keras model.
        scaler: the scikit-learn scaler of its inputs, or None.
        card: what the card says; empty for a bare `.h5`, which is then unverified.
        inputs: the card's inputs.
    """

    path: Path
    model: Any
    scaler: Any
    card: dict[str, Any]
    inputs: list[Input] = field(default_factory=list)

    @property
    def is_verified(self) -> bool:
        """Whether a card vouches for the files."""
        return bool(self.card)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (2,) or (28, 28, 1)."""
        return tuple(self.model.input_shape[1:])

    @property
    def outputs(self) -> int:
        """How many numbers the model answers for one sample."""
        return int(self.model.output_shape[-1])

    def encode(self, rows: Sequence[Sequence[Any]]) -> np.ndarray:
        """Returns the model's inputs (rows, columns) for the cells of a table, in the order of the card's inputs.

        A number is scaled. A text becomes one column for each of the card's `values`, 1 in its own and 0 in the others;
        a text that the card does not name is 0 in all.

        Raises:
            WorkshopError: a row has too many or too few cells, or a cell that is to be a finite number is none.
        """
        import numpy as np

        numbers = np.array([_numbers_of(row, self.inputs) for row in rows], np.float32)
        scaled = iter((numbers if self.scaler is None else self.scaler.transform(numbers)).T)
        columns: list[Any] = []
        for i, one in enumerate(self.inputs):
            if one.values:
                columns += [[_printable(str(row[i]).strip()) == value for row in rows] for value in one.values]
            else:
                columns.append(next(scaled))
        return np.array(columns, np.float32).T

    def predict(self, X: np.ndarray | Sequence[Sequence[Any]]) -> np.ndarray:
        """Returns the model's outputs (samples, outputs) for inputs in their own units, scaling them where needed.

        A table with columns of texts is given as rows of cells: see `encode`.
        """
        import numpy as np

        scaled: Any = X
        if any(one.values for one in self.inputs):
            scaled = self.encode(list(X))
        elif self.scaler is not None:
            scaled = self.scaler.transform(X)
        batch = np.asarray(scaled, np.float32).reshape(-1, *self.input_shape)
        return np.asarray(keras.ops.convert_to_numpy(self.model(batch, training=False)), np.float32)


def name_for(name: str, *, quick: bool = False, standin: bool = False) -> str:
    """Returns the name to save under: less than a real run never replaces a good bundle."""
    return name + "-quick" * quick + "-standin" * standin


def save(
    folder: Path,
    name: str,
    model: Any,
    *,
    lesson: str,
    data: str,
    seed: int,
    inputs: Sequence[Input],
    metrics: Mapping[str, float],
    scaler: Any = None,
    classes: Sequence[str] = (),
    output: str = "",
    output_unit: str = "",
    threshold: float | None = None,
) -> list[Path]:
    """Saves a model so that it is there whole, or not at all.

    Args:
        folder: where; made if it is not there.
        name: of the files, without an ending.
        model: a Keras model.
        lesson: whose model it is; console programs ask for it.
        data: what it was trained and measured on.
        seed: of the run.
        inputs: what it takes, in order.
        metrics: what was measured.
        scaler: the fitted scikit-learn scaler of the inputs, where there is one.
        classes: the names of the classes, in order.
        output, output_unit: what a regression answers ("price", "10,000 pesos").
        threshold: of a two-class model with one output: from here up it is the second class.

    Returns:
        The files written.

    Raises:
        WorkshopError: they cannot be written; the bundle that was there is whole.
    """
    contents = {_path(folder, name, "model"): _h5_bytes(model)}
    if scaler is not None:
        contents[_path(folder, name, "scaler")] = _scaler_bytes(scaler)
    card = {
        "format": FORMAT,
        "lesson": lesson,
        "data": data,
        "seed": seed,
        "engine": "keras",
        "inputs": [_without_defaults(one) for one in inputs],
        "output": output,
        "output_unit": output_unit,
        "classes": list(classes),
        "threshold": threshold,
        "metrics": {key: float(value) for key, value in metrics.items()},
        "versions": {"workshop": __version__, "python": platform.python_version()} | _versions(),
        "sha256": {
            role: hashlib.sha256(contents[_path(folder, name, role)]).hexdigest()
            for role in ("model", "scaler")
            if _path(folder, name, role) in contents
        },
    }
    card_path = _path(folder, name, "card")
    contents[card_path] = (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder):
            _heal(folder, name)  # what a killed run left must not mix with what comes now
            try:
                for path, content in contents.items():
                    files.write_flushed(_new(path), content)
                files.flush_folder(folder)
                for path in [card_path, *(path for path in contents if path != card_path)]:
                    _new(path).replace(path)
                    files.flush_folder(folder)
                if scaler is None:
                    _path(folder, name, "scaler").unlink(missing_ok=True)
            except (WorkshopError, OSError):
                # Before the commit this removes what was written; after it, it tries the other renames once more.
                with contextlib.suppress(OSError):
                    _heal(folder, name)
                raise
    except OSError as error:
        raise WorkshopError(
            f"{folder / name} cannot be saved ({error.strerror or error}): choose another folder; the model that "
            f"loads from there is whole, the one saved before or this one"
        ) from error
    return list(contents)


def find(name: str) -> Path:
    """Returns the `.h5` of a bundle: in the folder `models` where the program is started, else the shipped one.

    Raises:
        WorkshopError: it is in neither.
    """
    folders = [Path("models"), files.shipped("models")]
    for folder in folders:
        if _path(folder, name, "model").exists() or _path(folder, name, "card").exists():
            return _path(folder, name, "model")
    raise WorkshopError(f"no model {name}.h5 in {folders[0].resolve()} nor among the shipped ones: train it first")


def load(path: Path, lessons: Sequence[str]) -> Bundle:
    """Loads a bundle, or a bare `.h5`, without running anything that is in it.

    Args:
        path: the `.h5`.
        lessons: whose models will do.

    Raises:
        WorkshopError: a file is missing, changed, damaged, hostile, or of another lesson.
    """
    folder, name = path.parent, path.stem
    _check_name(path)
    scaler_path = _path(folder, name, "scaler")
    scaler_content = None
    # Another program may save just now: the card and the files it describes are read while nobody renames any.
    with _lock(folder):
        if any(_new(_path(folder, name, role)).exists() for role in ("model", "scaler", "card")):
            # In a folder that cannot be written to, the files are read from where they are.
            with contextlib.suppress(OSError):
                _heal(folder, name)
        card = _card_of(path, lessons)
        digests = card.get("sha256", {})
        content = _read(path, digests.get("model"), card)
        if "scaler" in digests or (not card and scaler_path.exists()):
            scaler_content = _read(scaler_path, digests.get("scaler"), card)
    check_h5(content, path)
    scaler = None if scaler_content is None else _load_scaler(scaler_content, scaler_path)
    bundle = Bundle(path, _load_model(content, path), scaler, card, _inputs(card))
    _check_shapes(bundle)
    return bundle


def inputs_of(path: Path, lessons: Sequence[str]) -> list[Input]:
    """Returns a model's inputs from its card alone, at once; nothing for a bare `.h5`.

    Raises:
        WorkshopError: the model is not there, its card is spoilt, or it is of another lesson.
    """
    _check_name(path)
    card = _card_of(path, lessons)
    if not card and not path.exists():
        raise WorkshopError(f"{path} is not there: give the path of a saved model, or train one")
    return _inputs(card)


def check_h5(content: bytes, path: Path) -> dict[str, Any]:
    """Returns the configuration of the model in a `.h5`, after refusing what could reach outside of the file.

    Refused: external and soft links, data kept in other files, virtual data sets, sizes beyond the file, layers that
    hold Python code (Lambda), layers that are not Keras' own. Neither Keras nor TensorFlow is imported.
    """
    import h5py

    refused = f"{path} is refused: "
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check_group(file, len(content), refused)
            text = file.attrs.get("model_config")
    except WorkshopError:
        raise
    except Exception as error:  # h5py raises whatever the damaged bytes lead it to
        raise WorkshopError(f"{path} is damaged, or not a .h5 file ({error}): copy or train it again") from error
    if text is None:
        raise WorkshopError(f"{refused}it holds weights alone, no model: save it with model.save(), not save_weights()")
    try:
        config = json.loads(text)
        if not isinstance(config, dict):
            raise TypeError("takes a JSON object")
        _check_config(config, refused)
    except (ValueError, TypeError, RecursionError) as error:
        raise WorkshopError(f"{refused}its configuration cannot be read ({type(error).__name__})") from error
    return config


def _check_shapes(bundle: Bundle) -> None:
    """Raises WorkshopError unless the model takes what its scaler and, for a table with texts, its card's inputs give.

    The scaler is of the columns of numbers alone.
    """
    texts = [one for one in bundle.inputs if one.values]
    named = len(bundle.inputs) - len(texts)
    numbers = named if bundle.scaler is None else bundle.scaler.n_features_in_
    columns = numbers + sum(len(one.values) for one in texts)
    if bundle.scaler is None and not texts:
        return  # a bare .h5, or an image's model: nothing to compare it with
    if bundle.input_shape != (columns,) or (texts and numbers != named):
        described = f", its card {len(texts)} of texts and {named} of numbers" * bool(texts)
        raise WorkshopError(
            f"{bundle.path} takes inputs of shape {bundle.input_shape}, its scaler {numbers} columns{described}: "
            f"they are not of one model; train it again"
        )


def _numbers_of(row: Sequence[Any], inputs: Sequence[Input]) -> list[float]:
    """Returns the numbers among the cells of a row."""
    names = ", ".join(one.name for one in inputs)
    if len(row) != len(inputs):
        raise WorkshopError(f"got {len(row)} cells, the model takes {len(inputs)}: {names}")
    numbers = []
    for cell, one in zip(row, inputs, strict=True):
        if one.values:
            continue
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise WorkshopError(f"{one.name}: got {_printable(cell)}, takes a finite number")
        numbers.append(number)
    return numbers


def _check_name(path: Path) -> None:
    if path.suffix != ".h5":
        raise WorkshopError(f"{path} is not a .h5 file: give the path of a saved model, such as models/mnist_cnn.h5")


def _card_of(path: Path, lessons: Sequence[str]) -> dict[str, Any]:
    card = _read_card(path.parent, path.stem)
    if card and card["lesson"] not in lessons:
        raise WorkshopError(
            f"{path} is a model of the lesson {_printable(card['lesson'])}; this takes one of {', '.join(lessons)}"
        )
    return card


def _path(folder: Path, name: str, role: str) -> Path:
    return folder / (name + {"model": ".h5", "scaler": "-scaler.gz", "card": ".json"}[role])


def _new(path: Path) -> Path:
    return path.with_name(path.name + _NEW)


def _printable(text: object) -> str:
    """A stranger's card may hold what would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(text))[:200]


def _without_control_characters(value: Any) -> Any:
    """Makes every text in a card fit to be printed."""
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, list):
        return [_without_control_characters(one) for one in value]
    if isinstance(value, dict):
        return {_printable(key): _without_control_characters(one) for key, one in value.items()}
    return value


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keeps other programs from saving or tidying up in this folder, where the system has such locks."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows; or a folder that is not there, as whoever reads from it will say
        yield
        return
    try:
        with contextlib.suppress(OSError):  # some network folders have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _heal(folder: Path, name: str) -> None:
    """Finishes the renames of a save that was killed after its commit, and removes what one left before it."""
    _new(_path(folder, name, "card")).unlink(missing_ok=True)
    try:
        digests = _read_card(folder, name).get("sha256", {})
    except WorkshopError:
        return  # a card that cannot be read here, or is of a newer release, may well match them: loading says so
    for role in ("model", "scaler"):
        path = _path(folder, name, role)
        if not _new(path).exists():
            continue
        if hashlib.sha256(_new(path).read_bytes()).hexdigest() == digests.get(role):
            _new(path).replace(path)
        else:
            _new(path).unlink()


def _read_card(folder: Path, name: str) -> dict[str, Any]:
    """Returns the card, or nothing where there is none."""
    path = _path(folder, name, "card")
    if not path.exists():
        return {}
    try:
        card = _without_control_characters(json.loads(path.read_bytes()))
        if isinstance(card["format"], int) and card["format"] > FORMAT:
            versions = card.get("versions")
            theirs = versions.get("workshop", "?") if isinstance(versions, dict) else "?"
            raise WorkshopError(
                f"{path} was written by workshop {theirs} (card format {card['format']}; this is workshop "
                f"{__version__}, format {FORMAT}): install the newer workshop"
            )
        known = card["format"] == FORMAT and isinstance(card["lesson"], str) and "model" in card["sha256"]
        known = known and all(isinstance(digest, str) for digest in card["sha256"].values())
        known = known and isinstance(card.get("threshold"), float | int | None)
        known = known and isinstance(card.get("metrics", {}), dict) and isinstance(card.get("classes", []), list)
        known = known and all(isinstance(name, str) for name in card.get("classes", []))
        known = known and all(isinstance(card.get(key, ""), str) for key in ("data", "output", "output_unit"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = False
    if not known:
        raise WorkshopError(
            f"{path} is not a card of this package: train the model again, or delete the card to use the .h5 unverified"
        )
    return dict(card)


def _inputs(card: dict[str, Any]) -> list[Input]:
    unknown = "the card describes its inputs in a way unknown here: train the model again"
    try:
        described: list[dict[str, Any]] = [
            {key: tuple(value) if isinstance(value, list) else value for key, value in one.items()}
            for one in card.get("inputs", [])
        ]
        inputs = [Input(**one) for one in described]
        # What is asked for and printed must be a text, and a range one that a number can lie in.
        is_known = all(
            one.name == _printable(one.name)
            and one.unit == _printable(one.unit)
            and all(value == _printable(value) for value in one.values)
            and math.isfinite(one.minimum)
            and math.isfinite(one.maximum)
            and one.minimum <= one.maximum
            for one in inputs
        )
    except (TypeError, AttributeError, OverflowError) as error:
        raise WorkshopError(unknown) from error
    if not is_known:
        raise WorkshopError(unknown)
    return inputs


def _without_defaults(one: Input) -> dict[str, Any]:
    described: dict[str, Any] = {"name": one.name}
    if one.values:
        return described | {"values": list(one.values)}
    if one.unit:
        described["unit"] = one.unit
    if one.shape:
        described["shape"] = list(one.shape)
    return described | {"minimum": float(one.minimum), "maximum": float(one.maximum)}


def _read(path: Path, digest: str | None, card: dict[str, Any]) -> bytes:
    """Returns the bytes of a file of a bundle, compared with the digest that the card names."""
    for candidate in (path, _new(path)):
        try:
            content = candidate.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
        if digest is None or hashlib.sha256(content).hexdigest() == digest:
            return content
    if path.exists():
        raise WorkshopError(
            f"{path} is not the file that its card describes (SHA-256 differs): copy it again, train it again, or "
            f"delete {_path(path.parent, path.stem.removesuffix('-scaler'), 'card').name} to use it unverified"
        )
    part = " of its bundle" if card else ""
    raise WorkshopError(f"{path}{part} is not there: copy all files of the model, or train it again")


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("keras", "tensorflow", "numpy", "scikit-learn"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _h5_bytes(model: Any) -> bytes:
    """Returns the `.h5` that Keras makes of a model, without the optimizer's state.

    It is made in memory: where the disk is full, the HDF5 library ends the whole program with a crash.
    """
    import h5py

    class InMemory(h5py.File):
        def __str__(self) -> str:  # Keras tells the format by how the name ends
            return "model.h5"

    # Keras warns that .h5 is its older format. It is the one that all three engines and old programs read.
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    content = io.BytesIO()
    try:
        with InMemory(content, "w") as file:
            model.save(file, include_optimizer=False)
    finally:
        logger.setLevel(level)
    return content.getvalue()


def _scaler_bytes(scaler: Any) -> bytes:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(scaler, buffer)
    # joblib.load() opens it by its content. No time stamp: the same scaler gives the same file.
    return gzip.compress(buffer.getvalue(), mtime=0)


def _check_group(group: Any, size: int, refused: str) -> None:
    import h5py

    pending = [group]
    seen = set()
    while pending:
        current = pending.pop()
        for key in current:
            link = current.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise WorkshopError(f"{refused}its entry {_printable(key)} is a link to another place or file")
            entry = current[key]
            address = h5py.h5o.get_info(entry.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(entry, h5py.Group):
                pending.append(entry)
            elif not isinstance(entry, h5py.Dataset):
                raise WorkshopError(f"{refused}its entry {_printable(key)} is not data")
            elif entry.external or entry.is_virtual:
                raise WorkshopError(f"{refused}its data {_printable(key)} is kept in another file")
            elif entry.nbytes > size:
                raise WorkshopError(f"{refused}its data {_printable(key)} claims to be larger than the file")


def _check_config(config: Any, refused: str) -> None:
    pending = [config]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            pending += part.values()
            kind, module = part.get("class_name"), part.get("module")
            if kind in _CODE_LAYERS:
                raise WorkshopError(f"{refused}it holds a {kind} layer, Python code that loading would run")
            if isinstance(part.get("vocabulary"), str):
                raise WorkshopError(f"{refused}a layer of it would read the file {_printable(part['vocabulary'])}")
            if module is not None and not _KERAS_MODULES.fullmatch(str(module)):
                raise WorkshopError(
                    f"{refused}it names {_printable(module)}.{_printable(kind)}, which is no part of a Keras model"
                )
            custom = part.get("registered_name")
            if isinstance(custom, str) and ">" in custom:
                raise WorkshopError(f"{refused}it names {_printable(custom)}, which is not Keras' own")


def _load_model(content: bytes, path: Path) -> Any:
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            # Keras has advice for whoever wrote an old file's layers; it is of no use to whoever loads it.
            warnings.simplefilter("ignore")
            copy = Path(folder) / "model.h5"
            copy.write_bytes(content)
            model = keras.models.load_model(copy, compile=False, safe_mode=True)
        if not model.built:
            raise WorkshopError(f"{path} holds a model that was never used, so it has no weights: train it, then save")
        return model
    except WorkshopError:
        raise
    except Exception as error:  # Keras and h5py raise whatever the configuration leads them to
        reason = _printable(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        raise WorkshopError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason}") from error


def _load_scaler(content: bytes, path: Path) -> Any:
    """Unpickles a scaler in which nothing but the names in `_SCALER_CLASSES` occurs."""
    import numpy as np
    from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

    refused = f"{path} is refused: "

    class Unpickler(NumpyUnpickler):
        dispatch = NumpyUnpickler.dispatch.copy()

        def find_class(self, module: str, name: str) -> Any:
            if name not in _SCALER_CLASSES.get(module, ()):
                raise WorkshopError(
                    f"{refused}it names {_printable(module)}.{_printable(name)}, which is no part of a scaler; "
                    f"nothing of it was run"
                )
            return super().find_class(module, name)

        def load_build(self) -> None:
            # The instance and its state, which may be any two objects that the stream has made so far.
            instance, state = self.stack[-2], self.stack[-1]
            if isinstance(instance, type):
                raise WorkshopError(f"{refused}it would change {_printable(instance.__name__)} itself")
            if isinstance(instance, np.dtype) and not (
                # The state can turn a type of numbers into one of pointers, and hide that: NumPy would follow them.
                instance.kind in "biuf" and state[0] == 3 and state[2:] == (None, None, None, -1, -1, 0)
            ):
                raise WorkshopError(f"{refused}it holds Python objects where a scaler has numbers")
            if isinstance(instance, NumpyArrayWrapper):
                # An array is read from the stream right after this.
                if state["dtype"].kind not in "biuf" or state["subclass"] is not np.ndarray:
                    raise WorkshopError(f"{refused}it holds Python objects where a scaler has numbers")
                if min(state["shape"], default=0) < 0 or (
                    math.prod(state["shape"]) * state["dtype"].itemsize > len(unpacked)
                ):
                    raise WorkshopError(f"{refused}its numbers claim to be larger than the file")
                state["allow_mmap"] = False
            if isinstance(instance, np.ndarray) and state[2].kind not in "biuf":
                raise WorkshopError(f"{refused}it holds Python objects where a scaler has numbers")
            super().load_build()

        dispatch[pickle.BUILD[0]] = load_build

    try:
        with gzip.open(io.BytesIO(content)) if content[:2] == b"\x1f\x8b" else io.BytesIO(content) as stream:
            unpacked = stream.read(_LARGEST_SCALER + 1)
        if len(unpacked) > _LARGEST_SCALER:
            raise WorkshopError(f"{refused}unpacked it is larger than {_LARGEST_SCALER // 2**20} MB")
        with warnings.catch_warnings():
            # scikit-learn warns of a scaler that another release of it saved; these few numbers mean the same in all.
            # NumPy warns of its own old names, and of the numbers of a spoilt one.
            warnings.simplefilter("ignore")
            scaler = Unpickler("", io.BytesIO(unpacked), ensure_native_byte_order=True).load()
            # Its numbers must fit together; what does not shows here, not when a program asks for an answer.
            columns = scaler.n_features_in_
            if not 1 <= columns <= _MOST_COLUMNS or scaler.transform(np.zeros((1, columns))).shape != (1, columns):
                raise TypeError(f"it has {columns} columns")
    except WorkshopError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise WorkshopError(
            f"{path} is damaged, or not a fitted scaler ({type(error).__name__}): train it again"
        ) from error
    return scaler
