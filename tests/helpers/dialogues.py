"""A console program in a pseudo-terminal: what a person sees, types and interrupts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


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
