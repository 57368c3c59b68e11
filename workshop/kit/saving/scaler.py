"""The scalers of saved models, as far as a program needs them: from inputs in their own units to the network's.

scikit-learn fits and saves them. Its import takes longer than all else that a program needs, so its saved attributes
are put into these classes, which do the same arithmetic in the same order: the same numbers to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Scaler:
    """The base class; the attributes are those of scikit-learn's class of the same name.

    Attributes:
        n_features_in_: the number of columns.
    """

    n_features_in_: int

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Releases before 0.24 do not save the number of columns: it is how many numbers each of the others has.
        for name in ("scale_", "min_", "mean_", "center_"):
            if "n_features_in_" not in state and getattr(state.get(name), "ndim", 0) == 1:
                self.n_features_in_ = len(state[name])

    def transform(self, X: Any) -> np.ndarray:
        """Returns X (rows, columns) scaled, float32 or float64 as X is.

        Raises:
            ValueError: X has another number of columns.
        """
        import numpy as np

        scaled = np.array(X, np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)
        if scaled.ndim != 2 or scaled.shape[1] != self.n_features_in_:
            raise ValueError(f"got numbers of shape {scaled.shape}, takes (rows, {self.n_features_in_})")
        self._scale(scaled)
        return scaled

    def ranges(self) -> list[tuple[float, float]]:
        """Returns the smallest and the largest number of each column that it was fitted on; infinite where unknown."""
        return [(-math.inf, math.inf)] * self.n_features_in_

    def _scale(self, X: np.ndarray) -> None:
        """Scales X in place."""
        raise TypeError("an object of no known kind of scaler")

    def _column_numbers(self, name: str) -> Any:
        """Returns an attribute that has one number for each column."""
        numbers = getattr(self, name)
        if numbers.shape != (self.n_features_in_,):
            raise ValueError(f"its {name} is not one number for each of {self.n_features_in_} columns")
        return numbers


class MinMaxScaler(Scaler):
    """From the range of each column to 0 to 1, or another range."""

    clip = False

    def ranges(self) -> list[tuple[float, float]]:
        """Returns the range of each column that it was fitted on, which this scaler alone remembers."""
        try:
            lows, highs = self._column_numbers("data_min_"), self._column_numbers("data_max_")
            # As texts, numbers in single precision have the digits that were typed: 30.2, not 30.200000762939453.
            ranges = [(float(str(low)), float(str(high))) for low, high in zip(lows, highs, strict=True)]
        except (AttributeError, TypeError, ValueError):  # changed by hand: it scales without them
            return super().ranges()
        unknown = -math.inf, math.inf
        return [(low, high) if -math.inf < low <= high < math.inf else unknown for low, high in ranges]

    def _scale(self, X: np.ndarray) -> None:
        X *= self._column_numbers("scale_")
        X += self._column_numbers("min_")
        if self.clip:
            X.clip(*self.feature_range, out=X)  # type: ignore[attr-defined]


class StandardScaler(Scaler):
    """To mean 0 and standard deviation 1."""

    with_mean = with_std = True

    def _scale(self, X: np.ndarray) -> None:
        # In X's own precision, which scikit-learn does for this one alone, since its release 1.8.
        if self.with_mean:
            X -= self._column_numbers("mean_").astype(X.dtype)
        if self.with_std:
            X /= self._column_numbers("scale_").astype(X.dtype)


class RobustScaler(Scaler):
    """To median 0 and a distance of 1 between the quartiles."""

    with_centering = with_scaling = True

    def _scale(self, X: np.ndarray) -> None:
        if self.with_centering:
            X -= self._column_numbers("center_")
        if self.with_scaling:
            X /= self._column_numbers("scale_")


class MaxAbsScaler(Scaler):
    """To a largest absolute value of 1."""

    clip = False

    def _scale(self, X: np.ndarray) -> None:
        X /= self._column_numbers("scale_")
        if self.clip:
            X.clip(-1, 1, out=X)


KINDS = {kind.__name__: kind for kind in (MinMaxScaler, StandardScaler, RobustScaler, MaxAbsScaler)}
