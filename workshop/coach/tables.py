"""The tables of the exercises: what one student has done, and what a room has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from workshop import LESSONS, exercises
from workshop.exercises.kit import progress
from workshop.exercises.kit.progress import Entry, Progress
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.report import format_table


def _state(entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry.solved:
        return f"done{', solution seen' if entry.solution_shown else ''}"
    return f"tried {entry.tries} times" if entry.tries > 1 else "tried once" if entry.tries else ""


def of_student(lesson: str | None = None) -> str:
    """Returns the exercises of all lessons, or of one, each with whether it is done.

    Raises:
        WorkshopError: there is no such lesson, or it has no exercises.
    """
    known = [registered.name for registered in LESSONS]
    if lesson is not None and lesson not in known:
        raise WorkshopError(f"got {lesson}, takes a lesson: {', '.join(known)}")
    chosen = exercises.names() if lesson is None else [exercise.name for exercise in exercises.of_lesson(lesson)]
    kept = progress.load()
    rows = [(name, exercises.find(name).title, _state(kept.exercises.get(name))) for name in chosen]
    done = sum(kept.is_solved(name) for name in chosen)
    following = next((name for name in chosen if not kept.is_solved(name)), None)
    lines = [format_table(["exercise", "what to do", kept.student], rows), "", f"{done} of {len(chosen)} done"]
    if following is not None:
        lines.append(f"The next is {following}: python -m workshop watch{f' {lesson}' if lesson else ''}")
    return "\n".join(lines)


def read_folder(folder: FilePath) -> tuple[list[tuple[Path, Progress]], list[str]]:
    """Returns the files of progress in a folder and below it, and a line for each .json that is none.

    Raises:
        WorkshopError: it is no folder, or holds none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise WorkshopError(f"got {folder}, takes a folder with the {progress.FILE_NAME} of each student in it")
    files, others = [], []
    for path in sorted(folder.rglob("*.json")):
        try:
            files.append((path, progress.read(path)))
        except WorkshopError as error:
            others.append(f"left out: {error}")
    if not files:
        raise WorkshopError(f"got {folder}, in which no .json is a file of progress: collect {progress.FILE_NAME}")
    return files, others


def of_room(folder: FilePath) -> str:
    """Returns the room's tables: what each student has done, and how each exercise went.

    Raises:
        WorkshopError: the folder holds no file of progress.
    """
    files, others = read_folder(folder)
    total = len(exercises.names())
    rows = []
    for path, kept in sorted(files, key=lambda pair: pair[1].student.casefold()):
        entries = list(kept.exercises.values())
        solved = [entry for entry in entries if entry.solved]
        rows.append(
            (
                one_line(kept.student)[:30],
                f"{len(solved)} of {total}",
                sum(entry.tries for entry in entries),
                sum(entry.hints for entry in entries),
                sum(entry.solution_shown for entry in entries),
                max((entry.solved for entry in solved), default=""),
                str(path.relative_to(folder)),
            )
        )
    head = ["student", "done", "checks", "hints", "solutions seen", "last", "file"]
    lines = [format_table(head, rows), ""]
    started = {name for _, kept in files for name in kept.exercises}
    of_exercises = []
    for name in exercises.names():
        if name not in started:
            continue
        entries = [kept.exercises[name] for _, kept in files if name in kept.exercises]
        wrong: Counter[str] = Counter()
        for entry in entries:
            wrong.update({outcome: count for outcome, count in entry.outcomes.items() if outcome != "right"})
        of_exercises.append(
            (
                name,
                f"{sum(bool(entry.solved) for entry in entries)} of {len(entries)}",
                sum(entry.tries for entry in entries),
                sum(entry.hints for entry in entries),
                ", ".join(f"{one_line(mistake)} {count}" for mistake, count in wrong.most_common(3)),
            )
        )
    lines.append(format_table(["exercise", "done", "checks", "hints", "what was wrong, how often"], of_exercises))
    return "\n".join([*lines, *others])
