"""Activation functions: the output of a neuron for its weighted sum z, and the gradient that flows back through it.

Ten functions side by side, each with its derivative, which decides what can be trained: no gradient comes back through
a threshold, through ten sigmoids at most a millionth. You check the formulas against finite differences and against the
derivatives that Keras and PyTorch find by themselves, compare the slopes that all three use at a kink, and see plain
formulas fail on large numbers. Last comes softmax, whose outputs depend on every z: three classes get three
probabilities that add up to 1, where three sigmoids give three numbers that do not; of a single output it is always 1.

    python -m workshop.activations             # all of it; then look into the folder plots
    python -m workshop.activations --quick     # a first look: 100 random points in place of 10,000

Expected: NumPy, Keras and PyTorch agree within 1e-6 on all values and derivatives. The sigmoid's slope is at most 0.25.
softmax([1, 3, 4, 2]) = 0.03, 0.24, 0.64, 0.09; softmax([2.33, -1.46, 0.56]) = 0.84, 0.02, 0.14. About 12 s on two CPU
cores. Nothing is trained.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workshop.figures import activations as figures
from workshop.kit import cli
from workshop.kit.lazy import keras, tensorflow, torch
from workshop.kit.report import Report, format_table
from workshop.scratch.nn.activations import ACTIVATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOGITS = np.array([1.0, 3.0, 4.0, 2.0])
THREE_CLASSES = np.array([2.33, -1.46, 0.56])
ONE_OUTPUT = np.array([[-100.0], [-1.0], [0.0], [7.0]])  # four samples of a network with one output
STEP = 1e-5  # of finite differences
LEAKY_SLOPE = 0.2  # given to both libraries; Keras on TensorFlow rounds it to single precision

# From a tensor z to a tensor a, in Keras or in PyTorch.
TensorFunction = Callable[[Any], Any]


class Function(NamedTuple):
    """An activation function in three engines.

    Attributes:
        numpy: its name in `workshop.scratch.nn.activations`, where value and derivative are written out.
        value, derivative: the formulas, with a = f(z).
        keras, torch: the function in the libraries. What a library does not have is built from its operations.
        kinks: the z where the slope, or the value itself, jumps.
    """

    numpy: str
    value: str
    derivative: str
    keras: TensorFunction
    torch: TensorFunction
    kinks: tuple[float, ...] = ()


# The names in brackets are MATLAB's, and many textbooks'. A lambda waits until it is called with the import of Keras.
FUNCTIONS = {
    "identity": Function(
        "linear",
        value="z",
        derivative="1",
        keras=lambda z: keras.activations.linear(z),
        torch=lambda z: torch.nn.Identity()(z),
    ),
    "binary threshold": Function(
        "step",
        value="1 if z >= 0, else 0",
        derivative="0",
        keras=lambda z: keras.ops.cast(z >= 0, z.dtype),
        torch=lambda z: (z >= 0).to(z.dtype),
        kinks=(0,),
    ),
    "hardlims": Function(
        "hardlims",
        value="1 if z >= 0, else -1",
        derivative="0",
        keras=lambda z: 2 * keras.ops.cast(z >= 0, z.dtype) - 1,  # not `sign`, which is 0 at 0 in both libraries
        torch=lambda z: 2 * (z >= 0).to(z.dtype) - 1,
        kinks=(0,),
    ),
    "satlin": Function(
        "satlin",
        value="z, at least 0, at most 1",
        derivative="1 if 0 < z < 1, else 0",
        keras=lambda z: keras.ops.clip(z, 0, 1),
        torch=lambda z: torch.clamp(z, 0, 1),
        kinks=(0, 1),
    ),
    "sigmoid (logsig)": Function(
        "sigmoid",
        value="1 / (1 + e^-z)",
        derivative="a (1 - a)",
        keras=lambda z: keras.activations.sigmoid(z),
        torch=lambda z: torch.sigmoid(z),
    ),
    "tanh (tansig)": Function(
        "tanh",
        value="(e^z - e^-z) / (e^z + e^-z)",
        derivative="1 - a^2",
        keras=lambda z: keras.activations.tanh(z),
        torch=lambda z: torch.tanh(z),
    ),
    "radbas": Function(
        "radbas",
        value="e^(-z^2)",
        derivative="-2 z a",
        keras=lambda z: keras.ops.exp(-z * z),
        torch=lambda z: torch.exp(-z * z),
    ),
    "ReLU": Function(
        "relu",
        value="z if z > 0, else 0",
        derivative="1 if z > 0, else 0",
        keras=lambda z: keras.activations.relu(z),
        torch=lambda z: torch.relu(z),
        kinks=(0,),
    ),
    "ReLU6": Function(
        "relu6",
        value="z, at least 0, at most 6",
        derivative="1 if 0 < z < 6, else 0",
        keras=lambda z: keras.activations.relu6(z),
        torch=lambda z: torch.nn.functional.relu6(z),
        kinks=(0, 6),
    ),
    "leaky ReLU": Function(
        "leaky_relu",
        value=f"z if z > 0, else {LEAKY_SLOPE} z",
        derivative=f"1 if z > 0, else {LEAKY_SLOPE}",
        keras=lambda z: keras.activations.leaky_relu(z, LEAKY_SLOPE),
        torch=lambda z: torch.nn.functional.leaky_relu(z, LEAKY_SLOPE),
        kinks=(0,),
    ),
}
SOFTMAX = Function(
    "softmax",
    value="e^z_i / sum of all e^z_j",
    derivative="a_i (1[i = j] - a_j)",
    keras=lambda z: keras.activations.softmax(z),
    torch=lambda z: torch.softmax(z, -1),
)
# Two more ways to write ReLU: the same values, but what is the slope at 0?
RELU_BY_HAND = {
    "ReLU as maximum(z, 0)": FUNCTIONS["ReLU"]._replace(
        keras=lambda z: keras.ops.maximum(z, 0),
        torch=lambda z: torch.maximum(z, torch.zeros_like(z)),
    ),
    "ReLU as z cut off below 0": FUNCTIONS["ReLU"]._replace(
        keras=lambda z: keras.ops.clip(z, 0, np.inf),
        torch=lambda z: torch.clamp(z, min=0),
    ),
}


# --- Value and derivative in NumPy ------------------------------------------------------------------------------------


def value(function: Function, z: np.ndarray) -> np.ndarray:
    """Returns a = f(z) of the NumPy engine."""
    return np.asarray(ACTIVATIONS[function.numpy].value(z))


def derivative(function: Function, z: np.ndarray) -> np.ndarray:
    """Returns f'(z) by the NumPy engine's formula: the gradient behind f when the one at its output is 1."""
    return np.asarray(ACTIVATIONS[function.numpy].backward(np.ones_like(z), value(function, z), z))


def finite_difference(function: Function, z: np.ndarray) -> np.ndarray:
    """Returns the slope between two points beside z: no formula, but an error of the order of STEP^2."""
    return (value(function, z + STEP) - value(function, z - STEP)) / (2 * STEP)


def steepest_slope(function: Function) -> float:
    """Returns the largest absolute slope of f from -8 to 8, in steps of 0.01."""
    return float(np.abs(derivative(function, np.linspace(-8, 8, 1601))).max())


def jacobian(a: np.ndarray) -> np.ndarray:
    """Returns da_i/dz_j of softmax (n, n), from its output a (n,): every z moves every a, for they add up to 1."""
    return np.diag(a) - np.outer(a, a)


def stable_sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z), written so that e gets no power above 0, for either sign of z."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


# --- The same by the libraries' automatic differentiation -------------------------------------------------------------

Differentiate = Callable[[TensorFunction, np.ndarray], tuple[np.ndarray, np.ndarray]]


def by_torch(function: TensorFunction, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns f(z) and the gradient of its sum by PyTorch's autograd.

    Where each output depends on its own z alone, the gradient of the sum holds the derivative of each.

    Args:
        function: from a tensor to a tensor.
        z: float32 or float64, of any shape.
    """
    inputs = torch.tensor(z, requires_grad=True)
    a = function(inputs)
    if not a.requires_grad:  # a comparison (z >= 0) has no derivative that PyTorch knows: nothing flows back
        return np.asarray(a), np.zeros_like(z)
    return np.asarray(a.detach()), np.asarray(torch.autograd.grad(a.sum(), inputs)[0])


