"""PyTorch's modules that take any samples, in Keras' words: what `network` finds, and what it refuses."""

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from workshop.pytorch.kit import noise
from workshop.pytorch.kit.layers import (
    BatchNormAsKeras,
    Exponential,
    LayerNormAsKeras,
    PReLUAsKeras,
    ReLUAsKeras,
    Rescaling,
)
from workshop.pytorch.kit.layout import FlattenAsKeras, ReshapeAsKeras
from workshop.pytorch.kit.reading.reader import Reader
from workshop.pytorch.kit.weight import Weight, vector


def linear(reader: Reader, module: nn.Linear) -> None:
    """nn.Linear."""
    settings = {"units": module.out_features, "activation": "linear", "use_bias": module.bias is not None}
    kernel = Weight(module.weight, (1, 0), inputs=reader.flattened)
    reader.flattened = None
    reader.add(module, "Dense", settings, kernel=kernel, bias=vector(module.bias))


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
    _expect_channels(reader, module, module.axis)
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
    """nn.LeakyReLU: Keras' activation of that name has the slope 0.2, a layer of its own has any."""
    if module.negative_slope == 0.2:
        activation(reader, module, "leaky_relu")
    elif module.negative_slope < 0:
        raise reader.refuse(module, "has a slope below 0, which Keras refuses")
    else:
        reader.add(module, "LeakyReLU", {"negative_slope": float(module.negative_slope)})


def elu(reader: Reader, module: nn.ELU) -> None:
    """nn.ELU: Keras' activation of that name has alpha 1, a layer of its own has any."""
    if module.alpha == 1:
        activation(reader, module, "elu")
    else:
        reader.add(module, "ELU", {"alpha": float(module.alpha)})


def relu_as_keras(reader: Reader, module: ReLUAsKeras) -> None:
    """ReLUAsKeras."""
    names = ("max_value", "negative_slope", "threshold")
    reader.add(module, "ReLU", {name: getattr(module, name) for name in names})


def prelu_as_keras(reader: Reader, module: PReLUAsKeras) -> None:
    """PReLUAsKeras."""
    alpha = Weight(module.weight, (1, 2, 0) if reader.channels_first else tuple(range(module.weight.ndim)))
    pairs = enumerate(zip(alpha.shape, reader.shape, strict=False), 1)
    shared = [axis for axis, (weights, numbers) in pairs if weights == 1 < numbers]
    reader.add(module, "PReLU", {"shared_axes": shared or None}, alpha=alpha)


def gelu(reader: Reader, module: nn.GELU) -> None:
    """nn.GELU."""
    reader.expect(module, approximate="none")
    activation(reader, module, "gelu")


def softplus(reader: Reader, module: nn.Softplus) -> None:
    """nn.Softplus, which is a straight line above its threshold: at 20 it differs by 2e-9."""
    reader.expect(module, beta=1, threshold=20)
    activation(reader, module, "softplus")


def layer_norm(reader: Reader, module: nn.LayerNorm) -> None:
    """nn.LayerNorm over the last axis."""
    if reader.channels_first or tuple(module.normalized_shape) != reader.shape[-1:]:
        raise reader.refuse(module, "is not over the last axis of Keras: takes LayerNormAsKeras here")
    _layer_normalisation(reader, module, module.eps)


def layer_norm_as_keras(reader: Reader, module: LayerNormAsKeras) -> None:
    """LayerNormAsKeras."""
    _expect_channels(reader, module, module.axis)
    _layer_normalisation(reader, module, module.epsilon)


def _layer_normalisation(reader: Reader, module: Any, epsilon: float) -> None:
    center, scale = module.bias is not None, module.weight is not None
    settings = {"axis": -1, "epsilon": epsilon, "center": center, "scale": scale}
    reader.add(module, "LayerNormalization", settings, gamma=vector(module.weight), beta=vector(module.bias))


def _expect_channels(reader: Reader, module: nn.Module, axis: int) -> None:
    """Refuses a module for another axis than Keras' last."""
    if axis % (len(reader.shape) + 1) != reader.channel_axis():
        raise reader.refuse(module, f"normalises another axis than Keras, axis {reader.channel_axis()}")


def activation(reader: Reader, module: nn.Module, name: str) -> None:
    """An activation: a part of the layer before it, if that one has weights and no activation yet."""
    before = reader.found[-1] if reader.found else None
    # That of a recurrent layer is within its steps; one behind a layer of 16 bits has 32.
    has_own = before is None or not before.weights or "recurrent_kernel" in before.weights
    is_half = before is not None and "dtype" in before.layer.settings
    if before is not None and not has_own and not is_half and before.layer.settings.get("activation") == "linear":
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
    Rescaling: lambda reader, module: reader.add(
        module, "Rescaling", {"scale": float(module.scale), "offset": float(module.offset)}
    ),
    nn.Dropout: lambda reader, module: reader.add(module, "Dropout", {"rate": float(module.p)}),
    nn.Dropout2d: lambda reader, module: reader.add(module, "SpatialDropout2D", {"rate": float(module.p)}),
    nn.AlphaDropout: lambda reader, module: reader.add(module, "AlphaDropout", {"rate": float(module.p)}),
    noise.StepDropout: lambda reader, module: reader.add(module, "SpatialDropout1D", {"rate": module.p}),
    noise.GaussianDropout: lambda reader, module: reader.add(module, "GaussianDropout", {"rate": module.p}),
    noise.GaussianNoise: lambda reader, module: reader.add(module, "GaussianNoise", {"stddev": module.stddev}),
    nn.BatchNorm1d: batch_norm,
    nn.BatchNorm2d: batch_norm,
    BatchNormAsKeras: batch_norm_as_keras,
    nn.LayerNorm: layer_norm,
    LayerNormAsKeras: layer_norm_as_keras,
    nn.Identity: lambda reader, module: activation(reader, module, "linear"),
    nn.Sigmoid: lambda reader, module: activation(reader, module, "sigmoid"),
    nn.Tanh: lambda reader, module: activation(reader, module, "tanh"),
    nn.ReLU: lambda reader, module: activation(reader, module, "relu"),
    nn.ReLU6: lambda reader, module: activation(reader, module, "relu6"),
    nn.LeakyReLU: leaky_relu,
    nn.ELU: elu,
    ReLUAsKeras: relu_as_keras,
    PReLUAsKeras: prelu_as_keras,
    nn.SELU: lambda reader, module: activation(reader, module, "selu"),
    nn.GELU: gelu,
    nn.Softplus: softplus,
    nn.Softsign: lambda reader, module: activation(reader, module, "softsign"),
    nn.Hardsigmoid: lambda reader, module: activation(reader, module, "hard_sigmoid"),
    Exponential: lambda reader, module: activation(reader, module, "exponential"),
    nn.SiLU: lambda reader, module: activation(reader, module, "silu"),
    nn.Softmax: softmax,
    nn.Flatten: flatten,
    FlattenAsKeras: flatten_as_keras,
    ReshapeAsKeras: reshape_as_keras,
}
