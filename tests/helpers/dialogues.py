"""What a person sees of a program that goes on: in a pseudo-terminal, to type and interrupt, or behind a buffer."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Screen(io.TextIOWrapper):
    """A standard output as a pipe has it: what is printed waits in a buffer until it is flushed."""

    def __init__(self) -> None:
        self._arrived = io.BytesIO()
        super().__init__(self._arrived, "utf-8")

    def seen(self) -> str:
        """Returns what has arrived."""
        return self._arrived.getvalue().decode("utf-8")


@contextmanager
def dialogue(room: Path, *arguments: str) -> Iterator[Any]:
    """Starts `python -m ARGUMENTS` in a folder; yields pexpect's child, which is ended with the block."""
    pexpect = pytest.importorskip("pexpect")
    options = {"cwd": str(room), "encoding": "utf-8", "codec_errors": "replace", "timeout": 100}
    child = pexpect.spawn(sys.executable, ["-m", *arguments], dimensions=(24, 200), **options)
    try:
        yield child
    finally:
        child.close(force=True)


def end_of(child: Any, is_interrupted: bool = False) -> str:
    """Returns the rest of the screen once the program has ended, by Ctrl-C if wanted."""
    pexpect = sys.modules["pexpect"]
    if is_interrupted:
        child.sendintr()
        # One that comes between the prompt and the reading is noticed with the next.
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=5):
            child.sendintr()
    if not child.flag_eof:
        child.expect(pexpect.EOF)
    child.wait()
    assert "Traceback" not in child.before
    return str(child.before)
