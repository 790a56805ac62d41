"""The good posts among the rows looked at.

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
            SELECT * FROM rows_{name} AS said
            ANTI JOIN bad_{name} AS bad ON bad.noekkel = said.{table.key}
            ANTI JOIN same_{name} AS same ON same.noekkel = said.{table.key} AND same.kilde = said.kilde
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
