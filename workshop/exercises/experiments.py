"""Exercises on the lesson `experiments`: what half a percent is, Dropout's rate, a second layer, chance, a rate."""

from __future__ import annotations

from typing import Any

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model, with_activations
from workshop.kit.lazy import keras


def grade_two_layers(model: Any) -> str:
    """Returns "" for the dense network 784-128-128-10, relu twice and softmax."""
    check_is_model(model)
    if tuple(model.input_shape[1:]) != (28, 28, 1):
        raise AnswerError(f"The input has the shape {model.input_shape[1:]}, where an image has (28, 28, 1).", "shape")
    pairs = with_activations(model, keras.layers.Dense)
    dense, activations = [layer for layer, _ in pairs], [activation for _, activation in pairs]
    if not any(isinstance(layer, keras.layers.Flatten) for layer in model.layers):
        return "no_flatten"
    if len(dense) == 2:
        return "one_hidden_layer"
    if not dense or dense[-1].units == 5:
        return "five_outputs"
    if [layer.units for layer in dense] != [128, 128, 10]:
        raise AnswerError(f"The dense layers have {[layer.units for layer in dense]} units. Read the task once more.")
    if activations[-1] != "softmax":
        return "no_probabilities"
    if "linear" in activations[:-1]:
        return "no_relu"
    if activations[:-1] != ["relu", "relu"]:
        raise AnswerError("A hidden layer has the wrong activation.")
    if model.count_params() != 118_282:
        raise AnswerError(f"It has {model.count_params():,} weights, which is not what these layers have together.")
    return ""


def model_code(*layers: str) -> str:
    """Returns the code of a wrong answer to the second exercise."""
    listed = ", ".join(["keras.Input((28, 28, 1))", *(f"keras.layers.{layer}" for layer in layers)])
    return f"two_layers = keras.Sequential([{listed}])"


HIDDEN = "Dense(128, activation='relu')"
OUTPUTS = "Dense(10, activation='softmax')"

