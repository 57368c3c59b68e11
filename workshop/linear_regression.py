"""One neuron draws a line: from nine points to the price of a house, and why features are scaled.

Gradient descent finds the lowest point of a parabola, by hand, and a slope, with gradients from a tape. Then a network
of one neuron finds the line y = 2x + 1 from nine of its points, and the price of a house from its size; the normal
equation, which needs no training, says whether it found the best line, and the cost of five lines with hand-chosen
weights stands beside it. Then come area, bedrooms and age, three features in very different ranges: unscaled the
training diverges, or crawls; scaled it converges. The lesson `training_choices` goes on from here.

    python -m workshop.linear_regression                      # all parts; then look into the folder plots
    python -m workshop.linear_regression --part houses --guess 1.5 0         # the cost of weights of your choice
    python -m workshop.linear_regression --part features --data YOUR.csv     # a table of numbers, the target last
    python -m workshop.linear_regression --quick              # a first look: a tenth of the epochs

Expected: both descents end at 5, and stay there; the line says 27 for 13 and -9 for -5, within 0.05; the houses'
weights agree with the normal equation within 0.001; unscaled features diverge; scaled ones explain 90 % or more of the
test prices' variance (R2). About 15 s on two CPU cores. Then `python -m apps.house_price`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import linear_regression as figures
from workshop.kit import cli, device, metrics, training
from workshop.kit.data import tables as table_data
from workshop.kit.data.tables import Table
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.training import Recipe
from workshop.scratch.autograd.autodiff import Variable

EPOCHS = {"line": 500, "houses": 2000, "features": 2000}  # each of one step, on all rows
LEARNING_RATE = 0.02  # of the line and the houses; `safe_rate` gives that of the features
X_LINE = np.array([[1], [2], [3], [4], [5], [7], [8], [9], [11]], np.float32)
Y_LINE = 2 * X_LINE[:, 0] + 1
X_SLOPE = np.array([1.0, 2.0, 3.0, 4.0])
SLOPE = -3.0  # of the line -3x through (0, 0)
FIRST_SLOPE = -10.0
SLOPE_TOLERANCE = 1e-3
GUESSES = [[0.5, 0.5], [0.7, 0.92], [0.98, 1.2], [1.5, 1.3], [2.85, 2.83]]  # weight and bias, chosen by hand
X_SCALING = np.array([[1000.0, 5.0, 70.0], [2000.0, 6.0, 90.0], [2500.0, 2.0, 95.0]])  # to be scaled by hand
SNAPSHOTS = range(30)  # epochs after which the weights of the houses' neuron are kept, for the plot


class Trained(NamedTuple):
    """A trained neuron.

    Attributes:
        model: a Keras model, or one of another engine as `kit.saving.model` describes it.
        weights: its weights and, last, its bias: (features + 1,).
        losses: the mean squared error in each epoch.
        snapshots: the weights and, last, the bias after some of the epochs, (epochs, features + 1).
    """

    model: Any
    weights: np.ndarray
    losses: list[float]
    snapshots: np.ndarray


def build_neuron(features: int, outputs: int = 1) -> keras.Sequential:
    """Returns one neuron for each output, without an activation: (features,) -> w1 x1 + w2 x2 + ... + b."""
    return keras.Sequential([keras.Input((features,)), keras.layers.Dense(outputs)], name="neuron")


def descend(x: float, learning_rate: float = 0.1, steps: int = 25) -> list[float]:
    """Returns the path, its start included, of gradient descent on 2(x - 5)^2 + 3, whose derivative is 4(x - 5)."""
    path = [x]
    for _ in range(steps):
        path.append(path[-1] - learning_rate * 4 * (path[-1] - 5))
    return path


def fit_slope(rate: float = 0.01) -> list[float]:
    """Returns the path of w, its start included, until f(x) = w x is -3x to 0.001.

    Nobody writes the derivative down: a tape records how the loss is computed, and `backward` goes along it from the
    loss to w. It is `workshop/scratch/autograd`; TensorFlow has `GradientTape`, PyTorch `loss.backward()`.
    """
    path = [FIRST_SLOPE]
    while abs(path[-1] - SLOPE) >= SLOPE_TOLERANCE:
        w = Variable(path[-1])  # a new one for each step, whose gradient begins at 0
        loss = ((w * X_SLOPE - SLOPE * X_SLOPE) ** 2).mean()
        loss.backward()
        path.append(float(w.value - rate * w.gradient))
    return path


def with_ones(X: np.ndarray) -> np.ndarray:
    """Returns X (rows, features) as float64 with a column of ones behind it, which the bias multiplies."""
    return np.column_stack([X, np.ones(len(X))]).astype(np.float64)


def solve_normal_equation(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns weights and, last, bias of the smallest mean squared error: (A^T A)^-1 A^T y, A = with_ones(X)."""
    # The factor before y is the pseudo-inverse of A, which exists even where a column never changes.
    return np.asarray(np.linalg.pinv(with_ones(X)) @ y)


