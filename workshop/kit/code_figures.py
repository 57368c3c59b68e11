"""Figures of the lesson on autoencoders: rows of pictures, errors with a threshold, and maps of codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

_MOST_POINTS = 3000  # on a map


def image_rows(rows: Mapping[str, np.ndarray], heading: str, has_signs: bool = False) -> Any:
    """Returns a figure of rows of images, each row under its title.

    Args:
        rows: by their titles (samples, height, width, 1); of each the first ten are shown.
        heading: above all.
        has_signs: whether numbers below 0 are shown, in orange; else dark is ink.
    """
    figure, axes = plots.subplots(len(rows), 1, width=9.5, height=1.25)
    for panel, (title, images) in zip(np.ravel(axes), rows.items(), strict=True):
        # Side by side in one panel, with a light column between them: a panel for each would take seconds to draw.
        gap = max(1, images.shape[2] // 14)
        strip = np.concatenate([np.pad(image, ((0, 0), (0, gap))) for image in images[:10, ..., 0]], axis=1)
        top = float(np.abs(strip).max()) or 1.0
        lowest = -top if has_signs else min(0.0, float(strip.min()))
        panel.imshow(strip, cmap="PuOr" if has_signs else "gray_r", vmin=lowest, vmax=top)
        panel.set_title(title, loc="left", fontsize=13)
        panel.axis("off")
    figure.suptitle(heading, fontsize=15)
    return figure


def losses(histories: Mapping[str, Any], heading: str) -> Any:
    """Returns a figure of how the training loss fell, for the history of each network by its name."""
    figure, axes = plots.subplots(width=8)
    curves = {name: (np.array(one.at) / one.finished, one.fine["loss"]) for name, one in histories.items()}
    label = "training loss (mean squared error)"
    charts.draw_curves(axes, curves, x="share of the training", y=label, title=heading, logarithmic=True)
    return figure


def anomalies(
    errors: Mapping[str, np.ndarray], threshold: float, curve: tuple[np.ndarray, np.ndarray], area: float
) -> Any:
    """Returns a figure: how large the errors of reconstruction are, and the ROC curve.

    Args:
        errors: of each picture (samples,), by the names of the sets.
        threshold: from here up a picture is an anomaly.
        curve: the shares of false and of true alarms, at every threshold.
        area: under the curve.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    everything = np.concatenate([*errors.values()])
    bins = np.geomspace(max(everything.min(), 1e-6), max(everything.max(), 2e-6), 60)
    for (name, values), colour in zip(errors.items(), plots.COLOURS, strict=False):
        share = np.full(len(values), 1 / len(values))
        left.hist(values, bins, weights=share, histtype="step", linewidth=2.2, color=colour, label=name)
    left.axvline(threshold, color=plots.BLACK, linestyle="--", label=f"threshold {threshold:.3g}")
    left.set_xscale("log")
    left.set(xlabel="mean squared error of a picture", ylabel="share of the set", title="What is reconstructed badly")
    left.legend(fontsize=12)
    right.plot(*curve, color=plots.BLUE)
    right.plot([0, 1], [0, 1], "--", color=plots.BLACK, linewidth=1.2)
    right.set(xlabel="share of digits taken for anomalies", ylabel="share of garments found", aspect="equal")
    right.set_title(f"ROC curve: area {area:.4f}")
    return figure


def code_maps(maps: Mapping[str, Sequence[np.ndarray]], labels: np.ndarray, classes: Sequence[str]) -> Any:
    """Returns a figure of codes of two numbers: for each title the places (samples, 2); what follows is not drawn."""
    from matplotlib import colormaps

    figure, axes = plots.subplots(1, len(maps), width=7, height=6.2)
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for panel, (title, (places, *_)) in zip(axes[0], maps.items(), strict=True):
        for label in range(len(classes)):
            of_class = places[:_MOST_POINTS][labels[:_MOST_POINTS] == label]
            panel.plot(*of_class.T, ".", color=colours[label % 10], markersize=3, rasterized=True)
        for label, name in enumerate(classes):
            # The name stands where its class is, so nobody needs to tell ten colours apart.
            middle = np.median(places[labels == label], axis=0)
            box = {"facecolor": "white", "edgecolor": colours[label % 10], "boxstyle": "round,pad=0.2", "linewidth": 2}
            panel.text(*middle, name, ha="center", va="center", fontsize=15, fontweight="bold", bbox=box)
        panel.set(xlabel="first number of the code", ylabel="second number of the code", title=title)
    figure.suptitle("Test images, each at the place that its two numbers give", fontsize=15)
    return figure
