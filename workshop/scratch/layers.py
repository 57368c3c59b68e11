"""Layers: each forward pass stands beside its own backward pass.

A layer keeps what its backward pass needs. `forward` maps a batch X to Y; `backward` takes dE/dY, writes dE/dparameter
into `gradients` and returns dE/dX. Shapes are channels-last, samples first: images are (samples, height, width,
channels), as in Keras.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.scratch.activations import ACTIVATIONS

Shape = tuple[int, ...]


class Layer:
    """A layer without parameters that changes nothing; the others override what they need.

    Attributes:
        parameters: what is trained, by Keras' names ("kernel", "bias").
        state: what is saved but not trained (the moving averages of batch normalisation).
        gradients: dE/dparameter of the last backward pass, by the same names.
    """

    def __init__(self) -> None:
        self.parameters: dict[str, np.ndarray] = {}
        self.state: dict[str, np.ndarray] = {}
        self.gradients: dict[str, np.ndarray] = {}

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Makes the parameters for inputs of this shape (one sample's) and returns the output's shape."""
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns the layer's output for a batch."""
        return X

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Returns dE/dX from dE/dY; the first layer of a network is spared that work."""
        return dY


class Activation(Layer):
    """Y = f(X), one of `activations.ACTIVATIONS`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.function = ACTIVATIONS[name]
        self.passes_on = False  # a loss that is fused with this activation sets it: see Network.backward

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(X)."""
        self._X = X
        self._Y = self.function.value(X)
        return self._Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX = dY f'(X)."""
        if self.passes_on:
            return dY
        return self.function.backward(dY, self._Y, self._X)


def glorot_uniform(shape: Shape, fan_in: int, fan_out: int, random: np.random.Generator, dtype: Any) -> np.ndarray:
    """Draws weights between -l and l, l = sqrt(6 / (fan_in + fan_out)): Glorot and Bengio 2010, Keras' default."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return random.uniform(-limit, limit, shape).astype(dtype)


class Dense(Layer):
    """Y = f(X W + b). X is (samples, inputs), W (inputs, units), b (units,), Y (samples, units)."""

    def __init__(self, units: int, activation: str = "linear", use_bias: bool = True) -> None:
        super().__init__()
        self.units, self.use_bias = units, use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        (inputs,) = input_shape
        self.parameters["kernel"] = glorot_uniform((inputs, self.units), inputs, self.units, random, dtype)
        if self.use_bias:
            self.parameters["bias"] = np.zeros(self.units, dtype)
        return (self.units,)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(X W + b)."""
        self._X = X
        Z = X @ self.parameters["kernel"]
        if self.use_bias:
            Z += self.parameters["bias"]
        return self.activation.forward(Z)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dW = X^T dZ, db = sum of dZ over the samples, dX = dZ W^T."""
        dZ = self.activation.backward(dY)
        self.gradients["kernel"] = self._X.T @ dZ
        if self.use_bias:
            self.gradients["bias"] = dZ.sum(axis=0)
        return dZ @ self.parameters["kernel"].T if needs_input_gradient else dZ


class Flatten(Layer):
    """(samples, height, width, channels) -> (samples, height * width * channels), the channels running fastest."""

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Nothing to make."""
        return (int(np.prod(input_shape)),)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The same numbers in one row a sample."""
        self._shape = X.shape
        return X.reshape(len(X), -1)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The same numbers in their old shape."""
        return dY.reshape(self._shape)


