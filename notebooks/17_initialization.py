# %% [markdown]
# # Initialization: the weights to start from
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/17_initialization.ipynb)
#
# Before the first step of training, someone has drawn the weights. You look into five layers that got weights too
# small, too large and just right, and find out what the start decides: whether gradients arrive in the first layer,
# whether the units of a layer become different from one another, and whether they are alive. About 20 minutes.

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
import tensorflow as tf

from workshop.exercises import check, hint, solution
from workshop.figures import initialization as figures
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## The data
#
# 6,000 digits are enough to compare starts, and keep each training short. Each image is laid out as a row of 784
# numbers. The formulas that you will meet are meant for inputs around 0 that vary by about 1, so take the mean away and
# divide by the standard deviation.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS = 800, 200, 1"
TRAIN_IMAGES = 6_000
TEST_IMAGES = 10_000
EPOCHS = 5

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(images.source)
X_train = images.X_train.reshape(len(images.X_train), 784) / np.float32(255)
X_test = images.X_test.reshape(len(images.X_test), 784) / np.float32(255)
mean, deviation = X_train.mean(), X_train.std()
X_train, X_test = (X_train - mean) / deviation, (X_test - mean) / deviation
y_train, y_test = images.y_train, images.y_test
print("mean", X_train.mean().round(4), "standard deviation", X_train.std().round(4))

# %% [markdown]
# ## Five layers
#
# Each layer of Keras takes a `kernel_initializer`, which draws its weights. `initializer` is a function here that makes
# a new one for each layer: one that is used twice draws the same numbers twice.


# %%
def build(initializer, activation="tanh", layers=5, units=100, normalise=False, bias=0.0):
    hidden = []
    for _ in range(layers):
        start = keras.initializers.Constant(bias)
        hidden.append(keras.layers.Dense(units, kernel_initializer=initializer(), bias_initializer=start))
        if normalise:
            hidden.append(keras.layers.BatchNormalization())
        hidden.append(keras.layers.Activation(activation))
    outputs = keras.layers.Dense(10, kernel_initializer=initializer())
    return keras.Sequential([keras.Input((784,)), *hidden, outputs])


# %% [markdown]
# The network ends with logits, without softmax: large weights would round probabilities to 0, from where no gradient
# comes back. The loss is told so by `from_logits=True`.

# %%
starts = {
    "too small": lambda: keras.initializers.RandomNormal(stddev=0.01),
    "too large": lambda: keras.initializers.RandomNormal(stddev=1.0),
    "LeCun": keras.initializers.LecunNormal,
    "Xavier": keras.initializers.GlorotNormal,
    "He": keras.initializers.HeNormal,
}
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% [markdown]
# A second model that shares the layers shows the outputs of each hidden layer; a `GradientTape` shows the gradients,
# which `fit` keeps to itself.


