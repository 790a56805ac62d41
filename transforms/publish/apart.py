"""What of a snapshot is not as the rest: found once, when it is published, so that no question has to look for it.

A question would else join every row with ``part`` by text, to see whether its segment is its part's own.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb

from schemas.store import SEGMENTS
from transforms.home.snapshot import PART_TABLE, rows_sql, whose
from transforms.home.sql import sql_text


class Apart(NamedTuple):
    """Of which tables in ``intern`` there are rows: what the views need not join, they don't."""

    erstattet: bool = False
    eldre: bool = False
    uten_forfall: bool = False


TABLES = {
    "erstattet": "part VARCHAR, segment VARCHAR",
    "eldre": "part VARCHAR, snapshotdato DATE",
    "uten_forfall": "plasseringsidentifikator VARCHAR",
}
"""Parts with the segments that have superseded rows of theirs; parts whose documents are of an earlier date; and the
placements of which only the motpost's end is here."""


def find(connection: duckdb.DuckDBPyConnection, snapshot: Path, day: date, *, some_without_documents: bool) -> Apart:
    """Makes the tables in the schema ``intern``, and says which have rows.

    ``day``: the snapshot's date. ``some_without_documents``: whether parts are held back or have no documents; only
    then can an end of a placement be missing.
    """
    part = f"read_parquet({sql_text(snapshot / PART_TABLE)})"
    found = {
        "erstattet": _superseded(snapshot, part),
        "eldre": f"SELECT part, snapshotdato FROM {part} WHERE snapshotdato <> DATE '{day}'",
        "uten_forfall": uten_forfall(f"({rows_sql(snapshot, 'plassering')})") if some_without_documents else None,
    }
    return Apart(**{name: _make(connection, name, query) for name, query in found.items()})


def _make(connection: duckdb.DuckDBPyConnection, name: str, query: str | None) -> bool:
    """Makes one of the tables; whether it has rows."""
    table = f"intern.{name}"
    connection.execute(f"CREATE TABLE {table} ({TABLES[name]})")
    return bool(query and connection.execute(f"INSERT INTO {table} {query}").fetchall()[0][0])


def _superseded(snapshot: Path, part: str) -> str | None:
    """Parts and segments with rows that no document shows. A segment made tonight has only rows that one shows."""
    scans = [
        f"SELECT {whose(name)} AS part, segment FROM read_parquet([{', '.join(map(sql_text, files))}])"
        for name in sorted({name for segments in SEGMENTS for name in segments.tables})
        if (files := list(_of_earlier_nights(snapshot, (snapshot / "tables" / name).glob("*.parquet"))))
    ]
    if not scans:
        return None
    in_use = " UNION ALL ".join(f"SELECT part, {segments.column} AS segment FROM {part}" for segments in SEGMENTS)
    distinct = " UNION ".join(f"SELECT DISTINCT * FROM ({scan})" for scan in scans)
    return f"SELECT * FROM ({distinct}) AS said ANTI JOIN ({in_use}) AS used USING (part, segment)"


def _of_earlier_nights(snapshot: Path, files: Iterable[Path]) -> Iterable[Path]:
    return (file for file in sorted(files) if not file.name.startswith(f"{snapshot.name}-"))


def uten_forfall(plassering: str) -> str:
    """The placements of which only the motpost's end is here. ``plassering``: the table, as SQL."""
    return f"""
        SELECT plasseringsidentifikator FROM {plassering} WHERE ende = 'motpost' AND plasseringsidentifikator NOT IN (
          SELECT plasseringsidentifikator FROM {plassering} WHERE ende = 'kravforfall')"""
