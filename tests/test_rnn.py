"""Row D1 of the curriculum, the lesson `rnn`: gradients that fade and explode, libraries that agree, and small runs."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engines_helper import PACKAGES, assert_same_answers, module_of
from lesson_runs import Run, quick_run, start, without_published_data
from PIL import Image

from workshop import rnn
from workshop.kit import cell_engines, training, unrolling
from workshop.kit.data import images as image_data
from workshop.kit.engine import Plan
from workshop.kit.lazy import keras, nn
from workshop.kit.saving import bundle
from workshop.programs import engines
from workshop.pytorch.kit import training as torch_training
from workshop.pytorch.kit.dataset import Arrays
from workshop.pytorch.kit.recurrent import LSTMAsKeras
from workshop.scratch.nn.cells import LSTM, SimpleRNN
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import LAYERS, Network
from workshop.scratch.nn.reshaping import Flatten

CELLS = [LAYERS[kind] for kind in rnn.CELLS.values()]

pytestmark = pytest.mark.usefixtures("alone")
SMALL = ("--quick", "--units", "6", "--epochs", "1")


@pytest.fixture(scope="module")
def by_torch(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All three cells of two layers, clipped, of the engine that needs no compiler, on what stands in for MNIST."""
    folder = tmp_path_factory.mktemp("torch")
    with without_published_data(folder):
        return start(module_of("torch", "rnn"), folder, *SMALL, "--layers", "2", "--clip", "0.5", "--read", "last")


