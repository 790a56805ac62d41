"""Texts, masks and what remains as SQL says them (CONTRACT section 3), of rows made by hand."""

import duckdb
import pytest

from transforms.rules.in_sql import KRAV_TEKST, MASKED, remaining


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("account", "shown"),
    [("15030012345", "******12345"), ("123456", "*23456"), ("12345", "12345"), ("1", "1"), ("", ""), (None, None)],
)
def test_of_a_payers_account_the_last_five_digits_show(connection, account, shown):
    query = f"SELECT {MASKED} FROM (SELECT $1::VARCHAR AS fra_kontonummer)"
    assert connection.execute(query, [account]).fetchall() == [(shown,)]


def test_what_a_krav_leaves_out_is_its_kravtypes(connection):
    connection.execute(
        """
        CREATE TABLE good_krav AS SELECT *, 'mva' AS kilde, 1 AS leveransenummer, 0 AS fil FROM (VALUES
          ('own', 'Restskatt', 'Min tekst', 'Min gruppe'), ('of the type', 'Restskatt', NULL, NULL),
          ('of a type without group', 'Gebyr', NULL, NULL), ('unknown', 'Ukjent', NULL, NULL)
        ) AS krav (kravidentifikator, kravtype, kravbeskrivelse, kravgruppe);
        CREATE TABLE kravtyper AS FROM (VALUES
          ('Restskatt', 'Restskatt for person', 'Skatt', false), ('Gebyr', NULL, NULL, true)
        ) AS kravtyper (kravtype, tekst, kravgruppe, renteberegnes)
        """
    )
    columns = "kravidentifikator, kravbeskrivelse, kravgruppe, renteberegnes"
    assert set(connection.sql(f"SELECT {columns} FROM ({KRAV_TEKST})").fetchall()) == {
        ("own", "Min tekst", "Min gruppe", False),
        ("of the type", "Restskatt for person", "Skatt", False),
        ("of a type without group", "Gebyr", "Andre krav", True),
        ("unknown", "Ukjent", "Andre krav", True),
    }


def test_what_remains_of_debits_and_credits(connection):
    """A debit of 100 and 50 with 30 placed on it; a credit of -80, of which 20 cover a debit and 60 are paid out."""
    connection.execute(
        """
        CREATE TABLE dues AS FROM (VALUES ('F1', 'K', 10000), ('F2', 'K', 5000), ('G', 'C', -8000))
          AS dues (kravforfallsidentifikator, kravidentifikator, opprinnelig_beloep);
        CREATE TABLE ends AS FROM (VALUES
          ('INNBETALING', 'F1', 'I', 1000), ('MOTKRAV', 'F2', 'G', 2000), ('UTBETALING', 'G', 'U', 6000),
          ('INNBETALING', 'elsewhere', 'I', 900)
        ) AS ends (plasseringstype, kravforfallsidentifikator, motpost, plassert_beloep)
        """
    )
    found = connection.sql(f"FROM ({remaining('FROM dues', 'ends')}) ORDER BY ALL").fetchall()
    assert [(krav, int(oere)) for krav, oere in found] == [("C", 0), ("K", 12_000)]
