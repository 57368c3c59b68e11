"""The description of a saved model: its layers in Keras 3's configuration, whichever Keras wrote it, and their shapes.

All engines read and write models through this description. A setting that is not known here is refused by its name,
never guessed: a model that is read wrong predicts wrong. `KINDS` has one entry for each layer that is known.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workshop.kit.errors import WorkshopError
from workshop.kit.saving import image_layer_specs, sequence_layer_specs
from workshop.kit.saving.card import printable
from workshop.kit.saving.layer_specs import (
    Config,
    Kind,
    Settings,
    Shape,
    UnknownLayerError,
    bias,
    no_weights,
    same_shape,
)

if TYPE_CHECKING:
    import numpy as np

MAX_OUTPUT_SIZE = 50_000_000  # numbers in one output of a layer, for one sample


@dataclass
class Layer:
    """One layer.

    Attributes:
        kind: Keras' class name, a key of `KINDS`.
        settings: its configuration, by the names of Keras 3.
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
            WorkshopError: a layer cannot take the output of the one before it.
        """
        shapes = [self.input_shape]
        for layer in self.layers:
            ranks = KINDS[layer.kind].ranks
            if ranks is not None and len(shapes[-1]) not in ranks:
                raise WorkshopError(f"a {layer.kind} layer gets samples of shape {shapes[-1]}")
            shapes.append(KINDS[layer.kind].output(layer.settings, shapes[-1]))
            if math.prod(shapes[-1]) > MAX_OUTPUT_SIZE:
                raise WorkshopError(f"a {layer.kind} layer has an output of more than {MAX_OUTPUT_SIZE:,} numbers")
        return shapes

    def multiplications(self) -> int:
        """Returns the number of multiplications with weights in one sample's forward pass."""
        total = 0
        for weights, (before, after) in zip(self.weight_shapes(), itertools.pairwise(self.shapes()), strict=True):
            # A kernel is used once at each position of the output image; a recurrent layer's in each step.
            positions = before[:-1] if "recurrent_kernel" in weights else after[:-1]
            kernels = (math.prod(shape) for name, shape in weights.items() if name.endswith("kernel"))
            total += sum(kernels) * math.prod(positions)
        return total

    def weight_shapes(self) -> list[dict[str, Shape]]:
        """Returns for each layer the shapes of its weights, by name."""
        before = self.shapes()[:-1]
        return [
            KINDS[layer.kind].weights(layer.settings, shape) for layer, shape in zip(self.layers, before, strict=True)
        ]


def _dense(s: Settings) -> Config:
    return {
        "units": s.count("units", "output_dim"),
        "activation": s.activation(),
        "use_bias": s.flag("use_bias", "bias", default=True),
    }


def _rescaling(s: Settings) -> Config:
    return {"scale": s.number("scale", least=-1e9), "offset": s.number("offset", default=0, least=-1e9)}


def _dropout(s: Settings) -> Config:
    rate = s.number("rate", "p")
    if rate >= 1:
        raise s.refuse(f"has rate = {rate!r}")
    return {"rate": rate}


def _reshape(s: Settings) -> Config:
    value = s.take("target_shape")
    fits = isinstance(value, list | tuple) and 1 <= len(value) <= 3 and list(value).count(-1) <= 1
    if not fits or not all(type(n) is int and (1 <= n <= 1_000_000 or n == -1) for n in value):
        raise s.refuse(f"has target_shape = {value!r}")
    return {"target_shape": list(value)}


def _reshaped(settings: Config, shape: Shape) -> Shape:
    """The target shape, where -1 stands for as many as are left."""
    numbers, target = math.prod(shape), settings["target_shape"]
    rest = numbers // math.prod(n for n in target if n > 0)
    target = tuple(rest if n == -1 else n for n in target)
    if math.prod(target) != numbers:
        raise WorkshopError(f"a Reshape layer gets samples of shape {shape}, and cannot make {target} of them")
    return target


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


def _batch_normalization_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    if settings["axis"] not in (-1, len(shape)):
        raise UnknownLayerError(
            f"its BatchNormalization layer has axis = {settings['axis']}, which is not known here: takes the last"
        )
    names = ["gamma"] if settings["scale"] else []
    if settings["center"]:
        names.append("beta")
    return dict.fromkeys((*names, "moving_mean", "moving_variance"), shape[-1:])


def _relu(s: Settings) -> Config:
    limit = s.take("max_value")
    if s.number("negative_slope", default=0) or s.number("threshold", default=0) or limit not in (None, 6):
        raise s.refuse("has a slope, a threshold or a max_value")
    return {"activation": "relu" if limit is None else "relu6"}


def _softmax(s: Settings) -> Config:
    if s.take("axis", default=-1) != -1:
        raise s.refuse("has an axis other than the last")
    return {"activation": "softmax"}


KINDS: dict[str, Kind] = {
    "Dense": Kind(
        (1, 2),
        _dense,
        lambda s, shape: {"kernel": (shape[-1], s["units"])} | bias(s, s["units"]),
        lambda s, shape: (*shape[:-1], s["units"]),
    ),
    **image_layer_specs.KINDS,
    **sequence_layer_specs.KINDS,
    "Flatten": Kind(None, Settings.channels_last_only, no_weights, lambda s, shape: (math.prod(shape),)),
    "Reshape": Kind(None, _reshape, no_weights, _reshaped),
    "Rescaling": Kind(None, _rescaling, no_weights, same_shape),
    "Dropout": Kind(None, _dropout, no_weights, same_shape),
    "BatchNormalization": Kind(None, _batch_normalization, _batch_normalization_weights, same_shape),
    "Activation": Kind(None, lambda s: {"activation": s.activation()}, no_weights, same_shape),
}
# Other names for them: Keras 1's, and the activations that are layers of their own.
_ALIASES: dict[str, tuple[str, Callable[[Settings], Config]]] = {
    "Convolution2D": ("Conv2D", image_layer_specs.KINDS["Conv2D"].settings),
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
