"""The lessons in PyTorch and in NumPy: each is its lesson in all but the library, and what it saves serves the others.

The tests run over `workshop.LESSONS` and both engines. A quick run is made once for all of its tests, and once more in
a process of its own, where neither Keras nor TensorFlow may be loaded and the same files must come out.
"""

import dataclasses
import importlib.metadata
import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.engines import (
    ALL_MIRRORS,
    CASES,
    EACH_LESSON,
    IMAGE_LESSONS,
    MIRRORS,
    ON_REAL_DATA,
    ONE_THREAD,
    PACKAGES,
    Samples,
    assert_same_answers,
    assert_same_network,
    assert_tells_the_same,
    in_its_own_units,
    module_of,
    quick_options,
    quick_run,
)
from helpers.lesson_runs import assert_claims, assert_no_part_takes_longer, start, stop_after, write_table
from helpers.screens import assert_screen

from workshop.kit import metrics
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import h5
from workshop.kit.saving.model import as_model
from workshop.kit.training import Recipe
from workshop.kit.training.checkpoint import Checkpoint
from workshop.programs import engines
from workshop.pytorch.kit import optimizers as torch_optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState as TorchState
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import BinaryCrossentropy
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.optimizers import make_optimizer
from workshop.scratch.nn.regularization import BatchNormalization, Dropout
from workshop.scratch.nn.state import TrainingState as NumpyState

# CI runs these: the garments' mirrors are the digits' but for their sizes, and the line's lesson trains 17 neurons.
LONG = {"fashion_mnist", "linear_regression"}
EACH_MIRROR = [
    pytest.param(engine, lesson, marks=[pytest.mark.slow] if lesson in LONG else [])
    for lesson in EACH_LESSON
    for engine in MIRRORS
]
IMAGE = 28, 28, 1
NAMES = {"torch": "PyTorch", "numpy": "NumPy"}
HEAVY = {"keras", "tensorflow", "torch", "jax", "sklearn", "matplotlib", "PIL", "joblib", "h5py"}

pytestmark = pytest.mark.usefixtures("alone")


def name_of(engine: str, lesson: str) -> str:
    """Returns the module's name, as it is typed behind `python -m`."""
    return f"workshop.{PACKAGES[engine]}{lesson}"


# --- Help -------------------------------------------------------------------------------------------------------------

