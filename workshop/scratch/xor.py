"""Exclusive or, in NumPy: the mirror of `workshop/xor.py`.

The same gates, points, options, figures and files; forward, backward and the step down are those of `workshop/scratch`.

    python -m workshop.scratch.xor                        # all parts; then look into the folder plots
    python -m workshop.scratch.xor --data YOUR.csv        # two features and a target, in place of the noisy points

Expected, as with Keras: the trained network answers 0, 1, 1, 0; of 1,000 fresh noisy points one hidden unit gets at
most 80 % right, four get at least 99 %. About 10 s on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import xor as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.scratch.nn import training
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network


def build(hidden_units: int, seed: int) -> Network:
    """Returns the network: 2 -> hidden_units, sigmoid -> one number, linear."""
    return Network([Dense(hidden_units, "sigmoid"), Dense(1)], (2,), seed)


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss="mean_squared_error", **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train))


if __name__ == "__main__":
    cli.run(main)
