"""The lesson `cats_vs_dogs`: both networks, both pipelines, pictures of one's own, and what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from lesson_runs import Run, start
from PIL import Image

from workshop import cats_vs_dogs
from workshop.kit import files, photo_classifier
from workshop.kit.data import synthetic_animals
from workshop.kit.data import images as image_data
from workshop.kit.errors import WorkshopError
from workshop.kit.photos import dataset as photos
from workshop.kit.saving import bundle
from workshop.programs import engines

FEW = ["--size", "32", "--epochs", "1", "--no-plots"]


def write_photos(folder: Path, classes: int = 2, train: int = 6, validation: int = 4) -> Path:
    """Makes photographs of different sizes: each class has its own colour, and noise."""
    random = np.random.default_rng(1)
    for part, count in (("train", train), ("validation", validation)):
        for label in range(classes):
            place = folder / part / f"kind{label}"
            place.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 120, (30 + i, 40, 3))
                pixels[..., label] += 120
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{i}.jpg")
    return folder


@pytest.fixture(scope="module")
def two_networks(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Both networks on photographs of one's own."""
    folder = tmp_path_factory.mktemp("cats")
    photos = write_photos(folder / "toys", train=20, validation=10)
    return start(cats_vs_dogs, folder, "--data", str(photos), "--size", "32", "--epochs", "8")


# --- The networks -----------------------------------------------------------------------------------------------------


def test_the_network_of_the_workshop() -> None:
    model = cats_vs_dogs.build_workshop(150, 2)
    shapes = [weight.shape for weight in model.get_weights()]
    assert shapes[:6:2] == [(3, 3, 3, 16), (3, 3, 16, 32), (3, 3, 32, 64)]
    assert shapes[6::2] == [(17 * 17 * 64, 512), (512, 512), (512, 512), (512, 1)]
    assert [layer.activation.__name__ for layer in model.layers if hasattr(layer, "units")] == ["relu"] * 3 + [
        "sigmoid"
    ]
    assert cats_vs_dogs.build_workshop(64, 7).output_shape == (None, 7)


def test_the_small_network_has_a_thirtieth_of_the_weights_and_none_that_depends_on_the_size() -> None:
    small, large = cats_vs_dogs.build_small(150, 2), cats_vs_dogs.build_workshop(150, 2)
    assert 30 * small.count_params() < large.count_params()
    assert small.count_params() == cats_vs_dogs.build_small(64, 2).count_params()
    kinds = [type(layer).__name__ for layer in small.layers]
    assert {"BatchNormalization", "GlobalAveragePooling2D", "Dropout"} <= set(kinds) and "Flatten" not in kinds


# --- A run ------------------------------------------------------------------------------------------------------------


def test_both_are_compared_in_one_table(two_networks: Run) -> None:
    lines = two_networks.lines
    table = lines[lines.index("Compared") + 2 :][:4]
    assert re.split(r"\s{2,}", table[0]) == [
        "network", "weights", "s an epoch", "training accuracy", "validation accuracy", "gap in points",
    ]  # fmt: skip
    for row, kind in zip(table[2:], ("workshop", "small"), strict=True):
        name, weights, seconds, train, validation, gap = row.split()
        assert name == kind and int(weights.replace(",", "")) > 10_000 and float(seconds) > 0
        for text, part in ((train, "train"), (validation, "validation")):
            assert float(text.rstrip("%")) == pytest.approx(
                100 * two_networks.metrics[f"{kind}_{part}_accuracy"], abs=0.05
            )
        assert float(gap) == pytest.approx(float(train.rstrip("%")) - float(validation.rstrip("%")), abs=0.11)
    assert "No expected band: the photographs are your own." in lines
    assert "Data      toys (40 + 20 photographs)" in [line.partition(",")[0] for line in lines]
    assert "Classes   kind0 (20), kind1 (20)" in lines


