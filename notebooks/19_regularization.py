# %% [markdown]
# # Overfitting, and what helps against it
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/19_regularization.ipynb)
#
# A network with more weights than images memorises them: it has every one right, and many new ones wrong. You watch it
# happen on a thousand digits, and then try what helps: a penalty for large weights, a largest norm, dropout, more
# images. About 30 minutes, of which it trains for one or two.

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
import keras
import matplotlib.pyplot as plt
import numpy as np

from workshop.exercises import check, hint, solution
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## A thousand digits
#
# MNIST has 60,000 training images. Here the network gets the first thousand, and 28,630 weights to remember them with.
# The test images are all 10,000.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS, REMEDY_EPOCHS = 200, 200, 4, 2"
TRAIN_IMAGES = 1000
TEST_IMAGES = 10_000
EPOCHS = 120
REMEDY_EPOCHS = 60

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(images.source)
X_train = images.X_train.reshape(-1, 784).astype("float32") / 255
X_test = images.X_test.reshape(-1, 784).astype("float32") / 255
y_train = keras.utils.to_categorical(images.y_train, 10)
y_test = keras.utils.to_categorical(images.y_test, 10)
print(X_train.shape, y_train.shape)

# %% [markdown]
# ## It learns them by heart
#
# 36 hidden units, ten outputs that each say yes or no. The weights start large, as in the course that this experiment
# comes from; the loss is the cross-entropy of each output, of which Keras takes the mean.


