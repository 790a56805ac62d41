"""What a placement's documents show of its far end, which lies in the same bucket or came with it."""

from datetime import date

import polars as pl
import pytest

from tests.build.building import bucket
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from transforms.build.far_ends import PLACEMENT_TABLES, placements, with_remaining

DEBIT = krav("K", "A", 100), kravforfall("F", "K", 100, "2026-01-15")
CREDIT = krav("C", "B", -50, kravtype="Moms"), kravforfall("G", "C", -50, "2026-02-15")


def placed(*said, **far):
    """The rows of every placement table that has some, of the columns asked for."""
    tables = placements(bucket(*said, **far))
    assert tuple(tables) == PLACEMENT_TABLES
    return {name: table for name, table in tables.items() if table.height}


def test_a_payment_and_what_it_covers_each_show_the_other():
    payment = innbetaling("I", "B", 60, "2026-03-01", fra_kontonummer="****7947")
    tables = placed(part("A"), part("B"), *DEBIT, payment, plassering("P", "INNBETALING", "F", "I", 40))
    shown = tables["innbetaling_on_forfall"].select("part", "post", "motpost", "innbetalt_beloep", "fra_kontonummer")
    assert shown.rows() == [("A", "F", "I", 6000, "****7947")]
    shown = tables["forfall_on_innbetaling"].select("part", "post", "motpost", "motkrav", "plassert_beloep")
    assert shown.rows() == [("B", "I", "F", "K", 4000)]
    assert len(tables) == 2


def test_two_krav_that_are_netted_each_show_the_other():
    tables = placed(part("A"), part("B"), *DEBIT, *CREDIT, plassering("P", "MOTKRAV", "F", "G", 40))
    columns = ("part", "post", "motpost", "kravbeskrivelse", "forfallsdato")
    assert tables["motkrav_on_debit"].select(columns).rows() == [("A", "F", "G", "Moms", date(2026, 2, 15))]
    assert tables["motkrav_on_credit"].select(columns).rows() == [("B", "G", "F", "Skatt", date(2026, 1, 15))]
    assert len(tables) == 2


def test_a_payout_shows_the_krav_that_it_pays():
    tables = placed(part("B"), *CREDIT, utbetaling("U", "B", 50), plassering("P", "UTBETALING", "G", "U", 50))
    assert tables["utbetaling_on_forfall"].select("part", "post", "motpost").rows() == [("B", "G", "U")]
    assert tables["forfall_on_utbetaling"].select("post", "motkrav", "kravtype", "krav_opprinnelig").rows() == [
        ("U", "C", "Moms", -5000)
    ]
    assert len(tables) == 2


def test_a_payment_from_elsewhere_is_seen_from_here_only():
    far = innbetaling("I", "B", 60, "2026-03-01", fra_kidnummer="18")
    tables = placed(part("A"), *DEBIT, plassering("P", "INNBETALING", "F", "I", 40), far_innbetaling=[far])
    assert list(tables) == ["innbetaling_on_forfall"]
    shown = tables["innbetaling_on_forfall"].select("innbetalingsdato", "innbetalt_beloep", "fra_kidnummer")
    assert shown.rows() == [(date(2026, 3, 1), 6000, "18")]


FAR = {
    "kravforfallsidentifikator": "F",
    "kravidentifikator": "K",
    "kravbeskrivelse": "Skatt på inntekt",
    "kravtype": "Skatt",
    "forfallsdato": date(2026, 1, 15),
    "krav_opprinnelig": 10000,
    "krav_gjenstaaende": 6000,
}


@pytest.mark.parametrize(
    ("near", "type", "table"),
    [
        (innbetaling("I", "B", 60), "INNBETALING", "forfall_on_innbetaling"),
        (utbetaling("I", "B", 60), "UTBETALING", "forfall_on_utbetaling"),
    ],
)
def test_a_due_date_from_elsewhere_is_seen_from_here_only(near, type, table):
    tables = placed(part("B"), near, plassering("P", type, "F", "I", 40), far_forfall=[FAR])
    assert list(tables) == [table]
    shown = tables[table].select("motpost", "motkrav", "kravbeskrivelse", "krav_opprinnelig", "krav_gjenstaaende")
    assert shown.rows() == [("F", "K", "Skatt på inntekt", 10000, 6000)]


def test_placements_have_their_place_by_identifier_and_their_part():
    """Whatever order they came in: the documents sort by these numbers instead of by text."""
    said = [plassering(key, "INNBETALING", "F", "I", 10) for key in ("P10", "P9", "P1")]
    tables = placed(part("B"), part("A"), *DEBIT, innbetaling("I", "B", 60), *said)
    numbers = tables["innbetaling_on_forfall"].select("plasseringsidentifikator", "number").rows()
    assert sorted(numbers) == [("P1", 0), ("P10", 1), ("P9", 2)]
    assert {row["part"]: row["doc"] for table in tables.values() for row in table.iter_rows(named=True)} == {
        "B": 0,
        "A": 1,
    }


def test_what_remains_of_a_krav_here_is_the_buckets_own():
    payouts = pl.DataFrame(
        {"motkrav": ["C", "K"], "krav_gjenstaaende": [None, 6000]}, schema_overrides={"krav_gjenstaaende": pl.Int128}
    )
    balanced = pl.DataFrame({"kravidentifikator": ["C"], "gjenstaaende_beloep": [-700]}).cast({pl.Int64: pl.Int128})
    assert with_remaining(payouts, balanced).sort("motkrav").rows() == [("C", -700), ("K", 6000)]
