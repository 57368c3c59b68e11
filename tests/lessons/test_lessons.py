"""What every lesson does, checked for all of them: the tests run over `workshop.LESSONS`.

A lesson's quick run is made once, for all of its tests and those of its mirrors.
"""

import importlib
import importlib.metadata
import importlib.util
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from helpers.engines import module_of
from helpers.lesson_runs import (
    IN_PYTORCH,
    KEYS,
    THAT_TRAIN,
    Run,
    assert_claims,
    assert_no_part_takes_longer,
    claims,
    quick_run,
    start,
    start_as_the_first,
)
from helpers.screens import assert_screen
from PIL import Image

from workshop import LESSONS
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle

WITH_MIRRORS = {lesson.name for lesson in LESSONS if lesson.mirrors}
METRIC = re.compile(r"(?:[a-z0-9_]+_)?(?:train|validation|test)_([a-z0-9_]+)")
# Of acting, of drawing, of a gradient: scikit-learn has none for them.
OTHER_NAMES = {"mean_return", "success_rate", "entropy", "relative_error"}
# Their quick runs take longest; the suite runs them smaller in tests of their own, and CI these too.
LONG = {
    "linear_regression",
    "fashion_mnist",
    "optimizers",
    "clustering",
    "boltzmann",
    "gan",
    "deep_q_network",
    "policy_gradient",
    "pytorch_basics",
    "initialization",
    "experiments",
    "regularization",
    "cats_vs_dogs",
    "transfer_learning",
    "banknotes",
    "rnn",
    "text_generation",
    "autoencoder",
}
EACH_LESSON = [
    pytest.param(lesson.name, marks=pytest.mark.slow) if lesson.name in LONG else lesson.name for lesson in LESSONS
]
# The lessons that take a table of one's own, and the options that name its columns.
WITH_A_TARGET = ("xor", "perceptron", "admission", "logistic_regression", "linear_regression", "tables")
OF_A_COLUMN = [
    *((lesson, option) for lesson in WITH_A_TARGET for option in ("--target", "--drop")),
    ("clustering", "--drop"),
    ("forecasting", "--column"),
]
EACH_THAT_TRAINS = [pytest.param(one, marks=pytest.mark.slow) if one in LONG else one for one in THAT_TRAIN]


# Of a lesson, with its other options: the largest batch is a rollout, the largest network one that can be trained.
LARGEST = [
    ("policy_gradient", "", "--batch-size", 512),
    ("policy_gradient", "--preset course", "--batch-size", 512),
    ("policy_gradient", "--algorithm ppo", "--batch-size", 2048),
    ("rnn", "", "--units", 2048),
    ("rnn", "", "--layers", 8),
    ("text_generation", "", "--units", 2048),
    ("text_generation", "", "--layers", 8),
]

# The lines that say how a long part comes on.
AT_ONCE = {
    "banknotes": r"Drawing .*\n|epoch \d+: .*\n|\w+: \d+ notes, .*\n",
    "boltzmann": r"\d+ +0\.\d+ +-?\d\.\d+ +\d+\.\d\n",
    "deep_q_network": r"Epoch .*\n",
    "initialization": r".* epochs? in .*\n",
    "policy_gradient": r"Epoch .*\n",
}


# What a lesson measures with other options of its own than the default ones, its bands are not of.
OWN_OPTIONS = [
    ("boltzmann", "--k 2 --hidden-units 9", "--k, --hidden-units given"),
    ("deep_q_network", "--observation ranges_bearing --discount 0.5", "--observation, --discount given"),
    ("fashion_mnist", "--activation tanh --filters 4 --no-scaling", "--activation, --filters, --no-scaling given"),
    ("forecasting", "--window 20 --horizon 3", "--window, --horizon given"),
    ("forecasting", "--data own.csv --window 20", "the series is your own"),
    ("mnist", "--hidden-units 20", "--hidden-units given"),
    ("optimizers", "--algorithms adam --race-epochs 3", "--algorithms, --race-epochs given"),
    ("policy_gradient", "--discount 0.9", "--discount given"),
    ("rnn", "--layers 2 --units 9 --read last --clip 1", "--layers, --units, --read, --clip given"),
    ("transfer_learning", "--photos 3", "--photos given"),
    ("transfer_learning", "--photos 3 --by-name", "--by-name given"),
    ("transfer_learning", "--data own --photos 3", "the photos are your own"),
    ("xor", "--noise 0.5", "--noise given"),
    *((name, "", "") for name in ("boltzmann", "deep_q_network", "fashion_mnist", "forecasting", "mnist")),
    *((name, "", "") for name in ("optimizers", "policy_gradient", "rnn", "transfer_learning", "xor")),
]


