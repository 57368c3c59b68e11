# %% [markdown]
# # Experiments: one change at a time
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/18_experiments.ipynb)
#
# The third lab. You begin with the network of ten years ago, change one thing at a time, and write down what each
# change is worth: accuracy on the training images, accuracy on the test images, and seconds. Then you break the network
# on purpose, and read what Keras says. About 20 minutes, two to three of them training.

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
from workshop.kit import plots
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## The data
#
# MNIST, the handwritten digits: 60,000 images to train on and 10,000 to test on. Write `"fashion_mnist"` in place of
# `"mnist"` and run everything again for the garments.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS, RATE_STEPS = 1000, 500, 1, 3"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
EPOCHS = 5
RATE_STEPS = 30

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(images.source)
X_train = images.X_train / np.float32(255)
X_test = images.X_test / np.float32(255)
y_train, y_test = images.y_train, images.y_test

# %% [markdown]
# ## An experiment
#
# An experiment changes **one** thing and leaves the rest: the same data, the same batch size, as many epochs, the same
# seed. If you change two things, you do not know which of them it was.
#
# `run` compiles a network, trains it, evaluates it and appends a row to the table. It is what you have typed before, in
# a function. (`steps_per_execution` does 32 steps in one call of TensorFlow: the same weights in the end, in half the
# time.)

# %%
table = []


def run(name, model, optimizer="adam", X_train=X_train, X_test=X_test):
    """Trains and evaluates a network, and appends (name, train accuracy, test accuracy, seconds) to the table."""
    model.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=min(32, len(X_train) // 32),
    )
    start = time.perf_counter()
    history = model.fit(X_train, y_train, batch_size=32, epochs=EPOCHS, verbose=0)
    seconds = time.perf_counter() - start
    _, accuracy = model.evaluate(X_test, y_test, verbose=0)
    table.append((name, history.history["accuracy"][-1], accuracy, seconds))
    print(f"{name}: train {table[-1][1]:.2%}, test {accuracy:.2%}, {seconds:.0f} s")


# %% [markdown]
# A function that builds the network, with what the experiments change as its arguments. The seed is set each time:
# networks of the same shape start from the same random weights, and all see the images in the same order.


