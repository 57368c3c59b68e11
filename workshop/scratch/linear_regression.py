"""One neuron draws a line, in NumPy: the mirror of `workshop/linear_regression.py`.

The same data, options, metrics, plots and files, without any library for neural networks.

    python -m workshop.scratch.linear_regression                      # all parts; then look into the folder plots
    python -m workshop.scratch.linear_regression --part features --data YOUR.csv

Expected, as with Keras: the line says 27 for 13 and -9 for -5, within 0.05; the weights of the houses agree with the
normal equation within 0.001; unscaled features diverge, scaled ones explain at least 90 % of the variance of the test
prices (R2). About 5 s on two CPU cores. Then `python -m apps.house_price`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workshop import linear_regression as lesson
from workshop.figures import linear_regression as figures
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.linear_regression import X_LINE, Y_LINE
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import MeanSquaredError
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState


def train(network: Network, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState) -> None:
    """Trains a neuron on rows X and targets y (rows, 1): forward, loss, backward, step.

    `state` shows the progress, remembers it, and goes on where a training was stopped.
    """
    criterion, recipe = MeanSquaredError(), state.recipe
    optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            outputs = network.forward(X[rows], training=True)
            loss = network.compute_loss(outputs, y[rows], criterion)
            network.backward(outputs, y[rows], criterion)
            optimizer.apply(network.gradients, network.parameters)
            state.log(len(rows), loss=loss)


def fit_neuron(
    name: str, X: np.ndarray, y: np.ndarray, recipe: Recipe, report: Report, *, may_diverge: bool = False
) -> lesson.Trained:
    """Trains one neuron on X (rows, features) and y (rows,); see the lesson's function of this name."""
    print(f"{name}, rate {recipe.rate:.2g}")
    network = Network([Dense(1)], (X.shape[1],), report.arguments.seed)
    checkpoint = report.checkpoint(f"linear_regression-{name}")
    state = TrainingState(checkpoint, recipe, snapshots=lesson.SNAPSHOTS, may_diverge=may_diverge)
    train(network, X, y[:, None], report.arguments.seed, state)
    snapshots = np.array([lesson.flatten(weights) for weights in state.weights.values()])
    return lesson.Trained(network, lesson.flatten(network.get_weights()), state.history["loss"], snapshots)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("linear_regression", arguments, engine="numpy")
    tables = lesson.load_tables(arguments, report)
    report.engine(device.prepare())

    if arguments.part in ("line", "all"):
        paths = lesson.descend_by_hand(report)
        lesson.report_slope(report, lesson.fit_slope())
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
