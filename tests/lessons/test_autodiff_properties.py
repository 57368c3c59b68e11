"""The engine of the lesson `autodiff` against PyTorch and TensorFlow, on random expressions of all its operations."""

import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop.scratch.autograd import operations as engine
from workshop.scratch.autograd.autodiff import Dual, Variable, gradient
from workshop.scratch.autograd.operations import plain

ZEROS = np.zeros((2, 3))
SHAPES = {"matrix": (2, 3), "row": (3,), "column": (2, 1), "number": ()}
ELEMENTWISE = ("sin", "cos", "exp", "log", "tanh", "relu", "sigmoid")
FACTORS = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]])


class Engine:
    """How an expression is written in each library."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.library: Any = engine if name == "engine" else importlib.import_module(name)

    def variable(self, x: np.ndarray) -> Any:
        if self.name == "torch":
            return self.library.tensor(x, requires_grad=True)
        return Variable(x) if self.name == "engine" else self.library.Variable(x)

    def constant(self, x: np.ndarray) -> Any:
        return self.library.tensor(x) if self.name == "torch" else x

    def elementwise(self, name: str, x: Any) -> Any:
        if self.name == "tensorflow":
            return getattr(self.library.nn if name == "relu" else self.library.math, name)(x)
        return getattr(self.library, name)(x)

    def reduce(self, name: str, x: Any, axis: int | None, keepdims: bool = True) -> Any:
        if self.name == "tensorflow":
            return getattr(self.library, f"reduce_{name}")(x, axis, keepdims)
        if self.name == "torch" and name == "max":
            return self.library.amax(x, (0, 1) if axis is None else axis, keepdim=keepdims)
        return getattr(x, name)(axis, keepdims)

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        return self.library.reshape(x, shape)

    def transpose(self, x: Any) -> Any:
        return self.library.transpose(x) if self.name == "tensorflow" else x.T

    def columns(self, x: Any, which: list[int]) -> Any:
        return self.library.gather(x, which, axis=1) if self.name == "tensorflow" else x[:, which]

    def compute(self, expression: Any, leaves: dict[str, Any]) -> Any:
        """Returns the value of an expression, which broadcasts to (2, 3). What would grow is held in by tanh."""
        if isinstance(expression, str):
            return leaves[expression]
        name, *inputs = expression
        x, *others = [self.compute(part, leaves) for part in inputs if isinstance(part, str | tuple)]
        full = x + self.constant(ZEROS)
        if name in ("exp", "log"):
            x = self.elementwise("tanh", x) + (2 if name == "log" else 0)
        if name in ELEMENTWISE:
            return self.elementwise(name, x)
        if name in ("sum", "mean", "max"):
            return self.reduce(name, full, inputs[1][0])
        if name == "power":
            return (1.5 + self.elementwise("tanh", x)) ** (inputs[1][0] if inputs[1:] else 1.0)
        if name == "index":
            return full[1]
        if name == "columns":
            return self.columns(full, [2, 0, 0])
        if name == "reshape":
            return self.transpose(self.reshape(full, (3, 2)))
        (y,) = others
        if name == "matmul":
            return self.elementwise("tanh", full) @ self.transpose(full * 0.1 + y) @ self.constant(FACTORS)
        if name == "powers":
            return (1.5 + self.elementwise("tanh", x)) ** self.elementwise("sin", y)
        if name == "+":
            return x + y
        if name == "-":
            return x - y
        if name == "*":
            return self.elementwise("sin", x) * y
        return x / (1.5 + self.elementwise("sin", y))

    def number(self, expression: Any, leaves: dict[str, Any]) -> Any:
        weighted = self.compute(expression, leaves) * self.constant(FACTORS)
        return self.reduce("sum", weighted, None, keepdims=False)

    def gradients(self, expression: Any, values: dict[str, np.ndarray]) -> tuple[float, list[np.ndarray]]:
        leaves = {name: self.variable(x) for name, x in values.items()}
        if self.name == "tensorflow":
            with self.library.GradientTape() as tape:
                y = self.number(expression, leaves)
            gradients = tape.gradient(y, list(leaves.values()), unconnected_gradients="zero")
            return float(y), [np.asarray(self.library.convert_to_tensor(gradient)) for gradient in gradients]
        y = self.number(expression, leaves)
        if self.name == "torch":
            gradients = self.library.autograd.grad(y, list(leaves.values()), materialize_grads=True)
            return y.item(), [np.asarray(gradient) for gradient in gradients]
        y.backward()
        return float(y.value), [leaf.gradient for leaf in leaves.values()]


def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    axis = st.sampled_from([[None], [0], [1], [-1]])
    return st.one_of(
        st.tuples(st.sampled_from((*ELEMENTWISE, "index", "columns", "reshape")), inner),
        st.tuples(st.sampled_from(("+", "-", "*", "/", "powers", "matmul")), inner, inner),
        st.tuples(st.sampled_from(("sum", "mean", "max")), inner, axis),
        st.tuples(st.just("power"), inner, st.sampled_from([[-2], [0], [0.5], [1], [2], [3.0]])),
    )


EXPRESSIONS = grow(st.recursive(st.sampled_from(list(SHAPES)), grow, max_leaves=7))
SEEDS = st.integers(0, 2**31)


def draw(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape) * np.ones(shape) for name, shape in SHAPES.items()}


def closeness(expected: np.ndarray | float) -> float:
    return 1e-10 * max(1.0, float(np.max(np.abs(expected))))


@pytest.mark.parametrize("library", ["torch", "tensorflow"])
@settings(max_examples=50, deadline=None, derandomize=True)
@given(expression=EXPRESSIONS, seed=SEEDS)
def test_values_and_gradients_are_the_librarys(library: str, expression: Any, seed: int) -> None:
    pytest.importorskip(library)
    values = draw(seed)
    value, gradients = Engine("engine").gradients(expression, values)
    expected_value, expected = Engine(library).gradients(expression, values)
    assert abs(value - expected_value) <= closeness(expected_value)
    for computed, reference in zip(gradients, expected, strict=True):
        assert np.shape(computed) == reference.shape
        assert np.max(np.abs(computed - reference)) <= closeness(reference)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(expression=EXPRESSIONS, seed=SEEDS)
def test_forward_mode_is_reverse_mode_along_a_direction(expression: Any, seed: int) -> None:
    engine, values, directions = Engine("engine"), draw(seed), draw(seed + 1)
    _, gradients = engine.gradients(expression, values)
    y = engine.number(expression, {name: Dual(x, directions[name]) for name, x in values.items()})
    along = sum(np.sum(g * t) for g, t in zip(gradients, directions.values(), strict=True))
    assert abs(y.tangent - along) <= closeness(max(float(np.max(np.abs(g))) for g in gradients))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(expression=EXPRESSIONS, seed=SEEDS)
def test_second_derivatives_are_the_same_in_all_four_nestings_and_in_pytorch(expression: Any, seed: int) -> None:
    """The second derivative along one direction, t' H t: a number that needs the whole Hessian matrix."""
    pytest.importorskip("torch")
    engine, torch = Engine("engine"), Engine("torch")
    values, directions = draw(seed), draw(seed + 1)

    def along(e: Any, s: Any) -> Any:
        moved = {name: e.constant(x) + s * e.constant(directions[name]) for name, x in values.items()}
        return e.number(expression, moved)

    s = torch.library.tensor(0.0, dtype=torch.library.float64, requires_grad=True)
    (first,) = torch.library.autograd.grad(along(torch, s), s, create_graph=True)
    second = 0.0
    if first.requires_grad:
        (second,) = torch.library.autograd.grad(first, s, materialize_grads=True)
    for inner in (Dual, Variable):
        for outer in (Dual, Variable):
            nested = gradient(lambda s, inner=inner: gradient(lambda s: along(engine, s), inner)(s)[0], outer)
            assert abs(float(plain(nested(0.0)[0])) - float(second)) <= 10 * closeness(float(second))
