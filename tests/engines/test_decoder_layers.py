"""The layers that decoders are built of, Reshape and UpSampling2D: the same numbers in all engines, from one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import h5
from workshop.kit.saving.architecture import Architecture, Layer, layer_from
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.kit.saving.model import KerasModel
from workshop.pytorch.kit import layout
from workshop.pytorch.kit.model import TorchModel, from_architecture, to_architecture
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.pooling import UpSampling2D
from workshop.scratch.nn.reshaping import Reshape

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def model() -> keras.Sequential:
    """A small decoder with several channels wherever their order can go wrong, and images in the middle of a row."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(2 * 3 * 4, activation="tanh"),
            layers.Reshape((2, 3, 4)),
            layers.UpSampling2D((3, 2)),
            layers.Conv2D(2, 3, padding="same", activation="relu"),
            layers.UpSampling2D(),
            layers.Reshape((6, -1)),
            layers.Reshape((12, 12, 2)),
            layers.Reshape((-1,)),
            layers.Dense(8, activation="sigmoid"),
            layers.Reshape((2, 2, 2)),
        ]
    )


@pytest.fixture(scope="module")
def path(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("decoder") / "decoder.h5"
    model.save(path)
    return path


X = np.random.default_rng(2).normal(size=(7, 5)).astype(np.float32)


def test_one_file_gives_the_same_predictions_in_all_engines_and_comes_back_whole(
    model: Any, path: Path, tmp_path: Path
) -> None:
    expected = KerasModel(model).predict(X)
    assert expected.shape == (7, 2, 2, 2) and np.ptp(expected) > 0.1
    for mirror in (Network.from_h5(path), TorchModel.from_h5(path)):
        np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-6)
        assert mirror.output_shape == (2, 2, 2)
        mirror.save_h5(tmp_path / "again.h5")
        again = keras.models.load_model(tmp_path / "again.h5", compile=False)
        np.testing.assert_array_equal(KerasModel(again).predict(X), expected)
        pairs = zip(mirror.stages(X[:2]), KerasModel(model).stages(X[:2]), strict=True)
        for (name, output), (their_name, theirs) in pairs:
            assert name == their_name
            np.testing.assert_allclose(output, theirs, rtol=1e-5, atol=1e-6)
    described = h5.read(path)
    assert described.layers[5].settings == {"target_shape": [6, -1]} and described.shapes()[6] == (6, 48)
    assert h5.to_bytes(described) == h5.to_bytes(h5.from_bytes(h5.to_bytes(described), path))


def test_the_gradient_of_every_weight_is_the_same(path: Path) -> None:
    y = np.random.default_rng(3).random((7, 2, 2, 2))
    network = Network.from_h5(path, np.float64)
    network.backward(network.forward(X, training=True), y, make_loss("mean_squared_error"))
    mirror = TorchModel.from_h5(path, torch.float64)
    nn.functional.mse_loss(mirror.module(torch.tensor(X, dtype=torch.float64)), torch.tensor(y)).backward()
    with torch.no_grad():
        for parameter in mirror.module.parameters():
            parameter.copy_(parameter.grad)  # in the place of the weights, which the model knows how to lay out
    for (name, true), gradient in zip(network.gradients.items(), mirror.get_weights(), strict=True):
        assert np.abs(true).max() > 0
        np.testing.assert_allclose(gradient, true, rtol=1e-7, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("make", [lambda: UpSampling2D((2, 3)), lambda: Reshape((4, -1)), lambda: Reshape((24,))])
def test_gradients_agree_with_finite_differences(make: Callable[[], Any]) -> None:
    random = np.random.default_rng(4)
    layer = make()
    built = layer.build((3, 4, 2), random, np.float64)
    samples = random.normal(size=(3, 3, 4, 2))
    direction = random.normal(size=layer.forward(samples).shape)
    assert direction.shape == (3, *built)
    gradient = layer.backward(direction)
    step = random.normal(size=samples.shape)
    # Both layers are linear, so one difference is exact.
    moved = ((layer.forward(samples + step) - layer.forward(samples)) * direction).sum()
    assert moved == pytest.approx((gradient * step).sum())


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 1), (2, 3)])
def test_any_block_is_keras_block_in_each_engine(size: tuple[int, int]) -> None:
    images = np.random.default_rng(5).normal(size=(2, 3, 4, 2)).astype(np.float32)
    layer = keras.layers.UpSampling2D(size)
    expected = keras.ops.convert_to_numpy(layer(images))
    architecture = Architecture((3, 4, 2), [layer_from("UpSampling2D", layer.get_config())])
    module = from_architecture(architecture)
    for mirror in (Network.from_architecture(architecture), TorchModel(module, (3, 4, 2))):
        np.testing.assert_array_equal(mirror.predict(images), expected)
    assert to_architecture(module, (3, 4, 2)).layers == architecture.layers
    assert architecture.shapes()[-1] == expected.shape[1:] and architecture.multiplications() == 0


