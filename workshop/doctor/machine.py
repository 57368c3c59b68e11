"""The doctor's checks of the machine: Python, the packages, the memory and the disk. None of them needs Keras."""

import contextlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from workshop.doctor.findings import Finding, fix
from workshop.kit import files

_FREE_MEMORY = 2e9  # bytes; the largest lesson takes 1.5e9
_FREE_DISK = 200e6
_IMPORTED_AS = {"scikit-learn": "sklearn", "pillow": "PIL"}


def check_python() -> Iterator[Finding]:
    """Compares Python with the package's requirement."""
    from packaging.specifiers import SpecifierSet

    version, wanted = platform.python_version(), SpecifierSet(_requirements()[0])
    if wanted.contains(version, prereleases=True):
        yield Finding("OK", f"Python {version}")
    else:
        yield fix(f"Python {version} is not {wanted}", "install such a Python, and the package into it")


def check_packages() -> Iterator[Finding]:
    """Compares each package with the required version and with the tested one."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    lines = files.shipped("constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    tested = {canonicalize_name(name): version for name, version in pairs}
    for requirement in map(Requirement, _requirements()[1]):
        name, marker = requirement.name, requirement.marker
        is_needed = marker is None or marker.evaluate({"extra": ""})
        if not is_needed and not (marker and marker.evaluate({"extra": "torch"})):
            continue
        own = Path(_IMPORTED_AS.get(name, name) + ".py")
        if own.exists():
            yield fix(f"{own} in this folder hides the library of that name", "rename the file")
        best = tested.get(canonicalize_name(name))
        install = f'python -m pip install "{name}=={best}"' if best else f'python -m pip install "{requirement}"'
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            if is_needed:
                yield fix(f"{name} is not installed", install)
            else:
                yield Finding("NOTE", f"{name} is not installed; only the PyTorch part needs it: {install}")
            continue
        # 2.13.0+cpu is a build of 2.13.0, not newer than it.
        is_newer = best is not None and Version(Version(version).public) > Version(best)
        if not requirement.specifier.contains(version, prereleases=True):
            yield fix(f"{name} {version} is not {requirement.specifier}", install)
        elif is_newer:
            yield Finding("NOTE", f"{name} {version} is newer than the tested {best}; if it misbehaves: {install}")
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


def _requirements() -> tuple[str, list[str]]:
    """Returns the required Python and packages, from the installed package or from its checkout."""
    try:
        return metadata.metadata("workshop")["Requires-Python"], metadata.requires("workshop") or []
    except metadata.PackageNotFoundError:
        import tomllib

        project = tomllib.loads(files.shipped("pyproject.toml").read_text("utf-8"))["project"]
        torch = [f'{name}; extra == "torch"' for name in project["optional-dependencies"]["torch"]]
        return project["requires-python"], [*project["dependencies"], *torch]
