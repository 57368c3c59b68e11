"""Transfer learning, in PyTorch: the mirror of `workshop/transfer_learning.py`.

The same pictures, options, figures and files; the networks are PyTorch's, and so are the steps: see
`pytorch/training.py` for the training loop and `pytorch/photos.py` for the changed pictures. What is frozen has
`requires_grad = False`, and gets no place in the optimizer. The published weights of MobileNet are Keras': what differs
in their layout is in `pytorch/reading.py`.

    python -m workshop.pytorch.transfer_learning                            # cats and dogs; see the folder plots
    python -m workshop.pytorch.transfer_learning --data PHOTOS              # your own: a folder, a .zip or a .tar
    python -m workshop.pytorch.transfer_learning --by-name                  # the breeds, from the files' names
    python -m workshop.pytorch.transfer_learning --backbone imagenet        # MobileNet and ImageNet; takes minutes
    python -m workshop.pytorch.transfer_learning --quick                    # a first look, in seconds

Where ImageNet's weights cannot be had, the backbone learns from drawn animals first, in the same run. On drawn cats and
dogs it is worth as much as with Keras: fine-tuned against scratch 89 and 61 % with 10 of each class (seeds 1, 2 and 3
on average). Expected, as with Keras, of fine-tuning on 280 photographs: at least 75 % of 120 new ones.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop import transfer_learning as lesson
from workshop.kit import cli
from workshop.kit.data import images as image_data
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import nn, torch
from workshop.pytorch import cats_vs_dogs
from workshop.pytorch.kit import device, image_layers, layers, layout, training

# Filters and steps of MobileNet's blocks 1 to 13 (Howard and others 2017, table 1).
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
FIRST_FINETUNED = 12  # of these blocks


def build(kind: str, size: int, classes: int, seed: int) -> Any:
    """Returns a network: the backbone, the average of its answers over all places, dropout and the head."""
    torch.manual_seed(seed)
    modules = cats_vs_dogs.build_small(classes) if kind == "here" else build_mobilenet(classes)
    return training.new_model(modules, (size, size, 3))


def build_mobilenet(classes: int) -> list[Any]:
    """Returns MobileNet and a head. Each of the blocks is an nn.Sequential; before the first is one convolution more.

    A block convolves each channel by itself, then mixes the channels in each place: an eighth of the multiplications of
    one convolution that does both. Source: Howard and others (2017), "MobileNets".
    """
    # MobileNet learned from pixels from -1 to 1.
    modules = [layout.ChannelsFirst(), layers.Rescaling(2.0, -1.0)]
    first = nn.Conv2d(3, 32, 3, stride=2, bias=False)
    modules += [nn.Sequential(image_layers.PadAsTensorFlow(3, 2), first, *normalisation(32))]
    channels = 32
    for filters, stride in BLOCKS:
        # Where it takes steps of two pixels, MobileNet pads below and on the right alone, at any size of picture.
        border = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
        padding = 0 if stride == 2 else "same"
        depthwise = nn.Conv2d(channels, channels, 3, stride, padding, groups=channels, bias=False)
        pointwise = nn.Conv2d(channels, filters, 1, padding="same", bias=False)
        modules += [nn.Sequential(*border, depthwise, *normalisation(channels), pointwise, *normalisation(filters))]
        channels = filters
    return [*modules, image_layers.GlobalAveragePooling(), nn.Dropout(0.2), *cats_vs_dogs.answer(channels, classes)]


def normalisation(channels: int) -> list[Any]:
    """Returns the normalisation of a convolution's answers, and the activation, which ends at 6."""
    return [layers.BatchNormAsKeras(channels), nn.ReLU6()]


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, *, part: str = "all", **options: Any) -> Any:
    """Fits a part of a network on X, pictures as bytes, and y: "all" of it, its "end", or its "head".

    `options` are those of `photos.fit`.
    """
    if part == "head":
        return train_head(model, X, y, plan, seed, **options)
    model.module.requires_grad_(True)
    if part == "end":
        freeze(model)
    return cats_vs_dogs.train(model, X, y, plan, seed, **options)


def train_head(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> Any:
    """Fits dropout, the last layer and its activation. The backbone's answers do not change: computed once."""
    from workshop.pytorch.kit.model import TorchModel

    # Parts of an nn.Sequential are the same modules, not copies of them.
    backbone = TorchModel(model.module[:-3], model.input_shape)
    head = TorchModel(model.module[-3:], backbone.output_shape)
    answers = backbone.predict(X, preprocess=image_data.scale_pixels)
    return training.fit(head, answers, y, plan, seed, loss=cats_vs_dogs.loss_for(y), **options)


def freeze(model: Any) -> None:
    """Freezes what fine-tuning leaves as it is: of MobileNet all before block 12, and every normalisation.

    A frozen normalisation goes by what it learned from a million photographs, not by the few of a batch; see
    `training.start_training`. The small backbone knows drawings alone, so nothing of it is frozen.
    """
    blocks = [module for module in model.module if isinstance(module, nn.Sequential)]
    for number, block in enumerate(blocks):
        for module in block:
            if number < FIRST_FINETUNED or isinstance(module, layers.BatchNormAsKeras):
                module.requires_grad_(False)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Runs the lesson on PyTorch; returns the metrics."""
    return lesson.main(argv, Engine("torch", __doc__, lambda *options: device.prepare(*options), build, train))


if __name__ == "__main__":
    cli.run(main)
