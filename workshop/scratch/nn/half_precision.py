"""A layer in 16 bits: what Keras computes under its policy "mixed_float16", which many models are trained with."""

from typing import Any

import numpy as np

from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Activation, Dense, Layer, Rescaling, Shape

MIXED_FLOAT16 = "mixed_float16"


def half(X: Any) -> np.ndarray:
    """Returns numbers rounded to 16 bits, 11 of them for the digits, in their own type; above 65,504 they are infinite.

    Computed so and rounded again, they are what a computation in 16 bits gives.
    """
    X = np.asarray(X)
    with np.errstate(over="ignore"):
        return X.astype(np.float16).astype(X.dtype)


class HalfPrecision(Layer):
    """Rounds what a layer gets, its weights and each of its results to 16 bits; the weights themselves keep their 32.

    The products of a dense layer or a convolution are added in 32 bits, and their sum is rounded; then the bias is
    added, and the sum is rounded again. The weights of batch normalisation are not rounded. Gradients pass through the
    rounding as if there were none.

    Args:
        layer: one of those that `kit.saving.architecture` knows in 16 bits.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(**layer.settings, dtype=MIXED_FLOAT16)
        self.layer, self.activation = layer, Activation("linear")
        self._offset: float | None = None
        if isinstance(layer, Dense | Conv2D):
            self.activation, layer.activation = layer.activation, self.activation
        if isinstance(layer, Rescaling):  # a product and a sum, as in a dense layer
            self._offset, layer.offset, layer.scale = layer.offset, 0.0, float(half(np.float32(layer.scale)))

    @property
    def kind(self) -> str:
        """Keras' name of the layer, which has its precision as a setting."""
        return self.layer.kind

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Builds the layer; its arrays are this layer's, not copies."""
        shape = self.layer.build(input_shape, random, dtype)
        self.parameters, self.state = self.layer.parameters, self.layer.state
        return shape

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(X W + b), rounded after each step."""
        bias = self.parameters.get("bias", self._offset)
        if "kernel" in self.parameters:
            self.layer.parameters = {"kernel": half(self.parameters["kernel"])}
            if bias is not None:
                self.layer.parameters["bias"] = np.zeros_like(bias)
        Y = half(self.layer.forward(half(X), training))
        if bias is not None:
            Y = half(Y + half(np.asarray(bias, Y.dtype)))
        return half(self.activation.forward(Y))

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """As the layer, for its rounded weights."""
        dX = self.layer.backward(self.activation.backward(dY), needs_input_gradient)
        self.gradients = self.layer.gradients
        return dX
