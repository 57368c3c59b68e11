"""The weights in a `.h5`, given to the layers of an upgraded model by name, in Keras 3's order and layout.

Keras 1 kept a kernel for each gate of an LSTM; Theano turned a convolution's kernels by half; cuDNN's layers have two
biases; models within models have all their arrays in one list, first what is trained, then the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.card import printable
from workshop.kit.saving.hdf5.checked_bytes import UnreadableError
from workshop.kit.saving.hdf5.objects import Dataset, Group
from workshop.kit.saving.layer_specs import Config
from workshop.kit.saving.upgrade.graph import SLOPE, is_model

# What Keras 1 called the weights. Its "running_std" holds the variance.
_OLD_NAMES = {
    "W": "kernel",
    "U": "recurrent_kernel",
    "b": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
    "alphas": "alpha",
}
# The longer names first: a weight is known by how its name ends.
_KNOWN_NAMES = (
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
    "alpha",
)
_NOT_WEIGHTS = ("seed_generator_state", "seed")  # the state of Dropout's random generator
_GATE = re.compile(r"^(.*)_([WUb])_([icforzh])$")  # of Keras 1: lstm_1_W_i
_OLD = re.compile(rf"^(.*?)_({'|'.join([*_OLD_NAMES, *_KNOWN_NAMES])})$")
_GATES = {"LSTM": "ifco", "ConvLSTM2D": "ifco", "GRU": "zrh"}
_CONVOLUTIONS = {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D"}
_RECURRENT = {"SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
# What a BatchNormalization layer with "renorm" needs for training alone.
_RENORM = ("moving_stddev", "renorm_mean", "renorm_stddev", "renorm_mean_weight", "renorm_stddev_weight")
_WITHOUT_WEIGHTS = re.compile(
    r"InputLayer|Activation|Dropout|Flatten|Reshape|Permute|RepeatVector|Masking|Rescaling|Resizing|ReLU|LeakyReLU|ELU|"
    r"Softmax|Identity|Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|Dot|Lambda|CenterCrop|"
    r"(Global)?(Max|Average)Pooling[123]D|(ZeroPadding|Cropping|UpSampling|SpatialDropout)[123]D|Random\w+|"
    r"(Alpha|Gaussian)(Dropout|Noise)|GaussianNoise|ActivityRegularization"
)


@dataclass
class Array:
    """An array of the file: the parts of its name, without the number behind a colon, and the array."""

    name: tuple[str, ...]
    data: Dataset


@dataclass
class Weights:
    """The weights of a layer.

    Attributes:
        kind: the layer's class, for messages.
        arrays: those of its own, by name, in the file's order.
        parts: those of its layers: by Keras 3's names in a model; "layer", "forward", "backward", "cell" in a wrapper.
    """

    kind: str
    arrays: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict)
    parts: dict[str, Weights] = field(default_factory=dict)


def names_in(group: Group, attribute: str) -> list[str]:
    """Returns a list of names; a long one is split over several numbered attributes."""
    parts = [attribute] if attribute in group.attributes else []
    while not parts or (parts[0] != attribute and f"{attribute}{len(parts)}" in group.attributes):
        parts.append(f"{attribute}{len(parts)}")
    lists: list[Any] = [group.attributes.get(part) for part in parts]
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
        raise UnreadableError(f"its {attribute} are not names")
    return [name for names in lists for name in names]


def groups_in(group: Group) -> dict[str, list[Array]]:
    """Returns the arrays below `model_weights` for each layer that has any."""
    layer_names = names_in(group, "layer_names")
    if len(set(layer_names)) < len(layer_names):
        raise WorkshopError("two of its layers have the same name")
    groups = {}
    for layer in layer_names:
        part = group.group(layer)
        names = names_in(part, "weight_names")
        arrays = [Array(_name_parts(name), part.dataset(name)) for name in names]
        if len(set(names)) < len(names):
            raise WorkshopError(f"a layer has two weights of the same name: {printable(', '.join(names))}")
        arrays = [array for array in arrays if array.name[-1] not in (*_NOT_WEIGHTS, *_RENORM)]
        if arrays:
            groups[layer] = arrays
    return groups


def _name_parts(name: str) -> tuple[str, ...]:
    """'dense_1/kernel:0' and 'dense_1_W' -> ('dense_1', 'kernel'); 'lstm_1_W_i' -> ('lstm_1', 'W_i')."""
    *before, last = re.sub(r":\d+$", "", name).split("/")
    last = last if last in _KNOWN_NAMES else re.sub(r"^(\D+)_\d+$", r"\1", last)
    if gate := _GATE.match(last):
        return (*before, gate[1], f"{gate[2]}_{gate[3]}")
    if last not in (*_KNOWN_NAMES, *_NOT_WEIGHTS, *_RENORM) and (old := _OLD.match(last)):
        return (*before, old[1], _OLD_NAMES.get(old[2], old[2]))
    for ending in _NOT_WEIGHTS:
        if last.endswith(f"_{ending}"):
            return (*before, ending)
    return (*before, _OLD_NAMES.get(last, last))


def turned_kernels(root: Group, place: Group, groups: dict[str, list[Array]], *, is_keras_1: bool) -> bool:
    """Returns whether the kernels of convolutions were written by Theano, which turns them by half.

    Keras 1 did not say so in the file; TensorFlow numbers its arrays behind a colon, Theano does not.
    """
    backend = root.attributes.get("backend", place.attributes.get("backend"))
    if isinstance(backend, str) or not is_keras_1:
        return backend == "theano"
    names = [name for layer in groups for name in names_in(place.group(layer), "weight_names")]
    return bool(names) and not any(":" in name for name in names)


class Distribution:
    """Gives the arrays of a file to the layers of an upgraded model."""

    def __init__(self, version: int, *, is_turned: bool) -> None:
        self._is_old, self._is_keras_1, self._is_turned = version < 3, version < 2, is_turned

    def of_model(self, entry: Config, groups: dict[str, list[Array]]) -> Weights:
        """Returns the weights of a model, whose layers have a group of arrays each.

        Keras 1 has a group for each layer of a Sequential within a Sequential.
        """
        layers: list[Config] = [layer for layer in entry["config"]["layers"] if layer["class_name"] != "InputLayer"]
        shares: dict[str, list[Array]] = {layer["name"]: [] for layer in layers}
        owners = _owners(layers)
        if all(owners.get(name) for name in groups):
            for name, arrays in groups.items():
                own = name in shares
                shares[owners[name]] += [array if own else Array((name, *array.name), array.data) for array in arrays]
        else:
            for layer, arrays in zip(_with_weights(layers, len(groups)), groups.values(), strict=True):
                shares[layer["name"]] = arrays
        return self._model(entry, layers, shares)

    def _model(self, entry: Config, layers: Sequence[Config], shares: dict[str, list[Array]]) -> Weights:
        weights = Weights(entry["class_name"])
        for layer in layers:
            if shares[layer["name"]]:
                weights.parts[layer["config"]["name"]] = self._layer(layer, shares[layer["name"]])
        return weights

    def _layer(self, entry: Config, arrays: list[Array]) -> Weights:
        kind, settings = entry["class_name"], entry["config"]
        if is_model(entry):
            layers = [layer for layer in settings["layers"] if layer["class_name"] != "InputLayer"]
            return self._model(entry, layers, _shares(layers, arrays))
        weights = Weights(kind)
        if kind == "Bidirectional":
            for direction, share in zip(("forward", "backward"), _directions(arrays), strict=True):
                inner = settings.get("backward_layer") if direction == "backward" else None
                inner = inner or settings["layer"]
                weights.parts[direction] = self._layer(inner, share)
        elif isinstance(settings.get("layer"), dict):
            weights.parts["layer"] = self._layer(settings["layer"], arrays)
        elif isinstance(settings.get("cell"), dict):
            weights.parts["cell"] = self._layer(settings["cell"], arrays)
        elif isinstance(settings.get("cells"), list):
            for number, (cell, share) in enumerate(zip(settings["cells"], _by_prefix(arrays), strict=False)):
                weights.parts[str(number)] = self._layer(cell, share)
        else:
            weights.arrays = self._arrays(kind, settings, arrays)
        return weights

    def _arrays(self, kind: str, settings: Config, arrays: list[Array]) -> dict[tuple[str, ...], np.ndarray]:
        loaded = {array.name: _numbers(array.data, f"the {array.name[-1]} of a {kind} layer") for array in arrays}
        if len(loaded) < len(arrays):
            names = ", ".join("/".join(array.name) for array in arrays)
            raise WorkshopError(f"a layer has two weights of the same name: {printable(names)}")
        if not self._is_old:
            return loaded
        last = {name[-1]: array for name, array in loaded.items()}
        if kind == "DepthwiseConv2D" or kind == "DepthwiseConv1D":
            last = {_DEPTHWISE.get(name, name): array for name, array in last.items()}
        elif kind == "Embedding" and "kernel" in last:
            last["embeddings"] = last.pop("kernel")
        elif any("_" in name and name[0] in "WUb" and len(name) == 3 for name in last):
            last = _joined_gates(kind, settings, last)
        elif len(last) < len(loaded):
            return loaded  # a layer of several parts, which Keras 3 names as before
        if kind in _CONVOLUTIONS and last.get("kernel") is not None:
            _lay_out_kernel(kind, settings, last, is_keras_1=self._is_keras_1, is_turned=self._is_turned)
        if kind in ("LSTM", "GRU"):
            _from_cudnn(kind, settings, last)
        steepen(kind, settings, last)
        return {(name,): array for name, array in last.items()}


_DEPTHWISE = {"depthwise_kernel": "kernel"}


def _numbers(stored: Dataset, what: str) -> np.ndarray:
    """Returns an array, floats in single precision; whole numbers, such as a count, as they are."""
    if stored.type.kind not in "fiu":
        raise WorkshopError(f"{what} holds texts of shape {stored.shape}, takes numbers")
    with np.errstate(over="ignore"):
        array = stored.array()
        array = array.astype(np.float32) if stored.type.kind == "f" else array
    if not np.isfinite(array).all():
        raise WorkshopError(f"{what} is not finite")
    return array


def _inner_names(entry: Config) -> set[str]:
    """Returns the names of a layer and of all layers within it."""
    settings = entry["config"]
    names = {name for name in (entry.get("name"), settings.get("name")) if isinstance(name, str)}
    inner = list(settings["layers"]) if is_model(entry) else []
    inner += [settings[key] for key in ("layer", "backward_layer", "cell") if isinstance(settings.get(key), dict)]
    inner += settings.get("cells", []) if isinstance(settings.get("cells"), list) else []
    return names.union(*map(_inner_names, inner))


def _owners(layers: Sequence[Config]) -> dict[str, str]:
    """Returns for each name of a layer, or of one within it, the layer; names that two have are left out."""
    owners: dict[str, str] = {}
    for layer in layers:
        for name in _inner_names(layer) - {layer["name"]}:
            owners[name] = "" if name in owners else layer["name"]
    return owners | {layer["name"]: layer["name"] for layer in layers}


def _with_weights(layers: Sequence[Config], count: int) -> list[Config]:
    """Returns the layers that have weights, for arrays that do not name them.

    Raises:
        WorkshopError: they are more or fewer than `count`.
    """
    wanting = [layer for layer in layers if not _WITHOUT_WEIGHTS.fullmatch(layer["class_name"])]
    if len(wanting) != count:
        raise WorkshopError(f"its configuration has {len(wanting)} layers with weights, the file {count}")
    return wanting


def _shares(layers: Sequence[Config], arrays: list[Array]) -> dict[str, list[Array]]:
    """Returns the arrays of each layer of a model that is a layer itself."""
    owners = _owners(layers)
    shares: dict[str, list[Array]] = {layer["name"]: [] for layer in layers}
    owner_names = []
    for array in arrays:
        before = array.name[:-1]
        named = {owners[part] for part in before if owners.get(part)}
        if len(named) > 1:  # the name of the outer model may be a layer's, too: the innermost counts
            named = {owners[part] for part in before[-1:] if owners.get(part)}
        owner_names.append(named.pop() if len(named) == 1 else None)
    if all(owner_names):
        for array, name in zip(arrays, owner_names, strict=True):
            shares[str(name)].append(array)
        return shares
    prefixed = _by_prefix(arrays)
    for layer, share in zip(_with_weights(layers, len(prefixed)), prefixed, strict=True):
        shares[layer["name"]] = share
    return shares


def _by_prefix(arrays: list[Array]) -> list[list[Array]]:
    """Returns the arrays whose names have the same beginning together."""
    shares: dict[tuple[str, ...], list[Array]] = {}
    for array in arrays:
        shares.setdefault(array.name[:-1], []).append(array)
    return list(shares.values())


def _directions(arrays: list[Array]) -> tuple[list[Array], list[Array]]:
    """Returns the arrays of a Bidirectional layer's two directions."""
    named = [
        next((way for part in array.name for way in ("forward", "backward") if part.startswith(way)), None)
        for array in arrays
    ]
    if all(named):
        forward = [array for array, way in zip(arrays, named, strict=True) if way == "forward"]
        return forward, [array for array, way in zip(arrays, named, strict=True) if way == "backward"]
    half = len(arrays) // 2
    return arrays[:half], arrays[half:]


