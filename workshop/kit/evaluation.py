"""What the lesson on metrics needs beside its own: the rates in scikit-learn, a regression to overfit, its figures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import metrics, plots


class Counts(NamedTuple):
    """The four ways to be right and wrong: true positives and negatives, false negatives and positives."""

    tp: int
    tn: int
    fn: int
    fp: int


def rates_by_sklearn(y_true: np.ndarray, y_predicted: np.ndarray, zero_division: float = 0.0) -> dict[str, float]:
    """Returns the rates of labels (n,), 0 and 1, by scikit-learn, which has specificity as the recall of class 0."""
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    asked = {"zero_division": zero_division}
    recall, specificity = (recall_score(y_true, y_predicted, pos_label=label, **asked) for label in (1, 0))
    found = {
        "accuracy": accuracy_score(y_true, y_predicted),
        "precision": precision_score(y_true, y_predicted, **asked),
        "recall": recall,
        "specificity": specificity,
        "FPR": 1 - specificity,
        "FNR": 1 - recall,
        "F1": f1_score(y_true, y_predicted, **asked),
    }
    return {name: float(value) for name, value in found.items()}


def support_vectors(x: np.ndarray, y: np.ndarray, C: float, gamma: float) -> Callable[[np.ndarray], np.ndarray]:
    """Fits a support vector regression with Gaussian kernel e^(-gamma (x - x')^2), and returns its predictions.

    Args:
        x, y: samples (n,).
        C: what a miss of more than 0.1 costs; large values leave few.
        gamma: how fast a sample's influence ends, per squared unit of x.
    """
    from sklearn.svm import SVR

    model = SVR(kernel="rbf", C=C, gamma=gamma, epsilon=0.1).fit(x[:, None], y)
    return lambda values: np.asarray(model.predict(values[:, None]))


class Fit(NamedTuple):
    """A fitted curve.

    Attributes:
        x, y: the samples that it was fitted to (n,).
        x_test, y_test: others (m,).
        predict: from x to y.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    predict: Callable[[np.ndarray], np.ndarray]

    @property
    def errors(self) -> tuple[float, float]:
        """The root of the mean squared error on its own samples and on the others."""
        pairs = ((self.x, self.y), (self.x_test, self.y_test))
        train, test = (float(np.sqrt(np.mean((self.predict(x) - y) ** 2))) for x, y in pairs)
        return train, test

    def metrics(self, name: str) -> dict[str, float]:
        """Returns the metrics `<name>_train_...` and `<name>_test_...`."""
        train = metrics.regression(f"{name}_train", self.y, self.predict(self.x))
        return train | metrics.regression(f"{name}_test", self.y_test, self.predict(self.x_test))


def classification_figure(counts: Counts, fpr: np.ndarray, tpr: np.ndarray, thresholds: np.ndarray) -> Any:
    """Returns a figure of a confusion matrix, and of a ROC curve with its area."""
    figure, axes = plots.subplots(1, 2, width=5.8, height=5.2)
    square, curve = np.ravel(axes)
    matrix = np.array([[counts.tn, counts.fp], [counts.fn, counts.tp]])
    square.imshow(matrix, cmap="Blues", vmin=0, vmax=1.6 * matrix.max())
    for (row, column), number in np.ndenumerate(matrix):
        name = (("true negatives", "false positives"), ("false negatives", "true positives"))[row][column]
        square.text(column, row - 0.08, number, ha="center", va="center", fontsize=34)
        square.text(column, row + 0.25, name, ha="center", va="center", fontsize=14)
    square.set_xticks((0, 1), ("healthy", "ill"))
    square.set_yticks((0, 1), ("healthy", "ill"))
    square.set(xlabel="the model says", ylabel="the patient is", title="Confusion matrix")
    square.grid(False)
    curve.fill_between(fpr, tpr, color=plots.SKY, alpha=0.3)
    curve.plot(fpr, tpr, "o-", color=plots.BLUE, label="the model")
    curve.plot([0, 1], [0, 1], "--", color=plots.BLACK, linewidth=1.5, label="guessing")
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
    for x, y, threshold in zip(fpr[1:], tpr[1:], thresholds[1:], strict=True):
        curve.annotate(f"{threshold:g}", (x, y), (7, -15), textcoords="offset points", fontsize=12, bbox=white)
    total = float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))
    curve.text(0.62, 0.33, f"area {total:.3f}", fontsize=16, ha="center")
    curve.set(
        xlabel="false positive rate", ylabel="true positive rate (recall)", title="ROC curve, with its thresholds"
    )
    curve.set(xlim=(-0.03, 1.13), ylim=(-0.03, 1.05))
    curve.legend(loc="lower right", frameon=False, fontsize=13)
    return figure


