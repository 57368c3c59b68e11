"""Tensors: the same thing in NumPy, TensorFlow and PyTorch, side by side, and where they are not the same.

You make arrays and tensors, take views and copies, slices and masks of them, broadcast, add up along axes, multiply
matrices, and let TensorFlow and PyTorch differentiate. Every line is run in the three libraries while you look on, so
you read answers, not promises; != marks those that differ, and a sentence says why. Two pictures show how a matrix lies
in memory, and how broadcasting stretches one.

    python -m workshop.tensors            # all of it; then look into the folder plots
    python -m workshop.tensors --quick    # a first look: the first two lines of each part

Expected: f(u, v) = uv + u^2 has at (1, 2) the slopes 4 and 1, g(x, y) = xy^2 - x^2y at (2, 5) the slopes 5 and 16:
TensorFlow and PyTorch find them exactly, a difference in NumPy to eight places. About 9 s on two CPU cores, nearly all
of it to import the libraries. Nothing is trained.
"""

import importlib.util
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workshop.kit import cli, diagrams, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.lazy import load, torch
from workshop.kit.lazy import tensorflow as tf
from workshop.kit.side_by_side import LIBRARIES, Line, show

# Each line starts from these anew. TensorFlow's dtype is asked for: else each answer would differ from the others'.
START = Line(
    "x = np.arange(6); M = x.reshape(2, 3); M",
    "x = tf.range(6, dtype=tf.int64); M = tf.reshape(x, (2, 3)); M",
    "x = torch.arange(6); M = x.reshape(2, 3); M",
)
PARTS = {
    "Creation and dtypes": (
        Line("np.array([1, 2])", "tf.constant([1, 2])", "torch.tensor([1, 2])",
             "TensorFlow makes whole numbers of 32 bits."),
        Line("np.array([1.5, 2])", "tf.constant([1.5, 2])", "torch.tensor([1.5, 2])",
             "NumPy makes decimals of 64 bits, for science. Networks learn in 32: half the memory, faster."),
        Line("np.zeros((2, 3))", "tf.zeros((2, 3))", "torch.zeros(2, 3)", "64 bits against 32, as above."),
        Line("np.eye(2, dtype='float32')", "tf.eye(2)", "torch.eye(2)"),
        Line("x.astype('float32')", "tf.cast(x, tf.float32)", "x.to(torch.float32)"),
        Line("rng = np.random.default_rng(SEED); rng.standard_normal(2, 'float32')",
             "tf.random.stateless_normal([2], [SEED, 0])",
             "rng = torch.Generator(); rng.manual_seed(SEED); torch.randn(2, generator=rng)",
             "A seed repeats the numbers of its own library; no two libraries draw the same ones."),
    ),
    "Shapes": (
        Line("M.shape"),
        Line("M.ndim"),
        Line("M.size", "M.size", "M.size()",
             "The same name for the count, for nothing, and for the shape. Counts: tf.size(M) and M.numel()."),
        Line("M[:, None].shape"),
        Line("M.reshape(-1)", "tf.reshape(M, [-1])"),
        Line("M.T", "M.T", "M.T", "Most methods of arrays are functions in TensorFlow: tf.transpose(M)."),
        Line("np.concatenate([M, M]).shape", "tf.concat([M, M], 0).shape", "torch.cat([M, M]).shape"),
    ),
    "Views and copies: who shares memory with whom": (
        Line("y = x[1:4]; y[0] = 9; x", "", "",
             "A slice is a view: who writes into it, writes into x. A tensor of TensorFlow is never written into."),
        Line("y = x[[1, 2, 3]]; y[0] = 9; x", "y = tf.gather(x, [1, 2, 3]); y[0] = 9; x", "",
             "A list of places makes a copy: x stays."),
        Line("y = x; y += 1; x", "", "",
             "+= writes into the array where it can; TensorFlow makes a new tensor, and only the name y moves on."),
        Line("y = x.copy(); y += 1; x", "y = tf.identity(x); y += 1; x", "y = x.clone(); y += 1; x"),
        Line("x[:2] = 7; x", "v = tf.Variable(x); v[:2].assign([7, 7]); v"),
        Line("[step // 8 for step in M.strides]", "M.strides", "M.stride()",
             "Strides: how many numbers further the next row and column lie. NumPy counts bytes, eight a number."),
        Line("M.T.flags.c_contiguous", "tf.transpose(M).is_contiguous()", "M.T.is_contiguous()",
             "A transposed view is not contiguous: only the strides are swapped. TensorFlow copies, and has no word."),
        Line("M.T.reshape(-1, copy=False)", "tf.reshape(tf.transpose(M), [-1])", "M.T.view(-1)",
             "So there is no view of it in one row: `view` fails. TensorFlow's transpose was a copy already."),
        Line("M.T.reshape(-1)", "tf.reshape(tf.transpose(M), [-1])", "M.T.reshape(-1)"),
        Line("y = M.T.reshape(-1); np.shares_memory(y, M)", "tf.reshape(M, [-1]).data_ptr()",
             "y = M.T.reshape(-1); y.data_ptr() == M.data_ptr()",
             "Where there is no view `reshape` copies. TensorFlow hides its memory: nobody writes into it."),
        Line("y = M.reshape(-1); np.shares_memory(y, M)", "tf.reshape(M, [-1]).data_ptr()",
             "y = M.reshape(-1); y.data_ptr() == M.data_ptr()",
             "Not transposed, it has a view in one row: the same `reshape` copies nothing."),
        Line("a = np.zeros(2); t = np.asarray(a); a[0] = 7; t", "a = np.zeros(2); t = tf.constant(a); a[0] = 7; t",
             "a = np.zeros(2); t = torch.from_numpy(a); a[0] = 7; t",
             "torch.from_numpy, and t.numpy() back, share NumPy's memory; tf.constant copies, as all do below."),
        Line("a = np.zeros(2); t = np.array(a); a[0] = 7; t", "a = np.zeros(2); t = tf.constant(a); a[0] = 7; t",
             "a = np.zeros(2); t = torch.tensor(a); a[0] = 7; t"),
    ),
    "Slices and masks": (
        Line("x[1:5:2]"),
        Line("M[:, -1]"),
        Line("M[1, ..., :2]"),
        Line("x[2:99]"),
        Line("x[99]", "", "", "One place too far is an error, a slice too long is not. Each has its own error."),
        Line("x[::-1]", "", "", "PyTorch refuses negative steps, its strides are not negative: x.flip(0)."),
        Line("M[[0, 1], [0, 2]]", "", "", "Pairs of places: TensorFlow wants tf.gather_nd(M, [[0, 0], [1, 2]])."),
        Line("x[x > 2]"),
        Line("x[x > 2] = 0; x", "", "", "Nothing is written into a tensor of TensorFlow: choose, as in the next line."),
        Line("np.where(x > 2, 0, x)", "tf.where(x > 2, tf.zeros_like(x), x)", "torch.where(x > 2, 0, x)"),
    ),
    "Arithmetic, and which dtype wins": (
        Line("x // 2"),
        Line("-x // 2"),
        Line("x / 2", "", "", "Whole numbers divided are decimals: of 64 bits, and in PyTorch of 32."),
        Line("x + 0.5", "", "", "Whole plus decimal: NumPy and PyTorch promote, TensorFlow wants tf.cast."),
        Line("x ** -1", "", "", "Whole numbers have no whole inverse; in PyTorch x ** -1.0 gives decimals."),
        Line("np.uint8([200]) + np.uint8([100])", "tf.constant([200], 'uint8') + tf.constant([100], 'uint8')",
             "torch.ByteTensor([200]) + torch.ByteTensor([100])"),
        Line("np.sqrt(x[:2])", "tf.sqrt(x[:2])", "torch.sqrt(x[:2])", "TensorFlow takes a root of decimals only."),
    ),
    "Broadcasting": (
        Line("M + M[0]"),
        Line("M[0] + M[:, :1]"),
        Line("(M[:, None] * M).shape"),
        Line("M + x[:2]", "", "", "Shapes are compared from the right: 3 and 2 do not fit. Each has its own error."),
    ),
    "Sums along axes": (
        Line("M.sum()", "tf.reduce_sum(M)", "M.sum()"),
        Line("M.sum(axis=0)", "tf.reduce_sum(M, axis=0)", "M.sum(dim=0)"),
        Line("M.sum(axis=1, keepdims=True)", "tf.reduce_sum(M, axis=1, keepdims=True)", "M.sum(dim=1, keepdim=True)"),
        Line("M.max(axis=0)", "tf.reduce_max(M, axis=0)", "M.max(dim=0)",
             "PyTorch also says where: the largest numbers and their rows. M.amax(dim=0) gives the first alone."),
        Line("x.mean()", "tf.reduce_mean(x)", "x.mean()",
             "The mean of 0 to 5 is 2.5. TensorFlow stays with whole numbers and cuts, PyTorch refuses: make floats."),
        Line("np.float32([1, 2, 3, 4]).std()", "tf.math.reduce_std([1., 2, 3, 4])", "torch.tensor([1., 2, 3, 4]).std()",
             "PyTorch divides by n - 1, the others by n. x.std(correction=0) is theirs."),
        Line("np.int8([100, 100]).sum()", "tf.reduce_sum(tf.constant([100, 100], 'int8'))",
             "torch.CharTensor([100, 100]).sum()",
             "NumPy and PyTorch add up in 64 bits, TensorFlow in the 8 that it gets: there 200 becomes -56."),
    ),
    "Products": (
        Line("M * M"),
        Line("M @ M.T", "M @ tf.transpose(M)", "M @ M.T"),
        Line("np.einsum('ij,kj->ik', M, M)", "tf.einsum('ij,kj->ik', M, M)", "torch.einsum('ij,kj->ik', M, M)"),
        Line("M @ x[:3]", "", "", "A matrix times a vector: TensorFlow wants tf.linalg.matvec(M, x[:3])."),
        Line("(np.ones((5, 2, 3)) @ np.ones((3, 4))).shape", "(tf.ones((5, 2, 3)) @ tf.ones((3, 4))).shape",
             "(torch.ones(5, 2, 3) @ torch.ones(3, 4)).shape"),
    ),
    "Devices": (
        Line("str(x.device)", "", "", "NumPy knows the CPU only. TensorFlow names the machine as well."),
        Line("0", "find = tf.config.list_physical_devices; len(find('GPU'))", "torch.cuda.device_count()",
             "How many graphics cards each can use: NumPy none."),
        Line("str(x.to_device('cpu').device)", "with tf.device('CPU:0'): y = tf.identity(x); y.device",
             "str(x.to('cpu').device)", "To a graphics card: tf.device('GPU:0'), x.to('cuda')."),
    ),
    "Derivatives, and who keeps them": (
        Line("w = np.array(3.0); w.grad",
             "w = tf.Variable(3.0); with tf.GradientTape() as tape: y = w ** 2; tape.gradient(y, w)",
             "w = torch.tensor(3.0, requires_grad=True); (w ** 2).backward(); w.grad",
             "The slope of w^2 at 3 is 6. NumPy knows no derivatives."),
        Line("w = np.array(3.0); w.grad",
             "w = tf.Variable(3.0); with tf.GradientTape() as tape: y = w ** 2; tape.gradient(y, w); "
             "tape.gradient(y, w)",
             "w = torch.tensor(3.0, requires_grad=True); (w ** 2).backward(); (w ** 2).backward(); w.grad",
             "PyTorch adds to what is there, hence zero_grad() in each step. A tape is read once."),
    ),
}  # fmt: skip


