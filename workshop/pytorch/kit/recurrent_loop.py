"""Recurrent layers whose steps are written out, for cells that PyTorch's own modules do not have.

Those know a tanh and a sigmoid; models of other people have a relu in an LSTM, or a GRU whose reset gate acts before
the product. A loop in Python is many times slower than `nn.LSTM`, so `recurrent` has the modules for all other cells.
Equations: `workshop.scratch.nn.cells`.
"""

from typing import Any

import torch
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.saving.layer_specs import Config
from workshop.kit.saving.sequence_layer_specs import recurrent_settings
from workshop.pytorch.kit.layers import ACTIVATIONS
from workshop.pytorch.kit.noise import StepDropout

_GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


class Loop(nn.Module):
    """A SimpleRNN, an LSTM or a GRU of Keras, with the weights in Keras' layout.

    Args:
        kind: Keras' class name.
        inputs: features of a step.
        settings: of the layer, by Keras' names.
    """

    def __init__(self, kind: str, inputs: int, settings: Config) -> None:
        super().__init__()
        self.kind, self.inputs = kind, inputs
        self.settings = recurrent_settings(kind, settings)
        units, columns = settings["units"], _GATES[kind] * settings["units"]
        self.units, self.reset_after = units, settings.get("reset_after", False)
        self.function = ACTIVATIONS[settings.get("activation", "tanh")](-1)
        self.gate = ACTIVATIONS[settings.get("recurrent_activation", "sigmoid")](-1)
        self.dropout = StepDropout(settings.get("dropout", 0.0))
        self.kernel = nn.Parameter(nn.init.xavier_uniform_(torch.empty(inputs, columns)))
        self.recurrent_kernel = nn.Parameter(nn.init.orthogonal_(torch.empty(units, columns)))
        self.bias: nn.Parameter | None = None
        if settings["use_bias"]:
            self.bias = nn.Parameter(torch.zeros((2, columns) if self.reset_after else columns))
            if kind == "LSTM":
                with torch.no_grad():
                    self.bias[units : 2 * units] = 1

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Reads X (samples, steps, features)."""
        if self.training and self.settings.get("recurrent_dropout"):
            raise WorkshopError(
                f"a {self.kind} layer has recurrent_dropout = {self.settings['recurrent_dropout']}, with which PyTorch "
                f"predicts here, but does not train: train it with Keras, or set it to 0"
            )
        X = self.dropout(X)
        projected = (X.flip(1) if self.settings.get("go_backwards") else X) @ self.kernel
        if self.bias is not None:
            projected = projected + (self.bias[0] if self.reset_after else self.bias)
        state: Any = (X.new_zeros(len(X), self.units),) * 2
        states = []
        step = {"SimpleRNN": self._simple, "LSTM": self._lstm, "GRU": self._gru}[self.kind]
        for t in range(X.shape[1]):
            state = step(projected[:, t], *state)
            states.append(state[0])
        return torch.stack(states, 1) if self.settings["return_sequences"] else states[-1]

    def _simple(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.function(x + h @ self.recurrent_kernel), c

    def _lstm(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        i, f, g, o = (x + h @ self.recurrent_kernel).chunk(4, 1)
        c = self.gate(f) * c + self.gate(i) * self.function(g)
        return self.gate(o) * self.function(c), c

    def _gru(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for_gates, for_candidate = self.recurrent_kernel.split([2 * self.units, self.units], 1)
        z, r, candidate = x.chunk(3, 1)
        a_z, a_r = (h @ for_gates).chunk(2, 1)
        q_z, q_r, q = self.bias[1].chunk(3) if self.reset_after and self.bias is not None else (0, 0, 0)
        z, r = self.gate(z + a_z + q_z), self.gate(r + a_r + q_r)
        product = r * (h @ for_candidate + q) if self.reset_after else (r * h) @ for_candidate
        return z * h + (1 - z) * self.function(candidate + product), c

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return ", ".join([self.kind, str(self.inputs), *(f"{key}={value}" for key, value in self.settings.items())])
