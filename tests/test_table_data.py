"""Tables: what is read, and the one line that refuses what cannot be."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workshop.kit.data import tables
from workshop.kit.errors import WorkshopError

HEADER = b"area,rooms,price\n"


def write(content: bytes | str, name: str = "table.csv") -> Path:
    path = Path(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(action: Callable[[], object], *parts: str) -> str:
    """Runs what must raise WorkshopError; the message is one printable line that has all of `parts`."""
    with pytest.raises(WorkshopError) as caught:
        action()
    message = str(caught.value)
    assert message.isprintable() and len(message) < 400, message
    for part in parts:
        assert part in message, message
    return message


def refused_table(content: bytes | str, *parts: str) -> str:
    path = write(content)
    return refused(lambda: tables.read_table(path).numbers(), "table.csv", *parts)


def test_a_plain_table() -> None:
    table = tables.read_table(write("area, rooms ,price\n50,2,100\n 80.5 ,3,1.5e2\n"))
    assert table.names == ("area", "rooms", "price")
    assert table.lines == (2, 3)
    assert table.source == "table.csv (2 rows)"
    X, y = table.split_numbers()
    assert X.dtype == y.dtype == np.float32
    np.testing.assert_array_equal(X, [[50, 2], [80.5, 3]])
    np.testing.assert_array_equal(y, [100, 150])
    np.testing.assert_array_equal(table.numbers([2, 0]), [[100, 50], [150, 80.5]])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,2\n3,4\n",  # as spreadsheets save "CSV UTF-8"
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"a,b\r1,2\r3,4\r",
        b"a,b\n1,2\n3,4",
        b"a,b\n1,2\n3,4\n\n\n",
        b"\n\na,b\n\n1,2\n , \n3,4\n",
        b'"a","b"\n"1","2"\n"3","4"\n',
        b"a;b\n1;2\n3;4\n",
        b'a;b\n1,0;"2,0"\n3;4,0\n',
        b"a,b\n+1,2.\n 3e0 ,4\n",
    ],
)
def test_every_way_to_write_the_same_table(content: bytes) -> None:
    table = tables.read_table(write(content))
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.numbers(), [[1, 2], [3, 4]])


def test_quoted_cells_hold_commas_quotes_and_line_ends() -> None:
    table = tables.read_table(write('"town, street","the ""class"""\n"A, B\nC",yes\nD,no\n'))
    assert table.names == ("town, street", 'the "class"')
    assert list(table.texts(0)) == ["A, B\nC", "D"]
    assert not table.is_numeric(0)


def test_a_decimal_comma_is_understood_with_semicolons_only() -> None:
    table = tables.read_table(write("a;b\n1,5;-2,25\n1e3;,5\n"))
    np.testing.assert_array_equal(table.numbers(), [[1.5, -2.25], [1000, 0.5]])
    # In a table parted by commas "1,500" is somebody's thousands or somebody's decimals: nobody knows.
    refused_table('a,b\n"1,500",2\n3,4\n', "line 2, column a", "1,500", "takes a number")
    refused_table("a;b\n1.234,5;2\n3;4\n", "line 2, column a", "1.234,5", "takes a number")


def test_the_file_itself() -> None:
    refused(lambda: tables.read_table(Path("nowhere.csv")), "nowhere.csv", "is not there")
    Path("folder.csv").mkdir()
    refused(lambda: tables.read_table(Path("folder.csv")), "folder.csv", "is a folder")
    refused(lambda: tables.read_table(write("") / "below.csv"), "below.csv", "cannot be read")
    for empty in ("", "\n \n\n", "\ufeff", ",,\n \n", '""'):
        refused_table(empty, "is empty", "header line")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("a,b\n1,2\n3,4\n".encode("utf-16"), "not UTF-8"),
        ("a,b\n1,2\n3,4\n".encode("utf-16-le"), "not a text file"),
        ("área,b\n1,2\n3,4\n".encode("latin-1"), "not UTF-8"),
        (b"a,b\n1,2\n3,\x004\n", "not a text file"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0", "not a text file"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8"),
    ],
)
def test_what_is_no_utf8_text(content: bytes, part: str) -> None:
    refused_table(content, part)


def test_the_header_line() -> None:
    refused_table("1,2\n3,4\n5,6\n", "line 1", "header line with column names")
    refused_table("\n\n50,price\n3,4\n", "line 3", "50", "header line")
    refused_table("price\n1\n2\n", "line 1", "one column", "price")
    refused_table("a\tb\n1\t2\n", "line 1", "one column")
    refused_table("a,,b\n1,2,3\n4,5,6\n", "line 1", "column 2 has no name")
    # Which of the two would a message, or a prompt, mean?
    refused_table("a,b,a\n1,2,3\n4,5,6\n", "line 1", "two columns are named a")