def f(u: Any, v: Any) -> Any:
    """Returns uv + u^2, whose slopes are v + 2u along u, and u along v."""
    return u * v + u**2


def g(x: Any, y: Any) -> Any:
    """Returns xy^2 - x^2y, whose slopes are y^2 - 2xy along x, and 2xy - x^2 along y."""
    return x * y**2 - x**2 * y


def slopes_by_numpy(function: Callable[..., Any], point: Sequence[float]) -> list[float]:
    """Returns the slopes along each input: how much higher it is a small step h ahead than as far behind, over 2h."""
    steps = 1e-5 * np.eye(len(point))
    return [float(function(*(point + step)) - function(*(point - step))) / 2e-5 for step in steps]


def slopes_by_tensorflow(function: Callable[..., Any], point: Sequence[float]) -> list[float]:
    """Returns the slopes: a tape records what is done to variables, and is played backwards."""
    variables = [tf.Variable(number) for number in point]
    with tf.GradientTape() as tape:
        value = function(*variables)
    return [float(slope) for slope in tape.gradient(value, variables)]


def slopes_by_torch(function: Callable[..., Any], point: Sequence[float]) -> list[float]:
    """Returns the slopes: tensors that require a gradient remember what made them, and `backward` fills their grad."""
    tensors = [torch.tensor(number, requires_grad=True) for number in point]
    function(*tensors).backward()
    return [float(tensor.grad) for tensor in tensors]


