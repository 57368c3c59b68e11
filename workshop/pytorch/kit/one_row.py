"""Convolution and pooling of sequences: a sequence of steps is an image of one row, so the modules for images do it.

PyTorch has nn.Conv1d and nn.MaxPool1d, for sequences with their features first. Here sequences are (samples, steps,
features) as in Keras, and what Keras pads a window with is told in one place, `image_layers`.
"""

import torch
from torch import nn


class InOneRow(nn.Sequential):
    """Modules for images, channels first, that get sequences: (samples, steps, features) in and out.

    Their windows have a height of 1: InOneRow(nn.Conv2d(4, 8, (1, 3))) is Keras' Conv1D(8, 3).
    """

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """Returns what the modules make of the images (samples, features, 1, steps)."""
        images = super().forward(sequences.transpose(1, 2).unsqueeze(2))
        return images.squeeze(2).transpose(1, 2)


class OverSteps(nn.Module):
    """(samples, steps, features) -> (samples, features): the mean of each feature over the steps, or the largest.

    Args:
        statistic: "mean" or "max", Keras' GlobalAveragePooling1D or GlobalMaxPooling1D.
    """

    def __init__(self, statistic: str):
        super().__init__()
        self.statistic = statistic

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """Returns one number for each feature."""
        return sequences.mean(1) if self.statistic == "mean" else sequences.amax(1)

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return self.statistic


class RepeatVector(nn.Module):
    """(samples, features) -> (samples, n, features): the same features at each of n steps."""

    def __init__(self, n: int):
        super().__init__()
        self.n = n

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Returns each row n times."""
        return rows.unsqueeze(1).expand(-1, self.n, -1)

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return str(self.n)
