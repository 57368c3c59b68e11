"""Exercises on the lesson `admission`: scaling, one applicant by hand, a network's weights, and two softmax outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model, with_activations
from workshop.kit.lazy import keras

SCORES = np.array([[38.0, 40.0], [95.0, 60.0], [50.0, 99.0], [70.0, 75.0]])
LOW, HIGH = np.array([30.0, 32.0]), np.array([98.0, 100.0])
WEIGHTS, BIAS = np.array([5.0, 4.0]), -4.5


def grade_two_outputs(model: Any) -> str:
    """Returns "" for a network of two inputs, eight relu units and two softmax outputs."""
    check_is_model(model)
    if tuple(model.input_shape[1:]) != (2,):
        raise AnswerError(f"The input has the shape {model.input_shape[1:]}, where two scores have (2,).", "shape")
    dense = with_activations(model, keras.layers.Dense)
    if not dense or tuple(model.output_shape[1:]) != (dense[-1][0].units,):
        raise AnswerError("The outputs come from a dense layer; yours do not.")
    *hidden, (last, activation) = dense
    if last.units == 1:
        return "softmax_on_one" if activation == "softmax" else "one_output"
    if last.units != 2:
        raise AnswerError(f"The last layer has {last.units} units, where there are two classes.", "shape")
    if activation == "sigmoid":
        return "two_sigmoids"
    if activation != "softmax":
        return "no_softmax"
    if not hidden:
        raise AnswerError("The hidden layer is missing.")
    if [layer.units for layer, _ in hidden] != [8]:
        units = " and ".join(str(layer.units) for layer, _ in hidden)
        raise AnswerError(f"Your hidden layers have {units} units; expected one hidden layer of 8.")
    if hidden[0][1] == "linear":
        return "hidden_not_relu"
    if hidden[0][1] != "relu":
        raise AnswerError("The hidden layer has the wrong activation.")
    return ""


EXERCISES = (
    Exercise(
        title="Scale by hand",
        task="Write what `MinMaxScaler` does. `X` has a row for each applicant and a column for each exam. Return an "
        "array of the same shape in which the lowest score of each column has become 0 and its highest 1.",
        stub='''\
def min_max(X):
    """Returns X (applicants, exams), each column scaled to 0 to 1."""
    ...
''',
        solution="""\
def min_max(X):
    low, high = X.min(axis=0), X.max(axis=0)
    return (X - low) / (high - low)
