"""PyTorch's modules from the description of a model and back: what stands between `nn.Sequential` and the `.h5`.

`from_architecture` builds modules, `to_architecture` describes modules that somebody else built, a student's
`nn.Sequential` say, and `TorchModel` gives either to the lessons and the programs. The layouts of the weights differ:

    Dense, nn.Linear    Keras (inputs, outputs)                    PyTorch (outputs, inputs)
    Conv2D, nn.Conv2d   Keras (height, width, inputs, filters)     PyTorch (filters, inputs, height, width)
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from workshop.kit import files, h5
from workshop.kit.architecture import Architecture, Config, Layer, Shape, UnknownLayerError
from workshop.kit.errors import WorkshopError
from workshop.kit.model import Preprocess
from workshop.pytorch import layers as ours

_BATCH = 1000  # samples that `predict` takes at a time


def device(dtype: torch.dtype = torch.float32) -> torch.device:
    """Returns the graphics card where there is one that works in `dtype`, else the processor.

    An NVIDIA card is told to convolve in full single precision: by itself it would round to 10 bits on the way, and
    answer otherwise than the other engines.
    """
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False
        return torch.device("cuda")
    is_apple = torch.backends.mps.is_available() and dtype != torch.float64  # which Apple's cards do not have
    return torch.device("mps" if is_apple else "cpu")


# From a layer's settings, the shape of a sample that goes in and the axis of the channels, to PyTorch's modules.
Build = Callable[[Config, Shape, int], list[nn.Module]]


def _dense(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    linear = nn.Linear(shape[0], settings["units"], bias=settings["use_bias"])
    return [linear, *_activation(settings, shape, axis)]


def _convolution(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    size, strides = ours.pair(settings["kernel_size"]), ours.pair(settings["strides"])
    # PyTorch's own "same" is TensorFlow's where nothing is skipped and there is no odd cell.
    is_own_same = settings["padding"] == "same" and strides == (1, 1) and size[0] % 2 == size[1] % 2 == 1
    convolution = nn.Conv2d(
        shape[2],
        settings["filters"],
        size,
        strides,
        padding="same" if is_own_same else 0,
        bias=settings["use_bias"],
    )
    padding = [] if is_own_same or settings["padding"] == "valid" else [ours.PadAsTensorFlow(size, strides)]
    return [*padding, convolution, *_activation(settings, shape, axis)]


def _max_pooling(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    size, strides = ours.pair(settings["pool_size"]), ours.pair(settings["strides"])
    padding = [] if settings["padding"] == "valid" else [ours.PadAsTensorFlow(size, strides, -math.inf)]
    return [*padding, nn.MaxPool2d(size, strides)]


def _average_pooling(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    size, strides = ours.pair(settings["pool_size"]), ours.pair(settings["strides"])
    if settings["padding"] == "valid":
        return [nn.AvgPool2d(size, strides)]
    return [ours.AveragePoolAsKeras(size, strides)]


def _dropout(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    if not 0 <= settings["rate"] <= 1:
        raise WorkshopError(f"a Dropout layer has the rate {settings['rate']:g}, takes 0 to 1")
    return [nn.Dropout(settings["rate"])]


def _batch_normalization(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    options = {name: settings[name] for name in ("momentum", "epsilon", "center", "scale")}
    return [ours.BatchNormAsKeras(shape[-1], **options, axis=axis)]


def _activation(settings: Config, shape: Shape, axis: int) -> list[nn.Module]:
    name = settings["activation"]
    return [] if name == "linear" else [ours.ACTIVATIONS[name](axis)]


_BUILD: dict[str, Build] = {
    "Dense": _dense,
    "Conv2D": _convolution,
    "MaxPooling2D": _max_pooling,
    "AveragePooling2D": _average_pooling,
    "Dropout": _dropout,
    "BatchNormalization": _batch_normalization,
    # A layer of its own that changes nothing is kept, so that there are as many layers as in the description.
    "Activation": lambda settings, shape, axis: _activation(settings, shape, axis) or [nn.Identity()],
}


def from_architecture(architecture: Architecture, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Returns the modules of a description, with its weights; layers without weights there start as Keras starts them.

    The network takes and gives what Keras takes and gives: images are channels last outside of it.

    Args:
        architecture: as `workshop.kit.h5` reads it.
        dtype: float32, or float64 to compare the engines in.

    Raises:
        WorkshopError: a layer cannot take what the one before it gives, or weights are not of its shape.
    """
    weight_shapes = architecture.weight_shapes()
    modules: list[nn.Module] = []
    channels_first = False
    for layer, shape in zip(architecture.layers, architecture.shapes(), strict=False):
        if layer.kind == "Flatten":
            modules.append(ours.FlattenAsKeras() if channels_first else nn.Flatten())
            channels_first = False
            continue
        if len(shape) == 3 and not channels_first:
            modules.append(ours.ChannelsFirst())
            channels_first = True
        # Of samples with two axes the last one is what Keras normalises, and stays where it is.
        modules += _BUILD[layer.kind](layer.settings, shape, -1 if len(shape) == 2 else 1)
    if channels_first:
        modules.append(ours.ChannelsLast())
    network = nn.Sequential(*modules)
    ours.initialize_as_keras(network).to(dtype)
    with_weights = [layer for layer, shapes in zip(architecture.layers, weight_shapes, strict=True) if shapes]
    for layer, found in zip(with_weights, _Reader(network, architecture.input_shape).with_weights(), strict=True):
        for name, array in layer.weights.items():
            found.weights[name].put(array, f"the {name} of a {layer.kind} layer")
    return network


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
    reader = _Reader(module, input_shape)
    for found in reader.found:
        found.layer.weights = {name: weight.get() for name, weight in found.weights.items()}
    return Architecture(reader.input_shape, [found.layer for found in reader.found])


