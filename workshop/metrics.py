"""Metrics: how good is a model, and how good will it be on data that it has never seen?

You count the four ways to be right and wrong, make the rates of them by hand, and draw the ROC curve through all
thresholds; scikit-learn finds the same. Then you split data, fold it, and see why: a polynomial and a support vector
regression learn their samples by heart and fail on others. Bias and variance are measured and added up.

    python -m workshop.metrics                     # all of it; then look into the folder plots
    python -m workshop.metrics --seed 2            # other random samples, the same lesson
    python -m workshop.metrics --quick             # a first look: bias and variance over 200 samples

Expected: TP=4, TN=2, FN=1, FP=2 give accuracy 0.667, precision 0.667, recall 0.8, specificity 0.5, FPR 0.5, FNR 0.2,
F1 0.727, all as scikit-learn's. The polynomial and the overfitted regression are better than their rivals on their own
samples and worse on others. Bias^2 + variance + noise make up the error within 5 %. About 6 s on two CPU cores.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from workshop.kit import cli, evaluation, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.errors import WorkshopError
from workshop.kit.evaluation import Counts, Fit, support_vectors

# Nine patients: who is ill, and how sure a model is of it. The model says ill from 0.5 up.
ILL = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0])
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.3, 0.8, 0.65, 0.4, 0.1])
THRESHOLD = 0.5
SHARES, FOLDS = ((60, 20, 20), (70, 15, 15), (80, 10, 10)), 5  # per cent to train, to validate, to test
C, GAMMAS, WELL, OVER = 1e3, (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0), 1e-4, 1e-1
DEGREES, SAMPLES, NOISE = range(13), 15, 0.2  # the standard deviation of what is added to the sine
RIVALS = {"polynomial": "polynomial", "line": "line", "svr_over": f"gamma {OVER:g}", "svr_well": f"gamma {WELL:g}"}


# Each rate's formula, numerator and denominator.
RATES: dict[str, tuple[str, Callable[[Counts], tuple[int, int]]]] = {
    "accuracy": ("(TP + TN) / (TP + TN + FN + FP)", lambda n: (n.tp + n.tn, sum(n))),
    "precision": ("TP / (TP + FP)", lambda n: (n.tp, n.tp + n.fp)),
    "recall": ("TP / (TP + FN)", lambda n: (n.tp, n.tp + n.fn)),
    "specificity": ("TN / (TN + FP)", lambda n: (n.tn, n.tn + n.fp)),
    "FPR": ("FP / (TN + FP)", lambda n: (n.fp, n.tn + n.fp)),
    "FNR": ("FN / (TP + FN)", lambda n: (n.fn, n.tp + n.fn)),
    "F1": ("2 TP / (2 TP + FP + FN)", lambda n: (2 * n.tp, 2 * n.tp + n.fp + n.fn)),
}


def count(y_true: np.ndarray, y_predicted: np.ndarray) -> Counts:
    """Counts over labels (n,) of 0 and 1."""
    right, positive = y_true == y_predicted, y_true == 1
    which = (right & positive, right & ~positive, ~right & positive, ~right & ~positive)
    return Counts(*(int(np.sum(those)) for those in which))


def rate(name: str, counts: Counts, zero_division: float = 0.0) -> float:
    """Returns one of `RATES`; of nothing at all, 0 / 0, it is `zero_division`, as in scikit-learn."""
    numerator, denominator = RATES[name][1](counts)
    return numerator / denominator if denominator else zero_division


def roc_curve(y_true: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns FPR, TPR and thresholds, from one above all scores down to the lowest score.

    Ties, samples of the same score, pass a threshold together and make one slanted step. One class alone is refused.
    """
    if not (0 < np.sum(y_true) < len(y_true)):
        raise WorkshopError(f"a ROC curve got {len(y_true)} labels of one class, takes both classes: add samples")
    order = np.argsort(-scores, kind="stable")
    is_last = np.append(np.diff(scores[order]) != 0, True)  # of its ties
    passed = np.append(0, np.flatnonzero(is_last) + 1)
    tp = np.append(0, np.cumsum(y_true[order]))[passed]
    fp = passed - tp
    return fp / fp[-1], tp / tp[-1], np.append(np.inf, scores[order][is_last])


