"""PyTorch gives Keras' numbers: files, layers, batch normalisation, optimizers, and modules as students write them."""

from __future__ import annotations

import copy
import importlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.lesson_runs import without_published_data
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workshop.kit import cli, files, processes, training
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.report import Report
from workshop.kit.saving.architecture import Architecture, Layer, layer_from
from workshop.kit.saving.layer_specs import ACTIVATIONS
from workshop.kit.saving.model import KerasModel
from workshop.kit.training import batching
from workshop.pytorch import cats_vs_dogs, mnist, text_generation
from workshop.pytorch import optimizers as optimizers_lesson
from workshop.pytorch.kit import device, image_layers, layers, layout, noise, one_row, optimizers, recurrent, wrappers
from workshop.pytorch.kit.dataset import ArrayDataset
from workshop.pytorch.kit.model import TorchModel, from_architecture, to_architecture
from workshop.pytorch.kit.recurrent_loop import Loop

MODELS = sorted(path.stem for path in files.shipped("models").glob("*.h5"))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other at every small step take many times as long where other tests run beside."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def answers(model: Any, X: np.ndarray) -> np.ndarray:
    return KerasModel(model).predict(X)


def loaded_in_keras(model: TorchModel, folder: Path) -> keras.Model:
    model.save_h5(folder / "from_torch.h5")
    return keras.models.load_model(folder / "from_torch.h5", compile=False)


def loaded_in_torch(model: Any, dtype: torch.dtype = torch.float32) -> TorchModel:
    return TorchModel.from_bytes(KerasModel(model).to_h5(), Path("from_keras.h5"), dtype)


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_answers_as_in_keras_and_survives_being_written(name: str, tmp_path: Path) -> None:
    path = files.shipped("models") / f"{name}.h5"
    model = TorchModel.from_h5(path)
    theirs = keras.models.load_model(path, compile=False)
    X = np.random.default_rng(4).random((20, *model.input_shape), np.float32)
    expected = answers(theirs, X)
    assert (20, *model.output_shape) == expected.shape
    assert model.predict(X).dtype == np.float32
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(answers(loaded_in_keras(model, tmp_path), X), expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["valid", "same"]),
    # Where one column comes out of strides like (1, 2), TensorFlow 2.21 itself is wrong with oneDNN, and right without.
    size=st.tuples(st.integers(7, 10), st.integers(7, 10)),
    channels=st.integers(1, 3),
    activation=st.sampled_from(ACTIVATIONS),
)
def test_windows_agree_with_keras_and_can_be_described_again(
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    size: tuple[int, int],
    channels: int,
    activation: str,
) -> None:
    random = np.random.default_rng(3)
    X = random.normal(size=(2, *size, channels)).astype(np.float32)
    where = {"strides": strides, "padding": padding}
    for layer in (
        keras.layers.Conv2D(2, window, activation=activation, bias_initializer="normal", **where),
        keras.layers.MaxPooling2D(window, **where),
        keras.layers.AveragePooling2D(window, **where),
    ):
        expected = keras.ops.convert_to_numpy(layer(X))
        described = Layer(type(layer).__name__, {"strides": list(strides), "padding": padding})
        if layer.weights:
            described.settings |= {"filters": 2, "kernel_size": list(window)}
            described.settings |= {"activation": activation, "use_bias": True}
            described.weights = dict(zip(("kernel", "bias"), layer.get_weights(), strict=True))
        else:
            described.settings["pool_size"] = list(window)
        module = from_architecture(Architecture((*size, channels), [described]))
        np.testing.assert_allclose(TorchModel(module, X.shape[1:]).predict(X), expected, rtol=1e-5, atol=1e-5)
        (again,) = to_architecture(module, X.shape[1:]).layers
        assert (again.kind, again.settings) == (described.kind, described.settings)
        for name, weight in described.weights.items():
            np.testing.assert_array_equal(again.weights[name], weight)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_agree_with_keras_on_rows_and_on_images(name: str) -> None:
    for shape in ((3, 11), (2, 3, 4, 5), (2, 3, 4)):
        z = np.random.default_rng(1).uniform(-8, 8, shape).astype(np.float32)
        model = TorchModel(
            from_architecture(Architecture(shape[1:], [Layer("Activation", {"activation": name})])), shape[1:]
        )
        theirs = keras.ops.convert_to_numpy(keras.activations.get(name)(keras.ops.convert_to_tensor(z)))
        np.testing.assert_allclose(model.predict(z), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4,), {}),
        ((3, 5, 2), {"momentum": 0.8, "epsilon": 0.01}),
        ((3, 4), {"scale": False}),
        ((4,), {"center": False}),
    ],
)
def test_batch_normalisation_learns_the_same_statistics(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    random = np.random.default_rng(6)
    theirs = keras.Sequential([keras.layers.Input(shape), keras.layers.BatchNormalization(**options)])
    theirs.set_weights([random.uniform(0.5, 2, weight.shape) for weight in theirs.get_weights()])
    model = loaded_in_torch(theirs)
    model.module.train()
    for samples in (8, 3, 1):  # a single sample, as an epoch may end with
        X = random.normal(2, 3, size=(samples, *shape)).astype(np.float32)
        ours = model.module(torch.tensor(X)).detach().numpy()
        np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs(X, training=True)), rtol=1e-5, atol=1e-5)
        for weight, expected in zip(model.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(X), answers(theirs, X), rtol=1e-5, atol=1e-5)


