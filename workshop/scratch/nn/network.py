"""A network as a model of the workshop: predicts, describes itself to other engines, saves and loads Keras' `.h5`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import architecture, h5
from workshop.kit.saving.architecture import Architecture
from workshop.kit.saving.model import Preprocess, samples_at_once
from workshop.scratch.nn.cells import GRU, LSTM, SimpleRNN
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.depthwise import DepthwiseConv2D, SeparableConv2D
from workshop.scratch.nn.embedding import Embedding
from workshop.scratch.nn.half_precision import MIXED_FLOAT16, HalfPrecision
from workshop.scratch.nn.layers import Activation, Dense, Layer, Rescaling
from workshop.scratch.nn.normalization import LayerNormalization
from workshop.scratch.nn.one_row import (
    AveragePooling1D,
    Conv1D,
    MaxPooling1D,
    UpSampling1D,
    ZeroPadding1D,
)
from workshop.scratch.nn.pooling import (
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling2D,
    UpSampling2D,
    ZeroPadding2D,
)
from workshop.scratch.nn.rectifiers import ELU, LeakyReLU, PReLU, ReLU
from workshop.scratch.nn.regularization import (
    AlphaDropout,
    BatchNormalization,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
)
from workshop.scratch.nn.reshaping import Flatten, RepeatVector, Reshape
from workshop.scratch.nn.sequential import Sequential
from workshop.scratch.nn.transposed import Conv2DTranspose
from workshop.scratch.nn.wrappers import Add, Bidirectional, TimeDistributed

_BATCH = 128  # samples that are predicted at a time

# The layers by their names, which are Keras'.
_LAYERS = (
    *(Dense, Flatten, Reshape, Rescaling, Activation, ReLU, LeakyReLU, PReLU, ELU),
    *(BatchNormalization, LayerNormalization),
    *(Dropout, SpatialDropout1D, SpatialDropout2D, GaussianDropout, GaussianNoise, AlphaDropout),
    *(Conv2D, DepthwiseConv2D, SeparableConv2D, Conv2DTranspose, ZeroPadding2D, UpSampling2D),
    *(MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D, GlobalAveragePooling2D),
    *(Conv1D, ZeroPadding1D, UpSampling1D),
    *(MaxPooling1D, AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D),
    *(Embedding, SimpleRNN, LSTM, GRU, Bidirectional, TimeDistributed, RepeatVector, Add),
)
LAYERS: dict[str, type[Layer]] = {layer.__name__: layer for layer in _LAYERS}


def make_layer(kind: str, settings: Mapping[str, Any]) -> Layer:
    """Returns a layer by its name and the settings that a description has; those in it are made first."""
    settings = dict(settings)
    if "branches" in settings:
        settings["branches"] = [
            [make_layer(layer["class_name"], layer["config"]) for layer in row] for row in settings["branches"]
        ]
    if "layer" in settings:
        settings["layer"] = make_layer(settings["layer"]["class_name"], settings["layer"]["config"])
    is_half = settings.pop("dtype", "float32") == MIXED_FLOAT16
    layer = LAYERS[kind](**settings)
    return HalfPrecision(layer) if is_half else layer


class Network(Sequential):
    """A `Sequential`, with the same arguments, that implements the protocol `kit.saving.model.Model` of all engines.

    Attributes:
        engine: its name in the cards of saved models.
    """

    engine = "numpy"

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None, batch_size: int = _BATCH) -> np.ndarray:
        """Returns the outputs for X in the network's dtype, float32, batch by batch; large images in smaller ones."""
        parts = []
        batch_size = min(batch_size, samples_at_once(np.asarray(X[:1])))
        for start in range(0, len(X), batch_size):
            batch = X[start : start + batch_size]
            parts.append(self.forward(batch if preprocess is None else preprocess(batch)))
        return np.concatenate(parts) if parts else np.zeros((0, *self.output_shape), self.dtype)

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns the name and the output for X of each layer but Flatten, samples first."""
        Y = np.asarray(X, self.dtype)
        outputs = []
        for layer in self.layers:
            Y = layer.forward(Y)
            if layer.kind != "Flatten":
                outputs.append((layer.kind, Y))
        return outputs

    def count_params(self) -> int:
        """Returns the number of weights, trained or not."""
        return sum(value.size for value in self.weights.values())

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights in Keras' order and layout, copied."""
        return [value.copy() for value in self.weights.values()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Sets the weights, in the order of `get_weights`.

        Raises:
            WorkshopError: their number or one of their shapes differs.
        """
        arrays = list(self.weights.values())
        received, takes = [np.shape(value) for value in weights], [array.shape for array in arrays]
        if received != takes:
            raise WorkshopError(f"received weights of the shapes {received}, the network takes {takes}")
        for array, value in zip(arrays, weights, strict=True):
            array[...] = value

    def training_state(self) -> dict[str, np.ndarray]:
        """Returns the state of the training beside the optimizer's: weights and random generator."""
        generator = json.dumps(self._random.bit_generator.state).encode()
        weights = {f"weights/{name}": value.copy() for name, value in self.weights.items()}
        return {"generator": np.frombuffer(generator, np.uint8), **weights}

    def restore_training_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restores what `training_state` returned.

        Raises:
            KeyError: a part is missing.
            WorkshopError: the weights are another network's.
        """
        self.set_weights([state[f"weights/{name}"] for name in self.weights])
        self._random.bit_generator.state = json.loads(state["generator"].tobytes())

    @property
    def architecture(self) -> Architecture:
        """The description that all engines build their models from, with a copy of the weights."""
        described = [
            architecture.Layer(
                layer.kind,
                dict(layer.settings),
                {name: value.copy() for name, value in layer.weights.items()},
            )
            for layer in self.layers
        ]
        return Architecture(self.input_shape, described)

    @classmethod
    def from_architecture(cls, described: Architecture, dtype: Any = np.float32, seed: int = 0) -> "Network":
        """Returns the network of a description, with its weights or, where it has none, random initial weights."""
        described = described.separated()
        network = cls(
            [make_layer(layer.kind, layer.settings) for layer in described.layers], described.input_shape, seed, dtype
        )
        weights = {
            f"{i}/{name}": value for i, layer in enumerate(described.layers) for name, value in layer.weights.items()
        }
        if weights:
            network.set_weights([weights[name] for name in network.weights])
        return network

    @classmethod
    def from_h5(cls, path: FilePath, dtype: Any = np.float32) -> "Network":
        """Reads a `.h5` that Keras 1.2, 2 or 3 or any engine saved; see `kit.saving.h5.read`."""
        return cls.from_architecture(h5.read(path), dtype)

    def to_h5(self) -> bytes:
        """Returns the content of a `.h5` that `keras.models.load_model` loads.

        Raises:
            WorkshopError: an activation is not Keras'.
        """
        return h5.to_bytes(self.architecture)

    def save_h5(self, path: FilePath) -> None:
        """Writes what `to_h5` returns."""
        files.write_atomically(path, self.to_h5())
