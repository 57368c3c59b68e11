"""The lesson `cats_vs_dogs`: both networks, both pipelines, photos of one's own, and what is refused."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_claims, start, stop_after
from PIL import Image

from workshop import cats_vs_dogs
from workshop.kit import files, photo_classifier
from workshop.kit.data import images as image_data
from workshop.kit.data import synthetic_animals
from workshop.kit.errors import WorkshopError
from workshop.kit.photo_classifier import PhotoRecipe
from workshop.kit.photos import dataset as photos
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.saving import bundle
from workshop.programs import engines

SHORT = ["--size", "32", "--epochs", "1", "--no-plots"]


def write_photos(folder: Path, classes: int = 2, train: int = 6, validation: int = 4) -> Path:
    """Makes photos of different sizes: each class has its own colour, and noise."""
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
    """Both networks on photos of one's own."""
    folder = tmp_path_factory.mktemp("cats")
    toys = write_photos(folder / "toys", train=20, validation=10)
    return start(cats_vs_dogs, folder, "--data", str(toys), "--size", "32", "--epochs", "8")


# --- The networks -----------------------------------------------------------------------------------------------------


def test_the_network_of_the_workshop() -> None:
    model = cats_vs_dogs.build_workshop(150, 2)
    shapes = [weight.shape for weight in model.get_weights()]
    assert shapes[:6:2] == [(3, 3, 3, 16), (3, 3, 16, 32), (3, 3, 32, 64)]
    assert shapes[6::2] == [(17 * 17 * 64, 512), (512, 512), (512, 512), (512, 1)]
    assert [layer.activation.__name__ for layer in model.layers if hasattr(layer, "units")] == ["relu"] * 3 + [
        "sigmoid"
    ]
    assert model.count_params() == 10_019_873
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
        "network",
        "weights",
        "s per epoch",
        "training accuracy",
        "validation accuracy",
        "gap in points",
    ]
    for row, kind in zip(table[2:], ("workshop", "small"), strict=True):
        name, weights, seconds, train, validation, gap = row.split()
        assert name == kind and int(weights.replace(",", "")) > 10_000 and float(seconds) > 0
        for text, part in ((train, "train"), (validation, "validation")):
            assert float(text.rstrip("%")) == pytest.approx(
                100 * two_networks.metrics[f"{kind}_{part}_accuracy"], abs=0.05
            )
        assert float(gap) == pytest.approx(float(train.rstrip("%")) - float(validation.rstrip("%")), abs=0.11)
    assert "No expected band: --epochs given." in lines
    assert "Data      toys (40 + 20 photographs)" in [line.partition(",")[0] for line in lines]
    assert "Classes   kind0 (20), kind1 (20)" in lines


def test_it_learns_to_classify(two_networks: Run) -> None:
    assert two_networks.metrics["small_train_accuracy"] >= 0.9 or two_networks.metrics["workshop_train_accuracy"] >= 0.9


def test_what_is_saved_predicts_the_same_in_all_engines(two_networks: Run) -> None:
    for kind in ("workshop", "small"):
        path = two_networks.models / f"cats_vs_dogs_{kind}.h5"
        card = bundle.load(path, ["cats_vs_dogs"]).card
        assert card["classes"] == ["kind0", "kind1"]
        assert card["inputs"] == [{"name": "image", "shape": [32, 32, 3], "minimum": 0.0, "maximum": 1.0}]
        assert card["metrics"]["validation_accuracy"] == two_networks.metrics[f"{kind}_validation_accuracy"]
        X = image_data.scale_pixels(synthetic_animals.draw_photos(4, 32, 1)[0])
        answers = [engines.load(path, ["cats_vs_dogs"], engine).predict(X) for engine in engines.ENGINES]
        assert np.ptp(np.stack(answers), axis=0).max() < 1e-5


def test_the_network_that_ships_predicts_the_same_in_all_engines() -> None:
    path = files.shipped("models") / "cats_vs_dogs_small.h5"
    assert path.stat().st_size < 2**20 and bundle.load(path, ["cats_vs_dogs"]).card["classes"] == ["cats", "dogs"]
    X = image_data.scale_pixels(synthetic_animals.draw_photos(6, 150, 1)[0])
    answers = [engines.load(path, ["cats_vs_dogs"], engine).predict(X) for engine in engines.ENGINES]
    assert np.ptp(np.stack(answers), axis=0).max() < 1e-5
    assert np.ptp(answers[0]) > 0.1


