"""Tables: what is read, and the one line that refuses what cannot be."""

import argparse
import bz2
import gzip
import lzma
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workshop.kit.data import tables
from workshop.kit.data.table import columns, decoding, layout, numerals, splitting
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
    assert list(table.texts(0)) == ["A, B C", "D"]  # a line end is a blank: a card holds printable texts
    assert not table.columns[0].is_numeric


# --- The same table, as people publish it -----------------------------------------------------------------------------

# Twenty flats; each way to write them is read as these numbers.
FLATS = [(40.5 + 3 * i, 1 + i % 4, ("north", "south")[i % 2], 1200 + 137 * i) for i in range(20)]


def flats(separator: str = ",", header: str = "area,rooms,district,price", **cells: Callable[[Any], str]) -> str:
    """Returns the table of flats as text; `cells` says how a column is written."""
    written = [cells.get(name, str) for name in ("area", "rooms", "district", "price")]
    rows = [[write(cell) for write, cell in zip(written, row, strict=True)] for row in FLATS]
    return "\n".join([separator.join(header.split(",")), *map(separator.join, rows)]) + "\n"


def comma(number: float) -> str:
    return str(number).replace(".", ",")


BASE = flats()
LINES = BASE.splitlines()


def wrapped(lines: list[str]) -> list[str]:
    """Each line in quotation marks, as some spreadsheets write it."""
    return [f'"{line}"' for line in lines]


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        # Blanks, where nine lines of ten have the same number of cells.
        (["a b c", *["1 2 3"] * 8, "1 2"], " "),
        (["a b c", *["1 2 3"] * 7, "1 2"], ","),
        # The decimal commas of a table of blanks separate nothing, however many there are: the names have none.
        (["a b c", *["1,5 2 3"] * 12], " "),
        (["a b c", *["1,5 2 3"] * 398], " "),
        (["a b c", *["1,5 2 3,5"] * 398], " "),
        # Something else, where half the lines have it.
        (["a b, c", *["1 2, 3"] * 49, *["1 2 3"] * 50], ","),
        (["a b, c", *["1 2, 3"] * 48, *["1 2 3"] * 51], " "),
        # Blanks with a tab before the last cell, where nineteen lines of twenty have the same number of cells.
        (["a  b\tc", *["1  2\t3"] * 18, "1  2\t3 4"], " "),
        (["a  b\tc", *["1  2\t3"] * 17, "1  2\t3 4"], "\t"),
        (["a  b\tc", *["1  2\t3"] * 18, "1 2\t3"], "\t"),
        # What stands in quotation marks separates nothing, behind a blank neither.
        (["name, note", *['1, "x, y"'] * 3, *['2, "x, y, z"'] * 3, *["3, x"] * 3], ","),
        # Of lines that are wholly in quotation marks, nine of ten have the same number of cells, else they stay whole.
        (wrapped(["a;b;c", *["1;2;3"] * 8, "1;2"]), ";"),
        (wrapped(["a;b;c", *["1;2;3"] * 7, "1;2"]), ","),
        ([*wrapped(["a;b;c", *["1;2;3"] * 18]), "1,2"], ","),
    ],
)
def test_what_separates_the_cells_of_most_lines(lines: list[str], separator: str) -> None:
    assert splitting.split("\n".join([*lines, ""]), Path("table.csv")).separator == separator


def test_between_blanks_a_cell_in_quotation_marks_may_have_blanks() -> None:
    text = "name  size\n'big house'  3\n\"red house\" 4\n's 5\n\"x' 6\n"
    found = splitting.split(text, Path("table.txt"))
    assert found.separator == " " and found.lines == [1, 2, 3, 4, 5]
    names = [row[0] for row in found.rows]
    assert names == ["name", "big house", "red house", "'s", "\"x'"]


NUMBERED = [f"{i},{i % 4}5,{i % 3}7" for i in range(2, 30)]
DATED = [f"2024-01-{i:02},{i % 4}5,{i % 3}7" for i in range(2, 30)]


