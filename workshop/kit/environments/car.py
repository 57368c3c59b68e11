"""A car among obstacles that looks for a gas station, as an environment in gymnasium's interface.

The map is a square of 100 x 100 with a wall around it, twelve round obstacles and a gas station. The car begins 25 or
more away from the station. In each step it turns left, turns right or keeps straight, and drives on by 2. The episode
ends at the station (reward +1), at an obstacle or the wall (-1), or after 150 steps; each step earns 0.02 for each unit
of distance that it comes nearer, and loses as much for each that it goes away.

A car observes one of these (`OBSERVATIONS`):

- `headlights`: the view ahead, 20 cells wide and 10 deep, each -1 (an obstacle or the wall), 0 or 1 (the station);
- `sums`: that view summed by columns, 20 numbers from left to right;
- `bearing`: the sums / 10, the cosine and the sine of the angle to the station, and the distance to it / 50: 23 numbers
  of one size, from which a network learns far better than from some that are ten times as large as the others;
- `ranges`: the distance to the nearest obstacle or wall along 20 rays from left to right, 10 if there is none;
- `ranges_bearing`: the ranges, and the same three numbers.

    car = Car("bearing")
    observation, info = car.reset(seed=1)
    observation, reward, terminated, truncated, info = car.step(2)  # straight on

`Cars` is many cars side by side, each on its own map, in one computation of NumPy: what training uses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import gymnasium
from workshop.kit.saving.card import Input

SIZE = 100.0  # of the map, a square
OBSTACLES = 12
OBSTACLE_RADIUS = (3.0, 7.0)
STATION_RADIUS = 4.0
GAP = 4.0  # between two obstacles, and between an obstacle and the wall: there is a way around each
START_DISTANCE = 25.0  # from the station, at least
SPEED = 2.0
TURN = np.radians(30)  # the tightest circle that it drives has a radius of 4
MAX_STEPS = 150

COLUMNS, ROWS = 20, 10  # cells of the view, each a square of 1
REACH = 10.0  # of the range sensors
RAYS = np.radians(np.linspace(90, -90, 20))  # their directions, from left to right

REACHED, CRASHED, NEARER = 1.0, -1.0, 0.02  # rewards

ACTIONS = ("left", "right", "straight")
TURNS = np.array([TURN, -TURN, 0.0])
OBSERVATIONS = ("headlights", "sums", "bearing", "ranges", "ranges_bearing")

_DISTANCE_UNIT = 50.0
_BEARING_LIMITS = ([-1.0, -1.0, 0.0], [1.0, 1.0, SIZE * 2**0.5 / _DISTANCE_UNIT])


class Map(NamedTuple):
    """One map, and where the car begins.

    Attributes:
        obstacles: (n, 3), the x, y and radius of each obstacle.
        station: (2,), the x and y of the gas station.
        start: (3,), the x and y of the car, and its heading in radians, counter-clockwise from the x axis.
    """

    obstacles: np.ndarray
    station: np.ndarray
    start: np.ndarray


def inputs(observation: str) -> list[Input]:
    """Returns the numbers of an observation, one of `OBSERVATIONS` but the headlights, as a model's card names them."""
    space = _space(observation)
    names = [f"column {i}" for i in range(1, COLUMNS + 1)]
    if observation.startswith("ranges"):
        names = [f"range {i}" for i in range(1, len(RAYS) + 1)]
    names += ["cosine of the bearing", "sine of the bearing", "distance to the station"]
    units = {"distance to the station": f"{_DISTANCE_UNIT:g} units"}
    limits = zip(names, space.low.tolist(), space.high.tolist(), strict=False)
    return [Input(name, units.get(name, ""), low, high) for name, low, high in limits]


