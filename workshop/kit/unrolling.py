"""A recurrent network unrolled over its steps: an LSTM as with pencil and paper, and the figures of its lesson.

The figures show how far back a gradient reaches, how the cells learn, and what a network thinks after each row of an
image. That its layers compute the same in every engine is checked in `cell_engines`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import metrics, plots
from workshop.kit.plots import charts


def lstm_table(inputs: Sequence[float], weights: Mapping[str, Sequence[float]]) -> str:
    """Returns a table of an LSTM of one unit, every number beside what it is made of.

    Args:
        inputs: one number a step.
        weights: W, U and b of the gates i, f and o and the candidate g.
    """
    rows: list[list[object]] = []
    h = c = 0.0
    for step, x in enumerate(inputs, 1):
        gates = {}
        for name, (W, U, b) in weights.items():
            net = x * W + h * U + b
            gates[name] = math.tanh(net) if name == "g" else 1 / (1 + math.exp(-net))
            function = "tanh" if name == "g" else "s"
            terms = f"{function}({x:g} * {W:g} + {h:.4f} * {U:g} + {b:g}) = {function}({net:.4f})"
            rows.append([step, name, f"{function}(x W + h U + b)", terms, f"{gates[name]:.4f}"])
        i, f, g, o = (gates[name] for name in "ifgo")
        terms, c = f"{f:.4f} * {c:.4f} + {i:.4f} * {g:.4f}", f * c + i * g
        rows.append([step, "c", "f c + i g", terms, f"{c:.4f}"])
        h = o * math.tanh(c)
        rows.append([step, "h", "o tanh(c)", f"{o:.4f} * tanh({c:.4f})", f"{h:.4f}"])
    return metrics.table(["step", "", "", "s: sigmoid", "value"], rows)


def beliefs(network: Any, X: np.ndarray) -> np.ndarray:
    """Returns how likely a network takes each class to be, after each row of X: (images, rows, classes).

    One that answers from its last state is asked to answer from each of its states. To one that answers from all
    together, the rows that it has not read yet are given as zeros.

    Args:
        network: of the NumPy engine: recurrent layers, a Flatten layer or none, a Dense layer.
        X: (images, rows, columns), pixels from 0 to 1.
    """
    *recurrent, dense = [layer for layer in network.layers if layer.parameters]
    is_last = not recurrent[-1].return_sequences
    recurrent[-1].return_sequences = True
    states = X
    for layer in recurrent:
        states = layer.forward(states)
    recurrent[-1].return_sequences = not is_last
    if is_last:
        return np.asarray(dense.forward(states))
    images, rows, units = states.shape
    read = np.tril(np.ones((rows, rows), X.dtype))[:, :, None]
    return np.asarray(dense.forward((states[:, None] * read).reshape(images, rows, rows * units)))


def gradient_figure(fading: Mapping[str, np.ndarray], losses: Mapping[str, Sequence[float]]) -> Any:
    """Returns a figure: how much of the gradient arrives how many steps back, and what clipping does where it grows.

    Args:
        fading: for each cell the gradient's norm by distance (steps,), 1 at the last step.
        losses: by the name of the run; a loss that is no longer finite ends its curve.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7.2, height=5)
    for (name, norms), colour, marker in zip(fading.items(), plots.COLOURS, plots.MARKERS, strict=False):
        left.plot(norms, color=colour, marker=marker, markevery=(12, 25), markersize=8, label=name)
    left.set_yscale("log")
    left.set(xlabel="steps back from the end", ylabel="norm of the gradient (at the end: 1)")
    left.set(title="How far back does the blame reach?")
    left.legend(fontsize=12, frameon=False, loc="lower left")
    top = 1e4 * max(value for values in losses.values() for value in values if np.isfinite(value))
    for (name, values), colour, marker in zip(losses.items(), (plots.VERMILION, plots.BLUE), ("X", "o"), strict=True):
        is_lost = not np.isfinite(values[-1])
        label = f"gradient {name}" + f": no number at step {len(values) - 1}" * is_lost
        marks = {"marker": marker, "markevery": 1 if is_lost else 10, "markersize": 9}
        shown = np.where(np.isfinite(values), values, top)
        right.plot(shown, color=colour, linestyle="--" if is_lost else "-", label=label, **marks)
    right.set_yscale("log")
    right.set(
        xlabel="training step", ylabel="loss (mean squared error)", title="relu, U = 1.1 I: clipping the gradient"
    )
    right.legend(fontsize=12, frameon=False)
    return figure


def comparison_figure(histories: Mapping[str, Any], accuracies: Mapping[str, float], heading: str) -> Any:
    """Returns a figure: how the cells learned, and how many of the test images they have wrong."""
    figure, ((left, right),) = plots.subplots(1, 2, width=6.5)
    charts.draw_losses(left, histories, y="training loss (cross-entropy)", title="Learning")
    wrong = [100 * (1 - accuracy) for accuracy in accuracies.values()]
    bars = right.bar(range(len(wrong)), wrong, 0.6, color=plots.COLOURS[: len(wrong)])
    right.bar_label(bars, [f"{one:.2f} %" for one in wrong], padding=3, fontsize=14)
    right.set_xticks(range(len(wrong)), list(accuracies))
    right.set(ylabel="test images wrong (%)", title="Mistakes")
    right.margins(x=0.3 if len(wrong) == 1 else 0.05, y=0.15)
    right.set_axisbelow(True)
    right.grid(axis="x", visible=False)
    figure.suptitle(heading, fontsize=16)
    return figure


def belief_figure(
    images: np.ndarray, beliefs: Mapping[str, np.ndarray], labels: np.ndarray, classes: Sequence[str]
) -> Any:
    """Returns a figure: images as they are read from the top, and beside each row what a network then thinks.

    Args:
        images: (samples, rows, columns).
        beliefs: for each cell the probabilities after each row (samples, rows, classes).
        labels: the true classes (samples,).
        classes: their names.
    """
    figure, axes = plots.subplots(len(images), 1 + len(beliefs), width=3.3, height=3.2, sharey=True)
    axes = np.reshape(axes, (len(images), 1 + len(beliefs)))
    for i, (panels, image, label) in enumerate(zip(axes, images, labels, strict=True)):
        panels[0].imshow(image, cmap="gray_r", aspect="auto")
        panels[0].set(title=f"a {classes[label]}", ylabel="rows read", xlabel="pixel")
        for panel, (name, probabilities) in zip(panels[1:], beliefs.items(), strict=True):
            shade = panel.imshow(probabilities[i], cmap="Blues", vmin=0, vmax=1, aspect="auto")
            panel.set(title=name, xlabel="which digit?")
            panel.set_xticks(range(len(classes)), classes)
        for panel in panels:
            panel.grid(False)
    bar = figure.colorbar(shade, ax=list(axes.flat), ticks=[0, 0.5, 1], fraction=0.03, pad=0.01)
    bar.set_label("probability", size=14)
    figure.suptitle("What the networks think of a digit after each of its rows", fontsize=16)
    return figure
