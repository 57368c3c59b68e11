"""The configuration of a model, brought from the forms that Keras 1, 2 and 3 write to one form.

A Sequential model is `{"name", "layers": [entry, ...]}`, whose first entry is an InputLayer where a shape is known. A
functional one is `{"name", "layers", "input_layers", "output_layers"}`, whose entries have `calls`: for each call of
the layer its arguments, in which a tensor is a `Tensor`: which output of which call of which layer. Layers may be
models themselves.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.card import printable
from workshop.kit.saving.layer_specs import Config, layer_entry
from workshop.kit.saving.upgrade.layers import MERGES, RECURRENT, described_layer, merge_layer, upgrade_layer

MODELS = {"Sequential", "Functional", "Model", "Network", "Container"}
MAX_LAYERS = 5_000
MAX_CALLS = 20_000
_MAX_DEPTH = 20
SLOPE = 1.2  # Keras 3's hard_sigmoid rises by 1/6, that of Keras 1 and 2 by 0.2


class Tensor(NamedTuple):
    """An output of a layer in a functional model."""

    layer: str
    call: int
    output: int


def is_model(entry: Config) -> bool:
    """Returns whether an entry is a model, not a layer."""
    return entry["class_name"] in ("Sequential", "Functional") and "layers" in entry["config"]


def upgrade_model(described: Config, *, is_old: bool, depth: int = 0) -> Config:
    """Returns a model's entry.

    Args:
        described: its class name and configuration in the file.
        is_old: whether Keras 1 or 2 wrote it.
        depth: how many models it lies within.

    Raises:
        WorkshopError: it cannot be said in Keras 3's terms.
    """
    kind, inner = described.get("class_name"), described.get("config")
    if depth > _MAX_DEPTH:
        raise WorkshopError(f"it has models within models, more than {_MAX_DEPTH} deep")
    if kind == "Sequential" and isinstance(inner, list | dict):
        return _sequential(inner, is_old, depth)
    if kind in MODELS and isinstance(inner, dict) and {"layers", "input_layers", "output_layers"} <= set(inner):
        return _functional(inner, is_old, depth)
    if kind in MODELS:
        raise WorkshopError(f"its {printable(kind)} model has no layers in the file, as one by a class of its own")
    raise WorkshopError(f"it is a {printable(kind)}, a class that is not Keras' own: its code is not in the file")


def _described(layers: Any) -> list[Config]:
    if not isinstance(layers, list) or len(layers) > MAX_LAYERS:
        raise WorkshopError(f"its layers are not a list of up to {MAX_LAYERS:,}")
    for layer in layers:
        if not isinstance(layer, dict) or not isinstance(layer.get("class_name"), str):
            raise WorkshopError("its configuration is not a valid Keras configuration: a layer of it has no class")
        if not isinstance(layer.get("config", {}), dict | list):
            raise WorkshopError("its configuration is not a valid Keras configuration: a layer of it has no settings")
    return layers


def _upgraded(described: Config, is_old: bool, depth: int) -> Config:
    kind, config = described_layer(described)
    if kind in MODELS:
        return upgrade_model(described, is_old=is_old, depth=depth + 1)
    return upgrade_layer(kind, config, is_old=is_old, inner=lambda inner: _upgraded(inner, is_old, depth + 1))


def _named(entries: list[Config]) -> None:
    """Gives each entry the key `name`, its layer's name in the file; Keras 3 allows no "/" in the configuration's."""
    for number, entry in enumerate(entries):
        name = entry.get("name", entry["config"].get("name"))
        if not isinstance(name, str) or not name:
            name = f"{entry['class_name'].lower()}_{number}"
        entry["name"] = name
        entry["config"]["name"] = name.replace("/", "_")
    if len({entry["config"]["name"] for entry in entries}) < len(entries):
        raise WorkshopError("two of its layers have the same name")


def _needs_slope(entry: Config, is_old: bool) -> bool:
    """Returns whether an entry is an Activation layer with the hard_sigmoid of Keras 1 and 2."""
    return is_old and entry["class_name"] == "Activation" and entry["config"].get("activation") == "hard_sigmoid"


def _slope_before(entry: Config) -> Config:
    """Returns the layer that multiplies the input of such an Activation layer: Keras 3's then has the same outputs."""
    return layer_entry("Rescaling", {"name": f"{entry['config']['name']}_slope", "scale": SLOPE, "offset": 0.0})


