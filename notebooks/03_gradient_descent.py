# %% [markdown]
# # Gradient descent: going downhill, step by step
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/03_gradient_descent.ipynb)
#
# Every training of a network is a walk downhill. Here you write the steps yourself, on a parabola and on a surface that
# can be drawn, and find out which learning rates arrive, which diverge, and what momentum is good for. About 20
# minutes; NumPy is enough.

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
import numpy as np
import tensorflow as tf
from IPython.display import Image

from workshop.exercises import check, hint, solution
from workshop.figures import gradient_descent as figures
from workshop.kit import plots
from workshop.kit.plots import animation, charts

# %% [markdown]
# ## A parabola
#
# The lowest point of f(x) = 2(x - 5)^2 + 3 is at 5, as the formula says. Descent does not look at the formula. It knows
# the slope where it stands, 4(x - 5), and goes a bit downhill.

# %%
xs = np.linspace(-1, 11, 100)
figure, axes = plots.subplots(width=8)
axes.plot(xs, 2 * (xs - 5) ** 2 + 3, color=plots.BLUE)
axes.plot([0, 10], [53, 53], "o", color=plots.VERMILION, label="two starts")
axes.set(xlabel="x", ylabel="f(x)", title="2(x - 5)² + 3")
axes.legend()
figure

# %% [markdown]
# ### Your turn 1: one step down
#
# The parabola 2(x - 5)^2 + 3 has the slope 4(x - 5). Return where one step of gradient descent leads from `x`, with the
# learning rate `rate`.


# %%
def step(x, rate):
    """Returns x after one step of gradient descent on 2(x - 5)^2 + 3."""
    ...


# %%
check("gradient_descent.1", step)

# %% [markdown]
# `hint("gradient_descent.1")` gives a hint, and `solution("gradient_descent.1")` the solution. Try yourself first.
#
# Many steps are a loop. From 0 and from 10, with the rate 0.1:


# %%
def slope(x):
    return 4 * (x - 5)


def descend_parabola(x, rate, steps):
    """Returns all places on the way, the start included."""
    path = [x]
    for _ in range(steps):
        x = x - rate * slope(x)
        path.append(x)
    return path


# %%
from_0 = descend_parabola(0, rate=0.1, steps=1000)
from_10 = descend_parabola(10, rate=0.1, steps=1000)
for i in (0, 1, 2, 3, 5, 10, 20, 1000):
    print(f"step {i:4}: {from_0[i]!r:20} {from_10[i]!r}")

# %%
figure, axes = plots.subplots(width=8)
curves = {"from 0": (range(26), from_0[:26]), "from 10": (range(26), from_10[:26])}
charts.draw_curves(axes, curves, x="step", y="x", title="The first 25 steps")
figure

# %% [markdown]
# ### Your turn 2: does it climb again?
#
# After 1,000 steps descent has reached the minimum at 5. What do 1,000 more steps do? Answer with a letter: `"a"` it
# walks up on the other side, `"b"` it stays at 5, `"c"` it swings around 5 for ever, `"d"` it stops with an error,
# since nothing is left to do.

# %%
answer = ...

# %%
check("gradient_descent.2", answer)

# %% [markdown]
# Now look. **Why does the first one end at 4.999... and not at 5?**

# %%
print("from  0, after 1,000 more:", descend_parabola(from_0[-1], rate=0.1, steps=1000)[-1])
print("from 10, after 1,000 more:", descend_parabola(from_10[-1], rate=0.1, steps=1000)[-1])

# %% [markdown]
# Numbers of 64 bits have about 16 digits. The last step is too short to change the last digit.
#
# ## The learning rate
#
# **A question before you go on.** Five rates, from 0.02 to 0.52. Which is the quickest, and which one does not arrive?

# %%
figure, axes = plots.subplots(width=9)
curves = {}
for rate in (0.02, 0.1, 0.25, 0.45, 0.52):
    curves[f"rate {rate}"] = (range(16), descend_parabola(0, rate, steps=15))
charts.draw_curves(axes, curves, x="step", y="x", title="Descent on the parabola")
figure

# %% [markdown]
# ### Your turn 3: the rate where it diverges
#
# On the parabola 2(x - 5)^2 + 3 a step takes the distance from the minimum, d = x - 5, to d - rate * 4d. From which
# rate on does the distance no longer become smaller?

# %%
limit = ...

# %%
check("gradient_descent.3", limit)

# %% [markdown]
# ## Two weights: a surface
#
# A line through five points has a slope and an intercept. The loss E(w) = 1/2 ||X w - y||^2, half the sum of the
# squared errors, is a height over the two: a surface. The column of ones in X is what the intercept multiplies.

# %%
inputs = np.array([0.0, 1, 2, 3, 4])
X = np.column_stack([inputs, np.ones(5)])
y = np.array([10.5, 5, 3, 2.5, 1])
start = np.array([-3.0, 2.0])
print(X)


# %%
def loss(w):
    """Returns E of one pair of weights (2,), or of many (..., 2)."""
    return 0.5 * np.sum((w @ X.T - y) ** 2, axis=-1)


print("E at the start:", loss(start))

# %% [markdown]
# The minimum of this surface is known: the pseudo-inverse finds it without a step. So you see how near descent comes.

# %%
minimum = np.linalg.pinv(X) @ y
print(f"slope {minimum[0]:.4f}, intercept {minimum[1]:.4f}, E {loss(minimum):.4f}")

# %% [markdown]
# The slope has become a *gradient*: one slope for each weight. Of E it is X'(X w - y): each error times its row of X,
# added up. The step is the same line of code as before.


