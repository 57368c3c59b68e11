"""Row A8 of the curriculum, the lesson `tables`: concrete, cars, their stand-ins, and tables of one's own."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.engines import CASES, train
from helpers.lesson_runs import Run, assert_claims, claims, start
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import accuracy_score, root_mean_squared_error

from workshop import tables
from workshop.kit import plots
from workshop.kit.data import table_encoding
from workshop.kit.data import tables as table_data
from workshop.kit.errors import WorkshopError
from workshop.kit.plots import charts
from workshop.kit.report import Report
from workshop.kit.saving import bundle
from workshop.kit.training import Recipe
from workshop.programs import engines
from workshop.pytorch import tables as in_torch
from workshop.pytorch.kit.model import TorchModel
from workshop.scratch import tables as in_numpy

LESSONS = ["tables"]
SHORT = ["--epochs", "3", "--no-plots"]


def task_of(path: Path, seed: int = 1, kind: str | None = None) -> table_encoding.Task:
    return table_encoding.prepare(table_data.read_table(path), seed, kind, {})


def write(path: Path, header: str, rows: list[Any], delimiter: str = ",") -> Path:
    lines = [header, *(delimiter.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_mixes(path: Path) -> Path:
    """Writes 400 rows of numbers whose target no linear model follows: a product, and a square."""
    random = np.random.default_rng(0)
    X = random.uniform([100, 0, 1], [500, 200, 90], (400, 3)).round(1)
    y = X[:, 0] * X[:, 1] / 1000 + ((X[:, 2] - 45) / 8) ** 2
    return write(path, "cement,ash,days,strength", np.column_stack([X, y.round(3)]).tolist())


def write_cars(path: Path) -> Path:
    """Writes every combination of six properties in words, four times; the classes are rules with "and" and "or"."""
    words = [["low", "high"], ["low", "high"], ["2", "4", "5more"], ["2", "more"], ["small", "big"], ["low", "high"]]
    every = np.array(np.meshgrid(*words)).reshape(6, -1).T
    rows = []
    for price, upkeep, doors, persons, boot, safety in every.tolist():
        accepted = safety == "high" and persons == "more"
        good = (price == upkeep) and (boot == "big" or doors == "4")
        rows.append([price, upkeep, doors, persons, boot, safety, ("good" if good else "fair") if accepted else "no"])
    return write(path, "buying,maint,doors,persons,lug_boot,safety,class", rows * 4)


def write_toys(path: Path, delimiter: str = ",", decimal: str = ".") -> Path:
    """Writes 80 rows of a name, a text, a number, another text and a number; the target is a number."""
    random = np.random.default_rng(0)
    of_colour = {"red": 5.0, "green": 0.0, "blue": -5.0}
    rows = []
    for i in range(80):
        colour, shop = random.choice(list(of_colour)), random.choice(["here", "there"])
        size, age = random.uniform(0, 10), random.uniform(1, 3)
        price = 3 * size + of_colour[colour] + (2 if shop == "here" else 0) + age
        cells = [f"toy {i}", colour, f"{size:.2f}", shop, f"{age:.3f}", f"{price:.3f}"]
        rows.append([cell.replace(".", decimal) for cell in cells])
    return write(path, delimiter.join(["name", "colour", "size", "shop", "age", "price"]), rows, delimiter)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A whole run on a table of numbers and texts."""
    folder = tmp_path_factory.mktemp("toys")
    return start(tables, folder, "--data", str(write_toys(folder / "toys.csv")))


# --- The real tables --------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_concrete_and_cars_reach_their_results(seed: int, room: Path, real_data: Path) -> None:
    found = start(tables, room, "--seed", str(seed), "--no-plots")
    assert_claims(found.metrics, "tables")
    assert 9 <= found.metrics["concrete_linear_test_root_mean_squared_error"] <= 12
    assert found.metrics["car_linear_test_accuracy"] < 0.95
    assert "As expected for this lesson." in found.lines
    assert found.lines[0] == "Data      concrete.csv (1030 rows)"
    # The saved models, asked in the tables' own words and units, are the ones that were measured.
    for name, score in (("concrete", root_mean_squared_error), ("car", accuracy_score)):
        loaded = found.load(name)
        table = table_data.read_table(real_data / f"{name}.csv")
        task = task_of(table.path, seed)
        answers = loaded.predict([table.rows[i][:-1] for i in task.test])
        answers = answers.argmax(axis=1) if task.classes else answers[:, 0]
        metric = "accuracy" if task.classes else "root_mean_squared_error"
        expected = found.metrics[f"{name}_network_test_{metric}"]
        assert score(task.y[task.test], answers) == pytest.approx(expected, abs=1e-4)
        assert loaded.card["metrics"][f"test_{metric}"] == expected


