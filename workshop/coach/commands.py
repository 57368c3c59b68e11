"""The commands of the exercises: `python -m workshop exercises | watch | hint | solve | reset | progress`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from workshop import LESSONS, coach, exercises
from workshop.coach import answers, tables, watching
from workshop.exercises.kit import progress
from workshop.kit import cli


def _parser(command: str, argv: Sequence[str], *arguments: tuple[str, str, str]) -> argparse.Namespace:
    """Reads the arguments of a command: each has a name, what `--help` says, and how often it comes ("?" or "1")."""
    parser = cli.Parser(prog=f"python -m workshop {command}", description=coach.__doc__)
    for name, text, count in arguments:
        if name.startswith("--"):
            parser.add_argument(name, metavar="NAME", help=text)
        else:
            parser.add_argument(name, nargs="?" if count == "?" else None, metavar=name.upper(), help=text)
    return parser.parse_args(argv)


def list_exercises(argv: Sequence[str]) -> int:
    """Prints the exercises and which of them are done."""
    arguments = _parser(
        "exercises",
        argv,
        ("lesson", "only those of this lesson", "?"),
        ("--student", "keep this name with the progress, for the room's table", "?"),
    )
    if arguments.student is not None:
        kept = progress.load()
        kept.student = arguments.student
        progress.save(kept)
    print(tables.of_student(arguments.lesson))
    return 0


def watch(argv: Sequence[str]) -> int:
    """Checks the next exercise's file each time it is saved."""
    which = _parser("watch", argv, ("which", "a lesson, or one exercise (default: all)", "?")).which
    if which in {lesson.name for lesson in LESSONS}:
        chosen = [one.name for one in exercises.of_lesson(which)]
    else:
        chosen = exercises.names() if which is None else [exercises.find(which).name]
    watching.watch(chosen)
    return 0


def hint(argv: Sequence[str]) -> int:
    """Prints the next hint of an exercise."""
    print(exercises.next_hint(_parser("hint", argv, ("exercise", "its name, as mnist.2", "1")).exercise))
    return 0


def solve(argv: Sequence[str]) -> int:
    """Prints the solution of an exercise and its explanation; the student's file stays as it is."""
    print(exercises.shown_solution(_parser("solve", argv, ("exercise", "its name, as mnist.2", "1")).exercise))
    return 0


def reset(argv: Sequence[str]) -> int:
    """Writes the file of an exercise anew; the old one is kept beside it."""
    exercise = exercises.find(_parser("reset", argv, ("exercise", "its name, as mnist.2", "1")).exercise)
    kept = answers.reset(exercise)
    print(f"{answers.answer_path(exercise)} is as it was at first{f'; yours is kept as {kept}' if kept else ''}")
    return 0


def room(argv: Sequence[str]) -> int:
    """Prints the room's tables."""
    print(tables.of_room(Path(_parser("progress", argv, ("folder", "with the files of progress", "1")).folder)))
    return 0
