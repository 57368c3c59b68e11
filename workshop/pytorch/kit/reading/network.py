"""From PyTorch's modules to the description of a model, whoever wrote them: a student's `nn.Sequential`, say.

The layouts of the weights differ:

    Dense, nn.Linear    Keras (inputs, outputs)                    PyTorch (outputs, inputs)
    Conv2D, nn.Conv2d   Keras (height, width, inputs, filters)     PyTorch (filters, inputs, height, width)
    DepthwiseConv2D     Keras (height, width, channels, 1)         PyTorch (channels, 1, height, width)
"""

from collections.abc import Sequence

from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.architecture import Architecture
from workshop.pytorch.kit.reading import images, layers, sequences, wrappers
from workshop.pytorch.kit.reading.reader import Reader
from workshop.pytorch.kit.reading.reader import in_a_row as in_a_row

# The modules that are known. A subclass of one may compute anything, so it is not.
_MODULES = {**layers.MODULES, **images.MODULES, **sequences.MODULES, **wrappers.MODULES}
KNOWN_MODULES = frozenset(_MODULES)


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
    reader = Reader(input_shape, _MODULES).go_through(network)
    if reader.flattened is not None:
        raise WorkshopError("nn.Flatten() puts the channels of images first, Keras last: takes FlattenAsKeras() here")
    if reader.channels_first:
        raise WorkshopError("the network ends with images, channels first: add ChannelsLast() at its end")
    if not reader.found:
        raise WorkshopError(f"the network {network} has no layers: takes an nn.Sequential of at least one")
    return reader
