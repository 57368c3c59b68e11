"""Nine optimizers: what each does with a gradient, what it remembers, and what that is worth.

All of them go down the same gradient. You see the nine rules written in NumPy take the steps that Keras' and PyTorch's
own take, race them on surfaces that you can draw and on the digits, count their memory, see why Rprop fails on
mini-batches, and lower the learning rate when the validation loss stalls:

1. A hundred steps along random gradients, in NumPy, Keras and PyTorch. Where PyTorch differs, the one term that does.
2. A bowl, the same bowl turned, a saddle and Rosenbrock's valley: the steps that each needs to the minimum.
3. Nine gradients of +0.1 and one of -0.9: descent comes back to where it was, Rprop walks away.
4. What each remembers, in multiples of the model.
5. The race on MNIST, 784-500-300-10: the loss by steps and by seconds.
6. Lowering the rate when validation stalls, by `keras.callbacks.ReduceLROnPlateau`.

    python -m workshop.optimizers                              # all of it; then look into the folder plots
    python -m workshop.optimizers --algorithms sgd adam        # two of the nine
    python -m workshop.optimizers --quick                      # a first look

Expected: all steps equal Keras' to 1e-6, and PyTorch's with its own term; memory of 2 to 4 models; on MNIST after one
epoch Adam, Nadam and momentum over 95 %, Adagrad 93 %, Rprop under 92 %; the lowered rate better than the constant
one. About a minute on two CPU cores. Only plots are saved.
Without MNIST and without a network it trains on scikit-learn's 1,797 digits, and says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import optimizers as figures
from workshop.figures.optimizers import Descent, Stalled, Surface
from workshop.kit import cli, device, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.lazy import keras, torch
from workshop.kit.report import Report, format_table
from workshop.kit.training import Recipe
from workshop.scratch.nn.adaptive import Adagrad, Adam, Nadam, RMSprop
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.sgd import SGD, Optimizer

# --- 1. The nine rules ------------------------------------------------------------------------------------------------


class Algorithm(NamedTuple):
    """One of the nine.

    Attributes:
        title: its name.
        rule: a step; w is a weight, g its gradient, r the learning rate, e epsilon. m', v' are corrected for the start.
        source: who published it.
    """

    title: str
    rule: str
    source: str


ALGORITHMS = {
    "sgd": Algorithm("gradient descent", "w <- w - r g", "Robbins, Monro 1951"),
    "momentum": Algorithm("momentum", "v <- 0.9 v - r g,  w <- w + v", "Polyak 1964"),
    "nesterov": Algorithm("Nesterov", "v <- 0.9 v - r g,  w <- w + 0.9 v - r g", "Nesterov 1983"),
    "rprop": Algorithm(
        "Rprop", "d <- 1.2 d (same sign) or 0.5 d (changed),  w <- w - d sign(g)", "Riedmiller, Braun 1993"
    ),
    "adagrad": Algorithm("Adagrad", "s <- s + g^2,  w <- w - r g / sqrt(s + e)", "Duchi, Hazan, Singer 2011"),
    "rmsprop": Algorithm("RMSprop", "v <- 0.9 v + 0.1 g^2,  w <- w - r g / sqrt(v + e)", "Tieleman, Hinton 2012"),
    "adam": Algorithm(
        "Adam", "m <- 0.9 m + 0.1 g,  v <- 0.999 v + 0.001 g^2,  w <- w - r m' / (sqrt(v') + e)", "Kingma, Ba 2015"
    ),
    "nadam": Algorithm("Nadam", "Adam, whose m is that of the next step", "Dozat 2016"),
    "adadelta": Algorithm(
        "Adadelta", "v as above,  d = g sqrt(u + e) / sqrt(v + e),  u the average of d^2,  w <- w - r d", "Zeiler 2012"
    ),
}
TITLES = {name: algorithm.title for name, algorithm in ALGORITHMS.items()}
# The libraries' own classes, and the settings with which their steps are compared. Adagrad's sum starts at 0: beside
# Keras' 0.1 the epsilon would not be seen.
KERAS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {"initial_accumulator_value": 0.0}),
    "rmsprop": ("RMSprop", {}),
    "adam": ("Adam", {}),
    "nadam": ("Nadam", {}),
    "adadelta": ("Adadelta", {}),
}
EPSILON = 1e-7  # Keras'
TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "rprop": ("Rprop", {}),
    "adagrad": ("Adagrad", {"eps": EPSILON}),
    "rmsprop": ("RMSprop", {"alpha": 0.9, "eps": EPSILON}),
    "adam": ("Adam", {"eps": EPSILON}),
    "nadam": ("NAdam", {"eps": EPSILON}),
    "adadelta": ("Adadelta", {"rho": 0.95, "eps": EPSILON}),
}
STEPS = 100  # along random gradients
STEP_RATE = 0.01


def make_rule(name: str, rate: Any = STEP_RATE) -> Optimizer:
    """Returns the engine's rule with the settings that the libraries' get here."""
    return Adagrad(rate, start=0.0) if name == "adagrad" else make_optimizer(name, rate)


class RateOutside(SGD):
    """PyTorch's momentum: v <- momentum v + g, w <- w - rate v. The rate is outside of the velocity."""

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        memory[0] *= self.momentum
        memory[0] += gradient
        parameter -= rate * (gradient + self.momentum * memory[0] if self.nesterov else memory[0])


