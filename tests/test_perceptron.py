"""The lesson `perceptron`: the neuron, the rule, four ways of training, the Adaline, scikit-learn, tables, pictures."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel
from lesson_runs import Run, start
from PIL import Image
from sklearn.linear_model import Perceptron

from workshop import perceptron
from workshop.kit import perceptron_plots, two_classes
from workshop.kit.errors import WorkshopError
from workshop.kit.two_classes import Samples, accuracy, off_centre, with_ones
from workshop.perceptron import hardlim, hardlims, step, train, train_adaline

ALL = 10**9  # a batch of all samples


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run: all tables and pictures, and the beginning of the animation."""
    return start(perceptron, tmp_path_factory.mktemp("perceptron"), "--quick")


def points(seed: int = 1) -> Samples:
    return two_classes.load(None, perceptron.LINE, perceptron.SAMPLES, perceptron.MARGIN, seed)[0]


def irises(seed: int = 1) -> Samples:
    return two_classes.load_irises(np.random.default_rng(seed))


def write_table(path: Path, samples: Samples, extra: np.ndarray | None = None) -> Path:
    X = samples.X[:, :-1] if extra is None else np.column_stack([samples.X[:, :-1], extra])
    names = [*(f"f{i}" for i in range(X.shape[1])), "kind"]
    kinds = np.where(samples.y > 0, "ripe", "green")
    lines = [",".join([*(f"{cell:g}" for cell in row), kind]) for row, kind in zip(X, kinds, strict=True)]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


# --- The neuron -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("x1", "x2", "net"), [(-6, 3, -15), (-11, 0, -8), (0, 0, 3), (-9, -3, 6)])
def test_the_neuron_adds_up(x1: float, x2: float, net: float, quick_run: Run) -> None:
    assert perceptron.LINE.tolist() == [1, -4, 3]
    assert [x1, x2] in perceptron.POINTS.tolist()
    assert (with_ones(np.array([[x1, x2]])) @ perceptron.LINE).tolist() == [net]
    assert hardlims(np.array(net)) == (1 if net > 0 else -1)
    assert hardlim(np.array(net)) == (1 if net > 0 else 0)
    (row,) = (row for row in quick_run.rows if row[:2] == [f"({x1},", f"{x2})"])
    assert row[-3:] == [str(net), str(int(hardlims(np.array(net)))), str(int(hardlim(np.array(net))))]


def test_zero_counts_as_the_upper_class() -> None:
    assert (hardlims(np.zeros(1)), hardlim(np.zeros(1))) == (1, 1)


# --- The rule ---------------------------------------------------------------------------------------------------------


def test_a_mistake_moves_the_weights_by_the_error_times_x_and_nothing_else_does() -> None:
    X, w = np.array([[2.0, -1.0, 1.0]]), np.array([1.0, 0.0, 0.0])
    assert step(X, np.array([-1.0]), w).tolist() == [-4, 2, -2]  # y - answer = -2
    assert step(X, np.array([0.0]), w, hardlim).tolist() == [-2, 1, -1]
    assert step(X, np.array([0.0]), w, hardlim, 0.1) == pytest.approx([-0.2, 0.1, -0.1])
    assert step(X, np.array([1.0]), w).tolist() == [0, 0, 0]
    assert step(X, np.array([1.0]), -w).tolist() == [4, -2, 2]


def test_the_steps_by_hand_are_right(quick_run: Run) -> None:
    # With pencil and paper, from weights 0 on.
    changes = [(6, -3, -1), (0, 0, 0), (0, 0, 1), (-9, -3, 1), (6, -3, -1), *[(0, 0, 0)] * 7]
    weights = np.cumsum(changes, axis=0).tolist()
    printed = [line for line in quick_run.lines if line.count("(") == 3 and line[0] in "123"]
    assert len(printed) == 12
    for line, change, w in zip(printed, changes, weights, strict=True):
        assert line.endswith(f"{change}".ljust(13) + f"{tuple(w)}")


