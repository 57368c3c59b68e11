"""Backpropagation: a network of eight weights computed with pencil and paper, then one of any depth.

Two inputs, two hidden neurons, two outputs: you follow each number forwards, take the error apart with the chain rule,
factor by factor, move the eight weights one step, and see NumPy, Keras and PyTorch arrive at the same digits. 10,000
steps later the network answers what it was told. Then you write backpropagation for any number of layers in twenty
lines, have finite differences check each slope, and train on two moons: without a hidden layer, with one and with two.

    python -m workshop.backpropagation            # all of it; then look into the folder plots
    python -m workshop.backpropagation --quick    # a first look: 1,000 steps, shorter training

Expected: the three engines agree with the published numbers and with each other within 1e-8; the error falls from 0.298
to 0.0000351; the gradient check is closest, to nine digits or more, with steps near 1e-5; with a hidden layer at least
98 % of fresh points of the moons are right. About 15 s on two CPU cores.
"""

import importlib.util
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from workshop.kit import by_hand, cli, device, diagrams, gradient_engines, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.gradient_engines import Layer, Run
from workshop.kit.lazy import keras
from workshop.kit.plots import contours

# The 2-2-2 network of Mazur (2015), "A Step by Step Backpropagation Example". A column is a neuron: w1 and w2 lead to
# h1, w3 and w4 to h2, w5 and w6 to o1, w7 and w8 to o2.
LAYERS: list[Layer] = [
    (np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])),
    (np.array([[0.40, 0.50], [0.45, 0.55]]), np.array([0.60, 0.60])),
]
INPUTS, TARGETS = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
RATE, STEPS, QUICK_STEPS = 0.5, 10_000, 1_000
METRIC_NAMES = {"NumPy": "numpy", "Keras": "keras", "PyTorch": "torch"}
NEURONS = (("i1", "i2"), ("h1", "h2"), ("o1", "o2"))
PUBLISHED = {
    "out h1": 0.593269992, "out h2": 0.596884378, "out o1": 0.75136507, "out o2": 0.772928465, "E": 0.298371109,
    "dE/dw5": 0.082167041, "new w1": 0.149780716, "new w2": 0.19956143, "new w3": 0.24975114, "new w4": 0.29950229,
    "new w5": 0.35891648, "new w6": 0.408666186, "new w7": 0.511301270, "new w8": 0.561370121,
}  # fmt: skip
MOONS = {"2-1, no hidden layer": (2, 1), "2-8-1": (2, 8, 1), "2-8-8-1": (2, 8, 8, 1)}
MOONS_RATE, BATCH_SIZE, EPOCHS, QUICK_EPOCHS = 2.0, 10, 200, 50
TRAIN_POINTS, TEST_POINTS = 400, 2000
CHECK_STEPS = 10.0 ** -np.arange(1, 13)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z). Where it is s, its slope is s (1 - s)."""
    return np.asarray(1 / (1 + np.exp(-z)))


def forward(layers: Sequence[Layer], X: np.ndarray) -> list[np.ndarray]:
    """Returns X (samples, inputs) and after it what each layer makes of it, (samples, outputs)."""
    outputs = [X]
    for weights, biases in layers:
        outputs.append(sigmoid(outputs[-1] @ weights + biases))
    return outputs


def error(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray) -> float:
    """Returns E = sum over the outputs of 1/2 (t - o)^2, the mean of all samples."""
    return float(0.5 * np.sum((T - forward(layers, X)[-1]) ** 2) / len(X))


def backward(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray) -> list[Layer]:
    """Returns dE/dw and dE/db for each layer, by the chain rule from the last layer to the first.

    A neuron's delta is dE/dnet = dE/do do/dnet. What it gives to a weight is delta times the input of that weight; what
    it gives to the neuron in front is delta times the weight. Rumelhart, Hinton and Williams (1986).
    """
    *inputs, output = forward(layers, X)
    slope = (output - T) / len(X)  # dE/do
    gradients = []
    for (weights, _), incoming in zip(reversed(layers), reversed(inputs), strict=True):
        delta = slope * output * (1 - output)
        gradients.append((incoming.T @ delta, delta.sum(axis=0)))
        slope, output = delta @ weights.T, incoming
    return gradients[::-1]


def step(layers: Sequence[Layer], gradients: Sequence[Layer], rate: float, learns_biases: bool = True) -> list[Layer]:
    """Returns the layers a step further downhill."""
    return [
        (weights - rate * dw, biases - rate * db * learns_biases)
        for (weights, biases), (dw, db) in zip(layers, gradients, strict=True)
    ]


def draw_layers(sizes: Sequence[int], random: np.random.Generator) -> list[Layer]:
    """Returns layers of these sizes, inputs first; the more inputs a neuron has, the smaller its first weights."""
    return [(random.normal(0, 2 / np.sqrt(n), (n, m)), np.zeros(m)) for n, m in pairwise(sizes)]


def train(layers: list[Layer], X: np.ndarray, T: np.ndarray, epochs: int, random: np.random.Generator) -> list[Layer]:
    """Returns the layers after passes over the data in mini-batches, each pass in an order of its own."""
    for _ in range(epochs):
        order = random.permutation(len(X))
        for start in range(0, len(X), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            layers = step(layers, backward(layers, X[batch], T[batch]), MOONS_RATE)
    return layers


def check_gradient(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray, h: float) -> float:
    """Returns the largest difference between backpropagation and (E(w + h) - E(w - h)) / 2h, over the largest slope."""
    differences, largest = [], 0.0
    for layer, gradients in zip(layers, backward(layers, X, T), strict=True):
        for parameter, slopes in zip(layer, gradients, strict=True):
            for place, slope in np.ndenumerate(slopes):
                here, errors = parameter[place], []
                for parameter[place] in (here + h, here - h):
                    errors.append(error(layers, X, T))
                parameter[place] = here
                differences.append(abs((errors[0] - errors[1]) / (2 * h) - slope))
                largest = max(largest, abs(slope))
    return float(max(differences) / largest)


def published_figures(run: Run) -> dict[str, float]:
    """Returns what was published, as an engine computed it."""
    numbers = [*np.ravel(run.outputs), run.errors[0], run.gradients[1][0, 0]]
    return dict(zip(PUBLISHED, [*numbers, *np.ravel([new.T for new in run.first])], strict=True))


def by_numpy(steps: int, learns_biases: bool = False) -> Run:
    """Trains with the functions above. The published numbers come out with biases that stay as they are."""
    path = [LAYERS]
    for _ in range(steps):
        path.append(step(path[-1], backward(path[-1], INPUTS, TARGETS), RATE, learns_biases))
    errors = np.array([error(layers, INPUTS, TARGETS) for layers in path])
    first, last = ([weights for weights, _ in layers] for layers in (path[1], path[-1]))
    gradients = [dw for dw, _ in backward(LAYERS, INPUTS, TARGETS)]
    return Run(forward(LAYERS, INPUTS)[1:], gradients, first, last, errors)


def train_in_engines(steps: int) -> dict[str, Run]:
    """Returns what each engine of this machine computes; says which it has not."""
    runs = {"NumPy": by_numpy(steps)}
    if keras.config.backend() == "tensorflow":
        runs["Keras"] = gradient_engines.by_keras(LAYERS, INPUTS, TARGETS, RATE, steps)
    else:
        print(f"Keras runs on {keras.config.backend()}, GradientTape is TensorFlow's: its column is left out.")
    if importlib.util.find_spec("torch"):
        runs["PyTorch"] = gradient_engines.by_torch(LAYERS, INPUTS, TARGETS, RATE, steps)
    else:
        print("PyTorch is not installed: its column is left out.")
    return runs


def follow(report: reporting.Report) -> None:
    """The network forwards and backwards, each number with where it comes from."""
    outputs = forward(LAYERS, INPUTS)
    report.section("Forwards: the net input of each neuron, and the sigmoid of it")
    print(by_hand.forward_table(LAYERS, outputs, NEURONS))
    terms = [f"1/2 ({t:g} - {o:.6f})^2" for t, o in zip(TARGETS[0], outputs[-1][0], strict=True)]
    print(f"\nE = {' + '.join(terms)} = {error(LAYERS, INPUTS, TARGETS):.9f}")
    report.section("Backwards: dE/dw = dE/dout * dout/dnet * dnet/dw, from the last layer to the first")
    print(by_hand.backward_table(LAYERS, outputs, TARGETS, NEURONS, RATE))


def compare(report: reporting.Report, steps: int) -> dict[str, np.ndarray]:
    """The three engines beside the published numbers, and at the end; returns the error's curves by their names."""
    report.section(f"The same in the engines, in double precision: before and after a step, and after {steps:,}")
    runs = train_in_engines(steps)
    figures = [published_figures(run) for run in runs.values()]
    rows = [[name, f"{value:.9f}", *(f"{one[name]:.11f}" for one in figures)] for name, value in PUBLISHED.items()]
    numpy_run, learned = runs["NumPy"], by_numpy(steps, learns_biases=True)
    rows += [[f"E after {at:,}", "", *(f"{run.errors[at]:.11f}" for run in runs.values())] for at in (1, 100, steps)]
    print(metrics.table(["", "published", *runs], rows))
    print(f"\nThe biases stay at 0.35 and 0.60 in all of these. Where they learn as well, E after {steps:,} steps is "
          f"{learned.errors[-1]:.11f};\nthe new weights after one step are the same, but after 10,000 steps 0.0000351 "
          "was published.")  # fmt: skip
    for (library, run), one in zip(runs.items(), figures, strict=True):
        name = METRIC_NAMES[library]
        difference = max(abs(one[key] - value) for key, value in PUBLISHED.items())
        found = {f"{name}_test_max_error": difference}
        if run is not numpy_run:
            pairs = zip([*run.last, run.errors], [*numpy_run.last, numpy_run.errors], strict=True)
            found[f"{name}_trained_test_max_error"] = max(float(np.abs(ours - own).max()) for own, ours in pairs)
        report.result(found)
        for metric in found:
            report.expect(metric, highest=1e-8)
    # With two outputs half the sum of the squares is their mean.
    report.result({"train_mean_squared_error": numpy_run.errors[-1]})
    report.expect("train_mean_squared_error", 3.50e-5, 3.52e-5)
    return {name: run.errors for name, run in runs.items()} | {"biases learn too": learned.errors}


