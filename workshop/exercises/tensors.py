"""Exercises on the lesson `tensors`: how many numbers, which shape, which dtype, slices, axes, a derivative."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

GREY = np.array([[9.0, 9.0, 9.0, 9.0, 9.0], [8.0, 1.0, 2.0, 3.0, 8.0], [8.0, 4.0, 5.0, 6.0, 8.0], [7.0] * 5])
BATCH = np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.0, 10.0, 0.0], [10.0, 0.0, 4.0]]])

EXERCISES = (
    Exercise(
        title="Numbers in an image",
        task="A grey image of 10x10 pixels is an array of shape (10, 10). How many numbers are in it? Give a whole "
        "number, or let Python compute it.",
        stub="numbers = ...",
        solution="numbers = 10 * 10",
        explanation="An array has as many numbers as the product of its shape: `array.size`. A digit of MNIST, 28x28, "
        "has 784, and a network gets one input for each.",
        hints=(
            "Draw a square of 3x3 and count its cells. Then 10x10.",
            "The number of rows times the number of columns.",
        ),
        mistakes=(
            Mistake("added", "You added rows and columns: that is half of the way around the image.", "numbers = 20"),
            Mistake(
                "length",
                "That is `len(array)`: it counts the rows only, and each row has many numbers.",
                "numbers = 10",
            ),
            Mistake("dimensions", "That is `array.ndim`, the number of axes, not of numbers.", "numbers = 2"),
            Mistake(
                "colours",
                "You counted three numbers for each pixel. That is a colour image; this one is grey.",
                "numbers = 10 * 10 * 3",
            ),
        ),
    ),
    Exercise(
        title="The shape of a batch",
        task="32 colour images, each 10 pixels high and 20 wide, are one array. Keras wants the images first, "
        "then rows, columns and, last, the three colours. Which shape has it? Give a tuple.",
        stub="shape = ...",
        solution="shape = (32, 10, 20, 3)",
        explanation="Rows come before columns, so the height before the width. The first axis is always that of the "
        "samples: `images[0]` is one image, of the shape that is left.",
        hints=(
            "How many axes has it? One counts the images.",
            "Rows are counted from top to bottom: their number is the height.",
            "(images, height, width, colours).",
        ),
        mistakes=(
            Mistake(
                "width_first",
                "You put the width before the height. A row is counted from top to bottom, so the height is the number "
                "of rows.",
                "shape = (32, 20, 10, 3)",
            ),
            Mistake(
                "one_image",
                "That is one image. The axis that counts the images is missing.",
                "shape = (10, 20, 3)",
            ),
            Mistake(
                "colours_first",
                "The colours come before rows and columns: that is PyTorch's order. Keras has them last.",
                "shape = (32, 3, 10, 20)",
            ),
            Mistake(
                "no_colours",
                "That is a batch of grey images: the axis of the colours is missing.",
                "shape = (32, 10, 20)",
            ),
            Mistake("flat", "You laid all numbers of an image into one row, as Flatten does.", "shape = (32, 600)"),
        ),
    ),
    Exercise(
        title="Brighter than white",
        task="Pixels are usually `uint8`, whole numbers of 8 bits. Somebody makes a pixel brighter: "
        "`np.array([200], np.uint8) + np.array([100], np.uint8)`. Which number comes out? Think first, then try.",
        stub="brighter = ...",
        solution="brighter = (200 + 100) % 256",
        explanation="Eight bits hold 0 to 255. After 255 follows 0 again, so 300 becomes 300 - 256. Nothing warns you, "
        "and the image gets black spots. Convert to float32 before you compute with pixels.",
        hints=(
            "How many different numbers do 8 bits hold? 2 to the power of 8.",
            "They hold 0 to 255. What follows after 255, as on a clock after 12?",
            "300 - 256.",
        ),
        mistakes=(
            Mistake(
                "wider",
                "There is no room for it in eight bits, and the sum of two arrays of `uint8` is `uint8` again.",
                "brighter = 300",
            ),
            Mistake(
                "clipped",
                "It does not stay at the largest number: that would be `np.clip`, which nobody called.",
                "brighter = 255",
            ),
            Mistake(
                "off_by_one",
                "Nearly: the numbers 0 to 255 are not 255 numbers. Do not forget the 0.",
                "brighter = 300 - 255",
            ),
            Mistake(
                "signed",
                "Negative numbers are those of `int8`. The u in `uint8` says unsigned.",
                "brighter = 300 - 256 - 256",
            ),
        ),
    ),
    Exercise(
        title="Take the margin off",
        task="Return the image without its margin: one pixel less on each of the four sides.",
        stub='''\
def without_margin(image):
    """Returns image (rows, columns) without its outermost pixels, (rows - 2, columns - 2)."""
    ...
''',
        solution="""\
