# %% [markdown]
# # Recurrent networks in PyTorch: the same cells, laid out otherwise
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/37_pytorch_rnn.ipynb)
#
# `nn.LSTM` and Keras' `LSTM` compute the same, and yet a model that is copied from one to the other by hand hardly ever
# works at once: the axes, the returned values, the order of the gates and the number of biases differ. You turn each
# into the other, and train a network in PyTorch that Keras then uses. About 20 minutes. PyTorch has to be there: Colab
# has it; elsewhere `pip install torch`, or this notebook stops at its second cell of code.

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
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from workshop.kit.data.images import load_image_set

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
print(f"PyTorch {torch.__version__} on {device}, Keras {keras.__version__}")

# %% [markdown]
# Some cells ask for your prediction in place of the three dots `...`. Write it down **before** you run the next cell;
# the notebook runs on if you leave them as they are.
#
# ## The axes
#
# Five sequences of ten steps, each step with three numbers: (samples, steps, features), as Keras has them.

# %%
X = torch.randn(5, 10, 3)

# %% [markdown]
# **Your prediction 1.** `nn.LSTM(3, 4)` takes three numbers a step and keeps a state of four. Without
# `batch_first=True` it wants the **steps** first. What does it do with our X: does it say that the shape is wrong?

# %%
predicted = ...

# %%
states, (h, c) = nn.LSTM(3, 4)(X)
print("you:", predicted)
print("states", tuple(states.shape), " h", tuple(h.shape), " c", tuple(c.shape))

# %% [markdown]
# Not a word. It read ten sequences of five steps, across the samples, and training would even make a loss smaller.
# Look at `h`: one state for each of *ten* sequences. So give `batch_first=True`, and look at the shapes.
#
# It returns two things, and the second is a pair: the states after all steps; the last state h and the last memory c,
# which have the number of **layers** first, whatever `batch_first` says. Keras' layer returns one thing: the last
# state, or all of them with `return_sequences=True`.

# %%
lstm = nn.LSTM(3, 4, batch_first=True)
states, (h, c) = lstm(X)
print("states", tuple(states.shape), " h", tuple(h.shape), " c", tuple(c.shape))
print("the last of the states is h:", torch.equal(states[:, -1], h[0]))

# %% [markdown]
# ## The weights
#
# The equations of an LSTM, s for the sigmoid, and the products number by number:
#
#     i = s(x W_i + h U_i + b_i)      f = s(x W_f + h U_f + b_f)      o = s(x W_o + h U_o + b_o)
#     g = tanh(x W_g + h U_g + b_g)   c' = f c + i g                  h' = o tanh(c')
#
# **Your prediction 2.** `keras.layers.LSTM(48)` on 28 numbers a step has 14,784 weights. How many more has
# `nn.LSTM(28, 48)`?

# %%
predicted_more = ...

# %%
count = sum(weight.numel() for weight in nn.LSTM(28, 48).parameters())
print("you:", predicted_more, " PyTorch:", count - 14_784)

# %%
by_keras = keras.layers.LSTM(4)
by_keras.build((None, 10, 3))
for name, weight in lstm.named_parameters():
    print(f"PyTorch {name:14}{tuple(weight.shape)}")
for weight in by_keras.weights:
    print(f"Keras   {weight.name:17}{tuple(weight.shape)}")

# %% [markdown]
# Three differences:
#
# - Keras multiplies x W with W (inputs, outputs); PyTorch has the transpose, the gates one below the other.
# - PyTorch adds two biases, one to x W and one to h U. Only their sum counts.
# - Which gate comes first? The shapes do not tell; both libraries have i, f, g, o. To be sure, compute it:


# %%
def lstm_by_hand(X, W, U, b):
    """Returns the last state (samples, units); the columns of W, U and b hold the gates i, f, g, o side by side."""
    h = c = torch.zeros(len(X), len(U))
    for t in range(X.shape[1]):
        i, f, g, o = (X[:, t] @ W + h @ U + b).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h


# %%
with torch.no_grad():
    W, U = lstm.weight_ih_l0.T, lstm.weight_hh_l0.T
    b = lstm.bias_ih_l0 + lstm.bias_hh_l0
    computed = lstm_by_hand(X, W, U, b)
    print(f"largest difference from nn.LSTM: {(computed - lstm(X)[1][0][0]).abs().max():.1e}")

