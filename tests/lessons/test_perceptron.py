"""The lesson `perceptron`: the neuron, the rule, four ways of training, the Adaline, scikit-learn, tables, plots."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, claims, start
from joblib import Parallel
from PIL import Image
from sklearn.linear_model import Perceptron

from workshop import perceptron
from workshop.figures import perceptron as figures
from workshop.kit.errors import WorkshopError
from workshop.perceptron import (
    Samples,
    accuracy,
    binary,
    bipolar,
    distance_off_centre,
    find_cycle,
    train,
    train_adaline,
    weight_change,
    with_ones,
)

ALL = 10**9  # a batch of all samples


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run: all tables and plots, and the beginning of the animation."""
    return start(perceptron, tmp_path_factory.mktemp("perceptron"), "--quick")


def points(seed: int = 1) -> Samples:
    return perceptron.load_samples(None, seed)[0]


def irises(seed: int = 1) -> Samples:
    return perceptron.load_irises(np.random.default_rng(seed))


def write_table(path: Path, samples: Samples, extra: np.ndarray | None = None) -> Path:
    X = samples.X[:, :-1] if extra is None else np.column_stack([samples.X[:, :-1], extra])
    names = [*(f"f{i}" for i in range(X.shape[1])), "kind"]
    kinds = np.where(samples.y > 0, "ripe", "green")
    lines = [",".join([*(f"{cell:g}" for cell in row), kind]) for row, kind in zip(X, kinds, strict=True)]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


# --- The neuron -------------------------------------------------------------------------------------------------------


def test_it_fires_above_zero_and_not_at_zero() -> None:
    nets = np.array([-1e-9, 0, 1e-9])
    assert bipolar(nets).tolist() == [-1, -1, 1]
    assert binary(nets).tolist() == [0, 0, 1]
    assert accuracy(np.array([[1.0], [0.0]]), np.array([1, -1]), np.ones(1)) == 1


def test_the_sums_are_those_of_the_curriculum_and_on_the_line_it_does_not_fire(quick_run: Run) -> None:
    table = quick_run.table("point", "w.x + b", "sum")
    assert {row[0]: row[2:] for row in table} == {
        **{point: ["0", "-1", "0"] for point in ("(-3, 0)", "(-7, -1)", "(1, 1)")},
        "(-6, 3)": ["-15", "-1", "0"],
        "(-11, 0)": ["-8", "-1", "0"],
        "(7, 3)": ["-2", "-1", "0"],
        "(0, 0)": ["3", "1", "1"],
        "(-9, -3)": ["6", "1", "1"],
    }


# --- The rule ---------------------------------------------------------------------------------------------------------


def test_a_mistake_changes_the_weights_by_the_error_times_x_and_nothing_else_does() -> None:
    X, w = np.array([[2.0, -1.0, 1.0]]), np.array([1.0, 0.0, 0.0])
    assert weight_change(X, np.array([-1.0]), w).tolist() == [-4, 2, -2]  # y - output = -2
    assert weight_change(X, np.array([0.0]), w, binary).tolist() == [-2, 1, -1]
    assert weight_change(X, np.array([0.0]), w, binary, 0.1) == pytest.approx([-0.2, 0.1, -0.1])
    assert weight_change(X, np.array([1.0]), w).tolist() == [0, 0, 0]
    assert weight_change(X, np.array([1.0]), -w).tolist() == [4, -2, 2]


def test_an_epoch_without_a_mistake_is_the_last_and_counts() -> None:
    X, y = with_ones(perceptron.LEARNED_POINTS), np.array([0.0, 0.0, 1.0, 1.0])
    training = train(X, y, activation=binary)
    assert (training.epochs, training.updates, training.mistakes) == (4, 5, [1, 3, 1, 0])
    assert training.weights.tolist() == training.path[-1].tolist() == [3, -9, 1]
    assert train(X, y, activation=binary, epochs=1).epochs == 1


def test_and_is_learned_from_weights_of_a_tenth_and_a_threshold_of_a_twentieth() -> None:
    X, start = with_ones(perceptron.X_AND), np.array([0.1, 0.1, -0.05])
    training = train(X, perceptron.Y_AND, activation=binary, rate=0.02, start=start)
    # By hand: (0, 1) and (1, 0) fire at first; each takes 0.02 from its weight, and the threshold rises to 0.09.
    assert training.weights == pytest.approx([0.08, 0.08, -0.09])
    assert (training.epochs, training.updates, training.mistakes) == (2, 2, [2, 0])
    assert start.tolist() == [0.1, 0.1, -0.05]


