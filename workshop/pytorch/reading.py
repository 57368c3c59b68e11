"""From PyTorch's modules to the description of a model, whoever wrote them: a student's `nn.Sequential`, say.

The layouts of the weights differ:

    Dense, nn.Linear    Keras (inputs, outputs)                    PyTorch (outputs, inputs)
    Conv2D, nn.Conv2d   Keras (height, width, inputs, filters)     PyTorch (filters, inputs, height, width)
    DepthwiseConv2D     Keras (height, width, channels, 1)         PyTorch (channels, 1, height, width)
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from workshop.kit.architecture import Architecture, Config, Layer, Shape, UnknownLayerError
from workshop.kit.errors import WorkshopError
from workshop.pytorch import layers as ours


def to_architecture(module: nn.Module, input_shape: Sequence[int]) -> Architecture:
    """Returns the description of an `nn.Sequential`, with its weights.

    Images go through `ChannelsFirst` first, and through `FlattenAsKeras` before the dense layers. An activation right
    behind an nn.Linear or nn.Conv2d becomes part of that layer, as in Keras.

    Args:
        module: of the modules in `_READ`, also nested.
        input_shape: of one sample as Keras has it: (2,), (28, 28, 1). Images of (height, width) that go through
            `ChannelsFirst` are described with their one channel.

    Raises:
        WorkshopError: a module, or a setting of it, cannot be told in Keras' words; the message names it.
    """
    reader = Reader(module, input_shape)
    for found in reader.found:
        found.layer.weights = {name: weight.get() for name, weight in found.weights.items()}
    return Architecture(reader.input_shape, [found.layer for found in reader.found])


class Weight(NamedTuple):
    """A weight where PyTorch has it, and the order in which Keras has its axes."""

    tensor: torch.Tensor
    axes: tuple[int, ...] = (0,)

    @property
    def shape(self) -> Shape:
        """In Keras' layout."""
        return tuple(self.tensor.shape[axis] for axis in self.axes)

    def get(self) -> np.ndarray:
        """Returns a copy in Keras' layout."""
        return np.array(self.tensor.detach().permute(self.axes).cpu().numpy(), order="C")

    def put(self, array: np.ndarray, what: str) -> None:
        """Takes over an array in Keras' layout."""
        if np.shape(array) != self.shape:
            raise WorkshopError(f"{what} has the shape {np.shape(array)}, takes {self.shape}")
        with torch.no_grad():
            self.tensor.copy_(torch.tensor(np.transpose(array, np.argsort(self.axes))))


class Found(NamedTuple):
    """A layer of the description, without its weights, and what it is in the network.

    Attributes:
        layer: what it is in Keras' words.
        weights: its weights by Keras' names, in Keras' order.
        module: the place, among the modules in a row, of the last one that belongs to it.
        channels_first: whether what comes out are images, channels first.
    """

    layer: Layer
    weights: dict[str, Weight]
    module: int
    channels_first: bool


