# %% [markdown]
# # Text, character by character: a small language model
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/27_text_generation.ipynb)
#
# A network reads a book and learns to predict the next character. You measure it in bits, compare it with counting,
# and let it write. The large language models of today are trained by the same loss. About 20 minutes.

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
import numpy as np
from sklearn.metrics import log_loss

from workshop.exercises import check, hint, solution
from workshop.figures import text_generation as figures
from workshop.kit.data import text
from workshop.kit.saving import bundle
from workshop.kit.saving.bundle import Input

# %% [markdown]
# ## The text
#
# Your own, if you have one: `my-text.txt` in UTF-8, 100,000 characters or more. Else *Alice's Adventures in
# Wonderland*, which is in the public domain and ships with the workshop.

# %% tags=["parameters"] quick="CHARACTERS, EPOCHS, LENGTH = 20_000, 1, 40"
CHARACTERS = 1_000_000  # of the text that are used, at most
EPOCHS = 7
LENGTH = 300  # of the texts that are generated

# %%
whole, source = text.read(notebook.upload("my-text.txt"))
whole = whole[:CHARACTERS]
print(source)
print(whole[1000:1400])

# %% [markdown]
# **A question before you go on.** Cover the rest of a line with your hand. How sure are you of the next character at
# the beginning of a word, and how sure in its middle?
#
# ## Characters to numbers
#
# Each character gets a number. Number 0 is for characters that the training text does not have. The last tenth of the
# text is held out: the network never sees it.

# %%
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
end = len(whole) * 9 // 10
characters = [UNKNOWN, *sorted(set(whole[:end]))]
index = {character: number for number, character in enumerate(characters)}
numbers = np.array([index.get(character, 0) for character in whole], np.int32)
train, held_out = numbers[:end], numbers[end:]
print(len(characters), "characters:", "".join(characters[1:]))

# %%
line = whole[1000:1012]
print(list(line))
print([index.get(character, 0) for character in line])

# %% [markdown]
# ### Your turn 1: the next character at every step
#
# Cut a text, as numbers, into windows of `length` that lie side by side. The network predicts the next character after
# **every** character of a window. Return X and y, both (windows, length); a window at the end that has not all of its
# targets is left out.


# %%
def windows(numbers, length):
    """Returns inputs X and targets y, both (windows, length), of numbers (characters,)."""
    ...


# %%
check("text_generation.1", windows)

# %% [markdown]
# `hint("text_generation.1")` gives a hint, and `solution("text_generation.1")` the solution. Try yourself first. The
# finished one is `text.windows`:

# %%
WINDOW = 32  # about six words
X, y = text.windows(train, WINDOW)
print("X", X.shape, "y", y.shape)
print("inputs ", repr("".join(characters[number] for number in X[40])))
print("targets", repr("".join(characters[number] for number in y[40])))

# %% [markdown]
# ## Bits per character
#
# How good is a prediction? By its *bits*: how many questions with yes or no are still to be asked until the character
# is known.

# %% [markdown]
# ### Your turn 2: bits per character when nothing is known
#
# A text has 64 different characters, and a model knows nothing: it gives each of them the same probability. How many
# bits per character is that, the negative logarithm to the base 2 of the probability?

# %%
bits = ...

# %%
check("text_generation.2", bits)

# %% [markdown]
# ### Your turn 3: bits per character
#
# `of_true` are the probabilities that a model gave to the characters that really came next. Return the bits per
# character: the mean of the negative logarithm to the base 2.


# %%
def bits_per_character(of_true):
    """Returns the bits per character, of probabilities (characters,) of what really came."""
    ...


# %%
check("text_generation.3", bits_per_character)

# %% [markdown]
# ### What counting can do
#
# No network yet: count how often each character occurs, and which one follows which. scikit-learn's `log_loss` is the
# cross-entropy; divided by ln 2 it is in bits. A count is a tenth larger than what was seen, so that nothing is
# impossible.

# %%
n = len(characters)
LN2 = np.log(2)
alike = np.full(n, 1 / n)
frequency = np.bincount(train, minlength=n) + 0.1
frequency = frequency / frequency.sum()
pairs = np.full((n, n), 0.1)
np.add.at(pairs, (train[:-1], train[1:]), 1)  # a row for the character before, a column for the one that follows
pairs /= pairs.sum(axis=1, keepdims=True)
triples = np.full((n, n, n), 0.1)  # the two before, and the one that follows
np.add.at(triples, (train[:-2], train[1:-1], train[2:]), 1)
triples /= triples.sum(axis=2, keepdims=True)

# %%
before, after = held_out[:-1], held_out[1:]
rows = [
    ("none: all characters equally likely", log_loss(after, np.tile(alike, (len(after), 1)), labels=range(n)) / LN2),
    ("character frequencies", log_loss(after, np.tile(frequency, (len(after), 1)), labels=range(n)) / LN2),
    ("previous character", log_loss(after, pairs[before], labels=range(n)) / LN2),
    ("previous two characters", log_loss(after[1:], triples[before[:-1], before[1:]], labels=range(n)) / LN2),
]
for name, value in rows:
    print(f"{name}: {value:.2f} bits per character")

# %%
for character in "qt ":
    likeliest = np.argsort(-pairs[index.get(character, 0)])[:5]
    print(repr(character), "is followed by", [characters[number] for number in likeliest])

# %% [markdown]
# **A question before you go on.** What would a model have to remember to do better: the word, the sentence, who is
# speaking?
#
# ## The network
#
# An *embedding* gives each character 64 features of its own. Two LSTM layers, one above the other, keep in their
# states what was read; a softmax predicts the next character at **every** step. `return_sequences=True` in both: the
# slip of leaving it out gives one prediction for a whole window, and Keras says that the shapes do not fit.

