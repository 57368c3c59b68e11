"""A network that writes, in PyTorch: the mirror of `workshop/text_generation.py`.

The same text, options, figures and files; the layers are PyTorch's, and so are the steps: see `pytorch/training.py` for
the training loop and `pytorch/recurrent.py` for what differs between the two LSTMs.

    python -m workshop.pytorch.text_generation                      # Alice's Adventures in Wonderland
    python -m workshop.pytorch.text_generation --data YOUR.txt      # any text in UTF-8
    python -m workshop.pytorch.text_generation --quick              # a first look, in seconds

Expected, as with Keras: at most 2.3 bits per character on the last tenth of the book, within a minute on two CPU cores.
"""

from collections.abc import Sequence
from typing import Any

from workshop import text_generation as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, training


def build(characters: int, units: int, layers: int, seed: int) -> Any:
    """Returns the model: numbers of characters (steps,) -> probabilities of the next one (steps, characters)."""
    from workshop.pytorch.kit.recurrent import EmbeddingAsKeras, LSTMAsKeras

    torch.manual_seed(seed)
    embedding = EmbeddingAsKeras(characters, units // 2)
    nn.init.normal_(embedding.weight)  # as nn.Embedding does: wide apart from the start
    sizes = [units // 2, *[units] * (layers - 1)]
    modules = [
        embedding,
        *[LSTMAsKeras(size, units, return_sequences=True) for size in sizes],
        nn.Linear(units, characters),
        nn.Softmax(dim=-1),
    ]
    return training.new_model(modules, (lesson.WINDOW,))


def train(*arguments: Any, **options: Any) -> Any:
    """Fits the model: see `training.fit`."""
    return training.fit(*arguments, loss=nn.CrossEntropyLoss(), **options)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
