"""A picture file made into what the networks for MNIST and Fashion-MNIST know: 28x28 pixels, light on dark.

The ink (or the garment) is what differs from the paper: dark on light or light on dark, as the border against the
middle says. The paper fills the picture; it may be lit unevenly, but the sharp edge of a shadow is taken for ink.

Then the ink goes the way the images of the sets went. A digit: cut out, its longer side made 20 pixels long, laid into
28x28 with its centre of mass in the middle (LeCun, Cortes and Burges, "The MNIST database of handwritten digits"). A
garment: trimmed, its longer side made 28 pixels long, laid into the middle (Xiao, Rasul and Vollgraf 2017,
"Fashion-MNIST", arXiv:1708.07747).

A file may come from anybody. Its size is checked before it is decoded, and only decoders of common formats are tried.
"""

import contextlib
import io
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import lazy
from workshop.kit.errors import WorkshopError, one_line

SIZE = 28  # pixels, of the images of both sets
_LARGEST_FILE = 100 * 2**20  # bytes
_LARGEST_PICTURE = 50_000_000  # pixels
_SMALLEST_SIDE = 8  # pixels, as scikit-learn's digits have
_WORKING_SIZE = 1000  # pixels of the longer side: more show nothing that 28 pixels can hold
_FAINTEST = 0.05  # of the light that the paper gives back: less is no ink
_SMALLEST_PART = 0.02  # of the weight of the largest part: smaller specks are dirt
_EVEN = 0.25  # the share of the border that is of one grey where the paper is lit evenly
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "TGA", "PCX", "JPEG2000", "AVIF")


def read_digit(path: Path) -> np.ndarray:
    """Returns a picture of a digit as MNIST would hold it: float32 (28, 28), 0 the paper, 1 the ink.

    Raises:
        WorkshopError: the file is no picture that can be used, or nothing is drawn on it.
    """
    ink = _find_ink(read_grey(path), path)
    drawn = _drawn(ink, _otsu(ink.strength))
    is_centred = np.abs(_centre(ink.strength) - 14).max() < 1
    if drawn.shape == (SIZE, SIZE) and 18 <= max(_cut(drawn, drawn).shape) <= 20 and is_centred:
        return _stretch(ink.strength)  # as in the set already
    small = _stretch(_resize(_cut_out(ink, drawn, 20), 20))
    return _place(small, np.rint(14 - _centre(small)))


