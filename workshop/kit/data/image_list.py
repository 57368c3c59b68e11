"""A CSV that lists images: the part of the data that each belongs to, its path, the number of its class.

    type,path,class
    train,photos/IMG_0001.jpg,3
    validation,photos/IMG_0002.jpg,0

As people have it: any order and case of the columns and several names for each, commas, semicolons, tabs or bars, a
byte-order mark, Windows' backslashes, paths that begin at the CSV's folder or at the root, no header line.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workshop.kit import files
from workshop.kit.data.table import decoding, splitting
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

PARTS = ("train", "validation", "test")
COLUMNS = {  # the names that people give to the three columns
    "type": ("type", "split", "set", "part", "subset", "usage", "phase"),
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "picture", "photo", "img", "name"),
    "class": ("class", "label", "target", "category", "class_id", "y"),
}
_PART_OF = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
_ENDINGS = (".csv", ".tsv", ".txt")


class ListedImage(NamedTuple):
    """A row of the list.

    Attributes:
        part: "train", "validation" or "test".
        path: of the file, which need not be there.
        label: the number of the class, from 0.
        line: the number of the row's line in the CSV.
    """

    part: str
    path: Path
    label: int
    line: int


def find(path: FilePath) -> Path:
    """Returns the CSV that a path stands for: itself, or the only one in a folder.

    Raises:
        WorkshopError: there is none, or there are several.
    """
    path = Path(path)
    if not path.exists():
        raise WorkshopError(f"{path} is not there: give the path of a CSV that lists the images, or of its folder")
    if not path.is_dir():
        return path
    try:
        files = sorted(child for child in path.iterdir() if child.suffix.lower() in _ENDINGS and child.is_file())
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
    tables = [child for child in files if child.suffix.lower() != ".txt"] or files
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise WorkshopError(f"{path} has no CSV that lists its images: takes one with the columns type, path, class")
    names = ", ".join(child.name for child in tables[:5])
    raise WorkshopError(f"{path} has several lists ({names}): give the path of one of them")


def read(path: FilePath, classes: int) -> list[ListedImage]:
    """Returns the rows of a list.

    Args:
        path: of the CSV.
        classes: how many there are.

    Raises:
        WorkshopError: it is no such list; the message names the line.
    """
    path = Path(path)
    text, _ = decoding.decode(files.read_bytes(path), path)
    if not text.strip():
        raise WorkshopError(f"{path} is empty: takes rows of type, path and class")
    cells = splitting.split(text, path)
    columns, first = _find_columns(cells.rows, path)
    if len(cells.rows) == first:
        raise WorkshopError(f"{path} lists no image: takes rows of type, path and class below the header")
    folder, images = path.absolute().parent, []
    for line, row in zip(cells.lines[first:], cells.rows[first:], strict=True):
        where = f"{path}, line {line}"
        if len(row) <= max(columns):
            raise WorkshopError(f"{where} has {len(row)} cells, takes a type, a path and a class")
        part, name, label = (row[column] for column in columns)
        images.append(ListedImage(_part(part, where), _path(name, folder, where), _label(label, classes, where), line))
    return images


def first(rows: Sequence[ListedImage], counts: Mapping[str, int]) -> list[ListedImage]:
    """Returns the first rows of each part and class, at most as many as `counts` says of the part."""
    seen: Counter[tuple[str, int]] = Counter()
    kept = []
    for row in rows:
        seen[row.part, row.label] += 1
        kept += [row] if seen[row.part, row.label] <= counts[row.part] else []
    return kept


def sort_out(
    rows: Sequence[ListedImage], digests: Mapping[int, bytes], unusable: Mapping[int, str]
) -> tuple[dict[str, list[int]], list[str]]:
    """Returns for each part the numbers of its usable rows, and a line for each row that is left out.

    An image that was trained on would be no test: of the same pixels in two parts the later part's is left out.

    Args:
        rows: of the list.
        digests: of the pixels of the usable rows, by their numbers.
        unusable: why the others are not.
    """
    kept: dict[str, list[int]] = {part: [] for part in PARTS}
    first_of: dict[bytes, ListedImage] = {}
    left_out = []
    for i in sorted(range(len(rows)), key=lambda i: PARTS.index(rows[i].part)):
        row = rows[i]
        if i in unusable:
            left_out.append(f"line {row.line}: {row.path} {unusable[i]}")
            continue
        same = first_of.setdefault(digests[i], row)
        if same.part != row.part:
            left_out.append(f"line {row.line}: the same image is in {same.part}, line {same.line}")
            continue
        kept[row.part].append(i)
    return kept, left_out


def _find_columns(rows: Sequence[Sequence[str]], path: Path) -> tuple[tuple[int, ...], int]:
    """Returns where type, path and class stand, and the number of the first row that is no header."""
    header = [cell.lower().replace(" ", "_") for cell in rows[0]]
    columns = {
        column: [i for name in names for i, cell in enumerate(header) if cell == name]
        for column, names in COLUMNS.items()
    }
    if all(columns.values()):
        return tuple(places[0] for places in columns.values()), 1
    # Without a header line the columns stand in this order.
    if len(header) == len(COLUMNS) and header[0] in _PART_OF:
        return (0, 1, 2), 0
    missing = ", ".join(column for column, places in columns.items() if not places)
    got = ", ".join(rows[0][:8])[:100]
    raise WorkshopError(f"{path} has the columns {got}: takes type, path and class (missing: {missing})")


def _part(text: str, where: str) -> str:
    part = _PART_OF.get(text.lower())
    if part is None:
        raise WorkshopError(f"{where}: got the type {text[:40] or '(empty)'}, takes train, validation or test")
    return part


def _label(text: str, classes: int, where: str) -> int:
    try:
        number = float(text)  # a spreadsheet may write 3.0
    except ValueError:
        number = -1.0
    if not (0 <= number < classes and number == int(number)):
        raise WorkshopError(
            f"{where}: got the class {text[:40] or '(empty)'}, takes a whole number from 0 to {classes - 1}"
        )
    return int(number)


def _path(text: str, folder: Path, where: str) -> Path:
    """Returns a file's path; one that differs from a file there in its capitals alone, as Windows allows, is that."""
    if not text:
        raise WorkshopError(f"{where} names no file")
    path = folder / text if (folder / text).exists() else folder / text.replace("\\", "/")
    if not path.exists() and path.parent.is_dir():
        others = [child for child in path.parent.iterdir() if child.name.lower() == path.name.lower()]
        path = others[0] if len(others) == 1 else path
    return path


def write(path: FilePath, X: Mapping[str, np.ndarray], y: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
    """Writes images as JPEG files beside a CSV that lists them, in a folder for each part of the data.

    Args:
        path: of the CSV.
        X, y: by the part of the data: uint8 (n, height, width, 3), RGB, and the classes (n,).
        names: of the classes, for those of the files.

    Raises:
        WorkshopError: a file cannot be written.
    """
    from PIL import Image

    path = Path(path)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for part, images in X.items():
        for i, (image, label) in enumerate(zip(images, y[part].tolist(), strict=True)):
            name, content = f"{part}/{names[label]}-{i:03d}.jpg", io.BytesIO()
            Image.fromarray(image).save(content, "JPEG", quality=92)
            files.write_atomically(path.parent / name, content.getvalue())
            writer.writerow([part, name, label])
    files.write_atomically(path, table.getvalue().encode())
