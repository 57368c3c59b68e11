"""Gradient descent: a loss surface whose minimum is known, six learning rates, with and without momentum.

You fit a line to five points. Its slope and its intercept are the two weights, and the squared error over them is a
surface that you can draw. You descend by hand, see four learning rates descend and two diverge, find in the surface's
curvature the rate where that begins, and add momentum, with which all six descend.

    python -m workshop.gradient_descent                          # all of it; then look into the folder plots
    python -m workshop.gradient_descent --learning-rate 0.03     # another rate in the table by hand and the animation
    python -m workshop.gradient_descent --momentum 0.9           # another momentum: faster, or oscillating
    python -m workshop.gradient_descent --quick                  # a first look: a shorter animation

Expected: the rates 0.02 to 0.05 descend, 0.06 and 0.07 diverge: the limit is 0.0597. With momentum 0.5 it is 0.0895,
and all six descend. About 6 s on two CPU cores. Nothing is saved but plots; the animation is a GIF, for any browser.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from workshop.figures import gradient_descent as figures
from workshop.kit import cli
from workshop.kit.report import Report, format_table

INPUTS = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
X = np.column_stack([INPUTS, np.ones(5)])  # the column of ones makes the second weight the intercept
Y = np.array([10.5, 5.0, 3.0, 2.5, 1.0])
CURVATURES = np.linalg.eigvalsh(X.T @ X)  # of E: the smaller along its valley, the larger across it
START = np.array([-3.0, 2.0])  # slope, intercept
RATES = (0.02, 0.03, 0.04, 0.05, 0.06, 0.07)
STEPS = 25
QUICK_STEPS = 8  # of the animation
STEPS_BY_HAND = 4
LEARNING_RATE = 0.06
MOMENTUM = 0.5
SLOPES = np.linspace(-7.0, 4.5, 150)  # the part of the loss surface that the plots show
INTERCEPTS = np.linspace(-1.0, 15.5, 150)

Paths = dict[float, np.ndarray]  # by the learning rate, the weights (steps + 1, 2)


def loss(w: np.ndarray) -> np.ndarray:
    """Returns E(w) = 1/2 ||X w - y||^2 of weights w (..., 2): half the sum of the squared errors, in units of y^2."""
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
    w = START
    v = np.zeros(2)
    path = [w]
    for _ in range(steps):
        v = momentum * v - rate * gradient(w)
        w = w + v
        path.append(w)
    return np.array(path)


def stability_limit(momentum: float = 0.0) -> float:
    """Returns the rate from which on the steps diverge, 2 (1 + momentum) / the largest curvature."""
    return float(2 * (1 + momentum) / CURVATURES[-1])


def convergence_factor(rate: float, momentum: float = 0.0) -> float:
    """Returns by what a step multiplies the distance to the minimum in the long run; from 1 up it diverges.

    Along a direction of curvature c, an eigenvalue of X^T X, the distance d follows d'' = (1 + m - rate c) d' - m d.
    Its factors are the roots of z^2 - (1 + m - rate c) z + m, and without momentum m the one root 1 - rate c.
    """
    return float(max(np.abs(np.roots([1, rate * c - 1 - momentum, momentum])).max() for c in CURVATURES))


def diverges(path: np.ndarray) -> bool:
    """Returns whether a path (steps + 1, 2) ends higher than it began."""
    return bool(loss(path[-1]) > loss(path[0]))


def print_steps_by_hand(rate: float, momenta: Sequence[float]) -> None:
    """Prints the first steps, plain and with momentum, to follow with pencil and paper."""
    rows: list[list[object]] = []
    for momentum in momenta:
        path = descend(rate, momentum, STEPS_BY_HAND)
        for step, (w, after) in enumerate(pairwise(path)):
            numbers = (*w, float(loss(w)), *gradient(w), *(after - w))
            rows.append([f"{momentum:g}", step, *(f"{number:.4f}" for number in numbers)])
    headings = ("momentum", "step", "slope", "intercept", "E", "dE/dslope", "dE/dintercept", "v1", "v2")
    print(format_table(headings, rows))
    residuals = X @ START - Y
    by_slope, by_intercept = gradient(START)
    products = " + ".join(f"{x:g}*{residual:g}" for x, residual in zip(INPUTS, residuals, strict=True))
    print("\nThe first line: X w - y = (" + ", ".join(f"{residual:g}" for residual in residuals) + ");")
    print(f"dE/dslope = {products} = {by_slope:g},")
    print(f"dE/dintercept = their sum = {by_intercept:g}; v = -{rate:g} * ({by_slope:g}, {by_intercept:g}).")


def print_paths(descents: dict[str, Paths], momenta: dict[str, float]) -> None:
    """Prints where the paths of all rates end, and the limit that the surface's curvature sets them."""
    rows: list[list[object]] = []
    for name, momentum in momenta.items():
        for rate, path in descents[name].items():
            numbers = [f"{number:.4f}" for number in (*path[-1], loss(path[-1]))]
            factor = f"{convergence_factor(rate, momentum):.3f}"
            verdict = "diverges" if diverges(path) else "descends"
            rows.append([f"{momentum:g}", f"{rate:g}", *numbers, factor, verdict])
    numbers = [f"{number:.4f}" for number in (*minimum(), loss(minimum()))]
    rows.append(["pinv(X) y", "", *numbers, "", "the minimum"])
    print(format_table(["momentum", "rate", "slope", "intercept", "E", "distance per step", ""], rows))
    print(f"\nAll start at E = {loss(START):g}. The largest eigenvalue of X^T X is c = {CURVATURES[-1]:.4f}.")
    for name, momentum in momenta.items():
        bound = f"2 (1 + {momentum:g}) / c = {stability_limit(momentum):.4f}"
        diverged = ", ".join(f"{rate:g}" for rate, path in descents[name].items() if diverges(path)) or "none"
        print(f"Momentum {momentum:g}: a rate must stay below {bound}; diverged: {diverged}")


