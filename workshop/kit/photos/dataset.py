"""Photos by class, from a folder, a .zip or a .tar: decoded once, all of one size, in memory or on the disk.

A set has `train/<class>/*` and `validation/<class>/*`. `archives` opens it, `listing` sorts its files by part and
class, `decoding` decodes them. Unusable files are named and left out. Where there are no photos, drawn cats and dogs
are the stand-in.
"""

import contextlib
import dataclasses
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from workshop.kit.data import shared_folder, synthetic_animals
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.photos import archives, decoding
from workshop.kit.photos import listing as photo_listing

CACHE_IN_MEMORY = 300 * 10**6  # bytes of decoded pixels; more lie in a temporary file
STANDIN = "drawn cats and dogs (stand-in for photographs)"

_NAME = "cats_vs_dogs"  # of the set that is searched for
_DRAWINGS = {"train": 300, "validation": 100}  # of each class
_MAX_LISTED = 5  # photos that were left out, on the screen
_KERAS_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff")  # of flow_from_directory


@dataclass(frozen=True)
class PhotoSet:
    """Photos of two or more classes, split into training and validation data.

    Attributes:
        source: the name of the data for reports, without the place.
        place: the folder where it was found; empty for drawings.
        X_train, X_validation: uint8 (samples, size, size, 3), RGB; in memory, or memory-mapped from a temporary file
            when all of them together are larger than `CACHE_IN_MEMORY`.
        y_train, y_validation: int32 (samples,), the class.
        names_train, names_validation: each file's path inside the set ("train/cats/Abyssinian_12.jpg").
        classes: the names of the class folders, sorted as flow_from_directory sorts them.
        left_out: a line for each unusable file.
        is_standin: whether these are drawings.
        path: the folder or the archive itself, for `as_folder`.
    """

    source: str
    place: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_validation: np.ndarray
    y_validation: np.ndarray
    names_train: list[str]
    names_validation: list[str]
    classes: tuple[str, ...]
    left_out: list[str] = field(default_factory=list)
    is_standin: bool = False
    path: Path | None = None


def load_photos(path: FilePath | None, size: int = 150, limit: int | None = None) -> PhotoSet:
    """Loads photos and resizes them all to squares of one size; the aspect ratio is not kept.

    Args:
        path: a folder, a .zip or a .tar (.tar.gz, .tgz, .tar.xz), or a folder that holds cats_vs_dogs as one of them.
            None: the folder in the environment variable WORKSHOP_DATA is searched for cats_vs_dogs; else drawings are
            made.
        size: the size of the photos in pixels.
        limit: the largest number of photos of each class and part, breeds mixed, for a quick run.

    Raises:
        WorkshopError: it is missing, is no such set, or too few of its files are usable.
    """
    location = _find(None if path is None else Path(path))
    if location is None:
        return _drawn(size, limit)
    with archives.open_source(location) as source:
        listing = photo_listing.list_photos(source, limit)
        _check_counts(location, listing, listing.train, listing.validation, [])
        for remark in listing.remarks:
            print(f"Data      {one_line(remark)}")
        entries = listing.train + listing.validation
        names = [listing.base + entry.name for entry in entries]
        with decoding.Rows(len(entries), size, CACHE_IN_MEMORY) as rows:
            digests, unusable = decoding.decode_all(source, names, rows)
            kept_train, kept_validation, lines = _sort_out(entries, len(listing.train), digests, unusable)
            left_out = [one_line(line) for line in source.left_out + listing.left_out + lines]
            train, validation = [entries[i] for i in kept_train], [entries[i] for i in kept_validation]
            _check_counts(location, listing, train, validation, left_out)
            X_train, X_validation = rows.arrays(kept_train, kept_validation)
    resolved = location.resolve()
    counts = f"{len(train):,} + {len(validation):,} photographs"
    if limit is not None:
        counts += f", at most {limit:,} of each class"
    return PhotoSet(
        source=one_line(f"{resolved.name} ({counts})"),
        place=str(resolved.parent),
        X_train=X_train,
        y_train=_labels(train),
        X_validation=X_validation,
        y_validation=_labels(validation),
        names_train=[entry.name for entry in train],
        names_validation=[entry.name for entry in validation],
        classes=listing.classes,
        left_out=left_out,
        path=resolved,
    )


