"""What is refused on an ordinary night, whom it holds back, and what their release shows."""

from datetime import timedelta

import pytest

from tests.nights import Nights as Home
from tests.nights import S, counts_of, held_back_of
from tests.ordinary.statement import ENK, OWNER, A, B, C, D, built, deliver
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import write_delivery

pytestmark = pytest.mark.slow


def test_a_part_held_back_keeps_its_documents_and_its_date_until_it_is_released(home):
    before = home.answer(A)
    write_delivery(home.inbox, "mva", 2, "endring", rows(krav("K-A", A, 101)))
    home.publish(S + timedelta(days=1))
    assert home.answer(A) == before
    assert home.dates() == dict.fromkeys((C, D, OWNER, ENK), S + timedelta(days=1)) | dict.fromkeys((A, B), S)
    home.publish(S + timedelta(days=2))
    assert home.answer(A) == before
    assert built(home, krav("K-A", A, 100), day=S + timedelta(days=3)) == {A, B}


TO_NEW_POSTS = [
    *(krav("K-N", C, 5), kravforfall("F-N", "K-N", 5, S), plassering("P-N", "INNBETALING", "F-N", "nobody's", -1)),
    *(krav("K-M", D, -5), kravforfall("F-M", "K-M", -5, S), plassering("P-M", "MOTKRAV", "nobody's", "F-M", -1)),
    *(innbetaling("I-N", OWNER, 5), plassering("P-I", "INNBETALING", "nobody's", "I-N", -1)),
]
"""Each end by itself leads to a part of its own. No snapshot has the posts: their part is held back since they came."""


@pytest.mark.parametrize(
    ("changes", "held_back"),
    [
        ([plassering("P-X", "INNBETALING", "F-A", "I-B", 99)], {A, B}),
        ([plassering("P-X", "INNBETALING", "F-A", "I-B", -1)], {A, B}),
        (TO_NEW_POSTS, {C, D, OWNER, ENK}),
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
