"""Exercises on the lesson `metrics`: the four outcomes, a rare illness, F1, folds, and the choice of a model."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake, call

TRUE = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0])
PREDICTED = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0])
SIZES = ((12, 4), (10, 3), (11, 4))  # samples and folds; the first divides without a remainder


def grade_folds(answer: Any) -> str:
    """Returns "" for a function that gives k parts of the numbers below n, of nearly equal sizes."""
    if not callable(answer):
        raise AnswerError("Give a function.", "type")
    results = [call(answer, *sizes) for sizes in SIZES]
    if all(result is None or result is ... for result in results):
        raise AnswerError("Nothing yet: folds returns nothing. Does it end with return?", "unanswered")
    for (n, k), result in zip(SIZES, results, strict=True):
        where = f"For {n} samples in {k} folds your function gives"
        try:
            parts = [[int(i) for i in part] for part in result]
        except (TypeError, ValueError):
            raise AnswerError(f"{where} no list of lists of whole numbers.", "type") from None
        if len(parts) != k:
            raise AnswerError(f"{where} {len(parts)} of them.", "shape")
        flat = list(itertools.chain(*parts))
        missing = sorted(set(range(n)) - set(flat))
        if flat and min(flat) == 1 and max(flat) == n:
            return "from_one"
        if all(len(part) == n - n // k for part in parts):
            return "training_parts"
        if len(flat) != len(set(flat)):
            raise AnswerError(f"{where} a sample that is tested twice.")
        if missing and n % k and len(flat) == n - n % k:
            return "remainder_lost"
        if missing or set(flat) != set(range(n)):
            raise AnswerError(f"{where} not each of the numbers 0 to {n - 1} once.")
        lengths = [len(part) for part in parts]
        if max(lengths) - min(lengths) > 1:
            return "remainder_in_one"
    return ""


EXERCISES = (
    Exercise(
        title="Count the four outcomes",
        task="Count true positives, true negatives, false negatives and false positives, and return the four counts in "
        "this order. Positive is the class 1; true and false say whether the prediction is right.",
        stub='''\
def outcomes(y_true, y_predicted):
    """Returns (tp, tn, fn, fp) for classes and predictions (samples,), each 0 or 1."""
    ...
''',
        solution="""\
def outcomes(y_true, y_predicted):
    tp = np.sum((y_true == 1) & (y_predicted == 1))
    tn = np.sum((y_true == 0) & (y_predicted == 0))
    fn = np.sum((y_true == 1) & (y_predicted == 0))
    fp = np.sum((y_true == 0) & (y_predicted == 1))
    return tp, tn, fn, fp
