"""Networks as PyTorch is written, classes with a forward, told in Keras' words: the same numbers, from one file."""

from collections.abc import Callable
from operator import methodcaller

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.pytorch.kit.model import TorchModel
from workshop.scratch.nn.network import Network

IMAGES = np.random.default_rng(3).random((5, 12, 10, 3), np.float32)


class Classifier(nn.Module):
    """Convolutions, a shared pooling, PyTorch's own order of flattening, logits."""

    def __init__(self, flatten: str = "flatten") -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3, padding="same")])
        self.pooling = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.5)
        self.hidden = nn.Linear(6 * 2 * 2, 7)
        self.output = nn.Linear(7, 3)
        self.flatten = flatten

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for convolution in self.convolutions:
            x = self.pooling(torch.relu(convolution(x)))
        if self.flatten == "view":
            x = x.view(x.size(0), -1)
        else:
            x = x.flatten(start_dim=1) if self.flatten == "flatten" else torch.flatten(x, 1)
        x = self.dropout(torch.tanh(self.hidden(x)))
        return self.output(x)


def by_pytorch(network: nn.Module) -> np.ndarray:
    """The network as it stands, on images with their channels first."""
    network.eval()
    with torch.no_grad():
        return network(torch.from_numpy(IMAGES).permute(0, 3, 1, 2).contiguous()).numpy()


@pytest.mark.parametrize("flatten", ["flatten", "torch.flatten", "view"])
def test_a_class_predicts_the_same_in_all_engines(flatten: str, room: object) -> None:
    torch.manual_seed(1)
    network = Classifier(flatten)
    model = TorchModel(network, (12, 10, 3), activation="softmax")
    expected = torch.softmax(torch.from_numpy(by_pytorch(network)), dim=1).numpy()
    np.testing.assert_allclose(model.predict(IMAGES), expected, atol=1e-6)
    model.save_h5("class.h5")
    for loaded in (Network.from_h5("class.h5"), TorchModel.from_h5("class.h5")):
        np.testing.assert_allclose(loaded.predict(IMAGES), expected, atol=1e-6)
    names = [layer.kind for layer in model.architecture.layers]
    assert names == ["Conv2D", "MaxPooling2D"] * 2 + ["Flatten", "Dense", "Dropout", "Dense"]


