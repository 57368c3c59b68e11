"""The state of reading a network: the layers found so far, and the shape of a sample where the next module stands."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from workshop.kit.saving.architecture import Architecture, Layer
from workshop.kit.saving.layer_specs import Config, Shape, UnknownLayerError
from workshop.pytorch.kit.image_layers import PadAsTensorFlow
from workshop.pytorch.kit.weight import Rows, Weight


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

    def __init__(self, input_shape: Sequence[int]) -> None:
        self.input_shape: Shape = tuple(input_shape)
        self.found: list[Found] = []
        self.shape = self.input_shape
        self.channels_first = False
        self.place = 0
        self.pending_pad: PadAsTensorFlow | None = None
        self.flattened: Shape | None = None

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