def random_map(generator: np.random.Generator) -> Map:
    """Returns a map from a generator's numbers: obstacles with a gap between them, the station, the start."""

    def between(lowest: float, highest: float) -> float:
        return lowest + (highest - lowest) * generator.random()

    obstacles: list[tuple[float, float, float]] = []
    while len(obstacles) < OBSTACLES:
        radius = between(*OBSTACLE_RADIUS)
        x, y = (between(radius + GAP, SIZE - radius - GAP) for _ in range(2))
        if not _is_hit(obstacles, x, y, radius + GAP):
            obstacles.append((x, y, radius))
    while True:
        station = [between(STATION_RADIUS, SIZE - STATION_RADIUS) for _ in range(2)]
        if not _is_hit(obstacles, station[0], station[1], STATION_RADIUS + GAP):
            break
    while True:
        x, y = (between(GAP, SIZE - GAP) for _ in range(2))
        if math.dist((x, y), station) >= START_DISTANCE and not _is_hit(obstacles, x, y, GAP):
            break
    return Map(np.array(obstacles), np.array(station), np.array([x, y, between(-np.pi, np.pi)]))


def _is_hit(obstacles: Iterable[Sequence[float]], x: float, y: float, clearance: float) -> bool:
    """Returns whether a circle at (x, y) touches one of the obstacles."""
    return any(math.hypot(at_x - x, at_y - y) < radius + clearance for at_x, at_y, radius in obstacles)


def check_map(map: Map) -> Map:
    """Returns a map in numbers of NumPy, where a car can drive from its start to the station.

    Raises:
        WorkshopError: it is no map, a position lies outside it or within an obstacle, or there is no way.
    """
    from scipy import ndimage

    try:
        obstacles, station, start = (np.asarray(part, float) for part in map)
        obstacles = obstacles.reshape(-1, 3)
        if station.shape != (2,) or start.shape != (3,):
            raise ValueError
    except (TypeError, ValueError) as error:
        raise WorkshopError(
            "a map is three arrays: obstacles (n x 3: x, y, radius), station (x, y) and start (x, y, heading)"
        ) from error
    if not all(np.isfinite(part).all() for part in (obstacles, station, start)) or (obstacles[:, 2:] < 0).any():
        raise WorkshopError("a map's numbers are finite, and a radius is not below 0")
    for name, (x, y) in (("station", station), ("start", start[:2])):
        if not (0 < x < SIZE and 0 < y < SIZE):
            raise WorkshopError(f"the map's {name} ({x:g}, {y:g}) lies outside the map: 0 to {SIZE:g} each way")
        if _is_hit(obstacles, x, y, 0):
            raise WorkshopError(f"the map's {name} ({x:g}, {y:g}) lies within an obstacle")
    # The map in cells of 0.5; what is connected with each other has one number.
    centers = np.arange(0.25, SIZE, 0.5)
    x, y = np.meshgrid(centers, centers)
    free = np.ones_like(x, dtype=bool)
    for obstacle_x, obstacle_y, radius in obstacles:
        free &= np.hypot(x - obstacle_x, y - obstacle_y) >= radius
    areas, _ = ndimage.label(free)
    at_station = areas[(np.hypot(x - station[0], y - station[1]) < STATION_RADIUS) & free]
    nearest = np.where(free, np.hypot(x - start[0], y - start[1]), np.inf).argmin()
    if areas.flat[nearest] not in at_station:
        raise WorkshopError("the map has no way from the start to the station: move an obstacle, or take one away")
    return Map(obstacles, station, start)


