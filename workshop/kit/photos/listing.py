"""The files of a set of photos by part and class: training data, validation data, and unused files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from workshop import LESSONS
from workshop.kit.errors import WorkshopError
from workshop.kit.photos.archives import ARCHIVES, MAX_DEPTH, Source

EXPECTED = "takes train/<class>/*.jpg and validation/<class>/*.jpg of two classes or more"
_TRAIN = re.compile(r"(?:seg[-_])?train(?:ing)?(?:[-_ ]?(?:set|data|images|dir))?")
_VALIDATION = re.compile(r"(?:seg[-_])?(validation|valid|val|dev|test)(?:ing)?\d?(?:[-_ ]?(?:set|data|images|dir))?")
_PREFERRED = ("validation", "valid", "val", "dev", "test")  # the first that exists
_UNSPLIT = "no folders train and validation"
_VALIDATION_SHARE = 0.2  # of a set that is not split
_OTHER_ENDING = re.compile(
    r"txt|csv|tsv|md|rst|json|xml|ya?ml|toml|ini|cfg|log|mat|np[yz]|pkl|joblib|h5|hdf5|keras|pth?|onnx|tflite|pb|tfrecord|"
    r"parquet|db|sqlite|pyc?|ipynb|r|m|c|h|cpp|java|js|css|sh|bat|exe|dll|html?|pdf|docx?|xlsx?|pptx?|svg|zip|gz|xz|tar|"
    r"tgz|rar|7z|part|lnk|url|mp[34]|mov|avi|mkv|wav|ogg"
)
# cat.0.jpg, cat_12.jpg, "cat (3).jpg", american_bulldog_7.jpg: a word, then a number.
_NAMED = re.compile(r"([^\W\d_](?:[^/]*?[^\W\d])?)[-_. ]*\(?\d+\)?\.[^.]+")
_NO_CLASS = re.compile(  # words of cameras and programs
    r"ima?ge?s?|pic|picture|photo|foto|bild|dscn?|dscf|pxl|mvimg|dji|gopr|frame|file|scan|screenshot|download|unnamed|"
    r"sample|train|test|val|validation|signal|whatsapp|vid|page|slide|figure|fig|plot"
)
_FEW = 2  # images, too few for a class
_NAMED_SHARE = 0.95  # of the images in a folder


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
    base, remarks = "", []
    for _ in range(MAX_DEPTH):
        folders, names = source.children(base)
        plots = [folder for folder in folders if _is_plots(source, f"{base}{folder}/")]
        folders = [folder for folder in folders if folder not in plots]
        parts = _parts(folders)
        with_images = [folder for folder in folders if next(_files(source, base, f"{folder}/"), None)]
        inner = with_images or folders
        if parts is not None or len(inner) != 1:
            break
        base += f"{inner[0]}/"
        remarks += [f"{folder} has the plots of a lesson: skipped" for folder in plots]
    remarks += [f"{folder} has the plots of a lesson: skipped" for folder in plots]
    listing = _list_unsplit(source, base, folders, names) if parts is None else _list_parts(source, base, *parts)
    listing.remarks = remarks + listing.remarks
    if limit is not None:
        listing.train, listing.validation = _first(listing.train, limit), _first(listing.validation, limit)
    return listing


def _parts(folders: list[str]) -> tuple[str, list[str]] | None:
    """Returns the folder of training data, and those that may be of validation data, the best first; or None."""
    train = next((name for name in folders if _TRAIN.fullmatch(name.lower())), None)
    matches = {name: match for name in folders if (match := _VALIDATION.fullmatch(name.lower()))}
    if train is None or not matches:
        return None
    return train, sorted(matches, key=lambda name: (_PREFERRED.index(matches[name][1]), name))


def _is_plots(source: Source, folder: str) -> bool:
    """Returns whether all that lies in a folder are plots that a lesson saved there."""
    folders, names = source.children(folder)
    lessons = tuple(f"{lesson.name}{mark}" for lesson in LESSONS for mark in "-_.")

    def is_plot(name: str) -> bool:
        if name.endswith(("-decided.png", "-seen.png")):  # the programs' own
            return True
        return name.startswith(lessons) and name.endswith((".png", ".gif"))

    images = [name for name in names if _may_be_image(name)]
    return bool(images) and not folders and all(map(is_plot, images))


def _list_parts(source: Source, base: str, train: str, others: list[str]) -> Listing:
    """Lists a set with a folder of training data and others beside it, which may be of validation data.

    The classes are folders or, where there are none, the beginnings of the files' names.
    """
    train, *others = (_unwrapped(source, base, part) for part in (train, *others))
    with_classes = [part for part in others if _class_folders(source, f"{base}{part}/")]
    if with_classes:
        return _list_split(source, base, train, with_classes[0])
    # Images of no class, to send in to a competition.
    unlabelled = [part for part in others if next(_files(source, base, f"{part}/"), None)]
    if _class_folders(source, f"{base}{train}/"):
        folders, names = source.children(f"{base}{train}/")
        listing = _list_unsplit(source, f"{base}{train}/", folders, names, "no validation data")
    elif (named := _by_file_name(_files(source, base, f"{train}/"))) is not None:
        listing = _listed_by_name(base, named, "no validation data")
        labels = {name: label for label, name in enumerate(listing.classes)}
        for part in unlabelled:
            held_out = _by_file_name(_files(source, base, f"{part}/"))
            if held_out is not None and set(held_out) == set(labels):
                listing.train = sorted(listing.train + listing.validation, key=lambda entry: (entry.label, entry.name))
                listing.validation = [Entry(name, labels[key]) for key in sorted(held_out) for name in held_out[key]]
                listing.remarks[-1:] = [f"{part} is the validation data"]
                unlabelled = [other for other in unlabelled if other != part]
                break
    else:
        return _list_split(source, base, train, others[0])
    for part in unlabelled:
        listing.remarks.append(f"{part} has images of no class: skipped")
    return listing


def _unwrapped(source: Source, base: str, part: str) -> str:
    """Returns a part, or the one folder in it that has the classes: some archives wrap each part once more."""
    folders, _ = source.children(f"{base}{part}/")
    if len(folders) == 1 and len(_class_folders(source, f"{base}{part}/{folders[0]}/")) > 1:
        return f"{part}/{folders[0]}"
    return part


def _class_folders(source: Source, part: str) -> list[str]:
    """Returns the folders of a part that have images or nothing at all; others belong to no class."""
    folders, _ = source.children(part)
    return [
        name
        for name in folders
        if next(_files(source, part, f"{name}/"), None) or source.children(f"{part}{name}/") == ([], [])
    ]


def _by_file_name(names: Iterator[str]) -> dict[str, list[str]] | None:
    """Returns the files by the beginnings of their names, "cat" of "cat.0.jpg", or None where these are no classes."""
    named, count = dict[str, list[str]](), 0
    for name in names:
        count += 1
        match = _NAMED.fullmatch(PurePosixPath(name).name)
        if match:
            named.setdefault(match[1].lower(), []).append(name)
    words = {word for key in named for word in re.split(r"[\W_]+", key)}
    classes = {key: files for key, files in named.items() if len(files) > 1}
    if (
        len(classes) < 2
        or any(map(_NO_CLASS.fullmatch, words))
        or sum(map(len, classes.values())) < _NAMED_SHARE * count
    ):
        return None
    return classes if 4 * len(classes) <= count else None


def _listed_by_name(base: str, named: dict[str, list[str]], why: str = _UNSPLIT) -> Listing:
    """Returns the listing of a set whose classes are the beginnings of the files' names."""
    classes = sorted(named)
    listing = Listing(base, tuple(classes), [], [])
    example = named[classes[0]][0]
    listing.remarks.append(
        f"no folders of classes: a file's name says its class, {PurePosixPath(example).name} is of {classes[0]}"
    )
    _hold_out(listing, [named[name] for name in classes], why)
    return listing


