"""Image sets, MNIST and Fashion-MNIST: searched, compared with the published ones and loaded.

`published_images` describes the published sets, `image_files` reads the files, `download` fetches them and
`synthetic_images` makes the stand-in for a set that cannot be had. `tables` loads tables.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit.data import download, image_files, shared_folder, synthetic_images
from workshop.kit.data.published_images import SETS
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.lazy import keras_folder, tensorflow


@dataclass(frozen=True)
class ImageSet:
    """Grey images of ten classes, split into training and test data.

    Attributes:
        name: "mnist" or "fashion_mnist".
        source: the name of the data for reports and the card, without the place.
        place: the folder where it was found.
        X_train, X_test: uint8 (samples, 28, 28, 1), 0 the background, 255 the ink.
        y_train, y_test: int32 (samples,), the class.
        classes: the classes' names.
        is_standin: whether this is a stand-in; its metrics are never reported as the published set's.
    """

    name: str
    source: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    place: str = ""
    is_standin: bool = False

    def first(self, train: int, test: int) -> "ImageSet":
        """Returns the set cut down to its first images, for a quick run."""
        if train >= len(self.X_train) and test >= len(self.X_test):
            return self
        source = f"{self.source}, the first {train:,} and {test:,}"
        return replace(
            self,
            source=source,
            X_train=self.X_train[:train],
            y_train=self.y_train[:train],
            X_test=self.X_test[:test],
            y_test=self.y_test[:test],
        )


def scale_pixels(images: Any) -> Any:
    """Scales bytes 0 to 255 to numbers 0 to 1, float32: NumPy's arrays, or tensors of a `tf.data` pipeline."""
    if isinstance(images, np.ndarray):
        return images.astype(np.float32) / np.float32(255)
    return tensorflow.cast(images, "float32") / 255


def load_image_set(
    name: str, folder: FilePath | None = None, *, quick: bool = False, downloads: bool = True
) -> ImageSet:
    """Loads MNIST or Fashion-MNIST from the first of the places that has it.

    The places: `folder`; the folder in the environment variable WORKSHOP_DATA; Keras' own cache; a download through
    `keras.datasets`, given up after 10 s without a response; the embedded stand-in. A set is the four IDX files,
    compressed (.gz) or not, or one .npz, in the folder or in a folder below it that has the set's name. The images are
    compared with the published ones, byte for byte.

    Args:
        name: "mnist" or "fashion_mnist".
        folder: the folder that the user named; no other place is searched then.
        quick: whether the first 1,000 training and 500 test images are enough.
        downloads: whether a set that is not on this machine is downloaded.

    Raises:
        WorkshopError: the folder has no such set, or a file is truncated or not the published one.
    """
    images = _search(name, folder, downloads)
    return images.first(1000, 500) if quick else images


def _search(name: str, folder: FilePath | None, downloads: bool) -> ImageSet:
    if folder is not None:
        paths = image_files.find(folder, name)
        if paths is None:
            raise WorkshopError(
                f"--data {folder}: has neither {name}.npz nor the four files {image_files.IDX[0]}.gz, ... of "
                f"{SETS[name].title}, there or in a folder {name}"
            )
        return _load_checked(name, paths)
    shared = shared_folder.shared_folder()
    if shared:
        paths = image_files.find(shared, name)
        if paths is not None:
            return _load_checked(name, paths)
        print(f"Data      nothing of {SETS[name].title} {shared_folder.searched()}")
    cached = _load_cached(name)
    if cached is None and downloads and download.download(name):
        cached = _load_cached(name)
    if cached is not None:
        return cached
    X_train, y_train, X_test, y_test, title = synthetic_images.image_set(name)
    missing = "here and none could be downloaded" if downloads else "here"
    print(f"Data      no {SETS[name].title} {missing}: using {title} instead")
    source = f"{title} (stand-in for {name})"
    return ImageSet(name, source, X_train, y_train, X_test, y_test, SETS[name].classes, is_standin=True)


def find_image_set(name: str) -> Path | None:
    """Returns the folder that the set would be loaded from without a download, for `python -m workshop doctor`."""
    for folder in (shared_folder.shared_folder(), _keras_cache()):
        paths = image_files.find(folder, name) if folder else None
        if paths is not None:
            return paths[0].parent
    return None


def _keras_cache() -> Path:
    return keras_folder() / "datasets"


def _load_cached(name: str) -> ImageSet | None:
    paths = image_files.find(_keras_cache(), name)
    try:
        return None if paths is None else _load_checked(name, paths)
    except WorkshopError as error:
        # The user did not name these files: a broken download must not end the run.
        print(f"Data      skipped: {error}")
        return None


def _load_checked(name: str, paths: list[Path]) -> ImageSet:
    published = SETS[name]
    arrays = image_files.read(paths)
    files = paths if len(paths) == 4 else paths * 4
    for array, digest, path in zip(arrays, published.digests, files, strict=True):
        if hashlib.sha256(array.data).hexdigest() != digest:
            raise WorkshopError(
                f"{path} is not the published file of {published.title} (SHA-256 differs): fetch it again"
            )
    X_train, y_train, X_test, y_test = arrays
    return ImageSet(
        name,
        published.title,
        X_train[..., None],
        y_train.astype(np.int32),
        X_test[..., None],
        y_test.astype(np.int32),
        published.classes,
        place=str(paths[0].parent),
    )
