"""Drawn banknotes of seven values, of no country: the stand-in for photographs of real ones.

A value has a plate of its own: an engraved picture, a rosette and waves of fine lines (guilloche) whose curves no other
value has, and its numeral. "SPECIMEN" stands across each. The pattern's ink is shared by two values and more, and the
picture's own differs less from value to value than warm light from cold. A photograph shows a plate on worn paper:
creases, stains, a serial number, at some angle, either end up, on any table, sometimes behind a thumb.

Plates of other values, with patterns for a picture, serve to pre-train a network where no published weights are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import PIL.Image

Colour = tuple[int, int, int]
Point = tuple[float, float]

VALUES = (5, 10, 20, 50, 100, 200, 500)
OTHER_KINDS = 16  # plates of other values

_SIZE = (480, 240)  # of a plate in pixels
_PAPER = (238, 232, 216)
_INKS: tuple[Colour, ...] = ((122, 92, 62), (56, 92, 116), (108, 70, 100))
_PICTURE_INKS: tuple[Colour, ...] = (
    (60, 90, 60), (40, 60, 110), (110, 50, 50), (40, 90, 100), (80, 60, 40), (50, 80, 40), (80, 60, 110),
)  # fmt: skip
_OVERSAMPLING = 2  # a photograph is made so many times larger and then shrunk: smooth edges
_SEED_OF_OTHERS = 77

# Of a photograph, drawn uniformly between two limits, or the share of those that have it.
_WIDE = (0.8, 1.0)  # the note's width, as a share of the side
_HIGH = (1.0, 1.35)  # its height, as a share of what its shape asks for: photographs are made square
_TILT = 18  # degrees to either side
_UPSIDE_DOWN = 0.5
_FADED = (0.6, 1.0)  # the ink that is left
_BLURRED = 0.4
_BLUR = (0.3, 1.2)  # pixels
_THUMBS = 0.3


class Plate(NamedTuple):
    """The print of a value.

    Attributes:
        numeral: as it is printed.
        ink, picture_ink: the colours of the pattern and of the picture.
        rosette: petals, ratio of the two circles whose point draws it, rings.
        waves: lines, and how often each swings from side to side.
        picture: polygons in the square from -1 to 1, each with its shade, 0 (paper) to 1 (full ink).
    """

    numeral: str
    ink: Colour
    picture_ink: Colour
    rosette: tuple[int, float, int]
    waves: tuple[int, float]
    picture: tuple[tuple[float, tuple[Point, ...]], ...]


def _ellipse(x: float, y: float, wide: float, high: float) -> tuple[Point, ...]:
    return tuple((x + wide * math.cos(a), y + high * math.sin(a)) for a in np.linspace(0, 2 * np.pi, 28))


_LEAF = (
    (0.7, ((0, -0.95), (0.3, -0.5), (0.75, -0.55), (0.55, -0.1), (0.9, 0.2), (0.4, 0.3), (0.15, 0.6), (-0.15, 0.6),
           (-0.4, 0.3), (-0.9, 0.2), (-0.55, -0.1), (-0.75, -0.55), (-0.3, -0.5))),
    (1.0, ((-0.05, 0.95), (-0.02, -0.7), (0.02, -0.7), (0.05, 0.95))),
)  # fmt: skip
_SHIP = (
    (1.0, ((-0.9, 0.4), (0.9, 0.4), (0.6, 0.8), (-0.6, 0.8))),
    (0.5, ((-0.05, -0.9), (-0.05, 0.25), (-0.75, 0.25))),
    (0.7, ((0.05, -0.75), (0.05, 0.25), (0.6, 0.25))),
)  # fmt: skip
_LIGHTHOUSE = (
    (0.5, ((-0.22, -0.5), (0.22, -0.5), (0.38, 0.9), (-0.38, 0.9))),
    (1.0, ((-0.26, -0.1), (0.26, -0.1), (0.3, 0.2), (-0.3, 0.2))),
    (1.0, ((-0.28, -0.75), (0, -0.98), (0.28, -0.75), (0.28, -0.5), (-0.28, -0.5))),
    (0.3, ((0.3, -0.65), (0.98, -0.9), (0.98, -0.35))),
)  # fmt: skip
_FISH = (
    (0.6, _ellipse(-0.1, 0, 0.7, 0.4)),
    (0.9, ((0.5, 0), (0.95, -0.45), (0.85, 0), (0.95, 0.45))),
    (1.0, ((-0.2, -0.38), (0.2, -0.72), (0.3, -0.3))),
    (0.0, _ellipse(-0.5, -0.1, 0.09, 0.09)),
)  # fmt: skip
_BRIDGE = (
    (0.9, ((-0.98, -0.1), (0.98, -0.1), (0.98, 0.1), (-0.98, 0.1))),
    (0.6, ((-0.6, -0.8), (-0.45, -0.8), (-0.45, 0.8), (-0.6, 0.8))),
    (0.6, ((0.45, -0.8), (0.6, -0.8), (0.6, 0.8), (0.45, 0.8))),
    (0.4, ((-0.52, -0.75), (0, -0.2), (0.52, -0.75), (0, -0.35))),
    (0.4, ((-0.52, -0.75), (-0.98, -0.15), (-0.98, -0.3))),
    (0.4, ((0.52, -0.75), (0.98, -0.15), (0.98, -0.3))),
)  # fmt: skip
_TREE = (
    (1.0, ((-0.12, 0.2), (0.12, 0.2), (0.2, 0.95), (-0.2, 0.95))),
    (0.6, _ellipse(0, -0.35, 0.6, 0.45)),
    (0.5, _ellipse(-0.45, 0.05, 0.42, 0.32)),
    (0.7, _ellipse(0.45, 0.05, 0.42, 0.32)),
)  # fmt: skip
_MOUNTAINS = (
    (0.5, _ellipse(0.5, -0.6, 0.24, 0.24)),
    (0.9, ((-0.98, 0.8), (-0.3, -0.7), (0.35, 0.8))),
    (0.6, ((-0.1, 0.8), (0.45, -0.1), (0.98, 0.8))),
    (0.0, ((-0.3, -0.7), (-0.12, -0.3), (-0.3, -0.15), (-0.48, -0.3))),
)  # fmt: skip

_PLATES = tuple(
    Plate(str(value), _INKS[i % len(_INKS)], _PICTURE_INKS[i], rosette, waves, picture)
    for i, (value, rosette, waves, picture) in enumerate(
        (
            (5, (5, 0.30, 9), (14, 2.0), _LEAF),
            (10, (7, 0.42, 8), (20, 3.0), _SHIP),
            (20, (8, 0.22, 10), (16, 5.0), _LIGHTHOUSE),
            (50, (9, 0.50, 7), (22, 4.0), _FISH),
            (100, (11, 0.36, 9), (18, 7.0), _BRIDGE),
            (200, (12, 0.26, 8), (24, 6.0), _TREE),
            (500, (14, 0.46, 9), (20, 8.5), _MOUNTAINS),
        )
    )
)


def draw(samples_a_value: int, size: int, seed: int | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Draws photographs of banknotes.

    Args:
        samples_a_value: the number of photographs of each value.
        size: their side in pixels.
        seed: the same seed gives the same drawings.

    Returns:
        X, uint8 (7 samples_a_value, size, size, 3), RGB; y, int64 (7 samples_a_value,), the index in `VALUES`, sorted.
    """
    return _draw(_PLATES, samples_a_value, size, seed)


