# %% [markdown]
# # One neuron decides: tumours, the sigmoid and cross-entropy
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/06_logistic_regression.ipynb)
#
# A line answers "how much"; a sigmoid behind it answers "how probable". You see what the sigmoid does, why its errors
# are measured by cross-entropy and not by squares, and train a neuron that tells malignant tumours from benign ones:
# 569 real cases. About 25 minutes.

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
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from workshop.exercises import check, hint, solution
from workshop.figures import logistic_regression as figures
from workshop.kit.data.tables import read_table

# %% tags=["parameters"] quick="EPOCHS = 3"
EPOCHS = 60

# %% [markdown]
# ## From a number to a probability
#
# A neuron adds up its weighted inputs. The sum, z, may be any number; the **sigmoid** makes a probability of it.

# %%
z = np.linspace(-10, 10, 201)
plt.plot(z, keras.ops.sigmoid(z))
plt.xlabel("z")
plt.ylabel("sigmoid(z)")
plt.title("The sigmoid")
plt.grid()
plt.show()

# %%
for z in (-10, -8, -4, 0, 0.5, 1, 5):
    print(f"sigmoid({z:3}) = {keras.ops.sigmoid(np.float64(z)).numpy():.10f}")

# %% [markdown]
# **A question before you go on.** Add sigmoid(4) to sigmoid(-4). Which sum do you expect, and why?
#
# ### Your turn 1: the sigmoid by hand
#
# Return the sigmoid of `z`, 1 / (1 + e^-z). `z` may be a number or an array; then the result is an array of the same
# shape.


# %%
def sigmoid(z):
    """Returns the sigmoid of z, a number or an array of any shape."""
    ...


# %%
check("logistic_regression.1", sigmoid)

# %% [markdown]
# `hint("logistic_regression.1")` gives a hint, and `solution("logistic_regression.1")` the solution. Try yourself
# first.
#
# ## Cross-entropy: the cost of a wrong probability
#
# A model says: malignant, with a probability of 0.7. Then the tumour turns out to be malignant, or not. The
# **cross-entropy** of this prediction is the negative logarithm of the probability that it gave to the *true class*.

# %%
print("label  probability of 1  cross-entropy")
for y, p in ((1, 0.7), (1, 0.1), (1, 1e-6), (0, 0.3), (0, 0.9), (1, 0.99999), (0, 0.00001), (0, 0.999999)):
    of_true_class = p if y == 1 else 1 - p
    print(f"{y:5}  {p:16g}  {-np.log(of_true_class):13.5f}")

# %% [markdown]
# A confident, correct prediction costs nearly nothing; the cost of a confident, wrong one grows without limit.
#
# **A question.** A model always predicts 0.5: what is its cross-entropy for each sample?
#
# ### Your turn 2: cross-entropy by hand
#
# `y` is the label of each sample, 0 or 1; `p` is the probability that was predicted for 1. Return the mean
# cross-entropy: the mean of the negative natural logarithms of the probabilities of the true classes. Where y is 0,
# that is 1 - p.


# %%
def cross_entropy(y, p):
    """Returns the mean cross-entropy of probabilities p (samples,) for classes y (samples,), 0 or 1."""
    ...


# %%
check("logistic_regression.2", cross_entropy)

# %% [markdown]
# ## Why a logarithm: maximum likelihood
#
# A coin was thrown four times: heads, tails, heads, tails. How probable are these throws, if the coin shows heads with
# a probability of 0.5, and if it shows heads with 0.2? That probability is the **likelihood** of 0.5 and of 0.2.

# %%
throws = ("heads", "tails", "heads", "tails")
for theta in (0.2, 0.5, 0.8):
    product = 1
    for throw in throws:
        product *= theta if throw == "heads" else 1 - theta
    print(f"theta {theta}: likelihood {product:.4f}, negative logarithm {-np.log(product):.4f}")

# %% [markdown]
# The coin that makes what happened most probable is the best guess. Networks are trained in the same way: make what
# happened probable. A product of 569 probabilities is too small for a computer, so its logarithm is taken, which is a
# sum, and the sign is turned: the cross-entropy is made small.
#
# ### Your turn 3: the likelihood of a coin
#
# A coin shows heads with the probability `theta`. Return the likelihood of throws in a given order, `heads` times heads
# and `tails` times tails: the probability that exactly these throws happen.