# %% [markdown]
# ### From PyTorch to Keras, and back


# %%
def to_keras(module):
    """Returns the weights of an nn.LSTM of one layer, as keras.layers.LSTM takes them."""
    W, U, b, q = (weight.detach().cpu().numpy() for weight in module.parameters())
    return [W.T, U.T, b + q]


def to_torch(weights, module):
    """Puts the weights of a keras.layers.LSTM into an nn.LSTM."""
    W, U, b = (torch.tensor(weight) for weight in weights)
    with torch.no_grad():
        module.weight_ih_l0.copy_(W.T)
        module.weight_hh_l0.copy_(U.T)
        module.bias_ih_l0.copy_(b)
        module.bias_hh_l0.zero_()


# %%
by_keras.set_weights(to_keras(lstm))
with torch.no_grad():
    difference = np.abs(np.asarray(by_keras(X.numpy())) - lstm(X)[1][0][0].numpy()).max()
print(f"PyTorch's weights in Keras: largest difference {difference:.1e}")

other = keras.layers.LSTM(4)
expected = np.asarray(other(X.numpy()))
to_torch(other.get_weights(), lstm)
with torch.no_grad():
    print(f"Keras' weights in PyTorch: largest difference {np.abs(lstm(X)[1][0][0].numpy() - expected).max():.1e}")

# %% [markdown]
# ## The GRU: another order, and the two biases matter
#
# A GRU has an update gate z, a reset gate r and a candidate n:
#
#     z = s(x W_z + h U_z + b_z + q_z)      n = tanh(x W_n + b_n + r (h U_n + q_n))
#     r = s(x W_r + h U_r + b_r + q_r)      h' = z h + (1 - z) n
#
# In the candidate the reset gate stands between the two biases b and q: here their sum is not enough, so Keras has two
# as well, as two rows. That is `reset_after=True`, its default. As the GRU was first published, r comes before the
# product: `reset_after=False`, and PyTorch has no such GRU.
#
# **Your prediction 3.** Keras has the gates in the order z, r, n; PyTorch in another one. Below, `order` says which of
# PyTorch's three is put at each of Keras' places. Try until the difference is nearly 0.

# %%
order = [0, 1, 2]


# %%
def gru_to_keras(module, order):
    """Returns the weights of an nn.GRU of one layer, as keras.layers.GRU takes them."""
    arrays = []
    for weight in module.parameters():
        gates = np.split(weight.detach().cpu().numpy(), 3)  # one below the other
        arrays.append(np.concatenate([gates[place] for place in order]))
    W, U, b, q = arrays
    return [W.T, U.T, np.stack([b, q])]


def gru_difference(order):
    """Returns the largest difference of the last states by Keras and by PyTorch."""
    layer = keras.layers.GRU(4)
    layer.build((None, 10, 3))
    layer.set_weights(gru_to_keras(gru, order))
    with torch.no_grad():
        return np.abs(np.asarray(layer(X.numpy())) - gru(X)[1][0].numpy()).max()


gru = nn.GRU(3, 4, batch_first=True)
print(f"the order {order}: largest difference {gru_difference(order):.1e}")

# %% [markdown]
# There are only six orders. All of them, for certainty:

# %%
import itertools

orders = list(itertools.permutations(range(3)))
differences = [gru_difference(order) for order in orders]
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.bar(range(6), differences, 0.6)
axes.set_yscale("log")
axes.set_xticks(range(6), [str(list(order)) for order in orders])
axes.set(xlabel="order of PyTorch's gates in Keras", ylabel="largest difference", title="GRU: one order is right")
plt.show()

# %% [markdown]
# **A question.** Every order gives an output of the right shape, and none gives an error. How would you have noticed in
# a real program that the gates are exchanged?
#
# ## Two biases learn twice as fast
#
# The gradients by both biases of an LSTM are the same. So one step of gradient descent moves their sum twice as far as
# Keras moves its one bias: a small difference between two trainings that otherwise have all in common.