@pytest.fixture
def by_keras(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick run, which `test_lessons` asks for as well."""
    return quick_run("rnn", tmp_path_factory)


# --- Before training --------------------------------------------------------------------------------------------------


def test_an_lstm_by_hand_is_the_layer() -> None:
    table = unrolling.lstm_table([1.0, -0.5, 2.0], rnn.BY_HAND).splitlines()
    assert table[-1].split()[:2] == ["3", "h"]
    assert float(table[-1].split()[-1]) == pytest.approx(rnn.lstm_of_one_unit([1.0, -0.5, 2.0]), abs=1e-4)
    first = next(line for line in table if line.startswith("1     i"))
    assert "s(1 * 1 + 0.0000 * 0.5 + 0) = s(1.0000)" in first and first.endswith(f"{1 / (1 + math.exp(-1)):.4f}")


def test_the_cells_agree_with_finite_differences_keras_and_pytorch_also_in_different_lengths() -> None:
    headings, rows, worst = cell_engines.compare(CELLS, np.random.default_rng(5), lengths=(5, 2, 3))
    assert len(rows) == 9 and all(len(row) == len(headings) == 7 for row in rows)
    assert {row[1] for row in rows} == {"last state", "all states", "lengths 5, 2, 3"}
    for name, error in worst.items():
        assert 0 < error < (1e-5 if name.endswith("forward") else 1e-4), name


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_without_exchanging_the_gates_pytorch_would_differ(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_engines, "LIBRARIES", {"torch": cell_engines.torch_gradients})
    gates = {"SimpleRNN": [0], "LSTM": [1, 0, 2, 3], "GRU": [0, 1, 2]}[kind]
    monkeypatch.setitem(cell_engines._GATES, kind, gates)
    _, _, worst = cell_engines.compare([LAYERS[kind]], np.random.default_rng(5), lengths=(4, 2))
    assert (worst["torch_forward"] > 0.01) == (kind != "SimpleRNN")


def test_a_mask_makes_a_difference() -> None:
    random = np.random.default_rng(6)
    layer = LSTM(3)
    layer.build((6, 2), random, np.float64)
    layer.parameters["bias"] += 0.3
    X, direction = random.normal(size=(2, 6, 2)), np.ones((2, 3))
    X[1, 2:] = 0
    weights = dict(layer.parameters)
    packed = cell_engines.torch_gradients(
        "LSTM", as_float32(weights), X.astype(np.float32), as_float(direction), [6, 2]
    )
    whole = cell_engines.torch_gradients("LSTM", as_float32(weights), X.astype(np.float32), as_float(direction))
    np.testing.assert_allclose(packed[0][0], whole[0][0], atol=1e-6)
    assert np.abs(packed[0][1] - whole[0][1]).max() > 0.01
    assert not packed[1][1, 2:].any() and whole[1][1, 2:].any()


def as_float(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)


def as_float32(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: as_float(value) for name, value in weights.items()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_gradient_fades_in_a_simple_rnn_explodes_with_relu_and_lasts_in_an_lstm(seed: int) -> None:
    random = np.random.default_rng(seed)
    left = {name: rnn.gradient_by_distance(layer, random) for name, layer in rnn.fresh_cells(random).items()}
    for name, norms in left.items():
        assert norms.shape == (100,) and norms[0] == 1 and np.isfinite(norms).all(), name
    far = {name: norms[-1] for name, norms in left.items()}
    assert far["SimpleRNN, tanh"] < 1e-10
    assert far["SimpleRNN, relu, U doubled"] > 1e8
    # What the forget gate lets stay is what arrives.
    assert far["LSTM, forget bias 0"] < 1e-3 * far["LSTM, forget bias 1"] < 1e-6 * far["LSTM, forget bias 3"]
    assert far["LSTM, forget bias 1"] > 10 * far["SimpleRNN, tanh"]
    assert 0.01 < far["LSTM, forget bias 3"] < 100


def test_a_clipped_gradient_is_shorter_and_points_where_it_pointed() -> None:
    gradients = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    rnn.clip_gradients(gradients, 10)
    assert gradients["a"][0] == 3
    rnn.clip_gradients(gradients, 1)
    np.testing.assert_allclose(gradients["a"], [0.6, 0])
    np.testing.assert_allclose(gradients["b"], [[0.8]])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clipping_saves_a_training_that_explodes(seed: int) -> None:
    lost, saved = rnn.learn_means(None, seed), rnn.learn_means(1, seed)
    assert lost[0] == saved[0] > 1e4
    assert not np.isfinite(lost[-1]) and len(lost) < 5
    assert len(saved) == 60 and min(saved) < 0.1


@pytest.mark.parametrize("limit", [None, 1e-3])
def test_the_option_clips_alike_in_keras_and_pytorch(limit: float | None) -> None:
    network = Network([LSTM(3), Dense(4, "softmax")], (5, 2), seed=1)
    random = np.random.default_rng(2)
    X, y = random.normal(size=(8, 5, 2)).astype(np.float32), random.integers(0, 4, 8)
    plan = Plan("sgd", 1.0, 1, 8, clip=limit)
    mirror = torch_training.new_model([LSTMAsKeras(2, 3), nn.Linear(3, 4), nn.Softmax(dim=1)], (5, 2))
    mirror.set_weights(network.get_weights())
    run = torch_training.TorchRun(mirror, Arrays(X, y), plan, torch.nn.CrossEntropyLoss())
    run.steps(np.arange(8)[None], 8)
    moved = [after - before for after, before in zip(mirror.get_weights(), network.get_weights(), strict=True)]
    length = math.sqrt(sum(float(np.sum(one.astype(np.float64) ** 2)) for one in moved))
    assert length == pytest.approx(1e-3, rel=1e-2) if limit else length > 0.05
    # Keras' own rule, on the gradients of the NumPy engine; `train` hands it the plan's norm.
    Y = network.forward(X)
    network.backward(Y, y, make_loss("sparse_categorical_crossentropy"))
    gradients = [keras.ops.convert_to_tensor(one) for one in network.gradients.values()]
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.global_clipnorm = limit
    variables = [keras.Variable(one) for one in network.get_weights()]
    optimizer.apply(gradients, variables)
    for variable, weight in zip(variables, mirror.get_weights(), strict=True):
        np.testing.assert_allclose(variable.numpy(), weight, atol=1e-6)


def test_the_lesson_hands_its_norm_to_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "fit", lambda model, X, y, **options: model.optimizer.global_clipnorm)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    for limit in (None, 0.25):
        plan: Any = Plan("sgd", 0.1, 1, 8, clip=limit)
        assert rnn.train(model, np.zeros((8, 4)), np.zeros(8), plan, 1) == limit


# --- What is built, and what it thinks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ([], [(28, 48), (1344,), (10,)]),
        (["--read", "last", "--units", "5"], [(5,), (10,)]),
        (["--layers", "3", "--units", "4"], [(28, 4), (28, 4), (28, 4), (112,), (10,)]),
        (["--preset", "course"], [(28, 256), (256,), (10,)]),
        (["--preset", "course", "--units", "3", "--read", "all"], [(28, 3), (28, 3), (84,), (10,)]),
    ],
)
def test_the_networks_are_what_the_options_say(options: list[str], shapes: list[tuple[int, ...]]) -> None:
    arguments = rnn.parse(rnn.__doc__, options)
    assert arguments.cells == ["simple", "lstm", "gru"]
    model = rnn.build("lstm", arguments)
    assert model.input_shape == (None, 28, 28)
    assert [layer.output.shape[1:] for layer in model.layers] == shapes
    assert {type(layer).__name__ for layer in model.layers} <= {"LSTM", "Flatten", "Dense"}
    mirror = module_of("torch", "rnn").build("lstm", arguments, 1)
    assert [weight.shape for weight in mirror.get_weights()] == [weight.shape for weight in model.get_weights()]


def test_the_course_has_its_own_settings_and_bands() -> None:
    arguments = rnn.parse(rnn.__doc__, ["--preset", "course"])
    assert [one.expected for one in arguments.settings.values()] == [0.9783, 0.9876, 0.9784]
    assert {one.epochs for one in arguments.settings.values()} == {10}
    assert arguments.own == "" and rnn.parse(rnn.__doc__, ["--clip", "1"]).own == "--clip given"


@pytest.mark.parametrize("read", ["last", "all"])
def test_what_is_thought_after_the_last_row_is_the_answer(read: str) -> None:
    layers: list[Any] = [SimpleRNN(5, return_sequences=True), LSTM(4, return_sequences=read == "all")]
    network = Network([*layers, *([Flatten()] if read == "all" else []), Dense(10, "softmax")], (28, 28), seed=3)
    X = np.random.default_rng(4).uniform(size=(2, 28, 28)).astype(np.float32)
    thought = unrolling.beliefs(network, X)
    assert thought.shape == (2, 28, 10)
    np.testing.assert_allclose(thought.sum(axis=2), 1, rtol=1e-5)
    np.testing.assert_allclose(thought[:, -1], network.predict(X), rtol=1e-4, atol=1e-6)
    # Rows that are not read yet make no difference.
    X[:, 20:] = 0
    np.testing.assert_allclose(unrolling.beliefs(network, X)[:, :20], thought[:, :20], rtol=1e-5, atol=1e-7)
    assert network.layers[1].settings["return_sequences"] == (read == "all")


# --- Small runs -------------------------------------------------------------------------------------------------------


def test_a_run_compares_the_cells_in_one_table_and_one_picture(by_torch: Run) -> None:
    assert set(by_torch.metrics) == {f"{cell}_{part}_accuracy" for cell in rnn.CELLS for part in ("train", "test")}
    first = by_torch.lines.index("2 x 6 units, answering from the last state") + 4
    rows = by_torch.rows[first : first + 3]
    assert [row[0] for row in rows] == list(rnn.CELLS.values())
    # 6 units: two kernels and a bias for each gate, a GRU two biases; then the ten answers.
    for row, gates, biases in zip(rows, (1, 4, 3), (1, 1, 2), strict=True):
        layers = sum(gates * 6 * (inputs + 6 + biases) for inputs in (28, 6))
        assert int(row[1].replace(",", "")) == layers + 6 * 10 + 10
    for cell, row in zip(rnn.CELLS, rows, strict=True):
        assert row[3] == f"{by_torch.metrics[f'{cell}_test_accuracy']:.2%}"
    for name in ("rnn.png", "rnn-rows.png"):
        with Image.open(by_torch.plots / name) as image:
            assert min(image.size) > 300 and np.ptp(np.asarray(image.convert("L"))) > 100


@pytest.mark.slow
def test_a_run_looks_into_the_cells_before_it_trains(by_keras: Run) -> None:
    assert {"keras_forward_test_max_error", "torch_gradient_test_max_error"} <= set(by_keras.metrics)
    assert by_keras.metrics["differences_test_max_error"] < 1e-6
    assert sorted(path.name for path in by_keras.plots.iterdir()) == ["rnn-gradient.png", "rnn-rows.png", "rnn.png"]
    said = by_keras.output
    assert "The layer in NumPy ends with h = 0.0956." in said and "GRU        lengths 10, 7, 3, 5" in said
    assert "gradient as it is: loss" in said and "reset_after=True" in said
    assert "1 x 48 units, answering from all states" in by_keras.lines


def test_one_cell_reports_itself_alone(tmp_path: Path) -> None:
    run = start(module_of("torch", "rnn"), tmp_path, *SMALL, "--cell", "gru", "--no-plots")
    assert set(run.metrics) == {"train_accuracy", "test_accuracy"} and not run.plots.exists()
    assert [path.name for path in run.models.glob("*.h5")] == ["rnn_gru-quick-standin.h5"]


@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), "torch"])
def test_every_engine_reads_what_was_saved(engine: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(f"by_{engine}")
    digits = image_data.load_image_set("mnist")
    X = image_data.scale_pixels(digits.X_test[:20, ..., 0])
    paths = sorted(run.models.glob("*.h5"))
    assert [path.stem for path in paths] == [f"rnn_{cell}-quick-standin" for cell in ("gru", "lstm", "simple")]
    for path in paths:
        loaded = {name: engines.load(path, ["rnn"], name) for name in PACKAGES}
        assert_same_answers({name: one.predict(X) for name, one in loaded.items()})
        assert loaded["numpy"].input_shape == (28, 28)
        card = loaded["numpy"].card
        assert card["classes"] == [*"0123456789"] and card["engine"] == engine


def test_the_program_for_digits_reads_with_it(by_torch: Run, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from apps import digit

    pixels = image_data.load_image_set("mnist").X_test[0, ..., 0]
    Image.fromarray(255 - pixels).resize((84, 84)).save("drawn.png")
    capsys.readouterr()
    digit.main(["--model", str(by_torch.models / "rnn_lstm-quick-standin.h5"), "--engine", "numpy", "drawn.png"])
    assert capsys.readouterr().out.startswith("drawn.png: ")


# --- Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--cell", "transformer"], "invalid choice: 'transformer'"),
        (["--layers", "0"], "got 0, takes a whole number from 1 up"),
        (["--units", "5000"], "got 5000 and 1, takes up to 2048 and 8"),
        (["--layers", "9", "--preset", "course"], "got 256 and 9, takes up to 2048 and 8"),
        (["--clip", "-1"], "got -1, takes a number above 0"),
        (["--read", "first"], "invalid choice: 'first'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        rnn.main(options)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


# --- The figures of the curriculum ------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("engine", ["keras", "torch"])
def test_the_defaults_reach_their_figures(engine: str, tmp_path: Path) -> None:
    run = start(module_of(engine, "rnn"), tmp_path)
    assert run.answer["data"] == "MNIST"
    for cell, lowest in (("simple", 0.97), ("lstm", 0.985), ("gru", 0.985)):
        assert run.metrics[f"{cell}_test_accuracy"] >= lowest
        assert bundle.load(run.models / f"rnn_{cell}.h5", ["rnn"]).card["data"] == "MNIST"
    assert "As expected for this lesson." in run.lines
