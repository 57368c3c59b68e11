"""Pipelines of saved models: imputers, encoders and what joins them, with scikit-learn's attributes and arithmetic.

A table has cells of any kind; each step takes numbers or texts of them as it was fitted. Missing cells are None.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.scaler import KINDS as SCALERS
from workshop.kit.saving.scaler import MAX_COLUMNS, Column, Step, as_numbers, is_missing

if TYPE_CHECKING:
    import numpy as np

_MAX_CELLS = 500_000  # columns and categories of all steps together, counted as often as a step is run

# The functions that a FunctionTransformer may name.
FUNCTIONS = ("absolute", "cbrt", "exp", "expm1", "log", "log10", "log1p", "log2", "reciprocal", "sqrt", "square")


class Function:
    """One of NumPy's `FUNCTIONS`, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name


class UnknownCategoryError(WorkshopError):
    """A cell that an encoder was not fitted on, and takes no other."""


class FunctionTransformer(Step):
    """The same function of each number, or nothing."""

    func: Function | None = None
    kw_args: object = None

    def transform(self, X: Any) -> np.ndarray:
        """Returns the function of X (rows, columns)."""
        import numpy as np

        if self.func is None:
            return np.asarray(X)
        if not isinstance(self.func, Function) or self.kw_args:
            raise TypeError("takes one of NumPy's functions")
        return np.asarray(getattr(np, self.func.name)(as_numbers(X, np.shape(X)[1])))


class MissingIndicator(Step):
    """The columns that had missing cells when it was fitted, as a part of an imputer."""


class SimpleImputer(Step):
    """A number or a text for each missing cell of a column."""

    add_indicator = keep_empty_features = False
    missing_values: Any = math.nan

    def transform(self, X: Any) -> np.ndarray:
        """Returns X (rows, columns) without missing cells, and without columns that had nothing else when fitted.

        Raises:
            ValueError: X has another number of columns, or a text that is no number.
        """
        import numpy as np

        statistics = self._column_numbers("statistics_")
        if statistics.dtype.kind in "OU":
            cells = np.array(X, object)
            if cells.ndim != 2 or cells.shape[1] != len(statistics):
                raise ValueError(f"got cells of shape {cells.shape}, takes (rows, {len(statistics)})")
            marker = self.missing_values
            flat = [is_missing(cell) or _is_same(cell, marker) for cell in cells.ravel().tolist()]
            missing = np.array(flat, bool).reshape(cells.shape)
            is_empty = [isinstance(value, float) and math.isnan(value) for value in statistics.tolist()]
        else:
            cells = as_numbers(X, len(statistics))
            missing = np.isnan(cells)
            if isinstance(self.missing_values, int | float | np.number):
                missing |= cells == self.missing_values
            is_empty = np.isnan(statistics)
        rows, columns = np.nonzero(missing)
        if len(rows):
            cells[rows, columns] = statistics[columns]
        if not self.keep_empty_features:
            cells = cells[:, ~np.array(is_empty, bool)]
        if self.add_indicator and self.indicator_ is not None:  # type: ignore[attr-defined]
            features = self.indicator_.features_  # type: ignore[attr-defined]
            cells = np.hstack([cells, missing[:, features].astype(cells.dtype)])
        return cells


class _Encoder(Step):
    """The base class of the encoders: from cells to the indices of their categories."""

    handle_unknown = "error"

    def columns(self) -> Sequence[Column]:
        """Returns the categories of each column."""
        return [Column(values=tuple(categories.tolist())) for categories in self.category_arrays()]

    def category_arrays(self) -> list[np.ndarray]:
        """Returns the categories of each column."""
        categories = self.categories_  # type: ignore[attr-defined]
        if len(categories) != self.n_features_in_:
            raise ValueError(f"its categories are not those of {self.n_features_in_} columns")
        if sum(map(len, categories)) > MAX_COLUMNS:
            raise ValueError(f"more than {MAX_COLUMNS} categories")
        return list(categories)

    def _lookups(self) -> list[dict[Any, int]]:
        """Returns for each column the index of each category: by itself and by its text."""
        if "_known" not in self.__dict__:
            self._known = [_lookup(categories.tolist()) for categories in self.category_arrays()]
        return self._known

    def _codes(self, X: Any) -> Iterator[list[int | None]]:
        """Returns for each column the indices of the categories of its cells; None for a category unknown to it."""
        import numpy as np

        cells = np.asarray(X)
        if cells.ndim != 2 or cells.shape[1] != self.n_features_in_:
            raise ValueError(f"got cells of shape {cells.shape}, takes (rows, {self.n_features_in_})")
        for column, known in zip(cells.T, self._lookups(), strict=True):
            yield [_code(cell, known) for cell in column.tolist()]

    def _infrequent(self, i: int) -> np.ndarray | None:
        """Returns for a column the index of the category that each is grouped into; None where none is."""
        if not getattr(self, "_infrequent_enabled", False):
            return None
        return self._default_to_infrequent_mappings[i]  # type: ignore[attr-defined]

    def _refuse(self, i: int, row: int, X: Any) -> UnknownCategoryError:
        name = self.names[i] if i < len(self.names) else f"column {i + 1}"
        values = self.columns()[i].values
        shown = ", ".join(str(value) for value in values[:20]) + (", ..." if len(values) > 20 else "")
        return UnknownCategoryError(f"{name}: got {_shown(X[row][i])}, takes one of {shown}")