""",
        explanation="The second word says what was predicted, the first whether that was right. A false negative is an "
        "ill person who is sent home; a false positive is a false alarm.",
        hints=(
            "The second word is the prediction: a false positive was predicted as 1.",
            "(y_true == 1) & (y_predicted == 0) is True where an ill person was called healthy. Sum it.",
            "Four sums, one for each pair of classes: 1 and 1, 0 and 0, 1 and 0, 0 and 1.",
        ),
        mistakes=(
            Mistake(
                "false_ones_swapped",
                "You have false negatives and false positives the wrong way round: the word after false is what was "
                "predicted.",
                "def outcomes(y_true, y_predicted):\n"
                "    t, p = y_true == 1, y_predicted == 1\n"
                "    return np.sum(t & p), np.sum(~t & ~p), np.sum(~t & p), np.sum(t & ~p)",
            ),
            Mistake(
                "zero_is_positive",
                "You took class 0 for positive. Positive is what the test looks for: 1.",
                "def outcomes(y_true, y_predicted):\n"
                "    t, p = y_true == 0, y_predicted == 0\n"
                "    return np.sum(t & p), np.sum(~t & ~p), np.sum(t & ~p), np.sum(~t & p)",
            ),
            Mistake(
                "another_order",
                "The counts are right, but in the wrong order.",
                "def outcomes(y_true, y_predicted):\n"
                "    t, p = y_true == 1, y_predicted == 1\n"
                "    return np.sum(t & p), np.sum(~t & p), np.sum(t & ~p), np.sum(~t & ~p)",
            ),
            Mistake(
                "all_positives",
                "You counted all that are of class 1 and all of class 0: a true positive is also predicted as 1.",
                "def outcomes(y_true, y_predicted):\n"
                "    t, p = y_true == 1, y_predicted == 1\n"
                "    return np.sum(t), np.sum(~t), np.sum(t & ~p), np.sum(~t & p)",
            ),
        ),
        inputs=(
            (TRUE, PREDICTED),
            (np.array([1, 0, 0, 0, 0, 0, 1, 1, 1, 1]), np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 1])),
            (np.array([0, 0, 0, 1]), np.array([1, 1, 0, 1])),
        ),
    ),
    Exercise(
        title="A rare illness",
        task="Of 1,000 people 10 are ill. A test calls 8 of these 10 ill, and by mistake also 99 of the 990 healthy "
        "ones. Somebody gets the result: ill. What is the probability that it is true, the **precision** of the test? "
        "Give a number from 0 to 1, or let Python compute it.",
        stub="precision = ...",
        solution="precision = 8 / (8 + 99)",
        explanation="107 people get an alarm, and 8 of them are ill: 7.5 %. The test is right for nine of ten people "
        "and still wrong in nearly every alarm, because so few are ill. Look at precision and recall, not at accuracy "
        "alone, where a class is rare.",
        hints=(
            "How many people get the result ill, all in all?",
            "Precision asks: of those who were called ill, which share is ill?",
            "Divide the 8 by all who were called ill, right or wrong.",
        ),
        mistakes=(
            Mistake(
                "recall",
                "That is the recall: the share of ill people whom the test finds. The question starts from those who "
                "got an alarm.",
                "precision = 8 / 10",
            ),
            Mistake(
                "accuracy",
                "That is the accuracy, the share of all people with a right result. Nearly all of them are healthy.",
                "precision = (8 + 891) / 1000",
            ),
            Mistake(
                "specificity",
                "That is the specificity: the share of healthy people who are told that they are healthy.",
                "precision = 891 / 990",
            ),
            Mistake(
                "false_positive_rate",
                "That is the false positive rate: the share of healthy people who get an alarm.",
                "precision = 99 / 990",
            ),
            Mistake(
                "odds",
                "You divided true alarms by false ones. A share divides by all alarms, the true ones too.",
                "precision = 8 / 99",
            ),
            Mistake(
                "of_everybody",
                "You divided by all people. Divide by those who got an alarm only.",
                "precision = 8 / 1000",
            ),
        ),
        tolerance=5e-4,  # 0.075 is right too
    ),
    Exercise(
        title="F1 by hand",
        task="F1 is the harmonic mean of precision and recall: 2 times their product, divided by their sum. Return it "
        "from the counts of true positives, false positives and false negatives.",
        stub='''\
def f1(tp, fp, fn):
    """Returns F1, 0 to 1; at least one sample is a true positive."""
    ...
''',
        solution="""\
def f1(tp, fp, fn):
    precision = tp / (tp + fp)
    recall = tp / (tp + fn)
    return 2 * precision * recall / (precision + recall)
