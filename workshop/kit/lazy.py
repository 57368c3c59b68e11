"""Libraries that are imported at their first use, so that `--help` answers at once.

`from workshop.kit.lazy import keras` gives an object that stands for Keras: the library itself is imported when one
of its names is first asked for (`keras.layers`), some seconds on a laptop. TensorFlow writes a page of notices to the
screen while it is imported; a beginner takes them for errors, so they are held back, and shown only if the import
fails.
"""

import gc
import importlib
import importlib.util
import json
import os
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.kit.errors import WorkshopError

_BACKENDS = ("tensorflow", "torch", "jax")

# PyTorch's threads wait for one another by running in circles, for milliseconds. Where another program takes a core, a
# step then lasts ten times as long. A tenth of a millisecond is enough: then they sleep. GNU's OpenMP reads this when
# it is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


class LazyModule(types.ModuleType):
    """Stands for a module until one of its attributes is asked for."""

    def __getattr__(self, name: str) -> Any:
        # Python's own machinery looks for dunder names (__path__, __file__); they must not start the import.
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        return getattr(load(self.__name__), name)


def load(name: str) -> types.ModuleType:
    """Imports the module `name`, without the notices of the libraries below it.

    Raises:
        WorkshopError: the library is not installed, or does not work on this machine.
    """
    if name in sys.modules:
        return sys.modules[name]
    root = name.partition(".")[0]
    if importlib.util.find_spec(root) is None:
        raise not_installed(root)
    if root not in {"keras", "tensorflow"}:
        try:
            with without_collecting():
                return importlib.import_module(name)
        except ModuleNotFoundError as error:  # a module of our own, and what it needs
            raise not_installed(str(error.name)) from error
    backend = os.environ.get("KERAS_BACKEND") or _backend_of_settings()
    if root == "keras" and (backend not in _BACKENDS or importlib.util.find_spec(backend) is None):
        wrong = "is not installed" if backend in _BACKENDS else f"is none of {', '.join(_BACKENDS)}"
        raise WorkshopError(
            f"Keras is to run on {backend} (environment variable KERAS_BACKEND), which {wrong}: "
            f"install it, or set KERAS_BACKEND=tensorflow"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if root == "keras" and not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = backend
    try:
        # TensorFlow imports JAX, where it is installed, for a converter that no lesson uses: half a second.
        with held_back_stderr(), without_collecting(), hidden("jax") if backend != "jax" else nullcontext():
            module = importlib.import_module(name)
    except ImportError as error:
        raise WorkshopError(f"the library {root} is installed, but does not work on this machine ({error})") from error
    except ValueError as error:
        if root != "keras":
            raise
        raise WorkshopError(
            f"Keras refuses its settings in {keras_settings()} ({error}): correct that file, or remove it"
        ) from error
    if root == "keras":
        # Settings that somebody's old Keras may have left: every lesson is written for these two.
        sys.modules["keras"].config.set_image_data_format("channels_last")
        sys.modules["keras"].config.set_floatx("float32")
    return module


def keras_folder() -> Path:
    """Returns the folder of Keras' own files: its settings, the data and the weights that it fetched."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def keras_settings() -> Path:
    """Returns where Keras keeps its settings."""
    return keras_folder() / "keras.json"


def _backend_of_settings() -> str:
    """Returns the backend that Keras' settings name, TensorFlow where they name none that Keras 3 has (Theano)."""
    try:
        backend = json.loads(keras_settings().read_text("utf-8"))["backend"]
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return "tensorflow"
    return backend if backend in _BACKENDS else "tensorflow"


def not_installed(library: str) -> WorkshopError:
    """Returns the error that says how to install a library."""
    # PyTorch from the package index by itself brings gigabytes of libraries for graphics cards.
    checkout = '-c constraints.txt -e ".[torch]" (in the checkout)'
    acting = dict.fromkeys(("gymnasium", "Box2D", "pygame"), '"gymnasium[box2d]"')
    options = {"torch": checkout, **acting}.get(library, library)
    return WorkshopError(f"the library {library} is not installed: python -m pip install {options}")


@contextmanager
def without_collecting() -> Iterator[None]:
    """Keeps Python from looking for garbage among what the block imports: as long as it lasts, and ever after.

    An import makes some hundred thousand objects that stay. To look through them again and again takes a fifth of the
    import's time, and as much of a short training's.
    """
    is_on = gc.isenabled()
    gc.collect()  # what is garbage already would stay, too
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if is_on:
            gc.enable()


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Lets a module that is not imported yet pass for one that is not installed, as long as the block lasts."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system has it: importing this fails
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def held_back_stderr() -> Iterator[None]:
    """Keeps what is written to the process' standard error, C++ included, and shows it only when the block fails."""
    try:
        original = os.dup(2)
    except OSError:  # no standard error at all: nothing to hold back
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            if failed:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))


if TYPE_CHECKING:
    import gymnasium as gymnasium
    import keras as keras
    import tensorflow as tensorflow
    import torch as torch
    from torch import nn as nn
else:
    gymnasium = LazyModule("gymnasium")
    keras = LazyModule("keras")
    tensorflow = LazyModule("tensorflow")
    torch = LazyModule("torch")
    nn = LazyModule("torch.nn")
