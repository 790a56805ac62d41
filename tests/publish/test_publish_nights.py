"""Kept nights by their date, what has changed from one to another, and what is told of nights for good."""

import shutil
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import polars as pl
import pytest

from schemas.macros import AS_OF
from tests.build.building import S
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.test_analytics import connected, kroner, of_a_night
from transforms.home.history import ensure
from transforms.publish import history, nights

NEXT = S + timedelta(days=1)
BEFORE = (
    *(part("A"), part("B"), part("P", "PERSON")),
    *(krav("K", "A", "100", kravgruppe="Skatt"), kravforfall("F", "K", "100", "2026-10-24")),
    *(krav("L", "B", "70", kravgruppe="Moms"), kravforfall("G", "L", "70", "2026-10-24")),
    *(krav("M", "B", "9000", kravgruppe="Moms"), kravforfall("H", "M", "9000", "2026-01-01")),
    *(innbetaling("I", "P", "60", "2026-10-25"), utbetaling("U", "A", "2")),
)
AFTER = (
    *(part("A"), part("B"), part("P", "PERSON")),
    *(krav("K", "A", "100", kravgruppe="Skatt"), kravforfall("F", "K", "100", "2026-10-24")),
    *(krav("M", "B", "9000", kravgruppe="Skatt"), kravforfall("H", "M", "9000", "2026-01-01")),
    *(krav("N", "B", "8", kravgruppe="Moms"), kravforfall("J", "N", "8", NEXT)),
    *(innbetaling("I", "P", "60", "2026-10-25"), plassering("PI", "INNBETALING", "F", "I", "50.25", NEXT)),
    *(utbetaling("U", "A", "2"),),
)
"""A has paid some of K by P's payment, L has gone, M has changed its kravgruppe, N is new."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("nights")
    first = of_a_night(home, *BEFORE)
    of_a_night(home, *AFTER, day=NEXT, previous=first, nights=[first])
    return home


@pytest.fixture
def sql(home):
    with connected(home) as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()


def test_every_kept_night_by_its_date(sql, home):
    assert sql("SELECT snapshotdato, snapshot FROM snapshots") == [
        *((S, f"{S}-0001"), (NEXT, f"{NEXT}-0001")),
    ]
    for (fil,) in sql("SELECT fil FROM snapshots"):
        duckdb.connect(fil, read_only=True).close()
    krav_of = "SELECT kravidentifikator FROM krav_as_of($1) ORDER BY 1"
    assert sql(krav_of.replace("$1", f"'{S}'")) == [("K",), ("L",), ("M",)]
    assert sql(krav_of.replace("$1", f"DATE '{NEXT}' - 1")) == [("K",), ("L",), ("M",)]
    assert sql(krav_of.replace("$1", f"'{NEXT}'")) == [("K",), ("M",), ("N",)]


@pytest.mark.parametrize("name", AS_OF)
def test_what_a_view_shows_of_this_night_its_macro_shows_too(sql, name):
    assert sql(f"FROM {name} ORDER BY ALL") == sql(f"FROM {name}_as_of('{NEXT}') ORDER BY ALL")
    assert sql(f"DESCRIBE FROM {name}") == sql(f"DESCRIBE FROM {name}_as_of('{S}')")


def test_a_placement_of_an_earlier_night_without_its_due_date(tmp_path):
    """The list that tonight's view looks into is of tonight."""
    first = of_a_night(tmp_path, *AFTER)
    (path,) = (first / "tables" / "plassering").glob("*.parquet")
    pl.read_parquet(path).filter(ende="motpost").write_parquet(path)
    of_a_night(tmp_path, *AFTER, day=NEXT, previous=first, nights=[first])
    with connected(tmp_path) as connection:
        found = connection.execute(
            f"SELECT innbetalingsidentifikator, kravforfallsidentifikator FROM plassert_innbetaling_as_of('{S}')"
        )
        assert found.fetchall() == [("I", "F")]


def test_what_has_changed(sql):
    columns = "tabell, noekkel, part, endring, kolonner, beloep_foer, beloep"
    assert sql(f"SELECT {columns} FROM endringer() ORDER BY ALL") == [
        ("innbetaling", "I", "P", "endret", "uplassert_beloep", *kroner("60.00", "9.75")),
        ("krav", "K", "A", "endret", "gjenstaaende_beloep", *kroner("100.00", "49.75")),
        ("krav", "L", "B", "borte", "", Decimal("70.00"), None),
        ("krav", "M", "B", "endret", "kravgruppe", *kroner("9000.00", "9000.00")),
        ("krav", "N", "B", "ny", "", None, Decimal("8.00")),
        ("kravforfall", "F", "A", "endret", "gjenstaaende_beloep", *kroner("100.00", "49.75")),
        ("kravforfall", "G", "B", "borte", "", Decimal("70.00"), None),
        ("kravforfall", "J", "B", "ny", "", None, Decimal("8.00")),
        ("plassering", "PI", "A", "ny", "", None, Decimal("50.25")),
    ]
    assert sql(f"FROM endringer(fra := '{NEXT}')") == []
    assert sql(f"SELECT count(*) FROM endringer(fra := '{NEXT}', til := '{S}')") == [(9,)]