class Cars(gymnasium.vector.VectorEnv):
    """Many cars side by side, each on a map of its own.

    A car whose episode ends begins the next one in the same step (gymnasium's `AutoresetMode.SAME_STEP`): `step` then
    returns the first observation on the new map, and the last one on the old in `infos["final_obs"]`; where
    `infos["_final_obs"]` is false its row has no meaning. `infos["reached"]` says who has arrived in this step.

    Args:
        number: of cars.
        observation: what they observe, one of `OBSERVATIONS`.
        max_steps: after which an episode is cut off.
        autoreset: whether a car whose episode ends begins the next one. For a test it need not: what it does then has
            no meaning.
    """

    def __init__(
        self, number: int, observation: str = "bearing", max_steps: int = MAX_STEPS, autoreset: bool = True
    ) -> None:
        if observation not in OBSERVATIONS:
            raise WorkshopError(f"a car observes {', '.join(OBSERVATIONS)}, not {observation!r}")
        modes = gymnasium.vector.AutoresetMode
        self.metadata = {"autoreset_mode": modes.SAME_STEP if autoreset else modes.DISABLED}
        self.autoreset = autoreset
        self.num_envs = number
        self.observation = observation
        self.max_steps = max_steps
        self.single_observation_space = _space(observation)
        self.single_action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, number)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, number)
        self.generators = [np.random.default_rng() for _ in range(number)]
        self.obstacles = np.zeros((number, OBSTACLES, 3))
        self.stations = np.zeros((number, 2))
        self.positions = np.zeros((number, 2))
        self.headings = np.zeros(number)
        self.steps = np.zeros(number, int)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Puts every car at the start of a new map.

        Args:
            seed: car i draws its maps from seed + i.
            options: `{"map": Map(...)}` puts all of them on this one.

        Returns:
            The observations, and infos: the cars' distances to the station.

        Raises:
            WorkshopError: the map has no way from the start to the station, or is none.
        """
        super().reset(seed=seed)
        if seed is not None:
            self.generators = [np.random.default_rng(seed + i) for i in range(self.num_envs)]
        given = (options or {}).get("map")
        map = None if given is None else check_map(given)
        for i in range(self.num_envs):
            self.start(i, map)
        return self.observe(), {"distance": self.distances()}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Lets every car turn and drive; returns observations, rewards, who has ended, who was cut off, and infos."""
        rewards, terminated, truncated, infos = self.drive(np.asarray(actions))
        observations = self.observe()
        ended = terminated | truncated
        if self.autoreset and ended.any():
            infos |= {"final_obs": observations, "_final_obs": ended}
            for i in np.flatnonzero(ended):
                self.start(int(i))
            observations = observations.copy()
            observations[ended] = self.observe(ended)
        return observations, rewards, terminated, truncated, infos

    def start(self, i: int, map: Map | None = None) -> None:
        """Puts car i at the start of a map, a random one where none is given."""
        map = map or random_map(self.generators[i])
        if len(map.obstacles) > self.obstacles.shape[1]:  # a given map may have more obstacles than the random ones
            more = len(map.obstacles) - self.obstacles.shape[1]
            self.obstacles = np.pad(self.obstacles, ((0, 0), (0, more), (0, 0)))
        self.obstacles[i] = (-1e6, -1e6, 0)  # far away: none
        self.obstacles[i, : len(map.obstacles)] = map.obstacles
        self.stations[i] = map.station
        self.positions[i], self.headings[i] = map.start[:2], map.start[2]
        self.steps[i] = 0

    def drive(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Lets every car turn and drive; returns rewards, who has ended, who was cut off, and infos; starts nobody."""
        before = self.distances()
        self.headings = (self.headings + TURNS[actions] + np.pi) % (2 * np.pi) - np.pi
        self.positions = self.positions + SPEED * np.stack([np.cos(self.headings), np.sin(self.headings)], axis=1)
        self.steps = self.steps + 1
        distances = self.distances()
        offsets = self.obstacles[..., :2] - self.positions[:, None]
        crashed = (np.hypot(offsets[..., 0], offsets[..., 1]) < self.obstacles[..., 2]).any(axis=1)
        crashed |= ((self.positions <= 0) | (self.positions >= SIZE)).any(axis=1)
        reached = (distances < STATION_RADIUS) & ~crashed
        terminated = reached | crashed
        truncated = (self.steps >= self.max_steps) & ~terminated
        rewards = NEARER * (before - distances) + REACHED * reached + CRASHED * crashed
        return rewards, terminated, truncated, {"reached": reached, "distance": distances}

    def distances(self) -> np.ndarray:
        """Returns the distance of each car to its station."""
        offsets = self.stations - self.positions
        return np.hypot(offsets[:, 0], offsets[:, 1])

    def observe(self, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Returns the observations of all cars, or of those that a mask chooses."""
        positions, headings = self.positions[which], self.headings[which]
        obstacles, stations = self.obstacles[which], self.stations[which]
        if self.observation == "headlights":
            return view(positions, headings, obstacles, stations)
        if self.observation.startswith("ranges"):
            numbers = ranges(positions, headings, obstacles)
        else:
            numbers = view(positions, headings, obstacles, stations).sum(axis=1)
            if self.observation == "bearing":
                numbers = numbers / ROWS
        if self.observation in ("bearing", "ranges_bearing"):
            numbers = np.concatenate([numbers, bearing(positions, headings, stations)], axis=1)
        return numbers.astype(np.float32)


class Car(gymnasium.Env[np.ndarray, np.int64]):
    """One car on its map: `Cars` of one.

    Args:
        observation: what it observes, one of `OBSERVATIONS`.
        max_steps: after which an episode is cut off.
        render_mode: "rgb_array" for `render`.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012 - gymnasium's own attribute

    def __init__(
        self, observation: str = "bearing", max_steps: int = MAX_STEPS, render_mode: str | None = None
    ) -> None:
        self.cars = Cars(1, observation, max_steps)
        self.observation_space = self.cars.single_observation_space
        self.action_space = self.cars.single_action_space
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Puts the car at the start of a new map, or of the one in `options={"map": Map(...)}`."""
        super().reset(seed=seed)
        observations, infos = self.cars.reset(seed=seed, options=options)
        return observations[0], _first(infos)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Lets the car turn and drive on."""
        rewards, terminated, truncated, infos = self.cars.drive(np.array([action]))
        return self.cars.observe()[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _first(infos)

    def render(self) -> np.ndarray | None:
        """Returns the map from above, (200, 200, 3): obstacles grey, view yellow, station green, car blue."""
        if self.render_mode != "rgb_array":
            return None
        cars = self.cars
        at = np.arange(0.25, SIZE, 0.5)
        points = np.stack(np.meshgrid(at, at[::-1]), axis=-1)
        image = np.full((*points.shape[:2], 3), 255, np.uint8)
        ahead, left = _in_car_frame(points.reshape(1, -1, 2), cars.positions, cars.headings)
        lit = (ahead >= 0) & (ahead < ROWS) & (np.abs(left) < COLUMNS / 2)
        image[lit.reshape(points.shape[:2])] = (255, 240, 170)
        for x, y, radius in cars.obstacles[0]:
            image[np.hypot(*(points - (x, y)).transpose(2, 0, 1)) < radius] = (110, 110, 110)
        image[np.hypot(*(points - cars.stations[0]).transpose(2, 0, 1)) < STATION_RADIUS] = (0, 158, 115)
        image[np.hypot(*(points - cars.positions[0]).transpose(2, 0, 1)) < 1.5] = (0, 114, 178)
        return image


def _first(infos: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns the infos of the first car, in Python's numbers."""
    return {name: values[0].item() for name, values in infos.items()}


def _space(observation: str) -> gymnasium.spaces.Box:
    """Returns the space of one car's observation."""
    if observation == "headlights":
        return gymnasium.spaces.Box(-1, 1, (ROWS, COLUMNS), np.int8)
    rays = observation.startswith("ranges")
    largest = 1 if observation == "bearing" else ROWS
    low, high = ([0.0] * len(RAYS), [REACH] * len(RAYS)) if rays else ([-largest] * COLUMNS, [largest] * COLUMNS)
    if observation in ("bearing", "ranges_bearing"):
        low, high = [*low, *_BEARING_LIMITS[0]], [*high, *_BEARING_LIMITS[1]]
    return gymnasium.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))


