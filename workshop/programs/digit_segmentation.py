"""The digit on a sheet that holds more than the digit: rules, a frame, the edge of a scan, a desk, a shadow, specks.

`sheet` finds the sheets of paper on a photo: each is tried alone, then the whole image. `segmentation` separates ink
from paper. Here the ink that belongs to the digit is chosen:

1. Rules, lines from one side of the image to the other, count as paper.
2. Of the connected parts those are left out that come in from the border while another part lies free of it, a frame
   around another part, and specks.
3. Where what remains is no stroke, a shadow may lie over the sheet. Then the paper is estimated from the surroundings
   of each pixel, not from the border of the image.

What has no strokes, or is not surrounded by paper, is refused as no digit; large parts that lie apart as several.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.programs.rules import without_rules
from workshop.programs.segmentation import MIN_STRENGTH, Ink, find_ink, otsu_threshold
from workshop.programs.sheet import MIN_SIZE, find_sheets, hull_share, is_sheet, take_out

_SPECK = 0.02  # of the weight of the digit: a lighter part is dirt, unless it continues a stroke
_STROKE = 0.1  # of the weight of the digit: a lighter part belongs to it only where it is near
_NEAR = 0.2  # of the digit's length
_DASH = 0.002  # of the weight of the digit: the lightest piece of a broken stroke
_BREAK = 0.06  # of the digit's length: the longest gap in a broken stroke
_SHORTEST = 0.15  # of the shorter side of the image: parts at the border yield to a free part of this length
_CUT_OFF = 0.12  # of the image's perimeter: a part that touches more of it is no stroke that is cut off
_ALONG_BORDER = 0.35  # of the outline of what is drawn: more of it is a shadow, a table or a piece of a frame
_ASKEW = 0.08  # of a frame's side: how far its inner edge may lie within
_THICKEST = 0.22  # of a part's length: half the width of the thickest stroke
_BRUSH = 0.3  # the same of a part that is curved, as a digit is and a thing on a desk is not
_CUT_OUT = 0.8  # of its box: more of it is a sheet that a digit was cut out of
_FULLEST = 0.65  # of a box that is no narrow one: strokes leave more of it free
_AS_LONG = 0.5  # of the longest part: a shorter part is no digit beside it
_APART = 0.15  # of the longer part: what is further to the side, at the same height, is another digit
_FAR = 0.4  # of the longer part: what is further away is another digit, wherever it is
_WITHIN = 0.3  # of a frame's length: what is written within
_BESIDE = 0.12  # of the image: bars of a frame are nearer to its sides
_CURVED = 0.9  # of its convex hull is filled by a part that is not curved
_MISSING = 0.3  # of the paper around a digit may be as dark as the ink: another mark, the edge of the sheet
_MIN_SHEET = 16  # pixels
_SMALL = 128  # pixels of the longer side of the image in which the paper nearby is estimated
_WINDOW = 33  # pixels in the small image: wider than a stroke, narrower than a desk


class Part(NamedTuple):
    """A connected part of the drawn pixels.

    Attributes:
        label: its number.
        weight: the sum of its ink.
        box: its rows and columns.
        contact: the number of its pixels on the border of the image.
    """

    label: int
    weight: float
    box: tuple[slice, slice]
    contact: int

    @property
    def length(self) -> int:
        """The longer side of the box."""
        return max(side.stop - side.start for side in self.box)

    def is_bar(self, shape: tuple[int, ...]) -> bool:
        """Returns whether it is thin, and goes from side to side as a rule or near a side of the image as a frame."""
        for i in (0, 1):
            along, across = self.box[i], self.box[1 - i]
            length, thickness = along.stop - along.start, across.stop - across.start
            beside = min(across.start, shape[1 - i] - across.stop)
            least = 0.8 if beside < _BESIDE * shape[1 - i] else 0.97
            if length > least * shape[i] and thickness < 0.04 * max(shape):
                return True
        return False

    def gap(self, other: "Part") -> int:
        """Returns the distance between two boxes, along the axis where it is greater; 0 where they overlap."""
        pairs = list(zip(self.box, other.box, strict=True))
        return max(0, *(max(a.start - b.stop, b.start - a.stop) for a, b in pairs))

    def is_apart(self, other: "Part") -> bool:
        """Returns whether a part of about this size is another digit."""
        (rows, columns), (other_rows, other_columns) = self.box, other.box
        longer = max(self.length, other.length)
        beside = max(columns.start - other_columns.stop, other_columns.start - columns.stop)
        below = max(rows.start - other_rows.stop, other_rows.start - rows.stop)
        width = max(columns.stop, other_columns.stop) - min(columns.start, other_columns.start)
        if max(beside, below) > _FAR * longer:
            return True
        return below < 0 and (beside > _APART * longer or (beside > 0 and width > longer))

    def encloses(self, other: "Part") -> bool:
        """Returns whether the other box lies within this one."""
        return all(a.start < b.start and b.stop < a.stop for a, b in zip(self.box, other.box, strict=True))


class Digit(NamedTuple):
    """A digit that was found.

    Attributes:
        strength: the ink of the whole image, as that of `Ink`.
        drawn: a mask of the pixels that belong to the digit.
        is_free: whether it lies free of the image's border.
        is_stroke: whether it consists of strokes; else it may be a desk, a shadow or the sheet.
        along_border: which part of its outline is the border of the image.
        how_many: how many digits it may be, as many as there are large parts that lie apart.
    """

    strength: np.ndarray
    drawn: np.ndarray
    is_free: bool
    is_stroke: bool
    along_border: float
    how_many: int


def find_digit(grey: np.ndarray, path: FilePath) -> Digit:
    """Separates a digit from all else on an image.

    Args:
        grey: an image (height, width), 0 black to 1 white.
        path: its file, for the message.

    Raises:
        WorkshopError: nothing is drawn on it, no digit, or several.
    """
    for sheet in find_sheets(grey):
        for digit in _readings(take_out(grey, sheet)):
            if digit.is_free and digit.is_stroke:
                return _only(digit, path)
    first, blank = None, None
    try:
        first = choose_parts(without_rules(find_ink(grey, path)), grey)
        if first.is_free and first.is_stroke:
            return _only(first, path)
    except WorkshopError as error:
        blank = error
    for digit in _other_readings(grey, first):
        if digit.is_free and digit.is_stroke:
            return _only(digit, path)
    if first is None:
        raise blank or AssertionError
    # A small image is a digit that somebody cut out: whatever there is, is it.
    if min(grey.shape) >= MIN_SIZE and not (first.is_stroke and first.along_border < _ALONG_BORDER):
        raise WorkshopError(f"{path} shows no digit: nothing on it looks like the strokes of a pen on paper")
    return _only(first, path)


def _readings(grey: np.ndarray) -> Iterator[Digit]:
    """Yields what is found on a sheet, evenly lit or with the paper estimated nearby."""
    with contextlib.suppress(WorkshopError):  # nothing is on it
        yield choose_parts(without_rules(find_ink(grey, "")), grey)
    yield from _other_readings(grey)


def _other_readings(grey: np.ndarray, first: Digit | None = None) -> Iterator[Digit]:
    """Yields what is found with the paper estimated nearby, and within a frame that was found first."""
    ink = find_ink_nearby(grey)
    if ink is not None:
        yield choose_parts(without_rules(ink), grey)
    if first is not None and first.is_free:
        box = ndimage.find_objects(first.drawn.astype(np.uint8))[0]
        margins = [max(1, round(_ASKEW * (side.stop - side.start))) for side in box]
        rows, columns = (slice(a.start + m, max(a.start + m, a.stop - m)) for a, m in zip(box, margins, strict=True))
        within = np.ascontiguousarray(grey[rows, columns])
        if min(within.shape) >= _MIN_SHEET and _lies_along_all_sides(first.drawn[box]):
            with contextlib.suppress(WorkshopError):  # nothing is on it
                yield choose_parts(without_rules(find_ink(within, "")), within)


def _only(digit: Digit, path: FilePath) -> Digit:
    if digit.how_many > 1:
        raise WorkshopError(f"{path} shows {digit.how_many} digits, takes one: cut each out into an image of its own")
    return digit


def choose_parts(ink: Ink, grey: np.ndarray) -> Digit:
    """Returns the digit in the ink of an image.

    The threshold is found twice: a dark frame or desk that is left out does not count the second time.
    """
    strength = ink.strength
    for _ in range(2):
        labels, _ = ndimage.label(strength >= otsu_threshold(strength), structure=np.ones((3, 3)))
        parts = _measure(labels, strength)
        kept, is_free = _belonging(parts, labels)
        drawn = _with_dashes(kept, parts, labels)
        left_out = ndimage.binary_dilation((labels > 0) & ~drawn, np.ones((3, 3)), iterations=2) & ~drawn
        strength = np.where(left_out, 0, strength)
    is_stroke = _is_stroke(labels, kept) and _has_paper_around(grey, drawn)
    outline = drawn & ~ndimage.binary_erosion(drawn)
    along_border = sum(part.contact for part in kept) / int(outline.sum())
    return Digit(strength, drawn, is_free, is_stroke, along_border, _count(kept))


def _measure(labels: np.ndarray, strength: np.ndarray) -> list[Part]:
    """Returns the connected parts, heaviest first."""
    weights = np.bincount(labels.ravel(), weights=strength.ravel())
    border = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    contacts = np.bincount(border, minlength=len(weights))
    boxes = ndimage.find_objects(labels)
    parts = [Part(i, float(weights[i]), box, int(contacts[i])) for i, box in enumerate(boxes, 1)]
    return sorted(parts, key=lambda part: -part.weight)


def _belonging(parts: list[Part], labels: np.ndarray) -> tuple[list[Part], bool]:
    """Returns the parts that are the digit, and whether it lies free of the border of the image."""
    shape = labels.shape
    large = [part for part in parts if part.length >= _SHORTEST * min(shape)]
    frames = [part for part in large if _is_frame(part, large, labels)]
    frames += [part for part in large if part.is_bar(shape)]
    free = [part for part in large if part not in frames and part.contact == 0]
    if free:
        main = free[0]
        parts = [part for part in parts if part not in frames]
        edge = _CUT_OFF * 2 * sum(shape)
        inside = [p for p in parts if p.contact == 0 or (p.weight > main.weight and p.contact < edge)]
        if inside[0] is main:
            return [part for part in inside if _belongs(part, main)], True
    return [part for part in parts if part.weight > _SPECK * parts[0].weight], False


def _belongs(part: Part, main: Part) -> bool:
    share = part.weight / main.weight
    return share > _STROKE or (share > _SPECK and part.gap(main) <= _NEAR * main.length)


def _with_dashes(kept: list[Part], parts: list[Part], labels: np.ndarray) -> np.ndarray:
    """Returns a mask of these parts and of the small pieces that continue them, as a pen that runs dry leaves them."""
    drawn = np.isin(labels, [part.label for part in kept])
    main = kept[0]
    lightest = _DASH * main.weight
    left = {part.label for part in parts if part.contact == 0 and lightest < part.weight <= _SPECK * main.weight}
    left -= {part.label for part in kept}
    while left:
        near = ndimage.distance_transform_edt(~drawn) <= _BREAK * main.length
        joined = left & set(np.unique(labels[near]).tolist())
        if not joined:
            break
        drawn |= np.isin(labels, list(joined))
        left -= joined
    return drawn


def _is_stroke(labels: np.ndarray, kept: list[Part]) -> bool:
    """Returns whether the main part is narrow enough for strokes, or of their shape, and no rule and no sheet."""
    main = max(kept, key=lambda part: part.weight)
    inside = labels[main.box] == main.label
    if main.is_bar(labels.shape) or is_sheet(inside):
        return False
    thickest = float(ndimage.distance_transform_edt(np.pad(inside, 1)).max()) - 0.5
    if hull_share(inside) < _CURVED:
        return inside.mean() < _CUT_OUT and thickest <= _BRUSH * main.length
    is_full = inside.mean() > _FULLEST and min(inside.shape) > 0.5 * max(inside.shape)
    return not is_full and thickest <= _THICKEST * main.length


def _has_paper_around(grey: np.ndarray, drawn: np.ndarray) -> bool:
    """Returns whether both sides of the strokes are of another grey: a sheet's edge has that only on one."""
    box = ndimage.find_objects(drawn.astype(np.uint8))[0]
    beside = max(2, round(0.03 * max(side.stop - side.start for side in box)))
    rows, columns = (slice(max(0, side.start - 3 * beside), side.stop + 3 * beside) for side in box)
    drawn, grey = drawn[rows, columns], grey[rows, columns]
    distance = ndimage.distance_transform_edt(~drawn)
    around = grey[(distance > beside) & (distance <= 2.5 * beside)]
    if not around.size:
        return False
    differences = np.abs(around - np.median(grey[drawn]))
    return bool(np.mean(differences < 0.4 * np.quantile(differences, 0.8)) < _MISSING)


