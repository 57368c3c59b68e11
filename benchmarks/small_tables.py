"""Small tables: the package's compiled training loop against the same `model.fit` call written plainly, side by side.

    python -m benchmarks.small_tables [--runs 5]

Both train the same model from the same initial weights with the same optimizer, epochs and batch size, in turn; the
ratio is taken pair by pair and holds all that a student waits for, the tracing of the compiled loop included. Then the
plain call is given the very batches of the lesson, and the weights and the loss of every epoch are compared. About six
minutes.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, NamedTuple

import numpy as np

from benchmarks import measure
from workshop import admission, linear_regression, xor
from workshop.kit import device, files, training
from workshop.kit.data import tables
from workshop.kit.lazy import keras
from workshop.kit.training import batching


class Case(NamedTuple):
    """A lesson's training run."""

    name: str
    build: Callable[[], Any]
    X: np.ndarray
    y: np.ndarray
    loss: str
    optimizer: Callable[[], Any]
    epochs: int
    batch_size: int


def cases() -> list[Case]:
    """Returns the runs of the three lessons, with the lessons' own data and settings."""
    from sklearn.preprocessing import MinMaxScaler

    X, y = tables.read_table(files.shipped("datasets") / "admission.csv").split_two_classes()
    corners = xor.SETTINGS["corners"]
    return [
        Case(
            "line",
            lambda: linear_regression.build_neuron(1),
            linear_regression.X_LINE,
            linear_regression.Y_LINE,
            "mean_squared_error",
            lambda: training.make_optimizer("sgd", linear_regression.LEARNING_RATE),
            linear_regression.LINE_EPOCHS,
            len(linear_regression.X_LINE),
        ),
        Case(
            "admission",
            admission.build_network,
            MinMaxScaler().fit_transform(X).astype(np.float32),
            y,
            "binary_crossentropy",
            lambda: training.make_optimizer("sgd", admission.LEARNING_RATE),
            admission.EPOCHS,
            admission.BATCH_SIZE,
        ),
        Case(
            "xor",
            xor.build_network,
            xor.X_CORNERS,
            xor.Y_CORNERS,
            "mean_squared_error",
            lambda: training.make_optimizer("adam", corners.learning_rate),
            corners.epochs,
            corners.batch_size,
        ),
    ]


def build(case: Case) -> Any:
    """Returns the case's model, compiled, always with the same initial weights."""
    keras.utils.set_random_seed(1)
    model = case.build()
    model.compile(optimizer=case.optimizer(), loss=case.loss)
    return model


def train(case: Case) -> tuple[float, Any, list[float]]:
    """Trains as the lessons do; returns the seconds, the model and the loss of every epoch."""
    model = build(case)
    started = time.perf_counter()
    with redirect_stdout(StringIO()):
        history = training.fit(model, case.X, case.y[:, None], epochs=case.epochs, batch_size=case.batch_size, seed=1)
    return time.perf_counter() - started, model, history.epochs["loss"]


def train_plainly(case: Case) -> float:
    """Trains with one plain call; returns the seconds."""
    model = build(case)
    started = time.perf_counter()
    model.fit(case.X, case.y[:, None], epochs=case.epochs, batch_size=case.batch_size, verbose=0)
    return time.perf_counter() - started


def train_plainly_on_the_same_batches(case: Case) -> tuple[Any, list[float]]:
    """Trains with one `model.fit` call on the batches that the lesson draws; returns the model and the losses."""

    steps = -(-len(case.X) // case.batch_size)

    # A generator, because Keras prepares batches of a data set ahead of the epoch that it believes to be in.
    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in range(case.epochs):
            order = batching.epoch_order(len(case.X), 1, epoch)
            for step in range(steps):
                rows = order[step * case.batch_size : (step + 1) * case.batch_size]
                yield case.X[rows], case.y[rows, None]

    model = build(case)
    history = model.fit(batches(), epochs=case.epochs, steps_per_epoch=steps, shuffle=False, verbose=0)
    return model, history.history["loss"]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="pairs (default: 5)")
    runs = parser.parse_args().runs
    print(measure.machine())
    print(device.prepare(1))
    rows = []
    for case in cases():
        pairs = [(train(case), train_plainly(case)) for _ in range(runs)]
        ratios = [plain / ours[0] for ours, plain in pairs]
        _, ours, our_losses = pairs[-1][0]
        theirs, their_losses = train_plainly_on_the_same_batches(case)
        weights = max(float(np.abs(a - b).max()) for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True))
        losses = float(np.abs(np.subtract(our_losses, their_losses)).max())
        rows.append(
            [
                case.name,
                case.epochs,
                f"{statistics.median(one[0][0] for one in pairs):.2f} s",
                f"{statistics.median(one[1] for one in pairs):.2f} s",
                f"{statistics.median(ratios):.0f}",
                f"{weights:.1e}",
                f"{losses:.1e}",
            ]
        )
        print(f"{case.name}: {', '.join(f'{ratio:.1f}' for ratio in ratios)} times faster", flush=True)
    headings = ["run", "epochs", "lesson", "plain fit", "times faster", "largest weight difference", "of the losses"]
    print(measure.markdown(headings, rows))


if __name__ == "__main__":
    main()
