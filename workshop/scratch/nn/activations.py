"""Activation functions: the value, and beside it the gradient that flows back through it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Activation(NamedTuple):
    """An activation function.

    Attributes:
        value: from z, of any shape (softmax: classes last), to a of the same shape.
        backward: from dE/da, a and z to dE/dz. Most derivatives need a alone.
    """

    value: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-z). The exponent is cut off at 88, the largest that float32 holds; the error is below 1e-38."""
    return 1 / (1 + np.exp(np.minimum(-z, 88)))


def _silu_backward(da: np.ndarray, a: np.ndarray, z: np.ndarray) -> np.ndarray:
    # With s = sigmoid(z) and s' = s (1 - s): (z s)' = s + z s (1 - s) = s + a (1 - s).
    s = sigmoid(z)
    return da * (s + a * (1 - s))


def softmax(z: np.ndarray) -> np.ndarray:
    """e^z / sum e^z over the last axis. Subtracting the largest z first changes nothing but prevents overflow."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _softmax_backward(da: np.ndarray, a: np.ndarray, z: np.ndarray) -> np.ndarray:
    # d a_i / d z_j = a_i (1[i=j] - a_j); multiplied by dE/da_i and summed over i, that is this.
    return a * (da - (da * a).sum(axis=-1, keepdims=True))


def _step(z: np.ndarray) -> np.ndarray:
    return (z >= 0).astype(z.dtype)


def _no_gradient(da: np.ndarray, a: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.zeros_like(z)


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda z: z, lambda da, a, z: da),
    "sigmoid": Activation(sigmoid, lambda da, a, z: da * a * (1 - a)),
    "tanh": Activation(np.tanh, lambda da, a, z: da * (1 - a * a)),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda da, a, z: da * (a > 0)),
    "relu6": Activation(lambda z: np.clip(z, 0, 6), lambda da, a, z: da * ((z > 0) & (z < 6))),
    # Keras' own slope for "leaky_relu" by name is 0.2; PyTorch's default is 0.01.
    "leaky_relu": Activation(
        lambda z: np.maximum(z, 0.2 * z),
        lambda da, a, z: np.where(z > 0, da, 0.2 * da),
    ),
    "silu": Activation(lambda z: z * sigmoid(z), _silu_backward),
    "softmax": Activation(softmax, _softmax_backward),
    "step": Activation(_step, _no_gradient),
    "hardlims": Activation(lambda z: 2 * _step(z) - 1, _no_gradient),
    "satlin": Activation(lambda z: np.clip(z, 0, 1), lambda da, a, z: da * ((z > 0) & (z < 1))),
    "radbas": Activation(lambda z: np.exp(-z * z), lambda da, a, z: da * -2 * z * a),
}
