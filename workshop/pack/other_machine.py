"""pip, resolving for another machine: `python -m workshop.pack.other_machine MARKERS ...` for `python -m pip ...`.

With `--platform` and `--python-version` pip takes the wheels of another machine, but it still asks the conditions of
requirements (`colorama; sys_platform == "win32"`) of the machine that it runs on: a folder that was packed on Linux
for Windows would lack what Windows alone needs, and no room could install from it. Here the conditions are asked of the
other machine. MARKERS is a JSON object of PEP 508's environment markers.
"""

import json
import runpy
import sys


def main() -> None:
    """Runs pip with the markers of another machine."""
    from pip._vendor.packaging import markers

    own, other = markers.default_environment(), json.loads(sys.argv[1])
    markers.default_environment = lambda: own | other
    sys.argv = ["pip", *sys.argv[2:]]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