SLOPES = {"numpy": slopes_by_numpy, "tensorflow": slopes_by_tensorflow, "torch": slopes_by_torch}
EXACT = {"f": (f, (1.0, 2.0), (4, 1)), "g": (g, (2.0, 5.0), (5, 16))}


def differentiate(libraries: Sequence[str], report: reporting.Report) -> None:
    """Prints the functions that find slopes, and what they find; notes how far each library is from the exact ones."""
    for function in (f, g, *(SLOPES[library] for library in libraries)):
        print(inspect.getsource(function))
    rows: list[list[object]] = []
    errors = []
    for name, (function, point, exact) in EXACT.items():
        found = [SLOPES[library](function, point) for library in libraries]
        rows += [[f"{name}{point}, input {i}", slope, *(f"{one[i]:.10f}" for one in found)]
                 for i, slope in enumerate(exact)]  # fmt: skip
        errors.append([np.abs(np.subtract(one, exact)).max() for one in found])
    print(metrics.table(["slope of", "exact", *(LIBRARIES[library] for library in libraries)], rows))
    for library, error in zip(libraries, np.max(errors, axis=0), strict=True):
        report.result({f"{library}_test_max_error": error})
        report.expect(f"{library}_test_max_error", highest=1e-8 if library == "numpy" else 0)


