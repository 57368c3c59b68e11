"""Exercises on the lesson `fashion_mnist`: a class's name, recall by class, shapes of a CNN, an image of one's own."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

CLASSES = ["t-shirt", "trouser", "bag", "boot"]
MATRIX = np.array([[8, 2, 0], [3, 5, 2], [1, 4, 5]])
UNEVEN = np.array([[30, 10], [2, 18]])
GARMENT = np.full((28, 28), 255, np.uint8)
GARMENT[4:24, 8:20] = 40
GARMENT[10:12, 8:20] = 102

EXERCISES = (
    Exercise(
        title="From probabilities to a name",
        task="`probabilities` is one row of probabilities, one for each class; `classes` is the list of the classes' "
        "names in the same order. Return the name of the most probable class.",
        stub='''\
def predicted_name(probabilities, classes):
    """Returns the name of the most probable class, for probabilities (classes,) and a list of names."""
    ...
''',
        solution="""\
def predicted_name(probabilities, classes):
    return classes[np.argmax(probabilities)]
""",
        explanation="The place of the largest probability is the class number, and the class number is the place of "
        "the name. Keras never sees a name: keep the list together with the model.",
        hints=(
            "Which function of NumPy gives the place of the largest number?",
            "np.argmax(probabilities) is the class number. What is at that place in the list of names?",
        ),
        mistakes=(
            Mistake(
                "number",
                "That is the class number. A person wants to read the name.",
                "def predicted_name(probabilities, classes):\n    return int(np.argmax(probabilities))",
            ),
            Mistake(
                "probability",
                "That is how probable it is, not what it is.",
                "def predicted_name(probabilities, classes):\n    return np.max(probabilities)",
            ),
            Mistake(
                "least_probable",
                "That is the least probable class of all.",
                "def predicted_name(probabilities, classes):\n    return classes[np.argmin(probabilities)]",
            ),
            Mistake(
                "counted_from_1",
                "The name beside it: places in a list are counted from 0, as class numbers are.",
                "def predicted_name(probabilities, classes):\n    return classes[np.argmax(probabilities) - 1]",
            ),
        ),
        inputs=(
            (np.array([0.1, 0.6, 0.1, 0.2]), CLASSES),
            (np.array([0.5, 0.3, 0.15, 0.05]), CLASSES),
            (np.array([0.2, 0.1, 0.3, 0.4]), CLASSES),
        ),
    ),
    Exercise(
        title="How many numbers the convolutions leave",
        task='A CNN takes images of 28x28x1. Its layers: 16 filters of 3x3 with `padding="same"`, 2x2 max pooling, 32 '
        'filters of 3x3 with `padding="same"`, 2x2 max pooling, 64 filters of 3x3 without padding, `Flatten`. How many '
        "numbers come out of `Flatten` for one image?",
        stub="numbers = ...",
        solution="numbers = 5 * 5 * 64",
        explanation="28x28x16, 14x14x16, 14x14x32, 7x7x32, and the last convolution takes one pixel off each side: "
        "5x5, for each of 64 filters. `model.summary()` shows the same column of shapes.",
        hints=(
            "Follow the width: same padding leaves it alone, pooling halves it.",
            "28, 14, 7; and a 3x3 filter without padding has no place on the margin of one pixel.",
            "Width times height times the number of filters of the last convolution.",
        ),
        mistakes=(
            Mistake(
                "padded",
                "The last convolution is not padded: its filters do not reach over the margin.",
                "numbers = 7 * 7 * 64",
            ),
            Mistake(
                "one_filter",
                "That is the image of a single filter. How many filters has the last convolution?",
                "numbers = 5 * 5",
            ),
            Mistake(
                "all_filters",
                "Each convolution adds its filters over all channels of the layer before: their numbers are not "
                "multiplied.",
                "numbers = 5 * 5 * 16 * 32 * 64",
            ),
            Mistake(
                "margin_on_one_side",
                "A 3x3 filter takes a pixel off the left side and one off the right, not one altogether.",
                "numbers = 6 * 6 * 64",
            ),
            Mistake(
                "pooled_again",
                "There are two poolings, not three.",
                "numbers = 2 * 2 * 64",
            ),
        ),
    ),
    Exercise(
        title="How many of each class are found",
        task="`matrix` is a confusion matrix: row i, column j counts the images of class i that were predicted as "
        "class j. Return the recall of each class: of the images of this class, the share that was predicted as it.",
        stub='''\
def recalls(matrix):
    """Returns the recall of each class (classes,), 0 to 1, from a confusion matrix (classes, classes)."""
    ...
''',
        solution="""\
