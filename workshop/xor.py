"""Exclusive or: the problem that one neuron cannot solve, and the hidden layer that can.

"One or the other, not both" puts the targets 0, 1, 1, 0 on the corners of a square, and no line separates the ones from
the zeros. First you solve it by hand, with three gates whose weights are given. Then a 2-3-1 network finds weights of
its own, and you see its boundary bend while it trains. Last come 100 noisy points: one hidden unit fails, four do not.

    python -m workshop.xor                        # all parts; then look into the folder plots
    python -m workshop.xor --noise 0.1            # points that lie further from their corners
    python -m workshop.xor --data YOUR.csv        # two features and a target, 0 or 1, in place of the noisy points
    python -m workshop.xor --quick                # a first look: fewer epochs

Expected: the outputs of the trained network round to 0, 1, 1, 0; of 1,000 fresh noisy points one hidden unit gets at
most 80 % right, four get at least 99 %. About 15 s on two CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.figures import xor as figures
from workshop.kit import cli, device, metrics, training
from workshop.kit.data import tables
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    from sklearn.preprocessing import MinMaxScaler

RECIPES = {
    "corners": Recipe(300, 0.1, batch_size=4, optimizer="adam", schedule=False, quick_epochs=200),
    "noisy": Recipe(200, 0.05, batch_size=10, optimizer="adam", schedule=False, quick_epochs=40),
}
X_CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y_CORNERS = np.array([0, 1, 1, 0], np.float32)
GATES = {"AND": (-30, 20, 20), "OR": (-10, 20, 20), "NAND": (30, -20, -20)}  # bias, weight, weight
HIDDEN_SIZES = (1, 2, 4)
TRAIN_POINTS = 100
TEST_POINTS = 1000
NOISE = 0.01
THRESHOLD = 0.5


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z), with z held where e^-z is finite."""
    return np.asarray(1 / (1 + np.exp(-np.clip(np.asarray(z, np.float64), -500, 500))))


def gate(name: str, inputs: np.ndarray) -> np.ndarray:
    """Returns the output (n,) of a neuron with given weights, sigmoid(bias + weights . inputs), for inputs (n, 2)."""
    bias, *weights = GATES[name]
    return sigmoid(bias + inputs @ np.array(weights, np.float64))


def gates_xor(inputs: np.ndarray) -> np.ndarray:
    """Returns XOR of inputs (n, 2), made of three gates: (x1 OR x2) AND (x1 NAND x2)."""
    return gate("AND", np.column_stack([gate("OR", inputs), gate("NAND", inputs)]))


def build_network(hidden_units: int = 3) -> keras.Sequential:
    """Returns the network: 2 -> hidden_units, sigmoid -> one number, linear."""
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(hidden_units, activation="sigmoid"),
            keras.layers.Dense(1),
        ],
        name="xor",
    )