def loss_surface() -> figures.Surface:
    """Returns E above its minimum over the weights that the plots show."""
    weights = np.stack(np.meshgrid(SLOPES, INTERCEPTS), axis=-1)
    return figures.Surface(SLOPES, INTERCEPTS, loss(weights) - loss(minimum()), START, minimum())


def convergence_factors(momentum: float) -> figures.Factors:
    """Returns the convergence factors of many learning rates, as they are drawn."""
    rates = np.linspace(0.001, 0.1, 400)
    curve = np.array([convergence_factor(rate, momentum) for rate in rates])
    used = [convergence_factor(rate, momentum) for rate in RATES]
    return figures.Factors(stability_limit(momentum), rates, curve, RATES, used)


def below_one(text: str) -> float:
    """Parses a number above 0 and below 1: of larger rates 25 steps are soon more than a number can hold."""
    number = cli.positive_number(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a number above 0 and below 1")
    return number


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(docstring, data=None)
    parser.add_argument(
        "--learning-rate",
        type=below_one,
        default=LEARNING_RATE,
        metavar="X",
        dest="rate",
        help="learning rate for the table by hand and the animation (default: %(default)g)",
    )
    parser.add_argument("--momentum", type=below_one, default=MOMENTUM, metavar="X", help="(default: %(default)g)")
    return cli.parse_lesson(parser, argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Prints the steps by hand and the table of rates, plots and animates; returns the errors where the paths end."""
    arguments = parse(__doc__, argv)
    rate, momentum = arguments.rate, arguments.momentum
    momenta = {"plain": 0.0, f"momentum {momentum:g}": momentum}
    report = Report("gradient_descent", arguments, "numpy")
    report.data("five points, x = 0 to 4")
    print(f"Engine    NumPy {np.__version__}")

    report.section(f"By hand: rate {rate:g}, from slope {START[0]:g} and intercept {START[1]:g}")
    print_steps_by_hand(rate, list(momenta.values()))

    report.section(f"{STEPS} steps at six learning rates")
    descents = {name: {rate: descend(rate, m) for rate in RATES} for name, m in momenta.items()}
    print_paths(descents, momenta)
    for kind, paths in zip(("plain", "momentum"), descents.values(), strict=True):
        for path_rate, path in paths.items():
            # The mean of the squares says the same as half their sum, and has a name that every library knows.
            mean_squared_error = 2 * float(loss(path[-1])) / len(Y)
            report.result({f"{kind}_{round(1000 * path_rate):03}_train_mean_squared_error": mean_squared_error})

    surface = loss_surface()
    for kind, name, colour in zip(("plain", "momentum"), momenta, figures.COLOURS, strict=True):
        paths = descents[name]
        diverging = [diverges(path) for path in paths.values()]
        title = f"{STEPS} steps of gradient descent, momentum {momenta[name]:g}"
        report.plot(f"gradient_descent-{kind}", figures.paths, surface, paths, diverging, colour, title)
    losses = {
        name: {path_rate: loss(path) - loss(minimum()) for path_rate, path in paths.items()}
        for name, paths in descents.items()
    }
    factors = {name: convergence_factors(m) for name, m in momenta.items()}
    report.plot("gradient_descent-errors", figures.losses, losses, factors)

    steps = QUICK_STEPS if arguments.quick else STEPS
    walks = {name: descend(rate, m, steps) for name, m in momenta.items()}
    report.animate(
        "gradient_descent-walk",
        figures.walk,
        surface,
        INPUTS,
        Y,
        best_line=X @ minimum(),
        rate=rate,
        paths=walks,
        lines={name: path @ X.T for name, path in walks.items()},
        losses={name: loss(path) for name, path in walks.items()},
    )
    return report.finish(not_comparable="--momentum given" if momentum != MOMENTUM else "")


if __name__ == "__main__":
    cli.run(main)
