"""Exercises on the lesson `cats_vs_dogs`: steps per epoch, what Flatten hands on, output and loss, names of classes."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

ONE_OUTPUT = np.array([[0.9], [0.2], [0.51], [0.03]])
THREE_OUTPUTS = np.array([[0.1, 0.2, 0.7], [0.4, 0.5, 0.1], [0.6, 0.3, 0.1]])

EXERCISES = (
    Exercise(
        title="Steps of an epoch",
        task="Return how many steps an epoch has: `photos` photographs are taken in batches of `batch_size`, each is "
        "seen once, and the last batch may be smaller. The result is a whole number.",
        stub='''\
def steps(photos, batch_size):
    """Returns the number of batches that `photos` photographs make; both are whole numbers."""
    ...
''',
        solution="""\
def steps(photos, batch_size):
    return -(-photos // batch_size)
""",
        explanation="The division is rounded up, as `math.ceil(photos / batch_size)` does: what is left over is a "
        "batch too. 1,000 photographs in batches of 125 are 8 steps, which is where the workshop's 8 comes from.",
        hints=(
            "How many full batches are there, and is anything left over?",
            "The division must be rounded up, not down.",
            "math.ceil rounds up. Or: // rounds down, also below zero, so what does -(-7 // 2) give?",
        ),
        mistakes=(
            Mistake(
                "rounded_down",
                "The photographs that are left over, fewer than a batch, would never be seen: they are a batch too.",
                "def steps(photos, batch_size):\n    return photos // batch_size",
            ),
            Mistake(
                "one_too_many",
                "Where the photographs fill the last batch, you count one batch with nothing in it.",
                "def steps(photos, batch_size):\n    return photos // batch_size + 1",
            ),
            Mistake(
                "not_whole",
                "A part of a step is no step: the result must be a whole number.",
                "def steps(photos, batch_size):\n    return photos / batch_size",
            ),
            Mistake(
                "nearest",
                "You rounded to the nearest whole number: a small rest is then dropped.",
                "def steps(photos, batch_size):\n    return round(photos / batch_size)",
            ),
        ),
        inputs=((1000, 125), (280, 32), (500, 63), (130, 125), (3, 16)),
    ),
    Exercise(
        title="What Flatten hands on",
        task="An image of 150x150 pixels in colour goes through a convolution of 16 filters of 3x3 without padding, "
        "2x2 max pooling, 32 filters of 3x3, pooling, 64 filters of 3x3, pooling. Pooling drops what is left over. "
        "How many numbers does `Flatten` then hand on to the dense layer?",
        stub="flattened = ...",
        solution="""\
side = 150
for filters in (16, 32, 64):
    side = (side - 2) // 2  # the convolution takes 2 off, pooling halves
flattened = side * side * filters
""",
        explanation="150 to 148 to 74, to 72 to 36, to 34 to 17: 17x17 places with 64 channels are 18,496 numbers. The "
        "dense layer of 512 units behind it has 512 weights for each of them, with biases 9,470,464 of ten million.",
        hints=(
            "Follow the side of the image: what does a 3x3 convolution without padding take off? What does pooling do?",
            "148 after the first convolution, 74 after the first pooling. Go on.",
            "The last pooling leaves 17x17 places, and each place has as many numbers as the last layer has filters.",
        ),
        mistakes=(
            Mistake(
                "same_padding",
                "Without padding a convolution takes off a margin of one pixel on each side; you let the size as it "
                "is.",
                "flattened = 18 * 18 * 64",
            ),
            Mistake(
                "no_channels",
                "You counted the places. How many channels does each place have?",
                "flattened = 17 * 17",
            ),
            Mistake(
                "last_pooling",
                "The last pooling is missing: the image is halved three times.",
                "flattened = 34 * 34 * 64",
            ),
            Mistake(
                "all_filters",
                "A filter of the second layer sees all channels of the first: their numbers are not added up. Only the "
                "last layer's channels are handed on.",
                "flattened = 17 * 17 * (16 + 32 + 64)",
            ),
            Mistake(
                "colours",
                "The three colours went into the first convolution; its filters add them up.",
                "flattened = 17 * 17 * 64 * 3",
            ),
        ),
    ),
    Exercise(
        title="Which output, which loss",
        task="`head(classes)` is to return three things for a classifier of so many classes, whose labels are whole "
        "numbers (0, 1, 2, ...): the number of output units, the name of their activation, and Keras' name of the "
        "loss. For two classes take **one** unit, the probability of the second class; else a unit for each class.",
        stub='''\
def head(classes):
    """Returns (units, activation, loss): a whole number and two names of Keras, in quotes."""
    ...
''',
        solution="""\
def head(classes):
    if classes == 2:
        return 1, "sigmoid", "binary_crossentropy"
    return classes, "softmax", "sparse_categorical_crossentropy"
""",
        explanation="One probability is made by the sigmoid, and the other class has the rest, so binary "
        "cross-entropy. Many probabilities are made by softmax; for labels that are whole numbers the loss is the "
        "sparse one, for "
        'one-hot rows it would be "categorical_crossentropy".',
        hints=(
            "Which activation makes one number a probability? Which one makes many numbers add up to 1?",
            "The losses are a binary cross-entropy, and a categorical one that takes whole numbers as labels.",
            "The second loss begins with sparse_; the pairs are sigmoid with binary, softmax with categorical.",
        ),
        mistakes=(
            Mistake(
                "softmax_on_one",
                "Softmax on a single output gives 1 whatever the image is: there is nothing to share with.",
                "def head(classes):\n"
                "    if classes == 2:\n"
                "        return 1, 'softmax', 'binary_crossentropy'\n"
                "    return classes, 'softmax', 'sparse_categorical_crossentropy'",
            ),
            Mistake(
                "one_hot_loss",
                "Your loss for many classes takes one-hot rows (0, 0, 1); the labels here are whole numbers.",
                "def head(classes):\n"
                "    if classes == 2:\n"
                "        return 1, 'sigmoid', 'binary_crossentropy'\n"
                "    return classes, 'softmax', 'categorical_crossentropy'",
            ),
            Mistake(
                "sigmoid_on_many",
                "A sigmoid for each of many classes: the probabilities would not add up to 1.",
                "def head(classes):\n"
                "    if classes == 2:\n"
                "        return 1, 'sigmoid', 'binary_crossentropy'\n"
                "    return classes, 'sigmoid', 'sparse_categorical_crossentropy'",
            ),
            Mistake(
                "always_one",
                "You return the same for every number of classes: one unit cannot name the third class.",
                "def head(classes):\n    return 1, 'sigmoid', 'binary_crossentropy'",
            ),
            Mistake(
                "two_units",
                "That works too, but for two classes one unit is enough: the other probability is the rest.",
                "def head(classes):\n    return classes, 'softmax', 'sparse_categorical_crossentropy'",
            ),
        ),
        inputs=((2,), (3,), (7,)),
    ),
    Exercise(
        title="The name of the class",
        task="`outputs` is what `model.predict` returned: a row for each photo, with **one** number, the probability "
        "of the second class, or with a probability for each class. `classes` is the list of their names. Return a "
        "list with the name of each photo's most probable class.",
        stub='''\
def names(outputs, classes):
    """Returns a list of names, one for each row of outputs: (photos, 1) or (photos, number of classes)."""
    ...
''',
        solution="""\
def names(outputs, classes):
    if outputs.shape[1] == 1:
        indices = (outputs[:, 0] > 0.5).astype(int)
    else:
        indices = np.argmax(outputs, axis=1)
    return [classes[i] for i in indices]
""",
        explanation="One output is compared with 0.5, several by argmax. Which class is the second one is not for you "
        "to choose: Keras sorts the names of the folders, cats 0, dogs 1.",
        hints=(
            "There are two cases: ask outputs.shape[1].",
            "One number: the second class where it is above 0.5. Several: the place of the largest in each row.",
            "A comparison gives True or False, .astype(int) makes 1 or 0 of it, and classes[1] is the second name.",
        ),
        mistakes=(
            Mistake(
                "argmax_of_one",
                "np.argmax of a row of one number is always 0: every photo would be of the first class.",
                "def names(outputs, classes):\n    return [classes[i] for i in np.argmax(outputs, axis=1)]",
            ),
            Mistake(
                "swapped",
                "You took the number for the probability of the first class.",
                "def names(outputs, classes):\n"
                "    if outputs.shape[1] == 1:\n"
                "        return [classes[0] if p > 0.5 else classes[1] for p in outputs[:, 0]]\n"
                "    return [classes[i] for i in np.argmax(outputs, axis=1)]",
            ),
            Mistake(
                "whole_numbers",
                "Give the names, not the numbers of the classes.",
                "def names(outputs, classes):\n"
                "    if outputs.shape[1] == 1:\n"
                "        return [int(p > 0.5) for p in outputs[:, 0]]\n"
                "    return [int(i) for i in np.argmax(outputs, axis=1)]",
            ),
            Mistake(
                "second_column_only",
                "For several classes you looked at one column only; the largest of each row decides.",
                "def names(outputs, classes):\n    return [classes[int(row[-1] > 0.5)] for row in outputs]",
            ),
        ),
        inputs=((ONE_OUTPUT, ["cats", "dogs"]), (THREE_OUTPUTS, ["Abyssinian", "Bengal", "bulldog"])),
    ),
)
