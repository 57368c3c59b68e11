"""Row D1 of the curriculum, the lesson `rnn`: networks in three engines, small runs, what the presets claim."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.engines import MIRRORS, PACKAGES, assert_same_answers, assert_tells_the_same, module_of
from helpers.lesson_runs import Run, assert_claims, claims, quick_run, start, stop_after, without_published_data
from PIL import Image
from torch.utils.data import DataLoader

from workshop import rnn
from workshop.kit.data import images as image_data
from workshop.kit.report import Report
from workshop.kit.saving import bundle, keras_h5
from workshop.kit.saving.model import as_model
from workshop.programs import engines
from workshop.pytorch import rnn as mirror
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState
from workshop.scratch import rnn as in_numpy
from workshop.scratch.nn.cells import LSTM, SimpleRNN
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.reshaping import Flatten
from workshop.scratch.nn.state import TrainingState as NumpyState

pytestmark = pytest.mark.usefixtures("alone")
SMALL = ("--quick", "--units", "6", "--epochs", "1")
STACKED = (*SMALL, "--layers", "2", "--clip", "0.5", "--read", "last")
PRESETS = (["--preset", "course"], ["--preset", "large"])


@pytest.fixture(scope="module")
def by_torch(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All three cells of two layers, clipped, of an engine that needs no compiler, on what stands in for MNIST."""
    folder = tmp_path_factory.mktemp("torch")
    with without_published_data(folder):
        return start(mirror, folder, *STACKED)


@pytest.fixture(scope="module")
def by_numpy(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same in NumPy."""
    folder = tmp_path_factory.mktemp("numpy")
    with without_published_data(folder):
        return start(in_numpy, folder, *STACKED)


@pytest.fixture
def by_keras(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick run, which `test_lessons` asks for as well."""
    return quick_run("rnn", tmp_path_factory)


# --- One step in three engines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [[], ["--clip", "0.001"]])
@pytest.mark.parametrize("cell", rnn.CELLS)
def test_one_step_is_the_same_in_the_three_engines_also_clipped(cell: str, clip: list[str]) -> None:
    step = ["--optimizer", "sgd", "--learning-rate", "1", "--epochs", "1", "--batch-size", "8"]
    arguments = rnn.parse(None, ["--cell", cell, "--units", "3", *step, *clip])
    recipe = arguments.recipes[cell].with_options(arguments, samples=8)
    random = np.random.default_rng(2)
    pixels, y = random.integers(0, 256, (8, 28, 28), np.uint8), random.integers(0, 10, 8)
    X = image_data.scale_pixels(pixels)

    network = mirror.build(cell, arguments)
    torch_model = TorchModel(network, (28, 28), "softmax")
    before = torch_model.get_weights()
    loader = DataLoader(ArrayDataset(X, y), sampler=SeededBatches(8, 8, 1), batch_size=None)
    mirror.train(network, loader, TrainingState(None, recipe, torch_model, verbose=0))

    numpy_model = in_numpy.build(cell, arguments)
    numpy_model.set_weights(before)
    in_numpy.train(numpy_model, pixels, y, 1, NumpyState(None, recipe, verbose=0))

    keras_model = rnn.build_network(cell, 3)
    keras_model.set_weights(before)
    keras_model.compile(recipe.make_optimizer(), "sparse_categorical_crossentropy", run_eagerly=True)
    keras_model.train_on_batch(X, y)
    squares = 0.0
    steps = torch_model.get_weights(), numpy_model.get_weights(), keras_model.get_weights()
    for weight, by_torch, by_numpy, expected in zip(before, *steps, strict=True):
        np.testing.assert_allclose(by_torch, expected, atol=1e-6)
        np.testing.assert_allclose(by_numpy, expected, atol=1e-6)
        squares += float(np.sum((by_numpy.astype(np.float64) - weight) ** 2))
    assert math.sqrt(squares) == pytest.approx(1e-3, rel=1e-2) if clip else math.sqrt(squares) > 0.05


# --- Networks and their predictions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ([], [(28, 48), (1344,), (10,)]),
        (["--read", "last", "--units", "5"], [(5,), (10,)]),
        (["--layers", "3", "--units", "4"], [(28, 4), (28, 4), (28, 4), (112,), (10,)]),
        (["--preset", "course"], [(28, 256), (28, 256), (28 * 256,), (10,)]),
        (["--preset", "large"], [(28, 256), (256,), (10,)]),
        (["--preset", "large", "--units", "3", "--read", "all"], [(28, 3), (28, 3), (84,), (10,)]),
    ],
)
def test_the_networks_are_what_the_options_say(options: list[str], shapes: list[tuple[int, ...]]) -> None:
    arguments = rnn.parse(rnn.__doc__, options)
    assert arguments.cells == ["simple", "lstm", "gru"]
    model = rnn.build_network("lstm", arguments.units, arguments.layers, arguments.read)
    assert model.input_shape == (None, 28, 28)
    assert [layer.output.shape[1:] for layer in model.layers] == shapes
    assert {type(layer).__name__ for layer in model.layers} <= {"LSTM", "Flatten", "Dense"}
    of_torch = TorchModel(mirror.build("lstm", arguments), (28, 28), "softmax").architecture
    for described in (of_torch, in_numpy.build("lstm", arguments).architecture):
        assert [layer.kind for layer in described.layers] == [type(layer).__name__ for layer in model.layers]
        assert described.shapes()[1:] == shapes


