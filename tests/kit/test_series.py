"""Series as people publish them: dates in every notation, numbers in every notation, and what stands around both."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from workshop import forecasting
from workshop.kit.data import dates, series
from workshop.kit.errors import WorkshopError

ROWS = 60
DAYS = [datetime.date(2021, 1, 4) + datetime.timedelta(i) for i in range(ROWS)]
MONTHS = [datetime.date(2015 + i // 12, i % 12 + 1, 1) for i in range(ROWS)]
VALUES = [round(100 + i + 5 * np.sin(i), 2) for i in range(ROWS)]


def write(path: Path, lines: Sequence[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path


def table(cells: Sequence[object], values: Sequence[object] = VALUES, between: str = ",") -> list[str]:
    return [f"when{between}price", *(f"{cell}{between}{value}" for cell, value in zip(cells, values, strict=False))]


def formatted(pattern: str, days: Sequence[datetime.date] = DAYS) -> list[str]:
    return [f'"{day:{pattern}}"' for day in days]


def epoch(factor: int) -> list[str]:
    return [str(factor * int((day - datetime.date(1970, 1, 1)).total_seconds())) for day in DAYS]


@pytest.mark.parametrize(
    ("cells", "step", "note"),
    [
        (formatted("%Y%m%d"), "day", ""),
        (formatted("%d.%m.%Y"), "day", "day, month, year: 13.01.2021 is 2021-01-13"),
        (formatted("%d/%m/%Y"), "day", "day, month, year"),
        (formatted("%m/%d/%Y"), "day", "month, day, year: 01/13/2021 is 2021-01-13"),
        (formatted("%m-%d-%y"), "day", "month, day, year"),
        (formatted("%m/%d/%Y", MONTHS), "month", "month, day, year: 01/01/2015 is 2015-01-01"),
        (formatted("%d/%m/%Y", MONTHS), "month", "day, month, year"),
        (formatted("%b %d, %Y"), "day", ""),
        (formatted("%d-%b-%y"), "day", ""),
        (formatted("%A, %B %d, %Y"), "day", ""),
        (formatted("%b-%y", MONTHS), "month", ""),
        (formatted("%B %Y", MONTHS), "month", ""),
        (formatted("%m/%Y", MONTHS), "month", ""),
        (formatted("%YM%m", MONTHS), "month", ""),
        (formatted("%Y%m", MONTHS), "month", ""),
        (formatted("%Y年%m月%d日"), "day", ""),
        (formatted("%Y.%m.%d."), "day", ""),
        ([f"{2000 + i // 4}Q{i % 4 + 1}" for i in range(ROWS)], "quarter", ""),
        ([f"Q{i % 4 + 1} {2000 + i // 4}" for i in range(ROWS)], "quarter", ""),
        ([f"{2020 + i // 52}-W{i % 52 + 1:02d}" for i in range(ROWS - 10)], "week", ""),
        ([str(1900 + i) for i in range(ROWS)], "year", ""),
        (formatted("%Y-%m-%dT00:00:00Z"), "day", ""),
        (formatted("%Y-%m-%d 00:00:00.000"), "day", ""),
        (formatted("%Y-%m-%d 00:00:00+00:00"), "day", ""),
        (formatted("%m/%d/%Y 12:00:00 AM"), "day", "month, day, year"),
        (epoch(1), "day", ""),
        (epoch(1000), "day", ""),
        (epoch(10**9), "day", ""),
        ([str(1000 + i) for i in range(ROWS)], "step", "there is no column of dates"),
        ([f"2021-03-{i // 24 + 1:02d} {i % 24:02d}:30" for i in range(ROWS)], "hour", ""),
        ([f"2021-03-{i // 24 + 1:02d} {(i - 1) % 12 + 1}:30 {'AP'[i // 12 % 2]}M" for i in range(ROWS)], "hour", ""),
        ([f"2021-03-{i // 24 + 1:02d} {(i - 1) % 12 + 1}.30 {'ap'[i // 12 % 2]}.m." for i in range(ROWS)], "hour", ""),
        ([f"2021-03-01 {i // 60:02d}:{i % 60:02d}:0{i % 3}" for i in range(ROWS)], "minute", "off their place"),
        ([f"2021-03-01 00:00:{i:02d}" for i in range(ROWS)], "second", ""),
    ],
)
def test_dates_in_every_notation(
    cells: list[str], step: str, note: str, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = series.read(write(room / "x.csv", table(cells, VALUES[: len(cells)])))
    said = capsys.readouterr().out
    assert (found.name, found.step, len(found.values)) == ("price", step, len(cells))
    np.testing.assert_allclose(found.values, VALUES[: len(cells)], rtol=1e-6)
    assert note in said and said.count("\n") == (2 if step == "step" else bool(note))
    first = {"day": "2021-01-04", "month": "2015-01", "quarter": "2000-01", "year": "1900-01"}.get(step)
    assert first is None or str(found.dates[0]) == first


@pytest.mark.parametrize(
    ("cells", "between", "expected", "note"),
    [
        ([f"{value:.2f}".replace(".", ",") for value in VALUES], ";", VALUES, ""),
        ([f'"{1000 + value:,.2f}"' for value in VALUES], ",", [1000 + v for v in VALUES], " is read as 1"),
        ([f'"${1000 + i:,}"' for i in range(ROWS)], ",", [1000 + i for i in range(ROWS)], " is read as 1"),
        ([f"{1000 + i:,}".replace(",", ".") for i in range(ROWS)], "\t", [1 + i / 1000 for i in range(ROWS)], "tabs"),
        (
            [f"{990 + i:,}".replace(",", ".") for i in range(ROWS)],
            ";",
            [990 + i for i in range(ROWS)],
            "is read as 1000",
        ),
        ([f"{990 + i:,}" for i in range(ROWS)], ";", [990 + i for i in range(ROWS)], "is read as 1000"),
        ([f"{1000 + i:,}".replace(",", " ") for i in range(ROWS)], ";", [1000 + i for i in range(ROWS)], ""),
        ([f"{1000 + i:,}".replace(",", "'") for i in range(ROWS)], ";", [1000 + i for i in range(ROWS)], ""),
        ([f"{value}K" for value in VALUES], ",", [1000 * value for value in VALUES], "K is read as 100000"),
        ([f"{value} €" for value in VALUES], ",", VALUES, " € is read as 100"),
        ([f"{value}%" for value in VALUES], ",", VALUES, "% is read as 100"),
        ([f"({value})" for value in VALUES], ",", [-value for value in VALUES], ""),
        ([f"\N{MINUS SIGN}{value}" for value in VALUES], ",", [-value for value in VALUES], ""),
        ([f"-${value}" for value in VALUES], ",", [-value for value in VALUES], ""),
        ([f"{value:e}" for value in VALUES], "|", VALUES, "bars"),
    ],
)
def test_numbers_in_every_notation(
    cells: list[str],
    between: str,
    expected: list[float],
    note: str,
    room: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = series.read(write(room / "x.csv", table(DAYS, cells, between)))
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    assert note in capsys.readouterr().out


def without(rows: list[str], *lines: int) -> list[str]:
    return [row for i, row in enumerate(rows) if i not in lines]


def with_cell(line: int, cell: str) -> list[str]:
    rows = table(DAYS)
    rows[line] = f"{rows[line].split(',')[0]},{cell}"
    return rows


MONDAY_TO_FRIDAY = [day for day in DAYS if day.weekday() < 5]
SUNDAY_TO_THURSDAY = [day for day in DAYS if day.weekday() not in (4, 5)]
ONE_SATURDAY = sorted([*MONDAY_TO_FRIDAY, DAYS[12]])


@pytest.mark.parametrize(
    ("lines", "rows", "last", "step", "note"),
    [
        ([*table(DAYS), "", "Source: the office"], ROWS, VALUES[-1], "day", "below the table: line 63 (Source: the o"),
        ([*table(DAYS), "Total,9999"], ROWS, VALUES[-1], "day", "have no date below the table: line 62 (Total 9999)"),
        (["Prices of bread", "", *table(DAYS)], ROWS, VALUES[-1], "day", "above the table: line 1 (Prices of bread)"),
        (table(DAYS, VALUES, "   "), ROWS, VALUES[-1], "day", "the cells are separated by blanks"),
        (["# a comment", *table(DAYS)], ROWS, VALUES[-1], "day", ""),
        (["sep=;", *table(DAYS, VALUES, ";")], ROWS, VALUES[-1], "day", "separated by semicolons"),
        (table(DAYS)[1:], ROWS, VALUES[-1], "day", "there is no header line"),
        (["Price,Close", "Ticker,AAPL", "Date,", *table(DAYS)[1:]], ROWS, VALUES[-1], "day", "first 3 lines are head"),
        (table(DAYS[::-1], VALUES[::-1]), ROWS, VALUES[-1], "day", "not in the order of time"),
        (with_cell(9, "NaN"), ROWS, VALUES[-1], "day", "1 of 60 cells of price are empty, the first in line 10"),
        (with_cell(9, ""), ROWS, VALUES[-1], "day", "1 of 60 cells"),
        (with_cell(60, "..."), ROWS - 1, VALUES[-2], "day", "begin with 2021-01-04 and end with 2021-03-03"),
        ([*table(DAYS), f"{DAYS[-1]},{VALUES[-1]}"], ROWS, VALUES[-1], "day", "1 rows are repeated, the first in li"),
        (without(table(DAYS), 20, 30, 31), ROWS, VALUES[-1], "day", "3 of 60 dates, one day apart, are missing"),
        (table(ONE_SATURDAY), 44, VALUES[44], "working day", "1 row is left out, the first of 2021-01-16: the others"),
        (table(SUNDAY_TO_THURSDAY), len(SUNDAY_TO_THURSDAY), VALUES[len(SUNDAY_TO_THURSDAY) - 1], "working day", ""),
        (
            [f"{line},{c}" for line, c in zip(table(DAYS), ["signal", *ROWS * ["up"]], strict=True)],
            ROWS,
            VALUES[-1],
            "day",
            "in the column price: signal",
        ),
        ([f"{i},{line}" for i, line in enumerate(table(DAYS))], ROWS, VALUES[-1], "day", "last column (price): 0"),
        (
            ["date,time,price", *(f"{d},12:00,{v}" for d, v in zip(DAYS, VALUES, strict=True))],
            ROWS,
            VALUES[-1],
            "day",
            "the times of the day are in the column time",
        ),
        (
            ["year,month,price", *(f"{d.year},{d.month},{v}" for d, v in zip(MONTHS, VALUES, strict=True))],
            ROWS,
            VALUES[-1],
            "month",
            "the parts of the dates are in columns of their own: year, month",
        ),
        (
            [f"{d.year};{d.month:02d};{v}" for d, v in zip(MONTHS, VALUES, strict=True)],
            ROWS,
            VALUES[-1],
            "month",
            "parts of",
        ),
        (
            [
                "year,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec,mean",
                *(f"{2015 + i},{','.join(map(str, VALUES[12 * i : 12 * i + 12]))},7" for i in range(5)),
            ],
            ROWS,
            VALUES[-1],
            "month",
            "the months are put below one another",
        ),
    ],
)
def test_what_stands_around_a_series(
    lines: list[str], rows: int, last: float, step: str, note: str, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = series.read(write(room / "x.csv", lines))
    assert (len(found.values), found.step) == (rows, step)
    assert found.values[-1] == pytest.approx(last)
    said = capsys.readouterr().out
    assert note in said and (note or not said)
    assert all(line.startswith("Note      ") for line in said.splitlines())


def test_a_day_keeps_its_place_where_the_clocks_change(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [f"{day} 00:00:00-0{5 if day < datetime.date(2021, 2, 1) else 4}:00" for day in DAYS]
    assert series.read(write(room / "x.csv", table(cells))).step == "day"
    hours = np.datetime64("2021-03-13T12", "s") + 3600 * np.arange(ROWS)
    zone = np.where(hours < np.datetime64("2021-03-14T07"), -5, -4)
    local = [f"{hour + 3600 * int(z)}-0{-z}:00" for hour, z in zip(hours, zone, strict=True)]
    found = series.read(write(room / "x.csv", table(local)))
    assert (found.step, str(found.dates[0]), len(found.values)) == ("hour", "2021-03-13T12:00", ROWS)
    assert "the zone of the dates changes: they are taken in UTC" in capsys.readouterr().out
    autumn = [*np.arange(30), *np.arange(27, 57)]
    repeated = [
        str(np.datetime64("2021-10-30T00", "m") + 60 * int(i)).replace("T", " ") for i in autumn[:28] + autumn[30:]
    ]
    found = series.read(write(room / "x.csv", table(repeated, VALUES[: len(repeated)])))
    assert found.step == "hour" and found.values[27] == pytest.approx((VALUES[27] + VALUES[28]) / 2)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(
    ("seconds", "step", "season"),
    [
        *((n, f"{n} seconds", 0) for n in (2, 5, 10, 15, 20, 30)),
        (60, "minute", 0),
        *((60 * n, f"{n} minutes", 0) for n in (2, 5, 10, 15, 20, 30)),
        (3600, "hour", 24),
        *((3600 * n, f"{n} hours", 0) for n in (2, 3, 4, 6, 12)),
        (86_400, "day", 7),
        (7 * 86_400, "week", 52),
        (14 * 86_400, "14 days", 0),
    ],
)
def test_a_step_has_its_name_and_its_season_also_where_a_clock_is_late_now_and_then(
    seconds: int, step: str, season: int, is_late: bool, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = np.resize([0, 1, 0, 2], ROWS) * (is_late and 30 <= seconds <= 86_400)  # no two gaps in a row are the same
    moments = np.datetime64("2021-03-01T00:00:00") + seconds * np.arange(ROWS) + late
    found = series.read(write(room / "x.csv", table(list(map(str, moments)))))
    assert (found.step, found.season, len(found.values)) == (step, season, ROWS)
    np.testing.assert_array_equal(found.dates, np.datetime64("2021-03-01T00:00:00") + seconds * np.arange(ROWS))
    assert found.count(1) == (f"1 x {step}" if step[0].isdigit() else f"1 {step}")
    assert found.count(12) == (f"12 x {step}" if step[0].isdigit() else f"12 {step}s")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding: str, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = table(DAYS)
    lines[0] = "Datum,Preis in Köln"
    assert series.read(write(room / "x.csv", lines, encoding)).name == "Preis in Köln"
    assert ("is read as" in capsys.readouterr().out) == (encoding != "utf-8-sig")


PRICES = [
    "Date,Open,Close,Volume,Splits",
    *(f"{d},{v},{2 * v},{int(9e6 * v)},0" for d, v in zip(DAYS, VALUES, strict=True)),
]


def test_the_column_that_is_asked_for(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(room / "prices.csv", PRICES)
    assert series.read(path).name == "Volume"  # the last that changes
    assert "in the column Volume: Open, Close, Splits; --column NAME takes another" in capsys.readouterr().out
    found = series.read(path, column="close")
    assert (found.name, found.values[3]) == ("Close", pytest.approx(2 * VALUES[3]))
    with pytest.raises(
        WorkshopError, match=r"--column High: .* no such column of numbers, takes one of Open, Close, Vol"
    ):
        series.read(path, column="High")
    with pytest.raises(SystemExit):
        forecasting.main(["--column", "Close"])
    assert "--column Close: takes --data FILE too" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["country,gdp", *(f"Country {i},{v}" for i, v in enumerate(VALUES))], "line 2: got Country 0, takes a date"),
        (["a,b,c", *(f"{v},{v + 1},{v + 2}" for v in VALUES)], "none of the columns a, b, c has dates"),
        (
            [*table(DAYS), f"{DAYS[3]},0"],
            "lines 5 and 62: both are of 2021-01-07, with .* and 0: takes one row for each",
        ),
        (table(sorted([*DAYS[:30], *DAYS[:30]])), r"lines 2 and 3: .*\(30 dates occur more than once\)"),
        (table([DAYS[0] + datetime.timedelta(i * i) for i in range(ROWS)]), "is off the dates before it|are missing"),
        (table(DAYS, [*VALUES[:20], *20 * [""], *VALUES[40:]]), "20 of 60 cells of price are empty"),
        # Numbers that might be years, in the first column or the second: years come one after the other.
        (["a,b", *(f"{1900 + i // 2},{v}" for i, v in enumerate(VALUES))], "none of the columns a, b has dates"),
        (["a,b", *(f"{2000 - i // 2},{v}" for i, v in enumerate(VALUES))], "none of the columns a, b has dates"),
        (["a,b,c", *(f"{v},{-v},{1900 + i}" for i, v in enumerate(VALUES))], "none of the columns a, b, c has dates"),
        (
            table(DAYS[: series.MIN_ROWS - 1]),
            f"has {series.MIN_ROWS - 1} rows below the header, takes {series.MIN_ROWS}",
        ),
        (["Price,Close", "Ticker,AAPL", "a,b", "c,d", "Date,", *table(DAYS)[1:]], "line 2: got Ticker, takes a date"),
    ],
)
def test_what_is_no_series(lines: list[str], message: str, room: Path) -> None:
    with pytest.raises(WorkshopError, match=message):
        series.read(write(room / "x.csv", lines))


@pytest.mark.parametrize("is_falling", [False, True])
@pytest.mark.parametrize("before", ["", "x,"])
def test_years_one_after_the_other_are_dates_whatever_their_column_is_called(
    is_falling: bool, before: str, room: Path
) -> None:
    years = range(1900, 1900 + ROWS)[:: -1 if is_falling else 1]
    rows = [f"{before}a,price", *(f"{before}{year},{v}" for year, v in zip(years, VALUES, strict=True))]
    found = series.read(write(room / "x.csv", rows))
    assert (found.name, found.step, str(found.dates[0])) == ("price", "year", "1900-01")
    assert found.values[0] == pytest.approx(VALUES[-1 if is_falling else 0])


def test_as_few_rows_as_can_be_and_as_many_headers(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    headers = ["Price,Close", "Ticker,AAPL", "a,b", "Date,"]
    found = series.read(write(room / "x.csv", [*headers, *table(DAYS)[1 : 1 + series.MIN_ROWS]]))
    assert len(found.values) == series.MIN_ROWS
    assert "the first 4 lines are headers: the names of the columns are in line 1" in capsys.readouterr().out


def test_times_of_the_day_in_a_column_of_their_own_count(room: Path) -> None:
    rows = (f"{DAYS[i // 24]},{i % 24:02d}:00,{v}" for i, v in enumerate(VALUES))
    found = series.read(write(room / "x.csv", ["date,time,price", *rows]))
    assert (found.step, [str(found.dates[i]) for i in (0, -1)]) == ("hour", ["2021-01-04T00:00", "2021-01-06T11:00"])


def test_what_is_no_month_among_months_is_named(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (f"{2015 + i},{','.join(map(str, VALUES[12 * i : 12 * i + 12]))},7,8" for i in range(5))
    found = series.read(write(room / "x.csv", ["year,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec,mean,sum", *rows]))
    assert "Note      left out, as they are no months: mean, sum\n" in capsys.readouterr().out
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-6)


def test_a_workbook_is_refused(room: Path) -> None:
    (room / "x.csv").write_bytes(b"PK\x03\x04\0\0")
    with pytest.raises(WorkshopError, match="but a workbook or a zip archive: save its sheet as CSV"):
        series.read(room / "x.csv")


@pytest.mark.parametrize(
    "cells",
    [
        [f"{v:.4f}" for v in np.linspace(1.05, 1.25, 50)],  # exchange rates are no months
        [f"{v:.1f}" for v in np.linspace(1500, 1900, 50)],
        [f"{v:.2f}" for v in np.linspace(1101, 1190, 50)],
        [str(100_000 + 13 * i) for i in range(50)],
        [f"{i}A" for i in range(50)],
        ["12:30"] * 50,
    ],
)
def test_numbers_are_no_dates(cells: list[str]) -> None:
    assert dates.read_dates(cells, "price") is None


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("0:00", 0),
        ("9:05", 32_700),
        ("09.05", 32_700),
        ("9h05", 32_700),
        ("23:59:59", 86_399),
        ("24:00", 86_400),
        ("25:00", None),
        ("12:59", 46_740),
        ("12:60", None),
        ("23:59:60", 86_400),  # a leap second
        ("23:59:61", None),
        ("12:05 AM", 300),
        ("12:05 p.m.", 43_500),
        ("1:05 pm", 47_100),
        ("0:05 AM", None),
        ("13:05 PM", None),
        ("9:05:30.5", 32_730),
        ("905", None),
    ],
)
def test_times_of_the_day(cell: str, seconds: int | None) -> None:
    found = dates.read_times([cell])
    assert (None if found is None else found[0].astype(int)) == seconds


def test_four_times_of_five_make_a_column() -> None:
    found = dates.read_times([*["9:05"] * 4, "noon"])
    assert found is not None and np.isnat(found).tolist() == [False] * 4 + [True]
    assert dates.read_times([*["9:05"] * 3, "noon"]) is dates.read_times([]) is None
    assert dates.read_dates([*["2021-02-03"] * 4, "never"]) is not None
    assert dates.read_dates([*["2021-02-03"] * 3, "never"]) is None


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("13.2.68", "2068-02-13"),
        ("13.2.69", "1969-02-13"),
        ("Feb-68", "2068-02-01"),
        ("Feb '69", "1969-02-01"),
        ("2021", "2021-01-01"),
        ("1500", "1500-01-01"),
        ("2200", "2200-01-01"),
        ("1499", None),
        ("2201", None),
        ("2021-02", "2021-02-01"),
        ("2021-2-3", "2021-02-03"),
        ("2021. 2. 3.", "2021-02-03"),
        ("20210203", "2021-02-03"),
        ("202102", "2021-02-01"),
        ("02/2021", "2021-02-01"),
        ("2021Q3", "2021-07-01"),
        ("Q4 2021", "2021-10-01"),
        ("2021M02", "2021-02-01"),
        ("2021-W05", "2021-02-01"),
        ("2021-W05-3", "2021-02-03"),
        ("2021-W54", None),
        ("3rd February 2021", "2021-02-03"),
        ("Feb 3, 2021", "2021-02-03"),
        ("2021 Feb", "2021-02-01"),
        ("3 Brumaire 2021", None),
        ("30 Feb 2021", None),
        ("2021-02-03 24:00", "2021-02-04"),
        ("2021-02-03 25:00", None),
        ("2021-02-03T04:05:06", "2021-02-03T04:05:06"),
        ("Wed, 3 Feb 2021 at 4:05 pm", "2021-02-03T16:05"),
        ("99999999", None),  # of nine digits seconds since 1970 are taken for some
        ("100000000", "1973-03-03T09:46:40"),
        ("1612310400", "2021-02-03"),
        ("1612310400.0", "2021-02-03"),
        ("1612310400000", "2021-02-03"),
        ("1612310400000000", "2021-02-03"),
    ],
)
def test_the_moment_of_a_date(cell: str, moment: str | None) -> None:
    found = dates.read_dates([cell])
    assert (None if found is None else found.moments[0]) == (moment and np.datetime64(moment, "s"))


def test_a_column_that_is_called_one_of_years_may_have_any() -> None:
    for name in ("Year", "jahr", "año", "ano", "années", "date", "Datum", "time"):
        assert dates.read_dates(["1499", "2201", "3000"], name) is not None
    assert dates.read_dates(["1499", "2201", "3000"], "price") is None


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("Z", 0), (" UTC", 0), (" GMT", 0), ("+02:00", 2), ("-0530", -5.5), ("+01", 1), (" CET", np.nan), ("", np.nan)],
)
def test_the_zone_of_a_moment(zone: str, hours: float) -> None:
    found = dates.read_dates([f"2021-02-03 04:05{zone}"])
    assert found is not None
    np.testing.assert_array_equal(found.offsets, [3600 * hours])


@pytest.mark.real
def test_series_as_people_published_them(real_data: Path) -> None:
    folder = real_data.parent / "cases" / "hunt" / "series"
    if not folder.is_dir():
        pytest.skip("needs the published series beside the real data")
    refused = {}
    for path in sorted(folder.glob("*.csv")):
        try:
            forecasting.prepare(series.read(path), None, None, None)
        except WorkshopError as error:
            refused[path.stem] = str(error)
    assert list(refused) == ["s19_duplicate", "s45_zero_until"]
    assert "both are of 2022-02-07" in refused["s19_duplicate"]
    assert "the first 280 are all 0" in refused["s45_zero_until"]
