"""The recurrent layers, which differ in their cell: one step forward, and beside it the same step backward.

`recurrent` has the loop over the steps. In the equations x is a step's input (samples, features), h the state (samples,
units), h' the state after the step; W is the kernel, U the recurrent kernel, b the bias, s the sigmoid, * the product
element by element. A `d` in front names a gradient: dh is dE/dh.
"""

from typing import Any

import numpy as np

from workshop.scratch.nn.layers import Shape
from workshop.scratch.nn.recurrent import Recurrent, State


class SimpleRNN(Recurrent):
    """h' = f(x W + h U + b), f being tanh or another activation (Elman 1990).

    The gradient by h is the one by h' times f' and U, once for each step back: it vanishes or explodes exponentially
    with the number of steps.
    """

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        return_sequences: bool = False,
        use_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(units, return_sequences, use_bias, activation=activation, **options)
        self.function = self.get_function("activation", activation)

    def step(self, projected: np.ndarray, state: State) -> tuple[State, Any]:
        """a = z + h U, h' = f(a)."""
        (h,) = state
        a = projected + h @ self.parameters["recurrent_kernel"]
        new = self.function.value(a)
        return (new,), (h, a, new)

    def step_backward(self, dstate: State, cache: Any) -> tuple[np.ndarray, State]:
        """da = dh' f'(a), dU += h^T da, dh = da U^T."""
        (dnew,), (h, a, new) = dstate, cache
        da = self.function.backward(dnew, new, a)
        self.gradients["recurrent_kernel"] += h.T @ da
        return da, (da @ self.parameters["recurrent_kernel"].T,)


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; the forget gate by Gers 2000).

    A second state c, the cell's memory, is only multiplied by the forget gate and added to. So the gradient flows back
    through c unchanged as long as f is near 1, and does not vanish with every step.

        i = s(x W_i + h U_i + b_i)          input gate: how much of the candidate is written
        f = s(x W_f + h U_f + b_f)          forget gate: how much of the memory stays
        g = tanh(x W_g + h U_g + b_g)       the candidate
        o = s(x W_o + h U_o + b_o)          output gate: how much of the memory is output
        c' = f * c + i * g
        h' = o * tanh(c')

    W, U and b have the gates' columns side by side, in the order i, f, c, o. The `activation` stands for tanh, the
    `recurrent_activation` for s; Keras before 2.3 had the hard_sigmoid for s.
    """

    gates = 4
    states = 2

    def __init__(
        self,
        units: int,
        return_sequences: bool = False,
        use_bias: bool = True,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        **options: Any,
    ) -> None:
        options |= {"activation": activation, "recurrent_activation": recurrent_activation}
        super().__init__(units, return_sequences, use_bias, **options)
        self.function = self.get_function("activation", activation)
        self.gate = self.get_function("recurrent_activation", recurrent_activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """As in `Recurrent`, but b_f starts at 1, so that the memory stays until the layer has learned to forget."""
        output_shape = super().build(input_shape, random, dtype)
        if self.use_bias:
            self.parameters["bias"][self.units : 2 * self.units] = 1
        return output_shape

    def step(self, projected: np.ndarray, state: State) -> tuple[State, Any]:
        """The equations above."""
        h, c = state
        received = np.split(projected + h @ self.parameters["recurrent_kernel"], 4, axis=1)
        s, tanh = self.gate.value, self.function.value
        i, f, g, o = s(received[0]), s(received[1]), tanh(received[2]), s(received[3])
        new_c = f * c + i * g
        tanh_c = tanh(new_c)
        return (o * tanh_c, new_c), (h, c, received, i, f, g, o, new_c, tanh_c)

    def step_backward(self, dstate: State, cache: Any) -> tuple[np.ndarray, State]:
        """The gradients of the equations, from the last line to the first; s' = s (1 - s), tanh' = 1 - tanh^2."""
        (dh, dc), (h, c, received, i, f, g, o, new_c, tanh_c) = dstate, cache
        ds, dtanh = self.gate.backward, self.function.backward
        do = dh * tanh_c
        dc = dc + dtanh(dh * o, tanh_c, new_c)
        di, df, dg = dc * g, dc * c, dc * i
        gates = (
            ds(di, i, received[0]),
            ds(df, f, received[1]),
            dtanh(dg, g, received[2]),
            ds(do, o, received[3]),
        )
        da = np.concatenate(gates, axis=1)
        self.gradients["recurrent_kernel"] += h.T @ da
        return da, (da @ self.parameters["recurrent_kernel"].T, dc * f)


class GRU(Recurrent):
    """The gated recurrent unit (Cho 2014), with one gate that both forgets and writes.

        z = s(x W_z + h U_z + b_z)                  update gate: how much of the state stays
        r = s(x W_r + h U_r + b_r)                  reset gate: how much of the state the candidate depends on
        g = tanh(x W_h + b_h + r * (h U_h + q_h))   the candidate, with `reset_after`
        g = tanh(x W_h + b_h + (r * h) U_h)         the candidate without it, as first published
        h' = z * h + (1 - z) * g

    With `reset_after` the three products with h are one: the default of cuDNN, of PyTorch and, since 2.3, of Keras; h U
    then has a bias q of its own, for all three: b is (2, 3 units), with q its second row. W, U and b have the gates'
    columns side by side, in the order z, r, h. The `activation` stands for tanh, the `recurrent_activation` for s.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        return_sequences: bool = False,
        use_bias: bool = True,
        reset_after: bool = True,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        **options: Any,
    ) -> None:
        options |= {"activation": activation, "recurrent_activation": recurrent_activation}
        super().__init__(units, return_sequences, use_bias, reset_after=reset_after, **options)
        self.reset_after = reset_after
        self.function = self.get_function("activation", activation)
        self.gate = self.get_function("recurrent_activation", recurrent_activation)

    def build(self, input_shape: Shape, random: np.random.Generator, dtype: Any) -> Shape:
        """As in `Recurrent`; b and q start at zero."""
        output_shape = super().build(input_shape, random, dtype)
        if self.use_bias and self.reset_after:
            self.parameters["bias"] = np.zeros((2, 3 * self.units), dtype)
        return output_shape

    def input_bias(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Returns b without q, or its gradient."""
        return arrays["bias"][0] if self.reset_after else arrays["bias"]

    def step(self, projected: np.ndarray, state: State) -> tuple[State, Any]:
        """The equations above; `projected` has the columns of the two gates and of the candidate."""
        (h,), U, split = state, self.parameters["recurrent_kernel"], 2 * self.units
        if self.reset_after:
            a = h @ U
            if self.use_bias:
                a += self.parameters["bias"][1]
            received = projected[:, :split] + a[:, :split]
        else:
            received = projected[:, :split] + h @ U[:, :split]
        received = received.reshape(-1, 2, self.units)
        gates = self.gate.value(received)
        update, reset = gates[:, 0], gates[:, 1]
        from_h = a[:, split:] if self.reset_after else reset * h
        candidate = projected[:, split:] + (reset * from_h if self.reset_after else from_h @ U[:, split:])
        g = self.function.value(candidate)
        return (update * h + (1 - update) * g,), (h, received, gates, candidate, g, from_h)

    def step_backward(self, dstate: State, cache: Any) -> tuple[np.ndarray, State]:
        """The gradients of the equations, from the last line to the first; s' = s (1 - s), tanh' = 1 - tanh^2."""
        (dnew,), (h, received, gates, candidate, g, from_h) = dstate, cache
        U, dU, split = self.parameters["recurrent_kernel"], self.gradients["recurrent_kernel"], 2 * self.units
        update, reset = gates[:, 0], gates[:, 1]
        dcandidate = self.function.backward(dnew * (1 - update), g, candidate)
        # The gradient by what the reset gate is multiplied with, and by the gate.
        dproduct = dcandidate if self.reset_after else dcandidate @ U[:, split:].T
        dgates = np.stack([dnew * (h - g), dproduct * (from_h if self.reset_after else h)], axis=1)
        dgates = self.gate.backward(dgates, gates, received).reshape(-1, split)
        if self.reset_after:
            da = np.concatenate([dgates, dcandidate * reset], axis=1)
            if self.use_bias:
                self.gradients["bias"][1] += da.sum(axis=0)
            dU += h.T @ da
            dh = da @ U.T
        else:
            dU[:, :split] += h.T @ dgates
            dU[:, split:] += from_h.T @ dcandidate
            dh = dgates @ U[:, :split].T + dproduct * reset
        return np.concatenate([dgates, dcandidate], axis=1), (dh + dnew * update,)
