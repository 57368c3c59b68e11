"""The loop over time that all recurrent layers share: a sequence is read step by step, its past summed up in a state.

A layer is this loop and a cell, one step forward and beside it the same step backward: `cells` has them. Run backward,
the loop is backpropagation through time (Werbos 1990): the gradient by a state is the sum of the gradients through its
own step's output and through the next step, so the gradients are computed from the last step to the first.

x is a step's input (samples, features), h the state (samples, units); W is the kernel, U the recurrent kernel, b the
bias. A `d` in front names a gradient: dh is dE/dh.
"""

import abc
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.sequence_layer_specs import recurrent_settings
from workshop.scratch.nn.activations import ACTIVATIONS, Activation
from workshop.scratch.nn.layers import Layer, Shape, glorot_uniform

State = tuple[np.ndarray, ...]


def orthogonal(rows: int, columns: int, random: np.random.Generator, dtype: Any) -> np.ndarray:
    """Draws a matrix whose rows are of length 1 and at right angles to each other (Saxe 2014, Keras' default).

    Multiplied by it at every step, a state neither grows nor vanishes: that is why recurrent kernels start so.
    """
    q, r = np.linalg.qr(random.normal(size=(columns, rows)))
    # The signs make the distribution uniform over all such matrices.
    return (q * np.sign(np.diagonal(r))).T.astype(dtype)


