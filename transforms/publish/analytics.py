"""The analysts' DuckDB file: a view per table of the snapshot, amounts in kroner (DECIMAL).

The views name the snapshot's own folder, so one query never mixes two snapshots, and the file opens
from any folder.
"""

from pathlib import Path

import duckdb

from schemas.published import PUBLISHED, PublishedColumn
from transforms.home.snapshot import CURRENT, rows_sql
from transforms.home.sql import sql_text

FILE = "analytics.duckdb"


def write_analytics(snapshot: Path) -> None:
    """Makes ``analytics.duckdb`` in the snapshot with a view per table and one over the findings."""
    path = snapshot / FILE
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.begin()  # one commit, which is a flush to disk, not one a view
        for name, table in PUBLISHED.items():
            columns = ", ".join(map(_column, table.shown))
            connection.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM ({rows_sql(snapshot, name)})")
        connection.execute(f"CREATE VIEW findings AS FROM read_parquet({sql_text(snapshot / 'findings.parquet')})")
        connection.commit()


def _column(column: PublishedColumn) -> str:
    """Øre × 0.01 is exact: integers and decimals times a decimal."""
    name, shown = column.name, column.holds.value.shown
    return f"({name}::DECIMAL(36, 0) * 0.01)::{shown} AS {name}" if column.is_amount else name


def link_analytics(home: Path) -> None:
    """``<home>/analytics.duckdb`` always leads to the published snapshot's."""
    link = home / FILE
    if not link.is_symlink():
        link.unlink(missing_ok=True)
        link.symlink_to(f"{CURRENT}/{FILE}")
