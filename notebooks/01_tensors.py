# %% [markdown]
# # Tensors: arrays of NumPy, TensorFlow and PyTorch
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/01_tensors.ipynb)
#
# An image, a table, the weights of a network: all of them are numbers in an array. You make arrays, cut them, add them
# up, and let TensorFlow differentiate. About 20 minutes; nothing is trained.

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
import operator
import timeit

import numpy as np
import tensorflow as tf

from workshop.exercises import check, hint, solution
from workshop.figures import tensors as figures

# %% [markdown]
# ## Arrays: numbers in a shape
#
# An array has numbers of one kind, its *dtype*, in a *shape*.

# %%
x = np.arange(6)
M = x.reshape(2, 3)
print(x, "has the shape", x.shape)
print(M, "has the shape", M.shape, "and", M.ndim, "axes")

# %%
print("zeros ", np.zeros((2, 3)).tolist())
print("eye   ", np.eye(2).tolist())
print("random", np.random.default_rng(1).standard_normal(3).round(2))

# %% [markdown]
# ### Your turn 1: numbers in an image
#
# A grey image of 10x10 pixels is an array of shape (10, 10). How many numbers are in it? Give a whole number, or let
# Python compute it.

# %%
numbers = ...

# %%
check("tensors.1", numbers)

# %% [markdown]
# `hint("tensors.1")` gives a hint, and `solution("tensors.1")` the solution. Try yourself first.
#
# ### Shapes are changed, numbers are not
#
# **A question before you go on.** `x` has six numbers. Which of the shapes (3, 2), (6, 1) and (4, 2) can it get?

# %%
print("reshape    ", x.reshape(3, 2).shape, x.reshape(-1, 1).shape)  # -1: whatever is left
print("new axis   ", x[:, None].shape, x[None].shape)
print("squeeze    ", x[None, :, None].squeeze().shape)
print("concatenate", np.concatenate([M, M]).shape, np.concatenate([M, M], axis=1).shape)
print("stack      ", np.stack([M, M]).shape)

# %% [markdown]
# ### Your turn 2: the shape of a batch
#
# 32 colour images, each 10 pixels high and 20 wide, are one array. Keras wants the images first, then rows,
# columns and, last, the three colours. Which shape has it? Give a tuple.

# %%
shape = ...

# %%
check("tensors.2", shape)

# %% [markdown]
# ## Dtypes: how many bits a number has
#
# NumPy makes 64-bit floats, as science needs. Networks are trained in 32: half the memory, and faster. Pixels have 8.

# %%
for dtype in ("float64", "float32", "int64", "uint8"):
    print(f"{dtype}: {np.zeros(1, dtype).itemsize} bytes a number")

# %% [markdown]
# A cast can lose something. **What do you expect of each line?**

# %%
print("float to int  ", np.array([-1.7, 1.7]).astype("int64"))
print("int to uint8  ", np.array([260, -1]).astype("uint8"))
print("int to float32", int(np.array([16_777_217]).astype("float32")[0]))
x_cast = np.arange(3)
x_cast[0] = 2.9
print("2.9 written into integers", x_cast)
print("texts to float", np.array(["7", "2.5"]).astype("float32"))
try:
    np.array(["7", "x"]).astype("float32")
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ### Your turn 3: brighter than white
#
# Pixels are usually `uint8`, whole numbers of 8 bits. Somebody makes a pixel brighter:
# `np.array([200], np.uint8) + np.array([100], np.uint8)`. Which number comes out? Think first, then try.

# %%
brighter = ...

# %%
check("tensors.3", brighter)

# %% [markdown]
# ## Slices and masks
#
# An index takes one axis away; a slice and a list of indices keep it.

# %%
print("M =", M.tolist())
print("M[-1]   ", M[-1].shape, " M[[-1]]", M[[-1]].shape)
print("M[:, -1]", M[:, -1])
print("x[1:5:2]", x[1:5:2], " x[::-1]", x[::-1])
print("x[x > 2]", x[x > 2])

# %% [markdown]
# ### Your turn 4: take the margin off
#
# Return the image without its margin: one pixel less on each of the four sides.


# %%
def without_margin(image):
    """Returns image (rows, columns) without its outermost pixels, (rows - 2, columns - 2)."""
    ...


# %%
check("tensors.4", without_margin)

# %% [markdown]
# ### Views: two names, one memory
#
# A slice copies nothing: it looks into the same memory. **What will `a` be?**

# %%
a = np.arange(6)
b = a[1:4]
b[0] = 99
print("after writing into a slice ", a)
c = a[[1, 2, 3]]
c[0] = -1
print("after writing into a choice", a)