def folds_figure(
    splits: Mapping[tuple[int, int, int], Sequence[np.ndarray]],
    in_order: Sequence[np.ndarray],
    shuffled: Sequence[np.ndarray],
) -> Any:
    """Returns a figure of which samples train, validate and test.

    Args:
        splits: for each three shares, in per cent, the sample numbers of the three parts.
        in_order, shuffled: the test sets of the folds, of as many samples.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    figure, axes = plots.subplots(1, 3, width=5.2, height=3.4)
    n = sum(len(fold) for fold in in_order)
    panels: list[tuple[str, list[str], np.ndarray]] = []
    rows = np.zeros((len(splits), n), int)
    for row, parts in zip(rows, splits.values(), strict=True):
        for kind, part in enumerate(parts):
            row[part] = kind
    panels.append(("Splits, in random order", ["/".join(map(str, shares)) for shares in splits], rows))
    for title, folds in (("Folds in order", in_order), ("Folds of shuffled samples", shuffled)):
        rows = np.zeros((len(folds), n), int)
        for row, fold in zip(rows, folds, strict=True):
            row[fold] = 2
        panels.append((title, [f"fold {i}" for i in range(len(folds))], rows))
    colours = ("#C9DDEB", plots.ORANGE, plots.BLUE)
    for panel, (title, names, rows) in zip(np.ravel(axes), panels, strict=True):
        panel.pcolormesh(rows[::-1], cmap=ListedColormap(colours), vmin=0, vmax=2, edgecolor="white", linewidth=0.8)
        panel.set_yticks(np.arange(len(names)) + 0.5, names[::-1])
        panel.set(title=title, xlabel="sample")
        panel.grid(False)
    patches = [
        Patch(color=colour, label=name) for colour, name in zip(colours, ("train", "validate", "test"), strict=True)
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, frameon=False, fontsize=13)
    return figure


def overfitting_figure(fits: Mapping[str, Fit], over: str, well: str) -> Any:
    """Returns a figure of overfitting: a polynomial against a line, and regressions of a sine by their gammas.

    Args:
        fits: by their names the polynomial, the line, then the regressions, each "gamma" and its number.
        over, well: the names of the two regressions that are drawn.
    """
    figure, axes = plots.subplots(1, 3, width=5.4, height=4.6)
    left, middle, right = np.ravel(axes)
    titles = {left: "Polynomial against line", middle: "Support vector regression"}
    regressions = {name: fit for name, fit in fits.items() if name.startswith("gamma")}
    for panel, names in ((left, [*fits][:2]), (middle, [over, well])):
        first = fits[names[0]]
        panel.plot(first.x_test, first.y_test, ".", color="#AAAAAA", markersize=5, label="test")
        x = np.linspace(first.x.min(), first.x.max(), 1500)
        for name, colour, width in zip(names, (plots.VERMILION, plots.BLUE), (1.6, 3.0), strict=True):
            panel.plot(x, fits[name].predict(x), color=colour, linewidth=width, label=name)
        panel.plot(first.x, first.y, "o", color=plots.BLACK, markersize=6, markeredgecolor="white", label="train")
        low, high = min(first.y_test.min(), first.y.min()), max(first.y_test.max(), first.y.max())
        panel.set(
            title=titles[panel], xlabel="x", ylabel="y", ylim=(low - 0.1 * (high - low), high + 0.35 * (high - low))
        )
        panel.legend(fontsize=12, ncols=2, loc="upper left", frameon=False)
    middle.set(xlabel="x in degrees")
    middle.set_xticks(range(0, 361, 90))
    gammas = [float(name.split()[-1]) for name in regressions]
    for part, name, colour, marker in ((0, "train", plots.BLUE, "o"), (1, "test", plots.VERMILION, "^")):
        right.plot(gammas, [fit.errors[part] for fit in regressions.values()], color=colour, marker=marker, label=name)
    right.set(title="Too stiff, right, too flexible", xlabel="gamma", ylabel="RMSE", xscale="log", ylim=(0, None))
    right.legend(fontsize=13, frameon=False)
    return figure


def bias_variance_figure(parts: Sequence[Mapping[str, Any]], truth: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Returns a figure of bias and variance: the fits of three degrees, and what the error of each is made of.

    Args:
        parts: for each degree from 0 up "bias^2", "variance", "noise", "error", and "fits" (data sets, m) at m places
            from 0 to 360 degrees.
        truth: what is to be found, from x in degrees.
    """
    errors = [float(found["error"]) for found in parts]
    best = int(np.argmin(errors))
    figure, axes = plots.subplots(1, 4, width=4.3, height=4.4)
    *panels, sums = np.ravel(axes)
    words = ("bias: all alike, all wrong", "the lowest error", "variance: each one different")
    for panel, degree, said in zip(panels, (1, best, len(parts) - 1), words, strict=True):
        fits = parts[degree]["fits"]
        x = np.linspace(0, 360, fits.shape[1])
        panel.plot(x, fits[:25].T, color=plots.SKY, linewidth=0.8, alpha=0.7)
        panel.plot(x, truth(x), color=plots.BLACK, linewidth=2.5, label="truth")
        panel.plot(x, fits.mean(axis=0), "--", color=plots.VERMILION, linewidth=2.5, label="mean of all fits")
        panel.set(title=f"degree {degree}\n{said}", xlabel="x in degrees", ylabel="y", ylim=(-1.9, 1.9))
        panel.set_xticks(range(0, 361, 90))
    panels[0].legend(fontsize=12, frameon=False, loc="upper right")
    for name, style, colour in (
        ("bias^2", "o-", plots.BLUE),
        ("variance", "s-", plots.GREEN),
        ("noise", ":", plots.BLACK),
    ):
        values = [float(found[name]) for found in parts]
        sums.plot(np.maximum(values, 1e-5), style, color=colour, label=name, markersize=5)
    sums.plot(errors, "^-", color=plots.VERMILION, label="error on new data", markersize=6)
    sums.set(title="What the error\nis made of", xlabel="degree", yscale="log", ylim=(1e-4, 30), ylabel="squared")
    sums.set_xticks(range(0, len(parts), 2))
    sums.legend(fontsize=12, frameon=False, loc="upper right")
    return figure
