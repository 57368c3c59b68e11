"""The lesson on backpropagation: the published numbers in three engines, any depth, the check, and the run."""

import importlib.util

import keras
import numpy as np
import pytest
from helpers.lesson_runs import Run, start

from workshop import backpropagation
from workshop.backpropagation import (
    INPUTS,
    LAYERS,
    NEURONS,
    TARGETS,
    Gradients,
    Layer,
    backward,
    by_keras,
    by_numpy,
    by_torch,
    check_gradient,
    engine_errors,
    error,
    forward,
    initialize,
    predict,
    step,
)
from workshop.figures import backpropagation as figures

ENGINES = {"NumPy": by_numpy, "Keras": by_keras, "PyTorch": by_torch}
STEPS = 60
# Typed again, from the curriculum.
FORWARD = [0.593269992, 0.596884378, 0.75136507, 0.772928465]
AFTER_A_STEP = [
    0.149780716, 0.19956143, 0.24975114, 0.29950229, 0.35891648, 0.408666186, 0.511301270, 0.561370121,
]  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> dict[str, backpropagation.Run]:
    """A short training in each engine."""
    return {name: train(STEPS) for name, train in ENGINES.items()}


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return start(backpropagation, tmp_path_factory.mktemp("backpropagation"), "--quick")


# --- The 2-2-2 network ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_gives_the_published_numbers(runs: dict[str, backpropagation.Run], name: str) -> None:
    run = runs[name]
    assert np.ravel(run.outputs) == pytest.approx(FORWARD, abs=1e-8)
    assert run.errors[0] == pytest.approx(0.298371109, abs=1e-8)
    assert run.gradients[1][0, 0] == pytest.approx(0.082167041, abs=1e-8)
    new_weights = np.concatenate([weights.T.ravel() for weights in run.first_weights])
    assert new_weights == pytest.approx(AFTER_A_STEP, abs=1e-8)
    published = list(backpropagation.PUBLISHED.values())
    assert published == pytest.approx([*FORWARD, 0.298371109, 0.082167041, *AFTER_A_STEP], abs=1e-8)


@pytest.mark.parametrize("name", ["Keras", "PyTorch"])
def test_the_engines_go_the_same_way(runs: dict[str, backpropagation.Run], name: str) -> None:
    run, reference = runs[name], runs["NumPy"]
    assert run.errors.shape == (STEPS + 1,)
    assert run.errors == pytest.approx(reference.errors, abs=1e-14)
    for ours, expected in ((run.gradients, reference.gradients), (run.last_weights, reference.last_weights)):
        assert all(np.abs(one - other).max() < 1e-14 for one, other in zip(ours, expected, strict=True))


def test_an_engine_that_goes_another_way_is_measured(runs: dict[str, backpropagation.Run]) -> None:
    reference = runs["NumPy"]
    late = reference._replace(last_weights=[weights + 0.25 for weights in reference.last_weights])
    early = reference._replace(first_weights=[weights - 0.5 for weights in reference.first_weights])
    assert engine_errors({"NumPy": reference, "Keras": late, "PyTorch": early}) == pytest.approx(
        {
            "numpy_test_max_error": 0,
            "keras_test_max_error": 0,
            "keras_trained_test_max_error": 0.25,
            "torch_test_max_error": 0.5,
            "torch_trained_test_max_error": 0,
        },
        abs=1e-8,
    )


def test_ten_thousand_steps_end_where_it_was_published() -> None:
    run = by_numpy(10_000)
    assert run.errors[-1] == pytest.approx(3.51e-5, abs=1e-8)
    assert run.errors[1] == pytest.approx(0.29102777, abs=1e-8)
    # With biases that are trained it ends elsewhere, from the same weights after the first step.
    with_biases = by_numpy(1_000, train_biases=True)
    assert with_biases.errors[-1] < run.errors[1_000] / 3
    assert all(np.array_equal(*pair) for pair in zip(run.first_weights, with_biases.first_weights, strict=True))


def test_the_network_is_not_written_into(runs: dict[str, backpropagation.Run]) -> None:
    assert [weights.tolist() for weights, _ in LAYERS] == [[[0.15, 0.25], [0.2, 0.3]], [[0.4, 0.5], [0.45, 0.55]]]
    assert [biases.tolist() for _, biases in LAYERS] == [[0.35, 0.35], [0.6, 0.6]]


# --- Any depth --------------------------------------------------------------------------------------------------------


