# %% [markdown]
# # Recurrent cells by hand: a state, a gradient through time, the gates of an LSTM
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/24_recurrent_cells.ipynb)
#
# A recurrent network reads a sequence step by step and keeps in a *state* what it has read. You compute a state and an
# LSTM's gates by hand, follow a gradient a hundred steps back, and let a layer read in both directions. About 20
# minutes; in the next notebook, `25_rnn`, such networks read digits.

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
from workshop.kit.plots import charts

# %% [markdown]
# ## A sequence
#
# Text, speech, prices: what comes one after the other is a sequence. An image is one, too, if it is read from the top:
# 28 rows (the *steps*) of 28 pixels (the *features*). Where MNIST cannot be had, a digit of scikit-learn's is taken.

# %%
images = load_image_set("mnist")
print(images.source)
digit = images.X_train[0, ..., 0] / np.float32(255)
label = images.classes[images.y_train[0]]
print("digit", digit.shape, ": (steps, features)")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.imshow(digit, cmap="gray_r")
left.set(title=f"a {label}", xlabel="pixel", ylabel="row: the step")
for row, style in zip((6, 14, 22), ("-", "--", ":"), strict=True):
    right.plot(digit[row], style, linewidth=2.5, label=f"step {row}")
right.set(title="What the network reads at three steps", xlabel="pixel", ylabel="grey value")
right.legend()
plt.show()

# %% [markdown]
# **A question before you go on.** Cover all of a digit but its lowest row. Could you say which digit it is? What
# would you have to remember of the rows above?
#
# ## The state
#
# A SimpleRNN computes at each step a new state from the step's numbers x and its old state h:
#
#     h' = tanh(x W + h U + b)
#
# The same W, U and b at every step: this is what *recurrent* means.

# %% [markdown]
# ### Your turn 1: two steps of a SimpleRNN by hand
#
# A SimpleRNN of one unit: `h' = tanh(x W + h U + b)` with W = 1, U = 0.5 and b = 0, and it starts with h = 0. It reads
# first 1, then -0.2. Compute its state after both numbers; `math.tanh` is there.

# %%
import math

# %%
state = ...

# %%
check("recurrent_cells.1", state)

# %% [markdown]
# `hint("recurrent_cells.1")` gives a hint, and `solution("recurrent_cells.1")` the solution. Try yourself first.
#
# The same for an image and a state of 32 numbers, as a loop over the rows. Keras' layer does nothing else:


# %%
def read_rows(image, W, U, b):
    """Returns the states after each row (rows, units), of a SimpleRNN."""
    h = np.zeros(len(U))
    states = []
    for x in image:
        h = np.tanh(x @ W + h @ U + b)
        states.append(h)
    return np.array(states)


# %%
layer = keras.layers.SimpleRNN(32, return_sequences=True)  # the states after all rows, not the last one alone
by_keras = np.asarray(layer(digit[None]))[0]
W, U, b = layer.get_weights()
print("W", W.shape, "U", U.shape, "b", b.shape)
by_hand = read_rows(digit, W, U, b)
print(f"largest difference from Keras: {np.abs(by_hand - by_keras).max():.1e}")

# %% [markdown]
# ## The way back
#
# To train, the loss has to be differentiated by every weight and every input. *Backpropagation through time* walks the
# steps from the last to the first. At each step the gradient goes back through tanh, whose derivative is 1 - h^2, and
# then through U:


# %%
def gradient_by_inputs(image, direction, W, U, b):
    """Returns the gradient of sum(last state * direction) by each row (rows, features)."""
    states = read_rows(image, W, U, b)
    dh = direction
    gradients = []
    for h in states[::-1]:
        dz = dh * (1 - h**2)  # through tanh
        gradients.append(dz @ W.T)  # to this row
        dh = dz @ U.T  # and on to the step before
    return np.array(gradients[::-1])


# %% [markdown]
# Never believe a gradient that you have derived yourself: compare it with a *finite difference*. Change one input a
# little, and see by how much the result changes.

# %%
random = np.random.default_rng(1)
W, U, b = (np.asarray(weight, np.float64) for weight in (W, U, b))
sequence, direction = random.normal(size=(28, 28)), random.normal(size=32)
gradient = gradient_by_inputs(sequence, direction, W, U, b)
e = 1e-5
for row in (27, 20, 10):
    above, below = sequence.copy(), sequence.copy()
    above[row, 5] += e
    below[row, 5] -= e
    change = (read_rows(above, W, U, b)[-1] - read_rows(below, W, U, b)[-1]) @ direction
    print(f"row {row}: gradient {gradient[row, 5]: .9f}, finite difference {change / (2 * e): .9f}")

