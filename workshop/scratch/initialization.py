"""Initialization, in NumPy: the mirror of `workshop/initialization.py`.

The same images, networks, options, metrics and plots. The weights are drawn by the formulas, and the gradients are what
each layer's backward pass leaves behind.

    python -m workshop.scratch.initialization

Expected on MNIST, as with Keras: 90 to 93 % from LeCun's, Xavier's and He's starts, 10 to 12 % from weights that are
zero or too small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workshop import initialization as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Activation, Dense, Layer, Shape
from workshop.scratch.nn.losses import SparseCategoricalCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.regularization import BatchNormalization
from workshop.scratch.nn.state import TrainingState

# The standard deviation of the weights by fan_in and fan_out, the inputs and the outputs of a layer.
DEVIATIONS: dict[str, Callable[[int, int], float]] = {
    "zeros": lambda fan_in, fan_out: 0.0,
    "constant": lambda fan_in, fan_out: 0.0,
    "too small": lambda fan_in, fan_out: lesson.SMALL,
    "too large": lambda fan_in, fan_out: lesson.LARGE,
    "LeCun": lambda fan_in, fan_out: (1 / fan_in) ** 0.5,
    "Xavier": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "He": lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
}


class StartedDense(Dense):
    """A Dense layer whose weights start as a case says, and its biases at a number."""

    def __init__(self, units: int, start: str, activation: str = "linear", bias: float = 0.0) -> None:
        super().__init__(units, activation)
        self._start, self._bias = start, bias

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W with a mean of 0, or of the constant."""
        output_shape = super().build(input_shape, random, dtype)
        mean = lesson.CONSTANT if self._start == "constant" else 0.0
        kernel = random.normal(
            mean, DEVIATIONS[self._start](input_shape[-1], self.units), (input_shape[-1], self.units)
        )
        self.parameters["kernel"] = kernel.astype(dtype)
        self.parameters["bias"] += dtype.type(self._bias)
        return output_shape


def build(case: lesson.Case, seed: int) -> Network:
    """Returns a network: 784 -> hidden layers -> 10 probabilities."""
    layers: list[Layer] = []
    for _ in range(case.layers):
        layers.append(StartedDense(case.units, case.start, bias=case.bias))
        if case.normalises:
            layers.append(BatchNormalization())
        layers.append(Activation(case.activation))
    # The loss is computed from the weighted sums before softmax: large weights would round probabilities to 0.
    return Network([*layers, StartedDense(10, case.start, "softmax")], (784,), seed)


def kernels(network: Network) -> list[np.ndarray]:
    """Returns the weights of each dense layer (inputs, units), copied, without the biases."""
    return [layer.parameters["kernel"].copy() for layer in network.layers if isinstance(layer, Dense)]


def forward(network: Network, X: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the outputs of each hidden layer (images, units), and the probabilities, normalised by these images."""
    outputs, hidden = X, []
    for layer in network.layers:
        outputs = layer.forward(outputs, training=True)
        if isinstance(layer, Activation):
            hidden.append(outputs)
    return hidden, outputs


def activations(network: Network, X: np.ndarray) -> list[np.ndarray]:
    """Returns the outputs of each hidden layer (images, units)."""
    hidden, _ = forward(network, X)
    return hidden


def measure(case: lesson.Case, X: np.ndarray, y: np.ndarray, seed: int) -> lesson.Passes:
    """Returns what a forward and a backward pass find in a network that was not trained."""
    network = build(case, seed)
    hidden, probabilities = forward(network, X)
    network.backward(probabilities, y, SparseCategoricalCrossentropy())
    gradients = [layer.gradients["kernel"] for layer in network.layers if isinstance(layer, Dense)]
    return lesson.Passes(kernels(network), hidden, gradients)


def train(network: Network, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState) -> None:
    """The training loop, written out; `state` remembers it and goes on where it was stopped."""
    criterion = SparseCategoricalCrossentropy()
    optimizer = make_optimizer(state.recipe.optimizer, state.recipe.learning_rate)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            inputs, targets = X[rows], y[rows]
            probabilities = network.forward(inputs, training=True)
            loss = network.compute_loss(probabilities, targets, criterion)
            network.backward(probabilities, targets, criterion)
            optimizer.apply(network.gradients, network.parameters)
            accuracy = np.mean(probabilities.argmax(axis=1) == targets)
            state.log(len(rows), loss=loss, accuracy=accuracy)


def fit(name: str, network: Network, digits: lesson.Digits, recipe: Recipe, report: Report) -> lesson.Trained:
    """Trains a network; `name` is that of its checkpoint."""
    state = TrainingState(report.checkpoint(f"initialization-{name}"), recipe, may_diverge=True, verbose=0)
    train(network, *digits.train, report.arguments.seed, state)
    X, y = digits.test
    test_accuracy = float(np.mean(network.predict(X).argmax(axis=1) == y))
    return lesson.Trained(state.history["loss"], state.history["accuracy"], test_accuracy)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Measures and trains the networks, plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("initialization", arguments, engine="numpy")
    digits = lesson.load(report)
    report.engine(device.prepare())
    seed, quick = arguments.seed, arguments.quick
    X, y = (part[: lesson.MEASURED_IMAGES] for part in digits.train)

    report.section("Five tanh layers before training: activations a and gradients")
    passes = {start: measure(case, X, y, seed) for start, case in lesson.STARTS.items()}
    lesson.report_starts(report, passes)

    report.section("The same with batch normalisation before each tanh")
    normalised = {start: measure(case, X, y, seed) for start, case in lesson.NORMALISED.items()}
    lesson.report_normalised(report, passes, normalised)

    report.section(f"Networks of 1 to {lesson.DEEP} layers before training")
    by_depth = {
        name: {depth: measure(case._replace(layers=depth), X, y, seed) for depth in lesson.DEPTHS}
        for name, case in lesson.BY_DEPTH.items()
    }
    lesson.report_depth(report, by_depth)

    report.section("Effect of the initial weights on training")
    trained, weights = {}, {}
    for name, case in lesson.networks(quick).items():
        started = time.perf_counter()
        network = build(case, seed)
        trained[name] = fit(name, network, digits, lesson.make_recipe(case, len(digits.train[1]), quick), report)
        if name in lesson.EQUAL:
            weights[name] = kernels(network)
        lesson.say(name, trained[name], time.perf_counter() - started)
    lesson.report_training(report, trained)

    report.section("Equal weights stay equal")
    lesson.report_equal(report, weights)

    report.section("Dead units: 0 for every training image, one hidden layer of relu")
    trained, dead = {}, {}
    for name, case in lesson.dying_networks(quick).items():
        started = time.perf_counter()
        shifted = digits.shifted(case.shift)
        network = build(case, seed)
        before = lesson.is_dead(activations(network, shifted.train[0])[0])
        recipe = lesson.make_recipe(case, len(digits.train[1]), quick, epochs=1)
        trained[name] = fit(name, network, shifted, recipe, report)
        dead[name] = before, lesson.is_dead(activations(network, shifted.train[0])[0])
        lesson.say(name, trained[name], time.perf_counter() - started)
    lesson.report_dead(report, dead, trained)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
