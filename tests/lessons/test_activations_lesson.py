"""The lesson `activations`: values and derivatives in three engines, kinks, softmax, large numbers."""

import importlib.util

import numpy as np
import pytest
from helpers.lesson_runs import Run, claims, start

from workshop import activations
from workshop.activations import FUNCTIONS, LOGITS, SOFTMAX, derivative, value
from workshop.scratch.nn.activations import ACTIVATIONS, sigmoid

BANDS = claims("activations")
LIBRARIES = {"keras": activations.by_keras, "torch": activations.by_torch}
NAMES = (
    "identity",
    "binary threshold",
    "hardlims",
    "satlin",
    "sigmoid (logsig)",
    "tanh (tansig)",
    "radbas",
    "ReLU",
    "ReLU6",
    "leaky ReLU",
)
SMOOTH = np.array([-7.3, -2.0, -0.5, 0.3, 0.7, 1.4, 5.5, 7.1])  # no kink among them


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The lesson as a student runs it, with its defaults."""
    return start(activations, tmp_path_factory.mktemp("activations"))


# --- Values and derivatives -------------------------------------------------------------------------------------------


def test_all_functions_of_the_curriculum_are_there() -> None:
    assert tuple(FUNCTIONS) == NAMES


@pytest.mark.parametrize(
    ("name", "z", "a", "slope"),
    [
        ("identity", -2, -2, 1),
        ("binary threshold", -0.1, 0, 0),
        ("binary threshold", 0, 1, 0),
        ("hardlims", -0.1, -1, 0),
        ("hardlims", 0, 1, 0),
        ("satlin", -1, 0, 0),
        ("satlin", 0.4, 0.4, 1),
        ("satlin", 3, 1, 0),
        ("sigmoid (logsig)", 0, 0.5, 0.25),
        ("sigmoid (logsig)", 1, 0.73105858, 0.19661193),
        ("tanh (tansig)", 0, 0, 1),
        ("tanh (tansig)", 1, 0.76159416, 0.41997434),
        ("radbas", 0, 1, 0),
        ("radbas", 1, 0.36787944, -0.73575888),
        ("ReLU", -3, 0, 0),
        ("ReLU", 3, 3, 1),
        ("ReLU6", 3, 3, 1),
        ("ReLU6", 9, 6, 0),
        ("leaky ReLU", -3, -0.6, 0.2),
        ("leaky ReLU", 3, 3, 1),
    ],
)
def test_values_and_slopes_by_hand(name: str, z: float, a: float, slope: float) -> None:
    there = np.array([float(z)])
    assert value(FUNCTIONS[name], there) == pytest.approx([a], abs=1e-8)
    assert derivative(FUNCTIONS[name], there) == pytest.approx([slope], abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_is_the_slope_between_near_points(name: str) -> None:
    slope = activations.finite_difference(FUNCTIONS[name], SMOOTH)
    assert derivative(FUNCTIONS[name], SMOOTH) == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_libraries_compute_the_same(name: str, library: str, dtype: type) -> None:
    z: np.ndarray = SMOOTH.astype(dtype)
    a, slope = LIBRARIES[library](getattr(FUNCTIONS[name], library), z)
    assert a.dtype == slope.dtype == dtype
    assert a == pytest.approx(value(FUNCTIONS[name], z), abs=1e-6)
    assert slope == pytest.approx(derivative(FUNCTIONS[name], z), abs=1e-6)


def test_the_sigmoids_slope_peaks_at_a_quarter(default_run: Run) -> None:
    z = np.linspace(-8, 8, 1601)
    slope = derivative(FUNCTIONS["sigmoid (logsig)"], z)
    assert slope.max() == pytest.approx(0.25, abs=1e-12)
    assert z[slope.argmax()] == pytest.approx(0, abs=1e-9)
    assert ["sigmoid", "(logsig)", "0.2500", "9.5e-07"] in default_run.rows


# --- Kinks ------------------------------------------------------------------------------------------------------------


def test_the_slopes_at_a_kink_are_printed(default_run: Run) -> None:
    table = default_run.table("slope at the kink", "z", "left of it", "right of it", "numpy", "keras", "torch")
    at_kink = {(name, z): [float(slope) for slope in slopes] for name, z, *slopes in table}
    kinks = {(name, f"{z:g}") for name, function in FUNCTIONS.items() for z in function.kinks}
    assert kinks == {key for key in at_kink if " as " not in key[0]}
    assert at_kink["ReLU", "0"] == [0, 1, 0, 0, 0]
    assert at_kink["ReLU6", "0"] == [0, 1, 0, 0, 0]
    assert at_kink["ReLU6", "6"] == [1, 0, 0, 0, 0]
    assert at_kink["leaky ReLU", "0"] == [0.2, 1, 0.2, 0.2, 0.2]
    assert at_kink["satlin", "0"] == [0, 1, 0, 1, 1]
    # The same function, written otherwise, has another slope at 0.
    assert at_kink["ReLU as maximum(z, 0)", "0"] == [0, 1, 0, 1, 0.5]
    assert at_kink["ReLU as z cut off below 0", "0"] == [0, 1, 0, 1, 1]


def test_each_librarys_own_slope_of_leaky_relu_is_printed(default_run: Run) -> None:
    table = default_run.table("leaky ReLU", "default slope left of 0")
    slopes = {"NumPy's leaky_relu": "0.2", "keras.activations.leaky_relu": "0.2"}
    assert dict(table) == slopes | {"keras.layers.LeakyReLU": "0.3", "torch.nn.LeakyReLU": "0.01"}


# --- Softmax ----------------------------------------------------------------------------------------------------------


def test_softmax_of_the_curriculum() -> None:
    assert LOGITS.tolist() == [1, 3, 4, 2]
    assert value(SOFTMAX, LOGITS).round(2).tolist() == [0.03, 0.24, 0.64, 0.09]
    for library, differentiate in LIBRARIES.items():
        a, _ = differentiate(getattr(SOFTMAX, library), LOGITS)
        assert a == pytest.approx(value(SOFTMAX, LOGITS), abs=1e-12)


def test_softmax_is_printed_with_its_exponentials(default_run: Run) -> None:
    assert default_run.table("z", "e^z") == [
        ["z1", "1", "2.7183", "0.0321", "0.03"],
        ["z2", "3", "20.0855", "0.2369", "0.24"],
        ["z3", "4", "54.5982", "0.6439", "0.64"],
        ["z4", "2", "7.3891", "0.0871", "0.09"],
        ["sum", "84.7910", "1"],
    ]


def test_softmax_is_printed_beside_three_sigmoids(default_run: Run) -> None:
    table = default_run.table("z of three classes", "softmax", "three sigmoids")
    assert table == [
        ["2.33", "0.83827", "0.91"],
        ["-1.46", "0.01894", "0.19"],
        ["0.56", "0.14279", "0.64"],
        ["sum", "1.00", "1.74"],
    ]
    for library, differentiate in LIBRARIES.items():
        a, _ = differentiate(getattr(SOFTMAX, library), activations.THREE_CLASSES)
        assert a == pytest.approx([0.83827, 0.01894, 0.14279], abs=5e-6)


def test_softmax_on_one_output_is_always_one_and_gives_no_gradient(default_run: Run) -> None:
    table = default_run.table("z of the single output", "softmax")
    assert table == [["-100", "1"], ["-1", "1"], ["0", "1"], ["7", "1"]]
    with pytest.warns(UserWarning, match="always return the value 1"):  # Keras says so itself
        a, slope = activations.by_keras(SOFTMAX.keras, activations.ONE_OUTPUT)
    assert (a == 1).all() and (slope == 0).all()
    a, slope = activations.by_torch(SOFTMAX.torch, activations.ONE_OUTPUT)
    assert (a == 1).all() and (slope == 0).all()


def test_the_jacobian_is_what_the_engine_multiplies_with() -> None:
    a = value(SOFTMAX, LOGITS)
    matrix = activations.jacobian(a)
    assert matrix.sum(axis=0) == pytest.approx(np.zeros(4), abs=1e-15)
    for i, row in enumerate(np.eye(4)):
        assert ACTIVATIONS["softmax"].backward(row, a, LOGITS) == pytest.approx(matrix[i], abs=1e-15)


# --- Large numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_stable_sigmoid_takes_any_number(dtype: type) -> None:
    z: np.ndarray = np.array([-1e6, -1000, -88, -1, 0, 1, 88, 1000, 1e6], dtype)
    a = activations.stable_sigmoid(z)  # an overflow would be a warning, which is an error here
    assert a.dtype == dtype
    assert a == pytest.approx(sigmoid(z), abs=1e-7)
    assert a[[0, 1, 4, 7, 8]].tolist() == [0, 0, 0.5, 1, 1]


def test_the_naive_formulas_fail_and_the_shifted_do_not(default_run: Run) -> None:
    first = default_run.rows.index(["Large", "numbers"])
    rows = default_run.rows[first : default_run.rows.index(["Result"])]
    naive = {row[0]: row[1:] for row in rows if len(row) == 5}
    assert naive["89"][0] == naive["1000"][0] == "nan"
    assert naive["88"][0] == "1"
    assert naive["-100"][2] == "nan"
    shifted = [row for row in rows if row[-4:] == ["0.03", "0.24", "0.64", "0.09"]]
    assert len(shifted) == 5
    assert ["nan"] * 4 in [row[4:8] for row in shifted]


# --- The run ----------------------------------------------------------------------------------------------------------


def test_a_default_run_is_in_the_bands(default_run: Run) -> None:
    assert set(default_run.metrics) == set(BANDS)
    assert len(BANDS) == 10
    for name, error in default_run.metrics.items():
        assert 0 <= error <= BANDS[name][1] <= 1e-6, name
    assert "As expected for this lesson." in default_run.output


def test_a_wrong_derivative_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = FUNCTIONS["ReLU"]._replace(keras=FUNCTIONS["leaky ReLU"].keras)
    monkeypatch.setitem(activations.FUNCTIONS, "ReLU", wrong)
    metrics = activations.main(["--no-plots"])
    assert metrics["keras_value_test_max_error"] > 1
    assert metrics["keras_derivative_test_max_error"] == pytest.approx(0.2)
    assert "Not as expected: keras_value_test_max_error" in capsys.readouterr().out


def test_the_plots_show_every_function_and_the_jacobian(default_run: Run) -> None:
    names = {path.name for path in default_run.plots.iterdir()}
    assert names == {f"activations-{name}.png" for name in ("functions", "softmax", "limits")}
    panels = activations.draw_functions().axes
    assert [panel.get_title() for panel in panels] == list(NAMES)
    sigmoid_panel = panels[NAMES.index("sigmoid (logsig)")]
    assert [text.get_text() for text in sigmoid_panel.texts] == ["0.25"]
    bars, heat, _ = activations.draw_softmax().axes
    assert [text.get_text() for text in bars.texts] == ["0.03", "0.24", "0.64", "0.09"]
    drawn = np.array([float(text.get_text()) for text in heat.texts]).reshape(4, 4)
    assert drawn == pytest.approx(activations.jacobian(value(SOFTMAX, LOGITS)), abs=5e-4)


def test_keras_on_jax_is_left_out_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "keras" not in activations.find_libraries()
    said = "Keras runs on jax here, and this lesson takes no derivatives with it: its column is left out."
    assert said in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("missing", "library", "left"),
    [("torch", "PyTorch", "keras"), ("keras", "Keras", "torch"), ("tensorflow", "Keras", "torch")],
)
def test_without_a_library_its_column_is_left_out(
    missing: str, library: str, left: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    metrics = activations.main(["--quick", "--no-plots"])
    assert f"{library} is not installed: its column is left out." in capsys.readouterr().out
    assert {name.split("_")[0] for name in metrics} == {"differences", left}
    assert metrics[f"{left}_value_test_max_error"] <= 1e-6


def test_keras_on_jax_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert list(activations.find_libraries()) == ["torch"]
    assert "Keras runs on jax here" in capsys.readouterr().out
