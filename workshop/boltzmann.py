"""Restricted Boltzmann machines: a network that gives every image an energy, and learns to make digits likely.

A machine of visible and hidden units, each 0 or 1, has no output and no labels. Its weights give each state an energy;
states of low energy are likely. Training lowers the energy of digits and raises it where the machine itself wanders to
(contrastive divergence). You write all of it in NumPy, and use it for four things, all in one run unless you choose:

    python -m workshop.boltzmann                           # all four; then look into the folder plots
    python -m workshop.boltzmann --part machine            # one of them
    python -m workshop.boltzmann --k 5 --hidden-units 64   # more steps of the chain, fewer hidden units
    python -m workshop.boltzmann --data YOUR.csv           # recommendations from ratings: user, item, rating
    python -m workshop.boltzmann --quick                   # a first look, in seconds

`machine`: 784 pixels and 256 hidden units. Test digits are reconstructed, filters drawn while they grow, and the free
energy tells a machine that memorises, without any label. Chains from noise show what a machine generates: digits, if it
was trained with persistent chains. `exact`: with 3 visible and 4 hidden units all 128 states can be summed over: the
exact likelihood and its gradient, against which contrastive divergence is compared. `ratings`: which restaurant would a
guest like? Against means and biases, honestly. `deep`: two machines, one upon the other, are the start of a network
784-256-128-10 that Keras fine-tunes with 100, 300 and 1,000 labels, against the same network from random weights.

Expected on MNIST: reconstructions with a mean squared error of at most 0.006, where the mean image has 0.067. With 100
labels 79 to 80 % of the test digits are right after pre-training, some 4 points more than from random weights; with
1,000 it is 92 %, and 2 points. Of the ratings, shrunk biases and the machine are 1 % apart, and which of them wins, the
seed decides. About 55 s on two CPU cores.

Sources: Hinton (2002), "Training products of experts by minimizing contrastive divergence"; Hinton (2010), "A practical
guide to training restricted Boltzmann machines"; Tieleman (2008), "Training restricted Boltzmann machines using
approximations to the likelihood gradient"; Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep
belief nets"; Salakhutdinov, Mnih and Hinton (2007), "Restricted Boltzmann machines for collaborative filtering".
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import threadpoolctl

from workshop.backpropagation import numerical_gradient
from workshop.figures import boltzmann as figures
from workshop.kit import cli, device, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.data.ratings import Ratings, load_ratings
from workshop.kit.lazy import keras
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint, State, check_finite
from workshop.kit.training.variables import Variables

Gradient = tuple[np.ndarray, np.ndarray, np.ndarray]  # by W, b and c
History = dict[str, list[Any]]  # of a training: lists by their names, as in Keras


# --- The machine ------------------------------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-x))."""
    return 0.5 * (1 + np.tanh(0.5 * x))  # the same, and no x is too large for it


