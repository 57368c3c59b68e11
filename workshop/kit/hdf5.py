"""A strict reader of the part of HDF5 that Keras writes, for files that may come from anybody.

A damaged file can make the HDF5 library run in circles or take all memory, deep in C, where no Python program can stop
it. So a stranger's `.h5` is read here: every address is checked against the file's bytes before it is followed, and
every count before anything is made. Known is what h5py writes by default (superblock 0, groups as symbol tables,
contiguous data) and some newer forms of it; all else is refused by name. Links out of the file are never followed.

Source: HDF5 File Format Specification, version 3.0, sections II to IV.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED = 2**64 - 1
_DEEPEST = 32
# What a file may cost: looks at its bytes (a model of a hundred layers needs some 20,000), and bytes taken out, for
# each byte that it has. A file whose parts point at one another again and again ends here.
_MOST_LOOKS = 300_000
_MOST_COPIES = 4


class UnreadableError(ValueError):
    """The file is damaged, or uses what Keras does not; the text says which."""


class OutsideError(UnreadableError):
    """The file would have its reader look for something where it is not: in another file, beyond its end."""


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


class Type(NamedTuple):
    """A type of elements: `kind` f, i or u for numbers, S for texts of a fixed length, V for texts of any length."""

    kind: str
    size: int
    code: str = ""  # NumPy's, for numbers


class _Message(NamedTuple):
    kind: int
    data: bytes


def read(content: bytes) -> Group:
    """Returns the root group of a file.

    Raises:
        UnreadableError: the file is damaged, reaches outside of itself, or uses what is not known here.
    """
    try:
        return _Reader(content).root()
    except (IndexError, OverflowError, UnicodeDecodeError) as error:
        raise UnreadableError("a name or a number in it makes no sense") from error


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._looks = _MOST_LOOKS
        self._bytes = 100_000 + _MOST_COPIES * len(content)
        self._open: set[int] = set()  # groups that are being read: one that holds itself is found by this
        self._heaps: dict[int, dict[int, bytes]] = {}

    def part(self, start: int, count: int) -> bytes:
        if start < 0 or count < 0 or start + count > len(self._content):
            raise UnreadableError("an address or a size lies beyond its end")
        self.spend(count)
        return self._content[start : start + count]

    def spend(self, count: int) -> None:
        self._looks -= 1
        self._bytes -= count
        if self._looks < 0 or self._bytes < 0:
            raise UnreadableError("its parts point at one another again and again")

    def number(self, start: int, size: int = 8) -> int:
        return int.from_bytes(self.part(start, size), "little")

    def expect(self, start: int, signature: bytes) -> None:
        if self.part(start, len(signature)) != signature:
            raise UnreadableError(f"a part of it is not what its address says ({signature.decode('latin-1')})")

    def root(self) -> Group:
        if self._content[:8] != _SIGNATURE:
            raise UnreadableError("it does not begin as HDF5 files do")
        version = self.number(8, 1)
        sizes = self.part(13, 2) if version < 2 else self.part(9, 2)
        if version > 3 or sizes != b"\x08\x08":
            raise UnreadableError("it is of an unknown HDF5 version")
        # Base address, then the root's: in a table entry behind the name's place, or at once.
        base, address = (24 + 4 * (version == 1), 64 + 4 * (version == 1)) if version < 2 else (12, 36)
        if self.number(base) != 0:
            raise UnreadableError("it does not begin at its first byte")
        found = self.object(self.number(address), 0, "/")
        if not isinstance(found, Group):
            raise UnreadableError("it holds no groups")
        return found

    def object(self, address: int, depth: int, name: str) -> Group | Dataset:
        """Reads the group or the array whose header lies at an address."""
        if depth > _DEEPEST or address in self._open:
            raise UnreadableError("a group in it holds itself")
        self._open.add(address)
        messages = list(self.messages(address))
        attributes = dict(self.attribute(one.data) for one in messages if one.kind == 0x0C)
        by_kind = {one.kind: one.data for one in reversed(messages)}
        if 0x15 in by_kind and int.from_bytes(by_kind[0x15][-8:], "little") != _UNDEFINED:
            raise UnreadableError("its attributes are stored in a newer form (dense): save it again with Keras")
        found = self.dataset(by_kind, name) if 0x01 in by_kind else Group(self.entries(messages, depth, name))
        found.attributes = attributes
        self._open.remove(address)
        return found

    def messages(self, address: int) -> Iterator[_Message]:
        """Yields the messages of an object header, version 1 or 2, with its continuations."""
        if self.part(address, 4) == b"OHDR":
            flags = self.number(address + 5, 1)
            start = address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
            width = 1 << (flags & 3)
            blocks = [(start + width, self.number(start, width))]
            head, extra = 4, 2 * bool(flags & 0x04)
        else:
            if self.number(address, 1) != 1:
                raise UnreadableError("an object header in it is of an unknown version")
            blocks = [(address + 16, self.number(address + 8, 4))]
            head, extra = 8, 0
        seen = set()
        while blocks:
            at, size = blocks.pop(0)
            if at in seen:
                raise UnreadableError("an object header in it continues in itself")
            seen.add(at)
            end = at + size
            while at + head + extra <= end:
                kind = self.number(at, 1 if head == 4 else 2)
                length, flags = self.number(at + head // 4, 2), self.number(at + head // 4 + 2, 1)
                at += head + extra
                if at + length > end:
                    raise UnreadableError("a message in it is longer than its header")
                data = self.part(at, length)
                at += length
                if kind == 0x10:
                    where, many = self._two(data)
                    if head == 4:  # a block of version 2 has a signature before and a checksum behind its messages
                        self.expect(where, b"OCHK")
                        where, many = where + 4, many - 8
                    blocks.append((where, many))
                elif flags & 0x02:
                    raise UnreadableError("a message in it is shared, which Keras' files do not do")
                elif kind:
                    yield _Message(kind, data)

    @staticmethod
    def _two(data: bytes) -> tuple[int, int]:
        if len(data) < 16:
            raise UnreadableError("a message in it is too short")
        return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")

    def entries(self, messages: list[_Message], depth: int, name: str) -> dict[str, Group | Dataset]:
        """Reads what lies in a group: a symbol table or, in newer files, one message for each entry."""
        by_kind = {one.kind: one.data for one in messages}
        if 0x11 in by_kind:
            tree, heap = self._two(by_kind[0x11])
            self.expect(heap, b"HEAP")
            return {key: self.object(at, depth + 1, key) for key, at in self.symbols(tree, self.heap(heap), 0)}
        if 0x02 not in by_kind:
            raise OutsideError(f"its entry {name[:100]} is not data")
        start = 2 + 8 * bool(by_kind[0x02][1] & 1)
        if int.from_bytes(by_kind[0x02][start : start + 8], "little") != _UNDEFINED:
            raise UnreadableError("a group in it is stored in a newer form (dense): save it again with Keras")
        links = dict(self.link(one.data) for one in messages if one.kind == 0x06)
        return {key: self.object(at, depth + 1, key) for key, at in links.items()}

    def link(self, data: bytes) -> tuple[str, int]:
        """Returns name and address of an entry of a group in the newer form."""
        flags = data[1]
        kind = data[2] if flags & 8 else 0
        at = 2 + bool(flags & 8) + 8 * bool(flags & 4) + bool(flags & 16)
        width = 1 << (flags & 3)
        length = int.from_bytes(data[at : at + width], "little")
        at += width
        name = data[at : at + length].decode(errors="replace")
        if kind:
            raise OutsideError(f"its entry {name[:100]} is a link to another place or file")
        if len(data) < at + length + 8:
            raise UnreadableError("an entry in it has no name or no place")
        return name, int.from_bytes(data[at + length : at + length + 8], "little")

    def heap(self, address: int) -> bytes:
        """Returns the names of a group, one behind the other."""
        return self.part(self.number(address + 24), self.number(address + 8))

    def symbols(self, address: int, names: bytes, depth: int) -> Iterator[tuple[str, int]]:
        """Yields name and address of every entry below a node of a group's B-tree."""
        if self.part(address, 4) == b"SNOD":
            for i in range(self.number(address + 6, 2)):
                at = address + 8 + 40 * i
                start, kind = self.number(at), self.number(at + 16, 4)
                end = names.find(b"\0", start)
                if not 0 < start < len(names) or end < 0:
                    raise UnreadableError("an entry in it has no name")
                self.spend(end - start)
                name = names[start:end].decode(errors="replace")
                if kind > 1:
                    raise OutsideError(f"its entry {name[:100]} is a link to another place or file")
                yield name, self.number(at + 8)
            return
        self.expect(address, b"TREE")
        if self.number(address + 4, 1) != 0 or depth > _DEEPEST:
            raise UnreadableError("a group in it has no list of its entries")
        for i in range(self.number(address + 6, 2)):
            yield from self.symbols(self.number(address + 32 + 16 * i), names, depth + 1)

    def dataset(self, messages: dict[int, bytes], name: str) -> Dataset:
        if 0x07 in messages:
            raise OutsideError(f"its data {name[:100]} is kept in another file")
        shape = self.shape(messages[0x01])
        if 0x03 not in messages or 0x08 not in messages:
            raise UnreadableError("an array in it has no type or no place")
        kind, layout = self.type(messages[0x03]), messages[0x08]
        size = math.prod(shape) * kind.size
        if size > len(self._content):
            raise OutsideError(f"its data {name[:100]} claims to be larger than the file")
        if layout[0] not in (3, 4) or layout[1] > 1:
            if layout[1] == 3:
                raise OutsideError(f"its data {name[:100]} is kept in another file")
            stored = "in chunks, perhaps compressed" if layout[1] == 2 else "in an unknown way"
            raise UnreadableError(f"an array in it is stored {stored}: save it again with Keras")
        if layout[1] == 0:
            data = layout[4 : 4 + int.from_bytes(layout[2:4], "little")]
        else:
            address, stored_size = self._two(layout[2:])
            if address == _UNDEFINED:  # what was never written has no place: zeros
                self.spend(size)
                data = bytes(size)
            else:
                data = self.part(address, min(stored_size, size))
        if len(data) < size:
            raise UnreadableError("an array in it is smaller than its shape")
        return Dataset(shape, kind, data[:size])

    def shape(self, data: bytes) -> tuple[int, ...]:
        version, rank = data[0], data[1]
        if version not in (1, 2) or rank > 32 or (version == 2 and data[3] == 2):
            raise UnreadableError("an array in it has an unknown shape")
        start = 8 if version == 1 else 4
        if len(data) < start + 8 * rank:
            raise UnreadableError("an array in it has an unknown shape")
        return tuple(int.from_bytes(data[start + 8 * i : start + 8 * i + 8], "little") for i in range(rank))

    def type(self, data: bytes) -> Type:
        kind, bits, size = data[0] & 15, data[1], int.from_bytes(data[4:8], "little")
        order = ">" if bits & 1 else "<"
        if kind == 0 and size in (1, 2, 4, 8):
            letter = "i" if bits & 8 else "u"
            return Type(letter, size, f"{order}{letter}{size}")
        # Offset and precision in bits, then place and size of exponent and mantissa, as IEEE 754 has them.
        ieee = {2: (0, 16, 10, 5, 0, 10), 4: (0, 32, 23, 8, 0, 23), 8: (0, 64, 52, 11, 0, 52)}
        layout = (int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little"), *data[12:16])
        if kind == 1 and ieee.get(size) == layout and not bits & 0x40:
            return Type("f", size, f"{order}f{size}")
        if kind == 3 and 1 <= size <= len(self._content):
            return Type("S", size)
        if kind == 9 and bits & 15 == 1 and size == 16:
            return Type("V", size)
        raise UnreadableError("a type in it is none that Keras uses")

    def attribute(self, data: bytes) -> tuple[str, Any]:
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
            kind, shape = self.type(parts[1]), self.shape(parts[2])
        except UnreadableError:
            return name, None  # an empty one, or of another type; whoever needs it says that it is not there
        count = math.prod(shape)
        if count * kind.size > len(data) - at:
            raise UnreadableError("an attribute in it is longer than its message")
        data = data[at : at + count * kind.size]
        values: list[Any]
        if kind.code:
            import numpy as np

            values = np.frombuffer(data, kind.code).tolist()
        else:
            values = [self.text(data[i : i + kind.size], kind) for i in range(0, len(data), kind.size)]
        return name, values if shape else values[0]

    def text(self, cell: bytes, kind: Type) -> str:
        """Returns a text from its own bytes or, where it may be of any length, from where these say that it lies."""
        if kind.kind == "S":
            return cell.rstrip(b"\0").decode(errors="replace")
        length, address = int.from_bytes(cell[:4], "little"), int.from_bytes(cell[4:12], "little")
        index = int.from_bytes(cell[12:16], "little")
        text = self.collections(address).get(index, b"") if length else b""
        if len(text) < length:
            raise UnreadableError("a text in it is shorter than it says")
        self.spend(length)
        return text[:length].decode(errors="replace")

    def collections(self, address: int) -> dict[int, bytes]:
        """Returns the texts of a global heap, by their numbers."""
        if address in self._heaps:
            return self._heaps[address]
        self.expect(address, b"GCOL")
        end = address + self.number(address + 8)
        texts: dict[int, bytes] = {}
        at = address + 16
        while at + 16 <= end:
            index, size = self.number(at, 2), self.number(at + 8)
            if index == 0:  # the free space at the end
                break
            if at + 16 + size > end:
                raise UnreadableError("a text in it is longer than its heap")
            texts[index] = self.part(at + 16, size)
            at += 16 + -(-size // 8) * 8
        self._heaps[address] = texts
        return texts