# %%
def look_inside(model, X, y):
    """Returns the activations of each hidden layer, and the gradients of its weights."""
    hidden = [layer.output for layer in model.layers if isinstance(layer, keras.layers.Activation)]
    inside = keras.Model(model.inputs[0], [*hidden, model.outputs[0]])
    kernels = [layer.kernel.value for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    with tf.GradientTape() as tape:
        *activations, logits = inside(X, training=True)
        error = loss(y, logits)
    gradients = tape.gradient(error, kernels)
    return [a.numpy() for a in activations], [g.numpy() for g in gradients[:-1]]


# %% [markdown]
# **A question before you go on.** A weighted sum of the first layer adds up 784 products. How large is it if the inputs
# and the weights are both around 1? And what does tanh make of it?

# %%
X, y = X_train[:1000], y_train[:1000]
activations, gradients = {}, {}
for name, initializer in starts.items():
    keras.utils.set_random_seed(1)
    activations[name], gradients[name] = look_inside(build(initializer), X, y)
    sizes = ", ".join(f"{a.std():.2g}" for a in activations[name])
    print(f"{name:10} standard deviation of the activations, layer by layer: {sizes}")

# %%
figures.layers(activations, gradients, "Five tanh layers before training")

# %% [markdown]
# Each column is a start, each histogram lies on its side. Too large: nearly all activations sit at -1 and 1, where tanh
# is flat, and the gradients differ from layer to layer. Too small: nothing is left after a few layers, and the
# gradients are a ten-thousandth of the others'. The three in the middle are named after people who computed how large
# weights should be.

# %% [markdown]
# ### Your turn 1: three starts
#
# A layer has `fan_in` inputs and `fan_out` units. Return the standard deviations of its weights as LeCun, as Xavier
# (Glorot) and as He draw them, a list of three numbers in this order. The variances are 1 / fan_in,
# 2 / (fan_in + fan_out) and 2 / fan_in.


# %%
def deviations(fan_in, fan_out):
    """Returns the standard deviations of LeCun's, Xavier's and He's start."""
    ...


# %%
check("initialization.1", deviations)

# %% [markdown]
# `hint("initialization.1")` gives a hint, and `solution("initialization.1")` the solution. Try yourself first. These
# are the standard deviations that Keras drew, for the first and the second layer:

# %%
for name in ("LeCun", "Xavier", "He"):
    kernels = [layer.get_weights()[0] for layer in build(starts[name]).layers[:3:2]]
    print(f"{name:10}", [f"{kernel.std():.4f}" for kernel in kernels])

# %% [markdown]
# ## Equal weights
#
# **A question.** Why draw random numbers at all? Would zeros not be a fair start, or a tenth for everyone?

# %%
equal = {"zeros": keras.initializers.Zeros, "all 0.01": lambda: keras.initializers.Constant(0.01)}
for name, initializer in (equal | {"Xavier": keras.initializers.GlorotNormal}).items():
    keras.utils.set_random_seed(1)
    model = build(initializer)
    model.compile(optimizer=keras.optimizers.SGD(0.02), loss=loss, metrics=["accuracy"])
    history = model.fit(X_train, y_train, epochs=1, verbose=0)
    kernels = [layer.get_weights()[0] for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    different = [len(np.unique(kernel.round(4), axis=1).T) for kernel in kernels[:-1]]
    print(f"{name:10} different units in each layer: {different}, accuracy {history.history['accuracy'][-1]:.1%}")

# %% [markdown]
# After an epoch of training, all hundred units of a layer still have the same weights. The next exercise shows why.

# %% [markdown]
# ### Your turn 2: why equal units stay equal
#
# A network has one hidden layer of tanh units, `a = np.tanh(x @ W)`, and one output, `a @ v`. The derivative of the
# error by the output is the number `d`. Return the gradient of the error by `W`: the column of a unit is `x` times d
# times the unit's weight in v times the slope of its tanh, 1 - a^2.


# %%
def hidden_gradient(x, W, v, d):
    """Returns dE/dW (inputs, units) for a sample x (inputs,), weights W (inputs, units) and v (units,), a number d."""
    ...


# %%
check("initialization.2", hidden_gradient)

# %% [markdown]
# ## Depth
#
# The gradient of the first layer has come back through all the others. **Which of these four networks can have twenty
# layers?**

# %%
networks = {
    "sigmoid, Xavier": ("sigmoid", starts["Xavier"]),
    "tanh, Xavier": ("tanh", starts["Xavier"]),
    "relu, Xavier": ("relu", starts["Xavier"]),
    "relu, He": ("relu", starts["He"]),
}
by_depth, in_the_deepest = {}, {}
for name, (activation, initializer) in networks.items():
    by_depth[name] = {}
    for layers in (1, 2, 5, 10, 20):
        keras.utils.set_random_seed(1)
        inside, slopes = look_inside(build(initializer, activation, layers), X, y)
        by_depth[name][layers] = np.sqrt(np.mean(slopes[0] ** 2))
    in_the_deepest[name] = [np.sqrt(np.mean(a**2)) for a in inside]
    print(f"{name:16}", {layers: f"{size:.1e}" for layers, size in by_depth[name].items()})

# %%
figures.depth(by_depth, in_the_deepest)

# %% [markdown]
# The sigmoid multiplies the gradient by a quarter or less in each layer: it vanishes. With relu the start decides. The
# share of outputs that relu sets to 0, in the last of these networks:

# %%
print(f"{np.mean([np.mean(a == 0) for a in inside]):.1%}")

# %% [markdown]
# ### Your turn 3: twenty layers of relu
#
# Relu sets half of the weighted sums to 0: the mean square of its outputs is half that of the sums. With LeCun's start,
# and Xavier's where all layers are as wide, the sums have the mean square of the inputs. By which factor is the root
# mean square of the outputs multiplied by 20 such layers?

# %%
factor = ...

# %%
check("initialization.3", factor)

# %% [markdown]
# ## Effect of the initial weights on training
#
# The same training from each start: plain gradient descent, one learning rate. The last two have batch normalisation
# before each tanh: it takes the mean of the batch away from each weighted sum and divides by the standard deviation.
# **What should that do to weights that are too small, or too large?**

# %%
accuracies = {}
for name in ("too small", "too large", "Xavier", "too small, normalised", "too large, normalised"):
    keras.utils.set_random_seed(1)
    model = build(starts[name.partition(",")[0]], normalise="normalised" in name)
    model.compile(optimizer=keras.optimizers.SGD(0.02), loss=loss, metrics=["accuracy"])
    accuracies[name] = model.fit(X_train, y_train, epochs=EPOCHS, verbose=0).history["accuracy"]
    _, accuracy = model.evaluate(X_test, y_test, verbose=0)
    print(f"{name:22} {accuracy:.2%} of the test images classified correctly")

# %%
figures.training({"Five tanh layers": accuracies})

# %% [markdown]
# Expect about 11 % of MNIST from weights too small, which is guessing, a fifth to a third from weights too large, and
# 92 % from Xavier's. Batch normalisation repairs the first start and most of the second.

# %% [markdown]
# ## Dead units
#
# A relu unit whose output is 0 for every image has no gradient: it is dead. Look at the share of the images that each
# unit of a hidden layer fires for, from the usual start and with biases that start at -5.

# %%
outputs = {}
for name, bias in {"usual": 0.0, "biases of -5": -5.0}.items():
    keras.utils.set_random_seed(1)
    (outputs[name],), _ = look_inside(build(starts["He"], "relu", layers=1, units=200, bias=bias), X, y)
    plt.hist((outputs[name] > 0).mean(axis=0), bins=40, range=(0, 1), alpha=0.7, label=name)
plt.xlabel("share of the images that a unit fires for")
plt.ylabel("units")
plt.legend()
plt.show()

# %% [markdown]
# ### Your turn 4: count the dead units
#
# `outputs` has a row for each image and a column for each relu unit. A unit is dead if its output is 0 for every image.
# Return how many are dead.


# %%
def count_dead(outputs):
    """Returns how many units are dead, of outputs (images, units)."""
    ...


# %%
check("initialization.4", count_dead)

# %% [markdown]
# A large learning rate kills, too: one step that is too long carries the weights of a unit to where no image makes it
# fire. **How many of 200 units survive an epoch with a rate of 1?**

# %%
for rate in (0.02, 1.0):
    keras.utils.set_random_seed(1)
    model = build(starts["He"], "relu", layers=1, units=200)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=loss, metrics=["accuracy"])
    model.fit(X_train, y_train, epochs=1, verbose=0)
    (fired,), _ = look_inside(model, X_train, y_train)
    _, accuracy = model.evaluate(X_test, y_test, verbose=0)
    print(f"rate {rate:g}: dead {count_dead(fired)}, {accuracy:.2%} of the test images classified correctly")

# %% [markdown]
# ## Keep the model
#
# Five layers of relu from He's start. Whoever loads the file has to scale the pixels as you did, by the same mean and
# the same standard deviation: they belong to the model.

# %%
keras.utils.set_random_seed(1)
model = build(starts["He"], "relu")
model.compile(optimizer=keras.optimizers.SGD(0.02), loss=loss, metrics=["accuracy"])
model.fit(X_train, y_train, epochs=EPOCHS, verbose=0)
model.save("five-layers.h5")
notebook.download("five-layers.h5")

# %%
again = keras.models.load_model("five-layers.h5")
predicted = again.predict(X_test[:10], verbose=0).argmax(axis=1)
print("predicted", predicted, "labels", y_test[:10])
print("the same:", np.allclose(again.predict(X_test, verbose=0), model.predict(X_test, verbose=0), atol=1e-5))

# %% [markdown]
# ## What to try next
#
# - `optimizer="adam"` in place of plain gradient descent: which bad starts does it get away from?
# - `keras.initializers.Orthogonal` keeps lengths exactly, not on average. What do its histograms look like?
# - Twenty layers of relu from Xavier's start and from He's: `build(starts["He"], "relu", layers=20)`.
