"""Any table with a number or a class to predict, in NumPy: the mirror of `workshop/tables.py`.

The same tables, options, figures and files; forward, backward and the step down are those of `workshop/scratch`.

    python -m workshop.scratch.tables                         # concrete and cars; then look into the folder plots
    python -m workshop.scratch.tables --data YOUR.csv         # any CSV: a header line, the target in the last column

Expected, as with Keras: concrete within 6 MPa (root mean squared error on the test rows), at least 97 % of the test
cars right. About 15 s on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import tables as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.scratch.nn import training
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network


def build(columns: int, classes: int, seed: int) -> Network:
    """Returns the network: (columns,) -> 128 -> 128 -> one number, or the probabilities of the classes."""
    output = Dense(classes, "softmax") if classes else Dense(1)
    return Network([Dense(128, "relu"), Dense(128, "relu"), output], (columns,), seed)


def train(network: Network, X: Any, y: Any, *arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`. y is one number a row or, one-hot, a class."""
    loss = "mean_squared_error" if y.shape[1] == 1 else "categorical_crossentropy"
    return training.fit(network, X, y, *arguments, loss=loss, **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train))


if __name__ == "__main__":
    cli.run(main)
