"""The plots of the lesson `activations`: functions with their derivatives, softmax, the limits of numbers and depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Curve(NamedTuple):
    """The points of a function and of its derivative.

    Attributes:
        value, derivative: f(z) and f'(z) (n,).
        kinks: the z (k,) where the derivative, or the function itself, jumps.
        value_at_kinks, derivative_at_kinks: f(z) and f'(z) there (k,), by the formula.
    """

    value: np.ndarray
    derivative: np.ndarray
    kinks: np.ndarray
    value_at_kinks: np.ndarray
    derivative_at_kinks: np.ndarray


def functions(z: np.ndarray, curves: Mapping[str, Curve]) -> Figure:
    """Returns a figure of functions over z (n,), by their names, each with its derivative and dots at its kinks."""
    from matplotlib.lines import Line2D

    rows = -(-len(curves) // 5)
    figure, axes = plots.subplots(rows, 5, width=3.2, height=3.2, sharex=True)
    for panel, (name, curve) in zip(np.ravel(axes), curves.items(), strict=True):
        _draw_curve(panel, z, curve)
        panel.set_title(name)
    for panel in np.atleast_2d(axes)[-1]:
        panel.set_xlabel("z")
    handles, labels = np.ravel(axes)[0].get_legend_handles_labels()
    handles.append(Line2D([], [], color=plots.BLACK, marker="o", linestyle="none", markersize=7))
    labels.append("at a kink, by the formula")
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=13, frameon=False)
    figure.suptitle("Activation functions and their derivatives", fontsize=17)
    return figure


def _draw_curve(panel: Axes, z: np.ndarray, curve: Curve) -> None:
    lines = []
    for points, points_at_kinks, style, colour, marker, label in (
        (curve.value, curve.value_at_kinks, "-", plots.BLUE, "o", "value f(z)"),
        (curve.derivative, curve.derivative_at_kinks, "--", plots.VERMILION, "D", "derivative f'(z)"),
    ):
        line = points.copy()
        line[1:][np.abs(np.diff(line)) > 0.5] = np.nan  # a line breaks where it jumps
        panel.plot(z, line, style, color=colour, linewidth=2.4, label=label)
        panel.plot(curve.kinks, points_at_kinks, marker, color=colour, markersize=7)
        lines.append(line)
    # One scale for all that stay small, so that their slopes can be compared by eye.
    is_small = np.nanmax(np.abs(lines)) <= 1.5
    panel.set_ylim((-1.3, 1.3) if is_small else (-2.6, 8.2))
    peak = int(np.nanargmax(lines[1]))
    steepest = lines[1][peak]
    if 0 < steepest < 0.99:
        panel.annotate(
            f"{steepest:.2f}",
            (z[peak], steepest),
            (z[peak] - 0.8, -0.75),
            color=plots.VERMILION,
            ha="right",
            fontsize=14,
            arrowprops={"arrowstyle": "-", "color": plots.VERMILION},
        )
    panel.axhline(0, color=plots.BLACK, linewidth=0.8)


def softmax(
    logits: np.ndarray,
    probabilities: np.ndarray,
    jacobian: np.ndarray,
    last_logits: np.ndarray,
    moved_probabilities: np.ndarray,
) -> Figure:
    """Returns a figure of softmax: one output, its Jacobian, and all outputs while the last logit moves.

    Args:
        logits: (n,).
        probabilities: their softmax (n,).
        jacobian: the derivatives of the probabilities by the logits (n, n).
        last_logits: numbers for the last logit (m,), where the others stay.
        moved_probabilities: the softmax for each of them (m, n).
    """
    figure, axes = plots.subplots(1, 3, width=5.0, height=4.6)
    bars, heat, lines = np.ravel(axes)
    names = [f"a{i}" for i in range(1, len(logits) + 1)]
    last = f"z{len(logits)}"

    container = bars.bar(names, probabilities, color=list(plots.COLOURS[: len(names)]))
    bars.set_axisbelow(True)
    bars.bar_label(container, fmt="{:.2f}", fontsize=14, padding=2)
    bars.set(title=f"softmax([{', '.join(f'{z:g}' for z in logits)}])", ylabel="probability", ylim=(0, 1.12))

    _draw_jacobian(heat, jacobian)

    for name, probability, colour in zip(names, moved_probabilities.T, plots.COLOURS, strict=False):
        lines.plot(last_logits, probability, color=colour, label=name)
    lines.axvline(logits[-1], ymax=0.89, color=plots.BLACK, linestyle=":", linewidth=1.5)
    lines.set(title=f"{last} varies, the others are fixed", xlabel=last, ylabel="probability", ylim=(0, 1.12))
    lines.legend(ncols=4, fontsize=12, frameon=False, loc="upper center", columnspacing=1)
    figure.suptitle("Softmax: probabilities that add up to 1", fontsize=17)
    return figure


def _draw_jacobian(panel: Axes, jacobian: np.ndarray) -> None:
    """Draws da_i/dz_j (n, n) with its numbers, purple above 0 and orange below."""
    largest = 2 * float(np.abs(jacobian).max())  # pale enough for the numbers
    panel.imshow(jacobian, cmap="PuOr", vmin=-largest, vmax=largest)
    for (i, j), number in np.ndenumerate(jacobian):
        panel.text(j, i, f"{number:.3f}", ha="center", va="center", fontsize=13)
    numbers = range(1, len(jacobian) + 1)
    panel.set_xticks(range(len(jacobian)), [f"z{j}" for j in numbers])
    panel.set_yticks(range(len(jacobian)), [f"a{i}" for i in numbers])
    panel.set_title("Jacobian da_i / dz_j")
    panel.grid(False)


def limits(z: np.ndarray, stable: np.ndarray, naive: np.ndarray, gradients: Mapping[str, np.ndarray]) -> Figure:
    """Returns a figure of two limits: of the size of a number, and of the layers that a gradient flows back through.

    Args:
        z: (n,), in single precision.
        stable, naive: the sigmoid of z (n,), written so that e^z cannot overflow, and plainly: then it ends in NaN.
        gradients: the largest gradient behind 0, 1, 2, ... layers, by the names of the activation functions.
    """
    figure, axes = plots.subplots(1, 2, width=6.6, height=4.6)
    size, depth = np.ravel(axes)

    size.plot(z, stable, color=plots.SKY, linewidth=9, label="stable")
    size.plot(z, naive, color=plots.VERMILION, linewidth=2.5, label="e^z / (1 + e^z)")
    end = z[~np.isnan(naive)].max()
    size.axvline(end, color=plots.VERMILION, linestyle=":", linewidth=1.8)
    size.annotate(f"beyond z = {end:.1f}\nit is NaN", (end, 0.5), (end - 8, 0.5), ha="right", va="center")
    size.set(title="The sigmoid in single precision", xlabel="z", ylabel="a", ylim=(-0.05, 1.25))
    size.legend(loc="upper left", fontsize=13, frameon=False)

    for (name, gradient), colour, marker in zip(gradients.items(), plots.COLOURS, plots.MARKERS, strict=False):
        depth.plot(np.arange(len(gradient)), gradient, color=colour, marker=marker, label=name)
    depth.set(title="The largest possible gradient", xlabel="number of layers that it passes", yscale="log")
    depth.set(ylabel="gradient", ylim=(1e-7, 5))
    depth.legend(loc="lower left", fontsize=13, frameon=False)
    return figure