def probability(layers: Sequence[Layer], X: np.ndarray) -> np.ndarray:
    """Returns the one output (samples,) of a network."""
    return forward(layers, X)[-1][:, 0]


def deepen(report: reporting.Report, epochs: int, seed: int) -> tuple[np.ndarray, Any]:
    """Checks the gradient of a deep network and trains three on two moons; returns the check's errors, and a figure."""
    from sklearn.datasets import make_moons

    random = np.random.default_rng(seed)
    X, y = make_moons(TRAIN_POINTS + TEST_POINTS, noise=0.12, random_state=seed)
    X_train, X_test, T = X[:TRAIN_POINTS], X[TRAIN_POINTS:], y[:TRAIN_POINTS, None]
    report.section("Any depth: backpropagation against finite differences, a 2-8-8-1 network")
    layers = draw_layers(MOONS["2-8-8-1"], random)
    errors = np.array([check_gradient(layers, X_train[:20], T[:20], h) for h in CHECK_STEPS])
    rows: list[list[object]] = [[f"{h:.0e}", f"{one:.1e}"] for h, one in zip(CHECK_STEPS, errors, strict=True)]
    print(metrics.table(["step h", "relative difference"], rows))
    report.result({"gradient_check_test_max_error": errors.min()})
    report.expect("gradient_check_test_max_error", highest=1e-8)

    report.section(f"Two moons: {TRAIN_POINTS} points, {epochs} epochs in mini-batches of {BATCH_SIZE}")
    models, rows = {}, []
    for title, sizes in MOONS.items():
        layers = train(draw_layers(sizes, random), X_train, T, epochs, random)
        accuracy = float(np.mean((probability(layers, X_test) > 0.5) == y[TRAIN_POINTS:]))
        rows.append([title, error(layers, X_train, T), f"{accuracy:.2%}"])
        models[f"{title}: {accuracy:.1%}"] = partial(probability, layers)
        report.result({f"moons_{len(sizes) - 2}_hidden_test_accuracy": accuracy})
    print(metrics.table(["network", "E", f"right of {TEST_POINTS:,} fresh points"], rows))
    report.expect("moons_0_hidden_test_accuracy", highest=0.92)
    for depth in (1, 2):
        report.expect(f"moons_{depth}_hidden_test_accuracy", lowest=0.98)
    return errors, contours.boundary_row(models, X_train, T[:, 0], "Two moons, and how many hidden layers part them")


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Follows the small network by hand and in the engines, trains deeper ones, draws; returns the metrics."""
    arguments = cli.parse_lesson(cli.lesson_parser(__doc__, data=None), argv)
    report = reporting.Report("backpropagation", arguments, "numpy")
    report.data("the 2-2-2 network of the published example; two moons, drawn from the seed")
    print(f"Engine    NumPy {np.__version__}; {device.prepare(arguments.seed)}")
    follow(report)
    curves = compare(report, QUICK_STEPS if arguments.quick else STEPS)
    errors, boundaries = deepen(report, QUICK_EPOCHS if arguments.quick else EPOCHS, arguments.seed)
    if not arguments.no_plots:
        gradients = [dw for dw, _ in backward(LAYERS, INPUTS, TARGETS)]
        figures = {
            "network": diagrams.network(LAYERS, forward(LAYERS, INPUTS), TARGETS, gradients, NEURONS),
            "errors": diagrams.descent_and_check(curves, CHECK_STEPS, errors),
            "moons": boundaries,
        }
        for name, figure in figures.items():
            report.saved(plots.save(figure, arguments.plots / f"backpropagation-{name}.png"))
    return report.finish(no_band=reporting.why_no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
