"""Backpropagation: a network of eight weights computed with pencil and paper, then one of any depth.

Two inputs, two hidden neurons, two outputs: you follow each number forwards, take the error apart with the chain rule,
factor by factor, move the eight weights one step, and see NumPy, Keras and PyTorch arrive at the same digits. 10,000
steps later the outputs are the targets. Then you take backpropagation, twenty lines for any number of layers, have
finite differences check each derivative, and train on two moons: without a hidden layer, with one and with two.

    python -m workshop.backpropagation            # all of it; then look into the folder plots
    python -m workshop.backpropagation --quick    # a first look: 1,000 steps, shorter training

Expected: the three engines agree with the published numbers and with each other within 1e-8; the error falls from 0.298
to 0.0000351; the gradient check is closest, to nine digits or more, with steps near 1e-5; with a hidden layer the
accuracy on held-out points of the moons is at least 98 %. About 15 s on two CPU cores.
"""

import argparse
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import backpropagation as figures
from workshop.kit import cli, device
from workshop.kit.lazy import keras, torch
from workshop.kit.lazy import tensorflow as tf
from workshop.kit.plots import contours
from workshop.kit.report import Report, format_table

Layer = tuple[np.ndarray, np.ndarray]  # weights (inputs, outputs), biases (outputs,)

# The 2-2-2 network of Mazur (2015), "A Step by Step Backpropagation Example". A column is a neuron: w1 and w2 lead to
# h1, w3 and w4 to h2, w5 and w6 to o1, w7 and w8 to o2.
LAYERS: list[Layer] = [
    (np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])),
    (np.array([[0.40, 0.50], [0.45, 0.55]]), np.array([0.60, 0.60])),
]
INPUTS = np.array([[0.05, 0.10]])
TARGETS = np.array([[0.01, 0.99]])
NEURONS = (("i1", "i2"), ("h1", "h2"), ("o1", "o2"))
LEARNING_RATE = 0.5
STEPS = 10_000
QUICK_STEPS = 1_000
PUBLISHED = {
    "out h1": 0.593269992, "out h2": 0.596884378, "out o1": 0.75136507, "out o2": 0.772928465, "E": 0.298371109,
    "dE/dw5": 0.082167041, "new w1": 0.149780716, "new w2": 0.19956143, "new w3": 0.24975114, "new w4": 0.29950229,
    "new w5": 0.35891648, "new w6": 0.408666186, "new w7": 0.511301270, "new w8": 0.561370121,
}  # fmt: skip
METRIC_NAMES = {"NumPy": "numpy", "Keras": "keras", "PyTorch": "torch"}

MOONS = {"2-1, no hidden layer": (2, 1), "2-8-1": (2, 8, 1), "2-8-8-1": (2, 8, 8, 1)}
TRAIN_POINTS = 400
TEST_POINTS = 2_000
MOONS_LEARNING_RATE = 2.0
BATCH_SIZE = 10
EPOCHS = 200
QUICK_EPOCHS = 50
CHECK_STEPS = 10.0 ** -np.arange(1, 13)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z). Where it is s, its derivative is s (1 - s)."""
    return np.asarray(1 / (1 + np.exp(-z)))


def forward(layers: Sequence[Layer], X: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns the net inputs of each layer, and X followed by the outputs of each layer, (samples, neurons) each."""
    nets = []
    outputs = [X]
    for weights, biases in layers:
        nets.append(outputs[-1] @ weights + biases)
        outputs.append(sigmoid(nets[-1]))
    return nets, outputs


def predict(layers: Sequence[Layer], X: np.ndarray) -> np.ndarray:
    """Returns the outputs of the last layer, (samples, outputs)."""
    _, outputs = forward(layers, X)
    return outputs[-1]


def error(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray) -> float:
    """Returns E = sum over the outputs of 1/2 (t - o)^2, the mean of all samples."""
    return float(0.5 * np.sum((T - predict(layers, X)) ** 2) / len(X))


