"""Laws: how the same ledger is delivered makes no difference, and whatever is published adds up.

One generated ledger, delivered in ever other ways; its documents are the same, byte for byte.
"""

import json
import random
from collections import defaultdict
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from schemas.tables import TABLES
from synthetic.generate import generate
from tests.nights import Nights, S, counts_of
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import FORMATS, write_delivery

pytestmark = pytest.mark.slow

PARTS = 60


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """The rows of a generated ledger by table, all sources together."""
    inbox = tmp_path_factory.mktemp("ledger")
    generate(inbox, PARTS, seed=11, date=S)
    return {
        name: [row for path in sorted(inbox.glob(f"*/*/{name}-*.parquet")) for row in pl.read_parquet(path).to_dicts()]
        for name in TABLES
    }


@pytest.fixture(scope="module")
def documents(ledger, tmp_path_factory):
    """Its documents, delivered in the plainest way."""
    nights = Nights(tmp_path_factory.mktemp("plainest"))
    deliver(nights, ledger)
    nights.publish()
    assert len(nights.documents()) == PARTS
    return nights.documents()


def deliver(nights, tables, nr=1, type="full", kilde="skatt", **how):
    nights.inbox.mkdir(exist_ok=True)
    write_delivery(nights.inbox, kilde, nr, type, tables, **{"format": "parquet", **how})


def shuffled(ledger, seed=1):
    return {name: random.Random(seed).sample(rows, len(rows)) for name, rows in ledger.items()}


# how it is delivered makes no difference


@pytest.mark.parametrize("format", FORMATS)
def test_order_of_rows_files_and_their_endings(nights, ledger, documents, format):
    deliver(nights, shuffled(ledger, FORMATS.index(format)), format=format, split=1 + FORMATS.index(format))
    nights.publish()
    assert nights.documents() == documents


def test_order_of_tables_and_columns(nights, ledger, documents):
    backwards = {
        name: [dict(reversed(row.items())) for row in reversed(rows)] for name, rows in reversed(ledger.items())
    }
    deliver(nights, backwards, format="csv")
    nights.publish()
    assert nights.documents() == documents


def test_posts_spread_over_sources(nights, ledger, documents):
    """Row by row, so that krav and due dates, and the ends of placements, come from different sources."""
    luck = random.Random(2)
    for kilde, dealt in zip(("mva", "skatt", "trekk"), spread(ledger, lambda: luck.randrange(3), 3), strict=True):
        deliver(nights, dealt, kilde=kilde)
    nights.publish()
    assert nights.documents() == documents


def spread(ledger, where, among):
    """The rows dealt out into so many ledgers."""
    dealt = [{name: [] for name in TABLES} for _ in range(among)]
    for name, posts in ledger.items():
        for row in posts:
            dealt[where()][name].append(row)
    return dealt


def test_a_post_from_two_sources_is_one_post(nights, ledger, documents):
    deliver(nights, ledger)
    deliver(nights, {name: rows[::3] for name, rows in ledger.items()}, kilde="mva", format="csv")
    nights.publish()
    assert nights.documents() == documents
    assert "R-KEY-SOURCES-SAME" in nights.codes()


def test_a_full_and_its_changes(nights, ledger, documents):
    """A full with old versions, and posts that go; then two changes that set it right, all in one night."""
    first, second, third = spread(ledger, iter_luck(3).__next__, 3)
    old = {name: [*first[name], *(outdated(name, row) for row in second[name])] for name in TABLES}
    old["innbetaling"] = old["innbetaling"] + [innbetaling("goes", ledger["part"][0]["part"], 1)]
    deliver(nights, old)
    deliver(nights, {**second, "plassering": second["plassering"] + third["plassering"]}, 2, "endring", format="csv")
    del third["plassering"]
    third["innbetaling"] = third["innbetaling"] + [{"innbetalingsidentifikator": "goes", "slettet": True}]
    deliver(nights, third, 3, "endring", format="csv.zst")
    nights.publish()
    assert nights.documents() == documents


def test_the_changes_may_come_night_by_night(nights, ledger, documents):
    """In between parts may be held back: what lacks a krav tonight is good once it has come."""
    deliveries = spread(ledger, iter_luck(4).__next__, 3)
    for nr, dealt in enumerate(deliveries, start=1):
        deliver(nights, dealt, nr, "full" if nr == 1 else "endring", format=FORMATS[nr])
        nights.run(max_held_back=float("inf"))
    assert nights.documents() == documents
    assert counts_of(nights.last, "check").held_back == 0