""",
        explanation="The lowest is subtracted, so that it becomes 0; then all is divided by the width of the column, "
        "so that the highest becomes 1. Each column has its own two numbers, and they are what the scaler's file "
        "keeps.",
        hints=(
            "Which number of a column must be subtracted so that its lowest becomes 0? How large is the highest then?",
            "X.min(axis=0) gives the lowest of each column, one number a column.",
            "Subtract X.min(axis=0), and divide by the distance from the lowest to the highest of each column.",
        ),
        mistakes=(
            Mistake(
                "whole_table",
                "You took the lowest and the highest of the whole table. One exam's scores then decide how the other's "
                "are scaled: each column needs its own two.",
                "def min_max(X):\n    return (X - X.min()) / (X.max() - X.min())",
            ),
            Mistake(
                "rows",
                "You scaled each applicant's scores among themselves. Then a weak applicant and a strong one look "
                "alike: look along the other axis.",
                "def min_max(X):\n"
                "    low, high = X.min(axis=1, keepdims=True), X.max(axis=1, keepdims=True)\n"
                "    return (X - low) / (high - low)",
            ),
            Mistake(
                "divided_by_highest",
                "The highest is 1, but the lowest is not 0: something must be subtracted first.",
                "def min_max(X):\n    return X / X.max(axis=0)",
            ),
            Mistake(
                "highest_not_moved",
                "The lowest is 0, but the highest is not 1: once the lowest is subtracted, the highest is a smaller "
                "number than before.",
                "def min_max(X):\n    return (X - X.min(axis=0)) / X.max(axis=0)",
            ),
            Mistake(
                "standardised",
                "That is standardising: mean 0, standard deviation 1. It scales too, but not to the range from 0 to 1.",
                "def min_max(X):\n    return (X - X.mean(axis=0)) / X.std(axis=0)",
            ),
        ),
        inputs=((SCORES,), (SCORES[1:],), (np.array([[1.0, 20.0, 5.0], [3.0, 10.0, 9.0]]),)),
    ),
    Exercise(
        title="Count the weights of 2-8-4-1",
        task="A network takes two scores, has hidden layers of 8 and of 4 units, and one output. How many weights does "
        "it have, the biases counted too? Give a whole number, or let Python compute it.",
        stub="weights = ...",
        solution="weights = 2 * 8 + 8 + 8 * 4 + 4 + 4 * 1 + 1",
        explanation="24 in the first layer, 36 in the second, 5 in the output: 65, as `model.summary()` says. One "
        "neuron has 3, and 3 weights can only draw a line.",
        hints=(
            "How many numbers does one unit of the first hidden layer multiply, and what does it add?",
            "A layer with n inputs and m units has n * m weights and m biases.",
            "There are three such layers: from 2 to 8, from 8 to 4, and from 4 to 1.",
        ),
        mistakes=(
            Mistake(
                "no_biases",
                "The biases are missing: each unit adds one number of its own.",
                "weights = 2 * 8 + 8 * 4 + 4 * 1",
            ),
            Mistake(
                "one_bias_a_layer",
                "A layer has not one bias but as many as it has units.",
                "weights = 2 * 8 + 1 + 8 * 4 + 1 + 4 * 1 + 1",
            ),
            Mistake(
                "no_output",
                "The output is a unit too: it multiplies what the second hidden layer gives it.",
                "weights = 2 * 8 + 8 + 8 * 4 + 4",
            ),
            Mistake(
                "inputs_seen_by_all",
                "You let the second hidden layer look at the two scores. It sees only the units before it.",
                "weights = 2 * 8 + 8 + 2 * 4 + 4 + 4 * 1 + 1",
            ),
            Mistake(
                "units_counted",
                "That is the number of units. Which numbers does training change?",
                "weights = 8 + 4 + 1",
            ),
        ),
    ),
    Exercise(
        title="One applicant by hand",
        task="Write what happens to one applicant on the way from two scores to a probability. `scores` are as they "
        "stand in the certificate, such as 38 and 75; `low` and `high` are the lowest and the highest of each exam in "
        "the training data; `w` are the two weights of a neuron that was trained on scaled scores, and `b` its bias. "
        "Return its output after the sigmoid, 1 / (1 + e^-z).",
        stub='''\
def probability(scores, low, high, w, b):
    """Returns the probability of Admitted for scores (2,); low, high and w are (2,), b is a number."""
    ...
''',
        solution="""\
def probability(scores, low, high, w, b):
    x = (scores - low) / (high - low)
    return 1 / (1 + np.exp(-(w @ x + b)))
