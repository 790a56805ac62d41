"""Nights that build only what changed: the documents and tables are those of whole nights, and the rest is shared."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.store import INDEX_SCHEMA
from tests.conftest import examples
from tests.nights import LET_THROUGH, S, counts_of, held_back_of, stops_of
from tests.nights import Nights as Home
from tests.plain import ledger as plain
from tests.plain.faults import ordinary_nights
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.strategies import KRAVTYPER, RATES, SNAPSHOT_DATE, good_ledgers
from tests.plain.write import write_delivery
from tests.test_against_plain import EXTRACTED, reference_files
from transforms.build import carry_over
from transforms.home import dictionaries
from transforms.home.report import StoppedError
from transforms.home.snapshot import HELD_BACK, QUARANTINED, SAME, TABLE_NAMES, read_index
from transforms.ledgers import neighbourhood
from transforms.receipts import before
from transforms.spread import affected

pytestmark = pytest.mark.slow


def tables(home: Path) -> dict[str, list]:
    """Every row that the analyst sees, of every table."""
    with duckdb.connect(str(home / "analytics.duckdb"), read_only=True) as connection:
        return {name: sorted(connection.sql(f"SELECT * FROM {name}").fetchall(), key=repr) for name in TABLE_NAMES}


def refused(home: Home) -> tuple:
    """All that the last night's checks say: counts, findings, who is held back, whose keys the next night looks at."""
    files = (HELD_BACK, QUARANTINED, SAME)
    kept = [sorted(pl.read_parquet(home.home / "current" / file).rows()) for file in files]
    counts = counts_of(home.last, "check").model_dump(exclude={"seconds", "peak_memory_mb"})
    return counts, home.findings().rows(), *kept


@settings(max_examples=examples(3))
@given(ordinary_nights(), st.sampled_from((0, 0.4, 2)))
def test_any_sequence_of_nights_gives_what_whole_nights_give(plans, many):
    """``many``: whether parts always count as many, always as few, or those near as many and those to build as few."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbourhood, "MANY", many)
        ordinary, whole = Home(Path(folder) / "ordinary"), Home(Path(folder) / "whole")
        for home in (ordinary, whole):
            home.inbox.mkdir(parents=True)
        files = reference_files(Path(folder))
        for plan in plans:
            for delivery in plan.deliveries:
                for home in (ordinary, whole):
                    delivery.write(home.inbox)
            stops = stops_of(ordinary.run(plan.snapshot_date, **LET_THROUGH, **files))
            if stops and not (ordinary.home / "current").exists():
                return  # a broken first full
            assert not stops
            whole.publish(plan.snapshot_date, full=True, **files)
            assert ordinary.documents() == whole.documents()
            assert ordinary.dates() == whole.dates()
            assert tables(ordinary.home) == tables(whole.home)
            assert refused(ordinary) == refused(whole)


@settings(max_examples=examples(3))
@given(good_ledgers(largest=6, big_amounts=True), st.lists(st.integers(-400, 400), min_size=1, max_size=3))
def test_on_any_day_after_any_other_documents_are_those_of_the_day(ledger, days):
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.inbox.mkdir()
        files = reference_files(home.folder)
        write_delivery(home.inbox, "mva", 1, "full", ledger, uttrekkstidspunkt=EXTRACTED)
        home.publish(SNAPSHOT_DATE, **files)
        for offset in days:
            day = SNAPSHOT_DATE + timedelta(days=offset)
            home.publish(day, **files)
            assert home.documents() == plain.documents(ledger, day, RATES, KRAVTYPER)
            assert counts_of(home.last, "build").built_parts == 0


def test_keys_of_one_table_are_none_of_another(nights):
    """Every table has the same keys; one payout pays two due dates of a krav. Built, and then with another date."""
    whose, due = organisation_number(1), SNAPSHOT_DATE + timedelta(days=30)
    ledger = rows(
        part(whose),
        *(krav("1", whose, 100), kravforfall("1", "1", 100, due)),
        *(krav("2", whose, -50), kravforfall("2", "2", -30, due), kravforfall("3", "2", -20, due)),
        *(innbetaling("1", whose, 80), innbetaling("2", whose, 10), innbetaling("3", whose, 7)),
        *(utbetaling("1", whose, 1), utbetaling("2", whose, 40)),
        *(plassering("1", "INNBETALING", "1", "1", 60), plassering("2", "MOTKRAV", "1", "2", 5)),
        *(plassering("3", "UTBETALING", "2", "2", 20), plassering("4", "UTBETALING", "3", "2", 15)),
    )
    nights.inbox.mkdir()
    files = reference_files(nights.folder)
    write_delivery(nights.inbox, "mva", 1, "full", ledger, uttrekkstidspunkt=EXTRACTED)
    for day in (SNAPSHOT_DATE, due + timedelta(days=1)):
        nights.publish(day, **files)
        assert nights.documents() == plain.documents(ledger, day, RATES, KRAVTYPER)


A, B, C, D, ENK, OWNER = *(organisation_number(n) for n in range(1, 6)), national_number(1)

FIRST = rows(
    *(part(A), part(B), part(C), part(D), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    # A's claim, paid by B
    *(krav("K-A", A, 100, kravbeskrivelse="Skatt"), kravforfall("F-A", "K-A", 100, S + timedelta(days=30))),
    *(innbetaling("I-B", B, 80), plassering("P-AB", "INNBETALING", "F-A", "I-B", 60)),
    # C's credit, paid out to D and used for B's claim
    *(krav("K-C", C, -500), kravforfall("F-C", "K-C", -500, "2026-01-15")),
    *(utbetaling("U-D", D, 200), plassering("P-CD", "UTBETALING", "F-C", "U-D", 200)),
    *(krav("K-B", B, 50), kravforfall("F-B", "K-B", 50, "2026-01-15")),
    # the owner's claim
    *(krav("K-O", OWNER, 10), kravforfall("F-O", "K-O", 10, S + timedelta(days=30))),
)


@pytest.fixture
def home(nights):
    """A home with FIRST published for S."""
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", FIRST)
    nights.publish()
    return nights


def deliver(home: Home, *changes: dict) -> None:
    """The source's next delivery."""
    number = 1 + max(int(folder.name) for folder in (home.inbox / "mva").iterdir())
    write_delivery(home.inbox, "mva", number, "endring", rows(*changes))


