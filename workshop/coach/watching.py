"""`watch`: the next exercise's file is checked each time that it is saved."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from workshop import exercises
from workshop.coach import answers
from workshop.coach.keys import keys
from workshop.exercises.kit import progress
from workshop.exercises.kit.exercise import Exercise

SECONDS = 0.3  # between two looks at the file
KEYS = "h: hint   s: solution   n: next exercise   q: quit"


def watch(chosen: Sequence[str]) -> None:
    """Goes through the exercises of these names that are not solved yet, one after the other, until `q` or Ctrl-C.

    Args:
        chosen: the names; the first that is not solved is the first to do.
    """
    with keys() as key:
        skipped: set[str] = set()
        while True:
            kept = progress.load()
            left = [name for name in chosen if not kept.is_solved(name)]
            if not left:
                print("All done. python -m workshop exercises lists what there is.")
                return
            name = next((unsolved for unsolved in left if unsolved not in skipped), None)
            if name is None:  # all were skipped: once more from the first
                skipped.clear()
                name = left[0]
            exercise = exercises.find(name)
            path = answers.prepare(exercise)
            _introduce(exercise, path, len(chosen) - len(left), len(chosen))
            pressed = _until_done(exercise, path, key)
            if pressed == "q":
                print("python -m workshop watch goes on from here.")
                return
            skipped.add(name)


def _introduce(exercise: Exercise, path: Path, done: int, total: int) -> None:
    title = f"{exercise.name}: {exercise.title}"
    print(f"\n{title}   ({done} of {total} done)\n{'-' * len(title)}")
    for line in exercise.task.splitlines():
        print(textwrap.fill(line, 100))
    print(f"\nWrite your answer in {path} and save it: each time it is checked.\n{KEYS}", flush=True)


def _stamp(path: Path) -> tuple[int, int]:
    """Returns what changes when a file is saved; an editor may take it away for a moment."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _until_done(exercise: Exercise, path: Path, key: Callable[[float], str]) -> str:
    """Checks a file whenever it is saved; returns "n" or "q" once that key was pressed, "" once the answer is right."""
    is_new = path.read_bytes() == answers.new_file(exercise).encode()
    seen = _stamp(path) if is_new else (0, 0)  # in a new file there is nothing to check yet
    while True:
        with answers.Checker(exercise, path) as checker:
            pressed = _until_saved(exercise, path, seen, key)
            if pressed:
                return pressed
            seen = _stamp(path)
            outcome = checker.examine()
        exercises.record(exercise.name, outcome)
        print(f"\n{textwrap.fill(exercises.verdict(exercise, outcome), 100)}", flush=True)
        if outcome.is_right:
            return ""


def _until_saved(exercise: Exercise, path: Path, seen: tuple[int, int], key: Callable[[float], str]) -> str:
    """Waits until a file is no longer as it was seen, and returns ""; or "n" or "q" once that key was pressed."""
    while _stamp(path) in (seen, (0, 0)):
        pressed = key(SECONDS)
        if pressed == "h":
            print(f"\n{textwrap.fill(exercises.next_hint(exercise.name), 100)}", flush=True)
        elif pressed == "s":
            print(f"\n{exercises.shown_solution(exercise.name)}", flush=True)
        elif pressed in ("n", "q"):
            return pressed
    return ""
