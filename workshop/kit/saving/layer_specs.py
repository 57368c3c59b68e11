"""The settings of a layer in a saved model, read without guessing, and the description of a kind of layer."""

from collections.abc import Callable
from typing import Any, NamedTuple

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.card import printable

Shape = tuple[int, ...]
Config = dict[str, Any]

# Keras' names. "leaky_relu" has Keras' slope for it, 0.2; PyTorch's default is 0.01.
ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "silu", "softmax")

# Settings that matter while a layer is built or trained, not for its outputs.
_WITHOUT_EFFECT = {
    *("name", "trainable", "dtype", "seed", "weights", "sparse", "ragged", "optional", "implementation", "unroll"),
    *("batch_input_shape", "batch_shape", "input_shape", "input_dim", "input_dtype", "input_length", "noise_shape"),
    *("renorm_momentum", "renorm_clipping", "unit_forget_bias", "zero_output_for_mask"),
    *("init", "beta_init", "gamma_init", "W_regularizer", "b_regularizer", "W_constraint", "b_constraint"),
    *("activity_regularizer", "moving_mean_initializer", "moving_variance_initializer"),
    *(
        f"{weight}_{kind}"
        for weight in ("kernel", "bias", "beta", "gamma", "depthwise", "pointwise", "recurrent", "embeddings")
        for kind in ("initializer", "regularizer", "constraint")
    ),
}


class UnknownLayerError(WorkshopError):
    """The model is intact, but has a layer or a setting that is not known here."""


class Settings:
    """A layer's configuration in a file: each setting is taken by code that knows it, has no effect, or is refused."""

    def __init__(self, kind: str, config: Config) -> None:
        self._config, self._kind = dict(config), kind

    def refuse(self, what: str) -> UnknownLayerError:
        """Returns the error that says what is not known."""
        return UnknownLayerError(f"its {self._kind} layer {printable(what)}, which is not known here")

    def has(self, name: str) -> bool:
        """Returns whether the file has a setting of this name."""
        return name in self._config

    def take(self, *names: str, default: Any = None) -> Any:
        """Returns the setting by the first of its names, old or new, that is there, and marks it as taken."""
        values = [self._config.pop(name) for name in names if name in self._config]
        return default if not values or values[0] is None else values[0]

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

    def activation(self, name: str = "activation", default: str = "linear") -> str:
        """Takes the name of an activation function."""
        value = self.take(name, default=default)
        if isinstance(value, dict):  # Keras 2 and 3 may write the function as an object of this form
            value = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
        if value == "softmax_v2":  # what TensorFlow 2.0 to 2.3 wrote for tf.nn.softmax
            value = "softmax"
        if value == "swish":  # the first name that Keras had for it
            value = "silu"
        if value not in ACTIVATIONS:
            raise self.refuse(f"has {name} = {value!r}")
        return str(value)

    def channels_last(self) -> None:
        """Takes the order of the axes: channels last, or refused."""
        value = self.take("data_format", "dim_ordering", default="channels_last")
        if value not in ("channels_last", "tf"):
            raise self.refuse(f"has data_format = {value!r} (channels before height and width)")

    def finish(self) -> None:
        """Refuses every setting that was not taken and has an effect."""
        for name, value in self._config.items():
            if name not in _WITHOUT_EFFECT and value not in (None, False):
                raise self.refuse(f"has {name} = {value!r}")

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
