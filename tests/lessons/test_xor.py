"""The lesson `xor`: the gates, the network that learns, the noisy points, and tables of one's own."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import Run, claims, start, stop_after, write_table
from matplotlib.figure import Figure

from workshop import xor
from workshop.figures import xor as figures
from workshop.kit import training
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.pytorch import xor as in_torch
from workshop.scratch import xor as in_numpy

pytestmark = pytest.mark.usefixtures("alone")

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
SHAPES = ("step_", "sine_", "circle_", "three_")
BANDS = {name: band for name, band in claims("xor").items() if not name.startswith(SHAPES)}
SHAPE_BANDS = {name: band for name, band in claims("xor").items() if name.startswith(SHAPES)}
SHORT = ["--quick", "--epochs", "5", "--no-plots"]


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it, with its defaults."""
    return start(xor, tmp_path_factory.mktemp("xor"))


def assert_in_bands(metrics: dict[str, float]) -> None:
    """The test accuracies are those of the bands; the train accuracies are no different."""
    for split in ("train", "test"):
        bands = {name.replace("_test_", f"_{split}_"): band for name, band in BANDS.items()}
        assert {name for name, (low, high) in bands.items() if not low <= metrics[name] <= high} == set()


# --- By hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "weights", "truth"),
    [
        ("AND", (-30, 20, 20), [0, 0, 0, 1]),
        ("OR", (-10, 20, 20), [0, 1, 1, 1]),
        ("NAND", (30, -20, -20), [1, 1, 1, 0]),
    ],
)
def test_a_gate_computes_its_truth_table(name: str, weights: tuple[int, ...], truth: list[int]) -> None:
    assert xor.GATES[name] == weights
    assert xor.gate(name, CORNERS).round().tolist() == truth
    # Worked out apart: every gate's sum is 10 or 30 away from 0.
    assert np.abs(xor.gate(name, CORNERS) - truth).max() == pytest.approx(1 / (1 + np.exp(10)))


def test_xor_is_and_of_or_and_nand() -> None:
    assert xor.gates_xor(CORNERS).round().tolist() == [0, 1, 1, 0]


def test_the_truth_table_is_printed(default_run: Run) -> None:
    lines = default_run.rows
    assert ["x1", "x2", "AND", "OR", "NAND", "AND(OR,", "NAND)", "XOR"] in lines
    by_hand = [line for line in lines if len(line) == 7 and line[2].startswith(("0.", "1."))]
    assert [[line[0], line[1], line[-1]] for line in by_hand] == [list(row) for row in ("000", "011", "101", "110")]


def test_the_sigmoid_takes_any_number() -> None:
    assert xor.sigmoid(np.array([-1e6, 0, 1e6], np.float32)) == pytest.approx([0, 0.5, 1])


# --- Learned ----------------------------------------------------------------------------------------------------------


def test_a_default_run_is_in_the_bands(default_run: Run) -> None:
    assert_in_bands(default_run.metrics)
    assert "As expected for this lesson." in default_run.output


def test_each_size_is_named_above_its_progress_and_listed(default_run: Run) -> None:
    rows = []
    sizes = [("1", "1 hidden unit", "5"), ("2", "2 hidden units", "9"), ("4", "4 hidden units", "17")]
    for size, title, weights in sizes:
        assert default_run.lines[default_run.lines.index(title) + 1].startswith("200/200")
        accuracies = [default_run.metrics[f"hidden_{size}_{split}_accuracy"] for split in ("train", "test")]
        rows.append([size, weights, *(f"{accuracy:.3f}" for accuracy in accuracies)])
    assert default_run.table("hidden units", "weights") == rows


@pytest.mark.slow
def test_another_seed_is_in_the_bands() -> None:
    assert_in_bands(xor.main(["--seed", "2", "--no-plots"]))


def test_the_network_is_2_3_1_sigmoid_then_linear() -> None:
    model = xor.build_network()
    assert [weight.shape for weight in model.get_weights()] == [(2, 3), (3,), (3, 1), (1,)]
    assert [layer.activation.__name__ for layer in model.layers] == ["sigmoid", "linear"]


