"""Whom a quarantined row holds back: by its own part, by what it names, and by what its keys were before."""

import pytest

from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S, looking_at
from transforms.check.held_back import hold_back
from transforms.check.posts import check_posts

NUMBERS = {"A": "300000118", "B": "300000207", "O": "01810001050", "E": "300000304"}
A, B, OWNER, E = NUMBERS.values()
SAID = (
    *(part(A), part(B), part(OWNER, "PERSON"), part(E, "ENK", OWNER)),
    *(krav("K", A, 100), kravforfall("F", "K", 100, S), krav("C", B, -50), kravforfall("G", "C", -50, S)),
    *(innbetaling("I", OWNER, 80), utbetaling("U", B, 40)),
)


def held_back(connection, previous=None):
    """By their letters, and how many rows lead to nobody."""
    check_posts(connection)
    hold_back(connection, previous)
    letters = {number: letter for letter, number in NUMBERS.items()}
    found = "".join(sorted(letters.get(part, part) for (part,) in connection.sql("FROM held_back").fetchall()))
    return found, connection.sql("SELECT count(*) FROM leads_nowhere").fetchall()[0][0]


def refused(tabell, noekkel, **names):
    return {"tabell": tabell, "noekkel": noekkel, "koder": ["L2-VALUE-NULL"], **names}


def test_nobody_is_held_back_of_a_good_statement():
    with looking_at(*SAID) as connection:
        assert held_back(connection) == ("", 0)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (refused("krav", "K2", part=A), "A"),
        (refused("krav", "K2", part="nobody"), "nobody"),  # who has no documents either way
        (refused("kravforfall", "F2", kravidentifikator="K"), "A"),
        (refused("plassering", "P", kravforfallsidentifikator="F", motpost="X"), "A"),  # on from its due date
        (refused("plassering", "P", kravforfallsidentifikator="F", motpost="G"), "AB"),
        (refused("plassering", "P", kravforfallsidentifikator="X", motpost="U"), "B"),
        (refused("plassering", "P", kravforfallsidentifikator="X", motpost="I"), "EO"),  # with the owner, the ENK
        (refused("utbetaling", "U2", part=E), "E"),  # but not the other way about
    ],
)
def test_a_refused_row_leads_to(row, found):
    with looking_at(*SAID, refused=[row]) as connection:
        assert held_back(connection) == (found, 0)


def test_which_rows_lead_to_whom_and_by_which_owner():
    rows = [refused("krav", "K1", part=A), refused("utbetaling", "U2", part=E), refused("krav", "K3", part=OWNER)]
    with looking_at(*SAID, refused=rows) as connection:
        assert held_back(connection) == ("AEO", 0)
        led = connection.sql(
            "SELECT led_to.part, gjennom, noekkel FROM led_to JOIN row_ids ON id = avvist ORDER BY noekkel, 1"
        ).fetchall()
        assert led == [(A, None, "K1"), (OWNER, None, "K3"), (E, OWNER, "K3"), (E, None, "U2")]


def test_it_leads_over_refused_rows_too():
    """A placement on a due date of a krav, all refused by values: the krav knows its part."""
    rows = [
        refused("plassering", "P", kravforfallsidentifikator="F2"),
        refused("kravforfall", "F2", kravidentifikator="K2"),
        refused("krav", "K2", part=B),
    ]
    with looking_at(*SAID, refused=rows) as connection:
        assert held_back(connection) == ("B", 0)
        leads = connection.sql("SELECT tabell, leads.part FROM leads JOIN row_ids USING (id)").fetchall()
        assert sorted(set(leads)) == [("krav", B), ("kravforfall", B), ("plassering", B)]


def test_rows_that_lead_to_nobody_are_counted():
    """The row's own key is no lead tonight: that is the row itself."""
    rows = [refused("kravforfall", "F2", kravidentifikator="X"), refused("innbetaling", None), refused("krav", "K")]
    with looking_at(*SAID, refused=rows) as connection:
        assert held_back(connection) == ("", 3)


def test_whose_its_key_was_in_the_last_snapshot_is_held_back(small):
    """A krav with its due date, a placement that has an end with each of two, a payment; a krav that is good now."""
    before = (
        *(part(A), part(B), part(OWNER, "PERSON"), part(E, "ENK", OWNER)),
        *(krav("OLD", A, 5), kravforfall("OLD-F", "OLD", 5, S), krav("MOVED", A, 7), kravforfall("M", "MOVED", 7, S)),
        *(innbetaling("OLD-I", B, 5), plassering("OLD-P", "INNBETALING", "OLD-F", "OLD-I", 5)),
    )
    previous = small.publish(*before)
    for row, found in (
        (refused("krav", "OLD"), "A"),
        (refused("kravforfall", "OLD-F"), "A"),
        (refused("innbetaling", "OLD-I"), "B"),
        (refused("plassering", "OLD-P"), "AB"),
        (refused("part", E), "E"),
        (refused("kravforfall", "new", kravidentifikator="MOVED"), "AB"),  # whose it is and whose it was
        (refused("krav", "OLD-I"), ""),  # a key is of its table
    ):
        moved = krav("MOVED", B, 7), kravforfall("M", "MOVED", 7, S)
        with looking_at(*SAID, *moved, refused=[row]) as connection:
            assert held_back(connection, previous) == (found, int(not found)), row
