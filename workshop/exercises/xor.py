"""Exercises on the lesson `xor`: the corners of one neuron, three gates, a network by hand, and one to build."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model, with_activations
from workshop.kit.lazy import keras

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = (0, 1, 1, 0)
# What three gates give that are no XOR, by the name of the mistake.
TABLES = {(1, 0, 0, 1): "inverted", (0, 1, 1, 1): "is_or", (0, 0, 0, 1): "is_and"}
HIDDEN_WEIGHTS, HIDDEN_BIAS = np.array([[2.0, -1.0, 0.5], [1.0, 3.0, -2.0]]), np.array([-1.0, 0.5, 0.25])
OUTPUT_WEIGHTS, OUTPUT_BIAS = np.array([[1.5], [-2.0], [1.0]]), np.array([0.25])


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z), with z held where e^-z is finite."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -500, 500))))


def three_gates(gates: np.ndarray) -> np.ndarray:
    """Returns the outputs (4,) of two gates and a third one behind them, each a row of bias, weight, weight (3, 3)."""
    hidden = sigmoid(gates[:2, 0] + CORNERS @ gates[:2, 1:].T)
    return sigmoid(gates[2, 0] + hidden @ gates[2, 1:])


def grade_gates(answer: Any) -> str:
    """Returns "" for three gates, the third behind the first two, that make XOR."""
    try:
        gates = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise AnswerError("Give a list of three gates, each of three numbers.", "type") from None
    if gates.shape != (3, 3):
        says = f"Give three gates of three numbers each, (3, 3); yours have the shape {gates.shape}."
        raise AnswerError(says, "shape")
    if not np.isfinite(gates).all():
        raise AnswerError("One of the nine is no number.", "nan")
    outputs = three_gates(gates)
    table = tuple(int(output > 0.5) for output in outputs)
    if table == XOR:
        return ""
    if tuple(int(output > 0.5) for output in three_gates(np.roll(gates, 1, axis=1))) == XOR:
        return "bias_last"
    if tuple(int(output > 0.5) for output in three_gates(10 * gates)) == XOR:
        return "too_soft"
    if table in TABLES:
        return TABLES[table]
    i = next(i for i in range(4) if table[i] != XOR[i])
    corner = ", ".join(f"{value:.0f}" for value in CORNERS[i])
    hidden = sigmoid(gates[:2, 0] + gates[:2, 1:] @ CORNERS[i])
    says = (
        f"For ({corner}) your first two gates give {hidden[0]:.2f} and {hidden[1]:.2f}, and the third {outputs[i]:.2f}"
    )
    raise AnswerError(f"{says}, which rounds to {table[i]}.")


def grade_network(model: Any) -> str:
    """Returns "" for a 2-4-1 network of sigmoids."""
    check_is_model(model)
    if tuple(model.input_shape[1:]) != (2,):
        raise AnswerError(f"The input has the shape {model.input_shape[1:]}, where two inputs have (2,).", "shape")
    pairs = with_activations(model, keras.layers.Dense)
    dense, activations = [layer for layer, _ in pairs], [activation for _, activation in pairs]
    if not dense or tuple(model.output_shape[1:]) != (1,):
        return "no_output" if dense and dense[-1].units == 4 else _raise_output(model)
    units = [layer.units for layer in dense[:-1]]
    if not units:
        return "no_hidden"
    if units != [4]:
        has = " and ".join(str(count) for count in units)
        raise AnswerError(f"Your hidden layers have {has} units; expected one hidden layer of 4.")
    if activations[0] == "linear":
        return "hidden_linear"
    if activations[1] == "linear":
        return "output_linear"
    if activations[1] == "softmax":
        return "softmax_on_one"
    if activations != ["sigmoid", "sigmoid"]:
        raise AnswerError("Both layers have a sigmoid; one of yours has another activation.")
    return ""


def _raise_output(model: keras.Model) -> str:
    raise AnswerError(f"The output has the shape {model.output_shape[1:]}, where one number has (1,).", "shape")


EXERCISES = (
    Exercise(
        title="One neuron and four corners",
        task="A threshold neuron draws one line, and calls all points on one side of it 1. XOR wants 0, 1, 1, 0 on the "
        "corners (0, 0), (0, 1), (1, 0), (1, 1). How many of the four corners can one such neuron get right at most? "
        "Try lines on paper.",
        stub="corners = ...",
        solution="corners = 3",
        explanation="A line that cuts off one corner alone, as OR does with (0, 0), leaves one other corner wrong. All "
        "four would need both (0, 1) and (1, 0) on one side and (0, 0) and (1, 1) on the other; but the two pairs are "
        "the diagonals of the square, and they cross: no line parts them.",
        hints=(
            "Draw the square, and OR's line: it cuts off (0, 0). Which corners are right?",
            "A line through the middle gets two right. Move it so that it cuts off a single corner.",
            "OR differs from XOR in the corner (1, 1) alone.",
        ),
        mistakes=(
            Mistake(
                "all",
                "Then a line would part the two diagonals of a square. They cross.",
                "corners = 4",
            ),
            Mistake(
                "half",
                "As many as that are right by guessing. Compare the tables of OR and XOR, row by row.",
                "corners = 2",
            ),
        ),
    ),
    Exercise(
        title="XOR out of three gates",
        task="Make XOR of three neurons. Two gates look at x1 and x2; a third one looks at the outputs of these two. "
        "Each gate is sigmoid(bias + weight * first input + weight * second input). Choose the nine numbers so that "
        "the last output rounds to 0, 1, 1, 0 for (0, 0), (0, 1), (1, 0), (1, 1). Give a list of three gates, each "
        "(bias, weight, weight); AND, for example, is (-30, 20, 20).",
        stub="gates = ...",
        solution="gates = [(-10, 20, 20), (30, -20, -20), (-30, 20, 20)]  # AND(OR, NAND)",
        explanation="One or the other (OR), and not both (NAND): an AND of the two. Each of the first gates draws a "
        "line, and XOR is the strip between the lines. There are other ways: OR and AND, and a last gate that fires "
        "where the first does and the second does not.",
        hints=(
            "Say in words what XOR is: one or the other, but ... Each half of the sentence is a gate.",
            "The last gate must be 1 only where OR is 1 and a second gate is 1. Which gate is 0 for (1, 1) only?",
            "AND with all signs turned is NAND, which says: not both. Put OR and NAND before an AND.",
        ),
        mistakes=(
            Mistake(
                "bias_last",
                "Your numbers would do if the bias came last. Here it comes first.",
                "gates = [(20, 20, -10), (-20, -20, 30), (20, 20, -30)]",
            ),
            Mistake(
                "inverted",
                "Your last gate gives 1, 0, 0, 1: the opposite of XOR.",
                "gates = [(-10, 20, 20), (30, -20, -20), (30, -20, -20)]",
            ),
            Mistake(
                "is_or",
                "Your three gates make OR: they say 1 for both as well.",
                "gates = [(-10, 20, 20), (-30, 20, 20), (-10, 20, 20)]",
            ),
            Mistake(
                "is_and",
                "Your three gates make AND: they say 1 for both, and for nothing else.",
                "gates = [(-10, 20, 20), (-30, 20, 20), (-30, 20, 20)]",
            ),
            Mistake(
                "too_soft",
                "The lines are right, but the weights are so small that the sigmoids stay near 0.5: the last gate gets "
                "no clear inputs.",
                "gates = [(-0.5, 1, 1), (1.5, -1, -1), (-1.5, 1, 1)]",
            ),
        ),
        grade=grade_gates,
    ),
    Exercise(
        title="A network by hand",
        task="Write what `model.predict` does with a network that has a hidden layer of sigmoids and a linear output. "
        "`X` has a row for each sample; each layer has a matrix of weights and a row of biases, as "
        "`model.get_weights()` gives them.",
        stub='''\
def network(X, hidden_weights, hidden_bias, output_weights, output_bias):
    """Returns the outputs (samples, 1) for X (samples, 2), with weights (2, h), (h,), (h, 1) and (1,)."""
    ...
''',
        solution="""\