def test_a_network_written_out_answers_as_keras_does() -> None:
    model = xor.build_network(4)
    X = np.random.default_rng(0).normal(0, 3, (50, 2)).astype(np.float32)
    assert xor.make_forward_pass(model.get_weights())(X) == pytest.approx(model.predict(X, verbose=0)[:, 0], abs=1e-6)


def test_the_boundary_is_kept_on_the_way_even_if_the_training_was_stopped(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, list[str]] = {}

    def note(panels: dict[str, object], X: np.ndarray, y: np.ndarray, heading: str, **options: object) -> Figure:
        drawn[heading] = list(panels)
        return Figure()

    monkeypatch.setattr("workshop.kit.plots.contours.boundary_row", note)
    monkeypatch.setattr("workshop.kit.plots.save", lambda figure, path: path)
    options = ["--epochs", "50", "--quick"]
    stop_after(2, monkeypatch, lambda: xor.main(options))  # after 6 epochs
    resumed = start(xor, room, *options, "--resume")
    assert "Resumed   after epoch 6 of 50 (" in resumed.output
    assert drawn["The decision boundary during training"] == [
        "before training",
        "after 3 epochs",
        "after 6 epochs",
        "after 15 epochs",
        "after 50 epochs",
    ]
    titles = [title.split("\n")[0] for title in drawn["How many hidden units it takes"]]
    assert titles == ["1 hidden unit", "2 hidden units", "4 hidden units"]
    whole = start(xor, tmp_path / "whole", *options)
    assert whole.metrics == resumed.metrics
    weights, same = (run.load("xor-quick").model.get_weights() for run in (whole, resumed))
    assert all(np.array_equal(a, b) for a, b in zip(weights, same, strict=True))


def test_the_last_snapshot_is_the_trained_network_and_the_first_is_not() -> None:
    arguments = xor.parse("", ["--epochs", "40", "--no-plots"])
    model, snapshots = xor.build_network(3), training.Snapshots([0, 20, 40])
    recipe = xor.RECIPES["corners"].with_options(arguments, samples=4)
    xor.train(model, CORNERS, xor.Y_CORNERS, recipe, arguments, [snapshots])
    outputs = {epoch: xor.make_forward_pass(weights)(CORNERS) for epoch, weights in snapshots.weights.items()}
    assert list(outputs) == [0, 20, 40]
    assert outputs[40] == pytest.approx(model.predict(CORNERS, verbose=0)[:, 0], abs=1e-6)
    assert np.abs(outputs[0] - outputs[40]).max() > 0.1


def test_plain_fit_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    fitted = []
    fit = keras.Sequential.fit

    def counted_fit(*args: Any, **options: Any) -> Any:
        fitted.append(options["epochs"])
        return fit(*args, **options)

    monkeypatch.setattr(keras.Sequential, "fit", counted_fit)
    quick = start(xor, tmp_path / "table", *SHORT)
    assert fitted == []
    plain = start(xor, tmp_path / "plain", *SHORT, "--plain")
    assert fitted == [5] * 4
    assert plain.metrics == quick.metrics
    weights, same = (run.load("xor-quick").model.get_weights() for run in (plain, quick))
    assert all(np.array_equal(a, b) for a, b in zip(weights, same, strict=True))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [(300, 4, "adam", 0.1), (200, 10, "adam", 0.05)]),
        (["--quick"], [(200, 4, "adam", 0.1), (40, 10, "adam", 0.05)]),
        (["--optimizer", "sgd"], [(300, 4, "sgd", 0.01), (200, 10, "sgd", 0.01)]),
        (["--optimizer", "sgd", "--learning-rate", "0.5", "--epochs", "7"], [(7, 4, "sgd", 0.5), (7, 10, "sgd", 0.5)]),
    ],
)
def test_options_change_the_recipes(options: list[str], expected: list[tuple[object, ...]]) -> None:
    recipes = [recipe.with_options(xor.parse("", options), samples=100) for recipe in xor.RECIPES.values()]
    assert [(one.epochs, one.batch_size, one.optimizer, one.rate) for one in recipes] == expected
    assert {one.schedule_steps for one in recipes} == {None}