# %% [markdown]
# ### How far back does it reach?
#
# **A question before you go on.** At each step back the gradient is multiplied by 1 - h^2, which is at most 1, and by
# U. What happens after a hundred steps if U halves it, and what if U makes it a tenth larger?
#
# Sequences of 100 random rows, and the same cell with U as it is, with U halved and with U doubled:

# %%
long = random.normal(size=(100, 28))
gentle = 0.3 * W  # so that tanh stays away from its flat ends
norms = {}
for name, factor in {"U halved": 0.5, "U": 1.0, "U doubled": 2.0}.items():
    gradient = gradient_by_inputs(long, direction, gentle, factor * U, b)
    norm = np.linalg.norm(gradient, axis=1)[::-1]  # the last row first
    norms[name] = norm / norm[0]
    print(f"{name}: " + ", ".join(f"after {steps} steps {norms[name][steps]:.1e}" for steps in (10, 30, 99)))


# %%
def draw_norms(norms, title):
    """Draws the norm of the gradient by the distance in steps, on a logarithmic axis."""
    axes = plt.figure(figsize=(9, 5), layout="constrained").subplots()
    for (name, norm), style in zip(norms.items(), ("-", "--", ":", "-."), strict=False):
        axes.semilogy(norm, style, linewidth=2.5, label=name)
    axes.set(xlabel="steps back from the last one", ylabel="norm of the gradient (at the last step: 1)", title=title)
    axes.legend()
    plt.show()


draw_norms(norms, "SimpleRNN: the gradient by the distance in steps")

# %% [markdown]
# With U as Keras draws it the gradient *vanishes*, and with half of it sooner: what was read long ago cannot be
# learned, since no weight hears of it. With U doubled it *explodes*, and one step of the training may ruin all weights.
# Against that one shortens the gradient of all weights together, which keeps its direction: `global_clipnorm=1` in a
# Keras optimizer. Against vanishing, another cell helps.
#
# ## The LSTM: a memory with gates
#
# Hochreiter and Schmidhuber (1997) gave the cell a memory c beside its state h. Three *gates*, numbers between 0 and
# 1, decide what goes into the memory (i, input), what stays in it (f, forget) and what of it is shown (o, output). They
# and the candidate g are computed as a state is, each with weights of its own; s is the sigmoid:
#
#     i = s(x W_i + h U_i + b_i)        f = s(x W_f + h U_f + b_f)
#     o = s(x W_o + h U_o + b_o)        g = tanh(x W_g + h U_g + b_g)


# %%
def gates(x, h, W, U, b):
    """Returns i, f, g and o (units,) each, of weights as Keras has them: the four side by side."""
    z = x @ W + h @ U + b
    i, f, g, o = np.split(z, 4)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def sigmoid(z):
    """Returns the sigmoid of z."""
    return 1 / (1 + np.exp(-z))


# %% [markdown]
# ### Your turn 2: the gates at work
#
# The three gates `i`, `f`, `o` and the candidate `g` of an LSTM's step are computed, and `c` is the old memory. Return
# the new state and the new memory, in this order: the forget gate scales the old memory, the input gate scales the
# candidate that is added to it, and the output gate scales the tanh of the new memory.


# %%
def lstm_step(i, f, g, o, c):
    """Returns the new state h and the new memory c, of arrays (units,) each."""
    ...


# %%
check("recurrent_cells.2", lstm_step)

# %% [markdown]
# With your function the whole LSTM is written. Read the digit with it and compare with Keras:

# %%
lstm = keras.layers.LSTM(48)
by_keras = np.asarray(lstm(digit[None]))[0]
W, U, b = lstm.get_weights()
print("W", W.shape, "U", U.shape, "b", b.shape)
h = c = np.zeros(48)
for x in digit:
    new = lstm_step(*gates(x, h, W, U, b), c)
    if new is not None:
        h, c = new
print(f"largest difference from Keras: {np.abs(h - by_keras).max():.1e}" if h.any() else "lstm_step is not written yet")

# %% [markdown]
# **A question.** Look at b of the layer, which was not trained yet. Which gate does not start at 0, and why?

