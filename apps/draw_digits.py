"""Drawing digits: a saved generator draws a sheet of handwritten digits that nobody wrote.

    python -m apps.draw_digits 2026                  # writes digits-2026.png: four handwritings of 2026
    python -m apps.draw_digits                       # the ten digits
    python -m apps.draw_digits 2026 --rows 10        # more handwritings
    python -m apps.draw_digits 2026 --seed 7         # others
    python -m apps.draw_digits 2026 --output a.png   # into this file
    python -m apps.draw_digits --model my.h5 2026    # a generator of your own

The first row is shown in the terminal, too. The same seed draws the same digits. No file is ever replaced, but that of
`--output`: where digits-2026.png exists, digits-2026-2.png is written. The model is the one that `python -m
workshop.gan` trains. One of your own takes random numbers and behind them the label, ten numbers, of which that of the
digit is 1 and the others are 0; it returns 28x28 pixels from 0 (paper) to 1 (ink).
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.saving.loaded import Bundle
from workshop.programs import console, engines

if TYPE_CHECKING:
    import numpy as np

LABELS = 10  # numbers of an input, the last ones
MAX_DIGITS, MAX_ROWS = 100, 100
SCALE = 4  # pixels of the sheet for each pixel of a digit
MARGIN = 12  # pixels around the digits
WIDTH = 14  # characters of a digit in the terminal
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille character, rows of two
SHADES = " .:+#@"  # where the terminal has no Braille


def main(argv: Sequence[str] | None = None) -> None:
    """Draws the digits, writes the sheet and says where it is."""
    parser = console.Parser(__doc__, "digit_generator")
    add = parser.add_argument
    add("digits", nargs="?", default="0123456789", metavar="DIGITS", help="what to draw (default: 0123456789)")
    add("--rows", type=cli.whole_number(1), default=4, metavar="N", help="handwritings (default: 4)")
    add("--seed", type=cli.whole_number(0), default=1, metavar="N", help="random seed (default: 1)")
    add("--output", type=Path, metavar="FILE", help="the sheet, a PNG (default: digits-DIGITS.png)")
    arguments = parser.parse_args(argv)
    check(arguments.digits, arguments.rows)
    path = output_path(arguments.output, arguments.digits)
    model = engines.load(arguments.model, ["gan"], arguments.engine)
    noise = noise_numbers(model)
    console.note_unverified(model, f"{noise} random numbers, then the label; 28x28 pixels from 0 (paper) to 1")
    images = draw(model, arguments.digits, arguments.rows, noise, arguments.seed)
    print(in_characters(images[0]), flush=True)
    files.write_atomically(path, as_png(images))
    rows = f"{arguments.rows} {'handwriting' if arguments.rows == 1 else 'handwritings'}"
    print(f"{one_line(path)}: {rows} of {arguments.digits}")
    engines.show_side_by_side(model, lambda output: f"{output.mean():.6f} of the image is ink")


def check(digits: str, rows: int) -> None:
    """Raises WorkshopError unless these digits and rows can be drawn."""
    if not 1 <= len(digits) <= MAX_DIGITS or set(digits) - set("0123456789"):
        got = repr(digits) if len(digits) <= MAX_DIGITS else f"{len(digits)} characters"
        raise WorkshopError(f"got {got}, takes 1 to {MAX_DIGITS} digits, each from 0 to 9")
    if rows > MAX_ROWS:
        raise WorkshopError(f"--rows: got {rows}, takes up to {MAX_ROWS}")


def output_path(given: FilePath | None, digits: str) -> Path:
    """Returns the path of the sheet; raises WorkshopError where it cannot be written."""
    from apps.clean import free_name

    path = free_name(f"digits-{digits}.png") if given is None else Path(given)
    console.check_output(path, ".png", "--output")
    return path


def noise_numbers(model: Bundle) -> int:
    """Returns how many random numbers a generator takes.

    Raises:
        WorkshopError: the model is no generator of digits, or cannot be told which digit to draw.
    """
    takes, gives = model.model.input_shape, model.model.output_shape
    if takes is None or len(takes) != 1 or takes[0] <= LABELS or gives not in [(28, 28, 1), (28, 28), (784,)]:
        raise WorkshopError(
            f"{model.path} has inputs of shape {takes} and outputs of shape {gives}, this program takes a generator: "
            f"random numbers and a label in, 28x28 pixels out"
        )
    if model.is_verified and len(model.card["classes"]) != LABELS:
        raise WorkshopError(f"{model.path} was trained without labels: it cannot be told which digit to draw")
    return takes[0] - LABELS


def draw(model: Bundle, digits: str, rows: int, noise: int, seed: int) -> np.ndarray:
    """Returns the images (rows, digits, 28, 28), 0 the paper to 1 the ink.

    Raises:
        WorkshopError: the model gives no finite numbers.
    """
    import numpy as np

    labels = np.eye(LABELS, dtype=np.float32)[[int(digit) for digit in digits]]
    random = np.random.default_rng(seed).standard_normal((rows, len(digits), noise), np.float32)
    inputs = np.concatenate([random, np.broadcast_to(labels, (rows, *labels.shape))], axis=2)
    images = model.predict(inputs.reshape(-1, noise + LABELS)).reshape(rows, len(digits), 28, 28)
    if not np.isfinite(images).all():
        raise WorkshopError(f"{model.path} draws no finite numbers: train it again")
    return images.clip(0, 1)


def as_png(images: np.ndarray) -> bytes:
    """Returns the PNG of a sheet of images (rows, columns, 28, 28): dark on light, enlarged."""
    import numpy as np
    from PIL import Image

    rows, columns = images.shape[:2]
    ink = images.transpose(0, 2, 1, 3).reshape(28 * rows, 28 * columns)
    grey = Image.fromarray(np.rint(255 * (1 - ink)).astype(np.uint8))
    size = SCALE * grey.width, SCALE * grey.height
    sheet = Image.new("L", (size[0] + 2 * MARGIN, size[1] + 2 * MARGIN), 255)
    sheet.paste(grey.resize(size, Image.Resampling.BICUBIC), (MARGIN, MARGIN))
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()


def in_characters(images: np.ndarray) -> str:
    """Returns images (n, 28, 28) side by side as lines of characters, as many as the terminal is wide."""
    try:
        width = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):  # a file, a pipe
        width = 80
    count = max(1, width // WIDTH)
    blocks = []
    for start in range(0, len(images), count):
        strip = images[start : start + count].transpose(1, 0, 2).reshape(28, -1)
        lines = in_braille(strip) if has_braille() else in_shades(strip)
        kept = [line for line in lines if line.strip(" \u2800")]  # no empty ones above and below
        blocks.append("\n".join(line.rstrip(" \u2800") for line in kept))
    return "\n\n".join(blocks)


def has_braille() -> bool:
    """Whether the screen takes the characters of Braille."""
    try:
        "\u2800".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def in_braille(ink: np.ndarray) -> list[str]:
    """Returns an image, its height a multiple of 4, its width one of 2, in lines: a character has 4x2 dots."""
    import numpy as np

    dots = ink.reshape(len(ink) // 4, 4, -1, 2) > 0.5
    bits = (dots * np.array(DOTS)[:, None]).sum(axis=(1, 3))
    return ["".join(chr(0x2800 + bit) for bit in row) for row in bits.tolist()]


def in_shades(ink: np.ndarray) -> list[str]:
    """Returns the same in as many ASCII characters, the darker the more ink."""
    means = ink.reshape(len(ink) // 4, 4, -1, 2).mean(axis=(1, 3))
    last = len(SHADES) - 1
    return ["".join(SHADES[min(last, math.ceil(last * value - 0.2))] for value in row) for row in means.tolist()]


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
