"""Exercises on the lesson `clustering`: both halves of k-means, how it ends, k-means++, a map's unit, and ART1."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

X = np.array([[0.0, 0.0], [1.0, 0.5], [4.0, 4.0], [5.0, 3.0], [2.9, 2.9], [0.0, 4.5]])
CENTRES = np.array([[0.0, 0.0], [5.0, 4.0], [2.0, 6.0]])
LABELS = np.array([0, 0, 1, 1, 1, 2])
ON_A_LINE = np.array([[0.0], [1.0], [3.0], [7.0]])
LETTER_T = np.array([1, 1, 1, 0, 1, 0, 0, 1, 0])  # 3x3 pixels
LETTER_L = np.array([1, 0, 0, 1, 0, 0, 1, 1, 1])
BAR = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0])

EXERCISES = (
    Exercise(
        title="Each point to its nearest centre",
        task="The first half of k-means: return, for each point, the number of the centre that is nearest to it, from "
        "0 on. Near means a small distance along the straight line.",
        stub='''\
def assign(X, centres):
    """Returns the numbers (points,) of the centres (clusters, features) nearest to points X (points, features)."""
    ...
''',
        solution="""\
def assign(X, centres):
    differences = X[:, None] - centres
    squares = (differences**2).sum(axis=2)
    return squares.argmin(axis=1)
""",
        explanation="X[:, None] has the shape (points, 1, features), so NumPy subtracts every centre from every point. "
        "The square root may stay away: it does not change which distance is the smallest.",
        hints=(
            "You need a distance for each pair of a point and a centre: an array of (points, clusters).",
            "X[:, None] - centres gives all differences at once, (points, clusters, features).",
            "Square them, sum over the features, and take argmin over the clusters.",
        ),
        mistakes=(
            Mistake(
                "farthest",
                "You took the largest distance: that is the centre farthest away.",
                "def assign(X, centres):\n    return ((X[:, None] - centres) ** 2).sum(axis=2).argmax(axis=1)",
            ),
            Mistake(
                "of_each_centre",
                "You return one number for each centre, the point nearest to it. Return one number for each point.",
                "def assign(X, centres):\n    return ((X[:, None] - centres) ** 2).sum(axis=2).argmin(axis=0)",
            ),
            Mistake(
                "city_block",
                "You added the differences without squaring them: that is the way along the streets of a city.",
                "def assign(X, centres):\n    return np.abs(X[:, None] - centres).sum(axis=2).argmin(axis=1)",
            ),
            Mistake(
                "not_absolute",
                "Your differences keep their signs, and those of two features cancel each other out.",
                "def assign(X, centres):\n    return (X[:, None] - centres).sum(axis=2).argmin(axis=1)",
            ),
            Mistake(
                "distances",
                "Those are the distances themselves. Asked for is which centre has the smallest one.",
                "def assign(X, centres):\n    return np.sqrt(((X[:, None] - centres) ** 2).sum(axis=2)).min(axis=1)",
            ),
            Mistake(
                "from_one",
                "You count the centres from 1 on. Python, and scikit-learn's labels, count from 0 on.",
                "def assign(X, centres):\n    return ((X[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1) + 1",
            ),
        ),
        inputs=(
            (X, CENTRES),
            (np.array([[3.0, 3.0], [-1.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 7.1]])),
            (np.array([[0.0, 0.0], [4.5, 0.5]]), np.array([[3.0, 3.0], [5.0, 0.0]])),
        ),
    ),
    Exercise(
        title="Each centre to the mean of its points",
        task="The second half: return the centres after they have moved. Centre 0 goes to the mean of the points with "
        "label 0, centre 1 to that of label 1, and so on. Each label has a point at least.",
        stub='''\
def move(X, labels, clusters):
    """Returns the centres (clusters, features) of points X (points, features) with labels (points,)."""
    ...
''',
        solution="""\
def move(X, labels, clusters):
    return np.array([X[labels == cluster].mean(axis=0) for cluster in range(clusters)])
