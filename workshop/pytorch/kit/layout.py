"""Modules that move the axes of images between Keras' layout and PyTorch's.

PyTorch's images are channels first, (samples, channels, height, width); the data, the description of a model and its
`.h5` are channels last, as in Keras. `ChannelsFirst` and `FlattenAsKeras` are the two doors between them; networks that
make images need the way back, `ReshapeAsKeras` and `ChannelsLast`. `reading/network.py` tells the layouts of the
weights.
"""

from collections.abc import Sequence

import torch
from torch import nn


class ChannelsFirst(nn.Module):
    """(samples, height, width, channels) -> (samples, channels, height, width): the first module for images.

    Images without an axis for their channels, (samples, height, width), have one channel.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Moves the channels; nothing is copied."""
        return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)


class ChannelsLast(nn.Module):
    """(samples, channels, height, width) -> (samples, height, width, channels): the last one where images come out."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Moves the channels; nothing is copied."""
        return images.permute(0, 2, 3, 1)


class FlattenAsKeras(nn.Module):
    """(samples, channels, height, width) -> (samples, height * width * channels), the channels running fastest.

    `nn.Flatten` writes one channel after the other, (samples, channels * height * width). A Dense layer's weights know
    their inputs by their places, so they would all stand in the wrong rows.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The same numbers in one row a sample, in Keras' order."""
        return (images.permute(0, 2, 3, 1) if images.ndim == 4 else images).flatten(1)


class ReshapeAsKeras(nn.Module):
    """Gives samples another shape: the numbers stay in Keras' order, in which an image's channels run fastest.

    `nn.Unflatten` would fill one channel after the other. Images come out channels first, (samples, channels, height,
    width), so that a convolution can follow.

    Args:
        target_shape: of one sample as Keras has it: (28, 28, 1).
    """

    def __init__(self, target_shape: Sequence[int]):
        super().__init__()
        self.target_shape = tuple(target_shape)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """The same numbers in their new shape."""
        samples = samples.permute(0, 2, 3, 1) if samples.ndim == 4 else samples
        samples = samples.reshape(len(samples), *self.target_shape)
        return samples.permute(0, 3, 1, 2) if samples.ndim == 4 else samples

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return f"{self.target_shape}"
