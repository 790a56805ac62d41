"""The analysts' views: amounts in kroner, without where rows lie, of this snapshot whatever is published since."""

from decimal import Decimal

import duckdb
import polars as pl
import pytest

from schemas.published import PUBLISHED
from tests.build.building import S, bucket, snapshot_of
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering
from transforms.home.snapshot import TABLE_NAMES
from transforms.publish.analytics import FILE, link_analytics, write_analytics


@pytest.fixture
def snapshot(tmp_path):
    """A part with a krav of 100.50, of which 60.25 is paid."""
    said = part("A"), krav("K", "A", "100.50"), kravforfall("F", "K", "100.50", S)
    paid = innbetaling("I", "A", "60.25"), plassering("P", "INNBETALING", "F", "I", "60.25")
    folder = snapshot_of(tmp_path, bucket(*said, *paid))
    pl.DataFrame({"kode": ["R-KID"]}).write_parquet(folder / "findings.parquet")
    return folder


@pytest.fixture
def views(snapshot):
    write_analytics(snapshot)
    with duckdb.connect(str(snapshot / FILE), read_only=True) as connection:
        yield connection


def test_there_is_a_view_of_every_table_and_of_the_findings(views):
    names = views.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    assert sorted(name for (name,) in names) == sorted([*TABLE_NAMES, "findings"])
    assert views.execute("FROM findings").fetchall() == [("R-KID",)]


def test_amounts_are_exact_kroner(views):
    row = views.execute("SELECT opprinnelig_beloep, gjenstaaende_beloep, stipulerte_renter FROM krav").fetchone()
    assert row == (Decimal("100.50"), Decimal("40.25"), Decimal("0.00"))
    assert views.execute("SELECT saldo FROM oversikt").fetchone() == (Decimal("40.25"),)
    assert views.execute("SELECT innbetalt_beloep, uplassert_beloep FROM innbetaling").fetchone() == (
        *(Decimal("60.25"), Decimal("0.00")),
    )
    assert views.execute("SELECT post, plassert_beloep FROM plassering ORDER BY ende").fetchall() == [
        *(("F", Decimal("60.25")), ("I", Decimal("60.25"))),
    ]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_amount_is_a_decimal_and_no_column_tells_where_rows_lie(views, name):
    columns = {column: dtype for column, dtype, *_ in views.execute(f"DESCRIBE {name}").fetchall()}
    assert list(columns) == [column.name for column in PUBLISHED[name].shown]
    amounts = {column.name for column in PUBLISHED[name].columns if column.is_amount}
    assert all(columns[column].startswith("DECIMAL(") and columns[column].endswith(",2)") for column in amounts)
    assert not [
        column for column in columns if column.endswith(("_beloep", "_krav", "_renter")) and column not in amounts
    ]
    assert not [column for column in columns if "segment" in column]


def test_the_largest_sums_have_room(snapshot):
    (path,) = (snapshot / "tables" / "oversikt").glob("*.parquet")
    most = pl.lit(-(10**35), pl.Int128).cast(pl.Decimal(38, 0))
    pl.read_parquet(path).with_columns(saldo=most).write_parquet(path)
    write_analytics(snapshot)
    with duckdb.connect(str(snapshot / FILE), read_only=True) as connection:
        assert connection.execute("SELECT saldo FROM oversikt").fetchone() == (Decimal(-(10**33)),)


def test_views_made_anew_take_the_place_of_what_was_left(snapshot):
    (snapshot / FILE).write_bytes(b"no database")
    write_analytics(snapshot)
    with duckdb.connect(str(snapshot / FILE), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM part").fetchone() == (1,)


@pytest.mark.parametrize("before", ["nothing", "a link", "a file"])
def test_the_homes_file_leads_to_the_published_snapshots(tmp_path, before):
    """Also where the home has a file of its own, as those of earlier programs have."""
    if before == "a file":
        (tmp_path / FILE).write_bytes(b"old")
    elif before == "a link":
        link_analytics(tmp_path)
    link_analytics(tmp_path)
    assert (tmp_path / FILE).readlink().as_posix() == "current/analytics.duckdb"
