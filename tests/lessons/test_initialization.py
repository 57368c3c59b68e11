"""The starts of a network: the sizes of weights, gradients, equal units, dead units; on MNIST what each start costs."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers.engines import assert_tells_the_same
from helpers.lesson_runs import Run, assert_no_part_takes_longer, quick_run, start, without_published_data

from workshop import initialization as lesson
from workshop.kit.data.images import load_image_set
from workshop.kit.report import Report
from workshop.pytorch import initialization as in_torch
from workshop.pytorch.kit.model import TorchModel
from workshop.scratch import initialization as in_numpy

pytestmark = pytest.mark.usefixtures("alone")

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(200, 784)).astype(np.float32)
Y = RANDOM.integers(0, 10, 200).astype(np.int32)


def percent(cell: str) -> float:
    return float(cell.rstrip("%")) / 100


@pytest.mark.parametrize("engine", [lesson, in_torch, in_numpy])
@pytest.mark.parametrize(
    ("scheme", "first", "second"),
    [
        ("zeros", 0, 0),
        ("constant", 0, 0),
        ("too small", 0.01, 0.01),
        ("too large", 1, 1),
        ("LeCun", (1 / 784) ** 0.5, 0.1),
        ("Xavier", (2 / 884) ** 0.5, 0.1),
        ("He", (2 / 784) ** 0.5, 0.02**0.5),
    ],
)
def test_the_weights_are_drawn_as_large_as_the_formulas_say(
    engine: ModuleType, scheme: str, first: float, second: float
) -> None:
    kernels = engine.kernels(engine.build(lesson.Case("tanh", scheme), seed=1))
    assert [weights.shape for weights in kernels] == [(784, 100), *[(100, 100)] * 4, (100, 10)]
    assert np.std(kernels[0]) == pytest.approx(first, rel=0.02, abs=1e-6)
    assert np.std(kernels[1:5]) == pytest.approx(second, rel=0.02, abs=1e-6)
    if second:
        assert (kernels[1] != kernels[2]).any()  # each layer has its own


@pytest.mark.parametrize("engine", [in_torch, in_numpy])
@pytest.mark.parametrize("normalises", [False, True])
def test_activations_and_gradients_are_the_same_in_the_engines(
    engine: ModuleType, normalises: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = lesson.Case("tanh", "LeCun", layers=3, units=20, normalises=normalises)
    network = engine.build(case, seed=1)
    model = TorchModel(network, (784,)) if engine is in_torch else network
    model.set_weights(lesson.build(case, seed=1).get_weights())
    monkeypatch.setattr(engine, "build", lambda case, seed: network)
    for measured, by_keras in zip(engine.measure(case, X, Y, 1), lesson.measure(case, X, Y, 1), strict=True):
        for layer, keras_layer in zip(measured, by_keras, strict=True):
            np.testing.assert_allclose(layer, keras_layer, atol=1e-5)


def fit(engine: ModuleType, case: lesson.Case, weights: list[np.ndarray] | None = None) -> tuple[Any, lesson.Trained]:
    """Trains a network, from weights where they are given; returns it with Keras' methods, and what it reached."""
    network = engine.build(case, seed=1)
    model = TorchModel(network, (784,)) if engine is in_torch else network
    if weights is not None:
        model.set_weights(weights)
    report = Report("initialization", lesson.parse(None, ["--no-plots"]))
    recipe = lesson.make_recipe(case, len(Y), quick=True)
    return model, engine.fit("few", network, lesson.Digits((X, Y), (X[:50], Y[:50])), recipe, report)


