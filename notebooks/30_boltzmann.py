# %% [markdown]
# # Boltzmann machines: digits that a network generates
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/30_boltzmann.ipynb)
#
# A restricted Boltzmann machine has no output and no labels. It gives every image an energy, learns to make digits
# likely, and generates new ones. You write it in NumPy, compare its learning rule with the exact gradient, predict what
# guests think of restaurants, and put two machines one upon the other: a network that Keras fine-tunes with 100
# labels. About 40 minutes, of which the computer needs one.

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
import itertools

import keras
import numpy as np
import pandas as pd

from workshop.exercises import check, hint, solution
from workshop.figures import boltzmann as figures
from workshop.kit.data.images import load_image_set

# %% tags=["parameters"] quick="EPOCHS, SEEDS, CHAIN = 1, 1, 20"
EPOCHS = 5  # passes over the digits
SEEDS = 3  # random starts of the networks that are compared
CHAIN = 300  # steps of a chain from noise

# %% [markdown]
# ## Energy
#
# A machine has **visible** units, the pixels, and **hidden** ones. Each is 0 or 1. Every visible unit is joined to
# every hidden one by a weight, and no two of a kind are joined: that is why it is called *restricted*. The weights give
# each state an energy, and low energy means likely: P(v, h) = exp(-E(v, h)) / Z, where Z is the sum of exp(-E) over all
# states.
#
# ### Your turn 1: the energy of a state
#
# Return the energy of one state of a machine: E = -(sum of v_i W_ij h_j) - (sum of b_i v_i) - (sum of c_j h_j). v are
# the visible units and h the hidden ones, each 0 or 1.


# %%
def energy(v, h, W, b, c):
    """Returns the energy, a number, of v (visible,) and h (hidden,), with W (visible, hidden), b and c."""
    ...


# %%
check("boltzmann.1", energy)

# %% [markdown]
# `hint("boltzmann.1")` gives a hint, and `solution("boltzmann.1")` the solution. Try yourself first.
#
# ### Your turn 2: how much likelier
#
# The probability of a state is exp(-E) / Z, with the same Z for all states. One state has the energy 1, another one 3.
# How many times as likely is the first one as the second? Round to two places.

# %%
times = ...

# %%
check("boltzmann.2", times)

# %% [markdown]
# ### Your turn 3: the hidden units
#
# Return the probabilities that the hidden units are 1, given the visible ones: the sigmoid of the weighted sum of the
# visible units and the bias. v holds several samples, one in each row.


# %%
def hidden_probabilities(v, W, c):
    """Returns P(h = 1 | v), (samples, hidden), of v (samples, visible), W (visible, hidden) and c (hidden,)."""
    ...


# %%
check("boltzmann.3", hidden_probabilities)

# %% [markdown]
# ## A machine so small that we know everything
#
# 3 visible and 4 hidden units have 128 states: we can sum over all of them.

# %%
random = np.random.default_rng(1)


def sigmoid(x):
    """Returns 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def all_states(units):
    """Returns all states of so many units (2^units, units)."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def joint(W, b, c):
    """Returns P(v, h) of all states (2^visible, 2^hidden), and ln Z."""
    v, h = all_states(len(b)), all_states(len(c))
    exponentials = np.exp(v @ W @ h.T + (v @ b)[:, None] + h @ c)  # exp(-E)
    return exponentials / exponentials.sum(), np.log(exponentials.sum())


W, b, c = random.normal(0, 1, (3, 4)), random.normal(0, 1, 3), random.normal(0, 1, 4)
P, log_z = joint(W, b, c)
print(P.size, "states; their probabilities add up to", P.sum().round(6), "and ln Z is", log_z.round(3))

# %% [markdown]
# The hidden units of a pattern are not known. But each is independent of the others, and the sum over all of them is a
# formula, the **free energy**: F(v) = -b v - sum of ln(1 + exp(c_j + (v W)_j)), with P(v) = exp(-F(v)) / Z.


# %%
def free_energy(v, W, b, c):
    """Returns F(v) of each row of v."""
    return -v @ b - np.logaddexp(0, v @ W + c).sum(axis=1)


print("by the formula:       ", np.exp(-free_energy(all_states(3), W, b, c) - log_z).round(4))
print("by sums of all states:", P.sum(axis=1).round(4))

# %% [markdown]
# **A question before you go on.** For 784 pixels, how many terms has Z? Could any computer add them up?
#
# The gradient of ln P of the patterns is a difference of two means: of v_i h_j over the patterns, and over the
# machine's own distribution. The second mean takes all states, or a very long random walk between them. Hinton's idea
# (2002): a *short* walk that starts at the patterns, hidden units from visible ones, visible from hidden ones, k times.
# That is **contrastive divergence**, CD-k.
#
# ### Your turn 4: contrastive divergence
#
# v are digits and h the probabilities of the hidden units for them; v_k and h_k are the same where a chain from the
# digits has come to. Return the change of the weights: the mean over all samples of the products v_i h_j, less the mean
# of the products v_k,i h_k,j.