@pytest.mark.parametrize(
    ("above", "names", "notes"),
    [
        (["#a,b,c"], ("a", "b", "c"), ()),
        (["# one", "a,b,c"], ("a", "b", "c"), ("line 1: comments are left out",)),
        (["# one"] * 3 + ["a,b,c"], ("a", "b", "c"), ("lines 1, 2, 3: comments are left out",)),
        (["# one"] * 4 + ["a,b,c"], ("a", "b", "c"), ("lines 1, 2, 3, ... (4 in all): comments are left out",)),
        (["title", "a,b,c"], ("a", "b", "c"), ("line 1 above the table is left out",)),
        (["title", "and more", "a,b,c"], ("a", "b", "c"), ("lines 1, 2 above the table are left out",)),
        (["5 m2,8 m2,9 m2"], ("5 m2", "8 m2", "9 m2"), ()),
        (["a,b,"], ("a", "b", "column 3"), ("columns without a name are called column 3",)),
        (["#a,b,c", "# one"], ("a", "b", "c"), ("line 2: comments are left out",)),
        ([",b,c"], ("b", "c"), ("the first column has no name: it is taken for an index and left out (2, ...)",)),
        (
            ["a,b,c", "m,kg,s"],
            ("a", "b", "c"),
            ("line 2 is left out: no numbers but more names or units",),
        ),
        (
            ["a,b,c", "m,kg,s", "one,two,three"],
            ("a", "b", "c"),
            ("lines 2, 3 are left out: no numbers but more names or units",),
        ),
        (  # as yfinance writes it
            ["Price,Close,Open", "Ticker,ABC,ABC", "Date,,"],
            ("Price", "Close", "Open"),
            ("lines 2, 3 are left out: no numbers but more names or units",),
        ),
        (
            ["Price,Close,Open", "Ticker,ABC,ABC", "Currency,EUR,EUR", "Date,,"],
            ("Price", "Close", "Open"),
            ("lines 2, 3, 4 are left out: no numbers but more names or units",),
        ),
    ],
)
def test_what_stands_above_the_rows_is_named_or_left_out(
    above: list[str], names: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    path = Path("table.csv")
    rows = DATED if above[-1] == "Date,," else NUMBERED
    found = layout.arrange(splitting.split("\n".join([*above, *rows, ""]), path), path)
    assert (found.names, found.notes) == (names, notes)
    assert found.rows == tuple(tuple(line.split(","))[-len(names) :] for line in rows)
    assert found.lines == tuple(range(len(above) + 1, len(above) + len(rows) + 1))


@pytest.mark.parametrize(
    ("letter", "factor"),
    [("k", 1e3), ("K", 1e3), ("M", 1e6), ("Mn", 1e6), ("mn", 1e6), ("B", 1e9), ("bn", 1e9)],
)
def test_a_letter_for_thousands_millions_or_billions_multiplies(letter: str, factor: float) -> None:
    found = numerals.read([f"1.5{letter}", "20", f"3{letter}", "7k"], np.zeros(4, bool), ",", ".")
    assert found is not None and found.unit == ""
    np.testing.assert_allclose(found.values, [1.5 * factor, 20, 3 * factor, 7000], rtol=1e-12)


@pytest.mark.parametrize(
    ("cells", "notes"),
    [
        (["1 200", "2 300", "950"], ("1 200 is read as 1200",)),
        (["1'200", "2'300", "950"], ("1'200 is read as 1200",)),
        (["1,200.5", "2,300.5", "950"], ("1,200.5 is read as 1200.5",)),
        (["6", "(5)", "(7)"], ("(5) is read as -5",)),
        (["6", "\N{MINUS SIGN}5", "\N{MINUS SIGN}7"], ("\N{MINUS SIGN}5 is read as -5",)),
        (["5 kg", "6 kg", "7"], ("5 kg is read as 5",)),
        (["$ 5", "$ 6", "7"], ("$ 5 is read as 5",)),
        (["$5", "(6)", "($7)"], ("$5 is read as 5", "(6) is read as -6")),
        (["5", "-6", "+7.5", "1e3"], ()),
    ],
)
def test_each_way_in_which_numbers_are_not_plain_is_shown_once(cells: list[str], notes: tuple[str, ...]) -> None:
    found = numerals.read(cells, np.zeros(len(cells), bool), ",", ".")
    assert found is not None and found.notes == notes and not len(found.odd)


@pytest.mark.parametrize(
    ("cells", "unit", "odd"),
    [
        (["5 kg", "6 kg", "7", "8"], "kg", 0),  # half of the cells have it
        (["5 kg", "6", "7", "8"], "", 1),
        (["5 year", "6 years", "7 Years", "8"], "year", 0),
        (["5 kg", "6 kg", "7 kg", "8 m"], "kg", 1),
        (["$5", "6", "7", "8"], "$", 0),
        (["5M", "6M", "7M"], "M", 0),
        (["5k", "6k", "7k"], "", 0),
    ],
)
def test_the_unit_of_a_column_is_that_of_half_of_its_cells(cells: list[str], unit: str, odd: int) -> None:
    found = numerals.read(cells, np.zeros(len(cells), bool), ",", ".")
    assert found is not None and (found.unit, len(found.odd)) == (unit, odd)


@pytest.mark.parametrize(
    ("columns", "separator", "sign"),
    [
        ([["1,5", "2,75"], ["3,5"], ["2.5"]], ",", ","),
        ([["1,5", "2,75"], ["3.5"], ["2.5"]], ";", "."),
        ([["1,5"], ["2.5"]], ";", ","),
        ([["1,5"], ["2.5"]], ",", "."),
        ([["1,500"], ["2.500"], ["x"]], ",", ""),
    ],
)
def test_the_decimal_sign_of_a_file_is_that_of_most_columns(
    columns: list[list[str]], separator: str, sign: str
) -> None:
    assert numerals.decimal_sign(columns, separator) == sign


@pytest.mark.parametrize("encoding", ["cp1251", "cp932"])
def test_letters_that_are_not_of_western_europe_are_read_as_what_they_are(encoding: str) -> None:
    pytest.importorskip("charset_normalizer")
    cells = "Москва,центральный округ" if encoding == "cp1251" else "東京,中央区の南"
    text = "".join(f"{cells},{40 + i},{100 + i}\n" for i in range(30))
    assert decoding.decode(text.encode(encoding), Path("table.csv")) == (text, encoding)
    if encoding == "cp1251":  # a byte that is no letter, far below, spoils no other
        found, named = decoding.decode((text * 60).encode(encoding) + b"\x98\n", Path("table.csv"))
        assert named == encoding and found.startswith(text * 60)


@pytest.mark.parametrize(("few", "many"), [(29, 71), (31, 69)])
def test_utf_16_without_a_mark_is_known_by_zeros_in_more_than_seven_tenths_of_its_letters(few: int, many: int) -> None:
    text = "я" * few + "a" * many
    for encoding in ("utf-16-le", "utf-16-be"):
        if many > 70:
            assert decoding.decode(text.encode(encoding), Path("table.csv")) == (text, encoding.upper())
        else:
            with pytest.raises(WorkshopError, match="not a text file"):
                decoding.decode(text.encode(encoding), Path("table.csv"))


def test_utf_8_with_few_broken_letters_is_still_that() -> None:
    content = "größer,schön,".encode()
    assert decoding.decode(content + b"\xc3", Path("table.csv")) == (
        "größer,schön,\N{REPLACEMENT CHARACTER}",
        "UTF-8 with 1 broken letters",
    )
    content = "größe,schon,".encode()  # as many letters as three times the broken ones, with them, are too few
    assert "UTF-8" not in decoding.decode(content + b"\xc3", Path("table.csv"))[1]
    assert decoding.decode(b"caf\xe9,\x81", Path("table.csv")) == ("café,\x81", "Latin-1")


@pytest.mark.parametrize(("alone", "encoding"), [(4, "cp1251"), (5, "Windows-1252 (Latin-1)")])
def test_what_stands_alone_between_plain_letters_are_accents(
    alone: int, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guess = SimpleNamespace(best=lambda: SimpleNamespace(encoding="cp1251"))
    monkeypatch.setitem(sys.modules, "charset_normalizer", SimpleNamespace(from_bytes=lambda content: guess))
    content = b"a\xe9b," * alone + b"\xe9\xe8,\xe9\xe8\n"
    assert decoding.decode(content, Path("table.csv"))[1] == encoding


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BASE, ""),
        (BASE.encode("utf-16"), "is read as UTF-16"),
        (BASE.encode("utf-16-le"), "is read as UTF-16-LE"),
        (BASE.encode("utf-16-be"), "is read as UTF-16-BE"),
        (b"\xfe\xff" + BASE.encode("utf-16-be"), "is read as UTF-16"),
        (BASE.encode("utf-32"), "is read as UTF-32"),
        (b"\0\0\xfe\xff" + BASE.encode("utf-32-be"), "is read as UTF-32"),
        (BASE.replace("\n", "\r"), ""),
        (BASE + "\n\n , , ,\n\x1a", ""),
        ("sep=,\n" + BASE, ""),
        ("sep=;\n" + flats(";"), "separated by semicolons"),
        (flats("\t"), "separated by tabs"),
        (flats("|"), "separated by bars"),
        (flats("   "), "separated by blanks"),
        (flats(";", area=comma), "have a decimal comma"),
        (flats("\t", area=comma), "have a decimal comma"),
        (flats(area=lambda x: f'"{comma(x)}"'), "have a decimal comma"),
        (flats(";", area=comma, price=lambda x: f"{x:,}".replace(",", ".")), "price: 1.200 is read as 1200"),
        (flats(";", price=lambda x: f"{x:,}"), "price: 1,200 is read as 1200"),
        (flats(price=lambda x: f'"{x:,}"'), "price: 1,200 is read as 1200"),
        (flats(price=lambda x: f'"${x:,}"'), "price: $1,200 is read as 1200"),
        (flats(price=lambda x: f"{x // 1000}'{x % 1000:03}"), "price: 1'200 is read as 1200"),
        (flats(";", price=lambda x: f"{x // 1000}\u202f{x % 1000:03} \u20ac"), "is read as 1200"),
        (flats(price=lambda x: f"{x}%"), "price: 1200% is read as 1200"),
        (flats(area=lambda x: f"{x} m2"), "area: 40.5 m2 is read as 40.5"),
        (flats(area=lambda x: f"{x} {'year' if x < 50 else 'years'}"), "area: 40.5 year is read as 40.5"),
        (flats(price=lambda x: f"{x / 1000}K" if x < 3000 else str(x)), "price: 1.2K is read as 1200"),
        ("\n".join(f"{line}," for line in LINES), "a separator ends the lines"),
        ("\n".join([LINES[0], *(f"{line}," for line in LINES[1:])]), "a separator ends the lines"),
        ("# flats, 2024\n" + BASE, "line 1: comments are left out"),
        ("Flats of the town\n\n" + BASE, "line 1 above the table is left out"),
        ("Flats of the town,,,\n" + BASE, "line 1 above the table is left out"),
        (BASE + "Total,,,99999\n", "line 22 is left out: totals"),
        (BASE + "\nSource: the town\n", "line 23 below the table is left out"),
        (BASE + "?,,NA,null\n", "line 22 is left out: every cell is missing"),
        ("\n".join([LINES[0], "m2,,,EUR", *LINES[1:]]), "line 2 is left out: no numbers but more names or units"),
        ("\n".join([*LINES[:9], LINES[0], *LINES[9:]]), "line 10: the names of the columns once more"),
        ("\n".join([*LINES[:9], "1,2,3,4,5", *LINES[9:]]), "line 10 with another number of cells is left out"),
        ("\n".join(["", *(f"{i},{line}" for i, line in enumerate(LINES[1:]))]).replace("", f",{LINES[0]}", 1), "index"),
        ("\n".join([f"Unnamed: 0,{LINES[0]}", *(f"{i},{line}" for i, line in enumerate(LINES[1:]))]), "an index"),
        ("\n".join([LINES[0], *(f"{i},{line}" for i, line in enumerate(LINES[1:], 1))]), "an index"),  # as R has it
        ("\n".join(", ".join(f'"{cell}"' for cell in line.split(",")) for line in LINES), ""),
        ("\n".join(",".join(f"'{cell}'" for cell in line.split(",")) for line in LINES), "single quotation marks"),
        ("\n".join(f'"{line}"' for line in LINES), "whole lines are in quotation marks"),
        (" Area  (m\u00b2)\u00a0, Rooms " + BASE.removeprefix("area,rooms"), ""),
    ],
)
def test_the_same_table_as_people_publish_it(
    content: bytes | str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tables.read_table(write(content))
    expected = np.array([[area, rooms, price] for area, rooms, _, price in FLATS], np.float32)
    np.testing.assert_array_equal(table.numbers([0, 1, 3]), expected)
    assert list(table.texts(2)) == [district for *_, district, _ in FLATS]
    assert table.names[1:] == ("rooms", "district", "price") or table.names[:2] == ("Area (m\u00b2)", "Rooms")
    notes = [note for column in table.columns for note in [f"{column.name}: {text}" for text in column.notes]]
    printed = [*capsys.readouterr().out.splitlines(), *notes]
    assert any(said in line for line in printed) if said else not printed, printed


def test_an_encoding_of_western_europe_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    table = tables.read_table(write("stra\u00dfe,a\u00f1o\nM\u00fcnchner,5\nAltst\u00e4dter,6\n".encode("latin-1")))
    assert table.names == ("stra\u00dfe", "a\u00f1o")
    assert "is read as Windows-1252 (Latin-1), not as UTF-8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cells", "values", "note"),
    [
        ("1.375 2.120 956 880", [1375, 2120, 956, 880], "1.375 is read as 1375"),  # or 956 were 700 times as large
        ("1.375 2.120 3.455 9.888", [1.375, 2.12, 3.455, 9.888], ""),
        ("0.375 0.120 1 2", [0.375, 0.12, 1, 2], ""),
        ("1,375 2,120 3,455", [1375, 2120, 3455], "1,375 is read as 1375"),
        ("1,375.5 2,120 3,455", [1375.5, 2120, 3455], "1,375.5 is read as 1375.5"),
        ("1.375,5 2.120 3.455", [1375.5, 2120, 3455], "1.375,5 is read as 1375.5"),
        ("1,5 2,25 1,375", [1.5, 2.25, 1.375], ""),
        ("1.234.567 2.345 1", [1234567, 2345, 1], "1.234.567 is read as 1234567"),
        ("1,23,456 2,34,567", [123456, 234567], "1,23,456 is read as 123456"),
        ("\u22125 7 \u20138", [-5, 7, -8], "\u22125 is read as -5"),
        ("(1,200) 300 5", [-1200, 300, 5], "(1,200) is read as -1200"),
        ("-$5 $7 8", [-5, 7, 8], "-$5 is read as -5"),
        ("1,5E+03 2,5E+00", [1500, 2.5], ""),
        ("\uff11\uff12 3", [12, 3], ""),
    ],
)
def test_a_column_tells_how_its_numbers_are_written(cells: str, values: list[float], note: str) -> None:
    texts = cells.split(" ")
    found = numerals.read(texts, np.zeros(len(texts), bool), ",", "")
    assert found is not None
    np.testing.assert_allclose(found.values, values)
    assert list(found.notes) == ([note] if note else [])


