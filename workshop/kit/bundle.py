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
import math
import os
import platform
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop import __version__
from workshop.kit import files, safety
from workshop.kit.card import FORMAT, inputs_in, path_of, printable, read_card, without_defaults
from workshop.kit.card import Input as Input  # lessons say bundle.Input
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.model import KerasModel, Model, as_model

if TYPE_CHECKING:
    import numpy as np

_NEW = ".new"


@dataclass
class Bundle:
    """A loaded model.

    Attributes:
        path: the `.h5`.
        model: the model, as the engine loaded it.
        scaler: the scikit-learn scaler of its inputs, or None.
        card: what the card says; empty for a bare `.h5`, which is then unverified.
        inputs: the card's inputs.
    """

    path: Path
    model: Model
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
        return self.model.input_shape

    @property
    def outputs(self) -> int:
        """How many numbers the model answers for one sample."""
        return self.model.output_shape[-1]

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
                columns += [[printable(str(row[i]).strip()) == value for row in rows] for value in one.values]
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
            # A sequence of steps has a scaler of what one step is: it is scaled step by step.
            is_sequence = len(self.input_shape) == 2
            scaled = self.scaler.transform(np.reshape(X, (-1, self.input_shape[-1])) if is_sequence else X)
        batch = np.asarray(scaled, np.float32).reshape(-1, *self.input_shape)
        return self.model.predict(batch)


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
        model: of any engine.
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
    model = as_model(model)
    contents = {path_of(folder, name, "model"): model.to_h5()}
    if scaler is not None:
        contents[path_of(folder, name, "scaler")] = _scaler_bytes(scaler)
    card = {
        "format": FORMAT,
        "lesson": lesson,
        "data": data,
        "seed": seed,
        "engine": model.engine,
        "inputs": [without_defaults(one) for one in inputs],
        "output": output,
        "output_unit": output_unit,
        "classes": list(classes),
        "threshold": threshold,
        "metrics": {key: float(value) for key, value in metrics.items()},
        "versions": {"workshop": __version__, "python": platform.python_version()} | _versions(model.engine),
        "sha256": {
            role: hashlib.sha256(contents[path_of(folder, name, role)]).hexdigest()
            for role in ("model", "scaler")
            if path_of(folder, name, role) in contents
        },
    }
    card_path = path_of(folder, name, "card")
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
                    path_of(folder, name, "scaler").unlink(missing_ok=True)
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
        if path_of(folder, name, "model").exists() or path_of(folder, name, "card").exists():
            return path_of(folder, name, "model")
    raise WorkshopError(f"no model {name}.h5 in {folders[0].resolve()} nor among the shipped ones: train it first")


def read_keras(content: bytes, path: Path) -> Model:
    """Returns the model in a `.h5` as Keras loads it.

    A file of Keras 2.3 or older, which Keras 3 no longer understands, is put into Keras 3's words first.

    Raises:
        WorkshopError: Keras cannot load it.
    """
    try:
        return KerasModel(_load_with_keras(content))
    except WorkshopError as error:
        raise WorkshopError(f"{path} {error}") from error
    except Exception as error:  # Keras and h5py raise whatever the configuration leads them to
        from workshop.kit import h5

        with contextlib.suppress(Exception):
            return KerasModel(_load_with_keras(h5.to_bytes(h5.from_bytes(content, path))))
        reason = printable(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        raise WorkshopError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason}") from error


def _load_with_keras(content: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Keras has advice for whoever wrote an old file's layers; it is of no use to whoever loads it.
        warnings.simplefilter("ignore")
        copy = Path(folder) / "model.h5"
        copy.write_bytes(content)
        model = keras.models.load_model(copy, compile=False, safe_mode=True)
    if not model.built:
        raise WorkshopError("holds a model that was never used, so it has no weights: train it, then save")
    return model


def load(path: Path, lessons: Sequence[str], read: Callable[[bytes, Path], Model] = read_keras) -> Bundle:
    """Loads a bundle, or a bare `.h5`, without running anything that is in it.

    Args:
        path: the `.h5`.
        lessons: whose models will do.
        read: from the content of the `.h5`, and its path for messages, to the model: the engine that loads it.

    Raises:
        WorkshopError: a file is missing, changed, damaged, hostile, or of another lesson.
    """
    folder, name = path.parent, path.stem
    _check_name(path)
    scaler_path = path_of(folder, name, "scaler")
    scaler_content = None
    # Another program may save just now: the card and the files it describes are read while nobody renames any.
    with _lock(folder):
        if any(_new(path_of(folder, name, role)).exists() for role in ("model", "scaler", "card")):
            # In a folder that cannot be written to, the files are read from where they are.
            with contextlib.suppress(OSError):
                _heal(folder, name)
        card = _card_of(path, lessons)
        digests = card.get("sha256", {})
        content = _read(path, digests.get("model"), card)
        if "scaler" in digests or (not card and scaler_path.exists()):
            scaler_content = _read(scaler_path, digests.get("scaler"), card)
    safety.check_h5(content, path)
    scaler = None if scaler_content is None else safety.load_scaler(scaler_content, scaler_path)
    bundle = Bundle(path, read(content, path), scaler, card, inputs_in(card))
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
    return inputs_in(card)


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
    takes = bundle.input_shape
    if takes and len(takes) == 2:  # a sequence, which is scaled step by step
        takes = takes[1:]
    if takes != (columns,) or (texts and numbers != named):
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
            raise WorkshopError(f"{one.name}: got {printable(cell)}, takes a finite number")
        numbers.append(number)
    return numbers


def _check_name(path: Path) -> None:
    if path.suffix != ".h5":
        raise WorkshopError(f"{path} is not a .h5 file: give the path of a saved model, such as models/mnist_cnn.h5")


def _card_of(path: Path, lessons: Sequence[str]) -> dict[str, Any]:
    card = read_card(path.parent, path.stem)
    if card and card["lesson"] not in lessons:
        raise WorkshopError(
            f"{path} is a model of the lesson {printable(card['lesson'])}; this takes one of {', '.join(lessons)}"
        )
    return card


def _new(path: Path) -> Path:
    return path.with_name(path.name + _NEW)


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
    _new(path_of(folder, name, "card")).unlink(missing_ok=True)
    try:
        digests = read_card(folder, name).get("sha256", {})
    except WorkshopError:
        return  # a card that cannot be read here, or is of a newer release, may well match them: loading says so
    for role in ("model", "scaler"):
        path = path_of(folder, name, role)
        if not _new(path).exists():
            continue
        if hashlib.sha256(_new(path).read_bytes()).hexdigest() == digests.get(role):
            _new(path).replace(path)
        else:
            _new(path).unlink()


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
            f"delete {path_of(path.parent, path.stem.removesuffix('-scaler'), 'card').name} to use it unverified"
        )
    part = " of its bundle" if card else ""
    raise WorkshopError(f"{path}{part} is not there: copy all files of the model, or train it again")


def _versions(engine: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in (*{"keras": ("keras", "tensorflow"), "torch": ("torch",)}.get(engine, ()), "numpy", "scikit-learn"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _scaler_bytes(scaler: Any) -> bytes:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(scaler, buffer)
    # joblib.load() opens it by its content. No time stamp: the same scaler gives the same file.
    return gzip.compress(buffer.getvalue(), mtime=0)