# %%
def descend(rate, steps=25):
    """Returns the weights after every step, (steps + 1, 2), the start included."""
    w = start
    path = [w]
    for _ in range(steps):
        w = w - rate * X.T @ (X @ w - y)
        path.append(w)
    return np.array(path)


# %%
for i, w in enumerate(descend(rate=0.06, steps=4)):
    print(f"step {i}: slope {w[0]:7.4f}, intercept {w[1]:7.4f}, E {loss(w):8.4f}")

# %% [markdown]
# Six rates, 25 steps each, drawn on the contours of E. Each contour is twice as high above the minimum as the one
# before. **Which of them do you expect to fail?**

# %%
RATES = (0.02, 0.03, 0.04, 0.05, 0.06, 0.07)
slopes, intercepts = np.linspace(-7, 4.5, 150), np.linspace(-1, 15.5, 150)
heights = loss(np.stack(np.meshgrid(slopes, intercepts), axis=-1)) - loss(minimum)
surface = figures.Surface(slopes, intercepts, heights, start, minimum)
paths = {rate: descend(rate) for rate in RATES}
diverging = [loss(path[-1]) > loss(start) for path in paths.values()]
figures.paths(surface, paths, diverging, plots.VERMILION, "25 steps of gradient descent")

# %%
for rate, path in paths.items():
    print(f"rate {rate}: from E = {loss(start):.1f} to {loss(path[-1]):.4g}")

# %% [markdown]
# The surface is a long valley: steep across, flat along. The steep direction decides which rate is too large, the flat
# one how long it takes. The curvatures of both are the eigenvalues of X'X, and the limit is 2 / the larger one, as on
# the parabola.

# %%
curvatures = np.linalg.eigvalsh(X.T @ X)
print("curvature along the valley and across:", curvatures.round(4))
print(f"a rate must stay below 2 / {curvatures[-1]:.2f} = {2 / curvatures[-1]:.4f}")

# %% [markdown]
# ### Your turn 4: the gradient of the mean squared error
#
# E(w) = 1/2 ||X w - y||^2 has the gradient X'(X w - y). Keras' loss is another one, the mean squared error: the sum of
# the squared errors divided by the number of rows. Return its gradient at `w`.


# %%
def gradient(w, X, y):
    """Returns the gradient (weights,) of the mean squared error at w (weights,); X is (rows, weights), y (rows,)."""
    ...


# %%
check("gradient_descent.4", gradient)

# %% [markdown]
# ## Momentum
#
# A ball that rolls keeps a part of its speed.
#
# ### Your turn 5: a step with momentum
#
# With momentum, a step `v` is the last step, made shorter by the factor `momentum`, and the usual step downhill added.
# Return the new weights and the new step: `return w, v`.


# %%
def momentum_step(w, v, gradient, rate, momentum):
    """Returns the next w and v, each (weights,), from w, v and the gradient at w, each (weights,), and two numbers."""
    ...


# %%
check("gradient_descent.5", momentum_step)

# %% [markdown]
# The whole descent with momentum is a loop over such steps:


# %%
def roll(rate, momentum, steps=25):
    """Returns the weights after every step with momentum, (steps + 1, 2)."""
    w, v = start, np.zeros(2)
    path = [w]
    for _ in range(steps):
        v = momentum * v - rate * X.T @ (X @ w - y)
        w = w + v
        path.append(w)
    return np.array(path)


# %% [markdown]
# The same six rates with a momentum of 0.5. The limit is now 2 (1 + 0.5) / the larger curvature: all six descend.

# %%
print(f"limit: {2 * (1 + 0.5) / curvatures[-1]:.4f}")
paths_momentum = {rate: roll(rate, momentum=0.5) for rate in RATES}
diverging = [loss(path[-1]) > loss(start) for path in paths_momentum.values()]
figures.paths(surface, paths_momentum, diverging, plots.BLUE, "25 steps, momentum 0.5")

# %% tags=["parameters"] quick="FRAMES = 2"
FRAMES = 25

# %% [markdown]
# Both at the rate 0.06, step by step. On the left the weights, on the right the lines that they stand for.

# %%
walks = {"plain": descend(0.06, FRAMES), "momentum 0.5": roll(0.06, 0.5, FRAMES)}
lines = {name: path @ X.T for name, path in walks.items()}
losses = {name: loss(path) for name, path in walks.items()}
figure, frames = figures.walk(surface, inputs, y, X @ minimum, 0.06, walks, lines, losses)
Image(animation.save(figure, frames, Path("walk.gif")).read_bytes(), format="gif")

# %% [markdown]
# ## Without a derivative on paper
#
# Here the slope was derived by hand. For a network nobody does that: TensorFlow's tape records how the loss is computed
# and gives the gradient. The line -3x is to be found, from the weight -10, until it is right to 0.001:

# %%
x = tf.constant([1.0, 2.0, 3.0, 4.0])
w = tf.Variable(-10.0)
steps = 0
while abs(w.numpy() + 3) >= 1e-3:
    with tf.GradientTape() as tape:
        error = tf.reduce_mean((w * x - (-3 * x)) ** 2)
    w.assign_sub(0.01 * tape.gradient(error, w))  # w = w - rate * gradient
    steps += 1
print(f"w = {w.numpy():.4f} after {steps} steps")

# %% [markdown]
# ## What to try next
#
# - `momentum=0.9` in the animation: what does the ball do?
# - `python -m workshop.gradient_descent` draws more: how the loss falls by steps, and what decides whether it does.
# - The next notebook: the choices of a training in practice, on a table of houses.
