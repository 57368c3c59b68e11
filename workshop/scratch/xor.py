"""Exclusive or, in NumPy: the mirror of `workshop/xor.py`.

The same points, options, metrics and files, without any library for neural networks; the gates by hand are in the
lesson alone.

    python -m workshop.scratch.xor                        # then look into the folder plots
    python -m workshop.scratch.xor --part shapes          # a step, a sine, a circle, three classes
    python -m workshop.scratch.xor --data YOUR.csv        # two features and a target, in place of the noisy points

Expected, as with Keras: the outputs of the trained network round to 0, 1, 1, 0; of 1,000 fresh noisy points one hidden
unit gets at most 80 % right, four get at least 99 %. About 10 s on two CPU cores. The shapes take 8 s, the recipes
of the courses (--preset course-2-3-1, course-2-4-1) 20 and 6 s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workshop import xor as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState
from workshop.xor import CROSS_ENTROPY, MEAN_SQUARED_ERROR, RECIPES, Points, Task


def build_network(hidden_units: int, seed: int, inputs: int = 2, loss_name: str = MEAN_SQUARED_ERROR) -> Network:
    """Returns the network: inputs -> hidden_units, sigmoid -> one number: linear or, for cross-entropy, a sigmoid."""
    activation = "sigmoid" if loss_name == CROSS_ENTROPY else "linear"
    return Network([Dense(hidden_units, "sigmoid"), Dense(1, activation)], (inputs,), seed)


def train(
    network: Network, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState, loss_name: str = MEAN_SQUARED_ERROR
) -> None:
    """Trains a network on X (rows, inputs) and y (rows, 1): forward, loss, backward, step.

    `state` shows the progress, remembers it, and goes on where a training was stopped.
    """
    criterion = make_loss(loss_name)
    optimizer = make_optimizer(state.recipe.optimizer, state.recipe.learning_rate)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            inputs, targets = X[rows], y[rows]
            outputs = network.forward(inputs, training=True)
            loss = network.compute_loss(outputs, targets, criterion)
            network.backward(outputs, targets, criterion)
            optimizer.apply(network.gradients, network.parameters)
            state.log(len(rows), loss=loss)


def train_network(report: Report, task: Task, points: Points) -> None:
    """Trains and saves the network on the corners, or that of a course's recipe."""
    report.section(task.title)
    seed = report.arguments.seed
    snapshots = lesson.snapshot_epochs(task.recipe.epochs)
    state = TrainingState(report.checkpoint(task.name), task.recipe, snapshots=snapshots)
    network = build_network(task.hidden_units, seed, loss_name=task.loss)
    train(network, task.X, task.y[:, None], seed, state, task.loss)
    lesson.report_network(
        report, task, points, network, lambda X: network.predict(X)[:, 0], state.history["loss"], state.weights
    )


def compare_sizes(report: Report, points: Points) -> None:
    """Trains networks of one, two and four hidden units on noisy points, or on your own table."""
    report.section(points.title)
    arguments = report.arguments
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
        accuracies[hidden_units] = lesson.accuracies(points, network.predict(X_train), network.predict(X_test))
        report.result(accuracies[hidden_units], model=kind)
    lesson.show_sizes(report, points, weights, accuracies)


def train_shapes(report: Report) -> None:
    """Trains the networks that approximate a step, a sine, a circle and three classes."""
    report.section("What a hidden layer can approximate: a step, a sine, a circle, three classes")
    seed = report.arguments.seed
    tasks = lesson.shape_tasks(report.arguments)
    weights = {}
    for task in tasks:
        print(f"{task.name.partition('_')[0]}, {lesson.units_title(task.hidden_units)}")
        state = TrainingState(report.checkpoint(f"xor-{task.name}"), task.recipe)
        network = build_network(task.hidden_units, seed, task.X.shape[1], task.loss)
        train(network, task.X, task.y[:, None], seed, state, task.loss)
        weights[task.name] = network.get_weights()
    lesson.show_shapes(report, tasks, weights)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains on the corners and on noisy points, or on shapes; draws, saves, returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("xor", arguments, engine="numpy")
    points = lesson.load_points(arguments)
    report.data(lesson.describe_data(arguments, points))
    report.engine(device.prepare())
    if arguments.preset or arguments.part in ("xor", "all"):
        train_network(report, lesson.network_task(arguments, points), points)
    if not arguments.preset and arguments.part in ("xor", "all"):
        compare_sizes(report, points)
    if arguments.part in ("shapes", "all"):
        train_shapes(report)
    return report.finish(not_comparable=lesson.why_not_comparable(arguments))


if __name__ == "__main__":
    cli.run(main)
