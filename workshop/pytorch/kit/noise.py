"""Modules that disturb samples in training, and pass them on unchanged afterwards, as Keras' layers do."""

import torch
from torch import nn


class GaussianNoise(nn.Module):
    """Adds normally distributed numbers of the standard deviation `stddev`."""

    def __init__(self, stddev: float):
        super().__init__()
        self.stddev = stddev

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns X, in training with noise."""
        return X + self.stddev * torch.randn_like(X) if self.training else X

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return f"{self.stddev}"


class GaussianDropout(nn.Dropout):
    """Multiplies by normally distributed numbers with mean and variance of Dropout's, 1 and p / (1 - p)."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns X, in training each number a little larger or smaller."""
        if not self.training:
            return X
        return X * (1 + (self.p / (1 - self.p)) ** 0.5 * torch.randn_like(X))


class StepDropout(nn.Dropout):
    """Keras' SpatialDropout1D: drops features of a sequence (samples, steps, features) at all its steps.

    `nn.Dropout1d` and `nn.Dropout2d` take samples with their features first.
    """

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns X, in training without some features."""
        return X * super().forward(torch.ones_like(X[:, :1]))
