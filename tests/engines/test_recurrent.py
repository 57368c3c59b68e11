"""Layers for sequences: the same outputs, gradients and training in all three engines, from one file and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from helpers.layer_cases import (
    assert_close,
    assert_the_same_in_each_engine,
    described,
    keras_gradients,
    numpy_gradients,
)
from torch import nn

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.saving import h5
from workshop.kit.saving.architecture import Architecture, layer_from
from workshop.kit.saving.architecture import Layer as Described
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.kit.saving.model import KerasModel
from workshop.kit.training import Recipe
from workshop.pytorch.kit import optimizers
from workshop.pytorch.kit import recurrent as modules
from workshop.pytorch.kit.model import TorchModel, from_architecture
from workshop.scratch.nn.cells import GRU, LSTM, SimpleRNN
from workshop.scratch.nn.embedding import Embedding
from workshop.scratch.nn.layers import Dense, Layer
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer

SHAPE = (6, 4)  # steps, features

pytestmark = pytest.mark.usefixtures("alone")


# --- One layer --------------------------------------------------------------------------------------------------------

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "SimpleRNN": ("SimpleRNN", {}),
    "SimpleRNN relu": ("SimpleRNN", {"activation": "relu", "return_sequences": True}),
    "LSTM": ("LSTM", {}),
    "LSTM all states": ("LSTM", {"return_sequences": True}),
    "LSTM without bias": ("LSTM", {"use_bias": False}),
    "GRU": ("GRU", {}),
    "GRU all states": ("GRU", {"return_sequences": True}),
    "GRU without bias": ("GRU", {"use_bias": False, "return_sequences": True}),
    "GRU reset before": ("GRU", {"reset_after": False}),
    "GRU reset before, all states": ("GRU", {"reset_after": False, "return_sequences": True}),
    "GRU reset before, without bias": ("GRU", {"reset_after": False, "use_bias": False}),
    "SimpleRNN softsign": ("SimpleRNN", {"activation": "softsign"}),
    "SimpleRNN backwards": ("SimpleRNN", {"go_backwards": True, "return_sequences": True}),
    "LSTM relu": ("LSTM", {"activation": "relu", "return_sequences": True}),
    "LSTM elu, hard_sigmoid": ("LSTM", {"activation": "elu", "recurrent_activation": "hard_sigmoid"}),
    "LSTM relu in the gates": ("LSTM", {"activation": "softsign", "recurrent_activation": "relu"}),
    "LSTM softmax in the gates": ("LSTM", {"recurrent_activation": "softmax"}),
    "LSTM backwards": ("LSTM", {"go_backwards": True, "return_sequences": True}),
    "LSTM dropout": ("LSTM", {"dropout": 0.5, "recurrent_dropout": 0.25}),
    "GRU relu": ("GRU", {"activation": "relu"}),
    "GRU relu, reset before": ("GRU", {"activation": "relu", "reset_after": False, "return_sequences": True}),
    "GRU softmax in the gates": ("GRU", {"recurrent_activation": "softmax", "go_backwards": True}),
    "GRU dropout": ("GRU", {"dropout": 0.5}),
    "Dense on sequences": ("Dense", {"activation": "softmax"}),
    "Embedding": ("Embedding", {"output_dim": 3}),
}


def case(name: str) -> tuple[Any, Architecture, np.ndarray]:
    """Returns Keras' layer with weights that are all drawn, its description, and samples for it."""
    random = np.random.default_rng(1)
    kind, options = CASES[name]
    X = random.normal(size=(5, *SHAPE)).astype(np.float32)
    if kind == "Embedding":
        X = random.integers(0, 5, (5, 6)).astype(np.float32)
    layer = getattr(keras.layers, kind)(5, **options)
    return layer, described(layer, X), X


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_of_each_layer_are_keras_in_each_engine(name: str) -> None:
    layer, _, X = case(name)
    assert_the_same_in_each_engine(layer, X)


