"""Reading and writing the `.h5` of a Sequential model, as Keras 1 to 3 save it, without Keras.

The file holds the model's configuration as JSON in the attribute `model_config`, and below `model_weights` one group a
layer with its arrays; `upgrade` brings both to Keras 3's terms. `read` gives the description that all engines build
their models from; `to_bytes` makes a file that `keras.models.load_model` loads, from a description of any engine.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import safety, upgrade
from workshop.kit.saving.architecture import Architecture, layer_from
from workshop.kit.saving.hdf5.checked_bytes import UnreadableError
from workshop.kit.saving.layer_specs import ACTIVATIONS, Config, Shape, UnknownLayerError
from workshop.kit.saving.upgrade import SavedModel, Tensor, Weights


def read(path: FilePath) -> Architecture:
    """Returns the model in a `.h5`, with its weights as float32.

    Raises:
        UnknownLayerError: it has a layer or a setting that is not known here.
        WorkshopError: the file is missing, damaged, could reach outside of itself, or is inconsistent.
    """
    return from_bytes(read_content(path), path)


def read_content(path: FilePath) -> bytes:
    """Returns the bytes of a file.

    Raises:
        WorkshopError: it is missing, or no file.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error


def from_bytes(content: bytes, path: FilePath) -> Architecture:
    """Returns the model in the content of a file, as `read` does; `path` is for the messages."""
    return from_saved(read_saved(content, path), path)


def from_saved(saved: SavedModel, path: FilePath) -> Architecture:
    """Returns the description of a model whose layers stand in a row; raises as `read` does."""
    try:
        layers = list(_in_a_row(saved.config, saved.weights))
        architecture = _architecture(layers)
        _read_weights(architecture, layers)
    except UnknownLayerError as error:
        raise UnknownLayerError(f"{path} is refused: {error}") from error
    except WorkshopError as error:
        raise WorkshopError(f"{path} is refused: {error}") from error
    except _INVALID as error:
        raise WorkshopError(f"{path} is refused: its configuration is none that Keras writes") from error
    return architecture


# What a configuration raises in which something else stands where Keras writes a number or a list.
_INVALID = (TypeError, KeyError, AttributeError, ValueError, IndexError, RecursionError, OverflowError)


def read_saved(content: bytes, path: FilePath, like: tuple[bytes, FilePath] | None = None) -> SavedModel:
    """Returns the model in a `.h5` in Keras 3's terms, checked before and after it is brought to them.

    Args:
        content: the content of the file.
        path: its path, for the messages.
        like: where it holds weights alone, the content and the path of a model's file whose layers they are for.

    Raises:
        WorkshopError: it is damaged or hostile, or cannot be said in these terms.
    """
    refused = f"{path} is refused: "
    config, root = safety.check_h5(*(like or (content, path)))
    weights = None if like is None else safety.read_hdf5(content, path)
    try:
        saved = upgrade.read(config, root) if weights is None else upgrade.read_like(config, root, weights)
    except WorkshopError as error:
        raise WorkshopError(f"{refused}{error}") from error
    except UnreadableError as error:
        raise WorkshopError(f"{path} is damaged ({error}): copy or train it again") from error
    except _INVALID as error:
        raise WorkshopError(f"{refused}its configuration is none that Keras writes") from error
    safety.check_config(saved.config, refused)
    return saved


Described = tuple[Config, Weights | None]  # a layer's entry and its weights


def _in_a_row(entry: Config, weights: Weights) -> Iterator[Described]:
    """Yields the layers of a model whose layers stand in a row, with those of the models within it.

    Raises:
        UnknownLayerError: its graph has branches.
    """
    entries: list[Config] = entry["config"]["layers"]
    for layer in entries if entry["class_name"] == "Sequential" else _chain(entry["config"]):
        part = weights.parts.get(layer["config"]["name"])
        if upgrade.is_model(layer):
            yield from _in_a_row(layer, part or Weights(layer["class_name"], ""))
        else:
            yield layer, part


