"""Single keys from a terminal, without Return, on every system; from a pipe, the first character of each line."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Yields a function that waits some seconds for a key and returns it, "" where none was pressed."""
    if os.name == "nt":
        yield _windows_key
        return
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # no input at all
        yield _wait
        return
    if not sys.stdin.isatty():
        yield lambda seconds: _line_start(descriptor, seconds)
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)  # Ctrl-C still stops the program
    try:
        yield lambda seconds: _key(descriptor, seconds)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _key(descriptor: int, seconds: float) -> str:
    if not select.select([descriptor], [], [], seconds)[0]:
        return ""
    pressed = os.read(descriptor, 1).decode(errors="replace")
    if not pressed:  # the terminal was closed
        raise KeyboardInterrupt
    return pressed.lower()


_ended: set[int] = set()


def _line_start(descriptor: int, seconds: float) -> str:
    if descriptor in _ended or not select.select([descriptor], [], [], seconds)[0]:
        return _wait(seconds) if descriptor in _ended else ""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            _ended.add(descriptor)
            break
        line += byte
    return line[:1].decode(errors="replace").lower().strip()


def _windows_key(seconds: float) -> str:
    import importlib

    msvcrt = importlib.import_module("msvcrt")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if msvcrt.kbhit():
            return str(msvcrt.getwch()).lower()
        time.sleep(0.05)
    return ""