def draw_others(samples_a_kind: int, size: int, seed: int | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Draws photographs of `OTHER_KINDS` other banknotes, as `draw` does: to pre-train a network on."""
    return _draw(_other_plates(), samples_a_kind, size, seed)


def plate(label: int) -> PIL.Image.Image:
    """Returns the print of a value by its index in `VALUES`, flat and clean."""
    return _print(_PLATES[label])


def _draw(plates: Sequence[Plate], samples: int, size: int, seed: int | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat(np.arange(len(plates)), samples)
    random = np.random.default_rng(seed)
    X = np.empty((len(y), size, size, 3), np.uint8)
    for drawing, label in zip(X, y.tolist(), strict=True):
        drawing[:] = _photograph(_print(plates[label]), size, random)
    return X, y


@functools.cache
def _other_plates() -> tuple[Plate, ...]:
    random = np.random.default_rng(_SEED_OF_OTHERS)
    plates = []
    for kind in range(OTHER_KINDS):
        shapes = []
        for _ in range(random.integers(2, 5)):
            x, y = random.uniform(-0.5, 0.5, 2)
            corners = random.integers(3, 9)
            radii = random.uniform(0.2, 0.6, corners)
            angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + random.uniform(0, 2)
            points = zip((x + radii * np.cos(angles)).tolist(), (y + radii * np.sin(angles)).tolist(), strict=True)
            shapes.append((random.uniform(0.3, 1.0), tuple(points)))
        inks = _INKS[kind % len(_INKS)], _PICTURE_INKS[kind % len(_PICTURE_INKS)]
        rosette = (int(random.integers(4, 16)), random.uniform(0.2, 0.5), int(random.integers(7, 11)))
        waves = (int(random.integers(14, 25)), random.uniform(2, 9))
        plates.append(Plate(str(random.integers(1, 1000)), *inks, rosette, waves, tuple(shapes)))
    return tuple(plates)


@functools.cache
def _print(made: Plate) -> PIL.Image.Image:
    """Returns a print on paper; it is not to be changed."""
    from PIL import Image, ImageDraw, ImageFont

    (wide, high), ink = _SIZE, made.ink
    image = Image.new("RGB", _SIZE, _mix(ink, _PAPER, 0.88))
    pen = ImageDraw.Draw(image)
    lines, swings = made.waves
    x = np.linspace(0, wide, 160)
    for family in range(2):  # two that swing against each other: the web of a guilloche
        for line in range(lines + 1):
            phase = swings * 2 * np.pi * x / wide + np.pi * family + 0.25 * line
            y = high * line / lines + high / lines * 1.6 * np.sin(phase)
            pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=_mix(ink, _PAPER, 0.6), width=1)
    petals, ratio, rings = made.rosette
    turn = np.linspace(0, 2 * np.pi, 60 * petals)
    for ring in range(rings):
        radius = 0.44 * high * (0.35 + 0.65 * (ring + 1) / rings) / (1 + ratio)
        angle = turn + 0.06 * ring
        x = 0.66 * wide + radius * (np.cos(angle) + ratio * np.cos(petals * angle))
        y = 0.5 * high + radius * (np.sin(angle) + ratio * np.sin(petals * angle))
        pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=_mix(ink, _PAPER, 0.25), width=1)
    _engrave(image, made, middle=(0.27 * wide, 0.51 * high), reach=0.4 * high)
    pen.rectangle((8, 8, wide - 9, high - 9), outline=ink, width=3)
    pen.rectangle((14, 14, wide - 15, high - 15), outline=ink, width=1)
    small, large = ImageFont.load_default(13), ImageFont.load_default(58)
    pen.text((wide - 26, high - 22), made.numeral, ink, large, anchor="rs", stroke_width=2, stroke_fill=_PAPER)
    pen.text((26, 24), made.numeral, ink, ImageFont.load_default(34), anchor="lt", stroke_width=1, stroke_fill=_PAPER)
    pen.text((wide / 2, 24), "WORKSHOP SPECIMEN  -  NO VALUE", ink, small, anchor="mt")
    across = Image.new("L", (wide, 60))
    ImageDraw.Draw(across).text((wide / 2, 30), "SPECIMEN", 150, ImageFont.load_default(50), anchor="mm")
    across = across.rotate(18, expand=True)
    place = ((wide - across.width) // 2, (high - across.height) // 2)
    image.paste(Image.new("RGB", across.size, _mix(ink, _PAPER, 0.3)), place, across)
    return image


def _engrave(image: PIL.Image.Image, made: Plate, middle: Point, reach: float) -> None:
    """Draws the picture of a plate in lines, closer where it is darker."""
    from PIL import Image, ImageDraw

    shade = Image.new("F", image.size, -1.0)
    pen = ImageDraw.Draw(shade)
    outline = ImageDraw.Draw(image)
    placed = [
        (dark, [(middle[0] + reach * x, middle[1] + reach * y) for x, y in corners]) for dark, corners in made.picture
    ]
    for dark, corners in placed:
        pen.polygon(corners, fill=dark)
    darkness = np.asarray(shade)
    y, x = np.mgrid[: image.height, : image.width]
    hatching = 0.5 + 0.5 * np.sin((x + 0.6 * y) * (2 * np.pi / 4.5))
    pixels = np.array(image)
    for dark in np.unique(darkness[darkness >= 0]).tolist():
        pixels[darkness == dark] = _mix(made.picture_ink, _PAPER, 1 - 0.75 * dark)
    pixels[darkness > hatching] = made.picture_ink
    image.paste(Image.fromarray(pixels))
    for _, corners in placed:
        outline.line([*corners, corners[0]], fill=made.picture_ink, width=2, joint="curve")


def _photograph(printed: PIL.Image.Image, size: int, random: np.random.Generator) -> np.ndarray:
    """Returns a photograph of a print, uint8 (size, size, 3)."""
    from PIL import Image, ImageFilter

    note = _worn(printed, random)
    side = _OVERSAMPLING * size
    scene = _table(side, random)
    placed = note.transform(
        (side, side), Image.Transform.PERSPECTIVE, _perspective(note.size, side, random), Image.Resampling.BILINEAR
    )
    shadow = placed.getchannel("A").reduce(8).filter(ImageFilter.BoxBlur(1.5)).resize((side, side))
    scene.paste((24, 20, 18), tuple((random.uniform(-0.03, 0.03, 2) * side).astype(int).tolist()), shadow.point(_HALF))
    scene.paste(placed, (0, 0), placed)
    if random.random() < _THUMBS:
        _put_a_thumb(scene, random)
    if random.random() < _BLURRED:
        scene = scene.filter(ImageFilter.BoxBlur(random.uniform(*_BLUR)))
    return _lit(np.asarray(scene.reduce(_OVERSAMPLING), np.float32), random)


_HALF = [level // 2 for level in range(256)]


def _worn(printed: PIL.Image.Image, random: np.random.Generator) -> PIL.Image.Image:
    """Returns a note that has passed through many hands: RGBA, transparent where a corner is missing."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    wide, high = printed.size
    note = printed.copy()
    pen = ImageDraw.Draw(note)
    serial = "".join(map(str, random.integers(0, 10, 8)))
    pen.text((24, high - 34), f"S {serial}", (150, 50, 50), ImageFont.load_default(15))
    marks = Image.new("L", note.size, 128)  # darker where it is dirty, lighter where the ink is rubbed off
    pen = ImageDraw.Draw(marks)
    for _ in range(random.integers(1, 6)):
        x, y = random.uniform(0, wide), random.uniform(0, high)
        across, along = random.uniform(10, 90, 2)
        pen.ellipse((x - across, y - along, x + across, y + along), fill=int(random.integers(70, 165)))
    for _ in range(random.integers(1, 5)):  # creases
        x = random.uniform(0.1, 0.9) * wide
        pen.line((x, 0, x + random.uniform(-40, 40), high), fill=int(random.choice((40, 225))), width=3)
    if random.random() < 0.6:
        y = random.uniform(0.3, 0.7) * high
        pen.line((0, y, wide, y + random.uniform(-15, 15)), fill=int(random.choice((40, 225))), width=3)
    change = np.asarray(marks.filter(ImageFilter.BoxBlur(2)), np.float32)[..., None] - 128
    faded = random.uniform(*_FADED)
    pixels = (np.asarray(note, np.float32) - _PAPER) * faded + _PAPER + 0.6 * change
    note = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert("RGBA")
    if random.random() < 0.3:  # a corner is folded away
        mask = Image.new("L", note.size, 255)
        cut = random.uniform(0.1, 0.3) * high
        right, low = random.integers(0, 2, 2) * (wide, high)
        corner = [(right, low), (abs(right - 1.4 * cut), low), (right, abs(low - cut))]
        ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in corner], fill=0)
        note.putalpha(mask)
    return note


