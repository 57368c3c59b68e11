"""One neuron draws a line, in PyTorch: the mirror of `workshop/linear_regression.py`.

The same data, options, figures and files; the neuron is `nn.Linear`, and the steps are PyTorch's: see
`pytorch/training.py` for the training loop.

    python -m workshop.pytorch.linear_regression                      # all parts; then look into the folder plots
    python -m workshop.pytorch.linear_regression --part features --data YOUR.csv
    python -m workshop.pytorch.linear_regression --part descents          # batch sizes, rates, stopping, outputs

Expected, as with Keras: the line says 27 for 13 and -9 for -5, within 0.05; the weights of the houses agree with the
normal equation within 0.001; unscaled features diverge, scaled ones explain at least 90 % of the variance of the test
prices (R2), also at the rate that the validation rows choose; stopped early, the best epoch's weights are kept. About
20 s on two CPU cores. Then `python -m apps.house_price`.
"""

from collections.abc import Sequence
from typing import Any

from workshop import linear_regression as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build(features: int, outputs: int, seed: int) -> Any:
    """Returns one neuron for each output, without an activation: (features,) -> w1 x1 + w2 x2 + ... + b."""
    torch.manual_seed(seed)
    return training.new_model([nn.Linear(features, outputs)], (features,))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a model: see `training.fit`."""
    return training.fit(*arguments, loss=nn.MSELoss(), **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
