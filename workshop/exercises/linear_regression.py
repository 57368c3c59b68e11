"""Exercises on the lesson `linear_regression`: the cost of a line, a line by eye, scaling by hand, one neuron."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake

SIZES = np.array([0.2, 1, 2, 3, 5, 7, 9, 10])  # of the table houses.csv, in 10 m2
PRICES = np.array([0.2, 1.8, 4, 7, 11, 12, 14, 13])  # in 10,000 pesos
BEST_GUESS = (1.5, 1.3)  # the best of the lines in the notebook's table
FEW_HOUSES = np.array([[1000.0, 5.0, 70.0], [2000.0, 6.0, 90.0], [2500.0, 2.0, 95.0]])


def grade_line(answer: Any) -> str:
    """Returns "" for a weight and a bias whose mean squared error on the houses is below 2.4."""
    try:
        weight, bias = (float(number) for number in answer)
    except (TypeError, ValueError):
        raise AnswerError("Give two numbers, the weight and the bias: (..., ...).", "type") from None
    if np.isnan(weight) or np.isnan(bias):
        raise AnswerError("One of the two is NaN, not a number.", "nan")
    errors = weight * SIZES + bias - PRICES
    cost = float(np.mean(errors**2))
    if cost < 2.4:
        return ""
    if np.allclose((weight, bias), BEST_GUESS):
        return "from_the_table"
    # The tilt is the slope of the errors over the sizes; what is left is a line that lies too high or too low.
    tilt = float(np.polyfit(SIZES, errors, 1)[0])
    shift = float(errors.mean())
    if abs(shift) >= abs(tilt) * SIZES.std():
        return "too_high" if shift > 0 else "too_low"
    return "too_steep" if tilt > 0 else "too_flat"


EXERCISES = (
    Exercise(
        title="The mean squared error by hand",
        task="`predicted` has the price that a line gives each house, `prices` the true one. Return the mean squared "
        "error: each error squared, then the mean over the houses.",
        stub='''\
def mean_squared_error(predicted, prices):
    """Returns the mean squared error of predicted (houses,) for prices (houses,), a number."""
    ...
''',
        solution="""\
def mean_squared_error(predicted, prices):
    errors = predicted - prices
    return np.mean(errors**2)
