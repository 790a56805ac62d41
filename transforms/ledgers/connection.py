"""A stage's own DuckDB connection, with what the ledgers say in it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import duckdb

from schemas.snapshot import Accepted
from schemas.tables import TABLES
from transforms.ledgers.delivered import create_ledgers
from transforms.run import Settings


def memory_for(rows: int) -> str:
    """DuckDB's memory limit for so many rows: with less what is near a change is found slower, more gains nothing.

    What else the night holds comes on top: some 400 MB for the process and its libraries, and 3 KB a part for numbers
    and keys while posts are linked (docs/decisions/0023).
    """
    return f"{min(2_200, 500 + rows // 44_000)}MB"


@contextlib.contextmanager
def ledgers(run: Settings, used: Mapping[str, Sequence[Accepted]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the views over what the deliveries ``used`` by source say (``delivered``).

    It spills to the run's folder. Order of rows is nobody's concern in it.
    """
    run.work.mkdir(parents=True, exist_ok=True)
    rows = sum(delivery.rows(table) for chain in used.values() for delivery in chain for table in TABLES)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": run.memory or memory_for(rows),
        "threads": run.workers,
        "temp_directory": str(run.work / "spill"),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
    }
    with duckdb.connect(config=config) as connection:
        connection.execute("SET enable_progress_bar = false")  # a setting of the session, not of the database
        create_ledgers(connection, run.deliveries, used)
        yield connection
