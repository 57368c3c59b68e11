"""The embedding: a table of learned features, one row for each whole number that stands for a character or a word."""

from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.nn.layers import Layer, Shape


class Embedding(Layer):
    """Y = E[X]: (samples, steps) of whole numbers from 0 to below `input_dim` -> (samples, steps, output_dim).

    The output equals that of a Dense layer without bias on one-hot rows, without the multiplications by zero. The whole
    numbers may be floats, as all others in a network: 3.0 is row 3.

    Args:
        input_dim: the number of rows of E.
        output_dim: the number of features of a row.
    """

    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__(input_dim=input_dim, output_dim=output_dim)
        self.input_dim, self.output_dim = input_dim, output_dim

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws E between -0.05 and 0.05, as Keras does."""
        if len(input_shape) != 1:
            raise self.refuse(input_shape, "(steps,), one whole number a step")
        self.parameters["embeddings"] = random.uniform(-0.05, 0.05, (self.input_dim, self.output_dim)).astype(dtype)
        return (*input_shape, self.output_dim)

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = E[X].

        Raises:
            WorkshopError: E has no row for a number.
        """
        self._rows = X.astype(int)
        if X.size and not 0 <= self._rows.min() <= self._rows.max() < self.input_dim:
            raise WorkshopError(
                f"an Embedding layer gets numbers from {self._rows.min()} to {self._rows.max()}, "
                f"takes 0 to {self.input_dim - 1}"
            )
        return self.parameters["embeddings"][self._rows]

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dE sums, for each row, dY at the positions that hold its number; whole numbers have no gradient."""
        dE = np.zeros_like(self.parameters["embeddings"])
        np.add.at(dE, self._rows, dY)
        self.gradients["embeddings"] = dE
        return np.zeros(self._rows.shape, dY.dtype)