class Gradients(NamedTuple):
    """The factors of the chain rule at one layer.

    Attributes:
        dE_dout: the derivative of the error by the outputs, (samples, outputs).
        dout_dnet: the derivative of the outputs by the net inputs, (samples, outputs).
        delta: dE/dnet, the product of both.
        dE_dw: (inputs, outputs).
        dE_db: (outputs,).
    """

    dE_dout: np.ndarray  # noqa: N815 (dE/dout)
    dout_dnet: np.ndarray
    delta: np.ndarray
    dE_dw: np.ndarray  # noqa: N815
    dE_db: np.ndarray  # noqa: N815


def backward(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray) -> list[Gradients]:
    """Returns the gradients of each layer, by the chain rule from the last layer to the first.

    A neuron's delta is dE/dnet = dE/dout dout/dnet. The gradient of a weight is delta times the input of that weight;
    the dE/dout of a neuron in the layer before is the sum of delta times weight over all neurons that it leads to.
    Rumelhart, Hinton and Williams (1986).
    """
    _, outputs = forward(layers, X)
    dE_dout = (outputs[-1] - T) / len(X)
    gradients = []
    for i in reversed(range(len(layers))):
        weights, _ = layers[i]
        inputs, out = outputs[i], outputs[i + 1]
        dout_dnet = out * (1 - out)
        delta = dE_dout * dout_dnet
        gradients.append(Gradients(dE_dout, dout_dnet, delta, dE_dw=inputs.T @ delta, dE_db=delta.sum(axis=0)))
        dE_dout = delta @ weights.T
    return gradients[::-1]


def step(
    layers: Sequence[Layer], gradients: Sequence[Gradients], learning_rate: float, train_biases: bool = True
) -> list[Layer]:
    """Returns the layers after a step of gradient descent."""
    new_layers = []
    for (weights, biases), gradient in zip(layers, gradients, strict=True):
        new_weights = weights - learning_rate * gradient.dE_dw
        new_biases = biases - learning_rate * gradient.dE_db if train_biases else biases
        new_layers.append((new_weights, new_biases))
    return new_layers


class Run(NamedTuple):
    """The numbers of a training of the 2-2-2 network.

    Attributes:
        outputs: of each layer (1, outputs), before the first step.
        gradients: dE/dw of each layer (inputs, outputs), before the first step.
        first_weights, last_weights: of each layer, after one step and after all.
        errors: E before each step, and after the last: (steps + 1,).
    """

    outputs: list[np.ndarray]
    gradients: list[np.ndarray]
    first_weights: list[np.ndarray]
    last_weights: list[np.ndarray]
    errors: np.ndarray


def by_numpy(steps: int, train_biases: bool = False) -> Run:
    """Trains with the functions above. The published numbers come out with biases that stay as they are."""
    path = [LAYERS]
    for _ in range(steps):
        gradients = backward(path[-1], INPUTS, TARGETS)
        path.append(step(path[-1], gradients, LEARNING_RATE, train_biases))
    _, outputs = forward(LAYERS, INPUTS)
    return Run(
        outputs[1:],
        [gradient.dE_dw for gradient in backward(LAYERS, INPUTS, TARGETS)],
        [weights for weights, _ in path[1]],
        [weights for weights, _ in path[-1]],
        np.array([error(layers, INPUTS, TARGETS) for layers in path]),
    )


