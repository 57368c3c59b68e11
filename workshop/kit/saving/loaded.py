"""A loaded model with its scaler and its card: from inputs in their own units, or a table's texts, to predictions.

`bundle.load` returns one. NumPy is imported with the first prediction, so that console programs start quickly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.card import Input, printable
from workshop.kit.saving.model import Model

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Bundle:
    """A loaded model.

    Attributes:
        path: the `.h5` or the `.keras`.
        model: the model, as the engine loaded it.
        scaler: the scikit-learn scaler of its inputs, or None.
        card: the content of the card; empty for a bare `.h5` or a `.keras`, which is then unverified.
        inputs: the card's inputs.
    """

    path: Path
    model: Model
    scaler: Any
    card: dict[str, Any]
    inputs: list[Input] = field(default_factory=list)

    @property
    def is_verified(self) -> bool:
        """True if the files were verified against a card."""
        return bool(self.card)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (2,) or (28, 28, 1)."""
        return self.model.input_shape

    @property
    def outputs(self) -> int:
        """The number of outputs for one sample."""
        return self.model.output_shape[-1]

    def encode(self, rows: Sequence[Sequence[Any]]) -> np.ndarray:
        """Returns the model's inputs (rows, columns) for the cells of a table, in the order of the card's inputs.

        A number is scaled. A text becomes one column for each of the card's `values`, 1 in its own and 0 in the others;
        a text that the card does not name is 0 in all.

        Raises:
            WorkshopError: a row has too many or too few cells, or a cell that is to be a finite number is none.
        """
        import numpy as np

        numbers = np.array([_numbers_of(row, self.inputs) for row in rows], np.float32)
        scaled = iter((numbers if self.scaler is None else self.scaler.transform(numbers)).T)
        columns: list[Any] = []
        for i, column in enumerate(self.inputs):
            if column.values:
                columns += [[printable(str(row[i]).strip()) == value for row in rows] for value in column.values]
            else:
                columns.append(next(scaled))
        return np.array(columns, np.float32).T

    def predict(self, X: np.ndarray | Sequence[Sequence[Any]]) -> np.ndarray:
        """Returns the model's outputs (samples, outputs) for inputs in their own units, scaling them where needed.

        A table with columns of texts is given as rows of cells: see `encode`.
        """
        import numpy as np

        scaled: Any = X
        if any(column.values for column in self.inputs):
            scaled = self.encode(list(X))
        elif self.scaler is not None:
            # The scaler of sequences is that of a single step: they are scaled step by step.
            is_sequence = len(self.input_shape) == 2
            scaled = self.scaler.transform(np.reshape(X, (-1, self.input_shape[-1])) if is_sequence else X)
        batch = np.asarray(scaled, np.float32).reshape(-1, *self.input_shape)
        return self.model.predict(batch)


def check_shapes(bundle: Bundle) -> None:
    """Raises WorkshopError unless the model's inputs match its scaler and, for a table with texts, its card's inputs.

    The scaler covers the columns of numbers alone.
    """
    texts = [column for column in bundle.inputs if column.values]
    named = len(bundle.inputs) - len(texts)
    numbers = named if bundle.scaler is None else bundle.scaler.n_features_in_
    columns = numbers + sum(len(column.values) for column in texts)
    if bundle.scaler is None and not texts:
        return  # a bare .h5, or an image's model: nothing to compare it with
    takes = bundle.input_shape
    if takes and len(takes) == 2:  # a sequence, which is scaled step by step
        takes = takes[1:]
    if takes != (columns,) or (texts and numbers != named):
        described = f", its card {len(texts)} of texts and {named} of numbers" if texts else ""
        raise WorkshopError(
            f"{bundle.path} takes inputs of shape {bundle.input_shape}, its scaler {numbers} columns{described}: "
            f"they are not of one model; train it again"
        )


def _numbers_of(row: Sequence[Any], inputs: Sequence[Input]) -> list[float]:
    """Returns the numbers among the cells of a row."""
    names = ", ".join(column.name for column in inputs)
    if len(row) != len(inputs):
        raise WorkshopError(f"got {len(row)} cells, the model takes {len(inputs)}: {names}")
    numbers = []
    for cell, column in zip(row, inputs, strict=True):
        if column.values:
            continue
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise WorkshopError(f"{column.name}: got {printable(cell)}, takes a finite number")
        numbers.append(number)
    return numbers
