"""Exercises on the lesson `forecasting`: windows, a scaler without the future, a naive forecast, its error."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

SERIES = np.array([3.0, 5.0, 4.0, 8.0, 6.0, 9.0, 7.0, 12.0, 2.0, 1.0])
TRUTH = np.array([3.0, 5.0, 4.0, 8.0])
FORECAST = np.array([4.0, 5.0, 1.0, 6.0])

EXERCISES = (
    Exercise(
        title="Windows of a series",
        task="Cut a series into every window of `window` values that has a value after it. Return X, an array "
        "(n, window) with the windows in the order of time, and y, an array (n,) with the value right after each.",
        stub='''\
def make_windows(values, window):
    """Returns X (n, window) and y (n,), of a series of values (rows,)."""
    ...
''',
        solution="""\
def make_windows(values, window):
    starts = range(len(values) - window)
    X = np.array([values[start : start + window] for start in starts])
    y = np.array([values[start + window] for start in starts])
    return X, y
""",
        explanation="Ten values and windows of three make seven pairs: the last window with a value after it starts "
        "at the seventh. Neighbouring windows share all values but one, which is right: each is a forecast of its own.",
        hints=(
            "The first window is values[0 : window], and what comes right after it is values[window].",
            "A window that starts at `start` holds values[start : start + window]. Which index comes after it?",
            "start goes over range(len(values) - window); collect windows and targets in two lists.",
        ),
        mistakes=(
            Mistake(
                "target_inside",
                "Your target is the last value of the window itself: the network would only have to copy it.",
                "def make_windows(values, window):\n    starts = range(len(values) - window)\n"
                "    X = np.array([values[s : s + window] for s in starts])\n"
                "    return X, np.array([values[s + window - 1] for s in starts])",
            ),
            Mistake(
                "last_lost",
                "One window is missing at the end: the last value of the series is never forecast.",
                "def make_windows(values, window):\n    starts = range(len(values) - window - 1)\n"
                "    X = np.array([values[s : s + window] for s in starts])\n"
                "    return X, np.array([values[s + window] for s in starts])",
            ),
            Mistake(
                "two_ahead",
                "You skipped a value: the target is the one right after the window.",
                "def make_windows(values, window):\n    starts = range(len(values) - window - 1)\n"
                "    X = np.array([values[s : s + window] for s in starts])\n"
                "    return X, np.array([values[s + window + 1] for s in starts])",
            ),
            Mistake(
                "side_by_side",
                "Your windows lie side by side. A window may begin at every value, which gives many more to train on.",
                "def make_windows(values, window):\n    starts = range(0, len(values) - window, window)\n"
                "    X = np.array([values[s : s + window] for s in starts])\n"
                "    return X, np.array([values[s + window] for s in starts])",
            ),
        ),
        inputs=((SERIES, 3), (SERIES[:6], 2)),
    ),
    Exercise(
        title="A scaler that does not know the future",
        task="Scale a whole series so that its **training part**, the first `train_rows` values, goes from 0 to 1. "
        "Return all values, scaled.",
        stub='''\
def scale(values, train_rows):
    """Returns the scaled values (rows,), the first train_rows of them from 0 to 1."""
    ...
''',
        solution="""\
def scale(values, train_rows):
    past = values[:train_rows]
    return (values - past.min()) / (past.max() - past.min())
""",
        explanation="Later values may leave the range of 0 to 1, and that is honest: on the day of the forecast nobody "
        "knows how high the series will still rise. scikit-learn's MinMaxScaler does the same: `fit` on the training "
        "part, `transform` on everything.",
        hints=(
            "The lowest value is to become 0: subtract it. The lowest of which values?",
            "Then divide by the distance from the lowest to the highest value of the training part.",
            "past = values[:train_rows]; minimum and maximum are those of past, but all values are scaled.",
        ),
        mistakes=(
            Mistake(
                "future_known",
                "Minimum and maximum come from the whole series: the training knows how high the test part will rise.",
                "def scale(values, train_rows):\n    return (values - values.min()) / (values.max() - values.min())",
            ),
            Mistake(
                "divided_by_maximum",
                "You divided by the maximum. The lowest value was subtracted before, so the highest is not 1 any more.",
                "def scale(values, train_rows):\n    past = values[:train_rows]\n"
                "    return (values - past.min()) / past.max()",
            ),
            Mistake(
                "training_part_only",
                "Only the training part came back: the rest is scaled by the same two numbers.",
                "def scale(values, train_rows):\n    past = values[:train_rows]\n"
                "    return (past - past.min()) / (past.max() - past.min())",
            ),
            Mistake(
                "standardized",
                "You subtracted the mean and divided by the standard deviation: a good scaling too, but it does not go "
                "from 0 to 1.",
                "def scale(values, train_rows):\n    past = values[:train_rows]\n"
                "    return (values - past.mean()) / past.std()",
            ),
        ),
        inputs=((SERIES, 6), (SERIES, 4)),
    ),
    Exercise(
        title="As one season ago",
        task="The *seasonal naive* forecast says: it will be as one season ago. `values` is all that is known, "
        "`season` the number of values in a season. Return the next `horizon` values; `horizon` is at most `season`.",
        stub='''\
def seasonal_naive(values, season, horizon):
    """Returns the forecast (horizon,) of what comes after values (rows,)."""
    ...
''',
        solution="""\