def built(home: Home, *changes: dict, day: date = S, removed: tuple[dict, ...] = ()) -> set[str]:
    """Publishes the next night, with the changes if there are any; whose documents were built anew from their posts."""
    if changes or removed:
        flagged = [row | {"slettet": False} for row in changes] + [row | {"slettet": True} for row in removed]
        deliver(home, *flagged)
    home.publish(day)
    assert set(home.dates().values()) == {day}
    return in_segments(home, f"{day}-{home.count:04d}-[0-9]")


def redated(home: Home, day: date) -> set[str]:
    """Whose documents the last night, on ``day``, gave the new date."""
    return in_segments(home, f"{day}-{home.count:04d}-redated")


def in_segments(home: Home, name: str) -> set[str]:
    """Whose overviews lie in segments whose names begin so."""
    index = read_index((home.home / "current").resolve())
    return set(index.filter(index["oversikt_segment"].str.contains(f"^{name}"))["part"])


def test_nothing_new_builds_nothing(home):
    assert built(home) == set()


def test_a_change_builds_its_own_part(home):
    assert built(home, krav("K-O", OWNER, 10, kravbeskrivelse="Ny")) == {OWNER, ENK}


def test_a_changed_due_date_builds_the_part_of_its_krav(home):
    assert built(home, kravforfall("F-O", "K-O", 10, S + timedelta(days=29))) == {OWNER, ENK}


def test_an_enk_that_gets_another_owner_shows_him(home):
    other = national_number(2)
    built(home, part(other, "PERSON"))
    assert built(home, part(ENK, "ENK", other)) == {other, ENK}
    assert '"K-O"' not in home.oversikt(ENK)


def test_what_a_placement_shows_of_its_far_end_is_kept_up(home):
    assert built(home, krav("K-A", A, 100, kravbeskrivelse="Annen skatt")) == {A, B}
    assert "Annen skatt" in home.answer(B)["innbetalinger"]


def test_what_a_placement_shows_of_the_credit_that_it_uses_is_kept_up(home):
    built(home, plassering("P-BC", "MOTKRAV", "F-B", "F-C", 50))
    assert built(home, krav("K-C", C, -500, kravbeskrivelse="Tilgode")) == {B, C, D}
    assert "Tilgode" in home.answer(B)["krav"]


def test_the_payer_of_a_changed_payment_and_whom_it_covers(home):
    assert built(home, innbetaling("I-B", B, 90)) == {A, B}


