"""The plots of the lesson `gan`: sheets of images, the film of a training, two losses, the classes of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

GAP = 2  # pixels between images
FRAME_SECONDS, LAST_SECONDS = 0.25, 2.5  # of the film


def tiles(images: np.ndarray) -> np.ndarray:
    """Returns images (rows, columns, height, width) side by side in one, with a light gap between them."""
    padded = np.pad(images, ((0, 0), (0, 0), (0, GAP), (0, GAP)))
    rows, columns, height, width = padded.shape
    return padded.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)


def draw_tiles(axes: Axes, images: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> AxesImage:
    """Draws images (rows, columns, height, width), 0 the paper, 1 the ink, with names beside and above them."""
    image = axes.imshow(tiles(images), cmap="gray_r", vmin=0, vmax=1)
    size = images.shape[2] + GAP, images.shape[3] + GAP
    for axis, names, step in ((axes.yaxis, rows, size[0]), (axes.xaxis, columns, size[1])):
        axis.set_ticks([step * (i + 0.5) - 1.5 for i in range(len(names))], names)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.grid(False)
    return image


def sheet(images: np.ndarray, title: str, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> Figure:
    """Returns a figure of images (rows, columns, height, width), with names beside the rows and above the columns."""
    height = 0.72 * len(images) + 1
    figure, axes = plots.subplots(width=0.72 * images.shape[1] + (2 if rows else 0.6), height=height)
    draw_tiles(axes, images, rows, columns)
    figure.suptitle(title, fontsize=15)
    return figure


def film(
    frames: np.ndarray, steps: Sequence[int], columns: Sequence[str], title: str
) -> tuple[Figure, Iterator[float]]:
    """Returns the animation of a training, as `plots.animation.save` takes it.

    Args:
        frames: what the same inputs gave, (frames, rows, columns, height, width).
        steps: of the training, at each frame.
        columns: the names above the columns.
        title: of the figure.
    """
    figure, axes = plots.subplots(width=7.4, height=0.66 * frames.shape[1] + 1.6)
    image = draw_tiles(axes, frames[0], (), columns)
    figure.suptitle(title, fontsize=15)
    longest = f"after {steps[-1]:,} steps"

    def play() -> Iterator[float]:
        for i, (frame, step) in enumerate(zip(frames, steps, strict=True)):
            image.set_data(tiles(frame))
            axes.set_xlabel(f"after {step:,} steps".ljust(len(longest)), fontsize=14)
            yield LAST_SECONDS if i == len(steps) - 1 else FRAME_SECONDS

    return figure, play()


def losses(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], balance: Mapping[str, float]) -> Figure:
    """Returns the losses of both networks by the epochs passed.

    Args:
        curves: for each network the epochs passed, and its loss then.
        balance: for each network the loss where the discriminator can only guess.
    """
    figure, axes = plots.subplots(width=8.5)
    charts.draw_curves(axes, curves, y="loss (cross-entropy)", title="What one network gains, the other loses")
    for (name, value), colour in zip(balance.items(), plots.COLOURS, strict=False):
        label = f"{name}, where the discriminator guesses"
        axes.axhline(value, linestyle="--", linewidth=1.4, color=colour, label=label)
    axes.legend(fontsize=12, frameon=False)
    axes.set_ylim(bottom=0)
    return figure


def classes(counts: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Returns a figure of the shares of the classes that the classifier finds in sets of images.

    Args:
        counts: how many images of each class, by the names of the sets.
        names: of the classes.
    """
    figure, axes = plots.subplots(len(counts), 1, width=8.5, height=1.9, sharex=True, sharey=True)
    for panel, (title, numbers), colour in zip(np.ravel(axes), counts.items(), plots.COLOURS, strict=False):
        panel.bar(names, numbers / max(1, numbers.sum()), color=colour)
        panel.set_title(title, loc="left", fontsize=13)
        panel.set_axisbelow(True)
        panel.grid(axis="x", visible=False)
        panel.set_ylim(0, 1)
        panel.set_ylabel("share")
    np.ravel(axes)[-1].set_xlabel("class that the classifier predicts")
    return figure