def forward_pass(
    weights: Sequence[np.ndarray], scaler: MinMaxScaler | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a network of these weights as a function of X (n, 2), which `scaler` scales, to its outputs (n,)."""
    hidden_weights, hidden_bias, output_weights, output_bias = weights

    def predict(X: np.ndarray) -> np.ndarray:
        inputs = X if scaler is None else scaler.transform(X)
        # All that such a network computes.
        return np.asarray(sigmoid(inputs @ hidden_weights + hidden_bias) @ output_weights + output_bias)[:, 0]

    return predict


def noisy_points(count: int, noise: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns X (count, 2) and y (count,): the four corners in turn, each point with random noise.

    The noise is normal with mean 0 and variance `noise`, drawn for each coordinate on its own; the targets have none.
    """
    corners = np.arange(count) % 4
    X = X_CORNERS[corners] + random.normal(0, np.sqrt(noise), (count, 2))
    return X.astype(np.float32), Y_CORNERS[corners]


class Points(NamedTuple):
    """Samples of two features and two classes.

    Attributes:
        X_train, y_train, X_test, y_test: features (n, 2) and classes (n,), 0 or 1.
        scaler: from the range of the training data to 0 to 1; far from 0 a sigmoid is flat.
        names, classes: of the two features and of the two classes.
        source: a few words for the report.
        title: of the part of the lesson that trains on them.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    scaler: MinMaxScaler
    names: Sequence[str]
    classes: Sequence[str]
    source: str
    title: str


def load_points(arguments: argparse.Namespace) -> Points:
    """Returns noisy points, or the table of one's own that the options name, split.

    Raises:
        WorkshopError: the file is no table of two features and two classes.
    """
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    if arguments.data is None:
        X_train, y_train = noisy_points(TRAIN_POINTS, arguments.noise, np.random.default_rng((arguments.seed, 0)))
        X_test, y_test = noisy_points(TEST_POINTS, arguments.noise, np.random.default_rng((arguments.seed, 1)))
        names: Sequence[str] = ("x1", "x2")
        classes = ("0", "1")
        source = "noisy points around them"
        title = f"{TRAIN_POINTS} noisy points: normal noise of variance {arguments.noise:g} on both inputs"
    else:
        table = tables.read_table(arguments.data, at_least=8)
        table.check_columns(3, "two features, then the target, 0 or 1")
        X, y = table.split_two_classes()
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=arguments.seed)
        *names, target = table.names
        classes = (f"{target} = 0", f"{target} = 1")
        source = table.source
        title = f"{source}: three quarters to train on, one to test on"
    scaler = MinMaxScaler().fit(X_train)
    return Points(X_train, y_train, X_test, y_test, scaler, names, classes, source, title)


def snapshot_epochs(epochs: int) -> list[int]:
    """Returns the epochs of a training after which the boundary is drawn; 0 is before training."""
    return sorted({round(epochs * share) for share in (0, 0.06, 0.12, 0.3, 1)})


def format_outputs(outputs: np.ndarray) -> str:
    """Returns the outputs (4,) of a network on the corners as a table."""
    rows = [[*x.astype(int), f"{output:.4f}", round(output)] for x, output in zip(X_CORNERS, outputs, strict=True)]
    return format_table(["x1", "x2", "output", "XOR"], rows)


def units_title(hidden_units: int) -> str:
    """Returns a title for a network of so many hidden units."""
    return "1 hidden unit" if hidden_units == 1 else f"{hidden_units} hidden units"


def measure(points: Points, train_outputs: np.ndarray, test_outputs: np.ndarray) -> dict[str, float]:
    """Returns the accuracies of a network's outputs (n, 1) for the points to train and to test on."""
    scores = metrics.two_classes("train", points.y_train, train_outputs, THRESHOLD)
    scores |= metrics.two_classes("test", points.y_test, test_outputs, THRESHOLD)
    return {name: scores[name] for name in ("train_accuracy", "test_accuracy")}


def show_sizes(
    report: Report,
    points: Points,
    weights: Mapping[int, Sequence[np.ndarray]],
    accuracies: Mapping[int, Mapping[str, float]],
) -> None:
    """Prints the accuracies of networks and draws their boundaries.

    Args:
        report: of the run.
        points: that they were trained on.
        weights, accuracies: of each network, by its number of hidden units.
    """
    rows = [
        [units, sum(array.size for array in weights[units]), *(f"{accuracy:.3f}" for accuracy in scores.values())]
        for units, scores in accuracies.items()
    ]
    print(format_table(["hidden units", "weights", "train accuracy", "test accuracy"], rows))
    models = {
        f"{units_title(units)}\n{scores['test_accuracy']:.1%} of the test data right": forward_pass(
            weights[units], points.scaler
        )
        for units, scores in accuracies.items()
    }
    report.plot(
        "xor-hidden_units",
        figures.hidden_units,
        models,
        points.X_train,
        points.y_train,
        names=points.names,
        classes=points.classes,
    )


def train(
    model: keras.Sequential,
    X: np.ndarray,
    y: np.ndarray,
    recipe: Recipe,
    arguments: argparse.Namespace,
    callbacks: Sequence[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Compiles and fits a network on X (rows, 2) and y (rows,)."""
    model.compile(optimizer=recipe.make_optimizer(), loss="mean_squared_error")
    # As `model.fit`, to the same bits, which `--plain` calls: by itself it spends 30 ms an epoch on other things than
    # these steps, and here are 900 epochs.
    return training.fit_table(
        model,
        X,
        y[:, None],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=arguments.seed,
        callbacks=callbacks,
        plain=arguments.plain,
    )


def solve_by_hand(report: Report) -> None:
    """Prints the truth table of the gates, and of XOR made of them, and draws their boundaries."""
    report.section("XOR by hand: three neurons whose weights are given")
    outputs = {name: gate(name, X_CORNERS) for name in GATES} | {"AND(OR, NAND)": gates_xor(X_CORNERS)}
    rows = [
        [*corner.astype(int), *(f"{output[i]:.5f}" for output in outputs.values()), round(outputs["AND(OR, NAND)"][i])]
        for i, corner in enumerate(X_CORNERS)
    ]
    print(format_table(["x1", "x2", *outputs, "XOR"], rows))
    models = {
        "OR cuts off (0, 0)": partial(gate, "OR"),
        "NAND cuts off (1, 1)": partial(gate, "NAND"),
        "AND of both: XOR": gates_xor,
    }
    report.plot("xor-gates", figures.gates, models, X_CORNERS, Y_CORNERS)


def train_on_corners(report: Report) -> None:
    """Trains the 2-3-1 network on the four corners, saves it, and draws its boundary on the way."""
    report.section("XOR learned: a 2-3-1 network and the four corners")
    arguments = report.arguments
    recipe = RECIPES["corners"].with_options(arguments, samples=len(X_CORNERS))
    with device.scope(arguments.seed):
        model = build_network(3)
    model.summary()
    snapshots = training.Snapshots(snapshot_epochs(recipe.epochs))
    callbacks = [
        *training.tensorboard(arguments.tensorboard, "corners"),
        snapshots,
        training.Resume(report.checkpoint("xor"), keep=[snapshots]),
    ]
    history = train(model, X_CORNERS, Y_CORNERS, recipe, arguments, callbacks)

    mean_squared_error = model.evaluate(X_CORNERS, Y_CORNERS[:, None], verbose=0)
    outputs = model.predict(X_CORNERS, verbose=0)[:, 0]
    print(format_outputs(outputs))
    accuracy = metrics.two_classes("train", Y_CORNERS, outputs, THRESHOLD)["train_accuracy"]
    measured = {"train_accuracy": accuracy, "train_mean_squared_error": mean_squared_error}
    report.result(measured, model="network")
    report.save(
        "xor",
        model,
        data="the four corners of XOR",
        inputs=[Input("x1"), Input("x2")],
        classes=("0", "1"),
        metrics=measured,
        threshold=THRESHOLD,
    )
    models = {epoch: forward_pass(weights) for epoch, weights in snapshots.weights.items()}
    report.plot("xor-learning", figures.snapshots, models, X_CORNERS, Y_CORNERS)
    report.plot("xor-loss", figures.loss, history.history["loss"])


def compare_sizes(report: Report, points: Points) -> None:
    """Trains networks of one, two and four hidden units on noisy points, or on a table of one's own."""
    report.section(points.title)
    arguments = report.arguments
    X_train, X_test = points.scaler.transform(points.X_train), points.scaler.transform(points.X_test)
    recipe = RECIPES["noisy"].with_options(arguments, samples=len(X_train))
    weights, accuracies = {}, {}
    for hidden_units in HIDDEN_SIZES:
        kind = f"hidden_{hidden_units}"
        print(units_title(hidden_units))
        with device.scope(arguments.seed):
            model = build_network(hidden_units)
        callbacks = [
            *training.tensorboard(arguments.tensorboard, kind),
            training.Resume(report.checkpoint(f"xor-{kind}")),
        ]
        train(model, X_train, points.y_train, recipe, arguments, callbacks)
        train_outputs, test_outputs = model.predict(X_train, verbose=0), model.predict(X_test, verbose=0)
        weights[hidden_units] = model.get_weights()
        accuracies[hidden_units] = measure(points, train_outputs, test_outputs)
        report.result(accuracies[hidden_units], model=kind)
    show_sizes(report, points, weights, accuracies)


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(docstring, RECIPES)
    parser.add_argument(
        "--noise",
        type=cli.positive_number,
        default=NOISE,
        metavar="X",
        help=f"variance of the normal noise on both inputs of the noisy points (default: {NOISE})",
    )
    cli.add_plain(parser)
    return cli.parse_lesson(parser, argv)


def no_band(arguments: argparse.Namespace) -> str:
    """Returns the lesson's own reason why its expected bands do not hold for a run with these options, or nothing."""
    if arguments.data is not None:
        return "the table is your own"
    return "--noise given" if arguments.noise != NOISE else ""


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Solves XOR by hand, by training and with noise; draws, saves, returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("xor", arguments)
    points = load_points(arguments)
    report.data(f"the four corners of XOR; {points.source}")
    report.engine(device.prepare(arguments.seed))
    solve_by_hand(report)
    train_on_corners(report)
    compare_sizes(report, points)
    return report.finish(no_band=no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
