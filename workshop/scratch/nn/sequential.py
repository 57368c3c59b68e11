"""Layers in sequence, trained by backpropagation: forward, backward, and a step of the optimizer.

The loop over the batches is the lesson's own; `network` adds predicting, saving and loading.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.scratch.nn.layers import Activation, Dense, Layer
from workshop.scratch.nn.losses import Loss
from workshop.scratch.nn.sgd import Optimizer


class Sequential:
    """Layers in sequence.

    Args:
        layers: the first one takes the input.
        input_shape: of one sample: (2,) or (28, 28, 1).
        seed: of the initial weights and of Dropout.
        dtype: float32, or float64 to check gradients.

    Attributes:
        input_shape, output_shape: of one sample.
    """

    def __init__(self, layers: Sequence[Layer], input_shape: Sequence[int], seed: int = 0, dtype: Any = np.float32):
        self.layers = list(layers)
        self.input_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        self._random = np.random.default_rng(seed)
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.build(shape, self._random, self.dtype)
        self.output_shape = shape

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The trained arrays, named by the layer's number and the parameter's name: "0/kernel"."""
        return {f"{i}/{name}": value for i, layer in enumerate(self.layers) for name, value in layer.parameters.items()}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The gradients of the last backward pass, by the same names."""
        return {f"{i}/{name}": value for i, layer in enumerate(self.layers) for name, value in layer.gradients.items()}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The saved arrays, trained or not, in Keras' order."""
        return {f"{i}/{name}": value for i, layer in enumerate(self.layers) for name, value in layer.weights.items()}

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns the outputs for a batch (samples, *input_shape)."""
        Y = np.asarray(X, self.dtype)
        for layer in self.layers:
            Y = layer.forward(Y, training)
        return Y

    def _fused(self, loss: Loss) -> Activation | None:
        """Returns the last activation if the loss is fused with it."""
        last = self.layers[-1]
        activation = last.activation if isinstance(last, Dense) else last
        return activation if isinstance(activation, Activation) and activation.name == loss.fused_with else None

    def compute_loss(self, Y: np.ndarray, T: np.ndarray, loss: Loss) -> float:
        """Returns the loss of the last forward pass, whose outputs are Y."""
        activation = self._fused(loss)
        return loss.value(Y, T) if activation is None else loss.fused_value(activation.received, T)

    def backward(self, Y: np.ndarray, T: np.ndarray, loss: Loss) -> None:
        """Backpropagates the loss of the last forward pass; the layers keep their gradients."""
        activation = self._fused(loss)
        if activation is not None:
            # The gradient of the fused loss is already by the input of the last activation, which passes it on.
            activation.passes_on = True
        gradient = loss.gradient(Y, T) if activation is None else loss.fused(Y, T)
        # The layers before the first one with parameters need no gradient.
        first = next((i for i, layer in enumerate(self.layers) if layer.parameters), 0)
        for i in reversed(range(first, len(self.layers))):
            gradient = self.layers[i].backward(gradient, needs_input_gradient=i > first)
        if activation is not None:
            activation.passes_on = False

    def train_step(self, X: np.ndarray, T: np.ndarray, loss: Loss, optimizer: Optimizer) -> np.ndarray:
        """Forward, backward, one step of the optimizer; returns the outputs from before the step."""
        Y = self.forward(X, training=True)
        self.backward(Y, T, loss)
        optimizer.apply(self.gradients, self.parameters)
        return Y
