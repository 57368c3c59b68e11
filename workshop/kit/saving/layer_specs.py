"""The settings of a layer in a saved model, read without guessing, and the description of a kind of layer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.card import printable

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]
Config = dict[str, Any]

# Keras' names, with Keras' constants: "leaky_relu" has the slope 0.2 (PyTorch's default is 0.01), "gelu" is the exact
# one, and "hard_sigmoid" rises by 1/6 (before Keras 3 it rose by 0.2).
ACTIVATIONS = (
    *("linear", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "silu", "softmax"),
    *("elu", "selu", "gelu", "softplus", "softsign", "exponential", "hard_sigmoid"),
)
# Layers that a file may have in the place of an activation's name, with settings of their own.
_ACTIVATION_LAYERS = ("LeakyReLU", "ELU", "ReLU", "Softmax")

# Keras' policies by the precision that they compute in. Weights are read in 32 bits, whatever a policy has them in.
_POLICIES = {
    **dict.fromkeys(("float32", "float64"), "float32"),
    **dict.fromkeys(("float16", "mixed_float16"), "mixed_float16"),
    **dict.fromkeys(("bfloat16", "mixed_bfloat16"), "mixed_bfloat16"),
}

# Settings that matter while a layer is built or trained, not for its outputs.
_WITHOUT_EFFECT = {
    *("name", "trainable", "seed", "weights", "sparse", "ragged", "optional", "implementation", "unroll"),
    *("use_cudnn", "autocast", "build_config", "registered_name"),
    *("batch_input_shape", "batch_shape", "input_shape", "input_dim", "input_dtype", "input_length", "noise_shape"),
    *("renorm_momentum", "renorm_clipping", "unit_forget_bias", "zero_output_for_mask"),
    *("activity_regularizer", "moving_mean_initializer", "moving_variance_initializer"),
    *(
        f"{weight}_{kind}"
        for weight in ("kernel", "bias", "beta", "gamma", "depthwise", "pointwise", "recurrent", "embeddings", "alpha")
        for kind in ("initializer", "regularizer", "constraint")
    ),
}
# What the others do to the outputs.
_EFFECTS = {
    "stateful": "each answer would depend on those before it",
    "return_state": "there would be several outputs",
    "time_major": "steps would come before samples",
    "mask_zero": "zeros would be left out of the sequence",
    "lora_rank": "its weights would be the sum of two",
}


@dataclass
class Layer:
    """One layer.

    Attributes:
        kind: Keras' class name, a key of `architecture.KINDS`.
        settings: its configuration, by the names of Keras 3.
        weights: by Keras' names ("kernel"), in Keras' layout.
    """

    kind: str
    settings: Config = field(default_factory=dict)
    weights: "dict[str, np.ndarray]" = field(default_factory=dict)

    def __str__(self) -> str:
        """The name in messages."""
        return self.kind


def layer_entry(kind: str, config: Config) -> Config:
    """Returns a layer in the form in which Keras 3 describes it."""
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


class UnknownLayerError(WorkshopError):
    """The model is intact, but has a layer or a setting that is not known here."""


def dtype_policy(value: Any) -> Any:
    """Returns the setting "dtype" of a layer in any Keras as the name of Keras 3's policy, with weights in 32 bits.

    Args:
        value: a name, or an object that has one; single precision where it says none.

    Returns:
        "float32", "mixed_float16" or "mixed_bfloat16"; what is no precision ("int32") as it is.
    """
    name = value
    if isinstance(value, dict):
        inner = value.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
    return _POLICIES.get(name, value) if isinstance(name, str) else "float32"


class Settings:
    """A layer's configuration in a file: each setting is taken by code that knows it, has no effect, or is refused.

    Args:
        kind: the class name in the file.
        config: the configuration.
        read_layer: makes a layer of such two; for a layer that stands in the place of an activation's name.
    """

    def __init__(self, kind: str, config: Config, read_layer: Callable[[object, Config], Layer]) -> None:
        self._config, self._kind, self._read_layer = dict(config), kind, read_layer

    def refuse(self, what: str, effect: str = "") -> UnknownLayerError:
        """Returns the error that says what is not known, and what it would do."""
        why = f" ({effect})" if effect else ""
        return UnknownLayerError(f"its {self._kind} layer {printable(what)}, which is not known here{why}")

    def has(self, name: str) -> bool:
        """Returns whether the file has a setting of this name."""
        return name in self._config

    def take(self, name: str, default: Any = None) -> Any:
        """Returns a setting, the default where it is not there or None, and marks it as taken."""
        value = self._config.pop(name, None)
        return default if value is None else value

    def number(self, name: str, default: float | None = None, least: float = 0.0) -> float:
        """Takes a number from `least` up."""
        return self.as_number(name, self.take(name, default), least)

    def as_number(self, name: str, value: Any, least: float = 0.0) -> float:
        """Returns what was taken as the setting of this name as a number from `least` up."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
            raise self.refuse(f"has {name} = {value!r}")
        return float(value)

    def rate(self, name: str, default: float | None = None) -> float:
        """Takes a fraction from 0 up to below 1."""
        value = self.number(name, default)
        if value >= 1:
            raise self.refuse(f"has {name} = {value!r}")
        return value

    def count(self, name: str) -> int:
        """Takes a whole number from 1 up."""
        value = self.number(name)
        if value != int(value) or not 1 <= value <= 1e6:
            raise self.refuse(f"has {name} = {value!r}")
        return int(value)

    def sizes(self, name: str, axes: int = 2, default: Any = None) -> list[int]:
        """Takes a whole number from 1 up for each axis, or one that stands for all."""
        value = self.take(name, default)
        value = [value] * axes if type(value) is int else value
        fits = isinstance(value, list | tuple) and len(value) == axes
        if not fits or not all(type(n) is int and 1 <= n <= 10_000 for n in value):
            raise self.refuse(f"has {name} = {value!r}")
        return list(value)

    def borders(self, name: str, axes: int = 2) -> list[list[int]]:
        """Takes two whole numbers for each axis: how many cells there are before it and after it."""
        value = self.take(name)
        value = [value] if axes == 1 else value
        fits = isinstance(value, list | tuple) and len(value) == axes
        fits = fits and all(isinstance(sides, list | tuple) and len(sides) == 2 for sides in value)
        if not fits or not all(type(n) is int and 0 <= n <= 10_000 for sides in value for n in sides):
            raise self.refuse(f"has {name} = {value!r}")
        return [list(sides) for sides in value]

    def axis(self) -> int:
        """Takes one axis, which some files have in a list."""
        value = self.take("axis", -1)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if type(value) is not int:
            raise self.refuse(f"has axis = {value!r}")
        return value

    def choice(self, name: str, default: str, among: tuple[str, ...]) -> str:
        """Takes one of several texts."""
        value = self.take(name, default)
        if value not in among:
            raise self.refuse(f"has {name} = {value!r}")
        return str(value)

    def flag(self, name: str, default: bool) -> bool:
        """Takes yes or no."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.refuse(f"has {name} = {value!r}")
        return value

    def activation(self, name: str = "activation", default: str = "linear") -> str | Layer:
        """Takes the name of an activation function, or the layer with settings of its own that stands in its place."""
        value = self.take(name, default)
        if isinstance(value, dict):  # Keras 2 and 3 may write the function as an object of this form
            kind, config = value.get("class_name"), value.get("config")
            if kind in _ACTIVATION_LAYERS and isinstance(config, dict):
                layer = self._read_layer(kind, config)
                return str(layer.settings["activation"]) if layer.kind == "Activation" else layer
            value = config if kind == "function" else kind
        if value not in ACTIVATIONS:
            raise self.refuse(f"has {name} = {value!r}")
        return str(value)

    def function(self, name: str, default: str) -> str:
        """Takes the name of an activation function that works in the middle of a layer, where none can follow it."""
        value = self.activation(name, default)
        if not isinstance(value, str):
            raise self.refuse(f"has {name} = {value.kind} with settings of its own")
        return value

    def channels_last(self) -> None:
        """Takes the order of the axes: channels last, or refused."""
        value = self.take("data_format", "channels_last")
        if value != "channels_last":
            raise self.refuse(f"has data_format = {value!r} (channels before height and width)")

    def finish(self) -> None:
        """Refuses every setting that was not taken and has an effect."""
        for name, value in self._config.items():
            if name not in _WITHOUT_EFFECT and value not in (None, False):
                raise self.refuse(f"has {name} = {value!r}", _EFFECTS.get(name, ""))

    def channels_last_only(self) -> Config:
        """Takes the settings of a layer whose only one is the order of the axes."""
        self.channels_last()
        return {}


class Kind(NamedTuple):
    """A known kind of layer.

    Attributes:
        ranks: the possible numbers of axes of an input sample; None for any.
        settings: from the file's configuration to that of Keras 3.
        weights: from settings and an input sample's shape to the shapes of the weights.
        output: from settings and an input sample's shape to the output's.
    """

    ranks: tuple[int, ...] | None
    settings: Callable[[Settings], Config]
    weights: Callable[[Config, Shape], dict[str, Shape]]
    output: Callable[[Config, Shape], Shape]


def bias(settings: Config, size: int) -> dict[str, Shape]:
    """Returns the shape of a layer's bias, if it has one."""
    return {"bias": (size,)} if settings["use_bias"] else {}


def no_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    """The weights of a layer that has none."""
    return {}


def same_shape(settings: Config, shape: Shape) -> Shape:
    """The output's shape of a layer that keeps the input's."""
    return shape
