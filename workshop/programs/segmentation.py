"""Ink parted from paper, which is segmentation: which pixels of a picture in grey are drawn on, and how strongly.

The ink (or the garment) is what differs from the paper: dark on light or light on dark, as the border against the
middle says. The paper fills the picture; it may be lit unevenly, but the sharp edge of a shadow is taken for ink.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from workshop.kit.errors import WorkshopError

FAINTEST = 0.05  # of the light that the paper gives back: less is no ink
_SMALLEST_PART = 0.02  # of the weight of the largest part: smaller specks are dirt
_EVEN = 0.25  # the share of the border that is of one grey where the paper is lit evenly


class Ink(NamedTuple):
    """What differs from the paper.

    Attributes:
        strength: float32 (height, width), 0 the paper, 1 as far from it as can be.
        noise: the standard deviation of the paper itself.
    """

    strength: np.ndarray
    noise: float


def find_ink(grey: np.ndarray, path: Path) -> Ink:
    """Parts what is drawn from the paper, dark on light or light on dark.

    Args:
        grey: a picture (height, width), 0 black to 1 white.
        path: its file, for the message.

    Raises:
        WorkshopError: nothing is drawn on it.
    """
    from scipy import ndimage

    # In a photograph the grain of paper and camera is finer than any stroke. A picture of few pixels stays as it is.
    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 400)
    paper = estimate_paper(grey)
    difference = grey - paper
    noise = spread(difference[border_mask(grey.shape)])
    beyond = np.where(np.abs(difference) > 3 * noise, difference, 0)
    is_dark = np.square(beyond[beyond < 0]).sum() > np.square(beyond[beyond > 0]).sum()
    # The share of the light that the ink takes away is the same in the lit corner and in the dim one.
    room = np.clip(paper, 0.02, 1) if is_dark else np.clip(1 - paper, 0.02, 1)
    strength = np.clip((-difference if is_dark else difference) / room, 0, 1)
    noise /= float(np.median(room))
    if np.quantile(strength, 0.9999) < max(FAINTEST, 6 * noise):
        raise WorkshopError(f"{path} is blank: nothing on it differs from its border; leave paper around what is drawn")
    return Ink(strength.astype(np.float32), noise)


def drawn_pixels(ink: Ink, threshold: float, smallest: float = _SMALLEST_PART) -> np.ndarray:
    """Returns which pixels are drawn on, without specks: booleans (height, width).

    Args:
        ink: of the picture.
        threshold: the strength from which a pixel belongs to what is drawn.
        smallest: the weight of the smallest part that is no speck, as a share of the weight of the largest part.
    """
    from scipy import ndimage

    labels, _ = ndimage.label(ink.strength >= threshold, structure=np.ones((3, 3)))
    weights = np.bincount(labels.ravel(), weights=ink.strength.ravel())
    weights[0] = 0
    return (weights > smallest * weights.max())[labels]


def spread(deviations: np.ndarray) -> float:
    """Returns the standard deviation of the paper, though up to half of the deviations are of ink.

    The quarter that deviates least is paper; of a normal distribution a quarter lies within 0.3186 deviations.
    """
    return float(np.quantile(np.abs(deviations), 0.25)) / 0.3186


def border_mask(shape: tuple[int, ...]) -> np.ndarray:
    """Returns which pixels of a picture lie at its border, a twentieth of its shorter side wide: booleans."""
    border = np.ones(shape, bool)
    width = max(1, round(0.05 * min(shape)))
    border[width:-width, width:-width] = False
    return border


def estimate_paper(grey: np.ndarray) -> np.ndarray:
    """Returns the grey value of the paper under every pixel: one value, or where the light is uneven a surface.

    The picture and what is returned are (height, width), 0 black to 1 white. The surface is of second degree, through
    the border. Ink may touch the border, so it is the one with the smallest sum of absolute deviations, which does not
    care how far away the lesser part of the points lies (least squares, reweighted again and again).
    """
    border = grey[border_mask(grey.shape)]
    ordered = np.sort(border)
    alike = np.searchsorted(ordered, ordered + 4 / 255, side="right") - np.arange(len(ordered))
    first = alike.argmax()
    if alike[first] > _EVEN * border.size:
        # Drawn by hand on a screen, cut out or evenly lit: one value, which nothing that touches the border can bend.
        return np.full(grey.shape, np.median(ordered[first : first + alike[first]]))
    y, x = (np.linspace(-1, 1, size) for size in grey.shape)
    known = np.flatnonzero(border_mask(grey.shape))
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
        limit = max(3 * spread(deviation), 2 / 255)
        known = np.flatnonzero(np.abs(grey - surface) < limit)
        if len(known) < 0.2 * grey.size:
            break
    return np.clip(surface, 0, 1)


def otsu_threshold(values: np.ndarray) -> float:
    """Returns the threshold that parts values from 0 to 1 best into two classes (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=256, range=(0, 1))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sum_below / below - (sum_below[-1] - sum_below) / above) ** 2
    return float(edges[1:][np.nanargmax(between)])