def test_an_epoch_without_a_mistake_is_the_last_and_counts() -> None:
    X, y = with_ones(perceptron.POINTS), np.array([0.0, 0.0, 1.0, 1.0])
    found = train(X, y, answer=hardlim)
    assert (found.epochs, found.updates, found.mistakes) == (3, 4, [3, 1, 0])
    assert found.weights.tolist() == found.path[-1].tolist() == [3, -9, 0]
    assert train(X, y, answer=hardlim, epochs=1).epochs == 1


@pytest.mark.parametrize("size", [1, 8, ALL])
def test_classes_zero_and_one_give_half_the_weights_of_minus_one_and_one(size: int) -> None:
    X, y, *_ = points()
    ours, half = train(X, y, size), train(X, (y + 1) / 2, size, hardlim)
    assert ours[1:4] == half[1:4]
    assert np.array_equal(ours.path, 2 * half.path)


# --- Ways and orders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("size", [1, 8, ALL])
def test_every_way_parts_the_classes(seed: int, size: int) -> None:
    X, y, *_ = points(seed)
    found = train(X, y, size)
    assert accuracy(X, y, found.weights) == 1
    assert found.mistakes[-1] == 0 < min(found.mistakes[:-1])
    if size == 1:
        assert found.updates == sum(found.mistakes)
        # Novikoff: the given line parts them as well, with a margin.
        margin = (y * (X @ perceptron.LINE)).min() / np.linalg.norm(perceptron.LINE)
        assert 0 < found.updates <= (np.linalg.norm(X, axis=1).max() / margin) ** 2
    if size == ALL:
        assert found.updates == found.epochs - 1


def test_online_depends_on_the_order_and_batch_never_does() -> None:
    X, y, *_ = points()
    orders = [np.random.default_rng(seed).permutation(len(X)) for seed in range(12)]
    online = [train(X[order], y[order]) for order in orders]
    assert len({one.epochs for one in online}) > 2
    assert len({one.updates for one in online}) > 2
    batch = [train(X[order], y[order], ALL) for order in orders]
    assert {(one.epochs, one.updates, one.path.tobytes()) for one in batch} == {
        (batch[0].epochs, batch[0].updates, batch[0].path.tobytes())
    }


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("samples", [points(), points(5), irises()])
def test_workers_change_no_bit(samples: Samples, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptron, "WORKERS", workers)
    batch = train(samples.X, samples.y, ALL, epochs=40)
    with Parallel(n_jobs=2, prefer="threads") as parallel:
        shared = partial(perceptron.step_in_parallel, parallel=parallel)
        found = train(samples.X, samples.y, ALL, epochs=40, step=shared)
    assert found.path.tobytes() == batch.path.tobytes()
    assert found[1:4] == batch[1:4]


@pytest.mark.parametrize("seed", range(1, 7))
def test_scikit_learn_finds_the_same_weights(seed: int) -> None:
    X, y, *_ = points(seed)
    ours = train(X, (y + 1) / 2, answer=hardlim)
    theirs = Perceptron(max_iter=ours.epochs, tol=None, shuffle=False).fit(X[:, :-1], y)
    assert [*theirs.coef_[0], theirs.intercept_[0]] == pytest.approx(ours.weights, abs=1e-12)
    assert theirs.score(X[:, :-1], y) == 1


# --- Where no line parts the classes ----------------------------------------------------------------------------------


def test_the_perceptron_runs_in_circles_on_irises() -> None:
    X, y, *_ = irises()
    found = train(X, y, epochs=60)
    assert (found.epochs, min(found.mistakes) > 0) == (60, True)
    cycle = two_classes.find_cycle(found.path)
    assert cycle is not None
    first, period = cycle
    assert np.array_equal(found.path[first - 1 : 60 - period], found.path[first - 1 + period :])
    assert len({w.tobytes() for w in found.path[first - 1 : first - 1 + period]}) == period


