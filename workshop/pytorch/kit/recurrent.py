"""Modules for sequences, so that the same weights give the same numbers as Keras' layers, and learn the same.

PyTorch's own recurrent modules return a tuple, all states and the last one, which no nn.Sequential can pass on. These
return what Keras' layers return: the last state (samples, units), or all of them (samples, steps, units). Samples come
first, as in Keras; PyTorch's default is steps first.
"""

from typing import Any

import torch
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.pytorch.kit.noise import StepDropout


class _Recurrent(nn.Module):
    """The base class of the three.

    Their weights start as in Keras: the kernel is drawn as Glorot and Bengio (2010) do, the recurrent one orthogonal,
    biases are zeros. PyTorch draws all of them between -l and l, l = 1 / sqrt(units).

    PyTorch has two biases where Keras has one, x W + b and h U + q. Only their sum counts, but if both were trained,
    each step would move the sum twice as far as Keras moves its bias. So q stays at zero.

    Args:
        inputs: features of a step.
        units: numbers of the state.
        return_sequences: whether the states of all steps come out.
        bias: whether there is one.
        go_backwards: whether the steps are read from the last to the first.
        dropout: the fraction of the features that is dropped in training, the same at all steps of a sample. PyTorch's
            own `dropout` is between layers.
        options: of PyTorch's module.
    """

    module: type[nn.RNNBase]

    def __init__(
        self,
        inputs: int,
        units: int,
        return_sequences: bool = False,
        bias: bool = True,
        go_backwards: bool = False,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
        self.dropout = StepDropout(dropout) if dropout else None
        self.steps = self.module(inputs, units, bias=bias, batch_first=True, **options)
        nn.init.xavier_uniform_(self.steps.weight_ih_l0)
        nn.init.orthogonal_(self.steps.weight_hh_l0)
        if bias:
            nn.init.zeros_(self.steps.bias_ih_l0)
            nn.init.zeros_(self.steps.bias_hh_l0)
            self.steps.bias_hh_l0.requires_grad = False

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Reads X (samples, steps, features)."""
        X = X if self.dropout is None else self.dropout(X)
        states, _ = self.steps(X.flip(1) if self.go_backwards else X)
        return states if self.return_sequences else states[:, -1]

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return f"return_sequences={self.return_sequences}, go_backwards={self.go_backwards}"


class RNNAsKeras(_Recurrent):
    """Keras' SimpleRNN: h' = tanh(x W + h U + b), or relu as `nonlinearity`."""

    module = nn.RNN


class LSTMAsKeras(_Recurrent):
    """Keras' LSTM. Its forget gate's bias starts at 1 (Jozefowicz 2015), in PyTorch near 0.

    Both have the gates in the order input, forget, candidate, output: Keras side by side as columns, PyTorch one below
    the other as rows. Equations: `workshop.scratch.nn.cells`.
    """

    module = nn.LSTM

    def __init__(
        self, inputs: int, units: int, return_sequences: bool = False, bias: bool = True, **options: Any
    ) -> None:
        super().__init__(inputs, units, return_sequences, bias, **options)
        if bias:
            with torch.no_grad():
                self.steps.bias_ih_l0[units : 2 * units] = 1


class GRUAsKeras(_Recurrent):
    """Keras' GRU with reset_after=True, its default; PyTorch's own has no other.

    Keras has the gates in the order update, reset, candidate, PyTorch in the order reset, update, candidate. Here the
    reset gate acts on h U + q, so q is more than a part of the sum: Keras trains it as well, as the second row of its
    bias, and so does this module.
    """

    module = nn.GRU

    def __init__(
        self, inputs: int, units: int, return_sequences: bool = False, bias: bool = True, **options: Any
    ) -> None:
        super().__init__(inputs, units, return_sequences, bias, **options)
        if bias:
            self.steps.bias_hh_l0.requires_grad = True


class EmbeddingAsKeras(nn.Embedding):
    """(samples, steps) of whole numbers -> (samples, steps, features): a row of learned features for each number.

    The numbers may be floats, as all that goes into a model here; `nn.Embedding` takes integers alone. The features
    start between -0.05 and 0.05 as in Keras, in PyTorch normally distributed around 0.

    Args:
        numbers: how many there are, counted from 0.
        features: of each.
    """

    def __init__(self, numbers: int, features: int) -> None:
        super().__init__(numbers, features)
        nn.init.uniform_(self.weight, -0.05, 0.05)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns the rows.

        Raises:
            WorkshopError: a number has no row.
        """
        rows = X.long()
        if X.numel() and not 0 <= rows.min() <= rows.max() < self.num_embeddings:
            raise WorkshopError(
                f"an Embedding layer gets numbers from {int(rows.min())} to {int(rows.max())}, "
                f"takes 0 to {self.num_embeddings - 1}"
            )
        return super().forward(rows)
