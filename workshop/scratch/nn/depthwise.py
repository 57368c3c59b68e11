"""Depthwise and separable convolutions, one channel at a time, forward beside backward: few weights for much work."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.scratch.nn.convolution import Conv2D, Size, Window, pair
from workshop.scratch.nn.layers import Activation, Shape, glorot_uniform


class DepthwiseConv2D(Window):
    """Slides over each channel a kernel of its own: Y = f(X * W + b), the channels stay apart.

    X is (samples, height, width, channels), W (kernel height, kernel width, channels, 1), b (channels,). It needs
    fewer multiplications than `Conv2D` by a factor of the number of filters; networks for phones are built of it
    (Howard et al. 2017, MobileNets).
    """

    window = "kernel_size"

    def __init__(
        self,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: str = "valid",
        activation: str = "linear",
        use_bias: bool = True,
    ) -> None:
        super().__init__(
            kernel_size=pair(kernel_size),
            strides=pair(strides),
            padding=padding,
            activation=activation,
            use_bias=use_bias,
        )
        self.use_bias = use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Keras does, whose fan-in counts all channels as inputs of a kernel; b starts at zero."""
        rows, columns = self.output_size(input_shape)
        channels, area = input_shape[2], self.size[0] * self.size[1]
        self.parameters["kernel"] = glorot_uniform((*self.size, channels, 1), area * channels, area, random, dtype)
        if self.use_bias:
            self.parameters["bias"] = np.zeros(channels, dtype)
        return rows, columns, channels

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(Z + b); Z sums, for sample n, position (h, w) and channel c, over the cells (i, j) of the window."""
        padded = self.pad(X)
        self._padded_shape = padded.shape
        down, right = self.strides
        # A view: nothing is copied.
        self._windows = sliding_window_view(padded, self.size, axis=(1, 2))[:, ::down, ::right]
        Z = np.einsum("nhwcij,ijc->nhwc", self._windows, self.parameters["kernel"][..., 0])
        if self.use_bias:
            Z += self.parameters["bias"]
        return self.activation.forward(Z)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dW sums the pixels of each cell times dZ; dX sums, for each window cell, dZ times its weights."""
        kernel = self.parameters["kernel"]
        dZ = self.activation.backward(dY)
        self.gradients["kernel"] = np.einsum("nhwcij,nhwc->ijc", self._windows, dZ)[..., None]
        if self.use_bias:
            self.gradients["bias"] = dZ.sum(axis=(0, 1, 2))
        if not needs_input_gradient:
            return dZ
        dpadded = np.zeros(self._padded_shape, dZ.dtype)
        for cell, weights in zip(self.cells(dpadded, *dZ.shape[1:3]), kernel.reshape(-1, dZ.shape[3]), strict=True):
            cell += dZ * weights
        return self.unpad(dpadded)


class SeparableConv2D(Conv2D):
    """A convolution in two steps: a `DepthwiseConv2D` filters each channel, then a 1x1 `Conv2D` mixes the channels.

    It takes the arguments of `Conv2D`; only the second step has an activation and a bias. Its weights are
    depthwise_kernel (kernel height, kernel width, channels, 1), pointwise_kernel (1, 1, channels, filters) and bias
    (filters,).
    """

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Builds both steps; their arrays are this layer's parameters, not copies."""
        self.output_size(input_shape)
        self._depthwise = DepthwiseConv2D(self.size, self.strides, self.padding, use_bias=False)
        self._pointwise = Conv2D(self.filters, 1, activation=self.activation.name, use_bias=self.use_bias)
        shape = self._pointwise.build(self._depthwise.build(input_shape, random, dtype), random, dtype)
        self.parameters = self._named(self._depthwise.parameters, self._pointwise.parameters)
        return shape

    @staticmethod
    def _named(depthwise: dict[str, np.ndarray], pointwise: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the arrays of both steps by Keras' names, in its order."""
        others = {name: array for name, array in pointwise.items() if name != "kernel"}
        return {"depthwise_kernel": depthwise["kernel"], "pointwise_kernel": pointwise["kernel"], **others}

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Depthwise, then pointwise."""
        return self._pointwise.forward(self._depthwise.forward(X, training), training)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Pointwise, then depthwise."""
        dX = self._depthwise.backward(self._pointwise.backward(dY), needs_input_gradient)
        self.gradients = self._named(self._depthwise.gradients, self._pointwise.gradients)
        return dX
