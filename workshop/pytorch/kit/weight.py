"""A weight where PyTorch has it, in the layout that Keras has."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.layer_specs import Shape


class Weight(NamedTuple):
    """A weight where PyTorch has it, and the order in which Keras has its axes.

    Attributes:
        tensor: PyTorch's.
        axes: where Keras' axes are among PyTorch's.
        gates: where Keras' gates are among PyTorch's, for a recurrent layer that has them in another order: blocks of
            the same size along Keras' last axis. Two of them change places.
        inputs: (height, width, channels) of the images that the inputs of an nn.Linear are, if PyTorch has them in a
            row with the channels first: the rows of Keras' kernel are in another order.
    """

    tensor: torch.Tensor
    axes: tuple[int, ...] = (0,)
    gates: tuple[int, ...] = (0,)
    inputs: Shape | None = None

    @property
    def shape(self) -> Shape:
        """In Keras' layout."""
        return tuple(self.tensor.shape[axis] for axis in self.axes)

    def get(self) -> np.ndarray:
        """Returns a copy in Keras' layout."""
        array = self._in_order(self.tensor.detach().permute(self.axes).cpu().numpy())
        if self.inputs is not None:
            array = array[self._channels_last()]
        return np.array(array, order="C")

    def put(self, array: np.ndarray, what: str) -> None:
        """Takes over an array in Keras' layout."""
        if np.shape(array) != self.shape:
            raise WorkshopError(f"{what} has the shape {np.shape(array)}, takes {self.shape}")
        if self.inputs is not None:
            array = np.asarray(array)[np.argsort(self._channels_last())]
        with torch.no_grad():
            self.tensor.copy_(torch.tensor(np.transpose(self._in_order(array), np.argsort(self.axes))))

    def _channels_last(self) -> np.ndarray:
        """Returns where the inputs are in PyTorch, in Keras' order."""
        assert self.inputs is not None
        height, width, channels = self.inputs
        in_pytorch = np.arange(height * width * channels).reshape(channels, height, width)
        return in_pytorch.transpose(1, 2, 0).ravel()

    def _in_order(self, array: np.ndarray) -> np.ndarray:
        """Returns an array in Keras' layout with its gates in the other library's order."""
        blocks = np.split(array, len(self.gates), axis=-1)
        return np.concatenate([blocks[gate] for gate in self.gates], axis=-1)


class Rows(NamedTuple):
    """Weights that are one in Keras, the rows of it: the two biases of a GRU."""

    rows: Sequence[Weight]

    @property
    def shape(self) -> Shape:
        """In Keras' layout."""
        return (len(self.rows), *self.rows[0].shape)

    def get(self) -> np.ndarray:
        """Returns a copy in Keras' layout."""
        return np.stack([row.get() for row in self.rows])

    def put(self, array: np.ndarray, what: str) -> None:
        """Takes over an array in Keras' layout."""
        if np.shape(array) != self.shape:
            raise WorkshopError(f"{what} has the shape {np.shape(array)}, takes {self.shape}")
        for row, part in zip(self.rows, array, strict=True):
            row.put(part, what)


def vector(tensor: torch.Tensor | None) -> Weight | None:
    """Returns a weight with one axis, or None for one that the module does not have."""
    return None if tensor is None else Weight(tensor)
