# %% [markdown]
# # The choices of every training: batch size, learning rate, when to stop
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/04_training_choices.ipynb)
#
# Every lesson after this one makes these choices without a word. You make them once in slow motion, on a table of
# houses and with a network of one neuron. About 20 minutes, of which it trains for one.

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
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from workshop.exercises import check, hint, solution
from workshop.figures import training_choices as figures
from workshop.kit.data import tables

# %% [markdown]
# ## Three sets of rows
#
# 156 houses, their area, bedrooms and age, and the price in 1,000 pesos. They are split in three: the network is
# trained on 60 %, by the *validation* rows you choose, and the *test* rows say at the end how good the chosen one is.

# %% tags=["parameters"] quick="DESCENT_EPOCHS, RATE_EPOCHS, STOPPING_EPOCHS, OUTPUT_EPOCHS = 3, 3, 20, 3"
DESCENT_EPOCHS = 40
RATE_EPOCHS = 50
STOPPING_EPOCHS = 300
OUTPUT_EPOCHS = 40

# %%
X, y = tables.read_table(tables.shipped_table("housing")).split_numbers()
X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=0.6, random_state=1)
X_validation, X_test, y_validation, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=1)
print(len(X_train), "to train on,", len(X_validation), "to choose by,", len(X_test), "for the end")

# %% [markdown]
# The scaler is fitted on the training rows alone. Fitted on all rows it would know the ranges of the test houses: a
# small slip, and a common one.

# %%
scaler = MinMaxScaler().fit(X_train)
X_train_scaled = scaler.transform(X_train)
X_validation_scaled = scaler.transform(X_validation)
X_test_scaled = scaler.transform(X_test)

# %% [markdown]
# ## Choice 1: how many rows per step
#
# A step can be computed from all rows (*batch* descent), from one (*stochastic* descent), or from some of them
# (*mini-batch* descent).
#
# ### Your turn 1: how many steps
#
# A network is trained on 93 rows with `batch_size=16` for 40 epochs. How many steps does it take in all? The last batch
# of an epoch may be smaller.

# %%
steps = ...

# %%
check("training_choices.1", steps)

# %% [markdown]
# `hint("training_choices.1")` gives a hint, and `solution("training_choices.1")` the solution. Try yourself first.
#
# With the area as the only feature there are two weights, so the paths can be drawn. The steps, written out: the
# gradient of the mean squared error on some rows, and a step against it.

# %%
area = X_train_scaled[:, :1]
A = np.column_stack([area, np.ones(len(area))])  # the column of ones is what the bias multiplies


def descend(batch_size, epochs=DESCENT_EPOCHS, rate=0.1):
    """Returns weight and bias after every step, (steps + 1, 2), each epoch in another order of the rows."""
    random = np.random.default_rng(1)
    w = np.zeros(2)
    path = [w]
    for _ in range(epochs):
        order = random.permutation(len(A))
        for first in range(0, len(A), batch_size):
            rows = order[first : first + batch_size]
            errors = A[rows] @ w - y_train[rows]
            w = w - rate * 2 / len(rows) * A[rows].T @ errors
            path.append(w)
    return np.array(path)


# %% [markdown]
# **A question before you go on.** All three see the same rows 40 times. Which comes closest to the minimum, and whose
# path is the straightest?

# %%
sizes = {"batch": len(A), "mini-batch": 16, "stochastic": 1}
paths = {name: descend(size) for name, size in sizes.items()}
best = np.linalg.pinv(A) @ y_train  # the minimum, by the normal equation
for name, path in paths.items():
    print(f"{name:10} {len(path) - 1:5} steps, to {path[-1].round(1)}; the minimum is {best.round(1)}")


# %%
def cost(w):
    """Returns the mean squared error of weights and biases (..., 2)."""
    return np.mean((w @ A.T - y_train) ** 2, axis=-1)


errors = {}
for name, path in paths.items():
    steps_an_epoch = (len(path) - 1) // DESCENT_EPOCHS
    errors[name] = np.sqrt(cost(path[::steps_an_epoch]))  # after every epoch
figures.descents(cost, paths, errors, best, np.sqrt(cost(best)))

# %% [markdown]
# Batch descent goes straight, and takes 40 steps only. Stochastic descent takes thousands, each in a direction that
# only one house knows: it is near soon, and never comes to rest. Mini-batches are between the two, and everybody's
# choice: a computer multiplies 16 or 64 rows nearly as quickly as one.
#
# In Keras the choice is one argument:

# %%
for name, size in sizes.items():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mean_squared_error")
    history = model.fit(area, y_train, batch_size=size, epochs=DESCENT_EPOCHS, verbose=0)
    print(f"{name:10} batch_size={size:2}: root of the last loss {history.history['loss'][-1] ** 0.5:.0f}")

# %% [markdown]
# ## Choice 2: the learning rate
#
# Five rates, the same network, all three features. The errors are roots of the mean squared error, in 1,000 pesos.


# %%
def rmse(model, X, y):
    """Returns the root of the mean squared error, in the unit of y."""
    predicted = np.array(model(X))[:, 0]  # as model.predict, and quicker for a few rows
    return float(np.sqrt(np.mean((predicted - y) ** 2)))


# %%
RATES = (0.001, 0.01, 0.1, 0.3, 1.0)
models, losses = {}, {}
for rate in RATES:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mean_squared_error")
    history = model.fit(X_train_scaled, y_train, batch_size=16, epochs=RATE_EPOCHS, verbose=0)
    models[rate], losses[rate] = model, history.history["loss"]

