"""Row A8 of the curriculum, the lesson `tables`: concrete, cars, their stand-ins, and tables of one's own."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lesson_runs import Run, start
from PIL import Image
from sklearn.metrics import accuracy_score, root_mean_squared_error

from workshop import tables
from workshop.kit import plots
from workshop.kit.data import table_encoding
from workshop.kit.data import tables as table_data
from workshop.kit.errors import WorkshopError
from workshop.kit.plots import charts
from workshop.kit.saving import bundle

LESSONS = ["tables"]
FEW = ["--epochs", "3", "--no-plots"]


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
def test_concrete_and_cars_reach_their_figures(seed: int, room: Path, real_data: Path) -> None:
    found = start(tables, room, "--seed", str(seed), "--no-plots")
    assert found.metrics["concrete_network_test_root_mean_squared_error"] <= 6
    assert 9 <= found.metrics["concrete_linear_test_root_mean_squared_error"] <= 12
    assert found.metrics["car_network_test_accuracy"] >= 0.97
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
    found = start(tables, room, *FEW)
    concrete, car = found.load("concrete"), found.load("car")
    assert [one.unit for one in concrete.inputs] == ["kg/m3"] * 7 + ["days"]
    assert (concrete.card["output"], concrete.card["output_unit"]) == ("Concrete_compressive_strength", "MPa")
    assert concrete.scaler.n_features_in_ == 8
    assert car.scaler is None
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
    assert found.metrics["car_network_test_accuracy"] >= 0.97
    assert found.metrics["car_linear_test_accuracy"] < 0.95
    # Only UCI's table has its units.
    assert {one.unit for one in found.load("concrete").inputs} == {""}
    assert sorted(path.name for path in (room / "models").iterdir()) == [
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
        "Target    target is taken for a number: 214 different numbers in 442 rows; --target class overrules",
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
    found = start(tables, room, "--table", "car", *FEW)
    assert set(found.metrics) == {
        f"{kind}_{part}_accuracy" for kind in ("linear", "network") for part in ("train", "test")
    }
    assert [path.name for path in (room / "models").glob("*.h5")] == ["car-standin.h5"]


def test_a_folder_without_the_tables_is_named(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_DATA", "nowhere")
    assert isinstance(table_encoding.find("car", "wine"), table_encoding.StandIn)
    output = io.StringIO()
    with redirect_stdout(output):
        table_encoding.find("car", "wine")
    assert "no car.csv in WORKSHOP_DATA=nowhere: using scikit-learn's wine instead" in output.getvalue()


# --- Tables of one's own ----------------------------------------------------------------------------------------------


def test_numbers_and_texts_of_ones_own_table(toys: Run) -> None:
    assert toys.lines[:3] == [
        "Data      toys.csv (80 rows)",
        "Target    price is taken for a number: 80 different numbers in 80 rows; --target class overrules",
        "Note      name is left out: 80 different texts in 80 rows tell nothing",
    ]
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
    assert [one.name for one in loaded.inputs] == ["colour", "size", "shop", "age"]
    assert tuple(loaded.inputs) == task.inputs
    assert loaded.inputs[0].values == ("blue", "green", "red")
    size = [float(row[2]) for row in table.rows]
    assert loaded.inputs[1].minimum == pytest.approx(min(size[i] for i in task.train))
    assert loaded.inputs[1].maximum == pytest.approx(max(size[i] for i in task.train))
    assert loaded.scaler.n_features_in_ == 2
    assert loaded.input_shape == (3 + 1 + 2 + 1,)
    cells = [row[1:-1] for row in table.rows]
    np.testing.assert_array_equal(loaded.encode(cells), task.X)
    answers = loaded.predict(cells)[:, 0]
    measured = root_mean_squared_error(task.y[task.test], answers[task.test])
    assert measured == pytest.approx(toys.metrics["network_test_root_mean_squared_error"], rel=1e-3)
    # Red is 10 dearer than blue, whatever else; numbers may be numbers, too.
    red, blue = loaded.predict([["red", 5, "here", 2.0], ["blue", 5, "here", 2.0]])[:, 0]
    assert red - blue == pytest.approx(10, abs=1)


def test_encoding_by_hand(toys: Run) -> None:
    loaded = toys.load("toys")
    low, high = loaded.scaler.data_min_, loaded.scaler.data_max_
    middle = (low + high) / 2
    rows = [["green", low[0], "there", high[1]], [" red ", middle[0], "here", low[1]], ["mauve", high[0], "x", low[1]]]
    expected = np.array([[0, 1, 0, 0, 0, 1, 1], [0, 0, 1, 0.5, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0]])
    np.testing.assert_allclose(loaded.encode(rows), expected, atol=1e-6)
    assert loaded.encode(rows).dtype == np.float32


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["red", 1, "here"], "got 3 cells, the model takes 4: colour, size, shop, age"),
        (["red", 1, "here", 2, 3], "got 5 cells"),
        (["red", "large", "here", 2], "size: got large, takes a finite number"),
        (["red", 1, "here", "nan"], "age: got nan, takes a finite number"),
        (["red", None, "here", 2], "size: got None"),
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
    fewer = colour | {"values": ["blue", "red"]}
    swapped = {"name": "age", "values": ["old"]}  # as many columns, but one of the numbers has become a text
    for inputs in ([fewer, size, shop, age], [colour, size, shop], [colour, size, shop, swapped], [colour, colour]):
        (room / "toys.json").write_text(json.dumps(card | {"inputs": inputs}))
        with pytest.raises(WorkshopError, match="they are not of one model; train it again"):
            bundle.load(room / "toys.h5", LESSONS)


def test_a_card_of_texts_alone_that_does_not_fit_is_refused(room: Path) -> None:
    write_cars(room / "cars.csv")
    found = start(tables, room, "--data", "cars.csv", *FEW)
    assert found.load("cars").scaler is None
    path = room / "models" / "cars.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"inputs": card["inputs"][1:]}))
    with pytest.raises(WorkshopError, match="they are not of one model"):
        found.load("cars")


def test_a_table_of_a_spreadsheet_with_decimal_commas(toys: Run, room: Path) -> None:
    same = task_of(write_toys(room / "toys.csv", ";", ","))
    expected = task_of(toys.folder / "toys.csv")
    np.testing.assert_array_equal(same.X, expected.X)
    np.testing.assert_array_equal(same.y, expected.y)
    found = start(tables, room, "--data", "toys.csv", *FEW)
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
    assert not task.X[test[:2], :3].any()
    assert (task.X[np.setdiff1d(np.arange(80), test[:2]), :3].sum(axis=1) == 1).all()
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
    numbers = task.X[:, [3, 6]]
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
    assert (f"--target {'number' if classes else 'class'} overrules" in said) == could_be_both


@pytest.mark.slow
def test_whole_numbers_are_predicted_as_numbers_when_asked(room: Path) -> None:
    write(room / "dice.csv", "x,y", [[i % 6, i % 6] for i in range(60)])
    found = start(tables, room, "--data", "dice.csv", *FEW)
    assert "network_test_accuracy" in found.metrics
    assert found.load("dice").card["classes"] == list("012345")
    found = start(tables, room, "--data", "dice.csv", "--target", "number", *FEW)
    assert "network_test_r2_score" in found.metrics
    assert found.load("dice").card["classes"] == []


@pytest.mark.slow
def test_more_classes_than_a_picture_holds(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    def draw(*given: Any) -> Any:
        shown.append(given)
        return plots.subplots()[0]

    monkeypatch.setattr(charts, "confusion_matrix", draw)
    write(room / "many.csv", "x,y", [[i % 30, f"class {i % 30:02}"] for i in range(300)])
    start(tables, room, "--data", "many.csv", "--epochs", "3")
    ((matrix, classes, title),) = shown
    assert matrix.shape == (20, 20)
    assert len(classes) == 20
    assert "the 20 most frequent classes" in title


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rows", "options", "message"),
    [
        ("x,y", [[i, "a"] for i in range(30)], [], "own.csv, column y: all rows are of one class"),
        ("x,y", [[i, 7] for i in range(30)], [], "own.csv, column y: all rows are of one class"),
        ("x,y", [[i, 2.5] for i in range(30)], [], "column y: is 2.5 in all rows, takes numbers that differ"),
        ("x,y", [[i, "ab"[i > 0]] for i in range(30)], [], "column y: class a has 1 row, takes 2 or more of each"),
        ("x,y", [[i, "ab"[i % 2]] for i in range(30)], ["--target", "number"], "line 2, column y: got a, takes a num"),
        ("x,y", [[i, i / 7] for i in range(30)], ["--target", "class"], "has 1 row, takes 2 or more of each class"),
        ("x,y", [[i, i / 7] for i in range(10)], [], "has 10 rows below the header, takes 20 or more"),
        ("x,y", [[f"n{i}", i / 7] for i in range(30)], [], "no column is left to predict y from, takes one or more"),
        ("x,y", [[[i, "inf"][i == 4], i / 7] for i in range(30)], [], "line 6, column x: got inf, takes a finite"),
    ],
)
def test_tables_that_are_refused(header: str, rows: list[Any], options: list[str], message: str, room: Path) -> None:
    write(room / "own.csv", header, rows)
    with pytest.raises(WorkshopError) as caught:
        start(tables, room, "--data", "own.csv", *options, *FEW)
    assert message in str(caught.value)
    assert not list((room / "models").glob("*.h5"))


def test_training_rows_of_one_class_are_refused(room: Path) -> None:
    # Two rows of b, and neither is among those to train on with this seed.
    for seed in range(200):
        rows = [[i, "b" if i < 2 else "a"] for i in range(20)]
        write(room / "own.csv", "x,y", rows)
        try:
            task = task_of(room / "own.csv", seed)
        except WorkshopError as error:
            assert "the rows to train on are all of class a, takes more rows of the others" in str(error)
            return
        assert len(np.unique(task.y[task.train])) == 2
    pytest.fail("no seed parts the rows so")


@pytest.mark.parametrize("name", ["my table.csv", "-x.csv", ".csv", "a.b.csv", "..csv"])
def test_a_file_whose_name_cannot_be_a_models_is_refused(name: str, room: Path) -> None:
    write_toys(room / name)
    with pytest.raises(WorkshopError, match="takes letters, digits, _ and -: rename the file"):
        start(tables, room, f"--data={name}", *FEW)


@pytest.mark.slow
def test_a_model_of_another_lesson_is_never_replaced(room: Path) -> None:
    # Among the shipped models, and in one's own folder.
    write_toys(room / "admission.csv")
    with pytest.raises(WorkshopError, match=r"which is taken .*is a model of the lesson admission.*rename the file"):
        start(tables, room, "--data", "admission.csv", *FEW)
    found = start(tables, room, "--data", str(write_toys(room / "toys.csv")), *FEW)
    card = room / "models" / "toys.json"
    before = found.load("toys").card
    start(tables, room, "--data", "toys.csv", *FEW, "--seed", "2")
    assert found.load("toys").card["seed"] == 2  # one's own is
    card.write_text(json.dumps(before | {"lesson": "poetry"}))
    with pytest.raises(WorkshopError, match="is a model of the lesson poetry"):
        start(tables, room, "--data", "toys.csv", *FEW)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "class"], "--target: got class without a table of your own"),
        (["--target", "price", "--data", "x.csv"], "argument --target: invalid choice: 'price'"),
        (["--table", "wine"], "argument --table: invalid choice: 'wine'"),
        (["--table", "car", "--data", "x.csv"], "--table: got car, and --data x.csv: takes one of them"),
    ],
)
def test_options_that_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tables.main(options)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
