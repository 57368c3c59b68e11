"""The layers of networks for photographs: the same numbers in all three engines, from one file and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.saving import h5
from workshop.kit.saving.architecture import KINDS, Architecture, layer_from
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.kit.saving.model import KerasModel
from workshop.pytorch.kit import image_layers, layout
from workshop.pytorch.kit.model import TorchModel, from_architecture, to_architecture
from workshop.scratch.nn import depthwise, pooling
from workshop.scratch.nn.layers import Activation, Layer, Rescaling
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import LAYERS, Network

SHAPE = (18, 15, 3)
PHOTO_LAYERS = ("GlobalAveragePooling2D", "DepthwiseConv2D", "SeparableConv2D", "ZeroPadding2D", "Rescaling")

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small network with each of the layers, its weights and statistics all drawn, so that none is 0 or 1."""
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Rescaling(1.5, offset=-0.25),
            layers.Conv2D(6, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("swish"),
            layers.SeparableConv2D(8, 3, strides=2, padding="same", activation="silu"),
            layers.ZeroPadding2D(((0, 1), (2, 0))),
            layers.DepthwiseConv2D((3, 2), activation="relu6"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.0),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    random = np.random.default_rng(1)
    made.set_weights(
        [
            random.normal(0, 0.6, w.shape) if "kernel" in w.name else random.uniform(0.1, 0.9, w.shape)
            for w in made.weights
        ]
    )
    return made


@pytest.fixture(scope="module")
def path(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("photo") / "photo.h5"
    model.save(path)
    return path


def photos(count: int) -> np.ndarray:
    """Noise, of which some is brighter and some darker."""
    random = np.random.default_rng(2)
    return random.random((count, *SHAPE), np.float32) * random.uniform(0, 2, (count, 1, 1, 3)).astype(np.float32)


def test_one_file_gives_the_same_predictions_in_all_engines_and_comes_back_whole(
    model: Any, path: Path, tmp_path: Path
) -> None:
    X = photos(30)
    expected = KerasModel(model).predict(X)
    assert np.ptp(expected) > 0.1
    written = []
    for mirror in (Network.from_h5(path), TorchModel.from_h5(path)):
        np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-5)
        assert mirror.count_params() == model.count_params()
        mirror.save_h5(tmp_path / "again.h5")
        again = keras.models.load_model(tmp_path / "again.h5", compile=False)
        np.testing.assert_allclose(KerasModel(again).predict(X), expected, rtol=1e-6, atol=1e-6)
        for weight, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, theirs)
        for name, stage in mirror.stages(X[:2]):
            assert stage.shape[0] == 2 and name in KINDS
        written.append((tmp_path / "again.h5").read_bytes())
    assert written[0] == h5.to_bytes(h5.read(path))
    kinds = [layer.kind for layer in h5.read(path).layers]
    assert kinds == [layer.kind for layer in h5.from_bytes(written[1], path).layers]
    assert kinds == [type(layer).__name__ for layer in model.layers]


def numpy_gradients(path: Path, X: np.ndarray, y: np.ndarray, dtype: type) -> dict[str, np.ndarray]:
    """Returns the gradients of the binary cross-entropy by name, in Keras' order."""
    network = Network.from_h5(path, dtype)
    network.backward(network.forward(X, training=True), y, make_loss("binary_crossentropy"))
    return {name: network.gradients[name] for name in network.parameters}


def torch_gradients(path: Path, X: np.ndarray, y: np.ndarray, dtype: torch.dtype) -> list[np.ndarray]:
    """Returns the gradients of the binary cross-entropy in Keras' order and layout."""
    mirror = TorchModel.from_h5(path, dtype)
    mirror.module.train()
    nn.functional.binary_cross_entropy(
        mirror.module(torch.tensor(X, dtype=dtype)), torch.tensor(y, dtype=dtype)
    ).backward()
    with torch.no_grad():
        for parameter in mirror.module.parameters():
            assert parameter.grad is not None
            parameter.copy_(parameter.grad)  # in the place of the weights, which the model knows how to lay out
    described = to_architecture(mirror.module, SHAPE).layers
    return [array for layer in described for name, array in layer.weights.items() if not name.startswith("moving")]


