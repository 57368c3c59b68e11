"""Figures of gradient descent: lines and how they are learned, ways down a bowl, learning rates, early stopping."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts, contours
from workshop.kit.training.history import History


def parabola_and_line(
    paths: Mapping[int, Sequence[float]],
    x_values: np.ndarray,
    y_values: np.ndarray,
    weight: float,
    bias: float,
    history: History,
) -> Any:
    """Returns a figure of descents on a parabola, of points with the line through them, and of how that was learned.

    Args:
        paths: by where they start, the places after every step.
        x_values, y_values: the points (n,).
        weight, bias: of the line.
        history: of the training.
    """
    figure, ((left, middle, right),) = plots.subplots(1, 3)
    walks = {f"from {start}": (range(len(path)), path) for start, path in paths.items()}
    charts.draw_curves(left, walks, x="step", y="x", title="Descent on 2(x - 5)² + 3")
    charts.draw_line(middle, x_values, y_values, weight, bias, title="The line that the neuron found")
    charts.draw_losses(right, {"neuron": history}, y="mean squared error", title="Learning the line")
    return figure


def line_and_bowl(
    x_values: np.ndarray,
    y_values: np.ndarray,
    history: History,
    cost: Callable[[np.ndarray], np.ndarray],
    path: np.ndarray,
    guesses: np.ndarray,
    best: np.ndarray,
    *,
    x: str,
    y: str,
) -> Any:
    """Returns a figure of a fitted line, how its loss fell, and its way down the bowl of the cost.

    Args:
        x_values, y_values: the data (rows, 1) and (rows,).
        history: of the training.
        cost: from a weight and a bias (..., 2) to the cost (...).
        path: the weights on the way (n, 2); the last ones are the line's.
        guesses: weights chosen by hand (m, 2).
        best: the weights of the normal equation (2,).
        x, y: what the axes of the data are called.
    """
    figure, ((left, middle, right),) = plots.subplots(1, 3)
    charts.draw_line(left, x_values[:, 0], y_values, *path[-1], x=x, y=y, title="The fitted line")
    middle.axhline(cost(best), color=plots.VERMILION, linestyle="--", label="normal equation")
    charts.draw_losses(middle, {"neuron": history}, y="mean squared error", title="Learning the prices")
    middle.set_xscale("log")
    points = {"by hand": guesses, "normal equation": best[None]}
    contours.draw_bowl(right, cost, {"training": path}, points, x="weight w", y="bias b", title="The cost")
    return figure


def unscaled_and_scaled(
    histories: Mapping[str, History], pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], of: str
) -> Any:
    """Returns a figure of how the loss of several neurons fell or rose, and of what the last one predicts.

    Args:
        histories: of the trainings, by the names of the neurons; the last one's loss says how high the panel is.
        pairs: what `charts.draw_predictions` takes.
        of: what is predicted.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    charts.draw_losses(left, histories, y="mean squared error", title="Unscaled and scaled")
    # What diverges leaves the picture through its top.
    first = list(histories.values())[-1].fine["loss"][0]
    left.set(xscale="log", ylim=(None, 30 * max(first, 1e-9)))
    charts.draw_predictions(right, pairs, of=of, title="Predicted by the scaled neuron")
    return figure


def ways_down(
    cost: Callable[[np.ndarray], np.ndarray],
    paths: Mapping[str, np.ndarray],
    errors: Mapping[str, Sequence[float]],
    best: np.ndarray,
    lowest: float,
) -> Any:
    """Returns a figure of three descents: each one's way down the same bowl, and the errors after every epoch.

    Args:
        cost: from a weight and a bias (..., 2) to the cost (...).
        paths: for each descent its weights after every step (steps + 1, 2).
        errors: for each descent its error after every epoch, the start included.
        best: the weights at the bottom (2,).
        lowest: the error there.
    """
    figure, axes = plots.subplots(2, 2, width=6.4, height=4.6)
    panels = axes.ravel()
    everything = np.concatenate([*paths.values(), best[None]])
    low, high = everything.min(axis=0), everything.max(axis=0)
    sides = [np.linspace(a, b, 120) for a, b in zip(low - 0.1 * (high - low), high + 0.1 * (high - low), strict=True)]
    above = cost(np.stack(np.meshgrid(*sides), axis=-1)) - cost(best)
    for panel, (name, path), colour in zip(panels, paths.items(), plots.COLOURS, strict=False):
        # Each contour is twice as high above the bottom as the one before: even steps would show nothing near it.
        panel.contour(*sides, above, above.max() / 2.0 ** np.arange(12, 0, -1), cmap="Greys_r", linewidths=0.9)
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
    charts.draw_curves(panels[3], curves, y="RMSE above the smallest", title="The same epochs", logarithmic=True)
    return figure


def learning_rates(histories: Mapping[float, History], errors: Mapping[float, float], chosen: float) -> Any:
    """Returns a figure of how each learning rate learned, and of the error on the validation rows by learning rate.

    Args:
        histories: of the trainings, by their rates.
        errors: on the validation rows, of the rates that did not diverge.
        chosen: the rate with the smallest.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.6)
    losses = {f"rate {rate:g}": (history.at, history.fine["loss"]) for rate, history in histories.items()}
    charts.draw_curves(left, losses, y="mean squared error", title="On the training rows", logarithmic=True)
    first = next(iter(histories.values())).fine["loss"][0]
    # What diverges leaves the picture through its top.
    left.set_ylim(top=3 * max(first, 1e-9))
    rates = sorted(errors)
    right.plot(rates, [errors[rate] for rate in rates], "o-", color=plots.BLUE, markersize=8, label="arrived at")
    mark = {"color": plots.VERMILION, "markersize": 18, "markeredgecolor": "white"}
    right.plot(chosen, errors[chosen], "*", **mark, label=f"chosen: {chosen:g}")
    for rate in histories.keys() - errors.keys():
        right.axvline(rate, color=plots.BLACK, linestyle="--", linewidth=2, label=f"diverged: {rate:g}")
    right.set(xscale="log", xlabel="learning rate", ylabel="RMSE", title="On the validation rows")
    right.legend(fontsize=13, frameon=False)
    return figure


def early_stopping(history: History) -> Any:
    """Returns a figure of the training error and the validation error of a run, with the epoch that was kept."""
    figure, axes = plots.subplots(width=11.5, height=5)
    epochs = range(1, history.finished + 1)
    errors = {name: np.sqrt(history.epochs[name]) for name in ("loss", "val_loss")}
    axes.plot(epochs, errors["loss"], color=plots.BLUE, label="training rows")
    axes.plot(epochs, errors["val_loss"], color=plots.VERMILION, label="validation rows")
    axes.axvline(history.best_epoch, color=plots.BLACK, linestyle="--", linewidth=1.5)
    best = errors["val_loss"][history.best_epoch - 1]
    mark = {"color": plots.BLACK, "markersize": 18, "markeredgecolor": "white"}
    axes.plot(history.best_epoch, best, "*", **mark, label=f"kept: epoch {history.best_epoch}")
    title = f"Stopped after epoch {history.finished}, the weights of epoch {history.best_epoch} put back"
    axes.set(xlabel="epoch", ylabel="RMSE", title=title, ylim=(0, 2.5 * best))
    axes.legend(fontsize=13, frameon=False)
    return figure