class AdagradBeside(Adagrad):
    """PyTorch's Adagrad: w <- w - rate g / (sqrt(s) + epsilon)."""

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        memory[0] += gradient**2
        parameter -= rate * gradient / (np.sqrt(memory[0]) + self.epsilon)


class RMSpropBeside(RMSprop):
    """PyTorch's RMSprop: w <- w - rate g / (sqrt(v) + epsilon)."""

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        memory[0] += (1 - self.rho) * (gradient**2 - memory[0])
        parameter -= rate * gradient / (np.sqrt(memory[0]) + self.epsilon)


class AdamBeside(Adam):
    """PyTorch's Adam: epsilon is added to sqrt(v'), not to sqrt(v), which is smaller by sqrt(1 - beta_2^t)."""

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        self.epsilon = EPSILON * float(np.sqrt(1 - self.beta_2**self.steps))
        super().step(parameter, gradient, memory, rate)


# Where PyTorch's step differs: the term in words, and the engine's rule with that term.
NEW_RATE = "a new rate applies to the next g in Keras, to all of v in PyTorch"
INSIDE = "epsilon: sqrt(. + e) in Keras, sqrt(.) + e in PyTorch"
TORCH_TERMS: dict[str, tuple[str, Callable[[Any], Optimizer]]] = {
    "momentum": (NEW_RATE, lambda rate: RateOutside(rate, 0.9)),
    "nesterov": (
        NEW_RATE,
        lambda rate: RateOutside(rate, 0.9, nesterov=True),
    ),
    "adagrad": (INSIDE, lambda rate: AdagradBeside(rate, start=0.0)),
    "rmsprop": (INSIDE, lambda rate: RMSpropBeside(rate)),
    "adam": ("epsilon: beside sqrt(v) in Keras, sqrt(v') in PyTorch", lambda rate: AdamBeside(rate)),
    "nadam": ("warm-up of momentum: 0.96^t, or 0.96^(0.004 t)", lambda rate: Nadam(rate, decay=0.004)),
}


