"""Good posts are the rows looked at without those refused and those said twice."""

import pytest

from tests.plain.statement import innbetaling, krav, part
from tests.small import looking_at
from transforms.ledgers.good import hand_over_refused, show_good

SAID = (part("A"), krav("K", "A", 100), krav("C", "A", -30), innbetaling("I", "A", 80))


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
