"""Gradient descent in practice: batches, learning rates, early stopping, two outputs.

The default run in NumPy is made once for all tests; that in Keras has to print the same tables.
"""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers.engines import assert_same_headings
from helpers.lesson_runs import Run, assert_no_part_takes_longer, claims, start, stop_after
from sklearn.preprocessing import MinMaxScaler

from workshop import training_choices as lesson
from workshop.kit.data import tables
from workshop.kit.report import Report
from workshop.kit.training import Recipe
from workshop.linear_regression import solve_normal_equation
from workshop.pytorch import training_choices as in_torch
from workshop.scratch import training_choices as in_numpy


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return start(in_numpy, tmp_path_factory.mktemp("descents"))


@pytest.fixture(scope="module")
def split() -> lesson.Split:
    return lesson.split_in_three(*tables.read_table(tables.shipped_table("housing")).split_numbers(), seed=1)


def test_the_run_is_as_expected(run: Run) -> None:
    assert "As expected for this lesson." in run.lines
    assert run.answer["data"] == "housing.csv (156 rows)"
    # It saves no model, so that it cannot replace a good one.
    assert [Path(file).name for file in run.answer["files"]] == [
        f"training_choices-{name}.png" for name in ("descents", "rates", "early_stopping")
    ]
    assert not run.models.exists()


# --- Batch, mini-batch and stochastic descent -------------------------------------------------------------------------


def test_a_step_by_hand_goes_down_the_gradient() -> None:
    X, y, zeros = np.array([[0.0], [1.0]]), np.array([1.0, 3.0]), np.zeros(2)
    # The misses are -1 and -3: 2/2 (0 * -1 + 1 * -3) = -3 for the weight, 2/2 (-1 - 3) = -4 for the bias.
    assert lesson.descend(X, y, zeros, 0.1, 2, 1, seed=1).tolist() == [[0, 0], pytest.approx([0.3, 0.4])]
    # One row at a time: two steps per epoch, of which the first looks at one row alone.
    first = lesson.descend(X, y, zeros, 0.1, 1, 1, seed=1)[1]
    assert first == pytest.approx([0, 0.2]) or first == pytest.approx([0.6, 0.6])


def test_every_row_is_used_once_an_epoch() -> None:
    X = np.random.default_rng(0).normal(size=(10, 3))
    for batch_size, steps in ((10, 1), (4, 3), (1, 10)):
        assert lesson.descend(X, X[:, 0], np.zeros(4), 0.01, batch_size, 5, seed=1).shape == (5 * steps + 1, 4)
    end = lesson.descend(X, X @ [1.0, -2.0, 0.5] + 7, np.zeros(4), 0.1, 4, 300, seed=1)[-1]
    assert end == pytest.approx([1, -2, 0.5, 7], abs=1e-6)


def test_the_three_descents_are_compared(run: Run, split: lesson.Split) -> None:
    batch, mini_batch, stochastic, least_squares = run.table("descent")
    assert [line[:4] for line in (batch, mini_batch, stochastic)] == [
        [name, rows, "40", steps]
        for name, rows, steps in (("batch", "93", "40"), ("mini-batch", "16", "240"), ("stochastic", "1", "3720"))
    ]
    found = run.metrics
    away = {name: found[f"{name}_weights_train_max_error"] for name in ("batch", "mini_batch", "stochastic")}
    assert max(away["mini_batch"], away["stochastic"]) < away["batch"] / 10
    X, y = split.scaled(MinMaxScaler()).train
    lowest = lesson.rmse(solve_normal_equation(X[:, :1], y), X[:, :1], y)
    assert float(least_squares[-1]) == pytest.approx(lowest, rel=1e-3)
    for name in away:
        assert found[f"{name}_train_root_mean_squared_error"] > lowest


def test_the_steps_by_hand_are_those_of_the_engine(run: Run) -> None:
    # Of weights of some thousands, after 3,720 steps in single precision.
    assert run.metrics["by_hand_weights_train_max_error"] < 0.05


# --- Training, validation and test rows -------------------------------------------------------------------------------


def test_the_rows_are_split_in_three_and_the_scaler_sees_the_first_part_alone(split: lesson.Split) -> None:
    X, y = tables.read_table(tables.shipped_table("housing")).split_numbers()
    rows = [np.column_stack(part) for part in split]
    assert [len(part) for part in rows] == [93, 31, 32]
    everything = np.concatenate(rows)
    assert sorted(map(tuple, everything)) == sorted(map(tuple, np.column_stack([X, y])))
    # The others may lie outside of what the scaler has seen.
    column = [(np.array([[float(low)], [float(high)]]), np.zeros(2)) for low, high in ((10, 20), (0, 15), (20, 40))]
    scaled = lesson.Split(*column).scaled(MinMaxScaler())
    assert [X[:, 0].tolist() for X, _ in scaled] == [[0, 1], [-1, 0.5], [1, 3]]


