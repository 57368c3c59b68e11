"""`python -m workshop doctor`: is this machine ready for the lessons?

The checks run in a child process, one after the other. A library may hang while it is imported, or end the process
(TensorFlow does on a processor that it was not built for): that costs its own check, and a new child goes on with the
next one.
"""

import contextlib
import io
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from workshop import LESSONS
from workshop.kit import files
from workshop.kit.errors import WorkshopError

SECONDS = 14.0  # for all checks together
_SECONDS_A_CHECK = 4.0  # for one that needs no Keras; one that does may take all the time that is left
_FREE_MEMORY = 2e9  # bytes; the largest lesson takes 1.5e9
_FREE_DISK = 200e6

TABLES = ("houses", "housing", "admission")
MODELS = (
    "house_price", "houses", "logistic_regression", "admission", "xor", "mnist_dense", "mnist_cnn",
    "fashion_mnist_dense", "fashion_mnist_cnn", "cats_vs_dogs_small", "text_generation", "denoiser",
)  # fmt: skip
_INSTALL_AGAIN = "install the package into a new virtual environment, as its README says"
_IMPORTED_AS = {"scikit-learn": "sklearn", "pillow": "PIL"}
_STANDINS = {"mnist": "scikit-learn's 1,797 real digits", "fashion_mnist": "drawn garments"}


class Finding(NamedTuple):
    """One line of the answer.

    Attributes:
        level: "OK"; "NOTE", which is good to know; or "FIX", which is to be mended.
        text: what was found and, for a "FIX", after a colon what to do.
    """

    level: str
    text: str


def main(findings: Iterable[Finding] | None = None) -> int:
    """Prints what the checks find, and whether the machine is ready; returns the exit code, 1 if something is to mend.

    Args:
        findings: what was found; unless given, the checks run in a child process.
    """
    to_mend = 0
    for level, text in supervise() if findings is None else findings:
        print(f"{level:4} {text}", flush=True)
        to_mend += level == "FIX"
    print(f"{to_mend} thing{'s' * (to_mend > 1)} to mend" if to_mend else "OK: ready for the room")
    return int(to_mend > 0)


