"""Groups without labels: k-means, a self-organising map of colours and of digits, and ART1 on letters.

No sample has a label here, and nobody says what is right. You run k-means by hand on three blobs of points and watch
its centres walk, compare every iteration with scikit-learn, see what a bad start does and what k-means++ does about it,
and let the elbow and the silhouette say how many clusters there are. Kohonen's map puts similar colours side by side,
then digits, which it has never been told the names of. ART1 groups letters and makes a new cluster whenever a letter
is unlike all of them: its vigilance says how unlike.

    python -m workshop.clustering                              # all of it; then look into the folder plots
    python -m workshop.clustering --data YOUR.csv              # any table with columns of numbers
    python -m workshop.clustering --data YOUR.csv --clusters 4 --scaler minmax
    python -m workshop.clustering --quick                      # a first look: smaller maps, shorter animations

Expected: the same labels as scikit-learn's after every iteration, and the same inertia within 1e-9; three clusters, by
a silhouette of 0.7. Of random starts about 85 of 100 end at the best clustering, of k-means++ 96. The maps' errors
fall; the topographic one of the digits rises a little at the end, for their 784 numbers do not lie on a plane. Named
afterwards, the map reads about 78 of 100 digits. ART1 makes 3 to 26 clusters of 26 letters. About 20 s on two CPU
cores. Two of the plots are animations (GIF).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workshop.figures import clustering as figures
from workshop.figures.clustering import Step
from workshop.kit import cli
from workshop.kit.data import tables
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.data.table import columns as kinds
from workshop.kit.data.table.numerals import MAX_NUMBER
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.report import Report, format_table

BLOBS = np.array([[5.0, 5.0], [10.0, 0.0], [0.0, 2.0]])
POINTS_OF_A_BLOB = 30
STARTS = 300  # of k-means, to see how they end
RESTARTS = 10  # the best of so many is taken
MAX_CLUSTERS = 8  # that are tried
MAX_ITERATIONS = 300
SHOWN_ITERATIONS = 12  # of a long run, and its last one
SAMPLED_ROWS = 3000  # of a long table, to choose the number of clusters by

COLOURS = 500
COLOUR_MAP = (18, 27)  # rows and columns of units
DIGIT_MAP = (12, 16)
NET = (9, 9)
NET_STEPS, COLOUR_STEPS, DIGIT_STEPS = 5000, 12_000, 10_000  # samples that each map is shown
TRAIN_DIGITS, TEST_DIGITS = 5000, 1000
MEASURED_SHARES = (0, 0.001, 0.01, 0.1, 0.3, 0.6, 1)  # shares of the training after which a map is measured
RATES = 0.5, 0.1  # the learning rate at the beginning and at the end
RADII = 0.3, 0.6  # the neighbourhood's radius: at the beginning a share of the map's longer side, at the end units

VIGILANCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
DRAWN_VIGILANCES = (0.4, 0.6, 0.8)
LETTER_ORDERS = 20
SHOWN_VIGILANCE = 0.6
LETTERS = """
.###. ####. .#### ####. ##### ##### .#### #...# .###. ..### #...# #.... #...#
#...# #...# #.... #...# #.... #.... #.... #...# ..#.. ...#. #..#. #.... ##.##
#...# #...# #.... #...# #.... #.... #.... #...# ..#.. ...#. #.#.. #.... #.#.#
##### ####. #.... #...# ####. ####. #.### ##### ..#.. ...#. ##... #.... #.#.#
#...# #...# #.... #...# #.... #.... #...# #...# ..#.. ...#. #.#.. #.... #...#
#...# #...# #.... #...# #.... #.... #...# #...# ..#.. #..#. #..#. #.... #...#
#...# ####. .#### ####. ##### #.... .#### #...# .###. .##.. #...# ##### #...#

#...# .###. ####. .###. ####. .#### ##### #...# #...# #...# #...# #...# #####
##..# #...# #...# #...# #...# #.... ..#.. #...# #...# #...# #...# #...# ....#
##..# #...# #...# #...# #...# #.... ..#.. #...# #...# #...# .#.#. .#.#. ...#.
#.#.# #...# ####. #...# ####. .###. ..#.. #...# #...# #.#.# ..#.. ..#.. ..#..
#..## #...# #.... #.#.# #.#.. ....# ..#.. #...# #...# #.#.# .#.#. ..#.. .#...
#..## #...# #.... #..#. #..#. ....# ..#.. #...# .#.#. ##.## #...# ..#.. #....
#...# .###. #.... .##.# #...# ####. ..#.. .###. ..#.. #...# #...# ..#.. #####
"""


# --- k-means ----------------------------------------------------------------------------------------------------------


def squared_distances(X: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Returns ||x - c||^2 for each sample x and each centre c, (samples, centres)."""
    return np.stack([((X - centre) ** 2).sum(axis=1) for centre in centres], axis=1)


