"""Remaining and totals of small tables (CONTRACT section 3), where whole nights seldom come."""

import polars as pl
import pytest

from transforms.rules.balances import (
    TOTALS,
    balance_innbetaling,
    balance_krav,
    per_kravgruppe,
    per_part,
    shown_under,
    unplaced,
    with_totals,
)

MOST = 2**62


def due_dates(*rows: tuple[str, int, bool]) -> pl.DataFrame:
    """Balanced ones: of which krav, what remains and whether it is overdue."""
    columns = ["kravidentifikator", "gjenstaaende_beloep", "forfalt"]
    dues = pl.DataFrame(rows, columns, orient="row")
    return dues.with_columns(stipulerte_renter=pl.lit(0, pl.Int128))


def krav(*keys: str) -> pl.DataFrame:
    return pl.DataFrame({"kravidentifikator": keys, "part": "A", "kravgruppe": [f"of {key}" for key in keys]})


def test_a_krav_is_open_though_what_remains_sums_to_nothing():
    balanced = balance_krav(krav("K", "L"), due_dates(("K", 500, True), ("K", -500, False), ("L", 0, True)))
    assert balanced["aapent"].to_list() == [True, False]
    assert balanced.select("gjenstaaende_beloep", *TOTALS).rows() == [(0, 0, 500, -500), (0, 0, 0, 0)]


@pytest.mark.parametrize("overdue", [True, False])
def test_sums_of_more_than_64_bits(overdue):
    balanced = balance_krav(krav("K"), due_dates(*[("K", MOST, overdue)] * 4))
    shown = pl.DataFrame({"forespurt_part": ["A"], "part": ["A"]})
    payments = pl.DataFrame({"part": ["A"] * 4, "uplassert_beloep": [MOST] * 4})
    oversikt = per_part(pl.DataFrame({"part": ["A"]}), per_kravgruppe(balanced, shown), unplaced(shown, payments))
    assert balanced["gjenstaaende_beloep"].to_list() == [4 * MOST]
    assert oversikt.rows() == [("A", 0, 4 * MOST * overdue, 4 * MOST * (not overdue), -4 * MOST, 0)]


def test_new_totals_are_those_of_the_due_dates_alone():
    before = balance_krav(krav("K", "L"), due_dates(("K", 5, False), ("L", 7, False)))
    assert with_totals(before, due_dates(("K", 5, True))).select(TOTALS).rows() == [(0, 5, 0), (0, 0, 0)]


def test_groups_are_in_order_and_of_open_krav_only():
    balanced = balance_krav(krav("3", "1", "2", "4"), due_dates(*[(key, 1, True) for key in "312"], ("4", 0, True)))
    groups = per_kravgruppe(balanced, pl.DataFrame({"forespurt_part": ["B", "A"], "part": ["A", "A"]}))
    assert groups.select("forespurt_part", "kravgruppe").rows() == [(d, f"of {key}") for d in "AB" for key in "123"]


def test_what_of_a_payment_is_unplaced():
    payments = pl.DataFrame({"innbetalingsidentifikator": ["I", "J"], "part": ["A", "A"], "innbetalt_beloep": [10, 20]})
    placed = pl.DataFrame({"post": ["I", "I"], "plassert_beloep": [3, 7]})
    balanced = balance_innbetaling(payments, placed).sort("innbetalingsidentifikator")
    assert balanced["uplassert_beloep"].to_list() == [0, 20]


def test_an_enk_shows_its_owner_too():
    part = pl.DataFrame({"part": ["E", "O"], "innehaver": ["O", None]})
    assert sorted(shown_under(part).rows()) == [("E", "E"), ("E", "O"), ("O", "O")]
