"""Deep Q-network: a car with headlights learns by driving to find a gas station among obstacles.

Nobody shows the car how to drive. A network predicts for each action (left, right, straight) its Q value, the sum of
the rewards from now on, those to come discounted; the car takes the action with the highest. You see:

1. One step by hand: Q = (330, 40, -430), reward -8, best next Q 350, discount 0.9: the target is 307.
2. What the headlights show, and how far drivers come that learn nothing: at random, straight on, at the station.
3. The training, with its three devices: replay memory, target network, epsilon-greedy exploration.
4. What the car must see: with the 20 sums of the headlights alone it finds the station on 26 to 42 maps of 100.
5. Each of the three devices switched off once.

    python -m workshop.deep_q_network                            # all of it; then look into the folder plots
    python -m workshop.deep_q_network --part network             # part 3 alone; also step, drivers, sums, switches
    python -m workshop.deep_q_network --discount 0.9             # nearer rewards only
    python -m workshop.deep_q_network --preset course            # 20 inputs, plain Q-learning, as the course has it
    python -m workshop.deep_q_network --part network --map my.txt    # then drives on a map that you have drawn
    python -m workshop.deep_q_network --quick                    # a first look, in seconds

Expected on 100 new maps: 98 to 100 reached with bearing and distance, at most 45 with the sums alone, 1 at random.
Without a target network it is a matter of luck: 35 to 96, often less than some epochs before. The other two are hardly
missed on this task: 16 cars side by side vary the samples (Mnih et al. 2016 have them instead of a memory), and the
reward for each unit nearer leads the way. Under a minute on two CPU cores; `deep_q_network-trip.gif` shows a trip. The
preset `course` reaches 10 to 33.

It needs gymnasium: python -m pip install gymnasium
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from workshop.figures import deep_q_network as figures
from workshop.kit import cli, device, training
from workshop.kit.environments import car, drawn_map
from workshop.kit.environments.trips import TEST_MAPS, Driven, Driver, Trip, evaluate, take_trip
from workshop.kit.lazy import gymnasium, keras
from workshop.kit.report import Report, format_table
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint, State, check_finite
from workshop.kit.training.variables import Variables

# --- 1. A step by hand ------------------------------------------------------------------------------------------------


def learning_targets(
    q: np.ndarray, actions: np.ndarray, rewards: np.ndarray, best_next: np.ndarray, ended: np.ndarray, discount: float
) -> np.ndarray:
    """Returns what the network is trained towards: Q-learning's rule (Watkins 1989).

    The action that was taken has earned its reward, and the best of what may follow is worth `best_next`. Of the other
    actions the step says nothing: their targets are what the network predicts already, and their errors are 0.

    Args:
        q: the predicted Q values (samples, actions).
        actions: that were taken (samples,).
        rewards: of them (samples,).
        best_next: the Q value of the best action in the state that followed (samples,).
        ended: whether the episode was over then: nothing follows (samples,).
        discount: the factor of future rewards, 0 to 1.
    """
    targets = q.copy()
    targets[np.arange(len(q)), actions] = rewards + discount * best_next * ~ended
    return targets


def show_step_by_hand() -> float:
    """Prints one step in numbers; returns how far the target is from 307, or another output from where it was."""
    q = np.array([[330.0, 40.0, -430.0]])
    action = q.argmax(axis=1)
    targets = learning_targets(q, action, np.array([-8.0]), np.array([350.0]), np.array([False]), discount=0.9)
    rows = [
        ["Q, predicted", *(f"{value:.0f}" for value in q[0])],
        ["target", *(f"{value:.0f}" for value in targets[0])],
        ["error", *(f"{value:.0f}" for value in (targets - q)[0])],
    ]
    print(f"The car takes the highest, {car.ACTIONS[action[0]]}. Reward -8, best next Q 350, discount 0.9:")
    print("-8 + 0.9 x 350 = 307")
    print(format_table(["", *car.ACTIONS], rows))
    return float(np.abs(targets - [[307.0, 40.0, -430.0]]).max())


# --- 2. Drivers -------------------------------------------------------------------------------------------------------

TEST_SEED = 2_000_000_000  # training draws its maps from seeds below 1,000,000,000
VALIDATION_SEED = 1_900_000_000
VALIDATION_MAPS = 50
QUICK_MAPS = 20
TRAINING_SEEDS = 1_000_000_000


def drive_at_random(seed: int) -> Driver:
    """Returns a driver who takes each action with the same probability."""
    random = np.random.default_rng(seed)
    return lambda observations: random.integers(len(car.ACTIONS), size=len(observations))


def drive_straight(observations: np.ndarray) -> np.ndarray:
    """Keeps straight on."""
    return np.full(len(observations), car.ACTIONS.index("straight"))


def drive_at_the_station(observations: np.ndarray) -> np.ndarray:
    """Steers at the station, whatever lies between, by the cosine and the sine of its bearing."""
    angle = np.arctan2(observations[:, car.COLUMNS + 1], observations[:, car.COLUMNS])
    ahead = np.abs(angle) < car.TURN / 2
    return np.where(ahead, car.ACTIONS.index("straight"), np.where(angle > 0, 0, 1))


def show_headlights() -> np.ndarray:
    """Prints the view of a car with an obstacle on its left and the station on its right, and its sums; returns it."""
    obstacles, station = np.array([[57.0, 54.0, 4.0]]), np.array([58.0, 44.0])
    given = car.Map(obstacles, station, np.array([50.0, 50.0, 0.0]))
    view, _ = car.Car("headlights").reset(options={"map": given})
    symbols = {-1: "-", 0: ".", 1: "+"}
    print("The headlights light 20 x 10 cells before the car: - an obstacle (-1), + the station (1), . neither (0)")
    print("\n".join("   ".join(symbols[cell] for cell in row) for row in view.tolist()))
    print(f"{' '.join(f'{value:<3d}' for value in view.sum(axis=0)).rstrip()}   the sums of the columns")
    return view


# --- 3. The training --------------------------------------------------------------------------------------------------

CARS = 16  # that drive side by side
STEPS, QUICK_STEPS = 250, 80  # of each car, in what is called an epoch here
UPDATES = 2  # of the network after each step: 500 an epoch
CAPACITY = 50_000  # transitions in the replay memory
FIRST_UPDATE = 1000  # transitions that are there before the first update
MIN_EPSILON = 0.05
EXPLORING = 0.4  # of all epochs: so long epsilon falls from 1

RECIPE = Recipe(epochs=6, learning_rate=0.001, batch_size=100, optimizer="rmsprop", quick_epochs=2)
COURSE_RECIPE = replace(RECIPE, schedule=False)


@dataclass(frozen=True)
class Settings:
    """The settings of one training, the same for every engine."""

    observation: str = "bearing"
    hidden_units: tuple[int, ...] = (20, 150)
    discount: float = 0.98  # of the next step's value
    # "Double DQN" (van Hasselt, Guez and Silver 2016): the network chooses the best next action and the target network
    # evaluates it; else the target network does both, and overestimates.
    double: bool = True
    loss: str = "huber"  # Huber 1964: its gradient is at most 1, as in Mnih et al. 2015; or "mean_squared_error"
    replays: bool = True  # updates learn from the replay memory (Lin 1992); else from the latest step of each car
    # The next step's value is of a copy of the network that changes once an epoch (Mnih et al. 2015); else of the
    # network itself, which runs after its own predictions.
    has_target: bool = True
    explores: bool = True  # random actions are taken, with the probability epsilon


COURSE = Settings("sums", (20, 150), discount=0.9, double=False, loss="mean_squared_error")

SWITCHES = {
    "no_replay": ("no replay memory: learns from the latest step", {"replays": False}),
    "no_target": ("no target network", {"has_target": False}),
    "no_exploration": ("no exploration: no random actions", {"explores": False}),
}


class Run(NamedTuple):
    """One training of the run."""

    name: str  # in front of its metrics; the network that is saved has none
    title: str  # of its section
    settings: Settings

    @property
    def is_saved(self) -> bool:
        """Whether it is the training whose network is saved."""
        return not self.name


class Transitions(NamedTuple):
    """Steps of cars, each array with a row for each."""

    states: np.ndarray  # the observations before the step
    actions: np.ndarray
    rewards: np.ndarray
    next_states: np.ndarray  # the observations after it
    ended: np.ndarray  # whether the episode ended in it, at the station or in a crash


class ReplayMemory:
    """The latest transitions, from which those to learn from are drawn at random (Lin 1992).

    Successive steps are alike, and what was learnt on one map is overwritten on the next. A random sample of many trips
    comes near to the independent samples that gradient descent takes for granted.
    """

    def __init__(self, inputs: int, capacity: int = CAPACITY) -> None:
        self.kept = Transitions(
            np.zeros((capacity, inputs), np.float32),
            np.zeros(capacity, np.int64),
            np.zeros(capacity, np.float32),
            np.zeros((capacity, inputs), np.float32),
            np.zeros(capacity, bool),
        )
        self.count = 0  # of all that were ever added: the next one's place, modulo the capacity

    def __len__(self) -> int:
        return min(self.count, len(self.kept.actions))

    def add(self, transitions: Transitions) -> None:
        """Takes transitions in; the oldest are overwritten."""
        places = (self.count + np.arange(len(transitions.actions))) % len(self.kept.actions)
        for kept, new in zip(self.kept, transitions, strict=True):
            kept[places] = new
        self.count += len(places)

    def sample(self, number: int, random: np.random.Generator) -> Transitions:
        """Returns transitions drawn at random."""
        return self._take(random.integers(len(self), size=number))

    def latest(self, number: int) -> Transitions:
        """Returns the latest transitions, what a network without a memory learns from."""
        return self._take((self.count - 1 - np.arange(number)) % len(self.kept.actions))

    def _take(self, places: np.ndarray) -> Transitions:
        return Transitions(*(kept[places] for kept in self.kept))


def q_values(weights: Sequence[np.ndarray], states: np.ndarray) -> np.ndarray:
    """Returns the Q values (samples, actions) that a network with these weights predicts, in NumPy.

    It is `model.predict`, which takes a hundred times as long for 16 states: milliseconds.
    """
    outputs = states
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        outputs = np.maximum(outputs @ kernel + bias, 0)
    return outputs @ weights[-2] + weights[-1]


def epsilon_greedy(q: np.ndarray, epsilon: float, random: np.random.Generator) -> np.ndarray:
    """Returns an action for each row: a random one with the probability `epsilon`, else the one with the highest Q."""
    explores = random.random(len(q)) < epsilon
    return np.where(explores, random.integers(q.shape[1], size=len(q)), q.argmax(axis=1))


def epsilon(done: float, settings: Settings) -> float:
    """Returns the probability of a random action when this share of the training is done."""
    if not settings.explores:
        return 0.0
    return max(MIN_EPSILON, 1 - (1 - MIN_EPSILON) * done / EXPLORING)


def best_next(
    weights: Sequence[np.ndarray], target: Sequence[np.ndarray], states: np.ndarray, double: bool
) -> np.ndarray:
    """Returns the Q value of the best action in each state, as the target network evaluates it; see `Settings`."""
    q = q_values(target, states)
    if not double:
        return q.max(axis=1)
    return np.take_along_axis(q, q_values(weights, states).argmax(axis=1)[:, None], axis=1)[:, 0]


class Training:
    """The parts of a training beside its network and optimizer: cars, replay memory, target network, history.

    All of it depends on the seed and the epoch alone: the cars begin each epoch on new maps. So a training that was
    stopped goes on after its last epoch as if it had not been.

    Args:
        run: the training.
        recipe: with the number of epochs, by which epsilon and the rate fall.
        arguments: with the `seed` of the maps, of the random actions and of the samples, and with `quick`.

    Attributes:
        memory: the replay memory.
        target: the weights of the target network.
        history: by epochs: `loss`; `mean_return` of the trips that ended in it, `low_return` and `high_return` of their
            middle half; `validation_success_rate`, on other maps and without random actions.
    """

    def __init__(self, run: Run, recipe: Recipe, arguments: argparse.Namespace) -> None:
        self.settings, self.planned = run.settings, recipe.epochs
        self.seed, self.steps = arguments.seed, QUICK_STEPS if arguments.quick else STEPS
        self.validation_maps = QUICK_MAPS if arguments.quick else VALIDATION_MAPS
        self.cars = car.Cars(CARS, run.settings.observation)
        self.memory = ReplayMemory(len(car.inputs(run.settings.observation)))
        self.target: list[np.ndarray] = []
        self.history: dict[str, list[float]] = {}

    @property
    def finished(self) -> int:
        """Epochs done."""
        return len(self.history.get("loss", []))

    def epochs(
        self,
        checkpoint: Checkpoint,
        engine: Mapping[str, Any],
        capture: Callable[[], dict[str, np.ndarray]],
        restore: Callable[[Mapping[str, np.ndarray]], None],
    ) -> Iterator[int]:
        """Yields the epochs that are still to be trained, from 0, and keeps the state after each.

        Args:
            checkpoint: the file to go on from with `--resume`.
            engine: what must be the same in the engine's part of a training and of the one that resumes it.
            capture, restore: the engine's part: weights and the optimizer's memory.
        """

        def state() -> State:
            arrays = {f"engine/{name}": array for name, array in capture().items()}
            rows = slice(len(self.memory))
            arrays |= {f"memory/{name}": part[rows] for name, part in self.memory.kept._asdict().items()}
            arrays |= {f"target/{i}": weight for i, weight in enumerate(self.target)}
            return State(arrays, {"history": self.history, "count": self.memory.count})

        def put_back(state: State) -> None:
            parts: dict[str, dict[str, np.ndarray]] = {"engine": {}, "memory": {}, "target": {}}
            for name, array in state.arrays.items():
                part, _, rest = name.partition("/")
                parts[part][rest] = array
            restore(parts["engine"])
            for name, kept in self.memory.kept._asdict().items():
                kept[: len(parts["memory"][name])] = parts["memory"][name]
            self.target = [*parts["target"].values()]
            self.history, self.memory.count = state.notes["history"], state.notes["count"]

        fixed = {**engine, "seed": self.seed, "steps": self.steps, **asdict(self.settings)}
        for epoch in checkpoint.remaining_epochs(fixed, self.planned, state, put_back):
            self.random = np.random.default_rng([self.seed, epoch])
            self.observations, _ = self.cars.reset(seed=int(self.random.integers(TRAINING_SEEDS)))
            self._step, self._returns, self._ended = 0, np.zeros(CARS), list[float]()
            yield epoch
            check_finite(self.history["loss"][-1], self.finished)

    @property
    def epsilon(self) -> float:
        """The probability of a random action in the next step."""
        return epsilon((self.finished + self._step / self.steps) / self.planned, self.settings)

    def drive(self, weights: Sequence[np.ndarray]) -> None:
        """Lets every car take one step, epsilon-greedily, and adds it to the memory."""
        actions = epsilon_greedy(q_values(weights, self.observations), self.epsilon, self.random)
        following, rewards, terminated, truncated, infos = self.cars.step(actions)
        over = terminated | truncated
        # Where an episode is over the car has begun the next one; the step led to the last state of the old.
        led_to = np.where(over[:, None], infos["final_obs"], following) if over.any() else following
        # An episode that was cut off is not ended: it would have gone on, and that is worth something.
        self.memory.add(Transitions(self.observations, actions, rewards, led_to, terminated))
        self.observations = following
        self._step += 1
        self._returns += rewards
        self._ended += self._returns[over].tolist()
        self._returns[over] = 0

    def sample(self, size: int) -> Transitions:
        """Returns the transitions that the next update learns from."""
        return self.memory.sample(size, self.random) if self.settings.replays else self.memory.latest(CARS)

    def targets(self, weights: Sequence[np.ndarray], batch: Transitions) -> np.ndarray:
        """Returns what the network is trained towards on these transitions, float32."""
        target = self.target if self.settings.has_target else weights
        following = best_next(weights, target, batch.next_states, self.settings.double)
        q = q_values(weights, batch.states)
        return learning_targets(q, batch.actions, batch.rewards, following, batch.ended, self.settings.discount)

    def end_epoch(self, weights: list[np.ndarray], loss: float) -> None:
        """Copies the weights into the target network; notes and prints what the epoch has brought."""
        self.target = weights
        validated = evaluate(greedy(weights), self.settings.observation, self.validation_maps, VALIDATION_SEED)
        ended = self._ended or [float(self._returns.mean())]  # no trip has ended: what was earned so far
        low, high = np.quantile(ended, [0.25, 0.75])
        means = {"mean_return": float(np.mean(ended)), "low_return": float(low), "high_return": float(high)}
        exploring = self.epsilon
        for name, value in {"loss": loss, **means, "validation_success_rate": validated.reached}.items():
            self.history.setdefault(name, []).append(value)
        print(
            f"Epoch {self.finished:2}/{self.planned}  loss {loss:.4f}  epsilon {exploring:.2f}  "
            f"return {means['mean_return']:5.2f} (middle half {low:5.2f} to {high:5.2f})  "
            f"new maps reached {validated.reached:4.0%}",
            flush=True,
        )


def greedy(weights: Sequence[np.ndarray]) -> Driver:
    """Returns the driver who takes the action with the highest Q."""
    return lambda observations: q_values(weights, observations).argmax(axis=1)


def build(inputs: int, hidden_units: Sequence[int] = (20, 150)) -> keras.Sequential:
    """Returns the network: observations -> each of `hidden_units`, relu -> the Q values of the actions, linear."""
    model = keras.Sequential([keras.Input((inputs,))])
    for units in hidden_units:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(len(car.ACTIONS)))
    return model


def train(
    model: keras.Sequential,
    state: Training,
    recipe: Recipe,
    checkpoint: Checkpoint,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[np.ndarray]:
    """Trains a compiled network on what the cars do with it; returns its weights."""
    from workshop.kit.training.callbacks import describe

    variables = Variables(model)
    told = keras.callbacks.CallbackList(list(callbacks), model=model)  # which `model.fit` makes by itself
    told.on_train_begin()
    state.target = model.get_weights()
    engine = describe(model) | {"batch_size": recipe.batch_size}
    for epoch in state.epochs(checkpoint, engine, variables.capture, variables.restore):
        told.on_epoch_begin(epoch)
        losses = []
        weights = model.get_weights()
        for _step in range(state.steps):
            state.drive(weights)
            if len(state.memory) < FIRST_UPDATE:
                continue
            for _update in range(UPDATES):
                batch = state.sample(recipe.batch_size)
                losses.append(model.train_on_batch(batch.states, state.targets(weights, batch)))
                weights = model.get_weights()
        state.end_epoch(weights, float(np.mean(losses or [0.0])))
        told.on_epoch_end(epoch, {name: values[-1] for name, values in state.history.items()})
    told.on_train_end()
    return model.get_weights()


# --- The whole run ----------------------------------------------------------------------------------------------------

PARTS = ("step", "drivers", "network", "sums", "switches")
OBSERVED = {  # by a network
    "sums": "the headlights' 20 sums",
    "bearing": "the headlights' 20 sums, bearing and distance",
    "ranges": "20 ranges",
    "ranges_bearing": "20 ranges, bearing and distance",
}
NO_LEARNING = "Drivers that learn nothing"
STEERING = "steering at the station, blindly"
GOAL = 0.9  # a share of the maps


def plan(arguments: argparse.Namespace) -> list[Run]:
    """Returns the trainings that the options want, in order."""
    settings, parts = arguments.settings, arguments.parts
    runs = []
    if "network" in parts or "switches" in parts:  # with which those are compared
        runs.append(Run("", OBSERVED[settings.observation], settings))
    if "sums" in parts:
        runs.append(Run("sums", f"{OBSERVED['sums']} alone", replace(settings, observation="sums")))
    if "switches" in parts:
        runs += [Run(name, title, replace(settings, **changes)) for name, (title, changes) in SWITCHES.items()]
    return runs


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line; `settings`, `recipe` and `parts` are what they come to."""
    epochs = f"{RECIPE.epochs}, of {CARS * STEPS:,} steps each"
    parser = cli.lesson_parser(docstring, {"network": RECIPE}, epochs=epochs, data=None)
    add = parser.add_argument
    add("--part", choices=[*PARTS, "all"], default="all", help="(default: all)")
    add(
        "--discount",
        type=cli.number_between(0, 1),
        metavar="X",
        help=f"discount factor for future rewards, 0 to 1 (default: {Settings.discount})",
    )
    add("--observation", choices=[*OBSERVED], help=f"inputs of the network (default: {Settings.observation})")
    add("--preset", choices=["course"], help="the course's network, optimizer, batch size and 20 inputs")
    drawn_map.add_option(parser)
    arguments = cli.parse_lesson(parser, argv)
    is_course = arguments.preset == "course"
    if is_course and (arguments.observation or arguments.discount is not None):
        parser.error("--preset course has its own --observation and --discount: give either")
    if is_course and arguments.part in ("sums", "switches"):
        parser.error(f"--preset course has no --part {arguments.part}")
    if arguments.map is not None and arguments.part in ("step", "drivers"):
        parser.error(f"--map needs a trained car; --part {arguments.part} trains none")
    arguments.own_map = None if arguments.map is None else drawn_map.read(arguments.map)
    settings = COURSE if is_course else Settings()
    given = {"observation": arguments.observation, "discount": arguments.discount}
    arguments.settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    arguments.recipe = COURSE_RECIPE if is_course else RECIPE
    parts = ("step", "drivers", "network") if is_course else PARTS
    arguments.parts = parts if arguments.part == "all" else (arguments.part,)
    arguments.not_comparable = cli.given(arguments, *given)
    return arguments