def area(x: np.ndarray, y: np.ndarray) -> float:
    """Returns the area under a curve by the trapezoidal rule: each step's width times its mean height."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def share_of_pairs(y_true: np.ndarray, scores: np.ndarray) -> float:
    """Returns how often an ill patient's score is above a healthy one's, over all pairs; a tie is half a win."""
    ill, healthy = scores[y_true == 1][:, None], scores[y_true == 0]
    return float(np.mean((ill > healthy) + 0.5 * (ill == healthy)))


def split(n: int, shares: tuple[int, int, int], random: np.random.Generator) -> list[np.ndarray]:
    """Returns the numbers of n samples in random order, cut to train, validate and test; a remainder is trained on."""
    validation, test = n * shares[1] // 100, n * shares[2] // 100
    return np.split(random.permutation(n), [n - validation - test, n - test])


def k_folds(order: np.ndarray, k: int) -> list[np.ndarray]:
    """Returns k parts of the sample numbers (n,), each sorted and a test set once; the first ones take a remainder."""
    if not 2 <= k <= len(order):
        raise WorkshopError(f"got {k} folds of {len(order)} samples, takes 2 to {len(order)} folds")
    return [np.sort(part) for part in np.array_split(order, k)]


def lagrange(x_train: np.ndarray, y_train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns at x (m,) the one polynomial of degree n - 1 through n points: sum of y_j L_j(x).

    L_j(x), the product of (x - x_i) / (x_j - x_i) over all other points i, is 1 at point j and 0 at the others.
    """
    answer = np.zeros(len(x))
    for j, y in enumerate(y_train):
        others = np.delete(x_train, j)
        answer += y * np.prod((x[:, None] - others) / (x_train[j] - others), axis=1)
    return answer


