# %% [markdown]
# # Admitted or not: one neuron, and a network that bends the line
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/09_admission.ipynb)
#
# Two exam scores of 100 applicants, and whether each was admitted. You train one neuron, see what it can't do, add two
# hidden layers, and save a model that a small program uses. About 25 minutes, of which one is training.

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
import joblib
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from workshop.exercises import check, hint, solution
from workshop.figures import admission as figures
from workshop.kit.data.tables import read_table, shipped_table

# %% [markdown]
# ## The applicants

# %% tags=["parameters"] quick="NEURON_EPOCHS, NETWORK_EPOCHS, OWN_EPOCHS = 20, 40, 10"
NEURON_EPOCHS = 300
NETWORK_EPOCHS = 1200
OWN_EPOCHS = 200

# %%
table = read_table(shipped_table("admission"))
X, y = table.split_two_classes()
print(table.source, table.names)
print("X", X.shape, "y", y.shape, "admitted", int(y.sum()))
print(X[:3], y[:3])

# %%
for value, name, marker in ((0, "Sorry", "o"), (1, "Admitted", "^")):
    plt.plot(X[y == value, 0], X[y == value, 1], marker, label=name)
plt.xlabel("exam 1 (points)")
plt.ylabel("exam 2 (points)")
plt.title("100 applicants")
plt.legend()
plt.show()

# %% [markdown]
# **A question before you go on.** Lay a ruler on the plot so that it parts the two classes as well as it can. How many
# of the 100 are on its wrong side, and where are they?

# %% [markdown]
# ## Scale the scores
#
# The scores go from 30 to 100. Gradient descent takes steps of one size in all directions, which suits small numbers of
# the same range. A scaler brings each column to the range from 0 to 1.

# %%
scaler = MinMaxScaler()
X_scaled = scaler.fit_transform(X)
print("lowest ", scaler.data_min_, "become", X_scaled.min(axis=0).round(3))
print("highest", scaler.data_max_, "become", X_scaled.max(axis=0).round(3))

# %% [markdown]
# ### Your turn 1: scale by hand
#
# Write what `MinMaxScaler` does. `X` has a row for each applicant and a column for each exam. Return an array of the
# same shape in which the lowest score of each column has become 0 and its highest 1.


# %%
def min_max(X):
    """Returns X (applicants, exams), each column scaled to 0 to 1."""
    ...


# %%
check("admission.1", min_max)

# %% [markdown]
# `hint("admission.1")` gives a hint, and `solution("admission.1")` the solution. Try yourself first.
#
# ## One neuron
#
# A neuron multiplies each score by a weight, adds a bias, and a sigmoid makes a probability of the sum. It has three
# numbers to learn.

# %%
neuron = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
neuron.summary()

# %% [markdown]
# `compile` says how to train: stochastic gradient descent with a learning rate of 0.2 makes the *cross-entropy* small.
# For each applicant that is the negative logarithm of the probability which the model gave to what really happened: 0
# for a confident, correct prediction, large for a confident, wrong one. Two classes and one output: the loss is
# `binary_crossentropy`. `verbose=0` prints nothing while it trains: an epoch is four steps, and there are hundreds. It
# takes about 10 seconds.

# %%
neuron.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.2),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
neuron_history = neuron.fit(X_scaled, y, batch_size=32, epochs=NEURON_EPOCHS, verbose=0)

# %%
loss, neuron_accuracy = neuron.evaluate(X_scaled, y, verbose=0)
print(f"cross-entropy {loss:.3f}, {neuron_accuracy:.0%} of the applicants classified correctly")

# %% [markdown]
# Expect 89 to 92 %. The line where the probability is 0.5 is the **decision boundary**; `predict` gives the probability
# at every point of the plot.


# %%
def neuron_at(points):
    """Returns the neuron's probabilities for points (n, 2) in points of the exams."""
    return neuron.predict(scaler.transform(points), batch_size=1000, verbose=0)


names, classes = ("exam 1 (points)", "exam 2 (points)"), ("Sorry", "Admitted")
figures.boundaries({"neuron": neuron_at}, X, y, names=names, classes=classes)

# %% [markdown]
# **A question.** Would the neuron get more of them right if you trained it ten times as long? What would have to change
# in the plot?
#
# ## Hidden layers of 8 and 4 units
#
# A weighted sum of weighted sums is a weighted sum: layers without an activation would draw a line again. What bends
# the boundary is the *activation* between them: relu keeps what is above 0 and makes 0 of the rest.

# %%
network = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(4, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)

# %% [markdown]
# ### Your turn 2: count the weights of 2-8-4-1
#
# A network takes two scores, has hidden layers of 8 and of 4 units, and one output. How many weights does it have, the
# biases counted too? Give a whole number, or let Python compute it.

# %%
weights = ...

# %%
check("admission.2", weights)

# %%
network.summary()

# %% [markdown]
# The same training, longer: 1,200 epochs, about 40 seconds.

# %%
network.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.2),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
network_history = network.fit(X_scaled, y, batch_size=32, epochs=NETWORK_EPOCHS, verbose=0)

# %%
loss, network_accuracy = network.evaluate(X_scaled, y, verbose=0)
print(f"cross-entropy {loss:.3f}, {network_accuracy:.0%} of the applicants classified correctly")

# %% [markdown]
# Expect 99 or 100 %.

# %%
figures.losses({"neuron": neuron_history.history["loss"], "network": network_history.history["loss"]})

# %% [markdown]
# **A question.** The neuron's loss stops falling early, the network's goes on. Which plot showed you the reason?


# %%
def network_at(points):
    """Returns the network's probabilities for points (n, 2) in points of the exams."""
    return network.predict(scaler.transform(points), batch_size=1000, verbose=0)