def _find(path: Path | None) -> Path | None:
    """Returns the folder or archive to load, or None for drawings."""
    if path is not None:
        return archives.find_in(path, _NAME) or path
    folder = shared_folder.shared_folder()
    location = archives.find_in(folder, _NAME) if folder else None
    if folder and location is None:
        print(f"Data      nothing of {_NAME} {shared_folder.searched()}")
    return location


def _sort_out(
    entries: Sequence[photo_listing.Entry], train: int, digests: dict[int, bytes], unusable: dict[int, str]
) -> tuple[list[int], list[int], list[str]]:
    """Returns the indices of the usable training and validation entries, and a line for each other one.

    The first `train` entries are training data. A validation photo with the same pixels as one of them is left out.
    """
    kept: tuple[list[int], list[int]] = ([], [])
    lines = []
    in_training: dict[bytes, str] = {}
    for i, entry in enumerate(entries):
        is_validation = i >= train
        if i in unusable:
            lines.append(f"{entry.name}: {unusable[i]}")
        elif is_validation and digests[i] in in_training:
            lines.append(f"{entry.name}: is also {in_training[digests[i]]}: left out of the validation data")
        else:
            kept[is_validation].append(i)
            if not is_validation:
                in_training.setdefault(digests[i], entry.name)
    return *kept, lines


def _labels(entries: Sequence[photo_listing.Entry]) -> np.ndarray:
    return np.array([entry.label for entry in entries], np.int32)


def _check_counts(
    path: Path,
    listing: photo_listing.Listing,
    train: Sequence[photo_listing.Entry],
    validation: Sequence[photo_listing.Entry],
    left_out: Sequence[str],
) -> None:
    """Raises WorkshopError unless every class has images to train on and to validate with."""
    for part, entries, least in (("training", train, 2), ("validation", validation, 1)):
        counts = np.bincount(_labels(entries), minlength=len(listing.classes)).tolist()
        count = min(counts)
        if count < least:
            name = listing.classes[counts.index(count)]
            example = next((line for line in left_out if f"{name}/" in line), "")
            why = f" (left out: {example})" if example else ""
            raise WorkshopError(
                f"{path}: class {name} has {count} usable {part} {'image' if count == 1 else 'images'}{why}, "
                f"takes {least} or more in each class: {photo_listing.EXPECTED}"
            )


def by_name(photos: PhotoSet) -> PhotoSet:
    """Returns the photos by the beginning of their names: "train/cats/Abyssinian_12.jpg" is an Abyssinian.

    A photo whose name is not of this form is left out, and so is a class that one of the parts has no photo of.

    Raises:
        WorkshopError: fewer than two classes are left.
    """
    pattern = re.compile(r"(?:.*/)?(.+)_\d+\.[^.]+")

    def class_name(name: str) -> str:
        match = pattern.fullmatch(name)
        return match[1] if match else ""

    train, validation = (
        [class_name(name) for name in names] for names in (photos.names_train, photos.names_validation)
    )
    classes = tuple(sorted((set(train) & set(validation)) - {""}))
    if len(classes) < 2:
        names = f"only {one_line(classes[0])}" if classes else "no class"
        raise WorkshopError(
            f"--by-name: got {names} with photos in both parts, takes two or more: Abyssinian_12.jpg, Bengal_7.jpg"
        )
    rows = [i for i, name in enumerate(train) if name in classes]
    validation_rows = [i for i, name in enumerate(validation) if name in classes]
    renamed = dataclasses.replace(
        photos,
        X_train=photos.X_train[rows],
        y_train=np.array([classes.index(train[i]) for i in rows], np.int32),
        names_train=[photos.names_train[i] for i in rows],
        X_validation=photos.X_validation[validation_rows],
        y_validation=np.array([classes.index(validation[i]) for i in validation_rows], np.int32),
        names_validation=[photos.names_validation[i] for i in validation_rows],
        classes=classes,
    )
    counts = zip(classes, np.bincount(renamed.y_train).tolist(), strict=True)
    print(f"By name   {one_line(', '.join(f'{name} ({count})' for name, count in counts))}")
    kept = {*renamed.names_train, *renamed.names_validation}
    left_out = sorted({*photos.names_train, *photos.names_validation} - kept)
    print_left_out([f"{one_line(name)}: its name gives no class that both parts have" for name in left_out])
    return renamed


