"""Exercises on the lesson `autodiff`: dual numbers by hand and in code, gradients that add up, runs and passes."""

from __future__ import annotations

from workshop.exercises.kit.exercise import Exercise, Mistake

EXERCISES = (
    Exercise(
        title="A dual number through a formula",
        task="Send the dual number x = (2, 1), value 2 and tangent 1, through f(x) = x * x + 3 * x. Each step has a "
        "value and a tangent. What are the value and the tangent of f? Give a list of two numbers.",
        stub="result = ...",
        solution="result = [2 * 2 + 3 * 2, (1 * 2 + 2 * 1) + 3 * 1]",
        explanation="The value is 10, and the tangent 7 is the derivative 2x + 3 at x = 2. Nobody has written this "
        "derivative down: each step only knew its own rule.",
        hints=(
            "The steps are a = x * x, b = 3 * x and a + b. Take them one by one.",
            "The tangent of a product u v is u' v + u v'. Here both factors are x.",
            "The tangent of x * x is 1 * 2 + 2 * 1. The tangent of 3 * x is 3 times 1. Add them.",
        ),
        mistakes=(
            Mistake(
                "tangents_multiplied",
                "For x * x you multiplied the tangents. The product rule has two terms, each with one tangent.",
                "result = [10, 1 * 1 + 3]",
            ),
            Mistake(
                "one_term",
                "The product rule has two terms: each of the two factors changes, while the other stays.",
                "result = [10, 2 + 3]",
            ),
            Mistake(
                "constant_moves",
                "You gave the 3 a tangent as well. It is a constant: x moves, and the 3 stays.",
                "result = [10, 4 + 3 * 1 + 1 * 2]",
            ),
            Mistake("swapped", "The value comes first, then the tangent.", "result = [7, 10]"),
        ),
    ),
    Exercise(
        title="The product of two dual numbers",
        task="A dual number is a pair (value, tangent). Return the product of two of them, a pair again. The tangent "
        "follows the product rule.",
        stub='''\
def multiply(a, b):
    """Returns the product, (value, tangent), of two dual numbers (value, tangent)."""
    ...
''',
        solution="""\
def multiply(a, b):
    return a[0] * b[0], a[1] * b[0] + a[0] * b[1]
""",
        explanation="(a + t e)(b + u e) = a b + (t b + a u) e, where e e = 0: the algebra is the product rule. Every "
        "operation of a program gets such a rule once, and then every program can be differentiated.",
        hints=(
            "a[0] and b[0] are the values, a[1] and b[1] the tangents. The value of the product is easy.",
            "The tangent has two terms: in each, one factor changes and the other stays as it is.",
            "The first term is a[1] * b[0]. What is the second?",
        ),
        mistakes=(
            Mistake(
                "tangents_multiplied",
                "You multiplied the tangents with each other: that is the term e e, which is 0.",
                "def multiply(a, b):\n    return a[0] * b[0], a[1] * b[1]",
            ),
            Mistake(
                "tangents_added",
                "You added the tangents. That is the rule of the sum a + b.",
                "def multiply(a, b):\n    return a[0] * b[0], a[1] + b[1]",
            ),
            Mistake(
                "own_value",
                "Each tangent is multiplied by the value of its own number. It belongs to the value of the other one.",
                "def multiply(a, b):\n    return a[0] * b[0], a[1] * a[0] + b[1] * b[0]",
            ),
            Mistake(
                "minus",
                "The minus sign belongs to the rule of the quotient.",
                "def multiply(a, b):\n    return a[0] * b[0], a[1] * b[0] - a[0] * b[1]",
            ),
        ),
        inputs=(((2.0, 1.0), (3.0, 0.0)), ((2.0, 0.5), (-1.0, 4.0)), ((0.0, 1.0), (5.0, 2.0))),
    ),
    Exercise(
        title="Gradients add up",
        task="A program computes y = a * b and then z = y * a + b. Go backwards by hand, beginning with dz/dz = 1, and "
        "return the gradients of `a` and of `b` as a list. Both are used twice.",
        stub='''\
def gradients(a, b):
    """Returns [dz/da, dz/db] of z = y * a + b with y = a * b, for two numbers."""
    ...
''',
        solution="""\
def gradients(a, b):
    y = a * b
    dz_dy = a
    dz_da = y + dz_dy * b
    dz_db = 1 + dz_dy * a
    return [dz_da, dz_db]
""",
        explanation="Each use of a number sends a gradient back to it, and they add up: 2 a b and a a + 1. That is why "
        "PyTorch adds to `.grad`, and why a training loop has to call `zero_grad` before each step.",
        hints=(
            "First the last step, z = y * a + b: what are dz/dy, and the parts of a and b that come from it?",
            "Through y = a * b goes dz/dy back: dz/dy times b to a, and dz/dy times a to b.",
            "Add the two parts of each: dz/da = y + dz_dy * b.",
        ),
        mistakes=(
            Mistake(
                "last_use_only",
                "Only the last step counts in yours. The numbers have a part in z through y as well.",
                "def gradients(a, b):\n    return [a * b, 1]",
            ),
            Mistake(
                "first_use_only",
                "What came through y has overwritten what was there. Both parts add up.",
                "def gradients(a, b):\n    return [a * b, a * a]",
            ),
            Mistake(
                "dz_dy_forgotten",
                "The gradient of y was not passed on: the chain rule multiplies it by the slope of y = a * b.",
                "def gradients(a, b):\n    return [a * b + b, 1 + a]",
            ),
            Mistake(
                "swapped",
                "The two are swapped: the gradient of a comes first.",
                "def gradients(a, b):\n    return [a * a + 1, 2 * a * b]",
            ),
        ),
        inputs=((2.0, 3.0), (-1.0, 0.5), (0.5, 4.0)),
    ),
    Exercise(
        title="Forwards or backwards",
        task="A network 784-128-10 has 101,770 weights, and its loss is one number. How many runs does forward mode "
        "need for the gradient of all weights, and how many backward passes does reverse mode need? Give a list of two "
        "whole numbers.",
        stub="runs = ...",
        solution="runs = [784 * 128 + 128 + 128 * 10 + 10, 1]",
        explanation="A dual number carries the derivative by one input of the program, and here the weights are the "
        "inputs: 101,770 runs. The tape carries the derivative of one output, the loss: a single pass finds all. This "
        "is why all libraries for networks use reverse mode, and pay for it with memory for the tape.",
        hints=(
            "By which numbers do you want the derivative: the pixels, or the weights?",
            "Forward mode sets the tangent of one of them to 1 and runs the program. Then comes the next one.",
            "Reverse mode sets the gradient of the loss to 1 and goes back once.",
        ),
        mistakes=(
            Mistake(
                "swapped",
                "The other way round: forward mode runs once for each input of the program, reverse mode once for each "
                "output.",
                "runs = [1, 101_770]",
            ),
            Mistake(
                "pixels",
                "The pixels are given; training needs the derivatives with respect to the weights.",
                "runs = [784, 1]",
            ),
            Mistake(
                "ten_passes",
                "The network has ten outputs, but the loss is one number, and training needs the gradient of the loss.",
                "runs = [101_770, 10]",
            ),
            Mistake(
                "layers",
                "Those are passes through layers. One run of a program goes through all of them.",
                "runs = [2, 2]",
            ),
        ),
    ),
)