# All are asked in one process, one after another; each says what is loaded by then.
HELP = f"""
import contextlib, importlib, io, json, sys
answers = {{}}
for name in sys.argv[1:]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        importlib.import_module(name).main(["--help"])
    answers[name] = out.getvalue(), sorted({HEAVY!r} & set(sys.modules))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def help_of() -> dict[str, tuple[str, list[str]]]:
    """What each lesson and mirror answers to `--help`, and what of the heavy libraries was loaded for it."""
    names = [name_of(engine, lesson) for engine in ("keras", "numpy", "torch") for lesson in EACH_LESSON]
    done = subprocess.run(
        [sys.executable, "-c", HELP, *names], capture_output=True, text=True, env=os.environ | {"COLUMNS": "100"}
    )
    assert done.returncode == 0, done.stderr
    return {name: (said, loaded) for name, (said, loaded) in json.loads(done.stdout).items()}


@pytest.mark.parametrize(("engine", "lesson"), EACH_MIRROR)
def test_help_is_at_once_there_and_has_the_options_of_the_lesson(
    engine: str, lesson: str, help_of: dict[str, tuple[str, list[str]]]
) -> None:
    said, loaded = help_of[name_of(engine, lesson)]
    assert set(loaded) <= ({"torch"} if engine == "torch" else set())  # whose classes need torch; they are asked last
    usage, text = said.split("\n\n", 1)
    # The usage names every option, its choices and how many values it takes.
    assert usage == help_of[name_of("keras", lesson)][0].split("\n\n", 1)[0]
    docstring = module_of(engine, lesson).__doc__
    assert docstring and text.startswith(docstring.strip())
    assert f"python -m {name_of(engine, lesson)}" in docstring
    assert f"mirror of `workshop/{lesson}.py`" in docstring
    assert NAMES[engine] in docstring.splitlines()[0]


# --- What a quick run says and saves ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("engine", "lesson"), EACH_MIRROR)
def test_a_mirror_reports_what_its_lesson_reports_and_names_its_engine(
    engine: str, lesson: str, room: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run, of_keras = (quick_run(one, lesson, tmp_path_factory) for one in (engine, "keras"))
    answer = run.answer
    assert (answer["lesson"], answer["engine"], answer["seed"]) == (lesson, engine, 1)
    assert answer["data"] == of_keras.answer["data"]
    assert answer["metrics"].keys() == of_keras.answer["metrics"].keys()
    assert all(isinstance(value, float) and math.isfinite(value) for value in answer["metrics"].values())
    names, theirs = ([Path(file).name for file in one.answer["files"]] for one in (run, of_keras))
    models = [name for name in names if not name.endswith(".png")]
    assert models == [name for name in theirs if not name.endswith(".png")]
    assert sorted(models) == sorted(path.name for path in run.models.iterdir())
    # The parts by hand are the lesson's alone, and without a mistake there is none to draw.
    assert {*names} - {*theirs} <= {name for name in names if name.endswith("-mistakes.png")}
    (said,) = (line for line in run.lines if line.startswith("Engine    "))
    assert said.startswith(f"Engine    {NAMES[engine]} {importlib.metadata.version(engine).partition('+')[0]}, ")
    assert "No expected band: a quick run." in run.lines
    assert run.seconds or not of_keras.seconds
    assert_no_part_takes_longer(run)
    assert run.trainings == of_keras.trainings


@pytest.mark.parametrize(("engine", "lesson"), ALL_MIRRORS)
def test_a_mirror_prints_what_was_recorded(
    engine: str, lesson: str, room: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_screen(f"{engine}-{lesson}", quick_run(engine, lesson, tmp_path_factory))


# Lessons whose results do not have the accuracy that the progress shows, and their trainings on all of those rows.
MEASURED_TWICE = {
    "logistic_regression": {2: "train_accuracy"},
    "admission": {0: "neuron_train_accuracy", 1: "network_train_accuracy"},
}


@pytest.mark.parametrize("lesson", MEASURED_TWICE)
@pytest.mark.parametrize("engine", MIRRORS)
def test_the_progress_shows_the_accuracy_on_the_rows_that_are_trained_on(
    engine: str, lesson: str, room: Path, tmp_path: Path
) -> None:
    # Steps that change nothing: the network is the same in each of them, and when it is measured.
    options = ["--no-plots", "--epochs", "1", "--learning-rate", "1e-12"]
    run = start(module_of(engine, lesson), tmp_path, "--quick", *options)
    shown = re.findall(r"^1/1 epochs in .*accuracy: ([\d.]+)$", run.output, re.MULTILINE)
    for place, name in MEASURED_TWICE[lesson].items():
        assert float(shown[place]) == pytest.approx(run.metrics[name], abs=6e-5)


@pytest.mark.parametrize(("engine", "lesson"), EACH_MIRROR)
def test_a_card_names_the_engine_and_its_version(
    engine: str, lesson: str, room: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run, of_keras = (quick_run(one, lesson, tmp_path_factory) for one in (engine, "keras"))
    for path in sorted(run.models.glob("*.json")):
        card = json.loads(path.read_text("utf-8"))
        assert card["engine"] == engine
        assert card["versions"]["numpy"] == importlib.metadata.version("numpy")
        assert card["versions"].get("torch") == (importlib.metadata.version("torch") if engine == "torch" else None)
        assert not {"keras", "tensorflow"} & card["versions"].keys()
    assert_tells_the_same(run, of_keras)


@pytest.mark.parametrize("engine", PACKAGES)
@pytest.mark.parametrize("lesson", ["admission", "logistic_regression", "tables"])
def test_a_table_of_ones_own_is_held_against_no_band_in_any_engine(
    engine: str, lesson: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = module_of("keras", lesson).RECIPES
    for name, recipe in recipes.items():
        # Without an option, which would be the reason that is said.
        monkeypatch.setitem(recipes, name, dataclasses.replace(recipe, epochs=2, small_set_epochs=None))
    X = np.random.default_rng(0).uniform(0, 100, (60, 2)).round(1)
    table = write_table(room / "own.csv", "width,height,fits", np.column_stack([X, X[:, 0] > X[:, 1]]))
    run = start(module_of(engine, lesson), room, "--no-plots", "--data", str(table))
    assert "No expected band: the table is your own." in run.lines


# --- The networks without a choice of sizes ---------------------------------------------------------------------------

# Of each: the lesson, what its network has to be told, the shape of a sample, the last activation, which the networks
# of PyTorch leave to the loss, and what builds it in Keras, in PyTorch and in NumPy.
WITHOUT_SIZES: list[tuple[str, tuple[Any, ...], tuple[int, ...], str | None, dict[str, str]]] = [
    ("xor", (), (2,), None, {"keras": "build_network", "torch": "Network"}),
    ("admission", (), (2,), "sigmoid", {"keras": "build_network", "torch": "Network"}),
    ("deep_q_network", (3,), (3,), None, {"keras": "build", "torch": "QNetwork"}),
    ("mnist", (), IMAGE, "softmax", {"keras": "build_dense", "torch": "DenseNetwork", "numpy": "build_dense"}),
    ("mnist", (), IMAGE, "softmax", {"keras": "build_cnn", "torch": "CNN", "numpy": "build_cnn"}),
    ("fashion_mnist", (), IMAGE, "softmax", {"keras": "build_cnn", "torch": "CNN", "numpy": "build_cnn"}),
    ("rnn", ("gru",), IMAGE[:2], "softmax", {"keras": "build_network", "torch": "RowReader", "numpy": "build_layers"}),
]


@pytest.mark.parametrize(
    ("lesson", "told", "shape", "last", "builders"),
    WITHOUT_SIZES,
    ids=[f"{lesson}-{builders['keras']}" for lesson, *_, builders in WITHOUT_SIZES],
)
def test_a_network_of_no_given_size_is_the_lessons_in_every_engine(
    lesson: str, told: tuple[Any, ...], shape: tuple[int, ...], last: str | None, builders: dict[str, str]
) -> None:
    built = {engine: getattr(module_of(engine, lesson), name)(*told) for engine, name in builders.items()}
    expected = h5.from_bytes(as_model(built["keras"]).to_h5(), Path("network.h5"))
    assert_same_network(TorchModel(built["torch"], shape, last).architecture, expected)
    if "numpy" in built:
        assert_same_network(Network(built["numpy"], shape).architecture, expected)


# --- Trained in one engine, used in another ---------------------------------------------------------------------------


def asked(name: str) -> Samples:
    """Returns the samples that the metrics in the card of a quick run are of."""
    samples = CASES[name].samples()
    if CASES[name].lesson in IMAGE_LESSONS:
        return samples._replace(X=samples.X[:500], y=samples.y[:500])  # as many as a quick run looks at
    return samples


def count_right(answers: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """Returns how many answers are right, and how many are so close to being another answer that rounding decides."""
    if answers.shape[1] == 1:
        return int(np.sum((answers >= 0.5) == (y >= 0.5))), int(np.sum(np.abs(answers - 0.5) < 1e-5))
    second, first = np.sort(answers, axis=1)[:, -2:].T
    classes = y if y.ndim == 1 else y.argmax(axis=1)
    return int(np.sum(answers.argmax(axis=1) == classes)), int(np.sum(first - second < 1e-5))


EACH_QUICK_RUN = [
    *(
        pytest.param(engine, lesson, marks=[pytest.mark.slow] if lesson in LONG else [])
        for lesson in EACH_LESSON
        for engine in PACKAGES
    ),
    *(
        pytest.param(engine, lesson, marks=pytest.mark.real, id=f"{engine}-{lesson}-real")
        for lesson in ON_REAL_DATA
        for engine in PACKAGES
    ),
]


@pytest.mark.parametrize(("trained_in", "lesson"), EACH_QUICK_RUN)
def test_what_one_engine_trained_is_as_good_in_the_others(
    trained_in: str, lesson: str, room: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths = sorted(quick_run(trained_in, lesson, tmp_path_factory).models.glob("*.h5"))
    names = {path: path.stem.partition("-quick")[0] for path in paths}
    assert set(names.values()) == {name for name, case in CASES.items() if case.lesson == lesson}
    for path, name in names.items():
        samples = asked(name)
        loaded = {engine: engines.load(path, [lesson], engine) for engine in PACKAGES}
        answers = {engine: one.predict(in_its_own_units(samples)) for engine, one in loaded.items()}
        assert_same_answers(answers)
        card = loaded["keras"].card
        assert card["engine"] == trained_in
        for answer in answers.values():
            if f"{samples.part}_accuracy" in card["metrics"]:
                right, close = count_right(answer, samples.y)
                said = card["metrics"][f"{samples.part}_accuracy"] * len(samples.y)
                assert abs(right - said) < close + 1e-3  # `evaluate` counts in float32
                squared = f"{samples.part}_mean_squared_error"
                if squared in card["metrics"]:
                    error = np.mean((answer - samples.y) ** 2)
                    assert error == pytest.approx(card["metrics"][squared], rel=1e-3, abs=1e-6)
            else:
                found = metrics.regression(samples.part, samples.y[:, 0], answer[:, 0])
                assert found == pytest.approx({name: card["metrics"][name] for name in found}, rel=1e-5)


# --- The same seed, in a process without Keras ------------------------------------------------------------------------

FRESH = """
import importlib, json, sys
from pathlib import Path
package, folder, lessons = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
if package == "workshop.pytorch":
    import torch
    torch.set_num_threads(1)
    torch.set_num_threads = lambda threads: None  # as in the other process: see helpers.engines.one_thread
