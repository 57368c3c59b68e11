"""What a lesson on filters needs beside its own: images, the same in SciPy, Keras and PyTorch, and its figures.

Images are float64 (height, width), and the three libraries compute in float64.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import plots
from workshop.kit.data import published_images, synthetic_images
from workshop.kit.data.images import ImageSet, find_image_set, load_image_set
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, load, torch
from workshop.kit.photos import image_file

# How NumPy and SciPy call the ways of padding, by the names that PyTorch has for them. Keras knows none but zeros.
NUMPY_MODES: dict[str, Any] = {"zeros": "constant", "replicate": "edge", "circular": "wrap", "reflect": "reflect"}
SCIPY_MODES = {"zeros": "constant", "replicate": "nearest", "circular": "wrap", "reflect": "mirror"}

_SMALLEST_SIDE = 8  # pixels: the largest kernel is 7x7


class Case(NamedTuple):
    """What is computed.

    Attributes:
        name: for tables.
        kernel: (f, f) with f odd; of the window of a pooling, whose f may be even, only the size counts.
        padding: one of `NUMPY_MODES`, with f // 2 pixels on each side, or "valid": none.
        stride: the step from one window to the next, in pixels.
        operation: "correlate", "convolve" (the kernel flipped), or pooling without padding: "max", "average".
    """

    name: str
    kernel: np.ndarray
    padding: str = "valid"
    stride: int = 1
    operation: str = "correlate"

    @property
    def pools(self) -> bool:
        """Whether it is a pooling."""
        return self.operation in ("max", "average")

    @property
    def correlated(self) -> np.ndarray:
        """The kernel that a library takes which only correlates."""
        return self.kernel[::-1, ::-1] if self.operation == "convolve" else self.kernel


def by_scipy(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with scipy.ndimage: it answers for every pixel, so what strides and "valid" leave out is left out.

    Its windows lie around their pixel; those of a pooling are moved until their corner lies there.
    """
    ndimage = load("scipy.ndimage")
    f, s = len(case.kernel), case.stride
    if case.pools:
        function = {"max": ndimage.maximum_filter, "average": ndimage.uniform_filter}[case.operation]
        everywhere = function(image, f, origin=-(f // 2))[: len(image) - f + 1, : image.shape[1] - f + 1]
    else:
        function = {"correlate": ndimage.correlate, "convolve": ndimage.convolve}[case.operation]
        everywhere = function(image, case.kernel, mode=SCIPY_MODES.get(case.padding, "constant"))
        if case.padding == "valid":
            p = f // 2
            everywhere = everywhere[p : len(image) - p, p : image.shape[1] - p]
    return np.asarray(everywhere[::s, ::s])


def by_keras(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with Keras' operations, whose images are (samples, height, width, channels).

    Its max pooling answers in single precision on TensorFlow.
    """
    f, s = len(case.kernel), case.stride
    if case.pools:
        function = {"max": keras.ops.max_pool, "average": keras.ops.average_pool}[case.operation]
        result = function(image[None, :, :, None], f, s, "valid", "channels_last")
    else:
        # Keras' "same" is zeros, but at strides above 1 it may pad one side only. All else is padded before.
        padding = "same" if case.padding == "zeros" and s == 1 else "valid"
        if case.padding != "valid" and padding == "valid":
            image = np.pad(image, f // 2, NUMPY_MODES[case.padding])
        kernel = np.ascontiguousarray(case.correlated)[:, :, None, None]
        result = keras.ops.conv(image[None, :, :, None], kernel, s, padding, "channels_last")
    return np.asarray(keras.ops.convert_to_numpy(result))[0, :, :, 0]


def by_torch(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with PyTorch's layers, whose images are (samples, channels, height, width)."""
    f, s = len(case.kernel), case.stride
    if case.pools:
        layer = {"max": torch.nn.MaxPool2d, "average": torch.nn.AvgPool2d}[case.operation](f, s)
    else:
        p, mode = (0, "zeros") if case.padding == "valid" else (f // 2, case.padding)
        layer = torch.nn.Conv2d(1, 1, f, s, p, padding_mode=mode, bias=False, dtype=torch.float64)
        layer.weight.data[0, 0] = torch.tensor(case.correlated.copy())
    with torch.no_grad():
        return np.asarray(layer(torch.tensor(image)[None, None])[0, 0])


LIBRARIES: dict[str, Callable[[np.ndarray, Case], np.ndarray]] = {
    "scipy": by_scipy,
    "keras": by_keras,
    "torch": by_torch,
}


def largest_difference(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Returns the largest absolute difference between arrays that should be equal, of one shape; NaN if one has NaN."""
    return float(np.max([np.abs(np.subtract(first, second)).max() for first, second in pairs]))


def load_photographs(path: Path | None = None) -> dict[str, np.ndarray]:
    """Returns grey pictures by their names, float64 (height, width), 0 black to 1 white.

    Args:
        path: a picture in any common format, 8x8 pixels or more; else scikit-learn's two sample photographs.

    Raises:
        WorkshopError: the file is no picture that can be used.
    """
    if path is not None:
        grey = image_file.read_grey(path).astype(np.float64)
        if min(grey.shape) < _SMALLEST_SIDE:  # a long strip, made shorter
            sides = f"{grey.shape[1]}x{grey.shape[0]}"
            raise WorkshopError(
                f"{path} has {sides} pixels as it is read, takes {_SMALLEST_SIDE} a side or more: cut a wider part out"
            )
        return {path.name: grey}
    from sklearn.datasets import load_sample_image

    # How bright red, green and blue are to the eye (ITU-R BT.601).
    return {name: load_sample_image(name) @ [0.299, 0.587, 0.114] / 255 for name in ("china.jpg", "flower.jpg")}


def load_digits() -> ImageSet:
    """Returns MNIST where it lies on this machine, else scikit-learn's digits: nothing is downloaded."""
    if find_image_set("mnist") is not None:
        return load_image_set("mnist")
    X_train, y_train, X_test, y_test, title = synthetic_images.image_set("mnist")
    source = f"{title} (stand-in for mnist)"
    return ImageSet(
        "mnist", source, X_train, y_train, X_test, y_test, published_images.CLASSES["mnist"], is_standin=True
    )


def crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns the middle of an image, or all of a side that is shorter."""
    top, left = (max(0, (n - size) // 2) for n, size in zip(image.shape, (height, width), strict=True))
    return image[top : top + height, left : left + width]


def draw_image(panel: Any, image: np.ndarray, title: str = "", has_signs: bool = False) -> None:
    """Draws an image into a panel: 0 black to 1 white, or with signs from black through grey, which is 0, to white."""
    top = float(np.abs(image).max()) or 1.0 if has_signs else 1.0
    panel.imshow(image, cmap="gray", vmin=-top if has_signs else 0, vmax=top, interpolation="nearest")
    panel.set_title(title)
    panel.axis("off")


def draw_numbers(panel: Any, kernel: np.ndarray, title: str, divisor: int = 1) -> None:
    """Draws a kernel with its numbers in its cells, purple above 0 and orange below, without their common divisor."""
    numbers = np.rint(kernel * divisor).astype(int)
    largest = float(np.abs(numbers).max())
    panel.imshow(numbers, cmap="PuOr", vmin=-2 * largest, vmax=2 * largest)  # pale enough for the numbers
    for (row, column), number in np.ndenumerate(numbers):
        panel.text(column, row, number, ha="center", va="center", fontsize=16 if len(numbers) <= 3 else 10)
    panel.set_title(f"{title}, / {divisor}" if divisor > 1 else title)
    lines = np.arange(len(numbers) + 1) - 0.5
    panel.set_xticks(lines, [])
    panel.set_yticks(lines, [])
    panel.grid(color=plots.BLACK, linewidth=0.5)
    panel.spines[:].set_visible(True)
    panel.tick_params(length=0)


def kernel_figure(
    originals: Mapping[str, np.ndarray],
    kernels: Mapping[str, np.ndarray],
    divisors: Mapping[str, int],
    results: Mapping[str, Sequence[np.ndarray]],
    heading: str,
) -> Any:
    """Returns a figure: the originals, then each kernel and its results beside it, three kernels a row.

    Args:
        originals: two images by their titles.
        kernels: by their names.
        divisors: what the numbers of a kernel have in common, where it is not 1.
        results: for each kernel's name the two images that it gives.
        heading: above all.
    """
    rows = -(-(len(kernels) + 1) // 3)
    figure, axes = plots.subplots(rows, 9, width=1.8, height=2.2, width_ratios=[1, 1.5, 1] * 3)
    for panel in axes.flat:
        panel.axis("off")
    (empty, *first), *groups = axes.reshape(-1, 3)
    empty.text(0.5, 0.5, "originals", ha="center", va="center", fontsize=16, transform=empty.transAxes)
    for panel, (title, image) in zip(first, originals.items(), strict=True):
        draw_image(panel, image, title)
    for (left, *panels), (name, kernel) in zip(groups, kernels.items(), strict=False):
        left.axis("on")
        draw_numbers(left, kernel, name, divisors.get(name, 1))
        for panel, image in zip(panels, results[name], strict=True):
            # A kernel whose numbers add up to 0 answers a plain area with 0, and a change with either sign.
            draw_image(panel, image, has_signs=abs(float(kernel.sum())) < 1e-9)
    figure.suptitle(heading, fontsize=18)
    return figure


def image_rows(rows: Sequence[Mapping[str, np.ndarray]], heading: str) -> Any:
    """Returns a figure of rows of images, each under its title."""
    figure, axes = plots.subplots(len(rows), max(map(len, rows)), width=2.8, height=2.8)
    for panel in axes.flat:
        panel.axis("off")
    for panels, row in zip(axes, rows, strict=True):
        for panel, (title, image) in zip(panels, row.items(), strict=False):
            draw_image(panel, image, title)
    figure.suptitle(heading, fontsize=18)
    return figure
