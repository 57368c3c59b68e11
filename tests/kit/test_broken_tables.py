"""Two hundred broken tables, made from good ones: each is read, or refused in one line; none hangs or crashes."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workshop.kit.data import table_encoding, tables
from workshop.kit.errors import WorkshopError

WILD = (
    *(b'"', b"'", b"\n", b"\r", b";;;;", b",,,,", b"\t", b"\0", b"\xff", b"\xef\xbb\xbf", b"1e999", b"nan", b"=2+2"),
    *(b'"""', b"#", b"sep=;\n", b"-", b"9" * 400, b"1.2.3,4", b"\xe2\x88\x92", b"x" * 5000, b"$" * 9),
)
SECONDS = 5  # for one table, on a slow machine
FILES = 200


def good_table(random: np.random.Generator) -> bytes:
    """Returns a table of numbers, texts, dates and classes, in one of the notations that people use."""
    separator = random.choice([",", ";", "\t", "|"])
    sign = "," if separator == ";" else "."
    rows = [separator.join(["name", "area", "district", "sold", "price"])]
    for i in range(random.integers(5, 60)):
        area = f"{random.uniform(20, 200):.1f}".replace(".", sign)
        district = random.choice(["north", "south", "old town"])
        price = f"{random.integers(50, 900) * 1000}" if random.random() < 0.9 else ""
        rows.append(separator.join([f"h{i}", area, district, f"2024-0{1 + i % 9}-1{i % 9}", price]))
    return (random.choice(["\n", "\r\n"]).join(rows) + "\n").encode()


def flip(content: bytearray, random: np.random.Generator) -> None:
    for at in random.integers(0, len(content), random.integers(1, 20)):
        content[at] = random.integers(0, 256)


def cut(content: bytearray, random: np.random.Generator) -> None:
    del content[random.integers(1, len(content)) :]


def repeat(content: bytearray, random: np.random.Generator) -> None:
    first, last = sorted(random.integers(0, len(content), 2))
    content[first:first] = content[first:last] * int(random.integers(1, 50))


def insert(content: bytearray, random: np.random.Generator) -> None:
    for _ in range(random.integers(1, 6)):
        at = int(random.integers(0, len(content) + 1))
        content[at:at] = WILD[random.integers(0, len(WILD))]


def shuffle_cells(content: bytearray, random: np.random.Generator) -> None:
    lines = content.split(b"\n")
    random.shuffle(lines)
    content[:] = b"\n".join(lines)


BREAK: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (flip, cut, repeat, insert, shuffle_cells)


@pytest.mark.slow
def test_a_broken_table_is_read_or_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(18)
    refused = 0
    for number in range(FILES):
        content = bytearray(good_table(random))
        for _ in range(random.integers(1, 4)):
            BREAK[random.integers(0, len(BREAK))](content, random)
            if not content:
                break
        path = tmp_path / f"broken-{number}.csv"
        path.write_bytes(content)
        started = time.monotonic()
        try:
            table = tables.read_table(path)
            task = table_encoding.prepare(table, 1, None, {})
            assert np.isfinite(task.X).all(), f"table {number}"
            assert len(task.X) == len(task.y)
        except WorkshopError as error:
            refused += 1
            assert str(error).startswith(str(path)), f"table {number}: {error}"
        assert time.monotonic() - started < SECONDS, f"table {number}"
        path.unlink()
    capsys.readouterr()
    # Not all of them are so broken that nothing is left to train on, and some are.
    assert 0 < refused < FILES


@pytest.mark.parametrize(
    "content", [b"", b"\n\n\n", b"\0" * 100, b"\xff\xfe", b"\xef\xbb\xbf", b",", b'"', b"a", b"a,b\n"]
)
def test_a_table_of_nothing_is_refused_in_a_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "nothing.csv"
    path.write_bytes(content)
    with pytest.raises(WorkshopError, match=r"nothing\.csv"):
        tables.read_table(path)