def read_garment(path: Path) -> np.ndarray:
    """Returns a picture of a garment as Fashion-MNIST would hold it: float32 (28, 28), 0 the ground.

    Raises:
        WorkshopError: the file is no picture that can be used, or nothing is on it.
    """
    ink = _find_ink(read_grey(path), path)
    threshold = max(_FAINTEST, 4 * ink.noise)
    everything = ink.strength >= threshold
    if everything.shape == (SIZE, SIZE) and max(_cut(everything, everything).shape) >= 26:
        return _stretch(ink.strength)  # as in the set already
    small = _stretch(_resize(_cut_out(ink, _drawn(ink, threshold), SIZE), SIZE))
    return _place(small, (SIZE - np.array(small.shape)) // 2)


def read_noisy_digit(path: Path) -> np.ndarray:
    """Returns a picture of a digit with its noise, as a noisy image of MNIST: float32 (28, 28), 0 the paper, 1 the ink.

    `read_digit` leaves out what is no stroke. Here the noise stays: only the place, the size and the polarity are put
    right, and they are looked up in a blurred copy, in which the noise has averaged out.

    Raises:
        WorkshopError: the file is no picture that can be used, or nothing is drawn on it.
    """
    from scipy import ndimage

    grey = read_grey(path)
    over = max(grey.shape) / SIZE  # a pixel of the image to come, if the digit fills the picture
    for _ in range(2):
        blurred = ndimage.gaussian_filter(grey, over)
        paper = _paper(blurred)
        difference = blurred - paper
        noise = _spread(difference[_border(grey.shape)])
        is_dark = -difference.min() > difference.max()
        strength = np.clip(-difference if is_dark else difference, 0, None)
        most = float(strength.max())
        if most < max(_FAINTEST, 4 * noise):
            raise WorkshopError(
                f"{path} is blank: nothing on it differs from its border; leave paper around what is drawn"
            )
        drawn = _drawn(_Ink(strength, noise), max(_otsu(strength / most) * most, 2.5 * noise), smallest=0.15)
        length = max(_cut(drawn, drawn).shape)
        over = min(over, length / 20)  # once more, now that it is known how large the digit is
    centre = _centre(np.where(drawn, strength, 0))
    if grey.shape == (SIZE, SIZE) and length >= 14 and np.abs(centre - 14).max() < 4:
        return (1 - grey if is_dark else grey).astype(np.float32)  # as in the set already
    # Of the deepest ink a stroke keeps more than half when it is blurred: the quarter that kept most is taken for ink.
    full = float(np.quantile(np.abs(grey - paper)[drawn], 0.75))
    ink = np.clip((paper - grey if is_dark else grey - paper) / full, 0, 1)
    side = max(1, round(length * SIZE / 20))
    top, left = np.rint(centre - (side - 1) / 2).astype(int) + side
    window = np.pad(ink, side)[top : top + side, left : left + side].astype(np.float32)
    return _resize(window, SIZE).clip(0, 1).astype(np.float32)


class _Ink(NamedTuple):
    """What differs from the paper.

    Attributes:
        strength: float32 (height, width), 0 the paper, 1 as far from it as can be.
        noise: the standard deviation of the paper itself.
    """

    strength: np.ndarray
    noise: float


def read_grey(path: Path) -> np.ndarray:
    """Reads a picture as grey values, float32 (height, width), 0 black to 1 white, at most `_WORKING_SIZE` long."""
    grey, has_others, failure = np.empty(0), False, ""
    # Pillow warns of strange EXIF and of much else, and the TIFF library writes to the screen by itself. What cannot be
    # used is said in one line instead.
    with lazy.held_back_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            grey, has_others = _decode(read_bytes(path))
        except Exception as error:  # the decoders raise whatever the damaged bytes lead them to
            failure = why_unusable(error)
    if failure:
        raise WorkshopError(f"{path} {failure}")
    if has_others:
        print(f"note: {one_line(path)} holds several pictures, the first is used", file=sys.stderr)
    return grey


def _decode(content: bytes) -> tuple[np.ndarray, bool]:
    """Returns the grey values of a picture, and whether the file holds others besides."""
    image = open_picture(content)
    has_others = image.format != "MPO" and getattr(image, "is_animated", False)  # a phone's MPO is one photograph
    return _to_grey(upright(image)), has_others


def open_picture(content: bytes) -> Any:
    """Opens a picture file by its bytes, whoever it is from: its size is known then, its pixels are not decoded yet.

    Raises:
        Exception: any; `why_unusable` makes a sentence of it. Opening and decoding are best done within
            `lazy.held_back_stderr()` and without warnings.
    """
    from PIL import Image

    Image.init()
    image: Any = Image.open(io.BytesIO(content), formats=[one for one in _FORMATS if one in Image.OPEN])
    if image.width * image.height > _LARGEST_PICTURE:
        raise Image.DecompressionBombError
    if min(image.size) < _SMALLEST_SIDE:
        raise WorkshopError(f"has {image.width}x{image.height} pixels, takes {_SMALLEST_SIDE}x{_SMALLEST_SIDE} or more")
    return image


def upright(image: Any) -> Any:
    """Decodes an opened picture, of several the first, and turns it as the camera was held."""
    from PIL import ImageOps

    image.seek(0)
    image.load()
    with contextlib.suppress(Exception):  # a broken note of how the camera was held: the picture as it is
        ImageOps.exif_transpose(image, in_place=True)
    return image


def why_unusable(error: Exception) -> str:
    """Returns why a picture could not be decoded, as the end of a sentence that begins with its name."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, WorkshopError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "is not a picture that can be read: save it as PNG or JPEG"
    if isinstance(error, Image.DecompressionBombError):  # Pillow's own limit, or ours
        return f"has more than {_LARGEST_PICTURE // 10**6} million pixels: make it smaller"
    if isinstance(error, MemoryError):
        return "needs more memory than there is: make it smaller"
    return f"is truncated or damaged ({error}): copy it again"


def read_bytes(path: Path) -> bytes:
    """Reads a picture file.

    Raises:
        WorkshopError: it is no file, too large or not readable; the message is the end of a sentence that begins with
            the file's name.
    """
    try:
        if path.is_dir():
            raise WorkshopError("is a folder, takes a picture file")
        if path.exists() and not path.is_file():
            raise WorkshopError("is not a regular file, takes a picture file")
        check_file_size(path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise WorkshopError("is not there: give the path of a picture file") from error
    except (OSError, ValueError) as error:
        raise WorkshopError(f"cannot be read ({error})") from error


def check_file_size(size: int) -> None:
    """Raises WorkshopError, the end of a sentence, when a picture file has more bytes than any photograph."""
    if size > _LARGEST_FILE:
        raise WorkshopError(f"is larger than {_LARGEST_FILE // 2**20} MB: save the picture smaller")


def is_deep(image: Any) -> bool:
    """Whether the grey values of a picture are more than bytes."""
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def deep_values(image: Any, mode: str) -> np.ndarray:
    """Returns the grey values of a deep picture, which had this mode in its file, from 0 to 1."""
    values = np.nan_to_num(np.asarray(image, np.float32))
    # Sixteen bits, or whatever range a scientific program used.
    ranges = (65535.0,) if mode.startswith("I;16") else (1.0, 255.0, 65535.0, float(values.max()))
    return np.clip(values / next((top for top in ranges if values.max() <= top), ranges[-1]), 0, 1)


def _to_grey(image: Any) -> np.ndarray:
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
    # Ink on nothing is laid on white; if all that is opaque is light, it was drawn for a dark ground.
    opaque = grey[opacity > 0.5]
    ground = 0.0 if opaque.size and np.quantile(opaque, 0.02) > 0.5 else 1.0
    return grey * opacity + ground * (1 - opacity)


def _find_ink(grey: np.ndarray, path: Path) -> _Ink:
    """Parts what is drawn from the paper, dark on light or light on dark."""
    from scipy import ndimage

    # In a photograph the grain of paper and camera is finer than any stroke. A picture of few pixels stays as it is.
    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 400)
    paper = _paper(grey)
    difference = grey - paper
    noise = _spread(difference[_border(grey.shape)])
    beyond = np.where(np.abs(difference) > 3 * noise, difference, 0)
    is_dark = np.square(beyond[beyond < 0]).sum() > np.square(beyond[beyond > 0]).sum()
    # The share of the light that the ink takes away is the same in the lit corner and in the dim one.
    room = np.clip(paper, 0.02, 1) if is_dark else np.clip(1 - paper, 0.02, 1)
    strength = np.clip((-difference if is_dark else difference) / room, 0, 1)
    noise /= float(np.median(room))
    if np.quantile(strength, 0.9999) < max(_FAINTEST, 6 * noise):
        raise WorkshopError(f"{path} is blank: nothing on it differs from its border; leave paper around what is drawn")
    return _Ink(strength.astype(np.float32), noise)


def _spread(deviations: np.ndarray) -> float:
    """Returns the standard deviation of the paper, though up to half of the deviations are of ink.

    The quarter that deviates least is paper; of a normal distribution a quarter lies within 0.3186 deviations.
    """
    return float(np.quantile(np.abs(deviations), 0.25)) / 0.3186


def _border(shape: tuple[int, ...]) -> np.ndarray:
    border = np.ones(shape, bool)
    width = max(1, round(0.05 * min(shape)))
    border[width:-width, width:-width] = False
    return border


def _paper(grey: np.ndarray) -> np.ndarray:
    """Returns the grey value of the paper under every pixel: one value, or where the light is uneven a surface.

    The surface is of second degree, through the border. Ink may touch the border, so it is the one with the smallest
    sum of absolute deviations, which does not care how far away the lesser part of the points lies (least squares,
    reweighted again and again).
    """
    border = grey[_border(grey.shape)]
    ordered = np.sort(border)
    alike = np.searchsorted(ordered, ordered + 4 / 255, side="right") - np.arange(len(ordered))
    first = alike.argmax()
    if alike[first] > _EVEN * border.size:
        # Drawn by hand on a screen, cut out or evenly lit: one value, which nothing that touches the border can bend.
        return np.full(grey.shape, np.median(ordered[first : first + alike[first]]))
    y, x = (np.linspace(-1, 1, size) for size in grey.shape)
    known = np.flatnonzero(_border(grey.shape))
    surface = np.empty(0)
    for _ in range(2):
        points = known[:: max(1, len(known) // 5000)]  # some thousand say as much as a million
        rows, columns = np.unravel_index(points, grey.shape)
        terms = np.stack(
            [np.ones(len(points)), x[columns], x[columns] ** 2, y[rows], y[rows] ** 2, x[columns] * y[rows]]
        )
        values = grey.ravel()[points].astype(float)
        deviation = np.abs(values - np.median(values))
        for _ in range(20):
            weighted = terms / np.maximum(deviation, 1e-4)
            a = np.linalg.lstsq(weighted @ terms.T, weighted @ values, rcond=None)[0]
            deviation = np.abs(values - a @ terms)
        surface = (a[0] + a[1] * x + a[2] * x**2) + (a[3] * y + a[4] * y**2)[:, None] + a[5] * np.outer(y, x)
        # The middle bends the surface better than the border does, once it is known what of it is paper.
        limit = max(3 * _spread(deviation), 2 / 255)
        known = np.flatnonzero(np.abs(grey - surface) < limit)
        if len(known) < 0.2 * grey.size:
            break
    return np.clip(surface, 0, 1)


def _otsu(values: np.ndarray) -> float:
    """Returns the threshold that parts values from 0 to 1 best into two classes (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=256, range=(0, 1))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sum_below / below - (sum_below[-1] - sum_below) / above) ** 2
    return float(edges[1:][np.nanargmax(between)])