def small_network() -> keras.Sequential:
    return keras.Sequential(
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


SMALL = small_network()


def train(model: TorchModel, optimizer: Any, scheduler: Any, X: torch.Tensor, y: torch.Tensor, epochs: range) -> None:
    """Takes Keras' steps: batches of 32 in the order of `batching.epoch_order`, cross-entropy from the logits."""
    without_softmax = model.module[:-1]
    for epoch in epochs:
        for rows in np.split(batching.epoch_order(len(X), 1, epoch), len(X) // 32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(without_softmax(X[rows]), y[rows]).backward()
            optimizer.step()
            scheduler.step()


# Single steps of all optimizers are compared below; Keras compiles these runs, which takes a second each.
IN_CI = [
    name if name in ("momentum", "adamw") else pytest.param(name, marks=pytest.mark.slow) for name in cli.OPTIMIZERS
]


@pytest.mark.parametrize("name", IN_CI)
def test_fifty_steps_end_where_keras_ends(name: str) -> None:
    keras.utils.set_random_seed(5)
    random = np.random.default_rng(5)
    X, y = random.random((64, 8, 8, 1), np.float32), random.integers(0, 3, 64)
    theirs = small_network()
    model = loaded_in_torch(theirs)
    recipe = training.Recipe(25, batch_size=32, optimizer=name).for_samples(len(X))
    optimizer, scheduler = optimizers.make(recipe, model.module.parameters())
    train(model, optimizer, scheduler, torch.tensor(X), torch.tensor(y), range(25))
    theirs.compile(recipe.make_optimizer(), loss="sparse_categorical_crossentropy")
    training.fit_table(theirs, X, y, epochs=25, batch_size=32, seed=1, verbose=0)
    for weight, expected in zip(model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=2e-5)


@pytest.mark.parametrize("name", cli.OPTIMIZERS)
def test_steps_are_keras_steps_where_gradients_are_as_small_as_epsilon(name: str) -> None:
    random = np.random.default_rng(8)
    sizes = 10.0 ** np.arange(-9, 1)
    ours, theirs = nn.Parameter(torch.zeros(10, dtype=torch.float64)), keras.Variable(np.zeros(10), dtype="float64")
    recipe = training.Recipe(1, optimizer=name, schedule=False)
    optimizer, _ = optimizers.make(recipe, [ours])
    keras_optimizer = recipe.make_optimizer()
    reach = np.zeros(10)
    for _ in range(10):
        gradient = sizes * random.normal(size=10)
        ours.grad = torch.tensor(gradient)
        optimizer.step()
        keras_optimizer.apply([keras.ops.convert_to_tensor(gradient)], [theirs])
        expected = keras.ops.convert_to_numpy(theirs.value)
        reach = np.maximum(reach, np.abs(expected))
        # Keras rounds its rate and the powers of its betas to single precision, also here.
        assert (np.abs(ours.detach().numpy() - expected) < 1e-5 * reach).all()


@pytest.mark.parametrize("name", cli.OPTIMIZERS)
def test_a_run_goes_on_from_its_saved_state_to_the_same_bits(name: str) -> None:
    torch.manual_seed(1)
    X, y = torch.rand(64, 8, 8, 1), torch.randint(3, (64,))

    def run(model: TorchModel, epochs: range, state: bytes | None = None) -> bytes:
        optimizer, scheduler = optimizers.make(training.Recipe(4, optimizer=name, steps=8), model.module.parameters())
        parts = (model.module, optimizer, scheduler)
        if state is not None:
            for part, kept in zip(parts, torch.load(io.BytesIO(state), weights_only=True), strict=True):
                part.load_state_dict(kept)
        train(model, optimizer, scheduler, X, y, epochs)
        content = io.BytesIO()
        torch.save([part.state_dict() for part in parts], content)
        return content.getvalue()

    whole, first, second = (loaded_in_torch(SMALL) for _ in range(3))
    run(whole, range(4))
    run(second, range(2, 4), run(first, range(2)))
    for weight, expected in zip(second.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_adam_goes_on_from_a_state_that_was_saved_before_its_steps_were_fused() -> None:
    def take(weight: nn.Parameter, optimizer: Any) -> None:
        weight.grad = weight.detach() - 1
        optimizer.step()

    weight = nn.Parameter(torch.arange(3.0))
    recipe = training.Recipe(1, 0.1, optimizer="adam", schedule=False)
    optimizer, _ = optimizers.make(recipe, [weight])
    take(weight, optimizer)
    before = copy.deepcopy(optimizer.state_dict())
    assert before["param_groups"][0]["fused"]
    before["param_groups"][0]["fused"] = None
    again = nn.Parameter(weight.detach().clone())
    resumed, _ = optimizers.make(recipe, [again])
    resumed.load_state_dict(before)
    for one, steps in ((weight, optimizer), (again, resumed)):
        take(one, steps)
        assert steps.state[one]["step"] == 2
    np.testing.assert_allclose(again.detach(), weight.detach(), atol=1e-6)
    assert not resumed.param_groups[0]["fused"]


def written_by_hand() -> nn.Sequential:
    return nn.Sequential(
        layout.ChannelsFirst(),
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(4),
        nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.Tanh(), nn.Dropout(0.2)),
        image_layers.PadAsTensorFlow(3, 2, value=-np.inf),
        nn.MaxPool2d(3, stride=2),
        layout.FlattenAsKeras(),
        nn.Linear(54, 8, bias=False),
        nn.ReLU(),
        nn.Linear(8, 3),
        nn.Softmax(dim=1),
    )


def test_a_module_written_by_hand_is_a_keras_model(tmp_path: Path) -> None:
    torch.manual_seed(2)
    module = layers.initialize_as_keras(written_by_hand())
    model = TorchModel(module, (12, 12, 1))
    module(torch.rand(5, 12, 12, 1))  # in training: moves the statistics
    theirs = loaded_in_keras(model, tmp_path)
    assert ", ".join(type(layer).__name__ for layer in theirs.layers) == (
        "Conv2D, MaxPooling2D, BatchNormalization, Conv2D, Dropout, MaxPooling2D, Flatten, Dense, Dense"
    )
    assert [theirs.layers[i].activation.__name__ for i in (0, 3, 7, 8)] == ["relu", "tanh", "relu", "softmax"]
    X = np.random.default_rng(2).integers(0, 256, (1005, 12, 12, 1), np.uint8)

    def scale(batch: np.ndarray) -> np.ndarray:
        return batch.astype(np.float32) / 255

    expected = KerasModel(theirs)
    np.testing.assert_allclose(model.predict(X, preprocess=scale), expected.predict(scale(X)), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(model.predict(X[..., 0]), model.predict(X))  # one channel needs no axis
    assert model.predict(X[:0]).shape == (0, 3)
    assert module.training  # as it was before
    assert model.count_params() == expected.count_params()
    ours, others = model.stages(scale(X[:2])), expected.stages(scale(X[:2]))
    assert [name for name, _ in ours] == [name for name, _ in others]
    for (_, output), (_, theirs_here) in zip(ours, others, strict=True):
        np.testing.assert_allclose(output, theirs_here, rtol=1e-5, atol=1e-5)


def test_weights_come_and_go_in_the_order_and_the_layout_of_keras() -> None:
    model = loaded_in_torch(SMALL)
    weights = [
        np.random.default_rng(i).random(weight.shape, np.float32) for i, weight in enumerate(SMALL.get_weights())
    ]
    model.set_weights(weights)
    for weight, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    twin = keras.models.clone_model(SMALL)
    twin.set_weights(weights)
    X = np.random.default_rng(1).random((5, 8, 8, 1), np.float32)
    np.testing.assert_allclose(model.predict(X), answers(twin, X), rtol=1e-5, atol=1e-5)
    before = model.get_weights()[0]
    with torch.no_grad():
        model.module[1].weight.zero_()
    np.testing.assert_array_equal(before, weights[0])  # a copy
    with pytest.raises(WorkshopError, match="got 2 weights"):
        model.set_weights(weights[:2])
    with pytest.raises(WorkshopError, match="kernel of a Conv2D"):
        model.set_weights([weights[0][:1], *weights[1:]])


def test_a_model_in_double_precision_answers_in_it() -> None:
    X = np.random.default_rng(1).random((5, 8, 8, 1))
    model = loaded_in_torch(SMALL, torch.float64)
    outputs = model.predict(X)
    assert outputs.dtype == np.float64 and {weight.dtype for weight in model.get_weights()} == {np.dtype(np.float64)}
    np.testing.assert_allclose(outputs, loaded_in_torch(SMALL).predict(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-14)


def test_weights_start_as_keras_draws_them() -> None:
    described = Architecture((30, 30, 3), [])
    for kind, options in (
        ("Conv2D", {"filters": 40, "kernel_size": [5, 5]}),
        ("Flatten", {}),
        ("Dense", {"units": 50}),
    ):
        settings = {"strides": [1, 1], "padding": "valid", "activation": "relu", "use_bias": True} | options
        described.layers.append(Layer(kind, settings))
    for layer, (inputs, outputs) in zip(
        to_architecture(from_architecture(described), (30, 30, 3)).layers[::2],
        [(5 * 5 * 3, 5 * 5 * 40), (26 * 26 * 40, 50)],
        strict=True,
    ):
        limit = np.sqrt(6 / (inputs + outputs))
        assert 0.99 * limit < np.abs(layer.weights["kernel"]).max() <= limit
        assert layer.weights["kernel"].std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        assert not layer.weights["bias"].any()


def images(*modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(layout.ChannelsFirst(), *modules, layout.FlattenAsKeras())


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (images(nn.Mish()), "Mish"),
        (images(nn.GELU("tanh")), "approximate = 'tanh'"),
        (images(nn.Conv2d(2, 2, 3, groups=2, dilation=2)), "dilation"),
        (images(nn.Conv2d(2, 4, 3, groups=2)), "groups"),
        (images(nn.Conv2d(2, 2, 3, stride=2, padding=1)), "PadAsTensorFlow"),
        (images(nn.Conv2d(3, 2, 3)), "does not fit samples of shape"),
        (images(nn.MaxPool2d(2, ceil_mode=True)), "ceil_mode"),
        (images(nn.AvgPool2d(3, 1, padding=1)), "count_include_pad"),
        (images(image_layers.PadAsTensorFlow(3, 2), nn.MaxPool2d(3, 2)), "PadAsTensorFlow.*does not fit"),
        (images(image_layers.PadAsTensorFlow(3, 2), nn.ReLU()), "PadAsTensorFlow.*is not followed"),
        (images(nn.LeakyReLU(-0.1)), "slope below 0"),
        (images(nn.Softmax(dim=-1)), "takes dim=1"),
        (nn.Sequential(layout.ChannelsFirst(), nn.ReLU()), "ChannelsLast"),
        (nn.Sequential(layout.ChannelsFirst(), nn.Flatten()), "FlattenAsKeras"),
        (nn.Sequential(nn.Conv2d(8, 2, 3)), "ChannelsFirst"),
        (nn.Sequential(layout.FlattenAsKeras()), "ChannelsFirst"),
        (nn.Sequential(nn.Flatten(), nn.Linear(127, 2)), "does not fit samples of shape"),
        (nn.Sequential(nn.Linear(2, 2)), "Dense layer gets samples of shape"),
        (nn.Sequential(), "no layers"),
        (written_by_hand()[1:], "ChannelsFirst"),
        (type("Network", (nn.Module,), {})(), "Network"),
    ],
)
def test_what_keras_could_not_be_told_is_refused_by_name(module: nn.Module, named: str) -> None:
    with pytest.raises(WorkshopError, match=named):
        TorchModel(module, (8, 8, 2))


def both_ways(forward: nn.Module, backward: nn.Module, has_all_states: bool = False) -> nn.Module:
    return wrappers.BidirectionalAsKeras(forward, backward, "concat", has_all_states)


SAME_BUT_FOR_THE_WAY = "has two layers that differ by more than going backwards"
BACKWARD = {"go_backwards": True}


@pytest.mark.parametrize(
    ("shape", "module", "said"),
    [
        ((5, 4), both_ways(recurrent.GRUAsKeras(4, 3), recurrent.GRUAsKeras(4, 3)), SAME_BUT_FOR_THE_WAY),
        ((5, 4), both_ways(recurrent.GRUAsKeras(4, 3), recurrent.GRUAsKeras(4, 2, **BACKWARD)), SAME_BUT_FOR_THE_WAY),
        ((5, 4), both_ways(recurrent.RNNAsKeras(4, 3), recurrent.LSTMAsKeras(4, 3, **BACKWARD)), SAME_BUT_FOR_THE_WAY),
        (
            (5, 4),
            both_ways(recurrent.GRUAsKeras(4, 3), recurrent.GRUAsKeras(4, 3, **BACKWARD), has_all_states=True),
            SAME_BUT_FOR_THE_WAY,
        ),
        (
            (5, 4),
            wrappers.TimeDistributed(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))),
            "has 2 layers in it, in Keras it has one: takes one for each",
        ),
        (
            (4,),
            wrappers.TimeDistributed(nn.Sequential(nn.Linear(4, 3))),
            "takes sequences (steps, ...) and gets samples of shape (4,)",
        ),
        (
            (5, 8, 8, 2),
            wrappers.TimeDistributed(nn.Sequential(layout.ChannelsFirst(), nn.Conv2d(2, 3, 3))),
            "gives its images in another order than Keras",
        ),
        ((4,), wrappers.HalfPrecision(nn.Linear(4, 4), nn.Linear(4, 4)), "has not one layer of Keras in it"),
        ((4,), wrappers.HalfPrecision(), "has not one layer of Keras in it"),
        (
            (8, 8, 2),
            wrappers.AddBranches(nn.Sequential(layout.ChannelsFirst()), nn.Sequential()),
            "has branches that give images in different orders",
        ),
        (
            (8, 8, 2),
            nn.Sequential(layout.ChannelsFirst(), layout.ChannelsFirst()),
            "takes images, channels last, and gets samples of shape (8, 8, 2)",
        ),
        ((5,), layout.ChannelsFirst(), "takes images, channels last, and gets samples of shape (5,)"),
        ((5, 4), one_row.OverSteps("min"), "is not known here: takes mean or max"),
        ((8, 8, 2), images(nn.MaxPool2d(2, dilation=2)), "has dilation = 2, takes 1"),
        ((8, 8, 2), images(nn.MaxPool2d(2, dilation=(1, 2))), "has dilation = (1, 2), takes 1"),
        ((8, 8, 2), images(nn.MaxPool2d(2, return_indices=True)), "has return_indices = True, takes False"),
        ((8, 8, 2), images(nn.MaxPool2d(2, ceil_mode=True)), "has ceil_mode = True, takes False"),
        ((8, 8, 2), images(nn.AvgPool2d(2, divisor_override=3)), "has divisor_override = 3, takes None"),
        ((8, 8, 2), images(nn.AvgPool2d(3, 1, padding=1)), "has count_include_pad = True, takes False"),
        ((8, 8, 2), images(nn.Conv2d(2, 4, 3, groups=2)), "has groups = 2, takes 1"),
        ((8, 8, 2), images(nn.Conv2d(2, 2, 3, groups=2, dilation=2)), "has dilation = (2, 2), takes (1, 1)"),
        ((8, 8, 2), images(nn.Conv2d(2, 2, 3, padding_mode="reflect")), "has padding_mode = 'reflect', takes 'zeros'"),
        (
            (8, 8, 2),
            images(nn.Conv2d(2, 2, 3, stride=2, padding=1)),
            "has a padding that Keras does not have here: put PadAsTensorFlow((3, 3), (2, 2)) before it",
        ),
        (
            (8, 8, 2),
            images(nn.MaxPool2d(2, padding=1)),
            "has a padding that Keras does not have here: put PadAsTensorFlow((2, 2), (2, 2)) before it",
        ),
        (
            (8, 8, 2),
            images(image_layers.PadAsTensorFlow(3, 1), nn.Conv2d(2, 2, 3, padding=1)),
            "that follows it, which has no padding of its own",
        ),
        ((8, 8, 2), images(nn.Upsample(size=16)), "has size = 16, takes None"),
        ((8, 8, 2), images(nn.Upsample(scale_factor=2, mode="bilinear")), "has mode = 'bilinear', takes 'nearest'"),
        ((8, 8, 2), images(nn.Upsample(scale_factor=1.5)), "has scale_factor = 1.5, takes whole numbers from 1 up"),
        (
            (8, 8, 2),
            images(nn.Upsample(scale_factor=(2, 0.5))),
            "has scale_factor = (2.0, 0.5), takes whole numbers from 1 up",
        ),
        (
            (8, 8, 2),
            nn.Conv2d(8, 2, 3),
            "takes images, channels first, and gets samples of shape (8, 8, 2): put ChannelsFirst() before it",
        ),
        (
            (8, 8, 2),
            nn.Sequential(layout.ChannelsFirst(), nn.ReLU()),
            "the network ends with images, channels first: add ChannelsLast() at its end",
        ),
        (
            (8, 8, 2),
            nn.Sequential(layout.ChannelsFirst(), nn.Flatten()),
            "nn.Flatten() puts the channels of images first, Keras last: takes FlattenAsKeras() here",
        ),
        (
            (8, 8, 2),
            nn.Sequential(layout.ChannelsFirst(), nn.Flatten(), nn.BatchNorm1d(128), nn.Linear(128, 2)),
            "stands between nn.Flatten() and nn.Linear: takes FlattenAsKeras() there",
        ),
        ((4,), nn.Sequential(), "has no layers: takes an nn.Sequential of at least one"),
        ((4,), recurrent.GRUAsKeras(4, 3), "takes sequences (steps, features) and gets samples of shape (4,)"),
        ((4,), recurrent.LSTMAsKeras(4, 3), "takes sequences (steps, features) and gets samples of shape (4,)"),
        ((4,), one_row.OverSteps("max"), "takes sequences (steps, features) and gets samples of shape (4,)"),
        ((8, 8, 2), images(nn.BatchNorm2d(2, momentum=None)), "has momentum = None, takes a number"),
        ((8, 8, 2), images(nn.BatchNorm2d(2, track_running_stats=False)), "track_running_stats = False, takes True"),
        (
            (5, 4),
            nn.BatchNorm1d(5),
            "gets samples of shape (5, 4): takes nn.BatchNorm2d for images",
        ),
        ((8, 8, 2), images(layers.BatchNormAsKeras(8, axis=2)), "normalises another axis than Keras, axis 1"),
        ((8, 8, 2), layers.LayerNormAsKeras(8, axis=1), "normalises another axis than Keras, axis 3"),
        ((8, 8, 2), images(nn.LayerNorm(8)), "is not over the last axis of Keras: takes LayerNormAsKeras here"),
        ((8, 4), nn.LayerNorm((8, 4)), "is not over the last axis of Keras: takes LayerNormAsKeras here"),
        ((4,), nn.Softplus(beta=2.5), "has beta = 2.5, takes 1"),
    ],
)
def test_a_module_that_keras_has_not_is_refused_in_words(shape: tuple[int, ...], module: nn.Module, said: str) -> None:
    with pytest.raises(WorkshopError, match=re.escape(said) + "$"):
        TorchModel(nn.Sequential(module), shape)


SETTINGS = {"units": 2, "activation": "relu", "return_sequences": True, "use_bias": False, "go_backwards": True}


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        (layers.Rescaling(2.0, -1.0), "2.0, offset=-1.0"),
        (layers.BatchNormAsKeras(4, 0.8, 0.01, axis=2), "4, momentum=0.8, epsilon=0.01, axis=2"),
        (layers.LayerNormAsKeras(4, 0.1, axis=1), "4, epsilon=0.1, axis=1"),
        (layers.ReLUAsKeras(6.0, 0.3, 0.2), "6.0, negative_slope=0.3, threshold=0.2"),
        (layers.PReLUAsKeras((3, 1)), "(3, 1)"),
        (image_layers.PadAsTensorFlow(3, (2, 1), 0.5), "(3, 3), strides=(2, 1), value=0.5"),
        (image_layers.AveragePoolAsKeras((3, 2)), "(3, 2), strides=(3, 2)"),
        (layout.ReshapeAsKeras((2, 3, 1)), "(2, 3, 1)"),
        (noise.GaussianNoise(0.5), "0.5"),
        (one_row.OverSteps("max"), "max"),
        (one_row.RepeatVector(4), "4"),
        (recurrent.RNNAsKeras(3, 2), "return_sequences=False, go_backwards=False"),
        (recurrent.LSTMAsKeras(3, 2, return_sequences=True), "return_sequences=True, go_backwards=False"),
        (recurrent.GRUAsKeras(3, 2, go_backwards=True), "return_sequences=False, go_backwards=True"),
        (
            Loop("LSTM", 3, SETTINGS),
            "LSTM, 3, units=2, return_sequences=True, use_bias=False, activation=relu, go_backwards=True",
        ),
        (wrappers.BidirectionalAsKeras(nn.Identity(), nn.Identity(), "ave", True), "merge_mode=ave"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, nn.Module) else None,
)
def test_a_layer_that_is_printed_tells_its_settings(module: nn.Module, settings: str) -> None:
    # Modules within it come on lines of their own.
    name, _, told = str(module).partition("(")
    assert name == type(module).__name__
    assert told.strip().split("\n")[0] == settings + ("" if "\n" in told else ")")