@pytest.mark.parametrize("name", [name for name, (_, options) in CASES.items() if "dropout" not in options])
def test_without_dropout_a_layer_computes_the_same_in_training_as_in_a_prediction(name: str) -> None:
    _, description, X = case(name)
    network, module = Network.from_architecture(description), from_architecture(description)
    expected = network.predict(X)
    np.testing.assert_allclose(network.forward(X, training=True), expected, rtol=1e-6)
    by_torch = module.train()(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(by_torch, expected, rtol=1e-5, atol=1e-5)


MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 1, 1]], bool)
GRADIENT_CASES: dict[str, Callable[[], Layer]] = {
    "SimpleRNN": lambda: SimpleRNN(5, return_sequences=True),
    "SimpleRNN relu": lambda: SimpleRNN(5, "relu"),
    "LSTM": lambda: LSTM(4, return_sequences=True),
    "LSTM last state": lambda: LSTM(4),
    "GRU": lambda: GRU(4, return_sequences=True),
    "GRU without bias": lambda: GRU(4, use_bias=False),
    "GRU reset before": lambda: GRU(4, return_sequences=True, reset_after=False),
}


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("name", GRADIENT_CASES)
def test_backpropagation_through_time_agrees_with_finite_differences(name: str, masked: bool) -> None:
    random = np.random.default_rng(3)
    options: Any = {"mask": MASK} if masked else {}
    layer = GRADIENT_CASES[name]()
    built = layer.build(SHAPE, random, np.float64)
    for weight in layer.parameters.values():
        weight += random.normal(0, 0.3, weight.shape)
    X = random.normal(size=(3, *SHAPE))
    direction = random.normal(size=(3, *built))
    gradients = numpy_gradients(layer, X, direction, **options)
    for place, gradient in zip([X, *layer.parameters.values()], gradients, strict=True):
        for index in [tuple(random.integers(0, n) for n in place.shape) for _ in range(12)]:
            kept, sides = place[index], []
            for step in (1e-6, -1e-6):
                place[index] = kept + step
                sides.append((layer.forward(X, **options) * direction).sum())
            place[index] = kept
            assert gradient[index] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["SimpleRNN relu", "LSTM", "LSTM all states", "GRU all states", "GRU reset before"])
def test_a_mask_carries_the_state_over_as_in_keras(name: str) -> None:
    layer, described, X = case(name)
    X = X[:3]
    ours: Any = Network.from_architecture(described).layers[0]
    expected = keras.ops.convert_to_numpy(layer(X, mask=tensorflow.constant(MASK)))
    Y = ours.forward(X, mask=MASK)
    np.testing.assert_allclose(Y, expected, rtol=1e-5, atol=1e-5)
    direction = np.random.default_rng(4).normal(size=expected.shape).astype(np.float32)
    by_keras = keras_gradients(layer, X, direction, MASK)
    assert_close(numpy_gradients(ours, X, direction, mask=MASK), by_keras, 1e-4)
    # A sequence of four steps that is filled up is that sequence. In 64 bits: the product of one sample's row may be
    # rounded in another way than that of three rows.
    exact: Any = Network.from_architecture(described, np.float64).layers[0]
    X64 = X.astype(np.float64)
    Y, short = exact.forward(X64, mask=MASK), exact.forward(X64[:1, :4])
    np.testing.assert_allclose(Y[0, 3:] if Y.ndim == 3 else Y[0], short[0, [3] * 3] if Y.ndim == 3 else short[0])
    with pytest.raises(WorkshopError, match=r"mask has the shape \(6,\), takes \(3, 6\)"):
        ours.forward(X, mask=MASK[0])


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("activation", ["tanh", "softsign"])  # PyTorch's own modules do not have the second
def test_weights_start_as_keras_draws_them(kind: str, activation: str) -> None:
    torch.manual_seed(1)
    theirs = getattr(keras.layers, kind)(30, activation=activation, seed=1)
    theirs.build((None, 7, 40))
    empty = Architecture((7, 40), [layer_from(kind, theirs.get_config())])
    for mirror in (Network.from_architecture(empty), TorchModel(from_architecture(empty), (7, 40))):
        kernel, turning, bias = mirror.get_weights()
        assert kernel.std() == pytest.approx(np.std(theirs.get_weights()[0]), rel=0.05)
        np.testing.assert_allclose(turning @ turning.T, np.eye(30), atol=1e-5)
        np.testing.assert_array_equal(bias, theirs.get_weights()[2])
        assert bias.sum() == (30 if kind == "LSTM" else 0)