def test_momentum_takes_a_share_of_the_change_before_along() -> None:
    X, y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([1.0, 1.0, -1.0])
    # By hand, classes 0 and 1 as -1 and 1, each change of 2: v = (2, 0); then v = (1, 2), w = (3, 2);
    # then v = 0.5 (1, 2) - (2, 2) = (-1.5, -1), w = (1.5, 1).
    assert train(X, y, epochs=1, momentum=0.5).weights.tolist() == [1.5, 1]
    assert train(X, y, epochs=1).weights.tolist() == [0, 0]
    samples = points()
    for momentum in perceptron.MOMENTA:
        training = train(samples.X, samples.y, momentum=momentum)
        assert training.mistakes[-1] == 0 and accuracy(samples.X, samples.y, training.weights) == 1


@pytest.mark.parametrize("size", [1, 8, ALL])
def test_classes_zero_and_one_give_half_the_weights_of_minus_one_and_one(size: int) -> None:
    X, y, *_ = points()
    signed, half = train(X, y, size), train(X, (y + 1) / 2, size, binary)
    assert signed[1:4] == half[1:4]
    assert np.array_equal(signed.path, 2 * half.path)


# --- Ways and orders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("size", [1, 8, ALL])
def test_every_way_separates_the_classes(seed: int, size: int) -> None:
    X, y, *_ = points(seed)
    training = train(X, y, size)
    assert accuracy(X, y, training.weights) == 1
    assert training.mistakes[-1] == 0 < min(training.mistakes[:-1])
    if size == 1:
        assert training.updates == sum(training.mistakes)
        # Novikoff: the given line separates them as well, with a margin.
        margin = (y * (X @ perceptron.WEIGHTS)).min() / np.linalg.norm(perceptron.WEIGHTS)
        assert 0 < training.updates <= (np.linalg.norm(X, axis=1).max() / margin) ** 2
    if size == ALL:
        assert training.updates == training.epochs - 1


def test_online_depends_on_the_order_and_batch_never_does() -> None:
    X, y, *_ = points()
    orders = [np.random.default_rng(seed).permutation(len(X)) for seed in range(12)]
    online = [train(X[order], y[order]) for order in orders]
    assert len({training.epochs for training in online}) > 2
    assert len({training.updates for training in online}) > 2
    batch = [train(X[order], y[order], ALL) for order in orders]
    assert {(training.epochs, training.updates, training.path.tobytes()) for training in batch} == {
        (batch[0].epochs, batch[0].updates, batch[0].path.tobytes())
    }


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("samples", [points(), points(5), irises()])
def test_workers_change_no_bit(samples: Samples, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptron, "WORKERS", workers)
    batch = train(samples.X, samples.y, ALL, epochs=40)
    with Parallel(n_jobs=2, prefer="threads") as parallel:
        rule = partial(perceptron.weight_change_in_parallel, parallel=parallel)
        training = train(samples.X, samples.y, ALL, epochs=40, rule=rule)
    assert training.path.tobytes() == batch.path.tobytes()
    assert training[1:4] == batch[1:4]


@pytest.mark.parametrize("seed", range(1, 7))
def test_scikit_learn_finds_the_same_weights(seed: int) -> None:
    X, y, *_ = points(seed)
    ours = train(X, (y + 1) / 2, activation=binary)
    model = Perceptron(max_iter=ours.epochs, tol=None, shuffle=False).fit(X[:, :-1], y)
    assert [*model.coef_[0], model.intercept_[0]] == pytest.approx(ours.weights, abs=1e-12)
    assert model.score(X[:, :-1], y) == 1


# --- Where no line separates the classes ------------------------------------------------------------------------------


def test_the_perceptron_cycles_on_irises() -> None:
    X, y, *_ = irises()
    training = train(X, y, epochs=60)
    assert (training.epochs, min(training.mistakes) > 0) == (60, True)
    cycle = find_cycle(training.path)
    assert cycle is not None
    first, period = cycle
    assert np.array_equal(training.path[first - 1 : 60 - period], training.path[first - 1 + period :])
    assert len({w.tobytes() for w in training.path[first - 1 : first - 1 + period]}) == period


