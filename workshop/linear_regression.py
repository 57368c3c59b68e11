"""One neuron draws a line: from nine points to the price of a house, and why features are scaled.

Gradient descent walks down a parabola, by hand. Then a network of one neuron finds the line y = 2x + 1 from nine of
its points, and the price of a house from its size; the normal equation, which needs no training, says whether it found
the best line. Then come area, bedrooms and age, three features in very different ranges: unscaled the training
diverges, or crawls; scaled it converges. `workshop/descents.py` goes on: batches, learning rates, early stopping.

    python -m workshop.linear_regression                      # all parts; then look into the folder plots
    python -m workshop.linear_regression --part houses --guess 1.5 0         # the cost of weights of your choice
    python -m workshop.linear_regression --part features --data YOUR.csv     # a table of numbers, the target last
    python -m workshop.linear_regression --part descents      # batches, learning rates, early stopping, two outputs
    python -m workshop.linear_regression --quick              # a first look: a tenth of the epochs

Expected: both descents end at 5; the line says 27 for 13 and -9 for -5, within 0.05; the houses' weights agree with the
normal equation within 0.001; unscaled features diverge; scaled ones, also at the rate that validation chooses, explain
90 % or more of the test prices' variance (R2). About 20 s on two CPU cores. Then `python -m apps.house_price`.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.kit import cli, descent_plots, device, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import tables as table_data
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle

LINE_EPOCHS, EPOCHS = 500, 2000  # each of one step, on all rows
LEARNING_RATE = 0.02  # of the line and the houses; `safe_rate` gives that of the features
X_LINE = np.array([[1], [2], [3], [4], [5], [7], [8], [9], [11]], np.float32)
Y_LINE = 2 * X_LINE[:, 0] + 1
GUESSES = [[0.0, 0.0], [1.0, 0.0], [1.0, 4.0], [2.0, 0.0]]  # weight and bias, chosen by hand


def build_neuron(features: int, outputs: int = 1) -> Any:
    """Returns one neuron for each output, without an activation: (features,) -> w1 x1 + w2 x2 + ... + b."""
    return keras.Sequential([keras.layers.Input((features,)), keras.layers.Dense(outputs)], name="neuron")


def descend(x: float, learning_rate: float = 0.1, steps: int = 25) -> list[float]:
    """Returns the path, its start included, of gradient descent on 2(x - 5)^2 + 3, whose slope at x is 4(x - 5)."""
    path = [x]
    for _ in range(steps):
        path.append(path[-1] - learning_rate * 4 * (path[-1] - 5))
    return path


def with_ones(X: np.ndarray) -> np.ndarray:
    """Returns X (rows, features) as float64 with a column of ones behind it, which the bias multiplies."""
    return np.column_stack([X, np.ones(len(X))]).astype(np.float64)


def solve_normal_equation(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns weights and, last, bias of the smallest mean squared error: (A^T A)^-1 A^T y, A = with_ones(X)."""
    # What stands before y is the pseudo-inverse of A, which exists even where a column never changes.
    return np.asarray(np.linalg.pinv(with_ones(X)) @ y)


def safe_rate(X: np.ndarray) -> float:
    """Returns a learning rate at which gradient descent on all rows of X (rows, features) does not diverge."""
    # It diverges from 2 / the largest curvature of the cost on, and the mean squared error has none above
    # 2 (1 + the sum of each feature's largest square): large features leave room for tiny steps only.
    return float(0.8 / (1 + np.square(X, dtype=np.float64).max(axis=0).sum()))


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits a neuron on X (rows, features) and y (rows, outputs), with the options of `training.fit`."""
    model.compile(training.make_optimizer(plan.optimizer, plan.learning_rate), loss="mean_squared_error")
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def train_neuron(
    name: str, X: np.ndarray, y: np.ndarray, report: reporting.Report,
    rate: float | None = None, plan: Plan | None = None, start: Any = None, **options: Any,
) -> tuple[Any, np.ndarray, training.History]:  # fmt: skip
    """Builds and trains a neuron for each column of y, (rows,) or (rows, outputs), by a plan or by the options.

    Returns the model, its weights and, last, its bias, (features + 1,) or (features + 1, outputs), and the history.
    """
    arguments, engine = report.arguments, report.engine
    if plan is None:
        rate = rate or arguments.learning_rate or LEARNING_RATE
        epochs = arguments.epochs or (LINE_EPOCHS if name == "line" else EPOCHS) // (10 if arguments.quick else 1)
        plan = Plan(arguments.optimizer or "sgd", rate, epochs, arguments.batch_size or len(X))
    targets = y.reshape(len(y), -1)
    model = engine.build(X.shape[1], targets.shape[1], arguments.seed)
    if start is not None:
        model.set_weights(start)
    history = engine.train(
        model, X, targets, plan, arguments.seed, title=f"{name}, rate {plan.learning_rate:.2g}",
        checkpoint=report.checkpoint(f"linear_regression-{name}"), resume=arguments.resume, **options,
    )  # fmt: skip
    return model, np.vstack(model.get_weights()).reshape(-1, *y.shape[1:]), history


def save(name: str, model: Any, table: table_data.Table, arguments: argparse.Namespace, **options: Any) -> Any:
    """Saves a neuron for the console program, with `bundle.save`'s options; returns the files."""
    (*inputs, target), name = table_data.describe(table), bundle.name_for(name, quick=arguments.quick)
    return bundle.save(
        arguments.models, name, model, lesson="linear_regression", data=table.source, seed=arguments.seed,
        inputs=inputs, output=target.name, output_unit=target.unit, **options,
    )  # fmt: skip


