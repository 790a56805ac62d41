"""All sources together: which rows are good posts, which are quarantined (CONTRACT 2.2.2-2.2.5).

Each check is a join or a group-by, done once, in the contract's order, over what the earlier ones
left. ``good_<table>`` is a view that always shows what is left: the current rows less those in
``bad_<table>``, the keys refused so far with their code. What is refused is small, so the views
cost little more than reading the rows.
"""

import duckdb

from schemas.tables import TABLES, Table

WITH_PART = ("krav", "innbetaling", "utbetaling")


def check_posts(connection: duckdb.DuckDBPyConnection) -> None:
    """Runs every check over ``current_*``; afterwards ``good_*`` are the posts, ``bad_*`` the refused keys.

    Leaves the tables ``forfall`` (good due dates with their krav's part) and ``quarantined`` as well.
    """
    for table in TABLES.values():
        _start(connection, table)
    for table in TABLES.values():
        _check_keys(connection, table)
    _check_parts(connection)
    _check_claims(connection)
    _check_placements(connection)
    _collect_quarantined(connection)


def _start(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    name, key = table.name, table.key
    connection.execute(
        f"""
        CREATE TEMP TABLE bad_{name} (noekkel VARCHAR, kode VARCHAR);
        CREATE TEMP TABLE same_{name} (noekkel VARCHAR, kilde VARCHAR);
        CREATE TEMP VIEW good_{name} AS
        SELECT * FROM current_{name} AS row
        WHERE NOT EXISTS (SELECT 1 FROM bad_{name} AS bad WHERE bad.noekkel = row.{key})
          AND NOT EXISTS (SELECT 1 FROM same_{name} AS same WHERE same.noekkel = row.{key} AND same.kilde = row.kilde)
        """
    )


def _check_keys(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """One key in two sources: the same content is one post, anything else refuses all (2.2.2).

    Keys are compared by hash first, and by themselves only where hashes of two sources agree.
    """
    name, key = table.name, table.key
    keys = f"""
        SELECT {key} AS noekkel, kilde FROM current_{name} UNION ALL
        SELECT noekkel, kilde FROM current_refused WHERE tabell = '{name}' AND noekkel IS NOT NULL"""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE suspect AS
        SELECT h FROM (SELECT hash(noekkel) AS h, kilde FROM ({keys}))
        GROUP BY h HAVING min(kilde) <> max(kilde);
        CREATE OR REPLACE TEMP TABLE shared AS
        SELECT noekkel FROM ({keys}) WHERE hash(noekkel) IN (SELECT h FROM suspect)
        GROUP BY noekkel HAVING min(kilde) <> max(kilde);
        """
    )
    content = ", ".join(f"{column} := {column}" for column in table.names)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE shared_rows AS
        SELECT {key} AS noekkel, kilde, false AS refused, struct_pack({content}) AS content
        FROM current_{name} WHERE {key} IN (SELECT noekkel FROM shared)
        UNION ALL
        SELECT noekkel, kilde, true, NULL FROM current_refused
        WHERE tabell = '{name}' AND noekkel IN (SELECT noekkel FROM shared);
        INSERT INTO bad_{name}
        SELECT noekkel, 'L2-KEY-SOURCES' FROM shared_rows
        GROUP BY noekkel HAVING bool_or(refused) OR count(DISTINCT content) > 1;
        INSERT INTO same_{name}
        SELECT noekkel, kilde FROM shared_rows
        WHERE noekkel NOT IN (SELECT noekkel FROM bad_{name})
        QUALIFY row_number() OVER (PARTITION BY noekkel ORDER BY kilde) > 1;
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
    connection.execute(
        """
        INSERT INTO bad_kravforfall
        SELECT kravforfallsidentifikator, 'L2-CLAIM-UNKNOWN' FROM good_kravforfall
        ANTI JOIN good_krav USING (kravidentifikator);

        INSERT INTO bad_krav
        SELECT kravidentifikator, CASE
            WHEN forfall.total IS NULL THEN 'L2-CLAIM-NO-DUE-DATE'
            WHEN forfall.total <> krav.opprinnelig_beloep THEN 'L2-CLAIM-SUM'
            ELSE 'L2-CLAIM-SIGN' END
        FROM good_krav AS krav LEFT JOIN (
          SELECT kravidentifikator, sum(opprinnelig_beloep) AS total,
                 min(opprinnelig_beloep) AS lowest, max(opprinnelig_beloep) AS highest
          FROM good_kravforfall GROUP BY kravidentifikator
        ) AS forfall USING (kravidentifikator)
        WHERE forfall.total IS NULL OR forfall.total <> krav.opprinnelig_beloep
           OR (krav.opprinnelig_beloep > 0 AND forfall.lowest < 0)
           OR (krav.opprinnelig_beloep < 0 AND forfall.highest > 0);

        INSERT INTO bad_kravforfall
        SELECT kravforfallsidentifikator, 'L2-CLAIM-OF-REFUSED' FROM good_kravforfall
        SEMI JOIN bad_krav ON bad_krav.noekkel = good_kravforfall.kravidentifikator;

        CREATE TEMP TABLE forfall AS
        SELECT kravforfallsidentifikator, kravidentifikator, part, forfall.opprinnelig_beloep
        FROM good_kravforfall AS forfall JOIN good_krav USING (kravidentifikator)
        """
    )


def _check_placements(connection: duckdb.DuckDBPyConnection) -> None:
    """An end that is not there or of the wrong kind; then posts with more placed than they are (2.2.5)."""
    connection.execute(
        """
        INSERT INTO bad_plassering
        SELECT plasseringsidentifikator, 'L2-PLACEMENT-DUE-DATE' FROM good_plassering AS plassering
        LEFT JOIN forfall USING (kravforfallsidentifikator)
        WHERE forfall.opprinnelig_beloep IS NULL
           OR (forfall.opprinnelig_beloep < 0) <> (plasseringstype = 'UTBETALING');

        CREATE TEMP TABLE motpost AS
        SELECT kravforfallsidentifikator AS motpost, 'MOTKRAV' AS plasseringstype FROM forfall
        WHERE opprinnelig_beloep < 0
        UNION ALL SELECT innbetalingsidentifikator, 'INNBETALING' FROM good_innbetaling
        UNION ALL SELECT utbetalingsidentifikator, 'UTBETALING' FROM good_utbetaling;

        INSERT INTO bad_plassering
        SELECT plasseringsidentifikator, 'L2-PLACEMENT-MOTPOST' FROM good_plassering
        ANTI JOIN motpost USING (plasseringstype, motpost);
        DROP TABLE motpost;

        CREATE TEMP TABLE placed AS
        WITH ends AS (
          SELECT 'forfall' AS kind, kravforfallsidentifikator AS post, plassert_beloep FROM good_plassering
          UNION ALL
          SELECT CASE plasseringstype WHEN 'MOTKRAV' THEN 'forfall' ELSE plasseringstype END, motpost, plassert_beloep
          FROM good_plassering)
        SELECT kind, post, sum(plassert_beloep) AS beloep FROM ends GROUP BY kind, post;

        CREATE TEMP TABLE over AS
        SELECT kind, post FROM placed JOIN forfall ON kind = 'forfall' AND post = kravforfallsidentifikator
        WHERE beloep > abs(opprinnelig_beloep)
        UNION ALL
        SELECT kind, post FROM placed JOIN good_innbetaling ON kind = 'INNBETALING' AND post = innbetalingsidentifikator
        WHERE beloep > innbetalt_beloep
        UNION ALL
        SELECT kind, post FROM placed JOIN good_utbetaling ON kind = 'UTBETALING' AND post = utbetalingsidentifikator
        WHERE beloep > utbetalt_beloep;

        INSERT INTO bad_plassering
        SELECT plasseringsidentifikator, 'L2-PLACEMENT-OVER' FROM good_plassering
        WHERE kravforfallsidentifikator IN (SELECT post FROM over WHERE kind = 'forfall')
           OR (plasseringstype = 'MOTKRAV' AND motpost IN (SELECT post FROM over WHERE kind = 'forfall'))
           OR (plasseringstype = 'INNBETALING' AND motpost IN (SELECT post FROM over WHERE kind = 'INNBETALING'))
           OR (plasseringstype = 'UTBETALING' AND motpost IN (SELECT post FROM over WHERE kind = 'UTBETALING'));
        """
    )


def _collect_quarantined(connection: duckdb.DuckDBPyConnection) -> None:
    """``quarantined``: every refused row in force: its place, reasons and what it refers to."""
    parts = []
    for table in TABLES.values():
        references = [
            name if name in table.names else f"NULL::VARCHAR AS {name}"
            for name in ("part", "kravidentifikator", "kravforfallsidentifikator", "motpost")
        ]
        parts.append(
            f"""
            SELECT '{table.name}' AS tabell, row.{table.key} AS noekkel, row.fil, row.rad,
                   bad.koder, {", ".join(references)}, kilde, leveransenummer
            FROM current_{table.name} AS row JOIN (
              SELECT noekkel, list(DISTINCT kode ORDER BY kode) AS koder FROM bad_{table.name} GROUP BY noekkel
            ) AS bad ON bad.noekkel = row.{table.key}
            """
        )
    connection.execute(
        f"CREATE TEMP TABLE quarantined AS SELECT * FROM current_refused UNION ALL {' UNION ALL '.join(parts)}"
    )