def rates(name: str, lowered: bool = False) -> list[float]:
    """Returns the learning rate of each step: constant, or halved for the second half."""
    rate = 1.0 if name == "adadelta" else STEP_RATE
    return [rate / 2 if lowered and step >= STEPS // 2 else rate for step in range(STEPS)]


def steps_numpy(optimizer: Optimizer, gradients: np.ndarray) -> np.ndarray:
    """Returns the steps (steps, weights) that one of the engine's takes along gradients of the same shape."""
    w = np.zeros(gradients.shape[1])
    path = [w.copy()]
    for gradient in gradients:
        optimizer.apply({"w": gradient}, {"w": w})
        path.append(w.copy())
    return np.diff(path, axis=0)


def steps_keras(name: str, gradients: np.ndarray, lowered: bool) -> np.ndarray:
    """Returns the steps that Keras' own takes."""
    kind, settings = KERAS[name]
    optimizer = getattr(keras.optimizers, kind)(STEP_RATE, **settings)
    w = keras.Variable(np.zeros(gradients.shape[1]), dtype="float64")
    path = [np.zeros(gradients.shape[1])]
    for gradient, rate in zip(gradients, rates(name, lowered), strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [w])
        path.append(keras.ops.convert_to_numpy(w.value))
    return np.diff(path, axis=0)


def steps_torch(name: str, gradients: np.ndarray, lowered: bool) -> np.ndarray:
    """Returns the steps that PyTorch's own takes."""
    kind, settings = TORCH[name]
    w = torch.nn.Parameter(torch.zeros(gradients.shape[1], dtype=torch.float64))
    optimizer = getattr(torch.optim, kind)([w], lr=STEP_RATE, **settings)
    path = [np.zeros(gradients.shape[1])]
    for gradient, rate in zip(gradients, rates(name, lowered), strict=True):
        optimizer.param_groups[0]["lr"] = rate
        w.grad = torch.from_numpy(gradient)
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.diff(path, axis=0)


def has_torch() -> bool:
    """Whether PyTorch is installed, for the parts that compare with it."""
    return importlib.util.find_spec("torch") is not None


def compare_steps(seed: int) -> dict[str, float]:
    """Prints how far the steps of the three libraries are apart; returns the largest differences."""
    # Ten weights, whose gradients are of ten sizes: beside the smallest ones epsilon is large.
    gradients = np.random.default_rng(seed).normal(size=(STEPS, 10)) * 10.0 ** np.arange(-9, 1)
    rows: list[list[object]] = []
    largest = {"keras_steps": 0.0, "torch_steps": 0.0, "torch_terms": 0.0}
    for name, lowered in [*((name, False) for name in ALGORITHMS), ("momentum", True), ("nesterov", True)]:
        by_step = rates(name, lowered)
        by_numpy = steps_numpy(make_rule(name, lambda step, r=by_step: r[step]), gradients)
        row: list[object] = [TITLES[name] + (", rate halved" if lowered else "")]
        if name in KERAS:
            difference = float(np.abs(by_numpy - steps_keras(name, gradients, lowered)).max())
            largest["keras_steps"] = max(largest["keras_steps"], difference)
            row.append(f"{difference:.0e}")
        else:
            row.append("has none")
        if has_torch():
            by_torch = steps_torch(name, gradients, lowered)
            row.append(f"{np.abs(by_numpy - by_torch).max():.0e}")
            if name not in TORCH_TERMS or (name in {"momentum", "nesterov"} and not lowered):
                largest["torch_steps"] = max(largest["torch_steps"], float(np.abs(by_numpy - by_torch).max()))
            else:
                term, make = TORCH_TERMS[name]
                with_term = steps_numpy(make(lambda step, r=by_step: r[step]), gradients)
                difference = float(np.abs(with_term - by_torch).max())
                largest["torch_terms"] = max(largest["torch_terms"], difference)
                row += [f"{difference:.0e}", term]
        rows.append([*row, "", ""][:5])
    if not has_torch():
        print("PyTorch is not installed: its columns are empty.")
        largest = {"keras_steps": largest["keras_steps"]}
    print(format_table(["largest difference of a step", "Keras", "PyTorch", "with its term", "the term"], rows))
    return largest


def print_rules() -> None:
    """Prints the nine rules, and the rates that each library has where none is given."""
    rows: list[list[object]] = []
    for name, algorithm in ALGORITHMS.items():
        defaults = ["has none", "not installed"]
        if name in KERAS:
            defaults[0] = f"{getattr(keras.optimizers, KERAS[name][0])().get_config()['learning_rate']:.4g}"
        if has_torch():
            weight = torch.nn.Parameter(torch.zeros(1))
            defaults[1] = f"{getattr(torch.optim, TORCH[name][0])([weight]).defaults['lr']:g}"
        rows.append([algorithm.title, name, algorithm.rule, algorithm.source, *defaults])
    print(format_table(["algorithm", "--optimizer", "update", "published", "rate: Keras", "PyTorch"], rows))


# --- 2. Surfaces that can be drawn ------------------------------------------------------------------------------------


def bowl(matrix: np.ndarray, title: str, start: np.ndarray) -> Surface:
    """Returns the bowl 1/2 w^T A w, whose gradient is A w, for a symmetric A."""
    return Surface(
        title,
        lambda w: np.asarray(0.5 * np.sum(w @ matrix * w, axis=-1)),
        lambda w: np.asarray(w @ matrix),
        start,
        0.0,
        np.zeros((1, 2)),
        (-5, 5, -3, 3),
    )


def _valley_gradient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=-1)