# %%
def build(units=128, activation="relu"):
    """Returns a dense network with one hidden layer."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation=activation),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


# %% [markdown]
# ## The foot of the ladder
#
# Sigmoids and plain gradient descent, as courses teach them first. Expect 89 to 90 % after 5 epochs.

# %%
run("sigmoid, SGD", build(activation="sigmoid"), optimizer="sgd")

# %% [markdown]
# **A question before you go on.** Nine of ten digits are right. Which one change will be worth most: another optimizer,
# another activation function, or four times as many units? Write your guess down, then run the three.

# %%
run("sigmoid, Adam", build(activation="sigmoid"))

# %%
run("relu, Adam", build())

# %%
wide = build(units=512)
run("512 units", wide)

# %% [markdown]
# Each row changed one thing of the row before it. Compare the seconds as well: relu only cuts off what is below 0, a
# sigmoid computes an exponential for each unit.

# %% [markdown]
# ### Your turn 1: how many images is half a percent
#
# MNIST has 60,000 training images and 10,000 test images. How many images are 0.5 % of each? Give a list of two whole
# numbers, the training images first.

# %%
counts = ...

# %%
check("experiments.1", counts)

# %% [markdown]
# ### Your turn 2: a second hidden layer
#
# Build the network with one more hidden layer: an image of 28x28x1, two hidden dense layers of 128 units each, relu
# both, and ten probabilities. Do not compile it.

# %%
two_layers = ...

# %%
check("experiments.2", two_layers)

# %% [markdown]
# When the check says *right*, your network joins the table:

# %%
if isinstance(two_layers, keras.Model):
    run("two hidden layers", two_layers)

# %% [markdown]
# ## Unscaled pixels
#
# The slip that happens to everybody: the division by 255 is forgotten. **Before you run it:** will Keras complain? Will
# it train at all?

# %%
unscaled_train = images.X_train.astype("float32")
unscaled_test = images.X_test.astype("float32")
run("pixels of 0 to 255", build(), X_train=unscaled_train, X_test=unscaled_test)

# %% [markdown]
# Nothing complains. The network trains, and is worse: the first weighted sums are 255 times too large, and Adam needs
# many steps to bring the weights down to them.
#
# ## The table

# %%
print(f"{'':20}{'train':>9}{'test':>9}{'seconds':>9}")
for name, train, test, seconds in table:
    print(f"{name:20}{train:9.2%}{test:9.2%}{seconds:9.1f}")

# %%
rows = table[::-1]  # the first at the top
names, trains = [row[0] for row in rows], [row[1] for row in rows]
tests, seconds = [row[2] for row in rows], [row[3] for row in rows]
figure, ((left, right),) = plots.subplots(1, 2, width=5.5, height=4, sharey=True)
left.hlines(names, trains, tests, color=plots.BLUE)
left.plot(trains, names, "o", color="white", markeredgecolor=plots.BLUE, markersize=9, label="training images")
left.plot(tests, names, "o", color=plots.BLUE, markersize=9, label="test images")
left.set(xlabel="accuracy", title="What each change is worth")
left.legend(fontsize=12)
right.barh(names, seconds, color=plots.ORANGE)
right.set(xlabel="seconds of training", title="What it costs", axisbelow=True)
figure

# %% [markdown]
# **A question.** The line between the two dots is the gap between training and test accuracy. For which network is it
# widest, and what would happen to it in 30 epochs?
#
# ### Is it better, or is it chance?
#
# The last rows differ by a few tenths of a percent. You counted above how many test images that is. Other images, or
# another seed, would have given another number.

# %% [markdown]
# ### Your turn 3: what chance does to an accuracy
#
# A network has the accuracy `accuracy` (0 to 1) on `n` test images. Another `n` images would have given another
# accuracy. Return the standard error of the accuracy: the square root of accuracy times (1 - accuracy), divided by n,
# all of it under the root.


# %%
def standard_error(accuracy, n):
    """Returns the standard error of an accuracy (0 to 1) that was measured on n images."""
    ...


# %%
check("experiments.3", standard_error)

# %%
print("the standard error of 98 %:", standard_error(0.98, len(X_test)))

# %% [markdown]
# ## Two ways to break it
#
# **First, forget `Flatten`.** What will be the shape of the outputs?

# %%
no_flatten = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
print("outputs", no_flatten.output_shape)


# %%
def try_to_fit(model):
    """Trains on some images, and prints the line in which Keras or TensorFlow says what is wrong."""
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    try:
        history = model.fit(X_train[:1000], y_train[:1000], verbose=0)
        print("no message; the loss is", history.history["loss"][-1])
    except Exception as error:
        lines = str(error).partition("[[{{node")[0].strip().splitlines()
        print(f"{type(error).__name__}: {lines[-1]}")


try_to_fit(no_flatten)

# %% [markdown]
# Read it from its end. The outputs have four dimensions: for each image 28 rows of 28 pixels with ten probabilities
# each, because a dense layer works on the **last** axis, here the one number of a pixel. The labels have one dimension:
# a class for each image. *rank* is the number of dimensions, and the loss wants exactly one more for the outputs than
# for the labels. (Keras' message turns it round, `target.ndim - 1`. Messages have slips too; its shapes are right.)
#
# **Second, five output units for ten classes.** The shapes fit now. What else can go wrong?

# %%
five_outputs = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(5, activation="softmax"),
    ]
)
print("outputs", five_outputs.output_shape)
try_to_fit(five_outputs)

# %% [markdown]
# A label is the number of the unit that ought to be on. There are the units 0 to 4, written `[0, 5)`, and the message
# names the first label that has no unit. Whether it comes as *indices ... is not in* or as *label value ... outside the
# valid range* depends on the machine; on a GPU there is no message at all, and the loss becomes `nan`. A loss of `nan`
# in the first epoch: count your output units.
#
# ## The learning rate
#
# Plain gradient descent on 1,000 images, all of them in each step, from the same weights each time. The learning rate
# is taken times ten. **Which curve would you like to have?**

# %%
losses = {}
for rate in (0.01, 0.1, 1.0, 10.0):
    model = build()
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="sparse_categorical_crossentropy")
    history = model.fit(X_train[:1000], y_train[:1000], batch_size=1000, epochs=RATE_STEPS, verbose=0)
    losses[rate] = history.history["loss"]

# %%
figure, axes = plots.subplots(width=8, height=4.5)
axes.set_prop_cycle(color=plots.COLOURS)
for rate, values in losses.items():
    axes.semilogy(range(1, len(values) + 1), values, linewidth=2.2, label=f"learning rate {rate:g}")
axes.set(xlabel="step", ylabel="training loss (cross-entropy)", title="The same start at each rate")
axes.legend(fontsize=12)
figure

# %% [markdown]
# ### Your turn 4: choose the learning rate
#
# You take the learning rate times ten until the loss oscillates, and then half of that rate. At 0.01 the loss falls
# slowly, at 0.1 quickly, at 1 it oscillates. Which rate do you take?

# %%
rate = ...

# %%
check("experiments.4", rate)

# %% [markdown]
# ## Dropout
#
# Where training accuracy runs ahead of test accuracy, a `Dropout` layer helps: while training it switches units off,
# each time others, so that no unit relies on a single other one. In the prediction all are on.

# %% [markdown]
# ### Your turn 5: switch units off
#
# `keras.layers.Dropout(rate)` switches units off while training, each time others. Which `rate` switches 60 % of them
# off?

# %%
rate = ...

# %%
check("experiments.5", rate)

# %% [markdown]
# What it does, seen on twenty ones and with another rate. **Why are the ones that are left larger than 1?**

# %%
dropout = keras.layers.Dropout(0.25)
ones = np.ones((1, 20), "float32")
print("training:  ", np.round(np.array(dropout(ones, training=True))[0], 2))
print("prediction:", np.array(dropout(ones, training=False))[0])

# %% [markdown]
# What is left is divided by the share that is left, so that the next layer gets as much as it gets in the prediction.
#
# ## Keep a model
#
# One file holds the layers and their weights. `python -m apps.digit --model digits.h5 YOUR-PICTURE.png` reads a digit
# with it: give it a photo of a digit that you wrote.

# %%
wide.save("digits.h5")
notebook.download("digits.h5")

# %%
again = keras.models.load_model("digits.h5")
print("predicted", again.predict(X_test[:10], verbose=0).argmax(axis=1))
print("label    ", y_test[:10])

# %% [markdown]
# ## What to try next
#
# - `EPOCHS = 15`, then 30, with 512 units. When does the test accuracy stop rising, while the training accuracy goes
#   on?
# - `keras.layers.Dropout` behind the hidden layer of 512 units, for as many epochs.
# - The batch size: 32, 64, 128, 256 in `run`. Accuracy and seconds both change; which size has the most accuracy a
#   second?
# - `load_image_set("fashion_mnist")`: are the same changes worth as much on garments?
# - All of it side by side, with more rungs: `python -m workshop.experiments`.