# %%
def likelihood(theta, heads, tails):
    """Returns the probability of one given order of so many heads and tails."""
    ...


# %%
check("logistic_regression.3", likelihood)

# %% [markdown]
# ## Why not squares?
#
# A neuron starts far on the wrong side: input 1, target 0, weight and bias 2, so that its output is 0.98. It descends
# by either loss, in steps of 0.15. The gradient of the squares holds the slope of the sigmoid, a (1 - a), which is
# nearly 0 out there: the neuron is **saturated**. In the gradient of the cross-entropy this factor cancels.


# %%
def descend(loss):
    """Returns the outputs of the neuron, step by step."""
    w = b = 2.0
    outputs = []
    for _ in range(300):
        a = 1 / (1 + np.exp(-(w * 1 + b)))
        gradient = a if loss == "cross-entropy" else a * a * (1 - a)
        w, b = w - 0.15 * gradient, b - 0.15 * gradient
        outputs.append(a)
    return outputs


# %%
for loss, style in (("squares", "-"), ("cross-entropy", "--")):
    plt.plot(descend(loss), style, label=loss)
plt.xlabel("step of gradient descent")
plt.ylabel("output of the neuron, target 0")
plt.title("A saturated neuron")
plt.legend()
plt.show()

# %% [markdown]
# **A question.** After how many steps is either output below 0.5? Read it from the plot.
#
# ## A straight line as a classifier
#
# The tumours: 569 women, 30 measurements of the cells' nuclei, from images taken through a microscope (Wolberg et
# al., 1993). scikit-learn has 1 for benign; here 1 is what one looks for, malignant, so the classes are turned round.

# %%
tumours = load_breast_cancer()
X, y = tumours.data.astype("float32"), 1 - tumours.target
classes = ("benign", "malignant")
print("X", X.shape, "y", y.shape, "malignant", int(y.sum()))
print(", ".join(tumours.feature_names[:6]), "...")

# %% [markdown]
# The first column is the mean radius. Could a straight line through the 0 and 1 do, with a cut where it reaches 0.5?
# Then one very large tumour comes in, which nobody doubts is malignant, and both are fitted again: the line by least
# squares, the neuron by cross-entropy.

# %%
size = X[:, :1]
with_large = np.append(size, [[5 * size.max()]], axis=0)
data = {"as measured": (size, y), "one large tumour added": (with_large, np.append(y, 1))}
size_scaler = StandardScaler().fit(size)


# %%
def fit_neuron(X, y):
    """Returns the trained neuron of one input, as a function of the size, and the size where it is 0.5."""
    neuron = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    neuron.compile(optimizer=keras.optimizers.Adam(0.05), loss="binary_crossentropy")
    neuron.fit(size_scaler.transform(X), y, epochs=EPOCHS, verbose=0)
    (weight,), bias = neuron.get_weights()
    w = weight[0] / size_scaler.scale_[0]  # as if the sizes had not been scaled
    b = bias[0] - w * size_scaler.mean_[0]
    return lambda x: 1 / (1 + np.exp(-(w * x + b))), -b / w


# %%
fitted = {}
for name, (x, target) in data.items():
    slope, intercept = np.polyfit(x[:, 0], target, 1)
    line = (lambda x, a=slope, b=intercept: a * x + b), (0.5 - intercept) / slope
    fitted[name] = {"line": line, "neuron": fit_neuron(x, target)}

# %%
for name, classifiers in fitted.items():
    for kind, (_, at) in classifiers.items():
        missed = int(np.sum((size[:, 0] < at) & (y == 1)))
        print(f"{name}, {kind}: cut at {at:.1f}, {missed} of {int(y.sum())} malignant missed")
figures.line(size[:, 0], y, fitted)

# %% [markdown]
# One tumour that a line must reach too, far out, tilts the whole line, and its cut misses more of the malignant ones.
# The neuron had that tumour right before, so it changes next to nothing.
#
# ### Your turn 4: where the verdict turns
#
# A neuron has one input, the size x of a tumour, a `weight` and a `bias`, and it says malignant where sigmoid(weight *
# x + bias) is above 0.5. Return the size from which on it does (the weight is positive).


