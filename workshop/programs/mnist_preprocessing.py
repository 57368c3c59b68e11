"""Preprocessing of an image file for the networks of MNIST and Fashion-MNIST: 28x28 pixels, light on dark.

`image_file` reads the file, `segmentation` separates the ink from the paper, and `digit_segmentation` the digit from
all else on the paper. Then the ink is processed as the images of the sets were. A digit: cut out, its longer side made
20 pixels long, laid into 28x28 with its centre of mass in the middle (LeCun, Cortes and Burges, "The MNIST database of
handwritten digits"); strokes of a thin pen are made thicker first. A garment: trimmed, its longer side made 28 pixels
long, laid into the middle (Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST", arXiv:1708.07747).
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.photos.image_file import read_grey
from workshop.programs.digit_segmentation import find_digit
from workshop.programs.segmentation import (
    MIN_STRENGTH,
    Ink,
    border_mask,
    drawn_pixels,
    estimate_paper,
    find_ink,
    otsu_threshold,
    spread,
)

SIZE = 28  # pixels, of the images of both sets
_MIN_STROKE = 1.6  # pixels of the output: MNIST has few thinner strokes, and a network does not know them


def read_digit(path: FilePath) -> np.ndarray:
    """Returns the image of a digit as in MNIST: float32 (28, 28), 0 the paper, 1 the ink.

    Raises:
        WorkshopError: the file is no usable image, or nothing is drawn on it.
    """
    return digit(read_grey(path), path)


def digit(grey: np.ndarray, name: FilePath) -> np.ndarray:
    """Returns the digit of an image (height, width), 0 black to 1 white, as `read_digit`; `name` is for messages."""
    if grey.shape == (SIZE, SIZE):
        whole = find_ink(grey, name)
        drawn = drawn_pixels(whole, otsu_threshold(whole.strength))
        centre = np.array(ndimage.center_of_mass(whole.strength))
        if 18 <= max(_cut(drawn, drawn).shape) <= 20 and np.abs(centre - 14).max() < 1:
            return _stretch(whole.strength)  # as in the set already
    segmented = find_digit(grey, name)
    return place_digit(segmented.strength, segmented.drawn)


def place_digit(strength: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Returns the ink of a digit as in MNIST, float32 (28, 28).

    Args:
        strength: float32 (height, width), 0 the paper, 1 the ink.
        drawn: whether a pixel belongs to the digit; at least one does.
    """
    small = _stretch(_resize(_thicken(_cut_out(strength, drawn, 20), 20), 20))
    return _place(small, np.rint(np.subtract(14, ndimage.center_of_mass(small))))


def read_garment(path: FilePath) -> np.ndarray:
    """Returns the image of a garment as in Fashion-MNIST: float32 (28, 28), 0 the background.

    Raises:
        WorkshopError: the file is no usable image, or nothing is on it.
    """
    return garment(read_grey(path), path)


def garment(grey: np.ndarray, name: FilePath) -> np.ndarray:
    """Returns the garment of an image (height, width), 0 black to 1 white, as `read_garment` does."""
    ink = find_ink(grey, name)
    threshold = max(MIN_STRENGTH, 4 * ink.noise)
    everything = ink.strength >= threshold
    if everything.shape == (SIZE, SIZE) and max(_cut(everything, everything).shape) >= 26:
        return _stretch(ink.strength)  # as in the set already
    return place_garment(ink.strength, drawn_pixels(ink, threshold))


