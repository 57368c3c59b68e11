"""The plots of the lesson on PyTorch: tensors on their way, a checkpoint's place, dropout, a loss that broadcasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def shapes(stages: Mapping[str, np.ndarray]) -> Figure:
    """Returns a figure of a batch on its way through a network: each tensor with its name, its shape and its numbers.

    Args:
        stages: by its name each tensor, (n,) or (n, units). Numbers are written into those of up to seven columns.
    """
    tables = {name: values.reshape(len(values), -1) for name, values in stages.items()}
    widths = [max(2.0, table.shape[1]) * (1.0 if table.shape[1] <= 7 else 0.42) for table in tables.values()]
    figure, axes = plots.subplots(1, len(stages), width=2.5, height=5, width_ratios=widths)
    for panel, (name, table) in zip(axes[0], tables.items(), strict=True):
        is_one_axis = stages[name].ndim == 1
        largest = float(np.abs(table).max()) or 1.0
        shown = np.zeros_like(table) if is_one_axis else table
        panel.imshow(shown, cmap="PuOr", vmin=-largest, vmax=largest, aspect="auto")
        is_whole = np.all(table == table.round())
        for (row, column), value in np.ndenumerate(table if table.shape[1] <= 7 else table[:, :0]):
            text = f"{value:.0f}" if is_whole else f"{value:.1f}" if largest > 1 else f"{value:.2f}"
            color = "white" if abs(shown[row, column]) > 0.6 * largest else plots.BLACK
            panel.text(column, row, text, ha="center", va="center", color=color, fontsize=14)
        panel.set_title(f"{name}\n{stages[name].shape}", fontsize=15)
        panel.set(xticks=[], yticks=[])
        panel.grid(False)
    figure.suptitle("A batch on its way: the first axis counts the samples and stays as it is", fontsize=18)
    return figure


def checkpoint(curves: Mapping[str, Sequence[float]], epoch: int) -> Figure:
    """Returns a figure of losses, with the place of the checkpoint.

    Args:
        curves: by its name the loss of each epoch of a run; the first was not stopped, the others went on.
        epoch: after which the checkpoint was written.
    """
    figure, axes = plots.subplots(width=9, height=5)
    styles = [("-", 8, plots.SKY), ("--", 2.4, plots.BLACK), ("-", 2.2, plots.VERMILION), (":", 2.6, plots.GREEN)]
    first = next(iter(curves))
    for (name, losses), (line, width, color) in zip(curves.items(), styles, strict=False):
        start = epoch - 1 if name != first else 0
        label = f"resumed with {name}" if start else name
        epochs = np.arange(start + 1, len(losses) + 1)
        axes.plot(epochs, losses[start:], line, linewidth=width, color=color, label=label)
    axes.axvline(epoch, color="#777777", linewidth=1.4, linestyle="-.")
    axes.text(epoch + 0.15, max(curves[first]), "checkpoint", va="top", fontsize=13)
    axes.set(xlabel="epoch", ylabel="training loss (cross-entropy)", yscale="log")
    axes.set_title("Resuming: the same curve only if everything is restored")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=13)
    return figure


def dropout(passes: Mapping[str, tuple[np.ndarray, np.ndarray]], number: int) -> Figure:
    """Returns a figure of one number sent through a network again and again, in train() and in eval().

    Args:
        passes: by its mode, "train" and "eval", the outputs of dropout (passes, units) and the logits (passes, 2).
        number: the one that was sent.
    """
    figure, axes = plots.subplots(1, 3, width=5, height=4.4)
    largest = max(float(dropped.max()) for dropped, _ in passes.values()) or 1.0
    for panel, (mode, (dropped, _)) in zip(axes[0], passes.items(), strict=False):
        shown = panel.imshow(dropped[:8], cmap="Blues", vmin=0, vmax=largest, aspect="auto")
        panel.set(xlabel="hidden unit", ylabel="pass", title=f"net.{mode}()")
        panel.set(xticks=range(0, dropped.shape[1], 5), yticks=range(8), yticklabels=range(1, 9))
        panel.grid(False)
    figure.colorbar(shown, ax=list(axes[0][:2]), label="output of dropout", shrink=0.9)
    panel = axes[0][2]
    (_, noisy), (_, fixed) = passes["train"], passes["eval"]
    panel.hist(noisy[:, 1] - noisy[:, 0], bins=30, color=plots.ORANGE, label="train()")
    panel.axvline(float(fixed[0, 1] - fixed[0, 0]), color=plots.BLUE, linewidth=3, label="eval()")
    panel.axvline(0, color=plots.BLACK, linewidth=1, linestyle=":")
    panel.set(xlabel="logit of odd minus logit of even", ylabel="passes", title=f"{len(noisy)} passes of {number}")
    panel.set_axisbelow(True)
    panel.legend(fontsize=13, loc="upper left")
    figure.suptitle("The same number each time: dropout is at work in train() alone", fontsize=16)
    return figure


def broadcasting(predictions: np.ndarray, targets: np.ndarray) -> Figure:
    """Returns a figure of the squared errors (n, n) that a loss of shapes (n, 1) and (n,) averages, and of those meant.

    Args:
        predictions, targets: (n,) each.
    """
    from matplotlib.patches import Rectangle

    squared = (predictions[:, None] - targets) ** 2
    figure, axes = plots.subplots(width=6.6, height=5.4)
    axes.imshow(squared, cmap="Oranges", vmin=0, vmax=1.6 * squared.max())
    for (row, column), value in np.ndenumerate(squared):
        axes.text(column, row, f"{value:g}", ha="center", va="center", fontsize=15)
        if row == column:
            cell = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=plots.BLUE, linewidth=3)
            axes.add_patch(cell)
    ticks = range(len(targets))
    axes.set_xticks(ticks, [f"{target:g}" for target in targets])
    axes.set_yticks(ticks, [f"{prediction:g}" for prediction in predictions])
    axes.set(xlabel=f"targets {targets.shape}", ylabel=f"predictions ({len(predictions)}, 1)")
    meant = np.diag(squared).mean()
    axes.set_title(f"MSELoss takes the mean of all: {squared.mean():g}\nthe intended mean, of the blue ones: {meant:g}")
    axes.grid(False)
    return figure
