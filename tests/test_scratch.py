"""The NumPy engine: gradients against finite differences, layers against PyTorch, files and steps against Keras."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop.kit import files, training
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.scratch import layers
from workshop.scratch.activations import ACTIVATIONS
from workshop.scratch.losses import LOSSES
from workshop.scratch.network import Network
from workshop.scratch.optimizers import make_optimizer

SMOOTH = ["linear", "sigmoid", "tanh", "softmax", "radbas"]
LAYERS: dict[str, tuple[Callable[[], layers.Layer], tuple[int, ...]]] = {
    **{f"dense {name}": (partial(layers.Dense, 3, name), (4,)) for name in SMOOTH},
    "conv valid": (lambda: layers.Conv2D(2, (3, 2), (1, 1), "valid", "tanh"), (5, 6, 3)),
    "conv same, strides": (lambda: layers.Conv2D(2, (3, 3), (2, 2), "same", "tanh"), (5, 6, 3)),
    "max pooling": (lambda: layers.MaxPooling2D((2, 2), (2, 2)), (4, 6, 2)),
    "max pooling, overlapping": (lambda: layers.MaxPooling2D((3, 3), (2, 2), "same"), (5, 6, 2)),
    "average pooling": (lambda: layers.AveragePooling2D((3, 2), (2, 2), "same"), (5, 6, 2)),
    "flatten": (layers.Flatten, (2, 3, 2)),
    "batch normalization": (layers.BatchNormalization, (3, 3, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    make, shape = LAYERS[name]
    random = np.random.default_rng(1)
    layer = make()
    layer.build(shape, random, np.float64)
    X = random.normal(size=(3, *shape))
    direction = random.normal(size=layer.forward(X, training=True).shape)

    def error() -> float:
        return float((layer.forward(X, training=True) * direction).sum())

    error()
    dX = layer.backward(direction)
    for place, gradient in [(X, dX), *((layer.parameters[key], layer.gradients[key]) for key in layer.parameters)]:
        for index in [tuple(random.integers(0, n) for n in place.shape) for _ in range(10)]:
            kept, step = place[index], 1e-6
            place[index] = kept + step
            above = error()
            place[index] = kept - step
            below = error()
            place[index] = kept
            assert gradient[index] == pytest.approx((above - below) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_loss_gradients_fused_or_not_agree_with_finite_differences(loss: str, activation: str) -> None:
    random = np.random.default_rng(2)
    network = Network([layers.Dense(3, activation)], (4,), seed=1, dtype=np.float64)
    X = random.normal(size=(5, 4))
    T = random.integers(0, 3, 5) if loss.startswith("sparse") else np.eye(3)[random.integers(0, 3, 5)]
    network.backward(network.forward(X), T, LOSSES[loss]())
    kernel = network.parameters[0, "kernel"]
    gradient = network.gradients[0, "kernel"]
    for index in np.ndindex(kernel.shape):
        kept = kernel[index]
        kernel[index] = kept + 1e-6
        above = network.evaluate(X, T, loss)
        kernel[index] = kept - 1e-6
        below = network.evaluate(X, T, loss)
        kernel[index] = kept
        assert gradient[index] == pytest.approx((above - below) / 2e-6, abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    channels=st.integers(1, 3),
)
def test_convolution_and_pooling_agree_with_pytorch(
    kernel: tuple[int, int], strides: tuple[int, int], size: tuple[int, int], channels: int
) -> None:
    import torch

    random = np.random.default_rng(3)
    X = random.normal(size=(2, *size, channels))
    moved = torch.tensor(np.moveaxis(X, -1, 1), requires_grad=True)
    convolution = layers.Conv2D(2, kernel, strides)
    shape = convolution.build((*size, channels), random, np.float64)
    weights = torch.tensor(np.transpose(convolution.parameters["kernel"], (3, 2, 0, 1)), requires_grad=True)
    theirs = torch.nn.functional.conv2d(moved, weights, stride=strides)
    ours = convolution.forward(X)
    assert ours.shape[1:] == shape
    np.testing.assert_allclose(np.moveaxis(theirs.detach().numpy(), 1, -1), ours, atol=1e-12)
    theirs.sum().backward()
    dX = convolution.backward(np.ones_like(ours))
    assert moved.grad is not None and weights.grad is not None
    np.testing.assert_allclose(np.moveaxis(moved.grad.numpy(), 1, -1), dX, atol=1e-12)
    np.testing.assert_allclose(weights.grad.permute(2, 3, 1, 0).numpy(), convolution.gradients["kernel"], atol=1e-12)
    pooled = layers.MaxPooling2D(kernel, strides).forward(X)
    expected = torch.nn.functional.max_pool2d(moved, kernel, strides).detach().numpy()
    np.testing.assert_allclose(np.moveaxis(expected, 1, -1), pooled, atol=1e-12)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "softmax"])
def test_activations_agree_with_keras(name: str) -> None:
    z = np.linspace(-8, 8, 33, dtype=np.float32).reshape(3, 11)
    theirs = keras.ops.convert_to_numpy(keras.activations.get(name)(keras.ops.convert_to_tensor(z)))
    np.testing.assert_allclose(ACTIVATIONS[name].value(z), theirs, atol=1e-6)


MODELS = sorted(path.stem for path in files.shipped("models").glob("*.h5"))


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_answers_as_in_keras_and_survives_being_written(name: str, tmp_path: Path) -> None:
    path = files.shipped("models") / f"{name}.h5"
    network = Network.from_h5(path)
    X = np.random.default_rng(4).random((20, *network.input_shape), np.float32)
    expected = keras.models.load_model(path, compile=False).predict(X, verbose=0)
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-5)
    network.save_h5(tmp_path / "written.h5")
    again = keras.models.load_model(tmp_path / "written.h5", compile=False)
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_fifty_steps_end_where_keras_ends(optimizer: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(5)
    random = np.random.default_rng(5)
    X, y = random.random((64, 8, 8, 1), np.float32), random.integers(0, 3, 64)
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)),
            # No bias: batch normalisation takes a constant away, so its gradient is rounding, which Adam enlarges.
            keras.layers.Conv2D(4, 3, padding="same", activation="tanh", use_bias=False),
            keras.layers.MaxPooling2D(),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    path = tmp_path / "start.h5"
    model.save(path, include_optimizer=False)
    network = Network.from_h5(path)
    model.compile(training.make_optimizer(optimizer, steps=50), loss="sparse_categorical_crossentropy")
    history = training.fit(model, X, y, epochs=25, batch_size=32, seed=1)
    losses = network.fit(
        X, y, epochs=25, batch_size=32, loss="sparse_categorical_crossentropy",
        optimizer=make_optimizer(optimizer, steps=50), order=lambda epoch: training.epoch_order(64, 1, epoch),
    )  # fmt: skip
    np.testing.assert_allclose(losses, history.epochs["loss"], rtol=1e-4)
    for layer, theirs in zip(network.layers, model.layers, strict=True):
        ours = {**layer.parameters, **layer.state}
        for array, weight in zip(ours.values(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(array, weight, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: keras.layers.Conv2D(2, 3, dilation_rate=2), "dilation_rate"),
        (lambda: keras.layers.GlobalAveragePooling2D(), "GlobalAveragePooling2D"),
        (lambda: keras.layers.Conv2D(2, 3, activation="gelu"), "gelu"),
    ],
)
def test_what_the_engine_does_not_know_is_refused_by_name(
    layer: Callable[[], object], named: str, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.layers.Input((8, 8, 1)), layer()])
    model.save(tmp_path / "other.h5")
    with pytest.raises(WorkshopError, match=named):
        Network.from_h5(tmp_path / "other.h5")
