"""Modules for images, channels first, that PyTorch does not have, or defines otherwise than Keras.

What lies under a window at the border of an image is TensorFlow's choice here, so that the same weights give the same
numbers in both. `layout.py` has the doors through which images come in and go out.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Returns (size, size) for one number; PyTorch takes one or two for the sides of a window."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def same_padding(size: int, window: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Returns how many cells TensorFlow puts before and after an axis so that ceil(size / stride) places come out."""
    window = (window - 1) * dilation + 1
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
        dilation: of the window that follows.
        is_causal: whether all of the border comes before, as with Keras' padding="causal".
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        value: float = 0.0,
        dilation: int | tuple[int, int] = 1,
        is_causal: bool = False,
    ):
        super().__init__()
        self.kernel_size, self.strides, self.value = pair(kernel_size), pair(strides), value
        self.dilation, self.is_causal = pair(dilation), is_causal

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the images (samples, channels, height, width) with their border."""
        if self.is_causal:
            rows, columns = (((n - 1) * apart, 0) for n, apart in zip(self.kernel_size, self.dilation, strict=True))
        else:
            rows, columns = map(same_padding, images.shape[2:], self.kernel_size, self.strides, self.dilation)
        return F.pad(images, (*columns, *rows), value=self.value)

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
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
        """The settings that `print(module)` shows in the parentheses."""
        return f"{self.kernel_size}, strides={self.strides}"


class GlobalAveragePooling(nn.Module):
    """(samples, channels, height, width) -> (samples, channels): the mean of each channel over the image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The same as `nn.AdaptiveAvgPool2d(1)` and `nn.Flatten()`."""
        return images.mean((2, 3))


class GlobalMaxPooling(nn.Module):
    """(samples, channels, height, width) -> (samples, channels): the largest number of each channel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The same as `nn.AdaptiveMaxPool2d(1)` and `nn.Flatten()`."""
        return images.amax((2, 3))


class ConvTranspose2dAsKeras(nn.ConvTranspose2d):
    """Keras' Conv2DTranspose: with the padding "same" as many places come out as go in, times the strides.

    PyTorch takes numbers for `padding` and `output_padding`, and cuts as much off on both sides; TensorFlow cuts the
    odd cell off after.

    Args:
        channels: that go in.
        filters: channels that come out.
        kernel_size, strides: of the window, as in Keras.
        keras_padding: "valid" or "same".
        bias: whether there is one.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        keras_padding: str = "valid",
        bias: bool = True,
    ):
        size, steps = pair(kernel_size), pair(strides)
        # Where windows do not touch, there are places between them, and after the last one.
        after = (max(steps[0] - size[0], 0), max(steps[1] - size[1], 0))
        super().__init__(channels, filters, size, steps, output_padding=after, bias=bias)
        self.keras_padding = keras_padding

    def forward(self, images: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        """Returns the images (samples, filters, height, width), larger."""
        larger = super().forward(images)
        if self.keras_padding == "valid":
            return larger
        for axis, cells, stride in zip((2, 3), self.kernel_size, self.stride, strict=True):
            larger = larger.narrow(axis, max(cells - stride, 0) // 2, images.shape[axis] * stride)
        return larger


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