def by_keras(function: TensorFunction, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same of a function in Keras: by TensorFlow's tape or, where Keras runs on it, by PyTorch."""
    if keras.backend.backend() == "torch":
        return by_torch(function, z)
    inputs = tensorflow.constant(z)
    with tensorflow.GradientTape() as tape:
        tape.watch(inputs)
        a = function(inputs)
    gradient = tape.gradient(a, inputs)  # of the sum of a; None where nothing flows back
    return a.numpy(), np.zeros_like(z) if gradient is None else gradient.numpy()


def find_libraries() -> dict[str, Differentiate]:
    """Returns the installed libraries, by the names of their modules, and says which one is missing."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    libraries: dict[str, Differentiate] = {}
    if backend not in ("tensorflow", "torch"):
        print(f"Keras runs on {backend} here, and this lesson takes no derivatives with it: its column is left out.")
    elif any(importlib.util.find_spec(name) is None for name in ("keras", backend)):
        print("Keras is not installed: its column is left out.")
    else:
        libraries["keras"] = by_keras
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: its column is left out.")
    else:
        libraries["torch"] = by_torch
    return libraries


# --- Ten functions ----------------------------------------------------------------------------------------------------


def print_formulas() -> None:
    """Prints the functions, their values and slopes at a few z, and their steepest slopes."""
    rows = [[name, function.value, function.derivative] for name, function in FUNCTIONS.items()]
    rows.append(["softmax", SOFTMAX.value, SOFTMAX.derivative])
    print(format_table(["function", "a = f(z)", "f'(z)"], rows))

    z = np.array([-2, -0.5, 0.5, 2, 7])
    for heading, compute in (("f(z) at z =", value), ("f'(z) at z =", derivative)):
        rows = [[name, *(f"{y:.4f}" for y in compute(function, z))] for name, function in FUNCTIONS.items()]
        print("\n" + format_table([heading, *(f"{number:g}" for number in z)], rows))

    rows = []
    for name, function in FUNCTIONS.items():
        slope = steepest_slope(function)
        rows.append([name, f"{slope:.4f}", f"{slope**10:.2g}"])
    print("\n" + format_table(["function", "steepest slope", "through 10 layers"], rows))
    print("By hand: sigmoid'(0) = 0.5 (1 - 0.5) = 0.25, and through ten layers 0.25^10, about a millionth.")


def compare_functions(libraries: Mapping[str, Differentiate], z: np.ndarray) -> dict[str, float]:
    """Compares values and derivatives in NumPy and in the libraries, away from the kinks, and prints the differences.

    Returns:
        The largest difference of all functions, by library and "value" or "derivative".
    """
    rows = []
    largest: dict[str, float] = {}
    for name, function in FUNCTIONS.items():
        is_smooth = np.isfinite(z)
        for kink in function.kinks:
            is_smooth &= np.abs(z - kink) > 1e-3
        smooth = z[is_smooth]
        a, slope = value(function, smooth), derivative(function, smooth)
        errors = {"differences_derivative": np.abs(finite_difference(function, smooth) - slope).max()}
        for library, differentiate in libraries.items():
            library_a, library_slope = differentiate(getattr(function, library), smooth)
            errors[f"{library}_value"] = np.abs(library_a - a).max()
            errors[f"{library}_derivative"] = np.abs(library_slope - slope).max()
        rows.append([name, *(f"{error:.1e}" for error in errors.values())])
        # np.maximum keeps a NaN, which max() may lose.
        largest = {kind: float(np.maximum(error, largest.get(kind, 0))) for kind, error in errors.items()}
    headings = [kind.replace("_value", " f").replace("_derivative", " f'") for kind in largest]
    print(format_table([f"largest difference, {len(z):,} z", *headings], rows))
    return largest


# --- Kinks ------------------------------------------------------------------------------------------------------------


def print_kinks(libraries: Mapping[str, Differentiate]) -> None:
    """Prints the slopes that the engines use where there is no derivative."""
    rows = []
    for name, function in (FUNCTIONS | RELU_BY_HAND).items():
        for kink in function.kinks:
            left = np.diff(value(function, kink + STEP * np.array([-2, -1])))[0] / STEP
            right = np.diff(value(function, kink + STEP * np.array([1, 2])))[0] / STEP
            z = np.array([float(kink)])
            slopes = [left, right, derivative(function, z)[0]]
            for library, differentiate in libraries.items():
                _, slope = differentiate(getattr(function, library), z)
                slopes.append(slope[0])
            rows.append([name, f"{kink:g}", *(f"{slope:.3g}" if abs(slope) > 1e-6 else "0" for slope in slopes)])
    print(format_table(["slope at the kink", "z", "left of it", "right of it", "numpy", *libraries], rows))
    print("Any slope from the left to the right one will do: a convention. A threshold's slope is 0 everywhere.")
    print("Its value at 0 is a convention, too: 1 in MATLAB's hardlim and hardlims, as here, not in the perceptron.\n")


def print_leaky_slopes(libraries: Mapping[str, Differentiate]) -> None:
    """Prints the slopes that the engines give leaky ReLU by default."""
    z = np.array([-1.0], np.float32)
    outputs: dict[str, Any] = {"NumPy's leaky_relu": value(FUNCTIONS["leaky ReLU"], z)}
    if "keras" in libraries:
        outputs["keras.activations.leaky_relu"] = keras.activations.leaky_relu(z)
        outputs["keras.layers.LeakyReLU"] = keras.layers.LeakyReLU()(z)
    if "torch" in libraries:
        outputs["torch.nn.LeakyReLU"] = torch.nn.LeakyReLU()(torch.tensor(z))
    rows = [[name, f"{-float(a[0]):g}"] for name, a in outputs.items()]
    print(format_table(["leaky ReLU", "default slope left of 0"], rows))


# --- Softmax ----------------------------------------------------------------------------------------------------------


def print_softmax() -> None:
    """Prints softmax and its Jacobian, to follow with pencil and paper."""
    a = value(SOFTMAX, LOGITS)
    e = np.exp(LOGITS)
    names = [f"z{j}" for j in range(1, len(a) + 1)]
    rows: list[list[object]] = []
    for name, logit, power, probability in zip(names, LOGITS, e, a, strict=True):
        rows.append([name, f"{logit:g}", f"{power:.4f}", f"{probability:.4f}", f"{probability:.2f}"])
    rows.append(["sum", "", f"{e.sum():.4f}", a.sum(), ""])
    print(format_table(["", "z", "e^z", "a = e^z / sum", "rounded"], rows))

    matrix = jacobian(a)
    rows = [[f"a{i}", *(f"{number:.4f}" for number in row), f"{row.sum():.4f}"] for i, row in enumerate(matrix, 1)]
    print("\n" + format_table(["da/dz", *names, "sum"], rows))
    print(f"By hand: da1/dz1 = {a[0]:.4f} (1 - {a[0]:.4f}) = {matrix[0, 0]:.4f};", end=" ")
    print(f"da1/dz2 = -{a[0]:.4f} * {a[1]:.4f} = {matrix[0, 1]:.4f}.")


def print_softmax_and_sigmoids() -> None:
    """Prints softmax and three sigmoids of the same z, and softmax of networks that have one output."""
    columns = (THREE_CLASSES, value(SOFTMAX, THREE_CLASSES), value(FUNCTIONS["sigmoid (logsig)"], THREE_CLASSES))
    rows = [[f"{z:g}", f"{p:.5f}", f"{s:.2f}"] for z, p, s in zip(*columns, strict=True)]
    rows.append(["sum", *(f"{column.sum():.2f}" for column in columns[1:])])
    print("\n" + format_table(["z of three classes", "softmax", "three sigmoids"], rows))
    print("A sample belongs to one class of three: softmax. To any number of classes, each yes or no: sigmoids.\n")
    rows = [[f"{z:g}", f"{p:g}"] for z, p in zip(ONE_OUTPUT[:, 0], value(SOFTMAX, ONE_OUTPUT)[:, 0], strict=True)]
    print(format_table(["z of the single output", "softmax"], rows))
    print("e^z / e^z = 1 for every z, with slope 0: a single output for two classes needs a sigmoid. Keras warns.")


def select_output(function: TensorFunction, i: int) -> TensorFunction:
    """Returns the function whose only output is the i-th of a function of several: its gradient is a Jacobian's row."""
    return lambda z: function(z)[i]


def compare_softmax(libraries: Mapping[str, Differentiate]) -> dict[str, float]:
    """Returns the largest differences of softmax and its Jacobian, by library."""
    a = value(SOFTMAX, LOGITS)
    matrix = jacobian(a)
    steps = STEP * np.eye(len(a))  # each row moves one logit
    by_differences = (value(SOFTMAX, LOGITS + steps) - value(SOFTMAX, LOGITS - steps)).T / (2 * STEP)
    errors = {"differences_jacobian": float(np.abs(by_differences - matrix).max())}
    for library, differentiate in libraries.items():
        softmax: TensorFunction = getattr(SOFTMAX, library)
        outputs = np.empty_like(a)
        rows = np.empty_like(matrix)
        for i in range(len(a)):
            outputs[i], rows[i] = differentiate(select_output(softmax, i), LOGITS)
        errors[f"{library}_softmax"] = float(np.abs(outputs - a).max())
        errors[f"{library}_jacobian"] = float(np.abs(rows - matrix).max())
    return errors


# --- Large numbers ----------------------------------------------------------------------------------------------------


def naive_sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns e^z / (1 + e^z): right on paper, NaN where e^z is larger than the largest float."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.exp(z) / (1 + np.exp(z)))


def print_large_numbers() -> None:
    """Prints formulas that are right on paper, in single precision, which ends at 3.4e38 = e^88.7."""
    z = np.array([-1000, -100, 0, 88, 89, 1000], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        minus = np.exp(-z)
        columns = (z, naive_sigmoid(z), 1 / (1 + minus), minus / (1 + minus) ** 2, stable_sigmoid(z))
    rows = [[f"{number:g}" for number in row] for row in zip(*columns, strict=True)]
    print(format_table(["z", "e^z/(1+e^z)", "1/(1+e^-z)", "its slope e^-z/(1+e^-z)^2", "stable"], rows))

    rows = []
    for shift in (0, 84, 85, 1000, -1000):
        shifted = (LOGITS + shift).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            by_definition = np.exp(shifted) / np.exp(shifted).sum()
        probabilities = ("  ".join(f"{p:.2f}" for p in a) for a in (by_definition, value(SOFTMAX, shifted)))
        rows.append([", ".join(f"{number:g}" for number in shifted), *probabilities])
    print("\n" + format_table(["softmax of", "by definition", "after subtracting the largest z"], rows))


# --- The plots --------------------------------------------------------------------------------------------------------


def draw_functions() -> Figure:
    """Returns a figure of the ten functions, each with its derivative."""
    z = np.linspace(-4, 8, 1200)
    curves = {}
    for name, function in FUNCTIONS.items():
        kinks = np.array(function.kinks, float)
        curves[name] = figures.Curve(
            value(function, z), derivative(function, z), kinks, value(function, kinks), derivative(function, kinks)
        )
    return figures.functions(z, curves)


def draw_softmax() -> Figure:
    """Returns a figure of softmax, its Jacobian, and all outputs while the last logit moves."""
    a = value(SOFTMAX, LOGITS)
    moved = np.tile(LOGITS, (200, 1))
    moved[:, -1] = np.linspace(-4, 10, len(moved))
    return figures.softmax(LOGITS, a, jacobian(a), moved[:, -1], value(SOFTMAX, moved))


def draw_limits() -> Figure:
    """Returns a figure of the limits of single precision, and of a gradient on its way back through ten layers."""
    z = np.linspace(-120, 120, 2401, dtype=np.float32)
    gradients = {
        name: steepest_slope(FUNCTIONS[name]) ** np.arange(11) for name in ("ReLU", "radbas", "sigmoid (logsig)")
    }
    return figures.limits(z, stable_sigmoid(z), naive_sigmoid(z), gradients)


# --- The lesson -------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    return cli.parse_lesson(cli.lesson_parser(docstring, data=None), argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the tables, compares with the libraries, draws; returns the largest differences."""
    arguments = parse(__doc__, argv)
    report = Report("activations", arguments, "numpy")
    z = np.random.default_rng(arguments.seed).uniform(-8, 8, 100 if arguments.quick else 10_000)
    report.data(f"{len(z):,} random z from -8 to 8, and two far outside this range")
    z = np.append(z, [-100, 100])
    print(f"Engine    NumPy {np.__version__}")
    libraries = find_libraries()

    report.section("Ten functions and their derivatives")
    print_formulas()
    report.plot("activations-functions", draw_functions)

    report.section("NumPy's formulas against finite differences and the libraries, in double precision")
    errors = compare_functions(libraries, z)

    report.section("At a kink")
    print_kinks(libraries)
    print_leaky_slopes(libraries)

    report.section("Softmax")
    print_softmax()
    print_softmax_and_sigmoids()
    errors |= compare_softmax(libraries)
    report.plot("activations-softmax", draw_softmax)

    report.section("Large numbers")
    print_large_numbers()
    report.plot("activations-limits", draw_limits)

    report.result({f"{name}_test_max_error": error for name, error in errors.items()})
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
