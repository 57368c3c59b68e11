"""Exercises on the lesson `logistic_regression`: sigmoid, cross-entropy, likelihood and a cut by hand, and losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake

Y = np.array([1.0, 0.0, 1.0, 0.0])
P = np.array([0.7, 0.3, 0.1, 0.9])
TWO_CLASSES, CLASS_NUMBERS, ONE_HOT = (
    "binary_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
)
SQUARES = ("mean_squared_error", "mse", "meansquarederror", "mean_absolute_error", "mae")


def grade_losses(losses: Any) -> str:
    """Returns "" for the losses of one sigmoid, of class numbers, and of one-hot rows, in this order."""
    if not isinstance(losses, (list, tuple)) or not all(isinstance(loss, str) for loss in losses):
        raise AnswerError('Give a list of three texts, such as ["mean_squared_error", ...].', "type")
    if len(losses) != 3:
        raise AnswerError(f"There are three tasks; you gave {len(losses)} losses.", "shape")
    first, second, third = (loss.strip().casefold() for loss in losses)
    if {first, second, third} & set(SQUARES):
        return "squares"
    known = (TWO_CLASSES, CLASS_NUMBERS, ONE_HOT)
    for loss in (first, second, third):
        if loss not in known:
            raise AnswerError(f"Keras has no loss {loss[:60]!r}: write it as Keras' documentation does.")
    if first != TWO_CLASSES:
        return "many_for_two"
    if TWO_CLASSES in (second, third):
        return "two_for_many"
    if second != CLASS_NUMBERS:
        return "swapped" if third == CLASS_NUMBERS else "not_sparse"
    return "" if third == ONE_HOT else "sparse_for_rows"


EXERCISES = (
    Exercise(
        title="The sigmoid by hand",
        task="Return the sigmoid of `z`, 1 / (1 + e^-z). `z` may be a number or an array; then the result is an array "
        "of the same shape.",
        stub='''\
def sigmoid(z):
    """Returns the sigmoid of z, a number or an array of any shape."""
    ...
''',
        solution="""\
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
""",
        explanation="e^-z is never negative, so the sigmoid lies between 0 and 1; at 0 it is 1/2, far on the left "
        "nearly 0, far on the right nearly 1. np.exp takes arrays, math.exp only numbers.",
        hints=(
            "e^x is np.exp(x) in NumPy, and it takes arrays.",
            "Try your function at 0: e^0 is 1. Then at 5: is it above one half?",
            "One divided by (1 + np.exp of the negative z); mind the brackets.",
        ),
        mistakes=(
            Mistake(
                "sign",
                "Your function falls where the sigmoid rises: look at the sign in the exponent.",
                "def sigmoid(z):\n    return 1 / (1 + np.exp(z))",
            ),
            Mistake(
                "brackets",
                "Division comes before addition, so that you added e^-z to 1 / 1: brackets are missing.",
                "def sigmoid(z):\n    return 1 / 1 + np.exp(-z)",
            ),
            Mistake(
                "no_one",
                "Without the 1 below the line there is no upper end: the result grows as e^z.",
                "def sigmoid(z):\n    return 1 / np.exp(-z)",
            ),
            Mistake(
                "tanh",
                "That is the hyperbolic tangent: it goes from -1 to 1, and a probability is never negative.",
                "def sigmoid(z):\n    return np.tanh(z)",
            ),
            Mistake(
                "step",
                "That is a threshold: it knows only 0 and 1. The sigmoid goes from one to the other smoothly.",
                "def sigmoid(z):\n    return np.where(z > 0, 1.0, 0.0)",
            ),
        ),
        inputs=((0.0,), (np.array([-4.0, 0.5, 1.0, 5.0]),), (np.array([[-1.0, 2.0], [0.0, 3.0]]),)),
    ),
    Exercise(
        title="Cross-entropy by hand",
        task="`y` is the label of each sample, 0 or 1; `p` is the probability that was predicted for 1. Return the "
        "mean cross-entropy: the mean of the negative natural logarithms of the probabilities of the true classes. "
        "Where y is 0, that is 1 - p.",
        stub='''\
def cross_entropy(y, p):
    """Returns the mean cross-entropy of probabilities p (samples,) for classes y (samples,), 0 or 1."""
    ...
''',
        solution="""\
