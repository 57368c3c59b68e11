"""PyTorch's modules for images, in Keras' words: what `network` finds in a network, and what it refuses."""

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from workshop.kit.saving.layer_specs import Config
from workshop.pytorch.kit.image_layers import (
    AveragePoolAsKeras,
    ConvTranspose2dAsKeras,
    GlobalAveragePooling,
    GlobalMaxPooling,
    PadAsTensorFlow,
    SeparableConv2d,
    pair,
    same_padding,
)
from workshop.pytorch.kit.layout import ChannelsFirst, ChannelsLast
from workshop.pytorch.kit.reading.reader import Reader
from workshop.pytorch.kit.weight import Weight, vector

# Where Keras' axes of a kernel are in PyTorch's.
_CONVOLUTION, _DEPTHWISE = (2, 3, 1, 0), (2, 3, 0, 1)


def convolution(reader: Reader, module: nn.Conv2d) -> None:
    """nn.Conv2d; with a group for each channel it is Keras' DepthwiseConv2D. One channel makes no difference."""
    settings, bias = _sliding(reader, module, module), vector(module.bias)
    if module.groups == module.in_channels == module.out_channels > 1:
        reader.expect(module, dilation=(1, 1))
        reader.add(module, "DepthwiseConv2D", settings, kernel=Weight(module.weight, _DEPTHWISE), bias=bias)
    else:
        reader.expect(module, groups=1)
        settings = {"filters": module.out_channels, **settings}
        if module.dilation != (1, 1):
            settings["dilation_rate"] = list(module.dilation)
        reader.add(module, "Conv2D", settings, kernel=Weight(module.weight, _CONVOLUTION), bias=bias)


def separable_convolution(reader: Reader, module: SeparableConv2d) -> None:
    """SeparableConv2d."""
    first, second = module.depthwise, module.pointwise
    reader.expect(first, dilation=(1, 1))
    settings = {"filters": second.out_channels, **_sliding(reader, first, second)}
    reader.add(
        module,
        "SeparableConv2D",
        settings,
        depthwise_kernel=Weight(first.weight, _DEPTHWISE),
        pointwise_kernel=Weight(second.weight, _CONVOLUTION),
        bias=vector(second.bias),
    )


def _sliding(reader: Reader, module: nn.Conv2d, with_bias: nn.Conv2d) -> Config:
    """Returns the settings that the three convolutions share."""
    reader.expect_images(module)
    reader.expect(module, padding_mode="zeros")
    return {
        "kernel_size": list(module.kernel_size),
        "strides": list(module.stride),
        "padding": _padding(reader, module, module.kernel_size, module.stride, 0.0, module.dilation),
        "activation": "linear",
        "use_bias": with_bias.bias is not None,
    }


def transposed_convolution(reader: Reader, module: ConvTranspose2dAsKeras) -> None:
    """ConvTranspose2dAsKeras."""
    reader.expect_images(module)
    reader.expect(module, groups=1, dilation=(1, 1), padding=(0, 0))
    settings = {
        "filters": module.out_channels,
        "kernel_size": list(module.kernel_size),
        "strides": list(module.stride),
        "padding": module.keras_padding,
        "activation": "linear",
        "use_bias": module.bias is not None,
    }
    kernel = Weight(module.weight, _CONVOLUTION)
    reader.add(module, "Conv2DTranspose", settings, kernel=kernel, bias=vector(module.bias))


def zero_padding(reader: Reader, module: nn.ZeroPad2d) -> None:
    """nn.ZeroPad2d."""
    reader.expect_images(module)
    if min(module.padding) < 0:
        raise reader.refuse(module, "takes rows or columns away, which Keras' ZeroPadding2D does not")
    left, right, top, bottom = module.padding
    reader.add(module, "ZeroPadding2D", {"padding": [[top, bottom], [left, right]]})


def global_pooling(reader: Reader, module: GlobalAveragePooling | GlobalMaxPooling) -> None:
    """GlobalAveragePooling and GlobalMaxPooling."""
    channels_last(reader, module)
    reader.add(module, f"{type(module).__name__}2D", {})


