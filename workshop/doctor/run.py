"""`python -m workshop doctor`: is this machine ready for the lessons?

The checks (`machine`, `lessons`) run in a child process, one after the other. A library may hang while it
is imported, or end the process (TensorFlow does on a processor that it was not built for): that costs its own check,
and a new child continues with the next one.
"""

import contextlib
import io
import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from workshop.doctor import lessons, machine, results
from workshop.doctor.findings import INSTALL_AGAIN, Finding, fix
from workshop.kit.errors import WorkshopError

SECONDS = 14.0  # for all checks together
_SECONDS_A_CHECK = 4.0  # for one that needs no Keras; one that does may take all the time that is left


class Check(NamedTuple):
    """A check and how long it may take."""

    run: Callable[[], Iterator[Finding]]
    seconds: float = _SECONDS_A_CHECK


# Those that need Keras last: they may take all the time that the others leave.
CHECKS = {
    "Python": Check(machine.check_python),
    "Packages": Check(machine.check_packages),
    "Memory": Check(machine.check_memory),
    "Disk": Check(machine.check_disk),
    "Data": Check(lessons.check_data),
    "Devices": Check(lessons.check_devices, math.inf),
    "Models": Check(lessons.check_models, math.inf),
    "Training": Check(lessons.check_training, math.inf),
}


def main(findings: Iterable[Finding] | None = None, ran: Sequence[str] = (results.SAMPLE,)) -> int:
    """Prints the findings, and whether the machine is ready; returns the exit code, 1 if something is to be fixed.

    Args:
        findings: the findings; by default, the checks run in a child process.
        ran: the lessons that are run at the end, where there is nothing to fix before.
    """
    to_fix = 0

    def say(findings: Iterable[Finding]) -> None:
        nonlocal to_fix
        for level, text in findings:
            print(f"{level:4} {text}", flush=True)
            to_fix += level == "FIX"

    say(supervise() if findings is None else findings)
    if ran and not to_fix:
        print(f"...  running {', '.join(ran)}", flush=True)
        say(results.check_results(ran))
    if to_fix:
        print(f"{to_fix} {'thing' if to_fix == 1 else 'things'} to fix")
    else:
        print("OK: ready for the room")
    return int(to_fix > 0)


def supervise(seconds: float = SECONDS) -> Iterator[Finding]:
    """Runs all checks in a child process; continues in a new one after a check that hangs or ends the process."""
    deadline = time.monotonic() + seconds
    waiting = list(CHECKS)
    while waiting:
        child = subprocess.Popen(
            [sys.executable, "-m", "workshop.doctor.run", *waiting],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        hung = False
        try:
            while waiting:
                limit = min(CHECKS[waiting[0]].seconds, deadline - time.monotonic())
                findings, hung = _next_findings(child, waiting[0], limit)
                if findings is None:
                    break
                waiting.pop(0)
                yield from findings
        finally:
            child.kill()
            code = child.wait()
            if child.stdout:
                child.stdout.close()
        if not waiting:
            return
        title = waiting.pop(0)
        if not hung:
            remedy = f"{INSTALL_AGAIN}; where that does not help, the library does not run on this processor"
            yield fix(f"{title}: a library ended the process ({_ending(code)})", remedy)
            continue
        yield fix(f"{title}: no result in time", "run the doctor again (a library's first import is slow), then reboot")
        if waiting and time.monotonic() >= deadline:
            yield fix(f"{', '.join(waiting)}: not checked, no time was left", "first fix what is above")
            return


def _next_findings(child: subprocess.Popen[str], title: str, seconds: float) -> tuple[list[Finding] | None, bool]:
    """Waits for the findings of the child's check `title`.

    Returns:
        The findings, None where none came; and whether the child hung (it is killed then).
    """
    hung = threading.Event()

    def stop() -> None:
        hung.set()
        child.kill()

    alarm = threading.Timer(seconds, stop)
    alarm.start()
    try:
        for line in child.stdout or ():
            # Libraries print other lines.
            with contextlib.suppress(ValueError, TypeError):
                finished, findings = json.loads(line)
                if finished == title:
                    return [Finding(*finding) for finding in findings], False
        child.wait()
        return None, hung.is_set()
    finally:
        alarm.cancel()


def check(title: str) -> list[Finding]:
    """Runs one check in this process; an exception is a finding to be fixed."""
    findings: list[Finding] = []
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for finding in CHECKS[title].run():
                findings.append(finding)
    except WorkshopError as error:
        findings.append(Finding("FIX", f"{title}: {error}"))
    except SystemExit:  # of workshop.kit.shadows
        findings.append(fix(f"{title}: a file in this folder hides a library", "rename the file"))
    except Exception as error:  # a broken library raises anything
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        findings.append(fix(f"{title}: {reason}", INSTALL_AGAIN))
    return findings


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    for title in sys.argv[1:]:
        print(json.dumps([title, check(title)]), flush=True)
