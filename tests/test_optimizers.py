"""The lesson `optimizers`: nine algorithms in NumPy, whose steps are Keras' and PyTorch's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from workshop.kit.lazy import keras
from workshop.scratch.nn.adaptive import Adadelta, Adagrad, Adam, Nadam, RMSprop, Rprop
from workshop.scratch.nn.sgd import SGD, Optimizer

GRADIENTS = np.random.default_rng(1).normal(size=(100, 10)) * 10.0 ** np.arange(-9, 1)
RATE, EPSILON = 0.01, 1e-7

# Keras' and PyTorch's own, with the settings of the engine's.
RULES: dict[str, tuple[Callable[[], Optimizer], Callable[[], Any] | None, Callable[[Any], Any]]] = {
    "descent": (lambda: SGD(RATE), lambda: keras.optimizers.SGD(RATE), lambda w: torch.optim.SGD(w, RATE)),
    "momentum": (
        lambda: SGD(RATE, 0.9),
        lambda: keras.optimizers.SGD(RATE, 0.9),
        lambda w: torch.optim.SGD(w, RATE, 0.9),
    ),
    "nesterov": (
        lambda: SGD(RATE, 0.9, nesterov=True),
        lambda: keras.optimizers.SGD(RATE, 0.9, nesterov=True),
        lambda w: torch.optim.SGD(w, RATE, 0.9, nesterov=True),
    ),
    "rprop": (lambda: Rprop(RATE), None, lambda w: torch.optim.Rprop(w, RATE)),
    "adagrad": (
        lambda: Adagrad(RATE, 0.0, EPSILON),
        lambda: keras.optimizers.Adagrad(RATE, 0.0, EPSILON),
        lambda w: torch.optim.Adagrad(w, RATE, eps=EPSILON),
    ),
    "rmsprop": (
        lambda: RMSprop(RATE, 0.9, EPSILON),
        lambda: keras.optimizers.RMSprop(RATE, 0.9, epsilon=EPSILON),
        lambda w: torch.optim.RMSprop(w, RATE, alpha=0.9, eps=EPSILON),
    ),
    "adam": (
        lambda: Adam(RATE, epsilon=EPSILON),
        lambda: keras.optimizers.Adam(RATE, epsilon=EPSILON),
        lambda w: torch.optim.Adam(w, RATE, eps=EPSILON),
    ),
    "nadam": (
        lambda: Nadam(RATE, epsilon=EPSILON),
        lambda: keras.optimizers.Nadam(RATE, epsilon=EPSILON),
        lambda w: torch.optim.NAdam(w, RATE, eps=EPSILON),
    ),
    "adadelta": (
        lambda: Adadelta(RATE, 0.9, EPSILON),
        lambda: keras.optimizers.Adadelta(RATE, 0.9, EPSILON),
        lambda w: torch.optim.Adadelta(w, RATE, rho=0.9, eps=EPSILON),
    ),
}


def walk(optimizer: Optimizer) -> np.ndarray:
    w = np.zeros(10)
    path = []
    for gradient in GRADIENTS:
        optimizer.apply({"w": w}, {"w": gradient})
        path.append(w.copy())
    return np.diff(path, axis=0, prepend=0)


def walk_keras(optimizer: Any) -> np.ndarray:
    w = keras.Variable(np.zeros(10), dtype="float64")
    path = []
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [w])
        path.append(keras.ops.convert_to_numpy(w.value))
    return np.diff(path, axis=0, prepend=0)


def walk_torch(make: Callable[[Any], Any]) -> np.ndarray:
    w = torch.nn.Parameter(torch.zeros(10, dtype=torch.float64))
    optimizer = make([w])
    path = []
    for gradient in GRADIENTS:
        w.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.diff(path, axis=0, prepend=0)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule[1]])
def test_each_of_a_hundred_steps_is_keras_step(name: str) -> None:
    ours, in_keras, _ = RULES[name]
    assert in_keras
    np.testing.assert_allclose(walk(ours()), walk_keras(in_keras()), rtol=0, atol=1e-6)


class BesideTheRoot(Adagrad):
    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        memory[0] += gradient**2
        parameter -= rate * gradient / (np.sqrt(memory[0]) + self.epsilon)


class BesideTheRootOfTheAverage(RMSprop):
    def step(self, parameter: np.ndarray, gradient: np.ndarray, memory: list[np.ndarray], rate: float) -> None:
        memory[0] += (1 - self.rho) * (gradient**2 - memory[0])
        parameter -= rate * gradient / (np.sqrt(memory[0]) + self.epsilon)


class AfterTheCorrection(Adam):
    def apply(self, parameters: Any, gradients: Any) -> None:
        self.epsilon = EPSILON * float(np.sqrt(1 - self.beta_2 ** (self.steps + 1)))
        super().apply(parameters, gradients)


# The one term in which PyTorch's differs.
DIFFERENT: dict[str, Callable[[], Optimizer]] = {
    "adagrad": lambda: BesideTheRoot(RATE, 0.0, EPSILON),
    "rmsprop": lambda: BesideTheRootOfTheAverage(RATE, 0.9, EPSILON),
    "adam": lambda: AfterTheCorrection(RATE),
    "nadam": lambda: Nadam(RATE, epsilon=EPSILON, decay=0.004),
}


@pytest.mark.parametrize("name", RULES)
def test_each_of_a_hundred_steps_is_pytorch_s_but_for_one_term(name: str) -> None:
    ours, _, in_torch = RULES[name]
    theirs = walk_torch(in_torch)
    if name in DIFFERENT:
        assert np.abs(walk(ours()) - theirs).max() > 1e-4
        np.testing.assert_allclose(walk(DIFFERENT[name]()), theirs, rtol=0, atol=1e-9)
    else:
        np.testing.assert_allclose(walk(ours()), theirs, rtol=0, atol=1e-9)
