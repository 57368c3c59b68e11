"""The lesson `optimizers`: nine rules, whose steps are Keras' and PyTorch's own, raced, counted, and a rate lowered.

The quick run is the one that the tests of all lessons share.
"""

import inspect
import re
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers.engines import assert_same_network
from helpers.lesson_runs import Run, assert_claims, quick_run, start, stop_after

from workshop import optimizers as lesson
from workshop.figures.optimizers import Stalled
from workshop.kit.data.images import ImageSet
from workshop.kit.lazy import keras, torch
from workshop.kit.report import Report
from workshop.kit.saving import h5
from workshop.kit.saving.model import as_model
from workshop.optimizers import ALGORITHMS, SURFACES, TORCH_TERMS
from workshop.pytorch import optimizers as in_torch
from workshop.pytorch.kit import device
from workshop.pytorch.kit.model import TorchModel
from workshop.scratch import optimizers as in_numpy
from workshop.scratch.nn.optimizers import make_optimizer

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def quick(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return quick_run("optimizers", tmp_path_factory)


# --- The nine rules ---------------------------------------------------------------------------------------------------

GRADIENTS = np.random.default_rng(1).normal(size=(lesson.STEPS, 10)) * 10.0 ** np.arange(-9, 1)


@pytest.mark.parametrize("name", lesson.KERAS)
def test_each_of_a_hundred_steps_is_keras_step(name: str) -> None:
    rate = lesson.rates(name)[0]
    steps = lesson.steps_numpy(lesson.make_rule(name, rate), GRADIENTS)
    np.testing.assert_allclose(steps, lesson.steps_keras(name, GRADIENTS, lowered=False), rtol=0, atol=1e-6)


@pytest.mark.parametrize("lowered", [False, True])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_of_a_hundred_steps_is_pytorch_s_but_for_one_term(name: str, lowered: bool) -> None:
    def by_step(step: int) -> float:
        return lesson.rates(name, lowered)[step]

    by_numpy = lesson.steps_numpy(lesson.make_rule(name, by_step), GRADIENTS)
    by_torch = lesson.steps_torch(name, GRADIENTS, lowered)
    assert np.abs(by_torch).max() > 1e-3
    is_same = name not in TORCH_TERMS or (name in {"momentum", "nesterov"} and not lowered)
    if is_same:
        np.testing.assert_allclose(by_numpy, by_torch, rtol=0, atol=1e-12)
    else:
        assert np.abs(by_numpy - by_torch).max() > 1e-3
        with_its_term = lesson.steps_numpy(TORCH_TERMS[name][1](by_step), GRADIENTS)
        np.testing.assert_allclose(with_its_term, by_torch, rtol=0, atol=1e-9)


def test_the_rules_and_the_steps_are_printed(quick: Run) -> None:
    rows = {row[0]: row[1:] for row in quick.table("algorithm", "--optimizer")}
    assert [row[0] for row in rows.values()] == [*ALGORITHMS]
    assert rows["Adadelta"][-2:] == ["0.001", "1"] and rows["Rprop"][-2:] == ["has none", "0.01"]
    steps = {row[0]: row[1:] for row in quick.table("largest difference of a step")}
    assert len(steps) == 11
    # What is the same has two cells, what differs also the term.
    assert {name for name, cells in steps.items() if len(cells) == 4} == {
        "Adagrad",
        "RMSprop",
        "Adam",
        "Nadam",
        "momentum, rate halved",
        "Nesterov, rate halved",
    }
    for kind in ("keras_steps", "torch_steps", "torch_terms"):
        assert quick.metrics[f"{kind}_test_max_error"] < 1e-6


# --- The surfaces -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SURFACES)
def test_the_gradient_is_the_slope_of_the_surface(name: str) -> None:
    surface = SURFACES[name]
    w, tiny = np.array([0.7, -1.3]), 1e-6 * np.eye(2)
    slopes = [(surface.height(w + step) - surface.height(w - step)) / 2e-6 for step in tiny]
    assert surface.gradient(w) == pytest.approx(slopes, rel=1e-6)
    for minimum in surface.minima:
        assert surface.height(minimum) == pytest.approx(surface.lowest)
        assert surface.gradient(minimum) == pytest.approx([0, 0], abs=1e-12)


def test_the_race_on_the_surfaces(quick: Run) -> None:
    rows = {row[0]: row[1:] for row in quick.table("steps to the minimum of")}
    steps = {name: [int(cell.split()[-2]) for cell in cells] for name, cells in rows.items()}
    bowl, turned, saddle, valley = zip(*steps.values(), strict=True)
    # Momentum is faster than descent in the bowl and in the valley, and both are the same in the turned bowl.
    assert steps["Nesterov"][0] < steps["momentum"][0] < steps["gradient descent"][0]
    assert bowl[:3] == turned[:3]
    assert all(4 * bowl_steps < turned_steps for bowl_steps, turned_steps in [steps["Adagrad"][:2], steps["Rprop"][:2]])
    assert abs(steps["Adam"][1] - steps["Adam"][0]) < 5
    assert steps["Nesterov"][3] < steps["momentum"][3] < 500 == valley[0]
    # A small gradient is no small step for Rprop: it leaves the saddle first but for one.
    assert saddle[3] < saddle[0]


# --- Nine gradients and one -------------------------------------------------------------------------------------------


def test_rprop_walks_away_where_descent_comes_back() -> None:
    paths = lesson.nine_and_one(("sgd", "rprop"))
    assert paths["sgd"][[9, 10, 100]] == pytest.approx([-0.009, 0, 0], abs=1e-12)
    # Nine steps of 0.01, 0.012, ...; then it rests.
    assert paths["rprop"][9] == pytest.approx(-0.01 * (1.2**9 - 1) / 0.2) == paths["rprop"][10]
    assert paths["rprop"][100] < -300


def test_the_steps_of_rprop_stay_within_their_limits() -> None:
    along = lesson.steps_numpy(make_optimizer("rprop", 1.0), np.ones((40, 1)))
    assert along.min() == -50
    # Each change of the sign halves the step, and is followed by a rest.
    back_and_forth = lesson.steps_numpy(make_optimizer("rprop", 1.0), np.tile([[1.0], [-1.0]], (60, 1)))
    assert back_and_forth[:4, 0].tolist() == [-1, 0, -0.5, 0]
    assert np.abs(back_and_forth[-2:]).max() == pytest.approx(1e-6)


def test_rprop_in_keras_takes_the_same_steps_up_to_its_limits() -> None:
    from workshop.kit.training.rprop import Rprop

    to_and_fro = (-1.0) ** np.arange(60)
    gradients = np.column_stack([np.random.default_rng(2).normal(size=(60, 3)), np.ones(60), to_and_fro])
    optimizer, w = Rprop(1.0), keras.Variable(np.zeros(5), dtype="float64")
    path = [np.zeros(5)]
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [w])
        path.append(keras.ops.convert_to_numpy(w.value))
    by_numpy = lesson.steps_numpy(make_optimizer("rprop", 1.0), gradients)
    np.testing.assert_allclose(np.diff(path, axis=0), by_numpy, rtol=1e-6, atol=1e-9)
    assert np.abs(by_numpy).max(axis=0)[3:] == pytest.approx([50, 1])


