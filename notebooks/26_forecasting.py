# %% [markdown]
# # What comes next: forecasting a series
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/26_forecasting.ipynb)
#
# Five years of a monthly series go in, the next twelve months come out. You cut the windows, keep the future out of
# the scaler, and train an LSTM. A forecast is only as good as the simplest one that it beats, so three simple ones
# stand beside it. About 20 minutes.

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
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.preprocessing import MinMaxScaler

from workshop.exercises import check, hint, solution
from workshop.figures import forecasting as figures
from workshop.kit.data import series

# %% [markdown]
# ## The series
#
# Your own, if you have one: a CSV file `my-series.csv` with a column of dates and a column of numbers. Of several
# columns of numbers the last is taken; `series.read(own, column="price")` takes another. Else the sunspots of every
# month, where your instructor has prepared them in the folder `WORKSHOP_DATA`; else a generated series with a trend and
# a season.

# %%
own = notebook.upload("my-series.csv")
data = series.read(own) if own else series.find()
values = data.values
print(data.source)
print(f"{len(values):,} values, a {data.step} apart, from {data.dates[0]} to {data.dates[-1]}")

# %%
figure, axes = plt.subplots(figsize=(12, 4), layout="constrained")
axes.plot(data.dates, values, linewidth=1)
axes.set(xlabel="date", ylabel=data.name, title=data.source)
plt.show()

# %% [markdown]
# **A question before you go on.** Continue the curve by a year, with a pencil. What did you look at: the last value,
# the last cycle, the trend?
#
# ## Past, and future
#
# The first 70 % of the series train the network, the next 10 % decide when to stop, and the last 20 % test it.
# **A question.** Images are shuffled before they are split. Why not a series?

# %% tags=["parameters"] quick="WINDOWS_SEEN = 3_000"
WINDOWS_SEEN = 25_000  # in the whole training: a short series is passed over more often

