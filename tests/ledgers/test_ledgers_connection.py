"""A stage's own connection: what it is given, and that nothing is left of it."""

from dataclasses import replace

import duckdb
import pytest

from schemas.tables import TABLES
from tests.plain.numbers import organisation_number
from tests.plain.statement import part
from transforms.ledgers.connection import ledgers, memory_for


@pytest.mark.parametrize(
    ("rows", "memory"),
    [(0, "500MB"), (43_999, "500MB"), (7_400_000, "668MB"), (74_800_000, "2200MB"), (10**9, "2200MB")],
)
def test_memory_grows_with_the_rows_up_to_where_more_gains_nothing(rows, memory):
    assert memory_for(rows) == memory


def test_a_connection_has_what_the_run_says_and_spills_to_its_folder(small):
    run = small.settings()
    with ledgers(run, {}) as connection:
        names = ("threads", "memory_limit", "temp_directory", "preserve_insertion_order")
        found = connection.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}").fetchall()
    assert found == [(1, "190.7 MiB", str(run.work / "spill"), False)]


def test_without_any_delivery_every_table_is_there_and_empty(small):
    with ledgers(small.settings(), {}) as connection:
        for name, table in TABLES.items():
            for view in (f"ledger_{name}", f"delivered_{name}"):
                assert connection.sql(f"FROM {view}").columns[: len(table.names)] == list(table.names)
                assert connection.sql(f"FROM {view}").fetchall() == []


def test_two_connections_know_nothing_of_each_other_and_a_closed_one_nothing_at_all(small):
    small.deliver(part(organisation_number(1)))
    with small.connection() as one, small.connection() as other:
        one.execute("CREATE TEMP TABLE mine AS FROM ledger_part")
        with pytest.raises(duckdb.CatalogException, match="mine"):
            other.execute("FROM mine")
    with pytest.raises(duckdb.ConnectionException):
        one.execute("FROM mine")


def test_memory_is_by_the_rows_delivered_unless_the_run_says(small, monkeypatch):
    asked = []
    monkeypatch.setattr("transforms.ledgers.connection.memory_for", lambda rows: asked.append(rows) or "100MB")
    small.deliver(part(organisation_number(1)), part(organisation_number(2)))
    used = small.accept().used
    for memory in ("", "300MB"):
        with ledgers(replace(small.settings(), memory=memory), used) as connection:
            (limit,) = connection.execute("SELECT current_setting('memory_limit')").fetchone()
            assert limit == {"": "95.3 MiB", "300MB": "286.1 MiB"}[memory]
    assert asked == [2]
