"""Links as files: handed over, read in passes and by number, and shown by their keys."""

import numpy as np
import polars as pl
import pytest

from tests.ledgers.test_ledgers_links import SAID
from tests.small import looking_at
from transforms.ledgers import link_files
from transforms.ledgers.good import show_good
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.links import links_of


@pytest.fixture
def connection():
    with looking_at(*SAID) as connection:
        show_good(connection)
        yield connection


@pytest.fixture
def links(connection):
    return links_of(connection)


@pytest.fixture
def files(links, tmp_path):
    files = LinkFiles(tmp_path / "check" / "links")
    for name, rows in links.items():
        files.write(name, rows)
    return files


def test_another_stage_reads_the_same_links(links, files):
    assert all(files.whole(name).equals(rows) for name, rows in links.items())


def test_links_come_some_rows_at_a_time_at_first_none(links, files, monkeypatch):
    monkeypatch.setattr(link_files, "LINKS_AT_A_TIME", 2)
    some = [*files.some("plassering")]
    assert [rows.height for rows in some] == [0, 2, 1]
    assert pl.concat(some).equals(links["plassering"])
    assert [rows.columns for rows in files.some("krav", "row", "beloep")] == [["row", "beloep"]] * 2


def test_what_a_column_says_is_found_by_row_number(files, tmp_path):
    """Of numbers that no row has, and behind the last, something else."""
    frame = pl.DataFrame({"row": [4, 1], "krav_row": [7, 9]}, {"row": pl.UInt32, "krav_row": pl.UInt32})
    other = LinkFiles(tmp_path / "other")
    other.write("kravforfall", frame)
    other.write("krav", frame.clear())
    assert other.by_row("kravforfall", "krav_row", 5).tolist() == [5, 9, 5, 5, 7, 5]
    assert other.by_row("krav", "krav_row", 5).tolist() == [5]
    assert other.rows("kravforfall") == 5
    assert other.rows("krav") == 0
    assert files.by_row("krav", "part_row", 3).dtype == np.uint32


def test_around_a_krav_are_its_due_dates_and_the_placements_on_and_from_them(files):
    debit, credit = (files.around(pl.Series([krav, krav], dtype=pl.UInt32)) for krav in (0, 1))
    assert debit["kravforfall"].rows() == [(0, 0, 10_000)]
    assert debit["plassering"].sort("row")["row"].to_list() == [0, 1]
    assert credit["kravforfall"].rows() == [(1, 1, -3_000)]
    assert credit["plassering"].sort("row")["row"].to_list() == [1, 2]
    assert files.around(pl.Series([], dtype=pl.UInt32))["plassering"].is_empty()


def test_posts_with_links_are_shown_by_their_keys(connection, links, files):
    files.write("plassering", links["plassering"].filter(pl.col("plasseringstype") != "INNBETALING"))
    files.show(connection)
    assert sorted(connection.sql("FROM forfall").fetchall()) == [("F", "K"), ("G", "C")]
    columns = (
        "plasseringsidentifikator, plasseringstype, kravforfallsidentifikator, motpost, forfall_part, motpost_part"
    )
    assert sorted(connection.sql(f"SELECT {columns} FROM plassering_ends").fetchall()) == [
        ("PM", "MOTKRAV", "F", "G", "A", "O"),
        ("PU", "UTBETALING", "G", "U", "O", "O"),
    ]
