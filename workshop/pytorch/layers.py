"""Modules for what Keras and PyTorch define differently, so that the same weights give the same numbers in both.

PyTorch's images are channels first, (samples, channels, height, width); the data, the description of a model and its
`.h5` are channels last, as in Keras. `ChannelsFirst` and `FlattenAsKeras` are the two doors between them.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
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
        """What `print(module)` shows in the parentheses."""
        return f"{self.target_shape}"


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Returns how many cells TensorFlow puts before and after an axis so that ceil(size / stride) places come out."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


class PadAsTensorFlow(nn.Module):
    """Pads images as Keras' padding="same" does; a convolution or a pooling without padding of its own follows.

    TensorFlow pads as much as the window needs at this size of image, the odd cell after. PyTorch's `padding=1` pads
    one cell on both sides at any size, and its padding="same" takes no strides.

    Args:
        kernel_size: of the window that follows.
        strides: of the window that follows.
        value: what the border is filled with: 0 before a convolution, minus infinity before max pooling.
    """

    def __init__(self, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] = 1, value: float = 0.0):
        super().__init__()
        self.kernel_size, self.strides, self.value = pair(kernel_size), pair(strides), value

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the images (samples, channels, height, width) with their border."""
        rows, columns = map(same_padding, images.shape[2:], self.kernel_size, self.strides)
        return F.pad(images, (*columns, *rows), value=self.value)

    def extra_repr(self) -> str:
        """What `print(module)` shows in the parentheses."""
        return f"{self.kernel_size}, strides={self.strides}, value={self.value}"


class AveragePoolAsKeras(nn.Module):
    """Average pooling with Keras' padding="same": the mean of a window's cells that lie inside the image.

    `nn.AvgPool2d` counts the zeros of its border, so its means are too small there. Without padding the two are equal.
    """

    def __init__(self, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] | None = None):
        super().__init__()
        self.kernel_size = pair(kernel_size)
        self.strides = self.kernel_size if strides is None else pair(strides)
        self._pad = PadAsTensorFlow(self.kernel_size, self.strides)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the mean of the padded window, divided by the share of it that lies inside."""
        inside = self._pad(torch.ones_like(images[:1, :1]))
        means = F.avg_pool2d(self._pad(images), self.kernel_size, self.strides)
        return means / F.avg_pool2d(inside, self.kernel_size, self.strides)

    def extra_repr(self) -> str:
        """What `print(module)` shows in the parentheses."""
        return f"{self.kernel_size}, strides={self.strides}"


class GlobalAveragePooling(nn.Module):
    """(samples, channels, height, width) -> (samples, channels): the mean of each channel over the image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """What `nn.AdaptiveAvgPool2d(1)` and `nn.Flatten()` give."""
        return images.mean((2, 3))


class Rescaling(nn.Module):
    """Y = scale X + offset, two numbers that are not trained: pixels from 0 to 1 become pixels from -1 to 1.

    Args:
        scale, offset: as in Keras.
    """

    def __init__(self, scale: float, offset: float = 0.0):
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns scale X + offset."""
        return X * self.scale + self.offset

    def extra_repr(self) -> str:
        """What `print(module)` shows in the parentheses."""
        return f"{self.scale}, offset={self.offset}"


class SeparableConv2d(nn.Sequential):
    """Keras' SeparableConv2D: each channel is convolved by itself, then a 1x1 convolution mixes the channels.

    Only the second convolution has a bias. The two are one module because in Keras they are one layer.

    Args:
        channels: that go in.
        filters: channels that come out.
        kernel_size, stride, padding: of the first convolution, as for `nn.Conv2d`.
        bias: whether the second has one.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        bias: bool = True,
    ):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel_size, stride, padding, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, filters, 1, bias=bias)


class BatchNormAsKeras(nn.Module):
    """Y = weight (X - mean) / sqrt(variance + epsilon) + bias for each channel (Ioffe and Szegedy 2015).

    In training mean and variance are the batch's; the moving averages serve afterwards. Three things differ from
    `nn.BatchNorm2d`. Keras' momentum is the share of the old average that stays, PyTorch's the share of the new batch:
    0.99 here is 0.01 there. PyTorch divides the variance that goes into its moving average by n - 1, Keras by n. And
    PyTorch refuses a batch of one sample, which an epoch may end with.

    Args:
        features: how many channels, or inputs of a dense layer.
        momentum, epsilon: as in Keras.
        center, scale: whether there is a bias, and a weight.
        axis: where the channels are.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(
        self,
        features: int,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        axis: int = 1,
    ):
        super().__init__()
        self.momentum, self.epsilon, self.axis = momentum, epsilon, axis
        self.weight = nn.Parameter(torch.ones(features)) if scale else None
        self.bias = nn.Parameter(torch.zeros(features)) if center else None
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns X, of two axes or more, normalised."""
        X = X.movedim(self.axis, 1)
        if self.training:
            Y, mean, variance = self._normalise_by_batch(X)
            self.running_mean.mul_(self.momentum).add_(mean, alpha=1 - self.momentum)
            self.running_var.mul_(self.momentum).add_(variance, alpha=1 - self.momentum)
        else:
            Y = F.batch_norm(X, self.running_mean, self.running_var, self.weight, self.bias, eps=self.epsilon)
        return Y.movedim(1, self.axis)

    def _normalise_by_batch(self, X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns the normalised batch, its means and its variances, the latter divided by n."""
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        n = X.numel() // X.shape[1]
        if n == 1:
            # The mean is the value itself, the variance 0.
            Y = F.batch_norm(X - X.mean(0, keepdim=True), mean, variance, self.weight, self.bias, eps=self.epsilon)
            return Y, X.detach().flatten(), variance
        # With PyTorch's momentum 1 nothing of the old average stays: the two then are this batch's own.
        Y = F.batch_norm(X, mean, variance, self.weight, self.bias, training=True, momentum=1, eps=self.epsilon)
        return Y, mean, variance * ((n - 1) / n)

    def extra_repr(self) -> str:
        """What `print(module)` shows in the parentheses."""
        return f"{len(self.running_mean)}, momentum={self.momentum}, epsilon={self.epsilon}, axis={self.axis}"


class LeakyReLUAsKeras(nn.LeakyReLU):
    """x above 0, 0.2 x below: what Keras means by activation="leaky_relu". PyTorch's own slope is 0.01."""

    def __init__(self) -> None:
        super().__init__(negative_slope=0.2)


# From Keras' names for them. Softmax needs to know the axis of the classes, the last one in Keras.
ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "linear": lambda axis: nn.Identity(),
    "sigmoid": lambda axis: nn.Sigmoid(),
    "tanh": lambda axis: nn.Tanh(),
    "relu": lambda axis: nn.ReLU(),
    "relu6": lambda axis: nn.ReLU6(),
    "leaky_relu": lambda axis: LeakyReLUAsKeras(),
    "silu": lambda axis: nn.SiLU(),
    "softmax": lambda axis: nn.Softmax(dim=axis),
}


def initialize_as_keras(network: nn.Module) -> nn.Module:
    """Draws the weights of all nn.Linear and nn.Conv2d anew, as Keras does, and returns the network.

    Kernels are drawn between -l and l, l = sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010); biases are zeros.
    PyTorch's own start depends on the inputs alone, and its biases are drawn as well.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Returns (size, size) for one number; PyTorch takes one or two for the sides of a window."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])
