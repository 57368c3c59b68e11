"""Tables for the lesson `tables`: searched, split, imputed, scaled and one-hot encoded."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import files
from workshop.kit.data import shared_folder, tables
from workshop.kit.data.table import columns as kinds
from workshop.kit.data.table.columns import Column
from workshop.kit.data.table.layout import listed, short
from workshop.kit.data.table.numerals import MAX_NUMBER
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import bundle

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.compose import ColumnTransformer

MIN_ROWS = 5  # two to test on, one to validate on
SMALL_TABLE = 20  # with fewer, the result depends on which rows are tested on
NEARLY_ALL = 0.95  # of the rows are of one class: few are left to learn the others from
MISSING = "missing"  # the text that stands for a missing one
MAX_CLASSES = 10  # more different whole numbers are a number to predict
ROWS_OF_A_CLASS = 5  # on average; with fewer, whole numbers are a number to predict


@dataclass(frozen=True)
class Task:
    """A table prepared for a model.

    Attributes:
        title: the table's name, as far as a file may be called so.
        name: the name of its model; for a stand-in, that of the table that it replaces.
        source: the name of the data for reports.
        is_standin: whether it stands in for another table.
        X: the inputs, float32 (rows, columns): first the numbers, scaled to 0 to 1, then the texts, one-hot encoded.
        y: the targets (rows,): float32 numbers or, for classes, their indices in `classes`.
        classes: the names of the classes, in order; empty where the target is a number.
        train, validation, test: the indices of the rows of each part.
        inputs: the input columns in the order of the table, for the card; ranges and texts are those of the training
            rows.
        target: the column to predict.
        scaler: what imputes, scales and encodes the input columns, fitted on the training rows.
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
    scaler: ColumnTransformer

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
    return tables.Table(Path(standin), names, rows, tuple(range(len(rows))), standin_for=name)


