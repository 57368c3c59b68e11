# %% [markdown]
# # Nine optimizers: their speed and memory
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/16_optimizers.ipynb)
#
# `optimizer="adam"` is one word. You write what is behind it: descent, momentum, RMSprop and Adam, a few lines each,
# send them down a valley, and compare your Adam with Keras' own. Then you race them on the digits, count their memory,
# and let Keras lower the learning rate when it is time. About 30 minutes.

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
import time

import keras
import numpy as np

from workshop.exercises import check, hint, solution
from workshop.figures import optimizers as figures
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## A valley
#
# Rosenbrock's valley has its minimum at (1, 1), at the end of a long curved floor. Across it the walls are steep, along
# it the floor is nearly flat: the same is true of the loss of a large network, in many dimensions.


# %%
def height(w):
    """Returns the height at the points w (..., 2)."""
    return (1 - w[..., 0]) ** 2 + 100 * (w[..., 1] - w[..., 0] ** 2) ** 2


def gradient(w):
    """Returns the gradient at one point w (2,)."""
    x, y = w
    return np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])


start = np.array([-1.5, 2.0])
print("height", height(start), "gradient", gradient(start))

# %% [markdown]
# Gradient descent takes a step against the gradient, again and again:

# %%
STEPS = 500


def descent(rate):
    """Returns the path (steps + 1, 2)."""
    w = start.copy()
    path = [w.copy()]
    for _ in range(STEPS):
        w -= rate * gradient(w)
        path.append(w.copy())
    return np.array(path)


for rate in (0.0003, 0.001):
    print(f"rate {rate}: ends at {descent(rate)[-1].round(3)}")

# %% [markdown]
# **A question before you go on.** With the rate 0.003 it leaves all bounds. The steps are too long for the steep walls
# and too short for the flat floor. What would help, without a larger rate?

# %% [markdown]
# ### Your turn 1: a step with momentum
#
# The velocity becomes momentum times the old velocity, minus rate times gradient. Then the weight moves by the new
# velocity. Return a list of the new weight and the new velocity.


# %%
def momentum_step(w, v, gradient, rate, momentum):
    """Returns [new weight, new velocity]; all are numbers."""
    ...


# %%
check("optimizers.1", momentum_step)

# %% [markdown]
# Momentum is that step in the same loop. Only the two lines differ:


# %%
def descent_with_momentum(rate, momentum=0.9):
    """Returns the path (steps + 1, 2)."""
    w, v = start.copy(), np.zeros(2)
    path = [w.copy()]
    for _ in range(STEPS):
        v = momentum * v - rate * gradient(w)
        w += v
        path.append(w.copy())
    return np.array(path)


print("ends at", descent_with_momentum(0.001)[-1].round(3))

# %% [markdown]
# ## A rate for each weight
#
# The walls are steep in one direction and the floor flat in another. RMSprop divides each gradient by its own size, the
# root of a moving average of its squares. Adam has both: a moving average of the gradient, as momentum has, divided by
# that root. Both averages begin at 0, and are corrected for that.


# %%
def rmsprop(rate, rho=0.9, epsilon=1e-7):
    """Returns the path (steps + 1, 2)."""
    w, v = start.copy(), np.zeros(2)
    path = [w.copy()]
    for _ in range(STEPS):
        g = gradient(w)
        v = rho * v + (1 - rho) * g**2
        w -= rate * g / np.sqrt(v + epsilon)
        path.append(w.copy())
    return np.array(path)


