"""Every exercise: the solution is right, the stub and each mistake are named, and no answer breaks the check."""

import ast
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from workshop import LESSONS, exercises
from workshop.exercises.kit import limits, progress
from workshop.exercises.kit.exercise import GENERAL, RIGHT, UNANSWERED, Exercise, Mistake

NAMES = exercises.names()
EACH_EXERCISE = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("lesson", [lesson.name for lesson in LESSONS])
def test_a_lesson_has_three_exercises_at_least(lesson: str) -> None:
    assert len(exercises.of_lesson(lesson)) >= 3


@EACH_EXERCISE
def test_the_solution_is_right_and_explained(name: str) -> None:
    exercise = exercises.find(name)
    answer = exercise.run(exercise.solution)
    exercise.examine(answer)  # what is imported at the first use does not count
    start = time.perf_counter()
    outcome = exercise.examine(answer)
    assert time.perf_counter() - start < 2
    assert outcome == (RIGHT, exercise.explanation)


@EACH_EXERCISE
def test_the_stub_is_called_unanswered(name: str) -> None:
    exercise = exercises.find(name)
    assert exercise.examine(exercise.run(exercise.stub)).name == UNANSWERED


@EACH_EXERCISE
def test_each_typical_mistake_is_named(name: str) -> None:
    exercise = exercises.find(name)
    assert len(exercise.mistakes) >= 2
    assert len({mistake.name for mistake in exercise.mistakes} - set(GENERAL)) == len(exercise.mistakes)
    for mistake in exercise.mistakes:
        assert exercise.examine(exercise.run(mistake.code)) == (mistake.name, mistake.says)


@EACH_EXERCISE
def test_an_exercise_reads_well(name: str) -> None:
    exercise = exercises.find(name)
    assert len(exercise.hints) >= 2
    explained = (exercise.task, exercise.explanation, *exercise.hints)
    for text in (exercise.title, *explained, *(mistake.says for mistake in exercise.mistakes)):
        assert text == text.strip(), text
    assert exercise.title[0].isupper() and not exercise.title.endswith(".")
    assert all(text.endswith((".", "?", "!", ":", "`", ")")) for text in explained)


@EACH_EXERCISE
def test_a_check_does_not_tell_the_answer(name: str) -> None:
    exercise = exercises.find(name)
    messages = [mistake.says for mistake in exercise.mistakes]
    messages += [exercise.examine(answer).message for answer in (float("nan"), "x", np.zeros((3, 1)), lambda *_: 0.123)]
    # The lines of a function, the right side of a value; a single short number would be found by chance.
    for statement in ast.parse(exercise.solution).body:
        lines = statement.body if isinstance(statement, ast.FunctionDef) else [statement]
        for line in lines:
            text = ast.unparse(line).rpartition(" = ")[2].removeprefix("return ")
            assert len(text) < 8 or not any(text in message for message in messages)
    if not exercise.inputs and exercise.grade is None and isinstance(exercise.expected[0], (int, float)):
        number = f"{exercise.expected[0]:,}"
        for message in messages:
            assert not re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d,]|\.\d)", message), message


@pytest.mark.parametrize("name", [name for name in NAMES if "keras.Sequential" in exercises.find(name).solution])
def test_a_network_without_an_input_is_told_so(name: str) -> None:
    exercise = exercises.find(name)
    says = "The model does not know the shape of its input: begin with keras.Input."
    layers = [keras.layers.Dense(8, activation="relu")]
    assert exercise.examine(keras.Sequential(layers)) == ("shape", says)
    assert exercise.examine(keras.Sequential()) == ("shape", says)
    assert exercise.examine(3) == ("type", "Expected a Keras model; you gave 3.")
    assert exercise.examine(layers).message.startswith("Expected a Keras model; you gave [<Dense")


