"""The lesson `linear_regression` and its two tables: its results, its bundles, its plots, tables of one's own."""

import json
import runpy
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_claims, start, write_table

from workshop import linear_regression
from workshop.figures import linear_regression as figures
from workshop.kit.data import tables
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.pytorch import linear_regression as in_torch
from workshop.scratch import linear_regression as in_numpy

LESSONS = ["linear_regression"]
SHORT = ["--quick", "--epochs", "20", "--no-plots"]


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The parts that save models, with their defaults."""
    folder = tmp_path_factory.mktemp("linear_regression")
    runs = [start(linear_regression, folder, "--part", part) for part in ("line", "houses", "features")]
    metrics = {name: value for run in runs for name, value in run.metrics.items()}
    return Run(metrics, "".join(run.output for run in runs), folder)


def shoes(path: Path) -> Path:
    """Writes a table of four features in very different ranges, and a target that is a sum of theirs, without noise."""
    X = np.random.default_rng(0).uniform([0, -5, 1000, 7], [1, 5, 9000, 7], (40, 4)).round(2)
    return write_table(path, "shine,mood,steps,always,euros", np.column_stack([X, X @ [3, -2, 0.01, 0] + 50]))


# --- The tables -------------------------------------------------------------------------------------------------------


def test_the_tables_are_made_again_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tables.shipped_table("housing").parent
    script = Path(shutil.copy(shipped / "make_housing.py", tmp_path))
    monkeypatch.setattr("sys.argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")
    for name in ("houses.csv", "housing.csv"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes(), name


def test_the_eight_houses_are_those_of_the_curriculum() -> None:
    table = tables.read_table(tables.shipped_table("houses"))
    assert table.names == ("size_10_m2", "price_10000_pesos")
    assert table.numbers() == pytest.approx(
        np.array([(0.2, 0.2), (1, 1.8), (2, 4), (3, 7), (5, 11), (7, 12), (9, 14), (10, 13)])
    )


def test_the_features_lie_in_very_different_ranges_whose_ends_occur() -> None:
    table = tables.read_table(tables.shipped_table("housing"))
    values = table.numbers()
    assert table.names == ("area_m2", "bedrooms", "age_years", "price_1000_pesos")
    assert values.shape == (156, 4)
    assert values.min(axis=0)[:3].tolist() == [22, 1, 1]
    assert values.max(axis=0)[:3].tolist() == [300, 5, 115]
    assert set(values[:, 1]) == {1, 2, 3, 4, 5}
    assert values[:, 3].min() > 0
    assert (values == values.round()).all()


# --- The results of the lesson ----------------------------------------------------------------------------------------


def test_descent_by_hand_ends_at_five_from_both_sides(default_run: Run) -> None:
    assert linear_regression.descend(0.0, steps=3) == pytest.approx([0, 2, 3.2, 3.92])
    assert linear_regression.descend(10.0, steps=3) == pytest.approx([10, 8, 6.8, 6.08])
    for first in (0.0, 10.0):
        assert linear_regression.descend(first)[-1] == pytest.approx(5, abs=1e-4)
    assert ["25", "5.0000", "5.0000"] in default_run.rows


def test_descent_by_hand_does_not_walk_up_again(default_run: Run) -> None:
    for step in ("1,000", "2,000"):
        assert [step, "4.999999999999999", "5.000000000000001"] in default_run.rows
    # Not one of the thousand steps between leaves the place.
    assert {*linear_regression.descend(0.0, steps=2000)[1000:]} == {4.999999999999999}
    assert {*linear_regression.descend(10.0, steps=2000)[1000:]} == {5.000000000000001}


def test_the_slope_is_found_by_gradients_that_nobody_wrote_down(default_run: Run) -> None:
    path = linear_regression.fit_slope()
    assert path[0] == -10
    # By hand: the loss is the mean of ((w + 3) x)^2 over 1, 2, 3, 4; its slope is 15 (w + 3), here -105.
    assert path[1] == pytest.approx(-10 + 0.01 * 105)
    assert abs(path[-2] + 3) >= 1e-3 > abs(path[-1] + 3)
    assert in_torch.fit_slope() == pytest.approx(path, abs=1e-12)
    assert default_run.table("step", "w")[0] == ["0", "-10.0000"]
    assert f"|w + 3| < 0.001 after {len(path) - 1} steps" in default_run.lines


def test_the_line_answers_27_and_minus_9(default_run: Run) -> None:
    (line,) = [line for line in default_run.lines if "13 ->" in line]
    at_13, at_minus_5 = (float(part.split("->")[1]) for part in line.split(":")[1].split(","))
    assert at_13 == pytest.approx(27, abs=0.005)
    assert at_minus_5 == pytest.approx(-9, abs=0.05)
    assert linear_regression.X_LINE[:, 0].tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 11]
    assert linear_regression.Y_LINE.tolist() == [3, 5, 7, 9, 11, 15, 17, 19, 23]
    arguments = linear_regression.parse("", ["--no-plots"])
    recipe = linear_regression.get_recipe("line", 9, arguments)
    assert (recipe.epochs, recipe.rate, recipe.batch_size, recipe.optimizer) == (500, 0.02, 9, "sgd")
    assert_claims(default_run.metrics, "linear_regression")
    assert "As expected for this lesson." in default_run.output


@pytest.mark.parametrize("seed", ["2", "3", "4"])
def test_other_seeds_find_the_line_too(seed: str) -> None:
    found = linear_regression.main(["--part", "line", "--seed", seed, "--no-plots"])
    assert list(found) == ["line_test_max_error"]
    assert_claims(found, "linear_regression")


@pytest.mark.parametrize("mirror", [in_numpy, in_torch])
def test_a_mirror_finds_the_line_and_prices_houses_too(mirror: ModuleType, room: Path) -> None:
    assert_claims(mirror.main(["--part", "line", "--no-plots"]), "linear_regression")
    quick = start(mirror, room, "--quick", "--no-plots")
    assert quick.metrics["houses_weights_train_max_error"] < 0.1
    assert quick.metrics["scaled_test_r2_score"] > 0.9 > quick.metrics["unscaled_slow_test_r2_score"]
    assert [path.name for path in sorted(quick.models.glob("*.h5"))] == ["house_price-quick.h5", "houses-quick.h5"]


def test_the_weights_of_the_houses_are_those_of_the_normal_equation(default_run: Run) -> None:
    loaded = bundle.load(default_run.models / "houses.h5", LESSONS)
    X, y = tables.read_table(tables.shipped_table("houses")).split_numbers()
    weight, bias = np.polyfit(X[:, 0].astype(float), y.astype(float), 1)
    learned = [array.item() for array in loaded.model.get_weights()]
    assert learned == pytest.approx([weight, bias], abs=1e-3)
    assert linear_regression.solve_normal_equation(X, y) == pytest.approx([weight, bias], abs=1e-5)
    assert f"size (10 m2) 8: price (10,000 pesos) {8 * weight + bias:.2f}" in default_run.output
    assert f"size (10 m2) 12: price (10,000 pesos) {12 * weight + bias:.2f}" in default_run.output


def test_the_five_lines_of_the_curriculum_and_the_least_cost(default_run: Run) -> None:
    lines = default_run.table("how", "weight w", "bias b", "cost (mean squared error)", "sum of squared errors")
    costs = {(line[0], float(line[1]), float(line[2])): float(line[3]) for line in lines}
    assert costs == pytest.approx(
        {
            ("by hand", 0.5, 0.5): 37.163,
            ("by hand", 0.7, 0.92): 21.587,
            ("by hand", 0.98, 1.2): 8.729,
            ("by hand", 1.5, 1.3): 2.613,
            ("by hand", 2.85, 2.83): 95.479,
            ("trained", *(float(cell) for cell in lines[5][1:3])): 2.2893,
            ("normal equation", 1.38341, 1.44216): 2.2893,
        },
        abs=6e-4,
    )
    # By hand, (0.4^2 + 0.8^2 + 2.5^2 + 5^2 + 8^2 + 8^2 + 9^2 + 7.5^2), and not divided by 8.
    assert lines[0][4] == "297.3000"
    assert len(costs) == 7


def test_the_five_lines_are_drawn_with_their_costs() -> None:
    x, y = np.array([1.0, 2.0]), np.array([1.0, 3.0])

    def cost(weights: np.ndarray) -> np.ndarray:
        return np.sum(weights**2, axis=-1)

    guesses = np.array(linear_regression.GUESSES)
    figure = figures.houses(x, y, [2.0, 1.0], cost, guesses[:2], guesses, np.array([0.1, 0.1]), ("size", "price"))
    labels = figure.axes[1].get_legend_handles_labels()[1]
    assert labels[0] == "w = 0.5, b = 0.5: 0.5000"
    assert len(labels) == 6 and labels[-1] == "smallest: 0.0200"


def test_squared_errors_of_guesses_for_a_target_of_four(default_run: Run) -> None:
    rows = [["4", "0", "0"], ["5", "1", "1"], ["6", "2", "4"], ["7", "3", "9"]]
    assert default_run.table("guess for 4", "error", "squared error") == rows


def test_the_scalers_arithmetic_is_printed(default_run: Run) -> None:
    scaled = (["0.000", "0.750", "0.000"], ["0.667", "1.000", "0.800"], ["1.000", "0.000", "1.000"])
    rows = [[row, *three, *three] for row, three in zip(("1000 5 70", "2000 6 90", "2500 2 95"), scaled, strict=True)]
    assert default_run.table("row", "by hand") == rows


def test_ones_own_guesses_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    linear_regression.main([*SHORT, "--part", "houses", "--guess", "1.5", "0", "--guess", "-1", "2"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[2:4] for line in lines if line[:2] == ["by", "hand"]] == [
        ["1.50000", "0.00000"],
        ["-1.00000", "2.00000"],
    ]


def test_unscaled_features_diverge_or_crawl_and_scaled_ones_converge(default_run: Run) -> None:
    found = default_run.metrics
    (diverged,) = [line for line in default_run.lines if line.startswith("unscaled       diverged")]
    assert int(diverged.split()[-1]) <= 10
    assert not [name for name in found if name.startswith("unscaled_train")]
    least_squares = found["least_squares_train_root_mean_squared_error"]
    assert found["unscaled_slow_train_root_mean_squared_error"] > 1.5 * least_squares
    assert found["scaled_train_root_mean_squared_error"] == pytest.approx(least_squares, rel=1e-5)
    assert found["scaled_test_r2_score"] == pytest.approx(found["least_squares_test_r2_score"], abs=1e-5)
    assert found["scaled_weights_train_max_error"] < 0.1


def test_the_safe_rate_is_safe_and_near_the_limit() -> None:
    X, _ = tables.read_table(tables.shipped_table("housing")).split_numbers()
    for values in (X, X / X.max(axis=0), np.ones((5, 7))):
        A = linear_regression.with_ones(values)
        limit = 2 / np.linalg.eigvalsh(2 / len(A) * A.T @ A).max()
        assert limit / 10 < linear_regression.safe_rate(values) < limit


# --- What is saved ----------------------------------------------------------------------------------------------------


def test_the_bundles_answer_as_the_lesson_said(default_run: Run) -> None:
    assert sorted(path.name for path in default_run.models.iterdir()) == [
        "house_price-scaler.gz",
        "house_price.h5",
        "house_price.json",
        "houses.h5",
        "houses.json",
    ]
    loaded = bundle.load(default_run.models / "house_price.h5", LESSONS)
    X, y = tables.read_table(tables.shipped_table("housing")).split_numbers()
    error = float(np.sqrt(np.mean((loaded.predict(X)[:, 0] - y) ** 2)))
    seen, unseen = (loaded.card["metrics"][f"{part}_root_mean_squared_error"] for part in ("train", "test"))
    # 124 rows were trained on, 32 were kept back.
    assert error == pytest.approx(np.sqrt((124 * seen**2 + 32 * unseen**2) / 156), rel=1e-4)
    assert type(loaded.scaler).__name__ == "MinMaxScaler"


def test_the_cards_name_inputs_units_and_ranges(default_run: Run) -> None:
    card = json.loads((default_run.models / "house_price.json").read_text())
    assert card["inputs"] == [
        {"name": "area", "unit": "m2", "minimum": 22, "maximum": 300},
        {"name": "bedrooms", "minimum": 1, "maximum": 5},
        {"name": "age", "unit": "years", "minimum": 1, "maximum": 115},
    ]
    assert (card["output"], card["output_unit"]) == ("price", "1,000 pesos")
    assert card["data"] == "housing.csv (156 rows)"
    card = json.loads((default_run.models / "houses.json").read_text())
    assert card["inputs"] == [{"name": "size", "unit": "10 m2", "minimum": 0.2, "maximum": 10}]
    assert (card["output"], card["output_unit"]) == ("price", "10,000 pesos")


def test_the_plots_are_drawn(default_run: Run) -> None:
    from PIL import Image

    for part in ("line", "houses", "features"):
        with Image.open(default_run.plots / f"linear_regression-{part}.png") as image:
            assert image.width > 1200


# --- Tables of one's own ----------------------------------------------------------------------------------------------


def test_another_table_of_any_number_of_features(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = shoes(room / "shoes.csv")
    found = linear_regression.main(["--part", "features", "--data", str(table)])
    assert found["scaled_test_r2_score"] > 0.99
    assert "No expected band: your own table." in capsys.readouterr().out
    loaded = bundle.load(room / "models" / "house_price.h5", LESSONS)
    assert [column.label for column in loaded.inputs] == ["shine", "mood", "steps", "always"]
    assert (loaded.card["output"], loaded.card["data"]) == ("euros", "shoes.csv (40 rows)")
    assert loaded.predict(np.array([[0.5, 1, 5000, 7]]))[0, 0] == pytest.approx(99.5, abs=0.5)


@pytest.mark.slow
def test_ones_own_table_is_for_the_features_unless_the_houses_are_asked_for(
    room: Path,
) -> None:
    table = write_table(room / "own.csv", "hours,points", np.array([[i, 3 * i + 1] for i in range(12)]))
    linear_regression.main([*SHORT, "--data", str(table)])
    cards = {
        name: json.loads((room / "models" / f"{name}-quick.json").read_text()) for name in ("houses", "house_price")
    }
    assert cards["houses"]["data"] == "houses.csv (8 rows)"
    assert cards["house_price"]["data"] == "own.csv (12 rows)"

    linear_regression.main(["--quick", "--part", "houses", "--data", str(table)])
    card = json.loads((room / "models" / "houses-quick.json").read_text())
    assert card["data"] == "own.csv (12 rows)"
    assert card["inputs"] == [{"name": "hours", "minimum": 0, "maximum": 11}]


@pytest.mark.parametrize("value", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_a_table_that_never_changes_is_no_accident(room: Path, value: int) -> None:
    table = write_table(room / "own.csv", "a,b", np.full((12, 2), value))
    for part in ("houses", "features"):
        linear_regression.main(["--quick", "--part", part, "--data", str(table)])


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        ("all", "area,price\n" + "1,2\n" * 9, "has 9 rows below the header, takes 10 or more"),
        (
            "features",
            "area,price\n" + "1,2\n" * 9 + "many,3\n" * 3,
            "line 11, column area: got .?many.?, takes a number",
        ),
        ("houses", "area,rooms,price\n1,2,3\n2,3,4\n", "has 3 columns .* takes 2: one feature and the target"),
        ("houses", "area,price\n80,100\n120,130\n300,400\n", "training diverged"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(room: Path, part: str, text: str, message: str) -> None:
    (room / "own.csv").write_text(text)
    with pytest.raises(WorkshopError, match=message) as refused:
        linear_regression.main(["--part", part, "--data", "own.csv", "--no-plots"])
    assert len(str(refused.value).splitlines()) == 1
    assert not list(Path("models").glob("*.h5"))


@pytest.mark.parametrize("lesson", [linear_regression, in_torch, in_numpy], ids=["keras", "torch", "numpy"])
@pytest.mark.parametrize("part", ["line", "houses", "features"])
def test_a_rate_that_is_too_high_is_said_in_a_line(room: Path, lesson: ModuleType, part: str) -> None:
    # Of the features only those that are scaled are meant to arrive.
    with pytest.raises(WorkshopError, match=r"^training diverged: the loss is \w+ after epoch \d+; take a smaller"):
        lesson.main(["--part", part, "--learning-rate", "1e9", "--epochs", "50", "--no-plots"])
    assert not list(Path("models").glob("*.h5"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "line", "--data", "own.csv"], "--data: got own.csv, --part line takes none"),
        (["--guess", "1", "inf"], "argument --guess: got inf, takes a number"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        linear_regression.main(options)
    assert refused.value.code == 2
    assert message in capsys.readouterr().err
