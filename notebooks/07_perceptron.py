# %% [markdown]
# # The perceptron: a neuron that learns from its mistakes
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/07_perceptron.ipynb)
#
# In 1958 Frank Rosenblatt built a neuron that finds a line between two classes by itself: whenever it is wrong, it
# moves the line. You compute it by hand, write its rule in NumPy, count what it costs, and see where it fails. About 25
# minutes; nothing here takes longer than a few seconds.

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
import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron

from workshop.exercises import check, hint, solution
from workshop.figures import perceptron as figures

# %% [markdown]
# ## A line, and the neuron that fires on one side of it
#
# The neuron has a weight for each input, and a bias. It adds up: w.x + b. Where the sum is above 0, it fires. Where it
# is exactly 0 lies a line.

# %%
w, b = np.array([1.0, -4.0]), 3.0
points = np.array([(-3, 0), (-7, -1), (1, 1), (-6, 3), (-11, 0), (7, 3), (0, 0), (-9, -3)], dtype=float)
sums = points @ w + b
for point, total in zip(points, sums, strict=True):
    print(f"({point[0]:3g}, {point[1]:2g}): sum {total:3g}, {'fires' if total > 0 else 'silent'}")

# %%
figures.neuron(np.append(w, b), points, sums)

# %% [markdown]
# **A question before you go on.** Three points lie on the line. Does the neuron fire there? Some programs say yes:
# MATLAB's `hardlims` gives 1 at 0. Here it is silent, as f = 1 if w.x + b > 0 says.
#
# ### Your turn 1: the threshold neuron
#
# Return 1 where the neuron fires, and 0 where it does not. It fires where `w @ x + b` is above 0, and not at 0.


# %%
def fires(x, w, b):
    """Returns 1 or 0 for one point x (features,), weights w (features,) and the bias b."""
    ...


# %%
check("perceptron.1", fires)

# %% [markdown]
# `hint("perceptron.1")` gives a hint, and `solution("perceptron.1")` the solution. Try yourself first.
#
# ## The rule
#
# The neuron looks at one sample after the other. Where its output is right, nothing changes. Where it is wrong, the
# weights change by
#
#     w <- w + rate * (class - output) * x
#
# and so does the bias, as the weight of an input that is always 1.
#
# ### Your turn 2: AND by hand
#
# A neuron with the classes 0 and 1 learns AND. The samples (0, 0), (0, 1), (1, 0), (1, 1) come in this order; their
# classes are 0, 0, 0, 1. It begins with the weights 0.1 and 0.1 and the bias -0.05, and the learning rate is 0.02.
# Which are w1, w2 and b after the first sample that changes them? Give a list of three numbers; pencil and paper are
# enough.

# %%
weights = ...

# %%
check("perceptron.2", weights)

# %% [markdown]
# Now 30 points around the line above, none too near to it. The neuron begins with all weights 0 and does not know the
# line: it only hears, for each point, on which side it lies, 1 or -1.

# %%
random = np.random.default_rng(1)
candidates = random.uniform((-12, -5), (8, 6), (500, 2)).round(2)
distance = (candidates @ w + b) / np.linalg.norm(w)
above, below = candidates[distance > 0.4][:15], candidates[distance < -0.4][:15]
points = np.stack([above, below], axis=1).reshape(-1, 2)  # in turn one from above and one from below
y = np.tile([1, -1], 15)
X = np.column_stack([points, np.ones(30)])  # a column of ones: the last weight is the bias

# %%
w = np.zeros(3)
for epoch in range(1, 100):
    mistakes = 0
    for x, target in zip(X, y, strict=True):
        output = 1 if x @ w > 0 else -1
        if output != target:
            w = w + (target - output) * x
            mistakes += 1
    print("epoch", epoch, "mistakes", mistakes, "weights", w.round(2))
    if mistakes == 0:
        break
online = w

# %% [markdown]
# It ends with an epoch without a mistake. That it always ends where a line separates the classes is a theorem
# (Novikoff, 1962).
#
# **A question.** Are these the weights 1, -4 and 3 that made the classes? Must they be?

