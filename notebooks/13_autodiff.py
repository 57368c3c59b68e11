# %% [markdown]
# # Automatic differentiation
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/13_autodiff.ipynb)
#
# How does Keras know the derivative of a program that you have just written? You build both ways, each in twenty lines:
# dual numbers, which carry a derivative forwards, and a tape, which is read backwards. Then your tape trains two
# networks. About 20 minutes.

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
import math
from importlib import util

import numpy as np
import tensorflow as tf

from workshop.exercises import check, hint, solution
from workshop.figures import autodiff as figures

# %% [markdown]
# ## A program of five steps
#
# z = x1 x2 + sin x1, at x1 = 2 and x2 = 3. A computer does one operation after the other:

# %%
x1, x2 = 2.0, 3.0
v1 = x1
v2 = x2
v3 = v1 * v2
v4 = math.sin(v1)
v5 = v3 + v4
print("z =", v5)

# %% [markdown]
# **A question before you go on.** What are dz/dx1 and dz/dx2? With pencil and paper: x2 + cos x1, and x1.

# %%
print("by hand:", x2 + math.cos(x1), "and", x1)

# %% [markdown]
# On paper you differentiate a formula. A program of a million steps has no formula that anyone could write down. But
# each step has a derivative that is known, and the chain rule puts them together.
#
# ## Forwards: dual numbers
#
# Let every number carry its *tangent*: how quickly it changes when x1 changes. The tangent of x1 is 1, that of x2 is 0.
# The sum of two numbers has the sum of their tangents; the product follows the product rule, u' v + u v'; the sine has
# the tangent cos(value) times tangent.

# %% [markdown]
# ### Your turn 1: a dual number through a formula
#
# Send the dual number x = (2, 1), value 2 and tangent 1, through f(x) = x * x + 3 * x. Each step has a value and a
# tangent. What are the value and the tangent of f? Give a list of two numbers.

# %%
result = ...

# %%
check("autodiff.1", result)

# %% [markdown]
# ### Your turn 2: the product of two dual numbers
#
# A dual number is a pair (value, tangent). Return the product of two of them, a pair again. The tangent follows the
# product rule.


# %%
def multiply(a, b):
    """Returns the product, (value, tangent), of two dual numbers (value, tangent)."""
    ...


# %%
check("autodiff.2", multiply)

# %% [markdown]
# A class with these rules. Python calls `__add__` where it finds a plus sign, and `__mul__` for a product.


# %%
class Dual:
    def __init__(self, value, tangent):
        self.value, self.tangent = value, tangent

    def __add__(self, other):
        return Dual(self.value + other.value, self.tangent + other.tangent)

    def __mul__(self, other):
        tangent = self.tangent * other.value + self.value * other.tangent
        return Dual(self.value * other.value, tangent)


def sine(x):
    return Dual(math.sin(x.value), math.cos(x.value) * x.tangent)


# %%
def five_steps(v1, v2, sine):
    v3 = v1 * v2
    v4 = sine(v1)
    v5 = v3 + v4
    return [v1, v2, v3, v4, v5]


by_x1 = five_steps(Dual(x1, 1.0), Dual(x2, 0.0), sine)
by_x2 = five_steps(Dual(x1, 0.0), Dual(x2, 1.0), sine)
print("step          value   tangent by x1   tangent by x2")
for i, (first, second) in enumerate(zip(by_x1, by_x2, strict=True), 1):
    print(f"v{i}        {first.value:10.6f} {first.tangent:15.6f} {second.tangent:15.6f}")

# %% [markdown]
# The last line has the derivatives of z, exact to the last digit. It took **two runs**, one for each input.
#
# ## Backwards: a tape
#
# The other way round: run the program once and write each step on a *tape*, with its inputs and its slopes. Then read
# the tape from its end, and ask of each number how quickly z changes with it: its *gradient*. The gradient of z itself
# is 1.

# %% [markdown]
# ### Your turn 3: gradients add up
#
# A program computes y = a * b and then z = y * a + b. Go backwards by hand, beginning with dz/dz = 1, and return the
# gradients of `a` and of `b` as a list. Both are used twice.


# %%
def gradients(a, b):
    """Returns [dz/da, dz/db] of z = y * a + b with y = a * b, for two numbers."""
    ...


# %%
check("autodiff.3", gradients)

# %%
tape = []