@pytest.mark.parametrize(
    ("sign", "separator", "value"), [(".", ",", 1375), (",", ";", 1.375), ("", ",", 1375), ("", ";", 1.375)]
)
def test_what_its_cells_leave_open_the_other_columns_tell(sign: str, separator: str, value: float) -> None:
    found = numerals.read(["1,375", "2,120"], np.zeros(2, bool), separator, sign)
    assert found is not None
    assert found.values[0] == value
    assert ("not as thousands" in " ".join(found.notes)) == (value == 1.375)


@pytest.mark.parametrize(
    ("cells", "kind", "odd"),
    [
        ([*"1234567890" * 3, "five"], "number", 1),
        ([*(str(i) for i in range(60)), *["varies"] * 20], "number", 20),
        ([*"0123" * 9, *["4+"] * 3], "text", 0),  # a text is as good as a number here
        ([*"0123" * 9, *["4+"] * 2], "number", 2),
        ([*"0123456789" * 6, *["10+"] * 3], "text", 0),
        ([*"0123456789" * 6, "10", *["11+"] * 3], "number", 3),
        ([*"123456789" * 2, "five", "six"], "number", 2),  # a tenth of them
        ([*"56789", "five"], "number", 1),  # a single one
        ([*"56789", "five", "six"], "text", 0),
        ([*"123456789" * 2, "five", "six", "six"], "text", 0),
        ([*(str(i) for i in range(21)), *["varies"] * 21], "number", 21),
        ([*(str(i) for i in range(20)), *["varies"] * 20], "text", 0),
        ([*(str(i) for i in range(21)), *["varies", "unknown", "none yet"] * 6], "number", 18),
        ([*(str(i) for i in range(21)), *["varies", "unknown", "none yet", "later"] * 4], "text", 0),
        (["2", "3", "4", "5more"] * 5, "text", 0),
        ([f"A{i}" for i in range(20)], "text", 0),
        (["2 BHK", "4 Bedroom"] * 9, "text", 0),
        (["$0M_$1M", "$1M_$5M", "above $5M"] * 5, "text", 0),
        (["18-25", "26-35"] * 9, "text", 0),
        ([f"2024-01-{i:02}" for i in range(1, 29)], "date", 0),
        ([f"202401{i:02}" for i in range(1, 29)], "date", 0),
        ([f"{i:02}.01.2024" for i in range(1, 29)], "date", 0),
        ([f"1/{i}/2021" for i in range(1, 29)], "date", 0),
        ([f"2024-01-{i:02}T10:00:00Z" for i in range(1, 29)], "date", 0),
        ([f"{i:02}:30" for i in range(24)], "time", 0),
        (["2020", "2021", "2022"] * 4, "number", 0),
        (["15624510", "15810944", "15668575"], "number", 0),
        (["", "NA", "?"] * 3, "empty", 0),
    ],
)
def test_the_kind_of_a_column(cells: list[str], kind: str, odd: int) -> None:
    (column,) = columns.read_columns(["x"], [[cell] for cell in cells], ",", "")
    assert (column.kind, len(column.odd)) == (kind, odd)
    assert np.isnan(column.values).sum() == (odd if column.is_numeric else len(cells))