def test_rprop_in_keras_has_the_defaults_of_the_other_engines() -> None:
    from workshop.kit.training.rprop import Rprop

    config = Rprop().get_config()
    defaults = {name: parameter.default for name, parameter in inspect.signature(torch.optim.Rprop).parameters.items()}
    assert (config["shrink"], config["grow"]) == defaults["etas"] == (0.5, 1.2)
    assert (config["smallest"], config["largest"]) == defaults["step_sizes"] == (1e-6, 50)
    assert (config["learning_rate"], config["name"]) == (pytest.approx(defaults["lr"]), "rprop")


def test_a_model_is_saved_with_rprop_and_its_settings(tmp_path: Path) -> None:
    from workshop.kit.training.rprop import Rprop

    settings: dict[str, Any] = {"shrink": 0.4, "grow": 1.3, "smallest": 1e-5, "largest": 10.0, "name": "of_all_samples"}
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=Rprop(0.02, **settings), loss="mean_squared_error")
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").optimizer.get_config()
    assert loaded == model.optimizer.get_config()
    assert {name: loaded[name] for name in settings} == settings
    assert loaded["learning_rate"] == pytest.approx(0.02)


# --- Memory -----------------------------------------------------------------------------------------------------------


def test_the_memory_is_that_of_the_curriculum(quick: Run) -> None:
    assert lesson.count_weights((784, 32, 20, 10)) == 25_990
    rows = quick.table("times the weights", "NumPy", "Keras", "PyTorch")
    multiples = {row[0]: [float(cell) for cell in row[1:4]] for row in rows}
    assert multiples.pop("Rprop") == [3.25, 4, 4]
    expected = dict.fromkeys(("momentum", "Nesterov", "Adagrad", "RMSprop"), 3) | {"gradient descent": 2}
    expected |= dict.fromkeys(("Adam", "Nadam", "Adadelta"), 4)
    assert multiples == {name: [times] * 3 for name, times in expected.items()}


