"""Any table with a number or a class to predict, in PyTorch: the mirror of `workshop/tables.py`.

The same tables, options, figures and files; the network is PyTorch's, and so are the steps: see `pytorch/training.py`
for the training loop. A network for classes ends in a softmax and is trained on what goes into it (logits).

    python -m workshop.pytorch.tables                         # concrete and cars; then look into the folder plots
    python -m workshop.pytorch.tables --data YOUR.csv         # any CSV: a header line, the target in the last column

Expected, as with Keras: concrete within 6 MPa (root mean squared error on the test rows), at least 97 % of the test
cars right. About 40 s on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import tables as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build(columns: int, classes: int, seed: int) -> Any:
    """Returns the network: (columns,) -> 128 -> 128 -> one number, or the probabilities of the classes."""
    torch.manual_seed(seed)
    hidden = [nn.Linear(columns, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()]
    output = [nn.Linear(128, classes), nn.Softmax(dim=1)] if classes else [nn.Linear(128, 1)]
    return training.new_model([*hidden, *output], (columns,))


def train(model: Any, X: Any, y: Any, *arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`. y is one number a row or, one-hot, a class."""
    loss = nn.MSELoss() if y.shape[1] == 1 else nn.CrossEntropyLoss()
    return training.fit(model, X, y, *arguments, loss=loss, **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