def test_the_validation_rows_choose_the_rate_and_the_test_rows_are_asked_once(run: Run) -> None:
    lines = run.table("learning rate")
    assert [float(line[0]) for line in lines] == list(lesson.RATES)
    assert lines[-1][1] == "diverged"
    errors = {line[0]: float(line[2]) for line in lines[:-1]}
    assert errors["0.001"] > 1000 > errors["0.01"] > 1.5 * errors["0.1"]  # too small
    (chosen,) = (line for line in lines if line[-1] == "chosen")
    assert chosen[0] == min(errors, key=lambda rate: errors[rate]) == "0.3"
    found = run.metrics
    assert found["chosen_rate_validation_root_mean_squared_error"] == pytest.approx(errors["0.3"], rel=1e-3)
    assert found["chosen_rate_test_r2_score"] >= claims("training_choices")["chosen_rate_test_r2_score"][0]
    assert len([line for line in run.lines if line.startswith("Test RMSE")]) == 1
    assert [name for name in found if "_test_root" in name] == ["chosen_rate_test_root_mean_squared_error"]


# --- Early stopping ---------------------------------------------------------------------------------------------------


def test_the_weights_of_the_best_epoch_are_kept(run: Run) -> None:
    best, last, kept = run.table("weights", "after epoch")
    assert int(last[1]) == int(best[1]) + lesson.PATIENCE < lesson.STOPPED.epochs
    assert kept[-2:] == best[-2:] != last[-2:]
    # Those of the last epoch know the training rows better and the others worse.
    assert float(last[2]) < float(best[2])
    assert float(last[3]) > 1.1 * float(best[3])
    found = {name: run.metrics[f"{name}_validation_root_mean_squared_error"] for name in ("kept", "best_epoch")}
    assert found["kept"] == found["best_epoch"]


@pytest.mark.parametrize("module", [lesson, in_torch, in_numpy])
def test_each_engine_stops_after_the_best_epoch_and_returns_to_it(module: ModuleType, prepared: None) -> None:
    # Each step takes a fifth of the way to slope 1: 0.2, 0.36, 0.488, 0.5904. The validation rows want 0.5.
    X = np.array([[-1.0], [1.0]], np.float32)
    recipe = Recipe(100, 0.1, batch_size=2, optimizer="sgd", schedule=False)
    report = Report("training_choices", lesson.parse(None, ["--no-plots"]))
    found = module.fit_neuron(
        "slope",
        X,
        X[:, 0],
        recipe,
        report,
        snapshots=range(101),
        validation=(X, X[:, 0] / 2),
        start=[np.zeros((1, 1), np.float32), np.zeros(1, np.float32)],
    )
    assert found.best_epoch == 3 and len(found.history["val_loss"]) == 3 + lesson.PATIENCE
    assert found.weights == pytest.approx([0.488, 0])
    np.testing.assert_array_equal(found.weights, found.snapshots[3])


# --- Two outputs ------------------------------------------------------------------------------------------------------


def test_two_outputs_are_two_neurons(run: Run) -> None:
    lines = run.table("weight of")
    assert [line[0] for line in lines] == ["area (m2)", "bedrooms", "age (years)", "bias"]
    numbers = np.array([[float(cell) for cell in line[1:]] for line in lines])
    np.testing.assert_allclose(numbers[:, 0::2], numbers[:, 1::2], rtol=1e-4)
    assert np.abs(numbers[:, 0] - numbers[:, 2]).min() > 1  # two different questions
    assert run.metrics["two_outputs_train_max_error"] < 0.01


@pytest.mark.parametrize("module", [lesson, in_torch, in_numpy])
def test_two_outputs_are_two_neurons_from_their_first_steps_on_in_any_engine(
    module: ModuleType, run: Run, room: Path
) -> None:
    # A quick run ends long before the weights that descent comes to from anywhere.
    quick = start(module, room, "--quick", "--no-plots")
    assert_same_headings(quick, run)
    assert len(quick.seconds) == 3
    assert_no_part_takes_longer(quick)
    assert quick.metrics["two_outputs_train_max_error"] < 0.01


# --- The other engines ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("module", [lesson, in_torch])
def test_the_other_engines_find_the_same(module: ModuleType, run: Run, room: Path) -> None:
    other = start(module, room)
    assert "As expected for this lesson." in other.lines
    assert other.metrics.keys() == run.metrics.keys()
    for name in ("mini_batch_train", "chosen_rate_validation", "chosen_rate_test", "kept_validation"):
        metric = f"{name}_root_mean_squared_error"
        assert other.metrics[metric] == pytest.approx(run.metrics[metric], rel=1e-3)
    for lines in (other.table("learning rate"), run.table("learning rate")):
        assert [line[0] for line in lines if line[-1] == "chosen"] == ["0.3"]
        assert [line[0] for line in lines if line[-1] == "diverged"] == ["1"]
    errors = [[float(line[1]) for line in one.table("learning rate")[:-1]] for one in (other, run)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    best, _, kept = other.table("weights", "after epoch")
    assert kept[-2:] == best[-2:]


# --- Stopped and resumed ----------------------------------------------------------------------------------------------


def test_a_run_that_was_stopped_goes_on(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--quick", "--no-plots"]
    whole = start(in_numpy, room / "whole", *options)
    # In the second of the four epochs of mini-batch descent.
    stop_after(5, monkeypatch, lambda: start(in_numpy, room, *options))
    resumed = start(in_numpy, room, "--resume", *options)
    assert resumed.metrics == whole.metrics
    assert [line.split(" (")[0] for line in resumed.lines if line.startswith("Resumed")] == [
        "Resumed   after epoch 4 of 4",
        "Resumed   after epoch 1 of 4",
    ]
    assert not list((room / "models").iterdir())
