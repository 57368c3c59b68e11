"""The constants, defaults and edge cases of the NumPy engine, against Keras and PyTorch where they have them."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop.kit import training
from workshop.kit.cli import OPTIMIZERS
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.saving.architecture import Architecture, layer_from
from workshop.pytorch.kit import optimizers
from workshop.pytorch.kit.optimizers import warm_up_then_cosine
from workshop.scratch.nn import adaptive, cells, depthwise, pooling, sgd
from workshop.scratch.nn.activations import ACTIVATIONS
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.embedding import Embedding
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import LAYERS, Network
from workshop.scratch.nn.optimizers import cosine_with_warmup, make_optimizer
from workshop.scratch.nn.recurrent import orthogonal
from workshop.scratch.nn.regularization import BatchNormalization, Dropout
from workshop.scratch.nn.sgd import Optimizer
from workshop.scratch.nn.wrappers import Bidirectional

RANDOM = np.random.default_rng

pytestmark = pytest.mark.usefixtures("alone")


# --- Activations ------------------------------------------------------------------------------------------------------

IN_PYTORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "relu6": torch.nn.functional.relu6,
    "leaky_relu": lambda z: torch.nn.functional.leaky_relu(z, 0.2),
    "silu": torch.nn.functional.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "elu": torch.nn.functional.elu,
    "selu": torch.selu,
    "gelu": torch.nn.functional.gelu,
    "softplus": torch.nn.functional.softplus,
    "softsign": torch.nn.functional.softsign,
    "exponential": torch.exp,
    "hard_sigmoid": torch.nn.functional.hardsigmoid,
}


@pytest.mark.parametrize("name", IN_PYTORCH)
def test_slopes_are_those_of_keras_and_pytorch_at_the_kinks_too(name: str) -> None:
    z = np.linspace(-8, 8, 33, dtype=np.float32)  # 0 and 6 among them
    gradient = RANDOM(1).normal(size=z.shape).astype(np.float32)
    a = ACTIVATIONS[name].value(z)
    dz = ACTIVATIONS[name].backward(gradient, a, z)
    inputs = tensorflow.constant(z)
    with tensorflow.GradientTape() as tape:
        tape.watch(inputs)
        outputs = keras.activations.get(name)(inputs)
    np.testing.assert_allclose(a, outputs, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(dz, tape.gradient(outputs, inputs, gradient), rtol=1e-6, atol=1e-6)
    tensor = torch.tensor(z, requires_grad=True)
    IN_PYTORCH[name](tensor).backward(torch.tensor(gradient))
    assert tensor.grad is not None
    is_one = z == (0 if name == "selu" else np.inf)  # at 0 itself PyTorch's selu has the slope from below
    np.testing.assert_allclose(dz[~is_one], tensor.grad[~is_one], rtol=1e-6, atol=1e-6)


def test_activations_of_the_perceptron_and_their_slopes() -> None:
    z = np.array([-2, -0.5, 0, 0.5, 1, 2])
    expected: dict[str, tuple[Any, Any]] = {
        "step": ([0, 0, 1, 1, 1, 1], np.zeros(6)),
        "hardlims": ([-1, -1, 1, 1, 1, 1], np.zeros(6)),
        "satlin": ([0, 0, 0, 0.5, 1, 1], [0, 0, 0, 1, 0, 0]),
        "radbas": (np.exp(-(z**2)), -2 * z * np.exp(-(z**2))),
    }
    for name, (value, slope) in expected.items():
        a = ACTIVATIONS[name].value(z)
        np.testing.assert_allclose(a, value, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(ACTIVATIONS[name].backward(np.full(6, 3.0), a, z), 3 * np.array(slope), rtol=1e-12)


def test_softmax_takes_any_number() -> None:
    z = np.array([[1000, 0, -1000], [-1e4, -1e4, -1e30]], np.float32)
    np.testing.assert_allclose(ACTIVATIONS["softmax"].value(z), np.array([[1, 0, 0], [0.5, 0.5, 0]]))


# --- Losses -----------------------------------------------------------------------------------------------------------


def test_a_probability_of_zero_costs_what_it_costs_in_keras() -> None:
    certain, wrong = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    for name in ("binary_crossentropy", "categorical_crossentropy"):
        loss = make_loss(name)
        expected = float(np.mean(getattr(keras.losses, name)(wrong, certain)))
        assert loss.value(certain, wrong) == pytest.approx(expected, rel=1e-6) == pytest.approx(-np.log(1e-7), rel=1e-6)
        assert loss.value(certain, certain) == pytest.approx(1e-7, rel=0.01)
        # The slope at the probability that is clipped, the mean over two outputs or over one sample.
        first = loss.gradient(certain, wrong)[0, 0]
        assert first == pytest.approx(-1e7 / (2 if name.startswith("binary") else 1), rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.floats(-2000, 2000), st.integers(0, 1))
def test_losses_from_logits_are_exact_where_probabilities_are_rounded(z: float, target: int) -> None:
    expected = np.logaddexp(0, -z) if target else np.logaddexp(0, z)
    binary = make_loss("binary_crossentropy").fused_value(np.array([[z]]), np.array([target]))
    classes = make_loss("sparse_categorical_crossentropy").fused_value(np.array([[0, z]]), np.array([target]))
    assert binary == pytest.approx(expected, rel=1e-9, abs=1e-12) == classes


# --- Optimizers -------------------------------------------------------------------------------------------------------

IN_KERAS: dict[str, tuple[Callable[[], Optimizer], Callable[[], Any]]] = {
    "sgd": (lambda: make_optimizer("sgd"), lambda: keras.optimizers.SGD()),
    "momentum": (lambda: make_optimizer("momentum"), lambda: keras.optimizers.SGD(momentum=0.9)),
    "nesterov": (lambda: make_optimizer("nesterov"), lambda: keras.optimizers.SGD(momentum=0.9, nesterov=True)),
    "rmsprop": (lambda: make_optimizer("rmsprop"), lambda: keras.optimizers.RMSprop()),
    "adagrad": (lambda: make_optimizer("adagrad"), lambda: keras.optimizers.Adagrad()),
    "adam": (lambda: make_optimizer("adam"), lambda: keras.optimizers.Adam()),
    "adamw": (lambda: make_optimizer("adamw"), lambda: keras.optimizers.AdamW(beta_2=0.99, weight_decay=0.01)),
    "nadam": (lambda: make_optimizer("nadam"), lambda: keras.optimizers.Nadam()),
    "rprop": (
        lambda: make_optimizer("rprop"),
        lambda: training.Recipe(1, optimizer="rprop", schedule=False).make_optimizer(),
    ),
    "adadelta": (lambda: make_optimizer("adadelta"), lambda: keras.optimizers.Adadelta(1.0)),
    "SGD": (sgd.SGD, lambda: keras.optimizers.SGD()),
    "RMSprop": (adaptive.RMSprop, lambda: keras.optimizers.RMSprop()),
    "Adagrad": (adaptive.Adagrad, lambda: keras.optimizers.Adagrad()),
    "Adagrad from 0": (
        lambda: adaptive.Adagrad(start=0.0),
        lambda: keras.optimizers.Adagrad(initial_accumulator_value=0.0),
    ),
    "Adam": (adaptive.Adam, lambda: keras.optimizers.Adam()),
    "Nadam": (adaptive.Nadam, lambda: keras.optimizers.Nadam()),
    "Adadelta": (lambda: adaptive.Adadelta(0.001), lambda: keras.optimizers.Adadelta()),
}


@pytest.mark.parametrize("name", IN_KERAS)
def test_steps_along_gradients_of_all_sizes_are_keras_steps(name: str) -> None:
    """Where gradients are small, epsilon decides; the defaults are Keras' too."""
    make, make_in_keras = IN_KERAS[name]
    sizes = np.logspace(-8, 1, 10)
    weight = np.zeros(10) if name != "adamw" else np.ones(10)
    variable = keras.Variable(weight.astype(np.float32))
    ours, keras_optimizer = make(), make_in_keras()
    for step in range(4):
        gradient = sizes * (1 + 0.3 * np.sin(step + np.arange(10)))
        before, before_in_keras = weight.copy(), np.asarray(variable)
        ours.apply({"w": gradient}, {"w": weight})
        keras_optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
        # Relative to the step where weights start at 0; those at 1 are rounded to float32.
        tolerance = 1e-7 if name == "adamw" else 1e-12
        np.testing.assert_allclose(weight - before, np.asarray(variable) - before_in_keras, rtol=2e-3, atol=tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pytorchs_steps_along_gradients_of_all_sizes_are_numpys(name: str) -> None:
    sizes = np.logspace(-8, 1, 10)
    weight = np.ones(10)
    parameter = torch.nn.Parameter(torch.ones(10, dtype=torch.float64))
    recipe = training.Recipe(1, optimizer=name, schedule=False)
    ours, (theirs, _) = make_optimizer(name), optimizers.make(recipe, [parameter])
    for step in range(4):
        gradient = sizes * (1 + 0.3 * np.sin(step + np.arange(10)))
        parameter.grad = torch.tensor(gradient)
        before, before_in_torch = weight.copy(), parameter.detach().numpy().copy()
        ours.apply({"w": gradient}, {"w": weight})
        assert theirs.step(lambda: float(torch.is_grad_enabled())) == 1
        np.testing.assert_allclose(weight - before, parameter.detach().numpy() - before_in_torch, rtol=1e-4, atol=1e-14)


def test_weight_decay_shrinks_a_weight_without_a_gradient() -> None:
    weight = np.ones(1)
    make_optimizer("adamw", 0.5).apply({"w": np.zeros(1)}, {"w": weight})
    assert weight[0] == pytest.approx(1 - 0.5 * 0.01)


RATES: dict[str, Callable[[float, int], Callable[[int], float]]] = {
    "numpy": cosine_with_warmup,
    "torch": lambda highest, steps: lambda step: highest * warm_up_then_cosine(steps)(step),
}


@pytest.mark.parametrize("engine", RATES)
@settings(max_examples=60, deadline=None)
@given(steps=st.integers(2, 500))
def test_the_rate_warms_up_over_a_tenth_and_falls_to_zero_along_a_cosine(engine: str, steps: int) -> None:
    rate, warmup = RATES[engine](0.4, steps), max(1, steps // 10)
    rates = np.array([rate(step) for step in range(steps + 1)])
    assert rates[0] == pytest.approx(0.4 / 25) and rates[warmup] == pytest.approx(0.4)
    np.testing.assert_allclose(np.diff(rates[: warmup + 1]), (0.4 - 0.4 / 25) / warmup)
    falling = (np.arange(warmup, steps + 1) - warmup) / (steps - warmup)
    np.testing.assert_allclose(rates[warmup:], 0.2 * (1 + np.cos(np.pi * falling)), atol=1e-12)
    assert rate(steps + 7) == pytest.approx(0, abs=1e-12)


def test_an_optimizer_takes_the_rates_of_its_steps_one_after_the_other() -> None:
    expected = [cosine_with_warmup(0.4, 30)(step) for step in range(31)]
    rate = make_optimizer("sgd", 0.4, 30).learning_rate
    assert callable(rate) and [rate(step) for step in range(31)] == expected
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer, scheduler = optimizers.make(training.Recipe(1, 0.4, optimizer="sgd", steps=30), [weight])
    for now in expected:
        assert optimizer.param_groups[0]["lr"] == pytest.approx(now, abs=1e-12)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("engine", RATES)
def test_a_run_of_one_step_has_a_rate(engine: str) -> None:
    rate = RATES[engine](0.4, 1)
    assert (rate(0), rate(1)) == pytest.approx((0.4 / 25, 0.4))


# --- Layers -----------------------------------------------------------------------------------------------------------

# What each layer cannot be made without, in Keras or here; all else has a default.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "Dense": (3,),
    "Rescaling": (2,),
    "ReLU": (5.0,),  # without a limit it is an Activation
    "LeakyReLU": (),
    "PReLU": (),
    "ELU": (),
    "BatchNormalization": (),
    "LayerNormalization": (),
    "Conv2D": (3, 2),
    "DepthwiseConv2D": (3,),
    "SeparableConv2D": (2, 3),
    "Conv2DTranspose": (3, 2),
    "ZeroPadding2D": (),
    "UpSampling2D": (),
    "MaxPooling2D": (),
    "AveragePooling2D": (2,),
    "Conv1D": (3, 2),
    "ZeroPadding1D": (),
    "UpSampling1D": (),
    "MaxPooling1D": (),
    "AveragePooling1D": (2,),
    "SimpleRNN": (3,),
    "LSTM": (3,),
    "GRU": (3,),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_defaults_are_keras_defaults(kind: str) -> None:
    make: Callable[..., Layer] = LAYERS[kind]
    layer = make(*ARGUMENTS[kind])
    described = layer_from(kind, getattr(keras.layers, kind)(*ARGUMENTS[kind]).get_config()).settings
    assert layer.settings == described
    assert type(layer)(**described).settings == described


# What a file has to say, where it is not the arguments above: a GRU without `reset_after` is of a Keras that had no
# other way.
SAID = {"ReLU": [], "ZeroPadding1D": ["padding"], "ZeroPadding2D": ["padding"], "UpSampling1D": ["size"]}
SAID |= {"GRU": ["units", "reset_after"], "Softmax": []}


@pytest.mark.parametrize("kind", [*ARGUMENTS, "Softmax"])
def test_what_a_file_says_nothing_of_is_as_keras_has_it(kind: str) -> None:
    by_keras = getattr(keras.layers, kind)
    arguments = () if kind in ("ReLU", "Softmax") else ARGUMENTS[kind]
    whole = by_keras(*arguments).get_config()
    said = SAID.get(kind, list(inspect.signature(by_keras).parameters)[: len(arguments)])
    assert layer_from(kind, {name: whole[name] for name in said}) == layer_from(kind, whole)


@pytest.mark.parametrize("axes", ["1D", "2D"])
def test_a_mean_is_of_as_many_as_a_maximum_where_nothing_is_said(axes: str) -> None:
    mean, largest = (LAYERS[f"{kind}Pooling{axes}"]() for kind in ("Average", "Max"))
    assert mean.settings == largest.settings


IMAGES = "(height, width, channels)", [(5,), (6, 5), (2, 6, 5, 1)]
SEQUENCES = "(steps, features)", [(5,), (6, 5, 1)]
TAKES: dict[str, tuple[str, list[tuple[int, ...]]]] = {
    **{kind: IMAGES for kind in LAYERS if kind.endswith("2D")},
    **dict.fromkeys((*(kind for kind in LAYERS if kind.endswith("1D")), "SimpleRNN", "LSTM", "GRU"), SEQUENCES),
    "Dense": ("(features,): put a Flatten layer before it", [(6, 5, 1)]),
    "BatchNormalization": ("axis = -1, the last one, not 1", [(6, 5), (6, 5, 1)]),
    "LayerNormalization": ("axis = -1, the last one, not 1", [(6, 5), (6, 5, 1)]),
    "Embedding": ("(steps,), one whole number a step", [(6, 5)]),
    "RepeatVector": ("(features,)", [(6, 5), (6, 5, 1)]),
}
OTHER_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "BatchNormalization": (1,),
    "LayerNormalization": (1,),
    "Embedding": (3, 2),
    "RepeatVector": (3,),
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D"), (0.5,)),
}


@pytest.mark.parametrize("kind", TAKES)
def test_samples_of_another_shape_are_refused_with_the_shape_that_a_layer_takes(kind: str) -> None:
    takes, shapes = TAKES[kind]
    make: Callable[..., Layer] = LAYERS[kind]
    for shape in shapes:
        layer = make(*(ARGUMENTS | OTHER_ARGUMENTS).get(kind, ()))
        with pytest.raises(WorkshopError) as refused:
            Network([layer], shape)
        assert str(refused.value) == f"a {kind} layer gets samples of shape {shape}, takes {takes}"


def test_both_directions_are_put_side_by_side_as_in_keras() -> None:
    by_keras = keras.layers.Bidirectional(keras.layers.LSTM(3))
    assert Bidirectional(cells.LSTM(3)).settings["merge_mode"] == by_keras.merge_mode


@settings(max_examples=25, deadline=None)
@given(
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(7, 10), st.integers(7, 10)),
    padding=st.sampled_from(["same", "valid"]),
)
def test_convolution_and_pooling_are_keras_with_each_padding(
    window: tuple[int, int], strides: tuple[int, int], size: tuple[int, int], padding: str
) -> None:
    X = (
        RANDOM(2).normal(-3, 1, size=(2, *size, 2)).astype(np.float32)
    )  # negative: a zero of the padding would be larger
    for kind, options, arguments in (
        ("Conv2D", {"kernel_size": window, "bias_initializer": "normal"}, (3,)),
        ("MaxPooling2D", {"pool_size": window}, ()),
        ("AveragePooling2D", {"pool_size": window}, ()),
    ):
        layer = getattr(keras.layers, kind)(*arguments, **options, strides=strides, padding=padding)
        expected = keras.ops.convert_to_numpy(layer(X))
        network = mirror(kind, layer, X.shape[1:])
        assert network.output_shape == expected.shape[1:]
        np.testing.assert_allclose(network.predict(X), expected, rtol=1e-4, atol=1e-5, err_msg=kind)