def seasonal_naive(values, season, horizon):
    start = len(values) - season
    return values[start : start + horizon]
""",
        explanation="The next value is forecast by the one a season before it, `season` values from the end. For "
        "monthly sales this is hard to beat; for sunspots it is poor, since the sun's cycle of eleven years is not "
        "regular.",
        hints=(
            "Next January is forecast by last January. How far from the end of the series is that?",
            "The forecast begins `season` values before the end of the series.",
            "It ends `horizon` values later: a slice of the series.",
        ),
        mistakes=(
            Mistake(
                "naive",
                "You repeated the last value: that is the naive forecast without a season.",
                "def seasonal_naive(values, season, horizon):\n    return np.repeat(values[-1], horizon)",
            ),
            Mistake(
                "last_values",
                "You took the last values of the series: they are right behind, not a season ago.",
                "def seasonal_naive(values, season, horizon):\n    return values[-horizon:]",
            ),
            Mistake(
                "first_season",
                "That is the first season of the series; the last one is closer to what comes.",
                "def seasonal_naive(values, season, horizon):\n    return values[:horizon]",
            ),
            Mistake(
                "off_by_one",
                "You are one step off: the first forecast is the value exactly one season before it.",
                "def seasonal_naive(values, season, horizon):\n    start = len(values) - season - 1\n"
                "    return values[start : start + horizon]",
            ),
        ),
        inputs=((SERIES, 4, 2), (SERIES, 5, 3), (SERIES, 4, 4)),
    ),
    Exercise(
        title="The root mean squared error",
        task="Return the root mean squared error of a forecast: the square root of the mean of the squared "
        "differences.",
        stub='''\
def rmse(truth, forecast):
    """Returns the root mean squared error of forecast (n,), where truth (n,) is what came."""
    ...
''',
        solution="""\
def rmse(truth, forecast):
    return np.sqrt(np.mean((truth - forecast) ** 2))
""",
        explanation="It is in the unit of the series, sunspots, where the mean squared error is in squared ones. A few "
        "large errors weigh more than many small ones.",
        hints=(
            "Four steps, from the inside out: the differences, their squares, the mean, the root.",
            "np.mean and np.sqrt; a square is ** 2.",
        ),
        mistakes=(
            Mistake(
                "no_root",
                "That is the mean squared error, in squared sunspots: the root is missing.",
                "def rmse(truth, forecast):\n    return np.mean((truth - forecast) ** 2)",
            ),
            Mistake(
                "not_divided",
                "The sum of the squares was not divided by their number: a longer series would look worse.",
                "def rmse(truth, forecast):\n    return np.sqrt(np.sum((truth - forecast) ** 2))",
            ),
            Mistake(
                "root_of_each",
                "You took the root of each square, which gives the mean absolute error.",
                "def rmse(truth, forecast):\n    return np.mean(np.sqrt((truth - forecast) ** 2))",
            ),
            Mistake(
                "not_squared",
                "Errors upwards and downwards cancel, since you did not square the differences first.",
                "def rmse(truth, forecast):\n    return abs(np.mean(truth - forecast))",
            ),
        ),
        inputs=((TRUTH, FORECAST), (SERIES[:3], SERIES[3:6])),
    ),
    Exercise(
        title="From the network's output to sunspots",
        task="A network predicts the **change** since the last value of its window, and the scaler divided all changes "
        "by 200, the distance from the lowest to the highest value of the training part; the lowest was 10. The window "
        "ends with 100 sunspots, and the network's output is 0.1. How many sunspots does it forecast?",
        stub="sunspots = ...",
        solution="sunspots = 100 + 0.1 * 200",
        explanation="A change of 0.1 is 20 sunspots, and the last value was 100. The lowest value does not count: it "
        "is subtracted from both values, and so it cancels in their difference.",
        hints=(
            "How many sunspots is a scaled change of 0.1?",
            "It is a change: it has to be added to something.",
        ),
        mistakes=(
            Mistake(
                "change_alone",
                "That is the change. What does it start from?",
                "sunspots = 0.1 * 200",
            ),
            Mistake(
                "as_a_value",
                "You took the output for a scaled value, as scaler.inverse_transform would; it is a change.",
                "sunspots = 10 + 0.1 * 200",
            ),
            Mistake(
                "lowest_added",
                "A change has no lowest value: what is subtracted from both ends cancels.",
                "sunspots = 100 + 10 + 0.1 * 200",
            ),
            Mistake(
                "not_scaled_back",
                "The output is still scaled: 0.1 is not a tenth of a sunspot.",
                "sunspots = 100 + 0.1",
            ),
        ),
        imports="",
    ),
)
