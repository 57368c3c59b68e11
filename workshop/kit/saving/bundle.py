"""A saved model: NAME.h5, NAME-scaler.gz where its inputs are scaled, and NAME.json, the card that describes both.

A model from elsewhere may have no card, and may be a `.keras` or a `.hdf5`; a scaler beside it is used as well, under
the names that people give to one.

Saving. `storage` writes the three so that a run killed at any moment leaves the old bundle or the new one, whole.

Loading. An untrusted file never runs code: digests are compared first, links out of the HDF5 file and layers that
hold Python code are refused before Keras sees the file, and a scaler is unpickled only if all it names is on a short
list. Everything is read once into memory, so the bytes that were checked are the bytes that are used. The result is a
`loaded.Bundle`.

Importing this module is quick: console programs read a card before they ask their first question, and NumPy comes
only with the model.
"""

import contextlib
import gzip
import hashlib
import io
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workshop import __version__
from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import hdf5, keras_archive, safety, storage, unpickling
from workshop.kit.saving.card import FORMAT, file_path, inputs_in, printable, read_card, without_defaults
from workshop.kit.saving.card import Input as Input  # lessons say bundle.Input
from workshop.kit.saving.loaded import Bundle, check_shapes, ends_linearly, scaler_inputs
from workshop.kit.saving.model import Model, as_model
from workshop.kit.saving.scaler import Scaler, Step

KERAS = ".keras"  # the ending of a file in Keras 3's own format
_HDF5 = ".hdf5"  # an ending that people give to a .h5
# The scaler beside a model without a card is NAME-scaler or NAME_scaler with the first of these endings that exists.
SCALER_ENDINGS = (".gz", ".pkl", ".joblib", ".save", ".bin", ".pickle", ".sav")


def name_for(name: str, *, quick: bool = False, standin: bool = False) -> str:
    """Returns the name to save under: a quick run, or one on stand-in data, never replaces a good bundle."""
    if quick:
        name += "-quick"
    return f"{name}-standin" if standin else name


