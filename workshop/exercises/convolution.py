"""Exercises on the lesson `convolution`: numbers of an image, a kernel, margins, output sizes, max pooling by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake

IMAGE = np.array([[1, 3, 2, 0], [4, 2, 1, 1], [0, 5, 3, 2], [2, 1, 6, 7]])
SMALL = np.array([[0.5, -1.0], [0.25, -2.0]])
WIDE = np.array([[9.0, 1.0, 2.0, 3.0, 0.0, 8.0], [1.0, 1.0, 5.0, 4.0, 7.0, 6.0]])


def grade_vertical_edges(kernel: Any) -> str:
    """Returns "" for a 3x3 kernel that is 0 on plain areas and above 0 where an image turns from dark to bright."""
    try:
        weights = np.asarray(kernel, float)
    except (TypeError, ValueError):
        raise AnswerError(
            "Give three rows of three numbers, such as np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]).", "type"
        ) from None
    if weights.shape != (3, 3):
        raise AnswerError(f"Your kernel has the shape {weights.shape}, expected (3, 3).", "shape")
    if not np.isfinite(weights).all():
        raise AnswerError("One of the nine numbers is NaN or infinite.", "nan")
    if np.ptp(weights) == 0:
        return "all_equal"
    if abs(weights.sum()) > 1e-9:
        return "plain_area"
    # What it gives at an edge from 0 to 1 that lies between its first and second column (or row), and one further.
    across = -weights[:, 0].sum(), weights[:, 2].sum()
    down = -weights[0].sum(), weights[2].sum()
    if np.abs(down).max() > 1e-9:
        return "horizontal" if np.abs(across).max() < 1e-9 else "slanted"
    if np.abs(across).max() < 1e-9 or across[0] * across[1] < 0:
        return "no_edge"
    return "bright_to_dark" if min(across) < 0 else ""


EXERCISES = (
    Exercise(
        title="The numbers of an image",
        task="An image has 10x10 pixels. How many numbers does the computer store for it if it is grey, and how many "
        "if it is in colour (red, green and blue)? Give a list of the two: `[grey, colour]`.",
        stub="numbers = ...",
        solution="numbers = [10 * 10, 10 * 10 * 3]",
        explanation="A grey pixel is one number, its brightness: 100 in all. A colour pixel is three, how much red, "
        "green and blue: 300. NumPy's shapes say it, (10, 10) and (10, 10, 3).",
        hints=(
            "How many pixels are there? What is known of each pixel?",
            "A grey pixel is one number, a colour pixel is three.",
        ),
        mistakes=(
            Mistake(
                "one_side",
                "You counted the pixels of one row only: an image has rows and columns.",
                "numbers = [10, 30]",
            ),
            Mistake(
                "sides_added",
                "You added the two sides; pixels fill the area.",
                "numbers = [10 + 10, 3 * (10 + 10)]",
            ),
            Mistake(
                "colour_as_grey",
                "In colour, each pixel says how much red, how much green and how much blue there is.",
                "numbers = [10 * 10, 10 * 10]",
            ),
            Mistake(
                "values_counted",
                "256 is how many values a number from 0 to 255 can take. How many such numbers are there?",
                "numbers = [256, 3 * 256]",
            ),
        ),
    ),
    Exercise(
        title="A kernel that finds vertical edges",
        task="Write a kernel of 3x3 numbers that makes 0 of every plain area, and a number **above 0** where the image "
        "turns from dark (on the left) to bright (on the right). An edge that runs from left to right, dark above and "
        "bright below, is to give 0. Several kernels do it.",
        stub="edge_kernel = ...",
        solution="edge_kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])",
        explanation="Minus on the left, plus on the right: the kernel subtracts the brightness on the left from that "
        "on the right. This one is called Sobel's; with 1 for each 2 it is Prewitt's. All nine add up to 0, so a plain "
        "area gives 0.",
        hints=(
            "In a plain area all nine pixels are the same number. What must the kernel's numbers add up to?",
            "The output is to be bright on the right minus dark on the left: which sign has each column?",
            "The middle column is 0, and the three rows are alike: one number for the left, one for the right.",
        ),
        mistakes=(
            Mistake(
                "horizontal",
                "Your kernel compares the row above with the row below, so it finds edges that run from left to right.",
                "edge_kernel = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]])",
            ),
            Mistake(
                "bright_to_dark",
                "Your kernel finds these edges, but gives a number below 0 where it gets brighter to the right.",
                "edge_kernel = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]])",
            ),
            Mistake(
                "plain_area",
                "In a plain area your kernel does not give 0: add up its nine numbers.",
                "edge_kernel = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 1]])",
            ),
            Mistake(
                "all_equal",
                "All nine numbers are the same: that adds pixels up, and finds no edge.",
                "edge_kernel = np.ones((3, 3)) / 9",
            ),
            Mistake(
                "no_edge",
                "At such an edge your kernel gives 0, or a number above 0 on one side of it and below 0 on the other.",
                "edge_kernel = np.array([[1, -2, 1], [1, -2, 1], [1, -2, 1]])",
            ),
            Mistake(
                "slanted",
                "Your kernel also answers to edges that run from left to right: add up each of its rows.",
                "edge_kernel = np.array([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]])",
            ),
        ),
        grade=grade_vertical_edges,
    ),
    Exercise(
        title="What a 5x5 filter takes off",
        task="A filter of 5x5 slides over an image of 28x28 pixels and stays wholly on it. How many pixels of the "
        "margin does the output lose on **each side**, and how wide is it then? Give a list of the two: "
        "`[lost, width]`.",
        stub="margin = ...",
        solution="margin = [5 // 2, 28 - 2 * (5 // 2)]",
        explanation="The middle of a 5x5 filter cannot come nearer to the border than 2 pixels: 28 - 2 - 2 = 24. "
        "Hence 28x28 to 24x24, and 20x20 after a second such filter.",
        hints=(
            "Put a filter of 5x5 into the upper left corner. Over which pixel does its middle lie?",
            "Half of the filter, rounded down, stands out on each side of its middle.",
            "The width shrinks by what is lost on the left and on the right together.",
        ),
        mistakes=(
            Mistake(
                "both_sides_in_one",
                "What you call lost on each side is what both sides lose together.",
                "margin = [4, 24]",
            ),
            Mistake(
                "one_side_only",
                "The number for each side is right, but the image has a left and a right side.",
                "margin = [2, 26]",
            ),
            Mistake(
                "whole_filter",
                "You took off the whole filter on each side. Its middle may come nearer to the border than that.",
                "margin = [5, 18]",
            ),
            Mistake(
                "half_pixel",
                "There is no half pixel: a filter of odd size has one pixel in its middle.",
                "margin = [2.5, 23]",
            ),
            Mistake(
                "of_3x3",
                "That is what a filter of 3x3 takes off.",
                "margin = [1, 26]",
            ),
        ),
    ),
    Exercise(
        title="The output's size",
        task="Write the formula (n + 2p - f) / s + 1 as a function: how many places has a filter of `f` pixels on a "
        "row of `n` pixels, with `p` zeros added on each side, if it moves on by `s` pixels each time? The result is a "
        "whole number; what is left over at the end, less than a step, is dropped.",
        stub='''\
def output_size(n, f, p, s):
    """Returns the number of places of a filter: n, f, p and s are whole numbers."""
    ...
''',
        solution="""\
