"""Models of Keras 1 and 2 in Keras 3's terms: each change on a small file, by every way that opens one.

The expected outputs are computed here in NumPy, by what the Keras of then computed.
"""

import contextlib
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from helpers.old_models import Config, file_of, functional, layer, node, sequential

from workshop.__main__ import main
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle, h5, keras_h5
from workshop.kit.saving.architecture import KINDS
from workshop.kit.saving.upgrade.graph import upgrade_model
from workshop.programs import engines
from workshop.scratch.nn.network import Network

PATH = Path("old.h5")
_RANDOM = np.random.default_rng(1)
X = _RANDOM.normal(size=(6, 4)).astype(np.float32)  # rows of a table
S = _RANDOM.normal(size=(6, 5, 3)).astype(np.float32)  # sequences
P = _RANDOM.normal(size=(6, 6, 5, 2)).astype(np.float32)  # images


def draw(*shape: int) -> np.ndarray:
    return _RANDOM.normal(0, 0.8, shape).astype(np.float32)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def old_hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(0.2 * x + 0.5, 0, 1)


def by_keras(content: bytes, inputs: Any = X) -> np.ndarray:
    return keras_h5.from_bytes(content, PATH).predict(inputs)


def by_numpy(content: bytes, inputs: np.ndarray = X) -> np.ndarray:
    return Network.from_architecture(h5.from_bytes(content, PATH)).predict(inputs)


def same(outputs: Any, expected: np.ndarray) -> None:
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=2e-6)


# --- hard_sigmoid, the slope of the Keras that wrote the file ---------------------------------------------------------