@pytest.mark.parametrize(
    ("kind", "arguments", "module", "shape"),
    [
        ("Rescaling", (2.0,), layers.Rescaling(2.0), (4,)),
        ("BatchNormalization", (), layers.BatchNormAsKeras(4), (4,)),
        ("LayerNormalization", (), layers.LayerNormAsKeras(4), (4,)),
        ("ReLU", (5.0,), layers.ReLUAsKeras(5.0), (4,)),
        ("ReLU", (None, 0.0, 0.5), layers.ReLUAsKeras(threshold=0.5), (4,)),
        ("SimpleRNN", (3,), recurrent.RNNAsKeras(4, 3), (5, 4)),
        ("LSTM", (3,), recurrent.LSTMAsKeras(4, 3), (5, 4)),
        ("GRU", (3,), recurrent.GRUAsKeras(4, 3), (5, 4)),
        ("Conv2DTranspose", (3, 2), images(image_layers.ConvTranspose2dAsKeras(2, 3, 2)), (6, 6, 2)),
        ("SeparableConv2D", (3, 2), images(image_layers.SeparableConv2d(2, 3, 2)), (6, 6, 2)),
        ("AveragePooling2D", ((3, 2), None, "same"), images(image_layers.AveragePoolAsKeras((3, 2))), (6, 6, 2)),
        ("Conv2D", (3, 3, 1, "same"), images(image_layers.PadAsTensorFlow(3), nn.Conv2d(2, 3, 3)), (6, 6, 2)),
    ],
)
def test_defaults_are_keras_defaults(
    kind: str, arguments: tuple[Any, ...], module: nn.Module, shape: tuple[int, ...]
) -> None:
    network = module if isinstance(module, nn.Sequential) else nn.Sequential(module)
    described, expected = (
        to_architecture(network, shape).layers[0],
        layer_from(kind, getattr(keras.layers, kind)(*arguments).get_config()),
    )
    assert (described.kind, described.settings) == (expected.kind, expected.settings)