def test_a_payout_shows_what_remains_of_a_krav_that_another_placement_covers(home):
    assert built(home, plassering("P-BC", "MOTKRAV", "F-B", "F-C", 50)) == {B, C, D}
    assert '"gjenstaaendeBeloep":-250.00' in home.answer(D)["utbetalinger"]


def test_a_payout_shows_what_remains_when_a_placement_on_its_krav_becomes_one_too_many_and_when_it_is_none(home):
    """Too much on B's due date refuses all that is placed there, C's credit too, of which D was paid some."""
    built(home, plassering("P-BC", "MOTKRAV", "F-B", "F-C", 50))
    assert '"gjenstaaendeBeloep":-250.00' in home.answer(D)["utbetalinger"]
    write_delivery(home.inbox, "mva", 3, "endring", rows(plassering("P-BB", "INNBETALING", "F-B", "I-B", 20)))
    for full in (False, True):
        home.publish(full=full)
        assert '"gjenstaaendeBeloep":-300.00' in home.answer(D)["utbetalinger"]
    assert D in built(home, removed=(plassering("P-BB", "INNBETALING", "F-B", "I-B", 20),))
    assert '"gjenstaaendeBeloep":-250.00' in home.answer(D)["utbetalinger"]


def test_rows_are_read_once_for_the_checks_and_the_documents(home, monkeypatch):
    """The parts near the change are those to build: spreading finds their rows there."""
    shown, show = [], neighbourhood._show
    monkeypatch.setattr(neighbourhood, "MANY", 2)
    monkeypatch.setattr(neighbourhood, "_show", lambda *args: shown.append(show(*args)))
    monkeypatch.setattr(neighbourhood, "look_at_everything", lambda _: pytest.fail("all is read"))
    assert built(home, plassering("P-BC", "MOTKRAV", "F-B", "F-C", 50)) == {B, C, D}
    assert len(shown) == 2, "looked for, and shown again from what check handed over"


def test_a_removed_placement_was_at_both_its_ends(home):
    gone = plassering("P-AB", "INNBETALING", "F-A", "I-B", 60)
    assert built(home, removed=(gone,)) == {A, B}


def test_a_krav_that_moves_was_the_former_parts_too(home):
    assert built(home, krav("K-B", C, 50)) == {B, C}


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


def rewrite(home: Home, table: Path, content: pl.DataFrame) -> None:
    """Other content in a table's file, as long as its manifest says."""
    content.write_parquet(table)
    path = home.home / "current" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][f"tables/{table.parent.name}/{table.name}"]["bytes"] = table.stat().st_size
    path.write_text(json.dumps(manifest))


def test_rows_that_are_kept_get_the_columns_of_tonight(home):
    """The tables are as another program made them. Most parts are held back, so their segment is mostly in use."""
    deliver(home, *(krav(f"bad-{whose}", whose, 7) | {"slettet": False} for whose in (A, B, C, D)))
    for table in (home.home / "current" / "tables" / "krav").glob("*.parquet"):
        rewrite(home, table, pl.read_parquet(table).drop("kravbeskrivelse").with_columns(another=1))
    home.publish(full=True)
    assert len(tables(home.home)["krav"]) == 4


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


def test_a_part_held_back_keeps_its_documents_and_its_date_until_it_is_released(home):
    before = home.answer(A)
    write_delivery(home.inbox, "mva", 2, "endring", rows(krav("K-A", A, 101)))
    home.publish(S + timedelta(days=1))
    assert home.answer(A) == before
    assert home.dates() == dict.fromkeys((C, D, OWNER, ENK), S + timedelta(days=1)) | dict.fromkeys((A, B), S)
    home.publish(S + timedelta(days=2))
    assert home.answer(A) == before
    assert built(home, krav("K-A", A, 100), day=S + timedelta(days=3)) == {A, B}


NEW = [krav("K-N", C, 5), kravforfall("F-N", "K-N", 5, S), krav("K-M", C, -5), kravforfall("F-M", "K-M", -5, S)]


