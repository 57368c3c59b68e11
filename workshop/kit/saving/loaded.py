"""A loaded model with its scaler and its card: from inputs in their own units, or a table's texts, to predictions.

`bundle.load` returns one. NumPy is imported with the first prediction, so that console programs start quickly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.card import Input, printable
from workshop.kit.saving.model import Model
from workshop.kit.saving.scaler import Scaler, Step

if TYPE_CHECKING:
    import numpy as np

# What stands for a missing cell, unless it is a category that the model was trained on.
_MISSING = {"", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "none", "<NA>"}
_MAX_NAMED = 20  # columns in a message


@dataclass
class Bundle:
    """A loaded model.

    Attributes:
        path: the `.h5` or the `.keras`.
        model: the model, as the engine loaded it.
        scaler: the scikit-learn scaler of its inputs, or the pipeline that prepares them, or None.
        card: the content of the card; empty for a bare `.h5` or a `.keras`, which is then unverified.
        inputs: the card's inputs; without a card those that the scaler was fitted on, if it names them.
        scaler_path: the file of the scaler, or None.
        ends_linearly: whether its last layer has no activation: it predicts any numbers, of classes their logits.
    """

    path: Path
    model: Model
    scaler: Step | None
    card: dict[str, Any]
    inputs: list[Input] = field(default_factory=list)
    scaler_path: Path | None = None
    ends_linearly: bool = False

    @property
    def is_verified(self) -> bool:
        """True if the files were verified against a card."""
        return bool(self.card)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (2,) or (28, 28, 1)."""
        return self.model.input_shape

    @property
    def takes_cells(self) -> bool:
        """Whether its inputs are the cells of a table, one for each of `inputs`: texts, or what a pipeline prepares."""
        is_pipeline = self.scaler is not None and not isinstance(self.scaler, Scaler)
        return is_pipeline or any(column.values for column in self.inputs)

    def encode(self, rows: Sequence[Sequence[Any]]) -> np.ndarray:
        """Returns the model's inputs (rows, columns) for the cells of a table, in the order of its inputs.

        What the pipeline of the model does, as scikit-learn did in training: it fills in missing cells (None, empty,
        `?`, NaN), scales numbers, turns a text into one column for each category. A model whose scaler takes numbers
        alone has the texts in its card's `values`: a text becomes one column for each of them, 1 in its own and 0 in
        the others; a text that the card does not name is 0 in all.

        Raises:
            WorkshopError: a row has too many or too few cells, or a cell that the model does not take.
        """
        import numpy as np

        if self.scaler is not None and not (isinstance(self.scaler, Scaler) and self.inputs):
            return _piped(rows, self.scaler, self.inputs or scaler_inputs(self.scaler)).astype(np.float32)
        numbers = np.array([_row_numbers(row, self.inputs) for row in rows], np.float32)
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

        Args:
            X: an array of numbers; a table with columns of texts, or with missing cells, as rows of cells: see
                `encode`. A data frame has the model's columns in the model's order. For a model of several inputs a
                list of arrays, in the order of its inputs.

        Raises:
            WorkshopError: a data frame has other columns, a cell is none that the model takes, or arrays have shapes
                that it does not take.
        """
        import numpy as np

        if self.input_shape is None:  # several inputs
            return self.model.predict(X)
        if hasattr(X, "columns") and hasattr(X, "to_numpy"):
            X = _cells_of_frame(X, [column.name for column in self.inputs])
        scaled: Any = X
        is_sequence = len(self.input_shape) == 2
        if self.takes_cells and not is_sequence:
            scaled = self.encode(list(X))
        elif self.scaler is not None:
            # The scaler of sequences is that of a single step: they are scaled step by step.
            scaled = self.scaler.transform(np.reshape(X, (-1, self.input_shape[-1])) if is_sequence else X)
        if None in self.input_shape:  # of any length or size
            batch = np.asarray(scaled, np.float32)
            if batch.ndim != len(self.input_shape) + 1:
                raise WorkshopError(f"got an array of shape {batch.shape}, takes samples of shape {self.input_shape}")
            return self.model.predict(batch)
        batch = np.asarray(scaled, np.float32).reshape(-1, *self.input_shape)
        return self.model.predict(batch)


def scaler_inputs(scaler: Step) -> list[Input]:
    """Returns the inputs that a scaler was fitted on, by the names of its columns if it has them."""
    names = scaler.names or [f"input {i + 1}" for i in range(scaler.n_features_in_)]
    return [
        Input(
            printable(name),
            minimum=column.minimum,
            maximum=column.maximum,
            values=tuple(printable(str(value)) for value in column.values),
        )
        for name, column in zip(names, scaler.columns(), strict=True)
    ]


_WITHOUT_ACTIVATION = {"Dropout", "Flatten", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "Reshape"}


def ends_linearly(config: Any) -> bool:
    """Returns whether a model's configuration ends in a layer of numbers without an activation; False where unknown."""
    for _ in range(20):  # models within one another
        inner = config.get("config") if isinstance(config, dict) else None
        layers = inner.get("layers") if isinstance(inner, dict) else inner  # a list in the files of Keras 1
        if not isinstance(layers, list):
            break
        outputs = inner.get("output_layers") if isinstance(inner, dict) else None
        while isinstance(outputs, list) and outputs:
            outputs = outputs[0]
        kept = [layer for layer in layers if isinstance(layer, dict)]
        if isinstance(outputs, str):  # a graph, whose layers may stand in any order
            kept = [layer for layer in kept if layer.get("name") == outputs]
        else:
            kept = [layer for layer in kept if layer.get("class_name") not in _WITHOUT_ACTIVATION]
        if not kept:
            return False
        config = kept[-1]
    settings = config.get("config") if isinstance(config, dict) else None
    if not isinstance(settings, dict) or config.get("class_name") not in ("Dense", "Activation", "Conv1D", "Conv2D"):
        return False
    activation = settings.get("activation")
    if isinstance(activation, dict):
        activation = activation.get("config")
    return activation in (None, "linear")


