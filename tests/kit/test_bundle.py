"""Saved models: whole or not at all, and an untrusted file never runs code."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import pickle
import re
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
import pytest
from helpers.memory import peak_bytes
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle, safety, unpickling
from workshop.kit.saving.card import FORMAT, inputs_in, printable
from workshop.kit.saving.model import KerasModel
from workshop.kit.saving.scaler import Column

NAME = "admission"
H5, SCALER, CARD = Path(f"{NAME}.h5"), Path(f"{NAME}-scaler.gz"), Path(f"{NAME}.json")
X = np.array([[30.0, 90.0], [60, 60], [99, 31], [45, 85]], np.float32)
INPUTS = [bundle.Input("first exam", "points", 30, 100), bundle.Input("second exam", "points", 30.5, 99.5)]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(3)
    made = keras.Sequential(
        [
            keras.layers.Input((2,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    made.compile("adam", "binary_crossentropy")
    made.train_on_batch(X / 100, np.array([0, 1, 0, 1]))
    return made


@pytest.fixture(scope="module")
def scaler() -> MinMaxScaler:
    return MinMaxScaler().fit(X)


@pytest.fixture
def saved(model: Any, scaler: Any, room: Path) -> Path:
    """A bundle in the folder that the test runs in; returns its `.h5`."""
    save(model, scaler)
    return H5


def save(model: Any, scaler: Any = None, **other: Any) -> list[Path]:
    options: dict[str, Any] = {
        "lesson": NAME,
        "data": "admission.csv (100 rows)",
        "seed": 1,
        "inputs": INPUTS,
        "metrics": {"test_accuracy": np.float32(0.96)},
        "classes": ["Sorry", "Admitted"],
        "threshold": 0.5,
    }
    return bundle.save(Path(), NAME, model, scaler=scaler, **options | other)


def load(path: Path = H5) -> Any:
    return bundle.load(path, [NAME, "logistic_regression"])


def refused(*parts: str, path: Path = H5) -> str:
    """Loads what must be refused: in one printable line that has all of `parts`."""
    with pytest.raises(WorkshopError) as caught:
        load(path)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 500, message
    for part in parts:
        assert part in message, message
    assert not list(Path().glob("*.new"))
    return message


def change_card(**changes: Any) -> None:
    CARD.write_text(json.dumps(json.loads(CARD.read_text()) | changes))


def vouch() -> None:
    """Puts the digests of the files as they are into the card, as an attacker would."""
    digests = {"model": hashlib.sha256(H5.read_bytes()).hexdigest()}
    if SCALER.exists():
        digests["scaler"] = hashlib.sha256(SCALER.read_bytes()).hexdigest()
    change_card(sha256=digests)


# --- Saving and loading -----------------------------------------------------------------------------------------------


def test_what_is_saved_is_what_is_loaded(saved: Path, model: Any, scaler: Any) -> None:
    loaded = load()
    expected = np.asarray(model(scaler.transform(X)))
    np.testing.assert_allclose(loaded.predict(X), expected, atol=1e-7)
    assert loaded.is_verified and loaded.input_shape == (2,) and loaded.model.output_shape == (1,)
    assert loaded.inputs == INPUTS == bundle.read_inputs(saved, [NAME])
    np.testing.assert_array_equal(loaded.scaler.data_min_, scaler.data_min_)
    for one, other in zip(loaded.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in Path().iterdir()) == sorted([H5.name, SCALER.name, CARD.name])


def test_what_the_card_says(saved: Path) -> None:
    card = json.loads(CARD.read_text())
    assert card["lesson"] == NAME and card["data"] == "admission.csv (100 rows)" and card["seed"] == 1
    assert card["inputs"][0] == {"name": "first exam", "unit": "points", "minimum": 30, "maximum": 100}
    assert card["classes"] == ["Sorry", "Admitted"] and card["threshold"] == 0.5
    assert card["metrics"] == {"test_accuracy": pytest.approx(0.96)}
    assert card["versions"]["keras"] == keras.__version__ and card["versions"]["numpy"] == np.__version__
    assert card["sha256"]["model"] == hashlib.sha256(H5.read_bytes()).hexdigest()
    assert card["sha256"]["scaler"] == hashlib.sha256(SCALER.read_bytes()).hexdigest()
    assert str(Path().resolve()) not in CARD.read_text()


def test_save_returns_the_files(model: Any, scaler: Any) -> None:
    assert save(model, scaler) == [H5, SCALER, CARD]
    assert save(model) == [H5, CARD]
    assert not SCALER.exists()  # the one of the model that was there before
    assert load().scaler is None


def test_the_state_of_the_optimizer_stays_behind(saved: Path, model: Any) -> None:
    assert len(model.optimizer.variables) > 5
    with h5py.File(H5) as file:
        assert list(file) == ["model_weights"]
        assert "training_config" not in file.attrs
    loaded = load().model
    assert isinstance(loaded, KerasModel) and not loaded.keras.compiled


def test_the_same_model_gives_the_same_bytes(saved: Path, model: Any, scaler: Any) -> None:
    before = {path: path.read_bytes() for path in (H5, SCALER, CARD)}
    save(model, scaler)
    assert before == {path: path.read_bytes() for path in (H5, SCALER, CARD)}


SCALERS = {
    "MinMaxScaler": MinMaxScaler(),
    "MinMaxScaler that clips": MinMaxScaler((-1, 2), clip=True),
    "StandardScaler": StandardScaler(),
    "StandardScaler of the mean": StandardScaler(with_std=False),
    "StandardScaler of the deviation": StandardScaler(with_mean=False),
    "RobustScaler": RobustScaler(),
    "RobustScaler of the median": RobustScaler(with_scaling=False),
    "RobustScaler of the quartiles": RobustScaler(with_centering=False),
    "MaxAbsScaler": MaxAbsScaler(),
}
IS_SCIKIT_LEARN_1_8 = "clip" in MaxAbsScaler().get_params()
if IS_SCIKIT_LEARN_1_8:
    SCALERS["MaxAbsScaler that clips"] = MaxAbsScaler(clip=True)


def assert_scaled(found: np.ndarray, expected: np.ndarray) -> None:
    """To the last bit; older releases of scikit-learn standardize numbers in single precision by double ones."""
    if IS_SCIKIT_LEARN_1_8:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", SCALERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_scaler(kind: str, dtype: type, model: Any, room: Path) -> None:
    fitted = SCALERS[kind].fit(X.astype(dtype))
    save(model, fitted)
    # Within the range of the training data, and beyond both its ends.
    rows = np.concatenate([X, 3 * X, -2 * X])
    assert_scaled(load().scaler.transform(rows), fitted.transform(rows))
    # As another program packs it: joblib itself, compressed or not; or pickle alone.
    for compress in (0, ("gzip", 3), None):
        if compress is None:
            SCALER.write_bytes(gzip.compress(pickle.dumps(fitted)))
        else:
            joblib.dump(fitted, SCALER, compress=compress)
        vouch()
        assert_scaled(load().scaler.transform(rows), fitted.transform(rows))


@pytest.mark.parametrize("kind", SCALERS)
def test_a_scaler_of_one_column_takes_one_column(kind: str) -> None:
    column = X[:, :1]
    fitted = SCALERS[kind].fit(column)
    loaded = unpickling.load_scaler(dumped(fitted), SCALER)
    assert_scaled(loaded.transform(column), fitted.transform(column))
    for rows in (X, X[:, 0], X[:, :0]):
        with pytest.raises(ValueError, match=r"takes \(rows, 1\)"):
            loaded.transform(rows)


def test_a_scaler_of_another_release_of_scikit_learn_loads_without_a_word(saved: Path, capfd: Any) -> None:
    content = gzip.decompress(SCALER.read_bytes())
    version = __import__("sklearn").__version__.encode()
    SCALER.write_bytes(gzip.compress(content.replace(version, b"0.1.2"[: len(version)].ljust(len(version), b"0"))))
    vouch()
    assert load().scaler is not None
    assert capfd.readouterr() == ("", "")


def test_a_file_names_no_setting_that_keras_3_10_refuses() -> None:
    layers = [keras.layers.Input((4,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    text = json.dumps(config_of(KerasModel(keras.Sequential(layers)).to_h5()))
    assert "units" in text and "momentum" in text
    assert not re.search("quantization_config|input_axes|output_axes|renorm", text)


def test_images_and_layers_of_every_lesson(room: Path) -> None:
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.RandomRotation(0.1),
            layers.Conv2D(2, 3, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(5)),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1)).astype(np.float32) / 255
    bundle.save(
        Path(),
        "digits",
        made,
        lesson="mnist",
        data="digits",
        seed=2,
        metrics={},
        classes=list("0123456789"),
        inputs=[bundle.Input("image", shape=(28, 28, 1))],
    )
    loaded = bundle.load(Path("digits.h5"), ["mnist"])
    assert loaded.inputs[0].shape == (28, 28, 1) and loaded.input_shape == (28, 28, 1)
    np.testing.assert_allclose(loaded.predict(images), np.asarray(made(images, training=False)), atol=1e-6)
    # A model within a model, of several inputs, recurrent layers.
    inside = layers.Input((5, 4))
    joined = layers.Add()([layers.Bidirectional(layers.LSTM(3))(inside), layers.GRU(6)(inside)])
    nested = keras.Sequential([layers.Input((5, 4)), keras.Model(inside, joined), layers.Dense(1)])
    bundle.save(Path(), "nested", nested, lesson="rnn", data="", seed=2, metrics={}, inputs=[])
    sequences = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    loaded = bundle.load(Path("nested.h5"), ["rnn"])
    np.testing.assert_allclose(loaded.predict(sequences), np.asarray(nested(sequences)), atol=1e-6)


def test_less_than_a_real_run_has_another_name() -> None:
    assert bundle.name_for("xor") == "xor"
    assert bundle.name_for("xor", quick=True) == "xor-quick"
    assert bundle.name_for("mnist_cnn", standin=True) == "mnist_cnn-standin"
    assert bundle.name_for("mnist_cnn", quick=True, standin=True) == "mnist_cnn-quick-standin"


def test_where_a_model_is_looked_for(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, models = tmp_path / "shipped", Path("models")
    monkeypatch.setattr(files, "shipped", lambda folder: shipped)
    for folder in (shipped, models):
        folder.mkdir()
        shutil.copy(H5, folder)
    shutil.copy(H5, H5.with_suffix(".keras"))
    for path in (H5, H5.with_suffix(".keras"), models / H5, shipped / H5):
        assert bundle.find(NAME) == path
        path.unlink()
    # The card of admission is still here; a .json alone may be anything.
    with pytest.raises(WorkshopError, match=r"no model admission\.h5 or admission\.keras in .*train it first"):
        bundle.find(NAME)
    shutil.copy(CARD, shipped)
    shutil.copy(CARD, models)  # a bundle that is not whole is named, not passed over
    assert bundle.find(NAME) == models / H5
    (models / H5).write_bytes(b"")
    (models / CARD).unlink()
    CARD.unlink()
    assert bundle.find(NAME) == models / H5 and bundle.find(NAME, has_card=True) == shipped / H5


def test_a_data_frame_has_the_columns_of_the_model_in_its_order(saved: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(X, columns=["first exam", "second exam"])
    np.testing.assert_array_equal(load().predict(frame), load().predict(X))
    np.testing.assert_array_equal(load().predict(pd.DataFrame(X)), load().predict(X))
    with pytest.raises(
        WorkshopError, match=r"got the columns second exam, first exam, takes first .*: put them in this"
    ):
        load().predict(frame[["second exam", "first exam"]])
    with pytest.raises(WorkshopError, match=r"got the columns a, b, takes .*: first exam, second exam is missing"):
        load().predict(frame.set_axis(["a", "b"], axis=1))


def test_of_many_columns_the_first_twenty_are_named(saved: Path) -> None:
    import pandas as pd

    for count, end in ((20, "c19"), (21, "c19, ...")):
        frame = pd.DataFrame(np.zeros((1, count)), columns=[f"c{i}" for i in range(count)])
        with pytest.raises(WorkshopError, match=rf"got the columns c0, .*, {re.escape(end)}, takes first exam, second"):
            load().predict(frame)
    frame = pd.DataFrame(np.zeros((1, 3)), columns=["first exam", "second exam", "third exam"])
    with pytest.raises(WorkshopError, match=r"takes first exam, second exam: leave the others out$"):
        load().predict(frame)


def test_a_long_text_is_cut_in_its_middle() -> None:
    text = "got " + "x" * 500 + "\x1b, takes a number"
    assert len(printable(text)) == 200 and printable(printable(text)) == printable(text)
    assert printable(text).startswith("got xxx") and printable(text).endswith("xxx?, takes a number")
    assert printable(text[-200:]) == text[-200:].replace("\x1b", "?")


# --- Without a card ---------------------------------------------------------------------------------------------------


def test_a_bare_h5(saved: Path, model: Any, scaler: Any) -> None:
    CARD.unlink()
    loaded = load()
    assert not loaded.is_verified and loaded.card == {} and loaded.inputs == [] == bundle.read_inputs(saved, [NAME])
    np.testing.assert_allclose(loaded.predict(X), np.asarray(model(scaler.transform(X))), atol=1e-7)
    SCALER.unlink()
    assert load().scaler is None
    # Saved by a notebook, with the state of its optimizer.
    model.save("own.keras")
    model.save(H5)
    np.testing.assert_allclose(load().predict(X / 100), np.asarray(model(X / 100)), atol=1e-7)


def test_weights_alone(model: Any) -> None:
    model.save_weights("admission.weights.h5")
    Path("admission.weights.h5").rename(H5)
    refused("admission.h5 is refused", "weights alone", "model.save()")


def test_a_model_that_was_never_used(saved: Path) -> None:
    CARD.unlink()
    keras.Sequential([keras.layers.Dense(1)]).save(H5)
    refused("admission.h5 is refused: it holds a model that was never used, so it has no weights")


def test_a_scaler_beside_a_model_of_two_inputs(saved: Path) -> None:
    CARD.unlink()
    one, two = keras.layers.Input((2,)), keras.layers.Input((3,))
    both = keras.layers.Concatenate()([one, two])
    keras.Model([one, two], keras.layers.Dense(1)(both)).save(H5)
    refused("admission.h5 takes inputs of shape", "its scaler 2 columns")


def test_the_path_itself() -> None:
    refused("nowhere.h5 is not there", path=Path("nowhere.h5"))
    refused("below.h5 is not there", path=Path("no-folder/below.h5"))
    assert not Path("no-folder").exists()
    refused("model.keras is not there", path=Path("model.keras"))
    refused("model.pkl is not a .h5 file, nor a .keras one", path=Path("model.pkl"))
    Path("folder.h5").mkdir()
    refused("folder.h5 cannot be read", path=Path("folder.h5"))
    for path in (Path("nowhere.h5"), Path("model.keras")):
        with pytest.raises(WorkshopError):
            bundle.read_inputs(path, [NAME])


# --- Changed, damaged, missing ----------------------------------------------------------------------------------------


def test_a_missing_file(saved: Path) -> None:
    SCALER.rename("aside")
    refused("admission-scaler.gz of its bundle is not there")
    Path("aside").rename(SCALER)
    H5.unlink()
    refused("admission.h5 of its bundle is not there")


@pytest.mark.parametrize("path", [H5, SCALER])
def test_a_changed_file(saved: Path, path: Path) -> None:
    whole = path.read_bytes()
    for changed in (whole[:-1], whole + b"\0", b"", whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]):
        path.write_bytes(changed)
        refused(f"{path} is not the file that its card describes (SHA-256 differs)", "admission.json")
        assert path.read_bytes() == changed  # nothing is removed or written


def test_a_truncated_h5(saved: Path) -> None:
    whole = H5.read_bytes()
    SCALER.unlink()
    for vouched in (True, False):
        for length in (0, 1, 8, 100, 1000, len(whole) // 2, len(whole) - 1):
            H5.write_bytes(whole[:length])
            if vouched:
                vouch()
            else:
                CARD.unlink(missing_ok=True)
            refused("admission.h5 is damaged, or not a .h5 file")
    H5.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    refused("admission.h5 is damaged, or not a .h5 file")


def test_any_damage_of_a_bare_h5_is_one_line(saved: Path) -> None:
    whole = H5.read_bytes()
    CARD.unlink()
    SCALER.unlink()
    random = np.random.default_rng(4)
    outcomes = set()
    for at in random.integers(0, len(whole), 150):
        changed = bytearray(whole)
        changed[at] ^= 1 << random.integers(8)
        try:
            safety.check_h5(bytes(changed), H5)
            outcomes.add("passed")
        except WorkshopError as error:
            assert str(error).isprintable()
            outcomes.add("refused")
    assert outcomes == {"passed", "refused"}


def test_a_model_of_another_lesson(saved: Path) -> None:
    change_card(lesson="house_price")
    refused("is a model of the lesson house_price", "takes one of admission, logistic_regression")
    with pytest.raises(WorkshopError, match="lesson house_price"):
        bundle.read_inputs(saved, [NAME])


def test_a_card_of_a_newer_version(saved: Path) -> None:
    change_card(format=FORMAT + 1, versions={"workshop": "9.9.0"})
    refused("admission.json was written by workshop 9.9.0", "install the newer workshop")
    strange: list[Any] = [[], None, {"workshop": 5}, "text"]
    for versions in strange:
        change_card(versions=versions)
        refused("was written by workshop", "install the newer workshop")
    # Whatever a newer card looks like, that is what is said about it, and its files are left alone.
    CARD.write_text(json.dumps({"format": 99, "files": {}}))
    beside = Path(f"{H5}.new")
    beside.write_bytes(b"of the newer version")
    with pytest.raises(WorkshopError, match="install the newer workshop"):
        load()
    assert beside.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\0",
        b"[]",
        b"null",
        b"5",
        b"{}",
        b'{"format": 1}',
        b'{"format": 1, "lesson": "admission", "sha256": {}}',
        b"[" * 100_000,
        b'{"format":' + b'{"a":' * 50_000,
        b'{"format": 1, "lesson": "admission", "sha256": {"model": "x"}, "deep": ' + b"[" * 970 + b"]" * 970 + b"}",
        b"9" * 10_000,
    ],
)
def test_a_card_that_is_none(saved: Path, content: bytes) -> None:
    CARD.write_bytes(content)
    refused("admission.json is not a card of this package", "delete the card to use the .h5 unverified")
    CARD.unlink()
    assert not load().is_verified


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 0},
        {"format": "1"},
        {"format": None},
        {"format": 1.5},
        {"lesson": 5},
        {"lesson": ["admission"]},
        {"sha256": []},
        {"sha256": {"model": 5}},
        {"sha256": "text"},
        {"classes": "Sorry"},
        {"classes": [1, 2]},
        {"classes": None},
        {"threshold": "half"},
        {"metrics": []},
        {"data": 5},
        {"output": ["price"]},
        {"output_unit": {}},
    ],
)
def test_a_card_with_other_types(saved: Path, changes: dict[str, Any]) -> None:
    change_card(**changes)
    refused("admission.json is not a card of this package")


def test_a_card_that_says_nothing_about_the_scaler_vouches_for_none(saved: Path) -> None:
    digests = json.loads(CARD.read_text())["sha256"]
    change_card(sha256=digests | {"scaler": None})
    refused("admission.json is not a card of this package")
    SCALER.write_bytes(b"anything")
    change_card(sha256={"model": digests["model"]})
    assert load().scaler is None


@pytest.mark.parametrize(
    "inputs",
    [
        5,
        "text",
        [5],
        [{}],
        [{"name": 5}],
        [{"name": "a", "colour": "red"}],
        [{"name": "a", "minimum": "low"}],
        [{"name": "a", "minimum": 2, "maximum": 1}],
        [{"name": "a", "maximum": float("nan")}],
        [{"name": "a", "maximum": float("inf")}],
        [{"name": "a", "values": [1, 2]}],
        [{"name": "a", "values": 5}],
    ],
)
def test_a_card_with_strange_inputs(saved: Path, inputs: Any) -> None:
    change_card(inputs=inputs)
    refused("the card describes its inputs in a way unknown here")


def test_what_a_card_leaves_out_of_an_input() -> None:
    (found,) = inputs_in({"inputs": [{"name": "area"}]})
    assert (found.name, found.unit, found.minimum, found.maximum, found.values, found.shape) == (
        "area",
        "",
        0,
        1,
        (),
        (),
    )
    assert inputs_in({}) == []


def test_what_a_card_says_does_not_steer_the_terminal(saved: Path) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\r\u202e\u2028"
    # The second input is a column of texts, so the scaler is of the first alone.
    joblib.dump(MinMaxScaler().fit(X[:, :1]), SCALER, compress=("gzip", 3))
    vouch()
    change_card(
        classes=[evil + "Sorry", "Admitted"],
        output=evil,
        output_unit=evil,
        data=evil,
        metrics={evil: 1},
        versions={evil: evil},
        inputs=[{"name": evil + "exam", "unit": evil}, {"name": "b", "values": [evil]}],
    )
    loaded = load()

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for pair in value.items() for one in pair for text in texts(one)]
        return [text for one in value for text in texts(one)] if isinstance(value, list) else [str(value)]

    assert all(text.isprintable() for text in texts(loaded.card)), loaded.card
    assert loaded.card["classes"][0].endswith("Sorry")
    assert all(text.isprintable() for column in loaded.inputs for text in (column.name, column.unit, *column.values))
    change_card(lesson=evil)
    refused("is a model of the lesson ?[2J")
    change_card(format=7, versions={"workshop": evil})
    refused("was written by workshop ?[2J")


def test_a_model_and_a_scaler_that_do_not_belong_together(saved: Path) -> None:
    joblib.dump(MinMaxScaler().fit(np.eye(3)), SCALER, compress=("gzip", 3))
    vouch()
    refused("takes inputs of shape (2,), its scaler 3 columns")


# --- An untrusted .h5 -------------------------------------------------------------------------------------------------


def both_ways(change: Callable[[], None], *parts: str) -> None:
    """The change is refused with a card that vouches for it, and without a card."""
    SCALER.unlink(missing_ok=True)
    change()
    vouch()
    refused(*parts)
    CARD.unlink()
    refused(*parts)


def config_of(content: bytes) -> dict[str, Any]:
    with h5py.File(io.BytesIO(content)) as file:
        return dict(json.loads(file.attrs["model_config"]))


def set_config(config: Any) -> None:
    with h5py.File(H5, "r+") as file:
        del file.attrs["model_config"]
        file.attrs["model_config"] = config if isinstance(config, str | bytes) else json.dumps(config)


def test_a_lambda_layer(saved: Path) -> None:
    marker = Path("executed")
    touch = f"__import__('pathlib').Path({str(marker.resolve())!r}).touch()"
    evil = keras.Sequential([keras.layers.Input((2,)), keras.layers.Lambda(eval(f"lambda x: ({touch}, x)[1]"))])
    assert marker.exists()  # it does what it is made for
    marker.unlink()
    both_ways(lambda: evil.save(H5), "is refused", "Lambda layer, Python code")
    assert not marker.exists()


def test_a_lambda_layer_within(saved: Path) -> None:
    inner = keras.Sequential([keras.layers.Input((2,)), keras.layers.Lambda(lambda x: x)])
    time_distributed = keras.layers.TimeDistributed(keras.layers.Lambda(lambda x: x))
    for model in (
        keras.Sequential([keras.layers.Input((2,)), inner]),
        keras.Sequential([keras.layers.Input((3, 2)), time_distributed]),
    ):
        model.save(H5)
        vouch()
        refused("is refused", "Lambda layer")


def test_a_lambda_layer_that_only_the_hdf5_library_finds(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = config_of(H5.read_bytes())
    marker = Path("executed")
    touch = f"__import__('pathlib').Path({str(marker.resolve())!r}).touch()"
    evil = keras.Sequential([keras.layers.Input((2,)), keras.layers.Lambda(eval(f"lambda x: ({touch}, x)[1]"))])
    marker.unlink()

    def twice() -> None:
        """The HDF5 library takes the first of two configurations."""
        evil.save(H5, include_optimizer=False)
        with h5py.File(H5, "r+") as file:
            file.attrs["model_confix"] = json.dumps(harmless)
        H5.write_bytes(H5.read_bytes().replace(b"model_confix", b"model_config"))
        assert config_of(H5.read_bytes())["config"]["layers"][1]["class_name"] == "Lambda"

    both_ways(twice, "admission.h5 is damaged", "two attributes in it have the same name")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        ({"class_name": "Custom", "module": "evil", "config": {}}, "evil.Custom"),
        ({"class_name": "system", "module": "os", "config": {}}, "os.system"),
        ({"class_name": "function", "module": "os", "config": "system"}, "os.function"),
        ({"class_name": "function", "module": "keras.utils", "config": "get_file"}, "keras.utils.function"),
        ({"class_name": "get_file", "module": "keras.utils", "config": {}}, "keras.utils.get_file"),
        ({"class_name": "load_model", "module": "keras.saving", "config": {}}, "keras.saving.load_model"),
        (
            {"class_name": "function", "module": "keras.config", "config": "enable_unsafe_deserialization"},
            "keras.config.function",
        ),
        ({"class_name": "layers.TorchModuleWrapper", "module": "keras", "config": {}}, "layers.TorchModuleWrapper"),
        ({"class_name": "function", "module": "keras", "config": "utils.get_file"}, "utils.get_file"),
        ({"class_name": "load_data", "module": "keras.src.datasets.mnist", "config": {}}, "keras.src.datasets.mnist"),
        ({"class_name": "X", "module": "keras.layersx", "config": {}}, "keras.layersx.X"),
        ({"class_name": "X", "module": ["os"], "config": {}}, "['os'].X"),
        ({"class_name": "Policy", "module": "os", "config": {}}, "os.Policy"),
        (
            {"class_name": "PolicyV1", "module": "keras.mixed_precisionx", "config": {}},
            "keras.mixed_precisionx.PolicyV1",
        ),
        ({"class_name": "X", "module": "keras.mixed_precision", "config": {}}, "keras.mixed_precision.X"),
        (
            {"class_name": "Dense", "module": "keras.layers", "registered_name": "evil>Dense", "config": {}},
            "evil>Dense",
        ),
        ({"class_name": "TFSMLayer", "config": {"filepath": "evil"}}, "TFSMLayer"),
        ({"class_name": "TorchModuleWrapper", "config": {"module": "gASV"}}, "TorchModuleWrapper"),
        ({"class_name": "JaxLayer", "config": {}}, "JaxLayer"),
        ({"class_name": "__lambda__", "config": {"value": "4wAA"}}, "__lambda__"),
        ({"class_name": "TFOpLambda", "config": {"function": "os.system"}}, "TFOpLambda"),
        ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "read the file /etc/passwd"),
        ({"class_name": "\x1b[2J", "module": "\x1b]0;x\x07", "config": {}}, "?]0;x?.?[2J"),
    ],
)
@pytest.mark.parametrize("depth", [0, 1])
def test_a_configuration_that_names_something_else(saved: Path, layer: dict[str, Any], part: str, depth: int) -> None:
    config = config_of(H5.read_bytes())
    dense = next(one for one in config["config"]["layers"] if one["class_name"] == "Dense")
    if depth:
        dense["config"]["activation"] = {"class_name": "Activation", "config": [layer]}
    else:
        config["config"]["layers"].insert(1, layer)
    both_ways(lambda: set_config(config), "is refused", part)


@pytest.mark.parametrize(
    "config",
    ["", "{", "[]", "5", '"text"', "null", b"\xff\xfe", "[" * 20_000, '{"a":' * 9_000, '{"class_name": ["Lambda"]}'],
)
def test_a_configuration_that_is_none(saved: Path, config: str | bytes) -> None:
    both_ways(lambda: set_config(config), "is refused", "configuration cannot be read")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "it is a None, a class that is not Keras' own"),
        ({"class_name": "Sequential", "config": {}}, "its layers are not a list"),
        ({"class_name": "Nothing", "config": {"layers": []}}, "it is a Nothing, a class that is not Keras' own"),
        (
            {
                "class_name": "Sequential",
                "config": [
                    {"class_name": "Dense", "config": {"units": -5, "batch_input_shape": [None, 2]}},
                    {"class_name": "Dense", "config": {"units": 1}},
                ],
            },
            f"cannot be loaded by Keras {keras.__version__}: ",
        ),
        ({"class_name": "Sequential", "config": {"layers": 5}}, "its layers are not a list"),
        ({"class_name": "deserialize", "config": {"config": {}}}, "it is a deserialize, a class that is not"),
    ],
)
def test_a_configuration_that_keras_cannot_build(saved: Path, config: dict[str, Any], says: str) -> None:
    both_ways(lambda: set_config(config), "admission.h5 ", says)


def test_links_to_other_places(saved: Path) -> None:
    whole = H5.read_bytes()
    secret = Path("secret.h5")
    with h5py.File(secret, "w") as file:
        file["weights"] = np.arange(8.0)
    links = {
        "external": h5py.ExternalLink(str(secret.resolve()), "/weights"),
        "soft": h5py.SoftLink("/model_weights"),
        "dangling": h5py.SoftLink("/nowhere"),
    }
    for name, link in links.items():
        for place in ("", "model_weights/dense/"):
            H5.write_bytes(whole)

            def change(name: str = place + name, link: Any = link) -> None:
                with h5py.File(H5, "r+") as file:
                    file[name] = link

            save_card = CARD.read_text()
            both_ways(change, "is refused", f"its entry {name} is a link to another place or file")
            CARD.write_text(save_card)


def test_data_kept_elsewhere(saved: Path) -> None:
    Path("secret.bin").write_bytes(np.arange(8.0).tobytes())

    def external() -> None:
        with h5py.File(H5, "r+") as file:
            file.create_dataset("outside", (8,), "f8", external=[(str(Path("secret.bin").resolve()), 0, 64)])

    def virtual() -> None:
        with h5py.File(H5, "r+") as file:
            layout = h5py.VirtualLayout((8,), "f8")
            layout[:] = h5py.VirtualSource("secret.h5", "weights", (8,))
            file.create_virtual_dataset("virtual", layout)

    def huge() -> None:
        with h5py.File(H5, "r+") as file:
            file.create_dataset("huge", (10**12,), "f8", chunks=(10**6,))

    def packed() -> None:
        with h5py.File(H5, "r+") as file:
            file.create_dataset("bomb", data=np.zeros(50_000_000, np.uint8), chunks=(10**6,), compression="gzip")

    def named_type() -> None:
        with h5py.File(H5, "r+") as file:
            file["type"] = np.dtype("f8")

    whole, card = H5.read_bytes(), CARD.read_text()
    for change, part in (
        (external, "its data outside is kept in another file"),
        (virtual, "its data virtual is kept in another file"),
        (huge, "its data huge claims to be larger than the file"),
        (packed, "its data bomb claims to be larger than the file"),
        (named_type, "its entry type is not data"),
    ):
        H5.write_bytes(whole)
        CARD.write_text(card)
        both_ways(change, "is refused", part)


def test_a_group_within_itself(saved: Path) -> None:
    def change() -> None:
        with h5py.File(H5, "r+") as file:
            file["model_weights/again"] = file["model_weights"]

    both_ways(change, "admission.h5 is damaged", "a group in it holds itself")


# --- An untrusted scaler ----------------------------------------------------------------------------------------------


class Runs:
    """Unpickled, it calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def name(module: str, function: str) -> bytes:
    """The opcode that looks a name up, whatever is installed."""
    return b"c" + module.encode() + b"\n" + function.encode() + b"\n"


