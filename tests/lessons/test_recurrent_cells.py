"""The lesson `recurrent_cells`: libraries that agree, variants, gradients that vanish and explode, a whole run."""

import math

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_claims, start

from workshop import recurrent_cells as lesson
from workshop.scratch.nn.cells import LSTM
from workshop.scratch.nn.network import LAYERS
from workshop.scratch.nn.optimizers import clip_by_global_norm
from workshop.scratch.nn.wrappers import Bidirectional

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it, with its defaults."""
    return start(lesson, tmp_path_factory.mktemp("recurrent_cells"))


def test_an_lstm_by_hand_is_the_layer() -> None:
    inputs = [1.0, -0.5, 2.0]
    table = lesson.lstm_table(inputs, lesson.LSTM_WEIGHTS).splitlines()
    assert table[-1].split()[:2] == ["3", "h"]
    state = lesson.lstm_layer_output(inputs, lesson.LSTM_WEIGHTS)
    assert float(table[-1].split()[-1]) == pytest.approx(state, abs=1e-4)
    first = next(line for line in table if line.startswith("1     i"))
    assert "s(1 * 1 + 0.0000 * 0.5 + 0) = s(1.0000)" in first
    assert first.endswith(f"{1 / (1 + math.exp(-1)):.4f}")


def test_the_cells_agree_with_finite_differences_keras_and_pytorch_also_in_different_lengths() -> None:
    headings, rows, errors = lesson.compare_libraries(lesson.CELLS, np.random.default_rng(5), lengths=(5, 2, 3))
    assert len(rows) == 9
    assert all(len(row) == len(headings) == 7 for row in rows)
    assert {row[1] for row in rows} == {"last state", "all states", "lengths 5, 2, 3"}
    for name, error in errors.items():
        assert 0 < error < (1e-5 if name.endswith("forward") else 1e-4), name


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_without_exchanging_the_gates_pytorch_would_differ(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "LIBRARIES", {"torch": lesson.torch_gradients})
    gates = {"SimpleRNN": [0], "LSTM": [1, 0, 2, 3], "GRU": [0, 1, 2]}[kind]
    monkeypatch.setitem(lesson.TORCH_GATES, kind, gates)
    _, _, errors = lesson.compare_libraries([LAYERS[kind]], np.random.default_rng(5), lengths=(4, 2))
    assert (errors["torch_forward"] > 0.01) == (kind != "SimpleRNN")


def test_a_mask_makes_a_difference() -> None:
    random = np.random.default_rng(6)
    layer = LSTM(3)
    layer.build((6, 2), random, np.float32)
    layer.parameters["bias"] += 0.3
    X, direction = random.normal(size=(2, 6, 2)).astype(np.float32), np.ones((2, 3), np.float32)
    X[1, 2:] = 0
    packed = lesson.torch_gradients("LSTM", layer.parameters, X, direction, [6, 2])
    whole = lesson.torch_gradients("LSTM", layer.parameters, X, direction)
    np.testing.assert_allclose(packed[0][0], whole[0][0], atol=1e-6)
    assert np.abs(packed[0][1] - whole[0][1]).max() > 0.01
    assert not packed[1][1, 2:].any()
    assert whole[1][1, 2:].any()


def test_both_directions_and_peepholes_agree_with_finite_differences_keras_and_pytorch() -> None:
    headings, rows, errors = lesson.compare_variants(lesson.CELLS, np.random.default_rng(5))
    assert [row[:2] for row in rows] == [
        ["SimpleRNN", "both directions"],
        ["LSTM", "both directions"],
        ["GRU", "both directions"],
        ["LSTM with peepholes", "last state"],
    ]
    assert all(len(row) == len(headings) == 7 for row in rows)
    for name, error in errors.items():
        assert 0 < error < (1e-5 if name.endswith("forward") else 1e-4), name


def test_peepholes_of_zero_leave_an_lstm_and_others_do_not() -> None:
    layers = LSTM(3), lesson.PeepholeLSTM(3)
    for layer in layers:
        layer.build((6, 2), np.random.default_rng(1), np.float64)
    X = np.random.default_rng(2).normal(size=(4, 6, 2))
    lstm, peephole = layers
    np.testing.assert_array_equal(lstm.forward(X), peephole.forward(X))
    peephole.parameters["peephole"][:] = 1
    assert np.abs(lstm.forward(X) - peephole.forward(X)).max() > 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_only_both_directions_know_what_comes_next(seed: int) -> None:
    both = lesson.train_on_neighbours(Bidirectional(LSTM(6, return_sequences=True)), seed)
    one = lesson.train_on_neighbours(LSTM(12, return_sequences=True), seed)
    assert np.mean(both[-20:]) < 0.1 * lesson.ONE_DIRECTION_ERROR
    assert np.mean(one[-20:]) > 0.9 * lesson.ONE_DIRECTION_ERROR


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_gradient_vanishes_in_a_simple_rnn_explodes_with_relu_and_lasts_in_an_lstm(seed: int) -> None:
    random = np.random.default_rng(seed)
    cells = lesson.make_untrained_cells(random)
    norms = {name: lesson.gradient_norm_by_distance(layer, random) for name, layer in cells.items()}
    for name, values in norms.items():
        assert values.shape == (100,), name
        assert values[0] == 1, name
        assert np.isfinite(values).all(), name
    farthest = {name: values[-1] for name, values in norms.items()}
    assert farthest["SimpleRNN, tanh"] < 1e-10
    assert farthest["SimpleRNN, relu, U doubled"] > 1e8
    # The gradient through the memory is multiplied by the forget gate at every step.
    assert farthest["LSTM, forget bias 0"] < 1e-3 * farthest["LSTM, forget bias 1"]
    assert 10 * farthest["SimpleRNN, tanh"] < farthest["LSTM, forget bias 1"] < 1e-3 * farthest["LSTM, forget bias 3"]
    assert 0.01 < farthest["LSTM, forget bias 3"] < 100


def test_a_clipped_gradient_is_shorter_and_points_where_it_pointed() -> None:
    gradients = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    clip_by_global_norm(gradients, 10)
    assert gradients["a"][0] == 3
    clip_by_global_norm(gradients, 1)
    np.testing.assert_allclose(gradients["a"], [0.6, 0])
    np.testing.assert_allclose(gradients["b"], [[0.8]])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clipping_saves_a_training_that_explodes(seed: int) -> None:
    unclipped, clipped = lesson.train_exploding_rnn(None, seed), lesson.train_exploding_rnn(1, seed)
    assert unclipped[0] == clipped[0] > 1e4
    assert not np.isfinite(unclipped[-1])
    assert len(unclipped) < 5
    assert len(clipped) == 60
    assert min(clipped) < 0.1


def test_a_run_tells_and_draws_all_of_it(default_run: Run) -> None:
    assert_claims(default_run.metrics, "recurrent_cells")
    assert default_run.metrics["differences_test_max_error"] < 1e-6
    names = sorted(path.name for path in default_run.plots.iterdir())
    assert names == ["recurrent_cells-directions.png", "recurrent_cells-gradient.png"]
    output = default_run.output
    assert "The layer in NumPy ends with h = 0.0956." in output
    assert "GRU        lengths 10, 7, 3, 5" in output
    assert "gradient unclipped: loss" in output
    assert "reset_after=True" in output
    assert "As expected for this lesson." in default_run.lines
