"""Overfitting and what helps against it, in NumPy: the mirror of `workshop/regularization.py`.

The same digits, remedies, options, metrics, plots and files. A penalty is a term of the gradient, and the weights are
shortened after the step: both are written out in the loop.

    python -m workshop.scratch.regularization            # all of it; then look into the folder plots
    python -m workshop.scratch.regularization --quick    # a first look

Expected, as with Keras: without a remedy a gap of about 18 points between training and test accuracy; with max-norm
and elastic distortions at least 91 % of the test digits. Less than a minute on two CPU cores.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from workshop import regularization as lesson
from workshop.figures import regularization as figures
from workshop.kit import cli
from workshop.kit.data.images import load_image_set
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.regularization import NOTHING, OUTPUTS, RECIPES, REMEDIES, RING_UNITS, SIDE, Digits, Remedy, Result
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.regularization import Dropout
from workshop.scratch.nn.state import TrainingState


def build(remedy: Remedy, seed: int) -> Network:
    """Returns the network 784 -> 36 -> 10 with its weights drawn as the lesson draws them."""
    layers: list[Layer] = [Dense(remedy.units, activation="sigmoid"), Dense(OUTPUTS, activation="sigmoid")]
    if remedy.dropout:
        layers.insert(1, Dropout(remedy.dropout))
    network = Network(layers, (SIDE * SIDE,), seed)
    random = np.random.default_rng(seed)
    network.set_weights([random.normal(0, lesson.START, weight.shape) for weight in network.get_weights()])
    return network


def penalize(network: Network, gradients: dict[str, np.ndarray], remedy: Remedy) -> dict[str, np.ndarray]:
    """Returns the gradients of the loss with its penalty: 2 l2 w + l1 sign(w) more for each weight, no bias."""
    added = {}
    for name, weight in network.parameters.items():
        added[name] = gradients[name]
        if name.endswith("kernel"):
            added[name] = added[name] + np.float32(2 * remedy.l2) * weight + np.float32(remedy.l1) * np.sign(weight)
    return added


def shorten(network: Network, longest: float) -> None:
    """Shortens, in place, the weights that lead into a unit to a length of at most `longest`; a column is a unit."""
    for name, weight in network.parameters.items():
        if name.endswith("kernel"):
            lengths = np.linalg.norm(weight, axis=0)
            weight *= np.minimum(1, longest / np.maximum(lengths, 1e-7)).astype(weight.dtype)


def train(
    network: Network,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    state: TrainingState,
    criterion: Loss,
    remedy: Remedy = NOTHING,
    held_out: Digits | None = None,
) -> None:
    """Trains a network: forward, loss, backward, penalty, step, and the constraint behind it.

    `state` shows the progress, remembers it, stops early by the loss on the `held_out` images, and goes on where a
    training was stopped. The loss that it shows is without the penalty.
    """
    recipe = state.recipe
    optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            outputs = network.forward(X[rows], training=True)
            loss = network.compute_loss(outputs, y[rows], criterion)
            network.backward(outputs, y[rows], criterion)
            gradients = network.gradients
            if remedy.l2 or remedy.l1:
                gradients = penalize(network, gradients, remedy)
            optimizer.apply(gradients, network.parameters)
            if remedy.max_norm:
                shorten(network, remedy.max_norm)
            accuracy = np.mean(outputs.argmax(axis=1) == y[rows].argmax(axis=1))
            state.log(len(rows), loss=loss, accuracy=accuracy)
        if held_out is not None:
            state.log_validation(loss=network.compute_loss(network.forward(held_out.X), held_out.y, criterion))


def fit(remedy: Remedy, digits: Digits, seed: int, state: TrainingState, held_out: Digits | None = None) -> Network:
    """Builds and trains a network."""
    network = build(remedy, seed)
    train(network, digits.X, digits.y, seed, state, BinaryCrossentropy(), remedy, held_out)
    return network


def overfit(report: Report, few: Digits, test: Digits) -> None:
    """Trains the network on few images until it has memorised them."""
    recipe = RECIPES["few images"].with_options(report.arguments, len(few.X))
    state = TrainingState(report.checkpoint("regularization-few"), recipe, snapshots=lesson.looks(recipe.epochs))
    network = fit(NOTHING, few, report.arguments.seed, state)
    tests = lesson.evaluate_snapshots(network, network.predict, state.weights, test)
    losses = [OUTPUTS * loss for loss in state.history["loss"]]
    lesson.report_overfitting(report, {"loss": losses, "accuracy": state.history["accuracy"]}, tests)


def try_remedy(
    report: Report, name: str, recipe: Recipe, few: Digits, held_out: Digits, test: Digits
) -> tuple[Network, Result]:
    """Trains a network with a remedy, in as many steps as without; returns it and how good it is."""
    remedy = REMEDIES[name]
    started = time.perf_counter()
    shown, recipe = lesson.shown_images(few, remedy, recipe, report.arguments)
    patience = lesson.PATIENCE if remedy.stops_early else None
    state = TrainingState(report.checkpoint(f"regularization-{name}"), recipe, patience=patience)
    network = fit(remedy, shown, report.arguments.seed, state, held_out if remedy.stops_early else None)
    return network, lesson.measure(network.predict, few, test, time.perf_counter() - started)


def fit_ring(report: Report, name: str, X: np.ndarray, y: np.ndarray) -> Network:
    """Trains a network on the noisy ring, with dropout if that is its name."""
    seed = report.arguments.seed
    recipe = RECIPES["the ring"].with_options(report.arguments, len(X))
    layers: list[Layer] = [Dense(RING_UNITS, activation="relu"), Dense(2, activation="softmax")]
    if name == "dropout":
        layers.insert(1, Dropout(0.5))
    network = Network(layers, (2,), seed)
    state = TrainingState(report.checkpoint(f"regularization-ring-{name}"), recipe)
    train(network, X, np.eye(2, dtype=np.float32)[y], seed, state, CategoricalCrossentropy())
    return network


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv, is_mirror=True)
    report = Report("regularization", arguments, engine="numpy")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare())
    everything = lesson.to_digits(images.X_train, images.y_train)
    test = lesson.to_digits(images.X_test, images.y_test)
    few, held_out = lesson.split_few(everything)

    report.section(f"Overfitting: {len(few.X):,} images, {lesson.UNITS} hidden units")
    overfit(report, few, test)

    report.section(f"The same with all {len(everything.X):,} images")
    recipe = lesson.all_images_recipe(arguments, len(everything.X))
    started = time.perf_counter()
    network = fit(NOTHING, everything, arguments.seed, TrainingState(report.checkpoint("regularization-all"), recipe))
    seconds = time.perf_counter() - started
    lesson.report_all_images(report, lesson.measure(network.predict, everything, test, seconds))

    report.section(f"Ten remedies, on the same {len(few.X):,} images")
    results = {}
    recipe = RECIPES["a remedy"].with_options(arguments, len(few.X))
    for name, remedy in REMEDIES.items():
        print(remedy.title)
        network, results[name] = try_remedy(report, name, recipe, few, held_out, test)
    lesson.report_remedies(report, results)
    lesson.save(report, network, results["combined"], images)
    report.plot("regularization-distortions", figures.distortions, *lesson.distorted_examples(few.X))

    report.section(f"Dropout at work: a noisy ring and a network of 2, {RING_UNITS} and 2 units")
    ring, ring_test = lesson.rings(arguments.seed)
    networks = {name: fit_ring(report, name, *ring) for name in ("plain", "dropout")}
    lesson.report_ring(report, {name: network.predict for name, network in networks.items()}, ring, ring_test)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
