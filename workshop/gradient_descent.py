"""Gradient descent: downhill on a bowl whose bottom is known, at six learning rates, with and without momentum.

Five points ask for a line. Its slope and its intercept are the two weights, and the squared error over them is a bowl
that you can draw. You walk down by hand, see four learning rates descend and two leave the bowl, find in the bowl's
curvature the rate where that begins, and give the walker momentum, with which all six descend.

    python -m workshop.gradient_descent                          # all of it; then look into the folder plots
    python -m workshop.gradient_descent --learning-rate 0.03     # another rate in the table by hand and the animation
    python -m workshop.gradient_descent --momentum 0.9           # another momentum: faster, or round and round
    python -m workshop.gradient_descent --quick                  # a first look: a shorter animation

Expected: the rates 0.02 to 0.05 descend, 0.06 and 0.07 diverge: the limit is 0.0597. With momentum 0.5 it is 0.0895,
and all six descend. About 6 s on two CPU cores. Nothing is saved but pictures; the animation is a GIF, for any browser.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from workshop.kit import cli, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.plots import animation

INPUTS = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
X = np.column_stack([INPUTS, np.ones(5)])  # the column of ones makes the second weight the intercept
Y = np.array([10.5, 5.0, 3.0, 2.5, 1.0])
CURVATURES = np.linalg.eigvalsh(X.T @ X)  # of E: the smaller along its valley, the larger across it
START = np.array([-3.0, 2.0])  # slope, intercept
RATES = (0.02, 0.03, 0.04, 0.05, 0.06, 0.07)
STEPS, QUICK_STEPS = 25, 8
LEARNING_RATE, MOMENTUM = 0.06, 0.5
BY_HAND = 4
SLOPES, INTERCEPTS = (-7.0, 4.5), (-1.0, 15.5)  # what the pictures show
COLOURS = (plots.VERMILION, plots.BLUE)  # plain, with momentum
Paths = dict[float, np.ndarray]  # for each rate the weights (steps + 1, 2)


def error(w: np.ndarray) -> np.ndarray:
    """Returns E(w) = 1/2 ||X w - y||^2 of weights w (..., 2): half the sum of the squared misses, in units of y^2."""
    return np.asarray(0.5 * np.sum((w @ X.T - Y) ** 2, axis=-1))


def gradient(w: np.ndarray) -> np.ndarray:
    """Returns the gradient of E at w (2,), X^T (X w - y): where E rises fastest."""
    return np.asarray(X.T @ (X @ w - Y))


def minimum() -> np.ndarray:
    """Returns the weights (2,) where the gradient is 0, without a step: pinv(X) y, with Moore and Penrose's inverse."""
    return np.asarray(np.linalg.pinv(X) @ Y)


def descend(rate: float, momentum: float = 0.0, steps: int = STEPS) -> np.ndarray:
    """Returns the path (steps + 1, 2) of gradient descent from START.

    Each step v is the last one, made shorter by `momentum`, and a bit downhill: v <- momentum v - rate gradient(w),
    w <- w + v. Polyak (1964), "Some methods of speeding up the convergence of iteration methods": the heavy ball.
    """
    w, v = START, np.zeros(2)
    path = [w]
    for _ in range(steps):
        v = momentum * v - rate * gradient(w)
        w = w + v
        path.append(w)
    return np.array(path)


def limit(momentum: float = 0.0) -> float:
    """Returns the rate from which on the steps diverge, 2 (1 + momentum) / the largest curvature."""
    return float(2 * (1 + momentum) / CURVATURES[-1])


def factor(rate: float, momentum: float = 0.0) -> float:
    """Returns by what a step multiplies the distance to the minimum in the long run; from 1 up it diverges.

    Along a direction of curvature c, an eigenvalue of X^T X, the distance d follows d'' = (1 + m - rate c) d' - m d.
    Its factors are the roots of z^2 - (1 + m - rate c) z + m, and without momentum m the one root 1 - rate c.
    """
    return float(max(np.abs(np.roots([1, rate * c - 1 - momentum, momentum])).max() for c in CURVATURES))


def diverges(path: np.ndarray) -> bool:
    """Returns whether a path (steps + 1, 2) ends higher than it began."""
    return bool(error(path[-1]) > error(path[0]))


def print_by_hand(rate: float, momenta: Sequence[float]) -> None:
    """The first steps, plain and with momentum, to follow with pencil and paper."""
    rows: list[list[object]] = []
    for momentum in momenta:
        path = descend(rate, momentum, BY_HAND)
        for step, (w, after) in enumerate(pairwise(path)):
            cells = (w[0], w[1], float(error(w)), *gradient(w), *(after - w))
            rows.append([f"{momentum:g}", step, *(f"{cell:.4f}" for cell in cells)])
    headings = ("momentum", "step", "slope", "intercept", "E", "dE/dslope", "dE/dintercept", "v1", "v2")
    print(metrics.table(headings, rows))
    misses, (up, flat) = X @ START - Y, gradient(START)
    print("\nThe first line: X w - y = (" + ", ".join(f"{miss:g}" for miss in misses) + ");")
    print(f"dE/dslope = {' + '.join(f'{x:g}*{miss:g}' for x, miss in zip(INPUTS, misses, strict=True))} = {up:g},")
    print(f"dE/dintercept = their sum = {flat:g}; v = -{rate:g} * ({up:g}, {flat:g}).")


