"""Images as figures: many under their titles, one on its way through the layers of a network, and a layer's filters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CHANNELS = 16  # of a layer that are drawn


def image_grid(images: np.ndarray, titles: Sequence[str], heading: str, columns: int = 6) -> "Figure":
    """Returns a figure of images, grey (n, height, width) or in colour (n, height, width, 3), each under its title."""
    rows = max(1, -(-len(images) // columns))
    figure, axes = plots.subplots(rows, columns, width=1.9, height=2.3)
    for panel in axes.flat:
        panel.axis("off")
    for panel, image, title in zip(axes.flat, images, titles, strict=False):
        panel.imshow(image, cmap="gray_r")
        panel.set_title(title, fontsize=11)
    figure.suptitle(heading)
    return figure


def layer_by_layer(stages: Sequence[tuple[str, np.ndarray]], heading: str, classes: Sequence[str]) -> "Figure":
    """Returns a figure of one image on its way through a network.

    Args:
        stages: for each layer its name and what it answered, (height, width, channels) or (units,).
        heading: above all.
        classes: the names of the last layer's units.
    """
    figure, axes = plots.subplots(len(stages), 1, width=13, height=1.5)
    for panel, (name, output) in zip(axes[:, 0], stages, strict=True):
        if output.ndim == 3:
            # The channels side by side, with a white column between them.
            shown = output[..., :MAX_CHANNELS] / max(float(output.max()), 1e-9)
            strip = np.pad(shown, ((0, 0), (0, 2), (0, 0))).transpose(0, 2, 1).reshape(len(output), -1)
        else:
            strip = output[None, :]
        # A thin strip of single units would be stretched to nothing with square pixels.
        panel.imshow(strip, aspect="equal" if output.ndim == 3 else "auto", cmap="gray_r", interpolation="nearest")
        shape = " x ".join(str(size) for size in output.shape)
        extra = f", the first {MAX_CHANNELS}" if output.ndim == 3 and output.shape[-1] > MAX_CHANNELS else ""
        panel.set_title(f"{name}: {shape}{extra}", fontsize=12, loc="left")
        panel.set_xticks([])
        if output.shape == (len(classes),):
            panel.set_xticks(range(len(classes)), classes)
        panel.spines[:].set_visible(False)
        panel.set_yticks([])
        panel.grid(False)
    figure.suptitle(heading)
    return figure


def filters(kernels: np.ndarray, heading: str) -> "Figure":
    """Returns a figure of a convolution's kernels (height, width, 1, filters): dark is positive, orange negative."""
    count = kernels.shape[-1]
    figure, axes = plots.subplots(-(-count // 8), 8, width=1.2, height=1.2)
    largest = float(np.abs(kernels).max())
    for panel in axes.flat:
        panel.axis("off")
    for panel, kernel in zip(axes.flat, np.moveaxis(kernels[:, :, 0], -1, 0), strict=False):
        panel.imshow(kernel, cmap="PuOr", vmin=-largest, vmax=largest)
    figure.suptitle(heading)
    return figure
