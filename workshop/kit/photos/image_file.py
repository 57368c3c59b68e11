"""An image file read safely: its size is checked before it is decoded, and only decoders of common formats are tried.

A file is untrusted. Whatever the decoders raise and print, an unusable one is reported in one line.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import lazy
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath

if TYPE_CHECKING:
    import PIL.Image

_MAX_FILE_SIZE = 100 * 2**20  # bytes
_MAX_PIXELS = 50_000_000  # pixels
_MIN_SIZE = 8  # pixels, as scikit-learn's digits have
_WORKING_SIZE = 1000  # pixels of the longer side: more add nothing to an image of 28 pixels
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "TGA", "PCX", "JPEG2000", "AVIF")


def read_grey(path: FilePath) -> np.ndarray:
    """Reads an image as grey values, float32 (height, width), 0 black to 1 white, at most `_WORKING_SIZE` long."""
    with refusing(path):
        content = read_bytes(path)
    return grey_values(content, path)


@contextlib.contextmanager
def refusing(name: FilePath) -> Iterator[None]:
    """Turns any error of reading and decoding an image file within into one line; `name` is for it.

    Raises:
        WorkshopError: the file is unusable.
    """
    failure = ""
    # Pillow warns of strange EXIF and of much else, and the TIFF library writes to the screen by itself.
    with lazy.held_back_stderr(), warnings.catch_warnings(action="ignore"):
        try:
            yield
        except Exception as error:  # the decoders raise whatever the damaged bytes lead them to
            failure = why_unusable(error)
    if failure:
        raise WorkshopError(f"{name} {failure}")


def grey_values(content: bytes, name: FilePath) -> np.ndarray:
    """Returns the grey values of an image, as `read_grey` does, from the bytes of its file; `name` is for messages."""
    with refusing(name):
        image = open_image(content)
        has_others = image.format != "MPO" and getattr(image, "is_animated", False)  # a phone's MPO is one photograph
        grey = _to_grey(upright(image))
    if has_others:
        print(f"note: {one_line(name)} holds several images, the first is used", file=sys.stderr)
    return grey


def open_image(content: bytes) -> PIL.Image.Image:
    """Opens an untrusted image file by its bytes: its size is known then, its pixels are not decoded yet.

    Raises:
        Exception: any; `why_unusable` turns it into a sentence. Opening and decoding are best done within
            `refusing`.
    """
    from PIL import Image

    Image.init()
    image = Image.open(io.BytesIO(content), formats=[name for name in _FORMATS if name in Image.OPEN])
    if image.width * image.height > _MAX_PIXELS:
        raise Image.DecompressionBombError
    if min(image.size) < _MIN_SIZE:
        raise WorkshopError(f"has {image.width}x{image.height} pixels, takes {_MIN_SIZE}x{_MIN_SIZE} or more")
    return image


def upright(image: PIL.Image.Image) -> PIL.Image.Image:
    """Decodes an opened image, of several the first, and rotates it as its EXIF says."""
    from PIL import ImageOps

    image.seek(0)
    image.load()
    with contextlib.suppress(Exception):  # broken EXIF: the image as it is
        ImageOps.exif_transpose(image, in_place=True)
    return image


def why_unusable(error: Exception) -> str:
    """Returns the reason why an image is unusable, as the end of a sentence that begins with its name."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, WorkshopError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "is not an image that can be read: save it as PNG or JPEG"
    if isinstance(error, Image.DecompressionBombError):  # Pillow's own limit, or ours
        return f"has more than {_MAX_PIXELS // 10**6} million pixels: make it smaller"
    if isinstance(error, MemoryError):
        return "needs more memory than there is: make it smaller"
    return f"is truncated or damaged ({error}): copy it again"


def read_bytes(path: FilePath) -> bytes:
    """Reads an image file.

    Raises:
        WorkshopError: it is no file, too large or not readable; the message is the end of a sentence that begins with
            the file's name.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise WorkshopError("is a folder, takes an image file")
        if path.exists() and not path.is_file():
            raise WorkshopError("is not a regular file, takes an image file")
        check_file_size(path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise WorkshopError("is not there: give the path of an image file") from error
    except (OSError, ValueError) as error:
        raise WorkshopError(f"cannot be read ({error})") from error


def check_file_size(size: int) -> None:
    """Raises WorkshopError, the end of a sentence, when an image file has more bytes than any photo."""
    if size > _MAX_FILE_SIZE:
        raise WorkshopError(f"is larger than {_MAX_FILE_SIZE // 2**20} MB: save the image smaller")


def is_deep(image: PIL.Image.Image) -> bool:
    """Returns whether the grey values of an image have more than 8 bits."""
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def deep_values(image: PIL.Image.Image, mode: str) -> np.ndarray:
    """Returns the grey values of a deep image, which had this mode in its file, from 0 to 1."""
    values = np.nan_to_num(np.asarray(image, np.float32))
    # Sixteen bits, or whatever range a scientific program used.
    ranges = (65535.0,) if mode.startswith("I;16") else (1.0, 255.0, 65535.0, float(values.max()))
    return np.clip(values / next((top for top in ranges if values.max() <= top), ranges[-1]), 0, 1)


def _to_grey(image: PIL.Image.Image) -> np.ndarray:
    from PIL import Image

    size = (_WORKING_SIZE, _WORKING_SIZE)
    if is_deep(image):
        deep = Image.fromarray(np.nan_to_num(np.asarray(image, np.float32)))
        deep.thumbnail(size)
        return deep_values(deep, image.mode)
    if not image.has_transparency_data:
        image = image.convert("L")
        image.thumbnail(size)
        return np.asarray(image, np.float32) / 255
    image = image.convert("RGBA")
    image.thumbnail(size)
    grey = np.asarray(image.convert("RGB").convert("L"), np.float32) / 255
    opacity = np.asarray(image.getchannel("A"), np.float32) / 255
    # Transparent parts become white; if all opaque pixels are light, they were drawn for a dark background.
    opaque = grey[opacity > 0.5]
    background = 0.0 if opaque.size and np.quantile(opaque, 0.02) > 0.5 else 1.0
    return grey * opacity + background * (1 - opacity)