def save(
    folder: FilePath,
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
    """Saves a model whole, or not at all.

    Args:
        folder: the folder to save in; created if missing.
        name: the name of the files, without an ending.
        model: a model of any engine.
        lesson: the lesson that trained it; console programs check it.
        data: the data that it was trained and evaluated on.
        seed: the seed of the run.
        inputs: its inputs, in order.
        metrics: its metrics, by name.
        scaler: the fitted scikit-learn scaler of the inputs, if any.
        classes: the names of the classes, in order.
        output, output_unit: the name and the unit of a regression's output ("price", "10,000 pesos").
        threshold: of a two-class model with one output: from this probability up it is the second class.

    Returns:
        The files written.

    Raises:
        WorkshopError: they cannot be written; the bundle that was there is whole.
    """
    folder, model = Path(folder), as_model(model)
    contents = {file_path(folder, name, "model"): model.to_h5()}
    if scaler is not None:
        contents[file_path(folder, name, "scaler")] = _scaler_bytes(scaler)
    card = {
        "format": FORMAT,
        "lesson": lesson,
        "data": data,
        "seed": seed,
        "engine": model.engine,
        "inputs": [without_defaults(column) for column in inputs],
        "output": output,
        "output_unit": output_unit,
        "classes": list(classes),
        "threshold": threshold,
        "metrics": {key: float(value) for key, value in metrics.items()},
        "versions": {"workshop": __version__, "python": platform.python_version()} | _versions(model.engine),
        "sha256": {
            role: hashlib.sha256(contents[file_path(folder, name, role)]).hexdigest()
            for role in ("model", "scaler")
            if file_path(folder, name, role) in contents
        },
    }
    contents[file_path(folder, name, "card")] = (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode()
    try:
        storage.write(folder, name, contents)
    except OSError as error:
        raise WorkshopError(
            f"{folder / name} cannot be saved ({error.strerror or error}): choose another folder; the model that "
            f"loads from there is whole, the one saved before or this one"
        ) from error
    return list(contents)


def find(name: str, *, has_card: bool = False) -> Path:
    """Returns the path of a saved model: in the current folder, else in `models` there, else among the shipped ones.

    Args:
        name: the name without an ending; in each folder NAME.h5 is taken before NAME.keras, and a SavedModel folder
            NAME, which `load` refuses, last.
        has_card: whether only those with a card count, which lessons save in `models`.

    Raises:
        WorkshopError: no such model is in any of them.
    """
    folders = [Path(), Path("models"), files.shipped("models")]
    for folder in folders:
        h5_path = file_path(folder, name, "model")
        # A bundle that is not whole is named, not skipped; in the current folder a .json may be anything.
        if folder != Path() and file_path(folder, name, "card").exists():
            return h5_path
        for path in (h5_path, folder / f"{name}{_HDF5}", folder / f"{name}{KERAS}"):
            if path.exists() and not has_card:
                return path
        if not has_card and _is_saved_model(folder / name):
            return folder / name  # to be refused with the line that saves it, not skipped
    raise WorkshopError(
        f"no model {name}.h5 or {name}{KERAS} in {Path().resolve()}, its folder models or among the shipped ones: "
        f"train it first"
    )


def load(
    path: FilePath,
    lessons: Sequence[str],
    read: Callable[[bytes, FilePath], Model] | None = None,
    scaler: FilePath | None = None,
) -> Bundle:
    """Loads a bundle, a bare `.h5` or a `.keras`, without running anything that is in it.

    Args:
        path: the `.h5` or the `.keras`.
        lessons: the lessons whose models are accepted.
        read: builds the model from the content of the file and, for messages, its path: the engine that loads it;
            None for Keras.
        scaler: the file of the scaler of a model without a card; None for the one beside it, if any.

    Raises:
        WorkshopError: a file is missing, changed, damaged, hostile, or of another lesson.
    """
    path = Path(path)
    folder, name = path.parent, path.stem
    _check_path(path)
    scaler_content = scaler_path = None
    # Another program may save just now: the card and the files it describes are read while nobody renames any.
    with storage.lock(folder):
        storage.tidy(folder, name)
        card = _checked_card(path, lessons)
        digests = card.get("sha256", {})
        content = storage.read(path, digests.get("model"), card)
        if "scaler" in digests:
            scaler_path = file_path(folder, name, "scaler")
        elif not card:
            scaler_path = find_scaler(path, scaler)
        if scaler is not None and card:
            raise WorkshopError(
                f"--scaler {scaler}: {path} has a card, {file_path(folder, name, 'card').name}, which names its own "
                f"scaler: leave the option out, or delete the card to use the model unverified"
            )
        if scaler_path is not None:
            scaler_content = storage.read(scaler_path, digests.get("scaler"), card)
    # TensorFlow 2.11 and older wrote HDF5 under this ending, too.
    if path.suffix == KERAS and not content.startswith(hdf5.SIGNATURE):
        content, config = keras_archive.checked(content, path)
    else:
        config, _ = safety.check_h5(content, path)
    fitted = None
    if scaler_content is not None and scaler_path is not None:
        fitted = unpickling.load_scaler(scaler_content, scaler_path)
    inputs = inputs_in(card)
    if not inputs and fitted is not None and (fitted.names or not isinstance(fitted, Scaler)):
        inputs = scaler_inputs(fitted)
    if read is None:
        from workshop.kit.saving import keras_h5  # with NumPy, which a program does not need before it asks

        read = keras_h5.from_bytes
    bundle = Bundle(path, read(content, path), fitted, card, inputs, scaler_path, ends_linearly(config))
    check_shapes(bundle)
    return bundle


def read_inputs(path: FilePath, lessons: Sequence[str]) -> list[Input]:
    """Returns a model's inputs from its card alone, without loading the model; an empty list where it has no card.

    Raises:
        WorkshopError: the model is not there, its card is corrupt, or it is of another lesson.
    """
    path = Path(path)
    _check_path(path)
    card = _checked_card(path, lessons)
    if not card and not path.exists():
        raise WorkshopError(f"{path} is not there: give the path of a saved model, or train one")
    return inputs_in(card)


def find_scaler(path: FilePath, given: FilePath | None = None) -> Path | None:
    """Returns the path of the scaler of a model without a card: the one given, else the first beside it; None for none.

    Raises:
        WorkshopError: the file given is not there.
    """
    if given is not None:
        if not Path(given).is_file():
            raise WorkshopError(f"--scaler {given}: no such file, takes the file of a fitted scaler")
        return Path(given)
    path = Path(path)
    names = [f"{path.stem}{sign}scaler{ending}" for sign in "-_" for ending in SCALER_ENDINGS]
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def read_own_scaler(path: FilePath, given: FilePath | None = None) -> Step | None:
    """Returns the scaler of a model without a card, as `find_scaler` finds it; None where there is no scaler.

    Raises:
        WorkshopError: the scaler is damaged or hostile.
    """
    scaler_path = find_scaler(path, given)
    return None if scaler_path is None else unpickling.load_scaler(storage.read(scaler_path, None, {}), scaler_path)


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").exists() or (folder / "saved_model.pbtxt").exists()


def _check_path(path: Path) -> None:
    folder = path.parent if path.name in ("saved_model.pb", "saved_model.pbtxt") else path
    if _is_saved_model(folder):
        name = folder.resolve().name
        raise WorkshopError(
            f"{folder} is refused: a SavedModel folder can hold any operation; where the model was trained, save it by "
            f'model.save("{name}.h5") or model.save("{name}{KERAS}")'
        )
    if path.suffix not in (".h5", _HDF5, KERAS):
        raise WorkshopError(
            f"{path} is not a .h5 file, nor a {KERAS} one: give the path of a saved model, such as models/mnist_cnn.h5"
        )


def _checked_card(path: Path, lessons: Sequence[str]) -> dict[str, Any]:
    if path.suffix in (KERAS, _HDF5):
        return {}  # a card of this name describes the .h5 beside it
    card = read_card(path.parent, path.stem)
    if card and card["lesson"] not in lessons:
        raise WorkshopError(
            f"{path} is a model of the lesson {printable(card['lesson'])}; this takes one of {', '.join(lessons)}"
        )
    return card


def _versions(engine: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in (*{"keras": ("keras", "tensorflow"), "torch": ("torch",)}.get(engine, ()), "numpy", "scikit-learn"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _scaler_bytes(scaler: Any) -> bytes:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(scaler, buffer)
    # joblib.load() opens it by its content. No time stamp: the same scaler gives the same file.
    return gzip.compress(buffer.getvalue(), mtime=0)