class _Weight(NamedTuple):
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


class _Found(NamedTuple):
    """A layer of the description, without its weights, and what it is in the network.

    Attributes:
        layer: what it is in Keras' words.
        weights: its weights by Keras' names, in Keras' order.
        module: the place, among the modules in a row, of the last one that belongs to it.
        channels_first: whether what comes out are images, channels first.
    """

    layer: Layer
    weights: dict[str, _Weight]
    module: int
    channels_first: bool


class _Reader:
    """Goes through the modules of a network in a row and finds the layers of its description.

    Attributes:
        modules: in a row, without the nn.Sequential around them.
        input_shape: of one sample, channels last.
        found: the layers.
    """

    def __init__(self, network: nn.Module, input_shape: Sequence[int]) -> None:
        self.modules = list(_in_a_row(network))
        self.input_shape: Shape = tuple(input_shape)
        self.found: list[_Found] = []
        self._shape = self.input_shape  # of one sample between the modules, channels last
        self._channels_first = False
        self._pad: ours.PadAsTensorFlow | None = None
        for place, module in enumerate(self.modules):
            self._place = place
            if type(module) not in _READ:
                name, known = type(module).__name__, ", ".join(sorted(kind.__name__ for kind in _READ))
                raise UnknownLayerError(f"the module {name} is not known here: takes an nn.Sequential of {known}")
            if self._pad is not None and type(module) not in (nn.Conv2d, nn.MaxPool2d):
                raise self._refuse(self._pad, "is not followed by nn.Conv2d or nn.MaxPool2d")
            _READ[type(module)](self, module)
        if self._pad is not None:
            raise self._refuse(self._pad, "is not followed by nn.Conv2d or nn.MaxPool2d")
        if self._channels_first:
            raise WorkshopError("the network ends with images, channels first: add ChannelsLast() at its end")
        if not self.found:
            raise WorkshopError(f"the network {network} has no layers: takes an nn.Sequential of at least one")

    def with_weights(self) -> list[_Found]:
        """Returns the layers that have weights."""
        return [found for found in self.found if found.weights]

    def weights(self) -> list[tuple[str, _Weight]]:
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

    def _add(self, module: nn.Module, kind: str, settings: Config, **weights: _Weight | None) -> None:
        """Adds a layer; None stands for a weight that it does not have."""
        layer = Layer(kind, settings)
        present = {name: weight for name, weight in weights.items() if weight is not None}
        here = Architecture(self._shape, [layer])
        if here.weight_shapes()[0] != {name: tensor.shape for name, tensor in present.items()}:
            raise self._refuse(module, f"does not fit samples of shape {self._shape} (as Keras has them)")
        self.found.append(_Found(layer, present, self._place, self._channels_first))
        self._shape = here.shapes()[-1]

    def _channel_axis(self) -> int:
        """Returns the axis of a batch that Keras has last."""
        return 1 if self._channels_first else len(self._shape)

    def linear(self, module: nn.Linear) -> None:
        """nn.Linear."""
        settings = {"units": module.out_features, "activation": "linear", "use_bias": module.bias is not None}
        self._add(module, "Dense", settings, kernel=_Weight(module.weight, (1, 0)), bias=_vector(module.bias))

    def convolution(self, module: nn.Conv2d) -> None:
        """nn.Conv2d."""
        self._expect_images(module)
        self._expect(module, dilation=(1, 1), groups=1, padding_mode="zeros")
        settings = {
            "filters": module.out_channels,
            "kernel_size": list(module.kernel_size),
            "strides": list(module.stride),
            "padding": self._padding(module, module.kernel_size, module.stride, 0.0),
            "activation": "linear",
            "use_bias": module.bias is not None,
        }
        kernel = _Weight(module.weight, (2, 3, 1, 0))
        self._add(module, "Conv2D", settings, kernel=kernel, bias=_vector(module.bias))

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
        if before and before.layer.kind in ("Dense", "Conv2D") and before.layer.settings["activation"] == "linear":
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