def test_the_gradient_of_every_weight_is_the_same(model: Any, path: Path) -> None:
    X, y = photos(6), np.array([[0], [1], [1], [0], [1], [0]], np.float32)
    exact, single = (numpy_gradients(path, X, y, dtype) for dtype in (np.float64, np.float32))
    with tensorflow.GradientTape() as tape:
        losses = keras.losses.binary_crossentropy(tensorflow.constant(y), model(tensorflow.constant(X), training=True))
        mean = keras.ops.mean(losses)
    by_keras = [gradient.numpy() for gradient in tape.gradient(mean, model.trainable_variables)]
    for tolerance, gradients in (
        (1e-4, by_keras),
        (1e-4, list(single.values())),
        (1e-4, torch_gradients(path, X, y, torch.float32)),
        (1e-10, torch_gradients(path, X, y, torch.float64)),
    ):
        for (name, true), gradient in zip(exact.items(), gradients, strict=True):
            assert gradient.shape == true.shape and np.abs(true).max() > 0
            assert np.abs(gradient - true).max() <= tolerance * np.abs(true).max(), name
    assert {gradient.dtype for gradient in single.values()} == {np.dtype(np.float32)}


GRADIENT_CASES: dict[str, tuple[Callable[[], Layer], tuple[int, ...]]] = {
    "depthwise valid": (lambda: depthwise.DepthwiseConv2D((3, 2), activation="tanh"), (5, 6, 3)),
    "depthwise same, strides": (lambda: depthwise.DepthwiseConv2D(3, 2, "same", "silu"), (6, 7, 3)),
    "separable": (lambda: depthwise.SeparableConv2D(4, 3, 2, "same", "tanh"), (6, 7, 3)),
    "zero padding": (lambda: pooling.ZeroPadding2D([[1, 0], [0, 2]]), (3, 4, 2)),
    "global average pooling": (pooling.GlobalAveragePooling2D, (3, 4, 2)),
    "silu": (lambda: Activation("silu"), (5,)),
    "rescaling": (lambda: Rescaling(-1.5, 0.25), (5,)),
}


@pytest.mark.parametrize("name", GRADIENT_CASES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    make, shape = GRADIENT_CASES[name]
    random = np.random.default_rng(3)
    layer = make()
    built = layer.build(shape, random, np.float64)
    X = random.normal(size=(3, *shape))
    direction = random.normal(size=layer.forward(X).shape)
    assert direction.shape == (3, *built)
    dX = layer.backward(direction)
    for place, gradient in [(X, dX), *((layer.parameters[key], layer.gradients[key]) for key in layer.parameters)]:
        assert gradient.shape == place.shape
        for index in [tuple(random.integers(0, n) for n in place.shape) for _ in range(10)]:
            kept, sides = place[index], []
            for step in (1e-6, -1e-6):
                place[index] = kept + step
                sides.append((layer.forward(X) * direction).sum())
            place[index] = kept
            assert gradient[index] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same"]),
    # Where one column comes out of strides, TensorFlow 2.21 itself is wrong with oneDNN, and right without.
    size=st.tuples(st.integers(7, 10), st.integers(7, 10)),
    channels=st.integers(1, 3),
    use_bias=st.booleans(),
)
def test_any_window_is_keras_window_in_each_engine(
    window: tuple[int, int], stride: int, padding: str, size: tuple[int, int], channels: int, use_bias: bool
) -> None:
    X = np.random.default_rng(4).normal(size=(2, *size, channels)).astype(np.float32)
    options = {"strides": stride, "padding": padding, "use_bias": use_bias, "bias_initializer": "normal"}
    for layer in (
        keras.layers.DepthwiseConv2D(window, **options),
        keras.layers.SeparableConv2D(2, window, **options),
    ):
        expected = keras.ops.convert_to_numpy(layer(X))
        described = layer_from(type(layer).__name__, layer.get_config())
        described.weights = {weight.name: np.asarray(weight) for weight in layer.weights}
        architecture = Architecture((*size, channels), [described])
        assert architecture.shapes()[-1] == expected.shape[1:]
        module = from_architecture(architecture)
        for mirror in (Network.from_architecture(architecture), TorchModel(module, X.shape[1:])):
            np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-5)
        (again,) = to_architecture(module, X.shape[1:]).layers
        if channels > 1:  # of one channel nn.Conv2d tells no depthwise convolution from any other
            assert (again.kind, again.settings) == (described.kind, described.settings)
        for name, weight in described.weights.items():
            np.testing.assert_array_equal(again.weights[name], weight)