def _sequential(inner: Any, is_old: bool, depth: int) -> Config:
    name = inner.get("name") if isinstance(inner, dict) else None
    described = _described(inner if isinstance(inner, list) else inner.get("layers"))
    if described and described[0]["class_name"] == "Merge" and "layers" in described[0].get("config", {}):
        return _merged(described, is_old, depth)
    shape = None if isinstance(inner, list) else inner.get("build_input_shape")
    dtype: Any = None
    layers: list[Config] = []
    has_input = False
    for layer in described:
        settings = layer.get("config", {})
        is_first = not layers and not has_input
        entry = _upgraded(_without_wrapper(layer) if is_old else layer, is_old, depth)
        if is_first and isinstance(settings, dict):
            given = settings.get("batch_shape") or settings.get("batch_input_shape") or _shape_of_features(layer)
            has_input = entry["class_name"] == "InputLayer"
            if given:
                shape, dtype = given, entry["config"].get("dtype") if entry["class_name"] == "InputLayer" else dtype
        if entry["class_name"] != "InputLayer":
            layers.append(entry)
    if not layers:
        raise WorkshopError("its model has no layers")
    if shape is None and is_model(layers[0]):
        shape, dtype = _input_type(layers[0])
    _named(layers)
    pairs = ([_slope_before(entry), entry] if _needs_slope(entry, is_old) else [entry] for entry in layers)
    layers = [*itertools.chain.from_iterable(pairs)]
    _named(layers)
    if shape is not None:
        layers.insert(0, _input_layer("input_layer", shape, dtype or "float32"))
    config = {"name": str(name or "sequential").replace("/", "_"), "layers": layers}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


def _without_wrapper(described: Config) -> Config:
    """Returns an Activation layer in the place of a TimeDistributed one around it, which changes nothing."""
    inner = described.get("config", {})
    inner = inner.get("layer") if described["class_name"] == "TimeDistributed" and isinstance(inner, dict) else None
    if isinstance(inner, dict) and inner.get("class_name") == "Activation" and isinstance(inner.get("config"), dict):
        own = {name: described["config"][name] for name in ("name", "batch_input_shape") if name in described["config"]}
        return {**described, "class_name": "Activation", "config": {**inner["config"], **own}}
    return described


def _shape_of_features(described: Config) -> list[Any] | None:
    """Returns the shape that Keras 1 gave by the number of features, and of steps, alone."""
    kind, settings = described["class_name"], described["config"]
    if kind == "Embedding":
        return [None, settings.get("input_length")] if "input_length" in settings else None
    if not settings.get("input_dim"):
        return None
    is_sequence = kind in RECURRENT or kind in ("Convolution1D", "TimeDistributedDense", "CuDNNLSTM", "CuDNNGRU")
    return [None, *([settings.get("input_length")] if is_sequence else []), settings["input_dim"]]


def _input_layer(name: str, shape: Any, dtype: Any) -> Config:
    """Returns the entry of an InputLayer, for any number of samples."""
    if not isinstance(shape, list | tuple) or not 1 <= len(shape) <= 8:
        raise WorkshopError(f"it takes inputs of shape {printable(shape)}, which is not a shape")
    # It has no weights, so what its inputs are turned into is a type, no policy.
    config = {"batch_shape": [None, *shape[1:]], "dtype": dtype.removeprefix("mixed_"), "name": name}
    return layer_entry("InputLayer", config)


