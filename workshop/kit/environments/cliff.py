"""The cliff: a grid of 4 x 12, start and goal in its corners below, and between them a cliff (Sutton and Barto, 6.6).

A move costs 1. Who moves onto the cliff pays 100 and is put back to the start. The whole world is two tables,
`NEXT_STATES` and `REWARDS`, which many learners at once look up with one index, as `Cliff.step` does for one.
"""

from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import gymnasium

HEIGHT, WIDTH = 4, 12
N_STATES = HEIGHT * WIDTH  # numbered row by row, from the left above
START, GOAL = (HEIGHT - 1) * WIDTH, N_STATES - 1
CLIFF = range(START + 1, GOAL)
ACTIONS = ("up", "right", "down", "left")  # 0 to 3, as gymnasium's own cliff has them
_MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
_COLOURS = {"ground": (236, 236, 230), "cliff": (34, 34, 34), "goal": (0, 158, 115), "agent": (213, 94, 0)}
_CELL = 24  # pixels


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Returns the states that follow and the rewards, (states, actions) each; at the goal nothing happens any more."""
    rows, columns = np.divmod(np.arange(N_STATES)[:, None], WIDTH)
    # Who walks against the border stays.
    next_states = (rows + _MOVES[:, 0]).clip(0, HEIGHT - 1) * WIDTH + (columns + _MOVES[:, 1]).clip(0, WIDTH - 1)
    falls = np.isin(next_states, CLIFF)
    rewards = np.where(falls, -100.0, -1.0)
    next_states[falls] = START
    next_states[GOAL], rewards[GOAL] = GOAL, 0
    return next_states, rewards


NEXT_STATES, REWARDS = _tables()


class Cliff(gymnasium.Env[int, int]):
    """The cliff as an environment: the observation is the number of the cell, the action one of `ACTIONS`.

    Args:
        render_mode: "rgb_array" for `render()` to return an image, or None.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012 - gymnasium's name and type

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(N_STATES)
        self.action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        self._state = GOAL  # `reset` begins an episode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begins an episode at the start, or in the cell `options={"state": ...}`.

        Raises:
            WorkshopError: nobody can stand in this cell.
        """
        super().reset(seed=seed)
        state = (options or {}).get("state", START)
        if state not in range(GOAL) or state in CLIFF:
            raise WorkshopError(f'options["state"]: got {state}, takes a cell from 0 to {START}, which is the start')
        self._state = int(state)
        return self._state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Moves; returns the new cell, the reward, whether it is the goal, False and an empty dictionary."""
        if self._state == GOAL:
            raise gymnasium.error.ResetNeeded("the episode has ended, or has not begun: call reset()")
        if not self.action_space.contains(action):
            raise gymnasium.error.InvalidAction(f"got {action!r}, takes a whole number from 0 to {len(ACTIONS) - 1}")
        reward = float(REWARDS[self._state, action])
        self._state = int(NEXT_STATES[self._state, action])
        return self._state, reward, self._state == GOAL, False, {}

    def render(self) -> np.ndarray | None:
        """Returns the grid as an image (height, width, 3) of bytes; None without a render mode."""
        if self.render_mode is None:
            return None
        cells = np.full((N_STATES, 3), _COLOURS["ground"], np.uint8)
        cells[list(CLIFF)] = _COLOURS["cliff"]
        cells[GOAL] = _COLOURS["goal"]
        image = cells.reshape(HEIGHT, WIDTH, 3).repeat(_CELL, axis=0).repeat(_CELL, axis=1)
        image[::_CELL] = image[:, ::_CELL] = 200  # the lines between the cells
        top, left = (number * _CELL for number in divmod(self._state, WIDTH))
        image[top + 6 : top + _CELL - 5, left + 6 : left + _CELL - 5] = _COLOURS["agent"]
        return image
