"""Dagster's event log, held open while a run lasts."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg


@contextlib.contextmanager
def held_open(instance: dg.DagsterInstance, folder: Path, run_id: str) -> Iterator[None]:
    """Keeps a connection to each SQLite database of ``DAGSTER_HOME``, the folder, that a run writes its events to.

    Dagster opens a connection for each event and closes it; whoever closes the last one to a database writes SQLite's
    log back into it, flushes both and removes the log. With one that stays open that is done once, at the end. Each
    event is committed and flushed when it is stored, as ever. Where events go elsewhere there is nothing to hold.
    (docs/decisions/0021-start-and-end.md)
    """
    instance.all_logs(run_id)  # makes the run's own database
    history = folder / "history"
    with contextlib.ExitStack() as held:
        for path in (history / "runs.db", history / "runs" / "index.db", history / "runs" / f"{run_id}.db"):
            if path.is_file():
                with contextlib.suppress(sqlite3.Error):  # without it all is the same, but slower
                    connection = held.enter_context(contextlib.closing(sqlite3.connect(path)))
                    connection.execute("SELECT name FROM sqlite_master").fetchall()  # opens the log too
        yield