def by_keras(steps: int) -> Run:
    """Trains a Sequential model with a GradientTape, in float64; the biases stay as they are.

    A tape shows the gradients, which `model.fit` keeps to itself; `fit` also computes the loss in float32, which has
    seven of the published nine digits. All steps are one compiled loop: to call it takes longer than a step. They are
    two or more.
    """
    model = keras.Sequential([keras.layers.Input((2,), dtype="float64")])
    for weights, biases in LAYERS:
        model.add(keras.layers.Dense(len(biases), "sigmoid", dtype="float64"))
        model.layers[-1].set_weights([weights, biases])
    kernels = [layer.kernel for layer in model.layers]
    inputs = tf.constant(INPUTS)

    def error_and_gradients() -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            E = 0.5 * tf.reduce_sum((TARGETS - model(inputs)) ** 2)
        return E, tape.gradient(E, kernels)

    @tf.function
    def descend(steps: Any) -> Any:
        errors = tf.TensorArray(tf.float64, steps)
        for i in tf.range(steps):
            E, gradients = error_and_gradients()
            errors = errors.write(i, E)
            for kernel, gradient in zip(kernels, gradients):  # noqa: B905 (the compiler knows no `strict`)
                kernel.assign_sub(LEARNING_RATE * gradient)
        return errors.stack()

    def kernel_values() -> list[np.ndarray]:
        return [layer.get_weights()[0] for layer in model.layers]

    outputs = [inputs]
    for layer in model.layers:
        outputs.append(layer(outputs[-1]))
    _, gradients = error_and_gradients()
    first_errors = descend(tf.constant(1))
    first_weights = kernel_values()
    errors = descend(tf.constant(steps - 1))
    last_error, _ = error_and_gradients()
    return Run(
        [output.numpy() for output in outputs[1:]],
        [gradient.numpy() for gradient in gradients],
        first_weights,
        kernel_values(),
        np.concatenate([first_errors, errors, [last_error]]),
    )