foreign = {"keras", "tensorflow"} | ({"torch"} if package == "workshop.scratch" else set())
for lesson, options in lessons.items():
    before = set(sys.modules)
    importlib.import_module(f"{package}.{lesson}").main([*options, "--models", str(folder / lesson)])
    (folder / f"{lesson}.json").write_text(json.dumps(sorted(foreign & (set(sys.modules) - before))))
"""
_FRESH: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}


@pytest.fixture(scope="module")
def fresh(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Starts the quick runs of all mirrors in processes of their own, one for each engine."""
    for engine in MIRRORS:
        folder = tmp_path_factory.mktemp(f"fresh-{engine}")
        nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        lessons = json.dumps({lesson: quick_options(lesson) for lesson in EACH_LESSON})
        command = [sys.executable, "-c", FRESH, name_of(engine, "")[:-1], str(folder), lessons]
        environment = os.environ | ONE_THREAD | nowhere | {"KERAS_HOME": str(folder / "keras")}
        with (folder / "printed.txt").open("w") as printed:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=printed, stderr=subprocess.STDOUT)
        _FRESH[engine] = process, folder
    yield
    for process, _ in _FRESH.values():
        process.kill()
        process.wait()
    _FRESH.clear()


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "lesson"), EACH_MIRROR)
def test_a_run_without_keras_ends_with_the_same_files(
    engine: str, lesson: str, fresh: None, room: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = quick_run(engine, lesson, tmp_path_factory)
    process, folder = _FRESH[engine]
    assert process.wait() == 0, (folder / "printed.txt").read_text()
    assert json.loads((folder / f"{lesson}.json").read_text()) == []
    again = folder / lesson
    assert sorted(path.name for path in again.iterdir()) == sorted(path.name for path in run.models.iterdir())
    for path in sorted(run.models.iterdir()):
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


# --- Stopped and resumed ----------------------------------------------------------------------------------------------

X = np.random.default_rng(11).normal(size=(50, 3)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)
CHECKPOINT = Path("run-checkpoint.npz")


def network_with_dropout(engine: str, seed: int = 7) -> Any:
    """Returns the same network every time; `seed` is that of the numbers that Dropout will draw."""
    layers = [Dense(6, "tanh"), BatchNormalization(), Dropout(0.3), Dense(1, "sigmoid")]
    network = Network(layers, (3,), seed=5)
    if engine == "numpy":
        return Network.from_architecture(network.architecture, seed=seed)
    torch.manual_seed(seed)
    return TorchModel.from_bytes(network.to_h5(), Path("network.h5"))


def fit(model: Any, batch_size: int, checkpoint: Checkpoint | None = None, **given: Any) -> Any:
    """Trains with the loop of the engine's mirrors, and returns its state."""
    watches = "patience" in given
    recipe = Recipe(9, 0.01, batch_size=batch_size, optimizer="adam").for_samples(len(X))
    if model.engine == "torch":
        state: Any = TorchState(checkpoint, recipe, model, verbose=0, **given)
        network, criterion = model.module[:-1], torch.nn.BCEWithLogitsLoss()
        optimizer, scheduler = torch_optimizers.make(recipe, network.parameters())
        batches = SeededBatches(len(X), batch_size, 5)
        loader = torch.utils.data.DataLoader(ArrayDataset(X, Y), sampler=batches, batch_size=None)
        for _epoch in state.epochs(optimizer, scheduler, loader):
            network.train()
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = criterion(network(inputs), targets)
                loss.backward()
                optimizer.step()
                scheduler.step()
                state.log(len(inputs), loss=loss)
            if watches:
                network.eval()
                with torch.no_grad():
                    state.log_validation(
                        loss=criterion(network(torch.from_numpy(X[:20])), torch.from_numpy(1 - Y[:20]))
                    )
        return state
    state, loss_function = NumpyState(checkpoint, recipe, verbose=0, **given), BinaryCrossentropy()
    optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate, recipe.schedule_steps)
    for _epoch in state.epochs(model, optimizer, X, Y, 5):
        for rows in state.batches():
            outputs = model.forward(X[rows], training=True)
            state.log(len(rows), loss=model.compute_loss(outputs, Y[rows], loss_function))
            model.backward(outputs, Y[rows], loss_function)
            optimizer.apply(model.gradients, model.parameters)
        if watches:
            state.log_validation(loss=model.compute_loss(model.forward(X[:20]), 1 - Y[:20], loss_function))
    return state