def check_shapes(bundle: Bundle) -> None:
    """Raises WorkshopError unless the model's inputs match its scaler and, for a table, its card's inputs.

    A scaler covers the columns of numbers alone, a pipeline all columns.
    """
    scaler, inputs = bundle.scaler, bundle.inputs
    texts = [column for column in inputs if column.values]
    if scaler is None and not texts:
        return  # a bare .h5, or an image's model: nothing to compare it with
    covered = [column for column in inputs if not column.values] if isinstance(scaler, Scaler) else inputs
    numbers = len(covered) if scaler is None else scaler.n_features_in_
    if scaler is None or isinstance(scaler, Scaler):
        columns = numbers + sum(len(column.values) for column in texts)
    else:
        columns = scaler.n_features_out_
    takes = bundle.input_shape
    if takes and len(takes) == 2:  # a sequence, which is scaled step by step
        takes = takes[1:]
    if takes != (columns,) or (texts and numbers != len(covered)):
        described = f", its card {len(texts)} of texts and {len(inputs) - len(texts)} of numbers" if texts else ""
        made = f" and makes {columns} of them" if scaler is not None and not isinstance(scaler, Scaler) else ""
        raise WorkshopError(
            f"{bundle.path} takes inputs of shape {bundle.input_shape}, its scaler {numbers} columns{made}{described}: "
            f"they are not of one model; train it again"
        )
    names = [printable(name) for name in scaler.names] if scaler else []
    given = [column.name for column in covered]
    if len(names) == len(given) and names != given:
        raise WorkshopError(
            f"{bundle.path} has the inputs {_named(given)} in its card, its scaler takes {_named(names)}: they are not "
            f"of one model; train it again"
        )


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:_MAX_NAMED]) + (", ..." if len(names) > _MAX_NAMED else "")


