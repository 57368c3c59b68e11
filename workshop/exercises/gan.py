"""Exercises on the lesson `gan`: sizes, the targets of two losses, the variety of samples, whose gradients, a walk."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake
from workshop.exercises.kit.models import check_is_model
from workshop.kit.lazy import keras

NOISES = (
    ([1.0, 0.0], [0.0, 1.0], 3),
    ([2.0, 1.0], [0.0, -1.0], 5),
    ([0.0, 4.0, 1.0], [1.0, 0.0, 1.0], 2),
)


def _grade_generator(answer: Any) -> str:
    """Looks at a generator, and names the mistake in it."""
    check_is_model(answer)
    if tuple(answer.input_shape) != (None, 42):
        raise AnswerError(f"It takes inputs of shape {answer.input_shape}, expected (None, 42).", "shape")
    shape = tuple(answer.output_shape)
    if shape == (None, 7, 7, 1):
        return "no_strides"
    if shape == (None, 14, 14, 1):
        return "once"
    if len(shape) == 4 and shape[-1] == 28 and shape[1] != 28:
        return "axes"
    if shape == (None, 28, 28, 16):
        return "channels"
    if shape != (None, 28, 28, 1):
        raise AnswerError(f"It makes images of shape {shape}, expected (None, 28, 28, 1).", "shape")
    outputs = keras.ops.convert_to_numpy(
        answer(30 * np.random.default_rng(1).standard_normal((8, 42)).astype("float32"))
    )
    if outputs.min() < 0:
        return "negative"
    if outputs.max() > 1:
        return "above_one"
    if not any(isinstance(layer, keras.layers.Conv2DTranspose) for layer in answer.layers):
        raise AnswerError("The images are of the right size, but no Conv2DTranspose makes them.", "value")
    return ""


GENERATOR = """\
generator = keras.Sequential(
    [
        keras.Input((42,)),
        keras.layers.Dense(7 * 7 * 32, activation="relu"),
        keras.layers.Reshape((7, 7, 32)),
        keras.layers.Conv2DTranspose(16, 4, strides=2, padding="same", activation="relu"),
        keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
    ]
)
"""

EXERCISES = (
    Exercise(
        title="A generator",
        task="Build a generator as `keras.Sequential`: 42 numbers in, `Dense` to 7 * 7 * 32 numbers, relu, `Reshape` "
        "to (7, 7, 32), then two `Conv2DTranspose` with windows of 4, strides of 2 and padding `same`: 16 filters and "
        "relu, then as many filters as the image has channels. The pixels are to lie from 0 to 1.",
        stub="generator = ...",
        solution=GENERATOR,
        explanation="A convolution with strides of 2 halves an image; the transposed one runs it backward and doubles "
        "it: 7, 14, 28. The sigmoid keeps the pixels between paper (0) and ink (1), where those of the real images "
        "lie. Other pixels would give the discriminator an easy sign.",
        hints=(
            "keras.Input((42,)) comes first. How does 7 become 28 in two steps?",
            "strides=2 and padding='same' double the image: 7 to 14, 14 to 28.",
            "The last layer has 1 filter, for a grey image, and the activation that gives numbers from 0 to 1.",
        ),
        mistakes=(
            Mistake(
                "no_strides",
                "The images stay 7x7: without strides a transposed convolution does not enlarge.",
                GENERATOR.replace("strides=2, ", ""),
            ),
            Mistake(
                "once",
                "The images come out 14x14: they were doubled once.",
                """\
