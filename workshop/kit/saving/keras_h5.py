"""Reading the `.h5` or the `.keras` of a saved model with Keras; `h5` reads the first without.

A `.h5` is read by our own reader, checked, and brought to Keras 3's terms by `upgrade`; here its layers are made by
Keras, in its safe mode, and given their weights. So neither the HDF5 library nor Keras' loader for old files sees it.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import h5, keras_archive, safety, upgrade
from workshop.kit.saving.architecture import MAX_OUTPUT_SIZE
from workshop.kit.saving.card import printable
from workshop.kit.saving.hdf5.objects import Group
from workshop.kit.saving.layer_specs import Config
from workshop.kit.saving.model import NEWER_SETTINGS, KerasModel
from workshop.kit.saving.upgrade import SavedModel, Tensor, Weights

if TYPE_CHECKING:
    import keras
else:
    from workshop.kit.lazy import keras

_MAX_CALLS = 50_000  # of layers, in a model with all models within it
# Layers that compute tables of any size before they see an input.
_WITH_TABLES = {"MelSpectrogram", "STFTSpectrogram"}
_NUMBERS = {"groups": 1, "dilation_rate": 1}  # settings that say nothing by these values


def from_bytes(content: bytes, path: FilePath) -> KerasModel:
    """Returns the model in a `.h5` of any Keras, or in a `.keras`, as Keras computes it.

    Raises:
        WorkshopError: it is damaged or hostile, or has a layer that Keras does not have.
    """
    if keras_archive.is_archive(content):
        old = keras_archive.parts_of_keras_2(content)
        return _guarded(lambda: _load_archive(content) if old is None else _load_keras_2(*old), path)
    saved = h5.read_saved(content, path)
    return from_saved(saved, path)


def from_saved(saved: SavedModel, path: FilePath) -> KerasModel:
    """Returns a model in Keras 3's terms as Keras computes it; raises as `from_bytes` does."""
    return _guarded(lambda: build(saved), path)


def _guarded(make: Callable[[], keras.Model], path: FilePath) -> KerasModel:
    try:
        return KerasModel(make())
    except WorkshopError as error:
        raise WorkshopError(f"{path} is refused: {error}") from error
    except Exception as error:  # Keras raises whatever the configuration leads it to
        raise WorkshopError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason(error)}") from error


def as_h5(content: bytes, path: FilePath) -> bytes:
    """Returns a saved model as a `.h5`, which all engines read: Keras loads a `.keras` and writes it anew."""
    return from_bytes(content, path).to_h5() if keras_archive.is_archive(content) else content


def reason(error: Exception) -> str:
    """Returns what Keras' error says, in a line, without the configuration that it quotes at length before that."""
    text = str(error).strip() or type(error).__name__
    text = text.rpartition("Exception encountered: ")[2]
    text = re.sub(r"\x1b\[\d*m", "", text)  # some of it in bold
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered when calling")] or lines
    return printable(lines[0] if lines else type(error).__name__, at_most=400)


def _load_archive(content: bytes) -> keras.Model:
    # Keras warns of deprecated settings, which only who wrote the file could change.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        copy = Path(folder) / "model.keras"
        copy.write_bytes(content)
        model = keras.models.load_model(copy, compile=False, safe_mode=True)
    if not model.built:
        raise WorkshopError("it holds a model that was never used, so it has no weights: train it, then save")
    return model


def _load_keras_2(config: Config, weights: bytes) -> keras.Model:
    """Returns the model in a `.keras` of Keras 2, whose weights are stored as those of Keras 3 are."""
    entry = upgrade.upgrade_model(config, is_old=True)
    safety.check_config(entry, "")
    model = _make(entry, _count_stored(safety.read_hdf5(weights, "its model.weights.h5")))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        copy = Path(folder) / "model.weights.h5"
        copy.write_bytes(weights)
        model.load_weights(copy)
    _steepen(model, entry)
    return model


def _count_stored(group: Group) -> int:
    """Returns the number of numbers in a file of weights."""
    total = 0
    for entry in group.entries.values():
        total += _count_stored(entry) if isinstance(entry, Group) else math.prod(entry.shape)
    return total


