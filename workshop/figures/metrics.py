"""Figures of the metrics: a confusion matrix, a ROC curve, splits and folds, overfitting, bias and variance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTCOMES = (("true negatives", "false positives"), ("false negatives", "true positives"))


def classification(matrix: np.ndarray, fpr: np.ndarray, tpr: np.ndarray, thresholds: np.ndarray, auc: float) -> Figure:
    """Returns a figure of a confusion matrix (2, 2), rows the true classes, and of a ROC curve with its area."""
    figure, axes = plots.subplots(1, 2, width=5.8, height=5.2)
    square, curve = np.ravel(axes)
    square.imshow(matrix, cmap="Blues", vmin=0, vmax=1.6 * matrix.max())
    for (row, column), count in np.ndenumerate(matrix):
        square.text(column, row - 0.08, count, ha="center", va="center", fontsize=34)
        square.text(column, row + 0.25, OUTCOMES[row][column], ha="center", va="center", fontsize=14)
    square.set_xticks((0, 1), ("healthy", "ill"))
    square.set_yticks((0, 1), ("healthy", "ill"))
    square.set(xlabel="predicted class", ylabel="true class", title="Confusion matrix")
    square.grid(False)
    curve.fill_between(fpr, tpr, color=plots.SKY, alpha=0.3)
    curve.plot(fpr, tpr, "o-", color=plots.BLUE, label="the model")
    curve.plot([0, 1], [0, 1], "--", color=plots.BLACK, linewidth=1.5, label="guessing")
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
    for x, y, threshold in zip(fpr[1:], tpr[1:], thresholds[1:], strict=True):
        curve.annotate(f"{threshold:g}", (x, y), (7, -15), textcoords="offset points", fontsize=12, bbox=white)
    curve.text(0.62, 0.33, f"area {auc:.3f}", fontsize=16, ha="center")
    curve.set(xlabel="false positive rate", ylabel="true positive rate (recall)", title="ROC curve with its thresholds")
    curve.set(xlim=(-0.03, 1.13), ylim=(-0.03, 1.05))
    curve.legend(loc="lower right", frameon=False, fontsize=13)
    return figure


def folds(
    splits: Mapping[str, Sequence[np.ndarray]], in_order: Sequence[np.ndarray], shuffled: Sequence[np.ndarray]
) -> Figure:
    """Returns a figure of which samples train, validate and test.

    Args:
        splits: by their names, the sample numbers of the three parts.
        in_order, shuffled: the test sets of the folds, of as many samples.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    figure, axes = plots.subplots(1, 3, width=5.2, height=3.4)
    n = sum(len(fold) for fold in in_order)
    rows = np.zeros((len(splits), n), int)
    for row, parts in zip(rows, splits.values(), strict=True):
        for kind, part in enumerate(parts):
            row[part] = kind
    panels = [("Splits of shuffled samples", list(splits), rows)]
    for title, test_sets in (("Folds in order", in_order), ("Folds of shuffled samples", shuffled)):
        rows = np.zeros((len(test_sets), n), int)
        for row, test_set in zip(rows, test_sets, strict=True):
            row[test_set] = 2
        panels.append((title, [f"fold {i}" for i in range(len(test_sets))], rows))
    colours = ("#C9DDEB", plots.ORANGE, plots.BLUE)
    for panel, (title, names, rows) in zip(np.ravel(axes), panels, strict=True):
        panel.pcolormesh(rows[::-1], cmap=ListedColormap(colours), vmin=0, vmax=2, edgecolor="white", linewidth=0.8)
        panel.set_yticks(np.arange(len(names)) + 0.5, names[::-1])
        panel.set(title=title, xlabel="sample")
        panel.grid(False)
    kinds = ("train", "validate", "test")
    patches = [Patch(color=colour, label=kind) for colour, kind in zip(colours, kinds, strict=True)]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, frameon=False, fontsize=13)
    return figure