STRETCHED = np.diag([1.0, 25.0])
TURN = np.sqrt(0.5) * np.array([[1.0, -1.0], [1.0, 1.0]])  # by 45 degrees
START = np.array([-4.0, 1.5])
SURFACES = {
    "bowl": bowl(STRETCHED, "a bowl, (x^2 + 25 y^2) / 2", START),
    "turned": bowl(TURN @ STRETCHED @ TURN.T, "the bowl turned by 45 degrees", TURN @ START),
    "saddle": Surface(
        "a saddle, (x^2 - y^2) / 2 + y^4 / 16",
        lambda w: np.asarray((w[..., 0] ** 2 - w[..., 1] ** 2) / 2 + w[..., 1] ** 4 / 16),
        lambda w: np.stack([w[..., 0], -w[..., 1] + w[..., 1] ** 3 / 4], axis=-1),
        np.array([-3.0, 0.001]),
        -1.0,
        np.array([[0.0, -2.0], [0.0, 2.0]]),
        (-3.5, 1.5, -3, 3),
    ),
    "valley": Surface(
        "Rosenbrock's valley, (1 - x)^2 + 100 (y - x^2)^2",
        lambda w: np.asarray((1 - w[..., 0]) ** 2 + 100 * (w[..., 1] - w[..., 0] ** 2) ** 2),
        lambda w: _valley_gradient(w[..., 0], w[..., 1]),
        np.array([-1.5, 2.0]),
        0.0,
        np.ones((1, 2)),
        (-2.0, 1.7, -0.8, 2.8),
    ),
}
SURFACE_STEPS = 500
SURFACE_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
ARRIVED = 0.01  # above the minimum


def descend(surface: Surface, name: str, rates: Sequence[float]) -> np.ndarray:
    """Returns the paths (steps + 1, rates, 2) of one algorithm from the surface's start, all rates side by side."""
    column: Any = np.array(rates)[:, None]
    optimizer = make_optimizer(name, lambda step: column)
    w = np.tile(surface.start, (len(rates), 1))
    path = [w.copy()]
    for _ in range(SURFACE_STEPS):
        optimizer.apply({"w": surface.gradient(w)}, {"w": w})
        path.append(w.copy())
    return np.array(path)


def best_descent(surface: Surface, name: str) -> Descent:
    """Returns the descent at the rate that arrives first or, where none does, ends lowest."""
    paths = descend(surface, name, SURFACE_RATES)
    descents = []
    for rate, path in zip(SURFACE_RATES, paths.swapaxes(0, 1), strict=True):
        heights = np.nan_to_num(surface.height(path) - surface.lowest, nan=np.inf)  # where a rate was far too high
        arrived = int(np.flatnonzero(heights >= ARRIVED)[-1]) + 1
        descents.append(Descent(rate, path, heights, arrived if arrived <= SURFACE_STEPS else None))
    return min(descents, key=lambda descent: (descent.arrived or SURFACE_STEPS + 1, descent.heights[-1]))