@pytest.mark.real
def test_concrete_has_units_and_cars_have_words(room: Path) -> None:
    found = start(tables, room, *SHORT)
    concrete, car = found.load("concrete"), found.load("car")
    assert [column.unit for column in concrete.inputs] == ["kg/m3"] * 7 + ["days"]
    assert (concrete.card["output"], concrete.card["output_unit"]) == ("Concrete_compressive_strength", "MPa")
    for loaded, columns in ((concrete, 8), (car, 6)):
        assert loaded.scaler is not None and loaded.scaler.n_features_in_ == columns
    assert car.card["classes"] == ["acc", "good", "unacc", "vgood"]
    assert car.inputs[2] == bundle.Input("doors", values=("2", "3", "4", "5more"))
    assert car.input_shape == (21,)
    assert "No expected band: --epochs given." in found.lines


# --- The same behaviour, anywhere -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_tables_of_the_named_folder_are_used(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_DATA", str(room))
    write_mixes(room / "concrete.csv")
    write_cars(room / "car.csv")
    found = start(tables, room, "--no-plots", "--epochs", "60")
    assert found.lines[0] == "Data      concrete.csv (400 rows)"
    assert found.answer["data"] == "concrete.csv (400 rows); car.csv (384 rows)"
    linear, network = (found.metrics[f"concrete_{kind}_test_root_mean_squared_error"] for kind in ("linear", "network"))
    assert network < 0.4 * linear
    assert found.metrics["concrete_network_test_r2_score"] > 0.97
    assert found.metrics["car_network_test_accuracy"] >= claims("tables")["car_network_test_accuracy"][0]
    assert found.metrics["car_linear_test_accuracy"] < 0.95
    # Only UCI's table has its units.
    assert {column.unit for column in found.load("concrete").inputs} == {""}
    assert sorted(path.name for path in (room / "models").iterdir()) == [
        "car-scaler.gz",
        "car.h5",
        "car.json",
        "concrete-scaler.gz",
        "concrete.h5",
        "concrete.json",
    ]


def test_without_the_tables_diabetes_and_wine_stand_in_and_are_never_called_concrete_and_car(room: Path) -> None:
    found = start(tables, room)
    assert found.lines[:4] == [
        "Data      no concrete.csv here (WORKSHOP_DATA names no folder): using scikit-learn's diabetes instead",
        "Data      no car.csv here (WORKSHOP_DATA names no folder): using scikit-learn's wine instead",
        "Data      diabetes (stand-in for concrete, 442 rows)",
        "Target    target is taken for a number: 214 different numbers in 442 rows; --target-kind class overrules",
    ]
    assert "No expected band: the data is a stand-in." in found.lines
    answer = found.answer
    assert answer["data"] == "diabetes (stand-in for concrete, 442 rows); wine (stand-in for car, 178 rows)"
    assert all(name.startswith(("diabetes_", "wine_")) for name in answer["metrics"])
    # A linear model is hard to beat on diabetes; a network that learned it by heart would be at 70.
    assert found.metrics["diabetes_network_test_root_mean_squared_error"] < 62
    assert found.metrics["wine_network_test_accuracy"] >= 0.9
    assert sorted(path.name for path in (room / "models").iterdir()) == [
        "car-standin-scaler.gz",
        "car-standin.h5",
        "car-standin.json",
        "concrete-standin-scaler.gz",
        "concrete-standin.h5",
        "concrete-standin.json",
    ]
    assert found.load("concrete-standin").card["data"] == "diabetes (stand-in for concrete, 442 rows)"
    assert found.load("car-standin").card["classes"] == ["class_0", "class_1", "class_2"]
    pictures = {path.name: path for path in (room / "plots").iterdir()}
    assert sorted(pictures) == [
        "tables-diabetes-learning.png",
        "tables-diabetes-predictions.png",
        "tables-wine-learning.png",
        "tables-wine-predictions.png",
    ]
    for path in pictures.values():
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image.convert("L"))) > 100