def test_the_recipe_of_the_course_is_the_same_for_the_three_cells() -> None:
    arguments = rnn.parse(rnn.__doc__, ["--preset", "course"])
    for cell in rnn.CELLS:
        recipe = arguments.recipes[cell].with_options(arguments, samples=60_000)
        assert (recipe.optimizer, recipe.rate, recipe.schedule_steps) == ("adam", 0.001, None)
        assert (recipe.batch_size, recipe.epochs, recipe.clip) == (64, 10, None)
    # Two layers, and a dense layer that all states go into.
    lstm = 4 * 256 * (28 + 256 + 1) + 4 * 256 * (256 + 256 + 1)
    model = rnn.build_network("lstm", arguments.units, arguments.layers, arguments.read)
    assert model.count_params() == lstm + 28 * 256 * 10 + 10


def test_the_presets_have_their_own_bands(capsys: pytest.CaptureFixture[str]) -> None:
    default, course, large = (rnn.parse(rnn.__doc__, options) for options in ([], *PRESETS))
    assert [recipe.learning_rate for recipe in large.recipes.values()] == [0.0005, 0.002, 0.002]
    assert large.not_comparable == ""
    assert rnn.parse(rnn.__doc__, ["--clip", "1"]).not_comparable == "--clip given"
    assert course.not_comparable == ""
    for arguments, cell, accuracy, line in (
        (default, "gru", 0.98, "Not as expected: gru_test_accuracy is 0.98, expected at least 0.985."),
        (default, "simple", 0.971, "As expected for this lesson."),
        (large, "gru", 0.98, "As expected for this lesson."),
        (large, "simple", 0.971, "Not as expected: simple_test_accuracy is 0.971, expected at least 0.9783."),
        (course, "simple", 0.971, "As expected for this lesson."),
        (course, "lstm", 0.987, "Not as expected: lstm_test_accuracy is 0.987, expected at least 0.9876."),
    ):
        report = Report("rnn", arguments)
        report.result({"test_accuracy": accuracy}, model=cell, band=cell)
        report.finish(not_comparable=arguments.not_comparable)
        assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("cell", rnn.CELLS)
def test_the_network_of_the_course_is_one_file_for_three_engines(cell: str, tmp_path: Path) -> None:
    arguments = rnn.parse(rnn.__doc__, ["--preset", "course", "--units", "4"])
    X = np.random.default_rng(7).uniform(size=(3, 28, 28)).astype(np.float32)
    in_keras = as_model(rnn.build_network(cell, arguments.units, arguments.layers, arguments.read))
    in_torch = TorchModel(mirror.build(cell, arguments), (28, 28), "softmax")
    for model in (in_keras, in_torch, in_numpy.build(cell, arguments)):
        content, path = model.to_h5(), tmp_path / "model.h5"
        path.write_bytes(content)
        read = (keras_h5.from_bytes(content, path), TorchModel.from_h5(path), Network.from_h5(path))
        for other in read:
            np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("read", ["last", "all"])
