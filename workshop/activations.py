"""Activation functions: what a neuron answers to its sum z, and how much of an error it lets back.

Ten functions side by side, each with its derivative, which decides what can be learned: a threshold lets nothing back,
ten sigmoids at most a millionth. You check the formulas against finite differences and against what Keras and PyTorch
differentiate by themselves, ask both what they answer at a kink, and see plain formulas fail on large numbers. Last
comes softmax, whose outputs depend on every z.

    python -m workshop.activations             # all of it; then look into the folder plots
    python -m workshop.activations --quick     # a first look: 100 random points in place of 10,000

Expected: NumPy, Keras and PyTorch agree within 1e-6 on all values and derivatives. The sigmoid's slope is at most 0.25.
softmax([1, 3, 4, 2]) = 0.03, 0.24, 0.64, 0.09. About 12 s on two CPU cores. Nothing is trained.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import cli, differentiation, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.differentiation import Differentiate
from workshop.kit.lazy import keras, torch
from workshop.scratch.nn.activations import ACTIVATIONS

LOGITS = np.array([1.0, 3.0, 4.0, 2.0])
STEP = 1e-5  # of finite differences
SLOPE = 0.2  # of leaky ReLU left of 0, asked of both libraries; Keras on TensorFlow rounds it to single precision


class Function(NamedTuple):
    """An activation function in three engines.

    Attributes:
        numpy: its name in `workshop.scratch.nn.activations`, where value and derivative are written out.
        value, derivative: the formulas, with a = f(z).
        keras, torch: from a tensor z to a tensor a. What a library does not have is built from its operations.
        kinks: the z where the slope, or the value itself, jumps.
    """

    numpy: str
    value: str
    derivative: str
    keras: Callable[[Any], Any]
    torch: Callable[[Any], Any]
    kinks: tuple[float, ...] = ()


# The names in brackets are MATLAB's, and many textbooks'.
FUNCTIONS = {
    "identity": Function("linear", "z", "1", lambda z: keras.activations.linear(z), lambda z: torch.nn.Identity()(z)),
    "binary threshold": Function("step", "1 if z >= 0, else 0", "0",
        lambda z: keras.ops.cast(z >= 0, z.dtype), lambda z: (z >= 0).to(z.dtype), (0,)),
    "hardlims": Function("hardlims", "1 if z >= 0, else -1", "0",  # not `sign`, which is 0 at 0 in both libraries
        lambda z: 2 * keras.ops.cast(z >= 0, z.dtype) - 1, lambda z: 2 * (z >= 0).to(z.dtype) - 1, (0,)),
    "satlin": Function("satlin", "z, at least 0, at most 1", "1 if 0 < z < 1, else 0",
        lambda z: keras.ops.clip(z, 0, 1), lambda z: torch.clamp(z, 0, 1), (0, 1)),
    "sigmoid (logsig)": Function("sigmoid", "1 / (1 + e^-z)", "a (1 - a)",
        lambda z: keras.activations.sigmoid(z), lambda z: torch.sigmoid(z)),
    "tanh (tansig)": Function("tanh", "(e^z - e^-z) / (e^z + e^-z)", "1 - a^2",
        lambda z: keras.activations.tanh(z), lambda z: torch.tanh(z)),
    "radbas": Function("radbas", "e^(-z^2)", "-2 z a", lambda z: keras.ops.exp(-z * z), lambda z: torch.exp(-z * z)),
    "ReLU": Function("relu", "z if z > 0, else 0", "1 if z > 0, else 0",
        lambda z: keras.activations.relu(z), lambda z: torch.relu(z), (0,)),
    "ReLU6": Function("relu6", "z, at least 0, at most 6", "1 if 0 < z < 6, else 0",
        lambda z: keras.activations.relu6(z), lambda z: torch.nn.functional.relu6(z), (0, 6)),
    "leaky ReLU": Function("leaky_relu", f"z if z > 0, else {SLOPE} z", f"1 if z > 0, else {SLOPE}",
        lambda z: keras.activations.leaky_relu(z, SLOPE), lambda z: torch.nn.functional.leaky_relu(z, SLOPE), (0,)),
}  # fmt: skip
SOFTMAX = Function("softmax", "e^z_i / sum of all e^z_j", "a_i (1[i = j] - a_j)",
                   lambda z: keras.activations.softmax(z), lambda z: torch.softmax(z, -1))  # fmt: skip
# Two more ways to write ReLU: the same values, but what is the slope at 0?
RELU_BY_HAND = {
    "ReLU as maximum(z, 0)": FUNCTIONS["ReLU"]._replace(
        keras=lambda z: keras.ops.maximum(z, 0), torch=lambda z: torch.maximum(z, torch.zeros_like(z))),
    "ReLU as z cut off below 0": FUNCTIONS["ReLU"]._replace(
        keras=lambda z: keras.ops.clip(z, 0, np.inf), torch=lambda z: torch.clamp(z, min=0)),
}  # fmt: skip


def value(function: Function, z: np.ndarray) -> np.ndarray:
    """Returns a = f(z) of the NumPy engine."""
    return np.asarray(ACTIVATIONS[function.numpy].value(z))


def derivative(function: Function, z: np.ndarray) -> np.ndarray:
    """Returns f'(z) by the NumPy engine's formula: what comes back through f when 1 arrives at its output."""
    return np.asarray(ACTIVATIONS[function.numpy].backward(np.ones_like(z), value(function, z), z))


def finite_difference(function: Function, z: np.ndarray) -> np.ndarray:
    """Returns the slope between two points beside z: no formula, but an error of the order of STEP^2."""
    return (value(function, z + STEP) - value(function, z - STEP)) / (2 * STEP)


def steepest(function: Function) -> float:
    """Returns the size of the steepest slope that f has from -8 to 8, in steps of 0.01."""
    return float(np.abs(derivative(function, np.linspace(-8, 8, 1601))).max())


def jacobian(a: np.ndarray) -> np.ndarray:
    """Returns da_i/dz_j of softmax (n, n), from its answer a (n,): every z moves every a, for they add up to 1."""
    return np.diag(a) - np.outer(a, a)


def stable_sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z), written so that e gets no power above 0, for either sign of z."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def print_formulas() -> None:
    """The functions, what they answer to a few z, and how steep they can be."""
    z = np.array([-2, -0.5, 0.5, 2, 7])
    rows = [[name, function.value, function.derivative] for name, function in FUNCTIONS.items()]
    print(metrics.table(["function", "a = f(z)", "f'(z)"], [*rows, ["softmax", SOFTMAX.value, SOFTMAX.derivative]]))
    for heading, answer in (("f(z) at z =", value), ("f'(z) at z =", derivative)):
        rows = [[name, *(f"{number:.4f}" for number in answer(one, z))] for name, one in FUNCTIONS.items()]
        print("\n" + metrics.table([heading, *(f"{number:g}" for number in z)], rows))
    rows = [[name, f"{steepest(one):.4f}", f"{steepest(one) ** 10:.2g}"] for name, one in FUNCTIONS.items()]
    print("\n" + metrics.table(["function", "steepest slope", "through 10 layers"], rows))
    print("By hand: sigmoid'(0) = 0.5 (1 - 0.5) = 0.25, and ten of them make 0.25^10, a millionth.")


def hold(report: reporting.Report, name: str, errors: Sequence[np.ndarray]) -> None:
    """Notes the largest difference under the name of a metric, and what it may be at most."""
    report.result({f"{name}_test_max_error": float(np.max([np.abs(error).max() for error in errors]))})
    report.expect(f"{name}_test_max_error", highest=1e-6)


def compare(libraries: Mapping[str, Differentiate], z: np.ndarray, report: reporting.Report) -> None:
    """Values and derivatives, here and in the libraries, away from the kinks."""
    errors: dict[str, list[np.ndarray]] = {}
    for function in FUNCTIONS.values():
        smooth = z[np.all([np.abs(z - kink) > 1e-3 for kink in (*function.kinks, np.inf)], axis=0)]
        mine = value(function, smooth), derivative(function, smooth)
        errors.setdefault("differences_derivative", []).append(finite_difference(function, smooth) - mine[1])
        for library, differentiate in libraries.items():
            a, slope = differentiate(getattr(function, library), smooth)
            errors.setdefault(f"{library}_value", []).append(a - mine[0])
            errors.setdefault(f"{library}_derivative", []).append(slope - mine[1])
    headings = [name.replace("_value", " f").replace("_derivative", " f'") for name in errors]
    rows = [[name, *(f"{np.abs(error).max():.1e}" for error in row)]
            for name, *row in zip(FUNCTIONS, *errors.values(), strict=True)]  # fmt: skip
    print(metrics.table([f"difference at {len(z):,} z", *headings], rows))
    for name, found in errors.items():
        hold(report, name, found)


def print_kinks(libraries: Mapping[str, Differentiate]) -> None:
    """What the engines answer where there is no derivative, and the slopes that they give leaky ReLU unasked."""
    rows: list[list[object]] = []
    for name, function in (FUNCTIONS | RELU_BY_HAND).items():
        for kink in function.kinks:
            near = value(function, kink + STEP * np.array([-2, -1, 1, 2]))
            there = np.array([float(kink)])
            theirs = [float(find(getattr(function, one), there)[1][0]) for one, find in libraries.items()]
            slopes = [*np.diff(near)[[0, 2]] / STEP, float(derivative(function, there)[0]), *theirs]
            rows.append([name, f"{kink:g}", *(f"{slope:.3g}" if abs(slope) > 1e-6 else "0" for slope in slopes)])
    print(metrics.table(["slope at the kink", "z", "left of it", "right of it", "numpy", *libraries], rows))
    print("Any number between left and right will do: it is a convention. A threshold lets nothing back at all.\n")
    minus_one = np.array([-1.0], np.float32)
    own: dict[str, Any] = {"NumPy's leaky_relu": -value(FUNCTIONS["leaky ReLU"], minus_one)}
    if "keras" in libraries:
        own["keras.activations.leaky_relu"] = -keras.activations.leaky_relu(minus_one)
        own["keras.layers.LeakyReLU"] = -keras.layers.LeakyReLU()(minus_one)
    if "torch" in libraries:
        own["torch.nn.LeakyReLU"] = -torch.nn.LeakyReLU()(torch.tensor(minus_one))
    rows = [[name, f"{float(slope[0]):g}"] for name, slope in own.items()]
    print(metrics.table(["leaky ReLU", "slope left of 0 where none is given"], rows))


def print_softmax(libraries: Mapping[str, Differentiate], report: reporting.Report) -> None:
    """Softmax with pencil and paper, its Jacobian, and the same in the libraries."""
    a, e = value(SOFTMAX, LOGITS), np.exp(LOGITS)
    matrix = jacobian(a)
    names = [f"z{j}" for j in range(1, len(a) + 1)]
    rows = [[name, f"{z:g}", *(f"{number:.4f}" for number in numbers), f"{numbers[1]:.2f}"]
            for name, z, *numbers in zip(names, LOGITS, e, a, strict=True)]  # fmt: skip
    print(metrics.table(["", "z", "e^z", "a = e^z / sum", "rounded"], [*rows, ["sum", "", f"{e.sum():.4f}", 1.0, ""]]))
    rows = [[f"a{i}", *(f"{number:.4f}" for number in row), f"{row.sum():.4f}"] for i, row in enumerate(matrix, 1)]
    print("\n" + metrics.table(["da/dz", *names, "sum"], rows))
    print(f"By hand: da1/dz1 = {a[0]:.4f} (1 - {a[0]:.4f}) = {matrix[0, 0]:.4f};", end=" ")
    print(f"da1/dz2 = -{a[0]:.4f} * {a[1]:.4f} = {matrix[0, 1]:.4f}.")
    steps = STEP * np.eye(len(a))
    differences = (value(SOFTMAX, LOGITS + steps) - value(SOFTMAX, LOGITS - steps)).T / (2 * STEP)
    hold(report, "differences_jacobian", [differences - matrix])
    for name, differentiate in libraries.items():
        function = getattr(SOFTMAX, name)
        rows_of_it = [differentiate(lambda z, i=i, f=function: f(z)[i], LOGITS) for i in range(len(a))]  # type: ignore[misc]
        hold(report, f"{name}_softmax", [answer - a[i] for i, (answer, _) in enumerate(rows_of_it)])
        hold(report, f"{name}_jacobian", [row - matrix[i] for i, (_, row) in enumerate(rows_of_it)])


def print_large_numbers() -> None:
    """Formulas that are right on paper, in single precision, which ends at 3.4e38 = e^88.7."""
    z = np.array([-1000, -100, 0, 88, 89, 1000], np.float32)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        e, minus = np.exp(z), np.exp(-z)
        ways = (e / (1 + e), 1 / (1 + minus), minus / (1 + minus) ** 2, stable_sigmoid(z))
        rows = [[f"{number:g}" for number in row] for row in zip(z, *ways, strict=True)]
        print(metrics.table(["z", "e^z/(1+e^z)", "1/(1+e^-z)", "its slope e^-z/(1+e^-z)^2", "stable"], rows))
        rows = []
        for shift in (0, 84, 85, 1000, -1000):
            shifted = (LOGITS + shift).astype(np.float32)
            by_definition = np.exp(shifted) / np.exp(shifted).sum()
            answers = ("  ".join(f"{a:.2f}" for a in answer) for answer in (by_definition, value(SOFTMAX, shifted)))
            rows.append([", ".join(f"{number:g}" for number in shifted), *answers])
    print("\n" + metrics.table(["softmax of", "by its definition", "the largest z taken away first"], rows))


def draw() -> dict[str, Any]:
    """Returns figures by their names: the functions, softmax, and the limits of numbers and of depth."""
    curves = {name: differentiation.Curve(partial(value, one), partial(derivative, one), one.kinks)
              for name, one in FUNCTIONS.items()}  # fmt: skip
    z = np.linspace(-120, 120, 2401, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        ways = {"stable": stable_sigmoid(z), "e^z / (1 + e^z)": np.exp(z) / (1 + np.exp(z))}
    slopes = {name: steepest(FUNCTIONS[name]) for name in ("ReLU", "radbas", "sigmoid (logsig)")}
    return {"functions": differentiation.curve_grid(curves, "What a neuron answers, and what it lets back"),
            "softmax": differentiation.softmax_figure(LOGITS, partial(value, SOFTMAX), jacobian),
            "limits": differentiation.limits_figure(z, ways, slopes)}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the tables, compares with the libraries, draws; returns the largest differences."""
    arguments = cli.parse_lesson(cli.lesson_parser(__doc__, data=None), argv)
    report = reporting.Report("activations", arguments, "numpy")
    random = np.random.default_rng(arguments.seed).uniform(-8, 8, 100 if arguments.quick else 10_000)
    report.data(f"{len(random):,} random z from -8 to 8, and two far outside")
    print(f"Engine    NumPy {np.__version__}")
    libraries = differentiation.find_libraries()
    report.section("Ten functions and their derivatives")
    print_formulas()
    report.section("NumPy's formulas against finite differences and the libraries, in double precision")
    compare(libraries, np.append(random, [-100, 100]), report)
    report.section("At a kink")
    print_kinks(libraries)
    report.section("Softmax")
    print_softmax(libraries, report)
    report.section("Large numbers")
    print_large_numbers()
    if not arguments.no_plots:
        for name, figure in draw().items():
            report.saved(plots.save(figure, arguments.plots / f"activations-{name}.png"))
    return report.finish(no_band=reporting.why_no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
