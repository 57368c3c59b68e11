"""Metrics: how good is a model, and how good will it be on data that it has never seen?

You count the four outcomes of a prediction, compute the metrics from them by hand, and draw the ROC curve through all
thresholds; scikit-learn finds the same. Then you split data, fold it, and see why: a polynomial and a support vector
regression memorise their samples and fail on others. Bias and variance are measured and added up.

    python -m workshop.metrics                     # all of it; then look into the folder plots
    python -m workshop.metrics --seed 2            # other random samples, the same lesson
    python -m workshop.metrics --quick             # a first look: bias and variance over 200 samples

Expected: TP=4, TN=2, FN=1, FP=2 give accuracy 0.667, precision 0.667, recall 0.8, specificity 0.5, FPR 0.5, FNR 0.2,
F1 0.727, all as scikit-learn's. The polynomial is better than the line on its own samples and worse on others, and so
is the overfitted regression beside the good one; a polynomial that a faulty sample bends predicts 0 where the line
predicts 8. Bias^2 + variance + noise make up the error within 5 %. About 6 s on two CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.figures import metrics as figures
from workshop.kit import cli, metrics
from workshop.kit.errors import WorkshopError
from workshop.kit.report import Report, format_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Nine patients: their true classes, and the probability of being ill that a model predicts.
ILL = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0])
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.3, 0.8, 0.65, 0.4, 0.1])
THRESHOLD = 0.5
SPLITS = ((60, 20, 20), (70, 15, 15), (80, 10, 10))  # per cent to train, to validate, to test
FOLDS = 5
FAULTY_X, FAULTY_Y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([8.0, 2.0, 4.0, 6.0])  # y = 2x, but for the first
NOISE = 0.2  # the standard deviation of what is added to the sine
C = 1e3
GAMMAS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
GAMMA_GOOD = 1e-4
GAMMA_OVERFIT = 1e-1
# C and gamma of the regressions of 100 samples: scikit-learn's defaults, its old default of gamma, and our choice.
SVR_SETTINGS: dict[str, tuple[float, float | str]] = {
    "svr_scale": (1.0, "scale"),
    "svr_auto": (1.0, "auto"),
    "svr_smooth": (C, GAMMA_GOOD),
}
DEGREES = range(13)
SAMPLES = 15  # of each data set that a polynomial is fitted to
DATASETS = 2000
QUICK_DATASETS = 200
# The models that the metrics of the run are of, and their names in the table.
MODELS = {
    "polynomial": "polynomial",
    "line": "line",
    "svr_over": f"gamma {GAMMA_OVERFIT:g}",
    "svr_well": f"gamma {GAMMA_GOOD:g}",
}


# --- Classification ---------------------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """The four outcomes of a prediction: true positives and negatives, false negatives and positives."""

    tp: int
    tn: int
    fn: int
    fp: int


# Each metric's formula, numerator and denominator.
METRICS: dict[str, tuple[str, Callable[[Counts], tuple[int, int]]]] = {
    "accuracy": ("(TP + TN) / (TP + TN + FN + FP)", lambda n: (n.tp + n.tn, sum(n))),
    "precision": ("TP / (TP + FP)", lambda n: (n.tp, n.tp + n.fp)),
    "recall": ("TP / (TP + FN)", lambda n: (n.tp, n.tp + n.fn)),
    "specificity": ("TN / (TN + FP)", lambda n: (n.tn, n.tn + n.fp)),
    "FPR": ("FP / (TN + FP)", lambda n: (n.fp, n.tn + n.fp)),
    "FNR": ("FN / (TP + FN)", lambda n: (n.fn, n.tp + n.fn)),
    "F1": ("2 TP / (2 TP + FP + FN)", lambda n: (2 * n.tp, 2 * n.tp + n.fp + n.fn)),
}


def count_outcomes(y_true: np.ndarray, y_predicted: np.ndarray) -> Counts:
    """Returns the counts over labels (n,) of 0 and 1."""
    correct = y_true == y_predicted
    positive = y_true == 1
    return Counts(
        tp=int(np.sum(correct & positive)),
        tn=int(np.sum(correct & ~positive)),
        fn=int(np.sum(~correct & positive)),
        fp=int(np.sum(~correct & ~positive)),
    )


def metric(name: str, counts: Counts, zero_division: float = 0.0) -> float:
    """Returns one of `METRICS`; where it is 0 / 0, `zero_division`, as in scikit-learn."""
    numerator, denominator = METRICS[name][1](counts)
    return numerator / denominator if denominator else zero_division


def metrics_by_sklearn(y_true: np.ndarray, y_predicted: np.ndarray, zero_division: float = 0.0) -> dict[str, float]:
    """Returns `METRICS` of labels (n,), 0 and 1, by scikit-learn, where specificity is the recall of class 0."""
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    recall = recall_score(y_true, y_predicted, pos_label=1, zero_division=zero_division)
    specificity = recall_score(y_true, y_predicted, pos_label=0, zero_division=zero_division)
    return {
        "accuracy": float(accuracy_score(y_true, y_predicted)),
        "precision": float(precision_score(y_true, y_predicted, zero_division=zero_division)),
        "recall": float(recall),
        "specificity": float(specificity),
        "FPR": float(1 - specificity),
        "FNR": float(1 - recall),
        "F1": float(f1_score(y_true, y_predicted, zero_division=zero_division)),
    }


def roc_curve(y_true: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns FPR, TPR and thresholds, from one above all scores down to the lowest score.

    Ties, samples of the same score, pass a threshold together and make one slanted step.

    Raises:
        WorkshopError: all labels are of one class.
    """
    if not (0 < np.sum(y_true) < len(y_true)):
        raise WorkshopError(f"a ROC curve got {len(y_true)} labels of one class, takes both classes: add samples")
    order = np.argsort(-scores)
    is_last_of_ties = np.append(np.diff(scores[order]) != 0, True)
    passed = np.append(0, np.flatnonzero(is_last_of_ties) + 1)
    tp = np.append(0, np.cumsum(y_true[order]))[passed]
    fp = passed - tp
    return fp / fp[-1], tp / tp[-1], np.append(np.inf, scores[order][is_last_of_ties])


