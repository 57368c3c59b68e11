"""The NumPy engine: gradients against finite differences, layers against PyTorch, files and steps against Keras."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop.kit import cli, files, training
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving.architecture import layer_from
from workshop.kit.saving.layer_specs import ACTIVATIONS as OF_KERAS
from workshop.kit.training import batching
from workshop.scratch.nn import device
from workshop.scratch.nn.activations import ACTIVATIONS
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.layers import Activation, Dense, Layer
from workshop.scratch.nn.losses import LOSSES, make_loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import clip_by_global_norm, make_optimizer
from workshop.scratch.nn.pooling import AveragePooling2D, MaxPooling2D
from workshop.scratch.nn.regularization import BatchNormalization, Dropout
from workshop.scratch.nn.reshaping import Flatten
from workshop.scratch.nn.sgd import Optimizer
from workshop.scratch.nn.state import TrainingState
from workshop.scratch.nn.transposed import Conv2DTranspose

SMOOTH = ["linear", "sigmoid", "tanh", "softmax", "radbas"]
LAYERS: dict[str, tuple[Callable[[], Layer], tuple[int, ...]]] = {
    **{f"dense {name}": (partial(Dense, 3, name), (4,)) for name in SMOOTH},
    "conv valid": (lambda: Conv2D(2, (3, 2), (1, 1), "valid", "tanh"), (5, 6, 3)),
    "conv same, strides": (lambda: Conv2D(2, (3, 3), (2, 2), "same", "tanh"), (5, 6, 3)),
    "max pooling": (lambda: MaxPooling2D((2, 2), (2, 2)), (4, 6, 2)),
    "max pooling, overlapping": (lambda: MaxPooling2D((3, 3), (2, 2), "same"), (5, 6, 2)),
    "average pooling": (lambda: AveragePooling2D((3, 2), (2, 2), "same"), (5, 6, 2)),
    "flatten": (Flatten, (2, 3, 2)),
    "batch normalization": (BatchNormalization, (3, 3, 2)),
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


class Noting(Dense):
    """A layer that notes whether it is asked for the gradient by its input."""

    def __init__(self, units: int, asked: list[tuple[int, bool]]) -> None:
        super().__init__(units)
        self.asked = asked

    def backward(self, dY: np.ndarray, needs_input_gradient: bool = True) -> np.ndarray:
        self.asked.append((self.units, needs_input_gradient))
        return super().backward(dY, needs_input_gradient)


def test_the_first_layer_with_weights_is_spared_the_gradient_by_its_input() -> None:
    asked: list[tuple[int, bool]] = []
    network = Network([Flatten(), Noting(4, asked), Noting(3, asked), Noting(2, asked)], (2, 2), seed=1)
    loss, T = make_loss("mean_squared_error"), np.zeros((5, 2), np.float32)
    network.backward(network.forward(np.ones((5, 2, 2)), training=True), T, loss)
    assert asked == [(2, True), (3, True), (4, False)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_loss_gradients_fused_or_not_agree_with_finite_differences(loss: str, activation: str) -> None:
    random = np.random.default_rng(2)
    network = Network([Dense(3, activation)], (4,), seed=1, dtype=np.float64)
    X = random.normal(size=(5, 4))
    T = random.integers(0, 3, 5) if loss.startswith("sparse") else np.eye(3)[random.integers(0, 3, 5)]
    measure = LOSSES[loss]()
    network.backward(network.forward(X), T, measure)
    kernel = network.parameters["0/kernel"]
    gradient = network.gradients["0/kernel"]
    for index in np.ndindex(kernel.shape):
        kept = kernel[index]
        kernel[index] = kept + 1e-6
        above = network.compute_loss(network.forward(X), T, measure)
        kernel[index] = kept - 1e-6
        below = network.compute_loss(network.forward(X), T, measure)
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
    convolution = Conv2D(2, kernel, strides)
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
    pooled = MaxPooling2D(kernel, strides).forward(X)
    expected = torch.nn.functional.max_pool2d(moved, kernel, strides).detach().numpy()
    np.testing.assert_allclose(np.moveaxis(expected, 1, -1), pooled, atol=1e-12)


@pytest.mark.parametrize("name", OF_KERAS)
def test_activations_agree_with_keras(name: str) -> None:
    z = np.linspace(-8, 8, 33, dtype=np.float32).reshape(3, 11)
    theirs = keras.ops.convert_to_numpy(keras.activations.get(name)(keras.ops.convert_to_tensor(z)))
    np.testing.assert_allclose(ACTIVATIONS[name].value(z), theirs, rtol=1e-6, atol=1e-6)


MODELS = sorted(path.stem for path in files.shipped("models").glob("*.h5"))


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_predicts_as_in_keras_and_survives_being_written(name: str, tmp_path: Path) -> None:
    path = files.shipped("models") / f"{name}.h5"
    network = Network.from_h5(path)
    X = np.random.default_rng(4).random((20, *network.input_shape), np.float32)
    expected = keras.models.load_model(path, compile=False).predict(X, verbose=0)
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-5)
    network.save_h5(tmp_path / "written.h5")
    again = keras.models.load_model(tmp_path / "written.h5", compile=False)
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("optimizer", cli.OPTIMIZERS)
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
    recipe = training.Recipe(25, batch_size=32, optimizer=optimizer).for_samples(len(X))
    assert recipe.steps == 50
    model.compile(recipe.make_optimizer(), loss="sparse_categorical_crossentropy")
    history = training.fit_table(model, X, y, epochs=25, batch_size=32, seed=1, verbose=0)
    state = TrainingState(None, recipe, verbose=0)
    steps, criterion = make_optimizer(optimizer, steps=recipe.steps), make_loss("sparse_categorical_crossentropy")
    for _epoch in state.epochs(network, steps, X, y, 1):
        for rows in state.batches():
            outputs = network.forward(X[rows], training=True)
            state.log(len(rows), loss=network.compute_loss(outputs, y[rows], criterion))
            network.backward(outputs, y[rows], criterion)
            steps.apply(network.gradients, network.parameters)
    np.testing.assert_allclose(state.history["loss"], history.history["loss"], rtol=1e-4)
    for layer, theirs in zip(network.layers, model.layers, strict=True):
        ours = {**layer.parameters, **layer.state}
        for array, weight in zip(ours.values(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(array, weight, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2), "depth_multiplier"),
        (lambda: keras.layers.Cropping2D(), "Cropping2D"),
        (lambda: keras.layers.Conv2D(2, 3, activation="mish"), "mish"),
    ],
)
def test_what_the_engine_does_not_know_is_refused_by_name(
    layer: Callable[[], object], named: str, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.layers.Input((8, 8, 1)), layer()])
    model.save(tmp_path / "other.h5")
    with pytest.raises(WorkshopError, match=named):
        Network.from_h5(tmp_path / "other.h5")


CNN = [
    Conv2D(3, 3, activation="relu"),
    MaxPooling2D(),
    Dropout(0.4),
    BatchNormalization(),
    Flatten(),
    Dense(4),
    Activation("softmax"),
]


def small_cnn(seed: int = 1, dtype: type = np.float32) -> Network:
    """A network with a layer of nearly every kind."""
    made = [type(one)(**one.settings) for one in CNN]
    return Network(made, (9, 9, 2), seed, dtype)


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(6)
    return random.random((count, 9, 9, 2), np.float32), random.integers(0, 4, count)


def test_a_network_is_written_for_keras_with_its_weights_in_the_same_order(tmp_path: Path) -> None:
    network = small_cnn()
    X, y = samples(50)
    train(network, X, y, make_optimizer("adam"), range(2))  # so that the moving averages are not what they began as
    network.save_h5(tmp_path / "network.h5")
    theirs = keras.models.load_model(tmp_path / "network.h5", compile=False)
    assert network.count_params() == theirs.count_params()
    for ours, weight in zip(network.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, weight)
    assert (None, *network.input_shape) == theirs.input_shape
    assert (None, *network.output_shape) == theirs.output_shape
    output, stages = X, iter(network.stages(X))
    for layer in theirs.layers:
        output = layer(output)
        if type(layer).__name__ != "Flatten":
            name, stage = next(stages)
            assert name == type(layer).__name__
            np.testing.assert_allclose(stage, keras.ops.convert_to_numpy(output), atol=1e-5)
    assert next(stages, None) is None


def test_a_network_and_its_description_agree() -> None:
    described = small_cnn(seed=3).architecture
    again = Network.from_architecture(described).architecture
    assert again.input_shape == described.input_shape
    for one, other in zip(described.layers, again.layers, strict=True):
        assert (one.kind, one.settings) == (other.kind, other.settings)
        assert layer_from(one.kind, one.settings).settings == one.settings
        assert all(np.array_equal(one.weights[name], other.weights[name]) for name in other.weights)
    for one in described.layers:
        one.weights = {}
    drawn = Network.from_architecture(described, np.float64, seed=3)
    np.testing.assert_allclose(drawn.get_weights()[0], small_cnn(seed=3).get_weights()[0], rtol=1e-6)
    assert drawn.get_weights()[0].dtype == np.float64


def train(network: Network, X: np.ndarray, y: np.ndarray, optimizer: Optimizer, epochs: range) -> None:
    measure = LOSSES["sparse_categorical_crossentropy"]()
    for epoch in epochs:
        order = batching.epoch_order(len(X), 1, epoch)
        for rows in batching.batches(len(X), 20):
            network.train_step(X[order[rows]], y[order[rows]], measure, optimizer)


@pytest.mark.parametrize("name", cli.OPTIMIZERS)
def test_a_run_resumes_from_its_state_to_the_same_bits(name: str) -> None:
    X, y = samples(50)
    whole, optimizer = small_cnn(), make_optimizer(name, steps=12)
    train(whole, X, y, optimizer, range(2))
    state = {**whole.training_state(), **optimizer.state()}
    train(whole, X, y, optimizer, range(2, 4))
    resumed, optimizer = small_cnn(seed=99), make_optimizer(name, steps=12)
    resumed.restore_training_state(state)
    optimizer.restore(state)
    train(resumed, X, y, optimizer, range(2, 4))
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("part", ["generator", "weights/0/kernel", "steps"])
def test_an_incomplete_state_is_refused(part: str) -> None:
    network, optimizer = small_cnn(), make_optimizer("adam")
    state = {**network.training_state(), **optimizer.state()}
    del state[part]
    with pytest.raises(KeyError):
        network.restore_training_state(state)
        optimizer.restore(state)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("optimizer", cli.OPTIMIZERS)
def test_everything_stays_float32(activation: str, optimizer: str) -> None:
    X, y = samples(20)
    network = Network(
        [
            Conv2D(3, 3, 2, "same", activation),
            AveragePooling2D(2, 1, "same"),
            BatchNormalization(),
            Dropout(0.5),
            Flatten(),
            Dense(4, "softmax"),
        ],
        (9, 9, 2),
    )
    steps = make_optimizer(optimizer, steps=5)
    loss = make_loss("sparse_categorical_crossentropy")
    outputs = [network.train_step(X, y, loss, steps) for _ in range(2)]
    stages = [output for _, output in network.stages(X)]
    # Rprop's signs are bytes.
    memories = [array for name, array in steps.state().items() if name != "steps" and array.dtype != np.int8]
    arrays = [*outputs, *stages, *memories, *network.gradients.values(), *network.get_weights()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert network.predict(X.astype(np.float64)).dtype == np.float32


def test_a_clipped_gradient_is_shorter_and_points_where_it_pointed() -> None:
    gradients = {"a": np.array([3.0, 0.0], np.float32), "b": np.array([[4.0]])}
    clip_by_global_norm(gradients, 10)
    assert gradients["a"][0] == 3
    clip_by_global_norm(gradients, 1)
    np.testing.assert_allclose(gradients["a"], [0.6, 0])
    np.testing.assert_allclose(gradients["b"], [[0.8]])
    assert gradients["a"].dtype == np.float32
    nothing = {"a": np.zeros(2)}
    clip_by_global_norm(nothing, 1)
    np.testing.assert_array_equal(nothing["a"], 0)
    diverged = {"a": np.array([np.nan]), "b": np.array([1.0])}
    clip_by_global_norm(diverged, 1)
    assert np.isnan(diverged["b"]).all()  # as Keras has it: a training that diverged is to be seen


def test_sigmoid_takes_any_number() -> None:
    outputs = ACTIVATIONS["sigmoid"].value(np.array([-1e30, -100, 0, 100, 1e30], np.float32))
    np.testing.assert_allclose(outputs, [0, 0, 0.5, 1, 1], atol=1e-37)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Network([Dense(3)], (28, 28, 1)), r"Dense layer gets samples of shape \(28, 28, 1\).*Flatten"),
        (lambda: Network([Conv2D(3, 3)], (28, 28)), r"Conv2D layer gets samples of shape \(28, 28\).*channels"),
        (lambda: Network([Conv2D(3, 5)], (4, 4, 1)), r"window of \[5, 5\] does not fit"),
        (
            lambda: Network([Conv2DTranspose(3, 2, dilation_rate=2)], (4, 4, 1)),
            r"dilation_rate = \[2, 2\]",
        ),
        (lambda: Network([BatchNormalization(axis=1)], (4, 4, 1)), "axis = -1"),
        (lambda: Conv2D(3, 3, padding="SAME"), "'valid' and 'same'"),
        (lambda: Dense(3, "rleu"), "'rleu' is not known.*relu"),
        (lambda: Dropout(1.5), "from 0 up to below 1"),
        (lambda: make_loss("mse"), "'mse' is not known.*mean_squared_error"),
        (lambda: make_optimizer("Adam"), "'Adam' is not known.*adamw"),
        (lambda: small_cnn().set_weights([np.zeros(3)]), r"received weights of the shapes \[\(3,\)\]"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(make: Callable[[], object], says: str) -> None:
    with pytest.raises(WorkshopError, match=says):
        make()


def test_an_activation_that_is_not_keras_stays_out_of_files() -> None:
    with pytest.raises(WorkshopError, match="hardlims"):
        Network([Dense(3, "hardlims")], (2,)).to_h5()


def test_products_of_matrices_are_computed_by_one_core() -> None:
    assert "1 of " in device.prepare()
    threads = [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    assert threads and set(threads) == {1}


def test_other_libraries_of_the_same_process_keep_their_cores() -> None:
    pytest.importorskip("torch")  # which computes with OpenMP

    def threads() -> dict[str, int]:
        return {
            pool["filepath"]: pool["num_threads"]
            for pool in threadpoolctl.threadpool_info()
            if pool["user_api"] == "openmp"
        }

    with threadpoolctl.threadpool_limits(2, user_api="openmp"):
        before = threads()
        assert before
        device.prepare()
        assert threads() == before


def test_what_a_network_gives_away_of_its_weights_are_copies() -> None:
    network = Network([Dense(4, "tanh"), BatchNormalization(), Dense(2)], (3,), seed=1)
    X = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    before = network.predict(X)
    assert network.count_params() == 3 * 4 + 4 + 4 * 4 + 4 * 2 + 2
    state = network.training_state()
    given = [*network.get_weights(), *(state[name] for name in state if name != "generator")]
    for array in [*given, *(array for layer in network.architecture.layers for array in layer.weights.values())]:
        array += 1
    np.testing.assert_array_equal(network.predict(X), before)
    network.set_weights([np.zeros_like(array) for array in network.get_weights()])
    assert not network.predict(X).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_come_batch_by_batch_and_of_no_samples_none(dtype: Any) -> None:
    network = Network([Dense(2)], (3,), seed=1, dtype=dtype)
    X = np.random.default_rng(1).normal(size=(5, 3)).astype(dtype)
    sizes: list[int] = []

    def double(batch: np.ndarray) -> np.ndarray:
        sizes.append(len(batch))
        return 2 * batch

    np.testing.assert_allclose(
        network.predict(X, preprocess=double, batch_size=2), 2 * network.predict(X), rtol=1e-5, atol=1e-7
    )
    assert sizes == [2, 2, 1]
    none = network.predict(X[:0])
    assert none.shape == (0, 2) and none.dtype == dtype


def test_weights_of_another_network_are_refused_with_their_shapes() -> None:
    network = Network([Dense(2)], (3,), seed=1)
    for weights in ([np.zeros((3, 2))], [np.zeros((2, 3)), np.zeros(2)]):
        with pytest.raises(WorkshopError) as refused:
            network.set_weights(weights)
        shapes = [array.shape for array in weights]
        assert str(refused.value) == f"received weights of the shapes {shapes}, the network takes [(3, 2), (2,)]"
