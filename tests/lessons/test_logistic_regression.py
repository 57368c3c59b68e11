"""Row A4 of the curriculum: the sigmoid, cross-entropy, likelihood, and one neuron that classifies tumours."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_claims, claims, start

from workshop import logistic_regression
from workshop.kit import plots
from workshop.kit.errors import WorkshopError
from workshop.pytorch import logistic_regression as in_torch
from workshop.scratch import logistic_regression as in_numpy

# As the curriculum has them; the last digit of the first is cut off there, not rounded.
SIGMOIDS = {
    "-10": "0.000045397",
    "-8": "0.00033535",
    "-4": "0.01798621",
    "0": "0.5",
    "0.5": "0.62245933",
    "1": "0.73105858",
    "5": "0.99330715",
}


def test_sigmoid_has_the_values_of_the_table() -> None:
    z = np.array([float(number) for number in SIGMOIDS])
    assert logistic_regression.sigmoid(z) == pytest.approx([float(value) for value in SIGMOIDS.values()], abs=5e-9)


@pytest.mark.parametrize(
    ("y", "p", "value"),
    [
        (1, 0.7, 0.35667),
        (1, 0.1, 2.30259),
        (1, 1e-6, 13.81551),
        (0, 0.3, 0.35667),
        (0, 0.9, 2.30259),
        (1, 0.99999, 0.00001),
        (0, 0.00001, 0.00001),
        (0, 0.999999, 13.81551),
    ],
)
def test_cross_entropy_has_the_values_of_the_table(y: int, p: float, value: float, default_run: Run) -> None:
    assert logistic_regression.cross_entropy(y, p) == pytest.approx(value, abs=5e-6)
    table = default_run.table("label", "probability of 1", "cross-entropy")
    assert [str(y), f"{p:g}", f"{value:.5f}"] in table
    assert len(table) == 8


def test_the_tables_of_the_sigmoid_and_of_the_coin_are_printed(default_run: Run) -> None:
    printed = dict(default_run.table("z", "sigmoid(z)"))
    assert printed.keys() == SIGMOIDS.keys()
    assert all(printed[z].startswith(value) for z, value in SIGMOIDS.items())
    coin = dict(default_run.table("probability of heads", "likelihood of the throws"))
    assert (coin["0.5"], coin["0.2"]) == ("0.0625", "0.0256")


def test_likelihood_of_four_throws_is_largest_for_a_fair_coin() -> None:
    throws = (1, 0, 1, 0)
    assert logistic_regression.likelihood(0.5, throws) == pytest.approx(0.0625)
    assert logistic_regression.likelihood(0.2, throws) == pytest.approx(0.0256)
    theta = np.linspace(0.01, 0.99, 99)
    assert theta[logistic_regression.likelihood(theta, throws).argmax()] == pytest.approx(0.5)


def test_a_saturated_neuron_learns_slowly_from_squares_only(default_run: Run) -> None:
    squares = logistic_regression.descend_saturated("squares")
    entropy = logistic_regression.descend_saturated("cross-entropy")
    assert squares[0] == entropy[0] == pytest.approx(0.98, abs=0.01)
    assert squares[100] > 0.9 > 0.1 > entropy[100]
    table = default_run.table("step", "squares", "cross-entropy")
    assert [row[0] for row in table] == ["0", "50", "100", "200", "299"]
    assert table[2][1:] == [f"{squares[100]:.4f}", f"{entropy[100]:.4f}"]
    # By hand: at z = 2 * 1 + 2 the output is 0.9820, and its slope 0.9820 * 0.0180.
    assert "is a * a (1 - a) = 0.0173, that of cross-entropy a = 0.9820." in default_run.output


def test_squares_leave_plateaus_and_cross_entropy_is_convex() -> None:
    w, b, surfaces = logistic_regression.loss_surfaces()
    assert w[0, [0, -1]].tolist() == b[[0, -1], 0].tolist() == [-8, 8]
    wrong = {loss: surface[60, 0] - surface[60, 1] for loss, surface in surfaces.items()}  # the way down from w = -8
    assert wrong["squares"] < 1e-4 and wrong["cross-entropy"] > 0.1
    curvature = {loss: np.diff(surface, 2).min() for loss, surface in surfaces.items()}
    assert curvature["squares"] < -0.001 and curvature["cross-entropy"] > -1e-9


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it, with its defaults."""
    return start(logistic_regression, tmp_path_factory.mktemp("logistic_regression"))


