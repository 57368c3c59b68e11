"""Exercises on the lesson `rnn`: an image read from the left, the weights of an LSTM, a network that reads rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model, with_activations
from workshop.kit.lazy import keras


def grade_reader(model: Any) -> str:
    """Returns "" for 28 rows of 28 -> a GRU's 28 states of 32 -> 896 -> 10."""
    check_is_model(model)
    if tuple(model.input_shape[1:]) != (28, 28):
        raise AnswerError(
            "The model does not take 28 rows of 28 pixels: begin with keras.Input((28, 28)), the steps first.", "shape"
        )
    recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.GRU)]
    if len(recurrent) != 1:
        raise AnswerError(f"Use one layer keras.layers.GRU; yours has {len(recurrent)}.")
    if recurrent[0].units != 32:
        raise AnswerError(f"The GRU's state has {recurrent[0].units} numbers, not 32.", "shape")
    if not recurrent[0].return_sequences:
        return "last_state"
    if tuple(model.output_shape[1:]) == (28, 10):
        return "no_flatten"
    if tuple(model.output_shape[1:]) != (10,):
        raise AnswerError(f"The output has the shape {model.output_shape[1:]}, where ten classes need (10,).", "shape")
    if any(isinstance(layer, keras.layers.GlobalAveragePooling1D) for layer in model.layers):
        return "averaged"
    dense = with_activations(model, keras.layers.Dense)
    if not dense or dense[-1][1] != "softmax":
        raise AnswerError("The ten outputs are no probabilities yet: which activation makes them add up to 1?")
    if model.count_params() != 14_922:
        raise AnswerError(f"The shapes fit, but it has {model.count_params():,} weights: is there a layer too many?")
    return ""


EXERCISES = (
    Exercise(
        title="Read from the left",
        task="`X` are images, `(images, rows, columns)`: digits of 28 rows of 28 pixels, or images of any other size. "
        "A recurrent network reads them row by row, from the top. Return them so that it reads the same images column "
        "by column, from the left: the steps are the columns, and what a step has are the pixels of a column, from the "
        "top.",
        stub='''\
def by_columns(X):
    """Returns the images (images, columns, rows): each step is a column."""
    ...
''',
        solution="""\
def by_columns(X):
    return X.transpose(0, 2, 1)
""",
        explanation="The axis that comes second is the time: the network reads along it. transpose exchanges rows and "
        "columns within each image and leaves the first axis, the images, where it is. reshape would only cut the "
        "same numbers, in the same order, into other pieces.",
        hints=(
            "The second axis is the one that is read along. Which of the three axes must come second?",
            "The images stay first: the axes are wanted in the order 0, 2, 1.",
            "X.transpose takes the axes in their new order.",
        ),
        mistakes=(
            Mistake(
                "reversed_axes",
                "X.T reverses all axes: the images are last now, and one pixel of all of them is read at a time.",
                "def by_columns(X):\n    return X.T",
            ),
            Mistake(
                "reshaped",
                "reshape keeps the numbers in their order: a square image stays as it is, and in any other a step has "
                "parts of rows. Exchange the axes.",
                "def by_columns(X):\n    return X.reshape(len(X), X.shape[2], X.shape[1])",
            ),
            Mistake(
                "from_the_right",
                "The columns are read from the right: their order is reversed.",
                "def by_columns(X):\n    return X.transpose(0, 2, 1)[:, ::-1]",
            ),
            Mistake(
                "from_the_bottom",
                "The steps are columns, but the pixels of each come from the bottom.",
                "def by_columns(X):\n    return X.transpose(0, 2, 1)[:, :, ::-1]",
            ),
            Mistake(
                "mirrored",
                "The steps are still the rows; each of them is only mirrored.",
                "def by_columns(X):\n    return X[:, :, ::-1]",
            ),
        ),
        inputs=((np.arange(24.0).reshape(2, 3, 4),), (np.arange(18.0).reshape(2, 3, 3) ** 2,)),
    ),
    Exercise(
        title="Count the weights of an LSTM",
        task="`keras.layers.LSTM(48)` reads the 28 rows of an image, of 28 pixels each. How many weights does the "
        "layer have, the biases counted too? Give a whole number, or let Python compute it.",
        stub="weights = ...",
        solution="weights = 4 * (28 * 48 + 48 * 48 + 48)",
        explanation="Each of the four, the three gates and the candidate, has a weight for every pixel of a row and "
        "for every number of the state, and a bias: 4 * (28 + 48 + 1) * 48 = 14,784. The number of rows does not "
        "count, so the same layer reads a sequence of any length.",
        hints=(
            "A SimpleRNN of 48 units has W, U and b. What are their shapes?",
            "W is (28, 48), U is (48, 48) and b is (48,).",
            "An LSTM has four of each: for the gates i, f and o, and for the candidate g.",
        ),
        mistakes=(
            Mistake(
                "simple",
                "That is a SimpleRNN. How many gates does an LSTM have, and what else does it compute in the same way?",
                "weights = 28 * 48 + 48 * 48 + 48",
            ),
            Mistake(
                "three",
                "The three gates are not all: the candidate has weights, too.",
                "weights = 3 * (28 * 48 + 48 * 48 + 48)",
            ),
            Mistake(
                "no_recurrent",
                "That is a dense layer, four times. What does the state come back through?",
                "weights = 4 * (28 * 48 + 48)",
            ),
            Mistake(
                "no_biases",
                "The biases are missing: each gate adds a number of its own in each unit.",
                "weights = 4 * (28 * 48 + 48 * 48)",
            ),
            Mistake(
                "every_step",
                "You counted the weights once for each row; every step uses the same ones.",
                "weights = 28 * 4 * (28 * 48 + 48 * 48 + 48)",
            ),
        ),
        imports="",
    ),
    Exercise(
        title="Predict from all states",
        task="Build a network that reads an image of 28 rows of 28 pixels: a GRU of 32 units that gives its state "
        "after **every** row, these states laid one after the other, and one dense layer of ten probabilities. "
        "`reader.summary()` must end at 14,922 weights.",
        stub="reader = ...",
        solution="""\
reader = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.GRU(32, return_sequences=True),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
""",
        explanation="28 states of 32 numbers are 896 numbers in a row. The dense layer sees what the GRU knew at every "
        "row, so that nothing has to be remembered to the end. The price: this network takes 28 rows, no more and no "
        "less.",
        hints=(
            "keras.Sequential takes a list of layers; the first is keras.Input with the steps and what a step has.",
            "A recurrent layer gives its last state alone, unless it is told to return the sequence of its states.",
            "GRU(32, return_sequences=True), Flatten(), Dense(10, ...).",
        ),
        mistakes=(
            Mistake(
                "last_state",
                "Your GRU gives only its last state: all that the dense layer may use has to be remembered to the end.",
                "reader = keras.Sequential([keras.Input((28, 28)), keras.layers.GRU(32),"
                " keras.layers.Dense(10, activation='softmax')])",
            ),
            Mistake(
                "no_flatten",
                "Your network predicts ten probabilities after every row: 28 predictions, where one is needed.",
                "reader = keras.Sequential([keras.Input((28, 28)), keras.layers.GRU(32, return_sequences=True),"
                " keras.layers.Dense(10, activation='softmax')])",
            ),
            Mistake(
                "averaged",
                "You took the mean of the states: which row a stroke was in is lost.",
                "reader = keras.Sequential([keras.Input((28, 28)), keras.layers.GRU(32, return_sequences=True),"
                " keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(10, activation='softmax')])",
            ),
        ),
        grade=grade_reader,
        imports="import keras",
    ),
)
