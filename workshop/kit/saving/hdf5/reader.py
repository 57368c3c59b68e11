"""A strict reader of the part of HDF5 that Keras writes, for untrusted files.

A damaged file can make the HDF5 library loop for ever or take all memory, deep in C, where no Python program can stop
it. So an untrusted `.h5` is read here: every address is checked against the file's size before it is followed, and
every count before anything is allocated. Supported are the forms that h5py writes by default (superblock 0, groups as
symbol tables, contiguous data) and some newer ones; all others are refused by name. Links out of the file are never
followed. This module follows the file's structure; `checked_bytes` checks every read, `values` reads types and
attributes, and the result is made of `objects`.

Source: HDF5 File Format Specification, version 3.0, sections II to IV.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from workshop.kit.saving.hdf5.checked_bytes import Bytes, OutsideError, UnreadableError, two_numbers
from workshop.kit.saving.hdf5.objects import Dataset, Group
from workshop.kit.saving.hdf5.values import Attributes, read_shape, read_type

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED = 2**64 - 1
_MAX_DEPTH = 32


class _Message(NamedTuple):
    kind: int
    data: bytes


def read(content: bytes) -> Group:
    """Returns the root group of a file.

    Raises:
        UnreadableError: the file is damaged, reaches outside of itself, or uses an unsupported feature.
    """
    try:
        return _Reader(content).root()
    except (IndexError, OverflowError, UnicodeDecodeError) as error:
        raise UnreadableError("a name or a number in it is invalid") from error


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._source = Bytes(content)
        self._attributes = Attributes(self._source)
        self._open: set[int] = set()  # groups that are being read: one that holds itself is found by this

    def root(self) -> Group:
        if self._source.content[:8] != SIGNATURE:
            raise UnreadableError("it does not begin as HDF5 files do")
        version = self._source.number(8, 1)
        sizes = self._source.part(13, 2) if version < 2 else self._source.part(9, 2)
        if version > 3 or sizes != b"\x08\x08":
            raise UnreadableError("it is of an unknown HDF5 version")
        # The base address, then the root's: in a symbol table entry, or directly.
        base, address = (24 + 4 * (version == 1), 64 + 4 * (version == 1)) if version < 2 else (12, 36)
        if self._source.number(base) != 0:
            raise UnreadableError("it does not begin at its first byte")
        root = self.object(self._source.number(address), 0, "/")
        if not isinstance(root, Group):
            raise UnreadableError("it holds no groups")
        return root

    def object(self, address: int, depth: int, name: str) -> Group | Dataset:
        """Reads the group or the array whose header lies at an address."""
        if depth > _MAX_DEPTH or address in self._open:
            raise UnreadableError("a group in it holds itself")
        self._open.add(address)
        messages = list(self.messages(address))
        read = [self._attributes.read(message.data) for message in messages if message.kind == 0x0C]
        attributes = dict(read)
        if len(attributes) < len(read):  # other readers take the other one
            raise UnreadableError("two attributes in it have the same name")
        by_kind = {message.kind: message.data for message in reversed(messages)}
        if 0x15 in by_kind and int.from_bytes(by_kind[0x15][-8:], "little") != _UNDEFINED:
            raise UnreadableError("its attributes are stored in a newer form (dense): save it again with Keras")
        entry = self.dataset(by_kind, name) if 0x01 in by_kind else Group(self.entries(messages, depth, name))
        entry.attributes = attributes
        self._open.remove(address)
        return entry

    def messages(self, address: int) -> Iterator[_Message]:
        """Yields the messages of an object header, version 1 or 2, with its continuations."""
        if self._source.part(address, 4) == b"OHDR":
            flags = self._source.number(address + 5, 1)
            start = address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
            width = 1 << (flags & 3)
            blocks = [(start + width, self._source.number(start, width))]
            head, extra = 4, 2 * bool(flags & 0x04)
        else:
            if self._source.number(address, 1) != 1:
                raise UnreadableError("an object header in it is of an unknown version")
            blocks = [(address + 16, self._source.number(address + 8, 4))]
            head, extra = 8, 0
        seen = set()
        while blocks:
            at, size = blocks.pop(0)
            if at in seen:
                raise UnreadableError("an object header in it continues in itself")
            seen.add(at)
            end = at + size
            while at + head + extra <= end:
                kind = self._source.number(at, 1 if head == 4 else 2)
                length, flags = self._source.number(at + head // 4, 2), self._source.number(at + head // 4 + 2, 1)
                at += head + extra
                if at + length > end:
                    raise UnreadableError("a message in it is longer than its header")
                data = self._source.part(at, length)
                at += length
                if kind == 0x10:
                    block, block_size = two_numbers(data)
                    if head == 4:  # a block of version 2 has a signature before and a checksum behind its messages
                        self._source.expect(block, b"OCHK")
                        block, block_size = block + 4, block_size - 8
                    blocks.append((block, block_size))
                elif flags & 0x02:
                    raise UnreadableError("a message in it is shared, which Keras' files do not do")
                elif kind:
                    yield _Message(kind, data)

    def entries(self, messages: list[_Message], depth: int, name: str) -> dict[str, Group | Dataset]:
        """Reads the entries of a group: from a symbol table or, in newer files, from one message for each."""
        by_kind = {message.kind: message.data for message in messages}
        if 0x11 in by_kind:
            tree, heap = two_numbers(by_kind[0x11])
            self._source.expect(heap, b"HEAP")
            return {key: self.object(at, depth + 1, key) for key, at in self.symbols(tree, self.heap(heap), 0)}
        if 0x02 not in by_kind:
            raise OutsideError(f"its entry {name[:100]} is not data")
        start = 2 + 8 * bool(by_kind[0x02][1] & 1)
        if int.from_bytes(by_kind[0x02][start : start + 8], "little") != _UNDEFINED:
            raise UnreadableError("a group in it is stored in a newer form (dense): save it again with Keras")
        links = dict(self.link(message.data) for message in messages if message.kind == 0x06)
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
            raise UnreadableError("an entry in it has no name or no address")
        return name, int.from_bytes(data[at + length : at + length + 8], "little")

    def heap(self, address: int) -> bytes:
        """Returns the heap of a group, which holds the names of its entries."""
        return self._source.part(self._source.number(address + 24), self._source.number(address + 8))

    def symbols(self, address: int, names: bytes, depth: int) -> Iterator[tuple[str, int]]:
        """Yields name and address of every entry below a node of a group's B-tree."""
        if self._source.part(address, 4) == b"SNOD":
            for i in range(self._source.number(address + 6, 2)):
                at = address + 8 + 40 * i
                start, kind = self._source.number(at), self._source.number(at + 16, 4)
                end = names.find(b"\0", start)
                if not 0 < start < len(names) or end < 0:
                    raise UnreadableError("an entry in it has no name")
                self._source.spend(end - start)
                name = names[start:end].decode(errors="replace")
                if kind > 1:
                    raise OutsideError(f"its entry {name[:100]} is a link to another place or file")
                yield name, self._source.number(at + 8)
            return
        self._source.expect(address, b"TREE")
        if self._source.number(address + 4, 1) != 0 or depth > _MAX_DEPTH:
            raise UnreadableError("a group in it has no list of its entries")
        for i in range(self._source.number(address + 6, 2)):
            yield from self.symbols(self._source.number(address + 32 + 16 * i), names, depth + 1)

    def dataset(self, messages: dict[int, bytes], name: str) -> Dataset:
        if 0x07 in messages:
            raise OutsideError(f"its data {name[:100]} is kept in another file")
        shape = read_shape(messages[0x01])
        if 0x03 not in messages or 0x08 not in messages:
            raise UnreadableError("an array in it has no type or no address")
        kind, layout = read_type(messages[0x03], len(self._source.content)), messages[0x08]
        size = math.prod(shape) * kind.size
        if size > len(self._source.content):
            raise OutsideError(f"its data {name[:100]} claims to be larger than the file")
        if layout[0] not in (3, 4) or layout[1] > 1:
            if layout[1] == 3:
                raise OutsideError(f"its data {name[:100]} is kept in another file")
            stored = "in chunks, perhaps compressed" if layout[1] == 2 else "in an unknown way"
            raise UnreadableError(f"an array in it is stored {stored}: save it again with Keras")
        if layout[1] == 0:
            data = layout[4 : 4 + int.from_bytes(layout[2:4], "little")]
        else:
            address, stored_size = two_numbers(layout[2:])
            if address == _UNDEFINED:  # an array that was never written has no address: zeros
                self._source.spend(size)
                data = bytes(size)
            else:
                data = self._source.part(address, min(stored_size, size))
        if len(data) < size:
            raise UnreadableError("an array in it is smaller than its shape")
        return Dataset(shape, kind, data[:size])
