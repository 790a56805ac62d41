"""The analysts' database: amounts in kroner, what is made of the tables, and what the file itself is."""

import os
import subprocess
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.analytics import VIEWS
from schemas.macros import AS_OF, MACROS
from schemas.published import PUBLISHED
from schemas.refusals import Refusal
from schemas.report import CheckCounts
from schemas.snapshot import TableReceipt
from schemas.views import AGE_BANDS
from tests.build.building import S, bucket, snapshot_of
from tests.conftest import examples
from tests.manifests import accepted, manifest
from tests.plain.balances import rate_days
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from transforms.home.findings import findings
from transforms.home.snapshot import (
    ANALYTICS,
    FINDINGS,
    HELD_BACK,
    LED_TO,
    REFUSED_ROWS,
    TABLE_NAMES,
    switch,
    write_json,
)
from transforms.publish import macros, views
from transforms.publish.analytics import link_analytics, write_analytics
from transforms.publish.held_back import since
from transforms.publish.nights import night_macros
from transforms.rules.interest import interest, weights

RATES = [
    (date(2020, 1, 1), Decimal("8.50")),
    (date(2024, 2, 29), Decimal("10.75")),
    (date(2026, 7, 1), Decimal("0.01")),
]
RATES_FRAME = pl.DataFrame(
    {"fra_dato": [day for day, _ in RATES], "sats": [int(sats * 100) for _, sats in RATES]},
    schema={"fra_dato": pl.Date, "sats": pl.Int64},
)
KRAVTYPER = pl.DataFrame(
    {"kravtype": ["Skatt"], "tekst": ["Skatt av inntekt"], "kravgruppe": ["Skatt"], "renteberegnes": [True]}
)
COLUMNS = ("tabell", "noekkel", "kilde", "fil", "part", "kravidentifikator", "kravforfallsidentifikator", "motpost")
REFUSED = {
    **dict.fromkeys(("avvist", "beloep", "rot"), pl.Int64),
    **{"leveransenummer": pl.Int32, "rad": pl.UInt32},
    **dict.fromkeys(COLUMNS, pl.String),
    **{"koder": pl.List(pl.String), "slettet": pl.Boolean},
}
LED = {"part": pl.String, "gjennom": pl.String, "avvist": pl.Int64}

STATEMENT = (
    *(part("A"), part("P", "PERSON"), part("E", "ENK", "P")),
    *(krav("K", "A", "100.50", kravgruppe="Skatt"), kravforfall("F", "K", "60.50", "2026-10-24")),
    *(kravforfall("F2", "K", "40", S), innbetaling("I", "P", "60.25", "2026-10-25")),
    *(plassering("PI", "INNBETALING", "F", "I", "50.25", "2026-10-26"), krav("C", "E", "-8", kravgruppe="Moms")),
    *(kravforfall("G", "C", "-8", "2026-01-01"), plassering("PM", "MOTKRAV", "F2", "G", "5", "2026-10-26")),
    *(utbetaling("U", "E", "2"), plassering("PU", "UTBETALING", "G", "U", "2", "2026-10-26")),
    *(innbetaling("J", "A", "3", "2026-10-24"), plassering("PJ", "INNBETALING", "F", "J", "1.25", "2026-10-26")),
)
"""A owes a krav of two due dates: one overdue for 30 days, which P has paid a day late and A in time, and one that a
credit of P's sole proprietorship E nets, which is paid out too."""


def of_a_night(home, *said, held_back=(), led_to=(), refused=(), day=S, previous=None, nights=()):
    """A snapshot of the statement, as ``publish`` makes it but for what no view reads; published.

    ``nights``: the snapshots that are kept.
    """
    folder = snapshot_of(home, bucket(*said), day=day)
    findings([Refusal(0, "R-KID", "2 in kidnummer")]).write_parquet(folder / FINDINGS)
    held = pl.DataFrame([(one, day) for one in held_back], {"part": pl.String, "siden": pl.Date}, orient="row")
    held.write_parquet(folder / HELD_BACK)
    pl.DataFrame(led_to, LED, orient="row").write_parquet(folder / LED_TO)
    pl.DataFrame(refused, REFUSED).write_parquet(folder / REFUSED_ROWS)
    before = previous.name if previous else None
    told = write_anew(home, folder, nights=nights, previous=before, snapshotdato=day)
    write_json(folder / "manifest.json", told.model_dump(mode="json"))
    switch(home, folder)
    return folder