# %%
module = nn.LSTM(3, 4, batch_first=True)
optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
before = (module.bias_ih_l0 + module.bias_hh_l0).detach().clone()
module(X)[0].sum().backward()
optimizer.step()
moved = before - (module.bias_ih_l0 + module.bias_hh_l0).detach()
print("the same gradients:", torch.equal(module.bias_ih_l0.grad, module.bias_hh_l0.grad))
print("moved / (rate * gradient):", (moved / (0.1 * module.bias_ih_l0.grad)).numpy().round(3)[:6])

# %% [markdown]
# ## Trained here, used there
#
# A digit is read row by row, and the last state predicts. Where MNIST cannot be had, scikit-learn's digits are taken.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS = 1000, 500, 2"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
EPOCHS = 2

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(images.source)
X_train, X_test = (torch.tensor(part[..., 0] / np.float32(255)) for part in (images.X_train, images.X_test))
y_train, y_test = (torch.tensor(part.astype(np.int64)) for part in (images.y_train, images.y_test))
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=128, shuffle=True)


# %%
class RowReader(nn.Module):
    """A classifier: (n, 28 rows, 28 pixels) -> the last state of an LSTM -> (n, 10) logits."""

    def __init__(self, units=48):
        super().__init__()
        self.lstm = nn.LSTM(28, units, batch_first=True)
        self.output = nn.Linear(units, 10)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.output(states[:, -1])


net = RowReader().to(device)
print(net)

# %% [markdown]
# Both libraries begin with other weights, too. Keras starts the forget gate's bias at 1, so that the memory lasts at
# first; in PyTorch it starts near 0.
#
# **Your prediction 4.** The gates lie one below the other, i, f, g, o, with 48 units each. Which rows of the bias are
# the forget gate's? Put them in; as it stands, the slice is empty and nothing is changed.

# %%
forget_gate = slice(0, 0)

# %%
with torch.no_grad():
    net.lstm.bias_ih_l0[forget_gate] = 1
biases = (net.lstm.bias_ih_l0 + net.lstm.bias_hh_l0).detach().cpu().chunk(4)
for name, bias in zip("ifgo", biases, strict=True):
    print(f"{name}: mean of the bias {bias.mean():.2f}")

# %% [markdown]
# The loop of `36_pytorch_mnist`. `clip_grad_norm_`, between `backward` and `step`, shortens a gradient that explodes.

# %%
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
for epoch in range(EPOCHS):
    net.train()
    total = 0
    for rows, labels in loader:
        optimizer.zero_grad()
        loss = criterion(net(rows.to(device)), labels.to(device))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(labels)
    print(f"epoch {epoch + 1}: loss {total / len(X_train):.4f}")

# %%
net.eval()
with torch.no_grad():
    by_torch = torch.softmax(net(X_test.to(device)), dim=1).cpu()
print(f"{(by_torch.argmax(dim=1) == y_test).float().mean():.2%} of {len(X_test):,} test images classified correctly")

# %% [markdown]
# On MNIST expect about 97 %. Now the same network in Keras, with these weights. `nn.Linear`, like all of PyTorch's
# layers, has its weight transposed; the softmax that the loss had in it is added.

# %%
model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.LSTM(48),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
dense = [net.output.weight.detach().cpu().numpy().T, net.output.bias.detach().cpu().numpy()]
model.set_weights([*to_keras(net.lstm), *dense])

# %%
by_keras = model.predict(X_test.numpy(), batch_size=1000, verbose=0)
print(f"largest difference of two probabilities: {np.abs(by_keras - by_torch.numpy()).max():.1e}")

# %%
model.save("rows-torch.h5")
again = keras.models.load_model("rows-torch.h5")
print("the same predictions:", np.allclose(again.predict(X_test[:100].numpy(), verbose=0), by_keras[:100], atol=1e-5))
notebook.download("rows-torch.h5")

# %% [markdown]
# `python -m apps.digit --model rows-torch.h5 YOUR-PICTURE.png` reads a digit with it.
#
# ## What to try next
#
# - The same for `nn.RNN` and `keras.layers.SimpleRNN`: one gate, two biases. Two lines of `to_keras` are enough.
# - `nn.LSTM(28, 48, bidirectional=True)`: which weights are there now, and in which order has Keras'
#   `Bidirectional` them?
# - `python -m workshop.recurrent_cells` compares NumPy, Keras and PyTorch on all of these cells, their gradients too,
#   and `python -m workshop.pytorch.rnn` trains three cells, begun as Keras begins them.