def mirror(kind: str, layer: Any, shape: tuple[int, ...]) -> Network:
    """Returns the network of a built layer of Keras."""
    described = layer_from(kind, layer.get_config())
    described.weights = {weight.name: np.asarray(weight) for weight in layer.weights}
    return Network.from_architecture(Architecture(shape, [described]))


@settings(max_examples=40, deadline=None)
@given(
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 99),
)
def test_of_equal_largest_pixels_the_first_gets_the_gradient(
    window: tuple[int, int], strides: tuple[int, int], seed: int
) -> None:
    X = RANDOM(seed).integers(0, 3, (2, 6, 7, 2)).astype(float)
    layer = pooling.MaxPooling2D(window, strides)
    direction = RANDOM(seed).normal(size=layer.forward(X).shape)
    tensor = torch.tensor(np.moveaxis(X, -1, 1), requires_grad=True)
    torch.nn.functional.max_pool2d(tensor, window, strides).backward(torch.tensor(np.moveaxis(direction, -1, 1)))
    assert tensor.grad is not None
    np.testing.assert_allclose(layer.backward(direction), np.moveaxis(tensor.grad.numpy(), 1, -1), atol=1e-12)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_batch_normalisation_with_and_without_its_parameters_is_keras(center: bool, scale: bool) -> None:
    X = RANDOM(3).normal(2, 3, size=(6, 4, 5, 2)).astype(np.float32)
    layer = keras.layers.BatchNormalization(center=center, scale=scale, momentum=0.7, epsilon=0.02)
    layer.build(X.shape)
    layer.set_weights([RANDOM(4).uniform(0.3, 2, weight.shape) for weight in layer.weights])
    network = mirror("BatchNormalization", layer, X.shape[1:])
    for is_training in (True, False, True):
        direction = RANDOM(5).normal(size=X.shape).astype(np.float32)
        inputs = tensorflow.constant(X)
        with tensorflow.GradientTape() as tape:
            tape.watch(inputs)
            expected = layer(inputs, training=is_training)
        gradients = tape.gradient(expected, [inputs, *layer.trainable_variables], direction)
        np.testing.assert_allclose(network.forward(X, is_training), expected, atol=1e-5)
        np.testing.assert_allclose(network.layers[0].backward(direction), gradients[0], atol=1e-5)
        for name, gradient in zip(network.layers[0].parameters, gradients[1:], strict=True):
            np.testing.assert_allclose(network.layers[0].gradients[name], gradient, rtol=1e-4, atol=1e-4)
        for ours, weight in zip(network.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_allclose(ours, weight, rtol=1e-5)


def test_batch_normalisation_takes_the_last_axis_by_either_number() -> None:
    assert Network([BatchNormalization(axis=3)], (4, 4, 2)).output_shape == (4, 4, 2)
    for axis in (1, 2, 0, -2):
        with pytest.raises(WorkshopError, match="axis = -1"):
            Network([BatchNormalization(axis=axis)], (4, 4, 2))


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.8])
def test_dropout_drops_its_share_and_scales_the_rest(rate: float) -> None:
    layer = Dropout(rate)
    layer.build((1000,), RANDOM(6), np.float64)
    X = np.ones((50, 1000))
    Y = layer.forward(X, training=True)
    assert np.mean(Y == 0) == pytest.approx(rate, abs=0.01)
    np.testing.assert_allclose(Y[Y != 0], 1 / (1 - rate), rtol=1e-6)
    np.testing.assert_array_equal(layer.backward(np.full_like(X, 2.0)), 2 * Y)
    np.testing.assert_array_equal(layer.forward(X), X)
    np.testing.assert_array_equal(layer.backward(X), X)
    for wrong in (1.0, -0.1):
        with pytest.raises(WorkshopError, match="from 0 up to below 1"):
            Dropout(wrong)