generator = keras.Sequential(
    [
        keras.Input((42,)),
        keras.layers.Dense(7 * 7 * 32, activation="relu"),
        keras.layers.Reshape((7, 7, 32)),
        keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
    ]
)
""",
            ),
            Mistake(
                "channels",
                "The images have 16 channels: the last layer is still missing, or has too many filters.",
                GENERATOR.replace("Transpose(1,", "Transpose(16,"),
            ),
            Mistake(
                "axes",
                "The channels are the last axis in Keras: you put them elsewhere.",
                GENERATOR.replace("(7, 7, 32)", "(32, 7, 7)").replace("Transpose(1,", "Transpose(28,"),
            ),
            Mistake(
                "negative",
                "Some pixels are below 0: which activation gives numbers from 0 to 1 only?",
                GENERATOR.replace("sigmoid", "tanh"),
            ),
            Mistake(
                "above_one",
                "Some pixels are above 1: nothing holds the last layer back there.",
                GENERATOR.replace("sigmoid", "relu"),
            ),
        ),
        grade=_grade_generator,
        imports="import keras\nimport numpy as np",
    ),
    Exercise(
        title="Three targets",
        task="In a step of training the discriminator gets real images and drawn ones; then the generator gets its "
        "step. Which three targets do the losses compare the discriminator's outputs with? Give a list of three "
        "numbers, each 0 or 1: of real images and of drawn ones in the discriminator's step, and of drawn ones in the "
        "generator's.",
        stub="targets = ...",
        solution="targets = [1, 0, 1]",
        explanation="The discriminator is to say real (1) of real images and drawn (0) of drawn ones. The generator "
        "wants the same discriminator to say real of its images. So the two want opposite outputs for the same images: "
        "they are adversaries. (In practice real images get 0.9, so that the discriminator does not become too sure.)",
        hints=(
            "The discriminator's output is the probability that an image is real.",
            "Is the generator content when the discriminator recognises its images, or when it is taken in?",
        ),
        mistakes=(
            Mistake(
                "helps",
                "With the third number the generator helps the discriminator: it would learn images that are "
                "recognised at once as drawn.",
                "targets = [1, 0, 0]",
            ),
            Mistake(
                "all_real",
                "A discriminator that is told that all images are real has nothing to learn.",
                "targets = [1, 1, 1]",
            ),
            Mistake(
                "the_other_way",
                "These are the targets of an output that is the probability of being drawn. Here it is that of being "
                "real.",
                "targets = [0, 1, 0]",
            ),
        ),
    ),
    Exercise(
        title="How varied",
        task="A classifier names the digit on each drawn image; `counts` says how often it named each of the ten. "
        "Return the entropy of the digits as a share of the largest possible: minus the sum of p times ln p, divided "
        "by ln 10, where p are the shares of the digits. A digit that was never named adds nothing.",
        stub='''\
def variety(counts):
    """Returns a number from 0 to 1 for the counts of ten digits, a list of whole numbers."""
    ...
''',
        solution="""\
def variety(counts):
    p = np.array(counts) / np.sum(counts)
    p = p[p > 0]
    return -np.sum(p * np.log(p)) / np.log(10)
""",
        explanation="It is 1 where each digit is a tenth of the images, and 0 where all show the same one: a generator "
        "that collapsed. It says nothing of how good the images are, so one looks at both.",
        hints=(
            "From counts to shares: divide by the sum of all.",
            "ln 0 is minus infinity: keep only the shares that are above 0, p[p > 0].",
        ),
        mistakes=(
            Mistake(
                "not_divided",
                "That is the entropy itself, up to 2.3 for ten digits: divide it by the largest possible.",
                "def variety(counts):\n    p = np.array(counts) / np.sum(counts)\n    p = p[p > 0]\n"
                "    return -np.sum(p * np.log(p))",
            ),
            Mistake(
                "present_only",
                "You divided by the logarithm of the digits that are there: two digits in equal shares would be as "
                "varied as ten.",
                "def variety(counts):\n    p = np.array(counts) / np.sum(counts)\n    p = p[p > 0]\n"
                "    return -np.sum(p * np.log(p)) / np.log(max(len(p), 2))",
            ),
            Mistake(
                "sign",
                "Logarithms of shares are negative: yours has the other sign.",
                "def variety(counts):\n    p = np.array(counts) / np.sum(counts)\n    p = p[p > 0]\n"
                "    return np.sum(p * np.log(p)) / np.log(10)",
            ),
            Mistake(
                "count_of_digits",
                "That is the share of the digits that are there at all: one image of a digit would count as much as a "
                "hundred.",
                "def variety(counts):\n    return np.count_nonzero(counts) / 10",
            ),
        ),
        inputs=(
            ([10, 10, 10, 10, 10, 10, 10, 10, 10, 10],),
            ([50, 50, 0, 0, 0, 0, 0, 0, 0, 0],),
            ([1, 2, 3, 4, 0, 6, 7, 8, 9, 0],),
            ([0, 0, 7, 0, 0, 0, 0, 0, 0, 0],),
        ),
    ),
    Exercise(
        title="From one noise vector to another",
        task="Return `steps` rows of noise on the straight line from `start` to `end`, both included: an array "
        "(steps, numbers). What the generator makes of them is a walk from one image to another.",
        stub='''\
def walk(start, end, steps):
    """Returns an array (steps, n) for two lists of n numbers; the first row is start, the last one end."""
    ...
''',
        solution="""\