def auc(x: np.ndarray, y: np.ndarray) -> float:
    """Returns the area under a curve by the trapezoidal rule: each step's width times its mean height."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def concordance(y_true: np.ndarray, scores: np.ndarray) -> float:
    """Returns the share of pairs in which an ill patient's score is above a healthy one's; a tie counts as half.

    That is Mann and Whitney's (1947) U over the number of pairs, and equal to the area under the ROC curve.
    """
    ill = scores[y_true == 1][:, None]
    healthy = scores[y_true == 0]
    return float(np.mean((ill > healthy) + 0.5 * (ill == healthy)))


# --- Splits and folds -------------------------------------------------------------------------------------------------


def split(n: int, shares: tuple[int, int, int], random: np.random.Generator) -> list[np.ndarray]:
    """Returns the numbers of n samples in random order, in three parts: train, validate, test; a remainder trains."""
    validation = n * shares[1] // 100
    test = n * shares[2] // 100
    return np.split(random.permutation(n), [n - validation - test, n - test])


def k_folds(order: np.ndarray, k: int) -> list[np.ndarray]:
    """Returns k parts of the sample numbers (n,), each sorted and a test set once; the first ones take a remainder.

    Raises:
        WorkshopError: there cannot be so many folds.
    """
    if not 2 <= k <= len(order):
        raise WorkshopError(f"got {k} folds of {len(order)} samples, takes 2 to {len(order)} folds")
    return [np.sort(part) for part in np.array_split(order, k)]


# --- Overfitting ------------------------------------------------------------------------------------------------------


def lagrange(x_train: np.ndarray, y_train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns at x (m,) the one polynomial of degree n - 1 through n points: sum of y_j L_j(x).

    L_j(x), the product of (x - x_i) / (x_j - x_i) over all other points i, is 1 at point j and 0 at the others.
    """
    total = np.zeros(len(x))
    for j, y in enumerate(y_train):
        others = np.delete(x_train, j)
        total += y * np.prod((x[:, None] - others) / (x_train[j] - others), axis=1)
    return total


