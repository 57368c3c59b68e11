# %% [markdown]
# # Tables: a number or a class, from numbers and words
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/05_tables.ipynb)
#
# One recipe for any table: scale the numbers, encode the words, train a network with hidden layers, and compare it with
# a linear model. You do it for the strength of concrete and for what a car is worth, and then for a table of your own.
# About 20 minutes, of which it trains for one.

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
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from workshop.exercises import check, hint, solution
from workshop.figures import tables as figures
from workshop.kit.data import table_encoding, tables

# %% [markdown]
# ## Part 1: a number to predict
#
# How strong will this concrete be? 1,030 mixes of UCI's table `concrete.csv`: eight numbers, and the strength in MPa.
# The table is searched in the folder that the environment variable WORKSHOP_DATA names. Where it is not, scikit-learn's
# diabetes takes its place: all cells run, but the numbers in the text are those of concrete.

# %% tags=["parameters"] quick="EPOCHS, CAR_EPOCHS, MY_EPOCHS = 5, 5, 3"
EPOCHS = 150
CAR_EPOCHS = 60
MY_EPOCHS = 40

# %%
table = table_encoding.find("concrete", "diabetes")
X, y = table.split_numbers()
print(table.source)
for name, column in zip(table.names, table.numbers().T, strict=True):
    print(f"{name:32} {column.min():8.1f} to {column.max():8.1f}")

# %% [markdown]
# Split, and scale by the training rows. The strengths are scaled too, to mean 0 and spread 1: a learning rate that
# suits these suits any table, be it strengths or prices of houses.

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)
scaler = MinMaxScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
mean, spread = y_train.mean(), y_train.std()
print(f"mean {mean:.1f}, spread {spread:.1f}")

# %% [markdown]
# ### Your turn 1: a network for a number
#
# Build a network for concrete: 8 inputs, two hidden layers of 64 units with relu, and one output, the strength in MPa,
# which may be any number.

# %%
network = ...

# %%
check("tables.1", network)

# %% [markdown]
# `hint("tables.1")` gives a hint, and `solution("tables.1")` the solution. Try yourself first.
#
# ### First the simplest model
#
# A linear model is the least that a network has to beat. It needs no training: scikit-learn solves it at once.

# %%
linear = LinearRegression().fit(X_train, y_train)
linear_predicted = linear.predict(X_test)
print(f"linear model: off by {np.sqrt(np.mean((linear_predicted - y_test) ** 2)):.2f} (RMSE on the test rows)")

# %% [markdown]
# **A question before you go on.** More cement makes concrete stronger, more water weaker, and it hardens with age,
# quickly at first. Which of this can a linear model not say?
#
# ### The network

# %%
strength = keras.Sequential([keras.Input((X.shape[1],))])
strength.add(keras.layers.Dense(128, activation="relu"))
strength.add(keras.layers.Dense(128, activation="relu"))
strength.add(keras.layers.Dense(1))
strength.summary()

# %% [markdown]
# A network soon memorises a small table. So a part of the training rows is split off, and the weights of the epoch with
# the lowest loss on these are kept.

# %%
stopping = keras.callbacks.EarlyStopping("val_loss", patience=40, restore_best_weights=True)
strength.compile(optimizer=keras.optimizers.Adam(0.003), loss="mean_squared_error")
history = strength.fit(
    X_train,
    (y_train - mean) / spread,
    batch_size=32,
    epochs=EPOCHS,
    validation_split=0.125,
    callbacks=[stopping],
    verbose=0,
)
print("the best epoch was", stopping.best_epoch + 1, "of", len(history.history["loss"]))

# %% [markdown]
# ### Your turn 2: back to the unit
#
# The strengths were scaled for the training, `(y - mean) / spread`, so the network predicts scaled numbers. Return them
# in MPa.


# %%
def in_mpa(predicted, mean, spread):
    """Returns the predictions (rows,) in the unit of the table, from scaled ones (rows,) and two numbers."""
    ...


