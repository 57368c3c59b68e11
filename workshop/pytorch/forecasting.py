"""What comes next, forecast by an LSTM, in PyTorch: the mirror of `workshop/forecasting.py`.

The same series, windows, options, figures and files; the network is PyTorch's, and so are the steps: see
`pytorch/training.py` for the training loop. PyTorch's own LSTM has two biases where Keras has one, starts with other
weights and returns two things, which no `nn.Sequential` can pass on: `pytorch/recurrent.py` has the wrapper that levels
this.

    python -m workshop.pytorch.forecasting                    # sunspots; then look into the folder plots
    python -m workshop.pytorch.forecasting --data YOUR.csv    # the date in the first column, a number in the last

Expected, as with Keras: over twelve months the LSTM is off by about 25 sunspots (root mean squared error on the last
fifth of the series), the naive forecast by 32, the linear model by 26. About 10 s on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import forecasting as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build(window: int, horizon: int, seed: int) -> Any:
    """Returns the network: (window, 1) -> an LSTM's last state, 32 numbers -> the changes up to each step ahead."""
    from workshop.pytorch.kit.recurrent import LSTMAsKeras

    torch.manual_seed(seed)
    return training.new_model([LSTMAsKeras(1, lesson.UNITS), nn.Linear(lesson.UNITS, horizon)], (window, 1))


def train(model: Any, X: Any, y: Any, *arguments: Any, **options: Any) -> Any:
    """Fits the network on X (windows, window, 1) and y (windows, horizon): see `training.fit`."""
    return training.fit(model, X, y, *arguments, loss=nn.MSELoss(), **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