# --- The digits, and the lowered rate ---------------------------------------------------------------------------------


def test_the_networks_of_the_race_are_the_same_in_every_engine() -> None:
    expected = h5.from_bytes(as_model(lesson.build()).to_h5(), Path("race.h5"))
    module = in_torch.build(lesson.LAYERS, seed=1)
    assert_same_network(TorchModel(module, (28, 28, 1), "softmax").architecture, expected)
    assert_same_network(in_numpy.build(lesson.LAYERS, seed=1).architecture, expected)


def test_a_quick_race_has_three(quick: Run) -> None:
    rows = quick.table("algorithm", "rate", "last loss", "test accuracy")
    assert [row[0] for row in rows] == ["gradient descent", "Rprop", "Adam"]
    assert all(float(row[4]) > 0 for row in rows)
    constant, lowered = quick.table("rate", "in the end")
    assert float(lowered[1]) < float(constant[1]) == 0.1
    (line,) = (line for line in quick.lines if line.startswith("Lowered to 0.2 of itself in the epochs "))
    assert re.fullmatch(r"Lowered .* epochs \d+(, \d+)*: in the 3", line)
    assert quick.metrics["lowered_test_accuracy"] == pytest.approx(float(lowered[-1].rstrip("%")) / 100, abs=1e-4)


def test_the_rate_is_lowered_as_keras_and_pytorch_lower_it() -> None:
    losses = [1, 0.9, 0.95, 0.89995, 0.91, 0.92, 0.8, 0.81, 0.81, 0.81, 0.81, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
    lowered, plateau, rate = [], in_numpy.ReduceOnPlateau(), 1.0
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
    callback = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.2, patience=3, min_delta=1e-4)
    callback.set_model(model)
    callback.on_train_begin()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.2, patience=2, threshold=1e-4, threshold_mode="abs"
    )
    for epoch, loss in enumerate(losses):
        rate = plateau.next_rate(rate, loss)
        callback.on_epoch_end(epoch, {"val_loss": loss})
        scheduler.step(loss)
        lowered.append([rate, float(model.optimizer.learning_rate), optimizer.param_groups[0]["lr"]])
    rates = np.array(lowered)
    assert len({*rates[:, 0].round(6)}) == 5
    np.testing.assert_allclose(rates, rates[:, :1].repeat(3, axis=1), rtol=1e-5)


def noise(samples: int) -> ImageSet:
    """Images of which there is nothing to learn."""
    random = np.random.default_rng(1)
    X, y = random.integers(0, 256, (samples, 28, 28, 1), np.uint8), random.integers(0, 10, samples, np.int32)
    return ImageSet("mnist", "noise", X, y, X[:16], y[:16], tuple("0123456789"))


@pytest.mark.parametrize("module", [in_numpy, in_torch])
def test_a_race_counts_its_steps_and_the_seconds_of_each(module: Any, room: Path) -> None:
    arguments, images = lesson.parse(None, ["--quick"]), noise(200)
    recipe = lesson.race_recipes(arguments, 200)["adam"]
    started = time.perf_counter()
    trained = module.train("adam", recipe, images, Report("optimizers", arguments))
    assert trained.steps == [2, 4]  # of two batches per epoch, the second one a smaller one
    assert 0 < trained.seconds < time.perf_counter() - started


