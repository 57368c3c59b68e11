"""One neuron decides, in PyTorch: the mirror of `workshop/logistic_regression.py`.

The same data, options, figures and files; the neuron is PyTorch's. It is trained on what goes into its sigmoid
(logits): cross-entropy of the two together does not overflow, as the lesson's saturated neuron shows.

    python -m workshop.pytorch.logistic_regression                      # then look into the folder plots
    python -m workshop.pytorch.logistic_regression --data YOUR.csv      # numbers, then a target that is 0 or 1

Expected, as with Keras: at least 96 % of the test cases right. About 12 s on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import logistic_regression as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build(features: int, seed: int) -> Any:
    """Returns one neuron with a sigmoid: (features,) -> the probability of class 1."""
    torch.manual_seed(seed)
    return training.new_model([nn.Linear(features, 1), nn.Sigmoid()], (features,))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss=nn.BCEWithLogitsLoss(), **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
