"""Exclusive or: the problem that one neuron cannot solve, and the hidden layer that can.

"One or the other, not both" puts the targets 0, 1, 1, 0 on the corners of a square, and no line separates the ones from
the zeros. First you solve it by hand, with three gates whose weights are given. Then a 2-3-1 network finds weights of
its own, and you see its boundary bend while it trains. Last come 100 noisy points: one hidden unit fails, four do not.
A part of its own shows what else a hidden layer can approximate: a step, a sine, a circle and three classes.

    python -m workshop.xor                        # then look into the folder plots
    python -m workshop.xor --part shapes          # the step, the sine, the circle, the three classes
    python -m workshop.xor --noise 0.3            # points that lie further from their corners
    python -m workshop.xor --data YOUR.csv        # two features and two classes, in place of the noisy points
    python -m workshop.xor --preset course-2-3-1  # a course's recipe: SGD 0.01, sample by sample, 50,000 epochs
    python -m workshop.xor --preset course-2-4-1  # another's: cross-entropy, SGD 0.01, 500 epochs on noisy points
    python -m workshop.xor --quick                # a first look: fewer epochs

Expected: the outputs of the trained network round to 0, 1, 1, 0; of 1,000 fresh noisy points one hidden unit gets at
most 80 % right, four get at least 99 %. About 15 s on two CPU cores. The shapes take 20 s: two hidden units draw the
step, but not two waves of the sine; six and seven do. The recipes of the courses solve the task as well: 2-3-1 in 30 s,
with errors below 0.001, and 2-4-1 in 15 s, with predictions that are still some 0.1 off the targets.
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

    from workshop.kit.saving.model import Model

MEAN_SQUARED_ERROR, CROSS_ENTROPY = "mean_squared_error", "binary_crossentropy"
RECIPES = {
    "corners": Recipe(epochs=300, learning_rate=0.1, batch_size=4, optimizer="adam", schedule=False, quick_epochs=200),
    "noisy": Recipe(epochs=200, learning_rate=0.05, batch_size=10, optimizer="adam", schedule=False, quick_epochs=40),
}
# The recipes of two courses: 2-3-1 with squared errors on the corners, 2-4-1 with cross-entropy on points around them.
PRESETS = {
    "course-2-3-1": Recipe(
        epochs=50_000, learning_rate=0.01, batch_size=1, optimizer="sgd", schedule=False, quick_epochs=1000
    ),
    "course-2-4-1": Recipe(
        epochs=500, learning_rate=0.01, batch_size=1, optimizer="sgd", schedule=False, quick_epochs=20
    ),
}
SHAPES = {
    "curves": Recipe(
        epochs=3000, learning_rate=0.05, batch_size=101, optimizer="adam", schedule=False, quick_epochs=200
    ),
    "classes": Recipe(epochs=100, learning_rate=0.05, batch_size=10, optimizer="adam", schedule=False, quick_epochs=10),
}
X_CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y_CORNERS = np.array([0, 1, 1, 0], np.float32)
GATES = {"AND": (-30, 20, 20), "OR": (-10, 20, 20), "NAND": (30, -20, -20)}  # bias, weight, weight
HIDDEN_SIZES = (1, 2, 4)
TRAIN_POINTS = 100
TEST_POINTS = 1000
NOISE = 0.1  # standard deviation on each input, that is a variance of 0.01
COURSE_NOISE = 0.01  # of course-2-4-1: clouds a tenth as wide
THRESHOLD = 0.5
CURVE_UNITS = (2, 6, 7)
RADIUS = 1.5  # of the circle, in a square from -2 to 2
CENTRES = np.array([[-2, -2], [0, 0], [2, 2]])  # of three clouds: no line separates the middle one from the others


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


def build_network(hidden_units: int = 3, inputs: int = 2, loss: str = MEAN_SQUARED_ERROR) -> keras.Sequential:
    """Returns the network: inputs -> hidden_units, sigmoid -> one number: linear or, for cross-entropy, a sigmoid."""
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(hidden_units, activation="sigmoid"),
            keras.layers.Dense(1, activation="sigmoid" if loss == CROSS_ENTROPY else "linear"),
        ],
        name="xor",
    )


def make_forward_pass(
    weights: Sequence[np.ndarray], scaler: MinMaxScaler | None = None, loss: str = MEAN_SQUARED_ERROR
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a network of these weights as a function of X (n, inputs), which `scaler` scales, to its outputs (n,)."""
    hidden_weights, hidden_bias, output_weights, output_bias = weights

    def predict(X: np.ndarray) -> np.ndarray:
        inputs = X if scaler is None else scaler.transform(X)
        # sigmoid(X W1 + b1) W2 + b2
        outputs = np.asarray(sigmoid(inputs @ hidden_weights + hidden_bias) @ output_weights + output_bias)[:, 0]
        return sigmoid(outputs) if loss == CROSS_ENTROPY else outputs

    return predict