@pytest.fixture
def lesson(request: pytest.FixtureRequest) -> str:
    """The lesson's name, given by `EACH_LESSON`."""
    return str(request.param)


@pytest.fixture
def quick(lesson: str, room: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson's quick run."""
    # A fixture of the session would run before `room` has cut off the network.
    return quick_run(lesson, tmp_path_factory)


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_metrics_are_finite_and_named_as_everywhere(quick: Run) -> None:
    assert quick.metrics
    for name, value in quick.metrics.items():
        assert isinstance(value, float), name
        assert math.isfinite(value), name
        match = METRIC.fullmatch(name)
        assert match, name
        # The last part is scikit-learn's name: accuracy for its accuracy_score.
        known = match[1] in OTHER_NAMES or any(hasattr(sklearn.metrics, match[1] + end) for end in ("", "_score"))
        assert known, name


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_no_part_takes_longer_than_the_whole(quick: Run, lesson: str) -> None:
    assert quick.seconds or lesson not in {"experiments", "regularization", "rnn"}
    assert_no_part_takes_longer(quick)


@pytest.mark.parametrize("lesson", EACH_THAT_TRAINS, indirect=True)
def test_bundles_load_and_their_cards_say_what_was_reported(quick: Run, lesson: str) -> None:
    paths = sorted(quick.models.glob("*.h5"))
    assert paths
    for path in paths:
        loaded = bundle.load(path, [lesson])
        assert loaded.is_verified
        assert loaded.card["seed"] == 1
        assert loaded.card["data"]
        assert loaded.card["data"] in quick.answer["data"]
        assert loaded.card["metrics"]
        for name, value in loaded.card["metrics"].items():
            reported = [v for key, v in quick.metrics.items() if key == name or key.endswith(f"_{name}")]
            assert value in reported, (path.name, name)
        for part in (path.read_bytes(), path.with_suffix(".json").read_bytes()):
            assert str(quick.models).encode() not in part


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_plots_are_not_blank(quick: Run) -> None:
    plots = sorted(quick.plots.glob("*.png"))
    assert plots
    for path in plots:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert min(pixels.shape) >= 100
        # Letters and axes alone are some 2 % of a plot.
        assert np.mean(pixels < 250) > 0.01, path.name
        assert np.ptp(pixels) > 100, path.name


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_the_screen_says_data_result_and_files(quick: Run) -> None:
    assert any(line.startswith("Data      ") for line in quick.lines[:10])
    result = quick.lines[quick.lines.index("Result") :]
    for name, value in quick.metrics.items():
        assert any(line.split() == [name, f"{value:.4g}"] for line in result), name
    assert "No expected band: a quick run." in result
    written = [path for folder in (quick.models, quick.plots) if folder.exists() for path in folder.iterdir()]
    said = " ".join(line for line in result if line.startswith(("Model ", "Plots ")))
    assert [str(path) for path in written if str(path) not in said] == []
    assert sorted(quick.answer["files"]) == sorted(map(str, written))


LIBRARIES = {"keras": "Keras", "numpy": "NumPy", "torch": "PyTorch"}


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_the_screen_says_which_library_computes_and_its_version(quick: Run, lesson: str) -> None:
    (said,) = (line for line in quick.lines if line.startswith("Engine    "))
    engine = quick.answer["engine"]
    version = importlib.metadata.version(engine).partition("+")[0]
    # What runs side by side says what it has of the machine in place of the version.
    expected = f"Keras, CPU cores: {os.cpu_count()}" if lesson == "experiments" else f"{LIBRARIES[engine]} {version}"
    assert re.match(rf"Engine    {re.escape(expected)}(?![.\w])", said)


# Errors of rounding, not of a training: one is as small after a quick run.
ROUNDING = {
    lesson.name: {
        name: most for name, (_, most) in lesson.bands().items() if name.endswith("_max_error") and most <= 1e-4
    }
    for lesson in LESSONS
}


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in LONG else [])
        for name, errors in ROUNDING.items()
        if errors
    ],
    indirect=True,
)
def test_what_differs_by_rounding_alone_does_so_in_a_quick_run_too(quick: Run, lesson: str) -> None:
    found = {name: value for name, value in quick.metrics.items() if name in ROUNDING[lesson]}
    assert found
    assert {name: value for name, value in found.items() if value > ROUNDING[lesson][name]} == {}


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_it_prints_what_was_recorded(quick: Run, lesson: str) -> None:
    assert_screen(lesson, quick)


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_no_bar_of_progress_moves_behind_a_pipe(quick: Run) -> None:
    # Keras draws one for each evaluation and prediction too, unless it is told not to.
    assert [line for line in quick.lines if "\x1b" in line] == []
    assert "\r" not in quick.output and "\b" not in quick.output