def number_of_maps(report: Report) -> int:
    """Returns the number of maps in a test."""
    return QUICK_MAPS if report.arguments.quick else TEST_MAPS


def make_recipe(arguments: argparse.Namespace) -> Recipe:
    """Returns the recipe of the trainings, with the number of its steps."""
    batch_size = arguments.batch_size or arguments.recipe.batch_size
    steps = QUICK_STEPS if arguments.quick else STEPS
    return arguments.recipe.with_options(arguments, samples=steps * UPDATES * batch_size)


def compare_drivers(report: Report) -> dict[str, Driven]:
    """Drives on the test maps without a network; prints and returns what became of it."""
    drivers: dict[str, tuple[str, Driver]] = {
        "random": ("random actions", drive_at_random(report.arguments.seed)),
        "straight": ("straight on", drive_straight),
        "steering": (STEERING, drive_at_the_station),
    }
    tested = {}
    for name, (title, driver) in drivers.items():
        tested[title] = evaluate(driver, "bearing", number_of_maps(report), TEST_SEED)
        report.result(tested[title].metrics, model=name)
    print(figures.driven_table(tested))
    return tested


def add_result(report: Report, run: Run, weights: list[np.ndarray]) -> Driven:
    """Tests a network that was trained, on maps that training never saw; notes its metrics and returns them."""
    maps = number_of_maps(report)
    driven = evaluate(greedy(weights), run.settings.observation, maps, TEST_SEED)
    print(f"{driven.reached:.0%} of {maps} new maps reached")
    report.result(driven.metrics, model=run.name)
    if run.is_saved and not report.arguments.no_plots:
        draw_trips(report, weights, run.settings.observation)
    return driven


