"""Data: tables and image sets, where they are searched, checked and loaded."""

import collections
import csv
import gzip
import hashlib
import io
import math
import os
import socket
import threading
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import files, synthetic
from workshop.kit.card import Input
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras

# --- Tables -----------------------------------------------------------------------------------------------------------

# float32 holds 3e38, but a loss squares what it gets.
_LARGEST = 1e15


@dataclass(frozen=True)
class Table:
    """A CSV file: features first, the target last.

    Attributes:
        path: the file.
        names: the columns' names from the header line, the target's last.
        rows: the cells, stripped, as texts.
        lines: for each row the number of its line in the file, for messages.
        decimal_comma: whether the file is of the kind that spreadsheets write where the comma is the decimal sign.
    """

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    decimal_comma: bool = False

    @property
    def source(self) -> str:
        """What a run says that it used."""
        return f"{self.path.name} ({len(self.rows)} rows)"

    def is_numeric(self, column: int) -> bool:
        """Whether every cell of the column is a number."""
        return all(self._number(row[column]) is not None for row in self.rows)

    def texts(self, column: int) -> np.ndarray:
        """Returns a column as it stands, an array of texts (rows,)."""
        return np.array([row[column] for row in self.rows])

    def numbers(self, columns: Sequence[int] | None = None) -> np.ndarray:
        """Returns columns (all by default) as float32 (rows, columns).

        Raises:
            WorkshopError: a cell is not a finite number of a usable size; the message names the line and the column.
        """
        columns = range(len(self.names)) if columns is None else columns
        values = np.empty((len(self.rows), len(columns)), np.float32)
        for i, (line, row) in enumerate(zip(self.lines, self.rows, strict=True)):
            for j, column in enumerate(columns):
                number = self._number(row[column])
                if number is not None and abs(number) <= _LARGEST:
                    values[i, j] = number
                    continue
                got = f"{self.path}, line {line}, column {_short(self.names[column])}: got {_short(row[column])}"
                if number is None:
                    raise WorkshopError(f"{got}, takes a number")
                if not math.isfinite(number):
                    raise WorkshopError(f"{got}, takes a finite number: mend or leave out the row")
                raise WorkshopError(f"{got}, takes numbers up to {_LARGEST:g}: change the unit")
        return values

    def split_numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X (rows, features) and y (rows,), float32, of a table of numbers."""
        values = self.numbers()
        return values[:, :-1], values[:, -1]

    def split_two_classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns X (rows, features) and y (rows,) of a table of numbers whose target is 0 or 1 and both occur."""
        X, y = self.split_numbers()
        for line, row, value in zip(self.lines, self.rows, y, strict=True):
            if value not in (0, 1):
                where = f"{self.path}, line {line}, column {_short(self.names[-1])}"
                raise WorkshopError(f"{where}: got {_short(row[-1])}, takes 0 or 1")
        self.check_classes(y)
        return X, y

    def check_classes(self, y: np.ndarray, at_least: int = 2) -> None:
        """Raises WorkshopError unless there are two classes, each with `at_least` rows to train and test on."""
        where = f"{self.path}, column {_short(self.names[-1])}"
        classes, counts = np.unique(y, return_counts=True)
        if len(classes) < 2:
            raise WorkshopError(f"{where}: all rows are of one class ({_short(str(classes[0]))}), takes two or more")
        if counts.min() < at_least:
            rarest = _short(str(classes[counts.argmin()]))
            raise WorkshopError(
                f"{where}: class {rarest} has {counts.min()} row, takes {at_least} or more of each class"
            )

    def check_columns(self, count: int, meaning: str) -> None:
        """Raises WorkshopError unless the table has `count` columns."""
        if len(self.names) != count:
            raise WorkshopError(
                f"{self.path}: has {len(self.names)} columns ({_listed(self.names)}), takes {count}: {meaning}"
            )

    def _number(self, text: str) -> float | None:
        if self.decimal_comma and text.count(",") == 1:
            text = text.replace(",", ".")
        # float() also takes "1_000", which no spreadsheet writes.
        if "_" in text:
            return None
        try:
            return float(text)
        except ValueError:
            return None


