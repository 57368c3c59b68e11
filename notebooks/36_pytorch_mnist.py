# %% [markdown]
# # The same digits in PyTorch: a class, a loader, and the training loop in sight
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/36_pytorch_mnist.ipynb)
#
# Keras trains by one call, `fit`. In PyTorch you write what is inside of it. You build the convolutional network of
# notebook 14 as a class, feed it by a `Dataset` and a `DataLoader`, write the loop, and save the weights as a `.h5`
# that Keras loads with the same predictions. About 20 minutes. PyTorch has to be there: Colab has it; elsewhere
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
import keras
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from workshop.figures import mnist as figures
from workshop.kit.data.images import load_image_set
from workshop.pytorch.kit.model import TorchModel

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
print(f"PyTorch {torch.__version__} on {device}")

# %% [markdown]
# Some cells ask for your prediction in place of the three dots `...`. Write it down **before** you run the next cell;
# the notebook runs on if you leave them as they are.
#
# ## The data
#
# Where MNIST cannot be had, scikit-learn's digits are taken.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS = 1000, 500, 1"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
EPOCHS = 2

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(images.source)
print("images", images.X_train.shape, images.X_train.dtype, "labels", images.y_train.shape)

# %% [markdown]
# A `Dataset` says two things: how many samples there are, and what the sample of a number is. What is done to each
# sample, here the division by 255, has its place in it. PyTorch wants the **channels of an image first**, Keras has
# them last.


# %%
class Digits(Dataset):
    """Images as tensors (1, 28, 28) of 0 to 1, and their labels."""

    def __init__(self, X, y):
        self.X = X
        self.y = y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        image = torch.tensor(self.X[index], dtype=torch.float32) / 255
        return image.permute(2, 0, 1), int(self.y[index])


# %%
train_set = Digits(images.X_train, images.y_train)
test_set = Digits(images.X_test, images.y_test)
image, label = train_set[0]
print(len(train_set), "samples; the first:", tuple(image.shape), "a", label)

# %% [markdown]
# A `DataLoader` draws the samples, shuffled anew in each epoch, and puts them together to batches.
#
# **Your prediction 1.** Which shape does a batch of 128 images have?

# %%
predicted_shape = ...

# %%
train_loader = DataLoader(train_set, batch_size=128, shuffle=True)
test_loader = DataLoader(test_set, batch_size=500)
batch, labels = next(iter(train_loader))
print("you:    ", predicted_shape)
print("PyTorch:", tuple(batch.shape), "and labels", tuple(labels.shape))

# %%
figure, panels = plt.subplots(1, 8, figsize=(12, 2), layout="constrained")
for panel, image, number in zip(panels, batch, labels, strict=False):
    panel.imshow(image[0], cmap="gray_r")  # its one channel
    panel.set_title(int(number))
    panel.axis("off")
figure.suptitle("The first eight images of a batch, each under its label")
plt.show()

# %% [markdown]
# ## The network: a class
#
# `__init__` makes the layers, each with its weights; `forward` says how an image goes through them. Any Python may
# stand in `forward`, which is why researchers like it. In contrast to Keras each layer is told how many inputs it gets:
# 28x28 becomes 26x26 by a 3x3 convolution, 13x13 by pooling, then 11x11 and 5x5.


