"""From the description of a model to PyTorch's modules."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.architecture import Architecture, Layer, branches, inner
from workshop.kit.saving.layer_specs import Config, Shape
from workshop.pytorch.kit import noise, recurrent
from workshop.pytorch.kit.image_layers import (
    AveragePoolAsKeras,
    ConvTranspose2dAsKeras,
    GlobalAveragePooling,
    GlobalMaxPooling,
    PadAsTensorFlow,
    SeparableConv2d,
    pair,
)
from workshop.pytorch.kit.layers import (
    ACTIVATIONS,
    BatchNormAsKeras,
    LayerNormAsKeras,
    PReLUAsKeras,
    ReLUAsKeras,
    Rescaling,
    initialize_as_keras,
)
from workshop.pytorch.kit.layout import ChannelsFirst, ChannelsLast, FlattenAsKeras, ReshapeAsKeras
from workshop.pytorch.kit.one_row import InOneRow, OverSteps, RepeatVector
from workshop.pytorch.kit.reading.network import read
from workshop.pytorch.kit.recurrent_loop import Loop
from workshop.pytorch.kit.wrappers import AddBranches, BidirectionalAsKeras, HalfPrecision, TimeDistributed

# From a layer's settings, the shape of a sample that goes in and the axis of the channels, to PyTorch's modules.
Build = Callable[[Config, Shape, int], list[nn.Module]]


def _dense(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    linear = nn.Linear(shape[-1], settings["units"], bias=settings["use_bias"])
    return [linear, *_activation(settings, shape, axis)]


def _convolution(
    settings: Config, shape: Shape, axis: int, make: Callable[..., nn.Module] = nn.Conv2d
) -> list[nn.Module]:
    size, strides = pair(settings["kernel_size"]), pair(settings["strides"])
    dilation, options = pair(settings.get("dilation_rate", 1)), {}
    if dilation != (1, 1):
        options["dilation"] = dilation
    # PyTorch's own "same" is TensorFlow's where nothing is skipped and there is no odd cell.
    is_own_same = settings["padding"] == "same" and strides == (1, 1) and size[0] % 2 == size[1] % 2 == 1
    convolution = make(
        shape[2],
        settings.get("filters", shape[2]),
        size,
        strides,
        padding="same" if is_own_same else 0,
        bias=settings["use_bias"],
        **options,
    )
    is_padded = settings["padding"] != "valid" and not is_own_same
    is_causal = settings["padding"] == "causal"
    padding = [PadAsTensorFlow(size, strides, dilation=dilation, is_causal=is_causal)] if is_padded else []
    return [*padding, convolution, *_activation(settings, shape, axis)]


def _depthwise(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    # As many groups as channels: each kernel sees one of them.
    return _convolution(settings, shape, axis, partial(nn.Conv2d, groups=shape[2]))


def _transposed(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    size, strides = pair(settings["kernel_size"]), pair(settings["strides"])
    options = {"keras_padding": settings["padding"], "bias": settings["use_bias"]}
    convolution = ConvTranspose2dAsKeras(shape[2], settings["filters"], size, strides, **options)
    return [convolution, *_activation(settings, shape, axis)]


def _zero_padding(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    (top, bottom), (left, right) = settings["padding"]
    return [nn.ZeroPad2d((left, right, top, bottom))]


def _max_pooling(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    size, strides = pair(settings["pool_size"]), pair(settings["strides"])
    padding = [] if settings["padding"] == "valid" else [PadAsTensorFlow(size, strides, -math.inf)]
    return [*padding, nn.MaxPool2d(size, strides)]


def _average_pooling(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    size, strides = pair(settings["pool_size"]), pair(settings["strides"])
    if settings["padding"] == "valid":
        return [nn.AvgPool2d(size, strides)]
    return [AveragePoolAsKeras(size, strides)]


def _dropout(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    if not 0 <= settings["rate"] <= 1:
        raise WorkshopError(f"a Dropout layer has the rate {settings['rate']:g}, takes 0 to 1")
    return [nn.Dropout(settings["rate"])]


def _batch_normalization(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    options = {name: settings[name] for name in ("momentum", "epsilon", "center", "scale")}
    return [BatchNormAsKeras(shape[-1], **options, axis=axis)]


def _in_one_row(build: Build) -> Build:
    """Returns how a layer for sequences is built from that for images of one row."""

    def build_in_one_row(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
        windows = {name: [1, *size] for name, size in settings.items() if name in _OF_WINDOWS}
        return [InOneRow(*build(settings | windows, (1, *shape), 1))]

    return build_in_one_row


_OF_WINDOWS = ("kernel_size", "strides", "pool_size", "dilation_rate")


def _layer_normalization(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    options = {name: settings[name] for name in ("epsilon", "center", "scale")}
    return [LayerNormAsKeras(shape[-1], **options, axis=axis)]


def _prelu(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    shared = settings["shared_axes"] or ()
    weights = [1 if i in shared else n for i, n in enumerate(shape, 1)]
    return [PReLUAsKeras([weights[-1], *weights[:-1]] if axis == 1 and len(shape) == 3 else weights)]


def _recurrent(kind: str) -> Build:
    """Returns how a recurrent layer is built: of PyTorch's own module, if that knows its cell."""

    def build(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
        functions = settings.get("activation", "tanh"), settings.get("recurrent_activation", "sigmoid")
        known = {("tanh", "sigmoid")} if kind != "SimpleRNN" else {("tanh", "sigmoid"), ("relu", "sigmoid")}
        is_known = functions in known and settings.get("reset_after", True) and not settings.get("recurrent_dropout")
        if not is_known:
            return [Loop(kind, shape[1], settings)]
        options: Config = {name: settings[name] for name in ("go_backwards", "dropout") if name in settings}
        if kind == "SimpleRNN":
            options["nonlinearity"] = settings["activation"]
        make: Callable[..., nn.Module] = _OWN[kind]
        return [make(shape[1], settings["units"], settings["return_sequences"], settings["use_bias"], **options)]

    return build


_OWN: dict[str, type[nn.Module]] = {
    "SimpleRNN": recurrent.RNNAsKeras,
    "LSTM": recurrent.LSTMAsKeras,
    "GRU": recurrent.GRUAsKeras,
}


def _bidirectional(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    layer = inner(settings)
    ways = [layer.settings, {**layer.settings, "go_backwards": True}]
    (forward,), (backward,) = (_recurrent(layer.kind)(way, shape, axis) for way in ways)
    return [BidirectionalAsKeras(forward, backward, settings["merge_mode"], layer.settings["return_sequences"])]


def _time_distributed(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    return [TimeDistributed(from_architecture(Architecture(shape[1:], [inner(settings)])))]


def _add(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    rows = []
    for row in branches(Layer("Add", settings)):
        branch = Architecture(shape, row)
        modules, channels_first = _modules(branch, channels_first=len(shape) == 3)
        rows.append(nn.Sequential(*modules))
        if len(branch.shapes()[-1]) == 3 and not channels_first:
            rows[-1].append(ChannelsFirst())
    return [AddBranches(*rows)]


def _activation(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    name = settings["activation"]
    return [] if name == "linear" else [ACTIVATIONS[name](axis)]


_BUILD: dict[str, Build] = {
    "Dense": _dense,
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": partial(_convolution, make=SeparableConv2d),
    "Conv2DTranspose": _transposed,
    "ZeroPadding2D": _zero_padding,
    "MaxPooling2D": _max_pooling,
    "AveragePooling2D": _average_pooling,
    "GlobalAveragePooling2D": lambda settings, shape, axis: [GlobalAveragePooling()],
    "GlobalMaxPooling2D": lambda settings, shape, axis: [GlobalMaxPooling()],
    "UpSampling2D": lambda settings, shape, axis: [nn.Upsample(scale_factor=pair(settings["size"]))],
    "Conv1D": _in_one_row(_convolution),
    "ZeroPadding1D": _in_one_row(lambda s, shape, axis: [nn.ZeroPad2d((*s["padding"], 0, 0))]),
    "MaxPooling1D": _in_one_row(_max_pooling),
    "AveragePooling1D": _in_one_row(_average_pooling),
    "UpSampling1D": _in_one_row(lambda s, shape, axis: [nn.Upsample(scale_factor=(1, s["size"]))]),
    "GlobalAveragePooling1D": lambda settings, shape, axis: [OverSteps("mean")],
    "GlobalMaxPooling1D": lambda settings, shape, axis: [OverSteps("max")],
    "RepeatVector": lambda settings, shape, axis: [RepeatVector(settings["n"])],
    "Embedding": lambda settings, shape, axis: [
        recurrent.EmbeddingAsKeras(settings["input_dim"], settings["output_dim"])
    ],
    "SimpleRNN": _recurrent("SimpleRNN"),
    "LSTM": _recurrent("LSTM"),
    "GRU": _recurrent("GRU"),
    "Add": _add,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "Rescaling": lambda settings, shape, axis: [Rescaling(settings["scale"], settings["offset"])],
    "Dropout": _dropout,
    "SpatialDropout1D": lambda settings, shape, axis: [noise.StepDropout(settings["rate"])],
    "SpatialDropout2D": lambda settings, shape, axis: [nn.Dropout2d(settings["rate"])],
    "GaussianDropout": lambda settings, shape, axis: [noise.GaussianDropout(settings["rate"])],
    "GaussianNoise": lambda settings, shape, axis: [noise.GaussianNoise(settings["stddev"])],
    "AlphaDropout": lambda settings, shape, axis: [nn.AlphaDropout(settings["rate"])],
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    # A layer of its own that changes nothing is kept, so that there are as many layers as in the description.
    "Activation": lambda settings, shape, axis: _activation(settings, shape, axis) or [nn.Identity()],
    "ReLU": lambda settings, shape, axis: [ReLUAsKeras(**settings)],
    "LeakyReLU": lambda settings, shape, axis: [nn.LeakyReLU(settings["negative_slope"])],
    "ELU": lambda settings, shape, axis: [nn.ELU(settings["alpha"])],
    "PReLU": _prelu,
}


def _in_its_precision(settings: Config, modules: list[nn.Module]) -> list[nn.Module]:
    """Returns the modules of a layer, as one that rounds to 16 bits where the layer does."""
    if "dtype" not in settings:
        return modules
    if isinstance(modules[0], InOneRow):
        return [InOneRow(HalfPrecision(*modules[0]))]
    return [HalfPrecision(*modules)]


def from_architecture(architecture: Architecture, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Returns the modules of a description, with its weights; layers without weights there start as Keras starts them.

    The network takes and gives what Keras takes and gives: images are channels last outside of it.

    Args:
        architecture: as `workshop.kit.saving.h5` reads it.
        dtype: float32, or float64 to compare the engines in.

    Raises:
        WorkshopError: a layer cannot take what the one before it gives, or weights are not of its shape.
    """
    architecture = architecture.separated()
    weight_shapes = architecture.weight_shapes()
    modules, channels_first = _modules(architecture, channels_first=False)
    if channels_first:
        modules.append(ChannelsLast())
    network = nn.Sequential(*modules)
    initialize_as_keras(network).to(dtype)
    with_weights = [layer for layer, shapes in zip(architecture.layers, weight_shapes, strict=True) if shapes]
    for layer, found in zip(with_weights, read(network, architecture.input_shape).with_weights(), strict=True):
        for name, array in layer.weights.items():
            found.weights[name].put(array, f"the {name} of a {layer.kind} layer")
    return network


def _modules(architecture: Architecture, channels_first: bool) -> tuple[list[nn.Module], bool]:
    """Returns the modules of a row of layers, and whether images come out of it with their channels first.

    Args:
        architecture: of the row.
        channels_first: whether images go in with their channels first.
    """
    modules: list[nn.Module] = []
    for layer, (shape, after) in zip(architecture.layers, itertools.pairwise(architecture.shapes()), strict=True):
        if layer.kind == "Flatten":
            modules += _in_its_precision(layer.settings, [FlattenAsKeras() if channels_first else nn.Flatten()])
            channels_first = False
            continue
        if layer.kind == "TimeDistributed":  # what is in it has doors of its own
            modules += [ChannelsLast()] if channels_first else []
            modules += _BUILD[layer.kind](layer.settings, shape, -1)
            channels_first = False
            continue
        if len(shape) == 3 and not channels_first:
            modules.append(ChannelsFirst())
            channels_first = True
        if layer.kind == "Reshape":
            modules += _in_its_precision(layer.settings, [ReshapeAsKeras(after)])
            channels_first = len(after) == 3
            continue
        # Of sequences the last axis is what Keras normalises, and stays where it is.
        built = _BUILD[layer.kind](layer.settings, shape, -1 if len(shape) in (2, 4) else 1)
        modules += _in_its_precision(layer.settings, built)
        channels_first = (channels_first or layer.kind == "Add") and len(after) == 3
    return modules, channels_first
