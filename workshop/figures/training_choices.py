"""The plots of the lesson `training_choices`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def descents(
    cost: Callable[[np.ndarray], np.ndarray],
    paths: Mapping[str, np.ndarray],
    errors: Mapping[str, Sequence[float]],
    best: np.ndarray,
    lowest: float,
) -> Figure:
    """Returns the paths of three descents on the contours of the same cost, and the errors after every epoch.

    Args:
        cost: from a weight and a bias (..., 2) to the cost (...).
        paths: for each descent its weights after every step (steps + 1, 2).
        errors: for each descent its error after every epoch, the start included.
        best: the weights of the smallest cost (2,).
        lowest: the error of these.
    """
    figure, axes = plots.subplots(2, 2, width=6.4, height=4.6)
    panels = axes.ravel()
    points = np.concatenate([*paths.values(), best[None]])
    low, high = points.min(axis=0), points.max(axis=0)
    axes_values = [
        np.linspace(a, b, 120) for a, b in zip(low - 0.1 * (high - low), high + 0.1 * (high - low), strict=True)
    ]
    above = cost(np.stack(np.meshgrid(*axes_values), axis=-1)) - cost(best)
    for panel, (name, path), colour in zip(panels, paths.items(), plots.COLOURS, strict=False):
        # Each contour is twice as far above the minimum as the one before: even steps would show nothing near it.
        panel.contour(*axes_values, above, above.max() / 2.0 ** np.arange(12, 0, -1), cmap="Greys_r", linewidths=0.9)
        # Thousands of steps are a scribble; a few are worth a dot each.
        is_long = len(path) > 1000
        width, size = (0.7, 0) if is_long else (1.6, 5)
        panel.plot(*path.T, ".-", color=colour, linewidth=width, markersize=size, alpha=0.7 if is_long else 1)
        panel.plot(*path[0], "s", color=plots.BLACK, markersize=8, label="start")
        panel.plot(*path[-1], "D", color=plots.ORANGE, markersize=9, markeredgecolor="white", label="end", zorder=4)
        panel.plot(*best, "*", color=plots.BLACK, markersize=15, markeredgecolor="white", label="minimum", zorder=3)
        panel.set(xlabel="weight", ylabel="bias", title=f"{name}: {len(path) - 1:,} steps")
        panel.grid(False)
    panels[0].legend(fontsize=12, frameon=True, loc="upper right")
    curves = {name: (range(len(values)), np.array(values) - lowest) for name, values in errors.items()}
    charts.draw_curves(
        panels[3], curves, y="RMSE above the smallest (1,000 pesos)", title="The same epochs", logarithmic=True
    )
    return figure


def learning_rates(losses: Mapping[float, Sequence[float]], errors: Mapping[float, float], chosen: float) -> Figure:
    """Returns the losses at each learning rate, and the error on the validation rows by learning rate.

    Args:
        losses: in each epoch, by the rates.
        errors: on the validation rows, of the rates that did not diverge.
        chosen: the rate with the smallest.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.6)
    curves = {f"rate {rate:g}": (range(1, len(values) + 1), values) for rate, values in losses.items()}
    charts.draw_curves(left, curves, y="mean squared error", title="On the training rows", logarithmic=True)
    # A loss that diverges leaves the panel at its top.
    left.set_ylim(top=3 * max(next(iter(losses.values()))[0], 1e-9))
    rates = sorted(errors)
    right.plot(rates, [errors[rate] for rate in rates], "o-", color=plots.BLUE, markersize=8, label="after training")
    mark = {"color": plots.VERMILION, "markersize": 18, "markeredgecolor": "white"}
    right.plot(chosen, errors[chosen], "*", **mark, label=f"chosen: {chosen:g}")
    for rate in losses.keys() - errors.keys():
        right.axvline(rate, color=plots.BLACK, linestyle="--", linewidth=2, label=f"diverged: {rate:g}")
    right.set(xscale="log", xlabel="learning rate", ylabel="RMSE (1,000 pesos)", title="On the validation rows")
    right.legend(fontsize=13, frameon=False)
    return figure


def early_stopping(losses: Sequence[float], validation_losses: Sequence[float], best_epoch: int) -> Figure:
    """Returns the training error and the validation error in each epoch, with the epoch whose weights were kept."""
    figure, axes = plots.subplots(width=11.5, height=5)
    epochs = range(1, len(losses) + 1)
    axes.plot(epochs, np.sqrt(losses), color=plots.BLUE, label="training rows")
    axes.plot(epochs, np.sqrt(validation_losses), color=plots.VERMILION, label="validation rows")
    axes.axvline(best_epoch, color=plots.BLACK, linestyle="--", linewidth=1.5)
    best = float(np.sqrt(validation_losses[best_epoch - 1]))
    mark = {"color": plots.BLACK, "markersize": 18, "markeredgecolor": "white"}
    axes.plot(best_epoch, best, "*", **mark, label=f"kept: epoch {best_epoch}")
    title = f"Stopped after epoch {len(losses)}, the weights of epoch {best_epoch} restored"
    axes.set(xlabel="epoch", ylabel="RMSE (1,000 pesos)", title=title, ylim=(0, 2.5 * best))
    axes.legend(fontsize=13, frameon=False)
    return figure
