"""Networks as PyTorch is written, classes with a forward, told in Keras' words: the same numbers, from one file."""

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


class Nothing(nn.Module):
    pass


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (Branching(), "forward of Branching does not take what the call before it returns"),
        (Deciding(), "forward of Deciding cannot be followed"),
        (Unknown(), "mish.* in forward has no name in Keras"),
        (Nothing(), "forward of Nothing"),
    ],
)
def test_what_keras_has_no_words_for_is_refused(network: nn.Module, named: str) -> None:
    with pytest.raises(WorkshopError, match=named) as refused:
        TorchModel(network, (12, 10, 3))
    assert len(str(refused.value).splitlines()) == 1
