"""The plots of the lesson `convolution`: kernels with their outputs, padding and pooling, spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def kernels(
    originals: Mapping[str, np.ndarray],
    integer_kernels: Mapping[str, np.ndarray],
    divisors: Mapping[str, int],
    outputs: Mapping[str, Sequence[np.ndarray]],
) -> Figure:
    """Returns a figure of two images, and each kernel with its outputs for them, three kernels a row.

    Args:
        originals: two images by their titles, 0 black to 1 white.
        integer_kernels: the whole numbers of the kernels (f, f) by their names.
        divisors: the common divisor of a kernel's numbers, where it is not 1.
        outputs: for each kernel's name its output for each of the two images.
    """
    rows = -(-(len(integer_kernels) + 1) // 3)
    figure, axes = plots.subplots(rows, 9, width=1.8, height=2.2, width_ratios=[1, 1.5, 1] * 3)
    for panel in axes.flat:
        panel.axis("off")
    (empty, *first), *groups = axes.reshape(-1, 3)
    empty.text(0.5, 0.5, "originals", ha="center", va="center", fontsize=16, transform=empty.transAxes)
    for panel, (title, image) in zip(first, originals.items(), strict=True):
        _draw_image(panel, image, title)
    for (left, *panels), (name, kernel) in zip(groups, integer_kernels.items(), strict=False):
        left.axis("on")
        _draw_kernel(left, kernel, name, divisors.get(name, 1))
        for panel, image in zip(panels, outputs[name], strict=True):
            # A kernel whose numbers add up to 0 turns a plain area into 0, and a change into either sign.
            _draw_image(panel, image, has_signs=kernel.sum() == 0)
    figure.suptitle("Kernels and their outputs for two images (edge and Sobel: grey is 0)", fontsize=18)
    return figure


def padding_and_pooling(
    padded: Mapping[str, np.ndarray],
    blurred: Mapping[str, np.ndarray],
    pooled_photo: Mapping[str, np.ndarray],
    pooled_digit: Mapping[str, np.ndarray],
    border: int,
) -> Figure:
    """Returns a figure with four rows of images, each image under its title.

    Args:
        padded: the upper left corner of an image after each padding; of the first, "valid", nothing is padded.
        blurred: the same corner of the output of a blur.
        pooled_photo, pooled_digit: an image before and after pooling.
        border: the pixels that were padded at each side: a line separates them from the image.
    """
    rows = (padded, blurred, pooled_photo, pooled_digit)
    figure, axes = plots.subplots(len(rows), max(map(len, rows)), width=2.8, height=2.8)
    for panel in axes.flat:
        panel.axis("off")
    for panels, row in zip(axes, rows, strict=True):
        for panel, (title, image) in zip(panels, row.items(), strict=False):
            _draw_image(panel, image, title)
    edge = border - 0.5
    for panel, image in list(zip(axes[0], padded.values(), strict=False))[1:]:
        bottom, right = np.array(image.shape) - 0.5
        panel.plot([right, edge, edge], [edge, edge, bottom], color=plots.ORANGE)
    figure.suptitle("A corner padded (the image begins at the line) and blurred by 7x7; below, pooling", fontsize=18)
    return figure


def spectra(images: Mapping[str, np.ndarray], amplitudes: Mapping[str, np.ndarray]) -> Figure:
    """Returns a figure of images, each above its spectrum.

    Args:
        images: by their titles, 0 black to 1 white.
        amplitudes: by the same titles the amplitudes of the waves, the slow ones in the middle.
    """
    figure, axes = plots.subplots(2, len(images), width=3.2, height=3.3)
    for (upper, lower), (title, image) in zip(axes.T, images.items(), strict=True):
        _draw_image(upper, image, title)
        largest = float(amplitudes[title].max()) or 1.0
        shown = np.log(amplitudes[title] / largest + 1e-3)  # else the strongest would outshine the others
        # Half a wave per pixel is the finest that pixels can show.
        lower.imshow(shown, cmap="gray", extent=(-0.5, 0.5, -0.5, 0.5))
        lower.set(xlabel="waves per pixel, to the right", ylabel="waves per pixel, upwards")
        lower.grid(False)
        lower.label_outer()
    figure.suptitle("Images and their spectra: how strong the wave of each direction and frequency is", fontsize=16)
    return figure


def _draw_image(panel: Axes, image: np.ndarray, title: str = "", has_signs: bool = False) -> None:
    """Draws an image from 0, black, to 1, white; with signs, 0 is grey and the largest size is white or black."""
    largest = (float(np.abs(image).max()) or 1.0) if has_signs else 1.0
    smallest = -largest if has_signs else 0
    panel.imshow(image, cmap="gray", vmin=smallest, vmax=largest, interpolation="nearest")
    panel.set_title(title)
    panel.axis("off")


def _draw_kernel(panel: Axes, kernel: np.ndarray, name: str, divisor: int) -> None:
    """Draws a kernel's whole numbers in its cells, purple above 0 and orange below."""
    largest = float(np.abs(kernel).max())
    panel.imshow(kernel, cmap="PuOr", vmin=-2 * largest, vmax=2 * largest)  # pale enough for the numbers
    for (row, column), number in np.ndenumerate(kernel):
        panel.text(column, row, number, ha="center", va="center", fontsize=16 if len(kernel) <= 3 else 10)
    panel.set_title(f"{name}, / {divisor}" if divisor > 1 else name)
    lines = np.arange(len(kernel) + 1) - 0.5
    panel.set_xticks(lines, [])
    panel.set_yticks(lines, [])
    panel.grid(color=plots.BLACK, linewidth=0.5)
    panel.spines[:].set_visible(True)
    panel.tick_params(length=0)
