"""The parts of drawn animals: a pen that turns and places a head, colours, eyes, mouths, whiskers, a background.

`synthetic_animals` draws with them. Everything but the shape of a head is random, with the same distribution of
colours, sizes, positions and angles for each animal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import PIL.Image

Colour = tuple[int, int, int]
Point = tuple[float, float]

_FURS: tuple[Colour, ...] = (
    (60, 56, 54), (120, 118, 120), (172, 168, 164), (236, 230, 220), (214, 138, 66), (150, 96, 56), (100, 66, 44),
    (226, 196, 150), (88, 96, 116),
)  # fmt: skip
_EYES: tuple[Colour, ...] = ((112, 150, 60), (196, 160, 50), (92, 140, 180), (120, 74, 36), (60, 44, 34))
NOSES: tuple[Colour, ...] = ((36, 30, 30), (206, 128, 128), (110, 70, 60))
_TONGUE: Colour = (222, 110, 120)
DARK: Colour = (30, 26, 26)
LIGHT: Colour = (250, 250, 246)
_OVERSAMPLING = 2  # drawn so many times larger and then shrunk: smooth edges
_CIRCLE = [(math.cos(angle), math.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 36, endpoint=False)]


class Coat(NamedTuple):
    """The colours of one animal: its fur, its ears, and the line around both."""

    fur: Colour
    ear: Colour
    edge: Colour


Face = Callable[["Pen", Coat, np.random.Generator], None]


def draw_head(face: Face, middle: float, size: int, random: np.random.Generator) -> np.ndarray:
    """Draws one animal, uint8 (size, size, 3); `middle` is as for `Pen`."""
    fur = vary(_FURS[random.integers(len(_FURS))], random)
    image = _background(size * _OVERSAMPLING, fur, random)
    pen = Pen(image, middle, random)
    edge = shade(fur, 0.62)
    ear = vary(shade(fur, random.uniform(0.6, 1.15)), random, 8)
    # The body below is the same for all animals.
    pen.ellipse(random.uniform(-0.3, 0.3), 2.1, random.uniform(1.0, 1.4), 1.6, shade(fur, 0.85), edge)
    face(pen, Coat(fur, ear, edge), random)
    # A photograph has grain, and light that is warmer or colder.
    values = np.asarray(image.reduce(_OVERSAMPLING), np.int16)
    grain = random.integers(-14, 15, values.shape, np.int16)
    light = random.integers(-12, 13, 3, np.int16)
    return np.clip(values + grain + light, 0, 255).astype(np.uint8)


class Pen:
    """Draws a head in its own coordinates: 1 is about half its width, y points down; the pen turns and places it."""

    def __init__(self, image: PIL.Image.Image, middle: float, random: np.random.Generator) -> None:
        """Draws a random size, angle and position; `middle` is the y that is placed near the middle of the image."""
        from PIL import ImageDraw

        side = image.width
        self._draw = ImageDraw.Draw(image)
        self.unit = side * random.uniform(0.2, 0.3)  # pixels
        angle = math.radians(random.uniform(-25, 25))
        self._cos, self._sin = math.cos(angle) * self.unit, math.sin(angle) * self.unit
        self._x, self._y = side * random.uniform(0.34, 0.66), side * random.uniform(0.38, 0.62) - middle * self.unit

    def _placed(self, points: Sequence[Point]) -> list[Point]:
        return [(self._x + x * self._cos - y * self._sin, self._y + x * self._sin + y * self._cos) for x, y in points]

    def polygon(self, points: Sequence[Point], fill: Colour, outline: Colour | None = None) -> None:
        """Draws a polygon by its corners, and a line around it."""
        placed = self._placed(points)
        self._draw.polygon(placed, fill=fill)
        if outline is not None:
            self._draw.line([*placed, placed[0]], fill=outline, width=max(1, round(0.035 * self.unit)), joint="curve")

    def ellipse(
        self, x: float, y: float, wide: float, high: float, fill: Colour, outline: Colour | None = None, tilt: float = 0
    ) -> None:
        """Draws an ellipse by its middle and its two radii, turned by `tilt` radians."""
        cos, sin = math.cos(tilt), math.sin(tilt)
        points = [(x + a * wide * cos - b * high * sin, y + a * wide * sin + b * high * cos) for a, b in _CIRCLE]
        self.polygon(points, fill, outline)

    def pair(
        self, x: float, y: float, wide: float, high: float, fill: Colour, outline: Colour | None = None, tilt: float = 0
    ) -> None:
        """Draws two ellipses, at (-x, y) and (x, y); a positive tilt turns their upper ends outwards."""
        for side in (-1, 1):
            self.ellipse(side * x, y, wide, high, fill, outline, side * tilt)

    def mirrored(self, points: Sequence[Point], fill: Colour, outline: Colour | None = None) -> None:
        """Draws a polygon and its mirror image."""
        for side in (-1, 1):
            self.polygon([(side * x, y) for x, y in points], fill, outline)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draws a line through points."""
        self._draw.line(self._placed(points), fill=colour, width=max(1, round(width * self.unit)), joint="curve")


