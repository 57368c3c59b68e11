"""Automatic differentiation: forward mode with dual numbers, reverse mode with a tape, and each inside the other.

The operations, each beside its derivative, are in `operations.py`.
Sources: Clifford (1873), dual numbers; Wengert (1964), "A simple automatic derivative evaluation program"; Griewank and
Walther (2008), "Evaluating Derivatives"; Siskind and Pearlmutter (2008), nesting; Baydin et al. (2018), a survey.
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.autograd import operations as ops
from workshop.scratch.autograd.operations import get_level, plain

_order = count()  # in which Variables are created
_levels = [0]  # of the derivatives that are being computed, innermost last


class Number:
    """Base of `Dual` and `Variable`: a value (float64, or a Number of a lower level), a shape, NumPy's operators."""

    __array_ufunc__ = None  # NumPy's arrays leave mixed operations to this class

    def __init__(self, value: Any, level: int) -> None:
        self.value = value if get_level(value) else ops.operation(type(self).__name__, ops.real)(value)
        self.shape: tuple[int, ...] = self.value.shape
        self.level = level or 1 + max(get_level(value), _levels[-1])

    __add__, __radd__ = ops.add, lambda b, a: ops.add(a, b)
    __sub__, __rsub__ = ops.subtract, lambda b, a: ops.subtract(a, b)
    __mul__, __rmul__ = ops.multiply, lambda b, a: ops.multiply(a, b)
    __truediv__, __rtruediv__ = ops.divide, lambda b, a: ops.divide(a, b)
    __pow__, __rpow__ = ops.power, lambda b, a: ops.power(a, b)
    __matmul__, __rmatmul__ = ops.matmul, lambda b, a: ops.matmul(a, b)
    __getitem__ = ops.take
    reshape = ops.reshape  # takes the new shape as a tuple

    def __neg__(self) -> Any:
        return ops.multiply(-1.0, self)

    def transpose(self, axes: Sequence[int]) -> Any:
        """Returns the axes in a new order."""
        return ops.moveaxis(self, axes, range(len(axes)))

    @property
    def T(self) -> Any:  # noqa: N802  NumPy calls it so
        """The axes in reverse order."""
        return self.transpose(range(len(self.shape))[::-1])

    def sum(self, axis: Any = None, keepdims: bool = False, reduce: Any = ops.total) -> Any:
        """Returns the sum along an axis, along several, or of all elements."""
        y = reduce(self, axis)
        return y if keepdims else ops.reshape(y, () if axis is None else tuple(np.delete(y.shape, axis)))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Returns the mean, along axes as in `sum`."""
        y = self.sum(axis, keepdims)
        return y / ops.divide(np.prod(self.shape), np.prod(y.shape))

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Returns the largest element, along axes as in `sum`."""
        return self.sum(axis, keepdims, ops.largest)


class Dual(Number):
    """value + tangent e with e e = 0 (Clifford): e.g. (a + t e)(b + u e) = a b + (t b + a u) e, the product rule."""

    def __init__(self, value: Any, tangent: Any, level: int = 0) -> None:
        super().__init__(value, level)
        self.tangent = tangent if get_level(tangent) else ops.operation("Dual", ops.real)(tangent)
        if self.tangent.shape != self.shape:
            raise WorkshopError(f"Dual got a value of shape {self.shape} and a tangent of shape {self.tangent.shape}")

    def result(self, y: Any, name: str, inputs: Any, top: list[int], push: Any, pull: Any) -> "Dual":
        """Returns y with its tangent: the sum of the contributions of the tangents of the inputs `top`."""
        return Dual(y, sum(push(i, inputs[i].tangent) for i in top), self.level)


class Variable(Number):
    """A number on the tape (Wengert's list), with the inputs it was computed from; `backward` sets its gradient."""

    def __init__(self, value: Any, name: str = "", level: int = 0, inputs: Any = (), pull: Any = None) -> None:
        super().__init__(value, level)
        self.name, self.inputs, self.order = name, inputs, next(_order)
        self.pull: Any = pull or (lambda g: [])  # from the gradient by this number to those by its inputs
        self.gradient: Any = np.zeros(self.shape)

    def result(self, y: Any, name: str, inputs: Any, top: list[int], push: Any, pull: Any) -> "Variable":
        """Returns y with its inputs and the function that pulls its gradient back to the inputs `top`."""
        return Variable(y, name, self.level, inputs, lambda g: [(inputs[i], pull(i, g)) for i in top])

    def tape(self) -> list["Variable"]:
        """Returns the Variables that this one was computed from, and itself, in order of creation: inputs first."""
        visited, stack = {self}, [self]
        while stack:
            new = {x for x in stack.pop().inputs if get_level(x) == self.level} - visited
            visited |= new
            stack += new
        return sorted(visited, key=lambda variable: variable.order)

    def backward(self, keep_tape: bool = False) -> None:
        """Computes x.gradient = d self / d x for all x that this number, of shape (), was computed from.

        Leaves, the Variables without inputs, add it to the gradient that they have, as in PyTorch. The tape is freed
        unless `keep_tape`.

        Raises:
            WorkshopError: this number has a shape, or the tape was freed.
        """
        tape = self.tape()
        for variable in tape:
            if variable.pull is None:
                raise WorkshopError(
                    f"backward() came to {variable.name} with the value {plain(variable)}, whose tape "
                    f"an earlier backward() has freed: compute it anew, or call backward(keep_tape=True)"
                )
        if self.shape:
            raise WorkshopError(f"backward() starts from one number, got {self.name} of shape {self.shape}: sum it up")
        for variable in tape:
            variable.gradient = np.zeros(variable.shape) if variable.inputs else variable.gradient
        self.gradient = self.gradient + 1.0
        for variable in reversed(tape):
            for x, gradient in variable.pull(variable.gradient):
                x.gradient = x.gradient + gradient
        for variable in tape:
            if variable.inputs and not keep_tape:
                variable.inputs, variable.pull = (), None


def gradient(function: Callable[..., Any], mode: type[Number] = Variable) -> Callable[..., list[Any]]:
    """Returns a function that computes the list of a function's derivatives by each of its arguments; it can be nested.

    A `Variable` computes all of them in one backward pass. A `Dual` takes a forward pass for each argument, with the
    tangent 1 for all elements of an array: the result is the sum of their derivatives, or each derivative where the
    function is elementwise.
    """

    def derivatives(*values: Any) -> list[Any]:
        level = 1 + max(_levels[-1], *map(get_level, values))
        _levels.append(level)
        try:
            if mode is Variable:
                variables = [Variable(value, f"x{i}", level) for i, value in enumerate(values, 1)]
                y = function(*variables)
                if get_level(y) == level:
                    y.backward()
                return [x.gradient for x in variables]
            ones = [[np.full(np.shape(x), float(i == j)) for j, x in enumerate(values)] for i in range(len(values))]
            runs = [function(*map(Dual, values, tangents, [level] * len(values))) for tangents in ones]
            return [y.tangent if get_level(y) == level else np.zeros(np.shape(y)) for y in runs]
        finally:
            _levels.pop()

    return derivatives