def test_the_plots_show_the_training_and_the_augmentation(two_networks: Run) -> None:
    names = {path.name for path in two_networks.plots.iterdir()}
    assert {"cats_vs_dogs-accuracy.png", "cats_vs_dogs-augmentation.png"} <= names


def test_titles_come_before_the_progress(two_networks: Run) -> None:
    lines = two_networks.lines
    titles = [i for i, line in enumerate(lines) if line.endswith(" weights, 8 epochs of 40 photos")]
    assert [lines[i].partition(":")[0] for i in titles] == ["workshop", "small"]
    first_epochs = [i for i, line in enumerate(lines) if line == "Epoch 1/8"]
    assert titles[0] < first_epochs[0] < titles[1] < first_epochs[1] < lines.index("Compared")


def test_a_run_on_drawings_leaves_the_network_of_the_photos_alone(room: Path) -> None:
    (room / "models").mkdir()
    trained_on_photos = room / "models" / "cats_vs_dogs_small.h5"
    trained_on_photos.write_bytes(b"trained on photos")
    run = start(cats_vs_dogs, room, "--model", "small", *SHORT)
    assert "Data      drawn cats and dogs (stand-in for photographs)" in run.lines
    assert "No expected band: the data is a stand-in." in run.lines
    assert trained_on_photos.read_bytes() == b"trained on photos"
    saved = sorted(path.name for path in run.models.iterdir())
    assert saved == ["cats_vs_dogs_small-standin.h5", "cats_vs_dogs_small-standin.json", "cats_vs_dogs_small.h5"]


