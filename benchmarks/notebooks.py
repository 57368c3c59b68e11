"""Times every notebook as a student runs it, from the first cell to the last, in a fresh kernel, one after the other.

    python -m benchmarks.notebooks                  # all of them
    python -m benchmarks.notebooks 14_mnist         # some
    python -m benchmarks.notebooks --quick          # with the quick values, as the tests run them

The times are of whole runs, with the start of Python and of Keras in them. The data sets are found as in a lesson.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workshop.kit.report import format_table

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def measure(name: str, quick: bool) -> tuple[str, str]:
    """Runs a notebook; returns its seconds and "ran", or an empty text and what went wrong."""
    command = [sys.executable, str(FOLDER / "run.py"), name, *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.match(rf"{name}: (\d+) s, (.*)", done.stdout, re.DOTALL)
    if found is None:
        return "", (done.stderr or done.stdout).strip()[-300:]
    return found[1], "ran" if done.returncode == 0 else found[2].strip()[-300:]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a row for each notebook as it ends, and the sum; returns 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of notebooks (default: all)")
    parser.add_argument("--quick", action="store_true", help="with the quick values of their parameters")
    arguments = parser.parse_args(argv)
    known = sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.ipynb"))
    chosen = arguments.names or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        parser.error(f"got {' '.join(unknown)}, takes {', '.join(known)}")
    rows = []
    for name in chosen:
        seconds, said = measure(name, arguments.quick)
        rows.append((name, f"{seconds} s", said))
        print(f"{name}: {seconds} s, {said}", file=sys.stderr, flush=True)
    total = sum(int(seconds.removesuffix(" s") or 0) for _, seconds, _ in rows)
    print(format_table(["notebook", "time", ""], [*rows, ("all", f"{total} s", "")]))
    return 0 if all(said == "ran" for *_, said in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
