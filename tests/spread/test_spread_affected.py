"""Whose documents can be others tonight, and whose the date alone moves."""

from datetime import date, timedelta

import pytest

from tests.build.building import RATES
from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S, hold, looking_at
from transforms.accept.stage import accept
from transforms.check.held_back import hold_back
from transforms.check.posts import check_posts
from transforms.ledgers import neighbourhood
from transforms.ledgers.connection import ledgers
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.neighbourhood import look_around_changes
from transforms.spread.affected import everyone, hold_chosen, show_previous, those_affected

A, B, C, D, ENK, NEW, OWNER = *(organisation_number(n) for n in range(1, 7)), national_number(1)
LETTERS = {A: "A", B: "B", C: "C", D: "D", ENK: "E", NEW: "N", OWNER: "O"}
LATER, YEAR = S + timedelta(days=30), S - timedelta(days=365)

STATEMENT = (
    *(part(A), part(B), part(C), part(D), part(OWNER, "PERSON"), part(ENK, "ENK", OWNER)),
    # A's krav, paid by B; not due yet
    *(krav("K-A", A, 100), kravforfall("F-A", "K-A", 100, LATER)),
    *(innbetaling("I-B", B, 80), plassering("P-AB", "INNBETALING", "F-A", "I-B", 60)),
    # C's credit, of which D was paid some
    *(krav("K-C", C, -500), kravforfall("F-C", "K-C", -500, S + timedelta(days=300))),
    *(utbetaling("U-D", D, 200), plassering("P-CD", "UTBETALING", "F-C", "U-D", 200)),
    # B's krav, and the owner's
    *(krav("K-B", B, 500), kravforfall("F-B", "K-B", 500, YEAR)),
    *(krav("K-O", OWNER, 10), kravforfall("F-O", "K-O", 10, LATER)),
)


@pytest.fixture
def chosen(small, monkeypatch):
    """By their letters, whose documents are built after a change, and whose are redated."""
    monkeypatch.setattr(neighbourhood, "MANY", 2)

    def choose(*said, removed=(), day=S, shown=STATEMENT, **before):
        small.deliver(*STATEMENT)
        if said or removed:
            small.deliver(*said, nr=2, removed=removed)
        previous, run = small.publish(*shown, **before), small.settings()
        used = accept(run, lambda _: None).used
        changes = used["mva"][1:]
        with ledgers(run, used) as connection:
            look_around_changes(connection, previous, run.deliveries, changes)
            links = LinkFiles(run.links)
            check_posts(connection, links.write)
            links.show(connection)
            hold_back(connection, previous)
            connection.execute(
                """CREATE TEMP TABLE tonight AS
                   SELECT DISTINCT tabell, noekkel FROM quarantined WHERE noekkel IS NOT NULL;
                   DROP TABLE quarantined; ALTER TABLE tonight RENAME TO quarantined"""
            )  # as check hands it over
            of = those_affected(connection, previous, run.deliveries, changes, RATES, (S, day))
        return tuple("".join(sorted(LETTERS[part] for part in parts["part"])) for parts in of)

    return choose


def test_nothing_new_affects_nobody(chosen):
    assert chosen() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "built"),
    [
        (krav("K-A", A, 100, kravbeskrivelse="Ny"), "AB"),  # B's payment shows it
        (innbetaling("I-B", B, 90), "AB"),
        (krav("K-B", B, 500, kravbeskrivelse="Ny"), "B"),
        (krav("K-B", C, 500), "BC"),  # whose it was and whose it is
        (kravforfall("F-O", "K-O", 10, S), "EO"),
        (krav("K-C", C, -500, kravbeskrivelse="Ny"), "CD"),  # D's payout shows it
        (plassering("P-BC", "MOTKRAV", "F-B", "F-C", 50), "BCD"),  # and what remains of it
        (part(ENK, "ENK", OWNER), "EO"),
        (part(D), "D"),
    ],
)
def test_a_changed_post_affects_whose_it_is_and_who_shows_it(chosen, said, built):
    assert chosen(said) == (built, "")


def test_a_removed_placement_was_at_both_its_ends(chosen):
    assert chosen(removed=[plassering("P-AB", "INNBETALING", "F-A", "I-B", 60)]) == ("AB", "")


def test_who_is_held_back_is_not_built(chosen):
    """A, of a due date that is not its krav's, and B, of the placement on it; C is touched by another change."""
    assert chosen(kravforfall("F-A", "K-A", 99, LATER), innbetaling("I-C", C, 5)) == ("C", "")


def test_what_was_refused_and_is_good_again(chosen):
    assert chosen(quarantined=[("krav", "K-B")]) == ("B", "")


def test_who_is_released_has_documents_that_are_older(chosen):
    assert chosen(held_back=[C]) == ("C", "")


def test_who_has_no_documents_yet_gets_some(chosen):
    assert chosen(part(NEW)) == ("N", "")


def test_who_should_have_documents_and_has_none_gets_some(chosen):
    """Though nothing of the owner's is new: a snapshot that has lost them knows nobody's."""
    shown = [row for row in STATEMENT if not {OWNER, "K-O"} & set(row.values())]
    assert chosen(shown=shown) == ("EO", "")


def test_the_date_moves_what_becomes_overdue_and_interest(chosen):
    """B's 500 kroner bear some 13 øre a day: four kroner more by then."""
    assert chosen(day=LATER + timedelta(days=1)) == ("", "ABEO")


def test_a_day_that_moves_no_amount_moves_nobody(chosen):
    """B's interest is in whole kroner."""
    assert chosen(day=S + timedelta(days=1)) == ("", "")


def test_a_household_of_which_something_else_changes_is_built_and_not_redated(chosen):
    day = LATER + timedelta(days=1)
    assert chosen(krav("K-O", OWNER, 10, kravbeskrivelse="Ny"), day=day) == ("EO", "AB")


def test_everyone_but_those_held_back():
    with looking_at(*STATEMENT) as connection:
        check_posts(connection)
        hold(connection, "held_back", B)
        chosen = everyone(connection)
        assert sorted(chosen.to_build["part"]) == sorted([A, C, D, ENK, OWNER])
        assert chosen.to_redate.is_empty()
        hold_chosen(connection, chosen)
        assert len(connection.sql("FROM to_build").fetchall()) == 5
        assert connection.sql("FROM to_redate").fetchall() == []


def test_rows_of_the_previous_snapshot_are_those_that_its_documents_show(small):
    previous = small.publish(*STATEMENT, day=date(2026, 1, 1))
    with looking_at() as connection:
        show_previous(connection, previous)
        found = connection.sql("SELECT kravforfallsidentifikator, forfalt FROM previous_kravforfall ORDER BY ALL")
        assert found.fetchall() == [("F-A", False), ("F-B", True), ("F-C", False), ("F-O", False)]
        assert len(connection.sql("FROM previous_plassering").fetchall()) == 4  # each from both its ends