class Reader:
    """Goes through the modules of a network in a row and finds the layers of its description.

    Attributes:
        modules: in a row, without the nn.Sequential around them.
        input_shape: of one sample, channels last.
        found: the layers.
    """

    def __init__(self, network: nn.Module, input_shape: Sequence[int]) -> None:
        self.modules = list(_in_a_row(network))
        self.input_shape: Shape = tuple(input_shape)
        self.found: list[Found] = []
        self._shape = self.input_shape  # of one sample between the modules, channels last
        self._channels_first = False
        self._pad: ours.PadAsTensorFlow | None = None
        for place, module in enumerate(self.modules):
            self._place = place
            if type(module) not in _READ:
                name, known = type(module).__name__, ", ".join(sorted(kind.__name__ for kind in _READ))
                raise UnknownLayerError(f"the module {name} is not known here: takes an nn.Sequential of {known}")
            if self._pad is not None and type(module) not in (nn.Conv2d, ours.SeparableConv2d, nn.MaxPool2d):
                break  # and refused below
            _READ[type(module)](self, module)
        if self._pad is not None:
            raise self._refuse(self._pad, "is not followed by nn.Conv2d, SeparableConv2d or nn.MaxPool2d")
        if self._channels_first:
            raise WorkshopError("the network ends with images, channels first: add ChannelsLast() at its end")
        if not self.found:
            raise WorkshopError(f"the network {network} has no layers: takes an nn.Sequential of at least one")

    def with_weights(self) -> list[Found]:
        """Returns the layers that have weights."""
        return [found for found in self.found if found.weights]

    def weights(self) -> list[tuple[str, Weight]]:
        """Returns all weights in Keras' order, each with what it is."""
        return [
            (f"the {name} of a {found.layer.kind} layer", tensor)
            for found in self.found
            for name, tensor in found.weights.items()
        ]

    @staticmethod
    def _refuse(module: nn.Module, what: str) -> UnknownLayerError:
        return UnknownLayerError(f"the module {module} {what}")

    def _expect(self, module: nn.Module, **accepted: Any) -> None:
        """Refuses a module that has another value in one of its settings."""
        for name, value in accepted.items():
            if getattr(module, name) != value:
                raise self._refuse(module, f"has {name} = {getattr(module, name)!r}, takes {value!r}")

    def _expect_images(self, module: nn.Module) -> None:
        if not self._channels_first:
            raise self._refuse(
                module,
                f"takes images, channels first, and gets samples of shape {self._shape}: put ChannelsFirst() before it",
            )

    def _add(self, module: nn.Module, kind: str, settings: Config, **weights: Weight | None) -> None:
        """Adds a layer; None stands for a weight that it does not have."""
        layer = Layer(kind, settings)
        present = {name: weight for name, weight in weights.items() if weight is not None}
        here = Architecture(self._shape, [layer])
        if here.weight_shapes()[0] != {name: tensor.shape for name, tensor in present.items()}:
            raise self._refuse(module, f"does not fit samples of shape {self._shape} (as Keras has them)")
        self.found.append(Found(layer, present, self._place, self._channels_first))
        self._shape = here.shapes()[-1]

    def _channel_axis(self) -> int:
        """Returns the axis of a batch that Keras has last."""
        return 1 if self._channels_first else len(self._shape)

    def linear(self, module: nn.Linear) -> None:
        """nn.Linear."""
        settings = {"units": module.out_features, "activation": "linear", "use_bias": module.bias is not None}
        self._add(module, "Dense", settings, kernel=Weight(module.weight, (1, 0)), bias=_vector(module.bias))

    def convolution(self, module: nn.Conv2d) -> None:
        """nn.Conv2d; with a group for each channel it is Keras' DepthwiseConv2D. One channel makes no difference."""
        settings, bias = self._sliding(module, module), _vector(module.bias)
        if module.groups == module.in_channels == module.out_channels > 1:
            self._add(module, "DepthwiseConv2D", settings, kernel=Weight(module.weight, _DEPTHWISE), bias=bias)
        else:
            self._expect(module, groups=1)
            settings = {"filters": module.out_channels, **settings}
            self._add(module, "Conv2D", settings, kernel=Weight(module.weight, _CONVOLUTION), bias=bias)

    def separable_convolution(self, module: ours.SeparableConv2d) -> None:
        """SeparableConv2d."""
        first, second = module.depthwise, module.pointwise
        settings = {"filters": second.out_channels, **self._sliding(first, second)}
        self._add(
            module, "SeparableConv2D", settings, depthwise_kernel=Weight(first.weight, _DEPTHWISE),
            pointwise_kernel=Weight(second.weight, _CONVOLUTION), bias=_vector(second.bias),
        )  # fmt: skip

    def _sliding(self, module: nn.Conv2d, with_bias: nn.Conv2d) -> Config:
        """Returns the settings that the three convolutions share."""
        self._expect_images(module)
        self._expect(module, dilation=(1, 1), padding_mode="zeros")
        return {
            "kernel_size": list(module.kernel_size),
            "strides": list(module.stride),
            "padding": self._padding(module, module.kernel_size, module.stride, 0.0),
            "activation": "linear",
            "use_bias": with_bias.bias is not None,
        }

    def zero_padding(self, module: nn.ZeroPad2d) -> None:
        """nn.ZeroPad2d."""
        self._expect_images(module)
        if min(module.padding) < 0:
            raise self._refuse(module, "takes rows or columns away, which Keras' ZeroPadding2D does not")
        left, right, top, bottom = module.padding
        self._add(module, "ZeroPadding2D", {"padding": [[top, bottom], [left, right]]})

    def global_average_pooling(self, module: ours.GlobalAveragePooling) -> None:
        """GlobalAveragePooling."""
        self._expect_images(module)
        self._channels_first = False
        self._add(module, "GlobalAveragePooling2D", {})

    def max_pooling(self, module: nn.MaxPool2d) -> None:
        """nn.MaxPool2d."""
        self._expect(module, return_indices=False)
        if ours.pair(module.dilation) != (1, 1):
            raise self._refuse(module, f"has dilation = {module.dilation}, takes 1")
        self._pooling(module, "MaxPooling2D", -math.inf)

    def average_pooling(self, module: nn.AvgPool2d) -> None:
        """nn.AvgPool2d."""
        self._expect(module, divisor_override=None)
        if module.padding not in (0, (0, 0)):
            self._expect(module, count_include_pad=False)
        self._pooling(module, "AveragePooling2D", 0.0)

    def average_pooling_as_keras(self, module: ours.AveragePoolAsKeras) -> None:
        """AveragePoolAsKeras."""
        self._expect_images(module)
        settings = {"pool_size": list(module.kernel_size), "strides": list(module.strides), "padding": "same"}
        self._add(module, "AveragePooling2D", settings)

    def _pooling(self, module: nn.MaxPool2d | nn.AvgPool2d, kind: str, border: float) -> None:
        self._expect_images(module)
        self._expect(module, ceil_mode=False)
        size, strides = ours.pair(module.kernel_size), ours.pair(module.stride)
        padding = self._padding(module, size, strides, border)
        self._add(module, kind, {"pool_size": list(size), "strides": list(strides), "padding": padding})

    def _padding(self, module: Any, size: tuple[int, int], strides: tuple[int, int], border: float) -> str:
        """Returns what the padding of a module with a window is in Keras' words."""
        own, pad = module.padding, self._pad
        self._pad = None
        is_without = own in (0, (0, 0), "valid")
        if pad is not None:
            if not is_without or (pad.kernel_size, pad.strides, pad.value) != (size, strides, border):
                raise self._refuse(pad, f"does not fit the {module} that follows it, which has no padding of its own")
            return "same"
        if is_without:
            return "valid"
        needed = [ours.same_padding(*sizes) for sizes in zip(self._shape, size, strides, strict=False)]
        if own == "same" or needed == [(cells, cells) for cells in ours.pair(own)]:
            return "same"
        raise self._refuse(
            module, f"has a padding that Keras does not have here: put PadAsTensorFlow({size}, {strides}) before it"
        )

    def pad(self, module: ours.PadAsTensorFlow) -> None:
        """PadAsTensorFlow: remembered for the window that follows."""
        self._expect_images(module)
        self._pad = module

    def rescaling(self, module: ours.Rescaling) -> None:
        """Rescaling."""
        self._add(module, "Rescaling", {"scale": float(module.scale), "offset": float(module.offset)})

    def dropout(self, module: nn.Dropout) -> None:
        """nn.Dropout."""
        self._add(module, "Dropout", {"rate": float(module.p)})

    def batch_norm(self, module: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        """nn.BatchNorm1d and nn.BatchNorm2d."""
        self._expect(module, track_running_stats=True)
        if module.momentum is None:
            raise self._refuse(module, "has momentum = None, takes a number")
        if isinstance(module, nn.BatchNorm2d):
            self._expect_images(module)
        elif len(self._shape) != 1:
            raise self._refuse(module, f"gets samples of shape {self._shape}: takes nn.BatchNorm2d for images")
        self._normalisation(module, round(1 - module.momentum, 9), module.eps)

    def batch_norm_as_keras(self, module: ours.BatchNormAsKeras) -> None:
        """BatchNormAsKeras."""
        axes = len(self._shape) + 1
        if module.axis % axes != self._channel_axis():
            raise self._refuse(module, f"normalises another axis than Keras, axis {self._channel_axis()}")
        self._normalisation(module, module.momentum, module.epsilon)

    def _normalisation(self, module: Any, momentum: float, epsilon: float) -> None:
        settings = {
            "axis": -1,
            "momentum": momentum,
            "epsilon": epsilon,
            "center": module.bias is not None,
            "scale": module.weight is not None,
        }
        self._add(
            module, "BatchNormalization", settings,
            gamma=_vector(module.weight), beta=_vector(module.bias),
            moving_mean=_vector(module.running_mean), moving_variance=_vector(module.running_var),
        )  # fmt: skip

    def softmax(self, module: nn.Softmax) -> None:
        """nn.Softmax over the classes."""
        axes = len(self._shape) + 1
        if module.dim is None or module.dim % axes != self._channel_axis():
            raise self._refuse(module, f"is not over the classes: takes dim={self._channel_axis()} here")
        self.activation(module, "softmax")

    def leaky_relu(self, module: nn.LeakyReLU) -> None:
        """nn.LeakyReLU with Keras' slope."""
        self._expect(module, negative_slope=0.2)
        self.activation(module, "leaky_relu")

    def activation(self, module: nn.Module, name: str) -> None:
        """An activation: a part of the layer before it, if that one has weights and no activation yet."""
        before = self.found[-1] if self.found else None
        if before and before.weights and before.layer.settings.get("activation") == "linear":
            before.layer.settings["activation"] = name
            self.found[-1] = before._replace(module=self._place, channels_first=self._channels_first)
        else:
            self._add(module, "Activation", {"activation": name})

    def channels_first(self, module: ours.ChannelsFirst) -> None:
        """ChannelsFirst."""
        if len(self._shape) == 2 and not self.found:
            self._shape = self.input_shape = (*self._shape, 1)
        if len(self._shape) != 3 or self._channels_first:
            raise self._refuse(module, f"takes images, channels last, and gets samples of shape {self._shape}")
        self._channels_first = True

    def channels_last(self, module: ours.ChannelsLast) -> None:
        """ChannelsLast."""
        self._expect_images(module)
        self._channels_first = False

    def flatten(self, module: nn.Flatten) -> None:
        """nn.Flatten of what is not channels first, or where the order of the channels makes no difference."""
        self._expect(module, start_dim=1, end_dim=-1)
        *places, channels = self._shape
        if self._channels_first and channels > 1 and math.prod(places) > 1:
            raise self._refuse(module, "puts the channels first, Keras last: takes FlattenAsKeras() here")
        self._channels_first = False
        self._add(module, "Flatten", {})

    def flatten_as_keras(self, module: ours.FlattenAsKeras) -> None:
        """FlattenAsKeras."""
        if len(self._shape) == 3:
            self._expect_images(module)
        self._channels_first = False
        self._add(module, "Flatten", {})


def _in_a_row(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) is nn.Sequential:
        for inner in module:
            yield from _in_a_row(inner)
    else:
        yield module


def _vector(tensor: torch.Tensor | None) -> Weight | None:
    return None if tensor is None else Weight(tensor)


# Where Keras' axes of a kernel are in PyTorch's.
_CONVOLUTION, _DEPTHWISE = (2, 3, 1, 0), (2, 3, 0, 1)

# The modules that are known. A subclass of one may compute anything, so it is not.
_READ: dict[type[nn.Module], Callable[[Reader, Any], None]] = {
    nn.Linear: Reader.linear,
    nn.Conv2d: Reader.convolution,
    ours.SeparableConv2d: Reader.separable_convolution,
    nn.ZeroPad2d: Reader.zero_padding,
    nn.MaxPool2d: Reader.max_pooling,
    nn.AvgPool2d: Reader.average_pooling,
    ours.AveragePoolAsKeras: Reader.average_pooling_as_keras,
    ours.GlobalAveragePooling: Reader.global_average_pooling,
    ours.PadAsTensorFlow: Reader.pad,
    ours.Rescaling: Reader.rescaling,
    nn.Dropout: Reader.dropout,
    nn.BatchNorm1d: Reader.batch_norm,
    nn.BatchNorm2d: Reader.batch_norm,
    ours.BatchNormAsKeras: Reader.batch_norm_as_keras,
    nn.Identity: lambda reader, module: reader.activation(module, "linear"),
    nn.Sigmoid: lambda reader, module: reader.activation(module, "sigmoid"),
    nn.Tanh: lambda reader, module: reader.activation(module, "tanh"),
    nn.ReLU: lambda reader, module: reader.activation(module, "relu"),
    nn.ReLU6: lambda reader, module: reader.activation(module, "relu6"),
    nn.LeakyReLU: Reader.leaky_relu,
    ours.LeakyReLUAsKeras: Reader.leaky_relu,
    nn.SiLU: lambda reader, module: reader.activation(module, "silu"),
    nn.Softmax: Reader.softmax,
    nn.Flatten: Reader.flatten,
    ours.FlattenAsKeras: Reader.flatten_as_keras,
    ours.ChannelsFirst: Reader.channels_first,
    ours.ChannelsLast: Reader.channels_last,
}
