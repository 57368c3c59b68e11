"""Exercises on the lesson `transfer_learning`: freezing, a new head, the order, pixels as the backbone knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.kit.lazy import keras

IMAGES = np.array([[[[0, 128, 255], [124, 116, 104]]], [[[255, 255, 255], [10, 20, 30]]]], np.uint8)
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def grade_freeze(freeze: Callable[[Any], Any]) -> str:
    """Returns "" for a function that freezes all layers of a model but the last."""
    if not callable(freeze):
        raise AnswerError("Give a function.", "type")
    # Not built: layers without weights are made at once.
    kinds = keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(3)
    model = keras.Sequential(kinds)
    try:
        result = freeze(model)
    except (Exception, SystemExit) as error:
        says = " ".join(f"Your function stopped: {type(error).__name__}: {error}".split())[:200]
        raise AnswerError(says, "error") from None
    if len(model.layers) != len(kinds):
        raise AnswerError("Your function changed the model's layers. Freezing changes only what is trained.")
    trained = [layer.trainable for layer in model.layers]
    if not model.trainable or not any(trained):  # with model.trainable = False no layer is trained, whatever it says
        return "all_frozen"
    if all(trained):
        if result is None or result is ...:
            raise AnswerError("Nothing yet: all layers are still trained.", "unanswered")
        return "nothing_frozen"
    if trained == [True, True, True, False]:
        return "last_frozen"
    if trained == [False, True, True, True]:
        return "first_only"
    if trained != [False, False, False, True]:
        return "some_left"
    return ""


EXERCISES = (
    Exercise(
        title="Freeze the backbone",
        task="Each layer of a Keras model has an attribute `trainable`, True at first. Write a function that makes it "
        "False for every layer of `model` **except the last**, the head. It changes the model and needs to return "
        "nothing.",
        stub='''\
def freeze(model):
    """Freezes all layers of a keras.Sequential but the last one."""
    ...
''',
        solution="""\
def freeze(model):
    for layer in model.layers[:-1]:
        layer.trainable = False
