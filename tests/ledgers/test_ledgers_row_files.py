"""Rows are read some at a time, each with its number, whether the file says it or the row's place."""

import polars as pl
import pytest

from schemas.tables import BUT_PART
from tests.plain.statement import innbetaling, krav, part
from transforms.ledgers import row_files
from transforms.ledgers.row_files import RowFile, all_files, delivered_files

ROWS = pl.DataFrame({"key": [f"K{n}" for n in range(10)], "text": ["a"] * 10})


@pytest.fixture(params=[1, 3, 5, 100])
def at_a_time(request, monkeypatch):
    monkeypatch.setattr(row_files, "ROWS_AT_A_TIME", request.param)
    return request.param


def test_rows_are_numbered_from_the_files_first(tmp_path, at_a_time):
    ROWS.write_parquet(tmp_path / "rows.parquet", row_group_size=3)
    file = RowFile(tmp_path / "rows.parquet", 7)
    pieces = list(file.read(["key"]))
    assert (file.rows, pl.concat(pieces).rows()) == (10, [(7 + n, f"K{n}") for n in range(10)])
    assert len(pieces) == {1: 4, 3: 4, 5: 2, 100: 1}[at_a_time]


def test_rows_that_have_their_numbers_keep_them(tmp_path, at_a_time):
    numbered = ROWS.with_columns(row=pl.Series([5, 3, 8, 1, 0, 2, 9, 7, 6, 4], dtype=pl.UInt32))
    numbered.write_parquet(tmp_path / "rows.parquet", row_group_size=4)
    read = pl.concat(RowFile(tmp_path / "rows.parquet").read(["text"]))
    assert read.equals(numbered.select("row", "text"))


def test_a_path_is_no_pattern(tmp_path):
    ROWS.write_parquet(tmp_path / "rows[1].parquet")
    assert sum(map(len, RowFile(tmp_path / "rows[1].parquet", 0).read(["key"]))) == 10


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
