"""The lesson on tensors: the results in the three libraries, the sentences beside them, and the derivatives."""

import importlib.util
import re

import numpy as np
import pytest
from helpers.lesson_runs import Run, start

from workshop import tensors
from workshop.figures import tensors as figures
from workshop.tensors import DERIVATIVES, LIBRARIES, PARTS, START, Line, evaluate

# NumPy 2.0 does not know the argument that 2.1 refuses.
NO_VIEW = "ValueError" if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else "TypeError"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The default run: nothing in it takes long."""
    return start(tensors, tmp_path_factory.mktemp("tensors"))


def results(line: Line, seed: int = 1) -> list[str]:
    return [evaluate(line, library, START, seed) for library in LIBRARIES]


def results_of(numpy_code: str) -> list[str]:
    """Returns the three results of the line of the lesson that has this code in its first column."""
    return results(next(line for lines in PARTS.values() for line in lines if line.numpy == numpy_code))


# --- Derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", DERIVATIVES)
def test_the_derivatives_are_those_of_the_curriculum(library: str) -> None:
    tolerance = 1e-8 if library == "numpy" else 0
    assert DERIVATIVES[library](tensors.f, (1.0, 2.0)) == pytest.approx([4, 1], abs=tolerance)
    assert DERIVATIVES[library](tensors.g, (2.0, 5.0)) == pytest.approx([5, 16], abs=tolerance)
    assert DERIVATIVES[library](tensors.z, (2.0,)) == pytest.approx([6], abs=tolerance)


def test_a_run_reaches_the_results_of_the_curriculum(run: Run) -> None:
    assert set(run.metrics) == {f"{library}_test_max_error" for library in (*LIBRARIES, "loops")}
    assert run.metrics["tensorflow_test_max_error"] == run.metrics["torch_test_max_error"] == 0
    assert 0 < run.metrics["numpy_test_max_error"] < 1e-8
    assert "As expected for this lesson." in run.output
    table = run.table("derivative of", "exact")
    assert [row[:2] for row in table] == [
        ["f(1.0, 2.0), input 0", "4"],
        ["f(1.0, 2.0), input 1", "1"],
        ["g(2.0, 5.0), input 0", "5"],
        ["g(2.0, 5.0), input 1", "16"],
        ["z(2.0), input 0", "6"],
    ]
    assert "Their values there: f = 3, g = 30, z = 9" in run.lines
    for _, exact, *columns in table:
        assert [float(cell) for cell in columns] == pytest.approx([float(exact)] * 3, abs=1e-8)
    assert {path.name for path in run.plots.iterdir()} == {
        f"tensors-{name}.png" for name in ("memory", "broadcasting", "seconds")
    }


# --- Side by side -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_a_sentence_says_why_where_results_differ_and_only_there(part: str) -> None:
    for line in PARTS[part]:
        if line.numpy == "0":  # the number of GPUs of this machine
            continue
        assert (len(set(results(line))) > 1) == bool(line.why), line


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("np.array([1, 2])", ["int64 [1, 2]", "int32 [1, 2]", "int64 [1, 2]"]),
        ("np.array([1.5, 2])", ["float64 [1.5, 2.0]", "float32 [1.5, 2.0]", "float32 [1.5, 2.0]"]),
        ("M.size", ["6", "AttributeError", "(2, 3)"]),
        # A slice shares memory, a list of indices copies, += writes in place; tensors of TensorFlow stay as they are.
        ("y = x[1:4]; y[0] = 9; x", ["int64 [0, 9, 2, 3, 4, 5]", "TypeError", "int64 [0, 9, 2, 3, 4, 5]"]),
        ("y = x[[1, 2, 3]]; y[0] = 9; x", ["int64 [0, 1, 2, 3, 4, 5]", "TypeError", "int64 [0, 1, 2, 3, 4, 5]"]),
        ("y = x; y += 1; x", ["int64 [1, 2, 3, 4, 5, 6]", "int64 [0, 1, 2, 3, 4, 5]", "int64 [1, 2, 3, 4, 5, 6]"]),
        ("x[:2] = 7; x", ["int64 [7, 7, 2, 3, 4, 5]"] * 3),
        # A transposed view is not contiguous: `view` fails on it, `reshape` copies.
        ("M.T.flags.c_contiguous", ["False", "AttributeError", "False"]),
        ("M.T.reshape(-1, copy=False)", [NO_VIEW, "int64 [0, 3, 1, 4, 2, 5]", "RuntimeError"]),
        ("M.T.reshape(-1)", ["int64 [0, 3, 1, 4, 2, 5]"] * 3),
        ("y = M.T.reshape(-1); np.shares_memory(y, M)", ["False", "AttributeError", "False"]),
        ("y = M.reshape(-1); np.shares_memory(y, M)", ["True", "AttributeError", "True"]),
        # NumPy and a tensor on the CPU share memory, unless a copy is asked for.
        (
            "a = np.zeros(2); t = np.asarray(a); a[0] = 7; t",
            ["float64 [7.0, 0.0]", "float64 [0.0, 0.0]", "float64 [7.0, 0.0]"],
        ),
        ("a = np.zeros(2); t = np.array(a); a[0] = 7; t", ["float64 [0.0, 0.0]"] * 3),
        ("x[::-1]", [*["int64 [5, 4, 3, 2, 1, 0]"] * 2, "ValueError"]),
        ("x[x > 2]", ["int64 [3, 4, 5]"] * 3),
        ("x // 2", ["int64 [0, 0, 1, 1, 2, 2]"] * 3),
        ("-x // 2", ["int64 [0, -1, -1, -2, -2, -3]"] * 3),
        ("x / 2", [f"{dtype} [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]" for dtype in ("float64", "float64", "float32")]),
        (
            "x + 0.5",
            [
                "float64 [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]",
                "InvalidArgumentError",
                "float32 [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]",
            ],
        ),
        ("M[0] + M[:, :1]", ["int64 [[0, 1, 2], [3, 4, 5]]"] * 3),
        ("M + x[:2]", ["ValueError", "InvalidArgumentError", "RuntimeError"]),
        ("M.sum(axis=0)", ["int64 [3, 5, 7]"] * 3),
        ("M.sum(axis=1, keepdims=True)", ["int64 [[3], [12]]"] * 3),
        ("x.mean()", ["float64 2.5", "int64 2", "RuntimeError"]),
        ("np.float32([1, 2, 3, 4]).std()", ["float32 1.118", "float32 1.118", "float32 1.291"]),
        ("M @ M.T", ["int64 [[5, 14], [14, 50]]"] * 3),
        ("M @ x[:3]", ["int64 [5, 14]", "InvalidArgumentError", "int64 [5, 14]"]),
        # Casts cut towards 0, wrap around, lose the last digit, or fail.
        ("np.float32([-1.7, 1.7]).astype(int)", ["int64 [-1, 1]"] * 3),
        ("np.array([300, -1]).astype('uint8')", ["uint8 [44, 255]"] * 3),
        ("np.array([16777217]).astype('float32')", ["float32 [16777216.0]"] * 3),
        ("x[0] = 2.9; x", ["int64 [2, 1, 2, 3, 4, 5]", "TypeError", "int64 [2, 1, 2, 3, 4, 5]"]),
        ("np.array(['7', '2.5']).astype('float32')", [*["float32 [7.0, 2.5]"] * 2, "ValueError"]),
        ("np.array(['7', 'x']).astype('float32')", ["ValueError", "InvalidArgumentError", "ValueError"]),
        ("x[5].item()", ["5"] * 3),
        ("x.item()", ["ValueError", "ValueError", "RuntimeError"]),
        ("x.itemsize", ["8"] * 3),
        ("x.astype('int8').itemsize", ["1"] * 3),
        # An index takes one dimension away and a list keeps it, where it is not taken for an index.
        ("M[-1].shape", ["(3,)"] * 3),
        ("M[[-1]].shape", ["(1, 3)", "(3,)", "(1, 3)"]),
        ("np.expand_dims(x, 1).shape", ["(6, 1)"] * 3),
        ("M[None, :, None].squeeze().shape", ["(2, 3)"] * 3),
        ("np.concatenate([M, M]).shape", ["(4, 3)"] * 3),
        ("np.concatenate([M, M], axis=1).shape", ["(2, 6)"] * 3),
        ("T[..., 0]", ["int64 [[0, 4, 8], [12, 16, 20]]"] * 3),
        ("T.sum(axis=0)", ["int64 [[12, 14, 16, 18], [20, 22, 24, 26], [28, 30, 32, 34]]"] * 3),
        ("T.sum(axis=1)", ["int64 [[12, 15, 18, 21], [48, 51, 54, 57]]"] * 3),
        ("T.sum(axis=2)", ["int64 [[6, 22, 38], [54, 70, 86]]"] * 3),
        ("T.sum(axis=(0, 2))", ["int64 [60, 92, 124]"] * 3),
        ("T.sum(axis=2, keepdims=True).shape", ["(2, 3, 1)"] * 3),
        ("np.median(x)", ["float64 2.5", "float64 2.5", "int64 2"]),
        ("np.percentile(x, 25)", ["float64 1.25", "float64 1.25", "float32 1.25"]),
        # A leaf was made by hand, all else by an operation, which grad_fn names.
        ("w = np.array(3.0); w.is_leaf", ["AttributeError", "AttributeError", "(True, False)"]),
        ("w = np.array(3.0); w.grad_fn", ["AttributeError", "AttributeError", "(None, PowBackward0)"]),
        ("w = np.array(3.0); (w ** 2).item()", ["9.0"] * 3),
        # Files.
        ("np.save(FOLDER / 'M.npy', M); np.load(FOLDER / 'M.npy')", ["int64 [[0, 1, 2], [3, 4, 5]]"] * 3),
        (
            "np.savez(FOLDER / 'two.npz', M=M, x=x); with np.load(FOLDER / 'two.npz') as two: y = two['x']; y",
            ["int64 [0, 1, 2, 3, 4, 5]"] * 3,
        ),
        (
            "np.savetxt(FOLDER / 'M.csv', M, '%d', ','); (FOLDER / 'M.csv').read_text().split()",
            ["['0,1,2', '3,4,5']"] * 3,
        ),
        (
            "np.savetxt(FOLDER / 'M.csv', M, delimiter=','); np.genfromtxt(FOLDER / 'M.csv', delimiter=',')",
            ["float64 [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]"] * 3,
        ),
        (
            "np.savetxt(FOLDER / 'x.txt', x / 3, '%.2f'); np.genfromtxt(FOLDER / 'x.txt')",
            ["float64 [0.0, 0.33, 0.67, 1.0, 1.33, 1.67]"] * 3,
        ),
        ("np.genfromtxt(['1,2', ',4'], delimiter=',')", ["float64 [[1.0, 2.0], [nan, 4.0]]"] * 3),
        ("np.savetxt(FOLDER / 'T.txt', T)", ["ValueError"] * 3),
        ("np.save(FOLDER / 'T.npy', T); np.load(FOLDER / 'T.npy').shape", ["(2, 3, 4)"] * 3),
    ],
)
def test_the_lesson_shows(code: str, expected: list[str]) -> None:
    assert results_of(code) == expected


def test_gradients_are_added_up_and_a_tape_is_used_once() -> None:
    first, second, *_ = PARTS["Derivatives, and where they are kept"]
    assert results(first)[1:] == ["float32 6.0", "float32 6.0"]
    assert results(second)[1:] == ["RuntimeError", "float32 12.0"]


def test_each_tensor_names_its_device() -> None:
    numpy, tensorflow, torch = results_of("str(x.device)")
    assert (numpy, torch) == ("cpu", "cpu")
    assert "/device:" in tensorflow


# The other code that the sentences name does what they say.
@pytest.mark.parametrize(
    ("library", "code", "expected"),
    [
        ("tensorflow", "tf.size(M)", "int32 6"),
        ("torch", "M.numel()", "6"),
        ("tensorflow", "tf.transpose(M)", "int64 [[0, 3], [1, 4], [2, 5]]"),
        ("torch", "x.flip(0)", "int64 [5, 4, 3, 2, 1, 0]"),
        ("tensorflow", "tf.gather_nd(M, [[0, 0], [1, 2]])", "int64 [0, 5]"),
        ("torch", "M.amax(dim=0)", "int64 [3, 4, 5]"),
        ("tensorflow", "M[-1:].shape", "(1, 3)"),
        ("torch", "torch.tensor([1., 2, 3, 4]).std(correction=0)", "float32 1.118"),
        ("tensorflow", "tf.linalg.matvec(M, x[:3])", "int64 [5, 14]"),
        ("torch", "t = torch.zeros(2); t.numpy()[0] = 7; t", "float32 [7.0, 0.0]"),
        ("numpy", "x[2:99]", "int64 [2, 3, 4, 5]"),
        ("torch", "x ** -1.0", "float32 [inf, 1.0, 0.5, 0.3333, 0.25, 0.2]"),
    ],
)
def test_the_other_code_works(library: str, code: str, expected: str) -> None:
    assert evaluate(Line(code), library, START, 1) == expected


def test_each_line_starts_anew_and_a_seed_repeats() -> None:
    assert results(Line("x", "x", "x")) == ["int64 [0, 1, 2, 3, 4, 5]"] * 3
    (random_line,) = (line for line in PARTS["Creation and dtypes"] if "rng" in line.numpy)
    assert results(random_line, 3) == results(random_line, 3) != results(random_line, 4)


def test_what_is_run_is_what_is_printed(run: Run) -> None:
    lines = run.lines
    at = next(i for i, line in enumerate(lines) if line.split() == ["Slices", "and", "masks"])
    reverse = next(i for i in range(at, len(lines)) if lines[i].split() == [">", "x[::-1]"] * 3)
    assert lines[reverse + 1].startswith("!=  int64 [5, 4, 3, 2, 1, 0]")
    assert lines[reverse + 1].endswith("ValueError")
    assert lines[reverse + 2].strip().startswith("PyTorch refuses negative steps")
    assert max(map(len, lines[:reverse])) <= 120
    # Every statement of every line, as far as it fits into a column.
    for part in PARTS.values():
        for line in part:
            for code in (line.numpy, line.tensorflow, line.torch):
                for statement in filter(None, code.split("; ")):
                    assert f"> {statement}"[:12].split()[1] in run.output
    assert "    with tf.GradientTape() as tape:\n        value = function(*variables)" in run.output


def test_without_pytorch_its_column_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    metrics = tensors.main(["--quick", "--no-plots"])
    output = capsys.readouterr().out
    assert "PyTorch is not installed: its column is left out." in output
    assert "torch." not in output.split("First derivatives")[0]
    assert "> np.array([1.5, 2])" in output  # a quick run has two lines of each part
    assert "> np.zeros((2, 3))" not in output
    assert set(metrics) == {"numpy_test_max_error", "tensorflow_test_max_error", "loops_test_max_error"}


# --- RMSE and seconds -------------------------------------------------------------------------------------------------


def test_the_rmse_is_computed_step_by_step(run: Run) -> None:
    # The errors are -1, 0, 2, -1: their squares add up to 6, and the root of 6 / 4 is 1.2247.
    expected = ["[-1.0, 0.0, 2.0, -1.0]", "[1.0, 0.0, 4.0, 1.0]", "6.0", "1.5", "1.2247"]
    for line, result in zip(tensors.ERROR_STEPS, expected, strict=True):
        assert [evaluate(line, library, tensors.ERROR_START, 1) for library in LIBRARIES] == [f"float32 {result}"] * 3
    assert ["float32", "1.2247"] * 3 in run.rows


def test_loops_compute_what_arrays_do_and_their_seconds_are_printed(run: Run) -> None:
    assert "add up to 1*1 + 2*2 + 3*3 + 4*4 = 30, which is v'v." in run.output
    assert 0 <= run.metrics["loops_test_max_error"] < 1e-12
    table = run.table("n", "loop", "comprehension", "map", "NumPy", "cost in a loop", "cost by vectors")
    assert [row[0] for row in table[: len(tensors.SIZES)]] == ["500", "1,000", "5,000", "10,000", "50,000", "100,000"]
    loop, comprehension, by_map, numpy, cost_in_loop, by_vectors = map(float, table[len(tensors.SIZES) - 1][1:])
    assert min(loop, comprehension, by_map) > 5 * numpy and cost_in_loop > 5 * by_vectors
    # The printed ratios are those of the table's last row, which is rounded to microseconds.
    ratios = [int(found) for found in re.findall(r"n = 100,000: .+ takes (\d+) times as long as ", run.output)]
    assert ratios == pytest.approx([loop / numpy, cost_in_loop / by_vectors], rel=0.2)
    # By hand: the line 2 x + 1 misses (1, 5) by -2 and (2, 5) by 0; half the mean of the squares is 1.
    x, y = [1, 2], [5, 5]
    assert tensors.cost_in_loop(x, y, 2, 1) == tensors.cost_by_vectors(np.array(x), np.array(y), 2, 1) == 1


def test_ways_that_disagree_are_found_out() -> None:
    seconds, error = tensors.measure_seconds({"right": lambda: [1.0, 4.0], "wrong": lambda: [1.0, 2.0]})
    assert list(seconds) == ["right", "wrong"]
    assert error == 2


# --- Plots ------------------------------------------------------------------------------------------------------------


def test_addresses_are_where_numbers_lie() -> None:
    M = np.arange(12).reshape(3, 4)
    # Each number of M is its own address.
    for view in (M, M.T, M[:, 1:3], M[::-1], M[::2, ::-3], np.broadcast_to(M[0], (3, 4)), M[1:, 2:].T):
        assert tensors.addresses(view, M).tolist() == view.tolist()
    copy, addresses = tensors.memory_views(M)["M.T.copy()"]
    assert copy.tolist() == M.T.tolist()
    assert addresses.tolist() == np.arange(12).reshape(4, 3).tolist()  # in its own memory


def test_the_plots_show_strides_and_broadcast_numbers() -> None:
    M = np.arange(12).reshape(3, 4)
    panels = figures.memory(M, tensors.memory_views(M)).axes
    assert [panel.get_title(loc="left") for panel in panels[1::2]] == [
        "strides (4, 1): contiguous",
        "strides (1, 4): not contiguous",
        "strides (4, 1): not contiguous",
        "strides (-4, 1): not contiguous",
        "strides (0, 1): not contiguous",
        "strides (3, 1): contiguous, its own memory",
    ]
    assert [text.get_text() for text in panels[2].texts] == [str(number) for number in M.T.ravel()]
    # Of the rows that np.broadcast_to repeats one is stored.
    assert [cell.get_linestyle() == "-" for cell in panels[8].patches] == [True] * 4 + [False] * 8
    panels = figures.seconds([500, 1000], {"loop": [1, 2], "NumPy": [0.1, 0.1], "cost": [3, 4]}).axes
    assert [[line.get_label() for line in panel.lines] for panel in panels] == [["loop", "NumPy"], ["cost"]]
    panels = figures.broadcasting(tensors.broadcast_sums(M)).axes
    texts = [{text.get_text() for text in panel.texts} for panel in panels]
    assert {"(2, 3)", "(3,)", "10", "21", "32", "14", "25", "36"} <= texts[0]
    assert {"(2, 1)", "110", "230"} <= texts[1]
    assert any("could not be" in text for text in texts[2])