def network(X, hidden_weights, hidden_bias, output_weights, output_bias):
    hidden = 1 / (1 + np.exp(-(X @ hidden_weights + hidden_bias)))
    return hidden @ output_weights + output_bias
""",
        explanation="A layer is a matrix product, a sum and an activation; a network is one layer after the other. "
        "There is nothing else in it.",
        hints=(
            "X @ hidden_weights gives, for each sample, a sum for each hidden unit.",
            "The sigmoid is 1 / (1 + np.exp(-z)). Which of the two layers has it?",
            "Do the same again with the hidden outputs, the output's weights and its bias, without a sigmoid.",
        ),
        mistakes=(
            Mistake(
                "no_sigmoid",
                "The hidden layer has no sigmoid. Without it two layers are no more than one: a weighted sum.",
                "def network(X, hidden_weights, hidden_bias, output_weights, output_bias):\n"
                "    return (X @ hidden_weights + hidden_bias) @ output_weights + output_bias",
            ),
            Mistake(
                "sigmoid_at_the_end",
                "The output is linear here: you put a sigmoid on it as well.",
                "def network(X, hidden_weights, hidden_bias, output_weights, output_bias):\n"
                "    hidden = 1 / (1 + np.exp(-(X @ hidden_weights + hidden_bias)))\n"
                "    return 1 / (1 + np.exp(-(hidden @ output_weights + output_bias)))",
            ),
            Mistake(
                "no_hidden_bias",
                "The biases of the hidden layer are missing.",
                "def network(X, hidden_weights, hidden_bias, output_weights, output_bias):\n"
                "    return 1 / (1 + np.exp(-X @ hidden_weights)) @ output_weights + output_bias",
            ),
            Mistake(
                "no_output_bias",
                "The bias of the output is missing.",
                "def network(X, hidden_weights, hidden_bias, output_weights, output_bias):\n"
                "    return 1 / (1 + np.exp(-(X @ hidden_weights + hidden_bias))) @ output_weights",
            ),
            Mistake(
                "bias_inside_out",
                "The bias belongs into the sigmoid, with the weighted sum; you added it to its output.",
                "def network(X, hidden_weights, hidden_bias, output_weights, output_bias):\n"
                "    hidden = 1 / (1 + np.exp(-X @ hidden_weights)) + hidden_bias\n"
                "    return hidden @ output_weights + output_bias",
            ),
        ),
        inputs=(
            (CORNERS, HIDDEN_WEIGHTS, HIDDEN_BIAS, OUTPUT_WEIGHTS, OUTPUT_BIAS),
            (np.array([[0.5, -1.5]]), -HIDDEN_WEIGHTS, 2 * HIDDEN_BIAS, OUTPUT_WEIGHTS, -OUTPUT_BIAS),
        ),
    ),
    Exercise(
        title="A 2-4-1 network for cross-entropy",
        task="Another course solves XOR with four hidden units and cross-entropy. Build its network: two inputs, one "
        "hidden layer of 4 sigmoids, and one output that is a probability.",
        stub="course_241 = ...",
        solution="""\
