"""An image read row by row, in PyTorch: the mirror of `workshop/rnn.py`.

The same images, options, metrics, plots and files. PyTorch's own nn.RNN, nn.LSTM and nn.GRU return two things, have two
biases and start with other weights; each module of `pytorch/kit/recurrent.py` holds one and acts as Keras' layer does.

    python -m workshop.pytorch.rnn                              # the three, compared; then look into the folder plots
    python -m workshop.pytorch.rnn --cell lstm --read last      # one of them, predicting from its last state alone
    python -m workshop.pytorch.rnn --quick                      # a first look, in seconds
    python -m workshop.pytorch.rnn --preset course              # two layers of 256, all states, as the course has them

Expected, as with Keras: SimpleRNN at least 97 % test accuracy, LSTM and GRU at least 98.5 %, all three within a minute
on two CPU cores. The preset `course` is the recipe that `workshop/rnn.py` describes; extrapolated from 64 of its 938
steps, an epoch takes about 40 s, 2 minutes and 100 s here (SimpleRNN, LSTM, GRU).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop.figures import rnn as figures
from workshop.kit import cli
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.recurrent import GRUAsKeras, LSTMAsKeras, RNNAsKeras
from workshop.pytorch.kit.state import TrainingState
from workshop.pytorch.mnist import evaluate
from workshop.rnn import CELLS, READ, parse, predict_by_row
from workshop.scratch.nn.network import Network


class RowReader(nn.Module):
    """A classifier that reads images row by row: (n, 28, 28) -> recurrent layers -> (n, 10) logits.

    Args:
        cell: "simple", "lstm" or "gru".
        units: numbers of each layer's state.
        layers: recurrent layers, stacked.
        read: "last" to predict from the state after the last row, "all" from those after all rows.
    """

    def __init__(self, cell: str, units: int = 48, layers: int = 1, read: str = "all") -> None:
        super().__init__()
        module = {"simple": RNNAsKeras, "lstm": LSTMAsKeras, "gru": GRUAsKeras}[cell]
        self.reads_all = read == "all"
        self.layers = nn.ModuleList()
        for i in range(layers):
            # The next layer, too, reads the state after every row.
            returns_all = self.reads_all or i < layers - 1
            self.layers.append(module(units if i else 28, units, return_sequences=returns_all))
        self.output = nn.Linear(28 * units if self.reads_all else units, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images."""
        for layer in self.layers:
            x = layer(x)
        if self.reads_all:
            x = x.flatten(1)
        return self.output(x)


def build(cell: str, arguments: argparse.Namespace) -> RowReader:
    """Returns a network as the options want it; its weights are drawn as Keras draws them."""
    torch.manual_seed(arguments.seed)
    network = RowReader(cell, arguments.units, arguments.layers, arguments.read)
    initialize_as_keras(network)
    return network.to(device.choose_device())


def train(network: nn.Module, loader: DataLoader, state: TrainingState) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = nn.CrossEntropyLoss()
    # The recipe's: by default AdamW, warm-up and cosine decay; the constants are Keras'.
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    for _epoch in state.epochs(optimizer, scheduler, loader):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            logits = network(inputs)
            loss = criterion(logits, targets)
            loss.backward()
            if state.recipe.clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), state.recipe.clip)
            optimizer.step()
            scheduler.step()
            accuracy = (logits.argmax(dim=1) == targets).float().mean()
            state.log(len(inputs), loss=loss, accuracy=accuracy)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and compares the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("rnn", arguments, engine="torch")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed))  # seeds, determinism

    train_set = ArrayDataset(images.X_train[..., 0], images.y_train, scale_pixels)
    test_set = ArrayDataset(images.X_test[..., 0], images.y_test, scale_pixels)
    test_loader = DataLoader(test_set, sampler=SeededBatches(len(test_set), 1000, seed=0), batch_size=None)
    X = scale_pixels(images.X_test[:3, ..., 0])
    run_name = f"rnn_{arguments.preset}" if arguments.preset else "rnn"  # what the default run saved stays
    curves, rows, accuracies, predictions = {}, [], {}, {}
    for cell in arguments.cells:
        name = CELLS[cell]
        report.section(name)
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[cell].with_options(arguments, samples=len(train_set))
        batches = SeededBatches(len(train_set), recipe.batch_size, arguments.seed)
        loader = DataLoader(train_set, sampler=batches, batch_size=None)  # the sampler gives whole batches
        network = build(cell, arguments)
        print(network)
        # The same network and weights as Keras and the .h5 have them: a softmax behind the logits.
        model = TorchModel(network, input_shape=(28, 28), activation="softmax")
        state = TrainingState(report.checkpoint(f"{run_name}_{cell}"), recipe, model)
        started = time.perf_counter()
        train(network, loader, state)
        seconds = time.perf_counter() - started
        test_accuracy = evaluate(network, test_loader)

        metrics = {"train_accuracy": state.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(test_set):,} test images classified correctly")
        report.result(metrics, model=cell, is_only=len(arguments.cells) == 1)
        report.save(  # the .h5 that Keras would write, and a card (.json): inputs, classes, metrics, digests
            f"{run_name}_{cell}",
            model,
            inputs=[Input("image", shape=(28, 28))],
            classes=images.classes,
            metrics=metrics,
        )
        curves[name] = state.curve
        accuracies[name] = test_accuracy
        rows.append([name, f"{model.count_params():,}", f"{seconds:.1f}", f"{test_accuracy:.2%}"])
        # The saved .h5, read by the NumPy engine, whose layers can be made to return all states.
        predictions[name] = predict_by_row(Network.from_h5(report.last_model), X)

    title = f"{arguments.layers} x {arguments.units} units, predicting from {READ[arguments.read]}"
    report.section(title)
    print(format_table(["cell", "weights", "seconds", "test accuracy"], rows))
    report.plot(run_name, figures.comparison, curves, accuracies, title)
    report.plot(f"{run_name}-rows", figures.predictions_by_row, X, predictions, images.y_test[:3], images.classes)
    use = f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png"
    return report.finish(use=use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
