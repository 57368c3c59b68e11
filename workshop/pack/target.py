"""The machines of a room, for pip: the tags of their wheels and the conditions of their requirements."""

import argparse
import platform
import re
from dataclasses import dataclass

# Everyday names of pip's tags. A macOS of these or newer takes the wheels, and a Linux with this or a newer glibc.
PLATFORMS = {
    "windows": "win_amd64",
    "macos": "macosx_14_0_arm64",
    "linux": "manylinux_2_28_x86_64",
    "linux-arm": "manylinux_2_28_aarch64",
}
_OWN_PYTHON = ".".join(platform.python_version_tuple()[:2])
_OLDEST_GLIBC = 5  # manylinux1 is manylinux_2_5
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MANYLINUX = re.compile(r"manylinux_2_(\d+)_(\w+)")


@dataclass(frozen=True)
class Target:
    """A kind of machine in the room.

    Attributes:
        python: the version of its Python, "3.12"; empty for the version that runs this.
        platform: a key of `PLATFORMS` or one of pip's tags; empty for a machine like this one.
    """

    python: str = ""
    platform: str = ""

    def __str__(self) -> str:
        machine = self.platform or f"{platform.system()} {platform.machine()}"
        if not self.platform and "glibc" in platform.libc_ver():
            machine += f", glibc {platform.libc_ver()[1]} or newer"
        return f"Python {self.python or _OWN_PYTHON} on {machine}"

    @property
    def is_this(self) -> bool:
        """Whether it is a machine like this one, with this Python."""
        return not (self.python or self.platform)

    def options(self) -> list[str]:
        """Returns pip's options that choose the wheels of this machine."""
        if self.is_this:
            return []
        options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", self.python or _OWN_PYTHON]
        for tag in self._tags():
            options += ["--platform", tag]
        return options

    def _tags(self) -> list[str]:
        tag = PLATFORMS.get(self.platform, self.platform)
        match = _MANYLINUX.fullmatch(tag)
        if not match:
            return [tag] if tag else []
        # pip takes the tag as it is, a machine also takes the wheels for an older glibc.
        glibc, machine = int(match[1]), match[2]
        tags = []
        for version in range(glibc, _OLDEST_GLIBC - 1, -1):
            tags.append(f"manylinux_2_{version}_{machine}")
            if version in _OLD_NAMES:
                tags.append(f"{_OLD_NAMES[version]}_{machine}")
        return tags

    def markers(self) -> dict[str, str]:
        """Returns the environment markers in which this machine differs from the one that runs this."""
        markers = {}
        if self.python:
            markers = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        tag = PLATFORMS.get(self.platform, self.platform)
        if tag.startswith("win"):
            machine = {"win_amd64": "AMD64", "win_arm64": "ARM64"}.get(tag, "x86")
            markers |= {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"}
        elif tag.startswith("macosx"):
            machine = "arm64" if tag.endswith("arm64") else "x86_64"
            markers |= {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"}
        elif tag:
            machine = "aarch64" if tag.endswith("aarch64") else "x86_64"
            markers |= {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
        else:
            return markers
        return markers | {"platform_machine": machine}


THIS = Target()


def parse_python(text: str) -> str:
    """Parses a version of Python, "3.12", for `add_argument(type=...)`."""
    if not re.fullmatch(r"3\.\d{1,2}", text):
        raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a version as 3.12")
    return text


def parse_platform(text: str) -> str:
    """Parses the name of a platform or one of pip's tags, for `add_argument(type=...)`."""
    if text not in PLATFORMS and not re.fullmatch(r"(win|macosx|manylinux|musllinux|linux)_?\w+", text):
        raise argparse.ArgumentTypeError(f"got {text[:40]}, takes {', '.join(PLATFORMS)} or a tag as pip has them")
    return text
