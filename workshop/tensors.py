"""Tensors: the same operations in NumPy, TensorFlow and PyTorch, side by side, and where they differ.

You make arrays and tensors, take views and copies, slices and masks of them, broadcast, add up along axes, multiply
matrices, save them, and let TensorFlow and PyTorch differentiate. Every line is run in the three libraries as you
watch, and shows its results; != marks those that differ, and a sentence says why. At the end you measure how long a
loop takes where one operation on an array does the same. Three plots show how a matrix lies in memory, how broadcasting
stretches one, and the seconds.

    python -m workshop.tensors            # all of it; then look into the folder plots
    python -m workshop.tensors --quick    # a first look: the first two lines of each part

Expected: f(u, v) = uv + u^2 has at (1, 2) the derivatives 4 and 1, g(x, y) = xy^2 - x^2y at (2, 5) the derivatives 5
and 16, z(x) = x^2 + 2x + 1 at 2 the slope 6: TensorFlow and PyTorch find them exactly, a difference in NumPy to eight
places. The loops compute what the arrays do, but take 10 to 200 times as long. About 10 s on two CPU cores, nearly all
of it to import the libraries. Nothing is trained.
"""

import argparse
import importlib.util
import inspect
import tempfile
import textwrap
import timeit
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import tensors as figures
from workshop.kit import cli
from workshop.kit.lazy import load, torch
from workshop.kit.lazy import tensorflow as tf
from workshop.kit.report import Report, format_table

LIBRARIES = {"numpy": "NumPy", "tensorflow": "TensorFlow", "torch": "PyTorch"}
SHORT_NAMES = {"numpy": "np", "tensorflow": "tf", "torch": "torch"}
COLUMN_WIDTH = 35  # three of them are as wide as a screen that is projected
SIZES = (500, 1000, 5000, 10_000, 50_000, 100_000)  # of the arrays that are timed
REPEATS = 5  # of which the quickest counts: in the others the machine was busy with something else


