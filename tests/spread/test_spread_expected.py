"""The control totals by the posts, added up by hand (CONTRACT section 5); with a placement of every kind."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from tests.plain.numbers import national_number, organisation_number
from tests.plain.statement import MOST, innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S, hold, looking_at
from transforms.check.posts import check_posts
from transforms.ledgers.link_files import LinkFiles
from transforms.spread.affected import show_previous
from transforms.spread.buckets import Buckets
from transforms.spread.expected import of_built, of_redated

A, B, OWNER = organisation_number(1), organisation_number(2), national_number(1)
SAID = (
    *(part(A), part(B), part(OWNER, "PERSON")),
    # A owes 100, of which 60 are paid by B and 10 covered by B's credit; and 7, paid by itself
    *(krav("K", A, 100), kravforfall("F", "K", 70, S), kravforfall("F2", "K", 30, S)),
    *(krav("K7", A, 7), kravforfall("F7", "K7", 7, S), innbetaling("I-A", A, 9)),
    plassering("P7", "INNBETALING", "F7", "I-A", 7),
    *(innbetaling("I-B", B, 80), plassering("PI", "INNBETALING", "F", "I-B", 60)),
    # B is owed 50, of which 25 are paid out to OWNER
    *(krav("C", B, -50), kravforfall("G", "C", -50, S), plassering("PM", "MOTKRAV", "F", "G", 10)),
    *(utbetaling("U", OWNER, 40), plassering("PU", "UTBETALING", "G", "U", 25)),
)


def built(*parts, said=SAID):
    """The totals that are not 0, in kroner and counts, when these parts are built."""
    with looking_at(*said) as connection, TemporaryDirectory() as folder:
        links = LinkFiles(Path(folder) / "links")
        check_posts(connection, links.write)
        return told(of_built(links, Buckets(links, pl.DataFrame({"part": parts}, {"part": pl.String}), 4)))


def told(totals):
    return {name: Decimal(n) / 100 if name.startswith("sum_") else n for name, n in totals.items() if n}


def both(name, count, oere):
    return {f"antall_{name}": count, f"sum_{name}": oere}


def remaining(kroner):
    return {f"sum_gjenstaaende_{where}": kroner for where in ("krav", "kravforfall", "oversikt")}


def test_of_all_parts_each_post_is_counted_once():
    assert built(A, B, OWNER) == {
        "antall_parter": 3,
        **both("krav", 3, 57),
        **both("kravforfall", 4, 57),
        **both("innbetaling", 2, -89),
        **both("utbetaling", 1, 40),
        **both("innbetaling_paa_krav", 2, -67),
        **both("krav_paa_innbetaling", 2, 67),
        **both("motkrav_paa_debet", 1, -10),
        **both("motkrav_paa_kredit", 1, 10),
        **both("utbetalt_paa_kredit", 1, 25),
        **both("innbetalt_paa_krav", 2, -89),
        **both("grunnlag_opprinnelig", 1, -50),
        **both("grunnlag_gjenstaaende", 1, -15),
        **remaining(15),  # 30 of A's, -15 of B's
        **{"sum_uplassert": -22, "sum_uplassert_oversikt": -22},
    }


def test_of_some_parts_a_placement_counts_at_the_ends_that_are_theirs():
    assert built(A) == {
        "antall_parter": 1,
        **both("krav", 2, 107),
        **both("kravforfall", 3, 107),
        **both("innbetaling", 1, -9),
        **both("innbetaling_paa_krav", 2, -67),
        **both("krav_paa_innbetaling", 1, 7),
        **both("motkrav_paa_debet", 1, -10),
        **both("innbetalt_paa_krav", 2, -89),
        **remaining(30),
        **{"sum_uplassert": -2, "sum_uplassert_oversikt": -2},
    }


def test_a_payout_shows_the_whole_krav_that_it_pays_whosever_that_is():
    assert built(OWNER) == {
        "antall_parter": 1,
        **both("utbetaling", 1, 40),
        **both("grunnlag_opprinnelig", 1, -50),
        **both("grunnlag_gjenstaaende", 1, -15),
    }


def test_a_payout_shows_a_krav_once_of_however_many_due_dates_it_pays():
    said = (
        *(part(B), part(OWNER, "PERSON"), krav("C", B, -50), utbetaling("U", OWNER, 40)),
        *(kravforfall("G", "C", -30, S), plassering("P", "UTBETALING", "G", "U", 25)),
        *(kravforfall("G2", "C", -20, S), plassering("P2", "UTBETALING", "G2", "U", 15)),
    )
    assert built(OWNER, said=said) == {
        "antall_parter": 1,
        **both("utbetaling", 1, 40),
        **both("grunnlag_opprinnelig", 1, -50),
        **both("grunnlag_gjenstaaende", 1, -10),
    }


BEYOND_64_BITS = (
    *(part(A), krav("K", A, 0), *(kravforfall(f"F{n}", "K", MOST, S) for n in range(10))),
    *(kravforfall(f"G{n}", "K", -MOST, S) for n in range(10)),
    *(utbetaling(f"U{n}", A, MOST) for n in range(10)),
    *(plassering(f"P{n}", "UTBETALING", f"G{n}", f"U{n}", MOST) for n in range(10)),
)
"""A krav of 0 with as much on one side as on the other, of which the one is paid out: the other remains."""


def test_sums_beyond_64_bits():
    assert built(A, said=BEYOND_64_BITS) == {
        **{"antall_parter": 1, "antall_krav": 1, "antall_kravforfall": 20},  # of which the sums are 0
        **both("utbetaling", 10, 10 * MOST),
        **both("utbetalt_paa_kredit", 10, 10 * MOST),
        "antall_grunnlag_opprinnelig": 10,
        **both("grunnlag_gjenstaaende", 10, 10 * 10 * MOST),
        **remaining(10 * MOST),
    }


def test_of_nobody_all_is_nothing():
    assert built() == {}


@pytest.fixture
def redated(small):
    """The totals when these parts only get another date."""
    previous = small.publish(*SAID)

    def of(*parts):
        with looking_at(*SAID) as connection:
            check_posts(connection)
            show_previous(connection, previous)
            hold(connection, "to_redate", *parts)
            return told(of_redated(connection))

    return of


def test_of_redated_parts_what_their_overviews_list_and_what_their_histories_add_up_to(redated):
    """Of A's krav the one of 7 is settled: it counts, and what is placed on it does not."""
    assert redated(A) == {
        "antall_parter": 1,
        **both("krav", 2, 107),
        **both("kravforfall", 2, 100),
        **both("innbetaling_paa_krav", 1, -60),
        **both("innbetalt_paa_krav", 1, -80),
        **both("motkrav_paa_debet", 1, -10),
        **both("innbetaling", 1, -9),
        **remaining(30),
        **{"sum_uplassert": -2, "sum_uplassert_oversikt": -2},
    }


def test_of_redated_parts_with_credits_and_payouts(redated):
    assert redated(B, OWNER) == {
        "antall_parter": 2,
        **both("krav", 1, -50),
        **both("kravforfall", 1, -50),
        **both("motkrav_paa_kredit", 1, 10),
        **both("utbetalt_paa_kredit", 1, 25),
        **both("innbetaling", 1, -80),
        **both("utbetaling", 1, 40),
        **remaining(-15),
        **{"sum_uplassert": -20, "sum_uplassert_oversikt": -20},
    }
