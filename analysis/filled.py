"""One DuckDB file of the exported tables, made of their Parquet files in a process that has seen nothing else.

DuckDB writes whole blocks, and beside its rows a block may hold what the process had in its memory before. In one that
has read a home that is anybody's numbers, and a pseudonymised file would hold some of them.
"""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import duckdb
import polars as pl

from schemas.analytics import VIEWS
from schemas.macros import MACROS
from schemas.views import AGE_BAND, View
from transforms.home.sql import sql_text
from transforms.publish import macros
from transforms.publish.analytics import STORAGE, comment


def fill_in_new_process(tables: Sequence[View], folder: Path, out: Path) -> None:
    """Makes the file ``out`` with tables, macros and comments; ``folder`` has a Parquet file for each of the tables."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        process.submit(_fill, tables, folder, out).result()


def _fill(tables: Sequence[View], folder: Path, out: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"ATTACH {sql_text(out)} AS target (STORAGE_VERSION '{STORAGE}'); USE target")
        out.chmod(0o600)
        connection.execute(f"CREATE TYPE aldersgruppe AS {AGE_BAND}")
        for view in tables:
            columns = ", ".join(f"{column.name}::{column.shown} AS {column.name}" for column in view.columns)
            rows = f"read_parquet({sql_text(folder / f'{view.name}.parquet')})"
            connection.execute(f"CREATE TABLE {view.name} AS SELECT {columns} FROM {rows}")
        _tell(connection, tables)


def _tell(connection: duckdb.DuckDBPyConnection, tables: Sequence[View]) -> None:
    """The macros that read the tables, and what all of it means."""
    rates = connection.sql("SELECT fra_dato, (sats * 100)::BIGINT AS sats FROM rente_sats ORDER BY fra_dato")
    of_rates = macros.of_rates(pl.DataFrame(rates.to_arrow_table()))
    made = [macros.age_band(), *of_rates, *macros.after_views()]
    for macro in made:
        connection.execute(macro)
    named = [one for one in MACROS.values() if any(sql.startswith(f"CREATE MACRO {one.call} ") for sql in made)]
    comment(connection, tables, named, VIEWS)