def lstm(
    inputs: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, gate: Callable[..., np.ndarray]
) -> np.ndarray:
    """Returns the states of an LSTM, in the order i, f, c, o of Keras 2."""
    h = c = np.zeros((len(inputs), recurrent.shape[0]))
    states = []
    for step in range(inputs.shape[1]):
        i, f, g, o = np.split(inputs[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = gate(f) * c + gate(i) * np.tanh(g)
        h = gate(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


def gru(
    inputs: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, gate: Callable[..., np.ndarray]
) -> np.ndarray:
    """Returns the last state of a GRU whose reset gate acts before the product."""
    units = recurrent.shape[0]
    h = np.zeros((len(inputs), units))
    for step in range(inputs.shape[1]):
        x = inputs[:, step] @ kernel + bias
        z = gate(x[:, :units] + h @ recurrent[:, :units])
        r = gate(x[:, units : 2 * units] + h @ recurrent[:, units : 2 * units])
        h = z * h + (1 - z) * np.tanh(x[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :])
    return h


KERNEL, RECURRENT, BIAS = draw(3, 8), draw(2, 8), draw(8)
LSTM = {"lstm/kernel:0": KERNEL, "lstm/recurrent_kernel:0": RECURRENT, "lstm/bias:0": BIAS}
FEATURES = {"batch_input_shape": [None, 5, 3]}


@pytest.mark.parametrize(
    ("settings", "version", "gate"),
    [
        ({"recurrent_activation": "hard_sigmoid"}, "2.2.4", old_hard_sigmoid),
        ({}, "2.2.4", old_hard_sigmoid),  # the default of then
        ({"recurrent_activation": "hard_sigmoid"}, None, old_hard_sigmoid),
        ({"recurrent_activation": "hard_sigmoid", "time_major": False}, "2.15.0", old_hard_sigmoid),
        ({"recurrent_activation": "sigmoid", "dropout": 0.5, "implementation": 2}, "2.3.1", sigmoid),
        ({"recurrent_activation": "hard_sigmoid"}, "3.4.1", lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    ],
)
def test_the_gates_of_an_lstm(settings: Config, version: str | None, gate: Callable[..., np.ndarray]) -> None:
    content = file_of(sequential(layer("LSTM", "lstm", units=2, **FEATURES, **settings)), {"lstm": LSTM}, version)
    expected = lstm(S, KERNEL, RECURRENT, BIAS, gate)[:, -1]
    same(by_keras(content, S), expected)
    same(by_numpy(content, S), expected)


def test_a_state_that_was_kept_from_batch_to_batch_begins_anew() -> None:
    settings = {"units": 2, "recurrent_activation": "sigmoid", "stateful": True, "batch_input_shape": [6, 5, 3]}
    model = keras_h5.from_bytes(file_of(sequential(layer("LSTM", "lstm", **settings)), {"lstm": LSTM}), PATH)
    expected = lstm(S, KERNEL, RECURRENT, BIAS, sigmoid)[:, -1]
    for _ in range(2):
        same(model.predict(S), expected)


def test_the_gates_of_a_gru_of_a_keras_that_had_one_way_only() -> None:
    kernel, recurrent, bias = draw(3, 6), draw(2, 6), draw(6)
    arrays = {"gru/kernel:0": kernel, "gru/recurrent_kernel:0": recurrent, "gru/bias:0": bias}
    content = file_of(sequential(layer("GRU", "gru", units=2, **FEATURES)), {"gru": arrays})
    expected = gru(S, kernel, recurrent, bias, old_hard_sigmoid)
    same(by_keras(content, S), expected)
    same(by_numpy(content, S), expected)


DENSE = {"a/kernel:0": draw(4, 3), "a/bias:0": draw(3)}
INPUT = {"batch_input_shape": [None, 4]}


@pytest.mark.parametrize(
    "layers",
    [
        [layer("Dense", "a", units=3, activation="hard_sigmoid", **INPUT)],
        [layer("Dense", "a", units=3, **INPUT), layer("Activation", "hard", activation="hard_sigmoid")],
        [
            layer("Dense", "a", units=3, **INPUT),
            layer("Activation", "h", activation={"class_name": "function", "config": "hard_sigmoid"}),
        ],
    ],
)
def test_an_activation_has_its_slope_of_then(layers: list[Config], room: Path) -> None:
    content = file_of(sequential(*layers), {"a": DENSE}, "2.15.0")
    expected = old_hard_sigmoid(3 * X @ DENSE["a/kernel:0"] + DENSE["a/bias:0"])
    same(by_keras(content, 3 * X), expected)
    same(by_numpy(content, 3 * X), expected)
    PATH.write_bytes(content)
    same(bundle.load(PATH, ["mnist"]).predict(3 * X), expected)
    main(["convert", str(PATH), "new.h5"])
    same(keras.models.load_model("new.h5", compile=False).predict(3 * X, verbose=0), expected)


def test_an_activation_in_a_graph_that_is_called_twice() -> None:
    layers = [
        node("InputLayer", "x", dtype="float32", **INPUT),
        node("Dense", "a", [[["x", 0, 0, {}]]], units=3),
        node("Dense", "b", [[["x", 0, 0, {}]]], units=3),
        node("Activation", "hard", [[["a", 0, 0, {}]], [["b", 0, 0, {}]]], activation="hard_sigmoid"),
        node("Subtract", "minus", [[["hard", 0, 0, {}], ["hard", 1, 0, {}]]]),
    ]
    arrays = {"a": DENSE, "b": {"b/kernel:0": draw(4, 3), "b/bias:0": draw(3)}}
    one, other = (X @ own[f"{name}/kernel:0"] + own[f"{name}/bias:0"] for name, own in arrays.items())
    content = file_of(functional(layers, [["x", 0, 0]], [["minus", 0, 0]]), arrays)
    same(by_keras(content), old_hard_sigmoid(one) - old_hard_sigmoid(other))


# --- Keras 1 ----------------------------------------------------------------------------------------------------------


def of_gates(prefix: str, kernel: np.ndarray = KERNEL) -> dict[str, np.ndarray]:
    """Returns the arrays of an LSTM of Keras 1, a kernel for each gate."""
    arrays: dict[str, np.ndarray] = {}
    for gate, column in zip("icfo", (0, 2, 1, 3), strict=True):
        part = slice(2 * column, 2 * column + 2)
        arrays |= {f"{prefix}_W_{gate}:0": kernel[:, part], f"{prefix}_U_{gate}:0": RECURRENT[:, part]}
        arrays[f"{prefix}_b_{gate}:0"] = BIAS[part]
    return arrays


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("1.2.2", ("forward_lstm_1", "backward_lstm_1")),
        ("2.2.4", ("b/forward_lstm_1", "b/backward_lstm_1")),
        ("2.2.4", ("b/lstm_1", "b/lstm_2")),  # the first half goes forward
    ],
)
def test_an_lstm_in_both_directions(version: str, names: tuple[str, str]) -> None:
    other, arrays = draw(3, 8), dict[str, np.ndarray]()
    for name, kernel in zip(names, (KERNEL, other), strict=True):
        whole = {f"{name}/kernel:0": kernel, f"{name}/recurrent_kernel:0": RECURRENT, f"{name}/bias:0": BIAS}
        arrays |= of_gates(name, kernel) if version == "1.2.2" else whole
    size = {"output_dim": 2, "input_dim": 3} if version == "1.2.2" else {"units": 2}
    inner = layer("LSTM", "lstm_1", return_sequences=True, **size)
    config = sequential(layer("Bidirectional", "b", merge_mode="concat", layer=inner, **FEATURES))
    if version == "1.2.2":
        config["config"] = config["config"]["layers"]
    content = file_of(config, {"b": arrays}, version)
    backward = lstm(S[:, ::-1], other, RECURRENT, BIAS, old_hard_sigmoid)[:, ::-1]
    expected = np.concatenate([lstm(S, KERNEL, RECURRENT, BIAS, old_hard_sigmoid), backward], axis=2)
    same(by_keras(content, S), expected)
    same(by_numpy(content, S), expected)


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_two_lstms_of_keras_1_within_a_model_have_the_gates_of_their_names(order: tuple[str, str]) -> None:
    second = draw(2, 8)
    layers = [
        node("InputLayer", "inside", input_dtype="float32", **FEATURES),
        node("LSTM", "one", [[["inside", 0, 0]]], output_dim=2, return_sequences=True),
        node("LSTM", "two", [[["one", 0, 0]]], output_dim=2, return_sequences=True),
    ]
    inner = functional(layers, [["inside", 0, 0]], [["two", 0, 0]])
    inner["config"]["name"] = "inner"
    config = {"class_name": "Sequential", "config": [inner, layer("Activation", "end", activation="tanh")]}
    gates = {"one": of_gates("one"), "two": of_gates("two", second)}
    content = file_of(config, {"inner": gates[order[0]] | gates[order[1]]}, "1.2.2")
    states = lstm(S, KERNEL, RECURRENT, BIAS, old_hard_sigmoid)
    expected = np.tanh(lstm(states, second, RECURRENT, BIAS, old_hard_sigmoid))
    same(by_keras(content, S), expected)
    same(by_numpy(content, S), expected)


def test_cells_on_one_another_have_weights_each() -> None:
    kernels, recurrents = (draw(3, 2), draw(2, 4)), (draw(2, 2), draw(4, 4))
    cells = [layer("SimpleRNNCell", f"cell_{i}", units=2 * i, use_bias=False) for i in (1, 2)]
    stacked = layer("StackedRNNCells", "stacked", cells=cells)
    arrays = dict[str, np.ndarray]()
    for i in (1, 2):
        arrays |= {f"r/cell_{i}/kernel:0": kernels[i - 1], f"r/cell_{i}/recurrent_kernel:0": recurrents[i - 1]}
    content = file_of(sequential(layer("RNN", "r", cell=stacked, **FEATURES)), {"r": arrays})
    first, second = np.zeros((6, 2)), np.zeros((6, 4))
    for step in range(5):
        first = np.tanh(S[:, step] @ kernels[0] + first @ recurrents[0])
        second = np.tanh(first @ kernels[1] + second @ recurrents[1])
    same(by_keras(content, S), second)


def test_an_lstm_of_keras_1_had_a_kernel_for_each_gate() -> None:
    recurrent = layer(
        "LSTM",
        "lstm",
        output_dim=2,
        init="glorot_uniform",
        inner_init="orthogonal",
        forget_bias_init="one",
        activation="tanh",
        inner_activation="hard_sigmoid",
        input_dim=3,
        input_length=5,
        return_sequences=True,
        consume_less="cpu",
        dropout_W=0.2,
        dropout_U=0.0,
        unroll=False,
        stateful=False,
        W_regularizer={"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
    )
    content = file_of({"class_name": "Sequential", "config": [recurrent]}, {"lstm": of_gates("lstm")}, "1.2.2", None)
    expected = lstm(S, KERNEL, RECURRENT, BIAS, old_hard_sigmoid)
    same(by_keras(content, S), expected)
    same(by_numpy(content, S), expected)


@pytest.mark.parametrize("ordering", ["tf", "th"])
def test_a_convolution_with_gates_of_keras_1(ordering: str) -> None:
    data_format, is_first = {"tf": ("channels_last", False), "th": ("channels_first", True)}[ordering]
    films = np.stack([P, P[::-1], -P], axis=1)
    films = films.transpose(0, 1, 4, 2, 3) if is_first else films
    modern = keras.layers.ConvLSTM2D(3, (3, 2), recurrent_activation="sigmoid", data_format=data_format)
    modern.build(films.shape)
    kernel, recurrent, bias = weights = draw(3, 2, 2, 12), draw(3, 2, 3, 12), draw(12)
    modern.set_weights(weights)
    arrays = dict[str, np.ndarray]()
    for gate, part in zip("ifco", np.split(np.arange(12), 4), strict=True):
        for letter, array in (("W", kernel), ("U", recurrent)):
            own = array[..., part]
            arrays[f"conv_{letter}_{gate}:0"] = own.transpose(3, 2, 0, 1) if is_first else own
        arrays[f"conv_b_{gate}:0"] = bias[part]
    sizes = {"nb_filter": 3, "nb_row": 3, "nb_col": 2, "subsample": [1, 1], "border_mode": "valid"}
    shape = {"dim_ordering": ordering, "batch_input_shape": [None, *films.shape[1:]]}
    entry = layer("ConvLSTM2D", "conv", inner_activation="sigmoid", **sizes, **shape)
    content = file_of({"class_name": "Sequential", "config": [entry]}, {"conv": arrays}, "1.2.2")
    same(by_keras(content, films), np.asarray(modern(films)))


def correlated(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Returns a convolution without padding, as TensorFlow computes it; the kernel is (rows, columns, in, out)."""
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nhwcij,ijcf->nhwf", windows, kernel)


CONVOLUTION = layer(
    "Convolution2D",
    "conv",
    nb_filter=3,
    nb_row=3,
    nb_col=2,
    activation="linear",
    border_mode="valid",
    subsample=[1, 1],
    dim_ordering="tf",
    bias=False,
    batch_input_shape=[None, 6, 5, 2],
)


@pytest.mark.parametrize(
    ("name", "version", "backend", "is_turned"),
    [
        ("conv_W:0", "1.2.2", None, False),
        ("conv_W", "1.2.2", None, True),  # Theano numbers no arrays
        ("conv/kernel:0", "2.0.5", "theano", True),
        ("conv/kernel:0", "2.0.5", "cntk", False),
    ],
)
def test_theano_turns_kernels_by_half(name: str, version: str, backend: str | None, is_turned: bool) -> None:
    kernel = draw(3, 2, 2, 3)
    config = {"class_name": "Sequential", "config": [CONVOLUTION]}
    content = file_of(config, {"conv": {name: kernel}}, version, backend)
    expected = correlated(P, kernel[::-1, ::-1] if is_turned else kernel)
    same(by_keras(content, P), expected)
    same(by_numpy(content, P), expected)


@pytest.mark.parametrize("kind", ["Convolution3D", "Deconvolution3D"])
def test_a_kernel_of_three_axes(kind: str) -> None:
    sizes = {"kernel_dim1": 1, "kernel_dim2": 3, "kernel_dim3": 2, "subsample": [1, 1, 1], "bias": False}
    shape = {"batch_input_shape": [None, 1, 6, 5, 2]} | ({"output_shape": [None]} if kind == "Deconvolution3D" else {})
    entry = layer(kind, "conv", nb_filter=2, dim_ordering="tf", border_mode="valid", **sizes, **shape)
    kernel = draw(3, 2, 2, 2)
    content = file_of({"class_name": "Sequential", "config": [entry]}, {"conv": {"conv_W:0": kernel[None]}}, "1.2.2")
    outputs = by_keras(content, P[:, None])
    if kind == "Convolution3D":
        same(outputs[:, 0], correlated(P, kernel))
    else:  # its kernel is (rows, columns, out, in), and it spreads each pixel over a window
        padded = np.pad(P, ((0, 0), (2, 2), (1, 1), (0, 0)))
        same(outputs[:, 0], correlated(padded, kernel[::-1, ::-1].swapaxes(2, 3)))


@pytest.mark.parametrize(("filters", "length", "channels"), [(4, 2, 3), (2, 2, 1), (1, 2, 3), (3, 1, 3)])
@pytest.mark.parametrize("form", ["Keras 2", "Keras 1.2", "Keras 1.1", "Theano"])
def test_a_kernel_of_one_axis(form: str, filters: int, length: int, channels: int) -> None:
    kernel, inputs = draw(length, channels, filters), S[..., :channels]
    shape = {"use_bias": False, "batch_input_shape": [None, 5, channels]}
    entry = layer("Conv1D", "conv", filters=filters, kernel_size=[length], padding="valid", **shape)
    if form.startswith("Keras 1"):  # which had two axes then, one of them 1
        sizes = {"nb_filter": filters, "filter_length": length, "input_dim": channels, "input_length": 5}
        entry = layer("Convolution1D", "conv", border_mode="valid", subsample_length=1, bias=False, **sizes)
    of_then = {"Keras 1.2": kernel[:, None], "Keras 1.1": kernel[:, None].transpose(3, 2, 0, 1)}.get(form, kernel)
    name = "conv_W:0" if form.startswith("Keras 1") else "conv/kernel:0"
    version, backend = "1.2.2" if form.startswith("Keras 1") else "2.0.5", "theano" if form == "Theano" else None
    content = file_of({"class_name": "Sequential", "config": [entry]}, {"conv": {name: of_then}}, version, backend)
    windows = np.lib.stride_tricks.sliding_window_view(inputs, length, axis=1)
    expected = np.einsum("nsil,lif->nsf", windows, kernel[::-1] if form == "Theano" else kernel)
    same(by_keras(content, inputs), expected)
    same(by_numpy(content, inputs), expected)


@pytest.mark.parametrize("ordering", ["tf", "th"])
def test_a_kernel_of_keras_1_that_goes_the_other_way(ordering: str) -> None:
    kernel = draw(3, 2, 3, 2)  # rows, columns, out, in; it spreads each pixel over a window
    entry = {**CONVOLUTION, "class_name": "Deconvolution2D", "config": {**CONVOLUTION["config"]}}
    entry["config"] |= {"dim_ordering": ordering, "output_shape": [None, 8, 6, 3]}
    padded = np.pad(P, ((0, 0), (2, 2), (1, 1), (0, 0)))
    expected = correlated(padded, kernel[::-1, ::-1].swapaxes(2, 3))
    config = {"class_name": "Sequential", "config": [entry]}
    if ordering == "tf":
        content = file_of(config, {"conv": {"conv_W:0": kernel.swapaxes(2, 3)}}, "1.2.2")
        same(by_keras(content, P), expected)
        same(by_numpy(content, P), expected)
    else:
        entry["config"]["batch_input_shape"] = [None, 2, 6, 5]
        content = file_of(config, {"conv": {"conv_W:0": kernel.transpose(2, 3, 0, 1)}}, "1.2.2")
        same(by_keras(content, P.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1), expected)


def test_a_kernel_with_theanos_axes() -> None:
    kernel = draw(3, 2, 2, 3)
    first = {**CONVOLUTION, "config": {**CONVOLUTION["config"], "dim_ordering": "th"}}
    first["config"]["batch_input_shape"] = [None, 2, 6, 5]
    config = {"class_name": "Sequential", "config": [first]}
    content = file_of(config, {"conv": {"conv_W:0": kernel.transpose(3, 2, 0, 1)}}, "1.1.0", None)
    outputs = by_keras(content, P.transpose(0, 3, 1, 2))
    same(outputs.transpose(0, 2, 3, 1), correlated(P, kernel))
    with pytest.raises(WorkshopError, match="Conv2D layer has data_format = 'channels_first'"):
        by_numpy(content, P)


def test_a_sequential_that_merges_two_others() -> None:
    def branch(name: str) -> Config:
        return {"class_name": "Sequential", "config": [layer("Dense", name, output_dim=3, input_dim=4, bias=True)]}

    merge = layer("Merge", "merge", mode="concat", mode_type="raw", concat_axis=-1, layers=[branch("a"), branch("b")])
    last = layer("Dense", "c", output_dim=2, bias=True)
    arrays = {
        name: {f"{name}_W:0": draw(size, n), f"{name}_b:0": draw(n)}
        for name, size, n in (("a", 4, 3), ("b", 4, 3), ("c", 6, 2))
    }
    content = file_of({"class_name": "Sequential", "config": [merge, last]}, arrays, "1.2.0", None)
    dense = lambda x, name: x @ arrays[name][f"{name}_W:0"] + arrays[name][f"{name}_b:0"]  # noqa: E731
    expected = dense(np.concatenate([dense(X, "a"), dense(2 * X, "b")], axis=1), "c")
    same(by_keras(content, [X, 2 * X]), expected)
    with pytest.raises(WorkshopError, match=r"got a ndarray; the model takes a list of 2 arrays, samples first: "):
        by_keras(content, X)
    with pytest.raises(WorkshopError, match=r"got arrays of shapes \[\(6, 4\), \(6, 5, 3\)\]; the model takes a list"):
        by_keras(content, [X, S])


# --- Keras 2 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["CuDNNLSTM", "CuDNNGRU"])
def test_cudnns_layers_have_kernels_of_their_own(kind: str) -> None:
    gates = 4 if kind == "CuDNNLSTM" else 3
    kernel, recurrent, bias = draw(3, gates * 2), draw(2, gates * 2), draw(2, gates * 2)
    arrays = {
        "r/kernel:0": np.hstack([part.T.reshape(part.shape) for part in np.hsplit(kernel, gates)]),
        "r/recurrent_kernel:0": np.hstack([part.T for part in np.hsplit(recurrent, gates)]),
        "r/bias:0": bias.reshape(-1),
    }
    # The inverse of what Keras 2 did when it put them into an LSTM: kernel.T.reshape(kernel.shape, order="F").
    for part, stored in zip(np.hsplit(kernel, gates), np.hsplit(arrays["r/kernel:0"], gates), strict=True):
        np.testing.assert_array_equal(stored.T.reshape(stored.shape, order="F"), part)
    content = file_of(sequential(layer(kind, "r", units=2, **FEATURES)), {"r": arrays})
    plain: Any = keras.layers.LSTM(2) if gates == 4 else keras.layers.GRU(2, reset_after=True)
    plain.build((None, 5, 3))
    plain.set_weights([kernel, recurrent, bias.sum(axis=0) if gates == 4 else bias])
    same(by_keras(content, S), np.asarray(plain(S)))
    same(by_numpy(content, S), np.asarray(plain(S)))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def inner_model(name: str, kind: str) -> Config:
    """Returns a model of one Dense layer, of four features to four."""
    if kind == "Sequential":
        return {**sequential(layer("Dense", "hidden", units=4, activation="relu", **INPUT)), "name": name}
    layers = [
        node("InputLayer", "inside", dtype="float32", **INPUT),
        node("Dense", "hidden", [[["inside", 0, 0, {}]]], units=4, activation="relu"),
    ]
    return {**functional(layers, [["inside", 0, 0]], [["hidden", 0, 0]], kind), "name": name}


@pytest.mark.parametrize("kind", ["Sequential", "Model", "Functional"])
@pytest.mark.parametrize("prefix", ["", "inner/"])
def test_a_model_within_a_model_that_is_called_twice(kind: str, prefix: str) -> None:
    inner = inner_model("inner", kind)
    inner["config"]["name"] = "inner"
    layers = [
        node("InputLayer", "x", dtype="float32", **INPUT),
        node("InputLayer", "y", dtype="float32", **INPUT),
        {**inner, "inbound_nodes": [[["x", 0, 0, {}]], [["y", 0, 0, {}]]]},
        node("Subtract", "minus", [[["inner", 1, 0, {}], ["inner", 2, 0, {}]]]),
    ]
    kernel, bias = draw(4, 4), draw(4)
    arrays = {"inner": {f"{prefix}hidden/kernel:0": kernel, f"{prefix}hidden/bias:0": bias}}
    config = functional(layers, [["x", 0, 0], ["y", 0, 0]], [["minus", 0, 0], ["inner", 1, 0]], "Functional")
    content = file_of(config, arrays, "2.4.0")
    one, other = relu(X @ kernel + bias), relu(-X @ kernel + bias)
    outputs = by_keras(content, [X, -X])
    same(outputs[0], one - other)
    same(outputs[1], one)


def test_models_in_a_row_are_one_row_of_layers(room: Path) -> None:
    """The arrays of what is trained come first, then those of the rest: names say whose they are."""
    inner = sequential(
        layer("Dense", "one", units=4, **INPUT),
        layer("BatchNormalization", "norm", axis=[1], fused=False, epsilon=0.01),
        layer("Dense", "two", units=4),
    )
    inner["config"]["name"] = "inner"
    a, b, gamma, beta, mean, variance = draw(4, 4), draw(4, 4), draw(4), draw(4), draw(4), draw(4) ** 2
    own = {"two/kernel:0": b, "two/bias:0": 0 * beta, "norm/gamma:0": gamma, "norm/beta:0": beta, "one/kernel:0": a}
    own |= {"one/bias:0": 0 * beta, "norm/moving_mean:0": mean, "norm/moving_variance:0": variance}
    content = file_of(sequential(inner, layer("Activation", "end", activation="softmax_v2")), {"inner": own})
    logits = ((X @ a - mean) / np.sqrt(variance + 0.01) * gamma + beta) @ b
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    same(by_keras(content), expected)
    same(by_numpy(content), expected)


# Of a ZeroPadding2D layer: how Keras 1 and 2 wrote it, and the rows and the columns that it adds before and after.
PADDINGS: list[tuple[Config, tuple[int, int], tuple[int, int]]] = [
    ({}, (1, 1), (1, 1)),
    ({"padding": 2}, (2, 2), (2, 2)),
    ({"padding": [0, 1]}, (0, 0), (1, 1)),
    ({"padding": [1, 0, 3, 2]}, (1, 0), (3, 2)),
    ({"padding": [[1, 0], [3, 2]]}, (1, 0), (3, 2)),
    ({"padding": {"top_pad": 1, "bottom_pad": 0, "left_pad": 3, "right_pad": 2}}, (1, 0), (3, 2)),
    ({"padding": {"bottom_pad": 1}}, (0, 1), (0, 0)),
]


IN_NUMPY = {"Dense", "DepthwiseConv2D", "LeakyReLU", "SpatialDropout1D", "ThresholdedReLU", "ZeroPadding2D"}
Z = X @ DENSE["a/kernel:0"] + DENSE["a/bias:0"]


@pytest.mark.parametrize(
    ("entry", "arrays", "inputs", "expected"),
    [
        (
            layer(
                "DepthwiseConv2D",
                "d",
                kernel_size=[1, 1],
                groups=1,
                use_bias=False,
                dilation_rate=[1, 1],
                batch_input_shape=[None, 6, 5, 2],
                depthwise_initializer={"class_name": "VarianceScaling"},
            ),
            {"d/depthwise_kernel:0": np.array([2, 3]).reshape(1, 1, 2, 1)},
            P,
            P * [2, 3],
        ),
        (
            layer("DepthwiseConv1D", "d", kernel_size=[1], use_bias=False, **FEATURES),
            {"d/depthwise_kernel:0": np.array([2, 3, 4]).reshape(1, 3, 1)},
            S,
            S * [2, 3, 4],
        ),
        (layer("LeakyReLU", "l", alpha={"type": "ndarray", "value": 0.5}, **INPUT), {}, X, np.where(X > 0, X, X / 2)),
        (layer("Activation", "s", activation="swish", **INPUT), {}, X, X * sigmoid(X)),
        (  # an activation that is a layer, with another one in it
            layer(
                "Activation",
                "a",
                activation=layer("TimeDistributed", "t", layer=layer("LeakyReLU", "l", alpha=0.1)),
                **FEATURES,
            ),
            {},
            S,
            np.maximum(S, 0.1 * S),
        ),
        (layer("SpatialDropout1D", "s", rate=0.5, trainable=True, noise_shape=None, **FEATURES), {}, S, S),
        (layer("ThresholdedReLU", "t", theta=0.5, **INPUT), {}, X, np.where(X > 0.5, X, 0)),
        (layer("ThresholdedReLU", "t", **INPUT), {}, X, np.where(X > 1, X, 0)),
        (layer("RandomHeight", "r", factor=0.2, seed=1, batch_input_shape=[None, 6, 5, 2]), {}, P, P),
        (layer("LeakyReLU", "l", **INPUT), {}, X, np.where(X > 0, X, 0.3 * X)),
        (layer("LeakyReLU", "l", negative_slope=0.2, **INPUT), {}, X, np.where(X > 0, X, 0.2 * X)),
        *(
            (
                layer("ZeroPadding2D", "z", batch_input_shape=[None, 6, 5, 2], **padding),
                {},
                P,
                np.pad(P, ((0, 0), rows, columns, (0, 0))),
            )
            for padding, rows, columns in PADDINGS
        ),
        (
            layer("EinsumDense", "e", equation="nsi,io->nso", output_shape=[None, 2], bias_axes=None, **FEATURES),
            {"e/kernel:0": KERNEL[:, :2]},
            S,
            S @ KERNEL[:, :2],
        ),
        (  # an activation within an activation
            layer("Dense", "a", units=3, activation=layer("Activation", "b", activation="LeakyReLU"), **INPUT),
            DENSE,
            X,
            np.maximum(Z, 0.3 * Z),
        ),
        (
            layer("Dense", "a", units=3, activation={"class_name": "LeakyReLU", "config": {"alpha": 0.1}}, **INPUT),
            DENSE,
            X,
            np.maximum(Z, 0.1 * Z),
        ),
        (
            layer("Dense", "a", units=3, activation=layer("ThresholdedReLU", "t", theta=0.5), **INPUT),
            DENSE,
            X,
            np.where(Z > 0.5, Z, 0),
        ),
        (
            layer(
                "Dense",
                "a",
                units=3,
                kernel_regularizer={"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.1}},
                kernel_constraint={"class_name": "Own", "config": {}},
                **INPUT,
            ),
            DENSE,
            X,
            Z,
        ),
        (
            layer("BatchNormalizationV1", "n", axis=[1], renorm=True, epsilon=0.0, center=False, scale=False, **INPUT),
            {"n/moving_mean:0": [1, 2, 3, 4], "n/moving_variance:0": [4] * 4, "n/moving_stddev:0": [9] * 4},
            X,
            (X - [1, 2, 3, 4]) / 2,
        ),
    ],
    ids=lambda value: value["class_name"] if isinstance(value, dict) and "class_name" in value else "",
)
def test_a_setting_of_keras_2(
    entry: Config, arrays: Mapping[str, np.ndarray], inputs: np.ndarray, expected: np.ndarray
) -> None:
    content = file_of(sequential(entry), {entry["config"]["name"]: arrays} if arrays else {}, "2.4.0")
    same(by_keras(content, inputs), expected)
    if entry["class_name"] in IN_NUMPY or entry["config"].get("activation") == "swish":
        same(by_numpy(content, inputs), expected)


POOLS = (("Max", "Max"), ("Avg", "Average"))
GATED = {"units": 2, "recurrent_activation": "sigmoid"}
ONE_AXIS = {"nb_filter": 2, "filter_length": 2}, {"filters": 2, "kernel_size": 2}
TWO_AXES = {"nb_filter": 2, "nb_row": 3, "nb_col": 2}, {"filters": 2, "kernel_size": [3, 2]}


@pytest.mark.parametrize(
    ("kind", "settings", "today", "settings_today", "inputs"),
    [
        ("Convolution1D", {**ONE_AXIS[0], "subsample_length": 2}, "Conv1D", {**ONE_AXIS[1], "strides": 2}, S),
        *(
            (kind, {**ONE_AXIS[0], "atrous_rate": 2}, "Conv1D", {**ONE_AXIS[1], "dilation_rate": 2}, S)
            for kind in ("AtrousConvolution1D", "AtrousConv1D")
        ),
        *(
            (kind, {**TWO_AXES[0], "atrous_rate": [2, 1]}, "Conv2D", {**TWO_AXES[1], "dilation_rate": [2, 1]}, P)
            for kind in ("AtrousConvolution2D", "AtrousConv2D")
        ),
        ("Convolution2DTranspose", TWO_AXES[1], "Conv2DTranspose", TWO_AXES[1], P),
        ("SeparableConvolution1D", ONE_AXIS[1], "SeparableConv1D", ONE_AXIS[1], S),
        ("SeparableConvolution2D", TWO_AXES[1], "SeparableConv2D", TWO_AXES[1], P),
        ("DepthwiseConvolution2D", {"kernel_size": [3, 2]}, "DepthwiseConv2D", {"kernel_size": [3, 2]}, P),
        ("BatchNormalizationV2", {"axis": [3]}, "BatchNormalization", {}, P),
        ("SyncBatchNormalization", {"axis": [3]}, "BatchNormalization", {}, P),
        ("TimeDistributedDense", {"output_dim": 2}, "Dense", {"units": 2}, S),
        *((kind, GATED, "LSTM", GATED, S) for kind in ("UnifiedLSTM", "LSTMV2")),
        *((kind, {**GATED, "reset_after": True}, "GRU", GATED, S) for kind in ("UnifiedGRU", "GRUV2")),
        *(
            (f"{short}Pool1D", {"pool_length": 2, "stride": 1}, f"{name}Pooling1D", {"pool_size": 2, "strides": 1}, S)
            for short, name in POOLS
        ),
        *(
            (f"{short}Pool2D", {"pool_size": [3, 2]}, f"{name}Pooling2D", {"pool_size": [3, 2]}, P)
            for short, name in POOLS
        ),
        *((f"Global{short}Pool1D", {}, f"Global{name}Pooling1D", {}, S) for short, name in POOLS),
        *((f"Global{short}Pool2D", {}, f"Global{name}Pooling2D", {}, P) for short, name in POOLS),
        ("UpSampling1D", {"length": 3}, "UpSampling1D", {"size": 3}, S),
        ("Dropout", {"p": 0.5}, "Dropout", {"rate": 0.5}, X),
        ("GaussianNoise", {"sigma": 0.5}, "GaussianNoise", {"stddev": 0.5}, X),
        ("RandomWidth", {"factor": 0.2}, "Identity", {}, P),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_layer_by_another_name_is_the_one_of_today(
    kind: str, settings: Config, today: str, settings_today: Config, inputs: np.ndarray
) -> None:
    modern = getattr(keras.layers, today)(**settings_today)
    modern.build(inputs.shape)
    generator = np.random.default_rng(1)
    modern.set_weights([generator.uniform(0.5, 1.5, array.shape) for array in modern.weights])
    arrays = {f"a/{array.name}:0": array.numpy() for array in modern.weights if "seed" not in array.name}
    entry = layer(kind, "a", batch_input_shape=[None, *inputs.shape[1:]], **settings)
    content = file_of(sequential(entry), {"a": arrays} if arrays else {})
    expected = np.asarray(modern(inputs))
    same(by_keras(content, inputs), expected)
    if today in KINDS:
        same(by_numpy(content, inputs), expected)


@pytest.mark.parametrize(
    ("regularizer", "l1", "l2"),
    [
        ({"class_name": "L1L2", "config": {"l1": 0.25, "l2": 0.5}}, 0.25, 0.5),
        ({"class_name": "L1L2", "config": {"l2": 0.5}}, 0, 0.5),
        ({"class_name": "L1", "config": {"l1": 0.25}}, 0.25, 0),
        ({"class_name": "L2", "config": {"l2": {"type": "ndarray", "value": 0.5}}}, 0, 0.5),
        ({"class_name": "L2", "config": {"l2": "0.5"}}, 0, None),
        ({"class_name": "Own", "config": {"l2": 0.5}}, 0, None),
        ({"name": "L1L2Regularizer", "l1": 0.25, "l2": 0.5}, 0.25, 0.5),  # of Keras 1
    ],
    ids=str,
)
def test_a_regularizer_has_its_strengths_of_then(regularizer: Config, l1: float, l2: float | None) -> None:
    # They count where the model is trained further. One that Keras 3 does not have is left out.
    entry = layer("Dense", "a", units=3, kernel_regularizer=regularizer, **INPUT)
    model = keras_h5.from_bytes(file_of(sequential(entry), {"a": DENSE}, "2.4.0"), PATH).keras
    kernel = DENSE["a/kernel:0"]
    expected = [] if l2 is None else [l1 * np.abs(kernel).sum() + l2 * np.square(kernel).sum()]
    same([float(loss) for loss in model.losses], np.array(expected))


def test_an_embedding_of_keras_1_keeps_its_regularizer() -> None:
    table = draw(4, 2)
    settings = {"input_dim": 4, "output_dim": 2, "input_length": 3, "W_regularizer": {"l1": 0.25, "l2": 0.0}}
    config = {"class_name": "Sequential", "config": [layer("Embedding", "e", **settings)]}
    model = keras_h5.from_bytes(file_of(config, {"e": {"e_W:0": table}}, "1.2.2"), PATH).keras
    same([float(loss) for loss in model.losses], np.array([0.25 * np.abs(table).sum()]))


@pytest.mark.parametrize("activation", [5, ["relu"], {"class_name": "function", "config": {"name": 5}}], ids=str)
def test_an_activation_that_is_none_is_refused(activation: Any) -> None:
    content = file_of(sequential(layer("Dense", "a", units=3, activation=activation, **INPUT)), {"a": DENSE}, "2.4.0")
    for read in (by_keras, by_numpy):
        with pytest.raises(WorkshopError, match=r"^old\.h5 "):
            read(content)


@pytest.mark.parametrize("wrapped", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "dictionaries"])
def test_arguments_within_one_another_end_somewhere(wrapped: Callable[[Any], Any]) -> None:
    argument: Any = 1
    for _ in range(25):
        argument = wrapped(argument)
    layers = [
        node("InputLayer", "x", dtype="float32", **INPUT),
        node("Dense", "a", [[["x", 0, 0, {"own": argument}]]], units=3),
    ]
    content = file_of(functional(layers, [["x", 0, 0]], [["a", 0, 0]]), {"a": DENSE}, "2.4.0")
    for read in (by_keras, by_numpy):
        with pytest.raises(WorkshopError, match="not a valid Keras configuration: lists within lists"):
            read(content)


def test_a_layer_of_keras_3_that_was_called_with_a_tuple() -> None:
    def tensor(name: str) -> Config:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}

    both = {"class_name": "__tuple__", "items": [tensor("x"), tensor("half")]}
    layers = [
        node("InputLayer", "x", dtype="float32", batch_shape=[None, 4]),
        node("Rescaling", "half", [{"args": [tensor("x")], "kwargs": {}}], scale=0.5, offset=0),
        node("Subtract", "minus", [{"args": [both], "kwargs": {}}]),
    ]
    content = file_of(functional(layers, [["x", 0, 0]], [["minus", 0, 0]], "Functional"), {}, "3.4.1")
    same(by_keras(content), X / 2)


@pytest.mark.parametrize(("calls", "says"), [(20_000, None), (20_001, "called more than 20,000 times")])
def test_a_model_of_too_many_calls_is_refused(calls: int, says: str | None) -> None:
    layers = [node("InputLayer", "x", dtype="float32", **INPUT)]
    for number, some in enumerate([1000] * 20 + [calls - 20_000]):  # of a layer, whose entry is no longer than that
        layers.append(node("Activation", str(number), [[["x", 0, 0, {}]]] * some, activation="relu"))
    described = functional(layers, [["x", 0, 0]], [["0", 0, 0]])
    with pytest.raises(WorkshopError, match=says) if says else contextlib.nullcontext():
        upgrade_model(described, is_old=True)


@pytest.mark.parametrize(("depth", "says"), [(20, None), (21, "models within models, more than 20 deep")])
def test_a_model_of_too_many_models_within_one_another_is_refused(depth: int, says: str | None) -> None:
    described = sequential(layer("Dense", "one", units=4, **INPUT))
    for _ in range(depth):
        described = sequential(described)
    with pytest.raises(WorkshopError, match=says) if says else contextlib.nullcontext():
        upgrade_model(described, is_old=True)


@pytest.mark.parametrize(("depth", "says"), [(20, None), (21, "lists within lists")])
def test_a_model_with_too_many_lists_within_one_another_is_refused(depth: int, says: str | None) -> None:
    outputs: list[Any] = ["x", 0, 0]
    for _ in range(depth):
        outputs = [outputs]
    described = functional([node("InputLayer", "x", dtype="float32", **INPUT)], [["x", 0, 0]], outputs)
    with pytest.raises(WorkshopError, match=says) if says else contextlib.nullcontext():
        upgrade_model(described, is_old=True)


@pytest.mark.parametrize(("count", "says"), [(5_000, None), (5_001, "its layers are not a list of up to 5,000")])
def test_a_model_of_too_many_layers_is_refused(count: int, says: str | None) -> None:
    described = sequential(*(layer("Activation", str(i), activation="relu", **INPUT) for i in range(count)))
    with pytest.raises(WorkshopError, match=says) if says else contextlib.nullcontext():
        upgrade_model(described, is_old=True)


@pytest.mark.parametrize(
    ("shape", "says"),
    [([1], None), ([10_000], None), ([10_001], "inputs of shape"), ([2] * 3, None), ([2] * 4, "inputs of shape")],
)
def test_without_keras_inputs_have_three_axes_at_most_of_10000_each(shape: list[int], says: str | None) -> None:
    content = file_of(sequential(layer("Activation", "a", activation="relu", batch_input_shape=[None, *shape])), {})
    with pytest.raises(WorkshopError, match=says) if says else contextlib.nullcontext():
        assert h5.from_bytes(content, PATH).input_shape == tuple(shape)


@pytest.mark.parametrize(("activations", "says"), [(3, "MelSpectrogram is none of Keras"), (4, "more than 50,000")])
def test_a_model_of_models_is_refused_for_all_calls_within_them_before_it_is_made(activations: int, says: str) -> None:
    inner = inner_model("inner", "Functional")
    for calls in (17, 29, 44):
        described: Config = {**inner, "inbound_nodes": [[["x", 0, 0, {}]]] * calls}
        layers = [node("InputLayer", "x", dtype="float32", **INPUT), described]
        inner = {**functional(layers, [["x", 0, 0]], [["inner", 1, 0]], "Functional"), "name": "inner"}
    # What cannot be made stands first: (44 + 1) * (1 + (29 + 1) * (1 + (17 + 1) * 2)) calls, and those of these layers.
    layers.insert(1, node("MelSpectrogram", "mel", [[["x", 0, 0, {}]]]))
    layers += [
        node("Activation", f"a{number}", [[["x", 0, 0, {}]]], activation="relu") for number in range(activations)
    ]
    with pytest.raises(WorkshopError, match=says):
        by_keras(file_of(inner, {}, "2.4.0"))


@pytest.mark.parametrize(
    ("kind", "shape", "settings", "says"),
    [
        ("Flatten", [50_000_000], {}, None),
        ("Flatten", [50_000_001], {}, r"inputs of shape \[None, 50000001\]"),
        ("Flatten", [5_000, 10_000], {}, None),
        ("Flatten", [3, 16_666_667], {}, "more than 50,000,000 numbers"),
        ("Flatten", [1, 1], {}, None),
        ("Flatten", [1, 0], {}, "which is not a shape"),
        ("RepeatVector", [25_000_000], {"n": 2}, None),
        ("RepeatVector", [16_666_667], {"n": 3}, "a RepeatVector layer has an output of more than 50,000,000 numbers"),
    ],
)
def test_in_keras_inputs_and_outputs_have_fifty_million_numbers_at_most(
    kind: str, shape: list[int], settings: Config, says: str | None
) -> None:
    content = file_of(sequential(layer(kind, "one", batch_input_shape=[None, *shape], **settings)), {}, "2.4.0")
    with pytest.raises(WorkshopError, match=says) if says else contextlib.nullcontext():
        keras_h5.from_bytes(content, PATH)


def test_inputs_have_eight_axes_at_most() -> None:
    flat = lambda axes: sequential(layer("Flatten", "f", batch_input_shape=[None, *[1] * (axes - 1)]))  # noqa: E731
    same(by_keras(file_of(flat(8), {}, "2.4.0"), X[:, :1].reshape(6, *[1] * 7)), X[:, :1])
    with pytest.raises(WorkshopError, match="which is not a shape"):
        by_keras(file_of(flat(9), {}, "2.4.0"))


def half(x: Any) -> np.ndarray:
    return np.asarray(x, np.float16).astype(np.float32)


KERAS_2_POLICY = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
LOSS_SCALED = {"class_name": "PolicyV1", "config": {"name": "mixed_float16", "loss_scale": {"class_name": "Dynamic"}}}
# The last versions of Keras 2 said where each class is, as Keras 3 does.
WITH_MODULE = {**KERAS_2_POLICY, "module": "keras.mixed_precision", "registered_name": None}
POLICIES = [KERAS_2_POLICY, LOSS_SCALED, WITH_MODULE, LOSS_SCALED | {"module": "keras.mixed_precision"}]


@pytest.mark.parametrize("policy", [*POLICIES, "mixed_float16", "float16"], ids=str)
def test_a_policy_of_16_bits_rounds_each_result(policy: Any, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_single = {"class_name": "Policy", "config": {"name": "float32"}}
    content = file_of(
        sequential(
            layer(
                "Conv2D",
                "c",
                filters=3,
                kernel_size=[3, 2],
                activation="relu",
                dtype=policy,
                batch_input_shape=[None, 6, 5, 2],
            ),
            layer("Flatten", "flat", dtype=policy),
            layer("Dense", "a", units=4, activation="sigmoid", dtype=in_single),
        ),
        {"c": {"c/kernel:0": KERNELS, "c/bias:0": BIAS[:3]}, "a": {"a/kernel:0": OUT, "a/bias:0": BIAS[:4]}},
        "2.4.0",
    )
    maps = relu(half(half(correlated(half(P), half(KERNELS))) + half(BIAS[:3])))
    expected = sigmoid(maps.reshape(len(P), -1) @ OUT + BIAS[:4])
    PATH.write_bytes(content)
    main(["convert", str(PATH), "new.h5"])
    main(["convert", "new.h5", "new.keras"])
    same(keras.models.load_model("new.h5", compile=False).predict(P, verbose=0), expected)
    for path in ("old.h5", "new.h5", "new.keras"):
        for engine in engines.ENGINES:
            same(engines.load(path, ["mnist"], engine).predict(P), expected)
    assert capsys.readouterr().err == ""


KERNELS, OUT = draw(3, 2, 2, 3), draw(4 * 4 * 3, 4) / 3


def test_a_layer_that_rounds_within_is_loaded_by_keras(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recurrent = layer("LSTM", "lstm", units=2, recurrent_activation="sigmoid", dtype=KERAS_2_POLICY, **FEATURES)
    PATH.write_bytes(file_of(sequential(recurrent), {"lstm": LSTM}, "2.4.0"))
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(2, dtype="mixed_float16")])
    model.set_weights(list(LSTM.values()))
    expected = model.predict(S, verbose=0).astype(np.float32)
    np.testing.assert_array_equal(engines.load(PATH, ["mnist"]).predict(S), expected)
    assert "its LSTM layer has dtype = 'mixed_float16', which is not known here" in capsys.readouterr().err
    main(["convert", str(PATH), "new.h5"])
    np.testing.assert_array_equal(engines.load("new.h5", ["mnist"]).predict(S), expected)
    with pytest.raises(WorkshopError, match=r"LSTM layer has dtype = 'mixed_float16'.*; --engine keras takes"):
        engines.load(PATH, ["mnist"], "torch")


@pytest.mark.parametrize(("kind", "of_each"), [("MaxPooling3D", np.max), ("AveragePooling3D", np.mean)])
@pytest.mark.parametrize("version", ["2.4.0", "3.4.1"])
def test_pooling_over_three_axes_in_16_bits_needs_no_graphics_card(
    kind: str, of_each: Callable[..., np.ndarray], version: str
) -> None:
    shape = [None, 2, 4, 2, 3]
    pooling = layer(kind, "pool", pool_size=[2, 2, 2], dtype=KERAS_2_POLICY, batch_input_shape=shape)
    volumes = np.random.default_rng(1).normal(size=(5, 2, 4, 2, 3)).astype(np.float32)
    expected = of_each(volumes.reshape(5, 1, 2, 2, 2, 1, 2, 3), axis=(2, 4, 6))
    same(by_keras(file_of(sequential(pooling), {}, version), volumes), expected)


def test_an_average_of_16_bits_is_another_one_in_keras_3(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pooling = layer("GlobalAveragePooling1D", "mean", dtype=KERAS_2_POLICY, **FEATURES)
    for version in ("2.4.0", "3.4.1"):
        PATH.write_bytes(file_of(sequential(pooling), {}, version))
        np.testing.assert_allclose(engines.load(PATH, ["mnist"]).predict(S), S.mean(axis=1), rtol=1e-3, atol=1e-3)
        main(["convert", str(PATH), f"{version}.h5"])
        assert ("Keras 3 averages them in 32" in capsys.readouterr().out) == (version < "3")


def test_inputs_of_16_bits_before_a_layer_of_32(room: Path) -> None:
    inputs = node("InputLayer", "x", dtype="float16", **INPUT)
    content = file_of(sequential(inputs, layer("Dense", "a", units=3, dtype="float32")), {"a": DENSE}, "2.4.0")
    same(by_keras(content), half(X) @ DENSE["a/kernel:0"] + DENSE["a/bias:0"])
    with pytest.raises(WorkshopError, match="its inputs have 16 bits, and its first layer has not"):
        by_numpy(content)


def test_names_with_a_slash_and_a_layer_without_the_shape_of_its_input(room: Path) -> None:
    content = file_of(sequential(layer("Dense", "block/a", units=3, **INPUT)), {"block/a": DENSE}, "2.4.0")
    expected = X @ DENSE["a/kernel:0"] + DENSE["a/bias:0"]
    same(by_keras(content), expected)
    same(by_numpy(content), expected)
    nowhere = file_of(sequential(layer("Dense", "a", units=3)), {"a": DENSE}, "2.4.0")
    with pytest.raises(WorkshopError, match=r"old\.h5 is refused: it does not say the shape of its inputs"):
        by_keras(nowhere)


def test_a_graph_of_keras_3_adds_by_an_operation(tmp_path: Path) -> None:
    inputs = keras.Input((5, 3))
    hidden = keras.layers.MultiHeadAttention(2, 3)(inputs, inputs)
    model = keras.Model(
        inputs, keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(inputs + hidden))
    )
    model.save(tmp_path / "attention.h5")
    same(by_keras((tmp_path / "attention.h5").read_bytes(), S), model.predict(S, verbose=0))


def test_a_keras_file_of_keras_2_has_the_slope_of_then(room: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="hard_sigmoid")])
    model.save("new.keras")
    with zipfile.ZipFile("new.keras") as archive, zipfile.ZipFile("old.keras", "w") as old:
        for name in archive.namelist():
            text = archive.read(name)
            old.writestr(name, b'{"keras_version": "2.15.0"}' if name == "metadata.json" else text)
    kernel, bias = model.get_weights()
    same(bundle.load("old.keras", ["mnist"]).predict(3 * X), old_hard_sigmoid(3 * X @ kernel + bias))
    same(bundle.load("new.keras", ["mnist"]).predict(3 * X), model.predict(3 * X, verbose=0))


def test_a_bundle_of_several_inputs_or_of_sequences_of_any_length(room: Path) -> None:
    one, two = keras.Input((4,)), keras.Input((3,))
    both = keras.Model([one, two], keras.layers.Concatenate()([one, two]))
    both.save("both.h5")
    loaded: Any = bundle.load("both.h5", ["mnist"])
    same(loaded.predict([X, X[:, :3]]), np.concatenate([X, X[:, :3]], axis=1))
    with pytest.raises(WorkshopError, match=r"got a ndarray; the model takes a list of 2 arrays.* of shape \(3,\)"):
        loaded.predict(X)
    any_length = keras.Sequential([keras.Input((None, 3)), keras.layers.GlobalMaxPooling1D()])
    any_length.save("any.h5")
    loaded = bundle.load("any.h5", ["mnist"])
    same(loaded.predict(S), S.max(axis=1))
    with pytest.raises(WorkshopError, match=r"got an array of shape \(6, 4\), takes samples of shape \(None, 3\)"):
        loaded.predict(X)


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (sequential(layer("MyLayer", "a", **INPUT)), "its layer MyLayer is none of Keras"),
        (sequential(layer("LSTM", "a", time_major=True, **FEATURES)), "LSTM layer has time_major = True"),
        (sequential(layer("Dense", "a", units=3, novel=2, **INPUT)), "Dense layer has novel = 2, which Keras"),
        (sequential(layer("Dense", "a", units=10**9, **INPUT)), "Dense layer of it takes 4,000,000,000 weights"),
        (
            sequential(layer("Dense", "a", units=2, **INPUT)),
            r"kernel of a Dense .*\(4, 3\), takes shape \(4, 2\)",
        ),
        (sequential(layer("Dense", "a", units=3, use_bias=False, **INPUT)), "has weights bias, kernel, takes kernel"),
        ({"class_name": "VAE", "config": {"name": "x", "layers": []}}, "it is a VAE, a class that is not Keras' own"),
        (sequential(layer("Lambda", "a", function=["x"])), "it holds a Lambda layer, Python code"),
    ],
)
def test_what_is_refused_says_why(config: Config, says: str) -> None:
    with pytest.raises(WorkshopError, match=f"^old.h5 is refused: .*{says}"):
        by_keras(file_of(config, {"a": DENSE}, "2.4.0"))


def around(place: str, **settings: Any) -> bytes:
    """A Dense layer with more settings, alone or in another layer."""
    dense = layer("Dense", "d", units=3, **settings)
    if place == "alone":
        return file_of(sequential(dense | {"config": dense["config"] | INPUT}), {"d": DENSE}, "2.4.0")
    if place == "in a wrapper":
        inner = dense
    elif place == "in two":
        inner = layer("TimeDistributed", "one", layer=dense)
    else:
        inner = sequential(dense)
    steps = {"batch_input_shape": [None, 2, 4]} if place != "in two" else {"batch_input_shape": [None, 1, 2, 4]}
    return file_of(sequential(layer("TimeDistributed", "d", layer=inner, **steps)), {"d": DENSE}, "2.4.0")


PLACES = {"alone": (6, 4), "in a wrapper": (3, 2, 4), "in two": (3, 1, 2, 4), "in a model in a wrapper": (3, 2, 4)}


@pytest.mark.parametrize("place", PLACES)
def test_a_setting_of_another_release_is_left_out_where_it_says_nothing_and_else_refused(place: str) -> None:
    kernel, bias = DENSE["a/kernel:0"], DENSE["a/bias:0"]
    for settings in ({"novel": None}, {"novel": False}, {"groups": 1}, {"dilation_rate": 1}, {"renorm_momentum": 0.99}):
        same(by_keras(around(place, **settings), X.reshape(PLACES[place])).reshape(6, 3), X @ kernel + bias)
    for name, value in (("novel", 2), ("novel", True), ("novel", "x"), ("groups", 2)):
        with pytest.raises(
            WorkshopError, match=f"its Dense layer has {name} = {value!r}, which Keras .* does not know"
        ):
            by_keras(around(place, **{name: value}))


def test_the_older_hard_sigmoid_of_an_lstms_state_is_refused() -> None:
    content = file_of(sequential(layer("LSTM", "lstm", units=2, activation="hard_sigmoid", **FEATURES)), {"lstm": LSTM})
    with pytest.raises(
        WorkshopError, match="LSTM layer has activation = 'hard_sigmoid', which Keras 3 computes otherw"
    ):
        by_keras(content, S)


def test_a_graph_with_a_loop() -> None:
    layers = [
        node("InputLayer", "x", dtype="float32", **INPUT),
        node("Add", "one", [[["x", 0, 0, {}], ["two", 0, 0, {}]]]),
        node("Activation", "two", [[["one", 0, 0, {}]]], activation="relu"),
    ]
    with pytest.raises(WorkshopError, match="its graph has a loop, or a part is missing, before its layer one"):
        by_keras(file_of(functional(layers, [["x", 0, 0]], [["two", 0, 0]]), {}, "2.4.0"))


# --- convert ----------------------------------------------------------------------------------------------------------


def test_weights_alone_are_read_into_the_layers_of_another_file(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pattern = layer("Dense", "a", units=3, **INPUT)
    Path("like.h5").write_bytes(file_of(sequential(pattern), {"a": {"a/kernel:0": draw(4, 3), "a/bias:0": draw(3)}}))
    for name, arrays in (("by_name", {"a": DENSE}), ("in_order", {"z": DENSE})):
        PATH.write_bytes(file_of(None, arrays))
        main(["convert", str(PATH), f"{name}.h5", "--like", "like.h5"])
        model = keras.models.load_model(f"{name}.h5", compile=False)
        same(model.predict(X, verbose=0), X @ DENSE["a/kernel:0"] + DENSE["a/bias:0"])
    model.save_weights("new.weights.h5")
    main(["convert", "new.weights.h5", "by_keras_3.h5", "--like", "like.h5"])
    same(bundle.load("by_keras_3.h5", ["mnist"]).predict(X), model.predict(X, verbose=0))
    PATH.write_bytes(file_of(None, {"a": {"a/kernel:0": draw(4, 5), "a/bias:0": draw(5)}}))
    with pytest.raises(WorkshopError, match=r"kernel of a Dense layer holds floats of shape \(4, 5\), takes floats of"):
        main(["convert", str(PATH), "no.h5", "--like", "like.h5"])
    with pytest.raises(WorkshopError, match=r"weights alone, .* convert old\.h5 NEW\.h5 --like MODEL\.h5"):
        main(["convert", str(PATH), "no.h5"])
    assert not Path("no.h5").exists()
    capsys.readouterr()


@pytest.mark.parametrize("ending", ["h5", "hdf5", "keras"])
def test_a_graph_is_converted_by_keras(ending: str, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers = [
        node("InputLayer", "x", dtype="float32", **INPUT),
        node("Dense", "a", [[["x", 0, 0, {}]]], units=3),
        node("Concatenate", "both", [[["x", 0, 0, {}], ["a", 0, 0, {}]]], axis=-1),
    ]
    Path("old.hdf5").write_bytes(file_of(functional(layers, [["x", 0, 0]], [["both", 0, 0]]), {"a": DENSE}))
    expected = np.concatenate([X, X @ DENSE["a/kernel:0"] + DENSE["a/bias:0"]], axis=1)
    same(bundle.load("old.hdf5", ["mnist"]).predict(X), expected)
    main(["convert", "old.hdf5", f"new.{ending}"])
    assert capsys.readouterr().out == (
        f"old.hdf5: InputLayer, Dense, Concatenate; takes samples of shape (4,)\n"
        f"new.{ending}: written for Keras 3, the weights unchanged, without the state of the optimizer\n"
    )
    same(bundle.load(f"new.{ending}", ["mnist"]).predict(X), expected)
    if ending == "keras":
        main(["convert", "new.keras", "again.h5"])
        same(keras.models.load_model("again.h5", compile=False).predict(X, verbose=0), expected)


# --- Published models -------------------------------------------------------------------------------------------------


def cases(folder: str) -> list[Path]:
    data = os.environ.get("WORKSHOP_DATA_OF_TESTS")
    place = Path(data).parent / "cases" / folder if data else Path("nowhere")
    return sorted(path for path in place.glob("*") if path.suffix in (".h5", ".hdf5"))


@pytest.mark.real
def test_published_models_are_read_and_predict_what_keras_did() -> None:
    files = cases("h5") + cases("hunt/h5_keras2")
    if not files:
        pytest.skip("the published models are not beside the data sets")
    for path in files:
        model = keras_h5.from_bytes(path.read_bytes(), path)
        with h5py.File(path) as file:
            stored = sum(
                array.size
                for layer in file["model_weights"].values()
                for array in _arrays(layer)
                if "seed" not in array.name
            )
        assert model.count_params() == stored, path
        if path.with_suffix(".npz").exists():
            known = np.load(path.with_suffix(".npz"))
            np.testing.assert_allclose(model.predict(known["X"]), known["y"], atol=1e-5)
        try:
            network = Network.from_h5(path)
        except WorkshopError:
            continue
        if path.with_suffix(".npz").exists():
            np.testing.assert_allclose(network.predict(known["X"]), known["y"], atol=1e-5)
        samples = np.random.default_rng(1).random((2, *network.input_shape)).astype(np.float32)
        np.testing.assert_allclose(network.predict(samples), model.predict(samples), rtol=1e-4, atol=1e-5)


def _arrays(group: Any) -> list[Any]:
    return [
        part for entry in group.values() for part in ([entry] if isinstance(entry, h5py.Dataset) else _arrays(entry))
    ]