# %%
validation_errors = {}
for rate, model in models.items():
    error = rmse(model, X_validation_scaled, y_validation)
    print(f"rate {rate:5}: training {losses[rate][-1] ** 0.5:10.4g}   validation {error:10.4g}")
    if losses[rate][-1] < losses[rate][0]:  # False also where it is nan
        validation_errors[rate] = error

# %% [markdown]
# ### Your turn 2: choose a learning rate
#
# Each learning rate of `rates` was tried. The lists `train`, `validation` and `test` have its error on the three sets
# of rows, in the same order; the error of one that diverged is `nan`. Return the rate to take.


# %%
def choose(rates, train, validation, test):
    """Returns one of the rates, a number, from four lists of the same length."""
    ...


# %%
check("training_choices.2", choose)

# %%
chosen = min(validation_errors, key=validation_errors.get)
figures.learning_rates(losses, validation_errors, chosen)

# %% [markdown]
# Now, and only now, the test rows, once. **Why is the smallest of five test errors not an honest number?**

# %%
print(f"rate {chosen}: test error {rmse(models[chosen], X_test_scaled, y_test):.0f} thousand pesos")

# %% [markdown]
# ## Choice 3: when to stop
#
# The longer you train, the better the training rows are known - and, with few rows and many columns, memorised. To see
# it, take 30 houses whose prices were guessed, and add 30 columns of random numbers that say nothing about a house.

# %%
random = np.random.default_rng(1)
standard = StandardScaler().fit(X_train)
X_few = np.column_stack([standard.transform(X_train[:30]), random.normal(0, 0.3, (30, 30))])
y_guessed = y_train[:30] + random.normal(0, 500, 30)
X_check = np.column_stack([standard.transform(X_validation), random.normal(0, 0.3, (len(X_validation), 30))])
print(X_few.shape, X_check.shape)

# %% [markdown]
# `EarlyStopping` watches the validation loss: after 40 epochs without a better one it stops, and puts the best weights
# back.

# %%
stopping = keras.callbacks.EarlyStopping("val_loss", patience=40, restore_best_weights=True)
model = keras.Sequential([keras.Input((33,)), keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.2), loss="mean_squared_error")
history = model.fit(
    X_few,
    y_guessed,
    batch_size=30,
    epochs=STOPPING_EPOCHS,
    validation_data=(X_check, y_validation),
    callbacks=[stopping],
    verbose=0,
)
print("stopped after epoch", len(history.history["loss"]), "- the best was", stopping.best_epoch + 1)
print("mean squared error with the best weights:", model.evaluate(X_check, y_validation, verbose=0))

# %%
figures.early_stopping(history.history["loss"], history.history["val_loss"], stopping.best_epoch + 1)

# %% [markdown]
# ### Your turn 3: early stopping by hand
#
# `losses` has the validation loss of each epoch. Training stops as soon as `patience` epochs have passed since the
# lowest loss so far. Return two numbers, counted from 1: the epoch after which it stops (the last one, if it never
# stops early), and the epoch whose weights are the best so far.


# %%
def early_stopping(losses, patience):
    """Returns the last epoch and the best epoch, counted from 1, for a list of losses."""
    ...


# %%
check("training_choices.3", early_stopping)

# %% [markdown]
# ## Choice 4: several outputs
#
# One layer can predict several numbers: the price of a house, and its price per square metre.
#
# ### Your turn 4: two outputs
#
# A layer gets three features and has two outputs: `Dense(2)`. How many numbers can training change in it?

# %%
numbers = ...

# %%
check("training_choices.4", numbers)

# %%
targets = np.column_stack([y_train, y_train / X_train[:, 0]])
both = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
kernel, bias = both.get_weights()  # where it starts
both.compile(optimizer=keras.optimizers.SGD(0.2), loss="mean_squared_error")
history = both.fit(X_train_scaled, targets, batch_size=16, epochs=OUTPUT_EPOCHS, shuffle=False, verbose=0)

# %% [markdown]
# Do the two disturb each other? Train each alone, from the same start and in the same order of the rows. The loss is
# the mean over both outputs, so each has half of it: alone, the same steps take half the rate.

# %%
for i, name in enumerate(("price", "price of a square metre")):
    alone = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    alone.set_weights([kernel[:, [i]], bias[[i]]])
    alone.compile(optimizer=keras.optimizers.SGD(0.1), loss="mean_squared_error")
    alone.fit(X_train_scaled, targets[:, i], batch_size=16, epochs=OUTPUT_EPOCHS, shuffle=False, verbose=0)
    print(f"{name:24} together {both.get_weights()[0][:, i]}  alone {alone.get_weights()[0][:, 0]}")

# %% [markdown]
# ## Keep the chosen one
#
# The model, and the scaler that belongs to it. `python -m apps.house_price --model house_price.h5` uses both.

# %%
models[chosen].save("house_price.h5")
joblib.dump(scaler, "house_price-scaler.gz")
notebook.download("house_price.h5")
notebook.download("house_price-scaler.gz")

# %%
again = keras.models.load_model("house_price.h5")
house = joblib.load("house_price-scaler.gz").transform([[120, 3, 10]])
print(f"120 m2, 3 bedrooms, 10 years: {again.predict(house, verbose=0)[0, 0]:,.0f} thousand pesos")

# %% [markdown]
# ## What to try next
#
# - `random_state=2` in both splits: is the same rate chosen? How much does the test error change?
# - Choice 3 with all training rows instead of 30: does the validation loss still turn up?
# - The next notebook: any table, with words in it, and with hidden layers.
