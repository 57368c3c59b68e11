"""Exercises on the lesson `autoencoder`: two numbers through one, an error for each image, anomalies, noise."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

IMAGES = np.array([[[0.0, 1.0], [0.5, 1.0]], [[1.0, 1.0], [0.0, 0.0]], [[0.25, 0.75], [1.0, 0.0]]])
RECONSTRUCTIONS = np.array([[[0.25, 0.5], [0.5, 1.0]], [[0.0, 0.5], [0.5, 0.0]], [[0.25, 0.5], [0.75, 0.5]]])
KNOWN = np.arange(1.0, 201.0) / 1000
ERRORS = np.array([0.01, 0.05, 0.1, 0.15, 0.185, 0.195, 0.2, 0.3])

EXERCISES = (
    Exercise(
        title="Two numbers through one",
        task="A network 2 - 1 - 2 without biases and activations; all four weights are 1/sqrt(2). The point (3, 1) "
        "goes in. Which two numbers come out? Give a list of them, or let Python compute it.",
        stub="out = ...",
        solution="""\
w = 1 / np.sqrt(2)
code = 3 * w + 1 * w
out = [code * w, code * w]
""",
        explanation="The code is 4/sqrt(2), the way from the origin along the diagonal; the output is (2, 2), the "
        "point of the diagonal that is nearest to (3, 1). How far the point lay beside the diagonal is lost: one "
        "number cannot hold two.",
        hints=(
            "First the number in the middle: each input times its weight, added up.",
            "The code is (3 + 1) / sqrt(2). Each output is the code times a weight.",
        ),
        mistakes=(
            Mistake(
                "code_only",
                "That is the code, the number in the middle: the decoder multiplies it by its weights.",
                "out = [4 / np.sqrt(2), 4 / np.sqrt(2)]",
            ),
            Mistake(
                "weights_of_one",
                "You added the inputs and left the weights out.",
                "out = [4, 4]",
            ),
            Mistake(
                "perfect",
                "Both numbers came back. Can one number in the middle hold two?",
                "out = [3, 1]",
            ),
            Mistake(
                "one_weight_each",
                "Each input went its own way. Both are added up in the middle first.",
                "out = [3 / 2, 1 / 2]",
            ),
        ),
    ),
    Exercise(
        title="An error for each image",
        task="Return the mean squared error of **each** image: the mean of the squared differences of its pixels. "
        "`images` and `reconstructions` are arrays (n, height, width); the result has n numbers.",
        stub='''\
def reconstruction_errors(images, reconstructions):
    """Returns (n,) mean squared errors, of images and reconstructions of shape (n, height, width)."""
    ...
''',
        solution="""\
def reconstruction_errors(images, reconstructions):
    return np.mean((images - reconstructions) ** 2, axis=(1, 2))
""",
        explanation="`axis=(1, 2)` averages over rows and columns and keeps the images apart. The loss that Keras "
        "prints is the mean of these n numbers.",
        hints=(
            "Subtract, square, and take a mean. Over which axes?",
            "np.mean takes axis=... : axis 0 are the images, and these must remain.",
            "Two axes at once are given as a tuple, the rows and the columns.",
        ),
        mistakes=(
            Mistake(
                "one_for_all",
                "That is one number for all images together: each image is to have its own.",
                "def reconstruction_errors(images, reconstructions):\n"
                "    return np.mean((images - reconstructions) ** 2)",
            ),
            Mistake(
                "mean_image",
                "You averaged over the images, and got a number for each pixel.",
                "def reconstruction_errors(images, reconstructions):\n"
                "    return np.mean((images - reconstructions) ** 2, axis=0)",
            ),
            Mistake(
                "absolute",
                "That is the mean absolute error: the differences are to be squared.",
                "def reconstruction_errors(images, reconstructions):\n"
                "    return np.mean(np.abs(images - reconstructions), axis=(1, 2))",
            ),
            Mistake(
                "not_divided",
                "The sum was not divided by the number of pixels.",
                "def reconstruction_errors(images, reconstructions):\n"
                "    return np.sum((images - reconstructions) ** 2, axis=(1, 2))",
            ),
            Mistake(
                "squared_mean",
                "You squared the mean difference: pixels that are too dark and too bright cancel out. Square first.",
                "def reconstruction_errors(images, reconstructions):\n"
                "    return np.mean(images - reconstructions, axis=(1, 2)) ** 2",
            ),
        ),
        inputs=((IMAGES, RECONSTRUCTIONS), (IMAGES[:1], RECONSTRUCTIONS[:1])),
    ),
    Exercise(
        title="A threshold for anomalies",
        task="`known` are the reconstruction errors of validation images as they should be. Choose the threshold so "
        "that the share `false_alarms` of **these** lies above it (`np.quantile`), and return an array of True and "
        "False: which of `errors` lie above the threshold?",
        stub='''\
def is_anomaly(errors, known, false_alarms):
    """Returns (n,) True or False for errors (n,); known (m,) are errors of images that are no anomalies."""
    ...
''',
        solution="""\
