"""Tools of the notebooks for the place they run in: Colab, Jupyter on this computer, or a room without a network.

from workshop import notebook

notebook.start()                               # says what this notebook runs on
path = notebook.upload("my-digit.png")         # in Colab a dialogue; elsewhere a file of that name, if there is one
notebook.download("admission.h5")              # in Colab to your computer; elsewhere it says where the file is
folder = notebook.drive()                      # in Colab a folder in your Drive; elsewhere one beside the notebook
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import sys
from pathlib import Path
from types import ModuleType

from workshop import __version__
from workshop.kit import device, versions
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath

MOUNTED = Path("/content/drive")  # where Colab shows your Drive


def colab() -> ModuleType | None:
    """Returns the module `google.colab` in a Colab session, else None."""
    return importlib.import_module("google.colab") if "google.colab" in sys.modules else None


def start(seed: int = 1) -> None:
    """Says what the notebook runs on, and starts all random numbers from a seed, so that a run can be repeated.

    Versions of TensorFlow, Keras and NumPy that the package was not tried with are named, each in a line.
    """
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        if shell is not None:
            shell.run_line_magic("matplotlib", "inline")  # figures appear below their cell
    print(f"workshop {__version__} on Python {platform.python_version()}")
    print(device.prepare(seed))
    for sentence in versions.outside_tried_range():
        print(f"{sentence}: if a cell fails, this may be why")


def upload(default: FilePath) -> Path | None:
    """Returns a file of one's own, or None where there is none: then the notebook goes on with its own example.

    In Colab a dialogue asks for it, and what is chosen is put into the current folder. Elsewhere it is the file
    `default`, if there is one: an image, a table, a `.zip`, a `.tar.xz` or a folder of photographs.
    """
    here = colab()
    if here is not None:
        chosen = here.files.upload()
        if chosen:
            return Path(next(iter(chosen)))
    path = Path(default).expanduser()
    if path.exists():
        return path
    print(
        f"{path} is not there, so the notebook's own example is taken. Put yours into {Path.cwd()} and run this again."
    )
    return None


def download(path: FilePath) -> None:
    """In Colab, offers a file to be saved on your computer, before the session ends and it is lost.

    Raises:
        WorkshopError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise WorkshopError(f"got {path}, which is no file here: save it first")
    here = colab()
    if here is not None:
        here.files.download(str(path))
    else:
        print(f"{path}: {path.stat().st_size:,} bytes, in {path.resolve().parent}")


def drive(name: str = "my-workshop") -> Path:
    """Returns a folder that outlasts the session: in Colab one in your Drive, elsewhere one beside the notebook."""
    here = colab()
    folder = Path(name)
    if here is not None:
        here.drive.mount(str(MOUNTED))
        folder = MOUNTED / "MyDrive" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
