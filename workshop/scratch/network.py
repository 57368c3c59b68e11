"""A network: layers in a row, trained by backpropagation, saved and loaded as the `.h5` that Keras knows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.scratch.layers import Activation, Dense, Layer
from workshop.scratch.losses import LOSSES, Loss
from workshop.scratch.optimizers import Optimizer

Preprocess = Callable[[np.ndarray], np.ndarray]


class Network:
    """Layers in a row.

    Args:
        layers: the first one takes the input.
        input_shape: of one sample: (2,) or (28, 28, 1).
        seed: of the initial weights, and of Dropout.
        dtype: float32, or float64 to check gradients with.
    """

    def __init__(self, layers: Sequence[Layer], input_shape: Sequence[int], seed: int = 0, dtype: Any = np.float32):
        self.layers = list(layers)
        self.input_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        random = np.random.default_rng(seed)
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.build(shape, random, self.dtype)
        self.output_shape = shape

    @property
    def parameters(self) -> dict[tuple[int, str], np.ndarray]:
        """What is trained, named by the layer's number and the parameter's name."""
        return {(i, name): value for i, layer in enumerate(self.layers) for name, value in layer.parameters.items()}

    @property
    def gradients(self) -> dict[tuple[int, str], np.ndarray]:
        """The gradients of the last backward pass, by the same names."""
        return {(i, name): value for i, layer in enumerate(self.layers) for name, value in layer.gradients.items()}

    def count_parameters(self) -> int:
        """Returns how many numbers are trained."""
        return sum(value.size for value in self.parameters.values())

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns the outputs for a batch (samples, *input_shape)."""
        Y = np.asarray(X, self.dtype)
        for layer in self.layers:
            Y = layer.forward(Y, training)
        return Y

    def backward(self, Y: np.ndarray, T: np.ndarray, loss: Loss) -> None:
        """Carries the loss of the last forward pass back through the layers, leaving the gradients in them."""
        last = self.layers[-1]
        activation = last.activation if isinstance(last, Dense) else last
        is_fused = isinstance(activation, Activation) and activation.name == loss.fused_with
        if is_fused and isinstance(activation, Activation):
            # The loss knows its way through the last activation: let that one pass on what it gets.
            activation.passes_on = True
        gradient = loss.fused(Y, T) if is_fused else loss.gradient(Y, T)
        for i, layer in reversed(list(enumerate(self.layers))):
            gradient = layer.backward(gradient, needs_input_gradient=i > 0)
        if isinstance(activation, Activation):
            activation.passes_on = False

    def train_step(self, X: np.ndarray, T: np.ndarray, loss: Loss, optimizer: Optimizer) -> np.ndarray:
        """Forward, backward, one step of the optimizer; returns the outputs from before the step."""
        Y = self.forward(X, training=True)
        self.backward(Y, T, loss)
        optimizer.apply(self.parameters, self.gradients)
        return Y

    def fit(
        self,
        X: np.ndarray,
        T: np.ndarray,
        *,
        epochs: int,
        batch_size: int,
        loss: str,
        optimizer: Optimizer,
        order: Callable[[int], np.ndarray],
        preprocess: Preprocess | None = None,
        report: Callable[[int, int, float], None] | None = None,
    ) -> list[float]:
        """Trains and returns the loss of every epoch, the mean over its samples.

        Args:
            X: inputs, samples first.
            T: targets, samples first.
            epochs: passes over the data.
            batch_size: samples a step; the last batch may be smaller.
            loss: one of `losses.LOSSES`.
            optimizer: takes the steps.
            order: from the epoch's number to the order of its samples.
            preprocess: applied to each batch of X.
            report: called after every step with the epoch, the samples done in it and the mean loss so far.
        """
        measure = LOSSES[loss]()
        losses = []
        for epoch in range(epochs):
            total = 0.0
            rows = order(epoch)
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                inputs = X[batch] if preprocess is None else preprocess(X[batch])
                Y = self.train_step(inputs, T[batch], measure, optimizer)
                total += measure.value(Y, T[batch]) * len(batch)
                if report:
                    report(epoch, start + len(batch), total / (start + len(batch)))
            losses.append(total / len(rows))
        return losses

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None, batch_size: int = 1000) -> np.ndarray:
        """Returns the outputs for X, batch by batch."""
        parts = []
        for start in range(0, len(X), batch_size):
            batch = X[start : start + batch_size]
            parts.append(self.forward(batch if preprocess is None else preprocess(batch)))
        return np.concatenate(parts) if parts else np.zeros((0, *self.output_shape), self.dtype)

    def evaluate(self, X: np.ndarray, T: np.ndarray, loss: str, *, preprocess: Preprocess | None = None) -> float:
        """Returns the loss over all of (X, T)."""
        return LOSSES[loss]().value(self.predict(X, preprocess=preprocess), T)

    @classmethod
    def from_h5(cls, path: Path, dtype: Any = np.float32) -> "Network":
        """Reads a `.h5` that Keras 1.2, 2 or 3 or this engine saved; see `h5.read`."""
        from workshop.scratch.h5 import read

        return read(path, dtype)

    def save_h5(self, path: Path) -> None:
        """Writes a `.h5` that `keras.models.load_model` loads; see `h5.write`."""
        from workshop.scratch.h5 import write

        write(self, path)