""",
        explanation="The square makes all errors positive, and one that is twice as large costs four times as much. "
        'The mean makes costs of few and of many houses comparable. Keras calls it "mean_squared_error".',
        hints=(
            "An error is a difference. What does NumPy give for the difference of two arrays?",
            "`errors**2` squares each of the numbers of an array.",
            "np.mean of the squared errors.",
        ),
        mistakes=(
            Mistake(
                "not_divided",
                "The sum was not divided by the number of houses.",
                "def mean_squared_error(predicted, prices):\n    return np.sum((predicted - prices) ** 2)",
            ),
            Mistake(
                "not_squared",
                "The errors were not squared: those above the price and those below cancel each other.",
                "def mean_squared_error(predicted, prices):\n    return np.mean(predicted - prices)",
            ),
            Mistake(
                "absolute",
                "You took the size of the errors, not their squares. That is the mean absolute error.",
                "def mean_squared_error(predicted, prices):\n    return np.mean(np.abs(predicted - prices))",
            ),
            Mistake(
                "squared_mean",
                "You squared the mean. By then the errors have cancelled each other: square each of them first.",
                "def mean_squared_error(predicted, prices):\n    return np.mean(predicted - prices) ** 2",
            ),
            Mistake(
                "root",
                "That is its root, the RMSE, which has the unit of the prices. Leave the root out.",
                "def mean_squared_error(predicted, prices):\n    return np.sqrt(np.mean((predicted - prices) ** 2))",
            ),
            Mistake(
                "half",
                "That is half of it. Some courses put 1/2 before the sum, to make the derivative shorter; the mean "
                "has no such factor.",
                "def mean_squared_error(predicted, prices):\n    return np.mean((predicted - prices) ** 2) / 2",
            ),
        ),
        inputs=(
            (np.array([3.0, 5.0, 9.0]), np.array([2.0, 7.0, 6.0])),
            (np.array([4.0, 1.0, 0.5, 2.0]), np.array([4.0, 4.0, 2.5, 1.0])),
        ),
    ),
    Exercise(
        title="A better line by eye",
        task="Choose a weight and a bias whose line has a mean squared error below 2.4 on the eight houses. Try, look "
        "at the plot, and try again: `weight_and_bias = (1.0, 2.0)`, for example.",
        stub="weight_and_bias = ...",
        solution="weight_and_bias = (1.4, 1.4)",
        explanation="Many pairs are good enough. Training does what you did: it looks where the line is off, and "
        "changes both numbers a little, in the direction that makes the cost smaller.",
        hints=(
            "Begin with the best line of the table, 1.5 and 1.3. Does it run above or below the large houses?",
            "The weight is the steepness, the bias the height at size 0. Change one by 0.1 and look at the cost.",
            "A little flatter and a little higher than the best line of the table.",
        ),
        mistakes=(
            Mistake(
                "from_the_table",
                "That line is in the table above, and its cost is 2.6125: begin there and make it better.",
                "weight_and_bias = (1.5, 1.3)",
            ),
            Mistake(
                "too_steep",
                "The line is too steep: it runs above the large houses, or below the small ones. The weight is the "
                "steepness.",
                "weight_and_bias = (1.8, -0.5)",
            ),
            Mistake(
                "too_flat",
                "The line is too flat: it runs below the large houses, or above the small ones. The weight is the "
                "steepness.",
                "weight_and_bias = (1.0, 3.2)",
            ),
            Mistake(
                "too_high",
                "The line lies above most houses. The bias lifts it and lowers it.",
                "weight_and_bias = (1.4, 2.8)",
            ),
            Mistake(
                "too_low",
                "The line lies below most houses. The bias lifts it and lowers it.",
                "weight_and_bias = (1.4, 0)",
            ),
        ),
        grade=grade_line,
    ),
    Exercise(
        title="Min-max scaling by hand",
        task="Each column of `X` is a feature in its own unit. Return the columns scaled to 0 to 1: in each column the "
        "smallest number becomes 0, the largest 1, the others lie between them in proportion.",
        stub='''\
def scale(X):
    """Returns X (rows, features) with each column scaled to 0 to 1, of the same shape."""
    ...
''',
        solution="""\
def scale(X):
    low, high = X.min(axis=0), X.max(axis=0)
    return (X - low) / (high - low)
