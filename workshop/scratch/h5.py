"""Reading and writing the `.h5` that Keras saves, with h5py and the file's own JSON: Keras is not imported.

The file holds the model's configuration as JSON in the attribute `model_config`, and below `model_weights` one group a
layer with its arrays. Keras 1.2, 2 and 3 write this in slightly different words; `_LAYERS` says what each word means.
What is not known here is refused by its name, never guessed: a model that is read wrong answers wrong.
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from workshop.kit import files, safety
from workshop.kit.errors import WorkshopError
from workshop.scratch import layers
from workshop.scratch.activations import ACTIVATIONS
from workshop.scratch.network import Network

Config = dict[str, Any]

# Settings that matter while a layer is made or trained, not for what it computes.
_WITHOUT_EFFECT = {
    "name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_dim", "input_dtype",
    "renorm_momentum", "renorm_clipping", "init", "weights", "sparse", "ragged", "optional", "seed", "noise_shape",
    "kernel_initializer", "bias_initializer", "beta_initializer", "gamma_initializer", "moving_mean_initializer",
    "moving_variance_initializer", "beta_init", "gamma_init",
    "kernel_regularizer", "bias_regularizer", "beta_regularizer", "gamma_regularizer", "activity_regularizer",
    "W_regularizer", "b_regularizer", "kernel_constraint", "bias_constraint", "beta_constraint", "gamma_constraint",
    "W_constraint", "b_constraint",
}  # fmt: skip
_WEIGHTS = {
    layers.Dense: ("kernel", "bias"),
    layers.Conv2D: ("kernel", "bias"),
    layers.BatchNormalization: ("gamma", "beta", "moving_mean", "moving_variance"),
}
# What Keras 1 called them. Its "running_std" holds the variance.
_OLD_WEIGHTS = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}
_MOST_NUMBERS = 50_000_000  # weights; a model of this engine's layers has some hundred thousand


class _Settings:
    """A layer's configuration, in whose words every setting must be taken, or be without effect, or empty."""

    def __init__(self, kind: str, config: Config, path: Path) -> None:
        self._config, self._kind, self._path = dict(config), kind, path

    def refuse(self, what: str) -> WorkshopError:
        return WorkshopError(f"{self._path} is refused: its {self._kind} layer {what}, which is not known here")

    def take(self, *names: str, default: Any = None) -> Any:
        """Returns the setting by the first of its names, old or new, that is there, and marks it as taken."""
        found = [self._config.pop(name) for name in names if name in self._config]
        return default if not found or found[0] is None else found[0]

    def number(self, *names: str, default: float | None = None) -> float:
        value = self.take(*names, default=default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise self.refuse(f"has {names[0]} = {value!r}")
        return float(value)

    def count(self, *names: str) -> int:
        value = self.number(*names)
        if value != int(value) or not 1 <= value <= 1e6:
            raise self.refuse(f"has {names[0]} = {value!r}")
        return int(value)

    def pair(self, *names: str, default: Any = None) -> tuple[int, int]:
        value = self.take(*names, default=default)
        value = [value, value] if isinstance(value, int) and not isinstance(value, bool) else value
        fits = isinstance(value, list | tuple) and len(value) == 2
        if not fits or not all(type(n) is int and 1 <= n <= 10_000 for n in value):
            raise self.refuse(f"has {names[0]} = {value!r}")
        return value[0], value[1]

    def choice(self, *names: str, default: str, among: tuple[str, ...]) -> str:
        value = self.take(*names, default=default)
        if value not in among:
            raise self.refuse(f"has {names[0]} = {value!r}")
        return str(value)

    def flag(self, *names: str, default: bool) -> bool:
        value = self.take(*names, default=default)
        if not isinstance(value, bool):
            raise self.refuse(f"has {names[0]} = {value!r}")
        return value

    def activation(self, default: str = "linear") -> str:
        value = self.take("activation", default=default)
        if isinstance(value, dict):  # Keras 2 and 3 may write the function as an object of this form
            value = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
        # The two of our own are not in Keras; names that Keras spells the same mean the same.
        if not isinstance(value, str) or value not in ACTIVATIONS:
            raise self.refuse(f"has activation = {value!r}")
        return value

    def channels_last(self) -> None:
        """Takes the order of the axes: channels last, or refused."""
        value = self.take("data_format", "dim_ordering", default="channels_last")
        if value not in ("channels_last", "tf"):
            raise self.refuse(f"has data_format = {value!r} (channels before height and width)")

    def finish(self) -> None:
        """Refuses what nobody took."""
        for name, value in self._config.items():
            if name not in _WITHOUT_EFFECT and value not in (None, False):
                raise self.refuse(f"has {name} = {value!r}"[:200])


def _dense(s: _Settings) -> layers.Layer:
    return layers.Dense(
        s.count("units", "output_dim"), s.activation(), use_bias=s.flag("use_bias", "bias", default=True)
    )


def _conv2d(s: _Settings) -> layers.Layer:
    s.channels_last()
    if s.pair("dilation_rate", default=[1, 1]) != (1, 1):
        raise s.refuse("has a dilation_rate other than 1")
    if s.number("groups", default=1) != 1:
        raise s.refuse("has groups other than 1")
    size = s.pair("kernel_size") if "kernel_size" in s._config else (s.count("nb_row"), s.count("nb_col"))
    return layers.Conv2D(
        s.count("filters", "nb_filter"),
        size,
        s.pair("strides", "subsample", default=[1, 1]),
        s.choice("padding", "border_mode", default="valid", among=("valid", "same")),
        s.activation(),
        use_bias=s.flag("use_bias", "bias", default=True),
    )


def _pooling(layer: Callable[..., layers.Layer]) -> Callable[[_Settings], layers.Layer]:
    def make(s: _Settings) -> layers.Layer:
        s.channels_last()
        size = s.pair("pool_size", default=[2, 2])
        strides = s.pair("strides", default=list(size))
        return layer(size, strides, s.choice("padding", "border_mode", default="valid", among=("valid", "same")))

    return make


def _batch_normalization(s: _Settings) -> layers.Layer:
    if s.number("mode", default=0) != 0:  # Keras 1: other modes normalise by sample
        raise s.refuse("has a mode other than 0")
    s.flag("synchronized", default=False)
    s.flag("renorm", default=False)
    axis = s.take("axis", default=-1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if type(axis) is not int:
        raise s.refuse(f"has axis = {axis!r}")
    layer = layers.BatchNormalization(
        s.number("momentum", default=0.99), s.number("epsilon", default=1e-3),
        center=s.flag("center", default=True), scale=s.flag("scale", default=True),
    )  # fmt: skip
    layer.axis = axis
    return layer


def _flatten(s: _Settings) -> layers.Layer:
    s.channels_last()
    return layers.Flatten()


def _relu(s: _Settings) -> layers.Layer:
    limit = s.take("max_value")
    if s.number("negative_slope", default=0) or s.number("threshold", default=0) or limit not in (None, 6, 6.0):
        raise s.refuse("has a slope, a threshold or a max_value")
    return layers.Activation("relu" if limit is None else "relu6")


_LAYERS: dict[str, Callable[[_Settings], layers.Layer]] = {
    "Dense": _dense,
    "Conv2D": _conv2d,
    "Convolution2D": _conv2d,
    "MaxPooling2D": _pooling(layers.MaxPooling2D),
    "AveragePooling2D": _pooling(layers.AveragePooling2D),
    "Flatten": _flatten,
    "Dropout": lambda s: layers.Dropout(s.number("rate", "p")),
    "BatchNormalization": _batch_normalization,
    "Activation": lambda s: layers.Activation(s.activation()),
    "ReLU": _relu,
    "Softmax": lambda s: layers.Activation("softmax" if s.take("axis", default=-1) == -1 else "unknown"),
}


def read(path: Path, dtype: Any = np.float32) -> Network:
    """Returns the network in a `.h5` of a Sequential model that Keras 1.2, 2 or 3, or `write`, saved.

    Raises:
        WorkshopError: the file is damaged, could reach outside of itself, or holds what is not known here.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
    return from_bytes(content, path, dtype)


def from_bytes(content: bytes, path: Path, dtype: Any = np.float32) -> Network:
    """Does what `read` does with the content of a file; `path` is for the messages."""
    config = safety.check_h5(content, path)
    try:
        network = _network(config, path, dtype)
        with h5py.File(io.BytesIO(content), "r") as file:
            _load_weights(network, file["model_weights"], path)
    except WorkshopError:
        raise
    except Exception as error:  # whatever a damaged file leads h5py, NumPy or the layers to
        raise WorkshopError(f"{path} is damaged ({type(error).__name__}: {error}): copy or train it again") from error
    return network


def _network(config: Config, path: Path, dtype: Any) -> Network:
    if config.get("class_name") != "Sequential":
        raise WorkshopError(f"{path} is refused: it is a {config.get('class_name')} model, takes a Sequential one")
    inner = config["config"]
    described = inner if isinstance(inner, list) else inner["layers"]
    shape = None if isinstance(inner, list) else inner.get("build_input_shape")
    made: list[layers.Layer] = []
    for entry in described:
        kind, settings = entry["class_name"], entry["config"]
        given = settings.get("batch_shape") or settings.get("batch_input_shape")
        if not made and given:
            shape = given
        elif not made and shape is None and settings.get("input_dim"):
            shape = [None, settings["input_dim"]]
        if kind == "InputLayer":
            continue
        if kind not in _LAYERS:
            raise WorkshopError(f"{path} is refused: its layer {kind} is not known here")
        s = _Settings(kind, settings, path)
        layer = _LAYERS[kind](s)
        s.finish()
        made.append(layer)
    if not made:
        raise WorkshopError(f"{path} is refused: its model has no layers")
    if not shape or not all(type(n) is int and 1 <= n <= 10_000 for n in shape[1:]) or len(shape) not in (2, 4):
        raise WorkshopError(f"{path} is refused: it takes inputs of shape {shape}, known are (samples, features) and "
                            f"(samples, height, width, channels) of fixed sizes")  # fmt: skip
    return _sized(made, tuple(shape[1:]), path, dtype)


def _sized(made: list[layers.Layer], shape: layers.Shape, path: Path, dtype: Any) -> Network:
    """Builds the network, after its shapes were followed through without making a single weight."""
    numbers, current = 0, shape
    for layer in made:
        ranks = {layers.Dense: 1, layers.Conv2D: 3, layers.MaxPooling2D: 3, layers.AveragePooling2D: 3}
        wanted = ranks.get(type(layer))
        if wanted is not None and len(current) != wanted:
            raise WorkshopError(f"{path} is refused: a {type(layer).__name__} layer gets inputs of shape {current}")
        if isinstance(layer, layers.Dense):
            numbers += current[0] * layer.units
            current = (layer.units,)
        elif isinstance(layer, layers.Conv2D):
            numbers += layer.size[0] * layer.size[1] * current[2] * layer.filters
            current = (*layer.output_size(*current[:2]), layer.filters)
        elif isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D):
            current = (*layer.output_size(*current[:2]), current[2])
        elif isinstance(layer, layers.Flatten):
            current = (int(np.prod(current)),)
        elif isinstance(layer, layers.BatchNormalization) and layer.axis not in (-1, len(current)):
            raise WorkshopError(f"{path} is refused: its BatchNormalization has axis = {layer.axis}, takes the last")
        if numbers > _MOST_NUMBERS or np.prod(current, dtype=float) > _MOST_NUMBERS:
            raise WorkshopError(f"{path} is refused: its configuration asks for more than {_MOST_NUMBERS:,} numbers")
    return Network(made, shape, dtype=dtype)


def _load_weights(network: Network, group: Any, path: Path) -> None:
    stored = [arrays for name in _names(group, "layer_names") if (arrays := _arrays(group[name]))]
    wanting = [layer for layer in network.layers if layer.parameters or layer.state]
    if len(stored) != len(wanting):
        raise WorkshopError(
            f"{path} is refused: its configuration has {len(wanting)} layers with weights, the file {len(stored)}"
        )
    for layer, arrays in zip(wanting, stored, strict=True):
        places = {**layer.parameters, **layer.state}
        if set(arrays) != set(places):
            raise WorkshopError(
                f"{path} is refused: a {type(layer).__name__} layer has weights {', '.join(sorted(arrays))}, "
                f"takes {', '.join(sorted(places))}"
            )
        for name, place in places.items():
            if arrays[name].shape != place.shape or arrays[name].dtype.kind != "f":
                raise WorkshopError(
                    f"{path} is refused: the {name} of a {type(layer).__name__} layer is {arrays[name].dtype} of shape "
                    f"{arrays[name].shape}, takes numbers of shape {place.shape}"
                )
            place[...] = arrays[name][()]
            if not np.isfinite(place).all():
                raise WorkshopError(f"{path} is refused: the {name} of a {type(layer).__name__} layer is not finite")


def _names(group: Any, attribute: str) -> list[str]:
    """Returns a list of names; a long one stands in several attributes, numbered."""
    parts = [attribute] if attribute in group.attrs else []
    while not parts or (parts[0] != attribute and f"{attribute}{len(parts)}" in group.attrs):
        parts.append(f"{attribute}{len(parts)}")
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in group.attrs[part]]


def _arrays(group: Any) -> dict[str, Any]:
    """Returns a layer's data sets by Keras 3's names for them."""
    return {_weight_name(name): group[name] for name in _names(group, "weight_names")}


def _weight_name(name: str) -> str:
    """'dense_1/kernel:0', 'mnist/dense_1/kernel' and 'dense_1_W' -> 'kernel'."""
    last = name.rpartition("/")[2].partition(":")[0]
    for old, new in _OLD_WEIGHTS.items():
        if last.endswith(f"_{old}"):
            return new
    for known in {name for names in _WEIGHTS.values() for name in names}:
        if last == known or last.endswith(f"_{known}"):
            return known
    return last


def write(network: Network, path: Path) -> None:
    """Writes the network as a `.h5` that `keras.models.load_model` loads.

    Raises:
        WorkshopError: an activation is not Keras', or the file cannot be written.
    """
    files.write_atomically(path, to_bytes(network))


def to_bytes(network: Network) -> bytes:
    """Returns the content of the file that `write` writes."""
    described: list[Config] = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, *network.input_shape], "name": "input"}}
    ]
    names = []
    for number, layer in enumerate(network.layers):
        kind = type(layer).__name__
        names.append(f"{kind.lower()}_{number}")
        described.append({"class_name": kind, "config": {"name": names[-1], **_describe(layer)}})
    config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": described}}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["keras_version"] = "3.0.0"  # whose words the configuration is in
        file.attrs["backend"] = "numpy"
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["keras_version"], group.attrs["backend"] = "3.0.0", "numpy"
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name, layer in zip(names, network.layers, strict=True):
            arrays = {**layer.parameters, **layer.state}
            part = group.create_group(name)
            part.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight in arrays]
            for weight, array in arrays.items():
                part[f"{name}/{weight}"] = array.astype(np.float32)
    return buffer.getvalue()


def _describe(layer: layers.Layer) -> Config:
    """Returns a layer's settings in the words of Keras 3."""
    if isinstance(layer, layers.Dense):
        return {"units": layer.units, "use_bias": layer.use_bias, "activation": _keras_activation(layer.activation)}
    if isinstance(layer, layers.Conv2D):
        return {
            "filters": layer.filters, "kernel_size": list(layer.size), "strides": list(layer.strides),
            "padding": layer.padding, "use_bias": layer.use_bias, "activation": _keras_activation(layer.activation),
        }  # fmt: skip
    if isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D):
        return {"pool_size": list(layer.size), "strides": list(layer.strides), "padding": layer.padding}
    if isinstance(layer, layers.Dropout):
        return {"rate": layer.rate}
    if isinstance(layer, layers.BatchNormalization):
        return {
            "momentum": layer.momentum, "epsilon": layer.epsilon, "center": layer.center, "scale": layer.scale,
        }  # fmt: skip
    return {"activation": _keras_activation(layer)} if isinstance(layer, layers.Activation) else {}


def _keras_activation(activation: layers.Activation) -> str:
    if activation.name in {"step", "hardlims", "satlin", "radbas"}:
        raise WorkshopError(f"the activation {activation.name} is not Keras': a .h5 cannot hold it")
    return activation.name


def describe(network: Network) -> Iterator[str]:
    """Yields a line for each layer: its type and the shapes of its weights."""
    for layer in network.layers:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in layer.parameters.items())
        yield f"{type(layer).__name__} {shapes}".rstrip()
