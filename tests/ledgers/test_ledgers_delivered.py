"""What stands of what sources have delivered (CONTRACT sections 1 and 2.2), delivery after delivery."""

import polars as pl
import pytest

from schemas.tables import TABLES
from tests.plain.numbers import organisation_number
from tests.plain.statement import innbetaling, part
from tests.small import Small
from transforms.accept.stage import accept
from transforms.ledgers.connection import ledgers
from transforms.ledgers.delivered import delivered_keys_sql

A = organisation_number(1)
BAD = 0
"""No payment is of nothing: a row of this amount is refused when it is accepted."""


@pytest.fixture
def paid(small: Small) -> Small:
    """A full delivery of three payments and one refused, ``refused``; and a payment of another source."""
    payments = [innbetaling(key, A, 10) for key in ("same", "changed", "removed")]
    small.deliver(part(A), *payments, innbetaling("refused", A, BAD))
    small.deliver(innbetaling("changed", A, 7), kilde="skatt")
    return small


def stands(small):
    """Payments by source, key, amount and the delivery that they are of; and the refused keys by source."""
    with small.connection() as connection:
        good = connection.sql(
            "SELECT kilde, innbetalingsidentifikator, innbetalt_beloep, leveransenummer FROM ledger_innbetaling"
        ).fetchall()
        refused = connection.sql("SELECT kilde, noekkel, leveransenummer FROM ledger_refused").fetchall()
    return sorted(good), sorted(refused)


FULL = [
    ("mva", "changed", 1000, 1),
    ("mva", "removed", 1000, 1),
    ("mva", "same", 1000, 1),
    ("skatt", "changed", 700, 1),
]


def test_a_full_delivery_stands_as_it_is(paid):
    assert stands(paid) == (FULL, [("mva", "refused", 1)])


def test_a_change_replaces_what_it_names_of_its_own_source(paid):
    new = innbetaling("changed", A, 20), innbetaling("new", A, 30)
    paid.deliver(*new, nr=2, removed=[innbetaling("removed", A, 10)])
    good, _ = stands(paid)
    assert good == [
        *(("mva", "changed", 2000, 2), ("mva", "new", 3000, 2), ("mva", "same", 1000, 1)),
        ("skatt", "changed", 700, 1),
    ]


def test_a_refused_row_replaces_the_good_one_and_a_good_one_the_refused(paid):
    paid.deliver(innbetaling("changed", A, BAD), innbetaling("refused", A, 5), nr=2)
    good, refused = stands(paid)
    assert ("mva", "refused", 500, 2) in good
    assert [row for row in good if row[:2] == ("mva", "changed")] == []
    assert refused == [("mva", "changed", 2)]


def test_of_three_deliveries_the_last_that_names_a_key_says(paid):
    paid.deliver(innbetaling("changed", A, 20), nr=2, removed=[innbetaling("same", A, 10)])
    paid.deliver(innbetaling("same", A, 30), nr=3)
    good, _ = stands(paid)
    assert [row for row in good if row[0] == "mva"] == [
        *(("mva", "changed", 2000, 2), ("mva", "removed", 1000, 1), ("mva", "same", 3000, 3)),
    ]


def test_a_refused_row_without_a_key_stands_whatever_comes(small):
    small.deliver(part(A), innbetaling(None, A, 10))
    small.deliver(innbetaling("new", A, 10), nr=2)
    assert stands(small) == ([("mva", "new", 1000, 2)], [("mva", None, 1)])


def test_another_source_replaces_neither_good_rows_nor_refused_ones(paid):
    paid.deliver(innbetaling("refused", A, 5), innbetaling("same", A, 5), kilde="skatt", nr=2)
    good, refused = stands(paid)
    assert [row for row in good if row[0] == "mva"] == FULL[:3]
    assert refused == [("mva", "refused", 1)]


def test_versions_are_all_that_the_deliveries_in_force_hold_and_which_of_them_stand(paid):
    paid.deliver(innbetaling("changed", A, 20), nr=2, removed=[innbetaling("removed", A, 10)])
    with paid.connection() as connection:
        found = connection.sql(
            "SELECT innbetalingsidentifikator, innbetalt_beloep, gjelder FROM delivered_innbetaling WHERE kilde = 'mva'"
        ).fetchall()
    assert sorted(found) == [
        *(("changed", 1000, False), ("changed", 2000, True), ("removed", 1000, False), ("same", 1000, True)),
    ]


def test_a_row_has_its_place(paid):
    with paid.connection() as connection:
        where = "WHERE innbetalingsidentifikator = 'removed'"
        found = connection.sql(f"SELECT kilde, leveransenummer, fil, rad FROM ledger_innbetaling {where}").fetchall()
    assert found == [("mva", 1, 0, 3)]


def test_the_keys_that_a_delivery_names_are_refused_rows_and_removals_too(paid):
    paid.deliver(innbetaling("changed", A, BAD), nr=2, removed=[innbetaling("removed", A, 10)])
    run = paid.settings()
    changes = accept(run, lambda _: None).used["mva"][1:]
    with ledgers(run, {}) as connection:
        named = connection.sql(delivered_keys_sql(run.deliveries, changes, TABLES["innbetaling"])).fetchall()
        assert sorted(named) == [("mva", "changed", 2), ("mva", "removed", 2)]
        assert connection.sql(delivered_keys_sql(run.deliveries, changes, TABLES["krav"])).fetchall() == []
        assert connection.sql(delivered_keys_sql(run.deliveries, [], TABLES["innbetaling"])).fetchall() == []


def test_refused_rows_of_an_earlier_program_do_not_say_whether_they_are_removals(paid):
    run = paid.settings()
    used = accept(run, lambda _: None).used
    path = run.deliveries / used["mva"][0].folder / "refused.parquet"
    pl.read_parquet(path).drop("slettet").write_parquet(path)
    with ledgers(run, used) as connection:
        assert connection.sql("SELECT noekkel, slettet FROM ledger_refused").fetchall() == [("refused", None)]
