"""Good posts are the rows looked at without those refused and those said twice; and how posts hang together."""

import pytest

from tests.plain.statement import innbetaling, krav, kravforfall, part, plassering, utbetaling
from tests.small import S, looking_at
from transforms.ledgers.good import (
    CONNECTED,
    connect_due_dates,
    connect_placements,
    hand_over_connected,
    hand_over_refused,
    show_connected,
    show_good,
)

SAID = (
    *(part("A"), krav("K", "A", 100), kravforfall("F", "K", 100, S), krav("C", "A", -30)),
    *(kravforfall("G", "C", -30, S), innbetaling("I", "A", 80), utbetaling("U", "A", 20)),
    *(plassering("PI", "INNBETALING", "F", "I", 60), plassering("PM", "MOTKRAV", "F", "G", 10)),
    plassering("PU", "UTBETALING", "G", "U", 20),
)


@pytest.fixture
def connection():
    with looking_at(*SAID, skatt=[part("A"), innbetaling("I", "A", 80)]) as connection:
        show_good(connection)
        yield connection


def payments(connection):
    return sorted(connection.sql("SELECT innbetalingsidentifikator, kilde FROM good_innbetaling").fetchall())


def test_all_rows_are_good_until_some_are_refused(connection):
    assert payments(connection) == [("I", "mva"), ("I", "skatt")]
    connection.execute("INSERT INTO same_innbetaling VALUES ('I', 'skatt')")
    assert payments(connection) == [("I", "mva")]
    connection.execute("INSERT INTO bad_innbetaling VALUES ('I', 'L2-PART-UNKNOWN')")
    assert payments(connection) == []


def test_a_refused_key_is_of_its_table_alone(connection):
    connection.execute("INSERT INTO bad_krav VALUES ('I', 'L2-CLAIM-SUM'), ('A', 'L2-CLAIM-SUM')")
    assert payments(connection) == [("I", "mva"), ("I", "skatt")]
    assert connection.sql("SELECT count(*) FROM good_part").fetchall() == [(2,)]


def test_another_connection_shows_the_same_good_posts(connection, tmp_path):
    connection.execute("INSERT INTO same_innbetaling VALUES ('I', 'mva')")
    connection.execute("INSERT INTO bad_krav VALUES ('K', 'L2-CLAIM-SUM'), ('K', 'L2-KEY-SOURCES')")
    hand_over_refused(connection, tmp_path)
    with looking_at(*SAID, skatt=[part("A"), innbetaling("I", "A", 80)]) as other:
        show_good(other, tmp_path)
        assert payments(other) == [("I", "skatt")]
        assert other.sql("SELECT kravidentifikator FROM good_krav").fetchall() == [("C",)]
        assert sorted(other.sql("FROM bad_krav").fetchall()) == [("K", "L2-CLAIM-SUM"), ("K", "L2-KEY-SOURCES")]
        assert other.sql("FROM bad_part").fetchall() == []


def test_another_connection_shows_the_posts_as_they_were_connected(connection, tmp_path):
    connect_due_dates(connection)
    connect_placements(connection)
    hand_over_connected(connection, tmp_path)
    with looking_at() as other:
        show_connected(other, tmp_path)
        for name in CONNECTED:
            rows = connection.sql(f"FROM {name} ORDER BY ALL")
            again = other.sql(f"FROM {name} ORDER BY ALL")
            assert (again.columns, again.types, again.fetchall()) == (rows.columns, rows.types, rows.fetchall())
            assert len(other.sql(f"FROM {name}").fetchall()) == {"forfall": 2, "plassering_ends": 4}[name]


def test_a_due_date_is_its_kravs_and_of_nobody_without_it(connection):
    connection.execute("INSERT INTO bad_krav VALUES ('C', 'L2-CLAIM-SUM')")
    connect_due_dates(connection)
    found = connection.sql("FROM forfall ORDER BY ALL").fetchall()
    assert found == [("F", "K", "A", 10_000), ("G", "C", None, -3_000)]


def ends(connection):
    connect_due_dates(connection)
    connect_placements(connection)
    columns = "plasseringsidentifikator, forfall_part, forfall_beloep, motpost_part, motpost_beloep"
    return connection.sql(f"SELECT {columns} FROM plassering_ends ORDER BY ALL").fetchall()


def test_a_placement_has_the_posts_at_both_its_ends():
    with looking_at(*SAID) as connection:
        show_good(connection)
        assert ends(connection) == [
            ("PI", "A", 10_000, "A", 8_000),
            ("PM", "A", 10_000, "A", -3_000),
            ("PU", "A", -3_000, "A", 2_000),
        ]


def test_an_end_that_is_refused_is_not_there():
    with looking_at(*SAID) as connection:
        show_good(connection)
        connection.execute("INSERT INTO bad_kravforfall VALUES ('G', 'L2-CLAIM-UNKNOWN')")
        connection.execute("INSERT INTO bad_innbetaling VALUES ('I', 'L2-PART-UNKNOWN')")
        assert ends(connection) == [
            ("PI", "A", 10_000, None, None),
            ("PM", "A", 10_000, None, None),
            ("PU", None, None, "A", 2_000),
        ]


@pytest.mark.parametrize(
    "wrong", [plassering("P", "MOTKRAV", "F", "F2", 1), plassering("P", "INNBETALING", "F", "U", 1)]
)
def test_a_motpost_is_a_post_of_the_placements_kind(wrong):
    """Of motkrav that is a due date below zero."""
    with looking_at(*SAID, kravforfall("F2", "K", 5, S), wrong) as connection:
        show_good(connection)
        assert [row for row in ends(connection) if row[0] == "P"] == [("P", "A", 10_000, None, None)]