def safe_rate(X: np.ndarray) -> float:
    """Returns a learning rate at which gradient descent on all rows of X (rows, features) does not diverge."""
    # It diverges from 2 / the largest curvature of the cost on, and the mean squared error has none above
    # 2 (1 + the sum of each feature's largest square): large features leave room for tiny steps only.
    return float(0.8 / (1 + np.square(X, dtype=np.float64).max(axis=0).sum()))


def get_recipe(part: str, samples: int, arguments: argparse.Namespace, rate: float | None = None) -> Recipe:
    """Returns how a neuron is trained: gradient descent on all rows, unless the options say otherwise.

    Args:
        part: "line", "houses" or "features".
        samples: the rows.
        arguments: the options.
        rate: the learning rate (default: that of the options, or 0.02).
    """
    epochs = EPOCHS[part] // 10 if arguments.quick else EPOCHS[part]
    return Recipe(
        arguments.epochs or epochs,
        rate or arguments.learning_rate or LEARNING_RATE,
        batch_size=arguments.batch_size or samples,
        optimizer=arguments.optimizer or "sgd",
        schedule=False,
    )


def fit_neuron(
    name: str, X: np.ndarray, y: np.ndarray, recipe: Recipe, report: Report, *, may_diverge: bool = False
) -> Trained:
    """Trains one neuron on X (rows, features) and y (rows,).

    Args:
        name: of the training, on the screen and of its checkpoint.
        X, y: the rows.
        recipe: how it is trained.
        report: of the run.
        may_diverge: whether a loss that grows without end is no error.
    """
    print(f"{name}, rate {recipe.rate:.2g}")
    with device.scope(report.arguments.seed):
        model = build_neuron(X.shape[1])
    model.compile(optimizer=recipe.make_optimizer(), loss="mean_squared_error")
    snapshots = training.Snapshots(SNAPSHOTS)
    checkpoint = report.checkpoint(f"linear_regression-{name}")
    # fit_table ends with the weights of model.fit, bit for bit (see --plain), without its overhead of 30 ms an epoch:
    # 2,000 of them would be a minute.
    history = training.fit_table(
        model,
        X,
        y[:, None],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=report.arguments.seed,
        callbacks=[
            *training.tensorboard(report.arguments.tensorboard, name),
            snapshots,
            training.Resume(checkpoint, keep=[snapshots], may_diverge=may_diverge),
        ],
        plain=report.arguments.plain,
    )
    kept = np.array([flatten(weights) for weights in snapshots.weights.values()])
    return Trained(model, flatten(model.get_weights()), history.history["loss"], kept)


