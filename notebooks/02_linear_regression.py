# %% [markdown]
# # Linear regression: one neuron finds a line, and the price of a house
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/02_linear_regression.ipynb)
#
# You train the smallest network there is, one neuron, three times: on points of a line, on the size of a house, and on
# three features of a house, where it fails until they are scaled. At the end a small program uses your model. This is
# the first lab of the two days. About 35 minutes.

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
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from workshop.exercises import check, hint, solution
from workshop.figures import linear_regression as figures
from workshop.kit import plots
from workshop.kit.data import tables
from workshop.kit.plots import charts

# %% [markdown]
# ## Part 1: the smallest network
#
# Nine points lie on the line y = 2x + 1. A network gets the points, not the rule. Can it say what belongs to x = 13?

# %% tags=["parameters"] quick="EPOCHS, HOUSES_EPOCHS, FEATURES_EPOCHS = 20, 20, 5"
EPOCHS = 500
HOUSES_EPOCHS = 300
FEATURES_EPOCHS = 60

# %%
x = np.array([1, 2, 3, 4, 5, 7, 8, 9, 11], np.float32)
y = 2 * x + 1
print("x", x)
print("y", y)

# %% [markdown]
# Keras wants a table: one row for each sample, one column for each feature. `x[:, None]` makes a column of the nine
# numbers.

# %%
print("before", x.shape, "after", x[:, None].shape)

# %% [markdown]
# One `Dense` layer with one unit is one neuron: it computes `weight * x + bias`. **A question before you go on.** How
# many numbers will `summary` count that training can change?

# %%
line = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
line.summary()

# %% [markdown]
# Training changes the two numbers step by step, so that the mean squared error becomes small. `SGD` is gradient
# descent, and 0.02 its learning rate: the length of the steps. An *epoch* is one pass over all points. 500 epochs take
# about 15 seconds; `verbose=0` saves 500 lines of text.

# %%
line.compile(optimizer=keras.optimizers.SGD(learning_rate=0.02), loss="mean_squared_error")
history = line.fit(x[:, None], y, epochs=EPOCHS, verbose=0)

# %%
kernel, bias = line.get_weights()
figure, axes = plots.subplots(1, 2, width=6.5)
charts.draw_line(axes[0, 0], x, y, kernel[0, 0], bias[0], title="The line of the neuron")
losses = {"neuron": (range(1, EPOCHS + 1), history.history["loss"])}
charts.draw_curves(axes[0, 1], losses, y="mean squared error", title="Training", logarithmic=True)
figure

# %% [markdown]
# By the rule, 13 belongs to 27 and -5 to -9. The network was never shown the rule. **Why is its prediction not exactly
# 27?**

# %%
predicted = line.predict(np.array([[13.0], [-5.0]]), verbose=0)
print(f"13 -> {predicted[0, 0]:.2f}")
print(f"-5 -> {predicted[1, 0]:.2f}")

# %% [markdown]
# Gradient descent comes as close as you let it: each step is shorter than the one before. After 500 epochs both are
# right within 0.05.
#
# ## Part 2: the price of a house
#
# Real points lie on no line. Eight houses, their sizes in 10 m2 and their prices in 10,000 pesos:

# %%
houses = tables.read_table(tables.shipped_table("houses"))
sizes, prices = houses.numbers().astype(float).T
for size, price in zip(sizes, prices, strict=True):
    print(f"{10 * size:5.0f} m2  {10_000 * price:9,.0f} pesos")

# %% [markdown]
# Which line is best? First say what "best" is. An error of 2 shall cost more than two errors of 1, so errors are
# squared. For a house that costs 4:

# %%
for guess in (4, 5, 6, 7):
    print(f"guess {guess}  error {guess - 4}  squared error {(guess - 4) ** 2}")

# %% [markdown]
# ### Your turn 1: the mean squared error by hand
#
# `predicted` has the price that a line gives each house, `prices` the true one. Return the mean squared error: each
# error squared, then the mean over the houses.


# %%
def mean_squared_error(predicted, prices):
    """Returns the mean squared error of predicted (houses,) for prices (houses,), a number."""
    ...


