"""Exercises on the lesson `regularization`: the gap, a penalty's gradient, max-norm, dropout, which remedy when."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

EXERCISES = (
    Exercise(
        title="When did it begin to overfit",
        task="`train` and `test` have the loss on the training images and on the test images after each epoch. Return "
        "two numbers: the epoch after which the network is best on new images, counted from 1, and the gap between the "
        "two losses after the last epoch, test minus training.",
        stub='''\
def overfitting(train, test):
    """Returns the best epoch, counted from 1, and the last gap, for two lists of losses."""
    ...
''',
        solution="""\
def overfitting(train, test):
    return int(np.argmin(test)) + 1, test[-1] - train[-1]
""",
        explanation="The training loss falls as long as one trains; it cannot say when to stop. The test loss turns "
        "round: from there on what is learned holds for the training images alone.",
        hints=(
            "Which of the two losses says how good the network is on new images?",
            "np.argmin gives the place of the smallest number, counted from 0.",
            "The gap is a difference of the two last numbers; test[-1] is the last of a list.",
        ),
        mistakes=(
            Mistake(
                "by_training",
                "The epoch is that of the lowest training loss, which falls to the end, whatever is memorised.",
                "def overfitting(train, test):\n    return int(np.argmin(train)) + 1, test[-1] - train[-1]",
            ),
            Mistake(
                "from_zero",
                "The epoch is counted from 0. The first epoch is number 1.",
                "def overfitting(train, test):\n    return int(np.argmin(test)), test[-1] - train[-1]",
            ),
            Mistake(
                "other_sign",
                "The gap has the wrong sign: the loss on new images is the larger one.",
                "def overfitting(train, test):\n    return int(np.argmin(test)) + 1, train[-1] - test[-1]",
            ),
            Mistake(
                "gap_at_best",
                "That is the gap after the best epoch. Asked for is the one after the last.",
                "def overfitting(train, test):\n    i = int(np.argmin(test))\n    return i + 1, test[i] - train[i]",
            ),
        ),
        inputs=(
            ([3.3, 1.1, 0.6, 0.2, 0.1], [2.6, 1.6, 1.3, 1.4, 1.6]),
            ([0.9, 0.7, 0.5, 0.4], [1.0, 0.9, 0.85, 0.8]),
            ([2.0, 1.0, 0.5], [1.5, 1.75, 2.25]),
        ),
    ),
    Exercise(
        title="A step with a penalty",
        task="L2 adds `l2` times the sum of the squared weights to the loss, L1 `l1` times the sum of their sizes. "
        "`gradient` is that of the loss without a penalty. Return the weights after one step of gradient descent with "
        "both penalties.",
        stub='''\
def step(weights, gradient, rate, l2, l1):
    """Returns the new weights, an array of the shape of the old ones."""
    ...
''',
        solution="""\
def step(weights, gradient, rate, l2, l1):
    return weights - rate * (gradient + 2 * l2 * weights + l1 * np.sign(weights))
""",
        explanation="L2 takes off a share of each weight: large ones lose most, none becomes 0. L1 takes the same off "
        "each, so small weights end at 0. Keras' regularizers.L2(0.01) is this sum, without a half.",
        hints=(
            "The penalties are part of the loss: add their derivatives to the gradient.",
            "The derivative of l2 w^2 is 2 l2 w; that of l1 |w| is l1 for a positive w and -l1 for a negative one.",
            "np.sign(weights) gives 1, -1 or 0 for each weight. The step goes against the whole gradient.",
        ),
        mistakes=(
            Mistake(
                "without_two",
                "The derivative of a square is missing its factor.",
                "def step(weights, gradient, rate, l2, l1):\n"
                "    return weights - rate * (gradient + l2 * weights + l1 * np.sign(weights))",
            ),
            Mistake(
                "uphill",
                "Your step goes with the gradient: the loss grows.",
                "def step(weights, gradient, rate, l2, l1):\n"
                "    return weights + rate * (gradient + 2 * l2 * weights + l1 * np.sign(weights))",
            ),
            Mistake(
                "no_sign",
                "L1 pushes negative weights away from 0 here: its derivative depends on the sign of the weight.",
                "def step(weights, gradient, rate, l2, l1):\n"
                "    return weights - rate * (gradient + 2 * l2 * weights + l1)",
            ),
            Mistake(
                "size_for_sign",
                "The size of a weight is not the slope of its size.",
                "def step(weights, gradient, rate, l2, l1):\n"
                "    return weights - rate * (gradient + 2 * l2 * weights + l1 * np.abs(weights))",
            ),
            Mistake(
                "not_by_rate",
                "The penalties are taken off whole. They are part of the gradient, so the rate multiplies them too.",
                "def step(weights, gradient, rate, l2, l1):\n"
                "    return weights - rate * gradient - 2 * l2 * weights - l1 * np.sign(weights)",
            ),
        ),
        inputs=(
            (np.array([2.0, -3.0, 0.5]), np.array([0.1, 0.2, -0.4]), 0.5, 0.1, 0.0),
            (np.array([2.0, -3.0, 0.5]), np.array([0.1, 0.2, -0.4]), 0.5, 0.0, 0.2),
            (np.array([1.0, -1.5, 4.0]), np.zeros(3), 0.1, 0.3, 0.4),
        ),
    ),
    Exercise(
        title="Max-norm",
        task="`weights` has the weights of a layer as Keras keeps them, (inputs, units): column j leads into unit j. "
        "Shorten each column that is longer than `longest` to that length, and leave the others as they are.",
        stub='''\
def max_norm(weights, longest):
    """Returns the weights (inputs, units) with no column longer than `longest`."""
    ...
''',
        solution="""\
