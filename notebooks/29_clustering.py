# %% [markdown]
# # Groups without labels: k-means, Kohonen's map, ART1
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/29_clustering.ipynb)
#
# No sample has a label here. You find groups of points by k-means and watch it go wrong, lay colours and handwritten
# digits out on a map that puts similar ones side by side, and group letters with a network that opens a new group
# whenever nothing fits. All of it in NumPy. About 40 minutes; nothing here takes longer than a few seconds.

# %%
# Installs the package where it is missing. This computer's TensorFlow, Keras and NumPy stay as they are.
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

SOURCE = ".." if Path("../pyproject.toml").exists() else "git+https://github.com/OWNER/workshop"
if getattr(util.find_spec("workshop"), "origin", None) is None:  # missing, or a mere folder of that name
    kept = [f"{name}=={metadata.version(name)}" for name in ("tensorflow", "keras", "numpy") if util.find_spec(name)]
    install = [sys.executable, "-m", "pip", "install", "--quiet", SOURCE]
    if subprocess.run([*install, *kept]).returncode:  # one of them lies outside of the range that was tried
        subprocess.run([*install, "--no-deps"], check=True)

from workshop import notebook

notebook.start()

# %%
from collections import namedtuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from workshop.exercises import check, hint, solution
from workshop.figures import clustering as figures
from workshop.kit.data.images import load_image_set

# %% tags=["parameters"] quick="COLOURS_SHOWN, DIGITS_SHOWN = 1000, 500"
COLOURS_SHOWN = 10_000
DIGITS_SHOWN = 10_000

# %% [markdown]
# ## Three blobs
#
# 30 points around each of (5, 5), (10, 0) and (0, 2). We know that there are three groups. The computer gets only the
# points.

# %%
random = np.random.default_rng(1)
X = np.vstack([random.normal(centre, 1, (30, 2)) for centre in ((5, 5), (10, 0), (0, 2))])
plt.plot(*X.T, "o", color="grey")
plt.xlabel("x1")
plt.ylabel("x2")
plt.show()

# %% [markdown]
# **A question before you go on.** You see the groups at once. How would you tell a computer to find them, that can only
# compute?
#
# k-means (Lloyd, 1957) guesses a centre for each group and improves the guess. It repeats two halves:
#
# 1. each point goes to its nearest centre;
# 2. each centre goes to the mean of its points.
#
# ### Your turn 1: each point to its nearest centre
#
# The first half of k-means: return, for each point, the number of the centre that is nearest to it, from 0 on. Near
# means a small distance along the straight line.


# %%
def assign(X, centres):
    """Returns the numbers (points,) of the centres (clusters, features) nearest to points X (points, features)."""
    ...


# %%
check("clustering.1", assign)

# %% [markdown]
# `hint("clustering.1")` gives a hint, and `solution("clustering.1")` the solution. Try yourself first.
#
# ### Your turn 2: each centre to the mean of its points
#
# The second half: return the centres after they have moved. Centre 0 goes to the mean of the points with label 0,
# centre 1 to that of label 1, and so on. Each label has a point at least.


# %%
def move(X, labels, clusters):
    """Returns the centres (clusters, features) of points X (points, features) with labels (points,)."""
    ...


# %%
check("clustering.2", move)

# %% [markdown]
# Here are both halves in a loop. It also adds up the squared distances of all points to their centres: the
# **inertia**, which both halves make smaller. We start badly on purpose, with three points of the same blob.

# %%
Step = namedtuple("Step", "centres labels inertia")


def k_means(X, centres):
    """Returns the steps of k-means from these centres, until no point changes its cluster."""
    steps = []
    while True:
        squares = ((X[:, None] - centres) ** 2).sum(axis=2)  # (points, clusters)
        labels = squares.argmin(axis=1)
        steps.append(Step(centres, labels, squares.min(axis=1).sum()))
        if len(steps) > 1 and np.array_equal(labels, steps[-2].labels):
            return steps
        # A centre without points has no mean: here it stays where it is.
        means = [X[labels == i].mean(axis=0) if np.any(labels == i) else centres[i] for i in range(len(centres))]
        centres = np.array(means)


steps = k_means(X, X[-3:])
for iteration, step in enumerate(steps):
    print("iteration", iteration, "inertia", step.inertia.round(2))

# %%
figures.steps(X, steps)

# %% [markdown]
# The areas are those of the nearest centre. For five iterations nearly nothing happens, and then it finds the groups.
#
# scikit-learn has the same algorithm. With the same start, and `max_iter` iterations, it must have the same labels.

