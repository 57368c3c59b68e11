"""Exercises on the lesson `tables`: a network for a number, back to the unit, one-hot columns, how many columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model, with_activations
from workshop.kit.lazy import keras


def grade_network(model: Any) -> str:
    """Returns "" for a network 8 -> 64 relu -> 64 relu -> one number."""
    check_is_model(model)
    if tuple(model.input_shape[1:]) != (8,):
        raise AnswerError(f"The input has the shape {model.input_shape[1:]}, where a mix has (8,).", "shape")
    pairs = with_activations(model, keras.layers.Dense)
    if len(pairs) < 2:
        return "no_hidden_layer"
    if tuple(model.output_shape[1:]) != (1,):
        raise AnswerError(f"The output has the shape {model.output_shape[1:]}, where one number needs (1,).", "shape")
    units, activations = [layer.units for layer, _ in pairs[:-1]], [activation for _, activation in pairs]
    if activations[-1] in ("softmax", "sigmoid"):
        return activations[-1]
    if activations[-1] != "linear":
        return "activation_at_the_end"
    if "linear" in activations[:-1]:
        return "linear_layers"
    if units != [64, 64]:
        raise AnswerError(f"The hidden layers have {units} units, not 64 and 64.")
    if activations[:-1] != ["relu", "relu"]:
        raise AnswerError("The hidden layers have the wrong activation.")
    return ""


def network(*layers: str) -> str:
    """Returns the code of a network of 8 inputs with these layers."""
    dense = ", ".join(f"keras.layers.Dense({layer})" for layer in layers)
    return f"network = keras.Sequential([keras.Input((8,)), {dense}])"


RELU = "64, activation='relu'"

EXERCISES = (
    Exercise(
        title="A network for a number",
        task="Build a network for concrete: 8 inputs, two hidden layers of 64 units with relu, and one output, the "
        "strength in MPa, which may be any number.",
        stub="network = ...",
        solution="""\
