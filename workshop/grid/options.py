"""The combinations of a grid, as options of a lesson's command; and a lesson that runs with one of them."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType

from workshop.grid.rows import Row
from workshop.kit.errors import WorkshopError

# The grid itself decides on these: a row saves no model over a good one, and writes its own table.
RESERVED = ("help", "models", "plots", "no_plots", "json", "resume", "quick", "tensorboard")


def read_grid(words: Sequence[str]) -> list[Row]:
    """Returns every combination of the values in words such as "optimizer=sgd,adam".

    Raises:
        WorkshopError: a word is of another form, or names an option that the grid decides on.
    """
    values: dict[str, list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        listed = [value for value in text.split(",") if value]
        if not (re.fullmatch("[a-z][a-z0-9_]*", name) and equals and listed):
            raise WorkshopError(f"--grid: got {word}, takes NAME=VALUE,VALUE,... such as optimizer=sgd,adam")
        if name in values or name in RESERVED:
            why = "a grid names an option once" if name in values else "a grid decides on it by itself"
            raise WorkshopError(f"--grid: got {word}, but {why}")
        values[name] = [*dict.fromkeys(listed)]
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def as_options(row: Mapping[str, str]) -> list[str]:
    """Returns the options of a combination as they are typed: ["--hidden-units", "128", "64", "--no-scaling"]."""
    options = []
    for name, value in row.items():
        if value != "no":
            options.append(f"--{name.replace('_', '-')}")
        if value not in ("yes", "no"):
            options += re.split(r"(?<!\d[eE])\+", value)  # 1e+3 is one number
    return options


def without_files(lesson: ModuleType, folder: str) -> list[str]:
    """Returns the options with which a lesson leaves no file but in this folder: not all lessons have `--models`."""
    options = ["--models", folder, "--no-plots"]
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            lesson.parse(lesson.__doc__, options)
        except SystemExit:
            return ["--no-plots"]
    return options


def check_options(lesson: str, rows: Iterable[Row], extra: Sequence[str]) -> None:
    """Has the lesson's own parser read every combination, before anything runs.

    Raises:
        WorkshopError: it refuses one.
    """
    module = importlib.import_module(f"workshop.{lesson}")
    with tempfile.TemporaryDirectory() as folder:
        unsaved = without_files(module, folder)
        for row in rows:
            with contextlib.redirect_stderr(io.StringIO()) as errors:
                try:
                    module.parse(module.__doc__, [*as_options(row), *extra, *unsaved])
                    continue
                except SystemExit:
                    pass
            reason = errors.getvalue().removeprefix("error: ").partition(" (--help lists")[0]
            raise WorkshopError(f"--grid: {reason} (python -m workshop.{lesson} --help lists the options)")


def run_lesson(lesson: str, options: Sequence[str]) -> Row:
    """Runs a lesson with its models in a folder that is then deleted; returns what its row of the table has."""
    module = importlib.import_module(f"workshop.{lesson}")
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        try:
            module.main([*options, *without_files(module, folder), "--json"])
        except (WorkshopError, SystemExit) as error:  # one row that fails leaves the others alone
            text = errors.getvalue() if isinstance(error, SystemExit) else str(error)
            return {"error": text.strip()}
    answer = json.loads(output.getvalue().splitlines()[-1])
    measured = {name: "nan" if value is None else str(value) for name, value in answer["metrics"].items()}
    return {**measured, "seconds": f"{answer['seconds']:.2f}", "data": answer["data"]}