# %% [markdown]
# Here the numbers 0 to 11 are their own places in the memory. A transposed matrix is the same memory, read in another
# order: it is no longer *contiguous*. `.copy()` has its own memory.

# %%
N = np.arange(12).reshape(3, 4)
views = {
    "N": (N, N),
    "N.T": (N.T, N.T),
    "N[:, 1:3]": (N[:, 1:3], N[:, 1:3]),
    "N.T.copy()": (N.T.copy(), np.arange(12).reshape(4, 3)),
}
figures.memory(N, views)

# %% [markdown]
# ## Broadcasting
#
# Arrays of different shapes are added, too: shapes are compared from the right, and an axis of length 1, or one that is
# missing, is repeated.

# %%
row, column = np.array([10, 20, 30]), np.array([[100], [200]])
try:
    M + row[:2]
except ValueError as error:
    too_short = f"ValueError: {error}"
sums = {
    "a matrix and a row": (M, row, M + row),
    "a column and a row": (column, row, column + row),
    "a matrix and a row too short": (M, row[:2], too_short),
}
figures.broadcasting(sums)

# %% [markdown]
# ## Sums along axes
#
# The axis that you name is the one that disappears. For an array of shape (2, 3, 4):

# %%
T = np.arange(24).reshape(2, 3, 4)
for axis in (0, 1, 2, (0, 2)):
    print(f"axis={axis!s:6} shape {T.sum(axis=axis).shape!s:6} {T.sum(axis=axis).tolist()}")
print("keepdims   shape", T.sum(axis=2, keepdims=True).shape)

# %%
print("mean", x.mean(), " median", np.median(x), " a quarter lies below", np.percentile(x, 25))

# %% [markdown]
# ### Your turn 5: the brightness of each image
#
# `images` has the shape (images, rows, columns). Return the mean pixel of each image: one number for each.


# %%
def brightness(images):
    """Returns the mean of each image, (images,), of images (images, rows, columns)."""
    ...


# %%
check("tensors.5", brightness)

# %% [markdown]
# ## Products
#
# `*` multiplies number by number, `@` is the matrix product: rows times columns. A dense layer is one `@`.

# %%
print("M * M   ", (M * M).tolist())
print("M @ M.T ", (M @ M.T).tolist())
v = np.array([1, 2, 3, 4])
print("v @ v   ", v @ v, "= 1 + 4 + 9 + 16")
print("60,000 digits times a layer's weights:", (np.zeros((60_000, 784)) @ np.zeros((784, 10))).shape)

# %% [markdown]
# With these tools, the error that many models are measured by, step by step: the root of the mean squared error, RMSE.

# %%
true, predicted = np.array([3.0, 5, 7, 9]), np.array([2.0, 5, 9, 8])
print("errors ", predicted - true)
print("squared", (predicted - true) ** 2)
print("mean   ", np.mean((predicted - true) ** 2))
print("root   ", np.sqrt(np.mean((predicted - true) ** 2)))

# %% [markdown]
# ## Why not a loop?
#
# The same squares, and the same cost of a line, with Python loops and with arrays. **How many times faster are arrays,
# for 100,000 numbers: 2, 10 or 50 times?** (`lambda` makes a function without a name: `lambda x: x * x` takes x and
# returns what stands behind the colon. With nothing before the colon it takes nothing.)

# %% tags=["parameters"] quick="SIZES = (500, 1000)"
SIZES = (500, 1000, 5000, 10_000, 50_000, 100_000)


# %%
def square_in_loop(numbers):
    squares = []
    for number in numbers:
        squares.append(number * number)
    return squares


def cost_in_loop(x, y):
    total = 0.0
    for x_i, y_i in zip(x, y, strict=True):
        total += (2 * x_i + 1 - y_i) ** 2
    return total / len(x)


def cost_by_vectors(x, y):
    errors = 2 * x + 1 - y
    return errors @ errors / len(x)


# %%
def milliseconds(size):
    """Returns the time of each way: the fastest of five calls, because in the others the machine was busy."""
    x, y = np.random.default_rng(1).uniform(-1, 1, (2, size))
    numbers, targets = x.tolist(), y.tolist()
    ways = {
        "loop": lambda: square_in_loop(numbers),
        "comprehension": lambda: [number * number for number in numbers],
        "map": lambda: list(map(operator.mul, numbers, numbers)),
        "NumPy": lambda: x * x,
        "cost in a loop": lambda: cost_in_loop(numbers, targets),
        "cost by vectors": lambda: cost_by_vectors(x, y),
    }
    return {name: min(timeit.repeat(way, number=1, repeat=5)) for name, way in ways.items()}