def test_samples_that_do_not_fit_are_refused() -> None:
    with pytest.raises(WorkshopError, match=r"\(8, 9, 1\).*\(8, 8, 1\)"):
        loaded_in_torch(SMALL).predict(np.zeros((2, 8, 9, 1)))


# Of the same numbers in batches of 32, 32 and 6: a mean over the batches would be another one.
ROWS = 70
MEASURED = {
    mnist: lambda right, nats: right,
    optimizers_lesson: lambda right, nats: (nats, right),
    text_generation: lambda right, nats: (nats / np.log(2), right),
    cats_vs_dogs: lambda right, nats: (nats, right),
}


@pytest.mark.parametrize("lesson", MEASURED, ids=lambda lesson: lesson.__name__.rpartition(".")[2])
def test_a_network_is_measured_by_the_mean_over_all_rows(lesson: Any) -> None:
    random = np.random.default_rng(8)
    window = (text_generation.WINDOW,) if lesson is text_generation else ()
    logits, y = random.normal(size=(ROWS, *window, 5)).astype(np.float32), random.integers(0, 5, (ROWS, *window))
    # The text is measured on the second half of each window.
    X, classes = (logits[:, window[0] // 2 :], y[:, window[0] // 2 :]) if window else (logits, y)
    right = np.mean(X.argmax(axis=-1) == classes)
    nats = np.mean(np.log(np.exp(X).sum(axis=-1)) - np.take_along_axis(X, classes[..., None], axis=-1)[..., 0])
    batches, network = ArrayDataset(logits, y), nn.Linear(5, 5, bias=False)
    nn.init.eye_(network.weight)
    if lesson is cats_vs_dogs:
        found = lesson.evaluate(network, batches, nn.CrossEntropyLoss())
    else:
        found = lesson.evaluate(network, [batches[[*range(i, min(i + 32, ROWS))]] for i in (0, 32, 64)])
    assert found == pytest.approx(MEASURED[lesson](right, nats), rel=1e-5)


# --- The machine ------------------------------------------------------------------------------------------------------


@pytest.fixture
def has_gpu(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Which graphics card PyTorch says that there is: none, NVIDIA's ("cuda") or Apple's ("mps")."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param == "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA X")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: request.param == "mps")
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    monkeypatch.setattr(device, "_autocast", None)
    return str(request.param)


@pytest.mark.parametrize("has_gpu", ["", "cuda", "mps"], indirect=True)
def test_the_graphics_card_is_taken_where_it_can_do_what_is_asked(
    has_gpu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert device.choose_device().type == (has_gpu or "cpu")
    # Its convolutions would be rounded to 10 bits, and answer otherwise than the other engines.
    assert torch.backends.cudnn.allow_tf32 == (has_gpu != "cuda")
    assert device.choose_device(torch.float64).type == ("cuda" if has_gpu == "cuda" else "cpu")
    monkeypatch.setattr(processes, "_share", processes._Share(0, 2))
    assert device.choose_device().type == ("cuda" if has_gpu == "cuda" else "cpu")


@pytest.mark.parametrize("has_gpu", ["", "cuda"], indirect=True)
@pytest.mark.parametrize(
    ("precision", "said", "dtype"),
    [
        ("auto", "", None),
        ("float32", "", None),
        ("mixed_float16", ", mixed_float16", torch.float16),
        ("mixed_bfloat16", ", mixed_bfloat16", torch.bfloat16),
    ],
)
def test_a_run_says_what_it_computes_on_and_how_precisely(
    has_gpu: str, precision: str, said: str, dtype: torch.dtype | None
) -> None:
    version = torch.__version__.partition("+")[0]
    cores = f"{os.cpu_count()} CPU cores"
    assert device.prepare(3, precision) == f"PyTorch {version}, {'NVIDIA X' if has_gpu else cores}{said}"
    first = torch.rand(4)
    assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert device.autocast_dtype() == dtype
    if not has_gpu:
        scaler = device.grad_scaler()  # in float16 alone the smallest gradients would be 0
        assert scaler.is_enabled() == (dtype is torch.float16)
        assert scaler.get_scale() == (1024 if dtype is torch.float16 else 1)
        with device.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == (dtype or torch.float32)
    assert device.prepare(3, on_cpu=True) == f"PyTorch {version}, {cores}"
    assert torch.equal(torch.rand(4), first) and device.autocast_dtype() is None


class SaidError(Exception):
    """What a run computes on."""


@pytest.mark.parametrize("has_gpu", ["cuda"], indirect=True)
@pytest.mark.parametrize(
    "lesson", ["xor", "admission", "logistic_regression", "regularization", "policy_gradient", "mnist"]
)
def test_lessons_of_small_steps_leave_a_graphics_card_alone(
    lesson: str, has_gpu: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(report: Report, said: str) -> None:
        raise SaidError(said)

    monkeypatch.setattr(Report, "engine", tell)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with without_published_data(room), pytest.raises(SaidError, match="NVIDIA X" if lesson == "mnist" else "CPU cores"):
        importlib.import_module(f"workshop.pytorch.{lesson}").main(["--quick"])


def test_another_core_helps_from_80_million_multiplications_a_step_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {*range(8)}, raising=False)
    network = TorchModel(nn.Linear(400, 200), (400,)).architecture
    assert [device.choose_threads(network, batch_size) for batch_size in (990, 1010)] == [1, 8]


@pytest.mark.slow
def test_neither_keras_nor_tensorflow_is_imported() -> None:
    path = files.shipped("models") / "mnist_cnn.h5"
    program = (
        "import sys, pathlib, numpy as np; from workshop.pytorch.kit.model import TorchModel\n"
        f"TorchModel.from_h5(pathlib.Path({str(path)!r})).predict(np.zeros((1, 28, 28, 1)))\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