def test_the_prediction_after_the_last_row_is_the_networks(read: str) -> None:
    layers: list[Any] = [SimpleRNN(5, return_sequences=True), LSTM(4, return_sequences=read == "all")]
    network = Network([*layers, *([Flatten()] if read == "all" else []), Dense(10, "softmax")], (28, 28), seed=3)
    X = np.random.default_rng(4).uniform(size=(2, 28, 28)).astype(np.float32)
    predictions = rnn.predict_by_row(network, X)
    assert predictions.shape == (2, 28, 10)
    np.testing.assert_allclose(predictions.sum(axis=2), 1, rtol=1e-5)
    np.testing.assert_allclose(predictions[:, -1], network.predict(X), rtol=1e-4, atol=1e-6)
    # Rows that are not read yet make no difference.
    X[:, 20:] = 0
    np.testing.assert_allclose(rnn.predict_by_row(network, X)[:, :20], predictions[:, :20], rtol=1e-5, atol=1e-7)
    assert network.layers[1].settings["return_sequences"] == (read == "all")


# --- Small runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", MIRRORS)
def test_a_run_compares_the_cells_in_one_table_and_one_plot(engine: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(f"by_{engine}")
    assert set(run.metrics) == {f"{cell}_{part}_accuracy" for cell in rnn.CELLS for part in ("train", "test")}
    first = run.lines.index("2 x 6 units, predicting from the last state") + 4
    rows = run.rows[first : first + 3]
    assert [row[0] for row in rows] == list(rnn.CELLS.values())
    # 6 units: two kernels and a bias for each gate, a GRU two biases; then the ten outputs.
    for row, gates, biases in zip(rows, (1, 4, 3), (1, 1, 2), strict=True):
        layers = sum(gates * 6 * (inputs + 6 + biases) for inputs in (28, 6))
        assert int(row[1].replace(",", "")) == layers + 6 * 10 + 10
    for cell, row in zip(rnn.CELLS, rows, strict=True):
        assert row[3] == f"{run.metrics[f'{cell}_test_accuracy']:.2%}"
    for name in ("rnn.png", "rnn-rows.png"):
        with Image.open(run.plots / name) as image:
            assert min(image.size) > 300 and np.ptp(np.asarray(image.convert("L"))) > 100


@pytest.mark.slow
def test_a_quick_run_in_keras_has_the_metrics_and_plots_of_the_mirrors(by_keras: Run, by_torch: Run) -> None:
    assert by_keras.metrics.keys() == by_torch.metrics.keys()
    assert {path.name for path in by_keras.plots.iterdir()} == {path.name for path in by_torch.plots.iterdir()}
    assert sorted(path.name for path in by_keras.plots.iterdir()) == ["rnn-rows.png", "rnn.png"]
    assert "1 x 48 units, predicting from all states" in by_keras.lines


@pytest.mark.parametrize("engine", MIRRORS)
def test_one_cell_reports_itself_alone(engine: str, tmp_path: Path) -> None:
    run = start(module_of(engine, "rnn"), tmp_path, *SMALL, "--cell", "gru", "--no-plots")
    assert set(run.metrics) == {"train_accuracy", "test_accuracy"}
    assert not run.plots.exists()
    assert [path.name for path in run.models.glob("*.h5")] == ["rnn_gru-quick-standin.h5"]


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), *MIRRORS])
def test_a_preset_leaves_what_the_default_run_saved(engine: str, room: Path) -> None:
    options = ("--preset", "course", "--layers", "1", "--cell", "simple")
    run = start(module_of(engine, "rnn"), room, *SMALL, *options)
    assert [path.name for path in run.models.glob("*.h5")] == ["rnn_course_simple-quick-standin.h5"]
    assert {"rnn_course.png", "rnn_course-rows.png"} <= {path.name for path in run.plots.iterdir()}
    assert not {"rnn.png", "rnn-rows.png"} & {path.name for path in run.plots.iterdir()}
    assert "No expected band: --layers, --units given." in run.lines


def test_numpy_tells_what_pytorch_tells(by_numpy: Run, by_torch: Run) -> None:
    assert_tells_the_same(by_numpy, by_torch)
    assert by_numpy.trainings == by_torch.trainings
    assert by_numpy.titles == by_torch.titles
    assert by_numpy.metrics.keys() == by_torch.metrics.keys()
    assert (by_numpy.answer["engine"], by_numpy.answer["data"]) == ("numpy", by_torch.answer["data"])
    for folder in ("models", "plots"):
        names, theirs = (sorted(path.name for path in (run.folder / folder).iterdir()) for run in (by_numpy, by_torch))
        assert names == theirs
    assert "No expected band: a quick run." in by_numpy.lines


