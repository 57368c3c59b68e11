"""Layers that change the shape of their input, not its values: they have no parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.scratch.nn.layers import Layer, Shape


class Flatten(Layer):
    """(samples, height, width, channels) -> (samples, height * width * channels), row-major: channels vary fastest."""

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates nothing: there are no parameters."""
        return (int(np.prod(input_shape)),)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The same values, one row a sample."""
        self._shape = X.shape
        return X.reshape(len(X), -1)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The same values in the input's shape."""
        return dY.reshape(self._shape)


class Reshape(Layer):
    """The same values in another shape, say a row of 784 as an image (28, 28, 1); -1 stands for the remaining size."""

    def __init__(self, target_shape: Sequence[int]) -> None:
        super().__init__(target_shape=list(target_shape))
        self.target_shape = tuple(target_shape)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates nothing: there are no parameters."""
        try:
            return np.empty(input_shape, np.uint8).reshape(self.target_shape).shape
        except ValueError as error:
            raise self.refuse(input_shape, f"as many numbers as fill {self.target_shape}") from error

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The same values in the target shape."""
        self._shape = X.shape
        return X.reshape(len(X), *self.target_shape)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The same values in the input's shape."""
        return dY.reshape(self._shape)


class RepeatVector(Layer):
    """(samples, features) -> (samples, n, features): the same features at each of n steps, for a recurrent decoder."""

    def __init__(self, n: int) -> None:
        super().__init__(n=n)
        self.n = n

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates nothing: there are no parameters."""
        if len(input_shape) != 1:
            raise self.refuse(input_shape, "(features,)")
        return (self.n, *input_shape)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The same row n times."""
        return X[:, None].repeat(self.n, axis=1)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The gradient of a row is the sum over its steps."""
        return dY.sum(axis=1)
