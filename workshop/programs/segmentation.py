"""Foreground and background segmentation: the strength of the ink in each pixel of a grey image.

The ink (or the garment) differs from the paper: dark on light or light on dark, as the border is against the middle.
The paper fills the image; it may be lit unevenly, but the sharp edge of a shadow is taken for ink.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

MIN_STRENGTH = 0.05  # of the light that the paper reflects: less is no ink
_MIN_PART = 0.02  # of the weight of the largest part: smaller specks are dirt
_EVEN_SHARE = 0.25  # the share of the border that is of one grey where the paper is lit evenly


class Ink(NamedTuple):
    """The ink of an image.

    Attributes:
        strength: float32 (height, width), 0 the paper, 1 as different from it as possible.
        noise: the standard deviation of the paper itself.
    """

    strength: np.ndarray
    noise: float


def find_ink(grey: np.ndarray, path: FilePath) -> Ink:
    """Separates the ink from the paper, dark on light or light on dark.

    Args:
        grey: an image (height, width), 0 black to 1 white.
        path: its file, for the message.

    Raises:
        WorkshopError: nothing is drawn on it.
    """
    # In a photo the grain of paper and camera is finer than any stroke. An image of few pixels stays as it is.
    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 400)
    paper = estimate_paper(grey)
    difference = grey - paper
    noise = spread(difference[border_mask(grey.shape)])
    beyond = np.where(np.abs(difference) > 3 * noise, difference, 0)
    is_dark = np.square(beyond[beyond < 0]).sum() > np.square(beyond[beyond > 0]).sum()
    # The share of the light that the ink absorbs is the same in a bright corner and in a dim one.
    room = np.clip(paper, 0.02, 1) if is_dark else np.clip(1 - paper, 0.02, 1)
    strength = np.clip((-difference if is_dark else difference) / room, 0, 1)
    noise /= float(np.median(room))
    if np.quantile(strength, 0.9999) < max(MIN_STRENGTH, 6 * noise):
        raise WorkshopError(f"{path} is blank: nothing on it differs from its border; leave paper around what is drawn")
    return Ink(strength.astype(np.float32), noise)


def drawn_pixels(ink: Ink, threshold: float, smallest: float = _MIN_PART) -> np.ndarray:
    """Returns a mask of the drawn pixels without specks, booleans (height, width).

    Args:
        ink: the ink of the image.
        threshold: the smallest strength of a drawn pixel.
        smallest: the weight of the smallest part that is no speck, as a share of the weight of the largest part.
    """
    labels, _ = ndimage.label(ink.strength >= threshold, structure=np.ones((3, 3)))
    weights = np.bincount(labels.ravel(), weights=ink.strength.ravel())
    weights[0] = 0
    return (weights > smallest * weights.max())[labels]


def spread(deviations: np.ndarray) -> float:
    """Returns the standard deviation of the paper, robust against ink in up to half of the deviations.

    The quarter that deviates least is paper; a quarter of a normal distribution lies within 0.3186 deviations.
    """
    return float(np.quantile(np.abs(deviations), 0.25)) / 0.3186


def border_mask(shape: tuple[int, ...]) -> np.ndarray:
    """Returns a mask of the border of an image, a twentieth of its shorter side wide, booleans."""
    border = np.ones(shape, bool)
    width = max(1, round(0.05 * min(shape)))
    border[width:-width, width:-width] = False
    return border


def estimate_paper(grey: np.ndarray) -> np.ndarray:
    """Returns the grey value of the paper in every pixel: one value or, in uneven light, a surface.

    The image and the result are (height, width), 0 black to 1 white. The surface is a polynomial of second degree,
    fitted to the border. Ink may touch the border, so the fit minimises the sum of absolute deviations, which is robust
    against outliers (iteratively reweighted least squares).
    """
    border = grey[border_mask(grey.shape)]
    ordered = np.sort(border)
    alike = np.searchsorted(ordered, ordered + 4 / 255, side="right") - np.arange(len(ordered))
    first = alike.argmax()
    if alike[first] > _EVEN_SHARE * border.size:
        # Drawn on a screen, cut out or evenly lit: one value, which ink that touches the border does not change.
        return np.full(grey.shape, np.median(ordered[first : first + alike[first]]))
    y, x = (np.linspace(-1, 1, size) for size in grey.shape)
    known = np.flatnonzero(border_mask(grey.shape))
    surface = np.empty(0)
    for _ in range(2):
        points = known[:: max(1, len(known) // 5000)]  # some thousand are enough
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
        # The middle fits the surface better than the border, once its paper is known.
        limit = max(3 * spread(deviation), 2 / 255)
        known = np.flatnonzero(np.abs(grey - surface) < limit)
        if len(known) < 0.2 * grey.size:
            break
    return np.clip(surface, 0, 1)


def otsu_threshold(values: np.ndarray) -> float:
    """Returns the threshold that best separates values from 0 to 1 into two classes (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=256, range=(0, 1))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore"):  # 0 / 0 where one class is empty
        between = below * above * (sum_below / below - (sum_below[-1] - sum_below) / above) ** 2
    return float(edges[1:][np.nanargmax(between)])
