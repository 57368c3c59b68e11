# %% [markdown]
# # Activation functions
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/11_activations.ipynb)
#
# A neuron computes a weighted sum z of its inputs, and an activation function makes its output a = f(z) of it. You draw
# ten of these functions with their slopes, find out which of them a deep network can be trained with, and meet softmax,
# whose outputs add up to 1. About 15 minutes; nothing is trained.

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
from importlib import util

import keras
import numpy as np
import tensorflow as tf

from workshop.exercises import check, hint, solution
from workshop.figures import activations as figures

# %% [markdown]
# ## Ten functions
#
# Each is written with its derivative and with its *kinks*, the places where the slope jumps. (`lambda z: z` is a
# function without a name: it takes z and returns what stands behind the colon.) The first four are made of straight
# lines: the oldest neurons fire or do not fire.

# %%
functions = {
    "identity": (lambda z: z, lambda z: np.ones_like(z), []),
    "binary threshold": (lambda z: np.where(z >= 0, 1.0, 0.0), lambda z: np.zeros_like(z), [0]),
    "hardlims": (lambda z: np.where(z >= 0, 1.0, -1.0), lambda z: np.zeros_like(z), [0]),
    "satlin": (lambda z: np.clip(z, 0, 1), lambda z: np.where((z > 0) & (z < 1), 1.0, 0.0), [0, 1]),
}

# %% [markdown]
# Three that are smooth. MATLAB and many textbooks call the sigmoid *logsig* and tanh *tansig*.


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


functions["sigmoid"] = (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), [])
functions["tanh"] = (np.tanh, lambda z: 1 - np.tanh(z) ** 2, [])
functions["radbas"] = (lambda z: np.exp(-(z**2)), lambda z: -2 * z * np.exp(-(z**2)), [])

# %% [markdown]
# And the family that is used most today.

# %%
functions["ReLU"] = (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0), [0])
functions["ReLU6"] = (lambda z: np.clip(z, 0, 6), lambda z: np.where((z > 0) & (z < 6), 1.0, 0.0), [0, 6])
functions["leaky ReLU"] = (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1.0, 0.2), [0])

# %% [markdown]
# **A question before you go on.** Training changes a weight by its gradient, and the gradient flows back through the
# slope of the function. With which of the ten will nothing be trained at all?

# %%
z = np.linspace(-4, 8, 1200)
curves = {}
for name, (f, slope, kinks) in functions.items():
    kinks = np.array(kinks, float)
    curves[name] = figures.Curve(f(z), slope(z), kinks, f(kinks), slope(kinks))
figures.functions(z, curves)

# %% [markdown]
# The dashed lines are the slopes. Both thresholds have the slope 0 everywhere: no gradient comes back through them, and
# the perceptron needs a rule of its own. The slope of the sigmoid is 0.25 at its steepest place.

# %% [markdown]
# ### Your turn 1: the slope of the sigmoid
#
# Return the derivative of the sigmoid a = 1 / (1 + e^-z) at each `z`. It is a (1 - a).


# %%
def sigmoid_slope(z):
    """Returns the derivative of the sigmoid at z (n,)."""
    ...


# %%
check("activations.1", sigmoid_slope)

# %% [markdown]
# ## Is the formula right?
#
# Three ways to find out. A *finite difference*, the slope between two points close by, needs no formula. Keras, on
# TensorFlow, finds derivatives by itself: a `GradientTape` watches z.

# %%
points = np.random.default_rng(1).uniform(-8, 8, 1000)
for name in ("sigmoid", "tanh", "ReLU"):
    f, slope, _ = functions[name]
    between = (f(points + 1e-5) - f(points - 1e-5)) / 2e-5
    print(f"{name:12} finite differences: {abs(between - slope(points)).max():.1e} at most")

# %%
in_keras = {
    "sigmoid": keras.activations.sigmoid,
    "tanh": keras.activations.tanh,
    "ReLU": keras.activations.relu,
    "ReLU6": keras.activations.relu6,
    "leaky ReLU": lambda z: keras.activations.leaky_relu(z, 0.2),
}
for name, function in in_keras.items():
    with tf.GradientTape() as tape:
        z = tf.Variable(points)
        total = tf.reduce_sum(function(z))
    difference = tape.gradient(total, z).numpy() - functions[name][1](points)
    print(f"{name:12} Keras: {abs(difference).max():.1e} at most")

# %% [markdown]
# PyTorch does the same with `backward`, where it is installed (Colab has it).

# %%
if util.find_spec("torch"):
    import torch

    z = torch.tensor(points, requires_grad=True)
    torch.sigmoid(z).sum().backward()
    print("sigmoid, PyTorch:", abs(z.grad.numpy() - functions["sigmoid"][1](points)).max())

# %% [markdown]
# **A question.** Relu has no slope at 0: on the left it is 0, on the right 1. What does Keras take?

# %%
with tf.GradientTape() as tape:
    z = tf.Variable([-1.0, 0.0, 1.0])
    a = keras.activations.relu(z)
print("z    ", z.numpy())
print("slope", tape.gradient(a, z).numpy())

