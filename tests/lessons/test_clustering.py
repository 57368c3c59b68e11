"""The lesson `clustering`: k-means against scikit-learn, its starts, the maps, ART1, one's own table, the plots."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, claims, start
from helpers.lesson_runs import quick_run as quick_run_of
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from workshop import clustering
from workshop.clustering import (
    art1,
    best_clustering,
    distances_to_neighbours,
    k_means,
    load_blobs,
    map_errors,
    map_positions,
    means,
    name_units,
    plus_plus_start,
    read_letters,
    search,
    train_map,
)
from workshop.kit.errors import WorkshopError


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run: all tables and plots, and the beginning of the animations."""
    return quick_run_of("clustering", tmp_path_factory)


def blobs(seed: int = 1) -> np.ndarray:
    return load_blobs(np.random.default_rng(seed))[0]


# --- k-means ----------------------------------------------------------------------------------------------------------


def test_the_blobs_are_those_of_the_curriculum() -> None:
    X, blob = load_blobs(np.random.default_rng(1))
    assert np.bincount(blob).tolist() == [30, 30, 30]
    centres = [X[blob == i].mean(axis=0) for i in range(3)]
    assert np.abs(np.array(centres) - [(5, 5), (10, 0), (0, 2)]).max() < 0.6


def test_each_iteration_is_scikit_learns_from_the_same_start(quick_run: Run) -> None:
    X = blobs()
    steps = k_means(X, X[-3:])
    assert len(steps) == 10
    for iteration, step in enumerate(steps[1:], 1):
        theirs = KMeans(3, init=X[-3:], n_init=1, max_iter=iteration, tol=0).fit(X)
        assert np.array_equal(theirs.labels_, step.labels)
        assert theirs.inertia_ == pytest.approx(step.inertia, abs=1e-9)
        assert theirs.cluster_centers_ == pytest.approx(step.centres, abs=1e-9)
    rows = quick_run.table("iteration", "inertia", "changed", "scikit-learn's")
    assert [row[1] for row in rows[1:]] == [row[3] for row in rows[1:]] == [f"{s.inertia:.4f}" for s in steps[1:]]
    assert quick_run.metrics["labels_train_zero_one_loss"] == 0


def test_the_inertia_never_rises() -> None:
    X = np.random.default_rng(0).uniform(size=(60, 4))
    inertias = [step.inertia for step in k_means(X, X[:6])]
    assert len(inertias) > 3
    assert all(after <= before for before, after in itertools.pairwise(inertias))


def test_a_centre_without_samples_takes_the_farthest_one_as_scikit_learns_does() -> None:
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    far = np.array([[0.0, 0.0], [100.0, 100.0]])
    step = k_means(X, far, 0)[0]
    assert step.labels.tolist() == [0, 0, 0, 0]
    assert means(X, step).tolist() == [[1 / 3, 1 / 3], [9, 9]]
    theirs = KMeans(2, init=far, n_init=1, tol=0).fit(X)
    assert k_means(X, far)[-1].labels.tolist() == theirs.labels_.tolist() == [0, 0, 0, 1]


def test_the_next_centre_is_drawn_by_the_squared_distance() -> None:
    X = np.array([[0.0], [0.0], [1.0], [3.0]])
    random = np.random.default_rng(1)
    seconds = [plus_plus_start(X, 2, random) for _ in range(4000)]
    from_zero = np.array([pair[1, 0] for pair in seconds if pair[0, 0] == 0])
    assert np.mean(from_zero == 3) == pytest.approx(9 / 10, abs=0.02)
    assert not np.any(from_zero == 0)


def test_careful_starts_end_well_more_often(quick_run: Run) -> None:
    random, careful = (quick_run.metrics[f"{name}_train_success_rate"] for name in ("random_start", "plus_plus"))
    assert 0.5 < random < careful


