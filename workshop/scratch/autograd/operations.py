"""The operations that can be differentiated, each beside its derivative, which is made of the same operations.

So a derivative can be differentiated again. A number wears a wrapping (`autodiff.Dual` or `autodiff.Variable`) for each
derivative that it takes part in, its `level`; an operation takes off the outermost, that of the innermost derivative.
What NumPy refuses or cannot compute is a `WorkshopError` that names the operation and what it got.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.nn import activations


def level_of(x: Any) -> int:
    """Returns how many derivatives x takes part in; 0 for plain numbers."""
    return int(getattr(x, "level", 0))


def plain(x: Any) -> Any:
    """Returns the number inside all wrappings."""
    return plain(x.value) if level_of(x) else x


def operation(name: str, value: Callable[..., Any], *rules: Callable[..., Any], linear: bool = False) -> Any:
    """Returns an operation y = value(*x) on numbers, arrays, `Dual`s and `Variable`s. Each x_i has its rule: dy/dx_i.

    It is computed from (y, *x), for single elements. Where y is `linear` in each input, the rule gives, from (g, *x),
    the gradient by x_i at once, g being the gradient by y.
    """

    def apply(*inputs: Any) -> Any:
        level = max(map(level_of, inputs))
        top = [i for i, one in enumerate(inputs) if level_of(one) == level > 0]
        x = [one.value if i in top else one for i, one in enumerate(inputs)]
        try:
            if len({type(inputs[i]) for i in top}) > 1:
                raise TypeError("a Dual and a Variable of one level do not mix: put one inside the other")
            with np.errstate(divide="raise", over="raise", invalid="raise"):
                y = apply(*x) if top else value(*x)
        except (ArithmeticError, ValueError, IndexError, TypeError) as error:
            raise WorkshopError(f"{name} got {' and '.join(f'{plain(one)}'[:60] for one in x)}: {error}") from error
        if not top:
            return y

        # Forwards: what a tangent t of x_i adds to the tangent of y. Back: what the gradient g by y is by x_i.
        def push(i: int, t: Any) -> Any:
            return apply(*x[:i], t, *x[i + 1 :]) if linear else fit(multiply(t, rules[i](y, *x)), np.shape(y))

        def pull(i: int, g: Any) -> Any:
            return fit(rules[i](g, *x) if linear else multiply(g, rules[i](y, *x)), np.shape(x[i]))

        return inputs[top[0]].result(y, name, inputs, top, push, pull)

    return apply


def fit(x: Any, shape: tuple[int, ...]) -> Any:
    """Returns x in this shape: repeated along axes that it lacks, summed up along those that it has too many."""
    if np.shape(x) == shape:
        return x
    x = multiply(x, np.ones(shape))
    few = (1,) * (len(x.shape) - len(shape)) + shape
    return reshape(total(x, tuple(i for i, n in enumerate(few) if n == 1)), shape)


def put_into_zeros(x: Any, index: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Returns zeros of this shape with x added at the index."""
    zeros = np.zeros(shape)
    np.add.at(zeros, index, x)
    return zeros


def product(a: Any, b: Any) -> Any:
    """Returns a @ b of matrices, or stacks of them."""
    left, right = np.shape(a), np.shape(b)
    if min(len(left), len(right)) < 2 or left[-1] != right[-2]:
        raise ValueError(f"takes matrices (n, k) and (k, m), a vector as one of them; their shapes are {left}, {right}")
    return np.matmul(a, b)


def real(x: Any) -> np.ndarray:
    """Returns x as float64."""
    if np.asarray(x).dtype.kind != "f" or not np.isfinite(x).all():
        raise TypeError("takes finite floating-point numbers (3.0, not 3)")
    return np.asarray(x, np.float64)


add = operation("+", np.add, lambda y, a, b: 1.0, lambda y, a, b: 1.0)
subtract = operation("-", np.subtract, lambda y, a, b: 1.0, lambda y, a, b: -1.0)
multiply = operation("*", np.multiply, lambda y, a, b: b, lambda y, a, b: a)
divide: Any = operation("/", np.divide, lambda y, a, b: divide(1.0, b), lambda y, a, b: -divide(y, b))
# A constant exponent of 0 has the slope 0 everywhere; a ** -1 would be in the way at a = 0.
power: Any = operation(
    "**",
    np.power,
    lambda y, a, b: multiply(b, power(a, b - (1 if level_of(b) else np.not_equal(b, 0)))),
    lambda y, a, b: multiply(y, log(a)),
)
sin = operation("sin", np.sin, lambda y, x: cos(x))
cos: Any = operation("cos", np.cos, lambda y, x: -sin(x))
exp = operation("exp", np.exp, lambda y, x: y)
log: Any = operation("log", np.log, lambda y, x: divide(1.0, x))
tanh = operation("tanh", np.tanh, lambda y, x: 1 - y * y)
relu = operation("relu", lambda x: np.maximum(x, 0), lambda y, x: np.where(plain(x) > 0, 1.0, 0.0))  # 0 at 0
sigmoid = operation("sigmoid", activations.sigmoid, lambda y, x: y * (1 - y))
# These two keep the axes along which they reduce. Elements that are the largest together share the gradient.
total = operation("sum", lambda x, axis: np.sum(x, axis, keepdims=True), lambda y, x, axis: 1.0)
largest = operation(
    "max",
    lambda x, axis: np.max(x, axis, keepdims=True),
    lambda y, x, axis: (is_largest := np.equal(plain(x), plain(y))) / is_largest.sum(axis, keepdims=True),
)
matmul = operation(
    "@", product, lambda g, a, b: g @ moveaxis(b, -1, -2), lambda g, a, b: moveaxis(a, -1, -2) @ g, linear=True
)
reshape: Any = operation("reshape", np.reshape, lambda g, x, shape: reshape(g, np.shape(x)), linear=True)
moveaxis: Any = operation("transpose", np.moveaxis, lambda g, x, old, new: moveaxis(g, new, old), linear=True)
take: Any = operation("[]", lambda x, at: np.asarray(x)[at], lambda g, x, at: put(g, at, np.shape(x)), linear=True)
put: Any = operation("put", put_into_zeros, lambda g, x, at, shape: take(g, at), linear=True)