def _list_split(source: Source, base: str, train: str, validation: str) -> Listing:
    """Lists a set that has a folder for each part."""
    classes, files, left_out = [], [], []
    for part in (train, validation):
        classes.append(_class_folders(source, f"{base}{part}/"))
        _, names = source.children(f"{base}{part}/")
        left_out += [_loose(f"{part}/{name}") for name in names if _may_be_image(name)]
    remarks = []
    for i, part in enumerate((train, validation)):
        for name in [name for name in classes[i] if name.lower() not in {other.lower() for other in classes[1 - i]}]:
            count = len(list(_files(source, base, f"{part}/{name}/")))
            if 0 < count <= _FEW and len(classes[i]) > 2:
                classes[i].remove(name)
                remarks.append(_too_few(f"{part}/{name}", count))
    # Cats and cats are one class.
    folded = [{name.lower(): name for name in names} for names in classes]
    if folded[0].keys() == folded[1].keys() and len(folded[0]) == len(classes[0]) == len(classes[1]):
        classes[1] = [folded[1][name.lower()] for name in classes[0]]
    for i, j in ((0, 1), (1, 0)):
        missing = sorted({name.lower(): name for name in classes[i] if name.lower() not in folded[j]}.values())
        if missing:
            parts = (train, validation)
            raise WorkshopError(
                f"{source.path}: {parts[j]} has no folder {', '.join(missing[:5])}, which {parts[i]} has: "
                f"takes the same classes in both"
            )
    for part, names in zip((train, validation), classes, strict=True):
        class_folders = ((f"{part}/{name}/", label) for label, name in enumerate(names))
        files.append([Entry(name, label) for folder, label in class_folders for name in _files(source, base, folder)])
    if not files[0] and not files[1]:
        raise WorkshopError(f"{source.path}: has no images in the folders {train} and {validation}: {EXPECTED}")
    if len(classes[0]) < 2:
        raise WorkshopError(f"{source.path}: has one class only, {', '.join(classes[0])}: {EXPECTED}")
    if validation.lower() != _PREFERRED[0]:
        remarks.append(f"no folder {_PREFERRED[0]}: {validation} is taken for it")
    return Listing(base, tuple(classes[0]), files[0], files[1], left_out, remarks)