def read_target(table: tables.Table, kind: str | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns y (rows,) and the names of the classes; prints the kind of target that the last column was taken for.

    Texts are classes, and so are few different whole numbers; anything else is a number to predict. Then y is float32
    and there are no names; for classes y is the index of the name.

    Args:
        table: the table; no cell of the target is missing.
        kind: "number" or "class", to overrule the choice.

    Raises:
        WorkshopError: the target is the same in all rows, or it is no number.
    """
    column, name = table.columns[-1], table.names[-1]
    is_numeric = kind == "number" or column.is_numeric
    if is_numeric and column.kind not in ("date", "time"):
        table.numbers([len(table.names) - 1])  # names a cell that is none
    values = column.values if is_numeric else column.texts.astype(str)
    distinct, first, y = np.unique(values, return_index=True, return_inverse=True)
    detected = "class"
    if is_numeric:
        is_few = len(distinct) <= min(MAX_CLASSES, len(values) / ROWS_OF_A_CLASS)
        detected = "class" if is_few and np.all(distinct == np.round(distinct)) else "number"
    message = f"{len(distinct)} different {'numbers' if is_numeric else 'texts'} in {len(values)} rows"
    if is_numeric and not kind:
        message += f"; --target-kind {'number' if detected == 'class' else 'class'} overrules"
    print(f"Target    {name} is taken for a {kind or detected}: {message}")
    classes = tuple(str(text) for text in column.texts[first])
    if (kind or detected) == "class":
        table.check_classes(np.array(classes)[y], at_least=1)
        if len(classes) == len(y):
            raise WorkshopError(f"{table.path}, column {name}: every row is of another class, takes several of a class")
        share = np.bincount(y).max() / len(y)
        if share > NEARLY_ALL:
            others = _other_targets(table)
            more = f"; --target names another column, such as {others}" if others else ""
            note = f"{share:.1%} of the rows are of one class: a model that predicts no other is as often right"
            print(f"Note      {note}{more}")
        return y, classes
    if len(distinct) == 1:
        raise WorkshopError(f"{table.path}, column {name}: is {classes[0]} in all rows, takes numbers that differ")
    return values.astype(np.float32), ()


def check_target(table: tables.Table, kind: str | None = None) -> tables.Table:
    """Returns the table without the rows whose target is missing; prints which they are.

    Raises:
        WorkshopError: the target cannot be predicted; the message names columns that can.
    """
    column = table.columns[-1]
    missing = table.missing_target()
    if column.is_numeric:
        for note in column.notes:
            print(f"Note      {column.name}: {note}")
        tables.print_odd_cells(table, column)
    reason = _why_no_target(column, kind)
    if reason:
        others = _other_targets(table)
        better = f"--target names another column: {others}" if others else "no other column can be predicted either"
        raise WorkshopError(f"{table.path}, column {short(column.name)}: cannot be predicted, as {reason}; {better}")
    table = table.with_target(missing)
    if len(table.rows) < MIN_ROWS:
        raise WorkshopError(f"{table.path}: has {len(table.rows)} rows with a target, takes {MIN_ROWS} or more")
    return table


def _other_targets(table: tables.Table) -> str:
    """Returns the names of columns before the last that can be predicted."""
    return listed([column.name for column in table.columns[:-1] if not _why_no_target(column)])


def _why_no_target(column: Column, kind: str | None = None) -> str:
    """Returns why a column cannot be predicted, in words that follow "as"; nothing where it can."""
    if column.kind in ("date", "time") and not kind:
        return f"it is a {column.kind}"
    if kind == "class" and len(column.present):
        return ""
    return kinds.tells_nothing(column)


def split_rows(y: np.ndarray, has_classes: bool, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the indices of the rows to train, to validate and to test on, 70:10:20.

    The test rows have each class in its proportion, unless one is too rare to be split. Each class has a row to train
    on, and a class with one row has it there.
    """
    from sklearn.model_selection import train_test_split

    rows, alone = np.arange(len(y)), np.array([], int)
    if has_classes:
        is_alone = np.bincount(y)[y] == 1
        rows, alone = rows[~is_alone], rows[is_alone]
    if len(rows) < MIN_ROWS:
        rows, alone = np.arange(len(y)), np.array([], int)
    # Of one row no R2 can be computed.
    test_size = 2 if len(rows) < 10 else 0.2
    counts = np.bincount(y[rows]) if has_classes else np.array([0])
    stratify = y[rows] if has_classes and counts[counts > 0].min() >= ROWS_OF_A_CLASS else None
    others, test = train_test_split(rows, test_size=test_size, random_state=seed, stratify=stratify)
    train, validation = train_test_split(others, test_size=0.125, random_state=seed)
    train = np.concatenate([train, alone])
    if not has_classes:
        return train, validation, test
    for missing in np.setdiff1d(y, y[train]):
        for part in ("validation", "test"):
            held_out = validation if part == "validation" else test
            of_class = held_out[y[held_out] == missing]
            if not len(of_class) or len(held_out) == 1:
                continue
            train, rest = np.append(train, of_class[0]), held_out[held_out != of_class[0]]
            validation, test = (rest, test) if part == "validation" else (validation, rest)
            break
    return train, validation, test


def prepare(table: tables.Table, seed: int, kind: str | None, units: Mapping[str, str]) -> Task:
    """Splits the rows, imputes, scales the columns of numbers and encodes those of texts; prints what is not plain.

    Missing numbers are the median of the training rows, missing texts a text of their own. Identifiers, columns that
    are the same in all rows and texts that are nearly all different are left out. A text that no training row has is 0
    in all columns.

    Args:
        table: features first, the target last.
        seed: the seed of the split.
        kind: "number" or "class", to overrule the choice of `read_target`.
        units: the units of the columns, by name.

    Raises:
        WorkshopError: as `read_target`; the target cannot be predicted; or no column is left.
    """
    table = check_target(table, kind)
    *features, target = table.columns
    y, classes = read_target(table, kind)
    train, validation, test = split_rows(y, bool(classes), seed)
    if len(y) < SMALL_TABLE:
        print(f"Note      {len(y)} rows are few: {len(test)} of them to test on tell little")
    features = _choose(table, features, train)
    if not features:
        raise WorkshopError(f"{table.path}: no column is left to predict {table.names[-1]} from, takes one or more")
    frame = as_frame(features)
    transformer = make_transformer(features).fit(frame.iloc[train])
    inputs = _describe(features, transformer, train, units)
    _print_imputed(features)
    title = file_name(table.path)
    return Task(
        title,
        table.standin_for or title,
        table.source,
        bool(table.standin_for),
        transformer.transform(frame).astype(np.float32),
        y,
        classes,
        train,
        validation,
        test,
        inputs,
        bundle.Input(table.names[-1], units.get(table.names[-1], target.unit)),
        transformer,
    )


def _choose(table: tables.Table, features: Sequence[Column], train: np.ndarray) -> list[Column]:
    """Returns the columns that tell a model something; prints which are left out, and how the others were read."""
    chosen, left_out = [], []
    for column in features:
        present = ~np.isnan(column.values) if column.is_numeric else ~column.missing
        reason = kinds.tells_nothing(column)
        if not reason and not present[train].any():
            reason = "every cell of the training rows is missing"
        if not reason and column.is_numeric and np.abs(column.present).max() > MAX_NUMBER:
            numbers = column.present
            if np.any(numbers != np.round(numbers)) or len(np.unique(numbers)) < len(numbers):
                table.numbers([table.names.index(column.name)])  # which names the cell
            reason = f"it is an identifier, {len(numbers)} different numbers as long as those of cards or parcels"
        if reason:
            left_out.append((column, reason))
            continue
        for note in column.notes:
            print(f"Note      {column.name}: {note}")
        if column.is_numeric:
            tables.print_odd_cells(table, column)
        chosen.append(column)
    if not chosen:
        # Texts of which some stand in two rows are better than nothing.
        texts = [column for column, _ in left_out if column.kind == "text" and not kinds.is_identifier(column)]
        chosen = [column for column in texts if 1 < len(set(column.texts[train].tolist())) < len(train)]
    for column, reason in left_out:
        if column not in chosen:
            print(f"Note      {column.name} is left out: {reason}")
    return chosen


def as_frame(columns: Sequence[Column]) -> pd.DataFrame:
    """Returns columns as a DataFrame: numbers in single precision, texts as objects, NaN where a cell is missing.

    Dates, and numbers far from 0 for their range, are in double precision: scaled, they would lose digits.
    """
    import pandas as pd

    series = {}
    for column in columns:
        if column.is_numeric:
            is_far = column.kind == "date" or np.ptp(column.present) < np.abs(column.present).max() / 100
            series[column.name] = pd.Series(column.values, dtype=np.float64 if is_far else np.float32)
        else:
            series[column.name] = pd.Series(np.where(column.missing, np.nan, column.texts), dtype=object)
    return pd.DataFrame(series)


def make_transformer(columns: Sequence[Column]) -> ColumnTransformer:
    """Returns what makes a network's inputs of a DataFrame with these columns; it is to be fitted.

    Numbers: imputed by the median, scaled to 0 to 1. Texts: imputed by a text of their own, one-hot encoded; a text
    that it was not fitted on is 0 in all columns.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

    numbers = [column.name for column in columns if column.is_numeric]
    texts = [column.name for column in columns if not column.is_numeric]
    impute_and_scale = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", MinMaxScaler())])
    impute_and_encode = Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value=MISSING)),
            ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)),
        ]
    )
    steps = [("numbers", impute_and_scale, numbers), ("texts", impute_and_encode, texts)]
    return ColumnTransformer([step for step in steps if step[2]], remainder="drop")


def _describe(
    columns: Sequence[Column], transformer: ColumnTransformer, train: np.ndarray, units: Mapping[str, str]
) -> tuple[bundle.Input, ...]:
    """Returns the columns for the card, with the ranges and texts of the training rows; prints texts of others."""
    categories = {}
    if "texts" in transformer.named_transformers_:
        encoder = transformer.named_transformers_["texts"].named_steps["encode"]
        names = [column.name for column in columns if not column.is_numeric]
        categories = dict(zip(names, encoder.categories_, strict=True))
    inputs = []
    for column in columns:
        unit = units.get(column.name, column.unit)
        if column.is_numeric:
            values = column.values[train].astype(np.float32)
            low, high = (float(f"{end:.6g}") for end in (np.nanmin(values), np.nanmax(values)))
            inputs.append(bundle.Input(column.name, unit, low, high))
            continue
        values = categories[column.name].tolist()
        unseen = sorted(set(column.present.tolist()) - set(values))
        if unseen:
            shown = textwrap.shorten(", ".join(unseen), 60, placeholder=" ...")
            print(f"Note      {column.name}: no training row has {shown}, which is 0 in all of its columns")
        inputs.append(bundle.Input(column.name, values=tuple(values)))
    return tuple(inputs)


def _print_imputed(columns: Sequence[Column]) -> None:
    """Prints in which columns cells are missing, how many, and what stands in for them."""
    for are_numeric, filled in ((True, "the median of the training rows"), (False, f'the text "{MISSING}"')):
        counts = [
            f"{column.name} {count}"
            for column in columns
            if column.is_numeric == are_numeric and (count := int(column.missing.sum()))
        ]
        if counts:
            print(f"Note      missing cells, taken for {filled}: {listed(counts, 20)}")


def file_name(path: FilePath) -> str:
    """Returns the name of a file without its ending and without signs that a model's name has not.

    Letters lose their accents; "données 2.v1" becomes "donnees_2_v1".
    """
    stem = unicodedata.normalize("NFKD", Path(path).stem)
    plain = "".join(letter for letter in stem if not unicodedata.combining(letter))
    name = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", plain)).strip("_-")
    return name[:_MAX_NAME].strip("_-") or "table"


_MAX_NAME = 100  # characters: a file's name holds 255 bytes, and plots and backups add to it


def check_name(path: FilePath, models: FilePath) -> str:
    """Returns the name of the model of a table, to be saved in `models`; prints it where it is not the file's name.

    It is a plain name, and not that of a model of another lesson, which would be replaced.
    """
    name = wanted = file_name(path)
    reason = f"as a model is called by letters, digits, _ and -, at most {_MAX_NAME}"
    while _is_taken(name, models):
        reason = f"as {name} is a model of another lesson"
        name = f"{wanted}-table" if name == wanted else f"{name}_"
    if name != Path(path).stem:
        print(f"Note      the model is named {name}, {reason}")
    return name


def _is_taken(name: str, models: FilePath) -> bool:
    """Returns whether another lesson has a model of this name, in the folder or among the shipped ones."""
    for model in (Path(models) / f"{name}.h5", files.shipped("models") / f"{name}.h5"):
        if not model.exists():
            continue
        try:
            bundle.read_inputs(model, ["tables"])
        except WorkshopError:
            return True
    return False
