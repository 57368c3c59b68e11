"""Row A4 of the curriculum: the sigmoid, cross-entropy, likelihood, and one neuron that judges tumours."""

import json
from pathlib import Path

import numpy as np
import pytest

from workshop import logistic_regression
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle


@pytest.mark.parametrize(
    ("z", "value"), [(-8, 0.00033535), (-4, 0.01798621), (0.5, 0.62245933), (1, 0.73105858), (5, 0.99330715)]
)
def test_sigmoid_has_the_values_of_the_table(z: float, value: float) -> None:
    assert logistic_regression.sigmoid(z) == pytest.approx(value, abs=5e-9)


@pytest.mark.parametrize(
    ("y", "p", "value"),
    [(1, 0.7, 0.35667), (1, 0.1, 2.30259), (1, 1e-6, 13.81551), (0, 0.3, 0.35667), (0, 0.9, 2.30259)],
)
def test_cross_entropy_has_the_values_of_the_table(y: int, p: float, value: float) -> None:
    assert logistic_regression.cross_entropy(y, p) == pytest.approx(value, abs=5e-6)


def test_likelihood_of_four_throws_is_largest_for_a_fair_coin() -> None:
    throws = (1, 0, 1, 0)
    assert logistic_regression.likelihood(0.5, throws) == pytest.approx(0.0625)
    assert logistic_regression.likelihood(0.2, throws) == pytest.approx(0.0256)
    theta = np.linspace(0.01, 0.99, 99)
    assert theta[logistic_regression.likelihood(theta, throws).argmax()] == pytest.approx(0.5)


def test_a_saturated_neuron_learns_slowly_from_squares_only() -> None:
    squares = logistic_regression.descend_saturated("squares")
    entropy = logistic_regression.descend_saturated("cross-entropy")
    assert squares[0] == entropy[0] == pytest.approx(0.98, abs=0.01)
    assert squares[100] > 0.9 > 0.1 > entropy[100]


def test_tumours_are_told_apart_and_one_large_tumour_moves_the_cut_of_the_line_but_not_of_the_neuron(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = logistic_regression.main(["--no-plots"])
    assert metrics["test_accuracy"] >= 0.96
    output = capsys.readouterr().out
    rows = [line.split() for line in output.splitlines() if line.endswith("of 212")]
    cuts = {(row[0], "line" if "line" in row else "neuron"): float(row[-4]) for row in rows}
    missed = {(row[0], "line" if "line" in row else "neuron"): int(row[-3]) for row in rows}
    assert cuts["one", "line"] > cuts["as", "line"] + 2
    assert abs(cuts["one", "neuron"] - cuts["as", "neuron"]) < 0.2
    assert missed["one", "line"] > missed["as", "line"] + 30
    assert abs(missed["one", "neuron"] - missed["as", "neuron"]) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_other_seeds_tell_the_tumours_apart(seed: int) -> None:
    metrics = logistic_regression.main(["--seed", str(seed), "--no-plots"])
    assert metrics["test_accuracy"] >= 0.96


def test_the_bundle_answers_for_a_tumour_in_its_own_units(room: Path) -> None:
    from sklearn.datasets import load_breast_cancer

    logistic_regression.main(["--quick", "--no-plots"])
    loaded = bundle.load(room / "models" / "logistic_regression-quick.h5", ["logistic_regression"])
    cases = load_breast_cancer()
    probability = loaded.predict(cases.data.astype(np.float32))[:, 0]
    assert loaded.card["classes"] == ["benign", "malignant"]
    assert [one.name for one in loaded.inputs][:2] == ["mean radius", "mean texture"]
    assert np.mean((probability >= 0.5) == (cases.target == 0)) > 0.9


@pytest.mark.slow
def test_pictures_and_json(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logistic_regression.main(["--quick", "--json"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    pictures = [file for file in result["files"] if file.endswith(".png")]
    assert len(pictures) == 4
    assert all((room / file).stat().st_size > 5000 for file in pictures)
    assert result["metrics"]["test_accuracy"] > 0.9


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


def test_a_table_with_one_class_is_refused(room: Path) -> None:
    table = write_table(room / "own.csv", [1] * 20)
    with pytest.raises(WorkshopError, match="all rows are of one class"):
        logistic_regression.main(["--quick", "--data", str(table)])
    assert not (room / "models" / "logistic_regression-quick.h5").exists()
