"""Tables for the lesson `tables`: where they are searched, what stands in for them, and what is to be predicted."""

import os
from pathlib import Path

import numpy as np

from workshop.kit import data
from workshop.kit.errors import WorkshopError

FEWEST_ROWS = 20
MOST_CLASSES = 10  # more different whole numbers are taken for a number
ROWS_OF_A_CLASS = 5  # on average: fewer, and the whole numbers are taken for a number too


def find(name: str, standin: str) -> tuple[data.Table, str]:
    """Returns the table `name` from the folder in the environment variable WORKSHOP_DATA, or else its stand-in.

    Args:
        name: "concrete" for concrete.csv.
        standin: the table of scikit-learn's that replaces it, "diabetes" or "wine". It is announced.

    Returns:
        The table, and what the run says that it is: "diabetes (stand-in for concrete)".

    Raises:
        WorkshopError: the file is there, and is no table.
    """
    folder = os.environ.get("WORKSHOP_DATA")
    if folder and (Path(folder) / f"{name}.csv").is_file():
        table = data.read_table(Path(folder) / f"{name}.csv", at_least=FEWEST_ROWS)
        return table, table.source
    from sklearn import datasets

    where = f"in WORKSHOP_DATA={folder}" if folder else "here (WORKSHOP_DATA names no folder)"
    print(f"Data      no {name}.csv {where}: using scikit-learn's {standin} instead")
    found = datasets.load_wine() if standin == "wine" else datasets.load_diabetes(scaled=False)
    target = found.target_names[found.target] if standin == "wine" else found.target
    rows = tuple((*map(str, row), str(value)) for row, value in zip(found.data, target, strict=True))
    names = (*found.feature_names, "target")
    return data.Table(Path(standin), names, rows, tuple(range(len(rows)))), f"{standin} (stand-in for {name})"


def read_target(table: data.Table, kind: str | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns y (rows,) and the names of the classes; says in a line what the last column was taken for.

    Texts are classes, and so are whole numbers of which there are few; anything else is a number to predict. Then y is
    float32 and there are no names; of classes y is the place in the names.

    Args:
        table: the table.
        kind: "number" or "class", to overrule what is found.

    Raises:
        WorkshopError: the target is the same in all rows, of a class there is one row only, or it is no number.
    """
    column, name = len(table.names) - 1, table.names[-1]
    texts = table.texts(column)
    is_numeric = kind == "number" or table.is_numeric(column)
    values = table.numbers([column])[:, 0] if is_numeric else texts
    distinct, first, y = np.unique(values, return_index=True, return_inverse=True)
    found = "class"
    if is_numeric:
        is_few = len(distinct) <= min(MOST_CLASSES, len(values) / ROWS_OF_A_CLASS)
        found = "class" if is_few and np.all(distinct == np.round(distinct)) else "number"
    said = f"{len(distinct)} different {'numbers' if is_numeric else 'texts'} in {len(values)} rows"
    overruled_by = f"; --target {'number' if found == 'class' else 'class'} overrules" * (is_numeric and not kind)
    print(f"Target    {name}, taken for a {kind or found}: {said}{overruled_by}")
    classes = tuple(str(text) for text in texts[first])
    if (kind or found) == "class":
        table.check_classes(np.array(classes)[y])
        return y, classes
    if len(distinct) == 1:
        raise WorkshopError(f"{table.path}, column {name}: is {classes[0]} in all rows, takes numbers that differ")
    return values, ()
