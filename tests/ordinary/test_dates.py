"""Whom another date gives other documents, and that what stays of them is held to the posts."""

import re
from datetime import timedelta

import polars as pl
import pyarrow as pa
import pytest

from schemas.store import INDEX_SCHEMA
from tests.nights import LET_THROUGH, S, counts_of, stops_of
from tests.nights import Nights as Home
from tests.ordinary.statement import ENK, FIRST, OWNER, A, B, C, D, built, redated, rewrite
from tests.plain.statement import innbetaling, krav, kravforfall, plassering, rows, utbetaling
from tests.plain.write import write_delivery
from transforms.build import carry_over
from transforms.home import dictionaries
from transforms.home.snapshot import read_index
from transforms.ledgers import neighbourhood
from transforms.spread import affected

pytestmark = pytest.mark.slow


def test_the_date_moves_what_becomes_overdue(home):
    due = S + timedelta(days=30)
    built(home, krav("K-C2", C, -5), kravforfall("F-C2", "K-C2", -5, due))
    assert (built(home, day=due), redated(home, due)) == (set(), set())
    overdue = due + timedelta(days=1)
    assert (built(home, day=overdue), redated(home, overdue)) == (set(), {A, C, OWNER, ENK})
    assert '"forfalteKrav":40.00' in home.oversikt(A)
    assert '"forfalteKrav":10.00' in home.oversikt(ENK)
    assert '"forfalteKrav":-305.00' in home.oversikt(C)


def test_interest_that_reaches_another_krone_is_put_in_the_place_of_the_former(home):
    assert built(home, krav("K-A", A, 100_000), kravforfall("F-A", "K-A", 100_000, "2026-01-15")) == {A, B}
    before, day = home.answer(A), S + timedelta(days=1)
    assert (built(home, day=day), redated(home, day)) == (set(), {A})
    after = home.answer(A)
    interest = re.compile('"stipulerteRenter":([0-9.]+)')
    assert interest.findall(before["krav"]) != interest.findall(after["krav"])
    assert interest.sub("", before["krav"]) == interest.sub("", after["krav"])
    assert after["innbetalinger"] == before["innbetalinger"]


def test_what_is_kept_needs_the_dictionaries_that_it_was_made_with(home, tmp_path, monkeypatch):
    """Every part's date moves, none is carried over, and the program has other dictionaries by now."""
    everyone = [(f"K{n}", f"F{n}", whose) for n, whose in enumerate((A, B, C, D, OWNER))]
    dues = [row for k, f, whose in everyone for row in (krav(k, whose, 9), kravforfall(f, k, 9, S + timedelta(days=5)))]
    built(home, *dues)
    others = tmp_path / "dictionaries"
    others.mkdir()
    for kind in dictionaries.HISTORIES.kinds:
        content = dictionaries.dictionary(kind).as_bytes()
        number = int.from_bytes(content[4:8], "little") + 100
        (others / f"{kind}-{number}.dict").write_bytes(content[:4] + number.to_bytes(4, "little") + content[8:])
    monkeypatch.setattr(dictionaries, "FOLDER", others)
    day, before = S + timedelta(days=6), home.answer(B)
    assert (built(home, day=day), redated(home, day)) == (set(), {A, B, C, D, OWNER, ENK})
    assert home.answer(B)["innbetalinger"] == before["innbetalinger"]


def test_the_date_can_go_back(home):
    day = S + timedelta(days=31)
    before = home.documents()
    assert built(home, day=day) | built(home) == set()
    assert home.documents() == before


def test_a_part_that_the_date_moves_is_built_if_something_else_has_changed_too(home):
    day = S + timedelta(days=31)
    assert built(home, krav("K-O", OWNER, 10, kravbeskrivelse="Ny"), day=day) == {OWNER, ENK}
    assert redated(home, day) == {A}


@pytest.mark.parametrize("many", [0, 2])
def test_a_household_whose_documents_lie_apart_is_built(home, monkeypatch, many):
    """Nothing of it has changed, so its posts are not among those checked."""
    monkeypatch.setattr(neighbourhood, "MANY", many)
    monkeypatch.setattr(carry_over, "PARTS_PER_SEGMENT", 1)
    built(home, *(row for table in ("krav", "innbetaling") for row in FIRST[table] if row["part"] != OWNER))
    day = S + timedelta(days=31)
    assert (built(home, day=day), redated(home, day)) == ({OWNER, ENK}, {A})
    assert all('"forfalteKrav":10.00' in home.oversikt(whose) for whose in (OWNER, ENK))


def test_damaged_documents_get_no_other_date(home):
    (segment,) = (home.home / "current" / "documents").glob("*-oversikt.zst")
    segment.write_bytes(bytes(byte ^ 255 for byte in segment.read_bytes()))
    overdue(home)


