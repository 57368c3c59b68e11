"""Drawn cats and dogs: the stand-in for photographs where there are none.

A cat has upright pointed ears, a wide head, a small muzzle and whiskers; a dog has hanging ears, a long head and a
large muzzle. All else is drawn by chance, for both from the same colours, sizes, places and angles: colour tells
nothing, no pixel by itself does, the shape decides.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

CLASSES = ("cats", "dogs")

Colour = tuple[int, int, int]
Point = tuple[float, float]

_FURS: tuple[Colour, ...] = (
    (60, 56, 54), (120, 118, 120), (172, 168, 164), (236, 230, 220), (214, 138, 66), (150, 96, 56), (100, 66, 44),
    (226, 196, 150), (88, 96, 116),
)  # fmt: skip
_EYES: tuple[Colour, ...] = ((112, 150, 60), (196, 160, 50), (92, 140, 180), (120, 74, 36), (60, 44, 34))
_NOSES: tuple[Colour, ...] = ((36, 30, 30), (206, 128, 128), (110, 70, 60))
_TONGUE: Colour = (222, 110, 120)
_DARK: Colour = (30, 26, 26)
_LIGHT: Colour = (250, 250, 246)
_FINER = 2  # drawn so many times larger and then shrunk: smooth edges
_CIRCLE = [(math.cos(angle), math.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 36, endpoint=False)]


def draw_photographs(samples_a_class: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws heads of cats and dogs.

    Args:
        samples_a_class: how many of each.
        size: the side of a drawing in pixels.
        seed: the same seed gives the same drawings.

    Returns:
        X, uint8 (2 samples_a_class, size, size, 3), RGB; y, int32 (2 samples_a_class,): first the cats, 0, then the
        dogs, 1.
    """
    random = np.random.default_rng((seed, size))
    y = np.repeat(np.arange(2, dtype=np.int32), samples_a_class)
    X = np.empty((len(y), size, size, 3), np.uint8)
    for drawing, label in zip(X, y, strict=True):
        drawing[:] = _draw(bool(label), size, random)
    return X, y


class _Pen:
    """Draws a head around its own middle: 1 is about half its width, y points down; the pen turns it and places it."""

    def __init__(self, image: Any, middle: float, random: np.random.Generator) -> None:
        """`middle` is the height of what comes into the middle of the picture, as far as chance allows."""
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
        placed = self._placed(points)
        self._draw.polygon(placed, fill=fill)
        if outline is not None:
            self._draw.line([*placed, placed[0]], fill=outline, width=max(1, round(0.035 * self.unit)), joint="curve")

    def ellipse(
        self, x: float, y: float, wide: float, high: float, fill: Colour, outline: Colour | None = None, tilt: float = 0
    ) -> None:
        """An ellipse by its middle and its two radii, turned by `tilt` radians."""
        cos, sin = math.cos(tilt), math.sin(tilt)
        points = [(x + a * wide * cos - b * high * sin, y + a * wide * sin + b * high * cos) for a, b in _CIRCLE]
        self.polygon(points, fill, outline)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        self._draw.line(self._placed(points), fill=colour, width=max(1, round(width * self.unit)), joint="curve")


def _draw(is_dog: bool, size: int, random: np.random.Generator) -> np.ndarray:
    """Draws one head, uint8 (size, size, 3)."""
    fur = _vary(_FURS[random.integers(len(_FURS))], random)
    image = _background(size * _FINER, fur, random)
    # With its ears a cat is higher above its eyes than a dog: the place of the eyes must not tell them apart.
    pen = _Pen(image, 0.0 if is_dog else -0.25, random)
    edge = _shade(fur, 0.62)
    ear = _vary(_shade(fur, random.uniform(0.6, 1.15)), random, 8)
    # The body below hides nothing and tells nothing: it is the same for both.
    pen.ellipse(random.uniform(-0.3, 0.3), 2.1, random.uniform(1.0, 1.4), 1.6, _shade(fur, 0.85), edge)
    (_dog if is_dog else _cat)(pen, fur, ear, edge, random)
    # A photograph has grain, and light that is warmer or colder.
    values = np.asarray(image.reduce(_FINER), np.int16)
    grain = random.integers(-14, 15, values.shape, np.int16)
    light = random.integers(-12, 13, 3, np.int16)
    return np.clip(values + grain + light, 0, 255).astype(np.uint8)


def _cat(pen: _Pen, fur: Colour, ear: Colour, edge: Colour, random: np.random.Generator) -> None:
    wide, high, tip = random.uniform(0.95, 1.1), random.uniform(0.78, 0.9), random.uniform(1.3, 1.6)
    lean = random.uniform(-0.08, 0.16)
    for side in (-1, 1):
        pen.polygon([(side * 0.98, -0.2), (side * (0.78 + lean), -tip), (side * 0.14, -0.7)], ear, edge)
        inside = [(side * 0.82, -0.5), (side * (0.74 + lean), -0.85 * tip), (side * 0.36, -0.7)]
        pen.polygon(inside, _mix(ear, _NOSES[1], 0.6))
    pen.ellipse(0, 0, wide, high, fur, edge)
    _markings(pen, fur, random)
    _eyes(pen, 0.42, -0.1, random, pupil=(0.3, 0.85))
    for side in (-1, 1):
        pen.ellipse(side * 0.15, 0.4, 0.2, 0.15, _mix(fur, _LIGHT, 0.6))
    nose = _NOSES[random.integers(len(_NOSES))]
    pen.polygon([(-0.11, 0.2), (0.11, 0.2), (0, 0.33)], nose)
    _mouth(pen, 0.33, 0.16, random)
    for side in (-1, 1):
        for slope in (-0.16, 0.0, 0.16):
            start = (side * 0.3, 0.38 + 0.3 * slope)
            end = (side * random.uniform(1.1, 1.4), 0.34 + slope * 1.6)
            pen.line([start, end], _LIGHT if sum(fur) < 420 else _DARK, 0.025)


