"""What each option of a command line takes, as recorded.

    python tests/helpers/options.py    # records it anew: look at what `git diff` says

A line is an option of a lesson, a program or a command: its name, what stands for its values in `--help`, what it is
where it is not given, how many values it takes, and which of those in VALUES; last, who has such an option.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from workshop import LESSONS

FILE = Path(__file__).parents[1] / "screens" / "options.txt"
PROGRAMS = sorted(path.stem for path in (Path(__file__).parents[2] / "apps").glob("[a-z]*.py"))
COMMANDS = [f"workshop {command}" for command in ("", "draw", "pack", "exercises", "watch", "hint", "solve", "reset")]
COMMANDS += ["workshop progress", "workshop.programs.digit_training"]
NAMES = [*(f"workshop.{lesson.name}" for lesson in LESSONS), *(f"apps.{program}" for program in PROGRAMS), *COMMANDS]
# In order, so that an option takes runs of them: on either side of each limit there is one.
VALUES = [
    *("-1e16", "-1", "0", "1", "2", "3", "19", "20", "21", "31", "32", "33", "511", "512", "513"),
    *("999", "1000", "1001", "65535", "65536", "2147483647", "2147483648"),
    *("-0.01", "0.0", "0.01", "0.49", "0.5", "0.52", "0.99", "1.0", "1.01", "1.5", "1e15", "1.05e15", "inf", "nan"),
    *("", "word", "all", "3.12", "3.123", "4.0", "linux", "linux_x86_64", "win_amd64"),
]


def parser_of(name: str, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """Returns the parser of a module's `main`, or of a command of one: "workshop draw"."""
    parsers: list[argparse.ArgumentParser] = []

    def remember(parser: argparse.ArgumentParser, *given: Any) -> None:
        parsers.append(parser)
        raise SystemExit

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", remember)
    module, *words = name.split()
    with pytest.raises(SystemExit):
        importlib.import_module(f"{module}.__main__" if module == "workshop" else module).main(words)
    (parser,) = parsers
    return parser


def is_taken(action: argparse.Action, text: str) -> bool:
    """Returns whether an option takes a value."""
    try:
        value = action.type(text) if callable(action.type) else text
    except (argparse.ArgumentTypeError, TypeError, ValueError):
        return False
    return action.choices is None or value in action.choices


def taken(action: argparse.Action) -> str:
    """Returns which of the values an option takes: the first and the last of each run."""
    if action.choices is not None:
        return f"of {' '.join(map(str, action.choices))}"
    runs: list[list[str]] = [[]]
    for text in VALUES:
        if is_taken(action, text):
            runs[-1].append(text or "''")
        elif runs[-1]:
            runs.append([])
    if len(runs[0]) == len(VALUES):
        return "of any kind"
    return "of " + ", ".join(" to ".join(dict.fromkeys([run[0], run[-1]])) for run in runs if run)


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yields a line for each option of a parser, `--help` aside."""
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._VersionAction):
            continue
        name = " ".join(action.option_strings) or action.dest
        default = action.default.as_posix() if isinstance(action.default, Path) else repr(action.default)
        if action.nargs == 0:
            yield f"{name}, else {default}"
            continue
        stand_in = action.metavar or ("" if action.choices else action.dest.upper())
        shown = f"{name} {stand_in if isinstance(stand_in, str) else ' '.join(stand_in)}".strip()
        yield f"{shown}, else {default}: {action.nargs or 1} {taken(action)}"


def recorded(name: str) -> list[str]:
    """Returns the recorded lines of the options that a name has."""
    lines = (line.rpartition(" | ") for line in FILE.read_text("utf-8").splitlines())
    return [option for option, _, names in lines if name.strip() in names.split("; ")]


def main() -> None:
    """Records the options of each name."""
    names_of: dict[str, list[str]] = {}
    for name in NAMES:
        with pytest.MonkeyPatch.context() as patch:
            for option in options_of(parser_of(name, patch)):
                names_of.setdefault(option, []).append(name.strip())
    lines = [f"{option} | {'; '.join(names)}" for option, names in sorted(names_of.items())]
    FILE.write_text("\n".join([*lines, ""]), "utf-8")
    print(f"{len(lines)} options")


if __name__ == "__main__":
    main()
