"""The programs that name images, `apps.digit` and `apps.garment`, on images of many sizes, dark and light."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import start, without_published_data
from PIL import Image, ImageOps

from apps import digit, garment
from workshop import mnist
from workshop.kit.data import images as image_data
from workshop.kit.data import published_images, synthetic_images
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.programs import mnist_preprocessing

NAMES = "0123456789"
FOUND = "note: the model is models/digit_reader.h5\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CNN that a quick run of the lesson trained, on scikit-learn's digits."""
    folder = tmp_path_factory.mktemp("trained")
    with without_published_data(folder):
        run = start(mnist, folder, "--quick", "--model", "cnn", "--no-plots")
    return run.models / "mnist_cnn-quick-standin.h5"


@pytest.fixture(scope="module")
def test_digits() -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits (n, 28, 28) and what they are, none of which the CNN was trained on."""
    _, _, X_test, y_test, _ = synthetic_images.image_set("mnist")
    return X_test[..., 0], y_test


@pytest.fixture
def models(trained: Path, room: Path) -> Path:
    """The trained bundle in the folder `models` of the room, under the name that the program looks for."""
    folder = room / "models"
    folder.mkdir()
    for ending in (".h5", ".json"):
        shutil.copy(trained.with_suffix(ending), folder / f"digit_reader{ending}")
    return folder


def picture_of(image: np.ndarray, side: int, is_inverted: bool = False) -> Image.Image:
    enlarged = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return ImageOps.invert(enlarged) if is_inverted else enlarged


def answers_in(output: str) -> dict[str, tuple[str, float]]:
    """Returns for each file the class and its probability in percent, from lines such as `photo.png: 7 (99.2 %)`."""
    answers = {}
    for line in output.splitlines():
        name, _, rest = line.rpartition(": ")
        answer, _, percent = rest.split(", or ")[0].partition(" (")
        assert percent.endswith(" %)"), line
        answers[name] = answer, float(percent.removesuffix(" %)"))
    return answers


# --- Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [36, pytest.param(120, marks=pytest.mark.slow)])
def test_digits_of_many_sizes_and_formats_dark_and_light_are_named(
    models: Path, test_digits: tuple[np.ndarray, np.ndarray], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = test_digits
    endings = ("png", "jpg", "gif", "bmp", "tif", "webp")
    sides = (28, 31, 56, 90, 140, 300)
    truth = {}
    for i in range(count):
        name = f"{i}.{endings[i % len(endings)]}"
        picture_of(X[i], sides[(i // 6) % len(sides)], is_inverted=i % 4 < 2).save(name)
        truth[name] = NAMES[y[i]]
    digit.main([*truth])
    output = capsys.readouterr()
    answers = answers_in(output.out)
    assert [*answers] == [*truth]
    # A quick run, on few images that are not laid out the way MNIST's are: the model that ships is measured below.
    assert np.mean([answers[name][0] == truth[name] for name in truth]) >= 0.85
    assert output.err == FOUND


def test_the_probability_is_the_models(
    models: Path, test_digits: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    image = test_digits[0][0]
    picture_of(image, 28).save("one.png")
    loaded = bundle.load(models / "digit_reader.h5", ["mnist"])
    digit.main(["one.png", "./one.png", "--model", "models/digit_reader.h5"])
    probabilities = loaded.predict(mnist_preprocessing.read_digit(Path("one.png"))[None])[0]
    expected = f"one.png: {NAMES[probabilities.argmax()]} ({100 * probabilities.max():.1f} %)\n"
    assert capsys.readouterr().out == expected  # a file that is given twice is answered once


def test_the_lessons_own_model_is_used_where_it_is_named(
    models: Path, test_digits: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    # A run of the lesson saves it beside the program's.
    save_bare(constant_model([0.01] * 3 + [0.91] + [0.01] * 6), models, "mnist_cnn")
    picture_of(test_digits[0][0], 28).save("one.png")
    digit.main(["one.png"])
    expected = capsys.readouterr()
    assert expected.err == FOUND and expected.out != "one.png: 3 (91.0 %)\n"
    for named in ("mnist_cnn", "models/mnist_cnn.h5"):
        digit.main(["one.png", "--model", named])
        assert capsys.readouterr().out == "one.png: 3 (91.0 %)\n"


def test_garments_are_named(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, y, X_test, y_test, _ = synthetic_images.image_set("fashion_mnist")
    classes = published_images.CLASSES["fashion_mnist"]
    # Not trained: it answers with the class whose mean image is nearest.
    read = []
    for image in X[:400, ..., 0]:
        Image.fromarray(image).save("one.png")
        read.append(mnist_preprocessing.read_garment(Path("one.png")))
    middles = np.stack([np.stack(read)[y[:400] == k].mean(axis=0) for k in range(10)]).reshape(10, 784)
    model = keras.Sequential(
        [keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    model.set_weights([middles.T, -np.square(middles).sum(axis=1) / 2])
    bundle.save(
        room / "models",
        "fashion_mnist_cnn",
        model,
        lesson="fashion_mnist",
        data="drawn",
        seed=1,
        inputs=[bundle.Input("image", shape=(28, 28, 1))],
        metrics={},
        classes=classes,
    )
    truth = {}
    for i in range(60):
        picture_of(X_test[i, ..., 0], (28, 60, 140)[i % 3], is_inverted=i % 4 < 2).save(f"{i}.png")
        truth[f"{i}.png"] = classes[y_test[i]]
    garment.main([*truth])
    answers = answers_in(capsys.readouterr().out)
    assert np.mean([answers[name][0] == truth[name] for name in truth]) >= 0.9


def constant_model(probabilities: list[float], shape: tuple[int, ...] = (28, 28, 1)) -> keras.Model:
    """A model that answers the same whatever it sees."""
    layers = [keras.layers.Input(shape), keras.layers.Flatten(), keras.layers.Dense(len(probabilities), "softmax")]
    model = keras.Sequential(layers)
    model.set_weights([np.zeros((784, len(probabilities))), np.log(probabilities)])
    return model


def save_bare(model: Any, folder: Path, name: str = "my") -> Path:
    """Saves a model as a student's notebook does: a `.h5` with no card."""
    bundle.save(folder, name, model, lesson="none", data="", seed=1, inputs=[], metrics={})
    (folder / f"{name}.json").unlink()
    return folder / f"{name}.h5"