@pytest.mark.parametrize(
    ("changes", "held_back"),
    [
        ([plassering("P-X", "INNBETALING", "F-A", "I-B", 99)], {A, B}),
        ([plassering("P-X", "INNBETALING", "F-A", "I-B", -1)], {A, B}),
        # to posts that no snapshot has, for their part is held back since they came
        ([*NEW, plassering("P-X", "INNBETALING", "F-N", "nobody's", -1)], {C}),
        ([*NEW, plassering("P-X", "MOTKRAV", "nobody's", "F-M", -1)], {C}),
        ([innbetaling("I-N", C, 5), plassering("P-X", "INNBETALING", "nobody's", "I-N", -1)], {C}),
    ],
)
def test_a_refused_row_holds_back_whom_it_refers_to_night_after_night(home, changes, held_back):
    """It stands, and so do the posts that it names, on nights when nothing near them has changed."""
    write_delivery(home.inbox, "mva", 2, "endring", rows(*changes))
    for _ in range(2):
        assert held_back_of(home.publish()) == held_back


def test_what_is_refused_or_said_twice_is_told_night_after_night(home):
    """The due date leads to no part, and on the second night nothing near is new."""
    deliver(home, kravforfall("F-lost", "nobody's", 1, S) | {"slettet": False})
    write_delivery(home.inbox, "skatt", 1, "full", rows(innbetaling("I-B", B, 80)))
    for _ in range(2):
        assert counts_of(home.publish(), "check").leads_nowhere == 1
        assert {"L2-CLAIM-UNKNOWN", "R-KEY-SOURCES-SAME"} <= home.codes()


def test_a_part_released_by_a_removal_shows_what_has_changed_meanwhile(home):
    """The due date that held it back was never a good row, and is none now."""
    bad = kravforfall("F-bad", "K-A", 0, None)
    write_delivery(home.inbox, "mva", 2, "endring", rows(krav("K-A", A, 100, kravbeskrivelse="Ny"), bad))
    for full in (False, True):
        assert held_back_of(home.publish(full=full)) == {A}
        assert '"Ny"' not in home.oversikt(A)
    assert built(home, removed=(bad,)) >= {A}
    assert '"Ny"' in home.oversikt(A)


def test_a_placement_that_came_and_went_while_its_part_was_held_back(home):
    """No table shows where it was, though D's payout showed what it left of C's krav."""
    used = plassering("P-CC", "MOTKRAV", "F-C2", "F-C", 50)
    own = (krav("K-C2", C, 50), kravforfall("F-C2", "K-C2", 50, "2026-01-15"))
    write_delivery(home.inbox, "mva", 2, "endring", rows(*own, used, krav("K-bad", C, 7)))
    home.publish()
    assert '"gjenstaaendeBeloep":-250.00' in home.answer(D)["utbetalinger"]
    write_delivery(home.inbox, "mva", 3, "endring", rows(used | {"slettet": True}))
    home.publish()
    assert '"gjenstaaendeBeloep":-300.00' in home.answer(D)["utbetalinger"]


def refused_after(home: Home, *changes: dict) -> set[tuple[str, str]]:
    """The next night's quarantined rows, with the changes: key and code."""
    deliver(home, *changes)
    assert not counts_of(home.publish(), "spread").all_because
    return set(home.findings().filter(nivaa=2).select("noekkel", "kode").rows())


def test_a_due_date_that_moves_is_missed_where_it_was(home):
    assert refused_after(home, kravforfall("F-B", "K-A", 50, "2026-01-15")) == {
        *(("K-B", "L2-CLAIM-NO-DUE-DATE"), ("K-A", "L2-CLAIM-SUM")),
        *(("F-A", "L2-CLAIM-OF-REFUSED"), ("F-B", "L2-CLAIM-OF-REFUSED")),
        ("P-AB", "L2-PLACEMENT-DUE-DATE"),
    }


def test_a_new_placement_can_be_too_much_for_those_that_were_there(home):
    assert refused_after(home, plassering("P-BB", "INNBETALING", "F-B", "I-B", 50)) == {
        ("P-AB", "L2-PLACEMENT-OVER"),
        ("P-BB", "L2-PLACEMENT-OVER"),
    }


def test_an_owner_that_is_removed_is_missed_by_the_enk_and_by_every_post(home):
    built(home, innbetaling("I-E", ENK, 5))
    assert refused_after(home, part(OWNER, "PERSON") | {"slettet": True}) == {
        (None, "L2-PART-OWNER"),
        ("I-E", "L2-PART-UNKNOWN"),
        ("K-O", "L2-PART-UNKNOWN"),
        ("F-O", "L2-CLAIM-UNKNOWN"),
    }