def by_torch(steps: int) -> Run:
    """Trains tensors that require a gradient with autograd, in float64; the biases stay as they are."""
    weights = [torch.tensor(kernel, requires_grad=True) for kernel, _ in LAYERS]
    biases = [torch.tensor(bias) for _, bias in LAYERS]
    inputs = torch.tensor(INPUTS)
    targets = torch.tensor(TARGETS)
    errors = []
    states = {}

    def values(tensors: Sequence[Any]) -> list[np.ndarray]:
        return [tensor.detach().numpy().copy() for tensor in tensors]  # the weights change in place

    for i in range(steps + 1):
        outputs = [inputs]
        for weight, bias in zip(weights, biases, strict=True):
            outputs.append(torch.sigmoid(outputs[-1] @ weight + bias))
        E = 0.5 * torch.sum((targets - outputs[-1]) ** 2)
        gradients = torch.autograd.grad(E, weights)
        errors.append(E.item())
        if i in (0, 1, steps):
            states[i] = values(outputs[1:]), values(gradients), values(weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= LEARNING_RATE * gradient
    first_outputs, first_gradients, _ = states[0]
    return Run(first_outputs, first_gradients, states[1][2], states[steps][2], np.array(errors))


def train_in_engines(steps: int) -> dict[str, Run]:
    """Returns the run of each engine of this machine, by its name; says which are missing."""
    runs = {"NumPy": by_numpy(steps)}
    if keras.config.backend() == "tensorflow":
        runs["Keras"] = by_keras(steps)
    else:
        print(f"Keras runs on {keras.config.backend()}, GradientTape is TensorFlow's: its column is left out.")
    if importlib.util.find_spec("torch"):
        runs["PyTorch"] = by_torch(steps)
    else:
        print("PyTorch is not installed: its column is left out.")
    return runs


def published_values(run: Run) -> dict[str, float]:
    """Returns the values that were published, as an engine computed them."""
    new_weights = np.concatenate([weights.T.ravel() for weights in run.first_weights])
    values = [*np.ravel(run.outputs), run.errors[0], run.gradients[1][0, 0], *new_weights]
    return dict(zip(PUBLISHED, values, strict=True))


def comparison_table(runs: Mapping[str, Run], steps: int) -> str:
    """Returns a table of the published values and of E after some steps, a column for each engine."""
    values = [published_values(run) for run in runs.values()]
    rows = [[name, f"{PUBLISHED[name]:.9f}", *(f"{value[name]:.11f}" for value in values)] for name in PUBLISHED]
    for n in (1, 100, steps):
        rows.append([f"E after {n:,}", "", *(f"{run.errors[n]:.11f}" for run in runs.values())])
    return format_table(["", "published", *runs], rows)


def engine_errors(runs: Mapping[str, Run]) -> dict[str, float]:
    """Returns how far each engine is from the published values and, after all steps, from NumPy."""
    errors = {}
    reference = runs["NumPy"]
    for engine, run in runs.items():
        name = METRIC_NAMES[engine]
        values = published_values(run)
        errors[f"{name}_test_max_error"] = max(abs(values[key] - PUBLISHED[key]) for key in PUBLISHED)
        if run is not reference:
            pairs = zip([*run.last_weights, run.errors], [*reference.last_weights, reference.errors], strict=True)
            errors[f"{name}_trained_test_max_error"] = max(float(np.abs(a - b).max()) for a, b in pairs)
    return errors


def load_moons(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns X_train, T_train, X_test, T_test: points (n, 2) of two moons, and which moon they are of (n, 1)."""
    from sklearn.datasets import make_moons

    X, y = make_moons(TRAIN_POINTS + TEST_POINTS, noise=0.12, random_state=seed)
    T = y[:, None]
    return X[:TRAIN_POINTS], T[:TRAIN_POINTS], X[TRAIN_POINTS:], T[TRAIN_POINTS:]


def initialize(sizes: Sequence[int], random: np.random.Generator) -> list[Layer]:
    """Returns layers of these sizes, inputs first; the more inputs a neuron has, the smaller its first weights."""
    return [(random.normal(0, 2 / np.sqrt(n), (n, m)), np.zeros(m)) for n, m in pairwise(sizes)]


def numerical_gradient(E: Callable[[], float], parameter: np.ndarray, h: float) -> np.ndarray:
    """Returns the central differences (E(w + h) - E(w - h)) / 2h for each number w of a parameter.

    Args:
        E: computes the error with the parameter as it is.
        parameter: weights or biases, which are changed for each call of E and put back.
        h: the step.
    """
    gradient = np.zeros_like(parameter)
    for index, value in np.ndenumerate(parameter):
        parameter[index] = value + h
        above = E()
        parameter[index] = value - h
        below = E()
        parameter[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


def check_gradient(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray, h: float) -> float:
    """Returns the largest difference between backpropagation and central differences, over the largest derivative."""
    E = partial(error, layers, X, T)
    largest_difference = 0.0
    largest_derivative = 0.0
    for (weights, biases), gradient in zip(layers, backward(layers, X, T), strict=True):
        for parameter, derivatives in ((weights, gradient.dE_dw), (biases, gradient.dE_db)):
            difference = np.abs(numerical_gradient(E, parameter, h) - derivatives).max()
            largest_difference = max(largest_difference, float(difference))
            largest_derivative = max(largest_derivative, float(np.abs(derivatives).max()))
    return largest_difference / largest_derivative


def train(layers: list[Layer], X: np.ndarray, T: np.ndarray, epochs: int, random: np.random.Generator) -> list[Layer]:
    """Returns the layers after epochs in mini-batches, each epoch in an order of its own."""
    for _ in range(epochs):
        order = random.permutation(len(X))
        for start in range(0, len(X), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            layers = step(layers, backward(layers, X[batch], T[batch]), MOONS_LEARNING_RATE)
    return layers


def probability(layers: Sequence[Layer], X: np.ndarray) -> np.ndarray:
    """Returns the one output (samples,) of a network."""
    return predict(layers, X)[:, 0]


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    return cli.parse_lesson(cli.lesson_parser(docstring, data=None), argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Follows the small network by hand and in the engines, trains deeper ones, plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    steps = QUICK_STEPS if arguments.quick else STEPS
    epochs = QUICK_EPOCHS if arguments.quick else EPOCHS
    report = Report("backpropagation", arguments, engine="numpy")
    report.data("the 2-2-2 network of the published example; two moons, drawn from the seed")
    print(f"Engine    NumPy {np.__version__}; {device.prepare(arguments.seed)}")

    report.section("Forward pass: the net input of each neuron, and its sigmoid")
    nets, outputs = forward(LAYERS, INPUTS)
    E = error(LAYERS, INPUTS, TARGETS)
    print(figures.forward_table(LAYERS, nets, outputs, NEURONS))
    terms = [f"1/2 ({t:g} - {o:.6f})^2" for t, o in zip(TARGETS[0], outputs[-1][0], strict=True)]
    print(f"\nE = {' + '.join(terms)} = {E:.9f}")

    report.section("Backward pass: dE/dw = dE/dout * dout/dnet * dnet/dw, from the last layer to the first")
    gradients = backward(LAYERS, INPUTS, TARGETS)
    new_layers = step(LAYERS, gradients, LEARNING_RATE)
    print(figures.backward_table(LAYERS, outputs, TARGETS, gradients, new_layers, NEURONS, LEARNING_RATE))
    report.plot("backpropagation-network", figures.network, LAYERS, nets, outputs, TARGETS, gradients, E, NEURONS)

    report.section(f"The same in the engines, in double precision: before and after one step, and after {steps:,}")
    runs = train_in_engines(steps)
    with_biases = by_numpy(steps, train_biases=True)
    print(comparison_table(runs, steps))
    print(
        f"\nThe biases stay at 0.35 and 0.60 in all of these. If they are trained as well, E after {steps:,} steps "
        f"is {with_biases.errors[-1]:.11f};\nthe weights after one step are the same. "
        "The published E after 10,000 steps, 0.0000351, is that of fixed biases."
    )
    report.result(engine_errors(runs))
    # With two outputs half the sum of the squares is their mean.
    report.result({"train_mean_squared_error": runs["NumPy"].errors[-1]})

    random = np.random.default_rng(arguments.seed)
    X_train, T_train, X_test, T_test = load_moons(arguments.seed)

    report.section("Any depth: backpropagation against finite differences, a 2-8-8-1 network")
    layers = initialize(MOONS["2-8-8-1"], random)
    differences = np.array([check_gradient(layers, X_train[:20], T_train[:20], h) for h in CHECK_STEPS])
    rows = [[f"{h:.0e}", f"{difference:.1e}"] for h, difference in zip(CHECK_STEPS, differences, strict=True)]
    print(format_table(["step h", "relative difference"], rows))
    report.result({"gradient_check_test_max_error": differences.min()})
    errors = {engine: run.errors for engine, run in runs.items()} | {"biases trained too": with_biases.errors}
    report.plot("backpropagation-errors", figures.descent_and_check, errors, CHECK_STEPS, differences)

    report.section(f"Two moons: {TRAIN_POINTS} points, {epochs} epochs in mini-batches of {BATCH_SIZE}")
    results: list[list[object]] = []
    models = {}
    for name, sizes in MOONS.items():
        layers = train(initialize(sizes, random), X_train, T_train, epochs, random)
        accuracy = float(np.mean((predict(layers, X_test) > 0.5) == T_test))
        results.append([name, error(layers, X_train, T_train), f"{accuracy:.2%}"])
        models[f"{name}: {accuracy:.2%}"] = partial(probability, layers)
        report.result({f"moons_{len(sizes) - 2}_hidden_test_accuracy": accuracy})
    print(format_table(["network", "E", f"accuracy on {TEST_POINTS:,} held-out points"], results))
    title = "Two moons: the decision boundary by the number of hidden layers"
    report.plot("backpropagation-moons", contours.boundary_row, models, X_train, T_train[:, 0], title)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
