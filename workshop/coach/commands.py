"""The commands of the exercises: `python -m workshop exercises | watch | hint | solve | reset | progress`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workshop import LESSONS, coach, exercises
from workshop.coach import answers, tables, watching
from workshop.exercises.kit import progress
from workshop.kit import cli


def _parser(command: str) -> cli.Parser:
    return cli.Parser(prog=f"python -m workshop {command}", description=coach.__doc__)


def _exercise(command: str, argv: Sequence[str]) -> str:
    """Returns the name of an exercise, which a command takes."""
    parser = _parser(command)
    parser.add_argument("exercise", metavar="EXERCISE", help="its name, as mnist.2")
    return str(parser.parse_args(argv).exercise)


def list_exercises(argv: Sequence[str]) -> int:
    """Prints the exercises and which of them are done."""
    parser = _parser("exercises")
    parser.add_argument("lesson", nargs="?", metavar="LESSON", help="only those of this lesson")
    parser.add_argument("--student", metavar="NAME", help="keep this name with the progress, for the room's table")
    arguments = parser.parse_args(argv)
    if arguments.student is not None:
        kept = progress.load()
        kept.student = arguments.student
        progress.save(kept)
    print(tables.of_student(arguments.lesson))
    return 0


def watch(argv: Sequence[str]) -> int:
    """Checks the next exercise's file each time it is saved."""
    parser = _parser("watch")
    parser.add_argument("which", nargs="?", metavar="WHICH", help="a lesson, or one exercise (default: all)")
    which = parser.parse_args(argv).which
    if which in {lesson.name for lesson in LESSONS}:
        chosen = [exercise.name for exercise in exercises.of_lesson(which)]
    else:
        chosen = exercises.names() if which is None else [exercises.find(which).name]
    watching.watch(chosen)
    return 0


def hint(argv: Sequence[str]) -> int:
    """Prints the next hint of an exercise."""
    print(exercises.next_hint(_exercise("hint", argv)))
    return 0


def solve(argv: Sequence[str]) -> int:
    """Prints the solution of an exercise and its explanation; the student's file stays as it is."""
    print(exercises.shown_solution(_exercise("solve", argv)))
    return 0


def reset(argv: Sequence[str]) -> int:
    """Writes the file of an exercise anew; the old one is kept beside it."""
    exercise = exercises.find(_exercise("reset", argv))
    kept = answers.reset(exercise)
    print(f"{answers.answer_path(exercise)} is as it was at first{f'; yours is kept as {kept}' if kept else ''}")
    return 0


def room(argv: Sequence[str]) -> int:
    """Prints the room's tables."""
    parser = _parser("progress")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with the files of progress")
    print(tables.of_room(parser.parse_args(argv).folder))
    return 0
