"""An image read row by row, in NumPy: the mirror of `workshop/rnn.py`.

The same images, options, metrics, plots and files, without any library for neural networks. The loop over the rows is
`nn/recurrent.py`, one step of each cell, forward and backward, is `nn/cells.py`.

    python -m workshop.scratch.rnn                              # the three, compared; then look into the folder plots
    python -m workshop.scratch.rnn --cell lstm --read last      # one of them, predicting from its last state alone
    python -m workshop.scratch.rnn --quick                      # a first look, in seconds
    python -m workshop.scratch.rnn --preset course              # two layers of 256, all states, as the course has them

Expected, as with Keras and after as many epochs: SimpleRNN at least 97 % test accuracy, LSTM and GRU at least 98.5 %,
all three in about 20 s on one CPU core (with seeds 1, 2 and 3 at least 97.53, 98.76 and 98.70 %). The preset `course`
is the recipe that `workshop/rnn.py` describes; extrapolated from 8 of its 938 steps, an epoch takes about 40 s, 140 s
and 105 s here (SimpleRNN, LSTM, GRU).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from workshop.figures import rnn as figures
from workshop.kit import cli
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.rnn import CELLS, READ, parse, predict_by_row
from workshop.scratch.nn import device
from workshop.scratch.nn.cells import GRU, LSTM, SimpleRNN
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.losses import SparseCategoricalCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import clip_by_global_norm, make_optimizer
from workshop.scratch.nn.reshaping import Flatten
from workshop.scratch.nn.state import TrainingState


def build_layers(cell: str, units: int = 48, layers: int = 1, read: str = "all") -> list[Layer]:
    """Returns the layers: (28 rows, 28 pixels) -> recurrent layers -> the last state, or all 28 -> 10 probabilities.

    Args:
        cell: "simple", "lstm" or "gru".
        units: numbers of each layer's state.
        layers: recurrent layers, stacked.
        read: "last" to predict from the state after the last row, "all" from those after all rows.
    """
    layer = {"simple": SimpleRNN, "lstm": LSTM, "gru": GRU}[cell]
    stack: list[Layer] = []
    for _ in range(layers - 1):
        stack.append(layer(units, return_sequences=True))  # the next layer reads the state after every row
    if read == "all":
        stack += [layer(units, return_sequences=True), Flatten()]
    else:
        stack.append(layer(units))
    return [*stack, Dense(10, "softmax")]


def build(cell: str, arguments: argparse.Namespace) -> Network:
    """Returns a network as the options want it."""
    layers = build_layers(cell, arguments.units, arguments.layers, arguments.read)
    return Network(layers, (28, 28), arguments.seed)


def train(network: Network, X: np.ndarray, y: np.ndarray, seed: int, state: TrainingState) -> None:
    """The training loop, written out; `state` shows it, remembers it and goes on where it was stopped."""
    criterion = SparseCategoricalCrossentropy()
    recipe = state.recipe
    optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate, recipe.schedule_steps)
    for _epoch in state.epochs(network, optimizer, X, y, seed):
        for rows in state.batches():
            inputs, targets = scale_pixels(X[rows]), y[rows]
            probabilities = network.forward(inputs, training=True)
            loss = network.compute_loss(probabilities, targets, criterion)
            network.backward(probabilities, targets, criterion)
            if recipe.clip is not None:
                clip_by_global_norm(network.gradients, recipe.clip)
            optimizer.apply(network.gradients, network.parameters)
            accuracy = np.mean(probabilities.argmax(axis=1) == targets)
            state.log(len(rows), loss=loss, accuracy=accuracy)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and compares the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("rnn", arguments, engine="numpy")
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare())

    X_train, X_test = images.X_train[..., 0], images.X_test[..., 0]
    X = scale_pixels(X_test[:3])
    run_name = f"rnn_{arguments.preset}" if arguments.preset else "rnn"  # what the default run saved stays
    curves, rows, accuracies, predictions = {}, [], {}, {}
    for cell in arguments.cells:
        name = CELLS[cell]
        report.section(name)
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[cell].with_options(arguments, samples=len(X_train))
        network = build(cell, arguments)
        state = TrainingState(report.checkpoint(f"{run_name}_{cell}"), recipe)
        started = time.perf_counter()
        train(network, X_train, images.y_train, arguments.seed, state)
        seconds = time.perf_counter() - started
        probabilities = network.predict(X_test, preprocess=scale_pixels)
        test_accuracy = float(np.mean(probabilities.argmax(axis=1) == images.y_test))

        metrics = {"train_accuracy": state.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(X_test):,} test images classified correctly")
        report.result(metrics, model=cell, is_only=len(arguments.cells) == 1)
        report.save(  # the .h5 that Keras would write, and a card (.json): inputs, classes, metrics, digests
            f"{run_name}_{cell}",
            network,
            inputs=[Input("image", shape=(28, 28))],
            classes=images.classes,
            metrics=metrics,
        )
        curves[name] = state.curve
        accuracies[name] = test_accuracy
        rows.append([name, f"{network.count_params():,}", f"{seconds:.1f}", f"{test_accuracy:.2%}"])
        predictions[name] = predict_by_row(network, X)

    title = f"{arguments.layers} x {arguments.units} units, predicting from {READ[arguments.read]}"
    report.section(title)
    print(format_table(["cell", "weights", "seconds", "test accuracy"], rows))
    report.plot(run_name, figures.comparison, curves, accuracies, title)
    report.plot(f"{run_name}-rows", figures.predictions_by_row, X, predictions, images.y_test[:3], images.classes)
    use = f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png"
    return report.finish(use=use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
