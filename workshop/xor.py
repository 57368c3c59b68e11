"""Exclusive or: the problem that one neuron cannot solve, and the hidden layer that can.

"One or the other, not both" puts the answers 0, 1, 1, 0 on the corners of a square, and no line parts the ones from
the zeros. First you solve it by hand, with three gates whose weights are given. Then a 2-3-1 network finds weights of
its own, and you see its boundary bend while it learns. Last come 100 noisy points: one hidden unit fails, four do not.

    python -m workshop.xor                        # all parts; then look into the folder plots
    python -m workshop.xor --noise 0.1            # points that lie further from their corners
    python -m workshop.xor --data YOUR.csv        # two features and a target, 0 or 1, in place of the noisy points
    python -m workshop.xor --quick                # a first look: fewer epochs

Expected: the trained network answers 0, 1, 1, 0; of 1,000 fresh noisy points one hidden unit gets at most 80 % right,
four get at least 99 %. About 15 s on two CPU cores.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import cli, device, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import tables
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.plots import charts, contours
from workshop.kit.saving import bundle


class Settings(NamedTuple):
    """How a part is trained unless the options say otherwise."""

    epochs: int
    quick_epochs: int
    batch_size: int
    learning_rate: float


SETTINGS = {"corners": Settings(300, 200, 4, 0.1), "noisy": Settings(200, 40, 10, 0.05)}
X_CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y_CORNERS = np.array([0, 1, 1, 0], np.float32)
GATES = {"AND": (-30, 20, 20), "OR": (-10, 20, 20), "NAND": (30, -20, -20)}  # bias, weight, weight
HIDDEN_SIZES = (1, 2, 4)
TRAIN_POINTS, TEST_POINTS = 100, 1000
THRESHOLD = 0.5
OUTPUT = "output of the network"


def gate(name: str, inputs: np.ndarray) -> np.ndarray:
    """Returns what a neuron with given weights answers, sigmoid(bias + weights . inputs), for inputs (n, 2): (n,)."""
    bias, *weights = GATES[name]
    return sigmoid(bias + inputs @ np.array(weights, np.float64))


def gates_xor(inputs: np.ndarray) -> np.ndarray:
    """Returns XOR of inputs (n, 2), made of three gates: (x1 OR x2) AND (x1 NAND x2)."""
    return gate("AND", np.column_stack([gate("OR", inputs), gate("NAND", inputs)]))


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z), with z held where e^-z is finite."""
    return np.asarray(1 / (1 + np.exp(-np.clip(np.asarray(z, np.float64), -500, 500))))


def build_network(hidden_units: int = 3) -> Any:
    """Returns the network: 2 -> hidden_units, sigmoid -> one number, linear."""
    layers = [keras.layers.Input((2,)), keras.layers.Dense(hidden_units, activation="sigmoid"), keras.layers.Dense(1)]
    return keras.Sequential(layers, name="xor")