def test_the_perceptron_runs_in_circles_on_xor() -> None:
    X = with_ones(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]))
    found = train(X, np.array([-1.0, 1, 1, -1]), epochs=30)
    assert two_classes.find_cycle(found.path) == (2, 1)  # an epoch, and the weights are where they were
    assert two_classes.find_cycle(np.arange(12.0).reshape(4, 3)) is None


@pytest.mark.parametrize("samples", [points(), irises(), irises(2)])
def test_the_adaline_comes_to_rest_at_the_least_squares_and_in_the_middle(samples: Samples) -> None:
    X, y, *_ = samples
    found = train_adaline(X, y)
    assert found.epochs < perceptron.ADALINE_EPOCHS
    assert found.weights == pytest.approx(np.linalg.pinv(X) @ y, abs=1e-8)
    assert off_centre(X, y, found.weights) < 1e-8
    assert off_centre(X, y, train(X, y, epochs=50).weights) > 0.05
    costs = np.sum((found.path @ X.T - y) ** 2, axis=1)
    assert (np.diff(costs) <= 1e-9).all()


def test_the_distance_from_the_middle_is_in_the_units_of_the_features() -> None:
    X, y = with_ones(np.array([[0.0, 0], [2, 0], [6, 0], [8, 0]])), np.array([-1.0, -1, 1, 1])
    assert off_centre(X, y, np.array([2.0, 0, -10])) == pytest.approx(1)  # the line x1 = 5; the middle is 4


# --- The run ----------------------------------------------------------------------------------------------------------


def check_figures(found: dict[str, float]) -> None:
    """The figures of the curriculum."""
    for way in ("online", "mini_batch", "batch", "parallel"):
        assert found[f"{way}_train_accuracy"] == 1
    assert found["parallel_train_max_error"] == found["classes_train_max_error"] == 0
    assert found["sklearn_train_max_error"] <= 1e-12
    assert found["adaline_train_accuracy"] >= 0.93
    assert found["adaline_train_max_error"] <= 1e-6


def test_a_run_reaches_its_figures(quick_run: Run) -> None:
    check_figures(quick_run.metrics)
    answer = quick_run.answer
    assert answer["data"] == "30 points around a line; Fisher's irises (100 flowers)"


def test_another_seed_reaches_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    check_figures(perceptron.main(["--seed", "2", "--no-plots"]))
    assert "As expected for this lesson." in capsys.readouterr().out


def test_the_table_counts_epochs_and_updates(quick_run: Run) -> None:
    X, y, *_ = points()
    header = quick_run.rows.index(
        ["way", "epochs", "updates", "mistakes", "at", "the", "end", "weights,", "bias", "last"]
    )
    table = quick_run.rows[header + 2 : header + 6]
    for row, (name, size) in zip(
        table, {"online": 1, "mini-batch": 8, "batch": ALL, "parallel": ALL}.items(), strict=True
    ):
        found = train(X, y, size)
        assert row[:4] == [name, str(found.epochs), str(found.updates), "0"]
    header = quick_run.rows.index(["way", "epochs", "updates", "different", "weights", "at", "the", "end"])
    online, _, batch = quick_run.rows[header + 2 : header + 5]
    assert online[0] == "online"
    assert online[1] != online[3]
    assert online[4] != online[6]
    assert batch == ["batch", batch[1], "to", batch[1], batch[4], "to", batch[4], "1"]
    assert "The perceptron runs in circles" in quick_run.output


def test_pictures_and_animation_are_drawn(quick_run: Run) -> None:
    files = quick_run.answer["files"]
    names = {f"perceptron-{name}" for name in ("neuron.png", "orders.png", "adaline.png", "learning.gif")}
    assert {Path(name).name for name in files} == names == {path.name for path in quick_run.plots.iterdir()}
    (said,) = (line for line in quick_run.lines if line.startswith("Pictures "))
    assert all(name in said for name in names)
    with Image.open(quick_run.plots / "perceptron-learning.gif") as gif:
        assert 10 < getattr(gif, "n_frames", 1) < 20


