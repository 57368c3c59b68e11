"""The mutation sampler of the benchmarks: what it changes, in a small tree of its own, and which tests notice."""

import ast
from pathlib import Path

import pytest

from benchmarks import mutations

SOURCE = '''"""Docstring with 1 number."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from elsewhere import LIMIT_2

__all__ = ["grade"]


def grade(points: Literal[3], *, limit: int = 50) -> "Literal[4]":
    """Says whether 60 points are enough."""
    print(f"größer ö {points:.4f} points", "of many")
    return "passed" if not points < limit else sorted("failed", reverse=True)


if __name__ == "__main__":
    grade(7)
'''
TEST = "from workshop.lesson import grade\n\n\ndef test_grade():\n    assert grade(50) != grade(49)\n"

OF_EACH_LESSON = """import importlib

import pytest

EACH_LESSON = ["another", "lesson", "house_price"]


@pytest.mark.parametrize("name", EACH_LESSON)
def test_each(name):
    grade = importlib.import_module("workshop." + name).grade
    assert grade(50) != grade(49)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path, text in {
        "workshop/__init__.py": "",
        "workshop/lesson.py": SOURCE,
        "workshop/caller.py": "from workshop import lesson\n",
        "tests/test_lesson.py": TEST,
        "tests/test_caller.py": "import workshop.caller\n\n\ndef test_nothing():\n    pass\n",
        "tests/test_other.py": "import workshop.other  # lesson\n",
        "tests/test_broken.py": "from workshop.lesson import missing\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_sample_is_a_seeds_and_each_change_is_one_node(tree: Path) -> None:
    sample = mutations.sample(tree, ["workshop/lesson.py"], 200, seed=1)
    assert sample == mutations.sample(tree, ["workshop/lesson.py"], 200, seed=1)
    assert sample[:5] != mutations.sample(tree, ["workshop/lesson.py"], 5, seed=2)
    source = SOURCE.encode()
    assert {mutation.change for mutation in sample} == {
        "points < limit -> points <= limit",
        "points < limit -> points >= limit",
        "not points < limit -> points < limit",
        '50 -> 49  in  def grade(points: Literal[3], *, limit: int = 50) -> "Literal[4]":',
        '50 -> 51  in  def grade(points: Literal[3], *, limit: int = 50) -> "Literal[4]":',
        'True -> False  in  return "passed" if not points < limit else sorted("failed", reverse=True)',
        "sorted('failed', reverse=True) -> sorted('failed')",
        "return 'passed' if not points < limit else sorted('failed', reverse=True) -> return None",
        "f'größer ö {points:.4f} points' -> f'GRÖSSER Ö {points:.4f} POINTS'",
        "'of many' -> 'OF MANY'  in  print(f\"größer ö {points:.4f} points\", \"of many\")",
    }
    for mutation in sample:
        changed = source[: mutation.start] + mutation.text.encode() + source[mutation.end :]
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_the_nearest_tests_come_first(tree: Path) -> None:
    stages = mutations.find_tests(tree, "workshop/lesson.py")
    assert stages == [["tests/test_broken.py", "tests/test_lesson.py"], ["tests/test_caller.py"]]
    assert mutations.find_tests(tree, "workshop/other.py") == [["tests/test_other.py"]]
    # Imported by none: the tests that have its name as a word.
    words = ["tests/test_broken.py", "tests/test_lesson.py", "tests/test_other.py"]
    assert mutations.find_tests(tree, "elsewhere/lesson.py") == [words]


@pytest.mark.slow
def test_a_lessons_change_is_also_tried_on_the_tests_of_every_lesson(tree: Path) -> None:
    for path, text in {
        "workshop/pytorch/lesson.py": "",
        "workshop/kit/lesson.py": "",
        "models/house_price.json": '{"lesson": "lesson"}',
        "models/lesson_cnn.json": '{"lesson": "lesson"}',
        "models/other.json": '{"lesson": "other"}',
        "tests/test_each.py": OF_EACH_LESSON,
        "tests/test_lesson.py": TEST.replace("grade(50) != grade(49)", "grade  # and pytorch.lesson"),
        "tests/test_xor.py": "lesson = next(one for one in LESSONS if one.name == 'xor')\n",
    }.items():
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_text(text)
    of_each = ["tests/test_each.py", "-k=lesson or house_price"]
    for path in ("workshop/lesson.py", "workshop/pytorch/lesson.py"):
        assert mutations.find_tests(tree, path)[-1] == of_each
    for path in ("workshop/kit/lesson.py", "workshop/__init__.py"):
        assert of_each not in mutations.find_tests(tree, path)

    sample = {mutation.change: mutation for mutation in mutations.sample(tree, ["workshop/lesson.py"], 200, seed=1)}
    broken: set[str] = set()
    caught = sample["points < limit -> points <= limit"]
    outcome = mutations.try_mutation(tree, caught, broken, whole_suite=False, limit=100)
    assert outcome == (mutations.CAUGHT, "tests/test_each.py::test_each[lesson]")
    assert broken == {"tests/test_broken.py"}


def test_a_change_is_caught_by_a_test_that_passes_without_it(tree: Path) -> None:
    sample = {mutation.change: mutation for mutation in mutations.sample(tree, ["workshop/lesson.py"], 200, seed=1)}
    broken: set[str] = set()
    caught = sample["points < limit -> points <= limit"]
    outcome = mutations.try_mutation(tree, caught, broken, whole_suite=False, limit=100)
    assert outcome == (mutations.CAUGHT, "tests/test_lesson.py::test_grade")
    assert broken == {"tests/test_broken.py"}
    survivor = sample["points < limit -> points >= limit"]
    outcome = mutations.try_mutation(tree, survivor, broken, whole_suite=False, limit=100)
    assert outcome.outcome == mutations.SURVIVED
    assert (tree / "workshop/lesson.py").read_text(encoding="utf-8") == SOURCE

    results = tree / "build" / "results.csv"
    mutations.append_result(results, survivor, outcome, 3.2)
    mutations.append_result(results, caught, mutations.Outcome(mutations.UNDECIDED, "no result"), 3.2)
    assert mutations.read_results(results) == {survivor.key: outcome}
    assert mutations.describe(survivor, outcome).endswith(
        "workshop/lesson.py:14  points < limit -> points >= limit  SURVIVED"
    )
