"""An exercise, and its check, which knows the typical wrong answers and says why they are wrong."""

from __future__ import annotations

import ast
import copy
import functools
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from workshop.exercises.kit import limits
from workshop.exercises.kit.comparing import UnlikeError, check_same, describe, is_same

RIGHT = "right"
UNANSWERED = "unanswered"
# What can be wrong with any answer; an exercise's own mistakes have other names.
GENERAL = (UNANSWERED, "error", "endless", "changes_input", "nan", "type", "shape", "value")


class Mistake(NamedTuple):
    """A typical wrong answer.

    Attributes:
        name: in one word, such as "not_divided".
        says: what the student reads: why it is wrong, without the right answer.
        code: the wrong answer itself, as `Exercise.solution` is written.
    """

    name: str
    says: str
    code: str


class Outcome(NamedTuple):
    """The result of a check: `RIGHT`, one of `GENERAL` or the name of a mistake, and the text for the student."""

    name: str
    message: str

    @property
    def is_right(self) -> bool:
        """Whether the answer is right."""
        return self.name == RIGHT


class AnswerError(Exception):
    """Raised by the grader of an exercise: the answer is wrong, and the text says why. `kind` is one of `GENERAL`."""

    def __init__(self, text: str, kind: str = "value") -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class Exercise:
    """One "your turn": a function or a value to write.

    Attributes:
        title: in a line.
        task: what the student is to do, in a few sentences of Markdown.
        stub: the code to begin with. The last name that it defines is the answer: a function whose body is `...`, or a
            value `...`.
        solution: the same, finished.
        explanation: why it is so; read once the answer is right, or with the solution.
        hints: from a nudge to nearly the answer, two at least.
        mistakes: typical wrong answers, two at least.
        inputs: of a function: the arguments of each call that the check makes.
        tolerance: how far a number may be off.
        grade: where more than one answer is right: gets the answer; returns "" where it is right or the name of a
            mistake, or raises `AnswerError`.
        imports: the code that the stub needs before it, as a notebook has it in its first cells.
        name: "mnist.2", from the lesson and the order; `workshop.exercises` fills it in.
    """

    title: str
    task: str
    stub: str
    solution: str
    explanation: str
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    inputs: tuple[tuple[Any, ...], ...] = ()
    tolerance: float = 1e-6
    grade: Callable[[Any], str] | None = None
    imports: str = "import numpy as np"
    name: str = ""

    @property
    def answer_name(self) -> str:
        """The name that a student's code gives to the answer."""
        last = ast.parse(self.stub).body[-1]
        if isinstance(last, ast.Assign):
            return ast.unparse(last.targets[0])
        assert isinstance(last, (ast.FunctionDef, ast.ClassDef)), f"{self.name}: the stub ends with no answer"
        return last.name

    def run(self, code: str) -> Any:
        """Returns the answer that a piece of code gives, an answer of this exercise: a function or a value."""
        namespace: dict[str, Any] = {"__name__": "answer"}
        exec(compile(f"{self.imports}\n{code}", f"<{self.name}>", "exec"), namespace)
        return namespace[self.answer_name]

    @functools.cached_property
    def expected(self) -> list[Any]:
        """The results of the solution: for each of `inputs`, or, without inputs, its value."""
        return self._results(self.run(self.solution))

    @functools.cached_property
    def _wrong(self) -> dict[str, list[Any]]:
        """The results of each mistake; one that raises an error is known by nothing."""
        return {mistake.name: self._results(self.run(mistake.code), lenient=True) for mistake in self.mistakes}

    def _results(self, answer: Any, lenient: bool = False) -> list[Any]:
        if not self.inputs:
            return [answer]
        results = []
        for arguments in self.inputs:
            try:
                results.append(answer(*copy.deepcopy(arguments)))
            except Exception:
                if not lenient:
                    raise
                results.append(_Failed)
        return results

    def examine(self, answer: Any, seconds: float = limits.SECONDS) -> Outcome:
        """Returns what is to be said of an answer, whatever object it is; takes at most `seconds` and a moment."""
        try:
            return limits.within(seconds, self._examine, answer)
        except limits.TimeIsUpError as error:
            left = "" if error.is_stopped else " It could not be stopped: restart Python (in a notebook, the kernel)."
            return Outcome(
                "endless", f"It did not end within {seconds:g} seconds. Is there a loop without an end?{left}"
            )
        except BaseException as error:  # an object that raises when it is looked at; `exit()`
            return Outcome("error", f"Your answer cannot be looked at: {tell_error(error)}")

    def _examine(self, answer: Any) -> Outcome:
        if answer is ... or answer is None:
            return Outcome(UNANSWERED, f"Nothing yet: {self.answer_name} is still ... - write your answer there.")
        try:
            if self.grade is not None:
                return self._outcome(self.grade(answer))
            return self._compare(answer)
        except AnswerError as error:
            return Outcome(error.kind, str(error))

    def _outcome(self, name: str) -> Outcome:
        if not name:
            return Outcome(RIGHT, self.explanation)
        return Outcome(name, next(mistake.says for mistake in self.mistakes if mistake.name == name))

    def _compare(self, answer: Any) -> Outcome:
        results, prefixes = [answer], [""]
        if self.inputs:
            if not callable(answer):
                raise AnswerError(f"Expected a function; you gave {describe(answer)}.", "type")
            results, prefixes = [], [f"For {_call(arguments)} your function gives " for arguments in self.inputs]
            for arguments in self.inputs:
                results.append(call(answer, *arguments))
            if all(result is None or result is ... for result in results):
                text = f"Nothing yet: {self.answer_name} returns nothing. Does it end with return?"
                return Outcome(UNANSWERED, text)
        if all(is_same(*pair, self.tolerance) for pair in zip(results, self.expected, strict=True)):
            return self._outcome("")
        for mistake, wrong in self._wrong.items():
            if all(is_same(*pair, self.tolerance) for pair in zip(results, wrong, strict=True)):
                return self._outcome(mistake)
        for result, expected, prefix in zip(results, self.expected, prefixes, strict=True):
            try:
                check_same(result, expected, self.tolerance)
            except UnlikeError as difference:
                text = f"{prefix}{difference}" if prefix else f"You gave {difference}"
                end = ". That is not it." if difference.kind == "value" else "."
                raise AnswerError(f"{text.rstrip('.?')}{'?' if text.endswith('?') else end}", difference.kind) from None
        raise AssertionError("two results differ, and do not")