def test_embeddings_start_as_keras_draws_them_and_have_a_row_for_each_number() -> None:
    empty = Architecture((6,), [Described("Embedding", {"input_dim": 50, "output_dim": 20})])
    for mirror in (Network.from_architecture(empty), TorchModel(from_architecture(empty), (6,))):
        (rows,) = mirror.get_weights()
        assert 0.049 < np.abs(rows).max() <= 0.05 and abs(rows.mean()) < 0.005
        np.testing.assert_array_equal(mirror.predict(np.full((1, 6), 49)), rows[None, [49] * 6])
        for wrong, says in ((50, "from 0 to 50"), (-1, "from -1 to 0")):
            with pytest.raises(WorkshopError, match=f"{says}, takes 0 to 49"):
                mirror.predict(np.array([[0, 0, 0, 0, 0, wrong]]))


# --- Whole models -----------------------------------------------------------------------------------------------------

CLASSES = 5


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A model with an output at every step and each of the layers; all weights are random."""
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input((5,)),
            layers.Embedding(9, 4),
            layers.SimpleRNN(5, return_sequences=True),
            layers.GRU(6, return_sequences=True),
            layers.Dropout(0.0),
            layers.LSTM(5, return_sequences=True),
            layers.Dense(6, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    random = np.random.default_rng(5)
    made.set_weights([random.normal(0, 0.9, weight.shape) for weight in made.weights])
    return made


@pytest.fixture(scope="module")
def path(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("recurrent") / "sequences.h5"
    model.save(path)
    return path


def texts(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns sequences of numbers and the targets at each step."""
    random = np.random.default_rng(6)
    X = random.integers(0, 9, (count, 5))
    return X, np.cumsum(X, axis=1) % CLASSES


