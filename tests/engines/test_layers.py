"""The layers that no lesson needs, but models that people publish: the same numbers in all three engines."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.layer_cases import (
    assert_close,
    assert_the_same_in_each_engine,
    described,
    keras_gradients,
    numpy_gradients,
    torch_gradients,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workshop import scratch
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import h5, keras_h5
from workshop.kit.saving.architecture import KINDS, Architecture, layer_from
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.kit.saving.model import KerasModel, as_model
from workshop.pytorch.kit.model import TorchModel, from_architecture, to_architecture
from workshop.pytorch.kit.one_row import InOneRow
from workshop.scratch.nn import one_row, wrappers
from workshop.scratch.nn.cells import LSTM
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network

pytestmark = pytest.mark.usefixtures("alone")

ACTIVATIONS = ("elu", "selu", "gelu", "softplus", "softsign", "exponential", "hard_sigmoid", "swish", "leaky_relu")
ROW, STEPS, IMAGE, FILM = (6,), (9, 4), (6, 7, 3), (3, 5, 4, 2)


def dense(activation: str, layers: Any) -> keras.Layer:
    return layers.Dense(5, activation=activation)


CASES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    **{
        f"Dense {name}": (ROW, partial(dense, name))
        for name in (
            "elu",
            "selu",
            "gelu",
            "softplus",
            "softsign",
            "exponential",
            "hard_sigmoid",
            "swish",
            "leaky_relu",
        )
    },
    "LeakyReLU": (ROW, lambda layers: layers.LeakyReLU()),
    "LeakyReLU 0.01": (IMAGE, lambda layers: layers.LeakyReLU(negative_slope=0.01)),
    "ELU": (ROW, lambda layers: layers.ELU(alpha=0.4)),
    "ReLU up to 1": (ROW, lambda layers: layers.ReLU(max_value=0.9)),
    "ReLU with all": (IMAGE, lambda layers: layers.ReLU(max_value=0.9, negative_slope=0.3, threshold=0.2)),
    "ReLU above a threshold": (ROW, lambda layers: layers.ReLU(threshold=0.4)),
    "PReLU": (IMAGE, lambda layers: layers.PReLU()),
    "PReLU of channels": (IMAGE, lambda layers: layers.PReLU(shared_axes=[1, 2])),
    "PReLU of steps": (STEPS, lambda layers: layers.PReLU(shared_axes=[1])),
    "LayerNormalization": (ROW, lambda layers: layers.LayerNormalization()),
    "LayerNormalization of images": (IMAGE, lambda layers: layers.LayerNormalization(epsilon=0.1, center=False)),
    "LayerNormalization of steps": (STEPS, lambda layers: layers.LayerNormalization(scale=False)),
    "SpatialDropout1D": (STEPS, lambda layers: layers.SpatialDropout1D(0.5)),
    "SpatialDropout2D": (IMAGE, lambda layers: layers.SpatialDropout2D(0.5)),
    "GaussianNoise": (ROW, lambda layers: layers.GaussianNoise(0.5)),
    "GaussianDropout": (IMAGE, lambda layers: layers.GaussianDropout(0.5)),
    "AlphaDropout": (ROW, lambda layers: layers.AlphaDropout(0.5)),
    "Conv1D": (STEPS, lambda layers: layers.Conv1D(5, 3)),
    "Conv1D same, strides": (STEPS, lambda layers: layers.Conv1D(5, 4, strides=2, padding="same", activation="tanh")),
    "Conv1D causal": (STEPS, lambda layers: layers.Conv1D(5, 3, padding="causal", activation="softmax")),
    "Conv1D causal, dilated": (STEPS, lambda layers: layers.Conv1D(5, 2, padding="causal", dilation_rate=3)),
    "Conv1D same, dilated": (
        STEPS,
        lambda layers: layers.Conv1D(5, 4, padding="same", dilation_rate=2, use_bias=False),
    ),
    "Conv1D dilated": (STEPS, lambda layers: layers.Conv1D(5, 3, dilation_rate=3)),
    "Conv2D dilated": (IMAGE, lambda layers: layers.Conv2D(4, (2, 3), dilation_rate=(3, 2))),
    "Conv2D same, dilated": (IMAGE, lambda layers: layers.Conv2D(4, (2, 3), padding="same", dilation_rate=2)),
    "MaxPooling1D": (STEPS, lambda layers: layers.MaxPooling1D()),
    "MaxPooling1D same": (STEPS, lambda layers: layers.MaxPooling1D(3, strides=2, padding="same")),
    "AveragePooling1D same": (STEPS, lambda layers: layers.AveragePooling1D(4, strides=2, padding="same")),
    "GlobalMaxPooling1D": (STEPS, lambda layers: layers.GlobalMaxPooling1D()),
    "GlobalAveragePooling1D": (STEPS, lambda layers: layers.GlobalAveragePooling1D()),
    "GlobalMaxPooling2D": (IMAGE, lambda layers: layers.GlobalMaxPooling2D()),
    "UpSampling1D": (STEPS, lambda layers: layers.UpSampling1D(3)),
    "ZeroPadding1D": (STEPS, lambda layers: layers.ZeroPadding1D((1, 2))),
    "RepeatVector": (ROW, lambda layers: layers.RepeatVector(4)),
    "Conv2DTranspose": (IMAGE, lambda layers: layers.Conv2DTranspose(4, 3)),
    "Conv2DTranspose same": (IMAGE, lambda layers: layers.Conv2DTranspose(4, (5, 4), strides=2, padding="same")),
    "Conv2DTranspose apart": (IMAGE, lambda layers: layers.Conv2DTranspose(4, 2, strides=3, activation="tanh")),
    "Conv2DTranspose same, apart": (
        IMAGE,
        lambda layers: layers.Conv2DTranspose(4, 1, strides=2, padding="same", use_bias=False),
    ),
    "Bidirectional LSTM": (STEPS, lambda layers: layers.Bidirectional(layers.LSTM(3, return_sequences=True))),
    "Bidirectional GRU": (STEPS, lambda layers: layers.Bidirectional(layers.GRU(3), merge_mode="sum")),
    "Bidirectional SimpleRNN": (
        STEPS,
        lambda layers: layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True), merge_mode="mul"),
    ),
    "Bidirectional LSTM relu": (
        STEPS,
        lambda layers: layers.Bidirectional(layers.LSTM(3, activation="relu"), merge_mode="ave"),
    ),
    "TimeDistributed Dense": (STEPS, lambda layers: layers.TimeDistributed(layers.Dense(5, activation="elu"))),
    "TimeDistributed Conv2D": (FILM, lambda layers: layers.TimeDistributed(layers.Conv2D(4, 2, activation="tanh"))),
    "TimeDistributed Flatten": (FILM, lambda layers: layers.TimeDistributed(layers.Flatten())),
    "TimeDistributed LSTM": ((2, *STEPS), lambda layers: layers.TimeDistributed(layers.LSTM(3))),
    "TimeDistributed BatchNormalization": (FILM, lambda layers: layers.TimeDistributed(layers.BatchNormalization())),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_of_each_layer_are_keras_in_each_engine(name: str) -> None:
    shape, make = CASES[name]
    X = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    # TensorFlow 2.21 crashes at times where the windows of a transposed convolution do not touch.
    assert_the_same_in_each_engine(make(keras.layers), X, is_differentiable="apart" not in name)


# Where several numbers of a window are equal, and where an activation bends, at 0. At the bend of PReLU, Keras has the
# gradient 0; the others have that of the side below.
OF_EQUAL_NUMBERS = {
    **{
        name: case
        for name, case in CASES.items()
        if "Max" in name or name.startswith(("Dense leaky_relu", "Dense elu", "Dense selu", "LeakyReLU", "ELU", "ReLU"))
    },
    "MaxPooling2D": (IMAGE, lambda layers: layers.MaxPooling2D()),
    "MaxPooling2D overlapping": (IMAGE, lambda layers: layers.MaxPooling2D(3, strides=2)),
}


@pytest.mark.parametrize("name", OF_EQUAL_NUMBERS)
def test_the_gradients_by_equal_numbers_and_by_zeros_are_keras_in_each_engine(name: str) -> None:
    shape, make = OF_EQUAL_NUMBERS[name]
    X = np.random.default_rng(1).integers(-1, 2, (3, *shape)).astype(np.float32)
    layer = make(keras.layers)
    architecture = described(layer, X)
    direction = np.random.default_rng(2).normal(size=layer(X).shape).astype(np.float32)
    by_keras = keras_gradients(layer, X, direction)
    network = Network.from_architecture(architecture)
    assert_close(numpy_gradients(network.layers[0], X, direction), by_keras, 1e-4)
    assert_close(torch_gradients(from_architecture(architecture), X, direction), by_keras, 1e-4)


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 4),
    strides=st.integers(1, 3),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same", "causal"]),
    steps=st.integers(10, 14),
    features=st.integers(1, 3),
    use_bias=st.booleans(),
)
def test_any_window_of_a_sequence_is_keras_window_in_each_engine(
    size: int, strides: int, dilation: int, padding: str, steps: int, features: int, use_bias: bool
) -> None:
    X = np.random.default_rng(4).normal(size=(2, steps, features)).astype(np.float32)
    where = {"strides": strides, "padding": padding}
    if dilation > 1:
        where["strides"] = 1  # TensorFlow has no windows with holes that move in strides
    layers = [keras.layers.Conv1D(2, size, dilation_rate=dilation, use_bias=use_bias, **where)]
    if padding != "causal":
        layers += [kind(size, **where) for kind in (keras.layers.MaxPooling1D, keras.layers.AveragePooling1D)]
    for layer in layers:
        architecture = described(layer, X)
        expected = keras.ops.convert_to_numpy(layer(X))
        assert architecture.shapes()[-1] == expected.shape[1:]
        module = from_architecture(architecture)
        for mirror in (Network.from_architecture(architecture), TorchModel(module, X.shape[1:])):
            np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-5)
        assert_is_described_again(module, architecture)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["valid", "same"]),
    channels=st.integers(1, 3),
)
def test_any_window_of_a_transposed_convolution_is_keras_in_each_engine(
    size: tuple[int, int], strides: tuple[int, int], padding: str, channels: int
) -> None:
    X = np.random.default_rng(4).normal(size=(2, 4, 5, channels)).astype(np.float32)
    layer = keras.layers.Conv2DTranspose(2, size, strides, padding)
    architecture = described(layer, X)
    expected = keras.ops.convert_to_numpy(layer(X))
    assert architecture.shapes()[-1] == expected.shape[1:]
    module = from_architecture(architecture)
    for mirror in (Network.from_architecture(architecture), TorchModel(module, X.shape[1:])):
        np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-5)
    assert_is_described_again(module, architecture)


@pytest.mark.parametrize("name", CASES)
def test_each_layer_is_described_again_as_it_was(name: str) -> None:
    shape, make = CASES[name]
    X = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    architecture = described(make(keras.layers), X)
    assert_is_described_again(from_architecture(architecture), architecture)
    again = Network.from_architecture(architecture).architecture
    assert again.layers[0].settings == architecture.layers[0].settings


def assert_is_described_again(module: nn.Module, architecture: Architecture) -> None:
    """Compares the description of PyTorch's modules with that which they were built of."""
    (again,) = to_architecture(module, architecture.input_shape).layers
    (layer,) = architecture.layers
    assert (again.kind, again.settings) == (layer.kind, layer.settings)
    assert list(again.weights) == list(layer.weights)
    for name, weight in layer.weights.items():
        np.testing.assert_array_equal(again.weights[name], weight)


