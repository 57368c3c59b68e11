"""Reading and writing the `.h5` of a Sequential model, as Keras 1 to 3 save it, without Keras.

The file holds the model's configuration as JSON in the attribute `model_config`, and below `model_weights` one group a
layer with its arrays; `upgrade` brings both to Keras 3's terms. `read` gives the description that all engines build
their models from; `to_bytes` makes a file that `keras.models.load_model` loads, from a description of any engine.
"""

import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import safety, upgrade
from workshop.kit.saving.architecture import Architecture, Layer, added, branches, layer_from
from workshop.kit.saving.hdf5.checked_bytes import UnreadableError
from workshop.kit.saving.layer_specs import ACTIVATIONS, Config, Shape, UnknownLayerError, layer_entry
from workshop.kit.saving.upgrade import SavedModel, Tensor, Weights


def read(path: FilePath) -> Architecture:
    """Returns the model in a `.h5`, with its weights as float32.

    Raises:
        UnknownLayerError: it has a layer or a setting that is not known here.
        WorkshopError: the file is missing, damaged, could reach outside of itself, or is inconsistent.
    """
    return from_bytes(files.read_bytes(path), path)


def from_bytes(content: bytes, path: FilePath) -> Architecture:
    """Returns the model in the content of a file, as `read` does; `path` is for the messages."""
    return from_saved(read_saved(content, path), path)


def from_saved(saved: SavedModel, path: FilePath) -> Architecture:
    """Returns the description of a model whose layers stand in a row; raises as `read` does."""
    try:
        layers = _in_a_row(saved.config, saved.weights)
        architecture = _architecture(layers)
        _read_weights(architecture, layers)
    except UnknownLayerError as error:
        raise UnknownLayerError(f"{path} is refused: {error}") from error
    except WorkshopError as error:
        raise WorkshopError(f"{path} is refused: {error}") from error
    except _INVALID as error:
        raise WorkshopError(f"{path} is refused: its configuration is not a valid Keras configuration") from error
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
        raise WorkshopError(f"{refused}its configuration is not a valid Keras configuration") from error
    safety.check_config(saved.config, refused)
    return saved


@dataclass
class _Node:
    """A layer of a file: its entry and its weights; or, of an Add layer, the branches that it adds."""

    entry: Config
    weights: Weights | None = None
    branches: "list[list[_Node]]" = field(default_factory=list)

    def layer(self) -> Layer:
        """Returns the layer, without weights yet."""
        if self.branches:
            return added([[node.layer() for node in row] for row in self.branches])
        return layer_from(self.entry["class_name"], self.entry["config"])

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the weights by the layer's names for them."""
        own = _arrays(self.weights) if self.weights else {}
        inner = ((i, j, node) for i, row in enumerate(self.branches) for j, node in enumerate(row))
        return own | {f"{i}/{j}/{name}": array for i, j, node in inner for name, array in node.arrays().items()}


def _in_a_row(entry: Config, weights: Weights) -> list[_Node]:
    """Returns the layers of a model in a row, with those of the models within it; branches are in their Add layer.

    Raises:
        UnknownLayerError: its graph has branches that do not come together in one.
    """
    if entry["class_name"] == "Sequential":
        row = [_Node(layer) for layer in entry["config"]["layers"]]
    else:
        row = _Graph(entry["config"]).row()
    return _with_weights(row, weights)


def _with_weights(row: list[_Node], weights: Weights) -> list[_Node]:
    """Returns the nodes with their weights, and the layers of a model in its place."""
    result: list[_Node] = []
    for node in row:
        part = weights.parts.get(node.entry["config"]["name"])
        if node.branches:
            rows = [_with_weights(branch, weights) for branch in node.branches]
            result.append(_Node(node.entry, None, [_without_input(row) for row in rows]))
        elif upgrade.is_model(node.entry):
            inner = _in_a_row(node.entry, part or Weights(node.entry["class_name"]))
            # The input of a model within another is what the layer before it returns.
            result += _without_input(inner) if result else inner
        else:
            result.append(_Node(node.entry, part))
    return result


def _without_input(row: list[_Node]) -> list[_Node]:
    return [node for node in row if node.entry["class_name"] != "InputLayer"]