def _list_unsplit(source: Source, base: str, folders: list[str], names: list[str], why: str = _UNSPLIT) -> Listing:
    """Lists a set that has only a folder for each class, and splits it."""
    classes = [folder for folder in folders if any(map(_may_be_image, source.children(f"{base}{folder}/")[1]))]
    if not classes and not any(
        _TRAIN.fullmatch(name.lower()) or _VALIDATION.fullmatch(name.lower()) for name in folders
    ):
        # cats/persian/*.jpg: the breeds within the classes.
        classes = [folder for folder in folders if next(_files(source, base, f"{folder}/"), None)]
    loose = [name for name in names if _may_be_image(name)]
    if not classes and not loose:
        where = f" in folders of classes (found {', '.join(folders[:5])})" if folders else ""
        packed = [name for name in names if name.lower().endswith(ARCHIVES)]
        advice = f"unpack {packed[0]}, or give it as the data" if packed else EXPECTED
        raise WorkshopError(f"{source.path}: has no images{where}: {advice}")
    if len(classes) < 2:
        named = _by_file_name(iter(loose)) if not classes else None
        if named is not None:
            return _listed_by_name(base, {key: sorted(files) for key, files in named.items()})
        only = classes[0] if classes else base.rstrip("/")
        content = f"images of one class only, {only}" if only else f"{len(loose)} images in no folder of a class"
        raise WorkshopError(f"{source.path}: has {content}: {EXPECTED}")
    by_class = {name: list(_files(source, base, f"{name}/")) for name in classes}
    # A folder of documents with a screenshot in it: too few to train on and to hold out, where others have many.
    few = [name for name, files in by_class.items() if len(files) <= _FEW]
    total = sum(map(len, by_class.values()))
    is_beside = len(classes) - len(few) > 1 and sum(len(by_class[name]) for name in few) < (1 - _NAMED_SHARE) * total
    classes = [name for name in classes if not (is_beside and name in few)]
    listing = Listing(base, tuple(classes), [], [], [_loose(name) for name in loose])
    listing.remarks += [_too_few(name, len(by_class[name])) for name in few if is_beside]
    for name in classes:
        if len(by_class[name]) <= _FEW:
            count = f"{len(by_class[name])} image{'' if len(by_class[name]) == 1 else 's'}"
            raise WorkshopError(
                f"{source.path}: class {name} has {count}, takes {_FEW + 1} or more in each class, to train on and to "
                f"hold out: add images, or move the folder away if it is no class"
            )
    _hold_out(listing, [by_class[name] for name in classes], why)
    others = [folder for folder in folders if folder not in by_class]
    if others:
        listing.remarks.append(f"no images in {', '.join(others[:5])}: skipped")
    return listing


def _hold_out(listing: Listing, by_class: Sequence[Sequence[str]], why: str) -> None:
    """Splits the files of each class into training and validation data, and notes why."""
    for label, files in enumerate(by_class):
        held_out = max(1, round(_VALIDATION_SHARE * len(files)))
        chosen = set(np.random.default_rng((label, len(files))).permutation(len(files))[:held_out].tolist())
        listing.train += [Entry(name, label) for i, name in enumerate(files) if i not in chosen]
        listing.validation += [Entry(name, label) for i, name in enumerate(files) if i in chosen]
    share = f"{_VALIDATION_SHARE:.0%}".replace("%", " %")
    listing.remarks.append(f"{why}: {share} of each class are held out for validation")


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


def _too_few(name: str, count: int) -> str:
    return f"{name} has {count} image{'' if count == 1 else 's'}, too few for a class: skipped"


def _loose(name: str) -> str:
    return f"{name}: lies in no folder of a class"


def _may_be_image(name: str) -> bool:
    return not _OTHER_ENDING.fullmatch(PurePosixPath(name).suffix.lower().removeprefix("."))
