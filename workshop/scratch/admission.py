"""Two exam scores, admitted or not, in NumPy: the mirror of `workshop/admission.py`.

The same data, options, figures and files, without any library for neural networks: the layers, the loss and the steps
down are those of `workshop/scratch`, written out to be read.

    python -m workshop.scratch.admission                      # both models; then look into the folder plots
    python -m workshop.scratch.admission --data YOUR.csv      # a table of numbers, the target, 0 or 1, last

Expected, as with Keras: the neuron gets 0.89 to 0.92 of the applicants right, the network 0.99 to 1.00. About 10 s on
two CPU cores. Then `python -m apps.admission`.
"""

from collections.abc import Sequence
from typing import Any

from workshop import admission as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.scratch.nn import training
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network


def build(kind: str, features: int, seed: int) -> Network:
    """Returns one neuron, or the network with 8 and 4 hidden units: (features,) -> the probability of class 1."""
    hidden = [Dense(8, "relu"), Dense(4, "relu")] if kind == "network" else []
    return Network([*hidden, Dense(1, "sigmoid")], (features,), seed)


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss="binary_crossentropy", **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on the NumPy engine; returns the metrics."""
    return lesson.main(argv, Engine("numpy", __doc__, training.prepare, build, train))


if __name__ == "__main__":
    cli.run(main)
