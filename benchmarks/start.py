"""Start times: the list of lessons, `--help` of every lesson and program, the first prompt.

python -m benchmarks.start [--runs 5]
"""

import argparse
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apps
from benchmarks import measure
from workshop import LESSONS


def programs() -> list[str]:
    """Returns the names of the console programs."""
    return sorted(path.stem for path in Path(apps.__path__[0]).glob("[a-z]*.py"))


def first_prompt(program: str) -> float:
    """Returns the seconds from the start of a console program until it asks its first question."""
    leader, follower = pty.openpty()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", f"apps.{program}"], stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    os.read(leader, 1)
    seconds = time.perf_counter() - started
    process.kill()
    process.wait()
    os.close(leader)
    return seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each command (default: 5)")
    runs = parser.parse_args().runs
    print(measure.machine())
    modules = ["workshop", *[f"workshop.{lesson.name}" for lesson in LESSONS], *[f"apps.{name}" for name in programs()]]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for module in modules:
            arguments = ["-m", module, *(["--help"] if module != "workshop" else [])]
            seconds = [measure.run(arguments, Path(folder)).seconds for _ in range(runs)]
            rows.append([f"python {' '.join(arguments)}", f"{statistics.median(seconds):.2f} s"])
    for name in ("admission", "house_price"):
        seconds = [first_prompt(name) for _ in range(runs)]
        rows.append([f"python -m apps.{name}, to its first prompt", f"{statistics.median(seconds):.2f} s"])
    print(measure.markdown(["command", "median"], rows))


if __name__ == "__main__":
    main()