def test_one_file_gives_the_same_predictions_in_all_engines_and_comes_back_whole(
    model: Any, path: Path, tmp_path: Path
) -> None:
    X, _ = texts(8)
    expected = KerasModel(model).predict(X)
    assert expected.shape == (8, 5, CLASSES) and np.ptp(expected) > 0.3
    written = []
    for mirror in (Network.from_h5(path), TorchModel.from_h5(path)):
        np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-5)
        assert mirror.count_params() == model.count_params() and mirror.output_shape == (5, CLASSES)
        mirror.save_h5(tmp_path / "again.h5")
        again = keras.models.load_model(tmp_path / "again.h5", compile=False)
        np.testing.assert_allclose(KerasModel(again).predict(X), expected, rtol=1e-6, atol=1e-6)
        for weight, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, theirs)
        for (name, stage), (their_name, theirs) in zip(mirror.stages(X), KerasModel(model).stages(X), strict=True):
            assert name == their_name
            np.testing.assert_allclose(stage, theirs, rtol=1e-5, atol=1e-5)
        written.append((tmp_path / "again.h5").read_bytes())
    assert written == [h5.to_bytes(h5.read(path))] * 2


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_weights_after_training_are_the_same(optimizer: str, model: Any, path: Path) -> None:
    X, y = texts(12)
    order = np.random.default_rng(7).permutation(12)
    recipe = Recipe(4, {"sgd": 0.3, "adam": 0.01}[optimizer], batch_size=4, optimizer=optimizer, schedule=False)
    network, mirror = Network.from_h5(path), TorchModel.from_h5(path)
    in_torch, _ = optimizers.make(recipe, mirror.module.parameters())
    in_numpy, criterion = make_optimizer(optimizer, recipe.rate), make_loss("sparse_categorical_crossentropy")
    with_logits = mirror.module[:-1]
    measured: list[list[float]] = []
    for _ in range(4):
        for rows in np.split(order, 3):
            in_torch.zero_grad()
            loss = nn.functional.cross_entropy(
                with_logits(torch.tensor(X[rows])).flatten(0, 1), torch.tensor(y[rows]).flatten()
            )
            loss.backward()
            in_torch.step()
            outputs = network.forward(X[rows], training=True)
            measured.append([network.compute_loss(outputs, y[rows], criterion), loss.item()])
            network.backward(outputs, y[rows], criterion)
            in_numpy.apply(network.gradients, network.parameters)
    theirs = keras.models.clone_model(model)
    theirs.set_weights(model.get_weights())
    rule = {"sgd": keras.optimizers.SGD(0.3), "adam": keras.optimizers.Adam(0.01)}[optimizer]
    losses = []
    for _ in range(4):
        for rows in np.split(order, 3):
            with tensorflow.GradientTape() as tape:
                each = keras.losses.sparse_categorical_crossentropy(y[rows], theirs(X[rows], training=True))
                loss = tensorflow.reduce_mean(each)
            # That of an Embedding is a list of rows, some of them of the same number. Keras 3.15.1's Adam squares each
            # row by itself where it should square their sum.
            gradients = map(tensorflow.convert_to_tensor, tape.gradient(loss, theirs.trainable_variables))
            rule.apply(list(gradients), theirs.trainable_variables)
            losses.append(float(loss))
    for engine in zip(*measured, strict=True):
        np.testing.assert_allclose(engine, losses, rtol=1e-4)
        assert np.mean(engine[-3:]) < np.mean(engine[:3])
    for before, trained, *ours in zip(
        model.get_weights(), theirs.get_weights(), network.get_weights(), mirror.get_weights(), strict=True
    ):
        assert np.abs(trained - before).max() > 0.01
        for weight in ours:
            np.testing.assert_allclose(weight, trained, atol=1e-4)


def test_losses_of_sequences_are_means_over_samples_and_steps() -> None:
    random = np.random.default_rng(8)
    Z = random.normal(size=(4, 3, CLASSES))
    classes, marks = random.integers(0, CLASSES, (4, 3)), random.integers(0, 2, (4, 3, 1))
    for name, activation, outputs, targets in (
        ("sparse_categorical_crossentropy", "softmax", Z, classes),
        ("categorical_crossentropy", "softmax", Z, np.eye(CLASSES)[classes]),
        ("binary_crossentropy", "sigmoid", Z[..., :1], marks),
        ("mean_squared_error", "linear", Z, random.normal(size=Z.shape)),
    ):
        dense = Dense(outputs.shape[-1], activation)
        network = Network([dense], outputs.shape[1:], dtype=np.float64)
        network.set_weights([np.eye(outputs.shape[-1]), np.zeros(outputs.shape[-1])])
        loss, Y = make_loss(name), network.forward(outputs)
        expected = getattr(keras.losses, name)(targets, Y).numpy().mean()
        assert network.compute_loss(Y, targets, loss) == pytest.approx(expected, rel=1e-6)
        assert loss.value(Y, targets) == pytest.approx(expected, rel=1e-6)
        # Through the activation at once, and in two steps, it is the same gradient.
        network.backward(Y, targets, loss)
        dZ = dense.activation.backward(loss.gradient(Y, targets))
        np.testing.assert_allclose(network.gradients["0/bias"], dZ.sum(axis=(0, 1)), rtol=1e-9)