# %%
model = keras.Sequential(
    [
        keras.Input((WINDOW,), dtype="int32"),
        keras.layers.Embedding(n, 64, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0)),
        keras.layers.LSTM(128, return_sequences=True),
        keras.layers.LSTM(128, return_sequences=True),
        keras.layers.Dense(n, activation="softmax"),
    ]
)
model.summary()

# %%
batch_size = 32 if len(X) > 1000 else 16
steps = EPOCHS * -(-len(X) // batch_size)
rate = keras.optimizers.schedules.CosineDecay(
    0.0008, max(1, steps * 9 // 10), warmup_target=0.02, warmup_steps=max(1, steps // 10)
)
model.compile(
    optimizer=keras.optimizers.AdamW(rate, weight_decay=0.01, beta_2=0.99),
    loss="sparse_categorical_crossentropy",
    weighted_metrics=["accuracy"],
)

# %% [markdown]
# A minute or two for the book on two CPU cores. Watch the loss: at the start the network knows as little as your turn
# 2, and within a few steps it has found out which characters are frequent.

# %%
history = model.fit(X, y, batch_size=batch_size, epochs=EPOCHS)

# %% [markdown]
# The first characters of a window are hard to predict, since nothing was read yet. On the held-out text the windows
# overlap, and weights of 0 leave the first half of each out.

# %%
X_test, y_test, counts = text.evaluation_windows(held_out, WINDOW)
loss, accuracy = model.evaluate(X_test, y_test, sample_weight=counts, batch_size=500, verbose=0)
rows.append((f"LSTM, up to {WINDOW} before", loss / LN2))
print(f"{loss / LN2:.2f} bits per character; {accuracy:.1%} of the characters were thought the likeliest")

# %% [markdown]
# Expect at most 2.3 bits for the book, where counting by the two characters before leaves 2.7.
#
# ## Writing
#
# To write, the network predicts the next character, one is *sampled* from the probabilities and appended, and so on.

# %% [markdown]
# ### Your turn 4: sample a character
#
# `probabilities` are those of the next character, and `r` is a random number, at least 0 and below 1. Lay the
# probabilities one after the other on a line from 0 to 1, and return the index of the piece that r falls into.


# %%
def sample(probabilities, r):
    """Returns an index, of probabilities (characters,) and a number r."""
    ...


# %%
check("text_generation.4", sample)

# %% [markdown]
# ### Your turn 5: temperature
#
# Return the probabilities at a temperature T: each is raised to the power of 1 / T, and all are divided by their sum,
# so that they add up to 1 again.


# %%
def at_temperature(probabilities, temperature):
    """Returns probabilities (characters,) that add up to 1."""
    ...


# %%
check("text_generation.5", at_temperature)

# %% [markdown]
# The finished one is `text.apply_temperature`, and NumPy's `random.choice` samples. A window that is not full yet is
# padded at its end: a prediction depends on no later character.


# %%
def predict_next(start):
    """Returns the probabilities (characters,) of the character after a text."""
    recent = [index.get(character, 0) for character in start[-WINDOW:]]
    padded = np.zeros((1, WINDOW), np.int32)
    padded[0, : len(recent)] = recent
    return model.predict_on_batch(padded)[0, len(recent) - 1]


def write(start, temperature, length, seed=1):
    """Returns a text, continued by so many characters."""
    random = np.random.default_rng(seed)
    written = start
    for _ in range(length):
        probabilities = text.apply_temperature(predict_next(written)[1:], temperature)  # without the unknown one
        written += characters[1 + random.choice(n - 1, p=probabilities)]
    return written


# %%
START = "Alice "
for temperature in (0.5, 1.0, 1.5):
    print(f"[temperature {temperature}]\n{write(START, temperature, LENGTH)}\n")

# %% [markdown]
# **A question.** Which temperature spells best, and which one has more to say? What has the network learned: letters,
# words, grammar, a story?

# %%
probabilities = {temperature: text.apply_temperature(predict_next(START), temperature) for temperature in (0.5, 1, 1.5)}
curve = (range(1, EPOCHS + 1), np.array(history.history["loss"]) / LN2)
names = text.Vocabulary(characters[1:]).names()
figures.overview(curve, rows, probabilities, names, START)

# %% [markdown]
# ## Keep the model

# %%
model.save("writer.h5")
notebook.download("writer.h5")
again = keras.models.load_model("writer.h5")
before, after = (network.predict(X_test[:50], verbose=0) for network in (model, again))
print("the same predictions:", np.allclose(before, after, atol=1e-5))

# %% [markdown]
# The file holds numbers only: which character is number 17 is not in it. The program `python -m apps.write --model
# writer.h5 "Alice"` reads that from a *card*, a small JSON file beside the model; so this once the workshop's own
# function saves both.

# %%
bundle.save(
    ".",
    "writer",
    model,
    lesson="text_generation",
    data=source,
    seed=1,
    inputs=[Input("numbers of characters", shape=(WINDOW,), maximum=n - 1)],
    metrics={"bits_test_log_loss": loss / LN2},
    classes=names,
    output="next character",
)

# %%
command = [sys.executable, "-m", "apps.write", "--model", "writer.h5", "--length", str(LENGTH), "Alice "]
print(subprocess.run(command, capture_output=True, text=True, check=False).stdout)

# %% [markdown]
# ## What to try next
#
# - A text of your own: Shakespeare, a language you speak, Python code. A larger one deserves `notebook.drive()`, a
#   folder that outlasts the session, for the model.
# - One LSTM layer in place of two, 32 units in place of 128: how many bits does each cost?
# - `keras.layers.Bidirectional` around the LSTM gives nearly 0 bits. Why is that no good news?
