# %% [markdown]
# # PyTorch as it is written
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/35_pytorch_basics.ipynb)
#
# You write a complete PyTorch program, part by part: layers, a network as a class, a data set, the training loop, a
# checkpoint. You read PyTorch's error messages before you need them. The network learns which numbers are odd, a task
# so small that every tensor can be looked at. About 30 minutes. PyTorch has to be there: Colab has it; elsewhere
# `pip install torch`, or this notebook stops at its second cell of code.

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
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from workshop.exercises import check, hint, solution
from workshop.figures import pytorch_basics as figures

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
print(f"PyTorch {torch.__version__} on {device}")

# %% [markdown]
# ## Tensors and devices
#
# A tensor is an array that can lie on a GPU and that remembers how it was computed. Its *dtype* is the kind of its
# numbers, its *device* the place where they lie.

# %%
x = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
print("shape ", x.shape)
print("dtype ", x.dtype, "and of whole numbers", torch.tensor([1, 2]).dtype)
print("device", x.device, "and after .to(device)", x.to(device).device)
print("mean of each column", x.mean(dim=0))

# %% [markdown]
# ## A layer is a matrix product
#
# `nn.Linear(3, 2)` makes two numbers of three. **A question before you go on.** Which shape do its weights have, (3, 2)
# or (2, 3)?

# %%
layer = nn.Linear(3, 2, bias=False)
print("weights", tuple(layer.weight.shape))
print("layer(x)  ", layer(x).tolist())
print("x times W'", (x @ layer.weight.T).tolist())

# %% [markdown]
# A row of weights for each output: W is transposed before the product. Keras keeps W the other way round.

# %% [markdown]
# ### Your turn 1: what nn.Linear computes
#
# Write in NumPy what `nn.Linear` does with a batch x. Its weights W have the shape (outputs, inputs), its bias b
# (outputs,).


# %%
def linear(x, W, b):
    """Returns the outputs (n, outputs) for x (n, inputs), W (outputs, inputs) and b (outputs,)."""
    ...


# %%
check("pytorch_basics.1", linear)

# %% [markdown]
# `hint("pytorch_basics.1")` gives a hint, and `solution("pytorch_basics.1")` the solution. Try yourself first.
#
# ## What belongs to a network
#
# A network is a class: `__init__` makes the parts, `forward` says how a batch goes through them. What is an
# `nn.Parameter`, a layer, an `nn.ModuleList` or an `nn.ModuleDict` is found by PyTorch: it is trained, saved, and moved
# to the GPU. `register_buffer` is for numbers that are saved and not trained.


# %%
class Block(nn.Module):
    def __init__(self):
        super().__init__()  # first: it makes the lists in which the lines below are entered
        self.factor = nn.Parameter(torch.ones(3))
        self.constant = torch.ones(3)
        self.register_buffer("mean", torch.zeros(3))
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise([2, 3, 4, 3]))
        self.plain_list = [nn.Linear(2, 3)]
        self.activations = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})

    def forward(self, x, activation="relu"):
        for layer in self.layers:
            x = self.activations[activation](layer(x))
        return self.factor * (x - self.mean)


# %% [markdown]
# **Which of the six attributes will be trained, and which saved?**

# %%
block = Block()
print("trained:", [name for name, _ in block.named_parameters()])
print("saved:  ", list(block.state_dict()))
print("output: ", block(torch.ones(1, 2), "tanh").shape)

# %% [markdown]
# Nothing warns of the list and of the plain tensor: such a layer stays as it was born. Where the layers only follow one
# another, no class is needed: `nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))`.

# %% [markdown]
# ### Your turn 2: count the weights of a ModuleList
#
# `nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([2, 3, 4, 3]))` holds three layers: 2 to 3, 3 to 4, and 4 to 3.
# How many weights are that, biases counted too? Give a whole number, or let Python compute it.

# %%
weights = ...

# %%
check("pytorch_basics.2", weights)

# %% [markdown]
# ## Wrong shapes: read the message
#
# Everybody meets these. Run each line, and read what PyTorch says. **Before each: what do you think is wrong with it?**


# %%
def message(function):
    """Prints the error that a function raises."""
    try:
        function()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")


message(lambda: nn.Linear(3, 2)(torch.ones(4, 5)))

# %% [markdown]
# mat1 is the batch, 4 rows of 5 numbers; mat2 are the weights, transposed. The layer expects 3 inputs.

