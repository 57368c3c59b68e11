"""The published weights of MobileNet, trained on the 1.3 million photographs of ImageNet: found, fetched, checked.

The published file is recognised by its MD5, as public listings give it. It is read by our own reader of HDF5, which
takes nothing but arrays of numbers: an untrusted file runs no code and reaches no other file.

Source: Howard and others (2017), "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications";
the file is Keras'.
"""

import hashlib
import queue
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workshop.kit import files, lazy
from workshop.kit.data import download, shared_folder
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.saving import hdf5
from workshop.kit.saving.hdf5.checked_bytes import OutsideError, UnreadableError
from workshop.kit.saving.hdf5.objects import Group

TITLE = "MobileNet with ImageNet weights"
# Trained on images of 224 x 224 pixels; as it consists of convolutions, it takes images of any size.
NAME = "mobilenet_1_0_224_tf_no_top.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/{NAME}"
MD5 = "725ccbd03d61d7ced5b5c4cd17e7d527"
SIZE = 17_225_924  # bytes

_CHUNK = 2**18  # bytes


class Weights(NamedTuple):
    """The weights of the backbone.

    Attributes:
        arrays: float32, in Keras' order and layout.
        source: the name of the weights for reports, without the place.
        place: the file.
    """

    arrays: list[np.ndarray]
    source: str
    place: Path

    def check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raises WorkshopError unless the arrays have these shapes, in this order."""
        stored = [array.shape for array in self.arrays]
        if stored == list(shapes):
            return
        at = next((i for i, pair in enumerate(zip(stored, shapes, strict=False)) if pair[0] != pair[1]), None)
        detail = f"{len(stored)} arrays, takes {len(shapes)}"
        if at is not None:
            detail = f"array {at + 1} has shape {stored[at]}, takes {tuple(shapes[at])}"
        raise WorkshopError(f"{self.place} holds the weights of another network ({detail}): takes {NAME}")


def find(given: FilePath | None) -> Weights | None:
    """Returns the weights from a given file, or else from the first place that has them.

    The places are the folder in WORKSHOP_DATA, where a packed room has them, Keras' cache, and a download into it.

    Args:
        given: the file that the user named; no other place is searched then.

    Returns:
        The weights; None when none are given and none can be had, which is printed.

    Raises:
        WorkshopError: the given file is not there, damaged, or reaches outside of itself.
    """
    if given is not None:
        given = Path(given)
        content = files.read_bytes(given, "--weights", f"give the path of {NAME}")
        arrays = read(content, given)
        if is_published(content):
            return Weights(arrays, TITLE, given)
        print(f"Weights   {one_line(given)} is not the published file (MD5 differs): it is used unverified")
        return Weights(arrays, "MobileNet with weights of an unverified file", given)
    path = lazy.keras_folder() / "models" / NAME
    for kept in filter(None, (shared_folder.shared_file(NAME), path)):
        try:
            content = kept.read_bytes()
        except OSError:
            continue
        if is_published(content):
            return Weights(read(content, kept), TITLE, kept)
        # The user did not name this file: an interrupted download must not end the run.
        print(f"Weights   skipped: {one_line(kept)} is not the published file (MD5 differs)")
    downloaded = _download(path)
    return None if downloaded is None else Weights(read(downloaded, path), TITLE, path)


def is_published(content: bytes) -> bool:
    """Returns whether these are the bytes of the published file."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == MD5


def read(content: bytes, path: FilePath) -> list[np.ndarray]:
    """Returns the arrays in a file of weights as Keras writes them (`.h5`), layer by layer, float32.

    Args:
        content: the bytes of the file.
        path: the file, for messages.

    Raises:
        WorkshopError: it is damaged, or refers to another file.
    """
    try:
        root = hdf5.read(content)
        # A saved model has the weights in a group of this name, a file of weights at its root.
        group = root if "layer_names" in root.attributes else root.group("model_weights")
        arrays = [
            layer.dataset(name).array().astype(np.float32)
            for layer in map(group.group, _names(group, "layer_names"))
            for name in _names(layer, "weight_names")
        ]
    except OutsideError as error:
        raise WorkshopError(f"{path} is refused: {error}") from error
    except (UnreadableError, KeyError) as error:
        raise WorkshopError(
            f"{path} is damaged, or not a file of weights as Keras writes it ({error}): fetch it again, {URL}"
        ) from error
    if not all(np.isfinite(array).all() for array in arrays):
        raise WorkshopError(f"{path} is damaged (a weight is not a finite number): fetch it again, {URL}")
    return arrays


def _names(group: Group, attribute: str) -> list[str]:
    names = group.attributes.get(attribute, "")
    if names is None:  # of a layer without weights
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UnreadableError(f"its {attribute} are not names")
    return names


def _download(path: Path) -> bytes | None:
    """Fetches the published file into the cache, and prints what it does."""
    print(f"Weights   downloading {TITLE} ({SIZE / 1e6:.1f} MB) ...", flush=True)
    parts: queue.Queue[bytes | Exception] = queue.Queue()

    def fetch() -> None:
        # Looking up a host's name has no time limit of its own, so the download runs in a thread.
        try:
            with urllib.request.urlopen(URL, timeout=download.TIMEOUT) as response:
                while part := response.read(_CHUNK):
                    parts.put(part)
            parts.put(b"")
        except Exception as error:  # of the network, of a proxy's address, of a response that is not HTTP
            parts.put(error)

    threading.Thread(target=fetch, daemon=True).start()
    content = bytearray()
    while len(content) <= SIZE:
        try:
            part = parts.get(timeout=download.TIMEOUT)
        except queue.Empty:
            print(f"Weights   no response within {download.TIMEOUT:g} s: going on without a network")
            return None
        if isinstance(part, Exception):
            reason = one_line(getattr(part, "reason", part))[:120]
            print(f"Weights   the download failed ({reason}): going on without a network")
            return None
        if not part:
            break
        content += part
    if not is_published(bytes(content)):
        print("Weights   what was downloaded is not the published file (MD5 differs): going on without it")
        return None
    try:
        files.write_atomically(path, bytes(content))
    except WorkshopError as error:  # without a cache it is fetched again the next time
        print(f"Weights   not kept: {error}")
    return bytes(content)