def _in_car_frame(points: np.ndarray, positions: np.ndarray, headings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far points (n, k, 2) lie ahead of n cars, and how far to their left, each (n, k)."""
    offsets = points - positions[:, None]
    cos, sin = np.cos(headings)[:, None], np.sin(headings)[:, None]
    return offsets[..., 0] * cos + offsets[..., 1] * sin, offsets[..., 1] * cos - offsets[..., 0] * sin


def view(positions: np.ndarray, headings: np.ndarray, obstacles: np.ndarray, stations: np.ndarray) -> np.ndarray:
    """Returns the view of n cars, (n, 10, 20): -1 an obstacle or the wall, 1 the station, 0 neither.

    It is printed as the driver sees it: the first row is the farthest, the first column the leftmost.
    """
    ahead = np.arange(ROWS - 0.5, 0, -1)  # of the cells' centres
    left = np.arange(COLUMNS / 2 - 0.5, -COLUMNS / 2, -1)
    # A cell is within a circle where its squared distances ahead and to the left sum up to less than radius squared.
    center_ahead, center_left = _in_car_frame(obstacles[..., :2], positions, headings)
    squares = (
        np.square(ahead - center_ahead[..., None])[..., None] + np.square(left - center_left[..., None])[..., None, :]
    )
    blocked = (squares < np.square(obstacles[..., 2])[..., None, None]).any(axis=1)
    cos, sin = np.cos(headings)[:, None, None], np.sin(headings)[:, None, None]
    x = positions[:, 0, None, None] + ahead[:, None] * cos - left * sin
    y = positions[:, 1, None, None] + ahead[:, None] * sin + left * cos
    blocked |= (x <= 0) | (x >= SIZE) | (y <= 0) | (y >= SIZE)
    station_ahead, station_left = _in_car_frame(stations[:, None], positions, headings)
    squares = np.square(ahead - station_ahead)[..., None] + np.square(left - station_left)[:, None]
    return np.where(blocked, -1, squares < STATION_RADIUS**2).astype(np.int8)


def bearing(positions: np.ndarray, headings: np.ndarray, stations: np.ndarray) -> np.ndarray:
    """Returns cosine and sine of the angle from each car's heading to its station, and the distance / 50, (n, 3)."""
    ahead, left = (part[:, 0] for part in _in_car_frame(stations[:, None], positions, headings))
    distances = np.hypot(ahead, left)
    safe = np.maximum(distances, 1e-9)
    return np.stack([ahead / safe, left / safe, distances / _DISTANCE_UNIT], axis=1)


def ranges(positions: np.ndarray, headings: np.ndarray, obstacles: np.ndarray) -> np.ndarray:
    """Returns the distance to the nearest obstacle or wall along each of the 20 rays, at most 10, (n, 20)."""
    angles = headings[:, None] + RAYS
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (n, 20, 2)
    with np.errstate(divide="ignore"):
        walls = np.where(directions > 0, SIZE - positions[:, None], -positions[:, None]) / directions
    nearest = np.where(directions == 0, np.inf, walls).min(axis=-1)
    # A ray comes nearest to a circle's centre after `along`; it meets the circle half a chord earlier.
    offsets = obstacles[..., :2] - positions[:, None]
    along = np.einsum("nkc,nrc->nrk", offsets, directions)
    half_chords = np.square(obstacles[..., 2])[:, None] - (np.square(offsets).sum(axis=-1)[:, None] - np.square(along))
    meets = (half_chords > 0) & (along > 0)
    hits = np.where(meets, along - np.sqrt(np.maximum(half_chords, 0)), np.inf).min(axis=-1)
    return np.clip(np.minimum(nearest, hits), 0, REACH)