# %%
check("tables.2", in_mpa)

# %% [markdown]
# Nobody wants to remember `mean` and `spread` when the model is used. The last layer can take them in: its weights
# times the spread, its bias times the spread plus the mean.

# %%
*others, kernel, bias = strength.get_weights()
strength.set_weights([*others, kernel * spread, bias * spread + mean])
predicted = strength.predict(X_test, verbose=0)[:, 0]
print(f"network:      off by {np.sqrt(np.mean((predicted - y_test) ** 2)):.2f} (RMSE on the test rows)")

# %% [markdown]
# On concrete expect less than 6 MPa; the linear model is off by about 11.


# %%
def errors(model_predictions):
    """Returns the RMSE on the training rows and on the test rows, for the plot."""
    on_train, on_test = model_predictions
    return {
        "train_root_mean_squared_error": np.sqrt(np.mean((on_train - y_train) ** 2)),
        "test_root_mean_squared_error": np.sqrt(np.mean((on_test - y_test) ** 2)),
    }


measured = {
    "linear": errors((linear.predict(X_train), linear_predicted)),
    "network": errors((strength.predict(X_train, verbose=0)[:, 0], predicted)),
}
losses = {
    "training": spread**2 * np.array(history.history["loss"]),
    "validation": spread**2 * np.array(history.history["val_loss"]),
}
unit = "MPa" if table.path.stem == "concrete" else ""
figures.learning(table.path.stem, losses, measured, unit)

# %%
figures.predictions(table.path.stem, y_test, {"linear": linear_predicted, "network": predicted}, table.names[-1])

# %% [markdown]
# ## Part 2: words, and a class to predict
#
# What is a car worth: `unacc`, `acc`, `good` or `vgood`? 1,728 cars of UCI's `car.csv`, each described by six words.
# (In its place: scikit-learn's wine, thirteen numbers.) A network multiplies, so words have to become numbers:

# %%
words = np.array([["low"], ["high"], ["med"], ["low"]])
encoder = OneHotEncoder(sparse_output=False).fit(words)
print(encoder.categories_[0])
print(encoder.transform(words))

# %% [markdown]
# **A question.** Why not simply 0, 1, 2 for low, med, high? And why not for red, green, blue?
#
# ### Your turn 3: one-hot by hand
#
# `words` has a word for each row, `values` the words that there are, in order. Return a column of 0 and 1 for each
# value: 1 where the row has this word. A word that is not among the values is 0 everywhere.


# %%
def one_hot(words, values):
    """Returns an array of 0 and 1, (rows, values), from two lists of words."""
    ...


# %%
check("tables.3", one_hot)

# %% [markdown]
# ### Your turn 4: columns of a car
#
# A car has six properties in words: buying price, upkeep and doors have 4 different words each, persons, boot and
# safety 3 each. How many inputs does the network get after one-hot encoding?

# %%
columns = ...

# %%
check("tables.4", columns)

# %% [markdown]
# The table, with columns of words one-hot encoded and columns of numbers scaled, whichever it has:

# %%
cars = table_encoding.find("car", "wine")
rows = np.array(cars.rows, object)
print(cars.names)
print(rows[0])

# %%
classes, labels = np.unique(rows[:, -1].astype(str), return_inverse=True)
X_train, X_test, y_train, y_test = train_test_split(
    rows[:, :-1], labels, test_size=0.2, random_state=1, stratify=labels
)
numbers = [i for i in range(len(cars.names) - 1) if cars.columns[i].is_numeric]
words = [i for i in range(len(cars.names) - 1) if i not in numbers]
encoder = make_column_transformer(
    (MinMaxScaler(), numbers), (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), words)
)
X_train, X_test = encoder.fit_transform(X_train), encoder.transform(X_test)
print(X_train.shape, "classes", classes)

# %% [markdown]
# The labels become one-hot as well: class 2 of four is 0, 0, 1, 0. `softmax` makes probabilities of the outputs, and
# cross-entropy compares the two.

