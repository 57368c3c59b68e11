"""Small tables: `training.fit_table` against `model.fit`, side by side.

    python -m benchmarks.small_tables [--runs 5]

Both train the same model from the same initial weights with the same optimizer, epochs and batch size, in turn; the
ratio is taken pair by pair and holds all that a student waits for, the tracing of the compiled loop included. Then
`model.fit` is given the very batches of the lesson, as `--plain` does, and the weights and the loss of every epoch are
compared. About six minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks import measure
from workshop import admission, linear_regression, xor
from workshop.kit import device, training
from workshop.kit.lazy import keras
from workshop.kit.training import Recipe


class Case(NamedTuple):
    """A training of a lesson."""

    name: str
    build: Callable[[], keras.Sequential]
    X: np.ndarray
    y: np.ndarray
    loss: str
    recipe: Recipe


def cases() -> list[Case]:
    """Returns a training of each of three lessons, with its own data and recipe."""
    applicants = admission.load(None)
    X_line, y_line = linear_regression.X_LINE, linear_regression.Y_LINE
    line = Recipe(
        linear_regression.EPOCHS["line"],
        linear_regression.LEARNING_RATE,
        batch_size=len(X_line),
        optimizer="sgd",
        schedule=False,
    )
    squares = "mean_squared_error"
    return [
        Case("line", lambda: linear_regression.build_neuron(1), X_line, y_line, squares, line),
        Case(
            "admission",
            admission.build_network,
            applicants.scaler.transform(applicants.X),
            applicants.y,
            "binary_crossentropy",
            admission.RECIPES["network"],
        ),
        Case("xor", xor.build_network, xor.X_CORNERS, xor.Y_CORNERS, squares, xor.RECIPES["corners"]),
    ]


def build(case: Case) -> keras.Sequential:
    """Returns the case's model, compiled, always with the same initial weights."""
    with device.scope(1):
        model = case.build()
    model.compile(optimizer=case.recipe.make_optimizer(), loss=case.loss)
    return model


def train(case: Case, *, plain: bool = False) -> tuple[float, keras.Sequential, list[float]]:
    """Trains as the lessons do; returns the seconds, the model and the loss of every epoch."""
    model = build(case)
    started = time.perf_counter()
    history = training.fit_table(
        model,
        case.X,
        case.y[:, None],
        epochs=case.recipe.epochs,
        batch_size=case.recipe.batch_size,
        seed=1,
        verbose=0,
        plain=plain,
    )
    return time.perf_counter() - started, model, history.history["loss"]


def time_fit(case: Case) -> float:
    """Trains by one call of `model.fit` on the arrays; returns the seconds."""
    model = build(case)
    started = time.perf_counter()
    model.fit(case.X, case.y[:, None], epochs=case.recipe.epochs, batch_size=case.recipe.batch_size, verbose=0)
    return time.perf_counter() - started


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="pairs (default: 5)")
    runs = parser.parse_args().runs
    print(measure.machine())
    print(device.prepare(1))
    rows = []
    for case in cases():
        pairs = [(train(case), time_fit(case)) for _ in range(runs)]
        ratios = [seconds / table[0] for table, seconds in pairs]
        _, model, losses = pairs[-1][0]
        _, plain_model, plain_losses = train(case, plain=True)
        both_weights = zip(model.get_weights(), plain_model.get_weights(), strict=True)
        weight_difference = max(float(np.abs(a - b).max()) for a, b in both_weights)
        loss_difference = float(np.abs(np.subtract(losses, plain_losses)).max())
        rows.append(
            [
                case.name,
                case.recipe.epochs,
                f"{statistics.median(table[0] for table, _ in pairs):.2f} s",
                f"{statistics.median(seconds for _, seconds in pairs):.2f} s",
                f"{statistics.median(ratios):.0f}",
                f"{weight_difference:.1e}",
                f"{loss_difference:.1e}",
            ]
        )
        print(f"{case.name}: {', '.join(f'{ratio:.1f}' for ratio in ratios)} times faster", flush=True)
    headings = ["run", "epochs", "fit_table", "model.fit", "times faster", "largest weight difference", "of the losses"]
    print(measure.markdown(headings, rows))


if __name__ == "__main__":
    main()
