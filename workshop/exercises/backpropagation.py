"""Exercises on the lesson `backpropagation`: the 2-2-2 network's numbers, a layer's gradient, a random start."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

DELTA = np.array([[0.1, -0.2]])
WEIGHTS = np.array([[0.4, 0.5], [0.45, 0.55]])
DELTAS = np.array([[0.1, 0.0, -0.3], [0.2, -0.1, 0.4]])
SQUARE = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0], [2.0, 0.0, 1.0]])

# The numbers of the forward pass, and the two deltas of the outputs.
OUTPUTS = """\
out_h1, out_o1, out_o2 = 0.593269992, 0.75136507, 0.772928465
delta_o1 = (out_o1 - 0.01) * out_o1 * (1 - out_o1)
delta_o2 = (out_o2 - 0.99) * out_o2 * (1 - out_o2)
"""


def step_code(dE_dout: str, start: str = "0.15 - 0.5 *") -> str:
    """Returns the code of an answer to the fourth exercise, from dE/dout of h1 and the beginning of the step."""
    return f"{OUTPUTS}dE_dout_h1 = {dE_dout}\nnew_w1 = {start} dE_dout_h1 * out_h1 * (1 - out_h1) * 0.05\n"


EXERCISES = (
    Exercise(
        title="The first hidden unit",
        task="The inputs are i1 = 0.05 and i2 = 0.10. To the hidden unit h1 lead w1 = 0.15 and w2 = 0.20, and its bias "
        "is 0.35. What is the output of h1, a sigmoid? Let Python compute it, or give six digits.",
        stub="out_h1 = ...",
        solution="""\
net_h1 = 0.15 * 0.05 + 0.20 * 0.10 + 0.35
out_h1 = 1 / (1 + np.exp(-net_h1))
""",
        explanation="The weighted sum is 0.3775, and its sigmoid 0.593270. The other three units are computed in the "
        "same way; that is the whole forward pass.",
        hints=(
            "Two steps: the weighted sum with the bias, and then the sigmoid of it.",
            "The weighted sum is w1 i1 + w2 i2 + bias.",
            "The sigmoid of a number is 1 / (1 + np.exp(-number)).",
        ),
        mistakes=(
            Mistake("no_sigmoid", "That is the weighted sum. What does the unit make of it?", "out_h1 = 0.3775"),
            Mistake(
                "no_bias",
                "The bias is missing from the weighted sum.",
                "out_h1 = 1 / (1 + np.exp(-(0.15 * 0.05 + 0.20 * 0.10)))",
            ),
            Mistake(
                "minus_sign",
                "A minus sign is missing in the exponent: a sum above 0 gives a sigmoid above a half.",
                "out_h1 = 1 / (1 + np.exp(0.3775))",
            ),
            Mistake(
                "bias_times_input",
                "A bias is added as it is; it is multiplied by no input.",
                "out_h1 = 1 / (1 + np.exp(-(0.15 * 0.05 + 0.20 * 0.10 + 0.35 * 0.05)))",
            ),
        ),
    ),
    Exercise(
        title="The gradient of a weight to an output",
        task="A weight leads from a hidden unit with the output `out_h` to an output unit, a sigmoid, with the output "
        "`out_o`. The error is E = 1/2 (target - out_o)^2. Return dE/dw, the product of three factors: dE/dout, "
        "dout/dnet and dnet/dw.",
        stub='''\
def weight_gradient(out_h, out_o, target):
    """Returns dE/dw of the weight from a hidden unit to an output unit; all are numbers."""
    ...
''',
        solution="""\
def weight_gradient(out_h, out_o, target):
    dE_dout = out_o - target
    dout_dnet = out_o * (1 - out_o)
    dnet_dw = out_h
    return dE_dout * dout_dnet * dnet_dw
""",
        explanation="With the numbers of this network it is dE/dw5 = 0.0821670. The half in E is there so that the 2 "
        "of the square's derivative cancels.",
        hints=(
            "The derivative of 1/2 (t - o)^2 by o is -(t - o). The derivative of the sigmoid you know.",
            "net is w times out_h and more that does not depend on w. What is its derivative by w?",
            "(out_o - target), times out_o (1 - out_o), times out_h.",
        ),
        mistakes=(
            Mistake(
                "sign",
                "The sign is wrong: the step would walk uphill. An output above its target has to come down.",
                "def weight_gradient(out_h, out_o, target):\n    return (target - out_o) * out_o * (1 - out_o) * out_h",
            ),
            Mistake(
                "no_slope",
                "The slope of the sigmoid, dout/dnet, is missing.",
                "def weight_gradient(out_h, out_o, target):\n    return (out_o - target) * out_h",
            ),
            Mistake(
                "no_input",
                "That is delta. The last factor is missing: what was the weight multiplied by?",
                "def weight_gradient(out_h, out_o, target):\n    return (out_o - target) * out_o * (1 - out_o)",
            ),
            Mistake(
                "twice",
                "It is twice too large: the half in front of the square cancels the 2 of its derivative.",
                "def weight_gradient(out_h, out_o, target):\n"
                "    return 2 * (out_o - target) * out_o * (1 - out_o) * out_h",
            ),
            Mistake(
                "slope_of_hidden",
                "You took the slope of the hidden unit. The weight leads into the output unit, and so does net.",
                "def weight_gradient(out_h, out_o, target):\n    return (out_o - target) * out_h * (1 - out_h) * out_h",
            ),
        ),
        inputs=((0.593269992, 0.75136507, 0.01), (0.596884378, 0.772928465, 0.99)),
    ),
    Exercise(
        title="Back through the weights",
        task="`delta` has dE/dnet of each unit of a layer, for each sample; `weights` leads to this layer, a row for "
        "each input and a column for each unit. Return dE/dout of the inputs: for each the sum, over all units that it "
        "leads to, of delta times weight.",
        stub='''\
def back_through(delta, weights):
    """Returns dE/dout (samples, inputs), from delta (samples, units) and weights (inputs, units)."""
    ...
''',
        solution="""\
