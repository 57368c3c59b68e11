"""Automatic differentiation: the derivatives of what a program computes, exact and all at once.

You follow z = x1 x2 + sin x1 with pencil and paper: forwards with dual numbers, once for each input, and backwards
along a tape, once for all of them. PyTorch and TensorFlow find the same derivatives, and derivatives of derivatives.
Then the engine, workshop/scratch/autograd, trains two networks without a derivative written by hand.

    python -m workshop.autodiff                # all of it; then look into the folder plots
    python -m workshop.autodiff --at 1.5 -2    # the derivatives at another point (x1, x2)
    python -m workshop.autodiff --quick        # a first look: XOR is trained for a short while

Expected: at (2, 3) the derivatives are 2.58385 and 2; both modes, PyTorch and TensorFlow agree within 1e-10. The 2-2-2
network's numbers are the published ones within 1e-8, and XOR is solved: 0, 1, 1, 0. About 8 s on two CPU cores.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from workshop.figures import autodiff as figures
from workshop.kit import cli
from workshop.kit.lazy import tensorflow as tf
from workshop.kit.lazy import torch
from workshop.kit.report import Report, format_table
from workshop.scratch.autograd.autodiff import Dual, Variable, gradient
from workshop.scratch.autograd.operations import sigmoid, sin, tanh

POINT = [2.0, 3.0]
# Of each step: its operation, its tangent t in the forward mode, and its gradient g in the reverse mode.
PRIMALS = ("v1 = x1", "v2 = x2", "v3 = v1 v2", "v4 = sin v1", "v5 = v3 + v4")
TANGENTS = ("t1 = 1, then 0", "t2 = 0, then 1", "t3 = t1 v2 + v1 t2", "t4 = t1 cos v1", "t5 = t3 + t4")
ADJOINTS = ("g1 = g3 v2 + g4 cos v1", "g2 = g3 v1", "g3 = g5", "g4 = g5", "g5 = 1")
DERIVATIVES = ("dz/dx1", "dz/dx2", "d2z/dx1 dx1", "d2z/dx1 dx2", "d3z/dx1 dx1 dx1")

# The 2-2-2 network of Mazur (2015), "A Step by Step Backpropagation Example", and the numbers that are given there.
# A column for each unit: w1, w2 and w3, w4 lead to the hidden ones, w5, w6 and w7, w8 to the outputs.
X_NETWORK = np.array([[0.05, 0.10]])
TARGETS = np.array([[0.01, 0.99]])
WEIGHTS = (np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([[0.40, 0.50], [0.45, 0.55]]))
HIDDEN_BIAS = 0.35
OUTPUT_BIAS = 0.60
LEARNING_RATE = 0.5
PUBLISHED = {
    "out_h1": 0.593269992, "out_h2": 0.596884378, "out_o1": 0.75136507, "out_o2": 0.772928465, "E": 0.298371109,
    "dE/dw5": 0.082167041, "w1": 0.149780716, "w2": 0.19956143, "w3": 0.24975114, "w4": 0.29950229,
    "w5": 0.35891648, "w6": 0.408666186, "w7": 0.511301270, "w8": 0.561370121,
}  # fmt: skip

X_XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y_XOR = np.array([[0.0], [1.0], [1.0], [0.0]])
HIDDEN_UNITS = 5
XOR_LEARNING_RATE = 2.0
XOR_STEPS = 1000
XOR_QUICK_STEPS = 300


def trace(x1: Any, x2: Any, sine: Callable[[Any], Any] = sin) -> list[Any]:
    """Returns the steps of z = x1 x2 + sin x1, z last; for any kind of number that has a sine."""
    v1 = x1
    v2 = x2
    v3 = v1 * v2
    v4 = sine(v1)
    v5 = v3 + v4
    return [v1, v2, v3, v4, v5]


def forward_rows(x1: float, x2: float) -> list[list[object]]:
    """Returns a row for each step: its value, and its tangents by x1 and by x2, which take a run each."""
    by_x1 = trace(Dual(x1, 1.0), Dual(x2, 0.0))
    by_x2 = trace(Dual(x1, 0.0), Dual(x2, 1.0))
    return [
        [primal, f"{first.value:.6f}", rule, f"{first.tangent:.6f}", f"{second.tangent:.6f}"]
        for primal, rule, first, second in zip(PRIMALS, TANGENTS, by_x1, by_x2, strict=True)
    ]


def reverse_trace(x1: float, x2: float) -> list[Variable]:
    """Returns the steps with their gradients, dz/dv, and the tape, which is kept."""
    variables = trace(Variable(x1, "x1"), Variable(x2, "x2"))
    variables[-1].backward(keep_tape=True)
    return variables


def reverse_rows(variables: Sequence[Variable]) -> list[list[object]]:
    """Returns a row for each step, the last first: its value and its gradient."""
    rows: list[list[object]] = [
        [primal, f"{variable.value:.6f}", rule, f"{variable.gradient:.6f}"]
        for primal, rule, variable in zip(PRIMALS, ADJOINTS, variables, strict=True)
    ]
    return rows[::-1]


def tape_edges(variables: Sequence[Variable]) -> list[tuple[int, int, float]]:
    """Returns for each input of each step: the input's number, the step's, and the gradient that flows back."""
    return [
        (variables.index(source), target, float(flowing_back))
        for target, variable in enumerate(variables)
        for source, flowing_back in variable.pull(variable.gradient)
    ]


def torch_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function that gives the derivatives of `function` by PyTorch, as `gradient` does by our engine."""

    def derivatives(*values: Any) -> Any:
        # create_graph: the derivatives are computed on a tape as well, and can be differentiated.
        y = function(*values)
        return torch.autograd.grad(y, values, create_graph=True, materialize_grads=True)

    return derivatives