def assign(X: np.ndarray, centres: np.ndarray) -> Step:
    """Assigns each sample to its nearest centre; of two equally near ones, to the first."""
    distances = squared_distances(X, centres)
    return Step(centres, distances.argmin(axis=1), float(distances.min(axis=1).sum()))


def means(X: np.ndarray, step: Step) -> np.ndarray:
    """Returns the mean of each cluster: of all points the one with the smallest sum of squared distances to them.

    A centre that no sample is nearest to would have no mean. It takes the sample that is farthest from its own centre.
    """
    labels = step.labels.copy()
    empty = np.setdiff1d(np.arange(len(step.centres)), labels)
    own_distances = ((X - step.centres[labels]) ** 2).sum(axis=1)
    labels[np.argsort(-own_distances, kind="stable")[: len(empty)]] = empty
    return np.array([X[labels == cluster].mean(axis=0) for cluster in range(len(step.centres))])


def k_means(X: np.ndarray, start: np.ndarray, iterations: int = MAX_ITERATIONS) -> list[Step]:
    """Returns the steps of k-means from the centres `start`, until no sample changes its cluster.

    Assign, then move: neither makes the inertia larger, and there are only so many ways to cluster n samples. So it
    ends; but where, depends on the start. Lloyd (1957, published 1982), "Least squares quantization in PCM".
    """
    steps = [assign(X, start)]
    for _ in range(iterations):
        steps.append(assign(X, means(X, steps[-1])))
        if np.array_equal(steps[-1].labels, steps[-2].labels):
            break
    return steps


def random_start(X: np.ndarray, clusters: int, random: np.random.Generator) -> np.ndarray:
    """Returns different samples as the first centres."""
    return X[random.choice(len(X), clusters, replace=False)]


def plus_plus_start(X: np.ndarray, clusters: int, random: np.random.Generator) -> np.ndarray:
    """Returns samples far from one another: each next one with a probability that grows with its squared distance.

    Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding".
    """
    centres = [X[random.integers(len(X))]]
    while len(centres) < clusters:
        distances = squared_distances(X, np.array(centres)).min(axis=1)  # D(x)^2, to the nearest centre so far
        centres.append(X[random.choice(len(X), p=distances / distances.sum())])
    return np.array(centres)


def best_clustering(X: np.ndarray, clusters: int, random: np.random.Generator) -> Step:
    """Returns the clustering of the smallest inertia of several runs, each from a start of k-means++."""
    ends = [k_means(X, plus_plus_start(X, clusters, random))[-1] for _ in range(RESTARTS)]
    return min(ends, key=lambda step: step.inertia)