def without_margin(image):
    return image[1:-1, 1:-1]
""",
        explanation="A slice goes from its first index to before its last one, and -1 counts from the end: 1:-1 leaves "
        "out the first and the last. The result is a view: it shares the image's memory.",
        hints=(
            "A slice for the rows, a comma, a slice for the columns: image[..., ...].",
            "1: leaves out the first. What stands for 'before the last'?",
            "1:-1, for rows and columns.",
        ),
        mistakes=(
            Mistake(
                "rows_only",
                "You cut rows only: the second axis needs a slice of its own, behind a comma.",
                "def without_margin(image):\n    return image[1:-1]",
            ),
            Mistake(
                "one_end",
                "You took away the first row and column. The last ones are still there.",
                "def without_margin(image):\n    return image[1:, 1:]",
            ),
            Mistake(
                "too_much",
                "You took away one pixel too many at the end: the slice ends before the index that you give.",
                "def without_margin(image):\n    return image[1:-2, 1:-2]",
            ),
            Mistake(
                "from_the_second",
                "You took away two pixels at the beginning: indices begin at 0.",
                "def without_margin(image):\n    return image[2:-1, 2:-1]",
            ),
        ),
        inputs=((GREY,), (np.arange(30.0).reshape(5, 6),)),
    ),
    Exercise(
        title="The brightness of each image",
        task="`images` has the shape (images, rows, columns). Return the mean pixel of each image: one number for "
        "each.",
        stub='''\
def brightness(images):
    """Returns the mean of each image, (images,), of images (images, rows, columns)."""
    ...
''',
        solution="""\
def brightness(images):
    return images.mean(axis=(1, 2))
""",
        explanation="The axes that you name disappear: of (images, rows, columns) without 1 and 2 stays (images,).",
        hints=(
            "np.mean of everything is one number. `axis` says along which axes to add up.",
            "An axis that is named goes away. Which of the three axes shall stay?",
            "axis takes a tuple: rows and columns are the axes 1 and 2.",
        ),
        mistakes=(
            Mistake(
                "of_all",
                "That is one number for all images together. Name the axes that shall go away.",
                "def brightness(images):\n    return images.mean()",
            ),
            Mistake(
                "mean_image",
                "axis=0 goes over the images: you got one average image, not one number for each.",
                "def brightness(images):\n    return images.mean(axis=0)",
            ),
            Mistake(
                "rows_left",
                "One axis went away, two were to go: you have a mean for each row of each image.",
                "def brightness(images):\n    return images.mean(axis=2)",
            ),
            Mistake(
                "not_divided",
                "You added up: the sum was not divided by the number of pixels.",
                "def brightness(images):\n    return images.sum(axis=(1, 2))",
            ),
        ),
        inputs=((BATCH,), (np.arange(24.0).reshape(4, 3, 2) ** 2,)),
    ),
    Exercise(
        title="A slope by hand",
        task="The derivative of z(x) = x^2 + 2x + 1 says how steep it is. How steep is it at x = 3?",
        stub="slope = ...",
        solution="slope = 2 * 3 + 2",
        explanation="The derivative is 2x + 2: of x^2 it is 2x, of 2x it is 2, and 1 never changes. TensorFlow's tape "
        "and PyTorch's backward find the same number, and so they do for a million weights.",
        hints=(
            "Take the three summands one by one. What is the derivative of x^2?",
            "2x, and of 2x it is the number 2. How steep is a constant?",
            "2x + 2, with 3 put in for x.",
        ),
        mistakes=(
            Mistake("height", "That is z(3), how high it is, not how steep.", "slope = 3**2 + 2 * 3 + 1"),
            Mistake("second_lost", "The summand 2x is missing: it rises too.", "slope = 2 * 3"),
            Mistake("constant", "The 1 does not rise: its derivative is 0.", "slope = 2 * 3 + 2 + 1"),
            Mistake(
                "power_kept", "Of x^2 the derivative is not x^2 again. The exponent comes down.", "slope = 3**2 + 2"
            ),
        ),
    ),
)
