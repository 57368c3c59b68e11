"""An image read row by row: recurrent networks, which keep in a state what they have read.

A digit of 28x28 pixels is a sequence of 28 rows. You build three networks that read it from the top: a SimpleRNN, an
LSTM and a GRU, compare them, and see what each predicts after every row. What happens in a cell, and how far back its
gradient reaches, is the lesson `recurrent_cells`.

    python -m workshop.rnn                              # the three, compared; then look into the folder plots
    python -m workshop.rnn --cell lstm --read last      # one of them, predicting from its last state alone
    python -m workshop.rnn --cell gru --layers 2 --units 32 --clip 1
    python -m workshop.rnn --quick                      # a first look, in seconds
    python -m workshop.rnn --preset course              # two layers of 256, all states, as the course has them
    python -m workshop.rnn --preset large               # the same size, from the last state, on a schedule

Expected, with the defaults on MNIST: SimpleRNN at least 97 % test accuracy, LSTM and GRU at least 98.5 %, all three
within a minute on two CPU cores. The defaults predict from the states after all rows; from the last state alone
(`--read last`) the same epochs leave an LSTM at about 98 %. Without MNIST: scikit-learn's digits.

A preset's models have its name: rnn_course_lstm. The preset `course` is a course's recipe: two layers of 256 units, all
28 states into one dense layer of 10, Adam at a constant rate of 0.001, batches of 64, 10 epochs. The course has 97.83,
98.76 and 97.84 % (SimpleRNN, LSTM, GRU). Run once here: 97.34, 99.13 and 98.63 % in Keras; in PyTorch, with seeds 1, 2
and 3, at least 97.59, 99.00 and 98.81 %. On two CPU cores an epoch takes about 40 s, 3 minutes and 2 minutes: an hour
for all three; on a graphics card PyTorch takes three minutes. The preset `large` has the same layers, but predicts from
the last state and is trained by AdamW on a schedule, in batches of 192: 98.73, 99.22 and 99.24 %, in an hour or more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.figures import rnn as figures
from workshop.kit import cli, device, training
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe
from workshop.scratch.nn.network import Network

if TYPE_CHECKING:
    import keras

CELLS = {"simple": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
READ = {"last": "the last state", "all": "all states"}

# A quick run has 1,000 images, a small set at most 2,000: they are seen more often. With another optimizer,
# `--optimizer`, a step takes 32 images, as Keras does by default.
SHARED: dict[str, Any] = {"batch_size": 192, "small_set_epochs": 20, "quick_epochs": 8, "own_batch_size": 32}
RECIPES = {
    "simple": Recipe(epochs=3, learning_rate=0.005, **SHARED),
    "lstm": Recipe(epochs=2, learning_rate=0.014, **SHARED),
    "gru": Recipe(epochs=2, learning_rate=0.014, **SHARED),
}
LARGE = {
    "simple": Recipe(epochs=10, learning_rate=0.0005, **SHARED),
    "lstm": Recipe(epochs=10, learning_rate=0.002, **SHARED),
    "gru": Recipe(epochs=10, learning_rate=0.002, **SHARED),
}
COURSE = dict.fromkeys(
    CELLS, Recipe(epochs=10, learning_rate=0.001, batch_size=64, optimizer="adam", schedule=False, quick_epochs=1)
)
PRESETS: dict[str | None, dict[str, Any]] = {
    None: {"units": 48, "layers": 1, "read": "all", "recipes": RECIPES},
    "course": {"units": 256, "layers": 2, "read": "all", "recipes": COURSE},
    "large": {"units": 256, "layers": 2, "read": "last", "recipes": LARGE},
}


def build_network(cell: str, units: int = 48, layers: int = 1, read: str = "all") -> keras.Sequential:
    """Returns a network: (28 rows, 28 pixels) -> recurrent layers -> the last state, or all 28 -> 10 probabilities."""
    layer = {"simple": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    model = keras.Sequential([keras.Input((28, 28))])
    for _ in range(layers - 1):
        model.add(layer(units, return_sequences=True))  # the next layer reads the state after every row
    if read == "all":
        model.add(layer(units, return_sequences=True))
        model.add(keras.layers.Flatten())
    else:
        model.add(layer(units))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model


def predict_by_row(network: Network, X: np.ndarray) -> np.ndarray:
    """Returns the predicted probabilities after each row of X: (images, rows, classes).

    A network that predicts from its last state predicts from each of its states here. One that predicts from all of
    them together gets zeros for the rows that it has not read yet.

    Args:
        network: of the NumPy engine: recurrent layers, a Flatten layer or none, a Dense layer.
        X: (images, rows, columns), pixels from 0 to 1.
    """
    layers: list[Any] = [layer for layer in network.layers if layer.parameters]
    *recurrent, dense = layers
    reads_all = recurrent[-1].return_sequences
    recurrent[-1].return_sequences = True
    states = X
    for layer in recurrent:
        states = layer.forward(states)
    recurrent[-1].return_sequences = reads_all
    if not reads_all:
        return np.asarray(dense.forward(states))
    images, rows, units = states.shape
    is_read = np.tril(np.ones((rows, rows), X.dtype))[:, :, None]
    return np.asarray(dense.forward((states[:, None] * is_read).reshape(images, rows, rows * units)))


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options; `cells` are those to train, `recipes` theirs."""
    parser = cli.lesson_parser(docstring, RECIPES, epochs="3 simple, 2 lstm, 2 gru; course, large 10", data="DIR")
    add, number = parser.add_argument, cli.whole_number
    add("--cell", choices=[*CELLS, "all"], default="all", help="(default: all, compared)")
    add("--layers", type=number(1), metavar="N", help="recurrent layers, stacked (default: 1; course, large 2)")
    add("--units", type=number(1), metavar="N", help="numbers of each layer's state (default: 48; course, large 256)")
    predicts_from = "predict from the last row's state, or from those of all rows (default: all; large last)"
    add("--read", choices=["last", "all"], help=predicts_from)
    add("--clip", type=cli.positive_number, metavar="NORM", help="shorten longer gradients to it (default: not at all)")
    help_text = (
        "two layers of 256 units, 10 epochs: as the course has them, or large, from the last state on a schedule"
    )
    add("--preset", choices=["course", "large"], help=help_text)
    arguments = cli.parse_lesson(parser, argv)
    arguments.not_comparable = cli.given(arguments, "layers", "units", "read", "clip")
    preset = PRESETS[arguments.preset]
    arguments.layers = arguments.layers or preset["layers"]
    arguments.units = arguments.units or preset["units"]
    arguments.read = arguments.read or preset["read"]
    if arguments.units > 2048 or arguments.layers > 8:
        parser.error(f"--units, --layers: got {arguments.units} and {arguments.layers}, takes up to 2048 and 8")
    arguments.cells = list(CELLS) if arguments.cell == "all" else [arguments.cell]
    arguments.recipes = {cell: replace(preset["recipes"][cell], clip=arguments.clip) for cell in arguments.cells}
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and compares the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("rnn", arguments)
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed))  # seeds, determinism, dtype policy

    X_train, X_test = images.X_train[..., 0], scale_pixels(images.X_test[..., 0])
    run_name = f"rnn_{arguments.preset}" if arguments.preset else "rnn"  # what the default run saved stays
    curves, rows, accuracies, predictions = {}, [], {}, {}
    for cell in arguments.cells:
        name = CELLS[cell]
        report.section(name)
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[cell].with_options(arguments, samples=len(X_train))
        # A tf.data.Dataset, its order drawn from the seed and the epoch: every engine sees the same batches.
        batches = training.shuffled_batches(X_train, images.y_train, recipe.batch_size, arguments.seed, scale_pixels)
        with device.scope(arguments.seed):  # keras.utils.set_random_seed: the initial weights
            model = build_network(cell, arguments.units, arguments.layers, arguments.read)
        model.summary()
        model.compile(
            optimizer=recipe.make_optimizer(),  # AdamW, warm-up, cosine decay; course: Adam; --clip: global_clipnorm
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            steps_per_execution=device.steps_per_execution(),  # 32 steps per call of TensorFlow: same result, sooner
        )
        losses = training.StepLosses()  # the loss within the epochs, for the plot
        started = time.perf_counter()
        history = model.fit(
            batches,
            epochs=recipe.epochs,
            shuffle=False,  # the batches come shuffled, each epoch anew
            callbacks=[
                *training.tensorboard(arguments.tensorboard, cell),
                losses,
                # For --resume, as keras.callbacks.BackupAndRestore; also restores `losses` and the order of `batches`.
                training.Resume(report.checkpoint(f"{run_name}_{cell}"), batches, keep=[losses]),
            ],
            verbose=report.verbose,
        )
        seconds = time.perf_counter() - started
        _, test_accuracy = model.evaluate(X_test, images.y_test, batch_size=1000, verbose=0)

        metrics = {"train_accuracy": history.history["accuracy"][-1], "test_accuracy": test_accuracy}
        print(f"{test_accuracy:.2%} of {len(X_test):,} test images classified correctly")
        report.result(metrics, model=cell, is_only=len(arguments.cells) == 1)
        report.save(  # model.save, and beside the .h5 a card (.json): inputs, classes, metrics, digests
            f"{run_name}_{cell}",
            model,
            inputs=[Input("image", shape=(28, 28))],
            classes=images.classes,
            metrics=metrics,
        )
        curves[name] = losses.curve
        accuracies[name] = test_accuracy
        rows.append([name, f"{model.count_params():,}", f"{seconds:.1f}", f"{test_accuracy:.2%}"])
        # The saved .h5, read by the NumPy engine, whose layers can be made to return all states.
        predictions[name] = predict_by_row(Network.from_h5(report.last_model), X_test[:3])

    title = f"{arguments.layers} x {arguments.units} units, predicting from {READ[arguments.read]}"
    report.section(title)
    print(format_table(["cell", "weights", "seconds", "test accuracy"], rows))
    report.plot(run_name, figures.comparison, curves, accuracies, title)
    report.plot(
        f"{run_name}-rows", figures.predictions_by_row, X_test[:3], predictions, images.y_test[:3], images.classes
    )
    use = f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png"
    return report.finish(use=use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