def _chain(config: Config) -> list[Config]:
    """Returns the layers of a functional model in the order of its graph, which must be a chain."""
    layers = {layer["name"]: layer for layer in config["layers"]}
    ends = [config["input_layers"], config["output_layers"]]
    start, tensor = (end[0] if isinstance(end, list) and len(end) == 1 else end for end in ends)
    chain: list[Config] = []
    while isinstance(tensor, Tensor) and tensor.layer in layers and len(chain) < len(layers):
        layer = layers[tensor.layer]
        chain.insert(0, layer)
        if tensor == start:
            if len(chain) == len(layers):
                return chain
            break
        calls = layer["calls"]
        is_plain = len(calls) == 1 and len(calls[0]["args"]) == 1 and not calls[0]["kwargs"] and tensor[1:] == (0, 0)
        tensor = calls[0]["args"][0] if is_plain else None
    raise UnknownLayerError("it is a functional model with branches, takes one whose layers stand in a row")


def _architecture(described: list[Described]) -> Architecture:
    first = described[0][0] if described else None
    shape: Any = first["config"]["batch_shape"] if first and first["class_name"] == "InputLayer" else None
    layers = [
        layer_from(entry["class_name"], entry["config"])
        for entry, _ in described
        if entry["class_name"] != "InputLayer"
    ]
    if not layers:
        raise WorkshopError("its model has no layers")
    if first and first["config"].get("dtype") == "float16" and "dtype" not in layers[0].settings:
        raise UnknownLayerError("its inputs have 16 bits, and its first layer has not")
    if not shape or not all(type(n) is int and 1 <= n <= 10_000 for n in shape[1:]) or len(shape) not in (2, 3, 4):
        raise UnknownLayerError(
            f"it takes inputs of shape {safety.printable(shape)}; known are (samples, features), (samples, steps, "
            f"features) and (samples, height, width) with channels or without, of fixed sizes"
        )
    return Architecture(tuple(shape[1:]), layers)


def _read_weights(architecture: Architecture, described: list[Described]) -> None:
    shapes = architecture.weight_shapes()
    stored = [weights for entry, weights in described if entry["class_name"] != "InputLayer"]
    wanting = [layer for layer, names in zip(architecture.layers, shapes, strict=True) if names]
    found = sum(weights is not None for weights in stored)
    if found != len(wanting):
        raise WorkshopError(f"its configuration has {len(wanting)} layers with weights, the file {found}")
    for layer, names, weights in zip(architecture.layers, shapes, stored, strict=True):
        arrays = _arrays(weights) if weights else {}
        if set(arrays) != set(names):
            raise WorkshopError(
                f"a {layer.kind} layer has weights {safety.printable(', '.join(sorted(arrays)))}, "
                f"takes {', '.join(sorted(names))}"
            )
        for name, shape in names.items():
            layer.weights[name] = _weight(arrays[name], f"the {name} of a {layer.kind} layer", shape)
        if "moving_variance" in names and layer.weights["moving_variance"].min() < 0:
            raise WorkshopError(f"the moving_variance of a {layer.kind} layer is below 0")


def _arrays(weights: Weights) -> dict[str, np.ndarray]:
    """Returns a layer's arrays by name; a Bidirectional layer has a `forward_kernel` and a `backward_kernel`."""
    arrays = weights.by_name()
    for part, inner in weights.parts.items():
        before = f"{part}_" if part in ("forward", "backward") else ""
        arrays |= {f"{before}{name}": array for name, array in _arrays(inner).items()}
    return arrays


def _weight(stored: np.ndarray, what: str, shape: Shape) -> np.ndarray:
    if stored.shape != shape or stored.dtype.kind != "f":
        holds = "floats" if stored.dtype.kind == "f" else "whole numbers"
        raise WorkshopError(f"{what} holds {holds} of shape {stored.shape}, takes floats of shape {shape}")
    return stored


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