@pytest.mark.parametrize("engine", MIRRORS)
@pytest.mark.parametrize(
    ("batch_size", "options"),
    [
        # Validation is looked at after every epoch; it is best in the first ones, which the checkpoint must keep.
        (16, {"patience": 6, "snapshots": (0, 2, 5)}),
        (2, {}),
    ],
)
def test_a_resumed_run_with_dropout_ends_with_the_same_bits(
    engine: str,
    batch_size: int,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    whole = network_with_dropout(engine)
    expected = fit(whole, batch_size, **options)
    undisturbed = network_with_dropout(engine, seed=8)
    fit(undisturbed, batch_size, **options)
    assert any((one != other).any() for one, other in zip(undisturbed.get_weights(), whole.get_weights(), strict=True))

    stop_after(4, monkeypatch, lambda: fit(network_with_dropout(engine), batch_size, Checkpoint(CHECKPOINT), **options))
    resumed = network_with_dropout(engine, seed=99)  # nothing may depend on what this process drew before
    resumed.set_weights([weight + 1 for weight in resumed.get_weights()])
    state = fit(resumed, batch_size, Checkpoint(CHECKPOINT, resume=True), **options)
    assert "Resumed   after epoch 4 of 9" in capsys.readouterr().out
    for one, other in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (state.history, state.curve) == (expected.history, expected.curve)
    assert state.best_epoch == expected.best_epoch
    if options:
        losses = state.history["val_loss"]
        assert state.best_epoch == np.argmin(losses) + 1 and len(losses) == min(9, state.best_epoch + 6)
    assert state.weights.keys() == expected.weights.keys() == set(options.get("snapshots", ()))
    for epoch, weights in expected.weights.items():
        for one, other in zip(state.weights[epoch], weights, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", MIRRORS)
def test_a_lesson_is_resumed_by_its_own_engine_alone(
    engine: str, room: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr("workshop.kit.training.checkpoint._SECONDS_BETWEEN_CHECKPOINTS", 0)
    (other,) = set(MIRRORS) - {engine}
    names = {mirror: f"tables-car-{mirror}-checkpoint.npz" for mirror in MIRRORS}
    whole = quick_run(engine, "tables", tmp_path_factory)
    options = [*quick_options("tables"), "--table", "car"]
    stop_after(7, monkeypatch, lambda: start(module_of(engine, "tables"), room, *options))
    left = room / "models" / names[engine]
    state = left.read_bytes()
    assert [path.name for path in left.parent.iterdir()] == [left.name]

    # Another engine does not find it, does not touch it, and does not take it under the name of its own.
    run = start(module_of(other, "tables"), room, "--resume", *options)
    assert "Resume    found nothing to go on with: starting from the first epoch" in run.lines
    assert left.read_bytes() == state and not (left.parent / names[other]).exists()
    shutil.copy(left, left.parent / names[other])
    with pytest.raises(WorkshopError, match=rf"{names[other]} is of a run with other settings \(.*engine.* differ\)"):
        start(module_of(other, "tables"), room, "--resume", *options)

    run = start(module_of(engine, "tables"), room, "--resume", *options)
    assert any(line.startswith("Resumed   after epoch 7 of 20") for line in run.lines)
    assert not left.exists()
    for path in whole.models.glob("car-quick*"):
        assert (run.models / path.name).read_bytes() == path.read_bytes(), path.name


# --- Stopped early ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "lesson"),
    [
        ("torch", "forecasting"),
        ("torch", "tables"),
        ("numpy", "tables"),
        pytest.param("keras", "forecasting", marks=pytest.mark.slow),
        pytest.param("keras", "tables", marks=pytest.mark.slow),
    ],
)
def test_a_training_stops_where_validation_no_longer_gains_and_keeps_its_best_epoch(
    engine: str, lesson: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_of("keras", lesson), "PATIENCE", 2)
    noise = np.random.default_rng(3).normal(size=(60, 3))  # there is nothing to learn from it but by heart
    if lesson == "tables":
        path = write_table(room / "noise.csv", "a,b,c", noise)
        options = ["--target", "c"]
    else:
        path = write_table(room / "noise.csv", "day,value", np.column_stack([np.arange(60), noise[:, 0]]))
        options = ["--window", "6", "--horizon", "2"]
    options += ["--data", str(path), "--epochs", "99", "--learning-rate", "0.05", "--no-plots"]
    run = start(module_of(engine, lesson), room, *options)
    (kept,) = re.findall(r"^Kept the weights of epoch (\d+) of (\d+), the best on", run.output, re.MULTILINE)
    assert int(kept[0]) + 2 == int(kept[1]) < 99


# --- Images -----------------------------------------------------------------------------------------------------------


def test_the_plots_of_a_network_are_drawn(room: Path) -> None:
    run = start(module_of("torch", "mnist"), room, "--quick", "--model", "cnn", "--filters", "4", "--epochs", "1")
    drawn = {path.stem.removeprefix("mnist_cnn-") for path in run.plots.iterdir() if path.stat().st_size > 3_000}
    assert drawn == {"mnist-loss", "mistakes", "confusion", "layers", "filters"}


# --- Without PyTorch --------------------------------------------------------------------------------------------------

WITHOUT_TORCH = """
import contextlib, importlib, importlib.machinery, io, json, sys
class WithoutTorch(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "torch" else super().find_spec(name, path, target)
sys.meta_path[:] = [WithoutTorch if one is importlib.machinery.PathFinder else one for one in sys.meta_path]
from workshop.kit import cli
answers = []
for name, options in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.run(lambda: importlib.import_module(name).main(options))
        except SystemExit as end:
            answers.append([end.code, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


def test_without_pytorch_it_is_said_in_one_line_and_the_rest_works(room: Path) -> None:
    asked_for = [(name_of("torch", lesson), ["--quick"]) for lesson in ("linear_regression", "admission", "xor")]
    asked_for += [("apps.admission", ["45", "85", "--engine", engine]) for engine in ("torch", "numpy")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], input=json.dumps(asked_for), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *refused, answered = json.loads(done.stdout)
    # As it is typed: Python imports the mirror before anything of it can run.
    (room / "sitecustomize.py").write_text(WITHOUT_TORCH[: WITHOUT_TORCH.index("from workshop.kit")])
    typed = subprocess.run(
        [sys.executable, "-m", name_of("torch", "xor"), "--quick"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(room)},
    )
    refused.append([typed.returncode, typed.stdout, typed.stderr])
    shipped = "note: the model is admission.h5, which ships with the package\n"
    for code, _, said in refused:
        error = said.removeprefix(shipped)
        assert code == 2 and error.count("\n") == 1
        assert error.startswith("error: the library torch is not installed: python -m pip install ")
    assert answered[0] == 0 and answered[1].startswith("Admitted (") and answered[2] == shipped
    assert not list(room.rglob("*.h5"))


# --- The results of the curriculum ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("lesson", [lesson for lesson in EACH_LESSON if lesson not in ON_REAL_DATA])
@pytest.mark.parametrize("engine", MIRRORS)
def test_the_defaults_reach_the_expected_bands(engine: str, lesson: str, tmp_path: Path) -> None:
    run = start(module_of(engine, lesson), tmp_path)
    assert_claims(run.metrics, lesson, engine)
    assert "As expected for this lesson." in run.lines


@pytest.mark.real
@pytest.mark.parametrize(
    "lesson", [pytest.param(one, marks=[pytest.mark.slow] if one == "mnist" else []) for one in ON_REAL_DATA]
)
@pytest.mark.parametrize("engine", MIRRORS)
def test_the_defaults_reach_the_bands_on_the_real_data(engine: str, lesson: str, room: Path) -> None:
    # The garments' CNN takes most of a minute; that it learns in each engine as in Keras, test_engines shows.
    options = ["--model", "dense"] if lesson == "fashion_mnist" else []
    run = start(module_of(engine, lesson), room, *options)
    assert "As expected for this lesson." in run.lines
    assert "stand-in" not in run.answer["data"]