def test_one_table_alone(room: Path) -> None:
    found = start(tables, room, "--table", "car", *SHORT)
    assert set(found.metrics) == {
        f"{kind}_{part}_accuracy" for kind in ("linear", "network") for part in ("train", "test")
    }
    assert [path.name for path in (room / "models").glob("*.h5")] == ["car-standin.h5"]


def test_a_folder_without_the_tables_is_named(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_DATA", "nowhere")
    assert table_encoding.find("car", "wine").standin_for == "car"
    output = io.StringIO()
    with redirect_stdout(output):
        table_encoding.find("car", "wine")
    assert "no car.csv in WORKSHOP_DATA=nowhere: using scikit-learn's wine instead" in output.getvalue()


# --- Tables of one's own ----------------------------------------------------------------------------------------------


def test_numbers_and_texts_of_ones_own_table(toys: Run) -> None:
    assert toys.lines[:3] == [
        "Data      toys.csv (80 rows)",
        "Target    price is taken for a number: 80 different numbers in 80 rows; --target-kind class overrules",
        "Note      name is left out: 80 different texts in 80 rows tell nothing",
    ]
    assert [line for line in toys.lines if line.startswith("Note")] == toys.lines[2:3]
    answer = toys.answer
    assert (answer["lesson"], answer["data"], answer["engine"]) == ("tables", "toys.csv (80 rows)", "keras")
    assert answer["metrics"] == toys.metrics
    assert answer["metrics"]["network_test_r2_score"] > 0.98
    assert "No expected band: the table is your own." in toys.lines
    assert {Path(file).name for file in answer["files"]} == {
        "toys.h5",
        "toys-scaler.gz",
        "toys.json",
        "tables-toys-learning.png",
        "tables-toys-predictions.png",
    }
    assert all(Path(file).stat().st_size > 0 for file in answer["files"])


def test_the_bundle_of_numbers_and_texts_answers_in_the_words_of_the_table(toys: Run) -> None:
    loaded = toys.load("toys")
    table = table_data.read_table(toys.folder / "toys.csv")
    task = task_of(table.path)
    assert [column.name for column in loaded.inputs] == ["colour", "size", "shop", "age"]
    assert tuple(loaded.inputs) == task.inputs
    assert loaded.inputs[0].values == ("blue", "green", "red")
    size = [float(row[2]) for row in table.rows]
    assert loaded.inputs[1].minimum == pytest.approx(min(size[i] for i in task.train))
    assert loaded.inputs[1].maximum == pytest.approx(max(size[i] for i in task.train))
    assert loaded.scaler is not None and loaded.scaler.n_features_in_ == 4
    assert loaded.input_shape == (1 + 1 + 3 + 2,)
    cells = [row[1:-1] for row in table.rows]
    np.testing.assert_allclose(loaded.encode(cells), task.X, atol=1e-6)
    answers = loaded.predict(cells)[:, 0]
    measured = root_mean_squared_error(task.y[task.test], answers[task.test])
    assert measured == pytest.approx(toys.metrics["network_test_root_mean_squared_error"], rel=1e-3)
    # Red is 10 dearer than blue, whatever else; numbers may be numbers, too.
    red, blue = loaded.predict([["red", 5, "here", 2.0], ["blue", 5, "here", 2.0]])[:, 0]
    assert red - blue == pytest.approx(10, abs=1)


def test_encoding_by_hand(toys: Run) -> None:
    loaded = toys.load("toys")
    task = task_of(toys.folder / "toys.csv")
    table = table_data.read_table(toys.folder / "toys.csv")
    numbers = table.numbers([2, 4])[task.train]
    (low, high), middle = (numbers.min(axis=0), numbers.max(axis=0)), np.median(numbers, axis=0)
    rows = [["green", low[0], "there", high[1]], [" red ", "?", "here", low[1]], ["mauve", high[0], "x", low[1]]]
    of_median = (middle[0] - low[0]) / (high[0] - low[0])
    # First the numbers, then the texts: blue, green, red; here, there.
    expected = [[0, 1, 0, 1, 0, 0, 1], [of_median, 0, 0, 0, 1, 1, 0], [1, 0, 0, 0, 0, 0, 0]]
    np.testing.assert_allclose(loaded.encode(rows), expected, atol=1e-6)
    assert loaded.encode(rows).dtype == np.float32


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["red", 1, "here"], "got 3 cells, the model takes 4: colour, size, shop, age"),
        (["red", 1, "here", 2, 3], "got 5 cells"),
        (["red", "large", "here", 2], "size: got large, takes a finite number"),
        (["red", 1, "here", "inf"], "age: got inf, takes a finite number"),
    ],
)
def test_cells_that_the_model_cannot_take(toys: Run, row: list[Any], message: str) -> None:
    with pytest.raises(WorkshopError, match=message):
        toys.load("toys").predict([row])


