"""gymnasium's lander: its 8 observations and 4 actions by name, one of it, or many side by side, and flights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from workshop.kit.lazy import gymnasium, load
from workshop.kit.saving.card import Input

NAME = "LunarLander-v3"
ACTIONS = ("no engine", "left engine", "main engine", "right engine")
# The units are those in which the environment divides its metres, seconds and radians.
INPUTS = (
    Input("x", "10 m", -2.5, 2.5),
    Input("y", "6.67 m", -2.5, 2.5),
    Input("horizontal speed", "5 m/s", -10, 10),
    Input("vertical speed", "7.5 m/s", -10, 10),
    Input("angle", "rad", -6.283, 6.283),
    Input("angular speed", "2.5 rad/s", -10, 10),
    Input("left leg on the ground"),
    Input("right leg on the ground"),
)
LEGS = 0.6  # metres, from the lander's centre to its feet
MAX_STEPS = 1000  # after which an episode is cut off


class Flight(NamedTuple):
    """One episode of the lander.

    Attributes:
        states: the observations (steps + 1, 8).
        actions, rewards: of each step.
        ground: the line of the ground (points, 2), in the units of x and y.
    """

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    ground: np.ndarray

    @property
    def total(self) -> float:
        """The return."""
        return float(self.rewards.sum())

    @property
    def has_landed(self) -> bool:
        """Whether it came to rest on the ground, for which the last reward is 100."""
        return bool(self.rewards[-1] == 100)


def make(max_steps: int = MAX_STEPS, render_mode: str | None = None) -> gymnasium.Env:
    """Returns one environment.

    Args:
        max_steps: after which an episode is cut off.
        render_mode: None, "rgb_array" or "human".

    Raises:
        WorkshopError: gymnasium or Box2D is not installed.
    """
    load("gymnasium")
    # Its types warn while they are made; where warnings are errors, that ends the interpreter.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        load("Box2D")
    # The checker would look at every step; the environment is gymnasium's own.
    return gymnasium.make(NAME, max_episode_steps=max_steps, render_mode=render_mode, disable_env_checker=True)


def make_many(number: int, max_steps: int = MAX_STEPS) -> gymnasium.vector.SyncVectorEnv:
    """Returns environments side by side, in one process: passing 8 numbers to another one takes longer than a step.

    One whose episode ends begins the next one in the same step, as `car.Cars` do. The observations of a step are
    overwritten by the next one.
    """
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    return gymnasium.vector.SyncVectorEnv([lambda: make(max_steps)] * number, copy=False, autoreset_mode=mode)


def ground(environment: gymnasium.Env) -> np.ndarray:
    """Returns the line of the ground after a reset, (points, 2), in the units of the observation's x and y."""
    unwrapped: Any = environment.unwrapped
    line = [unwrapped.sky_polys[0][0], *(polygon[1] for polygon in unwrapped.sky_polys)]
    return np.array([((x - 10) / 10, (y - unwrapped.helipad_y - LEGS) / (20 / 3)) for x, y in line])


def fly(
    policy: Callable[[np.ndarray], np.ndarray], episodes: int, seed: int, max_steps: int = MAX_STEPS
) -> list[Flight]:
    """Returns flights, flown side by side.

    Args:
        policy: from observations (n, 8) as they come to actions (n,).
        episodes: their number.
        seed: of the first; each begins from a seed of its own.
        max_steps: after which a flight is cut off.
    """
    environments = [make(max_steps) for _ in range(episodes)]
    states = [[environment.reset(seed=seed + i)[0]] for i, environment in enumerate(environments)]
    taken: list[list[int]] = [[] for _ in environments]
    rewards: list[list[float]] = [[] for _ in environments]
    flying = list(range(episodes))
    while flying:
        actions = policy(np.array([states[i][-1] for i in flying]))
        still_flying = []
        for i, action in zip(flying, actions.tolist(), strict=True):
            state, reward, terminated, truncated, _ = environments[i].step(action)
            states[i].append(state)
            taken[i].append(action)
            rewards[i].append(float(reward))
            if not (terminated or truncated):
                still_flying.append(i)
        flying = still_flying
    return [
        Flight(np.array(states[i]), np.array(taken[i]), np.array(rewards[i]), ground(environments[i]))
        for i in range(episodes)
    ]
