"""Animations: a figure that changes, saved as GIF, which every browser and every slide shows without a player."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.files import FilePath

DOTS_PER_INCH = 80  # a figure of 10 x 5 inches becomes 800 x 400 pixels, enough for a projector


def save(figure: Any, frames: Iterable[float], path: FilePath) -> Path:
    """Saves a figure that changes as GIF, in an endless loop, and returns the path.

    The axes stay where they are in the first frame, and all frames share their colours: nothing flickers that does not
    change. A run that is killed leaves no half-written file.

    Args:
        figure: of `plots.subplots`.
        frames: changes the figure and yields for how many seconds it is then shown; once for each frame. A longer last
            one gives the eye time before the loop begins again.
        path: the file, `.gif`.

    Raises:
        WorkshopError: the file cannot be written.
        ValueError: there are no frames.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(DOTS_PER_INCH)
    canvas = FigureCanvasAgg(figure)
    frames_drawn, milliseconds = [], []
    for seconds in frames:
        canvas.draw()
        # From now on the layout stays as it is: a title that grows would push the axes.
        figure.set_layout_engine("none")
        frames_drawn.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
        milliseconds.append(10 * max(2, round(100 * seconds)))  # a GIF counts hundredths of a second
    if not frames_drawn:
        raise ValueError("an animation takes one frame or more")
    # A GIF has 256 colours, and its frames share the most frequent ones. Every third pixel tells which these are.
    weights = np.array([65536, 256, 1])
    sample = np.concatenate([np.asarray(frame)[::3, ::3].reshape(-1, 3) for frame in frames_drawn])
    colours, counts = np.unique(sample @ weights, return_counts=True)
    common = np.sort(colours[np.argsort(-counts, kind="stable")][:255])
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.stack([common >> 16, common >> 8 & 255, common & 255], axis=1).astype(np.uint8).tobytes())
    indexed = []
    for frame in frames_drawn:
        # Pillow finds a near colour, not always the nearest: white would turn grey. What is in the palette stays exact.
        near = np.asarray(frame.quantize(palette=palette, dither=Image.Dither.NONE))
        wanted = np.asarray(frame) @ weights
        place = np.searchsorted(common, wanted).clip(max=len(common) - 1)
        frame = Image.fromarray(np.where(common[place] == wanted, place, near).astype(np.uint8))
        frame.putpalette(palette.getpalette() or [])
        indexed.append(frame)
    content = io.BytesIO()
    indexed[0].save(
        content, "GIF", save_all=True, append_images=indexed[1:], duration=milliseconds, loop=0, optimize=True
    )
    files.write_atomically(path, content.getvalue())
    return Path(path)
