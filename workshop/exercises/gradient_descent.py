"""Exercises on the lesson `gradient_descent`: a step, what happens at the minimum, a gradient, a rate, momentum."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

INPUTS = np.column_stack([np.arange(5.0), np.ones(5)])
TARGETS = np.array([10.5, 5.0, 3.0, 2.5, 1.0])

EXERCISES = (
    Exercise(
        title="One step down",
        task="The parabola 2(x - 5)^2 + 3 has the slope 4(x - 5). Return where one step of gradient descent leads from "
        "`x`, with the learning rate `rate`.",
        stub='''\
def step(x, rate):
    """Returns x after one step of gradient descent on 2(x - 5)^2 + 3."""
    ...
''',
        solution="""\
def step(x, rate):
    slope = 4 * (x - 5)
    return x - rate * slope
""",
        explanation="The slope says where the curve rises, the minus goes the other way. Left of 5 the slope is "
        "negative, and minus a negative number goes right: no `if` is needed.",
        hints=(
            "Compute the slope at x first. Is it positive or negative left of the minimum?",
            "The step is the rate times the slope. Against the slope: subtract it.",
            "x - rate * slope.",
        ),
        mistakes=(
            Mistake(
                "uphill",
                "You went with the slope, and that is uphill. Descent goes against it.",
                "def step(x, rate):\n    return x + rate * 4 * (x - 5)",
            ),
            Mistake(
                "no_rate",
                "The learning rate is missing: the slope alone is far too long a step.",
                "def step(x, rate):\n    return x - 4 * (x - 5)",
            ),
            Mistake(
                "height",
                "You subtracted the height of the curve. Return its slope.",
                "def step(x, rate):\n    return x - rate * (2 * (x - 5) ** 2 + 3)",
            ),
            Mistake(
                "step_only",
                "That is the step itself. Where does it lead, from x on?",
                "def step(x, rate):\n    return -rate * 4 * (x - 5)",
            ),
        ),
        inputs=((0.0, 0.1), (10.0, 0.1), (5.0, 0.3), (7.0, 0.25)),
    ),
    Exercise(
        title="Does it climb again?",
        task="After 1,000 steps descent has reached the minimum at 5. What do 1,000 more steps do? Answer with a "
        "letter: "
        '`"a"` it walks up on the other side, `"b"` it stays at 5, `"c"` it swings around 5 for ever, `"d"` it stops '
        "with "
        "an error, since nothing is left to do.",
        stub="answer = ...",
        solution='answer = "b"',
        explanation="At the minimum the slope is 0, and so is the step, whatever the rate: x - rate * 0 is x. Near it "
        "steps get short by themselves, as the slope does. Nobody has to tell descent to stop, but nobody has to let "
        "it run for ever either: hence epochs.",
        hints=(
            "How long is a step? It has two factors.",
            "How steep is the parabola at its lowest point?",
            "The step is rate times slope. One of the two is 0 there.",
        ),
        mistakes=(
            Mistake(
                "up_again",
                "A ball would roll on, because it has speed. Descent has none: each step knows the slope at its place, "
                "and nothing else.",
                'answer = "a"',
            ),
            Mistake(
                "swings",
                "It would, if steps stayed as long as they are at the start. Look at the factor that changes on the "
                "way.",
                'answer = "c"',
            ),
            Mistake(
                "nothing_left",
                "A step of any length can be taken, a very short one too.",
                'answer = "d"',
            ),
        ),
    ),
    Exercise(
        title="The rate where it diverges",
        task="On the parabola 2(x - 5)^2 + 3 a step takes the distance from the minimum, d = x - 5, to d - rate * 4d. "
        "From which rate on does the distance no longer become smaller?",
        stub="limit = ...",
        solution="limit = 2 / 4",
        explanation="The new distance is (1 - 4 rate) d. It is smaller while 1 - 4 rate lies between -1 and 1, that is "
        "up to 2 divided by the curvature, here 4. Beyond, each step lands further away on the other side.",
        hints=(
            "Write the new distance as a factor times d. What is the factor?",
            "The factor is 1 - 4 rate. It may be negative: then the step lands on the other side.",
            "For which rate is 1 - 4 rate equal to -1?",
        ),
        mistakes=(
            Mistake(
                "one_jump",
                "At this rate one step leads exactly to the minimum: the factor is 0. A bit more goes too far, and "
                "still comes nearer.",
                "limit = 1 / 4",
            ),
            Mistake("no_curvature", "The slope is 4 times the distance: have you used the 4?", "limit = 2"),
            Mistake(
                "the_curvature", "That is the curvature. The steeper the walls, the smaller the rate.", "limit = 4"
            ),
            Mistake(
                "from_the_start",
                "With this rate it descends, well below the limit.",
                "limit = 0.1",
            ),
        ),
    ),
    Exercise(
        title="The gradient of the mean squared error",
        task="E(w) = 1/2 ||X w - y||^2 has the gradient X'(X w - y). Keras' loss is another one, the mean squared "
        "error: the sum of the squared errors divided by the number of rows. Return its gradient at `w`.",
        stub='''\
def gradient(w, X, y):
    """Returns the gradient (weights,) of the mean squared error at w (weights,); X is (rows, weights), y (rows,)."""
    ...
''',
        solution="""\
