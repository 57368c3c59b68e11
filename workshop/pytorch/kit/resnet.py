"""ResNet18 (He and others 2016) in PyTorch, with the names of torchvision, whose published weights fit.

torchvision itself is not needed. Its `state_dict` of 122 entries is loaded by name, `load_state_dict(...)`, strictly.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from workshop.pytorch.kit.image_layers import GlobalAveragePooling
from workshop.pytorch.kit.wrappers import AddBranches

# Of the photographs of ImageNet, pixels from 0 to 1: of red, green and blue.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FEATURES = 512  # numbers that the last layer gets


class BasicBlock(nn.Module):
    """Two convolutions, to whose result what goes in is added: they learn the difference from it."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Sequential | None = None  # where the sizes differ, what goes in is made to fit
        if stride != 1 or inputs != channels:
            convolution = nn.Conv2d(inputs, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns images (n, channels, size / stride, size / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))

    def in_a_row(self) -> list[nn.Module]:
        """Returns the same as modules in a row, of the same weights."""
        first = [*_without_padding(self.conv1), self.bn1, nn.ReLU(), self.conv2, self.bn2]
        second = [] if self.downsample is None else [*self.downsample]
        return [AddBranches(nn.Sequential(*first), nn.Sequential(*second)), nn.ReLU()]


class ResNet18(nn.Module):
    """The network: photographs (n, 3, size, size) of pixels from 0 to 1 in, logits out.

    Args:
        classes: how many logits the last layer, `fc`, returns; ImageNet has 1,000.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, FEATURES, 2), BasicBlock(FEATURES, FEATURES, 1))
        self.fc = nn.Linear(FEATURES, classes)
        # Not in the state_dict: the published one has no such entries.
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the logits."""
        x = (x - self.mean) / self.deviation
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))

    def in_a_row(self) -> nn.Sequential:
        """Returns the network as modules in a row that have names in Keras: the `.h5` is written from these."""
        normalise = nn.BatchNorm2d(3, eps=0.0)
        normalise.running_mean, normalise.running_var = self.mean.flatten(), self.deviation.flatten() ** 2
        blocks = [block for layer in (self.layer1, self.layer2, self.layer3, self.layer4) for block in layer]
        # A border of zeros changes no maximum of numbers that relu has made.
        pooling = [nn.ZeroPad2d(1), nn.MaxPool2d(3, stride=2)]
        row = nn.Sequential(
            normalise.requires_grad_(False).eval(),
            *[*_without_padding(self.conv1), self.bn1, nn.ReLU(), *pooling],
            *(module for block in blocks for module in block.in_a_row()),
            *[GlobalAveragePooling(), self.fc],
        )
        row.training = self.training  # a new module would be in training mode, and bring its parts there
        return row


def _without_padding(convolution: nn.Conv2d) -> list[nn.Module]:
    """Returns a convolution of the same weights whose padding is a module of its own, where Keras has no such one."""
    if convolution.stride == (1, 1):
        return [convolution]
    size, padding = convolution.kernel_size[0], int(convolution.padding[0])
    inner = nn.Conv2d(convolution.in_channels, convolution.out_channels, size, convolution.stride, bias=False)
    inner.weight = convolution.weight
    return [nn.ZeroPad2d(padding), inner]
