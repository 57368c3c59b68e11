"""The benchmarks that write README's tables: they run, and name every lesson's metrics."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import engines, lessons, measure
from workshop import LESSONS, Lesson

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_row_names_what_the_lesson_has_bands_for(lesson: Lesson) -> None:
    described = lessons.describe(lesson, dict.fromkeys(lesson.bands(), 0.5))
    named = {text.rsplit(" ", 2 if text.endswith("%") else 1)[0] for text in described.split(", ")}
    assert len(named) == min(lessons.MAX_SHOWN, len(lesson.bands()))
    assert named <= {name.replace("_", " ") for name in lesson.bands()}


def test_scores_come_before_errors() -> None:
    (banknotes,) = [lesson for lesson in LESSONS if lesson.name == "banknotes"]
    described = lessons.describe(banknotes, {"features_train_max_error": 1e-9, "frozen_test_accuracy": 0.98661})
    assert described == "frozen test accuracy 98.66 %, features train max error 1e-09"


@pytest.mark.parametrize(
    ("name", "lesson"), [("admission", "admission"), ("house_price", "linear_regression"), ("mnist_cnn", "mnist")]
)
def test_the_three_engines_are_asked_the_same(name: str, lesson: str) -> None:
    assert 0 <= engines.largest_difference(ROOT / "models" / f"{name}.h5", lesson) < 1e-5


def test_a_table_is_written_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- lessons -->\nold\n<!-- end of lessons -->\nafter\n")
    monkeypatch.setattr(measure, "README", readme)
    measure.write_into_readme("lessons", measure.markdown(["a", "b"], [[1, 2]]))
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    assert readme.read_text() == f"before\n<!-- lessons -->\n{table}<!-- end of lessons -->\nafter\n"
    with pytest.raises(ValueError, match="<!-- engines -->"):
        measure.write_into_readme("engines", table)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_readmes_table_says_what_a_lesson_is_and_leads_to_its_notebook(lesson: Lesson) -> None:
    row = f"| `{lesson.name}` | {lessons.linked(lesson)} | "
    assert f"\n{row}" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "row", "columns"),
    [
        (
            ["benchmarks.lessons", "gradient_descent", "--runs", "1", "--against", str(ROOT)],
            "| `gradient_descent` |",
            6,
        ),
        (["benchmarks.engines", "xor"], "| `xor` |", 5),
        (["benchmarks.numpy_engine", "--runs", "1", "--model", "dense"], "| dense, PyTorch |", 4),
    ],
    ids=["lessons", "engines", "numpy_engine"],
)
def test_a_lesson_is_measured(command: list[str], row: str, columns: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    assert line.startswith(row) and line.count("|") == columns + 1
