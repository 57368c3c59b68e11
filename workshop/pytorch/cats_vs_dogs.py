"""Cats and dogs, in PyTorch: the mirror of `workshop/cats_vs_dogs.py`.

The same photographs, changed in the same way, the same options, figures and files; the networks are PyTorch's, and so
are the steps: see `pytorch/training.py` for the training loop and `pytorch/photos.py` for the changed pictures. Each
network ends in probabilities and is trained on its logits.

    python -m workshop.pytorch.cats_vs_dogs                             # both; then look into the folder plots
    python -m workshop.pytorch.cats_vs_dogs --data PHOTOS               # your own: a folder, a .zip or a .tar
    python -m workshop.pytorch.cats_vs_dogs --model small               # one of them
    python -m workshop.pytorch.cats_vs_dogs --quick                     # a first look, in seconds

Expected, as with Keras: on 280 photographs of three breeds the small network names at least 85 % of 120 new ones.
Without photographs it learns from drawn cats and dogs, and says so.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop import cats_vs_dogs as lesson
from workshop.kit import cli
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import nn, torch
from workshop.pytorch.kit import device, image_layers, layers, layout, photos, training


def build_workshop(size: int, classes: int) -> list[Any]:
    """Returns the network of the workshop: at 150x150 pixels 16-32-64 convolutions, then 512-512-512 and the answer."""
    modules = [layout.ChannelsFirst()]
    channels = 3
    for filters in (16, 32, 64):
        modules += [nn.Conv2d(channels, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
        channels, size = filters, (size - 2) // 2
    modules += [layout.FlattenAsKeras()]
    inputs = size * size * channels
    for units in (512, 512, 512):
        modules += [nn.Linear(inputs, units), nn.ReLU()]
        inputs = units
    return [*modules, *answer(inputs, classes)]


def build_small(classes: int) -> list[Any]:
    """Returns a network for few pictures: 16-32-64-96-176 convolutions, the average over all places, and the answer.

    The first convolution takes steps of two pixels, where the picture is largest and each filter costs most. With four
    poolings in all, a place of the last one sees nearly all of a picture of 150x150.
    """
    modules = [layout.ChannelsFirst(), *convolution(3, 16, 5, stride=2)]
    channels = 16
    for filters in (32, 64, 96):
        modules += convolution(channels, filters, 3)
        channels = filters
    modules += convolution(channels, 176, 3, pools=False)
    return [*modules, image_layers.GlobalAveragePooling(), nn.Dropout(0.2), *answer(176, classes)]


def convolution(channels: int, filters: int, kernel_size: int, stride: int = 1, pools: bool = True) -> list[Any]:
    """Returns a convolution, a pooling, the normalisation of the batch (which has a bias of its own), the activation.

    The pooling comes first: what it leaves out need not be normalised.
    """
    if stride == 1:
        padded = [nn.Conv2d(channels, filters, kernel_size, padding="same", bias=False)]
    else:  # PyTorch's "same" takes no strides
        border = image_layers.PadAsTensorFlow(kernel_size, stride)
        padded = [border, nn.Conv2d(channels, filters, kernel_size, stride, bias=False)]
    # A memory of ten batches. nn.BatchNorm2d would remember another variance, divided by n - 1: in the last convolution
    # n is small enough to tell.
    pooled = [nn.MaxPool2d(2)] if pools else []
    return [*padded, *pooled, layers.BatchNormAsKeras(filters, momentum=0.9), nn.ReLU()]


def answer(inputs: int, classes: int) -> list[Any]:
    """Returns the last layer: the probability of the second of two classes, or those of all classes."""
    return [nn.Linear(inputs, 1), nn.Sigmoid()] if classes == 2 else [nn.Linear(inputs, classes), nn.Softmax(dim=1)]


def build(kind: str, size: int, classes: int, seed: int) -> Any:
    """Returns one of the two networks."""
    torch.manual_seed(seed)
    modules = build_workshop(size, classes) if kind == "workshop" else build_small(classes)
    return training.new_model(modules, (size, size, 3))


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> Any:
    """Fits a network on X, pictures as bytes, and y; `options` are those of `photos.fit`."""
    return photos.fit(model, X, y, plan, seed, loss=loss_for(y), **options)


def loss_for(y: np.ndarray) -> Any:
    """Returns the loss for targets (samples, 1), 0 or 1, or for numbers of classes (samples,)."""
    return nn.BCEWithLogitsLoss() if y.ndim == 2 else nn.CrossEntropyLoss()


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
