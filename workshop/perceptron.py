"""The perceptron: a neuron that learns only from its mistakes, and the line that it moves.

You compute a threshold neuron by hand, which fires where w.x + b is above 0, and not at 0. Then you let it find its
decision boundary from samples: one at a time (online), in mini-batches, all at once (batch), and all at once by several
workers. You count what each way costs, add momentum to the rule and an outlier to the samples, compare with
scikit-learn, see the rule cycle where no line separates the classes, and fix that with one change: the delta rule of
the Adaline.

    python -m workshop.perceptron                        # all of it; then look into the folder plots
    python -m workshop.perceptron --data YOUR.csv        # columns of numbers, two or more, then one of two classes
    python -m workshop.perceptron --seed 2               # other samples in another order
    python -m workshop.perceptron --quick                # a first look: a shorter animation

Expected: all four ways separate the classes without a mistake; the order of the samples changes online training, but
not batch training; workers do not change a bit of it. An outlier turns the line of online training by 136 degrees, that
of batch training by 12. scikit-learn finds the same weights. On real irises that overlap the perceptron never
converges, the Adaline does, with an accuracy of 93 % or more. About 8 s on two CPU cores. The animation is a GIF.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.figures import perceptron as figures
from workshop.kit import cli
from workshop.kit.data import tables
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.report import Report, format_table

if TYPE_CHECKING:
    from joblib import Parallel

WEIGHTS = np.array([1.0, -4.0, 3.0])  # w1, w2, and the bias b
POINTS_ON_THE_LINE = np.array([[-3.0, 0.0], [-7.0, -1.0], [1.0, 1.0]])
POINTS = np.array([[-6.0, 3.0], [-11.0, 0.0], [7.0, 3.0], [0.0, 0.0], [-9.0, -3.0]])
LEARNED_POINTS = POINTS[[0, 1, 3, 4]]  # few enough to be followed by hand
X_AND, Y_AND = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0.0, 0.0, 0.0, 1.0])
AND_START = np.array([0.1, 0.1, -0.05])  # weights 0.1 and a threshold of 0.05: w.x > 0.05 where w.x - 0.05 > 0
AND_RATE = 0.02
SAMPLES = 30
MARGIN = 0.4  # the least distance of a sample to the line, in units of x1 and x2
BATCH_SIZES = {"online": 1, "mini-batch": 8, "batch": 10**9}  # of a batch: all samples
EPOCHS = 1000
ADALINE_EPOCHS = 10_000
RULE_EPOCHS = 200  # of the perceptron beside the Adaline
MAX_STEPS = 20_000  # of one training: a table of your own may be long, and not separable
ORDERS = 20
MOMENTA = (0.0, 0.5, 0.9)
OUTLIER = np.array([60.0, -40.0, 1.0])  # w.x + b = 223 there, but its class is -1
WORKERS = 2
MAX_FRAMES = 90
QUICK_FRAMES = 12


# --- The samples ------------------------------------------------------------------------------------------------------


class Samples(NamedTuple):
    """Samples of two classes.

    Attributes:
        X: (n, features + 1), with ones in the last column.
        y: their classes (n,), -1 or 1.
        features: the names of the features.
        classes: the names of the classes, that of -1 first.
        source: the data's name, for the report.
    """

    X: np.ndarray
    y: np.ndarray
    features: Sequence[str]
    classes: Sequence[str]
    source: str


def with_ones(X: np.ndarray) -> np.ndarray:
    """Returns X (rows, features) with a column of ones: the bias becomes the last weight, and w.x + b becomes w.x."""
    return np.column_stack([X, np.ones(len(X))])


def on_grid(X: np.ndarray, parts: int = 2**16) -> np.ndarray:
    """Returns X rounded to multiples of 1 / parts, a power of 2.

    A computer adds such numbers exactly. Sums of others are rounded, and another order of the samples, or other shares
    of them, would change the last bits.
    """
    return np.round(X * parts) / parts


def points_around_the_line(random: np.random.Generator) -> Samples:
    """Returns points, in turn from one side of the line w.x + b = 0 and from the other, none nearer than `MARGIN`.

    The first is of class 1: with weights 0 the output is -1, a mistake, by the count of scikit-learn as well.
    """
    X = with_ones(on_grid(random.uniform((-12, -5), (8, 6), (50 * SAMPLES, 2)), 64))
    distance = X @ WEIGHTS / np.linalg.norm(WEIGHTS[:2])
    below, above = (X[side][: SAMPLES // 2] for side in (distance < -MARGIN, distance > MARGIN))
    X = np.stack([above, below], axis=1).reshape(-1, 3)
    y = np.tile([1.0, -1.0], SAMPLES // 2)
    return Samples(X, y, ("x1", "x2"), ("-1", "1"), f"{SAMPLES} points around a line")


def load_irises(random: np.random.Generator) -> Samples:
    """Returns 100 real flowers of two kinds that overlap: Anderson's irises, published by Fisher (1936).

    Both lengths are whole millimetres, above or below about their means.
    """
    from sklearn.datasets import load_iris

    irises = load_iris()
    rows = random.permutation(np.flatnonzero(irises.target > 0))
    X = np.round(10 * irises.data[rows][:, 2:])
    centre = np.round(X.mean(axis=0))
    y = np.where(irises.target[rows] == 2, 1.0, -1.0)
    features = [f"petal {side} - {mean:g}, mm" for side, mean in zip(("length", "width"), centre, strict=True)]
    source = f"Fisher's irises ({len(y)} flowers)"
    return Samples(with_ones(X - centre), y, features, ("versicolor", "virginica"), source)


def load_table(path: FilePath, target: str | None = None, drop: Sequence[str] = ()) -> Samples:
    """Returns the samples of a table of one's own: columns of numbers, which are standardised, and a class of two.

    Args:
        path: the table.
        target: the column of the class, by default the last.
        drop: columns to leave out.

    Raises:
        WorkshopError: the file is no such table.
    """
    table = tables.read_numbers(path, at_least=4, target=target, drop=drop, has_classes=True)
    *features, target = table.names
    if len(features) < 2:
        raise WorkshopError(f"{path}: has {len(table.names)} columns, takes two or more of numbers, then the class")
    labels = table.texts(len(features))
    table.check_classes(labels)
    classes = list(dict.fromkeys(labels.tolist()))
    if len(classes) > 2:
        listed = ", ".join(name[:40] for name in classes[:3])
        raise WorkshopError(f"{path}, column {target}: has {len(classes)} classes ({listed}, ...), takes two")
    classes.reverse()  # the class of the first row is 1, as in `points_around_the_line`
    X = table.numbers(range(len(features))).astype(np.float64)
    deviation = X.std(axis=0)
    X = on_grid((X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1))
    y = np.where(labels == classes[0], -1.0, 1.0)
    return Samples(with_ones(X), y, [f"{name}, scaled" for name in features], classes, table.source)


def load_samples(
    path: FilePath | None, seed: int, target: str | None = None, drop: Sequence[str] = ()
) -> list[Samples]:
    """Returns points that a line separates, then irises that no line separates; or else the one table in the file."""
    if path is not None:
        return [load_table(path, target, drop)]
    random = np.random.default_rng(seed)
    return [points_around_the_line(random), load_irises(random)]


# --- The neuron and its rule ------------------------------------------------------------------------------------------

Activation = Callable[[np.ndarray], np.ndarray]


def bipolar(net: np.ndarray) -> np.ndarray:
    """Returns the outputs of threshold neurons with the classes -1 and 1: 1 above 0, and -1 at 0.

    MATLAB has the same function under the name `hardlims`, but for 0 itself, where it returns 1.
    """
    return np.where(net > 0, 1.0, -1.0)


def binary(net: np.ndarray) -> np.ndarray:
    """Returns the outputs of threshold neurons with the classes 0 and 1: 1 above 0, and 0 at 0."""
    return np.where(net > 0, 1.0, 0.0)


def weight_change(
    X: np.ndarray, y: np.ndarray, w: np.ndarray, activation: Activation = bipolar, rate: float = 1.0
) -> np.ndarray:
    """Returns the change of w by samples X (n, weights) of classes y (n,): rate * the sum of (y - output) x.

    Rosenblatt (1958), "The perceptron: a probabilistic model for information storage and organization in the brain".
    """
    return np.asarray(rate * (y - activation(X @ w)) @ X)


def weight_change_in_parallel(
    X: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    activation: Activation = bipolar,
    rate: float = 1.0,
    *,
    parallel: Parallel,
) -> np.ndarray:
    """Returns `weight_change`: each worker of `parallel` takes a share of the samples, and the shares add up."""
    from joblib import delayed

    shares = np.array_split(np.arange(len(X)), WORKERS)
    changes = parallel(delayed(weight_change)(X[share], y[share], w, activation, rate) for share in shares)
    return np.asarray(sum(changes))


class Training(NamedTuple):
    """The course of a training.

    Attributes:
        weights: of the features, and the bias.
        epochs: passes over the samples, the last one, which had no mistake, included.
        updates: how often the weights changed.
        mistakes: in each epoch, as the samples came by.
        path: the weights after each epoch (epochs, weights).
    """

    weights: np.ndarray
    epochs: int
    updates: int
    mistakes: list[int]
    path: np.ndarray


def train(
    X: np.ndarray,
    y: np.ndarray,
    batch_size: int = 1,
    activation: Activation = bipolar,
    rate: float = 1.0,
    epochs: int = EPOCHS,
    rule: Callable[..., np.ndarray] = weight_change,
    momentum: float = 0.0,
    start: np.ndarray | None = None,
) -> Training:
    """Trains, `batch_size` samples at a time, until an epoch has no mistake, at most `epochs`.

    Momentum adds a share of the change before to each change: v <- momentum v + a (y - output) x, w <- w + v, wherever
    the output is wrong. The weights start at 0, or at `start`.

    If a line separates the classes, it ends: online, without momentum and from weights 0, after at most (R / margin)^2
    updates, where R is the length of the longest sample. Novikoff (1962), "On convergence proofs for perceptrons".
    """
    w = np.zeros(X.shape[1]) if start is None else start
    v = np.zeros(X.shape[1])
    updates = 0
    mistakes: list[int] = []
    path = []
    while not mistakes or (mistakes[-1] and len(mistakes) < epochs):
        mistakes.append(0)
        for first in range(0, len(X), batch_size):
            batch = slice(first, first + batch_size)
            wrong = int(np.count_nonzero(activation(X[batch] @ w) != y[batch]))
            if wrong:
                v = momentum * v + rule(X[batch], y[batch], w, activation, rate)
                w = w + v
                mistakes[-1] += wrong
                updates += 1
        path.append(w)
    return Training(w, len(mistakes), updates, mistakes, np.array(path))


def online_path(X: np.ndarray, y: np.ndarray, visits: int) -> np.ndarray:
    """Returns the weights (visits, weights) after each sample that online training looks at, from weights 0 on."""
    w = np.zeros(X.shape[1])
    path = []
    for visit in range(visits):
        i = visit % len(X)
        w = w + weight_change(X[[i]], y[[i]], w)
        path.append(w)
    return np.array(path)


def train_adaline(X: np.ndarray, y: np.ndarray) -> Training:
    """Trains by the delta rule, on all samples at once: the error is y - w.x, not y - the threshold's output.

    That is gradient descent on half the sum of (y - w.x)^2, which has one minimum, whether the classes are separable or
    not. Widrow and Hoff (1960), "Adaptive switching circuits". The rate is 1 / the largest eigenvalue of X^T X; from
    twice that on the steps would diverge. It ends when no weight moves by more than 1e-12.
    """
    w = np.zeros(X.shape[1])
    rate = 1 / np.linalg.eigvalsh(X.T @ X)[-1]
    path = []
    mistakes = []
    for _ in range(ADALINE_EPOCHS):
        change = weight_change(X, y, w, lambda net: net, rate)
        w = w + change
        path.append(w)
        mistakes.append(int(np.count_nonzero(bipolar(X @ w) != y)))
        if np.abs(change).max() < 1e-12:
            break
    return Training(w, len(path), len(path), mistakes, np.array(path))


def accuracy(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Returns the share of samples on the right side of the line."""
    return float(np.mean((X @ w > 0) == (y > 0)))


