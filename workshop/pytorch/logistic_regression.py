"""One neuron decides, in PyTorch: the mirror of `workshop/logistic_regression.py`.

The same data, options, metrics and files; the sigmoid, cross-entropy and the coin by hand are in the lesson alone. The
neuron returns a logit, and `nn.BCEWithLogitsLoss` takes it: cross-entropy and sigmoid in one do not overflow. The
sigmoid itself is added when the neuron is saved.

    python -m workshop.pytorch.logistic_regression                      # then look into the folder plots
    python -m workshop.pytorch.logistic_regression --data YOUR.csv      # numbers, then a target that is 0 or 1

Expected, as with Keras: at least 96 % of the test cases right. About 12 s on two CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import logistic_regression as lesson
from workshop.figures import logistic_regression as figures
from workshop.kit import cli, metrics
from workshop.kit.report import Report
from workshop.kit.training.checkpoint import Checkpoint
from workshop.logistic_regression import RECIPES, THRESHOLD
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState


class Neuron(nn.Module):
    """One neuron: (n, features) -> (n, 1) logits."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.output = nn.Linear(features, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of rows."""
        return self.output(x)


def train(network: nn.Module, loader: DataLoader, state: TrainingState) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = nn.BCEWithLogitsLoss()
    optimizer, _ = optimizers.make(state.recipe, network.parameters())  # the rate is constant: no scheduler
    for _epoch in state.epochs(optimizer, None, loader):
        for inputs, targets in loader:
            optimizer.zero_grad()
            logits = network(inputs)
            loss = criterion(logits, targets)
            loss.backward()
            optimizer.step()
            accuracy = ((logits > 0) == targets).float().mean()
            state.log(len(inputs), loss=loss, accuracy=accuracy)


def fit(
    X: np.ndarray, y: np.ndarray, arguments: argparse.Namespace, checkpoint: Checkpoint | None = None
) -> tuple[TorchModel, list[float]]:
    """Builds and trains a neuron on scaled X (rows, features) and y (rows,).

    Returns:
        The neuron as it is saved, which predicts arrays; and its loss in every epoch.
    """
    torch.manual_seed(arguments.seed)
    neuron = initialize_as_keras(Neuron(X.shape[1]))
    model = TorchModel(neuron, input_shape=X.shape[1:], activation="sigmoid")
    recipe = RECIPES["neuron"].with_options(arguments, samples=len(X))
    batches = SeededBatches(len(X), recipe.batch_size, arguments.seed)
    # The sampler gives whole batches, so the loader makes none.
    loader = DataLoader(ArrayDataset(X, y[:, None]), sampler=batches, batch_size=None)
    state = TrainingState(checkpoint, recipe, model)
    train(neuron, loader, state)
    return model, state.history["loss"]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, evaluates, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("logistic_regression", arguments, engine="torch")
    cases = lesson.load(arguments.data, arguments.target, arguments.drop)
    report.data(cases.source)
    report.engine(device.prepare(arguments.seed, on_cpu=True))

    from sklearn.preprocessing import StandardScaler

    if arguments.data is None:
        report.section("A straight line as a classifier, and one very large tumour")
        sizes = cases.X[:, :1]
        scaler = StandardScaler().fit(sizes)
        classifiers = {}
        for title, (x, y) in lesson.with_a_large_tumour(sizes, cases.y).items():
            print(f"neuron, {title}")
            model, _ = fit(scaler.transform(x), y, arguments)
            classifiers[title] = lesson.line_and_neuron(x, y, model.get_weights(), scaler)
        lesson.show_classifiers(report, sizes, cases.y, classifiers)

    report.section("One neuron, all features: three quarters of the rows to train on, one to test")
    X_train, X_test, y_train, y_test = lesson.split(cases)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    model, losses = fit(X_train, y_train, arguments, report.checkpoint("logistic_regression"))
    probabilities = model.predict(X_test)[:, 0]
    report.result(metrics.two_classes("train", y_train, model.predict(X_train), THRESHOLD))
    report.result(metrics.two_classes("test", y_test, probabilities, THRESHOLD))
    report.save(
        "logistic_regression",
        model,
        inputs=cases.inputs,
        classes=cases.classes,
        metrics=report.metrics,
        scaler=scaler,
        threshold=THRESHOLD,
    )
    report.plot("logistic_regression-confusion", figures.confusion, y_test, probabilities >= THRESHOLD, cases.classes)
    report.plot("logistic_regression-loss", figures.loss, losses)
    return report.finish(not_comparable="" if arguments.data is None else "the table is your own")


if __name__ == "__main__":
    cli.run(main)