# %%
for iteration, step in enumerate(steps[1:], start=1):
    by_sklearn = KMeans(3, init=X[-3:], n_init=1, max_iter=iteration, tol=0).fit(X)
    same = np.array_equal(by_sklearn.labels_, step.labels)
    print(iteration, "same labels:", same, " difference of inertia:", abs(by_sklearn.inertia_ - step.inertia))

# %% [markdown]
# ### Your turn 3: how it ends
#
# Five points on a line: 0, 2, 3, 8 and 10. Two centres start at 0 and 2. Do k-means with pencil and paper, points to
# their nearest centre, centres to the mean of their points, until nothing changes. Where are the two centres then? Give
# a list of two numbers, rounded to two places.

# %%
centres = ...

# %%
check("clustering.3", centres)

# %% [markdown]
# ## A bad start that stays bad
#
# **A question.** Both halves make the inertia smaller. Does k-means therefore find the smallest one there is?

# %%
runs = [k_means(X, X[random.choice(len(X), 3, replace=False)]) for _ in range(200)]
ends = np.array([steps[-1].inertia for steps in runs])
print(f"best {ends.min():.1f}, worst {ends.max():.1f}; {np.mean(ends < 1.01 * ends.min()):.0%} end at the best")

# %% [markdown]
# It goes downhill only, and can end in a hollow: two centres share one blob, the third has the other two blobs, and no
# single point has a nearer centre. So one starts several times and keeps the best, and starts with care: k-means++
# (2007) draws centres that are far from one another.
#
# ### Your turn 4: the next centre of k-means++
#
# k-means++ draws the next centre among the points: far ones are likelier. With D the distance of a point to the nearest
# of the centres so far, its probability is proportional to D squared. Return the probabilities of all points.


# %%
def probabilities(X, centres):
    """Returns the probabilities (points,) of points X (points, features), with centres (clusters, features) so far."""
    ...


# %%
check("clustering.4", probabilities)


# %%
def plus_plus(X, clusters):
    """Returns a start of k-means++ (clusters, features)."""
    centres = [X[random.integers(len(X))]]
    while len(centres) < clusters:
        squares = ((X[:, None] - np.array(centres)) ** 2).sum(axis=2).min(axis=1)
        centres.append(X[random.choice(len(X), p=squares / squares.sum())])
    return np.array(centres)


careful = [k_means(X, plus_plus(X, 3)) for _ in range(200)]
careful_ends = np.array([steps[-1].inertia for steps in careful])
worst, best = runs[ends.argmax()], runs[ends.argmin()]
figures.starts(X, worst, best, {"random points": ends, "k-means++": careful_ends})

# %% [markdown]
# ## How many groups?
#
# **A question.** Why can't we take the number of clusters with the smallest inertia?

# %%
numbers = np.arange(1, 9)
inertias, silhouettes = [], [np.nan]
for k in numbers:
    best = min((k_means(X, plus_plus(X, k))[-1] for _ in range(10)), key=lambda step: step.inertia)
    inertias.append(best.inertia)
    if k > 1:
        silhouettes.append(silhouette_score(X, best.labels))
figures.elbow(numbers, np.array(inertias), np.array(silhouettes), best=numbers[np.nanargmax(silhouettes)])

# %% [markdown]
# Each more centre makes the inertia smaller, until every point has its own. But from three on it helps little: the
# curve has an **elbow**. The **silhouette** compares, for each point, the mean distance a to its own cluster with that
# to the nearest other one, b: (b - a) / max(a, b). It is near 1 where a point lies well inside its cluster.
#
# ## A table of your own
#
# In Colab, choose a CSV file with columns of numbers; elsewhere put it beside the notebook as `my-table.csv`. Without
# one, it is Fisher's irises: four lengths of 150 flowers, whose three kinds we do not look at.

# %%
path = notebook.upload("my-table.csv")
table = load_iris(as_frame=True).data if path is None else pd.read_csv(path, sep=None, engine="python")
numeric = table.select_dtypes("number").dropna()
print(len(numeric), "rows;", ", ".join(numeric.columns))
scaled = StandardScaler().fit_transform(numeric)  # or the column with the largest numbers alone would decide

# %%
CLUSTERS = 3
model = KMeans(CLUSTERS, n_init=10, random_state=1).fit(scaled)
print(f"silhouette {silhouette_score(scaled, model.labels_):.3f}")
numeric.groupby(model.labels_).mean().round(2)

# %%
plane = PCA(min(2, scaled.shape[1])).fit(scaled)  # the two directions in which the rows differ most
points, middles = plane.transform(scaled), plane.transform(model.cluster_centers_)
figures.table(points, middles, model.labels_, plane.explained_variance_ratio_, f"{CLUSTERS} clusters")