def network_of(weights: Sequence[np.ndarray], scaler: Any = None) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a network of these weights as a function of X (n, 2), which `scaler` scales, to its outputs (n,)."""
    hidden_weights, hidden_bias, output_weights, output_bias = weights

    def network(X: np.ndarray) -> np.ndarray:
        inputs = X if scaler is None else scaler.transform(X)
        # All that such a network computes.
        return np.asarray(sigmoid(inputs @ hidden_weights + hidden_bias) @ output_weights + output_bias)[:, 0]

    return network


def noisy_points(count: int, noise: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns X (count, 2) and y (count,): the four corners in turn, each point moved by chance.

    The noise is normal with mean 0 and variance `noise`, drawn for each coordinate on its own; the targets have none.
    """
    corners = np.arange(count) % 4
    X = X_CORNERS[corners] + random.normal(0, np.sqrt(noise), (count, 2))
    return X.astype(np.float32), Y_CORNERS[corners]


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits a network on X (rows, 2) and y (rows, 1), with the options of `training.fit`."""
    model.compile(training.make_optimizer(plan.optimizer, plan.learning_rate), loss="mean_squared_error")
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def plan_of(part: str, arguments: argparse.Namespace) -> Plan:
    """Returns how the networks of a part are trained."""
    settings = SETTINGS[part]
    rate = arguments.learning_rate or (settings.learning_rate if arguments.optimizer is None else None)
    epochs = arguments.epochs or (settings.quick_epochs if arguments.quick else settings.epochs)
    return Plan(arguments.optimizer or "adam", rate, epochs, arguments.batch_size or settings.batch_size)


def solve_by_hand(report: reporting.Report) -> None:
    """The truth table of the gates, and XOR made of them."""
    report.section("XOR by hand: three neurons whose weights are given")
    answers = {name: gate(name, X_CORNERS) for name in GATES} | {"AND(OR, NAND)": gates_xor(X_CORNERS)}
    rows = [
        [*corner.astype(int), *(f"{answer[i]:.5f}" for answer in answers.values()), round(answers["AND(OR, NAND)"][i])]
        for i, corner in enumerate(X_CORNERS)
    ]
    print(metrics.table(["x1", "x2", *answers, "XOR"], rows))
    if not report.arguments.no_plots:
        panels: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "OR cuts off (0, 0)": partial(gate, "OR"),
            "NAND cuts off (1, 1)": partial(gate, "NAND"),
            "AND of both: XOR": gates_xor,
        }
        figure = contours.boundary_row(
            panels, X_CORNERS, Y_CORNERS, "Two lines and an AND", output="output of the gate"
        )
        report.saved(plots.save(figure, report.arguments.plots / "xor-gates.png"))


def solve_by_training(report: reporting.Report) -> None:
    """The 2-3-1 network learns the four corners; its boundary is drawn on the way."""
    arguments, engine = report.arguments, report.engine
    report.section("XOR learned: a 2-3-1 network and the four corners")
    plan = plan_of("corners", arguments)
    snapshots = sorted({round(plan.epochs * share) for share in (0, 0.06, 0.12, 0.3, 1)})
    model = engine.build(3, arguments.seed)
    history = engine.train(
        model, X_CORNERS, Y_CORNERS[:, None], plan, arguments.seed, checkpoint=report.checkpoint("xor"),
        snapshots=snapshots, resume=arguments.resume,
    )  # fmt: skip
    answers = training.predict(model, X_CORNERS)[:, 0]
    rows = [[*x.astype(int), f"{answer:.4f}", round(answer)] for x, answer in zip(X_CORNERS, answers, strict=True)]
    print(metrics.table(["x1", "x2", "output", "XOR"], rows))
    measured = {
        "train_accuracy": metrics.two_classes("train", Y_CORNERS, answers, THRESHOLD)["train_accuracy"],
        "train_mean_squared_error": float(np.mean((answers - Y_CORNERS) ** 2)),
    }
    report.result({f"network_{name}": value for name, value in measured.items()})
    report.expect("network_train_accuracy", 1)
    report.expect("network_train_mean_squared_error", highest=0.01)
    report.saved(
        *bundle.save(
            arguments.models, bundle.name_for("xor", quick=arguments.quick), model, lesson="xor",
            data="the four corners of XOR", seed=arguments.seed, inputs=[bundle.Input("x1"), bundle.Input("x2")],
            classes=("0", "1"), metrics=measured, threshold=THRESHOLD,
        )
    )  # fmt: skip
    if not arguments.no_plots:
        panels = {
            f"after {epoch} epochs" if epoch else "before training": network_of(weights)
            for epoch, weights in history.snapshots.items()
        }
        heading = "The boundary while the network learns"
        figure = contours.boundary_row(panels, X_CORNERS, Y_CORNERS, heading, output=OUTPUT)
        report.saved(plots.save(figure, arguments.plots / "xor-learning.png"))
        figure, axes = plots.subplots(width=8)
        charts.draw_losses(axes, {"2-3-1 network": history}, y="mean squared error", title="Learning the four corners")
        report.saved(plots.save(figure, arguments.plots / "xor-loss.png"))


def compare_sizes(report: reporting.Report, table: tables.Table | None) -> None:
    """One, two and four hidden units on noisy points, or on a table of one's own."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    arguments, engine = report.arguments, report.engine
    names: Sequence[str] = ("x1", "x2")
    classes = ("0", "1")
    if table is None:
        report.section(f"{TRAIN_POINTS} noisy points: normal noise of variance {arguments.noise:g} on both inputs")
        X_train, y_train = noisy_points(TRAIN_POINTS, arguments.noise, np.random.default_rng((arguments.seed, 0)))
        X_test, y_test = noisy_points(TEST_POINTS, arguments.noise, np.random.default_rng((arguments.seed, 1)))
    else:
        report.section(f"{table.source}: three quarters to train on, one to test on")
        names, classes = table.names[:2], (f"{table.names[2]} = 0", f"{table.names[2]} = 1")
        X, y = table.split_two_classes()
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=arguments.seed)
    # A sigmoid is flat far from 0: features of any range are brought to 0 to 1.
    scaler = MinMaxScaler().fit(X_train)
    rows, panels = [], {}
    for hidden_units in HIDDEN_SIZES:
        kind = f"hidden_{hidden_units}"
        units = f"{hidden_units} hidden unit" + "s" * (hidden_units > 1)
        model = engine.build(hidden_units, arguments.seed)
        engine.train(
            model, scaler.transform(X_train), y_train[:, None], plan_of("noisy", arguments), arguments.seed,
            checkpoint=report.checkpoint(f"xor-{kind}"), title=units, resume=arguments.resume,
        )  # fmt: skip
        for split, X, y in (("train", X_train, y_train), ("test", X_test, y_test)):
            scores = metrics.two_classes(split, y, training.predict(model, scaler.transform(X)), THRESHOLD)
            report.result({f"{kind}_{split}_accuracy": scores[f"{split}_accuracy"]})
        accuracies = [report.metrics[f"{kind}_{split}_accuracy"] for split in ("train", "test")]
        rows.append([hidden_units, model.count_params(), *(f"{accuracy:.3f}" for accuracy in accuracies)])
        panels[f"{units}\n{accuracies[1]:.1%} of the test data right"] = network_of(model.get_weights(), scaler)
    print(metrics.table(["hidden units", "weights", "train accuracy", "test accuracy"], rows))
    report.expect("hidden_1_test_accuracy", highest=0.80)
    report.expect("hidden_4_test_accuracy", 0.99)
    if not arguments.no_plots:
        figure = contours.boundary_row(
            panels, X_train, y_train, "How many hidden units it takes", names=names, classes=classes, output=OUTPUT
        )
        report.saved(plots.save(figure, arguments.plots / "xor-hidden_units.png"))


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    corners, noisy = SETTINGS["corners"], SETTINGS["noisy"]
    parser = cli.lesson_parser(
        docstring,
        epochs=f"{corners.epochs} for the corners, {noisy.epochs} for the noisy points",
        batch_size=f"{corners.batch_size}, {noisy.batch_size}",
        learning_rate=f"{corners.learning_rate}, {noisy.learning_rate}",
        optimizer="adam",
    )
    parser.add_argument(
        "--noise", type=cli.positive_number, default=0.01, metavar="X",
        help="variance of the normal noise on both inputs of the noisy points (default: 0.01)",
    )  # fmt: skip
    return cli.parse_lesson(parser, argv)


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build_network), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Solves XOR by hand, by training and with noise; draws, saves, returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("xor", arguments, engine)
    table = None
    if arguments.data is not None:
        table = tables.read_table(arguments.data, at_least=8)
        table.check_columns(3, "two features, then the target, 0 or 1")
        table.split_two_classes()
    report.data("the four corners of XOR; " + ("noisy points around them" if table is None else table.source))
    print(f"Engine    {engine.prepare(arguments.seed)}")
    solve_by_hand(report)
    solve_by_training(report)
    compare_sizes(report, table)
    no_band = reporting.why_no_band(arguments) or "--noise given" * (arguments.noise != 0.01)
    return report.finish(no_band=no_band if table is None else "the table is your own")


if __name__ == "__main__":
    cli.run(main)
