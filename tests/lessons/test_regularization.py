"""Overfitting and what helps against it: distorted images, penalties, a largest norm, dropout, early stopping.

The quick run in NumPy is made once for all tests.
"""

import argparse
import os
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_no_part_takes_longer, start, stop_after

from workshop import regularization as lesson
from workshop.kit import bands
from workshop.kit.data.images import load_image_set
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.report import Report
from workshop.kit.saving.model import as_model
from workshop.kit.training import Recipe
from workshop.programs import engines
from workshop.regularization import AFFINE, ELASTIC, NOTHING, REMEDIES, SIDE, Digits, Distortion, Remedy
from workshop.scratch import regularization as in_numpy
from workshop.scratch.nn.losses import BinaryCrossentropy
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.state import TrainingState

FEW_DIGITS = "digits (stand-in for mnist), the first 1,000 and 500"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return start(in_numpy, tmp_path_factory.mktemp("regularization"), "--quick", "--no-plots")


@pytest.fixture
def digits() -> Digits:
    random = np.random.default_rng(0)
    return Digits(
        random.random((20, SIDE * SIDE), np.float32), np.eye(10, dtype=np.float32)[random.integers(0, 10, 20)]
    )


def test_the_table_has_a_row_for_each_remedy(run: Run) -> None:
    for name, remedy in REMEDIES.items():
        row = next(line for line in run.lines if line.startswith(f"{remedy.title}  "))
        on_train, on_test = run.metrics[f"{name}_train_accuracy"], run.metrics[f"{name}_test_accuracy"]
        gap = 100 * (on_train - on_test)
        assert row.split()[-6:-2] == [f"{on_train:.2%}", f"{on_test:.2%}", f"{gap:.1f}", "points"]
    assert run.answer["data"] == FEW_DIGITS
    assert len(run.seconds) == len(REMEDIES) and sum(run.seconds) <= run.answer["seconds"] + 0.5
    assert re.search(r"It took \d+\.\d s", run.output)
    assert_no_part_takes_longer(run)


def test_the_saved_network_is_the_same_in_every_engine(run: Run) -> None:
    path = next(run.models.glob("regularization-quick*.h5"))
    X = np.random.default_rng(3).random((5, SIDE * SIDE), np.float32)
    outputs = [engines.load(path, ["regularization"], engine).predict(X) for engine in engines.ENGINES]
    assert np.ptp(outputs[0]) > 0.1
    for other in outputs[1:]:
        np.testing.assert_allclose(other, outputs[0], atol=1e-6)