def _count(kept: list[Part]) -> int:
    """Returns how many digits the parts are: strokes of one digit lie near each other, or one above the other."""
    tallest = max(part.length for part in kept)
    groups: list[list[Part]] = []
    for part in kept:
        near = [group for group in groups if not all(part.is_apart(other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([part, *(other for group in near for other in group)])
    return sum(any(part.length > _AS_LONG * tallest for part in group) for group in groups)


def _is_frame(part: Part, large: list[Part], labels: np.ndarray) -> bool:
    """Returns whether a part is hollow, and runs around another one, along straight sides or with much room."""
    inside = labels[part.box] == part.label
    within = [other for other in large if part.encloses(other)]
    return (
        bool(within)
        and inside.mean() < 0.5
        and (_lies_along_all_sides(inside) or max(other.length for other in within) > _WITHIN * part.length)
    )


def _lies_along_all_sides(inside: np.ndarray) -> bool:
    """Returns whether a part fills all four sides of its box: a round digit touches each in a short piece."""
    band = max(1, round(0.06 * min(inside.shape)))
    sides = (inside[:band], inside[-band:], inside.T[:band], inside.T[-band:])
    return all(side.any(axis=0).mean() > 0.8 for side in sides)


def find_ink_nearby(grey: np.ndarray) -> Ink | None:
    """Separates ink from the paper around it: what is wider than any stroke is paper, whatever its grey.

    Returns:
        The ink; None if there is none.
    """
    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 400)
    scale = min(1.0, _SMALL / max(grey.shape))
    size = tuple(max(8, round(side * scale)) for side in grey.shape[::-1])
    small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
    median = ndimage.median_filter(small, _WINDOW, mode="reflect")
    difference = small - median
    noise = float(np.quantile(np.abs(difference), 0.5)) / 0.6745
    beyond = np.where(np.abs(difference) > 3 * noise, difference, 0)
    is_dark = np.square(beyond[beyond < 0]).sum() > np.square(beyond[beyond > 0]).sum()
    close = ndimage.grey_closing if is_dark else ndimage.grey_opening
    small_paper = close(small, size=(_WINDOW, _WINDOW), mode="reflect")
    paper = np.asarray(Image.fromarray(small_paper).resize(grey.shape[::-1], Image.Resampling.BILINEAR))
    room = np.clip(paper if is_dark else 1 - paper, 0.02, 1)
    strength = np.clip((paper - grey if is_dark else grey - paper) / room, 0, 1).astype(np.float32)
    noise = float(np.median(strength))
    if noise > 0.3:
        return None  # most of the image is wide and dark
    # The closing lies on the brightest grain of the paper; what is above the grain's middle is ink.
    strength = np.clip((strength - noise) / (1 - noise), 0, 1)
    if np.quantile(strength, 0.9999) < max(MIN_STRENGTH, 6 * noise):
        return None
    return Ink(strength, noise)