""",
        explanation="A frozen layer still computes; only its weights stay. Compile after freezing: `compile` fixes "
        "what is trained, and a change afterwards has no effect until the next `compile`.",
        hints=(
            "model.layers is the list of the layers. A slice leaves the last one out.",
            "A loop over model.layers[:-1], and one assignment in it.",
        ),
        mistakes=(
            Mistake(
                "all_frozen",
                "Everything is frozen, the head too: nothing would be trained.",
                "def freeze(model):\n    model.trainable = False",
            ),
            Mistake(
                "last_frozen",
                "You froze the head, which alone is to be trained, and nothing else.",
                "def freeze(model):\n    model.layers[-1].trainable = False",
            ),
            Mistake(
                "first_only",
                "You froze one layer; the others of the backbone are still trained.",
                "def freeze(model):\n    model.layers[0].trainable = False",
            ),
            Mistake(
                "some_left",
                "Some layers of the backbone are still trained. Does your loop reach them all?",
                "def freeze(model):\n    for layer in model.layers[:-2]:\n        layer.trainable = False",
            ),
            Mistake(
                "nothing_frozen",
                "All layers are still trained: is `trainable` set on the layers of this model?",
                "def freeze(model):\n    model.is_frozen = True\n    return model",
            ),
        ),
        grade=grade_freeze,
    ),
    Exercise(
        title="A new head",
        task="A network that was trained on ImageNet, a ResNet18, ends with 512 numbers for each image. All of it is "
        "frozen, and a new dense layer with an output for each of **seven** banknotes (5, 10, 20, 50, 100, 200, 500) "
        "is put behind it. How many weights are trained, biases counted too?",
        stub="trained = ...",
        solution="trained = 512 * 7 + 7",
        explanation="3,591 of eleven million. So few weights can be trained on few photographs, and quickly: the 512 "
        "numbers of each photograph do not change, so they are computed only once.",
        hints=(
            "Only the new layer is trained. It has seven units.",
            "Each unit multiplies all numbers that it gets by weights of its own, and adds one more number.",
        ),
        mistakes=(
            Mistake("no_biases", "The biases are missing: each unit adds one number of its own.", "trained = 512 * 7"),
            Mistake(
                "one_unit",
                "That is one unit. There is a unit for each banknote.",
                "trained = 512 + 1",
            ),
            Mistake(
                "values_of_notes",
                "The values on the notes are names of the classes, nothing to compute with.",
                "trained = 512 * (5 + 10 + 20 + 50 + 100 + 200 + 500)",
            ),
            Mistake(
                "bias_for_each_input",
                "You counted a bias for each input; it is one for each unit.",
                "trained = 512 * 7 + 512",
            ),
        ),
    ),
    Exercise(
        title="In which order",
        task="You have a trained backbone, a new head whose weights are random, and 20 photographs. Which of these "
        "plans "
        'is the best? `"a"`: train everything at once at a learning rate of 0.003. `"b"`: train the head with the '
        'backbone frozen; then unfreeze the backbone and go on at a tenth of the learning rate. `"c"`: the backbone '
        'first, with the head frozen, then the head. `"d"`: initialise the backbone at random again, so that old and '
        "new "
        "weights fit together.",
        stub="plan = ...",
        solution='plan = "b"',
        explanation="As long as the head is random, its errors are large and say nothing about the backbone; they "
        "would change good weights. Once the head fits, small steps adapt the backbone to the new photographs.",
        hints=(
            "In the first steps the head's outputs are random. Which weights would its errors change?",
            "What was learned from many images is worth keeping; how large may the steps be then?",
        ),
        mistakes=(
            Mistake(
                "all_at_once",
                "Large steps, led by a head that is still random, destroy what the backbone learned from many images.",
                'plan = "a"',
            ),
            Mistake(
                "head_last",
                "A random head that is frozen asks the backbone to fit random numbers.",
                'plan = "c"',
            ),
            Mistake(
                "from_scratch",
                "Then nothing is transferred: 20 photographs would have to teach everything.",
                'plan = "d"',
            ),
        ),
    ),
    Exercise(
        title="Pixels as the backbone knows them",
        task="ResNet18 was trained on pixels from 0 to 1, from which each colour's mean was subtracted, and which were "
        "then divided by each colour's standard deviation: the mean is .485, .456, .406, the deviation .229, .224, "
        ".225 for red, green and blue. Prepare `images` in the same way; their pixels are whole numbers from 0 to "
        "255, and `mean` and `deviation` are arrays of three numbers.",
        stub='''\
def normalise(images, mean, deviation):
    """Returns float images (n, height, width, 3), from images of whole numbers 0 to 255."""
    ...
''',
        solution="""\
def normalise(images, mean, deviation):
    return (images / 255 - mean) / deviation
""",
        explanation="Broadcasting subtracts the three means from the last axis, the colours. A backbone gets at its "
        "best what it was trained on: MobileNet wants pixels from -1 to 1, others 0 to 255. No error says when it is "
        "wrong; the accuracy does.",
        hints=(
            "Three steps: to 0 to 1, then minus the mean, then divided by the deviation.",
            "NumPy subtracts an array of three numbers from the last axis, which has the three colours.",
            "The mean belongs to pixels from 0 to 1, so images / 255 comes first. Mind the brackets.",
        ),
        mistakes=(
            Mistake(
                "not_scaled",
                "Mean and deviation are those of pixels from 0 to 1, and yours go to 255.",
                "def normalise(images, mean, deviation):\n    return (images - mean) / deviation",
            ),
            Mistake(
                "no_deviation",
                "The division by the standard deviation is missing.",
                "def normalise(images, mean, deviation):\n    return images / 255 - mean",
            ),
            Mistake(
                "brackets",
                "Division comes before subtraction: you divided the mean, and not the difference.",
                "def normalise(images, mean, deviation):\n    return images / 255 - mean / deviation",
            ),
            Mistake(
                "own_mean",
                "You took mean and deviation of these images. The backbone knows those of its own training.",
                "def normalise(images, mean, deviation):\n"
                "    X = images / 255\n"
                "    return (X - X.mean(axis=(0, 1, 2))) / X.std(axis=(0, 1, 2))",
            ),
            Mistake(
                "blue_first",
                "You took the colours in the order blue, green, red, as OpenCV reads them.",
                "def normalise(images, mean, deviation):\n    return (images / 255 - mean[::-1]) / deviation[::-1]",
            ),
        ),
        inputs=((IMAGES, MEAN, DEVIATION), (IMAGES[1:], MEAN, DEVIATION)),
    ),
)
