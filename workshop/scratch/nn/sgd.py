"""The base of all optimizers, and stochastic gradient descent, with or without momentum."""

import abc
from collections.abc import Callable, Mapping

import numpy as np

Rate = float | Callable[[int], float]


class Optimizer(abc.ABC):
    """Base of the optimizers: keeps a memory for each parameter, such as its velocity.

    Args:
        learning_rate: a number, or a function from the number of steps done to the rate.
    """

    def __init__(self, learning_rate: Rate) -> None:
        self.learning_rate = learning_rate
        self.steps = 0
        self._memory: dict[str, list[np.ndarray]] = {}

    def apply(self, gradients: Mapping[str, np.ndarray], parameters: Mapping[str, np.ndarray]) -> None:
        """Takes one step: changes the parameters in place. Both have the same names."""
        rate = self.learning_rate(self.steps) if callable(self.learning_rate) else self.learning_rate
        self.steps += 1
        for name, parameter in parameters.items():
            if name not in self._memory:
                self._memory[name] = self.remember(parameter)
            self.step(parameter, gradients[name], self._memory[name], rate)

    def state(self) -> dict[str, np.ndarray]:
        """Returns the steps done and all memories, copied."""
        memories = {
            f"memory/{name}/{i}": array.copy()
            for name, memory in self._memory.items()
            for i, array in enumerate(memory)
        }
        return {"steps": np.array(self.steps), **memories}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restores what `state` returned.

        Raises:
            KeyError: the number of steps is missing.
        """
        self.steps = int(state["steps"])
        self._memory = {}
        for key in sorted(key for key in state if key.startswith("memory/")):
            name = key.removeprefix("memory/").rpartition("/")[0]
            self._memory.setdefault(name, []).append(state[key].copy())

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """Returns the initial memory of one parameter."""
        return []

    @abc.abstractmethod
    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """Updates one parameter and its memory in place."""


class SGD(Optimizer):
    """w <- w - rate g; with momentum the velocity v <- momentum v - rate g is added instead (Polyak 1964).

    Nesterov's form looks ahead: w <- w + momentum v - rate g, v being the new one (Nesterov 1983, in the form of
    Sutskever 2013). PyTorch's v does not include the rate, which is the same as long as the rate is constant.
    """

    def __init__(self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(learning_rate)
        self.momentum, self.nesterov = momentum, nesterov

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The velocity."""
        return [np.zeros_like(parameter)] if self.momentum else []

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        if not self.momentum:
            parameter -= rate * gradient
            return
        velocity = memory[0]
        velocity *= self.momentum
        velocity -= rate * gradient
        parameter += self.momentum * velocity - rate * gradient if self.nesterov else velocity
