"""The analysts' DuckDB file: a view per table of the snapshot, amounts in kroner (DECIMAL).

The views name the snapshot's own folder, so one query never mixes two snapshots, and the file opens
from any folder.
"""

from pathlib import Path

import duckdb

from schemas.store import SEGMENTS
from transforms.home.snapshot import CURRENT, TABLE_NAMES, rows_sql
from transforms.home.sql import sql_text

FILE = "analytics.duckdb"

OERE = (
    "opprinnelig_beloep",
    "gjenstaaende_beloep",
    "stipulerte_renter",
    "forfalte_krav",
    "ikke_forfalte_krav",
    "innbetalt_beloep",
    "uplassert_beloep",
    "utbetalt_beloep",
    "plassert_beloep",
    "uplasserte_innbetalinger",
    "saldo",
)
"""Columns that are øre in the tables."""


def write_analytics(snapshot: Path) -> None:
    """Makes ``analytics.duckdb`` in the snapshot with a view per table and one over the findings."""
    path = snapshot / FILE
    path.unlink(missing_ok=True)
    names_of_segments = {segments.column for segments in SEGMENTS}
    with duckdb.connect(str(path)) as connection:
        for name in TABLE_NAMES:
            rows = rows_sql(snapshot, name)
            columns = [
                column for column in connection.sql(f"{rows} LIMIT 0").columns if column not in names_of_segments
            ]
            connection.execute(f"CREATE VIEW {name} AS SELECT {', '.join(map(_column, columns))} FROM ({rows})")
        connection.execute(f"CREATE VIEW findings AS FROM read_parquet({sql_text(snapshot / 'findings.parquet')})")


def _column(name: str) -> str:
    """Øre × 0.01 is exact: integers and decimals times a decimal."""
    return f"({name}::DECIMAL(36, 0) * 0.01)::DECIMAL(38, 2) AS {name}" if name in OERE else name


def link_analytics(home: Path) -> None:
    """``<home>/analytics.duckdb`` always leads to the published snapshot's."""
    link = home / FILE
    if not link.is_symlink():
        link.unlink(missing_ok=True)
        link.symlink_to(f"{CURRENT}/{FILE}")
