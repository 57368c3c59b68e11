"""The choices of every training, in NumPy: the mirror of `workshop/training_choices.py`.

The same houses, options, metrics and plots.

    python -m workshop.scratch.training_choices

Expected, as with Keras: mini-batch and stochastic descent come close to the normal equation's weights; of the rates 0.3
is chosen; stopped early, the best epoch's weights are kept; two outputs at once are those of two separate neurons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from workshop import training_choices as lesson
from workshop.kit import cli
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import MeanSquaredError
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState


def train(
    network: Network,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    state: TrainingState,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Trains a neuron on rows X and targets y (rows, outputs): forward, loss, backward, step.

    `state` shows the progress, remembers it, stops early by the loss on the `validation` rows and
    targets, and goes on where a training was stopped.
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
        if validation is not None:
            inputs, targets = validation
            state.log_validation(loss=network.compute_loss(network.forward(inputs), targets, criterion))


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
    targets = y.reshape(len(y), -1)
    network = Network([Dense(targets.shape[1])], (X.shape[1],), report.arguments.seed)
    if start is not None:
        network.set_weights(start)
    if validation is not None:
        validation = validation[0], validation[1].reshape(len(validation[1]), -1)
    patience = lesson.PATIENCE if validation is not None else None
    checkpoint = report.checkpoint(f"training_choices-{name}")
    state = TrainingState(checkpoint, recipe, patience=patience, snapshots=[*snapshots], may_diverge=may_diverge)
    train(network, X, targets, report.arguments.seed, state, validation)
    weights = {epoch: lesson.stack(values) for epoch, values in state.weights.items()}
    with np.errstate(over="ignore", invalid="ignore"):  # where the training diverged
        loss = network.compute_loss(network.forward(X), targets, MeanSquaredError())
    return lesson.Trained(lesson.stack(network.get_weights()), state.history, weights, state.best_epoch, loss)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("training_choices", arguments, engine="numpy")
    table, split = lesson.load(report)
    report.engine(device.prepare())

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