def test_a_decoder_written_by_hand_is_a_keras_model(tmp_path: Path) -> None:
    torch.manual_seed(6)
    module = nn.Sequential(
        nn.Linear(5, 12),
        nn.ReLU(),
        layout.ReshapeAsKeras((2, 2, 3)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(3, 2, 3, padding=1),
        nn.Sigmoid(),
        layout.ChannelsLast(),
    )
    mirror = TorchModel(module, (5,))
    mirror.save_h5(tmp_path / "decoder.h5")
    theirs = keras.models.load_model(tmp_path / "decoder.h5", compile=False)
    assert [type(layer).__name__ for layer in theirs.layers] == ["Dense", "Reshape", "UpSampling2D", "Conv2D"]
    np.testing.assert_allclose(mirror.predict(X), KerasModel(theirs).predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("UpSampling2D", {"interpolation": "bilinear"}, "UpSampling2D layer has interpolation = 'bilinear'"),
        ("UpSampling2D", {"data_format": "channels_first"}, "data_format = 'channels_first'"),
        ("UpSampling2D", {"size": [0, 2]}, r"UpSampling2D layer has size = \[0, 2\]"),
        ("Reshape", {}, "Reshape layer has target_shape = None"),
        ("Reshape", {"target_shape": [2, 0]}, r"Reshape layer has target_shape = \[2, 0\]"),
        ("Reshape", {"target_shape": [-1, -1]}, r"Reshape layer has target_shape = \[-1, -1\]"),
        ("Reshape", {"target_shape": [1, 2, 3, 4]}, r"Reshape layer has target_shape = \[1, 2, 3, 4\]"),
    ],
)
def test_a_setting_that_is_not_known_is_refused_by_name(kind: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UnknownLayerError, match=says):
        layer_from(kind, options)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Network([UpSampling2D()], (5, 5)), r"UpSampling2D layer gets samples of shape \(5, 5\)"),
        (
            lambda: Network([Reshape((4, 4))], (5,)),
            r"Reshape layer gets samples of shape \(5,\), takes as many numbers",
        ),
        (lambda: Architecture((5,), [Layer("Reshape", {"target_shape": [2, -1]})]).shapes(), "cannot make"),
        (lambda: TorchModel(nn.Sequential(layout.ReshapeAsKeras((3, 2))), (5,)), "cannot make"),
        (lambda: TorchModel(nn.Sequential(nn.Upsample(scale_factor=2)), (4, 4, 1)), "ChannelsFirst"),
        (lambda: TorchModel(nn.Sequential(layout.ChannelsFirst(), nn.Upsample(9)), (4, 4, 1)), "has size = 9"),
        (
            lambda: TorchModel(nn.Sequential(layout.ChannelsFirst(), nn.Upsample(scale_factor=1.5)), (4, 4, 1)),
            "has scale_factor = 1.5, takes whole numbers",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(make: Callable[[], object], says: str) -> None:
    with pytest.raises(WorkshopError, match=says):
        make()