def max_norm(weights, longest):
    lengths = np.sqrt(np.sum(np.square(weights), axis=0))
    return weights * np.minimum(1, longest / lengths)
""",
        explanation="Only the length is limited: the unit goes on looking at the same pattern, with less force. Keras "
        "does it after every step, with kernel_constraint=keras.constraints.MaxNorm(5).",
        hints=(
            "The length of a column is the root of the sum of its squares. Which axis is summed over?",
            "longest / length is the factor that makes a column exactly as long as allowed.",
            "A factor above 1 would make a column longer: np.minimum(1, ...) keeps those as they are.",
        ),
        mistakes=(
            Mistake(
                "rows",
                "You shortened the rows. A row belongs to an input, a column to a unit.",
                "def max_norm(weights, longest):\n"
                "    lengths = np.sqrt(np.sum(np.square(weights), axis=1, keepdims=True))\n"
                "    return weights * np.minimum(1, longest / lengths)",
            ),
            Mistake(
                "all_stretched",
                "Short columns have become longer: they are to stay as they are.",
                "def max_norm(weights, longest):\n"
                "    return weights * longest / np.sqrt(np.sum(np.square(weights), axis=0))",
            ),
            Mistake(
                "clipped",
                "You limited each weight. It is the length of a whole column that has the limit.",
                "def max_norm(weights, longest):\n    return np.clip(weights, -longest, longest)",
            ),
            Mistake(
                "no_root",
                "The sum of the squares is the square of the length.",
                "def max_norm(weights, longest):\n"
                "    return weights * np.minimum(1, longest / np.sum(np.square(weights), axis=0))",
            ),
        ),
        inputs=(
            (np.array([[3.0, 0.3], [4.0, 0.4]]), 2.0),
            (np.array([[1.0, 6.0, 0.1], [2.0, 8.0, 0.1], [2.0, 0.0, 0.1]]), 4.0),
        ),
    ),
    Exercise(
        title="Dropout with a mask",
        task="`outputs` are those of a hidden layer, and `mask` has a 0 for each unit that this step leaves out, a 1 "
        "for the others; the share of zeros is `rate` on average. Return what the next layer gets while training, so "
        "that its sums are on average as large as without dropout.",
        stub='''\
def dropout(outputs, mask, rate):
    """Returns the outputs that are passed on, of the same shape."""
    ...
''',
        solution="""\
def dropout(outputs, mask, rate):
    return outputs * mask / (1 - rate)
""",
        explanation="What is left is made larger by as much as is missing. So nothing has to be changed when the "
        "network predicts: all units are there, and the sums are as large as they were in training.",
        hints=(
            "A unit that is left out passes on 0.",
            "With a rate of 0.5 half of the sum is missing. By what do you multiply the rest?",
            "On average 1 - rate of the sum is left: divide by that.",
        ),
        mistakes=(
            Mistake(
                "not_scaled",
                "With half of the units missing, the sums of the next layer are half as large as later in use.",
                "def dropout(outputs, mask, rate):\n    return outputs * mask",
            ),
            Mistake(
                "divided_by_rate",
                "That is right for a rate of 0.5 only. Which share is left?",
                "def dropout(outputs, mask, rate):\n    return outputs * mask / rate",
            ),
            Mistake(
                "scaled_down",
                "What is left has become smaller: it has to stand for what is missing as well.",
                "def dropout(outputs, mask, rate):\n    return outputs * mask * (1 - rate)",
            ),
            Mistake(
                "mask_inverted",
                "You kept the units that were to be left out: a 1 in the mask stays.",
                "def dropout(outputs, mask, rate):\n    return outputs * (1 - mask) / (1 - rate)",
            ),
        ),
        inputs=(
            (np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([1, 0, 1, 1, 1]), 0.2),
            (np.array([0.5, -1.0, 2.0, 8.0]), np.array([0, 1, 0, 1]), 0.5),
            (np.ones(4), np.array([0, 0, 0, 1]), 0.75),
        ),
    ),
    Exercise(
        title="What to do next",
        task="A network has 99.9 % of its training images right and 85 % of the validation images. Which of these is "
        'the best next step? `"a"`: twice as many hidden units. `"b"`: train for ten times as many epochs. `"c"`: '
        'distort the training images, and add dropout or L2. `"d"`: a smaller learning rate, so that the training '
        "accuracy reaches 100 %.",
        stub="next_step = ...",
        solution='next_step = "c"',
        explanation="The gap says that it memorises, not that it cannot learn. More images, or a penalty for what only "
        "serves to memorise, close a gap. A network with a low training accuracy is the other case: that one needs "
        "more units or more epochs.",
        hints=(
            "Is the training accuracy the problem?",
            "Which of the four makes memorising harder?",
        ),
        mistakes=(
            Mistake("larger", "A larger network memorises even better, and the gap stays.", 'next_step = "a"'),
            Mistake(
                "longer",
                "The training images are right already. More epochs make the network surer of them, and of its errors.",
                'next_step = "b"',
            ),
            Mistake("last_tenth", "The last 0.1 % of the training images is not what is missing.", 'next_step = "d"'),
        ),
    ),
)
