"""The wheels of a room: this package's own, and those that it needs, as pip resolves them with constraints.txt."""

import base64
import contextlib
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from workshop.kit import files
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.pack.target import THIS, Target

_INCOMING = ".incoming"  # in the folder of the wheels: what pip is writing; nothing of it counts as being there
_BATCH = 12  # wheels that one run of pip fetches; a run that was stopped goes on after the last whole batch
_SECONDS = 10.0  # between two lines about a download, where the output is no screen

_DISK_IS_FULL = ("No space left on device", "Disk quota exceeded", "not enough space on the disk")
_NO_NETWORK = (
    "Failed to establish a new connection",
    "Max retries exceeded",
    "Retrying (Retry(",
    "Name or service not known",
    "name resolution",
    "getaddrinfo failed",
    "Network is unreachable",
    "timed out",
    "Connection broken",
    "IncompleteRead",
)


class Planned(NamedTuple):
    """A wheel of pip's plan.

    Attributes:
        name: of the project.
        version: as it is installed.
        is_here: whether it is in the folder already.
    """

    name: str
    version: str
    is_here: bool


# --- This package -----------------------------------------------------------------------------------------------------


def write_own_wheel(wheels: FilePath) -> Path:
    """Writes this package as a wheel into the folder, in the place of an earlier one; returns its path.

    In a checkout it is built; an installed package is put together again from its files.

    Raises:
        WorkshopError: it cannot be built, or this package is neither installed nor in a checkout.
    """
    wheels, root = Path(wheels), _checkout()
    if root is not None:
        path = _build(root, wheels)
    else:
        try:
            name, content = reassembled(metadata.distribution("workshop"))
        except metadata.PackageNotFoundError as error:
            raise WorkshopError(
                "this package is neither installed nor in a checkout, and no wheel can be made of it: install it first"
            ) from error
        path = wheels / name
        files.write_atomically(path, content)
    for other in wheels.glob("workshop-*.whl"):
        if other != path:
            other.unlink()
    return path


def _checkout() -> Path | None:
    """Returns the folder of the sources, or None for an installed package."""
    path = files.shipped("pyproject.toml")
    with contextlib.suppress(OSError, ValueError, KeyError):
        if tomllib.loads(path.read_text("utf-8"))["project"]["name"] == "workshop":
            return path.parent
    return None


def _build(root: Path, wheels: Path) -> Path:
    # Where hatchling is installed no network is needed; else pip fetches it.
    options = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    with _incoming(wheels) as incoming:
        try:
            _run_pip(["wheel", "--no-deps", *options, "--wheel-dir", str(incoming), str(root)], wheels)
        except PipError as error:
            raise error.for_user(THIS) from error
        (path,) = _take_over(incoming, wheels)
    return path