# %%
check("linear_regression.1", mean_squared_error)

# %% [markdown]
# `hint("linear_regression.1")` gives a hint, and `solution("linear_regression.1")` the solution. Try yourself first.
#
# Now the cost of five lines whose weight and bias somebody chose by hand.

# %%
guesses = [(0.5, 0.5), (0.7, 0.92), (0.98, 1.2), (1.5, 1.3), (2.85, 2.83)]
for weight, bias in guesses:
    cost = np.mean((weight * sizes + bias - prices) ** 2)
    print(f"weight {weight:4.2f}  bias {bias:4.2f}  cost {cost:8.4f}")

# %%
figure, axes = plots.subplots(width=9)
axes.plot(sizes, prices, "o", color=plots.BLACK, markersize=8)
for i, (weight, bias) in enumerate(guesses):
    axes.plot(sizes, weight * sizes + bias, color=plots.COLOURS[i], label=f"w = {weight}, b = {bias}")
axes.set(xlabel="size (10 m2)", ylabel="price (10,000 pesos)", title="Five lines, chosen by hand")
axes.legend()
figure

# %% [markdown]
# ### Your turn 2: a better line by eye
#
# Choose a weight and a bias whose line has a mean squared error below 2.4 on the eight houses. Try, look at the plot,
# and try again: `weight_and_bias = (1.0, 2.0)`, for example.

# %%
weight_and_bias = ...

# %%
check("linear_regression.2", weight_and_bias)

# %% [markdown]
# ### The same by training
#
# Nobody guesses the weights of a network with a million of them. The same neuron as before, on the houses:

# %%
house_neuron = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
house_neuron.compile(optimizer=keras.optimizers.SGD(learning_rate=0.025), loss="mean_squared_error")
history = house_neuron.fit(sizes[:, None], prices, epochs=HOUSES_EPOCHS, verbose=0)
kernel, bias = house_neuron.get_weights()
cost = house_neuron.evaluate(sizes[:, None], prices, verbose=0)  # the mean squared error, with the weights as they are
print(f"trained: weight {kernel[0, 0]:.4f}, bias {bias[0]:.4f}, cost {cost:.4f}")

# %% [markdown]
# For a single neuron there is a formula that gives the best line at once, the *normal equation*. It is the check that
# training found the right place. (Larger networks have no such formula.)

# %%
A = np.column_stack([sizes, np.ones(len(sizes))])  # the column of ones is what the bias multiplies
best = np.linalg.pinv(A) @ prices
print(f"normal equation: weight {best[0]:.5f}, bias {best[1]:.5f}, cost {np.mean((A @ best - prices) ** 2):.4f}")

# %%
figure, axes = plots.subplots(1, 2, width=6.5)
labels = {"x": "size (10 m2)", "y": "price (10,000 pesos)"}
charts.draw_line(axes[0, 0], sizes, prices, kernel[0, 0], bias[0], title="The trained line", **labels)
losses = {"neuron": (range(1, HOUSES_EPOCHS + 1), history.history["loss"])}
charts.draw_curves(axes[0, 1], losses, y="mean squared error", title="Training", logarithmic=True)
figure

# %% [markdown]
# **A question.** The loss of Part 1 falls and falls, this one stays above 2. What is the difference between the two
# tables?

# %%
predicted = house_neuron.predict(np.array([[8.0], [12.0]]), verbose=0)
print(f" 80 m2: {10_000 * predicted[0, 0]:,.0f} pesos")
print(f"120 m2: {10_000 * predicted[1, 0]:,.0f} pesos (larger than all houses of the table)")

# %% [markdown]
# ## Part 3: three features
#
# 156 houses with their area, bedrooms and age. The target is the price in 1,000 pesos.

# %%
housing = tables.read_table(tables.shipped_table("housing"))
X, y = housing.split_numbers()
print(X.shape, y.shape)
for name, column in zip(housing.names, housing.numbers().T, strict=True):
    print(f"{name:16} from {column.min():.0f} to {column.max():.0f}")

# %% [markdown]
# Some of the houses are held out: the network is not trained on them, and they say how good it is on new houses.

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)
print(len(X_train), "houses to train on,", len(X_test), "to test")


