"""From the description of a model to PyTorch's modules."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.architecture import Architecture
from workshop.kit.saving.layer_specs import Config, Shape, UnknownLayerError
from workshop.pytorch.kit import recurrent
from workshop.pytorch.kit.image_layers import (
    AveragePoolAsKeras,
    GlobalAveragePooling,
    PadAsTensorFlow,
    SeparableConv2d,
    pair,
)
from workshop.pytorch.kit.layers import ACTIVATIONS, BatchNormAsKeras, Rescaling, initialize_as_keras
from workshop.pytorch.kit.layout import ChannelsFirst, ChannelsLast, FlattenAsKeras, ReshapeAsKeras
from workshop.pytorch.kit.reading.network import read

# From a layer's settings, the shape of a sample that goes in and the axis of the channels, to PyTorch's modules.
Build = Callable[[Config, Shape, int], list[nn.Module]]


def _dense(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    linear = nn.Linear(shape[-1], settings["units"], bias=settings["use_bias"])
    return [linear, *_activation(settings, shape, axis)]


def _convolution(
    settings: Config, shape: Shape, axis: int, make: Callable[..., nn.Module] = nn.Conv2d
) -> list[nn.Module]:
    size, strides = pair(settings["kernel_size"]), pair(settings["strides"])
    # PyTorch's own "same" is TensorFlow's where nothing is skipped and there is no odd cell.
    is_own_same = settings["padding"] == "same" and strides == (1, 1) and size[0] % 2 == size[1] % 2 == 1
    convolution = make(
        shape[2],
        settings.get("filters", shape[2]),
        size,
        strides,
        padding="same" if is_own_same else 0,
        bias=settings["use_bias"],
    )
    padding = [] if is_own_same or settings["padding"] == "valid" else [PadAsTensorFlow(size, strides)]
    return [*padding, convolution, *_activation(settings, shape, axis)]


def _depthwise(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    # As many groups as channels: each kernel sees one of them.
    return _convolution(settings, shape, axis, partial(nn.Conv2d, groups=shape[2]))


def _separable(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    return _convolution(settings, shape, axis, SeparableConv2d)


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


def _recurrent(settings: Config, shape: Shape, make: Callable[..., nn.Module], **options: str) -> list[nn.Module]:
    return [make(shape[1], settings["units"], settings["return_sequences"], settings["use_bias"], **options)]


def _simple_rnn(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    return _recurrent(settings, shape, recurrent.RNNAsKeras, nonlinearity=settings["activation"])


def _gru(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    if not settings["reset_after"]:
        raise UnknownLayerError("a GRU layer has reset_after = False, which PyTorch does not have: takes True")
    return _recurrent(settings, shape, recurrent.GRUAsKeras)


def _activation(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    name = settings["activation"]
    return [] if name == "linear" else [ACTIVATIONS[name](axis)]


_BUILD: dict[str, Build] = {
    "Dense": _dense,
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "ZeroPadding2D": _zero_padding,
    "MaxPooling2D": _max_pooling,
    "AveragePooling2D": _average_pooling,
    "GlobalAveragePooling2D": lambda settings, shape, axis: [GlobalAveragePooling()],
    "UpSampling2D": lambda settings, shape, axis: [nn.Upsample(scale_factor=pair(settings["size"]))],
    "Embedding": lambda settings, shape, axis: [
        recurrent.EmbeddingAsKeras(settings["input_dim"], settings["output_dim"])
    ],
    "SimpleRNN": _simple_rnn,
    "LSTM": lambda settings, shape, axis: _recurrent(settings, shape, recurrent.LSTMAsKeras),
    "GRU": _gru,
    "Rescaling": lambda settings, shape, axis: [Rescaling(settings["scale"], settings["offset"])],
    "Dropout": _dropout,
    "BatchNormalization": _batch_normalization,
    # A layer of its own that changes nothing is kept, so that there are as many layers as in the description.
    "Activation": lambda settings, shape, axis: _activation(settings, shape, axis) or [nn.Identity()],
}


def from_architecture(architecture: Architecture, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Returns the modules of a description, with its weights; layers without weights there start as Keras starts them.

    The network takes and gives what Keras takes and gives: images are channels last outside of it.

    Args:
        architecture: as `workshop.kit.saving.h5` reads it.
        dtype: float32, or float64 to compare the engines in.

    Raises:
        WorkshopError: a layer cannot take what the one before it gives, or weights are not of its shape.
    """
    weight_shapes = architecture.weight_shapes()
    modules: list[nn.Module] = []
    channels_first = False
    for layer, (shape, after) in zip(architecture.layers, itertools.pairwise(architecture.shapes()), strict=True):
        if layer.kind == "Flatten":
            modules.append(FlattenAsKeras() if channels_first else nn.Flatten())
            channels_first = False
            continue
        if len(shape) == 3 and not channels_first:
            modules.append(ChannelsFirst())
            channels_first = True
        if layer.kind == "Reshape":
            modules.append(ReshapeAsKeras(after))
            channels_first = len(after) == 3
            continue
        # Of samples with two axes the last one is what Keras normalises, and stays where it is.
        modules += _BUILD[layer.kind](layer.settings, shape, -1 if len(shape) == 2 else 1)
        channels_first = channels_first and len(after) == 3
    if channels_first:
        modules.append(ChannelsLast())
    network = nn.Sequential(*modules)
    initialize_as_keras(network).to(dtype)
    with_weights = [layer for layer, shapes in zip(architecture.layers, weight_shapes, strict=True) if shapes]
    for layer, found in zip(with_weights, read(network, architecture.input_shape).with_weights(), strict=True):
        for name, array in layer.weights.items():
            found.weights[name].put(array, f"the {name} of a {layer.kind} layer")
    return network