def learn_line(report: reporting.Report) -> None:
    """The parabola by hand, then y = 2x + 1 from nine points."""
    report.section("Gradient descent by hand: the lowest point of 2(x - 5)^2 + 3")
    paths = {start: descend(start) for start in (0, 10)}
    rows = [[step, *(f"{path[step]:.4f}" for path in paths.values())] for step in (0, 1, 2, 3, 5, 10, 15, 20, 25)]
    print(metrics.table(["step", "x from 0", "x from 10"], rows))

    report.section("One neuron learns y = 2x + 1 from nine points")
    model, (weight, bias), history = train_neuron("line", X_LINE, Y_LINE, report)
    (at_13,), (at_minus_5,) = training.predict(model, np.array([[13], [-5]], np.float32))
    print(f"y = {weight:.3f} x + {bias:.3f}: 13 -> {at_13:.2f}, -5 -> {at_minus_5:.2f}")
    report.result({"line_test_max_error": max(abs(at_13 - 27), abs(at_minus_5 + 9))})
    report.expect("line_test_max_error", highest=0.05)
    if not report.arguments.no_plots:
        figure = descent_plots.parabola_and_line(paths, X_LINE[:, 0], Y_LINE, weight, bias, history)
        report.saved(plots.save(figure, report.arguments.plots / "linear_regression-line.png"))


def learn_houses(report: reporting.Report, table: table_data.Table) -> None:
    """The price of a house from one feature, checked by the normal equation."""
    arguments = report.arguments
    report.section("One neuron prices houses by their size")
    (X, y), (size, price) = table.split_numbers(), table_data.describe(table)
    model, learned, history = train_neuron("houses", X, y, report, snapshots=range(30))
    best = solve_normal_equation(X, y)

    def cost(weights: np.ndarray) -> np.ndarray:
        """Returns the mean squared error on all houses, (...), of weights and biases (..., 2)."""
        return np.asarray(np.mean((weights @ with_ones(X).T - y) ** 2, axis=-1))

    guesses = np.array(arguments.guess or GUESSES)
    lines = [*(("by hand", guess) for guess in guesses), ("trained", learned), ("normal equation", best)]
    rows = [[how, f"{weights[0]:.4f}", f"{weights[1]:.4f}", f"{cost(weights):.4f}"] for how, weights in lines]
    print(metrics.table(["how", "weight w", "bias b", "cost (mean squared error)"], rows))
    for number in (8, 12) if table.path == table_data.shipped_table("houses") else (size.minimum, size.maximum):
        print(f"{size.label} {number:g}: {price.label} {learned @ [number, 1]:.2f}")
    measured = metrics.regression("train", y, with_ones(X) @ learned)
    report.result({f"houses_{metric}": value for metric, value in measured.items()})
    # Against the best weights there are, those of the normal equation.
    report.result({"houses_weights_train_max_error": np.abs(learned - best).max()})
    report.expect("houses_weights_train_max_error", highest=1e-3)
    report.saved(*save("houses", model, table, arguments, metrics=measured))
    if not arguments.no_plots:
        path = np.array([*(np.concatenate(weights, axis=None) for weights in history.snapshots.values()), learned])
        figure = descent_plots.line_and_bowl(X, y, history, cost, path, guesses, best, x=size.label, y=price.label)
        report.saved(plots.save(figure, arguments.plots / "linear_regression-houses.png"))


