"""Rows are read some at a time, each with its number, whether the file says it or the row's place."""

import polars as pl
import pytest

from schemas.tables import BUT_PART
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, part
from transforms.ledgers import row_files
from transforms.ledgers.row_files import RowFile, all_files, delivered_files, read_rows

ROWS = pl.DataFrame({"key": [f"K{n}" for n in range(10)], "text": ["a"] * 10})


@pytest.fixture(params=[1, 3, 5, 100])
def at_a_time(request, monkeypatch):
    monkeypatch.setattr(row_files, "ROWS_AT_A_TIME", request.param)
    return request.param


def test_rows_are_numbered_from_the_files_first(tmp_path, at_a_time):
    ROWS.write_parquet(tmp_path / "rows.parquet", row_group_size=3)
    file = RowFile(tmp_path / "rows.parquet", 7)
    pieces = list(read_rows([file], ["key"]))
    assert (file.rows, pl.concat(pieces).rows()) == (10, [(7 + n, f"K{n}") for n in range(10)])
    assert len(pieces) == {1: 4, 3: 4, 5: 2, 100: 1}[at_a_time]


def test_rows_that_have_their_numbers_keep_them(tmp_path, at_a_time):
    numbered = ROWS.with_columns(row=pl.Series([5, 3, 8, 1, 0, 2, 9, 7, 6, 4], dtype=pl.UInt32))
    numbered.write_parquet(tmp_path / "rows.parquet", row_group_size=4)
    read = pl.concat(read_rows([RowFile(tmp_path / "rows.parquet")], ["text"]))
    assert read.equals(numbered.select("row", "text"))


def test_a_path_is_no_pattern(tmp_path):
    ROWS.write_parquet(tmp_path / "rows[1].parquet")
    assert sum(map(len, read_rows([RowFile(tmp_path / "rows[1].parquet", 0)], ["key"]))) == 10


def test_small_files_are_read_together_and_numbered_through_all(tmp_path, at_a_time):
    """Of 4, 1, 0 and 5 rows; a file of another program's may have more columns."""
    files, first = [], 3
    for number, rows in enumerate((ROWS[:4], ROWS[4:5], ROWS[:0], ROWS[5:].with_columns(more=1))):
        rows.write_parquet(tmp_path / f"{number}.parquet", row_group_size=2)
        files.append(RowFile(tmp_path / f"{number}.parquet", first))
        first += rows.height
    pieces = list(read_rows(files, ["key"]))
    assert pl.concat(pieces).rows() == [(3 + n, f"K{n}") for n in range(10)]
    assert len(pieces) == {1: 6, 3: 4, 5: 2, 100: 1}[at_a_time]


def test_however_many_files_a_table_has_its_rows_are_numbered(small):
    whose = [organisation_number(n) for n in range(1, 60)]
    small.deliver(*(part(one) for one in whose), *(krav(f"K{one}", one, 1) for one in whose), split=50)
    with small.connection() as connection:
        rows = connection.sql("SELECT row, kravidentifikator FROM ledger_krav ORDER BY row").fetchall()
    files = all_files(small.settings().deliveries, small.accept().used)["krav"]
    assert (len(files), [number for number, _ in rows]) == (30, list(range(59)))
    assert pl.concat(read_rows(files, ["kravidentifikator"])).rows() == rows


def test_rows_are_numbered_through_all_deliveries(small):
    small.deliver(part("300000118"), krav("K1", "300000118", 1), krav("K2", "300000118", 2))
    small.deliver(krav("K3", "300000118", 3), nr=2)
    small.deliver(krav("K4", "300000118", 4), innbetaling("I", "300000118", 1), kilde="skatt")
    used, deliveries = small.accept().used, small.settings().deliveries
    found = [
        (delivery.kilde, file.first, file.rows)
        for delivery, files in delivered_files(deliveries, used, "krav")
        for file in files
    ]
    assert found == [("mva", 0, 2), ("mva", 2, 1), ("skatt", 3, 1)]
    files = all_files(deliveries, used)
    assert {name: sum(file.rows for file in files[name]) for name in BUT_PART} == {
        **{"krav": 4, "kravforfall": 0, "innbetaling": 1, "utbetaling": 0, "plassering": 0},
    }
    with small.connection() as connection:
        rows = dict(connection.sql("SELECT row, kravidentifikator FROM ledger_krav").fetchall())
    assert rows == {0: "K1", 1: "K2", 2: "K3", 3: "K4"}