def cross_entropy(y, p):
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
""",
        explanation="y and 1 - y work as switches: one of the two terms is always 0. Without the division, the loss of "
        "a larger table would be larger, and so would each step of gradient descent: the learning rate would depend "
        'on the number of rows. Keras calls it "binary_crossentropy".',
        hints=(
            "Where y is 1, the loss is -log(p); where y is 0, it is -log(1 - p). How do you switch between the two?",
            "y * np.log(p) is 0 wherever y is 0. Which term is 0 wherever y is 1?",
            "Add y * np.log(p) and (1 - y) * np.log(1 - p), take the mean, and mind the sign.",
        ),
        mistakes=(
            Mistake(
                "not_divided",
                "The sum was not divided by the number of samples: a table of twice as many rows would seem twice as "
                "bad.",
                "def cross_entropy(y, p):\n    return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))",
            ),
            Mistake(
                "no_minus",
                "A logarithm of a number below 1 is negative, a loss is not: the minus sign is missing.",
                "def cross_entropy(y, p):\n    return np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))",
            ),
            Mistake(
                "ones_only",
                "Only the samples of class 1 cost anything: a model that always says 1 would be perfect.",
                "def cross_entropy(y, p):\n    return -np.mean(y * np.log(p))",
            ),
            Mistake(
                "always_of_one",
                "You took the probability of 1 for every sample, whatever its label.",
                "def cross_entropy(y, p):\n    return -np.mean(np.log(p))",
            ),
            Mistake(
                "swapped",
                "You took the probability of the other class: a confident, correct prediction would cost most.",
                "def cross_entropy(y, p):\n    return -np.mean((1 - y) * np.log(p) + y * np.log(1 - p))",
            ),
            Mistake(
                "log10",
                "Use the natural logarithm, np.log; np.log10 has the base 10.",
                "def cross_entropy(y, p):\n    return -np.mean(y * np.log10(p) + (1 - y) * np.log10(1 - p))",
            ),
            Mistake(
                "squares",
                "That is the mean squared error. It hardly grows from wrong to very wrong.",
                "def cross_entropy(y, p):\n    return np.mean((y - p) ** 2)",
            ),
        ),
        inputs=((Y, P), (Y[:3], P[:3]), (Y[:1], P[:1]), (Y[1:2], np.array([0.2]))),
    ),
    Exercise(
        title="The likelihood of a coin",
        task="A coin shows heads with the probability `theta`. Return the likelihood of throws in a given order, "
        "`heads` times heads and `tails` times tails: the probability that exactly these throws happen.",
        stub='''\
def likelihood(theta, heads, tails):
    """Returns the probability of one given order of so many heads and tails."""
    ...
''',
        solution="""\
def likelihood(theta, heads, tails):
    return theta**heads * (1 - theta) ** tails
""",
        explanation="The throws do not know of each other, so their probabilities are multiplied. The theta with the "
        "largest likelihood explains the throws best; its negative logarithm is a sum, and divided by the number of "
        "throws it is the cross-entropy.",
        hints=(
            "What is the probability of heads and then tails, for theta = 0.2?",
            "Probabilities of independent events are multiplied: one factor a throw.",
            "theta to the power of heads, times the probability of tails to the power of tails.",
        ),
        mistakes=(
            Mistake(
                "heads_only",
                "The tails have a probability as well, and it depends on theta.",
                "def likelihood(theta, heads, tails):\n    return theta**heads",
            ),
            Mistake(
                "added",
                "You added the probabilities. That of two things that both happen is smaller than that of each.",
                "def likelihood(theta, heads, tails):\n    return theta * heads + (1 - theta) * tails",
            ),
            Mistake(
                "any_order",
                "That is the probability of so many heads in any order: it counts throws that did not happen.",
                "from math import comb\n\n\ndef likelihood(theta, heads, tails):\n"
                "    return comb(heads + tails, heads) * theta**heads * (1 - theta) ** tails",
            ),
            Mistake(
                "same_for_tails",
                "Heads and tails do not have the same probability unless theta is 0.5.",
                "def likelihood(theta, heads, tails):\n    return theta ** (heads + tails)",
            ),
        ),
        inputs=((0.5, 2, 2), (0.2, 2, 2), (0.2, 3, 1), (0.9, 1, 0), (0.3, 0, 2)),
    ),
    Exercise(
        title="Where the verdict turns",
        task="A neuron has one input, the size x of a tumour, a `weight` and a `bias`, and it says malignant where "
        "sigmoid(weight * x + bias) is above 0.5. Return the size from which on it does (the weight is positive).",
        stub='''\
def cut(weight, bias):
    """Returns the size at which the neuron's output is 0.5."""
    ...