def flatten(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Returns one neuron's weights and, last, its bias as one row (features + 1,)."""
    return np.concatenate([*weights], axis=None)


# --- The line ---------------------------------------------------------------------------------------------------------


def descend_by_hand(report: Report) -> dict[int, list[float]]:
    """Prints gradient descent on a parabola, from two starts; returns the first 25 steps of the paths."""
    report.section("Gradient descent by hand: the lowest point of 2(x - 5)^2 + 3, rate 0.1")
    paths = {start: descend(start, steps=2000) for start in (0, 10)}
    rows = [[step, *(f"{path[step]:.4f}" for path in paths.values())] for step in (0, 1, 2, 3, 5, 10, 15, 20, 25)]
    rows += [[f"{step:,}", *(repr(path[step]) for path in paths.values())] for step in (1000, 2000)]
    print(format_table(["step", "x from 0", "x from 10"], rows))
    print("It does not climb again: the slope is 0 at 5, and that close to it a step is too short to change x.")
    return {start: path[:26] for start, path in paths.items()}


def report_slope(report: Report, path: list[float]) -> None:
    """Prints the path of w, by which f(x) = w x became -3x."""
    report.section("Gradients by autograd: fitting f(x) = w x to -3x, from w = -10")
    shown = [*range(4), *range(10, len(path) - 1, 10), len(path) - 1]
    print(format_table(["step", "w"], [[step, f"{path[step]:.4f}"] for step in shown]))
    print(f"|w + 3| < {SLOPE_TOLERANCE:g} after {len(path) - 1} steps")


def report_line(report: Report, neuron: Trained, predicted: np.ndarray) -> None:
    """Prints and notes the line that a neuron found, and its predictions for 13 and -5, (2, 1)."""
    weight, bias = neuron.weights
    at_13, at_minus_5 = predicted[:, 0]
    print(f"y = {weight:.3f} x + {bias:.3f}: 13 -> {at_13:.2f}, -5 -> {at_minus_5:.2f}")
    report.result({"line_test_max_error": max(abs(at_13 - 27), abs(at_minus_5 + 9))})


# --- The houses -------------------------------------------------------------------------------------------------------


def print_squared_errors() -> None:
    """Prints the squared errors of four guesses for one target: twice as far off costs four times as much."""
    rows = [[guess, guess - 4, (guess - 4) ** 2] for guess in range(4, 8)]
    print(format_table(["guess for 4", "error", "squared error"], rows) + "\n")


def save(name: str, neuron: Trained, table: Table, report: Report, **card: Any) -> None:
    """Saves a neuron for the console program, with the table's columns as its inputs."""
    *inputs, target = table_data.describe(table)
    report.save(
        name, neuron.model, data=table.source, inputs=inputs, output=target.name, output_unit=target.unit, **card
    )


def report_houses(report: Report, table: Table, neuron: Trained) -> None:
    """Compares the trained line with lines of hand-chosen weights and with the normal equation; saves and plots."""
    X, y = table.split_numbers()
    size, price = table_data.describe(table)
    best = solve_normal_equation(X, y)

    def cost(weights: np.ndarray) -> np.ndarray:
        """Returns the mean squared error on all houses, (...), of weights and biases (..., 2)."""
        return np.asarray(np.mean((weights @ with_ones(X).T - y) ** 2, axis=-1))

    guesses = np.array(report.arguments.guess or GUESSES)
    lines = [*(("by hand", guess) for guess in guesses), ("trained", neuron.weights), ("normal equation", best)]
    rows = [
        [how, *(f"{weight:.5f}" for weight in weights), f"{cost(weights):.4f}", f"{len(y) * cost(weights):.4f}"]
        for how, weights in lines
    ]
    print(format_table(["how", "weight w", "bias b", "cost (mean squared error)", "sum of squared errors"], rows))
    print(
        f"The sum is the cost without its division by the {len(y)} rows, as some courses mistakenly define it: the "
        f"best weights\nare the same, but gradients are {len(y)} times as long, and rates have to be {len(y)} times "
        "smaller."
    )
    is_ours = table.path == table_data.shipped_table("houses")
    for number in (8, 12) if is_ours else (size.minimum, size.maximum):
        print(f"{size.label} {number:g}: {price.label} {neuron.weights @ [number, 1]:.2f}")
    measured = metrics.regression("train", y, with_ones(X) @ neuron.weights)
    report.result(measured, model="houses")
    # The weights of the normal equation are the best that there are.
    report.result({"houses_weights_train_max_error": np.abs(neuron.weights - best).max()})
    save("houses", neuron, table, report, metrics=measured)
    path = np.vstack([neuron.snapshots, neuron.weights])
    report.plot(
        "linear_regression-houses",
        figures.houses,
        X[:, 0],
        y,
        neuron.losses,
        cost,
        path,
        guesses,
        best,
        (size.label, price.label),
    )


# --- Several features -------------------------------------------------------------------------------------------------


def print_scaling() -> None:
    """Prints three rows scaled to 0 to 1 by hand, x -> (x - minimum) / (maximum - minimum), and by scikit-learn."""
    from sklearn.preprocessing import MinMaxScaler

    low, high = X_SCALING.min(axis=0), X_SCALING.max(axis=0)
    by_hand = (X_SCALING - low) / (high - low)  # of each column
    by_library = MinMaxScaler().fit_transform(X_SCALING)
    rows = [
        [" ".join(f"{number:g}" for number in row), *(f"{number:.3f}" for number in (*own, *library))]
        for row, own, library in zip(X_SCALING, by_hand, by_library, strict=True)
    ]
    print(format_table(["row", "by hand", "", "", "MinMaxScaler", "", ""], rows))
    x, a, b = X_SCALING[1, 0], low[0], high[0]
    print(f"The first column of the second row: ({x:g} - {a:g}) / ({b:g} - {a:g}) = {by_hand[1, 0]:.3f}\n")


@dataclass(frozen=True)
class Features:
    """The rows of a table of several features, split, unscaled and scaled.

    Attributes:
        raw, scaled: training and test rows, each (rows, features).
        y_train, y_test: their targets.
        scaler: scikit-learn's, fitted on the training rows.
    """

    raw: tuple[np.ndarray, np.ndarray]
    scaled: tuple[np.ndarray, np.ndarray]
    y_train: np.ndarray
    y_test: np.ndarray
    scaler: object

    def runs(self, rate: float | None) -> dict[str, tuple[np.ndarray, float]]:
        """Returns the three trainings by their names: the training rows, and the learning rate.

        Args:
            rate: that of the options, or None.
        """
        fast = rate or safe_rate(self.scaled[0])
        slow = min(fast, safe_rate(self.raw[0]))
        return {
            "unscaled": (self.raw[0], fast),
            "unscaled_slow": (self.raw[0], slow),
            "scaled": (self.scaled[0], fast),
        }


def split_features(table: Table, seed: int) -> Features:
    """Splits a table 80:20 and scales its features to 0 to 1, by the ranges of the training rows."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    X_train, X_test, y_train, y_test = train_test_split(*table.split_numbers(), test_size=0.2, random_state=seed)
    scaler = MinMaxScaler().fit(X_train)
    scaled = (scaler.transform(X_train).astype(np.float32), scaler.transform(X_test).astype(np.float32))
    return Features((X_train, X_test), scaled, y_train, y_test, scaler)


def report_features(report: Report, table: Table, features: Features, neurons: dict[str, Trained]) -> None:
    """Compares the neurons of the three trainings with least squares; saves the scaled one and plots."""
    rows: list[list[object]] = []
    curves: dict[str, Sequence[float]] = {}

    def measure(name: str, weights: np.ndarray, X: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
        measured = metrics.regression("train", features.y_train, with_ones(X[0]) @ weights)
        measured |= metrics.regression("test", features.y_test, with_ones(X[1]) @ weights)
        report.result(measured, model=name)
        rows.append([name.replace("_", " "), *measured.values()])
        return measured

    measured = {}
    rates = {name: rate for name, (_, rate) in features.runs(report.arguments.learning_rate).items()}
    for name, neuron in neurons.items():
        curves[f"{name.partition('_')[0]}, rate {rates[name]:.2g}"] = neuron.losses
        finite_epochs = int(np.isfinite(neuron.losses).sum())
        if finite_epochs == len(neuron.losses):
            X = features.scaled if name == "scaled" else features.raw
            measured[name] = measure(name, neuron.weights, X)
        else:
            rows.append([name, f"diverged in epoch {finite_epochs + 1}", "", "", ""])
    save("house_price", neurons["scaled"], table, report, metrics=measured["scaled"], scaler=features.scaler)
    best = solve_normal_equation(features.scaled[0], features.y_train)
    measure("least_squares", best, features.scaled)
    print(format_table(["inputs", "training RMSE", "training R2", "test RMSE", "test R2"], rows))
    weights = neurons["scaled"].weights
    report.result({"scaled_weights_train_max_error": np.abs(weights - best).max()})
    pairs = {
        "training": (features.y_train, with_ones(features.scaled[0]) @ weights),
        "test": (features.y_test, with_ones(features.scaled[1]) @ weights),
    }
    label = table_data.describe(table)[-1].label
    report.plot("linear_regression-features", figures.features, curves, pairs, label)


# --- The run ----------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(
        docstring,
        epochs="500 for line, 2000 for houses and features",
        batch_size="all rows",
        optimizer="sgd",
        learning_rate="0.02 for line and houses, 0.8 / (features + 1) for features",
    )
    cli.add_plain(parser)
    add = parser.add_argument
    parts = ["line", "houses", "features", "all"]
    add("--part", choices=parts, default="all", help="(default: all); --data works with features or houses")
    text = "weight and bias whose cost the part houses shows; can be repeated"
    add("--guess", nargs=2, type=cli.finite_number, action="append", metavar=("W", "B"), help=text)
    table_data.add_options(parser)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.part == "line" and arguments.data:
        parser.error(f"--data: got {arguments.data}, --part line takes none: houses or features do")
    return arguments


def load_tables(arguments: argparse.Namespace, report: Report) -> dict[str, Table]:
    """Reads the tables of the parts before anything is trained, so that a wrong one is refused at once."""
    tables = {}
    for part, shipped, at_least in (("houses", "houses", 2), ("features", "housing", 10)):
        if arguments.part in (part, "all"):
            own = arguments.data if part in (arguments.part, "features") else None
            if own:
                target, drop = arguments.target, arguments.drop
                tables[part] = table_data.read_numbers(own, at_least=at_least, target=target, drop=drop)
            else:
                tables[part] = table_data.read_table(table_data.shipped_table(shipped), at_least=at_least)
            tables[part].numbers()
            if part == "houses":
                tables[part].check_columns(2, "one feature and the target")
    for source in dict.fromkeys(table.source for table in tables.values()):
        report.data(source)
    return tables


def finish(report: Report, tables: dict[str, Table]) -> dict[str, float]:
    """Prints the last lines and returns the metrics."""
    use = f"python -m apps.house_price --model {report.last_model}" if tables else ""
    return report.finish(use=use, not_comparable="your own table" if report.arguments.data else "")


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("linear_regression", arguments)
    tables = load_tables(arguments, report)
    report.engine(device.prepare(arguments.seed))
    build_neuron(1).summary()

    if arguments.part in ("line", "all"):
        paths = descend_by_hand(report)
        report_slope(report, fit_slope())
        report.section("One neuron finds y = 2x + 1 from nine points")
        neuron = fit_neuron("line", X_LINE, Y_LINE, get_recipe("line", len(X_LINE), arguments), report)
        loss = neuron.model.evaluate(X_LINE, Y_LINE[:, None], verbose=0)
        print(f"Mean squared error on the nine points: {loss:.2g}")
        report_line(report, neuron, neuron.model.predict(np.array([[13], [-5]], np.float32), verbose=0))
        report.plot("linear_regression-line", figures.line, paths, X_LINE[:, 0], Y_LINE, neuron.weights, neuron.losses)
    if "houses" in tables:
        report.section("One neuron prices houses by their size")
        print_squared_errors()
        X, y = tables["houses"].split_numbers()
        neuron = fit_neuron("houses", X, y, get_recipe("houses", len(X), arguments), report)
        report_houses(report, tables["houses"], neuron)
    if "features" in tables:
        report.section("Several features in different ranges, unscaled and scaled")
        print_scaling()
        features = split_features(tables["features"], arguments.seed)
        neurons = {}
        for name, (X, rate) in features.runs(arguments.learning_rate).items():
            recipe = get_recipe("features", len(X), arguments, rate)
            neurons[name] = fit_neuron(name, X, features.y_train, recipe, report, may_diverge=name != "scaled")
        report_features(report, tables["features"], features, neurons)
    return finish(report, tables)


if __name__ == "__main__":
    cli.run(main)
