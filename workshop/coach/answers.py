"""A student's files, one for each exercise: written from the stub, run and checked in a process of their own."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from workshop import exercises
from workshop.exercises.kit import limits
from workshop.exercises.kit.exercise import UNANSWERED, Exercise, Outcome, tell_error
from workshop.kit import files, lazy
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

FOLDER = Path("exercises")
START_SECONDS = 50  # for Python itself and the libraries that a file imports, on a slow machine


def answer_path(exercise: Exercise) -> Path:
    """Returns the file of an exercise: "exercises/mnist_2.py"."""
    return FOLDER / f"{exercise.name.replace('.', '_')}.py"


def new_file(exercise: Exercise) -> str:
    """Returns the file that a student begins with: the task, what the code imports, the stub."""
    task = "\n".join(textwrap.fill(line, 100) for line in exercise.task.splitlines())
    return f'"""{exercise.name}: {exercise.title}.\n\n{task}\n"""\n\n{exercise.imports}\n\n\n{exercise.stub.strip()}\n'


def prepare(exercise: Exercise) -> Path:
    """Returns the file of an exercise; writes it where there is none yet."""
    path = answer_path(exercise)
    if not path.exists():
        files.write_atomically(path, new_file(exercise).encode())
    return path


def reset(exercise: Exercise) -> Path | None:
    """Writes the file of an exercise anew; returns where the old one is kept, None where it was not touched yet."""
    path = answer_path(exercise)
    kept = None
    if path.exists() and path.read_bytes() != new_file(exercise).encode():
        free = (path.with_name(f"{path.stem}.old-{number}.py") for number in itertools.count(1))
        kept = path.replace(next(old for old in free if not old.exists()))
    files.write_atomically(path, new_file(exercise).encode())
    return kept


class Checker:
    """A process of its own that runs a file and checks its answer, once; what the file prints is shown.

    It imports what the exercise needs, which takes seconds for Keras, before it is asked: so it is started while the
    student still writes. A file that never ends, or that ends Python, is an outcome like any other.
    """

    def __init__(self, exercise: Exercise, path: FilePath) -> None:
        self.path = path
        self._folder = tempfile.TemporaryDirectory()
        self._told = Path(self._folder.name) / "outcome.json"
        command = [sys.executable, "-m", "workshop.coach.answers", exercise.name, str(path), str(self._told)]
        # In a session of its own it does not see Ctrl-C, which is for `watch`.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def examine(self) -> Outcome:
        """Returns what is to be said of the file as it is now."""
        try:
            self._process.communicate(b"go\n", timeout=START_SECONDS + 2 * limits.SECONDS)
        except subprocess.TimeoutExpired:
            return Outcome("endless", "It did not end. Is there a loop without an end?")
        try:
            return Outcome(*json.loads(self._told.read_text("utf-8")))
        except (OSError, ValueError):
            return Outcome("error", f"Python ended while it ran {self.path}.")


def _examine_here(exercise: Exercise, path: Path) -> Outcome:
    try:
        source = path.read_text("utf-8-sig")
        code = compile(source, str(path), "exec")
    except SyntaxError as error:
        line = (error.text or "").strip()[:60]
        return Outcome("error", f"Python cannot read line {error.lineno} of {path}, {line!r}: {error.msg}.")
    except (OSError, ValueError) as error:
        return Outcome("error", f"{path} cannot be read: {error}.")
    _import_for(source)
    namespace: dict[str, Any] = {"__name__": "answer"}
    try:
        limits.within(limits.SECONDS, exec, code, namespace)
    except limits.TimeIsUpError as error:
        return Outcome("endless", f"{path}: {error}. Is there a loop without an end?")
    except BaseException as error:
        return Outcome("error", f"{path} stopped: {tell_error(error)}.")
    if exercise.answer_name not in namespace:
        text = f"{path} no longer defines {exercise.answer_name}: python -m workshop reset {exercise.name} begins anew."
        return Outcome(UNANSWERED, text)
    return exercise.examine(namespace[exercise.answer_name])


def _import_for(source: str) -> None:
    """Imports the large libraries that a piece of code needs: it takes seconds, which are not the answer's."""
    for library in ("keras", "torch"):
        if library in source and importlib.util.find_spec(library):
            lazy.load(library)


def _main(name: str, path: str, told: str) -> None:
    exercise = exercises.find(name)
    _import_for(exercise.imports)
    if not sys.stdin.readline():  # `watch` has ended, and nobody asks
        return
    outcome = _examine_here(exercise, Path(path))
    sys.stdout.flush()
    Path(told).write_text(json.dumps(outcome), "utf-8")


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except (WorkshopError, KeyboardInterrupt) as end:
        sys.exit(str(end) or "stopped")
    # A thread that could not be stopped must not keep the process.
    import os

    sys.stdout.flush()
    os._exit(0)