def small_model() -> keras.Sequential:
    """A network for sequences with layers in layers, and an activation with a slope of its own."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            layers.Input((12, 3)),
            layers.Conv1D(5, 3, padding="causal", dilation_rate=2, activation=layers.LeakyReLU(negative_slope=0.1)),
            layers.SpatialDropout1D(0.2),
            layers.MaxPooling1D(),
            layers.TimeDistributed(layers.Dense(4, activation="selu")),
            layers.LayerNormalization(),
            layers.Bidirectional(layers.LSTM(3, activation="relu", return_sequences=True, dropout=0.1)),
            layers.Bidirectional(layers.GRU(3), merge_mode="ave"),
            layers.RepeatVector(4),
            layers.LSTM(5, return_sequences=True, go_backwards=True, recurrent_dropout=0.2),
            layers.GlobalMaxPooling1D(),
            layers.PReLU(),
            layers.Dense(6, activation=layers.ReLU(max_value=2.5)),
            layers.Dense(3, activation="softmax"),
        ]
    )


def test_one_description_gives_the_same_predictions_in_all_engines_and_comes_back_whole(tmp_path: Path) -> None:
    model = small_model()
    random = np.random.default_rng(2)
    model.set_weights([random.normal(0, 0.6, weight.shape) for weight in model.weights])
    row = [layer_from(type(layer).__name__, layer.get_config()) for layer in model.layers]
    for ours, theirs in zip(row, model.layers, strict=True):
        names = Architecture(theirs.input.shape[1:], [ours]).weight_shapes()[0]
        ours.weights = dict(zip(names, theirs.get_weights(), strict=True))
    architecture = Architecture((12, 3), row)
    X = random.normal(size=(6, 12, 3)).astype(np.float32)
    expected = KerasModel(model).predict(X)
    assert np.ptp(expected) > 0.3
    contents = []
    for mirror in (Network.from_architecture(architecture), TorchModel(from_architecture(architecture), (12, 3))):
        np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-5)
        assert mirror.count_params() == model.count_params() and mirror.output_shape == (3,)
        mirror.save_h5(tmp_path / "mirror.h5")
        again = keras.models.load_model(tmp_path / "mirror.h5", compile=False)
        Network.from_h5(tmp_path / "mirror.h5")
        np.testing.assert_allclose(KerasModel(again).predict(X), expected, rtol=1e-5, atol=1e-5)
        contents.append((tmp_path / "mirror.h5").read_bytes())
    assert contents[0] == contents[1]
    with pytest.raises(WorkshopError, match="activation LeakyReLU of a Conv1D layer is not Keras'"):
        h5.to_bytes(architecture)


# --- Sixteen bits -----------------------------------------------------------------------------------------------------


HALF: dict[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "Dense": (ROW, lambda layers, **policy: layers.Dense(5, **policy)),
    "Dense tanh": (STEPS, lambda layers, **policy: layers.Dense(5, activation="tanh", **policy)),
    "Dense without bias": (ROW, lambda layers, **policy: layers.Dense(5, "relu", use_bias=False, **policy)),
    "Conv1D": (STEPS, lambda layers, **policy: layers.Conv1D(5, 3, padding="causal", activation="relu", **policy)),
    "Conv2D": (IMAGE, lambda layers, **policy: layers.Conv2D(5, 3, activation="relu6", **policy)),
    "Conv2D same": (IMAGE, lambda layers, **policy: layers.Conv2D(5, 2, strides=2, padding="same", **policy)),
    "Activation": (ROW, lambda layers, **policy: layers.Activation("tanh", **policy)),
    "Rescaling": (IMAGE, lambda layers, **policy: layers.Rescaling(1 / 3, 0.1, **policy)),
    "BatchNormalization": (IMAGE, lambda layers, **policy: layers.BatchNormalization(**policy)),
    "Flatten": (IMAGE, lambda layers, **policy: layers.Flatten(**policy)),
    "Reshape": (ROW, lambda layers, **policy: layers.Reshape((3, 2), **policy)),
    "RepeatVector": (ROW, lambda layers, **policy: layers.RepeatVector(2, **policy)),
    "ZeroPadding1D": (STEPS, lambda layers, **policy: layers.ZeroPadding1D(1, **policy)),
    "UpSampling2D": (IMAGE, lambda layers, **policy: layers.UpSampling2D(2, **policy)),
    "MaxPooling1D": (STEPS, lambda layers, **policy: layers.MaxPooling1D(**policy)),
    "MaxPooling2D": (IMAGE, lambda layers, **policy: layers.MaxPooling2D(2, padding="same", **policy)),
    "GlobalMaxPooling2D": (IMAGE, lambda layers, **policy: layers.GlobalMaxPooling2D(**policy)),
    "GlobalAveragePooling1D": (STEPS, lambda layers, **policy: layers.GlobalAveragePooling1D(**policy)),
    "GlobalAveragePooling2D": (IMAGE, lambda layers, **policy: layers.GlobalAveragePooling2D(**policy)),
    "Dropout": (ROW, lambda layers, **policy: layers.Dropout(0.5, **policy)),
}


@pytest.mark.parametrize("name", HALF)
@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_a_layer_rounds_to_16_bits_where_keras_does_in_each_engine(name: str, policy: str) -> None:
    shape, make = HALF[name]
    X = np.random.default_rng(1).normal(size=(30, *shape)).astype(np.float32)
    layer = make(keras.layers, dtype=policy)
    architecture = described(layer, X)
    expected = keras.ops.convert_to_numpy(layer(X)).astype(np.float32)
    module = from_architecture(architecture)
    network, mirror = Network.from_architecture(architecture), TorchModel(module, shape)
    for engine in (network, mirror):
        outputs = engine.predict(X)
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
        (kind, stage), *_ = engine.stages(X) or [(architecture.layers[0].kind, outputs)]  # Flatten is no stage
        assert kind == architecture.layers[0].kind and np.array_equal(stage, outputs)
    single = make(keras.layers)
    described(single, X)
    single.set_weights(layer.get_weights())
    assert np.abs(keras.ops.convert_to_numpy(single(X)) - expected).max() > 1e-4  # so much is lost without
    assert_is_described_again(module, architecture)
    assert network.architecture.layers[0].settings == architecture.layers[0].settings


def test_a_model_in_16_bits_predicts_the_same_in_all_engines_and_comes_back_whole(tmp_path: Path) -> None:
    layers, half = keras.layers, {"dtype": "mixed_float16"}
    model = keras.Sequential(
        [
            layers.Input((8, 7, 1)),
            layers.Conv2D(4, 3, **half),
            layers.BatchNormalization(**half),
            layers.Activation("relu", **half),
            layers.MaxPooling2D(**half),
            layers.Flatten(**half),
            layers.Dense(6, activation=layers.LeakyReLU(dtype="float32"), **half),
            layers.Dense(3, **half),
            layers.Activation("softmax", dtype="float32"),
        ]
    )
    random = np.random.default_rng(3)
    model.set_weights([np.abs(random.normal(0, 0.7, weight.shape)) for weight in model.weights])
    X = random.random((20, 8, 7, 1)).astype(np.float32)
    expected = model.predict(X, verbose=0)
    assert np.ptp(expected) > 0.3
    model.save(tmp_path / "half.h5")
    mirrors: list[Any] = [Network.from_h5(tmp_path / "half.h5"), TorchModel.from_h5(tmp_path / "half.h5")]
    mirrors.append(keras_h5.from_bytes((tmp_path / "half.h5").read_bytes(), "half.h5"))
    for mirror in mirrors:
        np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-6)
        (tmp_path / "again.h5").write_bytes(mirror.to_h5())
        again = keras.models.load_model(tmp_path / "again.h5", compile=False)
        assert [layer.dtype_policy.name for layer in again.layers][-2:] == ["mixed_float16", "float32"]
        np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert mirrors[0].to_h5() == mirrors[1].to_h5()
    assert np.abs(as_model(model).predict(X) - expected).max() > 1e-5  # a model of ours is saved without the rounding


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("LSTM", {"units": 2, "dtype": "mixed_float16"}, "LSTM layer has dtype = 'mixed_float16', which is not"),
        ("DepthwiseConv2D", {"kernel_size": 2, "dtype": "float16"}, "has dtype = 'mixed_float16'"),
        ("Dense", {"units": 2, "activation": "softmax", "dtype": "float16"}, "has activation = 'softmax' and dtype ="),
        ("Dense", {"units": 2, "dtype": "bfloat16"}, "has dtype = 'mixed_bfloat16'"),
        (
            "TimeDistributed",
            {"layer": {"class_name": "Dense", "config": {"units": 2, "dtype": "mixed_float16"}}},
            "TimeDistributed layer has a Dense layer of 16 bits in it",
        ),
    ],
)
def test_a_layer_that_rounds_within_is_left_to_keras(kind: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UnknownLayerError, match=says):
        layer_from(kind, settings)


def test_gradients_pass_through_the_rounding() -> None:
    settings = {"units": 4, "activation": "tanh", "dtype": "mixed_float16"}
    architecture = Architecture(ROW, [layer_from("Dense", settings)])
    X, direction = np.random.default_rng(5).normal(size=(2, 8, 6)).astype(np.float32)
    network = Network.from_architecture(architecture)
    module = from_architecture(network.architecture)
    by_numpy = numpy_gradients(network.layers[0], X, direction[:, :4])
    assert_close(torch_gradients(module, X, direction[:, :4]), by_numpy, 2e-3)


# --- Training ---------------------------------------------------------------------------------------------------------


def in_training(kind: str, settings: dict[str, Any], X: np.ndarray) -> list[np.ndarray]:
    """Returns what a layer makes of samples in training, in NumPy and in PyTorch."""
    torch.manual_seed(1)
    architecture = Architecture(X.shape[1:], [layer_from(kind, settings)])
    module = from_architecture(architecture).train()
    by_torch: np.ndarray = module(torch.tensor(X)).detach().numpy()
    return [Network.from_architecture(architecture, seed=1).forward(X, training=True), by_torch]


@pytest.mark.parametrize(
    ("kind", "settings", "mean", "deviation"),
    [
        ("GaussianNoise", {"stddev": 0.3}, 1, 0.3),
        ("GaussianDropout", {"rate": 0.2}, 1, 0.5),
        ("Dropout", {"rate": 0.2}, 1, 0.5),
    ],
)
def test_noise_in_training_has_the_mean_and_the_deviation_of_keras(
    kind: str, settings: dict[str, Any], mean: float, deviation: float
) -> None:
    for Y in in_training(kind, settings, np.ones((4000, 3), np.float32)):
        assert Y.dtype == np.float32
        assert Y.mean() == pytest.approx(mean, abs=0.03) and Y.std() == pytest.approx(deviation, abs=0.03)


def test_alpha_dropout_keeps_mean_and_deviation() -> None:
    X = np.random.default_rng(3).normal(size=(4000, 3)).astype(np.float32)
    for Y in in_training("AlphaDropout", {"rate": 0.3}, X):
        assert Y.mean() == pytest.approx(0, abs=0.03) and Y.std() == pytest.approx(1, abs=0.03)
        values, counts = np.unique(Y, return_counts=True)
        assert counts.max() == pytest.approx(0.3 * Y.size, rel=0.1) and values[counts.argmax()] < -1


@pytest.mark.parametrize(("kind", "shape"), [("SpatialDropout1D", STEPS), ("SpatialDropout2D", IMAGE)])
def test_spatial_dropout_drops_whole_channels(kind: str, shape: tuple[int, ...]) -> None:
    for Y in in_training(kind, {"rate": 0.25}, np.ones((200, *shape), np.float32)):
        rows = Y.reshape(200, -1, shape[-1])
        np.testing.assert_array_equal(rows, np.broadcast_to(rows[:, :1], rows.shape))
        assert (rows[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.05) and rows.max() == pytest.approx(4 / 3)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_dropout_of_a_recurrent_layer_drops_the_same_features_at_all_steps(kind: str) -> None:
    architecture = Architecture(STEPS, [layer_from(kind, {"units": 3, "dropout": 0.5})])
    X = np.random.default_rng(4).normal(size=(5, *STEPS)).astype(np.float32)
    layer = Network.from_architecture(architecture).layers[0]
    assert np.ptp(layer.forward(X, training=True) - layer.forward(X)) > 0.01
    layer.forward(X, training=True)
    by_numpy = layer.backward(np.ones((5, 3), np.float32))
    module, inputs = from_architecture(architecture).train(), torch.tensor(X, requires_grad=True)
    module(inputs).sum().backward()
    assert inputs.grad is not None
    for gradients in (by_numpy, inputs.grad.numpy()):
        is_dropped = (gradients == 0).all(axis=1)
        assert 0 < is_dropped.sum() < is_dropped.size
        np.testing.assert_array_equal((gradients == 0).any(axis=1), is_dropped)


def test_dropout_of_the_state_predicts_but_is_not_trained() -> None:
    architecture = Architecture(STEPS, [layer_from("LSTM", {"units": 3, "recurrent_dropout": 0.5})])
    X = np.ones((2, *STEPS), np.float32)
    network, module = Network.from_architecture(architecture), from_architecture(architecture)
    with pytest.raises(WorkshopError, match=r"LSTM layer has recurrent_dropout = 0\.5.*does not train"):
        network.forward(X, training=True)
    with pytest.raises(WorkshopError, match=r"LSTM layer has recurrent_dropout = 0\.5.*does not train"):
        module.train()(torch.tensor(X))


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("Bidirectional", {"layer": {"class_name": "Dense", "config": {"units": 2}}}, "has a Dense layer in it"),
        (
            "Bidirectional",
            {"layer": {"class_name": "LSTM", "config": {"units": 2}}, "merge_mode": None},
            "merge_mode = 'None'",
        ),
        (
            "Bidirectional",
            {"layer": {"class_name": "LSTM", "config": {"units": 2, "go_backwards": True}}},
            "goes backwards itself",
        ),
        (
            "Bidirectional",
            {
                "layer": {"class_name": "LSTM", "config": {"units": 2}},
                "backward_layer": {"class_name": "LSTM", "config": {"units": 3, "go_backwards": True}},
            },
            "differs from the forward layer",
        ),
        ("TimeDistributed", {"layer": {"class_name": "Lambda", "config": {}}}, "its layer Lambda is not known here"),
        ("TimeDistributed", {"layer": "Dense"}, "TimeDistributed layer has layer = 'Dense'"),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "output_padding": [1, 1]}, "has an output_padding"),
        ("Conv1D", {"filters": 2, "kernel_size": [3, 3]}, r"Conv1D layer has kernel_size = \[3, 3\]"),
        ("Conv1D", {"filters": 2, "kernel_size": 3, "padding": "full"}, "padding = 'full'"),
        ("MaxPooling1D", {"data_format": "channels_first"}, "data_format = 'channels_first'"),
        ("LeakyReLU", {"negative_slope": -1}, "negative_slope = -1"),
        ("ReLU", {"max_value": "6"}, "max_value = '6'"),
        ("PReLU", {"shared_axes": [0]}, r"shared_axes = \[0\]"),
        ("PReLU", {"shared_axes": [3, 4]}, r"shared_axes = \[3, 4\]"),
        ("RepeatVector", {"n": 0}, "n = 0"),
        ("GaussianDropout", {"rate": 1}, "rate = 1.0"),
        ("Dense", {"units": 2, "activation": {"class_name": "ELU", "config": {"alpha": "x"}}}, "alpha = 'x'"),
        ("Dense", {"units": 2, "kernel": "x" * 300}, r"Dense layer has kernel = 'x.*', which is not known here$"),
    ],
)
def test_a_setting_that_is_not_known_is_refused_by_name(kind: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UnknownLayerError, match=says) as raised:
        layer_from(kind, settings)
    assert "\n" not in str(raised.value)


SLIDING = {"filters": 2, "kernel_size": 3}


@pytest.mark.parametrize(
    ("kind", "rest", "name", "taken", "refused"),
    [
        ("Dense", {}, "units", [1, 1_000_000, 3.0], [0, 1_000_001, 1.5, True, "3", math.nan]),
        ("Dense", {"units": 2}, "use_bias", [True, False], [0, 1, "True"]),
        ("Embedding", {"output_dim": 2}, "input_dim", [1, 1_000_000], [0, 1_000_001]),
        ("Dropout", {}, "rate", [0, 0.999], [1, -0.001, False, "0.5"]),
        ("GaussianNoise", {}, "stddev", [0, 999_999_999], [-0.001, 1_000_000_000, math.inf]),
        ("LeakyReLU", {}, "negative_slope", [0, 999_999_999], [-0.001, 1_000_000_000]),
        ("Rescaling", {}, "scale", [-1e9, 999_999_999], [-1.001e9, 1e9, [1, 2, 3]]),
        ("Rescaling", {"scale": 1}, "offset", [-1e9, 999_999_999], [-1.001e9, 1e9]),
        ("PReLU", {}, "shared_axes", [1, [1], [1, 3], []], [0, 4, [4], [1.0], "1"]),
        ("Softmax", {}, "axis", [-1], [0, 1, [1, 2]]),
        ("BatchNormalization", {}, "axis", [-1, 3, [3]], ["last", 1.0, [1, 2]]),
        ("Reshape", {}, "target_shape", [[1], [-1], [1_000_000, -1, 2]], [[], [0], [-2], [1_000_001], [1.0], 4, "4"]),
        ("Conv2D", SLIDING, "strides", [1, 10_000, [1, 2]], [0, 10_001, 1.0, [1], [1, 2, 3], "1"]),
        ("Conv2D", SLIDING, "groups", [1], [2]),
        ("Conv2D", SLIDING, "padding", ["valid", "same"], ["causal", "full", ["same"]]),
        ("Conv1D", SLIDING, "dilation_rate", [1, 10_000, [2]], [0, 10_001, [1, 2]]),
        ("DepthwiseConv2D", {"kernel_size": 3}, "depth_multiplier", [1], [2]),
        ("DepthwiseConv2D", {"kernel_size": 3}, "dilation_rate", [1, [1, 1]], [2, [1, 2]]),
        ("Conv2DTranspose", SLIDING, "dilation_rate", [1, [1, 1]], [2, [2, 1]]),
        ("ZeroPadding1D", {}, "padding", [[0, 10_000]], [[0, 10_001], [-1, 0], [1], 1, [[1, 1]], [True, 1]]),
        ("MaxPooling2D", {}, "pool_size", [1, [10_000, 1]], [0, [10_001, 1], [2]]),
        ("RepeatVector", {}, "n", [1, 1_000_000], [0, 1_000_001]),
    ],
)
def test_a_setting_is_taken_up_to_its_limits_and_refused_beyond(
    kind: str, rest: dict[str, Any], name: str, taken: list[Any], refused: list[Any]
) -> None:
    for value in taken:
        layer_from(kind, rest | {name: value})
    for value in refused:
        with pytest.raises(UnknownLayerError, match=f"{kind} layer has .*which is not known here"):
            layer_from(kind, rest | {name: value})


def test_settings_that_change_no_output_are_taken_from_any_keras() -> None:
    policies: list[Any] = [
        {"class_name": "DTypePolicy", "config": {"name": "float32"}, "module": "keras", "registered_name": None},
        {"class_name": "Policy", "config": {"name": "float32"}},
        "float64",
    ]
    for policy in policies:
        lstm: dict[str, Any] = {
            "units": 3,
            "time_major": False,
            "return_state": False,
            "stateful": False,
            "unroll": True,
        }
        lstm |= {"implementation": 1, "use_cudnn": "auto", "dtype": policy, "unit_forget_bias": False}
        assert layer_from("LSTM", lstm).settings == {"units": 3, "return_sequences": False, "use_bias": True}
        convolution: dict[str, Any] = {
            "filters": 2,
            "kernel_size": [3],
            "groups": 1,
            "dilation_rate": 1,
            "dtype": policy,
        }
        assert "dilation_rate" not in layer_from("Conv1D", convolution).settings
        assert layer_from("Dropout", {"rate": 0.5, "noise_shape": None, "dtype": policy}).settings == {"rate": 0.5}


# What a file has to say of a layer; what it leaves out is as if Keras had written its default.
NEEDED: dict[str, dict[str, Any]] = {
    **{kind: {"rate": 0.5} for kind in KINDS if kind.endswith("Dropout") or kind.startswith("SpatialDropout")},
    "Activation": {"activation": "tanh"},
    "Bidirectional": {"layer": {"class_name": "LSTM", "config": {"units": 5}}, "merge_mode": "concat"},
    "Conv1D": {"filters": 4, "kernel_size": 3},
    "Conv2D": {"filters": 4, "kernel_size": 3},
    "Conv2DTranspose": {"filters": 4, "kernel_size": 3},
    "Dense": {"units": 5},
    "DepthwiseConv2D": {"kernel_size": 3},
    "Embedding": {"input_dim": 7, "output_dim": 2},
    "GaussianNoise": {"stddev": 0.5},
    "GRU": {"units": 5, "reset_after": True},  # Keras 2 came without it
    "LSTM": {"units": 5},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 2.0},
    "Reshape": {"target_shape": [2, 3]},
    "SeparableConv2D": {"filters": 4, "kernel_size": 3},
    "SimpleRNN": {"units": 5},
    "TimeDistributed": {"layer": {"class_name": "Dense", "config": {"units": 5}}},
    "UpSampling1D": {"size": 2},
    "ZeroPadding1D": {"padding": [1, 2]},
    "ZeroPadding2D": {"padding": [[1, 2], [3, 4]]},
}


@pytest.mark.parametrize("kind", sorted({*KINDS, "Softmax"} - {"Add"}))
def test_a_setting_that_a_file_leaves_out_is_keras_default(kind: str) -> None:
    needed = NEEDED.get(kind, {})
    options = {"pool_size": 2} if kind.startswith("AveragePooling") else dict(needed)  # as Keras 2 has it
    if "layer" in needed:
        inner = needed["layer"]
        options["layer"] = getattr(keras.layers, inner["class_name"])(**inner["config"])
    whole = layer_from(kind, getattr(keras.layers, kind)(**options).get_config())
    brief = layer_from(kind, needed)
    assert (brief.kind, brief.settings) == (whole.kind, whole.settings)


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("LeakyReLU", {"negative_slope": 0.1}, ("LeakyReLU", {"negative_slope": 0.1})),
        ("LeakyReLU", {}, ("LeakyReLU", {"negative_slope": 0.3})),
        ("ReLU", {"max_value": 6.0}, ("Activation", {"activation": "relu6"})),
        ("ReLU", {}, ("Activation", {"activation": "relu"})),
        ("ReLU", {"threshold": 0.5}, ("ReLU", {"max_value": None, "negative_slope": 0.0, "threshold": 0.5})),
        ("Softmax", {"axis": -1}, ("Activation", {"activation": "softmax"})),
    ],
)
def test_activations_that_are_layers_have_their_settings(name: str, config: dict[str, Any], expected: Any) -> None:
    layer = layer_from(name, config)
    assert (layer.kind, layer.settings) == expected
    dense = layer_from("Dense", {"units": 2, "activation": {"class_name": name, "config": config}})
    row = Architecture((3,), [dense]).separated().layers
    if layer.kind == "Activation":
        assert [one.settings["activation"] for one in row] == [layer.settings["activation"]]
    else:
        assert [one.kind for one in row] == ["Dense", layer.kind] and row[1].settings == layer.settings


def test_each_multiplication_with_a_weight_is_counted() -> None:
    inner = {"class_name": "LSTM", "config": {"units": 5}}
    cases: tuple[tuple[str, dict[str, Any], tuple[int, ...], int], ...] = (
        ("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "same"}, STEPS, 9 * 3 * 4 * 5),
        ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2}, IMAGE, 6 * 7 * 9 * 3 * 5),
        ("Bidirectional", {"layer": inner, "merge_mode": "sum"}, STEPS, 2 * 9 * (4 + 5) * 4 * 5),
        ("TimeDistributed", {"layer": {"class_name": "Dense", "config": {"units": 7}}}, STEPS, 9 * 4 * 7),
    )
    for kind, options, shape, expected in cases:
        assert Architecture(shape, [layer_from(kind, options)]).multiplications() == expected, kind


@pytest.mark.parametrize(
    ("make", "largest", "says"),
    [
        (lambda n: Architecture((n, 1), [layer_from("LSTM", {"units": 2})]), 100_000, "takes up to 100,000"),
        (
            lambda n: Architecture((50_000,), [layer_from("RepeatVector", {"n": n})]),
            1000,
            "a RepeatVector layer has an output of more than 50,000,000 numbers",
        ),
        (
            lambda n: Architecture((20, n, 1), [layer_from("MaxPooling2D", {"pool_size": [20, n]})]),
            5000,
            r"window of \[20, 5001\] is far larger than samples of shape",
        ),
        (
            lambda n: Architecture((5, n), [layer_from("MaxPooling1D", {"pool_size": 5, "padding": "same"})]),
            5_000_000,  # of ten steps, with the border
            r"window of \[5\] is far larger than samples of shape",
        ),
    ],
    ids=["steps", "output", "window", "border"],
)
def test_the_largest_that_a_layer_takes(make: Callable[[int], Architecture], largest: int, says: str) -> None:
    assert len(make(largest).shapes()) == 2
    with pytest.raises(WorkshopError, match=says):
        make(largest + 1).shapes()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Network([one_row.Conv1D(2, 10)], STEPS), r"window of \[1, 10\] does not fit"),
        (lambda: Network([one_row.Conv1D(2, 3)], ROW), r"Conv1D layer gets samples of shape \(6,\), takes \(steps,"),
        (lambda: Network([wrappers.TimeDistributed(Dense(2))], ROW), r"TimeDistributed layer gets samples of shape"),
        (
            lambda: Architecture(
                IMAGE, [layer_from("MaxPooling2D", {"pool_size": 9999, "strides": 1, "padding": "same"})]
            ).shapes(),
            r"window of \[9999, 9999\] is far larger than samples of shape",
        ),
        (
            lambda: Architecture(
                STEPS,
                [layer_from("Conv1D", {"filters": 1, "kernel_size": 9999, "dilation_rate": 9999, "padding": "causal"})],
            ).shapes(),
            r"window of \[9999\] is far larger than samples of shape",
        ),
        (
            lambda: Architecture(
                (5000, 1), [layer_from("UpSampling1D", {"size": 1000}), layer_from("LSTM", {"units": 2})]
            ).shapes(),
            "gets 5000000 steps, takes up to 100,000",
        ),
        (lambda: wrappers.Bidirectional(LSTM(2), "max"), "merge_mode = 'max' is not known"),
        (lambda: Conv2D(2, 3, padding="causal"), "'causal' is not known; known are 'valid' and 'same'"),
        (lambda: Architecture(ROW, [layer_from("Conv1D", {"filters": 2, "kernel_size": 2})]).shapes(), "gets samples"),
        (
            lambda: TorchModel(nn.Sequential(InOneRow(nn.Conv2d(4, 2, 3, padding=1))), STEPS),
            r"kernel_size = \[3, 3\], takes 1",
        ),
        (lambda: TorchModel(nn.Sequential(InOneRow(nn.Conv2d(4, 2, (2, 3)))), STEPS), r"not fit into an image of 1x\d"),
        (lambda: TorchModel(nn.Sequential(InOneRow(nn.MaxPool2d((2, 1)))), STEPS), r"not fit into an image of 1x\d"),
        (lambda: TorchModel(nn.Sequential(InOneRow(nn.Dropout2d(0.1))), STEPS), "has a SpatialDropout2D layer in it"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(make: Callable[[], object], says: str) -> None:
    with pytest.raises(WorkshopError, match=says):
        make()


def defaults_of(layer: Any) -> dict[str, Any]:
    """Returns the defaults of a layer's arguments, in one form where there are several ways to write them."""
    parameters = inspect.signature(layer.__init__).parameters
    found = {name: one.default for name, one in parameters.items() if one.default is not inspect.Parameter.empty}
    same = {("activation", None): "linear", ("padding", 1): 1, ("padding", (1, 1)): 1, ("padding", ((1, 1), (1, 1))): 1}
    return {name: same.get((name, value), value) for name, value in found.items()}


