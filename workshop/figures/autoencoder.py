"""The plots of the lesson `autoencoder`: a cloud, rows of images, losses, reconstruction errors, maps of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_POINTS = 3000  # on a map
COLUMNS = 10  # images in a row


def numbers(points: np.ndarray, reconstructions: np.ndarray, axis: np.ndarray) -> Figure:
    """Returns a figure of points and their reconstructions from one number, and of the axis of their PCA.

    Args:
        points, reconstructions: (n, 2).
        axis: the first component of PCA (2,), of length 1.
    """
    figure, panel = plots.subplots(width=6.4, height=6)
    ends = np.stack([points, reconstructions])  # (2, n, 2)
    panel.plot(ends[..., 0], ends[..., 1], color="#BBBBBB", linewidth=0.8)
    longest = float(np.abs(points).max())
    mean = points.mean(axis=0)
    line = mean + np.array([[-1.2], [1.2]]) * longest * axis
    panel.plot(*line.T, "--", color=plots.BLACK, linewidth=1.5, label="first component of PCA")
    panel.plot(*points.T, "o", color=plots.BLUE, markersize=5, markeredgecolor="white", label="two numbers")
    panel.plot(*reconstructions.T, "^", color=plots.VERMILION, markersize=5, label="reconstructed from one number")
    panel.set(xlabel="first number", ylabel="second number", aspect="equal")
    panel.set(xlim=(-1.1 * longest, 1.1 * longest), ylim=(-1.1 * longest, 1.1 * longest))
    panel.set_title("2 -> 1 -> 2: what is across the diagonal is lost")
    panel.legend(fontsize=12, loc="upper left")
    return figure


def image_rows(rows: Mapping[str, np.ndarray], title: str, has_signs: bool = False) -> Figure:
    """Returns a figure of rows of images, each row under its title.

    Args:
        rows: images (n, height, width, 1) by the titles of the rows; the first ten of each are shown.
        title: of the figure.
        has_signs: whether numbers below 0 are shown, in orange; else dark is high.
    """
    figure, axes = plots.subplots(len(rows), 1, width=9.5, height=1.25)
    for panel, (row_title, images) in zip(np.ravel(axes), rows.items(), strict=True):
        # Side by side in one panel, with a light column between them: a panel for each would take seconds to draw.
        gap = max(1, images.shape[2] // 14)
        strip = np.concatenate([np.pad(image, ((0, 0), (0, gap))) for image in images[:COLUMNS, ..., 0]], axis=1)
        highest = float(np.abs(strip).max()) or 1.0
        lowest = -highest if has_signs else min(0.0, float(strip.min()))
        panel.imshow(strip, cmap="PuOr" if has_signs else "gray_r", vmin=lowest, vmax=highest)
        panel.set_title(row_title, loc="left", fontsize=13)
        panel.axis("off")
    figure.suptitle(title, fontsize=15)
    return figure


def losses(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """Returns the training losses: for each network the epochs passed and its loss then.

    The networks train for 2 to 400 epochs, so they are drawn over the share of their training.
    """
    shares = {name: (np.asarray(epochs) / epochs[-1], values) for name, (epochs, values) in curves.items()}
    figure, axes = plots.subplots(width=9.5)
    charts.draw_curves(
        axes,
        shares,
        x="share of the training",
        y="training loss (mean squared error)",
        title="Training loss",
        logarithmic=True,
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=13)  # beside the curves, which fill the panel
    return figure


def anomalies(
    errors: Mapping[str, np.ndarray], threshold: float, roc_curve: tuple[np.ndarray, np.ndarray], auc: float
) -> Figure:
    """Returns the histograms of the reconstruction errors, and the ROC curve.

    Args:
        errors: the mean squared error of each image (n,), by the names of the sets.
        threshold: from here up an image is an anomaly.
        roc_curve: the false and the true positive rates, at every threshold.
        auc: the area under it.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    all_errors = np.concatenate([*errors.values()])
    bins = np.geomspace(max(all_errors.min(), 1e-6), max(all_errors.max(), 2e-6), 60)
    for (name, values), color in zip(errors.items(), plots.COLOURS, strict=False):
        weights = np.full(len(values), 1 / len(values))
        left.hist(values, bins, weights=weights, histtype="step", linewidth=2.2, color=color, label=name)
    left.axvline(threshold, color=plots.BLACK, linestyle="--", label=f"threshold {threshold:.3g}")
    left.set_xscale("log")
    left.set(xlabel="mean squared error of an image", ylabel="share of the set", title="Reconstruction errors")
    left.legend(fontsize=12)
    right.plot(*roc_curve, color=plots.BLUE)
    right.plot([0, 1], [0, 1], "--", color=plots.BLACK, linewidth=1.2)
    right.set(xlabel="share of digits flagged as anomalies", ylabel="share of garments found", aspect="equal")
    right.set_title(f"ROC curve: area {auc:.4f}")
    return figure


def latent_maps(maps: Mapping[str, np.ndarray], labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Returns a map of images for each model: their latent codes as points, in the color of their class.

    Args:
        maps: codes of two numbers (n, 2), by the titles of the panels.
        labels: the classes of the images (n,).
        classes: their names.
    """
    from matplotlib import colormaps

    figure, axes = plots.subplots(1, len(maps), width=7, height=6.2)
    colors = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for panel, (title, codes) in zip(axes[0], maps.items(), strict=True):
        for label, name in enumerate(classes):
            points = codes[:MAX_POINTS][labels[:MAX_POINTS] == label]
            panel.plot(*points.T, ".", color=colors[label % 10], markersize=3, rasterized=True, label=name)
        for label, name in enumerate(classes):
            # The name stands where its class is, so nobody needs to tell ten colors apart.
            center = np.median(codes[labels == label], axis=0)
            box = {"facecolor": "white", "edgecolor": colors[label % 10], "boxstyle": "round,pad=0.2", "linewidth": 2}
            panel.text(*center, name, ha="center", va="center", fontsize=15, fontweight="bold", bbox=box)
        panel.set(xlabel="first number of the code", ylabel="second number of the code", title=title)
    # Names that lie on one another are still told in the legend.
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", markerscale=4, fontsize=13)
    figure.suptitle("Latent codes of the test images", fontsize=15)
    return figure