def calls(module: str, function: str, *arguments: Any) -> bytes:
    return b"\x80\x03" + name(module, function) + stacked(tuple(arguments)) + b"R."


def stacked(value: Any) -> bytes:
    """The opcodes that put a value on the stack."""
    return pickle.dumps(value, protocol=3)[2:-1]


def put_scaler(content: bytes) -> None:
    SCALER.write_bytes(content)
    vouch()


def dumped(value: Any) -> bytes:
    content = io.BytesIO()
    joblib.dump(value, content)
    return content.getvalue()


@pytest.mark.parametrize("packing", ["pickle", "joblib", "gzip", "within an array", "in its state"])
def test_a_scaler_that_runs_a_command(saved: Path, scaler: Any, packing: str) -> None:
    marker = Path("executed").resolve()
    evil = Runs(os.system, f"touch {marker}")
    if packing == "in its state":
        hidden = MinMaxScaler().fit(X)
        hidden.feature_range = evil
        content = dumped(hidden)
    elif packing == "within an array":
        hidden = MinMaxScaler().fit(X)
        hidden.feature_names_in_ = np.array([evil, "b"], object)
        content = dumped(hidden)
    else:
        content = pickle.dumps(evil) if packing == "pickle" else dumped(evil)
        content = gzip.compress(content) if packing == "gzip" else content
    SCALER.write_bytes(content)
    joblib.load(SCALER)
    assert marker.exists()  # it does what it is made for, where nobody looks
    marker.unlink()
    vouch()
    refused("admission-scaler.gz is refused: it ", "" if packing == "within an array" else "nothing of it was run")
    CARD.unlink()
    refused("admission-scaler.gz is refused: it ")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "function", "argument"),
    [
        ("os", "system", "touch executed"),
        ("posix", "system", "touch executed"),
        ("subprocess", "Popen", ["touch", "executed"]),
        ("subprocess", "check_output", ["touch", "executed"]),
        ("builtins", "eval", "open('executed', 'w')"),
        ("builtins", "exec", "open('executed', 'w')"),
        ("__builtin__", "eval", "open('executed', 'w')"),
        ("builtins", "getattr", "executed"),
        ("builtins", "__import__", "this"),
        ("builtins", "open", "executed"),
        ("io", "open", "executed"),
        ("numpy.testing._private.utils", "runstring", "open('executed', 'w')"),
        ("numpy", "load", "executed"),
        ("numpy", "fromfile", "executed"),
        ("numpy", "memmap", "executed"),
        ("numpy", "save", "executed"),
        ("numpy", "ndarray.tofile", "executed"),
        ("numpy", "os.system", "touch executed"),
        ("numpy.f2py", "compile", "executed"),
        ("numpy.lib.npyio", "load", "executed"),
        ("joblib", "load", "executed"),
        ("joblib", "dump", "executed"),
        ("joblib.numpy_pickle", "load", "executed"),
        ("joblib.numpy_pickle", "NumpyUnpickler", "executed"),
        ("joblib.numpy_pickle_compat", "ZNDArrayWrapper", "executed"),
        ("joblib.memory", "Memory", "executed"),
        ("sklearn.preprocessing", "FunctionTransformer", "executed"),
        ("sklearn.utils", "Bunch", "executed"),
        ("sklearn.datasets", "fetch_openml", "executed"),
        ("functools", "partial", "executed"),
        ("operator", "attrgetter", "system"),
        ("copyreg", "__newobj_ex__", "executed"),
        ("_pickle", "loads", "executed"),
        ("pathlib", "Path", "executed"),
        ("webbrowser", "open", "executed"),
        ("workshop.kit.files", "write_flushed", "executed"),
        ("joblib.numpy_pickle", "NumpyArrayWrapper.read", "executed"),
        ("sklearn.preprocessing._data", "MinMaxScaler.__init__.__globals__", "executed"),
        ("sklearn.preprocessing._data", "np", "executed"),
        ("\x1b[2J", "\x07", "executed"),
    ],
)
def test_a_scaler_that_names_something_else(saved: Path, module: str, function: str, argument: Any) -> None:
    for content in (calls(module, function, argument), gzip.compress(calls(module, function, argument))):
        put_scaler(content)
        shown = "".join(one if one.isprintable() else "?" for one in f"{module}.{function}")
        refused(f"admission-scaler.gz is refused: it names {shown}", "nothing of it was run")
    assert not Path("executed").exists()