def _steepen(layer: Any, entry: Config) -> None:
    """Multiplies the weights before each hard_sigmoid of Keras 2, as `upgrade` does with those of a `.h5`."""
    settings = entry["config"]
    inner: list[tuple[Any, Config]] = []
    if upgrade.is_model(entry):
        entries = {described["config"]["name"]: described for described in settings["layers"]}
        inner = [(part, entries[part.name]) for part in layer.layers if part.name in entries]
    elif hasattr(layer, "forward_layer"):
        backward = settings.get("backward_layer") or settings["layer"]
        inner = [(layer.forward_layer, settings["layer"]), (layer.backward_layer, backward)]
    elif isinstance(settings.get("layer"), dict):
        inner = [(layer.layer, settings["layer"])]
    elif isinstance(settings.get("cell"), dict):
        inner = [(layer.cell, settings["cell"])]
    elif isinstance(settings.get("cells"), list):
        inner = list(zip(layer.cells, settings["cells"], strict=True))
    for part, described in inner:
        _steepen(part, described)
    if not inner and "hard_sigmoid" in (settings.get("activation"), settings.get("recurrent_activation")):
        variables = {_name_parts(variable)[-1]: variable for variable in layer.weights}
        arrays = {name: np.asarray(keras.ops.convert_to_numpy(variable)) for name, variable in variables.items()}
        upgrade.steepen(entry["class_name"], settings, arrays)
        for name, variable in variables.items():
            variable.assign(arrays[name])


def build(saved: SavedModel) -> keras.Model:
    """Returns the Keras model of a file, with its weights.

    Raises:
        WorkshopError: its layers and its weights do not fit together, or it is larger than its file.
    """
    first = saved.config["config"]["layers"][0]
    if not saved.weights.parts and first["class_name"] not in ("InputLayer", "Sequential", "Functional"):
        raise WorkshopError("it holds a model that was never used, so it has no weights: train it, then save")
    model = _make(saved.config, _count_numbers(saved.weights))
    put: set[int] = set()
    _put_weights(model, saved.weights, put)
    for layer, variable in _variables(model):
        if id(variable) not in put:
            raise WorkshopError(f"the file has no {variable.name} for its {type(layer).__name__} layer {layer.name}")
    return model


def _make(entry: Config, numbers: int) -> keras.Model:
    """Returns a model of zeros; one of more than `numbers` weights is refused."""
    if _count_calls(entry) > _MAX_CALLS:
        raise WorkshopError(f"its layers are called more than {_MAX_CALLS:,} times")
    with warnings.catch_warnings(action="ignore"), _no_more_weights_than(numbers):
        model = _layer(entry)
    if not model.built:
        raise WorkshopError("it does not say the shape of its inputs: give its first layer an input_shape")
    _check_outputs(model)
    return model


@contextlib.contextmanager
def _no_more_weights_than(numbers: int) -> Iterator[None]:
    """Refuses a model as soon as its layers ask for more weights than its file holds: a file may claim any size.

    The weights begin as zeros: those of the file take their place.
    """
    layer_class = keras.layers.Layer
    add_weight = layer_class.add_weight
    total = 0

    @functools.wraps(add_weight)
    def add_counted(self: Any, shape: Any = None, initializer: Any = None, *args: Any, **options: Any) -> Any:
        nonlocal total
        size = math.prod(int(n) for n in shape or ())
        total += size
        if total > numbers:
            raise WorkshopError(
                f"a {type(self).__name__} layer of it takes {size:,} weights, all layers {total:,}; "
                f"the file has {numbers:,}"
            )
        return add_weight(self, shape, "zeros", *args, **options)

    layer_class.add_weight = add_counted
    try:
        yield
    finally:
        layer_class.add_weight = add_weight


def _count_numbers(weights: Weights) -> int:
    own = sum(array.size for array in weights.arrays.values())
    return own + sum(_count_numbers(part) for part in weights.parts.values())


def _count_calls(entry: Config, times: int = 1) -> int:
    """Returns how often layers are called while a model is made: a model within it is called once more by itself."""
    if not upgrade.is_model(entry):
        return times
    total = 0
    for layer in entry["config"]["layers"]:
        calls = max(1, len(layer.get("calls", ())))
        total += _count_calls(layer, times * (calls + upgrade.is_model(layer)))
        if total > _MAX_CALLS:
            break
    return total


def _layer(entry: Config) -> keras.Layer:
    """Returns the layer of an entry, or the model."""
    kind, settings = entry["class_name"], entry["config"]
    if upgrade.is_model(entry):
        return _sequential(settings) if kind == "Sequential" else _functional(settings)
    layer_class: Any = getattr(keras.layers, kind, None)
    is_layer = inspect.isclass(layer_class) and issubclass(layer_class, keras.layers.Layer)
    if not is_layer or layer_class is keras.layers.Layer or kind in _WITH_TABLES:
        raise WorkshopError(f"its layer {printable(kind)} is none of Keras {keras.__version__}'s own")
    inner = settings.get("layer")
    if isinstance(inner, dict) and upgrade.is_model(inner):
        others = {name: value for name, value in settings.items() if name != "layer"}
        return layer_class(_layer(inner), **_known_settings(layer_class, kind, others))
    config = {name: _cleaned(value) for name, value in settings.items()}
    described = {**entry, "config": _known_settings(layer_class, kind, config)}
    layer = keras.layers.deserialize({name: described[name] for name in _DESCRIPTION})
    if not isinstance(layer, layer_class):
        raise WorkshopError(f"its layer {printable(kind)} is none of Keras {keras.__version__}'s own")
    return layer


