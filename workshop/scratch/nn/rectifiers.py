"""Activations with settings or weights of their own, as layers: relus with a slope below zero, and the elu."""

from typing import Any

import numpy as np

from workshop.scratch.nn.activations import elu, elu_backward
from workshop.scratch.nn.layers import Layer, Shape


class ReLU(Layer):
    """Y = X above the threshold, but at most `max_value`; below it, Y = slope (X - threshold)."""

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0) -> None:
        super().__init__(max_value=max_value, negative_slope=negative_slope, threshold=threshold)
        self.max_value, self.slope, self.threshold = max_value, negative_slope, threshold

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The lines above."""
        self._X = X
        above = X if self.max_value is None else np.minimum(X, self.max_value)
        return np.where(self.threshold < X, above, self.slope * (X - self.threshold))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX = dY above the threshold and below `max_value`, slope dY below the threshold, else 0."""
        rises = True if self.max_value is None else self.max_value > self._X
        return np.where(self.threshold < self._X, dY * rises, dY * dY.dtype.type(self.slope))


class LeakyReLU(ReLU):
    """Y = X above 0, slope X below (Maas, Hannun and Ng 2013): no unit is ever without a gradient.

    Keras' layer has the slope 0.3, its activation "leaky_relu" 0.2, PyTorch's module 0.01.
    """

    def __init__(self, negative_slope: float = 0.3) -> None:
        super().__init__(negative_slope=negative_slope)
        self.settings = {"negative_slope": negative_slope}


class PReLU(Layer):
    """Y = X above 0, alpha X below, alpha being trained (He, Zhang, Ren and Sun 2015, arXiv:1502.01852).

    Args:
        shared_axes: the axes of a batch, from 1, along which there is one alpha: [1, 2] for one of each channel.
    """

    def __init__(self, shared_axes: list[int] | None = None) -> None:
        super().__init__(shared_axes=shared_axes)
        self.shared = tuple(shared_axes or ())

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """alpha starts at 0, as a relu."""
        shape = tuple(1 if axis in self.shared else n for axis, n in enumerate(input_shape, 1))
        self.parameters["alpha"] = np.zeros(shape, dtype)
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The two lines above."""
        self._X = X
        return np.where(X > 0, X, self.parameters["alpha"] * X)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dalpha sums X dY where X is below 0, over the samples and the shared axes; dX = dY, or alpha dY below 0."""
        below = np.minimum(self._X, 0) * dY
        self.gradients["alpha"] = below.sum(axis=(0, *self.shared)).reshape(self.parameters["alpha"].shape)
        return np.where(self._X > 0, dY, self.parameters["alpha"] * dY)


class ELU(Layer):
    """Y = X above 0, alpha (e^X - 1) below: the activation "elu" is the one with alpha 1."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)
        self.alpha = alpha

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The two lines above."""
        self._X, self._Y = X, elu(X, self.alpha)
        return self._Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX = dY above 0, dY (Y + alpha) below."""
        return elu_backward(dY, self._Y, self._X, self.alpha)
