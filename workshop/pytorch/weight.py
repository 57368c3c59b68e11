"""A weight where PyTorch has it, in the layout that Keras has."""

from typing import NamedTuple

import numpy as np
import torch

from workshop.kit.errors import WorkshopError
from workshop.kit.layer_settings import Shape


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


def vector(tensor: torch.Tensor | None) -> Weight | None:
    """Returns a weight with one axis, or None for one that the module does not have."""
    return None if tensor is None else Weight(tensor)