# %%
rows = [milliseconds(size) for size in SIZES]
seconds = {name: [row[name] for row in rows] for name in rows[0]}
for slow, quick in (("loop", "NumPy"), ("cost in a loop", "cost by vectors")):
    print(f"{SIZES[-1]:,} numbers: {slow} takes {seconds[slow][-1] / seconds[quick][-1]:.0f} times as long as {quick}")
figures.seconds(SIZES, seconds)

# %% [markdown]
# ## Tensors of TensorFlow
#
# The same thing once more, with two additions: a tensor can lie on a GPU, and TensorFlow computes derivatives.

# %%
t = tf.constant([[0.0, 1, 2], [3, 4, 5]])
print(t.shape, t.dtype)
print("back to NumPy", t.numpy().tolist())
print("sum along axis 0", tf.reduce_sum(t, axis=0).numpy())
print("GPUs", len(tf.config.list_physical_devices("GPU")))

# %% [markdown]
# A tensor is immutable: nothing can be written into it. (Weights, which training changes, are of `tf.Variable`.) And
# TensorFlow never changes a dtype by itself:

# %%
try:
    tf.constant([1, 2]) + tf.constant([0.5, 0.5])
except tf.errors.InvalidArgumentError as error:
    print("InvalidArgumentError:", error.message[:90])
print((tf.cast(tf.constant([1, 2]), "float32") + tf.constant([0.5, 0.5])).numpy())

# %% [markdown]
# ### Your turn 6: a slope by hand
#
# The derivative of z(x) = x^2 + 2x + 1 says how steep it is. How steep is it at x = 3?

# %%
slope = ...

# %%
check("tensors.6", slope)

# %% [markdown]
# A `GradientTape` records what is computed, and goes back along the record: that gives the derivatives, exactly. Every
# training of a network does this. Here at x = 2:

# %%
point = tf.Variable(2.0)
with tf.GradientTape() as tape:
    z = point**2 + 2 * point + 1
print("z(2) =", z.numpy(), " slope", tape.gradient(z, point).numpy())

# %% [markdown]
# With two inputs there are two derivatives. f(u, v) = uv + u^2 at (1, 2), and g(x, y) = xy^2 - x^2y at (2, 5):

# %%
u, v = tf.Variable(1.0), tf.Variable(2.0)
with tf.GradientTape() as tape:
    f = u * v + u**2
print("f by u and v:", [float(d) for d in tape.gradient(f, [u, v])])

a, b = tf.Variable(2.0), tf.Variable(5.0)
with tf.GradientTape() as tape:
    g = a * b**2 - a**2 * b
print("g by x and y:", [float(d) for d in tape.gradient(g, [a, b])])

# %% [markdown]
# ## The same in PyTorch
#
# PyTorch's tensors share NumPy's memory, remember how they were made (`grad_fn`), and keep their gradient with them.

# %%
if util.find_spec("torch"):
    import torch

    array = np.zeros(2)
    shared = torch.from_numpy(array)
    array[0] = 7
    print("shared memory:", shared)
    w = torch.tensor(2.0, requires_grad=True)
    z = w**2 + 2 * w + 1
    z.backward()
    print("z(2) =", z.item(), " slope", w.grad.item(), " made by", z.grad_fn.name(), " leaf:", w.is_leaf, z.is_leaf)
else:
    print("PyTorch is not installed here.")

# %% [markdown]
# ## Arrays in files
#
# `.npy` keeps dtype and shape; `.npz` holds several arrays by name. A text file keeps neither: an empty cell comes back
# as `nan`.

# %%
np.save("M.npy", M)
np.savez("two.npz", M=M, x=x)
print("npy", np.load("M.npy").dtype, " npz", np.load("two.npz")["x"])
np.savetxt("M.csv", M, fmt="%d", delimiter=",")
print("csv", np.genfromtxt("M.csv", delimiter=",").tolist())
print("an empty cell", np.genfromtxt(["1,2", ",4"], delimiter=",").tolist())

# %% [markdown]
# ## What to try next
#
# - Which of these work, and why: `np.ones((4, 3)) + np.ones(4)`, `np.ones((4, 3)) + np.ones((4, 1))`?
# - `python -m workshop.tensors` runs a hundred such lines in NumPy, TensorFlow and PyTorch side by side, and marks
#   those that differ.
# - The next notebook: a network that is one `@` and one `+`.