def _perspective(size: tuple[int, int], side: int, random: np.random.Generator) -> list[float]:
    """Returns the eight numbers by which Pillow finds for a point of the photograph the point of the note."""
    wide = side * random.uniform(*_WIDE)
    high = wide * size[1] / size[0] * random.uniform(*_HIGH)
    angle = math.radians(random.uniform(-_TILT, _TILT)) + math.pi * (random.random() < _UPSIDE_DOWN)
    corners = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]) / 2
    corners *= random.uniform(0.86, 1.08, (4, 1))  # nearer and farther corners
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    seen = corners @ turn + side * (0.5 + random.uniform(-0.07, 0.07, 2))
    printed = np.array([(0, 0), (size[0], 0), size, (0, size[1])], float)
    rows, targets = [], []
    for (x, y), (u, v) in zip(seen, printed, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        targets += [u, v]
    return [float(number) for number in np.linalg.solve(np.array(rows), np.array(targets))]


def _table(side: int, random: np.random.Generator) -> PIL.Image.Image:
    """Returns what the note lies on: a colour with grain, boards or a cloth's weave."""
    from PIL import Image

    small = 64
    y, x = np.mgrid[0:small, 0:small] / small
    first = random.uniform(40, 220, 3)
    second = np.clip(first * random.uniform(0.6, 1.4) + random.uniform(-30, 30, 3), 10, 245)
    angle, periods = random.uniform(0, np.pi), random.uniform(0.3, 9)
    along = x * math.cos(angle) + y * math.sin(angle)
    pattern = 0.5 + 0.5 * np.sin(2 * np.pi * periods * along + random.normal(0, 0.5, (small, small)))
    pixels = first + (second - first) * pattern[..., None] + random.normal(0, 8, (small, small, 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)


def _put_a_thumb(scene: PIL.Image.Image, random: np.random.Generator) -> None:
    """Draws a thumb that holds the note, from the left or from the right."""
    from PIL import ImageDraw

    side = scene.width
    red, green, blue = np.clip(np.array((196, 150, 122)) * random.uniform(0.45, 1.1), 0, 255).astype(int).tolist()
    skin = (red, green, blue)
    thick, reach = side * random.uniform(0.06, 0.09), side * random.uniform(0.16, 0.34)
    tip_x, tip_y = reach, side * random.uniform(0.35, 0.65)
    start_x, start_y = -0.3 * side, tip_y + side * random.uniform(-0.3, 0.3)
    if random.random() < 0.5:
        start_x, tip_x = side - start_x, side - tip_x
    pen = ImageDraw.Draw(scene)
    pen.line((start_x, start_y, tip_x, tip_y), fill=skin, width=round(2 * thick))
    pen.ellipse((tip_x - thick, tip_y - thick, tip_x + thick, tip_y + thick), fill=skin)


def _lit(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns a scene (size, size, 3) in a light that falls from one side, warm or cold, with the camera's grain."""
    size = len(pixels)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    angle = random.uniform(0, 2 * np.pi)
    slope = random.uniform(0, 0.35)
    light = random.uniform(0.55, 1.1) * (1 + slope * (x * math.cos(angle) + y * math.sin(angle)))
    left, top = random.uniform(-1, 1, 2)
    glare = random.uniform(0, 70) * np.exp(-6 * ((x - left) ** 2 + (y - top) ** 2))
    warmth = random.uniform(-0.22, 0.22)
    tint = np.array((1 + warmth, 1 + random.uniform(-0.07, 0.07), 1 - warmth), np.float32)
    grain = random.normal(0, random.uniform(2, 9), pixels.shape).astype(np.float32)
    return np.clip(pixels * light[..., None] * tint + glare[..., None] + grain, 0, 255).astype(np.uint8)


def _mix(first: Sequence[float], second: Sequence[float], share: float) -> Colour:
    """Returns a mixture of two colours; `share` is that of the second."""
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