def eyes(pen: Pen, x: float, y: float, random: np.random.Generator, pupil: Point) -> None:
    """Draws both eyes at (-x, y) and (x, y); `pupil` is its width and height as shares of the coloured ring's."""
    colour = vary(_EYES[random.integers(len(_EYES))], random, 10)
    radius = random.uniform(0.15, 0.2)
    pen.pair(x, y, radius * 1.15, radius, colour, DARK, -0.25)
    for side in (-1, 1):
        pen.ellipse(side * x, y, radius * pupil[0], radius * pupil[1], DARK)
        pen.ellipse(side * x + 0.05, y - 0.06, 0.04, 0.04, LIGHT)


def nose_colour(random: np.random.Generator) -> Colour:
    """Returns a random colour of a nose."""
    return NOSES[random.integers(len(NOSES))]


def mouth(pen: Pen, top: float, wide: float, random: np.random.Generator) -> None:
    """Draws the line below the nose that splits into two arcs, and sometimes a tongue."""
    if random.random() < 0.3:
        pen.ellipse(0, top + 0.28, 0.11, 0.17, _TONGUE)
    for side in (-1, 1):
        arc = [(side * wide * (1 - a) / 2, top + 0.1 + 0.08 * b) for a, b in _CIRCLE[:19]]
        pen.line([(0, top), *arc], DARK, 0.03)


def whiskers(pen: Pen, fur: Colour, x: float, y: float, reach: Point, random: np.random.Generator) -> None:
    """Draws three whiskers on each side, from (x, y) to a distance between the two of `reach`."""
    for side in (-1, 1):
        for slope in (-0.16, 0.0, 0.16):
            end = (side * random.uniform(*reach), y - 0.04 + slope * 1.6)
            pen.line([(side * x, y + 0.3 * slope), end], LIGHT if sum(fur) < 420 else DARK, 0.025)


def markings(pen: Pen, fur: Colour, random: np.random.Generator) -> None:
    """Draws sometimes stripes on the forehead, or a patch around one eye."""
    kind = random.random()
    if kind < 0.3:
        for x in (-0.24, 0.0, 0.24):
            pen.line([(x * 1.2, -0.72), (x, -0.42)], shade(fur, 0.6), 0.07)
    elif kind < 0.55:
        side = random.choice((-1, 1))
        pen.ellipse(side * 0.4, -0.18, 0.32, 0.34, shade(fur, 0.65) if sum(fur) > 360 else mix(fur, LIGHT, 0.7))


def _background(side: int, fur: Colour, random: np.random.Generator) -> PIL.Image.Image:
    """Returns a gradient between two colours that differ from the fur, with some blurred ellipses in it."""
    from PIL import Image, ImageDraw, ImageFilter

    first, second = (_unlike(fur, random) for _ in range(2))
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-0.5:0.5:32j, -0.5:0.5:32j]
    share = np.clip(0.5 + 0.75 * (x * np.cos(angle) + y * np.sin(angle)), 0, 1)[..., None]
    small = Image.fromarray((np.array(first) * share + np.array(second) * (1 - share)).astype(np.uint8))
    draw = ImageDraw.Draw(small)
    for _ in range(random.integers(0, 4)):
        left, top, wide = random.uniform(-4, 28), random.uniform(-4, 28), random.uniform(3, 10)
        draw.ellipse((left, top, left + wide, top + wide), fill=mix(_unlike(fur, random), first, 0.4))
    return small.filter(ImageFilter.BoxBlur(1)).resize((side, side), Image.Resampling.BICUBIC)


def _unlike(fur: Colour, random: np.random.Generator) -> Colour:
    """Returns a random colour that differs from the fur."""
    while True:
        # Between a saturated colour and its grey, as in rooms and meadows.
        colour = random.integers(30, 235, 3).tolist()
        colour = mix(colour, (sum(colour) / 3,) * 3, random.uniform(0.2, 0.8))
        if sum(abs(a - b) for a, b in zip(colour, fur, strict=True)) > 130:
            return colour


def vary(colour: Colour, random: np.random.Generator, limit: int = 18) -> Colour:
    """Returns a colour near this one: red, green and blue differ by `limit` at most."""
    return _colour(a + b for a, b in zip(colour, random.integers(-limit, limit + 1, 3).tolist(), strict=True))


def shade(colour: Colour, factor: float) -> Colour:
    """Returns the colour with its brightness multiplied by a factor."""
    return _colour(value * factor for value in colour)


def mix(first: Sequence[float], second: Sequence[float], share: float) -> Colour:
    """Returns a mixture of two colours; `share` is that of the second."""
    return _colour(a * (1 - share) + b * share for a, b in zip(first, second, strict=True))


def _colour(values: Iterable[float]) -> Colour:
    red, green, blue = (min(max(int(value), 0), 255) for value in values)
    return red, green, blue