''',
        solution="""\
def cut(weight, bias):
    return -bias / weight
""",
        explanation="The sigmoid is 0.5 where its input is 0: weight * x + bias = 0. With two inputs the same equation "
        "is a line, with three a plane: the decision boundary.",
        hints=(
            "At which input is the sigmoid 0.5?",
            "The sigmoid is 0.5 at 0. So what has to be 0?",
            "Solve weight * x + bias = 0 for x.",
        ),
        mistakes=(
            Mistake(
                "as_a_line",
                "You put 0.5 in place of the weighted sum. It is the output of the sigmoid that is 0.5 there: what is "
                "its input?",
                "def cut(weight, bias):\n    return (0.5 - bias) / weight",
            ),
            Mistake(
                "sign",
                "Put your size back into weight * x + bias: the sign is not right.",
                "def cut(weight, bias):\n    return bias / weight",
            ),
            Mistake(
                "upside_down",
                "You divided by the bias. A larger weight makes the verdict turn nearer to 0, not further out.",
                "def cut(weight, bias):\n    return -weight / bias",
            ),
            Mistake(
                "weight_forgotten",
                "That is right for a weight of 1 only.",
                "def cut(weight, bias):\n    return -bias",
            ),
        ),
        inputs=((2.0, -30.0), (0.5, -4.0), (4.0, 6.0)),
    ),
    Exercise(
        title="Which loss",
        task="Three networks, three losses. (1) Tumours, malignant or not: one output with a sigmoid, targets 0 and 1. "
        "(2) Ten digits: ten outputs with softmax, targets are class numbers such as 7. (3) The same ten outputs, but "
        "each target is a row of nine 0 and one 1. Give a list of the three names that `compile(loss=...)` takes, in "
        'this order. Choose from "mean_squared_error", "binary_crossentropy", "categorical_crossentropy" and '
        '"sparse_categorical_crossentropy".',
        stub="losses = ...",
        solution='losses = ["binary_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy"]',
        explanation="Two classes and one sigmoid: binary. Many classes and softmax: categorical, and sparse where a "
        "target is one number in place of a row. All three are the same thing: the negative logarithm of the "
        "probability of the true class.",
        hints=(
            "Binary means: of two. Categorical means: of several categories.",
            "A row of nine 0 and one 1 is nearly empty, a class number is not. One of the names has a word for that.",
            "Three different names, none of them a squared error; the one for class numbers is the longest.",
        ),
        mistakes=(
            Mistake(
                "squares",
                "Squares hardly grow from wrong to very wrong, and their gradient vanishes where a sigmoid is "
                "saturated: they are for numbers, not for classes.",
                'losses = ["mean_squared_error", "sparse_categorical_crossentropy", "categorical_crossentropy"]',
            ),
            Mistake(
                "many_for_two",
                "The first network has a single output. A loss for many classes looks for one output a class.",
                'losses = ["categorical_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy"]',
            ),
            Mistake(
                "two_for_many",
                "Binary cross-entropy takes each of the ten outputs as a question of its own, yes or no. Softmax "
                "answers one question with ten possible answers.",
                'losses = ["binary_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"]',
            ),
            Mistake(
                "swapped",
                "The second and the third are the wrong way round: which targets are rows that are full of 0?",
                'losses = ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]',
            ),
            Mistake(
                "not_sparse",
                "The second network's targets are single numbers, and its loss must take them as such: yours looks "
                "for a row of ten.",
                'losses = ["binary_crossentropy", "categorical_crossentropy", "categorical_crossentropy"]',
            ),
            Mistake(
                "sparse_for_rows",
                "The third network's targets are rows of ten numbers; your loss looks for one number.",
                'losses = ["binary_crossentropy", "sparse_categorical_crossentropy",'
                ' "sparse_categorical_crossentropy"]',
            ),
        ),
        grade=grade_losses,
    ),
)
