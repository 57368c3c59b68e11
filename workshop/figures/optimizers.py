"""The plots of the lesson `optimizers`: paths on surfaces, a race of them, mini-batches, the digits, a lowered rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours are seven; the last two algorithms are dashed.
LINES = {
    "sgd": (plots.BLACK, "-"),
    "momentum": (plots.BLUE, "-"),
    "nesterov": (plots.SKY, "-"),
    "rprop": (plots.PURPLE, "-"),
    "adagrad": (plots.GREEN, "-"),
    "rmsprop": (plots.ORANGE, "-"),
    "adam": (plots.VERMILION, "-"),
    "nadam": (plots.VERMILION, "--"),
    "adadelta": (plots.GREEN, "--"),
}


class Surface(NamedTuple):
    """A function of two weights.

    Attributes:
        title: its name and formula.
        height: from weights (..., 2) to heights (...).
        gradient: from weights (..., 2) to gradients (..., 2).
        start: of all descents.
        lowest: the height of its minima.
        minima: weights (minima, 2).
        limits: the part that is drawn: left, right, bottom, top.
    """

    title: str
    height: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray], np.ndarray]
    start: np.ndarray
    lowest: float
    minima: np.ndarray
    limits: tuple[float, float, float, float]


class Descent(NamedTuple):
    """A descent on a surface.

    Attributes:
        rate: the learning rate.
        path: the weights (steps + 1, 2).
        heights: above the minimum (steps + 1,).
        arrived: the steps after which it stays near the minimum, or None.
    """

    rate: float
    path: np.ndarray
    heights: np.ndarray
    arrived: int | None


class Stalled(NamedTuple):
    """A training at a high rate, constant or lowered where the validation loss stalls.

    Attributes:
        losses, validation_losses, rates: of each epoch; the rate is the one that it was trained with.
        test_accuracy: in the end.
    """

    losses: Sequence[float]
    validation_losses: Sequence[float]
    rates: Sequence[float]
    test_accuracy: float


def draw_surface(axes: Axes, surface: Surface) -> None:
    """Draws the contours of a surface, its minima and the start."""
    left, right, bottom, top = surface.limits
    x, y = np.linspace(left, right, 120), np.linspace(bottom, top, 120)
    above = surface.height(np.stack(np.meshgrid(x, y), axis=-1)) - surface.lowest
    # Each contour is twice as high as the one before: even steps would show nothing near the minimum.
    axes.contour(x, y, above, 2.0 ** np.arange(-4, 12), colors="#BBBBBB", linewidths=0.9)
    axes.plot(*surface.start, "s", color=plots.BLACK, markersize=7, zorder=4)
    axes.plot(*surface.minima.T, "*", color=plots.GREEN, markersize=15, markeredgecolor="white", zorder=4)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="x", ylabel="y")
    axes.grid(False)


def paths(surface: Surface, descents: Mapping[str, Descent], titles: Mapping[str, str]) -> Figure:
    """Returns the path of each algorithm on a surface, a panel each.

    Args:
        surface: the same in all panels; a square is the start, a star the minimum.
        descents: by the algorithms.
        titles: their names.
    """
    columns = 2 if len(descents) in {2, 4} else min(3, len(descents))
    rows = -(-len(descents) // columns)
    figure, axes = plots.subplots(rows, columns, width=4.3, height=3.3, sharex=True, sharey=True)
    panels = np.ravel(axes)
    for panel, (name, descent) in zip(panels, descents.items(), strict=False):
        draw_surface(panel, surface)
        colour, _ = LINES[name]
        panel.plot(*descent.path.T, ".-", color=colour, linewidth=1.4, markersize=4, clip_on=True)
        steps = f"not in {len(descent.path) - 1} steps" if descent.arrived is None else f"{descent.arrived} steps"
        panel.set_title(f"{titles[name]}, {descent.rate:g}: {steps}", fontsize=13)
        panel.label_outer()
    for panel in panels[len(descents) :]:
        panel.set_visible(False)
    figure.suptitle(f"Paths on {surface.title}: rate and steps of each", fontsize=16)
    return figure


def race(
    surfaces: Mapping[str, Surface],
    descents: Mapping[str, Mapping[str, Descent]],
    titles: Mapping[str, str],
    frames: int,
) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of all algorithms on their ways down, as `animation.save` takes them.

    Args:
        surfaces: a panel each.
        descents: by the names of the surfaces, of each algorithm.
        titles: the algorithms' names.
        frames: their number. The first ones are a step each; later ones more, so that the slow arrive as well.
    """
    figure, axes = plots.subplots(1, len(surfaces), width=4.4, height=4.6)
    steps = np.unique(np.rint(np.geomspace(1, 501, frames)).astype(int)) - 1
    steps = np.union1d(steps, np.arange(min(frames // 2, 500)))

    def draw() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        moving = []
        for panel, (key, surface) in zip(np.ravel(axes), surfaces.items(), strict=True):
            draw_surface(panel, surface)
            for name, descent in descents[key].items():
                colour, style = LINES[name]
                (trail,) = panel.plot([], [], color=colour, linestyle=style, linewidth=1.5)
                face = colour if style == "-" else "white"
                (point,) = panel.plot([], [], "o", color=colour, markerfacecolor=face, markersize=9, label=titles[name])
                moving.append((descent.path, trail, point))
        handles, labels = axes.flat[0].get_legend_handles_labels()
        for handle in handles:
            handle.set_data([np.nan], [np.nan])
        figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=12)
        for step in steps:
            for path, trail, point in moving:
                trail.set_data(*path[: step + 1].T)
                point.set_data(*path[[step]].T)
            figure.suptitle(f"Step {step}", fontsize=16)
            yield 1.0 if step == 0 else 3.0 if step == steps[-1] else 0.2

    return figure, draw()


def nine_and_one(paths: Mapping[str, np.ndarray], titles: Mapping[str, str]) -> Figure:
    """Returns where a weight is after each mini-batch, by algorithm; its minimum is 0.

    Args:
        paths: by the algorithms, the weight (gradients + 1,).
        titles: their names.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.4, height=4.6)
    for name, path in paths.items():
        colour, style = LINES[name]
        right.plot(path, color=colour, linestyle=style, label=titles[name])
        left.plot(path[:11], color=colour, linestyle=style, marker="o", markersize=6, label=titles[name])
    for panel, title in ((left, "Nine gradients of +0.1, one of -0.9"), (right, "The same, ten times over")):
        panel.axhline(0, color=plots.BLACK, linestyle=":", linewidth=1.2)
        panel.set(xlabel="mini-batch", ylabel="weight", title=title)
    left.legend(fontsize=12, loc="lower left")
    return figure


def digits(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], float]], titles: Mapping[str, str], source: str
) -> Figure:
    """Returns the training loss of each algorithm by steps, and by seconds.

    Args:
        curves: by the algorithms: steps, losses, and the seconds of a step.
        titles: their names.
        source: the data.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.6, height=5.2, sharey=True)
    for name, (steps, losses, seconds) in curves.items():
        colour, style = LINES[name]
        left.plot(steps, losses, color=colour, linestyle=style, label=titles[name])
        right.plot(np.multiply(steps, seconds), losses, color=colour, linestyle=style)
    left.set(xlabel="step", ylabel="training loss", title=f"By steps, on {source}", yscale="log")
    right.set(xlabel="seconds", title="By seconds")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=13)
    return figure


def plateau(trained: Mapping[str, Stalled]) -> Figure:
    """Returns the losses of a constant and of a lowered rate, and the rates.

    Args:
        trained: the trainings by their names.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.6, height=4.6)
    for (name, run), colour in zip(trained.items(), (plots.VERMILION, plots.BLUE), strict=True):
        epochs = range(1, len(run.losses) + 1)
        left.plot(epochs, run.validation_losses, color=colour, label=f"{name}: validation")
        left.plot(epochs, run.losses, color=colour, linestyle="--", label=f"{name}: training")
        right.step(epochs, run.rates, where="mid", color=colour, label=name)
    highest = max(max(*run.losses, *run.validation_losses) for run in trained.values())
    left.set(xlabel="epoch", ylabel="loss", title="Loss", ylim=(0, 1.35 * highest))  # with room for the legend
    right.set(xlabel="epoch", ylabel="learning rate", title="Learning rate", yscale="log")
    for panel in (left, right):
        panel.xaxis.get_major_locator().set_params(integer=True)
    left.legend(fontsize=12, ncols=2, loc="upper center")
    right.legend(fontsize=12)
    return figure