def place_garment(strength: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Returns a garment as in Fashion-MNIST, float32 (28, 28), from arrays as `place_digit` takes them."""
    small = _stretch(_resize(_cut_out(strength, drawn, SIZE), SIZE))
    return _place(small, (SIZE - np.array(small.shape)) // 2)


def read_noisy_digit(path: FilePath) -> np.ndarray:
    """Returns the image of a digit with its noise, as a noisy image of MNIST: float32 (28, 28), 0 the paper, 1 the ink.

    `read_digit` leaves out what is no stroke. Here the noise stays: only position, size and polarity are normalised,
    estimated from a blurred copy, in which the noise averages out.

    Raises:
        WorkshopError: the file is no usable image, or nothing is drawn on it.
    """
    grey = read_grey(path)
    over = max(grey.shape) / SIZE  # the size of an output pixel, if the digit fills the image
    for _ in range(2):
        blurred = ndimage.gaussian_filter(grey, over)
        paper = estimate_paper(blurred)
        difference = blurred - paper
        noise = spread(difference[border_mask(grey.shape)])
        is_dark = -difference.min() > difference.max()
        strength = np.clip(-difference if is_dark else difference, 0, None)
        most = float(strength.max())
        if most < max(MIN_STRENGTH, 4 * noise):
            raise WorkshopError(
                f"{path} is blank: nothing on it differs from its border; leave paper around what is drawn"
            )
        drawn = drawn_pixels(
            Ink(strength, noise), max(otsu_threshold(strength / most) * most, 2.5 * noise), smallest=0.15
        )
        length = max(_cut(drawn, drawn).shape)
        over = min(over, length / 20)  # once more, with the size of the digit known
    centre = np.array(ndimage.center_of_mass(np.where(drawn, strength, 0)))
    if grey.shape == (SIZE, SIZE) and length >= 14 and np.abs(centre - 14).max() < 4:
        return (1 - grey if is_dark else grey).astype(np.float32)  # as in the set already
    # Blurring leaves a stroke more than half of its ink: the quarter that keeps most is taken for ink.
    full = float(np.quantile(np.abs(grey - paper)[drawn], 0.75))
    ink = np.clip((paper - grey if is_dark else grey - paper) / full, 0, 1)
    side = max(1, round(length * SIZE / 20))
    top, left = np.rint(centre - (side - 1) / 2).astype(int) + side
    window = np.pad(ink, side)[top : top + side, left : left + side].astype(np.float32)
    return _resize(window, SIZE).clip(0, 1).astype(np.float32)


def _cut(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Returns the values in the bounding box of the drawn pixels."""
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _cut_out(strength: np.ndarray, drawn: np.ndarray, longer: int) -> np.ndarray:
    """Returns the ink in its bounding box, with the soft edge of a stroke but without shadows further away.

    `longer` is the longer side of the output, from which the width of an edge follows.
    """
    distance = ndimage.distance_transform_edt(~_cut(drawn, drawn))
    return np.where(distance <= max(1.0, max(distance.shape) / longer), _cut(strength, drawn), 0)


def _thicken(strength: np.ndarray, longer: int) -> np.ndarray:
    """Returns the ink with strokes that are at least `_MIN_STROKE` wide in an output of this longer side."""
    enlarged = _resize(strength, 4 * longer)
    is_ink = enlarged >= 0.5 * np.quantile(enlarged[enlarged > 0], 0.95)
    # Across a stroke the mean distance to its edge is a quarter of its width.
    width = float((ndimage.distance_transform_edt(np.pad(is_ink, 1))[1:-1, 1:-1][is_ink] - 0.5).mean())
    if width >= _MIN_STROKE:
        return strength
    radius = 2 * (_MIN_STROKE - width)
    reach = np.arange(-int(radius) - 1, int(radius) + 2)
    disk = np.hypot(reach, reach[:, None]) <= radius
    return ndimage.grey_dilation(np.pad(enlarged, len(reach) // 2), footprint=disk, mode="constant")


def _resize(strength: np.ndarray, longer: int) -> np.ndarray:
    height, width = strength.shape
    scale = longer / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resized = np.asarray(Image.fromarray(strength).resize(size, Image.Resampling.BICUBIC))
    return resized.clip(0, strength.max())  # cubic interpolation overshoots at a sharp edge


def _stretch(strength: np.ndarray) -> np.ndarray:
    """Scales the strongest ink to 1, as it is in nearly every image of the two sets."""
    return (strength / strength.max()).astype(np.float32)


def _place(small: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Pastes a small image into an empty one of 28x28, as near to `corner` as it fits."""
    row, column = np.clip(corner, 0, SIZE - np.array(small.shape)).astype(int)
    placed = np.zeros((SIZE, SIZE), np.float32)
    placed[row : row + small.shape[0], column : column + small.shape[1]] = small
    return placed