def padding_of(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """Returns how many zeros go before and after an axis: none if "valid"; if "same", so that the output has
    ceil(size / stride) places, the odd zero after (TensorFlow's rule; PyTorch's is symmetric).
    """  # fmt: skip
    if padding == "valid":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


class _Window(Layer):
    """What convolution and pooling share: a window of (height, width) that moves in steps over padded images."""

    def __init__(self, size: tuple[int, int], strides: tuple[int, int], padding: str) -> None:
        super().__init__()
        self.size, self.strides, self.padding = size, strides, padding

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """(n + 2p - f) / s + 1 for each axis, p being what `padding_of` says."""
        places = []
        for n, window, stride in zip((height, width), self.size, self.strides, strict=True):
            padded = n + sum(padding_of(n, window, stride, self.padding))
            if padded < window:
                raise ValueError(f"a window of {self.size} does not fit into an image of {height}x{width}")
            places.append((padded - window) // stride + 1)
        return places[0], places[1]

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

    def windows(self, X: np.ndarray) -> np.ndarray:
        """Returns a view of padded X: (samples, rows, columns, channels, window height, window width), no copy."""
        return sliding_window_view(X, self.size, axis=(1, 2))[:, :: self.strides[0], :: self.strides[1]]

    def part(self, X: np.ndarray, i: int, j: int, rows: int, columns: int) -> np.ndarray:
        """Returns the view of padded X that the window's cell (i, j) sees, over all of its places."""
        down, right = self.strides
        return X[:, i : i + down * rows : down, j : j + right * columns : right]

    def unpad(self, padded: np.ndarray) -> np.ndarray:
        """Takes the border away again."""
        (top, _), (left, _) = self._border
        return padded[:, top : top + self._shape[1], left : left + self._shape[2]]


class Conv2D(_Window):
    """Slides `filters` kernels over the image: Y = f(X * W + b), cross-correlation as every library has it.

    X is (samples, height, width, channels), W (kernel height, kernel width, channels, filters), b (filters,). Each
    place's window is laid out as one row (im2col), so that the whole layer is one product of matrices.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: tuple[int, int],
        strides: tuple[int, int] = (1, 1),
        padding: str = "valid",
        activation: str = "linear",
        use_bias: bool = True,
    ) -> None:
        super().__init__(kernel_size, strides, padding)
        self.filters, self.use_bias = filters, use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        height, width, channels = input_shape
        area = self.size[0] * self.size[1]
        self.parameters["kernel"] = glorot_uniform(
            (*self.size, channels, self.filters), area * channels, area * self.filters, random, dtype
        )
        if self.use_bias:
            self.parameters["bias"] = np.zeros(self.filters, dtype)
        return (*self.output_size(height, width), self.filters)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(rows W + b), one row of window cells for each place of each image."""
        kernel = self.parameters["kernel"]
        padded = self.pad(X)
        self._padded_shape = padded.shape
        rows, columns = self.output_size(*X.shape[1:3])
        # The order of a row's cells is that of the kernel: window row, window column, channel.
        cells = [self.part(padded, i, j, rows, columns) for i, j in np.ndindex(self.size)]
        self._rows = np.stack(cells, axis=3).reshape(-1, kernel[..., 0].size)
        Z = self._rows @ kernel.reshape(-1, self.filters)
        if self.use_bias:
            Z += self.parameters["bias"]
        return self.activation.forward(Z.reshape(len(X), rows, columns, self.filters))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dW = rows^T dZ, db = sum of dZ over places; dX adds up, for each window cell, what its places ask for."""
        kernel = self.parameters["kernel"]
        dZ = self.activation.backward(dY)
        flat = dZ.reshape(-1, self.filters)
        self.gradients["kernel"] = (self._rows.T @ flat).reshape(kernel.shape)
        if self.use_bias:
            self.gradients["bias"] = flat.sum(axis=0)
        if not needs_input_gradient:
            return dZ
        dpadded = np.zeros(self._padded_shape, dZ.dtype)
        dcells = (flat @ kernel.reshape(-1, self.filters).T).reshape(*dZ.shape[:3], -1, kernel.shape[2])
        for cell, (i, j) in enumerate(np.ndindex(self.size)):
            self.part(dpadded, i, j, *dZ.shape[1:3])[...] += dcells[:, :, :, cell]
        return self.unpad(dpadded)


class MaxPooling2D(_Window):
    """Y is the largest number in each window; the gradient goes back to the place that it came from."""

    def __init__(self, pool_size: tuple[int, int], strides: tuple[int, int], padding: str = "valid") -> None:
        super().__init__(pool_size, strides, padding)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Nothing to make."""
        height, width, channels = input_shape
        return (*self.output_size(height, width), channels)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = max over the window; where two are equal, the first one counts."""
        self._padded = self.pad(X, value=-np.inf)
        rows, columns = self.output_size(*X.shape[1:3])
        parts = [self.part(self._padded, i, j, rows, columns) for i, j in np.ndindex(self.size)]
        self._Y = parts[0]
        for part in parts[1:]:
            self._Y = np.maximum(self._Y, part)
        return self._Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX is dY where X was the largest of its window, else 0."""
        dpadded = np.zeros(self._padded.shape, dY.dtype)
        is_free = np.ones(dY.shape, bool)  # whose gradient no cell has taken yet
        for i, j in np.ndindex(self.size):
            is_largest = is_free & (self.part(self._padded, i, j, *dY.shape[1:3]) == self._Y)
            self.part(dpadded, i, j, *dY.shape[1:3])[...] += dY * is_largest
            is_free &= ~is_largest
        return self.unpad(dpadded)


class AveragePooling2D(_Window):
    """Y is the mean of each window, counting only cells inside the image, as Keras does (PyTorch counts the zeros)."""

    def __init__(self, pool_size: tuple[int, int], strides: tuple[int, int], padding: str = "valid") -> None:
        super().__init__(pool_size, strides, padding)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Nothing to make."""
        height, width, channels = input_shape
        return (*self.output_size(height, width), channels)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = sum over the window / cells of it that lie inside the image."""
        padded = self.pad(X)
        self._padded_shape = padded.shape
        inside = self.pad(np.ones_like(X[:1, :, :, :1]))
        self._counts = self.windows(inside).sum(axis=(-2, -1))
        self._shape = X.shape
        return self.windows(padded).sum(axis=(-2, -1)) / self._counts

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Every cell of a window gets an equal share."""
        dpadded = np.zeros(self._padded_shape, dY.dtype)
        share = dY / self._counts
        for i, j in np.ndindex(self.size):
            self.part(dpadded, i, j, *dY.shape[1:3])[...] += share
        return self.unpad(dpadded)


class Dropout(Layer):
    """In training, sets a share `rate` of the numbers to 0 and divides the others by 1 - rate (Srivastava 2014)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Keeps the generator that will draw the masks."""
        self._random = random
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = X mask / (1 - rate) in training, else X."""
        self._scale: Any = 1
        if training and self.rate:
            keep = self._random.random(X.shape) >= self.rate
            self._scale = keep.astype(X.dtype) / X.dtype.type(1 - self.rate)
        return X * self._scale

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """What was dropped gets no blame."""
        return dY * self._scale


class BatchNormalization(Layer):
    """Y = gamma (X - mean) / sqrt(variance + epsilon) + beta, over all axes but the last (Ioffe and Szegedy 2015).

    In training mean and variance are the batch's; the moving averages, new = momentum old + (1 - momentum) batch,
    serve afterwards. Keras' momentum 0.99 is PyTorch's 0.01, and PyTorch keeps the variance with n - 1 in its average,
    Keras with n, which is what stands here.
    """

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True) -> None:
        super().__init__()
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale
        self.axis = -1  # what a file said; only the last axis is known

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """gamma starts at 1, beta at 0, the moving mean at 0, the moving variance at 1."""
        if self.scale:
            self.parameters["gamma"] = np.ones(input_shape[-1], dtype)
        if self.center:
            self.parameters["beta"] = np.zeros(input_shape[-1], dtype)
        self.state = {
            "moving_mean": np.zeros(input_shape[-1], dtype),
            "moving_variance": np.ones(input_shape[-1], dtype),
        }
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = gamma normalised + beta."""
        mean, variance = self.state["moving_mean"], self.state["moving_variance"]
        if training:
            axes = tuple(range(X.ndim - 1))
            old_mean, old_variance = mean, variance
            mean, variance = X.mean(axis=axes), X.var(axis=axes)
            m = X.dtype.type(self.momentum)
            self.state["moving_mean"] = old_mean * m + mean * (1 - m)
            self.state["moving_variance"] = old_variance * m + variance * (1 - m)
        self._training = training
        self._scale = 1 / np.sqrt(variance + X.dtype.type(self.epsilon))
        self._normalised = (X - mean) * self._scale
        Y = self._normalised * self.parameters["gamma"] if self.scale else self._normalised
        return Y + self.parameters["beta"] if self.center else Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """In training X also moves the batch's mean and variance; taking both parts away leaves the middle line."""
        axes = tuple(range(dY.ndim - 1))
        if self.center:
            self.gradients["beta"] = dY.sum(axis=axes)
        if self.scale:
            self.gradients["gamma"] = (dY * self._normalised).sum(axis=axes)
            dY = dY * self.parameters["gamma"]
        if not self._training:
            return dY * self._scale
        through_mean = dY.mean(axis=axes)
        through_variance = self._normalised * (dY * self._normalised).mean(axis=axes)
        return (dY - through_mean - through_variance) * self._scale