@pytest.mark.parametrize(("name", "options", "reason"), OWN_OPTIONS)
def test_why_a_run_with_the_lessons_own_options_has_no_band(name: str, options: str, reason: str) -> None:
    module = importlib.import_module(f"workshop.{name}")
    arguments = module.parse(None, options.split())
    if name == "transfer_learning":
        assert module.why_not_comparable(arguments, "efficientnet") == reason
        assert module.why_not_comparable(arguments, "mobilenet") == (reason or "the backbone is MobileNet")
    else:
        assert (
            module.why_not_comparable(arguments) if hasattr(module, "why_not_comparable") else arguments.not_comparable
        ) == reason


@pytest.mark.slow
@pytest.mark.parametrize("lesson", AT_ONCE, indirect=True)
def test_how_far_a_long_part_is_can_be_seen_behind_a_pipe_too(quick: Run, lesson: str) -> None:
    ends = {found.end() for found in re.finditer(f"^(?:{AT_ONCE[lesson]})", quick.output, re.MULTILINE)}
    assert len(ends) > 1
    assert ends <= {*quick.at_once}


@pytest.mark.parametrize("lesson", EACH_LESSON, indirect=True)
def test_the_json_object_says_the_same(quick: Run, lesson: str) -> None:
    answer = quick.answer
    assert set(answer) == KEYS
    # `experiments` trains, but saves no model: its networks are there to be compared.
    engine = "keras" if lesson in {*THAT_TRAIN, *WITH_MIRRORS, "experiments"} else "numpy"
    engine = "torch" if lesson in IN_PYTORCH else engine
    assert (answer["lesson"], answer["engine"], answer["seed"]) == (lesson, engine, 1)
    assert answer["data"]
    assert answer["seconds"] > 0
    assert answer["metrics"] == quick.metrics
    assert answer["files"]
    for file in answer["files"]:
        assert Path(file).stat().st_size > 0


@pytest.mark.parametrize("lesson", EACH_THAT_TRAINS, indirect=True)
def test_a_quick_run_leaves_good_bundles_and_no_checkpoint(quick: Run) -> None:
    names = [path.name for path in quick.models.iterdir()]
    assert names
    assert [name for name in names if not re.search(r"-quick(-standin)?(-scaler)?\.(h5|json|gz)$", name)] == []


# All lessons take their seeds and their orders from the kit: the suite asks the quickest one, and CI the others. Those
# left out are trained twice in a test of their own, which stops the second run and resumes it; the garments' lesson is
# that of the digits.
RESUMED = {"cats_vs_dogs", "transfer_learning", "banknotes", "boltzmann", "gan", "deep_q_network", "policy_gradient"}
TWICE = [
    one if one == "xor" else pytest.param(one, marks=pytest.mark.slow)
    for one in THAT_TRAIN
    if one not in {*RESUMED, "fashion_mnist"}
]


