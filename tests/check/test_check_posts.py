"""Which rows are good posts (CONTRACT 2.2.2 to 2.2.5): small statements, and by hand what is refused of each."""

from decimal import Decimal

import pytest

from schemas.tables import TABLES
from tests.plain.statement import MOST, innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S, looking_at
from transforms.check.posts import Count, check_posts, count_posts, count_said, said_twice

GOOD = (
    *(part("A"), part("O", "PERSON"), part("E", "ENK", "O")),
    *(krav("K", "A", 100), kravforfall("F", "K", 70, S), kravforfall("F2", "K", 30, S)),
    *(krav("C", "E", -50), kravforfall("G", "C", -50, S), innbetaling("I", "A", 80), utbetaling("U", "E", 40)),
    *(plassering("PI", "INNBETALING", "F", "I", 60), plassering("PM", "MOTKRAV", "F", "G", 10)),
    plassering("PU", "UTBETALING", "G", "U", 40),
)


def refused(connection):
    return {
        (name, *row) for name in TABLES for row in connection.sql(f"SELECT noekkel, kode FROM bad_{name}").fetchall()
    }


def checked(*said, **others):
    """What is refused of the good statement with these rows: table, key and code."""
    with looking_at(*GOOD, *said, **others) as connection:
        check_posts(connection)
        return refused(connection)


def test_all_is_good_to_the_last_oere():
    """All of F, of G and of U is placed."""
    assert checked() == set()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        # parts
        ([part("E2", "ENK", "X")], {("part", "E2", "L2-PART-OWNER")}),
        ([part("E2", "ENK", "A")], {("part", "E2", "L2-PART-OWNER")}),  # no person
        ([part("E2", "ENK", "X"), innbetaling("I2", "E2", 1)], {("innbetaling", "I2", "L2-PART-UNKNOWN")}),
        ([utbetaling("U2", "X", 1)], {("utbetaling", "U2", "L2-PART-UNKNOWN")}),
        ([krav("K2", "X", 1), kravforfall("F3", "K2", 1, S)], {("krav", "K2", "L2-PART-UNKNOWN")}),
        # krav and their due dates
        ([kravforfall("F3", "X", 1, S)], {("kravforfall", "F3", "L2-CLAIM-UNKNOWN")}),
        ([krav("K2", "A", 0)], {("krav", "K2", "L2-CLAIM-NO-DUE-DATE")}),
        ([kravforfall("F3", "K", "0.01", S)], {("krav", "K", "L2-CLAIM-SUM")}),
        ([kravforfall("F3", "K", -1, S), kravforfall("F4", "K", 1, S)], {("krav", "K", "L2-CLAIM-SIGN")}),
        ([kravforfall("F3", "C", -1, S), kravforfall("F4", "C", 1, S)], {("krav", "C", "L2-CLAIM-SIGN")}),
        # ends of placements
        ([plassering("P", "INNBETALING", "X", "I", 1)], {("plassering", "P", "L2-PLACEMENT-DUE-DATE")}),
        ([plassering("P", "INNBETALING", "G", "I", 1)], {("plassering", "P", "L2-PLACEMENT-DUE-DATE")}),
        ([plassering("P", "UTBETALING", "F2", "U", 1)], {("plassering", "P", "L2-PLACEMENT-DUE-DATE")}),
        ([plassering("P", "INNBETALING", "F2", "X", 1)], {("plassering", "P", "L2-PLACEMENT-MOTPOST")}),
        ([plassering("P", "MOTKRAV", "F2", "F", 1)], {("plassering", "P", "L2-PLACEMENT-MOTPOST")}),
    ],
)
def test_a_row_that_is_refused(said, found):
    assert found <= checked(*said)


OVER = "L2-PLACEMENT-OVER"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([plassering("P", "INNBETALING", "F", "I", "0.01")], {"P", "PI", "PM"}),  # F is covered
        ([plassering("P", "INNBETALING", "F2", "I", "20.01")], {"P", "PI"}),  # 60 of I's 80 are placed
        ([plassering("P", "MOTKRAV", "F2", "G", "0.01")], {"P", "PM", "PU"}),  # G is used up, by what is paid out too
        (
            [krav("C2", "E", -1), kravforfall("G2", "C2", -1, S), plassering("P", "UTBETALING", "G2", "U", 1)],
            {"P", "PU"},
        ),
    ],
)
def test_all_on_a_post_of_which_more_is_placed_than_it_is(said, found):
    assert checked(*said) == {("plassering", key, OVER) for key in found}


@pytest.mark.parametrize(
    "said",
    [
        [krav("K2", "A", 0), kravforfall("F3", "K2", 5, S), kravforfall("F4", "K2", -5, S)],
        [krav("K2", "A", 5), kravforfall("F3", "K2", 5, S), kravforfall("F4", "K2", 0, S)],
        [krav("K2", "A", -5), kravforfall("F3", "K2", -5, S), kravforfall("F4", "K2", 0, S)],
    ],
)
def test_zero_is_of_either_sign(said):
    """A krav of 0 may have due dates on both sides, any other krav one of 0."""
    assert checked(*said) == set()


def test_of_a_due_date_of_zero_nothing_can_be_used():
    nothing = krav("C2", "E", 0), kravforfall("G2", "C2", 0, S)
    used = plassering("P", "MOTKRAV", "F2", "G2", 1)
    assert checked(*nothing, used) == {("plassering", "P", "L2-PLACEMENT-MOTPOST")}


