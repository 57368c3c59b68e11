"""What a trained model can do, whichever engine trained or loaded it: the lessons and the programs use no more."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from workshop.kit import files
from workshop.kit.lazy import keras

if TYPE_CHECKING:
    import numpy as np

Preprocess = Callable[[Any], Any]


def samples_at_once(X: np.ndarray) -> int:
    """Returns how many samples go through a network in one step where nothing is learned: fewer of large pictures.

    What a step takes of memory is mostly what the first layers answer, many times the size of what goes in.
    """
    return max(1, min(1000, 2_000_000 // max(1, X[:1].size)))


class Model(Protocol):
    """A model of any engine.

    Attributes:
        engine: "keras", "torch" or "numpy".
        input_shape, output_shape: of one sample, channels last: (28, 28, 1), (10,).
    """

    engine: str

    @property
    def input_shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def output_shape(self) -> tuple[int, ...]: ...  # noqa: D102

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None) -> np.ndarray:
        """Returns the outputs for X, samples first, float32; `preprocess` is applied to each batch of X."""

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights in Keras' order and layout, copied."""

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts weights in, in the order and layout of `get_weights`."""

    def count_params(self) -> int:
        """Returns how many numbers the weights are."""

    def to_h5(self) -> bytes:
        """Returns the content of the `.h5` that all engines load."""

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns what each layer but Flatten makes of X, samples first: the layer's type and its output."""


class KerasModel:
    """A Keras model, in single precision: what it answers and what is saved are the same numbers in every engine."""

    engine = "keras"

    def __init__(self, model: Any) -> None:
        self.keras = in_single_precision(model)

    @property
    def input_shape(self) -> Any:
        """The shape of one sample; None for a model of several inputs."""
        shape = self.keras.input_shape
        return tuple(shape[1:]) if isinstance(shape, tuple) else None

    @property
    def output_shape(self) -> Any:
        """The shape of what it answers for one sample; None for a model of several outputs."""
        shape = self.keras.output_shape
        return tuple(shape[1:]) if isinstance(shape, tuple) else None

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None) -> np.ndarray:
        """Returns the outputs for X, samples first, float32; `preprocess` is applied to each batch of X."""
        import numpy as np

        outputs = []
        size = samples_at_once(X)
        for start in range(0, len(X), size):
            batch = X[start : start + size] if preprocess is None else preprocess(X[start : start + size])
            outputs.append(np.asarray(keras.ops.convert_to_numpy(self.keras(batch, training=False)), np.float32))
            files.let_go(X)
        return np.concatenate(outputs)

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights, copied."""
        return list(self.keras.get_weights())

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts weights in, in the order of `get_weights`."""
        self.keras.set_weights(weights)

    def count_params(self) -> int:
        """Returns how many numbers the weights are."""
        return int(self.keras.count_params())

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns what each layer but Flatten makes of X: the layer's type and its output."""
        import numpy as np

        output: Any = X
        found = []
        for layer in self.keras.layers:
            output = layer(output)
            if not isinstance(layer, keras.layers.Flatten):
                found.append((type(layer).__name__, np.asarray(keras.ops.convert_to_numpy(output))))
        return found

    def to_h5(self) -> bytes:
        """Returns the `.h5` that Keras makes of the model, without the optimizer's state.

        It is made in memory: where the disk is full, the HDF5 library ends the whole program with a crash.
        """
        import h5py

        class InMemory(h5py.File):
            def __str__(self) -> str:  # Keras tells the format by how the name ends
                return "model.h5"

        content = io.BytesIO()
        with _without_advice(), InMemory(content, "w") as file:
            self.keras.save(file, include_optimizer=False)
        return content.getvalue()


def in_single_precision(model: Any) -> Any:
    """Returns a Keras model that computes in float32, with the same weights: the model itself, if it does.

    A model that was trained in mixed precision keeps 16 bits in its configuration, and would keep them in the file.
    """
    if all(layer.dtype_policy.name == "float32" for layer in getattr(model, "layers", [])):
        return model
    config = model.get_config()
    for layer in config["layers"]:
        layer["config"]["dtype"] = "float32"
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # for what is around the layers: a model has a policy of its own
    try:
        twin = type(model).from_config(config)
    finally:
        keras.config.set_dtype_policy(policy)
    twin.set_weights(model.get_weights())
    return twin


@contextlib.contextmanager
def _without_advice() -> Any:
    """Keras warns that .h5 is its older format. It is the one that all three engines and old programs read."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def as_model(model: Any) -> Model:
    """Returns a model as one of `Model`: a Keras model is wrapped, the others are such models already."""
    return model if hasattr(model, "to_h5") else KerasModel(model)