def test_a_scaler_that_was_fitted_on_a_data_frame(saved: Path) -> None:
    # scikit-learn keeps the names of the columns, an array of Python objects.
    fitted = MinMaxScaler().fit(X)
    expected = fitted.transform(X)
    fitted.feature_names_in_ = np.array(["first exam", "second exam"], object)
    for content in (dumped(fitted), gzip.compress(dumped(fitted)), pickle.dumps(fitted)):
        put_scaler(content)
        loaded = load().scaler
        np.testing.assert_array_equal(loaded.transform(X), expected)
        assert list(loaded.columns()) == [Column(30, 99), Column(31, 90)] and loaded.names == [
            "first exam",
            "second exam",
        ]
    fitted.feature_names_in_ = np.array(["second exam", "first exam"], object)
    put_scaler(dumped(fitted))
    refused("has the inputs first exam, second exam in its card, its scaler takes second exam, first exam")


def test_the_ranges_of_a_scaler(saved: Path) -> None:
    def ranges(fitted: Any) -> Any:
        columns = unpickling.load_scaler(dumped(fitted), SCALER).columns()
        return [(column.minimum, column.maximum) for column in columns]

    rows = np.array([[30.2, 7], [97.5, 7]])
    assert ranges(MinMaxScaler().fit(rows)) == ranges(MinMaxScaler().fit(rows.astype(np.float32)))
    assert ranges(MinMaxScaler().fit(rows)) == [(30.2, 97.5), (7, 7)]
    unknown = [(-np.inf, np.inf)] * 2
    for kind in (StandardScaler, RobustScaler, MaxAbsScaler):
        assert ranges(kind().fit(rows)) == unknown
    for numbers in (np.zeros(3), np.zeros((2, 2)), "text", np.array([np.nan, np.inf]), np.array([98.0, 8])):
        changed = MinMaxScaler().fit(rows)
        changed.data_min_ = numbers
        assert ranges(changed) == unknown