def least_squares_line(x_train: np.ndarray, y_train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns at x the line of least squares: its slope is the covariance of x and y over the variance of x."""
    dx, dy = x_train - x_train.mean(), y_train - y_train.mean()
    return np.asarray(y_train.mean() + (dx @ dy) / (dx @ dx) * (x - x_train.mean()))


def fit_svr(x: np.ndarray, y: np.ndarray, C: float, gamma: float | str) -> Callable[[np.ndarray], np.ndarray]:
    """Fits a support vector regression with Gaussian kernel e^(-gamma (x - x')^2), and returns its predictions.

    Args:
        x, y: samples (n,).
        C: the cost of an error of more than 0.1; large values leave few.
        gamma: how fast a sample's influence ends, per squared unit of x, or scikit-learn's rule for it: "scale" is
            1 / (features * the variance of x), "auto" 1 / features.
    """
    from sklearn.svm import SVR

    model = SVR(kernel="rbf", C=C, gamma=gamma, epsilon=0.1).fit(x[:, None], y)
    return lambda values: np.asarray(model.predict(values[:, None]))


def sine(x: np.ndarray) -> np.ndarray:
    """Returns the true curve, of x in degrees."""
    return np.asarray(np.sin(np.radians(x)))


def fit_faulty_samples(x: np.ndarray) -> dict[str, np.ndarray]:
    """Returns at x the polynomial through all of `FAULTY_X`, and the line through the three samples that are right."""
    return {
        "polynomial through all four": lagrange(FAULTY_X, FAULTY_Y, x),
        "line through the three": least_squares_line(FAULTY_X[1:], FAULTY_Y[1:], x),
    }


class Fit(NamedTuple):
    """A fitted curve.

    Attributes:
        x_train, y_train: the samples that it was fitted to (n,).
        x_test, y_test: others (m,).
        predict: from x to y.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    predict: Callable[[np.ndarray], np.ndarray]

    @property
    def train_error(self) -> float:
        """The root of the mean squared error on its own samples."""
        return float(np.sqrt(np.mean((self.predict(self.x_train) - self.y_train) ** 2)))

    @property
    def test_error(self) -> float:
        """The root of the mean squared error on the others."""
        return float(np.sqrt(np.mean((self.predict(self.x_test) - self.y_test) ** 2)))

    def metrics(self, name: str) -> dict[str, float]:
        """Returns the metrics `<name>_train_...` and `<name>_test_...`."""
        train = metrics.regression(f"{name}_train", self.y_train, self.predict(self.x_train))
        return train | metrics.regression(f"{name}_test", self.y_test, self.predict(self.x_test))


def fit_polynomial_and_line(random: np.random.Generator) -> dict[str, Fit]:
    """Fits a polynomial through 12 noisy samples of a line, and the line of least squares."""
    x_train, x_test = np.linspace(0, 10, 12), random.uniform(0, 10, 200)
    y_train, y_test = (1 + 2 * x + random.normal(0, 2, len(x)) for x in (x_train, x_test))
    samples = (x_train, y_train, x_test, y_test)
    return {
        "polynomial": Fit(*samples, partial(lagrange, x_train, y_train)),
        "line": Fit(*samples, partial(least_squares_line, x_train, y_train)),
    }


def fit_regressions(random: np.random.Generator) -> dict[str, Fit]:
    """Fits support vector regressions of all `GAMMAS` to 60 noisy samples of a sine, and one with x in radians."""
    x_train, x_test = (np.sort(random.uniform(0, 360, n)) for n in (60, 200))
    y_train, y_test = (sine(x) + random.normal(0, NOISE, len(x)) for x in (x_train, x_test))
    fits = {}
    for gamma in GAMMAS:
        predict = fit_svr(x_train, y_train, C, gamma)
        fits[f"gamma {gamma:g}"] = Fit(x_train, y_train, x_test, y_test, predict)
    # Gamma has a unit: what is good for degrees is far too stiff for radians.
    x_train, x_test = np.radians(x_train), np.radians(x_test)
    predict = fit_svr(x_train, y_train, C, GAMMA_GOOD)
    fits[f"gamma {GAMMA_GOOD:g}, x in radians"] = Fit(x_train, y_train, x_test, y_test, predict)
    return fits


def period(x: np.ndarray) -> np.ndarray:
    """Returns sin(pi x / 50): one period from 0 to 100."""
    return np.asarray(np.sin(np.pi * x / 50))


def fit_with_settings(random: np.random.Generator) -> dict[str, Fit]:
    """Fits support vector regressions of all `SVR_SETTINGS` to x = 0 to 99 with uniform noise from -0.5 to 0.5."""
    x_train, x_test = np.arange(100.0), random.uniform(0, 99, 200)
    y_train, y_test = (period(x) + random.uniform(-0.5, 0.5, len(x)) for x in (x_train, x_test))
    return {
        name: Fit(x_train, y_train, x_test, y_test, fit_svr(x_train, y_train, C, gamma))
        for name, (C, gamma) in SVR_SETTINGS.items()
    }


# --- Bias and variance ------------------------------------------------------------------------------------------------


class Decomposition(NamedTuple):
    """The error of the polynomials of one degree on new data, and its parts.

    Attributes:
        bias2: the mean of the squared bias, (mean prediction - truth)^2.
        variance: of the predictions, over the data sets.
        noise: the variance of what is added to the truth.
        error: the mean of (prediction - new y)^2, measured.
        fits: the predictions (data sets, m) at m values of x from 0 to 360 degrees.
    """

    bias2: float
    variance: float
    noise: float
    error: float
    fits: np.ndarray

    @property
    def total(self) -> float:
        """The expected error: the sum of the parts."""
        return self.bias2 + self.variance + self.noise


def bias_and_variance(degree: int, datasets: int, random: np.random.Generator) -> Decomposition:
    """Fits a polynomial to each of many data sets, and measures the parts of its error on new data.

    The mean of (prediction - new y)^2 is expected to be the bias squared, plus the predictions' variance, plus the
    noise in y, which no model can predict. Geman, Bienenstock and Doursat (1992), "Neural networks and the
    bias/variance dilemma".
    """
    x_train, x = np.linspace(0, 360, SAMPLES), np.linspace(0, 360, 100)
    # Chebyshev's polynomials on -1..1 span the same curves as the powers of x, and keep the numbers small.
    train_features, features = (np.polynomial.chebyshev.chebvander(values / 180 - 1, degree) for values in (x_train, x))
    y_train = sine(x_train) + random.normal(0, NOISE, (datasets, SAMPLES))
    predicted = y_train @ np.linalg.pinv(train_features).T @ features.T
    y_new = sine(x) + random.normal(0, NOISE, predicted.shape)
    return Decomposition(
        bias2=float(np.mean((predicted.mean(axis=0) - sine(x)) ** 2)),
        variance=float(np.mean(predicted.var(axis=0))),
        noise=float(np.square(NOISE)),
        error=float(np.mean((predicted - y_new) ** 2)),
        fits=predicted,
    )


# --- The parts of the lesson ------------------------------------------------------------------------------------------


def print_metrics(predicted: np.ndarray, counts: Counts) -> None:
    """Prints nine patients, their counts and metrics; and the precision of a model that never predicts ill."""
    rows: list[list[object]] = [["score", *map(str, SCORES)], ["ill", *ILL], [f"score >= {THRESHOLD}", *predicted]]
    print(format_table(["patient", *"123456789"], rows))
    print("\nTP={}, TN={}, FN={}, FP={}\n".format(*counts))
    by_sklearn = metrics_by_sklearn(ILL, predicted)
    rows = []
    for name, (formula, parts) in METRICS.items():
        numerator, denominator = parts(counts)
        value, expected = f"{metric(name, counts):.3f}", f"{by_sklearn[name]:.3f}"
        rows.append([name, formula, f"{numerator} / {denominator}", value, expected])
    print(format_table(["metric", "formula", "counts", "value", "scikit-learn"], rows))
    never = count_outcomes(ILL, np.zeros_like(ILL))
    values = [f"{metric('precision', never, z):g} with zero_division={z:g}" for z in (0.0, 1.0, np.nan)]
    print(f"\nA model that predicts ill for nobody has precision 0 / 0: {', '.join(values)}.", end=" ")
    print(f"Its recall is {metric('recall', never):g}.")


def print_roc_curve(fpr: np.ndarray, tpr: np.ndarray, thresholds: np.ndarray) -> None:
    """Prints the points of the nine patients' ROC curve, and the meaning of its area."""
    rows = []
    for threshold, x, y in zip(thresholds, fpr, tpr, strict=True):
        tp, fp = round(y * np.sum(ILL == 1)), round(x * np.sum(ILL == 0))
        rows.append([f"{threshold:g}", tp, fp, f"{y:.2f}", f"{x:.2f}"])
    print("\n" + format_table(["threshold", "TP", "FP", "TPR (recall)", "FPR"], rows))
    share = concordance(ILL, SCORES)
    print(f"\nThe area under this ROC curve is {auc(fpr, tpr):.3f}. An ill patient's score is above a healthy one's in")
    print(f"{20 * share:g} of 20 pairs, which is {share:.3f}; a tie counts as half.")


def print_splits(random: np.random.Generator) -> None:
    """Prints three ways to split 1,000 samples, and folds in place of a split."""
    rows: list[list[object]] = []
    for shares in SPLITS:
        sizes = [len(part) for part in split(1000, shares, random)]
        standard_error = np.sqrt(0.9 * (1 - 0.9) / sizes[2])
        rows.append(["/".join(map(str, shares)), *sizes, f"+-{100 * standard_error:.1f} %"])
    print(format_table(["split", "train", "validate", "test", "standard error of an accuracy of 90 %"], rows))
    rows = [[i, " ".join(map(str, fold)), 12 - len(fold)] for i, fold in enumerate(k_folds(np.arange(12), FOLDS))]
    print("\n" + format_table(["fold", f"tested, of 12 samples in {FOLDS} folds", "trained on"], rows))
    mean = 100 * np.mean([metric("FPR", Counts(tp=0, tn=100 - fp, fn=0, fp=fp)) for fp in (3, 4, 5)])
    print(f"\nFalse alarms on three folds of 100 healthy patients: FPR 3, 4 and 5 %; their mean is {mean:g} %.")


def print_polynomial_by_hand() -> None:
    """Prints a polynomial and a line through three points, to follow with pencil and paper."""
    x, y, new = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0]), np.array([3.0])
    print("By hand: (0, 1), (1, 3), (2, 2). At x = 3, L_1 = (3-1)(3-2) / ((0-1)(0-2)) = 1, L_2 = -3 and L_3 = 3.")
    polynomial, line = lagrange(x, y, new)[0], least_squares_line(x, y, new)[0]
    print(f"Polynomial: 1*1 - 3*3 + 3*2 = {polynomial:g}; line: 1.5 + 0.5*3 = {line:g}.\n")


def print_faulty_sample() -> None:
    """Prints what a polynomial and a line predict where none of them has a sample."""
    print("(1, 2), (2, 4) and (3, 6) lie on the line y = 2x; a faulty sample, (0, 8), is added.")
    x = np.append(FAULTY_X, 4)
    predictions = {name: np.round(y, 9) + 0.0 for name, y in fit_faulty_samples(x).items()}  # 0 in place of -1e-15
    print(format_table(["f(x)", *(f"f({value:g})" for value in x)], [[name, *y] for name, y in predictions.items()]))
    overfitted, generic = (y[-1] for y in predictions.values())
    print("The polynomial has no error on any sample, the line a large one on the faulty sample. Beyond the samples")
    print(f"the polynomial predicts f(4) = {overfitted:g}, the line f(4) = {generic:g}.\n")


def print_settings(fits: dict[str, Fit]) -> None:
    """Prints the errors of scikit-learn's defaults, and why its old default of gamma overfits more."""
    x = next(iter(fits.values())).x_train
    numbers = {"scale": 1 / x.var(), "auto": 1.0}
    rows = []
    for name, fit in fits.items():
        C, gamma = SVR_SETTINGS[name]
        value = f"{gamma!r} = {numbers[gamma]:.4g}" if isinstance(gamma, str) else f"{gamma:g}"
        rows.append([f"{C:g}", value, f"{fit.train_error:.3f}", f"{fit.test_error:.3f}"])
    print("\n" + format_table(["C", "gamma", "train RMSE", "test RMSE"], rows))
    print("Support vectors for x = 0 to 99, sin(pi x / 50) with uniform noise of 0.5. gamma='scale', scikit-learn's")
    print(f"default, is 1 / (features * variance of x) = 1 / {x.var():g}: it follows the range of x. The default")
    print("before version 0.22, 'auto', was 1 / features = 1 whatever the range: a sample's influence ends at its")
    print("neighbours, and the curve follows the noise.")


def print_errors(fits: dict[str, Fit]) -> None:
    """Prints the errors of all curves on their own samples and on others."""
    rows = [[name, f"{fit.train_error:.3f}", f"{fit.test_error:.3f}"] for name, fit in fits.items()]
    print(format_table([f"RMSE (support vectors: C {C:g})", "train", "test"], rows))


def curves(fits: dict[str, Fit], overfitted: str, good: str) -> figures.Curves:
    """Returns two of the curves as they are drawn."""
    fit = fits[overfitted]
    x = np.linspace(fit.x_train.min(), fit.x_train.max(), 1500)
    pair = ((overfitted, fit.predict(x)), (good, fits[good].predict(x)))
    return figures.Curves(fit.x_train, fit.y_train, fit.x_test, fit.y_test, x, *pair)


def draw_regressions(fits: dict[str, Fit]) -> Figure:
    """Returns the figure of the faulty sample, and of the regressions with `SVR_SETTINGS`."""
    x = np.linspace(-0.2, 4.2, 200)
    by_hand = figures.Predictions(FAULTY_X, FAULTY_Y, x, fit_faulty_samples(x))
    fit = next(iter(fits.values()))
    x = np.linspace(0, 99, 1000)
    panels = {"A faulty sample at x = 0": by_hand}
    for name, (C, gamma) in SVR_SETTINGS.items():
        predictions = {"prediction": fits[name].predict(x), "truth": period(x)}
        panels[f"SVR, C {C:g}, gamma {gamma}"] = figures.Predictions(fit.x_train, fit.y_train, x, predictions)
    return figures.regressions(panels)


def print_bias_and_variance(decompositions: Sequence[Decomposition], best: int) -> None:
    """Prints the parts of each degree's error."""
    rows = []
    for degree, parts in zip(DEGREES, decompositions, strict=True):
        numbers = (parts.bias2, parts.variance, parts.noise, parts.total, parts.error)
        rows.append([degree, *(f"{number:.4f}" for number in numbers)])
    print(format_table(["degree", "bias^2", "variance", "noise", "sum", "error measured on new data"], rows))
    print(f"\nThe lowest error is at degree {best}: below it bias dominates, above it variance.")


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    return cli.parse_lesson(cli.lesson_parser(docstring, data=None), argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the tables, fits, measures, plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("metrics", arguments, "numpy")
    report.data("nine patients; random samples of a line and of a sine")
    print(f"Engine    NumPy {np.__version__}")
    random = np.random.default_rng(arguments.seed)

    report.section("Right and wrong: nine patients")
    predicted = (SCORES >= THRESHOLD).astype(int)
    counts = count_outcomes(ILL, predicted)
    print_metrics(predicted, counts)
    fpr, tpr, thresholds = roc_curve(ILL, SCORES)
    print_roc_curve(fpr, tpr, thresholds)
    report.result({f"test_{name.lower()}": metric(name, counts) for name in ("accuracy", "precision", "recall", "F1")})
    report.result({"test_roc_auc": auc(fpr, tpr), "negatives_test_recall": metric("specificity", counts)})
    matrix = np.array([[counts.tn, counts.fp], [counts.fn, counts.tp]])
    report.plot("metrics-classification", figures.classification, matrix, fpr, tpr, thresholds, auc(fpr, tpr))

    report.section("Train, validate, test")
    print_splits(random)
    plot_random = np.random.default_rng(arguments.seed)  # its own: the numbers below are the same with --no-plots
    splits = {"/".join(map(str, shares)): split(40, shares, plot_random) for shares in SPLITS}
    in_order, shuffled = k_folds(np.arange(40), FOLDS), k_folds(plot_random.permutation(40), FOLDS)
    report.plot("metrics-folds", figures.folds, splits, in_order, shuffled)

    report.section("Overfitting")
    print_polynomial_by_hand()
    print_faulty_sample()
    fits = fit_polynomial_and_line(random) | fit_regressions(random)
    print_errors(fits)
    for name, title in MODELS.items():
        report.result(fits[title].metrics(name))
    polynomials = curves(fits, "polynomial", "line")
    regressions = curves(fits, MODELS["svr_over"], MODELS["svr_well"])
    by_gamma = [fits[f"gamma {gamma:g}"] for gamma in GAMMAS]
    train_errors, test_errors = [fit.train_error for fit in by_gamma], [fit.test_error for fit in by_gamma]
    report.plot("metrics-overfitting", figures.overfitting, polynomials, regressions, GAMMAS, train_errors, test_errors)
    settings = fit_with_settings(np.random.default_rng(arguments.seed))  # its own: the numbers below stay as they are
    print_settings(settings)
    for name, fit in settings.items():
        report.result(fit.metrics(name))
    report.plot("metrics-regressions", draw_regressions, settings)

    report.section(f"Bias and variance: polynomials through {SAMPLES} samples of a noisy sine")
    datasets = QUICK_DATASETS if arguments.quick else DATASETS
    decompositions = [bias_and_variance(degree, datasets, random) for degree in DEGREES]
    errors = [parts.error for parts in decompositions]
    best = int(np.argmin(errors))
    print_bias_and_variance(decompositions, best)
    for name, degree in (("low", 0), ("best", best), ("high", DEGREES[-1])):
        report.result({f"{name}_degree_test_mean_squared_error": errors[degree]})
    report.result({"decomposition_test_max_error": max(abs(p.error / p.total - 1) for p in decompositions)})
    shown = [(degree, decompositions[degree].fits) for degree in (1, best, DEGREES[-1])]
    parts_by_name = {
        "bias^2": [parts.bias2 for parts in decompositions],
        "variance": [parts.variance for parts in decompositions],
        "noise": [parts.noise for parts in decompositions],
    }
    truth = sine(np.linspace(0, 360, decompositions[0].fits.shape[1]))
    report.plot("metrics-bias_variance", figures.bias_variance, shown, truth, parts_by_name, errors)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