def test_the_perceptron_cycles_on_xor() -> None:
    X = with_ones(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]))
    training = train(X, np.array([-1.0, 1, 1, -1]), epochs=30)
    assert find_cycle(training.path) == (2, 1)  # an epoch, and the weights are where they were
    assert find_cycle(np.arange(12.0).reshape(4, 3)) is None


@pytest.mark.parametrize("samples", [points(), irises(), irises(2)])
def test_the_adaline_converges_to_the_least_squares_and_to_the_centre(samples: Samples) -> None:
    X, y, *_ = samples
    training = train_adaline(X, y)
    assert training.epochs < perceptron.ADALINE_EPOCHS
    assert training.weights == pytest.approx(np.linalg.pinv(X) @ y, abs=1e-8)
    assert distance_off_centre(X, y, training.weights) < 1e-8
    assert distance_off_centre(X, y, train(X, y, epochs=50).weights) > 0.05
    costs = np.sum((training.path @ X.T - y) ** 2, axis=1)
    assert (np.diff(costs) <= 1e-9).all()


def test_the_distance_off_centre_is_in_the_units_of_the_features() -> None:
    X, y = with_ones(np.array([[0.0, 0], [2, 0], [6, 0], [8, 0]])), np.array([-1.0, -1, 1, 1])
    assert distance_off_centre(X, y, np.array([2.0, 0, -10])) == pytest.approx(1)  # the line x1 = 5; the centre is 4


# --- The run ----------------------------------------------------------------------------------------------------------


