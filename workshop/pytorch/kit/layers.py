"""Modules for any samples that Keras and PyTorch define differently, activations by Keras' names, and Keras' start.

With them the same weights give the same numbers in both. `image_layers.py` has those for images, `recurrent.py` those
for sequences.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


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
        """The settings that `print(module)` shows in the parentheses."""
        return f"{self.scale}, offset={self.offset}"


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
        """The settings that `print(module)` shows in the parentheses."""
        return f"{len(self.running_mean)}, momentum={self.momentum}, epsilon={self.epsilon}, axis={self.axis}"


class LayerNormAsKeras(nn.Module):
    """Y = weight (X - mean) / sqrt(variance + epsilon) + bias over the channels of each place (Ba and others 2016).

    `nn.LayerNorm` has them last, where images here have them first; its epsilon is 1e-5, Keras' 1e-3.

    Args:
        features: how many channels, or inputs of a dense layer.
        epsilon: as in Keras.
        center, scale: whether there is a bias, and a weight.
        axis: where the channels are.
    """

    def __init__(self, features: int, epsilon: float = 1e-3, center: bool = True, scale: bool = True, axis: int = -1):
        super().__init__()
        self.features, self.epsilon, self.axis = features, epsilon, axis
        self.weight = nn.Parameter(torch.ones(features)) if scale else None
        self.bias = nn.Parameter(torch.zeros(features)) if center else None

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns X, of two axes or more, normalised."""
        X = X.movedim(self.axis, -1)
        return F.layer_norm(X, (self.features,), self.weight, self.bias, self.epsilon).movedim(-1, self.axis)

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return f"{self.features}, epsilon={self.epsilon}, axis={self.axis}"


class ReLUAsKeras(nn.Module):
    """Keras' layer ReLU: x above the threshold, but at most `max_value`; below it slope (x - threshold)."""

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0):
        super().__init__()
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns the lines above."""
        above = X if self.max_value is None else X.clamp(max=self.max_value)
        return torch.where(self.threshold < X, above, self.negative_slope * (X - self.threshold))

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return f"{self.max_value}, negative_slope={self.negative_slope}, threshold={self.threshold}"


class PReLUAsKeras(nn.Module):
    """x above 0, weight x below, with weights for as many axes as Keras has; `nn.PReLU` has one for each channel.

    Args:
        shape: of the weights, as a sample has its axes here.
    """

    def __init__(self, shape: Sequence[int]):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(tuple(shape)))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns the two lines above."""
        return torch.where(X > 0, X, self.weight * X)

    def extra_repr(self) -> str:
        """The settings that `print(module)` shows in the parentheses."""
        return f"{tuple(self.weight.shape)}"


class Exponential(nn.Module):
    """e^x, for numbers that are above 0: a rate, a count."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Returns e^X."""
        return X.exp()


# From Keras' names for them. Softmax needs to know the axis of the classes, the last one in Keras.
ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "linear": lambda axis: nn.Identity(),
    "sigmoid": lambda axis: nn.Sigmoid(),
    "tanh": lambda axis: nn.Tanh(),
    "relu": lambda axis: nn.ReLU(),
    "relu6": lambda axis: nn.ReLU6(),
    "leaky_relu": lambda axis: nn.LeakyReLU(0.2),  # PyTorch's own slope is 0.01
    "silu": lambda axis: nn.SiLU(),
    "elu": lambda axis: nn.ELU(),
    "selu": lambda axis: nn.SELU(),
    "gelu": lambda axis: nn.GELU(),
    "softplus": lambda axis: nn.Softplus(),
    "softsign": lambda axis: nn.Softsign(),
    "exponential": lambda axis: Exponential(),
    "hard_sigmoid": lambda axis: nn.Hardsigmoid(),
    "softmax": lambda axis: nn.Softmax(dim=axis),
}


def activation(name: str) -> nn.Module:
    """Returns the module of an activation function by Keras' name for it: "relu", "sigmoid", "tanh"."""
    return ACTIVATIONS[name](1)


def initialize_as_keras(network: nn.Module) -> nn.Module:
    """Draws the weights of all nn.Linear and convolutions anew, as Keras does, and returns the network.

    Kernels are drawn between -l and l, l = sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010); biases are zeros.
    PyTorch's own start depends on the inputs alone, and its biases are drawn as well.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
