"""The files of a set of photos by part and class: training data, validation data, and unused files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.photos.archives import MAX_DEPTH, Source

EXPECTED = "takes train/<class>/*.jpg and validation/<class>/*.jpg of two classes or more"
_VALIDATION = ("validation", "valid", "val", "test")  # the first that exists
_VALIDATION_SHARE = 0.2  # of a set that is not split
_OTHER_ENDINGS = {".txt", ".csv", ".md", ".json", ".xml", ".mat"}


class Entry(NamedTuple):
    """A file of a class: its name inside the set and the number of the class."""

    name: str
    label: int


@dataclass
class Listing:
    """The files of a set, not yet read.

    Attributes:
        base: the folder inside the source where the set begins, "" or with "/" at its end.
        classes: their names, sorted.
        train, validation: sorted by class and name; the names begin below `base`.
        left_out: a line for each file that belongs to no class.
        remarks: a sentence for each interpretation of the folders.
    """

    base: str
    classes: tuple[str, ...]
    train: list[Entry]
    validation: list[Entry]
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def list_photos(source: Source, limit: int | None = None) -> Listing:
    """Returns the files of a set by part and class.

    The set begins at the source itself or below single folders. Where it has no validation part, a fifth of each class
    is held out.

    Args:
        source: the folder or archive.
        limit: the largest number of files of each class and part.

    Raises:
        WorkshopError: there are no images, fewer than two classes, or different classes in the two parts.
    """
    base = ""
    for _ in range(MAX_DEPTH):
        folders, names = source.children(base)
        parts = _parts(folders)
        if parts is not None or len(folders) != 1:
            break
        base += f"{folders[0]}/"
    listing = _list_unsplit(source, base, folders, names) if parts is None else _list_split(source, base, *parts)
    if limit is not None:
        listing.train, listing.validation = _first(listing.train, limit), _first(listing.validation, limit)
    return listing


def _parts(folders: list[str]) -> tuple[str, str] | None:
    """Returns the names of the folders of training and of validation data, whatever their case, or None."""
    named = {name.lower(): name for name in folders}
    validation = next((named[name] for name in _VALIDATION if name in named), None)
    return (named["train"], validation) if "train" in named and validation else None


def _list_split(source: Source, base: str, train: str, validation: str) -> Listing:
    """Lists a set that has a folder for each part."""
    classes, files, left_out = [], [], []
    for part in (train, validation):
        folders, names = source.children(f"{base}{part}/")
        classes.append(folders)
        left_out += [_loose(f"{part}/{name}") for name in names if _may_be_image(name)]
    for i, j in ((0, 1), (1, 0)):
        missing = sorted(set(classes[i]) - set(classes[j]))
        if missing:
            parts = (train, validation)
            raise WorkshopError(
                f"{source.path}: {parts[j]} has no folder {', '.join(missing[:5])}, which {parts[i]} has: "
                f"takes the same classes in both"
            )
    for part in (train, validation):
        class_folders = ((f"{part}/{name}/", label) for label, name in enumerate(classes[0]))
        files.append([Entry(name, label) for folder, label in class_folders for name in _files(source, base, folder)])
    if not files[0] and not files[1]:
        raise WorkshopError(f"{source.path}: has no images in the folders {train} and {validation}: {EXPECTED}")
    if len(classes[0]) < 2:
        raise WorkshopError(f"{source.path}: has one class only, {', '.join(classes[0])}: {EXPECTED}")
    remarks = []
    if validation.lower() != _VALIDATION[0]:
        remarks.append(f"no folder {_VALIDATION[0]}: {validation} is taken for it")
    return Listing(base, tuple(classes[0]), files[0], files[1], left_out, remarks)


def _list_unsplit(source: Source, base: str, folders: list[str], names: list[str]) -> Listing:
    """Lists a set that has only a folder for each class, and splits it."""

    def has_images(folder: str) -> bool:
        return any(map(_may_be_image, source.children(f"{base}{folder}/")[1]))

    classes = [folder for folder in folders if has_images(folder)]
    loose = [name for name in names if _may_be_image(name)]
    if not classes and not loose:
        where = f" in folders of classes (found {', '.join(folders[:5])})" if folders else ""
        raise WorkshopError(f"{source.path}: has no images{where}: {EXPECTED}")
    if len(classes) < 2:
        only = classes[0] if classes else base.rstrip("/")
        content = f"images of one class only, {only}" if only else f"{len(loose)} images in no folder of a class"
        raise WorkshopError(f"{source.path}: has {content}: {EXPECTED}")
    listing = Listing(base, tuple(classes), [], [], [_loose(name) for name in loose])
    for label, name in enumerate(classes):
        files = [Entry(file, label) for file in _files(source, base, f"{name}/")]
        held_out = max(1, round(_VALIDATION_SHARE * len(files)))
        chosen = set(np.random.default_rng((label, len(files))).permutation(len(files))[:held_out].tolist())
        listing.train += [entry for i, entry in enumerate(files) if i not in chosen]
        listing.validation += [entry for i, entry in enumerate(files) if i in chosen]
    share = f"{_VALIDATION_SHARE:.0%}".replace("%", " %")
    listing.remarks.append(f"no folders train and validation: {share} of each class are held out for validation")
    others = [folder for folder in folders if folder not in classes]
    if others:
        listing.remarks.append(f"no images in {', '.join(others[:5])}: skipped")
    return listing


def _files(source: Source, base: str, folder: str) -> Iterator[str]:
    """Yields the names of all files below the folder of a class that may be images, sorted."""
    files, waiting = [], [folder]
    while waiting:
        folder = waiting.pop()
        folders, names = source.children(base + folder, within_class=True)
        files += [folder + name for name in names if _may_be_image(name)]
        waiting += [f"{folder}{name}/" for name in folders]
    yield from sorted(files)


def _first(entries: list[Entry], limit: int) -> list[Entry]:
    """Returns at most `limit` entries of each class: the first of a fixed shuffle, which mixes the breeds."""
    kept: list[Entry] = []
    for label in sorted({entry.label for entry in entries}):
        candidates = [entry for entry in entries if entry.label == label]
        order = np.random.default_rng((label, len(candidates))).permutation(len(candidates))
        kept += [candidates[i] for i in sorted(order[:limit])]
    return kept


def _loose(name: str) -> str:
    return f"{name}: lies in no folder of a class"


def _may_be_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() not in _OTHER_ENDINGS