def show_results(
    report: Report, tested: Mapping[str, Driven], histories: Mapping[str, Mapping[str, Sequence[float]]]
) -> None:
    """Prints and draws how the drivers compare on the test maps, and how the trainings went on, by their names."""
    if not histories:
        return
    report.section(f"All drivers, on {number_of_maps(report)} new maps")
    print(figures.driven_table(tested))
    print(f"\nNew maps reached after each epoch, and the first epoch with {GOAL:.0%}:")
    print(figures.progress_table(histories, GOAL))
    report.plot("deep_q_network-training", figures.training, histories)


def draw_trips(report: Report, weights: Sequence[np.ndarray], observation: str) -> None:
    """Draws six trips of the test, and of thirty the one with the most turns as an animation."""
    quick = report.arguments.quick
    trips = [take_trip(greedy(weights), observation, seed=TEST_SEED + i) for i in range(6 if quick else 30)]
    report.plot("deep_q_network-trips", figures.trips, trips[:6])
    most_frames = 6 if quick else 45
    arrived = [trip for trip in trips if trip.reached and trip.moves < most_frames] or trips[:1]
    q = [q_values(weights, trip.observations) for trip in arrived]
    shown = int(np.argmax([np.abs(np.diff(values.argmax(axis=1))).sum() for values in q]))
    report.animate("deep_q_network-trip", figures.trip_frames, arrived[shown], q[shown], most_frames)


