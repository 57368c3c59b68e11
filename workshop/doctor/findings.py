"""The findings of the doctor's checks, a line each, with the remedy for what is to be fixed."""

from typing import NamedTuple

INSTALL_AGAIN = "install the package into a new virtual environment, as its README says"


class Finding(NamedTuple):
    """A line of the report.

    Attributes:
        level: "OK"; "NOTE", which is good to know; or "FIX", which is to be fixed.
        text: the finding and, for a "FIX", after a colon the remedy.
    """

    level: str
    text: str


def fix(text: str, remedy: str) -> Finding:
    """Returns a finding that is to be fixed, with its remedy."""
    return Finding("FIX", f"{text}: {remedy}")