class Recurrent(Layer, abc.ABC):
    """Reads X (samples, steps, features) and returns its states: the last one (samples, units), or all of them.

    Args:
        units: the size of the state.
        return_sequences: whether the output is the states of all steps, (samples, steps, units), for another recurrent
            layer or for an output at every step.
        use_bias: whether there is a b.
        go_backwards: whether the steps are read from the last to the first; the states of all steps then are in that
            order, too.
        dropout: the fraction of the features that is dropped in training, the same ones at all steps of a sample (Gal
            and Ghahramani 2016, arXiv:1512.05287).
        recurrent_dropout: the same of the state. Networks that have it predict, but are not trained here.
        settings: the settings of the cell beside these.
    """

    gates = 1  # the number of blocks of `units` columns in W and U
    states = 1  # the number of arrays in the state

    def __init__(
        self,
        units: int,
        return_sequences: bool,
        use_bias: bool,
        go_backwards: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **settings: Any,
    ) -> None:
        shared = {"units": units, "return_sequences": return_sequences, "use_bias": use_bias}
        ways = {"go_backwards": go_backwards, "dropout": dropout, "recurrent_dropout": recurrent_dropout}
        super().__init__(**recurrent_settings(type(self).__name__, {**shared, **settings, **ways}))
        self.units, self.return_sequences, self.use_bias = units, return_sequences, use_bias
        self.go_backwards, self.dropout, self.recurrent_dropout = go_backwards, dropout, recurrent_dropout

    def get_function(self, setting: str, name: str) -> Activation:
        """Returns an activation function by its name, which is that of a setting."""
        if name not in ACTIVATIONS:
            kind, known = type(self).__name__, ", ".join(ACTIVATIONS)
            raise WorkshopError(f"{setting} = {name!r} is not known to a {kind} layer; known are {known}")
        return ACTIVATIONS[name]

    @abc.abstractmethod
    def step(self, projected: np.ndarray, state: State) -> tuple[State, Any]:
        """Returns the state after a step, and the cache for `step_backward`.

        Args:
            projected: x W + b of this step, (samples, gates * units).
            state: before the step; its first array is h.
        """

    @abc.abstractmethod
    def step_backward(self, dstate: State, cache: Any) -> tuple[np.ndarray, State]:
        """Returns the gradients by `projected` and by the state before; adds the step's part of dU to `gradients`.

        Args:
            dstate: the gradient by the state after the step.
            cache: of `step`.
        """

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """Draws W as Glorot and Bengio (2010) do and U orthogonal; b starts at zero."""
        if len(input_shape) != 2:
            raise self.refuse(input_shape, "(steps, features)")
        self._random = random  # of the dropped features
        steps, features = input_shape
        columns = self.gates * self.units
        self.parameters["kernel"] = glorot_uniform((features, columns), features, columns, random, dtype)
        self.parameters["recurrent_kernel"] = orthogonal(self.units, columns, random, dtype)
        if self.use_bias:
            self.parameters["bias"] = np.zeros(columns, dtype)
        return (steps, self.units) if self.return_sequences else (self.units,)

    def input_bias(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Returns the b that is added to x W, or its gradient, from `parameters` or `gradients`."""
        return arrays["bias"]

    def forward(self, X: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        """Runs the steps in order, from a state of zeros.

        Args:
            X: (samples, steps, features).
            training: whether features are dropped.
            mask: (samples, steps), False where a sequence is padded because it is shorter than others. There the state
                stays as it is, as after Keras' Masking layer, whether the padding is at the start or at the end.

        Raises:
            WorkshopError: the mask has another shape, or the layer is to be trained with dropout of its state.
        """
        if training and self.recurrent_dropout:
            raise WorkshopError(
                f"a {type(self).__name__} layer has recurrent_dropout = {self.recurrent_dropout}, with which the NumPy "
                f"engine predicts, but does not train: train it with Keras, or set it to 0"
            )
        samples, steps, features = X.shape
        if mask is not None and mask.shape != (samples, steps):
            raise WorkshopError(f"a mask has the shape {mask.shape}, takes {(samples, steps)}")
        self._kept: np.ndarray | None = None
        if training and self.dropout:
            keep = self._random.random((samples, 1, features), np.float32) >= self.dropout
            self._kept = keep.astype(X.dtype) / X.dtype.type(1 - self.dropout)
            X = X * self._kept
        if self.go_backwards:
            X, mask = X[:, ::-1], None if mask is None else mask[:, ::-1]
        # Steps first: the samples of a step are then contiguous in memory. x W needs no state, so all steps are one
        # matrix product; only h U has to wait for the step before.
        self._X = X.swapaxes(0, 1).reshape(steps * samples, features)
        projected = self._X @ self.parameters["kernel"]
        if self.use_bias:
            projected += self.input_bias(self.parameters)
        projected = projected.reshape(steps, samples, -1)
        self._mask = None if mask is None else mask.astype(bool).T[:, :, None]
        self._caches = []
        state: State = (np.zeros((samples, self.units), X.dtype),) * self.states
        hidden = np.empty((steps, samples, self.units), X.dtype)
        for t in range(steps):
            after, cache = self.step(projected[t], state)
            if self._mask is not None:
                after = tuple(np.where(self._mask[t], new, old) for new, old in zip(after, state, strict=True))
            state = after
            self._caches.append(cache)
            hidden[t] = state[0]
        return hidden.swapaxes(0, 1) if self.return_sequences else state[0]

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        """Backpropagation through time, from the last step to the first; dstate is the gradient through later steps."""
        steps, samples = len(self._caches), len(dY)
        self.gradients = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        dprojected = np.empty((steps, samples, self.gates * self.units), dY.dtype)
        dstate: State = (np.zeros((samples, self.units), dY.dtype),) * self.states
        if not self.return_sequences:
            dstate = (dY, *dstate[1:])
        for t in reversed(range(steps)):
            if self.return_sequences:
                dstate = (dstate[0] + dY[:, t], *dstate[1:])
            if self._mask is None:
                dprojected[t], dstate = self.step_backward(dstate, self._caches[t])
            else:
                # At a masked step the gradient goes to the state before it unchanged, and to the cell goes none.
                carried = tuple(np.where(self._mask[t], 0, d) for d in dstate)
                taken = tuple(np.where(self._mask[t], d, 0) for d in dstate)
                dprojected[t], dbefore = self.step_backward(taken, self._caches[t])
                dstate = tuple(direct + through for direct, through in zip(carried, dbefore, strict=True))
        flat = dprojected.reshape(steps * samples, -1)
        self.gradients["kernel"] = self._X.T @ flat
        if self.use_bias:
            self.input_bias(self.gradients)[...] = flat.sum(axis=0)
        if not needs_input_gradient:
            return dY
        dX = (flat @ self.parameters["kernel"].T).reshape(steps, samples, -1).swapaxes(0, 1)
        if self.go_backwards:
            dX = dX[:, ::-1]
        return dX if self._kept is None else dX * self._kept