def race_on_surfaces(report: Report, names: Sequence[str]) -> None:
    """Races the algorithms on the surfaces, each at its best rate; prints and draws."""
    print(f"Steps until the height stays below {ARRIVED:g}, at the best of {len(SURFACE_RATES)} rates (in brackets).")
    descents = {key: {name: best_descent(surface, name) for name in names} for key, surface in SURFACES.items()}
    rows: list[list[object]] = []
    for name in names:
        best = [by_name[name] for by_name in descents.values()]
        cells = [f"{descent.arrived or 'over 500'} ({descent.rate:g})" for descent in best]
        rows.append([TITLES[name], *cells])
    print(format_table(["steps to the minimum of", *SURFACES], rows))
    print(
        "Descent and momentum take as many steps when the bowl is turned. A rate for each weight makes it round if it"
    )
    print("lies along the axes; turned, it takes Rprop four times as many steps, Adagrad five times, Adam as many.")
    for key in ("valley",) if report.arguments.quick else ("bowl", "saddle", "valley"):
        report.plot(f"optimizers-{key}", figures.paths, SURFACES[key], descents[key], TITLES)
    surfaces = {key: SURFACES[key] for key in ("bowl", "saddle", "valley")}
    frames = 6 if report.arguments.quick else 60
    report.animate("optimizers-race", figures.race, surfaces, descents, TITLES, frames)


# --- 3. Nine gradients and one ----------------------------------------------------------------------------------------

NINE_AND_ONE = np.array([0.1] * 9 + [-0.9])  # the gradients of ten mini-batches; their mean is 0
ROUNDS = 10


