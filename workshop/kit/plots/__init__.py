"""The style of every figure: lines and letters that a projector shows, colours that the colour-blind tell apart.

A figure is made here and saved here, without pyplot, so no window opens and nothing is kept in memory once it is
saved. What several lessons draw into it is in `charts`, `contours` and `images`; `animation` saves one that changes.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.kit import files
from workshop.kit.files import FilePath

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito (2008), "Color Universal Design".
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
BLACK = "#222222"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
STYLE = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "image.cmap": "gray_r",
}


def subplots(
    rows: int = 1, columns: int = 1, width: float = 6.0, height: float = 4.5, **options: Any
) -> tuple[Figure, Any]:
    """Returns (figure, axes) of the package's style; `width` and `height` are of one panel, in inches.

    Axes are a NumPy array of (rows, columns), or the one Axes where there is one panel.
    """
    import matplotlib

    from workshop.kit.plots.figure import NamesFigure

    with matplotlib.rc_context(STYLE):
        figure = NamesFigure(figsize=(width * columns, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, axes if rows * columns > 1 else axes[0, 0]


def save(figure: Figure, path: FilePath) -> Path:
    """Saves a figure as PNG and returns the path. A run that is killed leaves no half-written file."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    content = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.set_dpi(110)
        FigureCanvasAgg(figure).print_png(content)  # `savefig` draws the figure twice
    files.write_atomically(path, content.getvalue())
    return Path(path)
