"""What the quick runs print, draw and save, as recorded.

    python tests/helpers/screens.py                   # records all of them anew: look at what `git diff` says
    python tests/helpers/screens.py xor torch-xor     # these

A quick run is recorded with three seeds, one after the other. A line that all three print is kept, and so are the
numbers on which they agree. The numbers that a seed changes are recorded with the lesson's own seed, once for each of
several processors that this one can pass for: where these agree, but for rounding, `≈` or `~` stands before the
number, and a run has to come as near as NEAR says. Where they do not agree, and where a clock counts, `□` stands for
the number. A run has to print the kept lines in this order, others between, but no other titles, tables and plots.
"""

import argparse
import difflib
import functools
import importlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import timeit
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.engines import ALL_MIRRORS, PACKAGES, quick_options
from helpers.lesson_runs import Run, start, start_as_the_first, without_published_data
from workshop import LESSONS

FOLDER = Path(__file__).parents[1] / "screens"
SEEDS = (1, 2, 3)
# Other instructions round, and add, in another order. These variables are read before anything is computed.
PROCESSORS: tuple[dict[str, str], ...] = (
    {},
    {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "DNNL_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    },
    {
        "DNNL_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
        "OMP_NUM_THREADS": "1",
    },
)
NEAR = {"≈": 0.003, "~": 0.02}  # relative: how far a run may be from what was recorded
MARGIN = 6  # times as near are the processors
NUMBER = re.compile(r"(?<![A-Za-z_\d])[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?(?![A-Za-z_\d])|\bnan\b|\binf\b")
ANY = "□"  # in the place of a number
OPEN = re.compile(f"({ANY}|[{''.join(NEAR)}](?={NUMBER.pattern}))((?<!{ANY})(?:{NUMBER.pattern}))?")
NOISE = re.compile(r"e-(0[6-9]|[1-9]\d)")  # of rounding, which differs from one processor to another
# What differs from place to place: the machine, paths, the progress, the last line, which is for programs.
ELSEWHERE = re.compile(r"^(Engine|Model|Plots) |^\{|^Epoch \d|^\d+/\d+ |(^| )/\S+/")
RECORDED = [lesson.name for lesson in LESSONS] + [f"{engine}-{lesson}" for engine, lesson in ALL_MIRRORS]


def weights_of(run: Run) -> Iterator[str]:
    """Yields the norm of each array of weights that a run saved."""
    for path in sorted(run.models.glob("*.h5")):
        with h5py.File(path) as file:
            weights = file["model_weights"]
            for layer in weights.attrs["layer_names"]:
                for name in weights[layer].attrs["weight_names"]:
                    array = np.asarray(weights[layer][name], np.float64)
                    text = name.decode() if isinstance(name, bytes) else name
                    kind, shape = text.rpartition("/")[2].partition(":")[0], "x".join(map(str, array.shape))
                    yield f"weights {path.name} {kind} {shape}: norm {np.linalg.norm(array):.4g}"


def without_frame(line: str) -> str:
    """Returns a line without rules and frames."""
    return re.sub(r"[^\x20-\x7e]|-{2,}|={2,}", " ", line)


def lines_of(run: Run) -> list[str]:
    """Returns the lines that a run can be held to: their words one space apart, without rules and frames."""
    printed = (without_frame(line) for line in [*run.lines, *run.drawn])
    lines = [" ".join(line.split()) for line in printed if line.strip() and not ELSEWHERE.search(line)]
    return [*lines, *weights_of(run)]


def parts_of(run: Run) -> list[str]:
    """Returns the lines that a run begins its parts with: the titles, the headings of tables, the names of plots."""
    underlined = [line for line, below in itertools.pairwise(run.lines) if re.fullmatch("-[- ]*", below)]
    # Without a mistake there is none to draw, with one seed or another.
    plots = [line for line in run.drawn if line.startswith("plot ") and not line.endswith("-mistakes.png")]
    return [" ".join(without_frame(line).split()) for line in [*underlined, *plots]]


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


def is_near(found: str, recorded: str, relative: float, digits: float = 1.001) -> bool:
    """Returns whether a number as printed is another one, but for a share of it and so many of its last digit."""
    one, other = (float(text.replace(",", "")) for text in (found, recorded))
    mantissa, _, exponent = recorded.partition("e")
    last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return one == other or abs(one - other) <= relative * abs(other) + digits * last_digit


def find_numbers(expected: Sequence[str], lines: Sequence[str]) -> Iterator[list[str] | None]:
    """Yields, for each of the expected lines, the numbers found in its open places; None for one that is not there.

    They are looked for in the lines in their order. After the first that is not there, the search ends.
    """
    left = iter(lines)
    for line in expected:
        parts, marks, numbers = (OPEN.split(line)[i::3] for i in range(3))
        pattern = re.compile(f"({NUMBER.pattern})".join(map(re.escape, parts)))
        for other in left:
            match = pattern.fullmatch(other)
            found = match.groups() if match else ()
            wanted = zip(found, marks, numbers, strict=bool(match))
            if match and all(mark == ANY or is_near(one, number, NEAR[mark]) for one, mark, number in wanted):
                yield [*found]
                break
        else:
            yield None
            return


def find_missing(expected: Sequence[str], lines: Sequence[str]) -> str | None:
    """Returns the first of the expected lines that is not there, in their order; None where all are there."""
    found = zip(expected, find_numbers(expected, lines), strict=False)
    return next((line for line, numbers in found if numbers is None), None)


def find_others(expected: Sequence[str], parts: Sequence[str]) -> list[str]:
    """Returns the parts, without their numbers, that are not among the expected lines, or not as often."""
    known = Counter(without_numbers(line.translate(dict.fromkeys(map(ord, NEAR)))) for line in expected)
    return [*(Counter(map(without_numbers, parts)) - known).elements()]


# The program that each lesson names at its end, and what it gives to it: {} is the last model that it saved. Of the
# autoencoders, that is not the one.
USES = {
    "admission": "apps.admission --model {}",
    "autoencoder": "apps.clean --model {denoiser} NOISY-DIGIT.png",
    "banknotes": "apps.banknote --model {} PHOTO.jpg",
    "cats_vs_dogs": "apps.cat_or_dog --model {} YOUR-PHOTO.jpg",
    "fashion_mnist": "apps.garment --model {} YOUR-PICTURE.png",
    "gan": "apps.draw_digits --model {} 2026",
    "linear_regression": "apps.house_price --model {}",
    "mnist": "apps.digit --model {} YOUR-PICTURE.png",
    "policy_gradient": "apps.lander --model {}",
    "rnn": "apps.digit --model {} YOUR-PICTURE.png",
    "text_generation": "apps.write --model {}",
    "transfer_learning": "apps.cat_or_dog --model {} YOUR-PHOTO.jpg",
}


def assert_screen(name: str, run: Run) -> None:
    """Compares what a quick run printed, drew and saved with what was recorded under this name."""
    saved = [path for line in run.lines if line.startswith("Model     ") for path in line[10:].split(", ")]
    models = {Path(path).name.partition("-")[0]: path for path in saved if path.endswith(".h5")}
    use = USES.get(name.rpartition("-")[2], "").format(*[*models.values()][-1:], **models)
    told = [line for line in run.lines if line.startswith("Use it")]
    assert told == ([f"Use it    python -m {use}"] if use else [])
    expected = (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    missing = find_missing(expected, lines_of(run))
    assert missing is None, f"not printed, or elsewhere: {missing}\nMeant so? python tests/helpers/screens.py {name}"
    others = find_others(expected, parts_of(run))
    assert others == [], f"not there before: {others}\nMeant so? python tests/helpers/screens.py {name}"


# --- Recording --------------------------------------------------------------------------------------------------------


def jumping(clock: Callable[[], float]) -> Callable[[], float]:
    """Returns a clock of which no two measurements agree."""
    passed, generator = [0.0], random.Random()

    def tell() -> float:
        passed[0] += 10 ** generator.uniform(-2, 3)
        return clock() + passed[0]

    return tell


def run_quickly(name: str, *options: str) -> list[str]:
    """Returns the lines of a quick run of a lesson or a mirror in this process."""
    engine, _, lesson = name.rpartition("-")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        clock = jumping(time.perf_counter)
        patch.setattr(time, "perf_counter", clock)
        patch.setattr(timeit, "repeat", functools.partial(timeit.repeat, timer=clock))
        with without_published_data(Path(folder)):
            if not engine:
                return lines_of(start_as_the_first(lesson, Path(folder), "--quick", *options))
            module = importlib.import_module(f"workshop.{PACKAGES[engine]}{lesson}")
            options = (*quick_options(lesson), *options)
            return lines_of(start(module, Path(folder), *options, is_drawn=False))


def run_elsewhere(names: Sequence[str], processor: dict[str, str]) -> dict[str, list[str]]:
    """Returns the lines of quick runs with the lessons' own seeds, as another processor computes them."""
    command = [sys.executable, __file__, "--lines", *names]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | processor
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    lines = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(lines, dict)
    return lines


def softened(line: str) -> str:
    """Returns a line of means or norms with a mark before each: however well runs agree, the last digit is rounded."""
    head = re.match(r"means |weights \S+\.h5 .*: norm ", line)
    return head[0] + re.sub(r"(?<!\S)(?=[-\d])", "≈", line[head.end() :]) if head else line


def with_near_numbers(kept: Sequence[str], runs: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields the kept lines with the numbers on which the runs agree, but for rounding, in their open places."""
    found = [[*find_numbers(kept, lines)] for lines in runs]
    for i, line in enumerate(kept):
        pieces = line.split(ANY)
        columns = zip(*(numbers[i] or () for numbers in found), strict=True)
        for j, (first, *others) in enumerate(columns, 1):
            known = [] if NOISE.search(first) else NEAR.items()
            marks = (
                mark for mark, near in known if all(is_near(other, first, near / MARGIN, digits=0) for other in others)
            )
            mark = next(marks, None)
            pieces[j] = (f"{mark}{first}" if mark else ANY) + pieces[j]
        yield "".join(pieces)


def record(name: str, of_processors: Sequence[list[str]]) -> list[str]:
    """Returns the lines that the quick runs of a lesson or a mirror have in common."""
    kept, *others = *of_processors, *(run_quickly(name, "--seed", str(seed)) for seed in SEEDS)
    for lines in others:
        kept = [merge(one, other) for one, other in common(kept, lines)]
    return [softened(line) for line in with_near_numbers(kept, of_processors)]


def main() -> None:
    """Records the screens that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*RECORDED, []], metavar="NAME")
    parser.add_argument("--lines", action="store_true", help="print the lines of the quick runs, as JSON")
    arguments = parser.parse_args()
    names = arguments.names or RECORDED
    if arguments.lines:
        print(json.dumps({name: run_quickly(name) for name in names}))
        return
    FOLDER.mkdir(exist_ok=True)
    runs = [run_elsewhere(names, processor) for processor in PROCESSORS]
    for name in names:
        lines = record(name, [lines_of_names[name] for lines_of_names in runs])
        (FOLDER / f"{name}.txt").write_text("\n".join([*lines, ""]), "utf-8")
        print(f"{name}: {len(lines)} lines", flush=True)


if __name__ == "__main__":
    main()
