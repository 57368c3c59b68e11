"""Adaptive optimizers: each weight has a rate of its own, by the signs or the sizes of its gradients so far."""

import math

import numpy as np

from workshop.scratch.nn.sgd import Optimizer, Rate


class Rprop(Optimizer):
    """w <- w - d sign(g): each weight has a step length d of its own, and of its gradient only the sign counts.

    While the sign stays, d <- 1.2 d; when it changes, d <- 0.5 d, within 1e-6 to 50 (Riedmiller and Braun 1993). A
    weight whose sign changed rests for one step, and its sign is forgotten (iRprop-, Igel and Huesken 2000), as
    in PyTorch. Keras has no Rprop. The learning rate is the first d. It takes the gradient over all samples: on
    mini-batches the signs change by chance.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        shrink: float = 0.5,
        grow: float = 1.2,
        smallest: float = 1e-6,
        largest: float = 50.0,
    ) -> None:
        super().__init__(learning_rate)
        self.shrink, self.grow, self.smallest, self.largest = shrink, grow, smallest, largest

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The step lengths, and the signs, for which a byte is enough."""
        return [np.zeros_like(parameter), np.zeros(parameter.shape, np.int8)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step of the same length for a small gradient as for a large one."""
        length, sign_before = memory
        if self.steps == 1:
            length[...] = rate
        sign = np.sign(gradient).astype(np.int8)
        agreement = sign * sign_before  # 1 the same, -1 changed, 0 where there was none
        factors = np.array([1.0, self.grow, self.shrink], length.dtype)
        length *= factors[agreement]  # -1 is the last of the three
        np.clip(length, self.smallest, self.largest, out=length)
        sign[agreement < 0] = 0
        parameter -= length * sign
        sign_before[...] = sign


class Adagrad(Optimizer):
    """w <- w - rate g / sqrt(s + epsilon), s the sum of all g^2 so far (Duchi, Hazan and Singer 2011).

    The sum starts at 0.1, so that the first steps are not all as long as the rate. PyTorch starts it at 0 and has
    sqrt(s) + epsilon.
    """

    def __init__(self, learning_rate: Rate = 0.001, start: float = 0.1, epsilon: float = 1e-7) -> None:
        super().__init__(learning_rate)
        self.start, self.epsilon = start, epsilon

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The sum of the squares."""
        return [np.full_like(parameter, self.start)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step, shorter for a weight whose gradients were large."""
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


class Adadelta(Optimizer):
    """w <- w - rate d, d = g sqrt(u + epsilon) / sqrt(v + epsilon), u and v the moving averages of d^2 and g^2.

    Zeiler 2012. d has the unit of w, so the paper has no rate: it is 1, as in PyTorch; Keras' default of 0.001 makes
    each step a thousandth of the paper's. PyTorch has epsilon 1e-6 and a quicker average (0.9). Steps begin at
    sqrt(epsilon) and grow.
    """

    def __init__(self, learning_rate: Rate = 1.0, rho: float = 0.95, epsilon: float = 1e-7) -> None:
        super().__init__(learning_rate)
        self.rho, self.epsilon = rho, epsilon

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The moving averages of the squared gradients and of the squared steps."""
        return [np.zeros_like(parameter), np.zeros_like(parameter)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step, as long as the last ones were, by how the gradient compares with the last ones."""
        squares, squared_steps = memory
        squares *= self.rho
        squares += (1 - self.rho) * gradient * gradient
        change = gradient * np.sqrt(squared_steps + self.epsilon) / np.sqrt(squares + self.epsilon)
        squared_steps *= self.rho
        squared_steps += (1 - self.rho) * change * change
        parameter -= rate * change


class Adam(Optimizer):
    """w <- w - rate m' / (sqrt(v') + epsilon), m and v the moving averages of g and g^2 (Kingma and Ba 2015).

    The bias corrections, m' = m / (1 - beta_1^t) and v' likewise, are put into the rate, as in the last paragraph of
    the paper's section 2; epsilon then stands beside sqrt(v) where PyTorch has it beside sqrt(v').
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
    """Adam with Nesterov momentum: the mean of the gradients is the one expected a step ahead (Dozat 2016).

    The weight of the mean, u_t = beta_1 (1 - 0.96^(decay t) / 2), grows with the steps t. With m and v as in Adam,
    w <- w - rate m' / (sqrt(v') + epsilon), m' = u_t+1 m / (1 - u_1 ... u_t+1) + (1 - u_t) g / (1 - u_1 ... u_t)
    and v' = v / (1 - beta_2^t). Keras has decay 1: u has grown after some hundred steps. Dozat and PyTorch have 0.004.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        decay: float = 1.0,
    ) -> None:
        super().__init__(learning_rate)
        self.beta_1, self.beta_2, self.epsilon, self.decay = beta_1, beta_2, epsilon, decay

    def remember(self, parameter: np.ndarray) -> list[np.ndarray]:
        """The two moving averages, and the product u_1 ... u_t."""
        return [np.zeros_like(parameter), np.zeros_like(parameter), np.ones((), parameter.dtype)]

    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        """One step."""
        mean, squares, product = memory
        now, ahead = (self.beta_1 * (1 - 0.5 * 0.96 ** (self.decay * step)) for step in (self.steps, self.steps + 1))
        mean += (1 - self.beta_1) * (gradient - mean)
        squares += (1 - self.beta_2) * (gradient * gradient - squares)
        product *= now
        looked_ahead = ahead / (1 - product * ahead) * mean + (1 - now) / (1 - product) * gradient
        corrected = squares / (1 - self.beta_2**self.steps)
        parameter -= rate * looked_ahead / (np.sqrt(corrected) + self.epsilon)
