"""The layers for images and for sequences with a window, and those like them: their settings, weights and outputs.

A sequence (steps, features) is an image of one row to them: each layer is there for both, with one function for the
two, and its settings have a number for each axis.
"""

import math
from functools import partial

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.layer_specs import Config, Kind, Settings, Shape, bias, no_weights

MAX_CELLS = 100_000  # of a window
MAX_PADDED = 50_000_000  # numbers in one sample with its border


def output_size(settings: Config, shape: Shape, window: str) -> Shape:
    """Returns the numbers of positions of a window on each axis but the channels': ceil(n / stride), or as many as fit.

    Cells of a window with a `dilation_rate` lie apart, so that it is larger than the number of its cells says.

    Raises:
        WorkshopError: the window does not fit in, or is far larger than any that is of use.
    """
    positions, padded = [], shape[-1]
    dilations = settings.get("dilation_rate", [1, 1])
    for n, cells, stride, dilation in zip(shape[:-1], settings[window], settings["strides"], dilations, strict=False):
        size = (cells - 1) * dilation + 1
        padded *= n + size
        if settings["padding"] == "valid" and n < size:
            whole = f"an image of {shape[0]}x{shape[1]}" if len(shape) == 3 else f"a sequence of {shape[0]} steps"
            raise WorkshopError(f"a window of {settings[window]} does not fit into {whole}")
        positions.append((n - size) // stride + 1 if settings["padding"] == "valid" else -(-n // stride))
    if math.prod(settings[window]) > MAX_CELLS or (settings["padding"] != "valid" and padded > MAX_PADDED):
        raise WorkshopError(f"a window of {settings[window]} is far larger than samples of shape {shape}")
    return tuple(positions)


def _sliding(s: Settings, axes: int = 2) -> Config:
    """The settings that the convolutions share."""
    s.channels_last()
    if s.number("groups", default=1) != 1:
        raise s.refuse("has groups other than 1")
    paddings = ("valid", "same") if axes == 2 else ("valid", "same", "causal")
    settings = {
        "kernel_size": s.sizes("kernel_size", axes=axes),
        "strides": s.sizes("strides", axes=axes, default=1),
        "padding": s.choice("padding", default="valid", among=paddings),
        "activation": s.activation(),
        "use_bias": s.flag("use_bias", default=True),
    }
    dilation = s.sizes("dilation_rate", axes=axes, default=1)
    return settings if dilation == [1] * axes else settings | {"dilation_rate": dilation}


def _convolution(s: Settings, axes: int = 2) -> Config:
    return {"filters": s.count("filters"), **_sliding(s, axes)}


def _convolution_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    kernel = (*settings["kernel_size"], shape[-1], settings["filters"])
    return {"kernel": kernel} | bias(settings, settings["filters"])


def _convolved(settings: Config, shape: Shape) -> Shape:
    return (*output_size(settings, shape, "kernel_size"), settings.get("filters", shape[-1]))


def _depthwise(s: Settings) -> Config:
    if s.number("depth_multiplier", default=1) != 1:
        raise s.refuse("has a depth_multiplier other than 1")
    settings = _sliding(s)
    if "dilation_rate" in settings:
        raise s.refuse("has a dilation_rate other than 1")
    return settings


def _separable(s: Settings) -> Config:
    return {"filters": s.count("filters"), **_depthwise(s)}


def _transposed(s: Settings) -> Config:
    if s.take("output_padding") is not None:
        raise s.refuse("has an output_padding")
    settings = _convolution(s)
    if "dilation_rate" in settings:
        raise s.refuse("has a dilation_rate other than 1")
    return settings


def transposed_size(n: int, window: int, stride: int, padding: str) -> int:
    """Returns how many cells come out on an axis where a convolution of this window would give n positions."""
    return n * stride + (max(window - stride, 0) if padding == "valid" else 0)


def _transposed_output(settings: Config, shape: Shape) -> Shape:
    sides = zip(shape[:2], settings["kernel_size"], settings["strides"], strict=True)
    return (*(transposed_size(*side, settings["padding"]) for side in sides), settings["filters"])


def _separable_weights(settings: Config, shape: Shape) -> dict[str, Shape]:
    channels, filters = shape[2], settings["filters"]
    kernels = {
        "depthwise_kernel": (*settings["kernel_size"], channels, 1),
        "pointwise_kernel": (1, 1, channels, filters),
    }
    return kernels | bias(settings, filters)


def _zero_padding(s: Settings, axes: int = 2) -> Config:
    s.channels_last()
    borders = s.borders("padding", axes)
    return {"padding": borders if axes == 2 else borders[0]}


def _zero_padded(settings: Config, shape: Shape) -> Shape:
    borders = settings["padding"] if len(shape) == 3 else [settings["padding"]]
    return (*(n + sum(border) for n, border in zip(shape[:-1], borders, strict=True)), shape[-1])


def _pooling(s: Settings, axes: int = 2) -> Config:
    s.channels_last()
    size = s.sizes("pool_size", axes=axes, default=2)
    padding = s.choice("padding", default="valid", among=("valid", "same"))
    return {"pool_size": size, "strides": s.sizes("strides", axes=axes, default=size), "padding": padding}


def _pooled(settings: Config, shape: Shape) -> Shape:
    return (*output_size(settings, shape, "pool_size"), shape[-1])


def _up_sampling(s: Settings) -> Config:
    s.channels_last()
    s.choice("interpolation", default="nearest", among=("nearest",))
    return {"size": s.sizes("size", default=2)}


def _up_sampled(settings: Config, shape: Shape) -> Shape:
    (rows, columns), (height, width, channels) = settings["size"], shape
    return rows * height, columns * width, channels


KINDS = {
    "Conv2D": Kind((3,), _convolution, _convolution_weights, _convolved),
    "DepthwiseConv2D": Kind(
        (3,),
        _depthwise,
        lambda s, shape: {"kernel": (*s["kernel_size"], shape[2], 1)} | bias(s, shape[2]),
        _convolved,
    ),
    "SeparableConv2D": Kind((3,), _separable, _separable_weights, _convolved),
    "Conv2DTranspose": Kind(
        (3,),
        _transposed,
        lambda s, shape: {"kernel": (*s["kernel_size"], s["filters"], shape[2])} | bias(s, s["filters"]),
        _transposed_output,
    ),
    "ZeroPadding2D": Kind((3,), _zero_padding, no_weights, _zero_padded),
    "MaxPooling2D": Kind((3,), _pooling, no_weights, _pooled),
    "AveragePooling2D": Kind((3,), _pooling, no_weights, _pooled),
    "UpSampling2D": Kind((3,), _up_sampling, no_weights, _up_sampled),
    "GlobalAveragePooling2D": Kind((3,), Settings.channels_last_only, no_weights, lambda s, shape: shape[2:]),
    "GlobalMaxPooling2D": Kind((3,), Settings.channels_last_only, no_weights, lambda s, shape: shape[2:]),
    "Conv1D": Kind((2,), partial(_convolution, axes=1), _convolution_weights, _convolved),
    "ZeroPadding1D": Kind((2,), partial(_zero_padding, axes=1), no_weights, _zero_padded),
    "MaxPooling1D": Kind((2,), partial(_pooling, axes=1), no_weights, _pooled),
    "AveragePooling1D": Kind((2,), partial(_pooling, axes=1), no_weights, _pooled),
    "UpSampling1D": Kind(
        (2,),
        lambda s: {"size": s.count("size")},
        no_weights,
        lambda s, shape: (s["size"] * shape[0], shape[1]),
    ),
    "GlobalAveragePooling1D": Kind((2,), Settings.channels_last_only, no_weights, lambda s, shape: shape[1:]),
    "GlobalMaxPooling1D": Kind((2,), Settings.channels_last_only, no_weights, lambda s, shape: shape[1:]),
}