def noisy_points(count: int, noise: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns X (count, 2) and y (count,): the four corners in turn, each point with random noise.

    The noise is normal with mean 0 and standard deviation `noise`, drawn for each coordinate on its own; the targets
    have none.
    """
    corners = np.arange(count) % 4
    X = X_CORNERS[corners] + random.normal(0, noise, (count, 2))
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
    """Returns noisy points or, with `--data`, the rows of that table, split into training and test data.

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
        title = f"{TRAIN_POINTS} noisy points: normal noise of standard deviation {arguments.noise:g} on both inputs"
    else:
        table = tables.read_numbers(
            arguments.data, at_least=8, target=arguments.target, drop=arguments.drop, has_classes=True
        )
        table.check_columns(3, "two features, then the target, of two classes; --drop leaves out columns")
        X, y = table.split_two_classes()
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=arguments.seed)
        names = table.names[:-1]
        classes = table.class_names()
        source = table.source
        title = f"{source}: three quarters to train on, one to test on"
    scaler = MinMaxScaler().fit(X_train)
    return Points(X_train, y_train, X_test, y_test, scaler, names, classes, source, title)


class Task(NamedTuple):
    """A network, and what it is trained on.

    Attributes:
        name: of its metrics and of its files.
        hidden_units: of the network.
        loss: "mean_squared_error", of a linear output, or "binary_crossentropy", of a sigmoid.
        X, y: inputs (rows, 1 or 2) and targets (rows,).
        recipe: how it is trained.
        source, title: of the samples, for the card, and of this part of the lesson.
    """

    name: str
    hidden_units: int
    loss: str
    X: np.ndarray
    y: np.ndarray
    recipe: Recipe
    source: str = ""
    title: str = ""


def network_task(arguments: argparse.Namespace, points: Points) -> Task:
    """Returns the network that is saved, the lesson's or that of a course's recipe, and what it is trained on."""
    preset = arguments.preset
    name = f"xor_{preset}" if preset else "xor"
    recipe = PRESETS[preset] if preset else RECIPES["corners"]
    if preset == "course-2-4-1":
        recipe = recipe.with_options(arguments, samples=len(points.X_train))
        source = f"{len(points.X_train)} noisy points around the corners of XOR"
        title = f"XOR learned: a 2-4-1 network, {points.title}"
        return Task(name, 4, CROSS_ENTROPY, points.X_train, points.y_train, recipe, source, title)
    recipe = recipe.with_options(arguments, samples=len(X_CORNERS))
    title = "XOR learned: a 2-3-1 network and the four corners"
    return Task(name, 3, MEAN_SQUARED_ERROR, X_CORNERS, Y_CORNERS, recipe, "the four corners of XOR", title)


def snapshot_epochs(epochs: int) -> list[int]:
    """Returns the epochs of a training after which the boundary is drawn; 0 is before training."""
    return sorted({round(epochs * share) for share in (0, 0.06, 0.12, 0.3, 1)})


def format_outputs(outputs: np.ndarray) -> str:
    """Returns the outputs (4,) of a network on the corners as a table."""
    rows = [
        [*x.astype(int), int(target), f"{output:.4f}", f"{target - output:.1e}", round(output)]
        for x, target, output in zip(X_CORNERS, Y_CORNERS, outputs, strict=True)
    ]
    return format_table(["x1", "x2", "target", "prediction", "error", "XOR"], rows)