# %% [markdown]
# **A question.** Whatever you give it, k-means returns as many clusters as you asked for. How do you find out whether
# they are there? Change `CLUSTERS` and watch the silhouette.
#
# ## A map: Kohonen, 1982
#
# k-means has centres that know nothing of one another. Put them on a grid, and let each one that moves take its
# neighbours along: that is a **self-organising map**. For each sample x:
#
# 1. the unit with the nearest weights wins;
# 2. every unit moves towards x by the share rate * h, with h = exp(-distance^2 / (2 radius^2)), where the distance is
#    the one **on the grid** to the winner.
#
# Rate and radius shrink: first the map unfolds, then it settles.
#
# ### Your turn 5: a unit of the map
#
# A self-organising map is shown a sample x. Return the new weights of a unit with weights w, which lies `distance`
# units away from the winner on the map: it goes towards x by the share rate * h of the way, with h = exp(-distance^2 /
# (2 radius^2)).


# %%
def pull(w, x, distance, rate, radius):
    """Returns the weights (features,) after the sample x (features,)."""
    ...


# %%
check("clustering.5", pull)


# %%
def train_map(samples, units, rows, columns, steps):
    """Returns the units (rows * columns, features) at the start and after a tenth, a third, two thirds and all."""
    positions = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
    on_map = ((positions[:, None] - positions) ** 2).sum(axis=2)  # squared distances on the grid
    snapshot_steps = [0, steps // 10, steps // 3, 2 * steps // 3, steps]
    snapshots = {}
    for step in range(steps + 1):
        if step in snapshot_steps:
            snapshots[step] = units.copy()
        share = step / steps
        rate = 0.5 * (0.1 / 0.5) ** share  # from 0.5 to 0.1
        first = 0.3 * columns
        radius = first * (0.6 / first) ** share  # from a third of the map to less than a unit
        x = samples[random.integers(len(samples))]
        winner = ((x - units) ** 2).sum(axis=1).argmin()
        h = np.exp(-on_map[winner] / (2 * radius**2))
        units = units + rate * h[:, None] * (x - units)
    return snapshots


# %% [markdown]
# ### Colours
#
# A colour is three numbers: red, green and blue. The map starts dark and without any order.

# %%
colours = random.uniform(0, 1, (500, 3))
snapshots = train_map(colours, random.uniform(0, 0.4, (18 * 27, 3)), 18, 27, COLOURS_SHOWN)


# %%
def neighbour_distances(units, rows, columns):
    """Returns the mean distance of each unit to the one on its right and the one below (rows, columns)."""
    grid = units.reshape(rows, columns, -1)
    right = np.linalg.norm(np.diff(grid, axis=1, append=grid[:, -2:-1]), axis=2)
    below = np.linalg.norm(np.diff(grid, axis=0, append=grid[-2:-1]), axis=2)
    return (right + below) / 2


figures.colours(snapshots, (18, 27), neighbour_distances(snapshots[COLOURS_SHOWN], 18, 27))

# %% [markdown]
# Three numbers became two places: the map is folded into the cube of colours, and where it is folded, ridges appear.
# Two errors tell how good a map is:
#
# - the **quantisation error**: the mean distance of a sample to its winner;
# - the **topographic error**: the share of samples whose two nearest units are not neighbours on the grid.


# %%
def map_errors(samples, units, columns):
    """Returns the quantisation and the topographic error."""
    distances = np.array([np.linalg.norm(units - x, axis=1) for x in samples])
    first, second = distances.argsort(axis=1)[:, :2].T
    rows_apart = abs(first // columns - second // columns)
    columns_apart = abs(first % columns - second % columns)
    return distances.min(axis=1).mean(), np.mean(np.maximum(rows_apart, columns_apart) > 1)


for step, units in snapshots.items():
    print(f"{step:6,} shown: quantisation error {{:.3f}}, topographic {{:.3f}}".format(*map_errors(colours, units, 27)))

# %% [markdown]
# ### Digits
#
# Now 28x28 pixels a sample, 784 numbers. **A question.** The map has 12 x 16 units and is told no label. Will the
# zeros lie together?

# %%
images = load_image_set("mnist", quick=True)
digits = images.X_train.reshape(len(images.X_train), 784) / 255
digit_maps = train_map(digits, random.uniform(0, 0.2, (12 * 16, 784)), 12, 16, DIGITS_SHOWN)
units = digit_maps[DIGITS_SHOWN]
print("quantisation error {:.2f}, topographic error {:.2f}".format(*map_errors(digits, units, 16)))

# %% [markdown]
# Afterwards we give each unit the label of the training digit that is nearest to it, for us to read the map.

# %%
nearest = np.array([np.linalg.norm(digits - unit, axis=1).argmin() for unit in units])
names = images.y_train[nearest]
figures.digits(units.reshape(-1, 28, 28), names, (12, 16), neighbour_distances(units, 12, 16))

# %%
test = images.X_test.reshape(len(images.X_test), 784) / 255
winners = np.array([np.linalg.norm(units - x, axis=1).argmin() for x in test])
print(f"{np.mean(names[winners] == images.y_test):.0%} of {len(test)} other digits have the name of their winner")

# %% [markdown]
# **A question.** Which digits does the map mix up? Look where 4, 7 and 9 lie. Why there?
#
# ## ART1: a new group whenever nothing fits
#
# k-means must know the number of groups, and a map its size. Carpenter and Grossberg's *adaptive resonance* (1987)
# opens a new cluster when a sample is unlike all of them. How unlike, the **vigilance** says, from 0 to 1. Samples and
# prototypes hold zeros and ones.
#
# ### Your turn 6: resonance or reset
#
# A cluster of ART1 has a prototype w of zeros and ones, and is shown a sample x of zeros and ones. The match is the
# number of ones that both have, divided by the number of ones of x. Return the new prototype: where the match is at
# least the vigilance, the ones that both have; otherwise w, unchanged.


# %%
def resonate(x, w, vigilance):
    """Returns the prototype (pixels,) after a sample x (pixels,); both hold whole numbers 0 and 1."""
    ...


# %%
check("clustering.6", resonate)

# %% [markdown]
# Ten letters, drawn as text. Add your own, five columns and seven rows each.

# %%
TEXT = """
.###. ####. .#### ##### ##### #...# #...# .###. ####. #####
#...# #...# #.... #.... #.... #...# ##.## #...# #...# ..#..
#...# #...# #.... #.... #.... #...# #.#.# #...# #...# ..#..
##### ####. #.... ####. ####. ##### #.#.# #...# ####. ..#..
#...# #...# #.... #.... #.... #...# #...# #...# #.... ..#..
#...# #...# #.... #.... #.... #...# #...# #...# #.... ..#..
#...# ####. .#### ##### #.... #...# #...# .###. #.... ..#..
"""
NAMES = "ABCEFHMOPT"
rows = [line.split() for line in TEXT.strip().splitlines()]
letters = np.array([[list(row) for row in letter] for letter in zip(*rows, strict=True)]) == "#"
letters = letters.reshape(len(NAMES), 35).astype(int)


# %%
def art1(samples, vigilance):
    """Returns the prototypes and the cluster of each sample, once a presentation of all changes nothing."""
    prototypes, before = [], None
    while True:
        clusters = []
        for x in samples:
            # The most similar prototype is tried first, by |x and w| / (1 + |w|).
            choices = [(x & w).sum() / (1 + w.sum()) for w in prototypes]
            for i in np.argsort(choices)[::-1]:
                if (x & prototypes[i]).sum() / x.sum() >= vigilance:
                    prototypes[i] = x & prototypes[i]  # resonance
                    break
            else:
                prototypes.append(x)  # a new cluster
                i = len(prototypes) - 1
            clusters.append(int(i))
        state = [clusters, [w.tolist() for w in prototypes]]
        if state == before:
            return prototypes, clusters
        before = state


# %%
results = {}
for vigilance in (0.3, 0.5, 0.7, 0.9):
    prototypes, clusters = art1(letters, vigilance)
    groups = {}
    for i in sorted(set(clusters)):
        members = "".join(name for name, cluster in zip(NAMES, clusters, strict=True) if cluster == i)
        groups[members] = prototypes[i]
    results[vigilance] = groups
    print(f"vigilance {vigilance}: {len(groups)} clusters, {' '.join(groups)}")
figures.letters(results)

# %% [markdown]
# A prototype holds the pixels that all of its letters have. **A question.** Show the letters in another order. Do the
# groups stay the same? Must they?

# %%
order = random.permutation(len(NAMES))
for vigilance in results:
    prototypes, clusters = art1(letters[order], vigilance)
    print(f"vigilance {vigilance}: {len(set(clusters))} clusters in the order {''.join(NAMES[i] for i in order)}")

# %% [markdown]
# ## What to try next
#
# - k-means draws straight borders. Give it two half moons (`sklearn.datasets.make_moons`). What does it do, and what
#   does the silhouette say?
# - A map with radius 0.1 from the start: only the winner moves. How do the two errors change?
# - The console tells the whole story, with two animations: `python -m workshop.clustering`. It takes a table of your
#   own, too: `python -m workshop.clustering --data my-table.csv --clusters 4`.