def back_through(delta, weights):
    return delta @ weights.T
""",
        explanation="Forwards the layer multiplies by the weights, backwards by the transposed ones: what came along a "
        "weight goes back along it. This line is what makes backpropagation go through any number of layers.",
        hints=(
            "The shapes help: from (samples, units) to (samples, inputs), with a matrix (inputs, units).",
            "Which of @ and * adds up over the units? How do the shapes fit?",
            "Transpose the weights: weights.T has the shape (units, inputs).",
        ),
        mistakes=(
            Mistake(
                "not_transposed",
                "Each delta was sent along the wrong weights. This runs only where the layer has as many inputs as "
                "units; compare the shapes.",
                "def back_through(delta, weights):\n    return delta @ weights",
            ),
            Mistake(
                "no_weights",
                "The weights are missing: an input that leads to a unit with a large weight has a larger part in it.",
                "def back_through(delta, weights):\n"
                "    return np.repeat(delta.sum(axis=1, keepdims=True), len(weights), axis=1)",
            ),
            Mistake(
                "mean",
                "You took the mean over the units. An input moves the error through all of them: the parts add up.",
                "def back_through(delta, weights):\n    return delta @ weights.T / weights.shape[1]",
            ),
            Mistake(
                "first_unit",
                "Only the first unit counts in yours. Each input leads to all of them.",
                "def back_through(delta, weights):\n    return delta[:, :1] @ weights[:, :1].T",
            ),
        ),
        inputs=((DELTA, WEIGHTS), (DELTAS, SQUARE)),
    ),
    Exercise(
        title="One step of w1",
        task="What is w1 after one step with the learning rate 0.5? It was 0.15 and leads from i1 = 0.05 to h1, and h1 "
        "leads to both outputs: to o1 with w5 = 0.40, to o2 with w7 = 0.50. The outputs are out_h1 = 0.593269992, "
        "out_o1 = 0.75136507 and out_o2 = 0.772928465, the targets 0.01 and 0.99. Give eight digits, or let Python "
        "compute it.",
        stub="new_w1 = ...",
        solution=step_code("delta_o1 * 0.40 + delta_o2 * 0.50"),
        explanation="dE/dw1 = 0.000438568, a small step: the slopes of two sigmoids lie on the way, and they pull in "
        "opposite directions, as one output has to fall and the other to rise.",
        hints=(
            "First delta of both outputs: (out - target) out (1 - out). Then dE/dout of h1.",
            "dE/dout of h1 is delta_o1 w5 + delta_o2 w7, with the weights as they are before the step.",
            "dE/dw1 is that times out_h1 (1 - out_h1) times i1. The step subtracts half of it from w1.",
        ),
        mistakes=(
            Mistake(
                "one_output",
                "h1 leads to both outputs, and only the first one counts in yours.",
                step_code("delta_o1 * 0.40"),
            ),
            Mistake(
                "uphill",
                "The step goes uphill: the gradient is subtracted.",
                step_code("delta_o1 * 0.40 + delta_o2 * 0.50", "0.15 + 0.5 *"),
            ),
            Mistake(
                "no_rate",
                "The learning rate is missing: the step is half as long.",
                step_code("delta_o1 * 0.40 + delta_o2 * 0.50", "0.15 - "),
            ),
            Mistake(
                "new_weights",
                "You sent delta back through weights that had made their step already. All gradients belong to the old "
                "weights; then all weights move at once.",
                step_code("delta_o1 * 0.35891648 + delta_o2 * 0.511301270"),
            ),
            Mistake(
                "weights_of_h2",
                "Which weights lead away from h1? One of yours begins at h2.",
                step_code("delta_o1 * 0.40 + delta_o2 * 0.45"),
            ),
            Mistake(
                "gradient",
                "That is the change of the weight, or its gradient. Give the new weight itself.",
                step_code("delta_o1 * 0.40 + delta_o2 * 0.50", ""),
            ),
        ),
        tolerance=1e-7,
    ),
    Exercise(
        title="Why weights start at random",
        task="All weights of a 2-8-1 network begin at 0.5, and it is trained on two classes that no line can separate. "
        'What happens? "a": nothing, all gradients are 0. "b": it trains, but the eight hidden units stay equal, as '
        'good as one. "c": it trains as well as from random weights, the data make the units differ. Give the letter.',
        stub="letter = ...",
        solution='letter = "b"',
        explanation="Equal units get equal inputs and have equal weights forwards, so their outputs, their deltas and "
        "their steps are equal too, for ever. Random numbers break the symmetry. The biases may all begin at 0.",
        hints=(
            "Compute the outputs of two hidden units in your head. In which number do they differ?",
            "Now the gradients of their weights. Do two equal units ever make different steps?",
        ),
        mistakes=(
            Mistake(
                "a",
                "Gradients of 0 would come from weights of 0 behind the hidden units: nothing would go back through "
                "them. Here they are 0.5.",
                'letter = "a"',
            ),
            Mistake(
                "c",
                "All hidden units see the same data through the same weights. Where should a difference come from?",
                'letter = "c"',
            ),
        ),
    ),
)
