"""The bytes of an untrusted HDF5 file: bounds-checked reads with a read budget.

`reader` follows the file's structure with it, `values` reads types and attributes with it.
"""

# The read budget: reads (a model of a hundred layers needs some 20,000), and bytes read for each byte of the file. A
# file whose parts point at one another again and again exhausts it.
_MAX_READS = 300_000
_MAX_BYTES_READ = 4


class UnreadableError(ValueError):
    """The file is damaged, or uses a feature of HDF5 that Keras does not; the text says which."""


class OutsideError(UnreadableError):
    """The file refers to data outside of itself: in another file, or beyond its end."""


class Bytes:
    """A file's content, in which every read is checked and counted.

    Attributes:
        content: the whole file.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._reads_left = _MAX_READS
        self._bytes_left = 100_000 + _MAX_BYTES_READ * len(content)

    def part(self, start: int, count: int) -> bytes:
        """Returns `count` bytes from an address on."""
        if start < 0 or count < 0 or start + count > len(self.content):
            raise UnreadableError("an address or a size lies beyond its end")
        self.spend(count)
        return self.content[start : start + count]

    def spend(self, count: int) -> None:
        """Takes one read of `count` bytes off the budget."""
        self._reads_left -= 1
        self._bytes_left -= count
        if self._reads_left < 0 or self._bytes_left < 0:
            raise UnreadableError("its parts point at one another again and again")

    def number(self, start: int, size: int = 8) -> int:
        """Returns the whole number of `size` bytes at an address."""
        return int.from_bytes(self.part(start, size), "little")

    def expect(self, start: int, signature: bytes) -> None:
        """Raises UnreadableError unless the part at an address begins with its signature."""
        if self.part(start, len(signature)) != signature:
            raise UnreadableError(f"a part of it is not what its address says ({signature.decode('latin-1')})")


def two_numbers(data: bytes) -> tuple[int, int]:
    """Returns the two whole numbers of 8 bytes, such as an address and a size, at the beginning of a message."""
    if len(data) < 16:
        raise UnreadableError("a message in it is too short")
    return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")