def units_title(hidden_units: int) -> str:
    """Returns the number of hidden units in words, as a title."""
    return "1 hidden unit" if hidden_units == 1 else f"{hidden_units} hidden units"


def accuracies(points: Points, train_outputs: np.ndarray, test_outputs: np.ndarray) -> dict[str, float]:
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
        f"{units_title(units)}\ntest accuracy {scores['test_accuracy']:.1%}": make_forward_pass(
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
    loss: str = MEAN_SQUARED_ERROR,
) -> None:
    """Compiles and fits one of several networks on X (rows, inputs) and y (rows,), as `main` does its own."""
    model.compile(optimizer=recipe.make_optimizer(), loss=loss)
    training.fit_table(
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


def report_network(
    report: Report,
    task: Task,
    points: Points,
    model: Model,
    predict: Callable[[np.ndarray], np.ndarray],
    losses: Sequence[float],
    snapshots: Mapping[int, Sequence[np.ndarray]],
) -> None:
    """Prints and notes the predictions of the trained network, saves it, and draws its boundary on the way.

    Args:
        report: of the run.
        task: of the network.
        points: to test on, where it was trained on noisy ones.
        model: the network, as its engine saves it.
        predict: from inputs (n, 2) to its outputs (n,).
        losses: in each epoch.
        snapshots: weights, by the epochs after which they were kept.
    """
    print(format_outputs(predict(X_CORNERS)))
    outputs = predict(task.X)
    measured = {"train_accuracy": metrics.two_classes("train", task.y, outputs, THRESHOLD)["train_accuracy"]}
    if task.loss == MEAN_SQUARED_ERROR:
        measured["train_mean_squared_error"] = float(np.mean((outputs - task.y) ** 2))
    else:
        tested = metrics.two_classes("test", points.y_test, predict(points.X_test), THRESHOLD)
        measured["test_accuracy"] = tested["test_accuracy"]
    report.result(measured, model="network")
    report.save(
        task.name,
        model,
        data=task.source,
        inputs=[Input("x1"), Input("x2")],
        classes=("0", "1"),
        metrics=measured,
        threshold=THRESHOLD,
    )
    models = {epoch: make_forward_pass(weights, loss=task.loss) for epoch, weights in snapshots.items()}
    report.plot(f"{task.name}-learning", figures.snapshots, models, task.X, task.y)
    report.plot(f"{task.name}-loss", figures.loss, losses, f"2-{task.hidden_units}-1", task.loss.replace("_", " "))


def compare_sizes(report: Report, points: Points) -> None:
    """Trains networks of one, two and four hidden units on noisy points, or on your own table."""
    report.section(points.title)
    arguments = report.arguments
    X_train, X_test = points.scaler.transform(points.X_train), points.scaler.transform(points.X_test)
    recipe = RECIPES["noisy"].with_options(arguments, samples=len(X_train))
    weights, scores = {}, {}
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
        scores[hidden_units] = accuracies(points, train_outputs, test_outputs)
        report.result(scores[hidden_units], model=kind)
    show_sizes(report, points, weights, scores)


# --- What a hidden layer can approximate ------------------------------------------------------------------------------


def circle_points(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns points of a square (count, 2), and whether each lies within a circle around its middle, 1 or 0."""
    X = random.uniform(-2, 2, (count, 2)).astype(np.float32)
    return X, (np.linalg.norm(X, axis=1) < RADIUS).astype(np.float32)


def three_clouds(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns points of three classes in turn (count, 2), normally spread around their centres, and the classes."""
    classes = np.arange(count) % len(CENTRES)
    return (CENTRES[classes] + random.normal(0, 0.6, (count, 2))).astype(np.float32), classes


def shape_tasks(arguments: argparse.Namespace) -> list[Task]:
    """Returns the networks that approximate two curves, a circle and three classes, a network for each class."""
    random = np.random.default_rng((arguments.seed, 2))
    x = np.linspace(-2 * np.pi, 2 * np.pi, 101, dtype=np.float32)
    # The rate is constant, so `samples`, which gives a schedule its length, may be any number.
    curves, classes = (SHAPES[kind].with_options(arguments, samples=100) for kind in ("curves", "classes"))
    tasks = []
    for name, y in {"step": (x > 0).astype(np.float32), "sine": np.sin(x)}.items():
        tasks += [Task(f"{name}_{units}", units, MEAN_SQUARED_ERROR, x[:, None], y, curves) for units in CURVE_UNITS]
    tasks.append(Task("circle", 6, CROSS_ENTROPY, *circle_points(200, random), classes))
    X, y = three_clouds(90, random)
    for k in range(len(CENTRES)):
        tasks.append(Task(f"class_{k}", 2, CROSS_ENTROPY, X, (y == k).astype(np.float32), classes))
    return tasks


def show_shapes(report: Report, tasks: Sequence[Task], weights: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Prints how well networks of these weights draw their shapes, and draws them.

    Args:
        report: of the run.
        tasks: as `shape_tasks` returns them.
        weights: of each network, by the name of its task.
    """
    models = {task.name: make_forward_pass(weights[task.name], loss=task.loss) for task in tasks}
    curves = [task for task in tasks if task.loss == MEAN_SQUARED_ERROR]
    rows: list[list[object]] = []
    for task in curves:
        error = metrics.regression("train", task.y, models[task.name](task.X))["train_root_mean_squared_error"]
        report.result({"train_root_mean_squared_error": error}, model=task.name)
        rows.append([task.name.partition("_")[0], f"1-{task.hidden_units}-1", error])
    print(format_table(["shape", "network", "RMSE"], rows))

    random = np.random.default_rng((report.arguments.seed, 3))
    X, y = circle_points(TEST_POINTS, random)
    inside = metrics.two_classes("test", y, models["circle"](X), THRESHOLD)["test_accuracy"]
    print(f"Circle, 2-6-1: accuracy {inside:.1%} on {TEST_POINTS} other points")
    # One against all: each network says how probable its own class is, and the highest probability decides.
    X, classes = three_clouds(TEST_POINTS, random)
    by_class = {name: model for name, model in models.items() if name.startswith("class_")}
    accuracy = metrics.accuracy(classes, np.column_stack([model(X) for model in by_class.values()]))
    print(
        f"Three classes, 2-2-1 networks each against all others: accuracy {accuracy:.1%} on {TEST_POINTS} other points"
    )
    report.result({"circle_test_accuracy": inside, "three_classes_test_accuracy": accuracy})

    targets = {task.name.partition("_")[0]: task.y for task in curves}
    x = curves[0].X
    lines = {name: {f"1-{units}-1": models[f"{name}_{units}"](x) for units in CURVE_UNITS} for name in targets}
    report.plot("xor-curves", figures.curves, x[:, 0], targets, lines)
    samples = {task.name: task for task in tasks}
    report.plot("xor-circle", figures.circle, models["circle"], samples["circle"].X, samples["circle"].y, RADIUS)
    of_class = np.stack([samples[name].y for name in by_class], axis=1)
    report.plot("xor-three_classes", figures.one_against_all, list(by_class.values()), samples["class_0"].X, of_class)


def train_shapes(report: Report) -> None:
    """Trains the networks that approximate a step, a sine, a circle and three classes."""
    report.section("What a hidden layer can approximate: a step, a sine, a circle, three classes")
    arguments = report.arguments
    tasks = shape_tasks(arguments)
    weights = {}
    for task in tasks:
        print(f"{task.name.partition('_')[0]}, {units_title(task.hidden_units)}")
        with device.scope(arguments.seed):
            model = build_network(task.hidden_units, task.X.shape[1], task.loss)
        callbacks = [
            *training.tensorboard(arguments.tensorboard, task.name),
            training.Resume(report.checkpoint(f"xor-{task.name}")),
        ]
        train(model, task.X, task.y, task.recipe, arguments, callbacks, task.loss)
        weights[task.name] = model.get_weights()
    show_shapes(report, tasks, weights)


# --- The run ----------------------------------------------------------------------------------------------------------


def default_noise(preset: str | None) -> float:
    """Returns the standard deviation of the noise that a run has unless the options say otherwise."""
    return COURSE_NOISE if preset == "course-2-4-1" else NOISE


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(docstring, RECIPES)
    text = "standard deviation of the normal noise on both inputs of the noisy points (not its variance, the square)"
    defaults = f"(default: {NOISE}; {COURSE_NOISE} course-2-4-1)"
    parser.add_argument("--noise", type=cli.positive_number, metavar="X", help=f"{text} {defaults}")
    group = parser.add_mutually_exclusive_group()
    text = "gates, corners and noisy points; the shapes that a hidden layer can approximate; or all (default: xor)"
    group.add_argument("--part", choices=("xor", "shapes", "all"), default="xor", help=text)
    text = "only a course's network, with its loss, optimizer, batch size and epochs"
    group.add_argument("--preset", choices=tuple(PRESETS), help=text)
    cli.add_plain(parser)
    tables.add_options(parser)
    arguments = cli.parse_lesson(parser, argv)
    only = f"--preset {arguments.preset}" if arguments.preset else f"--part {arguments.part}"
    if arguments.data is not None and only not in ("--part xor", "--part all"):
        parser.error(f"--data: got {arguments.data}, {only} takes none: --part xor does")
    if arguments.noise is not None and only in ("--part shapes", "--preset course-2-3-1"):
        parser.error(f"--noise: got {arguments.noise:g}, {only} has no noisy points: --part xor has")
    if arguments.noise is None:
        arguments.noise = default_noise(arguments.preset)
    return arguments


def describe_data(arguments: argparse.Namespace, points: Points) -> str:
    """Returns a few words for the samples of the run."""
    if arguments.preset:
        return network_task(arguments, points).source
    parts = {"xor": f"the four corners of XOR; {points.source}", "shapes": "a step, a sine, a circle, three clouds"}
    return "; ".join(parts.values()) if arguments.part == "all" else parts[arguments.part]


def why_not_comparable(arguments: argparse.Namespace) -> str:
    """Returns the lesson's own reason why its expected bands do not hold for a run with these options, or nothing."""
    if arguments.data is not None:
        return "the table is your own"
    return "--noise given" if arguments.noise != default_noise(arguments.preset) else ""


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Solves XOR by hand, by training and with noise, or draws shapes; saves, returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("xor", arguments)
    points = load_points(arguments)
    report.data(describe_data(arguments, points))
    report.engine(device.prepare(arguments.seed))  # seeds, determinism, dtype policy
    if arguments.part in ("xor", "all"):
        if not arguments.preset:
            solve_by_hand(report)
        task = network_task(arguments, points)
        report.section(task.title)
        with device.scope(arguments.seed):  # keras.utils.set_random_seed: the initial weights
            model = build_network(task.hidden_units, loss=task.loss)
        model.summary()
        model.compile(
            optimizer=task.recipe.make_optimizer(),  # Adam, or the preset's SGD, at a constant rate
            loss=task.loss,
        )
        snapshots = training.Snapshots(snapshot_epochs(task.recipe.epochs))  # the weights then, for the plot
        # fit_table ends with the weights of model.fit, bit for bit (see --plain), without its overhead of 30 ms an
        # epoch: the lesson trains for 900 epochs, the preset course-2-3-1 for 50,000.
        history = training.fit_table(
            model,
            task.X,
            task.y[:, None],
            epochs=task.recipe.epochs,
            batch_size=task.recipe.batch_size,
            seed=arguments.seed,
            callbacks=[
                *training.tensorboard(arguments.tensorboard, "corners"),
                snapshots,
                training.Resume(report.checkpoint(task.name), keep=[snapshots]),  # as keras.callbacks.BackupAndRestore
            ],
            plain=arguments.plain,
        )
        loss = model.evaluate(task.X, task.y[:, None], verbose=0)
        print(f"{task.loss.replace('_', ' ')} {loss:.3g} at the end")

        def predict(X: np.ndarray) -> np.ndarray:
            return model.predict(X, verbose=0)[:, 0]

        report_network(report, task, points, model, predict, history.history["loss"], snapshots.weights)
        if not arguments.preset:
            compare_sizes(report, points)
    if arguments.part in ("shapes", "all"):
        train_shapes(report)
    return report.finish(not_comparable=why_not_comparable(arguments))


if __name__ == "__main__":
    cli.run(main)