# %%
message(lambda: nn.Conv2d(1, 8, 3)(torch.ones(10, 28, 28, 1)))

# %% [markdown]
# These are grey images as Keras has them, channels last. PyTorch has the channels first: `.permute(0, 3, 1, 2)`.

# %%
outputs = torch.ones(4, 2)
message(lambda: nn.CrossEntropyLoss()(outputs, torch.ones(4, 1).long()))
message(lambda: nn.CrossEntropyLoss()(outputs, torch.ones(4)))
message(lambda: nn.CrossEntropyLoss()(outputs, torch.tensor([1, 2, 1, 2])))

# %% [markdown]
# This loss wants one class a row, (4,) and not (4, 1); as whole numbers, of the dtype Long, which is int64; and counted
# from 0. `.squeeze(1)`, `.long()` and `- 1` help.

# %%
message(lambda: nn.Linear(3, 2)(torch.from_numpy(np.ones((4, 3)))))
message(lambda: nn.Linear(3, 2, device="meta")(torch.ones(4, 3)))

# %% [markdown]
# NumPy makes floats of 64 bits, Double; layers have 32, Float: `.float()`. And batch and network have to be on one
# device. (`meta` is a device without memory. Here it stands for a GPU, which you may not have.)

# %% [markdown]
# ### Your turn 3: the number in the message
#
# A network ends with `nn.Flatten(), nn.Linear(800, 128)`. Its first batch stops with `RuntimeError: mat1 and mat2
# shapes cannot be multiplied (32x3136 and 800x128)`. Which number has to stand in place of 800?

# %%
inputs = ...

# %%
check("pytorch_basics.3", inputs)

# %% [markdown]
# ### The one that only warns
#
# **Four predictions, all right. What will the loss be?**

# %%
predictions = torch.tensor([[0.0], [1.0], [2.0], [3.0]])  # a network with one output: (4, 1)
targets = torch.tensor([0.0, 1.0, 2.0, 3.0])  # a column of a table: (4,)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print("the loss", nn.MSELoss()(predictions, targets).item())
print("the warning:", caught[0].message)
print("the loss of the same shapes", nn.MSELoss()(predictions[:, 0], targets).item())

# %% [markdown]
# (4, 1) and (4,) are broadcast to (4, 4), as in NumPy: each prediction is compared with each target.

# %%
figures.broadcasting(predictions[:, 0].numpy(), targets.numpy())

# %% [markdown]
# ### Your turn 4: a loss that says nothing
#
# A network predicts 1, 2, 3 in the shape (3, 1). The targets are 1, 2, 3 in the shape (3,). Which loss does
# `nn.MSELoss` give, beside its warning? Give three digits, or let Python compute it.

# %%
loss = ...

# %%
check("pytorch_basics.4", loss)

# %% [markdown]
# ## Loss functions are formulas
#
# Cross-entropy by hand: the logarithm of the sum of all exp(z), minus the logit of the right class.

# %%
z = torch.tensor([[2.0, 0.5, -1.0], [0.1, 1.2, 3.0]])
classes = torch.tensor([0, 1])
by_hand = (z.exp().sum(dim=1).log() - z[[0, 1], classes]).mean()
print("by hand", by_hand.item(), " PyTorch", nn.CrossEntropyLoss()(z, classes).item())

# %% [markdown]
# It takes logits, the numbers before a softmax: the network ends without one. `nn.BCEWithLogitsLoss` does the same for
# one output and a sigmoid.
#
# ## A data set
#
# A `Dataset` says how many samples there are, and what the sample of an index is.


# %%
class Numbers(Dataset):
    """The numbers 1 to 100, each labelled 1 if it is odd, else 0."""

    def __len__(self):
        return 100

    def __getitem__(self, index):
        return index + 1, (index + 1) % 2


# %%
d = Numbers()
print("d[2] =", d[2], " length", len(d))

# %% [markdown]
# A `DataLoader` draws samples and stacks them to batches. **How many batches of 30 will there be, and how long is the
# last one?**

# %%
print([len(numbers) for numbers, is_odd in DataLoader(d, batch_size=30)])
numbers, is_odd = next(iter(DataLoader(d, batch_size=4)))
print("the first four:", numbers, is_odd)

# %% [markdown]
# An array will do as well. Here are 9 rows in batches of 3, drawn in a new order:

# %%
for batch in DataLoader(np.arange(36).reshape(9, 4), batch_size=3, shuffle=True):
    print(batch.tolist())

# %% [markdown]
# ### Your turn 5: a Dataset of your own
#
# Write a `Dataset` of the numbers 1 to 50, each with 1 where it can be divided by 3, with 0 elsewhere. The sample of
# index 2 is the tuple `(3, 1)`, and the length is 50.


# %%
class Threes(Dataset):
    """The numbers 1 to 50, each with 1 where it can be divided by 3, with 0 elsewhere."""

    def __len__(self):
        """Returns how many samples there are."""
        ...

    def __getitem__(self, index):
        """Returns the sample of an index: the number, and 1 or 0."""
        ...


# %%
check("pytorch_basics.5", Threes)

# %% [markdown]
# ## The network
#
# A number goes in, its seven binary digits are taken, then come 16 hidden units, and two logits, of even and of odd.
# (Which digit says it? The network is not told.)


# %%
class Net(nn.Module):
    """Numbers (n,) -> logits (n, 2) of even and odd."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(7, 16)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(16, 2)

    def digits(self, numbers):
        places = 2 ** torch.arange(6, -1, -1, device=numbers.device)
        return (numbers[:, None] // places % 2).float()

    def forward(self, numbers):
        x = torch.relu(self.hidden(self.digits(numbers)))
        return self.output(self.dropout(x))


# %%
net = Net().to(device)
print(net)
print("37 in binary digits:", net.digits(torch.tensor([37], device=device)).tolist())
print("weights:", sum(weights.numel() for weights in net.parameters()))

# %% [markdown]
# ## The loop
#
# Four lines train, for each batch: gradients to zero, loss, gradients, step.

# %% [markdown]
# ### Your turn 6: one step of training
#
# Write the step that the training loop repeats: set the gradients to zero, compute the loss of the batch, compute the
# gradients, and change the weights. Return the loss as a Python number.


# %%
def train_step(net, optimizer, loss_function, x, y):
    """Trains `net` by one step on the batch x, y and returns its loss, a number."""
    ...


# %%
check("pytorch_basics.6", train_step)

# %% [markdown]
# Here is the whole loop. Before each epoch the seed is set from the epoch's number, so that the order of the batches
# and dropout depend on nothing else. You will see what that is good for.


# %%
def train(net, optimizer, epochs):
    """Trains a network and returns the mean loss of each epoch."""
    loader = DataLoader(Numbers(), batch_size=10, shuffle=True)
    loss_function = nn.CrossEntropyLoss()
    losses = []
    net.train()
    for epoch in epochs:
        torch.manual_seed(1000 + epoch)
        total = 0.0
        for numbers, is_odd in loader:
            numbers, is_odd = numbers.to(device), is_odd.to(device)
            optimizer.zero_grad()
            loss = loss_function(net(numbers), is_odd)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(numbers)
        losses.append(total / 100)
    return losses


# %%
optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.95)
losses = train(net, optimizer, range(4))
print([round(value, 3) for value in losses])

# %% [markdown]
# ## A checkpoint
#
# Four epochs are done. Now the machine could be switched off. What a run needs to go on is saved: weights, the
# optimizer's velocities, and the number of the epoch; the losses too, for the curve. It is written beside the old
# checkpoint and then renamed: a run that is killed meanwhile leaves the old one.

# %%
checkpoint = {"epoch": 4, "model": net.state_dict(), "optimizer": optimizer.state_dict(), "loss": losses}
torch.save(checkpoint, "checkpoint.pt.new")
Path("checkpoint.pt.new").replace("checkpoint.pt")
print("saved:", ", ".join(checkpoint))

# %% [markdown]
# This run goes on, and another one begins from the checkpoint: a new network, a new optimizer.
# `weights_only=True` reads numbers only; a file of somebody else can then run no code.

# %%
losses = losses + train(net, optimizer, range(4, 20))

# %%
other = Net().to(device)
other_optimizer = torch.optim.SGD(other.parameters(), lr=0.03, momentum=0.95)
loaded = torch.load("checkpoint.pt", map_location=device, weights_only=True)
other.load_state_dict(loaded["model"])
other_optimizer.load_state_dict(loaded["optimizer"])
resumed = loaded["loss"] + train(other, other_optimizer, range(loaded["epoch"], 20))

# %% [markdown]
# **A question before you go on.** How far apart are the weights of the two networks?

# %%
pairs = list(zip(net.parameters(), other.parameters(), strict=True))
print("largest difference of a weight:", max((a - b).abs().max().item() for a, b in pairs))
print("the same bits:", all(torch.equal(a, b) for a, b in pairs))

# %% [markdown]
# And if the optimizer is forgotten? Its momentum begins at 0 again.

# %%
third = Net().to(device)
third.load_state_dict(loaded["model"])
third_optimizer = torch.optim.SGD(third.parameters(), lr=0.03, momentum=0.95)
forgotten = loaded["loss"] + train(third, third_optimizer, range(loaded["epoch"], 20))
figures.checkpoint({"not stopped": losses, "everything": resumed, "a new optimizer": forgotten}, 4)

# %% [markdown]
# ### Your turn 7: what may be left out
#
# A run with SGD and momentum was stopped. It is to go on to the same bits. Its checkpoint holds `model`, `optimizer`,
# `epoch` and `loss`; the order of the batches and dropout depend on the seed and the epoch's number. Which of the four
# could be left out? Give its name as a text.

# %%
part = ...

# %%
check("pytorch_basics.7", part)

# %% [markdown]
# ## How good is it?
#
# The numbers 101 to 127 were in no batch. **How many of them does it get right?** To evaluate, two switches are set:
# `eval()` for the layers, `no_grad` for the gradients.

# %%
net.eval()
with torch.no_grad():
    for first, last in ((1, 100), (101, 127)):
        numbers = torch.arange(first, last + 1, device=device)
        right = net(numbers).argmax(dim=1) == numbers % 2
        print(f"{first} to {last}: {right.float().mean().item():.0%} right")

# %% [markdown]
# Eight numbers on their way. The first axis counts the samples, from the beginning to the end.

# %%
numbers = torch.arange(37, 45, device=device)
with torch.no_grad():
    hidden = net.hidden(net.digits(numbers))
    tensors = {"numbers": numbers, "digits": net.digits(numbers), "hidden": hidden, "relu": torch.relu(hidden)}
    tensors |= {"logits": net(numbers), "softmax": torch.softmax(net(numbers), dim=1)}
figures.shapes({name: tensor.cpu().numpy() for name, tensor in tensors.items()})

# %% [markdown]
# ### train() and eval()
#
# The number 37, three hundred times: once in `train()`, where dropout sets a fifth of the hidden units to 0 and makes
# the others larger, once in `eval()`, where it does nothing.

# %%
passes = {}
for mode in ("train", "eval"):
    net.train(mode == "train")
    with torch.no_grad():
        dropped = net.dropout(torch.relu(net.hidden(net.digits(torch.full((300,), 37, device=device)))))
        passes[mode] = dropped.cpu().numpy(), net.output(dropped).cpu().numpy()
figures.dropout(passes, 37)

# %% [markdown]
# `no_grad` does something else: it records nothing for `backward`. The switches do not know of each other.

# %%
numbers = torch.arange(1, 101, device=device)
for mode in ("train", "eval"):
    net.train(mode == "train")
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            first, second = net(numbers), net(numbers)
        state = f"{mode}(), {'gradients on' if gradients else 'no_grad'}"
        print(f"{state:21} twice the same: {torch.equal(first, second)!s:6} recorded: {first.requires_grad}")

# %% [markdown]
# ### Your turn 8: two predictions for one image
#
# A network with dropout is evaluated: `with torch.no_grad(): print(net(image), net(image))`. The two outputs differ.
# What is missing? `"a"`: `optimizer.zero_grad()` before it. `"b"`: `net.eval()` before it. `"c"`: `torch.no_grad()` for
# each of the two. `"d"`: a softmax.

# %%
missing = ...

# %%
check("pytorch_basics.8", missing)

# %% [markdown]
# ## What to try next
#
# - Take the last binary digit away from the network, `self.digits(numbers)[:, :-1]` with `nn.Linear(6, 16)`. What does
#   it reach on 1 to 100, and what on 101 to 127?
# - Change `Numbers` so that it says whether a number can be divided by 3. What does the network reach now, and what
#   would one reach that always says no?
# - `python -m workshop.pytorch_basics` prints all of this in one run. `python -m workshop.pytorch.mnist` is the same
#   program for digits, and saves a model that Keras loads.