def tensorflow_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the same by TensorFlow."""

    def derivatives(*values: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            y = function(*values)
        return tape.gradient(y, values, unconnected_gradients="zero")

    return derivatives


def derivatives(by: Callable[..., Callable[..., Any]], sine: Callable[[Any], Any], x1: Any, x2: Any) -> list[Any]:
    """Returns the five `DERIVATIVES` of z at (x1, x2).

    Args:
        by: makes of a function the one that returns its derivatives, as `gradient` does.
        sine: the sine of the numbers x1 and x2.
        x1, x2: the point.
    """

    def z(x1: Any, x2: Any) -> Any:
        return trace(x1, x2, sine)[-1]

    def first(x1: Any, x2: Any) -> Any:
        return by(z)(x1, x2)[0]

    def second(x1: Any, x2: Any) -> Any:
        return by(first)(x1, x2)[0]

    return [*by(z)(x1, x2), *by(first)(x1, x2), by(second)(x1, x2)[0]]


def derivatives_by_each(x1: float, x2: float) -> dict[str, list[Any]]:
    """Returns the derivatives by both modes and by each library of this machine; says which are missing."""
    columns = {
        "dual numbers": derivatives(partial(gradient, mode=Dual), sin, x1, x2),
        "tape": derivatives(gradient, sin, x1, x2),
    }
    if find_spec("torch"):
        point = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (x1, x2)]
        columns["torch"] = [value.detach() for value in derivatives(torch_gradient, torch.sin, *point)]
    else:
        print("PyTorch is not installed: its column is left out.")
    if find_spec("tensorflow"):
        point = [tf.constant(x, "float64") for x in (x1, x2)]
        columns["tensorflow"] = derivatives(tensorflow_gradient, tf.sin, *point)
    else:
        print("TensorFlow is not installed: its column is left out.")
    return columns


def network_outputs(W1: Any, W2: Any) -> tuple[Any, Any]:
    """Returns the outputs of the 2-2-2 network's hidden units and of its output units, (1, 2) each."""
    hidden = sigmoid(X_NETWORK @ W1 + HIDDEN_BIAS)
    return hidden, sigmoid(hidden @ W2 + OUTPUT_BIAS)


def network_error(W1: Any, W2: Any) -> Any:
    """Returns E, the sum of (t - o)^2 / 2 over both outputs."""
    _, output = network_outputs(W1, W2)
    return (0.5 * (TARGETS - output) ** 2).sum()


def train_network() -> float:
    """Prints a step of gradient descent with the 2-2-2 network; returns how far it is from the published numbers."""
    gradients = gradient(network_error)(*WEIGHTS)
    new_weights = [W - LEARNING_RATE * dW for W, dW in zip(WEIGHTS, gradients, strict=True)]
    # Transposed, because the numbering follows the units and not the inputs.
    before, dE_dw, after = (
        np.concatenate([W.T.ravel() for W in matrices]) for matrices in (WEIGHTS, gradients, new_weights)
    )
    outputs = np.ravel(network_outputs(*WEIGHTS))
    values = dict(zip(PUBLISHED, [*outputs, network_error(*WEIGHTS), dE_dw[4], *after], strict=True))

    names = list(PUBLISHED)
    rows = [[name, f"{values[name]:.9f}", f"{PUBLISHED[name]:.9f}"] for name in names[:6]]
    print(format_table(["forward", "tape", "published"], rows) + "\n")
    rows = [
        [name, f"{before[i]:.2f}", f"{dE_dw[i]:.9f}", f"{after[i]:.9f}", f"{PUBLISHED[name]:.9f}"]
        for i, name in enumerate(names[6:])
    ]
    print(format_table(["weight", "before", "dE/dw", f"after -{LEARNING_RATE} dE/dw", "published"], rows))
    return max(abs(values[name] - PUBLISHED[name]) for name in names)


