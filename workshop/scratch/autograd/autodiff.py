"""Automatic differentiation: forward mode with dual numbers, reverse mode with a tape, and each inside the other.

The operations, each beside its derivative, are in `operations.py`.
Sources: Clifford (1873), dual numbers; Wengert (1964), "A simple automatic derivative evaluation program"; Griewank and
Walther (2008), "Evaluating Derivatives"; Siskind and Pearlmutter (2008), nesting; Baydin et al. (2018), a survey.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.autograd import operations as ops
from workshop.scratch.autograd.operations import level_of, plain

_order = count()  # in which Variables are made
_levels = [0]  # of the derivatives that are being computed now


class Number:
    """What `Dual` and `Variable` share: a value (float64, or a Number of a lower level), a shape, NumPy's operators."""

    __array_ufunc__ = None  # NumPy's arrays leave mixed operations to these

    def __init__(self, value: Any, level: int) -> None:
        self.value = value if level_of(value) else ops.operation(type(self).__name__, ops.real)(value)
        self.shape: tuple[int, ...] = self.value.shape
        self.level = level or 1 + max(level_of(value), _levels[-1])

    __add__, __radd__ = ops.add, lambda b, a: ops.add(a, b)
    __sub__, __rsub__ = ops.subtract, lambda b, a: ops.subtract(a, b)
    __mul__, __rmul__ = ops.multiply, lambda b, a: ops.multiply(a, b)
    __truediv__, __rtruediv__ = ops.divide, lambda b, a: ops.divide(a, b)
    __pow__, __rpow__ = ops.power, lambda b, a: ops.power(a, b)
    __matmul__, __rmatmul__ = ops.matmul, lambda b, a: ops.matmul(a, b)
    __neg__, __getitem__ = lambda a: ops.multiply(-1.0, a), ops.take
    # Both take a tuple: the new shape, or the axes in their new order. T turns the axes round.
    reshape, transpose = ops.reshape, lambda a, axes: ops.moveaxis(a, axes, range(len(axes)))
    T = property(lambda a: a.transpose(range(len(a.shape))[::-1]))

    def sum(self, axis: Any = None, keepdims: bool = False, reduce: Any = ops.total) -> Any:
        """Returns the sum along an axis, along several, or of everything."""
        y = reduce(self, axis)
        return y if keepdims else ops.reshape(y, () if axis is None else tuple(np.delete(y.shape, axis)))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Returns the mean, along the same."""
        y = self.sum(axis, keepdims)
        return y / ops.divide(np.prod(self.shape), np.prod(y.shape))

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Returns the largest element, along the same."""
        return self.sum(axis, keepdims, ops.largest)


class Dual(Number):
    """value + tangent e with e e = 0 (Clifford): e.g. (a + t e)(b + u e) = a b + (t b + a u) e, the product rule."""

    def __init__(self, value: Any, tangent: Any, level: int = 0) -> None:
        super().__init__(value, level)
        self.tangent = tangent if level_of(tangent) else ops.operation("Dual", ops.real)(tangent)
        if self.tangent.shape != self.shape:
            raise WorkshopError(f"Dual got a value of shape {self.shape} and a tangent of shape {self.tangent.shape}")

    def result(self, y: Any, name: str, inputs: Any, top: list[int], push: Any, pull: Any) -> "Dual":
        """Returns y with its tangent: the sum of what the tangents of the inputs at these places push into it."""
        return Dual(y, sum(push(i, inputs[i].tangent) for i in top), self.level)


class Variable(Number):
    """A number on the tape (Wengert's list): it knows what it was made of, and gets its gradient from `backward`."""

    def __init__(self, value: Any, name: str = "", level: int = 0, inputs: Any = (), pull: Any = None) -> None:
        super().__init__(value, level)
        self.name, self.inputs, self.order = name, inputs, next(_order)
        self.pull: Any = pull or (lambda g: [])  # from the gradient by this number to those by its inputs
        self.gradient: Any = np.zeros(self.shape)

    def result(self, y: Any, name: str, inputs: Any, top: list[int], push: Any, pull: Any) -> "Variable":
        """Returns y, which remembers its inputs, and how to pull its gradient back to those at these places."""
        return Variable(y, name, self.level, inputs, lambda g: [(inputs[i], pull(i, g)) for i in top])

    def tape(self) -> list["Variable"]:
        """Returns all that this number was made of, and itself, in the order of making: each after its inputs."""
        found, new = {self}, [self]
        while new:
            more = {one for one in new.pop().inputs if level_of(one) == self.level} - found
            found |= more
            new += more
        return sorted(found, key=lambda one: one.order)

    def backward(self, keep_tape: bool = False) -> None:
        """Computes d self / d x as x.gradient of all that this number, of shape (), was made of.

        Variables of your own add it to the gradient they have, as in PyTorch. Then the tape is gone, unless kept.
        """
        tape = self.tape()
        for one in tape:
            if one.pull is None:
                raise WorkshopError(
                    f"backward() came to {one.name} with the value {plain(one)}, whose tape an earlier backward() "
                    f"has used up: compute it anew, or call backward(keep_tape=True)"
                )
        if self.shape:
            raise WorkshopError(f"backward() starts from one number, got {self.name} of shape {self.shape}: sum it up")
        for one in tape:
            one.gradient = np.zeros(one.shape) if one.inputs else one.gradient
        self.gradient = self.gradient + 1.0
        for one in reversed(tape):
            for x, gradient in one.pull(one.gradient):
                x.gradient = x.gradient + gradient
        for one in tape:
            if one.inputs and not keep_tape:
                one.inputs, one.pull = (), None


def gradient(function: Callable[..., Any], mode: type[Number] = Variable) -> Callable[..., list[Any]]:
    """Returns the function that gives a function's derivatives by each of its arguments, in a list; it can be nested.

    A `Variable` finds all of them on one way back. A `Dual` takes a run for each argument; an array's elements are
    moved all at once, so that their derivatives come added up, or one by one where the function is elementwise.
    """

    def derivatives(*values: Any) -> list[Any]:
        level = 1 + max(_levels[-1], *map(level_of, values))
        _levels.append(level)
        try:
            if mode is Variable:
                variables = [Variable(value, f"x{i}", level) for i, value in enumerate(values, 1)]
                y = function(*variables)
                if level_of(y) == level:
                    y.backward()
                return [x.gradient for x in variables]
            ones = [[np.full(np.shape(x), float(i == j)) for j, x in enumerate(values)] for i in range(len(values))]
            runs = [function(*map(Dual, values, tangents, [level] * len(values))) for tangents in ones]
            return [y.tangent if level_of(y) == level else np.zeros(np.shape(y)) for y in runs]
        finally:
            _levels.pop()

    return derivatives
