"""Nine optimizers, in NumPy: the mirror of `workshop/optimizers.py`.

The memory of the engine's optimizers, the race on the digits and the lowered rate, with the same options, metrics and
plots. The nine rules are in `nn/sgd.py` and `nn/adaptive.py`, each a few lines beside its formula.

    python -m workshop.scratch.optimizers                              # all of it; then look into the folder plots
    python -m workshop.scratch.optimizers --algorithms sgd adam        # two of the nine
    python -m workshop.scratch.optimizers --quick                      # a first look

Expected, as with Keras: after one epoch Adam, Nadam and momentum over 95 %, Adagrad 93 %, Rprop under 92 %; the lowered
rate better than the constant one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from workshop import optimizers as lesson
from workshop.figures.optimizers import Stalled
from workshop.kit import cli
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import SparseCategoricalCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.reshaping import Flatten
from workshop.scratch.nn.state import TrainingState


def build(hidden_units: Sequence[int], seed: int) -> Network:
    """Returns the dense network: (28, 28, 1) -> 784 -> each of `hidden_units`, relu -> 10 probabilities."""
    hidden = (Dense(units, "relu") for units in hidden_units)
    return Network([Flatten(), *hidden, Dense(10, "softmax")], (28, 28, 1), seed)


def evaluate(network: Network, X: np.ndarray, y: np.ndarray) -> float:
    """Returns the share of images whose most probable class is theirs."""
    probabilities = network.predict(X, preprocess=scale_pixels, batch_size=1000)
    return float(np.mean(probabilities.argmax(axis=1) == y))


def train(name: str, recipe: Recipe, images: ImageSet, report: Report) -> lesson.Trained:
    """Trains the network with one of the algorithms, from the same weights and on the same batches as the others."""
    print(f"{lesson.TITLES[name]}, rate {recipe.rate:g}")
    X, y, seed = images.X_train, images.y_train, report.arguments.seed
    network = build(lesson.LAYERS, seed)
    criterion, optimizer = SparseCategoricalCrossentropy(), make_optimizer(recipe.optimizer, recipe.learning_rate)
    state = TrainingState(report.checkpoint(f"optimizers-{name}"), recipe)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        started = time.perf_counter()
        for rows in state.batches():
            inputs, targets = scale_pixels(X[rows]), y[rows]
            probabilities = network.forward(inputs, training=True)
            loss = network.compute_loss(probabilities, targets, criterion)
            network.backward(probabilities, targets, criterion)
            optimizer.apply(network.gradients, network.parameters)
            now = time.perf_counter()
            state.log(len(rows), loss=loss, seconds=now - started)
            started = now
    epochs, losses = state.curve
    steps_an_epoch = -(-len(X) // recipe.batch_size)
    accuracy = evaluate(network, images.X_test, images.y_test)
    return lesson.Trained([epoch * steps_an_epoch for epoch in epochs], losses, state.history["seconds"][-1], accuracy)


class ReduceOnPlateau:
    """Lowers an optimizer's rate when a loss has not fallen for `PATIENCE` epochs, as Keras' ReduceLROnPlateau does."""

    def __init__(self) -> None:
        self.lowest, self.waited = np.inf, 0

    def next_rate(self, rate: float, loss: float) -> float:
        """Returns the rate of the next epoch, after one that ended with this loss."""
        if loss < self.lowest - lesson.MIN_DELTA:
            self.lowest, self.waited = loss, 0
            return rate
        self.waited += 1
        if self.waited < lesson.PATIENCE:
            return rate
        self.waited = 0
        return rate * lesson.FACTOR


def train_stalling(images: ImageSet, report: Report, lowers: bool) -> Stalled:
    """Trains at a high rate; with `lowers` it is lowered where the validation loss stalls."""
    seed, recipe = report.arguments.seed, lesson.STALLING.for_run(report.arguments.quick)
    (X, y), (X_validation, y_validation) = lesson.split(images)
    network, criterion = build(lesson.STALLING_LAYERS, seed), SparseCategoricalCrossentropy()
    optimizer, plateau = make_optimizer(recipe.optimizer, recipe.learning_rate), ReduceOnPlateau()
    rate = recipe.rate
    used: list[float] = []
    state = TrainingState(None, recipe)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        optimizer.learning_rate = rate
        used.append(rate)
        for rows in state.batches():
            probabilities = network.forward(X[rows], training=True)
            loss = network.compute_loss(probabilities, y[rows], criterion)
            network.backward(probabilities, y[rows], criterion)
            optimizer.apply(network.gradients, network.parameters)
            state.log(len(rows), loss=loss)
        validation_loss = network.compute_loss(network.forward(X_validation), y_validation, criterion)
        state.log_validation(loss=validation_loss)
        if lowers:
            rate = plateau.next_rate(rate, validation_loss)
    accuracy = evaluate(network, images.X_test, images.y_test)
    return Stalled(state.history["loss"], state.history["val_loss"], used, accuracy)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Counts, trains and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("optimizers", arguments, engine="numpy")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare())

    report.section("Memory of each optimizer")
    lesson.report_memory({"NumPy": lesson.memory_numpy}, arguments.algorithms)

    report.section(f"The race on {images.source}: {'-'.join(map(str, (784, *lesson.LAYERS, 10)))}")
    recipes = lesson.race_recipes(arguments, len(images.X_train))
    trained = {name: train(name, recipes[name], images, report) for name in recipes}
    lesson.report_race(report, trained, recipes, images.source)

    report.section("Lowering the rate when validation stalls")
    stalled = {name: train_stalling(images, report, lowers=name == "lowered") for name in ("constant", "lowered")}
    lesson.report_stalling(report, stalled)
    return report.finish(not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
