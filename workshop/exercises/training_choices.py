"""Exercises on the lesson `training_choices`: steps counted, a rate chosen, early stopping, several outputs."""

from __future__ import annotations

from workshop.exercises.kit.exercise import Exercise, Mistake

NAN = float("nan")

EXERCISES = (
    Exercise(
        title="How many steps",
        task="A network is trained on 93 rows with `batch_size=16` for 40 epochs. How many steps does it take in all? "
        "The last batch of an epoch may be smaller.",
        stub="steps = ...",
        solution="steps = 6 * 40",
        explanation="Five batches of 16 are 80 rows; the 13 that are left are a sixth, smaller batch. Keras shows it "
        "while it trains: `6/6`.",
        hints=(
            "How many batches has one epoch?",
            "93 / 16 is 5.8. What happens to the rows that do not fill a batch?",
            "The batches of an epoch, rounded up, times the epochs.",
        ),
        mistakes=(
            Mistake(
                "last_batch_lost",
                "The last batch of each epoch is missing: the rows that are left are trained on, too.",
                "steps = 93 // 16 * 40",
            ),
            Mistake(
                "not_whole",
                "There is no part of a step: a smaller batch is a step as well.",
                "steps = 93 / 16 * 40",
            ),
            Mistake("one_epoch", "That is one epoch. How many are there?", "steps = 6"),
            Mistake(
                "one_row_a_step",
                "That is a step for each row, stochastic descent: `batch_size=1`.",
                "steps = 93 * 40",
            ),
            Mistake(
                "one_step_an_epoch",
                "That is a step for each epoch, batch descent: `batch_size=93`.",
                "steps = 40",
            ),
        ),
    ),
    Exercise(
        title="Choose a learning rate",
        task="Each learning rate of `rates` was tried. The lists `train`, `validation` and `test` have its error on "
        "the three sets of rows, in the same order; the error of one that diverged is `nan`. Return the rate to take.",
        stub='''\
def choose(rates, train, validation, test):
    """Returns one of the rates, a number, from four lists of the same length."""
    ...
''',
        solution="""\
def choose(rates, train, validation, test):
    return rates[np.nanargmin(validation)]
""",
        explanation="The validation rows choose. The training rows would choose what memorises them, and the test rows "
        "are needed for the end: an error by which something was chosen is too good to be true. Comparing with nan is "
        "always False, hence `nanargmin`.",
        hints=(
            "Which of the three sets is there to choose by?",
            "np.argmin gives the place of the smallest number. What does it say when one of them is nan?",
            "np.nanargmin leaves the nan out. It gives a place: take the rate that stands there.",
        ),
        mistakes=(
            Mistake(
                "by_test",
                "You chose by the test error. Then no rows are left that had no say, and the error you report is too "
                "good.",
                "def choose(rates, train, validation, test):\n    return rates[np.nanargmin(test)]",
            ),
            Mistake(
                "by_training",
                "You chose by the training error. That takes whatever memorises these rows best.",
                "def choose(rates, train, validation, test):\n    return rates[np.nanargmin(train)]",
            ),
            Mistake(
                "nan_chosen",
                "You took the one that diverged: np.argmin takes nan for the smallest.",
                "def choose(rates, train, validation, test):\n    return rates[np.argmin(validation)]",
            ),
            Mistake(
                "largest",
                "You took the largest error.",
                "def choose(rates, train, validation, test):\n    return rates[np.nanargmax(validation)]",
            ),
            Mistake(
                "place",
                "That is the place in the list. Which rate stands there?",
                "def choose(rates, train, validation, test):\n    return np.nanargmin(validation)",
            ),
        ),
        inputs=(
            ([0.01, 0.1, 0.3, 1.0], [300.0, 210.0, 190.0, NAN], [310.0, 240.0, 250.0, NAN], [305.0, 260.0, 230.0, NAN]),
            ([0.5, 0.05, 0.005], [9.0, 8.0, 7.0], [8.0, 9.0, 11.0], [8.5, 8.2, 9.0]),
            ([2.0, 0.2, 0.02], [NAN, 3.0, 5.0], [NAN, 4.0, 6.0], [NAN, 4.5, 5.0]),
        ),
    ),
    Exercise(
        title="Early stopping by hand",
        task="`losses` has the validation loss of each epoch. Training stops as soon as `patience` epochs have passed "
        "since the lowest loss so far. Return two numbers, counted from 1: the epoch after which it stops (the last "
        "one, if it never stops early), and the epoch whose weights are the best so far.",
        stub='''\
def early_stopping(losses, patience):
    """Returns the last epoch and the best epoch, counted from 1, for a list of losses."""
    ...
''',
        solution="""\
def early_stopping(losses, patience):
    best = 1
    for epoch in range(2, len(losses) + 1):
        if losses[epoch - 1] < losses[best - 1]:
            best = epoch
        elif epoch - best >= patience:
            return epoch, best
    return len(losses), best
""",
        explanation="Losses go up and down, so one worse epoch says little: hence the patience. Keras' EarlyStopping "
        "does the same; without `restore_best_weights=True` it leaves you the weights of the last epoch, not of the "
        "best.",
        hints=(
            "Go through the epochs and remember the best one so far.",
            "Where the loss is lower than the best: a new best. Else: how many epochs ago was the best?",
            "elif epoch - best >= patience: return epoch, best. And after the loop: return len(losses), best.",
        ),
        mistakes=(
            Mistake(
                "from_zero",
                "You counted the epochs from 0, as Python does. Here, and on Keras' screen, the first one is 1.",
                "def early_stopping(losses, patience):\n    best = 0\n    for epoch in range(1, len(losses)):\n"
                "        if losses[epoch] < losses[best]:\n            best = epoch\n"
                "        elif epoch - best >= patience:\n            return epoch, best\n"
                "    return len(losses) - 1, best",
            ),
            Mistake(
                "no_patience",
                "It stops at the first epoch that is worse. With patience it waits.",
                "def early_stopping(losses, patience):\n    for i in range(1, len(losses)):\n"
                "        if losses[i] >= losses[i - 1]:\n            return i + 1, i\n"
                "    return len(losses), len(losses)",
            ),
            Mistake(
                "last_kept",
                "The epoch where it stops is not the best one: it is a few epochs late, on purpose.",
                "def early_stopping(losses, patience):\n    best = 1\n    for epoch in range(2, len(losses) + 1):\n"
                "        if losses[epoch - 1] < losses[best - 1]:\n            best = epoch\n"
                "        elif epoch - best >= patience:\n            return epoch, epoch\n"
                "    return len(losses), len(losses)",
            ),
            Mistake(
                "all_epochs",
                "You looked at all losses, also at those that come after it has stopped: nobody ever computes them.",
                "def early_stopping(losses, patience):\n    best = int(np.argmin(losses)) + 1\n"
                "    return min(best + patience, len(losses)), best",
            ),
            Mistake(
                "against_the_last",
                "You compared each epoch with the one before it. What counts is the lowest loss so far.",
                "def early_stopping(losses, patience):\n    best, waited = 1, 0\n"
                "    for epoch in range(2, len(losses) + 1):\n"
                "        if losses[epoch - 1] < losses[epoch - 2]:\n            best, waited = epoch, 0\n"
                "        else:\n            waited += 1\n            if waited >= patience:\n"
                "                return epoch, best\n    return len(losses), best",
            ),
        ),
        inputs=(
            ([5.0, 4.0, 3.0, 3.5, 3.2, 2.9, 3.3, 3.1, 3.0, 3.4, 1.0], 3),
            ([2.0, 1.0, 1.5, 1.4, 1.3, 1.2], 2),
            ([3.0, 2.0, 1.0], 5),
        ),
    ),
    Exercise(
        title="Two outputs",
        task="A layer gets three features and has two outputs: `Dense(2)`. How many numbers can training change in it?",
        stub="numbers = ...",
        solution="numbers = 3 * 2 + 2",
        explanation="Two neurons side by side, each with three weights and a bias. They share the inputs, and nothing "
        "else: trained together they learn what each would learn alone.",
        hints=(
            "How many has one neuron with three features?",
            "Each output is a neuron with weights and a bias of its own.",
            "Two times (three weights and one bias).",
        ),
        mistakes=(
            Mistake("no_biases", "The biases are missing.", "numbers = 3 * 2"),
            Mistake("one_bias", "The layer has a bias for each output, not one for all.", "numbers = 3 * 2 + 1"),
            Mistake("one_neuron", "That is one neuron, with one output.", "numbers = 3 + 1"),
            Mistake(
                "bias_for_each_feature",
                "The biases belong to the outputs, not to the features.",
                "numbers = 3 * 2 + 3",
            ),
        ),
    ),
)
