"""EfficientNet-Lite0 (Tan and Le 2019), described once in a table and built from it here in Keras.

`workshop.pytorch.kit.efficientnet` builds the same from the same table. "Lite" has relu6 instead of swish and no
squeeze-and-excitation, for small processors. Its weights are trained on ImageNet: `workshop.kit.data.imagenet`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop.kit.errors import WorkshopError

if TYPE_CHECKING:
    import keras
    from PIL import Image
else:
    from workshop.kit.lazy import keras

# Expansion, side of the kernel, stride of the first block, channels, blocks.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM, HEAD = 32, 1280  # channels of the first convolution and of the last
SIZE = 224  # of the images in pixels that the weights were trained on; as it consists of convolutions, it takes any
SCALE, OFFSET = 255 / 128, -127 / 128  # pixels from 0 to 1 become (pixel of 0 to 255 - 127) / 128
DROPOUT = 0.2
CROP = 0.875  # of the shorter side: ImageNet's photographs are evaluated on their middle


class Convolution(NamedTuple):
    """A convolution, its batch normalisation, and relu6 if it is activated.

    Attributes:
        name: of its layers, with an ending: "block3_expand".
        published: the names of both in the published weights.
        kernel, stride: of the window, in pixels.
        inputs, channels: that go in and come out.
        is_depthwise: whether each channel is convolved by itself.
        is_activated: the last one of a block is not: it only mixes channels.
    """

    name: str
    published: tuple[str, str]
    kernel: int
    stride: int
    inputs: int
    channels: int
    is_depthwise: bool = False
    is_activated: bool = True


class Block(NamedTuple):
    """Convolutions in a row; where `is_residual`, what goes in is added to what comes out."""

    convolutions: tuple[Convolution, ...]
    is_residual: bool = False


def blocks() -> Iterator[Block]:
    """Yields the blocks of the network: the stem, the sixteen of `STAGES`, the head."""
    yield Block((Convolution("stem", ("_conv_stem", "_bn0"), 3, 2, 3, STEM),))
    inputs, number = STEM, 0
    for expansion, kernel, first_stride, channels, repeats in STAGES:
        for stride in (first_stride, *[1] * (repeats - 1)):
            name, published, wide = f"block{number + 1}", f"_blocks.{number}.", expansion * inputs
            expand = Convolution(f"{name}_expand", (f"{published}_expand_conv", f"{published}_bn0"), 1, 1, inputs, wide)
            depthwise = (f"{published}_depthwise_conv", f"{published}_bn1")
            project = (f"{published}_project_conv", f"{published}_bn2")
            yield Block(
                (
                    *([expand] if expansion > 1 else []),
                    Convolution(f"{name}_depthwise", depthwise, kernel, stride, wide, wide, is_depthwise=True),
                    Convolution(f"{name}_project", project, 1, 1, wide, channels, is_activated=False),
                ),
                is_residual=stride == 1 and inputs == channels,
            )
            inputs, number = channels, number + 1
    yield Block((Convolution("head", ("_conv_head", "_bn1"), 1, 1, inputs, HEAD),))


def build(size: int, output: keras.layers.Layer) -> keras.Model:
    """Returns the network for images of size x size pixels from 0 to 1, its weights drawn at random.

    Args:
        size: of the images in pixels.
        output: the last layer, which gets the average of each of the 1,280 channels.
    """
    inputs = keras.Input((size, size, 3))
    X = keras.layers.Rescaling(SCALE, offset=OFFSET, name="rescaling")(inputs)
    for block in blocks():
        Y = X
        for part in block.convolutions:
            options = {"strides": part.stride, "padding": "same", "use_bias": False, "name": f"{part.name}_conv"}
            if part.is_depthwise:
                Y = keras.layers.DepthwiseConv2D(part.kernel, **options)(Y)
            else:
                Y = keras.layers.Conv2D(part.channels, part.kernel, **options)(Y)
            Y = keras.layers.BatchNormalization(name=f"{part.name}_bn")(Y)
            if part.is_activated:
                Y = keras.layers.Activation("relu6", name=f"{part.name}_relu6")(Y)
        X = keras.layers.Add(name=f"{part.name}_add")([X, Y]) if block.is_residual else Y
    X = keras.layers.GlobalAveragePooling2D(name="pooling")(X)
    X = keras.layers.Dropout(DROPOUT, name="dropout")(X)
    return keras.Model(inputs, output(X), name="efficientnet_lite0")


def put_weights(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Puts the published weights into a network of `build`, by name; into the last layer if it has as many classes."""
    for block in blocks():
        for part in block.convolutions:
            convolution, normalisation = part.published
            # PyTorch has (filters, inputs, height, width), Keras (height, width, inputs, filters).
            axes = (2, 3, 0, 1) if part.is_depthwise else (2, 3, 1, 0)
            model.get_layer(f"{part.name}_conv").set_weights([take(arrays, f"{convolution}.weight").transpose(axes)])
            statistics = ("weight", "bias", "running_mean", "running_var")
            own = [take(arrays, f"{normalisation}.{name}") for name in statistics]
            model.get_layer(f"{part.name}_bn").set_weights(own)
    kernel, bias = take(arrays, "_fc.weight").T, take(arrays, "_fc.bias")
    if tuple(model.layers[-1].kernel.shape) == kernel.shape:
        model.layers[-1].set_weights([kernel, bias])


def take(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Returns the array of a name; raises WorkshopError where the weights have none."""
    if name not in arrays:
        raise WorkshopError(f"the weights have no {name}: they are of another network than EfficientNet-Lite0")
    return arrays[name]


def crop(image: Image.Image, size: int = SIZE) -> np.ndarray:
    """Returns the middle of a photograph as the network was evaluated on ImageNet: float32 (size, size, 3), 0 to 1."""
    from PIL import Image

    side = round(CROP * min(image.size))
    left, top = ((length - side) // 2 for length in image.size)
    middle = image.convert("RGB").resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    return np.asarray(middle, np.float32) / 255
