"""Layers: each forward pass stands beside its own backward pass.

A layer takes the settings of Keras' layer of the same name, and caches what its backward pass needs. `forward` maps a
batch X to Y; `backward` takes dE/dY, writes dE/dparameter into `gradients` and returns dE/dX. Shapes are channels-last,
samples first: images are (samples, height, width, channels), as in Keras.

This module has the base of all layers, Rescaling as the simplest one that computes something, Activation and Dense.
`reshaping` and `regularization` have more; `convolution` is the first for images, `recurrent` for sequences.
"""

from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.nn.activations import ACTIVATIONS

Shape = tuple[int, ...]


class Layer:
    """A layer without parameters that changes nothing; the others override what they need.

    Args:
        settings: the layer's configuration, by Keras' names.

    Attributes:
        settings: the same, as in `kit.saving.architecture`.
        parameters: the trained arrays, by Keras' names ("kernel", "bias").
        state: the arrays that are saved but not trained (the moving averages of batch normalisation).
        gradients: dE/dparameter of the last backward pass, by the same names.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.parameters: dict[str, np.ndarray] = {}
        self.state: dict[str, np.ndarray] = {}
        self.gradients: dict[str, np.ndarray] = {}

    @property
    def kind(self) -> str:
        """Keras' name of the layer."""
        return type(self).__name__

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Parameters and state, in Keras' order."""
        return {**self.parameters, **self.state}

    def refuse(self, input_shape: Shape, takes: str) -> WorkshopError:
        """Returns the error for samples of a shape that the layer does not take."""
        return WorkshopError(f"a {type(self).__name__} layer gets samples of shape {input_shape}, takes {takes}")

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Creates the parameters for inputs of this shape (one sample's) and returns the output's shape."""
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns the layer's output for a batch."""
        return X

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Returns dE/dX from dE/dY; the first layer of a network is spared that work."""
        return dY


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


class Activation(Layer):
    """Y = f(X), one of `activations.ACTIVATIONS`.

    Attributes:
        received: X of the last forward pass.
        passes_on: set during the backward pass of a loss that is fused with this activation: see `Sequential.backward`.
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

    In sequences, (samples, steps, inputs), all steps share W and b.
    """

    def __init__(self, units: int, activation: str = "linear", use_bias: bool = True) -> None:
        super().__init__(units=units, activation=activation, use_bias=use_bias)
        self.units, self.use_bias = units, use_bias
        self.activation = Activation(activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        if len(input_shape) > 2:
            raise self.refuse(input_shape, "(features,): put a Flatten layer before it")
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
