"""Reading and writing the `.h5` of a Sequential model, as Keras 1.2, 2 and 3 save it, without Keras.

The file holds the model's configuration as JSON in the attribute `model_config`, and below `model_weights` one group a
layer with its arrays. `read` gives the description that all engines build their models from; `to_bytes` makes a file
that `keras.models.load_model` loads, from a description of any engine.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import safety
from workshop.kit.saving.architecture import Architecture, Layer, layer_from
from workshop.kit.saving.hdf5.checked_bytes import UnreadableError
from workshop.kit.saving.hdf5.objects import Dataset, Group
from workshop.kit.saving.layer_specs import ACTIVATIONS, Config, Shape, UnknownLayerError

# What Keras 1 called the weights. Its "running_std" holds the variance.
_OLD_WEIGHTS = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}
# The longer names first: a weight is known by how its name ends.
_KNOWN_WEIGHTS = (
    "depthwise_kernel",
    "pointwise_kernel",
    "recurrent_kernel",
    "kernel",
    "bias",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
    "embeddings",
)
_NOT_WEIGHTS = ("seed_generator_state", "seed")  # the state of Dropout's random generator


def read(path: FilePath) -> Architecture:
    """Returns the model in a `.h5`, with its weights as float32.

    Raises:
        UnknownLayerError: it has a layer or a setting that is not known here.
        WorkshopError: the file is missing, damaged, could reach outside of itself, or is inconsistent.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
    return from_bytes(content, path)


def from_bytes(content: bytes, path: FilePath) -> Architecture:
    """Returns the model in the content of a file, as `read` does; `path` is for the messages."""
    config, root = safety.check_h5(content, path)
    try:
        architecture = _architecture(config)
        _read_weights(architecture, root.group("model_weights"))
    except UnknownLayerError as error:
        raise UnknownLayerError(f"{path} is refused: {error}") from error
    except WorkshopError as error:
        raise WorkshopError(f"{path} is refused: {error}") from error
    except UnreadableError as error:
        raise WorkshopError(f"{path} is damaged ({error}): copy or train it again") from error
    except (TypeError, KeyError, AttributeError, ValueError, IndexError, RecursionError) as error:
        raise WorkshopError(f"{path} is refused: its configuration is none that Keras writes") from error
    return architecture


def _architecture(config: Config) -> Architecture:
    if config.get("class_name") != "Sequential":
        raise UnknownLayerError(f"it is a {safety.printable(config.get('class_name'))} model, takes a Sequential one")
    inner = config["config"]
    described = inner if isinstance(inner, list) else inner["layers"]
    shape: Any = None if isinstance(inner, list) else inner.get("build_input_shape")
    layers: list[Layer] = []
    for entry in described:
        settings = entry["config"]
        given = settings.get("batch_shape") or settings.get("batch_input_shape")
        if not layers and given:
            shape = given
        elif not layers and shape is None and entry["class_name"] != "Embedding" and settings.get("input_dim"):
            shape = [None, settings["input_dim"]]
        if entry["class_name"] != "InputLayer":
            layers.append(layer_from(entry["class_name"], settings))
    if not layers:
        raise WorkshopError("its model has no layers")
    if not shape or not all(type(n) is int and 1 <= n <= 10_000 for n in shape[1:]) or len(shape) not in (2, 3, 4):
        raise UnknownLayerError(
            f"it takes inputs of shape {safety.printable(shape)}; known are (samples, features), (samples, steps, "
            f"features) and (samples, height, width) with channels or without, of fixed sizes"
        )
    return Architecture(tuple(shape[1:]), layers)