@pytest.mark.slow
def test_a_run_is_resumed_to_the_same_bits(monkeypatch: pytest.MonkeyPatch, room: Path) -> None:
    options = ["--data", str(write_photos(room / "toys")), "--model", "small", "--size", "32", "--epochs", "4"]
    whole = start(cats_vs_dogs, room / "whole", *options, "--no-plots")
    stop_after(2, monkeypatch, lambda: start(cats_vs_dogs, room, *options, "--no-plots"))
    resumed = start(cats_vs_dogs, room, *options, "--no-plots", "--resume")
    assert any(line.startswith("Resumed   after epoch 2 of 4") for line in resumed.lines)
    assert resumed.metrics == whole.metrics
    models = [run.load("cats_vs_dogs_small").model.get_weights() for run in (whole, resumed)]
    for one, other in zip(*models, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_three_classes_and_their_confusion(room: Path) -> None:
    options = ["--data", str(write_photos(room / "three", 3)), "--model", "small", "--size", "32", "--epochs", "2"]
    run = start(cats_vs_dogs, room, *options)
    assert set(run.metrics) == {"train_accuracy", "validation_accuracy"}
    assert (room / "plots" / "cats_vs_dogs_small-confusion.png").exists()
    answers = bundle.load(room / "models" / "cats_vs_dogs_small.h5", ["cats_vs_dogs"]).predict(np.zeros((1, 32, 32, 3)))
    assert answers.shape == (1, 3) and answers.sum() == pytest.approx(1)


def test_photos_that_cannot_be_used_are_named_and_left_out(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cats_vs_dogs.RECIPES, "small", PhotoRecipe(images=1, batch_size=16))
    folder = write_photos(room / "toys")
    (folder / "train" / "kind0" / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    (folder / "validation" / "kind1" / "same.jpg").write_bytes((folder / "train" / "kind1" / "0.jpg").read_bytes())
    run = start(cats_vs_dogs, room, "--data", str(folder), "--model", "small", "--size", "32", "--no-plots")
    assert "No expected band: the photos are your own." in run.lines
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
    assert "Steps per epoch 3 batches of 5" in run.lines
    assert (room / "models" / "cats_vs_dogs_workshop.h5").exists()


def test_the_generators_give_pixels_from_0_to_1_and_the_class_indices(room: Path) -> None:
    folder = write_photos(room / "toys")
    generators = cats_vs_dogs.make_generators(folder, cats_vs_dogs.TAUGHT, 32, 2, seed=1)
    for generator, of_each in zip(generators, (6, 4), strict=True):
        X, y = next(generator)
        assert X.shape == (2 * of_each, 32, 32, 3)
        assert 0 <= X.min() < 0.1 and 0.8 < X.max() <= 1
        assert sorted(y) == [0] * of_each + [1] * of_each


def test_the_generators_make_batches_of_the_recipes_size_in_the_order_of_the_seed(room: Path) -> None:
    folder = write_photos(room / "toys", 3)

    def of(recipe: PhotoRecipe, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
        return [next(generator) for generator in cats_vs_dogs.make_generators(folder, recipe, 32, 3, seed)]

    plain = replace(cats_vs_dogs.TAUGHT, batch_size=5, validation_batch_size=0)
    (X, y), (watched, _) = of(plain)
    assert (len(X), len(watched)) == (5, 5)
    assert [len(X) for X, _ in of(replace(plain, validation_batch_size=4))] == [5, 4]
    (same, labels), _ = of(plain)
    np.testing.assert_array_equal(same, X)
    np.testing.assert_array_equal(labels, y)
    assert set(labels) <= {0, 1, 2} and not np.array_equal(of(plain, seed=2)[0][0], X)
    # The photos to train on are changed at random, those to validate on never.
    (changed, _), (still_watched, _) = of(replace(plain, augmentation=Augmentation()))
    assert np.abs(changed - X).mean() > 0.01
    np.testing.assert_array_equal(still_watched, watched)


@pytest.mark.parametrize(
    ("steps", "samples", "lines"),
    [
        (0, 876, ["Steps per epoch 8 batches of 125"]),
        (8, 1500, ["Steps per epoch 8 batches of 125"]),
        (8, 876, ["Steps per epoch 8 batches of 125"]),
        (8, 875, ["Steps per epoch 8 batches of 125", "875 photos make 7 batches"]),
        (8, 125, ["Steps per epoch 8 batches of 125", "125 photos make 1 batch"]),
        (20, 1250, ["Steps per epoch 20 batches of 125", "1,250 photos make 10 batches"]),
    ],
)
def test_the_run_says_what_happens_where_the_photos_make_fewer_batches(
    steps: int, samples: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cats_vs_dogs.report_steps(replace(cats_vs_dogs.TAUGHT, steps_per_epoch=steps), samples)
    first, *others = lines
    expected = [first, *(f"{16 * ' '}{other}: they come again, in another order" for other in others)]
    assert capsys.readouterr().out.splitlines() == expected


def test_an_epoch_of_the_preset_goes_on_where_the_photos_end(room: Path) -> None:
    options = ["--data", str(write_photos(room / "toys")), "--preset", "workshop", "--size", "32", "--epochs", "2"]
    run = start(cats_vs_dogs, room, *options, "--batch-size", "5", "--no-plots")
    assert "Class indices   {'kind0': 0, 'kind1': 1}" in run.lines
    first = run.lines.index("Steps per epoch 8 batches of 5")
    assert run.rows[first + 1][:5] == ["12", "photos", "make", "3", "batches:"]
    assert run.rows[first + 2] == ["8", "of", "63", "to", "validate"]
    assert sum(line.startswith("8/8 - ") for line in run.lines) == 2
    assert [path.name for path in run.models.glob("*.h5")] == ["cats_vs_dogs_workshop-preset.h5"]
    assert run.metrics.keys() == {"train_accuracy", "validation_accuracy"}


@pytest.mark.slow
def test_the_generator_changes_photos_and_takes_three_classes_from_an_archive(room: Path) -> None:
    import shutil

    write_photos(room / "three", 3)
    archive = shutil.make_archive("three", "zip", room / "three")
    run = start(cats_vs_dogs, room, "--data", archive, "--model", "small", "--pipeline", "generator", *SHORT)
    assert "Class indices   {'kind0': 0, 'kind1': 1, 'kind2': 2}" in run.lines
    assert 0 <= run.metrics["validation_accuracy"] <= 1


def test_the_same_kinds_of_changes_for_the_generator() -> None:
    augmentation = Augmentation(flip=0.5, rotation=7.0, shear=4.0, shift=0.1, zoom=0.2, contrast=0.3, brightness=0.4)
    assert photo_classifier.generator_options(augmentation) == {
        "horizontal_flip": True,
        "rotation_range": 7.0,
        "shear_range": 4.0,
        "width_shift_range": 0.1,
        "height_shift_range": 0.1,
        "zoom_range": 0.2,
        "brightness_range": (0.7, 1.3),
        "channel_shift_range": 255 * 0.4,
    }
    assert not photo_classifier.generator_options(Augmentation(flip=0))["horizontal_flip"]


# --- Options and what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--size", "513"], "--size: got 513, takes 32 to 512"),
        (["--size", "8"], "got 8, takes a whole number from 32 up"),
        (["--pipeline", "generator", "--resume"], "--resume: got --pipeline generator too"),
        (["--preset", "workshop", "--resume"], "--resume: got --preset workshop too"),
        (["--preset", "workshop", "--model", "small"], "--preset workshop: got --model small, takes workshop"),
        (["--preset", "workshop", "--pipeline", "fast"], "--preset workshop: got --pipeline fast, takes generator"),
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
        cats_vs_dogs.main(["--data", str(write_photos(room / "one", 1)), *SHORT])
    (room / "empty").mkdir()
    with pytest.raises(WorkshopError, match=r"train/<class>/"):
        cats_vs_dogs.main(["--data", "empty", *SHORT])
    assert list((room / "models").iterdir()) == []


@pytest.mark.parametrize("size", [32, 512])
def test_the_smallest_and_the_largest_size_are_taken(size: int) -> None:
    assert cats_vs_dogs.parse("", ["--no-plots", "--size", str(size)]).size == size


def test_how_often_the_photos_are_seen_depends_on_how_many_there_are() -> None:
    small = cats_vs_dogs.RECIPES["small"]
    arguments = cats_vs_dogs.parse("", ["--no-plots"])
    recipes = {samples: small.with_options(arguments, samples) for samples in (20, 280, 2000, 100_000)}
    assert [recipe.epochs for recipe in recipes.values()] == [60, 18, 3, 3]
    assert [recipe.batch_size for recipe in recipes.values()] == [16, 16, 32, 32]
    assert recipes[280].steps == 18 * 18 and recipes[280].schedule
    assert small.with_options(cats_vs_dogs.parse("", ["--epochs", "20"]), 280).epochs == 20
    assert small.with_options(cats_vs_dogs.parse("", ["--quick"]), 80).epochs == 4
    own = small.with_options(cats_vs_dogs.parse("", ["--optimizer", "sgd", "--batch-size", "5"]), 280)
    assert (own.optimizer, own.learning_rate, own.batch_size, own.schedule) == ("sgd", None, 5, False)
    workshop = cats_vs_dogs.RECIPES["workshop"].with_options(arguments, 280)
    assert (workshop.optimizer, workshop.rate, workshop.epochs, workshop.schedule_steps) == ("adam", 0.001, 6, None)


def test_the_preset_is_the_recipe_of_the_workshop() -> None:
    arguments = cats_vs_dogs.parse("", ["--no-plots", "--preset", "workshop"])
    assert (arguments.pipeline, arguments.size, [*arguments.recipes]) == ("generator", 150, ["workshop"])
    for samples in (280, 1000, 25_000):
        recipe = arguments.recipes["workshop"].with_options(arguments, samples)
        assert (recipe.optimizer, recipe.rate, recipe.schedule_steps) == ("adam", 0.001, None)
        assert (recipe.epochs, recipe.steps_per_epoch, recipe.batch_size) == (30, 8, 125)
        assert (recipe.validation_steps, recipe.validation_batch_size) == (8, 63)
        assert recipe.augmentation is None and recipe.sizes(150, samples) is None
    assert cats_vs_dogs.parse("", ["--no-plots", "--preset", "workshop"], has_generator=False).pipeline == "fast"


# --- The numbers of the curriculum, on the real photos -----------------------------------------------------------


@pytest.mark.real
def test_the_network_that_ships_classifies_photos(real_data: Path) -> None:
    found = photos.load_photos(real_data / "cats_vs_dogs.tar")
    loaded = bundle.load(files.shipped("models") / "cats_vs_dogs_small.h5", ["cats_vs_dogs"])
    answers = loaded.predict(image_data.scale_pixels(found.X_validation))[:, 0]
    assert np.mean((answers >= 0.5) == found.y_validation) == pytest.approx(
        loaded.card["metrics"]["validation_accuracy"]
    )


@pytest.mark.real
@pytest.mark.slow
def test_the_default_run_reaches_its_band(room: Path) -> None:
    run = start(cats_vs_dogs, room)
    assert run.answer["data"] == "cats_vs_dogs.tar (280 + 120 photographs)"
    assert_claims(run.metrics, "cats_vs_dogs")
    assert run.metrics["workshop_validation_accuracy"] > 0.5
    assert "Total params: 10,019,873" in run.output
    assert "As expected for this lesson." in run.lines