def draw_bowl(axes: Any, title: str) -> None:
    """Draws the contours of E, its minimum and the start; all panels show the same part of the bowl."""
    slopes, intercepts = np.linspace(*SLOPES, 150), np.linspace(*INTERCEPTS, 150)
    heights = error(np.stack(np.meshgrid(slopes, intercepts), axis=-1)) - error(minimum())
    # Each line is twice as high above the bottom as the one before: even steps would show nothing near it.
    axes.contour(slopes, intercepts, heights, 2.0 ** np.arange(12), colors="#999999", linewidths=1)
    axes.plot(*START, "s", color=plots.BLACK, markersize=8, label="start", zorder=4)
    axes.plot(*minimum(), "*", color=plots.GREEN, markersize=17, markeredgecolor="white", label="minimum", zorder=4)
    axes.set(xlabel="slope", ylabel="intercept", title=title, xlim=SLOPES, ylim=INTERCEPTS)
    axes.grid(False)


def draw_rates(paths: Paths, colour: str, heading: str) -> Any:
    """Returns a figure of one bowl and one path on it for each rate."""
    figure, axes = plots.subplots(2, 3, width=4.3, height=3.9, sharex=True, sharey=True)
    for panel, (rate, path) in zip(axes.flat, paths.items(), strict=True):
        draw_bowl(panel, f"rate {rate:g}: {'diverges' if diverges(path) else 'descends'}")
        panel.title.set_color(plots.VERMILION if diverges(path) else plots.BLACK)
        panel.plot(*path.T, ".-", color=colour, linewidth=1.8, markersize=7)
        panel.label_outer()
    axes[0, 0].legend(loc="upper right", frameon=True, fontsize=11)
    figure.suptitle(heading, fontsize=16)
    return figure


def draw_errors(ways: dict[float, Paths]) -> Any:
    """Returns a figure: how E falls or rises with the steps and, in the last panel, what decides it."""
    figure, axes = plots.subplots(1, 3, width=5.2, height=4.6)
    rates = np.linspace(0.001, 0.1, 400)
    for panel, (momentum, paths), colour in zip(axes.flat, ways.items(), COLOURS, strict=False):
        for (rate, path), shade, marker in zip(paths.items(), plots.COLOURS, plots.MARKERS, strict=False):
            height = error(path) - error(minimum())
            panel.plot(height, color=shade, marker=marker, markersize=7, markevery=5, label=f"rate {rate:g}")
        title = f"momentum {momentum:g}" if momentum else "plain"
        panel.set(xlabel="step", ylabel="E above its minimum", yscale="log", ylim=(1e-6, 1e10), title=title)
        label = f"{title}: 1 at rate {limit(momentum):.4f}"
        axes[0, 2].plot(rates, [factor(rate, momentum) for rate in rates], color=colour, label=label)
        axes[0, 2].plot(RATES, [factor(rate, momentum) for rate in RATES], "o", color=colour)
    axes[0, 0].legend(fontsize=11, ncols=2, loc="upper left", frameon=True)
    axes[0, 2].axhline(1, color=plots.BLACK, linestyle="--", linewidth=1.5)
    axes[0, 2].set(xlabel="learning rate", ylabel="distance after a step / before", ylim=(0.45, 1.6))
    axes[0, 2].set_title("Above 1 it diverges")
    axes[0, 2].legend(fontsize=12, loc="lower left")
    return figure


def animate(rate: float, ways: dict[float, np.ndarray], figure_axes: np.ndarray) -> Iterator[float]:
    """Moves two walkers step by step: on the bowl, and as the lines through the points that their weights are."""
    bowl, points = figure_axes.flat
    draw_bowl(bowl, "")
    points.plot(INPUTS, Y, "o", color=plots.BLACK, markersize=9, label="the points", zorder=4)
    points.plot(INPUTS, X @ minimum(), ":", color=plots.GREEN, linewidth=3, label="minimum", zorder=4)
    points.set(xlabel="x", ylabel="y", xlim=(-0.2, 4.2), ylim=(-19, 19))
    moving = []
    # The first is drawn larger and wider, so that both are seen where they are at the same place.
    for (momentum, path), colour, size in zip(ways.items(), COLOURS, (16, 10), strict=True):
        label = f"momentum {momentum:g}" if momentum else "plain"
        (trail,) = bowl.plot([], [], ".-", color=colour, linewidth=1.5, alpha=0.6)
        (ball,) = bowl.plot([], [], "o", color=colour, markersize=size, markeredgecolor="white", label=label, zorder=5)
        (line,) = points.plot([], [], color=colour, linewidth=size / 3, label=label)
        moving.append((path, trail, ball, line))
    bowl.legend(loc="upper right", fontsize=11, frameon=True)
    points.legend(loc="lower left", fontsize=11, frameon=True, ncols=2)
    last = len(moving[0][0]) - 1
    for step in range(last + 1):
        for path, trail, ball, line in moving:
            trail.set_data(*path[: step + 1].T)
            ball.set_data(*path[[step]].T)
            line.set_data(INPUTS, X @ path[step])
        bowl.set_title(f"Rate {rate:g}, step {step}", fontsize=15)
        points.set_title("E: {:.4g} plain, {:.4g} with momentum".format(*(error(one[0][step]) for one in moving)))
        yield 1.5 if step == 0 else 3.5 if step == last else 0.7 if step <= 6 else 0.4