# %% [markdown]
# Three trainings follow, all of the same kind, so they are a function: build, compile, fit.


# %%
def fit_neuron(X, y, learning_rate, epochs):
    """Returns a neuron trained on X (houses, features) and y (houses,), and the loss in each epoch."""
    model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate), loss="mean_squared_error")
    history = model.fit(X, y, batch_size=16, epochs=epochs, verbose=0)
    return model, history.history["loss"]


# %% [markdown]
# ### Without scaling
#
# **A question.** An area may be 300, a number of bedrooms is at most 5. The step of a weight is the learning rate times
# the error times *its feature*. What will happen?

# %%
unscaled, unscaled_losses = fit_neuron(X_train, y_train, learning_rate=0.2, epochs=3)
print("loss:", unscaled_losses)
print("weights:", unscaled.get_weights()[0].ravel())

# %% [markdown]
# It *diverges*: each step goes too far, the next one goes further back, until no number is large enough (`inf`), and
# the weights are `nan`, not a number. Steps that are 20,000 times shorter do not diverge:

# %%
crawling, crawling_losses = fit_neuron(X_train, y_train, learning_rate=1e-5, epochs=FEATURES_EPOCHS)
print("weights:", crawling.get_weights()[0].ravel(), "bias:", crawling.get_weights()[1])
print(f"R2 on the test houses: {r2_score(y_test, crawling.predict(X_test, verbose=0)[:, 0]):.3f}")

# %% [markdown]
# It crawls: the weight of the area has moved, the other two and the bias are still near 0, where they began. (R2 is the
# share of the prices' variance that the model explains: 1 is perfect.)
#
# ### With scaling
#
# So bring all features to the same range, 0 to 1. By hand, the first column of this table goes from 1000 to 2500, and
# 2000 becomes (2000 - 1000) / (2500 - 1000) = 0.667.

# %%
few = np.array([[1000.0, 5.0, 70.0], [2000.0, 6.0, 90.0], [2500.0, 2.0, 95.0]])
print(MinMaxScaler().fit_transform(few).round(3))

# %% [markdown]
# ### Your turn 3: min-max scaling by hand
#
# Each column of `X` is a feature in its own unit. Return the columns scaled to 0 to 1: in each column the smallest
# number becomes 0, the largest 1, the others lie between them in proportion.


# %%
def scale(X):
    """Returns X (rows, features) with each column scaled to 0 to 1, of the same shape."""
    ...


# %%
check("linear_regression.3", scale)

# %% [markdown]
# For the houses, scikit-learn's scaler does it. `fit` looks at the *training* houses and remembers their ranges;
# `transform` scales by these, whatever comes.

# %%
scaler = MinMaxScaler().fit(X_train)
X_train_scaled = scaler.transform(X_train)
X_test_scaled = scaler.transform(X_test)
print("training from", X_train_scaled.min(axis=0), "to", X_train_scaled.max(axis=0))
print("test     from", X_test_scaled.min(axis=0).round(3), "to", X_test_scaled.max(axis=0).round(3))

# %% [markdown]
# ### Your turn 4: a house outside of the range
#
# A MinMaxScaler was fitted on training houses whose areas go from 22 to 300 m2. Later a house of 439 m2 comes. Which
# number does `scaler.transform` make of its area?

# %%
scaled_area = ...

# %%
check("linear_regression.4", scaled_area)

# %% [markdown]
# Now the same neuron, and the same learning rate that diverged before. Expect an R2 of 0.9 or more. (TensorFlow may
# warn of retracing: it prepares `predict` anew for each new model. That does no harm.)

# %%
neuron, scaled_losses = fit_neuron(X_train_scaled, y_train, learning_rate=0.2, epochs=FEATURES_EPOCHS)
predicted = neuron.predict(X_test_scaled, verbose=0)[:, 0]
print(f"R2 on the test houses: {r2_score(y_test, predicted):.3f}")
print(f"root mean squared error: {np.sqrt(np.mean((predicted - y_test) ** 2)):.0f} thousand pesos")