class Curves(NamedTuple):
    """Two curves that were fitted to the same samples.

    Attributes:
        x_train, y_train: the samples (n,).
        x_test, y_test: others (m,).
        x: where the curves are drawn.
        overfitted, good: the name of each model and its curve, as large as x.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    x: np.ndarray
    overfitted: tuple[str, np.ndarray]
    good: tuple[str, np.ndarray]


def draw_curves(axes: Axes, curves: Curves, title: str) -> None:
    """Draws two fitted curves and their samples."""
    x_train, y_train, x_test, y_test, x, overfitted, good = curves
    axes.plot(x_test, y_test, ".", color="#AAAAAA", markersize=5, label="test")
    axes.plot(x, overfitted[1], color=plots.VERMILION, linewidth=1.6, label=overfitted[0])
    axes.plot(x, good[1], color=plots.BLUE, linewidth=3, label=good[0])
    axes.plot(x_train, y_train, "o", color=plots.BLACK, markersize=6, markeredgecolor="white", label="train")
    low, high = min(y_test.min(), y_train.min()), max(y_test.max(), y_train.max())
    margin = high - low
    axes.set(title=title, xlabel="x", ylabel="y", ylim=(low - 0.1 * margin, high + 0.35 * margin))
    axes.legend(fontsize=12, ncols=2, loc="upper left", frameon=False)


def overfitting(
    polynomials: Curves, regressions: Curves, gammas: Sequence[float], train: Sequence[float], test: Sequence[float]
) -> Figure:
    """Returns a figure of overfitting.

    Args:
        polynomials: a polynomial through all samples against a line.
        regressions: support vector regressions of a sine, of x in degrees.
        gammas: those of all regressions.
        train, test: the errors of each of these regressions.
    """
    figure, axes = plots.subplots(1, 3, width=5.4, height=4.6)
    left, middle, right = np.ravel(axes)
    draw_curves(left, polynomials, "Polynomial against line")
    draw_curves(middle, regressions, "Support vector regression")
    middle.set(xlabel="x in degrees")
    middle.set_xticks(range(0, 361, 90))
    right.plot(gammas, train, "o-", color=plots.BLUE, label="train")
    right.plot(gammas, test, "^-", color=plots.VERMILION, label="test")
    right.set(title="Underfitting to overfitting", xlabel="gamma", ylabel="RMSE", xscale="log", ylim=(0, None))
    right.legend(fontsize=13, frameon=False)
    return figure


class Predictions(NamedTuple):
    """The samples of a panel, and the curves of models.

    Attributes:
        x_train, y_train: the samples that the models were fitted to (n,).
        x: where the curves are drawn.
        curves: by their names, each as large as x.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x: np.ndarray
    curves: Mapping[str, np.ndarray]


def regressions(panels: Mapping[str, Predictions]) -> Figure:
    """Returns a figure of models and their samples, a panel under its title for each."""
    figure, axes = plots.subplots(1, len(panels), width=4.4, height=4.4)
    for panel, (title, (x_train, y_train, x, curves)) in zip(np.ravel(axes), panels.items(), strict=True):
        for (name, values), color, style in zip(curves.items(), plots.COLOURS, ("-", "--"), strict=False):
            panel.plot(x, values, style, color=color, label=name)
        panel.plot(x_train, y_train, "o", color=plots.BLACK, markersize=5, markeredgecolor="white", label="samples")
        panel.set(title=title, xlabel="x", ylabel="y")
        panel.margins(y=0.2)
        panel.legend(fontsize=11, loc="upper right")
    return figure


def bias_variance(
    fits: Sequence[tuple[int, np.ndarray]],
    truth: np.ndarray,
    parts: Mapping[str, Sequence[float]],
    error: Sequence[float],
) -> Figure:
    """Returns a figure of bias and variance: the fits of three degrees, and the parts of every degree's error.

    Args:
        fits: a degree that is too low, the best one, and one that is too high, each with its curves (data sets, m) at
            m values of x from 0 to 360 degrees.
        truth: the true curve (m,) at the same x.
        parts: "bias^2", "variance" and "noise", for each degree from 0 up.
        error: on new data, for each degree.
    """
    figure, axes = plots.subplots(1, 4, width=4.3, height=4.4)
    *panels, sums = np.ravel(axes)
    x = np.linspace(0, 360, len(truth))
    subtitles = ("high bias, low variance", "the lowest error", "low bias, high variance")
    for panel, (degree, curves), subtitle in zip(panels, fits, subtitles, strict=True):
        panel.plot(x, curves[:25].T, color=plots.SKY, linewidth=0.8, alpha=0.7)
        panel.plot(x, truth, color=plots.BLACK, linewidth=2.5, label="truth")
        panel.plot(x, curves.mean(axis=0), "--", color=plots.VERMILION, linewidth=2.5, label="mean of all fits")
        panel.set(title=f"degree {degree}\n{subtitle}", xlabel="x in degrees", ylabel="y", ylim=(-1.9, 1.9))
        panel.set_xticks(range(0, 361, 90))
    panels[0].legend(fontsize=12, frameon=False, loc="upper right")
    styles = (("o-", plots.BLUE), ("s-", plots.GREEN), (":", plots.BLACK))
    for (name, values), (style, colour) in zip(parts.items(), styles, strict=True):
        sums.plot(np.maximum(values, 1e-5), style, color=colour, label=name, markersize=5)
    sums.plot(error, "^-", color=plots.VERMILION, label="error on new data", markersize=6)
    sums.set(title="Parts of the\nsquared error", xlabel="degree", ylabel="squared error", yscale="log")
    sums.set(ylim=(1e-4, 30))
    sums.set_xticks(range(0, len(error), 2))
    sums.legend(fontsize=12, frameon=False, loc="upper right")
    return figure