""",
        explanation="New data go the way of the training data: the same scaler, with the same two numbers a column, "
        "then the model. This is why a model and its scaler are saved together.",
        hints=(
            "The weights were learned for numbers from 0 to 1. Which numbers are scores?",
            "Scale first, with low and high as they are given: the range of the training data, not of this applicant.",
            "z = w @ x + b for the scaled scores x; then the sigmoid, with np.exp.",
        ),
        mistakes=(
            Mistake(
                "not_scaled",
                "You gave the neuron the scores as they are. It was trained on scaled ones: for it, 38 is an applicant "
                "38 times as good as the best, and everybody is admitted.",
                "def probability(scores, low, high, w, b):\n    return 1 / (1 + np.exp(-(w @ scores + b)))",
            ),
            Mistake(
                "scaled_by_itself",
                "You scaled the applicant by the applicant's own lowest and highest score. The neuron knows only the "
                "scale of the training data.",
                "def probability(scores, low, high, w, b):\n"
                "    x = (scores - scores.min()) / (scores.max() - scores.min())\n"
                "    return 1 / (1 + np.exp(-(w @ x + b)))",
            ),
            Mistake(
                "no_sigmoid",
                "That is the weighted sum, which may be any number: what makes it a probability is missing.",
                "def probability(scores, low, high, w, b):\n    return w @ ((scores - low) / (high - low)) + b",
            ),
            Mistake(
                "no_bias",
                "The bias is missing.",
                "def probability(scores, low, high, w, b):\n"
                "    return 1 / (1 + np.exp(-(w @ ((scores - low) / (high - low)))))",
            ),
            Mistake(
                "sign_of_e",
                "Your probability falls where the weighted sum rises: look at the sign in the exponent.",
                "def probability(scores, low, high, w, b):\n"
                "    return 1 / (1 + np.exp(w @ ((scores - low) / (high - low)) + b))",
            ),
            Mistake(
                "not_moved",
                "You divided by the width of the range without subtracting its lower end: the lowest score must "
                "become 0.",
                "def probability(scores, low, high, w, b):\n"
                "    return 1 / (1 + np.exp(-(w @ (scores / (high - low)) + b)))",
            ),
        ),
        inputs=(
            (np.array([38.0, 75.0]), LOW, HIGH, WEIGHTS, BIAS),
            (np.array([90.0, 60.0]), LOW, HIGH, WEIGHTS, BIAS),
            (np.array([64.0, 66.0]), LOW, HIGH, np.array([2.0, -3.0]), 1.0),
        ),
    ),
    Exercise(
        title="Two softmax outputs",
        task="The same decision can be made by two outputs, one for each class, as networks with more classes have it. "
        "Build it: two scores, one hidden layer of 8 relu units, and two outputs, Sorry and Admitted, whose "
        "probabilities add up to 1.",
        stub="two_outputs = ...",
        solution="""\
two_outputs = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ]
)
""",
        explanation="Softmax makes the outputs of a layer add up to 1, so it needs at least two of them. With one "
        'output take a sigmoid and "binary_crossentropy"; with two softmax outputs '
        '"sparse_categorical_crossentropy". Both say the same about two classes.',
        hints=(
            "keras.Sequential takes a list of layers; the first is keras.Input with the shape of one applicant.",
            "Which activation makes the outputs of a layer add up to 1?",
            'keras.Input((2,)), a Dense layer of 8 with "relu", and a Dense layer with as many units as classes.',
        ),
        mistakes=(
            Mistake(
                "softmax_on_one",
                "Softmax divides each output by the sum of all. With a single output that is always 1: everybody is "
                "admitted, whatever the scores, and training changes nothing.",
                "two_outputs = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, activation='relu'),"
                " keras.layers.Dense(1, activation='softmax')])",
            ),
            Mistake(
                "one_output",
                "That is the network with one output. Here each class has its own.",
                "two_outputs = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, activation='relu'),"
                " keras.layers.Dense(1, activation='sigmoid')])",
            ),
            Mistake(
                "two_sigmoids",
                "Two sigmoids are two probabilities that know nothing of each other: both may be 0.9.",
                "two_outputs = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, activation='relu'),"
                " keras.layers.Dense(2, activation='sigmoid')])",
            ),
            Mistake(
                "no_softmax",
                "Your two outputs may be any numbers: nothing makes probabilities of them.",
                "two_outputs = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, activation='relu'),"
                " keras.layers.Dense(2)])",
            ),
            Mistake(
                "hidden_not_relu",
                "The hidden layer has no relu. Without an activation, two layers one after the other draw a straight "
                "line, as one does.",
                "two_outputs = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8),"
                " keras.layers.Dense(2, activation='softmax')])",
            ),
        ),
        grade=grade_two_outputs,
        imports="import keras",
    ),
)