def gradient(w, X, y):
    errors = X @ w - y
    return 2 / len(y) * X.T @ errors
""",
        explanation="Both losses have the same minimum, and their gradients the same direction; only the length "
        "differs, here by 2 / 5. So a learning rate belongs to a loss: 0.05 for E takes the same steps as 0.125 for "
        "the mean squared error.",
        hints=(
            "By what number is the mean squared error larger or smaller than E? The gradient is so by the same number.",
            "E is half the sum. What makes the whole sum of it, and what the mean?",
            "E times 2, divided by the number of rows, len(y).",
        ),
        mistakes=(
            Mistake(
                "of_the_half_sum",
                "That is the gradient of E. There is no 1/2 before the mean squared error, but a division.",
                "def gradient(w, X, y):\n    return X.T @ (X @ w - y)",
            ),
            Mistake(
                "not_divided",
                "It was not divided by the number of rows.",
                "def gradient(w, X, y):\n    return 2 * X.T @ (X @ w - y)",
            ),
            Mistake(
                "no_two",
                "The derivative of a square has a factor of its own, which in E the 1/2 takes away.",
                "def gradient(w, X, y):\n    return X.T @ (X @ w - y) / len(y)",
            ),
            Mistake(
                "downhill",
                "That points downhill. The gradient points uphill, and the minus comes with the step.",
                "def gradient(w, X, y):\n    return 2 / len(y) * X.T @ (y - X @ w)",
            ),
            Mistake(
                "the_loss",
                "That is the loss itself, one number. How does it change with each weight?",
                "def gradient(w, X, y):\n    return np.mean((X @ w - y) ** 2)",
            ),
        ),
        inputs=(
            (np.array([-3.0, 2.0]), INPUTS, TARGETS),
            (
                np.array([1.0, -1.0, 0.5]),
                np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0], [2, 2, 0]]),
                np.array([2.0, 0.0, 1]),
            ),
        ),
    ),
    Exercise(
        title="A step with momentum",
        task="With momentum, a step `v` is the last step, made shorter by the factor `momentum`, and the usual step "
        "downhill added. Return the new weights and the new step: `return w, v`.",
        stub='''\
def momentum_step(w, v, gradient, rate, momentum):
    """Returns the next w and v, each (weights,), from w, v and the gradient at w, each (weights,), and two numbers."""
    ...
''',
        solution="""\
def momentum_step(w, v, gradient, rate, momentum):
    v = momentum * v - rate * gradient
    return w + v, v
""",
        explanation="Across the valley the gradients change their sign and cancel each other in v; along the valley "
        "they agree and add up. So larger rates still descend. Keras: `SGD(learning_rate=0.06, momentum=0.5)`.",
        hints=(
            "First the new v: a part of the old one, and against the gradient.",
            "v = momentum * v - rate * gradient. Which v do the weights move by, the old or the new?",
            "return w + v, v - with the new v in both places.",
        ),
        mistakes=(
            Mistake(
                "old_step",
                "The weights moved by the old step: it is to be made new first.",
                "def momentum_step(w, v, gradient, rate, momentum):\n    return w + v, momentum * v - rate * gradient",
            ),
            Mistake(
                "uphill",
                "You added the gradient: that is uphill.",
                "def momentum_step(w, v, gradient, rate, momentum):\n"
                "    v = momentum * v + rate * gradient\n    return w + v, v",
            ),
            Mistake(
                "no_shortening",
                "The last step was kept whole: without the factor nothing ever slows it down.",
                "def momentum_step(w, v, gradient, rate, momentum):\n    v = v - rate * gradient\n    return w + v, v",
            ),
            Mistake(
                "forgotten",
                "The last step is not in it: that is gradient descent without momentum.",
                "def momentum_step(w, v, gradient, rate, momentum):\n    v = -rate * gradient\n    return w + v, v",
            ),
            Mistake(
                "subtracted",
                "The minus is in v already, and then you subtracted v: so you went uphill.",
                "def momentum_step(w, v, gradient, rate, momentum):\n"
                "    v = momentum * v - rate * gradient\n    return w - v, v",
            ),
        ),
        inputs=(
            (np.array([-3.0, 2.0]), np.array([0.5, -1.0]), np.array([-60.0, -25.0]), 0.06, 0.5),
            (np.array([1.0, 1.0]), np.array([0.0, 2.0]), np.array([3.0, -4.0]), 0.1, 0.9),
        ),
    ),
)
