"""The lesson `autodiff` and its engine: traces, nested derivatives, the two networks, and what is refused."""

import importlib.util
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from helpers.lesson_runs import Run, assert_claims, start

from workshop import autodiff
from workshop.figures import autodiff as figures
from workshop.kit.errors import WorkshopError
from workshop.scratch.autograd.autodiff import Dual, Number, Variable, gradient
from workshop.scratch.autograd.operations import exp, log, plain, relu, sigmoid, sin, tanh

MODES: tuple[type[Number], ...] = (Dual, Variable)
LIBRARIES = [name for name in ("torch", "tensorflow") if importlib.util.find_spec(name)]


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it."""
    return start(autodiff, tmp_path_factory.mktemp("autodiff"))


def slope(function: Callable[[Any], Any], mode: type[Number]) -> Callable[[Any], Any]:
    return lambda x: gradient(function, mode)(x)[0]


# --- The engine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "modes", list(product(MODES, repeat=3)), ids=lambda modes: "-".join(mode.__name__ for mode in modes)
)
def test_third_derivatives_in_every_nesting(modes: tuple[type[Number], ...]) -> None:
    derivative: Callable[[Any], Any] = lambda x: exp(2.0 * x) * sin(x) + x**3 / 6  # noqa: E731
    x, found = 0.7, []
    for mode in modes:
        derivative = slope(derivative, mode)
        found.append(float(plain(derivative(x))))
    # (2 + i)^n e^(2x + ix): its imaginary part is the n-th derivative of e^(2x) sin x.
    wave = np.exp((2 + 1j) * x)
    expected = [((2 + 1j) ** n * wave).imag + part for n, part in ((1, x * x / 2), (2, x), (3, 1.0))]
    assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("inner", "outer"), list(product(MODES, repeat=2)))
def test_nested_derivatives_do_not_mix_their_variables(inner: type[Number], outer: type[Number]) -> None:
    # d/dx [x d/dy (x + y)] = 1. Who mixes the two derivatives up says 2.
    assert slope(lambda x: x * slope(lambda y: x + y, inner)(1.0), outer)(1.0) == 1
    assert slope(lambda x: slope(lambda y: x * x * y, inner)(3.0), outer)(5.0) == 10
    assert slope(lambda x: slope(lambda y: x * 2.0, inner)(3.0) + 0.0, outer)(5.0) == 0


def test_numbers_of_ones_own_are_nested_in_one_another_and_within_a_derivative() -> None:
    def squared(x: Any) -> Any:
        """x times the derivative of 2 x y by a number y of its own."""
        y = Variable(5.0)
        (2 * x * y).backward()
        return x * y.gradient

    x = Variable(3.0)
    outer = Variable(x)
    (outer * outer * outer).backward()
    outer.gradient.backward()
    assert float(plain(x.gradient)) == 18  # 6 x
    x = Variable(3.0)
    dual = Dual(x, 1.0)
    (dual * dual * dual).tangent.backward()
    assert float(plain(x.gradient)) == 18
    for mode in (Dual, Variable):
        assert [float(plain(one)) for one in gradient(squared, mode)(3.0)] == [12]  # (2 x^2)'
        assert [float(plain(one)) for one in gradient(lambda x: (x * Dual(5.0, 1.0)).tangent, mode)(3.0)] == [1]


def test_powers_at_zero() -> None:
    """0 ** -1 is met on the way, and multiplied by 0."""
    for mode in MODES:
        derivative: Callable[[Any], Any] = lambda x: x**2 + 3 * x  # noqa: E731
        for expected in (3.0, 2.0, 0.0, 0.0):
            derivative = slope(derivative, mode)
            assert float(plain(derivative(0.0))) == expected


def test_a_chain_of_10000_operations() -> None:
    x = y = Variable(1.0)
    for _ in range(5000):
        y = y * 1.0001 + 0.0
    y.backward()
    assert x.gradient == pytest.approx(1.0001**5000, rel=1e-10)
    assert len(y.tape()) == 1  # the rest is gone
    z = Dual(1.0, 1.0)
    for _ in range(5000):
        z = z * 1.0001 + 0.0
    assert z.tangent == pytest.approx(x.gradient, rel=1e-10)


def test_a_number_used_twice_collects_both_gradients() -> None:
    x = Variable(3.0)
    y = x * x
    z = y + y * x
    z.backward()
    assert x.gradient == 2 * 3 + 3 * 9
    assert y.gradient == 1 + 3


def test_gradients_of_ones_own_variables_add_up_over_backward_calls() -> None:
    x = Variable(2.0)
    y = x**2
    y.backward(keep_tape=True)
    y.backward()
    assert x.gradient == 8
    assert y.gradient == 1
    (x * 5.0).backward()
    assert x.gradient == 13


def test_broadcast_gradients_have_the_shape_of_their_inputs() -> None:
    matrix, row, column, number = (Variable(np.ones(shape)) for shape in ((2, 3), (3,), (2, 1), ()))
    ((matrix * 2.0 + row) * column - number).sum().backward()
    for one, expected in ((matrix, 2.0), (row, 2.0), (column, 9.0), (number, -6.0)):
        assert one.gradient.tolist() == np.full(one.shape, expected).tolist()


def test_equal_maxima_share_and_relu_is_flat_at_zero() -> None:
    x = Variable([1.0, 5.0, 5.0, 0.0])
    (x.max() + relu(x).sum()).backward()
    assert x.gradient.tolist() == [1, 1.5, 1.5, 0]


def test_axes_are_moved_back() -> None:
    x = Variable(np.arange(24.0).reshape(2, 3, 4))
    weights = np.random.default_rng(0).normal(size=(4, 2, 3))
    (x.transpose((2, 0, 1)) * weights).sum().backward()
    assert (x.gradient == weights.transpose(1, 2, 0)).all()
    assert x.T.shape == (4, 3, 2)
    assert x.transpose((-1, 0, 1)).shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: Variable(3), r"Variable got 3: takes finite floating-point numbers \(3.0, not 3\)"),
        (lambda: gradient(sin)(3), "Variable got 3: takes"),
        (lambda: Dual(3, 1.0), "Dual got 3: takes"),
        (lambda: Variable([1, 2]), r"Variable got \[1, 2\]: takes"),
        (lambda: Variable(float("nan")), "Variable got nan: takes finite"),
        (lambda: Variable("a"), "Variable got a: takes"),
        (lambda: Dual(1.0, np.ones(2)), r"a value of shape \(\) and a tangent of shape \(2,\)"),
        (lambda: log(Variable(-1.0)), "log got -1.0: invalid value"),
        (lambda: log(Dual(-1.0, 1.0)), "log got -1.0: invalid value"),
        (lambda: Variable(1.0) / 0, "/ got 1.0 and 0: divide by zero"),
        (lambda: exp(Variable(1000.0)), "exp got 1000.0: overflow"),
        (lambda: slope(lambda x: x**0.5, Variable)(0.0), r"\*\* got 0.0 and -0.5: divide by zero"),
        (lambda: Variable(np.ones(2)) + np.zeros(3), r"\+ got \[1. 1.\] and \[0. 0. 0.\]: .*\(2,\) \(3,\)"),
        (
            lambda: Variable(np.ones((2, 3))) @ np.ones((2, 3)),
            r"@ got .*takes matrices .* shapes are \(2, 3\), \(2, 3\)",
        ),
        (lambda: np.ones((2, 3)) @ Variable(np.ones(3)), r"@ got .*a vector as one of them; .* \(2, 3\), \(3,\)"),
        (lambda: Variable(np.ones(3))[3], r"\[\] got \[1. 1. 1.\] and 3: index 3 is out of bounds"),
        (lambda: Variable(np.ones(3)).sum(1), "sum got .* axis 1 is out of bounds"),
        (lambda: Variable(np.ones((0, 3))).mean(), "/ got 0.0 and 0.0: invalid value"),
        (lambda: Variable(np.ones(4)).reshape((3,)), r"reshape got .* and \(3,\): cannot reshape"),
        (lambda: Variable(1.0) * "a", r"\* got 1.0 and a: "),
        (lambda: Variable(1.0) * 1j, "got 1j: takes finite floating-point numbers"),
        (lambda: Variable(1.0) * Dual(1.0, 1.0), "a Dual and a Variable of one level do not mix"),
        (lambda: tanh(Variable(np.ones(3))).backward(), r"starts from one number, got tanh of shape \(3,\)"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_one_line(compute: Callable[[], Any], message: str) -> None:
    with pytest.raises(WorkshopError, match=message) as refused:
        compute()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_used_up_tape_is_refused_by_name() -> None:
    x = Variable(0.0)
    y = sigmoid(x)
    z = y * 3.0
    z.backward()
    for late in (z, y + 1.0):
        with pytest.raises(
            WorkshopError, match=r"backward\(\) came to (\*|sigmoid) with the value (1.5|0.5), whose tape"
        ):
            late.backward()
    assert x.gradient == 0.75  # a refused call changes nothing


# --- The lesson -------------------------------------------------------------------------------------------------------


def test_the_run_reaches_the_results_of_the_curriculum(default_run: Run) -> None:
    metrics = default_run.metrics
    errors = {f"{name}_test_max_error" for name in ("tape", "network", *LIBRARIES)}
    assert set(metrics) == errors | {"xor_train_accuracy", "xor_train_mean_squared_error"}
    assert min(metrics[name] for name in errors) >= 0
    assert_claims(metrics, "autodiff")
    assert "As expected for this lesson." in default_run.output
    assert {path.name for path in default_run.plots.iterdir()} == {"autodiff-graph.png", "autodiff-loss.png"}


def test_the_traces_can_be_followed_with_pencil_and_paper(default_run: Run) -> None:
    forward = (
        "v3 = v1 v2 6.000000 t3 = t1 v2 + v1 t2 3.000000 2.000000",
        "v5 = v3 + v4 6.909297 t5 = t3 + t4 2.583853 2.000000",
    )
    reverse = "v4 = sin v1 0.909297 g4 = g5 1.000000", "v1 = x1 2.000000 g1 = g3 v2 + g4 cos v1 2.583853"
    for row in (*forward, *reverse):
        assert row.split() in default_run.rows
    steps = [row[0] for row in default_run.table("step", "value", "gradient g = dz/dv")]
    assert steps == ["v5 = v3 + v4", "v4 = sin v1", "v3 = v1 v2", "v2 = x2", "v1 = x1"]  # the last one first


@pytest.mark.parametrize(("x1", "x2"), [(2.0, 3.0), (-1.3, 0.4), (0.0, 0.0)])
def test_the_derivatives_are_those_of_the_formulas(x1: float, x2: float) -> None:
    expected = [x2 + np.cos(x1), x1, -np.sin(x1), 1, -np.cos(x1)]
    for mode in MODES:
        by = partial(gradient, mode=mode)
        assert list(map(float, autodiff.derivatives(by, sin, x1, x2))) == pytest.approx(expected, abs=1e-12)


def test_the_network_computes_the_published_numbers(default_run: Run) -> None:
    hidden, output = autodiff.network_outputs(*autodiff.WEIGHTS)
    assert hidden.ravel() == pytest.approx([0.593269992, 0.596884378], abs=1e-8)
    assert output.ravel() == pytest.approx([0.75136507, 0.772928465], abs=1e-8)
    assert autodiff.network_error(*autodiff.WEIGHTS) == pytest.approx(0.298371109, abs=1e-8)
    first, second = gradient(autodiff.network_error)(*autodiff.WEIGHTS)
    assert second[0, 0] == pytest.approx(0.082167041, abs=1e-8)
    stepped = [W - 0.5 * dW for W, dW in zip(autodiff.WEIGHTS, (first, second), strict=True)]
    published = [[0.149780716, 0.19956143, 0.24975114, 0.29950229], [0.35891648, 0.408666186, 0.511301270, 0.561370121]]
    for weights, expected in zip(stepped, published, strict=True):
        assert weights.T.ravel() == pytest.approx(expected, abs=1e-8)
    assert ["w8", "0.55", "-0.022740242", "0.561370121", "0.561370121"] in default_run.rows


def test_xor_is_solved(default_run: Run) -> None:
    table = default_run.table("x1", "x2", "output", "XOR")
    assert [[row[0], row[1], row[3]] for row in table] == [list("000"), list("011"), list("101"), list("110")]


def test_the_graph_shows_operations_values_and_gradients() -> None:
    variables = autodiff.reverse_trace(2.0, 3.0)
    nodes = [(variable.name, variable.value, variable.gradient) for variable in variables]
    axes = figures.graph(nodes, autodiff.tape_edges(variables)).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert "v1: x1\nvalue 2\ngradient 2.58385" in texts
    assert "v4: sin\nvalue 0.909297\ngradient 1" in texts
    assert {"3", "2", "-0.416147"} < set(texts)  # what flows back along the edges
    assert texts.count("") == 5  # the arrows
    edges = {(source, target) for source, target, _ in autodiff.tape_edges(variables)}
    assert edges == {(0, 2), (0, 3), (1, 2), (2, 4), (3, 4)}


@pytest.mark.usefixtures("comparable")
def test_without_the_libraries_their_columns_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(autodiff, "find_spec", lambda name: None)
    metrics = autodiff.main(["--quick", "--no-plots", "--at", "-1.5", "1e3"])
    output = capsys.readouterr().out
    assert "PyTorch is not installed: its column is left out." in output
    assert "TensorFlow is not installed: its column is left out." in output
    assert metrics["tape_test_max_error"] <= 1e-10
    assert "torch_test_max_error" not in metrics
    assert "z = x1 x2 + sin x1 at (-1.5, 1000)" in output
    assert "No expected band: --at given." in output


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--at", "1", "x"], "got x, takes a number"), (["--at", "1"], "--at: expected 2"), (["--data", "x"], "--data")],
)
def test_wrong_options_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        autodiff.main(options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
