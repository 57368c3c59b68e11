"""Exercises on the lesson `initialization`: sizes of weights, equal units, relu in twenty layers, dead units."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

X = np.array([0.5, -1.0, 2.0])
EQUAL = np.full((3, 2), 0.1)
UNEQUAL = np.array([[0.2, -0.4], [0.1, 0.3], [-0.5, 0.6]])

EXERCISES = (
    Exercise(
        title="Three starts",
        task="A layer has `fan_in` inputs and `fan_out` units. Return the standard deviations of its weights as LeCun, "
        "as Xavier (Glorot) and as He draw them, a list of three numbers in this order. The variances are "
        "1 / fan_in, 2 / (fan_in + fan_out) and 2 / fan_in.",
        stub='''\
def deviations(fan_in, fan_out):
    """Returns the standard deviations of LeCun's, Xavier's and He's start."""
    ...
''',
        solution="""\
def deviations(fan_in, fan_out):
    return [np.sqrt(1 / fan_in), np.sqrt(2 / (fan_in + fan_out)), np.sqrt(2 / fan_in)]
""",
        explanation="A weighted sum adds up fan_in products, and variances add up: with LeCun's it varies as much as "
        "one input does. Xavier's is between that and the same for the gradients, which are sums of fan_out products. "
        "He's is LeCun's times the root of 2, for relu.",
        hints=(
            "The standard deviation is the square root of the variance.",
            "np.sqrt(1 / fan_in) is the first of the three.",
            "The others are np.sqrt(2 / (fan_in + fan_out)) and np.sqrt(2 / fan_in).",
        ),
        mistakes=(
            Mistake(
                "variances",
                "Those are the variances. A normal distribution is drawn with its standard deviation.",
                "def deviations(fan_in, fan_out):\n    return [1 / fan_in, 2 / (fan_in + fan_out), 2 / fan_in]",
            ),
            Mistake(
                "fan_out",
                "You took the units of the layer for its inputs. How many products does one weighted sum add up?",
                "def deviations(fan_in, fan_out):\n"
                "    return [np.sqrt(1 / fan_out), np.sqrt(2 / (fan_in + fan_out)), np.sqrt(2 / fan_out)]",
            ),
            Mistake(
                "sum_not_mean",
                "Xavier's variance is 1 by the mean of fan_in and fan_out; you divided by their sum.",
                "def deviations(fan_in, fan_out):\n"
                "    return [np.sqrt(1 / fan_in), np.sqrt(1 / (fan_in + fan_out)), np.sqrt(2 / fan_in)]",
            ),
            Mistake(
                "he_halved",
                "He's weights are larger than LeCun's, since relu takes half of the variance away; yours are smaller.",
                "def deviations(fan_in, fan_out):\n"
                "    return [np.sqrt(1 / fan_in), np.sqrt(2 / (fan_in + fan_out)), np.sqrt(1 / (2 * fan_in))]",
            ),
        ),
        inputs=((784, 100), (100, 10), (9, 9)),
    ),
    Exercise(
        title="Why equal units stay equal",
        task="A network has one hidden layer of tanh units, `a = np.tanh(x @ W)`, and one output, `a @ v`. The "
        "derivative of the error by the output is the number `d`. Return the gradient of the error by `W`: "
        "the column of a unit is `x` times d times the unit's weight in v times the slope of its tanh, 1 - a^2.",
        stub='''\
def hidden_gradient(x, W, v, d):
    """Returns dE/dW (inputs, units) for a sample x (inputs,), weights W (inputs, units) and v (units,), a number d."""
    ...
