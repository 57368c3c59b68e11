"""Layers with layers in them: one that reads a sequence from both ends, and one that treats each step by itself."""

from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.architecture import as_inner
from workshop.scratch.nn.layers import Layer, Shape
from workshop.scratch.nn.recurrent import Recurrent


class Bidirectional(Layer):
    """Reads a sequence forward and, with other weights, backward, and merges the two (Schuster and Paliwal 1997).

    With `return_sequences`, the output at a step then knows the steps before it and those after it. Its weights are
    those of both layers, forward_kernel, backward_kernel and so on.

    Args:
        layer: an LSTM, a GRU or a SimpleRNN.
        merge_mode: "concat", side by side; "sum", "mul", product; or "ave", mean.
    """

    def __init__(self, layer: Recurrent, merge_mode: str = "concat") -> None:
        super().__init__(layer=as_inner(type(layer).__name__, layer.settings), merge_mode=merge_mode)
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
        super().__init__(layer=as_inner(type(layer).__name__, layer.settings))
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
