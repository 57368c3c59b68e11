"""The plots of the lesson `forecasting`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.plots import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"naive": "naive", "seasonal_naive": "seasonal naive", "linear": "linear model", "lstm": "LSTM"}
COLORS = {"naive": plots.ORANGE, "seasonal_naive": plots.PURPLE, "linear": plots.GREEN, "lstm": plots.BLUE}
MAX_SHOWN = 10  # forecasts of the whole horizon


def forecasts(
    dates: np.ndarray,
    values: np.ndarray,
    made: Mapping[str, np.ndarray],
    name: str,
    titles: tuple[str, str, int],
) -> Figure:
    """Returns forecasts and truth of the test part, one step ahead and over the whole horizon.

    Args:
        dates, values: of the test part (rows,).
        made: the forecasts (windows, horizon), each made at the row of its number.
        name: of what is forecast.
        titles: one step and the horizon in words ("1 month", "12 months"), and the values of a window.
    """
    step, several, window = titles
    count, horizon = made["lstm"].shape
    figure, ((above,), (below,)) = plots.subplots(2, 1, width=13, height=4.2)
    above.plot(dates[:count], values[:count], color=plots.BLACK, linewidth=1.5, label="truth")
    above.plot(dates[:count], made["lstm"][:, 0], color=plots.BLUE, linewidth=1.2, label="LSTM")
    above.set(title=f"The test part, {step} ahead: each value from the {window} before it", ylabel=name)
    starts = np.arange(0, count, horizon)[-MAX_SHOWN:]
    shown = slice(starts[0], starts[-1] + horizon)
    below.plot(dates[shown], values[shown], color=plots.BLACK, linewidth=1.5, label="truth")
    for kind in ("naive", "linear", "lstm"):
        for start in starts:
            label = NAMES[kind] if start == starts[0] else None
            ahead = dates[start : start + horizon]
            below.plot(ahead, made[kind][start], ".-", color=COLORS[kind], linewidth=2.2, label=label)
    below.set(title=f"{several} ahead: a new forecast where the last one ends", xlabel="date", ylabel=name)
    for panel in (above, below):
        panel.legend(ncols=4, loc="upper left", frameon=True)
    return figure


def errors(losses: Mapping[str, Sequence[float]], by_step: Mapping[str, np.ndarray], name: str, step: str) -> Figure:
    """Returns the losses of the training, and how the errors grow with the steps ahead.

    Args:
        losses: of each epoch, on the training and on the validation part.
        by_step: for each forecast its root mean squared error by the number of steps ahead (horizon,).
        name: of what is forecast.
        step: one step in words: "month".
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7)
    curves = {part: (range(1, len(values) + 1), values) for part, values in losses.items()}
    charts.draw_curves(left, curves, y="mean squared error, scaled", title="Training the LSTM", logarithmic=True)
    for (kind, values), marker in zip(by_step.items(), plots.MARKERS, strict=False):
        right.plot(np.arange(1, len(values) + 1), values, color=COLORS[kind], marker=marker, label=NAMES[kind])
    right.set(xlabel=f"steps ahead (a step: {step})", ylabel=f"RMSE ({name})", title="Errors on the test part")
    right.set_ylim(bottom=0)
    right.legend()
    return figure
