"""Drawn cats and dogs: the stand-in for photographs where there are none.

A cat has upright pointed ears, a wide head, a small muzzle and whiskers; a dog has hanging ears, a long head and a
large muzzle. All else is drawn by chance, for both from the same colours, sizes, places and angles (`pen`): colour
tells nothing, no pixel by itself does, the shape decides.
"""

import numpy as np

from workshop.kit.data.drawing import (
    LIGHT,
    NOSES,
    Coat,
    Pen,
    draw_head,
    eyes,
    markings,
    mix,
    mouth,
    nose_colour,
    whiskers,
)

CLASSES = ("cats", "dogs")


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
        # With its ears a cat is higher above its eyes than a dog: the place of the eyes must not tell them apart.
        face, middle = (_dog, 0.0) if label else (_cat, -0.25)
        drawing[:] = draw_head(face, middle, size, random)
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