def reassembled(package: metadata.Distribution) -> tuple[str, bytes]:
    """Returns the name and the content of the wheel that an installed package came from."""
    left_out = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}  # what pip wrote when it installed it
    record, content = [], io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        folder = ""
        for file in sorted(package.files or ()):
            if file.parent.name.endswith(".dist-info"):
                folder = str(file.parent)
            if file.name in left_out or "__pycache__" in file.parts or ".." in file.parts:
                continue
            data = Path(str(file.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{file.as_posix()},sha256={digest},{len(data)}")
            archive.writestr(zipfile.ZipInfo(file.as_posix(), (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
        archive.writestr(f"{folder}/RECORD", "\n".join([*record, f"{folder}/RECORD,,", ""]))
    return f"workshop-{package.version}-py3-none-any.whl", content.getvalue()


# --- What it needs ----------------------------------------------------------------------------------------------------


def gather(wheels: FilePath, own: FilePath, extras: Sequence[str], target: Target) -> None:
    """Fetches the wheels that are missing in the folder for a kind of machine; prints what it does.

    Args:
        wheels: the folder.
        own: the wheel of this package in it.
        extras: of this package.
        target: the machine.

    Raises:
        WorkshopError: some are missing and cannot be fetched.
    """
    wheels = Path(wheels)
    _drop_damaged(wheels)
    requirement = f"workshop[{','.join(extras)}]"
    try:
        complete = _plan(requirement, wheels, target, is_offline=True)
        print(f"Wheels    for {target}: all {len(complete)} are there")
        return
    except PipError as error:
        missing_name = error.missing
    print(f"Wheels    for {target}: asking the package index which versions are needed ...", flush=True)
    failures = ""
    try:
        if missing_name:
            failures = _ask_for(missing_name, wheels, target)
        # By its address: the index may have another project of this name.
        planned = _plan(f"{requirement} @ {Path(own).as_uri()}", wheels, target, may_retry=not failures)
        missing = [wheel for wheel in planned if not wheel.is_here]
        print(f"Wheels    {len(planned)} wheels, {len(planned) - len(missing)} of them here", flush=True)
        _fetch(missing, wheels, target)
        _plan(requirement, wheels, target, is_offline=True)  # raises an error where one is still missing
    except PipError as error:
        raise PipError(failures + error.output, wheels).for_user(target, missing_name) from error


def _ask_for(requirement: str, wheels: Path, target: Target) -> str:
    """Asks the package index for one wheel. Without a network pip would try again and again for each of a hundred.

    Returns:
        pip's messages about an index that does not respond; empty where all do.
    """
    with _incoming(wheels) as incoming:
        command = ["install", "--dry-run", "--ignore-installed", "--quiet", "--no-deps", "--retries", "1"]
        if not target.is_this:
            command += ["--target", str(incoming / "nowhere"), *target.options()]
        command += ["--timeout", "15", "--constraint", str(files.shipped("constraints.txt")), requirement]
        output = _run_pip(command, wheels, target)
    return "".join(line for line in output.splitlines(keepends=True) if any(sign in line for sign in _NO_NETWORK))


def _plan(
    requirement: str, wheels: Path, target: Target, *, is_offline: bool = False, may_retry: bool = True
) -> list[Planned]:
    """Returns the wheels that pip would install on a machine where nothing is installed.

    Args:
        requirement: what is to be installed.
        wheels: a folder of wheels that are preferred.
        target: the machine.
        is_offline: whether the room is asked for, which has this folder and nothing else.
        may_retry: whether an index that does not respond is asked again.

    Raises:
        PipError: some of them cannot be found.
    """
    with _incoming(wheels) as incoming:
        report = incoming / "report.json"
        command = ["install", "--dry-run", "--ignore-installed", "--report", str(report)]
        if not target.is_this:
            command += ["--target", str(incoming / "nowhere"), *target.options()]
        command += ["--constraint", str(files.shipped("constraints.txt")), "--find-links", str(wheels)]
        if not may_retry:
            command += ["--retries", "0"]
        _run_pip([*command, requirement], wheels, target, is_offline=is_offline)
        items = json.loads(report.read_text("utf-8"))["install"]
    planned = []
    for item in items:
        file = unquote(item["download_info"]["url"].rpartition("/")[2])
        is_here = (wheels / file).is_file()
        planned.append(Planned(item["metadata"]["name"], item["metadata"]["version"], is_here))
    return planned


def _fetch(missing: Sequence[Planned], wheels: Path, target: Target) -> None:
    """Fetches wheels, some at a time; each is moved into the folder when it is whole."""
    from tqdm import tqdm

    is_screen = sys.stdout.isatty()
    fetched = 0  # bytes
    with tqdm(total=len(missing), desc="Wheels", unit="", file=sys.stdout, disable=not is_screen) as bar:
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            last = time.monotonic()

            def show(more: int, start: int = start, before: int = fetched, first: str = batch[0].name) -> None:
                nonlocal last
                bar.set_postfix_str(f"{(before + more) / 1e6:,.0f} MB")
                if not is_screen and time.monotonic() > last + _SECONDS:
                    print(f"Wheels    fetching from {first} on, {(before + more) / 1e6:,.0f} MB", flush=True)
                    last = time.monotonic()

            with _incoming(wheels) as incoming:
                # For this machine `wheel` also builds what is published as sources only: the room could not.
                command = ["wheel", "--wheel-dir"] if target.is_this else ["download", *target.options(), "--dest"]
                pins = [f"{wheel.name}=={wheel.version}" for wheel in batch]
                _run_pip([*command, str(incoming), "--no-deps", *pins], wheels, target, show=show)
                fetched += sum(path.stat().st_size for path in _take_over(incoming, wheels))
            bar.update(len(batch))
            if not is_screen:
                print(f"Wheels    {start + len(batch)} of {len(missing)}, {fetched / 1e6:,.0f} MB", flush=True)


def _drop_damaged(wheels: Path) -> None:
    """Removes wheels that somebody's interrupted copy left: they would be taken for whole ones."""
    for path in wheels.glob("*.whl"):
        if not zipfile.is_zipfile(path):
            print(f"Wheels    {one_line(path.name)} is damaged: it is fetched again")
            path.unlink()


@contextlib.contextmanager
def _incoming(wheels: Path) -> Iterator[Path]:
    """Gives an empty folder beside the wheels, on the same disk, which is removed afterwards."""
    folder = wheels / _INCOMING
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_over(incoming: Path, wheels: Path) -> list[Path]:
    """Moves the wheels that pip has finished to the others, each in one step; returns their paths."""
    paths = []
    for path in sorted(incoming.glob("*.whl")):
        with path.open("r+b") as file:
            os.fsync(file.fileno())  # first on the disk, then under its name: the folder may be a stick
        paths.append(path.replace(wheels / path.name))
    files.flush_folder(wheels)
    return paths


# --- pip --------------------------------------------------------------------------------------------------------------


class PipError(Exception):
    """pip has failed; `output` is what it wrote."""

    def __init__(self, output: str, folder: FilePath) -> None:
        super().__init__(output)
        self.output = output
        self.folder = folder

    @property
    def missing(self) -> str:
        """The requirement that no wheel was found for, or an empty text."""
        # The last is how pip says that the folder has no wheel of the version in constraints.txt.
        signs = r"No matching distribution found for|satisfies the requirement|The user requested \(constraint\)"
        match = re.search(rf"(?:{signs}) ([^\s;(]+)", self.output)
        return match[1] if match else ""

    def for_user(self, target: Target, asked_for: str = "") -> WorkshopError:
        """Returns the error that says what to do; `asked_for` is a wheel that is missing, where pip names none."""
        missing = self.missing or asked_for
        if any(sign in self.output for sign in _DISK_IS_FULL):
            return WorkshopError(f"{self.folder}: the disk is full: free some space and run this again; it goes on")
        if any(sign in self.output for sign in _NO_NETWORK):
            return WorkshopError(
                f"wheels are missing ({missing or 'some'}) and the package index does not respond: connect to a "
                f"network and run this again; it fetches only what is missing"
            )
        if missing:
            return WorkshopError(
                f"no wheel of {missing} for {target} can be found: give another --python or --platform, or pip's "
                f"options for another package index in its environment variables (PIP_INDEX_URL)"
            )
        lines = [line.removeprefix("ERROR: ") for line in self.output.splitlines() if line.startswith("ERROR: ")]
        reason = lines[:1] or self.output.splitlines()[-1:] or ["it gave no reason"]
        return WorkshopError(f"pip failed: {reason[0][:300]}")


def _run_pip(
    arguments: Sequence[str],
    wheels: Path,
    target: Target = THIS,
    *,
    is_offline: bool = False,
    show: Callable[[int], None] | None = None,
) -> str:
    """Runs pip in a process of its own; returns what it printed.

    Args:
        arguments: of pip.
        wheels: the folder of the wheels; what pip writes while it works lies in it too, on the same disk.
        target: the machine to resolve for.
        is_offline: whether no package index is asked, nor any other folder of wheels.
        show: called twice a second with the size in bytes of what has been fetched so far.

    Raises:
        PipError: it failed.
    """
    incoming = wheels / _INCOMING
    program = ["-m", "pip"]
    if not target.is_this:
        program = ["-m", "workshop.pack.other_machine", json.dumps(target.markers())]
    # Settings of somebody's pip that are meant for installing.
    settings = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment = {name: value for name, value in os.environ.items() if not (is_offline and name.startswith("PIP_"))}
    if is_offline:
        settings |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(incoming / "tmp"))
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            [sys.executable, *program, *arguments, "--no-input", "--progress-bar", "off"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment | settings | temporary,
        )
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
                if show is not None:
                    show(_size(incoming))
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        printed = output.read()
    if process.returncode:
        raise PipError(printed, wheels)
    return printed


def _size(folder: Path) -> int:
    """Returns the size of the files in a folder, in which another process writes and removes some."""
    size = 0
    for inner, _, names in os.walk(folder):  # which passes over a folder that is gone, as `rglob` does not
        for name in names:
            with contextlib.suppress(OSError):
                size += (Path(inner) / name).lstat().st_size
    return size