@pytest.mark.parametrize("normalises", [False, True])
def test_a_training_is_the_same_in_the_engines(normalises: bool, room: Path) -> None:
    case = lesson.Case("tanh", "LeCun", layers=2, units=9, rate=0.1, normalises=normalises)
    start_weights = lesson.build(case, seed=1).get_weights()
    expected, reached = fit(lesson, case, start_weights)
    assert reached.losses[-1] < 0.9 * reached.losses[0]
    for engine in (in_torch, in_numpy):
        model, trained = fit(engine, case, start_weights)
        for weights, keras_weights in zip(model.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_allclose(weights, keras_weights, atol=1e-4)
        assert trained.losses == pytest.approx(reached.losses, rel=1e-4)
        assert (trained.accuracies, trained.test_accuracy) == (
            pytest.approx(reached.accuracies, abs=0.011),
            pytest.approx(reached.test_accuracy, abs=0.021),
        )


@pytest.mark.parametrize("scheme", ["zeros", "constant"])
def test_equal_units_stay_equal_whatever_is_trained(scheme: str, room: Path) -> None:
    case = lesson.Case("tanh", scheme, layers=2, units=7, rate=0.1)
    before = lesson.build(case, seed=1).get_weights()
    model, _ = fit(lesson, case)
    first, _, second, _, last, biases = model.get_weights()
    assert [lesson.different_units(weights) for weights in (first, second)] == [1, 1]
    assert np.ptp(first, axis=1).max() < 1e-6 and np.ptp(second, axis=1).max() < 1e-6
    moved = [bool(np.any(new != old)) for new, old in zip(model.get_weights(), before, strict=True)]
    # After a layer of zeros only the biases of the outputs have a gradient.
    assert moved == ([False] * 5 + [True] if scheme == "zeros" else [True] * 6)
    assert np.ptp(biases) > 0 and np.ptp(last, axis=0).max() < 1e-6


def test_a_unit_is_dead_that_is_0_for_every_image() -> None:
    assert lesson.is_dead(np.array([[0, 0, 2.0], [0, 1, 0]])).tolist() == [True, False, False]


def test_the_digits_are_scaled_to_a_mean_of_0_and_a_deviation_of_1() -> None:
    (train, labels), (test, _) = lesson.prepare(load_image_set("mnist"))
    assert train.shape == (len(labels), 784) and test.shape[1:] == (784,)
    assert abs(train.mean()) < 1e-4 and train.std() == pytest.approx(1, abs=1e-4)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with without_published_data(tmp_path_factory.mktemp("keras")):
        return quick_run("initialization", tmp_path_factory)


def test_layer_by_layer(quick: Run) -> None:
    deviations = {row[0]: [float(cell) for cell in row[1:]] for row in quick.table("standard deviation of a")}
    assert deviations["too small"] == sorted(deviations["too small"], reverse=True)
    assert deviations["too small"][-1] < 1e-3 and min(deviations["too large"]) > 0.9
    assert all(0.25 < deviations[name][-1] < 0.7 for name in ("LeCun", "Xavier", "He"))
    saturated = {row[0]: [percent(cell) for cell in row[1:]] for row in quick.table("|a| above 0.95")}
    assert min(saturated["too large"]) > 0.7 and max(saturated["too small"]) == 0
    sizes = {row[0]: [float(cell) for cell in row[1:]] for row in quick.table("gradient of a weight, RMS")}
    assert max(sizes["too small"]) < 1e-5 and sizes["too large"][0] > 3 * sizes["too large"][-1]
    assert all(max(sizes[name]) < 3 * min(sizes[name]) for name in ("LeCun", "Xavier", "He"))


@pytest.mark.parametrize("scheme", ["too small", "too large"])
def test_batch_normalisation_repairs_a_bad_start(scheme: str, quick: Run) -> None:
    rows = [re.split("  +", line)[1:] for line in quick.lines if line.startswith(f"{scheme}, normalised  ")]
    deviations, saturated, sizes = rows
    assert all(0.5 < float(cell) < 0.75 for cell in deviations)
    assert all(percent(cell) < 0.2 for cell in saturated)
    assert all(1e-3 < float(cell) < 5e-2 for cell in sizes)


def test_a_normalised_network_learns_from_weights_too_small(quick: Run) -> None:
    bad, repaired = (quick.metrics[f"tanh_too_small{how}_test_accuracy"] for how in ("", "_normalised"))
    assert bad < 0.2 < 0.6 < repaired


def test_gradients_by_depth(quick: Run) -> None:
    sizes = {row[0]: [float(cell) for cell in row[1:]] for row in quick.table("gradient of layer 1, RMS")}
    assert sizes["sigmoid, Xavier"][-1] < 1e-12
    first, *_, last = sizes["tanh, Xavier"]
    assert 3 < first / last < 10
    assert 1e-7 < sizes["relu, Xavier"][-1] < 1e-4 < 1e-3 < min(sizes["relu, He"])
    (zeros,) = quick.table("outputs that are 0")
    assert np.mean([percent(cell) for cell in zeros[1:]]) == pytest.approx(0.5, abs=0.05)


def test_equal_and_dead_units_are_counted(quick: Run) -> None:
    units = {row[0]: row[1:6] for row in quick.table("different units after training")}
    assert units == {"constant": ["1"] * 5, "Xavier": ["100"] * 5}
    usual, bad = quick.table("dead of 200 units")
    assert int(usual[1]) < 30 < 150 < int(bad[1]) <= int(bad[2])
    assert usual[3] == bad[3] == "0"  # none came back


@pytest.mark.parametrize("engine", [in_torch, in_numpy])
def test_a_mirror_reports_what_its_lesson_reports(engine: ModuleType, quick: Run, tmp_path: Path) -> None:
    run = start(engine, tmp_path, "--quick", "--no-plots")
    assert run.metrics.keys() == quick.metrics.keys()
    assert_tells_the_same(run, quick)
    assert run.trainings == quick.trainings


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("engine", [lesson, in_torch, in_numpy])
def test_what_each_start_costs_on_mnist(engine: ModuleType, tmp_path: Path) -> None:
    run = start(engine, tmp_path, "--no-plots")
    assert "As expected for this lesson." in run.lines
    assert len(run.told_seconds) >= 8
    assert_no_part_takes_longer(run)
    assert run.answer["data"] == "MNIST"
    dead = {row[0]: [int(cell) for cell in row[1:4]] for row in run.table("dead of 200 units")}
    assert dead["usual"] == [0, 0, 0] and dead["bad start normalised"][1] == 0
    assert dead["large rate"][1] > 50 and dead["negative inputs"][1] > 50 and dead["bad start"][0] > 100
    assert all(revived == 0 for _, _, revived in dead.values())
    assert not list(Path().rglob("*checkpoint*"))
