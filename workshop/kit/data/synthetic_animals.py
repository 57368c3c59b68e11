"""Drawn animals: cats and dogs, the stand-in for photographs, and ten others to pre-train a network on.

A cat has upright pointed ears, a wide head, a small muzzle and whiskers; a dog has hanging ears, a long head and a
large muzzle. Everything else is random, with the same distribution of colours, sizes, positions and angles for both
(`drawing`): colour tells nothing, no single pixel does, the shape decides. None of the ten others is a cat or a dog,
but they too differ in ears, muzzles, noses and eyes, and not in colour, size or position: a network that classifies
them has learned features that transfer to cats and dogs.
"""

import numpy as np

from workshop.kit.data.drawing import (
    DARK,
    LIGHT,
    NOSES,
    Coat,
    Colour,
    Face,
    Pen,
    draw_head,
    eyes,
    markings,
    mix,
    mouth,
    nose_colour,
    shade,
    vary,
    whiskers,
)

CLASSES = ("cats", "dogs")

_MIDDLE = -0.2  # of a head with its ears
_HORN: Colour = (230, 220, 190)
_BEAK: Colour = (222, 170, 60)
_SKIN: Colour = (230, 190, 150)


def draw_photos(samples_a_class: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws heads of cats and dogs.

    Args:
        samples_a_class: the number of drawings of each class.
        size: the side of a drawing in pixels.
        seed: the same seed gives the same drawings.

    Returns:
        X, uint8 (2 samples_a_class, size, size, 3), RGB; y, int32 (2 samples_a_class,), the index in `CLASSES`: first
        the cats, then the dogs.
    """
    random = np.random.default_rng((seed, size))
    y = np.repeat(np.arange(2, dtype=np.int32), samples_a_class)
    X = np.empty((len(y), size, size, 3), np.uint8)
    for drawing, label in zip(X, y, strict=True):
        # With its ears a cat is higher above its eyes than a dog: the position of the eyes must not classify them.
        face, middle = (_dog, 0.0) if label else (_cat, -0.25)
        drawing[:] = draw_head(face, middle, size, random)
    return X, y


def draw(samples: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws heads of the ten other animals, as many of each kind as of the others.

    Args:
        samples: the number of drawings in all.
        size: the side of a drawing in pixels.
        seed: the same seed gives the same drawings.

    Returns:
        X, uint8 (samples, size, size, 3), RGB; y, int32 (samples,), the index in `KINDS`.
    """
    random = np.random.default_rng((seed, size, len(KINDS)))
    y = (np.arange(samples) % len(KINDS)).astype(np.int32)
    X = np.empty((samples, size, size, 3), np.uint8)
    faces = list(_FACES.values())
    for drawing, label in zip(X, y, strict=True):
        drawing[:] = draw_head(faces[label], _MIDDLE, size, random)
    return X, y


def _cat(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    wide, high, tip = random.uniform(0.95, 1.1), random.uniform(0.78, 0.9), random.uniform(1.3, 1.6)
    lean = random.uniform(-0.08, 0.16)
    pen.mirrored([(0.98, -0.2), (0.78 + lean, -tip), (0.14, -0.7)], coat.ear, coat.edge)
    pen.mirrored([(0.82, -0.5), (0.74 + lean, -0.85 * tip), (0.36, -0.7)], mix(coat.ear, NOSES[1], 0.6))
    pen.ellipse(0, 0, wide, high, coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.42, -0.1, random, pupil=(0.3, 0.85))
    pen.pair(0.15, 0.4, 0.2, 0.15, mix(coat.fur, LIGHT, 0.6))
    pen.polygon([(-0.11, 0.2), (0.11, 0.2), (0, 0.33)], nose_colour(random))
    mouth(pen, 0.33, 0.16, random)
    whiskers(pen, coat.fur, 0.3, 0.38, (1.1, 1.4), random)


def _dog(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    wide, high = random.uniform(0.78, 0.92), random.uniform(0.95, 1.1)
    long, spread = random.uniform(0.5, 0.75), random.uniform(0.1, 0.5)
    pen.ellipse(0, 0, wide, high, coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    # The ears hang from the top of the head.
    pen.pair(wide + 0.06 + 0.3 * spread, -0.55 + long * 0.8, 0.3, long, coat.ear, coat.edge, -spread)
    eyes(pen, 0.36, -0.22, random, pupil=(0.72, 0.72))
    pen.ellipse(0, 0.48, random.uniform(0.44, 0.54), random.uniform(0.36, 0.46), mix(coat.fur, LIGHT, 0.45), coat.edge)
    nose = nose_colour(random)
    pen.ellipse(0, 0.28, 0.22, 0.15, nose)
    pen.ellipse(-0.06, 0.23, 0.06, 0.03, mix(nose, LIGHT, 0.5))
    mouth(pen, 0.43, 0.24, random)


def _round_ears(pen: Pen, coat: Coat, x: float, y: float, radius: float) -> None:
    pen.pair(x, y, radius, radius, coat.ear, coat.edge)
    pen.pair(x, y, 0.6 * radius, 0.6 * radius, mix(coat.ear, NOSES[1], 0.5))


def _bear(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    _round_ears(pen, coat, random.uniform(0.65, 0.75), -0.72, random.uniform(0.26, 0.36))
    pen.ellipse(0, 0, random.uniform(0.92, 1.05), random.uniform(0.85, 0.98), coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.34, -0.18, random, pupil=(0.75, 0.75))
    pen.ellipse(0, 0.38, random.uniform(0.36, 0.44), random.uniform(0.3, 0.36), mix(coat.fur, LIGHT, 0.5), coat.edge)
    pen.ellipse(0, 0.24, 0.16, 0.11, nose_colour(random))
    mouth(pen, 0.34, 0.16, random)


def _cow(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    tip = (random.uniform(0.75, 0.95), -random.uniform(1.25, 1.45))
    pen.mirrored([(0.5, -0.8), tip, (0.3, -0.85)], _HORN, DARK)
    pen.pair(1.0, -0.45, 0.36, 0.18, coat.ear, coat.edge, random.uniform(-0.3, 0.4))
    pen.ellipse(0, 0, random.uniform(0.68, 0.78), random.uniform(0.98, 1.1), coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.4, -0.3, random, pupil=(0.8, 0.7))
    muzzle = mix(coat.fur, NOSES[1], 0.6)
    pen.ellipse(0, 0.62, random.uniform(0.58, 0.68), random.uniform(0.36, 0.44), muzzle, coat.edge)
    pen.pair(0.22, 0.55, 0.08, 0.1, DARK)


def _fox(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    tip, wide = random.uniform(1.2, 1.5), random.uniform(0.95, 1.1)
    pen.mirrored([(1.0, -0.3), (0.95, -tip), (0.25, -0.6)], coat.ear, coat.edge)
    pen.mirrored([(0.9, -0.5), (0.9, -0.85 * tip), (0.45, -0.6)], DARK)
    head = [(-wide, -0.1), (-0.6, -0.65), (0.6, -0.65), (wide, -0.1), (0.15, 0.9), (-0.15, 0.9)]
    pen.polygon(head, coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    pen.mirrored([(0.95 * wide, -0.02), (0.14, 0.85), (0.12, 0.2)], mix(coat.fur, LIGHT, 0.7))
    eyes(pen, 0.38, -0.1, random, pupil=(0.35, 0.85))
    pen.ellipse(0, 0.84, 0.14, 0.12, nose_colour(random))


def _koala(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    _round_ears(pen, coat, random.uniform(0.95, 1.05), -0.4, random.uniform(0.42, 0.52))
    pen.ellipse(0, 0, random.uniform(0.88, 1.0), random.uniform(0.82, 0.95), coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.42, -0.12, random, pupil=(0.8, 0.8))
    pen.ellipse(0, 0.2, random.uniform(0.17, 0.22), random.uniform(0.28, 0.36), DARK)
    mouth(pen, 0.52, 0.14, random)


def _lion(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    mane = vary(shade(coat.fur, random.uniform(0.5, 0.8)), random, 10)
    tips = random.integers(12, 20)
    angles = np.linspace(0, 2 * np.pi, 2 * tips, endpoint=False)
    lengths = 1 + 0.12 * (-1.0) ** np.arange(2 * tips)
    outline = np.stack([1.35 * lengths * np.cos(angles), 1.3 * lengths * np.sin(angles)], axis=1)
    pen.polygon([(float(x), float(y)) for x, y in outline], mane, coat.edge)
    _round_ears(pen, coat, 0.62, -0.66, 0.22)
    pen.ellipse(0, 0, random.uniform(0.78, 0.9), random.uniform(0.8, 0.95), coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.34, -0.16, random, pupil=(0.45, 0.8))
    pen.ellipse(0, 0.4, 0.34, 0.28, mix(coat.fur, LIGHT, 0.5))
    pen.polygon([(-0.18, 0.16), (0.18, 0.16), (0, 0.36)], nose_colour(random))
    mouth(pen, 0.36, 0.2, random)


def _monkey(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    skin = mix(coat.fur, _SKIN, random.uniform(0.6, 0.9))
    ears = random.uniform(0.95, 1.1)
    pen.pair(ears, -0.05, 0.32, 0.36, coat.ear, coat.edge)
    pen.pair(ears, -0.05, 0.18, 0.22, skin)
    pen.ellipse(0, 0, random.uniform(0.85, 0.95), random.uniform(0.88, 1.0), coat.fur, coat.edge)
    pen.pair(0.28, -0.18, 0.34, 0.36, skin)
    pen.ellipse(0, 0.42, random.uniform(0.5, 0.6), random.uniform(0.36, 0.44), skin)
    eyes(pen, 0.28, -0.16, random, pupil=(0.75, 0.75))
    pen.pair(0.07, 0.26, 0.04, 0.05, DARK)
    mouth(pen, 0.45, 0.3, random)


def _mouse(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    _round_ears(pen, coat, random.uniform(0.8, 0.95), -0.62, random.uniform(0.46, 0.6))
    wide = random.uniform(0.68, 0.8)
    right = [(0.4, -0.75), (wide, -0.35), (0.85 * wide, 0.25), (0.12, 0.85)]
    pen.polygon([*right, *((-x, y) for x, y in reversed(right))], coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.33, -0.1, random, pupil=(0.85, 0.85))
    pen.ellipse(0, 0.8, 0.12, 0.1, nose_colour(random))
    whiskers(pen, coat.fur, 0.2, 0.62, (0.8, 1.0), random)


def _owl(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    pen.mirrored([(0.85, -0.4), (0.85, -random.uniform(1.0, 1.2)), (0.3, -0.75)], coat.ear, coat.edge)
    pen.ellipse(0, 0, random.uniform(0.95, 1.05), random.uniform(0.9, 1.0), coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    pen.pair(0.4, -0.1, 0.4, 0.4, mix(coat.fur, LIGHT, 0.6), coat.edge)
    eyes(pen, 0.4, -0.1, random, pupil=(0.6, 0.7))
    pen.polygon([(-0.14, 0.12), (0.14, 0.12), (0, 0.46)], _BEAK, DARK)


def _pig(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    tip = (random.uniform(0.75, 1.0), -random.uniform(0.95, 1.15))
    pen.mirrored([(0.85, -0.35), tip, (0.3, -0.72)], coat.ear, coat.edge)
    pen.ellipse(0, 0, random.uniform(0.92, 1.05), random.uniform(0.85, 0.95), coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.42, -0.2, random, pupil=(0.7, 0.7))
    snout = mix(coat.fur, NOSES[1], 0.5)
    pen.ellipse(0, 0.3, random.uniform(0.34, 0.42), random.uniform(0.24, 0.3), snout, coat.edge)
    pen.pair(0.14, 0.3, 0.06, 0.1, DARK)
    mouth(pen, 0.6, 0.2, random)


def _rabbit(pen: Pen, coat: Coat, random: np.random.Generator) -> None:
    long, lean = random.uniform(0.7, 0.95), random.uniform(-0.1, 0.35)
    x, y = 0.36 + 0.4 * lean, -0.7 - 0.7 * long
    pen.pair(x, y, 0.22, long, coat.ear, coat.edge, lean)
    pen.pair(x, y, 0.11, 0.75 * long, mix(coat.ear, NOSES[1], 0.6), tilt=lean)
    pen.ellipse(0, 0, random.uniform(0.78, 0.9), random.uniform(0.82, 0.95), coat.fur, coat.edge)
    markings(pen, coat.fur, random)
    eyes(pen, 0.42, -0.12, random, pupil=(0.8, 0.8))
    pen.polygon([(-0.1, 0.22), (0.1, 0.22), (0, 0.32)], nose_colour(random))
    mouth(pen, 0.32, 0.14, random)
    pen.polygon([(-0.09, 0.48), (0.09, 0.48), (0.08, 0.66), (-0.08, 0.66)], LIGHT, DARK)


_FACES: dict[str, Face] = {
    "bear": _bear,
    "cow": _cow,
    "fox": _fox,
    "koala": _koala,
    "lion": _lion,
    "monkey": _monkey,
    "mouse": _mouse,
    "owl": _owl,
    "pig": _pig,
    "rabbit": _rabbit,
}
KINDS = tuple(_FACES)
