"""Optimizers: from gradients to steps, each as its paper has it, with Keras' constants.

Where Keras and PyTorch differ, it is said at that place; what stands here is Keras' way.
"""

import abc
import math
from collections.abc import Callable, Mapping

import numpy as np

from workshop.kit.errors import WorkshopError

Rate = float | Callable[[int], float]


def cosine_with_warmup(highest: float, steps: int) -> Callable[[int], float]:
    """Returns the rate by the number of steps done: up along a line in the first tenth, then down along a cosine.

    Loshchilov and Hutter 2017 (SGDR); the line starts at highest / 25. The same as `training.make_optimizer`.
    """
    warmup = max(1, steps // 10)

    def rate(step: int) -> float:
        if step < warmup:
            return highest / 25 + (highest - highest / 25) * step / warmup
        progress = min(step - warmup, max(1, steps - warmup)) / max(1, steps - warmup)
        return highest * 0.5 * (1 + math.cos(math.pi * progress))

    return rate


class Optimizer(abc.ABC):
    """Base of the optimizers: keeps for each parameter what its method remembers.

    Args:
        learning_rate: a number, or a function from the number of steps done to the rate.
    """

    def __init__(self, learning_rate: Rate) -> None:
        self.learning_rate = learning_rate
        self.steps = 0
        self._memory: dict[str, list[np.ndarray]] = {}

    def apply(self, parameters: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> None:
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
        """Puts back what `state` returned; raises KeyError where it is none."""
        self.steps = int(state["steps"])
        self._memory = {}
        for key in sorted(key for key in state if key.startswith("memory/")):
            name = key.removeprefix("memory/").rpartition("/")[0]
            self._memory.setdefault(name, []).append(state[key].copy())

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """Returns what this method starts from, for one parameter."""
        return []

    @abc.abstractmethod
    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """Changes one parameter, and the memory, in place."""


class SGD(Optimizer):
    """w <- w - rate g; with momentum the velocity v <- momentum v - rate g is added instead (Polyak 1964).

    Nesterov's form looks ahead: w <- w + momentum v - rate g, v being the new one (Nesterov 1983, in the form of
    Sutskever 2013). PyTorch keeps v without the rate in it, which is the same as long as the rate is constant.
    """

    def __init__(self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(learning_rate)
        self.momentum, self.nesterov = momentum, nesterov

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The velocity."""
        return [np.zeros_like(parameter)] if self.momentum else []

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step down."""
        if not self.momentum:
            parameter -= rate * gradient
            return
        velocity = memory[0]
        velocity *= self.momentum
        velocity -= rate * gradient
        parameter += self.momentum * velocity - rate * gradient if self.nesterov else velocity


class Adagrad(Optimizer):
    """w <- w - rate g / sqrt(s + epsilon), s the sum of all g^2 so far (Duchi, Hazan and Singer 2011).

    The sum starts at 0.1, so that the first steps are not all of the size of the rate. PyTorch starts it at 0 and has
    sqrt(s) + epsilon.
    """

    def __init__(self, learning_rate: Rate = 0.001, start: float = 0.1, epsilon: float = 1e-7) -> None:
        super().__init__(learning_rate)
        self.start, self.epsilon = start, epsilon

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The sum of the squares."""
        return [np.full_like(parameter, self.start)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step; a weight that was moved much moves less."""
        (squares,) = memory
        squares += gradient * gradient
        parameter -= rate * gradient / np.sqrt(squares + self.epsilon)


class RMSprop(Optimizer):
    """w <- w - rate g / sqrt(v + epsilon), v the moving average of g^2 (Tieleman and Hinton 2012).

    PyTorch has sqrt(v) + epsilon, with epsilon 1e-8 and a slower average (0.99).
    """

    def __init__(self, learning_rate: Rate = 0.001, rho: float = 0.9, epsilon: float = 1e-7) -> None:
        super().__init__(learning_rate)
        self.rho, self.epsilon = rho, epsilon

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The moving average of the squares."""
        return [np.zeros_like(parameter)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step, each weight at its own scale."""
        (squares,) = memory
        squares *= self.rho
        squares += (1 - self.rho) * gradient * gradient
        parameter -= rate * gradient / np.sqrt(squares + self.epsilon)


class Adam(Optimizer):
    """w <- w - rate m' / (sqrt(v') + epsilon), m and v the moving averages of g and g^2 (Kingma and Ba 2015).

    The corrections for the start, m' = m / (1 - beta_1^t) and v' likewise, are put into the rate, as in the paper's
    last paragraph of section 2; epsilon then stands beside sqrt(v) where PyTorch has it beside sqrt(v').
    With `weight_decay` it is AdamW: w <- w - rate decay w first (Loshchilov and Hutter 2019).
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate)
        self.beta_1, self.beta_2, self.epsilon, self.weight_decay = beta_1, beta_2, epsilon, weight_decay

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The two moving averages."""
        return [np.zeros_like(parameter), np.zeros_like(parameter)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        mean, squares = memory
        if self.weight_decay:
            parameter *= 1 - rate * self.weight_decay
        mean += (1 - self.beta_1) * (gradient - mean)
        squares += (1 - self.beta_2) * (gradient * gradient - squares)
        corrected = rate * math.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        parameter -= corrected * mean / (np.sqrt(squares) + self.epsilon)


class Nadam(Optimizer):
    """Adam with Nesterov's look ahead: the mean of the gradients is taken as it will be one step on (Dozat 2016).

    The weight of the mean, u_t = beta_1 (1 - 0.96^t / 2), grows with the steps t. With m and v as in Adam,
    w <- w - rate m' / (sqrt(v') + epsilon), m' = u_t+1 m / (1 - u_1 ... u_t+1) + (1 - u_t) g / (1 - u_1 ... u_t)
    and v' = v / (1 - beta_2^t).
    """

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
    ) -> None:
        super().__init__(learning_rate)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The two moving averages, and the product u_1 ... u_t."""
        return [np.zeros_like(parameter), np.zeros_like(parameter), np.ones((), parameter.dtype)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        mean, squares, product = memory
        now, ahead = (self.beta_1 * (1 - 0.5 * 0.96**step) for step in (self.steps, self.steps + 1))
        mean += (1 - self.beta_1) * (gradient - mean)
        squares += (1 - self.beta_2) * (gradient * gradient - squares)
        product *= now
        looked_ahead = ahead / (1 - product * ahead) * mean + (1 - now) / (1 - product) * gradient
        corrected = squares / (1 - self.beta_2**self.steps)
        parameter -= rate * looked_ahead / (np.sqrt(corrected) + self.epsilon)


def make_optimizer(name: str, learning_rate: float | None = None, steps: int | None = None) -> Optimizer:
    """Returns an optimizer by its name on the command line, with the constants of `training.make_optimizer`.

    Raises:
        WorkshopError: there is none of this name.
    """
    rate: Rate = learning_rate or (0.01 if name in {"sgd", "momentum", "nesterov"} else 0.001)
    if steps is not None and not callable(rate):
        rate = cosine_with_warmup(rate, steps)
    makers: dict[str, Callable[[], Optimizer]] = {
        "sgd": lambda: SGD(rate),
        "momentum": lambda: SGD(rate, momentum=0.9),
        "nesterov": lambda: SGD(rate, momentum=0.9, nesterov=True),
        "rmsprop": lambda: RMSprop(rate),
        "adagrad": lambda: Adagrad(rate),
        "adam": lambda: Adam(rate),
        "adamw": lambda: Adam(rate, beta_2=0.99, weight_decay=0.01),
        "nadam": lambda: Nadam(rate),
    }
    if name not in makers:
        raise WorkshopError(f"optimizer = {name!r} is not known; known are {', '.join(makers)}")
    return makers[name]()
