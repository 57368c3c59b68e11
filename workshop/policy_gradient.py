"""A policy learns from its own episodes: REINFORCE, actor-critic, and a lander that lands.

A policy is a network that gives each action a probability. Its gradient is that of log p(action), multiplied with what
came of the action: the loss is cross-entropy with the action as the label and what came of it as the weight. You see:

1. The gradient of three logits, by the formula and by Keras' `train_on_batch`.
2. A car with 20 range sensors, a bearing and a distance, among obstacles: by its returns (REINFORCE), by returns
   brought to mean 0 and deviation 1, and with a critic, which need not wait for the end of an episode.
3. gymnasium's LunarLander-v3 by advantage actor-critic: an actor 8-64-4, a critic 8-64-1, 16 landers side by side.
4. The same by PPO, whose clipped steps take more out of each flight.

    python -m workshop.policy_gradient                      # the car, then the lander; look into the folder plots
    python -m workshop.policy_gradient --part lander        # the lander alone
    python -m workshop.policy_gradient --algorithm ppo      # the lander by PPO
    python -m workshop.policy_gradient --preset course      # the lander by a course's recipe
    python -m workshop.policy_gradient --part car --map my.txt    # then it drives on a map that you have drawn
    python -m workshop.policy_gradient --quick              # a first look, in seconds
    python -m apps.lander --model models/lander.h5          # lets the saved pilot fly

Expected, in a minute on two CPU cores: normalised returns and the critic bring at least 95 of 100 cars to the station,
plain returns those of some seeds only; the pilot's mean return over 100 new flights is at least 200, which counts as
solved. Random actions return -183. With the seeds 1, 2 and 3: 270, 252 and 257; by PPO 262, 251 and 272.

The course's recipe has Adam at a constant 0.001, the discount 0.99, the observations as they come, and x^2 + y^2 + 0.1
taken off each reward. The rest is chosen here: 16 landers, advantages of one step. In as many steps it returns -97, and
8 of 100 land; after four times as many (`--epochs 80`) 71, and 44 land (both with the seed 1). What makes the
difference is in `Settings`: observations and rewards of a like size, advantages over many steps, a rate that falls.

It needs gymnasium with Box2D: python -m pip install "gymnasium[box2d]".
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import policy_gradient as figures
from workshop.kit import cli, device, training
from workshop.kit.environments import car, drawn_map, lander
from workshop.kit.environments.trips import Driver, evaluate, take_trip
from workshop.kit.lazy import gymnasium, keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.model import Model
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint, State, check_finite
from workshop.kit.training.variables import Variables

# --- The policy and its critic ----------------------------------------------------------------------------------------


def build(inputs: int, outputs: int, gain: float) -> keras.Sequential:
    """Returns a network inputs-64-outputs without a last activation: the logits of an actor, the value of a critic.

    Args:
        inputs, outputs: the numbers of an observation, and of actions or 1.
        gain: the size of the last layer's first weights; with a small one all actions begin equally probable.
    """
    orthogonal = keras.initializers.Orthogonal
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(64, activation="relu", kernel_initializer=orthogonal(2**0.5)),
            keras.layers.Dense(outputs, kernel_initializer=orthogonal(gain)),
        ]
    )


def forward(X: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the outputs of such a network in NumPy: for 16 observations 5 microseconds, a call of Keras takes 1,000.

    Args:
        X: observations (samples, inputs).
        weights: of `model.get_weights()`.
    """
    W1, b1, W2, b2 = weights
    with np.errstate(over="ignore", invalid="ignore"):  # a training that diverges is told by its loss
        return np.maximum(X @ W1 + b1, 0) @ W2 + b2