@pytest.mark.parametrize(
    ("accuracy", "losses", "said"),
    [
        # Epoch 3 of 6 has all right, and the fourth has one wrong: it is the fifth from which on none is.
        (
            [0.5, 0.9, 1, 0.999, 1, 1],
            [3, 2, 1, 2, 3, 4],
            "epoch 3, then rises; all training images are right from epoch 5",
        ),
        ([0.5, 0.9, 1, 1, 1, 0.999], [6, 5, 4, 3, 2, 1], "epoch 6; not all training images are right."),
    ],
)
def test_what_is_said_of_overfitting_is_true_and_a_row_of_the_table(
    accuracy: list[float], losses: list[float], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report("regularization", lesson.parse(None, ["--no-plots"]))
    tests = {epoch: (loss, 0.5 + epoch / 100) for epoch, loss in enumerate(losses, 1)}
    lesson.report_overfitting(report, {"loss": [0.6, 0.5, 0.4, 0.3, 0.2, 0.1], "accuracy": accuracy}, tests)
    table, _, sentence = capsys.readouterr().out.rpartition("The test loss is lowest after ")
    assert sentence.startswith(said)
    lowest = said.split(";")[0].split(",")[0].split()[-1]
    assert [line.split()[2] for line in table.splitlines() if line.startswith(f"{lowest} ")] == ["1"]
    assert report.metrics == {
        "few_train_log_loss": 0.1,
        "few_train_accuracy": accuracy[-1],
        "few_test_accuracy": 0.5 + len(tests) / 100,
        "few_test_log_loss": losses[-1],
        "few_lowest_test_log_loss": 1,
    }


def test_the_text_says_what_five_seeds_gave() -> None:
    metrics = bands.measured()["regularization"]["keras"]["metrics"]

    def mean(name: str) -> float:
        return float(metrics[name]["mean"])

    def gap(name: str) -> float:
        return 100 * (mean(f"{name}_train_accuracy") - mean(f"{name}_test_accuracy"))

    closed = {name: 1 - gap(name) / gap("plain") for name in REMEDIES}
    assert gap("few") == pytest.approx(18, abs=0.5)
    assert (closed["l2"], closed["max_norm"]) == pytest.approx((1 / 3, 1 / 3), abs=0.03)
    assert [closed[name] for name in ("l1", "dropout_20", "dropout_50")] == pytest.approx([0.2] * 3, abs=0.05)
    assert closed["affine"] == pytest.approx(0.5, abs=0.02) and gap("elastic") == pytest.approx(4, abs=0.1)
    assert mean("combined_test_accuracy") == pytest.approx(0.92, abs=0.005)
    assert max(mean("early_stopping_test_accuracy"), mean("fewer_units_test_accuracy")) < mean("plain_test_accuracy")
    assert mean("fewer_units_train_accuracy") < mean("plain_train_accuracy")


# --- Distorted images -------------------------------------------------------------------------------------------------


def test_no_distortion_leaves_an_image_as_it_is(digits: Digits) -> None:
    same = lesson.distort(digits.X, Distortion(0, 0, 0), np.random.default_rng(0))
    np.testing.assert_allclose(same, digits.X, atol=1e-5)


def test_an_affine_map_turns_about_the_middle(monkeypatch: pytest.MonkeyPatch, digits: Digits) -> None:
    quarter = np.array([[[0.0, -1.0], [1.0, 0.0]]] * 20, np.float32)
    monkeypatch.setattr(lesson, "_affine_maps", lambda *_: quarter)
    turned = lesson.distort(digits.X, AFFINE, np.random.default_rng(0)).reshape(-1, SIDE, SIDE)
    for before, after in zip(digits.X.reshape(-1, SIDE, SIDE), turned, strict=True):
        # Row r and column c of the new image come from row -c and column r of the old one, about the middle.
        np.testing.assert_allclose(after, np.rot90(before, -1), atol=1e-4)


@pytest.mark.parametrize("distortion", [AFFINE, ELASTIC])
def test_each_image_is_distorted_in_its_own_way_and_by_the_seed(distortion: Distortion) -> None:
    strokes = np.zeros((3, SIDE, SIDE), np.float32)
    strokes[:, 8:20, 12:16] = 1  # three times the same stroke
    X = strokes.reshape(3, -1)
    one, again, other = (lesson.distort(X, distortion, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.float32
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])
    assert one.min() >= 0
    assert one.max() <= 1 + 1e-6
    # The stroke is moved and bent, not lost.
    assert one.sum(axis=1) == pytest.approx(48, rel=0.5)


def test_elastic_displacements_are_smooth() -> None:
    field = lesson._displacements(50, ELASTIC, np.random.default_rng(0)).reshape(50, 2, SIDE, SIDE)
    steps = np.abs(np.diff(field, axis=3)).mean()
    assert 1 < np.abs(field).mean() < 3  # pixels
    assert steps < 0.4  # from one pixel to the next


def test_distorted_copies_take_as_many_steps(digits: Digits) -> None:
    arguments = argparse.Namespace(quick=False, seed=1)
    recipe = Recipe(100, batch_size=10)
    shown, fewer = lesson.shown_images(digits, REMEDIES["affine"], recipe, arguments)
    assert len(shown.X) * fewer.epochs == len(digits.X) * recipe.epochs
    assert np.array_equal(shown.y[:20], digits.y)
    assert lesson.shown_images(digits, NOTHING, recipe, arguments) == (digits, recipe)


# --- The remedies are the same in every engine ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "remedy",
    [Remedy("l2", l2=1e-2), Remedy("l1", l1=1e-2), Remedy("max-norm", max_norm=5.0)],
    ids=lambda one: one.label,
)
def test_a_remedy_takes_the_same_steps_in_every_engine(remedy: Remedy, digits: Digits) -> None:
    recipe = Recipe(1, 0.5, batch_size=10, optimizer="sgd", schedule=False)
    model = lesson.build_network(remedy)
    start_weights = model.get_weights()
    lesson.compile_network(model, recipe)
    network = in_numpy.build(remedy, 1)
    network.set_weights(start_weights)
    optimizer, criterion = make_optimizer("sgd", 0.5), BinaryCrossentropy()
    for rows in (slice(0, 10), slice(10, 20)):
        model.train_on_batch(digits.X[rows], digits.y[rows])
        outputs = network.forward(digits.X[rows], training=True)
        network.backward(outputs, digits.y[rows], criterion)
        optimizer.apply(in_numpy.penalize(network, network.gradients, remedy), network.parameters)
        if remedy.max_norm:
            in_numpy.shorten(network, remedy.max_norm)
    for by_keras, by_numpy, before in zip(model.get_weights(), network.get_weights(), start_weights, strict=True):
        np.testing.assert_allclose(by_numpy, by_keras, atol=2e-6)
        assert not np.array_equal(by_keras, before)
    if remedy.max_norm:
        assert np.linalg.norm(network.get_weights()[0], axis=0).max() == pytest.approx(5, abs=1e-4)


