"""The lesson `admission` and its table: its metrics, its bundle, its plots, and tables of one's own."""

import logging
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_claims, claims, start, write_table

from workshop import admission
from workshop.figures import admission as figures
from workshop.kit import files
from workshop.kit.data import tables
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle

SHIPPED = files.shipped("datasets")
SHORT = ["--quick", "--epochs", "20", "--no-plots"]


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it, with its defaults."""
    return start(admission, tmp_path_factory.mktemp("admission"))


@pytest.fixture
def tensorflow_warnings() -> Iterator[list[str]]:
    """What TensorFlow warned of during the test."""
    heard: list[str] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    notes = Notes(logging.WARNING)
    logging.getLogger("tensorflow").addHandler(notes)
    yield heard
    logging.getLogger("tensorflow").removeHandler(notes)


def three_features(path: Path) -> Path:
    """Writes a table whose class depends on the first two of three features."""
    X = np.random.default_rng(0).uniform(-50, 400, (60, 3)).round(1)
    return write_table(path, "width,height,noise,fits", np.column_stack([X, X[:, 0] > X[:, 1]]))


# --- The table --------------------------------------------------------------------------------------------------------


def test_the_table_is_made_again_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(shutil.copy(SHIPPED / "make_admission.py", tmp_path))
    monkeypatch.setattr("sys.argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")
    assert (tmp_path / "admission.csv").read_bytes() == (SHIPPED / "admission.csv").read_bytes()


def test_the_table_is_what_its_description_says() -> None:
    table = tables.read_table(SHIPPED / "admission.csv")
    X, y = table.split_two_classes()
    assert table.names == ("exam_1_points", "exam_2_points", "admitted")
    assert X.shape == (100, 2)
    assert y.sum() == 61
    assert X.min() >= 30
    assert X.max() <= 100
    product = (X[:, 0] - 30) * (X[:, 1] - 30)
    assert ((product >= 649.9) == y).all()
    assert not ((product > 550.1) & (product < 649.9)).any()


# --- The metrics of the lesson ----------------------------------------------------------------------------------------


def test_a_default_run_is_in_the_bands(default_run: Run) -> None:
    assert claims("admission").keys() <= default_run.metrics.keys()
    assert_claims(default_run.metrics, "admission")
    assert default_run.output.count("1200/1200") == 2  # the folds train quietly
    assert "As expected for this lesson." in default_run.output


def test_the_recipe_is_that_of_the_curriculum() -> None:
    for recipe in admission.RECIPES.values():
        assert (recipe.optimizer, recipe.rate, recipe.epochs, recipe.schedule) == ("sgd", 0.2, 1200, False)
    layers = admission.build_network().layers
    assert [(layer.units, layer.activation.__name__) for layer in layers] == [(8, "relu"), (4, "relu"), (1, "sigmoid")]


def test_rows_never_trained_on_are_reported_under_their_true_name(default_run: Run) -> None:
    assert 0.9 <= default_run.metrics["network_validation_accuracy"] <= 1
    assert "fold 5 of 5" in default_run.output
    assert not [name for name in default_run.metrics if "test" in name]


def test_the_table_of_both_models_is_printed(default_run: Run) -> None:
    lines = default_run.rows
    assert ["model", "weights", "accuracy", "precision", "recall", "F1"] in lines
    for model, weights in (("neuron", 3), ("network", 65)):
        names = ("accuracy", "precision", "recall", "f1")
        scores = [f"{default_run.metrics[f'{model}_train_{name}']:.3f}" for name in names]
        assert [model, str(weights), *scores] in lines


def test_38_and_75_points_are_predicted_by_both_models(default_run: Run) -> None:
    table = default_run.table("model", "probability of Admitted")[:2]
    loaded = bundle.load(default_run.models / "admission.h5", ["admission"])
    assert loaded.scaler is not None
    one, other = loaded.scaler.transform([[38.0, 75.0]])[0]
    assert f"38 and 75 points, which the scaler makes {one:.3f} and {other:.3f}:" in default_run.lines
    probability = loaded.predict(np.array([[38.0, 75.0]]))[0, 0]
    assert table[1] == ["network", f"{probability:.3f}", "Sorry"]
    # What the curve of the table says: (38 - 30) (75 - 30) = 360 is below 600. The line lets a strong exam make up.
    assert table[0][0::2] == ["neuron", "Sorry"]
    assert float(table[0][1]) == pytest.approx(0.24, abs=0.02)
    assert float(table[0][1]) > 10 * probability


@pytest.mark.slow
def test_another_seed_is_in_the_bands() -> None:
    assert_claims(admission.main(["--seed", "2", "--no-plots"]), "admission")


def test_no_fold_is_validated_on_what_it_was_trained_or_scaled_on() -> None:
    X = np.random.default_rng(0).permutation(100).astype(np.float32)[:, None]
    folds = admission.cross_validation_folds(X, X[:, 0] % 2, admission.parse("", ["--no-plots"]))
    validated: list[int] = []
    for fold in folds:
        # All rows lie evenly: their ranks are the numbers that they were before scaling.
        ranks = np.concatenate([fold.X_train, fold.X_validation])[:, 0].argsort().argsort()
        assert np.concatenate([fold.y_train, fold.y_validation]).tolist() == (ranks % 2).tolist()
        validated += ranks[80:].tolist()
        assert [fold.X_train.min(), fold.X_train.max()] == pytest.approx([0, 1], abs=1e-6)
    assert sorted(validated) == list(range(100))
    assert min(fold.X_validation.min() for fold in folds) < -0.005  # the least row was not among those to scale by


# --- What is saved ----------------------------------------------------------------------------------------------------


def test_the_bundle_answers_as_the_lesson_said(default_run: Run) -> None:
    loaded = bundle.load(default_run.models / "admission.h5", ["admission"])
    X, y = tables.read_table(SHIPPED / "admission.csv").split_two_classes()
    admitted = loaded.predict(X)[:, 0] >= 0.5
    assert np.mean(admitted == y) == default_run.metrics["network_train_accuracy"]
    # Far inside of each class; the last one is strong in one exam and weak in the other, where a line is wrong.
    assert (loaded.predict(np.array([[90, 85], [35, 40], [98, 31]]))[:, 0] >= 0.5).tolist() == [True, False, False]


def test_the_card_describes_the_model(default_run: Run) -> None:
    loaded = bundle.load(default_run.models / "admission.h5", ["admission"])
    files = sorted(path.name for path in default_run.models.iterdir())
    assert files == ["admission-scaler.gz", "admission.h5", "admission.json"]
    assert loaded.card["lesson"] == "admission"
    assert loaded.card["data"] == "admission.csv (100 rows)"
    assert loaded.card["classes"] == ["Sorry", "Admitted"]
    assert loaded.card["threshold"] == 0.5
    assert loaded.card["metrics"] == {
        name: default_run.metrics[f"network_{name}"] for name in ("train_accuracy", "validation_accuracy")
    }
    assert type(loaded.scaler).__name__ == "MinMaxScaler"
    X, _ = tables.read_table(SHIPPED / "admission.csv").split_two_classes()
    for i, one in enumerate(loaded.inputs):
        assert (one.name, one.unit) == (f"exam {i + 1}", "points")
        assert (one.minimum, one.maximum) == pytest.approx((X[:, i].min(), X[:, i].max()), abs=1e-4)


def test_the_last_line_is_json(default_run: Run) -> None:
    result = default_run.answer
    assert result["lesson"] == "admission"
    assert result["metrics"] == default_run.metrics
    plots = {"admission-boundary.png", "admission-loss.png"}
    models = {"admission.h5", "admission-scaler.gz", "admission.json"}
    assert {Path(name).name for name in result["files"]} == models | plots
    assert all(Path(name).is_file() for name in result["files"])


def test_the_plots_are_drawn(default_run: Run) -> None:
    from PIL import Image

    for name in ("boundary", "loss"):
        with Image.open(default_run.plots / f"admission-{name}.png") as image:
            assert image.width > 600


@pytest.mark.slow
def test_another_seed_gives_other_weights(room: Path, tensorflow_warnings: list[str]) -> None:
    for folder, seed in (("first", "1"), ("other", "2")):
        admission.main([*SHORT, "--models", folder, "--seed", seed])
    first, other = (
        bundle.load(room / folder / "admission-quick.h5", ["admission"]).model.get_weights()
        for folder in ("first", "other")
    )
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert tensorflow_warnings == []  # a dozen models in one program are too many for one traced function


def test_the_example_is_drawn_on_both_boundaries() -> None:
    X, y = tables.read_table(SHIPPED / "admission.csv").split_two_classes()
    models = {kind: lambda points: np.full(len(points), 0.5) + 1e-3 * points[:, 0] for kind in ("neuron", "network")}
    figure = figures.boundaries(models, X, y, names=("a", "b"), classes=("no", "yes"), example=(38, 75))
    assert [[text.get_text() for text in panel.texts] for panel in figure.axes[:2]] == [["38 and 75"]] * 2


# --- Tables of one's own ----------------------------------------------------------------------------------------------


def test_another_table_works_and_is_drawn_as_far_as_it_can_be(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = three_features(room / "boxes.csv")
    found = admission.main(["--data", str(table), "--quick", "--epochs", "100"])
    output = capsys.readouterr().out
    assert found["neuron_train_accuracy"] > 0.85
    notes = [line for line in output.splitlines() if line.startswith("Note")]
    assert notes == ["Note      no plot of the boundary: it needs two features, the table has 3"]
    assert [path.name for path in Path("plots").iterdir()] == ["admission-loss.png"]
    assert "No expected band" in output
    loaded = bundle.load(room / "models" / "admission-quick.h5", ["admission"])
    assert [column.name for column in loaded.inputs] == ["width", "height", "noise"]
    assert [column.unit for column in loaded.inputs] == ["", "", ""]
    assert loaded.card["classes"] == ["fits = 0", "fits = 1"]
    assert loaded.card["data"] == "boxes.csv (60 rows)"


@pytest.mark.slow
def test_the_boundary_of_another_table_of_two_features_is_drawn(room: Path) -> None:
    X = np.random.default_rng(0).uniform(0, 1, (20, 2)).round(2)
    table = write_table(room / "own.csv", "a,b,c", np.column_stack([X, X[:, 0] > 0.5]))
    admission.main(["--data", str(table), "--quick", "--epochs", "5"])
    assert Path("plots/admission-boundary.png").is_file()


@pytest.mark.slow
def test_a_class_of_two_rows_is_enough(room: Path) -> None:
    rows = np.array([[1, 2, 0], [2, 3, 0], [3, 5, 0], [4, 4, 0], [8, 9, 1], [9, 7, 1]])
    found = admission.main([*SHORT, "--data", str(write_table(room / "own.csv", "a,b,c", rows))])
    assert 0 <= found["network_validation_accuracy"] <= 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([1, 1, 1, 1], "admitted: all rows are of one class"),
        ([0, 1, 2, 1], "line 4, column admitted: got 2 beside 0 and 1, takes two classes"),
        ([0, 1, 1, 1], "has 1 row"),
    ],
)
def test_a_target_that_is_not_two_classes_is_refused_in_one_line(room: Path, target: list[int], message: str) -> None:
    rows = np.column_stack([np.arange(8).reshape(4, 2), target])
    table = write_table(room / "own.csv", "exam_1_points,exam_2_points,admitted", rows)
    with pytest.raises(WorkshopError, match=message) as refused:
        admission.main(["--data", str(table)])
    assert len(str(refused.value).splitlines()) == 1
    assert not list(Path("models").iterdir())