def test_due_dates_that_64_bits_would_add_up_to_their_krav():
    """To 2^64 øre more than it."""
    rest = Decimal(2**64) / 100 + 1 - 18 * MOST
    dues = [kravforfall(f"F{n}", "K2", MOST, S) for n in range(10, 28)]
    found = checked(krav("K2", "A", 1), *dues, kravforfall("F28", "K2", rest, S))
    assert ("krav", "K2", "L2-CLAIM-SUM") in found


def test_placements_that_64_bits_would_add_up_to_less_than_their_post():
    """To less than nothing."""
    of_due = krav("K2", "A", MOST), kravforfall("F3", "K2", MOST, S)
    payments = [innbetaling(f"I{n}", "A", MOST) for n in range(10)]
    placed = [plassering(f"P{n}", "INNBETALING", "F3", f"I{n}", MOST) for n in range(10)]
    assert checked(*of_due, *payments, *placed) == {("plassering", f"P{n}", OVER) for n in range(10)}


def test_what_is_refused_is_not_there_for_what_is_checked_after_it():
    """A krav, its due dates, and what is placed on them."""
    assert checked(kravforfall("F3", "K", 1, S)) == {
        ("krav", "K", "L2-CLAIM-SUM"),
        *(("kravforfall", key, "L2-CLAIM-OF-REFUSED") for key in ("F", "F2", "F3")),
        *(("plassering", key, "L2-PLACEMENT-DUE-DATE") for key in ("PI", "PM")),
    }


def test_a_key_of_two_sources_is_one_post_only_with_the_same_content():
    skatt = [part("A"), krav("C", "E", -50), innbetaling("I", "A", 81)]
    with looking_at(*GOOD, skatt=skatt) as connection:
        check_posts(connection)
        assert ("innbetaling", "I", "L2-KEY-SOURCES") in refused(connection)
        assert not [row for row in refused(connection) if row[0] in ("part", "krav")]
        assert connection.sql("FROM same_krav").fetchall() == [("C", "skatt")]  # the second by its name
        assert connection.sql("FROM same_innbetaling").fetchall() == []
        assert connection.sql(said_twice()).fetchall() == [("krav", "C")]  # but for parts


def test_a_key_that_is_refused_in_one_source_is_good_in_none():
    refused_row = {"tabell": "innbetaling", "noekkel": "I2", "koder": ["L2-VALUE-NULL"]}
    assert checked(skatt=[innbetaling("I2", "A", 5)], refused=[refused_row]) == {
        ("innbetaling", "I2", "L2-KEY-SOURCES")
    }


def test_what_is_left_of_the_good_posts():
    with looking_at(*GOOD, kravforfall("F3", "K", 1, S)) as connection:
        links = {}
        check_posts(connection, links.__setitem__)
        good = {
            name: {connection.sql(f"FROM rows_{name} WHERE row = {row}").fetchall()[0][1] for row in links[name]["row"]}
            for name in TABLES
            if name != "part"
        }
        assert good["krav"] == {"C"} and good["kravforfall"] == {"G"} and good["plassering"] == {"PU"}
        assert good["innbetaling"] == {"I"} and good["utbetaling"] == {"U"}
        assert links["part"]["part"].to_list() == ["A", "E", "O"]


def test_a_quarantined_row_has_its_place_its_reasons_and_what_it_refers_to():
    by_value = {"tabell": "krav", "noekkel": "K3", "koder": ["L2-VALUE-DATE"], "part": "A"}
    with looking_at(*GOOD, plassering("P", "INNBETALING", "F2", "X", 1), refused=[by_value]) as connection:
        check_posts(connection)
        columns = "tabell, noekkel, rad, koder, part, kravforfallsidentifikator, motpost, kilde"
        assert sorted(connection.sql(f"SELECT {columns} FROM quarantined").fetchall()) == [
            ("krav", "K3", 9, ["L2-VALUE-DATE"], "A", None, None, "mva"),
            ("plassering", "P", 4, ["L2-PLACEMENT-MOTPOST"], None, "F2", "X", "mva"),
        ]


def test_rows_are_counted_as_said_and_posts_once():
    """A payment of two sources, one refused by its part, one by a value, and a removal that was refused."""
    refused_rows = [
        {"tabell": "innbetaling", "noekkel": "I3", "koder": ["L2-VALUE-NULL"]},
        {"tabell": "innbetaling", "noekkel": "I4", "koder": ["L2-VALUE-NULL"], "slettet": True},
    ]
    said = innbetaling("I2", "X", 5)
    with looking_at(*GOOD, said, skatt=[innbetaling("I", "A", 80)], refused=refused_rows) as connection:
        check_posts(connection)
        counted = count_said(connection, ["mva", "skatt", "new"])
        assert {kilde: tables["innbetaling"] for kilde, tables in counted.items()} == {"mva": 3, "skatt": 1, "new": 0}
        assert counted["mva"]["part"] == 3 and not any(counted["new"].values())
        # 4 said and a removal; of those 2 refused by values and 1 by its part; of the 2 accepted one is the other's
        assert count_posts(connection, TABLES["innbetaling"], 4) == Count(said=5, accepted=2, posts=1)