# %%
def change(v, h, v_k, h_k):
    """Returns the change (visible, hidden) of the weights, of v, v_k (samples, visible), h, h_k (samples, hidden)."""
    ...


# %%
check("boltzmann.4", change)


# %%
def sample(probabilities):
    """Returns units that are 1 with these probabilities."""
    return (random.random(probabilities.shape) < probabilities).astype(probabilities.dtype)


def chain(v, k, W, b, c):
    """Returns the visible units after k steps of a chain from v."""
    for _ in range(k):
        v = sample(sigmoid(sample(sigmoid(v @ W + c)) @ W.T + b))
    return v


patterns = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
states = np.repeat(patterns, 50_000, axis=0)
P, _ = joint(W, b, c)
exact = patterns.T @ sigmoid(patterns @ W + c) / len(patterns) - all_states(3).T @ P @ all_states(4)
for k in (1, 3, 10, 30):
    v_k = chain(states, k, W, b, c)
    by_chain = (states.T @ sigmoid(states @ W + c) - v_k.T @ sigmoid(v_k @ W + c)) / len(states)
    error = np.linalg.norm(by_chain - exact) / np.linalg.norm(exact)
    print(f"CD-{k}: {error:.1%} away from the exact gradient")

# %% [markdown]
# The longer the chain, the nearer. What is left in the end is the noise of the samples. For training a single step
# does, because the direction is nearly right.
#
# ## Digits
#
# 784 pixels and 256 hidden units. The pixels are grey: we take them for probabilities, and so does the chain. The
# visible biases begin with the means of the pixels, so the weights need not learn what all digits have in common.