def test_one_large_tumour_moves_the_cut_of_the_line_but_not_of_the_neuron(default_run: Run) -> None:
    assert claims("logistic_regression").keys() <= default_run.metrics.keys()
    assert_claims(default_run.metrics, "logistic_regression")
    assert "As expected for this lesson." in default_run.output
    assert default_run.output.index("neuron, as measured") < default_run.output.index("100/100")
    table = default_run.table("data", "classifier", "cut at")
    cuts = {(data, name): float(cut) for data, name, cut, _ in table}
    missed = {(data, name): int(count.removesuffix(" of 212")) for data, name, _, count in table}
    before, after = "as measured", "one large tumour added"
    assert cuts[after, "line"] > cuts[before, "line"] + 2
    assert abs(cuts[after, "neuron"] - cuts[before, "neuron"]) < 0.2
    assert missed[after, "line"] > missed[before, "line"] + 30
    assert abs(missed[after, "neuron"] - missed[before, "neuron"]) <= 3


def test_a_cut_is_where_a_classifier_says_one_half() -> None:
    from sklearn.preprocessing import StandardScaler

    sizes, y = np.array([[6], [9], [14], [21]], np.float32), np.array([0, 0, 1, 1])
    weights = [np.array([[1.7]], np.float32), np.array([0.4], np.float32)]
    scaler = StandardScaler().fit(sizes)
    fitted = logistic_regression.line_and_neuron(sizes, y, weights, scaler)
    assert {name: float(predict(np.array(cut))) for name, (predict, cut) in fitted.items()} == pytest.approx(
        {"line": 0.5, "neuron": 0.5}
    )
    outputs = logistic_regression.sigmoid(scaler.transform(sizes)[:, 0] * 1.7 + 0.4)
    assert fitted["neuron"][0](sizes[:, 0]) == pytest.approx(outputs, abs=1e-6)


@pytest.mark.slow
def test_another_seed_is_in_the_bands() -> None:
    assert_claims(logistic_regression.main(["--seed", "2", "--no-plots"]), "logistic_regression")


def test_the_bundle_predicts_for_a_tumour_in_its_own_units(default_run: Run) -> None:
    cases = logistic_regression.load(None)
    _, X_test, _, y_test = logistic_regression.split(cases)
    loaded = default_run.load("logistic_regression")
    probability = loaded.predict(X_test)[:, 0]
    # From one half up it is malignant. At 0.55 one of the test rows would be of the other class.
    assert loaded.card["threshold"] == 0.5
    assert np.mean((probability >= 0.5) == y_test) == default_run.metrics["test_accuracy"]
    assert np.any((probability >= 0.5) != (probability >= 0.55))
    assert loaded.card["classes"] == ["benign", "malignant"]
    assert [column.name for column in loaded.inputs][:2] == ["mean radius", "mean texture"]


def test_plots_and_json(default_run: Run) -> None:
    plots = [Path(file) for file in default_run.answer["files"] if file.endswith(".png")]
    assert {path.stem for path in plots} == {
        f"logistic_regression-{name}" for name in ("basics", "line", "confusion", "loss")
    }
    assert all(path.stat().st_size > 5000 for path in plots)
    assert default_run.answer["metrics"] == default_run.metrics


def write_table(path: Path, targets: list[int]) -> Path:
    random = np.random.default_rng(0)
    rows = [f"{random.normal(3 * y, 1):.3f},{random.normal(-2 * y, 1):.3f},{y}" for y in targets]
    path.write_text("\n".join(["height,depth,broken", *rows]) + "\n")
    return path


def test_a_table_of_ones_own(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(room / "own.csv", [0, 1] * 40)
    metrics = logistic_regression.main(["--no-plots", "--data", str(table)])
    assert metrics["test_accuracy"] > 0.8
    assert "No expected band" in capsys.readouterr().out


@pytest.mark.parametrize("module", [logistic_regression, in_torch, in_numpy])
def test_the_confusion_matrix_counts_what_the_metrics_do(
    module: ModuleType, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}
    save = plots.save

    def note(figure: Any, path: Path) -> Path:
        drawn[path.stem] = figure
        return save(figure, path)

    monkeypatch.setattr(plots, "save", note)
    table = write_table(room / "own.csv", [0, 0, 1] * 40)
    run = start(module, room, "--data", str(table))
    axes = drawn["logistic_regression-confusion"].axes[0]
    assert axes.get_title() == f"test accuracy {run.metrics['test_accuracy']:.1%}"
    counts = {cell.get_position(): int(cell.get_text()) for cell in axes.texts}  # (predicted, true); no 0 is written
    right = counts[1, 1]
    assert right / (right + counts.get((1, 0), 0)) == pytest.approx(run.metrics["test_precision"])
    assert right / (right + counts.get((0, 1), 0)) == pytest.approx(run.metrics["test_recall"])


def test_a_table_with_one_class_is_refused(room: Path) -> None:
    table = write_table(room / "own.csv", [1] * 20)
    with pytest.raises(WorkshopError, match="all rows are of one class"):
        logistic_regression.main(["--quick", "--data", str(table)])
    assert not (room / "models" / "logistic_regression-quick.h5").exists()
