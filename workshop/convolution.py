"""Convolution, by hand: the small window that slides over an image, and all that is built from it.

You write the operation of a convolutional layer in NumPy, once as the two loops that define it and once fast. Then you
blur, sharpen and emboss photographs and digits, pad them in five ways, take longer strides and pool; you see that the
libraries compute the same, and what a trained network does with the filters that it found by itself.

    python -m workshop.convolution                        # all of it; then look into the folder plots
    python -m workshop.convolution --data YOUR.jpg        # a picture of your own in place of the two photographs
    python -m workshop.convolution --quick                # a first look: the middle of the photographs

Expected: SciPy, Keras and PyTorch agree with NumPy within 1e-6 (in double precision far closer), and so does, within
1e-10, a product of Fourier transforms. A 5x5 filter needs 25 weights where a dense layer needs 451,584; three 3x3
layers see 7x7 pixels. About 15 s on two CPU cores. Nothing is trained.
"""

import importlib.util
from collections.abc import Sequence
from itertools import product, zip_longest
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.kit import cli, device, files, filtering, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.data import images as image_data
from workshop.kit.filtering import LIBRARIES, NUMPY_MODES, Case, largest_difference
from workshop.kit.lazy import keras
from workshop.kit.plots import images as image_plots
from workshop.scratch.nn.network import Network

PADDINGS = ("valid", *NUMPY_MODES)
NUMBERS: dict[str, Any] = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "box": np.ones((5, 5), int),
    "Gaussian": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]),
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "edge": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "Sobel x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "Sobel y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
}
DIVISORS = {"box": 25, "Gaussian": 256}  # a blur keeps the brightness: its weights add up to 1
KERNELS = {name: np.array(numbers) / DIVISORS.get(name, 1) for name, numbers in NUMBERS.items()}
X_EXAMPLE = np.array([[1, 2, 0, 1], [3, 1, 1, 0], [0, 2, 4, 1], [1, 0, 2, 3]])
KERNEL_EXAMPLE = np.array([[1, 2, 0], [0, 1, 0], [0, 0, -1]])


def pad(X: np.ndarray, kernel: np.ndarray, padding: str) -> np.ndarray:
    """Returns the image X (height, width) with half a kernel around it: an odd kernel then keeps the image's size.

    "zeros" are black; "replicate" repeats the outermost pixel, "reflect" mirrors the image there, "circular" goes on
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
    """Returns what `correlate_by_loops` returns, on photographs a hundred times faster: the loops run inside NumPy."""
    windows = sliding_window_view(pad(X, kernel, padding), kernel.shape)[::stride, ::stride]
    return np.asarray(np.einsum("ijuv,uv->ij", windows, kernel))


def convolve(X: np.ndarray, kernel: np.ndarray, padding: str = "valid", stride: int = 1) -> np.ndarray:
    """Returns the convolution of mathematics: the kernel is flipped, both ways, before it slides.

    A convolutional layer leaves the flip out. It learns its kernel, and would learn the flipped one as well.
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


def by_numpy(X: np.ndarray, case: Case) -> np.ndarray:
    """Computes a case with the functions above, as `LIBRARIES` do with theirs."""
    if case.pools:
        return pool(X, len(case.kernel), case.stride, case.operation)
    return (convolve if case.operation == "convolve" else correlate)(X, case.kernel, case.padding, case.stride)


def output_size(n: int, f: int, p: int, s: int) -> int:
    """Returns how many places a window of f pixels has on n pixels with p more on both sides, at steps of s."""
    return (n + 2 * p - f) // s + 1