# %%
def build(regularizer=None, constraint=None, dropout=0.0):
    """Returns the network 784 -> 36 -> 10, compiled."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((784,))])
    options = {"kernel_initializer": keras.initializers.RandomNormal(0, 1), "activation": "sigmoid"}
    model.add(keras.layers.Dense(36, kernel_regularizer=regularizer, kernel_constraint=constraint, **options))
    if dropout:
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(10, kernel_regularizer=regularizer, kernel_constraint=constraint, **options))
    model.compile(
        optimizer=keras.optimizers.SGD(3.0),  # the mean over ten outputs makes the steps ten times smaller
        loss="binary_crossentropy",
        metrics=["categorical_accuracy"],  # is the highest output that of the right digit?
        steps_per_execution=20,  # twenty steps in one call: the same numbers, sooner
    )
    return model


# %%
model = build()
model.summary()

# %% [markdown]
# **A question before you go on.** The training loss will fall to the end. Will the test loss fall with it?

# %%
history = model.fit(X_train, y_train, batch_size=10, epochs=EPOCHS, validation_data=(X_test, y_test), verbose=0).history
_, accuracy = model.evaluate(X_test, y_test, verbose=0)
print("training accuracy", history["categorical_accuracy"][-1])
print("test accuracy    ", accuracy)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
for panel, name in ((left, "loss"), (right, "categorical_accuracy")):
    panel.plot(history[name], label="training images")
    panel.plot(history[f"val_{name}"], "--", label="test images")
    panel.set(xlabel="epoch", ylabel=name.replace("_", " "))
    panel.legend()
left.set_yscale("log")

# %% [markdown]
# The training accuracy reaches 100 %, and the test accuracy stays near 83 %: a gap of some 17 points. The test loss is
# lowest early, and rises then: the network becomes surer of its errors.

# %% [markdown]
# ### Your turn 1: when did it begin to overfit
#
# `train` and `test` have the loss on the training images and on the test images after each epoch. Return two numbers:
# the epoch after which the network is best on new images, counted from 1, and the gap between the two losses after the
# last epoch, test minus training.


# %%
def overfitting(train, test):
    """Returns the best epoch, counted from 1, and the last gap, for two lists of losses."""
    ...


# %%
check("regularization.1", overfitting)

# %%
best, gap = int(np.argmin(history["val_loss"])) + 1, history["val_loss"][-1] - history["loss"][-1]
print(f"lowest test loss after epoch {best}; the gap of the losses at the end is {gap:.3f}")

# %% [markdown]
# ## Remedy 1: a penalty for large weights
#
# A network that memorises needs large weights: it has to answer to small differences. L2 adds the sum of the squared
# weights to the loss, L1 the sum of their sizes.

# %% [markdown]
# ### Your turn 2: a step with a penalty
#
# L2 adds `l2` times the sum of the squared weights to the loss, L1 `l1` times the sum of their sizes. `gradient` is
# that of the loss without a penalty. Return the weights after one step of gradient descent with both penalties.


# %%
def step(weights, gradient, rate, l2, l1):
    """Returns the new weights, an array of the shape of the old ones."""
    ...


# %%
check("regularization.2", step)

# %% [markdown]
# In Keras it is an option of the layer. For each remedy the results go into a table.

# %%
table = {}


def train(name, model, X=X_train, y=y_train, epochs=REMEDY_EPOCHS):
    """Trains a model and writes its accuracies into the table; returns the model."""
    model.fit(X, y, batch_size=10, epochs=epochs, verbose=0)
    on_train = np.mean(model.predict(X_train, verbose=0).argmax(axis=1) == images.y_train)
    on_test = np.mean(model.predict(X_test, verbose=0).argmax(axis=1) == images.y_test)
    table[name] = on_train, on_test
    print(f"{name:22} training {on_train:.1%}   test {on_test:.1%}   gap {100 * (on_train - on_test):.1f} points")
    return model


plain = train("nothing", build())
with_l2 = train("L2", build(regularizer=keras.regularizers.L2(3e-5)))
with_l1 = train("L1", build(regularizer=keras.regularizers.L1(5e-5)))

# %% [markdown]
# ## Remedy 2: a largest norm
#
# The weights that lead into a unit are a pattern that it looks for; their length says how hard it shouts when it sees
# it. Max-norm limits the length.

# %% [markdown]
# ### Your turn 3: max-norm
#
# `weights` has the weights of a layer as Keras keeps them, (inputs, units): column j leads into unit j. Shorten each
# column that is longer than `longest` to that length, and leave the others as they are.


# %%
def max_norm(weights, longest):
    """Returns the weights (inputs, units) with no column longer than `longest`."""
    ...


# %%
check("regularization.3", max_norm)

# %%
with_max_norm = train("max-norm 5", build(constraint=keras.constraints.MaxNorm(5)))

# %% [markdown]
# ## Remedy 3: dropout
#
# In every step some hidden units are left out at random. No unit can rely on one certain other: each has to be of use
# by itself.

# %% [markdown]
# ### Your turn 4: dropout with a mask
#
# `outputs` are those of a hidden layer, and `mask` has a 0 for each unit that this step leaves out, a 1 for the others;
# the share of zeros is `rate` on average. Return what the next layer gets while training, so that its sums are on
# average as large as without dropout.


# %%
def dropout(outputs, mask, rate):
    """Returns the outputs that are passed on, of the same shape."""
    ...


# %%
check("regularization.4", dropout)

# %%
with_dropout = train("dropout 0.2", build(dropout=0.2))
with_more_dropout = train("dropout 0.5", build(dropout=0.5))

# %% [markdown]
# ## Remedy 4: more images
#
# A digit that lies a pixel further left is the same digit. So each image gives nine: itself, and moved by a pixel to
# all sides. They cost nothing, and the network has nine times as much to memorise.

# %%
digits = X_train.reshape(-1, 28, 28)
moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
X_moved = np.concatenate([np.roll(digits, move, axis=(1, 2)) for move in moves]).reshape(-1, 784)
y_moved = np.tile(y_train, (9, 1))
print(X_moved.shape)
figure, axes = plt.subplots(1, 9, figsize=(11, 1.6))
for panel, image, move in zip(axes, X_moved[:: len(X_train)], moves, strict=True):
    panel.imshow(image.reshape(28, 28), cmap="gray_r")
    panel.set(title=f"{move[0]}, {move[1]}", xticks=[], yticks=[])

# %% [markdown]
# Nine times the images take a ninth of the epochs for as many steps.

# %%
epochs = max(1, REMEDY_EPOCHS // 9)
with_moves = train("moved by a pixel", build(), X_moved, y_moved, epochs)
with_both = train("moved, and max-norm 5", build(constraint=keras.constraints.MaxNorm(5)), X_moved, y_moved, epochs)

# %% [markdown]
# **A question before you go on.** Which remedy closes the gap, and which one raises the test accuracy? It need not be
# the same.

# %%
figure, axes = plt.subplots(figsize=(9, 4.5))
for row, (on_train, on_test) in enumerate(table.values()):
    axes.plot([100 * on_test, 100 * on_train], [row, row], color="#56B4E9", linewidth=5, alpha=0.6)
    axes.plot(100 * on_train, row, "o", color="#0072B2", markersize=9, label="" if row else "training images")
    axes.plot(100 * on_test, row, "^", color="#D55E00", markersize=10, label="" if row else "test images")
axes.set_yticks(range(len(table)), list(table))
axes.invert_yaxis()
axes.set(xlabel="accuracy in percent", title="The gap")
axes.legend()

# %% [markdown]
# The lesson `python -m workshop.regularization` goes further: images that are bent as a hand bends them, early
# stopping, fewer units, and dropout drawn on a ring of noisy points. With bent images and max-norm 92 % of the test
# digits are right, after a thousand training images.

# %% [markdown]
# ### Your turn 5: what to do next
#
# A network has 99.9 % of its training images right and 85 % of the validation images. Which of these is the best next
# step? `"a"`: twice as many hidden units. `"b"`: train for ten times as many epochs. `"c"`: distort the training
# images, and add dropout or L2. `"d"`: a smaller learning rate, so that the training accuracy reaches 100 %.

# %%
next_step = ...

# %%
check("regularization.5", next_step)

# %% [markdown]
# ## Save it
#
# The last model is the best of these. A penalty, a constraint and dropout matter while it is trained; what is saved
# predicts like any other network.

# %%
with_both.save("regularization.h5")
reloaded = keras.models.load_model("regularization.h5", compile=False)
print(np.abs(reloaded.predict(X_test[:5], verbose=0) - with_both.predict(X_test[:5], verbose=0)).max())

# %% [markdown]
# ## On your own
#
# - `TRAIN_IMAGES = 5000`: how large is the gap without any remedy?
# - L2 with 0.001: what does it do to the training accuracy? A remedy can be too strong.
# - Move the images by up to two pixels.