models = {"neuron": neuron_at, "network": network_at}
figures.boundaries(models, X, y, names=names, classes=classes, example=(38, 75))

# %% [markdown]
# ## An applicant with 38 and 75
#
# The star in the plot is an applicant who is weak in one exam and strong in the other. New data go the way of the
# training data: first through the scaler (`transform`, not `fit_transform`), then through the model.

# %%
applicant = scaler.transform([[38, 75]])
print("scaled:", applicant)
for name, model in (("neuron", neuron), ("network", network)):
    p = model.predict(applicant, verbose=0)[0, 0]
    print(f"{name}: probability {p:.3f}, {classes[int(p >= 0.5)]}")

# %% [markdown]
# **A question.** Both say Sorry, but not equally surely. Nobody in the training data has less than 30 points. What will
# the network say of 20 and 95, and would you trust it?

# %%
outside = scaler.transform([[20, 95]])
print("scaled:", outside, "- outside of 0 to 1, which the network has never seen")
print(f"probability {network.predict(outside, verbose=0)[0, 0]:.3f}")

# %% [markdown]
# ### Your turn 3: one applicant by hand
#
# Write what happens to one applicant on the way from two scores to a probability. `scores` are as they stand in the
# certificate, such as 38 and 75; `low` and `high` are the lowest and the highest of each exam in the training data; `w`
# are the two weights of a neuron that was trained on scaled scores, and `b` its bias. Return its output after the
# sigmoid, 1 / (1 + e^-z).


# %%
def probability(scores, low, high, w, b):
    """Returns the probability of Admitted for scores (2,); low, high and w are (2,), b is a number."""
    ...


# %%
check("admission.3", probability)

# %% [markdown]
# ## Save the model, and its scaler
#
# A model that was trained on scaled scores is useless without its scaler: save both. One `.h5` file holds the layers
# and their weights. Keras says that this is its older format; every version of Keras reads it.
#
# What lies in a session of Colab is lost when it ends. `download` puts a file on your computer; or save into your
# Drive: `network.save(notebook.drive() / "admission.h5")`, and the scaler beside it.

# %%
network.save("admission.h5")
joblib.dump(scaler, "admission-scaler.gz")
notebook.download("admission.h5")
notebook.download("admission-scaler.gz")

# %%
again = keras.models.load_model("admission.h5")
its_scaler = joblib.load("admission-scaler.gz")
p = again.predict(its_scaler.transform([[38, 75]]), verbose=0)[0, 0]
print(f"loaded again: probability {p:.3f}, {classes[int(p >= 0.5)]}")

# %% [markdown]
# ## A program that uses it
#
# Not everybody who wants a prediction has Python open. The workshop has a program for the terminal:
#
#     python -m apps.admission --model admission.h5
#
# It asks for two scores and says Admitted or Sorry. A bare name, without a folder, is looked up in the folder where you
# start the program: that is your model. Only where there is none does it look in the folder `models`, where the model
# lies that ships with the workshop, and it says so. The scaler is found beside the model, by its name:
# `admission-scaler.gz`. Here two scores are given at once, so that it does not ask. It notes that your model has no
# card, the small file in which the workshop's own models say what their inputs are:

# %%
command = [sys.executable, "-m", "apps.admission", "--model", "admission.h5", "38", "75"]
done = subprocess.run(command, capture_output=True, text=True)
print(done.stdout, done.stderr)

# %% [markdown]
# Try others in a terminal: two scores that no applicant had, such as 20 and 95, are answered as well.
#
# ### Your turn 4: two softmax outputs
#
# The same decision can be made by two outputs, one for each class, as networks with more classes have it. Build it: two
# scores, one hidden layer of 8 relu units, and two outputs, Sorry and Admitted, whose probabilities add up to 1.

# %%
two_outputs = ...

# %%
check("admission.4", two_outputs)

# %% [markdown]
# ## How good is it really, and a table of your own
#
# The network got 99 or 100 % of the applicants right **that it was trained on**. That is too optimistic: ask it about
# others. So some rows are held out, and the scaler too may look only at those to train on.
#
# Bring a table of your own, if you have one: a CSV file with a line of column names, columns of numbers, and last a
# column of 0 and 1. In Colab a dialogue asks for it (Cancel takes the applicants again); elsewhere put it beside the
# notebook under this name.

# %%
own = notebook.upload("my-table.csv")
table = read_table(own or shipped_table("admission"), at_least=20)
X, y = table.split_two_classes()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=1)
print(table.source, "to train on", len(X_train), "to test on", len(X_test))

# %%
own_scaler = MinMaxScaler().fit(X_train)
own_network = keras.Sequential(
    [
        keras.Input((X.shape[1],)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(4, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
own_network.compile(optimizer=keras.optimizers.SGD(0.2), loss="binary_crossentropy", metrics=["accuracy"])
history = own_network.fit(own_scaler.transform(X_train), y_train, epochs=OWN_EPOCHS, verbose=0)

# %%
for name, rows, targets in (("train", X_train, y_train), ("test", X_test, y_test)):
    loss, share = own_network.evaluate(own_scaler.transform(rows), targets, verbose=0)
    print(f"{name}: {share:.0%} of {len(targets)} right")

# %% [markdown]
# **A question.** Of 20 test rows, one more or less right is 5 %. How many rows would you hold out to believe a second
# digit?
#
# ## What to try next
#
# - Hidden layers of 2 units, or of 64: how do the boundary and the test accuracy change?
# - `activation="sigmoid"` in the hidden layers: how many epochs does it need now?
# - Train without the scaler, on scores from 30 to 100. What happens to the loss?
# - The next notebook: XOR, the smallest problem that one neuron cannot solve.