def test_dates_are_days_since_1970() -> None:
    rows = [["31.01.2024"], ["29.02.2024"], [""]]
    (column,) = columns.read_columns(["x"], rows, ",", "")
    np.testing.assert_array_equal(column.values, [19753, 19782, np.nan])
    assert column.notes == ("the dates are turned into days since 1970-01-01; 31.01.2024 is 2024-01-31",)


@pytest.mark.parametrize("cell", ["", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", "#N/A", "--"])
def test_missing_cells(cell: str) -> None:
    table = tables.read_table(write(f"a,b\n1,2\n{cell},3\n4,5\n"))
    assert table.columns[0].kind == "number"
    assert table.columns[0].missing.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("area,rooms,kind", ("area", "rooms", "kind")),
        ("2019,2020,kind", ("2019", "2020", "kind")),
        ("0,1,2", ("0", "1", "2")),
        ("40,2,north", None),
        ("40,2,west", None),  # a class that no other row has
        ("40,NA,north", None),
    ],
)
def test_a_line_of_names_and_a_first_row(
    first: str, names: tuple[str, ...] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{50 + i},{i % 5},{('north', 'south')[i % 2]}" for i in range(12)]
    table = tables.read_table(write("\n".join([first, *rows])))
    assert table.names == (names or ("x1", "x2", "target"))
    assert len(table.rows) == 12 + (names is None)
    said = f"line 1 ({first.replace(',', ', ')}) is taken for a row" in capsys.readouterr().out
    assert said == (names is None)


@pytest.mark.parametrize("first", ["20,3,north,south", "20,3,north"])
def test_the_size_above_a_table_of_scikit_learn_is_no_row(first: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = tables.read_table(write("\n".join([first, *LINES[1:]])))
    assert table.names == ("x1", "x2", "x3", "target")
    assert len(table.rows) == 20
    assert "line 1 above the table is left out" in capsys.readouterr().out


# The last column, red above red and blue, speaks against names: it takes another one that speaks for them.
RED = ["red", "blue"] * 6


def below(*cells: str) -> list[list[str]]:
    """Returns rows of names, all different, of the cells, and of colours."""
    return [[f"n{i}", cell, RED[i]] for i, cell in enumerate(cells)]


@pytest.mark.parametrize(
    ("first", "rows", "is_header"),
    [
        # Above numbers, which nine cells of ten are, stands a name, unless a cell below it is the same.
        ("x,size,red", below(*"123456789", "w"), True),
        ("x,size,red", below(*"12345678", "w", "w"), False),
        ("x,w,red", below(*"123456789", "w"), False),
        # Above a few texts, each of which stands there three times on average, too; and above dates, from two on.
        ("x,kind,red", below(*"abcd" * 3), True),
        ("x,kind,red", below(*"abcd" * 2, *"abce"), False),
        ("x,kind,red", below(*[""] * 4, *"aaabbbcc"), False),  # of the cells that are there
        ("x,day,red", below("2024-01-01", "2024-01-02"), True),
        ("x,day,red", below("2024-01-01"), False),
        ("x,day1,red", below("2024-01-01", "2024-01-02"), False),
        ("x,,red", below(*"abcd" * 3), False),
        # One for and two against.
        ("x,kind,red,big", [[*row, "big"] for row in below(*"abcd" * 3)], False),
        # Without a row below it a line is of names unless there is a number in it.
        ("a,b", [], True),
        ("a,1", [], False),
        ("a,1", [["a", "1"]], False),
        # Numbers are names where they count from 0 or 1, or are years above other numbers.
        ("0,1,2", [["3", "5", "9"]], True),
        ("1,2,3", [["3", "5", "9"]], True),
        ("2,3,4", [["3", "5", "9"]], False),
        ("0,1,3", [["3", "5", "9"]], False),
        ("1900,1901,1902", [["3", "5", "9"]], True),
        ("2098,2099,2100", [["3", "5", "9"]], True),
        ("1899,1900,1901", [["3", "5", "9"]], False),
        ("2099,2100,2101", [["3", "5", "9"]], False),
        ("2019,2020,2022", [["3", "5", "9"]], False),
        ("x,2020,2020", [["a", "5", "9"]], False),
        ("2019,2020,2.5", [["3", "5", "9"]], False),
        ("2019,2020,2021", [["1900", "1950", "2100"]], False),
        ("2019,2020,2021", [["1899", "1950", "2100"]], True),
        ("2019,2020,2021", [["1900", "1950", "2101"]], True),
        ("0,1,red", [["3", "5", "red"]], False),
        ("0,1,red", [["3", "5", "blue"]] * 3, True),
        # The first of two columns' points is none.
        ("0,1", [["1", "3"]], False),
        ("0,1", [["2", "3"]], True),
        ("1,2", [["2", "3"]], False),
        ("1,2", [["3", "3"]], True),
    ],
)
def test_a_line_is_of_names_by_what_stands_below_it(first: str, rows: list[list[str]], is_header: bool) -> None:
    names = first.split(",")
    assert layout.is_header(names, rows, len(names)) == is_header


@pytest.mark.parametrize(
    ("lines", "rows", "notes"),
    [
        # Of totals one is left out, or one row of fifty: the last lines, and whatever ends with this word.
        (["Total,,9"], 20, ["line 22 is left out: totals"]),
        (["mean,,9"], 20, ["line 22 is left out: totals"]),
        (["Total,,9", "Total,,9"], 20, []),
        (["Total,,9", "Total,,9"], 98, ["lines 100, 101 are left out: totals"]),
        (["Total,,9", "Total,,9", "Total,,9"], 137, []),
        (["mean,,9", "x,1,2", "x,1,2"], 20, ["line 22 is left out: totals"]),
        (["mean,,9", "x,1,2", "x,1,2", "x,1,2"], 20, []),
        (["Subtotal,,9", "x,1,2", "x,1,2", "x,1,2"], 20, ["line 22 is left out: totals"]),
        ([",Total,9"], 20, ["line 22 is left out: totals"]),
        # Of rows with other numbers of cells one of fifty is left out, where there are twenty.
        (["1,2"], 19, ["line 21 with another number of cells is left out"]),
        (["1,2"] * 2, 98, ["lines 100, 101 with another number of cells are left out"]),
        # A footnote is one cell.
        (["the town"], 3, ["line 5 below the table is left out"]),
        (["the town", "its mayor"], 3, ["lines 5, 6 below the table are left out"]),
        (["?,,"], 3, ["line 5 below the table is left out"]),
        (["?,NA,"], 3, ["line 5 is left out: every cell is missing"]),
        (["?,NA,"] * 4, 3, ["lines 5, 6, 7, ... (4 in all) are left out: every cell is missing"]),
    ],
)
def test_what_stands_among_and_below_the_rows_is_left_out(lines: list[str], rows: int, notes: list[str]) -> None:
    path, plain = Path("table.csv"), [f"n{i},{i % 7},{i % 5}" for i in range(rows)]
    found = layout.arrange(splitting.split("\n".join(["a,b,c", *plain, *lines, ""]), path), path)
    assert [*found.notes] == notes
    stay = 0 if not notes else sum(line.startswith("x,") for line in lines)
    assert len(found.rows) == rows + (stay if notes else len(lines))


@pytest.mark.parametrize(
    ("lines", "rows", "message"),
    [
        (["1,2"], 18, "line 20: has 2 cells, the header line has 3"),
        (["1,2,3,4"], 18, "line 20: has 4 cells, the header line has 3"),
        (["1,2"] * 2, 97, "line 99: has 2 cells, the header line has 3"),
    ],
)
def test_more_rows_with_other_numbers_of_cells_are_refused(lines: list[str], rows: int, message: str) -> None:
    refused_table("\n".join(["a,b,c", *[f"n{i},{i % 7},{i % 5}" for i in range(rows)], *lines, ""]), message)


def test_a_hash_before_names_between_blanks_is_none_of_them() -> None:
    path = Path("table.txt")
    found = layout.arrange(
        splitting.split("\n".join(["# a b c", *(f"{i} 25 {i % 3}7" for i in range(2, 30))]), path), path
    )
    assert found.names == ("a", "b", "c") and len(found.rows) == 28


@pytest.mark.parametrize(
    ("header", "row", "names", "note"),
    [
        ("a,b,", "2,3,", ("a", "b"), "a separator ends the lines"),
        (",a,b", ",2,3", ("a", "b"), "columns without a name and a cell are left out"),
        ("a,,b", "2,,3", ("a", "b"), "columns without a name and a cell are left out"),
        ("a,,b", "2,7,3", ("a", "column 2", "b"), "columns without a name are called column 2"),
        ("Unnamed: 0,a,b", "x,2,3", ("Unnamed: 0", "a", "b"), ""),
        (",a,b", "x,2,3", ("column 1", "a", "b"), "columns without a name are called column 1"),
    ],
)
def test_columns_without_a_name(header: str, row: str, names: tuple[str, ...], note: str) -> None:
    path = Path("table.csv")
    found = layout.arrange(splitting.split("\n".join([header, *[row] * 9]), path), path)
    assert (found.names, " ".join(found.notes)) == (names, note)


@pytest.mark.parametrize(
    ("rows", "missing", "is_left_out"), [(9, 1, True), (9, 2, False), (8, 0, False), (30, 0, True), (30, 24, False)]
)
def test_units_are_left_out_where_there_are_numbers_below(rows: int, missing: int, is_left_out: bool) -> None:
    numbers = [f"n{i},{'' if i >= rows - 1 - missing else i + 7}" for i in range(rows - 1)]
    path = Path("table.csv")
    found = layout.arrange(splitting.split("\n".join(["a,b", "m,kg", *numbers]), path), path)
    assert (len(found.rows) == rows - 1) == is_left_out
    assert ("line 2 is left out: no numbers but more names or units" in found.notes) == is_left_out


def test_a_table_may_be_shorter_than_the_text_around_it(capsys: pytest.CaptureFixture[str]) -> None:
    table = tables.read_table(write("\n".join(["of the town"] * 6 + ["a,b,c", "1,2,3", "4,5,6", "its source"])))
    assert table.names == ("a", "b", "c") and table.rows == (("1", "2", "3"), ("4", "5", "6"))
    said = capsys.readouterr().out
    assert "lines 1, 2, 3, ... (6 in all) above the table are left out" in said and "line 10 below the table" in said


@pytest.mark.parametrize(("content", "rows"), [("1,2,7\n4,5,6\n", 2), ("2,2,a,b\n4,5,6\n5,6,7\n", 2)])
def test_the_size_of_a_table_is_that_of_two_rows_or_more(content: str, rows: int) -> None:
    assert len(tables.read_table(write(content)).rows) == rows


@pytest.mark.parametrize(
    ("name", "cells", "says"),
    [
        ("x", ["", "NA"], "every cell is missing"),
        ("x", ["3", "3", ""], "it is 3 in all rows"),
        ("x", ["", "a", "a"], ""),  # that one is missing may tell something
        ("x", ["a", "a", "a"], "it is a in all rows"),
        ("x", ["3", "4", "3", "3"], ""),
        ("x", ["1", "2", "3", "4"], ""),
        ("x", [*"abcabc"], ""),
        ("x", [*"abcdab"], "4 different texts in 6 rows tell nothing"),
        ("x", [f"t{i % 1000}" for i in range(2000)], ""),
        ("x", [f"t{i % 1001}" for i in range(2002)], "1001 different texts are too many columns of 0 and 1"),
        ("id", ["5", "7", "9", "9"], "it is an identifier, 3 different values in 4 rows"),
        ("id", ["5", "7", "", "9"], "it is an identifier, 3 different values in 3 rows"),
        ("id", ["5", "7", "5", "7"], ""),
        ("id", ["5.5", "7", "9", "8"], ""),
        ("id", ["5 kg", "7 kg", "9 kg"], ""),
        ("id", ["2024-01-01", "2024-01-02", "2024-01-03"], ""),
        *((name, ["5", "7", "9"], "it is an identifier, 3 different values in 3 rows") for name in ("#", "flat no")),
        *((name, ["5", "7", "9"], "it is an identifier, 3 different values in 3 rows") for name in ("ID_x", "userId")),
        *((name, ["5", "7", "9"], "it is an identifier, 3 different values in 3 rows") for name in ("IDCard", "Sr No")),
        *((name, ["5", "7", "9"], "") for name in ("grid", "no rooms", "x serial", "number of rooms", "", "_")),
    ],
)
def test_what_tells_a_model_nothing(name: str, cells: list[str], says: str) -> None:
    (column,) = columns.read_columns([name], [[cell] for cell in cells], ",", "")
    assert columns.tells_nothing(column) == says


@pytest.mark.parametrize(
    ("rows", "nones", "is_class"), [(40, 5, True), (40, 4, False), (120, 6, True), (120, 5, False)]
)
def test_a_word_for_missing_cells_that_stands_often_is_a_class(
    rows: int, nones: int, is_class: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ["None"] * nones + ["", *["Insomnia"] * (rows - nones - 1)]
    table = tables.read_table(write("\n".join(["x,y", *(f"{i},{cell}" for i, cell in enumerate(cells))])))
    missing = table.missing_target()
    assert missing.tolist() == [not is_class] * nones + [True] + [False] * (rows - nones - 1)
    assert ("Note      y: None is a class\n" in capsys.readouterr().out) == is_class


def test_each_line_that_is_said_of_a_table_of_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[f"{1 + i:02}.02.2024", *[f"{i},5"] * 7, ("no", "yes")[i > 3], f"{i},25"] for i in range(24)]
    for column in range(1, 8):
        rows[column][column] = ""  # seven columns are named, one too many
    rows[9][0], rows[10][2], rows[11][2], rows[12][8] = "never", "few", "many", ""
    lines = ["of the town", "day;a;b;c;d;e;f;g;sold;y", *map(";".join, rows), ""]
    table = tables.read_numbers(write("\n".join(lines)))
    assert capsys.readouterr().out.splitlines() == [
        "Note      the cells are separated by semicolons",
        "Note      line 1 above the table is left out",
        "Note      the numbers have a decimal comma",
        "Note      day: the dates are turned into days since 1970-01-01; 01.02.2024 is 2024-02-01",
        "Note      day: never is no date (line 12): taken for a missing cell",
        "Note      b: few, many is no number (lines 13, 14): taken for a missing cell",
        "Note      sold: no is 0 and yes is 1",
        "Note      missing cells, taken for the median of their column: day 1, a 1, b 3, c 1, d 1, e 1, ...",
    ]
    X, y = table.split_numbers()
    # The medians of what is there.
    assert (X[9, 0], X[1, 1], X[12, 8]) == (19766, 12.5, 1)
    assert capsys.readouterr().out == ""
    assert (*X[10:12, 2], *X[10, 3:4], y[-1]) == (13.5, 13.5, 10.5, 23.25)


@pytest.mark.parametrize("read", [tables.read_table, tables.parse_table, tables.read_numbers])
def test_a_table_has_two_rows_or_as_many_as_are_asked_for(read: Callable[..., tables.Table]) -> None:
    assert len(read(write("a,b\n1,2\n3,4\n")).rows) == 2
    refused(lambda: read(write("a,b\n1,2\n")), "has 1 rows below the header, takes 2 or more")


def test_a_row_without_a_target_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("a,b\n1,2\n3,\n5,6\n7,8\n9,NA\n")
    assert len(tables.read_numbers(path, at_least=3).rows) == 3
    assert capsys.readouterr().out == "Note      b is missing in lines 3, 6: 2 rows are left out\n"
    refused(lambda: tables.read_numbers(path, at_least=4), "has 3 rows with a target, takes 4 or more")
    assert tables.read_numbers(write("a,b\n1,2\n3,\n5,6\n")).lines == (2, 4)
    assert "Note      b is missing in line 3: 1 row is left out\n" in capsys.readouterr().out


def test_the_options_for_the_columns_of_a_table_of_ones_own() -> None:
    parser = argparse.ArgumentParser(prog="lesson")
    tables.add_options(parser)
    assert vars(parser.parse_args([])) == {"target": None, "drop": []}
    assert "--target COLUMN] [--drop COLUMN [COLUMN ...]]" in " ".join(parser.format_usage().split())


def test_two_columns_of_one_name_and_one_without(capsys: pytest.CaptureFixture[str]) -> None:
    table = tables.read_table(write("a,,b,a\n1,2,3,4\n4,2,6,6\n"))
    assert table.names == ("a", "column 2", "b", "a.1")
    assert "two columns are named a: the later one is called a.1" in capsys.readouterr().out


def test_a_target_by_its_name_and_columns_left_out() -> None:
    path = write("price,area,name\n1,2,x\n3,4,y\n")
    assert tables.read_table(path, target=" Price ").names == ("area", "name", "price")
    assert tables.read_table(path, target="price", drop=["name"]).rows == (("2", "1"), ("4", "3"))
    refused(lambda: tables.read_table(path, target="prize"), "--target: got prize", "price, area, name", "is price mea")
    refused(lambda: tables.read_table(path, drop=["x"]), "--drop: got x")
    refused(lambda: tables.read_table(path, target="price", drop=["price"]), "which is the target")
    refused(lambda: tables.read_table(path, drop=["price", "area"]), "one column is left")


def test_numbers_for_a_lesson_that_takes_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    content = "id,on,size,class\n" + "".join(f"{70 + i},2024-01-{i + 1:02},{i % 7},{'NY'[i % 2]}\n" for i in range(9))
    path = write(content.replace(",3,", ",?,").replace("78,", "79,"))
    table = tables.read_numbers(path, has_classes=True)
    assert table.names == ("on", "size", "class")
    X, y = table.split_two_classes()
    np.testing.assert_array_equal(X[:5], [[19723, 0], [19724, 1], [19725, 2], [19726, 1.5], [19727, 4]])
    np.testing.assert_array_equal(y, [0, 1] * 4 + [0])
    assert table.class_names() == ("class = N", "class = Y")
    said = capsys.readouterr().out
    for line in ("id is left out: it is an identifier", "median of their column: size 1", "class: N is 0 and Y is 1"):
        assert line in said
    path = write("colour,size,sold,y\nred,1,yes,2\nblue,2,no,3\ngreen,2,,3\nred,1,yes,4\n")
    np.testing.assert_array_equal(tables.read_numbers(path, drop=["colour"]).numbers([1])[:, 0], [1, 0, 1, 1])
    assert "sold: no is 0 and yes is 1" in capsys.readouterr().out
    refused(lambda: tables.read_numbers(path), "line 2, column colour: got red, takes a number", "--drop leaves out")


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
        (b"a,b\n1,2\n3,\x004\n", "not a text file"),
        (b"a,b\n\xff\x02,2\n3,4\n", "not a text file"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0", "a workbook or a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "a workbook: save its sheet as CSV"),
        (gzip.compress(b"a,b", mtime=0), "a gzip archive: unpack it"),
        (bz2.compress(b"a,b"), "a bzip2 archive: unpack it"),
        (lzma.compress(b"a,b"), "an xz archive: unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
        (b"Rar!\x1a\x07", "a rar archive: unpack it"),
        (b"%PDF-1.7\n", "a PDF: save the table as CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0", "an image"),
        (b"\xff\xd8\xff\xe0", "an image: save the table as CSV"),
        (b"PAR1\x15\x04", "a Parquet file: save the table as CSV"),
        (b"\x89HDF\r\n", "an HDF5 file: save the table as CSV"),
        (b"SQLite format 3\0", "a database: save the table as CSV"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"<HTML>", "a web page"),
        (b"<head>", "a web page"),
        (b'<?xml version="1.0"?>', "XML: save the table as CSV"),
        (b"<svg>", "XML: save the table as CSV"),
        (b'[{"a": 1}]', "JSON"),
        (b"[[1, 2]]", "JSON: save the table as CSV"),
        (b'{"a": 1}', "JSON: save the table as CSV"),
        (b"{ }", "JSON: save the table as CSV"),
        (b"% flats\n%\n@RELATION flats\n", "an ARFF file: save the table as CSV"),
        (b"{\\rtf1\\ansi", "a document: save the table as CSV"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "not whole UTF-16"),
    ],
)
def test_what_is_no_table(content: bytes, part: str) -> None:
    refused_table(content, part)


def test_the_columns() -> None:
    refused_table("price\n1\n2\n", "line 1", "one column", "price")
    refused_table("a,b\n1,5,2,5\n2,5,3,5\n", "line 2", "has 4 cells, the header line has 2")  # decimal commas
    refused_table("a,b,c\n1,5,2,3\n1,5,3,5\n", "line 2", "has 4 cells, the header line has 3")


def test_the_cells() -> None:
    table = HEADER.decode()
    refused_table(table + "50,2,100\n80,three,150\n90,four,150\n", "line 3, column rooms", "got three, takes a number")
    refused_table(table + "50,2,100\n80,,150\n", "line 3, column rooms", "empty")
    refused_table(table + "50,2,100\n80,3, \n", "line 3, column price", "empty")
    refused_table(table + "50,2,100\n\n80,3\n", "line 4", "has 2 cells", "has 3")
    refused_table(table + "50,2,100\n80,3,150,9\n", "line 3", "has 4 cells")
    for text in ("NaN", "nan", "inf", "-Infinity", "9" * 400, "1_000", "0x10", "TRUE", "--5"):
        refused_table(table + f"50,2,100\n80,3,{text}\n60,2,90\n", "line 3, column price", text[:6], "takes a number")
    for text in ("1e290", "-1e290", "1e16"):
        refused_table(table + f"50,2,100\n80,{text},150\n", "line 3, column rooms", text[:6], "takes numbers up to")
    refused_table('a,b\n1,"2\n3,4\n', "line 2: is not CSV", "never closed")
    long = "".join(f"{i},{i}\n" for i in range(30))
    refused_table(f'a,b\n1,"2\n{long}3,"4\n', "line 2: is not CSV", "closed only in line 33")


def test_the_rows() -> None:
    refused_table(HEADER, "has 0 rows", "takes 2 or more")
    refused_table(HEADER + b"50,2,100\n", "has 1 rows", "takes 2 or more")
    path = write(HEADER + b"50,2,100\n80,3,150\n")
    refused(lambda: tables.read_table(path, at_least=20), "has 2 rows", "takes 20 or more")


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ("0 1 1.0 0", ("0", "1")),
        ("no yes yes no", ("no", "yes")),
        ("TRUE FALSE FALSE TRUE", ("FALSE", "TRUE")),
        ("M B B M", ("B", "M")),
        ("1 2 2 1", ("1", "2")),
        ("1 -1 -1 1", ("-1", "1")),
        ("10 9 9 10", ("9", "10")),
        ("setosa virginica virginica setosa", ("setosa", "virginica")),
    ],
)
def test_two_classes(cells: str, names: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{i},{2 * i},{cell}\n" for i, cell in enumerate(cells.split()))
    X, y = tables.read_table(write("x1,x2,class\n" + rows)).split_two_classes()
    assert X.shape == (4, 2)
    is_second = [float(cell) == float(names[1]) if names[1].isdecimal() else cell == names[1] for cell in cells.split()]
    np.testing.assert_array_equal(y, is_second)
    said = f"Note      class: {names[0]} is 0 and {names[1]} is 1\n"
    assert capsys.readouterr().out == ("" if names == ("0", "1") else said)


def test_what_has_not_two_classes() -> None:
    def split(rows: str) -> tuple[np.ndarray, np.ndarray]:
        return tables.read_table(write("x1,x2,class\n" + rows)).split_two_classes()

    refused(lambda: split("1,2,1\n3,4,1\n"), "column class", "one class (1")
    refused(lambda: split("1,2,0\n3,4,1\n5,6,1\n"), "column class", "has 1 row", "2 or more of each class")
    refused(lambda: split("1,2,0\n3,4,1\n5,6,2\n"), "line 4, column class", "got 2 beside 0 and 1", "two classes")
    refused(lambda: split("1,2,no\n3,4,yes\n5,6,perhaps\n"), "column class", "yes beside no and perhaps")
    refused(lambda: split("red,2,0\nblue,4,1\ngreen,5,1\nred,7,0\n"), "line 2, column x1", "got red", "takes a number")


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
    refused_table(",".join(str(i) for i in range(5000)), "rows below the header")
    path = write(",".join(f"c{i}" for i in range(5000)) + "\n" + (",".join("1" * 5000) + "\n") * 2)
    refused(lambda: tables.read_table(path, target="x"), "--target: got x", "c19, ...")
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


def test_a_cell_that_is_no_number_in_a_column_of_numbers_is_missing() -> None:
    (column,) = columns.read_columns(["price"], [*([str(i)] for i in range(40)), ["lost"], [""]], ",", "")
    assert column.kind == "number" and column.odd.tolist() == [40]
    assert np.flatnonzero(column.missing).tolist() == [40, 41]
    assert column.present.tolist() == [*range(40)]