def is_anomaly(errors, known, false_alarms):
    threshold = np.quantile(known, 1 - false_alarms)
    return errors > threshold
""",
        explanation="At 1 % false alarms, 99 % of the known images lie below the threshold. Nobody has to know the "
        "anomalies beforehand: a large error says only that the network has not seen such images.",
        hints=(
            "np.quantile(values, 0.9) is the number below which nine tenths of the values lie.",
            "At 1 % false alarms, which share of the known errors lies below the threshold?",
            "The threshold comes from `known`; it is `errors` that is compared with it.",
        ),
        mistakes=(
            Mistake(
                "wrong_end",
                "Your threshold lies at the small errors, so that nearly everything is an anomaly.",
                "def is_anomaly(errors, known, false_alarms):\n    return errors > np.quantile(known, false_alarms)",
            ),
            Mistake(
                "of_the_tested",
                "You took the threshold from the images to be tested: then some are always anomalies, even if none is.",
                "def is_anomaly(errors, known, false_alarms):\n    return errors > np.quantile(errors, 1 - "
                "false_alarms)",
            ),
            Mistake(
                "small_ones",
                "You named the images that are reconstructed well.",
                "def is_anomaly(errors, known, false_alarms):\n    return errors < np.quantile(known, 1 - "
                "false_alarms)",
            ),
            Mistake(
                "largest_known",
                "Your threshold is the largest known error: a single odd image would decide, and the share has no "
                "effect.",
                "def is_anomaly(errors, known, false_alarms):\n    return errors > known.max()",
            ),
        ),
        inputs=((ERRORS, KNOWN, 0.1), (ERRORS, KNOWN, 0.05), (ERRORS[:3], KNOWN, 0.01)),
    ),
    Exercise(
        title="What goes in, what is to come out",
        task="A network is to take noise off images. Which images does `fit(inputs, targets)` get? "
        '`"a"`: noisy inputs, the same noisy images as targets. `"b"`: clean inputs, noisy targets. `"c"`: noisy '
        'inputs, clean targets. `"d"`: clean inputs, clean targets.',
        stub="choice = ...",
        solution='choice = "c"',
        explanation="The loss compares the output with what is wanted, and wanted is the clean image. That is easy to "
        "arrange: nobody can clean images by hand, but everybody can add noise to clean ones.",
        hints=(
            "What will the network get when somebody uses it?",
            "The targets are what the network is to predict.",
        ),
        mistakes=(
            Mistake(
                "noise_wanted",
                "With these targets the network is rewarded for reproducing the noise.",
                'choice = "a"',
            ),
            Mistake(
                "the_other_way",
                "That network would learn to add noise, which cannot even be predicted.",
                'choice = "b"',
            ),
            Mistake(
                "never_noisy",
                "It would never have seen noise, and what it does with noise is anybody's guess.",
                'choice = "d"',
            ),
        ),
    ),
)
