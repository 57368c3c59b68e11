# %% [markdown]
# # Start here
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/00_start_here.ipynb)
#
# In this room you build neural networks yourself. Each notebook is one lesson: some text, a short piece of code, a
# plot, and a few exercises that tell you at once whether your answer is right, and if not, why. In five minutes, at
# the end of this page, you have trained a network and asked it something.
#
# A notebook is a row of cells. Click on the cell below and press **Shift+Enter**: it runs, and the next one is chosen.
# Run the cells from top to bottom. Nothing that you change here breaks anything: *Runtime, Restart* (in Jupyter
# *Kernel, Restart*) begins anew.

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

# %% [markdown]
# Two lines: the versions of Python and of Keras, and what the networks compute on. **Do you have a GPU?** The second
# line names it. You need none: every notebook ends within three minutes on an ordinary computer. In Colab, *Runtime,
# Change runtime type* gives you one.
#
# The doctor looks whether this computer is ready for all of the lessons: memory, disk, versions, data. OK is fine, NOTE
# is fine too, and FIX says what to do.

# %%
# !{sys.executable} -m workshop doctor

# %% [markdown]
# ## Five minutes to your first prediction
#
# Five points, and a rule that only you know: y = 2x + 1. The network gets the points, not the rule.

# %%
import keras
import numpy as np

from workshop.exercises import check, hint, solution

x = np.array([1, 2, 3, 4, 5], np.float32)
y = np.array([3, 5, 7, 9, 11], np.float32)

# %% [markdown]
# One neuron multiplies its input by a weight and adds a bias. It begins with a weight drawn at random.

# %%
neuron = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
neuron.predict(np.array([[10.0]]), verbose=0)

# %% [markdown]
# That is no good prediction for 10: nobody has shown it anything yet. Training changes the weight and the bias, step by
# step, so that the predictions come closer to the points.

# %%
neuron.compile(optimizer=keras.optimizers.SGD(learning_rate=0.05), loss="mean_squared_error")
history = neuron.fit(x[:, None], y, epochs=200, verbose=0)
losses = history.history["loss"]
print(f"loss {losses[0]:.2f} after the first epoch, {losses[-1]:.6f} after the last")

# %% [markdown]
# Ask it something that it has never seen. Change the 10 into a number of your own, and run the cell again.

# %%
number = 10.0
print(number, "->", neuron.predict(np.array([[number]]), verbose=0)[0, 0])

# %%
kernel, bias = neuron.get_weights()
print("weight", kernel[0, 0], "bias", bias[0])

# %% [markdown]
# **A question before you go on.** The weight is close to 2 and the bias to 1, but not exactly. What would you change so
# that they come closer?
#
# ## How the exercises work
#
# An exercise is called *Your turn*. You write a value or a function in place of the three dots, run the cell, then run
# the check below it. Nothing is graded; try as often as you like.
#
# ### Your turn: numbers in an image
#
# A grey image of 10x10 pixels is an array of shape (10, 10). How many numbers are in it? Give a whole number, or let
# Python compute it.

# %%
numbers = ...

# %%
check("tensors.1", numbers)

# %% [markdown]
# Write `10` for a moment, run both cells, and read what the check says: it knows the answers that people often give,
# and tells you why they are not right.

# %%
hint("tensors.1")

# %% [markdown]
# `solution("tensors.1")` shows the solution, with an explanation. What you have done is kept in the file
# `workshop-progress.json` beside this notebook.
#
# ## Where to go from here
#
# - Day 1: `01_tensors`, `02_linear_regression` (houses), `06_logistic_regression` and `09_admission` (who is admitted).
# - Day 2: `11_activations`, `14_mnist` (digits), `18_experiments`, `20_convolution`, `21_cats_vs_dogs` (your photos).
# - In a terminal, each lesson is also one command: `python -m workshop` lists them.