def _cells_of_frame(frame: Any, inputs: Sequence[str]) -> np.ndarray:
    """Returns the cells of a data frame (rows, columns); missing ones are None.

    Raises:
        WorkshopError: its columns have other names than the inputs, or stand in another order.
    """
    names = [printable(name) for name in frame.columns]
    if inputs and names != [str(i) for i in range(len(inputs))] and names != list(inputs):
        order = f"put them in this order, X[{list(inputs[:_MAX_NAMED])}]" if sorted(names) == sorted(inputs) else ""
        missing = [name for name in inputs if name not in names]
        absent = f"{_named(missing)} is missing" if missing else "leave the others out"
        raise WorkshopError(f"got the columns {_named(names)}, takes {_named(inputs)}: {order or absent}")
    cells = frame.to_numpy()
    if cells.dtype.kind in "fiub":
        return cells
    return frame.astype(object).where(frame.notna(), None).to_numpy() if hasattr(frame, "notna") else cells


def _piped(rows: Sequence[Sequence[Any]], scaler: Step, inputs: Sequence[Input]) -> np.ndarray:
    """Returns what a pipeline makes of rows of cells.

    Raises:
        WorkshopError: a row has too many or too few cells, or a cell that the pipeline does not take.
    """
    import numpy as np

    columns = scaler.columns()
    # As it stands in the table that the pipeline was fitted on, blanks around it included, or without them.
    known: list[dict[str, Any]] = [
        {str(value).strip(): value for value in column.values} | {str(value): value for value in column.values}
        for column in columns
    ]
    table = np.empty((len(rows), len(inputs)), object)
    for i, row in enumerate(rows):
        _check_length(row, inputs)
        for j, (cell, column) in enumerate(zip(row, inputs, strict=True)):
            if columns[j].is_used:
                table[i, j] = _cell(cell, column.name, known[j])
    try:
        made = np.asarray(scaler.transform(table), np.float64)
    except (TypeError, ValueError) as error:
        raise WorkshopError(f"the model's pipeline does not take these cells: {error}") from error
    for i in np.nonzero(~np.isfinite(made).all(axis=1))[0].tolist():
        cells = zip(table[i], inputs, columns, strict=True)
        missing = [column.name for cell, column, step in cells if cell is None and step.is_used]
        got = f"{_named(missing)}: got a missing cell" if missing else "got numbers too large or too small"
        raise WorkshopError(f"{got}, takes a number: the pipeline of the model was fitted without such cells")
    return made


def _cell(cell: Any, name: str, known: Mapping[str, Any]) -> Any:
    """Returns a cell as a pipeline takes it: missing, it is None; a column without known categories takes numbers."""
    if isinstance(cell, str):
        text = cell.strip()
        for given in (cell, text):
            if given in known:
                return known[given]
        if text in _MISSING:
            return None
        cell = text
    elif cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell:
        return None
    elif hasattr(cell, "item"):
        cell = cell.item()
    return cell if known else _number(cell, name)


def _row_numbers(row: Sequence[Any], inputs: Sequence[Input]) -> list[float]:
    """Returns the numbers among the cells of a row."""
    _check_length(row, inputs)
    return [_number(cell, column.name) for cell, column in zip(row, inputs, strict=True) if not column.values]


def _number(cell: Any, name: str) -> float:
    """Returns a cell of a column of numbers; raises WorkshopError where it is no finite number."""
    try:
        number = float(cell)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise WorkshopError(f"{name}: got {printable(cell)}, takes a finite number")
    return number


def _check_length(row: Sequence[Any], inputs: Sequence[Input]) -> None:
    if len(row) != len(inputs):
        names = _named([column.name for column in inputs])
        raise WorkshopError(f"got {len(row)} cells, the model takes {len(inputs)}: {names}")
