"""The files of a saved model: written whole or not at all, and read as their card describes them.

Three files cannot be renamed at once, so renaming the card is the commit: the new files are written and flushed beside
the old ones with the suffix `.new`, then the card takes its place, then the others. The next load finishes the renames
of files with the suffix that match the card, and removes those that match no card. A run killed at any moment leaves
the old bundle or the new one, whole.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workshop.kit import files
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving.card import file_path, read_card

_NEW = ".new"


def write(folder: FilePath, name: str, contents: Mapping[Path, bytes]) -> None:
    """Replaces the bundle `name` by these files; a scaler that is not among them is removed.

    Args:
        folder: the folder of the bundle; created if missing.
        name: the bundle's name.
        contents: the content of the card, and of the files whose digests it names, by path.

    Raises:
        WorkshopError, OSError: they cannot be written; the bundle that was there is whole.
    """
    card_path, scaler_path = file_path(folder, name, "card"), file_path(folder, name, "scaler")
    Path(folder).mkdir(parents=True, exist_ok=True)
    with lock(folder):
        _heal(folder, name)  # files of a killed run must not mix with the new ones
        try:
            for path, content in contents.items():
                files.write_flushed(_new(path), content)
            files.flush_folder(folder)
            for path in [card_path, *(path for path in contents if path != card_path)]:
                _new(path).replace(path)
                files.flush_folder(folder)
            if scaler_path not in contents:
                scaler_path.unlink(missing_ok=True)
        except (WorkshopError, OSError):
            # Before the commit this removes the new files; after it, it tries the other renames once more.
            with contextlib.suppress(OSError):
                _heal(folder, name)
            raise


def tidy(folder: FilePath, name: str) -> None:
    """Finishes or undoes the save of a killed run, while the caller holds the folder's lock."""
    if any(_new(file_path(folder, name, role)).exists() for role in ("model", "scaler", "card")):
        # In a folder that cannot be written to, the files are read from where they are.
        with contextlib.suppress(OSError):
            _heal(folder, name)


def read(path: FilePath, digest: str | None, card: dict[str, Any]) -> bytes:
    """Returns the bytes of a file of a bundle, compared with the digest in the card."""
    path = Path(path)
    for candidate in (path, _new(path)):
        try:
            content = candidate.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise WorkshopError(f"{path} cannot be read ({error.strerror})") from error
        if digest is None or hashlib.sha256(content).hexdigest() == digest:
            return content
    if path.exists():
        raise WorkshopError(
            f"{path} is not the file that its card describes (SHA-256 differs): copy it again, train it again, or "
            f"delete {file_path(path.parent, path.stem.removesuffix('-scaler'), 'card').name} to use it unverified"
        )
    part = " of its bundle" if card else ""
    raise WorkshopError(f"{path}{part} is not there: copy all files of the model, or train it again")


@contextlib.contextmanager
def lock(folder: FilePath) -> Iterator[None]:
    """Keeps other programs from saving or tidying up in this folder, where the system has such locks."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows; or a missing folder, which reading from it reports
        yield
        return
    try:
        with contextlib.suppress(OSError):  # some network folders have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _heal(folder: FilePath, name: str) -> None:
    """Finishes the renames of a save that was killed after its commit; removes the files of one killed before it."""
    _new(file_path(folder, name, "card")).unlink(missing_ok=True)
    try:
        digests = read_card(folder, name).get("sha256", {})
    except WorkshopError:
        return  # the card, corrupt or of a newer release, may well match them: loading reports it
    for role in ("model", "scaler"):
        path = file_path(folder, name, role)
        if not _new(path).exists():
            continue
        if hashlib.sha256(_new(path).read_bytes()).hexdigest() == digests.get(role):
            _new(path).replace(path)
        else:
            _new(path).unlink()


def _new(path: Path) -> Path:
    return path.with_name(path.name + _NEW)
