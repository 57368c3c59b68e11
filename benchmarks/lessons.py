"""Runs every lesson with its defaults, as a student would, and prints time, memory and figures.

    WORKSHOP_DATA=... python -m benchmarks.lessons [--runs 5] [LESSON ...]

One run of each is about four minutes; the table shows the median of the runs.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from benchmarks import measure
from workshop import LESSONS


def main() -> None:
    """Measures and prints."""
    names = [lesson.name for lesson in LESSONS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--runs", type=int, default=5, help="of each lesson (default: 5)")
    arguments = parser.parse_args()
    if unknown := set(arguments.lessons) - set(names):
        parser.error(f"no lesson {', '.join(unknown)}")
    print(measure.machine())
    rows = []
    for name in arguments.lessons or names:
        with tempfile.TemporaryDirectory() as folder:
            runs = [measure.run(["-m", f"workshop.{name}", "--json"], Path(folder)) for _ in range(arguments.runs)]
        result = json.loads(runs[-1].output.splitlines()[-1])
        figures = ", ".join(f"{key} {value:.4g}" for key, value in result["metrics"].items())
        seconds = statistics.median(one.seconds for one in runs)
        megabytes = max(one.megabytes for one in runs)
        rows.append([name, f"{seconds:.0f} s", f"{megabytes:.0f} MB", result["data"], figures])
        print(f"{name}: {', '.join(f'{one.seconds:.1f} s' for one in runs)}", flush=True)
    print(measure.markdown(["lesson", "time (median)", "peak memory (highest)", "data", "figures"], rows))


if __name__ == "__main__":
    main()