def test_the_silhouette_says_three(quick_run: Run) -> None:
    rows = quick_run.table("clusters", "inertia", "relative to previous")
    assert [row[0] for row in rows] == list("12345678")
    assert max(rows[1:], key=lambda row: float(row[3]))[0] == "3"
    X = blobs()
    end = best_clustering(X, 3, np.random.default_rng(1))
    assert rows[2][3] == f"{silhouette_score(X, end.labels):.3f}"
    assert quick_run.metrics["train_adjusted_rand_score"] > 0.93


# --- The maps ---------------------------------------------------------------------------------------------------------


def test_a_sample_pulls_the_winner_most_and_its_neighbours_less() -> None:
    units = np.zeros((9, 1))
    units[4] = 0.1
    snapshots = train_map(np.array([[1.0]]), units, (3, 3), 1, [0, 1], np.random.default_rng(1))
    assert np.array_equal(snapshots[0], units)
    radius = clustering.RADII[0] * 3
    moved = ((snapshots[1] - units) / (1 - units)).reshape(3, 3) / clustering.RATES[0]
    neighbour, corner = np.exp(-1 / (2 * radius**2)), np.exp(-2 / (2 * radius**2))
    wanted = [[corner, neighbour, corner], [neighbour, 1, neighbour], [corner, neighbour, corner]]
    assert moved == pytest.approx(np.array(wanted))


def test_the_errors_of_a_map_by_hand() -> None:
    units = np.array([[0.0], [1.0], [5.0]])  # in one row
    assert map_errors(np.array([[0.2], [4.0]]), units, (1, 3)) == pytest.approx((0.6, 0, (0.04 + 1) / 2))
    assert map_errors(np.array([[0.2], [4.0]]), units[[0, 2, 1]], (1, 3))[1] == 0.5  # 0 and 1 are two units apart
    assert map_positions(2, 3)[4].tolist() == [1, 1]
    assert distances_to_neighbours(units, (1, 3)).tolist() == [[1, 2.5, 4]]
    names = name_units(np.array([[0.0], [0.1], [1.1]]), np.array([7, 7, 3]), units)
    assert names.tolist() == [7, 3, 3]  # no sample is nearest to the last unit


def test_the_errors_of_the_maps_fall(quick_run: Run) -> None:
    cells = [line.split() for line in quick_run.lines]
    starts = [i for i, line in enumerate(quick_run.lines) if line.startswith("samples shown")]
    assert len(starts) == 3
    for first in starts:
        rows = []
        for row in cells[first + 2 :]:
            if len(row) != 3:
                break
            rows.append((float(row[1]), float(row[2])))
        assert rows[-1][0] < 0.85 * rows[0][0]
        assert rows[-1][1] < 0.4 * rows[0][1]


# --- ART1 -------------------------------------------------------------------------------------------------------------


def test_the_letters_are_26_different_ones() -> None:
    letters = read_letters()
    assert letters.shape == (26, 7, 5)
    assert len({letter.tobytes() for letter in letters}) == 26
    assert letters[ord("T") - ord("A")].tolist() == [[1] * 5, *[[0, 0, 1, 0, 0]] * 6]


def test_the_most_similar_prototype_is_tried_first_and_vigilance_decides() -> None:
    x = np.array([1, 1, 1, 0])
    prototypes = [np.array([1, 1, 0, 1]), np.array([1, 0, 0, 0]), np.array([1, 1, 0, 0])]
    assert search(x, prototypes, 0.6) == (2, [(2, 2 / 3)])
    cluster, tried = search(x, prototypes, 0.7)
    assert cluster == 3  # a new one
    assert [number for number, _ in tried] == [2, 0, 1]


@pytest.mark.parametrize("vigilance", [0.3, 0.6, 0.8])
def test_prototypes_are_what_all_letters_of_a_cluster_have(vigilance: float) -> None:
    letters = read_letters().reshape(26, -1)
    result = art1(letters, vigilance)
    for cluster, prototype in enumerate(result.prototypes):
        members = letters[result.clusters == cluster]
        assert np.all(prototype <= members.min(axis=0))
        assert np.all(prototype.sum() >= vigilance * members.sum(axis=1))
    assert [search(x, list(result.prototypes), vigilance)[0] for x in letters] == result.clusters.tolist()


