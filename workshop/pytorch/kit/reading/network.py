"""From PyTorch's modules to the description of a model, whoever wrote them: a student's `nn.Sequential`, say.

The layouts of the weights differ:

    Dense, nn.Linear    Keras (inputs, outputs)                    PyTorch (outputs, inputs)
    Conv2D, nn.Conv2d   Keras (height, width, inputs, filters)     PyTorch (filters, inputs, height, width)
    DepthwiseConv2D     Keras (height, width, channels, 1)         PyTorch (channels, 1, height, width)
"""

from collections.abc import Iterator, Sequence

from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.architecture import Architecture
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.pytorch.kit.image_layers import SeparableConv2d
from workshop.pytorch.kit.reading import images, layers, sequences
from workshop.pytorch.kit.reading.reader import Reader

# The modules that are known. A subclass of one may compute anything, so it is not.
_MODULES = {**layers.MODULES, **images.MODULES, **sequences.MODULES}
KNOWN_MODULES = frozenset(_MODULES)
# Between nn.Flatten and nn.Linear only these may stand: they treat each number alike, wherever it stands.
_KEEP_THE_ORDER = {nn.Linear, nn.Dropout, nn.Identity, nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh, nn.SiLU}
_PADDED = {nn.Conv2d, SeparableConv2d, nn.MaxPool2d}  # a PadAsTensorFlow belongs to the one behind it


def to_architecture(network: nn.Module, input_shape: Sequence[int]) -> Architecture:
    """Returns the description of an `nn.Sequential`, with its weights.

    Images go through `ChannelsFirst` first, and through `FlattenAsKeras` before the dense layers. An activation right
    behind an nn.Linear or nn.Conv2d becomes part of that layer, as in Keras.

    Args:
        network: of the modules in `KNOWN_MODULES`, also nested.
        input_shape: of one sample as Keras has it: (2,), (28, 28, 1). Images of (height, width) that go through
            `ChannelsFirst` are described with their one channel.

    Raises:
        WorkshopError: a module, or a setting of it, cannot be told in Keras' words; the message names it.
    """
    reader = read(network, input_shape)
    for found in reader.found:
        found.layer.weights = {name: weight.get() for name, weight in found.weights.items()}
    return Architecture(reader.input_shape, [found.layer for found in reader.found])


def read(network: nn.Module, input_shape: Sequence[int]) -> Reader:
    """Goes through the modules of a network in a row; returns the layers that were found, their weights untouched.

    Raises:
        WorkshopError: as `to_architecture` does.
    """
    reader = Reader(input_shape)
    for place, module in enumerate(in_a_row(network)):
        reader.place = place
        if type(module) not in _MODULES:
            name, known = type(module).__name__, ", ".join(sorted(kind.__name__ for kind in _MODULES))
            raise UnknownLayerError(f"the module {name} is not known here: takes an nn.Sequential of {known}")
        if reader.pending_pad is not None and type(module) not in _PADDED:
            break  # and refused below
        if reader.flattened is not None and type(module) not in _KEEP_THE_ORDER:
            raise reader.refuse(module, "stands between nn.Flatten() and nn.Linear: takes FlattenAsKeras() there")
        _MODULES[type(module)](reader, module)
    if reader.pending_pad is not None:
        raise reader.refuse(reader.pending_pad, "is not followed by nn.Conv2d, SeparableConv2d or nn.MaxPool2d")
    if reader.flattened is not None:
        raise WorkshopError("nn.Flatten() puts the channels of images first, Keras last: takes FlattenAsKeras() here")
    if reader.channels_first:
        raise WorkshopError("the network ends with images, channels first: add ChannelsLast() at its end")
    if not reader.found:
        raise WorkshopError(f"the network {network} has no layers: takes an nn.Sequential of at least one")
    return reader


def in_a_row(module: nn.Module) -> Iterator[nn.Module]:
    """Yields the modules of a network, without the nn.Sequential around them."""
    if type(module) is nn.Sequential:
        for inner in module:
            yield from in_a_row(inner)
    else:
        yield module