def network(sizes: tuple[int, ...], samples: int, seed: int = 0) -> tuple[list[Layer], np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    layers = [(weights, random.normal(size=biases.shape)) for weights, biases in initialize(sizes, random)]
    return layers, random.normal(size=(samples, sizes[0])), random.uniform(size=(samples, sizes[-1]))


@pytest.mark.parametrize("sizes", [(1, 1), (3, 2), (2, 4, 1), (3, 5, 4, 2), (2, 3, 3, 3, 3, 2)])
@pytest.mark.parametrize("samples", [1, 7])
def test_backpropagation_agrees_with_finite_differences(sizes: tuple[int, ...], samples: int) -> None:
    layers, X, T = network(sizes, samples)
    copies = [(weights.copy(), biases.copy()) for weights, biases in layers]
    assert check_gradient(layers, X, T, 1e-5) < 1e-7
    for layer, copy in zip(layers, copies, strict=True):  # the check puts back what it moves
        assert all(np.array_equal(one, other) for one, other in zip(layer, copy, strict=True))


def test_the_check_notices_a_wrong_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, X, T = network((2, 3, 1), 5)
    first, last = backward(layers, X, T)
    for wrong in ([first, last._replace(dE_db=1.01 * last.dE_db)], [first._replace(dE_dw=1.01 * first.dE_dw), last]):
        monkeypatch.setattr(backpropagation, "backward", lambda *_, wrong=wrong: wrong)
        assert check_gradient(layers, X, T, 1e-5) > 1e-4


def test_the_check_is_closest_near_1e_5() -> None:
    layers, X, T = network((2, 8, 8, 1), 20)
    differences = [check_gradient(layers, X, T, h) for h in backpropagation.CHECK_STEPS]
    assert 1e-7 < backpropagation.CHECK_STEPS[int(np.argmin(differences))] < 1e-3
    assert min(differences) < 1e-9
    # A hundredth of the step has a ten-thousandth of the error, until digits cancel.
    assert differences[0] / differences[2] == pytest.approx(1e4, rel=0.2)


def test_the_error_and_the_outputs_of_two_samples_by_hand() -> None:
    layers = [(np.array([[1.0], [-1.0]]), np.array([0.0]))]
    X, T = np.array([[2.0, 2.0], [1.0, 1.0]]), np.array([[0.0], [1.0]])
    assert predict(layers, X).tolist() == [[0.5], [0.5]]
    assert error(layers, X, T) == 0.125  # the mean of 1/2 0.5^2 twice
    (gradient,) = backward(layers, X, T)
    assert gradient.dE_dout.tolist() == [[0.25], [-0.25]]  # (o - t) / 2
    assert gradient.dout_dnet.tolist() == [[0.25], [0.25]]
    assert gradient.delta.tolist() == [[0.0625], [-0.0625]]
    assert gradient.dE_dw.tolist() == [[0.0625], [0.0625]]  # 0.0625 (2 - 1)
    assert gradient.dE_db.tolist() == [0]


def test_a_mini_batch_of_all_samples_is_plain_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, X, T = network((2, 3, 1), 6)
    monkeypatch.setattr(backpropagation, "BATCH_SIZE", 6)
    trained = backpropagation.train(layers, X, T, 3, np.random.default_rng(0))
    for _ in range(3):
        layers = step(layers, backward(layers, X, T), backpropagation.MOONS_LEARNING_RATE)
    for one, other in zip(trained, layers, strict=True):
        assert one[0] == pytest.approx(other[0], abs=1e-12)
        assert one[1] == pytest.approx(other[1], abs=1e-12)


def test_every_epoch_takes_each_sample_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def watched(layers: list[Layer], X: np.ndarray, T: np.ndarray) -> list[Gradients]:
        seen.append(X[:, 0])
        return backward(layers, X, T)

    monkeypatch.setattr(backpropagation, "BATCH_SIZE", 4)
    monkeypatch.setattr(backpropagation, "backward", watched)
    layers, X, T = network((2, 1), 10)
    backpropagation.train(layers, X, T, 2, np.random.default_rng(0))
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == sorted(X[:, 0])
    assert list(first) != list(second)


# --- The run ----------------------------------------------------------------------------------------------------------


def check_results(metrics: dict[str, float], moons_accuracy: float) -> None:
    assert all(metrics[f"{name}_test_max_error"] <= 1e-8 for name in ("numpy", "keras", "torch"))
    assert all(metrics[f"{name}_trained_test_max_error"] <= 1e-8 for name in ("keras", "torch"))
    assert metrics["gradient_check_test_max_error"] < 1e-8
    assert metrics["moons_0_hidden_test_accuracy"] < 0.92
    assert metrics["moons_1_hidden_test_accuracy"] > moons_accuracy
    assert metrics["moons_2_hidden_test_accuracy"] > moons_accuracy


def test_a_quick_run_reaches_its_results(quick_run: Run) -> None:
    check_results(quick_run.metrics, moons_accuracy=0.97)
    plots = {f"backpropagation-{name}.png" for name in ("network", "errors", "moons")}
    assert {path.name for path in quick_run.plots.iterdir()} == plots


@pytest.mark.slow
def test_a_default_run_reaches_the_results_of_the_curriculum(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = backpropagation.main(["--no-plots"])
    check_results(metrics, moons_accuracy=0.98)
    assert metrics["train_mean_squared_error"] == pytest.approx(3.51e-5, abs=1e-8)
    output = capsys.readouterr().out
    assert "As expected for this lesson." in output
    (row,) = (line.split() for line in output.splitlines() if line.startswith("E after 10,000"))
    assert row[3:] == ["0.00003510188"] * 3


def test_each_factor_of_the_chain_rule_is_printed(quick_run: Run) -> None:
    rows = quick_run.rows
    assert ["h1", *["0.15", "*", "0.05", "+", "0.20", "*", "0.1", "+", "0.35"], "0.377500000", "0.593269992"] in rows
    assert [row[-2:] for row in quick_run.table("weights * inputs + bias")] == [
        ["0.377500000", "0.593269992"],
        ["0.392500000", "0.596884378"],
        ["1.105905967", "0.751365070"],
        ["1.224921404", "0.772928465"],
    ]
    factors = ["0.741365070", "0.186815602", "0.138498562", "0.593269992", "0.082167041"]
    assert ["w5", *factors, "0.40", "->", "0.358916480"] in rows
    assert "dE/dout h1 = 0.138499 * 0.40 + -0.038098 * 0.50 = 0.036350306" in quick_run.output
    assert "= 0.298371109" in quick_run.output
    new = {row[0]: row[-1] for row in rows if len(row) > 3 and row[-2] == "->"}
    for i, weight in enumerate(AFTER_A_STEP, 1):
        assert float(new[f"w{i}"]) == pytest.approx(weight, abs=1e-8)


@pytest.mark.parametrize("sizes", [(2, 3, 2), (3, 2, 4, 1)])
def test_the_table_shows_the_gradients_of_other_networks(sizes: tuple[int, ...]) -> None:
    layers, X, T = network(sizes, samples=1)
    names = [[f"{layer}.{i}" for i in range(size)] for layer, size in enumerate(sizes)]
    _, outputs = forward(layers, X)
    gradients = backward(layers, X, T)
    text = figures.backward_table(layers, outputs, T, gradients, step(layers, gradients, 0.5), names, 0.5)
    rows = {row[0]: row for row in map(str.split, text.splitlines()) if len(row) == 9 and row[7] == "->"}
    dE_dw = np.concatenate([gradient.dE_dw.T.ravel() for gradient in gradients])
    assert [float(rows[f"w{i}"][5]) for i in range(1, len(dE_dw) + 1)] == pytest.approx(dE_dw, abs=1e-9)


def test_the_comparison_is_printed(quick_run: Run) -> None:
    assert ["published", "NumPy", "Keras", "PyTorch"] in quick_run.rows
    assert ["out", "o1", "0.751365070", *["0.75136506955"] * 3] in quick_run.rows
    assert ["new", "w8", "0.561370121", *["0.56137012111"] * 3] in quick_run.rows


def test_the_plot_of_the_network_shows_its_numbers() -> None:
    nets, outputs = forward(LAYERS, INPUTS)
    gradients = backward(LAYERS, INPUTS, TARGETS)
    figure = figures.network(LAYERS, nets, outputs, TARGETS, gradients, 0.298371, NEURONS)
    forwards, backwards = ([text.get_text() for text in panel.texts] for panel in figure.axes)
    weights = (0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55)
    assert {f"w{i} = {weight:.2f}" for i, weight in enumerate(weights, 1)} <= set(forwards)
    assert {"o1\nnet 1.105906\nout 0.751365", "target 0.99", "bias 0.35"} <= set(forwards)
    assert {"+0.082167", "-0.022740", "+0.000439", "o1\ndelta\n+0.138499", "dE/dout +0.741365"} <= set(backwards)


def test_engines_that_are_missing_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    assert list(backpropagation.train_in_engines(2)) == ["NumPy"]
    output = capsys.readouterr().out
    assert "PyTorch is not installed: its column is left out." in output
    assert "Keras runs on jax, GradientTape is TensorFlow's: its column is left out." in output