def nine_and_one(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns where a weight is that starts at 0, after each of the ten gradients, ten rounds of them, by algorithm."""
    gradients = np.tile(NINE_AND_ONE, ROUNDS)[:, None]
    steps = {name: steps_numpy(make_optimizer(name, STEP_RATE), gradients) for name in names}
    return {name: np.concatenate([[0.0], np.cumsum(changes)]) for name, changes in steps.items()}


def report_nine_and_one(report: Report) -> None:
    """Shows why Rprop fails on mini-batches: the sign of a gradient says nothing of its size."""
    names = ("sgd", "rprop", "rmsprop", "adam")
    paths = nine_and_one(names)
    rows = [[TITLES[name], *(f"{paths[name][step]:.4f}" for step in (9, 10, 100))] for name in names]
    print(f"Nine gradients of +0.1 and one of -0.9, rate {STEP_RATE:g}: their sum is 0, and w = 0 the minimum.")
    print(format_table(["w after", "nine", "all ten", "ten rounds"], rows))
    print("Descent is back where it was. Rprop counts nine signs against one, and takes longer steps while they agree.")
    print("RMSprop and Adam divide by an average over mini-batches: they drift, and their steps do not grow.")
    for name in ("sgd", "rprop"):
        report.result({f"nine_and_one_{name}_train_max_error": abs(float(paths[name][-1]))})
    report.plot("optimizers-nine-and-one", figures.nine_and_one, paths, TITLES)


# --- 4. Memory --------------------------------------------------------------------------------------------------------

COUNTED = (784, 32, 20, 10)
LARGE_MODEL_WEIGHTS = 7e9


def count_weights(sizes: Sequence[int]) -> int:
    """Returns the weights and biases of dense layers between layers of these sizes."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def memory_numpy(name: str, weights: np.ndarray) -> float:
    """Returns the bytes that the engine's optimizer keeps after a step."""
    optimizer = make_optimizer(name)
    optimizer.apply({"w": np.ones_like(weights)}, {"w": weights.copy()})
    return sum(array.nbytes for array in optimizer.state().values())


def memory_keras(name: str, weights: np.ndarray) -> float:
    """Returns the bytes of the variables of Keras' optimizer, the number of steps and the rate among them."""
    optimizer = Recipe(epochs=1, optimizer=name, schedule=False).make_optimizer()
    optimizer.build([keras.Variable(weights)])
    return sum(keras.ops.convert_to_numpy(variable.value).nbytes for variable in optimizer.variables)


def memory_torch(name: str, weights: np.ndarray) -> float:
    """Returns the bytes of the state of PyTorch's own optimizer after a step."""
    kind, settings = TORCH[name]
    parameter = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    optimizer = getattr(torch.optim, kind)([parameter], lr=STEP_RATE, **settings)
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return sum(value.nbytes for value in optimizer.state[parameter].values() if torch.is_tensor(value))


def report_memory(counts: Mapping[str, Callable[[str, np.ndarray], float]], names: Sequence[str]) -> dict[str, float]:
    """Prints the memory of a training, weights and gradient included, in multiples of the weights; returns the first.

    Args:
        counts: for each library, from an algorithm's name and weights to the bytes that the optimizer keeps.
        names: of the algorithms.
    """
    weights = np.zeros(count_weights(COUNTED), np.float32)
    rows: list[list[object]] = []
    multiples = {}
    for name in names:
        sizes = [2 + count(name, weights) / weights.nbytes for count in counts.values()]
        multiples[name] = sizes[0]
        kilobytes, gigabytes = sizes[0] * weights.nbytes / 1e3, sizes[0] * 4 * LARGE_MODEL_WEIGHTS / 1e9
        rows.append([TITLES[name], *(f"{size:.2f}" for size in sizes), f"{kilobytes:,.0f} kB", f"{gigabytes:,.0f} GB"])
    print(f"{'-'.join(map(str, COUNTED))} has {len(weights):,} weights. Weights, gradient and the optimizer's memory:")
    print(format_table(["times the weights", *counts, f"{len(weights):,} weights", "7 billion"], rows))
    return multiples


# --- 5. The race on the digits ----------------------------------------------------------------------------------------

LAYERS = (500, 300)
RACE = Recipe(epochs=1, batch_size=128, schedule=False, quick_epochs=2, small_set_epochs=8)
QUICK_RACE = ("sgd", "rprop", "adam")
RACE_RATES = {
    "sgd": 0.3,
    "momentum": 0.1,
    "nesterov": 0.1,
    "rprop": 0.0001,
    "adagrad": 0.03,
    "rmsprop": 0.001,
    "adam": 0.002,
    "nadam": 0.002,
    "adadelta": 1.0,
}


class Trained(NamedTuple):
    """One training of the race.

    Attributes:
        steps, losses: the steps done, and the mean loss since the value before.
        seconds: of one step.
        test_accuracy: in the end.
    """

    steps: list[float]
    losses: list[float]
    seconds: float
    test_accuracy: float


def race_recipes(arguments: argparse.Namespace, samples: int) -> dict[str, Recipe]:
    """Returns the recipes of the race on so many images, by their algorithms; a quick race has three."""
    not_given = dict.fromkeys(("optimizer", "batch_size", "learning_rate"))  # options of other lessons
    options = argparse.Namespace(quick=arguments.quick, epochs=arguments.race_epochs, **not_given)
    recipe = RACE.with_options(options, samples)
    names = QUICK_RACE if arguments.quick and arguments.algorithms == [*ALGORITHMS] else arguments.algorithms
    return {name: replace(recipe, optimizer=name, learning_rate=RACE_RATES[name]) for name in names}


def build(hidden_units: Sequence[int] = LAYERS) -> keras.Sequential:
    """Returns the dense network: (28, 28, 1) -> 784 -> each of `hidden_units`, relu -> 10 probabilities."""
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    for units in hidden_units:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model


def train(name: str, recipe: Recipe, images: ImageSet, batches: Any, report: Report) -> Trained:
    """Trains the network with one of the algorithms, from the same weights and on the same batches as the others.

    Args:
        name: of the algorithm.
        recipe: with its rate.
        images: of which the test images are evaluated.
        batches: of the training images, as `training.shuffled_batches` returns them.
        report: of the run.
    """
    seed = report.arguments.seed
    print(f"{TITLES[name]}, rate {recipe.rate:g}")
    steps_an_epoch = math.ceil(len(images.X_train) / recipe.batch_size)
    steps_a_call = min(device.steps_per_execution(), max(1, steps_an_epoch // 8))  # the loss is heard of once a call
    with device.scope(seed):
        model = build()
    model.compile(
        optimizer=recipe.make_optimizer(),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_a_call,
    )
    losses = training.StepLosses()
    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter()),
        on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()),
        # The median leaves out the first call, in which the step is compiled. The logs are kept with `--resume`.
        on_epoch_end=lambda epoch, logs: logs.update(seconds=float(np.median(np.diff(times))) / steps_a_call),
    )
    checkpoint = report.checkpoint(f"optimizers-{name}")
    history = model.fit(
        batches,
        epochs=recipe.epochs,
        shuffle=False,
        callbacks=[
            clock,
            losses,
            *training.tensorboard(report.arguments.tensorboard, name),
            training.Resume(checkpoint, batches, keep=[losses]),
        ],
        verbose=report.verbose,
    ).history
    _, accuracy = model.evaluate(scale_pixels(images.X_test), images.y_test, batch_size=1000, verbose=0)
    epochs, values = losses.curve
    return Trained([epoch * steps_an_epoch for epoch in epochs], values, history["seconds"][-1], accuracy)