def supervise(seconds: float = SECONDS) -> Iterator[Finding]:
    """Runs all checks in a child process; goes on with a new one after a check that hangs or ends the process."""
    deadline = time.monotonic() + seconds
    waiting = list(CHECKS)
    while waiting:
        child = subprocess.Popen(
            [sys.executable, "-m", "workshop.kit.doctor", *waiting],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        hung = False
        try:
            while waiting:
                limit = min(CHECKS[waiting[0]].seconds, deadline - time.monotonic())
                findings, hung = _next_answer(child, waiting[0], limit)
                if findings is None:
                    break
                waiting.pop(0)
                yield from findings
        finally:
            child.kill()
            code = child.wait()
            if child.stdout:
                child.stdout.close()
        if not waiting:
            return
        title = waiting.pop(0)
        if not hung:
            remedy = f"{_INSTALL_AGAIN}; where that does not help, the library does not run on this processor"
            yield _fix(f"{title}: a library ended the process ({_ending(code)})", remedy)
            continue
        yield _fix(f"{title}: no answer in time", "ask once more (a library's first import is slow), then reboot")
        if waiting and time.monotonic() >= deadline:
            yield _fix(f"{', '.join(waiting)}: not looked at, no time was left", "first mend what is above")
            return


def _next_answer(child: subprocess.Popen[str], title: str, seconds: float) -> tuple[list[Finding] | None, bool]:
    """Waits for what the child's check `title` finds.

    Returns:
        The findings, None where none came; and whether that is because the child hung (it is killed then).
    """
    hung = threading.Event()

    def stop() -> None:
        hung.set()
        child.kill()

    alarm = threading.Timer(seconds, stop)
    alarm.start()
    try:
        for line in child.stdout or ():
            # Other lines are what a library printed.
            with contextlib.suppress(ValueError, TypeError):
                answered, findings = json.loads(line)
                if answered == title:
                    return [Finding(*one) for one in findings], False
        child.wait()
        return None, hung.is_set()
    finally:
        alarm.cancel()


def examine(titles: Sequence[str] = ()) -> Iterator[Finding]:
    """Runs checks (all by default) in this process."""
    for title in titles or CHECKS:
        yield from answer(title)


def answer(title: str) -> list[Finding]:
    """Runs one check in this process; a check that raises has found something to mend."""
    findings: list[Finding] = []
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for finding in CHECKS[title].run():
                findings.append(finding)
    except WorkshopError as error:
        findings.append(Finding("FIX", f"{title}: {error}"))
    except Exception as error:  # a broken library raises anything
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        findings.append(_fix(f"{title}: {reason}", _INSTALL_AGAIN))
    return findings


# --- The checks -------------------------------------------------------------------------------------------------------


def check_python() -> Iterator[Finding]:
    """Compares Python with what the package asks for."""
    from packaging.specifiers import SpecifierSet

    version, wanted = platform.python_version(), SpecifierSet(_requirements()[0])
    if wanted.contains(version, prereleases=True):
        yield Finding("OK", f"Python {version}")
    else:
        yield _fix(f"Python {version} is not {wanted}", "install such a Python, and the package into it")


def check_packages() -> Iterator[Finding]:
    """Compares each package with the oldest version that will do and with the tested one."""
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
            yield _fix(f"{own} in this folder hides the library of that name", "rename the file")
        best = tested.get(canonicalize_name(name))
        install = f'python -m pip install "{name}=={best}"' if best else f'python -m pip install "{requirement}"'
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            if is_needed:
                yield _fix(f"{name} is not installed", install)
            else:
                yield Finding("NOTE", f"{name} is not installed; only the PyTorch part needs it: {install}")
            continue
        # 2.13.0+cpu is a build of 2.13.0, not newer than it.
        is_newer = best is not None and Version(Version(version).public) > Version(best)
        if not requirement.specifier.contains(version, prereleases=True):
            yield _fix(f"{name} {version} is not {requirement.specifier}", install)
        elif is_newer:
            yield Finding("NOTE", f"{name} {version} is newer than the tested {best}; if it misbehaves: {install}")
        else:
            yield Finding("OK", f"{name} {version}")


def check_memory() -> Iterator[Finding]:
    """Looks for the memory that the largest lesson takes."""
    total, free = memory()
    text = f"Memory: {total / 1e9:.1f} GB" + f", {(free or 0) / 1e9:.1f} GB of them free" * (free is not None)
    if (total if free is None else free) < _FREE_MEMORY:
        yield _fix(f"{text}, a lesson takes up to 1.5 GB", "close other programs, or run lessons with --quick")
    else:
        yield Finding("OK", text)


def check_disk() -> Iterator[Finding]:
    """Looks where models are written, unless `--models` says otherwise: the folder models where one is now."""
    folder = Path("models").absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        yield _fix(
            f"Disk: nothing can be written to {place} ({error.strerror})",
            "work in another folder, or give --models DIR",
        )
        return
    text = f"Disk: {free / 1e9:.1f} GB free in {place}"
    if free < _FREE_DISK:
        yield _fix(f"{text}, models and pictures take up to {_FREE_DISK / 1e9:.1f} GB", "free some space")
    else:
        yield Finding("OK", text)


def check_data() -> Iterator[Finding]:
    """Says where the image sets are, having compared them with the published ones, and reads the shipped tables."""
    from workshop.kit import data

    named = os.environ.get("WORKSHOP_DATA")
    if named and not Path(named).is_dir():
        yield _fix(f"WORKSHOP_DATA={named} is not a folder", "set it to the folder of mnist and fashion_mnist")
    for name, standin in _STANDINS.items():
        place = data.find_image_set(name)
        if place is None:
            missed = f" in WORKSHOP_DATA={named}, nor" * bool(named)
            lesson = f"its lesson tries a download, {data.DOWNLOAD_TIMEOUT:g} s at most for an answer"
            yield Finding("NOTE", f"{name} is not{missed} in Keras' cache: {lesson}, else it trains on {standin}")
            continue
        try:
            yield Finding("OK", f"{data.load_image_set(name, place).source} in {place}")
        except WorkshopError as error:
            yield Finding("FIX", str(error))
    sound = []
    for table in TABLES:
        try:
            data.read_table(data.shipped_table(table))
            sound.append(table)
        except WorkshopError as error:
            yield _fix(f"Table {table} is missing or damaged ({error})", _INSTALL_AGAIN)
    if sound:
        yield Finding("OK", f"Tables: {', '.join(sound)}")


def check_devices() -> Iterator[Finding]:
    """Says what Keras computes on."""
    from workshop.kit import device

    text = device.prepare(seed=1)
    yield Finding("OK", text if "CPU" in text else f"{text}, {os.cpu_count()} CPU cores")
    if "GPU" not in text and shutil.which("nvidia-smi"):
        yield Finding("NOTE", 'an NVIDIA card is here but not used; python -m pip install "tensorflow[and-cuda]"')


def check_models() -> Iterator[Finding]:
    """Loads the models that ship with the package."""
    from workshop.kit import bundle

    folder = files.shipped("models")
    lessons = [lesson.name for lesson in LESSONS]
    missing = [name for name in MODELS if not (folder / f"{name}.h5").exists()]
    if missing:
        yield _fix(f"Models that should have come with the package: {', '.join(missing)}", _INSTALL_AGAIN)
    sound = []
    for name in MODELS:
        if name in missing:
            continue
        try:
            if bundle.load(folder / f"{name}.h5", lessons).is_verified:
                sound.append(name)
            else:
                yield _fix(f"Model {name} came without its card", _INSTALL_AGAIN)
        except WorkshopError as error:
            yield Finding("FIX", f"Model {name}: {error}")
    if sound:
        yield Finding("OK", f"Models: {', '.join(sound)}")


def check_training() -> Iterator[Finding]:
    """Trains a small model for a step, saves it with a scaler, and loads it again."""
    import numpy as np
    from sklearn.preprocessing import MinMaxScaler

    from workshop.kit import bundle, training
    from workshop.kit.lazy import keras

    X = np.arange(16, dtype=np.float32).reshape(8, 2)
    y = X.sum(axis=1)
    scaler = MinMaxScaler().fit(X)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    training.fit(model, scaler.transform(X), y, epochs=1, batch_size=8, seed=1)
    expected = training.predict(model, scaler.transform(X))
    with tempfile.TemporaryDirectory() as folder:
        bundle.save(
            Path(folder), "doctor", model, scaler=scaler, lesson="doctor", data="", seed=1, metrics={},
            inputs=[bundle.Input("first"), bundle.Input("second")],
        )  # fmt: skip
        loaded = bundle.load(Path(folder) / "doctor.h5", ["doctor"])
        difference = float(np.abs(loaded.predict(X) - expected).max())
    if difference <= 1e-5:
        yield Finding("OK", "Training: a small model was trained, saved, loaded, and predicts the same")
    else:
        yield _fix(f"Training: a loaded model's predictions differ by {difference:.2g}", _INSTALL_AGAIN)


class Check(NamedTuple):
    """A check and how long it may take."""

    run: Callable[[], Iterator[Finding]]
    seconds: float = _SECONDS_A_CHECK


# Those that need Keras last: they may take all the time that the others leave.
CHECKS = {
    "Python": Check(check_python),
    "Packages": Check(check_packages),
    "Memory": Check(check_memory),
    "Disk": Check(check_disk),
    "Data": Check(check_data),
    "Devices": Check(check_devices, math.inf),
    "Models": Check(check_models, math.inf),
    "Training": Check(check_training, math.inf),
}


# --- What the checks need ---------------------------------------------------------------------------------------------


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
    # A container (a lab on JupyterHub) may be given less than the machine has. What it keeps of files can be dropped.
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
        _fields_ = (("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("total", ctypes.c_ulonglong),
                    ("free", ctypes.c_ulonglong), ("others", ctypes.c_ulonglong * 5))  # fmt: skip

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return float(status.total), float(status.free)


def _requirements() -> tuple[str, list[str]]:
    """Returns what the package needs, Python and packages: as it was installed, or as its checkout says."""
    try:
        return metadata.metadata("workshop")["Requires-Python"], metadata.requires("workshop") or []
    except metadata.PackageNotFoundError:
        import tomllib

        project = tomllib.loads(files.shipped("pyproject.toml").read_text("utf-8"))["project"]
        torch = [f'{one}; extra == "torch"' for one in project["optional-dependencies"]["torch"]]
        return project["requires-python"], [*project["dependencies"], *torch]


def _fix(text: str, remedy: str) -> Finding:
    return Finding("FIX", f"{text}: {remedy}")


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(json.dumps([wanted, answer(wanted)]), flush=True)
