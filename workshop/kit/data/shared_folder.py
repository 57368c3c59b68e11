"""Where data is looked for: in the folder that a room shares, which the environment variable WORKSHOP_DATA names.

A lesson's `--data` goes before it. What is found is read and checked by `table_data`, `image_data`, `photos`, `series`
and `text`; `synthetic`, `drawings` and `animals` make what stands in for what is not.
"""

import os
from pathlib import Path

_NAMED_BY = "WORKSHOP_DATA"


def shared_folder() -> Path | None:
    """Returns the folder that a room shares, which WORKSHOP_DATA names, or None where it names none."""
    named = os.environ.get(_NAMED_BY)
    return Path(named) if named else None


def shared_file(name: str) -> Path | None:
    """Returns a file of the shared folder, or None where it has none of that name."""
    folder = shared_folder()
    return folder / name if folder and (folder / name).is_file() else None


def searched() -> str:
    """Returns where a file was looked for in vain, for the line that says what is used instead."""
    folder = shared_folder()
    return f"in {_NAMED_BY}={folder}" if folder else f"here ({_NAMED_BY} names no folder)"
