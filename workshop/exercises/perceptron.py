"""Exercises on the lesson `perceptron`: the threshold, AND by hand, a batch's change, and weights for a majority."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake

W, B = np.array([1.0, -4.0]), 3.0
X = np.array([[2.0, 1.0, 1.0], [-1.0, 3.0, 1.0], [0.5, -2.0, 1.0], [-3.0, -1.0, 1.0]])
Y = np.array([1.0, 1.0, -1.0, -1.0])
START = np.array([1.0, -1.0, 0.5])
CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))


def fires(numbers: np.ndarray) -> np.ndarray:
    """Returns for which of `CORNERS` a neuron of three weights and a bias (4,) fires."""
    return np.asarray(CORNERS @ numbers[:3] + numbers[3] > 0)


def grade_majority(answer: Any) -> str:
    """Returns "" for w1, w2, w3 and b of a neuron that fires where at least two of three inputs are 1."""
    try:
        numbers = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise AnswerError("Give a list of four numbers, w1, w2, w3 and b.", "type") from None
    if numbers.shape != (4,):
        raise AnswerError(f"Give four numbers, w1, w2, w3 and b; yours have the shape {numbers.shape}.", "shape")
    if not np.isfinite(numbers).all():
        raise AnswerError("One of the four is no number.", "nan")
    ones = CORNERS.sum(axis=1)
    expected = ones >= 2
    fired = fires(numbers)
    if np.array_equal(fired, expected):
        return ""
    if np.array_equal(fired, ones >= 1):
        return "one_is_enough"
    if np.array_equal(fires(np.roll(numbers, -1)), expected):
        return "bias_first"
    sums = CORNERS @ numbers[:3] + numbers[3]
    if np.array_equal(sums >= 0, expected):
        return "on_the_line"
    if np.array_equal(fired, ones == 3):
        return "all_three"
    corner, total = next((c, s) for c, s, is_wrong in zip(CORNERS, sums, fired != expected, strict=True) if is_wrong)
    where = ", ".join(f"{value:.0f}" for value in corner)
    raise AnswerError(f"For ({where}) the sum w.x + b is {total:g}: on which side of 0 should it be?")


EXERCISES = (
    Exercise(
        title="The threshold neuron",
        task="Return 1 where the neuron fires, and 0 where it does not. It fires where `w @ x + b` is above 0, and not "
        "at 0.",
        stub='''\
def fires(x, w, b):
    """Returns 1 or 0 for one point x (features,), weights w (features,) and the bias b."""
    ...
''',
        solution="""\
def fires(x, w, b):
    return 1 if w @ x + b > 0 else 0
""",
        explanation="w.x + b = 0 is a line: on it the neuron is silent, on one side it fires. The bias moves the line "
        "away from (0, 0), the weights turn it.",
        hints=(
            "First compute the sum: w @ x multiplies and adds.",
            "The bias is added to w @ x.",
            "Compare the sum with 0, and return a number, not True or False.",
        ),
        mistakes=(
            Mistake(
                "at_zero",
                "Your neuron fires on the line itself. This one fires above it only: the two differ for (1, 1).",
                "def fires(x, w, b):\n    return 1 if w @ x + b >= 0 else 0",
            ),
            Mistake(
                "no_bias",
                "The bias is missing: without it every line goes through (0, 0).",
                "def fires(x, w, b):\n    return 1 if w @ x > 0 else 0",
            ),
            Mistake(
                "bias_as_threshold",
                "You compared w.x with b. A threshold is the bias with the other sign.",
                "def fires(x, w, b):\n    return 1 if w @ x > b else 0",
            ),
            Mistake(
                "net_input",
                "That is the sum, which decides whether it fires, but not yet 1 or 0.",
                "def fires(x, w, b):\n    return w @ x + b",
            ),
            Mistake(
                "minus_one",
                "Your classes are -1 and 1. Here they are 0 and 1.",
                "def fires(x, w, b):\n    return 1 if w @ x + b > 0 else -1",
            ),
        ),
        inputs=(
            (np.array([1.0, 1.0]), W, B),
            (np.array([0.0, 0.0]), W, B),
            (np.array([-11.0, 0.0]), W, B),
            (np.array([-9.0, -3.0]), W, B),
            (np.array([7.0, 3.0]), W, B),
        ),
    ),
    Exercise(
        title="AND by hand",
        task="A neuron with the classes 0 and 1 learns AND. The samples (0, 0), (0, 1), (1, 0), (1, 1) come in this "
        "order; their classes are 0, 0, 0, 1. It begins with the weights 0.1 and 0.1 and the bias -0.05, and the "
        "learning rate is 0.02. Which are w1, w2 and b after the first sample that changes them? Give a list of three "
        "numbers; pencil and paper are enough.",
        stub="weights = ...",
        solution="weights = [0.1, 0.08, -0.07]",
        explanation="(0, 0) gives -0.05: silent, right, no change. (0, 1) gives 0.05: it fires and should not, so 0.02 "
        "times (0 - 1) times (0, 1) is added to the weights, and 0.02 times (0 - 1) to the bias. w1 stays: its input "
        "was 0 and had no part in the mistake.",
        hints=(
            "Compute w.x + b for one sample after the other. Which is the first with a wrong output?",
            "For (0, 1) the sum is 0.1 * 1 - 0.05. Does it fire, and should it?",
            "The change is 0.02 * (0 - 1) times each input, and times 1 for the bias.",
        ),
        mistakes=(
            Mistake(
                "bias_stayed",
                "The bias did not change. It is learned too, as the weight of an input that is always 1.",
                "weights = [0.1, 0.08, -0.05]",
            ),
            Mistake(
                "sign",
                "You moved the weights the wrong way: the neuron fired where it should not, and now it would fire even "
                "more.",
                "weights = [0.1, 0.12, -0.03]",
            ),
            Mistake(
                "all_weights",
                "You changed both weights alike. A weight whose input is 0 had no part in the mistake.",
                "weights = [0.08, 0.08, -0.07]",
            ),
            Mistake(
                "first_sample",
                "You changed the bias at (0, 0). Its sum is -0.05, so the neuron is silent there, and that is right.",
                "weights = [0.1, 0.1, -0.07]",
            ),
            Mistake(
                "whole_epoch",
                "Those are the numbers after all four samples. After the first change it is earlier.",
                "weights = [0.08, 0.08, -0.09]",
            ),
            Mistake(
                "no_rate",
                "The change was not multiplied by the learning rate.",
                "weights = [0.1, -0.9, -1.05]",
            ),
        ),
    ),
    Exercise(
        title="All samples at once",
        task="Online training changes the weights after each sample. Batch training looks at all samples first, with "
        "the same weights, and adds up their changes. Return that sum: of (class - output) times x over all samples, "
        "with the classes -1 and 1, and output 1 where `x @ w` is above 0, else -1. The last column of `X` is 1, so "
        "the last weight is the bias.",
        stub='''\
def batch_change(X, y, w):
    """Returns the change (weights,) of w (weights,) by samples X (samples, weights) of classes y (samples,)."""
    ...
''',
        solution="""\
