"""Layers for images: convolutions, padding and pooling, forward beside backward."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.kit.architecture import window_places
from workshop.kit.errors import WorkshopError
from workshop.scratch.layers import Activation, Layer, Shape, glorot_uniform

Size = int | Sequence[int]  # (height, width), or one number for both


def pair(size: Size) -> list[int]:
    """Returns [height, width]."""
    return [size, size] if isinstance(size, int) else list(size)


def padding_of(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """Returns how many zeros go before and after an axis: none if "valid"; if "same", so that the output has
    ceil(size / stride) places, the odd zero after (TensorFlow's rule; PyTorch's is symmetric).
    """  # fmt: skip
    if padding == "valid":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


class _Window(Layer):
    """What convolution and pooling share: a window that moves in steps over padded images.

    Attributes:
        size, strides, padding: of the window, and how it moves; `settings` has the size under the name in `window`.
    """

    window = ""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.size, self.strides, self.padding = settings[self.window], settings["strides"], settings["padding"]
        if self.padding not in ("valid", "same"):
            raise WorkshopError(f"padding = {self.padding!r} is not known; known are 'valid' and 'same'")

    @property
    def overlaps(self) -> bool:
        """Whether two windows can share a cell."""
        return any(window > stride for window, stride in zip(self.size, self.strides, strict=True))

    def places(self, shape: Shape) -> tuple[int, int]:
        """Returns in how many (rows, columns) of places the window lies over an image (height, width, channels)."""
        if len(shape) != 3:
            raise self.refuse(shape, "(height, width, channels)")
        return window_places(self.settings, shape, self.window)

    def pad(self, X: np.ndarray, value: float = 0.0) -> np.ndarray:
        """Returns X (samples, height, width, channels) with its border."""
        self._shape = X.shape
        self._border = [
            padding_of(n, window, stride, self.padding)
            for n, window, stride in zip(X.shape[1:3], self.size, self.strides, strict=True)
        ]
        if not np.any(self._border):
            return X
        return np.pad(X, ((0, 0), *self._border, (0, 0)), constant_values=value)

    def unpad(self, padded: np.ndarray) -> np.ndarray:
        """Takes the border away again."""
        (top, _), (left, _) = self._border
        return padded[:, top : top + self._shape[1], left : left + self._shape[2]]

    def cells(self, padded: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
        """Returns for each cell of the window, row by row, a view of what it sees from all (rows, columns) places."""
        down, right = self.strides
        return [
            padded[:, i : i + down * rows : down, j : j + right * columns : right] for i, j in np.ndindex(*self.size)
        ]


class Conv2D(_Window):
    """Slides `filters` kernels over the image: Y = f(X * W + b), cross-correlation as every library has it.

    X is (samples, height, width, channels), W (kernel height, kernel width, channels, filters), b (filters,). Each
    place's window is laid out as one row (im2col), so that the whole layer is one product of matrices.
    """

    window = "kernel_size"

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: str = "valid",
        activation: str = "linear",
        use_bias: bool = True,
    ) -> None:
        super().__init__(
            filters=filters, kernel_size=pair(kernel_size), strides=pair(strides), padding=padding,
            activation=activation, use_bias=use_bias,
        )  # fmt: skip
        self.filters, self.use_bias = filters, use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        rows, columns = self.places(input_shape)
        channels, area = input_shape[2], self.size[0] * self.size[1]
        self.parameters["kernel"] = glorot_uniform(
            (*self.size, channels, self.filters), area * channels, area * self.filters, random, dtype
        )
        if self.use_bias:
            self.parameters["bias"] = np.zeros(self.filters, dtype)
        return rows, columns, self.filters

    def windows(self, padded: np.ndarray) -> np.ndarray:
        """Returns a row for each place of each image, its cells in the kernel's order: row, column, channel.

        In memory the columns of a window's row lie side by side with their channels: a row of the window is copied as
        one piece, from an image whose columns and channels are one axis.
        """
        samples, height, width, channels = padded.shape
        (kernel_height, kernel_width), (down, right) = self.size, self.strides
        merged = padded.reshape(samples, height, width * channels)
        windows = sliding_window_view(merged, (kernel_height, kernel_width * channels), axis=(1, 2))
        return windows[:, ::down, :: right * channels].reshape(-1, kernel_height * kernel_width * channels)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(rows W + b), one row of window cells for each place of each image."""
        padded = self.pad(X)
        self._padded_shape = padded.shape
        self._rows = self.windows(padded)
        Z = self._rows @ self.parameters["kernel"].reshape(-1, self.filters)
        if self.use_bias:
            Z += self.parameters["bias"]
        return self.activation.forward(Z.reshape(len(X), *self.places(X.shape[1:]), self.filters))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dW = rows^T dZ, db = sum of dZ over places; dX adds up, for each window cell, what its places ask for."""
        kernel = self.parameters["kernel"]
        dZ = self.activation.backward(dY)
        flat = dZ.reshape(-1, self.filters)
        self.gradients["kernel"] = (self._rows.T @ flat).reshape(kernel.shape)
        if self.use_bias:
            # A product with ones is the sum over the places, and several times faster.
            self.gradients["bias"] = np.ones(len(flat), flat.dtype) @ flat
        if not needs_input_gradient:
            return dZ
        dpadded = np.zeros(self._padded_shape, dZ.dtype)
        cells = self.cells(dpadded, *dZ.shape[1:3])
        for cell, weights in zip(cells, kernel.reshape(-1, *kernel.shape[2:]), strict=True):
            cell += (flat @ weights.T).reshape(cell.shape)
        return self.unpad(dpadded)


class DepthwiseConv2D(_Window):
    """Slides over each channel a kernel of its own: Y = f(X * W + b), no channel sees another.

    X is (samples, height, width, channels), W (kernel height, kernel width, channels, 1), b (channels,). That takes as
    many times fewer multiplications than `Conv2D` as there are filters there; networks for phones are built of it
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
            kernel_size=pair(kernel_size), strides=pair(strides), padding=padding, activation=activation,
            use_bias=use_bias,
        )  # fmt: skip
        self.use_bias = use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Keras does, which takes all channels for inputs of a kernel; b starts at zero."""
        rows, columns = self.places(input_shape)
        channels, area = input_shape[2], self.size[0] * self.size[1]
        self.parameters["kernel"] = glorot_uniform((*self.size, channels, 1), area * channels, area, random, dtype)
        if self.use_bias:
            self.parameters["bias"] = np.zeros(channels, dtype)
        return rows, columns, channels

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(Z + b); Z sums, for each sample n, place (h, w) and channel c, over the cells (i, j) of its window."""
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
        """dW sums what each cell saw times dZ; dX adds up, for each window cell, what its places ask for."""
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


