"""Whom a change builds: those whose posts they are and were, and those whose documents show them."""

from datetime import timedelta

import pytest

from tests.nights import LET_THROUGH, S, counts_of
from tests.ordinary.statement import ENK, FIRST, OWNER, A, B, C, D, built
from tests.plain.numbers import national_number
from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, rows
from tests.plain.write import write_delivery
from transforms.home.report import StoppedError
from transforms.ledgers import neighbourhood
from transforms.receipts import before

pytestmark = pytest.mark.slow


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


def test_other_reference_data_builds_everything(home, tmp_path):
    (tmp_path / "rates.csv").write_text("fra_dato,sats\n2026-01-01,1.00\n")
    night = home.publish(rates=tmp_path / "rates.csv")
    assert counts_of(night, "build").built_parts == 6


def test_a_new_full_delivery_builds_everything(home):
    write_delivery(home.inbox, "mva", 2, "full", FIRST)
    assert counts_of(home.publish(), "build").built_parts == 6
