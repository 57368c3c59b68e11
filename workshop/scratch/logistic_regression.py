"""One neuron decides, in NumPy: the mirror of `workshop/logistic_regression.py`.

The same data, options, figures and files; forward, backward and the step down are those of `workshop/scratch`. The
gradient of cross-entropy and sigmoid together is p - t: see `losses.py`.

    python -m workshop.scratch.logistic_regression                      # then look into the folder plots
    python -m workshop.scratch.logistic_regression --data YOUR.csv      # numbers, then a target that is 0 or 1

Expected, as with Keras: at least 96 % of the test cases right. About 10 s on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import logistic_regression as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.scratch.nn import training
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network


def build(features: int, seed: int) -> Network:
    """Returns one neuron with a sigmoid: (features,) -> the probability of class 1."""
    return Network([Dense(1, "sigmoid")], (features,), seed)


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss="binary_crossentropy", **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train))


if __name__ == "__main__":
    cli.run(main)