_DESCRIPTION = ("module", "class_name", "config", "registered_name")


def _cleaned(value: Any) -> Any:
    """Returns a setting in which layers within a layer have those settings alone that Keras knows."""
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    if not isinstance(value, dict):
        return value
    config = value.get("config")
    if value.get("module") == "keras.layers" and isinstance(config, dict):
        layer_class = getattr(keras.layers, value["class_name"], None)
        if inspect.isclass(layer_class):
            config = {name: _cleaned(part) for name, part in config.items()}
            config = _known_settings(layer_class, value["class_name"], config)
            return {name: config if name == "config" else value[name] for name in _DESCRIPTION}
    return value


def _known_settings(layer_class: Any, kind: str, settings: Config) -> Config:
    """Returns a layer's settings without those that its class does not take and that say nothing.

    Raises:
        WorkshopError: one that it does not take says something.
    """
    known: set[str] = set()
    for base in layer_class.__mro__:
        if base is keras.layers.Layer:
            known |= {"name", "trainable", "dtype", "activity_regularizer"}
            break
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters
            known |= set(parameters)
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
                break
    if kind.startswith("Random"):  # it changes images while training alone
        return {name: value for name, value in settings.items() if name in known}
    unknown = {name: value for name, value in settings.items() if name not in known | {"trainable", "dtype"}}
    for name, value in unknown.items():
        is_default = value is None or value is False or (type(value) is int and value == _NUMBERS.get(name))
        if not is_default and not NEWER_SETTINGS.get(name) == value:
            raise WorkshopError(
                f"its {kind} layer has {printable(name)} = {printable(repr(value))}, which Keras {keras.__version__} "
                f"does not know"
            )
    return {name: value for name, value in settings.items() if name in known}


def _input(settings: Config, name: str | None) -> keras.KerasTensor:
    shape = settings["batch_shape"]
    if not all(n is None or (type(n) is int and 1 <= n <= MAX_OUTPUT_SIZE) for n in shape[1:]):
        raise WorkshopError(f"it takes inputs of shape {printable(shape)}, which is not a shape")
    if math.prod(n for n in shape[1:] if n) > MAX_OUTPUT_SIZE:
        raise WorkshopError(f"it takes inputs of shape {printable(shape)}, more than {MAX_OUTPUT_SIZE:,} numbers")
    return keras.Input(batch_shape=tuple(shape), dtype=settings["dtype"], name=name)


def _sequential(settings: Config) -> keras.Sequential:
    model = keras.Sequential(name=settings["name"])
    for entry in settings["layers"]:
        model.add(_input(entry["config"], None) if entry["class_name"] == "InputLayer" else _layer(entry))
    return model


def _functional(settings: Config) -> keras.Model:
    """Returns a functional model: its layers are called as soon as their inputs are there."""
    outputs: dict[str, list[list[Any]]] = {}
    layers: dict[str, Any] = {}
    waiting = []
    for entry in settings["layers"]:
        outputs[entry["name"]] = []
        if entry["class_name"] == "InputLayer":
            outputs[entry["name"]].append([_input(entry["config"], entry["config"]["name"])])
        else:
            layers[entry["name"]] = _layer(entry)
            waiting.append((entry["name"], list(entry["calls"])))
    while waiting:
        later = []
        for name, calls in waiting:
            while calls and _is_there([calls[0]["args"], calls[0]["kwargs"]], outputs):
                call = calls.pop(0)
                result = layers[name](*_filled(call["args"], outputs), **_filled(call["kwargs"], outputs))
                outputs[name].append(list(result) if isinstance(result, list | tuple) else [result])
            if calls:
                later.append((name, calls))
        if len(later) == len(waiting) and [len(calls) for _, calls in later] == [len(calls) for _, calls in waiting]:
            raise WorkshopError(
                f"its graph has a loop, or a part is missing, before its layer {printable(later[0][0])}"
            )
        waiting = later
    for part in ("input_layers", "output_layers"):
        if not _is_there(settings[part], outputs):
            raise WorkshopError(f"its {part} are not layers of it")
    inputs, results = (_unpacked(_filled(settings[part], outputs)) for part in ("input_layers", "output_layers"))
    return keras.Model(inputs, results, name=settings["name"])


