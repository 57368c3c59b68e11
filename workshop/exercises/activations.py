"""Exercises on the lesson `activations`: the sigmoid's slope, ten layers of it, softmax, and a network's last layer."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

EXERCISES = (
    Exercise(
        title="The slope of the sigmoid",
        task="Return the derivative of the sigmoid a = 1 / (1 + e^-z) at each `z`. It is a (1 - a).",
        stub='''\
def sigmoid_slope(z):
    """Returns the derivative of the sigmoid at z (n,)."""
    ...
''',
        solution="""\
def sigmoid_slope(z):
    a = 1 / (1 + np.exp(-z))
    return a * (1 - a)
""",
        explanation="The output of the neuron is enough to know its slope, which is why the sigmoid was the favourite "
        "for so long: the forward pass has computed it already.",
        hints=(
            "In the formula stands a, the output, not z. Compute it first.",
            "a = 1 / (1 + np.exp(-z)), for all z at once.",
            "Then return a times (1 - a).",
        ),
        mistakes=(
            Mistake(
                "z_for_a",
                "You put z into the formula, where the output a belongs.",
                "def sigmoid_slope(z):\n    return z * (1 - z)",
            ),
            Mistake(
                "sigmoid_itself",
                "That is the sigmoid itself, the output. The slope says how quickly it changes.",
                "def sigmoid_slope(z):\n    return 1 / (1 + np.exp(-z))",
            ),
            Mistake(
                "sign",
                "The sigmoid rises everywhere, and your slope is below 0: a sign is wrong in the exponent or outside.",
                "def sigmoid_slope(z):\n    a = 1 / (1 + np.exp(-z))\n    return -a * (1 - a)",
            ),
            Mistake(
                "tanh",
                "1 minus the square of a is the slope of tanh.",
                "def sigmoid_slope(z):\n    a = 1 / (1 + np.exp(-z))\n    return 1 - a**2",
            ),
        ),
        inputs=((np.array([-2.0, 0.0, 0.5]),), (np.array([3.0]),)),
    ),
    Exercise(
        title="Ten sigmoids in a row",
        task="The gradient is multiplied by the slope of each layer that it flows back through. What is left of a "
        "gradient of 1 behind ten sigmoids, at the most? The weights are all 1.",
        stub="left = ...",
        solution="left = (1 / 4) ** 10",
        explanation="0.25 to the power of 10, about a millionth, and that only where all ten neurons sit at z = 0. The "
        "first layers of a deep network of sigmoids hardly learn: the gradient vanishes. Relu lets it through whole.",
        hints=(
            "Where is the sigmoid steepest, and how steep is it there?",
            "At z = 0 the output is a half; the slope is a (1 - a). Each layer multiplies by it.",
            "Ten factors of a quarter.",
        ),
        mistakes=(
            Mistake(
                "added",
                "You added the slopes of ten layers; they are multiplied.",
                "left = 10 * 0.25",
            ),
            Mistake(
                "value_at_0",
                "Half is the value of the sigmoid at z = 0, not its slope there.",
                "left = 0.5**10",
            ),
            Mistake("one_layer", "That is what a single layer leaves.", "left = 0.25"),
            Mistake(
                "divided",
                "A tenth of one layer's slope: each layer takes its share of what is left, in turn.",
                "left = 0.25 / 10",
            ),
        ),
        tolerance=1e-9,
    ),
    Exercise(
        title="Softmax on one output",
        task="A network for two classes was given **one** output unit with softmax. For three samples its weighted "
        "sums are z = -3.5, 0 and 7. What are the three outputs? Give a list of three numbers.",
        stub="outputs = ...",
        solution="outputs = [float(np.exp(z) / np.exp(z)) for z in (-3.5, 0, 7)]",
        explanation="Always 1: softmax divides e^z by the sum of all e^z, and there is no other. The slope is 0, so "
        "nothing can be learned. One output for two classes takes a sigmoid; softmax takes two outputs.",
        hints=(
            "Softmax divides e^z by the sum of e^z over the outputs of the same sample.",
            "How many outputs does a sample have here? What is their sum?",
            "A number divided by itself.",
        ),
        mistakes=(
            Mistake(
                "sigmoid",
                "Those are three sigmoids, which is what this network should have had. Softmax divides by a sum.",
                "outputs = list(1 / (1 + np.exp(-np.array([-3.5, 0.0, 7.0]))))",
            ),
            Mistake(
                "over_samples",
                "You divided by the sum over the three samples. The sum is over the outputs of one sample.",
                "e = np.exp(np.array([-3.5, 0.0, 7.0]))\noutputs = list(e / e.sum())",
            ),
            Mistake(
                "halves",
                "A half each would be right for two outputs with the same z.",
                "outputs = [0.5, 0.5, 0.5]",
            ),
            Mistake(
                "classes",
                "Those are decisions, whether z is above 0. Give the outputs.",
                "outputs = [0, 0, 1]",
            ),
        ),
    ),
    Exercise(
        title="Softmax for large numbers",
        task="Write softmax so that it survives weighted sums such as 1000. Taking the same number away from every z "
        "does not change softmax: take the largest one.",
        stub='''\
def softmax(z):
    """Returns the softmax of z (n,): n numbers above 0 that add up to 1."""
    ...
''',
        solution="""\
