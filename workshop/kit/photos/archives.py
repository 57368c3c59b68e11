"""Sources of photos: a folder, a .zip or a .tar.

Archives are untrusted: they are read member by member and never unpacked, and members whose path leads out of them are
left out. Names inside a source are written with "/" and begin at the source itself.
"""

import abc
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.photos import image_file

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz")
MAX_DEPTH = 20  # nested folders
_SYSTEM_FILES = {"__macosx", "thumbs.db", "desktop.ini"}  # Windows and macOS put them beside images
_MAX_UNPACKED = (2**30, 200)  # bytes of a whole compressed .tar, or so many times its size where that is more


class Source(abc.ABC):
    """A folder or an archive.

    Attributes:
        path: its path.
        left_out: a line for each unsafe member.
    """

    def __init__(self, path: FilePath) -> None:
        self.path = Path(path)
        self.left_out: list[str] = []

    @abc.abstractmethod
    def children(self, folder: str, within_class: bool = False) -> tuple[list[str], list[str]]:
        """Returns the names of the folders and of the files in a folder ("" or with "/" at its end), each sorted."""

    @abc.abstractmethod
    def read(self, name: str) -> bytes:
        """Returns the bytes of a file; `image_file.why_unusable` turns any exception of it into a sentence."""

    def offset(self, name: str) -> int:
        """Returns the offset of a file in an archive: a compressed .tar is fast only in this order."""
        return 0

    def close(self) -> None:  # noqa: B027 - a folder has nothing to close
        """Closes the archive."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Folder(Source):
    def children(self, folder: str, within_class: bool = False) -> tuple[list[str], list[str]]:
        folders, names = [], []
        try:
            for path in (self.path / folder).iterdir():
                if not _is_shown(path.name):
                    continue
                if not path.is_dir():
                    names.append(path.name)
                elif not (within_class and path.is_symlink()):  # as Keras: such a link may lead to a parent folder
                    folders.append(path.name)
        except OSError as error:
            raise WorkshopError(f"{self.path / folder} cannot be read ({error.strerror})") from error
        return sorted(folders), sorted(names)

    def read(self, name: str) -> bytes:
        return image_file.read_bytes(self.path / name)


class _Archive(Source):
    """The members of an archive as a tree of folders."""

    _archive: zipfile.ZipFile | tarfile.TarFile

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._members: dict[str, Any] = {}
        self._tree: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}

    def _add(self, name: str, member: Any, is_link: bool, is_file: bool) -> None:
        """Adds a member to the tree, or notes why not. Some programs for Windows write "\\" for "/"."""
        slashed = name.replace("\\", "/")
        parts = [part for part in slashed.split("/") if part not in {"", "."}]
        if slashed.startswith("/") or slashed[1:2] == ":" or ".." in parts:
            self.left_out.append(f"{name}: its path leads out of the archive")
        elif len(parts) - 1 > MAX_DEPTH:
            self.left_out.append(f"{name[:80]}: lies deeper than {MAX_DEPTH} folders")
        elif not parts or not all(map(_is_shown, parts)):
            return
        elif is_link or not is_file:
            self.left_out.append(f"{name}: is {'a link' if is_link else 'no file'}, takes images")
        else:
            folder = ""
            for part in parts[:-1]:
                self._tree[folder][0].add(part)
                folder += f"{part}/"
                self._tree.setdefault(folder, (set(), set()))
            self._tree[folder][1].add(parts[-1])
            self._members["/".join(parts)] = member

    def children(self, folder: str, within_class: bool = False) -> tuple[list[str], list[str]]:
        folders, names = self._tree[folder]
        return sorted(folders), sorted(names - folders)

    def close(self) -> None:
        self._archive.close()


class _Zip(_Archive):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._archive: zipfile.ZipFile = zipfile.ZipFile(path)
        for member in self._archive.infolist():
            if not member.is_dir():
                self._add(member.filename, member, stat.S_ISLNK(member.external_attr >> 16), True)

    def read(self, name: str) -> bytes:
        member = self._members[name]
        image_file.check_file_size(member.file_size)
        return self._archive.read(member)

    def offset(self, name: str) -> int:
        return int(self._members[name].header_offset)


class _Tar(_Archive):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._archive: tarfile.TarFile = tarfile.open(path)  # noqa: SIM115 - it stays open until `close`
        try:
            self._list(path.stat().st_size)
        except BaseException:
            self._archive.close()
            raise

    def _list(self, packed: int) -> None:
        """Lists the members of an archive of `packed` bytes."""
        limit, unpacked = max(_MAX_UNPACKED[0], _MAX_UNPACKED[1] * packed), 0
        for member in self._archive:
            unpacked += member.size
            if unpacked > limit:
                raise WorkshopError(
                    f"{self.path} expands to more than {limit // 2**20} MB: that is no set of photographs"
                )
            if not member.isdir():
                self._add(member.name, member, member.issym() or member.islnk(), member.isreg())
        # A whole archive ends with empty blocks; one that was cut between two members has none.
        assert self._archive.fileobj is not None
        self._archive.fileobj.seek(self._archive.offset)
        if not self._archive.fileobj.read(1):
            raise tarfile.ReadError("its end is missing")

    def read(self, name: str) -> bytes:
        member = self._members[name]
        image_file.check_file_size(member.size)
        file = self._archive.extractfile(member)
        assert file is not None  # it is a regular file
        return file.read()

    def offset(self, name: str) -> int:
        return int(self._members[name].offset_data)


def open_source(path: FilePath) -> Source:
    """Opens a folder or an archive of photos.

    Raises:
        WorkshopError: it is missing, is no archive, or is a truncated one.
    """
    path = Path(path)
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise WorkshopError(f"{path} is not there: give a folder, a .zip or a .tar of photographs")
    if not path.is_file():
        raise WorkshopError(f"{path} is not a regular file, takes a folder, a .zip or a .tar of photographs")
    # A .tar may hold a .zip as its last member, which zipfile would find.
    try:
        is_zip = path.suffix.lower() == ".zip" or (zipfile.is_zipfile(path) and not tarfile.is_tarfile(path))
        return _Zip(path) if is_zip else _Tar(path)
    except WorkshopError:
        raise
    except Exception as error:  # zipfile, tarfile and zlib raise whatever the damaged bytes lead them to
        raise WorkshopError(
            f"{path} is truncated, damaged or no archive ({error}): takes a folder, a .zip or a .tar; fetch it again"
        ) from error


def find_in(folder: FilePath, name: str) -> Path | None:
    """Returns the set of this name in a folder: a folder or an archive, or None."""
    places = (Path(folder) / f"{name}{ending}" for ending in ("", *ARCHIVES))
    return next((place for place in places if place.exists()), None)


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _SYSTEM_FILES
