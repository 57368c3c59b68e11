"""Drawn patterns by kind: what a network can learn to see from where there are no photographs to learn from first.

Every pattern is drawn in random colours, widths, directions and places, bent a little and lit unevenly. Neither a
colour nor a single pixel tells its kind: edges, textures and shapes must be told apart, and these are in photographs
too.
"""

from collections.abc import Callable

import numpy as np

Field = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def draw(samples: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws patterns, as many of each kind as of the others.

    Args:
        samples: how many in all.
        size: the side in pixels.
        seed: the same seed gives the same patterns.

    Returns:
        X, uint8 (samples, size, size, 3), RGB; y, int32 (samples,), the number of the kind in `KINDS`.
    """
    random = np.random.default_rng((seed, size))
    y = (np.arange(samples) % len(KINDS)).astype(np.int32)
    X = np.empty((samples, size, size, 3), np.uint8)
    fields = list(_FIELDS.values())
    for pattern, label in zip(X, y, strict=True):
        u, v = _places(size, random)
        pattern[:] = _colour(np.clip(fields[label](u, v, random), 0, 1), random)
    return X, y


def _places(size: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the coordinates of all pixels, in periods of the pattern: turned, stretched, moved and bent."""
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j].astype(np.float32)
    bend = _smooth(size, 3, random, 2) - 0.5
    x, y = x + 0.12 * bend[0], y + 0.12 * bend[1]
    angle = random.uniform(0, 2 * np.pi)
    periods = np.exp(random.uniform(np.log(2.5), np.log(9)))
    stretch = random.uniform(0.8, 1.25)
    u = (x * np.cos(angle) - y * np.sin(angle)) * periods * stretch + random.uniform(-1, 1)
    v = (x * np.sin(angle) + y * np.cos(angle)) * periods / stretch + random.uniform(-1, 1)
    return u, v


def _colour(field: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns a field from 0 to 1 as a picture: from one colour to another, under uneven light, with grain."""
    size = len(field)
    first, second = random.uniform(0, 255, (2, 3))
    while np.abs(first - second).sum() < 120:
        first, second = random.uniform(0, 255, (2, 3))
    light = 0.7 + 0.6 * _smooth(size, 2, random, 1)[0]
    picture = (first + (second - first) * field[..., None]) * light[..., None]
    picture += random.normal(0, random.uniform(0, 14), (size, size, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def _smooth(size: int, cells: int, random: np.random.Generator, count: int) -> np.ndarray:
    """Returns random fields (count, size, size) from 0 to 1 that change little within a side divided by `cells`."""
    grid = random.random((count, cells + 1, cells + 1), np.float32)
    at = np.linspace(0, cells, size, endpoint=False, dtype=np.float32)
    left = at.astype(int)
    share = at - left
    share = share * share * (3 - 2 * share)
    rows = grid[:, left] * (1 - share)[:, None] + grid[:, left + 1] * share[:, None]
    return np.asarray(rows[:, :, left] * (1 - share) + rows[:, :, left + 1] * share)


def _edge(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns 0 where values are below 0 and 1 where they are above, with an edge that is now sharp, now soft."""
    return np.clip(0.5 + values * random.uniform(2, 12), 0, 1)


def _nearest(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places relative to the nearest point of whole coordinates."""
    return u - np.round(u), v - np.round(v)


def _stripes(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return _edge(np.sin(2 * np.pi * u) + random.uniform(-0.5, 0.5), random)


def _waves(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    bent = u + random.uniform(0.25, 0.5) * np.sin(2 * np.pi * v / random.uniform(1.5, 2.5))
    return _edge(np.sin(2 * np.pi * bent), random)


def _checks(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return _edge(np.sin(np.pi * u) * np.sin(np.pi * v), random)


def _grid(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    x, y = _nearest(u, v)
    return _edge(random.uniform(0.08, 0.16) - np.minimum(abs(x), abs(y)), random)


def _dots(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    x, y = _nearest(u, v)
    return _edge(random.uniform(0.22, 0.36) - np.hypot(x, y), random)


def _circles(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    x, y = _nearest(u, v)
    return _edge(0.09 - abs(np.hypot(x, y) - random.uniform(0.25, 0.36)), random)


def _crosses(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    x, y = abs(np.stack(_nearest(u, v)))
    return _edge(np.where(np.maximum(x, y) < 0.38, random.uniform(0.08, 0.14) - np.minimum(x, y), -0.2), random)


def _triangles(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    x, y = _nearest(u, v)
    return _edge(np.minimum(0.32 - y, (y + 0.36) / 2 - abs(x)), random)


def _rings(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    distance = np.hypot(u - random.uniform(-1, 1), v - random.uniform(-1, 1))
    return _edge(np.sin(2 * np.pi * distance), random)


def _spokes(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    angle = np.arctan2(v - random.uniform(-0.7, 0.7), u - random.uniform(-0.7, 0.7))
    return _edge(np.sin(random.integers(3, 10) * angle), random)


def _bricks(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    x, y = _nearest(u / 2 + 0.5 * (np.round(v) % 2), v)
    return _edge(np.minimum(0.5 - abs(y), 1 - 2 * abs(x)) - random.uniform(0.06, 0.12), random)


def _fur(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Strokes in one direction, each of its own length and brightness."""
    column = np.floor(4 * u).astype(int)
    start = random.random(1024)[column % 1024]
    row = np.floor(v * random.uniform(0.6, 1.2) + start).astype(int)
    return np.asarray(random.random((64, 64))[column % 64, row % 64])


def _cells(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Polygons around random points: each pixel belongs to the nearest (Voronoi)."""
    points = random.uniform([u.min(), v.min()], [u.max(), v.max()], (random.integers(12, 40), 2))
    distances = (u[..., None] - points[:, 0]) ** 2 + (v[..., None] - points[:, 1]) ** 2
    return np.asarray(random.random(len(points))[distances.argmin(axis=2)])


def _blobs(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return _edge(_smooth(len(u), int(random.integers(4, 12)), random, 1)[0] - 0.5, random)


def _clouds(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    cells = 2 ** random.integers(1, 3)
    return np.asarray(sum(_smooth(len(u), int(cells * 2**i), random, 1)[0] / 2 ** (i + 1) for i in range(4)))


def _grain(u: np.ndarray, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return _smooth(len(u), len(u) // int(random.integers(2, 5)), random, 1)[0]


_FIELDS: dict[str, Field] = {
    "stripes": _stripes, "waves": _waves, "checks": _checks, "grid": _grid, "dots": _dots, "circles": _circles,
    "crosses": _crosses, "triangles": _triangles, "rings": _rings, "spokes": _spokes, "bricks": _bricks, "fur": _fur,
    "cells": _cells, "blobs": _blobs, "clouds": _clouds, "grain": _grain,
}  # fmt: skip
KINDS = tuple(_FIELDS)