class _Failed:
    """Stands for the result of a call that raised an error: equal to nothing."""


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what a student's function gives; for graders too.

    Raises:
        AnswerError: it raised an error, or changed its arguments.
    """
    copies, originals = copy.deepcopy(arguments), copy.deepcopy(arguments)
    try:
        result = function(*copies)
    except (Exception, SystemExit) as error:
        raise AnswerError(f"For {_call(arguments)} your function stopped: {tell_error(error)}", "error") from None
    for value, original in zip(copies, originals, strict=True):
        if not _unchanged(value, original):
            text = f"Your function changed what it was given, {_call(arguments)}: compute on a copy, or on new values."
            raise AnswerError(text, "changes_input")
    return result


def _unchanged(value: Any, original: Any) -> bool:
    try:
        return is_same(value, original, 0)
    except Exception:  # a model, a function: nothing that a student changes by mistake
        return True


def _call(arguments: tuple[Any, ...]) -> str:
    return ", ".join(describe(argument) for argument in arguments)


def _is_library(file: str) -> bool:
    """Whether a file is part of this package or of an installed library, and so no student's."""
    return Path(file).is_relative_to(Path(__file__).parents[2]) or "site-packages" in file


def tell_error(error: BaseException) -> str:
    """Returns an error in a line: its kind, its text, and the line of the student's code that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    where = f", in line {frames[-1].lineno} of your code" if frames else ""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}{': ' if text else ''}{text}{where}"
