"""The analysts' DuckDB file: views of the snapshot, amounts in kroner (DECIMAL), with comments, and macros.

The views name the snapshot's own folder, so one query never mixes two snapshots, and the file opens from any folder.
It is written as DuckDB 1.0 reads it, and may not be written to afterwards.
"""

from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from schemas.analytics import VIEWS
from schemas.macros import MACROS, Macro
from schemas.snapshot import OSLO, Accepted, SnapshotManifest
from schemas.views import AGE_BAND, View
from transforms.home.history import ensure
from transforms.home.snapshot import ANALYTICS, CURRENT
from transforms.home.sql import sql_text
from transforms.publish import history, macros
from transforms.publish.apart import find
from transforms.publish.at_home import at_home_macro, at_home_mark
from transforms.publish.nights import night_macros
from transforms.publish.views import Of, delivered_files, views
from transforms.rules.money import kroner

READ_ONLY = 0o444
STORAGE = "v1.0.0"
"""What every DuckDB from 1.0 on reads."""


def write_analytics(of: Of, manifest: SnapshotManifest, rates: pl.DataFrame, kravtyper: pl.DataFrame) -> None:
    """Makes ``analytics.duckdb`` in the snapshot. ``rates``, ``kravtyper``: what it is made with (``reference``).

    ``manifest``: the snapshot's own, of which only what tells of the snapshot and its deliveries is read.
    """
    path, day = of.snapshot / ANALYTICS, manifest.snapshotdato
    path.unlink(missing_ok=True)
    ensure(of.home)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {sql_text(path)} AS analytics (STORAGE_VERSION '{STORAGE}'); USE analytics")
        connection.begin()  # one commit, which is a flush to disk, not one a view
        connection.execute(f"CREATE TYPE aldersgruppe AS {AGE_BAND}; CREATE SCHEMA intern")
        _create_tables(connection, of, manifest, rates, kravtyper)
        apart = find(connection, of.snapshot, day, some_without_documents=_some_without_documents(manifest))
        connection.execute(at_home_mark(of.home))
        for macro in (at_home_macro(of.home), macros.age_band(), *macros.of_rates(rates)):
            connection.execute(macro)
        for name, query in views(of, apart, day).items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
        history.write_tonight(connection, of.snapshot, day)
        for name, query in history.history_views(of.home, of.snapshot, day).items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
        for macro in (*macros.after_views(), *night_macros(of, day)):
            connection.execute(macro)
        comment(connection, VIEWS.values(), MACROS.values(), _FILLED)
        connection.commit()
    path.chmod(READ_ONLY)


def _some_without_documents(manifest: SnapshotManifest) -> bool:
    check, build = manifest.stages.check, manifest.stages.build
    return bool((check and check.held_back) or (build and build.parts_without_documents))


def _create_tables(
    connection: duckdb.DuckDBPyConnection,
    of: Of,
    manifest: SnapshotManifest,
    rates: pl.DataFrame,
    kravtyper: pl.DataFrame,
) -> None:
    """What is not in the snapshot's tables, and small."""
    for name, columns in _FILLED.items():
        connection.execute(f"CREATE TABLE {name} ({columns})")
    connection.register("rates", rates.to_arrow())
    connection.register("kravtyper", kravtyper.to_arrow())
    connection.execute(
        """
        INSERT INTO rente_sats
        SELECT fra_dato, lead(fra_dato) OVER (ORDER BY fra_dato) - 1 AS til_dato, (sats * 0.01)::DECIMAL(6, 2) AS sats
        FROM rates ORDER BY fra_dato;
        INSERT INTO kravtype SELECT kravtype, tekst, kravgruppe, renteberegnes FROM kravtyper ORDER BY kravtype
        """
    )
    stages = manifest.stages
    row = (manifest.snapshot, manifest.snapshotdato, _in_oslo(manifest.extracted_at), manifest.previous)
    counts = (stages.build.parts if stages.build else None, stages.check.held_back if stages.check else None)
    _insert(connection, "intern.snapshot", [(*row, *counts, str(of.home))])
    nights = {str(day): name for day, name in of.nights.items()} | {str(manifest.snapshotdato): of.snapshot.name}
    _insert(connection, "intern.natt", list(nights.items()))
    _insert(connection, "leveranse", [line for one in manifest.used for line in _delivered(one)])
    _insert(connection, "intern.levert_fil", delivered_files(of))


def _columns(view: str, many: int | None = None) -> str:
    return ", ".join(f"{column.name} {column.shown}" for column in VIEWS[view].columns[:many])


_FILLED = {
    **{name: _columns(name) for name in ("rente_sats", "kravtype", "leveranse")},
    "intern.snapshot": _columns("snapshot", 7),
    "intern.natt": "snapshotdato DATE, snapshot VARCHAR",
    "intern.levert_fil": "filename VARCHAR, kilde VARCHAR, leveransenummer INTEGER, fil VARCHAR",
}
"""Tables of what the manifest and the reference data say, and their columns."""


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: list[tuple[Any, ...]]) -> None:
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


def comment(
    connection: duckdb.DuckDBPyConnection, views: Iterable[View], macros: Iterable[Macro], tables: Container[str] = ()
) -> None:
    """Puts on each of the views, its columns and the macros of the database in use what they mean.

    ``tables``: the names of those views that are tables there.
    """
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