def test_a_mirror_written_by_hand_is_a_keras_model(tmp_path: Path) -> None:
    torch.manual_seed(9)
    module = nn.Sequential(
        modules.RNNAsKeras(4, 3, return_sequences=True, nonlinearity="relu"),
        modules.GRUAsKeras(3, 5, return_sequences=True, bias=False),
        nn.Linear(5, 4),
        nn.Tanh(),
        modules.LSTMAsKeras(4, 6),
        nn.Linear(6, 1),
        nn.Sigmoid(),
    )
    mirror = TorchModel(module, SHAPE)
    mirror.save_h5(tmp_path / "mirror.h5")
    theirs = keras.models.load_model(tmp_path / "mirror.h5", compile=False)
    assert [type(layer).__name__ for layer in theirs.layers] == ["SimpleRNN", "GRU", "Dense", "LSTM", "Dense"]
    X = np.random.default_rng(10).normal(size=(4, *SHAPE)).astype(np.float32)
    expected = KerasModel(theirs).predict(X)
    np.testing.assert_allclose(mirror.predict(X), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(Network.from_h5(tmp_path / "mirror.h5").predict(X), expected, rtol=1e-5, atol=1e-5)


def test_each_multiplication_with_a_weight_is_counted() -> None:
    options = {"units": 5, "return_sequences": False, "use_bias": True}
    for kind, gates in (("SimpleRNN", 1), ("LSTM", 4), ("GRU", 3)):
        for return_sequences in (False, True):
            layer = layer_from(kind, options | {"return_sequences": return_sequences})
            assert Architecture(SHAPE, [layer]).multiplications() == 6 * (4 + 5) * gates * 5
    dense, rows = layer_from("Dense", {"units": 7}), layer_from("Embedding", {"input_dim": 99, "output_dim": 4})
    assert Architecture((6,), [rows, dense]).multiplications() == 6 * 4 * 7


# --- Files of other Keras' --------------------------------------------------------------------------------------------


def old_file(path: Path, kind: str, config: dict[str, Any], names: dict[str, np.ndarray]) -> Path:
    """Writes a model of one layer as Keras 2 wrote it."""
    layer = {"class_name": kind, "config": {"name": "old", "batch_input_shape": [None, *SHAPE], **config}}
    with h5py.File(path, "w") as file:
        model_config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": [layer]}}
        file.attrs["model_config"] = json.dumps(model_config).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"old"]
        part = group.create_group("old")
        part.attrs["weight_names"] = [name.encode() for name in names]
        for name, array in names.items():
            part[name] = array
    return path


# As TensorFlow 2.4 writes them.
OLD = {
    "trainable": True,
    "dtype": "float32",
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "time_major": False,
    "units": 5,
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "unit_forget_bias": True,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "implementation": 2,
    "kernel_constraint": None,
    "recurrent_initializer": {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}},
}


@pytest.mark.parametrize(
    ("name", "settings", "cell"),
    [
        ("LSTM", OLD, "lstm_7/lstm_cell_7/"),
        ("LSTM", OLD, "lstm_1/"),
        ("GRU", OLD | {"reset_after": True}, "gru/gru_cell/"),
        ("GRU reset before", OLD, "gru_1/"),  # of a Keras before 2.1.3, which knew no reset_after
    ],
)
def test_a_file_of_keras_2_gives_the_same_predictions(
    name: str, settings: dict[str, Any], cell: str, tmp_path: Path
) -> None:
    layer, described, X = case(name)
    kind, weights = type(layer).__name__, described.layers[0].weights
    path = old_file(tmp_path / "old.h5", kind, settings, {f"{cell}{key}:0": array for key, array in weights.items()})
    expected = keras.ops.convert_to_numpy(layer(X))
    np.testing.assert_allclose(Network.from_h5(path).predict(X), expected, rtol=1e-5, atol=1e-5)
    assert h5.read(path).layers[0].settings == described.layers[0].settings


