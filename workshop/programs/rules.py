"""Rules: the thin lines of lined or squared paper, found in the ink of an image and taken off.

A rule runs from one side of the image to the other, straight but perhaps a little askew; no stroke of a digit does, or
it is much thicker. The search is a Hough transform: for every slope and every height the ink along the line is read.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from workshop.programs.segmentation import MIN_STRENGTH, Ink

_MIN_SIZE = 64  # pixels: in a smaller image a rule is as thick as a stroke
_STEEPEST = 0.12  # pixels down for a pixel to the right
_SLOPES = 49
_COLUMNS = 64  # that are looked at
_BROKEN = 0.15  # of a rule's length: it may be missing there
_MAX_RULES = 60  # in one direction
_FAINT = 0.6  # of the strength of the ink: a fainter rule lets the ink through


class Line(NamedTuple):
    """A line from the left side of an image to the right one.

    Attributes:
        path: its row in each column.
        around: the rows near it, (offsets, columns).
        profile: the strength at each offset, typical of its whole length.
        thickness: in pixels.
    """

    path: np.ndarray
    around: np.ndarray
    profile: np.ndarray
    thickness: int


def without_rules(ink: Ink) -> Ink:
    """Returns the ink of an image without rules, horizontal and vertical ones."""
    strength = ink.strength
    if min(strength.shape) < _MIN_SIZE:
        return ink
    least = max(MIN_STRENGTH, 3 * ink.noise)
    strength = _without_lines(strength, least)
    strength = np.ascontiguousarray(_without_lines(strength.T, least).T)
    return Ink(strength, ink.noise)


def _without_lines(strength: np.ndarray, least: float) -> np.ndarray:
    """Returns the ink without the lines that run from left to right."""
    height, width = strength.shape
    thickest = 1 + 0.012 * max(height, width)
    reach = int(thickest) + 3
    strongest = float(np.quantile(strength, 0.998))
    x = np.arange(width)
    offsets = np.arange(-reach, reach + 1)[:, None]
    faint: list[Line] = []
    strong: list[Line] = []
    for row, slope in _find_lines(strength, least):
        path = _follow(strength, row + slope * (x - width / 2))
        around = (path + offsets).clip(0, height - 1)
        profile = np.median(strength[around, x], axis=1)
        level = float(profile[reach])
        thickness = int((profile > level / 2).sum())
        if level > least / 2 and thickness <= thickest:
            (faint if level <= _FAINT * strongest else strong).append(Line(path, around, profile, thickness))
    result = strength.copy()
    for _, around, profile, thickness in faint:
        # The ink lets through what it lets through on paper: two filters, one on the other, multiply.
        covered = np.where(np.abs(offsets) <= thickness, np.minimum(profile, 0.9)[:, None], 0)
        result[around, x] = np.minimum(
            result[around, x], np.clip((strength[around, x] - covered) / (1 - covered), 0, 1)
        )
    if len(strong) > 1:  # one alone may be the bar of a digit that fills the image
        for path, _, profile, thickness in strong:
            beside = thickness // 2 + 2
            above, below = (path - beside).clip(0, height - 1), (path + beside).clip(0, height - 1)
            is_crossed = np.maximum(strength[above, x], strength[below, x]) > profile.max() / 2
            rows = (path + np.arange(-beside, beside + 1)[:, None]).clip(0, height - 1)
            result[rows, x] = np.where(is_crossed, result[rows, x], 0)
    return result if result.max() >= 0.5 * strength.max() else strength


def _find_lines(strength: np.ndarray, least: float) -> Iterator[tuple[int, float]]:
    """Yields the row in the middle of the image and the slope of each line, the strongest first."""
    height, width = strength.shape
    columns = np.linspace(0, width - 1, min(width, _COLUMNS)).round().astype(int)
    # The darkest of three pixels: a line need not be straight to the pixel.
    looked_at = np.pad(ndimage.maximum_filter1d(strength[:, columns], 3, axis=0), ((1, 1), (0, 0)))
    slopes = np.linspace(-_STEEPEST, _STEEPEST, _SLOPES)
    rows, position = np.arange(1, height + 1)[:, None], np.arange(len(columns))
    weakest = round(_BROKEN * len(columns))
    strengths = np.empty((len(slopes), height))
    for i, slope in enumerate(slopes):
        along = (rows + np.rint(slope * (columns - width / 2)).astype(int)).clip(0, height + 1)
        strengths[i] = np.partition(looked_at[along, position], weakest, axis=1)[:, weakest]
    near = 2 + round(0.01 * max(height, width))
    for _ in range(_MAX_RULES):
        i, row = (int(index) for index in np.unravel_index(strengths.argmax(), strengths.shape))
        if strengths[i, row] < least:
            return
        yield row, float(slopes[i])
        strengths[:, max(0, row - near) : row + near + 1] = 0


def _follow(strength: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns the row of a line in every column: near a straight line, where the ink is strongest."""
    height, width = strength.shape
    offsets = np.arange(-3, 4)[:, None]
    around = (np.rint(rows).astype(int) + offsets).clip(0, height - 1)
    smooth = ndimage.uniform_filter1d(strength[around, np.arange(width)], 15, axis=1)
    best = ndimage.median_filter(smooth.argmax(axis=0) - 3, 31, mode="nearest")
    return np.rint(rows).astype(int) + best
