"""Remaining and totals of small tables (CONTRACT section 3), where whole nights seldom come."""

from datetime import date

import polars as pl
import pytest

from transforms.rules.balances import (
    TOTALS,
    balance_forfall,
    balance_innbetaling,
    balance_krav,
    per_kravgruppe,
    per_part,
    unplaced,
    with_totals,
)

MOST = 2**62


def due_dates(*rows: tuple[int, int, bool]) -> pl.DataFrame:
    """Balanced ones: of which krav, what remains and whether it is overdue."""
    columns = ["krav", "gjenstaaende_beloep", "forfalt"]
    dues = pl.DataFrame(rows, columns, orient="row")
    return dues.with_columns(stipulerte_renter=pl.lit(0, pl.Int128))


def krav(*keys: str) -> pl.DataFrame:
    return pl.DataFrame({"kravidentifikator": keys, "kravgruppe": [f"of {key}" for key in keys]})


def test_a_krav_is_open_though_what_remains_sums_to_nothing():
    dues = due_dates((1, 0, True), (0, 500, True), (0, -500, False))
    balanced = balance_krav(krav("K", "L", "WITHOUT"), dues)
    assert balanced["aapent"].to_list() == [True, False, False]
    assert balanced.select("gjenstaaende_beloep", *TOTALS).rows() == [(0, 0, 500, -500), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert balanced["antall_forfall"].to_list() == [2, 1, 0]


@pytest.mark.parametrize("overdue", [True, False])
def test_sums_of_more_than_64_bits(overdue):
    balanced = balance_krav(krav("K", "L"), due_dates(*[(0, MOST, overdue)] * 4, (1, 7, True)))
    payments = pl.DataFrame({"doc": [0] * 4, "uplassert_beloep": [MOST] * 4})
    shown = balanced.head(1).with_columns(doc=0)
    oversikt = per_part(2, per_kravgruppe(shown), unplaced(payments))
    assert balanced["gjenstaaende_beloep"].to_list() == [4 * MOST, 7]
    assert oversikt.rows() == [(0, 4 * MOST * overdue, 4 * MOST * (not overdue), -4 * MOST, 0), (0,) * 5]


def test_new_totals_are_those_of_the_due_dates_alone():
    before = balance_krav(krav("K", "L"), due_dates((0, 5, False), (1, 7, False)))
    assert with_totals(before, due_dates((0, 5, True))).select(TOTALS).rows() == [(0, 5, 0), (0, 0, 0)]


def test_groups_are_in_order():
    balanced = balance_krav(krav("3", "1", "2"), due_dates(*[(place, 1, True) for place in (2, 0, 1)]))
    shown = pl.concat([balanced.with_columns(doc=doc) for doc in (1, 0, 1)])
    groups = per_kravgruppe(shown)
    assert groups.select("doc", "kravgruppe").rows() == [(d, f"of {key}") for d in (0, 1) for key in "123"]
    assert groups["saldo"].to_list() == [1, 1, 1, 2, 2, 2]


def test_what_of_a_payment_is_unplaced():
    payments = pl.DataFrame({"innbetalingsidentifikator": ["I", "J"], "innbetalt_beloep": [10, 20]})
    placed = pl.DataFrame({"post": [0, 0], "plassert_beloep": [3, 7]})
    assert balance_innbetaling(payments, placed)["uplassert_beloep"].to_list() == [0, 20]
    assert payments["innbetalt_beloep"].to_list() == [10, 20]


S = date(2026, 11, 23)
RATES = pl.DataFrame({"fra_dato": [date(2020, 1, 1), date(2026, 12, 1)], "sats": [1000, 2000]})
"""Ten percent a year: 36 500 kroner bear ten a day. In December, after S, it will be more."""


def balanced(original, day=S, *, bears=True, **placed):
    """One due date with what is placed, by the table of its placements."""
    names = "innbetaling_on_forfall", "motkrav_on_debit", "motkrav_on_credit", "utbetaling_on_forfall"
    placements = {name: pl.DataFrame({"post": [0], "plassert_beloep": [placed.get(name, 0)]}) for name in names}
    dues = pl.DataFrame({"krav": [1], "opprinnelig_beloep": [original], "forfallsdato": [day]})
    krav = pl.DataFrame({"renteberegnes": [not bears, bears]})
    (row,) = balance_forfall(dues, krav, placements, RATES, S).iter_rows(named=True)
    return row


@pytest.mark.parametrize(
    ("original", "placed", "remains"),
    [
        (100, {}, 100),
        (100, {"innbetaling_on_forfall": 30}, 70),
        (100, {"innbetaling_on_forfall": 30, "motkrav_on_debit": 70}, 0),
        (-100, {"motkrav_on_credit": 30}, -70),
        (-100, {"motkrav_on_credit": 30, "utbetaling_on_forfall": 70}, 0),
    ],
)
def test_what_remains_is_the_original_and_what_is_placed(original, placed, remains):
    """One law on both sides: what reduces a debit is negative, what reduces a credit positive."""
    assert balanced(original, **placed)["gjenstaaende_beloep"] == remains


@pytest.mark.parametrize(
    ("original", "day", "bears", "forfalt", "renter"),
    [
        (3_650_000, S, True, False, 0),  # due on S is not overdue
        (3_650_000, date(2026, 11, 18), True, True, 5_000),  # five days after it, through S
        (3_650_000 * 10**11, date(2026, 11, 18), True, True, 5_000 * 10**11),  # on the way there beyond 64 bits
        (3_650_000, date(2026, 11, 19), True, True, 0),  # under 50 kroner
        (3_650_000, date(2026, 11, 18), False, True, 0),
        (-3_650_000, date(2026, 11, 18), True, True, 0),
    ],
)
def test_interest_is_on_overdue_debits_of_krav_that_bear_it(original, day, bears, forfalt, renter):
    row = balanced(original, day, bears=bears)
    assert (row["forfalt"], row["stipulerte_renter"]) == (forfalt, renter)


def test_interest_is_on_what_remains():
    row = balanced(7_300_000, date(2026, 11, 18), innbetaling_on_forfall=3_650_000)
    assert row["stipulerte_renter"] == 5_000