def line(x_train: np.ndarray, y_train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns at x the line of least squares: its slope is the covariance of x and y over the variance of x."""
    dx, dy = x_train - x_train.mean(), y_train - y_train.mean()
    return np.asarray(y_train.mean() + (dx @ dy) / (dx @ dx) * (x - x_train.mean()))


def sine(x: np.ndarray) -> np.ndarray:
    """The truth that is to be found, of x in degrees."""
    return np.asarray(np.sin(np.radians(x)))


def bias_and_variance(degree: int, datasets: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Fits a polynomial to each of many data sets, and returns what its error on new data is made of.

    The mean of (prediction - new y)^2 is expected to be the bias squared, (mean prediction - truth)^2, plus the
    predictions' variance, plus the noise in y, which no model can predict. Geman, Bienenstock and Doursat (1992),
    "Neural networks and the bias/variance dilemma".
    """
    x_train, x = np.linspace(0, 360, SAMPLES), np.linspace(0, 360, 100)
    # Chebyshev's polynomials on -1..1 span the same curves as the powers of x, and keep the numbers small.
    at_train, at_x = (np.polynomial.chebyshev.chebvander(values / 180 - 1, degree) for values in (x_train, x))
    y_train = sine(x_train) + random.normal(0, NOISE, (datasets, SAMPLES))
    predicted = y_train @ np.linalg.pinv(at_train).T @ at_x.T
    y_new = sine(x) + random.normal(0, NOISE, predicted.shape)
    return {"bias^2": np.mean((predicted.mean(axis=0) - sine(x)) ** 2), "variance": np.mean(predicted.var(axis=0)),
            "noise": np.square(NOISE), "error": np.mean((predicted - y_new) ** 2), "fits": predicted}  # fmt: skip


def print_rates(report: reporting.Report) -> None:
    """Nine patients, their counts and rates; the rates of a model that never says ill; and all thresholds."""
    predicted = (SCORES >= THRESHOLD).astype(int)
    counts, theirs = count(ILL, predicted), evaluation.rates_by_sklearn(ILL, predicted)
    rows: list[list[object]] = [["score", *map(str, SCORES)], ["ill", *ILL], [f"score >= {THRESHOLD}", *predicted]]
    print(metrics.table(["patient", *"123456789"], rows))
    print("\nTP={}, TN={}, FN={}, FP={}\n".format(*counts))
    rows = [[name, formula, "{} / {}".format(*parts(counts)), f"{rate(name, counts):.3f}", f"{theirs[name]:.3f}"]
            for name, (formula, parts) in RATES.items()]  # fmt: skip
    print(metrics.table(["rate", "formula", "here", "is", "scikit-learn"], rows))
    never = count(ILL, np.zeros_like(ILL))
    said = ", ".join(f"{rate('precision', never, z):g} with zero_division={z:g}" for z in (0.0, 1.0, np.nan))
    print(f"\nA model that never says ill has precision 0 / 0: {said}. Its recall is {rate('recall', never):g}.")
    fpr, tpr, thresholds = roc_curve(ILL, SCORES)
    rows = [[f"{threshold:g}", round(y * np.sum(ILL == 1)), round(x * np.sum(ILL == 0)), f"{y:.2f}", f"{x:.2f}"]
            for threshold, x, y in zip(thresholds, fpr, tpr, strict=True)]  # fmt: skip
    print("\n" + metrics.table(["ill from", "TP", "FP", "TPR (recall)", "FPR"], rows))
    pairs = share_of_pairs(ILL, SCORES)
    print(f"\nThe area under this ROC curve is {area(fpr, tpr):.3f}. An ill one's score is above a healthy one's in")
    print(f"{20 * pairs:g} of 20 pairs, which is {pairs:.3f}; a tie counts as half.")
    report.result({f"test_{name.lower()}": rate(name, counts) for name in ("accuracy", "precision", "recall", "F1")})
    report.result({"test_roc_auc": area(fpr, tpr), "negatives_test_recall": rate("specificity", counts)})


def print_splits(random: np.random.Generator) -> None:
    """Three ways to split 1,000 samples, and folds in place of a split."""
    rows: list[list[object]] = []
    for shares in SHARES:
        sizes = [len(part) for part in split(1000, shares, random)]
        rows.append(["/".join(map(str, shares)), *sizes, f"+-{100 * np.sqrt(0.9 * 0.1 / sizes[2]):.1f} %"])
    print(metrics.table(["split", "train", "validate", "test", "what 90 % right may be by chance"], rows))
    rows = [[i, " ".join(map(str, fold)), 12 - len(fold)] for i, fold in enumerate(k_folds(np.arange(12), FOLDS))]
    print("\n" + metrics.table(["fold", f"tested, of 12 samples in {FOLDS} folds", "trained on"], rows))
    mean = 100 * np.mean([rate("FPR", Counts(tp=0, tn=100 - fp, fn=0, fp=fp)) for fp in (3, 4, 5)])
    print(f"\nFalse alarms on three folds of 100 healthy patients: FPR 3, 4 and 5 %; their mean is {mean:g} %.")


def overfit(random: np.random.Generator, report: reporting.Report) -> dict[str, Fit]:
    """Two pairs of rivals, each fitted to the same few samples: who learns them by heart loses on others."""
    x, y, at = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0]), np.array([3.0])
    print("By hand: (0, 1), (1, 3), (2, 2). At x = 3, L_1 = (3-1)(3-2) / ((0-1)(0-2)) = 1, L_2 = -3 and L_3 = 3.")
    print(f"Polynomial: 1*1 - 3*3 + 3*2 = {lagrange(x, y, at)[0]:g}; line: 1.5 + 0.5*3 = {line(x, y, at)[0]:g}.\n")
    x, x_test = np.linspace(0, 10, 12), random.uniform(0, 10, 200)
    y, y_test = (1 + 2 * values + random.normal(0, 2, len(values)) for values in (x, x_test))
    fits = {name: Fit(x, y, x_test, y_test, partial(fitted, x, y))
            for name, fitted in (("polynomial", lagrange), ("line", line))}  # fmt: skip
    x, x_test = (np.sort(random.uniform(0, 360, n)) for n in (60, 200))
    y, y_test = (sine(values) + random.normal(0, NOISE, len(values)) for values in (x, x_test))
    for gamma in GAMMAS:
        fits[f"gamma {gamma:g}"] = Fit(x, y, x_test, y_test, support_vectors(x, y, C, gamma))
    x, x_test = np.radians(x), np.radians(x_test)
    stiff = Fit(x, y, x_test, y_test, support_vectors(x, y, C, WELL))
    rows = [[name, *(f"{error:.3f}" for error in fit.errors)]
            for name, fit in (*fits.items(), (f"gamma {WELL:g}, x in radians", stiff))]  # fmt: skip
    print(metrics.table([f"RMSE (support vectors: C {C:g})", "train", "test"], rows))
    for name, title in RIVALS.items():
        report.result(fits[title].metrics(name))
    for over, well in (("polynomial", "line"), ("svr_over", "svr_well")):
        for better, worse, part in ((over, well, "train"), (well, over, "test")):
            name = f"{part}_root_mean_squared_error"
            report.expect(f"{better}_{name}", highest=report.metrics[f"{worse}_{name}"])
    return fits


