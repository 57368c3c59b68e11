"""The state of reading a network: the layers found so far, and the shape of a sample where the next module stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn

from workshop.kit.saving.architecture import Architecture, Layer
from workshop.kit.saving.layer_specs import Config, Shape, UnknownLayerError
from workshop.pytorch.kit.image_layers import PadAsTensorFlow, SeparableConv2d
from workshop.pytorch.kit.layers import Exponential
from workshop.pytorch.kit.weight import Rows, Weight

# Between nn.Flatten and nn.Linear only these may stand: they treat each number alike, wherever it stands.
_KEEP_THE_ORDER = {
    *(nn.Linear, nn.Dropout, nn.Identity, nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.LeakyReLU),
    *(nn.ELU, nn.SELU, nn.GELU, nn.Softplus, nn.Softsign, nn.Hardsigmoid, Exponential),
}
_PADDED = {nn.Conv2d, SeparableConv2d, nn.MaxPool2d}  # a PadAsTensorFlow belongs to the one behind it


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
    """The layers of the description so far, and what is known of a sample at the place that is read.

    The functions that read a module add its layer.

    Args:
        input_shape: of one sample.
        modules: from the modules that are known to these functions.

    Attributes:
        input_shape: of one sample, channels last.
        found: the layers.
        shape: of one sample between the modules, channels last.
        channels_first: whether what goes there are images, channels first.
        place: of the module that is read, in the row.
        pending_pad: a PadAsTensorFlow that waits for the window it belongs to.
        flattened: (height, width, channels) of images that nn.Flatten put in a row with the channels first; the next
            nn.Linear has its inputs in that order, Keras in another.
    """

    def __init__(self, input_shape: Sequence[int], modules: Mapping[type[nn.Module], Callable[..., None]]) -> None:
        self.input_shape: Shape = tuple(input_shape)
        self._modules = modules
        self.found: list[Found] = []
        self.shape = self.input_shape
        self.channels_first = False
        self.place = 0
        self.pending_pad: PadAsTensorFlow | None = None
        self.flattened: Shape | None = None

    def go_through(self, network: nn.Module) -> Reader:
        """Reads the modules of a network one after another; returns itself.

        Raises:
            WorkshopError: a module, or a setting of it, cannot be told in Keras' words; the message names it.
        """
        for self.place, module in enumerate(in_a_row(network)):
            if type(module) not in self._modules:
                name, known = type(module).__name__, ", ".join(sorted(kind.__name__ for kind in self._modules))
                raise UnknownLayerError(f"the module {name} is not known here: takes an nn.Sequential of {known}")
            if self.pending_pad is not None and type(module) not in _PADDED:
                break  # and refused below
            if self.flattened is not None and type(module) not in _KEEP_THE_ORDER:
                raise self.refuse(module, "stands between nn.Flatten() and nn.Linear: takes FlattenAsKeras() there")
            self._modules[type(module)](self, module)
        if self.pending_pad is not None:
            raise self.refuse(self.pending_pad, "is not followed by nn.Conv2d, SeparableConv2d or nn.MaxPool2d")
        return self

    def inside(self, network: nn.Module, input_shape: Shape, channels_first: bool = False) -> list[Found]:
        """Returns the layers of a network that is a module of this one, and gets samples of another shape."""
        reader = self.at(input_shape, channels_first).go_through(network)
        if reader.channels_first != channels_first or reader.flattened is not None:
            raise self.refuse(network, "gives its images in another order than Keras")
        return reader.found

    def at(self, shape: Shape, channels_first: bool) -> Reader:
        """Returns a reader that has found nothing yet, for samples of a shape."""
        reader = Reader(shape, self._modules)
        reader.channels_first = channels_first
        return reader

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

    def expect_a_sequence(self, module: nn.Module) -> None:
        """Refuses a module for sequences where there are none."""
        if len(self.shape) != 2:
            raise self.refuse(module, f"takes sequences (steps, features) and gets samples of shape {self.shape}")

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


def in_a_row(module: nn.Module) -> Iterator[nn.Module]:
    """Yields the modules of a network, without the nn.Sequential around them."""
    if type(module) is nn.Sequential:
        for inner in module:
            yield from in_a_row(inner)
    else:
        yield module