""",
        explanation="Of all places, the mean has the smallest sum of squared distances to its points. So this half "
        "cannot make the inertia larger, and neither can the other one: that is why k-means comes to an end.",
        hints=(
            "labels == 0 is true for the points of centre 0. X[labels == 0] are these points.",
            "The mean of points is taken over the rows: axis=0.",
            "Do that for every number in range(clusters), and make an array of the list.",
        ),
        mistakes=(
            Mistake(
                "sum",
                "You added the points up. Divide by how many there are.",
                "def move(X, labels, clusters):\n"
                "    return np.array([X[labels == c].sum(axis=0) for c in range(clusters)])",
            ),
            Mistake(
                "all_points",
                "You divided by the number of all points, not by that of the cluster.",
                "def move(X, labels, clusters):\n"
                "    return np.array([X[labels == c].sum(axis=0) / len(X) for c in range(clusters)])",
            ),
            Mistake(
                "median",
                "You took the median. That is another method, k-medians, which cares less about points far away.",
                "def move(X, labels, clusters):\n"
                "    return np.array([np.median(X[labels == c], axis=0) for c in range(clusters)])",
            ),
            Mistake(
                "one_number",
                "Your mean runs over the features as well: a centre has as many numbers as a point.",
                "def move(X, labels, clusters):\n    return np.array([X[labels == c].mean() for c in range(clusters)])",
            ),
        ),
        inputs=((X, LABELS, 3), (X, np.array([1, 0, 1, 1, 0, 0]), 2)),
    ),
    Exercise(
        title="How it ends",
        task="Five points on a line: 0, 2, 3, 8 and 10. Two centres start at 0 and 2. Do k-means with pencil and "
        "paper, points to their nearest centre, centres to the mean of their points, until nothing changes. Where are "
        "the two centres then? Give a list of two numbers, rounded to two places.",
        stub="centres = ...",
        solution="centres = [1.67, 9.0]",
        explanation="The clusters are 0 | 2 3 8 10, then 0 2 | 3 8 10, then 0 2 3 | 8 10. The right centre was pulled "
        "away by the far points, and gave its near ones to the left centre, one after the other.",
        hints=(
            "At first only the point 0 is nearer to the left centre. The right one moves to the mean of four points.",
            "After that the point 2 changes its cluster. Compute both means again, and look at all points again.",
            "It is not over yet after two iterations: look at the point 3.",
        ),
        mistakes=(
            Mistake(
                "one_iteration",
                "Those are the centres after one iteration. Which point is now nearer to the other centre?",
                "centres = [0, 5.75]",
            ),
            Mistake(
                "two_iterations",
                "Those are the centres after two iterations. One point still changes its cluster.",
                "centres = [1, 7]",
            ),
            Mistake(
                "middle",
                "You took the middle between the first and the last point of a cluster. The mean counts all of them.",
                "centres = [1.5, 9]",
            ),
            Mistake("order", "Both are right, but the left centre comes first.", "centres = [9, 1.67]"),
        ),
        tolerance=6e-3,
    ),
    Exercise(
        title="The next centre of k-means++",
        task="k-means++ draws the next centre among the points: far ones are likelier. With D the distance of a point "
        "to the nearest of the centres so far, its probability is proportional to D squared. Return the probabilities "
        "of all points.",
        stub='''\
def probabilities(X, centres):
    """Returns the probabilities (points,) of points X (points, features), with centres (clusters, features) so far."""
    ...
''',
        solution="""\
def probabilities(X, centres):
    squares = ((X[:, None] - centres) ** 2).sum(axis=2)
    nearest = squares.min(axis=1)
    return nearest / nearest.sum()
""",
        explanation="A point that is a centre already has D = 0, and is never drawn again. The farthest point is "
        "likeliest, but not certain: it may be an outlier, and a crowd of points farther in outweighs it.",
        hints=(
            "Begin with the squared distance of every point to every centre, as in the first exercise.",
            "Of each point only the nearest centre counts: the minimum over the centres.",
            "Probabilities add up to 1: divide by their sum.",
        ),
        mistakes=(
            Mistake(
                "not_squared",
                "You took D itself, not its square.",
                "def probabilities(X, centres):\n"
                "    d = np.sqrt(((X[:, None] - centres) ** 2).sum(axis=2).min(axis=1))\n    return d / d.sum()",
            ),
            Mistake(
                "not_divided",
                "Your numbers do not add up to 1.",
                "def probabilities(X, centres):\n    return ((X[:, None] - centres) ** 2).sum(axis=2).min(axis=1)",
            ),
            Mistake(
                "all_centres",
                "You added up the distances to all centres. A point near to one of them is no good next centre, "
                "however far the others are.",
                "def probabilities(X, centres):\n"
                "    d = ((X[:, None] - centres) ** 2).sum(axis=(1, 2))\n    return d / d.sum()",
            ),
            Mistake(
                "farthest_centre",
                "You took the distance to the farthest centre.",
                "def probabilities(X, centres):\n"
                "    d = ((X[:, None] - centres) ** 2).sum(axis=2).max(axis=1)\n    return d / d.sum()",
            ),
            Mistake(
                "certain",
                "Your farthest point is certain. Then one outlier would always be a centre.",
                "def probabilities(X, centres):\n"
                "    d = ((X[:, None] - centres) ** 2).sum(axis=2).min(axis=1)\n    return 1.0 * (d == d.max())",
            ),
        ),
        inputs=((ON_A_LINE, ON_A_LINE[:1]), (ON_A_LINE, ON_A_LINE[[0, 3]]), (X, X[[1, 2]])),
    ),
    Exercise(
        title="A unit of the map",
        task="A self-organising map is shown a sample x. Return the new weights of a unit with weights w, which lies "
        "`distance` units away from the winner on the map: it goes towards x by the share rate * h of the way, with "
        "h = exp(-distance^2 / (2 radius^2)).",
        stub='''\
def pull(w, x, distance, rate, radius):
    """Returns the weights (features,) after the sample x (features,)."""
    ...
''',
        solution="""\
