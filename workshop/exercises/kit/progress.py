"""A student's progress, in a small JSON file that an instructor can collect.

{"format": 1, "student": "ana", "exercises": {"mnist.2": {"tries": 3, "hints": 1, "solution_shown": false,
 "outcomes": {"not_divided": 2, "right": 1}, "solved": "2026-11-26 10:04"}}}
"""

from __future__ import annotations

import getpass
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

FILE_NAME = "workshop-progress.json"
FORMAT = 1


@dataclass
class Entry:
    """The progress with one exercise.

    Attributes:
        tries: how often it was checked, up to the first right answer.
        hints: how many were shown.
        solution_shown: whether the solution was, before the answer was right.
        outcomes: how often each outcome came, by its name.
        solved: when the answer was right for the first time, "2026-11-26 10:04"; else empty.
    """

    tries: int = 0
    hints: int = 0
    solution_shown: bool = False
    outcomes: dict[str, int] = field(default_factory=dict)
    solved: str = ""

    def add(self, outcome: str) -> None:
        """Counts a check and what it found."""
        if not self.solved:
            self.tries += 1
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
            if outcome == "right":
                self.solved = time.strftime("%Y-%m-%d %H:%M")


@dataclass
class Progress:
    """A student's name and what was done, by the exercises' names."""

    student: str
    exercises: dict[str, Entry] = field(default_factory=dict)

    def entry(self, name: str) -> Entry:
        """Returns what was done with an exercise, an empty entry at first."""
        return self.exercises.setdefault(name, Entry())

    def is_solved(self, name: str) -> bool:
        """Whether an exercise has had a right answer."""
        return name in self.exercises and bool(self.exercises[name].solved)


def default_path() -> Path:
    """Returns where the progress is kept: WORKSHOP_PROGRESS, or a file in the current folder."""
    return Path(os.environ.get("WORKSHOP_PROGRESS") or FILE_NAME)


def read(path: FilePath) -> Progress:
    """Reads a file of progress.

    Raises:
        WorkshopError: it is no such file, or damaged.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        known = {}
        for name, values in content["exercises"].items():
            entry = Entry(**values)
            if not all(isinstance(count, int) for count in (entry.tries, entry.hints, *entry.outcomes.values())):
                raise ValueError(f"{name} has no whole numbers")
            known[str(name)] = entry
        return Progress(str(content["student"]), known)
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"got {path}, which is no file of progress, or is damaged ({error})"
        raise WorkshopError(f"{why}: it takes the {FILE_NAME} that the exercises write") from error


def load() -> Progress:
    """Returns the progress of this folder; a new one where there is none. A damaged file is set aside, not lost."""
    path = default_path()
    if path.exists():
        try:
            return read(path)
        except WorkshopError as error:
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            print(f"note: {error}; it is kept as {aside.name}, and a new one begins")
    return Progress(os.environ.get("WORKSHOP_STUDENT") or _user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without names
        return "student"


def save(progress: Progress) -> None:
    """Writes the progress, in one step; where nothing can be written, says so and goes on."""
    content = {
        "format": FORMAT,
        "student": progress.student,
        "exercises": {name: asdict(entry) for name, entry in progress.exercises.items()},
    }
    try:
        files.write_atomically(default_path(), json.dumps(content, indent=1).encode())
    except WorkshopError as error:
        print(f"note: your progress is not kept: {error}")