# %%
names, classes = ("x1", "x2"), ("-1", "1")
figure, axes = plt.subplots(figsize=(8, 5))
figures.draw_samples(axes, X, y, names, classes, "The line that the neuron found")
figures.draw_line(axes, online, color="black", label="found")
figures.draw_line(axes, np.array([1.0, -4.0, 3.0]), color="grey", linestyle=":", label="of the data")
axes.legend()
plt.show()

# %% [markdown]
# ### Your turn 3: all samples at once
#
# Online training changes the weights after each sample. Batch training looks at all samples first, with the same
# weights, and adds up their changes. Return that sum: of (class - output) times x over all samples, with the classes -1
# and 1, and output 1 where `x @ w` is above 0, else -1. The last column of `X` is 1, so the last weight is the bias.


# %%
def batch_change(X, y, w):
    """Returns the change (weights,) of w (weights,) by samples X (samples, weights) of classes y (samples,)."""
    ...


# %%
check("perceptron.3", batch_change)

# %% [markdown]
# ## Online, mini-batch, batch
#
# A sample at a time, eight at a time, or all at once: `batch_size` makes the three of one loop.


# %%
def train(X, y, batch_size, epochs=1000):
    """Returns the weights, the epochs and the updates; ends with an epoch that had no mistake."""
    w = np.zeros(X.shape[1])
    epoch, updates, mistakes = 0, 0, 1
    while mistakes and epoch < epochs:
        epoch, mistakes = epoch + 1, 0
        for first in range(0, len(X), batch_size):
            x, target = X[first : first + batch_size], y[first : first + batch_size]
            output = np.where(x @ w > 0, 1, -1)
            wrong = np.sum(output != target)
            if wrong:
                w = w + (target - output) @ x
                updates, mistakes = updates + 1, mistakes + wrong
    return w, epoch, updates


# %%
sizes = {"online": 1, "mini-batch": 8, "batch": len(X)}
by_size = {}
for name, batch_size in sizes.items():
    by_size[name], epochs, updates = train(X, y, batch_size)
    print(f"{name:10}: {epochs} epochs, {updates} updates, weights {by_size[name].round(2)}")

# %% [markdown]
# **A question.** The same points in another order: which of the three will need another number of updates?

# %%
counts = {}
orders = [random.permutation(len(X)) for _ in range(20)]
for name, batch_size in sizes.items():
    counts[name] = np.array([train(X[order], y[order], batch_size)[1:] for order in orders])
figures.orders(X, y, names, classes, by_size, counts)

# %% [markdown]
# In batch training the order cannot matter: it is a sum. For the same reason several workers can share it: each adds up
# its part.


# %%
def change(X, y, w):
    """Returns the sum of the changes by these samples."""
    return (y - np.where(X @ w > 0, 1, -1)) @ X


w = np.array([1.0, 1.0, 1.0])
with Parallel(n_jobs=2, prefer="threads") as parallel:
    halves = parallel(delayed(change)(X[part], y[part], w) for part in (slice(0, 15), slice(15, 30)))
print("one worker ", change(X, y, w))
print("two workers", halves[0] + halves[1])

# %% [markdown]
# scikit-learn has the same rule, with errors of 1 in place of 2: its weights are half as large, and the line is the
# same.

# %%
w, epochs, updates = train(X, y, batch_size=1)
perceptron = Perceptron(max_iter=epochs, tol=None, shuffle=False).fit(X[:, :2], y)
print("yours       ", w)
print("scikit-learn", np.append(perceptron.coef_, perceptron.intercept_))

# %% [markdown]
# ## An outlier
#
# One more sample, far away and with the wrong class: (60, -40) as class -1, deep in the region of class 1.
#
# **A question.** Its x is long. What does that do to (class - output) x?

# %%
outlier = np.array([60.0, -40.0, 1.0])
X_more, y_more = np.vstack([X, outlier]), np.append(y, -1)
after_online = w + (-1 - 1) * outlier
after_batch = w + change(X_more, y_more, w) / len(X_more)  # the mean, so that one of 31 samples has a 31st of a say