class Variable:
    def __init__(self, value, inputs=()):
        self.value = value
        self.inputs = inputs  # pairs: the Variable that went in, and the slope of this step by it
        self.gradient = 0.0
        tape.append(self)

    def __add__(self, other):
        return Variable(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Variable(self.value * other.value, [(self, other.value), (other, self.value)])


def backward(z):
    """Computes the gradients of all variables on the tape."""
    z.gradient = 1.0
    for variable in reversed(tape):
        for x, slope in variable.inputs:
            x.gradient += variable.gradient * slope  # the uses of x add up


# %% [markdown]
# **A question.** Why `+=` in the last line, and not `=`?


# %%
def tape_sine(x):
    return Variable(math.sin(x.value), [(x, math.cos(x.value))])


tape.clear()
variables = five_steps(Variable(x1), Variable(x2), tape_sine)
backward(variables[-1])
for i in reversed(range(5)):
    print(f"v{i + 1}  value {variables[i].value:9.6f}  gradient {variables[i].gradient:9.6f}")

# %%
steps = ("x1", "x2", "v1 v2", "sin v1", "v3 + v4")
nodes = [(name, v.value, v.gradient) for name, v in zip(steps, variables, strict=True)]
edges = [
    (variables.index(x), target, variable.gradient * slope)
    for target, variable in enumerate(variables)
    for x, slope in variable.inputs
]
figures.graph(nodes, edges)

# %% [markdown]
# **One** backward pass found both derivatives: those of v1 and v2, which are x1 and x2.

# %% [markdown]
# ### Your turn 4: forwards or backwards
#
# A network 784-128-10 has 101,770 weights, and its loss is one number. How many runs does forward mode need for the
# gradient of all weights, and how many backward passes does reverse mode need? Give a list of two whole numbers.

# %%
runs = ...

# %%
check("autodiff.4", runs)

# %% [markdown]
# ## The libraries do the same
#
# TensorFlow calls it a tape too. `watch` says by which numbers the derivative is wanted; a `tf.Variable`, such as a
# weight, is watched by itself.

# %%
a, b = tf.constant(x1, tf.float64), tf.constant(x2, tf.float64)
with tf.GradientTape() as gradient_tape:
    gradient_tape.watch([a, b])
    z = a * b + tf.sin(a)
print("TensorFlow:", [float(g) for g in gradient_tape.gradient(z, [a, b])])

# %%
if util.find_spec("torch"):  # Colab has it
    import torch

    a = torch.tensor(x1, dtype=torch.float64, requires_grad=True)
    b = torch.tensor(x2, dtype=torch.float64, requires_grad=True)
    z = a * b + torch.sin(a)
    z.backward()
    print("PyTorch:   ", [a.grad.item(), b.grad.item()])

# %%
print("your tape: ", [variables[0].gradient, variables[1].gradient])

# %% [markdown]
# ## A network on your tape
#
# The network of eight weights from the notebook on backpropagation: there you wrote down every derivative. Here the
# tape needs one more rule, the sigmoid, whose slope is s (1 - s).


# %%
def sigmoid(x):
    s = 1 / (1 + math.exp(-x.value))
    return Variable(s, [(x, s * (1 - s))])


def unit(inputs, weights, bias):
    """Returns the weighted sum of Variables; the bias is a Variable too."""
    total = bias
    for x, w in zip(inputs, weights, strict=True):
        total = total + x * w
    return total


# %%
tape.clear()
inputs = [Variable(0.05), Variable(0.10)]
w = [Variable(value) for value in (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)]  # w1 to w8
hidden = [sigmoid(unit(inputs, w[0:2], Variable(0.35))), sigmoid(unit(inputs, w[2:4], Variable(0.35)))]
outputs = [sigmoid(unit(hidden, w[4:6], Variable(0.60))), sigmoid(unit(hidden, w[6:8], Variable(0.60)))]
differences = [outputs[0] + Variable(-0.01), outputs[1] + Variable(-0.99)]  # the targets are 0.01 and 0.99
E = Variable(0.5) * (differences[0] * differences[0] + differences[1] * differences[1])
backward(E)
print(f"E = {E.value:.9f}, {len(tape)} numbers on the tape")
for i, weight in enumerate(w, 1):
    print(f"dE/dw{i} = {weight.gradient:+.9f}   after a step of 0.5: {weight.value - 0.5 * weight.gradient:.9f}")

# %% [markdown]
# Compare with the numbers that you computed by hand there: they agree in every digit, and nobody wrote a backward pass.
#
# ## XOR on your tape
#
# Two inputs, five hidden units with tanh, one sigmoid: 21 weights. Each step of gradient descent is a forward run,
# which fills the tape, a backward pass, and a change of the weights.


# %%
def tanh(x):
    t = math.tanh(x.value)
    return Variable(t, [(x, 1 - t * t)])


def network(w, x1, x2):
    """Returns the output for two inputs; w has 2 weights and a bias for each hidden unit, then 5 and a bias."""
    inputs = [Variable(x1), Variable(x2)]
    hidden = [tanh(unit(inputs, w[3 * i : 3 * i + 2], w[3 * i + 2])) for i in range(5)]
    return sigmoid(unit(hidden, w[15:20], w[20]))


# %%
corners = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]  # x1, x2 and the target
weights = np.random.default_rng(1).normal(size=21)
losses = []
for _ in range(1000):
    tape.clear()
    w = [Variable(value) for value in weights]
    loss = Variable(0.0)
    for x1, x2, target in corners:
        difference = network(w, x1, x2) + Variable(-target)
        loss = loss + difference * difference * Variable(0.25)
    backward(loss)
    weights = weights - 2.0 * np.array([variable.gradient for variable in w])
    losses.append(loss.value)

# %%
figures.loss(losses)

# %%
w = [Variable(value) for value in weights]
for x1, x2, target in corners:
    print(f"{x1} xor {x2}: {network(w, x1, x2).value:.3f}, which is {target}")

# %% [markdown]
# **A question.** The line `tape.clear()` begins each step. What would happen without it: to the memory, and to the
# gradients?
#
# ## What to try next
#
# - Give `Dual` and `Variable` a minus sign, `__sub__`, and a power, `__pow__`.
# - Send `Dual(Dual(2.0, 1.0), Dual(1.0, 0.0))` through x * x * x: the tangent of the tangent is the second derivative.
# - `workshop/scratch/autograd` in the package is the same with arrays and matrix products, in 300 lines.
# - All of it, with derivatives of derivatives: `python -m workshop.autodiff`.
