"""Layers that behave differently in training and in inference: Dropout, noise and batch normalisation.

All reduce overfitting. Dropout and noise prevent the co-adaptation of units; batch normalisation, whose purpose is to
keep the inputs of a layer at one scale, adds a little noise through the other samples of the batch. In inference none
does: `forward` has the argument `training`.
"""

from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.nn.activations import SELU_ALPHA, SELU_SCALE
from workshop.scratch.nn.layers import Layer, Shape


class Dropout(Layer):
    """In training, sets a fraction `rate` of the inputs to 0 and divides the others by 1 - rate (Srivastava 2014)."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate=float(rate))
        if not 0 <= rate < 1:
            raise WorkshopError(f"the rate of a Dropout layer is {rate}, takes a number from 0 up to below 1")
        self.rate = rate

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Stores the generator of the masks."""
        self._random = random
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = X mask / (1 - rate) in training, else X."""
        self._scale: Any = None
        if not training:
            return X
        self._scale = self.factors(self.mask_shape(X.shape), X.dtype)
        return X * self._scale

    def mask_shape(self, shape: Shape) -> Shape:
        """Returns the shape of the mask for a batch of this shape: a number for each input."""
        return shape

    def factors(self, shape: Shape, dtype: Any) -> np.ndarray:
        """Draws what the inputs are multiplied by."""
        keep = self._random.random(shape, np.float32) >= self.rate
        return keep.astype(dtype) / np.dtype(dtype).type(1 - self.rate)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX = dY mask / (1 - rate): no gradient flows through dropped inputs."""
        return dY if self._scale is None else dY * self._scale


class _SpatialDropout(Dropout):
    """Dropout of whole channels: of neighbouring pixels the one says what the dropped other was (Tompson 2015)."""

    takes = ""
    axes = 0

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Stores the generator of the masks."""
        if len(input_shape) != self.axes:
            raise self.refuse(input_shape, self.takes)
        return super().build(input_shape, random, dtype)

    def mask_shape(self, shape: Shape) -> Shape:
        """One number for each channel of each sample."""
        return (shape[0], *(1 for _ in shape[1:-1]), shape[-1])


class SpatialDropout1D(_SpatialDropout):
    """In training, sets a fraction `rate` of the features to 0 at all steps of a sample."""

    takes, axes = "(steps, features)", 2


class SpatialDropout2D(_SpatialDropout):
    """In training, sets a fraction `rate` of the channels to 0 in the whole image."""

    takes, axes = "(height, width, channels)", 3


class GaussianNoise(Layer):
    """In training, adds normally distributed numbers of the standard deviation `stddev`."""

    def __init__(self, stddev: float) -> None:
        super().__init__(stddev=float(stddev))
        self.stddev = stddev

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Stores the generator of the noise."""
        self._random = random
        return input_shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = X + noise in training, else X; the gradient passes unchanged."""
        return X + self._random.normal(0, self.stddev, X.shape).astype(X.dtype) if training else X


class GaussianDropout(Dropout):
    """In training, multiplies by normally distributed numbers of the same mean and variance as Dropout's (ibid.)."""

    def factors(self, shape: Shape, dtype: Any) -> np.ndarray:
        """Mean 1, variance rate / (1 - rate)."""
        return self._random.normal(1, np.sqrt(self.rate / (1 - self.rate)), shape).astype(dtype)


class AlphaDropout(Dropout):
    """Dropout for networks with the activation "selu": what is dropped becomes its lowest value (Klambauer 2017).

    Then a X + b brings mean and variance back to what they were.
    """

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = a (X mask + lowest (1 - mask)) + b in training, else X."""
        self._scale = None
        if not training:
            return X
        lowest = -SELU_SCALE * SELU_ALPHA
        a = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        keep = self._random.random(X.shape, np.float32) >= self.rate
        self._scale = keep.astype(X.dtype) * X.dtype.type(a)
        return np.where(keep, X, X.dtype.type(lowest)) * X.dtype.type(a) - X.dtype.type(a * lowest * self.rate)


class BatchNormalization(Layer):
    """Y = gamma (X - mean) / sqrt(variance + epsilon) + beta, over all axes but the last (Ioffe and Szegedy 2015).

    In training mean and variance are the batch's; the moving averages, new = momentum old + (1 - momentum) batch,
    serve afterwards. Keras' momentum 0.99 is PyTorch's 0.01; PyTorch averages the variance over n - 1, Keras over n,
    as this layer does.
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
        """In training X also changes the batch's mean and variance: the gradients through both are subtracted."""
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
