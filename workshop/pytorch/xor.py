"""Exclusive or, in PyTorch: the mirror of `workshop/xor.py`.

The same gates, points, options, figures and files; the trained networks are PyTorch's, and so are the steps: see
`pytorch/training.py` for the training loop.

    python -m workshop.pytorch.xor                        # all parts; then look into the folder plots
    python -m workshop.pytorch.xor --data YOUR.csv        # two features and a target, in place of the noisy points

Expected, as with Keras: the trained network answers 0, 1, 1, 0; of 1,000 fresh noisy points one hidden unit gets at
most 80 % right, four get at least 99 %. About 15 s on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import xor as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build(hidden_units: int, seed: int) -> Any:
    """Returns the network: 2 -> hidden_units, sigmoid -> one number, linear."""
    torch.manual_seed(seed)
    return training.new_model([nn.Linear(2, hidden_units), nn.Sigmoid(), nn.Linear(hidden_units, 1)], (2,))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss=nn.MSELoss(), **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
