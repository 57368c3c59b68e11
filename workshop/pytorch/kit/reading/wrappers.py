"""PyTorch's modules that have modules in them, in Keras' words: what `network` finds, and what it refuses."""

from collections.abc import Callable
from typing import Any

from torch import nn

from workshop.kit.saving.architecture import added
from workshop.kit.saving.layer_specs import layer_entry
from workshop.pytorch.kit.one_row import InOneRow
from workshop.pytorch.kit.reading.reader import Reader
from workshop.pytorch.kit.weight import Rows, Weight
from workshop.pytorch.kit.wrappers import AddBranches, BidirectionalAsKeras, HalfPrecision, TimeDistributed

# What a layer for images of one row is for sequences.
_IN_ONE_ROW = {
    "Conv2D": "Conv1D",
    "ZeroPadding2D": "ZeroPadding1D",
    "MaxPooling2D": "MaxPooling1D",
    "AveragePooling2D": "AveragePooling1D",
    "UpSampling2D": "UpSampling1D",
    "Activation": "Activation",
}


def in_one_row(reader: Reader, module: InOneRow) -> None:
    """InOneRow."""
    reader.expect_a_sequence(module)
    for found in reader.inside(nn.Sequential(*module), (1, *reader.shape), channels_first=True):
        if found.layer.kind not in _IN_ONE_ROW:
            raise reader.refuse(module, f"has a {found.layer.kind} layer in it, takes {', '.join(_IN_ONE_ROW)}")
        settings = {name: _of_the_row(reader, module, name, value) for name, value in found.layer.settings.items()}
        weights: dict[str, Any] = dict(found.weights)
        if "kernel" in weights:  # without the axis of the one row
            weights["kernel"] = Weight(weights["kernel"].tensor.detach()[:, :, 0], (2, 1, 0))
        reader.add(module, _IN_ONE_ROW[found.layer.kind], settings, **weights)


def _of_the_row(reader: Reader, module: InOneRow, name: str, value: Any) -> Any:
    """Returns what a setting says of the steps, where it is one for both axes."""
    no_effect = {"padding": [0, 0]}.get(name, 1)
    if not isinstance(value, list):
        return value
    of_rows, of_steps = value
    if of_rows != no_effect and name != "strides":
        raise reader.refuse(module, f"has {name} = {value}, takes 1 for the rows")
    return of_steps if name in ("padding", "size") else [of_steps]


def bidirectional(reader: Reader, module: BidirectionalAsKeras) -> None:
    """BidirectionalAsKeras."""
    (forward,), (backward,) = (
        reader.inside(layer, reader.shape) for layer in (module.forward_layer, module.backward_layer)
    )
    kind, settings = forward.layer.kind, forward.layer.settings
    expected = settings | {"go_backwards": True}, module.return_sequences
    if backward.layer.kind != kind or expected != (backward.layer.settings, settings.get("return_sequences")):
        raise reader.refuse(module, "has two layers that differ by more than going backwards")
    weights: dict[str, Weight | Rows] = {
        f"{way}_{name}": weight
        for way, found in (("forward", forward), ("backward", backward))
        for name, weight in found.weights.items()
    }
    settings = {"layer": layer_entry(kind, settings), "merge_mode": module.merge_mode}
    reader.add(module, "Bidirectional", settings, **weights)


def time_distributed(reader: Reader, module: TimeDistributed) -> None:
    """TimeDistributed."""
    if reader.channels_first or len(reader.shape) < 2:
        raise reader.refuse(module, f"takes sequences (steps, ...) and gets samples of shape {reader.shape}")
    layers = reader.inside(module.network, reader.shape[1:])
    if len(layers) != 1:
        raise reader.refuse(module, f"has {len(layers)} layers in it, in Keras it has one: takes one for each")
    layer = layers[0].layer
    reader.add(module, "TimeDistributed", {"layer": layer_entry(layer.kind, layer.settings)}, **layers[0].weights)


def add_branches(reader: Reader, module: AddBranches) -> None:
    """AddBranches."""
    rows = [reader.at(reader.shape, reader.channels_first).go_through(branch) for branch in module.branches]
    if any(row.flattened is not None for row in rows):
        raise reader.refuse(module, "has a branch that ends with nn.Flatten(): takes FlattenAsKeras() there")
    if len({row.channels_first for row in rows}) != 1:
        raise reader.refuse(module, "has branches that give images in different orders")
    weights = {
        f"{i}/{j}/{name}": weight
        for i, row in enumerate(rows)
        for j, found in enumerate(row.found)
        for name, weight in found.weights.items()
    }
    layer = added([[found.layer for found in row.found] for row in rows])
    reader.channels_first = rows[0].channels_first
    reader.add(module, "Add", layer.settings, **weights)


def half_precision(reader: Reader, module: HalfPrecision) -> None:
    """HalfPrecision."""
    inner = reader.at(reader.shape, reader.channels_first).go_through(nn.Sequential(*module))
    if len(inner.found) != 1 or inner.flattened is not None:
        raise reader.refuse(module, "has not one layer of Keras in it")
    layer, weights, _, reader.channels_first = inner.found[0]
    reader.add(module, layer.kind, {**layer.settings, "dtype": "mixed_float16"}, **weights)


MODULES: dict[type[nn.Module], Callable[[Reader, Any], None]] = {
    InOneRow: in_one_row,
    AddBranches: add_branches,
    BidirectionalAsKeras: bidirectional,
    TimeDistributed: time_distributed,
    HalfPrecision: half_precision,
}