def report_race(report: Report, trained: Mapping[str, Trained], recipes: Mapping[str, Recipe], source: str) -> None:
    """Prints and draws the race: the loss by steps and by seconds."""
    rows = [
        [
            TITLES[name],
            f"{recipes[name].rate:g}",
            f"{run.losses[-1]:.3f}",
            f"{run.test_accuracy:.2%}",
            f"{1000 * run.seconds:.1f}",
            f"{run.seconds / trained[next(iter(trained))].seconds:.2f}",
        ]
        for name, run in trained.items()
    ]
    first = TITLES[next(iter(trained))]
    headings = ["algorithm", "rate", "last loss", "test accuracy", "ms per step", f"times {first}"]
    print(format_table(headings, rows))
    for name, run in trained.items():
        report.result({"train_log_loss": run.losses[-1], "test_accuracy": run.test_accuracy}, model=name)
    curves = {name: (run.steps, run.losses, run.seconds) for name, run in trained.items()}
    report.plot("optimizers-digits", figures.digits, curves, TITLES, source)


# --- 6. Lowering the rate when validation stalls ----------------------------------------------------------------------

STALLING_LAYERS = COUNTED[1:-1]
STALLING = Recipe(epochs=20, learning_rate=0.1, batch_size=32, optimizer="momentum", schedule=False, quick_epochs=12)
IMAGES = 8000  # a quarter of them to validate on
FACTOR = 0.2
PATIENCE = 3
MIN_DELTA = 1e-4


def split(images: ImageSet) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns images and classes to train on, and others to validate on."""
    X, y = scale_pixels(images.X_train[:IMAGES]), images.y_train[:IMAGES]
    held_out = len(X) // 4
    return (X[held_out:], y[held_out:]), (X[:held_out], y[:held_out])


def train_stalling(images: ImageSet, report: Report, lowers: bool) -> Stalled:
    """Trains at a high rate; with `lowers` Keras' callback lowers it where the validation loss stalls."""
    seed, recipe = report.arguments.seed, STALLING.for_run(report.arguments.quick)
    train_set, validation_set = split(images)
    with device.scope(seed):
        model = build(STALLING_LAYERS)
    model.compile(recipe.make_optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    used: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: used.append(float(model.optimizer.learning_rate))
    )
    callbacks = [note, *training.tensorboard(report.arguments.tensorboard, "lowered" if lowers else "constant")]
    if lowers:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau("val_loss", factor=FACTOR, patience=PATIENCE, min_delta=MIN_DELTA)
        )
    # model.fit takes the same arguments and ends with the same weights; its epochs take longer than the steps in them.
    history = training.fit_table(
        model,
        *train_set,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=seed,
        validation_data=validation_set,
        callbacks=callbacks,
    ).history
    _, accuracy = model.evaluate(scale_pixels(images.X_test), images.y_test, batch_size=1000, verbose=0)
    return Stalled(history["loss"], history["val_loss"], used, accuracy)


