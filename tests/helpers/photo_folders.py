"""Folders of small photographs by class."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (24, 20), base: tuple[int, int, int] = (90, 90, 90)) -> Image.Image:
    """A small image unlike all others: soft blocks of colour."""
    blocks = np.random.default_rng(seed).integers(-60, 60, (2, 2, 3)) + base
    image = Image.fromarray(blocks.clip(0, 255).astype(np.uint8))
    return image.resize(size, Image.Resampling.BILINEAR)


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def make_set(
    folder: Path,
    parts: tuple[str, ...] = ("train", "validation"),
    classes: tuple[str, ...] = ("cats", "dogs"),
    counts: tuple[int, ...] = (4, 2),
) -> Path:
    """Writes a set of small PNG files, all different."""
    seed = 0
    for part, count in zip(parts, counts, strict=True):
        for name in classes:
            for i in range(count):
                save(picture(seed), folder / part / name / f"{name}_{i}.png")
                seed += 1
    return folder


def make_photos(folder: Path, counts: dict[str, tuple[int, int]], side: int = 40) -> Path:
    """Writes photos "<part>/<class>/<name>_<number>.png", striped one way or the other.

    `counts` has for each "<class>/<name>" how many photos each of the two parts gets.
    """
    random = np.random.default_rng(7)
    for number, (where, parts) in enumerate(counts.items()):
        group, _, name = where.partition("/")
        for part, count in zip(("train", "validation"), parts, strict=True):
            (folder / part / group).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                pixels = random.integers(0, 90, (side, side, 3))
                lines = pixels.transpose(1, 0, 2) if number % 2 else pixels
                lines[:: random.integers(3, 6)] += random.integers(90, 160, 3)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / part / group / f"{name or group}_{i}.png")
    return folder
