"""The perceptron: a neuron that learns only from its mistakes, and the line that it moves.

You compute a threshold neuron by hand, then let it learn its line from samples: one at a time (online), in
mini-batches, all at once (batch), and all at once by several workers. You count what each way costs, compare with
scikit-learn, see the rule run in circles where no line can part the classes, and mend it with one change: the delta
rule of the Adaline.

    python -m workshop.perceptron                        # all of it; then look into the folder plots
    python -m workshop.perceptron --data YOUR.csv        # two or more columns of numbers, and a class of two, last
    python -m workshop.perceptron --seed 2               # other samples in another order
    python -m workshop.perceptron --quick                # a first look: a shorter animation

Expected: all four ways part the samples without a mistake; in which order they come changes online learning, and never
batch learning; workers change no bit of it. scikit-learn finds the same weights. On real irises that overlap the
perceptron never rests, the Adaline does, with at least 93 % right. About 6 s on two CPU cores. The animation is a GIF.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from workshop.kit import cli, metrics, perceptron_plots, plots, two_classes
from workshop.kit import report as reporting
from workshop.kit.plots import animation
from workshop.kit.two_classes import Samples, Training, accuracy, as_text, find_cycle, off_centre, with_ones

LINE = np.array([1.0, -4.0, 3.0])  # w1, w2, and the bias b
POINTS = np.array([[-6.0, 3.0], [-11.0, 0.0], [0.0, 0.0], [-9.0, -3.0]])
SAMPLES, MARGIN = 30, 0.4  # the margin in units of x1 and x2
SIZES = {"online": 1, "mini-batch": 8, "batch": 10**9}  # how many samples a step learns from; of a batch, all
EPOCHS, ADALINE_EPOCHS, ORDERS, WORKERS = 1000, 10_000, 20, 2
MOST_STEPS = 20_000  # of one training: a table of your own may be long, and no line may part it


def hardlims(net: np.ndarray) -> np.ndarray:
    """Returns the answers of threshold neurons with the classes -1 and 1: 1 from net = 0 up."""
    return np.where(net >= 0, 1.0, -1.0)


def hardlim(net: np.ndarray) -> np.ndarray:
    """Returns the answers of threshold neurons with the classes 0 and 1."""
    return np.where(net >= 0, 1.0, 0.0)


Answer = Callable[[np.ndarray], np.ndarray]


def step(X: np.ndarray, y: np.ndarray, w: np.ndarray, answer: Answer = hardlims, rate: float = 1.0) -> np.ndarray:
    """Returns by how much samples X (n, weights) of classes y (n,) change w: rate * the sum of (y - answer) x.

    Rosenblatt (1958), "The perceptron: a probabilistic model for information storage and organization in the brain".
    """
    return np.asarray(rate * (y - answer(X @ w)) @ X)


def step_in_parallel(X: np.ndarray, y: np.ndarray, w: np.ndarray, *options: Any, parallel: Any) -> np.ndarray:
    """Returns what `step` returns: each worker of `parallel` takes a share of the samples, and the shares add up."""
    from joblib import delayed

    shares = np.array_split(np.arange(len(X)), WORKERS)
    return np.asarray(sum(parallel(delayed(step)(X[share], y[share], w, *options) for share in shares)))


def train(
    X: np.ndarray, y: np.ndarray, batch_size: int = 1, answer: Answer = hardlims, rate: float = 1.0,
    epochs: int = EPOCHS, step: Callable[..., np.ndarray] = step,
) -> Training:  # fmt: skip
    """Trains from weights 0, `batch_size` samples at a time, until an epoch has no mistake, at most `epochs`.

    If a line parts the classes, it ends: online, after at most (R / margin)^2 updates, where R is the length of the
    longest sample. Novikoff (1962), "On convergence proofs for perceptrons".
    """
    w, updates = np.zeros(X.shape[1]), 0
    mistakes: list[int] = []
    path = []
    while not mistakes or (mistakes[-1] and len(mistakes) < epochs):
        mistakes.append(0)
        for start in range(0, len(X), batch_size):
            rows = slice(start, start + batch_size)
            wrong = int(np.count_nonzero(answer(X[rows] @ w) != y[rows]))
            if wrong:
                w = w + step(X[rows], y[rows], w, answer, rate)
                mistakes[-1] += wrong
                updates += 1
        path.append(w)
    return Training(w, len(mistakes), updates, mistakes, np.array(path))


def train_adaline(X: np.ndarray, y: np.ndarray, epochs: int = ADALINE_EPOCHS) -> Training:
    """Trains by the delta rule, on all samples at once: the error is y - w.x, not y - the threshold's answer.

    That is gradient descent on half the sum of (y - w.x)^2, whose bowl has one lowest point, parted classes or not.
    Widrow and Hoff (1960), "Adaptive switching circuits". The rate is 1 / the largest eigenvalue of X^T X; the steps
    would diverge from twice that on. It ends when no weight moves by more than 1e-12.
    """
    w, rate = np.zeros(X.shape[1]), 1 / np.linalg.eigvalsh(X.T @ X)[-1]
    path, mistakes = [], []
    for _ in range(epochs):
        change = step(X, y, w, lambda net: net, rate)
        w = w + change
        path.append(w)
        mistakes.append(int(np.count_nonzero(hardlims(X @ w) != y)))
        if np.abs(change).max() < 1e-12:
            break
    return Training(w, len(path), len(path), mistakes, np.array(path))


def compute_by_hand(report: reporting.Report) -> None:
    """The neuron with given weights, and the first epochs of one that learns the same four answers."""
    nets = with_ones(POINTS) @ LINE
    report.section("By hand: a threshold neuron with w = (1, -4) and b = 3")
    rows: list[list[object]] = []
    for (x1, x2), net in zip(POINTS, nets, strict=True):
        answers = map(int, (net, hardlims(net), hardlim(net)))
        rows.append([f"({x1:g}, {x2:g})", f"1*{x1:g} - 4*{x2:g} + 3", *answers])
    print(metrics.table(["point", "w.x + b", "sum", "answer of -1, 1", "answer of 0, 1"], rows))
    report.section("By hand: w <- w + (y - answer) x learns these answers from weights 0, classes 0 and 1")
    X, y, w = with_ones(POINTS), hardlim(nets), np.zeros(3)
    rows = []
    for epoch in range(1, train(X, y, answer=hardlim).epochs + 1):
        for x, target in zip(X, y, strict=True):
            net, change = x @ w, step(x[None], np.array([target]), w, hardlim)
            w = w + change
            rows.append([epoch, as_text(x), *map(int, (net, hardlim(net), target)), as_text(change), as_text(w)])
    print(metrics.table(["epoch", "x", "w.x", "answer", "y", "change", "w"], rows))


def compare_ways(samples: Samples, epochs: int, report: reporting.Report) -> dict[str, Training]:
    """Trains in all ways, the samples in the same order."""
    from joblib import Parallel

    X, y = samples[:2]
    found = {name: train(X, y, size, epochs=epochs) for name, size in SIZES.items()}
    # Threads: they share the samples, and cost little. Processes would take a second to start and copy the samples in
    # every epoch. Either is faster than one worker only where a share is long work inside NumPy.
    with Parallel(n_jobs=WORKERS, prefer="threads") as parallel:
        found["parallel"] = train(
            X, y, SIZES["batch"], epochs=epochs, step=partial(step_in_parallel, parallel=parallel)
        )
    rows = [[name, one.epochs, one.updates, one.mistakes[-1], as_text(one.weights)] for name, one in found.items()]
    print(metrics.table(["way", "epochs", "updates", "mistakes at the end", "weights, bias last"], rows))
    for name, one in found.items():
        metric = f"{name.replace('-', '_')}_train_accuracy"
        report.result({metric: accuracy(X, y, one.weights)})
        report.expect(metric, lowest=1)
    report.result({"parallel_train_max_error": np.abs(found["parallel"].path - found["batch"].path).max()})
    report.expect("parallel_train_max_error", highest=0)
    margin = max((y * (X @ one.weights)).min() / np.linalg.norm(one.weights) for one in found.values())
    if margin > 0:
        bound = (np.linalg.norm(X, axis=1).max() / margin) ** 2
        print(f"Novikoff: online, at most (R / margin)^2 = {bound:,.0f} updates, in whatever order.")
    return found


def compare_orders(samples: Samples, epochs: int, seed: int) -> dict[str, np.ndarray]:
    """Trains on the same samples in other orders; returns the epochs and updates (orders, 2) of each way."""
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(samples.X)) for _ in range(ORDERS)]
    rows, counts = [], {}
    for name, size in SIZES.items():
        found = [train(samples.X[order], samples.y[order], size, epochs=epochs) for order in orders]
        counts[name] = np.array([one[1:3] for one in found])
        ranges = [f"{column.min()} to {column.max()}" for column in counts[name].T]
        rows.append([name, *ranges, len({one.weights.tobytes() for one in found})])
    print(metrics.table(["way", "epochs", "updates", "different weights at the end"], rows))
    return counts


def compare_libraries(samples: Samples, epochs: int, report: reporting.Report) -> None:
    """The classes 0 and 1 in place of -1 and 1, and scikit-learn's perceptron: the same samples in the same order."""
    from sklearn.linear_model import Perceptron

    X, y = samples[:2]
    ours, zero_one = train(X, y, epochs=epochs), train(X, (y + 1) / 2, answer=hardlim, epochs=epochs)
    theirs = Perceptron(max_iter=ours.epochs, tol=None, shuffle=False).fit(X[:, :-1], y)
    weights = np.append(theirs.coef_, theirs.intercept_)
    rows = [
        ["classes -1 and 1", ours.epochs, ours.updates, as_text(ours.weights)],
        ["classes 0 and 1", zero_one.epochs, zero_one.updates, as_text(zero_one.weights)],
        ["scikit-learn", theirs.n_iter_, "", as_text(weights)],
    ]
    print(metrics.table(["online", "epochs", "updates", "weights, bias last"], rows))
    print("With -1 and 1 an error is twice as large as with 0 and 1. So are the weights, and the line is the same.")
    for name, other in (("classes_train_max_error", ours.weights / 2), ("sklearn_train_max_error", weights)):
        report.result({name: np.abs(other - zero_one.weights).max()})
        report.expect(name, highest=1e-12)


