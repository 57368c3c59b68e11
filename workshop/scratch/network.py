"""A network: layers in a row, trained by backpropagation, saved and loaded as the `.h5` that Keras knows."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import architecture, files, h5
from workshop.kit.architecture import Architecture
from workshop.kit.errors import WorkshopError
from workshop.scratch.convolution import Conv2D
from workshop.scratch.depthwise import DepthwiseConv2D, SeparableConv2D
from workshop.scratch.embedding import Embedding
from workshop.scratch.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Layer, Rescaling, Reshape
from workshop.scratch.losses import Loss, make_loss
from workshop.scratch.optimizers import Optimizer
from workshop.scratch.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    UpSampling2D,
    ZeroPadding2D,
)
from workshop.scratch.recurrent import GRU, LSTM, SimpleRNN

Preprocess = Callable[[np.ndarray], np.ndarray]

_BATCH = 128  # samples that are answered at a time

# The layers by their names, which are Keras'.
_LAYERS = (
    Dense, Conv2D, DepthwiseConv2D, SeparableConv2D, ZeroPadding2D, MaxPooling2D, AveragePooling2D,
    UpSampling2D, GlobalAveragePooling2D, Flatten, Reshape, Rescaling, Dropout, BatchNormalization, Activation,
    Embedding, SimpleRNN, LSTM, GRU,
)  # fmt: skip
LAYERS: dict[str, type[Layer]] = {layer.__name__: layer for layer in _LAYERS}


class Network:
    """Layers in a row.

    Args:
        layers: the first one takes the input.
        input_shape: of one sample: (2,) or (28, 28, 1).
        seed: of the initial weights, and of Dropout.
        dtype: float32, or float64 to check gradients with.

    Attributes:
        engine: its name, as `kit.model` and the cards of saved models have it.
        input_shape, output_shape: of one sample.
    """

    engine = "numpy"

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
        """What is trained, named by the layer's number and the parameter's name: "0/kernel"."""
        return {f"{i}/{name}": value for i, layer in enumerate(self.layers) for name, value in layer.parameters.items()}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The gradients of the last backward pass, by the same names."""
        return {f"{i}/{name}": value for i, layer in enumerate(self.layers) for name, value in layer.gradients.items()}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """All that is saved, trained or not, in Keras' order."""
        return {f"{i}/{name}": value for i, layer in enumerate(self.layers) for name, value in layer.weights.items()}

    def count_params(self) -> int:
        """Returns how many numbers the weights are, trained or not."""
        return sum(value.size for value in self.weights.values())

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights in Keras' order and layout, copied."""
        return [value.copy() for value in self.weights.values()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Puts weights in, in the order of `get_weights`.

        Raises:
            WorkshopError: their number or one of their shapes is another.
        """
        places = list(self.weights.values())
        received, takes = [np.shape(one) for one in weights], [place.shape for place in places]
        if received != takes:
            raise WorkshopError(f"received weights of the shapes {received}, the network takes {takes}")
        for place, value in zip(places, weights, strict=True):
            place[...] = value

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns the outputs for a batch (samples, *input_shape)."""
        Y = np.asarray(X, self.dtype)
        for layer in self.layers:
            Y = layer.forward(Y, training)
        return Y

    def _fused(self, loss: Loss) -> Activation | None:
        """Returns the last activation, if the loss knows its way through it."""
        last = self.layers[-1]
        activation = last.activation if isinstance(last, Dense) else last
        return activation if isinstance(activation, Activation) and activation.name == loss.fused_with else None

    def measure(self, Y: np.ndarray, T: np.ndarray, loss: Loss) -> float:
        """Returns the loss of the last forward pass, whose outputs are Y."""
        activation = self._fused(loss)
        return loss.value(Y, T) if activation is None else loss.fused_value(activation.received, T)

    def backward(self, Y: np.ndarray, T: np.ndarray, loss: Loss) -> None:
        """Carries the loss of the last forward pass back through the layers, leaving the gradients in them."""
        activation = self._fused(loss)
        if activation is not None:
            # The loss knows its way through the last activation: let that one pass on what it gets.
            activation.passes_on = True
        gradient = loss.gradient(Y, T) if activation is None else loss.fused(Y, T)
        # Nobody asks what the layers before the first trained one are to blame for.
        first = next((i for i, layer in enumerate(self.layers) if layer.parameters), 0)
        for i in reversed(range(first, len(self.layers))):
            gradient = self.layers[i].backward(gradient, needs_input_gradient=i > first)
        if activation is not None:
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
        measure = make_loss(loss)
        losses = []
        for epoch in range(epochs):
            total = 0.0
            rows = order(epoch)
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                inputs = X[batch] if preprocess is None else preprocess(X[batch])
                Y = self.train_step(inputs, T[batch], measure, optimizer)
                total += self.measure(Y, T[batch], measure) * len(batch)
                if report:
                    report(epoch, start + len(batch), total / (start + len(batch)))
            losses.append(total / len(rows))
        return losses

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None, batch_size: int = _BATCH) -> np.ndarray:
        """Returns the outputs for X in the network's dtype, float32, batch by batch."""
        parts = []
        for start in range(0, len(X), batch_size):
            batch = X[start : start + batch_size]
            parts.append(self.forward(batch if preprocess is None else preprocess(batch)))
        return np.concatenate(parts) if parts else np.zeros((0, *self.output_shape), self.dtype)

    def evaluate(self, X: np.ndarray, T: np.ndarray, loss: str, *, preprocess: Preprocess | None = None) -> float:
        """Returns the loss over all of (X, T)."""
        measure, total = make_loss(loss), 0.0
        for start in range(0, len(X), _BATCH):
            batch = X[start : start + _BATCH]
            Y = self.forward(batch if preprocess is None else preprocess(batch))
            total += self.measure(Y, T[start : start + _BATCH], measure) * len(Y)
        return total / len(X)

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns what each layer but Flatten makes of X, samples first: the layer's name and its output."""
        Y = np.asarray(X, self.dtype)
        found = []
        for layer in self.layers:
            Y = layer.forward(Y)
            if not isinstance(layer, Flatten):
                found.append((type(layer).__name__, Y))
        return found

    def training_state(self) -> dict[str, np.ndarray]:
        """Returns what a run that is resumed needs, beside the optimizer's state: weights and the random generator."""
        generator = json.dumps(self._random.bit_generator.state).encode()
        weights = {f"weights/{name}": value.copy() for name, value in self.weights.items()}
        return {"generator": np.frombuffer(generator, np.uint8), **weights}

    def restore_training_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Puts back what `training_state` returned.

        Raises:
            KeyError: a part is missing.
            WorkshopError: the weights are those of another network.
        """
        self.set_weights([state[f"weights/{name}"] for name in self.weights])
        self._random.bit_generator.state = json.loads(state["generator"].tobytes())

    @property
    def architecture(self) -> Architecture:
        """The description that all engines build their models from, with a copy of the weights."""
        described = [
            architecture.Layer(
                type(layer).__name__,
                dict(layer.settings),
                {name: value.copy() for name, value in layer.weights.items()},
            )
            for layer in self.layers
        ]
        return Architecture(self.input_shape, described)

    @classmethod
    def from_architecture(cls, described: Architecture, dtype: Any = np.float32, seed: int = 0) -> "Network":
        """Returns the network of a description, with its weights or, where it has none, weights that are drawn."""
        network = cls(
            [LAYERS[one.kind](**one.settings) for one in described.layers], described.input_shape, seed, dtype
        )
        weights = {
            f"{i}/{name}": value for i, one in enumerate(described.layers) for name, value in one.weights.items()
        }
        if weights:
            network.set_weights([weights[name] for name in network.weights])
        return network

    @classmethod
    def from_h5(cls, path: Path, dtype: Any = np.float32) -> "Network":
        """Reads a `.h5` that Keras 1.2, 2 or 3 or any engine saved; see `kit.h5.read`."""
        return cls.from_architecture(h5.read(path), dtype)

    def to_h5(self) -> bytes:
        """Returns the content of a `.h5` that `keras.models.load_model` loads.

        Raises:
            WorkshopError: an activation is not Keras'.
        """
        return h5.to_bytes(self.architecture)

    def save_h5(self, path: Path) -> None:
        """Writes what `to_h5` returns."""
        files.write_atomically(path, self.to_h5())
