"""The analysts' DuckDB file: views of the snapshot, amounts in kroner (DECIMAL), with comments, and macros.

The views name the snapshot's own folder, so one query never mixes two snapshots, and the file opens from any folder.
It is written as DuckDB 1.0 reads it, and may not be written to afterwards.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from schemas.analytics import AGE_BAND, VIEWS, View
from schemas.macros import MACROS, Macro
from schemas.snapshot import OSLO, Accepted, SnapshotManifest
from transforms.home.history import ensure
from transforms.home.snapshot import ANALYTICS, CURRENT
from transforms.home.sql import sql_text
from transforms.publish import history, macros
from transforms.publish.nights import night_macros
from transforms.publish.views import Of, delivered_files, uten_forfall, views
from transforms.rules.money import kroner

READ_ONLY = 0o444
STORAGE = "v1.0.0"
"""What every DuckDB from 1.0 on reads."""


def write_analytics(of: Of, manifest: SnapshotManifest, rates: pl.DataFrame, kravtyper: pl.DataFrame) -> None:
    """Makes ``analytics.duckdb`` in the snapshot. ``rates``, ``kravtyper``: what it is made with (``reference``).

    ``manifest``: the snapshot's own, of which only what tells of the snapshot and its deliveries is read.
    """
    path = of.snapshot / ANALYTICS
    path.unlink(missing_ok=True)
    ensure(of.home)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {sql_text(path)} AS analytics (STORAGE_VERSION '{STORAGE}'); USE analytics")
        connection.begin()  # one commit, which is a flush to disk, not one a view
        connection.execute(f"CREATE TYPE aldersgruppe AS {AGE_BAND}")
        _create_tables(connection, of, manifest, rates, kravtyper)
        for macro in macros.before_views(rates):
            connection.execute(macro)
        for name, query in views(of).items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
        history.write_tonight(connection, of.snapshot, manifest.snapshotdato)
        for name, query in history.history_views(of.home, of.snapshot, manifest.snapshotdato).items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
        if manifest.stages.check and (manifest.stages.check.held_back or _without_documents(manifest)):
            connection.execute(f"INSERT INTO intern.uten_forfall {uten_forfall()}")
        for macro in (*macros.after_views(), *night_macros(of, manifest.snapshotdato)):
            connection.execute(macro)
        comment(connection, VIEWS.values(), MACROS.values())
        connection.commit()
    path.chmod(READ_ONLY)


def _without_documents(manifest: SnapshotManifest) -> int:
    return manifest.stages.build.parts_without_documents if manifest.stages.build else 0


def _create_tables(
    connection: duckdb.DuckDBPyConnection,
    of: Of,
    manifest: SnapshotManifest,
    rates: pl.DataFrame,
    kravtyper: pl.DataFrame,
) -> None:
    """What is not in the snapshot's tables, and small."""
    connection.register("rates", rates.to_arrow())
    connection.register("kravtyper", kravtyper.to_arrow())
    connection.execute(
        """
        CREATE SCHEMA intern;
        CREATE TABLE intern.uten_forfall (plasseringsidentifikator VARCHAR);
        CREATE TABLE rente_sats AS
        SELECT fra_dato, lead(fra_dato) OVER (ORDER BY fra_dato) - 1 AS til_dato, (sats * 0.01)::DECIMAL(6, 2) AS sats
        FROM rates ORDER BY fra_dato;
        CREATE TABLE kravtype AS SELECT kravtype, tekst, kravgruppe, renteberegnes FROM kravtyper ORDER BY kravtype
        """
    )
    stages = manifest.stages
    row = (manifest.snapshot, manifest.snapshotdato, _in_oslo(manifest.extracted_at), manifest.previous)
    counts = (stages.build.parts if stages.build else None, stages.check.held_back if stages.check else None)
    _fill(connection, "intern.snapshot", _columns("snapshot", 7), [(*row, *counts, str(of.home))])
    nights = {str(day): name for day, name in of.nights.items()} | {str(manifest.snapshotdato): of.snapshot.name}
    _fill(connection, "intern.natt", "snapshotdato DATE, snapshot VARCHAR", list(nights.items()))
    _fill(connection, "leveranse", _columns("leveranse"), [line for one in manifest.used for line in _delivered(one)])
    _fill(connection, "intern.levert_fil", _FILES, delivered_files(of))


_FILES = "filename VARCHAR, kilde VARCHAR, leveransenummer INTEGER, fil VARCHAR"


def _columns(view: str, many: int | None = None) -> str:
    return ", ".join(f"{column.name} {column.shown}" for column in VIEWS[view].columns[:many])


def _fill(connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    connection.execute(f"CREATE TABLE {name} ({columns})")
    if rows:
        values = ", ".join(f"({', '.join('?' for _ in row)})" for row in rows)
        connection.execute(f"INSERT INTO {name} VALUES {values}", [value for row in rows for value in row])


def _in_oslo(moment: Any) -> Any:
    """The wall clock's time: of a moment with its offset, old clients show nothing without more libraries."""
    return moment.astimezone(OSLO).replace(tzinfo=None)


def _delivered(one: Accepted) -> list[tuple[Any, ...]]:
    return [
        (
            *(one.kilde, one.leveransenummer, one.type, _in_oslo(one.extracted_at), tabell),
            *(receipt.rader, receipt.refused, receipt.removed, kroner(receipt.oere)),
        )
        for tabell, receipt in one.receipt.items()
    ]


def comment(connection: duckdb.DuckDBPyConnection, views: Iterable[View], macros: Iterable[Macro]) -> None:
    """Puts on each of the views (or tables), its columns and the macros of the database in use what they mean."""
    here = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
    tables = {name for (name,) in connection.execute(here).fetchall()}
    for view in views:
        kind = "TABLE" if view.name in tables else "VIEW"
        connection.execute(f"COMMENT ON {kind} {view.name} IS {sql_text(view.comment)}")
        for column in view.columns:
            connection.execute(f"COMMENT ON COLUMN {view.name}.{column.name} IS {sql_text(column.comment)}")
    for macro in macros:
        kind = "MACRO TABLE" if macro.is_table else "MACRO"
        connection.execute(f"COMMENT ON {kind} {macro.name} IS {sql_text(macro.comment)}")


def link_analytics(home: Path) -> None:
    """``<home>/analytics.duckdb`` always leads to the published snapshot's."""
    link = home / ANALYTICS
    if not link.is_symlink():
        link.unlink(missing_ok=True)
        link.symlink_to(f"{CURRENT}/{ANALYTICS}")