course_241 = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(4, activation="sigmoid"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
""",
        explanation="Cross-entropy takes the logarithm of a probability, so the output has a sigmoid. Squared errors "
        "take any number, so the 2-3-1 network has a linear output. 12 weights in the hidden layer and 5 in the "
        "output: 17.",
        hints=(
            "keras.Sequential takes a list of layers; the first is keras.Input with the shape of one sample.",
            "What makes a probability of any number? The output needs it too.",
            'keras.Input((2,)), then two Dense layers, of 4 and of 1, both with activation="sigmoid".',
        ),
        mistakes=(
            Mistake(
                "output_linear",
                "Your output may be any number, also below 0, and cross-entropy takes its logarithm.",
                "course_241 = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, activation='sigmoid'),"
                " keras.layers.Dense(1)])",
            ),
            Mistake(
                "hidden_linear",
                "Your hidden layer has no activation: two layers one after the other then draw one line, and XOR needs "
                "more.",
                "course_241 = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4),"
                " keras.layers.Dense(1, activation='sigmoid')])",
            ),
            Mistake(
                "no_hidden",
                "That is one neuron: the hidden layer is missing.",
                "course_241 = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation='sigmoid')])",
            ),
            Mistake(
                "softmax_on_one",
                "Softmax divides each output by the sum of all: with a single output that is always 1.",
                "course_241 = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, activation='sigmoid'),"
                " keras.layers.Dense(1, activation='softmax')])",
            ),
            Mistake(
                "no_output",
                "Your network ends with the hidden layer: one unit that sums up the four is missing.",
                "course_241 = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, activation='sigmoid')])",
            ),
        ),
        grade=grade_network,
        imports="import keras",
    ),
)