# --- The lines, which each library runs -------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of code in each library: statements with "; " between them, the last of them an expression.

    Attributes:
        numpy, tensorflow, torch: the code; an empty text stands for NumPy's.
        why: the reason why the results differ, where they do.
    """

    numpy: str
    tensorflow: str = ""
    torch: str = ""
    why: str = ""

    def code(self, library: str) -> str:
        """Returns the code in a library."""
        return str(getattr(self, library)) or self.numpy


# Run before each line. TensorFlow's dtype is given: else every result would differ from the others'.
START = Line(
    "x = np.arange(6); M = x.reshape(2, 3); T = np.arange(24).reshape(2, 3, 4); M",
    "x = tf.range(6, dtype=tf.int64); M = tf.reshape(x, (2, 3)); T = tf.reshape(tf.range(24, dtype=tf.int64), "
    "(2, 3, 4)); M",
    "x = torch.arange(6); M = x.reshape(2, 3); T = torch.arange(24).reshape(2, 3, 4); M",
)
PARTS = {
    "Creation and dtypes": (
        Line("np.array([1, 2])", "tf.constant([1, 2])", "torch.tensor([1, 2])", "TensorFlow makes 32-bit integers."),
        Line(
            "np.array([1.5, 2])",
            "tf.constant([1.5, 2])",
            "torch.tensor([1.5, 2])",
            "NumPy makes 64-bit floats, as science needs. Networks are trained in 32 bits: half the memory, faster.",
        ),
        Line("np.zeros((2, 3))", "tf.zeros((2, 3))", "torch.zeros(2, 3)", "64 bits against 32, as above."),
        Line("np.eye(2, dtype='float32')", "tf.eye(2)", "torch.eye(2)"),
        Line("x.astype('float32')", "tf.cast(x, tf.float32)", "x.to(torch.float32)"),
        Line("x.itemsize", "x.dtype.size", "x.element_size()"),
        Line(
            "x.astype('int8').itemsize",
            "tf.cast(x, tf.int8).dtype.size",
            "x.to(torch.int8).element_size()",
        ),
        Line(
            "rng = np.random.default_rng(SEED); rng.standard_normal(2, 'float32')",
            "tf.random.stateless_normal([2], [SEED, 0])",
            "rng = torch.Generator(); rng.manual_seed(SEED); torch.randn(2, generator=rng)",
            "A seed repeats the numbers within one library; no two libraries draw the same ones.",
        ),
    ),
    "Casts that lose something, and casts that fail": (
        Line(
            "np.float32([-1.7, 1.7]).astype(int)",
            "tf.cast([-1.7, 1.7], tf.int64)",
            "torch.tensor([-1.7, 1.7]).to(torch.int64)",
        ),
        Line(
            "np.array([300, -1]).astype('uint8')",
            "tf.cast(tf.constant([300, -1]), tf.uint8)",
            "torch.tensor([300, -1]).to(torch.uint8)",
        ),
        Line(
            "np.array([16777217]).astype('float32')",
            "tf.cast([16777217], tf.float32)",
            "torch.tensor([16777217]).to(torch.float32)",
        ),
        Line(
            "x[0] = 2.9; x",
            why="Written into integers, 2.9 becomes 2: an array keeps its dtype. A TensorFlow tensor is immutable.",
        ),
        Line(
            "np.array(['7', '2.5']).astype('float32')",
            "tf.strings.to_number(['7', '2.5'])",
            "torch.tensor(['7', '2.5'])",
            "Strings become numbers by a cast in NumPy, by a function in TensorFlow; PyTorch has no strings.",
        ),
        Line(
            "np.array(['7', 'x']).astype('float32')",
            "tf.strings.to_number(['7', 'x'])",
            "torch.tensor(['7', 'x'])",
            "A string that is not a number fails. Each raises its own error.",
        ),
        Line("x[5].item()", "x[5].numpy().item()", "x[5].item()"),
        Line(
            "x.item()",
            "x.numpy().item()",
            "x.item()",
            "`item` returns a Python number, for arrays of one number only. Each raises its own error.",
        ),
    ),
    "Shapes": (
        Line("M.shape"),
        Line("M.ndim"),
        Line(
            "M.size",
            "M.size",
            "M.size()",
            "`size` is the count in NumPy, missing in TensorFlow, the shape in PyTorch. Use tf.size(M) and M.numel().",
        ),
        Line("M[:, None].shape"),
        Line("M.reshape(-1)", "tf.reshape(M, [-1])"),
        Line("M.T", why="Most methods of arrays are functions in TensorFlow: tf.transpose(M)."),
        Line("M[-1].shape"),
        Line(
            "M[[-1]].shape",
            why="An index removes a dimension, a list of indices keeps it. TensorFlow reads [-1] as the index -1: "
            "use M[-1:].",
        ),
        Line("x[None].shape"),
        Line("np.expand_dims(x, 1).shape", "tf.expand_dims(x, 1).shape", "x.unsqueeze(1).shape"),
        Line("M[None, :, None].squeeze().shape", "tf.squeeze(M[None, :, None]).shape"),
        Line("np.concatenate([M, M]).shape", "tf.concat([M, M], 0).shape", "torch.cat([M, M]).shape"),
        Line("np.concatenate([M, M], axis=1).shape", "tf.concat([M, M], 1).shape", "torch.cat([M, M], dim=1).shape"),
        Line("np.stack([M, M]).shape", "tf.stack([M, M]).shape", "torch.stack([M, M]).shape"),
    ),
    "Views and copies: which arrays share memory": (
        Line(
            "y = x[1:4]; y[0] = 9; x",
            why="A slice is a view: writing into it writes into x. A TensorFlow tensor is immutable.",
        ),
        Line(
            "y = x[[1, 2, 3]]; y[0] = 9; x",
            "y = tf.gather(x, [1, 2, 3]); y[0] = 9; x",
            why="A list of indices makes a copy: x stays as it was.",
        ),
        Line(
            "y = x; y += 1; x",
            why="+= works in place in NumPy and PyTorch; TensorFlow makes a new tensor and gives it the name y.",
        ),
        Line("y = x.copy(); y += 1; x", "y = tf.identity(x); y += 1; x", "y = x.clone(); y += 1; x"),
        Line("x[:2] = 7; x", "v = tf.Variable(x); v[:2].assign([7, 7]); v"),
        Line(
            "[step // 8 for step in M.strides]",
            "M.strides",
            "M.stride()",
            "Strides: how many numbers away the next row and column are. NumPy counts bytes, eight per number.",
        ),
        Line(
            "M.T.flags.c_contiguous",
            "tf.transpose(M).is_contiguous()",
            "M.T.is_contiguous()",
            "A transposed view is not contiguous: only the strides are swapped. TensorFlow copies instead.",
        ),
        Line(
            "M.T.reshape(-1, copy=False)",
            "tf.reshape(tf.transpose(M), [-1])",
            "M.T.view(-1)",
            "So it has no flat view: `view` fails. TensorFlow's transpose is a copy already.",
        ),
        Line("M.T.reshape(-1)", "tf.reshape(tf.transpose(M), [-1])", "M.T.reshape(-1)"),
        Line(
            "y = M.T.reshape(-1); np.shares_memory(y, M)",
            "tf.reshape(M, [-1]).data_ptr()",
            "y = M.T.reshape(-1); y.data_ptr() == M.data_ptr()",
            "Where there is no view, `reshape` copies. TensorFlow gives no access to its memory.",
        ),
        Line(
            "y = M.reshape(-1); np.shares_memory(y, M)",
            "tf.reshape(M, [-1]).data_ptr()",
            "y = M.reshape(-1); y.data_ptr() == M.data_ptr()",
            "Without the transpose there is a flat view: the same `reshape` copies nothing.",
        ),
        Line(
            "a = np.zeros(2); t = np.asarray(a); a[0] = 7; t",
            "a = np.zeros(2); t = tf.constant(a); a[0] = 7; t",
            "a = np.zeros(2); t = torch.from_numpy(a); a[0] = 7; t",
            "torch.from_numpy, and t.numpy() back, share NumPy's memory; tf.constant copies, as all do below.",
        ),
        Line(
            "a = np.zeros(2); t = np.array(a); a[0] = 7; t",
            "a = np.zeros(2); t = tf.constant(a); a[0] = 7; t",
            "a = np.zeros(2); t = torch.tensor(a); a[0] = 7; t",
        ),
    ),
    "Slices and masks": (
        Line("x[1:5:2]"),
        Line("M[:, -1]"),
        Line("M[1, ..., :2]"),
        Line("T[..., 0]"),
        Line("x[2:99]"),
        Line("x[99]", why="An index out of range is an error, a slice too long is not. Each raises its own error."),
        Line("x[::-1]", why="PyTorch refuses negative steps, as its strides cannot be negative: use x.flip(0)."),
        Line("M[[0, 1], [0, 2]]", why="Pairs of indices: TensorFlow needs tf.gather_nd(M, [[0, 0], [1, 2]])."),
        Line("x[x > 2]"),
        Line("x[x > 2] = 0; x", why="A TensorFlow tensor is immutable: make a new one, as in the next line."),
        Line("np.where(x > 2, 0, x)", "tf.where(x > 2, tf.zeros_like(x), x)", "torch.where(x > 2, 0, x)"),
    ),
    "Arithmetic, and which dtype wins": (
        Line("x // 2"),
        Line("-x // 2"),
        Line("x / 2", why="Dividing integers gives floats: of 64 bits, in PyTorch of 32."),
        Line("x + 0.5", why="Integer plus float: NumPy and PyTorch promote, TensorFlow needs tf.cast."),
        Line("x ** -1", why="The inverse of an integer is not an integer; in PyTorch x ** -1.0 gives floats."),
        Line(
            "np.uint8([200]) + np.uint8([100])",
            "tf.constant([200], 'uint8') + tf.constant([100], 'uint8')",
            "torch.ByteTensor([200]) + torch.ByteTensor([100])",
        ),
        Line("np.sqrt(x[:2])", "tf.sqrt(x[:2])", "torch.sqrt(x[:2])", "TensorFlow takes the root of floats only."),
    ),
    "Broadcasting": (
        Line("M + M[0]"),
        Line("M[0] + M[:, :1]"),
        Line("(M[:, None] * M).shape"),
        Line("M + x[:2]", why="Shapes are compared from the right: 3 and 2 do not match. Each raises its own error."),
    ),
    "Sums along axes": (
        Line("M.sum()", "tf.reduce_sum(M)", "M.sum()"),
        Line("M.sum(axis=0)", "tf.reduce_sum(M, axis=0)", "M.sum(dim=0)"),
        Line("M.sum(axis=1, keepdims=True)", "tf.reduce_sum(M, axis=1, keepdims=True)", "M.sum(dim=1, keepdim=True)"),
        Line(
            "M.max(axis=0)",
            "tf.reduce_max(M, axis=0)",
            "M.max(dim=0)",
            "PyTorch returns the largest numbers and their rows. M.amax(dim=0) returns the numbers alone.",
        ),
        Line(
            "x.mean()",
            "tf.reduce_mean(x)",
            "x.mean()",
            "The mean of 0 to 5 is 2.5. TensorFlow keeps integers and truncates, PyTorch refuses: convert to floats.",
        ),
        Line(
            "np.float32([1, 2, 3, 4]).std()",
            "tf.math.reduce_std([1., 2, 3, 4])",
            "torch.tensor([1., 2, 3, 4]).std()",
            "PyTorch divides by n - 1, the others by n, as x.std(correction=0) does.",
        ),
        Line(
            "np.int8([100, 100]).sum()",
            "tf.reduce_sum(tf.constant([100, 100], 'int8'))",
            "torch.CharTensor([100, 100]).sum()",
            "NumPy and PyTorch add up in 64 bits, TensorFlow in the 8 bits of the input: there 200 overflows to -56.",
        ),
    ),
    "Sums along the axes of T, of shape (2, 3, 4)": (
        Line("T.sum(axis=0)", "tf.reduce_sum(T, axis=0)", "T.sum(dim=0)"),
        Line("T.sum(axis=1)", "tf.reduce_sum(T, axis=1)", "T.sum(dim=1)"),
        Line("T.sum(axis=2)", "tf.reduce_sum(T, axis=2)", "T.sum(dim=2)"),
        Line("T.sum(axis=(0, 2))", "tf.reduce_sum(T, axis=(0, 2))", "T.sum(dim=(0, 2))"),
        Line(
            "T.sum(axis=2, keepdims=True).shape",
            "tf.reduce_sum(T, axis=2, keepdims=True).shape",
            "T.sum(dim=2, keepdim=True).shape",
        ),
    ),
    "Median and percentiles": (
        Line(
            "np.median(x)",
            "np.median(x.numpy())",
            "x.median()",
            "Two of the numbers 0 to 5 lie in the middle: PyTorch returns the lower one. TensorFlow has no median.",
        ),
        Line(
            "np.percentile(x, 25)",
            "np.percentile(x.numpy(), 25)",
            "x.float().quantile(0.25)",
            "A quarter of the way from 0 to 5, in the dtype of each; `quantile` takes fractions of 1, and floats only.",
        ),
        Line(
            "np.percentile(x, [0, 50, 100])",
            "np.percentile(x.numpy(), [0, 50, 100])",
            "x.double().quantile(torch.tensor([0, 0.5, 1]).double())",
        ),
    ),
    "Products": (
        Line("M * M"),
        Line("M @ M.T", "M @ tf.transpose(M)", "M @ M.T"),
        Line("np.einsum('ij,kj->ik', M, M)", "tf.einsum('ij,kj->ik', M, M)", "torch.einsum('ij,kj->ik', M, M)"),
        Line("M @ x[:3]", why="A matrix times a vector: TensorFlow needs tf.linalg.matvec(M, x[:3])."),
        Line(
            "(np.ones((5, 2, 3)) @ np.ones((3, 4))).shape",
            "(tf.ones((5, 2, 3)) @ tf.ones((3, 4))).shape",
            "(torch.ones(5, 2, 3) @ torch.ones(3, 4)).shape",
        ),
    ),
    "Devices": (
        Line("str(x.device)", why="NumPy knows the CPU only. TensorFlow names the machine as well."),
        Line(
            "0",
            "find = tf.config.list_physical_devices; len(find('GPU'))",
            "torch.cuda.device_count()",
            "The number of GPUs that each library can use: NumPy uses none.",
        ),
        Line(
            "str(x.to_device('cpu').device)",
            "with tf.device('CPU:0'): y = tf.identity(x); y.device",
            "str(x.to('cpu').device)",
            "To a GPU: tf.device('GPU:0'), x.to('cuda').",
        ),
    ),
    "Derivatives, and where they are kept": (
        Line(
            "w = np.array(3.0); w.grad",
            "w = tf.Variable(3.0); with tf.GradientTape() as tape: y = w ** 2; tape.gradient(y, w)",
            "w = torch.tensor(3.0, requires_grad=True); (w ** 2).backward(); w.grad",
            "The derivative of w^2 at 3 is 6. NumPy computes no derivatives.",
        ),
        Line(
            "w = np.array(3.0); w.grad",
            "w = tf.Variable(3.0); with tf.GradientTape() as tape: y = w ** 2; tape.gradient(y, w); "
            "tape.gradient(y, w)",
            "w = torch.tensor(3.0, requires_grad=True); (w ** 2).backward(); (w ** 2).backward(); w.grad",
            "PyTorch adds to the existing gradient, hence zero_grad() in each step. A tape can be used only once.",
        ),
        Line(
            "w = np.array(3.0); w.is_leaf",
            "w = tf.Variable(3.0); w.is_leaf",
            "w = torch.tensor(3.0, requires_grad=True); w.is_leaf, (w ** 2).is_leaf",
            "Only PyTorch's tensors know how they were made: a leaf by you, all others by an operation.",
        ),
        Line(
            "w = np.array(3.0); w.grad_fn",
            "w = tf.Variable(3.0); w.grad_fn",
            "w = torch.tensor(3.0, requires_grad=True); w.grad_fn, (w ** 2).grad_fn.name()",
            "grad_fn is the derivative of that operation, None for a leaf. In TensorFlow the tape keeps it.",
        ),
        Line(
            "w = np.array(3.0); (w ** 2).item()",
            "w = tf.Variable(3.0); (w ** 2).numpy().item()",
            "w = torch.tensor(3.0, requires_grad=True); (w ** 2).item()",
        ),
    ),
    "Saving arrays": (
        Line(
            "np.save(FOLDER / 'M.npy', M); np.load(FOLDER / 'M.npy')",
            torch="torch.save(M, FOLDER / 'M.pt'); torch.load(FOLDER / 'M.pt')",
        ),
        Line(
            "np.savez(FOLDER / 'two.npz', M=M, x=x); with np.load(FOLDER / 'two.npz') as two: y = two['x']; y",
            torch="torch.save({'M': M, 'x': x}, FOLDER / 'two.pt'); torch.load(FOLDER / 'two.pt')['x']",
        ),
        Line("np.savetxt(FOLDER / 'M.csv', M, '%d', ','); (FOLDER / 'M.csv').read_text().split()"),
        Line("np.savetxt(FOLDER / 'M.csv', M, delimiter=','); np.genfromtxt(FOLDER / 'M.csv', delimiter=',')"),
        Line("np.savetxt(FOLDER / 'x.txt', x / 3, '%.2f'); np.genfromtxt(FOLDER / 'x.txt')"),
        Line("np.genfromtxt(['1,2', ',4'], delimiter=',')"),
        Line("np.savetxt(FOLDER / 'T.txt', T)"),
        Line("np.save(FOLDER / 'T.npy', T); np.load(FOLDER / 'T.npy').shape"),
    ),
}
# The sentences below the part on files, whose results are alike: TensorFlow's and PyTorch's tensors are saved by NumPy.
FILES = (
    ".npy keeps dtype and shape, .npz several arrays by name, each of which is loaded when it is read.",
    "Text files keep neither: integers come back as floats, '%.2f' keeps two places, empty cells are nan, and an array",
    "of three axes has no place in rows and columns. FOLDER is emptied after each line.",
)

# y are four true values, p their predictions.
ERROR_START = Line(
    "y = np.float32([3, 5, 7, 9]); p = np.float32([2, 5, 9, 8]); p",
    "y = tf.constant([3., 5, 7, 9]); p = tf.constant([2., 5, 9, 8]); p",
    "y = torch.tensor([3., 5, 7, 9]); p = torch.tensor([2., 5, 9, 8]); p",
)
ERROR_STEPS = (
    Line("p - y"),
    Line("(p - y) ** 2"),
    Line("((p - y) ** 2).sum()", "tf.reduce_sum((p - y) ** 2)", "((p - y) ** 2).sum()"),
    Line("((p - y) ** 2).mean()", "tf.reduce_mean((p - y) ** 2)", "((p - y) ** 2).mean()"),
    Line("np.sqrt(np.mean((p - y) ** 2))", "tf.sqrt(tf.reduce_mean((p - y) ** 2))", "((p - y) ** 2).mean().sqrt()"),
)


# --- How they are run and printed -------------------------------------------------------------------------------------


def describe(value: Any) -> str:
    """Returns a result as text, written alike for all libraries: "int64 [0, 1, 2]"; a shape is "(2, 3)" or "(3,)"."""
    if isinstance(value, tuple):
        cells = ", ".join(map(describe, value))
        return f"({cells},)" if len(value) == 1 else f"({cells})"
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return str(value)
    numbers = np.asarray(value)
    rounded = np.round(numbers.astype(float), 4) if numbers.dtype.kind == "f" else numbers
    return f"{getattr(dtype, 'name', dtype)} {rounded.tolist()}".removeprefix("torch.")


def evaluate(line: Line, library: str, start: Line, seed: int) -> str:
    """Returns the result of a line in a library as text, or the name of the error that it raises.

    Args:
        line: the code.
        library: one of `LIBRARIES`.
        start: the code that is run before, so that no line sees what another one wrote into.
        seed: the number that is called SEED in the code; FOLDER is a new folder for files, removed afterwards.
    """
    *statements, expression = f"{start.code(library)}; {line.code(library)}".split("; ")
    with tempfile.TemporaryDirectory() as folder:
        names: dict[str, Any] = {"np": np, SHORT_NAMES[library]: load(library), "SEED": seed, "FOLDER": Path(folder)}
        try:
            for statement in statements:
                exec(statement, names)
            return describe(eval(expression, names))
        except Exception as error:  # a result like any other
            return type(error).__name__


def print_lines(lines: Iterable[Line], libraries: Sequence[str], start: Line, seed: int) -> None:
    """Prints lines with their results, a column for each library; != marks results that differ and says why."""
    print_row("", [LIBRARIES[library] for library in libraries])
    print_row("", ["-" * COLUMN_WIDTH for _ in libraries])
    for line in lines:
        codes = [wrap(line.code(library).split("; "), prompt="> ") for library in libraries]
        for cells in zip_longest(*codes, fillvalue=""):
            print_row("", cells)
        results = [evaluate(line, library, start, seed) for library in libraries]
        differ = len(set(results)) > 1
        for i, cells in enumerate(zip_longest(*(wrap([result]) for result in results), fillvalue="")):
            print_row("!=" if differ and i == 0 else "", cells)
        print(f"    {line.why}\n" if differ else "")


def wrap(texts: Iterable[str], prompt: str = "") -> list[str]:
    """Returns texts in pieces that fit into a column."""
    return [piece for text in texts for piece in textwrap.wrap(prompt + text, COLUMN_WIDTH, subsequent_indent="    ")]


def print_row(mark: str, cells: Iterable[str]) -> None:
    """Prints a row of the columns, with a mark before it."""
    print(f"{mark:4}{'  '.join(f'{cell:{COLUMN_WIDTH}}' for cell in cells)}".rstrip())


# --- Derivatives ------------------------------------------------------------------------------------------------------


def f(u: Any, v: Any) -> Any:
    """Returns uv + u^2, whose derivatives are v + 2u by u, and u by v."""
    return u * v + u**2


def g(x: Any, y: Any) -> Any:
    """Returns xy^2 - x^2y, whose derivatives are y^2 - 2xy by x, and 2xy - x^2 by y."""
    return x * y**2 - x**2 * y


def z(x: Any) -> Any:
    """Returns x^2 + 2x + 1, whose derivative is 2x + 2."""
    return x**2 + 2 * x + 1


def numpy_derivatives(function: Callable[..., Any], point: Sequence[float]) -> list[float]:
    """Returns the derivatives by each input as central differences: (f(x + h) - f(x - h)) / 2h."""
    steps = 1e-5 * np.eye(len(point))
    return [float(function(*(point + step)) - function(*(point - step))) / 2e-5 for step in steps]


def tensorflow_derivatives(function: Callable[..., Any], point: Sequence[float]) -> list[float]:
    """Returns the derivatives: a tape records what is done to variables, and is played backwards."""
    variables = [tf.Variable(number) for number in point]
    with tf.GradientTape() as tape:
        value = function(*variables)
    return [float(derivative) for derivative in tape.gradient(value, variables)]


def torch_derivatives(function: Callable[..., Any], point: Sequence[float]) -> list[float]:
    """Returns the derivatives: tensors that require a gradient are recorded; `backward` fills their `grad`."""
    tensors = [torch.tensor(number, requires_grad=True) for number in point]
    function(*tensors).backward()
    return [float(tensor.grad) for tensor in tensors]


DERIVATIVES = {"numpy": numpy_derivatives, "tensorflow": tensorflow_derivatives, "torch": torch_derivatives}
EXACT: dict[str, tuple[Callable[..., Any], tuple[float, ...], tuple[int, ...]]] = {
    "f": (f, (1.0, 2.0), (4, 1)),
    "g": (g, (2.0, 5.0), (5, 16)),
    "z": (z, (2.0,), (6,)),
}


def differentiate(libraries: Sequence[str]) -> dict[str, float]:
    """Prints the derivatives that each library finds, and returns how far it is from the exact ones."""
    rows: list[list[object]] = []
    max_errors = dict.fromkeys(libraries, 0.0)
    for name, (function, point, exact) in EXACT.items():
        derivatives = {library: DERIVATIVES[library](function, point) for library in libraries}
        for i, expected in enumerate(exact):
            cells = [f"{derivatives[library][i]:.10f}" for library in libraries]
            rows.append([f"{name}({', '.join(map(str, point))}), input {i}", expected, *cells])
        for library in libraries:
            error = float(np.abs(np.subtract(derivatives[library], exact)).max())
            max_errors[library] = max(max_errors[library], error)
    print(format_table(["derivative of", "exact", *(LIBRARIES[library] for library in libraries)], rows))
    values = {name: function(*point) for name, (function, point, _) in EXACT.items()}
    print("\nTheir values there: " + ", ".join(f"{name} = {value:g}" for name, value in values.items()))
    return max_errors


# --- Seconds: a loop against an operation on arrays -------------------------------------------------------------------


def square_in_loop(numbers: Sequence[float]) -> list[float]:
    """Returns the squares: Python looks at each number, asks what it is, and makes a new one."""
    squares = []
    for number in numbers:
        squares.append(number * number)
    return squares


def square_in_comprehension(numbers: Sequence[float]) -> list[float]:
    """Returns the squares: the same work, written shorter and read quicker by Python."""
    return [number * number for number in numbers]


def square(number: float) -> float:
    """Returns the square of a number."""
    return number * number


def square_by_map(numbers: Sequence[float]) -> list[float]:
    """Returns the squares: `map` calls a function for each number."""
    return list(map(square, numbers))


def square_array(numbers: np.ndarray) -> np.ndarray:
    """Returns the squares: NumPy has one loop in compiled code, over numbers of one kind that lie side by side."""
    return numbers * numbers


def cost_in_loop(x: Sequence[float], y: Sequence[float], w: float, b: float) -> float:
    """Returns the cost of the line w x + b, half its mean squared error, sample by sample."""
    total = 0.0
    for number, target in zip(x, y, strict=True):
        error = w * number + b - target
        total += error * error
    return total / (2 * len(x))  # without this division the cost grows with the number of samples


def cost_by_vectors(x: np.ndarray, y: np.ndarray, w: float, b: float) -> float:
    """Returns the same cost of vectors: of the errors v the sum of their squares is v'v."""
    v = w * x + b - y
    return float(v @ v) / (2 * len(x))


