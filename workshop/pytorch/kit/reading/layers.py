"""PyTorch's modules that take any samples, in Keras' words: what `network` finds, and what it refuses."""

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from workshop.pytorch.kit.layers import BatchNormAsKeras, LeakyReLUAsKeras, Rescaling
from workshop.pytorch.kit.layout import FlattenAsKeras, ReshapeAsKeras
from workshop.pytorch.kit.reading.reader import Reader
from workshop.pytorch.kit.weight import Weight, vector


def linear(reader: Reader, module: nn.Linear) -> None:
    """nn.Linear."""
    settings = {"units": module.out_features, "activation": "linear", "use_bias": module.bias is not None}
    kernel = Weight(module.weight, (1, 0), inputs=reader.flattened)
    reader.flattened = None
    reader.add(module, "Dense", settings, kernel=kernel, bias=vector(module.bias))


def rescaling(reader: Reader, module: Rescaling) -> None:
    """Rescaling."""
    reader.add(module, "Rescaling", {"scale": float(module.scale), "offset": float(module.offset)})


def dropout(reader: Reader, module: nn.Dropout) -> None:
    """nn.Dropout."""
    reader.add(module, "Dropout", {"rate": float(module.p)})


def batch_norm(reader: Reader, module: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    """nn.BatchNorm1d and nn.BatchNorm2d."""
    reader.expect(module, track_running_stats=True)
    if module.momentum is None:
        raise reader.refuse(module, "has momentum = None, takes a number")
    if isinstance(module, nn.BatchNorm2d):
        reader.expect_images(module)
    elif len(reader.shape) != 1:
        raise reader.refuse(module, f"gets samples of shape {reader.shape}: takes nn.BatchNorm2d for images")
    _normalisation(reader, module, round(1 - module.momentum, 9), module.eps)


def batch_norm_as_keras(reader: Reader, module: BatchNormAsKeras) -> None:
    """BatchNormAsKeras."""
    axes = len(reader.shape) + 1
    if module.axis % axes != reader.channel_axis():
        raise reader.refuse(module, f"normalises another axis than Keras, axis {reader.channel_axis()}")
    _normalisation(reader, module, module.momentum, module.epsilon)


def _normalisation(reader: Reader, module: Any, momentum: float, epsilon: float) -> None:
    settings = {
        "axis": -1,
        "momentum": momentum,
        "epsilon": epsilon,
        "center": module.bias is not None,
        "scale": module.weight is not None,
    }
    reader.add(
        module,
        "BatchNormalization",
        settings,
        gamma=vector(module.weight),
        beta=vector(module.bias),
        moving_mean=vector(module.running_mean),
        moving_variance=vector(module.running_var),
    )


def softmax(reader: Reader, module: nn.Softmax) -> None:
    """nn.Softmax over the classes."""
    axes = len(reader.shape) + 1
    if module.dim is None or module.dim % axes != reader.channel_axis():
        raise reader.refuse(module, f"is not over the classes: takes dim={reader.channel_axis()} here")
    activation(reader, module, "softmax")


def leaky_relu(reader: Reader, module: nn.LeakyReLU) -> None:
    """nn.LeakyReLU with Keras' slope."""
    reader.expect(module, negative_slope=0.2)
    activation(reader, module, "leaky_relu")


def activation(reader: Reader, module: nn.Module, name: str) -> None:
    """An activation: a part of the layer before it, if that one has weights and no activation yet."""
    before = reader.found[-1] if reader.found else None
    if before and before.weights and before.layer.settings.get("activation") == "linear":
        before.layer.settings["activation"] = name
        reader.found[-1] = before._replace(module=reader.place, channels_first=reader.channels_first)
    else:
        reader.add(module, "Activation", {"activation": name})


def flatten(reader: Reader, module: nn.Flatten) -> None:
    """nn.Flatten. Of images it writes one channel after the other, where Keras has the channels running fastest."""
    reader.expect(module, start_dim=1, end_dim=-1)
    *pixels, channels = reader.shape
    if reader.channels_first and channels > 1 and math.prod(pixels) > 1:
        reader.flattened = reader.shape
    reader.channels_first = False
    reader.add(module, "Flatten", {})


def flatten_as_keras(reader: Reader, module: FlattenAsKeras) -> None:
    """FlattenAsKeras."""
    if len(reader.shape) == 3:
        reader.expect_images(module)
    reader.channels_first = False
    reader.add(module, "Flatten", {})


def reshape_as_keras(reader: Reader, module: ReshapeAsKeras) -> None:
    """ReshapeAsKeras."""
    if len(reader.shape) == 3:
        reader.expect_images(module)
    reader.channels_first = len(module.target_shape) == 3
    reader.add(module, "Reshape", {"target_shape": list(module.target_shape)})


MODULES: dict[type[nn.Module], Callable[[Reader, Any], None]] = {
    nn.Linear: linear,
    Rescaling: rescaling,
    nn.Dropout: dropout,
    nn.BatchNorm1d: batch_norm,
    nn.BatchNorm2d: batch_norm,
    BatchNormAsKeras: batch_norm_as_keras,
    nn.Identity: lambda reader, module: activation(reader, module, "linear"),
    nn.Sigmoid: lambda reader, module: activation(reader, module, "sigmoid"),
    nn.Tanh: lambda reader, module: activation(reader, module, "tanh"),
    nn.ReLU: lambda reader, module: activation(reader, module, "relu"),
    nn.ReLU6: lambda reader, module: activation(reader, module, "relu6"),
    nn.LeakyReLU: leaky_relu,
    LeakyReLUAsKeras: leaky_relu,
    nn.SiLU: lambda reader, module: activation(reader, module, "silu"),
    nn.Softmax: softmax,
    nn.Flatten: flatten,
    FlattenAsKeras: flatten_as_keras,
    ReshapeAsKeras: reshape_as_keras,
}
