"""Convolution by hand: a small kernel slides over an image, and everything that is built from it.

You write the operation of a convolutional layer in NumPy, once as the two loops that define it and once fast. Then you
blur, sharpen and emboss photos and digits, pad them in five ways, take longer strides and pool; you see that the
libraries compute the same, and how a trained network uses the kernels that training found.

    python -m workshop.convolution                        # all of it; then look into the folder plots
    python -m workshop.convolution --data YOUR.jpg        # an image of your own in place of the two photos
    python -m workshop.convolution --quick                # a first look: the middle of the photos

Expected: SciPy, Keras and PyTorch agree with NumPy within 1e-6 (in double precision far closer), and so does, within
1e-10, a product of Fourier transforms. A 5x5 kernel needs 25 weights where a dense layer needs 451,584; three 3x3
layers see 7x7 pixels. About 15 s on two CPU cores. Nothing is trained.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.figures import convolution as figures
from workshop.kit import cli, device, files
from workshop.kit.data import published_images, synthetic_images
from workshop.kit.data.images import ImageSet, find_image_set, load_image_set, scale_pixels
from workshop.kit.errors import WorkshopError
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
    "Gaussian": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "edge": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "emboss": np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
    "Sobel x": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "Sobel y": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
}
DIVISORS = {"box": 25, "Gaussian": 256}  # a blur keeps the brightness: its weights add up to 1
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


def correlate_by_loops(X: np.ndarray, kernel: np.ndarray, padding: str = "valid", stride: int = 1) -> np.ndarray:
    """The definition of cross-correlation: Y[i, j] = sum over u, v of X[i s + u, j s + v] K[u, v], with stride s."""
    X = pad(X, kernel, padding)
    height, width = kernel.shape
    Y = np.zeros(((X.shape[0] - height) // stride + 1, (X.shape[1] - width) // stride + 1))
    for i, j in np.ndindex(Y.shape):
        top, left = i * stride, j * stride
        Y[i, j] = np.sum(X[top : top + height, left : left + width] * kernel)
    return Y


def correlate(X: np.ndarray, kernel: np.ndarray, padding: str = "valid", stride: int = 1) -> np.ndarray:
    """Returns the output of `correlate_by_loops`, on photos a hundred times faster: the loops run inside NumPy."""
    windows = sliding_window_view(pad(X, kernel, padding), kernel.shape)[::stride, ::stride]
    return np.asarray(np.einsum("ijuv,uv->ij", windows, kernel))


def convolve(X: np.ndarray, kernel: np.ndarray, padding: str = "valid", stride: int = 1) -> np.ndarray:
    """Returns the convolution of mathematics: the kernel is flipped, both ways, before it slides.

    A convolutional layer leaves the flip out. Its kernel is trained, and training would find the flipped one as well.
    """
    return correlate(X, kernel[::-1, ::-1], padding, stride)


def pool(X: np.ndarray, size: int, stride: int, operation: str) -> np.ndarray:
    """Returns the "max" or the "average" of each window of (size, size)."""
    windows = sliding_window_view(X, (size, size))[::stride, ::stride]
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


def receptive_field(kernels: Sequence[np.ndarray], size: int = 15) -> int:
    """Returns the number of image rows that change the centre of the last layer: each pixel is changed in turn."""

    def centre_output(X: np.ndarray) -> float:
        for kernel in kernels:
            X = correlate(X, kernel)
        return float(X[len(X) // 2, len(X) // 2])

    has_effect = np.zeros((size, size), bool)
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
        operation: "correlate", "convolve" (the kernel flipped), or pooling without padding: "max", "average".
    """

    name: str
    kernel: np.ndarray
    padding: str = "valid"
    stride: int = 1
    operation: str = "correlate"

    @property
    def is_pooling(self) -> bool:
        """Whether windows are pooled, without a kernel."""
        return self.operation in ("max", "average")

    @property
    def kernel_to_correlate(self) -> np.ndarray:
        """The kernel for a library that can only correlate."""
        return self.kernel[::-1, ::-1] if self.operation == "convolve" else self.kernel