def sample(probabilities: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns units that are 1 with these probabilities, else 0."""
    return (random.random(probabilities.shape, dtype=np.float32) < probabilities).astype(probabilities.dtype)


@dataclass
class Machine:
    """A restricted Boltzmann machine: each visible unit is joined to each hidden one, and no two of a kind."""

    W: np.ndarray  # weights (visible, hidden)
    b: np.ndarray  # biases of the visible units
    c: np.ndarray  # biases of the hidden units

    @property
    def parameters(self) -> Gradient:
        """W, b and c."""
        return self.W, self.b, self.c

    def energy(self, v: np.ndarray, h: np.ndarray) -> np.ndarray:
        """Returns E(v, h) = -v W h - b v - c h of states (n, visible) and (n, hidden). P(v, h) = exp(-E) / Z."""
        return -np.sum(v @ self.W * h, axis=1) - v @ self.b - h @ self.c

    def free_energy(self, v: np.ndarray) -> np.ndarray:
        """Returns F(v), (n,), with exp(-F(v)) the sum of exp(-E(v, h)) over all h: so P(v) = exp(-F(v)) / Z."""
        # Each hidden unit is 0 or 1, independently of the others: the sum over all 2^n of them is a product.
        return -v @ self.b - np.logaddexp(0, v @ self.W + self.c).sum(axis=1)

    def hidden_probabilities(self, v: np.ndarray) -> np.ndarray:
        """Returns P(h = 1 | v), (n, hidden): the machine's features of v."""
        return sigmoid(v @ self.W + self.c)

    def visible_probabilities(self, h: np.ndarray) -> np.ndarray:
        """Returns P(v = 1 | h), (n, visible)."""
        return sigmoid(h @ self.W.T + self.b)

    def reconstruct(self, v: np.ndarray) -> np.ndarray:
        """Returns v on its way to the hidden units and back, in probabilities."""
        return self.visible_probabilities(self.hidden_probabilities(v))


def build_machine(X: np.ndarray, hidden_units: int, seed: int) -> Machine:
    """Returns a machine for samples X (n, visible): small random weights, and visible biases from the means.

    With a bias of ln(p / (1 - p)) a unit is on in a share p of the samples before anything is learned: the weights need
    not learn what every digit has in common.
    """
    p = np.clip(X.mean(axis=0, dtype=np.float64), 0.001, 0.999)
    W = np.random.default_rng(seed).normal(0, 0.01, (X.shape[1], hidden_units))
    b, c = np.log(p / (1 - p)), np.zeros(hidden_units)
    return Machine(W.astype(X.dtype), b.astype(X.dtype), c.astype(X.dtype))


def gibbs(
    machine: Machine, v: np.ndarray, k: int, random: np.random.Generator, samples_visible: bool = True
) -> np.ndarray:
    """Returns the visible units after k steps of a chain from v: hidden from visible units, visible from hidden ones.

    Without `samples_visible` the visible units keep their probabilities, as grey pixels do.
    """
    for _ in range(k):
        h = sample(machine.hidden_probabilities(v), random)
        v = machine.visible_probabilities(h)
        v = sample(v, random) if samples_visible else v
    return v


def directions(machine: Machine, v: np.ndarray, v_k: np.ndarray, decay: float = 0.0) -> Gradient:
    """Returns the changes of W, b and c that lower the free energy of v and raise that of v_k, means of n samples.

    That is -d/dW (F(v) - F(v_k)), and likewise for b and c. With v_k from the machine's own distribution it is the
    gradient of the log-likelihood; from a short chain it is contrastive divergence, which is nearly as good.
    """
    h, h_k = machine.hidden_probabilities(v), machine.hidden_probabilities(v_k)
    return (
        v.T @ h / len(v) - v_k.T @ h_k / len(v_k) - decay * machine.W,
        v.mean(axis=0) - v_k.mean(axis=0),
        h.mean(axis=0) - h_k.mean(axis=0),
    )


def move(machine: Machine, velocities: Gradient, changes: Gradient, rate: float, momentum: float) -> None:
    """Moves W, b and c by one step; with momentum each goes on rolling the way that it rolled."""
    for parameter, velocity, change in zip(machine.parameters, velocities, changes, strict=True):
        velocity *= momentum
        velocity += rate * change
        parameter += velocity


def reconstruction_error(machine: Machine, X: np.ndarray) -> float:
    """Returns the mean squared error of reconstructed samples."""
    return float(np.square(machine.reconstruct(X) - X).mean())


# --- Training by contrastive divergence -------------------------------------------------------------------------------

RATE = 0.1
DECAY = 1e-4  # each step also shortens the weights a little
MOMENTA = 0.5, 0.9  # in the first epoch, and after it
EARLY_LOOKS = (5, 15, 30, 60, 100, 150, 200, 300, 400)  # steps of the first epoch after which a machine is looked at


class Settings(NamedTuple):
    """The settings of training a machine. The order of the samples and all states are drawn from the seed."""

    epochs: int
    batch_size: int
    learning_rate: float
    k: int  # steps of the chain
    seed: int
    drawn: int  # epochs in which the chain draws the visible units, too; after them it keeps their probabilities
    is_persistent: bool = False  # the chains go on from step to step, instead of starting at the samples each time

    def rate(self, share: float) -> float:
        """Returns the learning rate after a share of the training: persistent chains follow ever smaller steps."""
        return self.learning_rate * (1 - share) if self.is_persistent else self.learning_rate

    def momentum(self, epoch: int) -> float:
        """Returns the momentum in an epoch, counted from 0."""
        return MOMENTA[0 if epoch == 0 or self.is_persistent else 1]


def train(
    machine: Machine, X: np.ndarray, settings: Settings, checkpoint: Checkpoint, history: History
) -> Iterator[float]:
    """Trains a machine on samples X by contrastive divergence; yields the epochs passed whenever one may look at it.

    What is seen then may be noted in the history, which the checkpoint keeps, too. Each epoch draws its order and its
    states from (seed, epoch): a training that was stopped goes on to the same bits.

    Raises:
        WorkshopError: the training diverged.
    """
    velocities = np.zeros_like(machine.W), np.zeros_like(machine.b), np.zeros_like(machine.c)
    # Where persistent chains are: at first at pixels that are drawn with the means.
    means = np.tile(X.mean(axis=0), (settings.batch_size, 1))
    particles = sample(means, np.random.default_rng(settings.seed))
    arrays = {f"{i}": array for i, array in enumerate([*machine.parameters, *velocities, particles])}

    def capture() -> State:
        return State(arrays | {name: np.array(values) for name, values in history.items()}, {})

    def restore(state: State) -> None:
        for name, array in state.arrays.items():
            if name in arrays:
                arrays[name][...] = array
            else:
                history[name] = [*array]

    fixed = {**settings._asdict(), "samples": len(X), "shape": machine.W.shape}
    steps = -(-len(X) // settings.batch_size)
    for epoch in checkpoint.remaining_epochs(fixed, settings.epochs, capture, restore):
        if epoch == 0:
            yield 0.0
        random = np.random.default_rng((settings.seed, epoch))
        order = random.permutation(len(X))
        for step in range(steps):
            v = X[order[step * settings.batch_size : (step + 1) * settings.batch_size]]
            # Pixels that are drawn make few hidden units active, each for a stroke of its own; in the last epochs
            # grey ones make the reconstructions sharper.
            start = particles if settings.is_persistent else v
            v_k = gibbs(machine, start, settings.k, random, samples_visible=epoch < settings.drawn)
            if settings.is_persistent:
                particles[:] = v_k
            rate = settings.rate((epoch + step / steps) / settings.epochs)
            move(machine, velocities, directions(machine, v, v_k, DECAY), rate, settings.momentum(epoch))
            if epoch == 0 and step + 1 in EARLY_LOOKS and step + 1 < steps:
                yield (step + 1) / steps
        check_finite(reconstruction_error(machine, v), epoch + 1)
        yield float(epoch + 1)


Train = Callable[[Machine, np.ndarray, Settings, Checkpoint, History], Iterator[float]]  # of either engine


# --- Digits: reconstructions, filters, the chain, the free-energy gap -------------------------------------------------

HIDDEN_UNITS = 256
EPOCHS = 5
DRAWN_SHARE = 0.6  # the share of the epochs in which the chain draws the pixels, too
VALIDATION_IMAGES = 3000  # of the training images, at most a fifth: held out for the free-energy gap
# Of the machine that memorises.
SMALL_SET_IMAGES = 500
SMALL_SET_STEPS = 400
# Of the machine with persistent chains.
PERSISTENT_EPOCHS = 2
PERSISTENT_RATE = 0.05
CHAINS = 20
CHAIN_STEPS = (0, 1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130, 200, 300)


class Digits(NamedTuple):
    """Digits as rows of pixels from 0 to 1, float32 (n, 784), and the set that they come from."""

    X_train: np.ndarray
    X_validation: np.ndarray
    X_test: np.ndarray
    images: ImageSet


def load_digits(arguments: argparse.Namespace, report: Report) -> Digits:
    """Returns the digits; the last training images are held out."""
    images = load_image_set("mnist", quick=arguments.quick)
    report.data(images.source, images.place, images.is_standin)
    n = len(images.X_train) - min(VALIDATION_IMAGES, len(images.X_train) // 5)
    X, X_test = (scale_pixels(part).reshape(len(part), -1) for part in (images.X_train, images.X_test))
    return Digits(X[:n], X[n:], X_test, images)


def free_energy_gap(machine: Machine, X: np.ndarray, X_held_out: np.ndarray) -> float:
    """Returns by how much held-out samples are less likely than those of the training, as -ln P.

    Z, which nobody can compute here, is the same for both and falls out of the difference.
    """
    seen = X[: len(X_held_out)]
    return float(
        machine.free_energy(X_held_out).mean(dtype=np.float64) - machine.free_energy(seen).mean(dtype=np.float64)
    )


def look_at(machine: Machine, passed: float, X: np.ndarray, digits: Digits, history: History) -> None:
    """Adds to the history how far a machine has come that is trained on X, after the epochs passed."""
    history["epochs"].append(passed)
    history["errors"].append(reconstruction_error(machine, digits.X_test[:1000]))
    history["gaps"].append(free_energy_gap(machine, X, digits.X_validation))
    history["filters"].append(machine.W[:, :64].T.astype(np.float32))


def make_settings(arguments: argparse.Namespace, epochs: int, samples: int, drawn: float = DRAWN_SHARE) -> Settings:
    """Returns how a machine is trained on so many samples; on few of them it takes more epochs.

    In the first of them, the share `drawn`, the chain draws the visible units, too.
    """
    batch_size, rate = arguments.batch_size or 100, arguments.learning_rate or RATE
    most = 10 if arguments.quick else 60
    epochs = arguments.epochs or max(epochs, min(2000 * batch_size // samples, most))
    return Settings(epochs, batch_size, rate, arguments.k, arguments.seed, round(drawn * epochs))


def train_on_digits(digits: Digits, report: Report, train: Train = train) -> tuple[Machine, History]:
    """Trains the machine of 784 pixels; prints how it comes on."""
    arguments, X = report.arguments, digits.X_train
    machine = build_machine(X, arguments.hidden_units, arguments.seed)
    history: History = defaultdict(list)
    settings = make_settings(arguments, EPOCHS, len(X))
    print(f"{machine.W.size:,} weights, {len(X):,} images, contrastive divergence with k = {settings.k}")
    print(f"{'epoch':8}{'reconstruction error':23}{'free-energy gap':18}seconds")
    started = time.perf_counter()
    for passed in train(machine, X, settings, report.checkpoint("boltzmann"), history):
        look_at(machine, passed, X, digits, history)
        if passed.is_integer() and (passed <= 10 or passed % 10 == 0):
            seconds = time.perf_counter() - started
            print(f"{passed:<8g}{history['errors'][-1]:<23.5f}{history['gaps'][-1]:<18.3f}{seconds:.1f}", flush=True)
    return machine, history


def memorise(digits: Digits, report: Report, train: Train = train) -> History:
    """Trains a machine on few images for so many steps that it memorises them; returns its history."""
    arguments, X = report.arguments, digits.X_train[:SMALL_SET_IMAGES]
    machine = build_machine(X, arguments.hidden_units, arguments.seed)
    history: History = defaultdict(list)
    settings = make_settings(arguments, 1, len(X))
    epochs = (20 if arguments.quick else SMALL_SET_STEPS) // -(-len(X) // settings.batch_size) + 1
    settings = settings._replace(epochs=epochs, drawn=round(DRAWN_SHARE * epochs))
    looks = {0, *np.geomspace(1, epochs, 15).round()}
    for passed in train(machine, X, settings, report.checkpoint("boltzmann-few"), history):
        if passed in looks:
            look_at(machine, passed, X, digits, history)
    return history


def train_persistent(digits: Digits, report: Report, train: Train = train) -> Machine:
    """Trains a machine whose chains never start anew: they wander far from the digits, too, and it unlearns that."""
    arguments, X = report.arguments, digits.X_train
    machine = build_machine(X, arguments.hidden_units, arguments.seed)
    settings = make_settings(arguments, PERSISTENT_EPOCHS, len(X), drawn=1)
    settings = settings._replace(is_persistent=True, learning_rate=arguments.learning_rate or PERSISTENT_RATE)
    for _ in train(machine, X, settings, report.checkpoint("boltzmann-persistent"), {}):
        pass  # nobody looks at it
    return machine


def run_chain(machine: Machine, steps: Sequence[int], seed: int) -> dict[int, np.ndarray]:
    """Returns, for each of these steps, the pixels' probabilities of chains that start from noise (chains, pixels)."""
    random = np.random.default_rng(seed)
    v = random.random((CHAINS, len(machine.b)), dtype=np.float32)
    seen = {0: v}
    for before, after in itertools.pairwise(steps):
        v = gibbs(machine, v, after - before - 1, random)
        p = machine.visible_probabilities(sample(machine.hidden_probabilities(v), random))
        seen[after], v = p, sample(p, random)
    return seen


def show_machine(
    machine: Machine, history: History, few: History, persistent: Machine, digits: Digits, report: Report
) -> float:
    """Reports and draws what the machine of digits has learned; returns the error of its reconstructions.

    Args:
        machine, history: trained by contrastive divergence.
        few: the history of the machine that was trained on few images.
        persistent: the machine that was trained with persistent chains.
        digits: the digits.
        report: takes the metrics and the plots.
    """
    X, quick = digits.X_test, report.arguments.quick
    error, mean_error = reconstruction_error(machine, X), float(np.square(X - digits.X_train.mean(axis=0)).mean())
    print(
        f"Mean squared error of {len(X):,} reconstructed test images: {error:.4f}; of the mean image: {mean_error:.4f}"
    )
    activity = machine.hidden_probabilities(X)
    print(f"On average {activity.mean():.0%} of the {len(machine.c)} hidden units are on.")
    report.result({"test_mean_squared_error": error}, model="machine")
    report.result({"test_mean_squared_error": mean_error}, model="mean_image")
    n = len(digits.X_train)
    print(figures.gap_table({f"{n:,} images": history, f"{min(SMALL_SET_IMAGES, n):,} images": few}))
    print("Where the gap grows, the machine makes only its training images likely. No label is needed to see this.")
    persistent_error = reconstruction_error(persistent, X)
    print(f"The machine with persistent chains, trained to generate: a reconstruction error of {persistent_error:.4f}.")
    report.result({"test_mean_squared_error": persistent_error}, model="persistent")
    report.result({"gap_validation_log_loss": history["gaps"][-1], "few_gap_validation_log_loss": few["gaps"][-1]})
    report.plot("boltzmann-reconstructions", figures.reconstructions, X[:10], machine.reconstruct(X[:10]))
    report.plot("boltzmann-filters", figures.filters, machine.W.T, activity.mean(axis=0))
    report.plot("boltzmann-free-energy", figures.free_energy, history, few)
    if not report.arguments.no_plots:
        steps = CHAIN_STEPS[:6] if quick else CHAIN_STEPS
        chains = [run_chain(trained, steps, report.arguments.seed) for trained in (machine, persistent)]
        report.plot("boltzmann-samples", figures.samples, *chains)
        report.animate("boltzmann-sampling", figures.sampling, *chains)
        shown = slice(None, None, 4 if quick else max(1, len(history["epochs"]) // 25))
        growing = (history[name][shown] for name in ("epochs", "errors", "filters"))
        report.animate("boltzmann-growing", figures.growing, *growing)
    return error


# --- A machine so small that everything can be summed over ------------------------------------------------------------

PATTERNS = np.array([[1, 1, 0], [0, 0, 1]], float)  # from one to the other a chain must change all units
SMALL_SHAPE = 3, 4  # visible and hidden units
EXACT_STEPS = 1000
EXACT_RATE = 0.2
KS = (1, 2, 5, 10, 20, 50, 100)


def all_states(units: int) -> np.ndarray:
    """Returns all 2^units states of units that are 0 or 1, (states, units)."""
    return (np.arange(2**units)[:, None] >> np.arange(units)[::-1] & 1).astype(float)


def joint_probabilities(machine: Machine) -> tuple[np.ndarray, float]:
    """Returns P(v, h) of all states (2^visible, 2^hidden), and ln Z, by summing exp(-E) over all of them."""
    visible, hidden = (all_states(len(biases)) for biases in (machine.b, machine.c))
    pairs = np.repeat(visible, len(hidden), axis=0), np.tile(hidden, (len(visible), 1))
    unnormalised = np.exp(-machine.energy(*pairs)).reshape(len(visible), len(hidden))
    Z = unnormalised.sum()
    return unnormalised / Z, float(np.log(Z))


def log_likelihood(machine: Machine, X: np.ndarray) -> float:
    """Returns the mean of ln P(v) = -F(v) - ln Z over samples X."""
    return float(-machine.free_energy(X).mean() - joint_probabilities(machine)[1])


def exact_directions(machine: Machine, X: np.ndarray, P: np.ndarray) -> Gradient:
    """Returns `directions`, where v_k is not drawn: all states come in, each with its probability in P (states,)."""
    states = all_states(len(machine.b))
    h, h_k = machine.hidden_probabilities(X), machine.hidden_probabilities(states)
    return (
        X.T @ h / len(X) - (states * P[:, None]).T @ h_k,
        X.mean(axis=0) - P @ states,
        h.mean(axis=0) - P @ h_k,
    )


def exact_gradient(machine: Machine, X: np.ndarray) -> Gradient:
    """Returns the gradient of the log-likelihood by W, b and c: the states come as often as the machine wants them."""
    P, _ = joint_probabilities(machine)
    return exact_directions(machine, X, P.sum(axis=1))


def expected_directions(machine: Machine, X: np.ndarray, k: int) -> Gradient:
    """Returns the mean of all that contrastive divergence with k steps can give, over all chains from samples X.

    One step of the chain is a matrix T of 2^visible rows and columns: T[v, w] is the probability that v becomes w.
    """
    P, _ = joint_probabilities(machine)
    to_hidden, to_visible = P / P.sum(axis=1, keepdims=True), (P / P.sum(axis=0)).T  # P(h | v) and P(v | h)
    start = (X[:, None] == all_states(len(machine.b))).all(axis=2).mean(axis=0)
    return exact_directions(machine, X, start @ np.linalg.matrix_power(to_hidden @ to_visible, k))


def flat(gradients: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the numbers of all gradients, one behind the other."""
    return np.concatenate([gradient.ravel() for gradient in gradients])


def relative_error(gradients: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> float:
    """Returns the length of the difference of two gradients, as a share of the exact one's."""
    return float(np.linalg.norm(flat(gradients) - flat(exact)) / np.linalg.norm(flat(exact)))


def small_machine(seed: int, scale: float = 0.1) -> Machine:
    """Returns a machine of 3 visible and 4 hidden units with random weights and biases."""
    random = np.random.default_rng(seed)
    W, b, c = (random.normal(0, scale, shape) for shape in (SMALL_SHAPE, SMALL_SHAPE[0], SMALL_SHAPE[1]))
    return Machine(W, b, c)


def train_on_patterns(k: int | None, steps: int, seed: int) -> tuple[Machine, np.ndarray]:
    """Trains the small machine by CD-k or (None) by the exact gradient; returns it, and its likelihood.

    The likelihood is the mean of ln P(v) of the patterns, at first and after each 20th step.
    """
    machine, random = small_machine(seed), np.random.default_rng(seed)
    X = np.tile(PATTERNS, (50, 1))
    likelihoods = [log_likelihood(machine, PATTERNS)]
    for step in range(1, steps + 1):
        if k is None:
            changes = exact_gradient(machine, PATTERNS)
        else:
            changes = directions(machine, X, gibbs(machine, X, k, random))
        for parameter, change in zip(machine.parameters, changes, strict=True):
            parameter += EXACT_RATE * change
        if step % 20 == 0:
            likelihoods.append(log_likelihood(machine, PATTERNS))
    return machine, np.array(likelihoods)


def compare_with_exact(report: Report) -> None:
    """Compares contrastive divergence with the exact gradient of the likelihood, on a machine of 128 states."""
    seed, quick = report.arguments.seed, report.arguments.quick
    machine = small_machine(seed, 1.0)
    P, log_Z = joint_probabilities(machine)
    print(f"{P.size} states, ln Z = {log_Z:.4f}; the probabilities of all add up to {P.sum():.6f}.")
    by_differences = [
        numerical_gradient(lambda: log_likelihood(machine, PATTERNS), parameter, 1e-5)
        for parameter in machine.parameters
    ]
    error = float(np.abs(flat(exact_gradient(machine, PATTERNS)) - flat(by_differences)).max())
    print(f"The gradients by sums over states and by finite differences of the likelihood: at most {error:.1e} apart.")
    report.result({"differences_test_max_error": error})

    print(f"\nTrained on the patterns {' and '.join(''.join(map(str, row)) for row in PATTERNS.astype(int))}:")
    best, likelihoods = -np.log(len(PATTERNS)), {}
    for name, metric, k in (("exact gradient", "exact_gradient", None), ("CD-1", "cd_1", 1), ("CD-10", "cd_10", 10)):
        _, likelihoods[name] = train_on_patterns(k, 200 if quick else EXACT_STEPS, seed)
        report.result({"train_log_loss": -likelihoods[name][-1]}, model=metric)
    print(figures.likelihood_table(likelihoods, 20))
    print(f"No machine can reach more than ln 1/{len(PATTERNS)} = {best:.3f}.\n")

    machines = {"weights near 0": small_machine(seed)}
    # More and more certain of the patterns.
    machines |= {f"after {n} steps": train_on_patterns(None, n, seed)[0] for n in (200, 300)}
    errors = {
        name: [relative_error(expected_directions(machine, PATTERNS, k), exact_gradient(machine, PATTERNS)) for k in KS]
        for name, machine in machines.items()
    }
    report.result({f"cd_{k}_test_relative_error": errors["after 300 steps"][KS.index(k)] for k in (1, 100)})
    machine, random = machines["after 200 steps"], np.random.default_rng(seed)
    X = np.tile(PATTERNS, (1000 if quick else 25_000, 1))
    errors[f"{len(X):,} chains, after 200"] = [
        relative_error(directions(machine, X, gibbs(machine, X, k, random)), exact_gradient(machine, PATTERNS))
        for k in KS
    ]
    print("How far the direction of CD-k is from the exact gradient, relative to its length, over all chains:")
    print(figures.error_table(KS, errors))
    print("The more certain the machine, the less often its chain switches between the patterns.")
    report.plot("boltzmann-exact", figures.exact, likelihoods, 20, best, np.array(KS), errors)


# --- Recommendations --------------------------------------------------------------------------------------------------

RATING_UNITS = 20
RATING_EPOCHS = 60
RATING_RATE = 0.02
RATING_DECAY = 0.06
RATING_METRICS = ("global_mean", "item_mean", "user_mean", "biases", "ratings_machine")


def shrunk_means(groups: np.ndarray, values: np.ndarray, count: int, shrinkage: float = 0.0) -> np.ndarray:
    """Returns the mean of each group's values (count,), pulled towards 0 as by so many more values, all of them 0."""
    numbers = np.bincount(groups, minlength=count)
    return np.bincount(groups, values, minlength=count) / np.maximum(numbers + shrinkage, 1e-9)


def predict_by_means(ratings: Ratings, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Returns predictions (users, items) without any machine, by their names.

    Biases: a user is kind, an item good; who has rated little is taken for nearly average, as if a user had 2 and an
    item 10 ratings more.
    """
    users, items, values = ratings.users[rows], ratings.items[rows], ratings.values[ratings.grades[rows]]
    n_users, n_items = ratings.counts
    mean = values.mean()
    by_user = mean + shrunk_means(users, values - mean, n_users)
    by_item = mean + shrunk_means(items, values - mean, n_items)
    user_bias = np.zeros(n_users)
    for _ in range(10):  # each explains what the other leaves
        item_bias = shrunk_means(items, values - mean - user_bias[users], n_items, 10.0)
        user_bias = shrunk_means(users, values - mean - item_bias[items], n_users, 2.0)
    return {
        "mean of all ratings": np.full(ratings.counts, mean),
        "the item's mean": np.broadcast_to(by_item, ratings.counts),
        "the user's mean": np.broadcast_to(by_user[:, None], ratings.counts),
        "user's and item's bias": mean + user_bias[:, None] + item_bias,
    }


@dataclass
class RatingsMachine(Machine):
    """A machine whose visible units stand in groups of `levels`, one for each value that a rating can have."""

    levels: int

    def visible_probabilities(self, h: np.ndarray) -> np.ndarray:
        """Returns P(v = 1 | h), (n, visible): of each group one unit is 1, by the softmax."""
        x = h @ self.W.T + self.b
        groups = x.reshape(len(x), -1, self.levels)
        exponentials = np.exp(groups - groups.max(axis=2, keepdims=True))
        return (exponentials / exponentials.sum(axis=2, keepdims=True)).reshape(x.shape)


def predict_by_machine(ratings: Ratings, rows: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Trains a machine on ratings; returns its predictions (users, items).

    An item is a sample, and each user has a group of visible units: where the user has not rated the item all are 0 and
    stay so. What the machine expects of the missing groups is the prediction.
    """
    users, items = ratings.counts
    levels = len(ratings.values)
    groups = np.zeros((items, users, levels), np.float32)
    groups[ratings.items[rows], ratings.users[rows], ratings.grades[rows]] = 1
    known = np.repeat(groups.sum(axis=2), levels, axis=1)
    X = groups.reshape(items, -1)
    random = np.random.default_rng(seed)
    shares = np.bincount(ratings.grades[rows], minlength=levels) / len(rows)
    counts = groups.sum(axis=0) + levels * (shares + 0.01)  # of a user's own ratings, and a few of everybody's
    W = random.normal(0, 0.01, (X.shape[1], RATING_UNITS)).astype(np.float32)
    b = np.log(counts / counts.sum(axis=1, keepdims=True)).ravel().astype(np.float32)
    machine = RatingsMachine(W, b, np.zeros(RATING_UNITS, np.float32), levels)
    velocities = np.zeros_like(machine.W), np.zeros_like(machine.b), np.zeros_like(machine.c)
    for _ in range(RATING_EPOCHS):
        order = random.permutation(items)
        for start in range(0, items, 10):
            batch = order[start : start + 10]
            v = v_k = X[batch]
            for _ in range(k):
                h = sample(machine.hidden_probabilities(v_k), random)
                v_k = machine.visible_probabilities(h) * known[batch]
            move(machine, velocities, directions(machine, v, v_k, RATING_DECAY), RATING_RATE, MOMENTA[1])
    expected = machine.reconstruct(X).reshape(items, users, levels) @ ratings.values
    return np.asarray(expected.T)


def recommend(ratings: Ratings, report: Report) -> None:
    """Predicts held-out ratings, by a machine and without one, and says which way has the smallest error."""
    arguments = report.arguments
    users, items = ratings.counts
    share = len(ratings.grades) / (users * items)
    print(f"{len(ratings.grades):,} ratings of {items} items by {users} users: {share:.1%} of all possible ratings.")
    splits = 2 if arguments.quick or len(ratings.grades) > 20_000 else 10
    errors: dict[str, list[float]] = {}
    for split in range(splits):
        order = np.random.default_rng((arguments.seed, split)).permutation(len(ratings.grades))
        held_out, rows = np.split(order, [round(0.2 * len(order))])
        predictions = predict_by_means(ratings, rows)
        predictions["Boltzmann machine"] = predict_by_machine(ratings, rows, arguments.k, arguments.seed + split)
        truth = ratings.values[ratings.grades[held_out]]
        for name, predicted in predictions.items():
            error = predicted[ratings.users[held_out], ratings.items[held_out]] - truth
            errors.setdefault(name, []).append(float(np.sqrt(np.mean(error**2))))
    print(f"Test RMSE (20 % of the ratings held out; mean of {splits} splits):")
    print(figures.rating_table(errors))
    for name, metric in zip(errors, RATING_METRICS, strict=True):
        report.result({"test_root_mean_squared_error": float(np.mean(errors[name]))}, model=metric)
    report.plot("boltzmann-ratings", figures.ratings, ratings.matrix(), ratings.names, errors)


# --- A deep belief network: two machines, fine-tuned ------------------------------------------------------------------

SECOND_UNITS = 128
SECOND_EPOCHS = 4
LABELS = (100, 300, 1000)
SEEDS = 5
KINDS = {"pretrained": "pre-trained", "random": "random sigmoid", "relu": "random relu"}
STEPS = 90  # of fine-tuning, whatever the number of labels
RATES = {"pretrained": 0.01, "random": 0.02, "relu": 0.003}  # for each the best of a few
FINE_TUNING = Recipe(epochs=1, batch_size=100, optimizer="adam", schedule=False)


def build_network(hidden_units: Sequence[int], activation: str = "sigmoid") -> keras.Sequential:
    """Returns the network 784 -> hidden units -> 10; images (28, 28, 1) go in."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            *(keras.layers.Dense(units, activation=activation) for units in hidden_units),
            keras.layers.Dense(10, activation="softmax"),
        ],
        name="network",
    )


def build_features(machine: Machine) -> keras.Sequential:
    """Returns the machine's hidden units as a layer of Keras: its features of an image."""
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(len(machine.c), activation="sigmoid")],
        name="features",
    )
    model.set_weights([machine.W, machine.c])
    return model


def train_second(first: Machine, X: np.ndarray, report: Report, train: Train = train) -> Machine:
    """Trains the second machine: its visible units are the hidden units of the first."""
    features = first.hidden_probabilities(X)
    second = build_machine(features, SECOND_UNITS, report.arguments.seed)
    settings = make_settings(report.arguments, SECOND_EPOCHS, len(X), drawn=1)
    before, started = reconstruction_error(second, features[:1000]), time.perf_counter()
    for _ in train(second, features, settings, report.checkpoint("boltzmann-second"), {}):
        pass
    print(
        f"The second machine, {features.shape[1]} and {SECOND_UNITS} units: error {before:.4f} before, "
        f"{reconstruction_error(second, features[:1000]):.4f} after {settings.epochs} epochs, "
        f"{time.perf_counter() - started:.1f} s"
    )
    return second


def labelled_samples(y: np.ndarray, arguments: argparse.Namespace) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yields the trainings of a network: the number of labels, the seed, and the rows of all steps.

    Each class has as many labels. Where all were seen, an order is drawn anew.
    """
    samples = STEPS * FINE_TUNING.batch_size
    for count in LABELS[:1] if arguments.quick else LABELS:
        if count // 10 > np.bincount(y, minlength=10).min():
            continue  # the set has not so many
        for seed in range(arguments.seed, arguments.seed + (2 if arguments.quick else SEEDS)):
            random = np.random.default_rng((seed, count))
            of_each = [random.choice(np.flatnonzero(y == digit), count // 10, replace=False) for digit in range(10)]
            random = np.random.default_rng((seed, 1))
            orders = [random.permutation(count) for _ in range(-(-samples // count))]
            yield count, seed, np.concatenate(of_each)[np.concatenate(orders)[:samples]]


def make_recipe(kind: str, arguments: argparse.Namespace) -> Recipe:
    """Returns how a kind of network is fine-tuned; an optimizer of one's own has its own rate."""
    if arguments.optimizer is None:
        return replace(FINE_TUNING, learning_rate=RATES[kind])
    return replace(FINE_TUNING, optimizer=arguments.optimizer)


def fine_tune(machines: Sequence[Machine], digits: Digits, report: Report) -> tuple[keras.Sequential, float]:
    """Compares the pre-trained network with the same one from random weights.

    Returns:
        The pre-trained network of the most labels and the last seed, and its test accuracy.
    """
    arguments = report.arguments
    X, X_test = (rows.reshape(-1, 28, 28, 1) for rows in (digits.X_train, digits.X_test))
    y, y_test = digits.images.y_train[: len(X)], digits.images.y_test
    hidden_units = [len(machine.c) for machine in machines]
    results: dict[str, dict[int, list[float]]] = {}
    for kind in KINDS:
        recipe = make_recipe(kind, arguments)
        with device.scope(arguments.seed):
            model = build_network(hidden_units, "relu" if kind == "relu" else "sigmoid")
        if kind == "pretrained":
            model.summary()
        model.compile(
            optimizer=recipe.make_optimizer(),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            steps_per_execution=device.steps_per_execution(),
        )
        variables = Variables(model)
        fresh = variables.capture()
        for count, seed, rows in labelled_samples(y, arguments):
            variables.restore(fresh)  # the optimizer remembers nothing of the training before
            with device.scope(seed):
                start = build_network(hidden_units).get_weights()
            if kind == "pretrained":  # the last layer alone keeps its random weights
                start[:4] = [machines[0].W, machines[0].c, machines[1].W, machines[1].c]
            model.set_weights(start)
            # All epochs as a single one: Keras spends 30 ms on an epoch, and one of 100 images is a single step.
            callbacks = training.tensorboard(arguments.tensorboard, f"{kind}-{count}-{seed}")
            model.fit(X[rows], y[rows], batch_size=recipe.batch_size, shuffle=False, callbacks=callbacks, verbose=0)
            _, accuracy = model.evaluate(X_test, y_test, batch_size=1000, verbose=0)
            results.setdefault(kind, {}).setdefault(count, []).append(accuracy)
        if kind == "pretrained":
            pretrained, its_accuracy = model, accuracy
    compare_few_labels(results, report)
    return pretrained, its_accuracy


def compare_few_labels(results: Mapping[str, Mapping[int, Sequence[float]]], report: Report) -> None:
    """Prints and draws the accuracies (seeds) by the kind of network and the number of labels."""
    for count in results["pretrained"]:
        for kind, accuracies in results.items():
            report.result({f"{count}_test_accuracy": float(np.mean(accuracies[count]))}, model=kind)
    named = {KINDS[kind]: accuracies for kind, accuracies in results.items()}
    print(figures.few_labels_table(named))
    report.plot("boltzmann-few-labels", figures.few_labels, named)


# --- The lesson -------------------------------------------------------------------------------------------------------

PARTS = ("machine", "exact", "ratings", "deep")
DIGITS_PARTS = ("machine", "deep")
# The parts that an option changes; to another part alone it is not given.
USERS_OF_OPTIONS = {
    **dict.fromkeys(("epochs", "batch_size", "learning_rate", "hidden_units"), DIGITS_PARTS),
    "optimizer": ("deep",),
    "k": ("machine", "ratings", "deep"),
}


def parse(docstring: str | None, argv: Sequence[str] | None, parts: tuple[str, ...] = PARTS) -> argparse.Namespace:
    """Reads the options of the command line; `parts` are those to run."""
    parser = cli.lesson_parser(
        docstring,
        epochs=f"{EPOCHS} and {SECOND_EPOCHS} of the two machines",
        batch_size="100",
        learning_rate=f"{RATE} of the machines",
        optimizer="adam, of the fine-tuning",
        data="FILE" if "ratings" in parts else None,
    )
    add = parser.add_argument
    default = "(default: all; with --data ratings)" if "ratings" in parts else "(default: all)"
    add("--part", choices=[*parts, "all"], help=default)
    default = f"(default: {HIDDEN_UNITS})"
    add("--hidden-units", type=cli.whole_number(1), metavar="N", help=f"hidden units of the digit machine {default}")
    add("--k", "--gibbs-steps", type=cli.whole_number(1), metavar="N", help="steps of the chain, CD-k (default: 1)")
    arguments = cli.parse_lesson(parser, argv)
    own_table = getattr(arguments, "data", None)
    if own_table and arguments.part not in (None, "ratings"):
        parser.error(f"--data: got {own_table} with --part {arguments.part}, takes --part ratings")
    part = arguments.part or ("ratings" if own_table else "all")
    arguments.parts = parts if part == "all" else (part,)
    for name, users in USERS_OF_OPTIONS.items():
        value = getattr(arguments, name)
        if value is not None and not {*users} & {*arguments.parts}:
            option = f"--{name.replace('_', '-')}"
            parser.error(f"{option}: got {value} with --part {part}, takes --part {' or '.join(users)}")
    own_data = "the table is your own" if own_table else ""
    arguments.not_comparable = cli.given(arguments, "k", "hidden_units") or own_data
    arguments.k, arguments.hidden_units = arguments.k or 1, arguments.hidden_units or HIDDEN_UNITS
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains the machines, compares, saves and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    parts = arguments.parts
    report = Report("boltzmann", arguments)
    needs_digits = {*DIGITS_PARTS} & {*parts}
    if needs_digits:
        digits = load_digits(arguments, report)
        card: dict[str, Any] = {"data": digits.images.source, "inputs": [Input("image", shape=(28, 28, 1))]}
    if "ratings" in parts:
        ratings = load_ratings(arguments.data)
        report.data(ratings.source, ratings.place)
        arguments.not_comparable = arguments.not_comparable or ("" if ratings.place else "the ratings are a stand-in")
    report.engine(device.prepare(arguments.seed) if needs_digits else f"NumPy {np.__version__}")

    # One core: a second one takes an eighth off the time, but where another program has it, the two wait for each
    # other at each of the small products, and the lesson took nine times as long.
    # A training that diverges is told in a line of its own.
    with threadpoolctl.threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        if needs_digits:
            report.section(f"machine: 784 pixels and {arguments.hidden_units} hidden units")
            machine, history = train_on_digits(digits, report)

        if "machine" in parts:
            few, persistent = memorise(digits, report), train_persistent(digits, report)
            error = show_machine(machine, history, few, persistent, digits, report)
            metrics = {"test_mean_squared_error": error}
            report.save("boltzmann_features", build_features(machine), output="features", metrics=metrics, **card)

        if "exact" in parts:
            report.section("exact: {} visible and {} hidden units".format(*SMALL_SHAPE))
            compare_with_exact(report)

        if "ratings" in parts:
            report.section("ratings: recommending items")
            recommend(ratings, report)

        if "deep" in parts:
            report.section(f"deep: 784-{arguments.hidden_units}-{SECOND_UNITS}-10, few labels")
            second = train_second(machine, digits.X_train, report)
            network, accuracy = fine_tune([machine, second], digits, report)
            metrics = {"test_accuracy": accuracy}
            report.result(metrics, model="deep")
            report.save("boltzmann_deep", network, classes=digits.images.classes, metrics=metrics, **card)
    return report.finish(not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