# --- Noisy points -----------------------------------------------------------------------------------------------------


def test_noisy_points_lie_around_the_corners_with_the_standard_deviation_asked_for() -> None:
    X, y = xor.noisy_points(100, 0.1, np.random.default_rng(1))
    corners = X.round().astype(int)
    assert X.shape == (100, 2)
    assert np.unique(corners, axis=0, return_counts=True)[1].tolist() == [25, 25, 25, 25]
    assert (y == corners[:, 0] ^ corners[:, 1]).all()
    X, _ = xor.noisy_points(20_000, 0.1, np.random.default_rng(1))
    assert (X - X.round()).std() == pytest.approx(0.1, rel=0.05)
    # The default is as wide as it ever was, where the option was a variance of 0.01.
    assert xor.parse("", []).noise == 0.1
    assert xor.parse("", ["--preset", "course-2-4-1"]).noise == 0.01


@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("module", [pytest.param(xor, marks=pytest.mark.slow), in_torch, in_numpy])
def test_noise_of_ones_own_is_used_and_said(module: ModuleType, room: Path) -> None:
    run = start(module, room, *SHORT, "--noise", "0.2")
    assert "100 noisy points: normal noise of standard deviation 0.2 on both inputs" in run.output
    assert "No expected band: --noise given." in run.lines


def test_noise_is_no_negative_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        xor.main([*SHORT, "--noise", "-1"])
    assert "got -1, takes a number above 0" in capsys.readouterr().err


# --- The recipes of two courses ---------------------------------------------------------------------------------------


def test_a_preset_is_the_recipe_of_the_course() -> None:
    tasks = {}
    for preset in xor.PRESETS:
        arguments = xor.parse("", ["--preset", preset])
        tasks[preset] = xor.network_task(arguments, xor.load_points(arguments))
    first, second = tasks["course-2-3-1"], tasks["course-2-4-1"]
    for task, epochs in ((first, 50_000), (second, 500)):
        recipe = task.recipe
        assert (recipe.epochs, recipe.batch_size, recipe.optimizer, recipe.rate) == (epochs, 1, "sgd", 0.01)
        assert recipe.schedule_steps is None
    assert (first.hidden_units, first.loss, len(first.X)) == (3, "mean_squared_error", 4)
    assert (second.hidden_units, second.loss, second.X.shape) == (4, "binary_crossentropy", (100, 2))
    assert (second.X - second.X.round()).std() == pytest.approx(0.01, rel=0.1)
    model = xor.build_network(4, loss=second.loss)
    assert [layer.activation.__name__ for layer in model.layers] == ["sigmoid", "sigmoid"]
    assert model.count_params() == 17


@pytest.mark.parametrize("module", [xor, in_torch, in_numpy])
def test_a_preset_prints_target_prediction_and_error_and_saves_beside_the_lessons_own(
    module: ModuleType, room: Path
) -> None:
    for preset in xor.PRESETS:
        run = start(module, room, "--preset", preset, "--quick", "--epochs", "3")
        rows = run.table("x1", "x2", "target", "prediction", "error", "XOR")
        assert [row[:3] for row in rows] == [["0", "0", "0"], ["0", "1", "1"], ["1", "0", "1"], ["1", "1", "0"]]
        for _, _, target, prediction, error, rounded in rows:
            assert float(target) - float(prediction) == pytest.approx(float(error), rel=0.06, abs=1e-4)
            assert round(float(prediction)) == int(rounded)
        loaded = bundle.load(room / "models" / f"xor_{preset}-quick.h5", ["xor"])
        assert loaded.predict(CORNERS)[:, 0] == pytest.approx([float(row[3]) for row in rows], abs=1e-4)
        assert {path.name for path in (room / "plots").iterdir()} >= {
            f"xor_{preset}-learning.png",
            f"xor_{preset}-loss.png",
        }
    assert not (room / "models" / "xor-quick.h5").exists()