def recalls(matrix):
    return np.diag(matrix) / matrix.sum(axis=1)
""",
        explanation="The diagonal counts what is right, a row's sum how many images of the class there are. One "
        "accuracy for all classes hides that some of them are far worse than others.",
        hints=(
            "Where in the matrix are the images that were predicted right?",
            "np.diag(matrix) gives the diagonal. How many images of class i are there altogether?",
            "Divide the diagonal by the sums of the rows: matrix.sum(axis=1).",
        ),
        mistakes=(
            Mistake(
                "precision",
                "You divided by the sums of the columns, what was predicted as the class: that is the precision.",
                "def recalls(matrix):\n    return np.diag(matrix) / matrix.sum(axis=0)",
            ),
            Mistake(
                "of_all_images",
                "You divided by the number of all images: then no class can reach 1.",
                "def recalls(matrix):\n    return np.diag(matrix) / matrix.sum()",
            ),
            Mistake(
                "counts",
                "Those are the numbers of correct images; give their share.",
                "def recalls(matrix):\n    return np.diag(matrix)",
            ),
            Mistake(
                "accuracy",
                "That is one number, the accuracy over all classes.",
                "def recalls(matrix):\n    return np.diag(matrix).sum() / matrix.sum()",
            ),
            Mistake(
                "missed",
                "That is the share that was missed.",
                "def recalls(matrix):\n    return 1 - np.diag(matrix) / matrix.sum(axis=1)",
            ),
        ),
        inputs=((MATRIX,), (UNEVEN,)),
    ),
    Exercise(
        title="An image of your own",
        task="`image` is a photograph of a garment on white paper, 28x28 bytes: 0 is black, 255 white. The network "
        "was trained on images with a background of 0 and garments up to 1, in batches of the shape (images, 28, 28, "
        "1). Return it as a batch of one image as the network knows it.",
        stub='''\
def prepare(image):
    """Returns a batch (1, 28, 28, 1), background 0, of an image (28, 28): bytes, 255 is white paper."""
    ...
''',
        solution="""\
def prepare(image):
    return (1 - image / 255).reshape(1, 28, 28, 1)
""",
        explanation="Three things, each of which alone spoils the prediction: turned to a dark background, scaled to 0 "
        "to 1, and the shape of a batch with one channel. Whatever was done to the training images is done to every "
        "image afterwards.",
        hints=(
            "Three things differ: black and white, the range of the numbers, and the shape.",
            "Divide by 255 first. What turns 1 into 0 and 0 into 1?",
            "1 - image / 255, and then reshape(1, 28, 28, 1).",
        ),
        mistakes=(
            Mistake(
                "not_inverted",
                "The paper is 1 and the garment dark: in the training images it is the other way round.",
                "def prepare(image):\n    return (image / 255).reshape(1, 28, 28, 1)",
            ),
            Mistake(
                "not_scaled",
                "The numbers go up to 255: the network was trained on numbers from 0 to 1.",
                "def prepare(image):\n    return (255 - image).reshape(1, 28, 28, 1)",
            ),
            Mistake(
                "no_batch",
                "That is one image. A network takes a batch, even of one.",
                "def prepare(image):\n    return (1 - image / 255).reshape(28, 28, 1)",
            ),
            Mistake(
                "no_channel",
                "The channel is missing: a grey image has one number for each pixel, and its shape says so at its end.",
                "def prepare(image):\n    return (1 - image / 255).reshape(1, 28, 28)",
            ),
            Mistake(
                "below_0",
                "The numbers are below 0: first scale, then turn black into white.",
                "def prepare(image):\n    return (1.0 - image).reshape(1, 28, 28, 1) / 255",
            ),
        ),
        inputs=((GARMENT,), (GARMENT.T.copy(),)),
    ),
)
