"""The files of the published image sets: four IDX files, compressed or not, or one .npz.

No more is read of a file than the set has: a few compressed kilobytes can expand to all of the memory.
"""

import gzip
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workshop.kit.data import published_images
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_NPZ = ("x_train", "y_train", "x_test", "y_test")


def find(folder: FilePath, name: str) -> list[Path] | None:
    """Returns the four IDX files or the one .npz, or None."""
    folder = Path(folder)
    places = [folder / name, folder / name.replace("_", "-"), folder]
    # torchvision's folders: MNIST/raw, FashionMNIST/raw.
    places += [folder / name.title().replace("_", "").replace("Mnist", "MNIST") / "raw", folder / "raw"]
    for place in places:
        if (place / f"{name}.npz").is_file():
            return [place / f"{name}.npz"]
        # Both sets use the same file names: in a folder of another name they are taken for the requested set, and the
        # digest decides.
        if place.name in published_images.SETS and place.name != name:
            continue
        idx = [_find_idx(place, file) for file in IDX]
        if all(idx):
            return [path for path in idx if path]
    return None


def _find_idx(place: Path, name: str) -> Path | None:
    """Returns a file under its published name or another one: train-images.idx3-ubyte, in a folder of its own."""
    dotted = name.replace("-idx", ".idx")
    names = [name, dotted, f"{name}/{name}", f"{dotted}/{dotted}", f"{name}/{dotted}", f"{dotted}/{name}"]
    return next(
        (place / f"{file}{end}" for file in names for end in (".gz", "") if (place / f"{file}{end}").is_file()), None
    )


def read(paths: Sequence[FilePath]) -> list[np.ndarray]:
    """Returns the four arrays in the files that `find` found: bytes, in the shapes of `published_images.SHAPES`.

    Raises:
        WorkshopError: a file is truncated, damaged, or holds arrays of other shapes.
    """
    files = [*map(Path, paths)]
    return _read_npz(files[0]) if files[0].suffix == ".npz" else list(map(_read_idx, files, published_images.SHAPES))


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads one IDX file of bytes: a magic number 0 0 8 n, n sizes as big-endian integers, then the bytes."""
    header = b"\0\0\x08" + bytes([len(shape)]) + np.array(shape, ">u4").tobytes()
    size = len(header) + math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
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
            for key, shape in zip(_NPZ, published_images.SHAPES, strict=True):
                with archive.open(f"{key}.npy") as file:
                    version = np.lib.format.read_magic(file)
                    read_header = {
                        (1, 0): np.lib.format.read_array_header_1_0,
                        (2, 0): np.lib.format.read_array_header_2_0,
                    }[version]
                    stored_shape, by_columns, dtype = read_header(file)
                    # Checked first: a header can announce more than all of the memory.
                    if stored_shape != shape or by_columns or dtype.kind not in "iu":
                        raise ValueError(f"{key} is {dtype} of shape {stored_shape}, not bytes of shape {shape}")
                    content = file.read(math.prod(shape) * dtype.itemsize)
                    arrays.append(np.frombuffer(content, dtype).reshape(shape).astype(np.uint8))
            return arrays
    except Exception as error:  # zipfile and NumPy raise whatever the damaged bytes lead them to
        raise WorkshopError(f"{path} is truncated or damaged ({error}): fetch it again") from error