''',
        solution="""\
def hidden_gradient(x, W, v, d):
    a = np.tanh(x @ W)
    return np.outer(x, d * v * (1 - a**2))
""",
        explanation="Everything in a unit's column comes from its own column of W and its own number in v. Where these "
        "are equal, the gradients are equal, and so is every step: a layer of equal units is one unit. With v = 0 the "
        "gradient is 0. Random weights are there to make the units differ.",
        hints=(
            "Compute a first. Each unit then has one number: d times v times (1 - a**2).",
            "The gradient has a row for each input and a column for each unit: an outer product.",
            "np.outer(x, d * v * (1 - a**2))",
        ),
        mistakes=(
            Mistake(
                "no_slope",
                "The slope of tanh is missing: between the weighted sum and the output stands the activation.",
                "def hidden_gradient(x, W, v, d):\n    return np.outer(x, d * v)",
            ),
            Mistake(
                "no_v",
                "The weights v are missing: the error comes back to a unit through its weight to the output.",
                "def hidden_gradient(x, W, v, d):\n    a = np.tanh(x @ W)\n    return np.outer(x, d * (1 - a**2))",
            ),
            Mistake(
                "sigmoid_slope",
                "a (1 - a) is the slope of the sigmoid; these units are tanh.",
                "def hidden_gradient(x, W, v, d):\n    a = np.tanh(x @ W)\n    return np.outer(x, d * v * a * (1 - a))",
            ),
            Mistake(
                "output_for_slope",
                "That has the output a where the slope of tanh at this output belongs.",
                "def hidden_gradient(x, W, v, d):\n    a = np.tanh(x @ W)\n    return np.outer(x, d * v * a)",
            ),
        ),
        inputs=(
            (X, EQUAL, np.array([0.3, 0.3]), 2.0),
            (X, UNEQUAL, np.array([0.7, -0.2]), -1.5),
            (X, UNEQUAL, np.array([0.0, 1.0]), 1.0),
        ),
    ),
    Exercise(
        title="Twenty layers of relu",
        task="Relu sets half of the weighted sums to 0: the mean square of its outputs is half that of the sums. With "
        "LeCun's start, and Xavier's where all layers are as wide, the sums have the mean square of the inputs. By "
        "which factor is the root mean square of the outputs multiplied by 20 such layers?",
        stub="factor = ...",
        solution="factor = 0.5 ** (20 / 2)",
        explanation="Each layer halves the mean square: 20 of them leave 0.5^20, a millionth; its root is 0.5^10, a "
        "thousandth. He's start doubles the variance of the weights, and the factor is 1.",
        hints=(
            "What does one layer do to the mean square, and what do 20 of them?",
            "The mean square is multiplied by a half 20 times. The root mean square is its square root.",
            "The root of 0.5 ** 20.",
        ),
        mistakes=(
            Mistake(
                "mean_square",
                "That is the factor of the mean square. Asked for is its root.",
                "factor = 0.5 ** 20",
            ),
            Mistake(
                "one_layer",
                "That is what one layer leaves.",
                "factor = 0.5 ** 0.5",
            ),
            Mistake(
                "he",
                "Nothing would be lost with He's start. Here the weights are not doubled in variance.",
                "factor = 1.0",
            ),
            Mistake(
                "added",
                "The factors of the layers are multiplied; you added them up or divided by their number.",
                "factor = 1 / 20",
            ),
        ),
    ),
    Exercise(
        title="Count the dead units",
        task="`outputs` has a row for each image and a column for each relu unit. A unit is dead if its output is 0 "
        "for every image. Return how many are dead.",
        stub='''\
def count_dead(outputs):
    """Returns how many units are dead, of outputs (images, units)."""
    ...
''',
        solution="""\
def count_dead(outputs):
    return int(np.sum(np.all(outputs == 0, axis=0)))
""",
        explanation="The slope of relu is 0 where its output is 0: a unit that is 0 for every image has no gradient, "
        "and no training changes its weights again. Units that are 0 for half of the images are quite alive.",
        hints=(
            "outputs == 0 is True or False for each image and each unit. In which direction are the images?",
            "np.all(..., axis=0) asks, for each column, whether all of its rows are True.",
            "np.sum counts the True in np.all(outputs == 0, axis=0).",
        ),
        mistakes=(
            Mistake(
                "images",
                "You counted rows: images for which every unit is 0.",
                "def count_dead(outputs):\n    return int(np.sum(np.all(outputs == 0, axis=1)))",
            ),
            Mistake(
                "any",
                "You counted the units that are 0 for at least one image, and nearly all are.",
                "def count_dead(outputs):\n    return int(np.sum(np.any(outputs == 0, axis=0)))",
            ),
            Mistake(
                "zeros",
                "You counted all zeros in the table. A unit has one in each row where it does not fire.",
                "def count_dead(outputs):\n    return int(np.sum(outputs == 0))",
            ),
            Mistake(
                "alive",
                "Those are the units that fire for some image: the living ones.",
                "def count_dead(outputs):\n    return int(np.sum(np.any(outputs > 0, axis=0)))",
            ),
        ),
        inputs=(
            (np.array([[0.0, 1.5, 0.0, 0.2], [0.0, 0.0, 0.0, 0.7], [0.0, 2.0, 0.0, 0.1]]),),
            (np.array([[0.0, 0.0, 0.0], [0.0, 0.3, 0.0]]),),
            (np.array([[0.4, 0.1], [0.0, 0.9]]),),
        ),
    ),
)