def test_weights_go_in_and_out_in_the_layout_of_keras() -> None:
    network, other = Classifier(), Classifier()
    model, copy = TorchModel(network, (12, 10, 3)), TorchModel(other, (12, 10, 3))
    weights = [weight + 0.5 for weight in model.get_weights()]
    copy.set_weights(weights)
    for weight, expected in zip(copy.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    model.set_weights(weights)
    np.testing.assert_array_equal(by_pytorch(network), by_pytorch(other))  # the weights are shared, not copied


class Decoder(nn.Module):
    """Numbers in, an image of one channel out."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 9)
        self.smooth = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.smooth(self.dense(x).unflatten(1, (1, 3, 3))))


# What a forward calls behind a convolution: functions of PyTorch, and methods of a tensor.
CALLS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    **{name: getattr(torch, name) for name in ("relu", "sigmoid", "tanh")},
    **{f"x.{name}": methodcaller(name) for name in ("relu", "sigmoid", "tanh")},
    **{
        f"F.{name}": getattr(F, name)
        for name in ("relu", "sigmoid", "tanh", "silu", "relu6", "selu", "softsign", "hardsigmoid", "elu", "gelu")
    },
    "F.elu of 0.5": lambda x: F.elu(x, 0.5),
    "F.leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "F.leaky_relu as it is": F.leaky_relu,
    "F.softplus": F.softplus,
    "x.flatten": lambda x: x.flatten(1),
    "torch.flatten by name": lambda x: torch.flatten(x, start_dim=1),
    "x.reshape": lambda x: x.reshape(x.size(0), -1),
    "torch.mean": lambda x: torch.mean(x, (2, 3)),
    "torch.mean by name": lambda x: torch.mean(x, dim=(2, 3)),
    "x.mean": lambda x: x.mean([2, 3]),
    "F.max_pool2d": lambda x: F.max_pool2d(x, 3),
    "F.max_pool2d with strides": lambda x: F.max_pool2d(x, 3, stride=2),
    "torch.max_pool2d": lambda x: torch.max_pool2d(x, 2),
    "F.interpolate": lambda x: F.interpolate(x, scale_factor=2),
}


class Calling(nn.Module):
    def __init__(self, call: Callable[[torch.Tensor], torch.Tensor], is_flat: bool = False) -> None:
        super().__init__()
        self.call = call
        self.convolution = nn.Conv2d(3, 4, 3)
        self.output = nn.Linear(4 * 10 * 8, 3) if is_flat else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.call(self.convolution(x)))


@pytest.mark.parametrize("name", CALLS)
def test_what_a_forward_calls_is_computed_by_all_engines(name: str, room: object) -> None:
    torch.manual_seed(1)
    network = Calling(CALLS[name], is_flat="flatten" in name or "reshape" in name)
    with torch.no_grad():
        network.convolution.weight.mul_(5)  # outputs far on both sides of 0
    expected = by_pytorch(network)
    expected = expected.transpose(0, 2, 3, 1) if expected.ndim == 4 else expected
    model = TorchModel(network, (12, 10, 3))
    np.testing.assert_allclose(model.predict(IMAGES), expected, rtol=1e-5, atol=1e-5)
    model.save_h5("calls.h5")
    np.testing.assert_allclose(Network.from_h5("calls.h5").predict(IMAGES), expected, rtol=1e-5, atol=1e-5)


def test_a_network_may_be_one_layer() -> None:
    torch.manual_seed(1)
    layer, convolution = nn.Linear(3, 2), nn.Conv2d(3, 4, 3)
    rows = np.random.default_rng(1).random((5, 3), np.float32)
    outputs = layer(torch.from_numpy(rows)).detach()
    np.testing.assert_allclose(TorchModel(layer, (3,)).predict(rows), outputs.numpy(), atol=1e-6)
    of_rows, of_images = TorchModel(layer, (3,), "sigmoid"), TorchModel(convolution, (12, 10, 3), "sigmoid")
    np.testing.assert_allclose(of_rows.predict(rows), torch.sigmoid(outputs).numpy(), atol=1e-6)
    expected = torch.sigmoid(torch.from_numpy(by_pytorch(convolution))).permute(0, 2, 3, 1)
    np.testing.assert_allclose(of_images.predict(IMAGES), expected.numpy(), atol=1e-6)
    with pytest.raises(WorkshopError, match=r"the module Mish.* is not known here"):
        TorchModel(nn.Mish(), (3,))


def test_a_network_of_double_precision_is_told_in_keras_words() -> None:
    layer = TorchModel(Calling(torch.relu).double(), (12, 10, 3)).architecture.layers[0]
    assert (layer.kind, layer.settings["activation"]) == ("Conv2D", "relu")


def test_images_come_out_with_their_channels_last() -> None:
    decoder = Decoder()
    numbers = np.random.default_rng(1).random((2, 4), np.float32)
    images = TorchModel(decoder, (4,)).predict(numbers)
    with torch.no_grad():
        expected = decoder(torch.from_numpy(numbers)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(images, expected, atol=1e-6)


def test_predicting_leaves_a_network_in_the_mode_that_it_was_in() -> None:
    network = Classifier()
    model = TorchModel(network, (12, 10, 3))
    for mode in (True, False):
        network.train(mode)
        model.predict(IMAGES)
        assert [module.training for module in network.modules()] == [mode] * len(list(network.modules()))


class Branching(Classifier):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.mean(dim=(2, 3))
        return x + torch.relu(x)


class Deciding(Classifier):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) if x.sum() > 0 else x


class Unknown(Classifier):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.mish(x.flatten(1))


class Indexing(Classifier):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 1]


class Reshaping(Classifier):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.size(0), 6, -1)


class Averaging(Classifier):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2))


class Two(Classifier):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.relu(self.convolutions[0](x))
        return x


class Nothing(nn.Module):
    pass


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (Branching(), "forward of Branching does not take what the call before it returns"),
        (Deciding(), "forward of Deciding cannot be followed"),
        (Unknown(), "mish.* in forward has no name in Keras"),
        (Calling(lambda x: F.gelu(x, approximate="tanh")), "approximate = 'tanh'"),
        (Calling(lambda x: F.interpolate(x, (5, 4), mode="bilinear", antialias=True)), "interpolate .* has no name"),
        (Calling(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")), "mode = 'bilinear', takes 'nearest'"),
        (Indexing(), "an index in forward .* has no name in Keras"),
        (Reshaping(), "reshape in forward has no name in Keras"),
        (Averaging(), "mean in forward has no name in Keras"),
        (Two(), "forward of Two returns something else than its last call"),
        (Nothing(), "forward of Nothing"),
    ],
)
def test_what_keras_has_no_words_for_is_refused(network: nn.Module, named: str) -> None:
    with pytest.raises(WorkshopError, match=named) as refused:
        TorchModel(network, (12, 10, 3))
    assert len(str(refused.value).splitlines()) == 1
