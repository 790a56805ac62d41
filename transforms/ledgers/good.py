"""The good posts among the rows looked at, and how they hang together.

``bad_<table>``: the keys refused, with their code; ``same_<table>``: those of which a second source says the same.
``good_<table>`` always shows the rows looked at without either. What is refused is small, so the views cost little
more than reading the rows.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from schemas.tables import TABLES
from transforms.home.sql import sql_text


@dataclass(frozen=True)
class RefusedKeys:
    """Where ``check`` leaves the keys that it refused, ``bad`` (``tabell``, ``noekkel``, ``kode``), and those of which
    another source says the ``same`` (``tabell``, ``noekkel``, ``kilde``): Parquet files in a folder.
    """

    folder: Path

    @property
    def bad(self) -> Path:
        """The file of keys refused."""
        return self.folder / "refused_keys.parquet"

    @property
    def same(self) -> Path:
        """The file of keys said twice."""
        return self.folder / "second_rows.parquet"


def show_good(connection: duckdb.DuckDBPyConnection, refused: RefusedKeys | None = None) -> None:
    """Creates ``good_<table>``, over ``rows_<table>``, and the tables ``bad_<table>`` and ``same_<table>``.

    These have what an earlier stage ``refused``, else nothing yet.
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
        if refused:
            connection.execute(
                f"""
                INSERT INTO bad_{name} SELECT noekkel, kode FROM read_parquet({sql_text(refused.bad)})
                WHERE tabell = '{name}';
                INSERT INTO same_{name} SELECT noekkel, kilde FROM read_parquet({sql_text(refused.same)})
                WHERE tabell = '{name}'
                """
            )


def hand_over_refused(connection: duckdb.DuckDBPyConnection, refused: RefusedKeys) -> None:
    """Writes the files that another connection shows the same good posts by."""
    for kind, column, path in (("bad", "kode", refused.bad), ("same", "kilde", refused.same)):
        rows = " UNION ALL ".join(f"SELECT '{name}' AS tabell, noekkel, {column} FROM {kind}_{name}" for name in TABLES)
        connection.sql(rows).write_parquet(str(path))


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
