"""A network as a model of the workshop: it answers, is described to other engines, saved and loaded as Keras' `.h5`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import architecture, h5
from workshop.kit.saving.architecture import Architecture
from workshop.kit.saving.model import Preprocess
from workshop.scratch.nn.cells import GRU, LSTM, SimpleRNN
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.depthwise import DepthwiseConv2D, SeparableConv2D
from workshop.scratch.nn.embedding import Embedding
from workshop.scratch.nn.layers import Activation, Dense, Layer, Rescaling
from workshop.scratch.nn.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    UpSampling2D,
    ZeroPadding2D,
)
from workshop.scratch.nn.regularization import BatchNormalization, Dropout
from workshop.scratch.nn.reshaping import Flatten, Reshape
from workshop.scratch.nn.sequential import Sequential

_BATCH = 128  # samples that are answered at a time

# The layers by their names, which are Keras'.
_LAYERS = (
    Dense, Conv2D, DepthwiseConv2D, SeparableConv2D, ZeroPadding2D, MaxPooling2D, AveragePooling2D,
    UpSampling2D, GlobalAveragePooling2D, Flatten, Reshape, Rescaling, Dropout, BatchNormalization, Activation,
    Embedding, SimpleRNN, LSTM, GRU,
)  # fmt: skip
LAYERS: dict[str, type[Layer]] = {layer.__name__: layer for layer in _LAYERS}


class Network(Sequential):
    """A `Sequential`, made of the same arguments, that can do what `kit.model.Model` asks of a model of any engine.

    Attributes:
        engine: its name, as `kit.model` and the cards of saved models have it.
    """

    engine = "numpy"

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None, batch_size: int = _BATCH) -> np.ndarray:
        """Returns the outputs for X in the network's dtype, float32, batch by batch."""
        parts = []
        for start in range(0, len(X), batch_size):
            batch = X[start : start + batch_size]
            parts.append(self.forward(batch if preprocess is None else preprocess(batch)))
        return np.concatenate(parts) if parts else np.zeros((0, *self.output_shape), self.dtype)

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns what each layer but Flatten makes of X, samples first: the layer's name and its output."""
        Y = np.asarray(X, self.dtype)
        found = []
        for layer in self.layers:
            Y = layer.forward(Y)
            if not isinstance(layer, Flatten):
                found.append((type(layer).__name__, Y))
        return found

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