class OneHotEncoder(_Encoder):
    """One column for each category: 1 in its own and 0 in the others."""

    dtype: Any = None

    def transform(self, X: Any) -> np.ndarray:
        """Returns the columns of 0 and 1 of X (rows, columns).

        Raises:
            ValueError: X has another number of columns.
            UnknownCategoryError: it was fitted to refuse an unknown category, and X has one.
        """
        import numpy as np

        blocks = []
        for i, codes in enumerate(self._codes(X)):
            size, mapping, unknown = len(self.category_arrays()[i]), self._infrequent(i), None
            if self.handle_unknown == "error" and None in codes:
                raise self._refuse(i, codes.index(None), X)
            if mapping is not None:
                infrequent = self._infrequent_indices[i]  # type: ignore[attr-defined]
                size = int(max(mapping)) + 1
                _check_width(size)
                if self.handle_unknown in ("infrequent_if_exist", "warn") and infrequent is not None:
                    unknown = int(mapping[infrequent[0]])
                codes = [None if code is None else int(mapping[code]) for code in codes]
            block = np.zeros((len(codes), size), self._dtype())
            for row, code in enumerate(codes):
                if code is not None or unknown is not None:
                    block[row, unknown if code is None else code] = 1
            dropped = self._dropped(i)
            blocks.append(block if dropped is None else np.delete(block, dropped, axis=1))
            _check_width(sum(block.shape[1] for block in blocks))
        return np.hstack(blocks)

    def _dropped(self, i: int) -> int | None:
        """Returns the index of the column that is left out for a category, if any is."""
        for name in ("_drop_idx_after_grouping", "drop_idx_"):
            if hasattr(self, name):
                dropped = getattr(self, name)
                return None if dropped is None or dropped[i] is None else int(dropped[i])
        return None

    def _dtype(self) -> np.dtype[Any]:
        import numpy as np

        dtype = np.dtype(self.dtype)
        if dtype.kind not in "biuf":
            raise TypeError("takes a type of numbers")
        return dtype


class OrdinalEncoder(_Encoder):
    """The index of the category of each cell."""

    unknown_value: Any = None
    encoded_missing_value: Any = math.nan

    def transform(self, X: Any) -> np.ndarray:
        """Returns the indices for X (rows, columns), float64.

        Raises:
            ValueError: X has another number of columns.
            UnknownCategoryError: it was fitted to refuse an unknown category, and X has one.
        """
        import numpy as np

        missing = getattr(self, "_missing_indices", {})
        encoded = []
        for i, codes in enumerate(self._codes(X)):
            if self.handle_unknown != "use_encoded_value" and None in codes:
                raise self._refuse(i, codes.index(None), X)
            mapping = self._infrequent(i)
            column: list[Any] = []
            for code in codes:
                if code is None:
                    column.append(self.unknown_value)
                elif missing.get(i) == code:
                    column.append(self.encoded_missing_value)
                else:
                    column.append(code if mapping is None else mapping[code])
            encoded.append(np.array(column, np.float64))
        return np.stack(encoded, axis=1)


class _AsItsFirst(Step):
    """The base class of those that take the columns which their first step takes."""

    @property
    def n_features_in_(self) -> int:  # type: ignore[override]
        """The number of columns."""
        return self.children()[0].n_features_in_

    @property
    def names(self) -> list[str]:
        """The names of the columns that it was fitted on."""
        return self.children()[0].names


