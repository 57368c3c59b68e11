"""Two exam scores, admitted or not, in NumPy: the mirror of `workshop/admission.py`.

The same data, options, metrics, plots and files, without any library for neural networks: the layers, the loss and the
optimizer are those of `workshop/scratch/nn`, written out to be read.

    python -m workshop.scratch.admission                      # both models; then look into the folder plots
    python -m workshop.scratch.admission --data YOUR.csv      # a table of numbers, the target, 0 or 1, last

Expected, as with Keras: the neuron gets 0.89 to 0.92 of the applicants right, the network 0.99 to 1.00. About 10 s on
two CPU cores. Then `python -m apps.admission`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from workshop import admission as lesson
from workshop.admission import RECIPES, THRESHOLD
from workshop.figures import admission as figures
from workshop.kit import cli, metrics
from workshop.kit.report import Report, format_table
from workshop.kit.training.checkpoint import Checkpoint
from workshop.scratch.nn import device
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import BinaryCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState


def build(kind: str, features: int, seed: int) -> Network:
    """Returns one neuron, or the network with 8 and 4 hidden units: (features,) -> the probability of class 1."""
    hidden = [Dense(8, "relu"), Dense(4, "relu")] if kind == "network" else []
    return Network([*hidden, Dense(1, "sigmoid")], (features,), seed)


def train(network: Network, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState) -> None:
    """Trains a classifier on rows X (rows, features) and targets y (rows, 1): forward, loss, backward, step.

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
    kind: str,
    X: np.ndarray,
    y: np.ndarray,
    arguments: argparse.Namespace,
    checkpoint: Checkpoint | None = None,
    verbose: int = 1,
) -> tuple[Network, list[float]]:
    """Builds and trains one of the two models on scaled X (rows, features) and y (rows,); returns it and its losses."""
    model = build(kind, X.shape[1], arguments.seed)
    state = TrainingState(checkpoint, RECIPES[kind].with_options(arguments, samples=len(X)), verbose=verbose)
    train(model, X, y[:, None], arguments.seed, state)
    return model, state.history["loss"]


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, cross-validates, saves and plots; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("admission", arguments, engine="numpy")
    applicants = lesson.load(arguments.data, arguments.target, arguments.drop)
    X, y = applicants.X, applicants.y
    report.data(applicants.source)
    report.engine(device.prepare())

    X_scaled = applicants.scaler.transform(X)
    models, losses, rows = {}, {}, []
    for kind in RECIPES:
        report.section(f"{kind}: trained on all {len(X)} rows")
        checkpoint = report.checkpoint(f"admission_{kind}")
        model, losses[kind] = fit(kind, X_scaled, y, arguments, checkpoint)
        models[kind] = model
        scores = metrics.two_classes("train", y, model.predict(X_scaled), THRESHOLD)
        report.result(scores, model=kind)
        rows.append([kind, model.count_params(), *(f"{score:.3f}" for score in scores.values())])
    report.section("Both, on the rows they were trained on")
    print(format_table(["model", "weights", "accuracy", "precision", "recall", "F1"], rows))

    report.section("network: trained on some rows, validated on the others")
    accuracies = []
    folds = lesson.cross_validation_folds(X, y, arguments)
    for number, fold in enumerate(folds, 1):
        model, _ = fit("network", fold.X_train, fold.y_train, arguments, verbose=0)
        accuracies.append(lesson.fold_accuracy(fold, model.predict(fold.X_validation)))
        print(f"fold {number} of {len(folds)}: accuracy {accuracies[-1]:.2f} on its {len(fold.y_validation)} rows")
    report.result({"validation_accuracy": float(np.mean(accuracies))}, model="network")

    report.save(
        "admission",
        models["network"],
        inputs=applicants.inputs,
        classes=applicants.classes,
        metrics={name: report.metrics[f"network_{name}"] for name in ("train_accuracy", "validation_accuracy")},
        scaler=applicants.scaler,
        threshold=THRESHOLD,
    )
    report.plot("admission-loss", figures.losses, losses)
    lesson.plot_boundaries(report, applicants, {kind: model.predict for kind, model in models.items()})
    return report.finish(
        use=f"python -m apps.admission --model {report.last_model}",
        not_comparable="" if arguments.data is None else "the table is your own",
    )


if __name__ == "__main__":
    cli.run(main)
