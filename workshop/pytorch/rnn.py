"""An image read row by row, in PyTorch: the mirror of `workshop/rnn.py`.

The same images, options, figures and files; the layers are PyTorch's, and so are the steps: see `pytorch/training.py`
for the training loop, in which gradients are clipped as well. PyTorch's own nn.RNN, nn.LSTM and nn.GRU have two biases,
start with other weights and return two things, which no `nn.Sequential` can pass on: `pytorch/recurrent.py` has the
wrappers that level this. What the lesson shows of the cells before it trains is not repeated here.

    python -m workshop.pytorch.rnn                              # the three, compared; then look into the folder plots
    python -m workshop.pytorch.rnn --cell lstm --read last      # one of them, which answers from its last state alone
    python -m workshop.pytorch.rnn --quick                      # a first look, in seconds

Expected, as with Keras: SimpleRNN at least 97 % of the test images right, LSTM and GRU at least 98.5 %, all three
within a minute on two CPU cores.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from workshop import rnn as lesson
from workshop.kit import cli
from workshop.kit.data import images as image_data
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build(cell: str, arguments: argparse.Namespace, seed: int) -> Any:
    """Returns a network: (28 rows, 28 pixels) -> recurrent layers -> its last state, or all 28 -> 10 probabilities."""
    from workshop.pytorch.kit import recurrent

    torch.manual_seed(seed)
    kinds = {"simple": recurrent.RNNAsKeras, "lstm": recurrent.LSTMAsKeras, "gru": recurrent.GRUAsKeras}
    layers, units, reads_all = arguments.layers, arguments.units, arguments.read == "all"
    modules = [
        kinds[cell](units if i else 28, units, return_sequences=reads_all or i < layers - 1) for i in range(layers)
    ]
    modules += [nn.Flatten()] if reads_all else []
    modules += [nn.Linear(28 * units if reads_all else units, 10), nn.Softmax(dim=1)]
    return training.new_model(modules, (28, 28))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits a network: see `training.fit`."""
    return training.fit(*arguments, loss=nn.CrossEntropyLoss(), preprocess=image_data.scale_pixels, **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
