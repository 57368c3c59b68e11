"""Exclusive or, in NumPy: the mirror of `workshop/xor.py`.

The same points, options, metrics and files, without any library for neural networks; the gates by hand are in the
lesson alone.

    python -m workshop.scratch.xor                        # all parts; then look into the folder plots
    python -m workshop.scratch.xor --data YOUR.csv        # two features and a target, in place of the noisy points

Expected, as with Keras: the outputs of the trained network round to 0, 1, 1, 0; of 1,000 fresh noisy points one hidden
unit gets at most 80 % right, four get at least 99 %. About 10 s on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workshop import xor as lesson
from workshop.figures import xor as figures
from workshop.kit import cli, metrics
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import MeanSquaredError
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState
from workshop.xor import RECIPES, THRESHOLD, X_CORNERS, Y_CORNERS


def build_network(hidden_units: int, seed: int) -> Network:
    """Returns the network: 2 -> hidden_units, sigmoid -> one number, linear."""
    return Network([Dense(hidden_units, "sigmoid"), Dense(1)], (2,), seed)


def train(network: Network, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState) -> None:
    """Trains a network on X (rows, 2) and y (rows, 1): forward, loss, backward, step.

    `state` shows the progress, remembers it, and goes on where a training was stopped.
    """
    criterion = MeanSquaredError()
    optimizer = make_optimizer(state.recipe.optimizer, state.recipe.learning_rate)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            inputs, targets = X[rows], y[rows]
            outputs = network.forward(inputs, training=True)
            loss = network.measure(outputs, targets, criterion)
            network.backward(outputs, targets, criterion)
            optimizer.apply(network.parameters, network.gradients)
            state.log(len(rows), loss=loss)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains on the corners and on noisy points; draws, saves, returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("xor", arguments, engine="numpy")
    points = lesson.load_points(arguments)
    report.data(f"the four corners of XOR; {points.source}")
    report.engine(device.prepare())

    report.section("XOR learned: a 2-3-1 network and the four corners")
    recipe = RECIPES["corners"].with_options(arguments, samples=len(X_CORNERS))
    state = TrainingState(report.checkpoint("xor"), recipe, snapshots=lesson.snapshot_epochs(recipe.epochs))
    network = build_network(3, arguments.seed)
    train(network, X_CORNERS, Y_CORNERS[:, None], arguments.seed, state)
    outputs = network.predict(X_CORNERS)[:, 0]
    print(lesson.format_outputs(outputs))
    measured = {
        "train_accuracy": metrics.two_classes("train", Y_CORNERS, outputs, THRESHOLD)["train_accuracy"],
        "train_mean_squared_error": float(np.mean((outputs - Y_CORNERS) ** 2)),
    }
    report.result(measured, model="network")
    report.save(
        "xor",
        network,
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
        network = build_network(hidden_units, arguments.seed)
        train(network, X_train, points.y_train[:, None], arguments.seed, state)
        weights[hidden_units] = network.get_weights()
        accuracies[hidden_units] = lesson.measure(points, network.predict(X_train), network.predict(X_test))
        report.result(accuracies[hidden_units], model=kind)
    lesson.show_sizes(report, points, weights, accuracies)
    return report.finish(no_band=lesson.no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
