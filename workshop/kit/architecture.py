"""What a saved model is made of: its layers in Keras 3's words, whichever Keras wrote them, and the shapes they imply.

All engines read and write models through this description. A setting that is not known here is refused by its name,
never guessed: a model that is read wrong answers wrong. `KINDS` has one entry for each layer that is known.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from workshop.kit.card import printable
from workshop.kit.errors import WorkshopError

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]
Config = dict[str, Any]

# Keras' names. "leaky_relu" has Keras' slope for it, 0.2; PyTorch's default is 0.01.
ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "silu", "softmax")

MOST_NUMBERS = 50_000_000  # in one output of a layer, for one sample
# Settings that matter while a layer is made or trained, not for what it computes.
_WITHOUT_EFFECT = {
    "name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_dim", "input_dtype",
    "renorm_momentum", "renorm_clipping", "init", "weights", "sparse", "ragged", "optional", "seed", "noise_shape",
    "kernel_initializer", "bias_initializer", "beta_initializer", "gamma_initializer", "moving_mean_initializer",
    "moving_variance_initializer", "depthwise_initializer", "pointwise_initializer", "beta_init", "gamma_init",
    "kernel_regularizer", "bias_regularizer", "beta_regularizer", "gamma_regularizer", "activity_regularizer",
    "depthwise_regularizer", "pointwise_regularizer", "W_regularizer", "b_regularizer",
    "kernel_constraint", "bias_constraint", "beta_constraint", "gamma_constraint",
    "depthwise_constraint", "pointwise_constraint", "W_constraint", "b_constraint",
}  # fmt: skip


class UnknownLayerError(WorkshopError):
    """The model is sound, as far as one can see, but has a layer or a setting that is not known here."""


@dataclass
class Layer:
    """One layer.

    Attributes:
        kind: Keras' class name, a key of `KINDS`.
        settings: what it computes, in the words of Keras 3.
        weights: by Keras' names ("kernel"), in Keras' layout.
    """

    kind: str
    settings: Config = field(default_factory=dict)
    weights: "dict[str, np.ndarray]" = field(default_factory=dict)


@dataclass
class Architecture:
    """Layers in a row; the first one takes samples of `input_shape`, channels last."""

    input_shape: Shape
    layers: list[Layer]

    def shapes(self) -> list[Shape]:
        """Returns the shape of one sample before the first layer and after each.

        Raises:
            WorkshopError: a layer cannot take what the one before it gives.
        """
        shapes = [self.input_shape]
        for layer in self.layers:
            rank = KINDS[layer.kind].rank
            if rank is not None and len(shapes[-1]) != rank:
                raise WorkshopError(f"a {layer.kind} layer gets samples of shape {shapes[-1]}")
            shapes.append(KINDS[layer.kind].output(layer.settings, shapes[-1]))
            if math.prod(shapes[-1]) > MOST_NUMBERS:
                raise WorkshopError(f"a {layer.kind} layer answers more than {MOST_NUMBERS:,} numbers")
        return shapes

    def multiplications(self) -> int:
        """Returns how many multiplications with weights one sample takes on its way through the layers."""
        after = self.shapes()[1:]
        # A kernel is used once in each place of an image.
        return sum(
            math.prod(weight) * math.prod(shape[:-1])
            for weights, shape in zip(self.weight_shapes(), after, strict=True)
            for name, weight in weights.items()
            if name.endswith("kernel")
        )

    def weight_shapes(self) -> list[dict[str, Shape]]:
        """Returns for each layer the shapes of its weights, by name."""
        before = self.shapes()[:-1]
        return [KINDS[one.kind].weights(one.settings, shape) for one, shape in zip(self.layers, before, strict=True)]


class Settings:
    """A layer's configuration in a file. Each setting is taken by one who knows it, or has no effect, or is refused."""

    def __init__(self, kind: str, config: Config) -> None:
        self._config, self._kind = dict(config), kind

    def refuse(self, what: str) -> UnknownLayerError:
        """Returns the error that says what is not known."""
        return UnknownLayerError(f"its {self._kind} layer {printable(what)}, which is not known here")

    def has(self, name: str) -> bool:
        """Whether the file has a setting of this name."""
        return name in self._config

    def take(self, *names: str, default: Any = None) -> Any:
        """Returns the setting by the first of its names, old or new, that is there, and marks it as taken."""
        found = [self._config.pop(name) for name in names if name in self._config]
        return default if not found or found[0] is None else found[0]

    def number(self, *names: str, default: float | None = None, least: float = 0.0) -> float:
        """Takes a number from `least` up."""
        value = self.take(*names, default=default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
            raise self.refuse(f"has {names[0]} = {value!r}")
        return float(value)

    def count(self, *names: str) -> int:
        """Takes a whole number from 1 up."""
        value = self.number(*names)
        if value != int(value) or not 1 <= value <= 1e6:
            raise self.refuse(f"has {names[0]} = {value!r}")
        return int(value)

    def pair(self, *names: str, default: Any = None) -> list[int]:
        """Takes two whole numbers from 1 up, or one that stands for both."""
        value = self.take(*names, default=default)
        value = [value, value] if type(value) is int else value
        fits = isinstance(value, list | tuple) and len(value) == 2
        if not fits or not all(type(n) is int and 1 <= n <= 10_000 for n in value):
            raise self.refuse(f"has {names[0]} = {value!r}")
        return list(value)

    def choice(self, *names: str, default: str, among: tuple[str, ...]) -> str:
        """Takes one of several texts."""
        value = self.take(*names, default=default)
        if value not in among:
            raise self.refuse(f"has {names[0]} = {value!r}")
        return str(value)

    def flag(self, *names: str, default: bool) -> bool:
        """Takes yes or no."""
        value = self.take(*names, default=default)
        if not isinstance(value, bool):
            raise self.refuse(f"has {names[0]} = {value!r}")
        return value

    def activation(self) -> str:
        """Takes the name of an activation function."""
        value = self.take("activation", default="linear")
        if isinstance(value, dict):  # Keras 2 and 3 may write the function as an object of this form
            value = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
        if value == "softmax_v2":  # what TensorFlow 2.0 to 2.3 wrote for tf.nn.softmax
            value = "softmax"
        if value == "swish":  # the first name that Keras had for it
            value = "silu"
        if value not in ACTIVATIONS:
            raise self.refuse(f"has activation = {value!r}")
        return str(value)

    def channels_last(self) -> None:
        """Takes the order of the axes: channels last, or refused."""
        value = self.take("data_format", "dim_ordering", default="channels_last")
        if value not in ("channels_last", "tf"):
            raise self.refuse(f"has data_format = {value!r} (channels before height and width)")

    def finish(self) -> None:
        """Refuses what nobody took."""
        for name, value in self._config.items():
            if name not in _WITHOUT_EFFECT and value not in (None, False):
                raise self.refuse(f"has {name} = {value!r}")


class Kind(NamedTuple):
    """A layer that is known.

    Attributes:
        rank: how many axes a sample has that goes in; None for any number.
        settings: from the file's configuration to that of Keras 3.
        weights: from settings and a sample's shape to the shapes of the weights.
        output: from settings and a sample's shape to the shape that comes out.
    """

    rank: int | None
    settings: Callable[[Settings], Config]
    weights: Callable[[Config, Shape], dict[str, Shape]]
    output: Callable[[Config, Shape], Shape]


def window_places(settings: Config, shape: Shape, window: str) -> tuple[int, int]:
    """Returns in how many places a window lies over (height, width, channels): ceil(n / stride), or as many as fit."""
    places = []
    for n, size, stride in zip(shape, settings[window], settings["strides"], strict=False):
        if settings["padding"] == "valid" and n < size:
            raise WorkshopError(f"a window of {settings[window]} does not fit into an image of {shape[0]}x{shape[1]}")
        places.append(-(-n // stride) if settings["padding"] == "same" else (n - size) // stride + 1)
    return places[0], places[1]


def _dense(s: Settings) -> Config:
    return {
        "units": s.count("units", "output_dim"),
        "activation": s.activation(),
        "use_bias": s.flag("use_bias", "bias", default=True),
    }


def _bias(settings: Config, size: int) -> dict[str, Shape]:
    return {"bias": (size,)} if settings["use_bias"] else {}


def _sliding(s: Settings) -> Config:
    """What the three convolutions share."""
    s.channels_last()
    if s.pair("dilation_rate", default=1) != [1, 1]:
        raise s.refuse("has a dilation_rate other than 1")
    if s.number("groups", default=1) != 1:
        raise s.refuse("has groups other than 1")
    return {
        "kernel_size": s.pair("kernel_size") if s.has("kernel_size") else [s.count("nb_row"), s.count("nb_col")],
        "strides": s.pair("strides", "subsample", default=1),
        "padding": s.choice("padding", "border_mode", default="valid", among=("valid", "same")),
        "activation": s.activation(),
        "use_bias": s.flag("use_bias", "bias", default=True),
    }


def _convolution(s: Settings) -> Config:
    return {"filters": s.count("filters", "nb_filter"), **_sliding(s)}


def _depthwise(s: Settings) -> Config:
    if s.number("depth_multiplier", default=1) != 1:
        raise s.refuse("has a depth_multiplier other than 1")
    return _sliding(s)


def _separable(s: Settings) -> Config:
    return {"filters": s.count("filters"), **_depthwise(s)}


def _separable_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    channels, filters = shape[2], settings["filters"]
    kernels = {
        "depthwise_kernel": (*settings["kernel_size"], channels, 1),
        "pointwise_kernel": (1, 1, channels, filters),
    }
    return kernels | _bias(settings, filters)


def _zero_padding(s: Settings) -> Config:
    s.channels_last()
    value = s.take("padding")
    fits = isinstance(value, list | tuple) and len(value) == 2
    fits = fits and all(isinstance(sides, list | tuple) and len(sides) == 2 for sides in value)
    if not fits or not all(type(n) is int and 0 <= n <= 10_000 for sides in value for n in sides):
        raise s.refuse(f"has padding = {value!r}")
    return {"padding": [list(sides) for sides in value]}


def _zero_padded(settings: Config, shape: Shape) -> Shape:
    rows, columns = (n + sum(border) for n, border in zip(shape, settings["padding"], strict=False))
    return rows, columns, shape[2]


def _pooling(s: Settings) -> Config:
    s.channels_last()
    size = s.pair("pool_size", default=2)
    padding = s.choice("padding", "border_mode", default="valid", among=("valid", "same"))
    return {"pool_size": size, "strides": s.pair("strides", default=size), "padding": padding}


def _rescaling(s: Settings) -> Config:
    return {"scale": s.number("scale", least=-1e9), "offset": s.number("offset", default=0, least=-1e9)}


def _dropout(s: Settings) -> Config:
    rate = s.number("rate", "p")
    if rate >= 1:
        raise s.refuse(f"has rate = {rate!r}")
    return {"rate": rate}


def _batch_normalization(s: Settings) -> Config:
    if s.number("mode", default=0) != 0:  # Keras 1: other modes normalise by sample
        raise s.refuse("has a mode other than 0")
    s.flag("synchronized", default=False)
    s.flag("fused", default=True)
    axis = s.take("axis", default=-1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if type(axis) is not int:
        raise s.refuse(f"has axis = {axis!r}")
    return {
        "axis": axis,
        "momentum": s.number("momentum", default=0.99),
        "epsilon": s.number("epsilon", default=1e-3),
        "center": s.flag("center", default=True),
        "scale": s.flag("scale", default=True),
    }


def _statistics(settings: Config, shape: Shape) -> dict[str, Shape]:
    if settings["axis"] not in (-1, len(shape)):
        raise UnknownLayerError(
            f"its BatchNormalization layer has axis = {settings['axis']}, which is not known here: takes the last"
        )
    learned = ("gamma",) * settings["scale"] + ("beta",) * settings["center"]
    return dict.fromkeys((*learned, "moving_mean", "moving_variance"), shape[-1:])


def _only_channels_last(s: Settings) -> Config:
    s.channels_last()
    return {}


def _relu(s: Settings) -> Config:
    limit = s.take("max_value")
    if s.number("negative_slope", default=0) or s.number("threshold", default=0) or limit not in (None, 6):
        raise s.refuse("has a slope, a threshold or a max_value")
    return {"activation": "relu" if limit is None else "relu6"}


def _softmax(s: Settings) -> Config:
    if s.take("axis", default=-1) != -1:
        raise s.refuse("has an axis other than the last")
    return {"activation": "softmax"}


def _no_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    return {}


def _same(settings: Config, shape: Shape) -> Shape:
    return shape


def _pooled(settings: Config, shape: Shape) -> Shape:
    return (*window_places(settings, shape, "pool_size"), shape[2])


KINDS = {
    "Dense": Kind(
        1, _dense, lambda s, shape: {"kernel": (shape[0], s["units"])} | _bias(s, s["units"]),
        lambda s, shape: (s["units"],),
    ),
    "Conv2D": Kind(
        3, _convolution,
        lambda s, shape: {"kernel": (*s["kernel_size"], shape[2], s["filters"])} | _bias(s, s["filters"]),
        lambda s, shape: (*window_places(s, shape, "kernel_size"), s["filters"]),
    ),
    "DepthwiseConv2D": Kind(
        3, _depthwise, lambda s, shape: {"kernel": (*s["kernel_size"], shape[2], 1)} | _bias(s, shape[2]),
        lambda s, shape: (*window_places(s, shape, "kernel_size"), shape[2]),
    ),
    "SeparableConv2D": Kind(
        3, _separable, _separable_weights, lambda s, shape: (*window_places(s, shape, "kernel_size"), s["filters"]),
    ),
    "ZeroPadding2D": Kind(3, _zero_padding, _no_weights, _zero_padded),
    "MaxPooling2D": Kind(3, _pooling, _no_weights, _pooled),
    "AveragePooling2D": Kind(3, _pooling, _no_weights, _pooled),
    "GlobalAveragePooling2D": Kind(3, _only_channels_last, _no_weights, lambda s, shape: shape[2:]),
    "Flatten": Kind(None, _only_channels_last, _no_weights, lambda s, shape: (math.prod(shape),)),
    "Rescaling": Kind(None, _rescaling, _no_weights, _same),
    "Dropout": Kind(None, _dropout, _no_weights, _same),
    "BatchNormalization": Kind(None, _batch_normalization, _statistics, _same),
    "Activation": Kind(None, lambda s: {"activation": s.activation()}, _no_weights, _same),
}  # fmt: skip
# Other names for them: Keras 1's, and the activations that are layers of their own.
_ALIASES: dict[str, tuple[str, Callable[[Settings], Config]]] = {
    "Convolution2D": ("Conv2D", _convolution),
    "ReLU": ("Activation", _relu),
    "Softmax": ("Activation", _softmax),
}


def layer_from(kind: object, config: Config) -> Layer:
    """Returns a layer, without weights yet, from its class name and its configuration in a file of any Keras.

    Raises:
        UnknownLayerError: the layer, or one of its settings, is not known here.
    """
    if not isinstance(kind, str) or (kind not in KINDS and kind not in _ALIASES):
        raise UnknownLayerError(f"its layer {printable(kind)} is not known here")
    name, parse = _ALIASES.get(kind) or (kind, KINDS[kind].settings)
    settings = Settings(kind, config)
    layer = Layer(name, parse(settings))
    settings.finish()
    return layer