def batch_change(X, y, w):
    output = np.where(X @ w > 0, 1, -1)
    return (y - output) @ X
""",
        explanation="X @ w gives the sums of all samples, and errors @ X multiplies each error by its sample and adds "
        "them all up. Right samples have the error 0 and drop out. The order of the samples no longer matters.",
        hints=(
            "X @ w gives one sum for each sample. np.where makes outputs of them.",
            "The errors are y - output, one for each sample: 0, 2 or -2.",
            "Multiply each row of X by its error and add the rows up: errors @ X.",
        ),
        mistakes=(
            Mistake(
                "mean",
                "You divided by the number of samples. That is a good idea as well, but here return the sum.",
                "def batch_change(X, y, w):\n    return (y - np.where(X @ w > 0, 1, -1)) @ X / len(X)",
            ),
            Mistake(
                "delta_rule",
                "You took the sum itself for the output, without the threshold: that is the delta rule of the Adaline, "
                "which changes the weights for right samples too.",
                "def batch_change(X, y, w):\n    return (y - X @ w) @ X",
            ),
            Mistake(
                "sign",
                "You subtracted the class from the output: that moves the weights away from where they should go.",
                "def batch_change(X, y, w):\n    return (np.where(X @ w > 0, 1, -1) - y) @ X",
            ),
            Mistake(
                "right_ones_too",
                "You added up all samples, the right ones as well. The perceptron learns from its mistakes only.",
                "def batch_change(X, y, w):\n    return y @ X",
            ),
            Mistake(
                "zero_and_one",
                "Your outputs are 0 and 1, the classes are -1 and 1: then right samples of class -1 have an error.",
                "def batch_change(X, y, w):\n    return (y - np.where(X @ w > 0, 1, 0)) @ X",
            ),
            Mistake(
                "signs_only",
                "A mistake counts twice here: from -1 to 1 the error is 2, not 1.",
                "def batch_change(X, y, w):\n    return (y - np.where(X @ w > 0, 1, -1)) @ X / 2",
            ),
        ),
        inputs=((X, Y, START), (X[:3], Y[:3], np.zeros(3)), (X, -Y, np.array([0.5, 0.25, -1.0]))),
    ),
    Exercise(
        title="The majority of three",
        task="Choose the weights of a neuron with three inputs, each 0 or 1, that fires where at least two of them "
        "are 1. It fires where w1 x1 + w2 x2 + w3 x3 + b is above 0. Give the list [w1, w2, w3, b].",
        stub="majority = ...",
        solution="majority = [1, 1, 1, -1.5]",
        explanation="With equal weights the sum counts the inputs that are 1, and the bias says how many are too few: "
        "anything between one and two weights. There are many right answers: a plane between the corners of a cube.",
        hints=(
            "No input is more important than another. What does that say of the weights?",
            "With three weights of 1, the sum of two inputs is 2, that of one is 1. Where must 0 lie?",
            "Add a negative bias that is larger than one weight and smaller than two.",
        ),
        mistakes=(
            Mistake(
                "one_is_enough",
                "Your neuron fires as soon as one input is 1: that is OR.",
                "majority = [1, 1, 1, -0.5]",
            ),
            Mistake(
                "all_three",
                "Your neuron fires only where all three are 1: that is AND.",
                "majority = [1, 1, 1, -2.5]",
            ),
            Mistake(
                "on_the_line",
                "With two inputs of 1 your sum is exactly 0, and at 0 this neuron is silent.",
                "majority = [1, 1, 1, -2]",
            ),
            Mistake(
                "bias_first",
                "You put the bias first. Here it comes last.",
                "majority = [-1.5, 1, 1, 1]",
            ),
        ),
        grade=grade_majority,
    ),
)
