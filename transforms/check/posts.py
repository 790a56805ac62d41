"""All sources together: which rows are good posts, which are quarantined (CONTRACT 2.2.2-2.2.5).

Each check is a join or a group-by, done once, in the contract's order, over what the earlier ones
left: ``good_<table>`` always shows the rows looked at tonight less those in ``bad_<table>``, the keys refused so far
(``ledgers.good``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from schemas.tables import REFERENCES, TABLES, WITH_PART, Table
from transforms.ledgers.good import connect_due_dates, connect_placements, show_good


def check_posts(connection: duckdb.DuckDBPyConnection) -> None:
    """Runs every check over ``rows_*``; afterwards ``good_*`` are the posts, ``bad_*`` the refused keys.

    Leaves the tables ``forfall`` (good due dates with their krav's part), ``plassering_ends`` (good placements
    with the posts at both ends) and ``quarantined`` as well.
    """
    show_good(connection)
    for table in TABLES.values():
        _check_keys(connection, table)
    _check_parts(connection)
    _check_claims(connection)
    _check_placements(connection)
    _collect_quarantined(connection)


def _check_keys(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """One key in two sources: the same content is one post, anything else refuses all (2.2.2).

    Keys are compared by hash first, and by themselves only where hashes of two sources agree.
    """
    name, key = table.name, table.key
    keys = f"""
        SELECT {key} AS noekkel, kilde FROM rows_{name} UNION ALL
        SELECT noekkel, kilde FROM ledger_refused WHERE tabell = '{name}' AND noekkel IS NOT NULL"""
    connection.execute(
        f"""
        CREATE TEMP TABLE shared_{name} AS
        WITH suspect AS MATERIALIZED (
          SELECT h FROM (SELECT hash(noekkel) AS h, kilde FROM ({keys}))
          GROUP BY h HAVING min(kilde) <> max(kilde))
        SELECT noekkel FROM ({keys}) WHERE hash(noekkel) IN (SELECT h FROM suspect)
        GROUP BY noekkel HAVING min(kilde) <> max(kilde);
        """
    )
    shared = connection.execute(f"SELECT count(*) FROM shared_{name}").fetchall()[0][0]
    if shared:  # else spared: looking for none of them
        _judge_shared(connection, table)
    connection.execute(f"DROP TABLE shared_{name}")


def _judge_shared(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """The keys in ``shared_<table>``, by the content of their rows."""
    name, key = table.name, table.key
    content = ", ".join(f"{column} := {column}" for column in table.names)
    connection.execute(
        f"""
        CREATE TEMP TABLE shared_rows_{name} AS
        SELECT {key} AS noekkel, kilde, false AS refused, struct_pack({content}) AS content
        FROM ledger_{name} WHERE {key} IN (SELECT noekkel FROM shared_{name})
        UNION ALL
        SELECT noekkel, kilde, true, NULL FROM ledger_refused
        WHERE tabell = '{name}' AND noekkel IN (SELECT noekkel FROM shared_{name});
        INSERT INTO bad_{name}
        SELECT noekkel, 'L2-KEY-SOURCES' FROM shared_rows_{name}
        GROUP BY noekkel HAVING bool_or(refused) OR count(DISTINCT content) > 1;
        INSERT INTO same_{name}
        SELECT noekkel, kilde FROM shared_rows_{name}
        WHERE noekkel NOT IN (SELECT noekkel FROM bad_{name})
        QUALIFY row_number() OVER (PARTITION BY noekkel ORDER BY kilde) > 1;
        DROP TABLE shared_rows_{name}
        """
    )


def _check_parts(connection: duckdb.DuckDBPyConnection) -> None:
    """An ENK whose innehaver is no accepted PERSON; then posts whose part is not accepted (2.2.3)."""
    connection.execute(
        """
        INSERT INTO bad_part
        SELECT part, 'L2-PART-OWNER' FROM good_part AS enk WHERE parttype = 'ENK' AND NOT EXISTS (
          SELECT 1 FROM good_part AS owner WHERE owner.parttype = 'PERSON' AND owner.part = enk.innehaver)
        """
    )
    for name in WITH_PART:
        connection.execute(
            f"""
            INSERT INTO bad_{name}
            SELECT {TABLES[name].key}, 'L2-PART-UNKNOWN' FROM good_{name}
            ANTI JOIN good_part USING (part)
            """
        )


def _check_claims(connection: duckdb.DuckDBPyConnection) -> None:
    """A due date without its krav; then a krav that its due dates do not make up, with them (2.2.4)."""
    connect_due_dates(connection)
    connection.execute(
        """
        INSERT INTO bad_kravforfall
        SELECT kravforfallsidentifikator, 'L2-CLAIM-UNKNOWN' FROM forfall WHERE part IS NULL;

        INSERT INTO bad_krav
        SELECT kravidentifikator, CASE
            WHEN dues.total IS NULL THEN 'L2-CLAIM-NO-DUE-DATE'
            WHEN dues.total <> krav.opprinnelig_beloep THEN 'L2-CLAIM-SUM'
            ELSE 'L2-CLAIM-SIGN' END
        FROM good_krav AS krav LEFT JOIN (
          SELECT kravidentifikator, sum(opprinnelig_beloep) AS total,
                 min(opprinnelig_beloep) AS lowest, max(opprinnelig_beloep) AS highest
          FROM forfall GROUP BY kravidentifikator
        ) AS dues USING (kravidentifikator)
        WHERE dues.total IS NULL OR dues.total <> krav.opprinnelig_beloep
           OR (krav.opprinnelig_beloep > 0 AND dues.lowest < 0)
           OR (krav.opprinnelig_beloep < 0 AND dues.highest > 0);

        INSERT INTO bad_kravforfall
        SELECT kravforfallsidentifikator, 'L2-CLAIM-OF-REFUSED' FROM forfall
        WHERE part IS NOT NULL AND kravidentifikator IN (SELECT noekkel FROM bad_krav);

        DELETE FROM forfall WHERE kravforfallsidentifikator IN (SELECT noekkel FROM bad_kravforfall)
        """
    )


def _check_placements(connection: duckdb.DuckDBPyConnection) -> None:
    """An end that is not there or of the wrong kind; then posts with more placed than they are (2.2.5)."""
    connect_placements(connection)
    connection.execute(
        """
        INSERT INTO bad_plassering
        SELECT plasseringsidentifikator, CASE
            WHEN forfall_beloep IS NULL OR (forfall_beloep < 0) <> (plasseringstype = 'UTBETALING')
            THEN 'L2-PLACEMENT-DUE-DATE' ELSE 'L2-PLACEMENT-MOTPOST' END
        FROM plassering_ends
        WHERE forfall_beloep IS NULL OR motpost_beloep IS NULL
           OR (forfall_beloep < 0) <> (plasseringstype = 'UTBETALING')
        """
    )
    _drop_bad_ends(connection)
    _check_over(connection)
    _drop_bad_ends(connection)


def _drop_bad_ends(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "DELETE FROM plassering_ends WHERE plasseringsidentifikator IN (SELECT noekkel FROM bad_plassering)"
    )


def _check_over(connection: duckdb.DuckDBPyConnection) -> None:
    """All placements on a post that has more placed than its amount; a table of posts at a time, for memory.

    Posts are added up by hash first: amounts are above 0, so posts that share a hash can only be suspected
    too often, and those suspected are added up by themselves.
    """
    for name, placed in _PLACED_ON.items():
        connection.execute(
            f"""
            CREATE TEMP TABLE over_{name} AS
            WITH suspected AS MATERIALIZED (
              SELECT hash(post) AS h FROM ({placed}) GROUP BY h HAVING sum(plassert_beloep) > min(beloep))
            SELECT post FROM ({placed}) WHERE hash(post) IN (FROM suspected)
            GROUP BY post HAVING sum(plassert_beloep) > min(beloep);
            INSERT INTO bad_plassering
            SELECT DISTINCT plasseringsidentifikator, 'L2-PLACEMENT-OVER' FROM ({placed})
            WHERE post IN (FROM over_{name});
            DROP TABLE over_{name}
            """
        )


_ON_FORFALL = """
    SELECT plasseringsidentifikator, kravforfallsidentifikator AS post, plassert_beloep, abs(forfall_beloep) AS beloep
    FROM plassering_ends"""
_ON_MOTPOST = """
    SELECT plasseringsidentifikator, motpost AS post, plassert_beloep, abs(motpost_beloep) AS beloep
    FROM plassering_ends WHERE plasseringstype = '{type}'"""
_PLACED_ON = {
    "kravforfall": f"{_ON_FORFALL} UNION ALL {_ON_MOTPOST.format(type='MOTKRAV')}",
    "innbetaling": _ON_MOTPOST.format(type="INNBETALING"),
    "utbetaling": _ON_MOTPOST.format(type="UTBETALING"),
}
"""What is placed on the posts of a table; on due dates, from either end."""


def _collect_quarantined(connection: duckdb.DuckDBPyConnection) -> None:
    """``quarantined``: every refused row in force: its place, reasons and what it refers to."""
    parts = []
    for table in TABLES.values():
        references = [name if name in table.names else f"NULL::VARCHAR AS {name}" for name in REFERENCES]
        parts.append(
            f"""
            SELECT '{table.name}' AS tabell, row.{table.key} AS noekkel, row.fil, row.rad,
                   bad.koder, {", ".join(references)}, false AS slettet, kilde, leveransenummer
            FROM rows_{table.name} AS row JOIN (
              SELECT noekkel, list(DISTINCT kode ORDER BY kode) AS koder FROM bad_{table.name} GROUP BY noekkel
            ) AS bad ON bad.noekkel = row.{table.key}
            """
        )
    connection.execute(
        f"CREATE TEMP TABLE quarantined AS SELECT * FROM ledger_refused UNION ALL {' UNION ALL '.join(parts)}"
    )


def said_twice() -> str:
    """The keys of which two sources say the same, but for parts, as SQL: ``tabell``, ``noekkel``."""
    return " UNION ".join(f"SELECT '{name}' AS tabell, noekkel FROM same_{name}" for name in TABLES if name != "part")


@dataclass(frozen=True)
class Count:
    """The rows of a table: what the sources say, with refused removals; those accepted; posts, each counted once."""

    said: int
    accepted: int
    posts: int


def count_said(connection: duckdb.DuckDBPyConnection, sources: Iterable[str]) -> dict[str, dict[str, int]]:
    """The rows that each of the sources says of each table, by source, by table: refused ones too, but no removals.

    Needs ``counted_*`` and ``ledger_refused``.
    """
    refused = "SELECT kilde, tabell, count(*) FROM ledger_refused WHERE slettet IS NOT TRUE GROUP BY ALL"
    good = [f"SELECT kilde, '{name}', count(*) FROM counted_{name} GROUP BY ALL" for name in TABLES]
    counted = {kilde: dict.fromkeys(TABLES, 0) for kilde in sources}
    for kilde, tabell, rows in connection.execute(" UNION ALL ".join([refused, *good])).fetchall():
        counted[kilde][tabell] += rows
    return counted


def count_posts(connection: duckdb.DuckDBPyConnection, table: Table, said: int) -> Count:
    """Counts the posts of a table of which the sources say so many rows (``count_said``).

    Needs ``rows_*``, ``bad_*``, ``same_*`` and ``ledger_refused``.
    """
    name = table.name
    refused, removals, bad, again = connection.execute(
        f"""
        SELECT (SELECT count(*) FROM ledger_refused WHERE tabell = '{name}'),
               (SELECT count(*) FROM ledger_refused WHERE tabell = '{name}' AND slettet IS TRUE),
               (SELECT count(*) FROM rows_{name} WHERE {table.key} IN (SELECT noekkel FROM bad_{name})),
               (SELECT count(*) FROM same_{name} ANTI JOIN bad_{name} USING (noekkel))
        """
    ).fetchall()[0]
    accepted = said + removals - refused - bad
    return Count(said + removals, accepted, accepted - again)
