"""Automatic differentiation: how a program finds the slopes of what it computes, exactly and all at once.

You follow z = x1 x2 + sin x1 with pencil and paper: forwards with dual numbers, once for each input, and backwards
along a tape, once for all of them. PyTorch and TensorFlow find the same slopes, and slopes of slopes. Then the engine,
workshop/scratch/autograd, trains two networks of which nobody has written down a derivative.

    python -m workshop.autodiff                # all of it; then look into the folder plots
    python -m workshop.autodiff --at 1.5 -2    # the slopes at another point (x1, x2)
    python -m workshop.autodiff --quick        # a first look: XOR is trained for a short while

Expected: at (2, 3) the slopes are 2.58385 and 2; both modes, PyTorch and TensorFlow agree within 1e-10. The 2-2-2
network's numbers are the published ones within 1e-8, and XOR is learned: 0, 1, 1, 0. About 8 s on two CPU cores.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from workshop.kit import cli, lazy, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.plots import charts
from workshop.scratch.autograd.autodiff import Dual, Variable, gradient
from workshop.scratch.autograd.operations import sigmoid, sin, tanh

POINT = [2.0, 3.0]
# Of each step: how it is computed, its tangent t on the way forwards, and its gradient g on the way back.
PRIMALS = ("v1 = x1", "v2 = x2", "v3 = v1 v2", "v4 = sin v1", "v5 = v3 + v4")
TANGENTS = ("t1 = 1, then 0", "t2 = 0, then 1", "t3 = t1 v2 + v1 t2", "t4 = t1 cos v1", "t5 = t3 + t4")
ADJOINTS = ("g1 = g3 v2 + g4 cos v1", "g2 = g3 v1", "g3 = g5", "g4 = g5", "g5 = 1")
PLACES = ((0, 1), (0, 0), (1, 1), (1, 0), (2, 0.5))  # of the steps, in the picture
SLOPES = ("dz/dx1", "dz/dx2", "d2z/dx1 dx1", "d2z/dx1 dx2", "d3z/dx1 dx1 dx1")

# The 2-2-2 network of Mazur (2015), "A Step by Step Backpropagation Example", and the numbers that are given there.
X_NETWORK, TARGETS = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
HIDDEN_BIAS, OUTPUT_BIAS, NETWORK_RATE = 0.35, 0.60, 0.5
# A column for each unit: w1, w2 and w3, w4 lead to the hidden ones, w5, w6 and w7, w8 to the outputs.
WEIGHTS = (np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([[0.40, 0.50], [0.45, 0.55]]))
PUBLISHED = {
    "out_h1": 0.593269992, "out_h2": 0.596884378, "out_o1": 0.75136507, "out_o2": 0.772928465, "E": 0.298371109,
    "dE/dw5": 0.082167041, "w1": 0.149780716, "w2": 0.19956143, "w3": 0.24975114, "w4": 0.29950229,
    "w5": 0.35891648, "w6": 0.408666186, "w7": 0.511301270, "w8": 0.561370121,
}  # fmt: skip

X_CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y_CORNERS = np.array([[0.0], [1.0], [1.0], [0.0]])
HIDDEN_UNITS, XOR_RATE, XOR_STEPS, XOR_QUICK_STEPS = 5, 2.0, 1000, 300


def steps(x1: Any, x2: Any, sine: Callable[[Any], Any] = sin) -> list[Any]:
    """Returns all that z = x1 x2 + sin x1 is computed through, z last; for any kind of number that has a sine."""
    v1, v2 = x1, x2
    v3 = v1 * v2
    v4 = sine(v1)
    v5 = v3 + v4
    return [v1, v2, v3, v4, v5]


def forward_trace(x1: float, x2: float) -> list[list[object]]:
    """Returns a row for each step: its value, and its tangents by x1 and by x2, which take a run each."""
    runs = steps(Dual(x1, 1.0), Dual(x2, 0.0)), steps(Dual(x1, 0.0), Dual(x2, 1.0))
    return [
        [primal, f"{by_x1.value:.6f}", rule, f"{by_x1.tangent:.6f}", f"{by_x2.tangent:.6f}"]
        for primal, rule, by_x1, by_x2 in zip(PRIMALS, TANGENTS, *runs, strict=True)
    ]


def reverse_trace(x1: float, x2: float) -> tuple[list[list[object]], Variable]:
    """Returns a row for each step, the last first: its value and its gradient; and z, with its tape for the drawing."""
    variables = steps(Variable(x1, "x1"), Variable(x2, "x2"))
    variables[-1].backward(keep_tape=True)
    told = zip(PRIMALS, ADJOINTS, variables, strict=True)
    rows: list[list[object]] = [[primal, f"{v.value:.6f}", rule, f"{v.gradient:.6f}"] for primal, rule, v in told]
    return rows[::-1], variables[-1]


def torch_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns what `gradient` returns, by PyTorch."""

    def derivatives(*values: Any) -> Any:
        # create_graph: the slopes are computed on a tape as well, and can be differentiated.
        y = function(*values)
        return lazy.torch.autograd.grad(y, values, create_graph=True, materialize_grads=True)

    return derivatives


