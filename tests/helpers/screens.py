"""What the quick runs print and draw, as recorded: the texts, and the numbers that depend on no seed and no clock.

    python tests/helpers/screens.py                   # records all of them anew: look at what `git diff` says
    python tests/helpers/screens.py xor torch-xor     # these

A quick run is recorded with three seeds, one after the other. A line that all three print is kept; where its numbers
differ, and where a clock counts, `□` stands for them. A run has to print the kept lines in this order, others between.
"""

import argparse
import difflib
import functools
import importlib
import random
import re
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.engines import EACH_LESSON, MIRRORS, PACKAGES, quick_options
from helpers.lesson_runs import Run, start, without_published_data
from workshop import LESSONS

FOLDER = Path(__file__).parents[1] / "screens"
SEEDS = (1, 2, 3)
NUMBER = re.compile(r"(?<![A-Za-z_\d])[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?(?![A-Za-z_\d])|\bnan\b|\binf\b")
ANY = "□"  # in the place of a number
NOISE = re.compile(r"e-(0[6-9]|[1-9]\d)")  # of rounding, which differs from one processor to another
# What differs from place to place: the machine, paths, the progress, the last line, which is for programs.
ELSEWHERE = re.compile(r"^(Engine|Model|Plots) |^\{|^Epoch \d|^\d+/\d+ |(^| )/\S+/")
RECORDED = [lesson.name for lesson in LESSONS] + [f"{engine}-{one}" for engine in MIRRORS for one in EACH_LESSON]


def lines_of(run: Run) -> list[str]:
    """Returns the lines that a run can be held to: their words one space apart, without rules and frames."""
    lines = (re.sub(r"[^\x20-\x7e]|-{2,}|={2,}", " ", line) for line in [*run.lines, *run.drawn])
    return [" ".join(line.split()) for line in lines if line.strip() and not ELSEWHERE.search(line)]


def without_numbers(line: str) -> str:
    """Returns a line with `□` for each of its numbers."""
    return NUMBER.sub(ANY, line)


def common(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the pairs of lines, in order, that are the same but for their numbers."""
    one, other = ([without_numbers(line) for line in lines] for lines in (first, second))
    for block in difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks():
        yield from zip(first[block.a :][: block.size], second[block.b :][: block.size], strict=True)


def merge(first: str, second: str) -> str:
    """Returns a line with `□` for the numbers that differ in another one of the same text."""
    others = iter(NUMBER.findall(second))

    def agreed(match: re.Match[str]) -> str:
        return match[0] if match[0] == next(others) and not NOISE.search(match[0]) else ANY

    return re.sub(f"{NUMBER.pattern}|{ANY}", agreed, first)


def find_missing(expected: Sequence[str], run: Run) -> str | None:
    """Returns the first of the expected lines that a run did not print, in their order; None where all are there."""
    printed = iter(lines_of(run))
    for line in expected:
        pattern = re.compile(rf"({NUMBER.pattern})".join(re.escape(part) for part in line.split(ANY)))
        if not any(pattern.fullmatch(other) for other in printed):
            return line
    return None


def assert_screen(name: str, run: Run) -> None:
    """Compares what a quick run printed with what was recorded under this name."""
    expected = (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    missing = find_missing(expected, run)
    assert missing is None, f"not printed, or elsewhere: {missing}\nMeant so? python tests/helpers/screens.py {name}"


# --- Recording --------------------------------------------------------------------------------------------------------


def jumping(clock: Callable[[], float]) -> Callable[[], float]:
    """Returns a clock of which no two measurements agree."""
    passed, generator = [0.0], random.Random()

    def tell() -> float:
        passed[0] += generator.uniform(1, 100)
        return clock() + passed[0]

    return tell


def record(name: str) -> list[str]:
    """Returns the lines that the quick runs of a lesson or a mirror have in common."""
    engine, _, lesson = name.rpartition("-")
    module = importlib.import_module(f"workshop.{PACKAGES[engine or 'keras']}{lesson}")
    options = quick_options(lesson) if engine else ["--quick"]
    kept: list[str] | None = None
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            clock = jumping(time.perf_counter)
            patch.setattr(time, "perf_counter", clock)
            patch.setattr(timeit, "repeat", functools.partial(timeit.repeat, timer=clock))
            with without_published_data(Path(folder)):
                lines = lines_of(start(module, Path(folder), *options, "--seed", str(seed), is_drawn=False))
        kept = lines if kept is None else [merge(one, other) for one, other in common(kept, lines)]
    assert kept
    return kept


def main() -> None:
    """Records the screens that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*RECORDED, []], metavar="NAME")
    FOLDER.mkdir(exist_ok=True)
    for name in parser.parse_args().names or RECORDED:
        lines = record(name)
        (FOLDER / f"{name}.txt").write_text("\n".join([*lines, ""]), "utf-8")
        print(f"{name}: {len(lines)} lines", flush=True)


if __name__ == "__main__":
    main()