def compare_rules(samples: Samples, epochs: int, report: reporting.Report) -> dict[str, Training]:
    """The perceptron and the Adaline on the same samples, and where their lines are after the last epochs."""
    X, y = samples[:2]
    found = {"perceptron": train(X, y, epochs=epochs), "Adaline": train_adaline(X, y)}
    report.section(f"One change, the delta rule: {samples.source}, {' and '.join(samples.classes)}")
    rows = []
    for name, one in found.items():
        last = one.path[-20:] if one.mistakes[-1] else one.path[-1:]
        right, away = ([measure(X, y, w) for w in last] for measure in (accuracy, off_centre))
        rows.append([name, one.epochs, *(f"{min(span):.3f} to {max(span):.3f}" for span in (right, away))])
    print(metrics.table(["after the last epochs", "epochs", "right", "line off the middle"], rows))
    # An epoch without a mistake leaves the weights where they were, and is the last one.
    cycle = find_cycle(found["perceptron"].path) if found["perceptron"].mistakes[-1] else None
    if cycle:
        print(f"The perceptron runs in circles: its weights after epoch {cycle[0]} are back after epoch {sum(cycle)}.")
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Computes by hand, trains in all ways, compares, draws; returns the metrics."""
    arguments = cli.parse_lesson(cli.lesson_parser(__doc__), argv)
    report = reporting.Report("perceptron", arguments, "numpy")
    both = two_classes.load(arguments.data, LINE, SAMPLES, MARGIN, arguments.seed)
    parted, overlapping = both[0], both[-1]  # of a table of one's own, the same
    report.data("; ".join(samples.source for samples in both))
    print(f"Engine    NumPy {np.__version__}")
    compute_by_hand(report)
    epochs = min(EPOCHS, max(10, MOST_STEPS // len(parted.X)))
    report.section(f"Four ways on {len(parted.X)} samples: mini-batches of {SIZES['mini-batch']}, {WORKERS} workers")
    found = compare_ways(parted, epochs, report)
    report.section(f"The same samples in {ORDERS} other orders")
    counts = compare_orders(parted, epochs, arguments.seed)
    report.section("Classes 0 and 1, and scikit-learn")
    compare_libraries(parted, epochs, report)
    compared = [compare_rules(samples, min(epochs, 200), report) for samples in both]
    centred, rules = compared[0]["Adaline"], compared[-1]
    X, y, w = overlapping.X, overlapping.y, rules["Adaline"].weights
    report.result({"adaline_train_accuracy": accuracy(X, y, w)})
    report.result({"adaline_train_max_error": np.abs(w - np.linalg.pinv(X) @ y).max()})
    report.expect("adaline_train_accuracy", lowest=0.93)
    report.expect("adaline_train_max_error", highest=1e-6)
    if not arguments.no_plots:
        lines = {name: found[name].weights for name in counts} | {"Adaline": centred.weights}
        figures = {
            "neuron": perceptron_plots.neuron_figure(LINE, POINTS, with_ones(POINTS) @ LINE),
            "orders": perceptron_plots.orders_figure(parted, lines, counts),
            "adaline": perceptron_plots.adaline_figure(overlapping, rules),
        }
        for name, figure in figures.items():
            report.saved(plots.save(figure, arguments.plots / f"perceptron-{name}.png"))
        if len(parted.names) == 2:
            figure, axes = plots.subplots(width=7.5, height=6)
            frames = perceptron_plots.animate(axes, parted, step, found["online"], 12 if arguments.quick else 90)
            report.saved(animation.save(figure, frames, arguments.plots / "perceptron-learning.gif"))
        else:
            print("Note      no picture of the lines: they take two features")
    return report.finish(no_band="the table is your own" if arguments.data else reporting.why_no_band(arguments))


if __name__ == "__main__":
    cli.run(main)
