"""The choices of every training, in PyTorch: the mirror of `workshop/training_choices.py`.

The same houses, options, metrics and plots.

    python -m workshop.pytorch.training_choices

Expected, as with Keras: mini-batch and stochastic descent come close to the normal equation's weights; of the rates 0.3
is chosen; stopped early, the best epoch's weights are kept; two outputs at once are those of two separate neurons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import training_choices as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState


def train(
    network: nn.Module,
    loader: DataLoader,
    state: TrainingState,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped.

    After each epoch the loss is measured on `validation`, rows and targets; by it `state` stops early.
    """
    criterion = nn.MSELoss()
    optimizer, _ = optimizers.make(state.recipe, network.parameters())  # the rate is constant: no scheduler
    for _epoch in state.epochs(optimizer, None, loader):
        network.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(state.device), targets.to(state.device)
            optimizer.zero_grad()
            loss = criterion(network(inputs), targets)
            loss.backward()
            optimizer.step()
            state.log(len(inputs), loss=loss)
        if validation is not None:
            state.log_validation(loss=evaluate(network, *validation))


def evaluate(network: nn.Module, X: np.ndarray, y: np.ndarray) -> float:
    """Returns the mean squared error on rows X (n, features) and targets y (n, outputs)."""
    torch_device = next(network.parameters()).device
    inputs, targets = (torch.from_numpy(np.float32(part)).to(torch_device) for part in (X, y))
    with torch.no_grad():
        return float(nn.MSELoss()(network(inputs), targets))


def fit_neuron(
    name: str,
    X: np.ndarray,
    y: np.ndarray,
    recipe: Recipe,
    report: Report,
    *,
    snapshots: Iterable[int] = (),
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    start: list[np.ndarray] | None = None,
    may_diverge: bool = False,
) -> lesson.Trained:
    """Trains a neuron for each column of y; see the lesson's function of this name."""
    print(f"{name}, rate {recipe.rate:.2g}")
    seed, targets = report.arguments.seed, y.reshape(len(y), -1).astype(np.float32)
    torch.manual_seed(seed)
    network = initialize_as_keras(nn.Linear(X.shape[1], targets.shape[1])).to(device.choose_device())
    model = TorchModel(nn.Sequential(network), input_shape=(X.shape[1],))
    if start is not None:
        model.set_weights(start)
    rows = ArrayDataset(X, targets)
    loader = DataLoader(rows, sampler=SeededBatches(len(rows), recipe.batch_size, seed), batch_size=None)
    if validation is not None:
        validation = validation[0], validation[1].reshape(len(validation[1]), -1)
    patience = lesson.PATIENCE if validation is not None else None
    checkpoint = report.checkpoint(f"training_choices-{name}")
    state = TrainingState(checkpoint, recipe, model, patience=patience, snapshots=[*snapshots], may_diverge=may_diverge)
    train(network, loader, state, validation)
    weights = {epoch: lesson.stack(values) for epoch, values in state.weights.items()}
    loss = evaluate(network, X, targets)
    return lesson.Trained(lesson.stack(model.get_weights()), state.history, weights, state.best_epoch, loss)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("training_choices", arguments, engine="torch")
    table, split = lesson.load(report)
    report.engine(device.prepare(arguments.seed))

    report.section("Batch, mini-batch and stochastic descent: the price from the area alone")
    X, y = lesson.area_and_price(split)
    trained = {}
    for name, recipe in lesson.descents(len(X), arguments.quick).items():
        trained[name] = fit_neuron(name, X, y, recipe, report, snapshots=range(recipe.epochs + 1))
    lesson.report_descents(report, X, y, trained)

    report.section("Which learning rate? The validation rows decide, the test rows are used once")
    scaled = lesson.scale_to_ranges(split)
    X, y = scaled.train
    by_rate = {}
    for number, (rate, recipe) in enumerate(lesson.candidates(len(X), arguments.quick).items(), 1):
        by_rate[rate] = fit_neuron(f"candidate-{number}", X, y, recipe, report, may_diverge=True)
    lesson.report_rates(report, scaled, by_rate)

    report.section(
        f"When to stop: {lesson.GUESSED_ROWS} houses with guessed prices, and {lesson.RANDOM_COLUMNS} random columns"
    )
    train_set, validation_set = lesson.guessed_prices(split, arguments.seed)
    recipe = lesson.stopped_recipe(len(train_set[0]), arguments.quick)
    every_epoch = range(recipe.epochs + 1)
    neuron = fit_neuron("early_stopping", *train_set, recipe, report, snapshots=every_epoch, validation=validation_set)
    lesson.report_stopping(report, train_set, validation_set, neuron)

    report.section("Two outputs at once: the price of a house, and its price per square metre")
    X, targets = lesson.two_outputs(table)
    recipe = lesson.outputs_recipe(len(X), arguments.quick, outputs=2)
    together = fit_neuron("two_outputs", X, targets, recipe, report, snapshots=[0])
    alone = np.empty_like(together.weights)
    for i in (0, 1):
        *kernel, bias = together.snapshots[0][:, i]
        start = [np.array(kernel)[:, None], np.array([bias])]  # where the same neuron of the layer started
        recipe = lesson.outputs_recipe(len(X), arguments.quick, outputs=1)
        alone[:, i] = fit_neuron(f"output-{i + 1}", X, targets[:, i], recipe, report, start=start).weights
    lesson.report_outputs(report, table, X, together.weights, alone)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
