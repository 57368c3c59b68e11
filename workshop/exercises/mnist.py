"""Exercises on the lesson `mnist`: weights counted, accuracy and cross-entropy by hand, a CNN from its shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model, with_activations
from workshop.kit.lazy import keras

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]])
LABELS = np.array([0, 2, 1, 2])


def grade_cnn(model: Any) -> str:
    """Returns "" for a CNN of 28x28x1 -> 28x28x8 -> 14x14x8 -> 14x14x16 -> 7x7x16 -> 10."""
    check_is_model(model)
    kinds = [type(layer).__name__ for layer in model.layers if type(layer).__name__ != "InputLayer"]
    if tuple(model.input_shape[1:]) != (28, 28, 1):
        raise AnswerError(f"The input has the shape {model.input_shape[1:]}, where an image has (28, 28, 1).", "shape")
    if "Flatten" not in kinds:
        return "no_flatten"
    if not any("Pooling2D" in kind for kind in kinds):
        return "no_pooling"
    if tuple(model.output_shape[1:]) != (10,):
        raise AnswerError(f"The output has the shape {model.output_shape[1:]}, where ten classes need (10,).", "shape")
    convolutions = with_activations(model, keras.layers.Conv2D)
    if any(layer.padding == "valid" for layer, _ in convolutions):
        return "valid_padding"
    filters = [layer.filters for layer, _ in convolutions]
    if filters != [8, 16]:
        raise AnswerError(f"The convolutions have {filters} filters, not 8 and then 16.")
    if kinds.count("Dense") > 1:
        return "hidden_layer"
    if any(activation == "linear" for _, activation in convolutions):
        return "no_relu"
    if any(activation != "relu" for _, activation in convolutions):
        raise AnswerError("A convolution has the wrong activation.")
    if with_activations(model, keras.layers.Dense)[-1][1] != "softmax":
        raise AnswerError("The ten outputs are no probabilities yet: which activation makes them add up to 1?")
    if model.count_params() != 9098:
        raise AnswerError(
            f"The shapes fit, but it has {model.count_params():,} weights. Is each filter 3 wide and 3 high?"
        )
    return ""


EXERCISES = (
    Exercise(
        title="Count the weights of 784-50-10",
        task="A network takes 784 pixels, has one hidden layer of 50 units, and 10 outputs. How many weights does it "
        "have, the biases counted too? Give a whole number, or let Python compute it.",
        stub="weights = ...",
        solution="weights = 784 * 50 + 50 + 50 * 10 + 10",
        explanation="Each of the 50 units has 784 weights and a bias, each of the 10 outputs 50 weights and a bias: "
        "39,250 and 510. `model.summary()` says the same.",
        hints=(
            "How many numbers does one unit of the hidden layer multiply, and what does it add?",
            "A layer with n inputs and m units has n * m weights, and one more for each unit.",
            "Compute the two layers one after the other, 784 to 50 and 50 to 10, and add them.",
        ),
        mistakes=(
            Mistake(
                "no_biases",
                "The biases are missing: each unit adds one number of its own.",
                "weights = 784 * 50 + 50 * 10",
            ),
            Mistake(
                "one_bias_a_layer",
                "A layer has not one bias but as many as it has units.",
                "weights = 784 * 50 + 1 + 50 * 10 + 1",
            ),
            Mistake(
                "inputs_counted",
                "The 784 inputs are numbers of the image, not weights: nothing is learned there.",
                "weights = 784 + 784 * 50 + 50 + 50 * 10 + 10",
            ),
            Mistake(
                "units_counted",
                "That is the number of units. Which numbers does training change?",
                "weights = 784 + 50 + 10",
            ),
        ),
    ),
    Exercise(
        title="Accuracy by hand",
        task="`probabilities` has a row for each image and a column for each class; `labels` has the true class of "
        "each image. Return the accuracy: the share of images whose most probable class is the true one.",
        stub='''\
def accuracy(probabilities, labels):
    """Returns the accuracy, 0 to 1, of probabilities (images, classes) for labels (images,)."""
    ...
''',
        solution="""\
def accuracy(probabilities, labels):
    predicted = np.argmax(probabilities, axis=1)
    return np.mean(predicted == labels)
""",
        explanation="The predicted class is the column of the largest probability in each row. The mean of a column of "
        "True and False is the share of True.",
        hints=(
            "Which function of NumPy gives the place of the largest number in a row?",
            "np.argmax(probabilities, axis=1) gives a class for each image. Compare it with the labels.",
            "The comparison gives True or False for each image; what is the mean of these?",
        ),
        mistakes=(
            Mistake(
                "not_divided",
                "You counted the right ones: the sum was not divided by the number of images.",
                "def accuracy(probabilities, labels):\n    return np.sum(np.argmax(probabilities, axis=1) == labels)",
            ),
            Mistake(
                "error_rate",
                "That is the share of wrong ones, the error rate.",
                "def accuracy(probabilities, labels):\n    return np.mean(np.argmax(probabilities, axis=1) != labels)",
            ),
            Mistake(
                "percent",
                "Give the accuracy as a number from 0 to 1, as Keras does, not in percent.",
                "def accuracy(probabilities, labels):\n"
                "    return 100 * np.mean(np.argmax(probabilities, axis=1) == labels)",
            ),
        ),
        inputs=((PROBABILITIES, LABELS), (PROBABILITIES[:3], LABELS[:3]), (PROBABILITIES[2:3], LABELS[2:3])),
    ),
    Exercise(
        title="Cross-entropy by hand",
        task="Return the mean cross-entropy: for each image the negative natural logarithm of the probability that was "
        "predicted for its true class, averaged over the images.",
        stub='''\
def cross_entropy(probabilities, labels):
    """Returns the mean cross-entropy of probabilities (images, classes) for labels (images,)."""
    ...
''',
        solution="""\
