"""A time limit for code that a student wrote, in a notebook as well as in a program, on every system."""

import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeVar

SECONDS = 10.0  # what one answer may take

_Result = TypeVar("_Result")


class TimeIsUpError(Exception):
    """The code did not end within its seconds. `is_stopped` says whether it could be stopped."""

    def __init__(self, seconds: float, is_stopped: bool) -> None:
        super().__init__(f"it did not end within {seconds:g} seconds")
        self.is_stopped = is_stopped


class _Stop(BaseException):
    """Raised inside of code whose time is up; no `except Exception` of a student catches it."""


def within(seconds: float, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Returns `function(*arguments)`; whatever it raises, SystemExit too, is raised here.

    The function runs in a thread of its own: a notebook's kernel goes on when the time is up, and Python can raise an
    exception in another thread (`PyThreadState_SetAsyncExc`), which ends a loop written in Python. What waits within a
    library cannot be ended and is left behind.

    Raises:
        TimeIsUpError: it did not end.
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        for _ in range(20):  # again and again: a bare `except:` in a loop swallows one
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stop))
            thread.join(0.05)
            if not thread.is_alive():
                break
        raise TimeIsUpError(seconds, not thread.is_alive())
    if errors:
        raise errors[0]
    return results[0]