def test_a_doubtful_answer_names_the_second_guess_as_well(
    room: Path, test_digits: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    picture_of(test_digits[0][0], 50).save("one.png")
    save_bare(constant_model([0.01] * 7 + [0.55, 0.01, 0.37]), room, "doubtful")
    save_bare(constant_model([0.01] * 7 + [0.61, 0.01, 0.31]), room, "sure")
    digit.main(["--model", "doubtful.h5", "one.png"])
    digit.main(["--model", "sure.h5", "one.png"])
    assert capsys.readouterr().out == "one.png: 7 (55.0 %), or 9 (37.0 %)\none.png: 7 (61.0 %)\n"


# --- Files that cannot be used ----------------------------------------------------------------------------------------


def test_the_whole_program_answers_without_noise(models: Path, test_digits: tuple[np.ndarray, np.ndarray]) -> None:
    picture_of(test_digits[0][0], 100).save("photo.png")
    ended = subprocess.run(
        [sys.executable, "-m", "apps.digit", "photo.png", "missing.png"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert [*answers_in(ended.stdout)] == ["photo.png"]
    assert ended.stderr == f"{FOUND}error: missing.png is not there: give the path of an image file\n"


@pytest.mark.parametrize("program", ["apps.digit", "apps.garment"])
def test_without_a_file_it_says_what_it_takes(room: Path, program: str) -> None:
    ended = subprocess.run([sys.executable, "-m", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "error: the following arguments are required: FILE (--help lists the options)\n"


def test_a_name_that_would_steer_the_terminal_is_shown_harmless(
    models: Path, test_digits: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\x1b[2Jb\udcff.png"
    picture_of(test_digits[0][0], 100).save("plain.png")
    try:
        Path("plain.png").rename(name)
    except (OSError, UnicodeError):
        pytest.skip("no file can have such a name here")
    digit.main([name, "--show"])
    for line in capsys.readouterr().out.splitlines():
        assert line.isprintable()


# --- What the network saw ---------------------------------------------------------------------------------------------


def test_show_draws_what_the_network_saw(
    models: Path, room: Path, test_digits: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "other").mkdir()
    for i, name in enumerate(["photo.png", "other/photo.png", "$x_$.png"]):
        picture_of(test_digits[0][i], 100).save(name)
    digit.main(["--show", "--plots", "drawn", "photo.png", "other/photo.png", "$x_$.png"])
    said = capsys.readouterr().out.splitlines()[1::2]
    places = [Path("drawn/photo-seen.png"), Path("drawn/photo-seen-again.png"), Path("drawn/$x_$-seen.png")]
    assert said == [f"  the input: {place}" for place in places]
    pixels = []
    for place in places:
        with Image.open(place) as image:
            assert image.width >= 800
            pixels.append(np.asarray(image.convert("L")))
    # Two different digits give two different images.
    assert not np.array_equal(pixels[0], pixels[1])
    assert {path.name for path in (room / "drawn").iterdir()} == {place.name for place in places}
    assert not (room / "plots").exists()


# --- Models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (784,)])
def test_a_bare_model_of_any_of_the_three_shapes_is_used_and_said_to_be_unverified(
    room: Path, test_digits: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str], shape: tuple[int, ...]
) -> None:
    # It answers 7 for ink in the upper half, 1 for ink in the lower half: so the pixels come in their order.
    weights = np.zeros((28, 28, 10))
    weights[:14, :, 7] = weights[14:, :, 1] = 1
    model = constant_model([0.1] * 10, shape)
    model.set_weights([weights.reshape(784, 10), np.zeros(10)])
    path = save_bare(model, room)
    image = np.zeros((60, 100), np.uint8)
    image[10:15, 10:90] = image[10:50, 48:52] = 255  # a T, heavy above
    Image.fromarray(image).save("up.png")
    Image.fromarray(image[::-1]).save("down.png")
    digit.main(["--model", path.name, "up.png", "down.png"])
    output = capsys.readouterr()
    answers = answers_in(output.out)
    assert (answers["up.png"][0], answers["down.png"][0]) == ("7", "1")
    assert output.err.count("\n") == 1
    assert output.err.startswith("note: my.h5 has no card, so it is unverified; assumed: 28x28 grey pixels from 0 ")


def test_a_model_that_was_trained_on_unscaled_pixels_gets_them(
    room: Path, test_digits: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    picture_of(test_digits[0][0], 28).save("one.png")
    kernel = np.random.default_rng(1).normal(0, 0.01, (784, 10))
    for name, maximum in (("scaled", 1), ("unscaled", 255)):
        model = constant_model([0.1] * 10, (28, 28, 1))
        model.set_weights([kernel / maximum, np.zeros(10)])
        inputs = [bundle.Input("image", maximum=maximum, shape=(28, 28, 1))]
        about: dict[str, Any] = {"lesson": "mnist", "data": "none", "seed": 1, "metrics": {}, "classes": [*NAMES]}
        bundle.save(room, name, model, inputs=inputs, **about)
        digit.main(["--model", f"{name}.h5", "one.png"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == second and not first.endswith("(10.0 %)")


def with_scaler(room: Path) -> Path:
    import joblib
    from sklearn.preprocessing import MinMaxScaler

    path = save_bare(constant_model([0.1] * 10, (784,)), room)
    joblib.dump(MinMaxScaler().fit(np.eye(784)), room / "my-scaler.gz")
    return path


def rectified(room: Path) -> Path:
    model = keras.Sequential([keras.layers.Input((784,)), keras.layers.Dense(10, activation="relu")])
    return save_bare(model, room)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda room: save_bare(constant_model([0.1] * 10, (28, 28, 1)), room, "x").rename("my.pkl"), "is not a .h5"),
        (lambda room: room / "my.h5", "is not there"),
        (
            lambda room: save_bare(
                keras.Sequential([keras.layers.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]),
                room,
            ),
            r"takes inputs of shape \(32, 32, 3\), this program gives \(28, 28, 1\) or \(28, 28\) or \(784,\)",
        ),
        (lambda room: save_bare(constant_model([0.25] * 4), room), r"outputs of shape \(4,\), this program takes 10"),
        (rectified, "has outputs that are no probabilities: its last layer takes a softmax"),
        (with_scaler, "is not a model of pixels from 0 to 1 and 10 classes"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    room: Path, test_digits: tuple[np.ndarray, np.ndarray], make: Callable[[Path], Path], message: str
) -> None:
    picture_of(test_digits[0][0], 100).save("photo.png")
    with pytest.raises(WorkshopError, match=message):
        digit.main(["--model", str(make(room)), "photo.png"])


def test_a_model_of_digits_is_not_used_for_garments(models: Path, test_digits: tuple[np.ndarray, np.ndarray]) -> None:
    picture_of(test_digits[0][0], 100).save("photo.png")
    with pytest.raises(WorkshopError, match="is a model of the lesson mnist; this takes one of fashion_mnist"):
        garment.main(["--model", str(models / "digit_reader.h5"), "photo.png"])


# --- The models that ship, on the real sets ---------------------------------------------------------------------------


def share_named_right(
    images: image_data.ImageSet, main: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str]
) -> float:
    """Writes 200 test images in ten sizes, dark and light, and returns how many of them a program names rightly."""
    sides = (28, 40, 56, 75, 100, 140, 200, 280, 333, 420)
    truth = {}
    for i in range(200):
        picture_of(images.X_test[i, ..., 0], sides[i % 10], is_inverted=i % 20 < 10).save(f"{i}.png")
        truth[f"{i}.png"] = images.classes[images.y_test[i]]
    main([*truth])
    answers = answers_in(capsys.readouterr().out)
    return float(np.mean([answers[name][0] == truth[name] for name in truth]))


@pytest.mark.real
def test_the_shipped_model_names_images_of_mnist_digits(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert share_named_right(image_data.load_image_set("mnist", real_data), digit.main, capsys) >= 0.97


@pytest.mark.real
def test_the_shipped_model_names_images_of_fashion_mnist_garments(
    real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The model itself names 92 % of the test images.
    assert share_named_right(image_data.load_image_set("fashion_mnist", real_data), garment.main, capsys) >= 0.87


@pytest.mark.real
def test_the_shipped_model_names_digits_that_people_published(
    real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = real_data.parent / "cases"
    folder = cases / "pictures"
    if not folder.is_dir():
        pytest.skip("needs the published pictures, in the folder cases/pictures beside the data sets")
    rows = (folder / "labels.tsv").read_text("utf-8").splitlines()[1:]
    published = {str(folder / name): label for name, label in (row.split("\t") for row in rows)}
    # Tables, bars, frames and shadows: a file's name begins with its digit.
    hunted = {str(path): path.name[0] for path in sorted((cases / "hunt" / "pictures").glob("*/*"))}
    truth = published | hunted
    with contextlib.suppress(SystemExit):  # a digit that is hardly there may be refused; it counts as wrong
        digit.main([*truth])
    answers = answers_in(capsys.readouterr().out)
    for asked in (published, hunted):
        assert sum(answers.get(name, ("", 0))[0] == label for name, label in asked.items()) >= 0.98 * len(asked)
    certain = [answer == truth[name] for name, (answer, percent) in answers.items() if percent >= 95]
    assert len(certain) >= 0.9 * len(truth)
    assert np.mean(certain) >= 0.95
