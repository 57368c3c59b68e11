"""Exercises on the lesson `text_generation`: targets one step later, bits per character, sampling, temperature."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

NUMBERS = np.array([7, 4, 1, 1, 5, 0, 2, 6])
PROBABILITIES = np.array([0.5, 0.3, 0.15, 0.05])

EXERCISES = (
    Exercise(
        title="The next character at every step",
        task="Cut a text, as numbers, into windows of `length` that lie side by side. The network predicts the next "
        "character after **every** character of a window. Return X and y, both (windows, length); a window at the end "
        "that has not all of its targets is left out.",
        stub='''\
def windows(numbers, length):
    """Returns inputs X and targets y, both (windows, length), of numbers (characters,)."""
    ...
''',
        solution="""\
def windows(numbers, length):
    count = (len(numbers) - 1) // length
    X = numbers[: count * length].reshape(count, length)
    y = numbers[1 : count * length + 1].reshape(count, length)
    return X, y
""",
        explanation="The targets are the same text, one character later. So a window of 32 characters gives 32 "
        "predictions to learn from, not one.",
        hints=(
            "Write the numbers of a short text in a row, and below each the one that it should predict.",
            "y is the text from its second character on. How many whole windows does that leave?",
            "count = (len(numbers) - 1) // length; X begins at 0 and y at 1, and both are reshaped to (count, length).",
        ),
        mistakes=(
            Mistake(
                "same",
                "Your targets are the inputs: a network learns in a minute to copy what it reads.",
                "def windows(numbers, length):\n    count = (len(numbers) - 1) // length\n"
                "    X = numbers[: count * length].reshape(count, length)\n    return X, X.copy()",
            ),
            Mistake(
                "backwards",
                "Your network predicts the character before: inputs and targets are exchanged.",
                "def windows(numbers, length):\n    count = (len(numbers) - 1) // length\n"
                "    X = numbers[: count * length].reshape(count, length)\n"
                "    return numbers[1 : count * length + 1].reshape(count, length), X",
            ),
            Mistake(
                "last_only",
                "You gave one target for each window. Every character of it has a next one.",
                "def windows(numbers, length):\n    count = (len(numbers) - 1) // length\n"
                "    X = numbers[: count * length].reshape(count, length)\n"
                "    return X, numbers[length : count * length + 1 : length]",
            ),
            Mistake(
                "next_window",
                "Your targets are a whole window later; the next character is one step later.",
                "def windows(numbers, length):\n    count = (len(numbers) - 1) // length\n"
                "    X = numbers[: count * length].reshape(count, length)\n    return X[:-1], X[1:]",
            ),
        ),
        inputs=((NUMBERS, 2), (NUMBERS, 3)),
    ),
    Exercise(
        title="Bits per character when nothing is known",
        task="A text has 64 different characters, and a model knows nothing: it gives each of them the same "
        "probability. How many bits per character is that, the negative logarithm to the base 2 of the probability?",
        stub="bits = ...",
        solution="bits = 6",
        explanation="1/64 is one half six times over: six questions with yes or no find one of 64 characters. A model "
        "that knows more needs fewer, and this is how it is measured.",
        hints=(
            "The probability of each character is 1/64.",
            "How often must 64 be halved until 1 is left?",
        ),
        mistakes=(
            Mistake(
                "nats",
                "That is the natural logarithm, as Keras' cross-entropy has it. A bit is to the base 2.",
                "import math\nbits = math.log(64)",
            ),
            Mistake(
                "count",
                "That is the number of characters, not how many questions with yes or no find one of them.",
                "bits = 64",
            ),
            Mistake(
                "negative",
                "A logarithm of a number below 1 is negative; bits are counted with the minus sign before it.",
                "bits = -6",
            ),
            Mistake(
                "probability",
                "That is the probability of each; take its logarithm.",
                "bits = 1 / 64",
            ),
        ),
        imports="",
    ),
    Exercise(
        title="Bits per character",
        task="`of_true` are the probabilities that a model gave to the characters that really came next. Return the "
        "bits per character: the mean of the negative logarithm to the base 2.",
        stub='''\
def bits_per_character(of_true):
    """Returns the bits per character, of probabilities (characters,) of what really came."""
    ...
''',
        solution="""\
def bits_per_character(of_true):
    return -np.mean(np.log2(of_true))
