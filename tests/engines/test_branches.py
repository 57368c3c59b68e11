"""Models whose layers branch and come together in Add layers: residual blocks, in every engine, from one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.layer_cases import assert_close, numpy_gradients
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import h5, keras_h5
from workshop.kit.saving.architecture import Architecture, Layer, added, branches
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.kit.saving.model import KerasModel
from workshop.pytorch.kit.image_layers import GlobalAveragePooling
from workshop.pytorch.kit.layout import ChannelsFirst, FlattenAsKeras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.wrappers import AddBranches
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.wrappers import Add

pytestmark = pytest.mark.usefixtures("alone")

X = np.random.default_rng(2).normal(size=(5, 6, 7, 3)).astype(np.float32)


def build() -> keras.Model:
    """A network with a residual block, one whose shortcut is a convolution and has a block in it, and added vectors."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 7, 3))
    one = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    inner = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(one))
    two = layers.Add()([one, layers.Conv2D(4, 1)(layers.Activation("relu6")(inner))])
    row = layers.Conv2D(5, 3, strides=2, padding="same", activation=layers.LeakyReLU(0.1))(two)
    row = layers.Activation("relu")(layers.add([layers.Conv2D(5, 1)(row), row, row]))
    three = layers.add([row, layers.Conv2D(5, 1, strides=2)(two)])
    left = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 1)(three))
    right = layers.Dense(6, activation="tanh")(layers.Flatten()(three))
    model = keras.Model(inputs, layers.Dense(3, "softmax")(left + right))
    random = np.random.default_rng(3)
    drawn = [random.uniform(0.2, 0.8, array.shape) / (1 + 2 * (array.ndim > 1)) for array in model.get_weights()]
    model.set_weights([one - one.mean() * (one.ndim > 1) for one in drawn])
    return model


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("branches") / "branches.h5"
    build().save(path)
    return path


def test_one_file_gives_the_same_predictions_in_all_engines_and_comes_back_whole(path: Path) -> None:
    content = path.read_bytes()
    expected = keras_h5.from_bytes(content, path).predict(X)
    assert np.ptp(expected, axis=0).min() > 1e-3
    for engine in (Network, TorchModel):
        model = engine.from_h5(path)
        np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-5)
        again = keras_h5.from_bytes(model.to_h5(), path)
        np.testing.assert_allclose(again.predict(X), expected, rtol=0, atol=1e-5)
        assert Network.from_architecture(h5.from_bytes(model.to_h5(), path)).count_params() == model.count_params()
    own = keras.models.load_model
    (path.parent / "own.h5").write_bytes(model.to_h5())
    np.testing.assert_allclose(KerasModel(own(path.parent / "own.h5")).predict(X), expected, rtol=0, atol=1e-5)
    assert h5.read(path).separated().multiplications() > 0


def test_images_that_come_out_of_branches_that_take_vectors(tmp_path: Path) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12,))
    images = layers.Add()([layers.Reshape((2, 3, 2))(layers.Dense(12)(inputs)), layers.Reshape((2, 3, 2))(inputs)])
    vectors = layers.Flatten()(layers.Conv2D(2, 2, activation="tanh")(images))
    model = keras.Model(inputs, layers.add([layers.Dense(4)(vectors), vectors]))
    model.save(tmp_path / "images.h5")
    rows = np.random.default_rng(6).normal(size=(5, 12)).astype(np.float32)
    for engine in (Network, TorchModel):
        made = engine.from_h5(tmp_path / "images.h5")
        np.testing.assert_allclose(made.predict(rows), model.predict(rows, verbose=0), rtol=0, atol=1e-5)


