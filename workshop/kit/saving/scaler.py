"""The scalers of saved models, as far as a program needs them: from inputs in their own units to the network's.

scikit-learn fits and saves them. Its import takes longer than all else that a program needs, so its saved attributes
are put into these classes, which do the same arithmetic in the same order: the same numbers to the last bit. Pipelines
of such steps, imputers and encoders among them, are in `column_steps`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MAX_COLUMNS = 100_000


@dataclass(frozen=True)
class Column:
    """A column that a fitted step takes, as far as the step knows it.

    Attributes:
        minimum, maximum: the range that it was fitted on; infinite where unknown.
        values: of a column of categories, the categories, in order.
        is_used: whether anything is made of it.
    """

    minimum: float = -math.inf
    maximum: float = math.inf
    values: tuple[Any, ...] = ()
    is_used: bool = True


class Step:
    """The base class of all steps; the attributes are those of scikit-learn's class of the same name.

    Attributes:
        n_features_in_: the number of columns that it takes.
        n_features_out_: the number of columns that it makes, of the step that a file holds.
    """

    n_features_in_: int
    n_features_out_: int

    def __setstate__(self, state: dict[str, Any]) -> None:
        kind = type(self)
        for name, value in state.items():
            if callable(getattr(kind, name, None)):
                raise TypeError(f"its {name} is no attribute")
            if not isinstance(getattr(kind, name, None), property):
                self.__dict__[name] = value
        if "n_features_in_" in state:
            return
        # Releases before 0.24 do not save the number of columns: it is how many entries each of these has.
        for name in ("scale_", "min_", "mean_", "center_", "lambdas_", "statistics_", "categories_"):
            entries: Any = state.get(name)
            if isinstance(entries, list) or getattr(entries, "ndim", 0) == 1:
                self.n_features_in_ = len(entries)
        if "_n_features" in state:  # a ColumnTransformer's name for it
            self.n_features_in_ = state["_n_features"]

    @property
    def names(self) -> list[str]:
        """The names of the columns that it was fitted on, a data frame's; none where it was fitted on an array."""
        return [str(name) for name in getattr(self, "feature_names_in_", ())]

    def transform(self, X: Any) -> np.ndarray:
        """Returns X (rows, columns) as the next step takes it.

        Raises:
            ValueError: X has another number of columns, or a cell that the step does not take.
        """
        raise TypeError("an object of no known kind of scaler")

    def columns(self) -> Sequence[Column]:
        """Returns what is known of each column that it takes; nothing where it does not know how many they are."""
        # Before 0.24, releases do not save the number of columns of steps that keep nothing else of them.
        return [Column()] * getattr(self, "n_features_in_", 0)

    def children(self) -> Sequence[Step]:
        """Returns the steps that it consists of."""
        return ()

    def _column_numbers(self, name: str) -> np.ndarray:
        """Returns an attribute that has one number for each column."""
        numbers = getattr(self, name)
        if numbers.shape != (self.n_features_in_,):
            raise ValueError(f"its {name} is not one number for each of {self.n_features_in_} columns")
        return numbers


def is_missing(cell: object) -> bool:
    """Returns whether a cell of a table is a missing one: None, empty or not a number."""
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def as_numbers(X: Any, columns: int) -> np.ndarray:
    """Returns X (rows, columns) as numbers in an array of its own, float32 or float64 as X is; missing cells are NaN.

    Raises:
        ValueError: X has another number of columns, or a text that is no number.
    """
    import numpy as np

    cells = np.asarray(X)
    if cells.ndim != 2 or cells.shape[1] != columns:
        raise ValueError(f"got numbers of shape {cells.shape}, takes (rows, {columns})")
    if cells.dtype.kind in "OU":
        numbers = [math.nan if is_missing(cell) else float(cell) for cell in cells.ravel().tolist()]
        return np.array(numbers, np.float64).reshape(cells.shape)
    return np.array(cells, np.float32 if cells.dtype == np.float32 else np.float64)


class Scaler(Step):
    """The base class of the scalers of numbers."""

    def transform(self, X: Any) -> np.ndarray:
        """Returns X (rows, columns) scaled, float32 or float64 as X is.

        Raises:
            ValueError: X has another number of columns.
        """
        scaled = as_numbers(X, self.n_features_in_)
        self._scale(scaled)
        return scaled

    def _scale(self, X: np.ndarray) -> None:
        """Scales X in place."""
        raise TypeError("an object of no known kind of scaler")


class MinMaxScaler(Scaler):
    """From the range of each column to 0 to 1, or another range."""

    clip = False

    def columns(self) -> Sequence[Column]:
        """Returns the range of each column that it was fitted on, which this scaler alone remembers."""
        try:
            lows, highs = self._column_numbers("data_min_"), self._column_numbers("data_max_")
            # As texts, numbers in single precision have the digits that were typed: 30.2, not 30.200000762939453.
            ranges = [(float(str(low)), float(str(high))) for low, high in zip(lows, highs, strict=True)]
        except (AttributeError, TypeError, ValueError):  # changed by hand: it scales without them
            return super().columns()
        return [Column(low, high) if -math.inf < low <= high < math.inf else Column() for low, high in ranges]

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


class PowerTransformer(Scaler):
    """To a distribution that is as normal as the power of each column makes it: Yeo-Johnson's or Box-Cox'."""

    standardize = True

    def _scale(self, X: np.ndarray) -> None:
        power = {"yeo-johnson": _yeo_johnson, "box-cox": _box_cox}[self.method]  # type: ignore[attr-defined]
        for i, exponent in enumerate(self._column_numbers("lambdas_")):
            X[:, i] = power(X[:, i], float(exponent))
        if self.standardize:
            X[:] = self._scaler.transform(X)  # type: ignore[attr-defined]

    def children(self) -> Sequence[Step]:
        """Returns the scaler that follows."""
        scaler = getattr(self, "_scaler", None)
        return [scaler] if isinstance(scaler, StandardScaler) else []


def _box_cox(x: np.ndarray, exponent: float) -> np.ndarray:
    import numpy as np

    return np.log(x) if exponent == 0 else np.expm1(exponent * np.log(x)) / exponent


def _yeo_johnson(x: np.ndarray, exponent: float) -> np.ndarray:
    import numpy as np

    made = np.empty_like(x)
    positive = x >= 0
    above, below = np.log1p(x[positive]), np.log1p(-x[~positive])
    made[positive] = above if exponent == 0 else np.expm1(exponent * above) / exponent
    made[~positive] = -below if exponent == 2 else -np.expm1((2 - exponent) * below) / (2 - exponent)
    return made


class Normalizer(Step):
    """Each row to length 1."""

    norm = "l2"

    def transform(self, X: Any) -> np.ndarray:
        """Returns X (rows, columns), each row divided by its length.

        Raises:
            ValueError: X has another number of columns.
        """
        import numpy as np

        scaled = as_numbers(X, getattr(self, "n_features_in_", np.shape(X)[-1]))
        if self.norm == "max":
            lengths = np.abs(scaled).max(axis=1)
        elif self.norm == "l1":
            lengths = np.abs(scaled).sum(axis=1)
        elif self.norm == "l2":
            lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
        else:
            raise TypeError("takes the norm l1, l2 or max")
        lengths[lengths == 0] = 1
        return scaled / lengths[:, None]


KINDS: dict[str, type[Step]] = {
    kind.__name__: kind
    for kind in (MinMaxScaler, StandardScaler, RobustScaler, MaxAbsScaler, PowerTransformer, Normalizer)
}
