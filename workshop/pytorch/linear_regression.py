"""One neuron draws a line, in PyTorch: the mirror of `workshop/linear_regression.py`.

The same data, options, metrics, plots and files; the neuron is `nn.Linear`.

    python -m workshop.pytorch.linear_regression                      # all parts; then look into the folder plots
    python -m workshop.pytorch.linear_regression --part features --data YOUR.csv

Expected, as with Keras: the line says 27 for 13 and -9 for -5, within 0.05; the weights of the houses agree with the
normal equation within 0.001; unscaled features diverge, scaled ones explain at least 90 % of the variance of the test
prices (R2). About 15 s on two CPU cores. Then `python -m apps.house_price`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from workshop import linear_regression as lesson
from workshop.figures import linear_regression as figures
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.linear_regression import X_LINE, Y_LINE
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.layers import initialize_as_keras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState


def fit_slope(rate: float = 0.01) -> list[float]:
    """Returns the path of w, its start included, until f(x) = w x is -3x to 0.001, by PyTorch's autograd."""
    x = torch.from_numpy(lesson.X_SLOPE)
    w = torch.tensor(lesson.FIRST_SLOPE, dtype=torch.float64, requires_grad=True)
    path = [w.item()]
    while abs(path[-1] - lesson.SLOPE) >= lesson.SLOPE_TOLERANCE:
        loss = ((w * x - lesson.SLOPE * x) ** 2).mean()
        loss.backward()  # adds the derivative by w to w.grad
        assert w.grad is not None
        with torch.no_grad():
            w -= rate * w.grad
        w.grad.zero_()
        path.append(w.item())
    return path


def train(network: nn.Module, loader: DataLoader, state: TrainingState) -> None:
    """The training loop of PyTorch, written out; `state` shows it, remembers it and goes on where it was stopped."""
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


def fit_neuron(
    name: str, X: np.ndarray, y: np.ndarray, recipe: Recipe, report: Report, *, may_diverge: bool = False
) -> lesson.Trained:
    """Trains one neuron on X (rows, features) and y (rows,); see the lesson's function of this name."""
    print(f"{name}, rate {recipe.rate:.2g}")
    seed = report.arguments.seed
    torch.manual_seed(seed)
    network = initialize_as_keras(nn.Linear(X.shape[1], 1)).to(device.choose_device())
    model = TorchModel(nn.Sequential(network), input_shape=(X.shape[1],))
    rows = ArrayDataset(X, y[:, None].astype(np.float32))
    loader = DataLoader(rows, sampler=SeededBatches(len(rows), recipe.batch_size, seed), batch_size=None)
    checkpoint = report.checkpoint(f"linear_regression-{name}")
    state = TrainingState(checkpoint, recipe, model, snapshots=lesson.SNAPSHOTS, may_diverge=may_diverge)
    train(network, loader, state)
    snapshots = np.array([lesson.flatten(weights) for weights in state.weights.values()])
    return lesson.Trained(model, lesson.flatten(model.get_weights()), state.history["loss"], snapshots)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("linear_regression", arguments, engine="torch")
    tables = lesson.load_tables(arguments, report)
    report.engine(device.prepare(arguments.seed))

    if arguments.part in ("line", "all"):
        paths = lesson.descend_by_hand(report)
        lesson.report_slope(report, fit_slope())
        report.section("One neuron finds y = 2x + 1 from nine points")
        neuron = fit_neuron("line", X_LINE, Y_LINE, lesson.get_recipe("line", len(X_LINE), arguments), report)
        lesson.report_line(report, neuron, neuron.model.predict(np.array([[13], [-5]], np.float32)))
        report.plot("linear_regression-line", figures.line, paths, X_LINE[:, 0], Y_LINE, neuron.weights, neuron.losses)
    if "houses" in tables:
        report.section("One neuron prices houses by their size")
        X, y = tables["houses"].split_numbers()
        neuron = fit_neuron("houses", X, y, lesson.get_recipe("houses", len(X), arguments), report)
        lesson.report_houses(report, tables["houses"], neuron)
    if "features" in tables:
        report.section("Several features in different ranges, unscaled and scaled")
        features = lesson.split_features(tables["features"], arguments.seed)
        neurons = {}
        for name, (X, rate) in features.runs(arguments.learning_rate).items():
            recipe = lesson.get_recipe("features", len(X), arguments, rate)
            neurons[name] = fit_neuron(name, X, features.y_train, recipe, report, may_diverge=name != "scaled")
        lesson.report_features(report, tables["features"], features, neurons)
    return lesson.finish(report, tables)


if __name__ == "__main__":
    cli.run(main)
