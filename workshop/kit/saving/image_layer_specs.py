"""The layers for images that a saved model may have: their settings, weights and output shapes."""

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.layer_specs import Config, Kind, Settings, Shape, bias, no_weights


def output_size(settings: Config, shape: Shape, window: str) -> tuple[int, int]:
    """Returns the numbers of positions of a window in an image: ceil(n / stride), or as many as fit."""
    positions = []
    for n, size, stride in zip(shape, settings[window], settings["strides"], strict=False):
        if settings["padding"] == "valid" and n < size:
            raise WorkshopError(f"a window of {settings[window]} does not fit into an image of {shape[0]}x{shape[1]}")
        positions.append(-(-n // stride) if settings["padding"] == "same" else (n - size) // stride + 1)
    return positions[0], positions[1]


def _sliding(s: Settings) -> Config:
    """The settings that the three convolutions share."""
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
    return kernels | bias(settings, filters)


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


def _pooled(settings: Config, shape: Shape) -> Shape:
    return (*output_size(settings, shape, "pool_size"), shape[2])


def _up_sampling(s: Settings) -> Config:
    s.channels_last()
    s.choice("interpolation", default="nearest", among=("nearest",))
    return {"size": s.pair("size", default=2)}


def _up_sampled(settings: Config, shape: Shape) -> Shape:
    (rows, columns), (height, width, channels) = settings["size"], shape
    return rows * height, columns * width, channels


KINDS = {
    "Conv2D": Kind(
        (3,),
        _convolution,
        lambda s, shape: {"kernel": (*s["kernel_size"], shape[2], s["filters"])} | bias(s, s["filters"]),
        lambda s, shape: (*output_size(s, shape, "kernel_size"), s["filters"]),
    ),
    "DepthwiseConv2D": Kind(
        (3,),
        _depthwise,
        lambda s, shape: {"kernel": (*s["kernel_size"], shape[2], 1)} | bias(s, shape[2]),
        lambda s, shape: (*output_size(s, shape, "kernel_size"), shape[2]),
    ),
    "SeparableConv2D": Kind(
        (3,),
        _separable,
        _separable_weights,
        lambda s, shape: (*output_size(s, shape, "kernel_size"), s["filters"]),
    ),
    "ZeroPadding2D": Kind((3,), _zero_padding, no_weights, _zero_padded),
    "MaxPooling2D": Kind((3,), _pooling, no_weights, _pooled),
    "AveragePooling2D": Kind((3,), _pooling, no_weights, _pooled),
    "UpSampling2D": Kind((3,), _up_sampling, no_weights, _up_sampled),
    "GlobalAveragePooling2D": Kind((3,), Settings.channels_last_only, no_weights, lambda s, shape: shape[2:]),
}