class Pipeline(_AsItsFirst):
    """Steps one after another."""

    steps: Any = ()

    def transform(self, X: Any) -> np.ndarray:
        """Returns X after all steps."""
        for step in self.children():
            X = step.transform(X)
            _check_width(X.shape[1])
        return X

    def columns(self) -> Sequence[Column]:
        """Returns what the first steps know of each column, up to the one that changes what stands in them."""
        columns: Sequence[Column] = []
        for step in self.children():
            known = step.columns()
            if not columns:
                columns = known
            if len(known) != len(columns):
                break
            columns = [later if column == Column() else column for column, later in zip(columns, known, strict=True)]
            if not isinstance(step, SimpleImputer):
                break
        return columns

    def children(self) -> Sequence[Step]:
        """Returns its steps, without those that do nothing."""
        steps = [step for _, step in self.steps if step is not None and step != "passthrough"]
        if not steps or not all(isinstance(step, Step) for step in steps):
            raise TypeError("takes steps")
        return steps


class FeatureUnion(_AsItsFirst):
    """The columns of several steps, each of the same table."""

    transformer_list: Any = ()
    transformer_weights: Mapping[str, float] | None = None

    def transform(self, X: Any) -> np.ndarray:
        """Returns the columns of all steps side by side."""
        parts = [
            (name, X if step == "passthrough" else step.transform(X))
            for name, step in self.transformer_list
            if step is not None and step != "drop"
        ]
        return _side_by_side(parts, self.transformer_weights)

    def columns(self) -> Sequence[Column]:
        """Returns what the steps know of each column."""
        return [_best(known) for known in zip(*(step.columns() for step in self.children()), strict=True)]

    def children(self) -> Sequence[Step]:
        """Returns its steps, without those that do nothing."""
        return [step for _, step in self.transformer_list if isinstance(step, Step)]


class ColumnTransformer(Step):
    """The columns of several steps, each of columns of its own."""

    transformers_: Any = ()
    transformer_weights: Mapping[str, float] | None = None

    @property
    def names(self) -> list[str]:
        """The names of the columns that it was fitted on."""
        names = super().names
        # Releases before 1.0 have them under other names.
        for older in ("_df_columns", "_feature_names_in"):
            names = names or [str(name) for name in _listed(getattr(self, older, ()))]
        return names

    def transform(self, X: Any) -> np.ndarray:
        """Returns the columns of all steps side by side.

        Raises:
            ValueError: X has another number of columns.
        """
        import numpy as np

        cells = np.asarray(X)
        if cells.ndim != 2 or cells.shape[1] != self.n_features_in_:
            raise ValueError(f"got cells of shape {cells.shape}, takes (rows, {self.n_features_in_})")
        parts = []
        for name, step, columns in self.parts():
            selected = cells[:, columns]
            parts.append((name, step.transform(selected) if isinstance(step, Step) else selected))
            _check_width(parts[-1][1].shape[1])
        return _side_by_side(parts, self.transformer_weights) if parts else np.zeros((len(cells), 0))

    def columns(self) -> Sequence[Column]:
        """Returns what the steps know of each column."""
        by_column: list[list[Column]] = [[] for _ in range(self.n_features_in_)]
        for _, step, columns in self.parts():
            known = step.columns() if isinstance(step, Step) else []
            if len(known) != len(columns):
                known = [Column()] * len(columns)
            for i, column in zip(columns, known, strict=True):
                by_column[i].append(column)
        return [_best(known) for known in by_column]

    def children(self) -> Sequence[Step]:
        """Returns its steps, without those that do nothing."""
        return [step for _, step, _ in self.parts() if isinstance(step, Step)]

    def parts(self) -> list[tuple[str, Any, list[int]]]:
        """Returns its steps that make columns, each with the indices of the columns that it takes."""
        if "_indices" not in self.__dict__:
            self._indices, selected = [], 0
            for name, step, columns in self.transformers_:
                if isinstance(step, Step) or step == "passthrough":
                    indices = self._column_indices(name, columns)
                    selected += len(indices)
                    if selected > _MAX_CELLS:
                        raise ValueError(f"more than {_MAX_CELLS} columns")
                    if indices:
                        self._indices.append((name, step, indices))
                elif step != "drop":
                    raise TypeError("takes steps")
        return self._indices

    def _column_indices(self, name: str, columns: Any) -> list[int]:
        """Returns the indices of the columns that were selected by name, by number, by a slice or by a mask."""
        import numpy as np

        size, names = self.n_features_in_, self.names
        known = getattr(self, "_transformer_to_input_indices", {})  # since release 1.0
        if name in known:
            columns = known[name]
        if isinstance(columns, slice):
            start, stop = columns.start, columns.stop
            if isinstance(start, str):
                start = names.index(start)
            if isinstance(stop, str):
                stop = names.index(stop) + 1
            return list(range(size)[slice(start, stop, columns.step)])
        columns = _listed(columns)
        if columns and all(isinstance(column, bool | np.bool_) for column in columns):
            return [i for i, is_taken in zip(range(size), columns, strict=True) if is_taken]
        numbers = {column: i for i, column in enumerate(names)}
        indices = [numbers[column] if isinstance(column, str) else int(column) for column in columns]
        if len(indices) > MAX_COLUMNS or not all(-size <= i < size for i in indices):
            raise ValueError(f"it takes others than its {size} columns")
        return [i % size for i in indices]