def _vector(tensor: torch.Tensor | None) -> _Weight | None:
    return None if tensor is None else _Weight(tensor)


# The modules that are known. A subclass of one may compute anything, so it is not.
_READ: dict[type[nn.Module], Callable[[_Reader, Any], None]] = {
    nn.Linear: _Reader.linear,
    nn.Conv2d: _Reader.convolution,
    nn.MaxPool2d: _Reader.max_pooling,
    nn.AvgPool2d: _Reader.average_pooling,
    ours.AveragePoolAsKeras: _Reader.average_pooling_as_keras,
    ours.PadAsTensorFlow: _Reader.pad,
    nn.Dropout: _Reader.dropout,
    nn.BatchNorm1d: _Reader.batch_norm,
    nn.BatchNorm2d: _Reader.batch_norm,
    ours.BatchNormAsKeras: _Reader.batch_norm_as_keras,
    nn.Identity: lambda reader, module: reader.activation(module, "linear"),
    nn.Sigmoid: lambda reader, module: reader.activation(module, "sigmoid"),
    nn.Tanh: lambda reader, module: reader.activation(module, "tanh"),
    nn.ReLU: lambda reader, module: reader.activation(module, "relu"),
    nn.ReLU6: lambda reader, module: reader.activation(module, "relu6"),
    nn.LeakyReLU: _Reader.leaky_relu,
    ours.LeakyReLUAsKeras: _Reader.leaky_relu,
    nn.Softmax: _Reader.softmax,
    nn.Flatten: _Reader.flatten,
    ours.FlattenAsKeras: _Reader.flatten_as_keras,
    ours.ChannelsFirst: _Reader.channels_first,
    ours.ChannelsLast: _Reader.channels_last,
}


@contextlib.contextmanager
def _answering(module: nn.Module) -> Iterator[None]:
    """Has the network answer as it does when it is not trained, and puts it back."""
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        module.train(was_training)


