"""The activations that a saved model may have as layers of their own: their settings, weights and outputs."""

from collections.abc import Callable

from workshop.kit.saving.layer_specs import Config, Kind, Settings, Shape, no_weights, same_shape

# A layer's class name and its configuration.
Named = tuple[str, Config]


def _relu(s: Settings) -> Named:
    """ReLU(max_value, negative_slope, threshold), by the name of an activation where it is one that has a name."""
    limit = s.take("max_value")
    settings = {
        "max_value": None if limit is None else s.as_number("max_value", limit),
        "negative_slope": s.number("negative_slope", default=0),
        "threshold": s.number("threshold", default=0),
    }
    if settings["negative_slope"] == settings["threshold"] == 0 and limit in (None, 6):
        return "Activation", {"activation": "relu" if limit is None else "relu6"}
    return "ReLU", settings


def _softmax(s: Settings) -> Named:
    if s.take("axis", default=-1) != -1:
        raise s.refuse("has an axis other than the last")
    return "Activation", {"activation": "softmax"}


def _prelu(s: Settings) -> Config:
    value = s.take("shared_axes", default=[])
    value = [value] if type(value) is int else value
    if not isinstance(value, list) or not all(type(axis) is int and 1 <= axis <= 3 for axis in value):
        raise s.refuse(f"has shared_axes = {value!r}")
    return {"shared_axes": sorted(set(value)) or None}


def _prelu_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    shared = settings["shared_axes"] or ()
    return {"alpha": tuple(1 if axis in shared else n for axis, n in enumerate(shape, 1))}


KINDS = {
    "Activation": Kind(None, lambda s: {"activation": s.activation()}, no_weights, same_shape),
    "ReLU": Kind(None, lambda s: _relu(s)[1], no_weights, same_shape),
    "LeakyReLU": Kind(
        None, lambda s: {"negative_slope": s.number("negative_slope", default=0.3)}, no_weights, same_shape
    ),
    "ELU": Kind(None, lambda s: {"alpha": s.number("alpha", default=1)}, no_weights, same_shape),
    "PReLU": Kind(None, _prelu, _prelu_weights, same_shape),
}
# Layers that are described as others.
ALIASES: dict[str, Callable[[Settings], Named]] = {
    "ReLU": _relu,
    "Softmax": _softmax,
}