def test_a_card_that_does_not_fit_its_model_is_refused(toys: Run, room: Path) -> None:
    for path in toys.models.iterdir():
        (room / path.name).write_bytes(path.read_bytes())
    card = json.loads((room / "toys.json").read_text())
    assert bundle.load(room / "toys.h5", LESSONS).input_shape == (7,)
    colour, size, shop, age = card["inputs"]
    for inputs in ([colour, size, shop], [colour, colour], [size, colour, shop, age]):
        (room / "toys.json").write_text(json.dumps(card | {"inputs": inputs}))
        with pytest.raises(WorkshopError, match="they are not of one model"):
            bundle.load(room / "toys.h5", LESSONS)


def test_a_card_of_texts_alone_that_does_not_fit_is_refused(room: Path) -> None:
    write_cars(room / "cars.csv")
    found = start(tables, room, "--data", "cars.csv", *SHORT)
    path = room / "models" / "cars.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"inputs": card["inputs"][1:]}))
    with pytest.raises(WorkshopError, match="they are not of one model"):
        found.load("cars")


@pytest.mark.parametrize("lesson", [pytest.param(tables, marks=pytest.mark.slow), in_numpy, in_torch])
def test_the_losses_that_are_drawn_are_in_the_unit_of_the_target(
    lesson: Any, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tables, "save_and_plot", lambda *given: drawn.append(given))
    lesson.main(["--data", str(write_toys(Path("toys.csv"))), "--epochs", "2", "--no-plots"])
    ((task, _, _, predicted, losses),) = drawn
    rows = task.validation
    kept = np.mean((predicted["network"][rows] - task.y[rows]) ** 2)  # of the epoch whose weights were kept
    assert min(losses["validation"]) == pytest.approx(kept, rel=1e-3)
    assert [len(losses[part]) for part in ("training", "validation")] == [2, 2]
    assert 0.2 < losses["training"][-1] / kept < 5


def test_a_table_of_a_spreadsheet_with_decimal_commas(toys: Run, room: Path) -> None:
    same = task_of(write_toys(room / "toys.csv", ";", ","))
    expected = task_of(toys.folder / "toys.csv")
    np.testing.assert_array_equal(same.X, expected.X)
    np.testing.assert_array_equal(same.y, expected.y)
    found = start(tables, room, "--data", "toys.csv", *SHORT)
    assert found.load("toys").inputs == toys.load("toys").inputs


