"""The published tables by themselves: one DuckDB file, or a Parquet file per table, that need no home.

What the views show is written out, in kroner and without superseded rows. Left out are ``rad``, which has a row for
every row delivered, and what names a home or reads other nights.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from analysis import pseudonyms
from analysis.filled import fill_in_new_process
from analysis.own_home import check_home
from schemas.analytics import VIEWS
from schemas.views import View, ViewColumn
from transforms.home.snapshot import ANALYTICS
from transforms.home.sql import sql_text

LEFT_OUT = {"rad", "snapshots"}
OF_A_HOME = {("snapshot", "hjem"), ("snapshot", "publisert"), ("snapshot", "er_publisert")}
"""Columns that mean nothing away from the home."""


def write_duckdb(snapshot: Path, out: Path, key: bytes | None = None) -> None:
    """One DuckDB file with tables and macros, as DuckDB 1.0 reads it. ``key``: pseudonymised with it.

    ``out``: a path where nothing is; it is there when it is whole, for its owner alone. Raises ``OtherHomeError``.
    """
    half_written, folder = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.tables")
    half_written.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        write_parquet(snapshot, folder, key)
        fill_in_new_process(_tables(), folder, half_written)
        half_written.rename(out)
    finally:
        half_written.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def write_parquet(snapshot: Path, out: Path, key: bytes | None = None) -> None:
    """A folder with a Parquet file per table, which its metadata tells of. All else as ``write_duckdb``."""
    half_written = out.with_name(f".{out.name}.part")
    shutil.rmtree(half_written, ignore_errors=True)
    try:
        half_written.mkdir(mode=0o700)
        with _opened(snapshot, key) as connection:
            for view in _tables():
                _write_table(connection, view, half_written / f"{view.name}.parquet", key)
        half_written.rename(out)
    finally:
        shutil.rmtree(half_written, ignore_errors=True)


@contextmanager
def _opened(snapshot: Path, key: bytes | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which the snapshot's views are at hand. Raises ``OtherHomeError``."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"ATTACH {sql_text(snapshot / ANALYTICS)} AS source (READ_ONLY); USE source")
        check_home(connection, snapshot / ANALYTICS)
        if key is not None:
            connection.execute(pseudonyms.macro(key))
        yield connection


def _tables() -> list[View]:
    """What is exported: the views, with the columns that mean something anywhere."""
    return [
        replace(view, columns=tuple(one for one in view.columns if (view.name, one.name) not in OF_A_HOME))
        for view in VIEWS.values()
        if view.name not in LEFT_OUT
    ]


def _query(view: View, key: bytes | None) -> str:
    columns = [one.name if key is None else pseudonyms.column(view, one) for one in view.columns]
    return f"SELECT {', '.join(columns)} FROM source.{view.name}"


def _write_table(connection: duckdb.DuckDBPyConnection, view: View, path: Path, key: bytes | None) -> None:
    with connection.sql(_query(view, key)).to_arrow_reader(100_000) as rows:
        fields = [_told(field, column) for field, column in zip(rows.schema, view.columns, strict=True)]
        comments = json.dumps({column.name: column.comment for column in view.columns}, ensure_ascii=False)
        schema = pa.schema(fields, {"description": view.comment, "columns": comments})
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in rows:
                writer.write_batch(batch.cast(schema))


def _told(field: pa.Field, column: ViewColumn) -> pa.Field:
    told = {"description": column.comment} | ({"unit": column.unit} if column.unit else {})
    return field.with_metadata(told)
