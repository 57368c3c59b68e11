"""One neuron decides, in NumPy: the mirror of `workshop/logistic_regression.py`.

The same data, options, metrics and files, without any library for neural networks; the sigmoid, cross-entropy and the
coin by hand are in the lesson alone. The gradient of cross-entropy and sigmoid together is p - t: see `nn/losses.py`.

    python -m workshop.scratch.logistic_regression                      # then look into the folder plots
    python -m workshop.scratch.logistic_regression --data YOUR.csv      # numbers, then a target that is 0 or 1

Expected, as with Keras: at least 96 % of the test cases right. About 10 s on two CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from workshop import logistic_regression as lesson
from workshop.figures import logistic_regression as figures
from workshop.kit import cli, metrics
from workshop.kit.report import Report
from workshop.kit.training.checkpoint import Checkpoint
from workshop.logistic_regression import RECIPES, THRESHOLD
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import BinaryCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState


def train(network: Network, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState) -> None:
    """Trains a neuron on rows X (rows, features) and targets y (rows, 1): forward, loss, backward, step.

    `state` shows the progress, remembers it, and goes on where a training was stopped.
    """
    criterion = BinaryCrossentropy()
    optimizer = make_optimizer(state.recipe.optimizer, state.recipe.learning_rate)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            inputs, targets = X[rows], y[rows]
            probabilities = network.forward(inputs, training=True)
            loss = network.compute_loss(probabilities, targets, criterion)
            network.backward(probabilities, targets, criterion)
            optimizer.apply(network.gradients, network.parameters)
            accuracy = np.mean((probabilities >= 0.5) == targets)
            state.log(len(rows), loss=loss, accuracy=accuracy)


def fit(
    X: np.ndarray, y: np.ndarray, arguments: argparse.Namespace, checkpoint: Checkpoint | None = None
) -> tuple[Network, list[float]]:
    """Builds and trains a neuron on scaled X (rows, features) and y (rows,); returns it and its loss in every epoch."""
    model = Network([Dense(1, "sigmoid")], X.shape[1:], arguments.seed)
    state = TrainingState(checkpoint, RECIPES["neuron"].with_options(arguments, samples=len(X)))
    train(model, X, y[:, None], arguments.seed, state)
    return model, state.history["loss"]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, evaluates, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("logistic_regression", arguments, engine="numpy")
    cases = lesson.load(arguments.data, arguments.target, arguments.drop)
    report.data(cases.source)
    report.engine(device.prepare())

    from sklearn.preprocessing import StandardScaler

    if arguments.data is None:
        report.section("A straight line as a classifier, and one very large tumour")
        sizes = cases.X[:, :1]
        scaler = StandardScaler().fit(sizes)
        classifiers = {}
        for title, (x, y) in lesson.with_a_large_tumour(sizes, cases.y).items():
            print(f"neuron, {title}")
            model, _ = fit(scaler.transform(x), y, arguments)
            classifiers[title] = lesson.line_and_neuron(x, y, model.get_weights(), scaler)
        lesson.show_classifiers(report, sizes, cases.y, classifiers)

    report.section("One neuron, all features: three quarters of the rows to train on, one to test")
    X_train, X_test, y_train, y_test = lesson.split(cases)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    model, losses = fit(X_train, y_train, arguments, report.checkpoint("logistic_regression"))
    probabilities = model.predict(X_test)[:, 0]
    report.result(metrics.two_classes("train", y_train, model.predict(X_train), THRESHOLD))
    report.result(metrics.two_classes("test", y_test, probabilities, THRESHOLD))
    report.save(
        "logistic_regression",
        model,
        inputs=cases.inputs,
        classes=cases.classes,
        metrics=report.metrics,
        scaler=scaler,
        threshold=THRESHOLD,
    )
    report.plot("logistic_regression-confusion", figures.confusion, y_test, probabilities >= THRESHOLD, cases.classes)
    report.plot("logistic_regression-loss", figures.loss, losses)
    return report.finish(not_comparable="" if arguments.data is None else "the table is your own")


if __name__ == "__main__":
    cli.run(main)