def output_size(n, f, p, s):
    return (n + 2 * p - f) // s + 1
""",
        explanation="The first place is at the left border, hence the 1; from there the filter moves n + 2p - f pixels "
        'in steps of s. Keras\' `padding="same"` chooses p so that n remains at s = 1: p = 1 for 3x3, p = 2 for 5x5.',
        hints=(
            "How far can the filter move until it touches the other border, in steps of s?",
            "Zeros are added on both sides, and the operator // divides and rounds down.",
            "The quotient of n + 2 * p - f and s, rounded down, and the first place.",
        ),
        mistakes=(
            Mistake(
                "first_place",
                "You counted the steps. One place more than steps: the filter begins somewhere.",
                "def output_size(n, f, p, s):\n    return (n + 2 * p - f) // s",
            ),
            Mistake(
                "padding_once",
                "The zeros are added on both sides.",
                "def output_size(n, f, p, s):\n    return (n + p - f) // s + 1",
            ),
            Mistake(
                "not_whole",
                "Part of a step is no place: the result must be a whole number.",
                "def output_size(n, f, p, s):\n    return (n + 2 * p - f) / s + 1",
            ),
            Mistake(
                "no_stride",
                "Your result does not depend on the step s.",
                "def output_size(n, f, p, s):\n    return n + 2 * p - f + 1",
            ),
            Mistake(
                "rounded_up",
                "You rounded up: at the last place the filter would stand out over the border.",
                "def output_size(n, f, p, s):\n    return -(-(n + 2 * p - f) // s) + 1",
            ),
        ),
        inputs=((28, 5, 0, 1), (28, 3, 1, 1), (28, 3, 0, 2), (28, 2, 0, 2), (10, 5, 2, 3), (10, 3, 0, 4)),
    ),
    Exercise(
        title="Max pooling by hand",
        task="Write 2x2 max pooling: cut the image into windows of 2x2 pixels that lie side by side, and return "
        "an array of half the height and half the width that has the **largest** number of each window. The height "
        "and the width are even.",
        stub='''\
def max_pool(image):
    """Returns the largest number of each 2x2 window: (height, width) becomes (height // 2, width // 2)."""
    ...
''',
        solution="""\
def max_pool(image):
    height, width = image.shape
    pooled = np.zeros((height // 2, width // 2))
    for i in range(height // 2):
        for j in range(width // 2):
            pooled[i, j] = image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max()
    return pooled
""",
        explanation="A window begins at row 2i and column 2j. Max pooling keeps how strong a feature is, and gives up "
        "where in the window it lies; it has no weights, so nothing is learned there.",
        hints=(
            "Make an array of zeros of half the size, and two loops over its rows and columns, as for the convolution.",
            "Where does the window begin that belongs to pooled[i, j]? The windows do not overlap.",
            "image[2 * i : 2 * i + 2, ...] are its two rows; .max() is the largest number of an array.",
        ),
        mistakes=(
            Mistake(
                "average",
                "That is average pooling, the mean of each window.",
                "def max_pool(image):\n"
                "    return image.reshape(len(image) // 2, 2, image.shape[1] // 2, 2).mean(axis=(1, 3))",
            ),
            Mistake(
                "overlapping",
                "Your windows overlap: each begins only one pixel after the last.",
                "def max_pool(image):\n"
                "    pooled = np.zeros((len(image) // 2, image.shape[1] // 2))\n"
                "    for i, j in np.ndindex(pooled.shape):\n"
                "        pooled[i, j] = image[i : i + 2, j : j + 2].max()\n"
                "    return pooled",
            ),
            Mistake(
                "every_second",
                "You took one pixel of each window, whatever the other three are.",
                "def max_pool(image):\n    return image[::2, ::2]",
            ),
            Mistake(
                "begins_with_zero",
                "Your largest number begins at zero: a window of negative numbers has a largest one too.",
                "def max_pool(image):\n"
                "    pooled = np.zeros((len(image) // 2, image.shape[1] // 2))\n"
                "    for i, j in np.ndindex(pooled.shape):\n"
                "        pooled[i, j] = max(0, image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max())\n"
                "    return pooled",
            ),
            Mistake(
                "smallest",
                "That is the smallest number of each window.",
                "def max_pool(image):\n"
                "    return image.reshape(len(image) // 2, 2, image.shape[1] // 2, 2).min(axis=(1, 3))",
            ),
        ),
        inputs=((IMAGE,), (-IMAGE - 1.0,), (SMALL,), (WIDE,)),
    ),
)
