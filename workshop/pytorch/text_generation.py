"""Text generation, in PyTorch: the mirror of `workshop/text_generation.py`.

The same text, options, metrics, plots and files. PyTorch's own nn.LSTM returns two things, has two biases and starts
with other weights; `LSTMAsKeras` of `pytorch/kit/recurrent.py` holds one and acts as Keras' LSTM does. The loss
takes logits: the softmax is added when the model is saved.

    python -m workshop.pytorch.text_generation                      # Alice's Adventures in Wonderland
    python -m workshop.pytorch.text_generation --data YOUR.txt      # any text in UTF-8
    python -m workshop.pytorch.text_generation --quick              # a first look, in seconds

Expected, as with Keras: at most 2.3 bits per character on the last tenth of the book, within a minute on two CPU cores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop.figures import text_generation as figures
from workshop.kit import cli
from workshop.kit.data import text
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.recurrent import EmbeddingAsKeras, LSTMAsKeras
from workshop.pytorch.kit.state import TrainingState
from workshop.scratch.nn.network import Network
from workshop.text_generation import WINDOW, compare, make_recipe, parse, predict_next, print_samples, split


class LanguageModel(nn.Module):
    """Numbers of characters (n, steps) -> embedding -> LSTM layers -> logits of the next ones (n, steps, characters).

    Args:
        characters: in the vocabulary.
        units: of each LSTM layer.
        layers: LSTM layers, stacked.
    """

    def __init__(self, characters: int, units: int, layers: int) -> None:
        super().__init__()
        self.embedding = EmbeddingAsKeras(characters, units // 2)
        nn.init.normal_(self.embedding.weight)  # as nn.Embedding does: wide apart from the start
        self.lstm = nn.ModuleList()
        for i in range(layers):
            self.lstm.append(LSTMAsKeras(units if i else units // 2, units, return_sequences=True))
        self.output = nn.Linear(units, characters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits at every step."""
        x = self.embedding(x)
        for layer in self.lstm:
            x = layer(x)
        return self.output(x)


def build(characters: int, units: int, layers: int, seed: int) -> LanguageModel:
    """Returns the model; its weights are drawn as Keras draws them."""
    torch.manual_seed(seed)
    network = LanguageModel(characters, units, layers)
    initialize_as_keras(network)
    return network.to(device.choose_device())


def train(network: nn.Module, loader: DataLoader, state: TrainingState) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = nn.CrossEntropyLoss()
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    for _epoch in state.epochs(optimizer, scheduler, loader):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            logits = network(inputs)
            # The loss takes one row for each prediction: (n, steps, characters) -> (n * steps, characters).
            loss = criterion(logits.flatten(0, 1), targets.flatten())
            loss.backward()
            optimizer.step()
            scheduler.step()
            state.log(len(inputs), loss=loss)


@torch.no_grad()
def evaluate(network: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """Returns the bits per character and the accuracy, on the second half of each window.

    In the first half the model has read too little to predict well.
    """
    network.eval()
    criterion = nn.CrossEntropyLoss(reduction="sum")
    torch_device = next(network.parameters()).device
    loss = 0.0
    correct = total = 0
    for inputs, targets in loader:
        logits = network(inputs.to(torch_device))[:, WINDOW // 2 :].flatten(0, 1).cpu()
        targets = targets[:, WINDOW // 2 :].flatten()
        loss += float(criterion(logits, targets))
        correct += int((logits.argmax(dim=1) == targets).sum())
        total += len(targets)
    return loss / total / math.log(2), correct / total


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates and saves the model, and generates text; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("text_generation", arguments, engine="torch")
    whole, source = text.read(arguments.data)
    report.data(source)
    report.engine(device.prepare(arguments.seed))
    vocabulary, train_numbers, held_out = split(whole, arguments)
    train_set = ArrayDataset(*text.windows(train_numbers, WINDOW))
    X_test, y_test, _ = text.evaluation_windows(held_out, WINDOW)
    test_set = ArrayDataset(X_test, y_test)
    test_loader = DataLoader(test_set, sampler=SeededBatches(len(test_set), 500, seed=0), batch_size=None)

    report.section(f"{arguments.layers} LSTM layers of {arguments.units}")
    recipe = make_recipe(len(train_set), arguments)
    batches = SeededBatches(len(train_set), recipe.batch_size, arguments.seed)
    loader = DataLoader(train_set, sampler=batches, batch_size=None)  # the sampler gives whole batches
    network = build(len(vocabulary), arguments.units, arguments.layers, arguments.seed)
    print(network)
    # The same network and weights as Keras and the .h5 have them: a softmax behind the logits.
    model = TorchModel(network, input_shape=(WINDOW,), activation="softmax")
    state = TrainingState(report.checkpoint("text_generation"), recipe, model)
    train(network, loader, state)

    report.section("Bits per character, on held-out text")
    bits, accuracy = evaluate(network, test_loader)
    rows = compare(train_numbers, held_out, len(vocabulary), bits)
    print(format_table(["information used", "bits per character"], [[name, f"{n:.3f}"] for name, n in rows]))
    metrics = {"bits_test_log_loss": bits, "test_accuracy": accuracy}
    report.result(metrics)
    report.save(
        "text_generation",
        model,
        inputs=[Input("numbers of characters", shape=(WINDOW,), maximum=len(vocabulary) - 1)],
        classes=vocabulary.names(),
        metrics=metrics,
        output="next character",
    )

    report.section("Generated text, by the NumPy engine from the saved file")
    reader = Network.from_h5(report.last_model)
    print_samples(reader, vocabulary, arguments)
    epochs, losses = state.curve
    start = arguments.start[-WINDOW:] or "\n"
    probabilities = predict_next(reader, vocabulary, start)
    curve = (epochs, np.array(losses) / math.log(2))
    report.plot("text_generation", figures.overview, curve, rows, probabilities, vocabulary.names(), start)
    not_comparable = "the text is your own" if arguments.data else ""
    return report.finish(use=f"python -m apps.write --model {report.last_model}", not_comparable=not_comparable)


if __name__ == "__main__":
    cli.run(main)
