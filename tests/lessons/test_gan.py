"""Row E4 of the curriculum, the lesson `gan`: its verdicts, a quick run in both engines, and the shipped one."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.engines import assert_same_answers, assert_tells_the_same
from helpers.lesson_runs import Run, assert_claims, start, stop_after, without_published_data
from PIL import Image, ImageSequence

from workshop import gan as lesson
from workshop.kit import files, training
from workshop.kit.data.images import scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.programs import engines
from workshop.pytorch import gan as mirror
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.tracing import as_sequential

pytestmark = pytest.mark.usefixtures("alone")
MODEL = files.shipped("models") / "digit_generator.h5"
CLASSIFIER = files.shipped("models") / "mnist_cnn.h5"
MODULES: dict[str, Any] = {"keras": lesson, "torch": mirror}
SMALL = ("--quick", "--part", "digits")


@pytest.fixture(scope="module")
def run(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The generator alone, trained for some steps by the mirror, on what stands in for MNIST."""
    return trained("torch", tmp_path_factory.mktemp("gan-torch"))


@pytest.fixture(scope="module")
def of_keras(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same by the lesson."""
    return trained("keras", tmp_path_factory.mktemp("gan-keras"), "--no-plots")


FOUND: dict[Path, lesson.Trained] = {}  # what the training in a folder gave beside the generator


def trained(engine: str, folder: Path, *options: str) -> Run:
    train = MODULES[engine].train

    def keeping(*arguments: Any) -> Any:
        generator, FOUND[folder] = train(*arguments)
        return generator, FOUND[folder]

    with without_published_data(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULES[engine], "train", keeping)
        patch.setattr(lesson, "IMAGES", 256)
        patch.setattr(lesson, "FRAMES", 4)
        if engine == "keras":
            keras.utils.clear_session(free_memory=False)
        return start(MODULES[engine], folder, *SMALL, *options)


# --- Quality and variety of the digits --------------------------------------------------------------------------------


def test_a_verdict_counts_what_the_judge_is_sure_of_and_how_many_digits_there_are() -> None:
    images = np.zeros((4, 28, 28, 1))
    images[1] = 0.5  # the neighbours differ by 0.5, 0.5 and 0.75
    images[3] = 0.75
    probabilities = np.full((4, 10), 0.01)
    probabilities[[0, 1, 2, 3], [3, 3, 7, 7]] = [0.91, 0.89, 0.95, 0.5]
    verdict = lesson.evaluate_images(images, probabilities, np.array([3, 0, 7, 7]))
    assert (verdict.certain, verdict.accuracy) == (0.5, 0.75)
    assert verdict.counts.tolist() == [0, 0, 0, 2, 0, 0, 0, 2, 0, 0]
    assert verdict.entropy == pytest.approx(np.log(2) / np.log(10))
    assert verdict.distance == pytest.approx((0.5 + 0.5 + 0.75) / 3)
    same_digit = np.repeat(probabilities[:1], 4, axis=0)
    assert lesson.evaluate_images(images, same_digit, np.zeros(4)).entropy == 0


def test_the_nearest_training_image_is_found() -> None:
    training_images = np.random.default_rng(1).integers(0, 256, (50, 28, 28, 1), np.uint8)
    images = scale_pixels(training_images[[7, 3]])
    images[1] = np.clip(images[1] + np.float32(0.1), 0, 1)
    nearest, distances = lesson.nearest(images, training_images)
    np.testing.assert_array_equal(nearest, training_images[[7, 3]])
    by_hand = np.sqrt(np.square(images[1] - scale_pixels(training_images[3])).mean())
    assert distances == pytest.approx([0, by_hand], abs=2e-4)


def test_inputs_are_noise_and_a_label() -> None:
    inputs = lesson.generator_inputs(np.array([4, 0]), 1)
    assert inputs.shape == (2, 42) and inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs[:, 32:], np.eye(10)[[4, 0]])
    np.testing.assert_allclose(lesson.generator_inputs(np.array([4, 0]), 1, is_labelled=False)[:, 32:], 0.1)
    walk = lesson.walk_inputs(np.array([2, 5]), 6, 1).reshape(2, 6, 42)
    assert (walk[..., 32:].argmax(axis=2) == [[2] * 6, [5] * 6]).all()
    steps = np.linalg.norm(np.diff(walk[..., :32], axis=1), axis=2)
    assert np.all(steps < 3) and np.all(steps > 0.5)  # no jump, and none that stands still


def test_it_is_looked_at_after_the_steps_that_were_asked_for() -> None:
    looks = itertools.count()
    watch = training.Watch(lambda: np.array([next(looks)]), [0, 1, 2, 5, 6, 9])
    watch.set_model(SimpleNamespace(steps_per_execution=2))
    watch.set_params({"steps": 5})
    watch.on_train_begin()
    for epoch in range(2):
        watch.on_epoch_begin(epoch)
        for batch in (1, 3, 4):  # two steps a call, and the one that is left
            watch.on_train_batch_end(batch)
    assert watch.steps == [0, 2, 5, 7, 9]
    assert np.concatenate(watch.arrays).tolist() == [0, 1, 2, 3, 4]
    again = training.Watch(lambda: np.zeros(1), [0])
    again.set_state(watch.get_state())
    assert again.steps == watch.steps and np.array_equal(again.arrays, watch.arrays)


# --- A step of each network -------------------------------------------------------------------------------------------


def test_each_network_steps_by_its_own_loss_alone(prepared: None) -> None:
    gan = lesson.build_gan(lesson.build_generator(), lesson.build_discriminator(), 1)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    X = np.random.default_rng(1).random((8, 28, 28, 1), np.float32)
    labels = lesson.label_rows(np.arange(8))
    for rates, moved in (((0.0, 0.01), "discriminator"), ((0.01, 0.0), "generator")):
        gan.compile(*(keras.optimizers.SGD(rate) for rate in rates), loss_fn=loss, run_eagerly=True)
        before = {
            name: [v.numpy() for v in getattr(gan, name).trainable_variables] for name in ("generator", "discriminator")
        }
        logs = gan.train_step((X, labels))
        assert set(logs) == {"generator_loss", "discriminator_loss"}
        for name, weights in before.items():
            now = [v.numpy() for v in getattr(gan, name).trainable_variables]
            assert any(np.any(a != b) for a, b in zip(weights, now, strict=True)) == (name == moved)


def test_the_mirror_builds_the_lessons_networks(prepared: None) -> None:
    generator, discriminator = lesson.build_generator(), lesson.build_discriminator()
    for built, module in ((generator, mirror.Generator()), (discriminator, mirror.Discriminator().layers)):
        shape = built.input_shape[1:]
        by_torch = TorchModel(as_sequential(module, shape), shape)
        kinds = [type(layer).__name__ for layer in built.layers]
        # PyTorch has activations as layers of their own, and so has the description.
        described = [layer.kind for layer in by_torch.architecture.layers]
        assert [kind for kind in described if kind != "Activation"] == [
            kind for kind in kinds if kind not in ("Activation", "LeakyReLU")
        ]
        weights = [np.random.default_rng(i).normal(0.1, 0.1, w.shape) for i, w in enumerate(built.get_weights())]
        weights = [np.abs(w) for w in weights]  # variances are among them
        built.set_weights(weights)
        by_torch.set_weights(weights)
        X = np.random.default_rng(1).random((5, *shape), np.float32)
        assert_same_answers({"keras": built.predict(X, verbose=0), "torch": by_torch.predict(X)})


def test_the_averaged_generator_follows(prepared: None) -> None:
    old, new = torch.tensor([0.0]), torch.tensor([1.0])
    assert mirror.average(old, new, 1).item() == pytest.approx(10 / 11)
    assert mirror.average(old, new, 10_000).item() == pytest.approx(1 - lesson.AVERAGED)


# --- A run ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_mirror_reports_what_the_lesson_reports(run: Run, of_keras: Run) -> None:
    assert run.answer["engine"] == "torch" and run.answer["data"] == of_keras.answer["data"]
    assert [*run.metrics] == [*of_keras.metrics]
    shared = {"classifier_test_accuracy", "real_certain_test_success_rate", "real_test_entropy"}
    assert {name: run.metrics[name] for name in shared} == pytest.approx(
        {name: of_keras.metrics[name] for name in shared}, abs=0.003
    )
    assert_tells_the_same(run, of_keras)
    assert run.trainings == of_keras.trainings


@pytest.mark.parametrize("engine", ["torch", pytest.param("keras", marks=pytest.mark.slow)])
def test_three_engines_read_the_generator_of_either(engine: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue("run" if engine == "torch" else "of_keras")
    path = run.models / "digit_generator-quick-standin.h5"
    loaded = bundle.load(path, ["gan"])
    names = [column.name for column in loaded.inputs]
    assert len(names) == 42 and names[30:33] == ["noise 31", "noise 32", "is a 0"]
    assert loaded.card["classes"] == [*"0123456789"]
    inputs = lesson.generator_inputs(np.arange(20) % 10, 5)
    answers = {name: engines.load(path, ["gan"], name).predict(inputs) for name in ("keras", "torch", "numpy")}
    assert answers["numpy"].shape == (20, 28, 28, 1)
    assert_same_answers(answers)
    assert np.ptp(answers["numpy"]) > 0.1


def test_every_plot_has_something_on_it_and_the_film_goes_on(run: Run) -> None:
    names = {"samples", "training", "loss", "nearest", "walk", "classes"}
    assert {path.name for path in run.plots.iterdir()} == {*(f"gan-{name}.png" for name in names), "gan-training.gif"}
    for path in run.plots.glob("*.png"):
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image.convert("L"))) > 100, path.name
    with Image.open(run.plots / "gan-training.gif") as film:
        frames = [np.asarray(frame.convert("L"), int) for frame in ImageSequence.Iterator(film)]
    assert len(frames) == 5 and film.size[0] >= 500
    assert all(np.any(a != b) for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("engine", ["torch", pytest.param("keras", marks=pytest.mark.slow)])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(
    engine: str, room: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Run = request.getfixturevalue("run" if engine == "torch" else "of_keras")
    stop_after(3, monkeypatch, lambda: trained(engine, room, "--no-plots"))
    resumed = trained(engine, room, "--no-plots", "--resume")
    assert any(line.startswith("Resumed   after epoch 3 of 6") for line in resumed.lines)
    assert resumed.metrics == whole.metrics
    for path in whole.models.iterdir():
        assert (resumed.models / path.name).read_bytes() == path.read_bytes()
    assert sorted(resumed.models.glob("*checkpoint*")) == []
    # Both losses and the film too.
    continued, expected = FOUND[resumed.folder], FOUND[whole.folder]
    assert continued.steps == expected.steps and continued.curves == expected.curves
    np.testing.assert_array_equal(continued.frames, expected.frames)


@pytest.mark.parametrize("engine", ["torch", pytest.param("keras", marks=pytest.mark.slow)])
def test_a_training_that_diverges_is_said_in_a_line(engine: str, room: Path) -> None:
    with pytest.raises(WorkshopError, match=r"^training diverged: the loss is nan after epoch 1; take a smaller"):
        trained(engine, room, "--no-plots", "--learning-rate", "1e30")
    assert not [*(room / "models").glob("*.h5")]


@pytest.mark.parametrize(
    "option",
    [["--part", "colapse"], ["--epochs", "0"], ["--learning-rate", "-1"], ["--no-labels", "--part", "collapse"]],
)
def test_options_that_make_no_sense_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        lesson.main(option)
    assert option[0] in capsys.readouterr().err


# --- The results of the curriculum ------------------------------------------------------------------------------------


def test_the_shipped_generator_is_as_good_as_its_card_says(room: Path) -> None:
    generator = engines.load(MODEL, ["gan"], "numpy")
    classifier = engines.load(CLASSIFIER, ["mnist"], "numpy")
    assert MODEL.stat().st_size < 2**20 and generator.card["seed"] == 1 and generator.card["data"] == "MNIST"
    labels = np.arange(300) % 10
    images = generator.predict(lesson.generator_inputs(labels, 2))
    verdict = lesson.evaluate_images(images, classifier.predict(images), labels)
    assert verdict.certain >= 0.9 and verdict.accuracy >= 0.93 and verdict.entropy >= 0.95
    metrics = generator.card["metrics"]
    assert_claims(metrics, "gan")
    assert verdict.certain == pytest.approx(metrics["certain_test_success_rate"], abs=0.06)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("engine", MODULES)
def test_the_defaults_reach_the_expected_bands(engine: str, tmp_path: Path) -> None:
    run = start(MODULES[engine], tmp_path, "--no-plots")
    assert "As expected for this lesson." in run.output
    assert_claims(run.metrics, "gan")
    # No copies: the training images lie as far from the drawn digits as from test images.
    near, real = (run.metrics[f"{name}nearest_test_root_mean_squared_error"] for name in ("", "real_"))
    assert near > 0.6 * real
    assert (
        run.metrics["collapse_distance_test_root_mean_squared_error"]
        < 0.6 * run.metrics["real_distance_test_root_mean_squared_error"]
    )