def test_from_one_balance_to_the_next(sql):
    rows = sql("FROM saldobro() ORDER BY kravgruppe NULLS LAST")
    before, after = (sql(f"SELECT sum(stipulerte_renter) FROM krav_as_of('{day}')")[0][0] for day in (S, NEXT))
    assert before < after  # a day more
    assert [(group, *moved[1:4]) for group, *moved in rows] == [
        ("Moms", *kroner("8.00", "-9000.00", "-70.00")),
        ("Skatt", *kroner("0.00", "8949.75", "0.00")),
        (None, *kroner("0.00", "50.25", "0.00")),
    ]
    for _, opening, new, changed, gone, interest, closing in rows:
        assert opening + new + changed + gone + interest == closing
    assert sum(row[5] for row in rows) == after - before
    assert [sum(row[1] for row in rows), sum(row[6] for row in rows)] == [
        sql(f"SELECT sum(saldo) FROM husholdning_as_of('{day}')")[0][0] for day in (S, NEXT)
    ]


def test_of_the_first_night_nothing_has_changed(tmp_path):
    of_a_night(tmp_path, *BEFORE)
    with connected(tmp_path) as connection:
        assert connection.execute("FROM endringer()").fetchall() == []
        assert connection.execute("SELECT sum(aapning - lukning) FROM saldobro()").fetchone() == (0,)


def test_a_removed_night_is_told_of_and_nothing_else_fails(tmp_path):
    first = of_a_night(tmp_path, *BEFORE)
    of_a_night(tmp_path, *AFTER, day=NEXT, previous=first, nights=[first])
    shutil.rmtree(first)
    with connected(tmp_path) as connection:
        assert connection.execute("SELECT snapshotdato FROM snapshots").fetchall() == [(NEXT,)]
        assert connection.execute(f"SELECT count(*) FROM krav_as_of('{NEXT}')").fetchone() == (3,)
        for query in (f"krav_as_of('{S}')", "endringer()"):
            with pytest.raises(duckdb.IOException, match="No files found"):
                connection.execute(f"FROM {query}")
        with pytest.raises(duckdb.IOException, match="no night of 2026-11-01 is kept"):
            connection.execute("FROM krav_as_of('2026-11-01')")
        for view in ("krav", "historikk", "findings"):
            connection.execute(f"FROM {view}")


def test_posts_that_share_a_segment_are_not_compared(home):
    """They are the same bytes; the rest is compared, whatever its segment."""
    query = nights._rows_apart("krav", "til", "fra")
    same = f"CREATE TABLE found AS SELECT * FROM ({query.replace('til', 'day').replace('fra', 'day')})"
    with connected(home) as connection:
        connection.execute(same.replace("CREATE TABLE found", "CREATE TEMP TABLE found").replace("day", f"'{NEXT}'"))
        assert connection.execute("SELECT count(*) FROM found").fetchone() == (0,)


# history


def test_the_history_has_what_remains(sql):
    found = (
        "SELECT kravgruppe, aldersgruppe::VARCHAR, sum(antall), sum(gjenstaaende_beloep - herav_kredit) FROM historikk"
    )
    assert sql(f"{found} WHERE kravgruppe IS NOT NULL GROUP BY ALL ORDER BY ALL") == sql(
        "SELECT kravgruppe, aldersgruppe::VARCHAR, antall, gjenstaaende_beloep FROM aldersfordelt() ORDER BY ALL"
    )
    sums = "sum(gjenstaaende_beloep), sum(stipulerte_renter), sum(uplassert_beloep) FROM"
    assert sql(f"SELECT {sums} historikk")[0] == (
        *sql("SELECT sum(gjenstaaende_beloep), sum(stipulerte_renter) FROM krav")[0],
        *sql("SELECT sum(uplassert_beloep) FROM innbetaling")[0],
    )
    assert sql("SELECT aldersgruppe::VARCHAR, parttype FROM historikk WHERE kravgruppe IS NULL") == [("1-30", "PERSON")]


REFUSED = {"tabell": "krav", "kilde": "mva", "slettet": False, "leveransenummer": 1, "rad": 1}


def test_the_history_has_credits_and_what_was_refused(tmp_path):
    credit = (krav("C", "A", "-8", kravgruppe="Skatt"), kravforfall("D", "C", "-8", "2026-10-24"))
    rows = [
        {**REFUSED, "avvist": number, "koder": ["L2-CLAIM-SUM", "L2-VALUE-NULL"], "beloep": beloep}
        for number, beloep in enumerate((1050, None, 50))
    ]
    of_a_night(tmp_path, *BEFORE, *credit, refused=rows)
    with connected(tmp_path) as connection:
        skatt = "SELECT antall, gjenstaaende_beloep, herav_kredit FROM historikk WHERE kravgruppe = 'Skatt'"
        assert connection.execute(skatt).fetchall() == [(2, *kroner("92.00", "-8.00"))]
        assert connection.execute("FROM historikk_avvist").fetchall() == [
            (S, 2, "mva", "L2-CLAIM-SUM", 3, Decimal("11.00"))
        ]


def test_a_night_sees_no_later_history_and_its_own_before_it_is_gathered(tmp_path):
    ensure(tmp_path)
    first = of_a_night(tmp_path, *BEFORE)
    shutil.copy(first / history.HISTORY, tmp_path / history.HISTORY)  # as gathering does
    of_a_night(tmp_path, *AFTER, day=NEXT, previous=first, nights=[first])
    days = "SELECT DISTINCT snapshotdato FROM historikk ORDER BY 1"
    with connected(tmp_path) as connection:
        assert connection.execute(days).fetchall() == [(S,), (NEXT,)]
    shutil.copy(tmp_path / "current" / history.HISTORY, tmp_path / history.HISTORY)
    with duckdb.connect(str(first / "analytics.duckdb"), read_only=True) as connection:
        assert connection.execute(days).fetchall() == [(date.fromisoformat(str(S)),)]