def load_blobs(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the points (90, 2) of three blobs, blob by blob, and the blob of each (90,), which k-means never sees."""
    blobs = np.repeat(np.arange(len(BLOBS)), POINTS_OF_A_BLOB)
    return BLOBS[blobs] + random.normal(size=(len(blobs), 2)), blobs


def compare_iterations(X: np.ndarray, start: np.ndarray, report: Report) -> list[Step]:
    """Runs k-means and scikit-learn's from the same start, and compares after each iteration."""
    from sklearn.cluster import KMeans

    steps = k_means(X, start)
    rows: list[list[object]] = []
    errors, differing = [], []
    is_plane = X.shape[1] == 2
    for iteration, step in enumerate(steps):
        if SHOWN_ITERATIONS < iteration < len(steps) - 1:
            continue
        places = "  ".join("({:.2f}, {:.2f})".format(*centre) for centre in step.centres) if is_plane else ""
        moved = np.count_nonzero(step.labels != steps[max(iteration - 1, 0)].labels)
        row: list[object] = [iteration, f"{step.inertia:.4f}", "" if iteration == 0 else moved, places]
        if iteration == 0:  # of scikit-learn's, the first state to be had is that after an iteration
            rows.append([*row[:3], "", "", row[3]])
            continue
        by_sklearn = KMeans(len(start), init=start, n_init=1, max_iter=iteration, tol=0).fit(X)
        errors.append(abs(by_sklearn.inertia_ - step.inertia))
        differing.append(np.count_nonzero(by_sklearn.labels_ != step.labels))
        rows.append([*row[:3], f"{by_sklearn.inertia_:.4f}", differing[-1], row[3]])
    headings = ["iteration", "inertia", "changed", "scikit-learn's", "other labels", "centres" if is_plane else ""]
    print(format_table(headings, rows))
    report.result({"labels_train_zero_one_loss": max(differing) / len(X), "inertia_train_max_error": max(errors)})
    return steps


def compare_starts(X: np.ndarray, clusters: int, random: np.random.Generator, starts: int, report: Report) -> None:
    """Runs k-means from many starts, random samples and those of k-means++, and counts how many end well."""
    from sklearn.cluster import kmeans_plusplus

    seeds = random.integers(2**31 - 1, size=starts)
    start_centres = {
        "random samples": [random_start(X, clusters, random) for _ in range(starts)],
        "k-means++": [plus_plus_start(X, clusters, random) for _ in range(starts)],
        # It draws several candidates for each centre and keeps the best one.
        "scikit-learn's": [kmeans_plusplus(X, clusters, random_state=int(seed))[0] for seed in seeds],
    }
    runs = {name: [k_means(X, start) for start in of_kind] for name, of_kind in start_centres.items()}
    ends = {name: np.array([steps[-1].inertia for steps in of_kind]) for name, of_kind in runs.items()}
    best = min(inertias.min() for inertias in ends.values())
    rows: list[list[object]] = []
    for (name, of_kind), prefix in zip(runs.items(), ("random_start", "plus_plus", "sklearn_start"), strict=True):
        is_good = ends[name] < 1.01 * best
        before = np.mean([steps[0].inertia for steps in of_kind])
        iterations = np.mean([len(steps) - 1 for steps in of_kind])
        rows.append([name, f"{before:.0f}", f"{iterations:.1f}", f"{is_good.mean():.1%}", f"{ends[name].max():.1f}"])
        report.result({f"{prefix}_train_success_rate": float(is_good.mean())})
    print(format_table(["start", "inertia before", "iterations", "reach the best", "worst result"], rows))
    print(f"The best inertia is {best:.1f}. Take the best of several starts: k-means itself cannot know better.")
    worst = max(runs["random samples"], key=lambda steps: steps[-1].inertia)
    good = min(runs["random samples"], key=lambda steps: steps[-1].inertia)
    report.plot("clustering-starts", figures.starts, X, worst, good, ends)


def choose_clusters(X: np.ndarray, random: np.random.Generator, report: Report) -> int:
    """Clusters with 1, 2, 3, ... centres, prints inertia and silhouette; returns the number of the best silhouette.

    The silhouette of a sample is (b - a) / max(a, b): a is its mean distance to its own cluster, b to the nearest other
    one. 1: far from all others; 0: between two; below 0: nearer to another. Rousseeuw (1987), "Silhouettes".
    """
    from sklearn.metrics import silhouette_score

    numbers = range(1, min(MAX_CLUSTERS, len(np.unique(X, axis=0)) - 1) + 1)
    inertias, silhouettes = [], []
    rows: list[list[object]] = []
    for clusters in numbers:
        end = best_clustering(X, clusters, random)
        inertias.append(end.inertia)
        silhouettes.append(silhouette_score(X, end.labels) if clusters > 1 else np.nan)  # of one there is no other
        before = f"{inertias[-1] / inertias[-2]:.0%}" if clusters > 1 else ""
        silhouette = f"{silhouettes[-1]:.3f}" if clusters > 1 else ""
        rows.append([clusters, f"{end.inertia:.1f}", before, silhouette])
    print(format_table(["clusters", "inertia", "relative to previous", "silhouette"], rows))
    best = numbers[int(np.nanargmax(silhouettes))]
    print(f"The inertia falls with every cluster; the silhouette is highest at {best}.")
    report.result({"train_silhouette_score": float(np.nanmax(silhouettes))})
    report.plot("clustering-elbow", figures.elbow, np.array(numbers), np.array(inertias), np.array(silhouettes), best)
    return best


# --- The self-organising map ------------------------------------------------------------------------------------------


def map_positions(rows: int, columns: int) -> np.ndarray:
    """Returns the row and the column of each unit of a map (units, 2)."""
    return np.stack(np.divmod(np.arange(rows * columns), columns), axis=1).astype(float)


def train_map(
    X: np.ndarray,
    units: np.ndarray,
    shape: tuple[int, int],
    steps: int,
    seen: Sequence[int],
    random: np.random.Generator,
) -> dict[int, np.ndarray]:
    """Trains a map; returns its units after the steps in `seen`.

    Kohonen (1982), "Self-organized formation of topologically correct feature maps".

    Args:
        X: the samples (n, features).
        units: the weights to start from (units, features), row by row.
        shape: the map's rows and columns.
        steps: how many samples it is shown.
        seen: the steps after which the units are returned.
        random: draws the samples.
    """
    positions = map_positions(*shape)
    on_map = squared_distances(positions, positions)
    first_radius, last_radius = RADII[0] * max(shape), RADII[1]
    units = units.copy()
    snapshots = {}
    for step in range(steps + 1):
        if step in seen:
            snapshots[step] = units.copy()
        share = step / steps
        rate = RATES[0] * (RATES[1] / RATES[0]) ** share  # both fall, by the same factor in every step:
        radius = first_radius * (last_radius / first_radius) ** share  # first the map unfolds, then it settles
        x = X[random.integers(len(X))]
        error = x - units
        winner = np.einsum("ij,ij->i", error, error).argmin()  # c: the unit whose weights are nearest to x
        neighbourhood = np.exp(-on_map[winner] / (2 * radius**2))  # h(i) = exp(-||r_i - r_c||^2 / (2 radius^2))
        units += (rate * neighbourhood)[:, None] * error  # w_i <- w_i + rate h(i) (x - w_i), for all units i
    return snapshots


def map_errors(X: np.ndarray, units: np.ndarray, shape: tuple[int, int]) -> tuple[float, float, float]:
    """Returns the quantisation error, the topographic error and the mean squared error of a map.

    Quantisation: the mean distance of a sample to its nearest unit. Topographic: the share of samples whose two nearest
    units are no neighbours on the map, where a unit has up to eight. Kiviluoto (1996), "Topology preservation in
    self-organizing maps". The squared error is that of a number of a sample, replaced by its unit's.
    """
    from scipy.spatial.distance import cdist

    distances = cdist(X, units)
    nearest, second = np.argsort(distances, axis=1)[:, :2].T
    positions = map_positions(*shape)
    are_apart = np.abs(positions[nearest] - positions[second]).max(axis=1) > 1
    shortest = distances.min(axis=1)
    return float(shortest.mean()), float(are_apart.mean()), float((shortest**2).mean() / X.shape[1])


def distances_to_neighbours(units: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns for each unit the mean distance to its neighbours above, below, left and right (rows, columns).

    Ultsch and Siemon (1990) call it the U-matrix: dark valleys hold what is alike, light ridges divide them.
    """
    grid = units.reshape(*shape, -1)
    total, count = np.zeros(shape), np.zeros(shape)
    for axis in (0, 1):
        length = np.linalg.norm(np.diff(grid, axis=axis), axis=-1)
        for end in (slice(None, -1), slice(1, None)):
            place = (end, slice(None)) if axis == 0 else (slice(None), end)
            total[place] += length
            count[place] += 1
    return total / count


def print_map_errors(X: np.ndarray, snapshots: dict[int, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Prints the errors of a map while it is trained; returns the quantisation and topographic ones (snapshots, 2)."""
    errors = np.array([map_errors(X, units, shape)[:2] for units in snapshots.values()])
    rows = [[f"{step:,}", f"{q:.3f}", f"{t:.3f}"] for step, (q, t) in zip(snapshots, errors, strict=True)]
    print(format_table(["samples shown", "quantisation error", "topographic error"], rows))
    return errors


def shown_steps(steps: int, shares: Sequence[float] = MEASURED_SHARES) -> list[int]:
    """Returns the steps after which a map is looked at."""
    return [round(share * steps) for share in shares]


def map_blobs(X: np.ndarray, random: np.random.Generator, arguments: argparse.Namespace, report: Report) -> None:
    """Trains a map on the three blobs, and draws it as a net that unfolds over them."""
    steps, frames = (1000, 10) if arguments.quick else (NET_STEPS, 36)
    seen = shown_steps(steps, np.concatenate([[0], np.geomspace(1 / steps, 1, frames - 1)]).tolist())
    start = X.mean(axis=0) + random.uniform(-0.5, 0.5, (NET[0] * NET[1], 2))
    snapshots = train_map(X, start, NET, steps, seen, random)
    middle = min(snapshots, key=lambda step: abs(step - 0.1 * steps))
    errors = print_map_errors(X, {step: snapshots[step] for step in (0, middle, steps)}, NET)
    report.result({"net_topographic_train_zero_one_loss": errors[-1, 1]})
    if not arguments.no_plots:
        all_errors = [map_errors(X, units, NET)[:2] for units in snapshots.values()]
        report.animate("clustering-net", figures.net, X, snapshots, all_errors, NET)


def map_colours(random: np.random.Generator, quick: bool, report: Report) -> tuple[list[int], np.ndarray]:
    """Trains a map on random colours; returns the steps and the errors."""
    steps = 2000 if quick else COLOUR_STEPS
    X = random.uniform(size=(COLOURS, 3))  # red, green and blue, 0 to 1
    start = random.uniform(0, 0.4, (COLOUR_MAP[0] * COLOUR_MAP[1], 3))  # dark ones, in no order
    snapshots = train_map(X, start, COLOUR_MAP, steps, shown_steps(steps), random)
    errors = print_map_errors(X, snapshots, COLOUR_MAP)
    units = snapshots[steps]
    _, topographic, squared = map_errors(X, units, COLOUR_MAP)
    report.result({"colours_train_mean_squared_error": squared})
    report.result({"colours_topographic_train_zero_one_loss": topographic})
    report.plot(
        "clustering-colours", figures.colours, snapshots, COLOUR_MAP, distances_to_neighbours(units, COLOUR_MAP)
    )
    return list(snapshots), errors


def name_units(X: np.ndarray, y: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Returns for each unit the most frequent class of its samples (units,); where it has none, of the nearest one."""
    from scipy.spatial.distance import cdist

    distances = cdist(X, units)
    names = y[distances.argmin(axis=0)]
    nearest = distances.argmin(axis=1)
    for unit in np.unique(nearest):
        names[unit] = np.bincount(y[nearest == unit]).argmax()
    return np.asarray(names)


def map_digits(
    digits: ImageSet, random: np.random.Generator, quick: bool, report: Report
) -> tuple[list[int], np.ndarray]:
    """Trains a map on digits without their labels, then names its units by them; returns the steps and the errors."""
    steps = 1000 if quick else DIGIT_STEPS
    X = scale_pixels(digits.X_train).reshape(len(digits.X_train), -1)
    X_test = scale_pixels(digits.X_test).reshape(len(digits.X_test), -1)
    start = random.uniform(0, 0.2, (DIGIT_MAP[0] * DIGIT_MAP[1], X.shape[1])).astype(np.float32)
    snapshots = train_map(X, start, DIGIT_MAP, steps, shown_steps(steps), random)
    errors = print_map_errors(X_test, snapshots, DIGIT_MAP)
    units = snapshots[steps]
    _, topographic, squared = map_errors(X_test, units, DIGIT_MAP)
    names = name_units(X, digits.y_train, units)
    predicted = names[np.argmin(squared_distances(X_test, units), axis=1)]
    accuracy = float(np.mean(predicted == digits.y_test))
    print(f"With its units labelled by the training digits, the map classifies {accuracy:.1%} of {len(X_test):,} test")
    print("digits correctly.")
    report.result({"digits_test_mean_squared_error": squared, "digits_test_accuracy": accuracy})
    report.result({"digits_topographic_test_zero_one_loss": topographic})
    images = units.reshape(len(units), *digits.X_train.shape[1:3])
    report.plot(
        "clustering-digits", figures.digits, images, names, DIGIT_MAP, distances_to_neighbours(units, DIGIT_MAP)
    )
    return list(snapshots), errors


# --- ART1 -------------------------------------------------------------------------------------------------------------


def read_letters() -> np.ndarray:
    """Returns `LETTERS` (letters, rows, columns) of 0 and 1, which are written side by side, with # for 1."""
    blocks = [[line.split() for line in block.splitlines()] for block in LETTERS.strip().split("\n\n")]
    drawn = [[list(row) for row in letter] for block in blocks for letter in zip(*block, strict=True)]
    return (np.array(drawn) == "#").astype(int)


def search(x: np.ndarray, prototypes: Sequence[np.ndarray], vigilance: float) -> tuple[int, list[tuple[int, float]]]:
    """Returns the cluster of a binary sample x, len(prototypes) for a new one; and each cluster tried, with its match.

    The most similar prototype is tried first: the choice is |x and w| / (1 + |w|), where |w| counts the ones. It takes
    x if its match |x and w| / |x| is at least the vigilance (resonance); else the next one is tried (reset).
    """
    choices = [np.sum(x & w) / (1 + np.sum(w)) for w in prototypes]
    tried = []
    for cluster in np.argsort(-np.array(choices), kind="stable"):
        match = np.sum(x & prototypes[cluster]) / np.sum(x)
        tried.append((int(cluster), float(match)))
        if match >= vigilance:
            return int(cluster), tried
    return len(prototypes), tried


def present(X: np.ndarray, prototypes: list[np.ndarray], vigilance: float) -> np.ndarray:
    """Shows all samples once and changes `prototypes`; returns the cluster of each sample (n,).

    A prototype keeps the ones that all of its samples have had: w <- x and w (fast learning). It loses ones and never
    gains any, so it comes to rest. Carpenter and Grossberg (1987), "A massively parallel architecture for a
    self-organizing neural pattern recognition machine".
    """
    clusters = np.empty(len(X), int)
    for i, x in enumerate(X):
        clusters[i], _ = search(x, prototypes, vigilance)
        if clusters[i] == len(prototypes):
            prototypes.append(x.copy())  # unlike all others: a new cluster, which nothing else had to make room for
        else:
            prototypes[clusters[i]] = x & prototypes[clusters[i]]
    return clusters


class Resonance(NamedTuple):
    """The clusters of ART1 once nothing changes any more.

    Attributes:
        prototypes: those that have samples (clusters, pixels).
        clusters: of each sample, by the order of `prototypes` (n,).
        presentations: how often all samples were shown, the last time, which changed nothing, included.
    """

    prototypes: np.ndarray
    clusters: np.ndarray
    presentations: int


def art1(X: np.ndarray, vigilance: float) -> Resonance:
    """Clusters binary samples X (n, pixels) until a presentation of all of them changes no prototype and no cluster."""
    prototypes: list[np.ndarray] = []
    clusters = present(X, prototypes, vigilance)
    presentations = 1
    while True:
        before, clusters_before = [w.copy() for w in prototypes], clusters
        clusters = present(X, prototypes, vigilance)
        presentations += 1
        if np.array_equal(clusters, clusters_before) and np.array_equal(before, prototypes):
            used, numbers = np.unique(clusters, return_inverse=True)
            return Resonance(np.array(prototypes)[used], numbers, presentations)


def print_search(letters: np.ndarray, vigilance: float) -> None:
    """Prints how the first nine letters find their clusters."""
    prototypes: list[np.ndarray] = []
    rows: list[list[object]] = []
    for i, x in enumerate(letters[:9]):
        cluster, tried = search(x, prototypes, vigilance)
        matches = ", ".join(f"{number + 1}: {match:.2f}" for number, match in tried) or "none"
        is_new = cluster == len(prototypes)
        present(x[None], prototypes, vigilance)
        happens = "new" if is_new else "resonance"
        rows.append([chr(ord("A") + i), x.sum(), matches, f"{happens}: {cluster + 1}", prototypes[cluster].sum()])
    print(format_table(["letter", "pixels set", "clusters tried: match", "result", "pixels set in prototype"], rows))


def compare_vigilances(letters: np.ndarray, random: np.random.Generator, orders: int, report: Report) -> None:
    """Clusters the letters by every vigilance, in alphabetical and in random orders."""
    alphabet = np.array([chr(ord("A") + i) for i in range(len(letters))])
    permutations = [random.permutation(len(letters)) for _ in range(orders)]
    rows: list[list[object]] = []
    counts = []
    results = {}
    changed = 0
    for vigilance in VIGILANCES:
        result = art1(letters, vigilance)
        groups = {"".join(alphabet[result.clusters == i]): prototype for i, prototype in enumerate(result.prototypes)}
        results[vigilance] = dict(sorted(groups.items()))
        of_orders = [len(art1(letters[order], vigilance).prototypes) for order in permutations]
        counts.append([len(result.prototypes), *of_orders])
        span = f"{min(of_orders)} to {max(of_orders)}"
        rows.append([f"{vigilance:.1f}", len(groups), result.presentations, span, " ".join(results[vigilance])])
        again = [search(x, list(result.prototypes), vigilance)[0] for x in letters]
        changed += int(np.count_nonzero(again != result.clusters))
    headings = ["vigilance", "clusters", "presentations", f"in {orders} other orders", "clusters of A to Z"]
    print(format_table(headings, rows))
    report.result({"art_again_train_zero_one_loss": changed / (len(VIGILANCES) * len(letters))})
    report.plot("clustering-vigilance", figures.vigilance, np.array(VIGILANCES), np.array(counts))
    report.plot("clustering-letters", figures.letters, {value: results[value] for value in DRAWN_VIGILANCES})


# --- A table of one's own ---------------------------------------------------------------------------------------------


class NumericTable(NamedTuple):
    """The columns of numbers of a table.

    Attributes:
        names: of the columns.
        X: their numbers (rows, columns), missing ones imputed by the median.
        source: the table's name, for the report.
    """

    names: list[str]
    X: np.ndarray
    source: str


def read_columns(path: FilePath, drop: Sequence[str] = ()) -> NumericTable:
    """Returns the columns of numbers of a table; prints which columns are left out, and why.

    Raises:
        WorkshopError: the file is no table, or has no column of numbers.
    """
    from sklearn.impute import SimpleImputer

    table = tables.read_table(path, at_least=3, drop=drop)
    chosen = []
    for column in table.columns:
        is_text = column.kind == "text"
        reason = kinds.tells_nothing(column) or ("it holds texts, and distances need numbers" if is_text else "")
        if reason:
            print(f"Note      {column.name} is left out: {reason}")
            continue
        for note in column.notes:
            print(f"Note      {column.name}: {note}")
        if np.abs(column.present).max() > MAX_NUMBER:
            table.numbers([table.names.index(column.name)])  # names the cell, and refuses it
        tables.print_odd_cells(table, column)
        if np.isnan(column.values).any():
            missing = int(np.isnan(column.values).sum())
            print(f"Note      missing cells, taken for the median of their column: {column.name} {missing}")
        chosen.append(column)
    if not chosen:
        raise WorkshopError(f"{path}: has no column of numbers that differ, takes one or more")
    X = SimpleImputer(strategy="median").fit_transform(np.stack([column.values for column in chosen], axis=1))
    return NumericTable([column.name for column in chosen], X, table.source)


def cluster_table(arguments: argparse.Namespace, report: Report) -> None:
    """Clusters the rows of a table, scaled, and draws them by their two principal components."""
    from sklearn.decomposition import PCA
    from sklearn.metrics import silhouette_score
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    names, raw, source = read_columns(arguments.data, arguments.drop)
    report.data(source)
    print(f"Engine    NumPy {np.__version__}")
    random = np.random.default_rng(arguments.seed)
    different = len(np.unique(raw, axis=0))
    if (arguments.clusters and arguments.clusters > different - 1) or different < 3:
        most = f"takes --clusters from 2 up to {different - 1}" if different > 2 else "takes three or more"
        raise WorkshopError(f"{arguments.data}: has {different} different rows, {most}")
    # Unscaled, a column in grams would count a thousand times as much as the same column in kilograms.
    scaler = MinMaxScaler() if arguments.scaler == "minmax" else StandardScaler()
    X = scaler.fit_transform(raw)

    listed = ", ".join([*names[:6], *(["..."] if len(names) > 6 else [])])
    report.section(f"How many clusters? The rows by {listed}")
    sample = X
    if len(X) > SAMPLED_ROWS:
        print(f"Of {SAMPLED_ROWS:,} rows of {len(X):,}, at random.")
        sample = X[random.choice(len(X), SAMPLED_ROWS, replace=False)]
        if len(np.unique(sample, axis=0)) < 3:  # nearly all rows are the same
            sample = np.unique(X, axis=0)[:SAMPLED_ROWS]
    best = choose_clusters(sample, random, report)
    clusters = arguments.clusters or best

    report.section(f"{clusters} clusters")
    starts = [plus_plus_start(X, clusters, random) for _ in range(RESTARTS)]
    start = min(starts, key=lambda centres: k_means(X, centres)[-1].inertia)
    end = compare_iterations(X, start, report)[-1]
    sizes = np.bincount(end.labels, minlength=clusters)
    centres = np.array([raw[end.labels == cluster].mean(axis=0) for cluster in range(clusters)])
    rows = [[i + 1, size, *map(float, centre)] for i, (size, centre) in enumerate(zip(sizes, centres, strict=True))]
    print("\n" + format_table(["cluster", "rows", *(f"mean {name}" for name in names)], rows))
    _, one_of_each = np.unique(end.labels, return_index=True)
    shown = np.union1d(random.choice(len(X), min(len(X), SAMPLED_ROWS), replace=False), one_of_each)
    report.result({"clusters_train_silhouette_score": float(silhouette_score(X[shown], end.labels[shown]))})
    components = PCA(min(2, X.shape[1])).fit(X)
    report.plot(
        "clustering-table",
        figures.table,
        components.transform(X),
        components.transform(end.centres),
        end.labels,
        components.explained_variance_ratio_,
        f"{clusters} clusters of {source}",
    )


# --- The lesson -------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(docstring)
    add = parser.add_argument
    text = "number of clusters for --data (default: chosen by the silhouette)"
    add("--clusters", type=cli.whole_number(2), metavar="K", help=text)
    add("--drop", nargs="+", default=[], metavar="COLUMN", help="columns of --data to leave out")
    text = "how to scale --data: mean 0 and deviation 1, or 0 to 1 (default: standard)"
    add("--scaler", choices=("standard", "minmax"), help=text)
    arguments = cli.parse_lesson(parser, argv)
    for name in ("clusters", "drop", "scaler"):
        given = getattr(arguments, name)
        if given and not arguments.data:
            shown = " ".join(given) if isinstance(given, list) else given
            parser.error(f"--{name}: got {shown} without a table of your own: give --data FILE as well")
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Clusters blobs, colours, digits and letters, or the rows of a table; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("clustering", arguments, "numpy")
    if arguments.data:
        cluster_table(arguments, report)
        return report.finish(not_comparable="the table is your own")
    from sklearn.metrics import adjusted_rand_score

    quick = arguments.quick
    random = np.random.default_rng(arguments.seed)
    digits = load_image_set("mnist", quick=quick).first(TRAIN_DIGITS, TEST_DIGITS)
    report.data(f"{len(BLOBS) * POINTS_OF_A_BLOB} points around {len(BLOBS)} centres")
    report.data(digits.source, digits.place, digits.is_standin)
    print(f"Engine    NumPy {np.__version__}")

    report.section("k-means by hand, from a bad start: three points of one blob, and scikit-learn from the same start")
    X, blobs = load_blobs(random)
    steps = compare_iterations(X, X[-3:], report)
    report.plot("clustering-steps", figures.steps, X, steps)
    report.animate("clustering-kmeans", figures.walk, X, steps[:2] if quick else steps)

    report.section(f"{STARTS} starts of each kind")
    compare_starts(X, len(BLOBS), random, 50 if quick else STARTS, report)

    report.section(f"How many clusters? The best of {RESTARTS} starts of each number")
    clusters = choose_clusters(X, random, report)
    # Of the true blobs the numbers of the clusters may be any permutation: this score is 1 where the groups are equal.
    labels = best_clustering(X, clusters, random).labels
    report.result({"train_adjusted_rand_score": float(adjusted_rand_score(blobs, labels))})

    report.section(f"A self-organising map: a net of {NET[0]}x{NET[1]} units over the blobs")
    map_blobs(X, random, arguments, report)

    report.section(f"A map of {COLOURS} random colours, {COLOUR_MAP[0]}x{COLOUR_MAP[1]} units")
    courses = {"colours": map_colours(random, quick, report)}

    report.section(f"A map of digits, {DIGIT_MAP[0]}x{DIGIT_MAP[1]} units, measured on test digits")
    courses["digits"] = map_digits(digits, random, quick, report)
    report.plot("clustering-errors", figures.errors, courses)

    letters = read_letters().reshape(26, -1)
    report.section(f"ART1 on letters of 5x7 pixels, vigilance {SHOWN_VIGILANCE}: a cluster, or a new one")
    print_search(letters, SHOWN_VIGILANCE)

    report.section("Vigilance against the number of clusters")
    compare_vigilances(letters, random, 2 if quick else LETTER_ORDERS, report)
    return report.finish()


if __name__ == "__main__":
    cli.run(main)