@pytest.mark.parametrize("module", [pytest.param(lesson, marks=pytest.mark.slow), in_numpy, in_torch])
def test_the_rate_of_a_training_is_lowered_where_its_validation_losses_stall(module: Any, room: Path) -> None:
    arguments, images = lesson.parse(None, ["--quick"]), noise(64)
    for lowers in (False, True):
        stalled = module.train_stalling(images, Report("optimizers", arguments), lowers)
        expected, plateau, rate = [], in_numpy.ReduceOnPlateau(), 0.1
        for loss in stalled.validation_losses:
            expected.append(rate)
            rate = plateau.next_rate(rate, loss) if lowers else rate
        assert len(stalled.losses) == len(expected) == 12
        assert (len({*expected}) > 2) == lowers
        assert stalled.rates == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("rates", "epochs"), [([1.0, 1, 0.2, 0.2, 0.04], "3, 5"), ([1.0] * 5, "none")])
def test_in_which_epochs_the_rate_was_lowered_is_said(
    rates: list[float], epochs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stalled = {
        name: Stalled([0.5] * 5, [0.6] * 5, used, 0.9) for name, used in (("constant", [1.0] * 5), ("lowered", rates))
    }
    lesson.report_stalling(Report("optimizers", lesson.parse(None, ["--no-plots"])), stalled)
    assert f"\nLowered to 0.2 of itself in the epochs {epochs}: in the 3\n" in capsys.readouterr().out


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("module", [in_numpy, in_torch])
def test_the_other_engines_race_too(
    module: ModuleType, room: Path, quick: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson, "MIN_DELTA", 10.0)  # however the loss falls, it has stalled
    race = start(module, room, "--quick", "--no-plots", "--algorithms", "adam")
    assert race.answer["data"] == quick.answer["data"]
    assert race.metrics.keys() <= quick.metrics.keys()
    assert race.metrics["adam_test_accuracy"] == pytest.approx(quick.metrics["adam_test_accuracy"], abs=0.06)
    constant, lowered = race.table("rate", "in the end")
    assert (constant[0], lowered[0]) == ("constant", "lowered")
    assert float(lowered[1]) < float(constant[1]) == 0.1
    assert not (room / "models").exists() or not list((room / "models").iterdir())
    assert "No expected band: --algorithms given." in race.lines


def test_a_race_that_was_stopped_goes_on(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--quick", "--no-plots", "--algorithms", "momentum", "rprop"]
    whole = start(in_numpy, room / "whole", *options)
    folder = ["--models", str(room / "stopped")]
    stop_after(3, monkeypatch, lambda: start(in_numpy, room, *folder, *options))  # in the second of the two
    resumed = start(in_numpy, room, "--resume", *folder, *options)
    assert resumed.metrics == whole.metrics
    assert [line.split(" (")[0] for line in resumed.lines if line.startswith("Resumed")] == [
        "Resumed   after epoch 2 of 2",
        "Resumed   after epoch 1 of 2",
    ]


def test_the_race_in_pytorch_takes_one_core() -> None:
    model = TorchModel(in_torch.build(lesson.LAYERS, seed=1), input_shape=(28, 28, 1), activation="softmax")
    assert device.choose_threads(model.architecture, lesson.RACE.batch_size) == 1


def test_what_it_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        lesson.main(["--algorithms", "adam", "lion"])
    assert "--algorithms: invalid choice: 'lion'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("module", [lesson, in_numpy])
def test_the_whole_race_is_as_expected(module: Any, tmp_path: Path) -> None:
    run = start(module, tmp_path)
    assert "As expected for this lesson." in run.lines
    losses = [run.metrics[f"{name}_train_log_loss"] for name in ALGORITHMS]
    assert max(losses) == run.metrics["rprop_train_log_loss"] > 1
    assert run.metrics["lowered_validation_log_loss"] < run.metrics["constant_validation_log_loss"]


@pytest.mark.slow
@pytest.mark.real
def test_pytorch_races_into_the_same_bands(tmp_path: Path) -> None:
    # All nine take half a minute; their steps are compared one by one above and in test_pytorch.
    run = start(in_torch, tmp_path, "--algorithms", "sgd", "rprop", "adam")
    raced = {"sgd_test_accuracy", "rprop_test_accuracy", "adam_test_accuracy", "lowered_validation_log_loss"}
    assert run.metrics.keys() >= raced
    assert_claims(run.metrics, "optimizers", "torch")
    assert run.metrics["rprop_train_log_loss"] > 1
    assert run.metrics["lowered_validation_log_loss"] < run.metrics["constant_validation_log_loss"]
