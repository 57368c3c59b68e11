"""The convolution, forward beside backward, and the sliding window that it shares with all layers for images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.image_layer_specs import output_size
from workshop.scratch.nn.layers import Activation, Layer, Shape, glorot_uniform

Size = int | Sequence[int]  # (height, width), or one number for both


def pair(size: Size) -> list[int]:
    """Returns [height, width]."""
    return [size, size] if isinstance(size, int) else list(size)


def pad_widths(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """Returns the number of zeros before and after an axis.

    None if "valid"; if "same", as many as give the output ceil(size / stride) positions, the odd one after
    (TensorFlow's rule; PyTorch's is symmetric). If "causal", all of them before: no position then sees a later one.
    """
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return window - 1, 0
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


class Window(Layer):
    """The base of convolution and pooling: a window that moves in steps over padded images.

    Attributes:
        size, strides, padding: of the window, and how it moves; `settings` has the size under the name in `window`.
        dilation: how far apart the window's cells lie: 1 for a window without holes.
        span: the rows and columns from the window's first cell to its last.
    """

    window = ""
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.size, self.strides, self.padding = settings[self.window], settings["strides"], settings["padding"]
        self.dilation = settings.get("dilation_rate", [1, 1])
        self.span = [(cells - 1) * apart + 1 for cells, apart in zip(self.size, self.dilation, strict=True)]
        if self.padding not in self.paddings:
            known = " and ".join(map(repr, self.paddings))
            raise WorkshopError(f"padding = {self.padding!r} is not known; known are {known}")

    @property
    def overlaps(self) -> bool:
        """Whether two windows can share a pixel."""
        return any(window > stride for window, stride in zip(self.size, self.strides, strict=True))

    def output_size(self, shape: Shape) -> Shape:
        """Returns the (rows, columns) of positions that the window takes on an image (height, width, channels)."""
        if len(shape) != 3:
            raise self.refuse(shape, "(height, width, channels)")
        moves = {"strides": self.strides, "padding": self.padding, "dilation_rate": self.dilation}
        return output_size({self.window: self.size, **moves}, shape, self.window)

    def pad(self, X: np.ndarray, value: float = 0.0) -> np.ndarray:
        """Returns X (samples, height, width, channels), padded."""
        self._shape = X.shape
        self._border = [
            pad_widths(n, span, stride, self.padding)
            for n, span, stride in zip(X.shape[1:3], self.span, self.strides, strict=True)
        ]
        if not np.any(self._border):
            return X
        return np.pad(X, ((0, 0), *self._border, (0, 0)), constant_values=value)

    def unpad(self, padded: np.ndarray) -> np.ndarray:
        """Returns a padded array without its padding."""
        (top, _), (left, _) = self._border
        return padded[:, top : top + self._shape[1], left : left + self._shape[2]]

    def cells(self, padded: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
        """Returns, for each cell of the window, row by row, a view of its pixels at all (rows, columns) positions."""
        (down, right), (below, beside) = self.strides, self.dilation
        return [
            padded[:, i * below : i * below + down * rows : down, j * beside : j * beside + right * columns : right]
            for i, j in np.ndindex(*self.size)
        ]


class Conv2D(Window):
    """Slides `filters` kernels over the image: Y = f(X * W + b), cross-correlation as every library has it.

    X is (samples, height, width, channels), W (kernel height, kernel width, channels, filters), b (filters,). The
    window at each position is laid out as one row (im2col), so that the whole layer is one matrix product.
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
        dilation_rate: Size = (1, 1),
    ) -> None:
        # Said only where it is not 1, as in the description.
        apart = {} if pair(dilation_rate) == [1, 1] else {"dilation_rate": pair(dilation_rate)}
        super().__init__(
            filters=filters,
            kernel_size=pair(kernel_size),
            strides=pair(strides),
            padding=padding,
            activation=activation,
            use_bias=use_bias,
            **apart,
        )
        self.filters, self.use_bias = filters, use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        rows, columns = self.output_size(input_shape)
        channels, area = input_shape[2], self.size[0] * self.size[1]
        self.parameters["kernel"] = glorot_uniform(
            (*self.size, channels, self.filters), area * channels, area * self.filters, random, dtype
        )
        if self.use_bias:
            self.parameters["bias"] = np.zeros(self.filters, dtype)
        return rows, columns, self.filters

    def windows(self, padded: np.ndarray) -> np.ndarray:
        """Returns a row for each position in each image, its cells in the kernel's order: row, column, channel.

        In memory the columns of a window's row lie side by side with their channels: a row of the window is copied as
        one piece, from an image whose columns and channels are one axis.
        """
        samples, height, width, channels = padded.shape
        (kernel_height, kernel_width), (down, right) = self.size, self.strides
        if self.dilation != [1, 1]:
            below, beside = self.dilation
            windows = sliding_window_view(padded, self.span, axis=(1, 2))[:, ::down, ::right, :, ::below, ::beside]
            return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel_height * kernel_width * channels)
        merged = padded.reshape(samples, height, width * channels)
        windows = sliding_window_view(merged, (kernel_height, kernel_width * channels), axis=(1, 2))
        return windows[:, ::down, :: right * channels].reshape(-1, kernel_height * kernel_width * channels)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(rows W + b), one row of window cells for each position in each image."""
        padded = self.pad(X)
        self._padded_shape = padded.shape
        self._rows = self.windows(padded)
        Z = self._rows @ self.parameters["kernel"].reshape(-1, self.filters)
        if self.use_bias:
            Z += self.parameters["bias"]
        return self.activation.forward(Z.reshape(len(X), *self.output_size(X.shape[1:]), self.filters))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dW = rows^T dZ, db = sum of dZ over positions; dX sums, for each window cell, dZ times its weights."""
        kernel = self.parameters["kernel"]
        dZ = self.activation.backward(dY)
        flat = dZ.reshape(-1, self.filters)
        self.gradients["kernel"] = (self._rows.T @ flat).reshape(kernel.shape)
        if self.use_bias:
            # A product with ones is the sum over the positions, and several times faster.
            self.gradients["bias"] = np.ones(len(flat), flat.dtype) @ flat
        if not needs_input_gradient:
            return dZ
        dpadded = np.zeros(self._padded_shape, dZ.dtype)
        cells = self.cells(dpadded, *dZ.shape[1:3])
        for cell, weights in zip(cells, kernel.reshape(-1, *kernel.shape[-2:]), strict=True):
            cell += (flat @ weights.T).reshape(cell.shape)
        return self.unpad(dpadded)