# %%
def cut(weight, bias):
    """Returns the size at which the neuron's output is 0.5."""
    ...


# %%
check("logistic_regression.4", cut)

# %% [markdown]
# ## All 30 measurements
#
# A quarter of the cases is held out. The scaler brings each column to mean 0 and standard deviation 1; it may look only
# at the cases to train on.

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=1)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
print("train", X_train.shape, "test", X_test.shape)

# %%
model = keras.Sequential(
    [
        keras.Input((30,)),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.summary()

# %%
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(X_train, y_train, batch_size=32, epochs=EPOCHS, verbose=0)

# %%
figures.loss(history.history["loss"])

# %%
loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
print(f"cross-entropy {loss:.3f}, {accuracy:.1%} of {len(y_test)} test cases right")

# %% [markdown]
# Expect 96 % or more.
#
# **A question.** Is it worse to call a malignant tumour benign, or a benign one malignant? Which of the two
# mistakes would you make rarer first?

# %%
probabilities = model.predict(X_test, verbose=0)[:, 0]
predicted = probabilities >= 0.5
figures.confusion(y_test, predicted, classes)

# %%
for threshold in (0.1, 0.5, 0.9):
    malignant = probabilities >= threshold
    missed, alarms = np.sum(~malignant & (y_test == 1)), np.sum(malignant & (y_test == 0))
    print(f"threshold {threshold}: {missed} malignant missed, {alarms} false alarms")

# %% [markdown]
# ### Your turn 5: which loss
#
# Three networks, three losses. (1) Tumours, malignant or not: one output with a sigmoid, targets 0 and 1. (2) Ten
# digits: ten outputs with softmax, targets are class numbers such as 7. (3) The same ten outputs, but each target is a
# row of nine 0 and one 1. Give a list of the three names that `compile(loss=...)` takes, in this order. Choose from
# "mean_squared_error", "binary_crossentropy", "categorical_crossentropy" and "sparse_categorical_crossentropy".

# %%
losses = ...

# %%
check("logistic_regression.5", losses)

# %% [markdown]
# ## Keep the model
#
# The model wants scaled measurements, so its scaler is saved with it. The `.h5` holds layers and weights; every version
# of Keras reads it.

# %%
model.save("tumours.h5")
joblib.dump(scaler, "tumours-scaler.gz")
notebook.download("tumours.h5")
notebook.download("tumours-scaler.gz")

# %%
again, its_scaler = keras.models.load_model("tumours.h5"), joblib.load("tumours-scaler.gz")
case = its_scaler.transform(tumours.data[:1])
p = again.predict(case, verbose=0)[0, 0]
print(f"case 0: malignant with probability {p:.3f}; in truth {classes[1 - tumours.target[0]]}")

# %% [markdown]
# ## A table of your own
#
# A CSV file with a line of column names, columns of numbers, and last a column of 0 and 1. In Colab a dialogue asks for
# it (Cancel: the tumours are taken again); elsewhere put it beside the notebook under this name.

# %%
own = notebook.upload("my-table.csv")
if own is not None:
    X, y = read_table(own, at_least=20).split_two_classes()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=1)
own_scaler = StandardScaler().fit(X_train)

# %%
own_model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(1, activation="sigmoid")])
own_model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
own_model.fit(own_scaler.transform(X_train), y_train, epochs=EPOCHS, verbose=0)
loss, accuracy = own_model.evaluate(own_scaler.transform(X_test), y_test, verbose=0)
print(
    f"accuracy on {len(y_test)} test rows: {accuracy:.1%}, {max(np.mean(y_test), 1 - np.mean(y_test)):.1%} by guessing"
)

# %% [markdown]
# ## What to try next
#
# - Compile the model with `loss="mean_squared_error"`. How does the loss fall in the first epochs?
# - Train on the mean radius alone (`X[:, :1]`), and on the first ten columns. How much do the others add?
# - A threshold of 0.1 in place of 0.5: what would you tell a patient?
# - The next notebooks: the perceptron, the ancestor of this neuron, and metrics, which count what goes wrong.