# %%
for name, bias in zip("ifgo", np.split(b, 4), strict=True):
    print(name, bias[:5])

# %% [markdown]
# ### Your turn 3: gates that remember
#
# The memory of an LSTM unit is c = 1. It is to last 100 steps, whatever the unit reads. Only the biases of the gates
# are not 0, so that i = sigmoid(b_i) and f = sigmoid(b_f) at every step, and the candidate g lies between -1 and 1.
# Choose `(b_i, b_f)` so that after 100 steps more than 0.9 of the 1 is left, and the inputs have moved the memory by
# less than 0.1 altogether.

# %%
biases = ...

# %%
check("recurrent_cells.3", biases)

# %% [markdown]
# ### How far back, in other cells
#
# The gradient of the last state by each step, in untrained cells, now by TensorFlow's tape, which differentiates Keras'
# layers:

# %%
import tensorflow as tf

batch = tf.constant(random.normal(size=(16, 100, 8)), "float32")
cells = {
    "SimpleRNN": keras.layers.SimpleRNN(32),
    "GRU": keras.layers.GRU(32),
    "LSTM, forget bias 1": keras.layers.LSTM(32),
    "LSTM, forget bias 3": keras.layers.LSTM(32),
}
lasting = cells["LSTM, forget bias 3"]
lasting.build(batch.shape)
W, U, b = lasting.get_weights()
lasting.set_weights([W, U, np.repeat([0.0, 3.0, 0.0, 0.0], 32)])  # the gates in the order i, f, g, o

# %%
norms = {}
for name, cell in cells.items():
    with tf.GradientTape() as tape:
        tape.watch(batch)
        total = tf.reduce_sum(cell(batch) * direction.astype("float32"))
    norm = np.linalg.norm(tape.gradient(total, batch), axis=2).mean(axis=0)[::-1]
    norms[name] = norm / norm[0]
    print(f"{name}: " + ", ".join(f"after {steps} steps {norms[name][steps]:.1e}" for steps in (10, 30, 99)))

# %%
draw_norms(norms, "An open forget gate carries the gradient")

# %% [markdown]
# With the bias of 1 that Keras begins with, the gradient fades as well: the gate is open to about sigmoid(1), 0.73, and
# each step takes its share. With a bias of 3 it is open to 0.95, and the gradient gets through.
#
# ## In both directions
#
# Which word is missing is easier to say if one may read on. `Bidirectional` has two layers, one that reads from the
# first step and one from the last. The task: at each step the mean of the number before and the number after it.
# **A question before you go on.** What is the best that a layer can do which has not read the number after?

# %% tags=["parameters"] quick="EPOCHS = 2"
EPOCHS = 8

# %%
numbers = random.uniform(size=(3200, 12, 1)).astype("float32")
padded = np.pad(numbers, ((0, 0), (1, 1), (0, 0)))  # 0 beyond both ends
means = (padded[:, :-2] + padded[:, 2:]) / 2

# %%
recurrent = {
    "one direction": keras.layers.LSTM(12, return_sequences=True),
    "both directions": keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True)),
}
neighbours = {}
for name, layer in recurrent.items():
    model = keras.Sequential([keras.Input((12, 1)), layer, keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mean_squared_error")
    neighbours[name] = model.fit(numbers, means, batch_size=32, epochs=EPOCHS, verbose=0).history["loss"]
    print(f"{name}: mean squared error {neighbours[name][-1]:.4f}")
print(f"lower bound, one direction: {11 / 12 / 48:.4f}")

# %%
curves = {name: (range(1, EPOCHS + 1), values) for name, values in neighbours.items()}
charts.losses(curves, y="mean squared error", title="The mean of the numbers before and after each step")

# %% [markdown]
# From one direction the number after is best guessed as 1/2, its mean, and that leaves 1/48 at every step but the
# last one. (LSTMs whose gates see the memory as well, with *peepholes*, are in `python -m workshop.recurrent_cells`,
# which shows too that NumPy, Keras and PyTorch agree on all of these cells.)
#
# ## What to try next
#
# - Follow the gradient of `keras.layers.SimpleRNN(32, activation="relu")`. Does it vanish or explode, and what decides?
# - Give the LSTM a forget bias of -3. After how many steps is less than a thousandth of its gradient left?
# - `LSTM(12, go_backwards=True, return_sequences=True)` reads from the last step: what can it predict of a number's
#   neighbours, and in which order do its states come out?
