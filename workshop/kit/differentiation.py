"""What a lesson on derivatives needs beside its own: those that Keras and PyTorch find, and its figures."""

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import plots
from workshop.kit.lazy import keras, tensorflow, torch

Differentiate = Callable[[Callable[[Any], Any], np.ndarray], tuple[np.ndarray, np.ndarray]]


def by_torch(function: Callable[[Any], Any], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns f(z) and the gradient of its sum by PyTorch's autograd.

    Where each output depends on its own z alone, the gradient of the sum holds the derivative of each.

    Args:
        function: from a tensor to a tensor.
        z: float32 or float64, of any shape.
    """
    inputs = torch.tensor(z, requires_grad=True)
    a = function(inputs)
    if not a.requires_grad:  # a comparison (z >= 0) has no derivative that PyTorch knows: nothing flows back
        return np.asarray(a), np.zeros_like(z)
    return np.asarray(a.detach()), np.asarray(torch.autograd.grad(a.sum(), inputs)[0])


def by_keras(function: Callable[[Any], Any], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same of a function in Keras: by TensorFlow's tape or, where Keras runs on it, by PyTorch."""
    if keras.backend.backend() == "torch":
        return by_torch(function, z)
    inputs = tensorflow.constant(z)
    with tensorflow.GradientTape() as tape:
        tape.watch(inputs)
        a = function(inputs)
    gradient = tape.gradient(a, inputs)  # of the sum of a; None where nothing flows back
    return a.numpy(), np.zeros_like(z) if gradient is None else gradient.numpy()


def find_libraries() -> dict[str, Differentiate]:
    """Returns the libraries that are here, by the names of their modules, and says which one is not."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    found: dict[str, Differentiate] = {}
    if backend not in ("tensorflow", "torch"):
        print(f"Keras runs on {backend} here, and its derivatives are not taken there: its column is left out.")
    elif any(importlib.util.find_spec(name) is None for name in ("keras", backend)):
        print("Keras is not installed: its column is left out.")
    else:
        found["keras"] = by_keras
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: its column is left out.")
    else:
        found["torch"] = by_torch
    return found


class Curve(NamedTuple):
    """A function to draw.

    Attributes:
        value, slope: from z (n,) to f(z) and f'(z), (n,) each.
        kinks: the z where the slope, or the value itself, jumps.
    """

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    kinks: Sequence[float]


def curve_grid(curves: Mapping[str, Curve], heading: str, columns: int = 5) -> Any:
    """Returns a figure of functions by their names, each with its slope, and dots for what is answered at its kinks."""
    from matplotlib.lines import Line2D

    rows = -(-len(curves) // columns)
    figure, axes = plots.subplots(rows, columns, width=3.2, height=3.2, sharex=True)
    z = np.linspace(-4, 8, 1200)
    for panel, (name, curve) in zip(np.ravel(axes), curves.items(), strict=True):
        lines = []
        for function, style, colour, mark, label in (
            (curve.value, "-", plots.BLUE, "o", "value f(z)"),
            (curve.slope, "--", plots.VERMILION, "D", "derivative f'(z)"),
        ):
            line = function(z)
            line[1:][np.abs(np.diff(line)) > 0.5] = np.nan  # a line breaks where it jumps
            panel.plot(z, line, style, color=colour, linewidth=2.4, label=label)
            panel.plot(curve.kinks, function(np.array(curve.kinks, float)), mark, color=colour, markersize=7)
            lines.append(line)
        # One scale for all that stay small, so that their slopes can be compared by eye.
        is_small = np.nanmax(np.abs(lines)) <= 1.5
        panel.set(title=name, ylim=(-1.3, 1.3) if is_small else (-2.6, 8.2))
        peak = int(np.argmax(np.nan_to_num(lines[1])))
        if 0 < lines[1][peak] < 0.99:
            text, top = f"{lines[1][peak]:.2f}", (z[peak], lines[1][peak])
            arrow = {"arrowstyle": "-", "color": plots.VERMILION}
            panel.annotate(
                text, top, (z[peak] - 0.8, -0.75), color=plots.VERMILION, ha="right", fontsize=14, arrowprops=arrow
            )
        panel.axhline(0, color=plots.BLACK, linewidth=0.8)
    for panel in np.atleast_2d(axes)[-1]:
        panel.set_xlabel("z")
    handles, labels = np.ravel(axes)[0].get_legend_handles_labels()
    dots = Line2D([], [], color=plots.BLACK, marker="o", linestyle="none", markersize=7)
    figure.legend(
        [*handles, dots],
        [*labels, "the formula's answer at a kink"],
        loc="outside lower center",
        ncols=3,
        fontsize=13,
        frameon=False,
    )
    figure.suptitle(heading, fontsize=17)
    return figure


def draw_jacobian(panel: Any, matrix: np.ndarray, title: str) -> None:
    """Draws da_i/dz_j (n, n) with its numbers, purple above 0 and orange below."""
    largest = 2 * float(np.abs(matrix).max())  # pale enough for the numbers
    panel.imshow(matrix, cmap="PuOr", vmin=-largest, vmax=largest)
    for (i, j), number in np.ndenumerate(matrix):
        panel.text(j, i, f"{number:.3f}", ha="center", va="center", fontsize=13)
    names = range(1, len(matrix) + 1)
    panel.set_xticks(range(len(matrix)), [f"z{j}" for j in names])
    panel.set_yticks(range(len(matrix)), [f"a{i}" for i in names])
    panel.set(title=title)
    panel.grid(False)


def softmax_figure(
    logits: np.ndarray,
    softmax: Callable[[np.ndarray], np.ndarray],
    jacobian: Callable[[np.ndarray], np.ndarray],
) -> Any:
    """Returns a figure of softmax: one answer, its Jacobian, and what happens to all outputs when one z moves.

    Args:
        logits: (n,); the last one moves.
        softmax: from (..., n) to the shares (..., n).
        jacobian: from the shares (n,) to their derivatives by the logits (n, n).
    """
    answers = softmax(logits)
    moved = np.tile(logits, (200, 1))
    moved[:, -1] = np.linspace(-4, 10, 200)
    figure, axes = plots.subplots(1, 3, width=5.0, height=4.6)
    bars, heat, lines = np.ravel(axes)
    names = [f"a{i}" for i in range(1, len(logits) + 1)]
    drawn = bars.bar(names, answers, color=list(plots.COLOURS[: len(names)]))
    bars.set_axisbelow(True)
    bars.bar_label(drawn, fmt="{:.2f}", fontsize=14, padding=2)
    said = ", ".join(f"{z:g}" for z in logits)
    bars.set(title=f"softmax([{said}])", ylabel="share", ylim=(0, 1.12))
    draw_jacobian(heat, jacobian(answers), "Jacobian da_i / dz_j")
    for name, share, colour in zip(names, softmax(moved).T, plots.COLOURS, strict=False):
        lines.plot(moved[:, -1], share, color=colour, label=name)
    lines.axvline(logits[-1], ymax=0.89, color=plots.BLACK, linestyle=":", linewidth=1.5)
    lines.set(title=f"z{len(names)} moves, the others stay", xlabel=f"z{len(names)}", ylabel="share", ylim=(0, 1.12))
    lines.legend(ncols=4, fontsize=12, frameon=False, loc="upper center", columnspacing=1)
    figure.suptitle("Softmax: shares of one whole", fontsize=17)
    return figure


def limits_figure(
    z: np.ndarray, sigmoids: Mapping[str, np.ndarray], steepest: Mapping[str, float], layers: int = 10
) -> Any:
    """Returns a figure of two limits: of a number's size, and of the layers that an error comes through.

    Args:
        z: (n,).
        sigmoids: ways to compute the same (n,), by their names; the first one is drawn broad beneath the others.
        steepest: the largest slopes of functions, by their names.
        layers: how many.
    """
    figure, axes = plots.subplots(1, 2, width=6.6, height=4.6)
    size, depth = np.ravel(axes)
    styles: Sequence[tuple[str, str, float]] = (
        (plots.SKY, "-", 9), (plots.VERMILION, "-", 2.5), (plots.BLACK, "--", 2.0),
    )  # fmt: skip
    for (name, values), (colour, line, width) in zip(sigmoids.items(), styles, strict=False):
        size.plot(z, values, line, color=colour, linewidth=width, label=name)
        lost = np.isnan(values)
        if lost.any():
            edge = z[~lost].max() if lost[-1] else z[~lost].min()
            size.axvline(edge, color=plots.VERMILION, linestyle=":", linewidth=1.8)
            size.annotate(f"beyond z = {edge:.1f}\nit is NaN", (edge, 0.5), (edge - 8, 0.5), ha="right", va="center")
    size.set(title="The sigmoid in single precision", xlabel="z", ylabel="a", ylim=(-0.05, 1.25))
    size.legend(loc="upper left", fontsize=13, frameon=False)
    for (name, slope), colour, marker in zip(steepest.items(), plots.COLOURS, plots.MARKERS, strict=False):
        steps = np.arange(layers + 1)
        depth.plot(steps, slope**steps, color=colour, marker=marker, label=name)
    depth.set(title="What is left of an error, at best", xlabel="layers that it came back through", yscale="log")
    depth.set(ylabel="share", ylim=(1e-7, 5))
    depth.legend(loc="lower left", fontsize=13, frameon=False)
    return figure