@pytest.mark.parametrize(
    ("module", "preset"),
    # PyTorch takes minutes for the 200,000 steps of the other recipe; that its steps are Keras' other tests show.
    [
        (in_numpy, "course-2-4-1"),
        *(
            pytest.param(module, preset, marks=pytest.mark.slow)
            for module, preset in (
                (xor, "course-2-3-1"),
                (xor, "course-2-4-1"),
                (in_torch, "course-2-4-1"),
                (in_numpy, "course-2-3-1"),
            )
        ),
    ],
)
def test_a_courses_recipe_solves_the_task(module: ModuleType, preset: str, room: Path) -> None:
    run = start(module, room, "--preset", preset, "--no-plots")
    assert run.metrics["network_train_accuracy"] == 1
    assert "As expected for this lesson." in run.lines
    # Squared errors end at nothing; 500 epochs of cross-entropy are still on their way.
    largest = max(abs(float(row[4])) for row in run.table("x1", "x2", "target", "prediction", "error"))
    assert largest < 1e-3 if preset == "course-2-3-1" else 0.01 < largest < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "course-2-3-1", "--part", "all"], "--part: not allowed with argument --preset"),
        (["--preset", "course-2-4-1", "--data", "own.csv"], "--data: got own.csv, --preset course-2-4-1 takes none"),
        (["--part", "shapes", "--data", "own.csv"], "--data: got own.csv, --part shapes takes none"),
        (["--preset", "course-2-3-1", "--noise", "0.2"], "--noise: got 0.2, --preset course-2-3-1 has no noisy points"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        xor.main(options)
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


# --- What a hidden layer can approximate ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapes_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The shapes, in the engine that is quickest."""
    return start(in_numpy, tmp_path_factory.mktemp("shapes"), "--part", "shapes")


def assert_tells_of_the_shapes(run: Run) -> None:
    """Compares what a run says of its shapes with its metrics, and these with their bands."""
    assert SHAPE_BANDS.keys() <= run.metrics.keys()
    assert "As expected for this lesson." in run.lines
    assert run.titles == ["What a hidden layer can approximate: a step, a sine, a circle, three classes", "Result"]
    inside, three = (run.metrics[f"{name}_test_accuracy"] for name in ("circle", "three_classes"))
    assert f"Circle, 2-6-1: accuracy {inside:.1%} on {xor.TEST_POINTS} other points" in run.lines
    against = "Three classes, 2-2-1 networks each against all others"
    assert f"{against}: accuracy {three:.1%} on {xor.TEST_POINTS} other points" in run.lines


def test_the_shapes_are_in_their_bands(shapes_run: Run) -> None:
    assert_tells_of_the_shapes(shapes_run)
    assert shapes_run.answer["data"] == "a step, a sine, a circle, three clouds"
    networks = [f"1-{units}-1" for units in (2, 6, 7)]
    rows = shapes_run.table("shape", "network", "RMSE")
    assert [row[:2] for row in rows] == [[shape, network] for shape in ("step", "sine") for network in networks]
    assert [float(row[2]) for row in rows] == pytest.approx([*shapes_run.metrics.values()][:6], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("module", [xor, in_torch])
def test_the_shapes_are_drawn_in_the_other_engines_too(module: ModuleType, room: Path) -> None:
    assert_tells_of_the_shapes(start(module, room, "--part", "shapes"))


@pytest.mark.slow
def test_another_seed_draws_the_shapes_too(room: Path) -> None:
    found = in_numpy.main(["--part", "shapes", "--seed", "2", "--no-plots"])
    assert {name for name, (low, high) in SHAPE_BANDS.items() if not low <= found[name] <= high} == set()


def test_the_shapes_are_those_of_the_curriculum() -> None:
    tasks = {task.name: task for task in xor.shape_tasks(xor.parse("", ["--part", "shapes"]))}
    assert [(name, task.hidden_units, task.X.shape[1]) for name, task in tasks.items()] == [
        *((f"{shape}_{units}", units, 1) for shape in ("step", "sine") for units in (2, 6, 7)),
        ("circle", 6, 2),
        *((f"class_{k}", 2, 2) for k in range(3)),
    ]
    assert set(tasks["step_2"].y) == {0, 1}
    assert tasks["sine_2"].y == pytest.approx(np.sin(tasks["sine_2"].X[:, 0]))
    circle = tasks["circle"]
    assert np.array_equal(circle.y == 1, np.hypot(*circle.X.T) < 1.5)
    # Each sample is of one class, and all others of the two other networks' samples of 0.
    assert np.sum([tasks[f"class_{k}"].y for k in range(3)], axis=0).tolist() == [1] * 90


def test_the_plots_of_the_shapes_show_all_networks(shapes_run: Run) -> None:
    assert {path.name for path in shapes_run.plots.iterdir()} == {
        f"xor-{name}.png" for name in ("curves", "circle", "three_classes")
    }
    x = np.linspace(-1, 1, 5)
    figure = figures.curves(x, {"step": x, "sine": x}, {"step": {"1-2-1": x}, "sine": {"1-2-1": x, "1-6-1": x}})
    labels = [panel.get_legend_handles_labels()[1] for panel in figure.axes]
    assert labels == [["target", "1-2-1"], ["target", "1-2-1", "1-6-1"]]


# --- What is saved ----------------------------------------------------------------------------------------------------


def test_the_bundle_solves_xor(default_run: Run) -> None:
    loaded = bundle.load(default_run.models / "xor.h5", ["xor"])
    assert loaded.predict(CORNERS)[:, 0].round().tolist() == [0, 1, 1, 0]
    assert sorted(path.name for path in default_run.models.iterdir()) == ["xor.h5", "xor.json"]
    assert loaded.scaler is None
    assert loaded.card["lesson"] == "xor"
    assert loaded.card["classes"] == ["0", "1"]
    assert loaded.card["threshold"] == 0.5
    assert loaded.card["metrics"] == {
        name: default_run.metrics[f"network_{name}"] for name in ("train_accuracy", "train_mean_squared_error")
    }
    assert loaded.inputs == [bundle.Input("x1"), bundle.Input("x2")]


def test_the_last_line_is_json(default_run: Run) -> None:
    result = default_run.answer
    assert result["lesson"] == "xor"
    assert result["metrics"] == default_run.metrics
    plots = {f"xor-{name}.png" for name in ("gates", "learning", "loss", "hidden_units")}
    assert {Path(name).name for name in result["files"]} == {"xor.h5", "xor.json"} | plots
    assert all(Path(name).is_file() for name in result["files"])


def test_the_plots_are_drawn(default_run: Run) -> None:
    from PIL import Image

    for path in default_run.plots.iterdir():
        with Image.open(path) as image:
            assert image.width > 600


# --- Tables of one's own ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_table_takes_the_place_of_the_noisy_points(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = xor.noisy_points(80, 0.1, np.random.default_rng(5))
    # In units far from 0 to 1: without scaling the sigmoids would be flat.
    table = write_table(room / "far.csv", "f0,f1,hit", np.column_stack([X * [1000, 5] + [7000, -300], y]))
    found = xor.main(["--data", str(table), "--seed", "1"])
    output = capsys.readouterr().out
    assert found["hidden_1_test_accuracy"] <= 0.80
    assert found["hidden_4_test_accuracy"] >= 0.95
    assert "far.csv (80 rows): three quarters to train on, one to test on" in output
    assert "No expected band: the table is your own." in output
    assert Path("plots/xor-hidden_units.png").is_file()


def test_a_table_of_one_class_is_refused_in_one_line(room: Path) -> None:
    table = write_table(room / "ones.csv", "f0,f1,hit", np.column_stack([np.arange(16).reshape(8, 2), np.ones(8)]))
    with pytest.raises(WorkshopError, match="column hit: all rows are of one class") as refused:
        xor.main(["--data", str(table)])
    assert len(str(refused.value).splitlines()) == 1
    assert not list(Path("models").iterdir())


def test_a_table_of_three_features_is_refused_in_one_line(room: Path) -> None:
    table = write_table(
        room / "three.csv", "f0,f1,f2,hit", np.column_stack([np.arange(24).reshape(8, 3), np.arange(8) % 2])
    )
    with pytest.raises(WorkshopError, match=r"has 4 columns .* takes 3: two features, then the target"):
        xor.main(["--data", str(table)])
