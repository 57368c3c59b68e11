"""The same line of code in NumPy, TensorFlow and PyTorch: run in each, and printed with what each answers.

What is printed is what was run: nothing is claimed that did not happen on this machine.
"""

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from workshop.kit.lazy import load

LIBRARIES = {"numpy": "NumPy", "tensorflow": "TensorFlow", "torch": "PyTorch"}
_SHORT_NAMES = {"numpy": "np", "tensorflow": "tf", "torch": "torch"}
_WIDTH = 35  # of a column: three of them are as wide as a screen that is projected


class Line(NamedTuple):
    """What is typed in each library: statements with "; " between them, the last of them an expression.

    Attributes:
        numpy, tensorflow, torch: the code; an empty text is what is typed in NumPy.
        why: says why the answers differ, where they do.
    """

    numpy: str
    tensorflow: str = ""
    torch: str = ""
    why: str = ""

    def code(self, library: str) -> str:
        """Returns what is typed in a library."""
        return str(getattr(self, library)) or self.numpy


def describe(value: Any) -> str:
    """Returns an answer as text, written alike for all libraries: "int64 [0, 1, 2]"; a shape is "(2, 3)"."""
    if isinstance(value, tuple):
        return f"({', '.join(map(describe, value))})"
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return str(value)
    numbers = np.asarray(value)
    rounded = np.round(numbers.astype(float), 4) if numbers.dtype.kind == "f" else numbers
    return f"{getattr(dtype, 'name', dtype)} {rounded.tolist()}".removeprefix("torch.")


def answer(line: Line, library: str, start: Line, seed: int) -> str:
    """Returns what a library answers, as text, or the name of the error that it raises.

    Args:
        line: what is typed.
        library: one of `LIBRARIES`.
        start: what is typed before each line, so that none sees what another one wrote into.
        seed: the number that is called SEED in the code.
    """
    names: dict[str, Any] = {"np": np, _SHORT_NAMES[library]: load(library), "SEED": seed}
    *statements, expression = f"{start.code(library)}; {line.code(library)}".split("; ")
    try:
        for statement in statements:
            exec(statement, names)
        return describe(eval(expression, names))
    except Exception as error:  # an answer like any other
        return type(error).__name__


def show(lines: Iterable[Line], libraries: Sequence[str], start: Line, seed: int) -> None:
    """Prints lines with their answers, a column for each library; != marks answers that differ and says why."""
    print("    " + "  ".join(f"{LIBRARIES[library]:{_WIDTH}}" for library in libraries).rstrip())
    print("    " + "  ".join("-" * _WIDTH for _ in libraries))
    for line in lines:
        answers = [answer(line, library, start, seed) for library in libraries]
        for row in zip_longest(*(_wrapped(line.code(library).split("; "), "> ") for library in libraries)):
            _print_row("", row)
        is_same = len(set(answers)) == 1
        for i, row in enumerate(zip_longest(*(_wrapped([text]) for text in answers))):
            _print_row("" if is_same or i else "!=", row)
        print("" if is_same else f"    {line.why}\n")


def _wrapped(texts: Iterable[str], prompt: str = "") -> list[str]:
    """Returns the texts in pieces that fit into a column."""
    return [part for text in texts for part in textwrap.wrap(prompt + text, _WIDTH, subsequent_indent="    ")]


def _print_row(mark: str, cells: Iterable[str | None]) -> None:
    print(f"{mark:4}{'  '.join(f'{cell or str():{_WIDTH}}' for cell in cells)}".rstrip())