def test_reference_data_that_changes_during_the_night_stops_it(home, tmp_path):
    rates = tmp_path / "rates.csv"
    rates.write_text("fra_dato,sats\n2026-01-01,1.00\n")
    night = home.begin(rates=rates, **LET_THROUGH)
    for stage in before("publish"):
        night.do(stage)
    rates.write_text("fra_dato,sats\n2026-01-01,2.00\n")
    with pytest.raises(StoppedError, match=r"L3-STAGE-OTHER .*: accept was done .* with other reference data"):
        night.do("publish")
    assert counts_of(home.publish(rates=rates), "build").built_parts == 6


def test_a_damaged_segment_is_not_carried_over(home):
    before = home.documents()
    segment = next((home.home / "current" / "documents").glob("*.zst"))
    segment.write_bytes(segment.read_bytes()[:-9])
    night = home.publish()
    assert counts_of(night, "build").built_parts == 6
    assert home.documents() == before


def test_of_a_part_held_back_nothing_is_left_when_its_segment_is_damaged(home):
    deliver(home, krav("K-bad", A, 7) | {"slettet": False})
    segment = next((home.home / "current" / "documents").glob("*-oversikt.zst"))
    segment.write_bytes(segment.read_bytes()[:-9])
    assert held_back_of(home.publish()) == {A}
    assert home.answer(A) == "KB-002"
    assert set(home.documents()) == {B, C, D, OWNER, ENK}


@pytest.mark.parametrize("name", ["findings.parquet", "reconciliation.json", "analytics.duckdb"])
def test_what_the_next_night_does_not_need_may_be_gone(home, name):
    (home.home / "current" / name).unlink()
    assert built(home) == set()


@pytest.mark.parametrize("name", ["documents/index.arrow", "tables/part/part.parquet", HELD_BACK, QUARANTINED, SAME])
def test_what_the_next_night_needs_stops_it_when_it_is_gone(home, name):
    (home.home / "current" / name).unlink()
    assert [stop.code for stop in stops_of(home.run())] == ["L3-HOME-DAMAGED"]


def test_other_reference_data_builds_everything(home, tmp_path):
    (tmp_path / "rates.csv").write_text("fra_dato,sats\n2026-01-01,1.00\n")
    night = home.publish(rates=tmp_path / "rates.csv")
    assert counts_of(night, "build").built_parts == 6


def test_a_new_full_delivery_builds_everything(home):
    write_delivery(home.inbox, "mva", 2, "full", FIRST)
    assert counts_of(home.publish(), "build").built_parts == 6


def inodes(home: Home) -> set[int]:
    return {path.stat().st_ino for path in (home.home / "current" / "documents").glob("*.zst")}


def test_a_segment_mostly_in_use_is_shared_and_one_that_is_not_is_left_behind(home):
    first = inodes(home)
    built(home, krav("K-O", OWNER, 10, kravbeskrivelse="Ny"))
    assert first < inodes(home)
    built(home, *(row for table in ("krav", "innbetaling") for row in FIRST[table]))
    assert not first & inodes(home)
    assert len(tables(home.home)["part"]) == 6 and len(tables(home.home)["krav"]) == 4


def test_many_small_segments_become_one(home, monkeypatch):
    """Each night's new part lies in segments of its own, and those of all nights stay in use."""
    built(home, krav("K-O", OWNER, 10, kravbeskrivelse="Ny"))
    monkeypatch.setattr(carry_over, "SMALL_SEGMENTS", 1)
    for number in range(60, 64):
        before = home.documents()
        new = organisation_number(number)
        built(home, part(new), krav(f"K{number}", new, 5), kravforfall(f"F{number}", f"K{number}", 5, S))
        assert home.documents().items() > before.items()
    assert len(inodes(home)) <= 6  # of twelve, without
    assert len(tables(home.home)["krav"]) == 8


def test_parts_without_posts_are_copied_too(home, monkeypatch):
    """Their histories' segment has no bytes."""
    monkeypatch.setattr(carry_over, "SMALL_SEGMENTS", 2)
    new = [organisation_number(number) for number in range(50, 55)]
    for number in new:
        built(home, part(number))
    write_delivery(home.inbox, "mva", 7, "endring", rows(krav("K-BAD", new[0], 7) | {"slettet": False}))
    for _ in range(3):  # it has no due dates: the part is held back, and copied
        assert counts_of(home.publish(full=True), "build").held_back_parts == 1
    assert set(home.documents()) >= set(new)


def test_without_hard_links_segments_are_copied(home, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(carry_over.os, "link", refused)
    before, first = home.documents(), inodes(home)
    assert built(home) == set()
    assert home.documents() == before
    assert not first & inodes(home)


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
