"""Tables for the lesson `tables`: searched, split, scaled and one-hot encoded."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.data import shared_folder, tables
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import bundle

MIN_ROWS = 20
MAX_CLASSES = 10  # more different whole numbers are a number to predict
ROWS_OF_A_CLASS = 5  # on average; with fewer, whole numbers are a number to predict


@dataclass(frozen=True)
class StandIn(tables.Table):
    """A table of scikit-learn's that stands in for the table `replaces`."""

    replaces: str = ""

    @property
    def source(self) -> str:
        """The name of the table for reports."""
        return f"{self.path} (stand-in for {self.replaces}, {len(self.rows)} rows)"


@dataclass(frozen=True)
class Task:
    """A table prepared for a model.

    Attributes:
        title: the table's name.
        name: the name of its model; for a stand-in, that of the table that it replaces.
        source: the name of the data for reports.
        is_standin: whether it stands in for another table.
        X: the inputs, float32 (rows, columns): numbers scaled to 0 to 1, texts one-hot encoded.
        y: the targets (rows,): float32 numbers or, for classes, their indices in `classes`.
        classes: the names of the classes, in order; empty where the target is a number.
        train, validation, test: the indices of the rows of each part.
        inputs: the input columns, for the card; ranges and texts are those of the training rows.
        target: the column to predict.
        scaler: the scikit-learn scaler of the columns of numbers; None without such columns.
    """

    title: str
    name: str
    source: str
    is_standin: bool
    X: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    inputs: tuple[bundle.Input, ...]
    target: bundle.Input
    scaler: Any

    @property
    def kind(self) -> str:
        """The kind of the target: "number" or "class"."""
        return "class" if self.classes else "number"


def find(name: str, standin: str) -> tables.Table:
    """Returns a table of the folder in the environment variable WORKSHOP_DATA, or else its stand-in.

    Args:
        name: "concrete" for concrete.csv.
        standin: the table of scikit-learn's that replaces it, which is printed: "diabetes" or "wine".

    Raises:
        WorkshopError: the file is there, and is no table.
    """
    path = shared_folder.shared_file(f"{name}.csv")
    if path is not None:
        return tables.read_table(path, at_least=MIN_ROWS)
    from sklearn import datasets

    print(f"Data      no {name}.csv {shared_folder.searched()}: using scikit-learn's {standin} instead")
    loaded = datasets.load_wine() if standin == "wine" else datasets.load_diabetes(scaled=False)
    target = loaded.target_names[loaded.target] if standin == "wine" else loaded.target
    rows = tuple((*map(str, row), str(value)) for row, value in zip(loaded.data, target, strict=True))
    names = (*loaded.feature_names, "target")
    return StandIn(Path(standin), names, rows, tuple(range(len(rows))), replaces=name)


