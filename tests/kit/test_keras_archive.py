"""The `.keras` of a notebook: loaded by Keras in safe mode, checked before; a SavedModel folder is refused."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
import pytest
from helpers.memory import peak_bytes
from sklearn.preprocessing import MinMaxScaler

from apps import admission
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle, keras_archive
from workshop.programs import engines

PATH = Path("my.keras")
X = np.random.default_rng(1).random((20, 6, 5, 1), np.float32)
Change = Callable[[dict[str, Any]], object]


def build() -> keras.Model:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((6, 5, 1)),
            layers.Conv2D(3, 2, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, np.arange(len(X)) % 4, verbose=0)
    return model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, np.ndarray]:
    """A compiled and trained model, saved with its optimizer as notebooks do, and its predictions."""
    model = build()
    path = tmp_path_factory.mktemp("trained") / PATH
    model.save(path)
    return path.read_bytes(), model.predict(X, verbose=0)


@pytest.fixture
def content(trained: tuple[bytes, np.ndarray], room: Path) -> bytes:
    """The content of the file, which is also in the room."""
    PATH.write_bytes(trained[0])
    return trained[0]


def parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return packed.getvalue()


def changed(content: bytes, change: Change) -> bytes:
    config = json.loads(parts(content)["config.json"])
    change(config)
    return packed(parts(content) | {"config.json": json.dumps(config).encode()})


def refused(content: bytes | None, *said: str) -> None:
    """Loads what must be refused: in one printable line that has all of `said`."""
    if content is not None:
        PATH.write_bytes(content)
    with pytest.raises(WorkshopError) as caught:
        engines.load(PATH, ["mnist"])
    message = str(caught.value)
    assert message.isprintable() and len(message) < 500
    for text in said:
        assert text in message, message


@pytest.mark.parametrize("engine", [None, *engines.CHOICES])
def test_every_engine_predicts_what_keras_does(
    content: bytes, trained: tuple[bytes, np.ndarray], engine: str | None
) -> None:
    if engine in ("torch", "all"):
        pytest.importorskip("torch")
    loaded = engines.load(PATH, ["mnist"], engine)
    assert loaded.model.engine == (engine or "keras") and not loaded.is_verified
    np.testing.assert_allclose(loaded.predict(X), trained[1], atol=1e-6)


def test_the_scaler_beside_it_is_used_and_the_card_of_a_h5_is_not(room: Path) -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    scaler = MinMaxScaler().fit([[0, 10], [50, 90]])
    bundle.save(room, "my", model, lesson="mnist", data="", seed=1, inputs=[], metrics={})
    model.save(PATH)
    joblib.dump(scaler, "my-scaler.gz")
    loaded = bundle.load(PATH, ["admission"])
    assert loaded.card == {}
    rows = np.array([[25, 90], [60, 0]], np.float32)
    np.testing.assert_allclose(loaded.predict(rows), model(scaler.transform(rows)), atol=1e-6)


def test_a_keras_file_of_tensorflow_before_2_12_is_hdf5(content: bytes, trained: tuple[bytes, np.ndarray]) -> None:
    keras.saving.load_model(PATH).save("my.h5")
    Path("my.h5").rename(PATH)
    np.testing.assert_allclose(bundle.load(PATH, ["mnist"]).predict(X), trained[1], atol=1e-6)


def test_how_it_was_trained_is_left_out(content: bytes) -> None:
    def name_something_else(config: dict[str, Any]) -> None:
        config["compile_config"]["loss"] = {"module": "os", "class_name": "system", "config": "touch executed"}

    PATH.write_bytes(changed(content, name_something_else))
    model: Any = bundle.load(PATH, ["mnist"]).model
    assert not model.keras.compiled and not Path("executed").exists()


# --- Files that are refused -------------------------------------------------------------------------------------------


def test_a_layer_of_python_code_is_refused_and_not_run(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    function = lambda x: (__import__("pathlib").Path("executed").touch(), x[:, :1])[1]  # noqa: E731
    keras.Sequential([keras.layers.Input((2,)), keras.layers.Lambda(function, output_shape=(1,))]).save(PATH)
    Path("executed").unlink(missing_ok=True)
    refused(None, "my.keras is refused: it holds a Lambda layer, Python code that loading would run")
    for engine in engines.CHOICES:
        with pytest.raises(WorkshopError, match="it holds a Lambda layer"):
            admission.main(["--model", str(PATH), "45", "85", "--engine", engine])
    assert not Path("executed").exists() and capsys.readouterr().out == ""
    keras.saving.load_model(PATH, safe_mode=False)(np.zeros((1, 2)))
    assert Path("executed").exists()  # it does what it is made for, where it is trusted


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda config: config["config"]["layers"][1].update(module="os"), "it names os.Conv2D, which is no part"),
        (lambda config: config["config"]["layers"][1].update(class_name="TFSMLayer"), "it holds a TFSMLayer layer"),
        (lambda config: config.update(registered_name="my>Model"), "it names my>Model, which is not Keras' own"),
        (lambda config: config.update(module="keras.utils", class_name="get_file"), "it names keras.utils.get_file"),
        (lambda config: config["config"]["layers"][1]["config"].update(filters=9), "cannot be loaded by Keras"),
        (lambda config: config["config"].update(layers=5), "cannot be loaded by Keras"),
        (lambda config: config.clear(), "cannot be loaded by Keras"),
    ],
)
def test_a_configuration_of_another_kind(content: bytes, change: Change, says: str) -> None:
    refused(changed(content, change), "my.keras ", says)


def test_parts_that_are_missing_or_too_many(content: bytes) -> None:
    whole = parts(content)
    for name in ("config.json", "model.weights.h5"):
        refused(packed({key: part for key, part in whole.items() if key != name}), f"it has no {name}")
    refused(packed(whole | {"assets/vocabulary.txt": b"a"}), "a layer of it would read files (assets/)")
    refused(packed(whole | {"config.json": b"[" * 100_000}), "its configuration cannot be read")
    refused(packed(whole | {"model.weights.h5": b"none"}), "is damaged, or not a .keras file")
    linked = io.BytesIO(whole["model.weights.h5"])
    with h5py.File(linked, "a") as file:
        file["out"] = h5py.ExternalLink("/etc/passwd", "/")
    refused(packed(whole | {"model.weights.h5": linked.getvalue()}), "my.keras is refused: ")
    PATH.write_bytes(packed(whole | {"../../evil": b"", "__MACOSX/x": b""}, zipfile.ZIP_DEFLATED))
    assert bundle.load(PATH, ["mnist"]).model.output_shape == (4,)  # parts that nobody reads


def test_a_damaged_archive(content: bytes) -> None:
    for damaged in (b"", b"PK", content[:100], content[: len(content) // 2], content[:-10], b"no archive" * 20):
        refused(damaged, "my.keras is damaged, or not a .keras file", "copy or train it again")
    refused(packed(parts(content), zipfile.ZIP_BZIP2), "my.keras is damaged, or not a .keras file")
    random = np.random.default_rng(3)
    outcomes = set()
    for at in random.integers(0, len(content), 200):
        flipped = bytearray(content)
        flipped[at] ^= 1 << random.integers(8)
        try:
            keras_archive.checked(bytes(flipped), PATH)
            outcomes.add("passed")
        except WorkshopError as error:
            assert str(error).isprintable()
            outcomes.add("refused")
    assert "refused" in outcomes


def test_an_archive_that_unpacks_to_all_of_the_memory(content: bytes) -> None:
    bomb = packed(parts(content) | {"model.weights.h5": bytes(200_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 500_000
    assert peak_bytes(lambda: refused(bomb, "my.keras is refused: unpacked it is more than 20 times as large")) < 20e6


def test_an_archive_may_unpack_to_twenty_times_its_size_and_no_more(content: bytes) -> None:
    size = 30_000
    whole = parts(content)
    whole["unread"] = bytes(20 * size - sum(map(len, whole.values())))
    deflated = packed(whole, zipfile.ZIP_DEFLATED)
    for missing in (0, 1):
        filled = io.BytesIO(deflated)
        with zipfile.ZipFile(filled, "a") as archive:
            archive.comment = bytes(size - len(deflated) - missing)
        assert len(filled.getvalue()) == size - missing
        if missing:
            refused(filled.getvalue(), "my.keras is refused: unpacked it is more than 20 times as large")
        else:
            PATH.write_bytes(filled.getvalue())
            assert bundle.load(PATH, ["mnist"]).model.output_shape == (4,)


def test_a_savedmodel_folder_is_refused_with_the_line_that_saves_it(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("my_model", "digits.h5"):
        folder = room / name
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"")
        for given in (name, f"./{name}/", f"{name}/saved_model.pb"):
            with pytest.raises(WorkshopError, match=f"{name} is refused: a SavedModel folder can hold any") as caught:
                admission.main(["--model", given, "45", "85"])
            line = str(caught.value)
            assert f'model.save("{name}.h5")' in line and f'model.save("{name}.keras")' in line
        shutil.rmtree(folder)
    # One of a program's own name, where a notebook's model is looked for, is not passed over for the model that ships.
    Path("admission").mkdir()
    Path("admission/saved_model.pb").touch()
    with pytest.raises(WorkshopError, match=r"admission is refused: .*save\(\"admission\.h5\"\)"):
        admission.main(["45", "85"])
    assert "note: the model is admission in the current folder" in capsys.readouterr().err
    Path("my_model").mkdir()
    with pytest.raises(WorkshopError, match=r"my_model is not a \.h5 file, nor a \.keras one"):
        admission.main(["--model", "my_model", "45", "85"])