def _unpacked(value: Any) -> Any:
    value = list(value.values()) if isinstance(value, dict) else value
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _is_there(value: Any, outputs: dict[str, list[list[Any]]]) -> bool:
    if isinstance(value, Tensor):
        calls = outputs.get(value.layer, [])
        return 0 <= value.call < len(calls) and 0 <= value.output < len(calls[value.call])
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_there(part, outputs) for part in parts)


def _filled(value: Any, outputs: dict[str, list[list[Any]]]) -> Any:
    """Returns arguments with the tensors in their places."""
    if isinstance(value, Tensor):
        return outputs[value.layer][value.call][value.output]
    if isinstance(value, dict):
        return {name: _filled(part, outputs) for name, part in value.items()}
    return [_filled(part, outputs) for part in value] if isinstance(value, list) else value


def _check_outputs(model: Any) -> None:
    """Refuses a model one of whose layers has an output of more numbers than any machine of a room holds."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            _check_outputs(layer)
        with contextlib.suppress(AttributeError, ValueError):  # a layer that was called several times, or not at all
            shape = layer.output.shape
            if math.prod(n for n in shape if n) > MAX_OUTPUT_SIZE:
                raise WorkshopError(
                    f"a {type(layer).__name__} layer has an output of more than {MAX_OUTPUT_SIZE:,} numbers"
                )


def _variables(layer: Any) -> Iterator[tuple[Any, Any]]:
    """Yields the weights of a model, each with the layer that has it."""
    for inner in layer.layers if hasattr(layer, "layers") else ():
        yield from _variables(inner)
    if not hasattr(layer, "layers"):
        for variable in layer.weights:
            if _name_parts(variable)[-1] not in ("seed_generator_state", "seed"):
                yield layer, variable


def _name_parts(variable: Any) -> tuple[str, ...]:
    return tuple(variable.path.split("/"))


def _put_weights(layer: Any, weights: Weights, put: set[int]) -> None:
    """Assigns the weights of a layer and of those within it; the variables that got theirs are noted in `put`."""
    inner: dict[str, Any] = {}
    if hasattr(layer, "layers"):
        inner = {part.name: part for part in layer.layers}
    elif hasattr(layer, "forward_layer"):
        inner = {"forward": layer.forward_layer, "backward": layer.backward_layer}
    elif hasattr(layer, "layer"):
        inner = {"layer": layer.layer}
    elif hasattr(layer, "cell"):
        inner = {"cell": layer.cell}
    elif hasattr(layer, "cells"):
        inner = {str(number): cell for number, cell in enumerate(layer.cells)}
    for name, part in weights.parts.items():
        inner_layer = inner.get(name)
        if inner_layer is None:
            raise WorkshopError(f"the file has weights for a layer {printable(name)}, which its configuration has not")
        _put_weights(inner_layer, part, put)
    if weights.arrays:
        _assign(layer, weights, put)


def _assign(layer: Any, weights: Weights, put: set[int]) -> None:
    variables = [variable for variable in layer.weights if _name_parts(variable)[-1] != "seed_generator_state"]
    arrays = list(weights.arrays.items())
    kind = weights.kind
    pairs: list[tuple[Any, np.ndarray]] | None = None
    for length in (1, 2, 3):
        by_name = {name[-length:]: array for name, array in arrays}
        wanted = {_name_parts(variable)[-length:]: variable for variable in variables}
        if len(by_name) == len(arrays) and len(wanted) == len(variables) and set(by_name) == set(wanted):
            pairs = [(variable, by_name[name]) for name, variable in wanted.items()]
            break
    if pairs is None:
        last = [name[-1] for name, _ in arrays]
        takes = [_name_parts(variable)[-1] for variable in variables]
        if sorted(last) != sorted(takes):
            raise WorkshopError(
                f"a {kind} layer has weights {printable(', '.join(sorted(last)))}, takes {', '.join(sorted(takes))}"
            )
        pairs = list(zip(variables, [array for _, array in arrays], strict=True))
    for variable, array in pairs:
        if tuple(variable.shape) != array.shape:
            raise WorkshopError(
                f"the {_name_parts(variable)[-1]} of a {kind} layer holds numbers of shape {array.shape}, "
                f"takes shape {tuple(variable.shape)}"
            )
        if "float" in str(variable.dtype) and array.dtype.kind != "f":
            raise WorkshopError(f"the {_name_parts(variable)[-1]} of a {kind} layer holds whole numbers, takes floats")
        variable.assign(array)
        put.add(id(variable))
    if hasattr(layer, "finalize_state"):  # a Normalization layer computes with what it makes of its weights
        layer.finalize_state()