def test_the_gradients_are_those_of_pytorch(path: Path) -> None:
    described = h5.read(path).separated()
    (block,) = [layer for layer in described.layers if layer.kind == "Add"][:1]
    shape = described.shapes()[described.layers.index(block)]
    network = Network.from_architecture(Architecture(shape, [block]), np.float64)
    module = TorchModel.from_h5
    images = np.random.default_rng(4).normal(size=(2, *shape))
    direction = np.random.default_rng(5).normal(size=(2, *network.output_shape))
    from workshop.pytorch.kit.model import from_architecture

    module = from_architecture(Architecture(shape, [block]), torch.float64).eval()
    inputs = torch.tensor(images, requires_grad=True)
    (module(inputs) * torch.tensor(direction)).sum().backward()
    dX, *others = numpy_gradients(network.layers[0], images, direction)
    assert inputs.grad is not None
    assert_close([dX], [inputs.grad.numpy()], 1e-9)
    sizes = [(parameter.grad.numel(), float(parameter.grad.square().sum())) for parameter in module.parameters()]
    np.testing.assert_allclose(
        sorted((other.size, float(np.square(other).sum())) for other in others), sorted(sizes), rtol=1e-9
    )


def test_a_network_of_pytorch_with_branches_is_saved() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            row = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
            self.block = AddBranches(row, nn.Sequential(nn.Conv2d(3, 4, 1)))
            self.pooling, self.output = GlobalAveragePooling(), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.output(self.pooling(torch.relu(self.block(x))))

    torch.manual_seed(1)
    network = Residual().eval()
    model = TorchModel(network, X.shape[1:], "softmax")
    with torch.inference_mode():
        expected = network(torch.tensor(X).permute(0, 3, 1, 2)).softmax(1).numpy()
    described = h5.from_bytes(model.to_h5(), "residual.h5")
    assert [layer.kind for layer in described.layers] == ["Add", "Activation", "GlobalAveragePooling2D", "Dense"] or [
        layer.kind for layer in described.layers
    ] == ["Add", "Activation", "GlobalAveragePooling2D", "Dense", "Activation"]
    for one in (Network.from_architecture(described), keras_h5.from_bytes(model.to_h5(), "residual.h5")):
        np.testing.assert_allclose(one.predict(X), expected, rtol=0, atol=1e-5)
    weights = model.get_weights()
    model.set_weights([2 * weight for weight in weights])
    np.testing.assert_array_equal(model.get_weights()[0], 2 * weights[0])


def test_a_branch_that_flattens_in_pytorchs_order_is_refused() -> None:
    block = AddBranches(nn.Sequential(FlattenAsKeras()), nn.Sequential(nn.Flatten()))
    with pytest.raises(WorkshopError, match=r"nn\.Flatten\(\): takes FlattenAsKeras\(\) there"):
        TorchModel(nn.Sequential(ChannelsFirst(), block, nn.Linear(12, 1)), (2, 2, 3)).to_h5()


def test_a_residual_block_is_trained_in_numpy() -> None:
    network = Network([Add([[Dense(4, "tanh"), Dense(2)], []])], (2,), seed=1)
    assert list(network.parameters) == ["0/0/0/kernel", "0/0/0/bias", "0/0/1/kernel", "0/0/1/bias"]
    assert network.architecture.layers[0].settings["branches"][1] == []
    with pytest.raises(WorkshopError, match=r"the branches of an Add layer give samples of shapes \(4,\), \(2,\)"):
        Network([Add([[Dense(4)], []])], (2,))


def crossing(layers: Any, inputs: Any) -> Any:
    one, two = layers.Dense(2)(inputs), layers.Dense(2)(inputs)
    return layers.add([layers.add([one, two]), two])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda layers, inputs: layers.Multiply()([inputs, layers.Dense(2)(inputs)]), "come together in Add layers"),
        (crossing, "come together in Add layers"),
    ],
)
def test_other_branches_are_refused(make: Any, said: str, tmp_path: Path) -> None:
    inputs = keras.Input((2,))
    keras.Model(inputs, make(keras.layers, inputs)).save(tmp_path / "other.h5")
    with pytest.raises(UnknownLayerError, match=said):
        h5.read(tmp_path / "other.h5")


def test_branches_of_different_shapes_are_refused() -> None:
    rows = [[Layer("Dense", {"units": n, "activation": "linear", "use_bias": True})] for n in (2, 3)]
    with pytest.raises(WorkshopError, match=r"an Add layer gets samples of shapes \(2,\), \(3,\)"):
        Architecture((4,), [added(rows)]).shapes()
    assert [len(row) for row in branches(added(rows))] == [1, 1]
