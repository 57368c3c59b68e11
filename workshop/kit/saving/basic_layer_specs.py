"""The layers for any samples that a saved model may have: their settings, weights and output shapes."""

import math

from workshop.kit.errors import WorkshopError
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


def _dense(s: Settings) -> Config:
    return {
        "units": s.count("units"),
        "activation": s.activation(),
        "use_bias": s.flag("use_bias", default=True),
    }


def _rescaling(s: Settings) -> Config:
    return {"scale": s.number("scale", least=-1e9), "offset": s.number("offset", default=0, least=-1e9)}


def _dropout(s: Settings) -> Config:
    return {"rate": s.rate("rate")}


def _spatial_dropout(s: Settings) -> Config:
    s.channels_last()
    return _dropout(s)


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
    s.flag("synchronized", default=False)
    return {
        "axis": s.axis(),
        "momentum": s.number("momentum", default=0.99),
        "epsilon": s.number("epsilon", default=1e-3),
        "center": s.flag("center", default=True),
        "scale": s.flag("scale", default=True),
    }


def _layer_normalization(s: Settings) -> Config:
    return {
        "axis": s.axis(),
        "epsilon": s.number("epsilon", default=1e-3),
        "center": s.flag("center", default=True),
        "scale": s.flag("scale", default=True),
    }


def _normalization_weights(kind: str, settings: Config, shape: Shape) -> dict[str, Shape]:
    if settings["axis"] not in (-1, len(shape)):
        raise UnknownLayerError(
            f"its {kind} layer has axis = {settings['axis']}, which is not known here: takes the last"
        )
    names = ["gamma"] if settings["scale"] else []
    if settings["center"]:
        names.append("beta")
    if kind == "BatchNormalization":
        names += ["moving_mean", "moving_variance"]
    return dict.fromkeys(names, shape[-1:])


KINDS: dict[str, Kind] = {
    "Dense": Kind(
        (1, 2),
        _dense,
        lambda s, shape: {"kernel": (shape[-1], s["units"])} | bias(s, s["units"]),
        lambda s, shape: (*shape[:-1], s["units"]),
    ),
    "Flatten": Kind(None, Settings.channels_last_only, no_weights, lambda s, shape: (math.prod(shape),)),
    "Reshape": Kind(None, _reshape, no_weights, _reshaped),
    "Rescaling": Kind(None, _rescaling, no_weights, same_shape),
    "Dropout": Kind(None, _dropout, no_weights, same_shape),
    "SpatialDropout1D": Kind((2,), _dropout, no_weights, same_shape),
    "SpatialDropout2D": Kind((3,), _spatial_dropout, no_weights, same_shape),
    "GaussianDropout": Kind(None, _dropout, no_weights, same_shape),
    "AlphaDropout": Kind(None, _dropout, no_weights, same_shape),
    "GaussianNoise": Kind(None, lambda s: {"stddev": s.number("stddev")}, no_weights, same_shape),
    "BatchNormalization": Kind(
        None,
        _batch_normalization,
        lambda s, shape: _normalization_weights("BatchNormalization", s, shape),
        same_shape,
    ),
    "LayerNormalization": Kind(
        None,
        _layer_normalization,
        lambda s, shape: _normalization_weights("LayerNormalization", s, shape),
        same_shape,
    ),
}