class TorchModel:
    """A PyTorch network as the lessons and the programs use a model of any engine; see `workshop.kit.model.Model`.

    Args:
        module: an `nn.Sequential` that `to_architecture` can describe. It is not copied: what trains it, trains this.
        input_shape: of one sample as Keras has it: (2,), (28, 28, 1).

    Raises:
        WorkshopError: the module cannot be described; the message names what is not known.
    """

    engine = "torch"

    def __init__(self, module: nn.Module, input_shape: Sequence[int]) -> None:
        self.module = module
        described = to_architecture(module, input_shape)
        self.input_shape, self.output_shape = described.input_shape, described.shapes()[-1]

    @classmethod
    def from_h5(cls, path: Path, dtype: torch.dtype = torch.float32) -> "TorchModel":
        """Reads a `.h5` that any engine or Keras saved, onto the graphics card where there is one.

        Raises:
            WorkshopError: the file cannot be read, is damaged or unsafe, or has a layer that is not known here.
        """
        return cls._from(h5.read(path), dtype)

    @classmethod
    def from_bytes(cls, content: bytes, path: Path, dtype: torch.dtype = torch.float32) -> "TorchModel":
        """Does what `from_h5` does with the content of a file; `path` is for the messages."""
        return cls._from(h5.from_bytes(content, path), dtype)

    @classmethod
    def _from(cls, architecture: Architecture, dtype: torch.dtype) -> "TorchModel":
        return cls(from_architecture(architecture, dtype).to(device(dtype)), architecture.input_shape)

    def predict(self, X: np.ndarray, *, preprocess: Preprocess | None = None) -> np.ndarray:
        """Returns the outputs for X (samples, *input_shape), in the type of the network's weights: float32.

        Args:
            X: samples first, images channels last.
            preprocess: applied to each batch of X.
        """
        if not len(X):
            return np.zeros((0, *self.output_shape), np.float32)
        parts = []
        with _answering(self.module):
            for start in range(0, len(X), _BATCH):
                batch = X[start : start + _BATCH] if preprocess is None else preprocess(X[start : start + _BATCH])
                parts.append(self.module(self._as_tensor(batch)).cpu().numpy())
        return np.concatenate(parts)

    def _as_tensor(self, batch: Any) -> torch.Tensor:
        """Returns a batch where the weights are, in their type."""
        if not isinstance(batch, torch.Tensor):
            batch = torch.tensor(np.ascontiguousarray(batch))
        shape = tuple(batch.shape[1:])
        if self.input_shape not in (shape, (*shape, 1)):  # Keras, too, takes images without their one channel
            raise WorkshopError(f"got samples of shape {shape}, the model takes {self.input_shape}")
        weight = next(self.module.parameters(), torch.zeros(0))
        return batch.to(weight.device, weight.dtype).reshape(len(batch), *self.input_shape)

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights and moving statistics layer by layer, in Keras' layout, copied."""
        return [weight.get() for _, weight in _Reader(self.module, self.input_shape).weights()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Puts weights in, in the order and the layout of `get_weights`.

        Raises:
            WorkshopError: they are not as many, or not of the shapes.
        """
        places = _Reader(self.module, self.input_shape).weights()
        if len(weights) != len(places):
            raise WorkshopError(f"got {len(weights)} weights, the network takes {len(places)}")
        for (what, weight), array in zip(places, weights, strict=True):
            weight.put(array, what)

    def count_params(self) -> int:
        """Returns how many numbers the weights and the moving statistics are."""
        return sum(weight.tensor.numel() for _, weight in _Reader(self.module, self.input_shape).weights())

    def stages(self, X: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Returns what each layer but Flatten makes of X, images channels last: Keras' name for it and its output."""
        reader = _Reader(self.module, self.input_shape)
        by_module = {found.module: found for found in reader.found if found.layer.kind != "Flatten"}
        stages = []
        with _answering(self.module):
            output = self._as_tensor(X)
            for place, module in enumerate(reader.modules):
                output = module(output)
                if place in by_module:
                    found = by_module[place]
                    shown = output.movedim(1, -1) if found.channels_first else output
                    # Copied: the next module may work in place.
                    stages.append((found.layer.kind, np.array(shown.cpu().numpy(), order="C")))
        return stages

    def to_h5(self) -> bytes:
        """Returns the content of the `.h5` that all engines load; the same weights give the same bytes."""
        return h5.to_bytes(to_architecture(self.module, self.input_shape))

    def save_h5(self, path: Path) -> None:
        """Writes the `.h5`; a crash leaves the old file or the new one, whole."""
        files.write_atomically(path, self.to_h5())