def cross_entropy(probabilities, labels):
    of_true_class = probabilities[np.arange(len(labels)), labels]
    return -np.mean(np.log(of_true_class))
""",
        explanation="Only the probability of the true class counts: 1 costs nothing, 0.5 costs 0.69, 0.01 costs 4.6. "
        'Keras calls it "sparse_categorical_crossentropy".',
        hints=(
            "First pick, for each row, the probability in the column of its label.",
            "probabilities[np.arange(len(labels)), labels] picks one number from each row.",
            "Then np.log, the mean, and a minus sign.",
        ),
        mistakes=(
            Mistake(
                "not_divided",
                "The sum was not divided by the number of images.",
                "def cross_entropy(probabilities, labels):\n"
                "    return -np.sum(np.log(probabilities[np.arange(len(labels)), labels]))",
            ),
            Mistake(
                "no_minus",
                "A logarithm of a number below 1 is negative, a loss is not: the minus sign is missing.",
                "def cross_entropy(probabilities, labels):\n"
                "    return np.mean(np.log(probabilities[np.arange(len(labels)), labels]))",
            ),
            Mistake(
                "largest_probability",
                "You took the largest probability of each row, whatever the label says: then confident mistakes cost "
                "nothing.",
                "def cross_entropy(probabilities, labels):\n    return -np.mean(np.log(probabilities.max(axis=1)))",
            ),
            Mistake(
                "log10",
                "Use the natural logarithm, np.log; np.log10 has the base 10.",
                "def cross_entropy(probabilities, labels):\n"
                "    return -np.mean(np.log10(probabilities[np.arange(len(labels)), labels]))",
            ),
        ),
        inputs=((PROBABILITIES, LABELS), (PROBABILITIES[:3], LABELS[:3])),
    ),
    Exercise(
        title="A CNN of 9,098 weights",
        task="Build a course's CNN: an image of 28x28x1, a convolution of 8 filters of 3x3 that keeps the image's "
        "size, 2x2 max pooling, a convolution of 16 such filters, pooling again, and one dense layer of ten "
        "probabilities. Both convolutions use relu. `cnn_9098.summary()` must end at 9,098 weights.",
        stub="cnn_9098 = ...",
        solution="""\
cnn_9098 = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
""",
        explanation="80 weights in the first convolution (8 filters of 9, and 8 biases), 1,168 in the second (16 "
        "filters of 3x3x8), and 7,850 in the dense layer: 7x7x16 is 784 numbers for each of ten units, as many as the "
        "image has pixels.",
        hints=(
            "keras.Sequential takes a list of layers; the first is keras.Input with the shape of one image.",
            'A convolution that keeps the size has padding="same". A dense layer wants one row of numbers: flatten.',
            "Conv2D(8, 3, ...), MaxPooling2D(), Conv2D(16, 3, ...), MaxPooling2D(), Flatten(), Dense(10, ...).",
        ),
        mistakes=(
            Mistake(
                "valid_padding",
                "Your convolutions take a margin of one pixel off the image on each side. What keeps its size?",
                "cnn_9098 = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(8, 3, activation='relu'),"
                " keras.layers.MaxPooling2D(), keras.layers.Conv2D(16, 3, activation='relu'),"
                " keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dense(10, activation='softmax')])",
            ),
            Mistake(
                "no_pooling",
                "Nothing makes the image smaller: the pooling is missing.",
                "cnn_9098 = keras.Sequential([keras.Input((28, 28, 1)),"
                " keras.layers.Conv2D(8, 3, padding='same', activation='relu'),"
                " keras.layers.Conv2D(16, 3, padding='same', activation='relu'),"
                " keras.layers.Flatten(), keras.layers.Dense(10, activation='softmax')])",
            ),
            Mistake(
                "no_flatten",
                "The dense layer gets images, not a row of numbers, and predicts ten numbers for each place of them.",
                "cnn_9098 = keras.Sequential([keras.Input((28, 28, 1)),"
                " keras.layers.Conv2D(8, 3, padding='same', activation='relu'), keras.layers.MaxPooling2D(),"
                " keras.layers.Conv2D(16, 3, padding='same', activation='relu'), keras.layers.MaxPooling2D(),"
                " keras.layers.Dense(10, activation='softmax')])",
            ),
            Mistake(
                "no_relu",
                "A convolution has no activation: what comes out of it is a plain weighted sum, negative numbers too.",
                "cnn_9098 = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(8, 3, padding='same'),"
                " keras.layers.MaxPooling2D(), keras.layers.Conv2D(16, 3, padding='same'),"
                " keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dense(10, activation='softmax')])",
            ),
            Mistake(
                "hidden_layer",
                "There is a hidden dense layer too many: after Flatten, the ten outputs follow.",
                "cnn_9098 = keras.Sequential([keras.Input((28, 28, 1)),"
                " keras.layers.Conv2D(8, 3, padding='same', activation='relu'), keras.layers.MaxPooling2D(),"
                " keras.layers.Conv2D(16, 3, padding='same', activation='relu'), keras.layers.MaxPooling2D(),"
                " keras.layers.Flatten(), keras.layers.Dense(128, activation='relu'),"
                " keras.layers.Dense(10, activation='softmax')])",
            ),
        ),
        grade=grade_cnn,
        imports="import keras",
    ),
)
