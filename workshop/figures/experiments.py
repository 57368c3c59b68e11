"""The plots of the lesson `experiments`: scores against seconds, losses by learning rate, and batch sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NAMED = 21  # points that have a line in the legend


def scores(
    names: Sequence[str],
    seconds: Sequence[float],
    tests: Sequence[float],
    trains: Sequence[float] | None,
    metric: str,
    title: str,
) -> Figure:
    """Returns a figure of the score of each row against the seconds of its training.

    Args:
        names: of the rows, the best first.
        seconds: of each.
        tests: the score of each on test data.
        trains: on training data, joined to the other with a line; None where there is none.
        metric: the name of the score.
        title: of the figure.
    """
    from matplotlib.ticker import LogLocator, PercentFormatter

    is_share = metric.endswith("accuracy")
    # The panel keeps its width beside a legend of long names.
    longest = max(len(name) for name in names[:MAX_NAMED])
    figure, axes = plots.subplots(width=10.5 + 0.1 * max(0, longest - 12), height=5.5)
    for i, (name, x, y) in enumerate(zip(names, seconds, tests, strict=True)):
        colour, marker = plots.COLOURS[i % 7], plots.MARKERS[(i + i // 7) % 7]
        value = f"{y:.2%}" if is_share else f"{y:.4g}"
        label = f"{name}: {value}" if i < MAX_NAMED else None
        if trains is not None:
            axes.plot([x, x], [y, trains[i]], color=colour, linewidth=1.5, zorder=1)
            axes.plot(x, trains[i], marker, color="white", markeredgecolor=colour, markersize=7, zorder=2)
        axes.plot(x, y, marker, color=colour, markersize=11, markeredgecolor="white", label=label, zorder=3)
    if trains is not None:
        axes.plot([], [], "o", color="white", markeredgecolor=plots.BLACK, markersize=7, label="hollow: training data")
    if max(seconds) > 8 * min(seconds):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    if is_share:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set(xlabel="seconds", ylabel=metric, title=title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=12)
    return figure


def learning_rates(losses: Mapping[str, tuple[Sequence[float], Sequence[float]]], chosen: float) -> Figure:
    """Returns a figure of the losses of the same descent at several learning rates.

    Args:
        losses: the steps and the loss in each, by the rates, the smallest first.
        chosen: one of them.
    """
    figure, axes = plots.subplots(width=9, height=5)
    for (rate, (steps, values)), colour in zip(losses.items(), plots.COLOURS, strict=False):
        is_chosen = float(rate) == chosen
        label = f"{rate}, chosen" if is_chosen else rate
        axes.plot(steps, values, color=colour, linewidth=3.2 if is_chosen else 1.8, label=label)
    # A loss that diverges leaves the panel at its top.
    start = next(iter(losses.values()))[1][0]
    lowest = min(np.nanmin(values) for _, values in losses.values())
    axes.set(yscale="log", ylim=(0.8 * max(lowest, 1e-6), 4 * start))
    axes.set(
        xlabel="step, on 1,000 images", ylabel="training loss (cross-entropy)", title="The same start at each rate"
    )
    axes.legend(title="learning rate", fontsize=12)
    return figure


def batch_sizes(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], chosen: float) -> Figure:
    """Returns a figure of what the batch size changes, a panel for each of the curves by their names."""
    from matplotlib.ticker import PercentFormatter

    figure, axes = plots.subplots(1, len(curves), width=5.6, height=4.4)
    for panel, (name, (sizes, values)) in zip(np.ravel(axes), curves.items(), strict=True):
        panel.plot(sizes, values, "o-", color=plots.BLUE, markersize=8)
        panel.plot(chosen, values[list(sizes).index(chosen)], "*", color=plots.VERMILION, markersize=18)
        panel.set_xscale("log", base=2)
        panel.set_xticks(sizes, [f"{size:g}" for size in sizes], rotation=45)
        panel.minorticks_off()
        panel.yaxis.set_major_formatter(PercentFormatter(1))  # both are accuracies
        panel.set(xlabel="batch size", ylabel=name, title=f"{name[0].upper()}{name[1:]}")
    return figure