def receptive_field(kernels: Sequence[np.ndarray], size: int = 15) -> int:
    """Returns how many rows of an image change the middle of the last layer: each pixel is changed and looked for."""

    def middle(X: np.ndarray) -> float:
        for kernel in kernels:
            X = correlate(X, kernel)
        return float(X[len(X) // 2, len(X) // 2])

    touched = np.zeros((size, size), bool)
    for place in np.ndindex(touched.shape):
        X = np.zeros(touched.shape)
        X[place] = 1
        touched[place] = middle(X) != 0
    return int(touched.any(axis=1).sum())


def print_example() -> None:
    """Four sums to follow with pencil and paper."""
    flipped = KERNEL_EXAMPLE[::-1, ::-1]
    columns = {
        "image": X_EXAMPLE, "kernel": KERNEL_EXAMPLE, "correlation": correlate(X_EXAMPLE, KERNEL_EXAMPLE),
        "flipped": flipped, "convolution": convolve(X_EXAMPLE, KERNEL_EXAMPLE),
    }  # fmt: skip
    texts = [["".join(f"{number:3}" for number in row) for row in matrix] for matrix in columns.values()]
    print(metrics.table(list(columns), list(zip_longest(*texts, fillvalue=""))))
    for name, kernel in (("Correlation", KERNEL_EXAMPLE), ("Convolution", flipped)):
        products = [f"{x}*{k}" for x, k in zip(X_EXAMPLE[:3, :3].ravel(), kernel.ravel(), strict=True) if k]
        print(f"{name}, top left: {' + '.join(products)} = {correlate(X_EXAMPLE, kernel)[0, 0]}")


def print_shapes(digit: np.ndarray, random: np.random.Generator) -> None:
    """Sizes of results, numbers of weights, and how far layers see: by formula, and as they really are."""
    n = len(digit)
    rows: list[list[object]] = []
    for f, padding, s in product((3, 5), ("valid", "zeros"), (1, 2, 3)):
        p = f // 2 if padding == "zeros" else 0
        rows.append([n, f, p, s, output_size(n, f, p, s), correlate(digit, np.ones((f, f)), padding, s).shape, padding])
    rows.append([n, 2, 0, 2, output_size(n, 2, 0, 2), pool(digit, 2, 2, "max").shape, "pooling"])
    print(metrics.table(["n", "f", "p", "s", "(n+2p-f)/s+1", "result", "padding"], rows))
    print("Replicate, circular and reflect pad as much as zeros do. A stride's remainder is rounded off.\n")

    # A convolution is linear: the images of one bright pixel each give the rows of the matrix that it is.
    matrix = np.stack([correlate(X, np.ones((5, 5))).ravel() for X in np.eye(n * n).reshape(-1, n, n)])
    small, large = keras.layers.Conv2D(1, 5, use_bias=False), keras.layers.Dense(matrix.shape[1], use_bias=False)
    small.build((None, n, n, 1))
    large.build((None, n * n))
    rows = [["convolution 5x5", "5*5", f"{small.count_params():,}"],
            ["dense layer", f"{n * n}*{matrix.shape[1]}", f"{large.count_params():,}"],
            ["the first written as the second", "not 0", f"{np.count_nonzero(matrix):,}"]]  # fmt: skip
    print(metrics.table([f"{n}x{n} -> {n - 4}x{n - 4}", "", "weights"], rows) + "\n")

    kernels = [random.uniform(0.1, 1, (3, 3)) for _ in range(3)]
    seen = [receptive_field(kernels[:layers]) for layers in (1, 2, 3)]
    rows = [[layers, 1 + 2 * layers, f"{f}x{f}", 9 * layers, f * f] for layers, f in enumerate(seen, 1)]
    print(metrics.table(["layers 3x3", "1+2*layers", "pixels seen", "weights", "of one layer"], rows))


def compare(images: Sequence[np.ndarray], random: np.random.Generator, report: reporting.Report) -> None:
    """Every kernel, padding, stride and pooling, here and in the libraries; and the convolution theorem."""
    drawn = random.uniform(-1, 1, (5, 5)) / 25
    cases = [Case(name, kernel) for name, kernel in KERNELS.items()]
    cases += [Case("emboss, convolution", KERNELS["emboss"], operation="convolve")]
    cases += [Case(f"drawn 5x5, {padding}, stride {s}", drawn, padding, s) for padding in PADDINGS for s in (1, 2)]
    for operation, f in product(("max", "average"), (2, 3)):
        cases.append(Case(f"{operation} pooling {f}x{f}, stride 2", np.ones((f, f)), "valid", 2, operation))
    libraries = {name: compute for name, compute in LIBRARIES.items() if importlib.util.find_spec(name)}
    differences = [
        [largest_difference((by_numpy(X, case), compute(X, case)) for X in images) for compute in libraries.values()]
        for case in cases
    ]
    rows = [[case.name, *(f"{one:.1e}" for one in row)] for case, row in zip(cases, differences, strict=True)]
    print(metrics.table(["largest difference from NumPy", *libraries], rows))
    if "torch" not in libraries:
        print("PyTorch is not installed: its column is left out.")
    X = images[-1]
    loops = ((correlate_by_loops(X, *case[1:4]), by_numpy(X, case)) for case in cases if case.operation == "correlate")
    theorem = ((convolve(np.pad(X, len(k) - 1), k), convolve_by_fft(X, k)) for X in images for k in KERNELS.values())
    found = dict(zip(libraries, np.max(differences, axis=0), strict=True))
    found |= {"loops": largest_difference(loops), "theorem": largest_difference(theorem)}
    print(f"\nThe loops that define it and the fast NumPy code differ by at most {found['loops']:.1e}, on the digit.")
    print(f"Convolution theorem: the product of the spectra differs by at most {found['theorem']:.1e}, on all images.")
    for name, error in found.items():
        report.result({f"{name}_test_max_error": error})
        report.expect(f"{name}_test_max_error", highest=1e-10 if name == "theorem" else 1e-6)


def draw(photograph: np.ndarray, digit: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Returns figures by their names: kernels and what they make of two images, padding and pooling, a trained CNN."""
    images = {"photograph": filtering.crop(photograph, 128, 192), "digit": digit}
    results = {name: [correlate(X, kernel, "replicate") for X in images.values()] for name, kernel in KERNELS.items()}
    kernels = filtering.kernel_figure(
        images, KERNELS, DIVISORS, results, "What kernels make of two images (edge and Sobel: grey is 0)"
    )
    part, box = filtering.crop(photograph, 96, 96), np.full((7, 7), 1 / 49)
    step = max(1, min(photograph.shape) // 100)  # so few pixels that each is seen
    scene = pool(filtering.crop(photograph, 320, 320), step, step, "average")
    rows = [
        {padding: pad(scene, box, padding)[:16, :16] for padding in PADDINGS},
        {f"{padding}, blurred": correlate(scene, box, padding)[:16, :16] for padding in PADDINGS},
        {"photograph": part, "max of 4x4": pool(part, 4, 4, "max"), "average of 4x4": pool(part, 4, 4, "average"),
         "digit": digit, "max of 2x2": pool(digit, 2, 2, "max")},
    ]  # fmt: skip
    paddings = filtering.image_rows(rows, "A corner, padded (it begins at the line) and blurred by 7x7; below, pooling")
    for panel in paddings.axes[1:5]:
        panel.plot([15.5, 2.5, 2.5], [2.5, 2.5, 15.5], color=plots.ORANGE)

    cnn = Network.from_h5(files.shipped("models") / "mnist_cnn.h5")
    X = digit[None, :, :, None]
    stages = [("image", X[0]), *((name, Y[0]) for name, Y in cnn.stages(X))]
    learned = image_plots.filters(cnn.get_weights()[0], "The kernels that its first layer learned: purple +, orange -")
    layers = image_plots.layer_by_layer(stages, "A digit in a trained CNN, layer by layer", classes)
    return {"kernels": kernels, "padding": paddings, "layers": layers, "filters": learned}


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the tables, compares with the libraries, draws; returns the largest differences."""
    arguments = cli.parse_lesson(cli.lesson_parser(__doc__, data="PICTURE"), argv)
    report = reporting.Report("convolution", arguments, "numpy")
    photographs, digits = filtering.load_photographs(arguments.data), filtering.load_digits()
    report.data(", ".join(f"{name} ({len(X)}x{X.shape[1]} pixels)" for name, X in photographs.items()))
    report.data(digits.source, digits.place)
    print(f"Engine    NumPy {np.__version__}; {device.prepare(arguments.seed)}")
    size = (120, 160) if arguments.quick else (480, 640)
    digit = image_data.scale_pixels(digits.X_test[0, ..., 0]).astype(np.float64)
    images = [*(filtering.crop(photograph, *size) for photograph in photographs.values()), digit]
    random = np.random.default_rng(arguments.seed)

    report.section("By hand: correlation, and convolution with the kernel flipped")
    print_example()
    report.section("Sizes, weights and receptive fields, computed and measured")
    print_shapes(digit, random)
    report.section("NumPy against the libraries, on all images, in double precision")
    compare(images, random, report)
    if not arguments.no_plots:
        for name, figure in draw(next(iter(photographs.values())), digit, digits.classes).items():
            report.saved(plots.save(figure, arguments.plots / f"convolution-{name}.png"))
    return report.finish(no_band=reporting.why_no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
