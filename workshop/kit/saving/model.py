"""The protocol of a trained model, whichever engine trained or loaded it, and its implementation for Keras."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from workshop.kit import files
from workshop.kit.errors import WorkshopError

if TYPE_CHECKING:
    import keras
    import numpy as np
else:
    from workshop.kit.lazy import keras

Preprocess = Callable[[Any], Any]

# Settings that newer releases of Keras write, and the values by which they say nothing; older releases refuse them.
NEWER_SETTINGS = {
    "quantization_config": None,
    "input_axes": None,
    "output_axes": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}


def samples_at_once(X: np.ndarray) -> int:
    """Returns the batch size for predictions: smaller for large images.

    Most of the memory that a step takes is the first layers' outputs, many times the size of the inputs.
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
        """Returns the number of weights."""

    def to_h5(self) -> bytes:
        """Returns the content of the `.h5` that all engines load."""

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns the outputs of all layers but Flatten for X, samples first, each with the layer's type."""


class KerasModel:
    """A Keras model."""

    engine = "keras"

    def __init__(self, model: keras.Model) -> None:
        self.keras = model

    @property
    def input_shape(self) -> Any:
        """The shape of one sample; None for a model of several inputs."""
        shape = self.keras.input_shape
        return tuple(shape[1:]) if isinstance(shape, tuple) else None

    @property
    def output_shape(self) -> Any:
        """The shape of the output for one sample; None for a model of several outputs."""
        shape = self.keras.output_shape
        return tuple(shape[1:]) if isinstance(shape, tuple) else None

    def predict(self, X: Any, *, preprocess: Preprocess | None = None) -> Any:
        """Returns the outputs for X, samples first, float32; `preprocess` is applied to each batch of X.

        A model of several inputs takes a list of arrays, in the order of its inputs; one of several outputs returns a
        list of them.

        Raises:
            WorkshopError: the model takes several inputs, and X is no such list.
        """
        import numpy as np

        arrays = self._arrays(X)
        outputs = []
        size = min(samples_at_once(array) for array in arrays)
        for start in range(0, len(arrays[0]), size):
            parts = [array[start : start + size] for array in arrays]
            batch = parts if preprocess is None else [preprocess(part) for part in parts]
            results = self.keras(batch if len(batch) > 1 else batch[0], training=False)
            results = results if isinstance(results, list | tuple) else [results]
            outputs.append([np.asarray(keras.ops.convert_to_numpy(result), np.float32) for result in results])
            for array in arrays:
                files.release_pages(array)
        together = [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
        return together[0] if len(together) == 1 else together

    def _arrays(self, X: Any) -> list[Any]:
        """Returns the array for each of the model's inputs."""
        import numpy as np

        # A Sequential, which may have no inputs before it is first called, takes one.
        if isinstance(self.keras, keras.Sequential) or len(self.keras.inputs) == 1:
            return [X]
        shapes = [tuple(tensor.shape[1:]) for tensor in self.keras.inputs]
        inputs = zip(self.keras.inputs, shapes, strict=True)
        names = ", ".join(f"{tensor.name} of shape {shape}" for tensor, shape in inputs)
        takes = f"takes a list of {len(shapes)} arrays, samples first: {names}"
        if not isinstance(X, list | tuple) or len(X) != len(shapes):
            got = f"a list of {len(X)}" if isinstance(X, list | tuple) else f"a {type(X).__name__}"
            raise WorkshopError(f"got {got}; the model {takes}")
        arrays = [np.asarray(array) for array in X]
        for array, shape in zip(arrays, shapes, strict=True):
            fits = array.ndim == len(shape) + 1 and len(array) == len(arrays[0])
            if not fits or any(n is not None and n != m for n, m in zip(shape, array.shape[1:], strict=True)):
                raise WorkshopError(f"got arrays of shapes {[array.shape for array in arrays]}; the model {takes}")
        return arrays

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights, copied."""
        return list(self.keras.get_weights())

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts weights in, in the order of `get_weights`."""
        self.keras.set_weights(weights)

    def count_params(self) -> int:
        """Returns the number of weights."""
        return int(self.keras.count_params())

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns the outputs of all layers but Flatten for X, each with the layer's type."""
        import numpy as np

        output: Any = X
        stages = []
        for layer in self.keras.layers:
            output = layer(output)
            if not isinstance(layer, keras.layers.Flatten):
                stages.append((type(layer).__name__, np.asarray(keras.ops.convert_to_numpy(output))))
        return stages

    def to_h5(self) -> bytes:
        """Returns the content of the `.h5` that Keras writes, without the optimizer's state.

        It is written in memory: where the disk is full, the HDF5 library ends the whole program with a crash.
        """
        import h5py

        class Attributes(h5py.AttributeManager):
            def __setitem__(self, name: str, value: Any) -> None:
                if name == "model_config":
                    value = json.dumps(json.loads(value, object_hook=_without_newer_settings)).encode()
                super().__setitem__(name, value)

        class InMemory(h5py.File):
            @property
            def attrs(self) -> Attributes:
                return Attributes(self)

            def __str__(self) -> str:  # Keras chooses the format by the name's ending
                return "model.h5"

        content = io.BytesIO()
        with _without_advice(), InMemory(content, "w") as file:
            self.keras.save(file, include_optimizer=False)
        return content.getvalue()


def _without_newer_settings(part: dict[str, Any]) -> dict[str, Any]:
    """Returns a part of a configuration as every Keras 3 reads it."""
    return {name: value for name, value in part.items() if name not in NEWER_SETTINGS or value != NEWER_SETTINGS[name]}


def in_single_precision(model: keras.Model) -> keras.Model:
    """Returns a Keras model with the same weights that computes in float32: the model itself, if it does.

    A model that was trained in mixed precision has 16 bits in its configuration, and would have them in the file. Its
    weights have 32: without the rounding between the layers, every engine has the same predictions.
    """
    if all(layer.dtype_policy.name == "float32" for layer in getattr(model, "layers", [])):
        return model
    config = model.get_config()
    for layer in config["layers"]:
        layer["config"]["dtype"] = "float32"
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # a model has a policy of its own beside its layers'
    try:
        twin = type(model).from_config(config)
    finally:
        keras.config.set_dtype_policy(policy)
    twin.set_weights(model.get_weights())
    return twin


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Silences Keras' warning that .h5 is its older format, the one that all engines and old programs read."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def as_model(model: keras.Model | Model) -> Model:
    """Returns a trained model as a `Model`: a Keras model in single precision, the others as they are."""
    return model if hasattr(model, "to_h5") else KerasModel(in_single_precision(model))