# %%
rows = len(values)
train_end, validation_end = 7 * rows // 10, 8 * rows // 10
WINDOW, HORIZON = min(60, rows // 6), min(12, rows // 10)
print(f"training before {data.dates[train_end]}, test from {data.dates[validation_end]} on")
print(f"{data.count(WINDOW)} in, {data.count(HORIZON)} out")

# %% [markdown]
# ### Your turn 1: windows of a series
#
# Cut a series into every window of `window` values that has a value after it. Return X, an array (n, window) with the
# windows in the order of time, and y, an array (n,) with the value right after each.


# %%
def make_windows(values, window):
    """Returns X (n, window) and y (n,), of a series of values (rows,)."""
    ...


# %%
check("forecasting.1", make_windows)

# %% [markdown]
# `hint("forecasting.1")` gives a hint, and `solution("forecasting.1")` the solution. Try yourself first.
#
# Here twelve values are forecast at once, so that y has twelve columns. NumPy makes such windows without copying
# anything. A part has the windows whose **targets** lie in it; what a window is forecast from may lie before.


# %%
def windows_between(first, last):
    """Returns X (n, WINDOW) and y (n, HORIZON), all targets between the rows first and last."""
    both = sliding_window_view(values[max(first - WINDOW, 0) : last], WINDOW + HORIZON)
    return both[:, :WINDOW], both[:, WINDOW:]


X_train, y_train = windows_between(0, train_end)
X_validation, y_validation = windows_between(train_end, validation_end)
X_test, y_test = windows_between(validation_end, rows)
print("X_train", X_train.shape, "y_train", y_train.shape, "X_test", X_test.shape)

# %% [markdown]
# ### Your turn 2: a scaler that does not know the future
#
# Scale a whole series so that its **training part**, the first `train_rows` values, goes from 0 to 1. Return all
# values, scaled.


# %%
def scale(values, train_rows):
    """Returns the scaled values (rows,), the first train_rows of them from 0 to 1."""
    ...


# %%
check("forecasting.2", scale)

# %% [markdown]
# scikit-learn has it ready. The slip that it is made for: `fit` on the whole series tells the training how high the
# test part will rise, and the errors look better than they will be.

# %%
scaler = MinMaxScaler().fit(values[:train_end, None])
for name, part in {"training": values[:train_end], "test": values[validation_end:]}.items():
    scaled = scaler.transform(part[:, None])
    print(f"{name}: from {scaled.min():.2f} to {scaled.max():.2f}")

# %% [markdown]
# ## The simplest forecasts
#
# *Naive*: it stays as it is. *Seasonal naive*: as one season ago. And a linear model of the same window. None of them
# is a network, and many a published network was worse.

# %% [markdown]
# ### Your turn 3: as one season ago
#
# The *seasonal naive* forecast says: it will be as one season ago. `values` is all that is known, `season` the number
# of values in a season. Return the next `horizon` values; `horizon` is at most `season`.


# %%
def seasonal_naive(values, season, horizon):
    """Returns the forecast (horizon,) of what comes after values (rows,)."""
    ...


# %%
check("forecasting.3", seasonal_naive)

# %% [markdown]
# For every window of the test part:

# %%
forecasts = {"naive": np.repeat(X_test[:, -1:], HORIZON, axis=1)}
season = data.season
if season >= HORIZON and season <= validation_end:
    a_season_ago = values[validation_end - season : rows - season]
    forecasts["seasonal_naive"] = sliding_window_view(a_season_ago, HORIZON)
linear = LinearRegression().fit(X_train, y_train)
forecasts["linear"] = linear.predict(X_test)
print({name: forecast.shape for name, forecast in forecasts.items()})

# %% [markdown]
# ### Your turn 4: the root mean squared error
#
# Return the root mean squared error of a forecast: the square root of the mean of the squared differences.


# %%
def rmse(truth, forecast):
    """Returns the root mean squared error of forecast (n,), where truth (n,) is what came."""
    ...


# %%
check("forecasting.4", rmse)


# %%
def compare(forecasts):
    """Prints the error of each forecast on the test part, in the unit of the series."""
    for name, forecast in forecasts.items():
        first = root_mean_squared_error(y_test[:, 0], forecast[:, 0])
        all_steps = root_mean_squared_error(y_test.ravel(), forecast.ravel())
        print(f"{figures.NAMES[name]}: RMSE {first:.2f} one {data.step} ahead, {all_steps:.2f} over all {HORIZON}")


compare(forecasts)

# %% [markdown]
# **A question.** The naive forecast is good one step ahead and poor twelve steps ahead. Where is there room for a
# network?
#
# ## The LSTM
#
# It reads a window month by month, one number a step, and its last state, 32 numbers, gives the twelve forecasts. It
# predicts **changes** since the last value of its window: an output of 0 is the naive forecast. So it starts from
# something sensible, and a trend that leaves the range of the training part takes the forecasts with it.


# %%
def scaled(X, y):
    """Returns what the network gets: X (n, WINDOW, 1) and the changes (n, HORIZON), both scaled."""
    inputs = scaler.transform(X.reshape(-1, 1)).reshape(*X.shape, 1)
    return inputs, (y - X[:, -1:]) * scaler.scale_


# %%
model = keras.Sequential(
    [
        keras.Input((WINDOW, 1)),
        keras.layers.LSTM(32),
        keras.layers.Dense(HORIZON),
    ]
)
model.summary()

# %%
epochs = max(1, min(200, WINDOWS_SEEN // len(X_train)))
batch_size = max(8, min(64, len(X_train) // 8))
steps = epochs * -(-len(X_train) // batch_size)
rate = keras.optimizers.schedules.CosineDecay(
    0.0002, max(1, steps * 9 // 10), warmup_target=0.005, warmup_steps=max(1, steps // 10)
)
model.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=0.01, beta_2=0.99), loss="mean_squared_error")
print(f"{epochs} epochs, batches of {batch_size}")

# %% [markdown]
# `EarlyStopping` keeps the weights of the best epoch, and stops where 60 epochs brought nothing better. It looks at
# the validation part. **Why not at the test part?**

# %%
stopping = keras.callbacks.EarlyStopping("val_loss", patience=60, restore_best_weights=True)
history = model.fit(
    *scaled(X_train, y_train),
    batch_size=batch_size,
    epochs=epochs,
    validation_data=scaled(X_validation, y_validation),
    callbacks=[stopping],
    verbose=2,
)

# %%
print(f"test loss, of scaled changes: {model.evaluate(*scaled(X_test, y_test), verbose=0):.5f}")

# %% [markdown]
# ### Your turn 5: from the network's output to sunspots
#
# A network predicts the **change** since the last value of its window, and the scaler divided all changes by 200, the
# distance from the lowest to the highest value of the training part; the lowest was 10. The window ends with 100
# sunspots, and the network's output is 0.1. How many sunspots does it forecast?

# %%
sunspots = ...

# %%
check("forecasting.5", sunspots)

# %%
changes = model.predict(scaled(X_test, y_test)[0], batch_size=1000, verbose=0) / scaler.scale_
forecasts["lstm"] = X_test[:, -1:] + changes
compare(forecasts)

# %% [markdown]
# With the sunspots expect about 25 over all twelve months, where the naive forecast has 32 and the linear model 26.
# One month ahead all are close together, and the linear model is the best: it is worth the line that it takes. On the
# generated series the season is regular. **Which simple forecast is hard to beat there, and why?**

# %%
losses = {"training": history.history["loss"], "validation": history.history["val_loss"]}
by_step = {name: np.sqrt(np.mean((forecast - y_test) ** 2, axis=0)) for name, forecast in forecasts.items()}
figures.errors(losses, by_step, data.name, data.step)

# %%
titles = (data.count(1), data.count(HORIZON), WINDOW)
figures.forecasts(data.dates[validation_end:], values[validation_end:], forecasts, data.name, titles)

# %% [markdown]
# **A question.** Look at the first plot, one step ahead. The blue curve follows the truth closely, and yet the naive
# forecast's curve would look as good: it is the truth, one step late. What does a plot like this prove?
#
# ## Keep the model
#
# The network is useless without its scaler: both are saved. No program of this workshop asks for a forecast; a few
# lines of Python do it.

# %%
model.save("forecast.h5")
joblib.dump(scaler, "forecast-scaler.gz")
notebook.download("forecast.h5")
notebook.download("forecast-scaler.gz")

# %% [markdown]
# The real use: what comes after the end of the series, which nobody has seen.

# %%
again, its_scaler = keras.models.load_model("forecast.h5"), joblib.load("forecast-scaler.gz")
last = values[-WINDOW:]
change = again.predict(its_scaler.transform(last[:, None])[None], verbose=0)[0] / its_scaler.scale_
print(f"the next {HORIZON}: {np.round(last[-1] + change, 1)}")

# %%
figure, axes = plt.subplots(figsize=(10, 4), layout="constrained")
axes.plot(range(-WINDOW + 1, 1), last, label="known")
axes.plot(range(1, HORIZON + 1), last[-1] + change, ".-", label="forecast")
axes.set(xlabel=f"{data.step}s from the end of the series", ylabel=data.name, title="After the end of the series")
axes.legend()
plt.show()

# %% [markdown]
# ## What to try next
#
# - `keras.layers.GRU(32)` or `keras.layers.SimpleRNN(32)` in place of the LSTM.
# - The slip on purpose: fit the scaler on all values, or let the windows of the training reach into the test part.
#   Does the error get smaller? Would you notice?
# - A series of your own: passengers, prices of bread, visitors of a page. `python -m workshop.forecasting --data
#   YOUR.csv` does the same in a terminal.
