"""Row D1 of the curriculum, the lesson `recurrent_cells`: libraries that agree, variants, gradients, whole runs."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lesson_runs import Run, assert_claims, start

from workshop import recurrent_cells as lesson
from workshop.kit.lazy import keras
from workshop.scratch.nn.cells import LSTM
from workshop.scratch.nn.layers import Layer
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


def test_the_cells_agree_with_finite_differences_keras_and_pytorch_in_different_lengths_and_both_directions() -> None:
    headings, rows, errors = lesson.compare_libraries(lesson.CELLS, np.random.default_rng(5), lengths=(5, 2, 3))
    assert [row[0] for row in rows] == ["SimpleRNN"] * 4 + ["LSTM"] * 4 + ["GRU"] * 4
    assert all(len(row) == len(headings) == 7 for row in rows)
    assert {row[1] for row in rows} == {"last state", "all states", "lengths 5, 2, 3", "both directions"}
    for name, error in errors.items():
        assert 0 < error < (1e-5 if name.endswith("forward") else 1e-4), name


def test_a_row_of_both_directions_is_of_a_layer_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def note(layer: Layer, *_: object) -> list[float]:
        compared.append(type(layer).__name__)
        return [0.0]

    monkeypatch.setattr(lesson, "layer_errors", note)
    monkeypatch.setattr(lesson, "LIBRARIES", {})
    lesson.compare_libraries([LSTM], np.random.default_rng(5))
    assert compared == ["LSTM", "LSTM", "LSTM", "Bidirectional"]


def test_keras_on_another_library_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    headings, rows, errors = lesson.compare_libraries([LSTM], np.random.default_rng(5), lengths=(4, 2))
    assert headings == ["cell", "returns", "differences", "torch, forward", "torch, gradient"]
    assert all(len(row) == 5 for row in rows)
    assert list(errors) == ["differences", "torch_forward", "torch_gradient"]


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_without_exchanging_the_gates_pytorch_would_differ(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "LIBRARIES", {"torch": lesson.torch_gradients})
    gates = {"SimpleRNN": [0], "LSTM": [1, 0, 2, 3], "GRU": [0, 1, 2]}[kind]
    monkeypatch.setitem(lesson.TORCH_GATES, kind, gates)
    cell = next(cell for cell in lesson.CELLS if cell.__name__ == kind)
    _, _, errors = lesson.compare_libraries([cell], np.random.default_rng(5), lengths=(4, 2))
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


def test_peepholes_are_the_equations_that_pytorch_differentiates() -> None:
    random = np.random.default_rng(5)
    layer = lesson.PeepholeLSTM(8)
    layer.build((10, 6), random, np.float64)
    for parameter in layer.parameters.values():
        parameter += random.normal(0, 0.5, parameter.shape)
    X, direction = random.normal(size=(4, 10, 6)), random.normal(size=(4, 8))
    inputs = [torch.tensor(array, requires_grad=True) for array in (X, *layer.parameters.values())]
    x, W, U, bias, p = inputs
    h = c = torch.zeros(4, 8, dtype=torch.float64)
    for t in range(10):
        i, f, g, o = (x[:, t] @ W + h @ U + bias).chunk(4, dim=1)
        c = torch.sigmoid(f + c * p[1]) * c + torch.sigmoid(i + c * p[0]) * torch.tanh(g)
        h = torch.sigmoid(o + c * p[2]) * torch.tanh(c)
    (h * torch.tensor(direction)).sum().backward()
    expected = [h.detach(), *(tensor.grad for tensor in inputs)]
    for computed, wanted in zip(lesson.numpy_gradients(layer, X, direction), expected, strict=True):
        np.testing.assert_allclose(computed, wanted, rtol=1e-9, atol=1e-12)
    assert 0 < lesson.peephole_error(random) < 1e-6


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
    for name in ("differences", "peepholes"):
        assert 0 < default_run.metrics[f"{name}_test_max_error"] < 1e-6
    names = sorted(path.name for path in default_run.plots.iterdir())
    assert names == ["recurrent_cells-directions.png", "recurrent_cells-gradient.png"]
    output = default_run.output
    assert "The layer in NumPy ends with h = 0.0956." in output
    assert "GRU        lengths 10, 7, 3, 5" in output
    assert "gradient unclipped: loss" in output
    assert "last 20 of 300 steps" in output
    assert "reset_after=True" in output
    assert "As expected for this lesson." in default_run.lines


def test_a_quick_run_shows_too_that_both_directions_know_more(tmp_path: Path) -> None:
    run = start(lesson, tmp_path, "--quick")
    assert "last 20 of 200 steps" in run.output
    *_, one, peepholes, both = (float(row[2]) for row in run.table("layer", "squared error, first step"))
    assert both < 0.5 * lesson.ONE_DIRECTION_ERROR < 0.019 < min(one, peepholes)