def learn_features(report: reporting.Report, table: table_data.Table) -> None:
    """The price of a house from several features: unscaled, unscaled with a tiny learning rate, scaled."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    arguments = report.arguments
    report.section("Several features in different ranges, unscaled and scaled")
    split = train_test_split(*table.split_numbers(), test_size=0.2, random_state=arguments.seed)
    X_train, X_test, y_train, y_test = split
    scaler = MinMaxScaler().fit(X_train)
    raw, scaled = (X_train, X_test), [scaler.transform(part).astype(np.float32) for part in (X_train, X_test)]
    fast = arguments.learning_rate or safe_rate(scaled[0])
    slow = min(fast, safe_rate(X_train))
    rows, histories = list[list[object]](), {}

    def measure(name: str, weights: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> dict[str, float]:
        measured = metrics.regression("train", y_train, with_ones(seen) @ weights)
        measured |= metrics.regression("test", y_test, with_ones(unseen) @ weights)
        report.result({f"{name}_{metric}": value for metric, value in measured.items()})
        rows.append([name.replace("_", " "), *measured.values()])
        return measured

    for name, parts, rate in (("unscaled", raw, fast), ("unscaled_slow", raw, slow), ("scaled", scaled, fast)):
        model, weights, history = train_neuron(name, parts[0], y_train, report, rate, may_diverge=name != "scaled")
        losses = history.fine["loss"]
        histories[f"{name.partition('_')[0]}, rate {rate:.2g}"] = history
        if (finite_epochs := int(np.isfinite(losses).sum())) == len(losses):
            measured = measure(name, weights, *parts)
            if name != "scaled":
                report.expect(f"{name}_train_r2_score", highest=0.95)
        else:
            rows.append([name, f"diverged in epoch {finite_epochs + 1}", "", "", ""])
    # What the loop leaves is of the scaled neuron, its last.
    report.saved(*save("house_price", model, table, arguments, metrics=measured, scaler=scaler))
    best = solve_normal_equation(scaled[0], y_train)
    measure("least_squares", best, *scaled)
    print(metrics.table(["inputs", "training RMSE", "training R2", "test RMSE", "test R2"], rows))
    report.result({"scaled_weights_train_max_error": np.abs(weights - best).max()})
    report.expect("scaled_weights_train_max_error", highest=1)
    report.expect("scaled_test_r2_score", 0.90)
    if not arguments.no_plots:
        seen, unseen = (with_ones(part) @ weights for part in scaled)
        pairs = {"training": (y_train, seen), "test": (y_test, unseen)}
        figure = descent_plots.unscaled_and_scaled(histories, pairs, of=table_data.describe(table)[-1].label)
        report.saved(plots.save(figure, arguments.plots / "linear_regression-features.png"))


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring, epochs="500 line, 2000 houses and features", batch_size="all rows", optimizer="sgd",
        learning_rate="0.02 line and houses, 0.8 / (features + 1) features",
    )  # fmt: skip
    add, text = parser.add_argument, "(default: all); descents has plans of its own; --data is for features, or houses"
    add("--part", choices=["line", "houses", "features", "descents", "all"], default="all", help=text)
    text = "a weight and a bias whose cost the part houses shows; may be repeated"
    add("--guess", nargs=2, type=cli.finite_number, action="append", metavar=("W", "B"), help=text)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.part in ("line", "descents") and arguments.data:
        parser.error(f"--data: got {arguments.data}, --part {arguments.part} takes none: houses or features do")
    for name in ("epochs", "batch_size", "learning_rate", "optimizer"):
        if arguments.part == "descents" and (given := getattr(arguments, name)) is not None:
            parser.error(f"--{name.replace('_', '-')}: got {given}, --part descents takes none, it compares its own")
    return arguments


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build_neuron), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    from workshop import descents  # here, not above: it takes functions from this file

    arguments = parse(engine.docstring, argv)
    report = reporting.Report("linear_regression", arguments, engine)
    tables = {}
    # They are read before anything is trained, so that a wrong one is refused at once.
    for part, shipped, at_least in (("houses", "houses", 2), ("features", "housing", 10), ("descents", "housing", 10)):
        if arguments.part in (part, "all"):
            own = arguments.data if part in (arguments.part, "features") else None
            tables[part] = table_data.read_table(own or table_data.shipped_table(shipped), at_least=at_least)
            tables[part].numbers()
            if part == "houses":
                tables[part].check_columns(2, "one feature and the target")
    for source in dict.fromkeys(table.source for table in tables.values()):
        report.data(source)
    print(f"Engine    {engine.prepare(arguments.seed)}")
    if arguments.part in ("line", "all"):
        learn_line(report)
    for part, table in tables.items():
        {"houses": learn_houses, "features": learn_features, "descents": descents.learn}[part](report, table)
    use = f"python -m apps.house_price --model {report.last_model}" if {"houses", "features"} & set(tables) else ""
    return report.finish(use=use, no_band=reporting.why_no_band(arguments) or "your own table" * bool(arguments.data))


if __name__ == "__main__":
    cli.run(main)