# %%
images = load_image_set("mnist")
X = images.X_train.reshape(-1, 784).astype(np.float32) / 255
X_test = images.X_test.reshape(-1, 784).astype(np.float32) / 255
X, X_held_out = X[: -len(X) // 12], X[-len(X) // 12 :]
print(X.shape, X_held_out.shape)


# %%
def train_machine(X, hidden_units, epochs, sampled_epochs, persistent=False):
    """Returns W, b and c of a machine; for `sampled_epochs` its chain draws the visible units, then it keeps greys."""
    p = X.mean(axis=0).clip(0.001, 0.999)
    W = random.normal(0, 0.01, (X.shape[1], hidden_units)).astype(np.float32)
    b, c = np.log(p / (1 - p)), np.zeros(hidden_units, np.float32)
    velocities = [np.zeros_like(W), np.zeros_like(b), np.zeros_like(c)]
    v_k = sample(np.tile(p, (100, 1)))
    for epoch in range(epochs):
        momentum = 0.5 if epoch == 0 or persistent else 0.9
        rate = 0.05 * (1 - epoch / epochs) if persistent else 0.1
        for rows in np.array_split(random.permutation(len(X)), max(1, len(X) // 100)):
            v = X[rows]
            h = sigmoid(v @ W + c)
            h_k = sigmoid(v_k @ W + c) if persistent else h  # the chain goes on, or starts at the digits
            v_k = sigmoid(sample(h_k) @ W.T + b)
            v_k = sample(v_k) if epoch < sampled_epochs else v_k
            h_k = sigmoid(v_k @ W + c)
            slope_W = v.T @ h / len(v) - v_k.T @ h_k / len(v_k) - 0.0001 * W
            slopes = (slope_W, v.mean(axis=0) - v_k.mean(axis=0), h.mean(axis=0) - h_k.mean(axis=0))
            for parameter, velocity, slope in zip((W, b, c), velocities, slopes, strict=True):
                velocity *= momentum
                velocity += rate * slope
                parameter += velocity
        some = X[:2000]
        error = np.square(sigmoid(sigmoid(some @ W + c) @ W.T + b) - some).mean()
        print(f"epoch {epoch + 1}: error of reconstructions {error:.4f}")
    return W, b, c


W, b, c = train_machine(X, 256, EPOCHS, sampled_epochs=EPOCHS - 2)
test_error = np.square(sigmoid(sigmoid(X_test @ W + c) @ W.T + b) - X_test).mean()
print(f"test images: {test_error:.4f}, by the mean image: {np.square(X.mean(axis=0) - X_test).mean():.4f}")

# %% [markdown]
# With the real digits, expect an error of about 0.006 after five epochs.

# %%
figures.reconstructions(X_test[:10], sigmoid(sigmoid(X_test[:10] @ W + c) @ W.T + b))

# %% [markdown]
# **A question.** What does a hidden unit look at? Guess before you draw the weights.

# %%
figures.filters(W.T, sigmoid(X_test @ W + c).mean(axis=0))

# %% [markdown]
# Strokes, and spots that are compared with their surroundings. Nobody told it that digits are made of strokes.
#
# ### The free energy tells who memorises
#
# P(v) itself we cannot compute, because of Z. But Z is the same for all images. The difference of two free energies is
# a difference of ln P.

# %%
training, held_out = free_energy(X[:5000], W, b, c).mean(), free_energy(X_held_out, W, b, c).mean()
print(f"free energy: training images {training:.1f}, held-out images {held_out:.1f}, gap {held_out - training:.1f}")

# %% [markdown]
# ### Your turn 5: what the gap says
#
# The reconstruction error falls from epoch to epoch. The free energy of held-out images was as high as that of the
# training images at first; now it is higher, and the gap grows. What happens? `"a"`: the machine learns, all is well.
# `"b"`: it begins to memorise the training images. `"c"`: the learning rate is too large and it diverges. `"d"`: Z has
# changed, and the gap says nothing.

# %%
happens = ...

# %%
check("boltzmann.5", happens)

# %% [markdown]
# ### A chain from noise
#
# The chain starts from noise: hidden units from pixels, pixels from hidden units, again and again. Each state is a
# sample of the machine. **A question.** Will they be digits?


# %%
def run_chain(W, b, c, steps):
    """Returns the probabilities of the pixels after some steps of chains from noise."""
    v = random.random((8, 784), dtype=np.float32)
    frames = {0: v}
    for step in range(1, steps + 1):
        p = sigmoid(sample(sigmoid(v @ W + c)) @ W.T + b)
        v = sample(p)
        if step in (1, 5, 20, 100, steps):
            frames[step] = p
    return frames


by_short_chains = run_chain(W, b, c, CHAIN)
figures.samples(by_short_chains)

# %% [markdown]
# They are not. In training each chain started at a digit and took one step: what lies far from digits the machine has
# never unlearned. **Persistent** chains (Tieleman, 2008) never start anew. They go wherever the machine leads them,
# and there it is corrected.

# %%
by_long_chains = run_chain(*train_machine(X, 256, 2, sampled_epochs=2, persistent=True), CHAIN)
figures.samples(by_short_chains, by_long_chains)

# %% [markdown]
# ## Recommendations
#
# Guests have rated restaurants, most of them only a few. In Colab, choose a CSV file whose first three columns are the
# guest, the restaurant and the rating; elsewhere put it beside the notebook as `my-ratings.csv`. Without one, the
# ratings are made up: some guests are kind, some restaurants good.

# %%
path = notebook.upload("my-ratings.csv")
if path is None:
    guests, places = np.nonzero(random.random((138, 130)) < 0.07)
    kind, good = random.normal(1.2, 0.5, 138), random.normal(0, 0.35, 130)
    stars = np.clip(np.rint(kind[guests] + good[places] + random.normal(0, 0.4, len(guests))), 0, 2)
else:
    table = pd.read_csv(path, sep=None, engine="python").dropna()
    guests, places = (pd.factorize(table.iloc[:, i])[0] for i in (0, 1))
    stars = table.iloc[:, 2].to_numpy(float)
print(len(stars), "ratings by", guests.max() + 1, "guests of", places.max() + 1, "restaurants")

# %% [markdown]
# ### Your turn 6: a bias that is shrunk
#
# A guest has rated a few restaurants: `differences` says by how much each rating lies above the mean of all ratings.
# Return the guest's bias: the sum of the differences, divided by how many there are plus `shrinkage`.


# %%
def bias(differences, shrinkage):
    """Returns the bias, a number, of the differences (ratings,)."""
    ...


# %%
check("boltzmann.6", bias)


# %%
def shrunk(groups, differences, count, shrinkage):
    """Returns the bias of each of `count` groups."""
    return np.bincount(groups, differences, count) / np.maximum(np.bincount(groups, minlength=count) + shrinkage, 1e-9)


order = random.permutation(len(stars))
test, train = np.split(order, [len(order) // 5])
mean, n_guests, n_places = stars[train].mean(), guests.max() + 1, places.max() + 1
above = stars[train] - mean
of_guests = shrunk(guests[train], above, n_guests, 2)
of_places = shrunk(places[train], above - of_guests[guests[train]], n_places, 10)

# %% [markdown]
# Now a machine. A restaurant is a sample. Each guest is a group of visible units, one for each number of stars, and one
# of them is 1: of a group the machine takes the softmax. Where a guest has not rated, all units are 0 and stay so.

# %%
values, grades = np.unique(stars, return_inverse=True)
groups = np.zeros((n_places, n_guests, len(values)))
groups[places[train], guests[train], grades[train]] = 1
rated = groups.sum(axis=2, keepdims=True)


def softmax(x):
    """Returns probabilities that add up to 1 over the last axis."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


shares = np.bincount(grades[train]) / len(train)
own = groups.sum(axis=0) + len(values) * (shares + 0.01)  # of a guest's own ratings, and a few of everybody's
V = random.normal(0, 0.01, (n_guests, len(values), 20))  # the weights, to 20 hidden units
v_bias, h_bias = np.log(own / own.sum(axis=1, keepdims=True)), np.zeros(20)

# %%
for _ in range(300):
    rows = random.choice(n_places, min(n_places, 30), replace=False)
    v = groups[rows]
    h = sigmoid(np.einsum("nij,ijk->nk", v, V) + h_bias)
    v_1 = softmax(np.einsum("nk,ijk->nij", sample(h), V) + v_bias) * rated[rows]
    h_1 = sigmoid(np.einsum("nij,ijk->nk", v_1, V) + h_bias)
    positive, negative = np.einsum("nij,nk->ijk", v, h), np.einsum("nij,nk->ijk", v_1, h_1)
    V += 0.1 * ((positive - negative) / len(rows) - 0.05 * V)
    v_bias += 0.1 * (v - v_1).mean(axis=0)
    h_bias += 0.1 * (h - h_1).mean(axis=0)
h = sigmoid(np.einsum("nij,ijk->nk", groups, V) + h_bias)
by_machine = softmax(np.einsum("nk,ijk->nij", h, V) + v_bias) @ values  # (places, guests)

# %%
predictions = {
    "mean of all ratings": np.full(len(test), mean),
    "the guest's mean": mean + shrunk(guests[train], above, n_guests, 0)[guests[test]],
    "both biases, shrunk": mean + of_guests[guests[test]] + of_places[places[test]],
    "Boltzmann machine": by_machine[places[test], guests[test]],
}
for name, predicted in predictions.items():
    print(f"{name:22} {np.sqrt(np.mean((predicted - stars[test]) ** 2)):.3f}")

# %% [markdown]
# **A question.** Which way wins? Run it again from the split on: does the same one win? A simple rule is hard to beat
# with a thousand ratings; Netflix had a hundred million.
#
# ## Two machines, one upon the other
#
# A second machine takes the hidden units of the first for its visible ones. Together they are the beginning of a
# network 784-256-128, a **deep belief network**, and no label was needed. Keras gets the weights, adds an output and
# fine-tunes all of it with 100 labels.

# %%
features = sigmoid(X @ W + c)
W_2, b_2, c_2 = train_machine(features, 128, EPOCHS, sampled_epochs=EPOCHS)


# %%
def build():
    """Returns the network, with random weights."""
    return keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(256, activation="sigmoid"),
            keras.layers.Dense(128, activation="sigmoid"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def fine_tune(model, rows):
    """Trains a network on some of the digits; returns its test accuracy."""
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[rows], images.y_train[rows], batch_size=50, epochs=40, verbose=0)
    return model.evaluate(X_test, images.y_test, batch_size=1000, verbose=0)[1]


# %%
results = {"pre-trained": [], "random weights": []}
for seed in range(SEEDS):
    keras.utils.set_random_seed(seed)
    of_digits = [np.flatnonzero(images.y_train[: len(X)] == digit) for digit in range(10)]
    rows = np.concatenate([random.choice(candidates, 10, replace=False) for candidates in of_digits])
    pretrained, random_start = build(), build()
    pretrained.layers[0].set_weights([W, c])
    pretrained.layers[1].set_weights([W_2, c_2])
    results["pre-trained"].append(fine_tune(pretrained, rows))
    results["random weights"].append(fine_tune(random_start, rows))
for name, accuracies in results.items():
    print(f"{name:15} {np.mean(accuracies):.1%} of the test digits, after 100 labels", np.round(accuracies, 3))

# %% [markdown]
# **A question.** And with 1,000 labels? With all 60,000? Change the 10 in `random.choice`.
#
# ## Save it
#
# A trained machine is a layer of Keras. The fine-tuned network predicts digits.

# %%
pretrained.save("boltzmann.h5")
reloaded = keras.models.load_model("boltzmann.h5", compile=False)
print(reloaded.predict(X_test[:10], verbose=0).argmax(axis=1), images.y_test[:10])

# %%
notebook.download("boltzmann.h5")

# %% [markdown]
# ## On your own
#
# - 64 hidden units instead of 256: what becomes of the reconstructions and of the filters?
# - The chain of the training: three steps instead of one. Are the samples better?
# - The console tells the whole story, with two animations: `python -m workshop.boltzmann`. It takes ratings of your
#   own, too: `python -m workshop.boltzmann --data my-ratings.csv`.