def tensorflow_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns what `gradient` returns, by TensorFlow."""

    def derivatives(*values: Any) -> Any:
        with lazy.tensorflow.GradientTape() as tape:
            tape.watch(values)
            y = function(*values)
        return tape.gradient(y, values, unconnected_gradients="zero")

    return derivatives


def slopes(by: Callable[..., Callable[..., Any]], sine: Callable[[Any], Any], x1: Any, x2: Any) -> list[Any]:
    """Returns the five `SLOPES` of z at (x1, x2), `by` making of a function the one that returns its derivatives."""

    def z(x1: Any, x2: Any) -> Any:
        return steps(x1, x2, sine)[-1]

    def first(x1: Any, x2: Any) -> Any:
        return by(z)(x1, x2)[0]

    def second(x1: Any, x2: Any) -> Any:
        return by(first)(x1, x2)[0]

    return [*by(z)(x1, x2), *by(first)(x1, x2), by(second)(x1, x2)[0]]


def compare(x1: float, x2: float, report: reporting.Report) -> None:
    """The slopes of z, of its slopes, and of theirs: by both modes, by PyTorch and by TensorFlow."""
    found = {"dual numbers": slopes(partial(gradient, mode=Dual), sin, x1, x2), "tape": slopes(gradient, sin, x1, x2)}
    if find_spec("torch"):
        numbers = [lazy.torch.tensor(x, dtype=lazy.torch.float64, requires_grad=True) for x in (x1, x2)]
        found["torch"] = [one.detach() for one in slopes(torch_gradient, lazy.torch.sin, *numbers)]
    if find_spec("tensorflow"):
        numbers = [lazy.tensorflow.constant(x, "float64") for x in (x1, x2)]
        found["tensorflow"] = slopes(tensorflow_gradient, lazy.tensorflow.sin, *numbers)
    rows = [[name, *(f"{float(row[i]):.12f}" for row in found.values())] for i, name in enumerate(SLOPES)]
    print(metrics.table(["", *found], rows))
    for module, name in (("torch", "PyTorch"), ("tensorflow", "TensorFlow")):
        if module not in found:
            print(f"{name} is not installed: its column is left out.")
    duals = np.array(found.pop("dual numbers"))
    for name, row in found.items():
        report.result({f"{name}_test_max_error": np.max(np.abs(duals - np.array(row)))})
        report.expect(f"{name}_test_max_error", highest=1e-10)


def outputs(W1: Any, W2: Any) -> tuple[Any, Any]:
    """Returns what the 2-2-2 network's hidden units and its outputs answer, (1, 2) each."""
    hidden = sigmoid(X_NETWORK @ W1 + HIDDEN_BIAS)
    return hidden, sigmoid(hidden @ W2 + OUTPUT_BIAS)


def network_error(W1: Any, W2: Any) -> Any:
    """Returns E, the sum of (t - o)^2 / 2 over both outputs."""
    return (0.5 * (TARGETS - outputs(W1, W2)[1]) ** 2).sum()


def train_network(report: reporting.Report) -> None:
    """One step of gradient descent with the 2-2-2 network, held against the published numbers."""
    gradients = gradient(network_error)(*WEIGHTS)
    stepped = [W - NETWORK_RATE * dW for W, dW in zip(WEIGHTS, gradients, strict=True)]
    # Turned round, because the numbering follows the units and not the inputs.
    before, slope, after = (np.concatenate([W.T.ravel() for W in each]) for each in (WEIGHTS, gradients, stepped))
    answers = np.ravel(outputs(*WEIGHTS))
    found = dict(zip(PUBLISHED, [*answers, network_error(*WEIGHTS), slope[4], *after], strict=True))
    names = list(PUBLISHED)
    print(metrics.table(["forward", "tape", "published"],
                        [[name, f"{found[name]:.9f}", f"{PUBLISHED[name]:.9f}"] for name in names[:6]]))  # fmt: skip
    rows = [
        [name, f"{before[i]:.2f}", f"{slope[i]:.9f}", f"{found[name]:.9f}", f"{PUBLISHED[name]:.9f}"]
        for i, name in enumerate(names[6:])
    ]
    print("\n" + metrics.table(["weight", "before", "dE/dw", f"after -{NETWORK_RATE} dE/dw", "published"], rows))
    report.result({"network_test_max_error": max(abs(found[name] - PUBLISHED[name]) for name in names)})
    report.expect("network_test_max_error", highest=1e-8)


