"""What a notebook needs of the place it runs in: Colab's dialogues where they are, plain paths where not."""

import importlib.util
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jupytext
import pytest

from workshop import __version__, notebook
from workshop.kit.errors import WorkshopError

NOTEBOOK = Path(notebook.__file__).parents[1] / "notebooks" / "14_mnist.py"  # all begin with the same cell
CELLS = jupytext.read(NOTEBOOK, fmt="py:percent").cells
FIRST_CELL = next(cell.source for cell in CELLS if cell.cell_type == "code")


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A session of Colab: what is chosen in its dialogue, what is downloaded and mounted."""
    session = SimpleNamespace(chosen={}, downloaded=[], mounted=[])
    google, here = ModuleType("google"), ModuleType("google.colab")
    attributes: dict[str, Any] = {
        "files": SimpleNamespace(upload=lambda: session.chosen, download=session.downloaded.append),
        "drive": SimpleNamespace(mount=session.mounted.append),
    }
    vars(here).update(attributes)
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", here)
    return session


def test_start_says_what_the_notebook_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    notebook.start()
    first, second, *notes = capsys.readouterr().out.splitlines()
    assert first.startswith(f"workshop {__version__} on Python ")
    assert second.startswith("Keras ") and " on tensorflow" in second
    assert notes == []


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("place", ["a checkout", "Colab"])
def test_the_first_cell_installs_the_package_and_keeps_the_hosts_versions(
    place: str, fits: bool, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of the host's lies outside of the tried range, pip refuses, and the package alone is added."""
    commands: list[list[str]] = []

    def pip(command: list[str], check: bool = False) -> SimpleNamespace:
        commands.append(command[1:])
        return SimpleNamespace(returncode=0 if fits or "--no-deps" in command else 1)

    if place == "a checkout":
        (room / "pyproject.toml").touch()
        (room / "notebooks").mkdir()
        monkeypatch.chdir(room / "notebooks")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "workshop" else find(name))
    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(notebook, "start", lambda: commands.append(["start"]))
    exec(FIRST_CELL, {})

    address = re.findall(r"git\+https[^\"]+", FIRST_CELL)[0]
    install = ["-m", "pip", "install", "--quiet", ".." if place == "a checkout" else address]
    kept = [f"{name}=={metadata.version(name)}" for name in ("tensorflow", "keras", "numpy")]
    assert commands == [[*install, *kept], *([] if fits else [[*install, "--no-deps"]]), ["start"]]


def test_a_notebook_in_which_the_package_is_there_installs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *command: pytest.fail(f"ran {command}"))
    monkeypatch.setattr(notebook, "start", lambda: None)
    exec(FIRST_CELL, {})


def test_on_ones_own_computer_a_file_is_a_path(
    room: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert notebook.upload("mine.csv") is None
    assert f"mine.csv is not there, so the notebook's own example is taken. Put yours into {room}" in _said(capsys)
    (room / "mine.csv").write_text("1,2", "utf-8")
    assert notebook.upload("mine.csv") == Path("mine.csv")
    notebook.download("mine.csv")
    assert f"mine.csv: 3 bytes, in {room}" in _said(capsys)
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(room))
    assert notebook.upload("~/mine.csv") == room / "mine.csv"
    for _ in range(2):  # also where it is there already
        assert notebook.drive("kept") == Path("kept") and (room / "kept").is_dir()
    assert notebook.drive() == Path("my-workshop") and (room / "my-workshop").is_dir()


def test_in_colab_a_dialogue_asks(colab: SimpleNamespace, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert notebook.upload("mine.csv") is None  # nothing was chosen
    colab.chosen = {"theirs (1).csv": b"1,2"}
    assert notebook.upload("mine.csv") == Path("theirs (1).csv")
    (room / "admission.h5").write_bytes(b"x")
    notebook.download("admission.h5")
    assert colab.downloaded == ["admission.h5"]
    monkeypatch.setattr(notebook, "MOUNTED", room / "drive")
    folder = notebook.drive("kept")
    assert folder == room / "drive" / "MyDrive" / "kept" and folder.is_dir()
    assert colab.mounted == [str(room / "drive")]


@pytest.mark.parametrize("in_colab", [True, False])
def test_what_was_not_saved_cannot_be_downloaded(in_colab: bool, request: pytest.FixtureRequest) -> None:
    if in_colab:
        request.getfixturevalue("colab")
    with pytest.raises(WorkshopError, match=r"got admission\.h5, which is no file here: save it first"):
        notebook.download("admission.h5")


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())