def _input_type(entry: Config) -> tuple[Any, Any]:
    """Returns the shape and the type of the only input of a model that is a layer; None where it says none."""
    layers = entry["config"]["layers"]
    if entry["class_name"] == "Functional":
        layers = [layer for layer in layers if layer["class_name"] == "InputLayer"]
        layers = layers if len(layers) == 1 else []
    first = layers[0] if layers else None
    if first is not None and first["class_name"] == "InputLayer":
        return first["config"]["batch_shape"], first["config"]["dtype"]
    return _input_type(first) if first is not None and is_model(first) else (None, None)


def _functional(inner: Config, is_old: bool, depth: int) -> Config:
    described = _described(inner["layers"])
    layers: list[Config] = []
    for layer in described:
        settings = layer.get("config", {})
        if layer["class_name"] == "Merge":
            entry = merge_layer(settings)
        elif layer["class_name"] == "InputLayer":
            shape = settings.get("batch_shape") or settings.get("batch_input_shape")
            dtype = upgrade_layer("InputLayer", settings, is_old=is_old)["config"]["dtype"]
            entry = _input_layer(str(layer.get("name") or settings.get("name")), shape, dtype)
        else:
            entry = _upgraded(_without_wrapper(layer) if is_old else layer, is_old, depth)
        if isinstance(layer.get("name"), str):
            entry["config"]["name"] = layer["name"]
        layers.append(entry)
    _named(layers)
    models = {entry["name"] for entry in layers if is_model(entry)}
    names = {entry["name"] for entry in layers}
    for entry, layer in zip(layers, described, strict=True):
        nodes = layer.get("inbound_nodes", [])
        if not isinstance(nodes, list):
            raise WorkshopError("its configuration is not a valid Keras configuration: a layer has no list of inputs")
        entry["calls"] = [_call(entry["class_name"], node, names) for node in nodes]
    outputs, inputs = _structure(inner["output_layers"], names), _structure(inner["input_layers"], names)
    if sum(len(entry["calls"]) for entry in layers) > MAX_CALLS:
        raise WorkshopError(f"its layers are called more than {MAX_CALLS:,} times")
    if is_old:
        # Keras 2 counted the calls of a model that is a layer from 1: its own graph was the first.
        everywhere = [entry["calls"] for entry in layers] + [outputs]
        numbers = [tensor.call for tensor in _tensors(everywhere) if tensor.layer in models]
        if numbers and min(numbers) >= 1:
            for entry in layers:
                entry["calls"] = _earlier(entry["calls"], models)
            outputs = _earlier(outputs, models)
        layers = _with_slopes(layers)
    else:
        outputs = _earlier(outputs, {entry["name"] for entry in layers if entry["class_name"] == "Functional"})
    config = {
        "name": str(inner.get("name") or "functional").replace("/", "_"),
        "layers": layers,
        "input_layers": inputs,
        "output_layers": outputs,
    }
    return {"module": "keras", "class_name": "Functional", "config": config, "registered_name": None}


def _with_slopes(layers: list[Config]) -> list[Config]:
    """Returns the layers with one that multiplies before each Activation with the older hard_sigmoid."""
    result = []
    for entry in layers:
        if _needs_slope(entry, True):
            slope = _slope_before(entry)
            slope["calls"] = entry["calls"]
            result.append(slope)
            _named(result)
            entry["calls"] = [{"args": [Tensor(slope["name"], n, 0)], "kwargs": {}} for n in range(len(slope["calls"]))]
        result.append(entry)
    _named(result)
    return result


def _is_tensor(value: Any, names: set[str]) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in names
        and type(value[1]) is int
        and type(value[2]) is int
    )