def walk(start, end, steps):
    share = np.linspace(0, 1, steps)[:, None]
    return (1 - share) * np.array(start) + share * np.array(end)
""",
        explanation="`[:, None]` makes a column of the shares, (steps, 1): by broadcasting each row gets its own. If "
        "the images change smoothly on the way, the generator did not learn training images by heart: between two of "
        "these there would be nothing.",
        hints=(
            "np.linspace(0, 1, steps) are the shares of the way that are done.",
            "A row is (1 - share) * start + share * end. Shares as a column, [:, None], give all rows at once.",
        ),
        mistakes=(
            Mistake(
                "backwards",
                "Your walk begins at the end.",
                "def walk(start, end, steps):\n    share = np.linspace(0, 1, steps)[:, None]\n"
                "    return share * np.array(start) + (1 - share) * np.array(end)",
            ),
            Mistake(
                "not_arrived",
                "Your walk stops one step short: the last row is to be the end itself.",
                "def walk(start, end, steps):\n    share = np.arange(steps)[:, None] / steps\n"
                "    return (1 - share) * np.array(start) + share * np.array(end)",
            ),
            Mistake(
                "no_start_subtracted",
                "You add shares of the end to the whole start: half-way you are not in the middle.",
                "def walk(start, end, steps):\n    share = np.linspace(0, 1, steps)[:, None]\n"
                "    return np.array(start) + share * np.array(end)",
            ),
        ),
        inputs=NOISES,
    ),
    Exercise(
        title="Out of balance",
        task="The discriminator becomes so good that it gives every drawn image a probability of being real of nearly "
        '0, whatever the generator changes in it. What does the generator learn from then on? `"a"`: fast, as its loss '
        'is large. `"b"`: little, as the output hardly changes with the image, and tells no direction. `"c"`: to draw '
        'the same image for all noise vectors. `"d"`: nothing new, as its images are perfect by then.',
        stub="choice = ...",
        solution='choice = "b"',
        explanation="A gradient is the change of the loss with the image. Where the discriminator answers the same "
        "whatever is changed, it shows no way to better images. That is why the two are kept in balance: real images "
        "get 0.9 instead of 1, leaky relu lets a gradient through below 0, and the loss is minus the logarithm of "
        "being taken for real, which is steep where the generator is bad.",
        hints=(
            "The generator sees neither images nor probabilities: only a gradient.",
            "Is a number that does not change with the image steep anywhere?",
        ),
        mistakes=(
            Mistake(
                "large_loss",
                "How large a loss is does not matter to gradient descent: its slope does.",
                'choice = "a"',
            ),
            Mistake(
                "collapse",
                "That happens in the opposite case, when the generator finds one image that a weak discriminator takes "
                "for real.",
                'choice = "c"',
            ),
            Mistake(
                "perfect",
                "Were they perfect, the discriminator could not tell them from real ones.",
                'choice = "d"',
            ),
        ),
    ),
)
