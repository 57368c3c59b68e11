"""The plot of the lesson `text_generation`: the training, the model against counting, and the next character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 8  # characters, the likeliest


def overview(
    curve: tuple[Sequence[float], Sequence[float]],
    rows: Sequence[tuple[str, float]],
    probabilities: Mapping[float, np.ndarray],
    names: Sequence[str],
    start: str,
) -> Figure:
    """Returns the training curve, the bits per character of all models, and the probabilities of one next character.

    Args:
        curve: the epochs passed and the bits per character then.
        rows: the names of the models and their bits per character on the held-out text, the trained model last.
        probabilities: of the character after `start` (characters,), by temperature.
        names: of the characters.
        start: the text before it.
    """
    figure, ((left, middle, right),) = plots.subplots(1, 3)
    charts.draw_curves(left, {"LSTM": curve}, y="bits per character, training", title="Training")
    epochs, bits = curve
    left.plot(epochs[-1], bits[-1], "o", color=plots.BLUE)  # a short training has no other point

    positions = np.arange(len(rows))
    colours = [*[plots.SKY] * (len(rows) - 1), plots.BLUE]
    middle.barh(positions, [value for _, value in rows], color=colours)
    middle.set_yticks(positions, [name.partition(":")[0] for name, _ in rows])
    middle.invert_yaxis()
    for position, (_, value) in zip(positions, rows, strict=True):
        middle.text(value, position, f" {value:.2f}", va="center")
    middle.set(xlabel="bits per character, held-out text", title="By the information used")
    middle.set_xlim(0, 1.2 * rows[0][1])
    middle.set_axisbelow(True)

    likeliest = np.argsort(-next(iter(probabilities.values())))[:SHOWN]
    width = 0.8 / len(probabilities)
    for i, ((temperature, values), colour) in enumerate(zip(probabilities.items(), plots.COLOURS, strict=False)):
        at = np.arange(len(likeliest)) + width * (i - (len(probabilities) - 1) / 2)
        right.bar(at, values[likeliest], width, color=colour, label=f"temperature {temperature:g}")
    right.set_xticks(range(len(likeliest)), ["space" if names[i] == " " else names[i] for i in likeliest])
    right.set(xlabel="next character", ylabel="probability", title=f"After {start!r}")
    right.set_axisbelow(True)
    right.legend(fontsize=13, frameon=False)
    return figure