# %%
def adam_step(w, m, v, g, t, rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Returns the new w, m and v after step number t, counted from 1."""
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    corrected = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - corrected * m / (np.sqrt(v) + epsilon), m, v


def adam(rate):
    """Returns the path (steps + 1, 2)."""
    w, m, v = start.copy(), np.zeros(2), np.zeros(2)
    path = [w.copy()]
    for t in range(1, STEPS + 1):
        w, m, v = adam_step(w, m, v, gradient(w), t, rate)
        path.append(w.copy())
    return np.array(path)


# %%
paths = {
    "sgd": (0.001, descent(0.001)),
    "momentum": (0.001, descent_with_momentum(0.001)),
    "rmsprop": (0.03, rmsprop(0.03)),
    "adam": (0.1, adam(0.1)),
}
titles = {"sgd": "gradient descent", "momentum": "momentum", "rmsprop": "RMSprop", "adam": "Adam"}
valley = figures.Surface("Rosenbrock's valley", height, gradient, start, 0.0, np.ones((1, 2)), (-2.0, 1.7, -0.8, 2.8))
descents = {}
for name, (rate, path) in paths.items():
    far = np.flatnonzero(height(path) >= 0.01)[-1] + 1  # the last step that is not near the minimum
    descents[name] = figures.Descent(rate, path, height(path), far if far <= STEPS else None)
figures.paths(valley, descents, titles)

# %% [markdown]
# **A question.** RMSprop and Adam are not faster than momentum here. What do their steps look like at first, where the
# walls are steep, and what would you have to do to give plain descent such steps?

# %% [markdown]
# ### Your turn 2: Adam's first step
#
# A weight is 1.0, and its gradient in the first mini-batch 0.001. What is the weight after one step of Adam with the
# rate 0.01? beta_1 is 0.9, beta_2 0.999, epsilon so small that you may leave it out. Give five digits, or let Python
# compute it.

# %%
w = ...

# %%
check("optimizers.2", w)

# %% [markdown]
# ## Is that Keras' Adam?
#
# A hundred steps along random gradients, some of them tiny, yours and Keras' own. The largest difference of the
# weights:

# %%
random = np.random.default_rng(1)
gradients = random.normal(size=(100, 6)) * [1e-8, 1e-6, 1e-4, 0.01, 1, 100]
w, m, v = np.zeros(6), np.zeros(6), np.zeros(6)
by_keras = keras.Variable(np.zeros(6), dtype="float64")
optimizer = keras.optimizers.Adam(learning_rate=0.001)
for t, g in enumerate(gradients, 1):
    w, m, v = adam_step(w, m, v, g, t)
    optimizer.apply([keras.ops.convert_to_tensor(g)], [by_keras])
print("largest difference:", np.abs(w - keras.ops.convert_to_numpy(by_keras)).max())

# %% [markdown]
# PyTorch's Adam is another one, a little: it adds epsilon to the *corrected* root. You see it where a gradient is about
# as small as epsilon, and nowhere else. `python -m workshop.optimizers` shows for all nine which term differs.
#
# ## Rprop
#
# The oldest of those with a step for each weight looks at signs only:

# %% [markdown]
# ### Your turn 3: Rprop, which sees signs only
#
# Write Rprop for one weight that starts at 0. `length` is the length of the first step. Where the sign of the gradient
# is that of the one before, the length is first multiplied by 1.2; where it has changed, by 0.5. Then the weight moves
# by that length, against the gradient. (The limits of the length, and the rest after a change, are left out.) Return
# the weight after all gradients. No gradient is 0.


# %%
def rprop(gradients, length):
    """Returns the weight after steps along a list of gradients; `length` is the first step's."""
    ...


# %%
check("optimizers.3", rprop)

# %%
nine_and_one = [0.1] * 9 + [-0.9]
print("descent:", round(-0.01 * sum(nine_and_one), 6))
print("yours:  ", rprop(nine_and_one, 0.01))

# %% [markdown]
# **A question.** Ten mini-batches have these gradients, one weight's. Their mean is 0: the weight is where it should
# be. Which of the two optimizers would you train a network with, mini-batch after mini-batch? RMSprop was invented as
# "Rprop for mini-batches": it divides by a size that is averaged over mini-batches.
#
# ## Memory
#
# A velocity for each weight is a second copy of the network. Keras' optimizers say what they keep:

# %%
weights = keras.Variable(np.zeros(25_990, "float32"))  # those of a network 784-32-20-10
kinds = {
    "gradient descent": keras.optimizers.SGD(),
    "momentum": keras.optimizers.SGD(momentum=0.9),
    "Adagrad": keras.optimizers.Adagrad(),
    "RMSprop": keras.optimizers.RMSprop(),
    "Adam": keras.optimizers.Adam(),
    "Nadam": keras.optimizers.Nadam(),
    "Adadelta": keras.optimizers.Adadelta(),
}
for name, optimizer in kinds.items():
    optimizer.build([weights])
    memory = sum(np.prod(variable.shape) for variable in optimizer.variables)
    print(f"{name:17} {2 + memory / 25_990:.2f} times the weights, their gradient included")

# %% [markdown]
# ### Your turn 4: the memory of Adam
#
# The network 784-500-300-10 has 545,810 weights, four bytes each. How many megabytes (millions of bytes) do the
# weights, their gradient and Adam's memory take together?

# %%
megabytes = ...

# %%
check("optimizers.4", megabytes)

# %% [markdown]
# ## The race on the digits
#
# 784-500-300-10, an epoch each, from the same weights. A rate that suits one does not suit the other; these were tried
# out.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS = 1000, 500, 2"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
EPOCHS = 15  # of the last part

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
X_train, y_train = images.X_train / np.float32(255), images.y_train
X_test, y_test = images.X_test / np.float32(255), images.y_test
print(images.source, X_train.shape)


# %%
def build(hidden_units):
    """Returns a dense network, drawn with the same seed each time."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    for units in hidden_units:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model


class Losses(keras.callbacks.Callback):
    """Remembers the loss after each step, an average since the epoch's beginning, and the time."""

    def on_train_begin(self, logs=None):
        self.losses, self.times = [], []

    def on_train_batch_end(self, batch, logs):
        self.losses.append(logs["loss"])
        self.times.append(time.perf_counter())


# %%
optimizers = {
    "sgd": keras.optimizers.SGD(0.3),
    "momentum": keras.optimizers.SGD(0.1, momentum=0.9),
    "rmsprop": keras.optimizers.RMSprop(0.001),
    "adam": keras.optimizers.Adam(0.002),
}
curves = {}
for name, optimizer in optimizers.items():
    model = build([500, 300])
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    race = Losses()
    model.fit(X_train, y_train, batch_size=128, epochs=1, callbacks=[race], verbose=0)
    loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
    print(f"{titles[name]:17} {accuracy:.2%} of the test images classified correctly")
    curves[name] = (range(len(race.losses)), race.losses, np.median(np.diff(race.times)))

# %%
figures.digits(curves, titles, images.source)

# %% [markdown]
# **Questions.** Which one is ahead after fifty steps, and which at the end? Does the order change from steps to
# seconds? On MNIST expect 94 to 97 %, with Adam among the first.
#
# ## When the loss stalls
#
# A high rate is quick at first. Later it swings around the minimum and comes to no rest. `ReduceLROnPlateau` watches
# the validation loss, and lowers the rate when it stalls.

# %%
small, held_out = slice(TRAIN_IMAGES // 40, TRAIN_IMAGES // 8), slice(0, TRAIN_IMAGES // 40)
callback = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.2, patience=3)
stalled = {}
for name, callbacks in {"constant": [], "lowered": [callback]}.items():
    model = build([32, 20])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    validation = (X_train[held_out], y_train[held_out])
    history = model.fit(
        X_train[small], y_train[small], epochs=EPOCHS, validation_data=validation, callbacks=callbacks, verbose=0
    ).history
    loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
    rates = history.get("learning_rate", [0.1] * EPOCHS)
    stalled[name] = figures.Stalled(history["loss"], history["val_loss"], rates, accuracy)
    print(f"{name}: test accuracy {accuracy:.2%}, validation loss {history['val_loss'][-1]:.3f}")

# %%
figures.plateau(stalled)

# %% [markdown]
# **A question.** Would a low rate from the beginning have done the same? How many epochs would it have needed?

# %% [markdown]
# ### Your turn 5: lower the rate when the loss stalls
#
# `losses` has the validation loss after each epoch. Where it has not been below its lowest for `patience` epochs in a
# row, the rate of the next epoch is multiplied by `factor`, and the waiting begins anew. Return the list of the rates
# that the epochs were trained with; the first is `rate`.


# %%
def lowered(losses, rate, factor, patience):
    """Returns the rate of each epoch, a list as long as the losses."""
    ...


# %%
check("optimizers.5", lowered)

# %% [markdown]
# ## Keep the model
#
# The last one, whose rate was lowered. The optimizer's memory is kept in the file as well, unless you say no: it is
# needed to go on training, and for nothing else.

# %%
model.save("digits_small.h5", include_optimizer=False)
notebook.download("digits_small.h5")

# %%
again = keras.models.load_model("digits_small.h5", compile=False)  # to predict, not to go on training
same = np.allclose(again.predict(X_test[:100], verbose=0), model.predict(X_test[:100], verbose=0), atol=1e-5)
print("the same predictions:", same)

# %% [markdown]
# `python -m apps.digit --model digits_small.h5 YOUR-PICTURE.png` reads a digit with it.
#
# ## What to try next
#
# - Adagrad and Adadelta in the race. `keras.optimizers.Adadelta()` has the rate 0.001, its paper 1: try both.
# - The four paths with a rate three times as large. Which of them bear it?
# - `python -m workshop.optimizers`: all nine, on four surfaces, with an animation.