def test_a_scaler_of_a_foreign_class(saved: Path) -> None:
    put_scaler(dumped(FunctionTransformer(np.fft.fft).fit(X)))
    refused("admission-scaler.gz is refused: it names numpy.fft", "nothing of it was run")
    put_scaler(pickle.dumps(Runs(print)))
    refused("builtins.print")
    put_scaler(pickle.dumps(threading.Event)[:-1] + b".")
    refused("threading.Event")


def test_object_arrays(saved: Path) -> None:
    for array in (np.array(["a", None], object), np.array(["a", "b"]), np.zeros(2, [("a", "O")]), np.zeros(2, "M8[s]")):
        for content in (dumped(array), pickle.dumps(array, protocol=2), pickle.dumps(array)):
            put_scaler(content)
            refused("admission-scaler.gz is ")


FORGED = {
    # NumPy takes the flags of a type from its pickled state: an array of pointers that says it holds none, so that
    # the bytes of the file would be followed as addresses.
    "pointers": (("O", False, True), (3, "|", None, None, None, -1, -1, 0)),
    "fields": (("f8", False, True), (3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, -1, -1, 0)),
    "subarray": (("f8", False, True), (3, "<", (np.dtype("O"), (2,)), None, None, -1, -1, 0)),
    "flags": (("f8", False, True), (3, "<", None, None, None, -1, -1, 63)),
    "sizes": (("V8", False, True), (3, "|", None, None, None, 800000, 1, 0)),
    "metadata": (("f8", False, True), (4, "<", None, None, None, -1, -1, 0, {"a": 1})),
}
ADDRESSES = (0x4141414141414141).to_bytes(8, "little") * 4


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("where", ["joblib", "array", "scalar"])
def test_a_forged_type_of_numbers(saved: Path, forged: str, where: str) -> None:
    arguments, state = FORGED[forged]
    dtype = name("numpy", "dtype") + stacked(arguments) + b"R" + stacked(state) + b"b"
    if where == "joblib":
        content = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}("
        content += stacked("dtype") + dtype + stacked("shape") + stacked((4,)) + stacked("order") + stacked("C")
        content += stacked("subclass") + name("numpy", "ndarray") + b"ub" + ADDRESSES
    elif where == "array":
        content = name("numpy.core.multiarray", "_reconstruct") + b"("
        content += name("numpy", "ndarray") + stacked((0,)) + stacked(b"b") + b"tR"
        content += b"(" + stacked(1) + stacked((4,)) + dtype + stacked(False) + stacked(ADDRESSES) + b"tb"
    else:
        content = name("numpy.core.multiarray", "scalar") + b"(" + dtype + stacked(ADDRESSES[:8]) + b"tR"
    put_scaler(b"\x80\x03" + content + b".")
    refused("admission-scaler.gz is refused", "Python objects where a scaler has numbers")


def test_a_state_that_changes_a_class(saved: Path) -> None:
    wrapper = joblib.numpy_pickle.NumpyArrayWrapper
    before = dict(vars(wrapper))
    for module, kind in (
        ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("sklearn.preprocessing._data", "MinMaxScaler"),
        ("numpy", "ndarray"),
        ("builtins", "slice"),
    ):
        put_scaler(b"\x80\x03" + name(module, kind) + stacked((None, {"read": "owned", "transform": "owned"})) + b"b.")
        refused("admission-scaler.gz is refused", f"it would change {kind} itself")
    assert dict(vars(wrapper)) == before and MinMaxScaler.transform != "owned"


def wrapper_of(shape: Any, dtype: str = "f8") -> bytes:
    content = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}("
    content += stacked("dtype") + name("numpy", "dtype") + stacked((dtype,)) + b"R" + stacked("shape") + stacked(shape)
    content += stacked("order") + stacked("C") + stacked("subclass") + name("numpy", "ndarray") + b"ub"
    return b"\x80\x03" + content + bytes(64) + b"."


@pytest.mark.parametrize("shape", [(10**12,), (2**31, 2**31, 4), (2**40, 2**40), (-1,), (4, -4), (10**30,)])
def test_an_array_of_an_absurd_size(saved: Path, shape: tuple[int, ...]) -> None:
    put_scaler(gzip.compress(wrapper_of(shape)))
    # Twice what a scaler may have unpacked, which newer Pythons set aside at once.
    assert peak_bytes(lambda: refused("admission-scaler.gz is refused", "larger than the file")) < 40e6


def test_a_scaler_that_unfolds_to_all_of_the_memory(saved: Path) -> None:
    bomb = gzip.compress(bytes(10_000_000), compresslevel=9) * 30  # members one after another are one stream
    assert len(bomb) < 400_000
    put_scaler(bomb)
    assert peak_bytes(lambda: refused("admission-scaler.gz is refused", "unpacked it is larger than 16 MB")) < 80e6


def test_a_damaged_scaler(saved: Path, scaler: Any) -> None:
    whole = dumped(scaler)
    for content in (
        b"",
        b"hello",
        gzip.compress(b""),
        gzip.compress(whole)[:-10],
        gzip.compress(whole[:-20]),
        whole[:50],
        b"\x1f\x8b",
        b"\x1f\x8b\x08\0" + bytes(20),
        dumped(5),
        dumped({"transform": 1}),
        dumped(MinMaxScaler()),
        dumped(np.zeros(3)),
        name("sklearn.preprocessing._data", "MinMaxScaler") + b".",
        b"\x80\x02(" * 1000,
        b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b".",  # a bytearray of 2**62 bytes
        b"(" * 100_000 + b"t" * 100_000 + b".",
    ):
        put_scaler(content)
        refused("admission-scaler.gz is ", "train it again")
    random = np.random.default_rng(6)
    for at in random.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[at] ^= 1 << random.integers(8)
        try:
            unpickling.load_scaler(bytes(changed), SCALER)
        except WorkshopError as error:
            assert str(error).isprintable()


def test_numbers_of_a_scaler_that_do_not_fit_together(saved: Path) -> None:
    for attribute, value in (
        ("scale_", np.zeros(3)),
        ("scale_", np.ones(1)),  # NumPy would broadcast it
        ("min_", np.zeros((2, 2))),
        ("n_features_in_", 10**12),
        ("n_features_in_", 0),
        ("n_features_in_", -2),
        ("n_features_in_", 2.0),
        ("n_features_in_", np.array([2, 2])),
        ("n_features_in_", "two"),
        ("transform", MinMaxScaler),
        ("feature_range", 5),
    ):
        corrupt = MinMaxScaler(clip=True).fit(X)
        setattr(corrupt, attribute, value)
        put_scaler(dumped(corrupt))
        refused("admission-scaler.gz is damaged, or not a fitted scaler")


# --- Whole or not at all ----------------------------------------------------------------------------------------------


def faults(case: str, room: Path) -> dict[str, int]:
    script = Path(__file__).parents[1] / "helpers" / "bundle_faults.py"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), case, str(room / case)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_killed_at_every_step_of_saving(room: Path) -> None:
    # The program itself holds every outcome against the old bundle and the new one; see there.
    found = faults("killed", room)
    for title in ("both", "scaler goes", "scaler comes", "none", "nothing there", "a bare .h5"):
        # Three files, each opened, written in parts and renamed: some steps lie before the commit, some after.
        assert found[f"{title}: old"] >= 10 and found[f"{title}: new"] >= 4