def pull(w, x, distance, rate, radius):
    h = np.exp(-(distance**2) / (2 * radius**2))
    return w + rate * h * (x - w)
""",
        explanation="The winner, at the distance 0, has h = 1. Its neighbours follow it, less and less with the "
        "distance: that is what brings similar samples to neighbouring places. With a radius near 0 only the winner "
        "moves, and the map is k-means, one sample at a time.",
        hints=(
            "x - w points from the unit to the sample.",
            "h is between 0 and 1, and 1 for the winner itself. np.exp computes it.",
            "The new weights are the old ones and rate * h times the difference.",
        ),
        mistakes=(
            Mistake(
                "no_neighbourhood",
                "All units move alike, wherever they lie: h is missing.",
                "def pull(w, x, distance, rate, radius):\n    return w + rate * (x - w)",
            ),
            Mistake(
                "away",
                "Your unit moves away from the sample: look at the sign of the difference.",
                "def pull(w, x, distance, rate, radius):\n"
                "    return w + rate * np.exp(-(distance**2) / (2 * radius**2)) * (w - x)",
            ),
            Mistake(
                "not_squared",
                "The distance on the map is squared in h.",
                "def pull(w, x, distance, rate, radius):\n"
                "    return w + rate * np.exp(-distance / (2 * radius**2)) * (x - w)",
            ),
            Mistake(
                "without_two",
                "The 2 in the denominator is missing.",
                "def pull(w, x, distance, rate, radius):\n"
                "    return w + rate * np.exp(-(distance**2) / radius**2) * (x - w)",
            ),
            Mistake(
                "change_alone",
                "That is the change. Asked for are the new weights.",
                "def pull(w, x, distance, rate, radius):\n"
                "    return rate * np.exp(-(distance**2) / (2 * radius**2)) * (x - w)",
            ),
            Mistake(
                "grows",
                "Your h grows with the distance: far units would move most.",
                "def pull(w, x, distance, rate, radius):\n"
                "    return w + rate * np.exp(distance**2 / (2 * radius**2)) * (x - w)",
            ),
        ),
        inputs=(
            (np.array([1.0, 0.0]), np.array([3.0, 4.0]), 0.0, 0.5, 1.0),
            (np.array([1.0, 0.0]), np.array([3.0, 4.0]), 2.0, 0.5, 1.5),
            (np.array([0.2, 0.4, 0.6]), np.array([1.0, 0.0, 0.5]), 3.0, 0.1, 2.0),
        ),
    ),
    Exercise(
        title="Resonance or reset",
        task="A cluster of ART1 has a prototype w of zeros and ones, and is shown a sample x of zeros and ones. The "
        "match is the number of ones that both have, divided by the number of ones of x. Return the new prototype: "
        "where the match is at least the vigilance, the ones that both have; otherwise w, unchanged.",
        stub='''\
def resonate(x, w, vigilance):
    """Returns the prototype (pixels,) after a sample x (pixels,); both hold whole numbers 0 and 1."""
    ...
''',
        solution="""\
def resonate(x, w, vigilance):
    match = (x & w).sum() / x.sum()
    return x & w if match >= vigilance else w
""",
        explanation="x & w can only lose ones. So a prototype changes a few times and then comes to rest: what was "
        "learned is not overwritten, and what does not fit gets a cluster of its own.",
        hints=(
            "x & w is 1 where both are 1.",
            "Count ones by sum: those of x & w, and those of x.",
            "Compare the match with the vigilance by >=, and return x & w or w.",
        ),
        mistakes=(
            Mistake(
                "of_prototype",
                "You divided by the ones of the prototype. The vigilance asks how much of the sample is found in it.",
                "def resonate(x, w, vigilance):\n    return x & w if (x & w).sum() / w.sum() >= vigilance else w",
            ),
            Mistake(
                "of_pixels",
                "You divided by the number of pixels, the zeros included.",
                "def resonate(x, w, vigilance):\n    return x & w if (x & w).mean() >= vigilance else w",
            ),
            Mistake(
                "union",
                "Your prototype gains the ones of every sample. It would soon be black all over, and match everything.",
                "def resonate(x, w, vigilance):\n    return x | w if (x & w).sum() / x.sum() >= vigilance else w",
            ),
            Mistake(
                "above",
                "At a match of exactly the vigilance the cluster takes the sample.",
                "def resonate(x, w, vigilance):\n    return x & w if (x & w).sum() / x.sum() > vigilance else w",
            ),
            Mistake(
                "always",
                "You never look at the vigilance: then every sample changes the prototype.",
                "def resonate(x, w, vigilance):\n    return x & w",
            ),
            Mistake(
                "replaced",
                "You put the sample in place of the prototype: what was learned before is forgotten.",
                "def resonate(x, w, vigilance):\n    return x if (x & w).sum() / x.sum() >= vigilance else w",
            ),
        ),
        inputs=(
            (LETTER_T, BAR, 0.6),
            (LETTER_L, LETTER_T, 0.5),
            (LETTER_L, LETTER_T, 0.4),
            (BAR, LETTER_T, 0.9),
        ),
    ),
)
