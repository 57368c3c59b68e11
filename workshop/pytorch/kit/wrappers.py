"""Modules with modules in them, as Keras' wrappers: branches that are added, a sequence read from both ends, steps."""

import torch
from torch import nn
from torch.func import functional_call

from workshop.pytorch.kit.layers import Rescaling


class AddBranches(nn.Module):
    """Branches that all get the same input, and the sum of what they return: Keras' Add.

    A residual block (He and others 2016) is one: the second branch is empty, `nn.Sequential()`, or a convolution.

    Args:
        branches: whose outputs have one shape.
    """

    def __init__(self, *branches: nn.Sequential):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns the sum."""
        first, *others = (branch(X) for branch in self.branches)
        return sum(others, first)


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
        """The settings that `print(module)` shows in the parentheses."""
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


def half(X: torch.Tensor) -> torch.Tensor:
    """Returns numbers rounded to 16 bits, in their own type."""
    return X.half().to(X.dtype)


class HalfPrecision(nn.Sequential):
    """Modules of one Keras layer under the policy "mixed_float16": weights and each result are rounded to 16 bits.

    As in Keras, the products of a linear layer or a convolution are added in 32 bits, and their sum is rounded before
    the bias is added; `torch.autocast` adds the bias first. The weights keep their 32 bits.
    """

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns the result of the last module."""
        X = half(X)
        for module in self:
            bias: torch.Tensor | None = None
            if isinstance(module, nn.Linear | nn.Conv2d):
                weights = {"weight": half(module.weight)}
                if module.bias is not None:
                    weights["bias"] = torch.zeros_like(module.bias)
                    bias = module.bias if isinstance(module, nn.Linear) else module.bias[:, None, None]
                X = half(functional_call(module, weights, X))
            elif isinstance(module, Rescaling):
                scale, bias = X.new_tensor([module.scale, module.offset])
                X = half(X * half(scale))
            else:
                X = half(module(X))
            if bias is not None:
                X = half(X + half(bias))
        return X