def test_it_learns_what_tells_the_classes_apart(two_networks: Run) -> None:
    assert two_networks.metrics["small_train_accuracy"] >= 0.9 or two_networks.metrics["workshop_train_accuracy"] >= 0.9


def test_what_is_saved_answers_the_same_in_all_engines(two_networks: Run) -> None:
    for kind in ("workshop", "small"):
        path = two_networks.models / f"cats_vs_dogs_{kind}.h5"
        card = bundle.load(path, ["cats_vs_dogs"]).card
        assert card["classes"] == ["kind0", "kind1"]
        assert card["inputs"] == [{"name": "picture", "shape": [32, 32, 3], "minimum": 0.0, "maximum": 1.0}]
        assert card["metrics"]["validation_accuracy"] == two_networks.metrics[f"{kind}_validation_accuracy"]
        X = image_data.scale_pixels(synthetic_animals.draw_photographs(4, 32, 1)[0])
        answers = [engines.load(path, ["cats_vs_dogs"], engine).predict(X) for engine in engines.ENGINES]
        assert np.ptp(np.stack(answers), axis=0).max() < 1e-5


def test_the_network_that_ships_answers_the_same_in_all_engines() -> None:
    path = files.shipped("models") / "cats_vs_dogs_small.h5"
    assert path.stat().st_size < 2**20 and bundle.load(path, ["cats_vs_dogs"]).card["classes"] == ["cats", "dogs"]
    X = image_data.scale_pixels(synthetic_animals.draw_photographs(6, 150, 1)[0])
    answers = [engines.load(path, ["cats_vs_dogs"], engine).predict(X) for engine in engines.ENGINES]
    assert np.ptp(np.stack(answers), axis=0).max() < 1e-5
    assert np.ptp(answers[0]) > 0.1


def test_the_pictures_show_how_they_learned_and_what_changes(two_networks: Run) -> None:
    names = {path.name for path in two_networks.plots.iterdir()}
    assert {"cats_vs_dogs-accuracy.png", "cats_vs_dogs-augmentation.png"} <= names


@pytest.mark.slow
def test_three_classes_and_their_confusion(room: Path) -> None:
    options = ["--data", str(write_photos(room / "three", 3)), "--model", "small", "--size", "32", "--epochs", "2"]
    run = start(cats_vs_dogs, room, *options)
    assert set(run.metrics) == {"train_accuracy", "validation_accuracy"}
    assert (room / "plots" / "cats_vs_dogs_small-confusion.png").exists()
    answers = bundle.load(room / "models" / "cats_vs_dogs_small.h5", ["cats_vs_dogs"]).predict(np.zeros((1, 32, 32, 3)))
    assert answers.shape == (1, 3) and answers.sum() == pytest.approx(1)


def test_pictures_that_cannot_be_used_are_named_and_left_out(room: Path) -> None:
    folder = write_photos(room / "toys")
    (folder / "train" / "kind0" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "validation" / "kind1" / "same.jpg").write_bytes((folder / "train" / "kind1" / "0.jpg").read_bytes())
    run = start(cats_vs_dogs, room, "--data", str(folder), "--model", "small", *FEW)
    left_out = [line for line in run.lines if line.startswith("Left out  ")]
    assert len(left_out) == 2
    assert any("train/kind0/broken.jpg" in line for line in left_out)
    assert any("validation/kind1/same.jpg: is also train/kind1/0.jpg" in line for line in left_out)


# --- Keras' own generator ---------------------------------------------------------------------------------------------


def test_the_generator_as_the_workshop_teaches_it(room: Path) -> None:
    folder = write_photos(room / "toys")
    options = ["--data", str(folder), "--model", "workshop", "--pipeline", "generator", "--batch-size", "5"]
    run = start(cats_vs_dogs, room, *options, "--size", "32", "--epochs", "2", "--no-plots")
    assert "Found 12 images belonging to 2 classes." in run.lines
    assert "Class indices   {'kind0': 0, 'kind1': 1}" in run.lines
    assert "Steps an epoch  3 batches of 5" in run.lines
    assert (room / "models" / "cats_vs_dogs_workshop.h5").exists()