def test_documents_that_the_tables_do_not_know_get_no_other_date(home):
    (table,) = (home.home / "current" / "tables" / "krav").glob("*-oversikt.parquet")
    rewrite(home, table, pl.read_parquet(table).filter(pl.col("kravidentifikator") != "K-O"))
    overdue(home)


def overdue(home: Home) -> None:
    """A night that finds the previous snapshot damaged stops; in full it needs nothing of it."""
    day = S + timedelta(days=31)
    (stop,) = stops_of(home.run(day, **LET_THROUGH))
    assert (stop.code, "--full" in stop.message) == ("L3-HOME-DAMAGED", True)
    assert home.dates()[A] == S
    home.publish(day, full=True)
    assert '"forfalteKrav":40.00' in home.oversikt(A)


LATER = S + timedelta(days=31)
"""What falls due meanwhile is overdue: the date moves A and the owner."""


def stopped(home: Home) -> set[str]:
    """The codes that stop the night of ``LATER``; it must have redated someone."""
    night = home.run(LATER, **LET_THROUGH)
    assert counts_of(night, "spread").redated_parts > 0
    return {stop.code for stop in stops_of(night)}


@pytest.mark.parametrize(
    ("forgotten", "changes"),
    [
        ("krav", [krav("K-NEW", A, 40), kravforfall("F-NEW", "K-NEW", 40, LATER)]),
        ("innbetaling", [innbetaling("I-NEW", A, 40)]),
        ("utbetaling", [utbetaling("U-NEW", A, 40)]),
    ],
)
def test_a_change_that_is_overlooked_is_missed_by_the_posts(home, monkeypatch, forgotten, changes):
    """The post stands in no document: what redated parts keep is held to tonight's posts."""
    owners = tuple(query for query in affected._OWNERS if forgotten not in query)
    monkeypatch.setattr(affected, "_OWNERS", owners)
    write_delivery(home.inbox, "mva", 2, "endring", rows(*(change | {"slettet": False} for change in changes)))
    assert stopped(home) == {"L3-RECONCILE"}


@pytest.mark.parametrize(
    ("placed", "amount", "motpost"), [("INNBETALING", 20, "I-B"), ("MOTKRAV", 20, "F-C"), ("UTBETALING", -20, "U-D2")]
)
def test_a_placement_that_is_overlooked_though_nothing_remains_without_it(home, monkeypatch, placed, amount, motpost):
    """The krav is settled by the previous snapshot, so it stands in the history that stays; by the posts it is not."""
    gone = plassering("P-S", placed, "F-S", motpost, 20)
    settled = (krav("K-S", A, amount), kravforfall("F-S", "K-S", amount, "2026-01-15"), utbetaling("U-D2", D, 20))
    built(home, *settled, gone)
    monkeypatch.setattr(affected, "_OWNERS", tuple(query for query in affected._OWNERS if "placed" not in query))
    for name in ("_FAR_ENDS", "_NEAR_PAYOUTS"):
        monkeypatch.setattr(affected, name, "SELECT part FROM good_part WHERE false")
    write_delivery(home.inbox, "mva", 3, "endring", rows(gone | {"slettet": True}))
    assert stopped(home) == {"L3-RECONCILE"}


def test_an_index_that_counts_otherwise_than_the_documents(home):
    """Its counts say which krav stand in overviews only."""
    assert built(home, krav("K-A2", A, 7), kravforfall("F-A2", "K-A2", 7, S + timedelta(days=30))) == {A}
    index = (home.home / "current").resolve() / "documents" / "index.arrow"
    others = pl.when(pl.col("part") == A).then(1).when(pl.col("part") == OWNER).then(2).otherwise("krav_aapne")
    rows_of = read_index((home.home / "current").resolve())
    changed = rows_of.with_columns(krav_aapne=others).to_arrow().cast(INDEX_SCHEMA)
    index.unlink()  # what is mapped must not be cut
    with pa.OSFile(str(index), "wb") as sink, pa.ipc.new_file(sink, INDEX_SCHEMA) as writer:
        writer.write_table(changed.combine_chunks())
    assert stopped(home) == {"L3-HOME-DAMAGED"}


def test_what_gets_a_new_date_night_after_night_stays_together(home):
    """A's claim is overdue from the 31st day on, K-O's from the 32nd; then both are in one segment."""
    built(home, krav("K-A", A, 100_000), kravforfall("F-A", "K-A", 100_000, S + timedelta(days=30)))
    built(home, krav("K-O", OWNER, 50_000), kravforfall("F-O", "K-O", 50_000, S + timedelta(days=31)))
    days = [S + timedelta(days=number) for number in (31, 32, 62)]
    assert [(built(home, day=day), redated(home, day)) for day in days] == [
        (set(), {A}),
        (set(), {A, OWNER, ENK}),
        (set(), {A, OWNER, ENK}),
    ]
    index = read_index((home.home / "current").resolve())
    assert index.filter(index["part"].is_in([A, OWNER, ENK]))["oversikt_segment"].n_unique() == 1
