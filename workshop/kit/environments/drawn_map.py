"""A map of the car that somebody draws with a text editor.

It has 20 lines of 20 characters, each of them a square of 5 x 5 of the map:

- `.` free;
- `#` an obstacle, a circle around the square: two that touch, even by a corner, leave no gap;
- `G` the gas station;
- `S` the start, with the car headed for the station; or `>`, `<`, `^`, `v`, with the car headed so.

`datasets/car_map.txt` is one to begin from.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from workshop.kit import files
from workshop.kit.environments import car
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

CELLS = 20  # lines, and characters of a line
FREE, OBSTACLE, STATION = ".", "#", "G"
HEADINGS = {">": 0.0, "^": np.pi / 2, "<": np.pi, "v": -np.pi / 2}
STARTS = ("S", *HEADINGS)
_MAX_BYTES = 10_000


def example() -> Path:
    """Returns the path of the map that ships."""
    return files.shipped("datasets") / "car_map.txt"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--map`."""
    parser.add_argument(
        "--map",
        type=Path,
        metavar="FILE",
        help=f"a map that you draw, on which the trained car drives: {CELLS} lines of {CELLS} characters, . free, "
        "# obstacle, G gas station, S start (or > < ^ v, headed so); an example to begin from: "
        + str(example()).replace("%", "%%"),
    )


def read(path: FilePath) -> car.Map:
    """Reads a map that was drawn.

    Raises:
        WorkshopError: the file cannot be read, its text is no such map, or no way leads from the start to the station.
    """
    path = Path(path)
    grid = _parse(path, _read_text(path))
    size = car.SIZE / CELLS

    def center(row: int, column: int) -> tuple[float, float]:
        return (column + 0.5) * size, (CELLS - row - 0.5) * size

    (station,) = (center(*place) for place in np.argwhere(grid == STATION))
    ((row, column),) = np.argwhere(np.isin(grid, STARTS))
    x, y = center(row, column)
    heading = HEADINGS.get(grid[row, column], np.arctan2(station[1] - y, station[0] - x))
    # The circle around a square has half its diagonal as its radius; with a little more, corners overlap.
    radius = round(size / 2**0.5, 1) + 0.1
    obstacles = [(*center(*place), radius) for place in np.argwhere(grid == OBSTACLE)]
    try:
        return car.check_map(car.Map(np.array(obstacles), np.array(station), np.array([x, y, heading])))
    except WorkshopError as error:
        raise WorkshopError(f"--map {path}: {error}") from error


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise WorkshopError(f"--map {path}: has {path.stat().st_size:,} bytes, {_takes()}")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise WorkshopError(f"--map {path}: cannot be read ({error.strerror}), {_takes()}") from error
    except UnicodeDecodeError as error:
        raise WorkshopError(f"--map {path}: is no text in UTF-8, {_takes()}") from error
    if not text.strip():
        raise WorkshopError(f"--map {path}: is empty, {_takes()}")
    return text


def _parse(path: Path, text: str) -> np.ndarray:
    """Returns the characters (20, 20) of a text; spaces behind a line and empty lines behind the last one are left."""
    lines = [line.rstrip() for line in text.rstrip().splitlines()]
    for number, line in enumerate(lines, 1):
        for column, character in enumerate(line, 1):
            if character not in (FREE, OBSTACLE, STATION, *STARTS):
                raise WorkshopError(
                    f"--map {path}: line {number}, column {column}: {character!r} is none of "
                    f"{' '.join((FREE, OBSTACLE, STATION, *STARTS))}"
                )
        if len(line) != CELLS:
            raise WorkshopError(f"--map {path}: line {number} has {len(line)} characters, {_takes()}")
    if len(lines) != CELLS:
        raise WorkshopError(f"--map {path}: has {len(lines)} lines, {_takes()}")
    grid = np.array([list(line) for line in lines])
    for name, characters in (("station", [STATION]), ("start", STARTS)):
        count = int(np.isin(grid, characters).sum())
        if count != 1:
            raise WorkshopError(
                f"--map {path}: has {count or 'no'} {name}{'s' if count else ''}, takes one ({' '.join(characters)})"
            )
    return grid


def _takes() -> str:
    return f"takes a text of {CELLS} lines of {CELLS} characters; an example is {example()}"
