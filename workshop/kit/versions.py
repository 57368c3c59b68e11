"""The versions that this package was tried with: the lowest in pyproject.toml, the highest in constraints.txt.

`python -m workshop doctor` asks here, and so does the first cell of a notebook, which keeps the TensorFlow, Keras and
NumPy of its host wherever they lie in the range. Nothing that is compared is imported.
"""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

from workshop.kit import files

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PYTHON = "Python"
_EXTRAS = ("torch", "rl", "imagenet", "web")  # what some lessons, the mirrors and the page to draw on need


class Tried(NamedTuple):
    """A range of versions, both ends included.

    Attributes:
        lowest: the oldest one that the package installs with.
        highest: the newest one that its tests ran with.
    """

    lowest: str
    highest: str

    def is_older(self, version: str) -> bool:
        """Returns whether a version is older than all that were tried."""
        from packaging.version import Version

        return Version(version) < Version(self.lowest)

    def is_newer(self, version: str) -> bool:
        """Returns whether a version is newer than all that were tried."""
        from packaging.version import Version

        # 2.13.0+cpu is a build of 2.13.0, and Python 3.13.5 one of the 3.13 that was tried.
        release, highest = Version(Version(version).public), Version(self.highest)
        return release > highest and release.release[: len(highest.release)] != highest.release


def outside_tried_range(names: Sequence[str] = (PYTHON, "tensorflow", "keras", "numpy")) -> list[str]:
    """Returns a sentence for each of these that is not installed, or in a version outside the tried range.

    Args:
        names: packages that pyproject.toml requires, and "Python".
    """
    sentences = []
    for name in names:
        try:
            version = installed(name)
        except metadata.PackageNotFoundError:
            sentences.append(f"{name} is not installed")
            continue
        tried = tried_range(name)
        if tried.is_older(version) or tried.is_newer(version):
            sentences.append(outside(name, version))
    return sentences


def outside(name: str, version: str) -> str:
    """Returns the sentence that a version of a package lies outside the tried range."""
    lowest, highest = tried_range(name)
    return f"{name} {version} lies outside the tried range, {lowest} to {highest}"


def installed(name: str) -> str:
    """Returns the version of a package, or of "Python"; raises PackageNotFoundError where it is not installed."""
    return platform.python_version() if name == PYTHON else metadata.version(name)


def tried_range(name: str) -> Tried:
    """Returns the range of a package that pyproject.toml requires, or of "Python"."""
    from packaging.utils import canonicalize_name

    required, classifiers = _project()
    if name == PYTHON:
        pythons = [line.rpartition(":: 3.")[2] for line in classifiers if ":: Python :: 3." in line]
        return Tried(f"3.{min(map(int, pythons))}", f"3.{max(map(int, pythons))}")
    key = canonicalize_name(name)
    (requirement,) = (package for package in required if canonicalize_name(package.name) == key)
    lines = files.shipped("constraints.txt").read_text("utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    highest = {canonicalize_name(package): version for package, version in tested.items()}[key]
    return Tried(next(bound.version for bound in requirement.specifier if bound.operator == ">="), highest)


def requirements() -> list[Requirement]:
    """Returns the packages that all lessons need, and those that only some do, whose marker names an extra."""
    return _project()[0]


def _project() -> tuple[list[Requirement], list[str]]:
    """Returns requirements and classifiers, from the checkout or from the installed package."""
    from packaging.requirements import Requirement

    # In a checkout, which may have moved on since it was installed, the two lie side by side.
    path = files.shipped("constraints.txt").with_name("pyproject.toml")
    if path.exists():
        project = tomllib.loads(path.read_text("utf-8"))["project"]
        optional = [
            f'{name}; extra == "{extra}"' for extra in _EXTRAS for name in project["optional-dependencies"][extra]
        ]
        return [Requirement(line) for line in [*project["dependencies"], *optional]], project["classifiers"]
    required = [Requirement(line) for line in metadata.requires("workshop") or []]
    extras = [{"extra": extra} for extra in ("", *_EXTRAS)]
    needed = [package for package in required if package.marker is None or any(map(package.marker.evaluate, extras))]
    return needed, metadata.metadata("workshop").get_all("Classifier") or []