def test_the_cells() -> None:
    table = HEADER.decode()
    refused_table(table + "50,2,100\n80,three,150\n", "line 3, column rooms", "three", "takes a number")
    refused_table(table + "50,2,100\n80,,150\n", "line 3, column rooms", "empty")
    refused_table(table + "50,2,100\n80,3, \n", "line 3, column price", "empty")
    refused_table(table + "50,2,100\n\n80,3\n", "line 4", "has 2 cells", "has 3")
    refused_table(table + "50,2,100\n80,3,150,9\n", "line 3", "has 4 cells")
    for text in ("NaN", "nan", "inf", "-Infinity"):
        refused_table(table + f"50,2,100\n80,3,{text}\n", "line 3, column price", text, "finite")
    for text in ("1e308", "-1e300", "1e16", "9" * 400):
        refused_table(table + f"50,2,100\n80,{text},150\n", "line 3, column rooms", text[:6], "takes")
    for text in ("1_000", "0x10", "1 000", "12 m2", "TRUE", "--5"):
        refused_table(table + f"50,2,100\n80,{text},150\n", "line 3, column rooms", text, "takes a number")
    refused_table('a,b\n1,"2\n3,4\n', "is not CSV")


def test_the_rows() -> None:
    refused_table(HEADER, "has 0 rows", "takes 2 or more")
    refused_table(HEADER + b"50,2,100\n", "has 1 rows", "takes 2 or more")
    path = write(HEADER + b"50,2,100\n80,3,150\n")
    refused(lambda: tables.read_table(path, at_least=20), "has 2 rows", "takes 20 or more")


def test_two_classes() -> None:
    def split(rows: str) -> tuple[np.ndarray, np.ndarray]:
        return tables.read_table(write("x1,x2,class\n" + rows)).split_two_classes()

    X, y = split("1,2,0\n3,4,1\n5,6,1.0\n7,8,0\n")
    np.testing.assert_array_equal(y, [0, 1, 1, 0])
    assert X.shape == (4, 2)
    refused(lambda: split("1,2,1\n3,4,1\n"), "column class", "one class (1")
    refused(lambda: split("1,2,0\n3,4,1\n5,6,1\n"), "column class", "has 1 row", "2 or more of each class")
    refused(lambda: split("1,2,0\n3,4,2\n"), "line 3, column class", "got 2", "0 or 1")
    refused(lambda: split("1,2,0\n3,4,0.5\n"), "line 3, column class", "got 0.5", "0 or 1")
    refused(lambda: split("1,2,no\n3,4,yes\n"), "line 2, column class", "got no", "takes a number")


def test_the_number_of_columns() -> None:
    table = tables.read_table(write("a,b\n1,2\n3,4\n"))
    table.check_columns(2, "feature, target")
    refused(lambda: table.check_columns(3, "two scores, then 0 or 1"), "has 2 columns (a, b)", "takes 3", "two scores")


def test_a_message_stays_short_whatever_the_file_holds() -> None:
    long = "x" * 100_000
    refused_table(f"a,b\n1,{long}\n3,4\n", "line 2, column b", "xxx...")
    refused_table(f"a,{long}\n1,two\n3,4\n", "line 2, column xxx")
    refused_table(f"{long}\n1\n", "has one column")
    refused_table(f"a,b\n1,{'9' * 200_000}\n", "line 2", "is not CSV")  # longer than the csv module takes
    refused_table(",".join(str(i) for i in range(5000)), "line 1", "header line")
    wide = tables.read_table(write(",".join(f"c{i}" for i in range(5000)) + "\n" + (",".join("1" * 5000) + "\n") * 2))
    refused(lambda: wide.check_columns(3, "two scores, then 0 or 1"), "has 5000 columns (c0, c1,", ", ...)")


def test_what_a_cell_holds_does_not_steer_the_terminal() -> None:
    message = refused_table("a,b\n1,\x1b[2J\x1b]0;owned\x07\n3,4\n", "line 2, column b", "[2J")
    assert "\x1b" not in message and "\x07" not in message
    path = write("a,b\n1,x\n3,4\n", "a\x1b[31mb.csv")
    assert "\x1b" not in refused(lambda: tables.read_table(path).numbers(), "line 2, column b")


FLOATS = st.floats(min_value=-(2.0**49), max_value=2.0**49, width=32)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(FLOATS, min_size=n, max_size=n), min_size=2)),
    semicolons=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_numbers_written_and_read_back_are_equal(rows: list[list[float]], semicolons: bool, end: str) -> None:
    lines = [[f"c{i}" for i in range(len(rows[0]))], *[[repr(number) for number in row] for row in rows]]
    if semicolons:
        text = end.join(";".join(line).replace(".", ",") for line in lines)
    else:
        text = end.join(",".join(line) for line in lines)
    table = tables.read_table(write(text))
    np.testing.assert_array_equal(table.numbers(), np.array(rows, np.float32))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text('a1,;."\n\r\t \0é-e', max_size=60).map(str.encode)))
def test_any_bytes_are_a_table_or_refused(content: bytes) -> None:
    path = write(content)
    try:
        table = tables.read_table(path)
        assert len(table.rows) >= 2 and {len(row) for row in table.rows} == {len(table.names)}
        assert np.isfinite(table.numbers()).all()
    except WorkshopError as error:
        assert str(error).isprintable() and re.match(r"table\.csv\b", str(error))
