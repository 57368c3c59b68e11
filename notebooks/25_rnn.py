# %% [markdown]
# # An image read row by row: recurrent networks
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/25_rnn.ipynb)
#
# A recurrent network reads a sequence step by step and keeps in a *state* what it has read (by hand:
# `24_recurrent_cells`). You train a SimpleRNN, an LSTM and a GRU to read digits from the top, and see from which row on
# each is sure. About 15 minutes.

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
import math

import keras
import matplotlib.pyplot as plt
import numpy as np

from workshop.exercises import check, hint, solution
from workshop.figures import rnn as figures
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## A sequence
#
# Text, speech, prices: what comes one after the other is a sequence. An image is one, too, if it is read from the top:
# 28 rows (the *steps*) of 28 pixels (the *features*). Where MNIST cannot be had, scikit-learn's digits are taken.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS, SIMPLE_EPOCHS = 1000, 500, 1, 1"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
EPOCHS = 2
SIMPLE_EPOCHS = 3

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(images.source)
X_train = images.X_train[..., 0] / np.float32(255)
X_test = images.X_test[..., 0] / np.float32(255)
y_train, y_test = images.y_train, images.y_test
print("X_train", X_train.shape, ": (images, steps, features)")

# %% [markdown]
# ### Your turn 1: read from the left
#
# `X` are images, `(images, rows, columns)`: digits of 28 rows of 28 pixels, or images of any other size. A recurrent
# network reads them row by row, from the top. Return them so that it reads the same images column by column, from the
# left: the steps are the columns, and what a step has are the pixels of a column, from the top.


# %%
def by_columns(X):
    """Returns the images (images, columns, rows): each step is a column."""
    ...


# %%
check("rnn.1", by_columns)

# %% [markdown]
# `hint("rnn.1")` gives a hint, and `solution("rnn.1")` the solution. Try yourself first.
#
# A digit as it is read from the top, and from the left:

# %%
turned = by_columns(X_train[:1])
figure, (top, left) = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
top.imshow(X_train[0], cmap="gray_r")
top.set(title="from the top: each step is a row", xlabel="feature", ylabel="step")
if turned is not None:
    left.imshow(turned[0], cmap="gray_r")
left.set(title="from the left: each step is a column", xlabel="feature", ylabel="step")
plt.show()

# %% [markdown]
# **A question before you go on.** Which digits look alike in their upper half? From the top, which of them would a
# network take for each other longest?
#
# ## Reading digits
#
# Three networks: a recurrent layer of 48 units, its states after **all** rows laid one after the other, and a dense
# layer of ten probabilities. An LSTM has a memory beside its state; three gates and a candidate, each with weights of
# its own, decide what changes in it (`24_recurrent_cells`). The GRU (Cho and others, 2014) has two gates, a candidate
# and no memory of its own.

# %% [markdown]
# ### Your turn 2: count the weights of an LSTM
#
# `keras.layers.LSTM(48)` reads the 28 rows of an image, of 28 pixels each. How many weights does the layer have, the
# biases counted too? Give a whole number, or let Python compute it.

# %%
weights = ...

# %%
check("rnn.2", weights)

# %% [markdown]
# ### Your turn 3: predict from all states
#
# Build a network that reads an image of 28 rows of 28 pixels: a GRU of 32 units that gives its state after **every**
# row, these states laid one after the other, and one dense layer of ten probabilities. `reader.summary()` must end at
# 14,922 weights.

# %%
reader = ...

# %%
check("rnn.3", reader)


# %% [markdown]
# The networks of this lesson are built in the same way, but for the size. A *learning rate* that rises in the first
# tenth of the steps and then falls along a cosine lets two or three epochs be enough:


# %%
def compile_and_fit(model, learning_rate, epochs):
    """Trains a model by AdamW; returns what `fit` returns."""
    steps = epochs * math.ceil(len(X_train) / 192)
    warmup = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        learning_rate / 25, max(1, steps - warmup), warmup_target=learning_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=0.01, beta_2=0.99),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model.fit(X_train, y_train, batch_size=192, epochs=epochs)


def classifier(recurrent):
    """Returns a network of a recurrent layer that returns all of its states."""
    return keras.Sequential(
        [keras.Input((28, 28)), recurrent, keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    )


# %%
simple = classifier(keras.layers.SimpleRNN(48, return_sequences=True))
simple.summary()
simple_history = compile_and_fit(simple, 0.005, SIMPLE_EPOCHS)

# %%
lstm = classifier(keras.layers.LSTM(48, return_sequences=True))
lstm_history = compile_and_fit(lstm, 0.014, EPOCHS)

# %%
gru = classifier(keras.layers.GRU(48, return_sequences=True))
gru_history = compile_and_fit(gru, 0.014, EPOCHS)

# %% [markdown]
# On MNIST expect 97 % of the test images classified correctly with the SimpleRNN, and 98.5 % with LSTM and GRU.

# %%
networks = {"SimpleRNN": simple, "LSTM": lstm, "GRU": gru}
accuracies = {name: model.evaluate(X_test, y_test, batch_size=1000, verbose=0)[1] for name, model in networks.items()}
for name, accuracy in accuracies.items():
    print(f"{name}: {networks[name].count_params():,} weights, accuracy {accuracy:.2%} on {len(X_test):,} test images")

# %%
histories = {"SimpleRNN": simple_history, "LSTM": lstm_history, "GRU": gru_history}
curves = {
    name: (range(1, len(history.history["loss"]) + 1), history.history["loss"]) for name, history in histories.items()
}
figures.comparison(curves, accuracies, "One layer of 48 units, predicting from all states")

# %% [markdown]
# ### What it knows after each row
#
# Rows that are not read yet are given to the dense layer as zeros. **From which row on would you be sure?**


# %%
def predict_by_row(model, X):
    """Returns the probabilities after each row (images, rows, classes)."""
    recurrent, _, dense = model.layers
    states = np.asarray(recurrent(X))  # (images, rows, units)
    after = []
    for row in range(28):
        read = states.copy()
        read[:, row + 1 :] = 0
        after.append(np.asarray(dense(read.reshape(len(X), -1))))
    return np.stack(after, axis=1)


# %%
predictions = {name: predict_by_row(model, X_test[:3]) for name, model in networks.items()}
figures.predictions_by_row(X_test[:3], predictions, y_test[:3], images.classes)

# %% [markdown]
# ## Keep the model
#
# `python -m apps.digit --model rows.h5 YOUR-PICTURE.png` reads a digit with it.

# %%
lstm.save("rows.h5")
notebook.download("rows.h5")
again = keras.models.load_model("rows.h5")
before, after = (model.predict(X_test[:100], verbose=0) for model in (lstm, again))
print("the same predictions:", np.allclose(before, after, atol=1e-5))

# %% [markdown]
# ## What to try next
#
# - From the last state alone: take `return_sequences=True` and `Flatten` away. After two epochs an LSTM ends at about
#   98 %; why is that harder?
# - Set `X_train, X_test = by_columns(X_train), by_columns(X_test)` and train again from *Reading digits* on. Is a digit
#   as easy to read from the left?
# - Two layers of 256 units, Adam at 0.001, batches of 64, 10 epochs: a course's network, an hour for all three cells.
#   The course has 97.83, 98.76 and 97.84 % (SimpleRNN, LSTM, GRU): `python -m workshop.rnn --preset course`.
