"""Two exam scores, admitted or not, in PyTorch: the mirror of `workshop/admission.py`.

The same data, options, metrics, plots and files. The models return logits, and `nn.BCEWithLogitsLoss` takes them:
cross-entropy and sigmoid in one do not overflow. The sigmoid itself is added when a model is saved.

    python -m workshop.pytorch.admission                      # both models; then look into the folder plots
    python -m workshop.pytorch.admission --data YOUR.csv      # a table of numbers, the target, 0 or 1, last

Expected, as with Keras: the neuron gets 0.89 to 0.92 of the applicants right, the network 0.99 to 1.00. About 15 s on
two CPU cores. Then `python -m apps.admission`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import admission as lesson
from workshop.admission import RECIPES, THRESHOLD
from workshop.figures import admission as figures
from workshop.kit import cli, metrics
from workshop.kit.report import Report, format_table
from workshop.kit.training.checkpoint import Checkpoint
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState

HIDDEN_UNITS = {"neuron": (), "network": (8, 4)}


class Network(nn.Module):
    """Dense layers with relu between them: (n, features) -> hidden_units -> (n, 1) logits; without any, one neuron."""

    def __init__(self, features: int = 2, hidden_units: Sequence[int] = (8, 4)) -> None:
        super().__init__()
        self.hidden = nn.ModuleList()
        for units in hidden_units:
            self.hidden.append(nn.Linear(features, units))
            features = units
        self.output = nn.Linear(features, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of rows."""
        for hidden in self.hidden:
            x = torch.relu(hidden(x))
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
    kind: str,
    X: np.ndarray,
    y: np.ndarray,
    arguments: argparse.Namespace,
    checkpoint: Checkpoint | None = None,
    verbose: int = 1,
) -> tuple[TorchModel, list[float]]:
    """Builds and trains one of the two models on scaled X (rows, features) and y (rows,).

    Returns:
        The model as it is saved, which predicts arrays; and its loss in every epoch.
    """
    torch.manual_seed(arguments.seed)
    network = initialize_as_keras(Network(X.shape[1], HIDDEN_UNITS[kind]))
    model = TorchModel(network, input_shape=X.shape[1:], activation="sigmoid")
    recipe = RECIPES[kind].with_options(arguments, samples=len(X))
    batches = SeededBatches(len(X), recipe.batch_size, arguments.seed)
    loader = DataLoader(ArrayDataset(X, y[:, None]), sampler=batches, batch_size=None)
    state = TrainingState(checkpoint, recipe, model, verbose=verbose)
    train(network, loader, state)
    return model, state.history["loss"]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, cross-validates, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("admission", arguments, engine="torch")
    applicants = lesson.load(arguments.data, arguments.target, arguments.drop)
    X, y = applicants.X, applicants.y
    report.data(applicants.source)
    report.engine(device.prepare(arguments.seed, on_cpu=True))

    X_scaled = applicants.scaler.transform(X)
    models, losses, rows = {}, {}, []
    for kind in RECIPES:
        report.section(f"{kind}: trained on all {len(X)} rows")
        checkpoint = report.checkpoint(f"admission_{kind}")
        model, losses[kind] = fit(kind, X_scaled, y, arguments, checkpoint)
        models[kind] = model
        scores = metrics.two_classes("train", y, model.predict(X_scaled), THRESHOLD)
        report.result(scores, model=kind)
        rows.append([kind, model.count_params(), *(f"{score:.3f}" for score in scores.values())])
    report.section("Both, on the rows they were trained on")
    print(format_table(["model", "weights", "accuracy", "precision", "recall", "F1"], rows))

    report.section("network: trained on some rows, validated on the others")
    accuracies = []
    folds = lesson.cross_validation_folds(X, y, arguments)
    for number, fold in enumerate(folds, 1):
        model, _ = fit("network", fold.X_train, fold.y_train, arguments, verbose=0)
        accuracies.append(lesson.fold_accuracy(fold, model.predict(fold.X_validation)))
        print(f"fold {number} of {len(folds)}: accuracy {accuracies[-1]:.2f} on its {len(fold.y_validation)} rows")
    report.result({"validation_accuracy": float(np.mean(accuracies))}, model="network")

    report.save(
        "admission",
        models["network"],
        inputs=applicants.inputs,
        classes=applicants.classes,
        metrics={name: report.metrics[f"network_{name}"] for name in ("train_accuracy", "validation_accuracy")},
        scaler=applicants.scaler,
        threshold=THRESHOLD,
    )
    report.plot("admission-loss", figures.losses, losses)
    lesson.plot_boundaries(report, applicants, {kind: model.predict for kind, model in models.items()})
    return report.finish(
        use=f"python -m apps.admission --model {report.last_model}",
        not_comparable="" if arguments.data is None else "the table is your own",
    )


if __name__ == "__main__":
    cli.run(main)