def _dog(pen: _Pen, fur: Colour, ear: Colour, edge: Colour, random: np.random.Generator) -> None:
    wide, high = random.uniform(0.78, 0.92), random.uniform(0.95, 1.1)
    long, spread = random.uniform(0.5, 0.75), random.uniform(0.1, 0.5)
    pen.ellipse(0, 0, wide, high, fur, edge)
    _markings(pen, fur, random)
    for side in (-1, 1):
        # The ear hangs from the top of the head.
        pen.ellipse(side * (wide + 0.06 + 0.3 * spread), -0.55 + long * 0.8, 0.3, long, ear, edge, -side * spread)
    _eyes(pen, 0.36, -0.22, random, pupil=(0.72, 0.72))
    pen.ellipse(0, 0.48, random.uniform(0.44, 0.54), random.uniform(0.36, 0.46), _mix(fur, _LIGHT, 0.45), edge)
    nose = _NOSES[random.integers(len(_NOSES))]
    pen.ellipse(0, 0.28, 0.22, 0.15, nose)
    pen.ellipse(-0.06, 0.23, 0.06, 0.03, _mix(nose, _LIGHT, 0.5))
    _mouth(pen, 0.43, 0.24, random)


def _eyes(pen: _Pen, x: float, y: float, random: np.random.Generator, pupil: Point) -> None:
    """Both eyes at (-x, y) and (x, y); `pupil` is how wide and how high it is within the coloured ring."""
    colour = _vary(_EYES[random.integers(len(_EYES))], random, 10)
    radius = random.uniform(0.15, 0.2)
    for side in (-1, 1):
        pen.ellipse(side * x, y, radius * 1.15, radius, colour, _DARK, side * -0.25)
        pen.ellipse(side * x, y, radius * pupil[0], radius * pupil[1], _DARK)
        pen.ellipse(side * x + 0.05, y - 0.06, 0.04, 0.04, _LIGHT)


def _mouth(pen: _Pen, top: float, wide: float, random: np.random.Generator) -> None:
    """The line below the nose that parts into two arcs, and now and then a tongue."""
    if random.random() < 0.3:
        pen.ellipse(0, top + 0.28, 0.11, 0.17, _TONGUE)
    for side in (-1, 1):
        arc = [(side * wide * (1 - a) / 2, top + 0.1 + 0.08 * b) for a, b in _CIRCLE[:19]]
        pen.line([(0, top), *arc], _DARK, 0.03)


def _markings(pen: _Pen, fur: Colour, random: np.random.Generator) -> None:
    """Now and then stripes on the forehead, or a patch around one eye."""
    kind = random.random()
    if kind < 0.3:
        for x in (-0.24, 0.0, 0.24):
            pen.line([(x * 1.2, -0.72), (x, -0.42)], _shade(fur, 0.6), 0.07)
    elif kind < 0.55:
        side = random.choice((-1, 1))
        pen.ellipse(side * 0.4, -0.18, 0.32, 0.34, _shade(fur, 0.65) if sum(fur) > 360 else _mix(fur, _LIGHT, 0.7))


def _background(side: int, fur: Colour, random: np.random.Generator) -> Any:
    """A gradient between two colours that differ from the fur, with some blurred things in it."""
    from PIL import Image, ImageDraw, ImageFilter

    first, second = (_unlike(fur, random) for _ in range(2))
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-0.5:0.5:32j, -0.5:0.5:32j]
    share = np.clip(0.5 + 0.75 * (x * np.cos(angle) + y * np.sin(angle)), 0, 1)[..., None]
    small = Image.fromarray((np.array(first) * share + np.array(second) * (1 - share)).astype(np.uint8))
    draw = ImageDraw.Draw(small)
    for _ in range(random.integers(0, 4)):
        left, top, wide = random.uniform(-4, 28), random.uniform(-4, 28), random.uniform(3, 10)
        draw.ellipse((left, top, left + wide, top + wide), fill=_mix(_unlike(fur, random), first, 0.4))
    return small.filter(ImageFilter.BoxBlur(1)).resize((side, side), Image.Resampling.BICUBIC)


def _unlike(fur: Colour, random: np.random.Generator) -> Colour:
    """A colour that one can tell from the fur."""
    while True:
        # Between a colour of the rainbow and its grey, as rooms and meadows are.
        colour = random.integers(30, 235, 3).tolist()
        colour = _mix(colour, (sum(colour) / 3,) * 3, random.uniform(0.2, 0.8))
        if sum(abs(a - b) for a, b in zip(colour, fur, strict=True)) > 130:
            return colour


def _vary(colour: Colour, random: np.random.Generator, most: int = 18) -> Colour:
    return _colour(a + b for a, b in zip(colour, random.integers(-most, most + 1, 3).tolist(), strict=True))


def _shade(colour: Colour, factor: float) -> Colour:
    return _colour(value * factor for value in colour)


def _mix(first: Sequence[float], second: Sequence[float], share: float) -> Colour:
    """The first colour with so large a share of the second."""
    return _colour(a * (1 - share) + b * share for a, b in zip(first, second, strict=True))


def _colour(values: Iterable[float]) -> Colour:
    red, green, blue = (min(max(int(value), 0), 255) for value in values)
    return red, green, blue