def below_one(text: str) -> float:
    """Parses a number above 0 and below 1: of larger rates 25 steps are soon more than a number can hold."""
    number = cli.positive_number(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a number above 0 and below 1")
    return number


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(__doc__, data=None)
    parser.add_argument(
        "--learning-rate", type=below_one, default=LEARNING_RATE, metavar="X", dest="rate",
        help="of the table by hand and the animation (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--momentum", type=below_one, default=MOMENTUM, metavar="X", help="(default: %(default)g)")
    return cli.parse_lesson(parser, argv)


def compare(ways: dict[float, Paths], report: reporting.Report) -> None:
    """The table of all rates, and the limit that the bowl's curvature sets them."""
    rows: list[list[object]] = []
    for momentum, paths in ways.items():
        for rate, path in paths.items():
            numbers = [f"{number:.4f}" for number in (*path[-1], error(path[-1]))]
            verdict = "diverges" if diverges(path) else "descends"
            rows.append([f"{momentum:g}", f"{rate:g}", *numbers, f"{factor(rate, momentum):.3f}", verdict])
            # The mean of the squares says the same as half their sum, and has a name that every library knows.
            start, end = (2 * float(error(w)) / len(Y) for w in path[[0, -1]])
            metric = f"{'momentum' if momentum else 'plain'}_{round(1000 * rate):03}_train_mean_squared_error"
            report.result({metric: end})
            leaves = rate > limit(momentum)
            report.expect(metric, lowest=start if leaves else 0, highest=np.inf if leaves else start)
    rows.append(["pinv(X) y", "", *(f"{number:.4f}" for number in (*minimum(), error(minimum()))), "", "the minimum"])
    print(metrics.table(["momentum", "rate", "slope", "intercept", "E", "distance per step", ""], rows))
    print(f"\nAll began at E = {error(START):g}. The largest eigenvalue of X^T X is c = {CURVATURES[-1]:.4f}.")
    for momentum, paths in ways.items():
        bound = f"2 (1 + {momentum:g}) / c = {limit(momentum):.4f}"
        print(f"Momentum {momentum:g}: a rate must stay below {bound}; diverged:", end=" ")
        print(", ".join(f"{rate:g}" for rate, path in paths.items() if diverges(path)) or "none")


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the steps by hand and the table of rates, draws and animates; returns the errors where the paths end."""
    arguments = parse(argv)
    rate, momenta = arguments.rate, (0.0, arguments.momentum)
    report = reporting.Report("gradient_descent", arguments, "numpy")
    report.data("five points, x = 0 to 4")
    print(f"Engine    NumPy {np.__version__}")
    report.section(f"By hand: rate {rate:g}, from slope {START[0]:g} and intercept {START[1]:g}")
    print_by_hand(rate, momenta)
    report.section(f"{STEPS} steps at six learning rates")
    ways = {momentum: {one: descend(one, momentum) for one in RATES} for momentum in momenta}
    compare(ways, report)
    if not arguments.no_plots:
        for name, (momentum, paths), colour in zip(("plain", "momentum"), ways.items(), COLOURS, strict=True):
            figure = draw_rates(paths, colour, f"{STEPS} steps of gradient descent, momentum {momentum:g}")
            report.saved(plots.save(figure, arguments.plots / f"gradient_descent-{name}.png"))
        report.saved(plots.save(draw_errors(ways), arguments.plots / "gradient_descent-errors.png"))
        figure, axes = plots.subplots(1, 2, width=5.2, height=5.0)
        steps = QUICK_STEPS if arguments.quick else STEPS
        frames = animate(rate, {momentum: descend(rate, momentum, steps) for momentum in momenta}, axes)
        report.saved(animation.save(figure, frames, arguments.plots / "gradient_descent-walk.gif"))
    no_band = reporting.why_no_band(arguments) or "--momentum given" * (arguments.momentum != MOMENTUM)
    return report.finish(no_band=no_band)


if __name__ == "__main__":
    cli.run(main)
