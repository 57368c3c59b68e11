"""Makes the images of README.md, small files in `notebooks/images`, from default runs of five lessons.

python notebooks/images.py                             # about three minutes
python notebooks/images.py clustering policy_gradient  # those of two lessons
"""

import importlib
import sys
import tempfile
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).resolve().parent / "images"
WIDTH = 900  # pixels, at most: what a page shows
COLOURS = 64  # of a palette: a plot has few, and the file becomes a third as large

# The lesson, its options, and those of its plots that README shows.
SHOWN = (
    ("gradient_descent", [], ["gradient_descent-walk.gif"]),
    ("admission", [], ["admission-boundary.png"]),
    ("mnist", ["--model", "cnn"], ["mnist_cnn-layers.png", "mnist_cnn-mistakes.png"]),
    ("clustering", [], ["clustering-kmeans.gif"]),
    ("policy_gradient", ["--part", "lander"], ["lander.gif"]),
)


def shrink(source: Path, target: Path) -> None:
    """Writes a plot with at most `WIDTH` pixels a row and `COLOURS` colours; an animation stays as it is."""
    if source.suffix == ".gif":
        target.write_bytes(source.read_bytes())
        return
    with Image.open(source) as image:
        small = image.convert("RGB")
        if small.width > WIDTH:
            small = small.resize((WIDTH, round(small.height * WIDTH / small.width)), Image.Resampling.LANCZOS)
        small.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> int:
    """Runs the lessons in an empty folder and keeps the images."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for lesson, options, names in SHOWN:
            if sys.argv[1:] and lesson not in sys.argv[1:]:
                continue
            trains = [] if lesson in ("gradient_descent", "clustering") else ["--models", f"{folder}/models"]
            importlib.import_module(f"workshop.{lesson}").main([*options, *trains, "--plots", f"{folder}/plots"])
            for name in names:
                shrink(Path(folder, "plots", name), FOLDER / name)
                print(f"{FOLDER.name}/{name}: {(FOLDER / name).stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