def read_target(table: tables.Table, kind: str | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns y (rows,) and the names of the classes; prints the kind of target that the last column was taken for.

    Texts are classes, and so are few different whole numbers; anything else is a number to predict. Then y is float32
    and there are no names; for classes y is the index of the name.

    Args:
        table: the table.
        kind: "number" or "class", to overrule the choice.

    Raises:
        WorkshopError: the target is the same in all rows, of a class there is one row only, or it is no number.
    """
    column, name = len(table.names) - 1, table.names[-1]
    texts = table.texts(column)
    is_numeric = kind == "number" or table.is_numeric(column)
    values = table.numbers([column])[:, 0] if is_numeric else texts
    distinct, first, y = np.unique(values, return_index=True, return_inverse=True)
    detected = "class"
    if is_numeric:
        is_few = len(distinct) <= min(MAX_CLASSES, len(values) / ROWS_OF_A_CLASS)
        detected = "class" if is_few and np.all(distinct == np.round(distinct)) else "number"
    message = f"{len(distinct)} different {'numbers' if is_numeric else 'texts'} in {len(values)} rows"
    if is_numeric and not kind:
        message += f"; --target {'number' if detected == 'class' else 'class'} overrules"
    print(f"Target    {name} is taken for a {kind or detected}: {message}")
    classes = tuple(str(text) for text in texts[first])
    if (kind or detected) == "class":
        table.check_classes(np.array(classes)[y])
        return y, classes
    if len(distinct) == 1:
        raise WorkshopError(f"{table.path}, column {name}: is {classes[0]} in all rows, takes numbers that differ")
    return values, ()


def prepare(table: tables.Table, seed: int, kind: str | None, units: Mapping[str, str]) -> Task:
    """Splits the rows 70:10:20, scales the columns of numbers and encodes those of texts; prints what it leaves out.

    A column of texts that are nearly all different is left out. A text that no training row has is 0 in all columns.

    Args:
        table: features first, the target last.
        seed: the seed of the split.
        kind: "number" or "class", to overrule the choice of `read_target`.
        units: the units of the columns, by name.

    Raises:
        WorkshopError: as `read_target`; or no column is left.
    """
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    y, classes = read_target(table, kind)
    # The test rows have each class in its proportion, unless one is too rare to be split.
    stratify = y if classes and np.bincount(y).min() >= ROWS_OF_A_CLASS else None
    others, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=seed, stratify=stratify)
    train, validation = train_test_split(others, test_size=0.125, random_state=seed)
    if classes and len(np.unique(y[train])) < 2:
        raise WorkshopError(
            f"{table.path}, column {table.names[-1]}: the rows to train on are all of class {classes[y[train][0]]}, "
            f"takes more rows of the others"
        )
    features = range(len(table.names) - 1)
    numeric = [column for column in features if table.is_numeric(column)]
    numbers = table.numbers(numeric)
    scaler = MinMaxScaler().fit(numbers[train]) if numeric else None
    scaled = scaler.transform(numbers) if scaler else numbers
    inputs, columns = [], []
    for column in features:
        title = table.names[column]
        if column in numeric:
            at = numeric.index(column)
            low, high = (float(f"{end:.6g}") for end in (numbers[train, at].min(), numbers[train, at].max()))
            inputs.append(bundle.Input(title, units.get(title, ""), low, high))
            columns.append(scaled[:, [at]])
            continue
        texts = table.texts(column)
        every, values = np.unique(texts), np.unique(texts[train])
        if len(every) > len(texts) / 2:
            print(f"Note      {title} is left out: {len(every)} different texts in {len(texts)} rows tell nothing")
            continue
        if len(values) < len(every):
            unseen = textwrap.shorten(", ".join(np.setdiff1d(every, values)), 60, placeholder=" ...")
            print(f"Note      {title}: no training row has {unseen}, which is 0 in all of its columns")
        inputs.append(bundle.Input(title, values=tuple(values.tolist())))
        columns.append(texts[:, None] == values)
    if not inputs:
        raise WorkshopError(f"{table.path}: no column is left to predict {table.names[-1]} from, takes one or more")
    target = bundle.Input(table.names[-1], units.get(table.names[-1], ""))
    X = np.concatenate(columns, axis=1).astype(np.float32)
    title = table.path.stem
    name = table.replaces if isinstance(table, StandIn) else title
    return Task(
        title,
        name,
        table.source,
        isinstance(table, StandIn),
        X,
        y,
        classes,
        train,
        validation,
        test,
        tuple(inputs),
        target,
        scaler,
    )


def check_name(path: FilePath, models: FilePath) -> None:
    """Raises WorkshopError unless the name of a file, without its ending, can be that of its model in `models`.

    It must be a plain name, and not that of a model of another lesson, which would be replaced.
    """
    name = Path(path).stem
    if not re.fullmatch(r"\w[\w-]*", name):
        raise WorkshopError(f"--data {path}: the model gets its name, takes letters, digits, _ and -: rename the file")
    for model in (Path(models) / f"{name}.h5", files.shipped("models") / f"{name}.h5"):
        if not model.exists():
            continue
        try:
            bundle.read_inputs(model, ["tables"])
        except WorkshopError as error:
            raise WorkshopError(
                f"--data {path}: the model gets its name, which is taken ({error}): rename the file"
            ) from error