EXERCISES = (
    Exercise(
        title="How many images is half a percent",
        task="MNIST has 60,000 training images and 10,000 test images. How many images are 0.5 % of each? Give a list "
        "of two whole numbers, the training images first.",
        stub="counts = ...",
        solution="counts = [60_000 * 5 // 1000, 10_000 * 5 // 1000]",
        explanation="300 and 50. A change that lifts the test accuracy by 0.5 points gets 50 more images right: few "
        "enough for chance to do the same.",
        hints=(
            "A percent is a hundredth.",
            "0.5 % is 5 of a thousand. How many thousands are 60,000, and how many are 10,000?",
            "60 times 5, and 10 times 5.",
        ),
        mistakes=(
            Mistake(
                "not_percent",
                "You took half of the images: 0.5 is a share, 0.5 % a hundredth of it.",
                "counts = [30_000, 5_000]",
            ),
            Mistake("five_percent", "That is ten times too many: 5 %, not 0.5 %.", "counts = [3_000, 500]"),
            Mistake(
                "one_two_hundredth",
                "You divided by 0.5, or doubled: 0.5 % is less than 1 %.",
                "counts = [1_200, 200]",
            ),
            Mistake("swapped", "The two are swapped: the training images come first.", "counts = [50, 300]"),
        ),
    ),
    Exercise(
        title="A second hidden layer",
        task="Build the network with one more hidden layer: an image of 28x28x1, two hidden dense layers of 128 units "
        "each, relu both, and ten probabilities. Do not compile it.",
        stub="two_layers = ...",
        solution="""\
two_layers = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
""",
        explanation="118,282 weights: 784 * 128 + 128, 128 * 128 + 128, and 128 * 10 + 10. Nearly all of them are in "
        "the first layer, so the second one costs little.",
        hints=(
            "keras.Sequential takes a list of layers, the input first. Does a dense layer want an image or a row?",
            "keras.Input((28, 28, 1)), then Flatten, then three dense layers: two hidden ones and the outputs.",
            'Flatten(), Dense(128, activation="relu") twice, Dense(10, activation="softmax").',
        ),
        mistakes=(
            Mistake(
                "no_flatten",
                "The dense layers get an image, not a row of numbers: they work on each pixel by itself.",
                model_code(HIDDEN, HIDDEN, OUTPUTS),
            ),
            Mistake(
                "one_hidden_layer",
                "That is the network of before: one hidden layer and the outputs.",
                model_code("Flatten()", HIDDEN, OUTPUTS),
            ),
            Mistake(
                "five_outputs",
                "A label is the number of the unit that ought to be on: every class needs a unit of its own.",
                model_code("Flatten()", HIDDEN, HIDDEN, "Dense(5, activation='softmax')"),
            ),
            Mistake(
                "no_probabilities",
                "The outputs of the last layer do not add up to 1: they are no probabilities of classes that exclude "
                "each other.",
                model_code("Flatten()", HIDDEN, HIDDEN, "Dense(10, activation='sigmoid')"),
            ),
            Mistake(
                "no_relu",
                "A hidden layer has no activation function: without one, two layers compute no more than one.",
                model_code("Flatten()", "Dense(128)", "Dense(128)", OUTPUTS),
            ),
        ),
        grade=grade_two_layers,
        imports="import keras",
    ),
    Exercise(
        title="What chance does to an accuracy",
        task="A network has the accuracy `accuracy` (0 to 1) on `n` test images. Another `n` images would have given "
        "another accuracy. Return the standard error of the accuracy: the square root of accuracy times "
        "(1 - accuracy), divided by n, all of it under the root.",
        stub='''\
def standard_error(accuracy, n):
    """Returns the standard error of an accuracy (0 to 1) that was measured on n images."""
    ...
''',
        solution="""\
def standard_error(accuracy, n):
    return np.sqrt(accuracy * (1 - accuracy) / n)
""",
        explanation="At 98 % on 10,000 images it is 0.14 points: two networks that differ by 0.3 points or less may be "
        "as good as each other. Train with several seeds before you believe a small difference.",
        hints=(
            "Write the formula as it is read, from the inside: first accuracy times (1 - accuracy).",
            "The division by n is under the root as well: four times as many images halve the error.",
            "np.sqrt of the product divided by n.",
        ),
        mistakes=(
            Mistake(
                "no_root",
                "That is the variance: the square root is missing.",
                "def standard_error(accuracy, n):\n    return accuracy * (1 - accuracy) / n",
            ),
            Mistake(
                "divided_outside",
                "You divided by n after the root: then the error falls too quickly with the number of images.",
                "def standard_error(accuracy, n):\n    return np.sqrt(accuracy * (1 - accuracy)) / n",
            ),
            Mistake(
                "one_image",
                "That is how far a single image is off; the mean of n images is closer.",
                "def standard_error(accuracy, n):\n    return np.sqrt(accuracy * (1 - accuracy))",
            ),
            Mistake(
                "only_accuracy",
                "The share of wrong images is missing: an accuracy of 1 leaves no room for chance.",
                "def standard_error(accuracy, n):\n    return np.sqrt(accuracy / n)",
            ),
        ),
        inputs=((0.98, 10_000), (0.5, 100), (1.0, 50)),
    ),
    Exercise(
        title="Choose the learning rate",
        task="You take the learning rate times ten until the loss oscillates, and then half of that rate. At 0.01 the "
        "loss falls slowly, at 0.1 quickly, at 1 it oscillates. Which rate do you take?",
        stub="rate = ...",
        solution="rate = 1 / 2",
        explanation="0.5: half of the first rate that was too large. The largest rate that still descends is the "
        "quickest one; the rule is a first guess, from which you try both directions.",
        hints=(
            "Which of the three rates is the first that is too large?",
            "The rule says: half of it.",
        ),
        mistakes=(
            Mistake(
                "last_good",
                "That is the last rate that was tried and worked. The rule goes closer to the one that was too large.",
                "rate = 0.1",
            ),
            Mistake(
                "too_large",
                "At this rate the loss oscillates: each step goes across the valley.",
                "rate = 1",
            ),
            Mistake(
                "half_of_last_good",
                "You halved the rate that worked; the rule halves the one that did not.",
                "rate = 0.05",
            ),
        ),
    ),
    Exercise(
        title="Switch units off",
        task="`keras.layers.Dropout(rate)` switches units off while training, each time others. Which `rate` switches "
        "60 % of them off?",
        stub="rate = ...",
        solution="rate = 60 / 100",
        explanation="0.6: in Keras, and in PyTorch, the number is the share that is switched off. In the paper of 2014 "
        "it was the share that is kept, and some courses still write 0.4 here.",
        hints=(
            "Is the number the share that is kept, or the share that is switched off? Keras' documentation says it.",
            '"Fraction of the input units to drop", it says; a fraction goes from 0 to 1.',
        ),
        mistakes=(
            Mistake(
                "kept_share",
                "That is the share that would be kept: only 40 % would be switched off. Older texts, and some "
                "courses, gave Dropout the share to keep.",
                "rate = 0.4",
            ),
            Mistake("percent", "The rate is a share from 0 to 1, not a percentage: Keras refuses yours.", "rate = 60"),
            Mistake("units", "The rate is a share of the units, not how many of them.", "rate = 6"),
        ),
    ),
)
