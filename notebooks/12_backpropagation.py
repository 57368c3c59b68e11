# %% [markdown]
# # Backpropagation: a network of eight weights, by hand
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/12_backpropagation.ipynb)
#
# Two inputs, two hidden units, two outputs. You compute every number of one step of training, forwards and backwards,
# and then write the same in ten lines for a network of any depth. About 20 minutes.

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
from sklearn.datasets import make_moons

from workshop.exercises import check, hint, solution
from workshop.figures import backpropagation as figures
from workshop.kit import plots
from workshop.kit.plots import contours

# %% [markdown]
# ## The network
#
# The numbers are those of a well-known worked example (Mazur 2015). In the matrices a column is a unit: w1 and w2 lead
# to h1, w3 and w4 to h2, w5 and w6 to o1, w7 and w8 to o2.

# %%
x = np.array([[0.05, 0.10]])  # one sample with two inputs
target = np.array([[0.01, 0.99]])
W1 = np.array([[0.15, 0.25], [0.20, 0.30]])
b1 = np.array([0.35, 0.35])
W2 = np.array([[0.40, 0.50], [0.45, 0.55]])
b2 = np.array([0.60, 0.60])
learning_rate = 0.5

# %% [markdown]
# ## Forwards
#
# Each unit makes a weighted sum, `net`, and its sigmoid, `out`.

# %% [markdown]
# ### Your turn 1: the first hidden unit
#
# The inputs are i1 = 0.05 and i2 = 0.10. To the hidden unit h1 lead w1 = 0.15 and w2 = 0.20, and its bias is 0.35. What
# is the output of h1, a sigmoid? Let Python compute it, or give six digits.

# %%
out_h1 = ...

# %%
check("backpropagation.1", out_h1)


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


net_h = x @ W1 + b1
out_h = sigmoid(net_h)
net_o = out_h @ W2 + b2
out_o = sigmoid(net_o)
print("hidden ", out_h)
print("outputs", out_o)

# %% [markdown]
# How far off is it? The error is half of the squared differences, added up over the outputs.

# %%
E = 0.5 * np.sum((target - out_o) ** 2)
print(f"E = {E:.9f}")

# %% [markdown]
# **A question before you go on.** o1 is 0.75 and should be 0.01; o2 is 0.77 and should be 0.99. Which of the weights w5
# to w8 have to become smaller, and which larger?
#
# ## Backwards: the output units
#
# How does E change when w5 changes a little? w5 changes net, net changes out, out changes E. The chain rule multiplies
# the three derivatives: dE/dw = dE/dout * dout/dnet * dnet/dw.

# %% [markdown]
# ### Your turn 2: the gradient of a weight to an output
#
# A weight leads from a hidden unit with the output `out_h` to an output unit, a sigmoid, with the output `out_o`. The
# error is E = 1/2 (target - out_o)^2. Return dE/dw, the product of three factors: dE/dout, dout/dnet and dnet/dw.


# %%
def weight_gradient(out_h, out_o, target):
    """Returns dE/dw of the weight from a hidden unit to an output unit; all are numbers."""
    ...


# %%
check("backpropagation.2", weight_gradient)

# %%
print("yours, dE/dw5:", weight_gradient(out_h[0, 0], out_o[0, 0], target[0, 0]))

# %% [markdown]
# All four weights at once. The first two factors are the same for all weights of a unit; their product is called
# *delta*.

# %%
de_dout_o = out_o - target
dout_dnet_o = out_o * (1 - out_o)
delta_o = de_dout_o * dout_dnet_o
W2_gradient = out_h.T @ delta_o
print("delta", delta_o)
print("dE/dw5 and dE/dw7, dE/dw6 and dE/dw8")
print(W2_gradient)

# %% [markdown]
# Positive for o1, which has to fall, and negative for o2.
#
# ## Backwards: the hidden units
#
# There is no target for a hidden unit. But h1 leads to o1 and to o2, and changes the error through both.

# %% [markdown]
# ### Your turn 3: back through the weights
#
# `delta` has dE/dnet of each unit of a layer, for each sample; `weights` leads to this layer, a row for each input and
# a column for each unit. Return dE/dout of the inputs: for each the sum, over all units that it leads to, of delta
# times weight.


# %%
def back_through(delta, weights):
    """Returns dE/dout (samples, inputs), from delta (samples, units) and weights (inputs, units)."""
    ...


# %%
check("backpropagation.3", back_through)