# %%
curves = {
    "unscaled, rate 0.2": unscaled_losses,
    "unscaled, rate 0.00001": crawling_losses,
    "scaled, rate 0.2": scaled_losses,
}
pairs = {
    "training": (y_train, neuron.predict(X_train_scaled, verbose=0)[:, 0]),
    "test": (y_test, predicted),
}
figures.features(curves, pairs, "price (1,000 pesos)")

# %% [markdown]
# The curve of the first training is missing: it left the plot in the first epoch.
#
# ### Your turn 5: the neuron by hand
#
# A trained neuron has one weight for each feature, and one bias. Return what it predicts for each house: each feature
# times its weight, added up, and the bias added.


# %%
def predict(X, weights, bias):
    """Returns the predictions (houses,) for X (houses, features), weights (features,) and a number, the bias."""
    ...


# %%
check("linear_regression.5", predict)

# %%
kernel, bias = neuron.get_weights()
print("weights of area, bedrooms, age:", kernel[:, 0].round(1), "bias:", bias.round(1))
print("yours:", predict(X_test_scaled[:3], kernel[:, 0], bias[0]))
print("Keras:", neuron.predict(X_test_scaled[:3], verbose=0)[:, 0])

# %% [markdown]
# ### A new house
#
# 120 m2, 3 bedrooms, 10 years old. **Why is the first prediction nonsense?**

# %%
house = np.array([[120, 3, 10]])
print(f"{neuron.predict(house, verbose=0)[0, 0]:,.0f} thousand pesos")
print(f"{neuron.predict(scaler.transform(house), verbose=0)[0, 0]:,.0f} thousand pesos")

# %% [markdown]
# ## Keep both, the model and the scaler
#
# The network knows scaled numbers only, so the scaler belongs to the model and is saved beside it. Keras says that
# `.h5` is its older format; every version of Keras reads it. (One slip that costs an evening: a model compiled with the
# short name `loss="mse"` does not load again from `.h5`. The long name does.)

# %%
neuron.save("house_price.h5")
joblib.dump(scaler, "house_price-scaler.gz")
notebook.download("house_price.h5")
notebook.download("house_price-scaler.gz")

# %%
again = keras.models.load_model("house_price.h5")
scaler_again = joblib.load("house_price-scaler.gz")
print(f"{again.predict(scaler_again.transform(house), verbose=0)[0, 0]:,.0f} thousand pesos")

# %% [markdown]
# A console program of this workshop uses the two files: `python -m apps.house_price --model house_price.h5` asks for
# a house; with numbers behind it, it predicts at once.

# %%
# !{sys.executable} -m apps.house_price --model house_price.h5 120 3 10

# %% [markdown]
# ## Your own table
#
# Any CSV with a header line and nothing but numbers below it, the target in the last column: the same five steps.
# Without a table of your own, the houses are taken once more.

# %%
path = notebook.upload("my-table.csv")
table = tables.read_table(path or tables.shipped_table("housing"), at_least=10)
X, y = table.split_numbers()
print(table.source, "- the target is", table.names[-1])

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)  # 1 split
scaler = MinMaxScaler().fit(X_train)  # 2 scale
own_neuron, _ = fit_neuron(scaler.transform(X_train), y_train, learning_rate=0.1, epochs=FEATURES_EPOCHS)  # 3 train
predictions = own_neuron.predict(scaler.transform(X_test), verbose=0)[:, 0]  # 4 test
print(f"R2 on the test rows: {r2_score(y_test, predictions):.3f}")
joblib.dump(scaler, "my-table-scaler.gz")  # 5 save
own_neuron.save("my-table.h5")

# %% [markdown]
# Does it diverge with your table? Then it has many columns: take a smaller learning rate. Is R2 near 0? Then a straight
# line does not describe your numbers, or the features have nothing to do with the target.
#
# ## What to try next
#
# - `FEATURES_EPOCHS = 300`, or a learning rate of 0.02: who arrives first?
# - Leave out a column: `X[:, [0, 2]]`. How much worse are the predictions without the bedrooms?
# - The next notebooks: what a step of gradient descent is, and how to choose learning rate, batch size and epochs.