def up_sampling(reader: Reader, module: nn.Upsample) -> None:
    """nn.Upsample by repeating pixels."""
    reader.expect_images(module)
    reader.expect(module, size=None, mode="nearest")
    factors: Any = module.scale_factor
    size = list(factors) if isinstance(factors, tuple) else [factors, factors]
    if len(size) != 2 or not all(factor >= 1 and factor == int(factor) for factor in size):
        raise reader.refuse(module, f"has scale_factor = {factors}, takes whole numbers from 1 up")
    reader.add(module, "UpSampling2D", {"size": [int(factor) for factor in size]})


def max_pooling(reader: Reader, module: nn.MaxPool2d) -> None:
    """nn.MaxPool2d."""
    reader.expect(module, return_indices=False)
    if pair(module.dilation) != (1, 1):
        raise reader.refuse(module, f"has dilation = {module.dilation}, takes 1")
    _pooling(reader, module, "MaxPooling2D", -math.inf)


def average_pooling(reader: Reader, module: nn.AvgPool2d) -> None:
    """nn.AvgPool2d."""
    reader.expect(module, divisor_override=None)
    if module.padding not in (0, (0, 0)):
        reader.expect(module, count_include_pad=False)
    _pooling(reader, module, "AveragePooling2D", 0.0)


def average_pooling_as_keras(reader: Reader, module: AveragePoolAsKeras) -> None:
    """AveragePoolAsKeras."""
    reader.expect_images(module)
    settings = {"pool_size": list(module.kernel_size), "strides": list(module.strides), "padding": "same"}
    reader.add(module, "AveragePooling2D", settings)


def _pooling(reader: Reader, module: nn.MaxPool2d | nn.AvgPool2d, kind: str, border: float) -> None:
    reader.expect_images(module)
    reader.expect(module, ceil_mode=False)
    size, strides = pair(module.kernel_size), pair(module.stride)
    padding = _padding(reader, module, size, strides, border)
    reader.add(module, kind, {"pool_size": list(size), "strides": list(strides), "padding": padding})


def _padding(
    reader: Reader,
    module: Any,
    size: tuple[int, ...],
    strides: tuple[int, ...],
    border: float,
    dilation: tuple[int, ...] = (1, 1),
) -> str:
    """Returns what the padding of a module with a window is in Keras' words."""
    own, pad = module.padding, reader.pending_pad
    reader.pending_pad = None
    is_without = own in (0, (0, 0), "valid")
    if pad is not None:
        if not is_without or (pad.kernel_size, pad.strides, pad.value, pad.dilation) != (
            size,
            strides,
            border,
            dilation,
        ):
            raise reader.refuse(pad, f"does not fit the {module} that follows it, which has no padding of its own")
        return "causal" if pad.is_causal else "same"
    if is_without:
        return "valid"
    needed = [same_padding(*sizes) for sizes in zip(reader.shape, size, strides, dilation, strict=False)]
    if own == "same" or needed == [(cells, cells) for cells in pair(own)]:
        return "same"
    raise reader.refuse(
        module, f"has a padding that Keras does not have here: put PadAsTensorFlow({size}, {strides}) before it"
    )


def pad(reader: Reader, module: PadAsTensorFlow) -> None:
    """PadAsTensorFlow: remembered for the window that follows."""
    reader.expect_images(module)
    reader.pending_pad = module


def channels_first(reader: Reader, module: ChannelsFirst) -> None:
    """ChannelsFirst."""
    if len(reader.shape) == 2 and not reader.found:
        reader.shape = reader.input_shape = (*reader.shape, 1)
    if len(reader.shape) != 3 or reader.channels_first:
        raise reader.refuse(module, f"takes images, channels last, and gets samples of shape {reader.shape}")
    reader.channels_first = True


def channels_last(reader: Reader, module: nn.Module) -> None:
    """ChannelsLast, and what else leaves no images with their channels first."""
    reader.expect_images(module)
    reader.channels_first = False


MODULES: dict[type[nn.Module], Callable[[Reader, Any], None]] = {
    nn.Conv2d: convolution,
    SeparableConv2d: separable_convolution,
    nn.ZeroPad2d: zero_padding,
    nn.Upsample: up_sampling,
    nn.MaxPool2d: max_pooling,
    nn.AvgPool2d: average_pooling,
    AveragePoolAsKeras: average_pooling_as_keras,
    ConvTranspose2dAsKeras: transposed_convolution,
    GlobalAveragePooling: global_pooling,
    GlobalMaxPooling: global_pooling,
    PadAsTensorFlow: pad,
    ChannelsFirst: channels_first,
    ChannelsLast: channels_last,
}