""",
        explanation="It is also 2 TP / (2 TP + FP + FN). The harmonic mean lies near the smaller of the two: a model "
        "that calls everybody ill has recall 1, but no good F1. True negatives have no part in it.",
        hints=(
            "Compute precision and recall first: two shares of which tp is the upper part.",
            "Precision divides by all that were called positive, recall by all that are positive.",
            "2 * precision * recall, divided by the sum of the two.",
        ),
        mistakes=(
            Mistake(
                "arithmetic_mean",
                "That is half the sum of the two, the arithmetic mean: a model that calls everybody ill would get more "
                "than 0.5.",
                "def f1(tp, fp, fn):\n    return (tp / (tp + fp) + tp / (tp + fn)) / 2",
            ),
            Mistake(
                "no_two",
                "Even a model without a mistake would get only 0.5 from yours.",
                "def f1(tp, fp, fn):\n    return tp / (2 * tp + fp + fn)",
            ),
            Mistake(
                "product",
                "You did not divide by the sum of precision and recall.",
                "def f1(tp, fp, fn):\n    return 2 * tp / (tp + fp) * tp / (tp + fn)",
            ),
            Mistake(
                "one_tp_below",
                "Below the line, the true positives count as often as above it.",
                "def f1(tp, fp, fn):\n    return 2 * tp / (tp + fp + fn)",
            ),
            Mistake(
                "precision_only",
                "That is the precision: the false negatives have no part in it.",
                "def f1(tp, fp, fn):\n    return tp / (tp + fp)",
            ),
        ),
        inputs=((4, 2, 1), (1, 0, 3), (10, 5, 0), (7, 0, 0)),
    ),
    Exercise(
        title="Folds",
        task="Cross-validation tests each sample exactly once. Return `k` lists of sample numbers, the test sets of "
        "the folds: together they hold each of 0 to n - 1 once. Where n cannot be divided by k, the sizes differ by "
        "one at most.",
        stub='''\
def folds(n, k):
    """Returns a list of k lists: the numbers of the samples that are tested in each fold."""
    ...
''',
        solution="""\
def folds(n, k):
    return [list(range(first, n, k)) for first in range(k)]
""",
        explanation="Every k-th sample is one way; np.array_split(np.arange(n), k) is another. Shuffle the samples "
        "first where the file is sorted, or a fold has one class only.",
        hints=(
            "range(first, n, step) counts in steps. Which steps deal the numbers out as cards to k players?",
            "np.array_split takes care of the remainder as well.",
            "The fold number i can be range(i, n, k).",
        ),
        mistakes=(
            Mistake(
                "remainder_lost",
                "Where n is no multiple of k, some samples are never tested: the remainder is lost.",
                "def folds(n, k):\n    size = n // k\n"
                "    return [list(range(i * size, (i + 1) * size)) for i in range(k)]",
            ),
            Mistake(
                "remainder_in_one",
                "One fold takes the whole remainder, and is larger than the others by more than one.",
                "def folds(n, k):\n    size = n // k\n    parts = [list(range(i * size, (i + 1) * size)) for i in"
                " range(k)]\n    parts[-1] = list(range((k - 1) * size, n))\n    return parts",
            ),
            Mistake(
                "training_parts",
                "Those are the samples that are trained on. Return those that are held out.",
                "def folds(n, k):\n    return [[j for j in range(n) if j % k != i] for i in range(k)]",
            ),
            Mistake(
                "from_one",
                "You count from 1 to n. Python counts the rows of an array from 0.",
                "def folds(n, k):\n    return [list(range(first + 1, n + 1, k)) for first in range(k)]",
            ),
        ),
        grade=grade_folds,
    ),
    Exercise(
        title="Choose a model",
        task="Polynomials of the degrees 1, 3, 5, 9 and 14 were fitted to the same training data. Their errors there, "
        "in this order: 0.48, 0.33, 0.19, 0.11, 0.00. Their errors on validation data: 0.49, 0.36, 0.23, 0.38, 2.90. "
        "Which degree do you take?",
        stub="degree = ...",
        solution="degree = 5",
        explanation="What counts is the error on data that the model was not fitted to, and it is lowest for 5: below "
        "it bias dominates, above it variance. Its validation error is now a little too optimistic, because you chose "
        "by it: report the error on a third part, the test data.",
        hints=(
            "Which of the two rows says how good a model will be on new data?",
            "A model that has learned its training data by heart has no error there.",
            "Look for the lowest error on validation data.",
        ),
        mistakes=(
            Mistake(
                "lowest_training_error",
                "That one has learned the training data by heart: look at its error on other data.",
                "degree = 14",
            ),
            Mistake(
                "smallest_difference",
                "There the two errors are nearly the same, because both are large: this model is too simple. That is "
                "underfitting.",
                "degree = 1",
            ),
            Mistake(
                "training_weighed_in",
                "Its training error is lower, but on other data it is worse than a simpler one: it begins to overfit.",
                "degree = 9",
            ),
            Mistake(
                "too_early",
                "A higher degree is still better on validation data. Go on until it gets worse.",
                "degree = 3",
            ),
        ),
    ),
)
