"""Denoising: a saved model removes the noise from images of handwritten digits.

    python -m apps.clean IMAGE.png ...              # writes IMAGE-clean.png beside it
    python -m apps.clean --out FOLDER IMAGE.png     # writes it there
    python -m apps.clean --show IMAGE.png           # draws before and after
    python -m apps.clean --model my.h5 IMAGE.png    # a model of your own

An image shows one digit, in any common format and size, dark on light or light on dark. It is scaled and centred as in
MNIST, with its noise. No file is ever replaced: where IMAGE-clean.png exists, IMAGE-clean-2.png is written. The model
is the denoiser that `python -m workshop.autoencoder` trains; one of your own has inputs and outputs of 28x28 pixels
from 0 to 1.
"""

import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.saving.loaded import Bundle
from workshop.programs import console, engines

SCALE = 10  # of the written image, to be visible


def main(argv: Sequence[str] | None = None) -> None:
    """Cleans each image, and prints a line for it."""
    parser = console.Parser(__doc__, "denoiser")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="images of any common format and size")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to save the images (default: beside each FILE)")
    parser.add_argument("--show", action="store_true", help="draw before and after, as a PNG in the folder plots")
    parser.add_argument("--plots", type=Path, default=Path("plots"), metavar="DIR", help="(default: plots)")
    arguments = parser.parse_args(argv)
    for folder, option in ((arguments.out, "--out"), (arguments.plots if arguments.show else None, "--plots")):
        if folder is not None:
            files.check_writable(folder, option)
    model = load(arguments.model, arguments.engine)
    failed = False
    for path in dict.fromkeys(arguments.files):
        try:
            clean(path, model, arguments.out or path.parent, arguments.plots if arguments.show else None)
        except WorkshopError as error:  # the other images are cleaned all the same
            print(f"error: {error}", file=sys.stderr)
            failed = True
    if failed:
        raise SystemExit(2)


def load(path: FilePath, engine: str | None) -> Bundle:
    """Returns the model; raises WorkshopError unless its inputs and outputs are 28x28 pixels."""
    model = engines.load(path, ["autoencoder"], engine)
    takes, gives = model.input_shape, model.model.output_shape
    if takes not in [(28, 28, 1), (28, 28), (784,)] or gives is None or math.prod(gives) != 784:
        raise WorkshopError(
            f"{path} has inputs of shape {takes} and outputs of shape {gives}, this program takes 28x28 pixels for both"
        )
    console.note_unverified(model, "28x28 grey pixels from 0 (background) to 1, for inputs and outputs")
    return model


def clean(path: FilePath, model: Bundle, out: FilePath, plots_folder: FilePath | None) -> None:
    """Cleans one image, writes it and prints its noise."""
    from workshop.programs import mnist_preprocessing

    path = Path(path)
    noisy = mnist_preprocessing.read_noisy_digit(path)
    cleaned = model.predict(noisy[None]).reshape(28, 28).clip(0, 1)
    to = free_name(Path(out) / f"{path.stem}-clean.png")
    files.write_atomically(to, as_png(cleaned))
    noise = float(np.sqrt(np.mean((noisy - cleaned) ** 2)))
    print(f"{one_line(path)}: {one_line(to)} (noise {noise:.2f}, where ink is 1)")
    engines.show_side_by_side(model, lambda output: f"{output.mean():.6f} of the image is ink")
    if plots_folder is not None:
        drawn = draw(noisy, cleaned, free_name(Path(plots_folder) / f"{path.stem}-cleaned.png"))
        print(f"  before and after: {one_line(drawn)}")


def free_name(path: FilePath) -> Path:
    """Returns the path or, where it exists, the first of NAME-2, NAME-3, ... that does not."""
    path = free = Path(path)
    number = 1
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def as_png(ink: np.ndarray) -> bytes:
    """Returns the PNG of an image (28, 28), 0 the paper to 1 the ink: dark on light, enlarged."""
    from PIL import Image

    content = io.BytesIO()
    grey = Image.fromarray(np.rint(255 * (1 - ink)).astype(np.uint8))
    grey.resize((SCALE * 28, SCALE * 28), Image.Resampling.BICUBIC).save(content, "PNG")
    return content.getvalue()


def draw(noisy: np.ndarray, cleaned: np.ndarray, to: FilePath) -> Path:
    """Draws an image before and after."""
    from workshop.kit import plots

    figure, axes = plots.subplots(1, 2, width=5, height=5)
    for panel, image, title in zip(axes[0], (noisy, cleaned), ("before", "after"), strict=True):
        panel.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        panel.set(xlabel="pixel", ylabel="pixel", title=title)
        panel.grid(False)
    return plots.save(figure, to)


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