@pytest.mark.slow
def test_a_disk_that_is_full_at_every_step_of_saving(room: Path) -> None:
    found = faults("disk", room)
    assert found["both: refused, old"] >= 10
    assert found["a bare .h5: refused, old"] >= 10


def test_two_programs_save_while_a_third_one_loads(room: Path) -> None:
    assert sum(faults("savers", room).values()) >= 5


def test_a_disk_that_is_full(saved: Path, model: Any, scaler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in (H5, SCALER, CARD)}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    caught = []
    for size in (0, 1, 500, 3000, 12_000):  # none of them enough for the .h5
        # As `ulimit -f` does it, a real one.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            save(model, scaler, seed=2)
        except WorkshopError as error:
            caught.append(str(error))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(caught) == 5 and {path: path.read_bytes() for path in Path().iterdir()} == before
    for message in caught:
        assert "admission.h5.new cannot be written (File too large): free some space" in message

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkshopError, match=r"cannot be written \(No space left on device\).* is unchanged"):
        save(model, scaler, seed=2)
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
    assert load().card["seed"] == 1


def test_a_folder_that_cannot_be_saved_to(model: Any) -> None:
    Path("file").write_bytes(b"")
    for folder in (Path("file"), Path("file/below")):
        with pytest.raises(WorkshopError, match="admission cannot be saved"):
            bundle.save(folder, NAME, model, lesson=NAME, data="", seed=1, inputs=[], metrics={})
    H5.mkdir()  # a folder where the file should be
    with pytest.raises(WorkshopError, match="admission cannot be saved"):
        save(model)


