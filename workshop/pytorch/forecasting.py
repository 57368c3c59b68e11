"""Forecasting by an LSTM, in PyTorch: the mirror of `workshop/forecasting.py`.

The same series, windows, options, metrics, plots and files. PyTorch's own LSTM has two biases where Keras has one, and
starts with other weights: `pytorch/kit/recurrent.py` has the one that is as Keras has it.

    python -m workshop.pytorch.forecasting                    # sunspots; then look into the folder plots
    python -m workshop.pytorch.forecasting --data YOUR.csv    # dates in one column, numbers in another: --column NAME

Expected, as with Keras: over twelve months the LSTM is off by about 25 sunspots (root mean squared error on the last
fifth of the series), the naive forecast by 32, the linear model by 26. About 10 s on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import forecasting as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.recurrent import LSTMAsKeras
from workshop.pytorch.kit.state import TrainingState


class Forecaster(nn.Module):
    """The network: (n, window, 1) -> an LSTM's last state -> (n, horizon) changes up to each step ahead."""

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.lstm = LSTMAsKeras(1, lesson.UNITS)
        self.output = nn.Linear(lesson.UNITS, horizon)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the changes, scaled as the targets are."""
        return self.output(self.lstm(x))


def train(
    network: nn.Module,
    loader: DataLoader,
    state: TrainingState,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped.

    After each epoch the loss is measured on `validation`, windows and changes; by it `state` stops early.
    """
    criterion = nn.MSELoss()
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
                inputs, targets = (torch.from_numpy(np.float32(part)).to(state.device) for part in validation)
                state.log_validation(loss=float(criterion(network(inputs), targets)))


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Reads the series, trains, forecasts, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("forecasting", arguments, engine="torch")
    task = lesson.load(arguments, report)
    report.engine(device.prepare(arguments.seed))
    lesson.describe(task, report)

    windows = ArrayDataset(*task.scaled("train"))
    recipe = lesson.get_recipe(len(windows), arguments)
    batches = SeededBatches(len(windows), recipe.batch_size, arguments.seed)
    loader = DataLoader(windows, sampler=batches, batch_size=None)  # the sampler gives whole batches
    torch.manual_seed(arguments.seed)
    network = initialize_as_keras(Forecaster(task.horizon)).to(device.choose_device())
    print(network)
    model = TorchModel(network, input_shape=(task.window, 1))
    state = TrainingState(report.checkpoint("forecasting"), recipe, model, patience=lesson.PATIENCE)
    train(network, loader, state, task.scaled("validation"))
    print(f"Kept the weights of epoch {state.best_epoch} of {state.finished}, the best on the validation part")
    model.set_weights(lesson.unscale_outputs(model.get_weights(), task.scaler.scale_))

    forecasts = lesson.baselines(task)
    last_values = task.windows["test"][0][:, -1:]
    forecasts["lstm"] = last_values + model.predict(task.scaled("test")[0])  # the network predicts changes
    losses = {"training": state.history["loss"], "validation": state.history["val_loss"]}
    lesson.save_and_plot(task, report, model, forecasts, losses)
    return report.finish(not_comparable=lesson.why_not_comparable(arguments))


if __name__ == "__main__":
    cli.run(main)
