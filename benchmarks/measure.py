"""Timing whole commands: wall-clock seconds and peak memory of a process, as the operating system counts them."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parents[1] / "README.md"


class Measurement(NamedTuple):
    """One run of a command.

    Attributes:
        seconds: from its start to its end, by the wall clock.
        megabytes: its peak memory (resident set), in units of 1,000,000 bytes.
        output: what it printed on standard output.
    """

    seconds: float
    megabytes: float
    output: str


def run(arguments: Sequence[str], folder: Path, **environment: str) -> Measurement:
    """Runs this Python with `arguments` in `folder` and measures it.

    Raises:
        RuntimeError: the command failed.
    """
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            stdout=output,
            stderr=subprocess.DEVNULL,
            env=os.environ | environment,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with exit code {process.returncode}")
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return Measurement(seconds, usage.ru_maxrss * kilobyte / 1e6, text)


def parse(parser: argparse.ArgumentParser, names: Sequence[str]) -> argparse.Namespace:
    """Returns the options of a command that takes names of lessons too: `lessons`, all where none is named."""
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help=f"some of {', '.join(names)} (default: all)")
    arguments = parser.parse_args()
    unknown = set(arguments.lessons) - set(names)
    if unknown:
        parser.error(f"no lesson {', '.join(sorted(unknown))}")
    arguments.lessons = arguments.lessons or names
    return arguments


def machine() -> str:
    """Returns a line that says what the results were measured on."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a table that can be pasted into the README."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_into_readme(name: str, table: str) -> None:
    """Replaces what stands in README.md between `<!-- name -->` and `<!-- end of name -->` by a table.

    Raises:
        ValueError: the two lines are not there.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, separator, rest = README.read_text("utf-8").partition(begin)
    if not separator or end not in rest:
        raise ValueError(f"README.md has no {begin.strip()} ... {end}")
    beside = README.with_name("README.md.new")
    beside.write_text(f"{before}{begin}{table.strip()}\n{end}{rest.partition(end)[2]}", "utf-8")
    beside.replace(README)
