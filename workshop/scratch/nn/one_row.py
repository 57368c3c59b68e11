"""Convolution and pooling of sequences: a sequence of steps is an image of one row, so the layers for images do it.

Steps are the image's columns: (steps, features) becomes (1, steps, features) on the way in, and back on the way out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Layer, Shape
from workshop.scratch.nn.pooling import AveragePooling2D, MaxPooling2D, Pooling, UpSampling2D, ZeroPadding2D

Length = int | Sequence[int]  # one number, which Keras also has as [number]


def one(length: Length) -> int:
    """Returns the number."""
    if isinstance(length, int):
        return length
    (number,) = length
    return number


class InOneRow(Layer):
    """Stands before the layer for images among the bases of a class, and gives it sequences as images of one row."""

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Builds the layer for images (1, steps, features)."""
        if len(input_shape) != 2:
            raise self.refuse(input_shape, "(steps, features)")
        _, *shape = super().build((1, *input_shape), random, dtype)
        return tuple(shape)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """As the layer for images."""
        return super().forward(X[:, None], training)[:, 0]

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """As the layer for images."""
        return super().backward(dY[:, None], needs_input_gradient)[:, 0]


class Conv1D(InOneRow, Conv2D):
    """Slides `filters` kernels over the steps: Y = f(X * W + b); W is (kernel size, features, filters).

    With the padding "causal", of WaveNet (van den Oord and others 2016), a step's output depends on no later step. With
    a `dilation_rate` the steps that a kernel sees lie apart.
    """

    paddings = ("valid", "same", "causal")

    def __init__(
        self,
        filters: int,
        kernel_size: Length,
        strides: Length = 1,
        padding: str = "valid",
        activation: str = "linear",
        use_bias: bool = True,
        dilation_rate: Length = 1,
    ) -> None:
        size, step, apart = one(kernel_size), one(strides), one(dilation_rate)
        super().__init__(filters, (1, size), (1, step), padding, activation, use_bias, (1, apart))
        self.settings |= {"kernel_size": [size], "strides": [step]}
        if apart != 1:
            self.settings["dilation_rate"] = [apart]

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        shape = super().build(input_shape, random, dtype)
        self.parameters["kernel"] = self.parameters["kernel"][0]
        return shape


class _Pooling1D(InOneRow, Pooling):
    """The arguments that both poolings of sequences take."""

    def __init__(self, pool_size: Length = 2, strides: Length | None = None, padding: str = "valid") -> None:
        size = one(pool_size)
        step = size if strides is None else one(strides)
        super().__init__((1, size), (1, step), padding)
        self.settings |= {"pool_size": [size], "strides": [step]}


class MaxPooling1D(_Pooling1D, MaxPooling2D):
    """Y is the largest number in each window of steps."""


class AveragePooling1D(_Pooling1D, AveragePooling2D):
    """Y is the mean of each window of steps, counting only those that there are."""


class UpSampling1D(InOneRow, UpSampling2D):
    """Makes sequences longer: each step becomes `size` equal ones."""

    def __init__(self, size: int = 2) -> None:
        super().__init__((1, size))
        self.settings = {"size": size}


class ZeroPadding1D(InOneRow, ZeroPadding2D):
    """Puts zeros before and after the steps: `padding` is [before, after]."""

    def __init__(self, padding: Sequence[int] = (1, 1)) -> None:
        super().__init__(((0, 0), tuple(padding)))
        self.settings = {"padding": list(padding)}