# %%
de_dout_h = delta_o @ W2.T
dout_dnet_h = out_h * (1 - out_h)
delta_h = de_dout_h * dout_dnet_h
W1_gradient = x.T @ delta_h
print("dE/dw1 and dE/dw3, dE/dw2 and dE/dw4")
print(W1_gradient)

# %%
layers = [(W1, b1), (W2, b2)]
names = (("i1", "i2"), ("h1", "h2"), ("o1", "o2"))
gradients = [
    (de_dout_h, dout_dnet_h, delta_h, W1_gradient, delta_h.sum(axis=0)),
    (de_dout_o, dout_dnet_o, delta_o, W2_gradient, delta_o.sum(axis=0)),
]
figures.network(layers, [net_h, net_o], [x, out_h, out_o], target, gradients, E, names)

# %% [markdown]
# **A question.** The gradients of w1 to w4 are a hundred times smaller than those of w5 to w8. Which factors made them
# so small?
#
# ## The step

# %% [markdown]
# ### Your turn 4: one step of w1
#
# What is w1 after one step with the learning rate 0.5? It was 0.15 and leads from i1 = 0.05 to h1, and h1 leads to both
# outputs: to o1 with w5 = 0.40, to o2 with w7 = 0.50. The outputs are out_h1 = 0.593269992, out_o1 = 0.75136507 and
# out_o2 = 0.772928465, the targets 0.01 and 0.99. Give eight digits, or let Python compute it.

# %%
new_w1 = ...

# %%
check("backpropagation.4", new_w1)

# %%
W1_new = W1 - learning_rate * W1_gradient
W2_new = W2 - learning_rate * W2_gradient
print("w1 to w4", *(f"{w:.9f}" for w in W1_new.T.ravel()))
print("w5 to w8", *(f"{w:.9f}" for w in W2_new.T.ravel()))

# %% [markdown]
# A slip that programs make too: to change w5 to w8 first, and then send the error back through the *new* weights. All
# gradients belong to the old ones.
#
# The biases stay as they are in the published example. In all other networks they are trained as well: the gradient of
# a bias is its delta.
#
# ## The same by Keras and PyTorch
#
# Nobody writes these derivatives down for a large network: a `GradientTape` records the operations and finds them. In
# double precision, so that all nine digits can be compared:

# %%
kernels = [tf.Variable(W1), tf.Variable(W2)]
with tf.GradientTape() as tape:
    hidden = keras.activations.sigmoid(x @ kernels[0] + b1)
    outputs = keras.activations.sigmoid(hidden @ kernels[1] + b2)
    error = 0.5 * tf.reduce_sum((target - outputs) ** 2)
for by_hand, by_tape in zip((W1_gradient, W2_gradient), tape.gradient(error, kernels), strict=True):
    print("largest difference:", abs(by_hand - by_tape.numpy()).max())

# %%
if util.find_spec("torch"):  # Colab has it
    import torch

    kernels = [torch.tensor(W1, requires_grad=True), torch.tensor(W2, requires_grad=True)]
    hidden = torch.sigmoid(torch.tensor(x) @ kernels[0] + torch.tensor(b1))
    outputs = torch.sigmoid(hidden @ kernels[1] + torch.tensor(b2))
    error = 0.5 * torch.sum((torch.tensor(target) - outputs) ** 2)
    error.backward()
    for by_hand, kernel in zip((W1_gradient, W2_gradient), kernels, strict=True):
        print("largest difference:", abs(by_hand - kernel.grad.numpy()).max())

# %% [markdown]
# ## Any number of layers
#
# What you did for two layers, in a loop: forwards from the first layer to the last, backwards from the last to the
# first. `layers` is a list of weights and biases, `X` has a row for each sample.


# %%
def forward(layers, X):
    """Returns X and the outputs of each layer."""
    outputs = [X]
    for weights, biases in layers:
        outputs.append(sigmoid(outputs[-1] @ weights + biases))
    return outputs


def backward(layers, outputs, T):
    """Returns (dE/dweights, dE/dbiases) of each layer, for the mean error of the samples."""
    gradients = []
    dE_dout = (outputs[-1] - T) / len(T)
    for i in reversed(range(len(layers))):
        delta = dE_dout * outputs[i + 1] * (1 - outputs[i + 1])
        gradients.insert(0, (outputs[i].T @ delta, delta.sum(axis=0)))
        dE_dout = delta @ layers[i][0].T
    return gradients


# %% [markdown]
# 10,000 steps of the small network, the biases unchanged:

# %%
trained = [W1.copy(), W2.copy()]
errors = []
for _ in range(10_000):
    pairs = [(trained[0], b1), (trained[1], b2)]
    outputs = forward(pairs, x)
    errors.append(0.5 * np.sum((target - outputs[-1]) ** 2))
    for weights, (gradient, _) in zip(trained, backward(pairs, outputs, target), strict=True):
        weights -= learning_rate * gradient
print(f"E before {errors[0]:.9f}, after 1 step {errors[1]:.9f}, after 10,000 steps {errors[-1]:.9f}")
print("outputs", forward(pairs, x)[-1], "targets", target)

# %%
figure, axes = plots.subplots(width=7, height=4)
axes.loglog(range(1, len(errors) + 1), errors, color=plots.BLUE, linewidth=2.2)
axes.set(xlabel="step", ylabel="E", title="Training the 2-2-2 network")
figure

# %% [markdown]
# ### Are the gradients right?
#
# A check that finds nearly every mistake in a backward pass: move one weight a little to both sides, and compare the
# slope between the two errors with the gradient.


# %%
def mean_error(layers, X, T):
    return 0.5 * np.sum((forward(layers, X)[-1] - T) ** 2) / len(X)


h = 1e-5
by_differences = np.zeros_like(W1)
for index in np.ndindex(*W1.shape):
    above, below = W1.copy(), W1.copy()
    above[index] += h
    below[index] -= h
    rise = mean_error([(above, b1), (W2, b2)], x, target) - mean_error([(below, b1), (W2, b2)], x, target)
    by_differences[index] = rise / (2 * h)
print("largest difference:", abs(by_differences - W1_gradient).max())

# %% [markdown]
# ## Two moons
#
# Two classes that no line separates, 400 points to train on and 2,000 to test on; one output, which is the second
# moon's probability.

# %%
points, moon = make_moons(2400, noise=0.12, random_state=1)
T = moon[:, None]
X_train, T_train, X_test, T_test = points[:400], T[:400], points[400:], T[400:]


def train(layers, epochs=200, learning_rate=2.0, batch_size=10):
    """Trains layers in mini-batches, in place."""
    random = np.random.default_rng(1)
    for _ in range(epochs):
        order = random.permutation(len(X_train))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            outputs = forward(layers, X_train[batch])
            for (weights, biases), (dE_dW, dE_db) in zip(
                layers, backward(layers, outputs, T_train[batch]), strict=True
            ):
                weights -= learning_rate * dE_dW
                biases -= learning_rate * dE_db
    return layers


# %% [markdown]
# ### Your turn 5: why weights start at random
#
# All weights of a 2-8-1 network begin at 0.5, and it is trained on two classes that no line can separate. What happens?
# "a": nothing, all gradients are 0. "b": it trains, but the eight hidden units stay equal, as good as one. "c": it
# trains as well as from random weights, the data make the units differ. Give the letter.

# %%
letter = ...

# %%
check("backpropagation.5", letter)

# %%
random = np.random.default_rng(1)
from_random = train([(random.normal(0, 1.4, (2, 8)), np.zeros(8)), (random.normal(0, 0.7, (8, 1)), np.zeros(1))])
from_equal = train([(np.full((2, 8), 0.5), np.zeros(8)), (np.full((8, 1), 0.5), np.zeros(1))])
for name, layers in {"random": from_random, "all equal": from_equal}.items():
    accuracy = np.mean((forward(layers, X_test)[-1] > 0.5) == T_test)
    print(f"start {name}: {accuracy:.2%} of the test points classified correctly; weights of four hidden units:")
    print(np.round(layers[0][0][:, :4], 3))

# %%
models = {
    "random start": lambda X: forward(from_random, X)[-1][:, 0],
    "all weights 0.5": lambda X: forward(from_equal, X)[-1][:, 0],
}
contours.boundary_row(models, X_train, T_train[:, 0], "2-8-1 on two moons", classes=("first moon", "second moon"))

# %% [markdown]
# Eight equal units draw what one unit draws. Keras' layers start at random by themselves (*Glorot uniform*), and their
# biases at 0.
#
# ## What to try next
#
# - Start from weights of 0 in place of 0.5. What is different, and why?
# - A third layer: `(random.normal(0, 0.7, (8, 8)), np.zeros(8))` in the middle. Nothing else has to change.
# - Multiply the random weights of the start by 20. What do the sigmoids do then, and what does their slope?
# - All of it, with every number in a table: `python -m workshop.backpropagation`.
