"""The versions that were tried: where the installed ones stand to them, and that the project's files name both ends."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import Version

from workshop import notebook
from workshop.kit import device, files, versions
from workshop.kit.versions import Tried, outside_tried_range, tried_range

NAMES = [versions.PYTHON, *(requirement.name for requirement in versions.requirements())]


@pytest.mark.parametrize("name", NAMES)
def test_both_ends_of_every_range_are_named(name: str) -> None:
    tried = tried_range(name)
    assert Version(tried.lowest) <= Version(tried.highest)


def test_python_is_required_as_it_was_tried() -> None:
    required = files.shipped("constraints.txt").with_name("pyproject.toml").read_text("utf-8")
    assert f'requires-python = ">={tried_range(versions.PYTHON).lowest}"' in required


@pytest.mark.parametrize(
    ("version", "is_older", "is_newer"),
    [
        ("3.9.2", True, False),
        ("3.10.0rc1", True, False),
        ("3.10.0", False, False),
        ("3.15.1", False, False),
        ("3.15.1+cpu", False, False),
        ("3.15.1.post2", False, False),
        ("3.15.2", False, True),
        ("4.0.0", False, True),
    ],
)
def test_the_ends_belong_to_the_range(version: str, is_older: bool, is_newer: bool) -> None:
    tried = Tried("3.10", "3.15.1")
    assert (tried.is_older(version), tried.is_newer(version)) == (is_older, is_newer)


def test_a_patch_of_a_tried_python_is_inside() -> None:
    assert not Tried("3.11", "3.13").is_newer("3.13.9") and Tried("3.11", "3.13").is_newer("3.14.0")


def test_what_lies_outside_is_said_in_a_sentence_each(monkeypatch: pytest.MonkeyPatch) -> None:
    keras, numpy, python = tried_range("keras"), tried_range("numpy"), tried_range(versions.PYTHON)
    found = {"tensorflow": tried_range("tensorflow").highest, "keras": "3.5.0", "numpy": "99.1"}
    monkeypatch.setattr(metadata, "version", lambda name: found[name])
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert outside_tried_range() == [
        f"Python 3.99.0 lies outside the tried range, {python.lowest} to {python.highest}",
        f"keras 3.5.0 lies outside the tried range, {keras.lowest} to {keras.highest}",
        f"numpy 99.1 lies outside the tried range, {numpy.lowest} to {numpy.highest}",
    ]


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert outside_tried_range(["keras"]) == ["keras is not installed"]


def test_an_installed_wheel_knows_its_ranges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Away from the checkout they are read from the package's metadata."""
    expected = {name: tried_range(name) for name in NAMES}
    required = [str(requirement) for requirement in versions.requirements()]
    classifiers = [f"Programming Language :: Python :: 3.{minor}" for minor in (9, 11, 13)]
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(files.shipped("constraints.txt").read_text("utf-8"))
    monkeypatch.setattr(files, "shipped", lambda name: tmp_path / name)
    monkeypatch.setattr(metadata, "requires", lambda name: [*required, 'pytest>=8.2; extra == "test"'])
    monkeypatch.setattr(metadata, "metadata", lambda name: SimpleNamespace(get_all=lambda key: classifiers))
    assert {name: tried_range(name) for name in NAMES} == expected | {versions.PYTHON: Tried("3.9", "3.13")}


def test_a_notebook_says_so_in_its_first_cell(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(device, "prepare", lambda seed: "Keras 3.9.2 on tensorflow, 2 CPU cores")
    monkeypatch.setattr(metadata, "version", lambda name: "3.9.2" if name == "keras" else tried_range(name).highest)
    notebook.start()
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("keras 3.9.2 lies outside the tried range") and "if a cell fails" in line


def test_nothing_that_is_compared_is_imported() -> None:
    code = "import sys; from workshop.kit.versions import outside_tried_range as f; f(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "numpy"} & set(run.stdout.split())