def show_own_map(report: Report, trips: Mapping[str, Trip]) -> None:
    """Prints and draws how the trained cars, and one that steers blindly, drove on the map of `--map`."""
    if trips:
        report.section(f"On the map {report.arguments.map}")
        blind = take_trip(drive_at_the_station, "bearing", map=report.arguments.own_map)
        trips = {STEERING: blind, **trips}
        print(figures.trip_table(trips))
        report.plot("deep_q_network-map", figures.trips, [*trips.values()], [*trips])


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, tests, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("deep_q_network", arguments)
    report.data("the car's maps, made from the seed", f"gymnasium {gymnasium.__version__}")
    report.engine(device.prepare(arguments.seed))
    if "step" in arguments.parts:
        report.section("One step by hand")
        report.result({"test_max_error": show_step_by_hand()}, model="step")
    tested: dict[str, Driven] = {}
    if "drivers" in arguments.parts:
        report.section("What the car sees")
        show_headlights()
        report.section(NO_LEARNING)
        tested = compare_drivers(report)

    recipe = make_recipe(arguments)
    histories, trips = {}, {}
    for run in plan(arguments):
        report.section(run.title)
        inputs = car.inputs(run.settings.observation)
        name = "_".join(filter(None, ["deep_q_network", arguments.preset, run.name]))
        with device.scope(arguments.seed):
            model = build(len(inputs), run.settings.hidden_units)
        if run.is_saved:
            model.summary()
        # By default keras.optimizers.RMSprop, whose rate warms up, then falls along a cosine.
        model.compile(optimizer=recipe.make_optimizer(), loss=run.settings.loss)
        state = Training(run, recipe, arguments)
        callbacks = training.tensorboard(arguments.tensorboard, name)
        weights = train(model, state, recipe, report.checkpoint(name), callbacks)
        driven = tested[run.title] = add_result(report, run, weights)
        histories[run.title] = state.history
        if arguments.map is not None:
            trips[run.title] = take_trip(greedy(weights), run.settings.observation, map=arguments.own_map)
        if run.is_saved:
            report.save(name, model, inputs=inputs, classes=car.ACTIONS, metrics=driven.metrics)
    show_results(report, tested, histories)
    show_own_map(report, trips)
    return report.finish(not_comparable=arguments.not_comparable)


if __name__ == "__main__":
    cli.run(main)