def softmax(z):
    e = np.exp(z - np.max(z))
    return e / e.sum()
""",
        explanation="e^(z - m) is e^z divided by e^m, above and below the line: it cancels. The largest exponent is "
        "now 0, so nothing overflows, and the sum is at least 1. Keras and PyTorch do the same.",
        hints=(
            "What is the largest number in z, and what is left when you take it away from all?",
            "z - np.max(z) goes into np.exp, both above and below the line.",
            "Compute e = np.exp(z - np.max(z)) once, and divide it by its own sum.",
        ),
        mistakes=(
            Mistake(
                "overflow",
                "Right for small numbers. e^1000 is larger than any number a computer has: infinity divided by "
                "infinity is NaN.",
                "def softmax(z):\n    with np.errstate(all='ignore'):\n        return np.exp(z) / np.exp(z).sum()",
            ),
            Mistake(
                "only_above",
                "You took the largest z away above the line only: below the line it overflows still, and the outputs "
                "do not add up to 1.",
                "def softmax(z):\n    with np.errstate(all='ignore'):\n"
                "        return np.exp(z - np.max(z)) / np.exp(z).sum()",
            ),
            Mistake(
                "not_divided",
                "The outputs do not add up to 1: they were not divided by their sum.",
                "def softmax(z):\n    return np.exp(z - np.max(z))",
            ),
            Mistake(
                "shares_of_z",
                "You divided z by its sum. Softmax does that with e^z, which is never below 0.",
                "def softmax(z):\n    return z / z.sum()",
            ),
            Mistake(
                "sigmoids",
                "Those are sigmoids, each by itself. In softmax every output depends on every z.",
                "def softmax(z):\n    with np.errstate(all='ignore'):\n        return 1 / (1 + np.exp(-z))",
            ),
        ),
        inputs=(
            (np.array([1.0, 3.0, 4.0, 2.0]),),
            (np.array([2.33, -1.46, 0.56]),),
            (np.array([1000.0, 1001.0, 1002.0]),),
        ),
    ),
    Exercise(
        title="The last layer",
        task="Four networks want an activation function for their last layer: tomorrow's temperature in degrees (one "
        "unit); whether a student is admitted (one unit); which of ten digits an image shows (ten units); which of "
        "twenty labels fit a photograph, none, one or several of them (twenty units). Give a list of four texts, each "
        'one of "linear" (Keras\' name of the identity), "relu", "sigmoid" and "softmax".',
        stub="last_layers = ...",
        solution='last_layers = ["linear", "sigmoid", "softmax", "sigmoid"]',
        explanation="Any number: linear. One probability: sigmoid. Probabilities of classes that exclude each other: "
        "softmax. Several answers, each yes or no: as many sigmoids. The hidden layers are another matter: relu is "
        "fine in all four.",
        hints=(
            "Which numbers may come out: any, one from 0 to 1, or several that add up to 1?",
            "A temperature may be below 0. Ten digits exclude each other; twenty labels do not.",
            "Softmax is for one of the four.",
        ),
        mistakes=(
            Mistake(
                "softmax_for_labels",
                "Softmax shares one whole among the labels: a photograph of a beach with a dog would have to choose.",
                'last_layers = ["linear", "sigmoid", "softmax", "softmax"]',
            ),
            Mistake(
                "softmax_on_one",
                "Softmax on a single output is the same number for every student.",
                'last_layers = ["linear", "softmax", "softmax", "sigmoid"]',
            ),
            Mistake(
                "relu_for_degrees",
                "Relu predicts no frost: its output is never below 0.",
                'last_layers = ["relu", "sigmoid", "softmax", "sigmoid"]',
            ),
            Mistake(
                "sigmoid_for_degrees",
                "A sigmoid ends at 1 degree.",
                'last_layers = ["sigmoid", "sigmoid", "softmax", "sigmoid"]',
            ),
            Mistake(
                "sigmoids_for_digits",
                "An image shows one digit: ten sigmoids can all say yes, or all no, and do not add up to 1.",
                'last_layers = ["linear", "sigmoid", "sigmoid", "sigmoid"]',
            ),
        ),
    ),
)
