"""Layers for images without weights: pooling, up-sampling and zero padding, forward beside backward."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.scratch.nn.convolution import Size, Window, pair
from workshop.scratch.nn.layers import Layer, Shape


class ZeroPadding2D(Layer):
    """Puts zeros around the image: `padding` is [[top, bottom], [left, right]]."""

    def __init__(self, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1))) -> None:
        (self.top, self.bottom), (self.left, self.right) = padding
        super().__init__(padding=[[self.top, self.bottom], [self.left, self.right]])

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates nothing: there are no parameters."""
        if len(input_shape) != 3:
            raise self.refuse(input_shape, "(height, width, channels)")
        height, width, channels = input_shape
        return self.top + height + self.bottom, self.left + width + self.right, channels

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """X in the middle of zeros."""
        self._shape = X.shape
        return np.pad(X, ((0, 0), (self.top, self.bottom), (self.left, self.right), (0, 0)))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The gradients of the zeros are dropped."""
        return dY[:, self.top : self.top + self._shape[1], self.left : self.left + self._shape[2]]


class UpSampling2D(Layer):
    """Makes images larger: each pixel becomes a block of `size` equal ones."""

    def __init__(self, size: Size = (2, 2)) -> None:
        super().__init__(size=pair(size))
        self.rows, self.columns = pair(size)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates nothing: there are no parameters."""
        if len(input_shape) != 3:
            raise self.refuse(input_shape, "(height, width, channels)")
        height, width, channels = input_shape
        return self.rows * height, self.columns * width, channels

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Each row and each column repeated."""
        return X.repeat(self.rows, axis=1).repeat(self.columns, axis=2)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The gradient of a pixel is the sum over its block."""
        samples, height, width, channels = dY.shape
        blocks = samples, height // self.rows, self.rows, width // self.columns, self.columns, channels
        return dY.reshape(blocks).sum(axis=(2, 4))


class _GlobalPooling(Layer):
    """The base class of poolings over all positions."""

    axes = 2  # of positions

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates nothing: there are no parameters."""
        if len(input_shape) != self.axes + 1:
            raise self.refuse(input_shape, "(height, width, channels)" if self.axes == 2 else "(steps, features)")
        return input_shape[-1:]

    @property
    def _positions(self) -> tuple[int, ...]:
        return tuple(range(1, self.axes + 1))


class GlobalAveragePooling2D(_GlobalPooling):
    """(samples, height, width, channels) -> (samples, channels): the mean of each channel over the image."""

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = mean over the positions."""
        self._shape = X.shape
        return X.mean(axis=self._positions)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Every position gets an equal share."""
        positions = math.prod(self._shape[1:-1])
        shares = np.expand_dims(dY / positions, self._positions)
        return np.broadcast_to(shares, self._shape)


class GlobalAveragePooling1D(GlobalAveragePooling2D):
    """(samples, steps, features) -> (samples, features): the mean of each feature over the steps."""

    axes = 1


class GlobalMaxPooling2D(_GlobalPooling):
    """(samples, height, width, channels) -> (samples, channels): the largest number of each channel."""

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = max over the positions."""
        self._X, self._Y = X, X.max(axis=self._positions)
        return self._Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX is dY where X is the largest, in equal shares where several are; else 0."""
        is_largest = np.expand_dims(self._Y, self._positions) == self._X
        shares = dY / is_largest.sum(axis=self._positions)
        return is_largest * np.expand_dims(shares, self._positions)


class GlobalMaxPooling1D(GlobalMaxPooling2D):
    """(samples, steps, features) -> (samples, features): the largest number of each feature."""

    axes = 1


class Pooling(Window):
    """The base of both kinds of pooling; the window moves by its own size unless `strides` is given."""

    window = "pool_size"

    def __init__(self, pool_size: Size = (2, 2), strides: Size | None = None, padding: str = "valid") -> None:
        size = pair(pool_size)
        super().__init__(pool_size=size, strides=size if strides is None else pair(strides), padding=padding)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates nothing: there are no parameters."""
        return (*self.output_size(input_shape), input_shape[2])


class MaxPooling2D(Pooling):
    """Y is the largest number in each window; the gradient goes back to the position of that number."""

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = max over the window."""
        self._padded = self.pad(X, value=-np.inf)
        first, *others = self.cells(self._padded, *self.output_size(X.shape[1:]))
        self._Y = first.copy()
        for cell in others:
            np.maximum(self._Y, cell, out=self._Y)
        return self._Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX is dY where X was the largest of its window, the first where several are equal; else 0."""
        dpadded = np.zeros(self._padded.shape, dY.dtype)
        size = dY.shape[1:3]
        is_free = np.ones(dY.shape, bool)  # its gradient has gone to no cell yet
        for cell, dcell in zip(self.cells(self._padded, *size), self.cells(dpadded, *size), strict=True):
            is_largest = is_free & (cell == self._Y)
            is_free ^= is_largest
            if self.overlaps:
                dcell += dY * is_largest
            else:  # no window has written there, and writing takes half as long as adding
                dcell[...] = dY * is_largest
        return self.unpad(dpadded)


class AveragePooling2D(Pooling):
    """Y is the mean of each window, counting only cells inside the image, as Keras does (PyTorch counts the zeros)."""

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = sum over the window / cells of it that lie inside the image."""
        size = self.output_size(X.shape[1:])
        first, *others = self.cells(self.pad(np.ones_like(X[:1, :, :, :1])), *size)
        self._counts = sum(others, first)
        padded = self.pad(X)
        self._padded_shape = padded.shape
        first, *others = self.cells(padded, *size)
        return sum(others, first) / self._counts

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Every cell of a window gets an equal share."""
        dpadded = np.zeros(self._padded_shape, dY.dtype)
        share = dY / self._counts
        for cell in self.cells(dpadded, *dY.shape[1:3]):
            cell += share
        return self.unpad(dpadded)
