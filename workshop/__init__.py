"""A workshop in a box: neural networks taught with Keras, PyTorch and NumPy.

`LESSONS` is the one place that names the lessons: the list that `python -m workshop` prints, and the tests that run
over every lesson, are made from it. Nothing heavy is imported here.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

__version__ = "0.1.0"


class Lesson(NamedTuple):
    """One lesson: the module `workshop.<name>`.

    Attributes:
        name: the module's name.
        title: what one builds, in a line.
        seconds: about how long the default run takes on two CPU cores, on the real data.
        mirrors: the engines that have a mirror of it: `workshop.pytorch.<name>`, `workshop.scratch.<name>`.
        trains: whether it trains and saves models; one that does not has no options for that.
        expected: the band of each metric that a default run on the lesson's own data reaches, (lowest, highest).
        expected_of: where an engine's band is another, by the engine's name: {"numpy": {...}}.
    """

    name: str
    title: str
    seconds: int
    mirrors: tuple[str, ...] = ("torch", "numpy")
    trains: bool = True
    expected: Mapping[str, tuple[float, float]] = {}
    expected_of: Mapping[str, Mapping[str, tuple[float, float]]] = {}

    def bands(self, engine: str = "keras") -> dict[str, tuple[float, float]]:
        """Returns the expected bands of a run by this engine."""
        return {**self.expected, **self.expected_of.get(engine, {})}


def at_least(lowest: float) -> tuple[float, float]:
    """Returns the band from `lowest` up."""
    return lowest, math.inf


def at_most(highest: float) -> tuple[float, float]:
    """Returns the band up to `highest`."""
    return -math.inf, highest


LESSONS = (
    Lesson("tensors", "Arrays in NumPy, TensorFlow and PyTorch, side by side", 10, (), trains=False),
    Lesson("linear_regression", "One neuron draws a line: house prices, and why features are scaled", 20),
    Lesson(
        "gradient_descent",
        "Downhill on a bowl: six rates, momentum, and the rate that is too much",
        6,
        (),
        trains=False,
    ),
    Lesson("tables", "Any table with a number or a class to predict: concrete and cars", 20),
    Lesson("logistic_regression", "One neuron decides: tumours, the sigmoid and cross-entropy", 12),
    Lesson("perceptron", "The first neuron that learned: a line that moves with each mistake", 7, (), trains=False),
    Lesson("metrics", "How good is it: rates, ROC, folds, overfitting, bias and variance", 8, (), trains=False),
    Lesson("admission", "Two exam scores, admitted or not: a straight boundary against a curved one", 20),
    Lesson("xor", "The problem one neuron cannot solve, and the hidden layer that can", 15),
    Lesson("activations", "What a neuron answers, and the slope that learning needs", 14, (), trains=False),
    Lesson("backpropagation", "The 2-2-2 network by hand, number by number, then any depth", 15, (), trains=False),
    Lesson(
        "autodiff", "How programs find slopes: dual numbers, a tape, and both inside each other", 10, (), trains=False
    ),
    Lesson("mnist", "Handwritten digits: a dense network against a convolutional one", 40),
    Lesson("fashion_mnist", "Garments, the harder digits: the same two networks", 60),
    Lesson("convolution", "Filters by hand: blur, sharpen, find edges, pad, stride, pool", 13, (), trains=False),
    Lesson(
        "cats_vs_dogs",
        "Photographs from folders: ten million weights against a network for few pictures",
        55,
        ("torch",),
    ),
    Lesson(
        "transfer_learning", "A network that knows other pictures learns yours, of which there are few", 55, ("torch",)
    ),
    Lesson("rnn", "An image read row by row: SimpleRNN, LSTM and GRU, and the gradient that fades", 45, ("torch",)),
    Lesson("forecasting", "Sunspots a year ahead: LSTM against a line and against no idea at all", 15, ("torch",)),
    Lesson("text_generation", "A network reads a book, character by character, and writes on", 45, ("torch",)),
    Lesson("autoencoder", "Pictures through a narrow gate: PCA found again, noise taken off", 50),
)
