"""The good posts among the rows looked at, and how they hang together.

``bad_<table>``: the keys refused, with their code; ``same_<table>``: those of which a second source says the same.
``good_<table>`` always shows the rows looked at without either. What is refused is small, so the views cost little
more than reading the rows.
"""

from pathlib import Path

import duckdb

from schemas.tables import TABLES
from transforms.home.sql import sql_text

BAD, SAME = "refused_keys.parquet", "second_rows.parquet"
"""The keys refused, and those that a second source says too, in a folder that ``check`` hands over."""
CONNECTED = ("forfall", "plassering_ends")
"""How the good posts hang together: see ``connect_due_dates`` and ``connect_placements``."""


def show_good(connection: duckdb.DuckDBPyConnection, checked: Path | None = None) -> None:
    """Creates ``good_<table>``, over ``rows_<table>``, and the tables ``bad_<table>`` and ``same_<table>``.

    These have what an earlier stage has handed over in ``checked`` (``hand_over_refused``), else nothing yet.
    """
    for name, table in TABLES.items():
        connection.execute(
            f"""
            CREATE TEMP TABLE bad_{name} (noekkel VARCHAR, kode VARCHAR);
            CREATE TEMP TABLE same_{name} (noekkel VARCHAR, kilde VARCHAR);
            CREATE TEMP VIEW good_{name} AS
            SELECT * FROM rows_{name} AS row
            ANTI JOIN bad_{name} AS bad ON bad.noekkel = row.{table.key}
            ANTI JOIN same_{name} AS same ON same.noekkel = row.{table.key} AND same.kilde = row.kilde
            """
        )
        if checked:
            bad, same = (f"read_parquet({sql_text(checked / file)})" for file in (BAD, SAME))
            connection.execute(
                f"""
                INSERT INTO bad_{name} SELECT noekkel, kode FROM {bad} WHERE tabell = '{name}';
                INSERT INTO same_{name} SELECT noekkel, kilde FROM {same} WHERE tabell = '{name}'
                """
            )


def hand_over_refused(connection: duckdb.DuckDBPyConnection, checked: Path) -> None:
    """Writes what another connection shows the same good posts by."""
    for kind, column, file in (("bad", "kode", BAD), ("same", "kilde", SAME)):
        rows = " UNION ALL ".join(f"SELECT '{name}' AS tabell, noekkel, {column} FROM {kind}_{name}" for name in TABLES)
        connection.sql(rows).write_parquet(str(checked / file))


def hand_over_connected(connection: duckdb.DuckDBPyConnection, checked: Path) -> None:
    """Writes how the posts hang together: a third of connecting them anew, and uncompressed for half of it."""
    for name in CONNECTED:
        file = sql_text(checked / f"{name}.parquet")
        connection.execute(f"COPY {name} TO {file} (COMPRESSION uncompressed)")


def show_connected(connection: duckdb.DuckDBPyConnection, checked: Path) -> None:
    """Creates ``forfall`` and ``plassering_ends`` as another connection has handed them over, of the same rows."""
    forfall, ends = (f"FROM read_parquet({sql_text(checked / f'{name}.parquet')})" for name in CONNECTED)
    connection.execute(f"CREATE TEMP VIEW forfall AS {forfall}; CREATE TEMP VIEW plassering_ends AS {ends}")


def connect_due_dates(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates ``forfall``: the due dates, each with the part of its krav, or null when there is no such krav."""
    connection.execute(
        """
        CREATE TEMP TABLE forfall AS
        SELECT kravforfallsidentifikator, kravidentifikator, part, forfall.opprinnelig_beloep
        FROM good_kravforfall AS forfall LEFT JOIN good_krav USING (kravidentifikator)
        """
    )


def connect_placements(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates ``plassering_ends``: the placements, each with the part and the amount of the post at both ends, or null.

    Needs ``forfall``.
    """
    connection.execute(
        """
        CREATE TEMP TABLE plassering_ends AS
        WITH post AS (
          SELECT kravforfallsidentifikator AS motpost, 'MOTKRAV' AS plasseringstype, part, opprinnelig_beloep AS beloep
          FROM forfall WHERE opprinnelig_beloep < 0
          UNION ALL SELECT innbetalingsidentifikator, 'INNBETALING', part, innbetalt_beloep FROM good_innbetaling
          UNION ALL SELECT utbetalingsidentifikator, 'UTBETALING', part, utbetalt_beloep FROM good_utbetaling)
        SELECT plasseringsidentifikator, plasseringstype, kravforfallsidentifikator, motpost, plassert_beloep,
               plasseringsdato, forfall.part AS forfall_part, forfall.opprinnelig_beloep AS forfall_beloep,
               post.part AS motpost_part, post.beloep AS motpost_beloep
        FROM good_plassering LEFT JOIN forfall USING (kravforfallsidentifikator)
        LEFT JOIN post USING (plasseringstype, motpost)
        """
    )