@pytest.mark.parametrize(
    ("kind", "setting", "says"),
    [
        ("LSTM", {"recurrent_activation": "mish"}, "LSTM layer has recurrent_activation = 'mish'"),
        ("SimpleRNN", {"activation": "relu_12"}, "SimpleRNN layer has activation = 'relu_12'"),
        (
            "LSTM",
            {"activation": {"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}}},
            "LSTM layer has activation = LeakyReLU with settings of its own",
        ),
        ("LSTM", {"dropout": 1.0}, "LSTM layer has dropout = 1.0"),
        ("GRU", {"recurrent_dropout": -0.1}, "GRU layer has recurrent_dropout = -0.1"),
        ("GRU", {"stateful": True}, r"GRU layer has stateful = True.*\(each answer would depend on those before it\)"),
        ("LSTM", {"go_backwards": "yes"}, "LSTM layer has go_backwards = 'yes'"),
        ("LSTM", {"return_state": True}, r"LSTM layer has return_state = True.*\(there would be several outputs\)"),
        ("LSTM", {"time_major": True}, "LSTM layer has time_major = True"),
        ("SimpleRNN", {"units": 0}, "SimpleRNN layer has units = 0"),
        ("GRU", {"reset_after": 1}, "GRU layer has reset_after = 1"),
        ("Embedding", {"mask_zero": True}, "Embedding layer has mask_zero = True"),
        ("Embedding", {"input_dim": 2.5}, "Embedding layer has input_dim = 2.5"),
        ("Masking", {"mask_value": 0}, "its layer Masking is not known here"),
        ("CuDNNLSTM", {"units": 5}, "its layer CuDNNLSTM is not known here"),
    ],
)
def test_a_setting_that_is_not_known_is_refused_by_name(kind: str, setting: dict[str, Any], says: str) -> None:
    options = {"input_dim": 9, "output_dim": 4} if kind == "Embedding" else {"units": 5}
    with pytest.raises(UnknownLayerError, match=says):
        layer_from(kind, options | setting)


def test_weights_of_other_names_and_shapes_are_refused(tmp_path: Path) -> None:
    _, described, _ = case("GRU reset before")
    weights = described.layers[0].weights
    path = old_file(tmp_path / "old.h5", "GRU", OLD | {"reset_after": True}, weights)
    with pytest.raises(WorkshopError, match=r"bias of a GRU layer holds floats of shape \(15,\).*shape \(2, 15\)"):
        h5.read(path)
    path = old_file(tmp_path / "old.h5", "GRU", OLD, {"kernel": weights["kernel"], "bias": weights["bias"]})
    with pytest.raises(WorkshopError, match="takes bias, kernel, recurrent_kernel"):
        h5.read(path)


def trained_second_bias() -> nn.Module:
    module = modules.LSTMAsKeras(4, 5)
    module.steps.bias_hh_l0.requires_grad = True
    return module


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Network([LSTM(3)], (5,)), r"LSTM layer gets samples of shape \(5,\), takes \(steps, features\)"),
        (lambda: Network([GRU(3)], (5, 5, 1)), r"GRU layer gets samples of shape \(5, 5, 1\)"),
        (lambda: Network([Embedding(3, 2)], (5, 5)), r"Embedding layer gets samples of shape \(5, 5\), takes \(steps,"),
        (lambda: Network([SimpleRNN(3, "mish")], SHAPE), "'mish' is not known to a SimpleRNN layer"),
        (lambda: TorchModel(nn.Sequential(nn.LSTM(4, 5)), SHAPE), "module LSTM is not known here.*LSTMAsKeras"),
        (lambda: TorchModel(nn.Embedding(4, 5), (6,)), "module Embedding is not known here.*EmbeddingAsKeras"),
        (lambda: TorchModel(modules.GRUAsKeras(4, 5), (6,)), r"takes sequences.*samples of shape \(6,\)"),
        (lambda: TorchModel(modules.LSTMAsKeras(3, 5), SHAPE), r"does not fit samples of shape \(6, 4\)"),
        (lambda: TorchModel(modules.EmbeddingAsKeras(4, 5), SHAPE), r"Embedding layer gets samples of shape \(6, 4\)"),
        (lambda: TorchModel(trained_second_bias(), SHAPE), "has a second bias, bias_hh_l0"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(make: Callable[[], object], says: str) -> None:
    with pytest.raises(WorkshopError, match=says) as raised:
        make()
    assert "\n" not in str(raised.value)
