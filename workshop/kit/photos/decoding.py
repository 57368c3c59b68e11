"""Images of any format decoded in parallel into rows of one size, in memory or on the disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from workshop.kit import lazy
from workshop.kit.errors import WorkshopError
from workshop.kit.photos import image_file
from workshop.kit.photos.archives import Source

if TYPE_CHECKING:
    import PIL.Image

THREADS = min(8, os.cpu_count() or 1)


class Rows:
    """The storage of decoded images: an array or, where they are too large together, an unnamed temporary file.

    The file is mapped at the end, so that the memory of the process does not grow with it. At the end of the `with`
    block it is closed, and exists as long as an array is mapped from it.
    """

    def __init__(self, count: int, size: int, in_memory: int) -> None:
        """Allocates `count` images; up to `in_memory` bytes they are an array."""
        self.size = size
        self._shape = (size, size, 3)
        self._bytes = size * size * 3
        self._array: np.ndarray | None = None
        self._file: IO[bytes] | None = None
        if count * self._bytes <= in_memory:
            self._array = np.empty((count, *self._shape), np.uint8)
            return
        with disk_may_be_full():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - the system removes it with its last user

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # the disk was full, which is reported
                self._file.close()

    def put(self, i: int, row: np.ndarray) -> None:
        """Stores image number `i`, uint8 (size, size, 3)."""
        if self._array is not None:
            self._array[i] = row
            return
        assert self._file is not None
        with disk_may_be_full():
            self._file.seek(i * self._bytes)
            self._file.write(row.data)

    def _get(self, i: int) -> np.ndarray:
        if self._array is not None:
            return self._array[i]
        assert self._file is not None
        self._file.seek(i * self._bytes)
        return np.frombuffer(self._file.read(self._bytes), np.uint8).reshape(self._shape)

    def arrays(self, *parts: Sequence[int]) -> list[np.ndarray]:
        """Returns an array for each part: its rows, which move up into the gaps of the unused ones."""
        for new, old in enumerate(old for part in parts for old in part):
            if new != old:
                self.put(new, self._get(old))
        arrays, start = [], 0
        for part in parts:
            shape = (len(part), *self._shape)
            if self._array is not None:
                arrays.append(self._array[start : start + len(part)])
            else:
                assert self._file is not None
                with disk_may_be_full():
                    self._file.flush()
                # Copy on write: changes of the array do not reach the file.
                arrays.append(np.memmap(self._file, np.uint8, "c", start * self._bytes, shape))
            start += len(part)
        return arrays


@contextmanager
def disk_may_be_full() -> Iterator[None]:
    """Turns an error of the disk under the temporary folder into one line."""
    try:
        yield
    except OSError as error:
        raise WorkshopError(
            f"the images cannot be written to the temporary folder {tempfile.gettempdir()} "
            f"({error.strerror or error}): free some space, or set the environment variable TMPDIR to another folder"
        ) from error


def decode_all(source: Source, names: Sequence[str], rows: Rows) -> tuple[dict[int, bytes], dict[int, str]]:
    """Decodes files into `rows`, in the order of their names.

    Returns:
        By index, digests of the pixels of the usable files; and the reasons why the others are unusable, each the end
        of a sentence that begins with the name.
    """
    from tqdm import tqdm

    digests: dict[int, bytes] = {}
    unusable: dict[int, str] = {}
    waiting: deque[tuple[int, Future[Any]]] = deque()

    def finish() -> None:
        i, future = waiting.popleft()
        try:
            row = future.result()
        except Exception as error:  # the decoders raise whatever the damaged bytes lead them to
            unusable[i] = image_file.why_unusable(error)
        else:
            rows.put(i, row)
            digests[i] = hashlib.blake2b(row.data, digest_size=16).digest()
        bar.update()

    # The TIFF library writes to the screen by itself, and Pillow warns of strange EXIF.
    with (
        lazy.held_back_stderr(),
        warnings.catch_warnings(action="ignore"),
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(
            total=len(names),
            unit=" photographs",
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
            delay=1,
            leave=False,
            dynamic_ncols=True,
        ) as bar,
    ):
        for i in sorted(range(len(names)), key=lambda i: source.offset(names[i])):
            try:
                content = source.read(names[i])
            except Exception as error:  # so do the readers of archives
                unusable[i] = image_file.why_unusable(error)
                bar.update()
                continue
            waiting.append((i, pool.submit(decode, content, rows.size)))
            # Only as much is read ahead as keeps the threads busy.
            if len(waiting) > 2 * THREADS:
                finish()
        while waiting:
            finish()
    return digests, unusable


def decode(content: bytes, size: int) -> np.ndarray:
    """Returns an image as uint8 (size, size, 3), RGB."""
    from PIL import Image

    if not content:
        raise WorkshopError("is empty")
    image = image_file.open_image(content)
    image.draft(None, (size, size))  # a large JPEG is decoded at a half, a quarter or an eighth
    image = _to_rgb(image_file.upright(image))
    # Pillow's bilinear filter averages all pixels that become one.
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def _to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Returns an image of any mode as RGB, transparent parts on white."""
    from PIL import Image

    if image_file.is_deep(image):
        values = np.rint(image_file.deep_values(image, image.mode) * 255)
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