class _Graph:
    """A functional model whose branches, if it has any, come together in Add layers.

    Args:
        config: of the model.
    """

    def __init__(self, config: Config) -> None:
        self._layers = {layer["name"]: layer for layer in config["layers"]}
        ends = [config["input_layers"], config["output_layers"]]
        self._start, self._end = (end[0] if isinstance(end, list) and len(end) == 1 else end for end in ends)
        self._ways: dict[Tensor, list[Tensor]] = {}
        self._seen: set[str] = set()

    def row(self) -> list[_Node]:
        """Returns the layers from the input to the output."""
        if not isinstance(self._start, Tensor) or not isinstance(self._end, Tensor):
            raise self._refuse()
        row = [_Node(self._layers[self._start.layer]), *self._between(self._start, self._end)]
        if len(self._seen) != len(self._layers) - 1:
            raise self._refuse()
        return row

    def _refuse(self) -> UnknownLayerError:
        return UnknownLayerError(
            "it is a functional model with branches that do not come together in Add layers, takes one whose layers "
            "stand in a row"
        )

    def _between(self, start: Tensor, end: Tensor) -> list[_Node]:
        """Returns the layers after `start` up to `end`."""
        row: list[_Node] = []
        while end != start:
            layer = self._layers.get(end.layer)
            if layer is None or end.layer in self._seen or end == self._start:
                raise self._refuse()
            self._seen.add(end.layer)
            sources = self._sources(end)
            before = sources[0] if len(sources) == 1 else self._way(end)[-2]
            branches = [self._between(before, source) for source in sources] if len(sources) > 1 else []
            row.append(_Node(layer, None, branches))
            end = before
        return row[::-1]

    def _sources(self, tensor: Tensor) -> list[Tensor]:
        """Returns what a layer gets: one output of another layer, or several for an Add layer."""
        layer = self._layers.get(tensor.layer, {"calls": []})
        calls = layer["calls"]
        if len(calls) != 1 or len(calls[0]["args"]) != 1 or calls[0]["kwargs"] or tensor[1:] != (0, 0):
            raise self._refuse()
        given = calls[0]["args"][0]
        sources = given if isinstance(given, list) and layer["class_name"] == "Add" else [given]
        if not sources or not all(isinstance(source, Tensor) for source in sources):
            raise self._refuse()
        return sources

    def _way(self, end: Tensor) -> list[Tensor]:
        """Returns the outputs that every way from the model's input to `end` passes, both included."""
        waiting = [end]
        while waiting:
            tensor = waiting[-1]
            if tensor in self._ways:
                waiting.pop()
                continue
            sources = [] if tensor == self._start else self._sources(tensor)
            missing = [source for source in sources if source not in self._ways]
            if missing and len(waiting) > len(self._layers):
                raise self._refuse()  # it goes round
            if missing:
                waiting.append(missing[0])
                continue
            ways = [self._ways[source] for source in sources]
            common = [step[0] for step in zip(*ways, strict=False) if len(set(step)) == 1]
            self._ways[tensor] = [*common, tensor]
        return self._ways[end]


def _architecture(described: list[_Node]) -> Architecture:
    first = described[0].entry if described else None
    shape: Any = first["config"]["batch_shape"] if first and first["class_name"] == "InputLayer" else None
    layers = [node.layer() for node in _without_input(described)]
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


def _read_weights(architecture: Architecture, described: list[_Node]) -> None:
    shapes = architecture.weight_shapes()
    stored = [node.arrays() for node in _without_input(described)]
    wanting = [layer for layer, names in zip(architecture.layers, shapes, strict=True) if names]
    with_weights = sum(bool(arrays) for arrays in stored)
    if with_weights != len(wanting):
        raise WorkshopError(f"its configuration has {len(wanting)} layers with weights, the file {with_weights}")
    for layer, names, arrays in zip(architecture.layers, shapes, stored, strict=True):
        if set(arrays) != set(names):
            raise WorkshopError(
                f"a {layer.kind} layer has weights {safety.printable(', '.join(sorted(arrays)))}, "
                f"takes {', '.join(sorted(names))}"
            )
        for name, shape in names.items():
            array = arrays[name]
            if array.shape != shape or array.dtype.kind != "f":
                holds = f"{'floats' if array.dtype.kind == 'f' else 'whole numbers'} of shape {array.shape}"
                raise WorkshopError(f"the {name} of a {layer.kind} layer holds {holds}, takes floats of shape {shape}")
            if name.endswith("moving_variance") and array.min() < 0:
                raise WorkshopError(f"the moving_variance of a {layer.kind} layer is below 0")
            layer.weights[name] = array


