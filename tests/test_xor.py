"""The lesson `xor`: the gates, the network that learns, the noisy points, and tables of one's own."""

from pathlib import Path

import numpy as np
import pytest
from lesson_runs import Run, start, write_table

from workshop import xor
from workshop.kit import training
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
FEW = ["--quick", "--epochs", "5", "--no-plots"]


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it, with its defaults."""
    return start(xor, tmp_path_factory.mktemp("xor"))


def check_figures(found: dict[str, float]) -> None:
    """The figures of the curriculum, wherever they come from."""
    assert found["network_train_accuracy"] == 1
    assert found["network_train_mean_squared_error"] < 0.01
    for split in ("train", "test"):
        assert found[f"hidden_1_{split}_accuracy"] <= 0.80
        assert found[f"hidden_4_{split}_accuracy"] >= 0.99


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


def test_a_default_run_reaches_its_figures(default_run: Run) -> None:
    check_figures(default_run.metrics)
    assert "As expected for this lesson." in default_run.output


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_other_seeds_reach_the_figures(seed: int) -> None:
    check_figures(xor.main(["--seed", str(seed), "--no-plots"]))


def test_the_network_is_2_3_1_sigmoid_then_linear() -> None:
    model = xor.build_network()
    assert [weight.shape for weight in model.get_weights()] == [(2, 3), (3,), (3, 1), (1,)]
    assert [layer.activation.__name__ for layer in model.layers] == ["sigmoid", "linear"]


def test_a_network_written_out_answers_as_keras_does() -> None:
    model = xor.build_network(4)
    X = np.random.default_rng(0).normal(0, 3, (50, 2)).astype(np.float32)
    assert xor.network_of(model.get_weights())(X) == pytest.approx(training.predict(model, X)[:, 0], abs=1e-6)


@pytest.mark.slow
def test_the_boundary_is_kept_on_the_way(default_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[str]] = {}

    def note(panels: dict[str, object], X: np.ndarray, y: np.ndarray, heading: str, **options: object) -> object:
        drawn[heading] = list(panels)
        return None

    monkeypatch.setattr("workshop.kit.plots.contours.boundary_row", note)
    monkeypatch.setattr("workshop.kit.plots.save", lambda figure, path: path)
    xor.main(["--epochs", "50", "--quick"])
    assert drawn["The boundary while the network learns"] == [
        "before training", "after 3 epochs", "after 6 epochs", "after 15 epochs", "after 50 epochs",
    ]  # fmt: skip
    assert [title.split("\n")[0] for title in drawn["How many hidden units it takes"]] == [
        "1 hidden unit", "2 hidden units", "4 hidden units",
    ]  # fmt: skip


def test_the_last_snapshot_is_the_trained_network_and_the_first_is_not() -> None:
    model, plan = xor.KERAS.build(3, 1), xor.plan_of("corners", xor.parse("", ["--epochs", "40"]))
    history = xor.train(model, CORNERS, xor.Y_CORNERS[:, None], plan, 1, snapshots=[0, 20, 40])
    answers = {epoch: xor.network_of(weights)(CORNERS) for epoch, weights in history.snapshots.items()}
    assert list(answers) == [0, 20, 40]
    assert answers[40] == pytest.approx(training.predict(model, CORNERS)[:, 0], abs=1e-6)
    assert np.abs(answers[0] - answers[40]).max() > 0.1


# --- Noisy points -----------------------------------------------------------------------------------------------------


def test_noisy_points_lie_around_the_corners_with_the_variance_asked_for() -> None:
    X, y = xor.noisy_points(100, 0.01, np.random.default_rng(1))
    corners = X.round().astype(int)
    assert X.shape == (100, 2)
    assert np.unique(corners, axis=0, return_counts=True)[1].tolist() == [25, 25, 25, 25]
    assert (y == corners[:, 0] ^ corners[:, 1]).all()
    X, _ = xor.noisy_points(20_000, 0.01, np.random.default_rng(1))
    assert (X - X.round()).var() == pytest.approx(0.01, rel=0.05)


@pytest.mark.slow
def test_noise_of_ones_own_is_used_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    xor.main([*FEW, "--noise", "0.2"])
    assert "100 noisy points: normal noise of variance 0.2 on both inputs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        xor.main([*FEW, "--noise", "-1"])
    assert "got -1, takes a number above 0" in capsys.readouterr().err


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
    assert {Path(name).name for name in result["files"]} == {
        "xor.h5", "xor.json", "xor-gates.png", "xor-learning.png", "xor-loss.png", "xor-hidden_units.png",
    }  # fmt: skip
    assert all(Path(name).is_file() for name in result["files"])


def test_the_pictures_are_drawn(default_run: Run) -> None:
    from PIL import Image

    for path in default_run.plots.iterdir():
        with Image.open(path) as image:
            assert image.width > 600


# --- Tables of one's own ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_table_takes_the_place_of_the_noisy_points(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = xor.noisy_points(80, 0.01, np.random.default_rng(5))
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