def xor_answers(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """Returns what a 2-5-1 network answers to the four corners: (4, 1)."""
    return sigmoid(tanh(X_CORNERS @ W1 + b1) @ W2 + b2)


def train_xor(report: reporting.Report) -> list[float]:
    """Gradient descent on the four corners of XOR, by the tape; returns the error of each step."""
    random = np.random.default_rng(report.arguments.seed)
    weights = [random.normal(size=shape) for shape in ((2, HIDDEN_UNITS), (1, HIDDEN_UNITS), (HIDDEN_UNITS, 1), (1, 1))]
    errors = []
    for _ in range(XOR_QUICK_STEPS if report.arguments.quick else XOR_STEPS):
        # New variables for each step: their tape is gone after the way back, and their gradients begin at 0.
        variables = [Variable(weight) for weight in weights]
        error = ((xor_answers(*variables) - Y_CORNERS) ** 2).mean()
        error.backward()
        weights = [one.value - XOR_RATE * one.gradient for one in variables]
        errors.append(float(error.value))
    answers = xor_answers(*weights)
    rows = [[*x.astype(int), f"{a:.4f}", round(a)] for x, a in zip(X_CORNERS, answers[:, 0], strict=True)]
    print(metrics.table(["x1", "x2", "output", "XOR"], rows))
    count = sum(weight.size for weight in weights)
    print(f"\n{len(errors)} steps, each with one way back for {count} weights; dual numbers would take {count} runs.")
    report.result({"xor_train_accuracy": np.mean(answers.round() == Y_CORNERS)})
    report.result({"xor_train_mean_squared_error": np.mean((answers - Y_CORNERS) ** 2)})
    report.expect("xor_train_accuracy", 1)
    report.expect("xor_train_mean_squared_error", highest=0.01)
    return errors


def draw_graph(z: Variable) -> Any:
    """Returns a figure of z's tape: a box for each number, and at the arrows what flows back along them."""
    figure, axes = plots.subplots(width=11, height=4.6)
    style = {"boxstyle": "round,pad=0.5", "facecolor": "#EAF3F9", "edgecolor": plots.BLUE, "linewidth": 2.2}
    boxes: dict[Variable, Any] = {}
    for number, (one, place) in enumerate(zip(z.tape(), PLACES, strict=True), 1):
        text = f"v{number}: {one.name}\nvalue {one.value:.6g}\ngradient {one.gradient:.6g}"
        boxes[one] = axes.text(*place, text, ha="center", va="center", fontsize=15, bbox=style)
        for x, flows_back in one.pull(one.gradient):
            start, ends = boxes[x].get_position(), (boxes[x].get_bbox_patch(), boxes[one].get_bbox_patch())
            arrow = {"arrowstyle": "-|>", "linewidth": 1.8, "mutation_scale": 22, "patchA": ends[0], "patchB": ends[1]}
            axes.annotate("", place, start, arrowprops=arrow | {"color": plots.BLACK}, zorder=4)  # over the boxes
            near = np.average([start, place], axis=0, weights=[0.64, 0.36])
            white = {"facecolor": "white", "edgecolor": "none", "pad": 2}
            text = f"{flows_back:.6g}"
            axes.text(*near, text, color=plots.VERMILION, fontsize=15, ha="center", va="center", bbox=white, zorder=5)
    axes.set(xlim=(-0.3, 2.3), ylim=(-0.35, 1.35))
    axes.set_title("Values flow along the arrows; gradients flow back (orange) and add up", fontsize=17)
    axes.axis("off")
    return figure


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the traces, compares with the libraries, trains two networks, draws; returns the metrics."""
    parser = cli.lesson_parser(__doc__, data=None)
    parser.add_argument(
        "--at", nargs=2, type=cli.finite_number, default=POINT, metavar=("X1", "X2"),
        help="the point at which z is differentiated (default: 2 3)",
    )  # fmt: skip
    arguments = cli.parse_lesson(parser, argv)
    report = reporting.Report("autodiff", arguments, "numpy")
    x1, x2 = arguments.at
    report.data(f"z = x1 x2 + sin x1 at ({x1:g}, {x2:g}); the 2-2-2 network; the four corners of XOR")
    print(f"Engine    NumPy {np.__version__}")
    report.section("Forward mode: dual numbers, a run by x1 and a run by x2")
    print(metrics.table(["step", "value", "tangent", "by x1", "by x2"], forward_trace(x1, x2)))
    report.section("Reverse mode: the tape, read from its end")
    rows, z = reverse_trace(x1, x2)
    print(metrics.table(["step", "value", "gradient g = dz/dv", ""], rows))
    report.section("The same by both modes and by the libraries; the slopes' own slopes, too")
    compare(x1, x2, report)
    report.section("The 2-2-2 network: one step by the tape, and the published numbers")
    train_network(report)
    report.section("XOR learned by the tape: a 2-5-1 network")
    errors = train_xor(report)
    if not arguments.no_plots:
        report.saved(plots.save(draw_graph(z), arguments.plots / "autodiff-graph.png"))
        figure, axes = plots.subplots(width=8)
        curve = {"2-5-1 network": (np.arange(len(errors)), errors)}
        charts.draw_curves(axes, curve, x="step", y="mean squared error", title="XOR by the tape", logarithmic=True)
        report.saved(plots.save(figure, arguments.plots / "autodiff-loss.png"))
    return report.finish(no_band=reporting.why_no_band(arguments) or "--at given" * (arguments.at != POINT))


if __name__ == "__main__":
    cli.run(main)