# %% [markdown]
# Any number from 0 to 1 would do: it is a convention, and z is hardly ever exactly 0.
#
# ## Through many layers
#
# In a deep network the slopes of all layers are multiplied.

# %% [markdown]
# ### Your turn 2: ten sigmoids in a row
#
# The gradient is multiplied by the slope of each layer that it flows back through. What is left of a gradient of 1
# behind ten sigmoids, at the most? The weights are all 1.

# %%
left = ...

# %%
check("activations.2", left)

# %%
print("function          steepest   through 10 layers")
z = np.linspace(-8, 8, 1601)
steepest = {}
for name, (_, slope, _) in functions.items():
    steepest[name] = abs(slope(z)).max()
    print(f"{name:17} {steepest[name]:8.4f} {steepest[name] ** 10:19.2g}")

# %% [markdown]
# The sigmoid stood in the hidden layers of courses and papers for thirty years. What came after it, relu, is simpler,
# and its slope is 1.
#
# ## Softmax
#
# A network with several classes has an output for each, and softmax makes probabilities of the weighted sums: e^z,
# divided by the sum of all e^z. **Before you run it:** four weighted sums 1, 3, 4, 2. Which output is the largest, and
# is it twice as large as another?

# %%
z = np.array([1.0, 3.0, 4.0, 2.0])
e = np.exp(z)
a = e / e.sum()
print("z  ", z)
print("e^z", np.round(e, 4))
print("a  ", np.round(a, 2), "sum", round(a.sum(), 6))

# %% [markdown]
# One more in z is e = 2.718 times as much in the output. Each output depends on every z, so softmax has not one slope
# but a table of them, the *Jacobian*: a_i (1 - a_i) on the diagonal, and -a_i a_j beside it.

# %%
jacobian = np.diag(a) - np.outer(a, a)
moved = np.tile(z, (200, 1))
moved[:, -1] = np.linspace(-4, 10, 200)  # the last z varies, the others are fixed
outputs = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
figures.softmax(z, a, jacobian, moved[:, -1], outputs)

# %% [markdown]
# **A question.** Why do the rows of the Jacobian add up to 0?
#
# Three sigmoids, in place of softmax over three classes:

# %%
z = np.array([2.33, -1.46, 0.56])
a = np.exp(z) / np.exp(z).sum()
print("z       ", z)
print("softmax ", np.round(a, 5), "sum", round(a.sum(), 2))
print("sigmoids", np.round(sigmoid(z), 2), "sum", round(sigmoid(z).sum(), 2))

# %% [markdown]
# The sigmoids are three answers, each yes or no. They do not exclude each other.

# %% [markdown]
# ### Your turn 3: softmax on one output
#
# A network for two classes was given **one** output unit with softmax. For three samples its weighted sums are z =
# -3.5, 0 and 7. What are the three outputs? Give a list of three numbers.

# %%
outputs = ...

# %%
check("activations.3", outputs)

# %%
layer = keras.layers.Dense(1, activation="softmax")
print(layer(np.array([[-3.5], [0.0], [7.0]], "float32")).numpy().ravel())

# %% [markdown]
# Keras warns: *did you mean to use a sigmoid instead?*
#
# ## Large numbers
#
# A formula that is right on paper can fail in a computer. The largest number in single precision is 3.4e38, which is
# e^88.7.

# %%
z = np.linspace(-120, 120, 2401, dtype=np.float32)
with np.errstate(all="ignore"):  # the warnings that NumPy would print
    naive = np.exp(z) / (1 + np.exp(z))
e = np.exp(-np.abs(z))  # no power above 0
stable = np.where(z >= 0, 1 / (1 + e), e / (1 + e))
gradients = {name: steepest[name] ** np.arange(11) for name in ("ReLU", "radbas", "sigmoid")}
figures.limits(z, stable, naive, gradients)

# %% [markdown]
# On the left, infinity divided by infinity is NaN: *not a number*. One of them in a network, and after the next step
# all weights are NaN. On the right is the largest gradient that you computed above.

# %% [markdown]
# ### Your turn 4: softmax for large numbers
#
# Write softmax so that it survives weighted sums such as 1000. Taking the same number away from every z does not change
# softmax: take the largest one.


# %%
def softmax(z):
    """Returns the softmax of z (n,): n numbers above 0 that add up to 1."""
    ...


# %%
check("activations.4", softmax)

# %% [markdown]
# ### Your turn 5: the last layer
#
# Four networks want an activation function for their last layer: tomorrow's temperature in degrees (one unit); whether
# a student is admitted (one unit); which of ten digits an image shows (ten units); which of twenty labels fit a
# photograph, none, one or several of them (twenty units). Give a list of four texts, each one of "linear"
# (Keras' name of the identity), "relu", "sigmoid" and "softmax".

# %%
last_layers = ...

# %%
check("activations.5", last_layers)

# %% [markdown]
# ## What to try next
#
# - `keras.activations` has more: `elu`, `gelu`, `silu`, `softplus`. Draw one of them with its slope.
# - Change the slope of leaky ReLU from 0.2 to 1. Which function is it then?
# - All of it, with every number: `python -m workshop.activations`.
# - The next notebook, on backpropagation, multiplies these slopes, layer by layer.
