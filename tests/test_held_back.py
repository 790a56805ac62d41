"""To which parts a refused removal leads: by its key alone, whatever else its row says (CONTRACT sections 1 and 2)."""

import polars as pl
import pytest

from tests.nights import Nights, counts_of, held_back_of
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows, utbetaling
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow

ONE, OTHER, THIRD = (organisation_number(number) for number in range(3))
GOOD = [
    *(part(ONE), part(OTHER), part(THIRD)),
    *(krav("K1", ONE, 100), kravforfall("F1", "K1", 100, "2026-02-01")),
    *(krav("K2", OTHER, 50), kravforfall("F2", "K2", 50, "2026-02-01")),
    *(innbetaling("I1", ONE, 80), plassering("P1", "INNBETALING", "F1", "I1", 60)),
    *(krav("K3", THIRD, 5), kravforfall("F3", "K3", 5, "2026-02-01")),
    *(innbetaling("I3", ONE, 5), plassering("P3", "INNBETALING", "F3", "I3", 5)),
]
REMOVED = {"slettet": True}
STANDS = {"slettet": None}

CASES = {
    # a change: what it says, whom that holds back, and how many rows lead to nobody
    "a removal without a key leads nowhere": ([krav(None, ONE, 1) | REMOVED], [], 1),
    "nor does one of a due date": ([kravforfall(None, "K1", 1, "2026-02-01") | REMOVED], [], 1),
    "nor one of a placement": ([plassering(None, "INNBETALING", "F1", "I1", 1) | REMOVED], [], 1),
    "the same row, if it stands, leads to its part": ([krav(None, ONE, 1) | STANDS], [ONE], 0),
    "of a new key twice, only the row that stands leads": (
        [krav("NEW", ONE, 1) | REMOVED, krav("NEW", OTHER, 1) | STANDS],
        [OTHER],
        1,
    ),
    "nor does what the removal of a due date refers to": (
        [kravforfall("NEW", "K1", 1, "2026-02-01") | REMOVED, kravforfall("NEW", "K2", 1, "2026-02-01") | STANDS],
        [OTHER],
        1,
    ),
    "a new placement leads to whose the payment was that is gone": (
        [
            *(innbetaling("I3", None, None) | REMOVED, plassering("P3", None, None, None, None) | REMOVED),
            plassering("NEW", "INNBETALING", "F3", "I3", 1) | STANDS,
        ],
        [ONE, THIRD],
        0,
    ),
    "a key twice leads to whose it was": (
        [krav("K1", THIRD, 1) | REMOVED, krav("K1", OTHER, 1) | REMOVED],
        [ONE],
        0,
    ),
    "of a placement too": (
        [plassering("NEW", "INNBETALING", "F2", "I1", 1) | REMOVED] * 2,
        [],
        2,
    ),
    "of part the key is the part": ([part(OTHER) | REMOVED, part(OTHER) | REMOVED], [OTHER], 0),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """The good statement, published by one night."""
    nights = Nights(tmp_path_factory.mktemp("good"))
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(*GOOD))
    nights.publish()
    return nights


@pytest.mark.parametrize("case", CASES)
def test_whom_a_refused_removal_holds_back(published: Nights, nights: Nights, case):
    said, held_back, nowhere = CASES[case]
    nights.take_over(published)
    write_delivery(nights.inbox, "mva", 2, "endring", rows(*said))
    night = nights.publish()
    assert sorted(held_back_of(night)) == held_back
    assert counts_of(night, "check").leads_nowhere == nowhere


def test_a_delivery_that_an_earlier_program_accepted_leads_as_it_did(nights: Nights):
    """Its refused rows don't say whether they are removals."""
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(*GOOD))
    write_delivery(nights.inbox, "mva", 2, "endring", rows(krav(None, ONE, 1) | STANDS))
    nights.publish()
    (path,) = nights.home.glob("deliveries/mva/000002-*/refused.parquet")
    pl.read_parquet(path).drop("slettet").write_parquet(path)
    assert held_back_of(nights.publish()) == {ONE}


def test_every_way_from_a_refused_row_to_a_part(nights: Nights):
    """Each leads to a part of its own, by one way only: the rows that it refers to are good."""
    own, of_krav, of_due_date, of_payment, of_payout, of_credit, of_any = parts = [
        organisation_number(number) for number in range(10, 17)
    ]
    owner, enk, other_enk = national_number(1), organisation_number(20), organisation_number(21)
    good = [
        *map(part, parts),
        *(part(owner, "PERSON"), part(enk, "ENK", owner), part(other_enk, "ENK", owner)),
        *(krav("K1", of_krav, 1), kravforfall("F1", "K1", 1, "2026-02-01")),
        *(krav("K2", of_due_date, 1), kravforfall("F2", "K2", 1, "2026-02-01")),
        *(krav("K3", of_credit, -1), kravforfall("F3", "K3", -1, "2026-02-01")),
        *(krav("K4", of_any, 1), kravforfall("F4", "K4", 1, "2026-02-01")),
        *(innbetaling("I", of_payment, 1), utbetaling("U", of_payout, 1)),
    ]
    refused = [
        *(innbetaling("bad", own, 0), innbetaling("his", owner, 0), innbetaling("its", enk, 0)),
        kravforfall("bad", "K1", 0, None),
        plassering("bad 1", "INNBETALING", "F2", "nobody's", 1),
        plassering("bad 2", "INNBETALING", "nobody's", "I", 1),
        plassering("bad 3", "UTBETALING", "nobody's", "U", 1),
        plassering("bad 4", "MOTKRAV", "nobody's", "F3", 1),
        plassering("bad 5", "INNBETALING", "nobody's", "F4", 1),
        # by refused rows: the due date has no krav, and so leads nowhere, as does what is placed on it
        *(kravforfall("lost", "nobody's", 1, "2026-02-01"), plassering("bad 6", "MOTKRAV", "lost", "nobody's", 1)),
        plassering("bad 7", "INNBETALING", "nobody's", "bad", 1),
    ]
    nights.inbox.mkdir()
    write_delivery(nights.inbox, "mva", 1, "full", rows(*good, *refused))
    night = nights.publish()
    assert sorted(held_back_of(night)) == sorted([*parts, owner, enk, other_enk])
    assert counts_of(night, "check").leads_nowhere == 2
