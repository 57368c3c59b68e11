"""What the doctor's checks find: one line of its answer each, with what to do where something is to be mended."""

from typing import NamedTuple

INSTALL_AGAIN = "install the package into a new virtual environment, as its README says"


class Finding(NamedTuple):
    """One line of the answer.

    Attributes:
        level: "OK"; "NOTE", which is good to know; or "FIX", which is to be mended.
        text: what was found and, for a "FIX", after a colon what to do.
    """

    level: str
    text: str


def fix(text: str, remedy: str) -> Finding:
    """Returns a finding that is to be mended, with what to do about it."""
    return Finding("FIX", f"{text}: {remedy}")