def print_left_out(lines: Sequence[str]) -> None:
    """Prints which files are left out: the first, and how many more."""
    for line in lines[:_MAX_LISTED]:
        print(f"Left out  {line}")
    if len(lines) > _MAX_LISTED:
        print(f"Left out  {len(lines) - _MAX_LISTED:,} more")


# --- The stand-in -----------------------------------------------------------------------------------------------------


def _drawn(size: int, limit: int | None) -> PhotoSet:
    """Returns drawn cats and dogs."""
    print("Data      no photographs here: drawn cats and dogs instead")
    drawn = []
    for seed, (part, count) in enumerate(_DRAWINGS.items()):
        X, y = synthetic_animals.draw_photos(min(count, limit or count), size, seed)
        drawn.append((X, y, [f"{part}/{synthetic_animals.CLASSES[label]}/{i:04d}.png" for i, label in enumerate(y)]))
    (X_train, y_train, names_train), (X_validation, y_validation, names_validation) = drawn
    return PhotoSet(
        STANDIN,
        "",
        X_train,
        y_train,
        X_validation,
        y_validation,
        names_train,
        names_validation,
        synthetic_animals.CLASSES,
        is_standin=True,
    )


# --- A folder for Keras -----------------------------------------------------------------------------------------------


@contextmanager
def as_folder(photos: PhotoSet | FilePath) -> Iterator[Path]:
    """Yields a folder with `train/<class>/*` and `validation/<class>/*`, for Keras' flow_from_directory.

    It is the given folder itself when Keras finds exactly the usable files there, else a temporary one, which is
    removed at the end: its files have new names, drawings become PNG.

    Raises:
        WorkshopError: as `load_photos` does, or the temporary folder cannot be written.
    """
    if not isinstance(photos, PhotoSet):
        photos = load_photos(photos)
    with contextlib.ExitStack() as stack:
        source, base = None, ""
        if photos.path is not None:
            source = stack.enter_context(archives.open_source(photos.path))
            base = photo_listing.list_photos(source).base
            if photos.path.is_dir() and _keras_sees(photos.path / base, photos):
                yield photos.path / base
                return
        with decoding.disk_may_be_full():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workshop-")))
            _write_folder(photos, source, base, folder)
        yield folder


def _keras_sees(folder: Path, photos: PhotoSet) -> bool:
    """Returns whether flow_from_directory finds exactly the classes and files of a set in a folder."""
    for part, names in (("train", photos.names_train), ("validation", photos.names_validation)):
        if not (folder / part).is_dir():
            return False
        if sorted(path.name for path in (folder / part).iterdir() if path.is_dir()) != list(photos.classes):
            return False
        visible = {
            Path(root, name).relative_to(folder).as_posix()
            for class_name in photos.classes
            for root, _, files in os.walk(folder / part / class_name)
            for name in files
            if name.lower().endswith(_KERAS_ENDINGS)
        }
        if visible != set(names):
            return False
    return True


def _write_folder(photos: PhotoSet, source: archives.Source | None, base: str, folder: Path) -> None:
    """Writes the usable photos of a set as files."""
    from PIL import Image

    classes = [_safe(name) for name in photos.classes]
    if classes != sorted(set(classes)):  # Keras numbers the classes by their names
        classes = [f"{i:03d}_{name}" for i, name in enumerate(classes)]
    parts = (
        ("train", photos.X_train, photos.y_train, photos.names_train),
        ("validation", photos.X_validation, photos.y_validation, photos.names_validation),
    )
    jobs = []
    for part, X, y, names in parts:
        for name in classes:
            (folder / part / name).mkdir(parents=True)
        for i, name in enumerate(names):
            inside = PurePosixPath(name)
            ending = inside.suffix.lower() if inside.suffix.lower() in _KERAS_ENDINGS else ".png"
            # The number keeps the names unique and in order. Keras takes the format from the content.
            target = folder / part / classes[y[i]] / f"{i:06d}_{_safe(inside.stem)}{ending}"
            jobs.append((base + name, target, X, i))
    if source is None:
        for _, target, X, i in jobs:
            Image.fromarray(X[i]).save(target, compress_level=1)
        return
    for name, target, _, _ in sorted(jobs, key=lambda job: source.offset(job[0])):
        target.write_bytes(source.read(name))


def _safe(name: str) -> str:
    """Returns a name that is valid on every system: letters, digits, "_", "-" and inner blanks and points."""
    return re.sub(r"[^\w .-]", "_", name)[:80].strip(" .") or "_"