""",
        explanation="Keras' cross-entropy is the same with the natural logarithm, so bits are the loss divided by "
        "ln 2. A file could be compressed to so many bits a character by this model.",
        hints=(
            "NumPy has the logarithm to the base 2: np.log2.",
            "The logarithm of each probability first, then the mean, and a minus sign.",
        ),
        mistakes=(
            Mistake(
                "nats",
                "You took the natural logarithm, the one of Keras' loss: that is not in bits.",
                "def bits_per_character(of_true):\n    return -np.mean(np.log(of_true))",
            ),
            Mistake(
                "no_minus",
                "A logarithm of a number below 1 is negative, bits are not.",
                "def bits_per_character(of_true):\n    return np.mean(np.log2(of_true))",
            ),
            Mistake(
                "of_the_mean",
                "You took the logarithm of the mean probability: then a character that was thought impossible costs "
                "next to nothing.",
                "def bits_per_character(of_true):\n    return -np.log2(np.mean(of_true))",
            ),
            Mistake(
                "not_divided",
                "The sum was not divided by the number of characters.",
                "def bits_per_character(of_true):\n    return -np.sum(np.log2(of_true))",
            ),
        ),
        inputs=((PROBABILITIES,), (np.array([0.9, 0.01]),)),
    ),
    Exercise(
        title="Sample a character",
        task="`probabilities` are those of the next character, and `r` is a random number, at least 0 and below 1. Lay "
        "the probabilities one after the other on a line from 0 to 1, and return the index of the piece that r falls "
        "into.",
        stub='''\
def sample(probabilities, r):
    """Returns an index, of probabilities (characters,) and a number r."""
    ...
''',
        solution="""\
def sample(probabilities, r):
    ends = np.cumsum(probabilities)
    return int(np.searchsorted(ends, r, side="right"))
""",
        explanation="A piece is hit as often as it is long, so each character comes as often as its probability says. "
        "Taking the likeliest each time would give the same few words again and again.",
        hints=(
            "Where does each piece end? np.cumsum adds up.",
            "The index is the number of pieces that end at r or before it.",
            "Count them: np.sum(np.cumsum(probabilities) <= r).",
        ),
        mistakes=(
            Mistake(
                "likeliest",
                "You take the likeliest character whatever r is: then nothing is random.",
                "def sample(probabilities, r):\n    return int(np.argmax(probabilities))",
            ),
            Mistake(
                "all_alike",
                "Your pieces are all of the same length: the probabilities have no effect.",
                "def sample(probabilities, r):\n    return int(r * len(probabilities))",
            ),
            Mistake(
                "one_too_early",
                "You are one piece too early: a piece that ends before r is not the one that r falls into.",
                "def sample(probabilities, r):\n"
                "    return max(0, int(np.searchsorted(np.cumsum(probabilities), r, side='right')) - 1)",
            ),
            Mistake(
                "nearest",
                "You look for the probability that is closest to r; r is a place on the line, not a probability.",
                "def sample(probabilities, r):\n    return int(np.argmin(np.abs(np.asarray(probabilities) - r)))",
            ),
        ),
        inputs=(
            (PROBABILITIES, 0.1),
            (PROBABILITIES, 0.6),
            (PROBABILITIES, 0.9),
            (PROBABILITIES, 0.97),
            (np.array([0.1, 0.2, 0.7]), 0.25),
        ),
    ),
    Exercise(
        title="Temperature",
        task="Return the probabilities at a temperature T: each is raised to the power of 1 / T, and all are divided "
        "by their sum, so that they add up to 1 again.",
        stub='''\
def at_temperature(probabilities, temperature):
    """Returns probabilities (characters,) that add up to 1."""
    ...
''',
        solution="""\
def at_temperature(probabilities, temperature):
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum()
""",
        explanation="At T = 1 nothing changes. Below 1 the likely characters become likelier, towards always the "
        "likeliest; above 1 all come closer to each other, towards letters at random.",
        hints=(
            "A power of an array is taken number by number: probabilities ** something.",
            "Divide the powers by their sum.",
        ),
        mistakes=(
            Mistake(
                "not_divided",
                "Your numbers do not add up to 1: the powers are no probabilities yet.",
                "def at_temperature(probabilities, temperature):\n    return probabilities ** (1 / temperature)",
            ),
            Mistake(
                "upside_down",
                "Your low temperatures make the text wilder, and the high ones tamer: look at the exponent.",
                "def at_temperature(probabilities, temperature):\n    powers = probabilities**temperature\n"
                "    return powers / powers.sum()",
            ),
            Mistake(
                "no_power",
                "You divided all by the same number, and then by their sum: that changes nothing.",
                "def at_temperature(probabilities, temperature):\n    parts = probabilities / temperature\n"
                "    return parts / parts.sum()",
            ),
            Mistake(
                "softmax_of_probabilities",
                "You took the softmax of the probabilities. It belongs to logits; the probabilities have been through "
                "it once.",
                "def at_temperature(probabilities, temperature):\n    powers = np.exp(probabilities / temperature)\n"
                "    return powers / powers.sum()",
            ),
        ),
        inputs=((PROBABILITIES, 0.5), (PROBABILITIES, 2.0), (PROBABILITIES, 1.0)),
    ),
)
