"""The transposed convolution, which makes images larger: a convolution run backward."""

from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.image_layer_specs import transposed_size
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Shape, glorot_uniform


class Conv2DTranspose(Conv2D):
    """Spreads each pixel over a window of the output: Y is what a convolution has as its gradient by the input.

    X is (samples, height, width, channels), W (kernel height, kernel width, filters, channels), b (filters,). With
    strides of 2 the windows of neighbouring pixels begin two pixels apart: the image comes out twice as large (Zeiler
    and others 2010; the generator of Radford, Metz and Chintala 2016, arXiv:1511.06434). It takes the arguments of
    `Conv2D`, but no `dilation_rate`.
    """

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do; b starts at zero."""
        if len(input_shape) != 3:
            raise self.refuse(input_shape, "(height, width, channels)")
        if self.dilation != [1, 1]:
            raise WorkshopError(f"dilation_rate = {self.dilation} is not known in a Conv2DTranspose layer: takes 1")
        channels, area = input_shape[2], self.size[0] * self.size[1]
        self.parameters["kernel"] = glorot_uniform(
            (*self.size, self.filters, channels), area * channels, area * self.filters, random, dtype
        )
        if self.use_bias:
            self.parameters["bias"] = np.zeros(self.filters, dtype)
        sides = zip(input_shape[:2], self.size, self.strides, strict=True)
        self._output = (*(transposed_size(*side, self.padding) for side in sides), self.filters)
        return self._output

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(Z + b); Z sums, for each cell of the window, X times the cell's weights where the cell lies."""
        self._X = X
        kernel = self.parameters["kernel"]
        padded = self.pad(np.zeros((len(X), *self._output), X.dtype))
        flat = X.reshape(-1, X.shape[3])
        cells = self.cells(padded, *X.shape[1:3])
        for cell, weights in zip(cells, kernel.reshape(-1, *kernel.shape[2:]), strict=True):
            cell += (flat @ weights.T).reshape(cell.shape)
        Z = self.unpad(padded)
        return self.activation.forward(Z + self.parameters["bias"] if self.use_bias else Z)

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """The forward pass of a convolution: dX is the convolution of dZ with W, dW sums X times dZ cell by cell."""
        kernel, X = self.parameters["kernel"], self._X
        dZ = self.activation.backward(dY)
        if self.use_bias:
            self.gradients["bias"] = dZ.sum(axis=(0, 1, 2))
        # Laid out as one row for each pixel of X, its window's cells behind one another.
        cells = [cell.reshape(-1, self.filters) for cell in self.cells(self.pad(dZ), *X.shape[1:3])]
        rows = np.concatenate(cells, axis=1)
        flat = X.reshape(-1, X.shape[3])
        self.gradients["kernel"] = (rows.T @ flat).reshape(kernel.shape)
        return (rows @ kernel.reshape(-1, kernel.shape[3])).reshape(X.shape) if needs_input_gradient else dZ
