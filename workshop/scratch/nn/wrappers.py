"""Layers with layers in them: a sum of branches, a sequence read from both ends, and each step by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.layer_specs import layer_entry
from workshop.scratch.nn.layers import Layer, Shape
from workshop.scratch.nn.recurrent import Recurrent


class Add(Layer):
    """The sum of branches that all get the same input: Keras' Add, with what it adds.

    In a residual block (He and others 2016) one branch is empty and returns its input: Y = X + f(X). Its gradient
    reaches the layers before unchanged by that way, however deep the network is. The weights are those of the layers in
    the branches, by the numbers of both: "0/2/kernel".

    Args:
        branches: of layers in a row; their outputs have one shape.
    """

    def __init__(self, branches: Sequence[Sequence[Layer]]) -> None:
        super().__init__(branches=[[layer_entry(layer.kind, layer.settings) for layer in row] for row in branches])
        self.branches = branches

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Builds the layers; their arrays are this layer's, not copies."""
        shapes = []
        for row in self.branches:
            shape = input_shape
            for layer in row:
                shape = layer.build(shape, random, dtype)
            shapes.append(shape)
        if len(set(shapes)) != 1:
            raise WorkshopError(f"the branches of an Add layer give samples of shapes {', '.join(map(str, shapes))}")
        self.parameters = self._named([[layer.parameters for layer in row] for row in self.branches])
        return shapes[0]

    @staticmethod
    def _named(arrays: Sequence[Sequence[dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
        """Returns the arrays of the layers by this one's names."""
        return {
            f"{i}/{j}/{name}": array
            for i, row in enumerate(arrays)
            for j, own in enumerate(row)
            for name, array in own.items()
        }

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Parameters and state, in Keras' order."""
        return self._named([[layer.weights for layer in row] for row in self.branches])

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Y = f(X) + g(X) + ..."""
        Y: np.ndarray | None = None
        for row in self.branches:
            output = X
            for layer in row:
                output = layer.forward(output, training)
            Y = output if Y is None else Y + output
        return X if Y is None else Y

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """dX is the sum of what the branches return, each of which gets dY."""
        dX: np.ndarray | None = None
        for row in self.branches:
            gradient = dY
            for layer in reversed(row):
                gradient = layer.backward(gradient)
            dX = gradient if dX is None else dX + gradient
        self.gradients = self._named([[layer.gradients for layer in row] for row in self.branches])
        return dY if dX is None else dX


class Bidirectional(Layer):
    """Reads a sequence forward and, with other weights, backward, and merges the two (Schuster and Paliwal 1997).

    With `return_sequences`, the output at a step then knows the steps before it and those after it. Its weights are
    those of both layers, forward_kernel, backward_kernel and so on.

    Args:
        layer: an LSTM, a GRU or a SimpleRNN.
        merge_mode: "concat", side by side; "sum", "mul", product; or "ave", mean.
    """

    def __init__(self, layer: Recurrent, merge_mode: str = "concat") -> None:
        super().__init__(layer=layer_entry(type(layer).__name__, layer.settings), merge_mode=merge_mode)
        if merge_mode not in ("concat", "sum", "mul", "ave"):
            raise WorkshopError(f"merge_mode = {merge_mode!r} is not known; known are concat, sum, mul and ave")
        settings = {**layer.settings, "go_backwards": True}
        self.ways = {"forward": layer, "backward": type(layer)(**settings)}
        self.merge_mode, self.units, self.return_sequences = merge_mode, layer.units, layer.return_sequences

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Builds both; their arrays are this layer's parameters, not copies."""
        shapes = [way.build(input_shape, random, dtype) for way in self.ways.values()]
        self.parameters = self._named({name: way.parameters for name, way in self.ways.items()})
        *steps, units = shapes[0]
        return (*steps, 2 * units if self.merge_mode == "concat" else units)

    @staticmethod
    def _named(arrays: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Returns the arrays of both layers by this one's names."""
        return {f"{way}_{name}": array for way, own in arrays.items() for name, array in own.items()}

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """Merges both outputs, the steps of the backward one put back in order."""
        forward, backward = (way.forward(X, training) for way in self.ways.values())
        if self.return_sequences:
            backward = backward[:, ::-1]
        self._outputs = forward, backward
        if self.merge_mode == "concat":
            return np.concatenate([forward, backward], axis=-1)
        if self.merge_mode == "mul":
            return forward * backward
        return forward + backward if self.merge_mode == "sum" else (forward + backward) / 2

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Parts dY between the two, and adds up what they return."""
        forward, backward = self._outputs
        if self.merge_mode == "concat":
            dforward, dbackward = dY[..., : self.units], dY[..., self.units :]
        elif self.merge_mode == "mul":
            dforward, dbackward = dY * backward, dY * forward
        else:
            dforward = dbackward = dY if self.merge_mode == "sum" else dY / 2
        if self.return_sequences:
            dbackward = dbackward[:, ::-1]
        parts = [
            way.backward(d, needs_input_gradient)
            for way, d in zip(self.ways.values(), (dforward, dbackward), strict=True)
        ]
        self.gradients = self._named({name: way.gradients for name, way in self.ways.items()})
        return parts[0] + parts[1] if needs_input_gradient else dY


class TimeDistributed(Layer):
    """Applies a layer to each step of a sequence: (samples, steps, ...) is (samples * steps, ...) to it.

    The steps share its weights, which are this layer's.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer=layer_entry(type(layer).__name__, layer.settings))
        self.layer = layer

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Builds the layer; its arrays are this layer's, not copies."""
        if len(input_shape) < 2:
            raise self.refuse(input_shape, "(steps, ...)")
        shape = self.layer.build(input_shape[1:], random, dtype)
        self.parameters = self.layer.parameters
        return (input_shape[0], *shape)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Parameters and state, in Keras' order."""
        return self.layer.weights

    def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
        """All steps of all samples at once."""
        Y = self.layer.forward(X.reshape(-1, *X.shape[2:]), training)
        return Y.reshape(*X.shape[:2], *Y.shape[1:])

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """All steps of all samples at once."""
        dX = self.layer.backward(dY.reshape(-1, *dY.shape[2:]), needs_input_gradient)
        self.gradients = self.layer.gradients
        return dX.reshape(*dY.shape[:2], *dX.shape[1:])
