"""Files: what ships with the package, and writing without ever losing what was there."""

import contextlib
import mmap
import os
from pathlib import Path
from typing import Any

from workshop.kit.errors import WorkshopError

FilePath = str | os.PathLike[str]  # what every public function takes for a path

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """Returns the path of `datasets`, `models` or `constraints.txt` of this package, installed or in a checkout."""
    installed = _PACKAGE / "_shipped" / name
    return installed if installed.exists() else _PACKAGE.parent / name


def read_bytes(path: FilePath, option: str = "", advice: str = "") -> bytes:
    """Returns the bytes of a file that the user named, with an option perhaps.

    Raises:
        WorkshopError: it cannot be read, or is not there, which ends with the advice, if there is any.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        if advice and isinstance(error, FileNotFoundError):
            raise WorkshopError(f"{option} {path} is not there: {advice}") from error
        raise WorkshopError(f"{option} {path} cannot be read ({error.strerror})") from error


def write_flushed(path: FilePath, content: bytes) -> None:
    """Writes `content` to `path` and waits until it is on the disk.

    Raises:
        WorkshopError: the file cannot be written, say because the disk is full. The unfinished file is removed.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise _cannot_be_written(path, error) from error


def write_atomically(path: FilePath, content: bytes) -> None:
    """Replaces `path` by `content` in one step: a crash leaves the old file or the new one, whole."""
    path = Path(path)
    beside = path.with_name(path.name + ".new")
    write_flushed(beside, content)
    try:
        beside.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise _cannot_be_written(path, error) from error


def _cannot_be_written(path: Path, error: OSError) -> WorkshopError:
    return WorkshopError(
        f"{path} cannot be written ({error.strerror or error}): free some space or choose another folder; "
        f"what was there before is unchanged"
    )


def flush_folder(folder: FilePath) -> None:
    """Waits until the names in `folder` are on the disk, where the system can do that."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some network folders cannot; the files themselves are on the disk by now
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(folder: FilePath, option: str) -> None:
    """Raises WorkshopError, naming the option, unless files can be written to `folder` (which is made)."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".workshop-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise WorkshopError(
            f"{option} {folder}: nothing can be written there ({error.strerror}): choose another folder"
        ) from error


def release_pages(array: Any) -> None:
    """Releases the pages that were read of an array mapped from a file; other arrays are left alone.

    The system keeps every page that was once read, and counts it as the process's memory. A page that is needed again
    is read again, mostly from the system's cache.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