def test_the_animation_shows_each_sample_of_the_first_epoch_and_every_update() -> None:
    from workshop.kit import plots

    samples = points()
    found = train(samples.X, samples.y)
    axes = plots.subplots()[1]
    titles, lines = [], []
    for _ in perceptron_plots.animate(axes, samples, step, found, 10_000):
        titles.append(axes.get_title())
        lines.append(axes.lines[3].get_xydata())
    for i in range(1, len(samples.X) + 1):
        assert any(title.startswith(f"Epoch 1, sample {i}:") for title in titles)
    updates = [title for title in titles if "update" in title and "line moves" in title]
    assert len(updates) == found.updates
    assert titles[-1] == f"The end: {found.updates} updates, no mistakes"
    # The line at the end is that of the trained weights, and was there before the last picture.
    assert with_ones(lines[-1]) @ found.weights == pytest.approx([0, 0], abs=1e-6 * 1e4)
    assert np.array_equal(lines[-1], lines[-2])


def test_the_half_plane_is_on_the_side_of_the_weights() -> None:
    corners = perceptron_plots.half_plane(perceptron.LINE)
    assert with_ones(corners[:2]) @ perceptron.LINE == pytest.approx([0, 0], abs=1e-6)
    assert (with_ones(corners[2:]) @ perceptron.LINE > 1e3).all()
    assert np.ptp(perceptron_plots.half_plane(np.zeros(3))) > 1e4  # everything


@pytest.mark.slow
def test_the_whole_animation_is_small(room: Path) -> None:
    perceptron.main([])
    assert Path("plots/perceptron-learning.gif").stat().st_size < 1_000_000


# --- Tables of one's own ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_table_takes_the_place_of_both(
    room: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perceptron, "ORDERS", 2)
    monkeypatch.setattr(perceptron, "MOST_STEPS", 3000)
    found = perceptron.main(["--data", str(write_table(room / "fruit.csv", irises())), "--quick"])
    output = capsys.readouterr().out
    assert "Data      fruit.csv (100 rows)" in output
    assert "No expected band: the table is your own." in output
    assert found["online_train_accuracy"] > 0.8
    assert found["parallel_train_max_error"] == 0
    assert found["sklearn_train_max_error"] <= 1e-9
    assert Path("plots/perceptron-learning.gif").is_file()


def test_a_table_of_three_features_is_learned_and_its_lines_are_not_drawn(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = points()
    table = write_table(room / "three.csv", samples, np.full(len(samples.y), 7))  # a column that is always the same
    found = perceptron.main(["--data", str(table)])
    assert found["online_train_accuracy"] == found["batch_train_accuracy"] == 1
    assert "no picture of the lines: they take two features" in capsys.readouterr().out
    assert {path.name for path in Path("plots").iterdir()} == {
        "perceptron-neuron.png", "perceptron-orders.png", "perceptron-adaline.png",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,kind\n1,x\n2,y\n3,x\n4,y\n", "has 2 columns, takes two or more of numbers, then the class"),
        ("a,b,kind\n1,1,x\n2,1,y\n3,1,z\n4,1,x\n5,2,y\n6,2,z\n", r"has 3 classes \(x, y, z, ...\), takes two"),
        ("a,b,kind\n1,1,x\n2,1,x\n3,1,x\n4,1,x\n", "all rows are of one class"),
        ("a,b,kind\n1,1,x\n2,much,x\n3,1,y\n4,1,y\n", "line 3, column b: got much, takes a number"),
        ("a,b,kind\n1,1,x\n2,1,y\n", "has 2 rows below the header, takes 4 or more"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(room: Path, content: str, message: str) -> None:
    (room / "bad.csv").write_text(content)
    with pytest.raises(WorkshopError, match=message) as refused:
        perceptron.main(["--data", "bad.csv"])
    assert len(str(refused.value).splitlines()) == 1
    assert not list(Path("plots").iterdir())