def by_numpy(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with the functions above."""
    if case.is_pooling:
        return pool(image, len(case.kernel), case.stride, case.operation)
    function = convolve if case.operation == "convolve" else correlate
    return function(image, case.kernel, case.padding, case.stride)


def by_scipy(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with scipy.ndimage. Its output has every pixel; the rows that strides and "valid" skip are cut out.

    Its windows lie around their pixel; those of a pooling are moved until their corner lies there.
    """
    from scipy import ndimage

    f, s = len(case.kernel), case.stride
    if case.is_pooling:
        pooling = {"max": ndimage.maximum_filter, "average": ndimage.uniform_filter}[case.operation]
        Y = pooling(image, f, origin=-(f // 2))[: len(image) - f + 1, : image.shape[1] - f + 1]
    else:
        function = {"correlate": ndimage.correlate, "convolve": ndimage.convolve}[case.operation]
        Y = function(image, case.kernel, mode=SCIPY_MODES.get(case.padding, "constant"))
        if case.padding == "valid":
            p = f // 2
            Y = Y[p : len(image) - p, p : image.shape[1] - p]
    return np.asarray(Y[::s, ::s])


def by_keras(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with Keras' operations, whose images are (samples, height, width, channels).

    The output of its max pooling is in single precision on TensorFlow.
    """
    f, s = len(case.kernel), case.stride
    if case.is_pooling:
        pooling = {"max": keras.ops.max_pool, "average": keras.ops.average_pool}[case.operation]
        Y = pooling(image[None, :, :, None], f, s, "valid", "channels_last")
    else:
        # Keras' "same" is zeros, but at strides above 1 it may pad one side only. All else is padded before.
        padding = "same" if case.padding == "zeros" and s == 1 else "valid"
        if case.padding != "valid" and padding == "valid":
            image = np.pad(image, f // 2, NUMPY_MODES[case.padding])
        kernel = np.ascontiguousarray(case.kernel_to_correlate)[:, :, None, None]
        Y = keras.ops.conv(image[None, :, :, None], kernel, s, padding, "channels_last")
    return np.asarray(keras.ops.convert_to_numpy(Y))[0, :, :, 0]


def by_torch(image: np.ndarray, case: Case) -> np.ndarray:
    """Computes with PyTorch's layers, whose images are (samples, channels, height, width)."""
    f, s = len(case.kernel), case.stride
    if case.is_pooling:
        layer = {"max": torch.nn.MaxPool2d, "average": torch.nn.AvgPool2d}[case.operation](f, s)
    else:
        p, mode = (0, "zeros") if case.padding == "valid" else (f // 2, case.padding)
        layer = torch.nn.Conv2d(1, 1, f, s, p, padding_mode=mode, bias=False, dtype=torch.float64)
        layer.weight.data[0, 0] = torch.tensor(case.kernel_to_correlate.copy())
    with torch.no_grad():
        return np.asarray(layer(torch.tensor(image)[None, None])[0, 0])


LIBRARIES: dict[str, Callable[[np.ndarray, Case], np.ndarray]] = {
    "scipy": by_scipy,
    "keras": by_keras,
    "torch": by_torch,
}


def build_cases(random_kernel: np.ndarray) -> list[Case]:
    """Returns every kernel, and each padding, stride and pooling."""
    cases = [Case(name, kernel) for name, kernel in KERNELS.items()]
    cases.append(Case("emboss, convolution", KERNELS["emboss"], operation="convolve"))
    for padding, stride in product(PADDINGS, (1, 2)):
        cases.append(Case(f"drawn 5x5, {padding}, stride {stride}", random_kernel, padding, stride))
    for operation, f in product(("max", "average"), (2, 3)):
        cases.append(Case(f"{operation} pooling {f}x{f}, stride 2", np.ones((f, f)), "valid", 2, operation))
    return cases


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
        (correlate_by_loops(image, case.kernel, case.padding, case.stride), by_numpy(image, case))
        for case in correlations
    )
    print(f"\nThe loops that define it and the fast NumPy code differ by at most {difference:.1e}, on the digit.")
    return difference


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
    rows.append([n, 2, 0, 2, output_size(n, 2, 0, 2), pool(digit, 2, 2, "max").shape, "pooling"])
    print(format_table(["n", "f", "p", "s", "(n+2p-f)/s+1", "result", "padding"], rows))
    print("Replicate, circular and reflect pad as much as zeros do. A stride's remainder is rounded off.\n")


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
        ["the first written as the second", "not 0", f"{np.count_nonzero(matrix):,}"],
    ]
    print(format_table([f"{n}x{n} -> {n - 4}x{n - 4}", "", "weights"], rows) + "\n")


def print_receptive_fields(kernels: Sequence[np.ndarray]) -> None:
    """Prints the receptive field of the first layer of 3x3 kernels, of the first two, and so on."""
    rows = []
    for layers in range(1, len(kernels) + 1):
        f = receptive_field(kernels[:layers])
        rows.append([layers, 1 + 2 * layers, f"{f}x{f}", 9 * layers, f * f])
    print(format_table(["layers 3x3", "1+2*layers", "pixels seen", "weights", "of one layer"], rows))


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
    pooled = {
        "photo": part,
        "max of 4x4": pool(part, 4, 4, "max"),
        "average of 4x4": pool(part, 4, 4, "average"),
        "digit": digit,
        "max of 2x2": pool(digit, 2, 2, "max"),
    }
    return figures.padding_and_pooling(padded, blurred, pooled, border=len(blur) // 2)


def draw_layers(cnn: Network, digit: np.ndarray, classes: Sequence[str]) -> Figure:
    """Returns a figure of the digit and the output of each layer of a trained network."""
    X = digit[None, :, :, None]
    stages = [("image", X[0])] + [(name, Y[0]) for name, Y in cnn.stages(X)]
    figure: Figure = image_plots.layer_by_layer(stages, "A digit in a trained CNN, layer by layer", classes)
    return figure


# --- The lesson -------------------------------------------------------------------------------------------------------


def load_photos(path: Path | None) -> Mapping[str, np.ndarray]:
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
                f"{path} has {size} pixels as it is read, takes {MIN_SIDE} a side or more: cut a wider part out"
            )
        return {path.name: grey}
    from sklearn.datasets import load_sample_image

    # The brightness of red, green and blue to the eye (ITU-R BT.601).
    return {name: load_sample_image(name) @ [0.299, 0.587, 0.114] / 255 for name in ("china.jpg", "flower.jpg")}


def load_digits() -> ImageSet:
    """Returns MNIST where it lies on this machine, else scikit-learn's digits: nothing is downloaded."""
    if find_image_set("mnist") is not None:
        return load_image_set("mnist")
    X_train, y_train, X_test, y_test, title = synthetic_images.image_set("mnist")
    source = f"{title} (stand-in for mnist)"
    classes = published_images.CLASSES["mnist"]
    return ImageSet("mnist", source, X_train, y_train, X_test, y_test, classes, is_standin=True)


def crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns the middle of an image, or all of a side that is shorter."""
    top, left = (max(0, (n - size) // 2) for n, size in zip(image.shape, (height, width), strict=True))
    return image[top : top + height, left : left + width]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the tables, compares with the libraries, draws; returns the largest differences."""
    arguments = cli.parse_lesson(cli.lesson_parser(__doc__, data="IMAGE"), argv)
    report = Report("convolution", arguments, "numpy")
    photos = load_photos(arguments.data)
    digits = load_digits()
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
    report.result({f"{name}_test_max_error": error for name, error in errors.items()})

    photo = next(iter(photos.values()))
    report.plot("convolution-kernels", draw_kernels, photo, digit)
    report.plot("convolution-padding", draw_padding_and_pooling, photo, digit)
    cnn = Network.from_h5(files.shipped("models") / "mnist_cnn.h5")
    report.plot("convolution-layers", draw_layers, cnn, digit, digits.classes)
    title = "Trained kernels of a CNN's first layer: purple +, orange -"
    report.plot("convolution-filters", image_plots.filters, cnn.get_weights()[0], title)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
