"""The operations that can be differentiated, each beside its derivative, which is made of the same operations.

So a derivative can be differentiated again. A number is wrapped (in `autodiff.Dual` or `autodiff.Variable`) once for
each derivative that it takes part in, its `level`; an operation removes the outermost, the innermost derivative's.
Errors of NumPy, overflow and division by zero included, become a `WorkshopError` with the operation and its inputs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.nn import activations


def get_level(x: Any) -> int:
    """Returns the number of derivatives that x takes part in; 0 for plain numbers."""
    return int(getattr(x, "level", 0))


def plain(x: Any) -> Any:
    """Returns the number inside all wrappings."""
    return plain(x.value) if get_level(x) else x


def operation(name: str, value: Callable[..., Any], *rules: Callable[..., Any], linear: bool = False) -> Any:
    """Returns an operation y = value(*x) on numbers, arrays, `Dual`s and `Variable`s. Each x_i has its rule: dy/dx_i.

    The rule computes it from (y, *x), element by element. Where y is `linear` in each input, the rule computes the
    gradient by x_i from (g, *x), g being the gradient by y.
    """

    def apply(*inputs: Any) -> Any:
        level = max(map(get_level, inputs))
        top = [i for i, x_i in enumerate(inputs) if get_level(x_i) == level > 0]
        x = [x_i.value if i in top else x_i for i, x_i in enumerate(inputs)]
        try:
            if len({type(inputs[i]) for i in top}) > 1:
                raise TypeError("a Dual and a Variable of one level do not mix: put one inside the other")
            with np.errstate(divide="raise", over="raise", invalid="raise"):
                y = apply(*x) if top else value(*x)
        except (ArithmeticError, ValueError, IndexError, TypeError) as error:
            raise WorkshopError(f"{name} got {' and '.join(f'{plain(x_i)}'[:60] for x_i in x)}: {error}") from error
        if not top:
            return y

        # Forward: the part of y's tangent due to a tangent t of x_i. Backward: the gradient by x_i, from g by y.
        def push(i: int, t: Any) -> Any:
            return apply(*x[:i], t, *x[i + 1 :]) if linear else fit(multiply(t, rules[i](y, *x)), np.shape(y))

        def pull(i: int, g: Any) -> Any:
            return fit(rules[i](g, *x) if linear else multiply(g, rules[i](y, *x)), np.shape(x[i]))

        return inputs[top[0]].result(y, name, inputs, top, push, pull)

    return apply


def fit(x: Any, shape: tuple[int, ...]) -> Any:
    """Returns x in this shape: broadcast along axes that it lacks, summed along the extra ones."""
    if np.shape(x) == shape:
        return x
    x = multiply(x, np.ones(shape))
    padded = (1,) * (len(x.shape) - len(shape)) + shape
    return reshape(total(x, tuple(i for i, n in enumerate(padded) if n == 1)), shape)


def put_into_zeros(x: Any, index: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Returns zeros of this shape with x added at the index."""
    zeros = np.zeros(shape)
    np.add.at(zeros, index, x)
    return zeros


def share_of_largest(x: np.ndarray, y: np.ndarray, axis: Any) -> np.ndarray:
    """Returns 1 / n for the n elements along the axis that equal the largest one, y; else 0."""
    is_largest = np.equal(x, y)
    return is_largest / is_largest.sum(axis, keepdims=True)


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
# A constant exponent of 0 has the slope 0 everywhere; a ** -1 would fail at a = 0.
power: Any = operation(
    "**",
    np.power,
    lambda y, a, b: multiply(b, power(a, b - (1 if get_level(b) else np.not_equal(b, 0)))),
    lambda y, a, b: multiply(y, log(a)),
)
sin = operation("sin", np.sin, lambda y, x: cos(x))
cos: Any = operation("cos", np.cos, lambda y, x: -sin(x))
exp = operation("exp", np.exp, lambda y, x: y)
log: Any = operation("log", np.log, lambda y, x: divide(1.0, x))
tanh = operation("tanh", np.tanh, lambda y, x: 1 - y * y)
relu = operation("relu", lambda x: np.maximum(x, 0), lambda y, x: np.where(plain(x) > 0, 1.0, 0.0))  # 0 at 0
sigmoid = operation("sigmoid", activations.sigmoid, lambda y, x: y * (1 - y))
# These two keep the axes along which they reduce. Several largest elements share the gradient.
total = operation("sum", lambda x, axis: np.sum(x, axis, keepdims=True), lambda y, x, axis: 1.0)
largest = operation(
    "max",
    lambda x, axis: np.max(x, axis, keepdims=True),
    lambda y, x, axis: share_of_largest(plain(x), plain(y), axis),
)
matmul = operation(
    "@", product, lambda g, a, b: g @ moveaxis(b, -1, -2), lambda g, a, b: moveaxis(a, -1, -2) @ g, linear=True
)
reshape: Any = operation("reshape", np.reshape, lambda g, x, shape: reshape(g, np.shape(x)), linear=True)
moveaxis: Any = operation("transpose", np.moveaxis, lambda g, x, old, new: moveaxis(g, new, old), linear=True)
take: Any = operation("[]", lambda x, at: np.asarray(x)[at], lambda g, x, at: put(g, at, np.shape(x)), linear=True)
put: Any = operation("put", put_into_zeros, lambda g, x, at, shape: take(g, at), linear=True)
