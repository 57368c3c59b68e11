"""Files beside the user that hide a library: `python -m` looks into the current folder first.

A student's `random.py` or `keras.py` is then imported in place of the library, by whatever needs it, and the error that
follows names neither. `workshop` and `apps` call `watch` before they import anything.
"""

import sys
from importlib.machinery import PathFinder

_OWN = {"workshop", "apps", "tests", "benchmarks", "datasets", "__main__"}


def watch() -> None:
    """Watches the imports of a program that was started with `python -m workshop...` or `python -m apps...`.

    The first import that a file of the current folder would answer in place of an installed library ends the program
    with a line. A file that hides nothing, or a library that nobody imports, is none of its business.
    """
    if sys.argv[:1] == ["-m"] and not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch(sys.path[0]))


def hidden_by(folder: str, name: str) -> str | None:
    """Returns the file of a folder that hides the library `name`, or None."""
    if name in _OWN or name in sys.builtin_module_names:
        return None
    others = [place for place in sys.path if place and place != folder]
    own = PathFinder.find_spec(name, [folder])
    # A folder without an __init__.py hides nothing.
    if own is None or own.origin is None:
        return None
    library = PathFinder.find_spec(name, others)
    if library is None or library.origin in {None, own.origin}:
        return None
    return own.origin


class _Watch:
    """Looks at each import before Python does."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Returns None, so that Python goes on; ends the program where a file would hide a library."""
        if path is None and (file := hidden_by(self.folder, name)):
            sys.stderr.write(
                f"error: {file} hides the library {name}, which the program needs: rename the file, or start the "
                f"program in another folder\n"
            )
            sys.stderr.flush()
            raise SystemExit(2)


watch()