# %%
targets = keras.utils.to_categorical(y_train, len(classes))
print(y_train[:3], targets[:3].tolist())

# %%
car_network = keras.Sequential([keras.Input((X_train.shape[1],))])
car_network.add(keras.layers.Dense(128, activation="relu"))
car_network.add(keras.layers.Dense(128, activation="relu"))
car_network.add(keras.layers.Dense(len(classes), activation="softmax"))
car_network.compile(optimizer=keras.optimizers.Adam(0.003), loss="categorical_crossentropy", metrics=["accuracy"])
history = car_network.fit(X_train, targets, batch_size=32, epochs=CAR_EPOCHS, verbose=0)

# %%
car_linear = LogisticRegression(max_iter=2000).fit(X_train, y_train)
print(f"linear model: {car_linear.score(X_test, y_test):.1%} of the test rows classified correctly")
loss, accuracy = car_network.evaluate(X_test, keras.utils.to_categorical(y_test, len(classes)), verbose=0)
print(f"network:      {accuracy:.1%} of the test rows classified correctly")

# %% [markdown]
# On cars expect 97 % or more, where the linear model has about 91 %. **Which classes does it confuse?**

# %%
probabilities = car_network.predict(X_test, verbose=0)
figures.confusion(cars.path.stem, y_test, probabilities.argmax(axis=1), classes)

# %% [markdown]
# ## Keep the model, and what encodes its inputs
#
# The network knows columns of 0 and 1. The encoder that makes them belongs to the model, and is saved beside it.

# %%
car_network.save("car.h5")
joblib.dump(encoder, "car-encoder.gz")
notebook.download("car.h5")
notebook.download("car-encoder.gz")

# %%
again = keras.models.load_model("car.h5")
encoder_again = joblib.load("car-encoder.gz")
row = rows[:1, :-1]
row_probabilities = again.predict(encoder_again.transform(row), verbose=0)[0]
print(row[0].tolist())
print({str(name): round(float(p), 3) for name, p in zip(classes, row_probabilities, strict=True)})

# %% [markdown]
# ## Your own table
#
# Any CSV as it is: words or numbers, with missing cells or without, a class or a number to predict in the last column.
# `read_table(path, target="price")` takes another column. `prepare` splits the rows, fills the gaps, scales the numbers
# and encodes the words, and says what it did. Without a table of your own, the houses of the lesson on linear
# regression are taken.

# %%
path = notebook.upload("my-table.csv")
own_table = tables.read_table(path or tables.shipped_table("housing"), at_least=table_encoding.MIN_ROWS)
task = table_encoding.prepare(own_table, seed=1, kind=None, units={})
print(task.source, task.X.shape, "classes:", task.classes or "none, a number")

# %%
my_model = keras.Sequential([keras.Input((task.X.shape[1],)), keras.layers.Dense(64, activation="relu")])
if task.classes:
    my_model.add(keras.layers.Dense(len(task.classes), activation="softmax"))
    my_model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    target = task.y
else:
    my_model.add(keras.layers.Dense(1))
    my_model.compile(optimizer="adam", loss="mean_squared_error")
    target = (task.y - task.y[task.train].mean()) / task.y[task.train].std()
my_model.fit(task.X[task.train], target[task.train], batch_size=16, epochs=MY_EPOCHS, verbose=0)
print("on the test rows:", my_model.evaluate(task.X[task.test], target[task.test], return_dict=True, verbose=0))

# %% [markdown]
# For a number the loss is a share of the target's variance: 1 is as good as always saying the mean, 0 is perfect.
# `python -m workshop.tables --data my-table.csv` does the same with more care, and compares with a linear model.
#
# ## What to try next
#
# - Take the hidden layers away: does the network become the linear model?
# - `EPOCHS = 500` without `EarlyStopping`: what do the training loss and the validation loss do?
# - The next notebook: a class as a probability, with one neuron.