class SeparableConv2D(_Window):
    """A convolution in two steps: a `DepthwiseConv2D` looks around, then a 1x1 `Conv2D` mixes the channels.

    Only the second has an activation and a bias. Its weights are depthwise_kernel (kernel height, kernel width,
    channels, 1), pointwise_kernel (1, 1, channels, filters) and bias (filters,).
    """

    window = "kernel_size"

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: str = "valid",
        activation: str = "linear",
        use_bias: bool = True,
    ) -> None:
        super().__init__(
            filters=filters, kernel_size=pair(kernel_size), strides=pair(strides), padding=padding,
            activation=activation, use_bias=use_bias,
        )  # fmt: skip
        self._depthwise = DepthwiseConv2D(kernel_size, strides, padding, use_bias=False)
        self._pointwise = Conv2D(filters, 1, activation=activation, use_bias=use_bias)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Builds both steps; their arrays are this layer's parameters, not copies."""
        self.places(input_shape)
        shape = self._pointwise.build(self._depthwise.build(input_shape, random, dtype), random, dtype)
        self.parameters = self._named(self._depthwise.parameters, self._pointwise.parameters)
        return shape

    @staticmethod
    def _named(depthwise: dict[str, np.ndarray], pointwise: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the arrays of both steps by Keras' names, in its order."""
        others = {name: array for name, array in pointwise.items() if name != "kernel"}
        return {"depthwise_kernel": depthwise["kernel"], "pointwise_kernel": pointwise["kernel"], **others}

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """One step after the other."""
        return self._pointwise.forward(self._depthwise.forward(X, training), training)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """One step before the other."""
        dX = self._depthwise.backward(self._pointwise.backward(dY), needs_input_gradient)
        self.gradients = self._named(self._depthwise.gradients, self._pointwise.gradients)
        return dX


class ZeroPadding2D(Layer):
    """Puts zeros around the image: `padding` is [[top, bottom], [left, right]]."""

    def __init__(self, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1))) -> None:
        (self.top, self.bottom), (self.left, self.right) = padding
        super().__init__(padding=[[self.top, self.bottom], [self.left, self.right]])

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Nothing to make."""
        if len(input_shape) != 3:
            raise self.refuse(input_shape, "(height, width, channels)")
        height, width, channels = input_shape
        return self.top + height + self.bottom, self.left + width + self.right, channels

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """X in the middle of zeros."""
        self._shape = X.shape
        return np.pad(X, ((0, 0), (self.top, self.bottom), (self.left, self.right), (0, 0)))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The zeros get no blame."""
        return dY[:, self.top : self.top + self._shape[1], self.left : self.left + self._shape[2]]


