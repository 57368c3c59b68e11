"""Modules with modules in them, as Keras' wrappers: a sequence read from both ends, and each step by itself."""

import torch
from torch import nn


class BidirectionalAsKeras(nn.Module):
    """Keras' Bidirectional: reads a sequence forward and backward and merges the two.

    Args:
        forward_layer, backward_layer: two of `recurrent` or of `recurrent_loop`, the second one going backwards.
        merge_mode: "concat", "sum", "mul" or "ave". `nn.LSTM(bidirectional=True)` has the first alone.
        return_sequences: whether the layers return all states: those of the second then come in reversed order.
    """

    def __init__(self, forward_layer: nn.Module, backward_layer: nn.Module, merge_mode: str, return_sequences: bool):
        super().__init__()
        self.forward_layer, self.backward_layer = forward_layer, backward_layer
        self.merge_mode, self.return_sequences = merge_mode, return_sequences

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Reads X (samples, steps, features)."""
        forward, backward = self.forward_layer(X), self.backward_layer(X)
        if self.return_sequences:
            backward = backward.flip(1)
        if self.merge_mode == "concat":
            return torch.cat([forward, backward], -1)
        if self.merge_mode == "mul":
            return forward * backward
        return forward + backward if self.merge_mode == "sum" else (forward + backward) / 2

    def extra_repr(self) -> str:
        """What `print(module)` shows in the parentheses."""
        return f"merge_mode={self.merge_mode}"


class TimeDistributed(nn.Module):
    """Keras' TimeDistributed: (samples, steps, ...) is (samples * steps, ...) to the network in it.

    Args:
        network: of one layer, whose images are channels last outside of it.
    """

    def __init__(self, network: nn.Sequential):
        super().__init__()
        self.network = network

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns what the network makes of each step."""
        return self.network(X.flatten(0, 1)).unflatten(0, X.shape[:2])
