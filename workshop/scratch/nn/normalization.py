"""Layer normalisation, which asks no other sample: the same in training and in inference."""

from typing import Any

import numpy as np

from workshop.scratch.nn.layers import Layer, Shape


class LayerNormalization(Layer):
    """Y = gamma (X - mean) / sqrt(variance + epsilon) + beta, both over the last axis of each sample.

    Ba, Kiros and Hinton 2016, arXiv:1607.06450. Keras' epsilon is 0.001, PyTorch's 0.00001. Batch normalisation, in
    `regularization`, has mean and variance over the samples.
    """

    def __init__(self, axis: int = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True) -> None:
        super().__init__(axis=axis, epsilon=epsilon, center=center, scale=scale)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """gamma starts at 1, beta at 0."""
        if self.axis not in (-1, len(input_shape)):
            raise self.refuse(input_shape, f"axis = -1, the last one, not {self.axis}")
        if self.scale:
            self.parameters["gamma"] = np.ones(input_shape[-1], dtype)
        if self.center:
            self.parameters["beta"] = np.zeros(input_shape[-1], dtype)
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = gamma normalised + beta."""
        variance = X.var(axis=-1, keepdims=True)
        self._scale = 1 / np.sqrt(variance + X.dtype.type(self.epsilon))
        self._normalised = (X - X.mean(axis=-1, keepdims=True)) * self._scale
        Y = self._normalised * self.parameters["gamma"] if self.scale else self._normalised
        return Y + self.parameters["beta"] if self.center else Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """X also changes its own mean and variance: the gradients through both are subtracted."""
        axes = tuple(range(dY.ndim - 1))
        if self.center:
            self.gradients["beta"] = dY.sum(axis=axes)
        if self.scale:
            self.gradients["gamma"] = (dY * self._normalised).sum(axis=axes)
            dY = dY * self.parameters["gamma"]
        through_mean = dY.mean(axis=-1, keepdims=True)
        through_variance = self._normalised * (dY * self._normalised).mean(axis=-1, keepdims=True)
        return (dY - through_mean - through_variance) * self._scale