def write_anew(home, folder, used=(), nights=(), previous=None, **changes):
    """Writes the snapshot's database. ``changes``: of its manifest, which is returned."""
    named = {"snapshot": folder.name, "used": list(used), "previous": previous}
    told = manifest([]).model_copy(update={**named, **changes})
    kept = {path.name[:10]: path.name for path in nights}
    write_analytics(views.Of(home, home / "deliveries", folder, used, kept, previous), told, RATES_FRAME, KRAVTYPER)
    return told


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A snapshot of the statement."""
    home = tmp_path_factory.mktemp("analytics")
    of_a_night(home, *STATEMENT)
    return home


@pytest.fixture
def sql(home):
    with connected(home) as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()


def connected(home):
    return duckdb.connect(str(home / "current" / ANALYTICS), read_only=True)


def kroner(*texts):
    return tuple(map(Decimal, texts))


# the tables


def test_amounts_are_exact_kroner(sql):
    assert sql("SELECT opprinnelig_beloep, gjenstaaende_beloep, stipulerte_renter FROM krav WHERE part = 'A'") == [
        kroner("100.50", "44.00", "0.00")
    ]
    assert sql("SELECT saldo FROM oversikt WHERE forespurt_part = 'A'") == [kroner("42.25")]
    assert sql("SELECT innbetalt_beloep, uplassert_beloep FROM innbetaling ORDER BY ALL") == [
        *(kroner("3.00", "1.75"), kroner("60.25", "10.00")),
    ]


def test_the_largest_sums_have_room(tmp_path):
    folder = of_a_night(tmp_path, part("A"))
    (path,) = (folder / "tables" / "oversikt").glob("*.parquet")
    most = pl.lit(-(10**35), pl.Int128).cast(pl.Decimal(38, 0))
    pl.read_parquet(path).with_columns(saldo=most).write_parquet(path)
    with connected(tmp_path) as connection:
        assert connection.execute("SELECT saldo FROM oversikt").fetchone() == (Decimal(-(10**33)),)


@pytest.mark.parametrize(
    ("start", "end", "termin"),
    [
        ("2026-01-01", "2026-12-31", "2026"),
        ("2026-07-01", "2026-12-31", "2026-H2"),
        ("2026-04-01", "2026-06-30", "2026-K2"),
        ("2024-01-01", "2024-02-29", "2024-T1"),
        ("2026-11-01", "2026-12-31", "2026-T6"),
        ("2026-03-01", "2026-03-31", "2026-M03"),
        ("2026-02-01", "2027-01-31", None),  # a year, but not a calendar's
        ("2026-02-01", "2026-03-31", None),
        ("2026-01-01", "2026-01-30", None),
        ("2026-01-02", "2026-01-31", None),
        (None, None, None),
    ],
)
def test_a_period_has_one_spelling(start, end, termin):
    query = (
        f"SELECT {views._COMPUTED['krav', 'termin']} FROM (SELECT $1::DATE AS periode_start, $2::DATE AS periode_slutt)"
    )
    assert duckdb.execute(query, [start, end]).fetchall() == [(termin,)]


# what is made of them


def test_a_due_date_with_its_krav_and_its_age(sql):
    columns = (
        "kravforfallsidentifikator, husholdning, kravgruppe, dager_forfalt, aldersgruppe::VARCHAR, gjenstaaende_beloep"
    )
    assert sql(f"SELECT {columns} FROM forfall ORDER BY 1") == [
        ("F", "A", "Skatt", 30, "1-30", Decimal("9.00")),
        ("F2", "A", "Skatt", 0, "ikke forfalt", Decimal("35.00")),
        ("G", "P", "Moms", 326, "181-365", Decimal("-1.00")),
    ]


def test_age_bands_sort_by_age(sql):
    days = [-5, 0, 1, 30, 31, 90, 91, 180, 181, 365, 366, 99_999]
    found = sql("SELECT aldersgruppe(d)::VARCHAR FROM unnest($1) AS days(d) ORDER BY aldersgruppe(d), d", days)
    bands = list(AGE_BANDS.values())
    assert [band for (band,) in found] == [band for band in bands for _ in range(2)]


def test_a_household_counts_each_post_once(sql):
    """E's overview has P's payment too; the household has it once."""
    columns = "husholdning, antall_parter, forfalte_krav, uplasserte_innbetalinger, saldo"
    assert sql(f"SELECT {columns} FROM husholdning ORDER BY 1") == [
        ("A", 1, *kroner("9.00", "-1.75", "42.25")),
        ("P", 2, *kroner("-1.00", "-10.00", "-11.00")),
    ]


def test_placements_have_both_ends_named_whichever_is_told(sql):
    assert sql("SELECT * EXCLUDE (plasseringsdato) FROM plassert_innbetaling ORDER BY 1") == [
        ("PI", "I", "F", Decimal("50.25"), "mva", 2),
        ("PJ", "J", "F", Decimal("1.25"), "mva", 2),
    ]
    assert sql("SELECT motkravforfallsidentifikator, kravforfallsidentifikator FROM plassert_motkrav") == [("G", "F2")]
    assert sql("SELECT kravforfallsidentifikator, utbetalingsidentifikator FROM plassert_utbetaling") == [("G", "U")]


@pytest.mark.parametrize("held_back", [(), ("A",)])
def test_a_placement_is_there_once_also_without_its_due_date(tmp_path, held_back):
    """Where someone is held back, the other end may be missing: it is looked for then, and only then."""
    folder = of_a_night(tmp_path, *STATEMENT, held_back=held_back)
    (path,) = (folder / "tables" / "plassering").glob("*.parquet")
    rows = pl.read_parquet(path)
    rows.filter((pl.col("part") != "A") | (pl.col("post") == "F2")).write_parquet(path)  # as if F were of another night
    stages = manifest([]).stages.model_copy(update={"check": CheckCounts(held_back=len(held_back))})
    write_anew(tmp_path, folder, stages=stages)
    with connected(tmp_path) as connection:
        found = connection.execute("SELECT * EXCLUDE (plasseringsdato) FROM plassert_innbetaling").fetchall()
    assert found == ([("PI", "I", "F", Decimal("50.25"), "mva", 2)] if held_back else [])


def test_payments_against_due_dates(sql):
    columns = "innbetalingsidentifikator, betaler, part, dager_etter_forfall, plassert_beloep"
    assert sql(f"SELECT {columns} FROM innbetaling_mot_forfall ORDER BY 1") == [
        ("I", "P", "A", 1, Decimal("50.25")),
        ("J", "A", "A", 0, Decimal("1.25")),
    ]


# what the snapshot is made of


def test_a_connection_over_a_switch_says_that_it_is_stale(tmp_path):
    before = of_a_night(tmp_path, *STATEMENT)
    with connected(tmp_path) as held:
        said = "SELECT snapshot, snapshotdato, publisert, er_publisert FROM snapshot"
        assert held.execute(said).fetchall() == [(before.name, S, before.name, True)]
        after = of_a_night(tmp_path, *STATEMENT, part("B"), day=S + timedelta(days=1))
        assert held.execute(said).fetchall() == [(before.name, S, after.name, False)]
        assert held.execute("SELECT count(*) FROM part").fetchall() == [(3,)]  # and reads what it read


def test_the_reference_data_is_what_the_snapshot_was_made_with(sql):
    assert sql("FROM rente_sats") == [
        (date(2020, 1, 1), date(2024, 2, 28), Decimal("8.50")),
        (date(2024, 2, 29), date(2026, 6, 30), Decimal("10.75")),
        (date(2026, 7, 1), None, Decimal("0.01")),
    ]
    assert sql("FROM kravtype") == [("Skatt", "Skatt av inntekt", "Skatt", True)]


def test_deliveries_in_force(tmp_path):
    receipts = {"krav": TableReceipt(rader=7, refused=2, removed=1, oere=-12_345, failing={})}
    used = [accepted("mva", 3, "2026-11-22T23:30:00Z", receipt=receipts)]
    folder = of_a_night(tmp_path, *STATEMENT)
    write_anew(tmp_path, folder, used=used)
    with connected(tmp_path) as connection:
        found = connection.execute("SELECT * EXCLUDE (uttrukket), uttrukket::VARCHAR FROM leveranse").fetchall()
    assert found == [("mva", 3, "endring", "krav", 7, 2, 1, Decimal("-123.45"), "2026-11-23 00:30:00")]  # in Oslo


def test_where_a_row_was_delivered(tmp_path):
    folder = of_a_night(tmp_path, *STATEMENT)
    used = [accepted("mva", 3, receipt={"krav": TableReceipt(rader=2, refused=0, removed=1, oere=0, failing={})})]
    rows = pl.DataFrame({"kravidentifikator": ["K", "L"], "rad": [4, 9], "slettet": [False, True]})
    path = tmp_path / "deliveries" / used[0].folder / "krav" / "00000.parquet"
    path.parent.mkdir(parents=True)
    rows.with_columns(pl.col("rad").cast(pl.UInt32), fil=0).write_parquet(path)
    write_anew(tmp_path, folder, used=used)
    with connected(tmp_path) as connection:
        assert connection.execute("FROM rad ORDER BY rad").fetchall() == [
            ("krav", "K", "mva", 3, "krav-1.parquet", 4, False),
            ("krav", "L", "mva", 3, "krav-1.parquet", 9, True),
        ]


def test_why_a_part_is_held_back_and_what_was_refused(tmp_path):
    row = {"leveransenummer": 2, "rad": 5, "kilde": "mva", "fil": "krav-1.csv", "slettet": False}
    rows = [
        {
            **row,
            "avvist": 1,
            "tabell": "krav",
            "noekkel": "81000105",
            "koder": ["L2-CLAIM-SUM"],
            "beloep": 1050,
            "rot": 2,
        },
        {**row, "avvist": 2, "tabell": "kravforfall", "noekkel": "F9", "koder": ["L2-VALUE-DATE", "L2-VALUE-NULL"]},
    ]
    of_a_night(tmp_path, part("A"), held_back=("A", "B"), led_to=[("A", None, 1), ("B", "A", 1)], refused=rows)
    with connected(tmp_path) as connection:
        columns = "part, siden, har_dokumenter, gjennom, avvist, kode, noekkel, rot, rot_kode, rot_noekkel"
        why = (1, "L2-CLAIM-SUM", "81000105", 2, "L2-VALUE-DATE", "F9")
        assert connection.execute(f"SELECT {columns} FROM holdt_tilbake ORDER BY 1").fetchall() == [
            *(("A", S, True, None, *why), ("B", S, False, "A", *why)),
        ]
        assert connection.execute("SELECT kode, beloep, rot FROM avvist ORDER BY avvist").fetchall() == [
            *(("L2-CLAIM-SUM", Decimal("10.50"), 2), ("L2-VALUE-DATE", None, None)),
        ]


def test_since_when_a_part_is_held_back(tmp_path):
    tonight, earlier = date(2026, 11, 25), date(2026, 11, 20)
    parts = pl.DataFrame({"part": ["A", "B"]})
    assert since(parts, None, tonight).rows() == [("A", tonight), ("B", tonight)]
    before = pl.DataFrame({"part": ["C", "B"], "siden": [S, earlier]})
    before.write_parquet(tmp_path / HELD_BACK)
    assert since(parts, tmp_path, tonight).rows() == [("A", tonight), ("B", earlier)]
    before.drop("siden").write_parquet(tmp_path / HELD_BACK)  # of an earlier program: its own date
    told = manifest([]).model_copy(update={"snapshotdato": S})
    write_json(tmp_path / "manifest.json", told.model_dump(mode="json"))
    assert since(parts, tmp_path, tonight).rows() == [("A", tonight), ("B", S)]


# macros


def test_the_balance_of_a_part_and_the_sums_that_are_asked_for(sql):
    assert sql("SELECT saldo('A'), saldo('no such')") == [(Decimal("42.25"), None)]
    assert sql("SELECT kravgruppe, aldersgruppe::VARCHAR, antall, gjenstaaende_beloep FROM aldersfordelt()") == [
        *(("Skatt", "ikke forfalt", 1, Decimal("35.00")), ("Skatt", "1-30", 1, Decimal("9.00"))),
    ]
    assert sql("SELECT aldersgruppe::VARCHAR, antall, uplassert_beloep FROM uplassert_etter_alder()") == [
        ("1-30", 2, Decimal("11.75"))
    ]


def test_paid_on_time(sql):
    paid = "SELECT * FROM betalt_i_tide($1::DATE, $2::DATE)"
    assert sql(paid, "2026-10-24", S) == [("Skatt", 2, *kroner("100.50", "1.25", "50.25", "5.00", "44.00"))]
    assert sql(paid, "2026-10-25", S) == [("Skatt", 1, *kroner("40.00", "0.00", "0.00", "5.00", "35.00"))]
    assert sql(paid, "2026-10-25", "2026-10-26") == []


def interest_by_the_contract(beloep, fra, til, added=Decimal(0)):
    """Section 3, in fractions."""
    bears = rate_days([(day, sats + added) for day, sats in RATES], fra, til)
    kroner = floor(Fraction(beloep) * bears / 100 / 365)
    return kroner if beloep > 0 and kroner >= 50 else 0


DAYS = st.dates(date(2019, 12, 1), date(2027, 1, 31))
AMOUNTS = st.integers(-100, 10**18 - 1).map(lambda oere: Decimal(oere).scaleb(-2))
AROUND_50_KRONER = st.decimals("500", "2500", places=2)
ASKED = st.lists(st.tuples(AMOUNTS | AROUND_50_KRONER, DAYS, DAYS), min_size=1, max_size=50)


@settings(max_examples=examples(5))
@given(ASKED, st.sampled_from(kroner("0", "0.5", "-0.01", "12")))
def test_interest_is_the_rules(home, asked, added):
    frame = pl.DataFrame(asked, {"beloep": pl.Decimal(38, 2), "fra": pl.Date, "til": pl.Date}, orient="row")
    with connected(home) as connection:
        connection.register("asked", frame.to_arrow())
        found = connection.execute("SELECT renter(beloep, fra, til, paaslag := $1) FROM asked", [added]).fetchall()
        plain = connection.execute("SELECT renter(beloep, fra, til) FROM asked").fetchall()
    assert [int(kroner) for (kroner,) in found] == [interest_by_the_contract(*one, added) for one in asked]
    by_rules = []
    for beloep, fra, til in asked:
        vekt = weights(pl.Series([fra]), RATES_FRAME, til)["vekt"]
        oere = pl.Series([max(int(beloep * 100), 0)], dtype=pl.Int128)
        by_rules.append(pl.select(interest(pl.lit(oere), pl.lit(vekt))).item())
    assert [int(kroner) for (kroner,) in plain] == by_rules


def test_interest_of_what_is_not_there(sql):
    assert sql("SELECT renter(NULL, DATE '2025-01-01', DATE '2026-01-01'), renter(1, NULL, DATE '2026-01-01')") == [
        (None, None)
    ]


def test_macros_hold_no_with():
    """DuckDB 1.4 cannot read a macro that has one."""
    of = views.Of(Path("/home"), Path("/deliveries"), Path("/home/snapshots/one"), ())
    bodies = [macros.age_band(), *macros.of_rates(RATES_FRAME), *macros.after_views(), *night_macros(of, S)]
    assert [body for body in bodies if "WITH " in body] == []
    assert {name for name in MACROS if any(f"MACRO {name}(" in body for body in bodies)} == set(MACROS)


# the file


def test_every_view_has_the_columns_that_are_told_and_comments_on_all(sql):
    relations = {
        name for (name,) in sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'")
    }
    assert relations == set(VIEWS)
    for view in VIEWS.values():
        described = [(name, dtype) for name, dtype, *_ in sql(f"DESCRIBE {view.name}")]
        assert described == [(column.name, column.shown) for column in view.columns], view.name
    comments = (
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal"
    )
    assert {(table, column): comment for table, column, comment in sql(comments)} == {
        (view.name, column.name): column.comment for view in VIEWS.values() for column in view.columns
    }
    of_views = "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal UNION ALL SELECT table_name, comment "
    of_views += "FROM duckdb_tables() WHERE schema_name = 'main'"
    assert dict(sql(of_views)) == {view.name: view.comment for view in VIEWS.values()}
    of_macros = dict(sql("SELECT function_name, comment FROM duckdb_functions() WHERE comment IS NOT NULL"))
    assert of_macros == {macro.name: macro.comment for macro in MACROS.values()}


@pytest.mark.parametrize("name", [name for name in VIEWS if VIEWS[name].key])
def test_a_views_key_tells_its_rows_apart(sql, name):
    key = ", ".join(VIEWS[name].key)
    assert sql(f"SELECT count(*) FROM {name}") == sql(f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {name})")


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_amount_is_a_decimal_and_no_column_tells_where_rows_lie(sql, name):
    columns = {column: dtype for column, dtype, *_ in sql(f"DESCRIBE {name}")}
    amounts = {column.name for column in PUBLISHED[name].columns if column.is_amount}
    assert all(columns[column].startswith("DECIMAL(") and columns[column].endswith(",2)") for column in amounts)
    assert not [
        column for column in columns if column.endswith(("_beloep", "_krav", "_renter")) and column not in amounts
    ]
    assert not [column for column in columns if "segment" in column]


def test_nobody_can_write_to_it(home):
    assert (home / "current" / ANALYTICS).stat().st_mode & 0o777 == 0o444


OLD_CLIENT = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'").fetchall()
    for (name,) in tables:
        connection.execute(f"SELECT * FROM {name}").fetchall()
    night, as_of = connection.execute("SELECT snapshotdato FROM snapshot").fetchone()[0], sys.argv[2].split()
    for name in as_of:
        shown, told = (connection.execute(f"FROM {one}").fetchall() for one in (name, f"{name}_as_of('{night}')"))
        assert sorted(shown, key=str) == sorted(told, key=str), name
    for macro in ("endringer()", "saldobro()"):
        connection.execute(f"FROM {macro}").fetchall()
    commented = connection.execute(
        "SELECT count(*) FROM duckdb_columns() WHERE comment IS NOT NULL AND schema_name = 'main'").fetchone()[0]
    asked = '''SELECT saldo('A'), renter(61244, DATE '2021-04-11', DATE '2023-08-28'),
        (SELECT count(*) FROM aldersfordelt()),
        (SELECT count(*) FROM uplassert_etter_alder()),
        (SELECT max(betalt_i_tide) FROM betalt_i_tide(DATE '2026-01-01', DATE '2026-12-31'))'''
    print(duckdb.__version__.split(".")[0], len(tables), commented, *connection.execute(asked).fetchone())
"""
OLD = "KRAVOVERSIKT_OLD_DUCKDB"