def _call(kind: str, node: Any, names: set[str]) -> Config:
    """Returns the arguments of one call of a layer."""
    if isinstance(node, dict) and "args" in node:  # Keras 3
        args, kwargs = _structure(node["args"], names), _structure(node.get("kwargs", {}), names)
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise WorkshopError("its configuration is not a valid Keras configuration: a layer of it has no arguments")
        if kind in MERGES.values() and len(args) > 1 and all(isinstance(value, Tensor) for value in args):
            args = [args]  # x + y is an Add layer's work
    else:
        node = [node] if _is_tensor(node, names) else node
        if not isinstance(node, list) or not node or not all(_is_tensor(value, names) for value in node):
            raise WorkshopError(
                f"a {printable(kind)} layer of it gets {printable(node)}, which is not an output of a layer before it"
            )
        tensors = [Tensor(*value[:3]) for value in node]
        given = [value[3] for value in node if len(value) == 4 and isinstance(value[3], dict)]
        kwargs = {name: _structure(value, names) for settings in given for name, value in settings.items()}
        args = [tensors[0] if len(tensors) == 1 else tensors]
        if len(tensors) > 1 and kind in RECURRENT:
            args, kwargs["initial_state"] = [tensors[0]], tensors[1:]
    for name in ("training", "mask", "name"):
        if not isinstance(kwargs.get(name), Tensor | list):
            kwargs.pop(name, None)
    return {"args": args, "kwargs": kwargs}


def _structure(value: Any, names: set[str], depth: int = 0) -> Any:
    """Returns arguments, inputs or outputs with a `Tensor` wherever one is named."""
    if depth > _MAX_DEPTH:
        raise WorkshopError("its configuration is not a valid Keras configuration: lists within lists")
    if _is_tensor(value, names):
        return Tensor(*value[:3])
    if isinstance(value, list):
        return [_structure(part, names, depth + 1) for part in value]
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__" and isinstance(value.get("config"), dict):
            return _structure(value["config"].get("keras_history"), names, depth + 1)
        if value.get("class_name") == "__tuple__":
            return _structure(value.get("items"), names, depth + 1)
        if "class_name" in value:
            raise WorkshopError(f"a layer of it gets a {printable(value['class_name'])} as an argument")
        return {name: _structure(part, names, depth + 1) for name, part in value.items()}
    return value


def _tensors(value: Any) -> list[Tensor]:
    """Returns all tensors in arguments."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _earlier(value: Any, models: set[str]) -> Any:
    """Returns arguments in which the calls of these layers are counted from 0 instead of 1."""
    if isinstance(value, Tensor):
        return value._replace(call=value.call - 1) if value.layer in models and value.call > 0 else value
    if isinstance(value, dict):
        return {name: _earlier(part, models) for name, part in value.items()}
    return [_earlier(part, models) for part in value] if isinstance(value, list) else value


def _merged(described: list[Config], is_old: bool, depth: int) -> Config:
    """Returns the functional model for a Sequential of Keras 1 that begins with a Merge of several models."""
    settings = described[0]["config"]
    merge = merge_layer(settings)
    branches = [upgrade_model(branch, is_old=is_old, depth=depth + 1) for branch in _described(settings["layers"])]
    layers: list[Config] = []
    inputs, outputs = [], []
    for number, branch in enumerate(branches):
        shape, dtype = _input_type(branch)
        if shape is None:
            raise WorkshopError("a branch of its Merge layer does not say the shape of its input")
        if branch["class_name"] == "Sequential":  # without a name in the file
            branch["config"]["name"] = f"branch_{number + 1}"
        layers += [{**_input_layer(f"input_{number + 1}", shape, dtype), "calls": []}, branch]
        inputs.append(Tensor(f"input_{number + 1}", 0, 0))
        branch["calls"] = [{"args": [inputs[-1]], "kwargs": {}}]
        outputs.append(Tensor(branch["config"]["name"], 0, 0))
    rest = [_upgraded(_without_wrapper(layer), is_old, depth) for layer in described[1:]]
    arguments: Any = outputs
    _named(layers)
    for entry in (merge, *rest):
        layers.append(entry)
        _named(layers)
        entry["calls"] = [{"args": [arguments], "kwargs": {}}]
        arguments = Tensor(entry["name"], 0, 0)
    config = {
        "name": "model",
        "layers": _with_slopes(layers),
        "input_layers": inputs,
        "output_layers": arguments,
    }
    return {"module": "keras", "class_name": "Functional", "config": config, "registered_name": None}