""",
        explanation="`X.min(axis=0)` goes down the rows and leaves one number for each column. NumPy subtracts this "
        "row from each row of X: broadcasting. scikit-learn's MinMaxScaler does the same, and remembers `low` and "
        "`high` for the houses that come later.",
        hints=(
            "For one column: subtract the smallest number, then divide by the range, largest minus smallest.",
            "X.min() is the smallest number of the whole table. With axis=0 it is one for each column.",
            "(X - X.min(axis=0)) divided by (X.max(axis=0) - X.min(axis=0)).",
        ),
        mistakes=(
            Mistake(
                "whole_table",
                "You took the smallest and the largest number of the whole table: then the feature with the largest "
                "numbers fills the range, and the others stay tiny.",
                "def scale(X):\n    return (X - X.min()) / (X.max() - X.min())",
            ),
            Mistake(
                "rows",
                "You scaled each row, which compares the area of a house with its age. A feature is a column.",
                "def scale(X):\n    low, high = X.min(axis=1, keepdims=True), X.max(axis=1, keepdims=True)\n"
                "    return (X - low) / (high - low)",
            ),
            Mistake(
                "only_divided",
                "You divided by the largest number. So the smallest one does not become 0.",
                "def scale(X):\n    return X / X.max(axis=0)",
            ),
            Mistake(
                "not_the_range",
                "You divided by the largest number, not by the range: so the largest one does not become 1.",
                "def scale(X):\n    return (X - X.min(axis=0)) / X.max(axis=0)",
            ),
            Mistake(
                "standardised",
                "That is the other usual scaling, to mean 0 and standard deviation 1: StandardScaler.",
                "def scale(X):\n    return (X - X.mean(axis=0)) / X.std(axis=0)",
            ),
        ),
        inputs=((FEW_HOUSES,), (np.array([[118.0, 1.0], [258.0, 5.0], [57.0, 2.0], [90.0, 3.0]]),)),
    ),
    Exercise(
        title="A house outside of the range",
        task="A MinMaxScaler was fitted on training houses whose areas go from 22 to 300 m2. Later a house of 439 m2 "
        "comes. Which number does `scaler.transform` make of its area?",
        stub="scaled_area = ...",
        solution="scaled_area = (439 - 22) / (300 - 22)",
        explanation="The scaler computes with the range of the training rows, for all rows that ever come. So a number "
        "may lie below 0 or above 1, and the network still gets it in the unit that it was trained in. Whether its "
        "prediction is any good out there is another question.",
        hints=(
            "The scaler remembers two numbers for each column, and forgets the houses. Which two?",
            "It subtracts the smallest training area and divides by the range of the training areas.",
            "439 minus 22, divided by 300 minus 22.",
        ),
        mistakes=(
            Mistake(
                "cut_off",
                "Nothing is cut off at the end of the range: a larger house is a larger number.",
                "scaled_area = 1",
            ),
            Mistake(
                "fitted_again",
                "You fitted the scaler again, on the new house alone. Then a house of the training rows would "
                "be another number than the network was trained on: `transform`, not `fit_transform`.",
                "scaled_area = 0",
            ),
            Mistake(
                "only_divided",
                "You divided by the largest area, and did not subtract the smallest.",
                "scaled_area = 439 / 300",
            ),
            Mistake(
                "not_the_range",
                "You subtracted the smallest area, and then divided by the largest: divide by the range.",
                "scaled_area = (439 - 22) / 300",
            ),
        ),
    ),
    Exercise(
        title="The neuron by hand",
        task="A trained neuron has one weight for each feature, and one bias. Return what it predicts for each house: "
        "each feature times its weight, added up, and the bias added.",
        stub='''\
def predict(X, weights, bias):
    """Returns the predictions (houses,) for X (houses, features), weights (features,) and a number, the bias."""
    ...
''',
        solution="""\
def predict(X, weights, bias):
    return X @ weights + bias
""",
        explanation="The matrix product multiplies each row of X by the weights and adds up. A Dense layer does just "
        "this, `X @ kernel + bias`, with a column of weights for each of its units.",
        hints=(
            "For one house: w1 x1 + w2 x2 + w3 x3 + bias.",
            "X * weights multiplies each feature by its weight. What has to be added up, a row or a column?",
            "The matrix product @ multiplies and adds up at once.",
        ),
        mistakes=(
            Mistake(
                "no_bias",
                "The bias is missing: a house of all zeros would always cost 0.",
                "def predict(X, weights, bias):\n    return X @ weights",
            ),
            Mistake(
                "bias_for_each_feature",
                "The bias was added once for each feature. A neuron has one bias, added once.",
                "def predict(X, weights, bias):\n    return np.sum(X * weights + bias, axis=1)",
            ),
            Mistake(
                "not_added_up",
                "You gave one number for each feature of each house: add them up, then add the bias.",
                "def predict(X, weights, bias):\n    return X * weights + bias",
            ),
            Mistake(
                "added_over_houses",
                "You added up over the houses, and got one number for each feature. Each house needs its own number.",
                "def predict(X, weights, bias):\n    return np.sum(X * weights, axis=0) + bias",
            ),
        ),
        inputs=(
            (np.array([[1.0, 0.5, 0.0], [0.2, 0.0, 1.0]]), np.array([3000.0, 500.0, -600.0]), 1200.0),
            (np.array([[2.0, 1.0], [0.0, 3.0], [4.0, 4.0]]), np.array([0.5, -1.0]), 10.0),
        ),
    ),
)