@pytest.mark.slow
def test_the_generator_changes_pictures_and_takes_three_classes_from_an_archive(room: Path) -> None:
    import shutil

    write_photos(room / "three", 3)
    archive = shutil.make_archive("three", "zip", room / "three")
    run = start(cats_vs_dogs, room, "--data", archive, "--model", "small", "--pipeline", "generator", *FEW)
    assert "Class indices   {'kind0': 0, 'kind1': 1, 'kind2': 2}" in run.lines
    assert 0 <= run.metrics["validation_accuracy"] <= 1


def test_the_same_kinds_of_changes_for_the_generator() -> None:
    augmentation = cats_vs_dogs.SETTINGS["small"].augmentation
    assert augmentation is not None
    options = photo_classifier.for_generator(augmentation)
    assert options["horizontal_flip"] and options["rotation_range"] == augmentation.rotation
    assert min(options["shear_range"], options["width_shift_range"], options["zoom_range"]) > 0


# --- Options and what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--size", "600"], "--size: got 600, takes 32 to 512"),
        (["--size", "8"], "got 8, takes a whole number from 32 up"),
        (["--pipeline", "generator", "--resume"], "--resume: got --pipeline generator too"),
        (["--precision", "8"], "invalid choice: '8'"),
    ],
)
def test_wrong_options(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cats_vs_dogs.main(options)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_a_folder_without_two_classes(room: Path) -> None:
    with pytest.raises(WorkshopError, match=r"kind0.*train/<class>/"):
        cats_vs_dogs.main(["--data", str(write_photos(room / "one", 1)), *FEW])
    (room / "empty").mkdir()
    with pytest.raises(WorkshopError, match=r"train/<class>/"):
        cats_vs_dogs.main(["--data", "empty", *FEW])
    assert list((room / "models").iterdir()) == []


def test_how_often_the_pictures_are_seen_depends_on_how_many_there_are() -> None:
    settings = cats_vs_dogs.SETTINGS["small"]
    arguments = cats_vs_dogs.parse("", ["--no-plots"])
    plans = {samples: settings.plan(samples, 16, arguments) for samples in (20, 280, 2000, 100_000)}
    assert plans[20].epochs == 60 and plans[100_000].epochs == 3
    assert plans[280].epochs > plans[2000].epochs
    assert plans[280].steps == plans[280].epochs * 18
    assert settings.plan(280, 16, cats_vs_dogs.parse("", ["--epochs", "20"])).epochs == 20
    mine = settings.plan(280, 16, cats_vs_dogs.parse("", ["--optimizer", "sgd", "--batch-size", "5"]))
    assert (mine.optimizer, mine.learning_rate, mine.batch_size, mine.steps) == ("sgd", None, 5, None)


# --- The figures of the curriculum, on the real photographs -----------------------------------------------------------


@pytest.mark.real
def test_the_network_that_ships_names_photographs(real_data: Path) -> None:
    found = photos.load_photos(real_data / "cats_vs_dogs.tar")
    loaded = bundle.load(files.shipped("models") / "cats_vs_dogs_small.h5", ["cats_vs_dogs"])
    answers = loaded.predict(image_data.scale_pixels(found.X_validation))[:, 0]
    assert np.mean((answers >= 0.5) == found.y_validation) == pytest.approx(
        loaded.card["metrics"]["validation_accuracy"]
    )


@pytest.mark.real
def test_the_default_run_reaches_its_figure(room: Path) -> None:
    run = start(cats_vs_dogs, room)
    assert run.answer["data"] == "cats_vs_dogs.tar (280 + 120 photographs)"
    assert run.metrics["small_validation_accuracy"] >= 0.85
    assert run.metrics["workshop_validation_accuracy"] > 0.5
    assert "As expected for this lesson." in run.lines
