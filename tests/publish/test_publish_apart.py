"""What of a snapshot is apart is found when it is published, and the views leave it out or look it up."""

from datetime import timedelta

import duckdb
import polars as pl
import pytest

from schemas.published import PUBLISHED
from tests.build.building import S
from tests.test_analytics import STATEMENT, connected, of_a_night, write_anew
from transforms.home.snapshot import PART_TABLE, rows_sql, whose
from transforms.publish.apart import Apart, find

OLDER = S - timedelta(days=40)


def found(snapshot, **asked):
    """What is apart, and the rows of the tables that tell."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA intern")
        apart = find(connection, snapshot, S, **{"some_without_documents": False, **asked})
        return apart, {
            name: connection.execute(f"FROM intern.{name} ORDER BY ALL").fetchall() for name in Apart._fields
        }


def superseded(snapshot):
    """Puts rows of A into segments of an earlier night."""
    for table in (name for name in PUBLISHED if name != "part"):
        for path in (snapshot / "tables" / table).glob(f"{S}*.parquet"):
            earlier = path.with_name(path.name.replace(str(S), str(OLDER)))
            rows = pl.read_parquet(path).with_columns(segment=pl.lit(earlier.stem))
            rows.filter(pl.col(whose(table)) == "A").write_parquet(earlier)


def older(snapshot):
    """A's documents are of an earlier date."""
    rows = pl.read_parquet(snapshot / PART_TABLE)
    day = pl.when(part="A").then(pl.lit(OLDER)).otherwise("snapshotdato").alias("snapshotdato")
    rows.with_columns(day).write_parquet(snapshot / PART_TABLE)


@pytest.fixture
def snapshot(tmp_path):
    return of_a_night(tmp_path, *STATEMENT)


def test_of_a_full_night_nothing_is_apart(snapshot):
    assert found(snapshot) == (Apart(), {"erstattet": [], "eldre": [], "uten_forfall": []})


def test_a_segment_of_tonight_is_not_looked_through(snapshot):
    """All rows in it are shown; looking through them costs as much as a question."""
    (path,) = (snapshot / "tables" / "innbetaling").glob("*.parquet")
    path.write_bytes(b"not read")
    assert found(snapshot)[0] == Apart()


def test_superseded_rows_older_documents_and_placements_without_a_due_date(snapshot):
    superseded(snapshot)
    older(snapshot)
    (path,) = (snapshot / "tables" / "plassering").glob(f"{S}*.parquet")
    pl.read_parquet(path).filter((pl.col("post") != "F") | (pl.col("motpost") != "I")).write_parquet(path)
    apart, tables = found(snapshot, some_without_documents=True)
    assert apart == Apart(erstattet=True, eldre=True, uten_forfall=True)
    assert tables == {
        "erstattet": [("A", f"{OLDER}-0001-0000"), ("A", f"{OLDER}-0001-0000-oversikt")],
        "eldre": [("A", OLDER)],
        "uten_forfall": [("PI",)],
    }


@pytest.mark.parametrize("apart", [(), (superseded,), (older,), (superseded, older)])
def test_the_views_have_the_rows_that_documents_show_whatever_is_apart(tmp_path, snapshot, apart):
    for put_apart in apart:
        put_apart(snapshot)
    write_anew(tmp_path, snapshot)
    with connected(tmp_path) as connection:
        for name, table in PUBLISHED.items():
            key = ", ".join(table.key)
            shown = connection.sql(f"SELECT {key} FROM {name} ORDER BY ALL").fetchall()
            assert shown == connection.sql(f"SELECT {key} FROM ({rows_sql(snapshot, name)}) ORDER BY ALL").fetchall()
        overdue = "SELECT kravforfallsidentifikator, forfalt FROM {} ORDER BY 1"
        told = connection.sql(overdue.format("kravforfall")).fetchall()
        assert told == connection.sql(overdue.format(f"({rows_sql(snapshot, 'kravforfall')})")).fetchall()