TIMED: tuple[Callable[..., Any], ...] = (
    square_in_loop,
    square_in_comprehension,
    square_by_map,
    square_array,
    cost_in_loop,
    cost_by_vectors,
)
Ways = Mapping[str, Callable[[], object]]


def square_ways(n: int, random: np.random.Generator) -> Ways:
    """Returns the ways to square n numbers, by their names; lists for Python's loops, an array for NumPy."""
    array = random.uniform(-1, 1, n)
    numbers = array.tolist()
    return {
        "loop": lambda: square_in_loop(numbers),
        "comprehension": lambda: square_in_comprehension(numbers),
        "map": lambda: square_by_map(numbers),
        "NumPy": lambda: square_array(array),
    }


def cost_ways(n: int, random: np.random.Generator) -> Ways:
    """Returns the ways to compute the cost of a line on n samples."""
    x, y = random.uniform(-1, 1, (2, n))
    x_list, y_list = x.tolist(), y.tolist()
    return {
        "cost in a loop": lambda: cost_in_loop(x_list, y_list, 2.0, 1.0),
        "cost by vectors": lambda: cost_by_vectors(x, y, 2.0, 1.0),
    }


def measure_seconds(ways: Ways) -> tuple[dict[str, float], float]:
    """Returns the seconds of each way, the quickest of several calls, and how far their results are apart."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # a loop has one core; of large vectors the library would wake the others
        seconds = {name: min(timeit.repeat(way, number=1, repeat=REPEATS)) for name, way in ways.items()}
    first, *others = (np.asarray(way()) for way in ways.values())
    return seconds, max(float(np.abs(first - other).max()) for other in others)


def compare_seconds(random: np.random.Generator) -> tuple[dict[str, list[float]], float]:
    """Prints the seconds of each way for each of `SIZES`; returns them, and how far the results are apart at most."""
    columns: dict[str, list[float]] = {}
    rows: list[list[object]] = []
    max_error = 0.0
    for n in SIZES:
        seconds: dict[str, float] = {}
        for ways in (square_ways(n, random), cost_ways(n, random)):
            measured, error = measure_seconds(ways)
            seconds |= measured
            max_error = max(max_error, error)
        for name, value in seconds.items():
            columns.setdefault(name, []).append(value)
        milliseconds = [f"{1000 * value:.3f}" for value in seconds.values()]
        rows.append([f"{n:,}", *milliseconds])
    print(format_table(["n", *columns], rows))
    print("Milliseconds, the fastest of five calls; other machines give other times. All ways compute the same.")
    for slow, quick in (("loop", "NumPy"), ("cost in a loop", "cost by vectors")):
        times = columns[slow][-1] / columns[quick][-1]
        print(f"n = {SIZES[-1]:,}: {slow} takes {times:.0f} times as long as {quick}.")
    return columns, max_error


# --- What the plots show ----------------------------------------------------------------------------------------------


def addresses(view: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Returns the address in memory of each number of `view`, in numbers after the first one of `base`: as view.shape.

    The strides say how many bytes further the next number along each axis lies.
    """
    first = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    offsets = np.tensordot(view.strides, np.indices(view.shape), axes=1)
    return np.asarray((first + offsets) // base.itemsize)


def memory_views(M: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns by its title each view of M, and its addresses: in the memory of M or, of a copy, in its own."""
    views = {
        "M": M,
        "M.T": M.T,
        "M[:, 1:3]": M[:, 1:3],
        "M[::-1], which PyTorch refuses": M[::-1],
        "np.broadcast_to(M[0], (3, 4))": np.broadcast_to(M[0], (3, 4)),
        "M.T.copy()": M.T.copy(),
    }
    return {title: (view, addresses(view, M if np.shares_memory(view, M) else view)) for title, view in views.items()}


def broadcast_sums(M: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray | str]]:
    """Returns by its title two arrays of different shapes and their sum, or the error that it raises."""
    row = np.array([10, 20, 30])
    pairs = {
        "a matrix and a row": (M[:2, :3], row),
        "a column and a row": (np.array([[100], [200]]), row),
        "a matrix and a row too short": (M[:2, :3], row[:2]),
    }
    sums: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray | str]] = {}
    for title, (first, second) in pairs.items():
        try:
            sums[title] = first, second, first + second
        except ValueError as error:
            sums[title] = first, second, f"ValueError: {error}".strip()
    return sums


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    return cli.parse_lesson(cli.lesson_parser(docstring, data=None), argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs each line in each library, differentiates, plots; returns how far off the derivatives are."""
    arguments = parse(__doc__, argv)
    report = Report("tensors", arguments, engine="numpy")
    libraries = [library for library in LIBRARIES if importlib.util.find_spec(library)]
    report.data("the numbers 0 to 5, in a row x and as a matrix M")
    print("Engine    " + ", ".join(f"{LIBRARIES[library]} {load(library).__version__}" for library in libraries))
    for library, name in LIBRARIES.items():
        if library not in libraries:
            print(f"{name} is not installed: its column is left out.")

    print("Before each line")
    print_lines([START], libraries, start=Line("0"), seed=arguments.seed)
    for title, lines in PARTS.items():
        report.section(title)
        print_lines(lines[:2] if arguments.quick else lines, libraries, START, arguments.seed)
        if title == "Saving arrays":
            print("\n".join(FILES))

    report.section("RMSE, the root of the mean squared error, step by step")
    print_lines([ERROR_START], libraries, start=Line("0"), seed=arguments.seed)
    print_lines(ERROR_STEPS, libraries, ERROR_START, arguments.seed)

    report.section("First derivatives: f(u, v) = uv + u^2, g(x, y) = xy^2 - x^2y, z(x) = x^2 + 2x + 1")
    functions = [function for function, _, _ in EXACT.values()]
    for function in (*functions, *(DERIVATIVES[library] for library in libraries)):
        print(inspect.getsource(function))
    max_errors = differentiate(libraries)
    report.result({f"{library}_test_max_error": error for library, error in max_errors.items()})

    report.section("Seconds: squares, and the cost of a line, in loops and by arrays")
    for way in TIMED:
        print(inspect.getsource(way))
    v = np.array([1, 2, 3, 4])
    products = " + ".join(f"{error}*{error}" for error in v)
    print(f"The squares of the errors v = {v.tolist()} add up to {products} = {v @ v}, which is v'v.\n")
    seconds, max_error = compare_seconds(np.random.default_rng(arguments.seed))
    report.result({"loops_test_max_error": max_error})

    M = np.arange(12).reshape(3, 4)
    report.plot("tensors-memory", figures.memory, M, memory_views(M))
    report.plot("tensors-broadcasting", figures.broadcasting, broadcast_sums(M))
    report.plot("tensors-seconds", figures.seconds, SIZES, seconds)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