def xor_outputs(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """Returns the outputs of a 2-5-1 network for the four corners of XOR: (4, 1)."""
    return sigmoid(tanh(X_XOR @ W1 + b1) @ W2 + b2)


def train_xor(steps: int, seed: int) -> tuple[list[np.ndarray], list[float]]:
    """Trains a 2-5-1 network on XOR by the tape; returns its weights, and the loss of each step."""
    random = np.random.default_rng(seed)
    weights = [random.normal(size=shape) for shape in ((2, HIDDEN_UNITS), (1, HIDDEN_UNITS), (HIDDEN_UNITS, 1), (1, 1))]
    losses = []
    for _ in range(steps):
        # New variables for each step: their tape is gone after the backward pass, and their gradients begin at 0.
        variables = [Variable(weight) for weight in weights]
        loss = ((xor_outputs(*variables) - Y_XOR) ** 2).mean()
        loss.backward()
        weights = [variable.value - XOR_LEARNING_RATE * variable.gradient for variable in variables]
        losses.append(float(loss.value))
    return weights, losses


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(docstring, data=None)
    parser.add_argument(
        "--at",
        nargs=2,
        type=cli.finite_number,
        default=POINT,
        metavar=("X1", "X2"),
        help="the point at which z is differentiated (default: 2 3)",
    )
    return cli.parse_lesson(parser, argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the traces, compares with the libraries, trains two networks, plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("autodiff", arguments, engine="numpy")
    x1, x2 = arguments.at
    report.data(f"z = x1 x2 + sin x1 at ({x1:g}, {x2:g}); the 2-2-2 network; the four corners of XOR")
    print(f"Engine    NumPy {np.__version__}")

    report.section("Forward mode: dual numbers, one run for x1 and one for x2")
    print(format_table(["step", "value", "tangent", "by x1", "by x2"], forward_rows(x1, x2)))

    report.section("Reverse mode: the tape, read backwards")
    variables = reverse_trace(x1, x2)
    print(format_table(["step", "value", "gradient g = dz/dv", ""], reverse_rows(variables)))
    nodes = [(variable.name, float(variable.value), float(variable.gradient)) for variable in variables]
    report.plot("autodiff-graph", figures.graph, nodes, tape_edges(variables))

    report.section("Both modes and the libraries compared; second and third derivatives as well")
    columns = derivatives_by_each(x1, x2)
    rows = [[name, *(f"{float(c[i]):.12f}" for c in columns.values())] for i, name in enumerate(DERIVATIVES)]
    print(format_table(["", *columns], rows))
    reference = np.array(columns.pop("dual numbers"))
    for name, column in columns.items():
        report.result({f"{name}_test_max_error": np.max(np.abs(reference - np.array(column)))})

    report.section("The 2-2-2 network: one step with the tape, and the published numbers")
    report.result({"network_test_max_error": train_network()})

    report.section("XOR solved with the tape: a 2-5-1 network")
    weights, losses = train_xor(XOR_QUICK_STEPS if arguments.quick else XOR_STEPS, arguments.seed)
    outputs = xor_outputs(*weights)
    rows = [[*x.astype(int), f"{y:.4f}", round(y)] for x, y in zip(X_XOR, outputs[:, 0], strict=True)]
    print(format_table(["x1", "x2", "output", "XOR"], rows))
    n = sum(weight.size for weight in weights)
    print(f"\n{len(losses)} steps, each with one backward pass for {n} weights; dual numbers would need {n} runs.")
    report.result({"xor_train_accuracy": np.mean(outputs.round() == Y_XOR)})
    report.result({"xor_train_mean_squared_error": np.mean((outputs - Y_XOR) ** 2)})
    report.plot("autodiff-loss", figures.loss, losses)

    return report.finish(not_comparable="--at given" if arguments.at != POINT else "")


if __name__ == "__main__":
    cli.run(main)