def test_the_engines_layers_have_the_defaults_of_keras() -> None:
    names = [found.name for found in pkgutil.iter_modules([f"{scratch.__path__[0]}/nn"])]
    modules = [importlib.import_module(f"workshop.scratch.nn.{name}") for name in names]
    layers = {name: value for module in modules for name, value in vars(module).items() if hasattr(keras.layers, name)}
    compared = 0
    for name, layer in layers.items():
        ours, theirs = defaults_of(layer), defaults_of(getattr(keras.layers, name))
        shared = ours.keys() & theirs.keys()
        assert {each: ours[each] for each in shared} == {each: theirs[each] for each in shared}, name
        compared += len(shared)
    assert compared > 60


ROUND_ONCE = {
    *("Dense", "Conv1D", "Conv2D", "Activation", "Rescaling", "BatchNormalization", "Flatten", "Reshape"),
    *("RepeatVector", "Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
    *(f"{kind}{axes}D" for axes in (1, 2) for kind in ("ZeroPadding", "UpSampling", "MaxPooling", "SpatialDropout")),
    *(f"Global{kind}Pooling{axes}D" for axes in (1, 2) for kind in ("Max", "Average")),
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "Add"])
def test_layers_that_round_once_are_taken_in_16_bits_and_the_others_are_left_to_keras(kind: str) -> None:
    settings = NEEDED.get(kind, {}) | {"dtype": "mixed_float16"}
    settings |= {"max_value": 5.0} if kind == "ReLU" else {}  # without a limit it is an Activation
    if kind in ROUND_ONCE:
        assert layer_from(kind, settings).settings["dtype"] == "mixed_float16"
    else:
        with pytest.raises(UnknownLayerError, match=f"^its {kind} layer has dtype = 'mixed_float16'"):
            layer_from(kind, settings)
    with pytest.raises(UnknownLayerError, match=f"^its {kind} layer has dtype = 'mixed_bfloat16'.*how it rounds is"):
        layer_from(kind, settings | {"dtype": "mixed_bfloat16"})
    assert "dtype" not in layer_from(kind, settings | {"dtype": "float32"}).settings


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6", "tanh", "sigmoid", "softmax", "elu", "gelu", "silu"])
@pytest.mark.parametrize("kind", ["Dense", "Conv2D", "Activation"])
def test_activations_that_round_once_are_taken_in_16_bits(kind: str, activation: str) -> None:
    settings = NEEDED[kind] | {"activation": activation, "dtype": "mixed_float16"}
    if activation in ("linear", "relu", "relu6", "tanh"):
        assert layer_from(kind, settings).settings["dtype"] == "mixed_float16"
    else:
        says = f"its {kind} layer has activation = '{activation}' and dtype = 'mixed_float16'"
        with pytest.raises(UnknownLayerError, match=says):
            layer_from(kind, settings)