def print_bias_and_variance(sets: int, random: np.random.Generator, report: reporting.Report) -> list[dict[str, Any]]:
    """What the error of each degree is made of."""
    parts = [bias_and_variance(degree, sets, random) for degree in DEGREES]
    rows, off = [], []
    for degree, found in zip(DEGREES, parts, strict=True):
        made_of, error = [float(found[name]) for name in ("bias^2", "variance", "noise")], float(found["error"])
        rows.append([degree, *(f"{number:.4f}" for number in (*made_of, sum(made_of), error))])
        off.append(abs(error / sum(made_of) - 1))
    print(metrics.table(["degree", "bias^2", "variance", "noise", "sum", "error measured on new data"], rows))
    best = int(np.argmin([found["error"] for found in parts]))
    print(f"\nThe lowest error is of degree {best}: below it bias rules, above it variance.")
    for name, degree in (("low", 0), ("best", best), ("high", DEGREES[-1])):
        report.result({f"{name}_degree_test_mean_squared_error": float(parts[degree]["error"])})
    report.result({"decomposition_test_max_error": max(off)})
    report.expect("decomposition_test_max_error", highest=0.05)
    return parts


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the tables, fits, measures, draws; returns the rates and errors."""
    arguments = cli.parse_lesson(cli.lesson_parser(__doc__, data=None), argv)
    report = reporting.Report("metrics", arguments, "numpy")
    report.data("nine patients; random samples of a line and of a sine")
    print(f"Engine    NumPy {np.__version__}")
    random = np.random.default_rng(arguments.seed)
    report.section("Right and wrong: nine patients")
    print_rates(report)
    report.section("Train, validate, test")
    print_splits(random)
    report.section("Overfitting")
    fits = overfit(random, report)
    report.section(f"Bias and variance: polynomials through {SAMPLES} samples of a noisy sine")
    parts = print_bias_and_variance(200 if arguments.quick else 2000, random, report)
    if not arguments.no_plots:
        counts, splits = count(ILL, SCORES >= THRESHOLD), {shares: split(40, shares, random) for shares in SHARES}
        folds = [k_folds(order, FOLDS) for order in (np.arange(40), random.permutation(40))]
        figures = {"classification": evaluation.classification_figure(counts, *roc_curve(ILL, SCORES)),
                   "folds": evaluation.folds_figure(splits, *folds),
                   "overfitting": evaluation.overfitting_figure(fits, RIVALS["svr_over"], RIVALS["svr_well"]),
                   "bias_variance": evaluation.bias_variance_figure(parts, sine)}  # fmt: skip
        for name, figure in figures.items():
            report.saved(plots.save(figure, arguments.plots / f"metrics-{name}.png"))
    return report.finish(no_band=reporting.why_no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
