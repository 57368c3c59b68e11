"""Exclusive or, in PyTorch: the mirror of `workshop/xor.py`.

The same points, options, metrics and files; the gates by hand are in the lesson alone.

    python -m workshop.pytorch.xor                        # then look into the folder plots
    python -m workshop.pytorch.xor --part shapes          # a step, a sine, a circle, three classes
    python -m workshop.pytorch.xor --data YOUR.csv        # two features and a target, in place of the noisy points

Expected, as with Keras: the outputs of the trained network round to 0, 1, 1, 0; of 1,000 fresh noisy points one hidden
unit gets at most 80 % right, four get at least 99 %. About 15 s on two CPU cores. The shapes take half a minute, the
recipes of the courses (--preset course-2-3-1, course-2-4-1) two minutes and half a minute.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import xor as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState
from workshop.xor import CROSS_ENTROPY, MEAN_SQUARED_ERROR, RECIPES, Points, Task


class Network(nn.Module):
    """The network: (n, inputs) -> hidden_units, sigmoid -> (n, 1), linear: with cross-entropy a logit."""

    def __init__(self, hidden_units: int = 3, inputs: int = 2) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden_units)
        self.output = nn.Linear(hidden_units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the outputs for points."""
        x = torch.sigmoid(self.hidden(x))
        return self.output(x)


def train(network: nn.Module, loader: DataLoader, state: TrainingState, loss_name: str = MEAN_SQUARED_ERROR) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = nn.BCEWithLogitsLoss() if loss_name == CROSS_ENTROPY else nn.MSELoss()
    optimizer, _ = optimizers.make(state.recipe, network.parameters())  # the rate is constant: no scheduler
    for _epoch in state.epochs(optimizer, None, loader):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            state.log(len(inputs), loss=loss)


def fit(
    name: str,
    hidden_units: int,
    X: np.ndarray,
    y: np.ndarray,
    recipe: Recipe,
    report: Report,
    loss_name: str = MEAN_SQUARED_ERROR,
    snapshots: Sequence[int] = (),
) -> tuple[TorchModel, TrainingState]:
    """Builds and trains a network on X (rows, inputs) and y (rows,); returns it as it is saved, and its training."""
    seed = report.arguments.seed
    torch.manual_seed(seed)
    network = initialize_as_keras(Network(hidden_units, X.shape[1]))
    activation = "sigmoid" if loss_name == CROSS_ENTROPY else None
    model = TorchModel(network, input_shape=X.shape[1:], activation=activation)
    state = TrainingState(report.checkpoint(name), recipe, model, snapshots=snapshots)
    batches = SeededBatches(len(X), recipe.batch_size, seed)
    # The sampler gives whole batches, so the loader makes none.
    loader = DataLoader(ArrayDataset(X, y[:, None]), sampler=batches, batch_size=None)
    train(network, loader, state, loss_name)
    return model, state


def train_network(report: Report, task: Task, points: Points) -> None:
    """Trains and saves the network on the corners, or that of a course's recipe."""
    report.section(task.title)
    snapshots = lesson.snapshot_epochs(task.recipe.epochs)
    model, state = fit(task.name, task.hidden_units, task.X, task.y, task.recipe, report, task.loss, snapshots)
    lesson.report_network(
        report, task, points, model, lambda X: model.predict(X)[:, 0], state.history["loss"], state.weights
    )


def compare_sizes(report: Report, points: Points) -> None:
    """Trains networks of one, two and four hidden units on noisy points, or on your own table."""
    report.section(points.title)
    X_train, X_test = points.scaler.transform(points.X_train), points.scaler.transform(points.X_test)
    recipe = RECIPES["noisy"].with_options(report.arguments, samples=len(X_train))
    weights, accuracies = {}, {}
    for hidden_units in lesson.HIDDEN_SIZES:
        kind = f"hidden_{hidden_units}"
        print(lesson.units_title(hidden_units))
        model, _ = fit(f"xor-{kind}", hidden_units, X_train, points.y_train, recipe, report)
        weights[hidden_units] = model.get_weights()
        accuracies[hidden_units] = lesson.accuracies(points, model.predict(X_train), model.predict(X_test))
        report.result(accuracies[hidden_units], model=kind)
    lesson.show_sizes(report, points, weights, accuracies)


def train_shapes(report: Report) -> None:
    """Trains the networks that approximate a step, a sine, a circle and three classes."""
    report.section("What a hidden layer can approximate: a step, a sine, a circle, three classes")
    tasks = lesson.shape_tasks(report.arguments)
    weights = {}
    for task in tasks:
        print(f"{task.name.partition('_')[0]}, {lesson.units_title(task.hidden_units)}")
        model, _ = fit(f"xor-{task.name}", task.hidden_units, task.X, task.y, task.recipe, report, task.loss)
        weights[task.name] = model.get_weights()
    lesson.show_shapes(report, tasks, weights)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains on the corners and on noisy points, or on shapes; draws, saves, returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("xor", arguments, engine="torch")
    points = lesson.load_points(arguments)
    report.data(lesson.describe_data(arguments, points))
    report.engine(device.prepare(arguments.seed, on_cpu=True))
    if arguments.preset or arguments.part in ("xor", "all"):
        train_network(report, lesson.network_task(arguments, points), points)
    if not arguments.preset and arguments.part in ("xor", "all"):
        compare_sizes(report, points)
    if arguments.part in ("shapes", "all"):
        train_shapes(report)
    return report.finish(not_comparable=lesson.why_not_comparable(arguments))


if __name__ == "__main__":
    cli.run(main)
