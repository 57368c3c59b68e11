"""Windows of a series: so many values in a row, and the values after them that a network learns to forecast.

A `Series` of `series` is parted in the order of time into what is learned from, validated on and tested on, and each
part gives its windows. A saved model then forecasts what comes after a window that it is given.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.kit.data.series import Series
from workshop.kit.errors import WorkshopError
from workshop.kit.saving.loaded import Bundle

FEWEST_WINDOWS = 8  # to train on
WINDOW, HORIZON = 60, 12  # less for a short series


def make_windows(values: np.ndarray, first: int, last: int, window: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns every forecast that can be made of the rows from `first` up to, but not including, `last`.

    Args:
        values: the whole series (rows,).
        first, last: all that is to be forecast lies between them; what it is forecast from may lie before.
        window: how many values a forecast is made from.
        horizon: how many values are forecast.

    Returns:
        X (forecasts, window), and y (forecasts, horizon) with the values that come right after.
    """
    start = max(first - window, 0)
    both = sliding_window_view(values[start:last], window + horizon)
    return both[:, :window], both[:, window:]


@dataclass(frozen=True)
class Task:
    """A series parted in the order of time, and its windows.

    Attributes:
        series: the whole of it.
        window, horizon: how many values go in, and how many come out.
        season: of the seasonal naive forecast, in steps; 0 for none.
        ends: where training, validation and test part end, as numbers of rows.
        windows: for each part, X (windows, window) and y (windows, horizon) in the unit of the series.
        scaler: scikit-learn's MinMaxScaler, fitted on the training part.
    """

    series: Series
    window: int
    horizon: int
    season: int
    ends: dict[str, int]
    windows: dict[str, tuple[np.ndarray, np.ndarray]]
    scaler: Any

    def scaled(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the network gets: X (windows, window, 1), and y as changes since the window's last value.

        A change of 0 is the naive forecast: the network starts from it, and a trend that leaves the range of the
        training part takes the forecasts with it.
        """
        X, y = self.windows[part]
        changes = (y - X[:, -1:]) * self.scaler.scale_
        return self.scaler.transform(X.reshape(-1, 1)).reshape(*X.shape, 1), changes.astype(np.float32)


def prepare(found: Series, window: int | None, horizon: int | None, season: int | None) -> Task:
    """Parts a series 70:10:20 in the order of time, fits the scaler on the past, and makes the windows.

    A part has the windows whose targets lie in it. What such a window is forecast from may lie before, never after.

    Raises:
        WorkshopError: the series is too short for these numbers, or does not change while it is learned from.
    """
    from sklearn.preprocessing import MinMaxScaler

    rows = len(found.values)
    ends = {"train": 7 * rows // 10, "validation": 8 * rows // 10, "test": rows}
    window, horizon = window or min(WINDOW, rows // 6), horizon or min(HORIZON, rows // 10)
    season = found.season if season is None else season
    longest = ends["validation"] - ends["train"]
    if horizon > longest:
        raise WorkshopError(f"--horizon {horizon}: {found.source} has {longest} to validate on, takes 1 to {longest}")
    longest = ends["train"] - horizon - FEWEST_WINDOWS + 1
    if window > longest:
        raise WorkshopError(f"--window {window}: {found.source} has {ends['train']} to train on, takes 1 to {longest}")
    if season > ends["validation"]:
        raise WorkshopError(f"--season {season}: {found.source} has {ends['validation']} before the test part")
    past = found.values[: ends["train"]]
    if past.min() == past.max():
        raise WorkshopError(f"{found.source}: the first {len(past)} are all {past[0]:g}, takes numbers that differ")
    windows, first = {}, 0
    for part, last in ends.items():
        windows[part] = make_windows(found.values, first, last, window, horizon)
        first = last
    return Task(found, window, horizon, season, ends, windows, MinMaxScaler().fit(past[:, None]))


def forecast(model: Bundle, windows: np.ndarray) -> np.ndarray:
    """Returns what a saved model of the lesson `forecasting` expects to come next.

    Args:
        model: it answers with changes since the last value that it was given.
        windows: the last values of a series (window,), or several such windows (windows, window), in their own unit.

    Returns:
        (windows, horizon), in the same unit.

    Raises:
        WorkshopError: a window has another length than the model's, or a value is not finite.
    """
    takes = model.input_shape[0]
    given = np.atleast_2d(np.asarray(windows, np.float32))
    if given.ndim != 2 or given.shape[1] != takes:
        raise WorkshopError(f"got windows of shape {np.shape(windows)}, the model takes {takes} values a window")
    if not np.all(np.isfinite(given)):
        raise WorkshopError("got a window with a value that is not finite: takes finite numbers")
    return np.asarray(given[:, -1:] + model.predict(given))