def iter_luck(seed):
    luck = random.Random(seed)
    return iter(lambda: luck.randrange(3), None)


def outdated(name, row):
    """The row as it was before it changed: other texts and dates, so that nothing else is refused."""
    return row | {column: None for column in row if column.endswith("kontonummer") or column == "kravbeskrivelse"}


def test_a_full_replaces_whatever_came_before(nights, ledger, documents):
    deliver(nights, {"part": [part(organisation_number(990_001))]})
    deliver(nights, ledger, 2)
    nights.publish()
    assert nights.documents() == documents


@pytest.mark.parametrize("full", [False, True])
def test_running_twice(nights, ledger, documents, full):
    """Same inputs, same date: the same documents, down to the bytes on disk."""
    deliver(nights, ledger)
    stored = []
    for _ in range(2):
        nights.publish(full=full)
        assert nights.documents() == documents
        stored.append({path.read_bytes() for path in (nights.snapshot().folder / "documents").glob("*.zst")})
    assert stored[0] - {b""} == stored[1] - {b""}


# whatever is published adds up


def read(documents, kind):
    return {whose: json.loads(of_part[kind], parse_float=Decimal) for whose, of_part in documents.items()}


def sums(overview, kravgruppe=None):
    """The totals of an overview, or of one of its kravgrupper, added up from what it lists; S is tonight."""
    total = defaultdict(Decimal)
    for claim in overview["aapentKravMedGjenstaaendeBeloep"]:
        if kravgruppe in (None, claim["kravgruppe"]):
            total["stipulerteRenter"] += claim["stipulerteRenter"]
            for due in claim["kravforfall"]:
                name = "forfalteKrav" if due["forfallsdato"] < f"{S}T" else "ikkeForfalteKrav"
                total[name] += due["gjenstaaendeBeloep"]
    if kravgruppe is None:
        for payment in overview["innbetalingMedUplassertBeloep"]:
            total["uplasserteInnbetalinger"] += payment["uplassertBeloep"]
    return {**total, "saldo": sum(total.values())}


def test_totals_are_the_sums_of_what_is_listed(documents):
    for overview in read(documents, "oversikt").values():
        said = overview["totalOversikt"]
        assert said == {name: sums(overview).get(name, 0) for name in said}
        groups = {claim["kravgruppe"] for claim in overview["aapentKravMedGjenstaaendeBeloep"]}
        assert [group["kravgruppe"] for group in overview["oversiktPerKravgruppe"]] == sorted(groups)
        for group in overview["oversiktPerKravgruppe"]:
            name = group.pop("kravgruppe")
            assert group == {field: sums(overview, name).get(field, 0) for field in group}


def test_an_overview_lists_what_is_open_and_nothing_else(documents):
    claims, payments = read(documents, "krav"), read(documents, "innbetalinger")
    for whose, overview in read(documents, "oversikt").items():
        assert overview["aapentKravMedGjenstaaendeBeloep"] == [
            claim for claim in claims[whose]["krav"] if any(due["gjenstaaendeBeloep"] for due in claim["kravforfall"])
        ]
        assert overview["innbetalingMedUplassertBeloep"] == [
            payment for payment in payments[whose]["innbetaling"] if payment["uplassertBeloep"]
        ]


def test_remaining_is_original_and_all_that_is_placed(documents, ledger):
    """One law on both sides; a payout's placements stand in no document, so they come from the rows."""
    paid_out = defaultdict(Decimal)
    for row in ledger["plassering"]:
        if row["plasseringstype"] == "UTBETALING":
            paid_out[row["kravforfallsidentifikator"]] += row["plassert_beloep"]
    for document in read(documents, "krav").values():
        for claim in document["krav"]:
            for due in claim["kravforfall"]:
                placed = sum(one["plassertBeloep"] for one in due["plassertInnbetaling"] + due["plassertMotkrav"])
                out = paid_out[due["kravforfallsIdentifikator"]]
                assert due["gjenstaaendeBeloep"] == due["opprinneligBeloep"] + placed + out
            for name in ("opprinneligBeloep", "gjenstaaendeBeloep"):
                assert claim[name] == sum(due[name] for due in claim["kravforfall"])