def report_stalling(report: Report, trained: Mapping[str, Stalled]) -> None:
    """Compares the constant rate ("constant") with the lowered one ("lowered")."""
    rows: list[list[object]] = []
    for name, run in trained.items():
        rows.append(
            [name, f"{run.rates[-1]:.2g}", run.losses[-1], run.validation_losses[-1], f"{run.test_accuracy:.2%}"]
        )
        report.result(
            {"validation_log_loss": run.validation_losses[-1], "test_accuracy": run.test_accuracy}, model=name
        )
    print(format_table(["rate", "in the end", "training loss", "validation loss", "test accuracy"], rows))
    by_epoch = trained["lowered"].rates
    lowered = [i + 1 for i in range(1, len(by_epoch)) if by_epoch[i] < by_epoch[i - 1]]
    print(f"Lowered to {FACTOR:g} of itself in the epochs {', '.join(map(str, lowered)) or 'none'}: in the {PATIENCE}")
    print("before each the validation loss was not below its lowest.")
    report.plot("optimizers-plateau", figures.plateau, trained)


# --- The lesson -------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options; `not_comparable` is why the result is held against no expected band."""
    parser = cli.lesson_parser(docstring, data="DIR")
    cli.add_resume(parser)
    add = parser.add_argument
    add(
        "--algorithms", nargs="+", choices=[*ALGORITHMS], metavar="NAME", help=f"{', '.join(ALGORITHMS)} (default: all)"
    )
    epochs = f"epochs of the race on the digits (default: {RACE.epochs})"
    add("--race-epochs", type=cli.whole_number(1), metavar="N", help=epochs)
    arguments = cli.parse_lesson(parser, argv)
    arguments.not_comparable = cli.given(arguments, "algorithms", "race_epochs")
    arguments.algorithms = [name for name in ALGORITHMS if name in (arguments.algorithms or ALGORITHMS)]
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Compares, races, counts, trains and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    names = arguments.algorithms
    report = Report("optimizers", arguments)
    images = load_image_set("mnist", arguments.data, quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    report.engine(device.prepare(arguments.seed))

    report.section("Nine update rules")
    print_rules()
    report.section(f"{STEPS} steps in NumPy against Keras' and PyTorch's own, with the same settings")
    report.result({f"{name}_test_max_error": error for name, error in compare_steps(arguments.seed).items()})

    report.section("Descent on surfaces of two weights")
    with np.errstate(over="ignore", invalid="ignore"):  # rates that are too high
        race_on_surfaces(report, names)

    report.section("Why Rprop fails on mini-batches")
    report_nine_and_one(report)

    report.section("Memory of each optimizer")
    counts = {"NumPy": memory_numpy, "Keras": memory_keras} | ({"PyTorch": memory_torch} if has_torch() else {})
    report_memory(counts, names)

    report.section(f"The race on {images.source}: {'-'.join(map(str, (784, *LAYERS, 10)))}")
    recipes = race_recipes(arguments, len(images.X_train))
    X, y = images.X_train, images.y_train
    batches = training.shuffled_batches(X, y, RACE.batch_size, arguments.seed, scale_pixels)
    trained = {name: train(name, recipe, images, batches, report) for name, recipe in recipes.items()}
    report_race(report, trained, recipes, images.source)

    report.section("Lowering the rate when validation stalls")
    stalled = {name: train_stalling(images, report, lowers=name == "lowered") for name in ("constant", "lowered")}
    report_stalling(report, stalled)
    return report.finish(not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