def _arrays(weights: Weights) -> dict[str, np.ndarray]:
    """Returns a layer's arrays by name; a Bidirectional layer has a `forward_kernel` and a `backward_kernel`."""
    arrays = {name[-1]: array for name, array in weights.arrays.items()}
    for part, inner in weights.parts.items():
        before = f"{part}_" if part in ("forward", "backward") else ""
        arrays |= {f"{before}{name}": array for name, array in _arrays(inner).items()}
    return arrays


def to_bytes(architecture: Architecture) -> bytes:
    """Returns the content of a `.h5` that `keras.models.load_model` loads; the same model gives the same bytes.

    Raises:
        WorkshopError: a layer has an activation that is not Keras'.
    """
    import h5py

    placed, end = _placed(architecture, _INPUT)
    for layer, *_ in placed:
        if layer.settings.get("activation", "linear") not in ACTIVATIONS:
            raise WorkshopError(
                f"the activation {layer.settings['activation']} of a {layer.kind} layer is not Keras': "
                f"a .h5 cannot hold it"
            )
    input_config = {"batch_shape": [None, *architecture.input_shape], "name": _INPUT}
    if any(layer.kind == "Add" for layer in architecture.layers):
        config = _functional(input_config, placed, end)
    else:
        described: list[Config] = [{"class_name": "InputLayer", "config": input_config}]
        described += [
            {"class_name": layer.kind, "config": {"name": name, **layer.settings}} for layer, name, *_ in placed
        ]
        config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": described}}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("model_weights")
        for place in (file, group):
            # Keras 3's configuration, and arrays in the layout of TensorFlow.
            place.attrs["keras_version"], place.attrs["backend"] = "3.0.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        group.attrs["layer_names"] = [name.encode() for _, name, *_ in placed]
        for layer, name, *_ in placed:
            part = group.create_group(name)
            part.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight in layer.weights]
            for weight, array in layer.weights.items():
                part[f"{name}/{weight}"] = array.astype(np.float32)
    return buffer.getvalue()


_INPUT = "input"


class _Placed(NamedTuple):
    """A layer in a graph: its name, the names of those whose outputs it gets, and the shape of one of its own."""

    layer: Layer
    name: str
    sources: list[str]
    shape: Shape


def _placed(row: Architecture, source: str, before: Sequence[_Placed] = ()) -> tuple[list[_Placed], str]:
    """Returns the layers of a row and of the branches in it, after those before, and the name of the last one."""
    placed = list(before)
    for layer, (shape, after) in zip(row.layers, itertools.pairwise(row.shapes()), strict=True):
        sources = [source]
        if layer.kind == "Add":
            sources = []
            for branch in branches(layer):
                placed, end = _placed(Architecture(shape, branch), source, placed)
                sources.append(end)
        source = f"{layer.kind.lower()}_{len(placed)}"
        placed.append(_Placed(Layer("Add") if layer.kind == "Add" else layer, source, sources, after))
    return placed, source


def _functional(input_config: Config, placed: Sequence[_Placed], end: str) -> Config:
    """Returns the configuration of a functional model."""

    shapes = {_INPUT: input_config["batch_shape"], **{name: [None, *shape] for _, name, _, shape in placed}}

    def tensor(name: str) -> Config:
        config = {"shape": shapes[name], "dtype": "float32", "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": config}

    layers: list[Config] = [{**layer_entry("InputLayer", input_config), "name": _INPUT, "inbound_nodes": []}]
    for layer, name, sources, _ in placed:
        given: Any = [tensor(source) for source in sources]
        nodes = [{"args": [given if layer.kind == "Add" else given[0]], "kwargs": {}}]
        entry = layer_entry(layer.kind, {"name": name, **layer.settings})
        layers.append({**entry, "name": name, "inbound_nodes": nodes})
    ends = {"input_layers": [_INPUT, 0, 0], "output_layers": [end, 0, 0]}
    return {"class_name": "Functional", "config": {"name": "functional", "layers": layers, **ends}}
