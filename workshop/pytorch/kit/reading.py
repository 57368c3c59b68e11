"""From PyTorch's modules to the description of a model, whoever wrote them: a student's `nn.Sequential`, say.

The layouts of the weights differ:

    Dense, nn.Linear    Keras (inputs, outputs)                    PyTorch (outputs, inputs)
    Conv2D, nn.Conv2d   Keras (height, width, inputs, filters)     PyTorch (filters, inputs, height, width)
    DepthwiseConv2D     Keras (height, width, channels, 1)         PyTorch (channels, 1, height, width)
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.architecture import Architecture, Layer
from workshop.kit.saving.layer_specs import Config, Shape, UnknownLayerError
from workshop.pytorch.kit import reading_images, reading_layers, reading_sequences
from workshop.pytorch.kit.image_layers import PadAsTensorFlow, SeparableConv2d
from workshop.pytorch.kit.weight import Rows, Weight


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


class Found(NamedTuple):
    """A layer of the description, without its weights, and what it is in the network.

    Attributes:
        layer: what it is in Keras' words.
        weights: its weights by Keras' names, in Keras' order.
        module: the place, among the modules in a row, of the last one that belongs to it.
        channels_first: whether what comes out are images, channels first.
    """

    layer: Layer
    weights: dict[str, Weight | Rows]
    module: int
    channels_first: bool


class Reader:
    """Goes through the modules of a network in a row and finds the layers of its description.

    Attributes:
        modules: in a row, without the nn.Sequential around them.
        input_shape: of one sample, channels last.
        found: the layers.
        shape: of one sample between the modules, channels last.
        channels_first: whether what goes there are images, channels first.
        place: of the module that is read, in the row.
        pending_pad: a PadAsTensorFlow that waits for the window it belongs to.
        flattened: (height, width, channels) of images that nn.Flatten put in a row with the channels first; the next
            nn.Linear has its inputs in that order, Keras in another.
    """

    def __init__(self, network: nn.Module, input_shape: Sequence[int]) -> None:
        self.modules = list(_in_a_row(network))
        self.input_shape: Shape = tuple(input_shape)
        self.found: list[Found] = []
        self.shape = self.input_shape
        self.channels_first = False
        self.pending_pad: PadAsTensorFlow | None = None
        self.flattened: Shape | None = None
        for place, module in enumerate(self.modules):
            self.place = place
            if type(module) not in _READ:
                name, known = type(module).__name__, ", ".join(sorted(kind.__name__ for kind in _READ))
                raise UnknownLayerError(f"the module {name} is not known here: takes an nn.Sequential of {known}")
            if self.pending_pad is not None and type(module) not in (nn.Conv2d, SeparableConv2d, nn.MaxPool2d):
                break  # and refused below
            if self.flattened is not None and type(module) not in _KEEP_THE_ORDER:
                raise self.refuse(module, "stands between nn.Flatten() and nn.Linear: takes FlattenAsKeras() there")
            _READ[type(module)](self, module)
        if self.pending_pad is not None:
            raise self.refuse(self.pending_pad, "is not followed by nn.Conv2d, SeparableConv2d or nn.MaxPool2d")
        if self.flattened is not None:
            raise WorkshopError(
                "nn.Flatten() puts the channels of images first, Keras last: takes FlattenAsKeras() here"
            )
        if self.channels_first:
            raise WorkshopError("the network ends with images, channels first: add ChannelsLast() at its end")
        if not self.found:
            raise WorkshopError(f"the network {network} has no layers: takes an nn.Sequential of at least one")

    def with_weights(self) -> list[Found]:
        """Returns the layers that have weights."""
        return [found for found in self.found if found.weights]

    def weights(self) -> list[tuple[str, Weight | Rows]]:
        """Returns all weights in Keras' order, each with what it is."""
        return [
            (f"the {name} of a {found.layer.kind} layer", tensor)
            for found in self.found
            for name, tensor in found.weights.items()
        ]

    @staticmethod
    def refuse(module: nn.Module, what: str) -> UnknownLayerError:
        """Returns the error that names a module and says what of it is not known."""
        return UnknownLayerError(f"the module {module} {what}")

    def expect(self, module: nn.Module, **accepted: Any) -> None:
        """Refuses a module that has another value in one of its settings."""
        for name, value in accepted.items():
            if getattr(module, name) != value:
                raise self.refuse(module, f"has {name} = {getattr(module, name)!r}, takes {value!r}")

    def expect_images(self, module: nn.Module) -> None:
        """Refuses a module for images where there are none, channels first."""
        if not self.channels_first:
            raise self.refuse(
                module,
                f"takes images, channels first, and gets samples of shape {self.shape}: put ChannelsFirst() before it",
            )

    def add(self, module: nn.Module, kind: str, settings: Config, **weights: Weight | Rows | None) -> None:
        """Adds a layer; None stands for a weight that it does not have."""
        layer = Layer(kind, settings)
        present = {name: weight for name, weight in weights.items() if weight is not None}
        here = Architecture(self.shape, [layer])
        if here.weight_shapes()[0] != {name: tensor.shape for name, tensor in present.items()}:
            raise self.refuse(module, f"does not fit samples of shape {self.shape} (as Keras has them)")
        self.found.append(Found(layer, present, self.place, self.channels_first))
        self.shape = here.shapes()[-1]

    def channel_axis(self) -> int:
        """Returns the axis of a batch that Keras has last."""
        return 1 if self.channels_first else len(self.shape)


def _in_a_row(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) is nn.Sequential:
        for inner in module:
            yield from _in_a_row(inner)
    else:
        yield module


# The modules that are known. A subclass of one may compute anything, so it is not.
_READ = {**reading_layers.MODULES, **reading_images.MODULES, **reading_sequences.MODULES}
KNOWN_MODULES = frozenset(_READ)
# What may stand between nn.Flatten and nn.Linear: each number is treated alike, wherever it stands.
_KEEP_THE_ORDER = {nn.Linear, nn.Dropout, nn.Identity, nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh, nn.SiLU}
