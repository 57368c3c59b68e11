"""Packs a folder from which a room without a network installs and teaches.

python -m workshop pack FOLDER                                     # for machines like this one
python -m workshop pack FOLDER --torch                             # with PyTorch, for its mirrors
python -m workshop pack FOLDER --web                               # with Gradio, for the page to draw on
python -m workshop pack FOLDER --python 3.12 --platform windows    # for other machines; once for each kind

FOLDER gets wheels/ (this package, and what it and the notebooks need, in the tested versions), data/, notebooks/,
models/ and INSTALL.txt, the two commands that a room types. A second run fetches only what is missing.
"""

import errno
import itertools
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError, one_line
from workshop.pack import target as targets
from workshop.pack.target import Target

if TYPE_CHECKING:
    from workshop.pack.data import DataSet

_NOTEBOOK_FILES = {".ipynb", ".md", ".png", ".gif", ".svg", ".jpg"}
_SHIPPED_MODELS = "workshop/_shipped/models/"  # in the wheel

INSTALL = """\
A room without a network: this folder has all that the workshop installs and teaches from.

Copy the folder to each machine, open a terminal in it, and type the two lines of your system. A machine needs Python;
the wheels are for

{machines}

On Debian and Ubuntu the system's Python also needs the package python3-venv.

Linux and macOS:

    python3 -m venv .venv && .venv/bin/python -m pip install --no-index --find-links wheels {requirement}
    export WORKSHOP_DATA="$PWD/data" && .venv/bin/python -m workshop doctor

Windows, in PowerShell:

    py -m venv .venv; .venv\\Scripts\\python -m pip install --no-index --find-links wheels {requirement}
    $env:WORKSHOP_DATA = "$PWD\\data"; .venv\\Scripts\\python -m workshop doctor

Each new terminal needs WORKSHOP_DATA again. Then, on Windows with .venv\\Scripts\\python:

    .venv/bin/python -m workshop                 the lessons
    .venv/bin/python -m workshop.mnist           one of them
    .venv/bin/python -m jupyterlab notebooks     the notebooks, in the browser

The trained models in models are those that the package ships. The sets in data:

{data}
"""


def build_parser() -> cli.Parser:
    """Returns the parser of the command's options."""
    parser = cli.Parser(prog="python -m workshop pack", description=__doc__)
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="the folder to write; it is made where there is none")
    add("--torch", action="store_true", help="with PyTorch; where only a CUDA build is found, gigabytes")
    add("--web", action="store_true", help="with Gradio, for the page of `python -m workshop draw`")
    add(
        "--python",
        type=targets.parse_python,
        action="append",
        metavar="3.N",
        help="the room's Python (default: this one); may be given several times, as --platform",
    )
    names = ", ".join(targets.PLATFORMS)
    add(
        "--platform",
        type=targets.parse_platform,
        action="append",
        metavar="NAME",
        help=f"the room's machines: {names}, or a tag as pip has them (default: machines like this one)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Packs the folder, prints what it does, and returns the exit code.

    Raises:
        WorkshopError: the folder cannot be written to, or wheels are missing and cannot be fetched.
    """
    arguments = build_parser().parse_args(argv)
    folder: Path = arguments.folder
    if folder.exists() and not folder.is_dir():
        raise WorkshopError(f"{folder} is a file, takes a folder: give another name, it is made where there is none")
    files.check_writable(folder, "FOLDER")
    folder = folder.resolve()
    extras = ["notebooks", "rl", "imagenet", *(name for name in ("torch", "web") if getattr(arguments, name))]
    machines = [Target(*pair) for pair in itertools.product(arguments.python or [""], arguments.platform or [""])]
    try:
        _pack(folder, extras, machines)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise WorkshopError(
                f"{folder}: the disk is full: free some space and run this again; it goes on"
            ) from error
        raise WorkshopError(f"{error.filename or folder}: cannot be written or read ({error.strerror})") from error
    return 0


def _pack(folder: Path, extras: Sequence[str], machines: Sequence[Target]) -> None:
    from workshop.pack import data, wheels

    started = time.monotonic()
    (folder / "wheels").mkdir(exist_ok=True)
    own = wheels.write_own_wheel(folder / "wheels")
    print(f"Package   {own.name}, {data.in_words(own.stat().st_size)}", flush=True)
    models = _unpack_models(own, folder / "models")
    print(f"Models    {models} files that ship with the package")
    notebooks = _copy_notebooks(folder / "notebooks")
    print(f"Notebooks {f'{notebooks} files' if notebooks else 'none: there are none beside this package'}", flush=True)
    (folder / "data").mkdir(exist_ok=True)
    sets = data.pack(folder / "data")
    for machine in machines:
        wheels.gather(folder / "wheels", own, extras, machine)
    file = folder / "INSTALL.txt"
    files.write_atomically(file, _instructions(file, extras, machines, *sets).encode())
    sizes = {name: data.size(folder / name) for name in ("wheels", "data", "notebooks", "models")}
    parts = ", ".join(f"{name} {data.in_words(size)}" for name, size in sizes.items())
    total = data.in_words(sum(sizes.values()))
    print(f"Packed    {one_line(folder)}: {total} in {time.monotonic() - started:.0f} s ({parts})")
    print("Room      INSTALL.txt in it has the two commands that each machine needs")


def _unpack_models(own: Path, folder: Path) -> int:
    """Writes the models in the wheel, which has those that ship and none of somebody's runs; returns their number."""
    count = 0
    with zipfile.ZipFile(own) as archive:
        for name in archive.namelist():
            if name.startswith(_SHIPPED_MODELS):
                files.write_atomically(folder / name.removeprefix(_SHIPPED_MODELS), archive.read(name))
                count += 1
    return count


def _copy_notebooks(folder: Path) -> int:
    """Copies the notebooks, with their page and their images; returns the number of notebooks."""
    from workshop.pack import data

    folder.mkdir(exist_ok=True)
    source = files.shipped("notebooks")
    count = 0
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        if path.suffix in _NOTEBOOK_FILES and not any(part.startswith(".") for part in inner.parts):
            data.copy(path, folder / inner)
            count += path.suffix == ".ipynb"
    return count


def _instructions(
    file: Path,
    extras: Sequence[str],
    machines: Sequence[Target],
    there: "Sequence[DataSet]",
    missing: "Sequence[DataSet]",
) -> str:
    """Returns the text of INSTALL.txt; the kinds of machines that an earlier run packed for stay in it."""
    earlier = file.read_text("utf-8").splitlines() if file.is_file() else []
    kinds = {line.strip() for line in earlier if line.startswith("    Python ")} | {
        str(machine) for machine in machines
    }
    lines = [f"    {data_set.name}, for {', '.join(data_set.lessons)}" for data_set in there]
    lines += [
        f"    no {data_set.name}: {', '.join(data_set.lessons)} will use {data_set.standin}" for data_set in missing
    ]
    return INSTALL.format(
        machines="\n".join(f"    {kind}" for kind in sorted(kinds)),
        requirement=f'"workshop[{",".join(extras)}]"',
        data="\n".join(lines),
    )
