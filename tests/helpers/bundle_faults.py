"""Saves bundles while the process is killed, or the disk fills, at every single step. Run by test_bundle.py.

    python bundle_faults.py killed|disk|savers FOLDER

A program of its own, because it kills itself with SIGKILL: a child is forked for each step. Keras stays out of it; the
`.h5` files are prepared here, and what is tested is how the files of a bundle are written, renamed and found again.
Prints one JSON object: how often which generation of the bundle was found.
"""

import collections
import errno
import io
import json
import os
import pathlib
import signal
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from sklearn.preprocessing import MinMaxScaler

from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle, h5, keras_h5

NAME = "xor"
# For each generation of the bundle whether it has a scaler.
SEQUENCES = {"both": (True, True), "scaler goes": (True, False), "scaler comes": (False, True), "none": (False, False)}


def h5_bytes(generation: int) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
        file["weights"] = np.full(3000, generation, np.float32)
    return content.getvalue()


CONTENTS = {generation: h5_bytes(generation) for generation in (1, 2, 3)}


def save(folder: Path, generation: int, has_scaler: bool) -> None:
    scaler = MinMaxScaler().fit([[0, 0], [generation, generation]]) if has_scaler else None
    bundle.save(
        folder, NAME, generation, lesson="xor", data="table", seed=generation, inputs=[], metrics={}, scaler=scaler
    )


def load(folder: Path) -> tuple[int, bool] | None:
    """Returns which generation is there, and whether with a scaler, after checking that all of it is that one's."""
    try:
        loaded = bundle.load(folder / f"{NAME}.h5", ["xor"])
    except WorkshopError as error:
        assert "is not there" in str(error), error
        return None
    generation = 0 if not loaded.card else loaded.card["seed"]
    content = loaded.model.keras.content  # type: ignore[attr-defined]
    assert content == CONTENTS.get(generation, b"bare"), "the model is another's"
    scaler: Any = loaded.scaler
    if scaler is not None:
        assert scaler.data_max_[0] == generation, "the scaler is another's"
    return generation, loaded.scaler is not None


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put_back(folder: Path, files: dict[str, bytes]) -> None:
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".new")]