def test_a_folder_that_is_not_there_is_made_with_those_above_it(model: Any) -> None:
    bundle.save(Path("room/of/mine"), NAME, model, lesson=NAME, data="", seed=1, inputs=[], metrics={})
    np.testing.assert_array_equal(
        bundle.load(Path("room/of/mine") / H5, [NAME]).predict(X), KerasModel(model).predict(X)
    )
    files.write_flushed("another/one/mine.txt", b"kept")
    assert Path("another/one/mine.txt").read_bytes() == b"kept"


def test_a_save_that_was_killed_in_a_folder_that_is_now_read_only(
    saved: Path, model: Any, scaler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {path: path.read_bytes() for path in (H5, SCALER)}
    other = keras.models.clone_model(model)
    save(other, MinMaxScaler().fit(X * 2), seed=2)
    for path in (H5, SCALER):  # right after its commit
        path.rename(f"{path}.new")
        path.write_bytes(old[path])
    present = {path: path.read_bytes() for path in Path().iterdir()}

    here = str(Path().resolve())

    def read_only(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if not isinstance(path, int) and str(Path(path).resolve()).startswith(here):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return function(path, *arguments, **options)

        return call

    with monkeypatch.context() as patched:
        for function in ("replace", "rename", "unlink", "mkdir"):
            patched.setattr(os, function, read_only(getattr(os, function)))
        loaded = load()
    assert loaded.card["seed"] == 2 and loaded.scaler.data_max_[0] == 198
    for one, expected in zip(loaded.model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, expected)
    assert {path: path.read_bytes() for path in Path().iterdir()} == present
    assert load().card["seed"] == 2  # and here the renames are finished
    assert not list(Path().glob("*.new"))


def test_what_a_killed_save_left_goes_with_the_next_load(saved: Path) -> None:
    for path in (H5, SCALER, CARD):
        Path(f"{path}.new").write_bytes(b"half of a file")
    assert load().card["seed"] == 1
    assert sorted(path.name for path in Path().iterdir()) == sorted([H5.name, SCALER.name, CARD.name])