def test_kernels_start_within_the_limits_of_glorot_and_bengio() -> None:
    for layer, shape, fan_in, fan_out in (
        (Dense(50), (60,), 60, 50),
        (Conv2D(20, (3, 5)), (9, 9, 10), 150, 300),
        (depthwise.DepthwiseConv2D((5, 3)), (9, 9, 40), 600, 15),
        (cells.LSTM(20), (7, 30), 30, 80),
    ):
        layer.build(shape, RANDOM(7), np.float64)
        kernel, limit = layer.parameters["kernel"], np.sqrt(6 / (fan_in + fan_out))
        assert 0.98 * limit < np.abs(kernel).max() <= limit and abs(kernel.mean()) < 0.1 * limit


def test_orthogonal_matrices_are_drawn_with_either_sign() -> None:
    matrices = [orthogonal(2, 4, RANDOM(seed), np.float64) for seed in range(200)]
    for matrix in matrices:
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-12)
    for i, j in ((0, 0), (1, 1)):
        assert 0.4 < np.mean([matrix[i, j] > 0 for matrix in matrices]) < 0.6


def test_an_embedding_takes_an_empty_batch_and_counts_a_number_as_often_as_it_occurs() -> None:
    layer = Embedding(4, 3)
    layer.build((5,), RANDOM(8), np.float64)
    assert layer.forward(np.zeros((0, 5))).shape == (0, 5, 3)
    layer.forward(np.array([[3.0, 3, 0, 3, 1]]))
    assert layer.backward(np.ones((1, 5, 3))).tolist() == [[0] * 5]
    assert layer.gradients["embeddings"].tolist() == [[1] * 3, [1] * 3, [0] * 3, [3] * 3]
