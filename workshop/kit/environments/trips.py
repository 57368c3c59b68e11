"""Trips of the car: a driver on many maps side by side, or on one map, move by move."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from workshop.kit.environments import car

TEST_MAPS = 100

Driver = Callable[[np.ndarray], np.ndarray]  # from observations (cars, ...) to actions (cars,)


class Driven(NamedTuple):
    """The results of a driver, one trip on each map.

    Attributes:
        reached: the share of the maps on which the station was reached.
        crashed: that of an obstacle or the wall. On the others time ran out.
        mean_return: the mean of the sums of the rewards.
    """

    reached: float
    crashed: float
    mean_return: float

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of a test."""
        return {"test_success_rate": self.reached, "test_mean_return": self.mean_return}


class Trip(NamedTuple):
    """One trip.

    Attributes:
        obstacles: (n, 3), x, y and radius of each.
        station: (2,), its x and y.
        path: (moves + 1, 3), the car's x, y and heading, at the start and after each move.
        observations: (moves + 1, ...), what it observes there.
        reached: whether it ends at the station.
        crashed: whether it ends at an obstacle or the wall.
    """

    obstacles: np.ndarray
    station: np.ndarray
    path: np.ndarray
    observations: np.ndarray
    reached: bool
    crashed: bool

    @property
    def moves(self) -> int:
        """The number of moves."""
        return len(self.path) - 1

    @property
    def ending(self) -> str:
        """The end of the trip in words."""
        return "reached" if self.reached else "crashed" if self.crashed else "out of time"


def evaluate(driver: Driver, observation: str, maps: int, seed: int) -> Driven:
    """Drives once on each of so many maps, all cars side by side.

    Args:
        driver: from observations to actions.
        observation: of the car.
        maps: how many.
        seed: of the first map; each has a seed of its own.
    """
    cars = car.Cars(maps, observation, autoreset=False)
    observations, _ = cars.reset(seed=seed)
    returns = np.zeros(maps)
    driving, reached, crashed = np.ones(maps, bool), np.zeros(maps, bool), np.zeros(maps, bool)
    while driving.any():
        observations, rewards, terminated, truncated, infos = cars.step(driver(observations))
        returns += rewards * driving
        reached |= driving & infos["reached"]
        crashed |= driving & terminated & ~infos["reached"]
        driving &= ~(terminated | truncated)
    return Driven(float(reached.mean()), float(crashed.mean()), float(returns.mean()))


def take_trip(driver: Driver, observation: str, *, seed: int | None = None, map: car.Map | None = None) -> Trip:
    """Drives on one map, a given one or that of a seed."""
    environment = car.Car(observation)
    seen, _ = environment.reset(seed=seed, options={"map": map})
    path, observations = [], []
    has_ended = has_reached = terminated = False
    while True:
        path.append([*environment.cars.positions[0], environment.cars.headings[0]])
        observations.append(seen)
        if has_ended:
            break
        seen, _, terminated, truncated, info = environment.step(driver(seen[None])[0])
        has_reached, has_ended = info["reached"], terminated or truncated
    return Trip(
        environment.cars.obstacles[0],
        environment.cars.stations[0],
        np.array(path),
        np.array(observations),
        has_reached,
        terminated and not has_reached,
    )
