"""Files beside the user that are named as a library: a line names the file, and no file is named without need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workshop.doctor import machine
from workshop.kit import shadows


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, env=os.environ, timeout=100
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("random.py", ["workshop", "--help"]),
        ("argparse.py", ["workshop"]),
        ("typing.py", ["apps.write", "--help"]),
        ("numpy/__init__.py", ["workshop.xor", "--help"]),
        ("tokenize.py", ["workshop.xor", "--help"]),
    ],
)
def test_a_file_that_hides_a_library_is_named(name: str, arguments: list[str], room: Path) -> None:
    (room / name).parent.mkdir(exist_ok=True)
    (room / name).write_text("x = 1\n")
    done = start(room, *arguments)
    library = name.split("/")[0].removesuffix(".py")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {room / name} hides the library {library}, which the program needs: rename the file, or start the "
        f"program in another folder\n"
    )


def test_files_that_hide_nothing_that_is_needed(room: Path) -> None:
    for name in ("test.py", "keras.py", "statistics.py", "mnist.py", "apps.py"):
        (room / name).write_text("x = 1\n")
    (room / "numpy").mkdir()
    assert start(room, "workshop").returncode == 0


def test_which_file_hides_which_library(room: Path) -> None:
    (room / "random.py").write_text("")
    (room / "mine.py").write_text("")
    (room / "numpy").mkdir()
    assert shadows.hidden_by(str(room), "random") == str(room / "random.py")
    assert not any(shadows.hidden_by(str(room), name) for name in ("mine", "numpy", "keras", "sys", "workshop"))
    assert [text for _, text in machine.check_folder()] == [
        "random.py in this folder hides the library random: rename the file"
    ]