def test_nothing_is_lost_between_the_ends_of_placements(documents):
    """What payments have placed is what due dates have been placed; motkrav cancel out."""
    from_payments = on_due_dates = motkrav = Decimal(0)
    for whose, document in read(documents, "innbetalinger").items():
        for payment in own(document["innbetaling"], whose):
            placed = sum(one["plassertBeloep"] for one in payment["plassertInnbetalingMotKrav"])
            assert payment["uplassertBeloep"] == payment["innbetaltBeloep"] + placed
            from_payments += placed
    for whose, document in read(documents, "krav").items():
        for due in (due for claim in own(document["krav"], whose) for due in claim["kravforfall"]):
            on_due_dates += sum(one["plassertBeloep"] for one in due["plassertInnbetaling"])
            motkrav += sum(one["plassertBeloep"] for one in due["plassertMotkrav"])
    assert from_payments == -on_due_dates != 0
    assert motkrav == 0


def own(posts, whose):
    return [post for post in posts if post["part"] == whose]


def test_all_that_was_delivered_is_shown(documents, ledger):
    for kind, listed, table in (
        ("krav", "krav", "krav"),
        ("innbetalinger", "innbetaling", "innbetaling"),
        ("utbetalinger", "utbetaling", "utbetaling"),
    ):
        shown = sum(len(own(document[listed], whose)) for whose, document in read(documents, kind).items())
        assert shown == len(ledger[table]) > 0


# the published cases: S is 2023-08-28

PUBLISHED = date(2023, 8, 28)
A = organisation_number(1)


def published_overview(nights, *said):
    deliver(nights, rows(part(A), *said))
    nights.publish(PUBLISHED)
    return nights.oversikt(A)


def test_the_published_interest(nights):
    overview = published_overview(nights, krav("K", A, "61244.00"), kravforfall("F", "K", "61244.00", "2022-04-11"))
    assert '"stipulerteRenter":8424.00,"kravtype"' in overview


def test_the_published_overview(nights):
    """161 467 + 62 500 + 19 124 + 0 = 243 091, over the four published groups."""
    overview = published_overview(
        nights,
        krav("M1", A, 61244, kravtype="Merverdiavgift"),
        kravforfall("M1", "M1", 61244, "2022-04-11"),
        krav("M2", A, 62500, kravtype="Merverdiavgift"),
        kravforfall("M2", "M2", 62500, "2023-08-31"),
        krav("A", A, 7000, kravtype="Arbeidsgiveravgift"),
        kravforfall("A", "A", 7000, "2022-06-01"),
        innbetaling("I", A, 627, "2022-06-01"),
        plassering("P", "INNBETALING", "A", "I", 627),
        krav("T", A, 22600, kravtype="Forskuddstrekk"),
        kravforfall("T1", "T", 11200, "2021-09-15"),
        kravforfall("T2", "T", 11400, "2023-01-15"),
        krav("S1", A, 16000, kravtype="Forskuddsskatt"),
        kravforfall("S1", "S1", 16000, "2021-12-15"),
        krav("S2", A, 55250, kravtype="Restskatt"),
        kravforfall("S2", "S2", 55250, "2022-11-30"),
    )
    totals = json.loads("{" + overview[overview.index('"totalOversikt"') :], parse_float=str)
    assert totals == {
        "totalOversikt": {
            "stipulerteRenter": "19124.00",
            "forfalteKrav": "161467.00",
            "ikkeForfalteKrav": "62500.00",
            "uplasserteInnbetalinger": "0.00",
            "saldo": "243091.00",
        },
        "oversiktPerKravgruppe": [
            group("Arbeidsgiveravgift", "800.00", "6373.00", "0.00", "7173.00"),
            group("Forskuddstrekk", "2839.00", "22600.00", "0.00", "25439.00"),
            group("Merverdiavgift", "8424.00", "61244.00", "62500.00", "132168.00"),
            group("Skatt", "7061.00", "71250.00", "0.00", "78311.00"),
        ],
    }


def group(name, interest, overdue, not_overdue, saldo):
    return {
        "kravgruppe": name,
        "stipulerteRenter": interest,
        "forfalteKrav": overdue,
        "ikkeForfalteKrav": not_overdue,
        "saldo": saldo,
    }
