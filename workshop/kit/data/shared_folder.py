"""The shared data folder, which the environment variable WORKSHOP_DATA names.

A lesson's `--data` goes before it. `tables`, `images`, `photos`, `series` and `text` read and check the data in it;
`synthetic_images` and `synthetic_animals` make the stand-ins for missing sets.
"""

import os
from pathlib import Path

_VARIABLE = "WORKSHOP_DATA"


def shared_folder() -> Path | None:
    """Returns the shared data folder, which WORKSHOP_DATA names, or None where it is not set."""
    folder = os.environ.get(_VARIABLE)
    return Path(folder) if folder else None


def shared_file(name: str) -> Path | None:
    """Returns a file of the shared folder, or None where it has none of that name."""
    folder = shared_folder()
    return folder / name if folder and (folder / name).is_file() else None


def searched() -> str:
    """Returns the place that was searched in vain, for the line about the stand-in."""
    folder = shared_folder()
    return f"in {_VARIABLE}={folder}" if folder else f"here ({_VARIABLE} names no folder)"