def test_a_mirror_written_by_hand_is_a_keras_model(tmp_path: Path) -> None:
    torch.manual_seed(5)
    module = nn.Sequential(
        layout.ChannelsFirst(),
        nn.ZeroPad2d((0, 1, 2, 3)),
        nn.Conv2d(3, 4, 3, stride=2),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        image_layers.PadAsTensorFlow(3, 2),
        nn.Conv2d(4, 4, 3, stride=2, groups=4, bias=False),
        nn.SiLU(),
        image_layers.SeparableConv2d(4, 5, 3, padding=1),
        nn.ReLU(),
        image_layers.GlobalAveragePooling(),
        nn.Linear(5, 2),
    )
    mirror = TorchModel(module, SHAPE)
    mirror.save_h5(tmp_path / "mirror.h5")
    theirs = keras.models.load_model(tmp_path / "mirror.h5", compile=False)
    assert ", ".join(type(layer).__name__ for layer in theirs.layers) == (
        "ZeroPadding2D, Conv2D, BatchNormalization, Activation, DepthwiseConv2D, SeparableConv2D, "
        "GlobalAveragePooling2D, Dense"
    )
    assert [theirs.layers[i].activation.__name__ for i in (3, 4, 5)] == ["silu", "silu", "relu"]
    X = photos(4)
    np.testing.assert_allclose(mirror.predict(X), KerasModel(theirs).predict(X), rtol=1e-5, atol=1e-5)
    pairs = zip(mirror.stages(X), KerasModel(theirs).stages(X), strict=True)
    for (name, output), (their_name, their_output) in pairs:
        assert name == their_name
        np.testing.assert_allclose(output, their_output, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Dense", {"units": 60}),
        ("Conv1D", {"filters": 60, "kernel_size": 4}),
        ("Conv2D", {"filters": 60, "kernel_size": 3}),
        ("Conv2DTranspose", {"filters": 60, "kernel_size": 3}),
        ("DepthwiseConv2D", {"kernel_size": 3}),
        ("SeparableConv2D", {"filters": 60, "kernel_size": 3}),
    ],
)
def test_kernels_start_as_keras_draws_them(kind: str, options: dict[str, Any]) -> None:
    keras.utils.set_random_seed(1)
    torch.manual_seed(1)
    shape = {"Dense": (40,), "Conv1D": (8, 40)}.get(kind, (8, 8, 40))
    theirs = keras.Sequential([keras.layers.Input(shape), getattr(keras.layers, kind)(**options)])
    empty = Architecture(shape, [layer_from(kind, theirs.layers[0].get_config())])
    for mirror in (Network.from_architecture(empty), TorchModel(from_architecture(empty), shape)):
        for ours, weight in zip(mirror.get_weights(), theirs.get_weights(), strict=True):
            assert ours.std() == pytest.approx(weight.std(), rel=0.2)
            assert np.abs(ours).max() == pytest.approx(np.abs(weight).max(), rel=0.1)


