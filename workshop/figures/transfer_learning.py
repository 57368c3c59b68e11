"""The plots and the table of the lesson `transfer_learning`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts, images
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def animals(drawings: np.ndarray, kinds: Sequence[str]) -> Figure:
    """Returns a drawing of each kind of animal, (kinds, size, size, 3)."""
    return images.image_grid(drawings, kinds, "What the backbone was trained to classify", columns=5)


def comparison(results: Sequence[tuple[int | str, str, float, float]]) -> str:
    """Returns a table of (photos of each class, method, seconds, validation accuracy)."""
    rows = [[count, method, f"{seconds:.1f}", f"{accuracy:.1%}"] for count, method, seconds, accuracy in results]
    return format_table(["photos of each class", "method", "seconds", "validation accuracy"], rows)


def accuracies(table: Mapping[str, Mapping[float, float]], source: str) -> Figure:
    """Returns the validation accuracy of each method by the number of photos of each class.

    Args:
        table: for each method the accuracy by the number of photos.
        source: of the backbone's weights.
    """
    figure, axes = plots.subplots(width=8)
    curves = {method: (list(by_count), list(by_count.values())) for method, by_count in table.items()}
    charts.draw_curves(axes, curves, x="photos of each class", y="validation accuracy", title=f"The backbone: {source}")
    for line, marker in zip(axes.lines, plots.MARKERS, strict=False):
        line.set(marker=marker, markersize=9)
    axes.legend(fontsize=13, frameon=False)  # anew, with the markers
    axes.set_xscale("log")
    ticks = sorted({count for by_count in table.values() for count in by_count})
    axes.set_xticks(ticks, [f"{count:g}" for count in ticks])
    axes.minorticks_off()
    return figure