def sample_actions(logits: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns an action of each row, drawn by the softmax of the logits (samples, actions).

    The highest of the logits with Gumbel noise is distributed so (Gumbel 1954): one operation for all rows.
    """
    return np.argmax(logits + random.gumbel(size=logits.shape), axis=1)


class Curve(NamedTuple):
    """The episodes of a training, in the order in which they ended."""

    steps: list[int]  # of all environments together, when the epoch in which the episode ended was over
    returns: list[float]

    def add(self, player: Player, steps: int) -> list[float]:
        """Takes in the episodes that ended, and returns their returns."""
        returns, player.finished = player.finished, []
        self.steps.extend([steps] * len(returns))
        self.returns.extend(returns)
        return returns

    def steps_until(self, goal: float) -> int | None:
        """Returns after how many steps the mean return of an epoch first reached the goal; None if it never did."""
        steps, returns = np.array(self.steps), np.array(self.returns)
        return next((int(at) for at in np.unique(steps) if returns[steps == at].mean() >= goal), None)


class Rollout(NamedTuple):
    """Steps of environments side by side, each array (steps, environments) or (steps, environments, inputs)."""

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_observations: np.ndarray
    terminated: np.ndarray  # whether the episode ended there, so that nothing followed
    ended: np.ndarray  # whether it ended or was cut off there


class Player:
    """Plays episodes by a policy, in environments side by side.

    Args:
        environments: those of `Cars` and `lander.make_many` begin the next episode in the step in which one ends.
        scale: what the observations are multiplied with for the networks (inputs,).
        count_reward: from observations (environments, inputs) as the environment gives them, and its rewards, to the
            rewards to train on; None for the same.

    Attributes:
        finished: the returns of the episodes that ended since the last epoch, as the environment counts them.
    """

    def __init__(
        self,
        environments: gymnasium.vector.VectorEnv,
        scale: np.ndarray,
        count_reward: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.environments, self.scale = environments, scale
        self.count_reward = count_reward

    def begin(self, *seed: int) -> None:
        """Begins a new episode in each environment, and the random numbers, from the seed."""
        self.random = np.random.default_rng(seed)
        observations, _ = self.environments.reset(seed=int(self.random.integers(2**31)))
        self.observations = observations * self.scale
        self.returns = np.zeros(len(observations))
        self.finished = list[float]()

    def play(self, weights: Sequence[np.ndarray], steps: int) -> Rollout:
        """Returns so many steps of each environment, from where it is, by the policy with these weights."""
        taken = []
        for _ in range(steps):
            observations = self.observations
            actions = sample_actions(forward(observations, weights), self.random)
            following, rewards, terminated, truncated, infos = self.environments.step(actions)
            ended = terminated | truncated
            self.returns += rewards
            self.observations = following * self.scale
            if ended.any():  # `following` has the first observation of the next episode already
                following = following.copy()
                for i in np.flatnonzero(ended):
                    following[i] = infos["final_obs"][i]
                    self.finished.append(float(self.returns[i]))
                    self.returns[i] = 0
            if self.count_reward is not None:
                rewards = self.count_reward(following, rewards)
            taken.append((observations, actions, rewards, following * self.scale, terminated, ended))
        return Rollout(*(np.array(part) for part in zip(*taken, strict=True)))


# --- What the logarithm of an action's probability is multiplied with -------------------------------------------------


def discounted_returns(rollout: Rollout, discount: float) -> np.ndarray:
    """Returns of each step G = r + discount * G of the next step, 0 after the episode's end."""
    G = np.zeros_like(rollout.rewards)
    following = np.zeros(G.shape[1])
    for t in reversed(range(len(G))):
        following = rollout.rewards[t] + discount * following * ~rollout.ended[t]
        G[t] = following
    return G


def is_complete(rollout: Rollout) -> np.ndarray:
    """Returns whether each step is of an episode that ended within the rollout: only then its return is known."""
    return np.logical_or.accumulate(rollout.ended[::-1])[::-1]


def advantages(
    rollout: Rollout, values: np.ndarray, next_values: np.ndarray, discount: float, decay: float
) -> np.ndarray:
    """Returns how much better each action was than the critic expected (Schulman 2016, equations 11 and 16).

    Args:
        rollout: the steps.
        values, next_values: of the critic, of the observations before and after each step.
        discount: of the next step's reward.
        decay: lambda. With 0 the advantage is delta, of one step and the critic's next value; with 1 it is the return
            less the critic's value, in which the critic's errors matter less and chance more.
    """
    delta = rollout.rewards + discount * next_values * ~rollout.terminated - values
    A = np.zeros_like(delta)
    following = np.zeros(A.shape[1])
    for t in reversed(range(len(A))):
        following = delta[t] + discount * decay * following * ~rollout.ended[t]
        A[t] = following
    return A


def normalise(values: np.ndarray, among: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Returns values with the mean 0 and the standard deviation 1 of those in `among`."""
    return (values - values[among].mean()) / (values[among].std() + 1e-8)


# --- Training ---------------------------------------------------------------------------------------------------------


def remaining_epochs(
    checkpoint: Checkpoint,
    curve: Curve,
    epochs: int,
    settings: Mapping[str, Any],
    capture: Callable[[], dict[str, np.ndarray]],
    restore: Callable[[Mapping[str, np.ndarray]], None],
) -> Iterator[int]:
    """Returns an iterator of the epochs that are still to be trained, from 0; the state is kept after each.

    An epoch begins with new episodes and random numbers, drawn from (seed, epoch): what happens within the environments
    cannot be saved, and so a training that was stopped goes on as if it had not been.

    Args:
        checkpoint, epochs, settings: as `Checkpoint.remaining_epochs` takes them.
        curve: of the episodes so far; those of the checkpoint are put into it.
        capture, restore: the engine's part, weights and the memory of optimizers.
    """

    def put_back(state: State) -> None:
        restore(state.arrays)
        curve.steps.extend(state.notes["steps"])
        curve.returns.extend(state.notes["returns"])

    return checkpoint.remaining_epochs(settings, epochs, lambda: State(capture(), curve._asdict()), put_back)


# --- 1. The gradient of a policy --------------------------------------------------------------------------------------


LOGITS, ACTION, RETURN = np.array([0.5, 0.0, -0.5], np.float32), 0, 2.0  # of a policy, in one step


def gradient_by_keras() -> np.ndarray:
    """Returns the gradient of G log p(a) by the logits: the step of `train_on_batch` at the rate 1."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3)])
    model.set_weights([np.zeros((1, 3)), LOGITS])
    # Cross-entropy is -log p(label). With the action as its label and the return as its weight, a step down of it is a
    # step up of G log p(action): with the rate 1 the biases change by the gradient.
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(np.zeros((1, 1)), np.array([ACTION]), sample_weight=np.array([RETURN]))
    return model.get_weights()[1] - LOGITS


def report_gradients(report: Report, by_library: np.ndarray, title: str) -> None:
    """Prints the gradient of G log p(a) by the logits, by the formula and by a library, and notes the difference."""
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum()
    # d log p(a) / d logit k = (1 if k is a, else 0) - p(k): the action that was taken becomes more probable.
    by_hand = RETURN * (np.eye(3)[ACTION] - probabilities)
    rows = [
        [name, f"{p:.4f}", f"{own:+.4f}", f"{library:+.4f}"]
        for name, p, own, library in zip(
            ("left (taken)", "right", "straight"), probabilities, by_hand, by_library, strict=True
        )
    ]
    print(format_table(["action", "probability", "G (1 - p) or -G p", title], rows))
    report.result({"gradient_test_max_error": float(np.abs(by_hand - by_library).max())})


# --- 2. The car -------------------------------------------------------------------------------------------------------

CARS = 16
CAR_STEPS = 100
CAR_SEEDS = 3
CAR_TESTS = 100
CAR_DISCOUNT = 0.98
OBSERVATION = "ranges_bearing"  # of the car
CAR_GOAL = 1.5  # a mean return; who drives to the station earns about 2


class Method(NamedTuple):
    """The factor of the logarithm of an action's probability, and the settings of training the car with it."""

    title: str
    rate: float  # of learning
    steps: int  # of each car between two steps of the optimizer; REINFORCE waits for the episodes' ends


METHODS = {
    "reinforce": Method("REINFORCE", 0.007, CAR_STEPS),
    "normalised": Method("REINFORCE, normalised", 0.007, CAR_STEPS),
    "actor_critic": Method("actor-critic", 0.003, 20),
}


def car_scale() -> np.ndarray:
    """Returns what a car's observations are multiplied with: ranges up to 10, and three numbers of the bearing."""
    return np.array([1 / car.REACH] * len(car.RAYS) + [1, 1, 1], np.float32)


def car_targets(
    name: str, rollout: Rollout, critic_weights: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns what each step's log-probability is multiplied with, and what the critic is trained towards, if any."""
    if name == "actor_critic":
        values = forward(rollout.observations, critic_weights)[..., 0]
        next_values = forward(rollout.next_observations, critic_weights)[..., 0]
        delta = advantages(rollout, values, next_values, CAR_DISCOUNT, decay=0)
        return normalise(delta), values + delta
    G, known = discounted_returns(rollout, CAR_DISCOUNT), is_complete(rollout)
    return (normalise(G, known) if name == "normalised" else G) * known, None


def train_car(
    name: str,
    seed: int,
    recipe: Recipe,
    models: Sequence[keras.Sequential],
    start: Mapping[str, np.ndarray],
    checkpoint: Checkpoint,
) -> tuple[list[np.ndarray], Curve]:
    """Trains a car's policy by one of `METHODS`, an epoch an episode of each car; returns its weights and the episodes.

    The nine trainings have the same two `models`, actor and critic, which TensorFlow compiles once. `start` has their
    `Variables` before the first training, with optimizers that remember nothing.
    """
    scale, method = car_scale(), METHODS[name]
    actor, critic = models
    variables = Variables(actor, critic)
    variables.restore(start)
    with device.scope(seed):
        actor.set_weights(build(len(scale), len(car.ACTIONS), gain=0.01).get_weights())
        critic.set_weights(build(len(scale), 1, gain=1).get_weights())
    for model in models:
        model.optimizer.learning_rate = recipe.rate
    player, curve = Player(car.Cars(CARS, OBSERVATION, CAR_STEPS), scale), Curve([], [])
    settings = {"method": name, "seed": seed, "recipe": repr(recipe)}
    for epoch in remaining_epochs(checkpoint, curve, recipe.epochs, settings, variables.capture, variables.restore):
        player.begin(seed, epoch)
        for _ in range(CAR_STEPS // method.steps):
            rollout = player.play(actor.get_weights(), method.steps)
            factors, targets = car_targets(name, rollout, critic.get_weights())
            X = rollout.observations.reshape(-1, len(scale))
            actor.train_on_batch(X, rollout.actions.ravel(), sample_weight=factors.ravel())
            if targets is not None:
                critic.train_on_batch(X, targets.reshape(-1, 1))
        curve.add(player, (epoch + 1) * CARS * CAR_STEPS)
    return actor.get_weights(), curve


def greedy(weights: Sequence[np.ndarray]) -> Driver:
    """Returns the driver who takes the likeliest action, from observations as they come."""
    return lambda observations: forward(observations * car_scale(), weights).argmax(axis=1)


def car_recipes(arguments: argparse.Namespace) -> dict[str, list[tuple[int, Recipe]]]:
    """Returns, for each of `METHODS`, the seeds of its trainings with their recipes."""
    recipe = RECIPES["car"].with_options(arguments, samples=1)
    seeds = range(arguments.seed, arguments.seed + (1 if arguments.quick else CAR_SEEDS))
    has_own_rate = arguments.learning_rate is not None or arguments.optimizer is not None
    rates = {name: recipe.rate if has_own_rate else method.rate for name, method in METHODS.items()}
    return {name: [(seed, replace(recipe, learning_rate=rate)) for seed in seeds] for name, rate in rates.items()}


def train_cars(report: Report) -> dict[str, list[tuple[list[np.ndarray], Curve]]]:
    """Trains the car by each of `METHODS` with several seeds; returns the policies and their episodes."""
    recipes = car_recipes(report.arguments)
    inputs = len(car_scale())
    actor, critic = build(inputs, 3, gain=0.01), build(inputs, 1, gain=1)
    actor.summary()
    critic.summary()
    plain = recipes["reinforce"][0][1]
    actor.compile(plain.make_optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    critic.compile(plain.make_optimizer(), "mean_squared_error")
    start = Variables(actor, critic).capture()
    return {
        name: [
            train_car(name, seed, recipe, (actor, critic), start, report.checkpoint(f"car_{name}_{seed}"))
            for seed, recipe in trainings
        ]
        for name, trainings in recipes.items()
    }


def report_car(report: Report, trained: Mapping[str, Sequence[tuple[Sequence[np.ndarray], Curve]]]) -> None:
    """Tests the policies of each of `METHODS` on new maps; prints and draws what became of them."""
    tests = 10 if report.arguments.quick else CAR_TESTS
    random = np.random.default_rng(report.arguments.seed)

    def reached(driver: Driver) -> float:
        return evaluate(driver, OBSERVATION, tests, TEST_SEED).reached

    at_random = reached(lambda observations: random.integers(0, 3, len(observations)))
    rows: list[list[object]] = [["random actions", "", f"{at_random:.0%}"]]
    for name, policies in trained.items():
        shares = [reached(greedy(weights)) for weights, _ in policies]
        solved = [curve.steps_until(CAR_GOAL) for _, curve in policies]
        cells = [", ".join("never" if steps is None else f"{steps:,}" for steps in solved)]
        rows.append([METHODS[name].title, *cells, ", ".join(f"{share:.0%}" for share in shares)])
        report.result({"test_success_rate": float(np.mean(shares))}, model=f"car_{name}")
    print(format_table(["policy", f"steps to a return of {CAR_GOAL:g}", "new maps reached"], rows))
    seeds = ", ".join(str(report.arguments.seed + i) for i in range(len(policies)))
    print(f"With the seeds {seeds}, each on {tests} new maps.")
    curves = {METHODS[name].title: [curve for _, curve in policies] for name, policies in trained.items()}
    report.plot("policy_gradient-car", figures.car_curves, curves)
    if report.arguments.map is not None:
        report.section(f"On the map {report.arguments.map}: the policies of the seed {report.arguments.seed}")
        trips = {
            METHODS[name].title: take_trip(greedy(weights), OBSERVATION, map=report.arguments.own_map)
            for name, ((weights, _), *_) in trained.items()
        }
        print(figures.trip_table(trips))
        report.plot("policy_gradient-map", figures.trips, [*trips.values()], [*trips])


# --- 3. The lander ----------------------------------------------------------------------------------------------------

ENVIRONMENTS = 16
EPOCH_STEPS = 24_576  # of the 16 together
TRAINING_CUT = 600  # steps, after which an episode in training is cut off: a pilot that hovers learns nothing new
TEST_SEED = 2**32  # of test episodes: training takes seeds below
GOAL = 200  # a mean return that counts as solved
# Brings the observations to a like size: it mostly flies where x and y are below 0.3 and the speeds below 0.5.
SCALE = np.array([5, 3, 5, 5, 5, 5, 1, 1], np.float32)


@dataclass(frozen=True)
class Settings:
    """The settings of training the lander, beside the `Recipe` of the optimizers."""

    steps: int = 32  # of each environment in a rollout
    actor_passes: int = 1  # how often the actor sees a rollout
    critic_passes: int = 3
    discount: float = 0.995  # of the next step's reward
    decay: float = 0.97  # lambda of the advantages
    clip: float | None = None  # how far PPO lets an action's probability go from the one that it was drawn with
    is_scaled: bool = True  # whether observations are multiplied with `SCALE`
    reward_scale: float = 0.05  # what the rewards to train on are multiplied with
    distance_penalty: bool = False  # whether x^2 + y^2 is taken off them in each step
    critic_rate: float = 2.0  # of learning, in multiples of the actor's
    falls: bool = True  # whether the rates fall along a line to a twentieth


STEP_PENALTY = 0.1  # taken off in each step, in training: to hover is worse than to land
SETTINGS = {
    "a2c": Settings(),
    "ppo": Settings(steps=128, actor_passes=6, critic_passes=6, clip=0.2),
    "course": Settings(
        critic_passes=1,
        discount=0.99,
        decay=0.0,
        is_scaled=False,
        reward_scale=1.0,
        distance_penalty=True,
        critic_rate=1.0,
        falls=False,
    ),
}
TITLES = {"a2c": "advantage actor-critic", "ppo": "PPO", "course": "the course's recipe"}
NAMES = {"a2c": "lander", "ppo": "lander_ppo", "course": "lander_course"}  # of the saved models
RECIPES = {
    "car": Recipe(
        epochs=22, learning_rate=None, batch_size=CARS * CAR_STEPS, optimizer="adam", schedule=False, quick_epochs=2
    ),
    "a2c": Recipe(
        epochs=20, learning_rate=0.003, batch_size=512, optimizer="adam", schedule=False, clip=0.5, quick_epochs=2
    ),
    "ppo": Recipe(
        epochs=12, learning_rate=0.002, batch_size=512, optimizer="adam", schedule=False, clip=0.5, quick_epochs=2
    ),
    "course": Recipe(epochs=20, learning_rate=0.001, batch_size=512, optimizer="adam", schedule=False, quick_epochs=2),
}


def make_optimizer(
    recipe: Recipe, settings: Settings, is_critic: bool, arguments: argparse.Namespace
) -> keras.optimizers.Optimizer:
    """Returns the optimizer of the actor or of the critic."""
    rate = recipe.rate * (settings.critic_rate if is_critic else 1)
    if not settings.falls or arguments.optimizer is not None:
        return replace(recipe, learning_rate=rate).make_optimizer()
    assert recipe.steps is not None, "with_options() counts the steps"
    steps = recipe.steps * (settings.critic_passes if is_critic else settings.actor_passes)
    falling = keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=rate / 20)
    return keras.optimizers.Adam(falling, global_clipnorm=recipe.clip)


def clipped_loss(clip: float) -> Callable[[Any, Any], Any]:
    """Returns PPO's loss (Schulman 2017, equation 7) of targets (samples, 3) and logits (samples, actions).

    The columns of the targets are the action, its advantage, and log p of it by the policy that it was drawn by. The
    ratio of the new p to the old one may grow as far as 1 + clip where the advantage is positive, and fall as far as
    1 - clip where it is negative. Beyond that the gradient is 0, and so a rollout may serve for many steps.
    """

    def loss(targets: Any, logits: Any) -> Any:
        ops = keras.ops
        is_taken = ops.one_hot(ops.cast(targets[:, 0], "int32"), len(lander.ACTIONS))
        advantage = targets[:, 1]
        ratio = ops.exp(ops.sum(is_taken * ops.log_softmax(logits), axis=1) - targets[:, 2])
        return -ops.minimum(ratio * advantage, ops.clip(ratio, 1 - clip, 1 + clip) * advantage)

    return loss


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the logarithms of the probabilities of logits (samples, actions)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def make_player(settings: Settings, environments: int = ENVIRONMENTS) -> Player:
    """Returns what plays the episodes that the lander learns from."""

    def count_reward(observations: np.ndarray, rewards: np.ndarray) -> np.ndarray:
        far = np.square(observations[:, :2]).sum(axis=1) if settings.distance_penalty else 0
        return settings.reward_scale * (rewards - STEP_PENALTY - far)

    scale = SCALE if settings.is_scaled else np.ones_like(SCALE)
    return Player(lander.make_many(environments, TRAINING_CUT), scale, count_reward)


def lander_targets(
    rollout: Rollout, settings: Settings, critic_weights: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the advantages, normalised, and what the critic is trained towards, both (steps * environments,)."""
    values = forward(rollout.observations, critic_weights)[..., 0]
    next_values = forward(rollout.next_observations, critic_weights)[..., 0]
    A = advantages(rollout, values, next_values, settings.discount, settings.decay)
    return normalise(A).ravel(), (values + A).ravel()


def minibatches(samples: int, size: int, passes: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields the indices of batches, each of the passes in another order."""
    for _ in range(passes):
        order = random.permutation(samples)
        for start in range(0, samples, size):
            yield order[start : start + size]


def train_lander(
    settings: Settings, recipe: Recipe, arguments: argparse.Namespace, checkpoint: Checkpoint
) -> tuple[keras.Sequential, Curve]:
    """Trains actor and critic on the lander, and returns the actor and the episodes."""
    with device.scope(arguments.seed):
        actor, critic = build(8, len(lander.ACTIONS), gain=0.01), build(8, 1, gain=1)
    actor.summary()
    critic.summary()
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    actor.compile(
        make_optimizer(recipe, settings, False, arguments),
        cross_entropy if settings.clip is None else clipped_loss(settings.clip),
    )
    critic.compile(make_optimizer(recipe, settings, True, arguments), "mean_squared_error")
    player, curve = make_player(settings), Curve([], [])
    variables = Variables(actor, critic)
    told = asdict(settings) | {"seed": arguments.seed, "recipe": repr(recipe)}
    callbacks = keras.callbacks.CallbackList(training.tensorboard(arguments.tensorboard, "actor"), model=actor)
    callbacks.on_train_begin()
    for epoch in remaining_epochs(checkpoint, curve, recipe.epochs, told, variables.capture, variables.restore):
        player.begin(arguments.seed, epoch)
        for _ in range(epoch_steps(arguments) // (ENVIRONMENTS * settings.steps)):
            policy = actor.get_weights()
            rollout = player.play(policy, settings.steps)
            A, targets = lander_targets(rollout, settings, critic.get_weights())
            X, actions = rollout.observations.reshape(-1, 8), rollout.actions.ravel()
            logits = forward(X, policy)
            check_finite(float(np.abs(logits).max()), epoch + 1)
            old = log_softmax(logits)[np.arange(len(X)), actions]
            for batch in minibatches(len(X), recipe.batch_size, settings.actor_passes, player.random):
                if settings.clip is None:  # the policy gradient (Mnih 2016): cross-entropy, weighted by advantages
                    loss = actor.train_on_batch(X[batch], actions[batch], sample_weight=A[batch])
                else:
                    loss = actor.train_on_batch(X[batch], np.stack([actions[batch], A[batch], old[batch]], axis=1))
            for batch in minibatches(len(X), recipe.batch_size, settings.critic_passes, player.random):
                error = critic.train_on_batch(X[batch], targets[batch, None])
        check_finite(float(loss) + float(error), epoch + 1)
        returns = curve.add(player, (epoch + 1) * epoch_steps(arguments))
        print_epoch(epoch, recipe.epochs, curve, returns)
        callbacks.on_epoch_end(epoch, {"return": float(np.median(returns))} if returns else None)
    callbacks.on_train_end()
    return actor, curve


def epoch_steps(arguments: argparse.Namespace) -> int:
    """Returns the steps of all environments together in an epoch."""
    return 2048 if arguments.quick else EPOCH_STEPS


def print_epoch(epoch: int, epochs: int, curve: Curve, returns: Sequence[float]) -> None:
    """Prints what the episodes that ended in an epoch returned."""
    low, middle, high = np.quantile(returns, [0.25, 0.5, 0.75]) if returns else [np.nan] * 3
    print(
        f"Epoch {epoch + 1:2}/{epochs}  {len(returns):3} episodes, {len(curve.returns):5,} in all: "
        f"median return {middle:4.0f}, the middle half {low:4.0f} to {high:4.0f}",
        flush=True,
    )


def as_saved(actor_weights: Sequence[np.ndarray], settings: Settings) -> keras.Sequential:
    """Returns the policy as it is saved: from the numbers of the environment as they come to probabilities.

    The network was trained on X * scale, and (X * scale) W = X (scale W): the first layer's weights take the scale in.
    """
    W1, b1, W2, b2 = actor_weights
    model = build(8, len(lander.ACTIONS), gain=0.01)
    model.layers[-1].activation = keras.activations.softmax
    model.set_weights([SCALE[:, None] * W1 if settings.is_scaled else W1, b1, W2, b2])
    return model


def lander_recipe(arguments: argparse.Namespace) -> tuple[Settings, Recipe]:
    """Returns how the lander is trained, as the options want it."""
    settings = SETTINGS[arguments.algorithm]
    if arguments.discount is not None:
        settings = replace(settings, discount=arguments.discount)
    return settings, RECIPES[arguments.algorithm].with_options(arguments, samples=epoch_steps(arguments))


def lander_source() -> str:
    """Returns the name of the environment, with the version that it came with."""
    return f"{lander.NAME} of gymnasium {gymnasium.__version__}"


def report_lander(report: Report, curve: Curve, saved: keras.Model | Model) -> None:
    """Tests, saves and draws a pilot, as it is saved, with the episodes that it was trained on."""
    arguments, random = report.arguments, np.random.default_rng(report.arguments.seed)
    kind, weights = arguments.algorithm, saved.get_weights()
    name, title = NAMES[kind], TITLES[kind]
    pilots: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "random actions": lambda X: random.integers(0, len(lander.ACTIONS), len(X)),
        title: lambda X: forward(X, weights).argmax(axis=1),
    }
    episodes, max_steps = (8, 100) if arguments.quick else (100, lander.MAX_STEPS)
    flights = {pilot: lander.fly(policy, episodes, TEST_SEED, max_steps) for pilot, policy in pilots.items()}
    print(figures.pilot_table(flights))
    metrics = {
        "test_mean_return": float(np.mean([flight.total for flight in flights[title]])),
        "test_success_rate": float(np.mean([flight.has_landed for flight in flights[title]])),
    }
    report.result(metrics, model="" if kind == "a2c" else kind)
    data, classes = lander_source(), lander.ACTIONS
    report.save(name, saved, data=data, inputs=lander.INPUTS, classes=classes, metrics=metrics)
    report.plot(f"{name}-curve", figures.lander_curve, curve, title, GOAL)
    report.plot(f"{name}-flights", figures.flights, flights)
    best = max(flights[title], key=lambda flight: flight.total)
    probabilities = np.exp(log_softmax(forward(best.states[:-1], weights)))
    report.animate(name, figures.landing, best, probabilities, lander.ACTIONS)


# --- The lesson -------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.lesson_parser(
        docstring,
        RECIPES,
        batch_size="512 for the lander; a rollout of the car is one batch",
        learning_rate="0.007 car, 0.003 its actor-critic, 0.003 a2c, 0.002 ppo; the lander's fall linearly",
        data=None,
    )
    add = parser.add_argument
    add("--part", choices=("car", "lander", "all"), default="all", help="(default: all)")
    how = parser.add_mutually_exclusive_group()
    text = "algorithm for the lander: advantage actor-critic, or PPO with its clipped steps (default: a2c)"
    how.add_argument("--algorithm", choices=("a2c", "ppo"), default="a2c", help=text)
    text = "the lander by the course's recipe: Adam 0.001, discount 0.99, x^2 + y^2 + 0.1 taken off the reward"
    how.add_argument("--preset", choices=("course",), help=text)
    add(
        "--discount",
        type=cli.number_between(0, 1),
        metavar="X",
        help="discount factor for the lander, 0 to 1 (default: 0.995; course 0.99)",
    )
    drawn_map.add_option(parser)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.map is not None and (arguments.preset or arguments.part == "lander"):
        parser.error("--map applies to the car only: omit --part lander and --preset")
    arguments.own_map = None if arguments.map is None else drawn_map.read(arguments.map)
    if arguments.preset:
        if arguments.part == "car":
            parser.error(f"--preset {arguments.preset} applies to the lander only: omit --part car")
        arguments.algorithm, arguments.part = arguments.preset, "lander"
    largest = ENVIRONMENTS * SETTINGS[arguments.algorithm].steps
    if arguments.batch_size is not None and arguments.batch_size > largest:
        parser.error(f"--batch-size: got {arguments.batch_size}, takes up to {largest}, the steps of a rollout")
    arguments.parts = ("car", "lander") if arguments.part == "all" else (arguments.part,)
    arguments.not_comparable = cli.given(arguments, "discount")
    return arguments


def say_environments(report: Report) -> None:
    """Says which environments the run uses, or that gymnasium is not installed."""
    lander.make().close()
    data = {"car": "the car's maps, made from the seed", "lander": lander_source()}
    report.data("; ".join(data[part] for part in report.arguments.parts))


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains the car and the lander, tests, saves and draws them; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("policy_gradient", arguments)
    say_environments(report)
    report.engine(device.prepare(arguments.seed))
    if "car" in arguments.parts:
        report.section("The gradient of a policy: one action of three, with the return 2")
        report_gradients(report, gradient_by_keras(), "step of train_on_batch")
        report.section("A car with 20 range sensors: REINFORCE, and an actor with a critic")
        report_car(report, train_cars(report))
    if "lander" in arguments.parts:
        kind = arguments.algorithm
        report.section(f"{lander.NAME}: {TITLES[kind]}")
        settings, recipe = lander_recipe(arguments)
        actor, curve = train_lander(settings, recipe, arguments, report.checkpoint(NAMES[kind]))
        report_lander(report, curve, as_saved(actor.get_weights(), settings))
    use = f"python -m apps.lander --model {report.last_model}" if "lander" in arguments.parts else ""
    return report.finish(use=use, not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