@contextmanager
def every_step(happens: Callable[[], None]) -> Iterator[None]:
    """Calls `happens` before each system call that changes a file; each write is split into three."""
    kept = {name: getattr(os, name) for name in ("fsync", "replace", "unlink")}
    kept_open = pathlib.Path.open

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            happens()
            return function(*arguments, **options)

        return call

    class Slow(io.FileIO):
        def write(self, content: Any) -> int:
            third = len(content) // 3
            for part in (content[:third], content[third : 2 * third], content[2 * third :]):
                happens()
                super().write(part)
            return len(content)

    def opened(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode != "wb":
            return kept_open(self, mode, *arguments, **options)
        happens()
        return Slow(self, mode)

    for name, function in kept.items():
        setattr(os, name, around(function))
    pathlib.Path.open = opened  # type: ignore[method-assign]
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(os, name, function)
        pathlib.Path.open = kept_open  # type: ignore[method-assign]


class AtStep:
    """Does something at one step, and counts them all."""

    def __init__(self, number: int, action: Callable[[], None]) -> None:
        self.count = 0
        self._number, self._action = number, action

    def __call__(self) -> None:
        self.count += 1
        if self.count == self._number:
            self._action()


class Stopped(BaseException):
    """Ends the work where it is, as SIGKILL does: nothing in the package catches it."""


def stop() -> None:
    raise Stopped


def stopped_at(number: int, work: Callable[[], object]) -> bool:
    """Does the work up to this step; returns False where it came to its end before."""
    try:
        with every_step(AtStep(number, stop)):
            work()
    except Stopped:
        return True
    return False


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Does the work in a child that is killed at this step; returns False where it came to its end before."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with every_step(AtStep(number, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"the child failed: {status}"
    return os.WIFSIGNALED(status)


class Case(NamedTuple):
    """A folder before the next bundle is saved over it.

    Attributes:
        title: what it is called in the report.
        files: the files in it.
        has_scaler: whether the new bundle has one.
        outcomes: what may be found after a fault: the old bundle or the new one.
    """

    title: str
    files: dict[str, bytes]
    has_scaler: bool
    outcomes: set[tuple[int, bool] | None]


def cases(folder: Path) -> Iterator[Case]:
    CONTENTS[0] = h5_bytes(0)
    for title, (old, new) in SEQUENCES.items():
        put_back(folder, {})
        save(folder, 1, old)
        yield Case(title, files_in(folder), new, {(1, old), (2, new)})
    yield Case("nothing there", {}, True, {None, (2, True)})
    yield Case("a bare .h5", {f"{NAME}.h5": h5_bytes(0)}, True, {(0, False), (2, True)})


def killed(folder: Path) -> dict[str, int]:
    """SIGKILL at every step of saving; then the same end at every step of the tidying up after that."""
    found: collections.Counter[str] = collections.Counter()
    for title, before, new, allowed in cases(folder):
        for number in range(1, 1000):
            put_back(folder, before)
            if not killed_at(number, lambda new=new: save(folder, 2, new)):  # type: ignore[misc]
                break
            after, to_tidy = files_in(folder), leftovers(folder)
            which = load(folder)
            assert which in allowed, (title, number, which)
            assert not leftovers(folder), (title, number, leftovers(folder))
            for second in range(1, 1000):
                put_back(folder, after)
                if not to_tidy or not stopped_at(second, lambda: load(folder)):
                    break
                assert load(folder) == which, (title, number, second)
            # And the next run saves over it, as ever.
            put_back(folder, after)
            save(folder, 3, new)
            assert load(folder) == (3, new) and not leftovers(folder), (title, number)
            found[f"{title}: {'new' if which == (2, new) else 'old'}"] += 1
        assert load(folder) == (2, new), title
    return dict(found)


def disk(folder: Path) -> dict[str, int]:
    """Each step fails once with "No space left on device"."""
    found: collections.Counter[str] = collections.Counter()

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for title, before, new, allowed in cases(folder):
        for number in range(1, 1000):
            put_back(folder, before)
            failed, steps = False, AtStep(number, full)
            try:
                with every_step(steps):
                    save(folder, 2, new)
            except WorkshopError as error:
                failed = True
                assert "No space left on device" in str(error) and str(error).isprintable(), error
            assert not leftovers(folder), (title, number, leftovers(folder))
            which = load(folder)
            assert which in allowed, (title, number, which)
            # A step that fails without a word must not have mattered.
            assert failed or which == (2, new), (title, number)
            found[f"{title}: {'refused' if failed else 'saved'}, {'new' if which == (2, new) else 'old'}"] += 1
            if steps.count < number:
                break
    return dict(found)


def savers(folder: Path) -> dict[str, int]:
    """Two programs save at the same time, over and over, while a third one loads."""
    save(folder, 1, True)
    children = []
    for generation, has_scaler in ((1, True), (2, False)):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(60):
                    save(folder, generation, has_scaler)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    found: collections.Counter[str] = collections.Counter()
    running = set(children)
    while running:
        which = load(folder)
        assert which in {(1, True), (2, False)}, which
        found[str(which[0])] += 1
        for child in list(running):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                assert status == 0, "a saver failed"
                running.remove(child)
    assert load(folder) in {(1, True), (2, False)} and not leftovers(folder)
    return dict(found)


def main() -> None:
    # What a disk makes of it cannot be seen from here, and it takes its time.
    os.fsync = lambda fd: None
    vars(bundle)["as_model"] = lambda model: types.SimpleNamespace(engine="keras", to_h5=lambda: CONTENTS[model])
    vars(h5)["read_saved"] = lambda content, path: content
    vars(keras_h5)["build"] = lambda content: types.SimpleNamespace(content=content, input_shape=(None, 2))
    work, folder = {"killed": killed, "disk": disk, "savers": savers}[sys.argv[1]], Path(sys.argv[2])
    folder.mkdir()
    print(json.dumps(work(folder)))


if __name__ == "__main__":
    main()