def _drawn(ink: _Ink, threshold: float, smallest: float = _SMALLEST_PART) -> np.ndarray:
    """Returns which pixels are drawn on, without specks."""
    from scipy import ndimage

    labels, _ = ndimage.label(ink.strength >= threshold, structure=np.ones((3, 3)))
    weights = np.bincount(labels.ravel(), weights=ink.strength.ravel())
    weights[0] = 0
    return (weights > smallest * weights.max())[labels]


def _cut(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Returns the values in the smallest box around what is drawn."""
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _cut_out(ink: _Ink, drawn: np.ndarray, longer: int) -> np.ndarray:
    """Returns the ink in its box. The soft edge of a stroke belongs to it; a shadow further away does not.

    `longer` is the longer side of the image to come, which says how far an edge may reach.
    """
    from scipy import ndimage

    distance = ndimage.distance_transform_edt(~_cut(drawn, drawn))
    return np.where(distance <= max(1.0, max(distance.shape) / longer), _cut(ink.strength, drawn), 0)


def _centre(strength: np.ndarray) -> np.ndarray:
    """Returns the centre of mass, row and column."""
    y, x = np.mgrid[: strength.shape[0], : strength.shape[1]]
    return np.array([(strength * y).sum(), (strength * x).sum()]) / strength.sum()


def _resize(strength: np.ndarray, longer: int) -> np.ndarray:
    from PIL import Image

    height, width = strength.shape
    scale = longer / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resized = np.asarray(Image.fromarray(strength).resize(size, Image.Resampling.BICUBIC))
    return resized.clip(0, strength.max())  # at a sharp edge cubic curves shoot over


def _stretch(strength: np.ndarray) -> np.ndarray:
    """The strongest ink becomes 1, as it is in nearly every image of the two sets."""
    return (strength / strength.max()).astype(np.float32)


def _place(small: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Lays a small image into an empty one of 28x28, as near to `corner` as it fits."""
    row, column = np.clip(corner, 0, SIZE - np.array(small.shape)).astype(int)
    placed = np.zeros((SIZE, SIZE), np.float32)
    placed[row : row + small.shape[0], column : column + small.shape[1]] = small
    return placed
