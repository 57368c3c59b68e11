"""What lies in an HDF5 file, once `hdf5` has read it: groups, and the arrays in them."""

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
        type: of its elements.
        attributes: by name.
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
    """A folder in the file: what lies in it, and its attributes, both by name."""

    entries: dict[str, Group | Dataset] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, path: str) -> Group | Dataset:
        """Returns what lies under a path, "dense/kernel"."""
        found: Group | Dataset = self
        for name in path.split("/"):
            if not isinstance(found, Group) or name not in found.entries:
                raise UnreadableError(f"it has no {path[:100]}")
            found = found.entries[name]
        return found

    def group(self, path: str) -> Group:
        """Returns the group under a path."""
        found = self[path]
        if not isinstance(found, Group):
            raise UnreadableError(f"its {path[:100]} is no group")
        return found

    def dataset(self, path: str) -> Dataset:
        """Returns the array under a path."""
        found = self[path]
        if not isinstance(found, Dataset):
            raise UnreadableError(f"its {path[:100]} is no array")
        return found