def test_each_multiplication_with_a_weight_is_counted() -> None:
    settings = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "activation": "linear", "use_bias": True}
    for kind, options, expected in (
        ("DepthwiseConv2D", {}, 10 * 9 * 4 * 9),
        ("SeparableConv2D", {"filters": 7}, 10 * 9 * 4 * (9 + 7)),
        ("ZeroPadding2D", {"padding": [[1, 1], [1, 1]]}, 0),
    ):
        layer = layer_from(kind, (settings if kind != "ZeroPadding2D" else {}) | options)
        assert Architecture((10, 9, 4), [layer]).multiplications() == expected


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda layers: layers.DepthwiseConv2D(3, depth_multiplier=2), "DepthwiseConv2D layer has a depth_multiplier"),
        (lambda layers: layers.DepthwiseConv2D(3, dilation_rate=2), "DepthwiseConv2D layer has a dilation_rate"),
        (lambda layers: layers.DepthwiseConv2D(3, activation="mish"), "DepthwiseConv2D layer has activation = 'mish'"),
        (lambda layers: layers.SeparableConv2D(2, 3, depth_multiplier=2), "SeparableConv2D layer has a depth_mult"),
        (lambda layers: layers.SeparableConv2D(2, 3, dilation_rate=2), "SeparableConv2D layer has a dilation_rate"),
        (lambda layers: layers.Rescaling([2, 1, 1]), r"Rescaling layer has scale = \[2, 1, 1\]"),
        (lambda layers: layers.Rescaling(2, offset=[0, 1, 1]), r"Rescaling layer has offset = \[0, 1, 1\]"),
        (lambda layers: layers.GlobalAveragePooling2D(keepdims=True), "GlobalAveragePooling2D .* keepdims = True"),
        (lambda layers: layers.GlobalAveragePooling2D("channels_first"), "data_format = 'channels_first'"),
        (lambda layers: layers.ZeroPadding2D(1, data_format="channels_first"), "data_format = 'channels_first'"),
    ],
)
def test_a_setting_that_is_not_known_is_refused_by_name(make: Callable[[Any], Any], says: str, tmp_path: Path) -> None:
    keras.Sequential([keras.layers.Input(SHAPE), make(keras.layers)]).save(tmp_path / "other.h5")
    with pytest.raises(UnknownLayerError, match=says):
        h5.read(tmp_path / "other.h5")


@pytest.mark.parametrize(
    "padding", [1, [1, 1], [[1, 1]], [[1, 1], [1, -1]], [[1, 1], [1, 1.5]], [[1, 1], 1, [1, 1]], "1"]
)
def test_a_padding_of_another_form_is_refused(padding: Any) -> None:
    with pytest.raises(UnknownLayerError, match="ZeroPadding2D layer has padding = "):
        layer_from("ZeroPadding2D", json.loads(json.dumps({"padding": padding})))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Network([pooling.GlobalAveragePooling2D()], (5,)), r"gets samples of shape \(5,\)"),
        (lambda: Network([pooling.ZeroPadding2D()], (5, 5)), r"gets samples of shape \(5, 5\)"),
        (lambda: Network([depthwise.SeparableConv2D(2, 3)], (5, 5)), "SeparableConv2D layer gets samples"),
        (lambda: Network([depthwise.DepthwiseConv2D(3)], (2, 8, 1)), "does not fit"),
        (lambda: TorchModel(nn.Sequential(image_layers.GlobalAveragePooling()), (8, 8, 2)), "ChannelsFirst"),
        (
            lambda: TorchModel(nn.Sequential(layout.ChannelsFirst(), nn.ZeroPad2d(-1), layout.ChannelsLast()), SHAPE),
            "takes rows or columns away",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(make: Callable[[], object], says: str) -> None:
    with pytest.raises(WorkshopError, match=says):
        make()


def test_every_layer_of_a_file_is_known_to_every_engine() -> None:
    assert set(LAYERS) == set(KINDS) and set(PHOTO_LAYERS) <= set(KINDS)
