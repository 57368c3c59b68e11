"""Two exam scores, admitted or not, in PyTorch: the mirror of `workshop/admission.py`.

The same data, options, figures and files; the models are PyTorch's, and so are the steps: see `pytorch/training.py` for
the training loop. Each model ends in a sigmoid, which is what a program wants to ask; it is trained on what goes into
the sigmoid (logits), because cross-entropy of the two together does not overflow.

    python -m workshop.pytorch.admission                      # both models; then look into the folder plots
    python -m workshop.pytorch.admission --data YOUR.csv      # a table of numbers, the target, 0 or 1, last

Expected, as with Keras: the neuron gets 0.89 to 0.92 of the applicants right, the network 0.99 to 1.00. About 15 s on
two CPU cores. Then `python -m apps.admission`.
"""

from collections.abc import Sequence
from typing import Any

from workshop import admission as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build_neuron(features: int = 2) -> list[Any]:
    """Returns one neuron: (features,) -> the probability of class 1."""
    return [nn.Linear(features, 1), nn.Sigmoid()]


def build_network(features: int = 2, hidden_units: Sequence[int] = (8, 4)) -> list[Any]:
    """Returns the network: (features,) -> 8 -> 4 -> the probability of class 1."""
    first, second = hidden_units
    return [nn.Linear(features, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), *build_neuron(second)]


def build(kind: str, features: int, seed: int) -> Any:
    """Returns one of the models with the weights that the seed gives it."""
    torch.manual_seed(seed)
    return training.new_model({"neuron": build_neuron, "network": build_network}[kind](features), (features,))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss=nn.BCEWithLogitsLoss(), **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
