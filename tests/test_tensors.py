"""The lesson on tensors: what the three libraries answer, that the sentences beside it are true, and the slopes."""

import importlib.util

import numpy as np
import pytest
from lesson_runs import Run, start
from PIL import Image

from workshop import tensors
from workshop.kit import diagrams
from workshop.kit.side_by_side import LIBRARIES, Line, answer, describe
from workshop.tensors import EXACT, PARTS, SLOPES, START


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The default run: nothing in it takes long."""
    return start(tensors, tmp_path_factory.mktemp("tensors"))


def answers(line: Line, seed: int = 1) -> list[str]:
    return [answer(line, library, START, seed) for library in LIBRARIES]


def answers_to(numpy_code: str, part: int = 0) -> list[str]:
    """Returns the three answers to the line of the lesson that has this code in its first column."""
    found = [line for lines in PARTS.values() for line in lines if line.numpy == numpy_code]
    return answers(found[part])


# --- Derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", SLOPES)
def test_the_slopes_are_those_of_the_curriculum(library: str) -> None:
    within = 1e-8 if library == "numpy" else 0
    f, g = tensors.f, tensors.g
    assert SLOPES[library](f, (1.0, 2.0)) == pytest.approx([4, 1], abs=within)
    assert SLOPES[library](g, (2.0, 5.0)) == pytest.approx([5, 16], abs=within)


def test_the_exact_slopes_are_those_of_the_curriculum() -> None:
    assert {name: (point, exact) for name, (_, point, exact) in EXACT.items()} == {
        "f": ((1, 2), (4, 1)),
        "g": ((2, 5), (5, 16)),
    }


def test_a_run_reaches_its_figures(run: Run) -> None:
    assert set(run.metrics) == {f"{library}_test_max_error" for library in LIBRARIES}
    assert run.metrics["tensorflow_test_max_error"] == run.metrics["torch_test_max_error"] == 0
    assert run.metrics["numpy_test_max_error"] < 1e-8
    assert "As expected for this lesson." in run.output
    assert ["f(1.0,", "2.0),", "input", "0", "4", *["4.0000000000"] * 3] in run.rows
    assert ["g(2.0,", "5.0),", "input", "0", "5", *["5.0000000000"] * 3] in run.rows
    assert run.answer["metrics"] == run.metrics


# --- Side by side -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_a_sentence_says_why_where_answers_differ_and_only_there(part: str) -> None:
    for line in PARTS[part]:
        if line.numpy == "0":  # the number of graphics cards of this machine
            continue
        assert (len(set(answers(line))) > 1) == bool(line.why), line


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("np.array([1, 2])", ["int64 [1, 2]", "int32 [1, 2]", "int64 [1, 2]"]),
        ("np.array([1.5, 2])", ["float64 [1.5, 2.0]", "float32 [1.5, 2.0]", "float32 [1.5, 2.0]"]),
        ("M.size", ["6", "AttributeError", "(2, 3)"]),
        # A slice shares memory, a list of places copies, += writes in place; tensors of TensorFlow stay as they are.
        ("y = x[1:4]; y[0] = 9; x", ["int64 [0, 9, 2, 3, 4, 5]", "TypeError", "int64 [0, 9, 2, 3, 4, 5]"]),
        ("y = x[[1, 2, 3]]; y[0] = 9; x", ["int64 [0, 1, 2, 3, 4, 5]", "TypeError", "int64 [0, 1, 2, 3, 4, 5]"]),
        ("y = x; y += 1; x", [*(f"int64 {numbers}" for numbers in (
            [1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]))]),
        ("x[:2] = 7; x", ["int64 [7, 7, 2, 3, 4, 5]"] * 3),
        # A transposed view is not contiguous: `view` fails on it, `reshape` copies.
        ("M.T.flags.c_contiguous", ["False", "AttributeError", "False"]),
        ("M.T.reshape(-1, copy=False)", ["ValueError", "int64 [0, 3, 1, 4, 2, 5]", "RuntimeError"]),
        ("M.T.reshape(-1)", ["int64 [0, 3, 1, 4, 2, 5]"] * 3),
        ("y = M.T.reshape(-1); np.shares_memory(y, M)", ["False", "AttributeError", "False"]),
        ("y = M.reshape(-1); np.shares_memory(y, M)", ["True", "AttributeError", "True"]),
        # NumPy and a tensor on the CPU share memory, unless a copy is asked for.
        ("a = np.zeros(2); t = np.asarray(a); a[0] = 7; t",
         ["float64 [7.0, 0.0]", "float64 [0.0, 0.0]", "float64 [7.0, 0.0]"]),
        ("a = np.zeros(2); t = np.array(a); a[0] = 7; t", ["float64 [0.0, 0.0]"] * 3),
        ("x[::-1]", [*["int64 [5, 4, 3, 2, 1, 0]"] * 2, "ValueError"]),
        ("x[x > 2]", ["int64 [3, 4, 5]"] * 3),
        ("x // 2", ["int64 [0, 0, 1, 1, 2, 2]"] * 3),
        ("-x // 2", ["int64 [0, -1, -1, -2, -2, -3]"] * 3),
        ("x / 2", [f"{dtype} [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]" for dtype in ("float64", "float64", "float32")]),
        ("x + 0.5", ["float64 [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]", "InvalidArgumentError",
                     "float32 [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]"]),
        ("M[0] + M[:, :1]", ["int64 [[0, 1, 2], [3, 4, 5]]"] * 3),
        ("M + x[:2]", ["ValueError", "InvalidArgumentError", "RuntimeError"]),
        ("M.sum(axis=0)", ["int64 [3, 5, 7]"] * 3),
        ("M.sum(axis=1, keepdims=True)", ["int64 [[3], [12]]"] * 3),
        ("x.mean()", ["float64 2.5", "int64 2", "RuntimeError"]),
        ("np.float32([1, 2, 3, 4]).std()", ["float32 1.118", "float32 1.118", "float32 1.291"]),
        ("M @ M.T", ["int64 [[5, 14], [14, 50]]"] * 3),
        ("M @ x[:3]", ["int64 [5, 14]", "InvalidArgumentError", "int64 [5, 14]"]),
    ],
)  # fmt: skip
def test_the_lesson_shows(code: str, expected: list[str]) -> None:
    assert answers_to(code) == expected


def test_slopes_are_kept_added_up_or_read_once() -> None:
    first, second = (line for line in PARTS["Derivatives, and who keeps them"])
    assert answers(first)[1:] == ["float32 6.0", "float32 6.0"]
    assert answers(second)[1:] == ["RuntimeError", "float32 12.0"]


def test_each_tensor_says_where_it_lies() -> None:
    numpy, tensorflow, torch = answers_to("str(x.device)")
    assert (numpy, torch) == ("cpu", "cpu")
    assert "/device:" in tensorflow


# What the sentences name as the way out does what they say.
@pytest.mark.parametrize(
    ("library", "code", "expected"),
    [
        ("tensorflow", "tf.size(M)", "int32 6"),
        ("torch", "M.numel()", "6"),
        ("tensorflow", "tf.transpose(M)", "int64 [[0, 3], [1, 4], [2, 5]]"),
        ("torch", "x.flip(0)", "int64 [5, 4, 3, 2, 1, 0]"),
        ("tensorflow", "tf.gather_nd(M, [[0, 0], [1, 2]])", "int64 [0, 5]"),
        ("torch", "M.amax(dim=0)", "int64 [3, 4, 5]"),
        ("torch", "torch.tensor([1., 2, 3, 4]).std(correction=0)", "float32 1.118"),
        ("tensorflow", "tf.linalg.matvec(M, x[:3])", "int64 [5, 14]"),
        ("torch", "t = torch.zeros(2); t.numpy()[0] = 7; t", "float32 [7.0, 0.0]"),
        ("numpy", "x[2:99]", "int64 [2, 3, 4, 5]"),
        ("torch", "x ** -1.0", "float32 [inf, 1.0, 0.5, 0.3333, 0.25, 0.2]"),
    ],
)
def test_the_ways_out_work(library: str, code: str, expected: str) -> None:
    assert answer(Line(code), library, START, 1) == expected


def test_each_line_starts_anew_and_a_seed_repeats() -> None:
    assert answers(Line("x", "x", "x")) == ["int64 [0, 1, 2, 3, 4, 5]"] * 3
    (drawn,) = (line for line in PARTS["Creation and dtypes"] if "rng" in line.numpy)
    assert answers(drawn, 3) == answers(drawn, 3) != answers(drawn, 4)


def test_answers_are_written_alike() -> None:
    assert describe(np.array([0.1, 0.2], np.float32)) == "float32 [0.1, 0.2]"
    assert describe((2, 3)) == "(2, 3)"
    assert describe(np.array(True)) == "bool True"
    assert describe("cpu") == "cpu"


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
    found = tensors.main(["--quick", "--no-plots"])
    output = capsys.readouterr().out
    assert "PyTorch is not installed: its column is left out." in output
    assert "torch." not in output.split("First derivatives")[0]
    assert set(found) == {"numpy_test_max_error", "tensorflow_test_max_error"}
    assert "No expected band: a quick run." in output


# --- Pictures ---------------------------------------------------------------------------------------------------------


def test_addresses_are_where_numbers_lie() -> None:
    M = np.arange(12).reshape(3, 4)
    # Each number of M is its own address.
    for view in (M, M.T, M[:, 1:3], M[::-1], M[::2, ::-3], np.broadcast_to(M[0], (3, 4)), M[1:, 2:].T):
        assert diagrams.addresses(view, M).tolist() == view.tolist()
    assert diagrams.addresses(M.T, M)[0].tolist() == [0, 4, 8]


def test_the_pictures_are_drawn(run: Run) -> None:
    assert {path.name for path in run.plots.iterdir()} == {"tensors-memory.png", "tensors-broadcasting.png"}
    for path in run.plots.iterdir():
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert pixels.shape[1] > 900
        assert np.mean(pixels < 250) > 0.05, path.name


def test_the_pictures_say_what_is_so() -> None:
    figures = tensors.draw()
    titles = [panel.get_title(loc="left") for panel in figures["memory"].axes[1::2]]
    assert titles[:3] == ["strides (4, 1): contiguous", *(f"strides {s}: not contiguous" for s in ((1, 4), (4, 1)))]
    assert titles[3:] == [
        "strides (-4, 1): not contiguous",
        "strides (0, 1): not contiguous",
        "strides (3, 1): contiguous, a memory of its own",
    ]
    written = [[text.get_text() for text in panel.texts] for panel in figures["broadcasting"].axes]
    assert {"(2, 3)", "(3,)", "10", "21", "32", "14", "25", "36"} <= set(written[0])
    assert {"(2, 1)", "110", "230"} <= set(written[1])
    assert any("could not be" in text for text in written[2])
