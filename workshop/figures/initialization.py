"""The tables and plots of the lesson `initialization`: the numbers in each layer, depth, trainings, dead units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 41
SMALLEST = 1e-9  # of the gradients that are drawn: pixels that are the same in all images have none but rounding


def layer_table(
    heading: str, values: Mapping[str, Sequence[float]], form: str, columns: Sequence[int] | None = None
) -> str:
    """Returns a table of a number for each layer.

    Args:
        heading: of the first column.
        values: by the row's name the number of each layer.
        form: as `format` takes it: ".1%".
        columns: the layers that have a column, counted from 1 (default: all).
    """
    columns = columns or range(1, len(next(iter(values.values()))) + 1)
    rows = [[name, *(format(float(numbers[i - 1]), form) for i in columns)] for name, numbers in values.items()]
    return format_table([heading, *(f"layer {i}" for i in columns)], rows)


def layers(
    activations: Mapping[str, Sequence[np.ndarray]], gradients: Mapping[str, Sequence[np.ndarray]], title: str
) -> Figure:
    """Returns a figure of histograms, one for each layer: above of the activations, below of the gradients.

    Args:
        activations: by the start of the weights, of each layer (any shape), from -1 to 1.
        gradients: the same of the gradients; drawn are their absolute values.
        title: of the figure.
    """
    figure, axes = plots.subplots(2, len(activations), width=3.2, height=3.0, sharey="row", sharex=True)
    for (above, below), start in zip(axes.T, activations, strict=True):
        for i, values in enumerate(activations[start], 1):
            _draw_sideways(above, i, values, np.linspace(-1, 1, BINS), plots.BLUE)
        for i, values in enumerate(gradients[start], 1):
            _draw_sideways(below, i, np.abs(values), np.geomspace(SMALLEST, 1, BINS), plots.VERMILION)
        above.set_title(start)
        below.set(yscale="log", xlabel="layer", xticks=range(1, len(gradients[start]) + 1))
    axes[0, 0].set_ylabel("activation")
    axes[1, 0].set_ylabel("gradient of a weight")
    figure.suptitle(title, fontsize=17)
    return figure


def _draw_sideways(panel: Axes, place: float, values: np.ndarray, edges: np.ndarray, colour: str) -> None:
    """Draws a histogram whose bars go to the right from `place`, the longest by 0.85."""
    counts, _ = np.histogram(np.minimum(values, edges[-1]), edges)
    panel.stairs(
        place - 0.4 + 0.85 * counts / max(1, counts.max()),
        edges,
        baseline=place - 0.4,
        orientation="horizontal",
        fill=True,
        color=colour,
    )


def depth(gradients: Mapping[str, Mapping[int, float]], activations: Mapping[str, Sequence[float]]) -> Figure:
    """Returns a figure of depth: on the left the gradient of the first layer, on the right the activations.

    Args:
        gradients: by the network's name the size of the gradient, by the number of layers.
        activations: by the network's name the size of the activations in each layer of the deepest one.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.5, height=4.8)
    for i, name in enumerate(gradients):
        style = {"color": plots.COLOURS[i], "marker": plots.MARKERS[i], "label": name}
        left.plot(list(gradients[name]), list(gradients[name].values()), **style)
        right.plot(range(1, len(activations[name]) + 1), activations[name], **style, markersize=5)
    left.set(
        xlabel="hidden layers", ylabel="gradient, root mean square", yscale="log", title="Gradient of the first layer"
    )
    right.set(
        xlabel="layer", ylabel="activation, root mean square", yscale="log", title="Activations of the deepest network"
    )
    for panel in (left, right):
        panel.xaxis.get_major_locator().set_params(integer=True)
    left.legend(fontsize=13, frameon=False)
    return figure


def training(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Returns a figure of training accuracies in each epoch, a panel for each group of networks.

    Args:
        curves: by the panel's title and the network's name the accuracy in each epoch.
    """
    columns = min(2, len(curves))
    figure, axes = plots.subplots(-(-len(curves) // columns), columns, width=7.5, height=4.6, sharey=True)
    panels = np.ravel(axes)
    for panel, (title, networks) in zip(panels, curves.items(), strict=False):
        for i, (name, accuracies) in enumerate(networks.items()):
            panel.plot(
                range(1, len(accuracies) + 1),
                accuracies,
                color=plots.COLOURS[i],
                marker=plots.MARKERS[i],
                linewidth=2 + 1.2 * (len(networks) - 1 - i),  # curves that lie on one another are all seen
                label=name.replace("_", " "),
            )
        panel.set(title=title, xlabel="epoch", ylabel="training accuracy", ylim=(0, 1))
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.legend(fontsize=12, frameon=False, loc="best", ncols=2)
    for panel in panels[len(curves) :]:
        panel.axis("off")
    return figure


def dead(counts: Mapping[str, tuple[int, int]], units: int) -> Figure:
    """Returns a figure of how many of the units are dead, at the start and after training, by the network's name."""
    figure, panel = plots.subplots(width=2.2 * len(counts) + 2, height=4.8)
    before, after = zip(*counts.values(), strict=True)
    bars = {"at the start": before, "after training": after}
    charts.draw_bars(
        panel, bars, list(counts), value="{:.0f}", y=f"dead of {units} units", title="Units that are 0 for every image"
    )
    return figure