def test_a_remedy_takes_the_same_steps_in_pytorch(digits: Digits, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from torch import nn
    from torch.utils.data import DataLoader

    from workshop.kit.training.checkpoint import Checkpoint
    from workshop.pytorch import regularization as in_torch
    from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
    from workshop.pytorch.kit.model import TorchModel
    from workshop.pytorch.kit.state import TrainingState as TorchState

    remedy = Remedy("all", l2=1e-2, l1=1e-2, max_norm=5.0)
    recipe = Recipe(1, 0.5, batch_size=20, optimizer="sgd", schedule=False)
    network = in_torch.build(remedy, 1)
    model = TorchModel(network, input_shape=(SIDE * SIDE,), activation="sigmoid")
    in_keras = lesson.build_network(remedy)
    in_keras.set_weights(model.get_weights())
    lesson.compile_network(in_keras, recipe)
    in_keras.train_on_batch(digits.X, digits.y)
    loader = DataLoader(ArrayDataset(digits.X, digits.y), sampler=SeededBatches(20, 20, seed=1), batch_size=None)
    state = TorchState(Checkpoint(tmp_path / "state.npz", False), recipe, model)
    in_torch.train(network, loader, state, nn.BCEWithLogitsLoss(), remedy)
    for by_keras, by_torch in zip(in_keras.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(by_torch, by_keras, atol=2e-6)


def test_the_seconds_of_a_training_in_pytorch_are_its_own(digits: Digits, room: Path) -> None:
    pytest.importorskip("torch")
    from workshop.kit.training.checkpoint import Checkpoint
    from workshop.pytorch import regularization as in_torch

    arguments, recipe = lesson.parse(None, []), Recipe(1, 0.5, batch_size=10, optimizer="sgd", schedule=False)
    checkpoint = Checkpoint(room / "state.npz", False)
    trainings = [
        lambda: in_torch.fit_all(1, digits, recipe, checkpoint),
        lambda: in_torch.fit_remedy(arguments, NOTHING, recipe, checkpoint, digits, digits),
    ]
    for training in trainings:
        started = time.perf_counter()
        _, seconds = training()
        assert 0 < seconds <= time.perf_counter() - started


@pytest.mark.slow
def test_two_processes_go_on_with_what_one_began_and_end_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from workshop.pytorch import regularization as in_torch

    options = ["--quick", "--no-plots"]
    one = start(in_torch, tmp_path / "one", *options)
    assert one.answer["data"] == FEW_DIGITS
    stop_after(7, monkeypatch, lambda: start(in_torch, tmp_path / "two", *options))
    two = start(in_torch, tmp_path / "two", *options, "--resume", "--jobs", "2")
    for run in (one, two):
        assert len(run.seconds) == len(REMEDIES)
        assert_no_part_takes_longer(run)
    assert "Resumed   after epoch 7 of 20" in two.output
    assert two.metrics == one.metrics
    (of_one,), (of_two,) = (run.models.glob("*.h5") for run in (one, two))
    assert of_two.read_bytes() == of_one.read_bytes()
    assert not list(two.models.glob("*checkpoint*"))


@pytest.mark.slow
def test_this_process_trains_beside_another_one_whose_end_is_an_error_of_one_line() -> None:
    pytest.importorskip("torch")
    from workshop.pytorch.regularization import side_by_side

    arguments = argparse.Namespace(jobs=2, seed=1)
    first, second, third = side_by_side([os.getpid, os.getpid, partial(divmod, 7, 3)], arguments)
    assert first != os.getpid() == second
    assert third == (2, 1)
    with pytest.raises(WorkshopError, match=r"was ended from outside.*--resume goes on"):
        list(side_by_side([partial(os._exit, 1), os.getpid], arguments))


def test_the_loss_is_ten_times_that_of_keras(digits: Digits) -> None:
    outputs = np.random.default_rng(2).random((20, 10), np.float32)
    by_keras = keras.losses.BinaryCrossentropy()(digits.y, outputs)
    assert lesson.cross_entropy(outputs, digits.y) == pytest.approx(10 * float(by_keras), rel=1e-5)


# --- The ring ---------------------------------------------------------------------------------------------------------


def test_the_ring_lies_around_the_other_points() -> None:
    X, y = lesson.noisy_ring(2000, seed=1)
    radius = np.linalg.norm(X, axis=1)
    assert y.mean() == 0.5
    assert np.median(radius[y == 1]) == pytest.approx(1.65, abs=0.1)
    assert np.median(radius[y == 0]) < 0.9
    assert radius[y == 0].max() > radius[y == 1].min()  # the noise mixes them


def ring_in_pytorch(report: Report, name: str, X: np.ndarray, y: np.ndarray) -> Any:
    pytest.importorskip("torch")
    from workshop.pytorch import regularization as in_torch

    recipe = lesson.RECIPES["the ring"].with_options(report.arguments, len(X))
    return in_torch.fit_ring(report.arguments.seed, name, X, y, recipe, None)


FIT_RING = {"keras": lesson.fit_ring, "numpy": in_numpy.fit_ring, "torch": ring_in_pytorch}


@pytest.mark.parametrize("engine", FIT_RING)
def test_the_ring_is_told_from_what_it_surrounds_with_dropout_and_without(engine: str, room: Path) -> None:
    report = Report("regularization", lesson.parse(None, ["--quick", "--no-plots"]))
    (X, y), (X_test, y_test) = lesson.rings(seed=1)
    networks = [FIT_RING[engine](report, name, X, y) for name in ("plain", "dropout")]
    plain, dropout = (as_model(network).predict(X_test) for network in networks)
    for answer in (plain, dropout):  # a straight line has two thirds right at most
        assert np.mean(answer.argmax(axis=1) == y_test) > 0.8
    assert np.abs(plain - dropout).max() > 0.05


def test_simards_network_is_trained_on_images_distorted_anew(tmp_path: Path) -> None:
    done = start(lesson, tmp_path, "--preset", "simard", "--quick", "--no-plots")
    assert {f"simard_{name}_test_accuracy" for name in lesson.SIMARD} == done.metrics.keys()
    assert min(done.metrics.values()) > 0.3
    # Each batch draws its own changes, and the same batch the same ones.
    change = lesson.distorting(ELASTIC)
    X = np.random.default_rng(0).random((4, SIDE * SIDE), np.float32)
    assert np.array_equal(change(X), change(X))
    assert not np.array_equal(change(X), change(X[::-1].copy())[::-1])


# --- The results of the curriculum, on the real data ------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.slow
def test_the_network_memorises_and_the_remedies_help(tmp_path: Path) -> None:
    done = start(in_numpy, tmp_path)
    assert "As expected for this lesson." in done.lines
    assert done.metrics["few_train_accuracy"] == 1
    assert done.metrics["few_train_log_loss"] == pytest.approx(0.005, abs=0.002)
    assert 1 - done.metrics["few_test_accuracy"] == pytest.approx(0.18, abs=0.03)
    lowest = next(line for line in done.lines if line.startswith("The test loss is lowest after epoch "))
    assert 10 <= int(lowest.split(",")[0].split()[-1]) <= 40
    plain = done.metrics["plain_test_accuracy"]
    for name in ("l2", "l1", "dropout_20", "dropout_50", "max_norm", "affine", "elastic"):
        assert done.metrics[f"{name}_test_accuracy"] > plain + 0.01, name
    assert done.metrics["combined_test_accuracy"] == max(
        value
        for name, value in done.metrics.items()
        if name.endswith("test_accuracy") and name.split("_")[0] in REMEDIES
    )


@pytest.mark.real
@pytest.mark.slow
def test_with_all_images_the_gap_is_small() -> None:
    # What --full has beyond the default run, whose other trainings are the same.
    arguments = lesson.parse("", ["--full"], is_mirror=True)
    images = load_image_set("mnist")
    everything = lesson.to_digits(images.X_train, images.y_train)
    recipe = lesson.all_images_recipe(arguments, len(everything.X))
    assert (len(everything.X), recipe.epochs) == (60_000, 30)
    network = in_numpy.fit(NOTHING, everything, arguments.seed, TrainingState(None, recipe))
    found = lesson.measure(network.predict, everything, lesson.to_digits(images.X_test, images.y_test), seconds=0)
    assert found.gap == pytest.approx(2.42, abs=0.8)  # the course's result
