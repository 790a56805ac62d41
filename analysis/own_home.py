"""Whether the analysts' database of a home reads that home: its views hold absolute paths, which a copy keeps."""

from pathlib import Path

import duckdb

SENTENCE = "its views read another home, that it was copied or moved from: run a night, which makes them anew"


class OtherHomeError(Exception):
    """What would be read is another home's, or nothing."""


def check_home(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Raises ``OtherHomeError`` unless the views of the snapshot's ``database``, in use, read the home it lies in."""
    (home,) = connection.execute("SELECT hjem FROM intern.snapshot").fetchall()[0]
    snapshot = database.resolve().parent
    if Path(home).resolve() != snapshot.parent.parent:
        raise OtherHomeError(SENTENCE)