# %%
class Net(nn.Module):
    """A convolutional network: (n, 1, 28, 28) -> (n, 10) logits."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3)
        self.conv2 = nn.Conv2d(32, 32, kernel_size=3)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.2)
        self.fc1 = nn.Linear(32 * 5 * 5, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = torch.flatten(x, 1)  # all axes but the first, which counts the images
        x = self.dropout(torch.relu(self.fc1(x)))
        return self.fc2(x)  # logits: there is no softmax


# %%
net = Net().to(device)
print(net)
print(f"{sum(weight.numel() for weight in net.parameters()):,} weights")

# %%
for name, weight in net.named_parameters():
    print(f"{name:13}{tuple(weight.shape)}")

# %% [markdown]
# **A question.** Keras has the weights of a dense layer as (inputs, outputs). Look at `fc1.weight`: which way round has
# PyTorch them?
#
# ### Logits
#
# The outputs are *logits*, any numbers. `nn.CrossEntropyLoss` takes them and the class numbers, and has the softmax in
# it. A common mistake is a softmax at the end of `forward` as well: nothing fails, but the network learns slowly, since
# its outputs can only lie between 0 and 1.
#
# **Your prediction 2.** An image's logits are 9 for its true class and 0 for the nine others: the network is sure, and
# right. The loss is nearly 0. How large is it if the softmax is taken twice: 0, 1.5 or 9?

# %%
predicted_loss = ...

# %%
criterion = nn.CrossEntropyLoss()
logits = torch.tensor([[9.0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
truth = torch.tensor([0])
print("you:          ", predicted_loss)
print("softmax once: ", criterion(logits, truth).item())
print("softmax twice:", criterion(torch.softmax(logits, dim=1), truth).item())

# %% [markdown]
# ## One step
#
# Five lines, which every training in PyTorch has:
#
# 1. `optimizer.zero_grad()`: forget the gradients of the step before.
# 2. `logits = net(batch)`: forward.
# 3. `loss = criterion(logits, labels)`: one number.
# 4. `loss.backward()`: each weight gets its gradient, `weight.grad`.
# 5. `optimizer.step()`: each weight is moved.
#
# **Your prediction 3.** PyTorch *adds* gradients to what is there. The cell below calls `backward` twice without
# `zero_grad`. By which factor is the gradient of the second time larger?

# %%
predicted_factor = ...

# %%
net.eval()  # what this does comes below
batch, labels = batch.to(device), labels.to(device)
norms = []
for _ in range(2):
    loss = criterion(net(batch), labels)
    loss.backward()
    norms.append(net.fc2.weight.grad.norm().item())
print("you:    ", predicted_factor)
print(f"PyTorch: {norms[1] / norms[0]:.3f}")

# %% [markdown]
# ## The training loop
#
# `net.train()` switches to training: `Dropout` sets a fifth of its numbers to 0, at random.


# %%
def train_epoch(net, loader, optimizer):
    """Trains for an epoch; returns the mean loss and the accuracy of its batches."""
    net.train()
    total_loss = correct = 0
    for batch, labels in loader:
        batch, labels = batch.to(device), labels.to(device)
        optimizer.zero_grad()
        logits = net(batch)
        loss = criterion(logits, labels)
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * len(labels)
        correct += (logits.argmax(dim=1) == labels).sum().item()
    return total_loss / len(loader.dataset), correct / len(loader.dataset)


# %% [markdown]
# To evaluate, `net.eval()` switches `Dropout` off, and `torch.no_grad()` keeps PyTorch from remembering what it would
# need for gradients: less memory, less time. They are two different things, and both are forgotten often.


# %%
@torch.no_grad()
def evaluate(net, loader):
    """Returns the accuracy of a network on all samples of a loader."""
    net.eval()
    correct = 0
    for batch, labels in loader:
        predicted = net(batch.to(device)).argmax(dim=1).cpu()
        correct += (predicted == labels).sum().item()
    return correct / len(loader.dataset)


# %% [markdown]
# `Adam` gets the weights that it is to move. An epoch of MNIST takes half a minute to a minute on two CPU cores.

# %%
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
history = []
for epoch in range(EPOCHS):
    loss, accuracy = train_epoch(net, train_loader, optimizer)
    history.append(loss)
    print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {accuracy:.2%}")

# %%
accuracy = evaluate(net, test_loader)
print(f"{accuracy:.2%} of {len(test_set):,} test images classified correctly")

# %% [markdown]
# On MNIST expect about 98.5 % after two epochs. With a learning rate on a schedule, as
# `python -m workshop.pytorch.mnist` has it, two epochs give 99 %.
#
# ### What `eval()` changes
#
# **Your prediction 4.** The same image goes through the network five times. How many different results are there in
# training mode, and how many in evaluation mode?

# %%
predicted_in_training, predicted_in_evaluation = ..., ...

# %%
image = test_set[0][0][None].to(device)
with torch.no_grad():
    net.train()
    in_training = [torch.softmax(net(image), dim=1).max().item() for _ in range(5)]
    net.eval()
    in_evaluation = [torch.softmax(net(image), dim=1).max().item() for _ in range(5)]
print("you:", predicted_in_training, predicted_in_evaluation)
print("training:  ", np.round(in_training, 6))
print("evaluation:", np.round(in_evaluation, 6))

# %% [markdown]
# Keras does this by itself: `fit` trains, `predict` and `evaluate` do not.
#
# ### A prediction

# %%
number = 8 % len(test_set)
image, label = test_set[number]
with torch.no_grad():
    probabilities = torch.softmax(net(image[None].to(device)), dim=1)[0].cpu().numpy()
title = f"Test image {number}: predicted {probabilities.argmax()}, label {label}"
figures.prediction(images.X_test[number, ..., 0], probabilities, images.classes, title)

# %% [markdown]
# ## Keep the model
#
# PyTorch's own way is the *state dict*: the weights by name, without the class. To load it one needs the class `Net`
# again.

# %%
torch.save(net.state_dict(), "net.pt")
again = Net()
again.load_state_dict(torch.load("net.pt", map_location="cpu", weights_only=True))
print("the same weights:", torch.equal(again.fc2.weight, net.fc2.weight.cpu()))

# %% [markdown]
# ### ... as a file for Keras
#
# The programs of the workshop, and your colleagues with Keras, want a `.h5`. `TorchModel` follows `forward`, finds the
# layers in their order and writes them with Keras' layout of the weights:
#
# - a dense layer is transposed;
# - a filter is (outputs, inputs, height, width) in PyTorch and (height, width, inputs, outputs) in Keras;
# - the 800 numbers after `flatten` have the channels first here and last in Keras: the rows of `fc1` change places.
#
# The softmax that `forward` does not have is added.

# %%
as_keras = TorchModel(net, input_shape=(28, 28, 1), activation="softmax")
as_keras.save_h5("digits-torch.h5")
loaded = keras.models.load_model("digits-torch.h5")
loaded.summary()

# %%
pixels = images.X_test[:200] / np.float32(255)
by_keras = loaded.predict(pixels, verbose=0)
with torch.no_grad():
    logits = net(torch.tensor(pixels).permute(0, 3, 1, 2).to(device))
    by_torch = torch.softmax(logits, dim=1).cpu().numpy()
print(f"largest difference of two probabilities: {np.abs(by_keras - by_torch).max():.1e}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.plot(range(1, EPOCHS + 1), history, "o-")
left.set(xlabel="epoch", ylabel="training loss", title="PyTorch's training", xticks=range(1, EPOCHS + 1))
right.plot([0, 1], [0, 1], color="0.7")
right.plot(by_torch.ravel(), by_keras.ravel(), ".")
right.set(xlabel="probability by PyTorch", ylabel="probability by Keras", title="The same model in both")
plt.show()

# %% [markdown]
# `python -m apps.digit --model digits-torch.h5 YOUR-PICTURE.png` reads a digit with it, and never asks which library
# trained it.

# %%
notebook.download("digits-torch.h5")

# %% [markdown]
# ## What to try next
#
# - Take `optimizer.zero_grad()` out of the loop. What happens to the loss?
# - Take `net.eval()` out of `evaluate`: how much accuracy does it cost?
# - `python -m workshop.pytorch.mnist` trains the workshop's network, in the same time as Keras, with the same options.