def list_steps(step: Step, at_most: int) -> list[Step]:
    """Returns a step and all that it consists of, each as often as it is run.

    Raises:
        ValueError: they are more than `at_most`, or have too many columns and categories together.
    """
    steps, pending, cells = [], [step], 0
    while pending:
        steps.append(pending.pop())
        pending += steps[-1].children()
        if len(steps) + len(pending) > at_most:
            raise ValueError(f"more than {at_most} steps")
        cells += int(vars(steps[-1]).get("n_features_in_", 0))
        if isinstance(steps[-1], ColumnTransformer):
            cells += sum(len(columns) for _, _, columns in steps[-1].parts())
        if isinstance(steps[-1], _Encoder):
            cells += sum(len(categories) for categories in steps[-1].category_arrays())
        if cells > _MAX_CELLS:
            raise ValueError(f"more than {_MAX_CELLS} columns and categories")
    return steps


def _listed(columns: Any) -> list[Any]:
    if columns is None:
        return []
    return list(columns.tolist() if hasattr(columns, "tolist") else columns)


def _best(known: Sequence[Column]) -> Column:
    """Returns the column of several descriptions that says most: the categories, else a range."""
    used = [column for column in known if column.is_used]
    for column in sorted(used, key=lambda column: not column.values):
        if column != Column():
            return column
    return Column(is_used=bool(used))


def _check_width(columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise ValueError(f"more than {MAX_COLUMNS} columns")


def _side_by_side(parts: Sequence[tuple[str, Any]], weights: Mapping[str, float] | None) -> np.ndarray:
    import numpy as np

    _check_width(sum(part.shape[1] for _, part in parts))
    if weights:
        parts = [(name, as_numbers(part, part.shape[1]) * weights.get(name, 1)) for name, part in parts]
    return np.hstack([part for _, part in parts])


def _is_same(cell: Any, marker: Any) -> bool:
    """Returns whether a cell is the marker of missing cells: text is compared with text, a number with a number."""
    return isinstance(cell, str) == isinstance(marker, str) and bool(cell == marker)


def _shown(cell: object) -> str:
    return "a missing cell" if is_missing(cell) else str(cell)


_MISSING = object()  # in a lookup: the category of missing cells


def _lookup(categories: Sequence[Any]) -> dict[Any, int]:
    known: dict[Any, int] = {}
    for i, category in enumerate(categories):
        known.setdefault(_MISSING if category is None or category != category else category, i)
    for i, category in enumerate(categories):
        known.setdefault(str(category), i)
    return known


def _code(cell: Any, known: Mapping[Any, int]) -> int | None:
    """Returns the index of a cell's category: the cell itself, its text or its number.

    "4" in a file is 4 for an encoder that was fitted on numbers, and 4 is "4" for one that was fitted on texts.
    """
    for candidate in _candidates(cell):
        if candidate in known:
            return known[candidate]
    return None


def _candidates(cell: Any) -> Iterator[Any]:
    if cell == "" or not is_missing(cell):
        yield cell
        yield str(cell).strip()
        number = math.nan
        with contextlib.suppress(TypeError, ValueError):
            number = float(cell)
        if math.isfinite(number):
            yield number
            if number.is_integer() and not isinstance(cell, str):
                yield str(int(number))
    if is_missing(cell):
        yield _MISSING


KINDS: dict[str, type[Step]] = SCALERS | {
    kind.__name__: kind
    for kind in (
        ColumnTransformer,
        FeatureUnion,
        FunctionTransformer,
        MissingIndicator,
        OneHotEncoder,
        OrdinalEncoder,
        Pipeline,
        SimpleImputer,
    )
}