def test_the_more_vigilant_the_more_clusters(quick_run: Run) -> None:
    rows = quick_run.table("vigilance", "clusters", "presentations")
    counts = {row[0]: int(row[1]) for row in rows}
    assert counts["0.1"] < counts["0.5"] < counts["0.7"] < counts["0.8"] < counts["1.0"] == 26
    for row in rows:
        assert "".join(sorted(row[4].replace(" ", ""))) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


# --- A table of one's own ---------------------------------------------------------------------------------------------

TABLE = "length;weight;kind\n" + "".join(
    f"{1 + i % 3 / 10:.1f};{500 + 3 * i};small\n{9 + i % 2 / 5:.1f};{2000 - 5 * i};large\n" for i in range(8)
).replace(".", ",")


def test_a_table_is_scaled_clustered_and_drawn(tmp_path: Path) -> None:
    path = tmp_path / "fish.csv"
    path.write_text(TABLE.replace("503", "?"))
    run = start(clustering, tmp_path, "--data", str(path), "--scaler", "minmax", "--clusters", "2")
    assert "Note      kind is left out: it holds texts, and distances need numbers" in run.lines
    assert any("median of their column: weight 1" in line for line in run.lines)
    assert f"Engine    NumPy {np.__version__}" in run.lines
    assert "How many clusters? The rows by length, weight" in run.titles
    assert sorted(row[1] for row in run.table("cluster", "rows")) == ["8", "8"]
    assert run.metrics["clusters_train_silhouette_score"] > 0.8
    assert run.metrics["inertia_train_max_error"] <= 1e-9
    assert f"Engine    NumPy {np.__version__}" in run.lines
    assert "No expected band: the table is your own." in run.lines
    names = {path.name for path in run.plots.iterdir()}
    assert names == {"clustering-elbow.png", "clustering-table.png"}


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("a,b\n1,2\n3\n4,5\n", (), "line 3: has 1 cells, the header line has 2"),
        ("a,b\nx,2\ny,2\nx,2\n", (), "has no column of numbers that differ, takes one or more"),
        ("a,b\n1,2\n3,4\n3,4\n", (), "has 2 different rows, takes three or more"),
        ("a,b\n1,2\n3,4\n3,5\n", ("--clusters", "3"), "has 3 different rows, takes --clusters from 2 up to 2"),
        ("a,b\n1,1e30\n3,4.5\n3,4\n", (), "line 2, column b: got 1e30, takes numbers up to"),
    ],
)
def test_a_table_that_cannot_be_clustered_is_refused_in_a_line(
    text: str, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(WorkshopError, match=said.replace(".", r"\.")):
        start(clustering, tmp_path, "--data", str(path), *options)


def test_there_may_be_one_cluster_less_than_different_rows(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1,2\n3,4\n3,5\n")
    run = start(clustering, tmp_path, "--data", str(path), "--clusters", "2", is_drawn=False)
    assert sorted(row[1] for row in run.table("cluster", "rows")) == ["1", "2"]


def test_options_of_a_table_take_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        clustering.main(["--clusters", "3"])
    assert "--clusters: got 3 without a table of your own: give --data FILE as well" in capsys.readouterr().err


# --- The plots, and the whole -----------------------------------------------------------------------------------------


def test_the_animations_move_and_are_small(quick_run: Run) -> None:
    for name in ("kmeans", "net"):
        path = quick_run.plots / f"clustering-{name}.gif"
        assert path.stat().st_size < 1.5e6
        with Image.open(path) as image:
            assert image.n_frames >= 10  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.real
def test_the_lesson_reaches_its_bands(tmp_path: Path) -> None:
    run = start(clustering, tmp_path, "--no-plots")
    assert "As expected for this lesson." in run.lines
    assert claims("clustering").keys() == run.metrics.keys()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(quick_run: Run, tmp_path: Path) -> None:
    assert start(clustering, tmp_path, "--quick", "--no-plots").metrics == quick_run.metrics
