"""EfficientNet-Lite0 (Tan and Le 2019) in PyTorch, from the table in `workshop.kit.photos.efficientnet`."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from workshop.kit.photos import efficientnet
from workshop.kit.photos.efficientnet import Block, Convolution
from workshop.pytorch.kit.image_layers import PadAsTensorFlow
from workshop.pytorch.kit.layers import BatchNormAsKeras, Rescaling
from workshop.pytorch.kit.wrappers import AddBranches


class EfficientNetLite0(nn.Module):
    """The network; it returns logits.

    Args:
        outputs: how many numbers the last layer returns.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.rescaling = Rescaling(efficientnet.SCALE, efficientnet.OFFSET)
        self.backbone = nn.Sequential(*(_block(block) for block in efficientnet.blocks()))
        self.dropout = nn.Dropout(efficientnet.DROPOUT)
        self.output = nn.Linear(efficientnet.HEAD, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images (n, 3, size, size) of pixels from 0 to 1."""
        x = self.backbone(self.rescaling(x)).mean((2, 3))
        return self.output(self.dropout(x))

    def put_weights(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Puts the published weights in, by name; into the last layer if it has as many classes."""
        described = [one for block in efficientnet.blocks() for one in block.convolutions]
        convolutions = [module for module in self.backbone.modules() if isinstance(module, nn.Conv2d)]
        normalisations = [module for module in self.backbone.modules() if isinstance(module, BatchNormAsKeras)]
        for one, convolution, normalisation in zip(described, convolutions, normalisations, strict=True):
            _load(convolution, arrays, one.published[0])
            _load(normalisation, arrays, one.published[1])
        if len(efficientnet.take(arrays, "_fc.bias")) == self.output.out_features:
            _load(self.output, arrays, "_fc")


def _block(block: Block) -> nn.Module:
    """Returns the modules of a block."""
    row = nn.Sequential(*(module for one in block.convolutions for module in _convolution(one)))
    # The second branch is empty: it returns what goes in.
    return AddBranches(row, nn.Sequential()) if block.is_residual else row


def _convolution(one: Convolution) -> list[nn.Module]:
    """Returns a convolution, its normalisation, and its activation if it has one."""
    # Where the stride is two, TensorFlow's padding="same", which the weights were trained with, is not symmetric.
    padding: int | str = "same" if one.stride == 1 else 0
    before = [] if one.stride == 1 else [PadAsTensorFlow(one.kernel, one.stride)]
    groups = one.channels if one.is_depthwise else 1
    convolution = nn.Conv2d(one.inputs, one.channels, one.kernel, one.stride, padding, groups=groups, bias=False)
    activation = [nn.ReLU6()] if one.is_activated else []
    return [*before, convolution, BatchNormAsKeras(one.channels), *activation]


def _load(module: nn.Module, arrays: Mapping[str, np.ndarray], name: str) -> None:
    """Puts the weights of a name and a dot into a module."""
    own = {key: torch.tensor(efficientnet.take(arrays, f"{name}.{key}")) for key in module.state_dict()}
    module.load_state_dict(own)