@pytest.mark.slow
def test_classes_in_words_and_a_text_that_only_a_test_row_has(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_toys(room / "toys.csv")
    rows = [line.split(",") for line in (room / "toys.csv").read_text().splitlines()[1:]]
    kinds = [[*row[1:5], "dear" if float(row[5]) > 15 else "cheap"] for row in rows]
    write(room / "kinds.csv", "colour,size,shop,age,kind", kinds)
    test = task_of(room / "kinds.csv").test
    for i in (test[0], test[1]):
        kinds[i][0] = "mauve"
    write(room / "kinds.csv", "colour,size,shop,age,kind", kinds)
    task = task_of(room / "kinds.csv")
    assert "Note      colour: no training row has mauve, which is 0 in all of its columns" in capsys.readouterr().out
    assert task.inputs[0].values == ("blue", "green", "red")
    assert not task.X[test[:2], 2:5].any()
    assert (task.X[np.setdiff1d(np.arange(80), test[:2]), 2:5].sum(axis=1) == 1).all()
    found = start(tables, room, "--data", "kinds.csv", "--epochs", "60")
    assert found.metrics["network_test_accuracy"] > 0.8
    loaded = found.load("kinds")
    assert loaded.card["classes"] == ["cheap", "dear"]
    probabilities = loaded.predict([kind[:-1] for kind in kinds])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    right = np.mean(probabilities.argmax(axis=1)[task.test] == task.y[task.test])
    assert right == pytest.approx(found.metrics["network_test_accuracy"])


def test_the_rows_are_parted_without_overlap_and_the_scaler_sees_training_rows_only(toys: Run) -> None:
    task = task_of(toys.folder / "toys.csv")
    parts = [task.train, task.validation, task.test]
    assert [len(part) for part in parts] == [56, 8, 16]
    assert sorted(np.concatenate(parts)) == list(range(80))
    numbers = task.X[:, :2]
    assert numbers[task.train].min(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert numbers[task.train].max(axis=0) == pytest.approx([1, 1], abs=1e-6)
    assert numbers.max() > 1.001 or numbers.min() < -0.001
    assert not np.array_equal(task_of(toys.folder / "toys.csv", seed=2).test, task.test)


@pytest.mark.slow
def test_prices_in_millions_are_learned_and_answered_in_their_own_unit(room: Path) -> None:
    random = np.random.default_rng(3)
    area = random.uniform(20, 200, 200).round(1)
    write(room / "flats.csv", "area,price", [[one, 3_000_000 + 40_000 * one] for one in area.tolist()])
    found = start(tables, room, "--data", "flats.csv", "--no-plots")
    assert found.metrics["network_test_r2_score"] > 0.99
    assert found.load("flats").predict(np.array([[100.0]], np.float32))[0, 0] == pytest.approx(7_000_000, rel=0.01)


def test_every_optimizer_option_and_a_quick_run_are_taken(toys: Run, room: Path) -> None:
    options = ["--data", str(toys.folder / "toys.csv"), "--no-plots", "--quick"]
    found = start(tables, room, *options, "--optimizer", "sgd", "--learning-rate", "0.1", "--batch-size", "8")
    assert found.load("toys-quick").card["metrics"]["test_r2_score"] > 0.9
    assert "No expected band: a quick run." in found.lines


# --- What is predicted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind", "classes"),
    [
        (["a", "b"] * 10, None, ("a", "b")),
        (["0", "1"] * 10, None, ("0", "1")),
        ([10, 9, 2] * 10, None, ("2", "9", "10")),  # in the order of the numbers, not of the texts
        (["1.0", "2.0"] * 10, None, ("1.0", "2.0")),
        (list(range(10)) * 5, None, tuple("0123456789")),
        (list(range(11)) * 5, None, ()),
        (list(range(5)) * 4, None, ()),  # four rows of each are too few to tell
        ([0.5, 1] * 10, None, ()),
        (["1", "2", "x", "3"] * 5, None, ("1", "2", "3", "x")),
        ([0, 1] * 10, "number", ()),
        ([0.5, 1] * 10, "class", ("0.5", "1")),
        (list(range(11)) * 5, "class", tuple(map(str, range(11)))),
    ],
)
def test_the_kind_of_the_target(cells: list[Any], kind: str | None, classes: tuple[str, ...], room: Path) -> None:
    table = table_data.read_table(write(room / "t.csv", "x,y", [[i, cell] for i, cell in enumerate(cells)]))
    output = io.StringIO()
    with redirect_stdout(output):
        y, found = table_encoding.read_target(table, kind)
    assert found == classes
    if classes:
        assert [classes[i] for i in y] == [str(cell) for cell in cells]
    else:
        np.testing.assert_array_equal(y, np.array(cells, np.float32))
    said = output.getvalue()
    assert said.startswith(f"Target    y is taken for a {'class' if classes else 'number'}: ")
    assert said.count("\n") == 1
    # What could be meant otherwise says how.
    could_be_both = kind is None and not any(str(cell).isalpha() for cell in cells)
    assert (f"--target-kind {'number' if classes else 'class'} overrules" in said) == could_be_both


@pytest.mark.parametrize("classes", [2, 3])
def test_the_mirrors_train_classes_by_their_cross_entropy(classes: int) -> None:
    X, y = np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32), np.arange(30) % classes
    network = in_numpy.build_network(4, classes, seed=1)
    in_torch = TorchModel.from_bytes(network.to_h5(), Path("network.h5"))
    # The only step of the epoch measures the network as it is before.
    cross_entropy = -np.log(network.predict(X)[np.arange(30), y]).mean()
    recipe = Recipe(1, 0.01, batch_size=30, optimizer="sgd", schedule=False)
    for engine, model in (("numpy", network), ("torch", in_torch)):
        (loss,) = train(engine, CASES["car"], model, X, np.eye(classes, dtype=np.float32)[y], recipe, seed=1)
        assert loss == pytest.approx(cross_entropy, rel=1e-5)