class Hostile:
    """An object that raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


def changes_its_input(*arguments: Any) -> Any:
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            argument += 1
        elif isinstance(argument, list):
            argument.append(1)
    return 0


def stops_python(*_: Any) -> None:
    raise SystemExit(3)


ODD: tuple[Any, ...] = (
    float("nan"),
    np.full((2, 3), np.nan),
    np.zeros((0, 7)),
    [],
    {},
    {"a": object()},
    "text",
    b"bytes",
    1j,
    object(),
    Hostile(),
    Exercise,
    changes_its_input,
    stops_python,
    lambda *_: [[1], [2, 3]],
    lambda *_: float("nan"),
    lambda *_: Hostile(),
    lambda: 1,
)


@EACH_EXERCISE
def test_no_object_breaks_a_check(name: str) -> None:
    exercise = exercises.find(name)
    for answer in ODD:
        outcome = exercise.examine(answer)
        assert outcome.name != RIGHT and "\n" not in outcome.message and "Traceback" not in outcome.message


SQUARE = Exercise(
    title="Square",
    task="Return the squares.",
    stub="def square(x):\n    ...",
    solution="def square(x):\n    return x**2",
    explanation="So it is.",
    hints=("One.", "Two."),
    mistakes=(
        Mistake("doubled", "That is twice the number.", "def square(x):\n    return 2 * x"),
        Mistake("cubed", "That is the cube.", "def square(x):\n    return x**3"),
    ),
    inputs=((np.array([1.0, 3.0]),), (np.array([0.5]),)),
    name="square",
)


NAMES_OF_PETS = Exercise(
    title="Names",
    task="Return the names.",
    stub="def names():\n    ...",
    solution="def names():\n    return ['cat', 'dog']",
    explanation="So it is.",
    hints=("One.", "Two."),
    mistakes=(),
    inputs=((),),
    name="names",
)


@pytest.mark.parametrize("answer", [["cat", "dog"], ("Cat", "dog "), np.array(["cat", "dog"])])
def test_texts_are_right_in_a_list_a_tuple_or_an_array(answer: Any) -> None:
    assert NAMES_OF_PETS.examine(lambda: answer).is_right
    assert NAMES_OF_PETS.examine(lambda: answer[:1]).name == "shape"


def square_in_place(x: np.ndarray) -> np.ndarray:
    x **= 2
    return x


def divides_by_zero(x: np.ndarray) -> float:
    return 1 / 0


@pytest.mark.parametrize(
    ("answer", "name", "message"),
    [
        (lambda x: x**2, "right", "So it is."),
        (lambda x: 2 * x, "doubled", "That is twice the number."),
        (square_in_place, "changes_input", "Your function changed what it was given, [1. 3.]"),
        (divides_by_zero, "error", "For [1. 3.] your function stopped: ZeroDivisionError: division by zero, in line"),
        (lambda x: x * np.nan, "nan", "For [1. 3.] your function gives NaN, not a number: 0 divided by 0"),
        (lambda x: (x**2)[:, None], "shape", "gives an array of shape (2, 1), expected an array of shape (2,)"),
        (lambda x: x + 1, "value", "For [1. 3.] your function gives [2. 4.]. That is not it."),
        (lambda x: "nine", "type", "For [1. 3.] your function gives 'nine', which is no array"),
        (9, "type", "Expected a function; you gave 9."),
        (lambda x: np.mean, "type", "For [1. 3.] your function gives the function mean, which is no array of numbers."),
        (lambda x: object(), "type", "gives an object of the type object, which is no array of numbers."),
        (stops_python, "error", "your function stopped: SystemExit: 3"),
    ],
)
def test_a_wrong_answer_is_told_why(answer: Any, name: str, message: str) -> None:
    outcome = SQUARE.examine(answer)
    assert outcome.name == name
    assert message in outcome.message


def endless(x: np.ndarray) -> np.ndarray:
    while True:
        with contextlib.suppress(Exception):
            x = x + 0


def waits(x: np.ndarray) -> None:
    time.sleep(3)


@pytest.mark.parametrize("answer", [endless, waits])
def test_an_endless_answer_is_ended(answer: Callable[[np.ndarray], Any]) -> None:
    start = time.perf_counter()
    outcome = SQUARE.examine(answer, seconds=0.3)
    assert time.perf_counter() - start < 2
    assert outcome.name == "endless"
    assert ("restart Python" in outcome.message) == (answer is waits)
    assert limits.SECONDS == 10


def test_check_hint_and_solution_keep_the_progress(capsys: pytest.CaptureFixture[str], room: Path) -> None:
    exercises.check("mnist.1", 39700)
    assert "mnist.1: not yet. The biases are missing" in capsys.readouterr().out
    for number in ("1", "2", "3", "3"):
        exercises.hint("mnist.1")
        assert f"mnist.1, hint {number} of 3: " in capsys.readouterr().out
    exercises.check("mnist.1", 39760)
    assert "mnist.1: right. Each of the 50 units" in capsys.readouterr().out
    exercises.solution("mnist.1")
    assert capsys.readouterr().out.startswith("weights = 784 * 50 + 50 + 50 * 10 + 10\n\nEach of")
    exercises.check("mnist.1", 1)
    kept = progress.read(room / progress.FILE_NAME).exercises["mnist.1"]
    assert (kept.tries, kept.hints, kept.solution_shown, bool(kept.solved)) == (2, 3, False, True)
    assert kept.outcomes == {"no_biases": 1, "right": 1}


@pytest.mark.parametrize("name", ["mnist.9", "mnist.0", "mnist", "minst.1", "", "mnist.x", None])
def test_an_unknown_exercise_is_a_line(name: Any, capsys: pytest.CaptureFixture[str]) -> None:
    exercises.check(name, 1)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and said.startswith("there is no exercise")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2}', '{"format": 1, "student": "a", "exercises": 3}'])
def test_a_damaged_file_of_progress_is_set_aside(content: str, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (room / progress.FILE_NAME).write_text(content, "utf-8")
    exercises.check("mnist.1", 39760)
    assert "mnist.1: right" in capsys.readouterr().out
    assert (room / f"{progress.FILE_NAME}.damaged").read_text("utf-8") == content
    assert progress.read(room / progress.FILE_NAME).is_solved("mnist.1")


def test_a_folder_that_takes_no_file_still_gets_its_answer(
    room: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (room / "taken").write_text("a file where the folder should be", "utf-8")
    monkeypatch.setenv("WORKSHOP_PROGRESS", str(room / "taken" / "progress.json"))
    exercises.check("mnist.1", 39760)
    said = capsys.readouterr().out
    assert "your progress is not kept" in said and "mnist.1: right" in said
