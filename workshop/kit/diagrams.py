"""Diagrams: a matrix in memory, broadcasting, a small network with its numbers, and its error and gradient check."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from workshop.kit import plots

_PALE = ("#A6CBE3", "#F5CFA0", "#9FD8C4", "#E3C1D5")  # of blue, orange, green, purple: a number can be read on them
_UNUSED = "#F2F2F2"


def addresses(view: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Returns where in memory each number of `view` lies, in numbers after the first one of `base`: as view.shape."""
    first = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    steps = np.tensordot(view.strides, np.indices(view.shape), axes=1)
    return np.asarray((first + steps) // base.itemsize)


def _cell(panel: Any, x: float, y: float, text: object, colour: str, is_solid: bool = True) -> None:
    """Draws a square around (x, y), dashed and grey where the number in it is not stored."""
    from matplotlib.patches import Rectangle

    style = "-" if is_solid else (0, (3, 2))
    edge, ink = (plots.BLACK, plots.BLACK) if is_solid else ("#888888", "#777777")
    panel.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor=edge, linestyle=style))
    panel.text(x, y, str(text), ha="center", va="center", color=ink, fontsize=12)


def memory(base: np.ndarray, views: Mapping[str, np.ndarray]) -> Any:
    """Returns a figure of views of a matrix: on the left what one sees, on the right the memory that it is read from.

    Arrows hop through the memory as the view is read, row by row. A view that is its own copy has a memory of its own.

    Args:
        base: a contiguous matrix; its rows have a colour each.
        views: matrices by their titles.
    """
    figure, axes = plots.subplots(len(views), 2, width=6.2, height=2.15, width_ratios=[1, 2.6])
    colours = np.repeat(_PALE[: len(base)], base.shape[1])
    for (left, right), (title, view) in zip(axes, views.items(), strict=True):
        is_view = np.shares_memory(view, base)
        places = addresses(view, base if is_view else view)
        stored = np.arange(base.size) if is_view else view.ravel()
        seen = set()
        for (row, column), place in np.ndenumerate(places):
            _cell(left, column, row, view[row, column], colours[view[row, column]], place not in seen)
            seen.add(place)
        for place, number in enumerate(stored):
            _cell(right, place, 0, number, colours[number] if place in seen else _UNUSED)
        _draw_hops(right, places.ravel())
        steps = tuple(int(stride) // view.itemsize for stride in view.strides)
        words = [
            "contiguous" if view.flags.c_contiguous else "not contiguous",
            "" if is_view else "a memory of its own",
        ]
        left.set_title(title if len(title) < 20 else title.replace(", ", ",\n", 1), fontsize=13)
        right.set_title(f"strides {steps}: {', '.join(filter(None, words))}", fontsize=13, loc="left")
        left.set(xlim=(-0.6, 3.6), ylim=(max(view.shape) - 0.4, -0.6))
        right.set(xlim=(-0.7, base.size - 0.3), ylim=(1.9, -1.5))
        for panel in (left, right):
            panel.set_aspect("equal")
            panel.axis("off")
    figure.suptitle("One memory, many views: strides say how far the next row and the next column lie", fontsize=16)
    return figure


def _draw_hops(panel: Any, places: np.ndarray) -> None:
    """Draws the way through memory: blue forwards above, vermilion backwards below, a circle around the first place."""
    from matplotlib.patches import FancyArrowPatch

    panel.plot(places[0], 0, "o", markersize=22, markerfacecolor="none", markeredgecolor=plots.BLACK)
    for start, end in pairwise(places):
        is_forward = end > start
        distance = abs(int(end) - int(start))
        bend = -2 * min(0.25 + 0.1 * distance, 1.0) / distance  # the height of an arc is half its bend
        height = -0.52 if is_forward else 0.52
        panel.add_patch(
            FancyArrowPatch(
                (start, height), (end, height), connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>",
                mutation_scale=11, linewidth=1.4, color=plots.BLUE if is_forward else plots.VERMILION,
                shrinkA=0, shrinkB=0,
            )
        )  # fmt: skip


def broadcasting(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    """Returns a figure of sums of arrays of different shapes: what is stored is solid, what is only read again dashed.

    Args:
        pairs: by their titles two arrays of one or two axes, of up to four columns; such as do not fit show the error.
    """
    figure, axes = plots.subplots(len(pairs), 1, width=9.5, height=2.3)
    for panel, (title, (first, second)) in zip(np.ravel(axes), pairs.items(), strict=True):
        try:
            result, error = first + second, ""
        except ValueError as refused:
            result, error = None, str(refused).strip()
        for at, array, colour, sign in ((0, first, _PALE[0], "+"), (5.5, second, _PALE[1], "=")):
            stretched = np.atleast_2d(array) if result is None else np.broadcast_to(array, result.shape)
            own = np.atleast_2d(array).shape
            for (row, column), number in np.ndenumerate(stretched):
                is_own = row < own[0] and column < own[1]
                _cell(panel, at + column, row, number, colour if is_own else "white", is_own)
            panel.text(at + 1, -0.95, f"{array.shape}", ha="center", fontsize=13)
            panel.text(at + 4, 0.5, sign, ha="center", va="center", fontsize=22)
        if result is None:
            words = "\n".join(textwrap.wrap(f"ValueError: {error}", 24))
            panel.text(10.6, 0.5, words, va="center", color=plots.VERMILION, fontsize=13)
        else:
            for (row, column), number in np.ndenumerate(result):
                _cell(panel, 11 + column, row, number, _PALE[2])
            panel.text(12, -0.95, f"{result.shape}", ha="center", fontsize=13)
        panel.set_title(title, loc="left")
        panel.set(xlim=(-0.7, 16), ylim=(1.6, -1.4))
        panel.set_aspect("equal")
        panel.axis("off")
    figure.suptitle("Broadcasting: an axis of length 1, or one that is missing, is read again", fontsize=15)
    return figure


def network(
    layers: Sequence[tuple[np.ndarray, np.ndarray]],
    outputs: Sequence[np.ndarray],
    targets: np.ndarray,
    gradients: Sequence[np.ndarray],
    neurons: Sequence[Sequence[str]],
) -> Any:
    """Returns a figure of a small network: on the left the numbers on their way forwards, on the right backwards.

    Args:
        layers: weights (inputs, outputs) and biases (outputs,) of each.
        outputs: the input (1, inputs), and what each layer makes of it.
        targets: (1, outputs).
        gradients: dE/dw of each layer.
        neurons: the names of the neurons of each layer, the inputs first.
    """
    figure, ((ahead, back),) = plots.subplots(1, 2, width=8.6, height=5.4)
    nets = [outputs[i] @ weights + biases for i, (weights, biases) in enumerate(layers)]
    # What leads backwards through a neuron is its delta, and delta is the slope of its bias.
    deltas: list[np.ndarray] = []
    slope = outputs[-1] - targets
    for (weights, _), out in zip(reversed(layers), reversed(outputs[1:]), strict=True):
        deltas.insert(0, slope * out * (1 - out))
        slope = deltas[0] @ weights.T
    largest = max(float(np.abs(gradient).max()) for gradient in gradients)
    count = 0
    for i, (weights, biases) in enumerate(layers):
        for (j, k), weight in np.ndenumerate(weights.T):
            start, end, count = _place(i, k), _place(i + 1, j), count + 1
            _edge(ahead, start, end, f"w{count} = {weight:.2f}", plots.BLUE, 2.0)
            thickness = 1 + 6 * float(abs(gradients[i][k, j])) / largest
            _edge(back, end, start, f"{gradients[i][k, j]:+.6f}", plots.VERMILION, thickness)
        for j, bias in enumerate(biases):
            x, y = _place(i + 1, j)
            side = 1 if j < len(biases) / 2 else -1  # above or below, where no weight leads
            _edge(ahead, (x, y + 0.95 * side), (x, y), "", "#888888", 1.5)
            ahead.text(x + 0.1, y + 0.72 * side, f"bias {bias:.2f}", va="center", fontsize=12)
    for i, names in enumerate(neurons):
        for j, name in enumerate(names):
            out = outputs[i][0, j]
            forwards = f"{name}\nnet {nets[i - 1][0, j]:.6f}\nout {out:.6f}" if i else f"{name}\n{out:.2f}"
            backwards = f"{name}\ndelta\n{deltas[i - 1][0, j]:+.6f}" if i else f"{name}\n{out:.2f}"
            _node(ahead, _place(i, j), forwards, _PALE[0] if i else "white")
            _node(back, _place(i, j), backwards, _PALE[1] if i else "white")
    for j, target in enumerate(targets[0]):
        x, y = _place(len(layers), j)
        side = -1 if j < targets.size / 2 else 1
        ahead.text(x, y + 0.66 * side, f"target {target:.2f}", ha="center", va="center", fontsize=12)
        back.text(x, y + 0.6, f"dE/dout {outputs[-1][0, j] - target:+.6f}", ha="center", fontsize=12)
    E = 0.5 * float(np.sum((outputs[-1] - targets) ** 2))
    ahead.set_title(f"Forwards: weights, net inputs, outputs; E = {E:.6f}")
    back.set_title("Backwards: dE/dw, the thicker the steeper")
    (right, _), (_, bottom) = _place(len(layers), 0), _place(0, max(map(len, neurons)) - 1)
    for panel in (ahead, back):
        panel.set(xlim=(-0.6, right + 0.9), ylim=(bottom - 0.95, 1.1))
        panel.set_aspect("equal")
        panel.axis("off")
    return figure


_RADIUS = 0.48  # of a neuron


def _place(layer: int, neuron: int) -> tuple[float, float]:
    """Returns where a neuron is drawn."""
    return 2.7 * layer, -2.0 * neuron


def _node(panel: Any, at: tuple[float, float], text: str, colour: str) -> None:
    """Draws a neuron with its numbers."""
    from matplotlib.patches import Circle

    panel.add_patch(Circle(at, _RADIUS, facecolor=colour, edgecolor=plots.BLACK, zorder=2))
    panel.text(*at, text, ha="center", va="center", fontsize=11, zorder=4)


def _edge(
    panel: Any, start: tuple[float, float], end: tuple[float, float], text: str, colour: str, thickness: float
) -> None:
    """Draws an arrow from one neuron to another, with its number where it does not lie on another arrow."""
    way = np.subtract(end, start)
    gap = way / np.hypot(*way) * (_RADIUS + 0.02)
    panel.annotate(
        "", end - gap, start + gap * bool(text),
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": thickness, "shrinkA": 0, "shrinkB": 0,
                    "mutation_scale": 12 + 2 * thickness},
    )  # fmt: skip
    if text:
        left, right = sorted((np.array(start), np.array(end)), key=lambda point: float(point[0]))
        x, y = left + (0.5 if left[1] == right[1] else 0.32) * (right - left)
        panel.text(
            x, y, text, ha="center", va="center", fontsize=12, zorder=3,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip


def descent_and_check(curves: Mapping[str, np.ndarray], steps: np.ndarray, differences: np.ndarray) -> Any:
    """Returns a figure: on the left how errors fell, on the right a gradient check.

    Args:
        curves: errors (steps + 1,) by their names: up to three that lie on one another, and last one that does not.
        steps: the h of finite differences.
        differences: how far those are from backpropagation, relative.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.5, height=4.8)
    colours, widths = (plots.SKY, plots.BLUE, plots.ORANGE), (9, 5, 2)
    for i, (name, errors) in enumerate(curves.items()):
        is_last = i == len(curves) - 1
        colour, thickness = (plots.VERMILION, 2.2) if is_last else (colours[i], widths[i])
        left.loglog(np.arange(1, len(errors) + 1), errors, color=colour, linewidth=thickness, label=name)
    left.set(xlabel="step, counted from 1", ylabel="E", title="The 2-2-2 network learns")
    left.legend(frameon=False)
    right.loglog(steps, differences, "o-", color=plots.BLUE)
    best = int(np.argmin(differences))
    right.loglog(steps[best], differences[best], "o", color=plots.VERMILION, markersize=12)
    right.annotate(
        f"h = {steps[best]:.0e}", (steps[best], differences[best]), xytext=(0, -22), textcoords="offset points",
        ha="center", color=plots.VERMILION,
    )  # fmt: skip
    right.margins(y=0.15)
    right.text(0.03, 0.94, "h too small: digits cancel", transform=right.transAxes)
    right.text(0.97, 0.94, "h too large: E is curved", transform=right.transAxes, ha="right")
    right.set(xlabel="step h of finite differences", ylabel="relative difference", title="Backpropagation, checked")
    right.set_ylim(top=10 * float(differences.max()))
    return figure
