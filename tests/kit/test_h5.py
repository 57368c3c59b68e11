"""The `.h5` of every Keras: read without it to the same predictions, written for it, refused by name where unknown."""

import functools
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from workshop.__main__ import main
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import h5, keras_h5
from workshop.kit.saving.architecture import Architecture, Layer
from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.scratch.nn.network import Network

Config = dict[str, Any]
SHAPE = (8, 7, 2)
_RANDOM = np.random.default_rng(1)
WEIGHTS: dict[str, dict[str, np.ndarray]] = {
    "conv": {"kernel": _RANDOM.normal(size=(3, 2, 2, 4)), "bias": _RANDOM.normal(size=4)},
    "norm": {
        "gamma": _RANDOM.normal(size=4),
        "beta": _RANDOM.normal(size=4),
        "moving_mean": _RANDOM.normal(size=4),
        "moving_variance": _RANDOM.random(4),
    },
    "dense": {"kernel": _RANDOM.normal(size=(4 * 4 * 4, 5)), "bias": _RANDOM.normal(size=5)},
}
X = _RANDOM.random((20, *SHAPE), np.float32)


@functools.cache
def expected() -> np.ndarray:
    """Returns the predictions of Keras 3 with these weights."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(4, (3, 2), strides=(1, 2), padding="same", activation="relu"),
            layers.MaxPooling2D((2, 2), strides=(2, 1), padding="same"),
            layers.BatchNormalization(epsilon=0.01),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(5, use_bias=True),
            layers.Activation("softmax"),
        ]
    )
    model.set_weights([array for group in WEIGHTS.values() for array in group.values()])
    return np.asarray(model.predict(X, verbose=0))


KERAS_1: dict[str, Config] = {
    "conv": {
        "class_name": "Convolution2D",
        "config": {
            "batch_input_shape": [None, *SHAPE],
            "input_dtype": "float32",
            "nb_filter": 4,
            "nb_row": 3,
            "nb_col": 2,
            "init": "glorot_uniform",
            "activation": "relu",
            "border_mode": "same",
            "subsample": [1, 2],
            "dim_ordering": "tf",
            "W_regularizer": None,
            "b_regularizer": None,
            "activity_regularizer": None,
            "W_constraint": None,
            "b_constraint": None,
            "bias": True,
            "trainable": True,
        },
    },
    "pool": {
        "class_name": "MaxPooling2D",
        "config": {
            "pool_size": [2, 2],
            "strides": [2, 1],
            "border_mode": "same",
            "dim_ordering": "tf",
            "trainable": True,
        },
    },
    "norm": {
        "class_name": "BatchNormalization",
        "config": {
            "mode": 0,
            "axis": -1,
            "momentum": 0.99,
            "epsilon": 0.01,
            "gamma_regularizer": None,
            "beta_regularizer": None,
            "trainable": True,
        },
    },
    "drop": {"class_name": "Dropout", "config": {"p": 0.25, "trainable": True}},
    "flat": {"class_name": "Flatten", "config": {"trainable": True}},
    "dense": {
        "class_name": "Dense",
        "config": {
            "output_dim": 5,
            "init": "glorot_uniform",
            "activation": "linear",
            "W_regularizer": None,
            "b_regularizer": None,
            "activity_regularizer": None,
            "W_constraint": None,
            "b_constraint": None,
            "bias": True,
            "input_dim": 64,
            "trainable": True,
        },
    },
    "soft": {"class_name": "Activation", "config": {"activation": "softmax", "trainable": True}},
}
ZEROS = {"class_name": "Zeros", "config": {}}
KERAS_2: dict[str, Config] = {
    "conv": {
        "class_name": "Conv2D",
        "config": {
            "trainable": True,
            "batch_input_shape": [None, *SHAPE],
            "dtype": "float32",
            "filters": 4,
            "kernel_size": [3, 2],
            "strides": [1, 2],
            "padding": "same",
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "groups": 1,
            "activation": "relu",
            "use_bias": True,
            "kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 1.0, "seed": None}},
            "bias_initializer": ZEROS,
            "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}},
            "bias_regularizer": None,
            "activity_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
        },
    },
    "pool": {
        "class_name": "MaxPooling2D",
        "config": {
            "trainable": True,
            "pool_size": [2, 2],
            "padding": "same",
            "strides": [2, 1],
            "data_format": "channels_last",
        },
    },
    "norm": {
        "class_name": "BatchNormalization",
        "config": {
            "trainable": True,
            "dtype": "float32",
            "axis": [3],
            "momentum": 0.99,
            "epsilon": 0.01,
            "center": True,
            "scale": True,
            "beta_initializer": ZEROS,
            "gamma_initializer": {"class_name": "Ones", "config": {}},
            "moving_mean_initializer": ZEROS,
            "moving_variance_initializer": {"class_name": "Ones", "config": {}},
            "beta_regularizer": None,
            "gamma_regularizer": None,
            "beta_constraint": None,
            "gamma_constraint": None,
        },
    },
    "drop": {"class_name": "Dropout", "config": {"trainable": True, "rate": 0.25, "noise_shape": None, "seed": None}},
    "flat": {"class_name": "Flatten", "config": {"trainable": True, "data_format": "channels_last"}},
    "dense": {
        "class_name": "Dense",
        "config": {
            "trainable": True,
            "units": 5,
            "activation": "linear",
            "use_bias": True,
            "kernel_regularizer": None,
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            "bias_initializer": ZEROS,
        },
    },
    "soft": {"class_name": "Activation", "config": {"trainable": True, "activation": "softmax"}},
}
OLD_NAMES = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}


@dataclass
class Form:
    """A way in which some Keras wrote its files.

    Attributes:
        layers: their configuration.
        weight: how a weight is named, from the layer's name and its own.
        is_list: whether the layers are the configuration, or lie below "layers".
        first: an InputLayer, where there is one.
        chunk: how many layers' names fit into one attribute, where they are many.
        deep: what stands before a layer's name in the names of its weights.
    """

    layers: dict[str, Config]
    weight: Callable[[str, str], str]
    is_list: bool = False
    first: Config | None = None
    chunk: int = 0


def old_name(layer: str, weight: str) -> str:
    return f"{layer}_{OLD_NAMES.get(weight, weight)}"


INPUT = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, *SHAPE], "dtype": "float32", "name": "i"}}
FORMS = {
    "1.2": Form(KERAS_1, old_name, is_list=True),
    "1.2 on TensorFlow": Form(KERAS_1, lambda layer, weight: f"{old_name(layer, weight)}:0", is_list=True),
    "2.0": Form(KERAS_2, lambda layer, weight: f"{layer}/{weight}:0", is_list=True),
    "2.3": Form(KERAS_2, lambda layer, weight: f"{layer}/{weight}:0"),
    "2.15": Form(KERAS_2, lambda layer, weight: f"{layer}/{weight}:0", first=INPUT),
    "without :0": Form(KERAS_2, lambda layer, weight: f"{layer}/{weight}", first=INPUT),
    "nested": Form(KERAS_2, lambda layer, weight: f"sequential_3/{layer}/{weight}:0", first=INPUT),
    "numbered": Form(KERAS_2, lambda layer, weight: f"{layer}/{weight}:0", chunk=3),
}


def file_of(form: Form, change: Callable[[list[Config]], object] = lambda layers: None) -> bytes:
    """Returns the file; `change` is given the layers before they are written."""
    described: list[Config] = json.loads(json.dumps(list(form.layers.values())))
    for name, layer in zip(form.layers, described, strict=True):
        layer["config"]["name"] = name
    if form.first:
        del described[0]["config"]["batch_input_shape"]
        described.insert(0, form.first)
    change(described)
    config: Any = described if form.is_list else {"name": "sequential_3", "layers": described}
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["keras_version"] = b"2.0.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        group = file.create_group("model_weights")
        names = [name.encode() for name in form.layers]
        if form.chunk:
            for number, start in enumerate(range(0, len(names), form.chunk)):
                group.attrs[f"layer_names{number}"] = names[start : start + form.chunk]
        else:
            group.attrs["layer_names"] = names
        for name in form.layers:
            arrays = {form.weight(name, weight): array for weight, array in WEIGHTS.get(name, {}).items()}
            part = group.create_group(name)
            part.attrs["weight_names"] = [weight.encode() for weight in arrays]
            for weight, array in arrays.items():
                part.create_dataset(weight, data=array.astype(np.float32))
    return content.getvalue()


def predictions(content: bytes) -> np.ndarray:
    return Network.from_architecture(h5.from_bytes(content, Path("model.h5"))).predict(X)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_and_converted_to_a_file_that_keras_3_loads(
    form: str, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = file_of(FORMS[form])
    np.testing.assert_allclose(predictions(content), expected(), atol=1e-6)
    Path("old.h5").write_bytes(content)
    assert main(["convert", "old.h5", "new.h5"]) == 0
    assert capsys.readouterr().out.startswith("old.h5: Conv2D, MaxPooling2D, BatchNormalization, Dropout, Flatten")
    loaded = keras.models.load_model("new.h5")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected(), atol=1e-6)
    # The programs' own way to Keras takes the old file as it is.
    np.testing.assert_allclose(keras_h5.from_bytes(content, Path("old.h5")).predict(X), expected(), atol=1e-6)
    assert Path("old.h5").read_bytes() == content
    assert sorted(path.name for path in room.iterdir()) == ["new.h5", "old.h5"]


def test_converting_overwrites_nothing_and_says_in_one_line_what_it_takes(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("old.h5").write_bytes(file_of(FORMS["2.3"]))
    Path("taken.h5").write_bytes(b"mine")
    for files, says in (
        (["old.h5", "taken.h5"], "taken.h5 is there already"),
        (["old.h5", "new.pb"], "new.pb: the new file's name must end in .h5, .hdf5 or .keras"),
        (["nowhere.h5", "new.h5"], "nowhere.h5 cannot be read"),
        (["taken.h5", "new.h5"], "taken.h5 is damaged, or not a .h5 file"),
    ):
        with pytest.raises(WorkshopError, match=says):
            main(["convert", *files])
    for wrong in (["convert"], ["convert", "old.h5"], ["convert", "old.h5", "new.h5", "third.h5"], ["convert", "--to"]):
        with pytest.raises(SystemExit):
            main(wrong)
        assert "two files" in capsys.readouterr().err
    assert Path("taken.h5").read_bytes() == b"mine"
    assert sorted(path.name for path in room.iterdir()) == ["old.h5", "taken.h5"]


def test_keras_1_says_the_number_of_features_alone() -> None:
    content = io.BytesIO()
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    dense = {"output_dim": 3, "input_dim": 2, "bias": False, "activation": "linear", "name": "dense_1"}
    with h5py.File(content, "w") as file:
        layers = [{"class_name": "Dense", "config": dense}]
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense_1"]
        group.create_group("dense_1").attrs["weight_names"] = [b"dense_1_W"]
        group["dense_1/dense_1_W"] = kernel
    architecture = h5.from_bytes(content.getvalue(), Path("model.h5"))
    assert architecture.input_shape == (2,)
    np.testing.assert_array_equal(Network.from_architecture(architecture).predict(np.eye(2)), kernel)


def set_in(layer: int, **settings: object) -> Callable[[list[Config]], object]:
    return lambda layers: layers[layer]["config"].update(settings)


def replace(layer: int, kind: str) -> Callable[[list[Config]], object]:
    return lambda layers: layers[layer].update(class_name=kind)


@pytest.mark.parametrize(
    ("form", "change", "says"),
    [
        ("1.2", set_in(0, dim_ordering="th"), "Conv2D layer has data_format = 'channels_first'"),
        ("1.2", set_in(1, dim_ordering="th"), "MaxPooling2D layer has data_format = 'channels_first'"),
        ("2.3", set_in(0, data_format="channels_first"), "data_format = 'channels_first'"),
        ("2.3", set_in(4, data_format="channels_first"), "Flatten layer has data_format"),
        ("2.3", set_in(0, dilation_rate=[0, 2]), r"Conv2D layer has dilation_rate = \[0, 2\]"),
        ("2.3", set_in(0, groups=2), "Conv2D layer has groups"),
        ("2.3", set_in(0, padding="causal"), "Conv2D layer has padding = 'causal'"),
        ("2.3", set_in(0, activation="mish"), "Conv2D layer has activation = 'mish'"),
        ("2.3", set_in(0, activation={"class_name": "PReLU", "config": {}}), "has activation = 'PReLU'"),
        ("2.3", set_in(2, axis=1), "BatchNormalization layer has axis = 1"),
        ("2.3", set_in(3, rate=1.5), "Dropout layer has rate = 1.5"),
        ("2.3", set_in(5, unheard_of=3), "Dense layer has unheard_of = 3"),
        ("2.3", set_in(5, units="many"), "Dense layer has units = 'many'"),
        ("2.3", replace(1, "ConvLSTM2D"), "layer ConvLSTM2D is not known here"),
        ("2.3", replace(3, "Bidirectional"), "Bidirectional layer has layer = None"),
        ("2.3", set_in(0, batch_input_shape=[None, None, 7, 2]), r"inputs of shape \[None, None, 7, 2\]"),
    ],
)
def test_what_is_not_known_is_refused_by_name(form: str, change: Callable[[list[Config]], object], says: str) -> None:
    with pytest.raises(UnknownLayerError, match=f"^model.h5 is refused: .*{says}"):
        h5.from_bytes(file_of(FORMS[form], change), Path("model.h5"))


def without(key: str) -> Callable[[list[Config]], object]:
    return lambda layers: layers[5]["config"].pop(key)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            set_in(5, units=6),
            r"kernel of a Dense layer holds floats of shape \(64, 5\), takes floats of shape \(64, 6\)",
        ),
        (set_in(5, use_bias=False), "Dense layer has weights bias, kernel, takes kernel"),
        (set_in(0, kernel_size=[9, 9], padding="valid"), r"window of \[9, 9\] does not fit into an image of 8x7"),
        (replace(4, "Dropout"), "Dropout layer has rate = None"),
        (lambda layers: layers.pop(4), r"a Dense layer gets samples of shape \(4, 4, 4\)"),
        (lambda layers: layers.pop(2), "has 2 layers with weights, the file 3"),
        (lambda layers: layers.clear(), "its model has no layers"),
        (lambda layers: layers.append(None), "its configuration is not a valid Keras configuration"),
        (set_in(2, mode=1), "BatchNormalization layer has a mode other than 0"),
        (set_in(5, name=None, units=[[]]), r"has units = \[\[\]\]"),
        (without("units"), "has units = None"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: Callable[[list[Config]], object], says: str) -> None:
    with pytest.raises(WorkshopError, match=f"^model.h5 is refused: .*{says}"):
        h5.from_bytes(file_of(FORMS["2.3"], change), Path("model.h5"))


def changed(change: Callable[[h5py.File], object]) -> bytes:
    content = io.BytesIO(file_of(FORMS["2.3"]))
    with h5py.File(content, "a") as file:
        change(file)
    return content.getvalue()


def put(name: str, array: object) -> Callable[[h5py.File], object]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = array

    return change


def put_names(place: str, attribute: str, names: list[bytes]) -> Callable[[h5py.File], object]:
    return lambda file: file[place].attrs.__setitem__(attribute, names)


BIAS = "model_weights/dense/dense/bias:0"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put(BIAS, np.full(5, np.nan, np.float32)), "the bias of a Dense layer is not finite"),
        (put(BIAS, np.full(5, 1e300)), "the bias of a Dense layer is not finite"),
        (put(BIAS, np.arange(5)), r"the bias of a Dense layer holds whole numbers of shape \(5,\), takes floats"),
        (put(BIAS, np.array([b"a"] * 5)), "the bias of a Dense layer holds texts"),
        (put("model_weights/norm/norm/moving_variance:0", -np.ones(4)), "moving_variance .* is below 0"),
        (put_names("model_weights", "layer_names", [b"dense", b"dense", b"norm"]), "two of its layers have the same"),
        (put_names("model_weights/dense", "weight_names", [b"a/bias:0", b"b_bias"]), "has no a/bias:0"),
        (
            put_names("model_weights/dense", "weight_names", [b"dense/bias:0", b"dense/kernel:0", b"dense/bias:0"]),
            "two weights of the same name",
        ),
        (put_names("model_weights", "layer_names", [b"conv", b"norm", b"other"]), "has no other"),
        (lambda file: file["model_weights"].attrs.__delitem__("layer_names"), "its layer_names are not names"),
        (lambda file: file.__delitem__("model_weights"), "has no model_weights"),
    ],
)
def test_weights_that_are_none_are_refused(change: Callable[[h5py.File], object], says: str) -> None:
    with pytest.raises(WorkshopError, match=f"^model.h5 is .*{says}"):
        h5.from_bytes(changed(change), Path("model.h5"))


def test_a_file_of_weights_alone_says_what_is_missing(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.save_weights(tmp_path / "model.weights.h5")
    old = changed(lambda file: file.attrs.__delitem__("model_config"))
    (tmp_path / "old.h5").write_bytes(old)
    for name in ("model.weights.h5", "old.h5"):
        with pytest.raises(WorkshopError, match=r"weights alone, no model: save it with model.save\(\)"):
            h5.read(tmp_path / name)


def test_a_functional_model_is_read_where_its_layers_stand_in_a_row(tmp_path: Path) -> None:
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(3, "relu")(inputs)
    row = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    row.save(tmp_path / "row.h5")
    X = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(Network.from_h5(tmp_path / "row.h5").predict(X), row(X), atol=1e-6)
    keras.Model(inputs, keras.layers.Multiply()([inputs, hidden])).save(tmp_path / "branches.h5")
    with pytest.raises(UnknownLayerError, match="functional model with branches that do not come together in Add"):
        h5.read(tmp_path / "branches.h5")


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=r"none\.h5 cannot be read"):
        h5.read(tmp_path / "none.h5")


def test_keras_3_with_dropout_and_batch_normalization_after_training(tmp_path: Path) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(16),
            layers.BatchNormalization(),
            layers.ReLU(max_value=6),
            layers.Dropout(0.5, seed=4),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )
    inputs = np.random.default_rng(3).normal(size=(60, 6)).astype(np.float32)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(inputs, np.arange(60) % 3, epochs=2, verbose=0)
    model.save(tmp_path / "trained.h5")  # with the optimizer's state
    network = Network.from_h5(tmp_path / "trained.h5")
    np.testing.assert_allclose(network.predict(inputs), model.predict(inputs, verbose=0), atol=1e-6)
    assert [layer.kind for layer in network.architecture.layers] == [
        "Dense",
        "BatchNormalization",
        "Activation",
        "Dropout",
        "Dense",
        "Activation",
    ]


def described() -> Architecture:
    """A description that no Keras wrote, with a layer of every kind."""
    layers = [
        Layer(
            "Conv2D",
            {
                "filters": 4,
                "kernel_size": [3, 2],
                "strides": [1, 1],
                "padding": "same",
                "activation": "leaky_relu",
                "use_bias": False,
            },
        ),
        Layer("AveragePooling2D", {"pool_size": [2, 2], "strides": [1, 2], "padding": "same"}),
        Layer("BatchNormalization", {"axis": -1, "momentum": 0.9, "epsilon": 0.1, "center": False, "scale": True}),
        Layer("Activation", {"activation": "relu6"}),
        Layer("MaxPooling2D", {"pool_size": [2, 1], "strides": [2, 1], "padding": "valid"}),
        Layer("Dropout", {"rate": 0.5}),
        Layer("Flatten", {}),
        Layer("Dense", {"units": 5, "activation": "tanh", "use_bias": True}),
    ]
    return Network.from_architecture(Architecture(SHAPE, layers), seed=5).architecture


def test_a_written_file_loads_in_keras_and_predicts_the_same(tmp_path: Path) -> None:
    content = h5.to_bytes(described())
    assert content == h5.to_bytes(described())
    path = tmp_path / "written.h5"
    path.write_bytes(content)
    model = keras.models.load_model(path)
    np.testing.assert_allclose(model.predict(X, verbose=0), predictions(content), atol=1e-6)
    again = h5.read(path)
    for one, other in zip(described().layers, again.layers, strict=True):
        assert (one.kind, one.settings) == (other.kind, other.settings)
        assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