def test_a_stopped_training_in_numpy_ends_with_the_same_bits(
    by_numpy: Run, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*SMALL, "--epochs", "3", "--cell", "gru", "--clip", "0.5", "--no-plots")
    whole = start(in_numpy, room / "whole", *options)
    stop_after(2, monkeypatch, lambda: start(in_numpy, room, *options))
    assert [path.name for path in (room / "models").iterdir()] == ["rnn_gru-numpy-checkpoint.npz"]
    run = start(in_numpy, room, "--resume", *options)
    assert any(line.startswith("Resumed   after epoch 2 of 3") for line in run.lines)
    names = sorted(path.name for path in run.models.iterdir())
    assert names == ["rnn_gru-quick-standin.h5", "rnn_gru-quick-standin.json"]
    for name in names:
        assert (run.models / name).read_bytes() == (whole.models / name).read_bytes(), name


IN_A_FRESH_PROCESS = """
import contextlib, io, json, sys
heavy = {"keras", "tensorflow", "torch", "jax", "sklearn", "matplotlib", "PIL", "joblib", "h5py"}
from workshop.scratch import rnn
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    rnn.main(["--help"])
for_help = sorted(heavy & set(sys.modules))
with contextlib.redirect_stdout(io.StringIO()):
    rnn.main(json.loads(sys.argv[1]))
print(json.dumps([out.getvalue(), for_help, sorted({"keras", "tensorflow", "torch"} & set(sys.modules))]))
"""


def test_numpy_trains_without_keras_and_pytorch_and_its_help_is_there_at_once(by_numpy: Run, room: Path) -> None:
    options = json.dumps([*STACKED, "--no-plots", "--models", str(room)])
    done = subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS, options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, for_help, for_training = json.loads(done.stdout)
    assert in_numpy.__doc__ and in_numpy.__doc__.strip() in said
    assert (for_help, for_training) == ([], [])
    for path in by_numpy.models.iterdir():  # the seed decides, not the process
        assert (room / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), *MIRRORS])
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
        assert card["classes"] == [*"0123456789"]
        assert card["engine"] == engine


def test_the_program_for_digits_reads_with_it(by_torch: Run, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from apps import digit

    pixels = image_data.load_image_set("mnist").X_test[0, ..., 0]
    Image.fromarray(255 - pixels).resize((84, 84)).save("drawn.png")
    capsys.readouterr()
    digit.main(["--model", str(by_torch.models / "rnn_lstm-quick-standin.h5"), "--engine", "numpy", "drawn.png"])
    assert capsys.readouterr().out.startswith("drawn.png: ")


# --- Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cell", "transformer"], "invalid choice: 'transformer'"),
        (["--layers", "0"], "got 0, takes a whole number from 1 up"),
        (["--units", "5000"], "got 5000 and 1, takes up to 2048 and 8"),
        (["--layers", "9", "--preset", "course"], "got 256 and 9, takes up to 2048 and 8"),
        (["--clip", "-1"], "got -1, takes a number above 0"),
        (["--read", "first"], "invalid choice: 'first'"),
        (["--preset", "small"], "invalid choice: 'small'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        rnn.main(options)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


# --- The metrics of the curriculum ------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.slow
def test_the_defaults_reach_their_bands(tmp_path: Path) -> None:
    run = start(rnn, tmp_path)
    assert run.answer["data"] == "MNIST"
    assert_claims(run.metrics, "rnn")
    for cell in ("simple", "lstm", "gru"):
        assert bundle.load(run.models / f"rnn_{cell}.h5", ["rnn"]).card["data"] == "MNIST"
    assert "As expected for this lesson." in run.lines


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("engine", MIRRORS)
def test_the_mirrors_reach_the_band_of_the_lstm(engine: str, tmp_path: Path) -> None:
    # The loop is the same for each cell, and the cells are Keras' number for number: see test_recurrent.
    run = start(module_of(engine, "rnn"), tmp_path, "--cell", "lstm", "--no-plots")
    assert run.answer["data"] == "MNIST"
    assert run.metrics["test_accuracy"] >= claims("rnn")["lstm_test_accuracy"][0]
    assert "As expected for this lesson." in run.lines


@pytest.mark.slow
@pytest.mark.real
def test_from_the_last_state_alone_an_lstm_reaches_98_percent(tmp_path: Path) -> None:
    run = start(rnn, tmp_path, "--cell", "lstm", "--read", "last", "--no-plots")
    assert 0.975 <= run.metrics["test_accuracy"] < 0.985
    assert "No expected band: --read given." in run.lines
