"""Any table with a number or a class to predict, in PyTorch: the mirror of `workshop/tables.py`.

The same tables, options, metrics, plots and files. A network for classes returns logits; the softmax is added when the
model is saved.

    python -m workshop.pytorch.tables                         # concrete and cars; then look into the folder plots
    python -m workshop.pytorch.tables --data YOUR.csv         # any CSV, as it is; the target in the last column

Expected, as with Keras: concrete within 6 MPa (root mean squared error on the test rows), at least 97 % of the test
cars right. About 40 s on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import tables as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState


class TableNetwork(nn.Module):
    """The network: (n, columns) -> 128 -> 128 -> one number, or the logits of the classes."""

    def __init__(self, columns: int, outputs: int) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(columns, 128)
        self.hidden2 = nn.Linear(128, 128)
        self.output = nn.Linear(128, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns a number a row, or logits."""
        x = torch.relu(self.hidden1(x))
        x = torch.relu(self.hidden2(x))
        return self.output(x)


def train(
    network: nn.Module,
    loader: DataLoader,
    state: TrainingState,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped.

    After each epoch the loss is measured on `validation`, rows and targets; by it `state` stops early.
    """
    # The targets of a batch of one row: classes are one-hot, a column each.
    has_classes = loader.dataset[[0]][1].shape[1] > 1
    criterion = nn.CrossEntropyLoss() if has_classes else nn.MSELoss()
    optimizer, scheduler = optimizers.make(state.recipe, network.parameters())
    for _epoch in state.epochs(optimizer, scheduler, loader):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            scheduler.step()
            state.log(len(inputs), loss=loss)
        if validation is not None:
            network.eval()
            with torch.no_grad():
                inputs, targets = (torch.from_numpy(part).to(state.device) for part in validation)
                state.log_validation(loss=float(criterion(network(inputs), targets)))


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Reads the tables, trains, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("tables", arguments, engine="torch")
    tasks = lesson.load_tables(arguments, report)
    report.engine(device.prepare(arguments.seed))
    for task in tasks:
        report.section(f"{task.title}: {len(task.inputs)} inputs in {task.X.shape[1]} columns")
        print(lesson.describe_inputs(task))
        recipe = lesson.get_recipe(task, arguments)
        targets, mean, spread = lesson.scale_targets(task)
        torch.manual_seed(arguments.seed)
        network = initialize_as_keras(TableNetwork(task.X.shape[1], targets.shape[1])).to(device.choose_device())
        print(network)
        model = TorchModel(network, input_shape=(task.X.shape[1],), activation="softmax" if task.classes else None)
        rows = ArrayDataset(task.X[task.train], targets[task.train])
        batches = SeededBatches(len(rows), recipe.batch_size, arguments.seed)
        loader = DataLoader(rows, sampler=batches, batch_size=None)  # the sampler gives whole batches
        state = TrainingState(report.checkpoint(f"tables-{task.name}"), recipe, model, patience=lesson.PATIENCE)
        train(network, loader, state, (task.X[task.validation], targets[task.validation]))
        print(f"Kept the weights of epoch {state.best_epoch} of {state.finished}, the best on the validation rows")
        losses = {"training": state.history["loss"], "validation": state.history["val_loss"]}
        if not task.classes:
            model.set_weights(lesson.unscale_outputs(model.get_weights(), mean, spread))
            losses = {part: np.square(spread) * np.array(values) for part, values in losses.items()}

        predicted = lesson.compare(task, report, model.predict(task.X), f"{task.title}_" if len(tasks) > 1 else "")
        lesson.save_and_plot(task, report, model, predicted, losses)
    return report.finish(not_comparable="the table is your own" if arguments.data else "")


if __name__ == "__main__":
    cli.run(main)
