"""The groups and arrays of an HDF5 file that `reader` has read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workshop.kit.saving.hdf5.checked_bytes import UnreadableError
from workshop.kit.saving.hdf5.values import Type

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Dataset:
    """An array in the file.

    Attributes:
        shape: its shape.
        type: the type of its elements.
        data: its bytes.
        attributes: its attributes, by name.
    """

    shape: tuple[int, ...]
    type: Type
    data: bytes
    attributes: dict[str, Any] = field(default_factory=dict)

    def array(self) -> np.ndarray:
        """Returns the numbers, float or whole, of the shape; a copy."""
        import numpy as np

        if self.type.kind not in "fiu":
            raise UnreadableError("an array holds no numbers")
        return np.frombuffer(self.data, self.type.code).reshape(self.shape).astype(self.type.code.replace(">", "<"))


@dataclass
class Group:
    """A group of the file: its groups and arrays, and its attributes, both by name."""

    entries: dict[str, Group | Dataset] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, path: str) -> Group | Dataset:
        """Returns the group or array under a path, "dense/kernel"."""
        entry: Group | Dataset = self
        for name in path.split("/"):
            if not isinstance(entry, Group) or name not in entry.entries:
                raise UnreadableError(f"it has no {path[:100]}")
            entry = entry.entries[name]
        return entry

    def group(self, path: str) -> Group:
        """Returns the group under a path."""
        entry = self[path]
        if not isinstance(entry, Group):
            raise UnreadableError(f"its {path[:100]} is no group")
        return entry

    def dataset(self, path: str) -> Dataset:
        """Returns the array under a path."""
        entry = self[path]
        if not isinstance(entry, Dataset):
            raise UnreadableError(f"its {path[:100]} is no array")
        return entry