def test_a_run_is_as_expected(quick_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert quick_run.answer["data"] == "30 points around a line; Fisher's irises (100 flowers)"
    bands = claims("perceptron")
    assert set(bands) == set(quick_run.metrics)
    assert bands["online_train_accuracy"] == bands["parallel_train_accuracy"] == (1, np.inf)
    assert bands["parallel_train_max_error"] == (-np.inf, 0)
    assert bands["adaline_train_accuracy"] == (0.93, np.inf)
    perceptron.main(["--seed", "2", "--no-plots"])
    assert "As expected for this lesson." in capsys.readouterr().out


TABLES = """
point     w.x + b          sum  output of -1, 1  output of 0, 1
--------  ---------------  ---  ---------------  --------------
(-3, 0)   1*-3 - 4*0 + 3   0    -1               0
(-7, -1)  1*-7 - 4*-1 + 3  0    -1               0
(1, 1)    1*1 - 4*1 + 3    0    -1               0
(-6, 3)   1*-6 - 4*3 + 3   -15  -1               0
(-11, 0)  1*-11 - 4*0 + 3  -8   -1               0
(7, 3)    1*7 - 4*3 + 3    -2   -1               0
(0, 0)    1*0 - 4*0 + 3    3    1                1
(-9, -3)  1*-9 - 4*-3 + 3  6    1                1

epoch  x            w.x  output  y  change       w
-----  -----------  ---  ------  -  -----------  -----------
1      (-6, 3, 1)   0    0       0  (0, 0, 0)    (0, 0, 0)
1      (-11, 0, 1)  0    0       0  (0, 0, 0)    (0, 0, 0)
1      (0, 0, 1)    0    0       1  (0, 0, 1)    (0, 0, 1)
1      (-9, -3, 1)  1    1       1  (0, 0, 0)    (0, 0, 1)
2      (-6, 3, 1)   1    1       0  (6, -3, -1)  (6, -3, 0)
2      (-11, 0, 1)  -66  0       0  (0, 0, 0)    (6, -3, 0)
2      (0, 0, 1)    0    0       1  (0, 0, 1)    (6, -3, 1)
2      (-9, -3, 1)  -44  0       1  (-9, -3, 1)  (-3, -6, 2)
3      (-6, 3, 1)   2    1       0  (6, -3, -1)  (3, -9, 1)
3      (-11, 0, 1)  -32  0       0  (0, 0, 0)    (3, -9, 1)
3      (0, 0, 1)    1    1       1  (0, 0, 0)    (3, -9, 1)
3      (-9, -3, 1)  1    1       1  (0, 0, 0)    (3, -9, 1)
4      (-6, 3, 1)   -44  0       0  (0, 0, 0)    (3, -9, 1)
4      (-11, 0, 1)  -32  0       0  (0, 0, 0)    (3, -9, 1)
4      (0, 0, 1)    1    1       1  (0, 0, 0)    (3, -9, 1)
4      (-9, -3, 1)  1    1       1  (0, 0, 0)    (3, -9, 1)

epoch  x          w.x    output  y  change             w
-----  ---------  -----  ------  -  -----------------  -------------------
1      (0, 0, 1)  -0.05  0       0  (0, 0, 0)          (0.1, 0.1, -0.05)
1      (0, 1, 1)  0.05   1       0  (0, -0.02, -0.02)  (0.1, 0.08, -0.07)
1      (1, 0, 1)  0.03   1       0  (-0.02, 0, -0.02)  (0.08, 0.08, -0.09)
1      (1, 1, 1)  0.07   1       1  (0, 0, 0)          (0.08, 0.08, -0.09)
2      (0, 0, 1)  -0.09  0       0  (0, 0, 0)          (0.08, 0.08, -0.09)
2      (0, 1, 1)  -0.01  0       0  (0, 0, 0)          (0.08, 0.08, -0.09)
2      (1, 0, 1)  -0.01  0       0  (0, 0, 0)          (0.08, 0.08, -0.09)
2      (1, 1, 1)  0.07   1       1  (0, 0, 0)          (0.08, 0.08, -0.09)

way         epochs  updates  mistakes at the end  weights, bias last
----------  ------  -------  -------------------  -----------------------
online      3       7        0                    (5.1875, -16.9375, 6)
mini-batch  5       8        0                    (9.03125, -30.7188, 14)
batch       5       4        0                    (14.75, -69.4375, 34)
parallel    5       4        0                    (14.75, -69.4375, 34)
Novikoff: online, at most (R / margin)^2 = 3,071 updates, in any order.

way         epochs   updates  different final weights
----------  -------  -------  -----------------------
online      2 to 15  3 to 29  20
mini-batch  2 to 9   1 to 18  20
batch       5 to 5   4 to 4   1

momentum  way     epochs  updates  lowest accuracy
--------  ------  ------  -------  ---------------
0         online  5.2     11.5     1.000
0         batch   5.0     4.0      1.000
0.5       online  4.2     8.9      1.000
0.5       batch   5.0     4.0      1.000
0.9       online  3.4     6.9      1.000
0.9       batch   5.0     4.0      1.000

way     degrees that the line turns  mean accuracy, others  lowest accuracy
------  ---------------------------  ---------------------  ---------------
online  135.8                        0.515                  0.100
batch   11.8                         0.933                  0.933

online            epochs  updates  weights, bias last
----------------  ------  -------  ----------------------
classes -1 and 1  3       7        (5.1875, -16.9375, 6)
classes 0 and 1   3       7        (2.59375, -8.46875, 3)
scikit-learn      3                (2.59375, -8.46875, 3)

after the last epochs  epochs  accuracy        offset of the line
---------------------  ------  --------------  ------------------
perceptron             3       1.000 to 1.000  1.057 to 1.057
Adaline                896     1.000 to 1.000  0.000 to 0.000

after the last epochs  epochs  accuracy        offset of the line
---------------------  ------  --------------  ------------------
perceptron             200     0.950 to 0.950  0.245 to 0.644
Adaline                1619    0.940 to 0.940  0.000 to 0.000
The perceptron cycles: its weights after epoch 1 are back after epoch 4.
"""


def test_the_tables_are_printed(quick_run: Run) -> None:
    # The first three are those of the curriculum, by pencil and paper; the tests above compute the others anew.
    for table in TABLES.strip().split("\n\n"):
        # Rounding may end the Adaline an epoch sooner or later on another processor.
        lines = [re.escape(line).replace("896", "89.").replace("1619", "16..") for line in table.splitlines()]
        assert re.search("^" + "\n".join(lines) + "$", quick_run.output, re.MULTILINE), table


def test_plots_and_animation_are_drawn(quick_run: Run) -> None:
    names = {
        f"perceptron-{name}" for name in ("neuron.png", "orders.png", "outlier.png", "adaline.png", "learning.gif")
    }
    assert {Path(name).name for name in quick_run.answer["files"]} == names
    assert names == {path.name for path in quick_run.plots.iterdir()}
    with Image.open(quick_run.plots / "perceptron-learning.gif") as gif:
        assert 10 < getattr(gif, "n_frames", 1) < 20


def test_the_animation_shows_each_sample_of_the_first_epoch_and_every_update() -> None:
    samples = points()
    training = train(samples.X, samples.y)
    path = perceptron.online_path(samples.X, samples.y, training.epochs * len(samples.X))
    assert np.array_equal(path[len(samples.X) - 1 :: len(samples.X)], training.path)
    figure, frames = figures.learning(*samples[:4], path, training.weights, training.updates, 0, max_frames=10_000)
    (axes,) = figure.axes
    titles, lines = [], []
    for _ in frames:
        titles.append(axes.get_title())
        lines.append(np.asarray(axes.lines[3].get_xydata()))
    for i in range(1, len(samples.X) + 1):
        assert any(title.startswith(f"Epoch 1, sample {i}:") for title in titles)
    updates = [title for title in titles if "update" in title and "line moves" in title]
    assert len(updates) == training.updates
    assert titles[-1] == f"The end: {training.updates} updates, no mistakes"
    # The line at the end is that of the trained weights, and was there before the last frame.
    assert with_ones(lines[-1]) @ training.weights == pytest.approx([0, 0], abs=1e-6 * 1e4)
    assert np.array_equal(lines[-1], lines[-2])


def test_the_half_plane_is_on_the_side_of_the_weights() -> None:
    corners = figures.half_plane(perceptron.WEIGHTS)
    assert with_ones(corners[:2]) @ perceptron.WEIGHTS == pytest.approx([0, 0], abs=1e-6)
    assert (with_ones(corners[2:]) @ perceptron.WEIGHTS > 1e3).all()
    assert np.isnan(figures.half_plane(np.zeros(3))).all()  # nothing: at 0 it does not fire
    assert np.ptp(figures.half_plane(np.array([0.0, 0, 1]))) > 1e4  # everything


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
    monkeypatch.setattr(perceptron, "MAX_STEPS", 3000)
    metrics = perceptron.main(["--data", str(write_table(room / "fruit.csv", irises())), "--quick"])
    output = capsys.readouterr().out
    assert "Data      fruit.csv (100 rows)" in output
    assert "No expected band: a quick run." in output
    assert metrics["online_train_accuracy"] > 0.8
    assert metrics["parallel_train_max_error"] == 0
    assert metrics["sklearn_train_max_error"] <= 1e-9
    assert Path("plots/perceptron-learning.gif").is_file()


def test_a_table_of_three_features_is_trained_on_and_its_lines_are_not_drawn(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = points()
    table = write_table(room / "three.csv", samples, np.full(len(samples.y), 7))  # a column that is always the same
    metrics = perceptron.main(["--data", str(table)])
    assert metrics["online_train_accuracy"] == metrics["batch_train_accuracy"] == 1
    output = capsys.readouterr().out
    assert "no plot of the lines: it needs two features" in output
    assert "No expected band: the table is your own." in output
    plots = sorted(path.name for path in Path("plots").iterdir())
    assert plots == ["perceptron-adaline.png", "perceptron-neuron.png", "perceptron-orders.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,kind\n1,x\n2,y\n3,x\n4,y\n", "has 2 columns, takes two or more of numbers, then the class"),
        ("a,b,kind\n1,1,x\n2,1,y\n3,1,z\n4,1,x\n5,2,y\n6,2,z\n", r"has 3 classes \(x, y, z, ...\), takes two"),
        ("a,b,kind\n1,1,x\n2,1,x\n3,1,x\n4,1,x\n", "all rows are of one class"),
        ("a,b,kind\n1,1,x\n2,much,x\n3,more,y\n4,1,y\n", "line 3, column b: got much, takes a number"),
        ("a,b,kind\n1,1,x\n2,1,y\n", "has 2 rows below the header, takes 4 or more"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(room: Path, content: str, message: str) -> None:
    (room / "bad.csv").write_text(content)
    with pytest.raises(WorkshopError, match=message) as refused:
        perceptron.main(["--data", "bad.csv"])
    assert len(str(refused.value).splitlines()) == 1
    assert not list(Path("plots").iterdir())