def distance_off_centre(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Returns the distance of the line from the middle between the two classes' means."""
    middle = (X[y < 0].mean(axis=0) + X[y > 0].mean(axis=0)) / 2
    return float(abs(middle @ w) / np.linalg.norm(w[:-1]))


def novikoff_bound(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Returns (R / margin)^2, with the margin of the weights w; infinity where they do not separate the classes."""
    margin = (y * (X @ w)).min() / np.linalg.norm(w)
    return float((np.linalg.norm(X, axis=1).max() / margin) ** 2) if margin > 0 else np.inf


def find_cycle(path: np.ndarray) -> tuple[int, int] | None:
    """Returns the first epoch whose weights come back, and after how many epochs; None where all are different."""
    first_epochs: dict[bytes, int] = {}
    for epoch, w in enumerate(path, 1):
        first = first_epochs.setdefault(w.tobytes(), epoch)
        if first < epoch:
            return first, epoch - first
    return None


# --- The parts of the lesson ------------------------------------------------------------------------------------------


def as_text(w: np.ndarray) -> str:
    """Returns weights as a text."""
    return "(" + ", ".join(f"{weight + 0.0:.6g}" for weight in w) + ")"  # -0 + 0 is 0


def print_neuron() -> None:
    """Prints the outputs of the neuron with given weights; on its line the sum is 0, and it does not fire."""
    rows: list[list[object]] = []
    for x1, x2 in [*POINTS_ON_THE_LINE, *POINTS]:
        net = np.array([x1, x2, 1.0]) @ WEIGHTS
        outputs = (int(net), int(bipolar(net)), int(binary(net)))
        rows.append([f"({x1:g}, {x2:g})", f"1*{x1:g} - 4*{x2:g} + 3", *outputs])
    print(format_table(["point", "w.x + b", "sum", "output of -1, 1", "output of 0, 1"], rows))


def print_rule_by_hand(X: np.ndarray, y: np.ndarray, start: np.ndarray, rate: float = 1.0) -> None:
    """Prints the epochs of online training from the weights `start`, sample by sample, with the classes 0 and 1."""
    rows: list[list[object]] = []
    w = start
    for epoch in range(1, train(X, y, activation=binary, rate=rate, start=start).epochs + 1):
        for x, target in zip(X, y, strict=True):
            net = x @ w
            change = weight_change(x[None], np.array([target]), w, binary, rate)
            w = w + change
            numbers = [f"{net + 0.0:.6g}", int(binary(net)), int(target)]
            rows.append([epoch, as_text(x), *numbers, as_text(change), as_text(w)])
    print(format_table(["epoch", "x", "w.x", "output", "y", "change", "w"], rows))


def compare_ways(samples: Samples, epochs: int, report: Report) -> dict[str, Training]:
    """Trains online, in mini-batches, in batch, and in batch by several workers, the samples in the same order."""
    from joblib import Parallel

    X, y = samples.X, samples.y
    trainings = {name: train(X, y, size, epochs=epochs) for name, size in BATCH_SIZES.items()}
    # Threads: they share the samples, and cost little. Processes would take a second to start and copy the samples in
    # every epoch. Either is faster than one worker only where a share is long work inside NumPy.
    with Parallel(n_jobs=WORKERS, prefer="threads") as parallel:
        rule = partial(weight_change_in_parallel, parallel=parallel)
        trainings["parallel"] = train(X, y, BATCH_SIZES["batch"], epochs=epochs, rule=rule)
    rows = [
        [name, training.epochs, training.updates, training.mistakes[-1], as_text(training.weights)]
        for name, training in trainings.items()
    ]
    print(format_table(["way", "epochs", "updates", "mistakes at the end", "weights, bias last"], rows))
    bound = min(novikoff_bound(X, y, training.weights) for training in trainings.values())
    if np.isfinite(bound):
        print(f"Novikoff: online, at most (R / margin)^2 = {bound:,.0f} updates, in any order.")
    for name, training in trainings.items():
        report.result({f"{name.replace('-', '_')}_train_accuracy": accuracy(X, y, training.weights)})
    difference = np.abs(trainings["parallel"].path - trainings["batch"].path).max()
    report.result({"parallel_train_max_error": difference})
    return trainings


def compare_orders(samples: Samples, epochs: int, seed: int) -> dict[str, np.ndarray]:
    """Trains on the same samples in other orders; returns the epochs and updates (orders, 2) of each way."""
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(samples.X)) for _ in range(ORDERS)]
    rows = []
    counts = {}
    for name, size in BATCH_SIZES.items():
        trainings = [train(samples.X[order], samples.y[order], size, epochs=epochs) for order in orders]
        counts[name] = np.array([(training.epochs, training.updates) for training in trainings])
        ranges = [f"{column.min()} to {column.max()}" for column in counts[name].T]
        rows.append([name, *ranges, len({training.weights.tobytes() for training in trainings})])
    print(format_table(["way", "epochs", "updates", "different final weights"], rows))
    return counts


def compare_momenta(samples: Samples, epochs: int, seed: int, report: Report) -> None:
    """Trains with momentum: each change of the weights takes a share of the one before along."""
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(samples.X)) for _ in range(ORDERS)]
    rows = []
    for momentum in MOMENTA:
        for name in ("online", "batch"):
            size = BATCH_SIZES[name]
            trainings = [
                train(samples.X[order], samples.y[order], size, epochs=epochs, momentum=momentum) for order in orders
            ]
            counts = np.array([(training.epochs, training.updates) for training in trainings])
            right = min(accuracy(samples.X, samples.y, training.weights) for training in trainings)
            rows.append([f"{momentum:g}", name, *(f"{mean:.1f}" for mean in counts.mean(axis=0)), f"{right:.3f}"])
            if name == "online" and momentum:
                report.result({f"momentum_{round(10 * momentum)}_train_accuracy": right})
    print(format_table(["momentum", "way", "epochs", "updates", "lowest accuracy"], rows))


def turned_by(before: np.ndarray, after: np.ndarray) -> float:
    """Returns by how many degrees a line turned, from the weights before (3,) and after (3,)."""
    cosine = before[:2] @ after[:2] / (np.linalg.norm(before[:2]) * np.linalg.norm(after[:2]))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def compare_with_outlier(samples: Samples, seed: int, report: Report) -> None:
    """Trains for one epoch more, from weights that make no mistake, on the same samples and one outlier.

    Online the outlier changes the weights by itself, as far as it is away. In batch training it is one of many: here
    the weights change by the mean of all samples' changes. (Their sum, from weights 0 on, finds the same lines.)
    """
    X, y = np.vstack([samples.X, OUTLIER]), np.append(samples.y, -1.0)
    w = train(samples.X, samples.y).weights
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(X)) for _ in range(ORDERS)]
    after = {
        "online": [train(X[order], y[order], epochs=1, start=w).weights for order in orders],
        "batch": [w + weight_change(X, y, w) / len(X)],
    }
    by_itself = {"online": w + weight_change(X[-1:], y[-1:], w), "batch": after["batch"][0]}
    rows = []
    for name, ends in after.items():
        right = [accuracy(samples.X, samples.y, end) for end in ends]
        rows.append([name, f"{turned_by(w, by_itself[name]):.1f}", f"{np.mean(right):.3f}", f"{np.min(right):.3f}"])
        report.result({f"outlier_{name}_train_accuracy": float(np.mean(right))})
    print(format_table(["way", "degrees that the line turns", "mean accuracy, others", "lowest accuracy"], rows))
    report.plot("perceptron-outlier", figures.outlier, *samples[:4], w, after)


def compare_libraries(samples: Samples, epochs: int, report: Report) -> None:
    """Trains with the classes 0 and 1 in place of -1 and 1, and by scikit-learn, the samples in the same order."""
    from sklearn.linear_model import Perceptron

    X, y = samples.X, samples.y
    signed = train(X, y, epochs=epochs)
    zero_one = train(X, (y + 1) / 2, activation=binary, epochs=epochs)
    model = Perceptron(max_iter=signed.epochs, tol=None, shuffle=False).fit(X[:, :-1], y)
    weights = np.append(model.coef_, model.intercept_)
    rows = [
        ["classes -1 and 1", signed.epochs, signed.updates, as_text(signed.weights)],
        ["classes 0 and 1", zero_one.epochs, zero_one.updates, as_text(zero_one.weights)],
        ["scikit-learn", model.n_iter_, "", as_text(weights)],
    ]
    print(format_table(["online", "epochs", "updates", "weights, bias last"], rows))
    print("With -1 and 1 an error is twice as large as with 0 and 1. So are the weights, and the line is the same.")
    report.result({"classes_train_max_error": np.abs(signed.weights / 2 - zero_one.weights).max()})
    report.result({"sklearn_train_max_error": np.abs(weights - zero_one.weights).max()})


def compare_rules(samples: Samples, epochs: int) -> dict[str, Training]:
    """Trains a perceptron and an Adaline on the same samples, and prints where their lines are at the end."""
    X, y = samples.X, samples.y
    trainings = {"perceptron": train(X, y, epochs=epochs), "Adaline": train_adaline(X, y)}
    rows = []
    for name, training in trainings.items():
        last = training.path[-20:] if training.mistakes[-1] else training.path[-1:]
        accuracies = [accuracy(X, y, w) for w in last]
        distances = [distance_off_centre(X, y, w) for w in last]
        ranges = [f"{min(values):.3f} to {max(values):.3f}" for values in (accuracies, distances)]
        rows.append([name, training.epochs, *ranges])
    print(format_table(["after the last epochs", "epochs", "accuracy", "offset of the line"], rows))
    perceptron = trainings["perceptron"]
    # An epoch without a mistake leaves the weights where they were, and is the last one.
    cycle = find_cycle(perceptron.path) if perceptron.mistakes[-1] else None
    if cycle:
        first, period = cycle
        print(f"The perceptron cycles: its weights after epoch {first} are back after epoch {first + period}.")
    return trainings


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(docstring)
    tables.add_options(parser)
    return cli.parse_lesson(parser, argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Computes by hand, trains in all ways, compares, plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("perceptron", arguments, "numpy")
    sets = load_samples(arguments.data, arguments.seed, arguments.target, arguments.drop)
    separable, overlapping = sets[0], sets[-1]  # of a table of one's own, the same
    report.data("; ".join(samples.source for samples in sets))
    print(f"Engine    NumPy {np.__version__}")

    report.section("By hand: a threshold neuron with w = (1, -4) and b = 3")
    print_neuron()
    shown = np.concatenate([POINTS_ON_THE_LINE, POINTS])
    report.plot("perceptron-neuron", figures.neuron, WEIGHTS, shown, with_ones(shown) @ WEIGHTS)

    report.section(
        "By hand: w <- w + (y - output) x learns four of these outputs, from weights of 0, with classes 0 and 1"
    )
    X = with_ones(LEARNED_POINTS)
    print_rule_by_hand(X, binary(X @ WEIGHTS), np.zeros(3))

    report.section(f"By hand: AND, from w = (0.1, 0.1) and a threshold of 0.05 (b = -0.05), rate {AND_RATE}")
    print_rule_by_hand(with_ones(X_AND), Y_AND, AND_START, AND_RATE)

    epochs = min(EPOCHS, max(10, MAX_STEPS // len(separable.X)))
    mini_batch = BATCH_SIZES["mini-batch"]
    report.section(f"Four ways on {len(separable.X)} samples: mini-batches of {mini_batch}, {WORKERS} workers")
    trainings = compare_ways(separable, epochs, report)

    report.section(f"The same samples in {ORDERS} other orders")
    counts = compare_orders(separable, epochs, arguments.seed)

    report.section(f"Momentum in the rule: v <- m v + (y - output) x, w <- w + v; means of {ORDERS} orders")
    compare_momenta(separable, epochs, arguments.seed, report)

    if arguments.data is None:
        report.section("An outlier: one epoch with (60, -40) as class -1, far inside class 1")
        compare_with_outlier(separable, arguments.seed, report)

    report.section("Classes 0 and 1, and scikit-learn")
    compare_libraries(separable, epochs, report)

    rules = []
    for samples in sets:
        report.section(f"One change, the delta rule: {samples.source}, {' and '.join(samples.classes)}")
        rules.append(compare_rules(samples, min(epochs, RULE_EPOCHS)))
    boundaries = {name: trainings[name].weights for name in counts}
    boundaries["Adaline"] = rules[0]["Adaline"].weights
    report.plot("perceptron-orders", figures.orders, *separable[:4], boundaries, counts)

    X, y, w = overlapping.X, overlapping.y, rules[-1]["Adaline"].weights
    report.result({"adaline_train_accuracy": accuracy(X, y, w)})
    report.result({"adaline_train_max_error": np.abs(w - np.linalg.pinv(X) @ y).max()})
    paths = {name: training.path for name, training in rules[-1].items()}
    mistakes = {name: training.mistakes for name, training in rules[-1].items()}
    report.plot("perceptron-adaline", figures.adaline, *overlapping[:4], paths, mistakes)

    if len(separable.features) == 2:
        online = trainings["online"]
        visits = min(online.epochs * len(separable.X), MAX_STEPS)
        report.animate(
            "perceptron-learning",
            figures.learning,
            *separable[:4],
            path=online_path(separable.X, separable.y, visits),
            final=online.weights,
            updates=online.updates,
            mistakes=online.mistakes[-1],
            max_frames=QUICK_FRAMES if arguments.quick else MAX_FRAMES,
        )
    elif not arguments.no_plots:
        print("Note      no plot of the lines: it needs two features")
    return report.finish(not_comparable="the table is your own" if arguments.data else "")


if __name__ == "__main__":
    cli.run(main)
