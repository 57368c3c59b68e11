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


def _expm1_below(z: np.ndarray) -> np.ndarray:
    """e^z - 1 where z is below 0, else 0; expm1 keeps the digits of small z, and the others never overflow."""
    return np.expm1(np.minimum(z, 0))


def elu(z: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """z above 0, alpha (e^z - 1) below (Clevert, Unterthiner and Hochreiter 2016, arXiv:1511.07289)."""
    return np.maximum(z, 0) + alpha * _expm1_below(z)


def elu_backward(da: np.ndarray, a: np.ndarray, z: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """1 above 0; below, (alpha (e^z - 1))' = alpha e^z = a + alpha."""
    return da * np.where(z > 0, 1, a + alpha)


# The fixed point of the paper: with them numbers of mean 0 and variance 1 keep both from layer to layer.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _selu(z: np.ndarray) -> np.ndarray:
    """A multiple of an elu (Klambauer and others 2017, Self-Normalizing Neural Networks, arXiv:1706.02515)."""
    return SELU_SCALE * elu(z, SELU_ALPHA)


def _selu_backward(da: np.ndarray, a: np.ndarray, z: np.ndarray) -> np.ndarray:
    return da * np.where(z >= 0, SELU_SCALE, a + SELU_SCALE * SELU_ALPHA)


def _normal_cdf(z: np.ndarray) -> np.ndarray:
    """P(z), the share of the standard normal distribution that lies below z."""
    from scipy.special import ndtr

    return np.asarray(ndtr(z))


def _gelu(z: np.ndarray) -> np.ndarray:
    """z P(z) (Hendrycks and Gimpel 2016, arXiv:1606.08415): exact, as Keras and PyTorch have it, not the tanh."""
    return z * _normal_cdf(z)


def _gelu_backward(da: np.ndarray, a: np.ndarray, z: np.ndarray) -> np.ndarray:
    # (z P)' = P + z P', and P' is the normal density.
    return da * (_normal_cdf(z) + z * np.exp(-0.5 * z * z) * (2 * np.pi) ** -0.5)


def _softplus(z: np.ndarray) -> np.ndarray:
    """log(1 + e^z), a smooth relu (Dugas and others 2001). logaddexp does not overflow: log(e^0 + e^z)."""
    return np.logaddexp(z.dtype.type(0), z)


def _softsign_backward(da: np.ndarray, a: np.ndarray, z: np.ndarray) -> np.ndarray:
    # (z / (1 + |z|))' = 1 / (1 + |z|)^2 = (1 - |a|)^2.
    return da * (1 - np.abs(a)) ** 2


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
    # Also called swish (Ramachandran, Zoph and Le 2017, arXiv:1710.05941).
    "silu": Activation(lambda z: z * sigmoid(z), _silu_backward),
    "elu": Activation(elu, elu_backward),
    "selu": Activation(_selu, _selu_backward),
    "gelu": Activation(_gelu, _gelu_backward),
    "softplus": Activation(_softplus, lambda da, a, z: da * sigmoid(z)),
    # Like tanh, but it nears -1 and 1 slowly (Bergstra and others 2009; Glorot and Bengio 2010).
    "softsign": Activation(lambda z: z / (1 + np.abs(z)), _softsign_backward),
    "exponential": Activation(np.exp, lambda da, a, z: da * a),
    # Three straight lines in the place of the sigmoid, relu6(z + 3) / 6 (Howard and others 2019, MobileNetV3). Before
    # Keras 3 it was that of Courbariaux, Bengio and David 2015, with the slope 0.2.
    "hard_sigmoid": Activation(
        lambda z: np.clip(z / 6 + 0.5, 0, 1),
        lambda da, a, z: da * (np.abs(z) < 3) / 6,
    ),
    "softmax": Activation(softmax, _softmax_backward),
    "step": Activation(_step, _no_gradient),
    "hardlims": Activation(lambda z: 2 * _step(z) - 1, _no_gradient),
    "satlin": Activation(lambda z: np.clip(z, 0, 1), lambda da, a, z: da * ((z > 0) & (z < 1))),
    "radbas": Activation(lambda z: np.exp(-z * z), lambda da, a, z: da * -2 * z * a),
}
