"""The doctor's last check: lessons are run with their defaults, and their results held against the expected bands."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from workshop.doctor.findings import INSTALL_AGAIN, Finding, fix
from workshop.kit.data import shared_folder

SAMPLE = "logistic_regression"  # trains with Keras, on data that comes with scikit-learn, in seconds
SECONDS = 300.0  # for a lesson, five times as long as the slowest takes
_ROOT = Path(__file__).resolve().parents[2]
_VERDICTS = ("As expected", "Not as expected", "Unusual", "No expected band")
_TESTED = "compare the versions above with the tested ones, in constraints.txt"


def check_results(lessons: Sequence[str], seconds: float = SECONDS) -> Iterator[Finding]:
    """Runs lessons, each in a process and an empty folder of its own, and yields what each says of its result."""
    environment = dict(os.environ)
    # The folder that the package lies in, and the data that a relative path names.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), environment.get("PYTHONPATH")]))
    if folder := shared_folder.shared_folder():
        environment["WORKSHOP_DATA"] = str(folder.absolute())
    for lesson in lessons:
        with tempfile.TemporaryDirectory() as place:
            try:
                run = subprocess.run(
                    [sys.executable, "-m", f"workshop.{lesson}", "--no-plots"],
                    cwd=place,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=seconds,
                )
            except subprocess.TimeoutExpired:
                yield Finding("NOTE", f"{lesson}: no result in {seconds:g} s, this machine is slow or busy")
                continue
        yield _finding(lesson, run)


def _finding(lesson: str, run: subprocess.CompletedProcess[str]) -> Finding:
    """Returns what a lesson's run says of its result."""
    if run.returncode:
        last = (run.stderr.splitlines() or [f"exit code {run.returncode}"])[-1]
        return fix(f"{lesson}: {last.removeprefix('error: ')[:200]}", INSTALL_AGAIN)
    lines = run.stdout.splitlines()
    seconds = next((line.split()[1] for line in lines if line.startswith("Time ")), "?")
    held = sum("  expected " in line for line in lines)
    verdicts = [line.rstrip(".") for line in lines if line.startswith(_VERDICTS)]
    verdict = verdicts[-1] if verdicts else "has no expected band"
    if verdict.startswith("As expected"):
        return Finding("OK", f"{lesson}: as expected, {held} metrics within their bands ({seconds} s)")
    if verdict.startswith("Not as expected"):
        return fix(f"{lesson}: {verdict[0].lower()}{verdict[1:]}", _TESTED)
    return Finding("NOTE", f"{lesson}: {verdict[0].lower()}{verdict[1:]} ({seconds} s)")
