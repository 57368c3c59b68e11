"""Layers: each forward pass stands beside its own backward pass.

A layer takes the settings of Keras' layer of the same name, and keeps what its backward pass needs. `forward` maps a
batch X to Y; `backward` takes dE/dY, writes dE/dparameter into `gradients` and returns dE/dX. Shapes are channels-last,
samples first: images are (samples, height, width, channels), as in Keras.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.activations import ACTIVATIONS

Shape = tuple[int, ...]


class Layer:
    """A layer without parameters that changes nothing; the others override what they need.

    Args:
        settings: what it computes, in Keras' words.

    Attributes:
        settings: the same, as `kit.architecture` describes a layer.
        parameters: what is trained, by Keras' names ("kernel", "bias").
        state: what is saved but not trained (the moving averages of batch normalisation).
        gradients: dE/dparameter of the last backward pass, by the same names.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.parameters: dict[str, np.ndarray] = {}
        self.state: dict[str, np.ndarray] = {}
        self.gradients: dict[str, np.ndarray] = {}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Parameters and state, in Keras' order."""
        return {**self.parameters, **self.state}

    def refuse(self, input_shape: Shape, takes: str) -> WorkshopError:
        """Returns the error that says that samples of this shape cannot go in."""
        return WorkshopError(f"a {type(self).__name__} layer gets samples of shape {input_shape}, takes {takes}")

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
    """Y = f(X), one of `activations.ACTIVATIONS`.

    Attributes:
        received: X of the last forward pass.
        passes_on: set while a loss that is fused with this activation is carried back: see `Network.backward`.
    """

    def __init__(self, activation: str) -> None:
        super().__init__(activation=activation)
        if activation not in ACTIVATIONS:
            raise WorkshopError(f"activation = {activation!r} is not known; known are {', '.join(ACTIVATIONS)}")
        self.name = activation
        self.function = ACTIVATIONS[activation]
        self.passes_on = False

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(X)."""
        self.received = X
        self._Y = self.function.value(X)
        return self._Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX = dY f'(X)."""
        if self.passes_on:
            return dY
        return self.function.backward(dY, self._Y, self.received)


def glorot_uniform(shape: Shape, fan_in: int, fan_out: int, random: np.random.Generator, dtype: Any) -> np.ndarray:
    """Draws weights between -l and l, l = sqrt(6 / (fan_in + fan_out)): Glorot and Bengio 2010, Keras' default."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return random.uniform(-limit, limit, shape).astype(dtype)


class Dense(Layer):
    """Y = f(X W + b). X is (samples, inputs), W (inputs, units), b (units,), Y (samples, units).

    Of sequences, (samples, steps, inputs), each step goes through the same W and b.
    """

    def __init__(self, units: int, activation: str = "linear", use_bias: bool = True) -> None:
        super().__init__(units=units, activation=activation, use_bias=use_bias)
        self.units, self.use_bias = units, use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        if len(input_shape) > 2:
            raise self.refuse(input_shape, "(features,): a Flatten layer before it makes them so")
        inputs = input_shape[-1]
        self.parameters["kernel"] = glorot_uniform((inputs, self.units), inputs, self.units, random, dtype)
        if self.use_bias:
            self.parameters["bias"] = np.zeros(self.units, dtype)
        return (*input_shape[:-1], self.units)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(X W + b)."""
        self._X = X
        Z = X @ self.parameters["kernel"]
        if self.use_bias:
            Z += self.parameters["bias"]
        return self.activation.forward(Z)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dW = X^T dZ, db = sum of dZ over the samples (and steps), dX = dZ W^T."""
        dZ = self.activation.backward(dY)
        rows = dZ.reshape(-1, self.units)
        self.gradients["kernel"] = self._X.reshape(-1, self._X.shape[-1]).T @ rows
        if self.use_bias:
            self.gradients["bias"] = rows.sum(axis=0)
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


class Reshape(Layer):
    """The same numbers in another shape, say a row of 784 as an image (28, 28, 1); -1 stands for what is left."""

    def __init__(self, target_shape: Sequence[int]) -> None:
        super().__init__(target_shape=list(target_shape))
        self.target_shape = tuple(target_shape)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Nothing to make."""
        try:
            return np.empty(input_shape, np.uint8).reshape(self.target_shape).shape
        except ValueError as error:
            raise self.refuse(input_shape, f"as many numbers as fill {self.target_shape}") from error

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """The same numbers in their new shape."""
        self._shape = X.shape
        return X.reshape(len(X), *self.target_shape)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The same numbers in their old shape."""
        return dY.reshape(self._shape)


class Rescaling(Layer):
    """Y = scale X + offset, two numbers that are not trained: pixels from 0 to 1 become pixels from -1 to 1."""

    def __init__(self, scale: float, offset: float = 0.0) -> None:
        super().__init__(scale=float(scale), offset=float(offset))
        self.scale, self.offset = scale, offset

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = scale X + offset."""
        return X * X.dtype.type(self.scale) + X.dtype.type(self.offset)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX = scale dY."""
        return dY * dY.dtype.type(self.scale)


class Dropout(Layer):
    """In training, sets a share `rate` of the numbers to 0 and divides the others by 1 - rate (Srivastava 2014)."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate=float(rate))
        if not 0 <= rate < 1:
            raise WorkshopError(f"the rate of a Dropout layer is {rate}, takes a number from 0 up to below 1")
        self.rate = rate

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Keeps the generator that will draw the masks."""
        self._random = random
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = X mask / (1 - rate) in training, else X."""
        self._scale: Any = None
        if not training:
            return X
        keep = self._random.random(X.shape, np.float32) >= self.rate
        self._scale = keep.astype(X.dtype) / X.dtype.type(1 - self.rate)
        return X * self._scale

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """What was dropped gets no blame."""
        return dY if self._scale is None else dY * self._scale


class BatchNormalization(Layer):
    """Y = gamma (X - mean) / sqrt(variance + epsilon) + beta, over all axes but the last (Ioffe and Szegedy 2015).

    In training mean and variance are the batch's; the moving averages, new = momentum old + (1 - momentum) batch,
    serve afterwards. Keras' momentum 0.99 is PyTorch's 0.01, and PyTorch keeps the variance with n - 1 in its average,
    Keras with n, which is what stands here.
    """

    def __init__(
        self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True
    ) -> None:
        super().__init__(axis=axis, momentum=momentum, epsilon=epsilon, center=center, scale=scale)
        self.axis, self.momentum, self.epsilon, self.center, self.scale = axis, momentum, epsilon, center, scale

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """gamma starts at 1, beta at 0, the moving mean at 0, the moving variance at 1."""
        if self.axis not in (-1, len(input_shape)):
            raise self.refuse(input_shape, f"axis = -1, the last one, not {self.axis}")
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