def draw() -> dict[str, Any]:
    """Returns figures by their names: how views read a matrix in memory, and how broadcasting stretches."""
    M = np.arange(12).reshape(3, 4)
    views = {
        "M": M, "M.T": M.T, "M[:, 1:3]": M[:, 1:3], "M[::-1], which PyTorch refuses": M[::-1],
        "np.broadcast_to(M[0], (3, 4))": np.broadcast_to(M[0], (3, 4)), "M.T.copy()": M.T.copy(),
    }  # fmt: skip
    pairs = {
        "a matrix and a row": (M[:2, :3], np.array([10, 20, 30])),
        "a column and a row": (np.array([[100], [200]]), np.array([10, 20, 30])),
        "a matrix and a row too short": (M[:2, :3], np.array([10, 20])),
    }
    return {"memory": diagrams.memory(M, views), "broadcasting": diagrams.broadcasting(pairs)}


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs each line in each library, differentiates, draws; returns how far off the slopes are."""
    arguments = cli.parse_lesson(cli.lesson_parser(__doc__, data=None), argv)
    report = reporting.Report("tensors", arguments, "numpy")
    libraries = [library for library in LIBRARIES if importlib.util.find_spec(library)]
    report.data("the numbers 0 to 5, in a row x and as a matrix M")
    print("Engine    " + ", ".join(f"{LIBRARIES[library]} {load(library).__version__}" for library in libraries))
    for library, name in LIBRARIES.items():
        if library not in libraries:
            print(f"{name} is not installed: its column is left out.")
    print("Before each line")
    show([START], libraries, Line("0"), arguments.seed)
    for title, lines in PARTS.items():
        report.section(title)
        show(lines[:2] if arguments.quick else lines, libraries, START, arguments.seed)
    report.section("First derivatives: f(u, v) = uv + u^2 and g(x, y) = xy^2 - x^2y")
    differentiate(libraries, report)
    if not arguments.no_plots:
        for name, figure in draw().items():
            report.saved(plots.save(figure, arguments.plots / f"tensors-{name}.png"))
    return report.finish(no_band=reporting.why_no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
