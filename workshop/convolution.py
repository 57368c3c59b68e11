"""Convolution by hand: a small kernel slides over an image, and everything that is built from it.

You write the operation of a convolutional layer in NumPy, once as the two loops that define it and once fast. Then you
blur, sharpen and emboss photos and digits, pad them in five ways, take longer strides, spread kernels and pool; you see
that the libraries compute the same, what images look like as sums of waves, and how a trained network uses the kernels
that training found.

    python -m workshop.convolution                        # all of it; then look into the folder plots
    python -m workshop.convolution --data YOUR.jpg        # an image of your own in place of the two photos
    python -m workshop.convolution --quick                # a first look: the middle of the photos

Expected: SciPy, Keras and PyTorch agree with NumPy within 1e-6 (in double precision far closer), and so does, within
1e-10, a product of Fourier transforms. Convolution is associative to 1e-12, correlation is not. A 5x5 kernel needs 25
weights where a dense layer needs 451,584; three 3x3 layers see 7x7 pixels. About 15 s on two CPU cores. Nothing is
trained.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.figures import convolution as figures
from workshop.kit import cli, device, files
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.lazy import keras, torch
from workshop.kit.photos import image_file
from workshop.kit.plots import images as image_plots
from workshop.kit.report import Report, format_table
from workshop.scratch.nn.network import Network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INTEGER_KERNELS = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "box": np.ones((5, 5), int),
    "soft blur": np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
    "Gaussian 3x3": np.outer([1, 2, 1], [1, 2, 1]),
    "Gaussian 5x5": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "excessive sharpen": np.array([[1, 1, 1], [1, -7, 1], [1, 1, 1]]),
    "edge": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "emboss": np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
    "Sobel x": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "Sobel y": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
}
# A blur keeps the brightness: its weights add up to 1.
DIVISORS = {"box": 25, "soft blur": 5, "Gaussian 3x3": 16, "Gaussian 5x5": 256}
KERNELS = {name: kernel / DIVISORS.get(name, 1) for name, kernel in INTEGER_KERNELS.items()}

EXAMPLE_IMAGE = np.array([[1, 2, 0, 1], [3, 1, 1, 0], [0, 2, 4, 1], [1, 0, 2, 3]])
EXAMPLE_KERNEL = np.array([[1, 2, 0], [0, 1, 0], [0, 0, -1]])

# The ways of padding by PyTorch's names, and the names that NumPy and SciPy have for them. Keras pads with zeros only.
NUMPY_MODES: dict[str, Literal["constant", "edge", "wrap", "reflect"]] = {
    "zeros": "constant",
    "replicate": "edge",
    "circular": "wrap",
    "reflect": "reflect",
}
SCIPY_MODES = {"zeros": "constant", "replicate": "nearest", "circular": "wrap", "reflect": "mirror"}
PADDINGS = ("valid", *NUMPY_MODES)
POOLINGS = ("max", "average", "L2")
DILATIONS = (1, 2, 4)  # of three layers, one upon the other
TURN = 30  # degrees, of a photo whose spectrum is drawn

MIN_SIDE = 8  # pixels: the largest kernel is 7x7


# --- The operations ---------------------------------------------------------------------------------------------------


def pad(X: np.ndarray, kernel: np.ndarray, padding: str) -> np.ndarray:
    """Returns the image X (height, width) with half a kernel around it: an odd kernel then keeps the image's size.

    "zeros" are black; "replicate" repeats the outermost pixel, "reflect" mirrors the image there, "circular" continues
    at the opposite side. "valid" pads nothing: the kernel stays wholly on the image.
    """
    if padding == "valid":
        return X
    rows, columns = kernel.shape[0] // 2, kernel.shape[1] // 2
    return np.pad(X, ((rows, rows), (columns, columns)), NUMPY_MODES[padding])


def dilate(kernel: np.ndarray, dilation: int) -> np.ndarray:
    """Returns the kernel with dilation - 1 zeros between its weights: it sees further with as many weights."""
    dilated = np.zeros([dilation * (f - 1) + 1 for f in kernel.shape], kernel.dtype)
    dilated[::dilation, ::dilation] = kernel
    return dilated


def correlate_by_loops(
    X: np.ndarray, kernel: np.ndarray, padding: str = "valid", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """The definition of cross-correlation: Y[i, j] = sum over u, v of X[i s + u d, j s + v d] K[u, v].

    s is the stride, from one window to the next, and d the dilation, from one pixel of a window to the next.
    """
    height, width = dilate(kernel, dilation).shape
    X = pad(X, dilate(kernel, dilation), padding)
    Y = np.zeros(((X.shape[0] - height) // stride + 1, (X.shape[1] - width) // stride + 1))
    for i, j in np.ndindex(Y.shape):
        top, left = i * stride, j * stride
        Y[i, j] = np.sum(X[top : top + height : dilation, left : left + width : dilation] * kernel)
    return Y


def correlate(
    X: np.ndarray, kernel: np.ndarray, padding: str = "valid", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """Returns the output of `correlate_by_loops`, on photos a hundred times faster: the loops run inside NumPy."""
    kernel = dilate(kernel, dilation)
    windows = sliding_window_view(pad(X, kernel, padding), kernel.shape)[::stride, ::stride]
    return np.asarray(np.einsum("ijuv,uv->ij", windows, kernel))


def convolve(
    X: np.ndarray, kernel: np.ndarray, padding: str = "valid", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """Returns the convolution of mathematics: the kernel is flipped, both ways, before it slides.

    A convolutional layer leaves the flip out. Its kernel is trained, and training would find the flipped one as well.
    """
    return correlate(X, kernel[::-1, ::-1], padding, stride, dilation)


def correlate_channels(X: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Returns the output of a layer, (height, width, channels out): a channel is a sum over all channels that come in.

    Args:
        X: the image (height, width, channels in).
        kernels: (f, f, channels in, channels out): each output channel has a kernel for each input channel.
    """
    channels_in, channels_out = kernels.shape[2:]
    Y = [[correlate(X[..., i], kernels[..., i, o]) for i in range(channels_in)] for o in range(channels_out)]
    return np.moveaxis(np.sum(Y, axis=1), 0, -1)


