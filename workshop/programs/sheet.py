"""The sheet of paper on a photo: its four corners, and the sheet alone, seen from straight above.

A sheet is lighter than the table all around, or darker. So for every grey between the darkest and the lightest the
pixels above it (and those below it) are split into connected regions: a sheet is one that has four straight sides, and
stays the same over several greys, as maximally stable extremal regions do (Matas, Chum, Urban and Pajdla 2002).
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

MIN_SIZE = 64  # pixels: a smaller image shows no sheet
_SMALL = 160  # pixels of the longer side of the image in which sheets are looked for
_LEVELS = 40  # greys
_STABLE = 0.93  # of the pixels of two regions are common to both: they are the same sheet
_MIN_CONTRAST = 0.04  # between the sheet and what lies around it
_MIN_AREA, _MAX_AREA = 0.02, 0.97  # of the image
_STRAIGHT = 0.92  # of a region is filled by the four-sided figure, and of the figure by the region
_LONGEST = 3  # times the shorter side
_MIN_SINE = 0.5  # of a corner's angle: 30 to 150 degrees; as a figure of four sides a triangle has one of nearly 180
_MIN_SIDE = 24  # pixels: of a smaller region the sides cannot be told from those of a thick stroke
_INSET = 0.025  # of a sheet's side: its edge may be curved, or throw a shadow


class Sheet(NamedTuple):
    """A sheet on an image.

    Attributes:
        corners: (4, 2), x and y of each, from the upper left one against the clock, as parts of the image's sides.
        area: as a part of the image.
        contrast: how much lighter or darker it is than what lies around it.
    """

    corners: np.ndarray
    area: float
    contrast: float


def find_sheets(grey: np.ndarray) -> list[Sheet]:
    """Returns the sheets on an image, those that stand out most first.

    Args:
        grey: an image (height, width), 0 black to 1 white.
    """
    if min(grey.shape) < MIN_SIZE:
        return []
    scale = min(1.0, _SMALL / max(grey.shape))
    size = tuple(max(8, round(side * scale)) for side in grey.shape[::-1])
    small = ndimage.gaussian_filter(np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX)), 0.7)
    low, high = np.quantile(small, (0.005, 0.995))
    levels = np.linspace(low, high, _LEVELS + 2)[1:-1]
    step = float(levels[1] - levels[0])
    sheets = []
    for is_light in (True, False):
        for regions in _stable_regions(small, levels if is_light else levels[::-1], is_light):
            contrast = len(regions) * step
            if contrast >= _MIN_CONTRAST:
                region = regions[len(regions) // 2]
                corners = _four_corners(region)
                if corners is not None:
                    sheets.append(Sheet(corners / region.shape[::-1], float(region.mean()), contrast))
    return sorted(sheets, key=lambda sheet: -sheet.area * sheet.contrast)


def is_sheet(region: np.ndarray) -> bool:
    """Returns whether a region has four straight sides, of which none is long: the stroke of a one is longer."""
    return min(region.shape) >= _MIN_SIDE and hull_share(region) > _STRAIGHT and _four_corners(region) is not None


def take_out(grey: np.ndarray, sheet: Sheet) -> np.ndarray:
    """Returns a sheet alone, seen from straight above: its sides have become those of the image."""
    corners = sheet.corners * grey.shape[::-1]
    middle = corners.mean(axis=0)
    corners = middle + (1 - 2 * _INSET) * (corners - middle)
    upper_left, lower_left, lower_right, upper_right = corners
    width, height = (
        max(1, round(float(np.linalg.norm(a - b) + np.linalg.norm(c - d)) / 2))
        for a, b, c, d in (
            (upper_left, upper_right, lower_left, lower_right),
            (upper_left, lower_left, upper_right, lower_right),
        )
    )
    straight = Image.fromarray(grey).transform(
        (width, height), Image.Transform.QUAD, corners.ravel().tolist(), Image.Resampling.BILINEAR
    )
    return np.asarray(straight)


def _stable_regions(small: np.ndarray, levels: np.ndarray, is_light: bool) -> list[list[np.ndarray]]:
    """Returns for each region with four straight sides its masks at the levels over which it stays the same."""
    stable: list[list[np.ndarray]] = []
    growing: list[list[np.ndarray]] = []
    for level in levels:
        labels, _ = ndimage.label(small > level if is_light else small < level)
        now = []
        for label, box in enumerate(ndimage.find_objects(labels), 1):
            sides = [side.stop - side.start for side in box]
            if not _MIN_AREA * small.size < math.prod(sides) or max(sides) > _LONGEST * min(sides):
                continue
            filled = ndimage.binary_fill_holes(labels[box] == label, np.ones((3, 3)))
            if not _MIN_AREA < filled.sum() / small.size < _MAX_AREA or hull_share(filled) < _STRAIGHT:
                continue
            region = np.zeros(small.shape, bool)
            region[box] = filled
            same = next((regions for regions in growing if _overlap(regions[-1], region) > _STABLE), None)
            if same is None:
                same = []
                stable.append(same)
            same.append(region)
            now.append(same)
        growing = now
    return stable


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def convex_hull(region: np.ndarray) -> np.ndarray:
    """Returns the corners of the convex hull of a region, (n, 2), the x and y of pixels (Andrew's monotone chain)."""
    rows = np.flatnonzero(region.any(axis=1))
    first, last = region[rows].argmax(axis=1), region.shape[1] - 1 - region[rows, ::-1].argmax(axis=1)
    points = sorted({(int(x), int(y)) for xs in (first, last) for x, y in zip(xs, rows, strict=True)})
    chains = []
    for ordered in (points, points[::-1]):
        chain: list[tuple[int, int]] = []
        for x, y in ordered:
            while len(chain) > 1:
                (x1, y1), (x2, y2) = chain[-2:]
                if (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) > 0:
                    break
                chain.pop()
            chain.append((x, y))
        chains += chain[:-1]
    return np.array(chains or points)


def hull_share(region: np.ndarray) -> float:
    """Returns which part of its convex hull a region fills, from 0 to 1."""
    hull = convex_hull(region)
    on_outline = np.gcd(*np.abs(hull - np.roll(hull, 1, axis=0)).T).sum()
    return float(region.sum() / (_area(hull) + on_outline / 2 + 1))  # Pick's theorem counts the pixels of the hull


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _four_corners(region: np.ndarray) -> np.ndarray | None:
    """Returns the corners of a four-sided region, from the upper left one against the clock; None if it is none."""
    hull = corners = convex_hull(region).astype(float)
    while len(corners) > 4:
        # The corner that cuts off least goes.
        before, after = np.roll(corners, 1, axis=0) - corners, np.roll(corners, -1, axis=0) - corners
        lost = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        corners = np.delete(corners, lost.argmin(), axis=0)
    if len(corners) < 4:
        return None
    for i in (0, 1, 2, 3) * 2:
        # Each in turn moves to where the figure is largest: furthest from the line between its neighbours.
        (x1, y1), (x2, y2) = corners[i - 1], corners[(i + 1) % 4]
        corners[i] = hull[((x2 - x1) * (y1 - hull[:, 1]) - (x1 - hull[:, 0]) * (y2 - y1)).argmax()]
    edges = corners - np.roll(corners, 1, axis=0)
    sides = np.linalg.norm(edges, axis=1)
    if _area(corners) < _STRAIGHT * _area(hull) or sides.max() > _LONGEST * sides.min():
        return None
    following, next_sides = np.roll(edges, -1, axis=0), np.roll(sides, -1)
    sines = np.abs(edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]) / (sides * next_sides)
    if sines.min() < _MIN_SINE:
        return None
    return _from_upper_left(corners) + 0.5


def _from_upper_left(corners: np.ndarray) -> np.ndarray:
    """Returns four corners in order, with the sheet turned as little as can be."""
    middle = corners.mean(axis=0)
    angles = np.arctan2(*(corners - middle).T[::-1])  # y points down: they grow with the clock
    corners = corners[np.argsort(-angles)]
    upper = np.array([corners[(i + 3) % 4] - corners[i] for i in range(4)])  # the side from each corner, with the clock
    return np.roll(corners, -int((upper[:, 0] / np.linalg.norm(upper, axis=1)).argmax()), axis=0)
