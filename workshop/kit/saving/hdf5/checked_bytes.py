"""The bytes of an HDF5 file that may come from anybody: no look beyond their end, and no more looks than are fair.

`hdf5` follows the file's structure by it, `hdf5_values` reads types and attributes by it.
"""

# What a file may cost: looks at its bytes (a model of a hundred layers needs some 20,000), and bytes taken out, for
# each byte that it has. A file whose parts point at one another again and again ends here.
_MOST_LOOKS = 300_000
_MOST_COPIES = 4


class UnreadableError(ValueError):
    """The file is damaged, or uses what Keras does not; the text says which."""


class OutsideError(UnreadableError):
    """The file would have its reader look for something where it is not: in another file, beyond its end."""


class Bytes:
    """A file's content, whose every look is checked and counted.

    Attributes:
        content: all of it.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._looks = _MOST_LOOKS
        self._bytes = 100_000 + _MOST_COPIES * len(content)

    def part(self, start: int, count: int) -> bytes:
        """Returns `count` bytes from an address on."""
        if start < 0 or count < 0 or start + count > len(self.content):
            raise UnreadableError("an address or a size lies beyond its end")
        self.spend(count)
        return self.content[start : start + count]

    def spend(self, count: int) -> None:
        """Takes a look, and the bytes that it gives, off what the file may cost."""
        self._looks -= 1
        self._bytes -= count
        if self._looks < 0 or self._bytes < 0:
            raise UnreadableError("its parts point at one another again and again")

    def number(self, start: int, size: int = 8) -> int:
        """Returns the whole number of `size` bytes at an address."""
        return int.from_bytes(self.part(start, size), "little")

    def expect(self, start: int, signature: bytes) -> None:
        """Raises UnreadableError unless the part at an address begins with its signature."""
        if self.part(start, len(signature)) != signature:
            raise UnreadableError(f"a part of it is not what its address says ({signature.decode('latin-1')})")


def two_numbers(data: bytes) -> tuple[int, int]:
    """Returns the two whole numbers of 8 bytes, such as an address and a size, that a message begins with."""
    if len(data) < 16:
        raise UnreadableError("a message in it is too short")
    return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")
