"""Exclusive or, in PyTorch: the mirror of `workshop/xor.py`.

The same points, options, metrics and files; the gates by hand are in the lesson alone.

    python -m workshop.pytorch.xor                        # all parts; then look into the folder plots
    python -m workshop.pytorch.xor --data YOUR.csv        # two features and a target, in place of the noisy points

Expected, as with Keras: the outputs of the trained network round to 0, 1, 1, 0; of 1,000 fresh noisy points one hidden
unit gets at most 80 % right, four get at least 99 %. About 15 s on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import xor as lesson
from workshop.figures import xor as figures
from workshop.kit import cli, metrics
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState
from workshop.xor import RECIPES, THRESHOLD, X_CORNERS, Y_CORNERS


class Network(nn.Module):
    """The network: (n, 2) -> hidden_units, sigmoid -> (n, 1), linear."""

    def __init__(self, hidden_units: int = 3) -> None:
        super().__init__()
        self.hidden = nn.Linear(2, hidden_units)
        self.output = nn.Linear(hidden_units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the outputs for points."""
        x = torch.sigmoid(self.hidden(x))
        return self.output(x)


def train(network: nn.Module, model: TorchModel, loader: DataLoader, state: TrainingState) -> None:
    """Trains a network: the loop of PyTorch.

    Args:
        network: 2 -> hidden units -> 1.
        model: the same network as it is saved.
        loader: of batches of points and targets.
        state: shows the progress, remembers it, and goes on where a training was stopped.
    """
    criterion = nn.MSELoss()
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    for _epoch in state.epochs(model, optimizer, scheduler, loader):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            state.log(len(inputs), loss=loss)


def fit(hidden_units: int, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState) -> TorchModel:
    """Builds and trains a network on X (rows, 2) and y (rows,); returns it as it is saved."""
    torch.manual_seed(seed)
    network = initialize_as_keras(Network(hidden_units))
    model = TorchModel(network, input_shape=(2,))
    batches = SeededBatches(len(X), state.recipe.batch_size, seed)
    loader = DataLoader(ArrayDataset(X, y[:, None]), sampler=batches, batch_size=None)
    train(network, model, loader, state)
    return model


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains on the corners and on noisy points; draws, saves, returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("xor", arguments, engine="torch")
    points = lesson.load_points(arguments)
    report.data(f"the four corners of XOR; {points.source}")
    report.engine(device.prepare(arguments.seed, on_cpu=True))

    report.section("XOR learned: a 2-3-1 network and the four corners")
    recipe = RECIPES["corners"].with_options(arguments, samples=len(X_CORNERS))
    state = TrainingState(report.checkpoint("xor"), recipe, snapshots=lesson.snapshot_epochs(recipe.epochs))
    model = fit(3, X_CORNERS, Y_CORNERS, arguments.seed, state)
    outputs = model.predict(X_CORNERS)[:, 0]
    print(lesson.format_outputs(outputs))
    measured = {
        "train_accuracy": metrics.two_classes("train", Y_CORNERS, outputs, THRESHOLD)["train_accuracy"],
        "train_mean_squared_error": float(np.mean((outputs - Y_CORNERS) ** 2)),
    }
    report.result(measured, model="network")
    report.save(
        "xor",
        model,
        data="the four corners of XOR",
        inputs=[Input("x1"), Input("x2")],
        classes=("0", "1"),
        metrics=measured,
        threshold=THRESHOLD,
    )
    models = {epoch: lesson.forward_pass(weights) for epoch, weights in state.weights.items()}
    report.plot("xor-learning", figures.snapshots, models, X_CORNERS, Y_CORNERS)
    report.plot("xor-loss", figures.loss, state.history["loss"])

    report.section(points.title)
    X_train, X_test = points.scaler.transform(points.X_train), points.scaler.transform(points.X_test)
    recipe = RECIPES["noisy"].with_options(arguments, samples=len(X_train))
    weights, accuracies = {}, {}
    for hidden_units in lesson.HIDDEN_SIZES:
        kind = f"hidden_{hidden_units}"
        print(lesson.units_title(hidden_units))
        state = TrainingState(report.checkpoint(f"xor-{kind}"), recipe)
        model = fit(hidden_units, X_train, points.y_train, arguments.seed, state)
        weights[hidden_units] = model.get_weights()
        accuracies[hidden_units] = lesson.measure(points, model.predict(X_train), model.predict(X_test))
        report.result(accuracies[hidden_units], model=kind)
    lesson.show_sizes(report, points, weights, accuracies)
    return report.finish(no_band=lesson.no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