@pytest.mark.parametrize("lesson", TWICE, indirect=True)
def test_the_same_seed_gives_the_same_files(quick: Run, lesson: str, tmp_path: Path) -> None:
    again = start_as_the_first(lesson, tmp_path, "--quick", "--no-plots")
    assert again.metrics == quick.metrics
    # The plots change nothing, and are not drawn when they are not wanted.
    assert not again.plots.exists()
    assert {path.name for path in again.models.iterdir()} == {path.name for path in quick.models.iterdir()}
    for path in again.models.iterdir():
        assert path.read_bytes() == (quick.models / path.name).read_bytes(), path.name


@pytest.mark.parametrize("lesson", EACH_LESSON)
def test_a_lesson_begins_with_the_command_that_runs_it(lesson: str) -> None:
    spec = importlib.util.find_spec(f"workshop.{lesson}")
    assert spec
    assert spec.origin
    source = Path(spec.origin).read_text("utf-8")
    assert f"python -m workshop.{lesson}" in source.split('"""')[1]


@pytest.mark.parametrize(("lesson", "option"), OF_A_COLUMN)
def test_a_column_that_ones_own_table_has_not_is_refused_in_each_engine(lesson: str, option: str, room: Path) -> None:
    rows = [f"{1990 + i // 12}-{i % 12 + 1:02},{i * i},{i % 7},{'NY'[i % 2]}" for i in range(80)]
    (room / "own.csv").write_text("\n".join(["month,area,rooms,sold", *rows]), "utf-8")
    (mirrors,) = (entry.mirrors for entry in LESSONS if entry.name == lesson)
    for engine in ("keras", *mirrors):
        with pytest.raises(WorkshopError, match=f"{option}:? (got )?weight"):
            start(module_of(engine, lesson), room, "--quick", "--data", "own.csv", option, "weight")


@pytest.mark.parametrize(("lesson", "others", "option", "largest"), LARGEST)
def test_the_largest_that_an_option_takes_is_the_one_that_the_line_names(
    lesson: str, others: str, option: str, largest: int, capsys: pytest.CaptureFixture[str]
) -> None:
    parse = module_of("keras", lesson).parse
    given = parse(None, [*others.split(), option, str(largest)])
    assert getattr(given, option[2:].replace("-", "_")) == largest
    with pytest.raises(SystemExit):
        parse(None, [*others.split(), option, str(largest + 1)])
    said = capsys.readouterr().err
    assert f"got {largest + 1}" in said or f"and {largest + 1}, " in said
    assert re.search(rf"takes up to (2048 and )?{largest}\b", said)


# --- The results of the curriculum, on the real data ------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(
    ("lesson", "data"), [("mnist", "MNIST"), pytest.param("fashion_mnist", "Fashion-MNIST", marks=pytest.mark.slow)]
)
def test_image_lessons_reach_what_they_claim(lesson: str, data: str, tmp_path: Path) -> None:
    run = start_as_the_first(lesson, tmp_path)
    assert run.answer["data"] == data
    assert claims(lesson).keys() <= run.metrics.keys()
    assert_claims(run.metrics, lesson)
    assert "As expected for this lesson." in run.lines
    # The saved network is the one that was measured.
    for kind in ("dense", "cnn"):
        path = run.models / f"{lesson}_{kind}.h5"
        assert path.stat().st_size < 2**20
        loaded = bundle.load(path, [lesson])
        assert loaded.card["metrics"]["test_accuracy"] == run.metrics[f"{kind}_test_accuracy"]
        assert loaded.card["data"] == data
    assert sorted(path.name for path in tmp_path.rglob("*checkpoint*")) == []


@pytest.mark.parametrize("lesson", ["mnist"], indirect=True)
def test_cross_entropy_is_the_same_from_class_numbers_and_from_one_hot_vectors(quick: Run) -> None:
    rows = quick.table("probabilities", "class", "sparse", "one-hot", "in 32 bits")
    assert [row[-4:-1] for row in rows] == [["1", "0.05129329", "0.05129329"], ["2", "2.30258509", "2.30258509"]]
    # The last of these digits are another backend's, or another processor's, to choose.
    assert [float(row[-1]) for row in rows] == pytest.approx([0.05129329, 2.30258512], abs=5e-8)