@pytest.mark.slow
def test_whole_numbers_are_predicted_as_numbers_when_asked(room: Path) -> None:
    write(room / "dice.csv", "x,y", [[i % 6, i % 6] for i in range(60)])
    found = start(tables, room, "--data", "dice.csv", *SHORT)
    assert "network_test_accuracy" in found.metrics
    assert found.load("dice").card["classes"] == list("012345")
    found = start(tables, room, "--data", "dice.csv", "--target-kind", "number", *SHORT)
    assert "network_test_r2_score" in found.metrics
    assert found.load("dice").card["classes"] == []


@pytest.mark.slow
def test_more_classes_than_a_plot_holds(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    def draw(*given: Any) -> Figure:
        shown.append(given)
        return plots.subplots()[0]

    monkeypatch.setattr(charts, "confusion_matrix", draw)
    write(room / "many.csv", "x,y", [[i % 30, f"class {i % 30:02}"] for i in range(300)])
    start(tables, room, "--data", "many.csv", "--epochs", "3")
    ((matrix, classes, title),) = shown
    assert matrix.shape == (20, 20)
    assert len(classes) == 20
    assert "the 20 most frequent classes" in title


# --- Tables as people have them ---------------------------------------------------------------------------------------


def write_flats(path: Path) -> Path:
    """Writes 60 rows as they are published: a nameless index, missing and odd cells, a currency, the target first."""
    random = np.random.default_rng(0)
    lines = [";price;area;district;rooms;on;note"]
    for i in range(60):
        area, rooms, district = random.uniform(20, 200), random.integers(1, 6), ["north", "south", "old town"][i % 3]
        cells = [f"\u20ac{1000 * area + 5000 * rooms:.0f}", f"{area:.1f}".replace(".", ","), district, rooms]
        cells += [f"{i % 28 + 1:02}.{i % 12 + 1:02}.2024", f"flat {i}"]
        if i in (7, 21):
            cells[0] = "on request"
        if i in (3, 30):
            cells[1] = "?"
        if i in (5, 9):
            cells[2] = ""
        lines.append(";".join(map(str, [i, *cells])))
    path.write_bytes("\n".join(lines).encode("cp1252"))
    return path


@pytest.fixture(scope="module")
def own_flats(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A whole run on such a table."""
    folder = tmp_path_factory.mktemp("flats")
    path = write_flats(folder / "our flats.csv")
    return start(tables, folder, "--data", str(path), "--target", "price", "--drop", "rooms", "--quick", "--no-plots")


def test_everything_that_was_done_is_said(own_flats: Run) -> None:
    assert [line.removeprefix("Note      ") for line in own_flats.lines if line.startswith("Note")] == [
        "the file is read as Windows-1252 (Latin-1), not as UTF-8",
        "the cells are separated by semicolons",
        "the first column has no name: it is taken for an index and left out (0, ...)",
        "the numbers have a decimal comma",
        "price: \u20ac149653 is read as 149653",
        "price: on request is no number (lines 9, 23): taken for a missing cell",
        "price is missing in lines 9, 23: 2 rows are left out",
        "on: the dates are turned into days since 1970-01-01; 01.01.2024 is 2024-01-01",
        "note is left out: 58 different texts in 58 rows tell nothing",
        "missing cells, taken for the median of the training rows: area 2",
        'missing cells, taken for the text "missing": district 2',
        "the model is named our_flats, as a model is called by letters, digits, _ and -, at most 100",
    ]


@pytest.mark.parametrize("engine", ["keras", "numpy"])
def test_a_saved_model_predicts_what_the_lesson_did(engine: str, own_flats: Run) -> None:
    path = own_flats.models / "our_flats-quick.h5"
    loaded = bundle.load(path, LESSONS) if engine == "keras" else engines.load(path, LESSONS, engine)
    assert [(column.name, column.unit) for column in loaded.inputs] == [
        ("area", ""),
        ("district", ""),
        ("on", "days since 1970-01-01"),
    ]
    table = table_data.read_table(own_flats.folder / "our flats.csv", target="price", drop=["rooms"])
    task = table_encoding.prepare(table, 1, None, {})
    kept = [i for i, missing in enumerate(table.columns[-1].missing) if not missing]
    area, district, on = (table.columns[table.names.index(name)] for name in ("area", "district", "on"))
    cells = [[area.values[i], str(district.texts[i]), on.values[i]] for i in kept]
    assert any(np.isnan(row[0]) for row in cells) and any(row[1] == "" for row in cells)
    np.testing.assert_allclose(loaded.encode(cells), task.X, atol=1e-6)
    predicted = loaded.predict(cells)[:, 0]
    measured = root_mean_squared_error(task.y[task.test], predicted[task.test])
    assert measured == pytest.approx(own_flats.metrics["network_test_root_mean_squared_error"], rel=1e-4)


def test_a_disorder_may_be_none(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[i, ["None", "Apnea", "Insomnia", ""][i % 4]] for i in range(40)]
    assert task_of(write(room / "t.csv", "x,y", rows)).classes == ("Apnea", "Insomnia", "None")
    assert "Note      y: None is a class" in capsys.readouterr().out


def test_texts_that_are_nearly_all_different_are_better_than_nothing(room: Path) -> None:
    rows = [[f"town {i % 13}", f"n{i}", i] for i in range(20)]
    assert [column.name for column in task_of(write(room / "t.csv", "town,name,y", rows)).inputs] == ["town"]


def test_a_kind_by_the_old_option_and_a_hint_at_the_usual_target(room: Path) -> None:
    write(room / "dice.csv", "y,x", [[i % 2, i % 6] for i in range(60)])
    report = Report("tables", tables.parse("", ["--data", "dice.csv", "--target", "number", "--no-plots"]))
    output = io.StringIO()
    with redirect_stdout(output):
        (task,) = tables.load_tables(report.arguments, report)
    assert task.kind == "number"
    assert "no column is called number: --target number is read as --target-kind number" in output.getvalue()
    assert "the last column, x, is predicted: --target y predicts that one" in output.getvalue()


@pytest.mark.real
def test_published_tables_are_prepared_or_refused_for_a_reason(real_data: Path) -> None:
    folder = real_data.parent / "cases"
    paths = sorted([*folder.glob("tables/*.csv"), *folder.glob("hunt/csv*/*.csv"), *folder.glob("hunt/mpg_like/*.csv")])
    if not paths:
        pytest.skip(f"no {folder}")
    refusals = {}
    for path in paths:
        try:
            task = table_encoding.prepare(table_data.read_table(path, at_least=table_encoding.MIN_ROWS), 1, None, {})
        except WorkshopError as error:
            refusals[path.name] = str(error)
            continue
        assert np.isfinite(task.X).all() and np.isfinite(task.y).all()
        assert task.X.shape[1] <= 120, path
    assert len(refusals) <= 2, refusals
    assert all("--target names another column" in line or "no column is left" in line for line in refusals.values())


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rows", "options", "message"),
    [
        ("x,y", [[i, "a"] for i in range(30)], [], "column y: cannot be predicted, as it is a in all rows; --target n"),
        ("x,y", [[i, 7] for i in range(30)], [], "as it is 7 in all rows; --target names another column: x"),
        ("x,y", [[i, 7] for i in range(30)], ["--target-kind", "class"], "column y: all rows are of one class (7)"),
        ("x,y", [[i, "ab"[i % 2]] for i in range(30)], ["--target-kind", "number"], "line 2, column y: got a, takes a"),
        ("x,text", [[i, f"t{i}"] for i in range(30)], [], "30 different texts in 30 rows tell nothing; --target names"),
        (
            "x,id",
            [[i / 7, 70 + i] for i in range(30)],
            [],
            "as it is an identifier, 30 different values in 30 rows;",
        ),
        (
            "x,on",
            [[i, f"2024-01-{i:02}"] for i in range(1, 30)],
            [],
            "column on: cannot be predicted, as it is a date",
        ),
        ("text,y", [[f"t{i}", 7] for i in range(30)], [], "7 in all rows; no other column can be predicted either"),
        ("x,y", [[i, i / 7] for i in range(9)], ["--target-kind", "class"], "column y: every row is of another class"),
        ("x,y", [[i, i / 7] for i in range(4)], [], "has 4 rows below the header, takes 5 or more"),
        ("x,y", [[i, ["?", i][i < 4]] for i in range(9)], [], "has 4 rows with a target, takes 5 or more"),
        ("x,y", [[f"n{i}", i / 7] for i in range(30)], [], "no column is left to predict y from, takes one or more"),
        ("x,y", [[i + 0.5, [i, 1e16][i == 4]] for i in range(30)], [], "line 6, column y: got 1e+16, takes numbers up"),
        ("x,y", [[i, i / 7] for i in range(30)], ["--target", "z"], "--target: got z, own.csv has x, y"),
    ],
)
def test_tables_that_are_refused(header: str, rows: list[Any], options: list[str], message: str, room: Path) -> None:
    write(room / "own.csv", header, rows)
    with pytest.raises(WorkshopError) as caught:
        start(tables, room, "--data", "own.csv", *options, *SHORT)
    assert message in str(caught.value)
    assert not list((room / "models").glob("*.h5"))


@pytest.mark.parametrize("rare", [1, 2, 3])
def test_every_class_has_a_row_to_train_on(rare: int, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(room / "own.csv", "x,y", [[i, "b" if i < rare else "a"] for i in range(40)])
    for seed in range(30):
        task = task_of(room / "own.csv", seed)
        assert set(task.y[task.train]) == {0, 1}
        assert sorted(np.concatenate([task.train, task.validation, task.test])) == list(range(40))
        assert rare > 1 or 0 in task.train
    assert ("97.5% of the rows are of one class" in capsys.readouterr().out) == (rare == 1)


@pytest.mark.parametrize("others", [5, 6, 9, 10])
def test_a_class_with_one_row_has_it_to_train_on_and_the_others_are_parted(others: int, room: Path) -> None:
    path = write(room / "own.csv", "x,y", [[i * i, "b" if i == 2 else "a"] for i in range(others + 1)])
    for seed in range(10):
        task = task_of(path, seed)
        assert 2 in task.train and (len(task.validation), len(task.test)) == (1, 2)


@pytest.mark.parametrize(
    ("rows", "parts"),
    [(5, (2, 1, 2)), (9, (6, 1, 2)), (10, (7, 1, 2)), (11, (7, 1, 3)), (20, (14, 2, 4)), (100, (70, 10, 20))],
)
def test_a_tenth_of_the_rows_is_to_validate_on_and_a_fifth_to_test_on(
    rows: int, parts: tuple[int, int, int], room: Path
) -> None:
    task = task_of(write(room / "own.csv", "x,y", [[i * i, i / 7] for i in range(rows)]))
    assert (len(task.train), len(task.validation), len(task.test)) == parts


@pytest.mark.parametrize("rows", range(5, 22))
@pytest.mark.parametrize("y", [lambda i: i % 2, lambda i: "ab"[i % 2], lambda i: i * 1.5])
def test_few_rows(rows: int, y: Callable[[int], Any], room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = task_of(write(room / "own.csv", "x,y", [[i * i, y(i)] for i in range(rows)]))
    assert len(task.train) >= 2 and len(task.validation) >= 1 and len(task.test) >= 1 + (not task.classes)
    assert (f"{rows} rows are few: {len(task.test)} of them" in capsys.readouterr().out) == (rows < 20)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("my table.csv", "my_table"),
        ("-x.csv", "x"),
        (".csv", "csv"),
        ("train.v2.csv", "train_v2"),
        ("donn\u00e9es.csv", "donnees"),
        ("donne\u0301es.csv", "donnees"),
        ("\u6570\u636e.csv", "\u6570\u636e"),
        ("???.csv", "table"),
        ("admission.csv", "admission-table"),  # a model that ships
        ("plain-1_2.csv", "plain-1_2"),
    ],
)
def test_a_model_is_named_after_the_file(name: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert table_encoding.check_name(name, "models") == model
    said = capsys.readouterr().out
    assert said.startswith(f"Note      the model is named {model}, as ") if model != Path(name).stem else not said


@pytest.mark.slow
def test_a_model_of_another_lesson_is_never_replaced(room: Path) -> None:
    found = start(tables, room, "--data", str(write_toys(room / "toys.csv")), *SHORT)
    card = room / "models" / "toys.json"
    before = found.load("toys").card
    start(tables, room, "--data", "toys.csv", *SHORT, "--seed", "2")
    assert found.load("toys").card["seed"] == 2  # one's own is
    card.write_text(json.dumps(before | {"lesson": "poetry"}))
    start(tables, room, "--data", "toys.csv", *SHORT)
    assert json.loads(card.read_text())["lesson"] == "poetry"
    assert found.load("toys-table").card["data"] == "toys.csv (80 rows)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "class"], "--target: got class without a table of your own"),
        (["--drop", "a", "b"], "--drop: got a b without a table of your own"),
        (["--target-kind", "class"], "--target-kind: got class without a table of your own"),
        (["--target-kind", "price", "--data", "x.csv"], "argument --target-kind: invalid choice: 'price'"),
        (["--table", "wine"], "argument --table: invalid choice: 'wine'"),
        (["--table", "car", "--data", "x.csv"], "--table: got car, and --data x.csv: takes one of them"),
    ],
)
def test_options_that_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tables.main(options)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