def _read_weights(architecture: Architecture, group: Group) -> None:
    shapes = architecture.weight_shapes()
    layer_names = _names(group, "layer_names")
    if len(set(layer_names)) < len(layer_names):
        raise WorkshopError("two of its layers have the same name")
    stored = [arrays for name in layer_names if (arrays := _arrays(group.group(name)))]
    wanting = [(layer, names) for layer, names in zip(architecture.layers, shapes, strict=True) if names]
    if len(stored) != len(wanting):
        raise WorkshopError(f"its configuration has {len(wanting)} layers with weights, the file {len(stored)}")
    for (layer, names), arrays in zip(wanting, stored, strict=True):
        if set(arrays) != set(names):
            raise WorkshopError(
                f"a {layer.kind} layer has weights {safety.printable(', '.join(sorted(arrays)))}, "
                f"takes {', '.join(sorted(names))}"
            )
        for name, shape in names.items():
            layer.weights[name] = _weight(arrays[name], f"the {name} of a {layer.kind} layer", shape)
        if "moving_variance" in names and layer.weights["moving_variance"].min() < 0:
            raise WorkshopError(f"the moving_variance of a {layer.kind} layer is below 0")


def _weight(stored: Dataset, what: str, shape: Shape) -> np.ndarray:
    if stored.shape != shape or stored.type.kind != "f":
        holds = {"f": "floats", "i": "whole numbers", "u": "whole numbers"}.get(stored.type.kind, "texts")
        raise WorkshopError(f"{what} holds {holds} of shape {stored.shape}, takes floats of shape {shape}")
    with np.errstate(over="ignore"):
        weight = stored.array().astype(np.float32)
    if not np.isfinite(weight).all():
        raise WorkshopError(f"{what} is not finite")
    return weight


def _names(group: Group, attribute: str) -> list[str]:
    """Returns a list of names; a long one is split over several numbered attributes."""
    parts = [attribute] if attribute in group.attributes else []
    while not parts or (parts[0] != attribute and f"{attribute}{len(parts)}" in group.attributes):
        parts.append(f"{attribute}{len(parts)}")
    lists: list[Any] = [group.attributes.get(part) for part in parts]
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
        raise UnreadableError(f"its {attribute} are no names")
    return [name for names in lists for name in names]


def _arrays(group: Group) -> dict[str, Dataset]:
    """Returns a layer's arrays by Keras 3's names for them."""
    names = _names(group, "weight_names")
    arrays = {_weight_name(name): group.dataset(name) for name in names}
    if len(arrays) < len(names):
        raise WorkshopError(f"a layer has two weights of the same name: {safety.printable(', '.join(names))}")
    return {name: array for name, array in arrays.items() if name not in _NOT_WEIGHTS}


def _weight_name(name: str) -> str:
    """'dense_1/kernel:0', 'mnist/dense_1/kernel' and 'dense_1_W' -> 'kernel'."""
    last = name.rpartition("/")[2].partition(":")[0]
    for old, new in _OLD_WEIGHTS.items():
        if last.endswith(f"_{old}"):
            return new
    for known in (*_KNOWN_WEIGHTS, *_NOT_WEIGHTS):
        if last == known or last.endswith(f"_{known}"):
            return known
    return last


def to_bytes(architecture: Architecture) -> bytes:
    """Returns the content of a `.h5` that `keras.models.load_model` loads; the same model gives the same bytes.

    Raises:
        WorkshopError: a layer has an activation that is not Keras'.
    """
    import h5py

    for layer in architecture.layers:
        if layer.settings.get("activation", "linear") not in ACTIVATIONS:
            raise WorkshopError(
                f"the activation {layer.settings['activation']} of a {layer.kind} layer is not Keras': "
                f"a .h5 cannot hold it"
            )
    described: list[Config] = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, *architecture.input_shape], "name": "input"}}
    ]
    names = []
    for number, layer in enumerate(architecture.layers):
        names.append(f"{layer.kind.lower()}_{number}")
        described.append({"class_name": layer.kind, "config": {"name": names[-1], **layer.settings}})
    config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": described}}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("model_weights")
        for place in (file, group):
            # Keras 3's configuration, and arrays in the layout of TensorFlow.
            place.attrs["keras_version"], place.attrs["backend"] = "3.0.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name, layer in zip(names, architecture.layers, strict=True):
            part = group.create_group(name)
            part.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight in layer.weights]
            for weight, array in layer.weights.items():
                part[f"{name}/{weight}"] = array.astype(np.float32)
    return buffer.getvalue()