def _short(text: str) -> str:
    """A cell or a name as a message shows it: a file that is no table has cells of any length."""
    return text if len(text) <= 40 else f"{text[:40]}..."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_short(name) for name in names[:10]) + ", ..." * (len(names) > 10)


def read_table(path: Path, *, at_least: int = 2) -> Table:
    """Reads a CSV file: a header line, then rows with the target in the last column.

    Commas or semicolons part the cells; with semicolons a decimal comma is understood. Blank lines are passed over.

    Args:
        path: the file.
        at_least: how many rows are needed.

    Raises:
        WorkshopError: it is not there or not such a file; the message names the line and, where it can, the column.
    """
    if path.is_dir():
        raise WorkshopError(f"{path} is a folder, takes a CSV file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise WorkshopError(f"{path} is not there: give the path of a CSV file") from error
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise WorkshopError(f"{path} is not UTF-8 text (byte {error.start}): save it as 'CSV UTF-8'") from error
    if "\0" in text:
        raise WorkshopError(f"{path} is not a text file: save the sheet as CSV")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    numbered: list[tuple[int, tuple[str, ...]]] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                numbered.append((reader.line_num, tuple(cell.strip() for cell in row)))
    except csv.Error as error:
        raise WorkshopError(f"{path}, line {reader.line_num}: is not CSV ({error})") from error
    if not numbered:
        raise WorkshopError(f"{path} is empty: takes a header line, then rows with the target in the last column")
    header_line, names = numbered[0]
    table = Table(
        path,
        names,
        tuple(cells for _, cells in numbered[1:]),
        tuple(line for line, _ in numbered[1:]),
        delimiter == ";",
    )
    if any(table._number(name) is not None for name in names):
        raise WorkshopError(f"{path}, line {header_line}: is {_listed(names)}; takes a header line with column names")
    if len(names) < 2:
        raise WorkshopError(
            f"{path}, line {header_line}: has one column ({_short(names[0])}), takes features, then the target"
        )
    if "" in names:
        raise WorkshopError(f"{path}, line {header_line}: column {names.index('') + 1} has no name")
    twice = next((name for name, count in collections.Counter(names).items() if count > 1), None)
    if twice is not None:
        raise WorkshopError(f"{path}, line {header_line}: two columns are named {_short(twice)}: name them apart")
    for line, cells in zip(table.lines, table.rows, strict=True):
        if len(cells) != len(names):
            raise WorkshopError(f"{path}, line {line}: has {len(cells)} cells, the header line has {len(names)}")
        if "" in cells:
            where = f"{path}, line {line}, column {_short(names[cells.index('')])}"
            raise WorkshopError(f"{where}: the cell is empty: fill it or leave out the row")
    if len(table.rows) < at_least:
        raise WorkshopError(f"{path}: has {len(table.rows)} rows below the header, takes {at_least} or more")
    return table


# --- Image sets -------------------------------------------------------------------------------------------------------

DOWNLOAD_TIMEOUT = 10.0  # seconds without an answer

_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_NPZ = ("x_train", "y_train", "x_test", "y_test")
_SHAPES = ((60000, 28, 28), (60000,), (10000, 28, 28), (10000,))


@dataclass(frozen=True)
class _Published:
    """A published image set: SHA-256 of the bytes of its four arrays, whatever file they come in."""

    title: str
    digests: tuple[str, str, str, str]
    classes: tuple[str, ...]
    url: str


_PUBLISHED = {
    "mnist": _Published(
        "MNIST",
        (
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        ),
        tuple("0123456789"),
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    ),
    "fashion_mnist": _Published(
        "Fashion-MNIST",
        (
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        ),
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/train-images-idx3-ubyte.gz",
    ),
}
CLASSES = {name: published.classes for name, published in _PUBLISHED.items()}


@dataclass(frozen=True)
class ImageSet:
    """Grey images of ten classes, parted into training and test data.

    Attributes:
        name: "mnist" or "fashion_mnist".
        source: what a run says that it used, without the place: it goes into the card.
        place: where it was found.
        X_train, X_test: uint8 (samples, 28, 28, 1), 0 the background, 255 the ink.
        y_train, y_test: int32 (samples,), the class.
        classes: the classes' names.
        is_standin: whether this is not the published set; its figures are never reported as that set's.
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
        return ImageSet(
            self.name, source, self.X_train[:train], self.y_train[:train], self.X_test[:test], self.y_test[:test],
            self.classes, self.place, self.is_standin,
        )  # fmt: skip


def scale_pixels(images: Any) -> Any:
    """Scales bytes 0 to 255 to numbers 0 to 1, float32: NumPy's arrays, or tensors of Keras' backend."""
    if isinstance(images, np.ndarray):
        return images.astype(np.float32) / np.float32(255)
    return keras.ops.cast(images, "float32") / 255


def load_image_set(name: str, folder: Path | None = None) -> ImageSet:
    """Loads MNIST or Fashion-MNIST from the first of the places that has it.

    The places: `folder`; the folder in the environment variable WORKSHOP_DATA; Keras' own cache; a download through
    `keras.datasets`, given up after 10 s without an answer; the embedded stand-in. A set is the four IDX files, packed
    (.gz) or not, or one .npz, in the folder or in a folder below it that has the set's name. The images are compared
    with the published ones, byte for byte.

    Args:
        name: "mnist" or "fashion_mnist".
        folder: where the user said it is; then nowhere else is searched.

    Raises:
        WorkshopError: the folder has no such set, or a file is truncated or not the published one.
    """
    if folder is not None:
        found = _find_in(folder, name)
        if found is None:
            raise WorkshopError(
                f"--data {folder}: has neither {name}.npz nor the four files {_IDX[0]}.gz, ... of "
                f"{_PUBLISHED[name].title}, there or in a folder {name}"
            )
        return _load_checked(name, found)
    named = os.environ.get("WORKSHOP_DATA")
    if named:
        found = _find_in(Path(named), name)
        if found is not None:
            return _load_checked(name, found)
        print(f"Data      nothing of {_PUBLISHED[name].title} in WORKSHOP_DATA={named}")
    cached = _load_cached(name)
    if cached is None and _download(name):
        cached = _load_cached(name)
    if cached is not None:
        return cached
    X_train, y_train, X_test, y_test, title = synthetic.image_set(name)
    print(f"Data      no {_PUBLISHED[name].title} here and none could be downloaded: using {title} instead")
    source = f"{title} (stand-in for {name})"
    return ImageSet(name, source, X_train, y_train, X_test, y_test, _PUBLISHED[name].classes, is_standin=True)


def find_image_set(name: str) -> Path | None:
    """Returns where the set would be loaded from without a download, for `python -m workshop doctor`."""
    named = os.environ.get("WORKSHOP_DATA")
    for folder in ([Path(named)] if named else []) + [_keras_cache()]:
        found = _find_in(folder, name)
        if found is not None:
            return found[0].parent
    return None


def _keras_cache() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def _load_cached(name: str) -> ImageSet | None:
    found = _find_in(_keras_cache(), name)
    try:
        return None if found is None else _load_checked(name, found)
    except WorkshopError as error:
        # The user did not name these files: a broken download must not end the room.
        print(f"Data      passed over: {error}")
        return None


def _find_in(folder: Path, name: str) -> list[Path] | None:
    """Returns the four IDX files or the one .npz, or None."""
    for place in (folder / name, folder / name.replace("_", "-"), folder):
        if (place / f"{name}.npz").is_file():
            return [place / f"{name}.npz"]
        # Both sets use the same file names: in a folder of another name they are taken for what was asked, and the
        # digest decides.
        if place.name in _PUBLISHED and place.name != name:
            continue
        idx = [next((p for p in (place / f"{f}.gz", place / f) if p.is_file()), None) for f in _IDX]
        if all(idx):
            return [path for path in idx if path]
    return None


def _load_checked(name: str, paths: list[Path]) -> ImageSet:
    published = _PUBLISHED[name]
    arrays = _read_npz(paths[0]) if paths[0].suffix == ".npz" else list(map(_read_idx, paths, _SHAPES))
    where = paths if len(paths) == 4 else paths * 4
    for array, digest, path in zip(arrays, published.digests, where, strict=True):
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


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads one IDX file of bytes: a magic number 0 0 8 n, n sizes as big-endian integers, then the bytes."""
    header = b"\0\0\x08" + bytes([len(shape)]) + np.array(shape, ">u4").tobytes()
    size = len(header) + math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            # Not a byte more than the set has: a few packed kilobytes can unfold to all of the memory.
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise WorkshopError(f"{path} is truncated or damaged ({error}): fetch it again") from error
    if not content.startswith(header):
        raise WorkshopError(
            f"{path} is not an IDX file of bytes in the shape {' x '.join(map(str, shape))}: fetch it again"
        )
    if len(content) != size:
        held = f"only {len(content):,}" if len(content) < size else "more"
        raise WorkshopError(f"{path} is truncated or damaged (takes {size:,} bytes, holds {held}): fetch it again")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _read_npz(path: Path) -> list[np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = []
            for key, shape in zip(_NPZ, _SHAPES, strict=True):
                with archive.open(f"{key}.npy") as file:
                    version = np.lib.format.read_magic(file)
                    read_header = {
                        (1, 0): np.lib.format.read_array_header_1_0,
                        (2, 0): np.lib.format.read_array_header_2_0,
                    }[version]
                    theirs, by_columns, dtype = read_header(file)
                    # Looked at first: a header can announce more than all of the memory.
                    if theirs != shape or by_columns or dtype.kind not in "iu":
                        raise ValueError(f"{key} is {dtype} of shape {theirs}, not bytes of shape {shape}")
                    content = file.read(math.prod(shape) * dtype.itemsize)
                    arrays.append(np.frombuffer(content, dtype).reshape(shape).astype(np.uint8))
            return arrays
    except Exception as error:  # zipfile and NumPy raise whatever the damaged bytes lead them to
        raise WorkshopError(f"{path} is truncated or damaged ({error}): fetch it again") from error


def _download(name: str) -> bool:
    """Fetches a set into Keras' cache; returns whether that worked. Says what it does, and what it does instead."""
    published = _PUBLISHED[name]
    print(f"Data      downloading {published.title} ...", flush=True)
    failure: list[str] = []
    answered = threading.Event()

    def ask() -> None:
        # Looking up a host's name knows no time limit of its own, so the whole question runs beside us.
        request = urllib.request.Request(published.url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT).close()
        except Exception as error:  # of the network, of a proxy's address, of an answer that is no HTTP
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                return  # no answer
            failure.append(str(reason))
        answered.set()

    threading.Thread(target=ask, daemon=True).start()
    if not answered.wait(DOWNLOAD_TIMEOUT):
        print(f"Data      no answer within {DOWNLOAD_TIMEOUT:g} s: going on without a network")
        return False
    if not failure:
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
        try:
            getattr(keras.datasets, name).load_data()
            return True
        except Exception as error:  # Keras raises a bare Exception for a failed download
            failure.append(str(error))
        finally:
            socket.setdefaulttimeout(before)
    print(f"Data      the download failed ({' '.join(failure[0].split())[:120]}): going on without a network")
    return False


def shipped_table(name: str) -> Path:
    """Returns the path of a table that ships with the package."""
    return files.shipped("datasets") / f"{name}.csv"


# A column named "area_m2" is an area in m2. Longer endings come first.
_UNITS = {"10_m2": "10 m2", "m2": "m2", "years": "years", "1000_pesos": "1,000 pesos", "10000_pesos": "10,000 pesos"}


def describe(table: Table) -> list[Input]:
    """Returns what the columns of a table of numbers are, for a card: name, unit (by the name's end) and range."""
    described = []
    for name, values in zip(table.names, table.numbers().T, strict=True):
        ending = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
        # Single precision holds 37.9 as 37.90000153.
        low, high = (float(f"{end:.6g}") for end in (values.min(), values.max()))
        title = name.removesuffix(f"_{ending}") if ending else name
        described.append(Input(title, _UNITS.get(ending, ""), low, high))
    return described
