"""Any table with a number or a class to predict, in NumPy: the mirror of `workshop/tables.py`.

The same tables, options, metrics, plots and files, without any library for neural networks.

    python -m workshop.scratch.tables                         # concrete and cars; then look into the folder plots
    python -m workshop.scratch.tables --data YOUR.csv         # any CSV, as it is; the target in the last column

Expected, as with Keras: concrete within 6 MPa (root mean squared error on the test rows), at least 97 % of the test
cars right. About 10 s on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workshop import tables as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import CategoricalCrossentropy, Loss, MeanSquaredError
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState


def build_network(columns: int, classes: int, seed: int) -> Network:
    """Returns the network: (columns,) -> 128 -> 128 -> one number, or the probabilities of the classes."""
    output = Dense(classes, "softmax") if classes else Dense(1)
    return Network([Dense(128, "relu"), Dense(128, "relu"), output], (columns,), seed)


def train(
    network: Network,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    state: TrainingState,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Trains the network on rows X and targets y, numbers or one-hot classes: forward, loss, backward, step.

    `state` shows the progress, remembers it, stops early by the loss on the `validation` rows and targets, and goes on
    where a training was stopped.
    """
    criterion: Loss = CategoricalCrossentropy() if y.shape[1] > 1 else MeanSquaredError()
    recipe = state.recipe
    optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate, recipe.schedule_steps)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            outputs = network.forward(X[rows], training=True)
            loss = network.compute_loss(outputs, y[rows], criterion)
            network.backward(outputs, y[rows], criterion)
            optimizer.apply(network.gradients, network.parameters)
            state.log(len(rows), loss=loss)
        if validation is not None:
            inputs, targets = validation
            state.log_validation(loss=network.compute_loss(network.forward(inputs), targets, criterion))


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Reads the tables, trains, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("tables", arguments, engine="numpy")
    tasks = lesson.load_tables(arguments, report)
    report.engine(device.prepare())
    for task in tasks:
        report.section(f"{task.title}: {len(task.inputs)} inputs in {task.X.shape[1]} columns")
        print(lesson.describe_inputs(task))
        recipe = lesson.get_recipe(task, arguments)
        targets, mean, spread = lesson.scale_targets(task)
        network = build_network(task.X.shape[1], len(task.classes), arguments.seed)
        state = TrainingState(report.checkpoint(f"tables-{task.name}"), recipe, patience=lesson.PATIENCE)
        validation = task.X[task.validation], targets[task.validation]
        train(network, task.X[task.train], targets[task.train], arguments.seed, state, validation)
        print(f"Kept the weights of epoch {state.best_epoch} of {state.finished}, the best on the validation rows")
        losses = {"training": state.history["loss"], "validation": state.history["val_loss"]}
        if not task.classes:
            network.set_weights(lesson.unscale_outputs(network.get_weights(), mean, spread))
            losses = {part: np.square(spread) * np.array(values) for part, values in losses.items()}

        predicted = lesson.compare(task, report, network.predict(task.X), f"{task.title}_" if len(tasks) > 1 else "")
        lesson.save_and_plot(task, report, network, predicted, losses)
    return report.finish(not_comparable="the table is your own" if arguments.data else "")


if __name__ == "__main__":
    cli.run(main)