# %%
def turned(v, w):
    """Returns by how many degrees the line turned."""
    return np.degrees(np.arccos(v[:2] @ w[:2] / np.linalg.norm(v[:2]) / np.linalg.norm(w[:2])))


print(f"online turns the line by {turned(w, after_online):.0f} degrees, batch by {turned(w, after_batch):.0f}")
figures.outlier(X, y, names, classes, w, {"online": [after_online], "batch": [after_batch]})

# %% [markdown]
# ### Your turn 4: the majority of three
#
# Choose the weights of a neuron with three inputs, each 0 or 1, that fires where at least two of them are 1. It fires
# where w1 x1 + w2 x2 + w3 x3 + b is above 0. Give the list [w1, w2, w3, b].

# %%
majority = ...

# %%
check("perceptron.4", majority)

# %% [markdown]
# ## Where no line separates the classes
#
# Two kinds of irises, 50 flowers each, measured by Anderson and published by Fisher in 1936: their petals overlap. Here
# the rule cannot end.

# %%
irises = load_iris()
rows = random.permutation(np.flatnonzero(irises.target > 0))
petals = 10 * irises.data[rows, 2:]  # in millimetres
features, kinds = ("petal length - 49, mm", "petal width - 17, mm"), ("versicolor", "virginica")
X_iris = np.column_stack([petals.round() - (49, 17), np.ones(100)])
y_iris = np.where(irises.target[rows] == 2, 1, -1)

# %%
w = np.zeros(3)
path, mistakes = [], []
for _epoch in range(200):
    wrong = 0
    for x, target in zip(X_iris, y_iris, strict=True):
        output = 1 if x @ w > 0 else -1
        w = w + (target - output) * x
        wrong += output != target
    path.append(w)
    mistakes.append(wrong)
print("mistakes in the last ten epochs:", [int(wrong) for wrong in mistakes[-10:]])

# %% [markdown]
# **A question.** The inputs are whole numbers, and so are the weights: there are only so many of them within reach.
# What must happen, if the rule goes on for ever?

# %%
first_epochs = {}
for epoch, weights_then in enumerate(path, 1):
    earlier = first_epochs.setdefault(weights_then.tobytes(), epoch)
    if earlier < epoch:
        print(f"the weights after epoch {earlier} are back after epoch {epoch}: it goes round in a circle")
        break
else:
    print("no weights came back within these epochs")

# %% [markdown]
# ## One change: the Adaline
#
# Widrow and Hoff (1960) took the error before the threshold: class - w.x, not class - output. Then a sample that is
# nearly right changes little. It is gradient descent on squared errors, which has one lowest point, whether a line
# separates the classes or not. (This is called the **delta rule**.)

# %%
w = np.zeros(3)
rate = 1 / np.linalg.eigvalsh(X_iris.T @ X_iris)[-1]  # a step that cannot overshoot
adaline_path, adaline_mistakes = [], []
for _epoch in range(5000):
    w = w + rate * (y_iris - X_iris @ w) @ X_iris
    adaline_path.append(w)
    adaline_mistakes.append(np.sum(np.where(X_iris @ w > 0, 1, -1) != y_iris))
print(f"weights {w.round(4)}, {1 - adaline_mistakes[-1] / 100:.0%} of the flowers classified correctly")

# %%
paths = {"perceptron": np.array(path), "Adaline": np.array(adaline_path)}
figures.adaline(X_iris, y_iris, features, kinds, paths, {"perceptron": mistakes, "Adaline": adaline_mistakes})

# %% [markdown]
# The perceptron's line never rests; the Adaline's comes to one place, between the two classes. Put a sigmoid in place
# of the threshold and cross-entropy in place of squares, and you have the neuron that Keras trains today.
#
# ## What to try next
#
# - Momentum: keep the last change, v, and add a share of it: `v = 0.5 * v + (target - output) * x; w = w + v`. Does it
#   need fewer updates?
# - The classes 0 and 1 in place of -1 and 1: what happens to the weights, and what to the line?
# - Learn XOR, (0, 0), (0, 1), (1, 0), (1, 1) with the classes -1, 1, 1, -1. How does it end?
# - The next notebook: metrics. Are 93 of 100 flowers good?
