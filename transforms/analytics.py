"""The analysts' DuckDB file: a view per table of the snapshot, amounts in kroner (DECIMAL).

The views name the snapshot's own folder, so one query never mixes two snapshots, and the file opens
from any folder.
"""

from pathlib import Path

import duckdb
import polars as pl

from transforms.current import sql_text
from transforms.snapshot import TABLE_NAMES

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
    with duckdb.connect(str(path)) as connection:
        for name in TABLE_NAMES:
            files = sorted((snapshot / "tables" / name).glob("*.parquet"))
            if files:
                columns = pl.read_parquet_schema(files[0])
                connection.execute(
                    f"CREATE VIEW {name} AS SELECT {', '.join(map(_column, columns))} "
                    f"FROM read_parquet({sql_text(snapshot / 'tables' / name / '*.parquet')})"
                )
        connection.execute(f"CREATE VIEW findings AS FROM read_parquet({sql_text(snapshot / 'findings.parquet')})")


def _column(name: str) -> str:
    """Øre × 0.01 is exact: integers and decimals times a decimal."""
    return f"({name}::DECIMAL(36, 0) * 0.01)::DECIMAL(38, 2) AS {name}" if name in OERE else name