def _joined_gates(kind: str, settings: Config, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the kernels and biases of Keras 1's gates side by side, in the order of today."""
    gates = _GATES.get(kind, "")
    outputs = 0 if settings.get("data_format") == "channels_first" else -1  # their axis in a kernel
    joined = {}
    for letter in "WUb":
        parts = [f"{letter}_{gate}" for gate in gates]
        if not gates or any(part not in arrays for part in parts):
            raise WorkshopError(f"a {kind} layer has weights {printable(', '.join(arrays))}, not one for each gate")
        joined[_OLD_NAMES[letter]] = np.concatenate([arrays[part] for part in parts], axis=outputs)
    return joined


def _lay_out_kernel(
    kind: str, settings: Config, arrays: dict[str, np.ndarray], *, is_keras_1: bool, is_turned: bool
) -> None:
    """Brings the kernel of a convolution from the axes of Keras 1, and of Theano, to those of today."""
    kernel = arrays["kernel"]
    size = settings.get("kernel_size")
    size = tuple(size) if isinstance(size, list | tuple) else (size,)
    if kind == "Conv1D" and kernel.ndim == 4:
        if kernel.shape[:2] != (size[0], 1) or kernel.shape[3] != settings.get("filters"):
            kernel = kernel.transpose(2, 3, 1, 0)
        kernel = kernel[:, 0]
    if is_keras_1 and kernel.ndim == len(size) + 2:
        is_transposed = kind == "Conv2DTranspose"
        if settings.get("data_format") == "channels_first":  # (filters, channels, rows, columns)
            spatial = tuple(range(2, kernel.ndim))
            kernel = kernel.transpose(*spatial, *((0, 1) if is_transposed else (1, 0)))
            if "recurrent_kernel" in arrays:
                arrays["recurrent_kernel"] = arrays["recurrent_kernel"].transpose(*spatial, 1, 0)
        elif is_transposed:
            kernel = kernel.transpose(0, 1, 3, 2)
    if is_turned:
        axes = tuple(range(kernel.ndim - 2))
        kernel = np.flip(kernel, axes)
        if "recurrent_kernel" in arrays:
            arrays["recurrent_kernel"] = np.flip(arrays["recurrent_kernel"], axes)
    arrays["kernel"] = np.ascontiguousarray(kernel)


def _from_cudnn(kind: str, settings: Config, arrays: dict[str, np.ndarray]) -> None:
    """Brings the weights of cuDNN's LSTM and GRU, known by their two biases in a row, to Keras' layout.

    Source: `preprocess_weights_for_loading` of Keras 2.
    """
    kernel, recurrent, bias = (arrays.get(name) for name in ("kernel", "recurrent_kernel", "bias"))
    if kernel is None or recurrent is None or bias is None or recurrent.ndim != 2 or kernel.ndim != 2:
        return
    gates, units = len(_GATES[kind]), recurrent.shape[0]
    if bias.shape != (2 * gates * units,) or recurrent.shape[1] != gates * units or kernel.shape[1] != gates * units:
        return

    def each_gate(array: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.hstack([change(part) for part in np.hsplit(array, gates)])

    arrays["kernel"] = each_gate(kernel, lambda part: part.T.reshape(part.shape, order="F"))
    arrays["recurrent_kernel"] = each_gate(recurrent, lambda part: part.T)
    arrays["bias"] = bias.reshape(2, -1)
    if kind == "LSTM":
        arrays["bias"] = arrays["bias"].sum(axis=0)
    else:
        settings["reset_after"] = True


def steepen(kind: str, settings: Config, arrays: dict[str, np.ndarray]) -> None:
    """Multiplies the weights that lead into a hard_sigmoid of Keras 1 and 2, so that Keras 3's gives the same outputs.

    Theirs is 0.2 x + 0.5 between 0 and 1, Keras 3's is x/6 + 0.5: the same for an x that is 1.2 times as large.
    """
    kind = kind.removesuffix("Cell")
    own = settings.get("activation") == "hard_sigmoid"
    gates = settings.get("recurrent_activation") == "hard_sigmoid"
    if kind not in _RECURRENT:
        if own:
            names = ["pointwise_kernel"] if "pointwise_kernel" in arrays else ["kernel"]
            for name in (*names, "bias"):
                if name in arrays:
                    arrays[name] = _times(arrays[name], slice(None))
        return
    recurrent = arrays.get("recurrent_kernel")
    if recurrent is None or not (own or gates):
        return
    if own and "LSTM" in kind:
        raise WorkshopError(f"its {kind} layer has activation = 'hard_sigmoid', which Keras 3 computes otherwise")
    number = {"SimpleRNN": 1, "GRU": 3}.get(kind, 4)
    units = recurrent.shape[-1] // number
    # The columns of the candidate stand third in an LSTM, last in a GRU, and are all in a SimpleRNN.
    candidate = {"SimpleRNN": 0, "GRU": 2}.get(kind, 2)
    for gate in range(number):
        if own if gate == candidate else gates:
            columns = slice(gate * units, (gate + 1) * units)
            for name in ("kernel", "recurrent_kernel", "bias"):
                if name in arrays:
                    arrays[name] = _times(arrays[name], columns)


def _times(array: np.ndarray, columns: slice) -> np.ndarray:
    result = array.astype(np.float64)
    result[..., columns] *= SLOPE
    return result.astype(np.float32)
