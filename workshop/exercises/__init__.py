"""Exercises for every lesson, each with a check, hints, a solution and an explanation.

In a notebook:

    from workshop.exercises import check, hint, solution

    check("mnist.2", answer)    # right, or why not
    hint("mnist.2")             # the next of its hints
    solution("mnist.2")         # the solution, and why it is so

In a terminal: `python -m workshop exercises` and `python -m workshop watch`. The exercises of a lesson are in
`workshop/exercises/<lesson>.py`; `workshop.exercises.kit` has what they share.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import importlib.util
from typing import Any

from workshop import LESSONS
from workshop.exercises.kit import progress
from workshop.exercises.kit.exercise import Exercise, Outcome
from workshop.kit.errors import WorkshopError


@functools.cache
def of_lesson(lesson: str) -> tuple[Exercise, ...]:
    """Returns the exercises of a lesson, in order; none where it has none."""
    module = f"{__name__}.{lesson}"
    if importlib.util.find_spec(module) is None:
        return ()
    exercises = importlib.import_module(module).EXERCISES
    return tuple(dataclasses.replace(exercise, name=f"{lesson}.{i}") for i, exercise in enumerate(exercises, 1))


def names() -> list[str]:
    """Returns the names of all exercises, in teaching order."""
    return [exercise.name for lesson in LESSONS for exercise in of_lesson(lesson.name)]


def find(name: str) -> Exercise:
    """Returns an exercise by its name, "mnist.2".

    Raises:
        WorkshopError: there is none of that name.
    """
    lesson, _, number = str(name).partition(".")
    exercises = of_lesson(lesson) if lesson in {registered.name for registered in LESSONS} else ()
    if number.isdecimal() and 1 <= int(number) <= len(exercises):
        return exercises[int(number) - 1]
    if exercises:
        last = exercises[-1].name
        raise WorkshopError(f"there is no exercise {name}: {lesson} has {exercises[0].name} to {last}")
    near = difflib.get_close_matches(str(name), names(), n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise WorkshopError(f"there is no exercise {name}: {meant}python -m workshop exercises lists them")


def record(name: str, outcome: Outcome) -> None:
    """Keeps in the file of progress what a check found."""
    student_progress = progress.load()
    student_progress.entry(name).add(outcome.name)
    progress.save(student_progress)


def verdict(exercise: Exercise, outcome: Outcome) -> str:
    """Returns what the student reads after a check."""
    if outcome.is_right:
        return f"{exercise.name}: right. {outcome.message}"
    return f"{exercise.name}: not yet. {outcome.message}"


def check(name: str, answer: Any) -> None:
    """Checks an answer to an exercise and prints what it found: right and why, or what is wrong.

    Args:
        name: of the exercise, "mnist.2".
        answer: the value or the function that the exercise asks for. Whatever it is, the check ends within ten
            seconds or so, and raises nothing.
    """
    try:
        exercise = find(name)
    except WorkshopError as error:
        print(error)
        return
    outcome = exercise.examine(answer)
    record(name, outcome)
    print(verdict(exercise, outcome))
    if not outcome.is_right:
        print(f'Stuck? hint("{name}")')


def next_hint(name: str) -> str:
    """Returns the next hint of an exercise, and counts it; after the last one, that again.

    Raises:
        WorkshopError: there is no such exercise.
    """
    exercise = find(name)
    student_progress = progress.load()
    entry = student_progress.entry(name)
    index = min(entry.hints, len(exercise.hints) - 1)
    entry.hints = index + 1
    progress.save(student_progress)
    return f"{name}, hint {index + 1} of {len(exercise.hints)}: {exercise.hints[index]}"


def shown_solution(name: str) -> str:
    """Returns the solution of an exercise and its explanation; the progress says that it was seen.

    Raises:
        WorkshopError: there is no such exercise.
    """
    exercise = find(name)
    student_progress = progress.load()
    entry = student_progress.entry(name)
    entry.solution_shown = entry.solution_shown or not entry.solved
    progress.save(student_progress)
    return f"{exercise.solution.strip()}\n\n{exercise.explanation}"


def hint(name: str) -> None:
    """Prints the next hint of an exercise."""
    try:
        print(next_hint(name))
    except WorkshopError as error:
        print(error)


def solution(name: str) -> None:
    """Prints the solution of an exercise, and why it is so."""
    try:
        print(shown_solution(name))
    except WorkshopError as error:
        print(error)
