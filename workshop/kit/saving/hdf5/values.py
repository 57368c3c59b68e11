"""The values in an HDF5 file: shapes, types of elements, attributes, and the texts in its heaps.

Supported are the types that Keras uses: IEEE 754 floats, whole numbers, and texts.

Source: HDF5 File Format Specification, version 3.0, sections III.E and IV.A.2 (messages 0x01, 0x03 and 0x0C).
"""

import math
from typing import Any, NamedTuple

from workshop.kit.saving.hdf5.checked_bytes import Bytes, UnreadableError


class Type(NamedTuple):
    """A type of elements: `kind` f, i or u for numbers, S for texts of a fixed length, V for texts of any length."""

    kind: str
    size: int
    code: str = ""  # NumPy's, for numbers


def read_shape(data: bytes) -> tuple[int, ...]:
    """Returns the shape that a dataspace message gives; () is a single value."""
    version, rank = data[0], data[1]
    if version not in (1, 2) or rank > 32 or (version == 2 and data[3] == 2):
        raise UnreadableError("an array in it has an unknown shape")
    start = 8 if version == 1 else 4
    if len(data) < start + 8 * rank:
        raise UnreadableError("an array in it has an unknown shape")
    return tuple(int.from_bytes(data[start + 8 * i : start + 8 * i + 8], "little") for i in range(rank))


def read_type(data: bytes, largest: int) -> Type:
    """Returns the type that a datatype message gives; a text of more than `largest` bytes is refused."""
    kind, bits, size = data[0] & 15, data[1], int.from_bytes(data[4:8], "little")
    order = ">" if bits & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8):
        letter = "i" if bits & 8 else "u"
        return Type(letter, size, f"{order}{letter}{size}")
    # Offset and precision in bits, then position and size of exponent and mantissa, as in IEEE 754.
    ieee = {2: (0, 16, 10, 5, 0, 10), 4: (0, 32, 23, 8, 0, 23), 8: (0, 64, 52, 11, 0, 52)}
    layout = (int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little"), *data[12:16])
    if kind == 1 and ieee.get(size) == layout and not bits & 0x40:
        return Type("f", size, f"{order}f{size}")
    if kind == 3 and 1 <= size <= largest:
        return Type("S", size)
    if kind == 9 and bits & 15 == 1 and size == 16:
        return Type("V", size)
    raise UnreadableError("a type in it is not one that Keras uses")


class Attributes:
    """Reads the attributes of a file."""

    def __init__(self, source: Bytes) -> None:
        self._source = source
        self._heaps: dict[int, dict[int, bytes]] = {}

    def read(self, data: bytes) -> tuple[str, Any]:
        """Returns an attribute's name and its value: a text, a number, or a list of them; None for another type."""
        version = data[0]
        if version not in (1, 2, 3) or (version > 1 and data[1]):
            raise UnreadableError("an attribute in it is of an unknown version")
        sizes = [int.from_bytes(data[i : i + 2], "little") for i in (2, 4, 6)]
        at = 9 if version == 3 else 8
        parts = []
        for size in sizes:
            if at + size > len(data):
                raise UnreadableError("an attribute in it is longer than its message")
            parts.append(data[at : at + size])
            at += size if version > 1 else -(-size // 8) * 8
        name = parts[0].rstrip(b"\0").decode()
        if len(parts[1]) < 8 or len(parts[2]) < 4:
            raise UnreadableError("an attribute in it is too short")
        try:
            kind, shape = read_type(parts[1], len(self._source.content)), read_shape(parts[2])
        except UnreadableError:
            return name, None  # an empty one, or of another type: missing, for who needs it
        count = math.prod(shape)
        if count * kind.size > len(data) - at:
            raise UnreadableError("an attribute in it is longer than its message")
        data = data[at : at + count * kind.size]
        values: list[Any]
        if kind.code:
            import numpy as np

            values = np.frombuffer(data, kind.code).tolist()
        else:
            values = [self._text(data[i : i + kind.size], kind) for i in range(0, len(data), kind.size)]
        return name, values if shape else values[0]

    def _text(self, cell: bytes, kind: Type) -> str:
        """Returns a text from its cell or, where it may be of any length, from the heap that the cell points to."""
        if kind.kind == "S":
            return cell.rstrip(b"\0").decode(errors="replace")
        length, address = int.from_bytes(cell[:4], "little"), int.from_bytes(cell[4:12], "little")
        index = int.from_bytes(cell[12:16], "little")
        text = self._heap(address).get(index, b"") if length else b""
        if len(text) < length:
            raise UnreadableError("a text in it is shorter than it says")
        self._source.spend(length)
        return text[:length].decode(errors="replace")

    def _heap(self, address: int) -> dict[int, bytes]:
        """Returns the texts of a global heap, by their numbers."""
        if address in self._heaps:
            return self._heaps[address]
        self._source.expect(address, b"GCOL")
        end = address + self._source.number(address + 8)
        texts: dict[int, bytes] = {}
        at = address + 16
        while at + 16 <= end:
            index, size = self._source.number(at, 2), self._source.number(at + 8)
            if index == 0:  # the free space at the end
                break
            if at + 16 + size > end:
                raise UnreadableError("a text in it is longer than its heap")
            texts[index] = self._source.part(at + 16, size)
            at += 16 + -(-size // 8) * 8
        self._heaps[address] = texts
        return texts