network = keras.Sequential(
    [
        keras.Input((8,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(1),
    ]
)
""",
        explanation="The last layer of a regression has as many units as there are numbers to predict, and no "
        "activation: any number can come out. Between the layers the activation is what makes it more than a linear "
        "model.",
        hints=(
            "keras.Sequential takes a list of layers; the first is keras.Input with the shape of one row.",
            "Dense(64, activation=...) twice. How many units has the last layer, and which numbers may come out of it?",
            "The last layer is Dense(1), without an activation.",
        ),
        mistakes=(
            Mistake(
                "linear_layers",
                "A hidden layer has no activation. Layers without one, put together, are a linear model again, "
                "whatever their number.",
                network("64", "64", "1"),
            ),
            Mistake(
                "no_hidden_layer",
                "There is no hidden layer: that is the linear model.",
                network("1"),
            ),
            Mistake(
                "softmax",
                "Softmax of a single number is always 1: it divides the number by itself. It is for classes.",
                network(RELU, RELU, "1, activation='softmax'"),
            ),
            Mistake(
                "sigmoid",
                "A sigmoid lets only numbers from 0 to 1 out. Strengths go up to 80 MPa.",
                network(RELU, RELU, "1, activation='sigmoid'"),
            ),
            Mistake(
                "activation_at_the_end",
                "The output has an activation, which cuts numbers off: here any number is possible, and with scaled "
                "targets half of them are negative.",
                network(RELU, RELU, "1, activation='relu'"),
            ),
        ),
        grade=grade_network,
        imports="import keras",
    ),
    Exercise(
        title="Back to the unit",
        task="The strengths were scaled for the training, `(y - mean) / spread`, so the network predicts scaled "
        "numbers. Return them in MPa.",
        stub='''\
def in_mpa(predicted, mean, spread):
    """Returns the predictions (rows,) in the unit of the table, from scaled ones (rows,) and two numbers."""
    ...
''',
        solution="""\
def in_mpa(predicted, mean, spread):
    return predicted * spread + mean
""",
        explanation="What was done last is undone first: the division, then the subtraction. Errors are undone by the "
        "spread alone: an RMSE of 0.3 is 0.3 * spread MPa.",
        hints=(
            "Two things were done to y, one after the other. Undo them.",
            "The last one first: what undoes a division?",
            "Times spread, then plus mean.",
        ),
        mistakes=(
            Mistake(
                "order",
                "You undid them in the wrong order: the mean was taken off first, so it comes back last.",
                "def in_mpa(predicted, mean, spread):\n    return (predicted + mean) * spread",
            ),
            Mistake(
                "scaled_again",
                "You scaled once more. Undo the scaling instead.",
                "def in_mpa(predicted, mean, spread):\n    return (predicted - mean) / spread",
            ),
            Mistake(
                "mean_forgotten",
                "The mean is missing: your strengths lie around 0.",
                "def in_mpa(predicted, mean, spread):\n    return predicted * spread",
            ),
            Mistake(
                "minus",
                "The mean was taken off, so it is to be added.",
                "def in_mpa(predicted, mean, spread):\n    return predicted * spread - mean",
            ),
        ),
        inputs=((np.array([0.0, 1.0, -0.5]), 36.0, 16.0), (np.array([2.0, 0.25]), 10.0, 3.0)),
    ),
    Exercise(
        title="One-hot by hand",
        task="`words` has a word for each row, `values` the words that there are, in order. Return a column of 0 and 1 "
        "for each value: 1 where the row has this word. A word that is not among the values is 0 everywhere.",
        stub='''\
def one_hot(words, values):
    """Returns an array of 0 and 1, (rows, values), from two lists of words."""
    ...
''',
        solution="""\
def one_hot(words, values):
    return np.array([[int(word == value) for value in values] for word in words])
""",
        explanation="Each word becomes a direction of its own, as far from every other one as from the next. With "
        "NumPy alone: `(np.array(words)[:, None] == np.array(values)).astype(int)`. scikit-learn's OneHotEncoder does "
        "it for many columns, and remembers the values.",
        hints=(
            "For one word: go through the values. Where are they the same?",
            "[int(word == value) for value in values] is one row.",
            "A list of such rows, one for each word, and np.array around it.",
        ),
        mistakes=(
            Mistake(
                "numbers",
                "You numbered the words. Then the network reads that the third word is three times the first, and that "
                "the second lies between them.",
                "def one_hot(words, values):\n"
                "    return np.array([values.index(word) if word in values else -1 for word in words])",
            ),
            Mistake(
                "transposed",
                "Rows and columns are exchanged: a row of the table is a row here too.",
                "def one_hot(words, values):\n"
                "    return np.array([[int(word == value) for word in words] for value in values])",
            ),
            Mistake(
                "reversed",
                "You have 0 where the word is and 1 elsewhere.",
                "def one_hot(words, values):\n"
                "    return np.array([[int(word != value) for value in values] for word in words])",
            ),
            Mistake(
                "own_values",
                "You took the values from the words at hand. Rows that come later may lack one of them, and would get "
                "other columns.",
                "def one_hot(words, values):\n    values = sorted(set(words))\n"
                "    return np.array([[int(word == value) for value in values] for word in words])",
            ),
        ),
        inputs=(
            (["low", "high", "med", "low", "huge"], ["low", "med", "high"]),
            (["b", "b", "a"], ["a", "b", "c", "d"]),
        ),
    ),
    Exercise(
        title="Columns of a car",
        task="A car has six properties in words: buying price, upkeep and doors have 4 different words each, persons, "
        "boot and safety 3 each. How many inputs does the network get after one-hot encoding?",
        stub="columns = ...",
        solution="columns = 3 * 4 + 3 * 3",
        explanation="A column for each word of each property. In every row exactly six of them are 1.",
        hints=(
            "How many columns does the property `doors` become?",
            "4 columns for each of the first three, 3 for each of the others.",
            "Add them up.",
        ),
        mistakes=(
            Mistake("properties", "That many properties there are. Each becomes several columns.", "columns = 6"),
            Mistake(
                "combinations",
                "That many different cars there can be. The network gets a column for each word, not for each car.",
                "columns = 4**3 * 3**3",
            ),
            Mistake("words", "You counted the words of two properties only.", "columns = 4 + 3"),
            Mistake(
                "one_dropped",
                "You left one word of each property out. Linear models sometimes want that; a network does not need "
                "it.",
                "columns = 3 * 3 + 3 * 2",
            ),
        ),
    ),
)