@pytest.mark.slow
@pytest.mark.skipif(OLD not in os.environ, reason=f"{OLD} names no Python with an old DuckDB (1.0 or later)")
def test_an_old_client_reads_all_of_it(home):
    """``KRAVOVERSIKT_OLD_DUCKDB``: one or more Pythons, between colons."""
    columns = sum(len(view.columns) for view in VIEWS.values())
    for python in os.environ[OLD].split(":"):
        command = [python, "-c", OLD_CLIENT, str(home / "current" / ANALYTICS), " ".join(AS_OF)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        expected = f"1 {len(VIEWS)} {columns} 42.25 12393.00 2 1 1.25\n"
        assert (done.stdout, done.stderr) == (expected, ""), python


def test_views_made_anew_take_the_place_of_what_was_left(tmp_path):
    folder = of_a_night(tmp_path, part("A"))
    (folder / ANALYTICS).unlink()
    (folder / ANALYTICS).write_bytes(b"no database")
    write_anew(tmp_path, folder)
    with connected(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM part").fetchone() == (1,)


@pytest.mark.parametrize("before", ["nothing", "a link", "a file"])
def test_the_homes_file_leads_to_the_published_snapshots(tmp_path, before):
    """Also where the home has a file of its own, as those of earlier programs have."""
    if before == "a file":
        (tmp_path / ANALYTICS).write_bytes(b"old")
    elif before == "a link":
        link_analytics(tmp_path)
    link_analytics(tmp_path)
    assert (tmp_path / ANALYTICS).readlink().as_posix() == "current/analytics.duckdb"