def pool(X: np.ndarray, size: int, stride: int, operation: str) -> np.ndarray:
    """Returns the "max", the "average" or the "L2" norm, the root of the sum of squares, of each window (size, size).

    Windows overlap where the stride is smaller than they are.
    """
    windows = sliding_window_view(X, (size, size))[::stride, ::stride]
    if operation == "L2":
        return np.asarray(np.sqrt(np.square(windows).sum(axis=(2, 3))))
    return np.asarray(windows.max(axis=(2, 3)) if operation == "max" else windows.mean(axis=(2, 3)))


def convolve_by_fft(X: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Returns the convolution wherever the kernel touches the image, by the theorem: the product of the spectra.

    A spectrum takes an image for circular. The zeros that fill the shape are as many as the kernel reaches over.
    """
    shape = [n + f - 1 for n, f in zip(X.shape, kernel.shape, strict=True)]
    return np.fft.irfft2(np.fft.rfft2(X, shape) * np.fft.rfft2(kernel, shape), shape)


def output_size(n: int, f: int, p: int, s: int) -> int:
    """Returns the number of positions of a window of f pixels on n pixels with p more on both sides, at stride s."""
    return (n + 2 * p - f) // s + 1


def receptive_field(kernels: Sequence[np.ndarray]) -> int:
    """Returns the number of image rows that change the centre of the last layer: each pixel is changed in turn."""

    def centre_output(X: np.ndarray) -> float:
        for kernel in kernels:
            X = correlate(X, kernel)
        return float(X[len(X) // 2, len(X) // 2])

    has_effect = np.zeros((15, 15), bool)
    for pixel in np.ndindex(has_effect.shape):
        X = np.zeros(has_effect.shape)
        X[pixel] = 1
        has_effect[pixel] = centre_output(X) != 0
    return int(has_effect.any(axis=1).sum())


# --- The same in NumPy, SciPy, Keras and PyTorch ----------------------------------------------------------------------


class Case(NamedTuple):
    """A computation on an image, float64 (height, width), that all engines do.

    Attributes:
        name: for tables.
        kernel: (f, f) with f odd; of the window of a pooling, whose f may be even, only the size counts.
        padding: one of `NUMPY_MODES`, with f // 2 pixels on each side, or "valid": none.
        stride: the step from one window to the next, in pixels.
        operation: "correlate", "convolve" (the kernel flipped), or one of `POOLINGS`, without padding.
        dilation: the step from one pixel of a window to the next; above 1 the stride is 1.
    """

    name: str
    kernel: np.ndarray
    padding: str = "valid"
    stride: int = 1
    operation: str = "correlate"
    dilation: int = 1

    @property
    def is_pooling(self) -> bool:
        """Whether windows are pooled, without a kernel."""
        return self.operation in POOLINGS

    @property
    def kernel_to_correlate(self) -> np.ndarray:
        """The kernel for a library that can only correlate."""
        return self.kernel[::-1, ::-1] if self.operation == "convolve" else self.kernel

    @property
    def dilated_size(self) -> int:
        """The pixels of a side of the window."""
        return len(dilate(self.kernel, self.dilation))


def by_numpy(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with the functions above."""
    if case.is_pooling:
        return pool(image, len(case.kernel), case.stride, case.operation)
    function = convolve if case.operation == "convolve" else correlate
    return function(image, case.kernel, case.padding, case.stride, case.dilation)


def by_scipy(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with scipy.ndimage. Its output has every pixel; the rows that strides and "valid" skip are cut out.

    Its windows lie around their pixel; those of a pooling are moved until their corner lies there.
    """
    from scipy import ndimage

    f, s = len(case.kernel), case.stride
    if case.is_pooling:
        pooling = ndimage.maximum_filter if case.operation == "max" else ndimage.uniform_filter
        X = image**2 if case.operation == "L2" else image
        Y = pooling(X, f, origin=-(f // 2))[: len(image) - f + 1, : image.shape[1] - f + 1]
        if case.operation == "L2":  # from the mean of the squares; rounded, a sum of zeros may be below 0
            Y = np.sqrt(f * f * np.maximum(Y, 0))
    else:
        function = {"correlate": ndimage.correlate, "convolve": ndimage.convolve}[case.operation]
        # SciPy has no dilation: the zeros are put in.
        Y = function(image, dilate(case.kernel, case.dilation), mode=SCIPY_MODES.get(case.padding, "constant"))
        if case.padding == "valid":
            p = case.dilated_size // 2
            Y = Y[p : len(image) - p, p : image.shape[1] - p]
    return np.asarray(Y[::s, ::s])


def by_keras(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with Keras' operations, whose images are (samples, height, width, channels).

    The output of its max pooling is in single precision on TensorFlow.
    """
    f, s = len(case.kernel), case.stride
    if case.operation == "L2":  # which Keras has not: from the mean of the squares
        Y = keras.ops.sqrt(f * f * keras.ops.average_pool(image[None, :, :, None] ** 2, f, s, "valid", "channels_last"))
    elif case.is_pooling:
        pooling = {"max": keras.ops.max_pool, "average": keras.ops.average_pool}[case.operation]
        Y = pooling(image[None, :, :, None], f, s, "valid", "channels_last")
    else:
        # Keras' "same" is zeros, but at strides above 1 it may pad one side only. All else is padded before.
        padding = "same" if case.padding == "zeros" and s == 1 else "valid"
        if case.padding != "valid" and padding == "valid":
            image = np.pad(image, case.dilated_size // 2, NUMPY_MODES[case.padding])
        kernel = np.ascontiguousarray(case.kernel_to_correlate)[:, :, None, None]
        Y = keras.ops.conv(image[None, :, :, None], kernel, s, padding, "channels_last", case.dilation)
    return np.asarray(keras.ops.convert_to_numpy(Y))[0, :, :, 0]


def by_torch(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with PyTorch's layers, whose images are (samples, channels, height, width)."""
    f, s = len(case.kernel), case.stride
    if case.operation == "L2":
        layer = torch.nn.LPPool2d(2, f, s)
    elif case.is_pooling:
        layer = {"max": torch.nn.MaxPool2d, "average": torch.nn.AvgPool2d}[case.operation](f, s)
    else:
        p, mode = (0, "zeros") if case.padding == "valid" else (case.dilated_size // 2, case.padding)
        layer = torch.nn.Conv2d(1, 1, f, s, p, case.dilation, padding_mode=mode, bias=False, dtype=torch.float64)
        layer.weight.data[0, 0] = torch.tensor(case.kernel_to_correlate.copy())
    with torch.no_grad():
        return np.asarray(layer(torch.tensor(image)[None, None])[0, 0])


LIBRARIES: dict[str, Callable[[np.ndarray, Case], np.ndarray]] = {
    "scipy": by_scipy,
    "keras": by_keras,
    "torch": by_torch,
}


def build_cases(random_kernel: np.ndarray) -> list[Case]:
    """Returns every kernel, and each padding, stride, dilation and pooling."""
    cases = [Case(name, kernel) for name, kernel in KERNELS.items()]
    cases.append(Case("emboss, convolution", KERNELS["emboss"], operation="convolve"))
    for padding, stride in product(PADDINGS, (1, 2)):
        cases.append(Case(f"drawn 5x5, {padding}, stride {stride}", random_kernel, padding, stride))
    for padding in PADDINGS:
        cases.append(Case(f"drawn 3x3, {padding}, dilation 2", random_kernel[:3, :3], padding, dilation=2))
    for operation, f in product(POOLINGS, (2, 3)):  # windows of 3x3 overlap at a stride of 2
        cases.append(Case(f"{operation} pooling {f}x{f}, stride 2", np.ones((f, f)), "valid", 2, operation))
    return cases


def channels_by_scipy(X: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Computes `correlate_channels` with SciPy: of all channels at once, in three dimensions."""
    from scipy import signal

    outputs = [signal.correlate(X, kernel, mode="valid")[..., 0] for kernel in np.moveaxis(kernels, -1, 0)]
    return np.stack(outputs, axis=-1)


def channels_by_keras(X: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Computes `correlate_channels` with Keras, whose kernels are (f, f, channels in, channels out)."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.conv(X[None], kernels, 1, "valid", "channels_last")))[0]


def channels_by_torch(X: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Computes `correlate_channels` with PyTorch, whose kernels are (channels out, channels in, f, f)."""
    inputs, weight = torch.tensor(X.transpose(2, 0, 1)), torch.tensor(kernels.transpose(3, 2, 0, 1))
    return np.asarray(torch.nn.functional.conv2d(inputs[None], weight)[0]).transpose(1, 2, 0)


CHANNELS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "scipy": channels_by_scipy,
    "keras": channels_by_keras,
    "torch": channels_by_torch,
}


def largest_difference(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Returns the largest absolute difference between arrays that should be equal, of one shape; NaN if one has NaN."""
    return float(np.max([np.abs(np.subtract(first, second)).max() for first, second in pairs]))


def compare_libraries(images: Sequence[np.ndarray], cases: Sequence[Case]) -> dict[str, float]:
    """Prints for each case how far each library is from NumPy; returns the largest difference of each library."""
    libraries = {name: compute for name, compute in LIBRARIES.items() if importlib.util.find_spec(name)}
    differences = [
        [largest_difference((by_numpy(X, case), compute(X, case)) for X in images) for compute in libraries.values()]
        for case in cases
    ]
    rows = [[case.name, *(f"{number:.1e}" for number in row)] for case, row in zip(cases, differences, strict=True)]
    print(format_table(["largest difference from NumPy", *libraries], rows))
    if "torch" not in libraries:
        print("PyTorch is not installed: its column is left out.")
    return dict(zip(libraries, np.max(differences, axis=0), strict=True))


def compare_loops(image: np.ndarray, cases: Sequence[Case]) -> float:
    """Returns the largest difference between the definition and the fast NumPy code, and prints it."""
    correlations = [case for case in cases if case.operation == "correlate"]
    difference = largest_difference(
        (correlate_by_loops(image, case.kernel, case.padding, case.stride, case.dilation), by_numpy(image, case))
        for case in correlations
    )
    print(f"\nThe loops of the definition and the fast NumPy code differ by at most {difference:.1e}, on the digit.")
    return difference


def compare_channels(images: Sequence[np.ndarray], kernels: np.ndarray) -> float:
    """Returns the largest difference between NumPy and the libraries in a layer of several channels, and prints it.

    Args:
        images: each becomes an image of three channels: itself, and its two Sobel gradients.
        kernels: (f, f, 3, channels out).
    """
    libraries = [compute for name, compute in CHANNELS.items() if importlib.util.find_spec(name)]
    differences = []
    for image in images:
        X = np.stack([correlate(image, KERNELS[name], "zeros") for name in ("identity", "Sobel x", "Sobel y")], axis=-1)
        Y = correlate_channels(X, kernels)
        differences.append(largest_difference((Y, compute(X, kernels)) for compute in libraries))
    difference = max(differences)
    f, _, channels_in, channels_out = kernels.shape
    sizes = f"{f}*{f}*{channels_in}*{channels_out} = {kernels.size}"
    print(f"A layer of {channels_in} channels in and {channels_out} out has {sizes} weights: a kernel for each pair.")
    print(f"In NumPy and the libraries its outputs differ by at most {difference:.1e}, on all images.")
    return difference


def compare_associativity(images: Sequence[np.ndarray]) -> tuple[float, float]:
    """Returns how far convolution, and correlation, are from associative, and prints it.

    (X * a) * b is X * (a * b): two kernels one after the other are one larger kernel, computed beforehand.
    """
    a, b = KERNELS["emboss"], KERNELS["Sobel x"]
    differences = []
    for operation in (convolve, correlate):
        both = operation(np.pad(a, len(b) - 1), b)  # wherever they touch: 5x5
        differences.append(largest_difference((operation(operation(X, a), b), operation(X, both)) for X in images))
    convolution, correlation = differences
    print(f"Emboss, then Sobel x, against one combined 5x5 kernel: convolution differs by at most {convolution:.1e},")
    print(f"so it is associative; correlation differs by {correlation:.1f}, so it is not.")
    return convolution, correlation


def compare_spectra(images: Sequence[np.ndarray]) -> float:
    """Returns the largest difference between the two sides of the convolution theorem, and prints it."""
    difference = largest_difference(
        (convolve(np.pad(X, len(kernel) - 1), kernel), convolve_by_fft(X, kernel))
        for X in images
        for kernel in KERNELS.values()
    )
    print(f"Convolution theorem: the product of the spectra differs by at most {difference:.1e}, on all images.")
    return difference


# --- The tables -------------------------------------------------------------------------------------------------------


def print_example() -> None:
    """Prints four sums to follow with pencil and paper."""
    flipped = EXAMPLE_KERNEL[::-1, ::-1]
    columns = {
        "image": EXAMPLE_IMAGE,
        "kernel": EXAMPLE_KERNEL,
        "correlation": correlate(EXAMPLE_IMAGE, EXAMPLE_KERNEL),
        "flipped": flipped,
        "convolution": convolve(EXAMPLE_IMAGE, EXAMPLE_KERNEL),
    }
    texts = [["".join(f"{number:3}" for number in row) for row in matrix] for matrix in columns.values()]
    print(format_table(list(columns), list(zip_longest(*texts, fillvalue=""))))
    window = EXAMPLE_IMAGE[:3, :3]
    for name, kernel in (("Correlation", EXAMPLE_KERNEL), ("Convolution", flipped)):
        products = [f"{x}*{k}" for x, k in zip(window.ravel(), kernel.ravel(), strict=True) if k]
        print(f"{name}, top left: {' + '.join(products)} = {np.sum(window * kernel)}")


def print_sizes(digit: np.ndarray) -> None:
    """Prints the size of an output by the formula, and the shape that it really has."""
    n = len(digit)
    rows: list[list[object]] = []
    for f, padding, s in product((3, 5), ("valid", "zeros"), (1, 2, 3)):
        p = f // 2 if padding == "zeros" else 0
        Y = correlate(digit, np.ones((f, f)), padding, s)
        rows.append([n, f, p, s, output_size(n, f, p, s), Y.shape, padding])
    Y = correlate(digit, np.ones((3, 3)), dilation=2)
    rows.append([n, 5, 0, 1, output_size(n, 5, 0, 1), Y.shape, "valid, 3x3 with dilation 2"])
    rows.append([n, 2, 0, 2, output_size(n, 2, 0, 2), pool(digit, 2, 2, "max").shape, "pooling"])
    rows.append([n, 3, 0, 2, output_size(n, 3, 0, 2), pool(digit, 3, 2, "max").shape, "pooling, overlapping"])
    print(format_table(["n", "f", "p", "s", "(n+2p-f)/s+1", "result", "padding"], rows))
    print("Replicate, circular and reflect pad by as many pixels as zeros. With a stride the size is rounded down.\n")


def print_weights(n: int) -> None:
    """Prints the number of weights of a convolution of n x n pixels, and of a dense layer of the same shapes."""
    # A convolution is linear: its outputs for the images with one bright pixel each are the rows of its matrix.
    matrix = np.stack([correlate(X, np.ones((5, 5))).ravel() for X in np.eye(n * n).reshape(-1, n, n)])
    convolution = keras.layers.Conv2D(1, 5, use_bias=False)
    convolution.build((None, n, n, 1))
    dense = keras.layers.Dense(matrix.shape[1], use_bias=False)
    dense.build((None, n * n))
    rows = [
        ["convolution 5x5", "5*5", f"{convolution.count_params():,}"],
        ["dense layer", f"{n * n}*{matrix.shape[1]}", f"{dense.count_params():,}"],
        ["the convolution as a dense layer", "nonzero", f"{np.count_nonzero(matrix):,}"],
    ]
    print(format_table([f"{n}x{n} -> {n - 4}x{n - 4}", "", "weights"], rows) + "\n")


def print_receptive_fields(kernels: Sequence[np.ndarray]) -> None:
    """Prints the receptive field of the first layer of 3x3 kernels, of the first two, and so on."""
    rows = []
    for layers in range(1, len(kernels) + 1):
        f = receptive_field(kernels[:layers])
        rows.append([layers, 1 + 2 * layers, f"{f}x{f}", 9 * layers, f * f])
    print(format_table(["3x3 layers", "1+2*layers", "pixels seen", "weights", "one layer's"], rows))
    f = receptive_field([dilate(kernel, dilation) for kernel, dilation in zip(kernels, DILATIONS, strict=True)])
    print(f"With dilations of {', '.join(map(str, DILATIONS))} three layers see {f}x{f} pixels with as many weights.")


# --- Images as sums of waves ------------------------------------------------------------------------------------------


def spectrum(X: np.ndarray) -> np.ndarray:
    """Returns the amplitudes of the waves that the image X adds up from, (height, width): the slow ones in the middle.

    A spectrum takes an image for circular. Hann's window lets it fade towards its borders; else the jump from one
    border to the opposite one would be the strongest of all.
    """
    window = np.outer(*(np.hanning(n) for n in X.shape))
    return np.abs(np.fft.fftshift(np.fft.fft2((X - X.mean()) * window)))


def frequencies(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the waves per pixel, upwards and to the right, of each amplitude of a `spectrum` of this shape."""
    down, right = np.meshgrid(*(np.fft.fftshift(np.fft.fftfreq(n)) for n in shape), indexing="ij")
    return -down, right


def main_direction(amplitudes: np.ndarray) -> float:
    """Returns in which direction the strongest waves run, in degrees from the right, 0 to 180: their principal axis."""
    up, right = frequencies(amplitudes.shape)
    power = amplitudes**2
    angle = np.arctan2(2 * np.sum(power * up * right), np.sum(power * (right**2 - up**2))) / 2
    return float(np.degrees(angle) % 180)


def fine_share(amplitudes: np.ndarray) -> tuple[float, float]:
    """Returns the share of the power in waves of less than 8 pixels to the right, and of those upwards."""
    power = amplitudes**2 / (np.sum(amplitudes**2) or 1)
    up, right = frequencies(amplitudes.shape)
    return float(power[np.abs(right) > 1 / 8].sum()), float(power[np.abs(up) > 1 / 8].sum())


def images_to_transform(photo: np.ndarray) -> dict[str, np.ndarray]:
    """Returns square images by their titles: a photo, the same turned, the same smoothed, and a line."""
    from scipy import ndimage

    n = min(*photo.shape, 360)
    square = crop(photo, n, n)
    # The largest upright square in one that is turned, so that no corner is empty.
    inner = int(n / (np.cos(np.radians(TURN)) + np.sin(np.radians(TURN))))
    turned = ndimage.rotate(square, TURN, reshape=False, mode="reflect")
    smoothed = correlate(square, np.full((1, 9), 1 / 9), "replicate")
    up, right = (inner * grid for grid in frequencies((inner, inner)))  # in pixels from the middle
    distance = np.abs(right * np.sin(np.radians(TURN)) - up * np.cos(np.radians(TURN)))
    images = {"photo": square, f"rotated by {TURN} degrees": turned, "smoothed along rows": smoothed}
    line = np.exp(-(distance**2) / 2)  # through the middle, some three pixels wide; soft, it has no jagged edges
    return {title: crop(image, inner, inner) for title, image in images.items()} | {"a line": line}


def print_spectra(images: Mapping[str, np.ndarray]) -> None:
    """Prints what the spectra of `images_to_transform` say about them."""
    rows = []
    for title, image in images.items():
        amplitudes = spectrum(image)
        along_rows, along_columns = (f"{share:.2%}" for share in fine_share(amplitudes))
        rows.append([title, f"{main_direction(amplitudes):.0f}", along_rows, along_columns])
    print(format_table(["image", "strongest waves, degrees", "fine along rows", "fine along columns"], rows))
    print("A spectrum rotates with its image. Smoothing along rows removes the fine waves along rows. The spectrum")
    print(f"of a line that rises by {TURN} degrees is the line at right angles to it, at {TURN + 90} degrees.")


# --- The plots --------------------------------------------------------------------------------------------------------


def draw_kernels(photo: np.ndarray, digit: np.ndarray) -> Figure:
    """Returns a figure of the kernels and their outputs for a photo and a digit."""
    images = {"photo": crop(photo, 128, 192), "digit": digit}
    outputs = {name: [correlate(X, kernel, "replicate") for X in images.values()] for name, kernel in KERNELS.items()}
    return figures.kernels(images, INTEGER_KERNELS, DIVISORS, outputs)


def draw_padding_and_pooling(photo: np.ndarray, digit: np.ndarray) -> Figure:
    """Returns a figure of a photo's corner, padded in each way and blurred, and of images that are pooled."""
    blur = np.full((7, 7), 1 / 49)
    step = max(1, min(photo.shape) // 100)  # so few pixels that each is seen
    scene = pool(crop(photo, 320, 320), step, step, "average")
    padded = {padding: pad(scene, blur, padding)[:16, :16] for padding in PADDINGS}
    blurred = {f"{padding}, blurred": correlate(scene, blur, padding)[:16, :16] for padding in PADDINGS}
    part = crop(photo, 96, 96)
    pooled_photo = {
        "photo": part,
        "max of 4x4": pool(part, 4, 4, "max"),
        "average of 4x4": pool(part, 4, 4, "average"),
        "L2 of 4x4, / 4": pool(part, 4, 4, "L2") / 4,
        "max of 6x6, stride 4": pool(part, 6, 4, "max"),
    }
    pooled_digit = {
        "digit": digit,
        "max of 2x2": pool(digit, 2, 2, "max"),
        "average of 2x2": pool(digit, 2, 2, "average"),
        "L2 of 2x2, / 2": pool(digit, 2, 2, "L2") / 2,
        "max of 3x3, stride 2": pool(digit, 3, 2, "max"),
    }
    return figures.padding_and_pooling(padded, blurred, pooled_photo, pooled_digit, border=len(blur) // 2)


def draw_layers(cnn: Network, digit: np.ndarray, classes: Sequence[str]) -> Figure:
    """Returns a figure of the digit and the output of each layer of a trained network."""
    X = digit[None, :, :, None]
    stages = [("image", X[0])] + [(name, Y[0]) for name, Y in cnn.stages(X)]
    figure: Figure = image_plots.layer_by_layer(stages, "A digit in a trained CNN, layer by layer", classes)
    return figure


# --- The lesson -------------------------------------------------------------------------------------------------------


def load_photos(path: FilePath | None) -> Mapping[str, np.ndarray]:
    """Returns grey images by their names, float64 (height, width), 0 black to 1 white.

    Args:
        path: an image in any common format, 8x8 pixels or more; else scikit-learn's two sample photos.

    Raises:
        WorkshopError: the file is no image that can be used.
    """
    if path is not None:
        grey = image_file.read_grey(path).astype(np.float64)
        if min(grey.shape) < MIN_SIDE:  # a long strip, made shorter
            size = f"{grey.shape[1]}x{grey.shape[0]}"
            raise WorkshopError(
                f"{path} has {size} pixels as read, takes at least {MIN_SIDE} a side: crop a larger part"
            )
        return {Path(path).name: grey}
    from sklearn.datasets import load_sample_image

    # The brightness of red, green and blue to the eye (ITU-R BT.601).
    return {name: load_sample_image(name) @ [0.299, 0.587, 0.114] / 255 for name in ("china.jpg", "flower.jpg")}


def crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns the middle of an image, or all of a side that is shorter."""
    top, left = (max(0, (n - size) // 2) for n, size in zip(image.shape, (height, width), strict=True))
    return image[top : top + height, left : left + width]


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    return cli.parse_lesson(cli.lesson_parser(docstring, data="IMAGE"), argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the tables, compares with the libraries, draws; returns the largest differences."""
    arguments = parse(__doc__, argv)
    report = Report("convolution", arguments, "numpy")
    photos = load_photos(arguments.data)
    digits = load_image_set("mnist", downloads=False)
    report.data(", ".join(f"{name} ({len(photo)}x{photo.shape[1]} pixels)" for name, photo in photos.items()))
    report.data(digits.source, digits.place)
    print(f"Engine    NumPy {np.__version__}; {device.prepare(arguments.seed)}")
    digit = scale_pixels(digits.X_test[0, ..., 0]).astype(np.float64)
    random = np.random.default_rng(arguments.seed)

    report.section("By hand: correlation, and convolution with the kernel flipped")
    print_example()

    report.section("Sizes, weights and receptive fields, computed and measured")
    print_sizes(digit)
    print_weights(len(digit))
    print_receptive_fields([random.uniform(0.1, 1, (3, 3)) for _ in range(3)])

    report.section("NumPy against the libraries, on all images, in double precision")
    height, width = (120, 160) if arguments.quick else (480, 640)
    images = [crop(photo, height, width) for photo in photos.values()] + [digit]
    cases = build_cases(random.uniform(-1, 1, (5, 5)) / 25)
    errors = compare_libraries(images, cases)
    errors["loops"] = compare_loops(digit, cases)
    errors["theorem"] = compare_spectra(images)
    errors["associative"], errors["associative_correlation"] = compare_associativity(images)
    errors["channels"] = compare_channels(images, random.uniform(-1, 1, (3, 3, 3, 4)) / 9)
    report.result({f"{name}_test_max_error": error for name, error in errors.items()})

    photo = next(iter(photos.values()))
    report.section("Images as sums of waves: Fourier spectra")
    transformed = images_to_transform(photo)
    print_spectra(transformed)
    spectra = {title: spectrum(image) for title, image in transformed.items()}
    report.plot("convolution-spectra", figures.spectra, transformed, spectra)

    report.plot("convolution-kernels", draw_kernels, photo, digit)
    report.plot("convolution-padding", draw_padding_and_pooling, photo, digit)
    cnn = Network.from_h5(files.shipped("models") / "mnist_cnn.h5")
    report.plot("convolution-layers", draw_layers, cnn, digit, digits.classes)
    title = "Trained kernels of a CNN's first layer: purple +, orange -"
    report.plot("convolution-filters", image_plots.filters, cnn.get_weights()[0], title)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