class GlobalAveragePooling2D(Layer):
    """(samples, height, width, channels) -> (samples, channels): the mean of each channel over the image."""

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Nothing to make."""
        if len(input_shape) != 3:
            raise self.refuse(input_shape, "(height, width, channels)")
        return input_shape[2:]

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = mean over the places."""
        self._shape = X.shape
        return X.mean(axis=(1, 2))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Every place gets an equal share."""
        share = dY / (self._shape[1] * self._shape[2])
        return np.broadcast_to(share[:, None, None], self._shape)


class _Pooling(_Window):
    """What both kinds of pooling share; the window moves by its own size unless `strides` says otherwise."""

    window = "pool_size"

    def __init__(self, pool_size: Size = (2, 2), strides: Size | None = None, padding: str = "valid") -> None:
        size = pair(pool_size)
        super().__init__(pool_size=size, strides=size if strides is None else pair(strides), padding=padding)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Nothing to make."""
        return (*self.places(input_shape), input_shape[2])


class MaxPooling2D(_Pooling):
    """Y is the largest number in each window; the gradient goes back to the place that it came from."""

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = max over the window."""
        self._padded = self.pad(X, value=-np.inf)
        first, *others = self.cells(self._padded, *self.places(X.shape[1:]))
        self._Y = first.copy()
        for cell in others:
            np.maximum(self._Y, cell, out=self._Y)
        return self._Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX is dY where X was the largest of its window, the first one where two are equal; else 0."""
        dpadded = np.zeros(self._padded.shape, dY.dtype)
        places = dY.shape[1:3]
        is_free = np.ones(dY.shape, bool)  # whose gradient no cell has taken yet
        for cell, dcell in zip(self.cells(self._padded, *places), self.cells(dpadded, *places), strict=True):
            is_largest = is_free & (cell == self._Y)
            is_free ^= is_largest
            if self.overlaps:
                dcell += dY * is_largest
            else:  # no window has written there, and writing takes half as long as adding
                dcell[...] = dY * is_largest
        return self.unpad(dpadded)


class AveragePooling2D(_Pooling):
    """Y is the mean of each window, counting only cells inside the image, as Keras does (PyTorch counts the zeros)."""

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = sum over the window / cells of it that lie inside the image."""
        places = self.places(X.shape[1:])
        first, *others = self.cells(self.pad(np.ones_like(X[:1, :, :, :1])), *places)
        self._counts = sum(others, first)
        padded = self.pad(X)
        self._padded_shape = padded.shape
        first, *others = self.cells(padded, *places)
        return sum(others, first) / self._counts

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Every cell of a window gets an equal share."""
        dpadded = np.zeros(self._padded_shape, dY.dtype)
        share = dY / self._counts
        for cell in self.cells(dpadded, *dY.shape[1:3]):
            cell += share
        return self.unpad(dpadded)
